"""Decimals from the wire: checked once, exact from there on.

A decimal is good when it is finite, has at most 40 digits, and its exponent lies between -40 and 40. Everything else
is refused here, before it can cost memory (formatting `1e999999999999999999` would) or be printed as a number.
"""

from __future__ import annotations

import decimal
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec import UNSET

from venues.errors import BadMessage

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_DIGITS = 40
MAX_EXPONENT = 40
LONGEST_SHOWN = 60  # characters of what came, in an error message
_MOST_KNOWN = 8_192  # texts; a book has some hundred, and each takes 260 bytes
_MOST_BITS = 134  # a number of 40 digits has 133
_LONGEST_TEXT = 2 + MAX_EXPONENT + MAX_DIGITS + 6  # sign, point, zeros, digits, exponent

# Sums of good decimals are exact in 100 digits; the default context would round at 28.
EXACT = decimal.Context(prec=100, Emax=999, Emin=-999)

# How a wire struct annotates a number, which servers write as such or as a text. msgspec's own `Decimal` fields would
# also take " 1", "1_000" and "NaN", so these arrive as they are (decoders have `float_hook=Decimal`: int, Decimal or
# str) and go through `number`, which knows the path.
JsonNumber: TypeAlias = Any

_EXPECTED_SIZE = f"expected a number of at most {MAX_DIGITS} digits and an exponent of at most ±{MAX_EXPONENT}"

# What a text may look like; `Decimal` alone would also take " 1", "1_000", "NaN" and digits of other scripts.
_WRITTEN = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,4})?")

_WHOLE = re.compile(r"([0-9]{1,40})(?:\.0{1,9})?")

# Traps everything that is not an exact, ordinary number of up to 20 digits near 1: what passes needs no second look.
_QUICK_DIGITS = 20
_QUICK = decimal.Context(
    prec=_QUICK_DIGITS,
    Emin=-_QUICK_DIGITS,
    Emax=_QUICK_DIGITS,
    traps=[
        decimal.Clamped,
        decimal.Rounded,
        decimal.Inexact,
        decimal.Subnormal,
        decimal.Overflow,
        decimal.Underflow,
        decimal.InvalidOperation,
    ],
).plus


_ZERO = Decimal(0)
_INFINITY = Decimal("Infinity")


def number(value: object, path: str) -> Decimal:
    """The good decimal of a JSON number, or of a text that is written like one, digit for digit.

    Raises:
        BadMessage: not a number, not finite, or beyond 40 digits or an exponent of ±40; names `path`.
    """
    if type(value) is Decimal:
        decimal_value = value
    elif type(value) is str:
        return text_number(value, path)
    elif type(value) is int:
        if value.bit_length() > _MOST_BITS:  # too long to be made a decimal, which would be slow
            raise BadMessage(f"{_EXPECTED_SIZE} at `{path}`, got {shown(value)}")
        decimal_value = Decimal(value)
    else:
        raise BadMessage(f"expected a number at `{path}`, got {shown(value)}")
    try:
        _QUICK(decimal_value)
    except decimal.DecimalException:
        _look_closely(decimal_value, path)
    else:
        if not decimal_value.is_finite():  # infinity and NaN pass through `plus` quietly
            raise BadMessage(f"expected a finite number at `{path}`, got {shown(value)}")
    return decimal_value


def positive(value: object, path: str) -> Decimal:
    """A good decimal above 0, e.g. a price.

    Raises:
        BadMessage: as `number`, and for 0 and below.
    """
    if type(value) is Decimal:  # the common case, without a second call
        try:
            _QUICK(value)
            if _ZERO < value < _INFINITY:
                return value
        except decimal.DecimalException:
            pass
    decimal_value = number(value, path)
    if decimal_value <= 0:
        raise BadMessage(f"expected a number above 0 at `{path}`, got {shown(value)}")
    return decimal_value


def not_negative(value: object, path: str) -> Decimal:
    """A good decimal of at least 0, e.g. a size.

    Raises:
        BadMessage: as `number`, and below 0.
    """
    if type(value) is Decimal:
        try:
            _QUICK(value)
            if _ZERO <= value < _INFINITY:
                return value
        except decimal.DecimalException:
            pass
    decimal_value = number(value, path)
    if decimal_value < 0:
        raise BadMessage(f"expected a number of at least 0 at `{path}`, got {shown(value)}")
    return decimal_value


def is_absent(value: object) -> bool:
    """Whether an optional figure was not sent: its field is not there, null, or an empty text."""
    return value is None or value is UNSET or value == ""


def optional(value: object, path: str) -> Decimal | None:
    """`number`, or None for a figure that was not sent."""
    return None if is_absent(value) else number(value, path)


def optional_not_negative(value: object, path: str) -> Decimal | None:
    """`not_negative`, or None for a figure that was not sent."""
    if type(value) is str and value:  # a text is usually a good one, and known
        try:
            return NOT_NEGATIVE[value]
        except ValueError:
            pass
    return None if is_absent(value) else not_negative(value, path)


def optional_positive(value: object, path: str) -> Decimal | None:
    """`positive`, or None for a figure that was not sent."""
    return None if is_absent(value) else positive(value, path)


def whole_number(value: object, path: str) -> int:
    """A count of at least 0: a JSON number or a text, 12 or 12.0.

    Raises:
        BadMessage: not such a number, or more than 40 digits; names `path`.
    """
    if type(value) is str and value.isdigit() and value.isascii() and len(value) <= MAX_DIGITS:  # the common case
        return int(value)
    count = whole(value)
    if count is None or count < 0:
        raise BadMessage(f"expected a whole number at `{path}`, got {shown(value)}")
    return count


def whole(value: object) -> int | None:
    """The whole number that a JSON number or a text is, also written as 12.0 or 1.2E3; None for all else."""
    if isinstance(value, str):
        match = _WHOLE.fullmatch(value)
        return None if match is None else int(match[1])
    if isinstance(value, Decimal):
        small = value.is_finite() and value.adjusted() < MAX_DIGITS
        return int(value) if small and value == value.to_integral_value() else None
    return value if type(value) is int and value.bit_length() <= _MOST_BITS else None


def text_number(text: str, path: str) -> Decimal:
    """The good decimal that a text stands for: written as JSON writes numbers, nothing else.

    Raises:
        BadMessage: not such a text, or beyond 40 digits or an exponent of ±40; names `path`.
    """
    try:
        return NUMBERS[text]
    except ValueError:
        pass
    if _WRITTEN.fullmatch(text) is None:
        raise BadMessage(f"expected a decimal number in a text at `{path}`, got {shown(text)}")
    raise BadMessage(f"{_EXPECTED_SIZE} at `{path}`, got {shown(text)}")


class KnownTexts(dict[Any, Decimal]):
    """A cache from texts to their numbers: in a book the same prices and sizes come again and again.

    `known[text]` reads a text that is new; it raises ValueError for one that is no good, and keeps only good ones, so
    nothing kept is long. A JSON number is read too, and not kept: 1.0 and 1.00 are equal, and have different digits.
    Whoever needs the path of a bad one asks the functions above again.
    """

    def __init__(self, good: Callable[[Decimal], bool]) -> None:
        self._good = good

    def __missing__(self, text: object) -> Decimal:
        value = _read(text) if type(text) is str else _checked(text)
        if not self._good(value):
            raise ValueError
        if type(text) is not str:
            return value
        if len(self) >= _MOST_KNOWN:
            self.clear()
        self[text] = value
        return value


def _read(text: str) -> Decimal:
    if len(text) > _LONGEST_TEXT or _WRITTEN.fullmatch(text) is None:
        raise ValueError
    value = Decimal(text)
    if len(text) > MAX_DIGITS or "e" in text or "E" in text:  # else it cannot have too many digits
        digits, exponent = value.as_tuple()[1:]
        if len(digits) > MAX_DIGITS or not -MAX_EXPONENT <= exponent <= MAX_EXPONENT:  # type: ignore[operator]
            raise ValueError
    return value


def _checked(value: object) -> Decimal:
    try:
        return number(value, "")
    except BadMessage:
        raise ValueError from None


NUMBERS = KnownTexts(lambda value: True)
POSITIVE = KnownTexts(lambda value: value > 0)
NOT_NEGATIVE = KnownTexts(lambda value: value >= 0)


def percent(fraction: Decimal) -> Decimal:
    """A fraction in percent, with the same digits: 0.0018 is 0.18, 5 is 500."""
    return Decimal(plain_text(EXACT.scaleb(fraction, 2)))


def add(left: Decimal, right: Decimal) -> Decimal:
    """The exact sum of two good decimals."""
    return EXACT.add(left, right)


def subtract(left: Decimal, right: Decimal) -> Decimal:
    """The exact difference of two good decimals."""
    return EXACT.subtract(left, right)


def plain_text(value: Decimal) -> str:
    """A good decimal with all its digits and without an exponent: 0.00000012, never 1.2E-7."""
    text = str(value)
    return text if "E" not in text else format(value, "f")


def shown(value: object) -> str:
    """A value as an error message quotes it: short, and never with an exponent written out beyond a good decimal's."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        text = f'"{value[:LONGEST_SHOWN]}"'
    elif isinstance(value, int) and abs(value) >= 10**60:
        return f"an integer of {value.bit_length()} bits"
    elif isinstance(value, Decimal) and value.is_finite() and abs(value.adjusted()) <= MAX_EXPONENT:
        text = plain_text(value)
    else:
        text = str(value)
    return text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 1] + "…"


def _look_closely(value: Decimal, path: str) -> None:
    if not value.is_finite():
        raise BadMessage(f"expected a finite number at `{path}`, got {shown(value)}")
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int)  # letters are for values that are not finite
    digits = len(value.as_tuple().digits)
    if digits > MAX_DIGITS or abs(exponent) > MAX_EXPONENT:
        raise BadMessage(f"{_EXPECTED_SIZE} at `{path}`, got {shown(value)}")
