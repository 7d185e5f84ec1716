"""What Nexus has for each stream; the entry and the session both need it."""

from __future__ import annotations

from venues.venue import Offer

OFFERS = {
    "book": Offer("BOOK", unasked=True),
    "trades": Offer("TRADE", unasked=True),
    "quotes": Offer("from the book", unasked=True),
    "candles": Offer("from trades", unasked=True),
    "orders": Offer("ORDER_UPDATE", partial=True, unasked=True),
    "fills": Offer("TRANSACTION", unasked=True),
    "positions": Offer("POSITIONS", partial=True, unasked=True),
    "ping": Offer("JSON PING"),
}
