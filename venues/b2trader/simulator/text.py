"""How B2TRADER writes times and ids."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

_LETTERS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_TIME_LETTERS: Final = 10
_REST_LETTERS: Final = 16
_TICKS: Final = 10_000  # of 100 ns, in a millisecond


def instant(epoch_ms: int, ticks: int = 0, *, shortest: int = 2) -> str:
    """ISO 8601 in UTC, with `ticks` of 100 ns beyond the millisecond: `shortest` to 7 digits of fraction."""
    seconds, milliseconds = divmod(epoch_ms, 1000)
    fraction = f"{milliseconds:03}{ticks % _TICKS:04}".rstrip("0").ljust(shortest, "0")
    moment = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{moment}.{fraction}Z" if fraction else f"{moment}Z"


def ulid(epoch_ms: int, number: int) -> str:
    """An id like `01JVQBFSTVC40VK03A0AY7K016`, made of the time of creation and a number."""
    return _base32(epoch_ms, _TIME_LETTERS) + _base32(number, _REST_LETTERS)


def _base32(number: int, letters: int) -> str:
    return "".join(_LETTERS[number >> shift & 31] for shift in range(5 * (letters - 1), -1, -5))
