"""ProfitView: one private feed. The entry: what the venue has, without its session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venues.errors import UsageError
from venues.venue import BaseVenue, Offer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from venues.venue import Route, Settings, Subscription

LONGEST_TOPIC = 200

TEMPLATE = """\
[venues.profitview]
# api_key_command = ["pass", "show", "profitview"]
"""


class ProfitView(BaseVenue):
    """ProfitView as the registry holds it: everything but the session, which is loaded when it is needed."""

    name = "profitview"
    environments: Mapping[str, str] = {"production": "wss://profitview.net"}
    secrets: Mapping[str, str] = {"api_key": "the API key of your ProfitView account; part of the URL"}
    example = "merton_theo"
    streams: Mapping[str, Offer] = {
        "feed": Offer("every topic", symbols="any"),
        "ping": Offer("WebSocket ping", symbols="none"),
    }
    simulator = "venues.profitview.simulator:ProfitView"
    template = TEMPLATE

    def check_symbol(self, symbol: str) -> None:
        """Accepts every topic that a bot may use: any printable text.

        Raises:
            UsageError: empty, too long, or with characters that cannot be seen.
        """
        if not 0 < len(symbol) <= LONGEST_TOPIC or not symbol.isprintable():
            from venues.toolkit.decoding import excerpt

            raise UsageError(
                f"expected a topic such as merton_theo, of 1 to {LONGEST_TOPIC} characters that can be seen, "
                f"got {excerpt(ascii(symbol), 60)}"
            )

    def routes(self, subscriptions: Sequence[Subscription], settings: Settings) -> list[Route]:
        """One connection for all; a stream that is asked for twice gets another one."""
        from venues.profitview.session import routes

        return routes(subscriptions, settings)


PROFITVIEW = ProfitView()
