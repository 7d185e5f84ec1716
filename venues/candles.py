"""Candles built from trades."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from venues.errors import UsageError
from venues.numbers import add

if TYPE_CHECKING:
    from decimal import Decimal

SECOND = 1_000
DAY = 86_400 * SECOND
WEEK = 7 * DAY
MONDAY = 4 * DAY  # the epoch began on a Thursday; weeks begin on Monday

_UNITS = {"s": SECOND, "m": 60 * SECOND, "h": 3_600 * SECOND, "d": DAY, "w": WEEK}
LATE_TRADES = 2_000  # milliseconds after its end in which trades of a candle are still awaited


def interval_ms(interval: str) -> int:
    """The length of a candle in milliseconds, from "30s", "1m", "4h", "1d" or "1w".

    Raises:
        UsageError: not of that form, or not a whole part of a day, one day or one week.
    """
    match = re.fullmatch(r"([1-9][0-9]{0,5})([smhdw])", interval)
    length = int(match[1]) * _UNITS[match[2]] if match else 0
    if not length or (length not in (DAY, WEEK) and DAY % length):
        raise UsageError(
            f'expected an interval that divides a day evenly, such as 30s, 1m, 15m, 4h, 1d, or 1w, got "{interval}"'
        )
    return length


def start_of(time: int, length: int) -> int:
    """The start of the interval that holds `time`; both in milliseconds, aligned to UTC."""
    offset = MONDAY if length == WEEK else 0
    return (time - offset) // length * length + offset


class Bar(NamedTuple):
    """A candle under construction or done; times in milliseconds, `end` exclusive."""

    start: int
    end: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    closed: bool
    complete: bool


class CandleBuilder:
    """Builds candles of one length from trades in order of arrival.

    A candle is complete when trades were seen without a break from its start on. A candle is closed by the first
    trade of a later one, or by the clock; a trade that comes later still corrects it.
    """

    def __init__(self, length: int) -> None:
        self._length = length
        self._seen_since: int | None = None  # the venue's time since when every trade was seen
        self._lag = 0
        self._current: Bar | None = None
        self._previous: Bar | None = None

    def interrupted(self) -> None:
        """Trades may have been missed: what is not closed can never become complete."""
        self._seen_since = None
        if self._current is not None:
            self._current = self._current._replace(complete=False)

    def watching(self, since: int) -> None:
        """Trades are seen again from `since` on (milliseconds)."""
        if self._seen_since is None:
            self._seen_since = since

    def trade(self, time: int, price: Decimal, size: Decimal, received: int) -> list[Bar]:
        """The candles that a trade changes or closes, in order."""
        self._lag = max(0, received - time)
        start = start_of(time, self._length)
        if self._current is None or start > self._current.start:
            closed = [] if self._current is None else self._close()
            seen = self._seen_since is not None and self._seen_since <= start
            self._current = Bar(start, start + self._length, price, price, price, price, size, False, seen)
            return [*closed, self._current]
        if start == self._current.start:
            self._current = _extended(self._current, price, size)
            return [self._current]
        if self._previous is not None and start == self._previous.start:
            self._previous = _extended(self._previous, price, size)
            return [self._previous]
        return []  # older than what is kept; those candles were closed long ago

    def closing_time(self) -> int | None:
        """Our clock, in milliseconds, at which `close_by_clock` is due."""
        if self._current is None or self._current.closed:
            return None
        return self._current.end + self._lag + LATE_TRADES

    def close_by_clock(self, epoch_ms: int) -> list[Bar]:
        """The candle that the clock closes, if any."""
        due = self.closing_time()
        if due is None or epoch_ms < due or self._current is None:
            return []
        self._current = self._current._replace(closed=True)
        return [self._current]

    def _close(self) -> list[Bar]:
        assert self._current is not None
        already = self._current.closed
        self._previous = self._current._replace(closed=True)
        return [] if already else [self._previous]


def _extended(bar: Bar, price: Decimal, size: Decimal) -> Bar:
    return bar._replace(high=max(bar.high, price), low=min(bar.low, price), close=price, volume=add(bar.volume, size))
