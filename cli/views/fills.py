"""`mon fills`: executions of the account's orders, newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.views.rows import EventView, id_column, number_column, side_column, text_column, time_column, values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.screen.grid import Column
    from cli.screen.look import Look
    from venues.records import Fill


def view(look: Look) -> EventView:
    """A new view."""
    return EventView(lambda rows: columns(rows, look), "no fill yet", look)


def columns(fills: Sequence[Fill], look: Look) -> list[Column]:
    """Time, symbol, side, price, size, ids."""
    return [
        time_column(look, "time", values(fills, "time"), keep=4),
        text_column("symbol", values(fills, "symbol"), keep=3),
        side_column(look, values(fills, "side")),
        number_column("price", values(fills, "price"), keep=9),
        number_column("size", values(fills, "size"), keep=8),
        id_column("order", values(fills, "order_id"), keep=2),
        id_column("fill", values(fills, "fill_id"), keep=1),
    ]
