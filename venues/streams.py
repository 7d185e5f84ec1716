"""The streams of the contract: what each is called, whether it is a state or a sequence of events, what it prints.

And what an option is that one venue alone has for some of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from venues import records

Kind = Literal["state", "event"]


@dataclass(frozen=True)
class Stream:
    """One stream of the contract.

    `keyed` streams are sets of rows (orders, balances, …) whose full state ends with a `snapshot_end`. What is named
    after the venue are the venue's symbols, or `topics`.
    """

    name: str
    kind: Kind
    record: type[records.Record]
    title: str
    keyed: bool = False
    topics: bool = False


STREAMS = {
    stream.name: stream
    for stream in (
        Stream("book", "state", records.Book, "order book"),
        Stream("trades", "event", records.Trade, "trades"),
        Stream("quotes", "state", records.Quote, "top of the book"),
        Stream("ticker", "state", records.Ticker, "statistics of the last 24 hours", keyed=True),
        Stream("watchlist", "state", records.Ticker, "watchlist", keyed=True),
        Stream("candles", "state", records.Candle, "candles"),
        Stream("orders", "state", records.Order, "orders of the account", keyed=True),
        Stream("fills", "event", records.Fill, "fills of the account's orders"),
        Stream("positions", "state", records.Position, "open positions", keyed=True),
        Stream("closed", "state", records.ClosedPosition, "closed positions", keyed=True),
        Stream("balance", "state", records.Balance, "balances", keyed=True),
        Stream("margin", "state", records.Margin, "margin of the account"),
        Stream("signals", "event", records.Signal, "trading signals"),
        Stream("feed", "event", records.Message, "messages of a private feed", topics=True),
        Stream("ping", "event", records.Pong, "round trip to the venue, one a second"),
    )
}


class VenueOption(NamedTuple):
    """An option that one venue alone has: a value that `takes` names in the help, or a flag where that is empty.

    The venue finds it in `Subscription.options`, a flag as "true"; `Offer.options` says which streams have it.
    """

    name: str
    help: str
    takes: str = ""
