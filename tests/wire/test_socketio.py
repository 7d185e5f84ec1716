"""The packets and the link themselves: what each frame brings, and what arbitrary bytes bring."""

from __future__ import annotations

import subprocess
import sys

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from venues.venue import Now
from venues.wire import packets
from venues.wire.packets import Packet
from venues.wire.socketio import (
    Acknowledged,
    BadPacket,
    Broken,
    Connected,
    ConnectRefused,
    Disconnected,
    Event,
    Generation,
    Happening,
    Link,
)

NOW = Now(100.0, 0)
OPEN_2 = b'0{"sid":"a","upgrades":[],"pingInterval":25000,"pingTimeout":5000}'
OPEN_4 = b'0{"sid":"a","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}'
BINARY = "expected an event in JSON, got one with binary attachments, which is not supported"
ANOTHER_REFUSAL = "expected no refusal of a connection that stands, got one: "


def new_link(*, connected: bool = True) -> Link:
    link = Link()
    link.opened(NOW)
    if connected:
        link.receive(OPEN_4, NOW)
        assert link.receive(b'40{"sid":"b"}', NOW) == [Connected(4)]
        link.take()
    return link


def raw(text: str) -> msgspec.Raw:
    return msgspec.Raw(text.encode())


@pytest.mark.parametrize(
    ("frame", "happenings"),
    [
        ('42["kline",{"o" : 1.10}]', [Event("kline", [raw('{"o" : 1.10}')])]),
        ('42["é","ü",[1]]', [Event("é", [raw('"ü"'), raw("[1]")])]),
        ('42["a-b/c,1"]', [Event("a-b/c,1", [])]),
        ('4212["name",1]', [Event("name", [raw("1")], 12)]),
        ('420["name"]', [Event("name", [], 0)]),
        ("4312[1,2]", [Acknowledged(12, [raw("1"), raw("2")])]),
        ("43[1]", [BadPacket("expected an acknowledgement with the id of an event, got one without")]),
        ('42/other,["name",1]', []),
        ('42/other,7["name",1]', []),
        ('44/other,{"message":"no"}', []),
        ("41/other,", []),
        ("40/other,", []),
        ('40{"sid":"b"}', []),
        ("40", []),
        ("41", [Disconnected()]),
        ("1", [Broken("the server closed the Engine.IO transport")]),
        ("3", []),
        ("5", []),
        ("6", []),
        ("7", [BadPacket("expected an Engine.IO packet of type 0 to 6, got type 7")]),
        ("47", [BadPacket("expected a Socket.IO packet of type 0 to 6, got type 7")]),
        ("40{", [BadPacket("expected JSON, got something else: Input data was truncated")]),
        ('44"late"', [BadPacket(ANOTHER_REFUSAL + "late")]),
        (OPEN_4.decode(), [BadPacket("expected one open packet, got another")]),
        ("", [BadPacket("expected an Engine.IO packet that begins with its type, got 0 bytes without one")]),
        ("٤2", [BadPacket("expected an Engine.IO packet that begins with its type, got 3 bytes without one")]),
        ("b4AAEC", [BadPacket("expected an Engine.IO packet that begins with its type, got 6 bytes without one")]),
        ("4", [BadPacket("expected a Socket.IO packet that begins with its type, got a message without one")]),
        ("4x", [BadPacket("expected a Socket.IO packet that begins with its type, got a message without one")]),
        ("42", [BadPacket("expected JSON, got something else: Input data was truncated")]),
        ("42[]", [BadPacket("expected an event with its name, got an empty one")]),
        ("42[1]", [BadPacket("expected str, got int")]),
        ("42{}", [BadPacket("expected array, got object")]),
        ('42["a",' + "[" * 99_999, [BadPacket("expected a message, got JSON nested too deeply")]),
        ('421-["a"]', [BadPacket("expected no attachments of a Socket.IO packet of type 2, got some")]),
        ("42" + "1" * 101 + '["a"]', [BadPacket("id field is too long")]),
        ("45" + "1" * 11 + '-["a"]', [BadPacket("too many attachments")]),
    ],
)
def test_what_a_frame_brings(frame: str, happenings: list[Happening]) -> None:
    link = new_link()
    assert link.receive(frame.encode(), NOW) == happenings
    assert link.take() == []
    over = bool(happenings) and isinstance(happenings[0], Broken | Disconnected)
    assert link.receive(b'42["still"]', NOW) == ([] if over else [Event("still", [])])


@pytest.mark.parametrize("kind", ["5", "6"])
def test_binary_events_are_refused_with_their_attachments(kind: str) -> None:
    link = new_link()
    event = f'4{kind}2-["name",{{"_placeholder":true,"num":0}},{{"_placeholder":true,"num":1}}]'
    assert link.receive(event.encode(), NOW) == [BadPacket(BINARY)]
    assert link.receive(b'42["looks like one"]', NOW) == []
    assert link.receive(b"\x04\xff\x00", NOW) == []
    assert link.receive(b'42["is one"]', NOW) == [Event("is one", [])]


def test_attachments_of_another_namespace_are_skipped_too() -> None:
    link = new_link()
    assert link.receive(b'451-/other,["name",{"_placeholder":true,"num":0}]', NOW) == []
    assert link.receive(b'42["looks like one"]', NOW) == []
    assert link.receive(b'42["is one"]', NOW) == [Event("is one", [])]


def test_binary_data_that_nothing_announced() -> None:
    assert new_link().receive(b"\x04\xff", NOW) == [
        BadPacket("expected an Engine.IO packet in text, got 2 bytes of other data")
    ]


@pytest.mark.parametrize(
    ("refusal", "message"),
    [
        (b'44"no\xc3\xa9"', "noé"),
        (b'44{"message":"no","data":{"code":1}}', "no"),
        (b"44", "without a reason that could be read"),
        (b"44[1]", "without a reason that could be read"),
    ],
)
def test_a_refusal_ends_the_link(refusal: bytes, message: str) -> None:
    link = new_link(connected=False)
    link.receive(OPEN_2, NOW)
    assert link.receive(refusal, NOW) == [ConnectRefused(message)]
    assert link.deadline() is None
    assert link.receive(b"40", NOW) == []


@pytest.mark.parametrize(
    "packet",
    [b"0", b"0{}", b'0{"pingInterval":25000}', b'0{"pingInterval":0,"pingTimeout":5000}', b'0{"pingInterval":"1"}'],
)
def test_without_intervals_there_is_no_heartbeat_and_no_link(packet: bytes) -> None:
    link = new_link(connected=False)
    (broken,) = link.receive(packet, NOW)
    assert isinstance(broken, Broken)
    assert broken.reason.endswith("(Engine.IO open packet)")


def test_a_server_with_maxpayload_may_leave_the_sid_out() -> None:
    link = new_link(connected=False)
    link.receive(OPEN_4, NOW)
    assert link.receive(b"40", NOW) == [Connected(4)]


def test_what_is_learnt() -> None:
    link = new_link(connected=False)
    assert link.learnt is None
    link.receive(OPEN_2, NOW)
    link.tick(Now(100.5, 0))
    assert link.learnt is None  # only assumed so far
    link.receive(b'40{"sid":"b"}', NOW)
    assert link.learnt == 4
    assert new_link().learnt == 4


def test_a_lesson_that_was_wrong_is_forgotten() -> None:
    link = Link(known=3)
    link.opened(NOW)
    link.receive(OPEN_2, NOW)
    (broken,) = link.tick(Now(120.0, 0))
    assert isinstance(broken, Broken)
    assert link.learnt is None


def test_a_known_newer_server_is_asked_without_waiting() -> None:
    link = Link(known=4)
    link.opened(NOW)
    link.receive(OPEN_2, NOW)
    assert link.take() == ["40"]


def test_a_ping_during_the_wait_is_answered() -> None:
    link = new_link(connected=False)
    link.receive(OPEN_2, NOW)
    link.receive(b"2", Now(100.3, 0))
    assert link.take() == ["3"]
    link.tick(Now(100.5, 0))
    link.receive(b'40{"sid":"b"}', Now(100.6, 0))
    assert link.deadline() == pytest.approx(100.3 + 30)


def test_an_older_server_gets_no_second_ping_before_it_answers() -> None:
    link = new_link(connected=False)
    link.receive(b'0{"pingInterval":1000,"pingTimeout":5000}', NOW)
    link.receive(b"40", NOW)
    link.tick(Now(101.0, 0))
    link.tick(Now(102.0, 0))
    assert link.take() == ["2"]
    link.receive(b"3", Now(104.0, 0))
    link.tick(Now(104.0, 0))
    assert link.take() == ["2"]


def test_a_ping_from_an_older_server_is_no_answer_to_ours() -> None:
    link = new_link(connected=False)
    link.receive(OPEN_2, NOW)
    link.receive(b"40", NOW)
    link.tick(Now(125.0, 0))
    link.receive(b"2", Now(126.0, 0))
    assert link.deadline() == 130.0


def test_events_of_ours_and_acknowledgements() -> None:
    link = new_link()
    assert link.emit("kline", {"symbol": "BTCUSDT"}) is None
    assert link.emit("é", "1", None, ack=True) == 0
    assert link.emit("raw", msgspec.Raw(b'{"a":  1.10}'), ack=True) == 1
    link.acknowledge(12)
    link.acknowledge(0, "ok", 1)
    assert link.take() == [
        '42["kline",{"symbol":"BTCUSDT"}]',
        '420["é","1",null]',
        '421["raw",{"a":  1.10}]',
        "4312[]",
        '430["ok",1]',
    ]
    link.receive(b"41", NOW)
    link.emit("late")
    link.leave()
    assert link.take() == []


def test_deadlines_before_the_open_packet_and_after_the_end() -> None:
    link = Link()
    assert link.deadline() is None
    link.opened(NOW)
    assert link.deadline() == 120.0
    link.receive(b"1", NOW)
    assert link.deadline() is None
    assert link.tick(Now(1e9, 0)) == []


@pytest.mark.parametrize(
    ("packet", "frame"),
    [
        (Packet(packets.CONNECT), "40"),
        (Packet(packets.EVENT, '["a-b",1]'), '42["a-b",1]'),
        (Packet(packets.EVENT, '["a"]', 12), '4212["a"]'),
        (Packet(packets.ACK, "[]", 0), "430[]"),
        (Packet(packets.EVENT, '["a"]', namespace="/x"), '42/x,["a"]'),
    ],
)
def test_packets_there_and_back(packet: Packet, frame: str) -> None:
    assert packets.write_packet(packet) == frame
    kind, content = packets.read_frame(frame.encode())
    assert kind == packets.MESSAGE
    assert packets.read_packet(content) == packet


@pytest.mark.parametrize("first", ["", "import socketio"])
def test_importing_loads_the_packets_and_leaves_python_socketio_whole(first: str) -> None:
    script = f"""
import sys
{first}
import venues.wire.socketio as ours
assert ours.packets.read_packet('2["a"]').payload == '["a"]'
assert {bool(first)} or "aiohttp" not in sys.modules, "aiohttp came along"
import socketio, engineio
assert socketio.AsyncServer and engineio.AsyncServer
from socketio.packet import Packet
assert Packet(encoded_packet='2["a"]').data == ["a"], "its own packets must still decode JSON"
"""
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True)


frames = st.one_of(
    st.binary(max_size=40),
    st.text(max_size=40).map(str.encode),
    st.from_regex(r"[0-7][0-8]?[0-9]{0,3}-?(/x,)?[0-9]*(\[\"a\"(,1)?\]|\{\"sid\":\"a\"\}|\"x\")?", fullmatch=True).map(
        str.encode
    ),
    st.sampled_from([OPEN_2, OPEN_4, b"40", b'40{"sid":"b"}', b"2", b"3", b'44"x"']),
)


@settings(deadline=None)
@given(received=st.lists(frames, max_size=12), known=st.sampled_from([None, 3, 4]))
def test_arbitrary_frames_bring_only_happenings(received: list[bytes], known: Generation | None) -> None:
    link = Link(known)
    link.opened(NOW)
    sent: list[str] = []
    for number, frame in enumerate(received):
        now = Now(100.0 + number * 0.3, 0)
        happenings = link.receive(frame, now)
        assert len(happenings) <= 1
        due = link.deadline()
        if due is not None and now.mono >= due:
            link.tick(now)
            assert link.deadline() != due, "its driver would spin"
        sent += link.take()
    assert sent.count("40") <= 1
    assert set(sent) <= {"40", "2", "3"}
