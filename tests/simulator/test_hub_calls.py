"""A hub's own part of the protocol, call by call: what each message of a client is answered with."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from venues.simulator import hub
from venues.simulator.hub import HubError, HubPeer, Method, Subscribers, leave_all, server_error

from .test_hub import HANDSHAKE, Link

if TYPE_CHECKING:
    from collections.abc import Callable

    from venues.simulator.hub import Emit

ERROR = "Connection closed with an error. InvalidDataException: "
BROKEN = {"type": 7, "error": f"{ERROR}Error reading JSON."}


class Hub:
    """A connection to a hub with the method `Say` of one argument, which refuses the argument `no`."""

    def __init__(self, handshake: str | bytes = HANDSHAKE) -> None:
        self.link = Link()
        self.calls: list[Any] = []
        self.peer = HubPeer(self.link, {"Say": Method(1, self._start, (b'"bad"',))}, lambda: self.calls.append("left"))
        self.peer.opened()
        if handshake:
            self.peer.receive(handshake)

    def _start(self, arguments: list[Any], emit: Emit) -> Callable[[], None]:
        if arguments == ["no"]:
            raise HubError("not this one")
        self.calls.append(arguments)
        self.emit = emit
        emit(b'"first"')
        return lambda: self.calls.append(("end", arguments))

    def told(self) -> list[Any]:
        self.link.flush()
        texts = b"".join(self.link.sent).split(b"\x1e")
        self.link.sent.clear()
        assert texts.pop() == b""
        return [json.loads(text) for text in texts]

    def ask(self, **message: Any) -> list[Any]:
        self.told()
        self.peer.receive(json.dumps(message) + "\x1e")
        return self.told()

    def say(self, invocation: str = "a", argument: str = "x", target: str = "say") -> list[Any]:
        return self.ask(type=4, invocationId=invocation, target=target, arguments=[argument])


def item(invocation: str, content: Any = "first") -> dict[str, Any]:
    return {"type": 2, "invocationId": invocation, "item": content}


def over(invocation: str, error: str | None = None) -> dict[str, Any]:
    return {"type": 3, "invocationId": invocation, **({} if error is None else {"error": error})}


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("{}", "An unexpected error occurred during connection handshake."),
        ("x", "An unexpected error occurred during connection handshake."),
        (b"\xff", "An unexpected error occurred during connection handshake."),
        ('{"protocol":"messagepack","version":1}', "The protocol 'messagepack' is not supported."),
        (f'{{"protocol":"{"p" * 41}","version":1}}', f"The protocol '{'p' * 40}' is not supported."),
        ('{"protocol":"json","version":2}', "The server does not support version 2 of the 'json' protocol."),
        ('{"protocol":"json","version":-1}', "The server does not support version -1 of the 'json' protocol."),
    ],
)
def test_a_handshake_that_is_refused(asked: str | bytes, said: str) -> None:
    one = Hub(asked + ("\x1e" if isinstance(asked, str) else b"\x1e"))  # type: ignore[operator]
    assert one.told() == [{"error": said}]
    assert one.link.finished == [1000]
    assert one.say() == [], "nothing is heard any more"
    assert one.peer.farewell(reconnect=True) == b"", "who was not greeted is not told goodbye"


@pytest.mark.parametrize("version", [0, 1])
def test_a_handshake_and_its_first_calls_may_come_together(version: int) -> None:
    call = '{"type":4,"invocationId":"a","target":"SAY","arguments":["x"]}\x1e'
    one = Hub(f'{{"protocol":"json","version":{version}}}\x1e{call}{{"ty')
    assert one.told() == [{}, item("a")]
    one.peer.receive(b'pe":6}\x1e')
    assert (one.told(), one.calls) == ([], [["x"]])


@pytest.mark.parametrize(
    ("message", "answer"),
    [
        ({"type": 4, "target": "say", "arguments": ["x"], "invocationId": "a"}, item("a")),
        ({"type": 4, "target": "say", "arguments": ["no"], "invocationId": "a"}, over("a", "not this one")),
        ({"type": 4, "target": "Sing", "arguments": [], "invocationId": "a"}, over("a", "Unknown hub method 'Sing'")),
        (
            {"type": 1, "target": "say", "arguments": ["x"], "invocationId": "a"},
            over("a", "The client attempted to invoke the streaming 'say' method with a non-streaming invocation."),
        ),
        (
            {"type": 4, "target": "say", "arguments": [], "invocationId": "a"},
            over(
                "a",
                "Failed to invoke 'say' due to an error on the server. InvalidDataException: "
                "Invocation provides 0 argument(s) but target expects 1.",
            ),
        ),
        ({"type": 1, "target": "say", "arguments": ["x"]}, None),
        ({"type": 5, "invocationId": "none"}, None),
        ({"type": 5}, None),
        ({"type": 6}, None),
        ({"type": 3, "invocationId": "a"}, None),
        ({"type": 99}, None),
    ],
)
def test_what_each_message_is_answered_with(message: dict[str, Any], answer: Any) -> None:
    one = Hub()
    assert one.ask(**message) == ([] if answer is None else [answer])
    assert one.link.finished == []
    assert one.say("b") == [item("b")], "the connection goes on"


@pytest.mark.parametrize(
    ("frame", "closing"),
    [
        ("x\x1e", BROKEN),
        ("\x1e", BROKEN),
        ('{"type":"4"}\x1e', BROKEN),
        (b"\xff\x1e", BROKEN),
        (
            '{"type":4,"target":"say","arguments":["x"]}\x1e',
            {"type": 7, "error": f"{ERROR}Missing required property 'invocationId'."},
        ),
        (
            '{"type":1,"target":"say"}\x1e',
            {"type": 7, "error": f"{ERROR}Missing required property 'target' or 'arguments'."},
        ),
        (
            '{"type":4,"arguments":[]}\x1e',
            {"type": 7, "error": f"{ERROR}Missing required property 'target' or 'arguments'."},
        ),
        ("x" * 32_769, {"type": 7, "error": f"{ERROR}The maximum message size of 32768B was exceeded."}),
    ],
)
def test_what_breaks_the_protocol_ends_it(frame: str | bytes, closing: dict[str, Any]) -> None:
    one = Hub()
    one.told()
    one.peer.receive(frame)
    assert one.told() == [closing]
    assert one.link.finished == [1000]
    one.peer.receive('{"type":6}\x1e')
    assert one.told() == []


def test_a_message_may_be_32_kib_long() -> None:
    one = Hub()
    one.told()
    one.peer.receive('{"type":6}'.ljust(32_768))
    one.peer.receive("\x1e")
    assert (one.told(), one.link.finished) == ([], [])


def test_each_stream_is_ended_once() -> None:
    one = Hub()
    assert one.say("a", "x") == [item("a")]
    assert one.say("b", "y") == [item("b")]
    assert one.say("a", "z") == [over("a", "Invocation ID 'a' is already in use.")]
    assert one.ask(type=5, invocationId="a") == [over("a")]
    assert one.calls == [["x"], ["y"], ("end", ["x"])]
    assert one.ask(type=5, invocationId="a") == []
    assert one.say("a", "z") == [item("a")], "its id may be used again"
    one.peer.closed()
    assert one.calls[3:] == [["z"], ("end", ["y"]), ("end", ["z"]), "left"]


def test_a_refused_stream_leaves_its_id_free() -> None:
    one = Hub()
    assert one.say("a", "no") == [over("a", "not this one")]
    assert one.say("a") == [item("a")]


def test_a_client_that_says_goodbye_is_closed() -> None:
    one = Hub()
    assert one.ask(type=7) == []
    assert one.link.finished == [1000]
    one.peer.receive('{"type":4,"invocationId":"a","target":"say","arguments":["x"]}\x1e')
    assert (one.told(), one.calls) == ([], [])


@pytest.mark.parametrize(("reconnect", "more"), [(True, {"allowReconnect": True}), (False, {})])
def test_goodbye_comes_behind_what_waits(reconnect: bool, more: dict[str, Any]) -> None:
    one = Hub()
    one.say()
    one.emit(b"7")
    texts = one.peer.farewell(reconnect=reconnect).split(b"\x1e")
    assert [json.loads(text) for text in texts[:-1]] == [item("a", 7), {"type": 7, **more}]
    one.emit(b"8")
    assert one.told() == []


def test_bad_messages_are_of_the_streams_that_run() -> None:
    one = Hub()
    assert next(iter(one.peer.garbage())) == b'{"type":2,"invocationId":"0"}\x1e'
    one.say("s")
    first, second, *_, last = one.peer.garbage()
    assert first == b'{"type":2,"invocationId":"s","item":"bad"}\x1e'
    assert second == b'{"type":2,"invocationId":"s"}\x1e'
    assert last == b'{"type":2,"invocationId":"s","item":{"half a mess'


def test_a_change_that_is_held_back_is_sent_when_none_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 10.0
    monkeypatch.setattr(hub, "monotonic", lambda: now)
    one = Hub()
    one.say()
    one.peer.gap()
    one.emit(b"1", losable=True)
    for seconds, told in ((0.99, []), (1.0, [item("a", 1)]), (2.0, [])):
        now = 10.0 + seconds
        one.link.beat()
        assert one.told() == told
    one.emit(b"2", losable=True)
    assert one.told() == [item("a", 2)], "the fault is over"


# --- who gets the changes of a state


def test_subscribers_are_told_until_they_leave() -> None:
    some = Subscribers()
    told: list[Any] = []

    def emit(item: bytes, *, losable: bool = False) -> None:
        told.append((item, losable))

    assert not some
    some.tell(b"0")
    leaves = [some.join(emit), some.join(emit)]
    assert some
    some.tell(b"1")
    some.tell(b"2", losable=True)
    leaves[0]()
    leaves[0]()
    some.tell(b"3")
    assert told == [(b"1", False)] * 2 + [(b"2", True)] * 2 + [(b"3", False)]
    leave_all(leaves)()
    assert not some


def test_an_error_of_the_server_is_in_the_words_of_the_reference() -> None:
    said = str(server_error("Book", "HubException", "no such market"))
    assert said == "Failed to invoke 'Book' due to an error on the server. HubException: no such market"


def test_a_fault_of_a_stream_leaves_the_connection_as_it_is_to_be_closed() -> None:
    one = Hub()
    start = one._start

    def fails(arguments: list[Any], emit: Emit) -> Callable[[], None]:
        if arguments == ["boom"]:
            raise LookupError("a fault")
        return start(arguments, emit)

    one.peer._methods["say"] = Method(1, fails)
    assert one.say("a") == [item("a")]
    with pytest.raises(LookupError):
        one.say("b", "boom")
    one.peer.closed()
    assert one.calls == [["x"], ("end", ["x"]), "left"]


def test_once_a_connection_is_closed_nothing_is_said_or_heard_and_no_stream_ends_again() -> None:
    one = Hub()
    one.say()
    emit = one.emit
    one.peer.closed()
    one.peer.closed()
    emit(b"7")
    assert one.say("b") == []
    assert (one.told(), one.calls) == ([], [["x"], ("end", ["x"]), "left", "left"])


@pytest.mark.parametrize("is_running", [True, False])
def test_bad_messages_are_items_of_the_streams_and_then_break_the_protocol(is_running: bool) -> None:
    one = Hub()
    if is_running:
        one.say("a")
    invocation = b"a" if is_running else b"0"
    head = b'{"type":2,"invocationId":"' + invocation + b'"'
    assert [*one.peer.garbage()] == [
        *([b'{"type":2,"invocationId":"a","item":"bad"}\x1e'] if is_running else []),
        head + b"}\x1e",
        head + b',"item":7}\x1e',
        head + b',"item":{"snapshot":\x1e',
        b'{"type":"2","invocationId":7,"item":[]}\x1e',
        b'{"type":99,"weather":"rain"}\x1e',
        b'{"type":2,"invocationId":"no-such-stream","item":[]}\x1e',
        b'[{"type":6}]\x1e',
        b"\x1e",
        b'{"type":6}\x1e{"type":6\x1e',
        head + b',"item":{"half a mess',
    ]
