"""Any JSON as one line, at its limits: how deep, how long, and how large a number."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from cli.output import payload
from cli.output.payload import LONGEST_NUMBER


def line(data: Any) -> str:
    return payload.line_of(data, lambda time: f"AT {time}")


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (None, "—"),
        ([None, True, False], "[null, true, false]"),
        ("x", "x"),
        (["x"], "[x]"),
        ([["x"]], '[["x"]]'),
        ([{"a": "x"}], '[{a: "x"}]'),
        ({"a": "x"}, "a x"),
        ({"a": ["x"]}, 'a ["x"]'),
        ({"a": {"b": "x", "c": []}}, 'a {b: "x", c: []}'),
        ({"a": None, "b": {}}, "a null · b {}"),
        ({}, "{}"),
        ([], "[]"),
        (1.5, "1.5"),
        ({"bid": [1, 2], "ask": [3, 4], "time": {"a": "x"}}, 'quote 1 × 2 / 3 × 4 · {a: "x"}'),
        ({"bid": [1, 2], "ask": [3, 4], "time": 0}, "quote 1 × 2 / 3 × 4 · AT 0"),
        ({"bid": [1, 2], "ask": [3, 4], "time": -1}, "quote 1 × 2 / 3 × 4 · -1"),
        ({"bid": [1, 2], "ask": [3, 4], "time": 2**53 - 1}, f"quote 1 × 2 / 3 × 4 · AT {2**53 - 1}"),
        ({"bid": [1, 2], "ask": [3, 4], "time": 2**53}, f"quote 1 × 2 / 3 × 4 · {2**53}"),
        ({"bid": [1, 2], "ask": [3, 4], "time": True}, "quote 1 × 2 / 3 × 4 · true"),
        ({"bid": [1, True], "ask": [3, 4]}, "bid [1, true] · ask [3, 4]"),
        ({"bid": [1, 2, 3], "ask": [3, 4]}, "bid [1, 2, 3] · ask [3, 4]"),
    ],
)
def test_any_json_is_one_line(data: Any, shown: str) -> None:
    assert line(data) == shown


def nested(levels: int) -> Any:
    return [nested(levels - 1)] if levels else 1


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (nested(5), "[[[[[1]]]]]"),
        (nested(6), "[[[[[[1]]]]]]"),
        (nested(7), "[[[[[[…]]]]]]"),
        ({"a": nested(5)}, "a [[[[[1]]]]]"),
        ({"a": nested(6)}, "a [[[[[…]]]]]"),
        ([{"a": nested(4)}], "[{a: [[[[1]]]]}]"),
        ([{"a": nested(5)}], "[{a: [[[[…]]]]}]"),
    ],
)
def test_what_is_deeper_is_an_ellipsis(data: Any, shown: str) -> None:
    assert line(data) == shown


@pytest.mark.parametrize(("longest", "shown"), [(9, "a 1 · b 2"), (8, "a 1 · b…"), (7, "a 1…"), (4, "a 1…"), (3, "a…")])
def test_a_line_has_so_many_characters(longest: int, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payload, "LONGEST", longest)
    assert line({"a": 1, "b": 2}) == shown


DIGITS = "1" * LONGEST_NUMBER


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (2**239 - 1, str(2**239 - 1)),
        (2**239, "(a number of 240 bits)"),
        (-(2**239), "(a number of 240 bits)"),
        (Decimal("1e79"), "1" + "0" * 79),
        (Decimal("1e80"), "1E+80"),
        (Decimal("1e-79"), f"0.{'0' * 78}1"),
        (Decimal("1e-80"), "1E-80"),
        (Decimal(DIGITS), DIGITS),
        (Decimal(f"0.{DIGITS[:40]}"), f"0.{DIGITS[:40]}"),
        (Decimal(f"1.{DIGITS[:78]}"), f"1.{DIGITS[:78]}"),
        (Decimal(f"1.{DIGITS[:79]}"), "(a number of 81 characters)"),
        (Decimal(DIGITS + "1"), "(a number of 81 characters)"),
        (Decimal("NaN"), "NaN"),
    ],
)
def test_a_number_has_all_its_digits_unless_it_would_fill_the_line(number: int | Decimal, shown: str) -> None:
    assert payload._number(number) == shown
