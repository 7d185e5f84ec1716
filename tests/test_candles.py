"""Candles from trades."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from venues.errors import UsageError
from venues.toolkit import candles
from venues.toolkit.candles import (
    LATE_TRADES,
    LONGEST_LAG,
    Bar,
    CandleBuilder,
    Held,
    TradedCandles,
    interval_ms,
    start_of,
)
from venues.toolkit.clock import FAR, VenueClock
from venues.venue import Now

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


def one(value: int) -> Decimal:
    return Decimal(value)


def traded(builder: CandleBuilder, time: int, price: int, size: int = 1, *, at: int | None = None) -> list[Bar]:
    """A trade that comes when the venue's clock says `at`, by default at its own time."""
    return builder.trade(time, Decimal(price), Decimal(size), time if at is None else at)


def told(bars: list[Bar]) -> list[tuple[int, bool]]:
    return [(bar.start, bar.closed) for bar in bars]


def test_complete_only_when_seen_from_the_start() -> None:
    builder = CandleBuilder(MINUTE)
    builder.watching(30_000)
    (first,) = traded(builder, 40_000, 1)
    assert not first.complete
    closed, second = traded(builder, 61_000, 2)
    assert (closed.closed, closed.complete, second.complete) == (True, False, True)
    builder.interrupted()
    (after,) = traded(builder, 62_000, 3)
    assert not after.complete
    builder.watching(62_001)
    *_, third = traded(builder, 121_000, 3)
    assert third.complete


def test_a_later_stamp_alone_closes_nothing() -> None:
    builder = CandleBuilder(MINUTE)
    traded(builder, 59_000, 1)
    assert told(traded(builder, 60_500, 2, at=59_500)) == [(MINUTE, False)]
    assert told(traded(builder, 59_900, 3, at=59_999)) == [(0, False)]
    assert builder.closing_time() == MINUTE
    assert told(builder.close_by_clock(MINUTE)) == [(0, True)]
    assert told(traded(builder, 59_950, 4, at=MINUTE)) == [(0, True)]


@pytest.mark.parametrize(("ahead", "closed"), [(0, True), (FAR, True), (FAR + 1, False)])
def test_a_candle_that_was_closed_by_a_clock_far_ahead_is_open_again(ahead: int, closed: bool) -> None:
    """With the next trade in it; a clock that is a little ahead closes it for good."""
    builder = CandleBuilder(MINUTE)
    traded(builder, 59_000, 1)
    builder.heard(MINUTE, MINUTE)
    assert told(traded(builder, 59_001, 2, at=MINUTE - ahead)) == [(0, closed)]
    assert builder.closing_time() == (None if closed else MINUTE)


@pytest.mark.parametrize(("late", "waits"), [(0, 0), (500, 0), (1_000, 0), (1_001, 1_001), (40_000, 40_000)])
def test_the_clock_alone_waits_for_late_trades_as_long_as_they_take(late: int, waits: int) -> None:
    builder = CandleBuilder(MINUTE)
    for time in (1_000, 2_000, 3_000):
        traded(builder, time, 1, at=time + late)
    due = MINUTE + LATE_TRADES + waits
    assert builder.closing_time() == due
    assert builder.close_by_clock(due - 1) == []
    assert told(builder.close_by_clock(due)) == [(0, True)]
    assert builder.closing_time() is None
    (corrected,) = traded(builder, 59_999, 5, 2, at=due + 1)
    assert (corrected.closed, corrected.high, corrected.volume) == (True, 5, 5)


@pytest.mark.parametrize(
    ("arrivals", "waits"),
    [
        ([(1_000, 40_000), (2_000, 40_000)], 0),
        ([(1_000, 40_000), (2_000, 40_000), (3_000, 0), (4_000, 40_000), (5_000, 40_000)], 0),
        ([(1_000, 40_000), (2_000, 40_000), (3_000, 9_000)], 9_000),
        ([(1_000, 40_000), (2_000, 40_000), (3_000, 9_000), (4_000, 1_000)], 0),
        ([(1_000, 40_000)] * 3, 0),  # a time that is repeated says no more
        ([(2_000, 40_000), (3_000, 40_000), (1_000, 50_000)], 0),  # nor does an older one
        ([(1_000, 59_999), (2_000, 59_999), (3_000, 59_999)], 59_999),
        ([(1_000, 60_001), (2_000, 60_001), (3_000, 60_001)], 60_000),
    ],
)
def test_a_feed_is_behind_that_was_late_three_times_in_a_row(arrivals: list[tuple[int, int]], waits: int) -> None:
    builder = CandleBuilder(100_000_000)
    for time, late in arrivals:
        traded(builder, time, 1, at=time + late)
    assert builder.closing_time() == 100_000_000 + LATE_TRADES + waits


@pytest.mark.parametrize("length", [1, 2, MINUTE])
def test_a_trade_of_the_very_first_moment_is_waited_for_as_any_other(length: int) -> None:
    builder = CandleBuilder(length)
    traded(builder, 0, 1)
    assert builder.closing_time() == length + LATE_TRADES


@pytest.mark.parametrize(("minutes", "complete"), [(2, False), (3, True)])
def test_so_many_intervals_are_known_in_which_a_trade_could_not_be_placed(
    minutes: int, complete: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candles, "MOST_KEPT", 2)
    builder = CandleBuilder(MINUTE)
    builder.watching(0)
    for minute in range(minutes):
        assert builder.unplaced(minute * MINUTE) == []
    (bar,) = traded(builder, 1_000, 1, at=0)
    assert bar.complete is complete


def test_a_time_that_is_heard_again_and_again_does_not_make_a_feed_late() -> None:
    for times, waits in (((2_000, 2_000, 2_000), 0), ((2_000, 3_000, 4_000), 40_000)):
        builder = CandleBuilder(100_000_000)
        traded(builder, 1_000, 1)
        for time in times:
            assert builder.heard(time, time + 40_000) == []
        assert builder.closing_time() == 100_000_000 + LATE_TRADES + waits


def test_when_the_oldest_candle_is_forgotten_the_next_one_is_closed_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candles, "MOST_KEPT", 2)
    builder = CandleBuilder(MINUTE)
    for minute in range(3):
        traded(builder, minute * MINUTE, 1, at=0)  # by a clock that stands still, so all are open
    assert builder.closing_time() == 2 * MINUTE
    assert told(builder.close_by_clock(3 * MINUTE)) == [(MINUTE, True)]
    assert builder.closing_time() == 3 * MINUTE + LATE_TRADES
    assert (traded(builder, 1_000, 1, at=3 * MINUTE), builder.too_late) == ([], 1)


def test_after_an_interruption_no_candle_is_complete_before_it_is_watched_again() -> None:
    builder = CandleBuilder(MINUTE)
    builder.watching(0)
    assert traded(builder, 1_000, 1)[0].complete
    builder.interrupted()
    assert [bar.complete for bar in traded(builder, MINUTE, 1)] == [False, False]
    builder.watching(2 * MINUTE)
    assert [bar.complete for bar in traded(builder, 2 * MINUTE, 1)] == [False, True]


def test_trades_at_both_ends_of_an_interval_are_its_own() -> None:
    builder = CandleBuilder(MINUTE)
    assert told(traded(builder, MINUTE, 1)) == [(MINUTE, False)]
    assert told(traded(builder, 2 * MINUTE - 1, 2)) == [(MINUTE, False)]
    assert told(traded(builder, MINUTE, 3)) == [(MINUTE, False)]
    (late,) = traded(builder, MINUTE - 1, 4, at=MINUTE + 1)
    assert (late.start, late.volume, late.closed) == (0, 1, True)
    assert builder.close_by_clock(2 * MINUTE - 1) == []
    assert [(bar.start, bar.volume) for bar in traded(builder, 2 * MINUTE, 5)] == [(MINUTE, 3), (2 * MINUTE, 1)]


def test_any_message_of_the_venues_tells_its_time() -> None:
    builder = CandleBuilder(MINUTE)
    traded(builder, 1_000, 1)
    assert builder.heard(59_999, 60_010) == []
    assert told(builder.heard(60_000, 60_010)) == [(0, True)]


def test_of_equal_times_the_order_of_arrival_decides() -> None:
    builder = CandleBuilder(MINUTE)
    for time, price in ((30_000, 5), (40_000, 6), (30_000, 7), (40_000, 4), (35_000, 9), (10_000, 3), (10_000, 2)):
        (bar,) = traded(builder, time, price)
    assert (bar.open, bar.high, bar.low, bar.close, bar.volume) == (3, 9, 2, 4, 7)


@pytest.mark.parametrize("price", ["10", "9.0", "11.000"])
def test_of_equal_prices_the_first_ones_digits_stay(price: str) -> None:
    builder = CandleBuilder(MINUTE)
    for text in ("10.0", "9", "11", price):
        (bar,) = builder.trade(1_000, Decimal(text), Decimal(1), 1_000)
    assert [str(one) for one in (bar.open, bar.high, bar.low, bar.close)] == ["10.0", "11", "9", price]


def test_a_late_trade_corrects_its_candle_among_the_last_500() -> None:
    builder = CandleBuilder(1000)
    for second in range(600):
        traded(builder, second * 1000, 10)
    (oldest,) = traded(builder, 100_500, 1, 7, at=599_500)
    assert (oldest.closed, oldest.low, oldest.close, oldest.volume) == (True, 1, 1, 8)


def test_older_ones_are_left_alone() -> None:
    builder = CandleBuilder(1000)
    for second in range(600):
        traded(builder, second * 1000, 10)
    assert traded(builder, 99_999, 1, at=599_999) == []
    assert len(builder._kept) == 500


def test_an_empty_interval_gets_its_candle_late_and_closed() -> None:
    builder = CandleBuilder(1000)
    builder.watching(0)
    traded(builder, 1_000, 1)
    traded(builder, 400_000, 2)
    (late,) = traded(builder, 2_999, 5, 3, at=400_010)
    assert late == Bar(2_000, 3_000, one(5), one(5), one(5), one(5), one(3), closed=True, complete=True)
    (late,) = traded(builder, 2_000, 4, 1, at=400_020)
    assert (late.open, late.close, late.volume, late.closed) == (4, 5, 4, True)


def test_what_cannot_be_placed_costs_the_open_candle_its_completeness() -> None:
    builder = CandleBuilder(MINUTE)
    builder.watching(0)
    traded(builder, 1_000, 1)
    (open_one,) = builder.unplaced(2_000)
    assert (open_one.start, open_one.complete, open_one.closed) == (0, False, False)
    assert builder.unplaced(2_001) == [], "it is said already"
    assert not traded(builder, 3_000, 1)[0].complete
    assert [bar.complete for bar in traded(builder, MINUTE, 1)] == [False, True]


def test_what_cannot_be_placed_is_missing_also_in_a_candle_that_has_not_begun() -> None:
    builder = CandleBuilder(MINUTE)
    builder.watching(0)
    traded(builder, 1_000, 1)
    assert told(builder.unplaced(2 * MINUTE + 5_000)) == [(0, True)]
    assert not traded(builder, 2 * MINUTE + 6_000, 1)[0].complete
    assert traded(builder, MINUTE, 1, at=2 * MINUTE + 6_001)[0].complete


def test_a_candle_that_a_false_clock_closed_is_open_again() -> None:
    builder = CandleBuilder(MINUTE)
    traded(builder, 1_000, 1)
    assert told(traded(builder, 2_000, 1, at=3_600_000)) == [(0, True)]
    assert told(traded(builder, 3_000, 1, at=3_000)) == [(0, False)]
    assert told(traded(builder, MINUTE, 1)) == [(0, True), (MINUTE, False)]
    assert told(traded(builder, 59_999, 1, at=59_999)) == [(0, True)], "not by the clock's trembling"


def test_memory_is_bounded() -> None:
    builder = CandleBuilder(1000)
    for number in range(3_000):
        traded(builder, number * 7_000, 1, at=0)  # by a clock that stands still
        builder.unplaced(number * 7_000)
    assert max(len(builder._kept), len(builder._open), len(builder._doubted)) <= 500


Arrivals = st.lists(
    st.tuples(st.integers(0, 3_600_000), st.integers(0, 600_000), st.integers(1, 50), st.integers(1, 9)),
    min_size=1,
    max_size=60,
)  # time, how late it comes, price, size


@given(Arrivals, st.sampled_from(["1s", "1m", "5m", "1h"]))
def test_as_from_a_list(trades: list[tuple[int, int, int, int]], interval: str) -> None:
    """However late trades come, each candle ends as those of its interval say, and closed only when it is over."""
    length = interval_ms(interval)
    arrivals = sorted((time + late, time, price, size) for time, late, price, size in trades)
    builder = CandleBuilder(length)
    last: dict[int, Bar] = {}
    for at, time, price, size in arrivals:
        bars = builder.trade(time, Decimal(price), Decimal(size), at)
        assert [bar.start for bar in bars] == sorted({bar.start for bar in bars})
        assert all(bar.end <= at for bar in bars if bar.closed)
        assert not any(bar.start in last and last[bar.start].closed and not bar.closed for bar in bars)
        last |= {bar.start: bar for bar in bars}
    assert last.keys() == {start_of(time, length) for _, time, _, _ in arrivals}
    for start, bar in last.items():
        own = sorted((time, n, price) for n, (_, time, price, _) in enumerate(arrivals) if start <= time < bar.end)
        prices = [price for _, _, price in own]
        assert (bar.open, bar.high, bar.low, bar.close) == (prices[0], max(prices), min(prices), prices[-1])
        assert bar.volume == sum(size for _, time, _, size in arrivals if start <= time < bar.end)
    now = arrivals[-1][0]
    assert all(bar.closed for bar in last.values() if bar.end + LATE_TRADES + LONGEST_LAG <= now)
    assert all(bar.closed for bar in builder.close_by_clock(now + 2 * length + 2 * LONGEST_LAG))
    assert builder.closing_time() is None


# --- by the venue's clock ------------------------------------------------------------------------------------------


def at(seconds: float) -> Now:
    return Now(1_000.0 + seconds, 1_700_000_040_000 + round(seconds * 1000))


def stamp(seconds: float) -> int:
    return at(seconds).epoch_ms


class Market:
    """Candles of a line as a session drives them."""

    def __init__(self) -> None:
        self.clock = VenueClock()
        self.candles = TradedCandles(MINUTE, self.clock)

    def trade(self, time: float, now: float) -> list[Bar]:
        believed = self.clock.see(stamp(time), at(now))
        return self.candles.trade(stamp(time), Decimal(1), Decimal(1), at(now), believed=believed)


def test_a_stamp_that_is_not_believed_opens_and_closes_nothing() -> None:
    market = Market()
    market.trade(-1, -1)
    market.trade(1, 1)
    assert [(bar.start, bar.closed, bar.complete) for bar in market.trade(3_600, 2)] == [(stamp(0), False, False)]
    assert told(market.trade(3, 3)) == [(stamp(0), False)]
    assert told(market.trade(61, 61)) == [(stamp(0), True), (stamp(60), False)]


def test_trades_of_a_clock_that_is_proved_are_placed_by_their_times() -> None:
    market = Market()
    for second in (-1, 1, 2):
        market.trade(second, second)
    for tenth in range(30, 34):
        assert all(bar.start == stamp(0) for bar in market.trade(7_200 + tenth / 10, tenth / 10))
    *closed, bar = market.trade(7_203.4, 3.4)
    assert (bar.start, bar.volume) == (stamp(7_200), 5)
    assert (stamp(0), True) in told(closed)
    assert market.candles.due == 1_000.0 + 60 + LATE_TRADES / 1000


def test_one_of_them_that_came_late_is_placed_too() -> None:
    market = Market()
    market.trade(7_200, 0)
    market.trade(7_080, 1)  # two minutes late: it agrees with no other
    for tenth in range(20, 24):
        market.trade(7_200 + tenth / 10, tenth / 10)
    bars = market.trade(7_202.4, 2.4)
    assert [(bar.start, bar.volume, bar.closed) for bar in bars if bar.start != stamp(7_200)] == [
        (stamp(7_080), 1, True)
    ]
    assert bars[-1].volume == 6


def test_a_first_message_that_is_late_does_not_mean_that_all_after_it_was_seen() -> None:
    market = Market()
    market.candles.interrupted(at(30))
    market.trade(-2, 31)
    *_, bar = market.trade(32, 32)
    assert (bar.start, bar.complete) == (stamp(0), False)
    assert market.trade(61, 61)[-1].complete


@pytest.mark.parametrize("days", [-400, -2, -0.01, 0.01, 2, 400])
def test_by_a_clock_that_is_off_a_candle_is_closed_when_it_is_over_there(days: float) -> None:
    market, off = Market(), round(days * 1440) * 60
    closed = []
    for tenth in range(-100, 1_300):
        bars = market.trade(off + tenth / 10, tenth / 10)
        closed += [(bar.start - stamp(off), tenth / 10) for bar in bars if bar.closed]
    assert closed == [(-MINUTE, 0), (0, 60), (MINUTE, 120)]
    assert market.candles.due == 1_000.0 + 180 + LATE_TRADES / 1000


def test_messages_that_take_long_close_a_candle_when_it_is_over_by_them() -> None:
    market = Market()
    closed = [
        (bar.start, second) for second in range(1, 100) for bar in market.trade(second - 12, second) if bar.closed
    ]
    assert closed == [(stamp(-60), 12), (stamp(0), 72)]


@pytest.mark.parametrize("step", [-3_600_000, 3_600_000])
def test_a_step_of_our_clock_closes_nothing_early_or_late(step: int) -> None:
    market = Market()
    market.trade(1, 1)
    early, due = at(60.5), at(61)
    assert market.candles.tick(Now(early.mono, early.epoch_ms + step)) == []
    assert told(market.candles.tick(Now(due.mono, due.epoch_ms + step))) == [(stamp(0), True)]


def test_a_late_trade_alone_is_closed_by_the_clock() -> None:
    """Nothing later has come; the interval is over all the same."""
    market = Market()
    market.trade(1, 1)
    assert told(market.trade(59, 90)) == [(stamp(0), True)]


def test_a_message_that_came_faster_than_others_shows_the_venues_time_too() -> None:
    market = Market()
    market.trade(1, 1.5)
    assert told(market.trade(60, 60.01)) == [(stamp(0), True), (stamp(60), False)]


def test_the_clock_closes_when_it_is_due() -> None:
    market = Market()
    market.trade(1, 1)
    due = market.candles.due
    assert due == 1_061.0
    assert market.candles.tick(at(60.999)) == []
    assert told(market.candles.tick(at(61))) == [(stamp(0), True)]
    assert market.candles.due is None


@pytest.mark.parametrize("hears", ["trades", "other messages"])
@pytest.mark.parametrize(("interrupted", "complete"), [(-61, True), (-60, True), (-59.999, False), (5, False)])
def test_after_a_move_of_the_venues_clock_trades_are_seen_from_the_interruptions_end_by_the_new_one(
    hears: str, interrupted: float, complete: bool
) -> None:
    market = Market()
    market.candles.interrupted(at(interrupted))
    market.trade(-60, 6)  # a minute late, by a clock that agrees with ours
    for second in (10, 11, 12, 13, 14):
        ahead = 7_200 + second
        if hears == "trades":
            market.trade(ahead, second)
        elif market.clock.see(stamp(ahead), at(second)):
            market.candles.heard(stamp(ahead), at(second))
    assert market.clock.offset_ms == 7_200_000
    late = next(bar for bar in market.trade(7_150, 15) if bar.start == stamp(7_140))
    assert (late.closed, late.complete) == (True, complete)


@pytest.mark.parametrize("hears", ["trades", "other messages"])
@pytest.mark.parametrize(("interrupted", "complete"), [(0, True), (0.001, False), (5, False)])
def test_the_candle_that_proves_a_move_of_the_venues_clock_is_complete_only_by_the_new_one(
    hears: str, interrupted: float, complete: bool
) -> None:
    market = Market()
    market.candles.interrupted(at(interrupted))
    market.trade(-60, 6)  # a minute late, by a clock that agrees with ours
    for second in (10, 10.1, 10.2, 10.3):
        market.trade(7_200 + second, second)
    if hears == "trades":
        bars = market.trade(7_210.4, 10.4)
    else:
        assert market.clock.see(stamp(7_210.4), at(10.4))
        bars = market.candles.heard(stamp(7_210.4), at(10.4))
    assert market.clock.offset_ms == 7_200_000
    assert [bar.complete for bar in bars if bar.start == stamp(7_200)][-1:] == [complete]


def test_what_is_not_believed_yet_is_held_on_in_its_order() -> None:
    clock, held = VenueClock(), Held[str]()
    assert not held
    for name, seconds in (("one", 1.0), ("far", 7_200.0), ("two", 1.5)):
        held.hold(stamp(seconds), at(1), name)
    assert held.believed(clock) == []
    assert held, "nothing is known of the clock"
    clock.see(stamp(2), at(2))
    assert held.believed(clock) == [(stamp(1), "one"), (stamp(1.5), "two")]
    assert held
    assert held.believed(clock) == []
    for second in (3, 4, 5, 6, 7):
        clock.see(stamp(7_200 + second), at(second))
    assert held.believed(clock) == [(stamp(7_200), "far")]
    assert not held


def test_of_what_is_held_the_latest_thousand_stay() -> None:
    clock, held = VenueClock(), Held[int]()
    for number in range(candles.MOST_HELD + 1):
        held.hold(stamp(0), at(0), number)
    clock.see(stamp(0), at(0))
    found = [number for _, number in held.believed(clock)]
    assert (found[0], found[-1], len(found)) == (1, 1_000, 1_000)
