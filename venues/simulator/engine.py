"""The matching engine: price-time priority over integer ticks and lots, so that nothing is ever rounded."""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import TYPE_CHECKING, Final, NamedTuple

from venues.simulator.market_events import OPPOSITE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venues.simulator.market_events import Side


class Order:
    """One order: `lots` is what is left of it; `owner` is the account's order id, 0 for the public.

    `slot` is for the use of the code that placed the order.
    """

    __slots__ = ("lots", "number", "owner", "price", "side", "slot")

    def __init__(self, number: int, side: Side, price: int, lots: int, owner: int) -> None:
        self.number = number
        self.side = side
        self.price = price
        self.lots = lots
        self.owner = owner
        self.slot = -1


class Match(NamedTuple):
    """A resting order met an incoming one, at the resting order's price; `maker.lots` is what it has left."""

    maker: Order
    price: int
    lots: int


class _Half:
    """One side of the book. Keys are prices signed so that the best one is the last: taking from there is cheap."""

    def __init__(self, sign: int) -> None:
        self.sign: Final = sign
        self.keys: list[int] = []
        self.queues: dict[int, dict[int, Order]] = {}
        self.sizes: dict[int, int] = {}
        self.lots = 0
        self.owned = 0  # of them, those of orders with an owner

    def add(self, order: Order) -> None:
        key = order.price * self.sign
        queue = self.queues.get(key)
        if queue is None:
            queue = self.queues[key] = {}
            self.sizes[key] = 0
            insort(self.keys, key)
        queue[order.number] = order
        self.sizes[key] += order.lots
        self.lots += order.lots
        if order.owner:
            self.owned += order.lots

    def remove(self, order: Order) -> None:
        key = order.price * self.sign
        del self.queues[key][order.number]
        self.take(order, order.lots)

    def take(self, order: Order, lots: int) -> None:
        """Count lots of an order no more, which is out of its queue if they were its last."""
        key = order.price * self.sign
        self.lots -= lots
        if order.owner:
            self.owned -= lots
        self.sizes[key] -= lots
        if not self.queues[key]:
            del self.queues[key], self.sizes[key], self.keys[bisect_left(self.keys, key)]


class Engine:
    """One market's order book. `changes` counts what changed it."""

    def __init__(self) -> None:
        self.changes = 0
        self._number = 0
        self._halves: Final[dict[Side, _Half]] = {"buy": _Half(1), "sell": _Half(-1)}

    def limit(self, side: Side, price: int, lots: int, owner: int = 0) -> tuple[Order, list[Match]]:
        """Match an order up to its price; what is left rests."""
        if price < 1 or lots < 1:
            raise ValueError(f"expected a price and a size of at least 1, got {price} and {lots}")
        self._number += 1
        order = Order(self._number, side, price, lots, owner)
        matches = self._match(side, lots, price)
        order.lots -= sum(match.lots for match in matches)
        if order.lots:
            self._halves[side].add(order)
        self.changes += 1
        return order, matches

    def market(self, side: Side, lots: int) -> list[Match]:
        """Match an order at any price; what is left is dropped."""
        if lots < 1:
            raise ValueError(f"expected a size of at least 1, got {lots}")
        self.changes += 1
        return self._match(side, lots, None)

    def cancel(self, order: Order) -> bool:
        """Take a resting order out; False when it does not rest here (any more)."""
        half = self._halves[order.side]
        if order.number not in half.queues.get(order.price * half.sign, ()):
            return False
        half.remove(order)
        self.changes += 1
        return True

    def best(self, side: Side) -> int | None:
        """The best price of a side, None when it is empty."""
        half = self._halves[side]
        return half.keys[-1] * half.sign if half.keys else None

    def lots(self, side: Side) -> int:
        """How many lots rest on a side in all."""
        return self._halves[side].lots

    def public_lots(self, side: Side) -> int:
        """How many of them are of orders without an owner."""
        return self._halves[side].lots - self._halves[side].owned

    def lots_at(self, side: Side, price: int) -> int:
        """All lots that rest at a price, 0 when there are none."""
        half = self._halves[side]
        return half.sizes.get(price * half.sign, 0)

    def depth(self, side: Side) -> Iterator[tuple[int, int, int]]:
        """Price, lots and number of orders of each level, best first."""
        half = self._halves[side]
        for key in reversed(half.keys):
            yield key * half.sign, half.sizes[key], len(half.queues[key])

    def orders_at(self, side: Side, price: int) -> int:
        """How many orders rest at a price."""
        half = self._halves[side]
        return len(half.queues.get(price * half.sign, ()))

    def orders(self, side: Side) -> Iterator[Order]:
        """The resting orders of a side in the order in which they would be matched."""
        half = self._halves[side]
        for key in reversed(half.keys):
            yield from half.queues[key].values()

    def _match(self, side: Side, lots: int, worst: int | None) -> list[Match]:
        """Take from the other side; `worst` is the worst price that will do, None for any."""
        half = self._halves[OPPOSITE[side]]
        matches: list[Match] = []
        while lots and half.keys:
            key = half.keys[-1]
            if worst is not None and key < worst * half.sign:
                break
            queue = half.queues[key]
            maker = next(iter(queue.values()))
            taken = min(lots, maker.lots)
            maker.lots -= taken
            lots -= taken
            if not maker.lots:
                del queue[maker.number]
            half.take(maker, taken)
            matches.append(Match(maker, maker.price, taken))
        return matches
