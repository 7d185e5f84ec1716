"""Candles of which `mon` has not seen all: some of the interval's trades must explain each of their figures.

Which of them are missing nobody can know, so there is no one truth to compare with. But a candle is made of trades:
there must be some, in their order, that have exactly its open, high, low, close and volume.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from time import time
from typing import Any, NamedTuple

from tests.faults.truths import Told
from venues.simulator.market_events import Event, Trade

CLOCK_STEP = 1_000  # milliseconds by which a time may be ahead of the moment at which it is read


class Traded(NamedTuple):
    """A trade, and when it happened, in seconds of this machine's clock."""

    at: float
    price: Decimal
    size: Decimal


class PartCandles:
    """The trades of a market by interval, and what is wrong with a candle that has only some of them."""

    def __init__(self, told: Told, market: str, symbol: str, interval: str, length_ms: int) -> None:
        self._market = market
        self._said = {"symbol": symbol, "interval": interval}
        self._length = length_ms
        self._trades: dict[int, list[Traded]] = defaultdict(list)
        told.hear(self._hear)

    def examine(self, record: Mapping[str, Any], at: float) -> str:
        """In words what is wrong with a candle that was printed at that time; empty for nothing."""
        start, end = record["start"], record["end"]
        if wrong := [f"{name} {record[name]}" for name, said in self._said.items() if record[name] != said]:
            return f"a candle of {', '.join(wrong)}"
        if start % self._length or end != start + self._length:
            return f"a candle from {start} to {end}, which is no interval"
        told = record.get("time", start)  # none where our own clock has closed it
        if not start <= told <= at * 1000 + CLOCK_STEP:
            return f"{start}: its time is {told}, and it was printed at {at:.3f}"
        if record["closed"] and at * 1000 + CLOCK_STEP < end:
            return f"{start}: closed at {at:.3f}, before its end"
        if record["complete"]:
            return ""  # that is compared with the venue's own
        happened = [one for one in self._trades[start] if one.at <= at]
        words = unexplained(happened, *(record[name] for name in ("open", "high", "low", "close", "volume")))
        return f"{start}: {words}, printed at {at:.3f}" if words else ""

    def _hear(self, event: Event) -> None:
        if isinstance(event, Trade) and event.market == self._market:
            start = event.time - event.time % self._length
            self._trades[start].append(Traded(time(), event.price, event.size))


def unexplained(
    trades: Sequence[Traded], opened: Decimal, high: Decimal, low: Decimal, close: Decimal, volume: Decimal
) -> str:
    """In words which figure no part of these trades can have; empty where one has them all."""
    prices = {one.price for one in trades}
    for name, figure in {"open": opened, "high": high, "low": low, "close": close}.items():
        if figure not in prices:
            return f"{name} {figure}, and no trade of it had that price"
        if not low <= figure <= high:
            return f"{name} {figure}, which is not from low {low} to high {high}"
    whole = sum((one.size for one in trades), Decimal(0))
    if volume > whole:
        return f"volume {volume}, and all of its trades come to {whole}"
    within = [one for one in trades if low <= one.price <= high]
    if not _has_part(within, opened, high, low, close, volume):
        return f"open {opened}, high {high}, low {low}, close {close}, volume {volume}, which no part of its trades has"
    return ""


def _has_part(
    trades: Sequence[Traded], opened: Decimal, high: Decimal, low: Decimal, close: Decimal, volume: Decimal
) -> bool:
    """Whether some of the trades, in order, have these figures.

    `sums` has, by whether high and low are among the trades chosen so far, the volumes that they can have: bit n for
    n units.
    """
    unit = min((one.size.as_tuple().exponent for one in trades), default=0)
    assert isinstance(unit, int)
    units = volume.scaleb(-unit)
    if units <= 0 or units != int(units):
        return False
    wanted, most = 1 << int(units), (2 << int(units)) - 1
    sums = {(has_high, has_low): 0 for has_high in (False, True) for has_low in (False, True)}
    for one in trades:
        size, reaches = int(one.size.scaleb(-unit)), dict.fromkeys(sums, 0)
        for (has_high, has_low), reached in sums.items():
            reaches[has_high or one.price == high, has_low or one.price == low] |= (reached << size) & most
        if one.price == opened:
            reaches[one.price == high, one.price == low] |= (1 << size) & most
        if one.price == close and reaches[True, True] & wanted:
            return True
        for flags, reached in reaches.items():
            sums[flags] |= reached
    return False
