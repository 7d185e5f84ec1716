"""JSON of any shape: every digit as it was sent, and nothing that is too long, too deep or too much."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from venues.errors import BadMessage
from venues.toolkit import any_json as module
from venues.toolkit.any_json import DEEPEST, any_json, check_depth, check_values, exact_number, with_signs
from venues.toolkit.decoding import DECODE_ERRORS, explain
from venues.toolkit.written import WrittenDecimal


@pytest.mark.parametrize(
    ("text", "is_written"),
    [
        ("1.50", False),
        ("0.00001", False),
        ("0.0000001", True),
        ("-0.0000001", True),
        ("0.000000", True),
        ("10.0000001", False),
        ("1e5", True),
        ("1E-7", True),
        ("1." + "0" * 398, False),
    ],
)
def test_a_number_is_kept_as_it_was_sent(text: str, is_written: bool) -> None:
    for value in (exact_number(text), any_json(f"[{text}]".encode())[0]):
        assert value == Decimal(text)
        assert value.as_tuple() == Decimal(text).as_tuple()
        assert isinstance(value, WrittenDecimal) is is_written


@pytest.mark.parametrize("text", ["1e330", "1e-330", "1E+330", "1e000330", "0e0", "1." + "1" * 398])
def test_numbers_in_the_range_of_a_double_are_good(text: str) -> None:
    for exactly in (True, False):
        assert any_json(text.encode(), exactly=exactly) == Decimal(text)


@pytest.mark.parametrize("text", ["1e331", "1e-331", "1E+331", "1e0000330", "0e9999999", "1." + "1" * 399])
def test_numbers_beyond_it_are_refused(text: str) -> None:
    for exactly in (True, False):
        with pytest.raises(DECODE_ERRORS) as refused:
            any_json(f'{{"a": {text}}}'.encode(), exactly=exactly)
        shown = text if len(text) <= 40 else text[:39] + "…"
        assert (
            explain(refused.value)
            == f"expected a number of at most 400 digits and up to 1e±330 at `[...]`, got {shown}"
        )


def test_written_plainly_a_number_is_any_decimal() -> None:
    assert type(any_json(b"1e-7", exactly=False)) is Decimal
    assert type(any_json(b"0.0000001", exactly=False)) is Decimal


@pytest.mark.parametrize("frame", [b"-0", b" -0 ", b"[-0]", b"[1,-0]", b'{"a":-0}', b'{"a": -0}', b"[-0,1]", b"[-0 ]"])
def test_minus_zero_keeps_its_sign_where_numbers_are_kept_exactly(frame: bytes) -> None:
    def found(data: Any) -> list[Any]:
        inside = list(data.values()) if isinstance(data, dict) else data if isinstance(data, list) else [data]
        return [value for value in inside if value == 0]

    (exact,) = found(any_json(frame))
    assert (type(exact), exact.is_signed()) == (WrittenDecimal, True)
    (plain,) = found(any_json(frame, exactly=False))
    assert (type(plain), plain) == (int, 0)


@pytest.mark.parametrize(
    "frame", [b'["-0"]', b'["a,-0b"]', b"[-0.5, 10]", b"[1e-05]", b'"x-0"', b"[0]", b'["[-0]", 0]']
)
def test_what_only_looks_like_minus_zero_is_left(frame: bytes) -> None:
    assert any_json(frame) == any_json(frame, exactly=False)
    assert all(type(value) in (str, int, Decimal, WrittenDecimal) for value in any_json(frame))


def test_beside_a_minus_zero_all_else_stays_as_it_was() -> None:
    data = any_json(b'{"b": [-0, 12345678901234567890123, 1.50, 1e-7, null, true], "a": "x"}')
    assert list(data) == ["b", "a"]
    assert [str(value) for value in data["b"]] == ["-0", "12345678901234567890123", "1.50", "1e-7", "None", "True"]


def test_a_number_that_cannot_be_kept_beside_a_minus_zero_is_a_bad_message() -> None:
    with pytest.raises(BadMessage) as refused:
        with_signs(None, b"[-0, 1e999]")
    assert str(refused.value) == "expected `a number of at most 400 digits and up to 1e±330`, got `1e999`"
    with pytest.raises(BadMessage) as refused:
        with_signs(None, b"[-0, " + b"1" * 5_000 + b"]")
    assert len(str(refused.value)) == 120


def test_half_a_pair_is_replaced_before_signs_are_looked_for() -> None:
    data = any_json(rb'["\ud83d", -0]')
    assert data[0] == "\ufffd"
    assert data[1].is_signed()
    with pytest.raises(msgspec.DecodeError):
        any_json(b"[-0, x]")


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_so_deep_is_kept_and_no_deeper(opening: bytes, closing: bytes) -> None:
    deepest = opening * DEEPEST + b"1" + closing * DEEPEST
    assert any_json(deepest) is not None
    with pytest.raises(BadMessage) as refused:
        any_json(opening + deepest + closing)
    assert str(refused.value) == "expected JSON nested at most 128 deep, got it deeper"


def test_many_brackets_beside_each_other_are_not_deep() -> None:
    assert len(any_json(b"[" + b",".join([b"[]"] * 500) + b"]")) == 500
    assert any_json(b'"' + b"[" * 500 + b'"') == "[" * 500
    check_depth([[]], b"[" * 500)


@pytest.mark.parametrize("frame", [b"[" + b"1," * 9 + b"1]", b"," * 10, b'{"a":[' + b"1," * 8 + b"1]}", b"x" * 50])
def test_so_many_values_are_kept_and_no_more(frame: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each comma and each opening bracket stands for one."""
    monkeypatch.setattr(module, "MOST_VALUES", 10)
    check_values(frame)
    if b"," not in frame:
        return
    for more in (b",", b"[", b"{"):
        with pytest.raises(BadMessage) as refused:
            check_values(frame + more)
        assert str(refused.value) == "expected JSON of at most 10 values, got more"
