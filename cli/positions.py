"""`mon positions`: open positions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.rows import SetView, number_column, side_column, text_column, time_column
from cli.screen import values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.grid import Column
    from venues.records import Position


def view() -> SetView:
    """A new view."""
    return SetView(columns, "no position has changed yet")


def columns(positions: Sequence[Position]) -> list[Column]:
    """Symbol, side, size."""
    return [
        text_column("symbol", values(positions, "symbol"), keep=7),
        side_column(values(positions, "side")),
        number_column("size", values(positions, "size"), keep=9),
        time_column("time", values(positions, "time"), keep=1, millis=False),
    ]
