"""What a script gets of a market: quotes and trades in the documented shapes, and candles of each level."""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from venues.toolkit.candles import Held, interval_ms, start_of
from venues.toolkit.clock import FAR, LONGEST_LATENCY, VenueClock
from venues.venue import Now

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from decimal import Decimal

    from cli.bot.bars import Bars, Series, Tail
    from venues.records import Candle, Quote, Trade

# Shortest first.
NAMES = ("1m", "3m", "5m", "15m", "30m", "1h", "2h", "3h", "4h", "6h", "12h", "1d", "1w")
LEVELS = {name: interval_ms(name) for name in NAMES}
NAN = float("nan")
UNNOTICED = 10_000  # milliseconds that a dead line can go unnoticed: a ping every 5 s, 5 s for its answer
MOST_NEWEST = 10_000  # trades of one millisecond that are kept one by one
MOST_KEPT = 4_000  # candles of an interval that others are put together from, also where some come late
_SIDES = {"buy": "Buy", "sell": "Sell"}


class MarketName(NamedTuple):
    """A venue and a symbol there: `src` and `sym` of a script."""

    venue: str
    symbol: str

    def __str__(self) -> str:
        return f"{self.venue}:{self.symbol}"


# --- levels --------------------------------------------------------------------------------------------------------


def made_of(length: int, candidates: Iterable[str]) -> str | None:
    """The longest candidate that candles of `length` (ms) can be put together from; None when none fits."""
    fitting = [name for name in candidates if length % interval_ms(name) == 0]
    return max(fitting, key=interval_ms, default=None)


def ladder(interval: str, levels: Iterable[str]) -> dict[str, str]:
    """What each level is put together from, shortest first: candles of `interval`, or of a level in between.

    So a few candles make one: a week is seven days, and not 10,080 minutes. The levels in between are in it too.
    """
    finest = interval_ms(interval)
    between = [name for name in NAMES if LEVELS[name] > finest and LEVELS[name] % finest == 0]
    made: dict[str, str] = {}
    wanted = list(levels)
    while wanted:
        level = wanted.pop()
        if level != interval and level not in made:
            shorter = [name for name in between if LEVELS[name] < LEVELS[level]]
            source = made_of(LEVELS[level], [interval, *shorter])
            assert source is not None, f"{level} cannot be put together from {interval}"
            made[level] = source
            wanted.append(source)
    return {level: made[level] for level in NAMES if level in made}


# --- one market ----------------------------------------------------------------------------------------------------


def quote_data(quote: Quote) -> dict[str, Any]:
    """`{'bid': [price, size], 'ask': [price, size], 'time'}`; NaN for what the venue did not send."""
    return {
        "bid": [_float(quote.bid_price), _size(quote, quote.bid_size)],
        "ask": [_float(quote.ask_price), _size(quote, quote.ask_size)],
        "time": time_of(quote),
    }


def trade_data(trade: Trade) -> dict[str, Any]:
    """`{'side': 'Buy' or 'Sell' (the taker's), 'price', 'size', 'time'}`."""
    return {
        "side": _SIDES[trade.side],
        "price": float(trade.price),
        "size": _size(trade, trade.size),
        "time": time_of(trade),
    }


def time_of(record: Quote | Trade | Candle) -> int:
    """The venue's time in milliseconds since the epoch, ours where it sends none."""
    return record.received if record.time is None else record.time


def _float(value: Decimal | None) -> float:
    return NAN if value is None else float(value)


def _size(record: Quote | Trade, size: Decimal | None) -> float:
    """A size as a float; NaN in a unit that nobody can convert."""
    return NAN if size is None or record.size_unit is not None else float(size)


def _prices(candle: Candle) -> tuple[float, float, float, float]:
    return float(candle.open), float(candle.high), float(candle.low), float(candle.close)


def _volume(candle: Candle) -> Decimal | None:
    return candle.volume if candle.size_unit is None else None


class Candles:
    """The candles of one market in all levels that a bot wants.

    A trade whose time is not believed yet (`venues.toolkit.clock`) is counted later, once it is believed. The candles
    that were open when it came are not complete.

    History comes first, and `history_done` ends it. A trade that is in the history is not counted again.
    """

    def __init__(self, levels: Sequence[str], finer: dict[str, str] | None = None) -> None:
        """Where whole candles come instead of trades, `finer` has for a level the interval that it is made of."""
        from cli.bot.bars import Series, common_tail

        self.levels = list(levels)
        self._new, self._common_tail = Series, common_tail
        self._series: dict[str, Series] = {level: Series(LEVELS[level]) for level in levels}
        self._finer = finer or {}
        self._parts: dict[str, Series] = {}  # of what others are put together from
        self._ladders = {interval: self._ladder(interval, self._made_of(interval)) for interval in self._finer.values()}
        self._traded = [*self._series.values(), *self._parts.values()]  # without those that only a history needs
        self._clock = VenueClock()
        self._seen_at = -1  # our time of the latest trade
        self._held: Held[Trade] = Held()
        self._holds = False  # any, as far as is known: it is asked with every trade
        self._covered = -1  # the venue's time up to which history has every trade
        self._at_cover: Counter[tuple[Decimal, Decimal, str]] | None = None  # None: all of that millisecond
        self._latest = -1
        self._newest: list[Trade] = []  # those of that time …
        self._at_latest: Counter[tuple[Decimal, Decimal, str]] | None = None  # … with those that were too many for it
        self._tail: Tail | None = None  # the latest trades, counted once for all that is made of trades
        self._lock = threading.Lock()  # held while the tail changes hands: a thread of the script's may look
        self._down_since: int | None = None
        self._live_at: int | None = None
        self._watched = False

    def begin_levels(self, levels: Sequence[str], now: Now) -> None:
        """Have more levels, made of the trades that come from now on: of what came before, nothing is known."""
        self._end_tail()
        for level in levels:
            series = self._series[level] = self._new(LEVELS[level])
            series.unseen(float("-inf"), self._clock.venue_now(now))
            self._traded.append(series)
            self.levels.append(level)

    def bars(self, level: str, now: int = 0) -> Bars:
        """The last 360 candles of a level, as they are now (epoch ms)."""
        with self._lock:
            return self._series[level].bars(now)

    def series(self, level: str) -> Series:
        """The candles of a level, which lend their bars."""
        return self._series[level]

    @property
    def latest(self) -> int:
        """The venue's time up to which anything is known, in milliseconds since the epoch; -1 when nothing is."""
        return self._latest

    def known(self, level: str) -> bool:
        """Whether there is any candle of a level."""
        return not self._series[level].empty

    # --- what comes in

    def trade(self, trade: Trade) -> bool:
        """Take a trade, and tell whether it counted.

        It does not when history has it already, or when its time is not believed yet.
        """
        received, clock = trade.received, self._clock
        time = received if trade.time is None else trade.time
        if received == self._seen_at:  # of one message: a list of old trades proves no clock
            believed = time - received - clock.offset_ms < FAR
        else:
            self._seen_at, believed = received, clock.see(time, Now(received / 1000, received))
        if clock.items:
            clock.take()  # the venue's session says it
        if not believed:
            self._hold(time, trade)
            return False
        if not self._holds:
            return self._count(trade, time)
        counted = [self._count(held, of) for of, held in self._held.believed(clock)]
        self._holds = bool(self._held)
        return self._count(trade, time) or any(counted)

    def _hold(self, time: int, trade: Trade) -> None:
        now = Now(trade.received / 1000, trade.received)
        self._held.hold(time, now, trade)
        self._holds = True
        venue_now = self._clock.venue_now(now)
        for series in self._traded:
            series.unseen(venue_now, venue_now + 1)

    def _count(self, trade: Trade, time: int) -> bool:
        tail = self._tail
        if tail is not None and tail.begin <= time < tail.end:
            tail.trade(time, float(trade.price), trade.size if trade.size_unit is None else None)
        elif not self._count_in_each(trade, time):
            return False
        if time > self._latest:
            self._latest, self._at_latest, self._newest = time, None, [trade]
        elif time == self._latest:
            self._newest.append(trade)
            if len(self._newest) >= MOST_NEWEST:
                self._at_latest = self._all_at_latest()
        return True

    def _all_at_latest(self) -> Counter[tuple[Decimal, Decimal, str]]:
        """The trades of the latest time, by what they are known again; they are counted when somebody asks."""
        found = self._at_latest or Counter()
        found.update((trade.price, trade.size, trade.side) for trade in self._newest)
        self._newest = []
        return found

    def _count_in_each(self, trade: Trade, time: int) -> bool:
        """Count a trade in each series by itself; the trades that follow are their tail, where they stand alike."""
        self._end_tail()
        if not self._watched and self._live_at is not None:
            self._watch(time, trade.received)
        if time <= self._covered and self._has(trade, time):
            return False
        size = trade.size if trade.size_unit is None else None
        price = float(trade.price)
        with self._lock:
            for series in self._traded:
                series.trade(time, price, size)
            self._tail = self._common_tail(self._traded, since=self._covered + 1)
        return True

    def _end_tail(self) -> None:
        """Count in each series what was counted once for all of them."""
        if self._tail is not None:
            with self._lock:
                self._tail = None
                for series in self._traded:
                    series.take_tail()

    def candle(self, candle: Candle) -> list[str]:
        """Take a whole candle; the result is the levels that it changes."""
        self._end_tail()
        if not self._watched and self._live_at is not None:
            self._watch(candle.start, candle.received)
        self._latest = max(self._latest, candle.start)
        if candle.interval not in self._ladders:
            return []
        self._take(candle)
        for level, source in self._ladders[candle.interval].items():
            self._put_together(level, source, candle.start)
        return self._made_of(candle.interval)

    def down(self, at: int) -> None:
        """The market is no longer live since `at` (our time, epoch ms); of several such times the earliest counts."""
        self._down_since = at if self._down_since is None else min(self._down_since, at)
        self._live_at, self._watched = None, False

    def live(self, at: int) -> None:
        """The market is live since `at` (our time, epoch ms)."""
        self._end_tail()
        if not self._watched:
            self._live_at = at

    def _watch(self, time: int, received: int) -> None:
        """The first trade after a connection tells how the venue's clock goes. From then on every trade is seen."""
        assert self._live_at is not None
        offset = self._clock.offset_ms
        behind = received + offset - time
        since = self._live_at + offset  # also where the first trade came late: what came with it is all that was seen
        if not 0 <= behind <= LONGEST_LATENCY:
            since = min(time, since + max(0, -behind))
        begin = self._latest if self._down_since is None else max(self._latest, self._down_since - UNNOTICED)
        for series in (*self._series.values(), *self._parts.values()):
            series.unseen(begin if begin >= 0 else float("-inf"), since)
        self._watched, self._down_since = True, None

    def _has(self, trade: Trade, time: int) -> bool:
        """Whether history has a trade. Of history's last millisecond, only the trades that it lists count as had."""
        if time < self._covered or self._at_cover is None:
            return True
        key = (trade.price, trade.size, trade.side)
        if self._at_cover[key] <= 0:
            return False
        self._at_cover[key] -= 1
        return True

    # --- candles that are put together

    def _made_of(self, interval: str) -> list[str]:
        """The levels that a whole candle of an interval changes."""
        return [level for level in LEVELS if self._finer.get(level) == interval]

    def _ladder(self, interval: str, levels: Sequence[str]) -> dict[str, str]:
        """How the levels are put together from an interval. Makes room for the levels in between."""
        made = ladder(interval, levels)
        for source in made.values():
            if source not in self._parts:
                self._parts[source] = self._new(interval_ms(source), MOST_KEPT)
        return made

    def _take(self, candle: Candle, until: int | None = None) -> None:
        prices, volume = _prices(candle), _volume(candle)
        for series in self._kept_of(candle.interval):
            series.candle(candle.start, prices, volume, complete=candle.complete, until=until)

    def _put_together(self, level: str, source: str, start: int) -> None:
        length = LEVELS[level]
        begin = start_of(start, length)
        made = self._parts[source].together(begin, begin + length)
        if made is not None:
            for series in self._kept_of(level):
                series.candle(begin, made.prices, made.volume, complete=made.complete, until=made.until)

    def _kept_of(self, interval: str) -> list[Series]:
        both = (self._series.get(interval), self._parts.get(interval))
        return [series for series in both if series is not None]

    # --- history

    def history_candles(self, candles: Sequence[Candle], levels: Sequence[str]) -> None:
        """Take whole candles from before the start, all of one interval, for the levels that are made of them.

        They may come in several calls.
        """
        if not candles:
            return
        self._end_tail()
        made = self._ladder(candles[0].interval, levels)
        for candle, following in zip(candles, [*candles[1:], None], strict=True):
            until = None if candle.closed else time_of(candle)
            self._take(candle, until)
            for level, source in made.items():
                length = LEVELS[level]
                if following is None or start_of(following.start, length) != start_of(candle.start, length):
                    self._put_together(level, source, candle.start)
            self._latest = max(self._latest, candle.end - 1 if until is None else min(until, candle.end - 1))
        self._at_latest, self._newest = None, []

    def history_done(self) -> None:
        """End the history: what comes from now on and is not later than its last is in it already."""
        self._end_tail()
        self._covered = self._latest
        self._at_latest = self._all_at_latest()
        self._at_cover = self._at_latest.copy() or None
        self._down_since, self._live_at, self._watched = None, None, False
