"""The hub protocol itself: what each message brings, and what arbitrary bytes bring."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from venues.protocols import flood, signalr
from venues.protocols.signalr import (
    Broken,
    HandshakeFailed,
    Happening,
    Hub,
    HubClosed,
    Invocation,
    ProtocolError,
    Ready,
    StreamEnd,
    StreamItem,
)
from venues.venue import Now

NOW = Now(100.0, 0)


def new_hub(*, ready: bool = True, streams: int = 2) -> Hub:
    hub = Hub()
    hub.opened(NOW)
    if ready:
        assert hub.receive(b"{}\x1e", NOW) == [Ready()]
        for _ in range(streams):
            hub.stream("Book", [])
    hub.take()
    return hub


def raw(text: bytes) -> msgspec.Raw:
    return msgspec.Raw(text)


def test_invocation_ids_count_up() -> None:
    hub = new_hub(streams=0)
    assert [hub.stream("Tob", [["cfd.eur_chf"]]) for _ in range(11)] == [str(number) for number in range(11)]


@pytest.mark.parametrize("count", [1, 2, 999, 1000, 1001, 2001])
@pytest.mark.parametrize("rest", [b"", b'{"type":2,"invo'])
def test_a_frame_of_many_messages_brings_each_and_keeps_the_rest(count: int, rest: bytes) -> None:
    hub, item = new_hub(), b'{"type":2,"invocationId":"0","item":%d}\x1e'
    frame = b"".join(item % number for number in range(count)) + rest
    found = [one for one in hub.receive(frame, NOW) if isinstance(one, StreamItem)]
    assert [int(bytes(one.item)) for one in found] == [*range(count)]
    end = (item % count).removeprefix(rest)
    assert hub.receive(end, NOW) == [StreamItem("0", raw(b"%d" % count))]


def test_a_frame_that_ends_a_byte_into_the_next_message_keeps_that_byte() -> None:
    hub, item = new_hub(), b'{"type":2,"invocationId":"0","item":%d}\x1e'
    assert hub.receive(item % 1 + b"{", NOW) == [StreamItem("0", raw(b"1"))]
    assert hub.receive((item % 2)[1:], NOW) == [StreamItem("0", raw(b"2"))]


@pytest.mark.parametrize(
    ("message", "kind"), [(b'{"type":1}', 1), (b'{"type":2}', 2), (b'{"type":3}', 3), (b'{"type":7,"error":5}', 7)]
)
def test_a_message_of_a_known_type_that_is_not_as_it_has_to_be_is_told(message: bytes, kind: int) -> None:
    (told,) = new_hub().receive(message + b"\x1e", NOW)
    assert isinstance(told, ProtocolError)
    assert told.reason.endswith(f"(SignalR message of type {kind})")


@pytest.mark.parametrize("kind", [0, 4, 5, 8, 9, 10, -1])
def test_a_message_of_another_type_is_passed_over(kind: int) -> None:
    assert new_hub().receive(b'{"type":%d}\x1e' % kind, NOW) == []


def test_what_is_sent_is_signalrcores_encoding() -> None:
    hub = new_hub(streams=0)
    hub.stream("Book", ["é", 1])
    hub.cancel("0")
    assert hub.take() == [
        '{"type": 4, "headers": {}, "target": "Book", "arguments": ["\\u00e9", 1], '
        '"invocationId": "0", "streamIds": []}\x1e',
        '{"type": 5, "headers": {}, "invocationId": "0"}\x1e',
    ]
    assert hub.take() == []


def test_an_item_stays_as_it_came() -> None:
    hub = new_hub()
    assert hub.receive(b'{"item":{"price" : "1.10"},"invocationId":"1","type":2,"new":[]}\x1e', NOW) == [
        StreamItem("1", raw(b'{"price" : "1.10"}'))
    ]


@pytest.mark.parametrize(
    ("message", "happenings"),
    [
        (b'{"type":3,"invocationId":"0"}', [StreamEnd("0", None)]),
        (b'{"type":3,"invocationId":"0","result":null}', [StreamEnd("0", None)]),
        (b'{"type":3,"invocationId":"0","error":"no"}', [StreamEnd("0", "no")]),
        (
            b'{"type":3,"invocationId":"0","result":null,"error":"no"}',
            [StreamEnd("0", "no")],  # servers that write every field: a result of null is none
        ),
        (
            b'{"type":3,"invocationId":"0","result":0,"error":"no"}',
            [ProtocolError("expected a completion with a result or an error, got both", "0"), StreamEnd("0", "no")],
        ),
        (b'{"type":3,"invocationId":"7","error":"no"}', []),  # a stream we never asked for
        (b'{"type":2,"invocationId":"7","item":1}', []),
        (b'{"type":1,"target":"Send","arguments":[42]}', [Invocation("Send", [raw(b"42")])]),
        (b'{"type":4,"invocationId":"0","target":"X","arguments":[]}', []),
        (b'{"type":5,"invocationId":"0"}', []),
        (b'{"type":6}', []),
        (b'{"type":8,"sequenceId":1394}', []),
        (b'{"type":9,"sequenceId":1234}', []),
        (b'{"type":12,"invocationId":[],"error":{}}', []),
        (b'{"type":7,"error":null}', [HubClosed(None, allow_reconnect=False)]),
    ],
)
def test_what_a_message_brings(message: bytes, happenings: list[Happening]) -> None:
    hub = new_hub()
    before, after = b'{"type":2,"invocationId":"1","item":1}', b'{"type":2,"invocationId":"1","item":2}'
    expected = [StreamItem("1", raw(b"1")), *happenings, StreamItem("1", raw(b"2"))]
    if any(isinstance(happening, HubClosed) for happening in happenings):
        expected.pop()
    assert hub.receive(b"\x1e".join([before, message, after, b""]), NOW) == expected
    assert hub.take() == []


@pytest.mark.parametrize(
    ("message", "reason", "owner"),
    [
        (b'{"type":2,"invocationId":"0"}', "expected a value at `item`, got none (SignalR message of type 2)", "0"),
        (b'{"type":2,"item":0}', "expected a value at `invocationId`, got none (SignalR message of type 2)", None),
        (b'{"type":3,"invocationId":0}', "expected str at `invocationId`, got int (SignalR message of type 3)", None),
        (b'{"type":3,"invocationId":"\xff"}', "expected UTF-8 text, got other bytes (SignalR message of type 3)", None),
        (b"{}", "expected a value at `type`, got none (SignalR message)", None),
        (b"[1]", "expected object, got array (SignalR message)", None),
        (b"[" * 99_999, "expected object, got array (SignalR message)", None),
        (
            b'{"type":2,"item":' + b"[" * 99_999,
            "expected a message, got JSON nested too deeply (SignalR message)",
            None,
        ),
        (b"", "expected JSON, got something else: Input data was truncated (SignalR message)", None),
    ],
)
def test_a_message_that_cannot_be_understood(message: bytes, reason: str, owner: str | None) -> None:
    item = b'{"type":2,"invocationId":"1","item":1}'
    one = StreamItem("1", raw(b"1"))
    assert new_hub().receive(b"\x1e".join([item, message, item, b""]), NOW) == [
        one,
        ProtocolError(reason, owner),
        one,
    ]


def test_no_items_come_after_the_end_of_a_stream() -> None:
    hub = new_hub()
    item = b'{"type":2,"invocationId":"0","item":1}\x1e'
    assert hub.receive(item + b'{"type":3,"invocationId":"0"}\x1e' + item, NOW) == [
        StreamItem("0", raw(b"1")),
        StreamEnd("0", None),
    ]
    hub.cancel("0")
    assert hub.take() == []


def test_a_call_that_awaits_a_result_gets_an_error() -> None:
    hub = new_hub()
    hub.receive(b'{"type":1,"target":"Ask","arguments":[],"invocationId":"s1"}\x1e', NOW)
    (answer,) = hub.take()
    assert msgspec.json.decode(answer.removesuffix("\x1e")) == {
        "type": 3,
        "headers": {},
        "invocationId": "s1",
        "error": "Client didn't provide a result.",
    }


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b'{"error":"no"}', "no"),
        (b'{"error":""}', ""),
        (b'{"type":6}', "expected the answer to the SignalR handshake, got a message of type 6"),
        (b"[]", "expected object, got array (the answer to the SignalR handshake)"),
        (b"\xff", None),
        (b"", None),
    ],
)
def test_a_failed_handshake_ends_the_hub(answer: bytes, reason: str | None) -> None:
    hub = new_hub(ready=False)
    happenings = hub.receive(answer + b'\x1e{"type":7}\x1e', NOW)
    (failed,) = happenings
    assert isinstance(failed, HandshakeFailed)
    assert reason is None or failed.reason == reason
    assert hub.deadline() is None


def test_the_answer_to_the_handshake_may_share_its_frame_and_have_more_fields() -> None:
    hub = new_hub(ready=False)
    happenings = hub.receive(b'{"minorVersion":0}\x1e{"type":1,"target":"a"}\x1e{"type":6}\x1e', NOW)
    assert happenings == [Ready(), Invocation("a")]


def test_nothing_is_sent_once_the_hub_is_over() -> None:
    hub = new_hub()
    hub.receive(b'{"type":7}\x1e', NOW)
    hub.stream("Book", [])
    hub.cancel("0")
    hub.leave(NOW)
    assert hub.take() == []
    assert hub.done()
    assert hub.tick(Now(1e9, 0)) == []


def test_a_message_without_an_end_is_not_kept_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signalr, "MAX_MESSAGE", 10)
    hub = new_hub()
    assert hub.receive(b'{"type":6}', NOW) == []
    assert hub.receive(b" ", NOW) == [Broken("expected messages of at most 10 bytes, got a longer one")]


FLOODS = {
    "separators": b"\x1e",
    "pings": b'{"type":6}\x1e',
    "types nobody knows": b'{"type":12}\x1e',
    "calls": b'{"type":1,"target":"Send","arguments":[]}\x1e',
    "calls that want a result": b'{"type":1,"invocationId":"9","target":"Send","arguments":[]}\x1e',
    "items of nobody's stream": b'{"type":2,"invocationId":"7","item":1}\x1e',
    "ends of nobody's stream": b'{"type":3,"invocationId":"7"}\x1e',
    "bad items of a stream": b'{"type":2,"invocationId":"0"}\x1e',
    "halves of JSON": b'{"type":2\x1e',
    "deep": b"[" * 2000 + b"\x1e",
    "large": b'{"type":6,"x":"' + b"a" * 100_000 + b'"}\x1e',
}


@pytest.mark.parametrize("message", FLOODS.values(), ids=FLOODS)
def test_a_flood_of_messages_of_no_stream_breaks_the_hub_before_it_costs_anything(message: bytes) -> None:
    hub, looked_at = new_hub(), 0
    frame = message * max(signalr.MAX_MESSAGE // len(message), 2 * flood.MOST_AT_ONCE)
    original = signalr._DECODER.decode

    class Counting:
        def decode(self, data: bytes) -> object:
            nonlocal looked_at
            looked_at += 1
            return original(data)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(signalr, "_DECODER", Counting())
        *before, bad, broken = hub.receive(frame, NOW)
    assert 0 < looked_at <= flood.MOST_AT_ONCE + 1
    assert bad == ProtocolError("a flood of messages that belong to no stream of ours (SignalR)")
    assert broken == Broken("the server sent a flood of messages that belong to no stream of ours")
    assert not [happening for happening in before if isinstance(happening, Broken)]
    assert hub.take() == [], "nobody reads the answers"
    assert hub.receive(b'{"type":2,"invocationId":"0","item":1}\x1e', NOW) == []


@pytest.mark.parametrize("frame", [b"", *FLOODS.values()], ids=["nothing", *FLOODS])
def test_a_flood_may_come_in_many_frames(frame: bytes) -> None:
    hub = new_hub()
    came: list[Happening] = []
    for number in range(2 * flood.MOST_AT_ONCE):
        came += hub.receive(frame, Now(100.0 + number / 10_000, 0))
    assert isinstance(came[-1], Broken)


def test_a_large_frame_of_good_messages_is_no_flood() -> None:
    hub = new_hub()
    good = b'{"type":2,"invocationId":"0","item":1}\x1e'
    many = signalr.MAX_MESSAGE // len(good)
    assert hub.receive(good * many, NOW) == [StreamItem("0", raw(b"1"))] * many
    hub.cancel("0")  # what the server had sent by then is still on its way
    assert hub.receive(good * many, NOW) == []
    assert hub.receive(b'{"type":2,"invocationId":"1","item":1}\x1e', NOW) == [StreamItem("1", raw(b"1"))]


def test_a_frame_with_very_many_messages_may_end_in_the_middle_of_one() -> None:
    hub = new_hub()
    good = b'{"type":2,"invocationId":"0","item":1}\x1e'
    assert len(hub.receive(good[:10], NOW)) == 0
    assert hub.receive(good[10:] + good * 4999 + good[:20], NOW) == [StreamItem("0", raw(b"1"))] * 5000
    assert hub.receive(good[20:], NOW) == [StreamItem("0", raw(b"1"))]


def test_a_server_may_say_things_that_mean_nothing_to_us_for_ever() -> None:
    hub = new_hub()
    for second in range(600):
        for frame in (b'{"type":6}\x1e' * 50, b'{"type":1,"target":"Send","arguments":[]}\x1e' * 40):
            assert not any(isinstance(one, Broken) for one in hub.receive(frame, Now(100.0 + second, 0)))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("An unexpected error occurred invoking 'X' on the server. HubException: Market 'x' not found",
         "Market 'x' not found"),
        ("An error occurred on the server while streaming results. HubException: closed: till 9", "closed: till 9"),
        ("Failed to invoke 'Chart' due to an error on the server. HubException: expected 'a.'\nor b",
         "expected 'a.'\nor b"),
        ("Connection closed with an error. HubException: bye", "bye"),
        ("Failed to invoke 'A' on the server. HubException: x", "Failed to invoke 'A' on the server. HubException: x"),
        ("Failed to invoke 'X' due to an error on the server. InvalidDataException: no",
         "Failed to invoke 'X' due to an error on the server. InvalidDataException: no"),
        ("HubException: no", "HubException: no"),
        ("", ""),
    ],
)  # fmt: skip
def test_a_hub_exceptions_own_words(error: str, words: str) -> None:
    assert signalr.own_words(error) == words


@pytest.mark.parametrize(
    "error",
    [
        "",
        " ",
        "An unexpected error occurred invoking 'X' on the server.",
        "An unexpected error occurred invoking 'X' on the server",
        "An error occurred on the server while streaming results.",
        "An error occurred on the server while streaming results. HubException: ",
        "Failed to invoke 'it's' due to an error on the server.",
    ],
)
def test_an_error_that_says_nothing(error: str) -> None:
    assert not signalr.says_why(error)
    assert signalr.says_why(f"{error} InvalidDataException: no such thing")


def test_any_frame_counts_as_life() -> None:
    hub = new_hub()
    hub.receive(b'{"type"', Now(120.0, 0))
    hub.tick(Now(120.0, 0))
    assert hub.tick(Now(149.0, 0)) == []
    (broken,) = hub.tick(Now(150.0, 0))
    assert isinstance(broken, Broken)


def test_messages_cut_into_single_bytes() -> None:
    hub = new_hub(ready=False)
    frame = b'{}\x1e{"type":1,"target":"a"}\x1e{"type":1,"target":"b"}\x1e{"type":1,"target":"c"}\x1e'
    happenings = [happening for byte in frame for happening in hub.receive(bytes([byte]), NOW)]
    assert happenings == [Ready(), Invocation("a"), Invocation("b"), Invocation("c")]


messages = st.one_of(
    st.binary(max_size=30),
    st.sampled_from(
        [
            b"{}",
            b'{"error":"x"}',
            b'{"type":6}',
            b'{"type":7,"allowReconnect":true}',
            b'{"type":2,"invocationId":"0","item":{"a":[1]}}',
            b'{"type":2,"invocationId":"1","item":null}',
            b'{"type":2,"invocationId":"0"}',
            b'{"type":3,"invocationId":"0","error":"\xc3\xa9"}',
            b'{"type":3,"invocationId":"1","result":1,"error":"x"}',
            b'{"type":1,"target":"t","arguments":[],"invocationId":"i"}',
            b'{"type":99}',
        ]
    ),
)


@given(bytes_=st.one_of(st.binary(), st.lists(messages).map(b"\x1e".join)), ready=st.booleans(), data=st.data())
def test_frames_cut_anywhere_bring_the_same(bytes_: bytes, ready: bool, data: st.DataObject) -> None:
    whole, cut = new_hub(ready=ready), new_hub(ready=ready)
    expected = whole.receive(bytes_, NOW)
    places = sorted(data.draw(st.lists(st.integers(0, len(bytes_)), max_size=5)))
    got: list[Happening] = []
    for start, end in zip([0, *places], [*places, len(bytes_)], strict=True):
        got += cut.receive(bytes_[start:end], NOW)
    assert got == expected
    assert cut.take() == whole.take()
    assert cut.deadline() == whole.deadline()


@given(messages=st.lists(messages, max_size=8), cut_streams=st.sets(st.sampled_from(["0", "1"])))
def test_items_only_of_streams_that_are_on(messages: list[bytes], cut_streams: set[str]) -> None:
    hub = new_hub()
    for invocation_id in cut_streams:
        hub.cancel(invocation_id)
    for happening in hub.receive(b"\x1e".join([*messages, b""]), NOW):
        if isinstance(happening, StreamItem | StreamEnd):
            assert happening.invocation_id not in cut_streams


def test_a_message_that_is_still_arriving_puts_the_servers_deadline_off() -> None:
    hub = new_hub()
    assert hub.tick(Now(130.0, 0, arriving=129.5)) == []
    assert hub.deadline() is not None
    assert hub.tick(Now(159.4, 0)) == []
    assert hub.tick(Now(159.5, 0)) == [Broken("nothing came from the server for 30 s")]


def test_the_answer_to_the_handshake_may_be_behind_one_too() -> None:
    hub = new_hub(ready=False)
    assert hub.tick(Now(115.0, 0, arriving=114.0)) == []
    assert hub.deadline() == 129.0
    assert hub.tick(Now(129.0, 0)) == [Broken("no answer to the handshake within 15 s")]
