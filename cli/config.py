"""The only reader of the environment, the config file and secrets.

A value of a venue is looked for in this order: environment variable, profile, config file. An environment other than
production has values of its own (`MON_NEXUS_STAGING_CLIENT_KEY`, `[venues.nexus.staging]`); production's credentials
are never sent to it. A secret may be given as `name`, `name_file` or `name_command`.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import tomllib
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from venues import VENUES, venue_named
from venues.addresses import is_loopback
from venues.errors import SetupError, UsageError
from venues.venue import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from venues.venue import Venue

COMMAND_TIMEOUT = 30.0
SIM = "sim"
PRODUCTION = "production"
LONGEST_SECRET = 64 * 1024

TEMPLATE = """\
# mon's configuration. Only you may read this file (chmod 600).
# Each secret can be given as it is (name), as a file (name_file) or as a command
# whose first line of output it is (name_command, run without a shell).

# proxy = "http://proxy.example:3128"

[venues.nexus]
# client_key_command = ["pass", "show", "nexus"]

[venues.nexus.staging]        # an environment has its own credentials
# client_key_file = "~/.secrets/nexus-staging"

[venues.b2trader]
# url = "wss://trade.broker.example"          # your broker's own host
# account_id = "67d0456f8c7b1108e4cf5d46"
# token_command = ["broker-login", "--print-token"]
# root_asset = "USD"          # what the figures in the platform's root asset are in
# negotiate = true            # only for a hub that wants it

# Another account, chosen with --profile second:
# [profiles.second.venues.nexus]
# client_key_command = ["pass", "show", "nexus-second"]
"""


@dataclass(frozen=True)
class Source:
    """One value, or how to get it, and where that was said (`origin`, for messages)."""

    kind: str  # "value", "file" or "command"
    value: Any
    origin: str


@dataclass(frozen=True)
class Access:
    """Everything needed to reach a venue: settings without secrets, and where the secrets come from."""

    settings: Settings
    secrets: Mapping[str, Source]
    proxy: str | None

    async def fetch(self) -> dict[str, str]:
        """The secrets by name; commands are run again each time, off the loop.

        Raises:
            SetupError: one cannot be had.
        """
        return {name: await asyncio.to_thread(_obtain, name, source) for name, source in self.secrets.items()}


class Config:
    """The config file as it was read; `data` is empty where there is none."""

    def __init__(self, path: Path, data: Mapping[str, Any]) -> None:
        self.path = path
        self.data = data

    def access(self, venue: Venue, environment: str | None, profile: str | None) -> Access:
        """How to reach a venue's environment.

        Raises:
            UsageError: the venue has no such environment.
            SetupError: an address or a credential is missing or cannot be used.
        """
        self._check_profile(profile)
        url, label = self.address(venue, environment, profile)
        values = {
            name: source.value for name in venue.values if (source := self.find(venue, environment, profile, name))
        }
        for name in venue.required:
            if not values.get(name):
                raise self._missing(venue, environment, profile, name)
        secrets = {name: self._required(venue, environment, profile, name) for name in venue.secrets}
        return Access(Settings(url=url, label=label, values=values), secrets, self.proxy(url))

    def simulated(self, venue: Venue, url: str, credentials: Mapping[str, str], profile: str | None) -> Access:
        """How to reach the embedded simulator: with its own credentials, and with the user's other values."""
        self._check_profile(profile)
        values = {name: source.value for name in venue.values if (source := self.find(venue, None, profile, name))}
        values |= {name: value for name, value in credentials.items() if name in venue.values}
        sources = {
            name: Source("value", value, "the simulator")
            for name, value in credentials.items()
            if name in venue.secrets
        }
        return Access(Settings(url=url, label=SIM, values=values), sources, None)

    def address_by_hand(self, venue: Venue, environment: str | None, profile: str | None) -> Source | None:
        """The address that the user has set, if any."""
        return self.find(venue, environment, profile, "url") or _from_environment(venue.name, None, "url")

    def address(self, venue: Venue, environment: str | None, profile: str | None) -> tuple[str, str | None]:
        """The venue's address and the label that its records carry.

        Raises:
            UsageError: the venue has no such environment.
            SetupError: there is no address, or none that may be used.
        """
        by_hand = self.address_by_hand(venue, environment, profile)
        if by_hand is not None:
            url = _checked_url(by_hand)
            return url, f"custom:{urlsplit(url).netloc.rpartition('@')[2]}"
        if environment is not None and environment not in venue.environments:
            known = ", ".join([*venue.environments, SIM])
            raise UsageError(f'expected one of the environments of {venue.name} ({known}), got "{environment}"')
        name = environment or PRODUCTION
        url = venue.environments.get(name, "")
        if not url:
            raise SetupError(
                f"{venue.name} has no address of its own: set {_variable(venue.name, None, 'url')}, "
                f"or url under [venues.{venue.name}] in {self.path}"
            )
        return url, None if name == PRODUCTION else name

    def find(self, venue: Venue, environment: str | None, profile: str | None, name: str) -> Source | None:
        """Where a value comes from; None when it is set nowhere."""
        own = environment if environment in venue.environments and environment != PRODUCTION else None
        from_environment = _from_environment(venue.name, own, name)
        if from_environment is not None:
            return from_environment
        tables = []
        if profile is not None:
            tables.append((f"profiles.{profile}.venues.{venue.name}", self._profile(profile).get("venues", {})))
        tables.append((f"venues.{venue.name}", self.data.get("venues", {})))
        for title, of_venues in tables:
            table = of_venues.get(venue.name, {})
            if own is not None:
                table, title = table.get(own, {}), f"{title}.{own}"
            source = self._from_table(table, title, name)
            if source is not None:
                return source
        return None

    def proxy(self, url: str) -> str | None:
        """The proxy for an address, from the config file or the environment; none for this machine itself."""
        if is_loopback(url):
            return None
        if "proxy" in self.data:
            return str(self.data["proxy"])
        parts = urlsplit(url)
        if urllib.request.proxy_bypass(parts.hostname or ""):
            return None
        proxies = urllib.request.getproxies()
        return proxies.get("https" if parts.scheme == "wss" else "http") or proxies.get("all")

    def _required(self, venue: Venue, environment: str | None, profile: str | None, name: str) -> Source:
        source = self.find(venue, environment, profile, name)
        if source is None:
            raise self._missing(venue, environment, profile, name)
        return source

    def _missing(self, venue: Venue, environment: str | None, profile: str | None, name: str) -> SetupError:
        own = environment if environment in venue.environments and environment != PRODUCTION else None
        table = f"venues.{venue.name}.{own}" if own else f"venues.{venue.name}"
        keys = f"{name}, {name}_file or {name}_command" if name in venue.secrets else name
        return SetupError(
            f"{venue.name} needs its {name} ({ {**venue.secrets, **venue.values}[name] }): "
            f"set {_variable(venue.name, own, name)}, or {keys} under [{table}] in {self.path}; --env sim needs none"
        )

    def _from_table(self, table: Mapping[str, Any], title: str, name: str) -> Source | None:
        for suffix, kind in (("", "value"), ("_file", "file"), ("_command", "command")):
            if name + suffix in table:
                return Source(kind, table[name + suffix], f"{name}{suffix} under [{title}] in {self.path}")
        return None

    def _check_profile(self, profile: str | None) -> None:
        if profile is not None:
            self._profile(profile)

    def _profile(self, name: str) -> Mapping[str, Any]:
        profiles = self.data.get("profiles", {})
        if name not in profiles:
            known = ", ".join(profiles) or "none"
            raise SetupError(f'expected a profile of {self.path} (there: {known}), got "{name}"')
        profile: Mapping[str, Any] = profiles[name]
        return profile


def config_path() -> Path:
    """Where the config file is: `MON_CONFIG`, or the user's folder for configuration."""
    by_hand = os.environ.get("MON_CONFIG")
    if by_hand:
        return Path(by_hand).expanduser()
    from platformdirs import user_config_path

    return user_config_path("mon") / "config.toml"


def load() -> Config:
    """The configuration; an empty one when there is no file.

    Raises:
        SetupError: the file is not readable, not TOML, can be read by others, or has something unknown in it.
    """
    path = config_path()
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if os.name == "posix" and mode & 0o077:
                raise SetupError(
                    f"the config file can be read by others (mode {mode & 0o777:03o}); run: chmod 600 {path}"
                )
            data = tomllib.load(file)
    except FileNotFoundError:
        return Config(path, {})
    except OSError as error:
        raise SetupError(f"cannot read the config file {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SetupError(f"the config file {path} is not TOML: {error}") from error
    _check_shape(path, data)
    return Config(path, data)


def write_template() -> Path:
    """A config file with everything commented out, readable by its owner only; its path.

    Raises:
        SetupError: there is one already, or it cannot be written.
    """
    path = config_path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(TEMPLATE)
    except FileExistsError:
        raise SetupError(f"there is a config file already: {path}") from None
    except OSError as error:
        raise SetupError(f"cannot write the config file {path}: {error.strerror}") from error
    return path


def shown(config: Config) -> str:
    """The config file and the variables that are set, as TOML-like lines without a secret."""
    lines = [f"# {config.path}" + ("" if config.data else " (absent or empty)")]
    lines += _shown_table(config.data, ())
    known = {variable: name for venue in VENUES for variable, name in _variables(venue_named(venue)).items()}
    plain = {"url"} | {name for venue in VENUES for name in venue_named(venue).values}
    for variable in sorted(known.keys() & os.environ.keys()):
        secret = known[variable] not in plain
        lines.append(f"# {variable} is set" + (" (hidden)" if secret else f": {_hide_user(os.environ[variable])}"))
    return "\n".join(lines)


def check(config: Config) -> tuple[list[str], bool]:
    """For each venue and environment: what is set, from where, what is missing. True when nothing set is broken."""
    lines, sound = [], True
    for name in VENUES:
        venue = venue_named(name)
        for environment in venue.environments:
            lines.append(f"{name} {environment}")
            for found, fine in _check_environment(config, venue, environment):
                lines.append(f"  {found}")
                sound = sound and fine
        lines.append(f"{name} {SIM}")
        lines.append("  nothing is needed")
    return lines, sound


def color_wanted() -> bool | None:
    """What `NO_COLOR` and `FORCE_COLOR` say; None when they say nothing."""
    if os.environ.get("NO_COLOR"):
        return False
    return True if os.environ.get("FORCE_COLOR") else None


def forced_columns() -> int | None:
    """The width that `COLUMNS` asks for."""
    columns = os.environ.get("COLUMNS", "")
    return int(columns) if columns.isdigit() and 0 < int(columns) < 10_000 else None


def _check_environment(config: Config, venue: Venue, environment: str) -> list[tuple[str, bool]]:
    found: list[tuple[str, bool]] = []
    try:
        url, label = config.address(venue, environment, None)
        by_hand = config.address_by_hand(venue, environment, None)
        origin = by_hand.origin if by_hand and label and label.startswith("custom") else "built in"
        found.append((f"address: {_hide_user(url)} ({origin})", True))
    except SetupError as error:
        found.append((f"address: {error}", False))
    own = None if environment == PRODUCTION else environment
    for name in venue.values:
        source = config.find(venue, environment, None, name)
        if source is not None:
            found.append((f"{name}: {_toml(source.value)} (from {source.origin})", True))
        elif name in venue.required:
            found.append((f"{name}: missing ({_variable(venue.name, own, name)} or the config file)", True))
    for name in venue.secrets:
        source = config.find(venue, environment, None, name)
        if source is None:
            found.append((f"{name}: missing ({_variable(venue.name, own, name)} or the config file)", True))
            continue
        try:
            if source.kind == "command":
                _words_of(name, source)
                found.append((f"{name}: from the {source.origin} (not run)", True))
            else:
                _obtain(name, source)
                found.append((f"{name}: set, from {source.origin}", True))
        except SetupError as error:
            found.append((f"{name}: {error}", False))
    return found


def _check_shape(path: Path, data: Mapping[str, Any]) -> None:
    """Whatever is unknown would be ignored, so it is refused; venues of a later version are not ours to judge."""
    _refuse_unknown(path, "", data, {"venues", "profiles", "proxy"})
    if not isinstance(data.get("proxy", ""), str):
        raise SetupError(f"expected an address as proxy in {path}, got {data['proxy']!r}")
    scopes = [("", data)]
    for name, profile in _table(path, data, "profiles").items():
        if not isinstance(profile, dict):
            raise SetupError(f"expected a table [profiles.{name}] in {path}")
        _refuse_unknown(path, f"profiles.{name}.", profile, {"venues"})
        scopes.append((f"profiles.{name}.", profile))
    for prefix, scope in scopes:
        for name in _table(path, scope, "venues"):
            if name in VENUES:
                _check_venue(path, f"{prefix}venues.{name}.", scope["venues"][name], venue_named(name))


def _check_venue(path: Path, prefix: str, table: Any, venue: Venue) -> None:
    if not isinstance(table, dict):
        raise SetupError(f"expected a table [{prefix[:-1]}] in {path}, got {type(table).__name__}")
    secrets = {name + suffix for name in venue.secrets for suffix in ("", "_file", "_command")}
    environments = venue.environments.keys() - {PRODUCTION}
    _refuse_unknown(path, prefix, table, {"url"} | venue.values.keys() | secrets | environments)
    for environment in environments & table.keys():
        own = table[environment]
        if not isinstance(own, dict):
            raise SetupError(f"expected a table [{prefix}{environment}] in {path}, got {type(own).__name__}")
        _refuse_unknown(path, f"{prefix}{environment}.", own, {"url"} | venue.values.keys() | secrets)


def _refuse_unknown(path: Path, prefix: str, table: Mapping[str, Any], known: set[str]) -> None:
    for key in table:
        if key not in known:
            raise SetupError(f"{prefix}{key} in {path} is not known; known there: {', '.join(sorted(known))}")


def _table(path: Path, data: Mapping[str, Any], name: str) -> dict[str, Any]:
    table = data.get(name, {})
    if not isinstance(table, dict):
        raise SetupError(f"expected a table [{name}] in {path}, got {type(table).__name__}")
    return table


def _variable(venue: str, environment: str | None, name: str) -> str:
    return "_".join(["MON", venue, *([environment] if environment else []), name]).upper()


def _variables(venue: Venue) -> dict[str, str]:
    """Every variable that is looked at, and the name of what it sets."""
    names = ["url", *venue.secrets, *venue.values]
    own = [None, *(e for e in venue.environments if e != PRODUCTION)]
    return {_variable(venue.name, environment, name): name for environment in own for name in names}


def _from_environment(venue: str, environment: str | None, name: str) -> Source | None:
    variable = _variable(venue, environment, name)
    value = os.environ.get(variable)
    return Source("value", value, variable) if value else None


def _obtain(name: str, source: Source) -> str:
    """A secret's value; raises SetupError when it cannot be had. The value is in no message."""
    if source.kind == "file":
        text = _first_line_of_file(name, source)
    elif source.kind == "command":
        text = _first_line_of_command(name, source)
    elif isinstance(source.value, str):
        text = source.value
    else:
        raise SetupError(f"expected text as {source.origin}, got {type(source.value).__name__}")
    text = text.strip()
    if not text:
        raise SetupError(f"{source.origin} gives an empty {name}")
    if not text.isprintable():
        raise SetupError(f"{source.origin} gives a {name} with characters that cannot be part of one")
    return text


def _first_line_of_file(name: str, source: Source) -> str:
    try:
        with Path(str(source.value)).expanduser().open(encoding="utf-8") as file:
            return file.readline(LONGEST_SECRET)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise SetupError(f"cannot read the {name} from {source.value} ({source.origin}): {reason}") from None


def _first_line_of_command(name: str, source: Source) -> str:
    words = _words_of(name, source)
    try:
        done = subprocess.run(
            words, capture_output=True, stdin=subprocess.DEVNULL, timeout=COMMAND_TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired:
        raise SetupError(f"{source.origin} gave no {name} within {COMMAND_TIMEOUT:.0f} s") from None
    except OSError as error:
        raise SetupError(f"cannot run {words[0]} ({source.origin}): {error.strerror}") from None
    if done.returncode != 0:
        raise SetupError(f"{words[0]} ({source.origin}) ended with exit code {done.returncode}")
    return done.stdout.decode(errors="replace").partition("\n")[0]


def _words_of(name: str, source: Source) -> list[str]:
    words = source.value
    if not isinstance(words, list) or not words or not all(isinstance(word, str) for word in words):
        raise SetupError(f'expected a list of words, such as ["pass", "show", "{name}"], as {source.origin}')
    return [str(Path(words[0]).expanduser()), *words[1:]]


def _checked_url(source: Source) -> str:
    """A WebSocket address; `http` is taken for `ws`. Raises SetupError for anything else."""
    url = re.sub(r"^http(s?)://", r"ws\1://", str(source.value).strip())
    try:
        parts = urlsplit(url)
        fine = parts.scheme in ("ws", "wss") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        fine = False
    if not fine or parts.query or parts.fragment or not url.isprintable() or " " in url:
        raise SetupError(f"expected an address such as wss://host.example as {source.origin}")
    if parts.scheme == "ws" and not is_loopback(url):
        raise SetupError(f"expected a wss:// address as {source.origin} (ws:// only on this machine)")
    return url


def _hide_user(url: str) -> str:
    return re.sub(r"//[^/@]*@", "//[hidden]@", url)


def _shown_table(table: Mapping[str, Any], path: tuple[str, ...]) -> list[str]:
    lines = [f"{key} = {_shown_value(key, value)}" for key, value in table.items() if not isinstance(value, dict)]
    if path and (lines or not table):
        lines = ["", f"[{'.'.join(path)}]", *lines]
    for key, value in table.items():
        if isinstance(value, dict):
            lines += _shown_table(value, (*path, key))
    return lines


def _shown_value(key: str, value: Any) -> str:
    """Only what is known to be no secret is shown: addresses, files, commands, and the venues' plain values."""
    plain = {name for venue in VENUES for name in venue_named(venue).values}
    if key in plain or key.endswith(("_file", "_command")):
        return _toml(value)
    if key in ("url", "proxy"):
        return _toml(_hide_user(str(value)))
    return '"[hidden]"'


def _toml(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return str(value)
