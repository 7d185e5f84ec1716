"""Numbers and times that come as text."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from venues.errors import BadMessage
from venues.toolkit.numbers import not_negative, percent, positive, text_number
from venues.toolkit.times import iso_ms


@pytest.mark.parametrize("text", ["0", "-0.5", "1e3", "1E-40", "9" * 40, "0.0000000000000000000000000000000000000001"])
def test_good_numbers_keep_their_digits(text: str) -> None:
    assert text_number(text, "x").as_tuple() == Decimal(text).as_tuple()


@pytest.mark.parametrize(
    "text",
    ["", " 1", "1 ", "1_000", "1,5", "NaN", "Infinity", "-inf", "+1", ".5", "5.", "01", "0x1", "٣", "1e", "1\n", "--1"],
)
def test_what_is_no_number_names_the_path(text: str) -> None:
    with pytest.raises(BadMessage, match=r"expected a decimal number in a text at `item\.x`"):
        text_number(text, "item.x")


@pytest.mark.parametrize("text", ["1" * 41, "1e41", "1e-41", "1e9999", "0." + "0" * 41, "1" * 1_000_000])
def test_numbers_beyond_measure(text: str) -> None:
    with pytest.raises(BadMessage, match="at most 40 digits"):
        text_number(text, "x")


def test_signs() -> None:
    assert positive("0.1", "x") == Decimal("0.1")
    assert not_negative("0", "x") == 0
    for check, text in ((positive, "0"), (positive, "-1"), (not_negative, "-0.1")):
        with pytest.raises(BadMessage, match="expected a number"):
            check(text, "x")


@given(st.text(max_size=12))
def test_any_text_is_a_number_or_an_error_of_ours(text: str) -> None:
    try:
        value = text_number(text, "x")
    except BadMessage:
        return
    assert text.isascii()
    assert value.is_finite()


@pytest.mark.parametrize(
    ("fraction", "expected"),
    [("0.0018", "0.18"), ("-0.0291", "-2.91"), ("4969.3905", "496939.05"), ("5", "500"), ("0", "0"), ("0.00", "0")],
)
def test_percent_moves_the_point(fraction: str, expected: str) -> None:
    assert str(percent(Decimal(fraction))) == expected


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("2025-05-20T17:22:31.899Z", 1747761751899),
        ("2025-05-20T17:22:31.9001213Z", 1747761751900),
        ("2025-05-20T17:19:21.49Z", 1747761561490),
        ("2025-05-20T17:19:21.491321Z", 1747761561491),
        ("2025-05-21T15:30:00Z", 1747841400000),
        ("2025-05-21T15:30:00", 1747841400000),
        ("2025-05-21T17:30:00+02:00", 1747841400000),
        ("1969-12-31T23:59:59.5Z", -500),
    ],
)
def test_times_with_any_fraction(text: str, milliseconds: int) -> None:
    assert iso_ms(text, "x") == milliseconds


@pytest.mark.parametrize(
    "text", ["", "2025-05-21", "2025-13-01T00:00:00Z", "2025-05-21 15:30:00Z", "1747841400000", "٢"]
)
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(BadMessage, match="expected a time"):
        iso_ms(text, "x")
