"""The fields of B2TRADER's items that several streams have, and what all records of a line carry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from venues.errors import NotAskedFor
from venues.numbers import not_negative, not_negative_text, number, percent, text_number
from venues.rows import NS
from venues.times import iso_ns

if TYPE_CHECKING:
    from decimal import Decimal

    from venues import records
    from venues.wire import b2trader as wire

VENUE = "b2trader"


class Common(Struct, frozen=True):
    """What all records of a line carry: `env`, and the currency of the figures in the platform's root asset."""

    env: str | None
    currency: str


def expect(instrument: str, symbol: str) -> None:
    """An item counts only when it is of the market that was asked for; raises NotAskedFor."""
    if instrument != symbol:
        raise NotAskedFor(instrument)


def said(text: wire.Partial) -> str | None:
    """Words, None where they are absent or null."""
    return text if isinstance(text, str) else None


def figure(text: wire.Partial, path: str) -> Decimal | None:
    """A decimal, None where it is absent or null; raises BadMessage."""
    return text_number(text, path) if isinstance(text, str) else None


def not_negative_or_none(text: wire.Text, path: str) -> Decimal | None:
    """A decimal of at least 0, None where it is null; raises BadMessage."""
    return None if text is None else not_negative_text(text, path)


def percent_or_none(text: wire.Partial, path: str) -> Decimal | None:
    """A fraction in percent, None where it is absent or null; raises BadMessage."""
    return percent(text_number(text, path)) if isinstance(text, str) else None


def leverage(value: Any, path: str) -> Decimal | None:
    """A number or a text of at least 0, None where it is null; raises BadMessage."""
    if isinstance(value, str):  # documented as an integer, in a feed whose numbers are texts
        return not_negative_text(value, path)
    return None if value is None else not_negative(number(value, path), path)


def moment(text: wire.Text, path: str) -> int | None:
    """Milliseconds since the epoch, None for a time that was never set; raises BadMessage."""
    nanoseconds = stamp(text, path)
    return None if nanoseconds is None else nanoseconds // NS


def stamp(text: wire.Text, path: str) -> int | None:
    """The same in nanoseconds, to compare times by: the venue sends seven digits."""
    if text is None or text.startswith("0001-01-01T00:00:00"):  # how .NET writes a time that was never set
        return None
    return iso_ns(text, path)


def extra(**fields: Any) -> records.Extra | None:
    """What was sent of the fields that have no common name."""
    return {name: value for name, value in fields.items() if value is not None} or None
