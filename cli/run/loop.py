"""The loop of a run: what comes from the venues, or from a recording, to a consumer, until an end.

Streams, dashboards and bots share it. A frame goes this way: into the recording that is made, through the user's limits
(`--max-age`, `--every`), to the consumer; once a turn of the event loop what was gathered is handed over, the recording
first.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from cli.errors import OK, NoDataError
from cli.output import cells
from cli.run.ending import ended_within
from cli.run.freshness import Limits
from cli.run.options import existing_file
from cli.run.source import Source, until_ended
from venues.errors import MonError, RecordingError, VenueRefused
from venues.recording import Recorder
from venues.venue import Now, has_list

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from cli.run.ending import Ending
    from cli.run.options import RunRequest
    from cli.run.source import Embedded
    from cli.run.symbol_lists import Lists
    from venues.connection import Clock
    from venues.driver import Delivered
    from venues.events import Event
    from venues.recording import Header, Recording
    from venues.records import Record
    from venues.redaction import Redactor
    from venues.venue import Settings, Subscription, Venue

LEAVE_WITHIN = 0.7  # seconds to take leave of the venues in order


class Consumer(Protocol):
    """Who gets what comes. All of it is called in the event loop."""

    def deliver(self, items: list[Delivered], line: int = 0) -> None:
        """Take what one message brought; `line` is the number of its connection, where there are several sources."""
        ...

    def flush(self) -> None:
        """Hand on what was gathered; called after `Loop.flush_soon`."""
        ...

    def played(self, count: int) -> Awaitable[None] | None:
        """So many items of a recording were delivered: what to await until the consumer wants more; None: nothing."""
        ...

    def end_asked(self) -> None:
        """Called when the end is asked for, before the connections to the venues are closed."""
        ...

    def missing(self, option: Literal["timeout", "duration"]) -> str | None:
        """What did not come before the time of the option was over; None when nothing is missing."""
        ...


class Then(NamedTuple):
    """One of several recordings that are played in the order in which they are opened.

    Its lines are numbered from `first_line` on. `begins` is called before it is played, except for the first one, and
    says what is delivered then: the number of a line with its items.
    """

    recording: Recording
    first_line: int
    begins: Callable[[Now], Iterable[tuple[int, list[Delivered]]]]


async def other_work() -> None:
    """Let the event loop do what else is to be done."""
    await asyncio.sleep(0)


class Loop:
    """One run. First `open` for each source and `record`, then `set_timers`, `watch` and `close`."""

    def __init__(
        self,
        request: RunRequest,
        consumer: Consumer,
        *,
        ending: Ending,
        clock: Clock,
        redactor: Redactor,
        recording: Recording | None,
        every: int | None = None,
        last_words_within: float = 0.2,
        at_once: bool = False,
    ) -> None:
        """A `recording` is played instead of connecting. `every`: the option of that name. `last_words_within`: seconds
        that the consumer needs after Ctrl-C or TERM for what it still has to say. `at_once`: a replay at full speed
        waits for the consumer alone, which never asks `now`.
        """
        self.limits = Limits(request.max_age, every)
        self.flush_due = False
        self._request = request
        self._consumer = consumer
        self._ending = ending
        self._clock = clock
        self._redactor = redactor
        self._recording = recording
        self._last_words_within = last_words_within
        self._at_once = at_once
        self._sources: list[Source] = []
        self._thens: list[Then | None] = []  # of each source
        self._once_within_ms: list[int] = []  # of each stream
        self._recorder: Recorder | None = None
        self._see: Callable[[Event], None] | None = None
        self._at: Now | None = None  # when what is being delivered came
        self._played: tuple[Now, float] | None = None  # the time of the latest recorded event, and when it was played
        self._timer: asyncio.TimerHandle | None = None  # rings at the next deadline of the limits
        self._timer_due: float
        self._asyncio: asyncio.AbstractEventLoop
        self._deadlines: list[asyncio.TimerHandle] = []  # of --timeout and --duration
        self._venues: list[Venue] = []  # with a connection
        self._embedded: Embedded | None = None
        self._awaits_data = recording is None
        self._refresh: asyncio.Task[None] | None = None

    # --- setting up

    async def open(
        self,
        venue: Venue,
        subscriptions: Sequence[Subscription],
        embedded: Embedded,
        say: Callable[[str], None],
        *,
        apart: bool = False,
        beside: Mapping[str, Sequence[Subscription]] | None = None,
        then: Then | None = None,
    ) -> Settings:
        """Open one more source; `apart` and `beside` as of `Source`. `then` is of one more recording, see there.

        Raises:
            SetupError: something is missing or cannot be used.
        """
        self._asyncio = asyncio.get_running_loop()
        source = Source(
            venue,
            subscriptions,
            env=self._request.env,
            profile=self._request.profile,
            retries=self._request.retries,
            clock=self._clock,
            redactor=self._redactor,
            recording=self._recording if then is None else then.recording,
            apart=apart,
            first_line=len(self._sources),
            beside=beside,
        )
        settings = await source.open(embedded, say)
        self._sources.append(source)
        self._thens.append(then)
        self._venues.append(venue)
        self._embedded = embedded
        for one in subscriptions:
            self._once_within_ms.append(round(venue.streams[one.stream].once_within * 1000))
        return settings

    def is_open(self) -> bool:
        """Whether anything was opened that can bring data."""
        return bool(self._sources)

    def recorded(self) -> list[tuple[str, list[Subscription]]]:
        """What is played of the recording that was opened last, as `Source.played` says it."""
        return self._sources[-1].played() if self._sources else []

    def record(self, header: Header) -> str | None:
        """Begin to keep all that happens, where that was asked for; what a person should know of how it began.

        Raises:
            RecordingError: the file cannot be written.
        """
        if self._request.record is None:
            return None
        existing = existing_file(self._request)
        self._recorder = Recorder(self._request.record, header, self._redactor, existing)
        return self._recorder.notice

    def tap(self, see: Callable[[Event], None]) -> None:
        """Call `see` with every event before it takes effect."""
        self._see = see

    def set_timers(self) -> None:
        """Start the timers of --timeout and --duration."""
        request, loop = self._request, asyncio.get_running_loop()
        timeout = request.timeout or (max(self._once_within_ms) if request.once and self._sources else None)
        if timeout is not None:
            self._deadlines.append(loop.call_later(timeout / 1000, self._on_timeout, timeout))
        if request.duration is not None:
            self._deadlines.append(loop.call_later(request.duration / 1000, self._on_duration, request.duration))

    def _on_timeout(self, after: int) -> None:
        if (missing := self._consumer.missing("timeout")) is not None:
            self._ending.end(NoDataError(f"{missing} within {cells.duration(after)}"))

    def _on_duration(self, after: int) -> None:
        if (missing := self._consumer.missing("duration")) is not None:
            self._ending.end(NoDataError(f"{missing} within {cells.duration(after)}"))
        else:
            self._ending.stop(OK)

    # --- from the beginning to the end

    async def watch(self) -> None:
        """Deliver what comes until the end is asked for, until the recording ends, or until what comes has ended for
        good; then the venues are left in order. What ended it, if that was not asked for, is the ending's problem."""
        sources = asyncio.create_task(self._run())
        stopping = asyncio.create_task(self._ending.stopping.wait())
        try:
            await asyncio.wait((sources, stopping), return_when=asyncio.FIRST_COMPLETED)
            if self._ending.stopping.is_set():
                self._consumer.end_asked()
            self._leave()
            if self._recording is not None or not self._sources:
                sources.cancel()
            await ended_within(sources, self._leave_within())
            problem = None if sources.cancelled() else sources.exception()
            if problem is not None and not self._ending.stopping.is_set():
                self._ending.problem = problem
                await self._suggest(problem, stopping)
        finally:
            sources.cancel()
            stopping.cancel()
            if self._refresh is not None:
                self._refresh.cancel()  # whatever it was about: the end is not held up

    async def _suggest(self, problem: BaseException, stopping: asyncio.Task[Any]) -> None:
        """Say with a refusal of symbols what may be meant by them, unless somebody does not want to wait for that."""
        if not (isinstance(problem, VenueRefused) and problem.symbols) or problem.late or self._recording is not None:
            return
        venue = next((one for one in self._venues if one.name == problem.venue), None)
        if venue is None or (lists := self._lists()) is None:
            return
        for deadline in self._deadlines:  # what has ended the run is not that nothing came in time
            deadline.cancel()
        suggesting = asyncio.create_task(lists.with_suggestion(problem, venue))
        await asyncio.wait((suggesting, stopping), return_when=asyncio.FIRST_COMPLETED)
        if suggesting.done() and suggesting.exception() is None:
            self._ending.problem = suggesting.result()
        suggesting.cancel()

    def _lists(self) -> Lists | None:
        """The lists of symbols of the venues that have one; None where none of these has."""
        if self._embedded is None or not any(map(has_list, self._venues)):
            return None
        from cli.run.symbol_lists import Lists

        return Lists(self._request.env, self._request.profile, self._redactor, self._embedded)

    def data_came(self) -> None:
        """Look beside the run whether the lists of symbols that are kept for Tab are of the last day.

        To be called by a consumer that does not ask to be flushed; of another one, what it misses is asked.
        """
        if self._awaits_data:
            self._awaits_data = False
            if (lists := self._lists()) is not None:
                self._refresh = asyncio.create_task(lists.refresh(dict.fromkeys(self._venues)))

    def stop_limits(self) -> None:
        """Stop the timer of the limits: they say nothing from now on."""
        if self._timer is not None:
            self._timer.cancel()

    def close(self) -> str | None:
        """Put what was recorded into its file; to be called also after an error.

        After Ctrl-C or TERM, whose exit code stays, the result says what could not be written; else it is None.

        Raises:
            RecordingError: the file cannot be written any more.
        """
        self.stop_limits()
        try:
            if self._recorder is not None:
                self._recorder.close()
        except RecordingError as error:
            if not self._ending.hurried:
                raise
            return str(error)
        return None

    def _leave_within(self) -> float | None:
        """The seconds that may be taken to leave the venues in order."""
        hurry = self._ending.hurry_left()
        return LEAVE_WITHIN if hurry is None else hurry - self._last_words_within

    def _leave(self) -> None:
        for source in self._sources:
            source.leave()

    async def _run(self) -> None:
        if not self._sources and self._recording is None:
            await asyncio.Event().wait()  # a bot without a market goes on with its other work
        match self._sources:
            case [source]:
                await self._run_source(source)
            case _ if any(then is not None for then in self._thens):
                await self._run_in_order()
            case _:
                await self._run_several()
        if self._recording is not None and (rest := self.limits.rest()):
            self._consumer.deliver(rest)

    async def _run_several(self) -> None:
        tasks = [asyncio.create_task(self._run_source(source, line)) for line, source in enumerate(self._sources)]
        try:
            await until_ended(tasks)
        finally:
            self._leave()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _run_in_order(self) -> None:
        """Play several recordings, one after the other."""
        for source, then in zip(self._sources, self._thens, strict=True):
            if then is not None and then.first_line:
                now = self.at()
                self.limits.forget_before(then.first_line)
                self._say(then.begins(now), now)
            await self._run_source(source, then=then)

    async def _run_source(self, source: Source, line: int = 0, then: Then | None = None) -> None:
        # From the first source the consumer is called without a step between: 100,000 items a second may come.
        deliver = self._consumer.deliver if line == 0 else partial(self._consumer.deliver, line=line)
        speed = self._request.speed or 1.0
        await source.run(
            partial(self._limited, line) if self.limits else deliver,
            deliver_replayed=self._replayed if then is None else partial(self._replayed, first_line=then.first_line),
            speed=speed,
            pauses=not (self._at_once and speed == math.inf),
            tap=self._tap if self._recorder is not None or self._see is not None else None,
        )

    # --- what comes

    def at(self) -> Now:
        """When what is being delivered came; in a replay as it was recorded."""
        return self._at or self._clock.now()

    def now(self) -> Now:
        """Our clocks; in a replay the recording's, which go on between two events."""
        assert not self._at_once, "it was said that nobody asks"
        now, played = self._clock.now(), self._played
        if played is None:
            return now
        recorded, at = played
        speed = self._request.speed or 1.0
        gone = (now.mono - at) * (speed if speed < math.inf else 1.0)
        return Now(recorded.mono + gone, recorded.epoch_ms + round(gone * 1000))

    def came_late(self, record: Record) -> None:
        """--max-age has passed while a record waited for its reader. May be called from any thread."""
        with contextlib.suppress(RuntimeError):  # the event loop is gone
            self._asyncio.call_soon_threadsafe(self._on_late, record)

    def flush_soon(self) -> None:
        """Hand over, once in this turn of the event loop, what has been gathered by then."""
        if not self.flush_due:
            self.flush_due = True
            asyncio.get_running_loop().call_soon(self.flush)

    def flush(self) -> None:
        """Hand over what has been gathered; what is shown is in the recording already."""
        self.flush_due = False
        if self._recorder is not None:
            try:
                self._recorder.flush()
            except MonError as error:
                self._ending.end(error)
        self._consumer.flush()
        if self._awaits_data and self._consumer.missing("timeout") is None:
            self.data_came()

    def _tap(self, event: Event) -> None:
        if self._recorder is not None:
            self._recorder.write(event)
        if self._see is not None:
            self._see(event)
        self.flush_soon()

    def _limited(self, line: int, items: list[Delivered]) -> None:
        self._at = now = self._clock.now()
        self._consumer.deliver(self.limits.passes(items, line, now), line)
        self._arm(now)

    def _replayed(self, items: list[Delivered], now: Now, line: int, *, first_line: int = 0) -> Awaitable[None] | None:
        """The limits go by the recorded time: what they would have said between two events comes between them."""
        limits = self.limits
        limited = not limits.nothing
        while limited and (due := limits.deadline()) is not None and due <= now.mono:
            due = min(max(due, (self._at or now).mono), now.mono)  # what came last may have made it due, no earlier
            self._tick(Now(due, now.epoch_ms - round((now.mono - due) * 1000)))
        line += first_line
        self._at = now
        if not self._at_once:
            self._played = now, self._clock.now().mono
        self._consumer.deliver(limits.passes(items, line, now) if limited and limits else items, line)
        return self._consumer.played(len(items))

    # --- the limits' own time

    def _arm(self, now: Now) -> None:
        """A timer that rings too early is left alone, since the deadline moves with each message."""
        due = self.limits.deadline()
        if due is None or self._recording is not None or (self._timer is not None and self._timer_due <= due):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_due = due
        self._timer = asyncio.get_running_loop().call_later(due - now.mono, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        now = self._clock.now()
        self._tick(now)
        self._arm(now)

    def _tick(self, now: Now) -> None:
        self._say(self.limits.tick(now), now)

    def _on_late(self, record: Record) -> None:
        now = self._clock.now()
        self._say(self.limits.came_late(record, now), now)

    def _say(self, said: Iterable[tuple[int, list[Delivered]]], now: Now) -> None:
        self._at = now
        for line, items in said:
            self._consumer.deliver(items, line)
