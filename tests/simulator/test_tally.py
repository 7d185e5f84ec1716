"""Candles and the last 24 hours, against a plain reading of all trades."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from venues.simulator.market_events import Stage, Trade
from venues.simulator.player import TapeMarket
from venues.simulator.tally import DAY, HOUR, MINUTE, SCALES, Tally, span_of
from venues.simulator.tape import Row, Rows, TapeTrade

START = 1_700_000_000_000


def test_before_the_first_trade_the_price_is_the_bid_or_the_ask() -> None:
    market = TapeMarket("A", Stage(0))
    tally = Tally(market)
    assert (tally.last, tally.day(START).open) == (0, 0)
    market.apply(Rows(0, True, [], [Row(Decimal(3), Decimal(1))]), START)
    assert tally.candle("1m", START)[2:] == (3, 3, 3, 3)
    market.apply(Rows(0, False, [Row(Decimal(2), Decimal(1))], []), START)
    assert tally.last == 2
    market.apply(TapeTrade(0, Decimal(5), Decimal(1), "buy"), START)
    assert market.last is not None
    tally.add(market.last)
    assert tally.day(START)[2:] == (5, 5, 5, 5)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 7 * HOUR), st.integers(1, 9)), min_size=1, max_size=40), st.integers(0, DAY))
def test_days_and_candles_are_those_of_the_trades(steps: list[tuple[int, int]], later: int) -> None:
    market = TapeMarket("A", Stage(0))
    tally = Tally(market)
    trades: list[tuple[int, int]] = []
    now = START
    for wait, price in steps:
        now += wait
        market.apply(TapeTrade(0, Decimal(price), Decimal(1), "sell"), now)
        assert isinstance(market.last, Trade)
        tally.add(market.last)
        trades.append((now, price))
        check(tally, trades, now)
    check(tally, trades, now + later)


def check(tally: Tally, trades: list[tuple[int, int]], now: int) -> None:
    minute = now - DAY - (now - DAY) % MINUTE  # whole minutes count, the one of 24 hours ago too
    prices = [price for time, price in trades if time >= minute] or [trades[-1][1]]
    day = tally.day(now)
    assert (day.open, day.high, day.low, day.close) == (prices[0], max(prices), min(prices), prices[-1])
    for scale in SCALES:
        start, end = span_of(scale, now)
        assert start <= now < end
        inside = [price for time, price in trades if start <= time < end] or [trades[-1][1]]
        assert tally.candle(scale, now) == (start, end, inside[0], max(inside), min(inside), inside[-1])


@pytest.mark.parametrize("year", [2023, 2024])
@pytest.mark.parametrize("month", range(1, 13))
def test_months_and_weeks_are_those_of_the_calendar(year: int, month: int) -> None:
    inside = datetime(year, month, 17, 13, 14, 15, tzinfo=UTC)
    start, end = (datetime.fromtimestamp(t / 1000, UTC) for t in span_of("1M", int(inside.timestamp()) * 1000))
    assert start == datetime(year, month, 1, tzinfo=UTC)
    assert end == datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
    week = [datetime.fromtimestamp(t / 1000, UTC) for t in span_of("1w", int(inside.timestamp()) * 1000)]
    assert (week[0].weekday(), week[0].hour, (week[1] - week[0]).days) == (0, 0, 7)


def test_a_trade_at_the_end_of_a_candle_begins_the_next_and_a_minute_is_kept_once() -> None:
    tally = Tally(TapeMarket("A", Stage(0)))
    begin = START - START % MINUTE
    for after, price in ((0, 5), (1, 7), (MINUTE - 1, 3), (MINUTE, 4), (2 * MINUTE - 1, 6)):
        tally.add(Trade("A", begin + after, 1, Decimal(price), Decimal(1), "buy"))
    assert tally.candle("1m", begin + MINUTE) == (begin + MINUTE, begin + 2 * MINUTE, 4, 6, 4, 6)
    assert [minute[2:] for minute in tally._minutes] == [(5, 7, 3, 3), (4, 6, 4, 6)]
    assert tally.day(begin + MINUTE) == (begin, begin + 2 * MINUTE, 5, 7, 3, 6)


@pytest.mark.parametrize(("later", "opened"), [(DAY + MINUTE - 1, 5), (DAY + MINUTE, 4)])
def test_a_minute_counts_for_the_day_until_it_ended_24_hours_ago(later: int, opened: int) -> None:
    tally = Tally(TapeMarket("A", Stage(0)))
    begin = START - START % MINUTE
    for after, price in ((0, 5), (MINUTE, 4)):
        tally.add(Trade("A", begin + after, 1, Decimal(price), Decimal(1), "buy"))
    assert tally.day(begin + MINUTE).open == 5
    assert tally.day(begin + later).open == opened
