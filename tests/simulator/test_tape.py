"""Tapes: what is read, what is refused, and that the book is exactly the tape's."""

from __future__ import annotations

import gzip
import math
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.simulated import Simulator
from venues.simulator import TapeError, read_tape
from venues.simulator import tape as tape_module
from venues.simulator.market_events import BookChange, Event, Stage, Trade
from venues.simulator.player import TapeMarket
from venues.simulator.tape import Line, Row, Rows, Tape, TapeTrade, steps_of

from .support import NAMES, lines_of, naive_book, tape_path

if TYPE_CHECKING:
    from pathlib import Path

    from .support import Sides

HEADER = '{"kind":"tape","market":"A-B"}\n'


def written(folder: Path, text: str, name: str = "a.jsonl") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def shown(market: TapeMarket) -> Sides:
    bids, asks = market.levels("buy"), market.levels("sell")
    assert [level.price for level in bids] == sorted((level.price for level in bids), reverse=True)
    assert [level.price for level in asks] == sorted(level.price for level in asks)
    return {level.price: level.size for level in bids}, {level.price: level.size for level in asks}


@pytest.mark.parametrize("name", NAMES)
def test_a_real_tape_makes_the_book_that_a_plain_dict_makes(name: str) -> None:
    path = tape_path(name)
    wanted = lines_of(path)
    stage, events = Stage(0), list[Event]()
    stage.listen(events.append)
    market = TapeMarket("A", stage)
    tape = read_tape(path)
    assert tape.market == wanted[0]["market"]
    for line in tape.lines:
        market.apply(line, 5)
        if isinstance(line, Rows):
            assert market.levels("buy")[0].price < market.levels("sell")[0].price
    assert shown(market) == naive_book(wanted)
    trades = [(str(e.price), str(e.size), e.side) for e in events if isinstance(e, Trade)]
    assert trades == [(line["price"], line["size"], line["side"]) for line in wanted if line["kind"] == "trade"]
    assert sum(isinstance(e, BookChange) for e in events) == sum("bids" in line for line in wanted)


ROWS = st.lists(
    st.builds(Row, st.integers(1, 9).map(Decimal), st.sampled_from(("0", "0.0", "1", "2E-8", "3.50")).map(Decimal)),
    max_size=6,
)


@settings(max_examples=80)
@given(st.lists(st.builds(Rows, st.just(0), st.booleans(), ROWS, ROWS), max_size=8))
def test_any_rows_make_the_book_that_a_plain_dict_makes(lines: list[Rows]) -> None:
    market = TapeMarket("A", Stage(0))
    for line in lines:
        market.apply(line, 0)
    plain = [{"kind": "snapshot" if line.snapshot else "delta", "bids": line.bids, "asks": line.asks} for line in lines]
    assert shown(market) == naive_book(plain)


ODD = """
{"kind":"tape","market":"ODD","source":"nobody"}

{"t":100,"kind":"trade","price":"1E-8","size":"7.00","side":"sell"}
{"t":100,"kind":"delta","bids":[["5","5"]],"asks":[]}
{"t":100,"kind":"snapshot","bids":[["3","1"],["1","1"],["2","1"]],"asks":[],"seq":null}
   \t
{"t":90,"kind":"delta","bids":[["2","9"],["2","0"],["2","4.10"],["7.5","0"]],"asks":[["8.00000000000000000000000000000000000001","1E-8"]]}
{"t":120,"kind":"delta","bids":[["3.00","2"]],"asks":[["9","1e+2"],["8.5","0.0"]]}
"""


@pytest.mark.parametrize("zipped", [False, True])
def test_odd_tapes_are_read_exactly(tmp_path: Path, zipped: bool) -> None:
    path = written(tmp_path, ODD, "tape.gz" if not zipped else "tape.jsonl")
    if zipped:
        path.write_bytes(gzip.compress(ODD.encode()))
    tape = read_tape(path)
    assert [line.t for line in tape.lines] == [100, 100, 100, 90, 120]
    market = TapeMarket("ODD", Stage(0))
    for line in tape.lines:
        market.apply(line, 0)
    texts = [(str(level.price), str(level.size)) for side in ("buy", "sell") for level in market.levels(side)]
    assert texts == [
        ("3.00", "2"),
        ("2", "4.10"),
        ("1", "1"),
        ("8.00000000000000000000000000000000000001", "1E-8"),
        ("9", "1E+2"),
    ]


def delta(**fields: Any) -> str:
    return msgspec.json.encode({"t": 1, "kind": "delta", "bids": [], "asks": [], **fields}).decode()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", r":1: expected .*first line, got an empty file"),
        ("\n\n", r":1: expected .*first line, got an empty file"),
        (delta(), r":1: expected .*first line, got .*delta"),
        (HEADER + HEADER, r":2: expected a snapshot, a delta or a trade, got"),
        (HEADER + "\nnonsense", r":3: expected a line of a tape, got nonsense"),
        (HEADER + '{"kind":"weather"}', r":2: expected .*weather"),
        (HEADER + "[" * 5_000, r":2: expected"),
        (HEADER + '{"kind":"delta"}', r":2: .*missing required field `t`"),
        (HEADER + delta(t="1"), r":2: .*Expected `int`, got `str` - at `\$\.t`"),
        (HEADER + delta(bids=[["1", 2]]), r":2: .*`\$\.bids\[0\]\[1\]`"),
        (HEADER + delta(bids=[["1"]]), r":2: .*length 2"),
        (HEADER + delta(bids=[["1", "1"], ["abc", "1"]]), r':2: .*decimal string.*`bids\[1\]\[0\]`, got "abc"'),
        (HEADER + delta(asks=[["1", "-1"]]), r':2: .*`asks\[0\]\[1\]`, got "-1"'),
        (HEADER + delta(asks=[["0", "1"]]), r':2: expected a number above 0 at `asks\[0\]\[0\]`, got "0"'),
        (HEADER + delta(asks=[["1", "NaN"]]), r":2: .*NaN"),
        (HEADER + delta(asks=[["1", "1_0"]]), r":2: .*1_0"),
        (HEADER + delta(asks=[["1", "1e999"]]), r":2: .*1e999"),
        (HEADER + delta(asks=[["1", "9" * 101]]), r":2: .*9999"),
        (HEADER + delta(asks=[["1", "\x1b[31m"]]), r":2: .*got \"\\x1b\[31m\""),
        (HEADER + '{"t":1,"kind":"trade","price":"1","size":"0","side":"buy"}', r":2: .*above 0 at `size`"),
        (HEADER + '{"t":1,"kind":"trade","price":"1","size":"1","side":"up"}', r":2: .*up"),
    ],
)
def test_a_bad_tape_is_refused_with_the_line_and_what_was_expected(tmp_path: Path, text: str, said: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(TapeError, match=said) as caught:
        read_tape(path)
    assert str(caught.value).startswith(str(path))
    assert "\x1b" not in str(caught.value)
    with pytest.raises(TapeError):
        Simulator(tape=path)


def test_a_line_without_an_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "zero"
    path.symlink_to("/dev/zero")
    with pytest.raises(TapeError, match="zero:1: expected a line of at most 16777216 bytes, got more"):
        read_tape(path)


def test_a_tape_that_cannot_be_opened_or_unpacked_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TapeError, match=r"none\.gz:1: expected a readable tape"):
        read_tape(tmp_path / "none.gz")
    broken = tmp_path / "broken"
    broken.write_bytes(gzip.compress((HEADER + delta()).encode())[:-12])
    with pytest.raises(TapeError, match="expected a readable tape"):
        read_tape(broken)
    with pytest.raises(TapeError, match="expected a readable tape"):
        read_tape(tmp_path)
    latin = tmp_path / "latin"
    latin.write_bytes(b'{"kind":"tape","market":"\xff"}')
    with pytest.raises(TapeError, match=":1: expected a line of a tape"):
        read_tape(latin)


@pytest.mark.parametrize(
    ("rows", "trades", "steps"),
    [
        ([], [], ("1", "1")),
        ([("1", "5")], [], ("1", "1")),
        ([("10", "100")], [], ("1", "1")),
        ([("1E+1", "1E+2")], [], ("1", "1")),
        ([("0.5", "2"), ("0.25", "0.125")], [], ("0.01", "0.001")),
        ([("0.25", "0.125"), ("0.5", "2")], [], ("0.01", "0.001")),
        ([("1", "1")], [("0.1", "0.01")], ("0.1", "0.01")),
        ([("1.00", "2E-8")], [], ("0.01", "1E-8")),
    ],
)
@pytest.mark.parametrize("side", ["bids", "asks"])
def test_the_steps_of_a_tape_are_the_finest_of_its_numbers(
    rows: list[tuple[str, str]], trades: list[tuple[str, str]], steps: tuple[str, str], side: str
) -> None:
    found = [Row(Decimal(price), Decimal(size)) for price, size in rows]
    lines: list[Line] = [Rows(0, False, found if side == "bids" else [], found if side == "asks" else [])]
    lines += [TapeTrade(0, Decimal(price), Decimal(size), "buy") for price, size in trades]
    assert tuple(map(str, steps_of(Tape("A", lines)))) == steps


@pytest.mark.parametrize(("length", "is_read"), [(99, True), (100, False)])
def test_how_long_a_line_may_be(length: int, is_read: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tape_module, "_LONGEST_LINE", 100)
    trade = '{"t":1,"kind":"trade","price":"1","size":"1","side":"buy"}'
    path = written(tmp_path, HEADER + trade.ljust(length - 1) + "\n" + trade)
    if is_read:
        assert len(read_tape(path).lines) == 2
    else:
        with pytest.raises(TapeError, match=":2: expected a line of at most 100 bytes, got more"):
            read_tape(path)


def test_what_is_wrong_is_shown_by_its_beginning(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER + "  " + "x" * 61)
    with pytest.raises(TapeError, match=rf":2: expected a line of a tape, got {'x' * 60} \("):
        read_tape(path)


@pytest.mark.parametrize("speed", [0, -1, math.nan])
def test_a_speed_is_above_0(speed: float) -> None:
    with pytest.raises(ValueError, match="speed above 0"):
        Simulator(speed=speed)


@pytest.mark.parametrize("rate", [-1, math.inf, math.nan])
def test_a_rate_is_a_finite_number(rate: float) -> None:
    with pytest.raises(ValueError, match="rate of 0 or more"):
        Simulator(rate=rate)
