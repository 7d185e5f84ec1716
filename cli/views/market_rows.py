"""Plain rows of a market: quotes, the ticker and the watchlist, and the round trips of a connection."""

from __future__ import annotations

from collections import deque
from statistics import median
from typing import TYPE_CHECKING

from rich.text import Text

from cli.screen.grid import Column, fit_line
from cli.views.rows import (
    EventView,
    SetView,
    age_column,
    gain_column,
    number_column,
    text_column,
    time_column,
    values,
    was_sent,
    with_unit,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.screen.look import Look
    from venues.records import Pong, Quote, Ticker

LATELY = 60  # round trips
SUMMARY_FROM = 6  # lines from which there is room for more than rows


def quotes(look: Look) -> SetView:
    """A table with the top of each symbol's book."""
    return SetView(
        lambda quotes: quote_columns(quotes, look),
        "no quote yet",
        look,
        nothing="the venue has no quote of these",
        newest_first=False,
    )


def quote_columns(quotes: Sequence[Quote], look: Look) -> list[Column]:
    """Symbol, bid, ask with their sizes, where the venue sends those."""
    several = look.state_of is not None  # of which one may be quiet while another one is not
    bids, asks = [look.style("bid")] * len(quotes), [look.style("ask")] * len(quotes)
    has_sizes = was_sent(quotes, "bid_size", "ask_size", "time")
    bid_size = number_column(with_unit("bid size", quotes, "size_unit"), values(quotes, "bid_size"), keep=4)
    ask_size = number_column(with_unit("ask size", quotes, "size_unit"), values(quotes, "ask_size"), keep=4)
    return [
        text_column("symbol", values(quotes, "symbol"), keep=10 if several or len(quotes) > 1 else 2),
        *([bid_size] if has_sizes else []),
        number_column(with_unit("bid", quotes, "price_unit"), values(quotes, "bid_price"), keep=9, styles=bids),
        number_column(with_unit("ask", quotes, "price_unit"), values(quotes, "ask_price"), keep=9, styles=asks),
        *([ask_size] if has_sizes else []),
        *([time_column(look, "time", values(quotes, "time"), keep=1)] if was_sent(quotes, "time") else []),
        *([age_column(look, "age", quotes, keep=3)] if several or not was_sent(quotes, "time") else []),
    ]


def ticker(look: Look) -> SetView:
    """A table of statistics of the last 24 hours, for the watchlist too."""
    return SetView(
        lambda tickers: ticker_columns(tickers, look),
        "no figures yet",
        look,
        nothing="the venue has no figures of these",
        newest_first=False,
    )


def ticker_columns(tickers: Sequence[Ticker], look: Look) -> list[Column]:
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


class PingView(EventView):
    """Round trips with a summary above them."""

    def __init__(self, look: Look) -> None:
        super().__init__(lambda pongs: ping_columns(pongs, look), "no answer yet", look)
        self._lately: deque[float] = deque(maxlen=LATELY)

    def add(self, record: Pong) -> None:
        """Add a round trip to the rows and to the summary."""
        super().add(record)
        self._lately.append(record.round_trip_ms)

    def start_over(self) -> None:
        """Start a new summary: another connection has other round trips."""
        super().start_over()
        self._lately.clear()

    def until(self) -> int | None:
        """Never: one comes each second, so that a mark says nothing."""
        return None

    def lines(self, width: int, height: int) -> list[Text]:
        """The summary, then as many round trips as fit."""
        if not self._lately or height < SUMMARY_FROM:
            return super().lines(width, height)
        return [
            fit_line(summary(self._lately, width, self._look), width, self._look),
            Text(),
            *super().lines(width, height - 2),
        ]


def summary(milliseconds: Sequence[float], width: int, look: Look) -> Text:
    """The middle, the best and the worst; whole figures only, as many as fit."""
    parts = [
        f"median {median(milliseconds):.1f} ms",
        f"worst {max(milliseconds):.1f} ms",
        f"best {min(milliseconds):.1f} ms",
        f"of the last {len(milliseconds)}",
    ]
    line = Text(style=look.style("title"))
    for part in parts:
        words = f"{'   ' if line.plain else ''}{part}"
        if line.cell_len + len(words) <= width:
            line.append(words)
    return line


def ping(look: Look) -> PingView:
    """Round trips, newest first, below what they were like lately."""
    return PingView(look)


def ping_columns(pongs: Sequence[Pong], look: Look) -> list[Column]:
    """When an answer came, and how long it took to come."""
    return [
        time_column(look, "time", values(pongs, "received"), keep=2),
        Column("round trip", [f"{pong.round_trip_ms:.1f} ms" for pong in pongs], keep=9),
    ]
