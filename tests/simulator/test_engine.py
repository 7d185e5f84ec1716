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
    with pytest.raises(ValueError, match="at least 1"):
        Engine().limit("buy", price, lots)
