"""Candles from the trades of Nexus, by the venue's clock."""

from __future__ import annotations

from typing import Any

from tests.test_clock import HOUR, MINUTE, at
from tests.test_nexus_clock import Market
from venues.records import Candle
from venues.venue import Notice

BEGIN = -(-at(0.0).epoch_ms // MINUTE) * MINUTE  # the next full minute
FIRST = (BEGIN - at(0.0).epoch_ms) / 1000  # seconds until then


def told(items: list[Any]) -> list[tuple[int, bool, bool]]:
    """Which minute, whether closed, whether complete."""
    candles = [item for item in items if isinstance(item, Candle)]
    return [((candle.start - BEGIN) // MINUTE, candle.closed, candle.complete) for candle in candles]


def test_the_time_of_a_book_closes_a_candle_whether_books_are_asked_for_or_not() -> None:
    for streams in (("candles",), ("candles", "book")):
        market = Market(*streams)
        market.book(FIRST - 1, 0)
        assert told(market.trade(FIRST + 1, 0)) == [(0, False, True)]
        assert told(market.book(FIRST + 59.9, 0, 2)) == []
        assert told(market.book(FIRST + 60, 0, 3)) == [(0, True, True)]


def test_a_stamp_of_an_hour_ahead_closes_no_candle_be_it_of_a_trade_or_a_book() -> None:
    market = Market("candles", "trades")
    market.book(FIRST - 1, 0)
    market.trade(FIRST + 1, 0)
    assert told(market.book(FIRST + 2, HOUR)) == []
    assert told(market.trade(FIRST + 3, HOUR)) == [(0, False, False)], "what it belongs to is not known"
    assert told(market.trade(FIRST + 4, 0)) == [(0, False, False)]
    assert told(market.trade(FIRST + 61, 0)) == [(0, True, False), (1, False, True)]
    assert [candle.time for candle in market.of(Candle)][1:2] == [None], "no age comes from it"


def test_a_stamp_of_an_hour_ahead_as_the_first_one() -> None:
    market = Market("candles")
    assert told(market.trade(FIRST + 1, HOUR)) == []
    assert told(market.trade(FIRST + 2, 0)) == [(0, False, False)]


def test_the_clock_closes_a_candle_of_a_quiet_market() -> None:
    market = Market("candles")
    market.trade(FIRST + 1, -20)
    due = market.driver.deadline()
    assert due is not None
    seconds = due - at(0.0).mono
    assert FIRST + 60 < seconds < FIRST + 62
    assert told(market.driver.tick(at(seconds))) == [(0, True, False)]  # type: ignore[arg-type]
    assert market.driver.deadline() is None


def test_a_bad_frame_or_an_interruption_costs_what_is_open_and_only_that() -> None:
    market = Market("candles")
    market.book(FIRST - 1, 0)
    market.trade(FIRST + 1, 0)
    market.driver.receive(b'{"event": "TRADE"}', at(FIRST + 61))
    assert told(market.trade(FIRST + 62, -5_000)) == [(0, True, False)]
    assert told(market.trade(FIRST + 63, 0)) == [(1, False, False)], "the bad one may be of either"
    market.driver.closed(None, "", at(FIRST + 100))
    market.connect(FIRST + 125)
    assert told(market.trade(FIRST + 126, -10_000)) == [(1, True, False)]
    assert told(market.trade(FIRST + 130, 0)) == [(2, False, False)], "a late first one proves nothing"
    assert told(market.trade(FIRST + 180, 0)) == [(2, True, False), (3, False, True)]


def test_a_trade_that_came_too_late_for_its_candle_is_said_once() -> None:
    market = Market("candles")
    for minute in range(501):
        market.trade(FIRST + 60 * minute, 0)
    late = [market.trade(FIRST + 60 * 500 + 1, -500 * MINUTE - 500), market.trade(FIRST + 60 * 500 + 2, -500 * MINUTE)]
    assert [told(items) for items in late] == [[], []]
    assert ["too late for its candle" in notice.text for notice in market.of(Notice)] == [True]
    assert told(market.trade(FIRST + 60 * 500 + 3, -499 * MINUTE)) == [(1, True, True)]
