"""B2TRADER: SignalR hubs. The entry: what the venue has, without its session."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from venues.b2trader.offers import OFFERS
from venues.errors import UsageError
from venues.venue import BaseVenue

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from venues.venue import Offer, Route, Settings, Subscription

TEMPLATE = """\
[venues.b2trader]
# url = "wss://trade.broker.example"          # your broker's own host
# account_id = "67d0456f8c7b1108e4cf5d46"
# token_command = ["broker-login", "--print-token"]
# root_asset = "USD"          # what the figures in the platform's root asset are in
# negotiate = true            # only for a hub that wants it
# versions = "growing"        # only where a book's versions skip and nothing is lost by it
"""


class B2Trader(BaseVenue):
    """B2TRADER as the registry holds it: everything but the session, which is loaded when it is needed."""

    name = "b2trader"
    environments: Mapping[str, str] = {"production": ""}  # the host is each broker's own
    secrets: Mapping[str, str] = {"token": "the trader token (access_token); part of the URL"}
    values: Mapping[str, str] = {
        "account_id": "the id of the trading account",
        "root_asset": "the platform's root asset, which RAT figures are in, e.g. USD",
        "negotiate": "true: negotiate over HTTP before the WebSocket is opened",
        "versions": "growing: a book's versions may skip and nothing is lost by it, so a lost delta goes unnoticed",
    }
    required: Collection[str] = ("account_id",)
    example = "spot.btc_usdt"
    streams: Mapping[str, Offer] = OFFERS
    simulator = "venues.b2trader.simulator.endpoint:B2Trader"
    template = TEMPLATE

    def check_symbol(self, symbol: str) -> None:
        """Raises:
        UsageError: not of the form <type>.<base>_<quote>.
        """
        if not re.fullmatch(r"[a-z0-9]+\.[a-z0-9.-]+_[a-z0-9.-]+", symbol):
            raise UsageError(f'expected a market like cfd.eur_chf (<type>.<base>_<quote>), got "{symbol}"')

    def routes(self, subscriptions: Sequence[Subscription], settings: Settings) -> list[Route]:
        """One connection for each hub; a stream that is asked for twice gets another one.

        Raises:
            UsageError: the venue has no candles of such a length.
            SetupError: a value of the settings cannot be used.
        """
        from venues.b2trader.session import routes

        return routes(subscriptions, settings)


B2TRADER = B2Trader()
