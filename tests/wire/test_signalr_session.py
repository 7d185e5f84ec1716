"""A small session on `venues.protocols.signalr.Hub`, driven without a socket: the contract holds for SignalR.

The session watches one stream whose items count up (`{"version":7,"snapshot":true}`); a gap makes it subscribe anew on
the same connection, as B2TRADER's book will.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from venues.protocols import signalr
from venues.protocols.signalr import (
    Broken,
    HandshakeFailed,
    Hub,
    HubClosed,
    Invocation,
    ProtocolError,
    Ready,
    StreamEnd,
)
from venues.records import Message
from venues.venue import BadFrame, Dial, Item, Lost, Now, Out, Session, StreamState

if TYPE_CHECKING:
    from collections.abc import Generator

    from venues.venue import Command, HttpRequest, HttpResponse


class Row(Struct):
    version: int
    snapshot: bool = False


class CountingSession:
    """Subscribes to `Book`; every item is a `Message` record with its version."""

    def __init__(self) -> None:
        self._hub = Hub()
        self._invocation = ""
        self._version: int | None = None

    def opening(self) -> Generator[HttpRequest, HttpResponse, Dial]:
        yield from ()
        return Dial("wss://broker.example/marketdata/v5/info?access_token=t", "wss://broker.example/marketdata/v5/info")

    def opened(self, now: Now) -> list[Item]:
        self._hub.opened(now)
        return []

    def receive(self, frame: bytes, now: Now) -> list[Item]:
        return self._items(self._hub.receive(frame, now), now)

    def pong(self, now: Now) -> list[Item]:
        return []

    def deadline(self) -> float | None:
        return self._hub.deadline()

    def tick(self, now: Now) -> list[Item]:
        return self._items(self._hub.tick(now), now)

    def send(self, command: Command) -> None:
        raise AssertionError("nothing can be sent here")

    def leave(self, now: Now) -> None:
        self._hub.leave(now)

    def done(self) -> bool:
        return self._hub.done()

    def closed(self, code: int | None, reason: str, now: Now) -> list[Item]:
        return [Lost(f"closed ({code})")]

    def take(self) -> list[Out]:
        return list(self._hub.take())

    def _items(self, happenings: list[signalr.Happening], now: Now) -> list[Item]:
        items: list[Item] = []
        for happening in happenings:
            match happening:
                case Ready():
                    self._subscribe()
                    items.append(StreamState("feed", "syncing"))
                case signalr.StreamItem():
                    if happening.invocation_id == self._invocation:
                        items += self._row(happening.item, now)
                case StreamEnd():
                    items.append(Lost(happening.error or "the venue ended the stream"))
                case ProtocolError():
                    items.append(BadFrame(happening.reason))
                case HandshakeFailed() | Broken():
                    items.append(Lost(happening.reason))
                case HubClosed():
                    items.append(Lost(happening.error or "closed by the venue", retry=happening.allow_reconnect))
                case Invocation():
                    pass
        return items

    def _row(self, item: msgspec.Raw, now: Now) -> list[Item]:
        row = msgspec.json.decode(item, type=Row)
        record = Message(venue="test", received=now.epoch_ms, topic="book", data=row.version)
        if row.snapshot:
            self._version = row.version
            return [record, StreamState("feed", "live")]
        if self._version is None:
            return []
        if row.version != self._version + 1:
            self._version = None
            self._hub.cancel(self._invocation)
            self._subscribe()
            return [StreamState("feed", "stale", f"expected version {row.version - 1} or less")]
        self._version = row.version
        return [record]

    def _subscribe(self) -> None:
        self._invocation = self._hub.stream("Book", ["cfd.eur_chf"])


def at(seconds: float) -> Now:
    return Now(1000.0 + seconds, 1_700_000_000_000 + int(seconds * 1000))


def frame(*messages: object) -> bytes:
    return b"".join(msgspec.json.encode(message) + b"\x1e" for message in messages)


def item(invocation_id: str, version: int, *, snapshot: bool = False) -> dict[str, object]:
    return {"type": 2, "invocationId": invocation_id, "item": {"version": version, "snapshot": snapshot}}


def sent(session: Session) -> list[object]:
    """What the session wants sent, decoded; each is one message."""
    messages = []
    for out in session.take():
        assert isinstance(out, str)
        assert out.count("\x1e") == 1
        assert out.endswith("\x1e")
        messages.append(msgspec.json.decode(out[:-1]))
    return messages


def subscription(invocation_id: str) -> dict[str, object]:
    return {
        "type": 4,
        "headers": {},
        "target": "Book",
        "arguments": ["cfd.eur_chf"],
        "invocationId": invocation_id,
        "streamIds": [],
    }


def cancellation(invocation_id: str) -> dict[str, object]:
    return {"type": 5, "headers": {}, "invocationId": invocation_id}


def versions(items: list[Item]) -> list[object]:
    return [one.data if isinstance(one, Message) else one for one in items]


def open_session() -> Session:
    session: Session = CountingSession()  # the annotation lets mypy compare it with the contract
    assert session.opened(at(0)) == []
    assert sent(session) == [{"protocol": "json", "version": 1}]
    return session


def live_session() -> Session:
    session = open_session()
    session.receive(frame({}, item("0", 5, snapshot=True)), at(0.1))
    session.receive(frame(item("0", 5, snapshot=True)), at(0.2))
    assert sent(session) == [subscription("0")]
    return session


def test_handshake_then_subscription_then_items() -> None:
    session = open_session()
    assert session.deadline() == at(15).mono
    assert session.receive(frame({}), at(0.1)) == [StreamState("feed", "syncing")]
    assert sent(session) == [subscription("0")]
    items = session.receive(frame(item("0", 7, snapshot=True), {"type": 6}, item("0", 8)), at(0.2))
    assert versions(items) == [7, StreamState("feed", "live"), 8]


def test_a_gap_subscribes_anew_on_the_same_connection() -> None:
    session = live_session()
    gap = frame(item("0", 6), item("0", 9), item("0", 10), item("1", 99))
    assert versions(session.receive(gap, at(1))) == [6, StreamState("feed", "stale", "expected version 8 or less")]
    assert sent(session) == [cancellation("0"), subscription("1")]
    # What is still under way of the old stream is dropped, its completion too.
    assert session.receive(frame(item("0", 11, snapshot=True), {"type": 3, "invocationId": "0"}), at(1.1)) == []
    items = session.receive(frame(item("1", 11, snapshot=True), item("1", 12)), at(1.2))
    assert versions(items) == [11, StreamState("feed", "live"), 12]


def test_leaving_cancels_and_waits_for_the_completion() -> None:
    session = live_session()
    assert not session.done()
    session.leave(at(3))
    assert sent(session) == [cancellation("0")]
    assert not session.done()
    assert session.receive(frame(item("0", 6)), at(3.1)) == []
    assert not session.done()
    assert session.receive(frame({"type": 3, "invocationId": "0"}), at(3.2)) == []
    assert session.done()


def test_leaving_waits_two_seconds_at_most() -> None:
    session = live_session()
    session.leave(at(3))
    assert session.deadline() == at(5).mono
    assert session.tick(at(4.9)) == []
    assert not session.done()
    assert session.tick(at(5)) == []
    assert session.done()
    assert session.deadline() != at(5).mono  # else its driver would spin


def test_leaving_before_the_handshake_is_answered_awaits_nothing() -> None:
    session = open_session()
    session.leave(at(1))
    assert session.done()
    assert session.take() == []


def test_a_refused_handshake() -> None:
    session = open_session()
    error = "Requested protocol 'json' is not available."
    assert session.receive(frame({"error": error}), at(0.1)) == [Lost(error)]
    assert session.take() == []
    assert session.deadline() is None


def test_an_unanswered_handshake() -> None:
    session = open_session()
    assert session.tick(at(14.9)) == []
    assert session.tick(at(15)) == [Lost("no answer to the handshake within 15 s")]


def test_a_silent_server() -> None:
    session = live_session()
    session.receive(frame({"type": 6}), at(20))
    assert session.tick(at(49.9)) == []
    assert session.tick(at(50)) == [Lost("nothing came from the server for 30 s")]
    assert session.deadline() is None


def test_we_ping_after_our_own_silence() -> None:
    session = live_session()  # subscribed at 0.1
    assert session.deadline() == at(15.1).mono
    session.tick(at(15))
    assert session.take() == []
    session.tick(at(15.1))
    assert sent(session) == [{"type": 6}]
    session.receive(frame({"type": 6}), at(16))
    assert session.deadline() == at(30.1).mono


def test_a_close_is_final_unless_the_venue_says_otherwise() -> None:
    cases: list[tuple[dict[str, object], Lost]] = [
        ({"type": 7}, Lost("closed by the venue", retry=False)),
        ({"type": 7, "error": "gone", "allowReconnect": False}, Lost("gone", retry=False)),
        ({"type": 7, "error": "restart", "allowReconnect": True}, Lost("restart", retry=True)),
    ]
    for message, lost in cases:
        session = live_session()
        items = session.receive(frame(item("0", 6), message, item("0", 7)), at(1))
        assert versions(items) == [6, lost]
        assert session.receive(frame(item("0", 7)), at(2)) == []


def test_an_ended_stream() -> None:
    session = live_session()
    failed = {"type": 3, "invocationId": "0", "error": "An error occurred on the server while streaming results."}
    items = session.receive(frame(item("0", 6), failed), at(1))
    assert versions(items) == [6, Lost("An error occurred on the server while streaming results.")]


def test_a_bad_message_costs_only_itself() -> None:
    session = live_session()
    items = session.receive(frame(item("0", 6)) + b"nonsense\x1e" + frame(item("0", 7)), at(1))
    assert [type(one) for one in items] == [Message, BadFrame, Message]
