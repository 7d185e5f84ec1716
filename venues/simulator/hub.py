"""A SignalR hub as ASP.NET Core serves it: the server's half of the JSON hub protocol, for one connection.

Each message is a JSON object ended by the byte 0x1E. What streams say goes out together with what else is ready, so a
frame may hold several messages; answers (the handshake's, completions, a stream's first item) go out at once. A
connection is real even where the world's clock is turned by hand, so its silences are measured in real seconds.
"""

from __future__ import annotations

from collections import deque
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

import msgspec
from msgspec import UNSET, Struct, UnsetType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from venues.simulator.endpoint import Wire

END: Final = b"\x1e"
MOST_WAITING: Final = 100_000  # messages; a client that is further behind is disconnected
_PING: Final = b'{"type":6}' + END
_PING_AFTER: Final = 15.0
_CLIENT_TIMEOUT: Final = 30.0
_HANDSHAKE_TIMEOUT: Final = 15.0
_BEAT: Final = 1.0
_LONGEST_MESSAGE: Final = 32 * 1024  # bytes from a client
_LARGEST_FRAME: Final = 128 * 1024  # bytes of messages that are sent together; one message may be longer
_TOO_LATE: Final = 1.0  # seconds after which a held-back change is sent after all

_SILENT: Final = "Client hasn't sent a message/ping within the configured ClientTimeoutInterval."
_BAD_HANDSHAKE: Final = "An unexpected error occurred during connection handshake."


class HubError(Exception):
    """A call that the hub refuses; the text is the completion's."""


def server_error(target: str, kind: str, text: str) -> HubError:
    """A call that failed, in the words of the reference implementation with detailed errors."""
    return HubError(f"Failed to invoke '{target}' due to an error on the server. {kind}: {text}")


class Emit(Protocol):
    """Sends an item, given as JSON; the fault `gap` may lose one that is `losable`."""

    def __call__(self, item: bytes, *, losable: bool = False) -> None: ...


class Method(NamedTuple):
    """A streaming method of a hub.

    `start` takes the arguments, sends the whole state as the first item, and returns the function that ends the stream;
    it may raise `HubError`. `arity` is the number of arguments, `bad` are bad items in the method's shape.
    """

    arity: int
    start: Callable[[list[Any], Emit], Callable[[], None]]
    bad: tuple[bytes, ...] = ()


class _Handshake(Struct):
    protocol: str
    version: int


class _Message(Struct, rename="camel"):
    """Any message of a client; types without a meaning here are ignored."""

    type: int
    invocation_id: str | None = None
    target: str | UnsetType = UNSET
    arguments: list[Any] | UnsetType = UNSET


_handshake: Final = msgspec.json.Decoder(_Handshake).decode
_message: Final = msgspec.json.Decoder(_Message).decode
_encode: Final = msgspec.json.encode


class _Stream:
    """One running stream. `lose`: the next losable item is held back, and lost once another one follows."""

    def __init__(self, method: Method, invocation: str) -> None:
        self.method = method
        self.head = b'{"type":2,"invocationId":%b,"item":' % _encode(invocation)
        self.leave: Callable[[], None] = _nothing
        self.opening = True
        self.lose = False
        self.kept: bytes | None = None
        self.kept_at: float  # in real seconds

    def message(self, item: bytes) -> bytes:
        return b"%b%b}\x1e" % (self.head, item)


class HubPeer:
    """The hub's side of one connection; `left` is called when it is over."""

    def __init__(self, link: Wire, methods: Mapping[str, Method], left: Callable[[], None]) -> None:
        self._link = link
        self._methods = {name.casefold(): method for name, method in methods.items()}
        self._left = left
        self._streams: dict[str, _Stream] = {}
        self._buffer = bytearray()
        self._waiting: deque[bytes] = deque()
        self._greeted = False
        self._over = False
        self._sent: float  # when something was said last, …
        self._heard: float  # … was heard last, …
        self._opened: float  # … and when it began, in real seconds

    def opened(self) -> None:
        """Wait for the client's handshake; nothing is sent before it."""
        self._sent = self._heard = self._opened = monotonic()
        self._link.every(_BEAT, self._beat)

    def receive(self, frame: str | bytes) -> None:
        """Handle the whole messages in what has come so far."""
        self._buffer += frame.encode("utf-8", "surrogatepass") if isinstance(frame, str) else frame
        *messages, rest = bytes(self._buffer).split(END)
        self._buffer = bytearray(rest)
        for message in messages:
            if self._over:
                return
            self._heard = monotonic()
            (self._take if self._greeted else self._greet)(message)
        if len(rest) > _LONGEST_MESSAGE and not self._over:
            self._fail(f"InvalidDataException: The maximum message size of {_LONGEST_MESSAGE}B was exceeded.")

    def closed(self) -> None:
        """End all streams: the connection is over."""
        self._over = True
        for stream in self._streams.values():
            stream.leave()
        self._streams.clear()
        self._left()

    def farewell(self, *, reconnect: bool) -> bytes:
        """The waiting messages and the hub's own close message, as one frame."""
        words = [*self._waiting, _close(None, reconnect=reconnect)] if self._greeted else []
        self._waiting.clear()
        self._over = True
        return b"".join(words)

    def gap(self) -> None:
        """Lose the next change of every book."""
        for stream in self._streams.values():
            stream.lose = True

    def garbage(self) -> Iterator[bytes]:
        """Bad items of the streams that run, then messages that break the protocol."""
        for stream in list(self._streams.values()):
            for item in stream.method.bad:
                yield stream.message(item)
        invocation = next(iter(self._streams), "0")
        head = f'{{"type":2,"invocationId":"{invocation}"'.encode()
        yield head + b"}" + END
        yield head + b',"item":7}' + END
        yield head + b',"item":{"snapshot":' + END
        yield b'{"type":"2","invocationId":7,"item":[]}' + END
        yield b'{"type":99,"weather":"rain"}' + END
        yield b'{"type":2,"invocationId":"no-such-stream","item":[]}' + END
        yield b'[{"type":6}]' + END
        yield END
        yield b'{"type":6}' + END + b'{"type":6' + END
        yield head + b',"item":{"half a mess'

    def _greet(self, message: bytes) -> None:
        try:
            asked = _handshake(message)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            self._refuse(_BAD_HANDSHAKE)
            return
        if asked.protocol != "json":
            self._refuse(f"The protocol '{asked.protocol[:40]}' is not supported.")
        elif asked.version not in (0, 1):
            self._refuse(f"The server does not support version {asked.version} of the 'json' protocol.")
        else:
            self._greeted = True
            self._say(b"{}" + END)

    def _refuse(self, error: str) -> None:
        self._say(_encode({"error": error}) + END)
        self._finish("the handshake was refused")

    def _take(self, data: bytes) -> None:
        try:
            message = _message(data)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            self._fail("InvalidDataException: Error reading JSON.")
            return
        if message.type == 7:
            self._finish("")
        elif message.type == 5:
            self._cancel(message.invocation_id)
        elif message.type in (1, 4):
            if message.target is UNSET or message.arguments is UNSET:
                self._fail("InvalidDataException: Missing required property 'target' or 'arguments'.")
            elif message.invocation_id is not None:
                self._invoke(message.type == 4, message.invocation_id, message.target, message.arguments)
            elif message.type == 4:
                self._fail("InvalidDataException: Missing required property 'invocationId'.")

    def _invoke(self, streaming: bool, invocation: str, target: str, arguments: list[Any]) -> None:
        try:
            method = self._method(streaming, target, arguments)
            if invocation in self._streams:
                raise HubError(f"Invocation ID '{invocation}' is already in use.")
            stream = self._streams[invocation] = _Stream(method, invocation)
            try:
                stream.leave = method.start(arguments, self._emitter(stream))
            except HubError:
                del self._streams[invocation]
                raise
            stream.opening = False
        except HubError as error:
            self._say(_completion(invocation, str(error)))

    def _method(self, streaming: bool, target: str, arguments: list[Any]) -> Method:
        method = self._methods.get(target.casefold())
        if method is None:
            raise HubError(f"Unknown hub method '{target}'")
        if not streaming:
            kind = "a non-streaming invocation"
            raise HubError(f"The client attempted to invoke the streaming '{target}' method with {kind}.")
        if len(arguments) != method.arity:
            said = f"Invocation provides {len(arguments)} argument(s) but target expects {method.arity}."
            raise server_error(target, "InvalidDataException", said)
        return method

    def _cancel(self, invocation: str | None) -> None:
        if invocation is not None and (stream := self._streams.pop(invocation, None)) is not None:
            stream.leave()
            self._say(_completion(invocation, None))

    def _emitter(self, stream: _Stream) -> Emit:
        def emit(item: bytes, *, losable: bool = False) -> None:
            message = stream.message(item)
            if stream.opening:
                self._say(message)
            elif stream.lose and losable and stream.kept is None:
                stream.kept, stream.kept_at = message, monotonic()
            else:
                if stream.kept is not None:
                    stream.kept, stream.lose = None, False
                self._wait(message)

        return emit

    def _say(self, message: bytes) -> None:
        """Send a message at once, behind those that wait."""
        self._waiting.append(message)
        self._send(b"".join(self._waiting))
        self._waiting.clear()

    def _wait(self, message: bytes) -> None:
        """Queue a message for the next frame."""
        if self._over:
            return
        self._waiting.append(message)
        if len(self._waiting) > MOST_WAITING:
            self._waiting.clear()
            self._fail(f"reader too slow: more than {MOST_WAITING} messages are waiting")
        else:
            self._link.show("hub", self._frame)

    def _frame(self) -> bytes:
        """The waiting messages, up to the size of a frame."""
        messages, size = [], 0
        while self._waiting and (not size or size + len(self._waiting[0]) <= _LARGEST_FRAME):
            size += len(self._waiting[0])
            messages.append(self._waiting.popleft())
        if self._waiting:
            self._link.show("hub", self._frame)
        if messages:
            self._sent = monotonic()
        return b"".join(messages)

    def _send(self, data: bytes) -> None:
        self._sent = monotonic()
        self._link.send(data)

    def _fail(self, error: str) -> None:
        self._say(_close(f"Connection closed with an error. {error}", reconnect=False))
        self._finish("")

    def _finish(self, reason: str) -> None:
        self._over = True
        self._link.finish(1000, reason)

    def _beat(self) -> None:
        now = monotonic()
        if self._over:
            return
        if not self._greeted:
            if now - self._opened >= _HANDSHAKE_TIMEOUT:
                self._refuse("Handshake was canceled.")
        elif now - self._heard >= _CLIENT_TIMEOUT:
            self._say(_close(_SILENT, reconnect=True))
            self._finish("")
        else:
            for stream in self._streams.values():
                if stream.kept is not None and now - stream.kept_at >= _TOO_LATE:
                    self._wait(stream.kept)
                    stream.kept, stream.lose = None, False
            if now - self._sent >= _PING_AFTER:
                self._say(_PING)


class Subscribers:
    """Those who get the changes of a state; false while there are none."""

    def __init__(self) -> None:
        self._emits: dict[object, Emit] = {}

    def __bool__(self) -> bool:
        return bool(self._emits)

    def join(self, emit: Emit) -> Callable[[], None]:
        """Send all items to `emit` from now on; the returned function ends that."""
        token = object()
        self._emits[token] = emit

        def leave() -> None:
            self._emits.pop(token, None)

        return leave

    def tell(self, item: bytes, *, losable: bool = False) -> None:
        """Send an item to every subscriber; the fault `gap` may lose one that is `losable`."""
        for emit in tuple(self._emits.values()):
            emit(item, losable=losable)


def leave_all(leaves: Iterable[Callable[[], None]]) -> Callable[[], None]:
    """Makes one function that calls all of these."""
    every = tuple(leaves)

    def leave() -> None:
        for one in every:
            one()

    return leave


def _completion(invocation: str, error: str | None) -> bytes:
    message: dict[str, Any] = {"type": 3, "invocationId": invocation}
    if error is not None:
        message["error"] = error
    return _encode(message) + END


def _close(error: str | None, *, reconnect: bool) -> bytes:
    message: dict[str, Any] = {"type": 7}
    if error is not None:
        message["error"] = error
    if reconnect:
        message["allowReconnect"] = True
    return _encode(message) + END


def _nothing() -> None:
    """Does nothing: no stream that could be left has begun yet."""
