"""The fields of B2TRADER's items that several streams have, and what all records of a line carry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from venues.errors import NotAskedFor
from venues.toolkit.clock import VenueClock
from venues.toolkit.numbers import is_absent, optional, percent, text_number, whole
from venues.toolkit.times import PER_MS, fine_time

if TYPE_CHECKING:
    from decimal import Decimal

    from venues import records
    from venues.b2trader import messages as wire

VENUE = "b2trader"


class Common(Struct, frozen=True):
    """What all records of a line carry: `env`, and the currency of the figures in the platform's root asset; and how
    the line's clock stands to ours."""

    env: str | None
    currency: str
    clock: VenueClock


def expect(instrument: str, symbol: str) -> None:
    """An item counts only when it is of the market that was asked for; raises NotAskedFor."""
    if instrument != symbol:
        raise NotAskedFor(instrument)


def said(text: wire.Partial) -> str | None:
    """Words, None where they are absent or null."""
    return text if isinstance(text, str) else None


def figure(value: Any, path: str) -> Decimal | None:
    """A decimal, None where it was not sent; raises BadMessage."""
    if type(value) is str:  # the usual spelling first
        return text_number(value, path) if value else None
    return optional(value, path)


def percent_or_none(value: Any, path: str) -> Decimal | None:
    """A fraction in percent, None where it was not sent; raises BadMessage."""
    fraction = figure(value, path)
    return None if fraction is None else percent(fraction)


def moment(value: Any, path: str) -> int | None:
    """Milliseconds since the epoch, None for a time that was never set; raises BadMessage."""
    fine = stamp(value, path)
    return None if fine is None else fine // PER_MS


def stamp(value: Any, path: str) -> int | None:
    """The same in picoseconds, to compare times by: the venue sends seven digits of a second; raises BadMessage."""
    if is_absent(value) or whole(value) == 0:
        return None
    if isinstance(value, str) and value.startswith("0001-01-01T00:00:00"):  # as .NET writes a time that was never set
        return None
    return fine_time(value, path)


def extra(**fields: Any) -> records.Extra | None:
    """What was sent of the fields that have no common name."""
    return {name: value for name, value in fields.items() if value is not None} or None
