"""What `--max-age` says of a bot's markets: each of them is stale while one of its streams brings nothing new. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.run.freshness import MaxAge
from venues.records import Candle, Quote, Status, Trade
from venues.venue import ClockOffset, Confirmed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from venues.driver import Delivered
    from venues.venue import Now

_STREAM_OF: dict[type, str] = {Quote: "quotes", Trade: "trades", Candle: "candles"}


class Ages:
    """One limit for each market of each stream of each line, also where they come together."""

    def __init__(self, limit_ms: int) -> None:
        self._limit_ms = limit_ms
        self._stages: dict[tuple[int, str, str], MaxAge] = {}

    def expect(self, line: int, venue: str, env: str | None, stream: str, symbols: Sequence[str]) -> None:
        """A stream that is about to be opened, and the markets that are watched of it."""
        for symbol in symbols:
            self._stages[line, stream, symbol] = MaxAge(self._limit_ms, stream, venue=venue, env=env, symbol=symbol)

    def passes(self, line: int, item: Delivered, now: Now) -> list[Delivered]:
        """The item, unless it is a state too old to be shown, with statuses of the limit around it."""
        if isinstance(item, Status | Confirmed | ClockOffset):
            stages = [stage for (at, stream, _), stage in self._stages.items() if (at, stream) == (line, item.stream)]
            others = [other for stage in stages for other in stage.passes(item, now) if other is not item]
            return [*others, item]
        stream = _STREAM_OF.get(item.__class__)
        stage = None if stream is None else self._stages.get((line, stream, getattr(item, "symbol", None) or ""))
        return [item] if stage is None else stage.passes(item, now)

    def deadline(self) -> float | None:
        """The monotonic time at which `tick` is due."""
        return min((due for stage in self._stages.values() if (due := stage.deadline()) is not None), default=None)

    def tick(self, now: Now) -> list[tuple[int, Delivered]]:
        """The deadline has passed: which line has got old, and how that is said."""
        return [(line, item) for (line, _, _), stage in self._stages.items() for item in stage.tick(now)]
