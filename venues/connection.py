"""THE client socket: opens it, reads it, sends, watches its deadlines, and opens it again. Knows no venue.

The reader awaits nothing but the socket. A consumer inside it that takes half a second a frame would make the
library's keepalive close the line while old frames go on coming out as if live; what is delivered must therefore
be taken at once (`deliver` does not block).
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import re
import socket
import ssl
import time
from typing import TYPE_CHECKING, Protocol, TypedDict, TypeVar
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidProxy,
    InvalidProxyStatus,
    InvalidStatus,
    ProxyError,
)
from websockets.frames import CloseCode

from venues import cookies, history
from venues.addresses import is_loopback
from venues.decoding import excerpt
from venues.errors import MonError, SetupError
from venues.http_request import NoAnswer, ask, place_of, retry_after, words_of_system
from venues.venue import Close, HttpRequest, HttpResponse, NotOpened, Now, Refused, SocketPing, Veiled

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from venues.driver import Delivered, Driver
    from venues.redaction import Redactor
    from venues.venue import Command, Dial, Lost, Out, Session

T = TypeVar("T")

OPEN_TIMEOUT = 10.0
PING_EVERY = 5.0
PING_ANSWER_WITHIN = 5.0
CLOSE_TIMEOUT = 1.0
ALIVE_EVERY = 1.0  # seconds between two looks at the clock
LONGEST_ABSENCE = 5.0  # seconds without such a look after which what waits to be read is old
MAX_MESSAGE = 16 * 2**20  # bytes, also once decompressed

# The library refuses HTTP/1.0, which many a simple server speaks; what it answers means the same all the same.
_OLD_ANSWER = re.compile(r"expected HTTP/1\.1: HTTP/1\.0 ([2-5][0-9]{2})\b")

# The library logs URLs (and so keys) at level DEBUG.
_SILENT = logging.Logger("mon.websocket")
_SILENT.disabled = True


class Clock(Protocol):
    """The time and how to wait for it."""

    def now(self) -> Now:
        """Both clocks."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait on the monotonic clock."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now(self) -> Now:
        """Both clocks."""
        return Now(time.monotonic(), time.time_ns() // 1_000_000)

    async def sleep(self, seconds: float) -> None:
        """Wait on the monotonic clock."""
        await asyncio.sleep(seconds)


class _Stamp(TypedDict):
    at: int
    mono: float
    line: int


class _Ending(TypedDict, total=False):
    code: int | None
    reason: str


class _Connect(connect):
    """Redirects are not followed: they would take the key, which is in the URL or a header, to another host."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class _NoConnectionError(Exception):
    """Carries the event that says why no connection came about."""

    def __init__(self, event: history.Answered | history.Failed) -> None:
        super().__init__(event)
        self.event = event


class Connection:
    """Keeps one line connected until told to leave, or until its driver has ended.

    `fetch_secrets` is awaited before each connection. `deliver` gets what comes out, in order, and must not block.
    `tap` sees every event before it takes effect. `proxy` is never used for this machine's own addresses.
    `user_agent` goes with every HTTP request.

    `left_in_order` is true once a connection has ended with everything written and both close frames there, after
    `leave`, or with the venue's saying that this is normal (code 1000).
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
        tap: Callable[[history.Event], None] | None = None,
        line: int = 0,
        proxy: str | None = None,
        user_agent: str = "mon",
    ) -> None:
        self._driver = driver
        self._fetch_secrets = fetch_secrets
        self._deliver = deliver
        self._clock = clock
        self._random = random
        self._redactor = redactor
        self._tap = tap
        self._line = line
        self._proxy = proxy
        self._user_agent = user_agent
        self._leaving = asyncio.Event()
        self._progress = asyncio.Event()  # set whenever the driver was fed
        self._useless = asyncio.Event()  # set once the connection is of no more use, whoever noticed
        self._outgoing: asyncio.Queue[Out] = asyncio.Queue()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due: float | None = None
        self._read_at: Now | None = None  # when the frames at hand were read
        self._alive = self._clock.now()
        self._all_written = False
        self.left_in_order = False

    def send(self, command: Command) -> None:
        """Send something on a user's behalf, on the connection that there is; what becomes of it is delivered.

        Raises:
            MonError: the session cannot send it now, or never; nothing was sent.
        """
        self._driver.send(command)
        self._after_feeding()

    def leave(self) -> None:
        """End in order: unsubscribe where the protocol wants it, close, then `run` returns."""
        self._leaving.set()

    async def run(self) -> None:
        """Connect, again and again.

        Raises:
            MonError: the line ended for good, or a credential cannot be had.
        """
        first = True
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
            self._feed(history.Failed(**self._stamp(), reason=str(error)))
            return
        if secrets is None:
            return
        self._redactor.learn(secrets)
        self._outgoing = asyncio.Queue()
        self._useless.clear()
        draw = self._random()
        session = self._driver.begin(secrets, draw)
        self._note(history.Dialled(**self._stamp(), draw=draw))
        try:
            websocket = await self._unless_leaving(self._open(session))
        except _NoConnectionError as error:
            self._feed(error.event)
            return
        if websocket is None:
            return
        try:
            await self._talk(websocket)
        finally:
            await self._hang_up(websocket)

    # --- opening

    async def _open(self, session: Session) -> ClientConnection:
        try:
            async with asyncio.timeout(OPEN_TIMEOUT):
                dial = await self._dial_of(session)
                self._redactor.learn_url(dial.url, dial.shown)
                websocket = await self._dial(dial)
        except TimeoutError:
            raise self._no_connection(f"no answer within {OPEN_TIMEOUT:.0f} s") from None
        self._feed(history.Opened(**self._stamp(), url=dial.shown))
        return websocket

    async def _dial_of(self, session: Session) -> Dial:
        opening = session.opening()
        try:
            request = next(opening)
            while True:
                response = await self._request(request)
                self._note(self._requested(request, response))
                request = opening.send(response)
        except StopIteration as stop:
            dial: Dial = stop.value
            return dial
        except NotOpened as error:
            raise self._not_opened(error.problem) from None
        except MonError as error:
            raise self._no_connection(str(error)) from None

    async def _request(self, request: HttpRequest) -> HttpResponse:
        self._redactor.learn_url(request.url, request.shown)
        _refuse_plain(request.url, request.shown)
        proxy = None if is_loopback(request.url) else self._proxy
        try:
            return await ask(request, user_agent=self._user_agent, proxy=proxy, now=self._clock.now())
        except NoAnswer as problem:
            raise self._no_connection(str(problem), retry=problem.retry) from None

    def _requested(self, request: HttpRequest, response: HttpResponse) -> history.Requested:
        for value in itertools.chain.from_iterable(map(cookies.secrets_in, response.cookies)):
            self._redactor.learn({"cookie": value})
        return history.Requested(
            **self._stamp(),
            method=request.method,
            url=request.shown,
            status=response.status,
            body=self._redactor.answer(response.body.decode(errors="replace")),
            cookies=tuple(map(cookies.without_value, response.cookies)),
        )

    async def _dial(self, dial: Dial) -> ClientConnection:
        _refuse_plain(dial.url, dial.shown)
        place = place_of(dial.shown)
        try:
            return await _Connect(
                dial.url,
                additional_headers=dict(dial.headers),
                user_agent_header=self._user_agent,
                proxy=None if is_loopback(dial.url) else self._proxy,
                open_timeout=None,
                ping_interval=PING_EVERY,
                ping_timeout=PING_ANSWER_WITHIN,
                close_timeout=CLOSE_TIMEOUT,
                max_size=MAX_MESSAGE,
                logger=_SILENT,
            )
        except InvalidStatus as error:
            raise _NoConnectionError(self._answered(error)) from None
        except InvalidProxyStatus as error:
            status = error.response.status_code
            raise self._no_connection(f"the proxy refused (HTTP {status})", retry=status >= 500) from None
        except (InvalidProxy, ProxyError, ImportError) as error:
            reason = f"the proxy cannot be used: {_words_of_proxy(error)}"
            raise self._no_connection(reason, retry=isinstance(error, ProxyError)) from None
        except InvalidHandshake as error:
            if answer := _OLD_ANSWER.search(_words_of(error)):
                status = int(answer[1])
                raise _NoConnectionError(history.Answered(**self._stamp(), status=status, body="")) from None
            reason = f"{place} answered, but does not speak WebSocket ({_words_of(error)})"
            raise self._no_connection(reason) from None
        except ssl.SSLCertVerificationError as error:
            reason = f"the TLS certificate of {place} is not trusted: {error.verify_message}"
            raise self._no_connection(reason, retry=False) from None
        except ssl.SSLError as error:
            raise self._no_connection(f"no TLS with {place}: {error.reason or 'the handshake failed'}") from None
        except socket.gaierror:
            raise self._no_connection(f"the host of {place} is not known") from None
        except OSError as error:
            raise self._no_connection(f"cannot reach {place}: {words_of_system(error)}") from None

    def _answered(self, error: InvalidStatus) -> history.Answered:
        response = error.response
        body = bytes(response.body or b"").decode(errors="replace").strip()
        return history.Answered(
            **self._stamp(),
            status=response.status_code,
            body=excerpt(self._redactor.text(body), 200),
            retry_after=retry_after(response.headers.get("Retry-After"), self._clock.now()),
        )

    def _no_connection(self, reason: str, *, retry: bool = True) -> _NoConnectionError:
        return _NoConnectionError(history.Failed(**self._stamp(), reason=self._redactor.text(reason), retry=retry))

    def _not_opened(self, problem: Refused | Lost) -> _NoConnectionError:
        reason = self._redactor.text(problem.reason)
        if isinstance(problem, Refused):
            return _NoConnectionError(history.Failed(**self._stamp(), reason=reason, retry=False, refused=True))
        failed = history.Failed(**self._stamp(), reason=reason, retry=problem.retry, after=problem.after)
        return _NoConnectionError(failed)

    # --- talking

    async def _talk(self, websocket: ClientConnection) -> None:
        """Reads until the connection is of no more use, or until we have left in order."""
        self._alive = self._clock.now()
        reader = asyncio.create_task(self._read(websocket))
        sender = asyncio.create_task(self._send(websocket))
        leaving = asyncio.create_task(self._leaving.wait())
        presence = asyncio.create_task(self._stay_present())
        useless = asyncio.create_task(self._useless.wait())
        tasks = (reader, sender, leaving, presence, useless)
        self._after_feeding()
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if self._leaving.is_set() and not reader.done() and not self._useless.is_set():
                await self._leave_in_order(reader)
        finally:
            self._disarm()
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result

    async def _read(self, websocket: ClientConnection) -> None:
        receive, driver, clock = websocket.recv, self._driver, self._clock.now
        deliver, tap = self._deliver, self._tap
        call_soon = asyncio.get_running_loop().call_soon
        try:
            while driver.retry_at is None:
                frame = await receive(decode=False)
                now = self._read_at
                if now is None:
                    # Frames that are taken without a turn of the loop came in one read of the socket: one time for all.
                    now = self._read_at = clock()
                    call_soon(self._after_reading)
                    if self._was_absent(now):
                        return
                if tap is not None:
                    tap(history.frame_event("in", frame, now, self._line))
                delivered = driver.receive(frame, now)
                if delivered:
                    deliver(delivered)
            self._after_feeding()  # what the last frame wants sent
        except ConnectionClosed as closed:
            if not self._leaving.is_set():
                self._feed(history.Closed(**self._stamp(), **_how_it_closed(closed)))

    async def _stay_present(self) -> None:
        """Returns when this process was stopped, or the machine asleep, and what waits in the socket is old."""
        while True:
            await asyncio.sleep(ALIVE_EVERY)
            if self._was_absent(self._clock.now()):
                return

    def _was_absent(self, now: Now) -> bool:
        """Says so once and ends the connection; a machine that sleeps stops the monotonic clock, not the other."""
        before, self._alive = self._alive, now
        absence = max(now.mono - before.mono, (now.epoch_ms - before.epoch_ms) / 1000)
        if absence > LONGEST_ABSENCE and self._driver.retry_at is None:
            reason = f"mon was stopped for {absence:.0f} s, and what came meanwhile is old"
            self._feed(history.Closed(**self._stamp(), reason=reason))
        return self._driver.retry_at is not None

    def _after_reading(self) -> None:
        """Once for all frames of a read: nothing that they ask for can happen before this turn of the loop ends."""
        self._read_at = None
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
                else:
                    text, shown = (out.text, out.shown) if isinstance(out, Veiled) else (out, out)
                    if self._tap is not None:
                        data = shown if isinstance(shown, bytes) else shown.encode()
                        self._tap(history.frame_event("out", data, self._clock.now(), self._line))
                    await websocket.send(text)
                self._outgoing.task_done()

    def _on_pong(self, answer: asyncio.Future[float]) -> None:
        if not answer.cancelled() and answer.exception() is None and self._driver.retry_at is None:
            self._feed(history.Ponged(**self._stamp()))

    async def _leave_in_order(self, reader: asyncio.Task[None]) -> None:
        self._feed(history.Left(**self._stamp()))
        while not self._driver.done() and not reader.done() and not self._useless.is_set():
            self._progress.clear()
            progress = asyncio.create_task(self._progress.wait())
            await asyncio.wait((progress, reader), return_when=asyncio.FIRST_COMPLETED)
            progress.cancel()
        # What the session wanted said on leaving goes out before the close.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await self._outgoing.join()
                self._all_written = True

    async def _hang_up(self, websocket: ClientConnection) -> None:
        drain = asyncio.create_task(_drain(websocket))
        with contextlib.suppress(ConnectionClosed, OSError):
            await websocket.close()
        drain.cancel()
        told = websocket.protocol.close_rcvd
        by_venue = told is not None and told.code == CloseCode.NORMAL_CLOSURE and self._outgoing.empty()
        self.left_in_order = told is not None and (self._all_written or by_venue)

    # --- feeding the driver

    def _feed(self, event: history.Event) -> None:
        self._note(event)
        delivered = history.apply(event, self._driver)
        if delivered:
            self._deliver(delivered)
        self._after_feeding()

    def _note(self, event: history.Event) -> None:
        if self._tap is not None:
            self._tap(event)

    def _after_feeding(self) -> None:
        for out in self._driver.take():
            self._outgoing.put_nowait(out)
        due = self._driver.deadline()
        if due != self._timer_due:
            self._arm(due)
        if self._driver.retry_at is not None:
            self._useless.set()
        if self._leaving.is_set():
            self._progress.set()

    def _arm(self, due: float | None) -> None:
        self._disarm()
        if due is not None:
            wait = max(0.0, due - self._clock.now().mono)
            self._timer_due = due
            self._timer = asyncio.get_running_loop().call_later(wait, self._tick)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._timer_due = None

    def _tick(self) -> None:
        self._timer = self._timer_due = None
        due = self._driver.deadline()
        if due is not None and self._clock.now().mono >= due:
            self._feed(history.Ticked(**self._stamp()))
        else:
            self._after_feeding()

    def _stamp(self) -> _Stamp:
        now = self._clock.now()
        return {"at": now.epoch_ms, "mono": now.mono, "line": self._line}

    async def _unless_leaving(self, awaitable: Awaitable[T]) -> T | None:
        """The result, or None when we are told to leave first."""
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
    """Take what still comes, since the venue's close is behind it."""
    with contextlib.suppress(ConnectionClosed):
        while True:
            await websocket.recv(decode=False)


def _refuse_plain(url: str, shown: str) -> None:
    if urlsplit(url).scheme not in ("wss", "https") and not is_loopback(url):
        raise SetupError(f"expected a wss:// or https:// address (others only on this machine), got {shown}")


def _words_of(error: Exception) -> str:
    return excerpt(str(error.__cause__ or "") or str(error) or "the handshake failed", 120)


def _words_of_proxy(error: Exception) -> str:
    if isinstance(error, ImportError):
        return "for a SOCKS proxy the package python-socks is needed"
    return excerpt((error.msg if isinstance(error, InvalidProxy) else str(error)) or "it failed", 120)


def _how_it_closed(closed: ConnectionClosed) -> _Ending:
    """Whose close it was, and in words what ours were for."""
    if closed.rcvd is not None and (closed.rcvd_then_sent or closed.sent is None):
        return {"code": closed.rcvd.code, "reason": excerpt(closed.rcvd.reason, 200)}
    if closed.sent is None:
        return {"reason": "no close frame came"}
    if closed.sent.code == 1009:
        return {"reason": f"a message of more than {MAX_MESSAGE // 2**20} MiB came"}
    if "keepalive" in closed.sent.reason:
        return {"reason": f"no answer to a ping within {PING_ANSWER_WITHIN:.0f} s"}
    if closed.sent.code == 1000 or closed.sent.code >= 3000:  # a session's own wish
        return {"code": closed.sent.code, "reason": closed.sent.reason}
    return {"reason": excerpt(f"{closed.sent.reason or 'protocol error'} (code {closed.sent.code})", 200)}
