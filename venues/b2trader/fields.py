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
    """What all records of a line carry, and the venue's clock.

    `env` is None for production; `currency` is the platform's root asset.
    """

    env: str | None
    currency: str
    clock: VenueClock


def expect(instrument: str, symbol: str) -> None:
    """Raises NotAskedFor for an item of another market than the one that was asked for."""
    if instrument != symbol:
        raise NotAskedFor(instrument)


def said(text: wire.Partial) -> str | None:
    """The text of an optional field; None if it is absent or null."""
    return text if isinstance(text, str) else None


def figure(value: Any, path: str) -> Decimal | None:
    """The decimal of an optional field; None if it was not sent; raises BadMessage."""
    if type(value) is str:  # the usual spelling first
        return text_number(value, path) if value else None
    return optional(value, path)


def percent_or_none(value: Any, path: str) -> Decimal | None:
    """The fraction of an optional field, in percent; None if it was not sent; raises BadMessage."""
    fraction = figure(value, path)
    return None if fraction is None else percent(fraction)


def moment(value: Any, path: str) -> int | None:
    """Milliseconds since the epoch, None for a time that was never set; raises BadMessage."""
    fine = stamp(value, path)
    return None if fine is None else fine // PER_MS


def stamp(value: Any, path: str) -> int | None:
    """Picoseconds since the epoch, to compare times by: the venue sends seven digits of a second.

    None for a time that was never set; raises BadMessage.
    """
    if is_absent(value) or whole(value) == 0:
        return None
    if isinstance(value, str) and value.startswith("0001-01-01T00:00:00"):  # as .NET writes a time that was never set
        return None
    return fine_time(value, path)


def extra(**fields: Any) -> records.Extra | None:
    """The fields without a common name, those that were not sent left out; None if there are none."""
    return {name: value for name, value in fields.items() if value is not None} or None
