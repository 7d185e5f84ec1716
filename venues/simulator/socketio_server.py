"""Socket.IO by python-socketio's own server, over the simulator's WebSockets.

`AsyncServer` does what the protocol wants: the handshake, the namespace, heartbeats, acknowledgements, the packets. It
speaks Engine.IO 4, to which Socket.IO 3 and 4 belong; another version is answered with 400 in its own words. The
socket itself, a WebSocket or what a client polls, is the simulator's own, so that faults, order and slow readers are as
on every other venue; the library takes each for a WebSocket.

Importing this loads all of python-socketio.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import engineio.packet
import msgspec
import socketio
import socketio.packet
from aiohttp import web

from venues.simulator.endpoint import Handshake
from venues.simulator.packets import Packets
from venues.simulator.polling import PolledSocket, bad_request
from venues.simulator.session import Refused, Voice

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterator

    from venues.simulator.endpoint import Heartbeat, Serve, Wire
    from venues.simulator.session import Enter, Visit

MOST_UNREAD: Final = 10_000  # frames of a client that wait to be read
_POLLED: Final = web.RequestKey("polled", PolledSocket)
_SOCKET: Final = "simulator.socket"  # where a connection's socket is in the environment of its handshake
_CONNECTED: Final = "40"
_DISCONNECTED: Final = b"41"

# The library has no types.
_EnginePacket: Any = engineio.packet.Packet
_SocketPacket: Any = socketio.packet.Packet
_Refusal: Any = socketio.exceptions.ConnectionRefusedError

# The library logs to the terminal what its clients do wrong; faults of our own are raised where they happen.
_SILENCE: Final = logging.Logger("silence")
_SILENCE.disabled = True


def socketio_frame(event: str, data: Any) -> bytes:
    """The Socket.IO frame for an event and its data: `42["kline",{…}]`."""
    content = _SocketPacket(socketio.packet.EVENT, [event, data], binary=False).encode()
    frame: str = _EnginePacket(engineio.packet.MESSAGE, content).encode()
    return frame.encode()


class SocketIoServer:
    """One venue's Socket.IO server; `enter` decides on each client that connects to the namespace `/`."""

    def __init__(self, serve: Serve, enter: Enter, heartbeat: Heartbeat) -> None:
        self._enter = enter
        self._sockets: dict[str, _Socket] = {}
        self._polled: dict[str, PolledSocket] = {}
        self._polling: set[asyncio.Task[web.StreamResponse]] = set()
        # `json=` is not passed: it would change the packet classes of the whole process.
        made: Any = _Server
        self._server = made(
            async_mode="aiohttp",
            ping_interval=heartbeat.interval,
            ping_timeout=heartbeat.timeout,
            async_handlers=False,  # the events of a client are handled in order
            logger=_SILENCE,
            engineio_logger=_SILENCE,
        )
        engine = self._server.eio
        engine._async = {**engine._async, "websocket": partial(_Socket, serve)}  # the library's place for a driver
        self._server.on("connect", self._connected)
        self._server.on("disconnect", self._disconnected)
        self._server.on("*", self._received)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a handshake, a poll, or whatever else comes."""
        asked = request.query.get("transport")
        if asked not in ("polling", "websocket"):
            return bad_request("Invalid transport")
        if request.method not in ("GET", "POST", "OPTIONS"):
            return bad_request("expected GET or POST")
        polled = self._polled.get(request.query.get("sid", ""))
        if polled is not None:
            return await polled.answer(request)
        if asked == "polling" and request.method == "GET" and "sid" not in request.query:
            return await self._open_polled(request)
        return await self._served(request)

    async def _open_polled(self, request: web.Request) -> web.StreamResponse:
        """Begin to serve a client that polls, and answer its first poll or refuse it."""
        polled = PolledSocket()
        query = {**request.query, "transport": "websocket"}
        headers = {**request.headers, "Connection": "Upgrade", "Upgrade": "websocket"}
        try:
            as_websocket = request.clone(rel_url=request.rel_url.with_query(query), headers=headers)
        except UnicodeEncodeError:  # bytes that were no text
            return bad_request("expected headers in UTF-8")
        as_websocket[_POLLED] = polled
        serving = asyncio.create_task(self._served(as_websocket))
        self._polling.add(serving)
        serving.add_done_callback(lambda _: self._forget(polled, serving))
        poll = asyncio.create_task(polled.poll(request))
        try:
            await asyncio.wait((serving, poll), return_when=asyncio.FIRST_COMPLETED)
            if not polled.sid:
                return await serving
            answer = await poll  # soon: there is a packet, or the connection is over already
        except asyncio.CancelledError:  # the client is gone
            serving.cancel()
            raise
        finally:
            poll.cancel()
        if not serving.done():
            self._polled[polled.sid] = polled
        return answer

    def _forget(self, polled: PolledSocket, serving: asyncio.Task[web.StreamResponse]) -> None:
        polled.end()
        self._polled.pop(polled.sid, None)
        self._polling.discard(serving)

    async def _served(self, request: web.Request) -> web.StreamResponse:
        response: web.StreamResponse = await self._server.handle_request(request)
        return response

    async def close(self) -> None:
        """End the heartbeats and the watch over the clients."""
        for serving in tuple(self._polling):
            serving.cancel()
        await asyncio.gather(*self._polling, return_exceptions=True)
        await self._server.eio.end()

    async def _connected(self, sid: str, environ: dict[str, Any], _auth: object) -> None:
        socket: _Socket = environ[_SOCKET]
        request: web.Request = environ["aiohttp.request"]
        handshake = Handshake(request.match_info, request.query, request.headers)
        try:
            socket.safely(partial(socket.join, self._enter, handshake))
        except Refused as refused:
            raise _Refusal(str(refused)) from None
        self._sockets[sid] = socket

    async def _disconnected(self, sid: str, _reason: object) -> None:
        socket = self._sockets.pop(sid, None)
        if socket is not None:
            socket.safely(socket.leave)

    async def _received(self, event: object, sid: str, *data: Any) -> Any:
        socket = self._sockets.get(sid)
        if socket is None or not isinstance(event, str):
            return None
        answer = socket.safely(partial(socket.hear, event, data[0] if data else None))
        if socket.ending:
            await self._server.disconnect(sid)
        return answer


class _Engine(engineio.AsyncServer):
    """An Engine.IO server that keeps track of its background tasks, so that none outlives it."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)  # type: ignore[no-untyped-call]
        self._tasks: set[asyncio.Task[Any]] = set()
        self._endings: set[asyncio.Task[None]] = set()

    def start_background_task(
        self, target: Callable[..., Awaitable[Any]], *arguments: Any, **options: Any
    ) -> asyncio.Task[Any]:
        task = asyncio.ensure_future(target(*arguments, **options))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def start_ending(self, ending: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start the task that a connection runs at its end; it takes no time, so it is awaited, not cancelled."""
        task = asyncio.create_task(ending)
        self._endings.add(task)
        task.add_done_callback(self._endings.discard)
        return task

    async def end(self) -> None:
        await asyncio.gather(*self._endings)
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Server(socketio.AsyncServer):
    """Refuses an unknown namespace in the words of the reference; the library's have another shape."""

    def _engineio_server_class(self) -> type[_Engine]:
        return _Engine

    async def _handle_connect(self, eio_sid: str, namespace: str | None, data: Any) -> None:
        if (namespace or "/") in self.handlers:
            await super()._handle_connect(eio_sid, namespace, data)  # type: ignore[no-untyped-call]
            return
        refusal = {"message": "Invalid namespace"}
        packet = _SocketPacket(socketio.packet.CONNECT_ERROR, data=refusal, namespace=namespace)
        await self._send_packet(eio_sid, packet)  # type: ignore[no-untyped-call]


class _Socket:
    """A connection: to Engine.IO its WebSocket (`send`, `wait`, `close`), to the link its peer."""

    def __init__(self, serve: Serve, handler: Callable[[_Socket], Awaitable[None]], engine: _Engine) -> None:
        self._serve = serve
        self._engine = engine
        self._handler = handler
        self._frames: asyncio.Queue[str | bytes | None] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self._link: Wire
        self._voice: Voice
        self._session: Visit | None = None
        self._greeted = False
        self._polled: PolledSocket | None = None
        self._packets = Packets()
        self._is_handling = False  # the library has a frame and has not asked for the next one

    async def __call__(self, environ: dict[str, Any]) -> web.StreamResponse:
        """Serve the connection until it and Engine.IO's part of it have ended."""
        environ[_SOCKET] = self
        try:
            request: web.Request = environ["aiohttp.request"]
            self._polled = request.get(_POLLED)
            if self._polled is not None:
                self._polled.is_busy = lambda: self._is_handling or not self._frames.empty()
            return await self._serve(request, self._connect, self._polled)
        finally:
            # The request is cancelled when the client is gone, but what was begun must be ended all the same.
            await asyncio.shield(self._engine.start_ending(self._end()))

    async def send(self, frame: str | bytes) -> None:
        """Queue one of the library's own frames. The session begins behind the answer to the connect."""
        if isinstance(frame, str):
            self._link.send((self._with_exact_interval(frame) if frame.startswith("0") else frame).encode())
        else:
            self._link.send(frame, binary=True)
        if self._session is not None and not self._greeted and str(frame).startswith(_CONNECTED):
            self._greeted = True
            self.safely(self._session.opened)

    async def wait(self) -> str | bytes | None:
        """Waits for the client's next frame; None at the end. One that the reference refuses ends the connection.

        The library cancels this if the client does not answer its pings.
        """
        self._is_handling = False
        if self._polled is not None:
            self._polled.wake()
        try:
            frame = await self._frames.get()
            self._is_handling = frame is not None
            if frame is not None:
                self._packets.check(frame)
        except (ValueError, asyncio.CancelledError):
            if self._polled is not None:
                self._polled.end()
            raise
        return frame

    async def close(self) -> None:
        """Close the connection, as the library wants."""
        self._link.finish(1000, "")

    def join(self, enter: Enter, handshake: Handshake) -> None:
        """Begin the conversation.

        Raises:
            Refused: the venue does not want it.
        """
        self._voice = Voice(self._link, socketio_frame)
        self._session = enter(self._voice, handshake)

    def hear(self, event: str, data: Any) -> Any:
        """Hand an event to the session; returns what the acknowledgement says."""
        return None if self._session is None or self._voice.left else self._session.receive(event, data)

    def leave(self) -> None:
        """End the conversation; the connection may go on."""
        session, self._session = self._session, None
        self._greeted = False
        if session is not None:
            self._voice.close()
            session.closed()

    @property
    def ending(self) -> bool:
        """Whether the venue wants to end the conversation."""
        return self._session is not None and bool(self._voice.left)

    def safely(self, act: Callable[[], Any]) -> Any:
        """Call our code so that an exception is reported; the library would swallow it."""
        try:
            return act()
        except Refused:
            raise
        except Exception as error:
            asyncio.get_running_loop().call_exception_handler({"message": "a fault of a venue", "exception": error})
            self._link.finish(1011, "internal error")
            return None

    def opened(self) -> None:
        """Hand the connection to Engine.IO."""
        self._task = asyncio.ensure_future(self._handled())

    def receive(self, frame: str | bytes) -> None:
        """Keep a frame until Engine.IO has read those before it."""
        self._frames.put_nowait(frame)
        if self._frames.qsize() > MOST_UNREAD:
            self._link.finish(1008, f"more than {MOST_UNREAD} messages are waiting to be read")

    def closed(self) -> None:
        self._frames.put_nowait(None)

    def farewell(self, *, reconnect: bool) -> bytes:
        """A disconnect packet if the client is not to come again: after a mere close it would reconnect by itself."""
        return b"" if reconnect or self._session is None else _DISCONNECTED

    def gap(self) -> None:
        """Does nothing: events have no numbers, so no client could notice a lost one."""

    def garbage(self) -> Iterator[bytes]:
        """Frames that break Engine.IO or Socket.IO, then events with bad data."""
        yield b"9"
        yield b"4"
        yield b"42"
        yield b'42["kline",{"add"'
        yield b"42{}"
        yield b"42[]"
        yield b'42[7,{"add":null}]'
        yield b"43777[]"
        yield b"47"
        yield b'42/other,["weather",{}]'
        yield b'4299999999999999999999["weather","an id without end"]'
        for bad in self._session.garbage() if self._session is not None else ():
            yield b"42[%b,%b]" % (_SocketPacket.json.dumps(bad.name).encode(), bad.data)

    def _connect(self, link: Wire) -> _Socket:
        self._link = link
        return self

    def _with_exact_interval(self, opening: str) -> str:
        """The open packet with the exact interval of pings; the library rounds it down to seconds there."""
        told = msgspec.json.decode(opening[1:])
        return "0" + msgspec.json.encode({**told, "pingInterval": round(self._engine.ping_interval * 1000)}).decode()

    async def _handled(self) -> None:
        await self._handler(self)

    async def _end(self) -> None:
        self._frames.put_nowait(None)
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)
        await self._handler.__self__.close(wait=False, abort=True)  # type: ignore[attr-defined]
