"""Venues: sessions without I/O, the records they give, and the one connection that feeds them.

`VENUES` is the registry: one line a venue. A venue is loaded when it is asked for; what it has is known before, so that
neither a help text nor a completion loads them all.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from venues.errors import UsageError

if TYPE_CHECKING:
    from venues.venue import Venue

DISTRIBUTION = "mon"


class Entry(NamedTuple):
    """Where a venue is, and the names of its streams, separated by blanks, in its own order."""

    where: str
    streams: str


VENUES = {
    "nexus": Entry("venues.nexus.session:NEXUS", "book trades quotes candles orders fills positions ping"),
    "b2trader": Entry(
        "venues.b2trader.session:B2TRADER",
        "book quotes ticker watchlist candles orders positions closed balance margin ping",
    ),
    "jayx": Entry("venues.jayx.session:JAYX", "book trades quotes candles orders positions balance ping"),
    "nbt": Entry("venues.nbt.session:NBT", "signals feed ping"),
    "profitview": Entry("venues.profitview.session:PROFITVIEW", "feed ping"),
}


def venues_with(*streams: str) -> list[str]:
    """The names of the venues that have one of the streams, or several."""
    return [name for name, entry in VENUES.items() if not set(streams).isdisjoint(entry.streams.split())]


def venue_named(name: str) -> Venue:
    """The venue of that name.

    Raises:
        UsageError: there is none; the text names those that there are.
    """
    if name not in VENUES:
        raise UsageError(f'expected a venue ({", ".join(VENUES)}), got "{name}"')
    module, _, attribute = VENUES[name].where.partition(":")
    venue: Venue = getattr(import_module(module), attribute)
    return venue
