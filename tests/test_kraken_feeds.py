"""Kraken's candles by themselves: what is shown once more."""

from __future__ import annotations

from tests.test_kraken import START, Line, ack, candles, shown_candles, status
from venues.kraken import KRAKEN
from venues.venue import Now, Settings, Subscription


def test_a_candle_that_the_clock_has_closed_is_closed_when_it_comes_once_more() -> None:
    line = Line(Subscription("candles", ("BTC/USD",)))  # it is 14:30:00
    line.receive(ack("ohlc", "BTC/USD", interval=1), candles((2, "3.0"), kind="snapshot", sent=120.5))
    assert shown_candles(line.receive(status("maintenance"), status("online"))) == [(2, "3.0", False)]
    assert shown_candles(line.pass_by(62)) == [(2, "3.0", True)]
    assert shown_candles(line.receive(status("maintenance"), status("online"))) == [(2, "3.0", True)]


def test_how_a_candle_ended_that_was_cut_off_is_not_said() -> None:
    line = Line(Subscription("candles", ("BTC/USD",)))
    line.receive(ack("ohlc", "BTC/USD", interval=1), candles((2, "3.0"), kind="snapshot", sent=120.5))
    assert shown_candles(line.receive(candles((2, "3.5"), sent=121))) == [(2, "3.5", False)]
    line.reconnect()
    line.receive(ack("ohlc", "BTC/USD", interval=1))
    assert shown_candles(line.receive(candles((4, "5.0"), sent=245))) == [(4, "5.0", False)]
    assert shown_candles(line.receive(candles((5, "6.0"), sent=301))) == [(4, "5.0", True), (5, "6.0", False)]


def test_of_one_that_is_left_no_candle_ends() -> None:
    (route,) = KRAKEN.routes([Subscription("candles", ("BTC/USD",))], Settings(url="ws://a"))
    session = route.session({})
    began = START + 1_000_000 + 120_500
    session.opened(Now(0.0, began))
    session.receive(ack("ohlc", "BTC/USD", interval=1).encode(), Now(0.1, began))
    items = session.receive(candles((2, "3.0"), kind="snapshot", sent=120.5).encode(), Now(0.2, began))
    assert shown_candles(items) == [(2, "3.0", False)]
    session.leave(Now(1.0, began + 1_000))
    session.receive(b'{"channel":"heartbeat"}', Now(90.0, began + 90_000))
    assert shown_candles(session.tick(Now(91.0, began + 91_000))) == []
