"""Venues: sessions without I/O, the records they give, and the one connection that feeds them.

`VENUES` is the registry: one line a venue, loaded when it is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from venues.errors import UsageError

if TYPE_CHECKING:
    from venues.venue import Venue

DISTRIBUTION = "mon"

VENUES = {
    "nexus": "venues.nexus:NEXUS",
    "b2trader": "venues.b2trader:B2TRADER",
}


def venue_named(name: str) -> Venue:
    """The venue of that name.

    Raises:
        UsageError: there is none; the text names those that there are.
    """
    if name not in VENUES:
        raise UsageError(f'expected a venue ({", ".join(VENUES)}), got "{name}"')
    module, _, attribute = VENUES[name].partition(":")
    venue: Venue = getattr(import_module(module), attribute)
    return venue
