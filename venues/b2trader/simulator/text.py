"""How B2TRADER writes times and ids."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

_LETTERS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_TIME_LETTERS: Final = 10
_REST_LETTERS: Final = 16
_TICKS: Final = 10_000  # of 100 ns, in a millisecond


def instant(epoch_ms: int, ticks: int = 0) -> str:
    """ISO 8601 in UTC, with `ticks` of 100 ns beyond the millisecond: 2 to 7 digits of fraction."""
    fraction = f"{epoch_ms % 1000:03}{ticks % _TICKS:04}".rstrip("0").ljust(2, "0")
    return f"{second(epoch_ms).removesuffix('Z')}.{fraction}Z"


def second(epoch_ms: int) -> str:
    """ISO 8601 in UTC, of the second in which it is."""
    return datetime.fromtimestamp(epoch_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def ulid(epoch_ms: int, number: int) -> str:
    """An id like `01JVQBFSTVC40VK03A0AY7K016`, made of the time of creation and a number."""
    return _base32(epoch_ms, _TIME_LETTERS) + _base32(number, _REST_LETTERS)


def _base32(number: int, letters: int) -> str:
    return "".join(_LETTERS[number >> 5 * place & 31] for place in reversed(range(letters)))
