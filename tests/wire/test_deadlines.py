"""When the protocols ping, give a server up, and end their waits: a moment before each deadline and at it."""

from __future__ import annotations

import pytest

from venues.protocols import signalr, socketio
from venues.protocols.signalr import Hub, Ready
from venues.protocols.socketio import Connected, SocketIo
from venues.venue import Now

PING = '{"type": 6}\x1e'
OPEN_2 = b'0{"sid":"a","upgrades":[],"pingInterval":25000,"pingTimeout":5000}'
OPEN_3 = b'0{"sid":"a","upgrades":[],"pingInterval":25000,"pingTimeout":20000}'
OPEN_4 = b'0{"sid":"a","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}'


def at(mono: float, arriving: float | None = None) -> Now:
    return Now(mono, 0, None, arriving)


# --- SignalR -------------------------------------------------------------------------------------------------------


def hub_of(*, ready_at: float | None = 100.0) -> Hub:
    """Opened at 100."""
    hub = Hub()
    hub.opened(at(100))
    if ready_at is not None:
        assert hub.receive(b"{}\x1e", at(ready_at)) == [Ready()]
    hub.take()
    return hub


def test_a_hub_that_is_not_open_yet_can_be_asked_when_it_is_due() -> None:
    assert Hub().deadline() == 15


def test_before_the_handshake_a_hub_waits_fifteen_seconds() -> None:
    hub = hub_of(ready_at=None)
    assert hub.deadline() == 115
    assert (hub.tick(at(114.9)), hub.deadline(), hub.take()) == ([], 115, [])
    assert hub.tick(at(115)) == [signalr.Broken("no answer to the handshake within 15 s")]
    assert (hub.deadline(), hub.tick(at(200)), hub.receive(b"{}\x1e", at(200))) == (None, [], [])


@pytest.mark.parametrize(("heard", "arriving", "due"), [(99.0, None, 115), (110.0, None, 125), (None, 112.0, 127)])
def test_bytes_put_the_end_of_that_wait_off(heard: float | None, arriving: float | None, due: float) -> None:
    hub = hub_of(ready_at=None)
    if heard is not None:
        assert hub.receive(b"{", at(heard)) == []
    assert hub.tick(at(114, arriving)) == []
    assert hub.deadline() == due
    assert hub.tick(at(due - 0.1)) == []
    assert hub.tick(at(due)) == [signalr.Broken("no answer to the handshake within 15 s")]


def test_a_hub_pings_after_fifteen_seconds_of_its_own_silence() -> None:
    hub = hub_of(ready_at=105.0)
    assert hub.deadline() == 115
    assert (hub.tick(at(114.9)), hub.take()) == ([], [])
    assert (hub.tick(at(115)), hub.take(), hub.deadline()) == ([], [PING], 130)
    hub.receive(b'{"type":6}\x1e', at(116))
    hub.stream("Book", [])
    assert (len(hub.take()), hub.deadline()) == (1, 131), "whatever we send counts"
    assert (hub.tick(at(131)), hub.take(), hub.deadline()) == ([], [PING], 146)
    assert hub.tick(at(145.9)) == []
    assert hub.tick(at(146)) == [signalr.Broken("nothing came from the server for 30 s")]
    assert (hub.take(), hub.deadline()) == ([], None)


@pytest.mark.parametrize(("arriving", "due"), [(None, 130.0), (99.0, 130.0), (120.0, 150.0)])
def test_a_server_is_given_up_after_thirty_seconds_without_a_byte(arriving: float | None, due: float) -> None:
    hub = hub_of()
    hub.tick(at(125, arriving))
    assert hub.tick(at(due - 0.1)) == []
    assert hub.tick(at(due)) == [signalr.Broken("nothing came from the server for 30 s")]


def test_the_wait_for_what_was_cancelled_ends_after_two_seconds() -> None:
    hub = hub_of()
    for _ in range(2):
        hub.stream("Book", [])
    hub.take()
    assert not hub.done()
    hub.leave(at(110))
    assert [text.count('"type": 5') for text in hub.take()] == [1, 1]
    assert (hub.done(), hub.deadline()) == (False, 112)
    assert (hub.tick(at(111.9)), hub.done()) == ([], False)
    assert (hub.tick(at(112)), hub.done(), hub.take()) == ([], True, [])
    assert hub.deadline() == 125, "what is left is the ping"


def test_both_completions_end_that_wait_earlier() -> None:
    hub = hub_of()
    ids = [hub.stream("Book", []) for _ in range(2)]
    hub.leave(at(110))
    for number, invocation in enumerate(ids):
        assert not hub.done()
        assert hub.receive(b'{"type":3,"invocationId":"%s"}\x1e' % invocation.encode(), at(110.1 + number)) == []
    assert hub.done()


def test_a_hub_without_streams_leaves_at_once_and_a_closed_one_too() -> None:
    hub = hub_of()
    hub.leave(at(110))
    assert hub.done()
    hub = hub_of()
    hub.stream("Book", [])
    hub.leave(at(110))
    assert hub.receive(b'{"type":7}\x1e', at(110.5)) == [signalr.HubClosed(None, allow_reconnect=False)]
    assert hub.done()


# --- Socket.IO -----------------------------------------------------------------------------------------------------


def link_of(*frames: bytes, known: socketio.Lesson | None = None) -> SocketIo:
    """Opened at 100; the frames come then."""
    link = SocketIo(known)
    link.opened(at(100))
    for frame in frames:
        link.receive(frame, at(100))
    link.take()
    return link


def test_a_silent_server_is_tried_for_an_echo_and_given_up_after_ten_seconds() -> None:
    link = link_of()
    assert link.deadline() == 100.5
    assert (link.tick(at(100.4)), link.take()) == ([], [])
    assert (link.tick(at(100.5)), link.take(), link.deadline()) == ([], ["6"], 110)
    assert (link.tick(at(109.9)), link.take()) == ([], [])
    (broken,) = link.tick(at(110))
    assert broken == socketio.Broken(
        "this is no Socket.IO server: expected the open packet within 10 s, got nothing", retry=False
    )
    assert (link.deadline(), link.tick(at(120)), link.receive(OPEN_4, at(120))) == (None, [], [])


@pytest.mark.parametrize("known", [3, 4, "either"])
def test_one_that_was_met_before_is_not_tried_and_may_come_back(known: socketio.Lesson) -> None:
    link = link_of(known=known)
    assert (link.deadline(), link.tick(at(105)), link.take()) == (110, [], [])
    (broken,) = link.tick(at(110))
    assert isinstance(broken, socketio.Broken)
    assert broken.retry


@pytest.mark.parametrize("opened", [OPEN_3, OPEN_4])
def test_the_namespace_is_waited_for_twenty_seconds(opened: bytes) -> None:
    link = link_of(opened)
    link.tick(at(100.5))
    assert link.tick(at(119.9)) == []
    assert link.tick(at(120)) == [
        socketio.Broken("the Socket.IO server did not let us in (`40`) within 20 s", retry=True)
    ]


def test_an_older_server_has_half_a_second_before_it_is_asked() -> None:
    link = link_of(OPEN_3)
    assert link.deadline() == 100.5
    assert (link.tick(at(100.4)), link.take()) == ([], [])
    assert (link.tick(at(100.5)), link.take(), link.deadline()) == ([], ["40"], 120)
    assert (link.tick(at(100.6)), link.take()) == ([], []), "once"


@pytest.mark.parametrize(("pinged", "due"), [(None, 145.0), (120.0, 165.0)])
def test_a_newer_server_pings_within_its_interval_and_its_timeout(pinged: float | None, due: float) -> None:
    link = link_of(OPEN_4, b'40{"sid":"b"}')
    assert link.deadline() == 145
    if pinged is not None:
        assert link.receive(b"2", at(pinged)) == []
        assert link.take() == ["3"]
    assert link.deadline() == due
    assert link.tick(at(due - 0.1)) == []
    assert link.tick(at(due)) == [
        socketio.Broken("no ping from the server within its pingInterval and pingTimeout", retry=True)
    ]


def test_an_older_server_is_pinged_each_interval_and_answers_within_its_timeout() -> None:
    link = link_of()
    link.receive(OPEN_2, at(101))
    assert link.receive(b"40", at(101)) == [Connected(3)]
    assert link.deadline() == 126
    assert (link.tick(at(125.9)), link.take()) == ([], [])
    assert (link.tick(at(126)), link.take(), link.deadline()) == ([], ["2"], 131)
    assert link.receive(b"3", at(127)) == []
    assert link.deadline() == 151
    assert (link.tick(at(151)), link.take()) == ([], ["2"])
    assert (link.tick(at(155.9)), link.take()) == ([], [])
    assert link.tick(at(156)) == [socketio.Broken("no answer to our ping within the server's pingTimeout", retry=True)]


@pytest.mark.parametrize(
    ("came", "arriving", "due"), [(None, 146.0, 166.0), (125.0, 146.0, 166.0), (126.0, 146.0, 145.0)]
)
def test_a_message_that_is_arriving_puts_a_ping_off_unless_whole_ones_came(
    came: float | None, arriving: float, due: float
) -> None:
    link = link_of(OPEN_4, b'40{"sid":"b"}')
    if came is not None:
        link.receive(b'42["x"]', at(came))
    assert bool(link.tick(at(146, arriving))) is (due == 145)
    if due > 145:
        assert link.deadline() == due
        assert link.tick(at(due - 0.1)) == []
        assert len(link.tick(at(due))) == 1


def test_leaving_says_so_once_it_was_let_in() -> None:
    link = link_of(OPEN_4, b'40{"sid":"b"}')
    link.leave()
    assert (link.take(), link.deadline(), link.receive(b"2", at(101)), link.take()) == (["41"], None, [], [])
    link = link_of(OPEN_4)
    link.leave()
    assert (link.take(), link.deadline()) == ([], None)
