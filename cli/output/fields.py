"""What expressions may speak of: the fields of a stream's records, and what is derived from them. Pure."""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import msgspec

from venues.records import RECORD_TYPES, Book, Level, Quote, Record

if TYPE_CHECKING:
    from collections.abc import Mapping

STANDING = ("age_ms", "stale", "state")  # what is true or false also while the stream is not live
DERIVED = ("mid", "spread", "spread_bps")

Kind = Literal["number", "text", "truth", "any", "levels"]


class Fields(NamedTuple):
    """What an expression may speak of: the records of a stream; `depth` levels of a book, None for every one."""

    stream: str
    record: type[Record]
    depth: int | None = None

    @property
    def tag(self) -> str:
        """The records' `type`."""
        return str(self.record.__struct_config__.tag)


def field_names(fields: Fields) -> list[str]:
    """Every name that an expression on such records may begin with, in order."""
    own = [name for name in kinds_of(fields.record) if name not in ("bids", "asks")]
    levels = [f"{side}[0].{name}" for side in ("bids", "asks") for name in ("price", "size")]
    return [*own, *(levels if fields.record is Book else ()), *derived_of(fields.record), *STANDING, "partial"]


class Declared(NamedTuple):
    """A field of a record: its kind, whether it may be absent, the words that may come, and whether it is a float."""

    kind: Kind
    optional: bool
    words: frozenset[str] | None = None
    is_float: bool = False


@cache
def kinds_of(record: type[msgspec.Struct]) -> Mapping[str, Declared]:
    """The fields of a record, or of a level, by name."""
    found = {"type": Declared("text", False, frozenset({str(record.__struct_config__.tag)}))}
    for one in msgspec.structs.fields(record):
        found[one.name] = _declared(one.type)
    return found if record in RECORD_TYPES else {name: kind for name, kind in found.items() if name != "type"}


def _declared(kind: Any) -> Declared:
    alternatives = get_args(kind) if type(None) in get_args(kind) else (kind,)
    optional = type(None) in alternatives
    several = [one for one in alternatives if one is not type(None)]
    if len(several) != 1:
        return Declared("any", optional)
    (only,) = several
    if only in (Decimal, int, float):
        return Declared("number", optional, is_float=only is float)
    if only is bool:
        return Declared("truth", optional)
    if only is str:
        return Declared("text", optional)
    if only == list[Level]:
        return Declared("levels", optional)
    words = get_args(only)
    if words and all(isinstance(word, str) for word in words):
        return Declared("text", optional, frozenset(words))
    return Declared("any", True)


def derived_of(record: type[Record]) -> tuple[str, ...]:
    return DERIVED if record in (Book, Quote) else ()
