"""What B2TRADER has for each stream; the entry and the session both need it."""

from __future__ import annotations

from venues.venue import Offer

OFFERS = {
    "book": Offer("Book", complete=True),
    "quotes": Offer("Tob", symbols="many"),
    "ticker": Offer("TradingData", symbols="many"),
    "watchlist": Offer("Summary", symbols="many"),
    "candles": Offer("Chart"),
    "orders": Offer("OpenOrders", symbols="none"),
    "positions": Offer("OpenPositions", symbols="none"),
    "closed": Offer("ClosePositionsOrders", symbols="none"),
    "balance": Offer("FullBalance", symbols="none"),
    "margin": Offer("MarginData", symbols="none"),
    "ping": Offer("WebSocket ping", symbols="none"),
}
