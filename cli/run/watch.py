"""The loop of a stream command: records to a table, or records to lines, until somebody has had enough."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import math
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec import structs

from cli.errors import OK, NoDataError
from cli.interrupts import run_loop
from cli.output import cells
from cli.output.gaps import Gap, no_words
from cli.output.lines import (
    STDERR,
    STDOUT,
    CsvLines,
    JsonLines,
    Limit,
    Output,
    Queue,
    RawFrame,
    Sink,
    Words,
    draws_table,
    is_terminal,
)
from cli.output.pipe import Pipe, paced
from cli.output.queues import EventQueue, LatestEvents
from cli.output.states import StateQueue
from cli.output.statuses import Seldom, StatusGate, in_words
from cli.output.weights import Shortener
from cli.run.asked import asked_for, for_table
from cli.run.ending import Ending, Reading, ended_within
from cli.run.freshness import Every, MaxAge
from cli.run.options import StreamRequest, check_for_lines, check_together, existing_file, view_options
from cli.run.source import Embedded, Source
from cli.screen.keys import take_terminal
from venues import events
from venues.connection import SystemClock
from venues.errors import MonError
from venues.recording import Recorder, Recording, header_for
from venues.records import Record, SnapshotEnd, Status
from venues.redaction import Redactor  # noqa: TC001
from venues.streams import STREAMS
from venues.venue import (
    BadFrame,
    ClockOffset,
    Confirmed,
    Notice,
    Now,
    Settings,
    Subscription,
    has_full_states,
    symbol_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cli.screen.look import Look
    from cli.screen.pane import Pane
    from cli.views import Loaded
    from venues.driver import Delivered
    from venues.venue import Venue

ONCE_TIMEOUT_MS = 30_000
LEAVE_WITHIN = 0.7  # seconds to take leave of the venue in order
LAST_WORDS_WITHIN = 0.2  # seconds for what waits for a reader, after Ctrl-C or TERM
STATES_WITHIN = 1.0  # seconds for states that wait for a reader at the end
HAND_OVER_EVERY = 0.001  # seconds: in a flood of frames the output thread gets its turn, since it hands over little
LAST_TABLE_WITHIN = 0.3  # seconds, also for who presses Ctrl-C twice or holds it down


def watch(request: StreamRequest, words: Words, redactor: Redactor) -> int:
    """Watch one stream; the exit code.

    Raises:
        MonError: whatever ended it that was not asked for.
    """
    check_together(request)
    if not _as_table(request):
        check_for_lines(request)
    recording = None if request.replay is None else Recording(request.replay)
    venue, subscription = asked_for(request, recording)
    watcher = Watcher(request, venue, [subscription], recording, words, redactor)
    return run_loop(watcher.run())


class Watcher:
    """One stream from its connection to the reader. Everything but the output thread runs in one event loop."""

    def __init__(
        self,
        request: StreamRequest,
        venue: Venue,
        subscriptions: Sequence[Subscription],
        recording: Recording | None,
        words: Words,
        redactor: Redactor,
    ) -> None:
        self._request = request
        self._venue = venue
        self._subscriptions = subscriptions
        self._recording = recording
        self._words = words
        self._redactor = redactor
        self._stream = STREAMS[subscriptions[0].stream]
        self._as_table = _as_table(request)
        self._shorten = Shortener(redactor) if self._as_table else None
        self._clock = SystemClock()
        self._source = Source(
            venue,
            [for_table(one) if self._as_table else one for one in subscriptions],
            env=request.env,
            profile=request.profile,
            retries=request.retries,
            clock=self._clock,
            redactor=redactor,
            recording=recording,
            apart=len(subscriptions) > 1,
        )
        self._gate = StatusGate()
        self._raw = request.raw
        # That a full state is here is data too: it may be empty.
        self._data_types = {SnapshotEnd, *(STREAMS[subscription.stream].record for subscription in subscriptions)}
        self._stages: list[MaxAge | Every] = []
        self._stage_timer: asyncio.TimerHandle | None = None
        self._replayed: Now | None = None  # the recorded time of what a replay plays
        self._played: tuple[Now, float] | None = None  # and the monotonic time at which it was played
        self._batch: list[Any] = []
        self._flush_due = False
        self._bad_frames = 0
        self._seldom = Seldom(self._say)
        self._data_seen = False
        self._said_trouble: str | None = None
        self._ending = Ending()
        self._recorder: Recorder | None = None
        self._table: Any = None
        self._reading: Reading | None = None  # once the end was asked for

    async def run(self) -> int:
        """Until it ends; the exit code."""
        self._loop = asyncio.get_running_loop()
        # What was imported stays, and frames make no cycles: looking for garbage rarely is a tenth of the speed.
        gc.freeze()
        gc.set_threshold(50_000, 20, 100)
        with contextlib.ExitStack() as stack:
            self._ending.take_signals(stack)
            embedded = Embedded()
            try:
                self._open_output(await self._source.open(embedded, self._words.say))
                if self._table is not None:
                    take_terminal(stack, self._table, self._on_key, self._ending.stop)
                self._set_timers()
                await self._watch()
            finally:
                await embedded.close()
        return self._ending.result()

    # --- setting up

    def _open_output(self, settings: Settings) -> None:
        request = self._request
        if request.max_age is not None:
            for one in self._subscriptions:
                label, symbol = settings.label, symbol_of(one)
                self._stages.append(
                    MaxAge(request.max_age, one.stream, venue=self._venue.name, env=label, symbol=symbol)
                )
        if request.every is not None:
            self._stages.append(Every(request.every))
        offer = self._venue.streams[self._stream.name]
        ends_with_snapshot = has_full_states(self._stream, offer) and not request.raw
        limit = Limit(count=request.count, once=request.once, ends_with_snapshot=ends_with_snapshot)
        if request.record is not None:  # first: where it cannot be, nothing has begun
            header = header_for(self._venue.name, settings, self._subscriptions)
            self._recorder = Recorder(request.record, header, self._redactor, existing_file(request))
        self._pipe = self._make_pipe()
        if self._pipe is not None:
            sys.setswitchinterval(HAND_OVER_EVERY)
        self._queue = self._make_queue(settings)
        self._output = Output(
            self._queue, self._make_sink(settings), limit, self._ending.on_output_end, pipe=self._pipe
        )
        self._output.start()
        if self._recorder is not None and self._recorder.notice is not None:
            self._say(self._recorder.notice)

    def _make_pipe(self) -> Pipe | None:
        """States that go on coming are handed over as fast as they are read. Of --once there is one, for all time."""
        request = self._request
        if self._as_table or self._stream.kind == "event" or request.raw or request.once or self._recording is not None:
            return None
        return paced(STDOUT, beside=STDERR)

    def _make_queue(self, settings: Settings) -> Queue:
        gap = self._gap(self._subscriptions[0], settings)
        if self._as_table:
            own = _view_module(self._request, self._stream.name).queue
            if own is not None:
                return own()
            return LatestEvents() if self._stream.kind == "event" else StateQueue(on_overflow=gap.in_rows)
        inline = self._request.status == "inline" and not self._request.raw
        if self._stream.kind == "event" or self._request.raw or self._recording:
            return EventQueue(gap.in_events) if inline else EventQueue()
        return StateQueue(
            self._mono,
            reader=self._pipe,
            good_until=self._good_until(),
            on_late=self._on_late,
            on_overflow=gap.in_rows if inline else no_words,
        )

    def _gap(self, subscription: Subscription, settings: Settings) -> Gap:
        return Gap(
            subscription.stream,
            venue=self._venue.name,
            env=settings.label,
            symbol=symbol_of(subscription),
            partial=self._venue.streams[subscription.stream].partial,
            epoch_ms=lambda: self._clock.now().epoch_ms,
        )

    def _mono(self) -> float:
        return self._clock.now().mono

    def _good_until(self) -> Callable[[Record], float | None] | None:
        return next((stage.good_until for stage in self._stages if isinstance(stage, MaxAge)), None)

    def _on_late(self, record: Record) -> None:
        """In the output thread: --max-age has passed while the record waited."""
        with contextlib.suppress(RuntimeError):  # the loop is gone
            self._loop.call_soon_threadsafe(self._tell_late)

    def _tell_late(self) -> None:
        now = self._clock.now()
        for index, stage in enumerate(self._stages):
            if isinstance(stage, MaxAge) and (items := stage.came_late(now)):
                self._deliver_from(index + 1, items, now)

    def _make_sink(self, settings: Settings) -> Sink:
        request = self._request
        to_terminal = is_terminal(STDOUT)
        if self._as_table:
            from cli.screen.pane import Rate

            self._rate = Rate()
            sink: Sink = self._make_table(settings, self._look(), on_terminal=to_terminal)
            return sink
        if request.output == "csv":
            return CsvLines(self._stream.record, to_terminal=to_terminal, redactor=self._redactor)
        return JsonLines(
            numbers_as_strings=request.numbers == "string", to_terminal=to_terminal, redactor=self._redactor
        )

    def _make_table(self, settings: Settings, look: Look, *, on_terminal: bool) -> Any:
        from cli.screen.table import Table

        pane = self._pane(self._subscriptions[0], settings, look)
        self._table = Table(pane, look, on_terminal=on_terminal, wake=lambda: self._output.wake())
        return self._table

    def _pane(self, subscription: Subscription, settings: Settings, look: Look) -> Pane:
        from cli.screen.pane import Pane, Title

        stream, offer = STREAMS[subscription.stream], self._venue.streams[subscription.stream]
        title = Title(self._venue.name, settings.label, subscription.symbols, stream, partial=offer.partial)
        options = view_options(self._request, stream.name, offer)
        view = _view_module(self._request, stream.name).view
        return Pane(partial(view, **options), title, look, self._rate, self._redactor)

    def _look(self) -> Look:
        from cli.screen.terminal import look_for

        return look_for(
            self._request.palette,
            self._request.tz,
            to_terminal=is_terminal(STDOUT),
            epoch_ms=lambda: self._now().epoch_ms,
            mono_ms=lambda: round(self._now().mono * 1000),
        )

    def _now(self) -> Now:
        """Our clocks; in a replay the recording's, which go on between two events."""
        now, played = self._clock.now(), self._played
        if played is None:
            return now
        recorded, at = played
        speed = self._request.speed or 1.0
        gone = (now.mono - at) * (speed if speed < math.inf else 1.0)
        return Now(recorded.mono + gone, recorded.epoch_ms + round(gone * 1000))

    def _set_timers(self) -> None:
        request = self._request
        timeout = request.timeout or (ONCE_TIMEOUT_MS if request.once else None)
        if timeout is not None:
            self._loop.call_later(timeout / 1000, self._on_timeout, timeout)
        if request.duration is not None:
            self._loop.call_later(request.duration / 1000, self._on_duration)

    def _on_timeout(self, timeout: int) -> None:
        if not self._data_seen:
            self._ending.end(NoDataError(f"no data came within {cells.duration(timeout)}"))

    def _on_duration(self) -> None:
        if self._data_seen:
            self._ending.stop(OK)
        else:
            self._ending.end(NoDataError(f"no data came within {cells.duration(self._request.duration or 0)}"))

    # --- ending

    def _on_key(self, key: str) -> None:
        if key == "q":
            self._ending.stop(OK)
        else:
            self._table.press(key)

    # --- watching

    async def _watch(self) -> None:
        source = asyncio.create_task(self._run_source())
        stopping = asyncio.create_task(self._ending.stopping.wait())
        try:
            await asyncio.wait((source, stopping), return_when=asyncio.FIRST_COMPLETED)
            if self._ending.stopping.is_set():
                # States that wait are not current for much longer.
                self._reading = Reading(self._output, math.inf if self._pipe is None else STATES_WITHIN)
            if self._recording is None:
                self._source.leave()
            else:
                source.cancel()
            await ended_within(source, self._leave_within())
            if not source.cancelled():
                self._take_result(source.exception())
        finally:
            source.cancel()
            stopping.cancel()
            await self._finish_output()
            if self._recorder is not None:
                self._recorder.close()

    def _leave_within(self) -> float | None:
        """The venue is taken leave of in order, if it does not take too long."""
        hurry = self._ending.hurry_left()
        return LEAVE_WITHIN if hurry is None else max(0.0, hurry - LAST_WORDS_WITHIN)

    async def _run_source(self) -> None:
        await self._source.run(
            self._deliver,
            deliver_replayed=self._deliver_replayed,
            speed=self._request.speed or 1.0,
            tap=self._tap if self._recorder is not None or self._request.raw else None,
        )
        for stage in self._stages if self._recording is not None else ():
            if isinstance(stage, Every):
                self._deliver_after_stages(stage.rest())

    def _take_result(self, problem: BaseException | None) -> None:
        if self._ending.stopping.is_set():
            return
        if problem is not None:
            self._ending.problem = problem
        elif self._request.once:
            self._ending.problem = NoDataError("the recording ended before there was a complete state")

    async def _finish_output(self) -> None:
        """What waits for its reader is written while that goes on reading; after a signal there is little patience."""
        self._flush()
        self._seldom.last_words()
        self._output.finish()
        interrupted = self._ending.next_signal()
        ended = asyncio.create_task(self._ending.output_ended.wait())
        while not ended.done() and not interrupted.done():
            patience = self._patience()
            if patience is not None and patience <= 0:
                break
            await asyncio.wait((ended, interrupted), timeout=patience, return_when=asyncio.FIRST_COMPLETED)
        if interrupted.done() and self._table is not None:
            await asyncio.wait((ended,), timeout=LAST_TABLE_WITHIN)
        if interrupted.done() and not ended.done():
            self._ending.code, self._ending.problem = interrupted.result(), None
        elif not ended.done() and self._reading is not None and not self._ending.hurried:
            left = await self._reading.left()
            if left is not None:
                self._words.say(left)
        interrupted.cancel()
        ended.cancel()
        if self._reading is not None:
            self._reading.stop()

    def _patience(self) -> float | None:
        """Seconds to wait for the reader; None: as long as it takes, since nobody has asked for the end."""
        hurry = self._ending.hurry_left()
        if hurry is not None or self._reading is None:
            return hurry
        return self._reading.seconds_left()

    # --- what comes in

    def _deliver(self, items: list[Delivered]) -> None:
        """On the hot path: records are gathered and handed over once in each turn of the loop."""
        if self._stages or self._raw:
            items = self._through_stages(items)
        if self._table is not None:
            self._rate.see(items)
        batch, data, shorten = self._batch, self._data_types, self._shorten
        for item in items:
            if item.__class__ in data:
                batch.append(item if shorten is None else shorten(item))
                self._data_seen = True
            elif isinstance(item, Status):
                if item.reason is not None:
                    item = structs.replace(item, reason=self._redactor.text(item.reason))
                if self._on_status(item):
                    batch.append(item)
            elif isinstance(item, Record):
                batch.append(item)
            elif isinstance(item, Confirmed):
                self._on_confirmed(item)
            elif isinstance(item, ClockOffset):
                self._on_offset(item)
            elif isinstance(item, BadFrame | Notice):
                self._on_words(item)
        if not self._flush_due:
            self._flush_soon()

    async def _deliver_replayed(self, items: list[Delivered], now: Now, _line: int) -> None:
        """The queue of a replay leaves nothing out; keys and signals are looked at between two events."""
        while (due := self._stages_due()) is not None and due <= now.mono:
            self._tick_stages(Now(due, now.epoch_ms - round((now.mono - due) * 1000)))
        self._replayed = now
        self._played = (now, self._clock.now().mono)
        self._deliver(items)
        await asyncio.sleep(0)

    def _flush_soon(self) -> None:
        if not self._flush_due:
            self._flush_due = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_due = False
        if self._recorder is not None:
            try:
                self._recorder.flush()
            except MonError as error:
                self._ending.end(error)
        if self._batch:
            batch, self._batch = self._batch, []
            self._output.put(batch)
            trouble = getattr(self._queue, "trouble", None)
            if trouble is not None and trouble != self._said_trouble:
                self._said_trouble = trouble
                self._seldom.say("trouble", trouble)

    def _through_stages(self, items: list[Delivered]) -> list[Delivered]:
        if self._request.raw:
            return [item for item in items if not isinstance(item, Record) or isinstance(item, Status)]
        now = self._replayed or self._clock.now()
        for stage in self._stages:
            items = _passed(stage, items, now)
        self._arm_stages(now)
        return items

    def _arm_stages(self, now: Now) -> None:
        if self._recording is not None:
            return  # whose time is its own
        if self._stage_timer is not None:
            self._stage_timer.cancel()
        due = self._stages_due()
        self._stage_timer = None if due is None else self._loop.call_later(max(0.0, due - now.mono), self._tick_stages)

    def _stages_due(self) -> float | None:
        return min((due for stage in self._stages if (due := stage.deadline()) is not None), default=None)

    def _tick_stages(self, at: Now | None = None) -> None:
        now = at or self._clock.now()
        for index, stage in enumerate(self._stages):
            if items := stage.tick(now):
                self._deliver_from(index + 1, items, now)
        self._arm_stages(now)

    def _deliver_from(self, index: int, items: list[Delivered], now: Now) -> None:
        """What a stage says of itself goes through those after it."""
        for later in self._stages[index:]:
            items = _passed(later, items, now)
        if items:
            self._deliver_after_stages(items)

    def _deliver_after_stages(self, items: list[Delivered]) -> None:
        stages, self._stages = self._stages, []
        try:
            self._deliver(items)
        finally:
            self._stages = stages

    def _tap(self, event: events.Event) -> None:
        """Sees every event before it takes effect."""
        if self._recorder is not None:
            self._recorder.write(event)
        if self._request.raw and isinstance(event, events.Frame):
            self._data_seen = self._data_seen or event.direction == "in"
            self._batch.append(_raw(event, self._redactor))
        self._flush_soon()

    # --- what is said

    def _on_status(self, status: Status) -> bool:
        """Says it in words; whether it belongs into the stream."""
        inline = self._gate.passes(status)
        words = in_words(status)
        # That a healthy stream is partial is news to a person, not to a script that knows it by the documentation.
        if words is not None and (inline or self._as_table or is_terminal(STDERR)):
            self._seldom.say("status", words)
        if self._as_table:
            return True
        return inline and self._request.status == "inline" and self._request.output != "csv" and not self._request.raw

    def _on_confirmed(self, confirmed: Confirmed) -> None:
        """Nothing to print: what was printed is still so."""
        if self._table is not None:
            self._table.confirm(confirmed.stream)

    def _on_offset(self, offset: ClockOffset) -> None:
        """What is printed has the venue's times as they are; a table tells ages by them."""
        if self._table is not None:
            self._table.set_offset(offset.stream, offset.ms)

    def _on_words(self, item: BadFrame | Notice) -> None:
        if isinstance(item, Notice):
            self._say(item.text)
            return
        self._bad_frames += 1
        so_far = "" if self._bad_frames == 1 else f" ({self._bad_frames} so far)"
        self._seldom.say("bad frame", f"bad frame{so_far}: {item.reason}")

    def _say(self, text: str) -> None:
        text = self._redactor.text(text)
        if self._table is not None:
            self._table.notice(text)
        else:
            self._words.say(text)


def _passed(stage: MaxAge | Every, items: list[Delivered], now: Now) -> list[Delivered]:
    if isinstance(stage, Every):
        return stage.passes(items, now)
    return [passed for item in items for passed in stage.passes(item, now)]


def _as_table(request: StreamRequest) -> bool:
    return not request.raw and draws_table(request.output)


def _view_module(request: StreamRequest, stream: str) -> Loaded:
    from cli.views import loaded

    return loaded("tail" if request.tail else stream)


def _raw(event: events.Frame, redactor: Redactor) -> RawFrame:
    if event.text is not None:
        return RawFrame(event.at, event.direction, frame=redactor.text(event.text))
    hidden = events.frame_event(event.direction, redactor.data(event.data()), Now(event.mono, event.at), event.line)
    return RawFrame(event.at, event.direction, frame=hidden.text, frame_base64=hidden.base64)
