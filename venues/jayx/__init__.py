"""JayX: Socket.IO events. The entry: what the venue has, without its session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venues import VENUES
from venues.errors import UsageError
from venues.venue import BaseVenue, Offer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from venues.venue import Route, Settings, Subscription, SymbolList

TEMPLATE = """\
[venues.jayx]                 # --env staging is known; the address of production is yours to set
# url = "wss://stream.jayx.example:8443"
# api_key_command = ["pass", "show", "jayx"]  # for orders, positions and balance only
# category = "spot"
# framing = "bare"            # for a server that speaks without Socket.IO

# [venues.jayx.symbols.BTCUSDT]               # what one tick and one lot are; without them raw integers are shown
# tick_size = "0.01"
# lot_size = "0.000001"
"""


class JayX(BaseVenue):
    """JayX as the registry holds it: everything but the session, which is loaded when it is needed."""

    name = "jayx"
    environments: Mapping[str, str] = {
        "production": "",  # not documented
        "staging": "wss://stream.jayxstaging.com:8443",
    }
    secrets: Mapping[str, str] = {"api_key": "the API key, for the streams of the account"}
    values: Mapping[str, str] = {
        "category": "what the venue is asked for, spot unless said otherwise",
        "framing": "socketio (unless said otherwise) or bare: frames without Socket.IO, at the address itself",
        "symbols": "tick_size and lot_size by symbol, which prices and sizes are made with",
    }
    example = "BTCUSDT"
    streams: Mapping[str, Offer] = {
        "book": Offer("orderbook", public=True, options=("precise",)),
        "trades": Offer("orderbook", public=True),
        "quotes": Offer("from the book", public=True),
        "candles": Offer("kline", public=True, options=("interval",)),
        "orders": Offer("openorders", partial=True),
        "positions": Offer("positions", symbols="none"),
        "balance": Offer("positions", symbols="none"),
        "ping": Offer("WebSocket ping", symbols="none", public=True),
    }
    options = VENUES[name].own_options()
    simulator = "venues.jayx.simulator.endpoint:JayX"
    template = TEMPLATE

    def check_symbol(self, symbol: str) -> None:
        """Raises:
        UsageError: not of the form <BASE><QUOTE>.
        """
        from venues.jayx.fields import SYMBOL

        if not SYMBOL.fullmatch(symbol):
            raise UsageError(f'expected a symbol like BTCUSDT (<BASE><QUOTE>), got "{symbol}"')

    def symbol_list(self, settings: Settings) -> SymbolList:
        """Those that the configuration has scales of: the venue publishes no list.

        Raises:
            SetupError: there are none, or one cannot be used.
        """
        from venues.jayx.fields import configured_instruments

        return configured_instruments(settings)

    def routes(self, subscriptions: Sequence[Subscription], settings: Settings) -> list[Route]:
        """One connection for everything; only what could not be told apart on it gets another one.

        Raises:
            UsageError: an interval or a grouping of the wrong form.
            SetupError: a value of the settings cannot be used.
        """
        from venues.jayx.session import routes

        return routes(subscriptions, settings)


JAYX = JayX()
