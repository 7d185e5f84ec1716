"""SignalR's JSON hub protocol without I/O: one `Hub` a connection, which a venue's session is composed of.

The protocol is ASP.NET Core's, version 1, as a venue's document shows it ("Set to 4 to indicate the
StreamInvocation"). Every message is a JSON object that ends with the byte 0x1E; a frame may hold several, or a part
of one, and the first of them is the answer to our handshake:

    → {"protocol":"json","version":1}␞
    ← {}␞{"type":6}␞
    → {"type":4,"invocationId":"0","target":"Book","arguments":["cfd.eur_chf"]}␞
    ← {"type":2,"invocationId":"0","item":{…}}␞
    → {"type":5,"invocationId":"0"}␞
    ← {"type":3,"invocationId":"0"}␞

We send signalrcore's messages in its encoding. What comes is decoded by msgspec; an item stays raw JSON, for the venue
to decode. Deadlines are those of the reference client.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec import Raw, Struct
from signalrcore.messages.cancel_invocation_message import CancelInvocationMessage
from signalrcore.messages.completion_message import CompletionMessage
from signalrcore.messages.ping_message import PingMessage
from signalrcore.messages.stream_invocation_message import StreamInvocationMessage
from signalrcore.protocol.json_hub_protocol import JsonHubProtocol

from venues.protocols import flood
from venues.toolkit.decoding import DECODE_ERRORS, Reader, explain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from venues.venue import Now

PING_AFTER = 15.0  # seconds in which we sent nothing
SERVER_TIMEOUT = 30.0  # seconds in which nothing came
HANDSHAKE_TIMEOUT = 15.0
CANCEL_TIMEOUT = 2.0  # how long `leave` waits for the completions of what it cancelled
MAX_MESSAGE = 16 * 1024 * 1024  # bytes

_SEPARATOR = b"\x1e"
_AT_ONCE = 1000  # messages that a frame is cut into at once

# The framework puts a sentence of its own before a hub method's error. If the error is kept from us, only that comes.
_FRAMEWORK_SENTENCE = (
    r"(?:Failed to invoke '.*?' due to an error on the server|An unexpected error occurred invoking '.*?' on the server"
    r"|An error occurred on the server while streaming results|Connection closed with an error)\.?"
)
_NOTHING_SAID = re.compile(rf"\s*(?:{_FRAMEWORK_SENTENCE}(?:\s*HubException:?)?)?\s*", re.DOTALL)
_HUB_EXCEPTION = re.compile(rf"\s*{_FRAMEWORK_SENTENCE}\s*HubException:\s*(?P<words>.*\S)\s*", re.DOTALL)

# --- what happens on a hub -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ready:
    """The handshake is accepted: streams can be asked for."""


class StreamItem(Struct, frozen=True, rename="camel", tag_field="type", tag=2):
    """One item of a stream of ours: `{"type":2,"invocationId":"0","item":{"version":"7",…}}`.

    `item` is JSON as it came; its text is not yet known to be UTF-8, so decoding it can raise `UnicodeDecodeError`.
    """

    invocation_id: str
    item: Raw


@dataclass(frozen=True, slots=True)
class StreamEnd:
    """The venue ended a stream that we did not cancel; no more items come. `error` is its reason, if it gave one.

    E.g. "Unknown hub method 'X'" or "Failed to invoke 'X' because user is unauthorized".
    """

    invocation_id: str
    error: str | None


class Invocation(Struct, frozen=True, rename="camel", tag_field="type", tag=1):
    """The server calls a method of ours: `{"type":1,"target":"Send","arguments":[42]}`.

    A call that awaits a result (it has an `invocation_id`) has been answered with an error: we offer no methods.
    """

    target: str
    arguments: list[Raw] = []
    invocation_id: str | None = None


@dataclass(frozen=True, slots=True)
class ProtocolError:
    """A message that could not be understood; the messages around it count.

    `invocation_id`: the stream that it belonged to; None: it may have belonged to any.
    """

    reason: str
    invocation_id: str | None = None


@dataclass(frozen=True, slots=True)
class HandshakeFailed:
    """The server refused the handshake (`by_server`), or this is no SignalR hub. The hub is over."""

    reason: str
    by_server: bool


@dataclass(frozen=True, slots=True)
class HubClosed:
    """The server closed the hub: `{"type":7,"error":"…","allowReconnect":true}`. The hub is over.

    `allow_reconnect` False (or absent on the wire) is final for the reference client.
    """

    error: str | None
    allow_reconnect: bool


@dataclass(frozen=True, slots=True)
class Broken:
    """The connection is of no more use: the server was silent for too long or sent too much. The hub is over.

    After a flood of messages that belong to no stream of ours a `ProtocolError` comes first.
    """

    reason: str


Happening: TypeAlias = (
    Ready | StreamItem | StreamEnd | Invocation | ProtocolError | HandshakeFailed | HubClosed | Broken
)

# --- messages that stay inside -------------------------------------------------------------------------------------


class _Completion(Struct, rename="camel", tag_field="type", tag=3):
    invocation_id: str
    result: Raw = Raw()
    error: str | None = None


class _Ping(Struct, tag_field="type", tag=6):
    pass


class _Close(Struct, rename="camel", tag_field="type", tag=7):
    error: str | None = None
    allow_reconnect: bool | None = None


class _HandshakeAnswer(Struct):
    error: str | None = None
    type: int | None = None


class _Kind(Struct):
    type: int


class _Owner(Struct, rename="camel"):
    invocation_id: str


_Message: TypeAlias = Invocation | StreamItem | _Completion | _Ping | _Close

# Of the other types, 4 and 5 are for servers, and 8 and 9 belong to stateful reconnects, which we never ask for.
_KNOWN_TYPES = frozenset({1, 2, 3, 6, 7})

_READER: Reader[_Message] = Reader(_Message, respells=False)
_DECODER = _READER.decoder
_HANDSHAKE_ANSWER: Reader[_HandshakeAnswer] = Reader(_HandshakeAnswer, respells=False)
_KIND: Reader[_Kind] = Reader(_Kind, respells=False)
_OWNER: Reader[_Owner] = Reader(_Owner, respells=False)

# signalrcore's own factory would say version 0, the version of the negotiation.
_PROTOCOL = JsonHubProtocol(version=1)


def own_words(error: str) -> str:
    """A hub's error text without the framework's sentence around a `HubException`.

    `An unexpected error occurred invoking 'X' on the server. HubException: Market 'x' not found` is
    `Market 'x' not found`. Any other error stays as it is.
    """
    thrown = _HUB_EXCEPTION.fullmatch(error)
    return error if thrown is None else thrown["words"]


def says_why(error: str) -> bool:
    """Whether an error text gives a reason, more than the framework's own sentence that something went wrong."""
    return _NOTHING_SAID.fullmatch(error) is None


class Hub:
    """One connection to a hub. The calls, in order: `opened`, then any of the others; `take` after every call.

    Once it is over (`HandshakeFailed`, `HubClosed`, `Broken`) nothing more is sent and nothing more happens.
    """

    def __init__(self) -> None:
        self._ready = False
        self._over = False
        self._out: list[str] = []
        self._rest = bytearray()
        self._idle = flood.FloodGauge()
        self._next_id = 0
        self._live: dict[str, None] = {}  # in the order of subscription
        self._cancelled: set[str] = set()
        self._leaving = False
        self._leave_by: float | None = None
        # `stream` and `cancel` follow from something that just happened, so the last time told is theirs too.
        self._now = self._opened = self._heard = self._spoke = 0.0

    def opened(self, now: Now) -> None:
        """To be called once the WebSocket is open: asks for the JSON protocol; `Ready` or `HandshakeFailed` follows."""
        self._now = self._opened = self._heard = now.mono
        self._send(_PROTOCOL.handshake_message())

    def receive(self, frame: bytes, now: Now) -> list[Happening]:
        """What one WebSocket message brings, in order.

        A caller that cancels a stream while it walks the list may meet more items of it in the same list: look each
        item's `invocation_id` up among those that still count.
        """
        if self._over:
            return []
        self._now = self._heard = now.mono
        if self._ready and frame and not self._rest and frame.find(_SEPARATOR) == len(frame) - 1:
            return self._read(frame[:-1])  # one message, and all of it: the usual frame
        happenings: list[Happening] = [] if frame else self._charge(frame)
        for message in self._whole_messages(frame):
            happenings += self._read(message) if self._ready else self._read_handshake(message)
            if self._over:
                return happenings
        if len(self._rest) > MAX_MESSAGE:
            happenings.append(self._broken(f"expected messages of at most {MAX_MESSAGE} bytes, got a longer one"))
        return happenings

    def stream(self, target: str, arguments: list[Any]) -> str:
        """Ask for a stream, only after `Ready`; the answer is its invocation id: "0", then "1", …

        `arguments` are plain JSON values. To subscribe anew after a gap, `cancel` the old id and ask again.
        """
        assert self._ready, "a stream is asked for after Ready"
        invocation_id = str(self._next_id)
        self._next_id += 1
        self._live[invocation_id] = None
        self._send(StreamInvocationMessage(invocation_id, target, arguments))  # type: ignore[no-untyped-call]
        return invocation_id

    def cancel(self, invocation_id: str) -> None:
        """End a stream: its items, and its completion, are dropped from here on. An ended stream is left alone."""
        if invocation_id in self._live:
            del self._live[invocation_id]
            self._cancelled.add(invocation_id)
            self._send(CancelInvocationMessage(invocation_id))  # type: ignore[no-untyped-call]

    def leave(self, now: Now) -> None:
        """Cancel everything; `done` once the server has completed it, or after two seconds."""
        self._now = now.mono
        self._leaving = True
        self._leave_by = now.mono + CANCEL_TIMEOUT
        for invocation_id in list(self._live):
            self.cancel(invocation_id)

    def done(self) -> bool:
        """After `leave`: no completion is awaited any more."""
        return self._leaving and (not self._cancelled or self._over)

    def deadline(self) -> float | None:
        """The monotonic time at which `tick` is due; None once the hub is over."""
        if self._over:
            return None
        if not self._ready:
            return max(self._opened, self._heard) + HANDSHAKE_TIMEOUT
        moments = [self._spoke + PING_AFTER, self._heard + SERVER_TIMEOUT]
        if self._leave_by is not None:
            moments.append(self._leave_by)
        return min(moments)

    def tick(self, now: Now) -> list[Happening]:
        """To be called once the deadline has passed: pings, gives the server up, or ends the wait of `leave`."""
        if self._over:
            return []
        self._now = now.mono
        if now.arriving is not None:  # an unfinished message is a sign of life too
            self._heard = max(self._heard, now.arriving)
        if not self._ready:
            if now.mono >= max(self._opened, self._heard) + HANDSHAKE_TIMEOUT:
                return [self._broken(f"no answer to the handshake within {HANDSHAKE_TIMEOUT:g} s")]
            return []
        if now.mono >= self._heard + SERVER_TIMEOUT:
            return [self._broken(f"nothing came from the server for {SERVER_TIMEOUT:g} s")]
        if self._leave_by is not None and now.mono >= self._leave_by:
            self._leave_by = None
            self._cancelled.clear()
        if now.mono >= self._spoke + PING_AFTER:
            self._send(PingMessage())  # type: ignore[no-untyped-call]
        return []

    def take(self) -> list[str]:
        """The text messages to send, in order; each is returned once."""
        out, self._out = self._out, []
        return out

    def _send(self, message: object) -> None:
        # Encoding renames the message's attributes in place, so each message is encoded only once.
        if not self._over:
            self._out.append(_PROTOCOL.encode(message))  # type: ignore[no-untyped-call]
            self._spoke = self._now

    def _whole_messages(self, frame: bytes) -> Iterable[bytes]:
        *whole, rest = frame.split(_SEPARATOR, _AT_ONCE)
        if whole and self._rest:
            whole[0] = bytes(self._rest) + whole[0]
            self._rest.clear()
        if len(whole) == _AT_ONCE:
            return chain(whole, self._one_by_one(rest))
        self._rest += rest
        return whole

    def _one_by_one(self, rest: bytes) -> Iterator[bytes]:
        """Yields the messages of a frame one by one: it may hold millions, and after a flood the rest is not read."""
        start = 0
        while (end := rest.find(_SEPARATOR, start)) >= 0:
            yield rest[start:end]
            start = end + 1
        self._rest += rest[start:]

    def _read_handshake(self, message: bytes) -> list[Happening]:
        try:
            answer = _HANDSHAKE_ANSWER.decode(message)
        except DECODE_ERRORS as error:
            return [self._handshake_failed(f"{explain(error)} (the answer to the SignalR handshake)")]
        if answer.type is not None:
            instead = f"a message of type {answer.type}"
            return [self._handshake_failed(f"expected the answer to the SignalR handshake, got {instead}")]
        if answer.error is not None:
            return [self._handshake_failed(answer.error, by_server=True)]
        self._ready = True
        return [Ready()]

    def _read(self, message: bytes) -> list[Happening]:
        try:
            decoded = _DECODER.decode(message)
        except DECODE_ERRORS as usual:
            try:
                decoded = _READER.again(message, usual)
            except DECODE_ERRORS as error:
                return self._charge(message) or _not_understood(message, error)
        match decoded:
            case StreamItem():
                if decoded.invocation_id in self._live:
                    return [decoded]
                return [] if decoded.invocation_id in self._cancelled else self._charge(message)
            case _Completion():
                return self._completed(decoded, message)
            case Invocation():
                if flooded := self._charge(message):
                    return flooded
                self._decline(decoded)
                return [decoded]
            case _Close():
                self._over = True
                return [HubClosed(decoded.error, decoded.allow_reconnect is True)]
            case _Ping():
                return self._charge(message)

    def _charge(self, message: bytes) -> list[Happening]:
        """Counts a message that belongs to no stream of ours. Too many end the hub, with a reason."""
        if not self._idle.overflows(len(message), self._now):
            return []
        return [ProtocolError(f"{flood.WORDS} (SignalR)"), self._broken(f"the server sent {flood.WORDS}")]

    def _completed(self, completion: _Completion, message: bytes) -> list[Happening]:
        invocation_id, error = completion.invocation_id, completion.error
        if invocation_id in self._cancelled:
            self._cancelled.remove(invocation_id)
            return []
        if invocation_id not in self._live:
            return self._charge(message)
        del self._live[invocation_id]
        end = StreamEnd(invocation_id, error)
        if error is not None and bytes(completion.result) not in (b"", b"null"):
            both = "expected a completion with a result or an error, got both"
            return [ProtocolError(both, invocation_id), end]
        return [end]

    def _decline(self, invocation: Invocation) -> None:
        if invocation.invocation_id is not None:
            answer: Any = CompletionMessage(  # type: ignore[no-untyped-call]
                invocation.invocation_id, result=None, error="Client didn't provide a result."
            )
            del answer.result  # encoded as null, and both result and error would be a protocol error
            self._send(answer)

    def _handshake_failed(self, reason: str, *, by_server: bool = False) -> HandshakeFailed:
        self._over = True
        return HandshakeFailed(reason, by_server)

    def _broken(self, reason: str) -> Broken:
        self._over = True
        self._out.clear()  # nobody reads the answers to a flood
        return Broken(reason)


def _not_understood(message: bytes, error: Exception) -> list[Happening]:
    """The problem with a message, and its stream if that can be told; nothing for a type that we need not know."""
    try:
        kind = _KIND.decode(message).type
    except DECODE_ERRORS:
        return [ProtocolError(f"{explain(error)} (SignalR message)")]
    if kind not in _KNOWN_TYPES:
        return []
    try:
        owner = _OWNER.decode(message).invocation_id
    except DECODE_ERRORS:
        owner = None
    return [ProtocolError(f"{explain(error)} (SignalR message of type {kind})", owner)]
