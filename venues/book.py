"""The order book: a snapshot, then deltas, merged as they come.

Each side is two parallel lists in ascending price order, prices for bisecting and levels for slicing. Decimals are
dear to hash (no dict) and cheap to compare; a view is a slice that is kept until a change reaches the shown levels.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, NamedTuple

from venues.errors import CrossedBook, SequenceGap, TooManyLevels

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from decimal import Decimal

    from venues.records import Level

MOST_LEVELS = 100_000  # a side; the deepest public books have some ten thousand


class BookDelta(NamedTuple):
    """Changed levels with their new absolute sizes, in any order; a size of 0 removes a level.

    Of rows that name the same price the last one counts. `sequence` is None where the venue has none.
    """

    bids: Sequence[Level]
    asks: Sequence[Level]
    sequence: int | None = None


class OrderBook:
    """An order book of one symbol.

    `contiguous`: sequences count up by one. Otherwise they must only grow.
    """

    def __init__(self, *, contiguous: bool = True) -> None:
        self.contiguous = contiguous
        self.sequence: int | None = None
        self.whole = False
        self._bids = _BookSide(descending=True)
        self._asks = _BookSide(descending=False)

    def snapshot(self, bids: Iterable[Level], asks: Iterable[Level], sequence: int | None = None) -> None:
        """Replace everything, sequence included.

        Raises:
            CrossedBook: the best bid is at or above the best ask; another snapshot is needed.
            TooManyLevels: the same is true.
        """
        self._bids.replace(bids)
        self._asks.replace(asks)
        self.sequence = sequence
        self.whole = True
        self._refuse_what_cannot_be()

    def apply(self, delta: BookDelta) -> bool:
        """Merge changed levels; False when the delta changed nothing because of where it belongs.

        Deltas before the first snapshot, after an error and before the next snapshot, and those the book already
        holds, change nothing.

        Raises:
            SequenceGap: a delta skips over one that never came; the book needs a new snapshot.
            CrossedBook: the best bid is at or above the best ask afterwards; the book needs a new snapshot.
            TooManyLevels: the same is true.
        """
        if not self.whole:
            return False
        held = self.sequence
        if delta.sequence is not None and held is not None:
            if delta.sequence <= held:
                return False
            if self.contiguous and delta.sequence != held + 1:
                self.whole = False
                raise SequenceGap(f"expected sequence {held + 1}, got {delta.sequence}")
        if delta.sequence is not None:
            self.sequence = delta.sequence
        self._bids.merge(delta.bids)
        self._asks.merge(delta.asks)
        self._refuse_what_cannot_be()
        return True

    def distrust(self) -> None:
        """Change nothing more until a new snapshot."""
        self.whole = False

    def bids(self, depth: int) -> list[Level]:
        """The best `depth` bids, best first; the same list while none of them changed. Not to be modified."""
        return self._bids.view(depth)

    def asks(self, depth: int) -> list[Level]:
        """The best `depth` asks, best first; the same list while none of them changed. Not to be modified."""
        return self._asks.view(depth)

    def best_bid(self) -> Level | None:
        """The highest bid, None when there is none."""
        return self._bids.levels[-1] if self._bids.levels else None

    def best_ask(self) -> Level | None:
        """The lowest ask, None when there is none."""
        return self._asks.levels[0] if self._asks.levels else None

    def _refuse_what_cannot_be(self) -> None:
        bids, asks = self._bids.prices, self._asks.prices
        if len(bids) > MOST_LEVELS or len(asks) > MOST_LEVELS:
            self.distrust()
            self._bids.replace(())
            self._asks.replace(())
            refuse_too_many(MOST_LEVELS + 1)
        if bids and asks and bids[-1] >= asks[0]:
            self.whole = False
            raise CrossedBook(f"crossed book: best bid {bids[-1]} is not below best ask {asks[0]}")


def refuse_too_many(levels: int) -> None:
    """To be asked before so many levels of a side are made.

    Raises:
        TooManyLevels: a book of so many would fill our memory.
    """
    if levels > MOST_LEVELS:
        raise TooManyLevels(f"more than {MOST_LEVELS} levels on a side of the book")


class _BookSide:
    """`prices[i]` is the price of `levels[i]`, ascending; `_view` is the last view, None once it may differ."""

    __slots__ = ("_depth", "_descending", "_view", "levels", "prices")

    def __init__(self, *, descending: bool) -> None:
        self._descending = descending
        self.prices: list[Decimal] = []
        self.levels: list[Level] = []
        self._view: list[Level] | None = None
        self._depth = 0

    def replace(self, levels: Iterable[Level]) -> None:
        by_price = sorted(levels, key=_price)  # stable: of rows with one price the last stays last
        kept: list[Level] = []
        for level in by_price:
            if kept and kept[-1].price == level.price:
                kept[-1] = level
            else:
                kept.append(level)
        self.levels = [level for level in kept if level.size]
        self.prices = [level.price for level in self.levels]
        self._view = None

    def merge(self, changes: Sequence[Level]) -> None:
        prices, levels = self.prices, self.levels
        for level in changes:
            price, stays = level.price, bool(level.size)
            at = bisect_left(prices, price)
            held = at < len(prices) and prices[at] == price
            if not held:
                if not stays:
                    continue
                prices.insert(at, price)
                levels.insert(at, level)
            elif stays:
                levels[at] = level
            # How many levels are better: counted with a new level, or with one that is about to go.
            if self._view is not None and (len(levels) - 1 - at if self._descending else at) < self._depth:
                self._view = None
            if held and not stays:
                del prices[at]
                del levels[at]

    def view(self, depth: int) -> list[Level]:
        if self._view is None or self._depth != depth:
            self._view = self.levels[: -depth - 1 : -1] if self._descending else self.levels[:depth]
            self._depth = depth
        return self._view


def _price(level: Level) -> Decimal:
    return level.price
