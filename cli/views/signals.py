"""`mon signals`: trading signals, newest first, with what each means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.output import cells
from cli.screen.grid import Column
from cli.views.rows import EventView, number_column, side_column, text_column, time_column, values, was_sent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.screen.look import Look
    from venues.records import Signal


def view(look: Look) -> EventView:
    """A table of signals, the newest first, without one yet."""
    return EventView(lambda signals: columns(signals, look), "no signal yet", look)


def columns(signals: Sequence[Signal], look: Look) -> list[Column]:
    """Time, meaning, side, pair, price, strategy, user, score, size; those of a grid or a quote where there are any."""
    sides = [signal.side for signal in signals]
    styles = [look.style(side or "") for side in sides]
    optional = [
        number_column(name, values(signals, name), keep=6) for name in ("mid", "bid", "ask") if was_sent(signals, name)
    ]
    if was_sent(signals, "quote"):
        quotes = [quote_words(signal) or cells.ABSENT for signal in signals]
        optional.append(Column("quote", quotes, align="left", keep=6))  # figures, which are never cut
    return [
        time_column(look, "time", [moment(signal) for signal in signals], keep=4),
        text_column("signal", [meaning(signal) for signal in signals], keep=9, styles=styles),
        side_column(look, list(sides), keep=7),
        text_column("pair", values(signals, "symbol"), keep=9),
        number_column("price", values(signals, "price"), keep=8, styles=styles),
        *optional,
        text_column("strategy", values(signals, "strategy"), keep=5),
        text_column("user", values(signals, "user"), keep=2),
        number_column("score", values(signals, "score"), keep=1),
        number_column("size", values(signals, "size"), keep=3),
    ]


def moment(signal: Signal) -> int:
    """The venue's time; ours where the venue sends none."""
    return signal.received if signal.time is None else signal.time


def meaning(signal: Signal) -> str:
    """ "enter long", "exit short", "close", "stop"; the venue's name for a signal that does not say what it means."""
    if signal.action is None:
        return signal.name
    traded = "traded: " if signal.name.startswith("traded") else ""
    return traded + " ".join(word for word in (signal.action, signal.side) if word)


def quote_words(signal: Signal) -> str | None:
    """A quote in words: one fair value, or a bid and an ask; None without a quote."""
    quote = signal.quote
    if isinstance(quote, list):
        return " / ".join(map(cells.number, quote))
    return None if quote is None else cells.number(quote)
