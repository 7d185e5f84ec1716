"""`mon sim --trades`: a recording that nobody recorded."""

from __future__ import annotations

import errno
import gzip
import hashlib
import itertools
import json
import os
import random
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cli.main import run
from tests.command import environment, mon, records
from venues import events
from venues.nexus.simulator import synthetic
from venues.nexus.simulator.synthetic import MOST_TRADES, START, Trades, write
from venues.recording import Recording
from venues.recording_file import RecordingFile

HOUR = 3_600_000
DAY = 24 * HOUR
SYMBOL = "SPOT_BTC_USDT"


def write_to(path: Path, trades: Trades) -> None:
    file = RecordingFile(path, "overwrite")
    write(file, trades)
    file.close()


def events_of(path: Path) -> list[events.Event]:
    return list(Recording(path).events())


def frames(lines: Any) -> list[tuple[int, dict[str, Any]]]:
    """Our time and the message of each frame."""
    decoded = [json.loads(line) for line in lines]
    return [
        (event["at"], json.loads(event["text"], parse_float=Decimal)) for event in decoded if event["kind"] == "frame"
    ]


@pytest.fixture(scope="module")
def two_days() -> list[tuple[int, dict[str, Any]]]:
    return frames(Trades(SYMBOL, 2 * DAY, seed=7))


def test_an_unknown_symbol_trades_around_100_in_hundredths() -> None:
    made = [message["data"] for _, message in frames(Trades("SPOT_NEW_USDT", HOUR, seed=7))]
    assert len(made) > 100
    assert {(one["price"].as_tuple().exponent, one["quantity"].as_tuple().exponent) for one in made} == {(-2, -2)}
    assert Decimal(90) < made[0]["price"] < Decimal(110)


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    def made(name: str, **options: Any) -> str:
        path = tmp_path / name
        trades = Trades(options.pop("symbol", SYMBOL), 6 * HOUR, **{"seed": 7, **options})
        write_to(path, trades)
        return hashlib.sha256(path.read_bytes()).hexdigest()

    assert made("a.jsonl.gz") == made("b.jsonl.gz")
    assert gzip.decompress((tmp_path / "a.jsonl.gz").read_bytes()) == b"".join(Trades(SYMBOL, 6 * HOUR, seed=7))
    assert (tmp_path / "a.jsonl.gz").read_bytes()[3:8] == bytes(5), "no name and no time in it"
    plain = made("a.jsonl")
    assert plain == made("a.jsonl"), "over the one that was there"
    others = [made("c.jsonl", **{name: value}) for name, value in (("seed", 8), ("symbol", "SPOT_ETH_USDT"))]
    assert len({plain, *others, made("d.jsonl", quotes=True), made("e.jsonl", rate=0.2)}) == 5


@pytest.mark.parametrize(
    ("symbol", "length", "options", "made", "digest"),
    [
        (SYMBOL, 6 * HOUR, {"seed": 1}, (2_040, START + 16_892, START + 21_593_179), "e07a4e14550b44fa"),
        (
            "SPOT_SOL_USDT",
            2 * DAY,
            {"seed": 7, "rate": 0.02, "quotes": True},
            (3_651, START + 58_550, START + 172_583_123),
            "a1c060486f3e657f",
        ),
        (
            "SPOT_X_Y",
            1_800_017,
            {"seed": 3, "rate": 2.0, "start_ms": 1_700_000_000_123},
            (316, 1_700_000_000_443, 1_700_001_799_794),
            "ed156eed739a6fc2",
        ),
        (SYMBOL, 0, {"seed": 1}, (0, None, None), "a5a12b57677ed682"),
    ],
)
def test_a_seed_gives_the_same_recording_from_version_to_version(
    symbol: str, length: int, options: dict[str, Any], made: tuple[Any, ...], digest: str
) -> None:
    """As the simulated venues do, see `tests/simulator/test_plays.py`. Where it was changed on purpose: the new one."""
    trades = Trades(symbol, length, **options)
    assert hashlib.sha256(b"".join(trades)).hexdigest()[:16] == digest
    assert trades.made == made


@pytest.mark.parametrize(
    ("sizes", "written"),
    [
        ([], [b""]),
        ([3, 4], [b"xxxxxxx"]),
        ([1_048_575, 1, 5], [b"x" * 1_048_576, b"xxxxx"]),
        ([1_048_575], [b"x" * 1_048_575]),
        ([2_000_000, 7, 1_048_569], [b"x" * 2_000_000, b"x" * 1_048_576, b""]),
        ([2_000_000, 1_048_575], [b"x" * 2_000_000, b"x" * 1_048_575]),
    ],
)
def test_lines_are_written_a_megabyte_at_a_time(sizes: list[int], written: list[bytes]) -> None:
    found: list[bytes] = []
    write(SimpleNamespace(write=found.append), (b"x" * size for size in sizes))
    assert found == written


def test_it_is_a_recording(tmp_path: Path) -> None:
    path = tmp_path / "trades.jsonl.gz"
    trades = Trades(SYMBOL, HOUR // 60, seed=7, rate=50)
    write_to(path, trades)
    header = Recording(path).header
    assert (header.venue, header.env, header.subscriptions[0].symbols) == ("nexus", "sim", (SYMBOL,))
    assert header.source is not None
    assert "seed 7" in header.source
    happened = events_of(path)
    assert [type(event) for event in happened[:2]] == [events.Dialled, events.Opened]
    assert isinstance(happened[-1], events.Left)
    assert happened[-1].at >= START + HOUR // 60
    assert sum(isinstance(event, events.Frame) for event in happened) == trades.made.trades
    for before, after in itertools.pairwise(happened):
        assert before.at <= after.at
        assert before.mono <= after.mono
        assert after.mono == (after.at - START) / 1000


def test_trades_are_in_their_time_and_on_the_market_s_grid(two_days: list[tuple[int, dict[str, Any]]]) -> None:
    times = [message["timestamp"] for _, message in two_days]
    assert times == sorted(times)
    assert START <= times[0] < times[-1] < START + 2 * DAY
    assert all(at - message["timestamp"] >= 15 for at, message in two_days)
    for _, message in two_days:
        data = message["data"]
        assert list(data) == ["price", "quantity", "side"]
        assert data["price"].as_tuple().exponent == -2
        assert data["quantity"].as_tuple().exponent == -4
        assert data["quantity"] > 0
    assert {message["data"]["side"] for _, message in two_days} == {"BUY", "SELL"}


def test_as_many_trades_as_asked_for_on_average() -> None:
    count = len(frames(Trades(SYMBOL, 20 * DAY, seed=3, rate=0.01)))
    assert 0.7 < count / (20 * 86_400 * 0.01) < 1.4


def closes(messages: list[tuple[int, dict[str, Any]]]) -> list[float | None]:
    """Of each minute; None for one without a trade."""
    of_minute = {message["timestamp"] // 60_000: float(message["data"]["price"]) for _, message in messages}
    return [of_minute.get(minute) for minute in range(min(of_minute), max(of_minute) + 1)]


def rsi(prices: list[float], period: int = 14) -> list[float]:
    """Wilder's."""
    changes = [after - before for before, after in itertools.pairwise(prices)]
    gain, loss, values = 0.0, 0.0, []
    for number, change in enumerate(changes):
        gain = (gain * (period - 1) + max(change, 0)) / period
        loss = (loss * (period - 1) + max(-change, 0)) / period
        if number >= period:
            values.append(100 * gain / (gain + loss) if gain + loss else 50.0)
    return values


def test_there_is_something_to_see(two_days: list[tuple[int, dict[str, Any]]]) -> None:
    minutes = closes(two_days)
    assert 0.02 < sum(close is None for close in minutes) / len(minutes) < 0.5, "some minutes are empty"
    prices: list[float] = []
    for close in minutes:
        prices.append(prices[-1] if close is None else close)
    values = rsi(prices)
    for passes in (lambda a, b: a <= 70 < b, lambda a, b: a >= 30 > b):
        assert sum(passes(a, b) for a, b in itertools.pairwise(values)) > 10
    assert 40 < sum(values) / len(values) < 60
    assert min(prices) / 65_000 > 0.5
    assert max(prices) / 65_000 < 2
    moves = [abs(b / a - 1) for a, b in itertools.pairwise(prices)]
    hours = [sum(moves[at : at + 60]) for at in range(0, len(moves) - 60, 60)]
    assert max(hours) > 3 * min(hours), "volatility comes in clusters"


def test_each_trade_happens_in_the_book_before_it() -> None:
    messages = [message for _, message in frames(Trades(SYMBOL, 2 * HOUR, seed=7, quotes=True))]
    assert len(messages) > 100
    for book, trade in zip(messages[::2], messages[1::2], strict=True):
        (bid,), (ask,) = book["data"]["bids"], book["data"]["asks"]
        assert bid["price"] < ask["price"]
        assert trade["data"]["price"] == (ask if trade["data"]["side"] == "BUY" else bid)["price"]
        assert trade["timestamp"] == book["timestamp"]


def test_a_symbol_that_the_simulator_does_not_have() -> None:
    messages = frames(Trades("PERP_X_Y", 6 * HOUR, seed=1, start_ms=0))
    assert all(50 < message["data"]["price"] < 200 for _, message in messages)
    assert all(0 <= message["timestamp"] < 6 * HOUR for _, message in messages)
    assert len(messages) > 500


# --- through mon ---------------------------------------------------------------------------------------------------


def test_mon_writes_and_plays_it(tmp_path: Path) -> None:
    env = environment(tmp_path)
    path = tmp_path / "day.jsonl.gz"
    done = mon("sim", "--trades", "3h", "--seed", "7", "--start", "2024-06-01T12:00", "--out", str(path), env=env)
    assert (done.returncode, done.stdout) == (0, "")
    count = len(frames(Trades(SYMBOL, 3 * HOUR, seed=7, start_ms=1_717_243_200_000)))
    assert done.stderr == (
        f"mon: {count:,} trades of {SYMBOL} are in {path}; e.g. mon candles nexus {SYMBOL} --replay {path} "
        "--speed max\n"
    )
    played = mon("trades", "nexus", SYMBOL, "--replay", str(path), "--speed", "max", env=env)
    assert (played.returncode, played.stderr, len(records(played.stdout))) == (0, "", count)
    candles = mon("candles", "nexus", SYMBOL, "--interval", "1h", "--replay", str(path), "--speed", "max", env=env)
    whole = [candle for candle in records(candles.stdout) if candle["closed"]]
    assert [candle["start"] for candle in whole] == [1_717_243_200_000, 1_717_246_800_000]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--trades", "1h"], "expected --trades with --out FILE"),
        (["--trades", "0"], "expected a duration"),
        (["--out", "x"], "--out applies to --trades only"),
        (["--symbol", "SPOT_A_B"], "--symbol applies to --trades only"),
        (["--quotes"], "--quotes applies to --trades only"),
        (["--start", "2024-01-01"], "--start applies to --trades only"),
        (["--trades", "1h", "--out", "x", "--port", "9"], "--port does not apply to --trades"),
        (["--trades", "1h", "--out", "x", "--tape", "y"], "--tape does not apply to --trades"),
        (["--trades", "1h", "--out", "x", "--speed", "2"], "--speed does not apply to --trades"),
        (["--trades", "1h", "--out", "x", "--fault", "drop"], "--fault does not apply to --trades"),
        (["--trades", "1h", "--out", "x", "--show-env"], "--show-env does not apply to --trades"),
        (["--trades", "1h", "--out", "x", "--symbol", "btc"], "expected a symbol like SPOT_BTC_USDT"),
        (["--trades", "1h", "--out", "x", "--start", "soon"], "expected a date or a time"),
        (["--trades", "1h", "--out", "x", "--start", "1969-12-31"], "expected a date or a time"),
        (["--trades", "366d", "--out", "x", "--rate", "1000"], f"expected at most {MOST_TRADES:,} trades"),
    ],
)
def test_what_does_not_go_together(arguments: list[str], said: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["sim", *arguments]) == 2
    assert capfd.readouterr().err.replace("\n     ", " ").count(said) == 1


def test_a_file_that_cannot_be_written(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(["sim", "--trades", "1h", "--out", str(tmp_path / "no" / "x")]) == 3
    assert "cannot write the recording" in capfd.readouterr().err
    assert run(["sim", "--trades", "1h", "--out", str(tmp_path)]) == 3
    assert "got a folder" in capfd.readouterr().err

    def full(self: RecordingFile, data: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(RecordingFile, "write", full)
    assert run(["sim", "--trades", "1h", "--out", str(tmp_path / "full")]) == 3
    assert "No space left" in capfd.readouterr().err


class Falling(random.Random):
    """Prices and sizes are drawn far below 0; how much they move stays as it is."""

    def gauss(self, mu: float = 0.0, sigma: float = 1.0) -> float:
        return mu if sigma == synthetic._SHOCK else mu - 9 * sigma


def test_prices_and_sizes_that_fall_without_end_stay_on_the_grid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthetic, "Random", Falling)
    monkeypatch.setattr(synthetic, "_PULL", 0.0)
    made = [row[1:3] + row[4:] for row in Trades("SPOT_X_Y", 60 * HOUR, seed=1, rate=0.5)._walk()]
    assert made[0][:2] > (1, 2)
    assert made[-1] == (1, 2, 1), "bid, ask and lots"
    assert all(bid < ask for bid, ask, _ in made)
