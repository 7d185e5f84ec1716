"""Whether a plug-in's entry, and its simulated endpoint, are what the contract says.

What mypy and tests hold for the venues of this package is looked at here when a plug-in is loaded, so that its mistakes
are told in words, and before anything is opened. What its code gives back later is for `toolkit/guard.py`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from venues.errors import UsageError
from venues.streams import STREAMS, VenueOption
from venues.toolkit.addresses import is_loopback
from venues.toolkit.guard import ContractBroken as ContractBroken
from venues.toolkit.guard import is_a, kind_of
from venues.venue import CONTRACT, BaseVenue, Offer, Venue

PRODUCTION = "production"
LABELS = ("sim", "replay", "custom")  # what records carry as `env` for other reasons
OPTION = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
SETTING = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
LONGEST_ONCE = 86_400  # seconds
MOST_A_SECOND = 10_000  # HTTP requests
WHERE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")

# Every option that `mon` itself has, of any command; a test compares.
OPTIONS_OF_MON = frozenset(
    {
        "append", "bell", "connect", "cooldown", "count", "crit", "dead", "depth", "duration", "env", "every", "exec",
        "exec-parallel", "exec-timeout", "fault", "fee-bps", "fields", "for", "format", "group", "held", "help",
        "history", "interval", "listen", "market", "max-age", "message", "numbers", "on", "once", "out", "outfile",
        "output", "overwrite", "pair", "palette", "port", "price", "profile", "qty", "quiet", "quotes", "rate", "raw",
        "rearm", "record", "relay", "reload", "replay", "report", "retries", "script-time", "seed", "set", "show-env",
        "skip-first", "slippage-bps", "speed", "start", "status", "stdin", "stop-loss", "stop-profit", "strategy",
        "strategy-id", "symbol", "tail", "tape", "template", "timeout", "trades", "trading-type", "tz", "until",
        "verbose", "version", "warn", "where", "yes",
    }
)  # fmt: skip


def check_entry(entry: object, name: str) -> None:
    """Check the object that an entry point leads to; `name` is the entry point's.

    Raises:
        ContractBroken: it is made for another version of the contract, or is not what this one says.
    """
    version = getattr(entry, "contract", None)
    if is_a(version, int) and version != CONTRACT:
        raise ContractBroken(f"it is made for version {version} of the contract of venues, and this mon has {CONTRACT}")
    if isinstance(entry, type):
        raise ContractBroken(f"expected a venue, got the class {entry.__name__}; make one of it: {entry.__name__}()")
    if not isinstance(entry, BaseVenue):
        raise ContractBroken(f"expected a venue made from venues.venue.BaseVenue, got {kind_of(entry)}")
    if not is_a(version, int):
        raise ContractBroken(f"expected the version of the contract, contract = {CONTRACT}, got {kind_of(version)}")
    for needed in ("name", "environments", "streams", "example"):
        if not hasattr(entry, needed):
            raise ContractBroken(f"expected {needed}, which every venue has, got none")
    if entry.name != name:
        raise ContractBroken(f'expected "{name}" as name, as the entry point has it, got {entry.name!r}')
    _check_addresses(entry)
    _check_settings(entry)
    check_options(entry.options, OPTIONS_OF_MON)
    _check_streams(entry)
    _check_rest(entry)


def check_options(options: object, taken: Collection[str]) -> None:
    """Check options that a venue alone has; `taken` are the names of those that `mon` has.

    Raises:
        ContractBroken: as `check_entry`.
    """
    if not isinstance(options, Sequence) or isinstance(options, str | VenueOption):
        raise ContractBroken(f"expected a sequence of VenueOption as options, got {kind_of(options)}")
    for option in options:
        if not isinstance(option, VenueOption):
            raise ContractBroken(f"expected a VenueOption in options, got {kind_of(option)}")
        name = option.name
        if not isinstance(name, str) or len(name) < 2 or not OPTION.fullmatch(name):
            raise ContractBroken(f"expected an option's name such as special-price, without --, got {name!r}")
        if name in taken:
            raise ContractBroken(f"the option --{name} is one that mon itself has; the venue's needs another name")
        for what, text in (("help", option.help), ("takes", option.takes)):
            if not isinstance(text, str) or not text.isprintable():
                raise ContractBroken(f"expected one line of text as {what} of the option {name}, got {kind_of(text)}")
        if not option.help.strip():
            raise ContractBroken(f"expected a help text for the option {name}, got none")
    names = [option.name for option in options]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ContractBroken(f"expected each option once, got {twice} twice")


def check_endpoint(endpoint: object, venue: Venue) -> None:
    """Check the class of a simulated endpoint (`venues.simulator.endpoint.Endpoint`).

    Raises:
        ContractBroken: it is not of that form, or of another venue.
    """
    if not isinstance(endpoint, type):
        raise ContractBroken(f"expected a class as simulator ({venue.simulator}), got {kind_of(endpoint)}")
    for needed in ("name", "scheme", "symbols", "credentials", "sockets", "posts", "services", "values"):
        if not hasattr(endpoint, needed):
            raise ContractBroken(f"expected {needed} in the simulator's class {endpoint.__name__}, got none")
    known: Any = endpoint
    if known.name != venue.name:
        raise ContractBroken(f'expected "{venue.name}" as name of the simulator, got {known.name!r}')
    if known.scheme not in ("ws", "http"):
        raise ContractBroken(f"expected ws or http as scheme of the simulator, got {known.scheme!r}")
    for what in ("symbols", "credentials"):
        _texts(f"{what} of the simulator", getattr(known, what))
    if unknown := known.credentials.keys() - {*venue.secrets, *venue.values}:
        raise ContractBroken(f"expected credentials of the simulator that the venue has, got {min(unknown)}")
    values = known.values(None)
    if not isinstance(values, Mapping) or values.keys() - {*venue.values}:
        raise ContractBroken("expected the venue's values by name from values() of the simulator, got something else")


def _check_addresses(entry: BaseVenue) -> None:
    environments = _texts("environments", entry.environments)
    if not environments:
        raise ContractBroken("expected an environment, such as production, got none")
    for environment in environments:
        if not SETTING.fullmatch(environment) or environment in LABELS:
            raise ContractBroken(f"expected an environment's name such as staging, got {environment!r}")
    rest = _texts("rest", entry.rest)
    if unknown := rest.keys() - environments.keys():
        raise ContractBroken(f"expected environments in rest that environments has too, got {min(unknown)}")
    if rest and (missing := environments.keys() - rest.keys()):
        raise ContractBroken(
            f'expected an address in rest for each environment ("": the user\'s to set), got none for {min(missing)}'
        )
    for address, secure, plain in (
        *((text, "wss", "ws") for text in environments.values()),
        *((text, "https", "http") for text in rest.values()),
    ):
        _check_address(address, secure, plain)


def _check_address(address: str, secure: str, plain: str) -> None:
    """An empty address is the user's to set. One without TLS is for this machine only."""
    if not address:
        return
    try:
        parts = urlsplit(address)
        is_one = bool(parts.hostname) and parts.port != 0 and parts.scheme in (secure, plain)
    except ValueError:
        is_one = False
    if not is_one or set(address) & set(" \\?#@"):
        raise ContractBroken(f"expected an address such as {secure}://host.example, got {address!r}")
    if parts.scheme == plain and not is_loopback(address):
        raise ContractBroken(f"expected a {secure}:// address, got {address!r}: one without TLS is for this machine")


def _check_settings(entry: BaseVenue) -> None:
    secrets, values = _texts("secrets", entry.secrets), _texts("values", entry.values)
    for name in (*secrets, *values):
        if not SETTING.fullmatch(name) or name.endswith(("_file", "_command")) or name in ("url", "rest_url"):
            raise ContractBroken(f"expected the name of a secret or a value, such as api_key, got {name!r}")
    if both := secrets.keys() & values.keys():
        raise ContractBroken(f"expected {min(both)} as a secret or as a value, got both")
    for name in _names("required", entry.required):
        if name not in values:
            raise ContractBroken(f"expected names of values in required, got {name}")
    own = [f"{environment}_" for environment in entry.environments if environment != PRODUCTION]
    for name in (*secrets, *values):
        if name in entry.environments or name.startswith(tuple(own)):
            raise ContractBroken(f"expected names of secrets and values that no environment begins, got {name}")


def _check_streams(entry: BaseVenue) -> None:
    streams = entry.streams
    if not isinstance(streams, Mapping) or not streams:
        raise ContractBroken(f"expected offers by stream as streams, got {kind_of(streams)}")
    declared = {option.name for option in entry.options}
    used: set[str] = set()
    for stream, offer in streams.items():
        if stream not in STREAMS:
            raise ContractBroken(f"expected streams of the contract ({', '.join(STREAMS)}), got {stream!r}")
        if not isinstance(offer, Offer):
            raise ContractBroken(f"expected an Offer for {stream}, got {kind_of(offer)}")
        _check_offer(stream, offer, streams)
        names = set(_names(f"options of {stream}", offer.options))
        if unknown := names - declared - {"interval"}:
            raise ContractBroken(f"expected options of {stream} that the venue's options have, got {min(unknown)}")
        used |= names
    if unused := declared - used:
        raise ContractBroken(f"expected the option {min(unused)} in the offer of a stream, got it in none")


def _check_offer(stream: str, offer: Offer, streams: Mapping[str, Offer]) -> None:
    if not isinstance(offer.source, str) or not offer.source.isprintable():
        raise ContractBroken(f"expected the venue's own name as source of {stream}, got {kind_of(offer.source)}")
    if offer.symbols not in ("none", "one", "many", "any"):
        raise ContractBroken(f"expected none, one, many or any as symbols of {stream}, got {offer.symbols!r}")
    for what in ("partial", "public", "unasked", "complete"):
        if not isinstance(getattr(offer, what), bool):
            raise ContractBroken(f"expected True or False as {what} of {stream}, got {kind_of(getattr(offer, what))}")
    if offer.made_from not in ("", "trades") or (offer.made_from and (stream != "candles" or "trades" not in streams)):
        raise ContractBroken(f"expected candles made from the venue's trades, got {stream} from {offer.made_from!r}")
    if not is_a(offer.once_within, int, float) or not 0 < offer.once_within <= LONGEST_ONCE:
        raise ContractBroken(
            f"expected seconds above 0, at most a day, as once_within of {stream}, got {offer.once_within!r}"
        )


def _check_rest(entry: BaseVenue) -> None:
    a_second = entry.requests_per_second
    if not is_a(a_second, int, float) or not 0 < a_second <= MOST_A_SECOND:
        raise ContractBroken(
            f"expected a number above 0, at most {MOST_A_SECOND:,}, as requests_per_second, got {a_second!r}"
        )
    if not isinstance(entry.simulator, str) or (entry.simulator and not WHERE.fullmatch(entry.simulator)):
        raise ContractBroken(f'expected module:Class as simulator, or "", got {entry.simulator!r}')
    _check_template(entry)
    if entry.commands is not None:
        for needed in ("kinds", "command", "shown"):
            if not hasattr(entry.commands, needed):
                raise ContractBroken(f"expected {needed} in commands, got none")
    _check_example(entry)


def _check_template(entry: BaseVenue) -> None:
    if not isinstance(entry.template, str):
        raise ContractBroken(f"expected text as template, got {kind_of(entry.template)}")
    if entry.template:
        import tomllib

        try:
            tables = tomllib.loads(entry.template)
        except ValueError as error:
            raise ContractBroken(f"expected TOML as template, got something else: {error}") from None
        if [*tables] != ["venues"] or not isinstance(tables["venues"], dict) or [*tables["venues"]] != [entry.name]:
            raise ContractBroken(f"expected only the table [venues.{entry.name}] in template, got others")
        _check_template_table(entry, tables["venues"][entry.name])


def _check_template_table(entry: BaseVenue, table: Any) -> None:
    """What a new config file has of the venue must be what a config file may have of it."""
    ways = {f"{name}{suffix}" for name in entry.secrets for suffix in ("", "_file", "_command")}
    known = {"url", *entry.values, *ways} | ({"rest_url"} if entry.rest else set())
    own = {name for name in entry.environments if name != PRODUCTION}
    for place, keys in [("", table), *((f".{name}", table[name]) for name in own if name in table)]:
        if unknown := set(keys) - known - (set() if place else own):
            raise ContractBroken(
                f"expected known names in template, got {min(unknown)} in [venues.{entry.name}{place}]"
            )


def _check_example(entry: BaseVenue) -> None:
    example = entry.example
    if not isinstance(example, str) or not example.isprintable():
        raise ContractBroken(f"expected a symbol as example, got {kind_of(example)}")
    takes_symbols = any(
        offer.symbols in ("one", "many") and not STREAMS[stream].topics for stream, offer in entry.streams.items()
    )
    if not takes_symbols:
        return
    try:
        entry.check_symbol(example)
    except UsageError as error:
        raise ContractBroken(f"expected an example that check_symbol passes, got {example!r}: {error}") from None


# --- kinds ---------------------------------------------------------------------------------------------------------


def _texts(what: str, value: object) -> Mapping[str, str]:
    """A mapping of texts to texts, each in one line."""
    if not isinstance(value, Mapping):
        raise ContractBroken(f"expected a mapping as {what}, got {kind_of(value)}")
    for text in (*value, *value.values()):
        if not isinstance(text, str) or not text.isprintable():
            raise ContractBroken(f"expected texts of one line in {what}, got {kind_of(text)}")
    return value


def _names(what: str, value: object) -> Collection[str]:
    if isinstance(value, str) or not isinstance(value, Collection):
        raise ContractBroken(f"expected a collection of names as {what}, got {kind_of(value)}")
    for name in value:
        if not isinstance(name, str):
            raise ContractBroken(f"expected names in {what}, got {kind_of(name)}")
    return value
