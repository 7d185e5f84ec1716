"""What a user may set for B2TRADER, read from the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from venues.decoding import excerpt
from venues.errors import SetupError

if TYPE_CHECKING:
    from collections.abc import Mapping


def text(values: Mapping[str, Any], name: str) -> str:
    """A value that is text; empty when it is not set."""
    value = values.get(name, "")
    if not isinstance(value, str) or not value.isprintable() or value != value.strip():
        raise SetupError(f"expected plain text as {name} of b2trader, got {excerpt(repr(value), 60)}")
    return value


def flag(values: Mapping[str, Any], name: str) -> bool:
    """A value that is true or false; false when it is not set."""
    value = values.get(name, False)
    known = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
    if isinstance(value, bool):
        return value
    if not isinstance(value, str) or value.lower() not in known:
        raise SetupError(f"expected true or false as {name} of b2trader, got {excerpt(repr(value), 60)}")
    return known[value.lower()]


def growing(values: Mapping[str, Any]) -> bool:
    """Whether the user says that a book's versions only have to grow."""
    value = text(values, "versions")
    if value not in ("", "growing"):
        raise SetupError(f'expected "growing" as versions of b2trader, got {excerpt(repr(value), 60)}')
    return value == "growing"
