"""Checksums of books: a function over the digits of the best levels, as the venue sent them. Pure.

The digits of a figure are those of its text without the point and without leading zeros: `0.03740000` is `3740000`.
A decimal keeps the zeros that it was read with. A JSON writer may have lost them (`0.0374`, `3.74e-2`, `63499` for
`63499.0`), so a figure with too few decimals is filled up to those that the venue's prices or sizes have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32

from venues.errors import ChecksumMismatch
from venues.toolkit.numbers import plain_text, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from decimal import Decimal

    from venues.records import Level

    Digits = Callable[[Decimal, int], str]

_MOST_KNOWN = 4_096


class Checksum(NamedTuple):
    """How a venue's figure for a book is made: `of` the best `levels` of bids and of asks, best first.

    `otherwise`: another reading of the same digits, tried where the first one does not give the venue's figure.
    """

    levels: int
    of: Callable[[Sequence[Level], Sequence[Level]], int]
    otherwise: Callable[[Sequence[Level], Sequence[Level]], int] | None = None


def digits(value: Decimal, decimals: int = 0) -> str:
    """The digits of a figure as it was sent, with zeros up to so many decimals if it came with fewer.

    63499.0 → 634990, and with 1 decimal 63499 → 634990, 6.3499E+4 → 634990.
    """
    _, figures, exponent = value.as_tuple()
    assert isinstance(exponent, int)  # letters are for values that are not finite
    text = "".join(map(str, figures)).lstrip("0")
    return text + "0" * (decimals + exponent) if text else text


def exact_digits(value: Decimal, decimals: int) -> str:
    """The digits of a figure with exactly so many decimals, where those beyond are zeros: 6.349900E+4 → 634990."""
    text, beyond = digits(value, decimals), -value.as_tuple().exponent - decimals  # type: ignore[operator]
    return text[:-beyond] if beyond > 0 and text.endswith("0" * beyond) else text


def written(value: Decimal, decimals: int) -> str:
    """A figure with exactly so many decimals, however it was sent, for checksums that have text between the digits.

    With 2 decimals 64000.5, 6.40005E+4 and 64000.5000 → 64000.50; with 0 decimals 64000.0 → 64000.

    Raises:
        ChecksumMismatch: it has more decimals than that; the book needs a new snapshot.
    """
    whole, _, part = plain_text(value).partition(".")
    if part[decimals:].strip("0"):
        raise ChecksumMismatch(f"expected at most {decimals} decimals in what the checksum is of, got {shown(value)}")
    return f"{whole}.{part[:decimals].ljust(decimals, '0')}" if decimals else whole


def crc32_of_digits(levels: int = 10, *, price_decimals: int = 0, size_decimals: int = 0) -> Checksum:
    """CRC32 over the best asks, lowest first, then the best bids, highest first; of each its price, then its size.

    `price_decimals` and `size_decimals`: those that the venue writes prices and sizes of this symbol with. Where they
    are not known, 0: then only digits as they were sent can be right.
    """

    def reading(how: Digits) -> Callable[[Sequence[Level], Sequence[Level]], int]:
        texts: dict[int, tuple[Level, str]] = {}  # by the level's own identity, which holds while it is kept here

        def text_of(level: Level) -> str:
            known = texts.get(id(level))
            if known is None:
                if len(texts) >= _MOST_KNOWN:
                    texts.clear()
                known = texts[id(level)] = level, how(level.price, price_decimals) + how(level.size, size_decimals)
            return known[1]

        def figure(bids: Sequence[Level], asks: Sequence[Level]) -> int:
            return crc32("".join([text_of(level) for side in (asks, bids) for level in side]).encode())

        return figure

    return Checksum(levels, reading(digits), reading(exact_digits))
