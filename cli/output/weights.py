"""What records come to in memory, so that what is kept of them is bounded against any venue.

A table shows little of a long text, so no more of it goes into one (`Shortener`). Lines have all of it, so what waits
for a reader is weighed (`weight`).
"""

from __future__ import annotations

import sys
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Any

from msgspec import Struct, structs

from cli.output.lines import Unprinted
from venues.records import Book, Margin, Pong, Quote, SnapshotEnd, Trade

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venues.redaction import Redactor

HEAVIEST = 24 * 2**20  # bytes of what waits in memory for one reader
OF_A_RECORD = 600  # bytes, with its decimals and its place in a queue
OF_A_ROW = 1_200  # bytes of a record with more fields
OF_A_LEVEL = 300
LONGEST_TEXT = 200  # characters of a text in a table, which shows 60
LONGEST_DATA = 4_000  # bytes of any JSON in a table, which shows 400 characters
ENOUGH = 64 * 2**20  # bytes; above that the exact number does not matter

_LIGHT = frozenset({Trade, Quote, Pong, Margin, SnapshotEnd})  # records without any text of a venue
_NEVER_LONG = _LIGHT | {Book}
_NO_TEXT = {"Decimal", "int", "float", "bool", "list[Level]", "Side", "PositionSide", "OrderStatus", "Change"}


def weight(record: Any) -> int:
    """About how many bytes of memory a record takes."""
    kind = record.__class__
    if kind in _LIGHT:
        return OF_A_RECORD
    if kind is Unprinted:
        return weight(record.record)
    if kind is Book:
        return OF_A_RECORD + (len(record.bids) + len(record.asks)) * OF_A_LEVEL
    total = OF_A_ROW
    if isinstance(record, Struct):
        for name in texts_of(kind):
            value = getattr(record, name)
            if value is not None:
                total += size_of(value)
    return total


def size_of(value: Any, enough: int = ENOUGH) -> int:
    """About how many bytes any JSON has in memory; at least `enough` is not looked at any further."""
    total, inside = sys.getsizeof(value), [_parts(value)]
    while inside and total < enough:
        for part in inside[-1]:
            total += sys.getsizeof(part)
            if isinstance(part, dict | list):
                inside.append(_parts(part))
                break
        else:
            inside.pop()
    return total


def _parts(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        return chain(value, value.values())
    return iter(value if isinstance(value, list) else ())


@lru_cache(maxsize=64)
def texts_of(kind: type[Struct]) -> tuple[str, ...]:
    """The fields that may hold text of a venue's."""
    annotations = {
        name: words for one in reversed(kind.__mro__) for name, words in vars(one).get("__annotations__", {}).items()
    }
    return tuple(
        name
        for name in kind.__struct_fields__
        if name != "venue" and str(annotations[name]).removesuffix(" | None") not in _NO_TEXT
    )


class Shortener:
    """Cuts what is long in records, for tables: a text keeps its beginning and stays another than those beside it."""

    def __init__(self, redactor: Redactor) -> None:
        """`redactor` takes the secrets out of a text before it is cut, since half a secret is harder to find."""
        self._redactor = redactor

    def __call__(self, record: Any) -> Any:
        """The record with its long texts cut; the record itself when it has none."""
        if record.__class__ in _NEVER_LONG:
            return record
        cut: dict[str, Any] = {}
        for name in texts_of(record.__class__):
            value = getattr(record, name)
            if value.__class__ is str:
                if len(value) > LONGEST_TEXT:
                    cut[name] = self._cut(value)
            elif value is not None and size_of(value, LONGEST_DATA) >= LONGEST_DATA:
                cut[name] = self._line_of(value) if name == "data" else None
        return structs.replace(record, **cut) if cut else record

    def _line_of(self, data: Any) -> str:
        from cli.output.payload import line_of  # which needs rich, and only a table does

        return self._redactor.text(line_of(data, str))

    def _cut(self, text: str) -> str:
        return f"{self._redactor.text(text[:LONGEST_TEXT] + '…')}{hash(text):x}"
