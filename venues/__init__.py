"""Venues: sessions without I/O, the records they give, and the one connection that feeds them.

`VENUES` is the registry: one line a venue. A venue is loaded when it is asked for; what it has is known before, so that
neither a help text nor a completion loads them all.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from venues.errors import UsageError

if TYPE_CHECKING:
    from venues.venue import Venue

DISTRIBUTION = "mon"


class Entry(NamedTuple):
    """Where a venue's entry is, and what is known of it before it is loaded. Names are separated by blanks.

    `streams` in the venue's own order; `options`: what it alone is asked with beside the symbol; `commands`: what may
    be sent to it; `synthetic`: the module that makes up recordings of its trades.
    """

    where: str
    streams: str
    options: str = ""
    commands: str = ""
    synthetic: str = ""


VENUES = {
    "nexus": Entry(
        "venues.nexus:NEXUS",
        "book trades quotes candles orders fills positions ping",
        synthetic="venues.nexus.simulator.synthetic",
    ),
    "b2trader": Entry(
        "venues.b2trader:B2TRADER", "book quotes ticker watchlist candles orders positions closed balance margin ping"
    ),
    "jayx": Entry("venues.jayx:JAYX", "book trades quotes candles orders positions balance ping", options="precise"),
    "nbt": Entry("venues.nbt:NBT", "signals feed ping", commands="buy sell traded-buy traded-sell"),
    "profitview": Entry("venues.profitview:PROFITVIEW", "feed ping"),
    "kraken": Entry("venues.kraken:KRAKEN", "book trades quotes ticker candles ping"),
}
FIRST_IN_CONFIG = ("nexus", "jayx")  # a new config file begins with these; the others follow as above


def venues_with(*streams: str) -> list[str]:
    """The names of the venues that have one of the streams, or several."""
    return [name for name, entry in VENUES.items() if not set(streams).isdisjoint(entry.streams.split())]


def venues_with_option(option: str) -> list[str]:
    """The names of the venues that have an option of their own."""
    return [name for name, entry in VENUES.items() if option in entry.options.split()]


def venues_taking(*commands: str) -> list[str]:
    """The names of the venues that take all of these commands; without any: that take commands at all."""
    return [name for name, entry in VENUES.items() if entry.commands and {*commands} <= {*entry.commands.split()}]


def venue_named(name: str) -> Venue:
    """The venue of that name.

    Raises:
        UsageError: there is none; the text names those that there are.
    """
    if name not in VENUES:
        raise UsageError(f'expected a venue ({", ".join(VENUES)}), got "{name}"')
    venue: Venue = load(VENUES[name].where)
    return venue


def load(where: str) -> Any:
    """What a name such as `venues.nexus:NEXUS` stands for; of a module alone, the module."""
    module, _, attribute = where.partition(":")
    found = import_module(module)
    return getattr(found, attribute) if attribute else found
