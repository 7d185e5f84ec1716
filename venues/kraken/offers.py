"""What Kraken has for each stream; the entry and the session both need it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venues.venue import Offer

if TYPE_CHECKING:
    from collections.abc import Mapping

OFFERS = {
    "book": Offer("book", symbols="many", public=True),
    "trades": Offer("trade", symbols="many", public=True),
    "quotes": Offer("from the book", symbols="many", public=True),
    "ticker": Offer("ticker", symbols="many", public=True),
    "candles": Offer("ohlc", symbols="many", public=True, options=("interval",)),
    "ping": Offer("JSON ping", symbols="none", public=True),
}

DEPTHS = (10, 25, 100, 500, 1000)  # levels a side that a book can be subscribed with

INTERVALS: Mapping[str, int] = {  # and the venue's own name of each, in minutes
    "1m": 1,
    "5m": 5,
    "15m": 15,
    "30m": 30,
    "1h": 60,
    "4h": 240,
    "1d": 1440,
    "1w": 10080,
    "15d": 21600,
}
