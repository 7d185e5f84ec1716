"""Candles that a venue makes: the current one is the state, and one that is called closed is over, as it was last."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.model.speaker import Sent, Speaker

LENGTH = 60_000  # milliseconds
Figures = tuple[Decimal, Decimal, Decimal, Decimal, Decimal]  # open, high, low, close, volume


class Candles(Speaker):
    """One trade after the other makes candles of a minute. A venue's class says how each is told."""

    stream = "candles"
    can = frozenset({"lose", "late", "repeat", "garble", "restate", "late whole"})
    gives_in = True
    volumes = True

    def __init__(self, clock: Any, random: Any) -> None:
        self.starts: list[int] = []  # of each version of the truth, where its candle begins
        self.newest: dict[int, int] = {}  # by start: the newest version that was delivered
        self.closed: set[int] = set()
        super().__init__(clock, random)

    def first(self) -> Any:
        return self._traded(None)

    def _traded(self, before: tuple[int, Figures] | None) -> tuple[int, Figures]:
        """The current candle once there was a trade."""
        price, size = Decimal(self.random.randint(9000, 9999)) / 10, Decimal(self.random.randint(1, 999)) / 1000
        start = self.clock.venue_ms // LENGTH * LENGTH
        self.starts.append(start)
        if before is None or before[0] != start:
            return start, (price, price, price, price, size)
        opened, high, low, _, volume = before[1]
        return start, (opened, max(high, price), min(low, price), price, volume + size)

    def change(self) -> list[Sent]:
        self.history.append(self._traded(self.history[-1]))
        return self.restate()

    def delivered(self, sent: Sent) -> None:
        if sent.version is not None:
            start = self.starts[sent.version]
            self.newest[start] = max(self.newest.get(start, -1), sent.version)

    def shown(self, record: Any) -> tuple[Any, Any]:
        return record.start, self._compared(
            (record.open, record.high, record.low, record.close, record.volume or Decimal(0))
        )

    def _compared(self, figures: Any) -> Any:
        return figures if self.volumes else figures[:4]

    def view_of(self, shown: Any) -> Any:
        if not shown:
            return None
        start = max(shown)
        return start, shown[start]

    def truth(self, version: int) -> Any:
        start, figures = self.history[version]
        return start, self._compared(figures)

    def examine(self, record: Any) -> str:
        """A candle that is called closed is over, has the figures that were heard last of it, and stays closed."""
        if not record.closed:
            return f"it was closed, and is not any more: {record}" if record.start in self.closed else ""
        self.closed.add(record.start)
        if record.end > self.clock.venue_ms:
            return f"closed {record.end - self.clock.venue_ms} ms before its end: {record}"
        _, expected = self.truth(self.newest[record.start])
        return "" if self.shown(record)[1] == expected else f"closed, expected {expected}: {record}"
