"""Kraken Spot: one WebSocket (v2) for several symbols, public. The entry: what the venue has, without its session."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from venues.errors import UsageError
from venues.kraken.offers import OFFERS
from venues.venue import BaseVenue

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from venues.venue import Offer, Route, Settings, Subscription

TEMPLATE = """\
[venues.kraken]               # public market data: it needs nothing
# url = "wss://ws.kraken.com"
"""

_FORM = re.compile(r"[A-Z0-9]+(?:\.[A-Z0-9]+)*x?/[A-Z0-9]+")  # the x is that of a tokenized share: AAPLx/USD
_OLDER = {"XBT": "BTC", "XDG": "DOGE"}  # names of the older protocol and of the REST interface
_QUOTES = ("USDT", "USDC", "USD", "EUR", "GBP", "CAD", "AUD", "CHF", "JPY", "BTC", "XBT", "ETH")


class Kraken(BaseVenue):
    """Kraken as the registry holds it: everything but the session, which is loaded when it is needed."""

    name = "kraken"
    environments: Mapping[str, str] = {
        "production": "wss://ws.kraken.com",
        "beta": "wss://beta-ws.kraken.com",
    }
    example = "BTC/USD"
    streams: Mapping[str, Offer] = OFFERS
    simulator = "venues.kraken.simulator.endpoint:Kraken"
    template = TEMPLATE

    def check_symbol(self, symbol: str) -> None:
        """Raises:
        UsageError: not of the form BASE/QUOTE, or with a name of the older protocol.
        """
        if not _FORM.fullmatch(symbol) or symbol != _meant(symbol):
            raise UsageError(f'expected a symbol like BTC/USD (<BASE>/<QUOTE>, upper case), got "{symbol}"')

    def meant(self, symbol: str) -> Sequence[str]:
        """The pair of a symbol that is spelt as elsewhere: XBT/USD, BTCUSD, btc-usd and SPOT_BTC_USD are BTC/USD."""
        meant = _meant(symbol)
        return [meant] if _FORM.fullmatch(meant) else []

    def routes(self, subscriptions: Sequence[Subscription], settings: Settings) -> list[Route]:
        """As few connections as the venue allows: one depth and one candle interval a symbol on each.

        Raises:
            UsageError: the venue has no candles of such an interval.
        """
        from venues.kraken.session import routes

        return routes(subscriptions, settings)

    def symbol_list(self, settings: Settings) -> Route:
        """A short connection on which the venue lists all its pairs."""
        from venues.kraken.instruments import InstrumentsRoute

        return InstrumentsRoute(settings)


def _meant(symbol: str) -> str:
    """The symbol in the venue's own spelling, as far as that follows from the form alone; empty if it does not."""
    if "." in symbol and not _FORM.fullmatch(symbol):
        return ""
    parts = re.split(r"[/_:-]", symbol if _FORM.fullmatch(symbol) else symbol.upper())
    match parts:
        case ["SPOT", base, quote]:  # as others write it
            parts = [base, quote]
        case [together]:
            quote = next((end for end in _QUOTES if together.endswith(end) and len(together) > len(end) + 1), "")
            parts = [together.removesuffix(quote), quote]
    if len(parts) != 2 or not all(parts):
        return ""
    return "/".join(_OLDER.get(part, part) for part in parts)


KRAKEN = Kraken()
