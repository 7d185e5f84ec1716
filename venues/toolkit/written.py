"""Decimals as they are written: in plain notation with exactly the venue's digits, never as `1.2E-7` or `0E-8`.

msgspec writes a Decimal as `str` does, with an exponent where the number is below 0.000001 or was sent with one. Such
numbers are rare and quick to see in what was encoded, so only those records are encoded once more.
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Raw, Struct

from venues.records import Book, Level, Message
from venues.toolkit.numbers import plain_text

if TYPE_CHECKING:
    from collections.abc import Sequence

_EXPONENT = re.compile(rb"[0-9]E[+-][0-9]")  # as `str` writes one; in a text it costs a second look and no more
_MOST_LEVELS = 8_192  # whose JSON is kept
_MOST_OF_A_SIDE = _MOST_LEVELS // 4  # with more of them little would be kept for the next book
_SHARE_NEW = 6  # of a book; with more than a sixth of new levels it is dearer to look them up
_NEW_BOOKS = 2  # in a row, after which nothing is looked up
_LEFT_ALONE = 64  # for so many books

_replace = msgspec.structs.replace


class WrittenDecimal(Decimal):
    """A decimal whose text is kept beside it: `str` of a plain one would be another, e.g. 1E-7 for 1e-7."""

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> WrittenDecimal:
        """`text`: as JSON writes numbers."""
        made = super().__new__(cls, text)
        made.text = text
        return made

    def __str__(self) -> str:
        return self.text

    def __reduce__(self) -> tuple[type[WrittenDecimal], tuple[str]]:
        return WrittenDecimal, (self.text,)

    def __copy__(self) -> WrittenDecimal:
        return self

    def __deepcopy__(self, memo: object) -> WrittenDecimal:
        return self


class Writer:
    """Encodes records and other values as JSON; decimals as numbers in plain notation, or as texts of the same digits.

    A number in the `data` of a `Message` is written as it was sent.
    """

    def __init__(self, *, numbers_as_strings: bool = False) -> None:
        self._encoder = msgspec.json.Encoder(
            decimal_format="string" if numbers_as_strings else "number",
            enc_hook=_as_text if numbers_as_strings else _as_number,
        )
        # Most levels of a book are those of the one before, so their JSON is kept, by the level's id. The level is kept
        # too, so that no other object gets this id.
        self._known: dict[int, bytes] = {}
        self._kept: list[Level] = []
        self._new_books = 0
        self._left_alone = 0

    def encode(self, value: Any) -> bytes:
        """The JSON of one value, without a line's end."""
        data = self._encoder.encode(value)
        return self._encoder.encode(self._plain(value)) if _has_exponent(data) else data

    def encode_lines(self, values: Sequence[Any]) -> bytes:
        """The JSON of each value, with a line's end after each."""
        known = values
        if values and values[0].__class__ is Book:
            known = [self._of_known_levels(value) if value.__class__ is Book else value for value in values]
        data = self._encoder.encode_lines(known)
        if not _has_exponent(data):
            return data
        return self._encoder.encode_lines([self._plain(value) for value in values])

    def _of_known_levels(self, book: Book) -> Book:
        """The same book with its sides as JSON; as it is where that would be more work."""
        if self._left_alone:
            self._left_alone -= 1
            return book
        if len(self._kept) > _MOST_LEVELS - 2 * _MOST_OF_A_SIDE:
            self._known.clear()
            self._kept.clear()
        count = len(self._kept)
        sides = {"bids": self._side(book.bids), "asks": self._side(book.asks)}
        is_new = _SHARE_NEW * (len(self._kept) - count) > len(book.bids) + len(book.asks)
        self._new_books = self._new_books + 1 if is_new else 0
        if self._new_books == _NEW_BOOKS:
            self._new_books, self._left_alone = 0, _LEFT_ALONE
        return _replace(book, **sides)

    def _side(self, levels: Sequence[Level]) -> Raw | Sequence[Level]:
        """The JSON of a side's levels, most of which are known."""
        if len(levels) > _MOST_OF_A_SIDE:
            return levels
        known, learn = self._known.get, self._learn
        return Raw(b"[%b]" % b",".join([known(id(level)) or learn(level) for level in levels]))

    def _learn(self, level: Level) -> bytes:
        data = self._encoder.encode(level)
        if _has_exponent(data):
            data = self._encoder.encode(self._plain(level))
        self._known[id(level)] = data
        self._kept.append(level)
        return data

    def _plain(self, value: Any) -> Any:
        """The same value, with decimals that the encoder writes in plain notation."""
        kind = value.__class__
        if kind is Decimal:
            text = str(value)
            return value if "E" not in text else WrittenDecimal(plain_text(value))
        if kind is list or kind is tuple:
            return [self._plain(item) for item in value]
        if kind is dict:
            return {name: self._plain(item) for name, item in value.items()}
        if isinstance(value, Struct):
            changes = self._changes(value, kept=("data",) if kind is Message else ())
            return _replace(value, **changes) if changes else value
        return value

    def _changes(self, value: Struct, kept: Sequence[str]) -> dict[str, Any]:
        return {
            name: plain
            for name in _figures(value.__class__)
            if name not in kept
            and (old := getattr(value, name)).__class__ not in _NO_DECIMALS
            and (plain := self._plain(old)) is not old
        }


_NO_DECIMALS = frozenset({str, int, float, bool, type(None)})
_NO_FIGURES = (str, int, float, bool, str | None, int | None, float | None, bool | None)


@cache
def _figures(kind: type[Struct]) -> tuple[str, ...]:
    """The fields that may hold a decimal, or something with one in it."""
    return tuple(field.name for field in msgspec.structs.fields(kind) if field.type not in _NO_FIGURES)


def _has_exponent(data: bytes) -> bool:
    return b"E" in data and _EXPONENT.search(data) is not None


def _as_number(value: object) -> Raw:
    return Raw(_text_of(value).encode())


def _as_text(value: object) -> str:
    return _text_of(value)


def _text_of(value: object) -> str:
    if isinstance(value, WrittenDecimal):
        return value.text
    raise TypeError(f"Encoding objects of type {type(value).__name__} is unsupported")
