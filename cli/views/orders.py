"""`mon orders`: orders of the account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.views.rows import (
    SetView,
    age_column,
    id_column,
    number_column,
    side_column,
    text_column,
    time_column,
    values,
    was_sent,
    with_unit,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.screen.grid import Column
    from cli.screen.look import Look
    from venues.records import Order


def view(look: Look) -> SetView:
    """A new view."""
    return SetView(
        lambda orders: columns(orders, look),
        "no order has changed yet",
        look,
        nothing="no open order",
        none_left="no order that changed is open",
    )


def columns(orders: Sequence[Order], look: Look) -> list[Column]:
    """Id, side, price, sizes, status, and whatever else the venue sends."""
    symbol = text_column("symbol", values(orders, "symbol"), keep=3)
    if look.any_symbol:
        symbol.keep, symbol.shortest = 10, 10
    made = [
        id_column("order", values(orders, "order_id"), keep=6),
        symbol,
        side_column(look, values(orders, "side")),
        text_column("type", values(orders, "order_type"), keep=2),
        number_column("price", values(orders, "price"), keep=8),
        number_column(with_unit("size", orders, "size_unit"), values(orders, "size"), keep=8),
        number_column("filled", values(orders, "filled"), keep=5),
    ]
    if was_sent(orders, "average_price"):
        made.append(number_column("average", values(orders, "average_price"), keep=1))
    elif not was_sent(orders, "leverage"):
        made.append(number_column("last price", values(orders, "last_price"), keep=1))
    if was_sent(orders, "leverage"):
        made.append(number_column("leverage", values(orders, "leverage"), keep=1))
    if was_sent(orders, "take_profit", "stop_loss"):
        made += [
            number_column("take profit", values(orders, "take_profit"), keep=2),
            number_column("stop loss", values(orders, "stop_loss"), keep=2),
        ]
    made.append(text_column("status", values(orders, "status"), keep=7))
    if was_sent(orders, "time"):
        made.append(time_column(look, "time", values(orders, "time"), keep=4, millis=False))
    else:
        made.append(age_column(look, "age", orders, keep=4))
    return made
