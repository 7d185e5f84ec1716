"""What a stream command makes of a request: what waits for its reader, what is drawn, and its last words."""

from __future__ import annotations

import asyncio
import math
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from cli.errors import INTERRUPTED, TERMINATED
from cli.output.gaps import Gap, no_words
from cli.output.lines import Unprinted
from cli.run import watch as module
from cli.run.source import Embedded
from cli.run.watch import LAST_TABLE_WITHIN, STATES_WITHIN
from tests.run.heard import Heard
from tests.run.looped import book, script
from tests.run.scripted import Scripted
from tests.run.test_watch import Table, status, trade, watcher_of
from venues.venue import EVERY_LEVEL, Now, Settings, Subscription

if TYPE_CHECKING:
    from collections.abc import Callable

SETTINGS = Settings(url="wss://v.example", label="sim")
BOOK, TICKER = Subscription("book", ("A",)), Subscription("ticker", ("A",))
WHOLE = Subscription("book", ("A",), depth=EVERY_LEVEL)


class Picture:
    """A picture that says of each status how it is."""

    def words(self, status: Any, beside: Any) -> str | None:
        return None if status.state == "live" else f"{status.state}, with {len(beside)}"


# --- what is asked of the venue


@pytest.mark.parametrize(
    ("picture", "beside", "wanted", "apart"),
    [
        (None, (), [BOOK], False),
        (Picture(), (), [WHOLE], False),
        (Picture(), (TICKER,), [WHOLE, TICKER], True),
        (Picture(), (TICKER, Subscription("trades", ("A",))), [WHOLE, TICKER, Subscription("trades", ("A",))], True),
    ],
)
def test_several_streams_go_on_without_each_other_and_a_table_has_every_level(
    picture: Any, beside: Any, wanted: Any, apart: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted = Scripted(monkeypatch, script())
    opened: list[Settings] = []

    async def go() -> None:
        watcher = watcher_of("book", "A", picture=picture, beside=beside)
        monkeypatch.setattr(watcher, "open_output", opened.append)
        await watcher._open(Embedded())

    asyncio.run(go())
    ((_, subscriptions, given),) = scripted.opened
    assert (subscriptions, given["apart"]) == (wanted, apart)
    assert opened == [SETTINGS]


# --- what waits for the reader


@pytest.mark.parametrize(
    ("stream", "given", "queue"),
    [
        ("trades", {}, ("events", "in_events")),
        ("trades", {"status": "stderr"}, ("events", None)),
        ("trades", {"raw": True}, ("events", None)),
        ("trades", {"raw": True, "status": "stderr"}, ("events", None)),
        ("book", {"raw": True}, ("events", None)),
        ("book", {}, ("states", "in_rows")),
        ("book", {"status": "stderr"}, ("states", None)),
    ],
)
def test_a_gap_is_told_among_the_lines_where_statuses_are(
    stream: str, given: dict[str, Any], queue: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def events(told: Callable[..., Any] = no_words) -> tuple[str, Callable[..., Any]]:
        return "events", told

    def states(mono: Any, **kept: Any) -> tuple[str, Callable[..., Any]]:
        return "states", kept["on_overflow"]

    monkeypatch.setattr(module, "EventQueue", events)
    monkeypatch.setattr(module, "StateQueue", states)
    watcher = watcher_of(stream, "A", **given)
    watcher._pipe = None
    kind, told = watcher._make_queue(SETTINGS)  # type: ignore[misc]
    name = None if told is no_words else told.__name__
    assert (kind, name) == queue
    if name is not None:
        gap = told.__self__
        assert isinstance(gap, Gap)


@pytest.mark.parametrize(
    ("with_pipe", "judged", "until"), [(True, True, 7.0), (True, False, None), (False, True, None)]
)
def test_what_a_later_record_has_superseded_does_not_wait_in_a_pipe(
    with_pipe: bool, judged: bool, until: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[dict[str, Any]] = []
    monkeypatch.setattr(module, "StateQueue", lambda mono, **kept: made.append(kept))
    watcher: Any = watcher_of("book", "A")
    watcher._pipe = SimpleNamespace() if with_pipe else None
    watcher._judge = SimpleNamespace(good_until=lambda record: 7.0) if judged else None
    watcher._make_queue(SETTINGS)
    ((kept),) = made
    good_until = kept["good_until"]
    assert (None if good_until is None else good_until(book(1))) == until
    assert kept["reader"] is watcher._pipe
    assert kept["several"] is False


def test_what_the_limits_have_judged_is_not_judged_again() -> None:
    for judges, got in ((True, []), (False, [book(1)])):
        watcher: Any = watcher_of("book", "A")
        watcher._run.flush_due = True  # in a loop it would be asked for
        watcher._judge = SimpleNamespace(passes=lambda items: [], is_over=False)
        watcher._judges = judges
        watcher._limit = SimpleNamespace(reached=False)
        watcher.deliver([book(1)])
        assert watcher._batch == got


def test_what_is_drawn_is_shortened_and_what_stands_for_something_is_not() -> None:
    watcher: Any = watcher_of("book", "A", picture=Picture())
    watcher._run.flush_due = True  # in a loop it would be asked for
    assert watcher._shorten is not None
    watcher._shorten = lambda record: f"short {record.received}"
    unprinted = Unprinted(book(2))
    watcher.deliver([book(1), unprinted])
    assert watcher._batch == ["short 1", unprinted]
    assert watcher_of("book", "A")._shorten is None


# --- what is said


def test_what_a_picture_has_no_words_for_is_not_said() -> None:
    words = Heard()
    watcher = watcher_of("trades", "A", words=words, picture=Picture())
    watcher._run.flush_due = True  # in a loop it would be asked for
    watcher.deliver([status("live"), status("stale")])
    assert words.said == ["stale, with 2"]
    assert watcher._batch == [status("live"), status("stale")]


def test_words_that_are_due_at_the_same_moment_wait_for_one_timer() -> None:
    async def go() -> None:
        watcher: Any = watcher_of("trades", "A", "B", "C")
        watcher._mono = lambda: 5.0
        watcher._tell_soon(status("live", "A"))
        assert watcher._telling is None, "that is no news"
        watcher._tell_soon(status("live", "A", down_ms=1))
        due, late = watcher._telling
        watcher._tell_soon(status("stale", "B"))
        sooner = watcher._telling
        assert (sooner[0], late.cancelled()) == (5.0, True)
        assert due > sooner[0]
        watcher._tell_soon(status("stale", "C"))
        assert watcher._telling is sooner
        assert not sooner[1].cancelled()
        sooner[1].cancel()

    asyncio.run(go())


# --- a table


@pytest.mark.parametrize(("where", "flags", "filtered"), [(None, [], False), ("price > 5", ["where price > 5"], True)])
def test_the_header_says_what_is_left_out(
    where: str | None, flags: list[str], filtered: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.screen.pane.Pane", lambda view, title, look, rate, redactor: (view, title, look, rate))
    given = {"where": where, "until": "price > 9"}
    watcher: Any = watcher_of("trades", "A", output="table", **given)
    _, title, look, rate = watcher._pane(Subscription("trades", ("A",)), SETTINGS, "look", "rate")
    assert (look, rate, title.venue, title.env, title.symbols) == ("look", "rate", "kraken", "sim", ("A",))
    assert ([*title.flags], title.filtered, title.several) == (flags, filtered, False)
    without: Any = watcher_of("trades", "A", output="table")
    assert without._pane(Subscription("trades", ("A",)), SETTINGS, "look", "rate")[1].filtered is False


def test_a_table_goes_by_the_clocks_of_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.screen.terminal.look_for", lambda palette, tz, **clocks: (palette, tz, clocks))
    watcher: Any = watcher_of("trades", "A", output="table", palette="mono", tz="utc")
    watcher._run = SimpleNamespace(now=lambda: Now(1_234.5678, 9))
    palette, tz, clocks = watcher._look()
    assert (palette, tz, clocks["epoch_ms"](), clocks["mono_ms"]()) == ("mono", "utc", 9, 1_234_568)


# --- the end


@pytest.mark.parametrize(
    ("with_pipe", "match", "longest"),
    [
        (False, None, math.inf),
        (True, None, STATES_WITHIN),
        (True, SimpleNamespace(match=None), STATES_WITHIN),
        (True, SimpleNamespace(match=book(1)), math.inf),
        (False, SimpleNamespace(match=book(1)), math.inf),
    ],
)
def test_states_that_go_on_coming_do_not_wait_for_long_at_the_end(
    with_pipe: bool, match: Any, longest: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "Reading", lambda output, longest: (output, longest))
    watcher: Any = watcher_of("book", "A")
    watcher._output, watcher._pipe, watcher._judge = "output", SimpleNamespace() if with_pipe else None, match
    watcher.end_asked()
    assert watcher._reading == ("output", longest)


@pytest.mark.parametrize(("table", "within"), [(None, 0.0), (Table(), LAST_TABLE_WITHIN)])
@pytest.mark.parametrize("signal", [None, TERMINATED])
def test_the_last_table_is_drawn_also_after_one_more_signal(table: Any, within: float, signal: int | None) -> None:
    asked: list[Any] = []
    words = Heard()

    async def until_written(reading: Any, next_signal: Any, *, after_signal: float) -> str:
        asked.append((reading, after_signal))
        if signal is not None:
            next_signal.set_result(signal)
        return "1 line was not written"

    async def go() -> None:
        watcher: Any = watcher_of("trades", "A", words=words)
        watcher._table = table
        watcher._output = SimpleNamespace(finish=lambda: asked.append("finish"), put=asked.append)
        watcher._queue = None
        watcher._batch = [trade()]
        watcher._reading = "reading"
        watcher._ending.until_written = until_written
        assert await watcher._finish_output() == signal

    asyncio.run(go())
    assert asked == [[trade()], "finish", ("reading", within)]
    assert words.said == ["1 line was not written"]


@pytest.mark.parametrize(
    ("signalled", "comes", "is_cut", "code"),
    [
        (None, None, False, 0),
        (None, None, True, 0),
        (None, INTERRUPTED, False, 0),  # it came when all had ended
        (None, INTERRUPTED, True, INTERRUPTED),
        (TERMINATED, None, True, TERMINATED),
        (TERMINATED, None, False, 0),
    ],
)
def test_one_more_signal_ends_what_commands_still_do(
    signalled: int | None, comes: int | None, is_cut: bool, code: int
) -> None:
    async def go() -> None:
        watcher: Any = watcher_of("trades", "A")
        watcher._table = Table()

        async def finish(next_signal: Any) -> bool:
            assert watcher._table is None, "what is said now goes to stderr"
            assert next_signal.done() == (signalled is not None)
            if comes is not None:
                next_signal.set_result(comes)
            return is_cut

        await watcher._finish_alerts(SimpleNamespace(finish=finish), signalled)
        assert watcher._ending.code == code

    asyncio.run(go())
