"""Plays tapes: a market whose book is exactly the tape's."""

from __future__ import annotations

import asyncio
import math
from bisect import bisect_left
from decimal import Context, Decimal
from typing import TYPE_CHECKING, Final

from venues.simulator.market_events import BookChange, Level, Trade
from venues.simulator.tape import Rows
from venues.simulator.world_clock import turn

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from venues.simulator.market_events import Side, Stage
    from venues.simulator.tape import Line, Row, Tape
    from venues.simulator.world_clock import WorldClock


# Sums of sizes of any length that a tape may have, without rounding.
_EXACT: Final = Context(prec=1_000)


class _Ladder:
    """One side of a tape's book; its keys put the best price last. `total` is the sum of its sizes."""

    def __init__(self, side: Side) -> None:
        self._is_buy: Final = side == "buy"
        self._keys: list[Decimal] = []
        self._levels: list[Level] = []  # in the order of the keys
        self._shown: list[Level] | None = None  # the levels as they are, best first; None: not made yet
        self.total = Decimal(0)

    def replace(self, rows: Iterable[Row]) -> None:
        self._keys.clear()
        self._levels.clear()
        self.total = Decimal(0)
        self.apply(rows)

    def apply(self, rows: Iterable[Row]) -> None:
        self._shown = None
        for price, size in rows:
            # copy_negate does not round, which the minus sign does at the digits of the context
            key = price if self._is_buy else price.copy_negate()
            at = bisect_left(self._keys, key)
            known = at < len(self._keys) and self._keys[at] == key
            if known:
                self.total = _EXACT.subtract(self.total, self._levels[at].size)
            if size:
                self.total = _EXACT.add(self.total, size)
            if size and known:
                self._levels[at] = Level(price, size, 1)
            elif size:
                self._keys.insert(at, key)
                self._levels.insert(at, Level(price, size, 1))
            elif known:
                del self._keys[at], self._levels[at]

    def best(self) -> Decimal | None:
        return self._levels[-1].price if self._levels else None

    def best_first(self) -> list[Level]:
        if self._shown is None:
            self._shown = self._levels[::-1]
        return self._shown


class TapeMarket:
    """A market without an engine: its book is what the tape says, and no order can be placed in it."""

    def __init__(self, name: str, stage: Stage) -> None:
        self.name: Final = name
        self.changes = 0
        self.last: Trade | None = None
        self._stage = stage
        self._trades = 0
        self._ladders: dict[Side, _Ladder] = {"buy": _Ladder("buy"), "sell": _Ladder("sell")}

    def levels(self, side: Side) -> Sequence[Level]:
        """All levels of a side, best first."""
        return self._ladders[side].best_first()

    def best(self, side: Side) -> Decimal | None:
        """The best price of a side, None when it is empty."""
        return self._ladders[side].best()

    def total(self, side: Side) -> Decimal:
        """The sum of a side's sizes."""
        return self._ladders[side].total

    def apply(self, line: Line, time: int) -> None:
        """Apply a line of the tape now: the rows of a book one after the other, or a trade."""
        if isinstance(line, Rows):
            for side, rows in (("buy", line.bids), ("sell", line.asks)):
                ladder = self._ladders["buy" if side == "buy" else "sell"]
                (ladder.replace if line.snapshot else ladder.apply)(rows)
            self.changes += 1
            self._stage.emit(_change(self.name, time, line))
        else:
            self._trades += 1
            self.last = Trade(self.name, time, self._trades, line.price, line.size, line.side)
            self._stage.emit(self.last)


def _change(market: str, time: int, rows: Rows) -> BookChange:
    """The change that the rows make; if a price comes twice, the last row counts."""
    if rows.snapshot:
        return BookChange(market, time, whole=True)
    return BookChange(market, time, tuple(dict(rows.bids).items()), tuple(dict(rows.asks).items()))


class Player:
    """Plays a tape into a market: its first snapshot at once, the rest from the moment that `begin` is called."""

    def __init__(self, tape: Tape, market: TapeMarket, clock: WorldClock, speed: float) -> None:
        self._lines = tape.lines
        self._market = market
        self._clock = clock
        self._speed = speed
        self._begun = asyncio.Event()
        self._first = next((line for line in tape.lines if isinstance(line, Rows) and line.snapshot), None)
        if self._first is not None:
            market.apply(self._first, clock.epoch_ms())

    def begin(self) -> None:
        """Start playing; later calls do nothing."""
        self._begun.set()

    async def run(self) -> None:
        """Play the tape once, then end."""
        await self._begun.wait()
        started, elapsed = self._clock.epoch_ms(), 0.0
        is_known = self._first is None
        for previous, line in zip([*self._lines[:1], *self._lines], self._lines, strict=False):
            elapsed += max(0, line.t - previous.t) / self._speed
            await self._until(started + elapsed)
            # Before its first snapshot a book is not known, so deltas there change nothing.
            is_known = is_known or line is self._first
            if is_known or not isinstance(line, Rows):
                self._market.apply(line, self._clock.epoch_ms())

    async def _until(self, due: float) -> None:
        """Wait until that time, and let the clients' tasks run in any case."""
        wait = due - self._clock.epoch_ms()
        if wait > 0 and math.isfinite(self._speed):
            await self._clock.sleep(wait / 1000)
        else:
            await turn()
