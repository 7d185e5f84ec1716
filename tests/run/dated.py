"""Records of a number at a second, and what is told of those that pass."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from venues.records import Book, Order, Quote, SnapshotEnd, State, Status, Trade
from venues.venue import Now

if TYPE_CHECKING:
    from collections.abc import Sequence

ONE = Decimal(1)


def at(seconds: float) -> Now:
    return Now(seconds, round(seconds * 1000))


def book(number: int, **fields: Any) -> Book:
    return Book(venue="v", symbol="A", received=number, bids=[], asks=[], **fields)


def trade(number: int, **fields: Any) -> Trade:
    return Trade(venue="v", received=number, price=ONE, size=ONE, side="buy", **fields)


def quote(symbol: str, number: int) -> Quote:
    return Quote(venue="v", symbol=symbol, received=number)


def order(name: str, number: int, change: Any = "update", **fields: Any) -> Order:
    return Order(venue="v", received=number, order_id=name, status="new", change=change, **fields)


def end(count: int, stream: str = "orders") -> SnapshotEnd:
    return SnapshotEnd(venue="v", received=0, stream=stream, count=count)


def status(state: State, stream: str = "book", **fields: Any) -> Status:
    return Status(venue="v", received=0, stream=stream, state=state, **fields)


def told(items: Sequence[Any]) -> list[Any]:
    """Statuses as their state, ends as their count in words, and other records as the number that they came with."""
    return [
        one.state
        if isinstance(one, Status)
        else f"end {one.count}"
        if isinstance(one, SnapshotEnd)
        else getattr(one, "received", type(one).__name__)
        for one in items
    ]


def full(number: int, *names: str) -> list[Any]:
    return [*(order(name, number, "snapshot") for name in names), end(len(names))]
