"""The entry of the venue orbit: what there is, and what it is called.

It is loaded by completion and by `mon venues`, so it imports neither the session nor a message: `routes` does that.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from venues.errors import UsageError
from venues.venue import BaseVenue, Offer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from venues.venue import Route, Settings, Subscription


class Orbit(BaseVenue):
    """orbit as `mon` knows it."""

    contract = 1  # the version of mon's contract that this package is made for
    name = "orbit"
    # Addresses by environment. An empty one is set by the user: MON_ORBIT_URL, or `url` in the config file.
    environments: Mapping[str, str] = {"production": ""}
    example = "BTC-USDT"
    # For each stream the venue's own name of it. `public`: no credential is needed. `many`: several symbols share a
    # connection. `made_from`: the venue has no candles, and mon makes them of its trades.
    streams: Mapping[str, Offer] = {
        "book": Offer("book", symbols="many", public=True),
        "trades": Offer("trades", symbols="many", public=True),
        "candles": Offer("from trades", symbols="many", public=True, made_from="trades"),
    }
    simulator = "mon_orbit.simulator:Orbit"

    def check_symbol(self, symbol: str) -> None:
        """Raises:
        UsageError: not of the form BASE-QUOTE.
        """
        if not re.fullmatch(r"[A-Z0-9]{1,20}-[A-Z0-9]{1,20}", symbol):
            raise UsageError(f'expected a symbol like BTC-USDT (BASE-QUOTE), got "{symbol[:40]}"')

    def routes(self, subscriptions: Sequence[Subscription], settings: Settings) -> Sequence[Route]:
        """The connections that the subscriptions take."""
        from mon_orbit.session import routes

        return routes(subscriptions, settings)


ORBIT = Orbit()
