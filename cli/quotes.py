"""`mon quotes`: the top of the book."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli import cells
from cli.rows import SetView, age_column, number_column, text_column, time_column, was_sent, with_unit
from cli.screen import values

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cli.grid import Column
    from venues.records import Quote


def view(epoch_ms: Callable[[], int] = cells.now_ms) -> SetView:
    """A new view."""
    return SetView(
        lambda quotes: columns(quotes, epoch_ms()),
        "no quote yet",
        nothing="the venue has no quote of these",
        newest_first=False,
    )


def columns(quotes: Sequence[Quote], now: int) -> list[Column]:
    """Symbol, bid, ask with their sizes, where the venue sends those."""
    green, red = ["green"] * len(quotes), ["red"] * len(quotes)
    has_sizes = was_sent(quotes, "bid_size", "ask_size", "time")
    bid_size = number_column(with_unit("bid size", quotes, "size_unit"), values(quotes, "bid_size"), keep=4)
    ask_size = number_column(with_unit("ask size", quotes, "size_unit"), values(quotes, "ask_size"), keep=4)
    return [
        text_column("symbol", values(quotes, "symbol"), keep=2),
        *([bid_size] if has_sizes else []),
        number_column(with_unit("bid", quotes, "price_unit"), values(quotes, "bid_price"), keep=9, styles=green),
        number_column(with_unit("ask", quotes, "price_unit"), values(quotes, "ask_price"), keep=9, styles=red),
        *([ask_size] if has_sizes else []),
        time_column("time", values(quotes, "time"), keep=1)
        if was_sent(quotes, "time")
        else age_column("age", quotes, now, keep=3),
    ]
