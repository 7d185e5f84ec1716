"""What WOO X has for each stream; the entry and the session both need it."""

from __future__ import annotations

from venues.venue import Offer

DEPTHS = (50, 200, 500)  # levels a side that a book can be subscribed with
INTERVALS = ("1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "12h", "1d", "3d", "1w", "1M")

OFFERS = {
    "book": Offer("orderbookupdate", symbols="many", public=True, options=("rpi",), once_within=90.0),
    "trades": Offer("trade", symbols="many", public=True),
    "quotes": Offer("bbo", symbols="many", public=True, options=("rpi",)),
    "candles": Offer("kline", symbols="many", public=True, options=("interval",)),
    "ticker": Offer("ticker", symbols="many", public=True),
    "ping": Offer("PING", symbols="none", public=True),
}
