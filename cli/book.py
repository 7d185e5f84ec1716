"""`mon book`: the order book as a ladder of bids and asks around the spread."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from rich.text import Text

from cli import cells
from cli.grid import Column, lay_out
from venues.numbers import EXACT, add

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.look import Look
    from venues.records import Book, Level


class BookView:
    """Asks above, bids below, the best of both in the middle."""

    keys: Sequence[tuple[str, str]] = ()

    def __init__(self, look: Look) -> None:
        self._look = look
        self._book: Book | None = None

    def add(self, record: Book) -> None:
        """Each book replaces the one before."""
        self._book = record

    def full(self, count: int) -> None:
        """Each book is a full state."""

    def start_over(self) -> None:
        """The next book replaces everything anyway."""

    def press(self, key: str) -> bool:
        """No keys."""
        return False

    def until(self) -> int | None:
        """Never."""
        return None

    def lines(self, width: int, height: int) -> list[Text]:
        """As many levels a side as fit."""
        if self._book is None:
            return [Text("no book yet", style="dim")]
        room = max(1, (height - 2) // 2)
        asks, bids = self._book.asks[:room], self._book.bids[:room]
        levels = [*reversed(asks), *bids]
        if not levels:
            return [Text("the book is empty", style="dim")]
        cumulated = [*reversed(cumulative(asks)), *cumulative(bids)]
        styles = [self._look.style("ask")] * len(asks) + [self._look.style("bid")] * len(bids)
        sides = ["ask"] * len(asks) + ["bid"] * len(bids)
        columns = [
            Column("side", sides, align="left", keep=2, styles=styles),
            Column("price", cells.column([level.price for level in levels]), keep=9, styles=styles),
            Column("size", cells.column([level.size for level in levels]), keep=8),
            Column("cumulative", cells.column(cumulated), keep=3),
        ]
        if any(level.orders is not None for level in levels):
            orders = [cells.ABSENT if level.orders is None else str(level.orders) for level in levels]
            columns.append(Column("orders", orders, keep=1))
        lines = lay_out(columns, width, self._look)
        middle = 1 + len(asks)
        return [*lines[:middle], Text(spread_words(self._book, width), style="bold"), *lines[middle:]]


def cumulative(levels: Sequence[Level]) -> list[Decimal]:
    """The sizes summed from the best level outwards, exact."""
    sums: list[Decimal] = []
    total = Decimal(0)
    for level in levels:
        total = add(total, level.size)
        sums.append(total)
    return sums


def spread_words(book: Book, width: int) -> str:
    """The spread, absolute and in basis points of the mid price; whole figures only, as many as fit."""
    if not book.bids or not book.asks:
        return "  no spread: one side is empty"[:width]
    bid, ask = book.bids[0].price, book.asks[0].price
    spread = EXACT.subtract(ask, bid)
    total = EXACT.add(ask, bid)
    words = f"  spread {cells.number(spread)}"
    if total > 0:
        points = EXACT.divide(EXACT.multiply(spread, Decimal(20_000)), total)
        if len(in_full := f"{words}  ({points:.2f} bps)") <= width:
            return in_full
    return words if len(words) <= width else "  spread #"[:width]


def view(look: Look) -> BookView:
    """A new view."""
    return BookView(look)
