"""What becomes of a symbol's trades: its candles of all lengths, and the figures of its last 24 hours."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Context, Decimal
from typing import TYPE_CHECKING, Any, Final

from venues.simulator.figures import text

if TYPE_CHECKING:
    from venues.simulator.market_events import Trade

_MINUTE: Final = 60_000
_HOUR: Final = 60 * _MINUTE
DAY: Final = 24 * _HOUR
_WEEK: Final = 7 * DAY
_MONDAY: Final = 4 * DAY  # 5 January 1970 was one
_MONTH: Final = "1M"
_LENGTHS: Final = {
    "1m": _MINUTE,
    "3m": 3 * _MINUTE,
    "5m": 5 * _MINUTE,
    "15m": 15 * _MINUTE,
    "30m": 30 * _MINUTE,
    "1h": _HOUR,
    "2h": 2 * _HOUR,
    "4h": 4 * _HOUR,
    "6h": 6 * _HOUR,
    "12h": 12 * _HOUR,
    "1d": DAY,
    "3d": 3 * DAY,
    "1w": _WEEK,
}
INTERVALS: Final = (*_LENGTHS, _MONTH)
_EXACT: Final = Context(prec=1_000)


def span_of(interval: str, time: int) -> tuple[int, int]:
    """Start and end of the candle that a time belongs to, in UTC; weeks begin on Monday."""
    if interval == _MONTH:
        first = datetime.fromtimestamp(time / 1000, UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        following = first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
        return int(first.timestamp()) * 1000, int(following.timestamp()) * 1000
    length = _LENGTHS[interval]
    start = time - (time - (_MONDAY if interval == "1w" else 0)) % length
    return start, start + length


@dataclass(slots=True)
class Kline:
    """A candle, begun by a trade."""

    start: int
    end: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    amount: Decimal

    def add(self, trade: Trade) -> None:
        """Count one more trade."""
        self.high, self.low, self.close = max(self.high, trade.price), min(self.low, trade.price), trade.price
        self.volume = _EXACT.add(self.volume, trade.size)
        self.amount = _EXACT.add(self.amount, _EXACT.multiply(trade.price, trade.size))


class Figures:
    """The candles and the last 24 hours of one symbol."""

    def __init__(self) -> None:
        self.klines: dict[str, Kline] = {}
        self._minutes: deque[Kline] = deque()

    def add(self, trade: Trade) -> None:
        """Count a trade everywhere."""
        for interval in INTERVALS:
            kline = self.klines.get(interval)
            if kline is None or trade.time >= kline.end:
                self.klines[interval] = _begun(interval, trade)
            else:
                kline.add(trade)
        minute = self.klines["1m"]
        if not self._minutes or self._minutes[-1] is not minute:
            self._minutes.append(minute)

    def day(self, symbol: str, now: int, middle: Decimal) -> dict[str, Any]:
        """The data of `ticker`; without a trade in 24 hours all prices are the middle of the book."""
        while self._minutes and self._minutes[0].end <= now - DAY:
            self._minutes.popleft()
        bars = self._minutes
        volume, amount = sum((bar.volume for bar in bars), Decimal(0)), sum((bar.amount for bar in bars), Decimal(0))
        return {
            "s": symbol,
            "o": text(bars[0].open if bars else middle),
            "c": text(bars[-1].close if bars else middle),
            "h": text(max((bar.high for bar in bars), default=middle)),
            "l": text(min((bar.low for bar in bars), default=middle)),
            "v": text(volume),
            "a": text(amount),
            "ts": now,
        }

    def kline(self, symbol: str, interval: str) -> dict[str, Any] | None:
        """The data of `kline`, None without a trade. `ts` and `tts` are wrong, as in the document's sample."""
        kline = self.klines.get(interval)
        if kline is None:
            return None
        return {
            "s": symbol,
            "t": interval,
            "o": text(kline.open),
            "c": text(kline.close),
            "h": text(kline.high),
            "l": text(kline.low),
            "v": text(kline.volume),
            "a": text(kline.amount),
            "st": kline.start,
            "et": kline.end,
            "ts": kline.start - 30 * DAY,
            "tts": kline.start - 30 * DAY - 10_000,
        }


def _begun(interval: str, trade: Trade) -> Kline:
    start, end = span_of(interval, trade.time)
    price = trade.price
    return Kline(start, end, price, price, price, price, trade.size, _EXACT.multiply(price, trade.size))
