"""The candle levels that a signal bot can ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venues.candles import interval_ms

if TYPE_CHECKING:
    from collections.abc import Iterable

# Shortest first.
NAMES = ("1m", "3m", "5m", "15m", "30m", "1h", "2h", "3h", "4h", "6h", "12h", "1d", "1w")
LEVELS = {name: interval_ms(name) for name in NAMES}


def made_of(length: int, candidates: Iterable[str]) -> str | None:
    """The longest interval among the candidates that candles of `length` can be put together from; itself first."""
    fitting = [name for name in candidates if length % interval_ms(name) == 0]
    return max(fitting, key=interval_ms, default=None)
