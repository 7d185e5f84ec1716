"""The loop of a run, with a consumer that only writes down what it gets."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Literal

import pytest

from cli.errors import NoDataError
from cli.output.lines import Words
from cli.run.ending import Ending
from cli.run.loop import Loop
from cli.run.options import StreamRequest
from cli.run.source import Embedded
from cli.run.watch import watch
from tests.bot.recordings import BEGIN, SYMBOL, book, came, opened, write
from venues import venue_named
from venues.connection import SystemClock
from venues.driver import Delivered
from venues.recording import Recording
from venues.records import Book, Status
from venues.redaction import Redactor
from venues.venue import Now, Subscription

SUBSCRIPTION = Subscription("book", (SYMBOL,))


class Written:
    """A consumer that writes down what it gets."""

    def __init__(self) -> None:
        self.got: list[tuple[int, str, bool]] = []  # when, what, and whether --max-age said it
        self.flushed = 0
        self.loop: Loop
        self.whole: list[tuple[list[Delivered], int]] = []

    def deliver(self, items: list[Delivered], line: int = 0) -> None:
        self.whole.append((items, line))
        for item in items:
            what = item.state if isinstance(item, Status) else type(item).__name__
            self.got.append((self.loop.at().epoch_ms - BEGIN, what, self.loop.limits.says(item)))
        self.loop.flush_soon()

    def flush(self) -> None:
        self.flushed += 1

    async def played(self, count: int) -> None:
        await asyncio.sleep(0)

    def end_asked(self) -> None:
        self.got.append((0, "end asked", False))

    def missing(self, option: Literal["timeout", "duration"]) -> str | None:
        return None if self.got else f"nothing for --{option} came"


def loop_of(consumer: Written, recording: Recording | None, **fields: Any) -> tuple[Loop, Ending]:
    request = StreamRequest("nexus", [SYMBOL], speed=float("inf"), **fields)
    ending = Ending()
    consumer.loop = Loop(
        request,
        consumer,
        ending=ending,
        clock=SystemClock(),
        redactor=Redactor(),
        recording=recording,
        every=request.every,
    )
    return consumer.loop, ending


def played(file: Path, **fields: Any) -> Written:
    consumer = Written()

    async def go() -> None:
        loop, ending = loop_of(consumer, Recording(file), **fields)
        await loop.open(venue_named("nexus"), [SUBSCRIPTION], Embedded(), print)
        loop.limits.expect(SUBSCRIPTION, "nexus", None)
        await loop.watch()
        loop.close()
        assert ending.result() == 0

    asyncio.run(go())
    return consumer


def test_the_limits_of_a_replay_go_by_the_recorded_time(tmp_path: Path) -> None:
    """What they say between two events is said there, and at that time."""
    events = [
        *opened(BEGIN),
        came(BEGIN + 10, book(BEGIN + 10, "99", "101")),
        came(BEGIN + 5_000, book(BEGIN + 5_000, "100", "102")),
    ]
    got = played(write(tmp_path / "r.jsonl", events, streams=["book"]), max_age=1_000).got
    assert got[-5:] == [
        (10, "live", False),
        (10, "Book", False),
        (1_010, "stale", True),
        (5_000, "live", True),
        (5_000, "Book", False),
    ]


def test_what_every_holds_back_comes_at_the_end_of_a_replay(tmp_path: Path) -> None:
    events = [*opened(BEGIN), *(came(BEGIN + n, book(BEGIN + n, str(n), "101")) for n in range(1, 8))]
    consumer = played(write(tmp_path / "r.jsonl", events, streams=["book"]), every=1_000)
    books = [one for items, _ in consumer.whole for one in items if isinstance(one, Book)]
    assert [str(one.bids[0].price) for one in books] == ["1.0", "7.0"]


def test_nothing_goes_on_behind_a_run_that_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    async def go() -> None:
        forever = asyncio.Event()
        monkeypatch.setattr(Loop, "_run", lambda _: forever.wait())
        loop, _ = loop_of(Written(), None)
        watching = asyncio.create_task(loop.watch())
        for _ in range(3):
            await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) == 4
        watching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await watching
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(go())


def test_a_replay_that_is_to_end_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async def go() -> None:
        forever = asyncio.Event()
        monkeypatch.setattr(Loop, "_run", lambda _: forever.wait())
        monkeypatch.setattr(Loop, "_leave_within", lambda _: 60.0)
        loop, ending = loop_of(Written(), Recording(write(tmp_path / "r.jsonl", opened(BEGIN), streams=["book"])))
        loop._sources = [Left()]  # type: ignore[list-item]
        ending.stop(0)
        async with asyncio.timeout(10):
            await loop.watch()

    class Left:
        def leave(self) -> None:
            """There is nothing to leave."""

    asyncio.run(go())


def test_a_deadline_that_moves_on_makes_no_new_timer() -> None:
    made: list[float] = []

    async def go() -> None:
        consumer = Written()
        loop, _ = loop_of(consumer, None, max_age=60_000)
        loop.limits.expect(SUBSCRIPTION, "nexus", None)
        running = asyncio.get_running_loop()
        call_later = running.call_later
        running.call_later = lambda *given: (made.append(given[0]), call_later(*given))[1]  # type: ignore
        now = SystemClock().now()
        loop._limited(0, [Status(venue="nexus", received=now.epoch_ms, stream="book", state="live")])
        for _ in range(100):
            loop._limited(0, [Book(venue="nexus", received=now.epoch_ms, bids=[], asks=[])])
        assert consumer.whole[-1][1] == 0
        assert len(consumer.whole) == 101
        loop.close()

    asyncio.run(go())
    assert len(made) == 1


def test_a_timer_that_rang_too_early_is_made_again() -> None:
    """The deadline moved on with a later message, after which nothing comes any more."""

    async def go() -> None:
        consumer = Written()
        loop, _ = loop_of(consumer, None, max_age=60_000)
        loop.limits.expect(SUBSCRIPTION, "nexus", None)
        now = SystemClock().now()
        loop._limited(0, [Status(venue="nexus", received=now.epoch_ms, stream="book", state="live")])
        assert loop._timer is not None
        loop._timer.cancel()
        loop._on_timer()
        assert [what for _, what, _ in consumer.got] == ["live"]
        assert loop._timer is not None
        assert not loop._timer.cancelled()
        assert 50 < loop._timer.when() - asyncio.get_running_loop().time() <= 60
        loop.close()

    asyncio.run(go())


@pytest.mark.parametrize("option", ["timeout", "duration"])
def test_an_end_by_time_without_data_is_told_as_the_consumer_says(option: str) -> None:
    async def go() -> None:
        loop, ending = loop_of(Written(), None, **{option: 10})
        loop.set_timers()
        await loop.watch()  # without a source: until the end
        ending.result()

    with pytest.raises(NoDataError, match=rf"nothing for --{option} came within 0.0 s"):
        asyncio.run(go())


@pytest.mark.parametrize("more", [[], [came(BEGIN + 20, book(BEGIN + 20, "98", "101"))]])
def test_once_is_satisfied_by_the_last_event_of_a_recording(tmp_path: Path, more: list[Any]) -> None:
    events = [*opened(BEGIN), came(BEGIN + 10, book(BEGIN + 10, "99", "101")), *more]
    request = StreamRequest("nexus", [SYMBOL], replay=write(tmp_path / "r.jsonl", events, streams=["book"]), once=True)
    request.stream, request.speed, request.output = "book", float("inf"), "jsonl"
    assert watch(request, Words(), Redactor()) == 0


def test_once_of_a_recording_without_a_state(tmp_path: Path) -> None:
    file = write(tmp_path / "r.jsonl", opened(BEGIN), streams=["book"])
    request = StreamRequest("nexus", [SYMBOL], replay=file, once=True, speed=float("inf"), output="jsonl")
    request.stream = "book"
    with pytest.raises(NoDataError, match="before there was a complete state"):
        watch(request, Words(), Redactor())


def test_times_of_a_replay_go_on_between_two_events(tmp_path: Path) -> None:
    """At full speed as at ours: what is drawn gets older."""
    file = write(tmp_path / "r.jsonl", [*opened(BEGIN), came(BEGIN + 10, book(BEGIN, "99", "101"))], streams=["book"])
    loop = played(file).loop
    now, later = loop.now(), loop.now()
    assert isinstance(now, Now)
    assert BEGIN + 10 <= now.epoch_ms < BEGIN + 10_000
    assert later.mono > now.mono
