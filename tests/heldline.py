"""A line over a socket and a clock that a test holds in its hands; no bytes go anywhere."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from types import SimpleNamespace
from typing import Any

from websockets.exceptions import ConnectionClosedError, ConnectionClosedOK
from websockets.frames import Close as CloseFrame

from venues import events
from venues.connection import Connection
from venues.driver import Driver
from venues.errors import MonError, UsageError
from venues.opening import NoConnectionError
from venues.records import Status
from venues.redaction import Redactor
from venues.session import BaseRoute, BaseSession
from venues.venue import (
    Command,
    Dial,
    HttpResponse,
    Item,
    Lost,
    NoResponse,
    Notice,
    Now,
    Out,
    Settings,
    StreamState,
    Subscription,
)

TRADES = [Subscription("trades", ("A",))]


class Clock:
    """Stands still, or goes on as a test wants it; waits no longer than a turn of the loop."""

    def __init__(self) -> None:
        self.mono, self.epoch_ms = 100.0, 1_000_000
        self.slept: list[float] = []

    def now(self) -> Now:
        return Now(self.mono, self.epoch_ms)

    def forward(self, seconds: float, *, step_ms: int = 0) -> None:
        self.mono += seconds
        self.epoch_ms += round(seconds * 1000) + step_ms

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.forward(seconds)
        await asyncio.sleep(0)


class Socket:
    """What a connection needs of a WebSocket, and what it did with it."""

    def __init__(self) -> None:
        self.on_bytes: Callable[[bool], None] | None = None
        self.on_message: Callable[[bytes], None] | None = None
        self.left_to_recv = 0
        self.did: list[Any] = []
        self.takes = asyncio.Event()
        self.takes.set()
        self.pongs: list[asyncio.Future[float]] = []
        self.frames: asyncio.Queue[bytes | Exception] = asyncio.Queue()
        self.protocol = SimpleNamespace(close_rcvd=None)
        self.transport = SimpleNamespace(abort=lambda: self.did.append("abort"))
        self.on_close: Callable[[], Coroutine[Any, Any, None]] | None = None

    def comes(self, *messages: bytes) -> None:
        """Messages that one read brings."""
        assert self.on_bytes is not None
        assert self.on_message is not None
        self.on_bytes(False)
        for message in messages:
            self.on_message(message)

    def gone(self, code: int = 1000, reason: str = "") -> ConnectionClosedOK | ConnectionClosedError:
        """The venue closes."""
        frame = CloseFrame(code, reason)
        self.protocol.close_rcvd = frame
        error = ConnectionClosedOK if code == 1000 else ConnectionClosedError
        closed = error(frame, None, None)
        self.frames.put_nowait(closed)
        return closed

    async def recv(self, decode: bool) -> bytes:
        assert not decode
        frame = await self.frames.get()
        if isinstance(frame, Exception):
            self.frames.put_nowait(frame)
            raise frame
        return frame

    async def send(self, text: str | bytes) -> None:
        await self.takes.wait()
        self.did.append(text)

    async def ping(self) -> asyncio.Future[float]:
        self.did.append("ping")
        self.pongs.append(asyncio.get_running_loop().create_future())
        return self.pongs[-1]

    async def close(self, code: int = 1000, reason: str = "") -> None:
        self.did.append(("close", code, reason))
        if self.on_close is not None:
            await self.on_close()


class Session(BaseSession):
    """Gives what a message's text says, and notes what it is called for."""

    venue = "v"

    def __init__(self) -> None:
        super().__init__()
        self.due: float | None = None
        self.at_tick: list[Item] = []
        self.at_open: list[Out] = []
        self.at_leave: list[Out] = []
        self.at_answer = ""
        self.awaits = False
        self.calls: list[str] = []

    def dial(self) -> Dial:
        return Dial("ws://v.example", "ws://v.example/shown")

    def opened(self, now: Now) -> list[Item]:
        self._out += self.at_open
        return [StreamState("trades", "live")]

    def receive(self, frame: bytes, now: Now) -> list[Item]:
        self.calls.append(frame.decode())
        kind, _, rest = frame.decode().partition(" ")
        if kind == "answer":
            self._out.append(rest)
        elif kind == "done":
            self.awaits = False
        elif kind == "fault":
            raise MonError(rest) if rest else LookupError("x")
        elif kind == "due":
            self.due = float(rest)
        return [Lost(rest)] if kind == "lost" else [Notice(rest)] if kind == "say" else []

    def pong(self, now: Now) -> list[Item]:
        self.calls.append(f"pong {now.mono:g}")
        return []

    def fetched(self, request: str, answer: HttpResponse | NoResponse, now: Now) -> list[Item]:
        said = answer.body if isinstance(answer, HttpResponse) else answer.reason
        self.calls.append(f"fetched {request} {said!r}")
        self._out.append(self.at_answer)
        return [Notice("answered")]

    def deadline(self) -> float | None:
        return self.due

    def tick(self, now: Now) -> list[Item]:
        self.calls.append(f"tick {now.mono:g}")
        self.due = None
        return self.at_tick

    def send(self, command: Command) -> None:
        if command.name == "no":
            raise UsageError("not now")
        self._out.append(command.name)

    def leave(self, now: Now) -> None:
        self._out += self.at_leave
        self.at_leave = []

    def done(self) -> bool:
        return not self.awaits


class Route(BaseRoute):
    def __init__(self, session: Session) -> None:
        super().__init__(TRADES, Settings("ws://v.example"))
        self.one = session

    def session(self, secrets: Mapping[str, str]) -> Session:
        self.one.calls.append("begun")
        return self.one


class Opening:
    """Stands for `venues.opening`: a socket, or why there is none."""

    sockets: list[Any]
    handshake = None

    def __init__(self, **given: Any) -> None:
        self.stamp = given["stamp"]

    async def open(self, session: Session, *, close_timeout: float) -> tuple[Socket, str]:
        socket = self.sockets.pop(0) if self.sockets else "nobody there"
        if isinstance(socket, str):
            raise self.no_connection(socket)
        if isinstance(socket, float):
            await asyncio.sleep(socket)
        return socket, "ws://v.example/shown"

    def no_connection(self, reason: str) -> NoConnectionError:
        return NoConnectionError(events.Failed(**self.stamp(), reason=reason))


class Line:
    """A connection with all its parts, and what came of it."""

    def __init__(self, *sockets: Any, retries: int | None = 0, **given: Any) -> None:
        Opening.sockets = [*sockets] or [Socket()]
        self.socket: Socket = Opening.sockets[0]
        self.clock, self.session = given.pop("clock", None) or Clock(), Session()
        self.noted: list[events.Event] = []
        self.items: list[Any] = []
        self.driver = Driver(Route(self.session), TRADES, venue="v", retries=retries)
        self.connection = Connection(
            self.driver,
            fetch_secrets=given.pop("fetch", self.fetch),
            deliver=given.pop("deliver", self.items.extend),
            clock=self.clock,
            random=lambda: 0.25,
            redactor=Redactor(),
            tap=self.noted.append,
            **given,
        )

    async def fetch(self) -> Mapping[str, str]:
        return {}

    def kinds(self) -> list[str]:
        return [type(event).__name__ for event in self.noted]

    def last(self) -> events.Event:
        return self.noted[-1]

    def states(self) -> list[tuple[str, str | None]]:
        return [(item.state, item.reason) for item in self.items if isinstance(item, Status)]

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[asyncio.Task[None]]:
        """From the first connection on until it ends, by itself or because we leave."""
        run = asyncio.create_task(self.connection.run())
        try:
            await settled()
            yield run
        finally:
            self.connection.leave()
            await asyncio.wait_for(asyncio.gather(run, return_exceptions=True), 5)


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def some_ms() -> None:
    """For what waits on the loop's own clock, a few milliseconds with `quick`."""
    await asyncio.sleep(0.03)
    await settled()
