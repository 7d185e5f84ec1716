"""Packets of Engine.IO and Socket.IO: how their classes are loaded, and what is read and written with them."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from venues.protocols import packets
from venues.protocols.packets import (
    ACK,
    BINARY_EVENT,
    CONNECT,
    EVENT,
    MESSAGE,
    PING,
    PONG,
    Packet,
    read_frame,
    read_packet,
    write_frame,
    write_packet,
)

PACKAGES = ("engineio", "socketio")


def loaded() -> set[str]:
    return {name for name in sys.modules if name.partition(".")[0] in PACKAGES}


@pytest.fixture
def unloaded() -> Iterator[None]:
    """As in a process that has none of the two packages yet."""
    kept = {name: sys.modules.pop(name) for name in loaded()}
    yield
    for name in loaded():
        del sys.modules[name]
    sys.modules.update(kept)


@pytest.mark.usefixtures("unloaded")
def test_the_packet_classes_are_loaded_without_a_trace() -> None:
    before = set(sys.modules)
    engine, socket = packets._packet_classes()
    assert (engine.__module__, socket.__module__) == ("engineio.packet", "socketio.packet")
    assert loaded() == set(), "whoever imports them later gets the whole of them"
    assert "aiohttp" in before or "aiohttp" not in sys.modules
    import socketio

    assert socketio.AsyncServer.__name__ == "AsyncServer"


class Noted:
    """A finder that finds nothing, and knows what was looked for."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def find_spec(self, name: str, *_: object) -> None:
        self.names.append(name)


@pytest.mark.usefixtures("unloaded")
def test_nothing_else_of_the_packages_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    noted = Noted()
    monkeypatch.setattr(sys, "meta_path", [noted, *sys.meta_path])
    packets._packet_classes()
    of_packages = {name for name in noted.names if name.partition(".")[0] in PACKAGES}
    assert {"engineio.packet", "socketio.packet"} <= of_packages
    assert not {name for name in of_packages if "client" in name or "server" in name or "manager" in name}


@pytest.mark.usefixtures("unloaded")
@pytest.mark.parametrize("package", PACKAGES)
def test_where_one_of_the_packages_is_there_already_it_stays(package: str) -> None:
    __import__(package)
    before = loaded()
    engine, socket = packets._packet_classes()
    assert engine is sys.modules["engineio.packet"].Packet
    assert socket is sys.modules["socketio.packet"].Packet
    assert before <= loaded()


@pytest.mark.parametrize(
    ("frame", "read"), [(b'42["a"]', (MESSAGE, '2["a"]')), (b"2", (PING, "")), (b"3probe", (PONG, "probe"))]
)
def test_frames_that_are_read(frame: bytes, read: tuple[int, str]) -> None:
    assert read_frame(frame) == read
    assert write_frame(*read) == frame.decode()


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (b"\xff\xfe", "expected an Engine.IO packet in text, got 2 bytes of other data"),
        (b"", "expected an Engine.IO packet that begins with its type, got 0 bytes without one"),
        (b"x1", "expected an Engine.IO packet that begins with its type, got 2 bytes without one"),
        ("²".encode(), "expected an Engine.IO packet that begins with its type, got 2 bytes without one"),
    ],
)
def test_frames_that_are_none(frame: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=f"^{words}$"):
        read_frame(frame)


@pytest.mark.parametrize(
    ("content", "packet"),
    [
        ('2["a",{}]', Packet(EVENT, '["a",{}]')),
        ('212["a"]', Packet(EVENT, '["a"]', ack=12)),
        ('2/x,7["a"]', Packet(EVENT, '["a"]', ack=7, namespace="/x")),
        ("0", Packet(CONNECT)),
        ('0/x,{"sid":"1"}', Packet(CONNECT, '{"sid":"1"}', namespace="/x")),
        ("30[]", Packet(ACK, "[]", ack=0)),
        ('52-["a",{"_placeholder":true,"num":0}]',
         Packet(BINARY_EVENT, '["a",{"_placeholder":true,"num":0}]', attachments=2)),
    ],
)  # fmt: skip
def test_packets_that_are_read(content: str, packet: Packet) -> None:
    assert read_packet(content) == packet
    if not packet.attachments:
        assert write_packet(packet) == f"4{content}"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "expected a Socket.IO packet that begins with its type, got a message without one"),
        ("x", "expected a Socket.IO packet that begins with its type, got a message without one"),
        ('2٣["a"]', "expected a Socket.IO packet with numbers in ASCII digits, got others"),
        ('21²["a"]', "expected a Socket.IO packet with numbers in ASCII digits, got others"),
        ('21-["a"]', "expected no attachments of a Socket.IO packet of type 2, got some"),
        ("2" + "9" * 200 + "[]", "expected a Socket.IO packet, got one whose numbers cannot be read"),
    ],
)
def test_packets_that_are_none(content: str, words: str) -> None:
    with pytest.raises(ValueError, match=f"^{words}$"):
        read_packet(content)


@pytest.mark.parametrize("content", ['2["ä٣"]', '2/ä,["٣"]', '27["٣"]', '0{"a":"²"}'])
def test_other_digits_may_be_in_what_is_said(content: str) -> None:
    assert read_packet(content).kind in (EVENT, CONNECT)
