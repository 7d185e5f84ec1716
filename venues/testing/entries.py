"""The checks of a venue's entry: what it says of the venue, and that it is light."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from venues import VENUES, load
from venues.errors import MonError
from venues.plugin_check import ContractBroken, check_endpoint, check_entry
from venues.venue import BaseVenue, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venues.venue import Venue

# What completion, `mon venues` and `--help` would wait for; and what a session needs, but an entry does not.
HEAVY = ("aiohttp", "asyncio", "rich", "socketio", "signalrcore", "websockets", "venues.session", "venues.driver")
_IMPORTED_WITHIN = 60  # seconds


def where(venue: Venue) -> str:
    """The entry as an entry point names it, e.g. `mon_acme:ACME`; its module alone if it is not in that."""
    module = type(venue).__module__
    names = [name for name, value in vars(sys.modules[module]).items() if value is venue]
    return f"{module}:{names[0]}" if names else module


def problems_of(venue: Venue) -> Iterator[str]:
    """What is wrong with an entry, each in words. `mon` itself checks a plug-in's when it is loaded."""
    if venue.name not in VENUES:
        try:
            check_entry(venue, venue.name)
        except ContractBroken as problem:
            yield str(problem)
            return
    if venue.simulator:
        yield from _problems_of_simulator(venue)
    for environment, url in venue.environments.items():
        try:
            venue.routes((), Settings(url=url, rest_url=venue.rest.get(environment, "")))
        except MonError:
            continue  # a value is missing, and it says so
        except Exception as error:
            yield f"`routes(())` raised {error!r}: expected it to check the settings alone"
    yield from _problems_of_meaning(venue)


def _problems_of_meaning(venue: Venue) -> Iterator[str]:
    """What `meant` says of the example in other spellings, and of no symbol at all, must be symbols of the form."""
    if not isinstance(venue, BaseVenue):
        return
    letters = "".join(one for one in venue.example if one.isalnum())
    for symbol in (venue.example.lower(), letters, letters.upper(), "", "/", "\x1b[31m", "é" * 300):
        try:
            meant = venue.meant(symbol)
        except Exception as error:
            yield f"`meant({symbol!r})` raised {error!r}: expected the symbols that may be meant, or none"
            return
        if isinstance(meant, str) or not isinstance(meant, Sequence):
            yield f"`meant({symbol!r})` gave {meant!r}: expected a sequence of symbols"
            return
        for one in meant:
            try:
                venue.check_symbol(one)
            except Exception as error:
                yield f"`meant({symbol!r})` gave {one!r}, which check_symbol does not pass: {error}"
                return


def _problems_of_simulator(venue: Venue) -> Iterator[str]:
    try:
        endpoint = load(venue.simulator)
        check_endpoint(endpoint, venue)
    except ContractBroken as problem:
        yield str(problem)
    except Exception as error:
        yield f'`simulator` is "{venue.simulator}", which cannot be loaded: {error!r}'
    else:
        if missing := set(venue.secrets) - set(endpoint.credentials):
            yield f"the simulator has no credential for {', '.join(sorted(missing))}"


def heavy_modules(venue: Venue) -> list[str]:
    """What importing the entry loads that it should not."""
    module = type(venue).__module__
    paths = [path for path in sys.path if path]
    code = f"import sys; sys.path[:0] = {paths!r}; import {module}; print(*sorted({{*{HEAVY!r}}} & sys.modules.keys()))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=_IMPORTED_WITHIN,
        check=False,
    )
    return done.stdout.split() if not done.returncode else [done.stderr.strip()]
