"""A conversation in named events: what is sent of it, in which frames, and how it ends."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest

from venues.simulator.session import BadEvent, BarePeer, Voice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WRONG = (
    b'{"event":"error","data":{"message":"expected a frame like {\\"event\\":\\"kline\\",\\"data\\":{\xe2\x80\xa6}}"}}'
)


class Link:
    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.shown: dict[str, Callable[[], bytes]] = {}
        self.finished: list[tuple[int, str]] = []

    def send(self, data: bytes, *, binary: bool = False) -> None:
        self.sent.append(data)

    def show(self, key: str, produce: Callable[[], bytes]) -> None:
        self.shown[key] = produce

    def every(self, seconds: float, action: Callable[[], None]) -> None: ...

    def finish(self, code: int, reason: str) -> None:
        self.finished.append((code, reason))

    def abort(self) -> None: ...

    def silence(self) -> float:
        return 0.0


class Visit:
    """Notes what it is called with; an event `bye` makes it leave."""

    def __init__(self, voice: Voice) -> None:
        self.voice = voice
        self.calls: list[Any] = []

    def opened(self) -> None:
        self.voice.say("hello", None)

    def receive(self, event: str, data: Any) -> None:
        self.calls.append((event, data))
        if event == "bye":
            self.voice.leave("as asked for")

    def closed(self) -> None:
        self.calls.append("closed")
        self.voice.say("too late", 1)

    def garbage(self) -> Iterator[BadEvent]:
        yield BadEvent('a"b', b'{"half')


def begun() -> tuple[Link, BarePeer, Visit]:
    link, visits = Link(), list[Visit]()

    def enter(voice: Voice) -> Visit:
        visits.append(Visit(voice))
        return visits[-1]

    return link, BarePeer(link, enter), visits[0]


def test_a_client_is_let_in_at_once() -> None:
    link, peer, visit = begun()
    assert link.sent == []
    peer.opened()
    assert link.sent == [b'{"event":"hello","data":null}']
    assert (visit.calls, visit.voice.left) == ([], "")


@pytest.mark.parametrize(
    ("frame", "call"),
    [
        ('{"event":"kline","data":{"a":1}}', ("kline", {"a": 1})),
        (b'{"event":"kline","data":[]}', ("kline", [])),
        ('{"event":"kline"}', ("kline", None)),
        ('{"event":"","data":7,"more":8}', ("", 7)),
    ],
)
def test_an_event_is_handed_over_with_its_data(frame: str | bytes, call: tuple[str, Any]) -> None:
    link, peer, visit = begun()
    peer.receive(frame)
    assert (visit.calls, link.sent, link.finished) == ([call], [], [])


@pytest.mark.parametrize("frame", ["x", "", "[]", '{"event":7}', '{"data":{}}', b'{"event":"\xff"}', "[" * 5_000])
def test_what_is_no_event_is_answered_and_changes_nothing(frame: str | bytes) -> None:
    link, peer, visit = begun()
    peer.receive(frame)
    assert (link.sent, visit.calls, link.finished) == ([WRONG], [], [])


def test_a_client_that_the_venue_leaves_is_told_why_and_not_heard_any_more() -> None:
    link, peer, visit = begun()
    peer.receive('{"event":"bye"}')
    assert link.finished == [(1008, "as asked for")]
    peer.receive('{"event":"kline"}')
    peer.receive("x")
    assert (visit.calls, link.sent, link.finished) == ([("bye", None)], [], [(1008, "as asked for")])


def test_after_its_end_nothing_is_sent() -> None:
    link, peer, visit = begun()
    visit.voice.show("one", "state", lambda: [1])
    peer.closed()
    assert (visit.calls, link.sent) == (["closed"], [])
    assert link.shown["one"]() == b"", "what was announced before"
    visit.voice.show("two", "state", lambda: [2])
    assert [*link.shown] == ["one"]


def test_a_state_is_produced_when_it_is_its_turn_and_only_if_there_is_one() -> None:
    link, _, visit = begun()
    states: list[Any] = [{"a": 1}, None, 0, []]
    visit.voice.show("key", "state", lambda: states.pop(0))
    assert len(states) == 4
    assert [link.shown["key"]() for _ in range(4)] == [
        *(b'{"event":"state","data":{"a":1}}', b"", b'{"event":"state","data":0}', b'{"event":"state","data":[]}'),
    ]


def test_plain_frames_have_no_goodbye_and_no_numbers_but_garbage() -> None:
    link, peer, visit = begun()
    peer.gap()
    assert [peer.farewell(reconnect=one) for one in (True, False)] == [b"", b""]
    assert [*islice(peer.garbage(), 99)] == [
        *(b'{"event":"kline"', b'{"event":7,"data":{}}', b'{"data":{}}', b"[]"),
        b'{"event":"a\\"b","data":{"half}',
    ]
    assert (link.sent, visit.calls) == ([], [])
