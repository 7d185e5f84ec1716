"""What conditions calculate with, one by one: exact figures, absent values, and three truths."""

from __future__ import annotations

from decimal import Decimal
from itertools import product
from typing import Any

import pytest

from cli.output import exactly
from cli.output.exactly import MOST_BITS
from venues.records import Book, Level, Quote

ONE, TWO, THREE = Decimal(1), Decimal(2), Decimal(3)
HUGE = Decimal("9" * 100)


@pytest.mark.parametrize(
    ("name", "left", "right", "result"),
    [
        ("plus", ONE, TWO, THREE),
        ("plus", HUGE, ONE, Decimal("1e100")),
        ("plus", HUGE, TWO, None),
        ("minus", ONE, TWO, Decimal(-1)),
        ("times", Decimal("0.1"), THREE, Decimal("0.3")),
        ("times", HUGE, TWO, None),
        ("divided", ONE, TWO, Decimal("0.5")),
        ("divided", ONE, THREE, Decimal("0." + "3" * 100)),
        ("divided", TWO, THREE, Decimal("0." + "6" * 99 + "7")),
        ("divided", ONE, Decimal(0), None),
        ("divided", Decimal(0), Decimal(0), None),
        ("plus", 1, 2, THREE),
    ],
)
def test_a_calculation_is_exact_or_absent(name: str, left: Any, right: Any, result: Decimal | None) -> None:
    calculate = getattr(exactly, name)
    assert calculate(left, right) == result
    assert (calculate(None, right), calculate(left, None), calculate(None, None)) == (None, None, None)
    assert exactly.calculated(left, name, right) == result


def test_steps_go_from_left_to_right() -> None:
    assert exactly.calculated(ONE) == ONE
    assert exactly.calculated(ONE, "minus", TWO, "minus", THREE) == Decimal(-4)
    assert exactly.calculated(TWO, "times", THREE, "divided", Decimal(4)) == Decimal("1.5")
    assert exactly.calculated(ONE, "minus", None, "minus", THREE) is None


@pytest.mark.parametrize(
    ("value", "negative", "absolute"),
    [
        (None, None, None),
        (Decimal("1.50"), "-1.50", "1.50"),
        (Decimal("-1.50"), "1.50", "1.50"),
        (Decimal(0), "-0", "0"),
        (-7, "7", "7"),
    ],
)
def test_signs_turn_and_go(value: Any, negative: str | None, absolute: str | None) -> None:
    for found, expected in ((exactly.negative(value), negative), (exactly.absolute(value), absolute)):
        assert (None if found is None else str(found)) == expected


def test_the_least_and_the_most_are_absent_where_one_is() -> None:
    assert (exactly.minimum(TWO, ONE, THREE), exactly.maximum(TWO, THREE, ONE)) == (ONE, THREE)
    assert (exactly.minimum(TWO, None), exactly.maximum(None, TWO)) == (None, None)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (ONE, ONE),
        (Decimal("NaN"), None),
        (Decimal("Infinity"), None),
        (True, None),
        (False, None),
        (0, 0),
        (2**MOST_BITS - 1, 2**MOST_BITS - 1),
        (2**MOST_BITS, None),
        (-(2**MOST_BITS), None),
        (0.1, Decimal("0.1")),
        (float("nan"), None),
        (float("inf"), None),
        ("1", None),
        (None, None),
        ([], None),
    ],
)
def test_what_is_a_number(value: Any, number: Any) -> None:
    found = exactly.as_number(value)
    assert found == number
    assert found.__class__ is number.__class__


@pytest.mark.parametrize(("value", "truth"), [(True, True), (False, False), (1, None), (0, None), ("true", None)])
def test_what_is_a_truth(value: Any, truth: bool | None) -> None:
    assert exactly.as_truth(value) is truth


@pytest.mark.parametrize(
    ("left", "right", "equal"),
    [
        (ONE, 1, True),
        (ONE, 1.0, True),
        (ONE, TWO, False),
        (ONE, "1", None),
        (1, True, None),
        (True, True, True),
        (True, False, False),
        ("a", "a", True),
        ("a", "b", False),
        (None, None, None),
        ([], [], None),
        (ONE, None, None),
    ],
)
def test_only_what_is_of_one_kind_is_compared(left: Any, right: Any, equal: bool | None) -> None:
    for one, other in ((left, right), (right, left)):
        assert exactly.equal(one, other) is equal
        assert exactly.unequal(one, other) is (None if equal is None else not equal)


@pytest.mark.parametrize(
    ("left", "right", "order"), [(1, TWO, -1), (TWO, TWO, 0), (THREE, 2, 1), ("a", "b", None), (1, None, None)]
)
def test_numbers_are_ordered(left: Any, right: Any, order: int | None) -> None:
    names = ("less", "at_most", "greater", "at_least")
    found = [getattr(exactly, name)(left, right) for name in names]
    assert found == ([None] * 4 if order is None else [order < 0, order <= 0, order > 0, order >= 0])
    assert [exactly.chain([name], left, right) for name in names] == found


def test_a_chain_is_true_where_all_are() -> None:
    assert exactly.chain(["less", "at_most"], 1, 2, 2) is True
    assert exactly.chain(["less", "less"], 1, 2, 2) is False
    assert exactly.chain(["less", "less"], 1, None, 2) is None
    assert exactly.chain(["less", "equal", "unequal"], 1, 2, None, 2) is None
    assert exactly.chain(["greater", "less"], 1, 2, None) is False


@pytest.mark.parametrize(
    ("value", "listed", "found"),
    [(1, (TWO, ONE), True), (1, (TWO,), False), (1, (TWO, None), None), (1, (None, ONE), True), (1, (), False)],
)
def test_what_is_in_a_list(value: Any, listed: tuple[Any, ...], found: bool | None) -> None:
    assert exactly.one_of(value, *listed) is found


def test_truths_of_three_values() -> None:
    assert [exactly.negated(one) for one in (True, False, None)] == [False, True, None]
    for some in product((True, False, None), repeat=2):
        both, either = exactly.all_of(*some), exactly.any_of(*some)
        assert both is (False if False in some else None if None in some else True)
        assert either is (True if True in some else None if None in some else False)
    assert (exactly.all_of(), exactly.any_of()) == (True, False)


LEVELS = [Level(Decimal(10), Decimal(1)), Level(Decimal(9), Decimal(2))]


@pytest.mark.parametrize(("place", "price"), [(0, 10), (1, 9), (2, None), (9, None)])
def test_a_level_is_absent_where_there_are_not_so_many(place: int, price: int | None) -> None:
    assert exactly.of_level(LEVELS, place, "price") == price


@pytest.mark.parametrize(
    ("steps", "value"),
    [
        ([], {"a": [1, {"b": None}]}),
        (["a"], [1, {"b": None}]),
        (["a", 0], 1),
        (["a", 1], {"b": None}),
        (["a", 2], None),
        (["a", "0"], None),
        (["a", 1, "b"], None),
        (["a", 1, "b", "c"], None),
        (["b"], None),
        ([0], None),
        (["a", 0, 0], None),
    ],
)
def test_what_is_below_a_path(steps: list[str | int], value: Any) -> None:
    assert exactly.below({"a": [1, {"b": None}]}, steps) == value


@pytest.mark.parametrize(
    ("bid", "ask", "mid", "spread", "bps"),
    [
        ("99", "101", "100", "2", "200"),
        ("100", "100", "100", "0", "0"),
        ("-1", "1", "0", "2", None),
        (None, "101", None, None, None),
        ("99", None, None, None, None),
    ],
)
def test_what_is_derived_of_the_best_prices(
    bid: str | None, ask: str | None, mid: str | None, spread: str | None, bps: str | None
) -> None:
    prices = [None if price is None else Decimal(price) for price in (bid, ask)]
    quote = Quote(venue="v", received=1, bid_price=prices[0], ask_price=prices[1])
    sides = [[] if price is None else [Level(price, ONE), Level(price + 5, ONE)] for price in prices]
    book = Book(venue="v", received=1, bids=sides[0], asks=sides[1])
    for of, record in (("quote", quote), ("book", book)):
        for name, expected in (("mid", mid), ("spread", spread), ("spread_bps", bps)):
            found = getattr(exactly, f"{name}_of_{of}")(record)
            assert found == (None if expected is None else Decimal(expected))
