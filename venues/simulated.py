"""The simulated endpoints, as the venues' entries name them; the code that starts the simulator asks here.

They are loaded for `--env sim`, `mon sim` and the completion of symbols only. An endpoint is a class as
`venues.simulator.endpoint.Endpoint` has it; what is made with it is checked where it is handed to the core simulator.
"""

from __future__ import annotations

from typing import Any

from venues import VENUES, load, venue_named


def endpoints() -> list[Any]:
    """The endpoint classes of all venues that have one, in the registry's order."""
    return [load(where) for name in VENUES if (where := venue_named(name).simulator)]


def endpoint(venue: str) -> Any:
    """The endpoint class of that venue.

    Raises:
        ValueError: there is none.
    """
    where = venue_named(venue).simulator if venue in VENUES else ""
    if not where:
        names = ", ".join(name for name in VENUES if venue_named(name).simulator)
        raise ValueError(f"expected a simulated venue, one of {names}; got {venue!r}")
    return load(where)


def markets(venue: str) -> list[str]:
    """The venue's names of its markets, or the topics of its feed; none where it has neither.

    Raises:
        ValueError: no such venue is simulated.
    """
    return list(endpoint(venue).symbols)
