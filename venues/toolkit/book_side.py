"""One side of an order book: its levels by price, in blocks, so that a change moves no more than a block.

Decimals are dear to hash (no dict) and cheap to compare, so prices are found by bisecting. A view is a slice that is
kept until a change reaches the levels in it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from decimal import Decimal
from itertools import islice
from operator import attrgetter, lt
from typing import TYPE_CHECKING

from msgspec.structs import replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from venues.records import Level

MOST_IN_A_BLOCK = 1_024  # what is moved by a change at its start is 8 KiB then; most books have one block
LEAST_IN_A_BLOCK = 128  # of several; one with fewer joins the one before it
_ZERO = Decimal(0)
_PRICE = attrgetter("price")
_SIZE = attrgetter("size")


class BookSide:
    """`prices[b][i]` is the price of `levels[b][i]`: blocks ascend, and so do the prices in each.

    There is always a block, and none is empty but the only one. `count` is the number of levels. `held_view` is the
    last view, of `held_depth` levels, None once it may differ.
    """

    __slots__ = ("_descending", "_separators", "count", "held_depth", "held_view", "levels", "prices")

    def __init__(self, *, descending: bool) -> None:
        """`descending`: the best price is the highest, as of bids."""
        self._descending = descending
        self._fill([], [])

    def _fill(self, prices: list[Decimal], levels: list[Level]) -> None:
        if len(prices) <= MOST_IN_A_BLOCK:
            self.prices, self.levels = [prices], [levels]
        else:
            size = MOST_IN_A_BLOCK // 2
            self.prices = [prices[at : at + size] for at in range(0, len(prices), size)]
            self.levels = [levels[at : at + size] for at in range(0, len(prices), size)]
        self._separators = [block[0] for block in self.prices[1:]]  # block b has prices from _separators[b - 1] on
        self.count = len(prices)
        self.held_view: list[Level] | None = None
        self.held_depth: int  # of the view

    def replace(self, levels: Iterable[Level]) -> None:
        """Have these levels and no others; of rows with one price the last counts, and a size of 0 is no level."""
        rows = ordered = list(levels)
        prices = list(map(_PRICE, ordered))
        if prices and prices[0] > prices[-1]:  # best first, as most venues send bids
            ordered = rows[::-1]
            prices.reverse()
        # Sorted only where that is needed, since it compares as often as this does.
        if not (all(map(lt, prices, islice(prices, 1, None))) and all(map(_SIZE, ordered))):
            ordered = sorted(rows, key=_PRICE)  # stable: of rows with one price the last stays last
            prices = list(map(_PRICE, ordered))
            ordered = [level for level in dict(zip(prices, ordered, strict=True)).values() if level.size]
            prices = list(map(_PRICE, ordered))
        self._fill(prices, ordered)

    def merge(self, changes: Sequence[Level]) -> None:
        """Take the changed levels in; a size of 0 removes one."""
        separators = self._separators
        block = 0  # the only one of most books
        prices, levels = self.prices[block], self.levels[block]
        for level in changes:
            price = level.price
            if separators:
                block = bisect_right(separators, price)
                prices, levels = self.prices[block], self.levels[block]
            at = bisect_left(prices, price)
            if at < len(prices) and prices[at] == price:
                if level.size:
                    levels[at] = level
                else:
                    del prices[at]
                    del levels[at]
                    self.count -= 1
                    if separators and len(prices) < LEAST_IN_A_BLOCK:
                        self._join(max(block, 1))
                        block = 0  # where it is the only one now
                        prices, levels = self.prices[block], self.levels[block]
            elif level.size:
                prices.insert(at, price)
                levels.insert(at, level)
                self.count += 1
                if len(prices) > MOST_IN_A_BLOCK:
                    self._split(block)
            else:
                continue
            view = self.held_view
            if view is not None and (
                len(view) < self.held_depth  # it has all of them
                or not view
                or (price >= view[-1].price if self._descending else price <= view[-1].price)
            ):
                self.held_view = None

    def _split(self, block: int) -> None:
        """Cut a block in two."""
        prices, levels = self.prices[block], self.levels[block]
        middle = len(prices) // 2
        self.prices.insert(block + 1, prices[middle:])
        self.levels.insert(block + 1, levels[middle:])
        self._separators.insert(block, prices[middle])
        del prices[middle:]
        del levels[middle:]

    def _join(self, block: int) -> None:
        """Put a block at the end of the one before it."""
        self.prices[block - 1] += self.prices.pop(block)
        self.levels[block - 1] += self.levels.pop(block)
        del self._separators[block - 1]
        if len(self.prices[block - 1]) > MOST_IN_A_BLOCK:
            self._split(block - 1)

    def copy(self) -> BookSide:
        """One that later changes to this one do not touch."""
        side = BookSide(descending=self._descending)
        side.prices = [block.copy() for block in self.prices]
        side.levels = [block.copy() for block in self.levels]
        side._separators, side.count = self._separators.copy(), self.count
        return side

    def held(self, changes: Sequence[Level]) -> list[Level]:
        """The levels at these prices, with a size of 0 where there is none."""
        held = []
        for level in changes:
            block = bisect_right(self._separators, level.price)
            prices = self.prices[block]
            at = bisect_left(prices, level.price)
            there = at < len(prices) and prices[at] == level.price
            held.append(self.levels[block][at] if there else replace(level, size=_ZERO))
        return held

    def holds(self, changes: Sequence[Level], depth: int | None) -> bool:
        """Whether these sizes are here already, or beyond the depth."""
        wanted = {level.price: level.size for level in changes}
        full = depth is not None and self.count >= depth
        return all(
            level.size == wanted[level.price] or (full and not level.size and self._is_beyond(level.price))
            for level in self.held(changes)
        )

    def _is_beyond(self, price: Decimal) -> bool:
        """Whether a price is worse than all that are held."""
        return price < self.prices[0][0] if self._descending else price > self.prices[-1][-1]

    def has_same_sizes(self, other: BookSide) -> bool:
        """Whether both have the same prices and sizes."""
        return self.count == other.count and all(
            mine.price == its.price and mine.size == its.size
            for mine, its in zip(self.best(self.count), other.best(other.count), strict=True)
        )

    def best(self, count: int) -> list[Level]:
        """The best levels, best first; no view is kept of them."""
        return self._from_end(count) if self._descending else self._from_start(count)

    def worst(self, count: int) -> list[Level]:
        """The worst levels, in any order."""
        return self._from_start(count) if self._descending else self._from_end(count)

    def _from_start(self, count: int) -> list[Level]:
        found = self.levels[0][:count]
        block = 1
        while len(found) < count and block < len(self.levels):
            found += self.levels[block][: count - len(found)]
            block += 1
        return found

    def _from_end(self, count: int) -> list[Level]:
        found = self.levels[-1][: -count - 1 : -1]
        block = len(self.levels) - 2
        while len(found) < count and block >= 0:
            found += self.levels[block][: len(found) - count - 1 : -1]
            block -= 1
        return found

    def cut(self, depth: int) -> None:
        """Drop all but the best levels."""
        if self.held_view is not None and len(self.held_view) > depth:
            self.held_view = None
        while self.count > depth:
            block = 0 if self._descending else -1
            prices, levels = self.prices[block], self.levels[block]
            more = min(self.count - depth, len(prices))
            if more == len(prices) and self._separators:
                del self.prices[block], self.levels[block], self._separators[block]
            else:
                beyond = slice(more) if self._descending else slice(-more, None)
                del prices[beyond], levels[beyond]
            self.count -= more

    def view(self, depth: int) -> list[Level]:
        """The best `depth` levels, best first; the same list while none of them changed. Not to be modified."""
        if self.held_view is None or self.held_depth != depth:
            self.held_view = self.best(depth)
            self.held_depth = depth
        return self.held_view
