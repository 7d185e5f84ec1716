"""Several recordings in one replay: one time line, with a gap between two of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.bot.conftest import HEAD, Ran, Runs
from tests.bot.recordings import BEGIN, MINUTE, SYMBOL, Tick, came, frame, opened, record_trades, write
from tests.command import environment, mon
from venues.errors import UsageError

MARKET = f"nexus:{SYMBOL}"
OTHER = "SPOT_ETH_USDT"
SCRIPT = HEAD + (
    "class Signals(Link):\n"
    "  def trade_update(self, src, sym, data):\n"
    "    self.publish(sym, [data['price'], self.epoch_now])\n"
    "  def candle_update_1m(self, src, sym, bars):\n"
    "    self.publish('bars', [[float(v) for v in bars.volumes[-12:]], [float(v) for v in bars.closes[-12:]]])\n"
)


def ticks(begin: int, count: int, price: int) -> list[Tick]:
    return [Tick(begin + 1 + 10_000 * number, f"{price + number}", "1") for number in range(count)]


@pytest.fixture
def two(tmp_path: Path) -> list[Path]:
    """Two minutes, and from the tenth minute on two more."""
    return [
        record_trades(tmp_path / "jan.jsonl", ticks(BEGIN, 12, 100)),
        record_trades(tmp_path / "feb.jsonl", ticks(BEGIN + 9 * MINUTE, 12, 200)),
    ]


def played(runs: Runs, files: list[Path], *markets: str, source: str = SCRIPT, **more: Any) -> Ran:
    return runs(source, *markets, replay=files[0], then=files[1:], **more)


def prices(ran: Ran, symbol: str = SYMBOL) -> list[float]:
    return [record["data"][0] for record in ran.of("message") if record["topic"] == symbol]


def test_the_later_follows_the_earlier_with_a_gap_between(runs: Runs, two: list[Path]) -> None:
    ran = played(runs, two)
    assert ran.code == 0, ran.said
    assert prices(ran) == [*range(100, 112), *range(200, 212)]
    times = [record["data"][1] for record in ran.of("message") if record["topic"] == SYMBOL]
    assert times == [tick.time for tick in ticks(BEGIN, 12, 1) + ticks(BEGIN + 9 * MINUTE, 12, 1)]
    volumes, closes = ran.of("message")[-1]["data"]
    assert volumes[-11:] == [6, 6, *[None] * 7, 6, 6]
    assert closes[-9:-2] == [111] * 7
    states = [(one["state"], one["stream"], one.get("reason")) for one in ran.of("status")]
    assert states[0] == ("reconnecting", "trades", f"{two[1]} begins")
    assert states[-1][:2] == ("live", "trades")
    assert f"{MARKET} is reconnecting: {two[1]} begins" in ran.said
    assert f"{MARKET} is live again" in ran.said


def test_it_is_as_if_mon_had_gone_on_in_one_file(runs: Runs, two: list[Path], tmp_path: Path) -> None:
    whole = tmp_path / "whole.jsonl"
    whole.write_bytes(b"".join(path.read_bytes() for path in two))
    in_one, in_two = runs(SCRIPT, replay=whole), played(runs, two)
    assert [one["data"] for one in in_one.of("message")] == [one["data"] for one in in_two.of("message")]
    assert in_two.records == played(runs, two).records


def test_a_position_goes_on_over_the_gap(runs: Runs, two: list[Path], tmp_path: Path) -> None:
    source = HEAD + (
        "class Signals(Link):\n"
        "  def trade_update(self, src, sym, data):\n"
        "    if data['price'] == 100: self.signal(src, sym, size=1)\n"
    )
    ran = played(runs, two, source=source)
    assert "+108.911" in ran.said  # filled at 101, and worth 211 at the end
    assert "1 is still held" in ran.said


def test_what_is_down_in_between_is_marked(runs: Runs, two: list[Path]) -> None:
    source = (
        "from profitview import Link, cron\nclass Signals(Link):\n"
        "  @cron.run(every=120)\n"
        "  def look(self):\n"
        f"    self.signal('nexus', '{SYMBOL}', size=0)\n"
        "    self.publish('live', self.health['public'][0]['live'])\n"
        "  def trade_update(self, src, sym, data):\n"
        "    if data['price'] in (105, 205): self.publish('live', self.health['public'][0]['live'])\n"
    )
    ran = played(runs, two, source=source)
    assert [one["data"] for one in ran.of("message")] == [False, True, *[False] * 4, True, True]
    minutes = {
        round((one["received"] - BEGIN) / MINUTE): (one.get("extra") or {}).get("stale", False)
        for one in ran.of("signal")
    }
    assert minutes == {0: False, 2: True, 4: True, 6: True, 8: True, 10: False}


def test_a_stream_that_no_recording_has_marks_nothing_of_the_second(runs: Runs, two: list[Path]) -> None:
    """A script with both callbacks, on trades alone: all that it signalled in the second one was marked."""
    source = HEAD + (
        "class Signals(Link):\n"
        "  def quote_update(self, src, sym, data): pass\n"
        "  def trade_update(self, src, sym, data): self.signal(src, sym, size=1)\n"
    )
    ran = played(runs, two, source=source)
    assert len(ran.of("signal")) == 24
    assert [one for one in ran.of("signal") if "extra" in one] == []
    assert {one["stream"] for one in ran.of("status")} == {"trades"}
    assert f"no quotes of {MARKET} came" in ran.said


def other_market(path: Path, begin: int, *, with_both: bool) -> Path:
    """A recording of another market, with the first one on a line after it or without."""
    subscriptions = [
        {"stream": "trades", "symbols": [symbol]} for symbol in ([OTHER, SYMBOL] if with_both else [OTHER])
    ]
    events = opened(begin)
    if with_both:
        events += [{**event, "line": 1} for event in opened(begin)]
        events += [{**came(t.time, frame(t)), "line": 1} for t in ticks(begin, 3, 300)]
    events += [came(t.time + 1, frame(t, OTHER)) for t in ticks(begin, 3, 10)]
    return write(path, sorted(events, key=lambda event: event["at"]), subscriptions=subscriptions)


@pytest.mark.parametrize("with_both", [True, False])
def test_they_may_have_other_markets(runs: Runs, two: list[Path], tmp_path: Path, *, with_both: bool) -> None:
    files = [*two, other_market(tmp_path / "mar.jsonl", BEGIN + 20 * MINUTE, with_both=with_both)]
    ran = played(runs, files)
    assert ran.code == 0, (ran.said, ran.problem)
    assert prices(ran, OTHER) == [10, 11, 12]
    assert prices(ran)[24:] == ([300, 301, 302] if with_both else [])
    assert (f"{MARKET} is reconnecting: {files[2]} has nothing of it" in ran.said) is not with_both
    assert prices(played(runs, files, f"nexus:{OTHER}"), OTHER) == [10, 11, 12]
    only = played(runs, files, f"nexus:{OTHER}")
    assert f"{files[0]} has nothing of the bot's markets: it is left out" in only.said
    assert prices(only) == []


def test_a_market_comes_back_in_the_third(runs: Runs, two: list[Path], tmp_path: Path) -> None:
    files = [two[0], other_market(tmp_path / "eth.jsonl", BEGIN + 5 * MINUTE, with_both=False), two[1]]
    ran = played(runs, files)
    assert prices(ran) == [*range(100, 112), *range(200, 212)]
    source = SCRIPT.replace("    self.publish(sym,", "    self.signal(src, sym, size=0)\n    self.publish(sym,")
    marked = played(runs, files, source=source)
    assert [one["extra"] for one in marked.of("signal") if one.get("extra")] == []


def test_one_that_begins_before_the_other_ends_is_refused(runs: Runs, two: list[Path]) -> None:
    ran = played(runs, two[::-1])
    assert isinstance(ran.problem, UsageError)
    assert "in the order of their time" in str(ran.problem)
    assert f"{two[0]} begins at 2023-11-16T07:13:00.000Z, and {two[1]} ends at 2023-11-16T07:23:50.001Z" in str(
        ran.problem
    )
    assert isinstance(played(runs, [two[0], two[0]]).problem, UsageError)


def test_one_without_a_stream_that_another_has_is_refused(runs: Runs, two: list[Path], tmp_path: Path) -> None:
    def of_jayx(name: str, stream: str, at: int) -> Path:
        subscriptions = [{"stream": stream, "symbols": ["BTCUSDT"]}]
        return write(tmp_path / name, opened(at), subscriptions=subscriptions, venue="jayx", url="wss://jayx.example")

    files = [of_jayx("t.jsonl", "trades", BEGIN), of_jayx("q.jsonl", "quotes", BEGIN + MINUTE)]
    ran = played(runs, files)
    assert f"{files[1]} has no trades of jayx, which another one has and the script needs" in str(ran.problem)


def test_the_clock_of_another_start_is_no_matter(runs: Runs, two: list[Path], tmp_path: Path) -> None:
    import json

    lines = [json.loads(line) for line in two[1].read_text().splitlines()]
    for line in lines[1:]:
        line["mono"] -= 1_700_000_000
    moved = tmp_path / "moved.jsonl"
    moved.write_text("".join(json.dumps(line) + "\n" for line in lines))
    ran = played(runs, [two[0], moved], max_age=60_000)
    assert prices(ran) == [*range(100, 112), *range(200, 212)]
    assert [one["state"] for one in ran.of("status")].count("stale") == 0


def test_the_command_takes_several(two: list[Path], tmp_path: Path) -> None:
    script = tmp_path / "x.py"
    script.write_text(SCRIPT)
    files = [argument for path in two for argument in ("--replay", str(path))]
    ran = mon("bot", "run", str(script), *files, "--speed", "max", "-o", "jsonl", env=environment(tmp_path))
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.count(f'"{SYMBOL}"') >= 24
    ran = mon("bot", "run", str(script), *files[2:], *files[:2], env=environment(tmp_path))
    assert ran.returncode == 2
