"""The packets and the link themselves: what each frame brings, and what arbitrary bytes bring."""

from __future__ import annotations

import json
import subprocess
import sys

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from venues.protocols import flood, packets
from venues.protocols.packets import Packet
from venues.protocols.socketio import (
    Acknowledged,
    BadPacket,
    Broken,
    Connected,
    ConnectRefused,
    Disconnected,
    Event,
    Happening,
    Lesson,
    SocketIo,
    verdict,
)
from venues.venue import Lost, Now, Refused

NOW = Now(100.0, 0)
OPEN_2 = b'0{"sid":"a","upgrades":[],"pingInterval":25000,"pingTimeout":5000}'
OPEN_3 = b'0{"sid":"a","upgrades":[],"pingInterval":25000,"pingTimeout":20000}'
OPEN_4 = b'0{"sid":"a","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}'
BINARY = "expected an event in JSON, got one with binary attachments, which is not supported"
ANOTHER_REFUSAL = "expected no refusal of a connection that stands, got one: "


def new_link(*, connected: bool = True, known: Lesson | None = None) -> SocketIo:
    link = SocketIo(known)
    link.opened(NOW)
    if connected:
        link.receive(OPEN_4, NOW)
        assert link.receive(b'40{"sid":"b"}', NOW) == [Connected(4)]
        link.take()
    return link


def older_link() -> SocketIo:
    link = new_link(connected=False)
    link.receive(OPEN_2, NOW)
    assert link.receive(b"40", NOW) == [Connected(3)]
    return link


def raw(text: str) -> msgspec.Raw:
    return msgspec.Raw(text.encode())


@pytest.mark.parametrize(
    ("frame", "arguments"),
    [
        ('42["name",{},"Q82Rr3L.0"]', ["{}"]),
        ('42["name",{},[],"Q82Rr3L.0"]', ["{}", "[]"]),
        ('42["name",{},1]', ["{}", "1"]),
        ('42["name","only"]', ['"only"']),
        ('427["name",{},"last"]', ["{}", '"last"']),
    ],
)
def test_the_place_among_the_events_that_a_server_keeps_is_no_argument(frame: str, arguments: list[str]) -> None:
    link = new_link(connected=False)
    link.receive(OPEN_4, NOW)
    assert link.receive(b'40{"sid":"b","pid":"c"}', NOW) == [Connected(4)]
    (event,) = link.receive(frame.encode(), NOW)
    assert isinstance(event, Event)
    assert event.arguments == list(map(raw, arguments))
    (event,) = new_link().receive(frame.encode(), NOW)
    assert isinstance(event, Event)
    assert len(event.arguments) == frame.count(",")


@pytest.mark.parametrize(
    ("frame", "happenings"),
    [
        ('42["kline",{"o" : 1.10}]', [Event("kline", [raw('{"o" : 1.10}')])]),
        ('42["é","ü",[1]]', [Event("é", [raw('"ü"'), raw("[1]")])]),
        ('42["a-b/c,1"]', [Event("a-b/c,1", [])]),
        ('4212["name",1]', [Event("name", [raw("1")], 12)]),
        ('420["name"]', [Event("name", [], 0)]),
        ("4312[1,2]", [BadPacket("expected an acknowledgement of an event that was sent, got one of another")]),
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
        ("42" + "1" * 101 + '["a"]', [BadPacket("expected a Socket.IO packet, got one whose numbers cannot be read")]),
        ("45" + "1" * 11 + '-["a"]', [Broken("expected a Socket.IO packet, got one whose numbers cannot be read")]),
        ('45101-["a"]', [Broken("expected at most 100 binary attachments, got 101")]),
        ('46101-/other,["a"]', [Broken("expected at most 100 binary attachments, got 101")]),
        ('4²["a"]', [BadPacket("expected a Socket.IO packet that begins with its type, got a message without one")]),
    ],
)
def test_what_a_frame_brings(frame: str, happenings: list[Happening]) -> None:
    link = new_link()
    assert link.receive(frame.encode(), NOW) == happenings
    assert link.take() == []
    over = bool(happenings) and isinstance(happenings[0], Broken | Disconnected)
    assert link.receive(b'42["still"]', NOW) == ([] if over else [Event("still", [])])


OTHER_DIGITS = "expected a Socket.IO packet with numbers in ASCII digits, got others"


@pytest.mark.parametrize("digit", ["٣", "²", "３", "𝟛", "১"])
def test_numbers_in_packet_ids_are_ascii_digits_only(digit: str) -> None:
    for content in (f'42{digit}["a"]', f'421{digit}["a"]', f'42{digit}1["a"]', f"43{digit}[]", f'42/,{digit}["a"]',
                    f'42/other,{digit}["a"]', f'42{digit}-["a"]'):  # fmt: skip
        link = new_link()
        link.emit("asked", ack=True)
        assert link.receive(content.encode(), NOW) == [BadPacket(OTHER_DIGITS)], content
    for content in (f'45{digit}-["a"]', f'451{digit}-["a"]', f'461-{digit}["a"]'):
        assert new_link().receive(content.encode(), NOW) == [Broken(OTHER_DIGITS)], content


def test_other_digits_are_welcome_wherever_else() -> None:
    link = new_link()
    assert link.receive('421["²٣"]'.encode(), NOW) == [Event("²٣", [], 1)]
    assert link.receive('42/²,1["a"]'.encode(), NOW) == []


@pytest.mark.parametrize("kind", ["5", "6"])
@pytest.mark.parametrize("namespace", ["", "/other,"])
@pytest.mark.parametrize("older", [True, False])
def test_binary_events_are_refused_with_their_attachments(kind: str, namespace: str, older: bool) -> None:
    link = older_link() if older else new_link()
    event = f'4{kind}2-{namespace}["name",{{"_placeholder":true,"num":0}},{{"_placeholder":true,"num":1}}]'
    assert link.receive(event.encode(), NOW) == ([] if namespace else [BadPacket(BINARY)])
    mark = b"\x04" if older else b""
    assert link.receive(mark + b"\xff\x00", NOW) == []
    assert link.receive(mark + b"2024 was a good year", NOW) == []
    assert link.receive(b'42["is one"]', NOW) == [Event("is one", [])]
    assert link.take() == []


@pytest.mark.parametrize("attachment", [b'42["buy_signal",{}]', b"41", b'40{"sid":"x"}', b'44"no"', b"1", b"2"])
def test_an_attachment_is_never_taken_for_a_packet_but_told_where_it_reads_like_one(attachment: bytes) -> None:
    link = new_link()
    link.receive(b'451-["name",{"_placeholder":true,"num":0}]', NOW)
    told = "expected a binary attachment, got what reads like a packet; it was not used"
    assert link.receive(attachment, NOW) == [BadPacket(told)]
    assert link.receive(b'42["is one"]', NOW) == [Event("is one", [])]


def test_a_ping_where_an_attachment_was_announced_is_answered_all_the_same() -> None:
    link = new_link()
    link.receive(b'451-["name",{"_placeholder":true,"num":0}]', NOW)
    link.receive(b"2", Now(120.0, 0))
    assert link.take() == ["3"]
    assert link.deadline() == 120.0 + 45


def test_attachments_that_an_older_server_never_sends_cost_nothing() -> None:
    link = older_link()
    link.receive(b'459-["name",{"_placeholder":true,"num":0}]', NOW)
    assert link.receive(b'42["is one"]', NOW) == [Event("is one", [])]
    assert link.receive(b"\x04ab", NOW) != []  # awaited no more


@pytest.mark.parametrize("count", [1, 100])
def test_up_to_a_hundred_attachments_are_awaited(count: int) -> None:
    link = new_link()
    assert link.receive(b'45%d-["a"]' % count, NOW) == [BadPacket(BINARY)]
    for _ in range(count):
        assert link.receive(b"\xff", NOW) == []
    assert link.receive(b'42["still"]', NOW) == [Event("still", [])]


def test_binary_data_that_nothing_announced() -> None:
    assert new_link().receive(b"\x04\xff", NOW) == [
        BadPacket("expected an Engine.IO packet in text, got 2 bytes of other data")
    ]


@pytest.mark.parametrize(
    ("refusal", "message"),
    [
        (b'44"no\xc3\xa9"', "noé"),
        (b'44{"message":"no","data":{"code":1}}', "no"),
        (b'44{"code":7}', '{"code":7}'),
        (b"44[1]", "[1]"),
        (b'44""', "no reason given"),
        (b'44{"message":""}', "no reason given"),
        (b"44", "no reason given"),
        (b"44 401", "401"),
        (b"44the key is not known", "the key is not known"),
        (b'44{"data":' + b"[" * 99_999, '{"data":' + "[" * 491 + "…"),
        (b'44"' + b"x" * 501 + b'"', "x" * 499 + "…"),
    ],
)
def test_a_refusal_ends_the_link(refusal: bytes, message: str) -> None:
    link = new_link(connected=False)
    link.receive(OPEN_2, NOW)
    assert link.receive(refusal, NOW) == [ConnectRefused(message)]
    assert link.deadline() is None
    assert link.receive(b"40", NOW) == []


def other_intervals(interval: str, timeout: str = "5000") -> bytes:
    return b'0{"pingInterval":%s,"pingTimeout":%s}' % (interval.encode(), timeout.encode())


NO_OPEN_PACKETS = [
    b"",
    b"hello",
    b"0",
    b"0hello",
    b"0\xff",
    b"0[]",
    b"0{}",
    b'0{"pingInterval":25000}',
    b"2",
    b"40",
    b'42["name"]',
    b"\xff",
    *(other_intervals(lie) for lie in ("0", "-1", "NaN", "Infinity", '"25000"', "null", "true", "1e309", "0.9")),
    *(other_intervals("25000", lie) for lie in ("0", "-1", "NaN", '"5000"', "[]", "1e999999999999")),
]


@pytest.mark.parametrize("known", [None, "either", 3, 4])
@pytest.mark.parametrize("frame", NO_OPEN_PACKETS)
def test_who_does_not_begin_with_an_open_packet_is_no_socketio_server(frame: bytes, known: Lesson | None) -> None:
    link = new_link(connected=False, known=known)
    (broken,) = link.receive(frame, NOW)
    assert isinstance(broken, Broken)
    assert broken.reason.startswith("this is no Socket.IO server: ")
    assert broken.retry is (known is not None), "a server that was there may come back"
    assert link.learnt == known
    assert link.deadline() is None
    assert link.take() == []


def test_the_reason_says_where_the_open_packet_is_wrong() -> None:
    reasons = {}
    for frame in (b"hello", b'42["name"]', b"0{}"):
        (broken,) = new_link(connected=False).receive(frame, NOW)
        assert isinstance(broken, Broken)
        reasons[frame] = broken.reason.removeprefix("this is no Socket.IO server: ")
    assert reasons == {
        b"hello": "expected an Engine.IO packet that begins with its type, got 5 bytes without one",
        b'42["name"]': "expected the open packet first, got an Engine.IO packet of type 4",
        b"0{}": "expected a value at `pingInterval`, got none (in the open packet)",
    }


@pytest.mark.parametrize("known", [None, 3])
def test_who_never_says_anything_is_no_socketio_server(known: Lesson | None) -> None:
    link = new_link(connected=False, known=known)
    assert link.tick(Now(100.5, 0)) == []
    assert link.deadline() == 110.0
    assert link.tick(Now(109.9, 0)) == []
    assert link.tick(Now(110.0, 0)) == [
        Broken(
            "this is no Socket.IO server: expected the open packet within 10 s, got nothing", retry=known is not None
        )
    ]
    assert link.deadline() is None


def test_who_sends_back_what_it_is_sent_is_told_at_once() -> None:
    link = new_link(connected=False)
    assert link.deadline() == 100.5
    assert link.tick(Now(100.4, 0)) == link.take() == []
    assert link.tick(Now(100.5, 0)) == []
    assert link.take() == ["6"]
    assert link.receive(b"6", Now(100.6, 0)) == [
        Broken("this is no Socket.IO server: it sends back what it is sent", retry=False)
    ]


def test_who_says_something_of_its_own_accord_sends_nothing_back() -> None:
    (broken,) = new_link(connected=False).receive(b"6", Now(100.1, 0))
    assert isinstance(broken, Broken)
    assert (
        broken.reason
        == "this is no Socket.IO server: expected the open packet first, got an Engine.IO packet of type 6"
    )


@pytest.mark.parametrize("known", [3, 4, "either"])
def test_a_server_that_was_met_before_is_not_tried_for_an_echo(known: Lesson) -> None:
    link = new_link(connected=False, known=known)
    assert link.tick(Now(109.9, 0)) == link.take() == []


def test_a_server_that_is_slow_to_open_is_one_all_the_same() -> None:
    link = new_link(connected=False)
    assert link.tick(Now(100.5, 0)) == []
    assert link.receive(OPEN_4, Now(102.0, 0)) == []
    assert link.take() == ["6", "40"]
    assert link.receive(b"6", Now(102.1, 0)) == []
    assert link.receive(b'40{"sid":"b"}', Now(102.1, 0)) == [Connected(4)]


@pytest.mark.parametrize("longest", ["1e308", "9007199254740993", "1" * 300])
def test_a_heartbeat_without_end_is_no_endless_loop(longest: str) -> None:
    older = new_link(connected=False)
    older.receive(other_intervals(longest, longest), NOW)
    assert older.receive(b"40", NOW) == [Connected(3)]
    due = older.deadline()
    assert due is not None
    assert due > 1e12
    assert older.tick(Now(due, 0)) == []
    assert older.take() == ["2"]


@pytest.mark.parametrize(
    ("status", "body", "problem"),
    [
        (
            200,
            "<html>",
            Lost(
                "this is no Socket.IO server: expected a WebSocket, got HTTP 200: <html>; check the address",
                retry=False,
            ),
        ),
        (
            404,
            "",
            Lost("this is no Socket.IO server: expected a WebSocket, got HTTP 404; check the address", retry=False),
        ),
        (400, "Forbidden", Refused("refused by the venue (HTTP 400: Forbidden)")),
        (403, "", Refused("refused by the venue (HTTP 403)")),
        (503, "", Lost("the venue does not take connections now (HTTP 503)")),
    ],
)
def test_what_an_http_status_means(status: int, body: str, problem: Lost | Refused) -> None:
    assert verdict(status, body) == problem


@pytest.mark.parametrize(
    ("status", "is_none"),
    [(200, True), (299, True), (300, False), (403, False), (404, True), (405, True), (406, False), (409, False),
     (410, True), (411, False), (425, False), (426, True), (427, False)],
)  # fmt: skip
def test_which_statuses_come_from_who_is_no_socketio_server(status: int, *, is_none: bool) -> None:
    problem = verdict(status, "")
    assert problem.reason.startswith("this is no Socket.IO server: ") is is_none
    assert is_none is (problem == Lost(problem.reason, retry=False) and status != 300)


def test_a_server_with_maxpayload_may_leave_the_sid_out() -> None:
    link = new_link(connected=False)
    link.receive(OPEN_4, NOW)
    assert link.receive(b"40", NOW) == [Connected(4)]


def test_what_is_learnt() -> None:
    link = new_link(connected=False)
    assert link.learnt is None
    link.receive(OPEN_2, NOW)
    link.tick(Now(100.5, 0))
    assert link.learnt == "either"  # more is only assumed so far
    link.receive(b'40{"sid":"b"}', NOW)
    assert link.learnt == 4
    assert older_link().learnt == 3
    certain = new_link(connected=False)
    certain.receive(OPEN_4, NOW)
    assert certain.learnt == 4


@pytest.mark.parametrize("known", [3, 4])
def test_a_lesson_that_this_connection_does_not_show_is_not_handed_on(known: Lesson) -> None:
    link = new_link(connected=False, known=known)
    link.receive(OPEN_2, NOW)
    assert link.learnt == "either"
    link.tick(Now(115.0, 0))
    assert link.tick(Now(120.0, 0)) == [Broken("the Socket.IO server did not let us in (`40`) within 20 s")]
    assert link.learnt == "either"


def test_a_ping_tells_the_newer_generation() -> None:
    """An older server's client pings; one that was older is no more when it pings."""
    for known in (None, 3):
        link = new_link(connected=False, known=known)
        link.receive(OPEN_2, NOW)
        link.receive(b"2", Now(100.3, 0))
        assert link.take() == ["3", "40"]
        assert link.tick(Now(100.5, 0)) == []
        assert link.take() == []
        assert link.receive(b'40{"sid":"b"}', Now(100.6, 0)) == [Connected(4)]
        assert link.deadline() == pytest.approx(100.3 + 30)


def test_pings_that_nobody_took_the_answers_of_get_one() -> None:
    link = new_link()
    for _ in range(1000):
        link.receive(b"2", NOW)
    assert link.take() == ["3"]
    link.receive(b"2", NOW)
    assert link.take() == ["3"]


FLOODS = ["2", "3", "6", "5", "9", "", "4", "40", "4/other,", '42/other,["x"]', "42{}", "42[]", "4312[]", "43[]", "47",
          '451-["x",{"_placeholder":true,"num":0}]', "9" * 100_000]  # fmt: skip


@pytest.mark.parametrize("frame", FLOODS, ids=lambda frame: frame[:20] or "nothing")
def test_a_flood_of_packets_that_mean_nothing_breaks_the_link(frame: str) -> None:
    link = new_link()
    came: list[Happening] = []
    for number in range(2 * flood.MOST_AT_ONCE):
        came += link.receive(frame.encode(), Now(100.0 + number / 10_000, 0))
    assert came[-2:] == [
        BadPacket("a flood of messages that belong to no stream of ours (Socket.IO)"),
        Broken("the server sent a flood of messages that belong to no stream of ours"),
    ]
    assert link.take() == [], "nobody reads the answers"


def test_events_are_no_flood_until_somebody_says_that_they_mean_nothing() -> None:
    link = new_link()
    for _ in range(100_000):
        (event,) = link.receive(b'42["name"]', NOW)
        assert isinstance(event, Event)
    told: list[Happening] = []
    counted = 0
    while not told:
        link.receive(b'42["name"]', NOW)
        told = link.meant_nothing()
        counted += 1
    assert flood.MOST_AT_ONCE / 2 < counted <= flood.MOST_AT_ONCE + 1
    assert isinstance(told[-1], Broken)
    assert link.meant_nothing() == []


def test_a_server_may_ping_for_ever() -> None:
    link = new_link()
    for beat in range(5000):
        assert link.receive(b"2", Now(100.0 + beat / 50, 0)) == []


def test_a_known_newer_server_is_asked_without_waiting() -> None:
    link = SocketIo(known=4)
    link.opened(NOW)
    link.receive(OPEN_2, NOW)
    assert link.take() == ["40"]


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
    assert link.receive(b"431[1,2]", NOW) == [Acknowledged(1, [raw("1"), raw("2")])]
    assert link.receive(b"430[]", NOW) == [Acknowledged(0, [])]
    (unasked,) = link.receive(b"432[]", NOW)
    assert isinstance(unasked, BadPacket)
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
    link = SocketIo()
    assert link.deadline() is None
    link.opened(NOW)
    assert link.deadline() == 100.5
    link.receive(OPEN_4, NOW)
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
import venues.protocols.socketio as ours
assert ours.packets.read_packet('2["a"]').payload == '["a"]'
assert {bool(first)} or "aiohttp" not in sys.modules, "aiohttp came along"
import socketio, engineio
assert socketio.AsyncServer and engineio.AsyncServer
from socketio.packet import Packet
assert Packet(encoded_packet='2["a"]').data == ["a"], "its own packets must still decode JSON"
"""
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True)


events = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)
frames = st.one_of(
    st.binary(max_size=40),
    st.text(max_size=40).map(str.encode),
    st.from_regex(r"[0-7][0-8]?[0-9]{0,3}-?(/x,)?[0-9]*(\[\"a\"(,1)?\]|\{\"sid\":\"a\"\}|\"x\")?", fullmatch=True).map(
        str.encode
    ),
    events.map(lambda value: b"42" + json.dumps(value).encode()),
    st.tuples(st.sampled_from(["0", "40", "43", "430", "44", "451-"]), events).map(
        lambda packet: (packet[0] + json.dumps(packet[1], ensure_ascii=False)).encode(errors="surrogatepass")
    ),
    st.builds(other_intervals, st.floats().map(repr), st.floats().map(repr)),
    st.integers(1, 200_000).map(lambda depth: b'42["a",' + b"[" * depth),
    st.sampled_from([OPEN_2, OPEN_4, b"40", b'40{"sid":"b"}', b"2", b"3", b'44"x"']),
)
known_before = st.sampled_from([None, "either", 3, 4])
opening = st.sampled_from([[], [OPEN_2], [OPEN_4], [OPEN_2, b"40"], [OPEN_4, b'40{"sid":"b"}']])


@given(first=opening, received=st.lists(frames, max_size=12), waits=st.lists(st.floats(0, 30)), known=known_before)
def test_arbitrary_frames_at_any_time_bring_only_happenings(
    first: list[bytes], received: list[bytes], waits: list[float], known: Lesson | None
) -> None:
    link = new_link(connected=False, known=known)
    sent: list[str] = []
    mono = 100.0
    for number, frame in enumerate(first + received):
        mono += waits[number % len(waits)] if waits and number >= len(first) else 0.0
        now = Now(mono, 0)
        due = link.deadline()
        if due is not None and mono >= due:
            assert len(link.tick(now)) <= 1
            again = link.deadline()
            assert again is None or again > mono, "its driver would spin"
        happenings = link.receive(frame, now)
        assert len(happenings) <= 1
        if happenings and isinstance(happenings[0], Event | Acknowledged):
            json.loads(b"[" + b",".join(bytes(argument) for argument in happenings[0].arguments) + b"]")
        out = link.take()
        assert len(out) <= 3
        sent += out
    assert sent.count("40") <= 1
    assert set(sent) <= {"40", "2", "3", "6"}


@given(name=st.text(), values=st.lists(events), asked=st.none() | st.integers(0, 10**30))
def test_an_event_of_any_json_comes_as_it_is(name: str, values: list[object], asked: int | None) -> None:
    array = json.dumps([name, *values]).encode()
    link = new_link()
    (event,) = link.receive(b"42" + (b"" if asked is None else str(asked).encode()) + array, NOW)
    try:
        expected = msgspec.json.decode(array, type=list[msgspec.Raw])
        decoded_name = msgspec.json.decode(expected[0], type=str)
    except msgspec.MsgspecError:  # NaN, or half of a surrogate pair
        assert isinstance(event, BadPacket)
    else:
        assert event == Event(decoded_name, expected[1:], asked)


@settings(max_examples=50)
@given(open_packet=st.sampled_from([OPEN_2, OPEN_4]), late=st.lists(st.floats(0, 3), min_size=60, max_size=60))
def test_a_server_that_keeps_its_heartbeat_is_never_given_up(open_packet: bytes, late: list[float]) -> None:
    link, newer = new_link(connected=False), open_packet is OPEN_4
    link.receive(open_packet, NOW)
    link.receive(b'40{"sid":"b"}' if newer else b"40", NOW)
    mono = 100.0
    for delay in late:
        if newer:
            mono += 25 + delay
            due = link.deadline()
            assert due is not None
            assert due > mono
            link.receive(b"2", Now(mono, 0))
        else:
            due = link.deadline()
            assert due is not None
            assert link.tick(Now(due, 0)) == []
            mono = due + delay
            assert link.take()[-1:] == ["2"]
            link.receive(b"3", Now(mono, 0))
    assert link.learnt == (4 if newer else 3)


def admitted(link: SocketIo, open_packet: bytes, admission: float) -> tuple[Happening, int]:
    """What comes of a connection to a server that takes so long to let a client in, and how often it let us in."""
    older, mono, times = open_packet == OPEN_2, 100.0, 0
    link.receive(open_packet, NOW)
    admissions = [mono + admission] if older else []
    while True:
        admissions += [mono + admission] * link.take().count("40")
        due = link.deadline()
        assert due is not None
        if admissions and admissions[0] < due:
            mono = admissions.pop(0)
            times += 1
            happenings = link.receive(b"40" if older else b'40{"sid":"b"}', Now(mono, 0))
        else:
            mono = due
            happenings = link.tick(Now(mono, 0))
        if happenings:
            return happenings[0], times + len(admissions)


@pytest.mark.parametrize("admission", [0.0, 0.3, 0.7, 5.0, 19.0])
@pytest.mark.parametrize("known", [None, "either", 3, 4])
@pytest.mark.parametrize(("open_packet", "generation"), [(OPEN_2, 3), (OPEN_3, 4), (OPEN_4, 4)])
def test_every_server_lets_us_in_once_whatever_was_known_before(
    open_packet: bytes, generation: int, known: Lesson | None, admission: float
) -> None:
    for _ in range(2):
        link = new_link(connected=False, known=known)
        happening, times = admitted(link, open_packet, admission)
        if isinstance(happening, Connected):
            break
        assert isinstance(happening, Broken)
        assert happening.retry
        known = link.learnt
    assert happening == Connected(generation)  # type: ignore[arg-type]
    assert times == 1, "another admission would bring every event twice"


# --- a message that is still arriving ------------------------------------------------------------------------------


def test_the_servers_ping_may_be_behind_a_message_that_is_still_arriving() -> None:
    link = new_link()  # pingInterval 25 s, pingTimeout 20 s
    assert link.tick(Now(145.0, 0, arriving=144.5)) == []
    assert link.deadline() == 164.5
    link.receive(b'42["name",1]', Now(150.0, 0))
    assert link.deadline() == 164.5, "it has to come after the message, and has its time for that"
    assert link.tick(Now(164.5, 0, arriving=164.0)) == [
        Broken("no ping from the server within its pingInterval and pingTimeout")
    ]


def test_once_whole_messages_came_the_servers_ping_is_due() -> None:
    link = new_link()
    link.receive(b'42["name",1]', Now(126.0, 0))
    assert isinstance(link.tick(Now(145.0, 0, arriving=144.9))[0], Broken)


def test_the_answer_to_our_ping_may_be_behind_one_too() -> None:
    link = older_link()  # pingInterval 25 s, pingTimeout 5 s
    link.tick(Now(125.0, 0))
    assert link.tick(Now(130.0, 0, arriving=129.9)) == []
    assert link.deadline() == 134.9
    assert link.tick(Now(134.9, 0)) == [Broken("no answer to our ping within the server's pingTimeout")]


@pytest.mark.parametrize(("opened", "due"), [(False, 110.0), (True, 120.0)])
def test_the_door_is_kept_open_while_something_is_arriving(opened: bool, due: float) -> None:
    link = new_link(connected=False, known=4)
    if opened:
        link.receive(OPEN_4, NOW)
    assert link.tick(Now(due, 0, arriving=due - 1)) == []
    assert isinstance(link.tick(Now(2 * due, 0))[0], Broken)
