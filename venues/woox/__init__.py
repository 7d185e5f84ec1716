"""WOO X: one plain WebSocket for many symbols, and HTTP for the books. The entry: what the venue has, without a key."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from venues import VENUES
from venues.errors import UsageError
from venues.venue import BaseVenue
from venues.woox.offers import OFFERS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from venues.streams import VenueOption
    from venues.venue import Offer, Route, Settings, Subscription, SymbolList

TEMPLATE = """\
[venues.woox]                 # market data for everybody: no key, no account
"""
QUOTES = ("USDT", "USDC", "USD", "BTC", "ETH")  # what a symbol in one word can end with

_SYMBOL = re.compile(r"[A-Z]+_[A-Z0-9]+_[A-Z0-9]+")


class WooX(BaseVenue):
    """WOO X as the registry holds it: everything but the session, which is loaded when it is needed."""

    name = "woox"
    environments: Mapping[str, str] = {
        "production": "wss://wss.woox.io",
        "staging": "wss://wss.staging.woox.io",
    }
    rest: Mapping[str, str] = {
        "production": "https://api.woox.io",
        "staging": "https://api.staging.woox.io",
    }
    requests_per_second = 4.5  # at most five come within any second, also where one is late
    example = "SPOT_BTC_USDT"
    streams: Mapping[str, Offer] = OFFERS
    options: Sequence[VenueOption] = VENUES[name].own_options()
    simulator = "venues.woox.simulator.endpoint:WooX"
    template = TEMPLATE

    def check_symbol(self, symbol: str) -> None:
        """Raises:
        UsageError: not of the form <TYPE>_<BASE>_<QUOTE>.
        """
        if not _SYMBOL.fullmatch(symbol):
            raise UsageError(f'expected a symbol like SPOT_BTC_USDT (<TYPE>_<BASE>_<QUOTE>), got "{symbol}"')

    def meant(self, symbol: str) -> Sequence[str]:
        """The symbol of a pair that is spelt as elsewhere: BTCUSDT and btc-usdt are SPOT_BTC_USDT."""
        words = [word for word in re.split(r"[^A-Z0-9]+", symbol.upper()) if word]
        if len(words) > 1 and words[-1] in ("PERP", "SWAP"):
            words = ["PERP", *words[:-1], *(["USDT"] if len(words) == 2 else [])]  # BTC-PERP, BTC-USDT-SWAP
        if words and words[0] not in ("SPOT", "PERP"):
            words.insert(0, "SPOT")
        if len(words) == 2:
            quote = next((quote for quote in QUOTES if words[1].endswith(quote) and words[1] != quote), "")
            words = [words[0], words[1].removesuffix(quote), quote] if quote else []
        return ["_".join(words)] if len(words) == 3 else []

    def routes(self, subscriptions: Sequence[Subscription], settings: Settings) -> list[Route]:
        """As few connections as 100 topics each allow.

        Raises:
            UsageError: an interval that the venue has no candles of.
        """
        from venues.woox.session import routes

        return routes(subscriptions, settings)

    def symbol_list(self, settings: Settings) -> SymbolList:
        """The instruments of `GET /v3/public/instruments`."""
        from venues.woox.instruments import instruments

        return instruments(settings)


WOOX = WooX()
