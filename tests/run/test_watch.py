"""A stream command with sources that a test tells what to deliver: what is written, what is said, and how it ends."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from cli.errors import NoDataError
from cli.output.lines import Output, Words
from cli.run import watch as module
from cli.run.options import StreamRequest
from cli.run.watch import HAND_OVER_EVERY, Watcher, conditions_of, watch
from tests.run.heard import Heard
from tests.run.looped import Clock, book, script
from tests.run.scripted import Scripted
from tests.run.timeless import run, seconds
from venues import events, venue_named
from venues.errors import UsageError
from venues.records import Book, Quote, SnapshotEnd, Status, Trade
from venues.redaction import Redactor
from venues.venue import BadFrame, ClockOffset, Confirmed, Notice, Subscription

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

SECRET = "s3cret-of-ours"


def redactor() -> Redactor:
    made = Redactor()
    made.learn({"key": SECRET})
    return made


def watcher_of(
    stream: str,
    *symbols: str,
    words: Words | None = None,
    venue: str = "kraken",
    picture: Any = None,
    beside: tuple[Subscription, ...] = (),
    **given: Any,
) -> Watcher:
    """`beside`: what else is drawn."""
    request = StreamRequest(venue, [*symbols], **{"output": "jsonl", **given})
    request.stream = stream
    subscription = Subscription(stream, symbols)
    return Watcher(
        request,
        venue_named(venue),
        [subscription, *beside],
        None,
        words or Heard(),
        redactor(),
        picture,
        conditioned=conditions_of(request, venue_named(venue), subscription),
    )


class Ran:
    """A run of a script: its exit code or its problem, what it wrote and what it said."""

    def __init__(self, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._capfd = capfd
        self.monkeypatch = monkeypatch
        self.code: Any = 0  # or the words of what was missing
        self.scripted: Scripted
        self.lines: list[Any] = []
        self.said: list[str] = []

    def __call__(self, stream: str, symbols: str, *steps: Any, **given: Any) -> Ran:
        self.play(stream, symbols, script(*steps), **given)
        return self

    def play(
        self, stream: str, symbols: str, play: Callable[[Any], Awaitable[None]], *, real: bool = False, **given: Any
    ) -> Scripted:
        """`real`: in real time, where the end is asked for and what is written is waited for no longer than that."""
        self.scripted = scripted = Scripted(self.monkeypatch, play)
        self.monkeypatch.setattr(module, "SystemClock", Clock)
        words = Heard()

        async def go() -> int:
            return await watcher_of(stream, *symbols.split(), words=words, **given).run()

        try:
            self.code = asyncio.run(go()) if real else run(go())
        except NoDataError as error:
            self.code = str(error)
        out = self._capfd.readouterr().out
        as_rows = given.get("output") in ("csv", "tsv")
        self.lines = out.splitlines() if as_rows else [*map(json.loads, out.splitlines())]
        self.said = words.said
        return scripted

    @property
    def states(self) -> list[str]:
        """The statuses that were written, with their symbols, and of everything else its type."""
        return [
            f"{one.get('symbol', 'all')} {one['state']}" if one["type"] == "status" else one["type"]
            for one in self.lines
        ]


@pytest.fixture
def ran(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Ran:
    return Ran(capfd, monkeypatch)


def trade(price: int = 1, symbol: str = "A", **fields: Any) -> Trade:
    return Trade(venue="kraken", symbol=symbol, received=1, price=price, size=1, side="buy", **fields)  # type: ignore[arg-type]


def quote(symbol: str) -> Quote:
    return Quote(venue="kraken", symbol=symbol, received=1)


def status(state: Any, symbol: str | None = None, stream: str = "trades", **fields: Any) -> Status:
    return Status(venue="kraken", received=1, stream=stream, state=state, symbol=symbol, **fields)


# --- what is asked for


@pytest.mark.parametrize(
    ("given", "on_terminal", "as_table"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"output": "table"}, False, True),
        ({"output": "jsonl"}, True, False),
        ({"fields": "price"}, True, False),
        ({"template": "{price}"}, True, False),
        ({"raw": True}, True, False),
        ({"raw": True}, False, False),
    ],
)
def test_what_is_chosen_or_raw_is_lines_also_on_a_terminal(
    given: dict[str, Any], on_terminal: bool, as_table: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Any] = []

    async def end() -> int:
        return 7

    def watcher(request: Any, venue: Any, subscriptions: Any, recording: Any, words: Any, hide: Any, *more: Any) -> Any:
        picture, conditioned = more
        made.append((venue.name, subscriptions, recording, picture is not None, conditioned is not None))
        return SimpleNamespace(run=end)

    monkeypatch.setattr(module, "Watcher", watcher)
    monkeypatch.setattr("cli.output.lines.is_terminal", lambda descriptor: on_terminal)
    monkeypatch.setattr("cli.settings.environment.is_dumb", lambda variables: False)
    request = StreamRequest("kraken", ["BTC/USD"], **given)
    request.stream = "trades"
    assert watch(request, Heard(), redactor()) == 7
    chooses = not {"fields", "template"}.isdisjoint(given)
    assert made == [("kraken", [Subscription("trades", ("BTC/USD",))], None, as_table, chooses)]


@pytest.mark.parametrize(
    ("stream", "symbols", "given", "words"),
    [
        ("trades", ["BTC/USD"], {"output": "jsonl", "tz": "utc"}, "--tz applies to a table; lines carry times"),
        ("book", ["BTC/USD", "ETH/USD"], {"output": "table"}, "a table of book takes one symbol"),
        ("trades", ["BTC/USD"], {"once": True, "count": 1}, "expected --once or --count, got both"),
    ],
)
def test_what_does_not_apply_is_refused(stream: str, symbols: list[str], given: dict[str, Any], words: str) -> None:
    request = StreamRequest("kraken", symbols, **given)
    request.stream = stream
    with pytest.raises(UsageError, match=words):
        watch(request, Heard(), redactor())


@pytest.mark.parametrize("option", ["fields", "template", "where", "until", "on"])
def test_conditions_are_loaded_where_there_is_one(option: str) -> None:
    given: dict[str, Any] = {"fields": "price", "template": "{price}", "on": ["stale"]}
    request = StreamRequest("kraken", ["A"], bell=True, **{option: given.get(option, "stale")})
    kraken, subscription = venue_named("kraken"), Subscription("trades", ("A",))
    assert conditions_of(request, kraken, subscription) is not None
    assert conditions_of(StreamRequest("kraken", ["A"]), kraken, subscription) is None


# --- what is written


def test_events_are_written_and_their_interruptions_told(ran: Ran) -> None:
    lost = status("reconnecting", reason="gone", attempt=1, retry_in_ms=500)
    ran("trades", "A", [status("live"), trade()], lost, 0.5, status("live", down_ms=500))
    assert (ran.code, ran.states) == (0, ["trade", "all reconnecting", "all live"])
    assert ran.said == ["trades: gone; trying again in 0.5 s (try 1)", "trades is live again after 0.5 s"]


@pytest.mark.parametrize(
    ("given", "symbols", "reaches"),
    [
        ({}, "A", True),
        ({"status": "stderr"}, "A", False),
        ({"output": "csv"}, "A", False),
        ({"output": "tsv"}, "A", False),
        ({"raw": True}, "A", False),
        ({"status": "stderr"}, "A B", True),  # what waits has to know how each symbol stands
        ({"output": "csv"}, "A B", True),
        ({"raw": True}, "A B", False),
        ({"fields": "price", "status": "stderr"}, "A", True),  # such lines say how the stream stands
        ({"fields": "price", "output": "csv"}, "A", True),
    ],
)
def test_an_interruption_is_handed_over_where_something_depends_on_it(
    given: dict[str, Any], symbols: str, reaches: bool, ran: Ran
) -> None:
    put: list[Any] = []
    of_output = Output.put

    def noted(self: Output, batch: Any) -> None:
        put.extend(batch)
        of_output(self, batch)

    ran.monkeypatch.setattr(Output, "put", noted)
    stale = status("stale", reason="gap")
    ran("trades", symbols, [status("live"), stale, trade()], **given)
    assert [one for one in put if isinstance(one, Status) and one.state != "live"] == ([stale] if reaches else [])


@pytest.mark.parametrize(
    ("given", "written"), [({"status": "stderr"}, ["trade"]), ({"output": "csv"}, 2), ({"output": "tsv"}, 2)]
)
def test_interruptions_may_be_told_in_words_alone(given: dict[str, Any], written: Any, ran: Ran) -> None:
    ran("trades", "A", [status("live"), trade()], status("stale", reason="gap"), **given)
    assert ran.said == ["trades is stale: gap"]
    assert (ran.states if isinstance(written, list) else len(ran.lines)) == written


def test_that_a_stream_is_partial_is_told_to_a_person_alone(ran: Ran, monkeypatch: pytest.MonkeyPatch) -> None:
    live = status("live", reason="partial: changes since 14:02")
    for is_person in (False, True):
        monkeypatch.setattr(module, "is_terminal", lambda descriptor, is_person=is_person: is_person)
        ran("trades", "A", [live, trade()])
        assert ran.states == ["trade"]
        assert bool(ran.said) is is_person


def test_words_of_several_symbols_are_told_together(ran: Ran) -> None:
    """Trouble at once, with what was to be told a little later; that it is over a little later."""
    ran(
        "trades",
        "A B",
        [status("live"), trade(), trade(symbol="B")],
        [status("stale", "A", reason="gap"), status("stale", "B", reason="gap")],
        1,
        status("live", "A", down_ms=1_000),
        0.3,
        status("live", "B", down_ms=1_300),
        1,
    )
    assert ran.states == ["trade", "trade", "A stale", "B stale", "A live", "B live"]
    assert ran.said == [
        "trades: 2 symbols are stale: gap (A, B)",
        "trades: 2 symbols are live again after 1.3 s (A, B)",
    ]


def test_trouble_of_another_symbol_does_not_wait_for_good_news(ran: Ran) -> None:
    said: list[float] = []

    async def play(deliver: Any) -> None:
        deliver([status("live"), trade(), trade(symbol="B")])
        deliver([status("stale", "A", reason="gap")])
        await asyncio.sleep(1)
        deliver([status("live", "A", down_ms=1_000)])
        await asyncio.sleep(0.1)
        deliver([status("stale", "B", reason="halt")])
        await asyncio.sleep(1)

    say = Heard.say

    def noted(self: Heard, text: str) -> None:
        said.append(seconds())
        say(self, text)

    ran.monkeypatch.setattr(Heard, "say", noted)
    ran.play("trades", "A B", play)
    assert ran.said == [
        "trades A is stale: gap", "trades A is live again after 1.0 s", "trades B is stale: halt",
    ]  # fmt: skip
    assert said == [0, 1.1, 1.1]


def test_words_that_wait_are_said_at_the_end(ran: Ran) -> None:
    ran(
        "trades",
        "A B",
        [status("live"), trade()],
        status("stale", "A", reason="gap"),
        0.1,
        status("live", "A", down_ms=100),
        0.1,
    )
    assert ran.said == ["trades A is stale: gap", "trades A is live again after 0.1 s"]


def test_notices_and_bad_frames_are_told_without_secrets(ran: Ran) -> None:
    ran("trades", "A", [Notice(f"with {SECRET}"), BadFrame("no JSON"), Confirmed("trades"), ClockOffset("trades", 5)])
    assert ran.said == ["with [key]", "bad frame: no JSON"]
    assert ran.lines == []


def test_a_full_state_that_is_empty_is_data(ran: Ran) -> None:
    end = SnapshotEnd(venue="b2trader", received=1, stream="positions", count=0)
    ran("positions", "", [status("live", stream="positions"), end], venue="b2trader", once=True)
    assert (ran.code, ran.states) == (0, ["snapshot_end"])


def test_a_record_of_another_kind_is_written_and_is_no_data(ran: Ran) -> None:
    ran("trades", "A", [status("live"), quote("A")], 1, timeout=100, real=True)
    assert (ran.code, ran.states) == ("no data came within 0.1 s", ["quote"])


# --- frames as they come


def test_frames_are_written_instead_of_records(ran: Ran) -> None:
    binary = base64.b64encode(b"\xff" + SECRET.encode()).decode()

    async def play(deliver: Any) -> None:
        tap = ran.scripted.ran[0]["tap"]
        frame = events.Frame
        for made in (
            frame(at=5, mono=0.0, direction="out", text=f"login {SECRET}"),
            frame(at=6, mono=0.0, direction="in", text="{}"),
            frame(at=7, mono=0.0, direction="in", base64=binary),
        ):
            tap(made)
        tap(events.Opened(at=8, mono=0.0))
        deliver([status("live"), trade(), status("stale", reason="gap")])
        await asyncio.sleep(0.01)

    ran.play("trades", "A", play, raw=True)
    assert [(one["received"], one["direction"], one.get("frame")) for one in ran.lines] == [
        (5, "out", "login [key]"), (6, "in", "{}"), (7, "in", None),
    ]  # fmt: skip
    hidden = base64.b64decode(ran.lines[2]["frame_base64"])
    assert hidden.startswith(b"\xff")
    assert SECRET.encode() not in hidden
    assert ran.said == ["trades is stale: gap"]


@pytest.mark.parametrize(
    ("directions", "is_data"),
    [([], False), (["out"], False), (["in"], True), (["out", "in"], True), (["in", "out"], True)],
)
def test_a_frame_that_came_is_data(directions: list[Any], is_data: bool, ran: Ran) -> None:
    async def play(deliver: Any) -> None:
        deliver([trade()])  # which is not written
        for direction in directions:
            ran.scripted.ran[0]["tap"](events.Frame(at=5, mono=0.0, direction=direction, text="{}"))
        await asyncio.sleep(2)

    ran.play("trades", "A", play, raw=True, timeout=1_000)
    assert ran.code == (0 if is_data else "no data came within 1.0 s")


# --- how it ends


@pytest.mark.parametrize(
    ("given", "steps", "code", "written"),
    [
        ({"timeout": 1_000}, (2,), "no data came within 1.0 s", []),
        ({"timeout": 1_000}, (trade(), 2), 0, ["trade"]),
        ({"once": True}, (trade(), trade(), 2), 0, ["trade"]),
        ({"count": 2}, (trade(), trade(), trade(), 2), 0, ["trade", "trade"]),
        ({"once": True}, (), "the recording ended before there was a complete state", []),
        ({"until": "price > 5"}, (trade(),), "no match of --until came", []),
        ({"until": "price > 5"}, (trade(), trade(9), trade(10)), 0, ["trade"]),
        ({"until": "price > 5", "timeout": 1_000}, (trade(), 2), "no match of --until came within 1.0 s", []),
        ({"where": "price > 5", "once": True}, (trade(),), "no match of --where came", []),
        ({"where": "price > 5"}, (trade(), trade(9)), 0, ["trade"]),
    ],
)
def test_what_a_run_ends_with(given: dict[str, Any], steps: Any, code: Any, written: list[str], ran: Ran) -> None:
    ran("trades", "A", status("live"), *steps, real="timeout" not in given, **given)
    assert (ran.code, ran.states) == (code, written)


def test_with_once_the_first_event_of_any_of_several_symbols_is_enough(ran: Ran) -> None:
    ran("trades", "A B", status("live"), trade(), trade(), once=True, real=True)
    assert (ran.code, ran.states) == (0, ["trade"])


def test_a_status_may_be_what_is_waited_for(ran: Ran) -> None:
    ran("trades", "A", status("live"), status("stale"), until="stale", real=True)
    assert (ran.code, ran.states) == (0, ["all stale"])


@pytest.mark.parametrize(
    ("given", "steps", "code"),
    [
        ({"timeout": 1_000}, (2,), "no data came of A, B within 1.0 s"),
        ({"timeout": 1_000}, (trade(), 2), 0),
        ({"duration": 1_000}, (trade(symbol="B"), 2), 0),
        ({"duration": 1_000}, (2,), "no data came of A, B within 1.0 s"),
    ],
)
def test_what_is_missing_of_several_symbols_is_named(given: dict[str, Any], steps: Any, code: Any, ran: Ran) -> None:
    ran("trades", "A B", status("live"), *steps, **given)
    assert ran.code == code


def test_what_is_missing_of_a_state_of_several_symbols_is_named(ran: Ran) -> None:
    def of(symbol: str) -> Book:
        return Book(venue="kraken", symbol=symbol, received=1, bids=[], asks=[])

    live = status("live", stream="book")
    ran("book", "A B", [live, of("A")], 1, once=True, timeout=250, real=True)
    assert ran.code == "no data came of B within 0.2 s"
    ran("book", "A B", [live, of("A")], once=True, real=True)
    assert ran.code == "the recording ended before there was a complete state: no data came of B"
    ran("book", "A B", [live, of("A"), of("B"), of("A")], once=True, real=True)
    assert (ran.code, ran.states) == (0, ["book", "book"])


def test_symbols_without_data_are_named_up_to_ten(ran: Ran) -> None:
    names = [f"S{number}" for number in range(12)]
    ran("trades", " ".join(names), status("live"), 2, timeout=1_000)
    assert ran.code == f"no data came of {', '.join(names[:10])} and 2 more within 1.0 s"


def test_the_key_to_quit_ends_it_and_others_are_the_tables() -> None:
    async def go() -> None:
        pressed: list[str] = []
        watcher = watcher_of("trades", "A")
        watcher._on_key("x")
        watcher._table = SimpleNamespace(press=pressed.append)  # type: ignore[assignment]
        watcher._on_key("x")
        assert pressed == ["x"]
        assert not watcher._ending.stopping.is_set()
        watcher._on_key("q")
        assert watcher._ending.stopping.is_set()
        assert pressed == ["x"]

    asyncio.run(go())


# --- what commands of --exec say


class Table:
    """A table that notes what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def notice(self, text: str, *, is_alert: bool = False) -> None:
        self.told.append((text, is_alert))

    def alert(self, text: str) -> None:
        self.told.append((text,))

    def confirm(self, stream: str) -> None:
        self.told.append(("confirmed", stream))

    def set_offset(self, stream: str, ms: int) -> None:
        self.told.append(("offset", stream, ms))


def test_without_a_table_it_is_said_on_stderr(monkeypatch: pytest.MonkeyPatch) -> None:
    rung: list[str] = []
    monkeypatch.setattr("cli.run.alerts.ring_terminal", lambda: rung.append("\a"))
    words = Heard()
    watcher = watcher_of("trades", "A", words=words)
    watcher.relay("its line")
    watcher.say(f"it failed with {SECRET}")
    watcher.ring("A: price > 5")
    assert words.said == ["other: its line", "error: it failed with [key]", "error: A: price > 5"]
    assert rung == ["\a"]


def test_a_table_shows_it_in_its_footer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.run.alerts.ring_terminal", lambda: pytest.fail("the table flashes"))
    words, table = Heard(), Table()
    watcher = watcher_of("trades", "A", words=words)
    watcher._table = table  # type: ignore[assignment]
    watcher.relay("its line")
    watcher.say(f"it failed with {SECRET}")
    watcher.ring("A: price > 5")
    watcher._say(f"a notice with {SECRET}")
    watcher._run.flush_due = True  # in a loop it would be asked for
    watcher.deliver([Confirmed("trades"), ClockOffset("trades", 5)])
    assert table.told == [
        ("its line", True), ("it failed with [key]", False), ("A: price > 5",), ("a notice with [key]", False),
        ("confirmed", "trades"), ("offset", "trades", 5),
    ]  # fmt: skip
    assert words.said == []


def test_a_hard_end_kills_what_was_started() -> None:
    killed: list[str] = []
    watcher = watcher_of("trades", "A")
    watcher._end_hard()
    watcher._alerts = SimpleNamespace(kill=lambda: killed.append("all"))  # type: ignore[assignment]
    watcher._end_hard()
    assert killed == ["all"]


# --- a pipe


@pytest.mark.parametrize(
    ("stream", "given", "is_paced"),
    [
        ("book", {}, True),
        ("book", {"raw": True}, False),
        ("book", {"once": True}, False),
        ("trades", {}, False),
        ("book", {"recording": SimpleNamespace()}, False),
    ],
)
def test_states_are_handed_over_as_fast_as_they_are_read(
    stream: str, given: dict[str, Any], is_paced: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(module, "paced", lambda descriptor, beside: asked.append((descriptor, beside)))
    recording = given.pop("recording", None)
    watcher = watcher_of(stream, "A", **given)
    watcher._recording = recording
    assert watcher._make_pipe() is None
    assert asked == ([(1, 2)] if is_paced else [])


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only there a pipe says how much is unread")
def test_in_a_flood_the_thread_that_writes_gets_its_turn(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    switched: list[float] = []
    monkeypatch.setattr(sys, "setswitchinterval", switched.append)
    reading, writing = os.pipe()
    with capfd.disabled():
        kept = os.dup(1)
        os.dup2(writing, 1)
        os.close(writing)
        try:
            Scripted(monkeypatch, script([status("live", stream="book"), book(1)], 0.05))
            assert asyncio.run(watcher_of("book", "A").run()) == 0
        finally:
            os.dup2(kept, 1)
            os.close(kept)
    with os.fdopen(reading) as lines:
        assert [json.loads(line)["type"] for line in lines] == ["book"]
    assert switched == [HAND_OVER_EVERY]


def test_a_row_that_came_late_is_told_unless_a_later_one_supersedes_it() -> None:
    late: list[Any] = []
    watcher = watcher_of("book", "A")
    watcher._run = SimpleNamespace(came_late=late.append)  # type: ignore[assignment]
    watcher._came_late(book(1))
    for until, told in ((None, [book(1), book(2)]), (5.0, [book(1), book(2)])):
        watcher._judge = SimpleNamespace(good_until=lambda record, until=until: until)  # type: ignore[assignment]
        watcher._came_late(book(2))
        assert late == told


def test_what_is_wrong_with_the_queue_is_said_once() -> None:
    async def go() -> None:
        words = Heard()
        watcher = watcher_of("trades", "A", words=words)
        put: list[Any] = []
        watcher._output = SimpleNamespace(put=put.append)  # type: ignore[assignment]
        queue: Any = SimpleNamespace(trouble=None)
        watcher._queue = queue
        for trouble in (None, "the disk is full", "the disk is full", "it is damaged"):
            queue.trouble = trouble
            watcher._batch.append(trade())
            watcher.flush()
        watcher.flush()
        assert put == [[trade()]] * 4
        assert words.said == ["the disk is full", "it is damaged"]

    asyncio.run(go())
