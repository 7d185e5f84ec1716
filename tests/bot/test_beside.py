"""Scripts that want nothing of a market: schedules, threads and routes alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.bot.conftest import HEAD, Runs
from tests.bot.recordings import BEGIN, MINUTE, SYMBOL, Tick, book, came, frame, opened, record_trades, write

TURNS = (
    HEAD.replace("\n", ", cron\n") + "class Signals(Link):\n"
    "  count = 0\n"
    "  @cron.run(every=60)\n"
    "  def turn(self):\n"
    "    self.count += 1\n"
    f"    self.signal('nexus', '{SYMBOL}', size=0.5 if self.count % 2 else -0.5)\n"
)


@pytest.fixture
def minutes(tmp_path: Path) -> Path:
    """Five minutes, with a trade each ten seconds."""
    return record_trades(tmp_path / "r.jsonl", [Tick(BEGIN + 10_000 * n, f"{100 + n % 7}", "1") for n in range(31)])


def test_on_a_replay_its_time_goes_on_and_its_signals_are_filled(runs: Runs, minutes: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    ran = runs(TURNS, replay=minutes, report=report)
    assert ran.code == 0
    assert [one["received"] for one in ran.of("signal")] == [BEGIN - 1 + MINUTE * n for n in range(6)]
    assert {one["env"] for one in ran.of("signal")} == {"replay"}
    (market,) = json.loads(report.read_text())["scripts"][0]["markets"]
    assert (market["signals"], market["missed"], market["round_trips"]) == (6, 0, 5)
    assert "gets no market data" not in ran.said


def test_beside_a_script_that_watches_the_market_its_signals_are_filled_too(
    runs: Runs, minutes: Path, tmp_path: Path
) -> None:
    report, other = tmp_path / "report.json", tmp_path / "other.py"
    other.write_text(HEAD + "class Signals(Link):\n  def trade_update(self, src, sym, data): pass\n")
    assert runs(TURNS, replay=minutes, report=report, more=[other]).code == 0
    (market,) = json.loads(report.read_text())["scripts"][0]["markets"]
    assert (market["signals"], market["missed"]) == (6, 0)


@pytest.mark.parametrize(
    ("streams", "missed"),
    [
        (["trades"], 1),  # the last one: nothing came after it
        (["trades", "quotes"], 1),  # the first one: no quote came before the second
        (["book"], 1),  # the same: quotes come along with it
    ],
)
def test_whatever_the_recording_has_lets_its_time_go_on(
    runs: Runs, tmp_path: Path, streams: list[str], missed: int
) -> None:
    last = book(BEGIN + MINUTE + 1, "99", "101")
    events = [*opened(BEGIN), came(BEGIN + 1, frame(Tick(BEGIN + 1, "100", "1"))), came(BEGIN + MINUTE + 1, last)]
    report = tmp_path / "report.json"
    ran = runs(TURNS, replay=write(tmp_path / "r.jsonl", events, streams=streams), report=report)
    assert [one["received"] for one in ran.of("signal")] == [BEGIN, BEGIN + MINUTE]
    (market,) = json.loads(report.read_text())["scripts"][0]["markets"]
    assert market["missed"] == missed


def test_a_script_that_only_begins_and_one_with_nothing(runs: Runs, minutes: Path) -> None:
    ran = runs(HEAD + "class Signals(Link):\n  def on_start(self): self.publish('on')\n", replay=minutes)
    assert (ran.code, [one["topic"] for one in ran.records], ran.said) == (0, ["on"], "")
    ran = runs(HEAD + "class Signals(Link): pass\n", replay=minutes)
    assert (ran.code, ran.records) == (0, [])
    assert "has nothing that is called: no callback and no route" in ran.said


def test_a_recording_of_no_market_is_refused(runs: Runs, tmp_path: Path) -> None:
    path = write(tmp_path / "r.jsonl", opened(BEGIN), venue="profitview", subscriptions=[{"stream": "feed"}])
    ran = runs(TURNS, replay=path)
    assert (ran.code, str(ran.problem)) == (2, "expected a recording of a market, got one of feed")
