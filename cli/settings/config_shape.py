"""What a config file may have in it: whatever is unknown would be ignored, so it is refused."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from venues import VENUES, venue_named
from venues.errors import SetupError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from venues.venue import Venue

PRODUCTION = "production"
SCREEN = ("palette", "tz")
PLAIN = {"screen": SCREEN, "recordings": ("folder",)}  # sections of texts that are no secrets
KINDS = {"": "value", "_file": "file", "_command": "command"}


def check_shape(path: Path, data: Mapping[str, Any]) -> None:
    """Look through what was read. Sections of venues that are not built in are looked through when they are used.

    Raises:
        SetupError: something is unknown, or of the wrong kind; says what, never its value.
    """
    _refuse_unknown(path, "", data, {"venues", "profiles", "proxy", "screen", "bot", "recordings"})
    for section, names in PLAIN.items():
        table = _table(path, data, section)
        _refuse_unknown(path, f"{section}.", table, set(names))
        for name in table:
            if not isinstance(table[name], str):
                raise SetupError(f"expected text as {name} under [{section}] in {path}, got {_kind(table[name])}")
    if not isinstance(data.get("proxy", ""), str):
        raise SetupError(f"expected text as proxy in {path}, got {_kind(data['proxy'])}")
    _check_texts(path, "bot.", _table(path, data, "bot"), (), ["token"], example="bot")
    scopes = [("", data)]
    for name, profile in _table(path, data, "profiles").items():
        if not isinstance(profile, dict):
            raise SetupError(f"expected a table [profiles.{name}] in {path}, got {_kind(profile)}")
        _refuse_unknown(path, f"profiles.{name}.", profile, {"venues"})
        scopes.append((f"profiles.{name}.", profile))
    for prefix, scope in scopes:
        for name in _table(path, scope, "venues"):
            if name in VENUES:
                _check_venue(path, f"{prefix}venues.{name}.", scope["venues"][name], venue_named(name))


def check_sections_of(path: Path, data: Mapping[str, Any], venue: Venue) -> None:
    """Look through the sections of one venue, in what `check_shape` has passed.

    Raises:
        SetupError: as `check_shape`.
    """
    profiles = data.get("profiles", {})
    for prefix, scope in (("", data), *((f"profiles.{name}.", profiles[name]) for name in profiles)):
        if venue.name in scope.get("venues", {}):
            _check_venue(path, f"{prefix}venues.{venue.name}.", scope["venues"][venue.name], venue)


def _check_venue(path: Path, prefix: str, table: Any, venue: Venue) -> None:
    environments = venue.environments.keys() - {PRODUCTION}
    _check_values(path, prefix, table, venue, environments)
    for environment in environments & table.keys():
        _check_values(path, f"{prefix}{environment}.", table[environment], venue, set())


def _check_values(path: Path, prefix: str, table: Any, venue: Venue, tables: set[str]) -> None:
    """What a venue, or one of its environments, may have; a secret in one way only, or which it is would be a guess."""
    if not isinstance(table, dict):
        raise SetupError(f"expected a table [{prefix[:-1]}] in {path}, got {_kind(table)}")
    known = {*addresses_of(venue), *venue.values, *tables}
    _check_texts(path, prefix, table, known, venue.secrets, example=venue.name)


def addresses_of(venue: Venue) -> tuple[str, ...]:
    """The names of a venue's addresses: for WebSockets, and for HTTP requests where it has one of their own."""
    return ("url", "rest_url") if venue.rest else ("url",)


def _check_texts(
    path: Path,
    prefix: str,
    table: Mapping[str, Any],
    others: Collection[str],
    secrets: Collection[str],
    *,
    example: str,
) -> None:
    """Addresses and secrets, each in one way; `others` is what else there may be."""
    ways = {name: [name + suffix for suffix in KINDS] for name in secrets}
    _refuse_unknown(path, prefix, table, set(others).union(*ways.values()))
    for keys in ways.values():
        if len(given := [key for key in keys if key in table]) > 1:
            raise SetupError(f"expected one of {' and '.join(given)} under [{prefix[:-1]}] in {path}, got both")
    for key in ("url", "rest_url", *(key for keys in ways.values() for key in keys)):
        value = table.get(key, ["a"] if key.endswith("_command") else "a")
        place = f"{key} under [{prefix[:-1]}] in {path}"
        if not key.endswith("_command") and not isinstance(value, str):
            raise SetupError(f"expected text as {place}, got {_kind(value)}")
        if key.endswith("_command") and not (is_words(value) and value[0]):
            got = "another list" if isinstance(value, list) else _kind(value)
            raise SetupError(f'expected a list of words, such as ["pass", "show", "{example}"], as {place}, got {got}')


def is_words(value: Any) -> bool:
    """Whether a value is a list of words, and not an empty one."""
    return isinstance(value, list) and bool(value) and all(isinstance(word, str) for word in value)


def _kind(value: Any) -> str:
    """The kind of a wrong value in words; never the value itself, which may be a secret."""
    kinds = {str: "text", bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "a table"}
    return kinds.get(type(value), "a date or time")


def _refuse_unknown(path: Path, prefix: str, table: Mapping[str, Any], known: set[str]) -> None:
    for key in table:
        if key not in known:
            where = f"under [{prefix[:-1]}] in {path}" if prefix else f"at the top of {path}"
            # Whoever writes a secret on a line of its own, or on the wrong side of the =, is not shown it.
            got = f"{key}, which is not known" if is_plain(key) else "another name, which may be a secret"
            raise SetupError(f"expected {', '.join(sorted(known))} {where}, got {got}")


def is_plain(name: str) -> bool:
    """Whether a name is spelt as all of ours are, short, and of lower-case words; hardly any secret is."""
    return re.fullmatch(r"[a-z]{1,20}([_-][a-z]{1,20}){0,3}", name) is not None


def _table(path: Path, data: Mapping[str, Any], name: str) -> dict[str, Any]:
    table = data.get(name, {})
    if not isinstance(table, dict):
        raise SetupError(f"expected a table [{name}] in {path}, got {_kind(table)}")
    return table
