"""The list of the simulated venues, and what is known of them without a server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from venues.b2trader.simulator.endpoint import B2Trader
from venues.jayx.simulator.endpoint import JayX
from venues.nbt.simulator.endpoint import Nbt
from venues.nexus.simulator import Nexus
from venues.profitview.simulator import ProfitView

if TYPE_CHECKING:
    from venues.simulator.endpoint import Endpoint
    from venues.simulator.world import World

ENDPOINTS: Final[tuple[type[Endpoint], ...]] = (Nexus, B2Trader, JayX, Nbt, ProfitView)
HOST: Final = "127.0.0.1"


def endpoint(venue: str) -> type[Endpoint]:
    """The simulated venue of that name.

    Raises:
        ValueError: there is none.
    """
    for candidate in ENDPOINTS:
        if candidate.name == venue:
            return candidate
    names = ", ".join(candidate.name for candidate in ENDPOINTS)
    raise ValueError(f"expected a simulated venue, one of {names}; got {venue!r}")


def address(venue: type[Endpoint], port: int) -> str:
    """Where a venue is on that port, without a path of its own."""
    return f"{venue.scheme}://{HOST}:{port}/{venue.name}"


def markets(venue: str) -> list[str]:
    """The venue's names of its markets, or the topics of its feed; none where it has neither.

    Raises:
        ValueError: no such venue is simulated.
    """
    return list(endpoint(venue).symbols)


def environment(port: int, world: World | None = None) -> dict[str, str]:
    """The variables that point `mon` at a simulator on that port: `{"MON_NEXUS_URL": …}`.

    What else a client must be told is among them, a table as JSON: as it is in that world, or in one without a tape.
    """
    variables: dict[str, str] = {}
    for venue in ENDPOINTS:
        prefix = f"MON_{venue.name.upper()}"
        variables[f"{prefix}_URL"] = address(venue, port)
        variables.update((f"{prefix}_{name.upper()}", value) for name, value in venue.credentials.items())
        told = venue.values(world)
        variables.update((f"{prefix}_{name.upper()}", json.dumps(value)) for name, value in told.items())
    return variables
