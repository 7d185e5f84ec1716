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
    from collections.abc import Iterable, Sequence

_EXPONENT = re.compile(rb"[0-9]E[+-][0-9]")  # as `str` writes one; in a text it costs a second look and no more
_MOST_LEVELS = 16_384

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
        # Most levels of a book with such prices come again in the next one, so their JSON is kept by the level's id.
        # The level itself is kept with it, so that no other object gets this id.
        self._levels: dict[int, tuple[Level, Raw]] = {}
        self._small_books = False

    def encode(self, value: Any) -> bytes:
        """The JSON of one value, without a line's end."""
        data = self._encoder.encode(value)
        return self._encoder.encode(self._plain(value)) if _has_exponent(data) else data

    def encode_lines(self, values: Sequence[Any]) -> bytes:
        """The JSON of each value, with a line's end after each."""
        if not (self._small_books and values and values[0].__class__ is Book):
            data = self._encoder.encode_lines(values)
            if not _has_exponent(data):
                return data
            self._small_books = any(value.__class__ is Book for value in values)
        return self._encoder.encode_lines([self._plain(value) for value in values])

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
        if kind is Book:
            changed = {"bids": self._written(value.bids), "asks": self._written(value.asks)}
            return _replace(value, **changed, **self._changes(value, kept=("bids", "asks")))
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

    def _written(self, levels: Iterable[Level]) -> list[Raw]:
        known, written = self._levels, []
        for level in levels:
            found = known.get(id(level))
            if found is None:
                if len(known) >= _MOST_LEVELS:
                    known.clear()
                found = level, Raw(self._encoder.encode(self._plain(level)))
                known[id(level)] = found
            written.append(found[1])
        return written


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
