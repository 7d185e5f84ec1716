"""HTTP long-polling, the transport that a Socket.IO client begins with unless it is told otherwise.

    GET  …?EIO=4&transport=polling       → 0{"sid":"a","upgrades":["websocket"],…}
    GET  …&transport=polling&sid=a       → packets with 0x1E between them, as soon as there is one; b… is base64
    POST …&transport=polling&sid=a       ← the same, → ok
    GET  …&transport=websocket&sid=a     a WebSocket: ← 2probe → 3probe ← 5; until then each poll is answered with 6

As in the reference servers, a second poll beside the first one, or a body that is no packets, ends the connection: a
waiting poll is answered with a last 1 (close), or 6 if the client has closed, and everything after that with 400.

For the rest of the simulator a client that polls is one more socket, also once it has gone on with a WebSocket: order,
slow readers and faults are as on every other connection.
"""

from __future__ import annotations

import asyncio
import base64
from collections import deque
from typing import TYPE_CHECKING, Final

import msgspec
from aiohttp import WSMessage, WSMsgType, web

from venues.simulator.link import new_websocket
from venues.simulator.packets import check_engine_packet
from venues.simulator.world_clock import turn

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_UNTAKEN: Final = 64 * 1024  # bytes that wait for a poll, as they would in a TCP connection
_SEPARATOR: Final = b"\x1e"
_OPEN: Final = b"0"
_CLOSE: Final = b"1"
_NOOP: Final = b"6"
_TURNS: Final = 5  # of the loop, until what is being said at the same time is there
_PROBE, _PROBED, _UPGRADE = "2probe", "3probe", "5"
_OVER: Final = WSMessage(WSMsgType.CLOSED, None, None)
_DATA: Final = (WSMsgType.TEXT, WSMsgType.BINARY)
_CARRIED: Final = (*_DATA, WSMsgType.PING, WSMsgType.PONG)


class PolledSocket:
    """What one client polls for and posts, then sends on the WebSocket that it goes on with.

    `sid` is its id, known once the open packet has been sent. `is_busy` says whether posted messages are still being
    handled; whoever sets it calls `wake` when they are not any more.
    """

    def __init__(self) -> None:
        self.sid = ""
        self.is_busy: Callable[[], bool] = lambda: False
        self._out: list[bytes] = []  # packets for the next poll
        self._received: deque[WSMessage] = deque()
        self._unread: int  # messages that were received, until the one after them is asked for
        self._changed = asyncio.Event()
        self._poll: web.Request | None = None
        self._candidate: web.WebSocketResponse | None = None  # that the client may go on with
        self._upgrading = False
        self._left = False  # the client has closed it
        self._websocket: web.WebSocketResponse | None = None
        self._transport: asyncio.Transport | None = None
        self._over = False

    # --- a socket, to the link

    async def send_frame(self, data: bytes, kind: WSMsgType) -> None:
        """Send a frame, or keep it for the next poll; waits while too many kept bytes are not taken."""
        if self._websocket is not None:
            await self._websocket.send_frame(data, kind)
            return
        if not self.sid and data.startswith(_OPEN):
            data = self._with_upgrade(data)
        self._out.append(data if kind is WSMsgType.TEXT else b"b" + base64.b64encode(data))
        self.wake()
        await self._until(lambda: sum(map(len, self._out)) <= MOST_UNTAKEN)
        if self._over:
            raise ConnectionResetError

    async def receive(self) -> WSMessage:
        """Waits for the client's next message and returns it."""
        self._unread = len(self._received)
        self.wake()
        await self._until(lambda: bool(self._received))
        return self._received.popleft() if self._received else _OVER

    async def close(self, *, code: int = 1000, message: bytes = b"") -> bool:
        """End the connection in order, once the client has taken everything."""
        if self._websocket is None and not self._left:
            for last in ((), (_CLOSE,)):  # by itself: the reference client forgets what comes in the same poll
                self._out += last
                self.wake()
                await self._until(lambda: not self._out)
        elif self._websocket is not None and not self._over:
            await self._websocket.close(code=code, message=message)
        self.end()
        return True

    def end(self) -> None:
        """End the connection: nobody waits for anything any more."""
        self._over = True
        self.wake()
        if self._websocket is None and self._transport is not None:
            self._transport.abort()  # of a WebSocket that has not come to anything

    def abort(self) -> None:
        """Abort the connections below, without a close frame or an answer."""
        self.end()
        if self._poll is not None and self._poll.transport is not None:
            self._poll.transport.abort()
        if self._transport is not None:
            self._transport.abort()

    # --- a path, to the client

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer a request of this client: a poll, a post, or the change to a WebSocket."""
        if request.query.get("transport") == "websocket" and new_websocket().can_prepare(request):
            return await self._upgrade(request)
        if self._websocket is not None:
            return bad_request("this client has gone on with a WebSocket")
        if request.query.get("transport") != "polling":
            return bad_request("Invalid transport")
        if request.method == "GET":
            return await self.poll(request)
        return await self._posted(request) if request.method == "POST" else bad_request("expected GET or POST")

    async def poll(self, request: web.Request) -> web.Response:
        """Waits for a packet, and answers with all packets that wait by then."""
        if self._over:
            return bad_request("this connection is over")
        if self._poll is not None:
            self.end()
            return bad_request("expected one poll at a time")
        self._poll = request
        try:
            await self._until(lambda: bool(self._out) or self._upgrading)
            for _ in range(_TURNS):
                await turn()
        finally:
            self._poll = None
        if self._over:
            packets = [_NOOP if self._left else _CLOSE]
        elif self._upgrading:
            packets = [_NOOP]
        else:
            packets, self._out = self._out, []
            self.wake()
        return web.Response(body=_SEPARATOR.join(packets), content_type="text/plain", charset="UTF-8")

    async def _posted(self, request: web.Request) -> web.Response:
        if self._over:
            return bad_request("this connection is over")
        try:
            packets = (await request.read()).split(_SEPARATOR)
            messages = [_message(packet) for packet in packets]
        except ValueError:
            self.end()
            return bad_request("expected packets in UTF-8 with 0x1E between them, those with b in base64")
        self._left = self._left or _CLOSE in packets
        self._take(*messages, *([_OVER] if self._left else ()))
        await self._until(lambda: not self._unread and not self.is_busy())
        if self._left:
            self.end()
        return web.Response(text="ok")

    async def _upgrade(self, request: web.Request) -> web.StreamResponse:
        websocket = new_websocket()
        await websocket.prepare(request)
        if self._candidate is None and self._websocket is None:
            self._candidate, self._transport = websocket, request.transport
            try:
                await self._probe(websocket)
            finally:
                self._candidate = None
        await websocket.close()
        return websocket

    async def _probe(self, websocket: web.WebSocketResponse) -> None:
        if (await websocket.receive()).data != _PROBE:
            return
        await websocket.send_str(_PROBED)
        self._upgrading = True
        self.wake()
        try:
            probed = await websocket.receive()
        finally:
            self._upgrading = False
        if probed.data == _UPGRADE and not self._over:
            await self._go_on_with(websocket)

    async def _go_on_with(self, websocket: web.WebSocketResponse) -> None:
        try:
            while self._out:
                await websocket.send_frame(*_frame(self._out.pop(0)))
            self._websocket = websocket
            self.wake()
            while (message := await websocket.receive()).type in _CARRIED:
                self._take(message)
        finally:
            self._take(_OVER)

    # --- both sides

    def _with_upgrade(self, packet: bytes) -> bytes:
        opened = msgspec.json.decode(packet[1:])
        self.sid = opened["sid"]
        return _OPEN + msgspec.json.encode({**opened, "upgrades": ["websocket"]})

    def _take(self, *messages: WSMessage) -> None:
        self._received += messages
        self._unread = len(self._received)
        self.wake()

    def wake(self) -> None:
        """Wake all waiting tasks, so that they look again at what they wait for."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def _until(self, holds: Callable[[], bool]) -> None:
        while not holds() and not self._over:
            await self._changed.wait()


def _message(packet: bytes) -> WSMessage:
    text = packet.decode()
    check_engine_packet(text)
    if text.startswith("b"):
        return WSMessage(WSMsgType.BINARY, base64.b64decode(text[1:]), None)
    return WSMessage(WSMsgType.TEXT, text, None)


def _frame(packet: bytes) -> tuple[bytes, WSMsgType]:
    """The WebSocket frame, and its type, for a packet that waited for a poll."""
    if packet.startswith(b"b"):
        return base64.b64decode(packet[1:]), WSMsgType.BINARY
    return packet, WSMsgType.TEXT


def bad_request(said: str) -> web.Response:
    """An answer with HTTP status 400 and the reason as JSON text."""
    return web.json_response(said, status=400)
