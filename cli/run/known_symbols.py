"""What is known of a venue's symbols without asking anybody: for completions, and for the words of errors.

The simulator's markets under `--env sim`; else the list of the last day, as a run kept it, or one from the config file.
Loaded for a completion, so nothing heavy is imported.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from cli.settings import config
from cli.settings.symbol_cache import KnownSymbol, kept, known_of, place_of
from venues.errors import MonError
from venues.records import Instrument
from venues.venue import has_list, without_request

if TYPE_CHECKING:
    from cli.settings.config import Access
    from cli.settings.symbol_cache import Place
    from venues.venue import Venue

# No shell takes any of it for more than text, wherever a completion puts it in.
_HARMLESS = re.compile(r"[\w.][\w./:@+=%,-]*")


def access_without_simulator(venue: Venue, env: str | None, profile: str | None) -> tuple[Access, Place] | None:
    """Where the venue is, without its secrets, and the place of its list; None where it is the simulator inside mon.

    Raises:
        UsageError, SetupError: as `config.Config.access_for_symbols`.
    """
    configured = config.load()
    if env == config.SIM:
        if configured.any_address_by_hand(venue, None, profile) is None:
            return None
        env = None  # an address that is set by hand comes before the simulator
    access = configured.access_for_symbols(venue, env, profile)
    return access, place_of(venue.name, env, access.settings)


def known_symbols(venue: Venue, env: str | None, profile: str | None) -> list[KnownSymbol] | None:
    """The venue's symbols as far as they are known without a request; None where none are. Whatever fails is silent."""
    try:
        found = access_without_simulator(venue, env, profile)
        if found is None:
            return _simulated(venue) or None
        if not has_list(venue):
            return None
        access, place = found
        cached = kept(place, epoch_ms())
        if cached is not None:
            return cached
        listed = venue.symbol_list(access.settings)
        own = None if listed is None else without_request(listed)
        return None if own is None else known_of(own)
    except Exception:  # also a fault of a plug-in's
        return None


def _simulated(venue: Venue) -> list[KnownSymbol]:
    """The markets of the venue's simulator, with their base where their name in the simulator says it: BTC_USDT."""
    from venues.simulated import endpoint

    listed = [one.symbol or "" for one in simulated_markets(venue)]
    markets = endpoint(venue.name).symbols if listed else {}
    bases = {symbol: name.partition("_")[0] for symbol, name in markets.items() if name != symbol}
    return [KnownSymbol(symbol, bases.get(symbol, "")) for symbol in listed]


def simulated_markets(venue: Venue) -> list[Instrument]:
    """The markets of the venue's simulator; none where its names are topics, or where it has no simulator.

    Raises:
        SetupError: the simulator is a plug-in's, and cannot be loaded.
    """
    from venues.simulated import markets

    if not venue.simulator or not any(offer.symbols in ("one", "many") for offer in venue.streams.values()):
        return []
    return [Instrument(venue=venue.name, symbol=symbol, received=0) for symbol in markets(venue.name)]


def lists_symbols(venue: Venue, env: str | None) -> bool:
    """Whether `mon symbols` can have a list of the venue, whatever it takes."""
    return has_list(venue) or (env == config.SIM and bool(_simulated_names(venue)))


def completed_symbols(venue: Venue, env: str | None, profile: str | None, incomplete: str) -> list[str]:
    """The symbols that may be typed there.

    Of a venue that has a list, its example where no list is known. A venue without one has the names of its simulator.
    """
    known = known_symbols(venue, env, profile)
    if known is not None:
        symbols = [one.symbol for one in known if _HARMLESS.fullmatch(one.symbol)]
    elif has_list(venue) and env != config.SIM:
        symbols = [venue.example]
    else:
        symbols = _simulated_names(venue)
    return [symbol for symbol in symbols if symbol.startswith(incomplete)]


def _simulated_names(venue: Venue) -> list[str]:
    """The names of the simulator's markets, or its topics."""
    from venues.simulated import markets

    try:
        return markets(venue.name) if venue.simulator else []
    except MonError:
        return []


def epoch_ms() -> int:
    """Our time, as lists are kept with it."""
    return round(time.time() * 1000)
