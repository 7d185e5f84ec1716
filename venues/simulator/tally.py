"""Sums up the trades of a market: the last 24 hours, and the current candle of every time scale."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from venues.simulator.market import MarketBook
    from venues.simulator.market_events import Trade

MINUTE: Final = 60_000
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
_WEEK: Final = 7 * DAY
_FIRST_MONDAY: Final = 4 * DAY  # 5 January 1970
_MONTH: Final = "1M"
_LENGTHS: Final = {
    "1m": MINUTE,
    "3m": 3 * MINUTE,
    "5m": 5 * MINUTE,
    "15m": 15 * MINUTE,
    "30m": 30 * MINUTE,
    "1h": HOUR,
    "2h": 2 * HOUR,
    "4h": 4 * HOUR,
    "6h": 6 * HOUR,
    "8h": 8 * HOUR,
    "12h": 12 * HOUR,
    "1d": DAY,
    "3d": 3 * DAY,
    "1w": _WEEK,
}
SCALES: Final = ("1m", "5m", "15m", "30m", "1h", "2h", "4h", "8h", "12h", "1d", "1w", _MONTH)  # of a tally


class Span(NamedTuple):
    """The prices of a span of time, which begins at `start` and ends before `end`."""

    start: int
    end: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal

    def and_then(self, price: Decimal) -> Span:
        """The same span with one more trade at this price."""
        start, end, first, high, low, _ = self
        return Span(start, end, first, max(high, price), min(low, price), price)


def span_of(scale: str, time: int) -> tuple[int, int]:
    """Start and end of the candle into which a time falls. Weeks begin on Monday, all in UTC."""
    if scale == _MONTH:
        day = datetime.fromtimestamp(time / 1000, UTC)
        following = divmod(day.year * 12 + day.month, 12)
        return _first_of(day.year, day.month), _first_of(following[0], following[1] + 1)
    length = _LENGTHS[scale]
    offset = _FIRST_MONDAY if scale == "1w" else 0
    start = time - (time - offset) % length
    return start, start + length


class Tally:
    """Takes every trade of a market, and gives its figures of the present."""

    def __init__(self, market: MarketBook) -> None:
        self._market = market
        self._minutes: deque[Span] = deque()
        self._day: Span | None = None
        self._candles: dict[str, Span] = {}

    @property
    def last(self) -> Decimal:
        """The last price; before the first trade the best bid, or else the best ask; 0 in an empty market."""
        if self._market.last is not None:
            return self._market.last.price
        best = self._market.best("buy") or self._market.best("sell")
        return Decimal(0) if best is None else best

    def add(self, trade: Trade) -> None:
        """Adds a trade to its candles and to the last 24 hours."""
        for scale in SCALES:
            candle = self._candles.get(scale)
            if candle is not None and trade.time < candle.end:
                self._candles[scale] = candle.and_then(trade.price)
            else:
                self._candles[scale] = _opened(*span_of(scale, trade.time), trade.price)
        minute = self._candles["1m"]
        if self._minutes and self._minutes[-1].start == minute.start:
            self._minutes[-1] = minute
        else:
            self._minutes.append(minute)
        if self._day is not None:
            self._day = self._day.and_then(trade.price)

    def day(self, now: int) -> Span:
        """The last 24 hours, to the minute; `open` is the price 24 hours ago, or the first one if that is later."""
        while self._minutes and self._minutes[0].end <= now - DAY:
            self._minutes.popleft()
            self._day = None
        if not self._minutes:
            return _opened(now - DAY, now, self.last)
        if self._day is None:
            self._day = self._summed()
        return self._day

    def candle(self, scale: str, now: int) -> Span:
        """The current candle; without a trade in it, all its prices are the last price."""
        start, end = span_of(scale, now)
        candle = self._candles.get(scale)
        return candle if candle is not None and candle.start >= start else _opened(start, end, self.last)

    def _summed(self) -> Span:
        first, last = self._minutes[0], self._minutes[-1]
        high = max(minute.high for minute in self._minutes)
        low = min(minute.low for minute in self._minutes)
        return Span(first.start, last.end, first.open, high, low, last.close)


def _opened(start: int, end: int, price: Decimal) -> Span:
    return Span(start, end, price, price, price, price)


def _first_of(year: int, month: int) -> int:
    return int(datetime(year, month, 1, tzinfo=UTC).timestamp()) * 1000
