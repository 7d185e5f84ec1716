"""A bot's candles: equal to pandas' from the same trades, whole, and the script's own."""

from __future__ import annotations

import math
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import talib
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from cli.bot.bars import Bars, Series
from cli.bot.jobs import Told
from cli.bot.market_data import LEVELS, Candles, MarketName, ladder, made_of
from cli.bot.seat import Seat
from tests.bot.recordings import BEGIN, MINUTE, SYMBOL, Tick, walk
from venues.records import Candle, Status, Trade
from venues.toolkit.candles import TradedCandles
from venues.toolkit.clock import VenueClock
from venues.venue import Now

MONDAY = 1_566_172_800_000  # 2019-08-19 00:00 UTC
FIELDS = ("open", "high", "low", "close", "volume")


def trade(tick: Tick) -> Trade:
    return Trade(
        venue="nexus",
        symbol=SYMBOL,
        time=tick.time,
        received=tick.time,
        price=Decimal(tick.price),
        size=Decimal(tick.size),
        side="buy",
    )


def candle(interval: str, start: int, prices: str, volume: str | None = "1", **more: object) -> Candle:
    opened, high, low, close = map(Decimal, prices.split())
    given = {"closed": True, "complete": True, "received": start, **more}
    return Candle(
        venue="nexus",
        symbol=SYMBOL,
        interval=interval,
        start=start,
        end=start + LEVELS[interval],
        open=opened,
        high=high,
        low=low,
        close=close,
        volume=None if volume is None else Decimal(volume),
        **given,  # type: ignore[arg-type]
    )


def resampled(ticks: list[Tick], level: str) -> pd.DataFrame:
    """What pandas makes of trades; empty intervals are filled forward."""
    frame = pd.DataFrame(
        {"price": [float(tick.price) for tick in ticks], "size": [float(tick.size) for tick in ticks]},
        index=pd.to_datetime([tick.time for tick in ticks], unit="ms", utc=True),
    )
    rule = {"1w": "W-MON", "1d": "1D"}.get(level, level.replace("m", "min"))
    of_level = frame.resample(rule, label="left", closed="left")
    candles = of_level["price"].ohlc()
    candles["volume"] = of_level["size"].sum()
    candles["close"] = candles["close"].ffill()
    for name in ("open", "high", "low"):
        candles[name] = candles[name].fillna(candles["close"])
    candles.index = candles.index.as_unit("ms").astype("int64")
    return candles


def assert_equal(bars: Bars, expected: pd.DataFrame) -> None:
    """The last candles are the expected ones; those before the first are NaN."""
    tail = expected.iloc[-360:]
    known = len(tail)
    np.testing.assert_array_equal(bars.times[-known:], tail.index.to_numpy())
    for name, values in zip(FIELDS, (bars.opens, bars.highs, bars.lows, bars.closes, bars.volumes), strict=True):
        np.testing.assert_allclose(values[-known:], tail[name].to_numpy(), rtol=1e-12, err_msg=name)
        assert np.isnan(values[: 360 - known]).all()


@pytest.mark.parametrize("level", LEVELS)
def test_every_level_is_as_pandas_makes_it(level: str) -> None:
    ticks = walk(6_000, seed=7, every_ms=430_000)  # 30 days, with a pause of 5 hours
    whole = resampled(ticks, level)
    candles = Candles([level])
    looked = 0
    for number, tick in enumerate(ticks, start=1):
        candles.trade(trade(tick))
        if number % 997 == 0 or number == len(ticks):
            bars = candles.bars(level)
            start = int(bars.times[-1])
            so_far = resampled([t for t in ticks[:number] if t.time >= start], level)
            assert_equal(bars, pd.concat([whole[whole.index < start], so_far]))
            looked += 1
    assert looked == 7


@pytest.mark.parametrize("level", ["1m", "15m", "1h", "1d"])
def test_trades_out_of_order_belong_where_their_time_says(level: str) -> None:
    ticks = walk(1_500, seed=3, every_ms=9_000)
    late = sorted(ticks, key=lambda tick: (hash((tick.time, 11)) % 7 == 0) * 400_000 + tick.time)
    assert late != ticks
    candles = Candles([level])
    for tick in late:
        candles.trade(trade(tick))
    expected = resampled(ticks, level)
    first = late[0].time
    assert_equal(candles.bars(level), expected[expected.index >= first - first % LEVELS[level]])


def test_a_late_trade_in_an_empty_interval_is_carried_on_and_one_before_all_is_too() -> None:
    series = Series(MINUTE)
    series.trade(10 * MINUTE, 5.0, Decimal(1))
    series.trade(14 * MINUTE, 6.0, Decimal(1))
    series.trade(12 * MINUTE + 1, 7.0, Decimal(2))
    assert series.bars().closes[-5:].tolist() == [5, 5, 7, 7, 6]
    assert series.bars().volumes[-5:].tolist() == [1, 0, 2, 0, 1]
    series.trade(8 * MINUTE, 3.0, Decimal(4))
    assert series.bars().closes[-7:].tolist() == [3, 3, 5, 5, 7, 7, 6]
    before = series.bars()
    series.trade(-400 * MINUTE, 1.0, Decimal(1))
    np.testing.assert_array_equal(series.bars().closes, before.closes)


Arrivals = st.lists(
    st.tuples(
        st.integers(BEGIN, BEGIN + 3 * 3_600_000),
        st.integers(0, 600_000),
        st.decimals("0.0001", "99", places=4),
        st.decimals("0.001", "9", places=3),
    ),
    min_size=1,
    max_size=80,
)  # time, how late it comes, price, size


@settings(max_examples=150, deadline=None)
@given(Arrivals, st.sampled_from(["1m", "3m", "5m", "15m", "1h", "1d"]))
def test_a_bots_candles_are_those_of_mon_candles(trades: list[tuple[int, int, Decimal, Decimal]], level: str) -> None:
    """The same trades, shuffled within 10 minutes: both are what a plain model says."""
    length = LEVELS[level]
    arrivals = [
        (at, time, price, size) for at, time, price, size in sorted((t + late, t, p, s) for t, late, p, s in trades)
    ]
    bot, clock = Candles([level]), VenueClock()
    built, shown = TradedCandles(length, clock), {}
    for at, time, price, size in arrivals:
        now = Now(at / 1000, at)
        bars = built.trade(time, price, size, now, believed=clock.see(time, now))
        assume(not clock.offset_ms)  # several that are late by the same time prove another clock: another test's matter
        shown |= {bar.start: bar for bar in bars}
        assert bot.trade(replace(trade(Tick(time, str(price), str(size))), received=at))
    model = {}
    for start in {time - time % length for _, time, _, _ in arrivals}:
        own = sorted((t, n, p, s) for n, (_, t, p, s) in enumerate(arrivals) if start <= t < start + length)
        prices = [float(p) for _, _, p, _ in own]
        volume = float(sum((s for *_, s in own), Decimal(0)))
        model[start] = (prices[0], max(prices), min(prices), prices[-1], volume)
    assert {
        start: tuple(map(float, (bar.open, bar.high, bar.low, bar.close, bar.volume))) for start, bar in shown.items()
    } == model
    rows = {row["time"]: tuple(row[name] for name in FIELDS) for row in bot.bars(level) if row["volume"] > 0}
    assert rows == model


def test_a_stamp_that_is_not_believed_moves_no_candle_of_a_bot() -> None:
    candles = Candles(["1m"])

    def came(time: int, price: str, received: int) -> bool:
        return candles.trade(replace(trade(Tick(BEGIN + time, price, "1")), received=BEGIN + received))

    candles.live(BEGIN)
    assert came(1_000, "10", 1_000)
    assert not came(3_600_000, "99", 2_000)
    assert came(3_000, "11", 3_000)
    bars = candles.bars("1m")
    assert (bars.times[-1], bars.highs[-1], bars.volumes[-1], bars.complete[-1]) == (BEGIN, 11, 2, False)
    assert came(61_000, "12", 61_000)
    assert candles.bars("1m").complete[-2:].tolist() == [False, True]


def test_a_bots_trades_of_a_clock_that_is_proved_belong_where_their_times_say() -> None:
    candles, hour = Candles(["1m"]), 3_600_000
    for number in range(10):
        received = BEGIN + 100 * number
        time = received if number < 5 else received + hour
        counted = candles.trade(replace(trade(Tick(time, "10", "1")), received=received))
        assert counted == (number not in (5, 6, 7, 8))
    bars = candles.bars("1m")
    assert bars.times[-1] == BEGIN + hour
    assert bars.volumes[[-61, -1]].tolist() == [5, 5]


def test_a_list_of_old_trades_in_one_message_proves_no_clock() -> None:
    candles, hour = Candles(["1m"]), 3_600_000
    candles.live(BEGIN)
    for number in range(8):
        old = trade(Tick(BEGIN - hour + 10 * number, "9", "1"))
        assert candles.trade(replace(old, venue="jayx", received=BEGIN + 5))
    for number in range(3):
        now = trade(Tick(BEGIN + 100 * number, "10", "1"))
        assert candles.trade(replace(now, venue="jayx", received=now.time + 10))
    assert candles.bars("1m").volumes[-1] == 3


def test_late_trades_are_added_exactly() -> None:
    series = Series(MINUTE)
    for time, size in ((0, "0.1"), (MINUTE, "1"), (1, "0.2"), (2, "0.3"), (2 * MINUTE, "1"), (3, "0.1")):
        series.trade(time, 5.0, Decimal(size))
    assert series.bars().volumes[-3:].tolist() == [0.7, 1, 1]


def test_a_first_trade_that_is_late_does_not_mean_that_all_after_it_was_seen() -> None:
    candles = Candles(["1m"])
    candles.live(BEGIN + 30_000)
    candles.trade(replace(trade(Tick(BEGIN - 5_000, "10", "1")), received=BEGIN + 31_000))
    candles.trade(trade(Tick(BEGIN + 40_000, "10", "1")))
    candles.trade(trade(Tick(BEGIN + MINUTE, "10", "1")))
    assert candles.bars("1m").complete[-3:].tolist() == [False, False, True]


def test_within_a_candle_time_decides_what_is_open_and_close() -> None:
    series = Series(MINUTE)
    for time, price in ((30_000, 5.0), (40_000, 6.0), (35_000, 7.0), (10_000, 4.0), (40_000, 5.5), (10_000, 9.0)):
        series.trade(time, price, Decimal(1))
    assert series.bars()[-1] == {"time": 0, "open": 4.0, "high": 9.0, "low": 4.0, "close": 5.5, "volume": 6.0}


def test_weeks_begin_on_monday_and_volumes_are_exact() -> None:
    series = Series(LEVELS["1w"])
    series.trade(MONDAY - 1, 1.0, Decimal("0.1"))
    series.trade(MONDAY, 2.0, Decimal("0.1"))
    series.trade(MONDAY + 1, 2.0, Decimal("0.2"))
    assert series.bars()[-1] == {"time": MONDAY, "open": 2.0, "high": 2.0, "low": 2.0, "close": 2.0, "volume": 0.3}
    assert series.bars()[-2]["time"] == MONDAY - LEVELS["1w"]


def test_bars_have_the_documented_shape() -> None:
    series = Series(MINUTE)
    series.trade(MINUTE, 5.0, Decimal(1))
    bars = series.bars()
    assert len(bars) == len(list(bars)) == 360
    assert list(bars[0]) == ["time", "open", "high", "low", "close", "volume"]
    assert bars[-1] == bars[359] == bars[np.int64(359)]
    assert type(bars[-1]["time"]) is int
    assert type(bars[-1]["open"]) is float
    assert bars[0]["time"] == MINUTE - 359 * MINUTE
    assert math.isnan(bars[0]["close"])
    assert [row["time"] for row in bars[-2:]] == [0, MINUTE]
    for index in (360, -361):
        with pytest.raises(IndexError, match="from -360 to 359"):
            bars[index]
    with pytest.raises(TypeError):
        bars["close"]  # type: ignore[call-overload]
    for name in ("opens", "highs", "lows", "closes", "volumes"):
        values = getattr(bars, name)
        assert (values.shape, values.dtype, values.flags["C_CONTIGUOUS"]) == ((360,), np.float64, True)


def test_bars_are_a_picture_that_neither_side_changes() -> None:
    series = Series(MINUTE)
    series.trade(MINUTE, 5.0, Decimal(1))
    kept = series.bars()
    series.trade(MINUTE + 1, 9.0, Decimal(1))
    series.trade(5 * MINUTE, 9.5, Decimal(1))
    assert (kept[-1]["close"], kept.times[-1]) == (5.0, MINUTE)
    mine = series.bars()
    mine.closes[:] = 0
    assert series.bars()[-1]["close"] == 9.5


def test_talib_takes_the_arrays() -> None:
    series = Series(MINUTE)
    for number in range(400):
        series.trade(number * MINUTE, 100.0 + number, Decimal(1))
    assert talib.RSI(series.bars().closes, timeperiod=14)[-1] == 100.0


def test_a_jump_beyond_all_candles_leaves_the_last_close() -> None:
    series = Series(MINUTE)
    series.trade(0, 5.0, Decimal(1))
    series.trade(10_000 * MINUTE, 6.0, Decimal(1))
    bars = series.bars()
    assert bars.closes[:-1].tolist() == [5.0] * 359
    assert bars.volumes[:-1].tolist() == [0.0] * 359
    assert (bars.closes[-1], bars.times[-1]) == (6.0, 10_000 * MINUTE)


def test_what_was_not_watched_is_not_said_to_be_quiet() -> None:
    candles = Candles(["1m"])
    candles.live(1_000)
    candles.trade(trade(Tick(90_000, "5", "1")))
    candles.down(2 * MINUTE + 1)
    candles.live(5 * MINUTE + 1)
    candles.trade(trade(Tick(7 * MINUTE, "6", "1")))
    bars = candles.bars("1m")
    assert bars.closes[-7:].tolist() == [5, 5, 5, 5, 5, 5, 6]
    assert bars.complete[-7:].tolist() == [False, False, False, False, False, True, True]
    np.testing.assert_array_equal(bars.volumes[-7:], [1, math.nan, math.nan, math.nan, math.nan, 0, 1])


@pytest.mark.parametrize(
    ("fields", "calls"),
    [
        ({"state": "live"}, [("live", 70)]),
        ({"state": "live", "reason": "2 trades are missing"}, [("down", 70), ("live", 70)]),
        ({"state": "live", "down_ms": 50}, [("down", 20), ("live", 70)]),
        ({"state": "stale", "reason": "a gap"}, [("down", 70)]),
        ({"state": "syncing", "reason": "a gap"}, []),
    ],
)
def test_what_a_status_says_of_candles(fields: dict[str, Any], calls: list[tuple[str, int]]) -> None:
    market, made, nothing = MarketName("nexus", SYMBOL), list[tuple[str, int]](), SimpleNamespace()
    seat = Seat(Path("bot.py"), nothing, set(), nothing, put=print, send=print)  # type: ignore[arg-type]
    noted: Any = SimpleNamespace(down=lambda at: made.append(("down", at)), live=lambda at: made.append(("live", at)))
    seat.candles, seat.candles_from = {market: noted}, {"nexus": "trades"}
    seat._tell = lambda told: None  # type: ignore[method-assign]
    seat._on_status(Told(Status(venue="nexus", received=70, stream="trades", **fields), markets=[market]), 70)
    assert made == calls


def test_levels_from_finer_candles() -> None:
    offered = ["1m", "5m", "1h", "2h", "8h", "1d"]
    assert [made_of(LEVELS[level], offered) for level in ("3m", "3h", "6h", "1w")] == ["1m", "1h", "2h", "1d"]
    candles = Candles(["3m", "1m"], {"3m": "1m", "1m": "1m"})
    assert candles.candle(candle("1m", 0, "5 7 4 6", "1")) == ["1m", "3m"]
    candles.candle(candle("1m", MINUTE, "6 9 6 8", None))
    candles.candle(candle("1m", MINUTE, "6 9 3 8", "2"))
    candles.candle(candle("1m", 2 * MINUTE, "8 8 8 8", "0.5"))
    assert candles.bars("3m")[-1] == {"time": 0, "open": 5.0, "high": 9.0, "low": 3.0, "close": 8.0, "volume": 3.5}
    assert candles.bars("3m").complete[-1]
    candles.candle(candle("1m", 3 * MINUTE, "1 1 1 1", None))
    assert math.isnan(candles.bars("3m")[-1]["volume"])
    candles.candle(candle("1m", 7 * MINUTE, "1 1 1 1"))
    assert candles.bars("3m").complete[-3:].tolist() == [True, True, True]
    begun_late = Candles(["3m"], {"3m": "1m"})
    assert begun_late.candle(candle("1m", 4 * MINUTE, "1 1 1 1")) == ["3m"]
    assert not begun_late.bars("3m").complete[-1]


@pytest.mark.parametrize("live", [False, True])
def test_days_and_weeks_from_minutes_are_those_of_the_trades(live: bool) -> None:
    """Not every minute has a trade, and a week has more of them than are kept."""
    ticks = walk(3_000, seed=5, every_ms=430_000)  # 15 days
    minutes = resampled(ticks, "1m")
    rows = [
        candle("1m", start, f"{row.open} {row.high} {row.low} {row.close}", str(row.volume))
        for start, row in minutes[minutes.volume > 0].iterrows()
    ]
    levels = ["3m", "2h", "1d", "1w"]
    candles = Candles(levels, dict.fromkeys(levels, "1m") if live else None)
    if live:
        assert all(candles.candle(row) == levels for row in rows)
    else:
        for begin in range(0, len(rows), 500):
            candles.history_candles(rows[begin : begin + 500], levels)
        candles.history_done()
    for level in levels:
        assert_equal(candles.bars(level), resampled(ticks, level))
    assert candles.bars("1w").complete[-3:].tolist() == [False, True, True]


def test_what_a_candle_is_put_together_from_is_a_handful() -> None:
    assert ladder("1m", ["1w", "3m"])["1w"] == "1d"
    assert ladder("60m", ["1h", "1d"]) == {"1h": "60m", "3h": "60m", "6h": "3h", "12h": "6h", "1d": "12h"}
    assert ladder("1d", ["1d"]) == {}


def test_candles_whose_beginning_is_not_kept_any_more_are_left_alone() -> None:
    series = Series(MINUTE, size=10)
    for minute in range(20):
        series.candle(minute * MINUTE, (1.0, 1.0, 1.0, 1.0), Decimal(1), complete=True)
    assert series.together(5 * MINUTE, 15 * MINUTE) is None
    whole = series.together(10 * MINUTE, 15 * MINUTE)
    assert whole is not None
    assert whole.volume == 5


def test_history_and_what_comes_live_do_not_count_twice() -> None:
    ticks = walk(50, seed=1, every_ms=9_000)
    candles = Candles(["1m", "1h"])
    for tick in ticks[:30]:
        assert candles.trade(trade(tick))
    twin = ticks[29]._replace(size="7.5")  # of the same millisecond, and another trade
    candles.history_done()
    candles.live(ticks[20].time)
    counted = [candles.trade(trade(tick)) for tick in (*ticks[20:30], twin, *ticks[30:])]
    assert counted == [False] * 10 + [True] * 21
    assert candles.trade(trade(ticks[29])), "one more of the same, and history had one"
    whole = [*ticks[:30], twin, ticks[29], *ticks[30:]]
    for level in ("1m", "1h"):
        assert_equal(candles.bars(level), resampled(whole, level))


def test_history_of_candles_goes_on_with_trades() -> None:
    candles = Candles(["5m", "1h"])
    rows = [candle("1m", BEGIN - BEGIN % (60 * MINUTE) + n * MINUTE, "5 7 4 6") for n in range(10)]
    rows.append(
        candle("1m", rows[-1].start + MINUTE, "6 6 6 6", "1", closed=False, time=rows[-1].start + MINUTE + 30_000)
    )
    candles.history_candles(rows, ["5m", "1h"])
    candles.history_done()
    at = rows[-1].start
    assert not candles.trade(trade(Tick(at + 30_000, "9", "1")))
    assert candles.trade(trade(Tick(at + 30_001, "8", "1")))
    assert candles.bars("5m")[-1] == {"time": at, "open": 6.0, "high": 8.0, "low": 6.0, "close": 8.0, "volume": 2.0}
    assert candles.bars("1h")[-1]["volume"] == 12.0
