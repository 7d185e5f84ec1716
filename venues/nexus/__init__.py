"""Nexus: one plain WebSocket for one symbol. The entry: what the venue has, without its session."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from venues.errors import UsageError
from venues.nexus.offers import OFFERS
from venues.venue import BaseVenue

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from venues.venue import Offer, Route, Settings, Subscription

TEMPLATE = """\
[venues.nexus]
# client_key_command = ["pass", "show", "nexus"]

[venues.nexus.staging]        # an environment has its own credentials
# client_key_file = "~/.secrets/nexus-staging"
"""


class Nexus(BaseVenue):
    """Nexus as the registry holds it: everything but the session, which is loaded when it is needed."""

    name = "nexus"
    environments: Mapping[str, str] = {
        "production": "wss://nexus.kronostoken.com",
        "staging": "wss://staging.nexus.kronostoken.com",
    }
    secrets: Mapping[str, str] = {"client_key": "the key that Nexus generated for you; part of the URL"}
    example = "SPOT_BTC_USDT"
    streams: Mapping[str, Offer] = OFFERS
    simulator = "venues.nexus.simulator.endpoint:Nexus"
    template = TEMPLATE

    def check_symbol(self, symbol: str) -> None:
        """Raises:
        UsageError: not of the form <TYPE>_<BASE>_<QUOTE>.
        """
        if not re.fullmatch(r"[A-Z]+_[A-Z0-9]+_[A-Z0-9]+", symbol):
            raise UsageError(f'expected a symbol like SPOT_BTC_USDT (<TYPE>_<BASE>_<QUOTE>), got "{symbol}"')

    def routes(self, subscriptions: Sequence[Subscription], settings: Settings) -> list[Route]:
        """One connection for each symbol; all streams of a symbol share it.

        Raises:
            UsageError: an interval that candles cannot be built for.
        """
        from venues.nexus.session import routes

        return routes(subscriptions, settings)


NEXUS = Nexus()
