"""Times: read from the wire, and written in words."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from venues.errors import BadMessage
from venues.toolkit.numbers import shown, whole

PER_MS = 1_000_000_000  # picoseconds: times are compared with all the digits that a venue may send
LATEST_MS = 253_402_300_799_999  # the end of the year 9999; larger ones are microseconds
LATEST_S = LATEST_MS // 1000
# The seconds of any date from 1973 to 5138; as milliseconds they would all lie in the first three years of the epoch.
SECONDS_FROM, SECONDS_TO = 100_000_000, 100_000_000_000

_ISO = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:[.,]([0-9]{1,12}))?"
    r"(?:[Zz]|([+-])([01][0-9]|2[0-3])(?::?([0-5][0-9]))?)?"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)


def iso_ms(text: str, path: str) -> int:
    """Milliseconds since the epoch from ISO 8601, with up to 12 digits of fraction; UTC if it names no offset.

    Raises:
        BadMessage: not such a time; names `path`.
    """
    return _iso_fine(text, path) // PER_MS


def _iso_fine(text: str, path: str) -> int:
    match = _ISO.fullmatch(text)
    if match is None:
        raise BadMessage(f"expected a time such as 2025-05-20T17:22:31.899Z at `{path}`, got {shown(text)}")
    day, seconds, fraction, sign, hours, minutes = match.groups()
    try:
        moment = datetime.fromisoformat(f"{day}T{seconds}").replace(tzinfo=UTC)
    except ValueError:
        raise BadMessage(f"expected a time that exists at `{path}`, got {shown(text)}") from None
    fine = (moment - _EPOCH) // _SECOND * 1000 * PER_MS + int((fraction or "0").ljust(12, "0"))
    if sign is not None:
        offset = (int(hours) * 60 + int(minutes or 0)) * 60_000 * PER_MS
        fine += -offset if sign == "+" else offset
    return fine


def time_ms(value: object, path: str) -> int:
    """Milliseconds since the epoch, from ISO 8601, or from a whole number of them as a JSON number or a text.

    Raises:
        BadMessage: not such a time, or a number that must be of another unit; names `path`.
    """
    return fine_time(value, path) // PER_MS


def fine_time(value: object, path: str) -> int:
    """Picoseconds since the epoch, from what `time_ms` takes: with every digit that was sent, to compare times by.

    Raises:
        BadMessage: not such a time, or a number that must be of another unit; names `path`.
    """
    epoch_ms = whole(value)
    if epoch_ms is None:
        if isinstance(value, str):
            return _iso_fine(value, path)
        raise BadMessage(f"expected a time at `{path}`, got {shown(value)}")
    if not SECONDS_TO <= epoch_ms <= LATEST_MS:
        raise BadMessage(f"expected milliseconds since the epoch at `{path}`, got {shown(value)}")
    return epoch_ms * PER_MS


def refuse_seconds(epoch_ms: int, path: str) -> None:
    """Raises BadMessage for seconds in the place of milliseconds; names `path`."""
    if SECONDS_FROM <= epoch_ms < SECONDS_TO:
        raise BadMessage(f"expected milliseconds since the epoch at `{path}`, got {epoch_ms}, which may be seconds")


def utc_clock(epoch_ms: int) -> str:
    """The time of day in UTC, e.g. 15:13:00."""
    seconds = epoch_ms // 1000 % 86_400
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def utc_time(epoch_ms: int) -> str:
    """Date and time of day in UTC, e.g. 2026-07-25 15:13:00 UTC; the number where no calendar has it."""
    try:
        moment = _EPOCH + timedelta(milliseconds=epoch_ms)
    except OverflowError:
        return str(epoch_ms)
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")


def span(milliseconds: int) -> str:
    """A length of time, exact enough to set a clock by: "12 ms", "3.2 s", "75 min", "5 h 30 min", "2 days"."""
    if milliseconds < 1000:
        return f"{milliseconds} ms"
    if milliseconds < 120_000:
        return f"{milliseconds / 1000:.1f} s"
    hours, minutes = divmod(round(milliseconds / 60_000), 60)
    if hours < 2:
        return f"{hours * 60 + minutes} min"
    if hours >= 48:
        return f"{hours / 24:.0f} days"
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"
