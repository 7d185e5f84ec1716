"""`mon closed`: closed positions."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

from cli.output import cells
from cli.screen.grid import Column
from cli.views.rows import (
    SetView,
    gain_column,
    id_column,
    in_currency,
    number_column,
    side_column,
    text_column,
    total_words,
    values,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.screen.look import Look
    from venues.records import ClosedPosition


def view(look: Look) -> SetView:
    """A new view."""
    return SetView(
        lambda rows: columns(rows, look), "nothing has come yet", look, nothing="no closed position", totals=totals
    )


def columns(rows: Sequence[ClosedPosition], look: Look) -> list[Column]:
    """Symbol, side, size, prices, what it came to, and how long ago."""
    since = [None if row.closed is None else look.venue_ago(row.closed) for row in rows]
    ages = [cells.ABSENT if ago is None else f"{cells.age(ago)} ago" for ago in since]
    units = {row.size_unit for row in rows}
    unit = units.pop() if len(units) == 1 else None
    return [
        text_column("symbol", values(rows, "symbol"), keep=12),
        side_column(look, values(rows, "side"), keep=10),
        number_column("size" if unit is None else cells.short(unit), values(rows, "size"), keep=9),
        number_column("open", values(rows, "open_price"), keep=6),
        number_column("close", values(rows, "close_price"), keep=6),
        gain_column(look, in_currency("pnl", rows), values(rows, "realized_pnl"), keep=11),
        number_column("notional", values(rows, "notional"), keep=2),
        text_column("reason", values(rows, "reason"), keep=3),
        id_column("position", values(rows, "position_id"), keep=1),
        Column("closed", ages, keep=7, name="closed", key=attrgetter("closed"), descending=True, ages=True),
    ]


def totals(rows: Sequence[ClosedPosition]) -> list[str]:
    """How many, and the sum of what was realised."""
    return [f"{len(rows)} closed", total_words(rows, "realised PnL", "realized_pnl", signed=True)]
