"""Books as the venues of the model have them, and the streams that tell of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from random import Random
from typing import Any

from tests.model.clock import VirtualClock
from tests.model.speaker import Sent, Single, View

SHOWN = 10  # levels a side


class Book:
    """A book in whole numbers of ticks and lots; it is never crossed."""

    LOWEST, HIGHEST = 900, 960

    def __init__(self, random: Random) -> None:
        self.random = random
        self.mid = 930
        self.bids: dict[int, int] = {}
        self.asks: dict[int, int] = {}
        for _ in range(14):
            self.mutate()

    def mutate(self) -> None:
        """One to four things happen: a level is set or removed, or the middle moves."""
        random = self.random
        for _ in range(random.choice((1, 1, 1, 2, 4))):
            if random.random() < 0.12:
                self._move(random.randint(-4, 4))
            side = self.bids if random.random() < 0.5 else self.asks
            near = random.randint(1, 16)
            price = self.mid - near if side is self.bids else self.mid + near
            if price in side and random.random() < 0.45:
                del side[price]
            else:
                side[price] = random.randint(1, 99)

    def _move(self, by: int) -> None:
        self.mid = min(max(self.mid + by, self.LOWEST), self.HIGHEST)
        self.bids = {price: size for price, size in self.bids.items() if price < self.mid}
        self.asks = {price: size for price, size in self.asks.items() if price > self.mid}

    def best(self, depth: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """The best levels of bids and of asks."""
        return sorted(self.bids.items(), reverse=True)[:depth], sorted(self.asks.items())[:depth]


Side = Sequence[tuple[int, int]]


def changed(before: Side, after: Side, there: Mapping[int, int]) -> list[tuple[int, int]]:
    """The levels that turn one side into another; one that was only pushed out is not named, as venues do it.

    `there` has all levels of the side after the change.
    """
    old, new = dict(before), dict(after)
    gone = [(price, 0) for price in old if price not in new and price not in there]
    return gone + [(price, size) for price, size in new.items() if old.get(price) != size]


class BookSpeaker(Single):
    """A stream of a book. A venue's class says what its ticks and lots are, and how it is told."""

    stream = "book"
    tick = lot = Decimal(1)

    def __init__(self, clock: VirtualClock, random: Random) -> None:
        self.book = Book(random)
        super().__init__(clock, random)

    def first(self) -> View:
        return self.view()

    def view(self) -> View:
        """The levels that are shown."""
        return tuple(tuple((p * self.tick, s * self.lot) for p, s in side) for side in self.book.best(SHOWN))

    def change(self) -> list[Sent]:
        """One that is told whole each time."""
        self.book.mutate()
        self.history.append(self.view())
        return self.restate()

    def figures(self, record: Any) -> tuple[Any, ...]:
        return tuple(tuple((level.price, level.size) for level in side) for side in (record.bids, record.asks))


class BestPrices(BookSpeaker):
    """`quotes`, made from the book."""

    stream = "quotes"

    def view(self) -> View:
        """The best of both sides; an empty side has no figures."""
        bids, asks = super().view()
        return (*(bids[0] if bids else (None, None)), *(asks[0] if asks else (None, None)))

    def figures(self, record: Any) -> tuple[Any, ...]:
        return record.bid_price, record.bid_size, record.ask_price, record.ask_size
