"""The config file, and what it and the environment say of how to reach a venue.

A value of a venue is looked for in this order: environment variable, profile, config file. An environment other than
production has values of its own (`MON_<VENUE>_STAGING_<NAME>`, `[venues.<venue>.staging]`); production's credentials
are never sent to it. A secret may be given as `name`, `name_file` or `name_command`.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from cli.errors import remember
from cli.settings.config_shape import KINDS, PRODUCTION, check_sections_of, check_shape, is_plain
from cli.settings.environment import (
    ConfiguredValue,
    expanded,
    secrets_set,
    set_by_variable,
    set_value,
    variable,
)
from venues import VENUES
from venues.errors import SetupError, UsageError
from venues.redaction import SHORTEST_BY_VALUE, says_a_secret, secrets_of_proxy
from venues.toolkit.addresses import is_loopback
from venues.venue import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from pathlib import Path
    from urllib.parse import SplitResult

    from venues.venue import Venue

SIM = "sim"
LONGEST_CONFIG = 2**20  # bytes
LONGEST_LINE = 10_000  # bytes of a line; a key of ten thousand parts would take a quarter of a second

_warned_of: set[str] = set()  # origins of short secrets that were warned of already


@dataclass(frozen=True)
class Access:
    """Everything needed to reach a venue: settings without secrets, and where the secrets come from."""

    settings: Settings
    secrets: Mapping[str, ConfiguredValue]
    proxy: str | None = field(repr=False)  # may have a password in it
    rest_proxy: str | None = field(default=None, repr=False)  # for requests beside the WebSocket
    say: Callable[[str], None] | None = field(default=None, repr=False)  # says a notice to a person

    async def fetch(self) -> dict[str, str]:
        """The secrets by name; commands are run again each time, off the loop, and ended when this is cancelled.

        Raises:
            SetupError: one cannot be had.
        """
        import asyncio
        import threading

        from cli.settings.credentials import obtain

        unwanted = threading.Event()
        try:
            secrets = {
                name: await asyncio.to_thread(obtain, name, source, unwanted) for name, source in self.secrets.items()
            }
        finally:
            unwanted.set()
        self._warn_of_short(secrets)
        return secrets

    def _warn_of_short(self, secrets: Mapping[str, str]) -> None:
        for name, value in secrets.items():
            origin = self.secrets[name].origin
            if self.say is not None and len(value) < SHORTEST_BY_VALUE and origin not in _warned_of:
                _warned_of.add(origin)
                self.say(
                    f"the {name} from {origin} is shorter than {SHORTEST_BY_VALUE} characters: mon hides it where mon "
                    "sends it, but not where the venue repeats it"
                )


class Config:
    """The config file as it was read; `data` is empty where there is none.

    `missing`: there is none although `MON_CONFIG` names it.
    """

    def __init__(self, path: Path, data: Mapping[str, Any], *, missing: bool = False) -> None:
        self.path = path
        self.data = data
        self.missing = missing
        self._looked_through: set[str] = {*VENUES}  # venues whose sections are known to be sound

    def screen(self) -> Mapping[str, str]:
        """What tables are to look like: `palette` and `tz`, where they are set."""
        return dict(self.data.get("screen", {}))

    def access(
        self, venue: Venue, environment: str | None, profile: str | None, streams: Collection[str] = ()
    ) -> Access:
        """How to reach a venue's environment; without its secrets where all of `streams` are public.

        Raises:
            UsageError: the venue has no such environment.
            SetupError: an address or a credential is missing or cannot be used.
        """
        self._check_file(profile)
        settings = self._settings(venue, environment, profile, *self.address(venue, environment, profile))
        for name in venue.required:
            if not settings.values.get(name):
                raise self._missing(venue, environment, profile, name)
        public = bool(streams) and all(venue.streams[name].public for name in streams)
        needed = () if public else venue.secrets
        secrets = {name: self._required(venue, environment, profile, name) for name in needed}
        return self._access(settings, secrets)

    def access_for_symbols(self, venue: Venue, environment: str | None, profile: str | None) -> Access:
        """As `access`, for the list of the venue's symbols: no secret, and no address where none is set or built in.

        Raises:
            UsageError: the venue has no such environment.
            SetupError: something cannot be used.
        """
        self._check_file(profile)
        name = environment or PRODUCTION
        if venue.environments.get(name) == "" and self.any_address_by_hand(venue, environment, profile) is None:
            label = None if name == PRODUCTION else name
            values = self.values(venue, environment, profile)
            return Access(Settings(url="", label=label, values=values, table=_table(venue, environment)), {}, None)
        address = self.address(venue, environment, profile)
        return self._access(self._settings(venue, environment, profile, *address), {})

    def _settings(
        self, venue: Venue, environment: str | None, profile: str | None, url: str, label: str | None
    ) -> Settings:
        rest_url = self.rest_address(venue, environment, profile)
        values = self.values(venue, environment, profile)
        return Settings(url=url, label=label, values=values, table=_table(venue, environment), rest_url=rest_url)

    def _access(self, settings: Settings, secrets: Mapping[str, ConfiguredValue]) -> Access:
        remember({name: str(source.value).strip() for name, source in secrets.items() if source.kind == "value"})
        return Access(settings, secrets, self.proxy(settings.url), self.proxy(settings.rest_url or settings.url))

    def values(self, venue: Venue, environment: str | None, profile: str | None) -> dict[str, Any]:
        """What is set of the venue's values, which are no secrets.

        Raises:
            SetupError: one cannot be used.
        """
        found = {name: source for name in venue.values if (source := self.find(venue, environment, profile, name))}
        for name, source in found.items():
            check_usable(venue, name, source)
        return {name: source.value for name, source in found.items()}

    def simulated(
        self, venue: Venue, url: str, given: Mapping[str, Any], profile: str | None, *, rest_url: str = ""
    ) -> Access:
        """How to reach the embedded simulator: with its own credentials and values, and the user's other values."""
        self._check_profile(profile)
        values = self.values(venue, None, profile)
        values |= {name: value for name, value in given.items() if name in venue.values}
        sources = {
            name: ConfiguredValue("value", value, "the simulator")
            for name, value in given.items()
            if name in venue.secrets
        }
        return Access(Settings(url=url, label=SIM, values=values, rest_url=rest_url), sources, None)

    def address_by_hand(self, venue: Venue, environment: str | None, profile: str | None) -> ConfiguredValue | None:
        """The address that the user has set, if any."""
        return self._by_hand(venue, environment, profile, "url")

    def rest_address_by_hand(
        self, venue: Venue, environment: str | None, profile: str | None
    ) -> ConfiguredValue | None:
        """The address for HTTP requests that the user has set, if any, of a venue that has such addresses."""
        return self._by_hand(venue, environment, profile, "rest_url") if venue.rest else None

    def any_address_by_hand(self, venue: Venue, environment: str | None, profile: str | None) -> ConfiguredValue | None:
        """One of the venue's addresses that the user has set, if any."""
        return self.address_by_hand(venue, environment, profile) or self.rest_address_by_hand(
            venue, environment, profile
        )

    def _by_hand(self, venue: Venue, environment: str | None, profile: str | None, name: str) -> ConfiguredValue | None:
        return self.find(venue, environment, profile, name) or set_by_variable(venue.name, None, name)

    def address(self, venue: Venue, environment: str | None, profile: str | None) -> tuple[str, str | None]:
        """The venue's address and the label that its records carry.

        Raises:
            UsageError: the venue has no such environment.
            SetupError: there is no address, or none that may be used.
        """
        if environment is not None and environment not in venue.environments:
            known = ", ".join([*venue.environments, *([SIM] if venue.simulator else [])])
            raise UsageError(f'expected one of the environments of {venue.name} ({known}), got "{environment}"')
        by_hand = self.address_by_hand(venue, environment, profile)
        self._check_both(venue, environment, profile)
        if by_hand is not None:
            url = _checked_url(by_hand)
            return url, f"custom:{urlsplit(url).netloc}"
        name = environment or PRODUCTION
        url = venue.environments.get(name, "")
        if not url:
            known = "".join(f", or use --env {other}" for other, its in venue.environments.items() if its)
            raise SetupError(
                f"{venue.name} has no address of its own: set {variable(venue.name, None, 'url')}, "
                f"or url under [venues.{venue.name}] in {self.path}{known}"
            )
        return url, None if name == PRODUCTION else name

    def rest_address(self, venue: Venue, environment: str | None, profile: str | None) -> str:
        """The venue's address for HTTP requests; empty for a venue that has none.

        Raises:
            SetupError: there should be one and is none, or none that may be used.
        """
        if not venue.rest:
            return ""
        self._check_both(venue, environment, profile)
        by_hand = self.rest_address_by_hand(venue, environment, profile)
        if by_hand is not None:
            return _checked_url(by_hand, "http")
        url = venue.rest.get(environment or PRODUCTION, "")
        if not url:
            own = _own(venue, environment)
            raise SetupError(
                f"{venue.name} has no address of its own for HTTP requests: set "
                f"{variable(venue.name, own, 'rest_url')}, or rest_url under [{_table(venue, environment)}] "
                f"in {self.path}"
            )
        return url

    def _check_both(self, venue: Venue, environment: str | None, profile: str | None) -> None:
        """Where a venue has two addresses, both are the user's or both its own: never one of each.

        Raises:
            SetupError: one is set and the other is not.
        """
        if not venue.rest:
            return
        url = self.address_by_hand(venue, environment, profile)
        rest_url = self.rest_address_by_hand(venue, environment, profile)
        if (url is None) == (rest_url is None):
            return
        given, missing = (url, "rest_url") if rest_url is None else (rest_url, "url")
        assert given is not None
        own = _own(venue, environment)
        raise SetupError(
            f"{venue.name} has two addresses, url and rest_url, and only one is set ({given.origin}): set "
            f"{variable(venue.name, own, missing)} too, or {missing} under [{_table(venue, environment)}] "
            f"in {self.path}; or set neither"
        )

    def find(self, venue: Venue, environment: str | None, profile: str | None, name: str) -> ConfiguredValue | None:
        """Where a value comes from; None when it is set nowhere.

        Raises:
            SetupError: a section of the venue has something unknown in it, or of the wrong kind.
        """
        self.check_sections(venue)
        own = _own(venue, environment)
        from_environment = set_by_variable(venue.name, own, name)
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

    def check_sections(self, venue: Venue) -> None:
        """Look through the venue's sections. Those of the built-in venues were looked through when the file was read.

        Raises:
            SetupError: something in them is unknown, or of the wrong kind.
        """
        if venue.name not in self._looked_through:
            check_sections_of(self.path, self.data, venue)
            self._looked_through.add(venue.name)

    def bot_token(self) -> ConfiguredValue | None:
        """Where the token of a bot's own feed and webhooks comes from; None when it is set nowhere."""
        return set_by_variable("bot", None, "token") or self._from_table(self.data.get("bot", {}), "bot", "token")

    def recordings_folder(self) -> Path | None:
        """The folder that the user keeps recordings in; None where none is set.

        Raises:
            SetupError: it is not said as a whole.
        """
        said = str(self.data.get("recordings", {}).get("folder", "")).strip()
        if not said:
            return None
        origin = f"folder under [recordings] in {self.path}"
        folder = expanded(said, origin)
        if not folder.is_absolute():
            raise SetupError(f"expected a folder from / or ~ on as {origin}, such as ~/recordings")
        return folder

    def proxy(self, url: str) -> str | None:
        """The proxy for an address, from the config file or the environment; none for this machine itself.

        Raises:
            SetupError: what is set is no proxy.
        """
        source = None if is_loopback(url) else self.proxy_source(url)
        return None if source is None else _checked_proxy(source)

    def proxy_source(self, url: str) -> ConfiguredValue | None:
        """Where the proxy for an address outside is said; None where there is none."""
        parts = urlsplit(url)
        import urllib.request

        if urllib.request.proxy_bypass(f"{parts.hostname}:{parts.port or 443}"):
            return None
        if "proxy" in self.data:
            by_hand = str(self.data["proxy"]).strip()
            return ConfiguredValue("value", by_hand, f"proxy in {self.path}") if by_hand else None
        proxies = urllib.request.getproxies()
        for kind in ("https", "all"):
            if proxies.get(kind):
                return ConfiguredValue("value", proxies[kind], f"{kind.upper()}_PROXY")
        return None

    def missing_words(self) -> str:
        """Says that `MON_CONFIG` names a file that is not there, and what to do."""
        return (
            f"expected a config file at {self.path}, which MON_CONFIG names, and there is none; "
            f"make it with mon config init, or unset MON_CONFIG"
        )

    def _required(self, venue: Venue, environment: str | None, profile: str | None, name: str) -> ConfiguredValue:
        source = self.find(venue, environment, profile, name)
        if source is None:
            raise self._missing(venue, environment, profile, name)
        return source

    def _missing(self, venue: Venue, environment: str | None, profile: str | None, name: str) -> SetupError:
        own = _own(venue, environment)
        table = _table(venue, environment)
        keys = f"{name}, {name}_file or {name}_command" if name in venue.secrets else name
        by_hand = self.address_by_hand(venue, environment, profile)
        without = f"without {by_hand.origin}, --env {SIM}" if by_hand else f"--env {SIM}"
        or_simulated = f"; {without} needs none" if venue.simulator else ""
        meaning = {**venue.secrets, **venue.values}[name]
        return SetupError(
            f"{venue.name} needs its {name} ({meaning}): set {variable(venue.name, own, name)}, "
            f"or {keys} under [{table}] in {self.path}{or_simulated}"
        )

    def _from_table(self, table: Mapping[str, Any], title: str, name: str) -> ConfiguredValue | None:
        for suffix, kind in KINDS.items():
            if name + suffix in table:
                return ConfiguredValue(kind, table[name + suffix], f"{name}{suffix} under [{title}] in {self.path}")
        return None

    def _check_file(self, profile: str | None) -> None:
        if self.missing:
            raise SetupError(self.missing_words())
        self._check_profile(profile)

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


def check_usable(venue: Venue, name: str, source: ConfiguredValue) -> None:
    """Have the venue look at one value.

    Raises:
        SetupError: it cannot be used; says where it was set.
    """
    try:
        venue.routes((), Settings(url="", values={name: source.value}))
    except SetupError as error:
        raise SetupError(f"{error} ({source.origin})") from None


def config_path() -> Path:
    """Where the config file is: `MON_CONFIG`, or the user's folder for configuration.

    Raises:
        SetupError: the home folder that it is in is not known.
    """
    by_hand = set_value("MON_CONFIG")
    if by_hand:
        return expanded(by_hand, "MON_CONFIG")
    from platformdirs import user_config_path

    return user_config_path("mon") / "config.toml"


def load() -> Config:
    """The configuration; an empty one when there is no file.

    Raises:
        SetupError: the file is not readable, not TOML, can be read by others, or has something unknown in it.
    """
    remember(secrets_set())
    path = config_path()
    try:
        with path.open("rb") as file:
            _refuse_if_open_to_others(path, os.fstat(file.fileno()).st_mode)
            raw = file.read(LONGEST_CONFIG + 1)
    except FileNotFoundError:
        return Config(path, {}, missing=set_value("MON_CONFIG") is not None)
    except OSError as error:
        raise SetupError(f"cannot read the config file {path}: {error.strerror}") from error
    data = _parsed(path, raw)
    for secret in _secrets_in(data):
        remember(dict([secret]))
    check_shape(path, data)
    return Config(path, data)


def _secrets_in(table: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What in a file is a secret, as far as the names tell; whatever else is wrong with it."""
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _secrets_in(value)
        elif isinstance(value, str) and name == "proxy":
            yield from secrets_of_proxy(value).items()
        elif isinstance(value, str) and says_a_secret(name) and not name.endswith(("_file", "_command")):
            yield name, value.strip()


def _refuse_if_open_to_others(path: Path, mode: int) -> None:
    # What is neither a file nor a pipe (/dev/null) is not ours to close.
    private = stat.S_ISREG(mode) or stat.S_ISFIFO(mode)
    if os.name == "posix" and private and mode & 0o077:
        raise SetupError(
            f"expected a config file that only you can read, got one open to others (mode {mode & 0o777:03o}); "
            f"run: chmod 600 {_quoted(path)}"
        )


def _quoted(path: Path) -> str:
    import shlex

    return shlex.quote(str(path))


def _parsed(path: Path, raw: bytes) -> dict[str, Any]:
    if len(raw) > LONGEST_CONFIG:
        raise SetupError(f"expected a config file of at most {LONGEST_CONFIG // 2**20} MiB, got more in {path}")
    for number, line in enumerate(raw.split(b"\n"), start=1):
        if len(line) > LONGEST_LINE:
            words = f"expected lines of at most {LONGEST_LINE:,} bytes in the config file {path}"
            raise SetupError(f"{words}, got {len(line):,} in line {number}")
    import tomllib

    try:
        return tomllib.loads(raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise SetupError(f"expected UTF-8 text in the config file {path}, got other bytes at {error.start}") from None
    except RecursionError:
        raise SetupError(f"the config file {path} is nested too deeply") from None
    except ValueError as error:  # also of numbers with too many digits
        raise SetupError(f"the config file {path} is not TOML: {_without_texts(str(error))}") from None


def _without_texts(words: str) -> str:
    """The words of the parser without what stands in the file, unless it is a plain name: it may be a secret."""
    return re.sub(r"'((?:[^'\\]|\\.)*)'", lambda quoted: quoted[0] if is_plain(quoted[1]) else "…", words)


def _checked_url(source: ConfiguredValue, scheme: str = "ws") -> str:
    """An address of that scheme (`ws` or `http`); the other one of the two is taken for it.

    What came is not said: it may be a secret in the wrong place.

    Raises:
        SetupError: it is anything else.
    """
    text = str(source.value).strip()
    url = re.sub(r"^(http|ws)(s?)://", lambda found: f"{scheme}{found[2].lower()}://", text, flags=re.IGNORECASE)
    parts = _parts(url)
    if parts is None or parts.scheme not in (scheme, f"{scheme}s") or "%" in parts.netloc or "\\" in url or " " in url:
        raise SetupError(f"expected an address such as {scheme}s://host.example as {source.origin}, got something else")
    if "@" in parts.netloc:
        raise SetupError(f"expected an address without user and password as {source.origin}, got one with")
    if parts.query or parts.fragment or url.endswith(("?", "#")):
        raise SetupError(f"expected an address without anything after ? or # as {source.origin}, got one with")
    if parts.scheme == scheme and not is_loopback(url):
        article = "an" if scheme == "http" else "a"
        raise SetupError(
            f"expected {article} {scheme}s:// address as {source.origin} ({scheme}:// is for this machine only), "
            f"got {article} {scheme}:// one"
        )
    return url


def _own(venue: Venue, environment: str | None) -> str | None:
    """The environment where it has values of its own; None for production, and for the simulator."""
    return environment if environment in venue.environments and environment != PRODUCTION else None


def _table(venue: Venue, environment: str | None) -> str:
    own = _own(venue, environment)
    return f"venues.{venue.name}.{own}" if own else f"venues.{venue.name}"


def _checked_proxy(source: ConfiguredValue) -> str:
    """A proxy's address; without a scheme it is an HTTP proxy. What came is not said: it may have a password in it.

    Raises:
        SetupError: it is no address of a proxy.
    """
    text = str(source.value).strip()
    proxy = text if "://" in text else f"http://{text}"
    parts = _parts(proxy)
    if parts is None or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise SetupError(f"expected a proxy such as http://proxy.example:3128 as {source.origin}, got something else")
    import importlib.util

    if parts.scheme.startswith("socks") and importlib.util.find_spec("python_socks") is None:
        raise SetupError(
            f"expected an http:// or https:// proxy as {source.origin}, got a {parts.scheme}:// one, "
            f"which needs the package python-socks beside mon"
        )
    if parts.scheme not in ("http", "https", "socks4", "socks4a", "socks5", "socks5h"):
        raise SetupError(f"expected an http:// or https:// proxy as {source.origin}, got another kind")
    if parts.username is not None and parts.password is None:
        raise SetupError(f"expected a user with a password in the proxy's address as {source.origin}, got none")
    return proxy


def _parts(url: str) -> SplitResult | None:
    """A URL's parts; None when it is no URL that a connection could be made to."""
    if not url.isprintable():
        return None
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        host.encode("idna")  # the socket will do that
        unquote(parts.netloc, errors="strict")
        if "]" in parts.netloc and not re.search(r"(^|@)\[[^]]*\](:[0-9]*)?$", parts.netloc):
            return None  # Python 3.11 takes [::1].evil.example for ::1
        return parts if host and parts.port != 0 else None
    except ValueError:
        return None
