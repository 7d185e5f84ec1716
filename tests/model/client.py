"""Everything of `mon` between the socket and the reader, with the socket's other end in the model's hands.

The sessions, the driver, the keepalive, the limits and the queues are the real ones. What is written anew here is only
what `venues/connection.py` and `cli/run/loop.py` do with asyncio: to look when something is due.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from cli.output.queues import EventQueue
from cli.output.states import StateQueue
from cli.output.statuses import StatusGate
from cli.run.freshness import Limits
from tests.model.clock import VirtualClock
from tests.model.judge import Judge, Reading, insist
from tests.model.screen import Screen
from tests.model.speaker import Sent, Speaker
from venues import venue_named
from venues.connection import LONGEST_ABSENCE, MESSAGE_WITHIN, PING_ANSWER_WITHIN, PING_EVERY, SMALLEST_STEP
from venues.driver import Driver
from venues.keepalive import LATE, Keepalive, step_between
from venues.made import routes_of
from venues.records import Record, Status
from venues.streams import STREAMS
from venues.venue import Close, Fetch, Now, Settings, SocketPing, Subscription, Veiled

AT_ONCE = 0.2  # seconds: within a shorter time a message may still be on its way
LATENCY = 0.02  # seconds that an HTTP answer and a dial take
MOST_TURNS = 20_000  # looks at what is due within one advance, beyond which a deadline does not move


class SlowReader:
    """The reader of a pipe: how many lines it takes at once, whether it is behind, and when nobody looked at it."""

    def __init__(self) -> None:
        self.room = 1_000
        self.slow = False
        self.away: tuple[float, float] | None = None

    def is_slow(self) -> bool:
        return self.slow


class Client:
    """One run of `mon STREAM VENUE`, from the socket to the reader. Time goes on by `advance` alone."""

    def __init__(self, speaker: Speaker, clock: VirtualClock, *, max_age: int | None, every: int | None = None) -> None:
        self.speaker = speaker
        self.clock = clock
        venue = venue_named(speaker.venue)
        self.subscription = Subscription(speaker.stream, speaker.symbols, depth=speaker.depth)
        settings = Settings(speaker.url, values=speaker.values, rest_url=speaker.rest_url)
        (route,) = routes_of(venue, [self.subscription], settings)
        self.driver = Driver(route, [self.subscription], venue=venue.name)
        self.judge = Judge(speaker, clock)
        self.limits = Limits(max_age, every)
        self.limits.expect(self.subscription, venue.name, None)
        self.max_age = max_age
        self.every = every
        self.gate = StatusGate()
        self.reader = SlowReader()
        self.reading = Reading(speaker, clock, self.judge)
        if max_age is not None:
            self.reading.max_age = max_age / 1000
        self.screen = Screen(speaker, clock)
        self.queue: Any = EventQueue()
        if STREAMS[speaker.stream].kind == "state":
            self.queue = StateQueue(clock.seconds, reader=self.reader, good_until=self.limits.good_until())
        self.line: deque[Sent] = deque()  # from the venue, not delivered yet
        self.delivered: deque[Sent] = deque(maxlen=8)  # data of this connection, for repetitions
        self.held: list[Any] = []  # from the client, while the line is stalled
        self.keepalive: Keepalive | None = None
        self.pings: deque[float] = deque()
        self.stalled_at: float | None = None
        self.answers: deque[int] = deque()  # what the next dials get: an HTTP status, or 0 for no connection at all
        self.seen = clock.now()
        self.next_beat = 0.0
        self.woke_at = 0.0  # when this process went on after it was stopped
        self.is_broken = False  # the rule was broken, or an exception came out: nothing more is to be expected
        self.dial()

    # --- connecting

    @property
    def is_open(self) -> bool:
        """Whether there is a WebSocket."""
        return self.keepalive is not None

    @property
    def is_over(self) -> bool:
        """Whether the line has ended for good."""
        return self.driver.ended is not None

    def dial(self) -> None:
        """Try to connect."""
        opening = self.driver.begin(self.speaker.secrets, 0.5).opening()
        try:
            next(opening)
        except StopIteration:
            pass
        else:
            raise AssertionError("the model answers no requests before dialling")
        now = self.clock.now()
        if self.answers:
            status = self.answers.popleft()
            if status:
                self.deliver(self.driver.answered(status, "", None, now))
            else:
                self.deliver(self.driver.failed("no connection", now))
            return
        self.judge.connection_begins()
        self.keepalive = Keepalive(now.mono, every=PING_EVERY, within=PING_ANSWER_WITHIN, message_within=MESSAGE_WITHIN)
        self.seen = now
        self.next_beat = now.mono + (self.speaker.beat_every or 0.0)
        self.line.extend(self.speaker.connected())
        self.deliver(self.driver.opened(now))
        self.send()

    def lose(self, code: int | None = None, reason: str = "") -> None:
        """The connection is gone; what was under way with it."""
        if not self.is_open:
            return
        now = self._with_signs()
        self._forget_line()
        if self.driver.retry_at is None:
            self.deliver(self.driver.closed(code, reason, now))
        self.judge.has_no_line()

    def _forget_line(self) -> None:
        self.keepalive, self.stalled_at = None, None
        self.line.clear()
        self.delivered.clear()
        self.held.clear()
        self.pings.clear()

    # --- to the venue

    def send(self) -> None:
        """Hand what the client wants sent to the venue; it lies on the way while the line is stalled."""
        self.held += self.driver.take()
        if self.stalled_at is not None or not self.is_open:
            return
        held, self.held = self.held, []
        for out in held:
            match out:
                case SocketPing():
                    self.line.append(Sent(pong=0.0))
                case Fetch(id=name, request=request):
                    answer, version = self.speaker.fetched(request)
                    self.line.append(Sent(version=version, answer=(name, answer), full=True))
                case Close():
                    self.line.append(Sent(closes=1000))
                case Veiled(text=text) | str(text):
                    self.line.extend(self.speaker.heard(text))
                case bytes():
                    self.line.extend(self.speaker.heard(out.decode()))

    # --- from the venue

    def receive(self, count: int = 1) -> None:
        """The next messages of the venue's reach the client."""
        while count and self.line and self.is_open and self.stalled_at is None:
            count -= 1
            self._receive(self.line.popleft(), readable=True)
            if self.driver.retry_at is not None and self.is_open:
                self._forget_line()

    def receive_garbled(self) -> None:
        """The next data message reaches the client, and cannot be read."""
        sent = self.line.popleft()
        # A partial stream forgets its rows now, and what came before is no news when it comes again.
        if self.speaker.kind == "partial":
            repeated = [one for one in self.line if one.is_data and one in self.delivered]
            for one in repeated:
                self.line.remove(one)
            self.delivered.clear()
        self._receive(self.speaker.garbled(sent), readable=False)
        if self.driver.retry_at is not None and self.is_open:
            self._forget_line()

    def _receive(self, sent: Sent, *, readable: bool) -> None:
        self._look_at_clock()
        now = self.clock.now()
        assert self.keepalive is not None
        self.keepalive.bytes_came(now.mono, more_awaited=False)
        if sent.closes is not None:
            self.lose(sent.closes)
            return
        self.keepalive.message_came(now.mono)
        if sent.is_data and readable:
            self.delivered.append(sent)
        self.judge.delivers(sent, readable=readable)
        if sent.pong is not None:
            self.deliver(self.driver.pong(now))
        elif sent.answer is not None:
            self.deliver(self.driver.fetched(*sent.answer, now))
        else:
            self.deliver(self.driver.receive(sent.frame, now))
        self.send()

    # --- time

    def advance(self, seconds: float) -> None:
        """Let time pass; what is due on the way is done when it is due, and what the venue sends arrives at once."""
        until = self.clock.mono + seconds
        for _ in range(MOST_TURNS):
            if seconds > AT_ONCE:
                self.receive(len(self.line))
            due = min(self._next_due(), until)
            self.clock.mono = max(self.clock.mono, due)
            self._do_what_is_due()
            if self.clock.mono >= until and self._next_due() > until:
                return
        raise AssertionError(f"{MOST_TURNS} turns in {seconds} s: a deadline does not move ({self._next_due()})")

    def sleep(self, seconds: float) -> None:
        """This process is stopped for so long: time passes, and nothing is done meanwhile."""
        before = self.clock.mono
        self.clock.go_on(seconds)
        self.woke_at = self.clock.mono
        self._look_at_clock()
        if seconds > LONGEST_ABSENCE:
            self.reader.away = before, self.clock.mono
        if seconds > LONGEST_ABSENCE and self.is_open and self.driver.retry_at is None:
            self._forget_line()
            reason = f"mon was stopped for {seconds:.0f} s, and what came meanwhile is old"
            now = self.clock.now()
            self.deliver(self.driver.closed(None, reason, Now(now.mono, now.epoch_ms, before)))
        self.advance(0.0)

    def _next_due(self) -> float:
        moments = [self.driver.deadline(), self.limits.deadline()]
        if self.driver.retry_at is not None and not self.is_over:
            moments.append(self.driver.retry_at + LATENCY)
        if self.keepalive is not None:
            moments.append(self.keepalive.due())
            if self.speaker.beat_every is not None:
                moments.append(self.next_beat)
        return min((moment for moment in moments if moment is not None), default=float("inf"))

    def _do_what_is_due(self) -> None:
        self._look_at_clock()
        now = self.clock.now()
        if (due := self.limits.deadline()) is not None and due <= now.mono:
            for _, items in self.limits.tick(now):
                self._consume(items)
        self.reading.is_fresh()
        if self.keepalive is not None:
            self._keep_alive(now)
        if self.keepalive is not None and self.speaker.beat_every is not None and self.next_beat <= now.mono:
            self.next_beat = now.mono + self.speaker.beat_every
            for beat in self.speaker.beat():
                if not self.line and self.stalled_at is None:
                    self._receive(beat, readable=True)
                else:
                    self.line.append(beat)
        if (due := self.driver.deadline()) is not None and due <= now.mono:
            self.deliver(self.driver.tick(self._with_signs()))
            self.send()
            if self.driver.retry_at is not None and self.is_open:
                self._forget_line()
        if self.driver.retry_at is not None and not self.is_over and self.driver.retry_at + LATENCY <= now.mono:
            self.dial()
        if not self.is_open:
            self.judge.has_no_line()
        elif self.stalled_at is not None and now.mono >= self.woke_at + LATE:
            # Whoever was stopped when an answer was due may have it in the socket, and looks once more.
            self.judge.has_silence(now.mono - self.stalled_at)

    def _keep_alive(self, now: Now) -> None:
        """The connection's own pings: answered at once, but on a stalled line."""
        keepalive = self.keepalive
        assert keepalive is not None
        if problem := keepalive.problem(now.mono):
            self.lose(None, problem)
            return
        if keepalive.ping_due(now.mono):
            keepalive.pinged(now.mono)
            if self.stalled_at is None:
                keepalive.bytes_came(now.mono, more_awaited=False)
                keepalive.answered(now.mono)
            else:
                self.pings.append(now.mono)

    def stall(self) -> None:
        """From here on nothing goes over the line, either way."""
        if self.is_open and self.stalled_at is None:
            self.stalled_at = self.clock.mono

    def go_on(self) -> None:
        """The line works again, and what was under way arrives."""
        if self.stalled_at is None or self.keepalive is None:
            return
        self.stalled_at = None
        self.keepalive.bytes_came(self.clock.mono, more_awaited=False)
        while self.pings:
            self.keepalive.answered(self.pings.popleft())
        self.send()

    def _look_at_clock(self) -> None:
        """As `Connection._was_absent` does it: a step of our clock is said."""
        before, self.seen = self.seen, self.clock.now()
        step = step_between(before, self.seen)
        if self.is_open and abs(step) >= SMALLEST_STEP:
            self.deliver(self.driver.stepped(round(step * 1000)))

    def _with_signs(self) -> Now:
        now = self.clock.now()
        return now if self.keepalive is None else Now(now.mono, now.epoch_ms, self.keepalive.heard, None)

    # --- out

    def deliver(self, items: list[Any]) -> None:
        """What the driver delivers, first to the judge, then on through limits and queue."""
        self.is_broken = True
        self.judge.look_at(items)
        self.is_broken = False
        now = self.clock.now()
        self._consume(self.limits.passes(items, 0, now) if self.limits else items)

    def _consume(self, items: Any) -> None:
        """As `Watcher.deliver`: records go into the queue, statuses where they belong."""
        items = list(items)
        self.screen.take(items)
        batch: list[Record] = []
        for item in items:
            self.reading.passes(item)
            if isinstance(item, Status):
                if self.gate.passes(item):
                    batch.append(item)
            elif isinstance(item, Record):
                batch.append(item)
        if batch:
            self.queue.put(batch)

    def read(self) -> None:
        """The reader takes what is handed over at once."""
        self.is_broken = True
        self.reading.reads(self.queue.take())
        if not self.queue.waiting() and not self.limits:
            self.reading.has_all(held_back=False)
        self.is_broken = False

    def draw(self, width: int, height: int) -> None:
        """The table is drawn; with --max-age some of what was given may be held back."""
        self.is_broken = True
        self.screen.draw(width, height, None if self.limits else self.judge.fold.rows)
        self.is_broken = False

    def heal(self) -> None:
        """All faults end: the line works, the venue lets us in, and the reader reads everything."""
        self.answers.clear()
        self.go_on()
        self.reader.slow, self.reader.room = False, 1_000
        for turn in range(40):
            while self.line and self.is_open:
                self.receive(len(self.line))
            if self.is_over:
                break
            if self.judge.fold.state == "live" and self.is_open and not self.line:
                break
            self.advance(5.0)
            if turn % 4 == 3 and self.is_open:  # a venue where nothing happens at all may owe us a first state
                self.line.extend(self.speaker.change())
        while self.queue.waiting():
            self.read()
            self.advance(AT_ONCE / 2)  # what waited while mon was stopped is handed over only after a moment
        self.read()
        self.draw(90, 24)
        if not self.is_over:
            state = self.judge.fold.state
            insist(state == "live", f"the venue has sent everything for 200 s, and the stream is {state}")
