"""The NBT hub: Socket.IO events of signals. The entry: what the venue has, without its session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venues.errors import UsageError
from venues.venue import BaseVenue, Offer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from venues.venue import Commands, Route, Settings, Subscription

TEMPLATE = """\
[venues.nbt]
# url = "https://nbt-hub.example"             # the public hub has closed: this is your own
# key_command = ["pass", "show", "nbt"]
# version = "1.0"             # only for a hub that wants it (v=)
"""


class Nbt(BaseVenue):
    """The NBT hub as the registry holds it: everything but the session, which is loaded when it is needed.

    A subscription's option `type` is what the hub takes us for: a `client` receives signals, a `server` sends them.
    """

    name = "nbt"
    environments: Mapping[str, str] = {"production": ""}  # the public hub has closed down
    secrets: Mapping[str, str] = {"key": "the key of your account at the hub; part of the URL and of what is sent"}
    values: Mapping[str, str] = {"version": "the version (v=) that your hub wants its clients to have, if any"}
    example = ""
    streams: Mapping[str, Offer] = {
        "signals": Offer("all signal events", symbols="none"),
        "feed": Offer("message, user_payload", symbols="none"),
        "ping": Offer("WebSocket ping", symbols="none"),
    }
    simulator = "venues.nbt.simulator.endpoint:Nbt"
    template = TEMPLATE

    @property
    def commands(self) -> Commands:
        """The signals that a user may send, as the hub's document has them."""
        from venues.nbt.sending import SIGNALS

        return SIGNALS

    def check_symbol(self, symbol: str) -> None:
        """Raises:
        UsageError: always; a hub's streams take no symbol.
        """
        raise UsageError(f'expected no symbol, got "{symbol}"')

    def routes(self, subscriptions: Sequence[Subscription], settings: Settings) -> list[Route]:
        """One connection; a stream that is asked for twice, or with another `type`, gets another one.

        Raises:
            SetupError: a value of the settings cannot be used.
        """
        from venues.nbt.session import routes

        return routes(subscriptions, settings)


NBT = Nbt()
