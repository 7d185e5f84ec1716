"""`mon candles`: candles, newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cli.grid import Column
from cli.queues import key_of
from cli.rows import SetView, number_column, time_column
from cli.screen import values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.look import Look
    from venues.records import Candle

MOST_CANDLES = 1_000


class CandlesView(SetView):
    """Candles stay after an interruption: those that were closed are still right."""

    def add(self, record: Any) -> None:
        """One candle."""
        super().add(record)
        self._recent.clear()
        if len(self._rows) > MOST_CANDLES:
            del self._rows[next(iter(self._rows))]

    def start_over(self) -> None:
        """The candle that was open comes again, marked as incomplete."""
        self._rows = {key_of(candle): candle for candle in self._rows.values() if candle.closed}


def view(look: Look) -> CandlesView:
    """A new view."""
    return CandlesView(lambda rows: columns(rows, look), "no trade yet, so no candle", look)


def columns(candles: Sequence[Candle], look: Look) -> list[Column]:
    """Start, prices, volume, and whether it is done and whole."""
    return [
        time_column(look, "start", values(candles, "start"), keep=8, millis=False),
        number_column("open", values(candles, "open"), keep=5),
        number_column("high", values(candles, "high"), keep=6),
        number_column("low", values(candles, "low"), keep=6),
        number_column("close", values(candles, "close"), keep=9),
        number_column("volume", values(candles, "volume"), keep=4),
        Column("state", [_state(candle) for candle in candles], align="left", keep=7),
    ]


def _state(candle: Candle) -> str:
    words = "closed" if candle.closed else "open"
    return words if candle.complete else f"{words}, incomplete"
