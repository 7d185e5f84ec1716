"""THE client socket: opens it, reads it, sends, watches its deadlines, and opens it again. Knows no venue.

The reader awaits nothing but the socket. A consumer inside it that takes half a second a frame would make the
library's keepalive close the line while old frames go on coming out as if live; what is delivered must therefore
be taken at once (`deliver` does not block).
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from typing import TYPE_CHECKING, Protocol, TypeVar

from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode

from venues import FAULT_OF_MON, events, fault_in
from venues.answers import closing_of
from venues.driver import fault_in_words
from venues.errors import MonError, SetupError
from venues.fetching import Fetcher, Fetches
from venues.keepalive import AGAIN_AFTER, Keepalive, Steps, step_between
from venues.opening import NoConnectionError, Opening
from venues.redaction import secrets_of_proxy
from venues.venue import Close, Fetch, Now, SocketPing, Veiled

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from websockets.asyncio.client import ClientConnection

    from venues.driver import Delivered, Driver
    from venues.opening import Handshake, Socket
    from venues.redaction import Redactor
    from venues.venue import Command, HttpResponse, NoResponse, Out, Session

T = TypeVar("T")

OPEN_TIMEOUT = 10.0
PING_EVERY = 4.0  # with the time for the answer less than 10 s, after which a silent line is reported
PING_ANSWER_WITHIN = 5.0
MESSAGE_WITHIN = 60.0  # seconds in which one message is whole
CLOSE_TIMEOUT = 1.0
ALIVE_EVERY = 1.0  # seconds between two looks at the clock
MOST_IN_A_TURN = 256  # frames that are taken before timers and whoever wants to end get their turn
LONGEST_ABSENCE = 5.0  # seconds without such a look, after which the bytes waiting to be read are old
SMALLEST_STEP = 1.0  # seconds; a smaller step of this machine's clock is not reported


class Clock(Protocol):
    """The time and how to wait for it; tests have a clock of their own."""

    def now(self) -> Now:
        """The time by the monotonic clock (seconds) and since the epoch (milliseconds)."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait on the monotonic clock."""
        ...


class SystemClock:
    """The machine's clocks. The monotonic one goes on while the machine sleeps, where the system has such a clock."""

    def __init__(self) -> None:
        # Linux calls it CLOCK_BOOTTIME, macOS CLOCK_MONOTONIC. Python's `monotonic` stops during sleep on both.
        self._clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC if sys.platform == "darwin" else None)

    def now(self) -> Now:
        """The time by the monotonic clock (seconds) and since the epoch (milliseconds)."""
        mono = time.monotonic() if self._clock is None else time.clock_gettime(self._clock)
        return Now(mono, time.time_ns() // 1_000_000)

    async def sleep(self, seconds: float) -> None:
        """Wait on the monotonic clock."""
        await asyncio.sleep(seconds)


class Connection:
    """Keeps one line connected until told to leave, or until its driver has ended.

    `fetch_secrets` is awaited before each connection. `deliver` gets what comes out, in order, and must not block.
    `tap` sees every event before it takes effect. `proxy`, and `rest_proxy` for requests beside the WebSocket, are
    never used for this machine's own addresses. `user_agent` goes with every HTTP request. Lines that share `steps`
    report a step of the clock only once; those that share a `fetcher` keep to one pace. `tidy` is called before
    each connection but the first, when the one before is needed no more.

    `left_in_order` is true once a connection has ended in order: after `leave`, with everything written and both close
    frames there, or because the venue closed it as normal (code 1000).
    """

    def __init__(
        self,
        driver: Driver,
        *,
        fetch_secrets: Callable[[], Awaitable[Mapping[str, str]]],
        deliver: Callable[[list[Delivered]], None],
        clock: Clock,
        random: Callable[[], float],
        redactor: Redactor,
        tap: Callable[[events.Event], None] | None = None,
        line: int = 0,
        proxy: str | None = None,
        user_agent: str = "mon",
        steps: Steps | None = None,
        fetcher: Fetcher | None = None,
        rest_proxy: str | None = None,
        tidy: Callable[[], object] = lambda: None,
    ) -> None:
        self._driver = driver
        self._tidy = tidy
        self._fetch_secrets = fetch_secrets
        self._deliver = deliver
        self._clock = clock
        self._random = random
        self._redactor = redactor
        self._tap = tap
        self._line = line
        self._fetcher = fetcher or Fetcher(now=clock.now, sleep=clock.sleep, user_agent=user_agent)
        self._rest_proxy = rest_proxy
        for through in (proxy, rest_proxy):
            redactor.learn(secrets_of_proxy(through))  # a proxy may be the venue's door, and may repeat them there
        self._fetches: Fetches  # of the open connection
        self._opening = Opening(
            now=clock.now, stamp=self._stamp, note=self._note, redactor=redactor, proxy=proxy, user_agent=user_agent
        )
        self._steps = steps or Steps()
        self._leaving = asyncio.Event()
        self._progress = asyncio.Event()  # set whenever the driver was fed
        self._useless = asyncio.Event()  # set once the connection is of no more use
        self._outgoing: asyncio.Queue[Out]  # of the open connection
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due: float | None = None
        self._read_at: Now | None = None  # when the frames at hand were read
        self._alive: Now  # of the latest look at the clock
        self._keepalive: Keepalive | None = None  # of the open connection
        self._fault: Exception | None = None  # an exception that a new connection would not cure
        self._all_written = False
        self.left_in_order = False

    @property
    def handshake(self) -> Handshake | None:
        """What the opening of the latest connection told; None before the first one is open."""
        return self._opening.handshake

    def send(self, command: Command) -> None:
        """Sends a command of the user's on the open connection; a `Receipt` of it is delivered later.

        Raises:
            MonError: the session cannot send it now, or never; nothing was sent.
        """
        self._driver.send(command)
        self._after_feeding()

    def leave(self) -> None:
        """Ends in order: unsubscribes where the protocol wants it and closes; then `run` returns."""
        self._leaving.set()

    async def run(self) -> None:
        """Connects again and again, until told to leave.

        Raises:
            MonError: the line ended for good, or a credential cannot be had.
        """
        first = True
        async with self._fetcher.used():
            while not self._leaving.is_set():
                await self._connect_once(first)
                first = False
                if self._driver.ended is not None:
                    raise self._driver.ended
                if self._driver.retry_at is not None:
                    pause = self._driver.retry_at - self._clock.now().mono
                    await self._unless_leaving(self._clock.sleep(max(0.0, pause)))

    async def _connect_once(self, first: bool) -> None:
        try:
            secrets = await self._unless_leaving(self._fetch_secrets())
        except SetupError as error:
            if first:
                raise
            self._feed(events.Failed(**self._stamp(), reason=str(error)))
            return
        if secrets is None:
            return
        self._redactor.learn(secrets)
        self._outgoing = asyncio.Queue()
        self._fetches = self._new_fetches()
        self._useless.clear()
        draw = self._random()
        session = self._driver.begin(secrets, draw)
        if not first:
            self._tidy()  # not before: the driver keeps a session until there is another one
        self._note(events.Dialled(**self._stamp(), draw=draw))
        try:
            websocket = await self._unless_leaving(self._open(session))
        except NoConnectionError as error:
            self._feed(error.event)
            return
        if websocket is None:
            return
        try:
            await self._talk(websocket)
        finally:
            await self._hang_up(websocket)
            self._keepalive = None

    # --- opening

    async def _open(self, session: Session) -> Socket:
        try:
            async with asyncio.timeout(OPEN_TIMEOUT):
                websocket, shown = await self._opening.open(session, close_timeout=CLOSE_TIMEOUT)
        except TimeoutError:
            raise self._opening.no_connection(f"no answer within {OPEN_TIMEOUT:.0f} s") from None
        self._feed(events.Opened(**self._stamp(), url=shown))
        return websocket

    # --- talking

    async def _talk(self, websocket: Socket) -> None:
        """Reads until the connection is of no more use, or until we have left in order."""
        keepalive = self._begin_listening(websocket)
        reader = asyncio.create_task(self._read(websocket, keepalive))
        sender = asyncio.create_task(self._send(websocket))
        leaving = asyncio.create_task(self._leaving.wait())
        watch = asyncio.create_task(self._watch(websocket, keepalive))
        useless = asyncio.create_task(self._useless.wait())
        tasks = (reader, sender, leaving, watch, useless)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if self._leaving.is_set() and not reader.done() and not self._useless.is_set():
                await self._leave_in_order(reader)
        finally:
            websocket.on_message = None  # what still comes is not taken, see `_drain`
            self._disarm()
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            await self._fetches.end()
        for result in (*results, self._fault):
            if isinstance(result, Exception):
                raise result

    def _begin_listening(self, websocket: Socket) -> Keepalive:
        now, clock = self._clock.now(), self._clock.now
        keepalive = self._keepalive = Keepalive(
            now.mono, every=PING_EVERY, within=PING_ANSWER_WITHIN, message_within=MESSAGE_WITHIN
        )
        websocket.on_bytes = lambda more: keepalive.bytes_came(clock().mono, more_awaited=more)
        websocket.on_message = self._taker(keepalive)
        self._alive = now
        return keepalive

    def _taker(self, keepalive: Keepalive) -> Callable[[bytes], None]:
        """What takes each message of this connection: called by the socket itself, or by the reader."""
        driver, clock, deliver, tap = self._driver, self._clock.now, self._deliver, self._tap
        call_soon = asyncio.get_running_loop().call_soon

        def take(frame: bytes) -> None:
            if driver.retry_at is not None or self._fault is not None:
                return  # the connection is of no more use
            try:
                now = self._read_at
                if now is None:
                    # All frames that are taken within one turn of the loop came in one read, so they get one time.
                    now = self._read_at = clock()
                    keepalive.message_came(now.mono)
                    call_soon(self._guarded, self._after_reading)
                    if self._was_absent(now):
                        return
                if tap is not None:
                    tap(events.frame_event("in", frame, now, self._line))
                delivered = driver.receive(frame, now)
                if delivered:
                    deliver(delivered)
            except Exception as error:
                self._on_fault(error, ends=fault_in(error) != FAULT_OF_MON)  # a plug-in's author has to see it

        return take

    async def _read(self, websocket: Socket, keepalive: Keepalive) -> None:
        """Takes what the socket leaves to `recv`; returns when the connection is gone or of no more use."""
        receive, driver, take = websocket.recv, self._driver, websocket.on_message
        assert take is not None, "listening begins first"
        left = MOST_IN_A_TURN
        try:
            while driver.retry_at is None:
                frame = await receive(decode=False)
                left -= 1
                if not left:
                    left = MOST_IN_A_TURN
                    await asyncio.sleep(0)
                take(frame)
                websocket.left_to_recv -= 1
        except ConnectionClosed as closed:
            if not self._leaving.is_set() and driver.retry_at is None:
                ending = closing_of(closed.rcvd, closed.sent, received_first=closed.rcvd_then_sent)
                self._feed(events.Closed(**self._stamp(), **ending, heard=keepalive.heard))

    async def _watch(self, websocket: ClientConnection, keepalive: Keepalive) -> None:
        """Pings the venue. Returns when the line is dead, or when this process was stopped so long that data is old."""
        pings: set[asyncio.Task[None]] = set()
        try:
            while True:
                await asyncio.sleep(min(keepalive.due() - self._clock.now().mono, ALIVE_EVERY, AGAIN_AFTER))
                now = self._clock.now()
                if self._was_absent(now):
                    return
                if problem := keepalive.problem(now.mono):
                    # The other end does not answer, so a closing handshake would only delay the report.
                    self._feed(events.Closed(**self._stamp(), reason=problem, heard=keepalive.heard))
                    websocket.transport.abort()  # the next look finds the connection over
                elif keepalive.ping_due(now.mono):
                    keepalive.pinged(now.mono)
                    ping = asyncio.create_task(self._ping(websocket, keepalive, now.mono))
                    pings.add(ping)
                    ping.add_done_callback(pings.discard)
        finally:
            for ping in pings:
                ping.cancel()

    async def _ping(self, websocket: ClientConnection, keepalive: Keepalive, at: float) -> None:
        with contextlib.suppress(ConnectionClosed):
            answer = asyncio.ensure_future(await websocket.ping())  # `ping` waits while the socket takes no bytes
            await answer
            keepalive.answered(at)

    def _was_absent(self, now: Now) -> bool:
        """Whether the connection is over; ends it if this process, or the machine, was stopped for too long.

        Reports steps of the clock too.
        """
        before, self._alive = self._alive, now
        absence = now.mono - before.mono
        if absence > LONGEST_ABSENCE and self._driver.retry_at is None:
            reason = f"mon was stopped for {absence:.0f} s, and what came meanwhile is old"
            self._feed(events.Closed(**self._stamp(), reason=reason, heard=before.mono))
        elif abs(step_between(before, now)) >= SMALLEST_STEP:
            now = self._alive = self._clock.now()  # once more: the two clocks are not read at the same moment
            step = step_between(before, now)
            if abs(step) >= SMALLEST_STEP and self._steps.is_news(now.mono):
                self._feed(events.Stepped(**self._stamp(), by_ms=round(step * 1000)))
        return self._driver.retry_at is not None

    def _after_reading(self) -> None:
        """Sends what the frames of one read ask for, once for all of them: nothing is sent before this turn ends."""
        self._read_at = None
        if self._driver.stirred or self._leaving.is_set():
            self._after_feeding()

    async def _send(self, websocket: ClientConnection) -> None:
        """Sends in order; returns when the connection is gone, which the reader reports."""
        with contextlib.suppress(ConnectionClosed):
            while True:
                out = await self._outgoing.get()
                if isinstance(out, SocketPing):
                    asyncio.ensure_future(await websocket.ping()).add_done_callback(self._on_pong)
                elif isinstance(out, Close):
                    await websocket.close(out.code, out.reason)
                elif isinstance(out, Fetch):
                    self._fetches.begin(out)
                else:
                    text, shown = (out.text, out.shown) if isinstance(out, Veiled) else (out, out)
                    if self._tap is not None:
                        data = shown if isinstance(shown, bytes) else shown.encode()
                        self._tap(events.frame_event("out", data, self._clock.now(), self._line))
                    await websocket.send(text)
                self._outgoing.task_done()

    def _on_pong(self, answer: asyncio.Future[float]) -> None:
        if not answer.cancelled() and answer.exception() is None and self._driver.retry_at is None:
            self._guarded(lambda: self._feed(events.Ponged(**self._stamp())))

    def _new_fetches(self) -> Fetches:
        return Fetches(self._fetcher, self._redactor, self._rest_proxy, self._on_answer)

    def _on_answer(self, fetch: Fetch, answer: HttpResponse | NoResponse) -> None:
        if self._driver.retry_at is None:
            self._guarded(lambda: self._take_answer(fetch, answer))

    def _take_answer(self, fetch: Fetch, answer: HttpResponse | NoResponse) -> None:
        """Feeds an answer to the driver. What is recorded has no token that a venue gives with it."""
        now = self._clock.now()
        if self._was_absent(now):
            return
        event = events.answer_event(fetch, answer, now, self._line)
        self._note(events.without_tokens(event, fetch, self._redactor.answer))
        delivered = events.apply(event, self._driver)
        if delivered:
            self._deliver(delivered)
        self._after_feeding()

    async def _leave_in_order(self, reader: asyncio.Task[None]) -> None:
        await self._fetches.end()
        self._feed(events.Left(**self._stamp()))
        while not self._driver.done() and not reader.done() and not self._useless.is_set():
            self._progress.clear()
            progress = asyncio.create_task(self._progress.wait())
            try:
                await asyncio.wait((progress, reader), return_when=asyncio.FIRST_COMPLETED)
            finally:
                progress.cancel()  # also when this is cut short
        # The session's last frames are sent before the close.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await self._outgoing.join()
                self._all_written = True

    async def _hang_up(self, websocket: ClientConnection) -> None:
        drain = asyncio.create_task(_drain(websocket))
        try:
            async with asyncio.timeout(2 * CLOSE_TIMEOUT):  # else `close` waits for ever while nothing can be written
                await websocket.close()
        except TimeoutError:
            websocket.transport.abort()
        except (ConnectionClosed, OSError):
            pass
        finally:
            drain.cancel()
        told = websocket.protocol.close_rcvd
        by_venue = told is not None and told.code == CloseCode.NORMAL_CLOSURE and self._outgoing.empty()
        self.left_in_order = told is not None and (self._all_written or by_venue)

    # --- feeding the driver

    def _feed(self, event: events.Event) -> None:
        self._apply(event)
        self._after_feeding()

    def _apply(self, event: events.Event) -> None:
        self._note(event)
        delivered = events.apply(event, self._driver)
        if delivered:
            self._deliver(delivered)

    def _note(self, event: events.Event) -> None:
        if self._tap is not None:
            self._tap(event)

    def _after_feeding(self) -> None:
        for out in self._driver.take():
            self._outgoing.put_nowait(out)
        due = self._driver.deadline()
        if due is not None and (self._timer_due is None or due < self._timer_due):
            self._arm(due)  # else the timer fires before `due`, and looks again then
        if self._driver.retry_at is not None:
            self._useless.set()
        if self._leaving.is_set():
            self._progress.set()

    def _arm(self, due: float) -> None:
        self._disarm()
        wait = max(0.0, due - self._clock.now().mono)
        self._timer_due = due
        self._timer = asyncio.get_running_loop().call_later(wait, self._guarded, self._tick)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._timer_due = None

    def _tick(self) -> None:
        self._timer = self._timer_due = None
        due = self._driver.deadline()
        if due is not None and self._clock.now().mono >= due:
            signs = self._keepalive
            heard, arriving = (None, None) if signs is None else (signs.heard, signs.arriving)
            self._feed(events.Ticked(**self._stamp(), heard=heard, arriving=arriving))
        else:
            self._after_feeding()

    def _guarded(self, callback: Callable[[], None]) -> None:
        """Runs a callback of the loop. An exception costs the connection, so that later deadlines are kept."""
        try:
            callback()
        except Exception as error:
            self._on_fault(error)

    def _on_fault(self, error: Exception, *, ends: bool = False) -> None:
        """Says a fault of ours, which costs the connection; one that a new connection would not cure ends the line."""
        self._read_at = None
        try:
            if ends or isinstance(error, MonError):
                raise error
            if self._driver.retry_at is None:
                heard = None if self._keepalive is None else self._keepalive.heard
                self._apply(events.Failed(**self._stamp(), reason=fault_in_words(error), heard=heard))
        except Exception as again:
            self._fault = again
        self._disarm()
        self._useless.set()
        self._progress.set()

    def _stamp(self) -> events.Stamp:
        now = self._clock.now()
        return {"at": now.epoch_ms, "mono": now.mono, "line": self._line}

    async def _unless_leaving(self, awaitable: Awaitable[T]) -> T | None:
        """The result of `awaitable`; None when we are told to leave first, which cancels it."""
        task = asyncio.ensure_future(awaitable)
        leaving = asyncio.create_task(self._leaving.wait())
        try:
            await asyncio.wait((task, leaving), return_when=asyncio.FIRST_COMPLETED)
            return await task if task.done() else None
        finally:
            leaving.cancel()
            if not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)


async def _drain(websocket: ClientConnection) -> None:
    """Reads and drops what still comes: the venue's close frame is behind it."""
    with contextlib.suppress(ConnectionClosed):
        while True:
            await websocket.recv(decode=False)
