"""What a user may set for B2TRADER, read from the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from venues.errors import SetupError
from venues.toolkit.decoding import excerpt

if TYPE_CHECKING:
    from collections.abc import Mapping


class Values(NamedTuple):
    """The values of the settings; `growing`: the user says that a book's versions may skip without loss."""

    account_id: str
    root_asset: str
    negotiates: bool
    growing: bool


def read_values(values: Mapping[str, Any]) -> Values:
    """Reads all values; those that are not set have their defaults.

    Raises:
        SetupError: one of them cannot be used.
    """
    versions = _text(values, "versions")
    if versions not in ("", "growing"):
        raise SetupError(f'expected "growing" as versions of b2trader, got {excerpt(repr(versions), 60)}')
    return Values(
        account_id=_text(values, "account_id"),
        root_asset=_text(values, "root_asset") or "RAT",
        negotiates=_flag(values, "negotiate"),
        growing=bool(versions),
    )


def _text(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name, "")
    if not isinstance(value, str) or not value.isprintable() or value != value.strip():
        raise SetupError(f"expected plain text as {name} of b2trader, got {excerpt(repr(value), 60)}")
    return value


def _flag(values: Mapping[str, Any], name: str) -> bool:
    value = values.get(name, False)
    known = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
    if isinstance(value, bool):
        return value
    if not isinstance(value, str) or value.lower() not in known:
        raise SetupError(f"expected true or false as {name} of b2trader, got {excerpt(repr(value), 60)}")
    return known[value.lower()]
