"""The matching engine against a model that sorts a list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from venues.simulator.engine import Engine, Order

if TYPE_CHECKING:
    from venues.simulator.market_events import Side

SIDES: tuple[Side, Side] = ("buy", "sell")


@dataclass
class Resting:
    number: int
    side: str
    price: int
    lots: int


class Model:
    def __init__(self) -> None:
        self.orders: list[Resting] = []
        self.number = 0

    def add(self, side: str, price: int | None, lots: int) -> list[tuple[int, int, int]]:
        self.number += 1
        there = [o for o in self.orders if o.side != side]
        if price is not None:
            there = [o for o in there if (o.price <= price if side == "buy" else o.price >= price)]
        there.sort(key=lambda o: (o.price if side == "buy" else -o.price, o.number))
        matches = []
        for order in there:
            taken = min(lots, order.lots)
            if taken:
                order.lots -= taken
                lots -= taken
                matches.append((order.number, order.price, taken))
        self.orders = [o for o in self.orders if o.lots]
        if lots and price is not None:
            self.orders.append(Resting(self.number, side, price, lots))
        return matches

    def cancel(self, number: int) -> bool:
        before = len(self.orders)
        self.orders = [o for o in self.orders if o.number != number]
        return len(self.orders) < before

    def queue(self, side: str) -> list[tuple[int, int]]:
        mine = sorted(
            (o for o in self.orders if o.side == side),
            key=lambda o: (-o.price if side == "buy" else o.price, o.number),
        )
        return [(o.price, o.lots) for o in mine]


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("limit"), st.sampled_from(SIDES), st.integers(1, 12), st.integers(1, 9)),
        st.tuples(st.just("market"), st.sampled_from(SIDES), st.just(0), st.integers(1, 20)),
        st.tuples(st.just("cancel"), st.just("buy"), st.integers(0, 40), st.just(0)),
    ),
    max_size=40,
)


@settings(max_examples=80)
@given(ACTIONS)
def test_the_engine_does_what_a_sorted_list_does(actions: list[tuple[str, Side, int, int]]) -> None:
    engine, model = Engine(), Model()
    placed: list[tuple[Order, int]] = []
    numbers: dict[Order, int] = {}
    for action, side, number, lots in actions:
        if action == "limit":
            order, matches = engine.limit(side, number, lots)
            wanted = model.add(side, number, lots)
            placed.append((order, model.number))
            numbers[order] = model.number
        elif action == "market":
            matches = engine.market(side, lots)
            wanted = model.add(side, None, lots)
        else:
            if placed:
                order, known = placed[number % len(placed)]
                assert engine.cancel(order) == model.cancel(known)
            matches, wanted = [], []
        assert [(numbers[m.maker], m.price, m.lots) for m in matches] == wanted
        for each in SIDES:
            check_side(engine, model, each)


def check_side(engine: Engine, model: Model, side: Side) -> None:
    queue = model.queue(side)
    assert [(o.price, o.lots) for o in engine.orders(side)] == queue
    assert engine.lots(side) == sum(lots for _, lots in queue)
    assert engine.best(side) == (queue[0][0] if queue else None)
    prices = dict.fromkeys(price for price, _ in queue)
    assert list(engine.depth(side)) == [
        (p, sum(lots for at, lots in queue if at == p), sum(at == p for at, _ in queue)) for p in prices
    ]
    for price in range(14):
        there = [lots for at, lots in queue if at == price]
        assert (engine.lots_at(side, price), engine.orders_at(side, price)) == (sum(there), len(there))


def test_an_older_order_at_the_same_price_is_matched_first() -> None:
    engine = Engine()
    first, _ = engine.limit("sell", 10, 3)
    second, _ = engine.limit("sell", 10, 3)
    better, _ = engine.limit("sell", 9, 1)
    _, matches = engine.limit("buy", 10, 5)
    assert [(m.maker, m.price, m.lots) for m in matches] == [(better, 9, 1), (first, 10, 3), (second, 10, 1)]
    assert (engine.best("sell"), engine.best("buy"), engine.lots("sell")) == (10, None, 2)


@pytest.mark.parametrize(("price", "lots"), [(0, 1), (1, 0), (-1, 1), (1, -1)])
def test_no_order_without_a_price_or_a_size(price: int, lots: int) -> None:
    engine = Engine()
    with pytest.raises(ValueError, match=f"^expected a price and a size of at least 1, got {price} and {lots}$"):
        engine.limit("buy", price, lots)
    assert (engine.changes, list(engine.orders("buy"))) == (0, [])


@pytest.mark.parametrize("lots", [0, -1])
def test_no_market_order_without_a_size(lots: int) -> None:
    engine = Engine()
    with pytest.raises(ValueError, match=f"^expected a size of at least 1, got {lots}$"):
        engine.market("buy", lots)
    assert engine.changes == 0


def test_an_order_says_what_it_is_and_what_is_left_of_it() -> None:
    engine = Engine()
    resting, none = engine.limit("sell", 1, 3, owner=8)
    assert none == []
    taking, matches = engine.limit("buy", 1, 1)
    found = [(o.number, o.side, o.price, o.lots, o.owner, o.slot) for o in (resting, taking)]
    assert found == [(1, "sell", 1, 2, 8, -1), (2, "buy", 1, 0, 0, -1)]
    assert matches == [(resting, 1, 1)]
    assert not engine.cancel(taking)
    assert (list(engine.orders("sell")), list(engine.orders("buy"))) == ([resting], [])


def test_each_order_and_each_cancel_that_does_something_is_a_change() -> None:
    engine = Engine()
    found = [engine.changes]
    order, _ = engine.limit("buy", 1, 2)
    found.append(engine.changes)
    engine.market("sell", 1)
    found.append(engine.changes)
    assert engine.cancel(order)
    found.append(engine.changes)
    assert not engine.cancel(order)
    assert engine.market("sell", 1) == []  # there is nothing to take
    found.append(engine.changes)
    assert found == [0, 1, 2, 3, 4]


def test_lots_of_the_public_are_those_of_orders_without_an_owner() -> None:
    engine = Engine()
    for owner, lots in ((0, 5), (7, 3), (0, 2), (9, 4)):
        engine.limit("sell", 10, lots, owner)
    assert (engine.lots("sell"), engine.public_lots("sell"), engine.public_lots("buy")) == (14, 7, 0)
    engine.market("buy", 6)  # of the public 5, and 1 of an owner
    assert (engine.lots("sell"), engine.public_lots("sell")) == (8, 2)
    engine.cancel(next(order for order in engine.orders("sell") if order.owner == 9))
    assert (engine.lots("sell"), engine.public_lots("sell")) == (4, 2)
    engine.market("buy", 9)
    assert (engine.lots("sell"), engine.public_lots("sell"), engine.best("sell")) == (0, 0, None)
