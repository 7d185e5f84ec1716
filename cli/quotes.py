"""`mon quotes`: the top of the book."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.rows import SetView, number_column, text_column, time_column
from cli.screen import values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.grid import Column
    from venues.records import Quote


def view() -> SetView:
    """A new view."""
    return SetView(columns, "no quote yet")


def columns(quotes: Sequence[Quote]) -> list[Column]:
    """Symbol, bid, ask with their sizes."""
    green, red = ["green"] * len(quotes), ["red"] * len(quotes)
    return [
        text_column("symbol", values(quotes, "symbol"), keep=2),
        number_column("bid size", values(quotes, "bid_size"), keep=4),
        number_column("bid", values(quotes, "bid_price"), keep=9, styles=green),
        number_column("ask", values(quotes, "ask_price"), keep=9, styles=red),
        number_column("ask size", values(quotes, "ask_size"), keep=4),
        time_column("time", values(quotes, "time"), keep=1),
    ]
