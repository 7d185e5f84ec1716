"""What is configured, and what is missing: `mon config check`."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from cli.settings.config import SIM, check_usable
from cli.settings.config_shape import PRODUCTION
from cli.settings.credentials import obtain, words_of
from cli.settings.environment import plugins_wanted, shown_program, variable
from venues import FAULT_OF_MON, VENUES, all_venues, fault_in, has_venue
from venues.errors import SetupError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cli.settings.config import Config
    from cli.settings.environment import ConfiguredValue
    from venues.venue import Venue


def check(config: Config, warn: Callable[[str], None]) -> tuple[list[str], bool]:
    """For each venue and environment, and for bots: what is set, from where, what is missing.

    True when nothing set is broken. `warn` is told one line for each plug-in that cannot be loaded.
    """
    state = "" if config.path.exists() else " (not there; mon config init makes it)"
    lines = [config.missing_words() if config.missing else f"config file: {config.path}{state}"]
    sound = not config.missing
    venues = all_venues(warn)
    broken: set[str] = set()
    for name, venue in venues.items():
        try:
            config.check_sections(venue)
        except SetupError as error:
            lines += [name, f"  {error}"]
            broken.add(name)
    sound = sound and not broken
    for profile in (None, *config.data.get("profiles", {})):
        tables = config.data if profile is None else config.data["profiles"][profile]
        for name, venue in venues.items():
            if name in broken or (profile is not None and name not in tables.get("venues", {})):
                continue
            for environment in venue.environments:
                lines.append(f"{name} {environment}" + (f" --profile {profile}" if profile is not None else ""))
                for found, fine in _check_environment(config, venue, environment, profile):
                    lines.append(f"  {found}")
                    sound = sound and fine
            if profile is None and venue.simulator:
                lines += [f"{name} {SIM}", "  nothing is needed"]
        prefix = "" if profile is None else f"profiles.{profile}."
        lines += [
            f"[{prefix}venues.{name}] is for a venue that this mon does not have: {_why_not(name)}"
            for name in tables.get("venues", {})
            if name not in venues
        ]
    token = config.bot_token()
    if token is not None:
        found, fine = _check_secret("token", token)
        lines += ["bot", f"  {found}"]
        sound = sound and fine
    if "folder" in config.data.get("recordings", {}):
        found, fine = _check_folder(config)
        lines += ["recordings", f"  {found}"]
        sound = sound and fine
    return lines, sound


def _check_folder(config: Config) -> tuple[str, bool]:
    try:
        folder = config.recordings_folder()
    except SetupError as error:
        return f"folder: {error}", False
    if folder is None:
        return "folder: not set", True
    if not folder.is_dir():
        return f"folder: {folder} is not there, or no folder", False
    return f"folder: {folder}", os.access(folder, os.R_OK | os.X_OK)


def _why_not(name: str) -> str:
    """Why there is no venue of that name."""
    if has_venue(name):
        return "the plug-in that brings it cannot be loaded"
    if not plugins_wanted():
        return f"no built-in one ({', '.join(VENUES)}) has that name, and MON_PLUGINS=0 switches plug-ins off"
    return f"no built-in one ({', '.join(VENUES)}) and no plug-in's has that name"


def _check_environment(config: Config, venue: Venue, environment: str, profile: str | None) -> list[tuple[str, bool]]:
    found: list[tuple[str, bool]] = []
    own = None if environment == PRODUCTION else environment
    if not venue.environments[environment] and config.any_address_by_hand(venue, environment, profile) is None:
        found.append((f"url: missing ({variable(venue.name, own, 'url')} or the config file)", True))
        return [*found, *_check_values(config, venue, environment, profile, own)]
    try:
        url, label = config.address(venue, environment, profile)
        by_hand = config.address_by_hand(venue, environment, profile)
        origin = by_hand.origin if by_hand and label and label.startswith("custom") else "built in"
        found.append((f"address: {url} ({origin})", True))
        if venue.rest:
            rest_url = config.rest_address(venue, environment, profile)
            by_hand = config.rest_address_by_hand(venue, environment, profile)
            found.append((f"requests: {rest_url} ({by_hand.origin if by_hand else 'built in'})", True))
        if config.proxy(url) is not None and (source := config.proxy_source(url)):
            found.append((f"proxy: from {source.origin}", True))
    except SetupError as error:
        found.append((f"address: {error}", False))
    return [*found, *_check_values(config, venue, environment, profile, own)]


def _check_values(
    config: Config, venue: Venue, environment: str, profile: str | None, own: str | None
) -> list[tuple[str, bool]]:
    found: list[tuple[str, bool]] = []
    for name in venue.values:
        source = config.find(venue, environment, profile, name)
        if source is not None:
            try:
                check_usable(venue, name, source)
                value = ", ".join(source.value) if isinstance(source.value, dict) else source.value
                found.append((f"{name}: {value} ({source.origin})", True))
            except SetupError as error:
                found.append((f"{name}: {error}", False))
            except Exception as error:  # of a plug-in's code: the other venues are to be told of all the same
                if fault_in(error) == FAULT_OF_MON:
                    raise
                found.append((f"{name}: {fault_in(error)}: {type(error).__name__}: {error}", False))
        elif name in venue.required:
            found.append((f"{name}: missing ({variable(venue.name, own, name)} or the config file)", True))
    for name in venue.secrets:
        source = config.find(venue, environment, profile, name)
        if source is None:
            needed = [stream for stream, offer in venue.streams.items() if not offer.public]
            needed_for = "" if len(needed) == len(venue.streams) else f"; only {', '.join(needed)} need it"
            found.append((f"{name}: missing ({variable(venue.name, own, name)} or the config file{needed_for})", True))
            continue
        found.append(_check_secret(name, source))
    return found


def _check_secret(name: str, source: ConfiguredValue) -> tuple[str, bool]:
    try:
        if source.kind == "command":
            program = words_of(source)[0]
            if shutil.which(program) is None:
                raise SetupError(f"cannot run {shown_program(program)} ({source.origin}): no such program")
            return f"{name}: from {source.origin} (not run)", True
        obtain(name, source)
        return f"{name}: set, from {source.origin}", True
    except SetupError as error:
        return f"{name}: {error}", False
