"""`mon trades`: trades, newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.rows import EventView, number_column, side_column, side_style, time_column, with_unit
from cli.screen import values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.grid import Column
    from venues.records import Trade


def view() -> EventView:
    """A new view."""
    return EventView(columns, "no trade yet")


def columns(trades: Sequence[Trade]) -> list[Column]:
    """Time, side, price, size."""
    styles = [side_style(trade.side) for trade in trades]
    return [
        time_column("time", values(trades, "time"), keep=3),
        side_column(values(trades, "side")),
        number_column(with_unit("price", trades, "price_unit"), values(trades, "price"), keep=9, styles=styles),
        number_column(with_unit("size", trades, "size_unit"), values(trades, "size"), keep=8),
    ]
