"""Bars that are lent to callbacks and copied when looked at, and trades that are counted once for all levels."""

from __future__ import annotations

import copy
import logging
import pickle
import random
import threading
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.bot.bars import Bars, Series
from cli.bot.jobs import Job
from cli.bot.market_data import LEVELS, Candles, MarketName
from cli.bot.script import CANDLE, Bot
from cli.bot.seat import Seat
from cli.bot.timing.script_time import ScriptTime
from tests.bot.recordings import MINUTE, SYMBOL, Tick
from tests.bot.test_candles import MONDAY, candle, trade
from venues.records import Trade

if TYPE_CHECKING:
    from collections.abc import Callable

NEXUS = MarketName("nexus", SYMBOL)
HOUR = 60 * MINUTE
ROWS = ("times", "opens", "highs", "lows", "closes", "volumes", "complete")


def assert_same(bars: Bars, other: Bars, where: str = "") -> None:
    for name in ROWS:
        np.testing.assert_array_equal(getattr(bars, name), getattr(other, name), err_msg=f"{name} {where}")


def traded(time: int, price: str, size: str = "1") -> Trade:
    return trade(Tick(time, price, size))


# --- counted once ---------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.randoms(use_true_random=False), st.sampled_from([1, 40, 2_000, 70_000]), st.booleans())
def test_trades_counted_once_are_as_if_counted_in_each_level(drawn: random.Random, step: int, unknown: bool) -> None:
    """In and out of order, within a minute and over many, some of unknown size; looked at again and again."""
    candles = Candles([*LEVELS])
    each = {level: Series(length) for level, length in LEVELS.items()}
    time = MONDAY + drawn.randrange(7 * 24 * HOUR)
    for number in range(drawn.randrange(2, 120)):
        time += drawn.randrange(step)
        of = time - drawn.choice([0, 0, 0, 1, drawn.randrange(2 * step + 1), drawn.randrange(10 * MINUTE)])
        tick = traded(of, str(drawn.randrange(1, 50)), f"0.{drawn.randrange(1, 999):03}")
        tick = Trade(**{**_fields(tick), "size_unit": "lots" if unknown and drawn.random() < 0.05 else None})
        assert candles.trade(tick)
        for series in each.values():
            series.trade(of, float(tick.price), tick.size if tick.size_unit is None else None)
        if drawn.random() < 0.15:
            for level, series in each.items():
                assert_same(candles.bars(level), series.bars(), f"{level} after {number}")
    for level, series in each.items():
        assert_same(candles.bars(level), series.bars(), level)


def _fields(tick: Trade) -> dict[str, Any]:
    return {name: getattr(tick, name) for name in tick.__struct_fields__}


def test_most_trades_are_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[int] = []
    monkeypatch.setattr(Series, "trade", lambda series, *_, of=Series.trade: (counted.append(1), of(series, *_))[1])
    candles = Candles([*LEVELS])
    for number in range(1_000):
        candles.trade(traded(MONDAY + number, "5"))
    assert len(counted) == len(LEVELS)
    assert candles.bars("1w")[-1]["volume"] == 1_000


@pytest.mark.parametrize("level", ["1m", "1d"])
def test_what_is_counted_once_does_not_hide_that_trades_were_missed(level: str) -> None:
    candles = Candles([level])
    candles.live(MONDAY - 2 * MINUTE)
    for number in range(3):
        candles.trade(traded(MONDAY + number, "5"))
    assert candles.bars(level).complete[-1]
    candles.down(MONDAY + 10)
    candles.live(MONDAY + 500)
    candles.trade(traded(MONDAY + 600, "6"))
    assert not candles.bars(level).complete[-1]
    assert candles.bars(level)[-1]["volume"] == 4


def test_live_again_alone_is_watched_anew() -> None:
    candles = Candles(["1m"])
    candles.trade(traded(MONDAY, "5"))
    candles.trade(traded(MONDAY + 1, "5"))
    candles.live(MONDAY + 500)
    candles.trade(traded(MONDAY + 600, "6"))
    assert not candles.bars("1m").complete[-1]


def test_a_trade_that_history_has_is_not_counted_behind_later_ones() -> None:
    candles = Candles(["1m", "1h"])
    for number in range(3):
        candles.trade(traded(MONDAY + 10 * number, "5"))
    candles.history_done()
    for number in (50, 60, 20, 15):  # the last two are in the history, or would be
        candles.trade(traded(MONDAY + number, "9"))
    candles.trade(traded(MONDAY + 20, "5"))
    assert [candles.bars(level)[-1]["volume"] for level in ("1m", "1h")] == [6, 6], "5 at 20 ms is had; 9 is another"
    candles.history_done()
    assert not candles.trade(traded(MONDAY + 60, "9"))
    assert candles.trade(traded(MONDAY + 60, "9", "2"))


def test_many_trades_of_one_millisecond_are_known_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.bot.market_data.MOST_NEWEST", 3)
    candles = Candles(["1m"])
    for number in range(10):
        candles.trade(traded(MONDAY, str(5 + number % 2)))
    assert len(candles._newest) < 3
    candles.history_done()
    again = [candles.trade(traded(MONDAY, price)) for price in ["5"] * 6 + ["6"] * 6]
    assert again == [False] * 5 + [True] + [False] * 5 + [True]


def test_whole_candles_and_new_levels_come_behind_what_was_counted_once() -> None:
    candles = Candles(["1m"])
    for number in range(3):
        candles.trade(traded(MONDAY + number, str(5 + number)))
    candles.begin_levels(["5m"], _now(MONDAY + 3))
    candles.trade(traded(MONDAY + 4, "9"))
    candles.trade(traded(MONDAY + 5, "3"))
    assert [candles.bars(level)[-1]["volume"] for level in ("1m", "5m")] == [5, 2]
    assert [candles.bars(level)[-1]["open"] for level in ("1m", "5m")] == [5, 9]
    candles.history_candles([candle("1m", MONDAY, "1 9 1 2", "7")], ["5m"])
    assert candles.bars("1m")[-1]["volume"] == 7
    assert candles.bars("5m")[-1] == {"time": MONDAY, "open": 1, "high": 9, "low": 1, "close": 2, "volume": 7}


def test_a_whole_candle_takes_the_place_of_trades_that_were_counted_once() -> None:
    candles = Candles(["1m"], {"1m": "1m"})
    for number in range(3):
        candles.trade(traded(MONDAY + number, str(5 + number)))
    assert candles.candle(candle("1m", MONDAY, "1 4 1 2", "7")) == ["1m"]
    assert candles.bars("1m")[-1] == {"time": MONDAY, "open": 1, "high": 4, "low": 1, "close": 2, "volume": 7}


def _now(at: int) -> Any:
    from venues.venue import Now

    return Now(at / 1000, at)


# --- lent -----------------------------------------------------------------------------------------------------------


def seat_of(level_callbacks: dict[str, Callable[..., Any]]) -> Seat:
    seat = Seat(
        Path("bot.py"),
        ScriptTime(),
        set(),
        _Voice(),  # type: ignore[arg-type]
        put=lambda record, source: None,
        send=lambda frame: None,
    )
    seat.candles = {NEXUS: Candles([*level_callbacks])}
    seat.candles_from = {"nexus": "trades"}
    seat.logger = logging.getLogger("test")
    seat.bot = Bot("bot.py", {f"{CANDLE}{level}": call for level, call in level_callbacks.items()}, {})
    return seat


class _Voice:
    def __init__(self) -> None:
        self.faults: list[str] = []
        self.said: list[str] = []

    def seldom(self, _kind: str, text: str) -> None:
        self.said.append(text)

    def fault(self, error: BaseException, name: str, _bot: str) -> None:
        self.faults.append(f"{name}: {error!r}")


def give(seat: Seat, count: int, first: int = 0) -> None:
    for number in range(first, first + count):
        seat.do(Job("trade", traded(MONDAY + 7_000 * number, str(10 + number)), MONDAY, 0.0, NEXUS))


def test_bars_that_a_script_keeps_stay_as_they_were() -> None:
    kept: list[Bars] = []
    seen: list[tuple[float, float]] = []

    def keep(_src: str, _sym: str, bars: Bars) -> None:
        kept.append(bars)  # not looked at before later

    def look(_src: str, _sym: str, bars: Bars) -> None:
        seen.append((bars[-1]["close"], bars.volumes[-1]))

    seat = seat_of({"1m": keep, "1h": look})
    give(seat, 20)
    candles = Candles(["1m", "1h"])
    for number, bars in enumerate(kept):
        candles.trade(traded(MONDAY + 7_000 * number, str(10 + number)))
        assert_same(bars, candles.bars("1m"), str(number))
    assert len({id(bars) for bars in kept}) == 20
    assert seen == [(10 + number, number + 1) for number in range(20)]


@pytest.mark.parametrize(
    "kept",
    [
        lambda bars: copy.copy(bars),
        lambda bars: copy.deepcopy(bars),
        lambda bars: pickle.loads(pickle.dumps(bars)),
        lambda bars: bars.closes,
        lambda bars: bars[-1:],
        lambda bars: iter(bars),
        lambda bars: bars.__getitem__,
        lambda bars: {"of": [bars]},
    ],
)
def test_nothing_that_is_made_of_bars_changes_later(kept: Callable[[Bars], Any]) -> None:
    made: list[Any] = []
    seat = seat_of({"1m": lambda _src, _sym, bars: made.append(kept(bars))})
    give(seat, 1)
    first = made.pop()
    give(seat, 12, first=1)
    if callable(first):
        first = first(-1)
    elif isinstance(first, dict):
        first = first["of"][0]
    elif hasattr(first, "__next__"):
        first = [*first]
    last = first if isinstance(first, dict) else first[-1]
    assert last == 10 if isinstance(last, float) else last["close"] == 10


def test_what_a_script_writes_into_its_arrays_is_its_own() -> None:
    seen: list[float] = []

    def spoil(_src: str, _sym: str, bars: Bars) -> None:
        seen.append(bars.closes[-1])
        bars.closes[:] = -1
        assert bars.closes[-1] == -1

    give(seat_of({"1m": spoil}), 3)
    assert seen == [10, 11, 12]


def test_bars_of_a_callback_that_raises_are_lent_no_longer() -> None:
    kept: list[Any] = []

    def fail(_src: str, _sym: str, bars: Bars) -> None:
        try:
            raise ValueError(bars)
        except ValueError as error:
            kept.append(error)
            raise

    seat = seat_of({"1m": fail})
    give(seat, 3)
    assert [error.args[0][-1]["close"] for error in kept] == [10, 11, 12]
    assert len(seat._voice.faults) == 3  # type: ignore[attr-defined]


def test_a_thread_that_has_bars_sees_them_as_they_were() -> None:
    """Also when it looks long after the callback."""
    go_on, seen = threading.Event(), []
    threads: list[threading.Thread] = []

    def later(_src: str, _sym: str, bars: Bars) -> None:
        threads.append(threading.Thread(target=lambda: (go_on.wait(10), seen.append(bars[-1]["close"]))))
        threads[-1].start()

    give(seat_of({"1m": later}), 4)
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert sorted(seen) == [10, 11, 12, 13]


def test_bars_that_nobody_has_are_copied_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    copies: list[int] = []
    monkeypatch.setattr(Series, "shown", lambda series, of=Series.shown: (copies.append(1), of(series))[1])
    names: list[str] = []
    give(seat_of({level: lambda _src, sym, _bars: names.append(sym) for level in LEVELS}), 5)
    assert (len(names), copies) == (5 * len(LEVELS), [])
    give(seat_of({"1m": lambda _src, _sym, bars: (bars.closes, bars.highs, bars[-1])}), 5)
    assert len(copies) == 5


def test_a_script_that_was_loaded_anew_gets_the_next_candle() -> None:
    calls: list[str] = []
    seat = seat_of({"1m": lambda _src, _sym, bars: calls.append(f"old {bars[-1]['close']}")})
    give(seat, 1)
    seat.bot = Bot("bot.py", {f"{CANDLE}1m": lambda _src, _sym, bars: calls.append(f"new {bars[-1]['close']}")}, {})
    give(seat, 1, first=1)
    assert calls == ["old 10.0", "new 11.0"]


def test_other_candles_of_a_market_lend_their_own_bars() -> None:
    volumes: list[float] = []
    seat = seat_of({"1m": lambda _src, _sym, bars: volumes.append(bars[-1]["volume"])})
    give(seat, 3)
    seat.candles = {NEXUS: Candles(["1m"])}
    give(seat, 2, first=3)
    assert volumes == [1, 2, 3, 1, 2]


def test_of_several_candle_callbacks_only_the_slow_one_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    seat = seat_of({level: lambda _src, _sym, _bars: None for level in ("1m", "3m", "5m")})
    clock = iter([10.0, 10.05, 10.25, 10.3])  # the second one took 0.2 s
    monkeypatch.setattr("cli.bot.seat.time", SimpleNamespace(monotonic=lambda: next(clock)))
    give(seat, 1)
    assert seat._voice.said == [  # type: ignore[attr-defined]
        f"bot.py: candle_update_3m for nexus:{SYMBOL} took 0.20 s"
    ]


def test_what_runs_is_named_while_it_runs() -> None:
    found: list[Any] = []
    seat = seat_of({level: lambda _src, _sym, _bars: found.append(seat.running) for level in ("1m", "5m")})
    give(seat, 1)
    assert [(running.name, running.market) for running in found] == [
        ("candle_update_1m", NEXUS),
        ("candle_update_5m", NEXUS),
    ]
    assert seat.running is None


def test_good_decimals_are_added_exactly_however_they_are_grouped() -> None:
    candles, series = Candles(["1m", "3m"]), Series(MINUTE)
    for number, size in enumerate(["0.1", "0.7", "1E+3", "0.00000000000000000001", "0.2"] * 3):
        candles.trade(traded(MONDAY + number, "5", size))
        series.trade(MONDAY + number, 5.0, Decimal(size))
    assert_same(candles.bars("1m"), series.bars())
