"""What a stream command makes of a request: what waits for its reader, what is drawn, and its last words."""

from __future__ import annotations

import asyncio
import contextlib
import math
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from cli.errors import INTERRUPTED, TERMINATED
from cli.output.gaps import Gap, no_words
from cli.output.lines import Unprinted
from cli.run import watch as module
from cli.run.alerts import AT_END
from cli.run.source import Embedded
from cli.run.watch import LAST_TABLE_WITHIN, STATES_WITHIN
from tests.run.heard import Heard
from tests.run.looped import book, script
from tests.run.scripted import Scripted
from tests.run.test_watch import Table, quote, status, trade, watcher_of
from tests.run.timeless import run, seconds
from venues.venue import EVERY_LEVEL, ClockOffset, Now, Settings, Subscription

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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


def test_words_of_several_symbols_in_a_table_are_told_together() -> None:
    async def go() -> None:
        words, told = Heard(), []
        watcher: Any = watcher_of("trades", "A", "B", words=words, picture=Picture())
        watcher._run.flush_due = True
        watcher._tell_soon = told.append
        stale = status("stale", "A")
        watcher.deliver([stale])
        assert (watcher._batch, told, words.said) == ([stale], [stale], [])

    asyncio.run(go())


def test_what_was_told_is_not_told_again_by_its_timer() -> None:
    async def go() -> None:
        words = Heard()
        watcher: Any = watcher_of("trades", "A", "B", words=words)
        watcher._tell_soon(status("live", "A", down_ms=1_000))
        _, timer = watcher._telling
        watcher._tell_together()
        assert (timer.cancelled(), watcher._telling) == (True, None)
        assert words.said == ["trades A is live again after 1.0 s"]
        watcher._tell_together()
        assert len(words.said) == 1

    asyncio.run(go())


def test_lines_that_say_how_the_stream_stands_know_the_status_that_is_the_match() -> None:
    words = Heard()
    watcher: Any = watcher_of("trades", "A", words=words, fields="price")
    match = status("stale", reason="gap")
    watcher._judge = SimpleNamespace(match=match)
    watcher._standing = None
    watcher._on_status(match, [match])
    watcher._standing = SimpleNamespace(always=None)
    watcher._on_status(match, [match])
    assert watcher._standing.always is match
    assert (watcher._batch, words.said) == ([match, match], []), "it is the answer, and needs no words"


def test_lines_that_say_an_age_know_how_far_the_clocks_differ() -> None:
    told: list[int] = []
    watcher: Any = watcher_of("trades", "A", fields="age_ms")
    watcher._run.flush_due = True
    watcher.deliver([ClockOffset("trades", 1)])
    watcher._standing = SimpleNamespace(set_offset=told.append)
    watcher.deliver([ClockOffset("trades", 5)])
    assert told == [5]


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
            asked.append(next_signal)
            if comes is not None:
                next_signal.set_result(comes)
            return is_cut

        asked: list[Any] = []
        await watcher._finish_alerts(SimpleNamespace(finish=finish), signalled)
        assert watcher._ending.code == code
        assert asked[0].done(), "nobody waits for it any more"

    asyncio.run(go())


class Noted:
    """Notes the calls of what it stands for, in their order."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def call(self, name: str, result: Any = None) -> Any:
        def called(*given: Any, **named: Any) -> Any:
            self.calls.append((name, *given) if given else name)
            return result

        return called

    def context(self, name: str) -> Any:
        @contextlib.contextmanager
        def made(*given: Any) -> Iterator[None]:
            self.calls.append((name, *given))
            yield
            self.calls.append(f"end of {name}")

        return made

    def work(self, name: str, result: Any = None) -> Any:
        async def made(*given: Any) -> Any:
            self.calls.append(name)
            return result

        return made


@pytest.mark.parametrize(("with_exec", "with_table"), [(False, False), (True, False), (False, True)])
def test_a_run_takes_what_it_needs_and_gives_it_back(
    with_exec: bool, with_table: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted = Noted()
    monkeypatch.setattr(module, "calm_collector", noted.call("calm"))
    monkeypatch.setattr(module, "may_take", noted.context("may take"))
    monkeypatch.setattr(module, "at_hard_end", noted.context("at hard end"))
    monkeypatch.setattr(module, "Embedded", lambda: SimpleNamespace(close=noted.work("close")))
    monkeypatch.setattr("cli.screen.keys.take_terminal", lambda stack, *given: noted.calls.append(("terminal", *given)))

    async def go() -> tuple[Any, int]:
        watcher: Any = watcher_of(
            "trades", "A", exec="true" if with_exec else None, on=["stale"] if with_exec else None
        )
        watcher._open, watcher._watch = noted.work("open"), noted.work("watch")
        watcher._run = SimpleNamespace(set_timers=noted.call("timers"))
        watcher._table = "table" if with_table else None
        watcher._ending.code = 7
        return watcher, await watcher.run()

    watcher, code = asyncio.run(go())
    before = [("may take", AT_END), ("at hard end", watcher._end_hard)] if with_exec else []
    terminal = [("terminal", "table", watcher._on_key, watcher._ending.stop)] if with_table else []
    after = ["end of at hard end", "end of may take"] if with_exec else []
    assert noted.calls == ["calm", *before, "open", *terminal, "timers", "watch", "close", *after]
    assert code == 7


def opened(monkeypatch: pytest.MonkeyPatch, **given: Any) -> tuple[Any, Noted]:
    """A watcher whose output is open, and what was done for that."""
    noted = Noted()
    output = SimpleNamespace(start=noted.call("start"))
    monkeypatch.setattr(module, "Output", lambda *given, **named: output)
    watcher: Any = watcher_of("trades", "A", **given)
    watcher._run.record = noted.call("record", "it goes on with r.jsonl")
    watcher._run.limits.expect = noted.call("expect")
    watcher._run.tap = noted.call("tap")
    watcher.open_output(SETTINGS)
    return watcher, noted


def test_what_is_opened_is_expected_recorded_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    watcher, noted = opened(monkeypatch, words=(words := Heard()))
    (expect, record, start) = noted.calls
    assert (expect, start) == (("expect", Subscription("trades", ("A",)), "kraken", "sim"), "start")
    assert record[1].venue == "kraken"
    assert words.said == ["it goes on with r.jsonl"]
    assert (watcher._judge, watcher._alerts, watcher._judges) == (None, None, False)
    assert watcher._run.limits.judge is None


@pytest.mark.parametrize(("given", "here"), [({}, True), ({"every": 1_000}, False)])
def test_a_stream_is_judged_once(given: dict[str, Any], here: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the limits on its way, where there is any."""
    watcher, _ = opened(monkeypatch, on=["price > 5"], bell=True, **given)
    assert watcher._judges is here
    assert watcher._run.limits.judge is watcher._judge is not None
    assert watcher._alerts is not None
    assert watcher._alerts.stage is watcher


def test_frames_are_tapped_where_they_are_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    for raw in (False, True):
        watcher, noted = opened(monkeypatch, raw=raw)
        assert [call[0] for call in noted.calls if call[0] == "tap"] == ["tap"] * raw
        assert watcher._limit is not None


def test_a_picture_gets_its_panes_and_what_it_draws_with() -> None:
    drawn: list[Any] = []

    class Drawn(Picture):
        def table(self, panes: Any, env: Any, look: Any, rate: Any, wake: Any, *, on_terminal: bool) -> str:
            drawn.extend([panes, env, look, on_terminal])
            wake()
            assert watcher._rate is rate
            return "the table"

    watcher: Any = watcher_of("book", "A", picture=Drawn(), beside=(TICKER,))
    watcher._look = lambda: "look"
    watcher._pane = lambda one, settings, look, rate: (one.stream, settings.label, look)
    watcher._output = SimpleNamespace(wake=lambda: drawn.append("woken"))
    assert watcher._make_table(watcher._picture, SETTINGS, on_terminal=True) == "the table"
    assert watcher._table == "the table"
    panes = {name: (name, "sim", "look") for name in ("book", "ticker")}
    assert drawn == [panes, "sim", "look", True, "woken"]


@pytest.mark.parametrize(("with_alerts", "lost"), [(False, None), (True, None), (True, "what was not recorded")])
def test_the_end_of_a_run_in_its_order(with_alerts: bool, lost: str | None) -> None:
    noted, words = Noted(), Heard()
    watcher: Any = watcher_of("trades", "A", words=words)
    watcher._run = SimpleNamespace(watch=noted.work("watch"), close=noted.call("close", lost))
    watcher._finish_output, watcher._finish_alerts = noted.work("output"), noted.work("alerts")
    watcher._alerts = SimpleNamespace() if with_alerts else None
    asyncio.run(watcher._watch())
    assert noted.calls == ["watch", "output", *["alerts"] * with_alerts, "close"]
    assert words.said == ([] if lost is None else [lost])


def test_the_last_words_are_said_before_what_waits_is_written() -> None:
    noted = Noted()

    async def go() -> None:
        watcher: Any = watcher_of("trades", "A")
        watcher._run = SimpleNamespace(flush=noted.call("flush"))
        watcher._tell_together, watcher._seldom = (
            noted.call("together"),
            SimpleNamespace(last_words=noted.call("seldom")),
        )
        watcher._output = SimpleNamespace(finish=noted.call("finish"))
        asked: list[Any] = []

        async def until_written(reading: Any, next_signal: Any, **_: Any) -> None:
            asked.append(next_signal)

        watcher._ending.until_written = until_written
        assert await watcher._finish_output() is None
        assert asked[0].cancelled(), "nobody waits for it any more"

    asyncio.run(go())
    assert noted.calls == ["flush", "together", "seldom", "finish"]


def test_between_two_events_of_a_replay_other_work_has_its_turn() -> None:
    async def go() -> None:
        watcher: Any = watcher_of("trades", "A")
        done: list[str] = []
        asyncio.get_running_loop().call_soon(done.append, "a key")
        await watcher.played(1)
        assert (done, seconds()) == (["a key"], 0)

    run(go())


# --- what comes


def delivered(watcher: Any, *batches: list[Any]) -> list[list[Any]]:
    """What is handed over of these batches, in its parts."""
    put: list[list[Any]] = []
    watcher._run.flush_due = True  # in a loop it would be asked for
    watcher._output, watcher._queue = SimpleNamespace(put=put.append), None
    for items in batches:
        watcher.deliver(items)
    watcher.flush()
    return put


def test_what_comes_after_an_interruption_is_handed_over_after_it() -> None:
    stale = status("stale", reason="gap")
    watcher = watcher_of("trades", "A")
    assert delivered(watcher, [status("live"), trade(1), stale, trade(2)]) == [[trade(1), stale], [trade(2)]]


def test_messages_are_counted_for_a_table() -> None:
    seen: list[Any] = []
    watcher: Any = watcher_of("trades", "A")
    watcher._rate = SimpleNamespace(see=seen.append)
    delivered(watcher, [trade(1), trade(2)], [trade(3)])
    assert seen == [[trade(1), trade(2)], [trade(3)]]


def test_it_is_known_of_which_symbols_nothing_has_come() -> None:
    watcher: Any = watcher_of("trades", "A", "B", "C")
    watcher._limit = SimpleNamespace(missing=list)
    assert watcher.missing("timeout") == "no data came of A, B, C"
    delivered(watcher, [trade(1, "B")])
    assert watcher._lacking() == "no data came of A, C"
    delivered(watcher, [trade(1, "A")], [trade(2, "C")])
    assert watcher._lacking() is None


def test_the_match_ends_the_run_and_is_the_last_of_its_kind() -> None:
    async def go() -> None:
        match, beside = trade(9), quote("A")
        watcher: Any = watcher_of("trades", "A")
        watcher._judge = SimpleNamespace(passes=lambda items: items, is_over=True, match=match)
        watcher._judges = True
        watcher._limit = SimpleNamespace(reached=False, match=None)
        assert delivered(watcher, [trade(1), match, beside]) == [[trade(1), match, beside]]
        assert watcher._limit.match is match
        assert watcher._ending.stopping.is_set()
        watcher._judge.is_over = False

    asyncio.run(go())


def test_a_judge_that_waits_tells_what_has_come() -> None:
    watcher: Any = watcher_of("trades", "A", "B", until="price > 5")
    watcher._judge = SimpleNamespace(data_came=True, unseen={"B"}, match=None, counts=True)
    watcher._limit = SimpleNamespace(reached=False, missing=list)
    assert watcher.missing("timeout") == "no match of --until came"
    assert watcher._lacking() == "no data came of B"
