"""One client's socket: one sender, events in order, states merged to their newest form, and the faults.

What a venue sends is queued without waiting. Events are sent in order and before any state, so a state never has
anything that the client has not been told. A state is produced only when it is its turn, so a client that reads slowly
gets the newest one and not all of them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from aiohttp import WSCloseCode, WSMsgType, web

from venues.simulator.faults import bad_frames

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Sequence

    from venues.simulator.endpoint import Peer, Socket, Transport
    from venues.simulator.faults import BadFrame, Fault
    from venues.simulator.world_clock import WorldClock

MOST_WAITING: Final = 100_000  # events; a client that is further behind is disconnected
MOST_RECEIVED: Final = 1024 * 1024  # bytes of a client's message
_UNSENT: Final = 0  # bytes that may wait in the process when a frame counts as sent
_CLOSING_SECONDS: Final = 0.5
_FINISHING_SECONDS: Final = 5.0  # for a client to read what was sent before its connection ends


class End(NamedTuple):
    """How a connection ends; without a code it is aborted. `words` is a last text frame."""

    code: int | None = None
    reason: str = ""
    words: bytes = b""


def new_websocket() -> web.WebSocketResponse:
    """A WebSocket that leaves pings and closes to the link, which may leave them unanswered."""
    return web.WebSocketResponse(
        compress=False, autoping=False, autoclose=False, max_msg_size=MOST_RECEIVED, writer_limit=_UNSENT
    )


class SocketLink:
    """The `Wire` over an open socket; `interval` is the least time in seconds between two states."""

    def __init__(
        self,
        socket: Socket,
        transport: Transport,
        clock: WorldClock,
        interval: float,
        faults: Sequence[Fault],
    ) -> None:
        self._socket = socket
        self._transport = transport
        self._clock = clock
        self._interval = interval
        self._faults = faults
        self._events: deque[tuple[bytes, WSMsgType]] = deque()
        self._states: dict[str, Callable[[], bytes]] = {}
        self._changed = asyncio.Event()  # there are states to send
        self._due = False  # and the interval since the last ones has passed
        self._flushed = asyncio.Event()
        self._wake = asyncio.Event()
        self._last: End | None = None  # how it ends once the events are sent
        self._peer: Peer | None = None
        self._ended: asyncio.Future[End] = asyncio.get_running_loop().create_future()
        self._stalled = False
        self._heard = clock.epoch_ms()  # when the client sent its last frame
        self._tasks: list[asyncio.Task[None]] = []

    def send(self, data: bytes, *, binary: bool = False) -> None:
        """Queue a frame, of text unless it is `binary`; it is sent in order."""
        if not isinstance(data, bytes | bytearray):
            raise TypeError(f"expected bytes to send, got {type(data).__name__}")
        self._queue(data, WSMsgType.BINARY if binary else WSMsgType.TEXT)

    def show(self, key: str, produce: Callable[[], bytes]) -> None:
        """Announce a changed state, which is sent in its newest form when it is its turn."""
        self._states[key] = produce
        self._changed.set()
        if not self._interval:
            self._due = True
            self._wake.set()

    def every(self, seconds: float, action: Callable[[], None]) -> None:
        """Do something every so many seconds while the connection is open."""
        self._start(self._repeat(seconds, action))

    def end(self, end: End) -> None:
        """End the connection; of several calls the first decides how."""
        if not self._ended.done():
            self._ended.set_result(end)

    def finish(self, code: int, reason: str) -> None:
        """End the connection once the events queued until now are sent. A client that reads none has some seconds."""
        self._last = End(code, reason)
        self._wake.set()
        if not self._ended.done():
            self._start(self._end_after(_FINISHING_SECONDS, self._last))

    def abort(self) -> None:
        """End the connection at once, without a close frame."""
        self.end(End())

    def silence(self) -> float:
        """Seconds since the client sent its last frame of any kind."""
        return (self._clock.epoch_ms() - self._heard) / 1000

    def dismiss(self, reason: str, *, reconnect: bool) -> None:
        """End the connection with the venue's own last frame."""
        words = b"" if self._peer is None else self._peer.farewell(reconnect=reconnect)
        self.end(End(WSCloseCode.GOING_AWAY if reconnect else WSCloseCode.POLICY_VIOLATION, reason, words))

    async def run(self, peer: Peer) -> None:
        """Serve the connection until it ends."""
        self._peer = peer
        peer.opened()
        self._greet()
        try:
            for work in (self._read(peer), self._write(), self._pace(), *self._troubles(peer)):
                self._start(work)
            end = await self._ended
        finally:
            peer.closed()
            for task in self._tasks:
                task.cancel()
            results = await asyncio.gather(*self._tasks, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception) and not isinstance(result, ConnectionError):
                raise result
        await self._close(end)

    def _greet(self) -> None:
        """Send first what the peer shows on opening, in its form of that moment."""
        for produce in self._states.values():
            if data := produce():
                self.send(data)
        self._states.clear()
        self._changed.clear()

    async def _close(self, end: End) -> None:
        if end.code is not None and not self._stalled:
            try:
                async with asyncio.timeout(_CLOSING_SECONDS):
                    if end.words:
                        await self._socket.send_frame(end.words, WSMsgType.TEXT)
                    await self._socket.close(code=end.code, message=end.reason.encode())
            except (TimeoutError, ConnectionError):
                pass
            else:
                return
        self._transport.abort()

    def _start(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(work)
        task.add_done_callback(self._finished)
        self._tasks.append(task)

    def _finished(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self.end(End())

    def _queue(self, data: bytes, kind: WSMsgType) -> None:
        if self._stalled or self._ended.done():
            return
        self._events.append((data, kind))
        self._wake.set()
        if len(self._events) > MOST_WAITING:
            reason = f"reader too slow: more than {MOST_WAITING} events are waiting"
            self.end(End(WSCloseCode.POLICY_VIOLATION, reason))

    async def _write(self) -> None:
        while True:
            while self._events:
                await self._socket.send_frame(*self._events.popleft())
            if self._last is not None:
                self.end(self._last)
                return
            if self._due and self._states:
                states, self._states = self._states, {}
                self._due = False
                self._changed.clear()
                for produce in states.values():
                    if data := produce():
                        await self._socket.send_frame(data, WSMsgType.TEXT)
                self._flushed.set()
            elif not self._events:
                self._wake.clear()
                await self._wake.wait()

    async def _pace(self) -> None:
        """Allow states to be sent again, one interval after the last ones."""
        while self._interval:
            await self._clock.sleep(self._interval)
            await self._changed.wait()
            self._flushed.clear()
            self._due = True
            self._wake.set()
            await self._flushed.wait()

    async def _read(self, peer: Peer) -> None:
        while True:
            message = await self._socket.receive()
            self._heard = self._clock.epoch_ms()
            if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                peer.receive(message.data)
            elif message.type is WSMsgType.PING:
                self._queue(message.data, WSMsgType.PONG)
            elif message.type is not WSMsgType.PONG:
                self.end(End(WSCloseCode.OK))
                return

    async def _repeat(self, seconds: float, action: Callable[[], None]) -> None:
        while True:
            await self._clock.sleep(seconds)
            action()

    def _troubles(self, peer: Peer) -> list[Coroutine[object, object, None]]:
        troubles: list[Coroutine[object, object, None]] = []
        for fault in self._faults:
            if fault.kind == "drop":
                troubles.append(self._drop(fault.seconds))
            elif fault.kind == "stall":
                troubles.append(self._stall(fault.seconds))
            elif fault.kind in ("close", "expel"):
                troubles.append(self._dismiss(fault))
            elif fault.kind == "gap":
                troubles.append(self._repeat(fault.seconds, peer.gap))
            elif fault.kind == "garbage":
                troubles.append(self._repeat(fault.seconds, partial(self._spoil, bad_frames(peer))))
        return troubles

    def _spoil(self, frames: Iterator[BadFrame]) -> None:
        data, text = next(frames)
        self._queue(data, WSMsgType.TEXT if text else WSMsgType.BINARY)

    async def _end_after(self, seconds: float, end: End) -> None:
        await asyncio.sleep(seconds)
        self.end(end)

    async def _drop(self, seconds: float) -> None:
        await self._clock.sleep(seconds)
        self.end(End())

    async def _dismiss(self, fault: Fault) -> None:
        await self._clock.sleep(fault.seconds)
        self.dismiss(f"closed by --fault {fault.kind}", reconnect=fault.kind == "close")

    async def _stall(self, seconds: float) -> None:
        """Fall silent: the TCP connection stays open, but nothing is sent, read or answered any more."""
        await self._clock.sleep(seconds)
        self._stalled = True
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()
