"""Decimals from the wire."""

from __future__ import annotations

import decimal
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from venues.errors import BadMessage
from venues.toolkit import numbers
from venues.toolkit.numbers import (
    EXACT,
    LONGEST_SHOWN,
    NOT_NEGATIVE,
    NUMBERS,
    POSITIVE,
    KnownTexts,
    add,
    is_absent,
    not_negative,
    number,
    optional,
    optional_not_negative,
    optional_positive,
    plain_text,
    positive,
    shown,
    subtract,
    whole,
    whole_number,
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


def test_an_integer_of_too_many_bits_is_refused_before_it_is_made_a_decimal(monkeypatch: pytest.MonkeyPatch) -> None:
    """That takes seconds for one of half a million digits."""
    made: list[int] = []

    class Noting(Decimal):
        def __new__(cls, value: int) -> Noting:
            made.append(value)
            return super().__new__(cls, value)

    monkeypatch.setattr(numbers, "Decimal", Noting)
    assert number(2, "p") == 2
    with pytest.raises(BadMessage) as refused:
        number(2**200, "p")
    expected = (
        "expected a number of at most 40 digits and an exponent of at most ±40 at `p`, got an integer of 201 bits"
    )
    assert (str(refused.value), made) == (expected, [2])


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


SIZE = "expected a number of at most 40 digits and an exponent of at most ±40 at `p`, got "


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (Decimal("1e41"), SIZE + "1E+41"),
        (Decimal("1e-41"), SIZE + "1E-41"),
        (Decimal("0e41"), SIZE + "0E+41"),
        (Decimal("9" * 41), SIZE + "9" * 41),
        (10**40, SIZE + "1" + "0" * 40),
        (2**134, SIZE + str(2**134)),
        ("1e41", SIZE + '"1e41"'),
        ("1e-41", SIZE + '"1e-41"'),
        ("1" * 41, SIZE + f'"{"1" * 41}"'),
        (Decimal("NaN"), "expected a finite number at `p`, got NaN"),
        (Decimal("-Infinity"), "expected a finite number at `p`, got -Infinity"),
        (Decimal("sNaN"), "expected a finite number at `p`, got sNaN"),
        (1.5, "expected a number at `p`, got 1.5"),
        (None, "expected a number at `p`, got null"),
        (False, "expected a number at `p`, got false"),
        ("1_0", 'expected a decimal number in a text at `p`, got "1_0"'),
    ],
)
def test_what_is_refused_is_said_with_what_was_expected(value: object, words: str) -> None:
    for read in (number, positive, not_negative, optional, optional_positive, optional_not_negative):
        if value is None and read.__name__.startswith("optional"):
            continue
        with pytest.raises(BadMessage) as refused:
            read(value, "p")
        assert str(refused.value) == words


@pytest.mark.parametrize("value", [10**40 - 1, -(10**40) + 1, 0, Decimal(10**39), "9" * 40, "-" + "9" * 40])
def test_whole_numbers_of_forty_digits_are_good(value: object) -> None:
    assert number(value, "p") == Decimal(str(value))


@pytest.mark.parametrize("text", ["-0." + "0" * 39 + "1", "-" + "1" * 39 + ".1", "1." + "1" * 39, "1e40", "12e-40"])
def test_the_longest_texts_of_good_numbers_are_read(text: str) -> None:
    assert number(text, "p").as_tuple() == Decimal(text).as_tuple()


@pytest.mark.parametrize("text", ["1." + "1" * 40, "0." + "0" * 40 + "1", "0" * 41, "1" * 20 + "." + "1" * 21])
def test_texts_that_are_a_digit_too_long_are_refused(text: str) -> None:
    with pytest.raises(BadMessage):
        number(text, "p")


@pytest.mark.parametrize("small", ["1e-40", Decimal("1e-40"), Decimal("0.1"), "5", 1])
def test_what_is_just_above_zero_is_positive(small: object) -> None:
    for read in (positive, not_negative, optional_positive, optional_not_negative):
        assert read(small, "p") == Decimal(str(small))


@pytest.mark.parametrize("zero", [0, "0", Decimal(0), Decimal("0.00"), "-0", Decimal("-0.0"), Decimal("0e-30")])
def test_zero_is_not_positive_and_not_negative(zero: object) -> None:
    assert not_negative(zero, "p") == optional_not_negative(zero, "p") == 0
    for read in (positive, optional_positive):
        with pytest.raises(BadMessage) as refused:
            read(zero, "p")
        assert str(refused.value) == f"expected a number above 0 at `p`, got {shown(zero)}"


@pytest.mark.parametrize("below", [-1, "-1", Decimal(-1), "-1e-40", Decimal("-1e-40")])
def test_what_is_below_zero_is_neither(below: object) -> None:
    for read, words in (
        (positive, "above 0"),
        (not_negative, "of at least 0"),
        (optional_not_negative, "of at least 0"),
    ):
        with pytest.raises(BadMessage) as refused:
            read(below, "p")
        assert str(refused.value) == f"expected a number {words} at `p`, got {shown(below)}"


@pytest.mark.parametrize("value", [None, UNSET, ""])
def test_a_figure_that_was_not_sent_is_none(value: object) -> None:
    assert is_absent(value)
    assert [read(value, "p") for read in (optional, optional_positive, optional_not_negative)] == [None] * 3


@pytest.mark.parametrize("value", [0, "0", False, Decimal(0), " ", [], "null"])
def test_a_figure_that_was_sent_is_not_absent(value: object) -> None:
    assert not is_absent(value)


@pytest.mark.parametrize(
    ("value", "count"),
    [
        (0, 0), (12, 12), ("12", 12), ("0", 0), ("007", 7), ("12.0", 12), ("12.000000000", 12),
        (Decimal("1.2E3"), 1200),
        (Decimal("12.0"), 12), (10**40 - 1, 10**40 - 1), ("9" * 40, 10**40 - 1), (Decimal("9" * 40), 10**40 - 1),
        (Decimal("1e39"), 10**39), (2**134 - 1, 2**134 - 1), (Decimal("-0"), 0),
    ],
)  # fmt: skip
def test_a_count_is_a_whole_number(value: object, count: int) -> None:
    assert (whole(value), whole_number(value, "p")) == (count, count)


@pytest.mark.parametrize(
    "value",
    [
        "", "12.5", "12.", "12.0000000000", "-1", "1e3", " 1", "1" * 41, "²", "٣", Decimal("1.5"), Decimal("NaN"),
        Decimal("Infinity"), Decimal("1e40"), Decimal("1e999999"), 2**134, -(2**134), True, None, 1.0, [],
    ],
)  # fmt: skip
def test_what_is_no_count(value: object) -> None:
    assert whole(value) is None
    with pytest.raises(BadMessage) as refused:
        whole_number(value, "p")
    assert str(refused.value) == f"expected a whole number at `p`, got {shown(value)}"


@pytest.mark.parametrize("value", [-1, Decimal(-1), -(2**133)])
def test_a_whole_number_below_zero_is_no_count(value: object) -> None:
    assert whole(value) == value
    with pytest.raises(BadMessage, match="expected a whole number at `p`, got -"):
        whole_number(value, "p")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("1.2E-7"), "0.00000012"), (Decimal("1E+3"), "1000"), (Decimal("100"), "100"),
        (Decimal("-0.50"), "-0.50"),
        (Decimal("0E-9"), "0.000000000"),
    ],
)  # fmt: skip
def test_all_digits_are_written_without_an_exponent(value: Decimal, text: str) -> None:
    assert plain_text(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("x" * 58, '"' + "x" * 58 + '"'),
        ("x" * 59, '"' + "x" * 58 + "…"),
        ("", '""'),
        (10**60 - 1, "9" * 60),
        (-(10**60) + 1, "-" + "9" * 58 + "…"),
        (10**60, "an integer of 200 bits"),
        (-(10**60), "an integer of 200 bits"),
        (Decimal("1e40"), "1" + "0" * 40),
        (Decimal("1e41"), "1E+41"),
        (Decimal("1e-40"), "0." + "0" * 39 + "1"),
        (Decimal("1e-41"), "1E-41"),
        (Decimal("NaN"), "NaN"),
        (False, "false"),
        (1.5, "1.5"),
        ([1, None], "[1, None]"),
    ],
)
def test_how_a_value_is_quoted(value: object, text: str) -> None:
    assert shown(value) == text


def test_each_bound_has_its_own_known_texts() -> None:
    for texts, good, bad in ((NUMBERS, "-1", "x"), (POSITIVE, "1e-40", "0"), (NOT_NEGATIVE, "0", "-1e-40")):
        assert texts[good] == Decimal(good)
        with pytest.raises(ValueError, match=r"^$"):
            texts[bad]
    for json_number in (Decimal("1e41"), None, 1.5, True):
        with pytest.raises(ValueError, match=r"^$"):
            NUMBERS[json_number]
    with pytest.raises(TypeError):
        NUMBERS[[]]


def test_sums_have_a_hundred_digits_between_the_smallest_and_the_largest_exponent() -> None:
    digits = "1." + "2" * 98 + "3"
    for exponent in (-999, -40, 0, 40, 999):
        assert EXACT.plus(Decimal(f"{digits}E{exponent}")).as_tuple() == Decimal(f"{digits}E{exponent}").as_tuple()
    assert EXACT.plus(Decimal("1." + "2" * 99 + "3")) == Decimal("1." + "2" * 99)
    assert EXACT.plus(Decimal(f"{digits}E-1000")) == Decimal(f"1.{'2' * 98}E-1000"), "the last digit is below them all"
    with pytest.raises(decimal.Overflow):
        EXACT.plus(Decimal("1E1000"))
