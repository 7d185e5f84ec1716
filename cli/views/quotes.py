"""`mon quotes`: the top of the book."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.views.rows import SetView, age_column, number_column, text_column, time_column, values, was_sent, with_unit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.screen.grid import Column
    from cli.screen.look import Look
    from venues.records import Quote


def view(look: Look) -> SetView:
    """A new view."""
    return SetView(
        lambda quotes: columns(quotes, look),
        "no quote yet",
        look,
        nothing="the venue has no quote of these",
        newest_first=False,
    )


def columns(quotes: Sequence[Quote], look: Look) -> list[Column]:
    """Symbol, bid, ask with their sizes, where the venue sends those."""
    bids, asks = [look.style("bid")] * len(quotes), [look.style("ask")] * len(quotes)
    has_sizes = was_sent(quotes, "bid_size", "ask_size", "time")
    bid_size = number_column(with_unit("bid size", quotes, "size_unit"), values(quotes, "bid_size"), keep=4)
    ask_size = number_column(with_unit("ask size", quotes, "size_unit"), values(quotes, "ask_size"), keep=4)
    return [
        text_column("symbol", values(quotes, "symbol"), keep=10 if len(quotes) > 1 else 2),
        *([bid_size] if has_sizes else []),
        number_column(with_unit("bid", quotes, "price_unit"), values(quotes, "bid_price"), keep=9, styles=bids),
        number_column(with_unit("ask", quotes, "price_unit"), values(quotes, "ask_price"), keep=9, styles=asks),
        *([ask_size] if has_sizes else []),
        time_column(look, "time", values(quotes, "time"), keep=1)
        if was_sent(quotes, "time")
        else age_column(look, "age", quotes, keep=3),
    ]
