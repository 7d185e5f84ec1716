"""What becomes of a symbol's trades: its candles of all lengths, and the figures of its last 24 hours."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import TYPE_CHECKING, Any, Final

from venues.simulator.figures import text
from venues.simulator.tally import DAY, span_of

if TYPE_CHECKING:
    from venues.simulator.market_events import Trade

INTERVALS: Final = ("1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "12h", "1d", "3d", "1w", "1M")
_EXACT: Final = Context(prec=1_000)


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
