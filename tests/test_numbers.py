"""Decimals from the wire."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from venues.errors import BadMessage
from venues.toolkit import numbers
from venues.toolkit.numbers import (
    LONGEST_SHOWN,
    KnownTexts,
    add,
    not_negative,
    number,
    optional,
    positive,
    shown,
    subtract,
)


@pytest.mark.parametrize(
    "text", ["0", "-1", "0.1", "1e5", "1E-8", "9" * 40, "1e40", "1e-40", "0.0", "1e25", "123.4500"]
)
def test_good_numbers_are_exact(text: str) -> None:
    assert str(number(Decimal(text), "p")) == str(Decimal(text))


@pytest.mark.parametrize(
    "value",
    [
        Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), Decimal("-Infinity"), Decimal("9" * 41), Decimal("1e41"),
        Decimal("1e-41"), Decimal("0e-999999"), Decimal("0e999999"), Decimal("1e400"), Decimal("1e999999999999999999"),
        10**41, " 1", "0,9356", "+1", "", "1_000", "abc", True, None, 1.5, [], {},
    ],
)  # fmt: skip
def test_all_else_is_refused_with_its_path(value: object) -> None:
    with pytest.raises(BadMessage, match=r"at `data\.price`, got ") as refused:
        number(value, "data.price")
    assert len(str(refused.value)) < 250
    with pytest.raises(BadMessage):
        positive(value, "data.price")


def test_bounds() -> None:
    assert positive(5, "p") == 5
    assert not_negative(0, "p") == 0
    assert optional(None, "p") is None
    for refused in (0, -1, Decimal("0.0"), Decimal("-0.1")):
        with pytest.raises(BadMessage, match="above 0"):
            positive(refused, "p")
    with pytest.raises(BadMessage, match="at least 0"):
        not_negative(Decimal("-1e-8"), "p")


def test_sums_are_exact_beyond_28_digits() -> None:
    large, small = Decimal("9" * 40), Decimal("1e-40")
    assert subtract(add(large, small), large) == small


def test_what_came_is_shown_short() -> None:
    assert shown("x" * 1000).endswith("…")
    assert (shown(10**59), shown(10**60)) == ("1" + "0" * 59, "an integer of 200 bits")
    assert len(shown("x" * 1000)) == LONGEST_SHOWN
    assert shown(10**5000).startswith("an integer of")
    assert shown(Decimal("1e999999999999999999")) == "1E+999999999999999999"
    assert (shown(True), shown(None), shown("a")) == ("true", "null", '"a"')


def test_texts_are_known_once_read_and_json_numbers_keep_their_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    known = KnownTexts(lambda value: value > 0)
    assert known["1.50"] is known["1.50"]
    assert [str(known[Decimal(text)]) for text in ("1.0", "1.00", "1")] == ["1.0", "1.00", "1"]
    for bad in ("0", "-1", "x", Decimal(0)):
        with pytest.raises(ValueError, match=r"^$"):
            known[bad]
    assert dict(known) == {"1.50": Decimal("1.50")}
    monkeypatch.setattr(numbers, "_MOST_KNOWN", 2)
    assert [str(known[text]) for text in ("2", "3")] == ["2", "3"]
    assert list(known) == ["3"], "of too many nothing is kept but the newest"


@given(st.decimals(allow_nan=True, allow_infinity=True))
def test_a_number_passes_exactly_when_it_is_good(value: Decimal) -> None:
    good = False
    if value.is_finite():
        _, digits, exponent = value.as_tuple()
        assert isinstance(exponent, int)
        good = len(digits) <= 40 and abs(exponent) <= 40
    try:
        passed = number(value, "p") is value
    except BadMessage:
        passed = False
    assert passed == good
