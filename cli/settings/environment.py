"""The only reader of the environment: its variables, and where it says that a value comes from."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from venues.errors import SetupError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

HIDDEN = "[hidden]"


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


def for_a_command(is_secret: Callable[[str], bool]) -> dict[str, str]:
    """The variables for a command of the user's: without a secret of ours, or a proxy's.

    A `mon` that it starts takes its secrets from the config file. `is_secret`: whether a text has a known one in it.
    """
    from venues.redaction import secrets_of_proxy

    kept: dict[str, str] = {}
    for name, value in os.environ.items():
        ours = name.startswith("MON_") and name not in ("MON_CONFIG", "MON_PLUGINS")
        plain_url = name.endswith("_URL") and not any(sign in value for sign in "@?#")
        of_proxy = name.lower().endswith("_proxy") and bool(secrets_of_proxy(value.strip()))
        if not ((ours and not plain_url) or of_proxy or is_secret(value)):
            kept[name] = value
    return kept


def secrets_set() -> dict[str, str]:
    """The variables that have a secret in them, as far as their names tell: ours, and those of proxies."""
    from venues.redaction import says_a_secret, secrets_of_proxy

    found: dict[str, str] = {}
    for name, value in os.environ.items():
        if name.startswith("MON_") and says_a_secret(name):
            found[name] = value.strip()
        elif name.lower().endswith("_proxy"):
            found |= {f"{part} of {name}": secret for part, secret in secrets_of_proxy(value.strip()).items()}
    return found


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


def shown_path(path: Path) -> str:
    """A file's path to be shown; not where it may be a secret that was set in place of a file's name."""
    given = str(path)
    above = path.parts[:2] if path.is_absolute() else path.parts[:1]
    is_path = len(path.parts) > len(above) and os.path.exists(os.path.join(*above))
    return given if is_path or os.path.exists(path) or re.fullmatch(r"[a-z_.-]{1,20}", given) else HIDDEN


def shown_program(word: str) -> str:
    """The program of a command to be shown; not where a secret may stand in its place, or behind it in one word."""
    import shutil

    program, space, _ = word.partition(" ")
    if shutil.which(word) or ("/" in word and os.path.exists(os.path.dirname(word))):
        return word
    if shutil.which(program) or re.fullmatch(r"[a-z_.-]{1,20}", program):
        return f"{program} {HIDDEN}" if space else program
    return HIDDEN


def make_private(folder: Path) -> None:
    """Make a folder of the user's that only the user can look into, and those above it that are missing.

    Raises:
        OSError: it cannot be made.
    """
    for one in (*reversed(folder.parents), folder):
        if not one.exists():
            one.mkdir(mode=0o700, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)  # says what is wrong where it is no folder
