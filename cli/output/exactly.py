"""What conditions calculate with: exact decimals, and None for what is absent. Pure.

`+ - *` are exact, `/` is rounded half-even at 100 digits. What has more than 100 digits is absent, and so is `x / 0`.
A comparison with something absent, or of things of different kinds, is None: neither true nor false.
"""

from __future__ import annotations

import decimal
import operator
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from venues.toolkit.numbers import EXACT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from venues.records import Book, Level, Quote

    Number = Decimal | int

MOST_BITS = 4_000  # of a whole number; one that is longer is absent, since it would be slow
HALF, BASIS_POINTS = Decimal("0.5"), Decimal(10_000)

_FAULTS = [decimal.InvalidOperation, decimal.DivisionByZero, decimal.Overflow, decimal.Underflow]
_WIDEST = {"prec": EXACT.prec, "Emax": decimal.MAX_EMAX, "Emin": decimal.MIN_EMIN, "rounding": decimal.ROUND_HALF_EVEN}
_EXACT = decimal.Context(**_WIDEST, traps=[*_FAULTS, decimal.Inexact])  # type: ignore[arg-type]
_ROUNDED = decimal.Context(**_WIDEST, traps=_FAULTS)  # type: ignore[arg-type]


def _calculation(name: str, calculate: Callable[[Number, Number], Decimal]) -> Callable[..., Number | None]:
    def calculated(left: Number | None, right: Number | None) -> Number | None:
        if left is None or right is None:
            return None
        try:
            return calculate(left, right)
        except decimal.DecimalException:
            return None

    calculated.__name__ = name
    return calculated


plus = _calculation("plus", _EXACT.add)
minus = _calculation("minus", _EXACT.subtract)
times = _calculation("times", _EXACT.multiply)
divided = _calculation("divided", _ROUNDED.divide)
_CALCULATIONS = {one.__name__: one for one in (plus, minus, times, divided)}


def calculated(left: Number | None, *steps: Any) -> Number | None:
    """A sum or a product, from left to right: operations by name, each before its right side."""
    for at in range(0, len(steps), 2):
        left = _CALCULATIONS[steps[at]](left, steps[at + 1])
    return left


def negative(value: Number | None) -> Number | None:
    """−x."""
    return value if value is None else Decimal(value).copy_negate()


def absolute(value: Number | None) -> Number | None:
    """`abs(x)`."""
    return value if value is None else Decimal(value).copy_abs()


def minimum(*values: Number | None) -> Number | None:
    """`min(…)`; absent where one of them is."""
    return None if None in values else min(values)  # type: ignore[type-var]


def maximum(*values: Number | None) -> Number | None:
    """`max(…)`; absent where one of them is."""
    return None if None in values else max(values)  # type: ignore[type-var]


# --- values of any kind -----------------------------------------------------------------------------------------------


def as_number(value: Any) -> Number | None:
    """A number; absent where it is something else."""
    if value.__class__ is Decimal:
        return value if value.is_finite() else None
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if value.bit_length() <= MOST_BITS else None
    if isinstance(value, float):
        value = Decimal(repr(value))
    return value if isinstance(value, Decimal) and value.is_finite() else None


def as_truth(value: Any) -> bool | None:
    """True or false; absent where it is something else."""
    return value if isinstance(value, bool) else None


def _comparable(value: Any) -> tuple[type | None, Any]:
    """A value with its kind; None where it is absent, or nothing that can be compared."""
    if isinstance(value, bool | str):
        return value.__class__, value
    number = as_number(value)
    return (None, None) if number is None else (Decimal, number)


def equal(left: Any, right: Any) -> bool | None:
    """`==`."""
    (kind, left), (other, right) = _comparable(left), _comparable(right)
    return left == right if kind is other and kind is not None else None


def unequal(left: Any, right: Any) -> bool | None:
    """`!=`."""
    return negated(equal(left, right))


def _ordered(left: Any, right: Any, compare: Any) -> bool | None:
    one, other = as_number(left), as_number(right)
    return None if one is None or other is None else compare(one, other)


def less(left: Any, right: Any) -> bool | None:
    """`<`."""
    return _ordered(left, right, operator.lt)


def at_most(left: Any, right: Any) -> bool | None:
    """`<=`."""
    return _ordered(left, right, operator.le)


def greater(left: Any, right: Any) -> bool | None:
    """`>`."""
    return _ordered(left, right, operator.gt)


def at_least(left: Any, right: Any) -> bool | None:
    """`>=`."""
    return _ordered(left, right, operator.ge)


_COMPARISONS = {one.__name__: one for one in (less, at_most, greater, at_least, equal, unequal)}


def chain(names: Sequence[str], *values: Any) -> bool | None:
    """A chain of comparisons by name: true where all are, false where one is."""
    return all_of(*(_COMPARISONS[name](values[at], values[at + 1]) for at, name in enumerate(names)))


def one_of(value: Any, *listed: Any) -> bool | None:
    """`in`: true where it equals one of them, false where it equals none and no comparison is absent."""
    return any_of(*(equal(value, one) for one in listed))


# --- three values -----------------------------------------------------------------------------------------------------


def negated(truth: bool | None) -> bool | None:
    """`not`."""
    return None if truth is None else not truth


def all_of(*truths: bool | None) -> bool | None:
    """`and`."""
    return False if False in truths else None if None in truths else True


def any_of(*truths: bool | None) -> bool | None:
    """`or`."""
    return True if True in truths else None if None in truths else False


# --- fields -----------------------------------------------------------------------------------------------------------


def of_level(levels: Sequence[Level], place: int, name: str) -> Any:
    """A figure of the level at a place, the best at 0; absent where there are not so many."""
    return getattr(levels[place], name) if place < len(levels) else None


def below(value: Any, steps: Sequence[str | int]) -> Any:
    """What is at a path in JSON; absent where there is nothing, and null."""
    for step in steps:
        if isinstance(step, str) and isinstance(value, dict):
            value = value.get(step)
        elif isinstance(step, int) and isinstance(value, list) and step < len(value):
            value = value[step]
        else:
            return None
    return value


def mid_of_book(book: Book) -> Number | None:
    """Halfway between the best bid and the best ask."""
    return _mid(*_best(book))


def spread_of_book(book: Book) -> Number | None:
    """The best ask − the best bid."""
    return _spread(*_best(book))


def spread_bps_of_book(book: Book) -> Number | None:
    """The spread in basis points of the mid price."""
    return _spread_bps(*_best(book))


def mid_of_quote(quote: Quote) -> Number | None:
    """Halfway between bid and ask."""
    return _mid(quote.bid_price, quote.ask_price)


def spread_of_quote(quote: Quote) -> Number | None:
    """The ask − the bid."""
    return _spread(quote.bid_price, quote.ask_price)


def spread_bps_of_quote(quote: Quote) -> Number | None:
    """The spread in basis points of the mid price."""
    return _spread_bps(quote.bid_price, quote.ask_price)


def _best(book: Book) -> tuple[Decimal | None, Decimal | None]:
    return of_level(book.bids, 0, "price"), of_level(book.asks, 0, "price")


def _mid(bid: Decimal | None, ask: Decimal | None) -> Number | None:
    return times(plus(bid, ask), HALF)


def _spread(bid: Decimal | None, ask: Decimal | None) -> Number | None:
    return minus(ask, bid)


def _spread_bps(bid: Decimal | None, ask: Decimal | None) -> Number | None:
    return divided(times(_spread(bid, ask), BASIS_POINTS), _mid(bid, ask))
