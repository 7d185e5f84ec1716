"""The list of the simulated venues, and what is known of them without a server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from venues.simulator.b2trader import B2Trader
from venues.simulator.jayx import JayX
from venues.simulator.nbt import Nbt
from venues.simulator.nexus import Nexus

if TYPE_CHECKING:
    from venues.simulator.endpoint import Endpoint

ENDPOINTS: Final[tuple[type[Endpoint], ...]] = (Nexus, B2Trader, JayX, Nbt)
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
    """The venue's names of its markets, none where it has no markets.

    Raises:
        ValueError: no such venue is simulated.
    """
    return list(endpoint(venue).symbols)


def values(venue: str) -> dict[str, Any]:
    """What a client must be told in its configuration to read a simulator without a tape, as `Simulator.values`.

    Raises:
        ValueError: no such venue is simulated.
    """
    return endpoint(venue).values(None)


def environment(port: int) -> dict[str, str]:
    """The variables that point `mon` at a simulator on that port: `{"MON_NEXUS_URL": …}`."""
    variables: dict[str, str] = {}
    for venue in ENDPOINTS:
        prefix = f"MON_{venue.name.upper()}"
        variables[f"{prefix}_URL"] = address(venue, port)
        variables.update((f"{prefix}_{name.upper()}", value) for name, value in venue.credentials.items())
    return variables
