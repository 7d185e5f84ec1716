"""A stream command: what its loop delivers to a table or to lines, until somebody has had enough."""

from __future__ import annotations

import asyncio
import contextlib
import math
import sys
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from cli.errors import OK, NoDataError
from cli.interrupts import at_hard_end, may_take, run_loop
from cli.output.gaps import Gap, no_words
from cli.output.lines import (
    STDERR,
    STDOUT,
    Limit,
    Output,
    Queue,
    RawFrame,
    Sink,
    Unprinted,
    Words,
    draws_table,
    is_terminal,
)
from cli.output.pipe import Pipe, paced
from cli.output.queues import EventQueue
from cli.output.states import StateQueue
from cli.output.statuses import BadFrames, Seldom, StatusGate, Together, in_words
from cli.output.symbols import named
from cli.output.weights import Shortener
from cli.run.asked import asked_for, check_for_table, flags_of, for_table
from cli.run.ending import Ending, Reading
from cli.run.garbage import calm_collector
from cli.run.loop import Loop, other_work
from cli.run.options import CHOICES, CONDITIONS, StreamRequest, check_for_lines, check_together, view_options
from cli.run.picture import OneTable, Picture, shown_by
from cli.run.sinks import line_sink
from cli.run.source import Embedded
from venues import events
from venues.connection import SystemClock
from venues.recording import Recording, header_for
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
    has_several,
    symbol_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.output.chosen import Standing
    from cli.run.alerts import Alerts
    from cli.run.conditioned import Conditioned
    from cli.run.judging import Judge
    from cli.screen.header import Rate
    from cli.screen.look import Look
    from cli.screen.pane import Pane
    from cli.screen.table import Table
    from venues.driver import Delivered
    from venues.venue import Venue

LAST_WORDS_WITHIN = 0.2  # seconds for what waits for a reader, after Ctrl-C or TERM
STATES_WITHIN = 1.0  # seconds for states that wait for a reader at the end
HAND_OVER_EVERY = 0.001  # seconds: in a flood of frames the output thread gets its turn, since it hands over little
MOST_MISSING = 10  # symbols without data that are named
LAST_TABLE_WITHIN = 0.3  # seconds for the last table, also when Ctrl-C is pressed twice or held down


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
    if _as_table(request):
        check_for_table(subscription, venue)
    picture = OneTable(request, subscription) if _as_table(request) else None
    conditioned = conditions_of(request, venue, subscription)
    return run_loop(Watcher(request, venue, [subscription], recording, words, redactor, picture, conditioned).run())


def conditions_of(request: StreamRequest, venue: Venue, subscription: Subscription) -> Conditioned | None:
    """What the request has of conditions; None, and nothing more is loaded, where it has none."""
    if all(getattr(request, option) is None for option in (*CHOICES, *CONDITIONS)):
        return None
    from cli.run.conditioned import Conditioned

    return Conditioned(request, subscription, venue.streams[subscription.stream], as_table=_as_table(request))


class Watcher:
    """What the loop delivers of one stream, or of several that are drawn together, on its way to the reader.

    Everything but the output thread runs in one event loop. Without a `picture` lines are written.
    """

    def __init__(
        self,
        request: StreamRequest,
        venue: Venue,
        subscriptions: Sequence[Subscription],
        recording: Recording | None,
        words: Words,
        redactor: Redactor,
        picture: Picture | None = None,
        conditioned: Conditioned | None = None,
    ) -> None:
        self._request = request
        self._conditioned = conditioned
        self._judge: Judge | None = None
        self._standing: Standing | None = None  # for lines that say how the stream stands
        self._alerts: Alerts | None = None
        self._judges = False  # here; otherwise the limits have it judged on its way
        self._venue = venue
        self._subscriptions = subscriptions
        self._recording = recording
        self._words = words
        self._redactor = redactor
        self._picture = picture
        first, *others = subscriptions
        self._stream = STREAMS[first.stream]
        self._shorten = None if picture is None else Shortener(redactor)
        self._clock = SystemClock()
        self._ending = Ending()
        self._run = Loop(
            request,
            self,
            ending=self._ending,
            clock=self._clock,
            redactor=redactor,
            recording=recording,
            every=request.every,
            last_words_within=LAST_WORDS_WITHIN,
        )
        self._gate = StatusGate()
        # Of several symbols of one stream each stands by itself, and those with the same news are told together.
        self._symbols = first.symbols if not others and has_several(first) else ()
        self._unseen = set(self._symbols)
        self._together = Together()
        self._telling: tuple[float, asyncio.TimerHandle] | None = None
        self._raw = request.raw
        # The end of a full state counts as data too: the state may be empty.
        self._data_types = {SnapshotEnd, Unprinted, *(STREAMS[one.stream].record for one in subscriptions)}
        self._batch: list[Any] = []
        self._bad_frames = BadFrames()
        self._seldom = Seldom(self._say)
        self._data_seen = False
        self._said_trouble: str | None = None
        self._table: Table | None = None
        self._rate: Rate | None = None  # messages a second, for a table only
        self._reading: Reading | None = None  # set when the end is asked for

    async def run(self) -> int:
        """Run until something ends it, and return the exit code."""
        calm_collector()
        with contextlib.ExitStack() as stack:
            self._ending.take_signals(stack)
            if self._request.exec is not None:
                from cli.run.alerts import AT_END

                stack.enter_context(may_take(AT_END))
                stack.enter_context(at_hard_end(self._end_hard))
            embedded = Embedded()
            try:
                await self._open(embedded)
                if self._table is not None:
                    from cli.screen.keys import take_terminal

                    take_terminal(stack, self._table, self._on_key, self._ending.stop)
                self._run.set_timers()
                await self._watch()
            finally:
                await embedded.close()
        code = self._ending.result()
        if code == OK and self._request.until is not None and (missing := self._no_match()) is not None:
            raise NoDataError(missing)
        return code

    def _end_hard(self) -> None:
        if self._alerts is not None:
            self._alerts.kill()

    # --- setting up

    async def _open(self, embedded: Embedded) -> None:
        apart, several = self._subscriptions, len(self._subscriptions) > 1
        wanted = apart if self._picture is None else [for_table(one) for one in apart]
        settings = await self._run.open(self._venue, wanted, embedded, self._words.say, apart=several)
        self.open_output(settings)

    def open_output(self, settings: Settings) -> None:
        """Begin to write or to draw, in a thread of its own.

        Raises:
            RecordingError: the file of --record cannot be written.
        """
        request = self._request
        for one in self._subscriptions:
            self._run.limits.expect(one, self._venue.name, settings.label)
        offer = self._venue.streams[self._stream.name]
        of_each = self._stream.kind == "state" and not offer.partial and not request.raw
        self._limit = Limit(
            count=None if self._conditioned is not None and self._conditioned.answers else request.count,
            once=request.once,
            ends_with_snapshot=has_full_states(self._stream, offer) and not request.raw,
            each_of=self._symbols if of_each else (),
        )
        if self._conditioned is not None and self._conditioned.judges:
            self._alerts = self._conditioned.alerts(self, self._redactor)
            self._judge = self._conditioned.judge(now=self._run.at, alerts=self._alerts)
            self._run.limits.judge = self._judge
            self._judges = not self._run.limits
        # This comes first: when the recording cannot be written, nothing has begun.
        notice = self._run.record(header_for(self._venue.name, settings, self._subscriptions))
        if request.raw:
            self._run.tap(self._see)
        self._pipe = self._make_pipe()
        if self._pipe is not None:
            sys.setswitchinterval(HAND_OVER_EVERY)
        self._queue = self._make_queue(settings)
        self._output = Output(
            self._queue, self._make_sink(settings), self._limit, self._ending.on_output_end, pipe=self._pipe
        )
        self._output.start()
        for text in (notice, None if self._picture is None else self._picture.remark()):
            if text is not None:
                self._say(text)

    def _make_pipe(self) -> Pipe | None:
        """States that go on coming are handed over as fast as they are read. Of --once there is one, for all time."""
        request = self._request
        if (
            self._picture is not None
            or self._stream.kind == "event"
            or request.raw
            or request.once
            or self._recording is not None
        ):
            return None
        return paced(STDOUT, beside=STDERR)

    def _make_queue(self, settings: Settings) -> Queue:
        gaps = {one.stream: self._gap(one, settings) for one in self._subscriptions}
        if self._picture is not None:
            return self._picture.queue(gaps)
        gap = gaps[self._stream.name]
        inline = self._request.status == "inline" and not self._request.raw
        if self._stream.kind == "event" or self._request.raw or self._recording:
            return EventQueue(gap.in_events) if inline else EventQueue()
        good_until = self._run.limits.good_until()
        if self._judge is not None and self._pipe is not None:
            from cli.run.conditioned import good_until as also_good_until

            good_until = also_good_until(self._judge, good_until)
        return StateQueue(
            self._mono,
            reader=self._pipe,
            several=bool(self._symbols),
            good_until=good_until,
            on_late=self._came_late,
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

    def _came_late(self, record: Record) -> None:
        if self._judge is None or self._judge.good_until(record) is None:  # else a later record has superseded it
            self._run.came_late(record)

    def _mono(self) -> float:
        return self._clock.now().mono

    def _make_sink(self, settings: Settings) -> Sink:
        request = self._request
        if self._picture is not None:
            return self._make_table(self._picture, settings, on_terminal=is_terminal(STDOUT))
        sink, self._standing = line_sink(request, self._stream, self._conditioned, self._redactor, self._run.now)
        return sink

    def _make_table(self, picture: Picture, settings: Settings, *, on_terminal: bool) -> Sink:
        from cli.screen.header import Rate

        self._rate, look = Rate(), self._look()
        panes = {one.stream: self._pane(one, settings, look, self._rate) for one in self._subscriptions}
        wake = lambda: self._output.wake()  # noqa: E731  there is none yet
        self._table = picture.table(panes, settings.label, look, self._rate, wake, on_terminal=on_terminal)
        return self._table

    def _pane(self, subscription: Subscription, settings: Settings, look: Look, rate: Rate) -> Pane:
        from cli.screen.pane import Pane, Title

        stream, offer = STREAMS[subscription.stream], self._venue.streams[subscription.stream]
        symbols, several = subscription.symbols, has_several(subscription)
        title = Title(
            self._venue.name,
            settings.label,
            symbols,
            stream,
            partial=offer.partial,
            several=several,
            flags=[
                *flags_of(self._venue, subscription),
                *(() if self._conditioned is None else self._conditioned.flags()),
            ],
            filtered=self._conditioned is not None and bool(self._conditioned.flags()),
        )
        options = view_options(self._request, stream.name, offer)
        view = shown_by(self._request, stream.name).view
        return Pane(partial(view, **options), title, look, rate, self._redactor)

    def _look(self) -> Look:
        from cli.screen.terminal import look_for

        return look_for(
            self._request.palette,
            self._request.tz,
            to_terminal=is_terminal(STDOUT),
            epoch_ms=lambda: self._run.now().epoch_ms,
            mono_ms=lambda: round(self._run.now().mono * 1000),
        )

    # --- ending

    def _on_key(self, key: str) -> None:
        if key == "q":
            self._ending.stop(OK)
        elif self._table is not None:
            self._table.press(key)

    def missing(self, option: Literal["timeout", "duration"]) -> str | None:
        """Says that no data came, and of which symbols; None when some did, or, with --once, of all of them."""
        if (missing := self._no_match()) is not None:
            return missing
        if not self._symbols:
            return None if self._data_seen else "no data came"
        if self._data_seen and not self._request.once:
            return None
        return self._lacking() or "no complete state came"

    def _no_match(self) -> str | None:
        """Says that no match came where one is waited for; None when nothing is missing."""
        judge = self._judge
        if judge is None or self._conditioned is None:
            return None
        self._data_seen, self._unseen = judge.data_came, judge.unseen
        was_printed = judge.counts or not self._limit.is_match_behind()
        return self._conditioned.missing(judge, printed=self._limit.reached, match_printed=was_printed)

    def _lacking(self) -> str | None:
        """Says of which of several symbols there is no data; None when there is of all."""
        missing = self._limit.missing() or [symbol for symbol in self._symbols if symbol in self._unseen]
        return f"no data came of {named(missing, MOST_MISSING)}" if missing else None

    def end_asked(self) -> None:
        """Watch from now on whether the reader goes on reading: states that wait do not stay current for long."""
        has_match = self._judge is not None and self._judge.match is not None
        self._reading = Reading(self._output, math.inf if self._pipe is None or has_match else STATES_WITHIN)

    async def _watch(self) -> None:
        ending = self._ending
        try:
            await self._run.watch()
        finally:
            asked_for = ending.stopping.is_set()
            signalled = await self._finish_output()
            if self._alerts is not None:
                await self._finish_alerts(self._alerts, signalled)
            if lost := self._run.close():
                self._say(lost)
        if self._request.once and not (asked_for or self._limit.reached or ending.problem or ending.code):
            if (missing := self._no_match()) is None:
                lacking = f": {words}" if self._symbols and (words := self._lacking()) is not None else ""
                missing = f"the recording ended before there was a complete state{lacking}"
            ending.problem = NoDataError(missing)

    async def _finish_alerts(self, alerts: Alerts, signalled: int | None) -> None:
        """Let what `--on` has started, or has still to start, end; one more signal ends it at once.

        `signalled`: the exit code of one that has come already."""
        self._table = None  # it is gone from the screen: what is said now goes to stderr
        next_signal = self._ending.next_signal()
        if signalled is not None:
            next_signal.set_result(signalled)
        is_cut = await alerts.finish(next_signal)
        if is_cut and next_signal.done():
            self._ending.cut_short(next_signal.result())
        next_signal.cancel()

    async def _finish_output(self) -> int | None:
        """Let what waits for its reader be written while that goes on reading; after a signal, not for long.

        Returns the exit code of one more signal that came meanwhile.
        """
        self._run.flush()
        self._tell_together()
        self._seldom.last_words()
        self._output.finish()
        next_signal = self._ending.next_signal()
        after_signal = 0.0 if self._table is None else LAST_TABLE_WITHIN
        left = await self._ending.until_written(self._reading, next_signal, after_signal=after_signal)
        if left is not None:
            self._words.say(left)
        signalled = next_signal.result() if next_signal.done() else None
        next_signal.cancel()
        return signalled

    # --- what comes in

    def deliver(self, items: Sequence[Delivered], line: int = 0) -> None:
        """On the hot path: records are gathered and handed over once in each turn of the loop."""
        if self._raw:
            items = [item for item in items if not isinstance(item, Record) or isinstance(item, Status)]
        if self._rate is not None:
            self._rate.see(items)
        judge = self._judge
        if judge is not None and self._judges:
            items = () if self._limit.reached else judge.passes(items)
        batch, data, shorten = self._batch, self._data_types, self._shorten
        for item in items:
            kind: type = item.__class__
            if kind in data:
                batch.append(item if shorten is None or kind is Unprinted else shorten(item))
                self._data_seen = True
                if self._unseen:
                    self._unseen.discard(item.symbol)  # type: ignore[union-attr]  # it is a record
            elif isinstance(item, Status):
                self._on_status(item, items)
                batch = self._batch
            elif isinstance(item, Record):
                batch.append(item)
            elif isinstance(item, Confirmed):
                self._on_confirmed(item)
            elif isinstance(item, ClockOffset):
                self._on_offset(item)
            elif isinstance(item, BadFrame | Notice):
                self._on_words(item)
        if judge is not None and judge.is_over:
            if any(item is judge.match for item in items):  # it is the last of its kind: nothing passes after it
                kind = judge.match.__class__
                self._limit.match = next((one for one in reversed(batch) if one.__class__ is kind), None)
            self._ending.stop(OK)
        if not self._run.flush_due:
            self._run.flush_soon()

    async def played(self, count: int) -> None:
        """Let keys and signals in between two events. The queue of a replay leaves nothing out."""
        await other_work()

    def flush(self) -> None:
        """Hand what was gathered to the output thread."""
        if self._batch:
            batch, self._batch = self._batch, []
            self._output.put(batch)
            trouble = getattr(self._queue, "trouble", None)
            if trouble is not None and trouble != self._said_trouble:
                self._said_trouble = trouble
                self._seldom.say("trouble", trouble)

    def _see(self, event: events.Event) -> None:
        """Gather the frames themselves, for --raw."""
        if isinstance(event, events.Frame):
            self._data_seen = self._data_seen or event.direction == "in"
            self._batch.append(_raw(event, self._redactor))

    # --- what is said

    def _on_status(self, status: Status, beside: Sequence[Delivered]) -> None:
        """Into the stream where it belongs there, then in words: who has read them gets no older state after it."""
        if self._judge is not None and status is self._judge.match:
            if self._standing is not None:
                self._standing.always = status
            self._batch.append(status)
            return
        if self._picture is not None:
            self._batch.append(status)
            if self._symbols:
                self._tell_soon(status)
            elif (words := self._picture.words(status, beside)) is not None:
                self._seldom.say("status", words)
            return
        inline = self._gate.passes(status)
        request = self._request
        # Of several symbols the queue and --once have to know how each stands, also where it is not written.
        written = request.status == "inline" and request.output not in ("csv", "tsv")
        # A sink that knows how the stream stands is told of each status, and writes what belongs into its lines.
        if self._standing is not None or (inline and (written or self._symbols) and not request.raw):
            self._batch.append(status)
            self.flush()
        # That a healthy stream is partial is news to a person, not to a script that knows it by the documentation.
        if not (inline or is_terminal(STDERR)):
            return
        if self._symbols:
            self._tell_soon(status)
        elif (words := in_words(status)) is not None:
            self._seldom.say("status", words)

    def _tell_soon(self, status: Status) -> None:
        """Say it of one of several symbols, together with what is said of the others at that moment."""
        now = self._mono()
        self._together.add(status, now)
        due = self._together.due()
        if due is None or (self._telling is not None and self._telling[0] <= due):
            return
        if self._telling is not None:
            self._telling[1].cancel()
        self._telling = due, asyncio.get_running_loop().call_later(due - now, self._tell_together)

    def _tell_together(self) -> None:
        if self._telling is not None:
            self._telling[1].cancel()
            self._telling = None
        for words in self._together.take(self._mono()):
            self._say(words)

    def _on_confirmed(self, confirmed: Confirmed) -> None:
        """Tell a table that what it shows is still so. Lines need nothing."""
        if self._table is not None:
            self._table.confirm(confirmed.stream)

    def _on_offset(self, offset: ClockOffset) -> None:
        """Tell a table how far the clocks differ: its ages need that. Lines have the venue's times as they are."""
        if self._standing is not None:
            self._standing.set_offset(offset.ms)
        if self._table is not None:
            self._table.set_offset(offset.stream, offset.ms)

    def _on_words(self, item: BadFrame | Notice) -> None:
        if isinstance(item, Notice):
            self._say(item.text)
        else:
            self._seldom.say("bad frame", self._bad_frames.words(item.reason))

    def relay(self, text: str) -> None:
        """Show a line of a command of --exec: on stderr, in a table in the footer."""
        if self._table is not None:
            self._table.notice(text, is_alert=True)
        else:
            self._words.of_other(text)

    def say(self, text: str) -> None:
        """Say what became of a command of --exec. It is never left out."""
        if self._table is not None:
            self._table.notice(self._redactor.text(text))
        else:
            self._words.error(self._redactor.text(text))

    def ring(self, text: str) -> None:
        """Ring the terminal; a table flashes its header, and its footer says why."""
        if self._table is not None:
            self._table.alert(text)
            return
        from cli.run.alerts import ring_terminal

        ring_terminal()
        self._words.error(text)

    def _say(self, text: str) -> None:
        text = self._redactor.text(text)
        if self._table is not None:
            self._table.notice(text)
        else:
            self._words.say(text)


def _as_table(request: StreamRequest) -> bool:
    chooses = request.fields is not None or request.template is not None
    return not (request.raw or chooses) and draws_table(request.output)


def _raw(event: events.Frame, redactor: Redactor) -> RawFrame:
    if event.text is not None:
        return RawFrame(event.at, event.direction, frame=redactor.text(event.text))
    hidden = events.frame_event(event.direction, redactor.data(event.data()), Now(event.mono, event.at), event.line)
    return RawFrame(event.at, event.direction, frame=hidden.text, frame_base64=hidden.base64)
