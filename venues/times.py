"""Times as text: from the wire, and in words of ours."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from venues.errors import BadMessage
from venues.numbers import shown

_ISO = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9}))?(?:Z|([+-])([0-9]{2}):([0-9]{2}))?"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)


def iso_ms(text: str, path: str) -> int:
    """Milliseconds since the epoch from ISO 8601 with up to 9 digits of fraction, finer ones cut; UTC unless it says.

    Raises:
        BadMessage: not such a time; names `path`.
    """
    return iso_ns(text, path) // 1_000_000


def iso_ns(text: str, path: str) -> int:
    """The same in nanoseconds: every digit that was sent, to compare times by.

    Raises:
        BadMessage: not such a time; names `path`.
    """
    match = _ISO.fullmatch(text)
    if match is None:
        raise BadMessage(f"expected a time such as 2025-05-20T17:22:31.899Z at `{path}`, got {shown(text)}")
    seconds, fraction, sign, hours, minutes = match.groups()
    try:
        moment = datetime.fromisoformat(seconds).replace(tzinfo=UTC)
    except ValueError:
        raise BadMessage(f"expected a time that exists at `{path}`, got {shown(text)}") from None
    epoch_ns = (moment - _EPOCH) // _SECOND * 1_000_000_000 + int((fraction or "0").ljust(9, "0"))
    if sign is not None:
        offset = (int(hours) * 60 + int(minutes)) * 60_000_000_000
        epoch_ns += -offset if sign == "+" else offset
    return epoch_ns


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
