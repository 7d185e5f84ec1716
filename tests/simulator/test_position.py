"""A simulated net position, fill by fill: what is closed first, what it brought, and what is left."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

import pytest

from venues.simulator.position import Closed, Position, mean_price, to_cents


class Filled:
    """A position after fills of `(signed, price)`; each has its own number and time."""

    def __init__(self, *fills: tuple[str, str]) -> None:
        self.position = Position("BTC")
        self.closed: list[Closed | None] = []
        for at, (signed, price) in enumerate(fills, start=1):
            self.closed.append(
                self.position.fill(Decimal(signed), Decimal(price), order_id=100 + at, number=10 * at, now=at)
            )

    @property
    def state(self) -> tuple[Any, ...]:
        one = self.position
        return one.holding, one.cost, one.position_id, one.opened, one.updated


@pytest.mark.parametrize(
    ("fills", "state"),
    [
        ([], ("0", "0", 0, 0, 0)),
        ([("2", "10")], ("2", "20", 10, 1, 1)),
        ([("2", "10"), ("1", "13")], ("3", "33", 10, 1, 2)),
        ([("-2", "10"), ("-1", "13")], ("-3", "-33", 10, 1, 2)),
        ([("2", "10"), ("-2", "12")], ("0", "0", 10, 1, 2)),
        ([("2", "10"), ("-1", "12")], ("1", "10", 10, 1, 2)),
        ([("2", "10"), ("-3", "12")], ("-1", "-12", 20, 2, 2)),
        ([("-2", "10"), ("5", "8")], ("3", "24", 20, 2, 2)),
        ([("2", "10"), ("-2", "12"), ("1", "5")], ("1", "5", 30, 3, 3)),
        ([("1", "10"), ("1", "20"), ("-1.5", "30")], ("0.5", "10.0", 10, 1, 3)),
    ],
)
def test_what_is_open(fills: list[tuple[str, str]], state: tuple[Any, ...]) -> None:
    holding, cost, *others = state
    assert Filled(*fills).state == (Decimal(holding), Decimal(cost), *others)


@pytest.mark.parametrize(
    ("fills", "closed"),
    [
        ([("2", "10")], None),
        ([("2", "10"), ("1", "10")], None),
        ([("2", "10"), ("-1", "12")], ("1", "10", "12")),
        ([("2", "10"), ("-5", "12")], ("2", "20", "24")),
        ([("-2", "10"), ("1", "12")], ("-1", "-10", "-12")),
        ([("-2", "10"), ("5", "12")], ("-2", "-20", "-24")),
        ([("1", "10"), ("2", "20"), ("-2", "30")], ("2", "30", "60")),
        ([("1", "10"), ("2", "20"), ("-1", "30")], ("1", "10", "30")),
    ],
)
def test_what_was_opened_first_is_closed_first(
    fills: list[tuple[str, str]], closed: tuple[str, str, str] | None
) -> None:
    made = Filled(*fills)
    assert made.closed[:-1] == [None] * (len(fills) - 1)
    now = len(fills)
    if closed is None:
        assert made.closed[-1] is None
        return
    holding, cost, value = map(Decimal, closed)
    assert made.closed[-1] == Closed("BTC", 10, 100 + now, holding, cost, value, opened=1, closed=now)
    assert made.closed[-1].realised == value - cost


def test_a_part_that_is_closed_leaves_its_rest_in_its_place() -> None:
    made = Filled(("2", "10"), ("1", "20"), ("-1", "30"), ("-1", "30"), ("-1", "30"))
    assert [one.cost for one in made.closed if one is not None] == [10, 10, 20]
    assert made.position.holding == made.position.cost == 0


@pytest.mark.parametrize(
    ("fills", "open_price", "margin", "price", "unrealised"),
    [
        ([], None, "0.00", "5", "0.00"),
        ([("3", "10"), ("3", "11")], "10.50000000", "6.30", "12", "9.00"),
        ([("1", "10"), ("2", "10.01")], "10.00666667", "3.01", "10.005", "-0.01"),
        ([("-2", "10")], "10.00000000", "2.00", "9.999", "0.00"),
        ([("-2", "10")], "10.00000000", "2.00", "10.001", "-0.01"),
        ([("-1", "0.01")], "0.01000000", "0.01", "0", "0.01"),
    ],
)
def test_what_is_open_is_worth(
    fills: list[tuple[str, str]], open_price: str | None, margin: str, price: str, unrealised: str
) -> None:
    """A margin is rounded up, a PnL down."""
    position = Filled(*fills).position
    assert (None if position.open_price is None else str(position.open_price)) == open_price
    assert (str(position.used_margin), str(position.unrealised(Decimal(price)))) == (margin, unrealised)


def test_what_one_order_closes_in_parts_is_summed_up() -> None:
    one, other = (
        Closed("BTC", 7, order, *map(Decimal, figures), opened=1, closed=order, ordered=order, order_type=kind)
        for order, figures, kind in ((3, ("1", "10", "12"), "limit"), (4, ("2", "21", "27"), "market"))
    )  # type: ignore[arg-type]
    both = one.and_then(other)
    assert both == other._replace(holding=Decimal(3), cost=Decimal(31), value=Decimal(39))
    assert (str(both.open_price), str(both.close_price), both.realised) == ("10.33333333", "13.00000000", 8)


@pytest.mark.parametrize(
    ("amount", "rounding", "cents"),
    [("1.001", ROUND_CEILING, "1.01"), ("1.009", ROUND_FLOOR, "1.00"), ("-1.001", ROUND_FLOOR, "-1.01")],
)
def test_money_has_cents(amount: str, rounding: str, cents: str) -> None:
    assert str(to_cents(Decimal(amount), rounding)) == cents
    assert str(mean_price(Decimal(2), Decimal(3))) == "0.66666667"
