"""`mon positions`: open positions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.output import cells
from cli.views.rows import (
    SetView,
    age_column,
    gain_column,
    in_currency,
    number_column,
    side_column,
    text_column,
    time_column,
    total_words,
    values,
    was_sent,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.screen.grid import Column
    from cli.screen.look import Look
    from venues.records import Position


def view(look: Look) -> SetView:
    """A new view."""
    return SetView(
        lambda positions: columns(positions, look),
        "no position has changed yet",
        look,
        nothing="no open position",
        none_left="no position that changed is open",
        totals=totals,
    )


def columns(positions: Sequence[Position], look: Look) -> list[Column]:
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


def totals(positions: Sequence[Position]) -> list[str]:
    """How many, and the sums of what adds up, where the venue sends it."""
    if not was_sent(positions, "unrealized_pnl", "used_margin"):
        return []  # a venue that sends changes only: how many there are is not known
    count = f"{len(positions)} open"
    pnl = total_words(positions, "unrealised PnL", "unrealized_pnl", signed=True)
    return [count, pnl, total_words(positions, "used margin", "used_margin")]


def _size_title(positions: Sequence[Position]) -> str:
    units = {position.size_unit for position in positions}
    unit = units.pop() if len(units) == 1 else None
    return "size" if unit is None else cells.short(unit)
