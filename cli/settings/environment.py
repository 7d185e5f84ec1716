"""The only reader of the environment: its variables, and where it says that a value comes from."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from venues.errors import SetupError

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class ConfiguredValue:
    """One value, or how to get it, and where that was said (`origin`, for messages)."""

    kind: str  # "value", "file" or "command"
    value: Any = field(repr=False)
    origin: str


def variables() -> Mapping[str, str]:
    """The variables, for whoever wants to know what the terminal can do."""
    return os.environ


def without_secrets() -> dict[str, str]:
    """The variables for a program that gives one secret and is to see no other: none of ours but `MON_CONFIG`."""
    return {name: value for name, value in os.environ.items() if name == "MON_CONFIG" or not name.startswith("MON_")}


def completion_request() -> tuple[str, Mapping[str, str]] | None:
    """What a shell's completion script asks, and the variables it asks with; None for an ordinary run."""
    asked = os.environ.get("_MON_COMPLETE")
    return None if asked is None else (asked, os.environ)


def is_dumb(environment: Mapping[str, str]) -> bool:
    """Whether the variables tell of a terminal without a cursor that could be moved."""
    return environment.get("TERM", "").lower() in ("dumb", "unknown")


def set_value(name: str) -> str | None:
    """A variable's value; None where it is not set, or is empty."""
    return os.environ.get(name) or None


def plugins_wanted() -> bool:
    """Whether venues of other packages are looked up: unless `MON_PLUGINS=0` says no.

    Raises:
        SetupError: it has another value than 0 or 1.
    """
    value = set_value("MON_PLUGINS")
    if value not in (None, "0", "1"):
        raise SetupError(
            f"expected MON_PLUGINS=0 (no venues of other packages) or 1, got {value!r}; unset it or mend it"
        )
    return value != "0"


def variable(venue: str, environment: str | None, name: str) -> str:
    """The environment variable of a venue's value; `environment` None for production."""
    return "_".join(["MON", venue, *([environment] if environment else []), name]).upper()


def set_by_variable(venue: str, environment: str | None, name: str) -> ConfiguredValue | None:
    """What a variable sets; None where it is not set, or is empty."""
    named = variable(venue, environment, name)
    value = set_value(named)
    return None if value is None else ConfiguredValue("value", value, named)


def expanded(path: str, origin: str) -> Path:
    """The path with `~` as the user's home.

    Raises:
        SetupError: there is no home.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise SetupError(f"there is no home folder for {path} ({origin})") from None
