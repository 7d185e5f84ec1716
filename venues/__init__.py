"""Venues: sessions without I/O, the records they give, and the one connection that feeds them.

`VENUES` is the registry: one line a venue. A venue is loaded when it is asked for; what it has is known before, so that
neither a help text nor a completion loads them all. Other packages bring venues by entry points (`plugins.py`), which
are looked up only for a name that is not built in, or where all venues are listed.
"""

from __future__ import annotations

from contextlib import nullcontext
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from venues.errors import SetupError, UsageError
from venues.streams import VenueOption

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from venues.plugins import Plugin
    from venues.venue import Route, Settings, Subscription, Venue

DISTRIBUTION = "mon"


class Entry(NamedTuple):
    """Where a venue's entry is, and what is known of it before it is loaded. Names are separated by blanks.

    `streams` in the venue's own order; `options`: what it alone is asked with, by the streams that have it, e.g.
    `{"book quotes": (VenueOption(…),)}`; `commands`: what may be sent to it; `synthetic`: the module that makes up
    recordings of its trades.
    """

    where: str
    streams: str
    options: Mapping[str, Sequence[VenueOption]] = {}
    commands: str = ""
    synthetic: str = ""

    def own_options(self, stream: str | None = None) -> tuple[VenueOption, ...]:
        """The options that the venue alone has: those of one stream, or all."""
        of_streams = [found for streams, found in self.options.items() if stream is None or stream in streams.split()]
        return tuple(dict.fromkeys(option for found in of_streams for option in found))


VENUES = {
    "nexus": Entry(
        "venues.nexus:NEXUS",
        "book trades quotes candles orders fills positions ping",
        synthetic="venues.nexus.simulator.synthetic",
    ),
    "b2trader": Entry(
        "venues.b2trader:B2TRADER", "book quotes ticker watchlist candles orders positions closed balance margin ping"
    ),
    "jayx": Entry(
        "venues.jayx:JAYX",
        "book trades quotes candles orders positions balance ping",
        options={"book": (VenueOption("precise", "How many ticks are one level; 1 unless said otherwise.", "STEP"),)},
    ),
    "nbt": Entry("venues.nbt:NBT", "signals feed ping", commands="buy sell traded-buy traded-sell"),
    "profitview": Entry("venues.profitview:PROFITVIEW", "feed ping"),
    "kraken": Entry("venues.kraken:KRAKEN", "book trades quotes ticker candles ping"),
    "woox": Entry(
        "venues.woox:WOOX",
        "book trades quotes candles ticker ping",
        options={
            "book quotes": (
                VenueOption(
                    "rpi",
                    "Show the book with its RPI orders (retail price improvement), as the venue's own site does. "
                    "Orders sent by API never trade with those, so without this option none of them is in it.",
                ),
            )
        },
    ),
}
FAULT_OF_MON = "a fault of mon itself"
FIRST_IN_CONFIG = ("nexus", "jayx")  # a new config file begins with these; the others follow as above


def venues_with(*streams: str) -> list[str]:
    """The names of the venues that have one of the streams, or several."""
    return [name for name, entry in VENUES.items() if not set(streams).isdisjoint(entry.streams.split())]


def venues_taking(*commands: str) -> list[str]:
    """The names of the venues that take all of these commands; without any: that take commands at all."""
    return [name for name, entry in VENUES.items() if entry.commands and {*commands} <= {*entry.commands.split()}]


def venue_named(name: str) -> Venue:
    """The venue of that name: a built-in one, or a plug-in's.

    Raises:
        UsageError: there is none; the text names those that there are.
        SetupError: it is a plug-in's, and cannot be loaded; the text names the distribution.
    """
    if name in VENUES:
        venue: Venue = load(VENUES[name].where)
        return venue
    plugin = plugin_named(name)
    if plugin is None:
        off = "" if _plugins_wanted() else "; plug-ins are switched off by MON_PLUGINS=0"
        raise UsageError(f'expected a venue ({", ".join(venue_names())}), got "{name}"{off}')
    return _load_plugin(plugin)


def plugin_named(name: str) -> Plugin | None:
    """The plug-in that brings a venue of that name; None for a built-in one and for none. Loads none."""
    return None if name in VENUES or not name else next((one for one in _plugins() if one.name == name), None)


def load(where: str) -> Any:
    """What a name such as `venues.nexus:NEXUS` stands for; of a module alone, the module."""
    module, _, attribute = where.partition(":")
    found = import_module(module)
    return getattr(found, attribute) if attribute else found


# --- venues of other packages --------------------------------------------------------------------------------------


def _always() -> bool:
    return True


_plugins_wanted: Callable[[], bool] = _always
_while_loading: Callable[[], AbstractContextManager[object]] = nullcontext
_used: list[str] = []  # the names of plug-ins' venues that were loaded


def look_for_plugins_if(
    wanted: Callable[[], bool], while_loading: Callable[[], AbstractContextManager[object]] = nullcontext
) -> None:
    """Sets what is asked, before plug-ins are looked up, whether there are to be any; and what surrounds the loading of
    their code."""
    global _plugins_wanted, _while_loading
    _plugins_wanted, _while_loading = wanted, while_loading


def venue_names() -> list[str]:
    """The names of all venues, the built-in ones first. Loads none."""
    return [*VENUES, *(plugin.name for plugin in _plugins() if not plugin.fault)]


def has_venue(name: str) -> bool:
    """Whether there is a venue of that name. Loads none."""
    return name in VENUES or plugin_named(name) is not None


def all_venues(warn: Callable[[str], None]) -> dict[str, Venue]:
    """All venues by name, the built-in ones first. `warn` is told one line for each plug-in that cannot be loaded."""
    found = {name: venue_named(name) for name in VENUES}
    broken: list[str] = []
    for plugin in _plugins():
        try:
            found[plugin.name] = _load_plugin(plugin)
        except SetupError as error:
            broken.append(str(error))
    for words in dict.fromkeys(broken):
        warn(words)
    return found


def distribution_of(name: str) -> str:
    """The name and the version of the distribution that a plug-in's venue is from; empty for a built-in one."""
    plugin = plugin_named(name)
    return "" if plugin is None else plugin.distribution


def checked_routes(venue: Venue, subscriptions: Sequence[Subscription], settings: Settings) -> Sequence[Route]:
    """The routes that a venue gives. Those of a plug-in are checked whenever they are used: what they give back that
    is not what the contract says is the plug-in's fault.

    Raises:
        UsageError, SetupError: as `Venue.routes`.
    """
    if venue.name not in _used:
        return venue.routes(subscriptions, settings)
    from venues.toolkit import guard

    return guard.guarded_routes(venue, subscriptions, settings)


def checked_route(venue: Venue, route: Route) -> Route:
    """One route, as `checked_routes` gives them."""
    if venue.name not in _used:
        return route
    from venues.toolkit import guard

    return guard.GuardedRoute(route, venue)


def fault_in(error: BaseException) -> str:
    """Whose fault an exception is that should never have been raised, in words: mon's own, or that of a plug-in whose
    code it came through."""
    if _used:
        from venues import plugins

        plugin = plugins.owner(error)
        if plugin is not None:
            return f"a fault of the venue {plugin.name} ({plugin.distribution})"
    return FAULT_OF_MON


def own_options(name: str, stream: str | None = None) -> tuple[VenueOption, ...]:
    """The options that a venue alone has: those of one stream, or all. Loads a plug-in's venue only.

    Raises:
        UsageError, SetupError: as `venue_named`.
    """
    if name in VENUES:
        return VENUES[name].own_options(stream)
    venue = venue_named(name)
    if stream is None:
        return tuple(venue.options)
    has = venue.streams[stream].options if stream in venue.streams else ()
    return tuple(option for option in venue.options if option.name in has)


def endpoint_of(plugin: Plugin) -> Any:
    """The class of a plug-in's simulated endpoint.

    Raises:
        SetupError: it, or the plug-in itself, cannot be loaded.
    """
    from venues import plugins

    venue = _load_plugin(plugin)
    with _while_loading():
        return plugins.load_endpoint(plugin, venue)


def used_plugins() -> list[str]:
    """The names of the plug-ins' venues that have been loaded until now."""
    return [*_used]


def _load_plugin(plugin: Plugin) -> Venue:
    from venues import plugins

    with _while_loading():
        venue = plugins.load(plugin)
    if plugin.name not in _used:
        _used.append(plugin.name)
    return venue


def _plugins() -> Sequence[Plugin]:
    if not _plugins_wanted():
        return ()
    from venues import plugins

    return plugins.found(frozenset(VENUES))
