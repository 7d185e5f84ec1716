"""The model of the whole, small: it finds nothing in mon, and each fault that is put into mon it finds quickly."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli.output import states
from cli.output.states import StateQueue
from cli.run.freshness import MaxAge
from cli.screen.pane import Pane
from tests.model import b2trader, client, kraken, nexus, profitview, woox
from tests.model.__main__ import main
from tests.model.judge import Broken
from tests.model.machine import machine_of
from tests.model.running import Outcome, run
from tests.model.speaker import Speaker
from tests.model.speakers import SPEAKERS
from venues.b2trader.rows import RowsFeed
from venues.driver import Driver
from venues.keepalive import Keepalive
from venues.kraken.kept import PrintedTrades
from venues.nexus.session import NexusSession
from venues.streams import STREAMS
from venues.toolkit.book import OrderBook
from venues.toolkit.clock import NewestState, VenueClock
from venues.toolkit.made_candles import MadeCandles
from venues.toolkit.row_times import Remembered, RowTimes

EXAMPLES, STEPS = 4, 30  # of each stream: a second or so for all of a venue
SEED = 16  # always the same games: `python -m tests.model` is what searches elsewhere each time
MOST_EXAMPLES = 300  # in which a fault has to be found, also where hypothesis draws others than today


def command(speaker: type[Speaker], seed: int, examples: int, steps: int) -> str:
    return (
        f"python -m tests.model --venue {speaker.venue}:{speaker.stream} --seed {seed} "
        f"--examples {examples} --steps {steps}"
    )


@pytest.mark.parametrize("speaker", SPEAKERS, ids=lambda one: f"{one.venue}-{one.stream}")
def test_what_is_given_as_live_is_what_the_venue_has(speaker: type[Speaker]) -> None:
    problem = run(Outcome(speaker), SEED, EXAMPLES, steps=STEPS)
    assert problem is None, f"{problem}\nrepeat it with: {command(speaker, SEED, EXAMPLES, STEPS)}"


def test_each_venue_speaks_its_book_or_what_it_has_instead() -> None:
    spoken = {(one.venue, one.stream) for one in SPEAKERS}
    assert len(spoken) == len(SPEAKERS)
    assert {venue for venue, _ in spoken} == {"b2trader", "jayx", "kraken", "nbt", "nexus", "profitview", "woox"}
    assert all(stream in STREAMS for _, stream in spoken)


def without_forgetting(feed: RowsFeed[Any]) -> None:
    """A new invocation that goes on with the rows of the one before."""
    feed.whole = getattr(feed, "whole", False)


def without_a_word(change: Callable[..., Any]) -> Callable[..., Any]:
    """The driver's own method, whose statuses are left out."""

    def silent(*arguments: Any) -> list[Any]:
        change(*arguments)
        return []

    return silent


# What is broken, where, with what, and whose game shows it.
FAULTS: dict[str, tuple[Any, str, Any, type[Speaker]]] = {
    "a missing change of a chain goes unnoticed": (
        OrderBook, "_follows", lambda book, sequence, previous, held: sequence > held, woox.WooXBook),
    "a missing version goes unnoticed": (
        OrderBook, "_follows", lambda book, sequence, previous, held: sequence > held, b2trader.HubBook),
    "a wrong checksum goes unnoticed": (OrderBook, "check", lambda book, figure: None, kraken.KrakenBook),
    "a book that comes late is taken": (NewestState, "older_by", lambda *_, **__: 0, nexus.NexusBook),
    "a row that comes late is taken": (RowTimes, "is_news", lambda *_: True, nexus.NexusOrders),
    "a fill is printed twice": (Remembered, "add", lambda *_: True, nexus.NexusFills),
    "a trade is printed twice": (PrintedTrades, "weigh", lambda *_: "new", kraken.KrakenTrades),
    "missing trades are not counted": (PrintedTrades, "missing_before", lambda *_: 0, kraken.KrakenTrades),
    "--max-age has no deadline": (MaxAge, "deadline", lambda age: None, nexus.NexusBook),
    "a dead line is noticed after a minute": (client, "PING_ANSWER_WITHIN", 60.0, nexus.NexusBook),
    "a lost connection is not said": (Driver, "_lost", without_a_word(Driver._lost), profitview.ProfitViewFeed),
    "a new invocation does not forget the old rows": (RowsFeed, "begin", without_forgetting, b2trader.HubBalance),
    "rows from before an interruption reach the reader": (
        StateQueue, "_drop_rows", lambda queue: None, nexus.NexusBook),
    "last words are dropped with an interruption": (states, "is_last_word", lambda record: False, b2trader.HubOrders),
    "our clock alone closes a candle": (VenueClock, "hinted_by", lambda *_: None, woox.WooXCandles),
    "a candle that comes late is taken": (MadeCandles, "_is_outdated", lambda *_: False, kraken.KrakenCandles),
    "nothing is said of an event that nobody can read": (NexusSession, "_bad", lambda *_: [], nexus.NexusTrades),
    "a frozen table looks live": (Pane, "_frozen_state", lambda pane, state, *both: both, nexus.NexusTrades),
    "a slow reader gets every state": (StateQueue, "_is_behind", lambda queue: False, nexus.NexusQuotes),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    where, attribute, broken, speaker = FAULTS[name]
    monkeypatch.setattr(where, attribute, broken)
    problem = run(Outcome(speaker), SEED, MOST_EXAMPLES, shrinks=False)
    assert problem is not None, f"the fault was not found in {MOST_EXAMPLES} examples"
    assert problem.startswith("Broken: "), problem


def stopped_on_a_dead_line() -> Any:
    """A game in which the answer to a ping is due while this process is stopped, up to the moment when it goes on."""
    game: Any = machine_of(nexus.NexusFills)()
    game.begin(seed=0, max_age=None)
    game.black_hole(seconds=6.0)
    game.wait(seconds=2.5)
    game.stop(seconds=3.0)
    return game


def test_after_a_stop_a_dead_line_is_live_only_for_one_more_look(monkeypatch: pytest.MonkeyPatch) -> None:
    game = stopped_on_a_dead_line()
    assert game.on.judge.fold.state == "live", "the answer may be in the socket, unread"
    game.wait(seconds=0.3)
    assert game.on.judge.fold.state == "reconnecting"

    def looks_again_and_again(keepalive: Keepalive, at: float) -> str:
        keepalive._grace_to = at
        return ""

    monkeypatch.setattr(Keepalive, "problem", looks_again_and_again)
    game = stopped_on_a_dead_line()
    with pytest.raises(Broken, match="without a sign of life"):
        game.wait(seconds=0.3)


def test_the_command_prints_what_repeats_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Remembered, "add", lambda *_: True)
    assert main(["--venue", "nexus:fills", "--examples", "60", "--seed", "1"]) == 1
    said = capsys.readouterr().out
    assert "python -m tests.model --venue nexus:fills --seed 1 --examples 60" in said
    assert "state.begin(" in said, "the steps to it"
    assert "state.teardown()" in said


def test_a_seed_has_the_same_games_whatever_else_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    by_itself = Outcome(nexus.NexusOrders)
    assert run(by_itself, SEED, 6) is None
    other = "full_of_figures"
    (tmp_path / f"{other}.py").write_text(f"FIGURES = {[*range(1_000, 60_000, 7)]}\n")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module(other)
    beside_others = Outcome(nexus.NexusOrders)
    assert run(beside_others, SEED, 6) is None
    assert beside_others.tally == by_itself.tally


def test_streams_that_had_no_turn_in_the_time_are_a_fault(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--minutes", "0.00001", "--venue", "nbt"]) == 1
    *_, last = capsys.readouterr().out.splitlines()
    assert "of 2 streams had no turn in the time: " in last
    assert last.endswith("nbt:feed")


def test_all_have_a_turn_in_time_that_is_long_enough(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--minutes", "0.05", "--venue", "profitview"]) == 0
    assert "no turn" not in capsys.readouterr().out


def test_the_command_prints_what_was_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--venue", "profitview", "--examples", "3", "--steps", "10"]) == 0
    *_, stream, _ = capsys.readouterr().out.splitlines()
    assert stream.split()[:2] == ["profitview", "feed"]


def test_an_unknown_venue_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--venue", "nowhere"])
    assert ended.value.code == 2
    assert 'got "nowhere"' in capsys.readouterr().err
