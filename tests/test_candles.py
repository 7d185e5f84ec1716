"""Candles from trades."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from venues.candles import LATE_TRADES, CandleBuilder, interval_ms, start_of
from venues.errors import UsageError

MINUTE = 60_000


@pytest.mark.parametrize(
    ("text", "length"), [("1s", 1000), ("1m", MINUTE), ("4h", 14_400_000), ("1d", 86_400_000), ("1w", 604_800_000)]
)
def test_intervals(text: str, length: int) -> None:
    assert interval_ms(text) == length


@pytest.mark.parametrize(
    "text", ["", "1", "m", "0m", "7m", "5h", "2d", "2w", "1M", "-1m", "1 m", "1m ", "1.5h", "９m", "999999999m"]
)
def test_intervals_that_are_none(text: str) -> None:
    with pytest.raises(UsageError, match="expected an interval"):
        interval_ms(text)


def test_weeks_start_on_monday() -> None:
    monday = 1_566_172_800_000  # 2019-08-19 00:00 UTC
    week = interval_ms("1w")
    assert start_of(monday, week) == monday
    assert start_of(monday - 1, week) == monday - week
    assert start_of(monday + week - 1, week) == monday


def test_complete_only_when_seen_from_the_start() -> None:
    builder = CandleBuilder(MINUTE)
    builder.watching(30_000)
    (first,) = builder.trade(40_000, Decimal(1), Decimal(1), 40_000)
    assert not first.complete
    closed, second = builder.trade(61_000, Decimal(2), Decimal(1), 61_000)
    assert (closed.closed, closed.complete, second.complete) == (True, False, True)
    builder.interrupted()
    (after,) = builder.trade(62_000, Decimal(3), Decimal(1), 62_000)
    assert not after.complete
    builder.watching(62_001)
    *_, third = builder.trade(121_000, Decimal(3), Decimal(1), 121_000)
    assert third.complete


def test_the_clock_closes_after_the_lag_and_a_late_trade_corrects() -> None:
    builder = CandleBuilder(MINUTE)
    builder.trade(1_000, Decimal(1), Decimal(1), 1_500)
    due = builder.closing_time()
    assert due == MINUTE + 500 + LATE_TRADES
    assert builder.close_by_clock(due - 1) == []
    (closed,) = builder.close_by_clock(due)
    assert closed.closed
    assert builder.closing_time() is None
    (corrected,) = builder.trade(59_999, Decimal(5), Decimal(2), due + 1)
    assert (corrected.closed, corrected.high, corrected.volume) == (True, 5, 3)


@given(st.lists(st.tuples(st.integers(0, 400_000), st.integers(1, 50), st.integers(1, 9)), min_size=1, max_size=60))
def test_as_from_a_list(trades: list[tuple[int, int, int]]) -> None:
    """In order of time, each candle ends as the trades of its minute say."""
    trades.sort(key=lambda trade: trade[0])
    builder = CandleBuilder(MINUTE)
    last = {
        bar.start: bar
        for time, price, size in trades
        for bar in builder.trade(time, Decimal(price), Decimal(size), time)
    }
    for start, bar in last.items():
        prices = [price for time, price, _ in trades if start <= time < start + MINUTE]
        assert (bar.open, bar.high, bar.low, bar.close) == (prices[0], max(prices), min(prices), prices[-1])
        assert bar.volume == sum(size for time, _, size in trades if start <= time < start + MINUTE)
        assert bar.closed == (start != max(last))
