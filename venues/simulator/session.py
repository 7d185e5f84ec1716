"""One client's conversation in named events, carried by Socket.IO or by plain JSON frames.

A venue writes a `Visit`. It sends through its `Voice`, which puts events into the frames of the connection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, TypeAlias

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from venues.simulator.endpoint import Handshake, Wire

_POLICY_VIOLATION: Final = 1008
_encode: Final = msgspec.json.encode


class Refused(Exception):
    """The venue does not let a client in; the text is the reason that the client gets."""


class BadEvent(NamedTuple):
    """An event for the fault `garbage`; `data` is JSON text, or what should be."""

    name: str
    data: bytes


class Voice:
    """How a session sends; `frame` puts an event and its data into a frame.

    Once the session is over nothing is sent any more. `left` is why the venue wants to end it, "" while it does not.
    """

    def __init__(self, link: Wire, frame: Callable[[str, Any], bytes]) -> None:
        self.left = ""
        self._link = link
        self._frame = frame
        self._over = False

    def say(self, event: str, data: Any) -> None:
        """Send an event, in order; none is dropped for a client that keeps up."""
        if not self._over:
            self._link.send(self._frame(event, data))

    def show(self, key: str, event: str, produce: Callable[[], Any]) -> None:
        """Send the newest state: `produce` is called when it is its turn; if it returns None, nothing is sent."""

        def produced() -> bytes:
            data = None if self._over else produce()
            return b"" if data is None else self._frame(event, data)

        if not self._over:
            self._link.show(key, produced)

    def leave(self, reason: str) -> None:
        """Ask for the end of the conversation, behind what has been sent until now."""
        self.left = reason

    def close(self) -> None:
        """Ends the conversation: nothing is sent from now on."""
        self._over = True


class Visit(Protocol):
    """The venue's side of one conversation."""

    def opened(self) -> None:
        """To be called once the client has been let in, and has been told so."""
        ...

    def receive(self, event: str, data: Any) -> Any:
        """To be called with each event of the client; returns what an acknowledgement says, if it wants one."""
        ...

    def closed(self) -> None:
        """To be called once the conversation is over: ends what was begun for it."""
        ...

    def garbage(self) -> Iterator[BadEvent]:
        """Bad data in this venue's shapes, for the fault of that name."""
        ...


Enter: TypeAlias = "Callable[[Voice, Handshake], Visit]"  # may raise Refused


class _Event(msgspec.Struct):
    event: str
    data: Any = None


_decode: Final = msgspec.json.Decoder(_Event).decode


def bare_frame(event: str, data: Any) -> bytes:
    """A plain frame for an event and its data: `{"event":"kline","data":{…}}`."""
    return _encode({"event": event, "data": data})


class BarePeer:
    """A conversation in plain frames, `{"event":"kline","data":{…}}` both ways."""

    def __init__(self, link: Wire, enter: Callable[[Voice], Visit]) -> None:
        self._link = link
        self._voice = Voice(link, bare_frame)
        self._session = enter(self._voice)

    def opened(self) -> None:
        """Begins the session at once: every client that connects is let in."""
        self._session.opened()

    def receive(self, frame: str | bytes) -> None:
        """Hands an event to the session; answers anything else with an `error` that says what was expected."""
        if self._voice.left:
            return
        try:
            message = _decode(frame)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            self._voice.say("error", {"message": 'expected a frame like {"event":"kline","data":{…}}'})
            return
        self._session.receive(message.event, message.data)
        if self._voice.left:
            self._link.finish(_POLICY_VIOLATION, self._voice.left)

    def closed(self) -> None:
        """Ends the conversation together with the connection."""
        self._voice.close()
        self._session.closed()

    def farewell(self, *, reconnect: bool) -> bytes:
        """Empty: plain frames have no last message; the code of the WebSocket's close says it."""
        return b""

    def gap(self) -> None:
        """Does nothing: events have no numbers, so no client could notice a lost one."""

    def garbage(self) -> Iterator[bytes]:
        """Frames that are no events, then events with bad data."""
        yield b'{"event":"kline"'
        yield b'{"event":7,"data":{}}'
        yield b'{"data":{}}'
        yield b"[]"
        for bad in self._session.garbage():
            yield b'{"event":%b,"data":%b}' % (_encode(bad.name), bad.data)
