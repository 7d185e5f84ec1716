"""Plain rows of an account: orders, fills, positions, closed positions and balances."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

from cli.output import cells
from cli.screen.grid import Column
from cli.views.rows import (
    EventView,
    SetView,
    age_column,
    gain_column,
    id_column,
    in_currency,
    number_column,
    side_column,
    text_column,
    time_column,
    total_words,
    values,
    was_sent,
    with_unit,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.screen.look import Look
    from venues.records import Balance, ClosedPosition, Fill, Order, Position


def orders(look: Look) -> SetView:
    """A table of the account's orders, the newest first."""
    return SetView(
        lambda orders: order_columns(orders, look),
        "no order has changed yet",
        look,
        nothing="no open order",
        none_left="no order that changed is open",
    )


def order_columns(orders: Sequence[Order], look: Look) -> list[Column]:
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


def fills(look: Look) -> EventView:
    """Executions of the account's orders, newest first."""
    return EventView(lambda rows: fill_columns(rows, look), "no fill yet", look)


def fill_columns(fills: Sequence[Fill], look: Look) -> list[Column]:
    """The columns: time, symbol, side, price, size, ids."""
    return [
        time_column(look, "time", values(fills, "time"), keep=4),
        text_column("symbol", values(fills, "symbol"), keep=3),
        side_column(look, values(fills, "side")),
        number_column("price", values(fills, "price"), keep=9),
        number_column("size", values(fills, "size"), keep=8),
        id_column("order", values(fills, "order_id"), keep=2),
        id_column("fill", values(fills, "fill_id"), keep=1),
    ]


def positions(look: Look) -> SetView:
    """Open positions with their sums."""
    return SetView(
        lambda positions: position_columns(positions, look),
        "no position has changed yet",
        look,
        nothing="no open position",
        none_left="no position that changed is open",
        totals=position_totals,
    )


def position_columns(positions: Sequence[Position], look: Look) -> list[Column]:
    """Symbol, side, size, and whatever the venue sends of prices, gains and margin."""
    made = [
        text_column("symbol", values(positions, "symbol"), keep=12),
        side_column(look, values(positions, "side"), keep=10),
        number_column(_size_title(positions), values(positions, "size"), keep=9),
    ]
    if was_sent(positions, "entry_price", "market_price"):
        made += [
            number_column("entry", values(positions, "entry_price"), keep=5),
            number_column("market", values(positions, "market_price"), keep=5),
        ]
    if was_sent(positions, "unrealized_pnl"):
        made += [
            gain_column(look, in_currency("pnl", positions), values(positions, "unrealized_pnl"), keep=11),
            gain_column(look, "pnl %", values(positions, "unrealized_pnl_pct"), keep=8),
        ]
    if was_sent(positions, "used_margin", "leverage"):
        made += [
            number_column("margin", values(positions, "used_margin"), keep=6),
            number_column("leverage", values(positions, "leverage"), keep=4),
        ]
    if was_sent(positions, "unrealized_pnl_day"):
        made.append(gain_column(look, "day", values(positions, "unrealized_pnl_day"), keep=2))
    if was_sent(positions, "take_profit", "stop_loss"):
        made += [
            number_column("take profit", values(positions, "take_profit"), keep=3),
            number_column("stop loss", values(positions, "stop_loss"), keep=3),
        ]
    if was_sent(positions, "time"):
        made.append(time_column(look, "time", values(positions, "time"), keep=1, millis=False))
    else:
        made.append(age_column(look, "age", positions, keep=7))
    return made


def position_totals(positions: Sequence[Position]) -> list[str]:
    """How many, and the sums of what adds up, where the venue sends it."""
    if not was_sent(positions, "unrealized_pnl", "used_margin"):
        return []  # where a venue sends changes only, nobody knows how many there are
    count = f"{len(positions)} open"
    pnl = total_words(positions, "unrealised PnL", "unrealized_pnl", signed=True)
    return [count, pnl, total_words(positions, "used margin", "used_margin")]


def _size_title(rows: Sequence[Position | ClosedPosition]) -> str:
    units = {row.size_unit for row in rows}
    unit = units.pop() if len(units) == 1 else None
    return "size" if unit is None else cells.short(unit)


def closed(look: Look) -> SetView:
    """Closed positions with their sum."""
    return SetView(
        lambda rows: closed_columns(rows, look),
        "nothing has come yet",
        look,
        nothing="no closed position",
        totals=closed_totals,
    )


def closed_columns(rows: Sequence[ClosedPosition], look: Look) -> list[Column]:
    """Symbol, side, size, prices, what it came to, and how long ago."""
    since = [None if row.closed is None else look.venue_ago(row.closed) for row in rows]
    ages = [cells.ABSENT if ago is None else f"{cells.age(ago)} ago" for ago in since]
    return [
        text_column("symbol", values(rows, "symbol"), keep=12),
        side_column(look, values(rows, "side"), keep=10),
        number_column(_size_title(rows), values(rows, "size"), keep=9),
        number_column("open", values(rows, "open_price"), keep=6),
        number_column("close", values(rows, "close_price"), keep=6),
        gain_column(look, in_currency("pnl", rows), values(rows, "realized_pnl"), keep=11),
        number_column("notional", values(rows, "notional"), keep=2),
        text_column("reason", values(rows, "reason"), keep=3),
        id_column("position", values(rows, "position_id"), keep=1),
        Column("closed", ages, keep=7, name="closed", key=attrgetter("closed"), descending=True, ages=True),
    ]


def closed_totals(rows: Sequence[ClosedPosition]) -> list[str]:
    """How many positions, and the sum of what was realised."""
    return [f"{len(rows)} closed", total_words(rows, "realised PnL", "realized_pnl", signed=True)]


def balance(look: Look) -> SetView:
    """Balances, a row an asset."""
    return SetView(
        lambda balances: balance_columns(balances, look),
        "no balance yet",
        look,
        nothing="the account is empty",
        newest_first=False,
    )


def balance_columns(balances: Sequence[Balance], look: Look) -> list[Column]:
    """Asset and its three figures; there is no sum over different assets."""
    return [
        text_column("asset", values(balances, "asset"), keep=10),
        number_column("total", values(balances, "total"), keep=9),
        number_column("available", values(balances, "available"), keep=8),
        number_column("locked", values(balances, "locked"), keep=7),
        age_column(look, "age", balances, keep=5),
    ]
