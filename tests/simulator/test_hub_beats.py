"""What a hub does by its clock, and how much of what waits it sends together: each at both sides of its bound."""

from __future__ import annotations

import json
from typing import Any

import pytest

from venues.simulator import hub
from venues.simulator.hub import HubPeer

from .test_hub import HANDSHAKE, Link, Talker

PING = {"type": 6}


@pytest.mark.parametrize(("seconds", "items"), [(14.99, []), (15.0, [PING])])
def test_a_hub_that_has_nothing_to_say_pings(seconds: float, items: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    talker = Talker(monkeypatch)
    talker.now = seconds
    talker.link.beat()
    assert talker.items() == items


def test_what_it_sends_is_a_ping_too(monkeypatch: pytest.MonkeyPatch) -> None:
    talker = Talker(monkeypatch)
    talker.now = 5.0
    talker.emit(b"1")
    assert talker.items() == [1]
    for seconds, items in ((19.99, []), (20.0, [PING]), (34.99, []), (35.0, [PING])):
        talker.now = seconds
        talker.peer.receive('{"type":6}\x1e')
        talker.link.beat()
        assert talker.items() == items, seconds


@pytest.mark.parametrize(("seconds", "is_lost"), [(29.99, False), (30.0, True)])
def test_a_client_that_is_silent_for_30_seconds_is_told_to_come_again(
    seconds: float, is_lost: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    talker = Talker(monkeypatch)
    talker.now = 7.0
    talker.peer.receive('{"type":6}\x1e')
    talker.now = 7.0 + seconds
    talker.link.beat()
    (item,) = talker.items()
    assert item.get("allowReconnect") is (True if is_lost else None)
    assert talker.link.finished == [1000] * is_lost
    talker.now = 999.0
    talker.link.beat()
    assert len(talker.items()) == (0 if is_lost else 1), "nothing more comes of one that has ended"


@pytest.mark.parametrize(("seconds", "is_lost"), [(14.99, False), (15.0, True)])
def test_a_handshake_has_15_seconds(seconds: float, is_lost: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 3.0
    monkeypatch.setattr(hub, "monotonic", lambda: now)
    link = Link()
    peer = HubPeer(link, {}, lambda: None)
    peer.opened()
    now += seconds
    link.beat()
    assert link.sent == ([b'{"error":"Handshake was canceled."}\x1e'] if is_lost else [])
    assert link.finished == [1000] * is_lost
    if not is_lost:
        peer.receive(HANDSHAKE)
        assert link.sent == [b"{}\x1e"]


@pytest.mark.parametrize(("more", "frames"), [(0, [2]), (1, [1, 1])])
def test_messages_share_a_frame_of_128_kib(more: int, frames: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    talker = Talker(monkeypatch)
    talker.emit(b"1")
    talker.link.flush()
    frame = len(talker.link.sent.pop()) - 1  # of a message around its item
    half = 64 * 1024 - frame
    for size in (half, half + more):
        talker.emit(b"7" * size)
    talker.link.flush()
    assert [sent.count(b"\x1e") for sent in talker.link.sent] == frames


@pytest.mark.parametrize(
    ("sizes", "frames"), [((60, 60, 60), [2, 1]), ((100, 1, 100), [2, 1]), ((1, 200, 1), [1, 1, 1]), ((1, 1, 100), [3])]
)
def test_each_frame_has_as_many_messages_as_it_has_room_for(
    sizes: tuple[int, ...], frames: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    talker = Talker(monkeypatch)
    for kilobytes in sizes:
        talker.emit(b"7" * (kilobytes * 1024))
    for _ in frames:
        talker.link.flush()
    assert [sent.count(b"\x1e") for sent in talker.link.sent] == frames


@pytest.mark.parametrize(("count", "finished"), [(10, []), (11, [1000])])
def test_as_many_messages_may_wait_as_are_allowed(
    count: int, finished: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "MOST_WAITING", 10)
    talker = Talker(monkeypatch)
    for _ in range(count):
        talker.emit(b"1")
    assert talker.link.finished == finished
    said = [json.loads(text) for text in b"".join(talker.link.sent).split(b"\x1e") if text]
    error = "Connection closed with an error. reader too slow: more than 10 messages are waiting"
    assert said == ([{"type": 7, "error": error}] if finished else []), "what waits is not said any more"
