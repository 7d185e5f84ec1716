"""`mon orders`: orders of the account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.rows import SetView, number_column, side_column, text_column, time_column
from cli.screen import values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.grid import Column
    from venues.records import Order


def view() -> SetView:
    """A new view."""
    return SetView(columns, "no order has changed yet")


def columns(orders: Sequence[Order]) -> list[Column]:
    """Id, side, price, sizes, status."""
    return [
        text_column("order", values(orders, "order_id"), keep=6),
        text_column("symbol", values(orders, "symbol"), keep=3),
        side_column(values(orders, "side")),
        text_column("type", values(orders, "order_type"), keep=2),
        number_column("price", values(orders, "price"), keep=8),
        number_column("size", values(orders, "size"), keep=8),
        number_column("filled", values(orders, "filled"), keep=5),
        number_column("last price", values(orders, "last_price"), keep=1),
        text_column("status", values(orders, "status"), keep=7),
        time_column("time", values(orders, "time"), keep=4, millis=False),
    ]
