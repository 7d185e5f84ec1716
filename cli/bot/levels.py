"""The candle levels that a signal bot can ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venues.toolkit.candles import interval_ms

if TYPE_CHECKING:
    from collections.abc import Iterable

# Shortest first.
NAMES = ("1m", "3m", "5m", "15m", "30m", "1h", "2h", "3h", "4h", "6h", "12h", "1d", "1w")
LEVELS = {name: interval_ms(name) for name in NAMES}


def made_of(length: int, candidates: Iterable[str]) -> str | None:
    """The longest interval among the candidates that candles of `length` can be put together from; itself first."""
    fitting = [name for name in candidates if length % interval_ms(name) == 0]
    return max(fitting, key=interval_ms, default=None)


def ladder(interval: str, levels: Iterable[str]) -> dict[str, str]:
    """What each of the levels is put together from, shortest first: candles of `interval`, or of a level in between.

    So only a few candles make one: a week is seven days, and not 10,080 minutes. The levels in between are in it too.
    """
    finest = interval_ms(interval)
    between = [name for name in NAMES if LEVELS[name] > finest and LEVELS[name] % finest == 0]
    made: dict[str, str] = {}
    wanted = list(levels)
    while wanted:
        level = wanted.pop()
        if level != interval and level not in made:
            shorter = [name for name in between if LEVELS[name] < LEVELS[level]]
            source = made_of(LEVELS[level], [interval, *shorter])
            assert source is not None, f"{level} cannot be put together from {interval}"
            made[level] = source
            wanted.append(source)
    return {level: made[level] for level in NAMES if level in made}
