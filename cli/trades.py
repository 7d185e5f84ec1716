"""`mon trades`: trades, newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.rows import EventView, number_column, side_column, time_column
from cli.screen import values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.grid import Column
    from cli.look import Look
    from venues.records import Trade


def view(look: Look) -> EventView:
    """A new view."""
    return EventView(lambda rows: columns(rows, look), "no trade yet", look)


def columns(trades: Sequence[Trade], look: Look) -> list[Column]:
    """Time, side, price, size."""
    styles = [look.style(trade.side) for trade in trades]
    return [
        time_column(look, "time", values(trades, "time"), keep=3),
        side_column(look, values(trades, "side")),
        number_column("price", values(trades, "price"), keep=9, styles=styles),
        number_column("size", values(trades, "size"), keep=8),
    ]
