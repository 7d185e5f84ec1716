"""Engine.IO and Socket.IO packets: python-socketio's packet classes, with JSON left as text for msgspec.

Importing `socketio.packet` runs two packages' `__init__`, which loads both clients, all servers and aiohttp: 150 ms,
as long as the rest of our start takes. The two packet modules need none of that and cost under 5 ms (medians of 15
starts, beside asyncio and websockets). So they are loaded on their own, and without a trace: who imports `socketio`
later gets the whole of it.
"""

from __future__ import annotations

import re
import sys
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from typing import Any, NamedTuple

# Engine.IO packet types; https://github.com/socketio/engine.io-protocol
OPEN, CLOSE, PING, PONG, MESSAGE, UPGRADE, NOOP = range(7)
# Socket.IO packet types; https://github.com/socketio/socket.io-protocol
CONNECT, DISCONNECT, EVENT, ACK, CONNECT_ERROR, BINARY_EVENT, BINARY_ACK = range(7)

# `str.isdigit` and `int`, and so the packet classes, take far more characters for digits.
_DIGITS = frozenset("0123456789")
_BEFORE_PAYLOAD = re.compile(r"[0-9](?:[0-9]+-)?(?:/[^,]*,?)?[0-9]*")


def _packet_classes() -> tuple[Any, Any]:
    names = ("engineio", "socketio")
    before = frozenset(sys.modules)
    if not before.isdisjoint(names):
        return _import_packet_classes()
    for name in names:
        spec = find_spec(name)
        assert spec is not None, "python-socketio is a dependency"
        sys.modules[name] = module_from_spec(spec)  # has the package's path, but has not run its `__init__`
    try:
        return _import_packet_classes()
    finally:
        for name in set(sys.modules) - before:
            if name.partition(".")[0] in names:
                del sys.modules[name]


def _import_packet_classes() -> tuple[Any, Any]:
    return import_module("engineio.packet").Packet, import_module("socketio.packet").Packet


_ENGINE_PACKET, _SOCKET_PACKET = _packet_classes()


class _Text:
    """Takes the place of the `json` module that the classes want."""

    @staticmethod
    def loads(text: str) -> str:
        return text

    @staticmethod
    def dumps(text: str, **_: object) -> str:
        return text


class _EnginePacket(_ENGINE_PACKET):  # type: ignore[misc, valid-type]
    json = _Text


class _SocketPacket(_SOCKET_PACKET):  # type: ignore[misc, valid-type]
    json = _Text


class Packet(NamedTuple):
    """A Socket.IO packet: `2["name",…]` is an EVENT, `212["name",…]` one that wants an acknowledgement with id 12.

    `payload` is JSON text, "" when there is none. `attachments`: how many binary frames belong to it and follow.
    """

    kind: int
    payload: str = ""
    ack: int | None = None
    namespace: str = "/"
    attachments: int = 0


def read_frame(frame: bytes) -> tuple[int, str]:
    """The type and content of the Engine.IO packet that a frame is, e.g. `42["name"]` → 4, `2["name"]`.

    Raises:
        ValueError: not a text packet; says what came instead.
    """
    try:
        text = frame.decode()
    except UnicodeDecodeError:
        raise ValueError(f"expected an Engine.IO packet in text, got {len(frame)} bytes of other data") from None
    if text[:1] not in _DIGITS:
        raise ValueError(f"expected an Engine.IO packet that begins with its type, got {len(frame)} bytes without one")
    packet = _EnginePacket(encoded_packet=text)
    return packet.packet_type, packet.data or ""


def read_packet(content: str) -> Packet:
    """The Socket.IO packet in an Engine.IO message.

    Raises:
        ValueError: not a packet; says what came instead.
    """
    if content[:1] not in _DIGITS:
        raise ValueError("expected a Socket.IO packet that begins with its type, got a message without one")
    if not content.isascii() and _goes_on_in_other_digits(content):
        raise ValueError("expected a Socket.IO packet with numbers in ASCII digits, got others")
    try:
        packet = _SocketPacket(encoded_packet=content)
    except ValueError:
        raise ValueError("expected a Socket.IO packet, got one whose numbers cannot be read") from None
    if packet.attachment_count and packet.packet_type not in (BINARY_EVENT, BINARY_ACK):
        raise ValueError(f"expected no attachments of a Socket.IO packet of type {packet.packet_type}, got some")
    return Packet(packet.packet_type, packet.data or "", packet.id, packet.namespace or "/", packet.attachment_count)


def _goes_on_in_other_digits(content: str) -> bool:
    """Whether the packet classes would take the character behind the packet's numbers for one more digit."""
    header = _BEFORE_PAYLOAD.match(content)
    return header is not None and content[header.end() : header.end() + 1].isdigit()


def write_packet(packet: Packet) -> str:
    """The frame for a Socket.IO packet without attachments, e.g. EVENT with `["name"]` → `42["name"]`."""
    content = _SocketPacket(packet.kind, packet.payload or None, packet.namespace, packet.ack, binary=False).encode()
    return write_frame(MESSAGE, content)


def write_frame(kind: int, content: str = "") -> str:
    """The frame for an Engine.IO packet, e.g. PONG → `3`."""
    encoded: str = _EnginePacket(kind, content or None).encode()
    return encoded
