"""A small session on `venues.protocols.socketio.SocketIo`, driven without a socket: the contract holds for Socket.IO.

It reads events as JayX's and NBT's sessions will. What the servers say are the samples of `venues.protocols.socketio`:
OPEN_2 is Socket.IO 2's; OPEN_3 has no `maxPayload` either but is of the newer generation, as 3.1.2's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from venues.protocols import socketio
from venues.protocols.socketio import (
    Acknowledged,
    BadPacket,
    Broken,
    Connected,
    ConnectRefused,
    Disconnected,
    Event,
    SocketIo,
)
from venues.records import Message
from venues.venue import BadFrame, Dial, Item, Lost, Now, Out, Refused, Session, StreamState

if TYPE_CHECKING:
    from collections.abc import Generator

    from venues.venue import Command, HttpRequest, HttpResponse

OPEN_2 = '0{"sid":"a","upgrades":[],"pingInterval":25000,"pingTimeout":5000}'
OPEN_3 = '0{"sid":"a","upgrades":[],"pingInterval":25000,"pingTimeout":20000}'
OPEN_4 = '0{"sid":"a","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}'
LIVE = StreamState("feed", "live")
SIGNAL = '42["buy_signal",{"pair":"GXSUSDT"}]'


class EventSession:
    """Every event is a `Message` record."""

    def __init__(self, known: socketio.Lesson | None = None) -> None:
        self.link = SocketIo(known)
        self._left = False

    def opening(self) -> Generator[HttpRequest, HttpResponse, Dial]:
        yield from ()
        url = f"wss://hub.example/socket.io/?{socketio.QUERY}"
        return Dial(f"{url}&key=k", url)

    def opened(self, now: Now) -> list[Item]:
        self.link.opened(now)
        return []

    def receive(self, frame: bytes, now: Now) -> list[Item]:
        return [self._item(happening, now) for happening in self.link.receive(frame, now)]

    def pong(self, now: Now) -> list[Item]:
        return []

    def deadline(self) -> float | None:
        return self.link.deadline()

    def tick(self, now: Now) -> list[Item]:
        return [self._item(happening, now) for happening in self.link.tick(now)]

    def send(self, command: Command) -> None:
        raise AssertionError("nothing is sent here")

    def leave(self, now: Now) -> None:
        self.link.leave()
        self._left = True

    def done(self) -> bool:
        return self._left

    def closed(self, code: int | None, reason: str, now: Now) -> list[Item]:
        return [Lost(f"closed ({code})")]

    def take(self) -> list[Out]:
        return list(self.link.take())

    def _item(self, happening: socketio.Happening, now: Now) -> Item:
        match happening:
            case Connected():
                return LIVE
            case Event():
                data = msgspec.json.decode(happening.arguments[0])
                return Message(venue="test", received=now.epoch_ms, topic=happening.name, data=data)
            case ConnectRefused():
                return Refused(happening.message)
            case Disconnected():
                return Lost("put out by the server", retry=False)
            case Broken():
                return Lost(happening.reason, retry=happening.retry)
            case BadPacket():
                return BadFrame(happening.reason)
            case Acknowledged():
                raise AssertionError("nothing was asked")


def at(seconds: float) -> Now:
    return Now(1000.0 + seconds, 1_700_000_000_000 + int(seconds * 1000))


def signal(seconds: float) -> Message:
    return Message(venue="test", received=at(seconds).epoch_ms, topic="buy_signal", data={"pair": "GXSUSDT"})


def opened(known: socketio.Lesson | None = None) -> Session:
    session: Session = EventSession(known)  # the annotation lets mypy compare it with the contract
    assert session.opened(at(0)) == []
    assert session.take() == []  # the server speaks first
    return session


def feed(session: Session, seconds: float, *frames: str) -> list[Item]:
    return [item for frame in frames for item in session.receive(frame.encode(), at(seconds))]


def older() -> Session:
    session = opened()
    assert feed(session, 0.1, OPEN_2, "40") == [LIVE]
    assert session.take() == []
    return session


def newer() -> Session:
    session = opened()
    assert feed(session, 0.1, OPEN_4) == []
    assert session.take() == ["40"]
    assert feed(session, 0.2, '40{"sid":"b"}') == [LIVE]
    assert session.take() == []
    return session


def test_a_server_with_maxpayload_is_asked_at_once_and_each_event_comes_once() -> None:
    session = newer()
    assert feed(session, 1, SIGNAL) == [signal(1)]
    assert session.take() == []


def test_an_older_server_is_never_sent_our_40() -> None:
    session = older()
    assert session.tick(at(0.6)) == []
    assert session.tick(at(5)) == []
    assert session.take() == []
    assert feed(session, 6, SIGNAL) == [signal(6)]


def test_half_a_second_is_waited_for_a_40_that_nobody_asked_for() -> None:
    session = opened()
    feed(session, 2, OPEN_3)
    assert session.deadline() == at(2.5).mono
    session.tick(at(2.49))
    assert session.take() == []
    session.tick(at(2.5))
    assert session.take() == ["40"]
    session.tick(at(2.6))
    assert session.take() == []
    assert feed(session, 2.7, '40{"sid":"b"}', SIGNAL) == [LIVE, signal(2.7)]


def test_the_40_of_an_older_server_within_the_half_second_ends_the_wait() -> None:
    session = opened()
    feed(session, 0, OPEN_2)
    assert feed(session, 0.4, "40", SIGNAL) == [LIVE, signal(0.4)]
    assert session.deadline() == at(25).mono


def test_an_older_server_that_is_slow_costs_one_connection() -> None:
    session = EventSession()
    session.opened(at(0))
    feed(session, 0, OPEN_2)
    session.tick(at(0.5))
    assert session.take() == ["40"]
    (lost,) = feed(session, 0.9, "40")
    assert isinstance(lost, Lost)
    assert lost.retry
    assert feed(session, 1, SIGNAL) == []  # it would come twice

    again = opened(known=session.link.learnt)
    feed(again, 0, OPEN_2)
    again.tick(at(5))
    assert again.take() == []
    assert feed(again, 6, "40", SIGNAL) == [LIVE, signal(6)]


def test_refused_by_either_generation() -> None:
    for frames in [(OPEN_2, '44"invalid key"'), (OPEN_4, '44{"message":"invalid key"}')]:
        session = opened()
        assert feed(session, 0.1, *frames) == [Refused("invalid key")]
        assert session.deadline() is None
        assert feed(session, 0.2, "40") == []


def test_a_newer_server_pings_and_we_answer() -> None:
    session = newer()
    assert feed(session, 25, "2") == []
    assert session.take() == ["3"]
    assert session.deadline() == at(25 + 45).mono


def test_a_newer_server_is_never_pinged_and_dead_without_its_ping() -> None:
    session = newer()
    assert session.deadline() == at(0.1 + 45).mono
    feed(session, 40, SIGNAL)  # an event is no ping
    assert session.tick(at(45)) == []
    assert session.take() == []
    (lost,) = session.tick(at(45.1))
    assert isinstance(lost, Lost)
    assert session.deadline() is None


def test_an_older_server_is_pinged_by_us() -> None:
    session = older()
    assert session.deadline() == at(25.1).mono
    session.tick(at(25))
    assert session.take() == []
    session.tick(at(25.1))
    assert session.take() == ["2"]
    assert session.deadline() == at(25.1 + 5).mono
    assert feed(session, 26, "3") == []
    assert session.deadline() == at(25.1 + 25).mono
    assert session.tick(at(31)) == []
    assert session.take() == []


def test_an_older_server_is_dead_when_it_does_not_answer() -> None:
    session = older()
    session.tick(at(25.1))
    feed(session, 30, SIGNAL)  # an event is no answer
    assert session.tick(at(30)) == []
    (lost,) = session.tick(at(30.1))
    assert isinstance(lost, Lost)


def test_a_server_that_never_lets_us_in() -> None:
    silent = opened()
    assert silent.tick(at(0.5)) == []
    assert silent.deadline() == at(10).mono
    assert silent.tick(at(9.9)) == []
    none = "this is no Socket.IO server: expected the open packet within 10 s, got nothing"
    assert silent.tick(at(10)) == [Lost(none, retry=False)]
    speechless = opened()
    feed(speechless, 1, OPEN_4)
    (lost,) = speechless.tick(at(20))
    assert lost == Lost("the Socket.IO server did not let us in (`40`) within 20 s")


def test_events_before_the_40_count() -> None:
    session = opened()
    assert feed(session, 0.1, OPEN_4, SIGNAL, '40{"sid":"b"}', SIGNAL) == [signal(0.1), LIVE, signal(0.1)]


def test_disconnected_by_the_server() -> None:
    assert feed(newer(), 1, "41", SIGNAL) == [Lost("put out by the server", retry=False)]
    assert feed(older(), 1, "1", SIGNAL) == [Lost("the server closed the Engine.IO transport")]


def test_leaving() -> None:
    session = newer()
    assert not session.done()
    session.leave(at(1))
    assert session.take() == ["41"]
    assert session.done()
    assert feed(session, 1.1, SIGNAL) == []


def test_leaving_before_the_namespace_is_ours() -> None:
    session = opened()
    feed(session, 0.1, OPEN_2)
    session.leave(at(0.2))
    session.tick(at(0.7))
    assert session.take() == []


def test_a_bad_frame_costs_only_itself() -> None:
    session = newer()
    items = feed(session, 1, SIGNAL, "nonsense", SIGNAL)
    assert [type(item) for item in items] == [Message, BadFrame, Message]
