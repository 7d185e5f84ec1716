"""`mon ticker`: statistics of the last 24 hours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.views.rows import SetView, age_column, gain_column, number_column, text_column, values, was_sent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.screen.grid import Column
    from cli.screen.look import Look
    from venues.records import Ticker


def view(look: Look) -> SetView:
    """A new view."""
    return SetView(
        lambda tickers: columns(tickers, look),
        "no figures yet",
        look,
        nothing="the venue has no figures of these",
        newest_first=False,
    )


def columns(tickers: Sequence[Ticker], look: Look) -> list[Column]:
    """Symbol, last price, change, range, and what derivatives have."""
    made = [
        text_column("symbol", values(tickers, "symbol"), keep=11),
        number_column("last", values(tickers, "last"), keep=10),
        gain_column(look, "change %", values(tickers, "change_pct"), keep=8),
    ]
    if was_sent(tickers, "change"):
        made.append(gain_column(look, "change", values(tickers, "change"), keep=4))
    made += [
        number_column("high", values(tickers, "high"), keep=6),
        number_column("low", values(tickers, "low"), keep=6),
    ]
    if was_sent(tickers, "mark_price"):
        made.append(number_column("mark", values(tickers, "mark_price"), keep=3))
    if was_sent(tickers, "funding_rate"):
        made.append(number_column("funding", values(tickers, "funding_rate"), keep=3))
    made.append(age_column(look, "age", tickers, keep=5))
    if was_sent(tickers, "name"):
        made.append(text_column("name", values(tickers, "name"), keep=1))
    return made
