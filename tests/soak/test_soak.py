"""The judges of the soak: each notices what it is there for. And a soak of seconds, with real processes."""

from __future__ import annotations

import copy
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.soak import __main__ as command
from tests.soak import clocks, figures, judges, resources, run
from tests.soak.children import OnTerminal, Piped, Pump
from tests.soak.kept import Kept, Past, claims
from tests.soak.parts import ETH, PARTS, Part
from tests.soak.resources import MB, Round, not_flat
from tests.soak.run import DEADLINE, Soak

D = Decimal
MARKETS = {"SPOT_BTC_USDT": "BTC_USDT", "spot.btc_usdt": "BTC_USDT"}
SEED = 1


# --- what a process uses


def rounds(count: int, **of: Callable[[int], float]) -> list[Round]:
    """A healthy process, but for what is given of each round."""
    usual = {"rss": 45 * MB, "pss": 30 * MB, "files": 10, "sockets": 5, "threads": 2, "cpu": 0.01}
    made = [{**usual, **{name: value(number) for name, value in of.items()}} for number in range(count)]
    return [Round(at=30.0 * number, **one) for number, one in enumerate(made)]  # type: ignore[arg-type]


@pytest.mark.parametrize("count", [4, 18, 120])
def test_a_process_that_only_breathes_is_flat(count: int) -> None:
    breath = lambda number: 45 * MB + (number * 7919 % 5) * 300_000  # noqa: E731
    assert not_flat(rounds(count, rss=breath, pss=breath, sockets=lambda number: 5 + number % 2)) == []


def test_what_warms_up_in_the_first_round_does_not_count() -> None:
    assert not_flat(rounds(6, rss=lambda number: 45 * MB if number else 20 * MB)) == []


@pytest.mark.parametrize(
    ("count", "what", "grows"),
    [
        (4, "rss", lambda number: 45 * MB + number * 2 * MB),
        (4, "pss", lambda number: 30 * MB + number * 2 * MB),
        (120, "rss", lambda number: 45 * MB + number * 45_000),  # 5 MB an hour
        (4, "files", lambda number: 10 + number // 3),
        (4, "sockets", lambda number: 5 + number),
        (120, "sockets", lambda number: 5 + number // 20),
        (4, "threads", lambda number: 2 + number),
        (4, "cpu", lambda number: 0.02 + number * 0.1),
    ],
)
def test_what_grows_is_noticed(count: int, what: str, grows: Callable[[int], float]) -> None:
    found = not_flat(rounds(count, **{what: grows}))
    assert found
    assert all(words.startswith("CPU" if what == "cpu" else what) for words in found)


def test_what_only_comes_and_goes_is_flat() -> None:
    """As it was seen in runs of three minutes: fewer lines than at first, more guests, a table that draws again."""
    assert not_flat(rounds(4, sockets=[12, 8, 11, 10].__getitem__)) == []
    assert not_flat(rounds(4, sockets=[8, 8, 11, 10].__getitem__), guests=6) == []
    assert not_flat(rounds(4, sockets=[8, 8, 11, 10].__getitem__)) == [
        "sockets: at most 8 in the first third, at least 10 in the last"
    ]
    assert not_flat(rounds(4, sockets=[8, 12, 16, 20].__getitem__), guests=6) != []
    look = resources.Sample(0.0, 45 * MB, 30 * MB, 10, 5, 2, 0.0)
    live = [look, look._replace(at=6.0, cpu=1.2)]
    frozen = [look, look._replace(at=6.0, cpu=0.06)]
    dear = [look, look._replace(at=6.0, cpu=6.0)]
    of = [resources.of_round(some, frames) for some, frames in ((frozen, 0), (frozen, 1), (live, 48), (dear, 48))]
    assert [one and round(one.cpu, 3) for one in of] == [0.01, 0.01, 0.025, 0.125]
    cpu = [one.cpu for one in of if one]
    assert not_flat(rounds(4, cpu=lambda number: cpu[min(number, 2)])) == []
    assert not_flat(rounds(4, cpu=lambda number: cpu[max(number, 1)])) != []
    costs = [0.008, 0.062, 0.232, 0.233]  # of a dashboard: no line, a few orders, all of them
    assert not_flat(rounds(4, cpu=costs.__getitem__), table=True) == []
    assert not_flat(rounds(4, cpu=costs.__getitem__)) != []
    assert not_flat(rounds(30, cpu=lambda number: costs[number // 10]), table=True) != []


def test_a_step_or_more_rows_or_full_caches_are_no_slope() -> None:
    """Of 25 rounds: 0.6 MB once, 8 more closed positions in each, a table whose caches fill; a leak beside them."""
    step = lambda number: 44_500_000 + 600_000 * (number > 11) + 1_000 * number  # noqa: E731
    rows = lambda number: 8 * number  # noqa: E731
    of_rows = lambda number: 44_500_000 + 2_200 * rows(number)  # noqa: E731
    steep = lambda number: 49 * MB + number * 100_000  # noqa: E731
    assert not_flat(rounds(25, rss=step)) == []
    assert not_flat(rounds(25, rss=of_rows, rows=rows)) == []
    assert not_flat(rounds(25, rss=steep), table=True) == []
    assert not_flat(rounds(25, rss=steep)) == ["rss: grows by 12.0 MB an hour"]
    assert not_flat(rounds(25, rss=lambda number: steep(number) + 2_200 * rows(number), rows=rows)) != []
    assert not_flat(rounds(120, rss=steep), table=True) != []


def test_a_machine_that_stood_still_is_no_fault_of_a_process() -> None:
    past = Past()
    for at in (10.0, 10.25, 10.5, 18.5, 18.75, 19.25):
        past.take({"tick": at})
    assert past.stood_still(0.0, 10.4) == 0
    assert past.stood_still(0.0, 20.0) == 8.0
    assert past.stood_still(12.5, 20.0) == 6.0
    assert past.stood_still(0.0, 11.5) == 1.0
    assert past.stood_still(18.5, 20.0) == 0


def test_sockets_that_all_processes_lose_are_noticed_where_one_is_within_its_bounds() -> None:
    leaky = [rounds(4, sockets=lambda number: 5 + number // 3) for _ in range(48)]
    assert not any(map(not_flat, leaky))
    assert resources.sockets_lost(leaky) == [
        "sockets of all together: at most 240 in the first third, at least 288 in the last"
    ]
    assert resources.sockets_lost([*leaky[:5], *[rounds(4)] * 43]) == []
    bad_lines = lambda number: 5 - (number == 1)  # noqa: E731
    assert resources.sockets_lost([*[rounds(4, sockets=bad_lines)] * 16, *[rounds(4)] * 32]) == []


def test_a_process_is_looked_at_as_it_is() -> None:
    before = resources.sample(os.getpid(), 0.0)
    ends: list[Any] = [open("/dev/null"), socket.socket()]  # noqa: SIM115
    after = resources.sample(os.getpid(), 1.0)
    for end in ends:
        end.close()
    assert before is not None
    assert after is not None
    assert (after.files, after.sockets) == (before.files + 1, before.sockets + 1)
    assert resources.sample(2**22 + 1, 0.0) is None


# --- what a reader has at the end

TRUTH: dict[str, Any] = {
    "books": {"BTC_USDT": {"bids": [["99.5", "2"], ["99", "1"]], "asks": [["100", "3"], ["101.10", "1"]]}},
    "last": {"BTC_USDT": ["100", "0.5"]},
    "balances": {"USDT": ["1000", "900", "100"]},
    "positions": {
        "BTC_USDT": {
            "holding": "-2",
            "entry_price": "98",
            "unrealized_pnl": "-4",
            "used_margin": "20",
            "market_price": "100",
        }
    },
    "margin": {"balance": "1000", "equity": "996", "used": "20", "free": "976", "unrealized_pnl": "-4"},
    "orders": [
        {"id": 7, "ulid": "U7", "market": "BTC_USDT", "side": "buy", "price": "99", "size": "5", "filled": "1"},
    ],
    "fills": 3,
    "closed": {"P1 O1": "4"},
    "hub": [],
}
BTC_OF = {"symbol": "SPOT_BTC_USDT", "venue": "v"}
ORDER = {"type": "order", "price": D(99), "size": D(5), "filled": D(1), "status": "new", "change": "update", **BTC_OF}
RECORDS: dict[str, dict[str, Any]] = {
    "book": {
        "type": "book",
        "bids": [{"price": D("99.50"), "size": D(2)}],
        "asks": [{"price": D(100), "size": D(3)}, {"price": D("101.1"), "size": D(1)}],
        **BTC_OF,
    },
    "quotes": {"type": "quote", "bid_price": D("99.5"), "bid_size": 2, "ask_price": 100, "ask_size": 3, **BTC_OF},
    "trades": {"type": "trade", "price": 100, "size": D("0.50"), **BTC_OF},
    "candles": {"type": "candle", "close": 100, **BTC_OF},
    "ticker": {"type": "ticker", "last": 100, **BTC_OF},
    "orders": {**ORDER, "order_id": "U7"},
    "orders_since": {**ORDER, "order_id": "7"},
    "positions": {
        "type": "position",
        "position_id": "P9",
        "side": "short",
        "size": 2,
        "entry_price": 98,
        "market_price": 100,
        "used_margin": 20,
        "unrealized_pnl": -4,
        "change": "update",
        **BTC_OF,
    },
    "holding": {"type": "position", "side": "short", "size": 2, "change": "update", **BTC_OF},
    "assets": {"type": "position", "position_id": "USDT", "size": 1000, "change": "update", "symbol": "USDT"},
    "balance": {
        "type": "balance",
        "asset": "usdt",
        "total": 1000,
        "available": 900,
        "locked": 100,
        "change": "snapshot",
    },
    "margin": {"type": "margin", "balance": 1000, "equity": 996, "used": 20, "free": 976, "unrealized_pnl": -4},
    "closed": {"type": "closed_position", "position_id": "P1", "order_id": "O1", "size": 4, "change": "update"},
    "fills": {"type": "fill", "fill_id": "3", **BTC_OF},
    "top_told": {"type": "message", "topic": "top", "data": {"bid": D("99.5"), "ask": D("100.0")}},
}
END = {"type": "snapshot_end"}


def read(*records: dict[str, Any]) -> Kept:
    """A reader that got these lines."""
    kept = Kept()
    for record in records:
        kept.take(record, 1.0)
    return kept


def judged(name: str, *records: dict[str, Any], truth: dict[str, Any] = TRUTH) -> list[str]:
    judge: figures.Judge = getattr(figures, name)
    found: list[str] = judge(read(*records), truth, "BTC_USDT")
    return found


def test_each_judge_of_a_part_has_its_case() -> None:
    assert {part.judge.__name__ for part in PARTS} - {"heard"} == set(RECORDS)


@pytest.mark.parametrize("name", RECORDS)
def test_right_figures_are_right(name: str) -> None:
    assert judged(name, RECORDS[name], END if RECORDS[name].get("change") == "snapshot" else STILL_LIVE) == []


STILL_LIVE = {"type": "status", "state": "live"}


@pytest.mark.parametrize(
    ("name", "field", "wrong"),
    [
        ("book", "bids", [{"price": D("99.5"), "size": D("2.1")}]),
        ("book", "asks", []),
        ("quotes", "ask_size", 4),
        ("trades", "price", D("100.01")),
        ("candles", "close", 99),
        ("ticker", "last", 99),
        ("orders", "filled", 2),
        ("orders", "order_id", "U8"),
        ("orders_since", "filled", 2),
        ("orders_since", "order_id", "8"),
        ("positions", "size", 3),
        ("positions", "side", "long"),
        ("positions", "unrealized_pnl", -5),
        ("holding", "side", "long"),
        ("assets", "size", 999),
        ("balance", "locked", 99),
        ("balance", "locked", None),
        ("balance", "asset", "eur"),
        ("margin", "free", 977),
        ("closed", "size", 5),
        ("closed", "order_id", "O2"),
        ("fills", "fill_id", "4"),
        ("top_told", "data", {"bid": D("99.4"), "ask": 100}),
    ],
)
def test_a_wrong_last_figure_is_noticed(name: str, field: str, wrong: Any) -> None:
    record = {**RECORDS[name], field: wrong}
    assert judged(name, record, END if record.get("change") == "snapshot" else STILL_LIVE)


@pytest.mark.parametrize("name", sorted(set(RECORDS) - {"orders_since", "holding", "fills"}))
def test_nothing_at_all_is_noticed(name: str) -> None:
    assert judged(name)


def test_a_reader_keeps_what_is_there() -> None:
    gone = {"type": "order", "order_id": "U7", "change": "remove"}
    assert judged("orders", RECORDS["orders"], gone) == ["not there: U7"]
    other = {**ORDER, "order_id": "U8", "change": "snapshot"}
    assert judged("orders", RECORDS["orders"], other, END) == ["not there: U7", "not at the venue: U8"]
    lost = {"type": "status", "state": "reconnecting"}
    kept = read(RECORDS["orders"], lost)
    assert (kept.rows, kept.live, kept.interruptions) == ({}, False, 1)


def test_what_has_an_id_comes_once() -> None:
    one, other = ({"type": "trade", "trade_id": name} for name in ("1", "2"))
    assert read(one, other).twice == []
    assert read(one, other, one).twice == ["1"]


# --- what was true when


def told(past: Past, at: float, *value: str) -> None:
    past.take({"is": ["top", "BTC_USDT"], "at": at, "value": [*value]})


def test_a_line_that_was_not_true_lately_is_old_and_live(tmp_path: Path) -> None:
    soak = Soak([Part("quotes", "quotes nexus SPOT_BTC_USDT", figures.quotes)], tmp_path, seed=1, rate=1, say=print)
    soak._markets = {"v": MARKETS}
    child = Piped("quotes", [], {}, tmp_path, 0, told=soak._told)
    told(soak._past, 10, "99.5", "2", "100", "3")
    told(soak._past, 20, "98", "1", "100", "3")
    quote = {**RECORDS["quotes"], "time": None}
    assert claims(quote, MARKETS)
    for record, at in (
        (quote, 20 + DEADLINE - 1),
        (quote, 20 + DEADLINE + 1),
        ({**quote, "bid_price": D(97)}, 21),
    ):
        soak._pump.before = at
        soak._told(child, record, at)
    soak._pump.before = 20 + DEADLINE - 1
    soak._told(child, quote, 20 + DEADLINE + 30)  # it may have been printed long before it was read
    soak._judge_lines()
    assert child.faults == [], "the world has not told so much yet"
    soak._past.take({"tick": 99.0})
    soak._judge_lines()
    assert [words.partition("old and live")[2].partition(", ")[2] for words in child.faults] == [
        f"so for the last time {DEADLINE + 1:.1f} s before",
        "never so",
    ]
    child.kept.take({"type": "status", "state": "stale"}, 50.0)
    soak._told(child, quote, 60.0)
    soak._judge_lines()
    assert len(child.faults) == 2, "it does not say that it is live"


@pytest.mark.parametrize(("price", "time", "right"), [(100, 1_000, True), (101, 1_000, False), (100, 2_000, False)])
def test_a_trade_is_one_of_the_worlds_with_its_time(price: int, time: int, right: bool) -> None:
    past = Past()
    past.take({"is": ["trade", "BTC_USDT"], "at": 5.0, "value": ["100", "0.5", "1000"]})
    ((_, key, value),) = claims({**RECORDS["trades"], "price": price, "time": time}, MARKETS)
    assert past.happened(key, value) is right


# --- what a process says, and what its screen shows


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("mon: quotes is live again after 2 s\nmon: a long one\n     and its second line\n", False),
        ("mon: all well\nTraceback (most recent call last):\n", True),
        ('  File "/x/y.py", line 1, in z\n', True),
        ("Exception ignored in: <function x>\n", True),
        ("Error handling request from 127.0.0.1\n", True),
        ("/x/y.py:3: RuntimeWarning: coroutine was never awaited\n", True),
    ],
)
def test_what_is_no_message_on_stderr_is_noticed(text: str, found: bool) -> None:
    assert bool(judges.said(text)) is found


SCREEN = "v  custom:127.0.0.1:1  LIVE  X\n 99.5  spread 0.5\n 100\n"


@pytest.mark.parametrize(
    ("text", "right"),
    [
        (SCREEN, True),
        (SCREEN.replace("LIVE", "RECONNECTING"), False),
        (SCREEN.replace("LIVE", "STALE"), False),
        (SCREEN.replace("99.5", "99.4"), False),
        ("\n" * 3, False),
    ],
)
def test_a_screen_is_live_and_right(text: str, right: bool) -> None:
    assert (judges.screen(text, TRUTH["books"]["BTC_USDT"]) == []) is right


LONG = "mon: still open at nbt, and not closed by us: long nexus:S1\n"
UNKNOWN = "mon: not known at nbt: nexus:S2 is long or flat\n"


@pytest.mark.parametrize(
    ("words", "held", "wanted", "right"),
    [
        (LONG, [["bot", "S1", "buy"]], {"S1": 0.5}, True),
        (LONG + UNKNOWN, [["bot", "S1", "buy"]], {"S1": 0.5, "S2": -1}, True),
        (LONG + UNKNOWN, [["bot", "S1", "buy"], ["bot", "S2", "sell"]], {"S1": 0.5}, False),
        (LONG, [["bot", "S1", "sell"]], {"S1": 0.5}, False),
        (LONG, [], {"S1": 0.5}, False),
        ("", [["bot", "S1", "buy"]], {"S1": 0.5}, False),
        (LONG, [["bot", "S1", "buy"]], {"S1": 0}, False),
        (UNKNOWN, [], {"S2": 1}, False),
    ],
)
def test_the_hub_has_what_the_bot_says(words: str, held: Any, wanted: dict[str, float], right: bool) -> None:
    assert (judges.hub(words, held, wanted) == []) is right


def test_what_the_hub_has_not_yet_is_asked_for_again() -> None:
    words = "mon: S2: … What nbt has of nexus:S2 is not known now, so nothing more is relayed of it\n"
    held = [["bot", "S1", "buy"], ["bot", "S3", "buy"], ["another", "S4", "sell"]]
    wanted = {"S1": 1.0, "S2": 1.0, "S3": -0.5, "S4": -1.0, "S5": 0.0}
    assert judges.unsettled(words, held, wanted) == ["S3", "S4"]


# --- the whole


def test_a_clock_that_is_set_is_seen_by_a_process_that_runs(tmp_path: Path) -> None:
    clock = clocks.SetClock(tmp_path, "one")
    if not clock.environment:
        pytest.skip("libfaketime is not installed")
    program = "import time\nwhile input():\n  print(time.time(), time.monotonic(), flush=True)"
    with subprocess.Popen(
        [sys.executable, "-c", program], env=clock.environment, stdin=-1, stdout=-1, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for step in (0, 3600, -3600, 0):
            clock.set(step)
            process.stdin.write("now\n")
            process.stdin.flush()
            wall, monotonic = map(float, process.stdout.readline().split())
            assert abs(wall - time.time() - step) < 5
            assert abs(monotonic - time.monotonic()) < 5
        process.kill()
    clocks.forget(process.pid)
    assert not [*clocks.SHARED.glob(f"*faketime_*_{process.pid}")]


def test_a_soak_of_seconds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of one venue, with two parts: one is right, the other is compared with another market and must be noticed."""
    parts = [
        Part("right", "quotes nexus SPOT_BTC_USDT", figures.quotes),
        Part("wrong", "quotes nexus SPOT_BTC_USDT", figures.quotes, ETH),
    ]
    soak = Soak(parts, tmp_path, seed=SEED, rate=20, say=lambda words: None, quiet=1.0)
    try:
        soak.start()
        soak.until(lambda: all(child.kept.records > 3 for child in soak.children.values()), 40, "records")
        soak.end()
    finally:
        soak.close()
    assert soak.faults == []
    assert soak.judged > 6
    assert soak.children["right"].faults == []
    assert [words for words in soak.children["wrong"].faults if words.startswith("at the end: quote: shown")]
    assert not [found for child in soak.children.values() for found in clocks.SHARED.glob(f"*_{child.process.pid}")]
    assert [child.process.returncode for child in soak.children.values()] == [130, 143]
    assert command.verdict(soak, "python -m tests.soak --seed 1", 0.0) == 1
    told = capsys.readouterr().out
    assert "the same again: python -m tests.soak --seed 1" in told


def test_a_traceback_on_a_terminal_is_noticed(tmp_path: Path) -> None:
    pump = Pump()
    child = OnTerminal("table", ["sh", "-c", "echo; echo 'Traceback (most recent call last):'"], {}, tmp_path, 0)
    child.start(pump)
    child.process.wait(10)
    pump.turn(5)
    assert child.faults == ["a traceback on the terminal"]
    assert child.left_as_it_was()
    child.kill()
    pump.close()


def test_a_part_that_was_skipped_is_not_passed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    soak = Soak([], tmp_path, seed=SEED, rate=1, say=print)
    soak.steps_clocks = False
    monkeypatch.setenv("MON_NO_SKIPS", "1")
    assert command.verdict(soak, "again", 0.0) == 1
    monkeypatch.delenv("MON_NO_SKIPS")
    assert command.verdict(soak, "again", 0.0) == 0


def test_the_command_that_repeats_it() -> None:
    wanted = command.with_needed(["bot feed", "broken nbt"])
    assert [part.name for part in wanted] == ["bot", "bot feed", "mon sim", "broken nbt"]
    with pytest.raises(SystemExit) as refused:
        command.main(["--part", "nobody"])
    assert refused.value.code == 2


def test_the_truth_is_not_changed_by_judging() -> None:
    before = copy.deepcopy(TRUTH)
    for name, record in RECORDS.items():
        judged(name, record)
    assert before == TRUTH
    assert run.DEADLINE < run.STOPPED, "else what was stopped could print old values unnoticed"


def test_the_memory_of_a_process_is_looked_at() -> None:
    """In one of its own: a worker of the tests takes a block out of what it has given back."""
    code = "input(); kept = bytearray(b'x' * 40_000_000); print(); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        before = resources.sample(child.pid, 0.0)
        child.stdin.write(b"\n")
        child.stdin.flush()
        child.stdout.readline()
        after = resources.sample(child.pid, 1.0)
        child.stdin.write(b"\n")
    assert before is not None
    assert after is not None
    assert after.rss - before.rss > 20 * MB
