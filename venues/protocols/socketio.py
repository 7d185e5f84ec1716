"""Socket.IO over a WebSocket without I/O, both generations: one `SocketIo` a connection, a part of a session.

Engine.IO 3 carries Socket.IO 2, Engine.IO 4 carries Socket.IO 3 and 4. An older server also answers a client that asks
for the newer one. What differs, with a raw sample of each (formats: https://github.com/socketio/engine.io-protocol and
https://github.com/socketio/socket.io-protocol; behaviour: servers 2.0.4, 2.4.1, 3.1.2, 4.5.0 and 4.8.4):

                older (3)                                   newer (4)
    open        ← 0{"sid":"a","upgrades":[],                ← 0{"sid":"a","upgrades":[],"pingInterval":25000,
                   "pingInterval":25000,"pingTimeout":5000}    "pingTimeout":20000,"maxPayload":1000000}
    namespace   ← 40                                        → 40   ← 40{"sid":"b"}
    heartbeat   → 2   ← 3                                   ← 2   → 3
    refused     ← 44"text"                                  ← 44{"message":"text"}
    event       ← 42["name",{…}]                            the same
    with ack    ← 4212["name",{…}]   → 4312[]               the same

Only the newer generation has `maxPayload`, and its first servers lack it. Without it we first wait for the server's own
`40` before we send ours: an older server would take ours for a second connection and send every event twice.

A session gives `Broken` on as `Lost(broken.reason, retry=broken.retry)`. Its line keeps `learnt` and passes it as
`known` to the next connection's `SocketIo`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta, Raw, Struct

from venues import driver
from venues.protocols import flood, packets
from venues.protocols.packets import Packet
from venues.toolkit.decoding import DECODE_ERRORS, Reader, excerpt, explain
from venues.venue import Lost

if TYPE_CHECKING:
    from venues.venue import Now, Refused

QUERY = "EIO=4&transport=websocket"  # for the URL, after the path `/socket.io/`

SILENT_WITHIN = 0.5  # seconds until we send something, to see whether the other end merely echoes it
OPEN_WITHIN = 10.0  # seconds from the open WebSocket to the open packet, which a server sends at once
UNASKED_WITHIN = 0.5  # seconds after the open packet in which an older server sends its `40`
MOST_ATTACHMENTS = 100  # of one event; each is a frame that is not looked into
LONGEST_REFUSAL = 500  # characters of the server's words
CONNECT_TIMEOUT = 20.0  # seconds from the open WebSocket to the namespace's `40`, as in the reference client

Generation: TypeAlias = Literal[3, 4]
Lesson: TypeAlias = Literal[3, 4, "either"]  # a Socket.IO server of this generation

# --- what happens on a link ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Connected:
    """The server let us into the namespace. `generation` is that of its Engine.IO."""

    generation: Generation


class Event(Struct, frozen=True):
    """`42["name",{…}]`; one that wants an acknowledgement, `4212["name",{…}]`, has its id in `ack`.

    Events that come before `Connected` count. Each of `arguments` is JSON as the server wrote it. A server that keeps
    events for clients that reconnect (`40{"sid":"b","pid":"c"}`) adds an offset as last argument, which is left out.
    """

    name: str
    arguments: list[Raw]
    ack: int | None = None


class Acknowledged(Struct, frozen=True):
    """The server's answer to an event of ours that wanted one: `4312[…]`."""

    ack: int
    arguments: list[Raw]


@dataclass(frozen=True, slots=True)
class ConnectRefused:
    """The server does not let us in: `44"text"` or `44{"message":"text"}`. The link is over.

    `message` is the server's text; for any other JSON, which an older server may send, the JSON itself.
    """

    message: str


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The server put us out of the namespace (`41`). The link is over; the reference client does not reconnect."""


@dataclass(frozen=True, slots=True)
class Broken:
    """The connection is of no more use. The link is over.

    `retry`: another connection may work. False: no Socket.IO server answers there, and none ever has on this line.
    """

    reason: str
    retry: bool = True


@dataclass(frozen=True, slots=True)
class BadPacket:
    """A frame that was not understood or is not supported; the link goes on."""

    reason: str


Happening: TypeAlias = Connected | Event | Acknowledged | ConnectRefused | Disconnected | Broken | BadPacket

# --- payloads ------------------------------------------------------------------------------------------------------

_Milliseconds: TypeAlias = Annotated[float, Meta(ge=1)]


class _Open(Struct, rename="camel"):
    ping_interval: _Milliseconds
    ping_timeout: _Milliseconds
    max_payload: Raw = Raw()


class _Welcome(Struct):
    sid: str | None = None
    pid: Raw = Raw()


class _Refusal(Struct):
    message: str


_NOOP = packets.write_frame(packets.NOOP)  # a server ignores it, also before its open packet
_OPEN: Reader[_Open] = Reader(_Open, respells=False)
_WELCOME: Reader[_Welcome] = Reader(_Welcome, respells=False)
_REFUSAL: Reader[str | _Refusal] = Reader(str | _Refusal, respells=False)
_RAW: Reader[Raw] = Reader(Raw, respells=False)
_ARRAY: Reader[list[Raw]] = Reader(list[Raw], respells=False)
_NAME: Reader[str] = Reader(str, respells=False)


def verdict(status: int, body: str) -> Refused | Lost:
    """What an HTTP status instead of an open WebSocket means where a Socket.IO server was expected.

    A server of either generation refuses with 400 or 403 (`{"code":4,"message":"Forbidden"}`, or words of its own);
    404 and ordinary answers come from who is none. `body` is an excerpt of the answer, possibly empty.
    """
    if status < 300 or status in (404, 405, 410, 426):
        said = f"HTTP {status}" + (f": {body}" if body else "")
        return Lost(f"this is no Socket.IO server: expected a WebSocket, got {said}; check the address", retry=False)
    return driver.verdict(status, body)


class SocketIo:
    """One connection to a Socket.IO server's `/` namespace. `opened` first; `take` after every call.

    `learnt` is what this connection has shown so far of the server, None before its open packet; `known`
    is what the one before it had learnt. An older server that is slow to let a client in (it looks a key up) sends its
    `40` later than we wait; that connection is `Broken`, and the next one knows better.
    """

    def __init__(self, known: Lesson | None = None) -> None:
        self.learnt = known
        self._known = known
        self._generation: Generation | None = None if known == "either" else known  # what the server is taken for
        self._certain = False
        self._connected = False
        self._over = False
        self._asked = False
        self._out: list[str] = []
        self._next_ack = 0
        self._ends_with_places = False
        self._attachments = 0  # binary frames that are still to come
        self._noop_at: float | None = None
        self._noop_sent = False
        self._open_by: float | None = None
        self._connect_by: float | None = None
        self._ask_at: float | None = None
        # Seconds; before the open packet the interval is None, and there is no timeout.
        self._interval: float | None = None
        self._timeout: float
        self._beat = -math.inf  # newer: the server's last ping, or the open packet; older: the same of ours
        self._unanswered = False
        self._idle = flood.FloodGauge()
        self._last: bytes  # the last frame …
        self._last_at = -math.inf  # … and when it came
        self._part_at = -math.inf  # the latest part of a message behind which what is awaited has to wait

    def opened(self, now: Now) -> None:
        """To be called once the WebSocket is open; the server sends first."""
        if self._known is None:
            self._noop_at = now.mono + SILENT_WITHIN
        self._open_by = now.mono + OPEN_WITHIN
        self._connect_by = now.mono + CONNECT_TIMEOUT

    def receive(self, frame: bytes, now: Now) -> list[Happening]:
        """What one WebSocket message, text or binary, brings: one item or none, two after a flood."""
        if self._over:
            return []
        self._last, self._last_at = frame, now.mono
        if self._attachments and self._is_attachment(frame):
            return self.meant_nothing() or self._swallow(frame, now)
        try:
            kind, content = packets.read_frame(frame)
            if self._interval is None and self._noop_sent and frame == _NOOP.encode():
                raise ValueError("it sends back what it is sent")
            if self._interval is None and kind != packets.OPEN:
                raise ValueError(f"expected the open packet first, got an Engine.IO packet of type {kind}")
            happening = self._engine_packet(kind, content, now)
        except DECODE_ERRORS as error:
            happening = self._not_understood(explain(error))
        except ValueError as error:
            happening = self._not_understood(str(error))
        if happening is None:
            return self.meant_nothing()
        return (isinstance(happening, BadPacket) and self.meant_nothing()) or [happening]

    def meant_nothing(self) -> list[Happening]:
        """To be called if the last frame is nothing that we asked for, e.g. an event of an unknown name.

        A flood of such frames breaks the link: then the answer has a `Broken`, else it is empty.
        """
        if self._over or not self._idle.overflows(len(self._last), self._last_at):
            return []
        self._out.clear()  # nobody reads the answers to a flood
        return [BadPacket(f"{flood.WORDS} (Socket.IO)"), self._broken(f"the server sent {flood.WORDS}")]

    def emit(self, name: str, *arguments: Any, ack: bool = False) -> int | None:
        """Sends an event, only after `Connected`. With `ack`, returns the id that the `Acknowledged` will have.

        Arguments are JSON values as msgspec encodes them; a `msgspec.Raw` goes out as it is.
        """
        assert self._connected, "an event is sent after Connected"
        ack_id = None
        if ack:
            ack_id = self._next_ack
            self._next_ack += 1
        self._send_packet(packets.EVENT, [name, *arguments], ack_id)
        return ack_id

    def acknowledge(self, ack: int, *arguments: Any) -> None:
        """Answer an event that wanted an acknowledgement."""
        self._send_packet(packets.ACK, list(arguments), ack)

    def leave(self) -> None:
        """Leaves the namespace (`41`). Nothing is awaited, and the link is over."""
        if self._connected:
            self._send(packets.write_packet(Packet(packets.DISCONNECT)))
        self._over = True

    def deadline(self) -> float | None:
        """The monotonic time at which `tick` is due; None once the link is over."""
        if self._over:
            return None
        moments = (self._noop_at, self._open_by, self._connect_by, self._ask_at, self._heartbeat_due())
        return min((moment for moment in moments if moment is not None), default=None)

    def tick(self, now: Now) -> list[Happening]:
        """To be called once the deadline has passed: asks for the namespace, pings, or gives the server up."""
        if self._over:
            return []
        if now.arriving is not None:
            self._put_off(now.arriving)
        if self._noop_at is not None and now.mono >= self._noop_at:
            self._noop_at = None
            self._noop_sent = True
            self._send(_NOOP)
        if self._open_by is not None and now.mono >= self._open_by:
            return [self._no_server(f"expected the open packet within {OPEN_WITHIN:g} s, got nothing")]
        if self._connect_by is not None and now.mono >= self._connect_by:
            return [self._broken(f"the Socket.IO server did not let us in (`40`) within {CONNECT_TIMEOUT:g} s")]
        if self._ask_at is not None and now.mono >= self._ask_at:
            self._ask()
        beat_due = self._heartbeat_due()
        if beat_due is None or now.mono < beat_due:
            return []
        if self._generation == 4:
            return [self._broken("no ping from the server within its pingInterval and pingTimeout")]
        if self._unanswered:
            return [self._broken("no answer to our ping within the server's pingTimeout")]
        self._ping(now)
        return []

    def take(self) -> list[str]:
        """The text messages to send, in order; each is returned once."""
        out, self._out = self._out, []
        return out

    # --- Engine.IO -------------------------------------------------------------------------------------------------

    def _is_attachment(self, frame: bytes) -> bool:
        """Whether a frame is an attachment. An older server marks them with a byte; of a newer one any frame may be."""
        return frame[:1] == b"\x04" or self._generation != 3

    def _swallow(self, frame: bytes, now: Now) -> list[Happening]:
        """Drops an attachment: it belongs to an event that was refused.

        Those of the newer generation are bare bytes that any client may have chosen, so none is taken for a packet.
        One that reads like a packet is reported: it may be a packet, if the attachments never came.
        """
        self._attachments -= 1
        if frame == b"2":
            self._heard_ping(now)
        if not _reads_like_a_packet(frame):
            return []
        return [BadPacket("expected a binary attachment, got what reads like a packet; it was not used")]

    def _engine_packet(self, kind: int, content: str, now: Now) -> Happening | None:
        match kind:
            case packets.MESSAGE:
                return self._message(content)
            case packets.OPEN:
                return self._open(content, now)
            case packets.PING:
                self._heard_ping(now)
            case packets.PONG:
                self._unanswered = False
            case packets.CLOSE:
                return self._broken("the server closed the Engine.IO transport")
            case packets.UPGRADE | packets.NOOP:  # these concern HTTP polling
                pass
            case _:
                return BadPacket(f"expected an Engine.IO packet of type 0 to 6, got type {kind}")
        return None

    def _open(self, content: str, now: Now) -> Happening | None:
        if self._interval is not None:
            return BadPacket("expected one open packet, got another")
        try:
            server = _OPEN.decode(content)
        except DECODE_ERRORS as error:
            return self._no_server(f"{explain(error)} (in the open packet)")
        self._noop_at = self._open_by = None
        self._interval = server.ping_interval / 1000
        self._timeout = server.ping_timeout / 1000
        self._beat = now.mono
        self.learnt = "either"
        if len(server.max_payload):
            self._certain = True
            self.learnt = self._generation = 4
        if self._generation == 4:
            self._ask()
        elif self._generation is None:
            self._ask_at = now.mono + UNASKED_WITHIN
        return None

    def _heard_ping(self, now: Now) -> None:
        pong = packets.write_frame(packets.PONG)
        if pong not in self._out:  # one answers all that came before it
            self._send(pong)
        if not self._connected and not self._asked:  # an older server sends no pings
            self._generation = 4
            self._ask()
        if self._generation != 3:  # there the heartbeat is ours
            self._beat = now.mono

    def _ping(self, now: Now) -> None:
        self._beat = now.mono
        self._unanswered = True
        self._send(packets.write_frame(packets.PING))

    def _heartbeat_due(self) -> float | None:
        if self._interval is None or self._generation is None:
            return None
        if self._generation == 3 and not self._unanswered:
            return self._beat + self._interval
        return max(self._awaited_since(), self._part_at) + self._timeout

    def _awaited_since(self) -> float:
        """When the server was to send its next ping (newer) or its answer to ours (older)."""
        if self._generation == 4 and self._interval is not None:
            return self._beat + self._interval
        return self._beat

    def _put_off(self, arriving: float) -> None:
        """Allows more time while a message is still arriving: it is a sign of life, and the ping comes behind it.

        Once whole messages have come since, no more time is allowed.
        """
        if self._open_by is not None:
            self._open_by = max(self._open_by, arriving + OPEN_WITHIN)
        if self._connect_by is not None:
            self._connect_by = max(self._connect_by, arriving + CONNECT_TIMEOUT)
        if self._last_at <= self._awaited_since():
            self._part_at = arriving

    # --- Socket.IO -------------------------------------------------------------------------------------------------

    def _message(self, content: str) -> Happening | None:
        try:
            packet = packets.read_packet(content)
        except ValueError as error:
            if content[:1] in ("5", "6"):  # its attachments would look like packets
                return self._broken(str(error))
            raise
        if packet.attachments > MOST_ATTACHMENTS:
            return self._broken(f"expected at most {MOST_ATTACHMENTS} binary attachments, got {packet.attachments}")
        self._attachments = packet.attachments  # they follow, whatever becomes of the packet
        return self._packet(packet)

    def _packet(self, packet: Packet) -> Happening | None:
        if packet.namespace != "/":
            return None
        match packet.kind:
            case packets.EVENT:
                return self._event(packet)
            case packets.CONNECT:
                return self._welcome(packet.payload)
            case packets.CONNECT_ERROR:
                return self._refused(packet.payload)
            case packets.DISCONNECT:
                self._over = True
                return Disconnected()
            case packets.ACK:
                return self._acknowledged(packet)
            case packets.BINARY_EVENT | packets.BINARY_ACK:
                return BadPacket("expected an event in JSON, got one with binary attachments, which is not supported")
            case _:
                return BadPacket(f"expected a Socket.IO packet of type 0 to 6, got type {packet.kind}")

    def _ask(self) -> None:
        self._ask_at = None
        self._asked = True
        self._send(packets.write_packet(Packet(packets.CONNECT)))

    def _welcome(self, payload: str) -> Happening | None:
        welcome = _WELCOME.decode(payload or "{}")
        if self._connected:
            return None
        generation: Generation = 4 if welcome.sid is not None or self._certain else 3
        self.learnt = self._generation = generation
        if generation == 3 and self._asked:
            return self._broken("a slow server of Socket.IO 2, which would send every event twice on this connection")
        self._connected = True
        self._ends_with_places = len(welcome.pid) > 0
        self._connect_by = self._ask_at = None
        return Connected(generation)

    def _event(self, packet: Packet) -> Event:
        array = _ARRAY.decode(packet.payload)
        if not array:
            raise ValueError("expected an event with its name, got an empty one")
        name, *arguments = array
        # Events that ask for an acknowledgement, or that may get lost, have none: an only argument is not taken for it.
        if self._ends_with_places and packet.ack is None and len(arguments) > 1 and bytes(arguments[-1])[:1] == b'"':
            del arguments[-1]
        return Event(_NAME.decode(name), arguments, packet.ack)

    def _refused(self, payload: str) -> Happening:
        message = excerpt(_words_of(payload), LONGEST_REFUSAL)
        if self._connected:
            return BadPacket(f"expected no refusal of a connection that stands, got one: {excerpt(message, 200)}")
        self._over = True
        return ConnectRefused(message)

    def _acknowledged(self, packet: Packet) -> Acknowledged:
        if packet.ack is None:
            raise ValueError("expected an acknowledgement with the id of an event, got one without")
        if packet.ack >= self._next_ack:
            raise ValueError("expected an acknowledgement of an event that was sent, got one of another")
        return Acknowledged(packet.ack, _ARRAY.decode(packet.payload))

    def _send_packet(self, kind: int, array: list[Any], ack: int | None) -> None:
        payload = msgspec.json.encode(array).decode()
        self._send(packets.write_packet(Packet(kind, payload, ack)))

    def _send(self, frame: str) -> None:
        if not self._over:
            self._out.append(frame)

    def _broken(self, reason: str, *, retry: bool = True) -> Broken:
        self._over = True
        return Broken(reason, retry)

    def _not_understood(self, reason: str) -> BadPacket | Broken:
        return self._no_server(reason) if self._interval is None else BadPacket(reason)

    def _no_server(self, reason: str) -> Broken:
        """A `Broken` that is final, unless a Socket.IO server has answered on this line before: it may come back."""
        return self._broken(f"this is no Socket.IO server: {reason}", retry=self._known is not None)


def _words_of(payload: str) -> str:
    """The server's words: a text, the text in an object, or else the data as it came."""
    try:
        refusal = _REFUSAL.decode(payload)
        words = refusal if isinstance(refusal, str) else refusal.message
    except DECODE_ERRORS:
        words = payload
    return words.strip() or "no reason given"


def _reads_like_a_packet(frame: bytes) -> bool:
    try:
        kind, content = packets.read_frame(frame)
        payload = packets.read_packet(content).payload if kind == packets.MESSAGE else content
        _RAW.decode(payload or "0")
    except (ValueError, *DECODE_ERRORS):
        return False
    return True
