"""Which frames of a client the reference servers take: engine.io's and socket.io's own parsers, for Engine.IO 4.

The library that serves is more tolerant: it accepts digits of any script, reads on after what it cannot read, and lets
a client ping. A real server ends the connection for such things.
"""

from __future__ import annotations

import base64
import json
import re
from typing import Any, Final

_KINDS: Final = frozenset("0123456")
_PING, _MESSAGE, _BINARY = "2", "4", "b"
_CONNECT, _DISCONNECT, _EVENT, _ACK, _CONNECT_ERROR, _BINARY_EVENT, _BINARY_ACK = "0123456"
_PACKET: Final = re.compile(
    r"(?P<kind>[0-4]|[56](?P<attachments>[0-9]{0,9})-)(?P<namespace>/[^,]*,?)?[0-9]*(?P<payload>.*)", re.DOTALL
)
_RESERVED: Final = ("connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener")


def check_engine_packet(packet: str) -> None:
    """Check a packet of Engine.IO in text.

    Raises:
        ValueError: it is none.
    """
    if packet.startswith(_BINARY):
        base64.b64decode(packet[1:], validate=True)
    elif packet[:1] not in _KINDS:
        raise ValueError("expected an Engine.IO packet")


class Packets:
    """What one client sends; binary frames are attachments of the packet before them."""

    def __init__(self) -> None:
        self._awaited = 0

    def check(self, frame: str | bytes) -> None:
        """Check the next frame.

        Raises:
            ValueError: the reference would end the connection for it.
        """
        if isinstance(frame, str):
            check_engine_packet(frame)
            if frame.startswith(_PING):
                raise ValueError("expected no ping from a client: the server pings")
            if not frame.startswith((_MESSAGE, _BINARY)):
                return
        is_attachment = not isinstance(frame, str) or frame.startswith(_BINARY)
        if is_attachment is (self._awaited == 0):
            raise ValueError("expected attachments after the packet that announces them, and nowhere else")
        if isinstance(frame, str) and not is_attachment:
            self._awaited = _attachments_of(frame[1:])
        else:
            self._awaited -= 1


def _attachments_of(content: str) -> int:
    packet = _PACKET.fullmatch(content)
    if packet is None:
        raise ValueError("expected a Socket.IO packet")
    if packet["payload"] and not _fits(packet["kind"][0], _parsed(packet["payload"])):
        raise ValueError("expected a payload that the packet's type can have")
    return int(packet["attachments"] or 0)


def _parsed(payload: str) -> Any:
    """The parsed JSON. Invalid numbers like NaN pass, as in the library; the venue refuses them."""
    try:
        return json.loads(payload)
    except RecursionError as error:
        raise ValueError("expected JSON that is not nested too deeply") from error


def _fits(kind: str, payload: Any) -> bool:
    if kind == _CONNECT:
        return isinstance(payload, dict)
    if kind == _DISCONNECT:
        return False
    if kind == _CONNECT_ERROR:
        return isinstance(payload, str | dict)
    if not isinstance(payload, list):
        return False
    name = payload[0] if payload else None
    is_number = isinstance(name, int | float) and not isinstance(name, bool)
    return kind in (_ACK, _BINARY_ACK) or is_number or (isinstance(name, str) and name not in _RESERVED)
