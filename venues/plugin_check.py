"""Whether a plug-in's entry, its simulated endpoint, and what its code gives back are what the contract says.

What mypy and tests hold for the venues of this package is looked at here: the entry when the plug-in is loaded, before
anything is opened; the items of its sessions as they come. So its mistakes are told in words, and whose they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Generator, Hashable, Mapping, Sequence
from decimal import Decimal
from functools import cache
from types import UnionType
from typing import TYPE_CHECKING, Any, Literal, Union, cast, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

from venues.errors import MonError, SetupError, UsageError
from venues.records import RECORD_TYPES, Book, Candle, Level, Quote, Record, SnapshotEnd, Ticker, Trade
from venues.streams import STREAMS, VenueOption
from venues.toolkit.addresses import is_loopback
from venues.venue import (
    CONTRACT,
    BadFrame,
    BaseVenue,
    ClockOffset,
    Close,
    Confirmed,
    Dial,
    Fetch,
    HttpRequest,
    Lost,
    Notice,
    Offer,
    Receipt,
    Refused,
    SocketPing,
    StreamState,
    Veiled,
    Venue,
)

if TYPE_CHECKING:
    from venues.venue import Command, HttpResponse, Item, NoResponse, Now, Out, Route, Session, Settings, Subscription

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
        "append", "connect", "count", "depth", "duration", "env", "every", "fault", "group", "help", "history",
        "interval", "listen", "market", "max-age", "message", "numbers", "once", "out", "output", "overwrite",
        "pair", "palette", "port", "price", "profile", "qty", "quiet", "quotes", "rate", "raw", "record", "relay",
        "replay", "retries", "seed", "show-env", "speed", "start", "status", "stdin", "stop-loss", "stop-profit",
        "strategy", "strategy-id", "symbol", "tail", "tape", "timeout", "trades", "trading-type", "tz", "verbose",
        "version", "yes",
    }
)  # fmt: skip


class ContractBroken(Exception):
    """Something is not what the contract says; the text says what was expected, and what came.

    `venue`: whose code it came from, while it was used; empty while it is loaded.
    """

    def __init__(self, words: str, *, venue: str = "") -> None:
        super().__init__(words)
        self.venue = venue


def check_entry(entry: object, name: str) -> None:
    """Check the object that an entry point leads to; `name` is the entry point's.

    Raises:
        ContractBroken: it is made for another version of the contract, or is not what this one says.
    """
    version = getattr(entry, "contract", None)
    if _is(version, int) and version != CONTRACT:
        raise ContractBroken(f"it is made for version {version} of the contract of venues, and this mon has {CONTRACT}")
    if isinstance(entry, type):
        raise ContractBroken(f"expected a venue, got the class {entry.__name__}; make one of it: {entry.__name__}()")
    if not isinstance(entry, BaseVenue):
        raise ContractBroken(f"expected a venue made from venues.venue.BaseVenue, got {_kind(entry)}")
    if not _is(version, int):
        raise ContractBroken(f"expected the version of the contract, contract = {CONTRACT}, got {_kind(version)}")
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
        raise ContractBroken(f"expected a sequence of VenueOption as options, got {_kind(options)}")
    for option in options:
        if not isinstance(option, VenueOption):
            raise ContractBroken(f"expected a VenueOption in options, got {_kind(option)}")
        name = option.name
        if not isinstance(name, str) or len(name) < 2 or not OPTION.fullmatch(name):
            raise ContractBroken(f"expected an option's name such as special-price, without --, got {name!r}")
        if name in taken:
            raise ContractBroken(f"the option --{name} is one that mon itself has; the venue's needs another name")
        for what, text in (("help", option.help), ("takes", option.takes)):
            if not isinstance(text, str) or not text.isprintable():
                raise ContractBroken(f"expected one line of text as {what} of the option {name}, got {_kind(text)}")
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
        raise ContractBroken(f"expected a class as simulator ({venue.simulator}), got {_kind(endpoint)}")
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
        raise ContractBroken(f"expected offers by stream as streams, got {_kind(streams)}")
    declared = {option.name for option in entry.options}
    used: set[str] = set()
    for stream, offer in streams.items():
        if stream not in STREAMS:
            raise ContractBroken(f"expected streams of the contract ({', '.join(STREAMS)}), got {stream!r}")
        if not isinstance(offer, Offer):
            raise ContractBroken(f"expected an Offer for {stream}, got {_kind(offer)}")
        _check_offer(stream, offer, streams)
        names = set(_names(f"options of {stream}", offer.options))
        if unknown := names - declared - {"interval"}:
            raise ContractBroken(f"expected options of {stream} that the venue's options have, got {min(unknown)}")
        used |= names
    if unused := declared - used:
        raise ContractBroken(f"expected the option {min(unused)} in the offer of a stream, got it in none")


def _check_offer(stream: str, offer: Offer, streams: Mapping[str, Offer]) -> None:
    if not isinstance(offer.source, str) or not offer.source.isprintable():
        raise ContractBroken(f"expected the venue's own name as source of {stream}, got {_kind(offer.source)}")
    if offer.symbols not in ("none", "one", "many", "any"):
        raise ContractBroken(f"expected none, one, many or any as symbols of {stream}, got {offer.symbols!r}")
    for what in ("partial", "public", "unasked", "complete"):
        if not isinstance(getattr(offer, what), bool):
            raise ContractBroken(f"expected True or False as {what} of {stream}, got {_kind(getattr(offer, what))}")
    if offer.made_from not in ("", "trades") or (offer.made_from and (stream != "candles" or "trades" not in streams)):
        raise ContractBroken(f"expected candles made from the venue's trades, got {stream} from {offer.made_from!r}")
    if not _is(offer.once_within, int, float) or not 0 < offer.once_within <= LONGEST_ONCE:
        raise ContractBroken(
            f"expected seconds above 0, at most a day, as once_within of {stream}, got {offer.once_within!r}"
        )


def _check_rest(entry: BaseVenue) -> None:
    a_second = entry.requests_per_second
    if not _is(a_second, int, float) or not 0 < a_second <= MOST_A_SECOND:
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
        raise ContractBroken(f"expected text as template, got {_kind(entry.template)}")
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
        raise ContractBroken(f"expected a symbol as example, got {_kind(example)}")
    takes_symbols = any(
        offer.symbols in ("one", "many") and not STREAMS[stream].topics for stream, offer in entry.streams.items()
    )
    if not takes_symbols:
        return
    try:
        entry.check_symbol(example)
    except UsageError as error:
        raise ContractBroken(f"expected an example that check_symbol passes, got {example!r}: {error}") from None


# --- what its code gives back, while it is used --------------------------------------------------------------------


class _Guard:
    """Calls of a plug-in's code, checked: what it must not raise or give back is a `ContractBroken` of its venue."""

    def __init__(self, venue: str) -> None:
        self.venue = venue

    def broken(self, words: str) -> ContractBroken:
        """The error of this venue."""
        return ContractBroken(words, venue=self.venue)

    def raised(self, what: str, error: BaseException) -> BaseException:
        """What is raised for an exception of the plug-in's code.

        One that would be taken for something else is told of: the end of mon, a reader that is gone, a wrong option.
        """
        if isinstance(error, Exception) and not isinstance(error, MonError | OSError | StopIteration):
            return error
        return self.broken(f"{what} must not raise {type(error).__name__}" + (f": {error}" if str(error) else ""))


class GuardedRoute(_Guard):
    """A route of a plug-in's venue."""

    def __init__(self, route: Any, venue: Venue) -> None:
        super().__init__(venue.name)
        self._route = route
        self.subscriptions: Sequence[Subscription] = route.subscriptions
        self._streams = [*dict.fromkeys(one.stream for one in self.subscriptions)]
        unasked = {name for name, offer in venue.streams.items() if offer.unasked}
        self._records = frozenset({*(STREAMS[name].record for name in {*self._streams, *unasked}), SnapshotEnd})
        self._symbols = _symbols_of(self.subscriptions)

    def session(self, secrets: Mapping[str, str]) -> Session:
        """Makes the session of a new connection."""
        try:
            session = self._route.session(secrets)
        except BaseException as error:
            raise self.raised("session", error) from error
        for needed in ("opening", "opened", "receive", "pong", "fetched", "deadline", "tick", "take", "closed"):
            if not callable(getattr(session, needed, None)):
                raise self.broken(f"expected a session from session, got {_kind(session)} without {needed}")
        return GuardedSession(session, self)

    def refused(self, status: int, body: str) -> Refused | Lost:
        """What an HTTP status means at the venue."""
        try:
            problem = self._route.refused(status, body)
        except BaseException as error:
            raise self.raised("refused", error) from error
        if not isinstance(problem, Refused | Lost):
            raise self.broken(f"expected a Refused or a Lost from refused, got {_kind(problem)}")
        return problem

    def misplaced(self, item: Any) -> str:
        """What is wrong with where an item of a session says that it belongs; empty if nothing."""
        kind = type(item).__name__
        if isinstance(item, Record):
            if item.venue != self.venue:
                return f"a {kind} of the venue {item.venue!r}"
            if item.__class__ not in self._records:
                return f"a {kind}, which none of the streams that were asked for ({', '.join(self._streams)}) has"
            symbols = self._symbols.get(item.__class__)
            if symbols is not None and item.symbol not in symbols:
                return f"a {kind} of the symbol {item.symbol!r}, which was not asked for"
            return ""
        stream = item.stream if isinstance(item, StreamState | Confirmed | ClockOffset | Refused) else None
        if stream is not None and stream not in self._streams:
            return f"a {kind} of the stream {stream!r}, which was not asked for"
        return ""


class GuardedSession(_Guard):
    """A session of a plug-in's venue."""

    def __init__(self, session: Any, route: GuardedRoute) -> None:
        super().__init__(route.venue)
        self._session = session
        self._receive = session.receive
        self._route = route

    @property
    def stirred(self) -> bool:
        """As the session says; true where it does not."""
        return bool(getattr(self._session, "stirred", True))

    def opening(self) -> Generator[HttpRequest, HttpResponse, Dial]:
        """Yields what the session yields; only this may end with an error of ours."""
        try:
            opening = self._session.opening()
            if not isinstance(opening, Generator):
                raise self.broken(f"expected a generator from opening, got {_kind(opening)}")
            request = next(opening)
            while True:
                if not isinstance(request, HttpRequest):
                    raise self.broken(f"expected opening to yield an HttpRequest, got {_kind(request)}")
                request = opening.send((yield request))
        except StopIteration as stop:
            if not isinstance(stop.value, Dial):
                raise self.broken(f"expected a Dial from opening, got {_kind(stop.value)}") from None
            return stop.value
        except (MonError, GeneratorExit):
            raise
        except BaseException as error:
            raise self.raised("opening", error) from error

    def opened(self, now: Now) -> list[Item]:
        """To be called once the WebSocket is open."""
        return self._items("opened", self._session.opened, now)

    def receive(self, frame: bytes, now: Now) -> list[Item]:
        """What one WebSocket message brings."""
        return self._items("receive", self._receive, frame, now)

    def pong(self, now: Now) -> list[Item]:
        """To be called when the answer to a `SocketPing` comes."""
        return self._items("pong", self._session.pong, now)

    def fetched(self, request: str, answer: HttpResponse | NoResponse, now: Now) -> list[Item]:
        """To be called with the answer to a `Fetch`."""
        return self._items("fetched", self._session.fetched, request, answer, now)

    def tick(self, now: Now) -> list[Item]:
        """To be called once the deadline has passed."""
        return self._items("tick", self._session.tick, now)

    def closed(self, code: int | None, reason: str, now: Now) -> list[Item]:
        """To be called once the connection is gone."""
        return self._items("closed", self._session.closed, code, reason, now)

    def deadline(self) -> float | None:
        """When `tick` is due."""
        due = self._called("deadline", self._session.deadline)
        if due is not None and not (_is(due, int, float) and due == due):
            raise self.broken(f"expected seconds from deadline, or None, got {_kind(due)}")
        return due  # type: ignore[no-any-return]

    def send(self, command: Command) -> None:
        """Queues a command of the user's."""
        self._session.send(command)

    def leave(self, now: Now) -> None:
        """Begins to leave."""
        self._called("leave", self._session.leave, now)

    def done(self) -> bool:
        """Whether nothing more is awaited."""
        return bool(self._called("done", self._session.done))

    def take(self) -> list[Out]:
        """The frames to send."""
        taken = self._listed("take", self._called("take", self._session.take))
        for out in taken:
            if not isinstance(out, str | bytes | Veiled | SocketPing | Close | Fetch):
                raise self.broken(f"expected frames from take, or another Out, got {_kind(out)}")
        return taken

    def _called(self, what: str, call: Callable[..., Any], *given: Any) -> Any:
        try:
            return call(*given)
        except BaseException as error:
            raise self.raised(what, error) from error

    def _listed(self, what: str, found: Any) -> list[Any]:
        if not isinstance(found, list | tuple):
            raise self.broken(f"expected a list from {what}, got {_kind(found)}")
        return [*found]

    def _items(self, what: str, call: Callable[..., Any], *given: Any) -> list[Item]:
        items = self._called(what, call, *given)
        if items.__class__ is not list:
            items = self._listed(what, items)
        for item in items:
            if problem := problem_of(item) or self._route.misplaced(item):
                raise self.broken(f"{what} gave {problem}")
        return items


def guarded_routes(venue: Venue, subscriptions: Sequence[Subscription], settings: Settings) -> list[Route]:
    """The routes that a plug-in's venue gives, each checked whenever it is used.

    Raises:
        ContractBroken: they are none.
        UsageError, SetupError: as `Venue.routes`.
    """
    guard = _Guard(venue.name)
    try:
        routes: Any = venue.routes(subscriptions, settings)
    except (UsageError, SetupError):
        raise
    except BaseException as error:
        raise guard.raised("routes", error) from error
    if not isinstance(routes, Sequence) or isinstance(routes, str | bytes):
        raise guard.broken(f"expected a sequence of routes from routes, got {_kind(routes)}")
    for route in routes:
        for needed in ("subscriptions", "session", "refused"):
            if not hasattr(route, needed):
                raise guard.broken(f"expected routes with {needed} from routes, got {_kind(route)} without")
    asked = {(one.stream, symbol) for one in subscriptions for symbol in one.symbols or ("",)}
    given = {(one.stream, symbol) for route in routes for one in route.subscriptions for symbol in one.symbols or ("",)}
    if missing := asked - given:
        raise guard.broken(f"expected a route for each subscription from routes, got none for {' '.join(min(missing))}")
    return [GuardedRoute(route, venue) for route in routes]


def _symbols_of(subscriptions: Sequence[Subscription]) -> Mapping[type[Record], Collection[str]]:
    """The symbols of which market data may come, by the records that carry it; none where there are no symbols."""
    found: dict[type[Record], set[str]] = {}
    for one in subscriptions:
        record = STREAMS[one.stream].record
        if record in (Book, Trade, Quote, Ticker, Candle) and one.symbols:
            found.setdefault(record, set()).update(one.symbols)
    return found


def problem_of(item: Any) -> str:
    """What is wrong with one item of a session, in words; empty if nothing. A record's figures are `Decimal`."""
    tests = _tests_of(cast("Hashable", item.__class__))
    if tests is None:
        return f"{_kind(item)}, which is no item"
    for name, test, expected in tests:
        value = getattr(item, name)
        if not test(value):
            got = "others in it" if isinstance(value, list) else _kind(value)
            return f"{_kind(item)} with a bad {name}: expected {expected}, got {got}"
    return ""


@cache
def _tests_of(kind: Any) -> Sequence[tuple[str, Callable[[Any], bool], str]] | None:
    """The fields of a record or another item with what tests their values, by their annotations; None: it is none."""
    if kind not in RECORD_TYPES | {StreamState, Confirmed, ClockOffset, BadFrame, Notice, Receipt, Refused, Lost}:
        return None
    hints = get_type_hints(kind, localns={"Mapping": Mapping})
    return [(name, _test_of(hint), _in_words(hint)) for name, hint in hints.items() if hint is not Any]


def _in_words(hint: Any) -> str:
    """An annotation as it is written, without modules; of a number, that it is finite."""
    words = hint.__name__ if isinstance(hint, type) and not get_args(hint) else re.sub(r"\b[a-z_]\w*\.", "", str(hint))
    return words.replace("Decimal", "finite Decimal").replace("[Level]", "[Level], of finite Decimals")


def _test_of(hint: Any) -> Callable[[Any], bool]:
    """What tests a value of that annotation. Numbers must be finite; what is in a mapping is not looked at."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        first, *others = [_test_of(one) for one in inner if one is not type(None)]
        if type(None) not in inner:
            return lambda value: first(value) or any(test(value) for test in others)
        return lambda value: value is None or first(value) or any(test(value) for test in others)
    if origin is Literal:
        return lambda value: isinstance(value, str) and value in inner
    if origin is list:
        if inner[0] is Level:
            return _are_levels
        test = _test_of(inner[0])
        return lambda value: value.__class__ is list and all(map(test, value))
    if origin is tuple:
        return lambda value: isinstance(value, tuple)
    if hint is Decimal:
        return lambda value: value.__class__ is Decimal and value.is_finite()
    if hint in (int, float):
        return lambda value: _is(value, int, hint) and value - value == 0
    kind = origin or hint
    return lambda value: isinstance(value, kind)


def _are_levels(value: Any) -> bool:
    """Whether it is a list of levels; they are many, so this is as quick as it can be."""
    if value.__class__ is not list:
        return False
    for level in value:
        if level.__class__ is not Level:
            return False
        price, size = level.price, level.size
        if price.__class__ is not Decimal or size.__class__ is not Decimal:
            return False
        if not (price.is_finite() and size.is_finite()):
            return False
        if level.orders is not None and level.orders.__class__ is not int:
            return False
        if level.total is not None and level.total.__class__ is not Decimal:
            return False
    return True


# --- kinds ---------------------------------------------------------------------------------------------------------


def _texts(what: str, value: object) -> Mapping[str, str]:
    """A mapping of texts to texts, each in one line."""
    if not isinstance(value, Mapping):
        raise ContractBroken(f"expected a mapping as {what}, got {_kind(value)}")
    for text in (*value, *value.values()):
        if not isinstance(text, str) or not text.isprintable():
            raise ContractBroken(f"expected texts of one line in {what}, got {_kind(text)}")
    return value


def _names(what: str, value: object) -> Collection[str]:
    if isinstance(value, str) or not isinstance(value, Collection):
        raise ContractBroken(f"expected a collection of names as {what}, got {_kind(value)}")
    for name in value:
        if not isinstance(name, str):
            raise ContractBroken(f"expected names in {what}, got {_kind(name)}")
    return value


def _is(value: object, *kinds: type) -> bool:
    return isinstance(value, kinds) and not isinstance(value, bool)


def _kind(value: object) -> str:
    """The kind of a wrong value, in words; never the value itself."""
    if value is None:
        return "none"
    name = type(value).__name__
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"
