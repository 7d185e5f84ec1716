"""The order book by its size: one delta (a row a side) and both views of the best 20 levels, in microseconds.

    python -m tests.benchmarks.book_sizes

Beside two `sortedcontainers.SortedDict`, and beside nautilus_trader's order book and `order_book`, both in compiled
code, where they are installed. Rows are made before the clock starts, for each in its own form. All say the same at
the end.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

from tests.benchmarks.book import DEPTH, SortedDictBook, View
from tests.benchmarks.figures import (
    WrongResultError,
    absent,
    at_least,
    at_most,
    best_of,
    for_information,
    print_head,
    progress,
)
from venues.records import Level
from venues.toolkit.book import BookDelta, OrderBook

SIZES = (20, 200, 2_000, 20_000, 200_000)
STEPS = 2_000
TURNS = 5
TOUCH = 50_000_000  # in cents; bids are below it, asks above
NEAR = 8  # levels: the mean distance from the best one
GROWS = 2.0  # near the touch, from 200 to 200,000 levels

Rows = list[tuple[Decimal, Decimal]]


class Feed(NamedTuple):
    """A book of so many levels a side, and what changes: rows of bids and of asks, a size of 0 for none."""

    bids: Rows
    asks: Rows
    steps: list[tuple[Rows, Rows]]


def near(draw: random.Random, size: int) -> Iterator[int]:
    """Most changes are at the best levels."""
    while True:
        yield min(2 + int(draw.expovariate(1 / NEAR)), size)


def uniform(draw: random.Random, size: int) -> Iterator[int]:
    """Each level changes as often as any other."""
    while True:
        yield draw.randint(2, size + 1)


def always_the_best(draw: random.Random, size: int) -> Iterator[int]:
    """A better level comes, and goes."""
    while True:
        yield 1


PATTERNS: dict[str, Callable[[random.Random, int], Iterator[int]]] = {
    "near the touch": near,
    "uniform": uniform,
    "always the best": always_the_best,
}


def feed(pattern: str, size: int) -> Feed:
    """The same for everybody."""
    draw = random.Random(f"{pattern} {size}")
    there = {side: set(range(2, size + 2)) for side in (-1, 1)}
    sides = {side: [(_price(side, distance), Decimal("1.5")) for distance in range(2, size + 2)] for side in (-1, 1)}
    distances = PATTERNS[pattern](draw, size)
    steps: list[tuple[Rows, Rows]] = []
    for number in range(STEPS):
        rows: list[Rows] = []
        for side in (-1, 1):
            distance = next(distances)
            goes = distance in there[side] and (distance == 1 or draw.random() < 0.3)
            (there[side].discard if goes else there[side].add)(distance)
            rows.append([(_price(side, distance), Decimal(0) if goes else Decimal(number + 1) / 8)])
        steps.append((rows[0], rows[1]))
    return Feed(sides[-1], sides[1], steps)


def _price(side: int, distance: int) -> Decimal:
    return Decimal(TOUCH + side * distance).scaleb(-2)


def ours(feed: Feed) -> Callable[[], tuple[View, View]]:
    """With `OrderBook`."""
    book = OrderBook(rule=None)
    book._most = 2 * max(SIZES)  # with more than 100,000 levels a side it takes none for right
    book.snapshot(_levels(feed.bids), _levels(feed.asks))
    deltas = [BookDelta(_levels(bids), _levels(asks)) for bids, asks in feed.steps]

    def work() -> tuple[View, View]:
        for delta in deltas:
            book.apply(delta)
            bids, asks = book.views(DEPTH)
        return [(level.price, level.size) for level in bids], [(level.price, level.size) for level in asks]

    return work


def sorted_dict(feed: Feed) -> Callable[[], tuple[View, View]]:
    """With two `SortedDict`."""
    book = SortedDictBook()
    book.snapshot(feed.bids, feed.asks)

    def work() -> tuple[View, View]:
        for bids, asks in feed.steps:
            book.apply(bids, asks)
            best = book.best_bids(DEPTH), book.best_asks(DEPTH)
        return best

    return work


def order_book(feed: Feed) -> Callable[[], tuple[View, View]]:
    """With the package of that name."""
    import order_book as package

    book = package.OrderBook()
    for side, rows in ((book.bids, feed.bids), (book.asks, feed.asks)):
        for price, size in rows:
            side[price] = size

    def work() -> tuple[View, View]:
        for step in feed.steps:
            for side, rows in zip((book.bids, book.asks), step, strict=True):
                for price, size in rows:
                    if size:
                        side[price] = size
                    elif price in side:
                        del side[price]
            best = [[side.index(at) for at in range(min(DEPTH, len(side)))] for side in (book.bids, book.asks)]
        return best[0], best[1]

    return work


def nautilus(feed: Feed) -> Callable[[], tuple[View, View]]:
    """With nautilus_trader's, which is asked for its best prices only."""
    from nautilus_trader.model.book import OrderBook as Book
    from nautilus_trader.model.data import BookOrder, OrderBookDelta, OrderBookDeltas
    from nautilus_trader.model.enums import BookAction, BookType, OrderSide
    from nautilus_trader.model.identifiers import InstrumentId
    from nautilus_trader.model.objects import Price, Quantity

    name = InstrumentId.from_str("BOOK.SIM")
    book = Book(name, BookType.L2_MBP)

    def changes(bids: Rows, asks: Rows) -> list[Any]:
        return [
            OrderBookDelta(
                name,
                BookAction.UPDATE if size else BookAction.DELETE,
                BookOrder(side, Price.from_str(f"{price:.2f}"), Quantity.from_str(f"{size:.3f}"), 0),
                0, 0, 0, 0,
            )
            for side, rows in ((OrderSide.BUY, bids), (OrderSide.SELL, asks))
            for price, size in rows
        ]  # fmt: skip

    for change in changes(feed.bids, feed.asks):
        book.apply_delta(change)
    deltas = [OrderBookDeltas(name, changes(bids, asks)) for bids, asks in feed.steps]

    def work() -> tuple[View, View]:
        for delta in deltas:
            book.apply_deltas(delta)
            book.best_bid_price(), book.best_ask_price()  # its only view has all levels
        return _rows_of(book.bids()), _rows_of(book.asks())

    return work


def _rows_of(levels: Iterable[Any]) -> View:
    return [(level.price.as_decimal(), Decimal(str(level.size()))) for level in islice(levels, DEPTH)]


def _levels(rows: Sequence[tuple[Decimal, Decimal]]) -> list[Level]:
    return [Level(price, size) for price, size in rows]


PEERS: dict[str, Callable[[Feed], Callable[[], tuple[View, View]]]] = {
    "order_book": order_book,
    "nautilus_trader, best prices": nautilus,
}


def run() -> None:
    """Each pattern at each size."""
    peers = dict(PEERS)
    took: dict[tuple[str, int], float] = {}
    for pattern in PATTERNS:
        for size in SIZES:
            name = f"book, {pattern}, {size:,} levels a side"
            progress(name)
            made = feed(pattern, size)
            expected = ours(made)()
            if sorted_dict(made)() != expected:
                raise WrongResultError(f"{name}: the books are not the same")
            mine, theirs = (
                taken / STEPS * 1e6 for taken in best_of(TURNS, partial(ours, made), partial(sorted_dict, made))
            )
            took[pattern, size] = mine
            progress("")
            at_least(f"{name} / SortedDict", f"{mine:.1f} against {theirs:.1f} µs", theirs / mine, 1.0)
            for peer, work in list(peers.items()):
                try:
                    if work(made)() != expected:
                        raise WrongResultError(f"{name}: {peer} has another book")
                except ImportError:
                    absent(f"the book of {peer}", "it is not installed")
                    del peers[peer]
                    continue
                (taken,) = best_of(1, partial(work, made))
                for_information(f"{name}: {peer}", f"{taken / STEPS * 1e6:.1f} µs")
    grown = took["near the touch", SIZES[-1]] / took["near the touch", SIZES[1]]
    at_most("book near the touch, 200,000 / 200 levels", "", grown, GROWS)


if __name__ == "__main__":
    print_head()
    run()
