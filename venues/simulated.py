"""The simulated endpoints, as the venues' entries name them; the code that starts the simulator asks here.

They are loaded for `--env sim`, `mon sim` and the completion of symbols only. An endpoint is a class as
`venues.simulator.endpoint.Endpoint` has it; what is made with it is checked where it is handed to the core simulator.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from venues import VENUES, all_venues, endpoint_of, load, plugin_named, used_plugins, venue_named
from venues.errors import SetupError

if TYPE_CHECKING:
    from collections.abc import Callable


def endpoints() -> list[Any]:
    """The endpoint classes of the built-in venues that have one, in the registry's order; then those of the plug-ins
    that this run uses.

    Raises:
        SetupError: that of a plug-in cannot be loaded.
    """
    return [endpoint(name) for name in (*VENUES, *used_plugins()) if venue_named(name).simulator]


def all_endpoints(warn: Callable[[str], None]) -> list[Any]:
    """The endpoint classes of all venues that have one. `warn` is told one line for each plug-in that is broken."""
    found = []
    for name, venue in all_venues(warn).items():
        try:
            found += [endpoint(name)] if venue.simulator else []
        except SetupError as error:
            warn(str(error))
    return found


def endpoint(venue: str) -> Any:
    """The endpoint class of that venue.

    Raises:
        ValueError: there is none.
        SetupError: it is a plug-in's, and cannot be loaded.
    """
    plugin = plugin_named(venue)
    where = venue_named(venue).simulator if venue in VENUES or plugin is not None else ""
    if not where:
        names = ", ".join(name for name in VENUES if venue_named(name).simulator)
        raise ValueError(f"expected a simulated venue, one of {names}; got {venue!r}")
    if plugin is None:
        return load(where)
    return endpoint_of(plugin)


def markets(venue: str) -> list[str]:
    """The venue's names of its markets, or the topics of its feed; none where it has neither.

    Raises:
        ValueError: no such venue is simulated.
        SetupError: its simulator is a plug-in's, and cannot be loaded.
    """
    return list(endpoint(venue).symbols)
