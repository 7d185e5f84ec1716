"""Prices in groups: bids rounded down and asks up to a multiple of a step, sizes and notionals summed, all exact."""

from __future__ import annotations

import decimal
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from venues.records import Level

# Prices and sizes have at most 40 digits and exponents within ±40: products and sums of them are exact in 300 digits.
SUMS = decimal.Context(prec=300, Emax=9_999, Emin=-9_999)
FACTORS = (1, 2, 5)
ZERO = Decimal(0)


class Row(NamedTuple):
    """One price, or one group of prices, of a side. `total` and `notional` are summed from the best price outwards.

    `notional` is Σ price × size of the levels themselves, also where they are grouped. `whole` is False where levels
    that belong to the group may lie beyond the last level known: size and totals are then a lower bound.
    """

    price: Decimal
    size: Decimal
    total: Decimal
    notional: Decimal
    orders: int | None = None
    whole: bool = True


def multiple_below(price: Decimal, step: Decimal) -> Decimal:
    """The highest multiple of `step` that is not above the price."""
    times = SUMS.divide_int(price, step)
    rounded = SUMS.multiply(times, step)
    return SUMS.multiply(SUMS.subtract(times, 1), step) if rounded > price else rounded


def multiple_above(price: Decimal, step: Decimal) -> Decimal:
    """The lowest multiple of `step` that is not below the price."""
    times = SUMS.divide_int(price, step)
    rounded = SUMS.multiply(times, step)
    return SUMS.multiply(SUMS.add(times, 1), step) if rounded < price else rounded


def rows_of(levels: Sequence[Level], most: int) -> list[Row]:
    """The best levels as they are, at most `most`."""
    rows = []
    total = notional = ZERO
    for level in levels[:most]:
        total = SUMS.add(total, level.size)
        notional = SUMS.fma(level.price, level.size, notional)
        rows.append(Row(level.price, level.size, total, notional, level.orders))
    return rows


def grouped(levels: Sequence[Level], step: Decimal, most: int, *, bids: bool, complete: bool = False) -> list[Row]:
    """The best groups of a side whose levels come best first, at most `most`; bids count down, asks up.

    `complete`: there are no levels beyond the last one.
    """
    rows: list[Row] = []
    total = notional = ZERO
    at, count = 0, len(levels)
    while at < count and len(rows) < most:
        price = multiple_below(levels[at].price, step) if bids else multiple_above(levels[at].price, step)
        size, orders = ZERO, 0
        counted = True
        while at < count and (levels[at].price >= price if bids else levels[at].price <= price):
            level = levels[at]
            size = SUMS.add(size, level.size)
            notional = SUMS.fma(level.price, level.size, notional)
            counted = counted and level.orders is not None
            orders += level.orders or 0
            at += 1
        total = SUMS.add(total, size)
        # What lies beyond the last level that came may not be known, unless that level ends the group.
        whole = complete or at < count or levels[-1].price == price
        rows.append(Row(price, size, total, notional, orders if counted else None, whole))
    return rows


def tick_of(prices: Iterable[Decimal]) -> int | None:
    """The exponent of the smallest decimal place that any of the prices is written with, at most 0; None of none."""
    exponents = [exponent for price in prices if isinstance(exponent := price.as_tuple().exponent, int)]
    return min(0, *exponents) if exponents else None


def coarser(step: Decimal | None, tick: int, highest: Decimal) -> Decimal | None:
    """The next of the steps 1, 2, 5, 10, … above `step`, first above 10^`tick`; `step` again where it would be above
    `highest`, a price that is to be told from 0."""
    current = Decimal((0, (1,), tick)) if step is None else step
    above = _next_above(current)
    return above if above <= highest else step


def finer(step: Decimal | None, tick: int) -> Decimal | None:
    """The next of the steps below `step`; None (no grouping) at 10^`tick` and below."""
    if step is None:
        return None
    below = _next_below(step)
    return below if below > Decimal((0, (1,), tick)) else None


def _next_above(value: Decimal) -> Decimal:
    power = value.adjusted()
    steps = [Decimal((0, (factor,), power)) for factor in FACTORS] + [Decimal((0, (1,), power + 1))]
    return next(step for step in steps if step > value)


def _next_below(value: Decimal) -> Decimal:
    power = value.adjusted()
    steps = [Decimal((0, (factor,), power)) for factor in reversed(FACTORS)] + [Decimal((0, (5,), power - 1))]
    return next(step for step in steps if step < value)
