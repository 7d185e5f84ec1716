"""The checks of a venue's entry: what it says of the venue, and that it is light."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING

from venues import VENUES, load
from venues.errors import MonError, UsageError
from venues.streams import STREAMS
from venues.venue import CONTRACT, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venues.venue import Venue

# What completion, `mon venues` and `--help` would wait for; and what a session needs, but an entry does not.
HEAVY = ("aiohttp", "asyncio", "rich", "socketio", "signalrcore", "websockets", "venues.session", "venues.driver")


def where(venue: Venue) -> str:
    """The entry as an entry point names it, e.g. `mon_acme:ACME`; its module alone if it is not in that."""
    module = type(venue).__module__
    names = [name for name, value in vars(sys.modules[module]).items() if value is venue]
    return f"{module}:{names[0]}" if names else module


def problems_of(venue: Venue) -> Iterator[str]:
    """What is wrong with an entry, each in words."""
    if venue.name not in VENUES and getattr(venue, "contract", None) != CONTRACT:
        yield f"`contract` is {getattr(venue, 'contract', None)!r}: expected {CONTRACT}, the contract it is made for"
    if not re.fullmatch(r"[a-z][a-z0-9]*", venue.name):
        yield f'`name` is "{venue.name}": expected lower-case letters and digits'
    yield from _problems_of_names(venue)
    yield from _problems_of_simulator(venue)
    if any(offer.symbols in ("one", "many") for offer in venue.streams.values()):
        try:
            venue.check_symbol(venue.example)
        except UsageError as error:
            yield f"`example` is not of the venue's own form: {error}"
    for environment, url in venue.environments.items():
        try:
            venue.routes((), Settings(url=url, rest_url=venue.rest.get(environment, "")))
        except MonError:
            continue  # a value is missing, and it says so
        except Exception as error:
            yield f"`routes(())` raised {error!r}: expected it to check the settings alone"


def _problems_of_names(venue: Venue) -> Iterator[str]:
    for name in venue.streams:
        if name not in STREAMS:
            yield f'stream "{name}" is none of mon: expected some of {", ".join(STREAMS)}'
    for environment, url in venue.environments.items():
        if url and not url.startswith(("wss://", "https://")):
            yield f'environment {environment} is at "{url}": expected wss://…, or nothing where users set it by hand'
    try:
        tables = tomllib.loads(venue.template)
    except tomllib.TOMLDecodeError as error:
        yield f"`template` is no TOML: {error}"
    else:
        if set(tables) - {"venues"} or set(tables.get("venues", {})) - {venue.name}:
            yield f"`template` has other tables than those of [venues.{venue.name}]"
    for name in venue.required:
        if name not in venue.values:
            yield f'"{name}" is in `required`, but not in `values`'


def _problems_of_simulator(venue: Venue) -> Iterator[str]:
    if not venue.simulator:
        return
    try:
        endpoint = load(venue.simulator)
    except Exception as error:
        yield f'`simulator` is "{venue.simulator}", which cannot be loaded: {error!r}'
        return
    if getattr(endpoint, "name", None) != venue.name:
        yield f'the simulator is called "{getattr(endpoint, "name", None)}": expected "{venue.name}", as the entry'
    if missing := set(venue.secrets) - set(endpoint.credentials):
        yield f"the simulator has no credential for {', '.join(sorted(missing))}"


def heavy_modules(venue: Venue) -> list[str]:
    """What importing the entry loads that it should not."""
    module = type(venue).__module__
    code = f"import sys; import {module}; print(*(name for name in {HEAVY!r} if name in sys.modules))"
    path = os.pathsep.join(path for path in sys.path if path)
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout.split() if not done.returncode else [done.stderr.strip()]
