"""The order book: a snapshot, then deltas, merged as they come.

Each side is two parallel lists in ascending price order, prices for bisecting and levels for slicing. Decimals are
dear to hash (no dict) and cheap to compare; a view is a slice that is kept until a change reaches the shown levels.
"""

from __future__ import annotations

from bisect import bisect_left
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from venues.errors import CrossedBook, SequenceGap, TooManyLevels
from venues.toolkit.numbers import plain_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from venues.records import Level

MOST_LEVELS = 100_000  # a side; the deepest public books have some ten thousand
_ZERO = Decimal(0)


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

    def copy(self) -> OrderBook:
        """A copy of the book that later changes to this one do not touch."""
        book = OrderBook(contiguous=self.contiguous)
        book.sequence, book.whole = self.sequence, self.whole
        book._bids, book._asks = self._bids.copy(), self._asks.copy()
        return book

    def undoing(self, delta: BookDelta) -> BookDelta:
        """The delta that reverts `delta`, to be asked before that is applied: its levels as they are now."""
        return BookDelta(self._bids.held(delta.bids), self._asks.held(delta.asks), self.sequence)

    def undo(self, delta: BookDelta) -> None:
        """Apply what `undoing` returned; of several deltas the latest is reverted first."""
        self._bids.merge(delta.bids)
        self._asks.merge(delta.asks)
        self.sequence = delta.sequence

    def holds(self, delta: BookDelta) -> bool:
        """Whether all of a delta's levels are in the book already."""
        return self._bids.holds(delta.bids) and self._asks.holds(delta.asks)

    def has_same_sizes(self, other: OrderBook) -> bool:
        """Whether all levels of both sides have the same prices and sizes."""
        return self._bids.has_same_sizes(other._bids) and self._asks.has_same_sizes(other._asks)

    def bids(self, depth: int) -> list[Level]:
        """The best `depth` bids, best first; the same list while none of them changed. Not to be modified."""
        return self._bids.view(depth)

    def asks(self, depth: int) -> list[Level]:
        """The best `depth` asks, best first; the same list while none of them changed. Not to be modified."""
        return self._asks.view(depth)

    def views(self, depth: int) -> tuple[list[Level], list[Level]]:
        """Both sides, as `bids` and `asks` have them."""
        bids, asks = self._bids, self._asks
        return (
            bids.held_view if bids.held_view is not None and bids.held_depth == depth else bids.view(depth),
            asks.held_view if asks.held_view is not None and asks.held_depth == depth else asks.view(depth),
        )

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
            best = f"best bid {plain_text(bids[-1])} is not below best ask {plain_text(asks[0])}"
            raise CrossedBook(f"crossed book: {best}")


def refuse_too_many(levels: int) -> None:
    """Refuse too many levels of a side, before they are made.

    Raises:
        TooManyLevels: a book of so many would fill our memory.
    """
    if levels > MOST_LEVELS:
        raise TooManyLevels(f"more than {MOST_LEVELS} levels on a side of the book")


class _BookSide:
    """`prices[i]` is the price of `levels[i]`, ascending.

    `held_view` is the last view, of `held_depth` levels, None once it may differ.
    """

    __slots__ = ("_descending", "held_depth", "held_view", "levels", "prices")

    def __init__(self, *, descending: bool) -> None:
        self._descending = descending
        self.prices: list[Decimal] = []
        self.levels: list[Level] = []
        self.held_view: list[Level] | None = None
        self.held_depth = 0

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
        self.held_view = None

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
            # The left side is the number of better levels. A new level, or one about to go, is in `levels` here.
            if self.held_view is not None and (len(levels) - 1 - at if self._descending else at) < self.held_depth:
                self.held_view = None
            if held and not stays:
                del prices[at]
                del levels[at]

    def copy(self) -> _BookSide:
        side = _BookSide(descending=self._descending)
        side.prices, side.levels = self.prices.copy(), self.levels.copy()
        return side

    def held(self, changes: Sequence[Level]) -> list[Level]:
        """The levels at these prices, with a size of 0 where there is none."""
        prices, held = self.prices, []
        for level in changes:
            at = bisect_left(prices, level.price)
            there = at < len(prices) and prices[at] == level.price
            held.append(self.levels[at] if there else replace(level, size=_ZERO))
        return held

    def holds(self, changes: Sequence[Level]) -> bool:
        wanted = {level.price: level.size for level in changes}
        return all(level.size == wanted[level.price] for level in self.held(changes))

    def has_same_sizes(self, other: _BookSide) -> bool:
        return self.prices == other.prices and all(
            mine.size == its.size for mine, its in zip(self.levels, other.levels, strict=True)
        )

    def view(self, depth: int) -> list[Level]:
        if self.held_view is None or self.held_depth != depth:
            self.held_view = self.levels[: -depth - 1 : -1] if self._descending else self.levels[:depth]
            self.held_depth = depth
        return self.held_view


def _price(level: Level) -> Decimal:
    return level.price
