"""Round trips of pings whose answers come in order, second by second."""

from __future__ import annotations

import pytest

from venues.protocols.pings import SocketPings
from venues.records import Pong
from venues.venue import Now, SocketPing, StreamState

STALE = StreamState("ping", "stale", "no answer to a WebSocket ping for 5 s")
LIVE = StreamState("ping", "live")


def at(mono: float) -> Now:
    return Now(mono, round(mono * 1000))


def pong(mono: float, milliseconds: float, time: int | None = None) -> Pong:
    return Pong(venue="v", env="test", time=time, received=round(mono * 1000), round_trip_ms=milliseconds)


def begun() -> SocketPings:
    pings = SocketPings("v", "test")
    assert pings.begin(at(10)) == [LIVE]
    assert pings.take() == [SocketPing()]
    return pings


def test_before_it_begins_nothing_is_due() -> None:
    pings = SocketPings("v", "test")
    assert (pings.due, pings.tick(at(10)), pings.take(), pings.pong(at(10))) == (None, [], [], [])


@pytest.mark.parametrize(("moment", "sent"), [(10.9, 0), (11.0, 1), (12.5, 1)])
def test_a_ping_a_second(moment: float, sent: int) -> None:
    pings = begun()
    assert pings.due == 11
    assert pings.tick(at(moment)) == []
    assert (pings.take(), pings.take()) == ([SocketPing()] * sent, [])
    assert pings.due == (moment + 1 if sent else 11)


def test_each_answer_is_to_the_oldest_ping() -> None:
    pings = begun()
    pings.tick(at(11))
    assert pings.pong(at(11.5)) == [pong(11.5, 1500.0)]
    assert pings.pong(at(11.5002504), 7) == [pong(11.5002504, 500.25, 7)], "to the microsecond"
    assert pings.pong(at(12)) == [], "an answer to nothing"


@pytest.mark.parametrize(("seconds", "milliseconds"), [(0.0001234, 0.123), (0.0001236, 0.124), (1.2345678, 1234.568)])
def test_a_round_trip_is_told_to_the_microsecond(seconds: float, milliseconds: float) -> None:
    assert begun().pong(at(10 + seconds)) == [pong(10 + seconds, milliseconds)]


def test_after_five_seconds_without_an_answer_it_is_stale_once_and_waits_for_it() -> None:
    pings = begun()
    for second in (11, 12, 13, 14):
        assert pings.tick(at(second)) == []
    assert pings.take() == [SocketPing()] * 4
    assert pings.tick(at(15)) == [STALE]
    assert (pings.tick(at(15.5)), pings.due) == ([], 16)
    assert (pings.tick(at(16)), pings.due) == ([], 17)
    assert pings.take() == [], "another would only wait behind it"
    assert pings.pong(at(16.5)) == [LIVE, pong(16.5, 6500.0)]
    assert pings.pong(at(16.5)) == [pong(16.5, 5500.0)]
    assert pings.tick(at(17)) == [STALE], "the next one, of 12 s, is five seconds old too"


def test_an_answer_just_in_time_is_not_late() -> None:
    pings = begun()
    pings.due = 14.9
    assert pings.tick(at(14.9)) == []
    assert pings.take() == [SocketPing()]


def test_once_stopped_nothing_is_sent() -> None:
    pings = begun()
    pings.stop()
    assert (pings.due, pings.tick(at(20)), pings.take()) == (None, [], [])


def test_pings_of_a_venue_s_own() -> None:
    pings = SocketPings("v", None, lambda now: f"ping {now.epoch_ms}", what="a ping")
    pings.begin(at(1))
    assert pings.take() == ["ping 1000"]
    assert pings.tick(at(6)) == [StreamState("ping", "stale", "no answer to a ping for 5 s")]
