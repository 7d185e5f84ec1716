"""The config file as text: what a new one says, and what is in one, without a secret."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.settings.config import config_path
from cli.settings.config_shape import PRODUCTION, addresses_of, is_words
from cli.settings.environment import HIDDEN, make_private, set_value, shown_path, shown_program, variable
from venues import FIRST_IN_CONFIG, all_venues, venue_named
from venues.errors import SetupError
from venues.redaction import Redactor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cli.settings.config import Config
    from venues.venue import Venue

# With a scheme, or with a host's name in lower case, as hardly any secret is spelt.
_ADDRESS = re.compile(
    r"^\s*[A-Za-z0-9+.-]+://|(?:^|@)\s*(?:[a-z0-9-]+(?:\.[a-z0-9-]+)+|localhost|\[[0-9a-f:]+\])(?::[0-9]*)?\s*(?:$|[/?#])"
)

_BEGINNING = """\
# mon's configuration. Only you may read this file (chmod 600).
# Each secret can be given as it is (name), as a file (name_file) or as a command
# whose first line of output it is (name_command, run without a shell).

# Comes before HTTPS_PROXY; "" for none. NO_PROXY holds for both.
# proxy = "http://proxy.example:3128"

[screen]
# palette = "colour-blind"    # or red-up, mono
# tz = "utc"                  # or Europe/Zurich; local unless said otherwise
"""
_OF_BOTS = """\
[recordings]
# folder = "~/recordings"      # where --history auto of mon bot run looks for candles from before the start

[bot]                          # the token of a bot's own feed and webhooks; a random one without it
# token_command = ["pass", "show", "bot"]
"""


def template(warn: Callable[[str], None]) -> str:
    """What a new config file says, with everything commented out; each venue brings its own part.

    `warn` is told one line for each plug-in that cannot be loaded.
    """
    venues = all_venues(warn)
    order = sorted(venues, key=lambda name: name not in FIRST_IN_CONFIG)  # the registry's order otherwise
    parts = [part for name in order if (part := venues[name].template)]
    return "\n".join([_BEGINNING, *parts, _OF_BOTS, _of_profiles(venue_named(order[0]))])


def _of_profiles(venue: Venue) -> str:
    secret = next(iter(venue.secrets))
    return (
        "# Another account, chosen with --profile second:\n"
        f"# [profiles.second.venues.{venue.name}]\n"
        f'# {secret}_command = ["pass", "show", "{venue.name}-second"]\n'
    )


def write_template(warn: Callable[[str], None]) -> Path:
    """A config file with everything commented out, readable by its owner only; its path. `warn` as `template` has it.

    Raises:
        SetupError: there is one already, or it cannot be written.
    """
    path, text = config_path(), template(warn)
    try:
        make_private(path.parent)
    except OSError as error:
        raise SetupError(f"cannot make the folder {path.parent}: {error.strerror}") from error
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise SetupError(f"there is a config file already: {path}") from None
    except OSError as error:
        raise SetupError(f"cannot write the config file {path}: {error.strerror}") from error
    return path


def shown(config: Config, warn: Callable[[str], None]) -> str:
    """The config file and the variables that are set, as TOML-like lines without a secret.

    `warn` is told one line for each plug-in that cannot be loaded: its values are hidden.

    Only what is known to be no secret is shown: addresses without user and password, files, the programs of commands,
    and the venues' plain values. A secret that stands in one of those by mistake is hidden there too.
    """
    state = " (not there)" if config.missing else "" if config.data else " (absent or empty)"
    redactor = Redactor()
    venues = all_venues(warn)
    lines = [f"# {config.path}{state}", *_shown_table(config.data, (), redactor, venues)]
    shown: dict[str, Callable[[str], str] | None] = {variable("bot", None, "token"): None}
    for venue in venues.values():
        for named, name in _variables(venue).items():
            shown[named] = _hide_user if name in ("url", "rest_url") else str if _is_value(venue, name) else None
    for named in sorted(shown):
        value, show = set_value(named), shown[named]
        if value and show is not None:
            lines.append(f"# {named} is set: {show(value)}")
        elif value:
            redactor.learn({"hidden": value})
            lines.append(f"# {named} is set (hidden)")
    return "\n".join(redactor.text(line) for line in lines)


def _variables(venue: Venue) -> dict[str, str]:
    """Every variable that is looked at, and the name of what it sets."""
    names = [*addresses_of(venue), *venue.secrets, *venue.values]
    own = [None, *(e for e in venue.environments if e != PRODUCTION)]
    return {variable(venue.name, environment, name): name for environment in own for name in names}


def _shown_table(
    table: Mapping[str, Any], path: tuple[str, ...], redactor: Redactor, venues: Mapping[str, Venue]
) -> list[str]:
    plain = _is_plain(path, venues)
    lines = [
        f"{_toml_key(key)} = {_toml(value) if plain else _shown_value(path, key, value, redactor, venues)}"
        for key, value in table.items()
        if not isinstance(value, dict)
    ]
    if path and (lines or not table):
        lines = ["", f"[{'.'.join(map(_toml_key, path))}]", *lines]
    for key, value in table.items():
        if isinstance(value, dict):
            lines += _shown_table(value, (*path, key), redactor, venues)
    return lines


def _venue_of(path: tuple[str, ...], venues: Mapping[str, Venue]) -> tuple[Venue | None, tuple[str, ...]]:
    """The venue that a table of the file is about, and what the table is of it, without the environment."""
    of_venues = path[2:] if path[:1] == ("profiles",) else path
    venue = venues.get(of_venues[1]) if of_venues[:1] == ("venues",) and len(of_venues) > 1 else None
    inner = of_venues[2:]
    return venue, inner[1:] if venue is not None and inner and inner[0] in venue.environments else inner


def _is_value(venue: Venue, name: str) -> bool:
    """Whether a name is that of a value that is no secret."""
    return name in venue.values and name not in venue.secrets


def _is_plain(path: tuple[str, ...], venues: Mapping[str, Venue]) -> bool:
    """Whether a table is in a value that is no secret, as [venues.<venue>.symbols.BTCUSDT] is."""
    venue, inner = _venue_of(path, venues)
    return venue is not None and bool(inner) and _is_value(venue, inner[0])


def _shown_value(path: tuple[str, ...], key: str, value: Any, redactor: Redactor, venues: Mapping[str, Venue]) -> str:
    venue, _ = _venue_of(path, venues)
    if key in ("url", "rest_url", "proxy"):
        return _toml(_hide_user(str(value)))
    if (venue is not None and _is_value(venue, key)) or path == ("screen",):
        return _toml(value)
    if (key.endswith("_file") or path == ("recordings",)) and isinstance(value, str):
        return _toml(value if value.startswith("~") else shown_path(Path(value)))
    if key.endswith("_command") and is_words(value):
        return _toml([_shown_word(value[0]), *(HIDDEN for _ in value[1:])])  # echo THE-SECRET is a command too
    if isinstance(value, str):
        redactor.learn({"hidden": value})
    return '"[hidden]"'


def _shown_word(word: str) -> str:
    return word if word.startswith("~") else shown_program(word)


def _toml_key(key: str) -> str:
    return key if re.fullmatch("[A-Za-z0-9_-]+", key) else _toml(key)


def _toml(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=not value.isprintable())
    return str(value)


def _hide_user(url: str) -> str:
    """Without user and password, wherever they are, and without query and fragment; nothing of what is no address."""
    if not _ADDRESS.search(url):
        return HIDDEN
    url = re.sub(r"^([A-Za-z0-9+.-]*://)?.*@", r"\1[hidden]@", url, flags=re.DOTALL)
    return re.sub(r"([?#]).+", r"\1[hidden]", url, count=1, flags=re.DOTALL)
