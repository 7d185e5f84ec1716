"""The contract between a venue and whoever drives it.

A venue is a session without I/O. Bytes and the time go in; records, changes of state and problems come out as one
ordered list; frames to send are taken afterwards; it names the moment at which it must be woken. `venues.driver`
calls it, both for a live socket and for a recording.

The calls of a session, in order: `opening` once, then `opened` once, then any of `receive`, `fetched`, `pong`, `tick`,
`send`; `leave` when we want to go (until `done`); `closed` once. `take` after every call.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from msgspec import Struct

from venues.errors import MonError
from venues.records import Instrument, Record
from venues.streams import STREAMS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from venues.streams import Stream, VenueOption

EVERY_LEVEL = 1_000_000_000  # the depth of a table's subscription: as many levels as the venue has
CONTRACT = 1  # the version of this contract; a package of somebody else's names the one that it was made for


class Now(Struct, frozen=True, gc=False):
    """Two clocks: `mono` in seconds for deadlines and ages, `epoch_ms` (UTC) for records.

    `mono` goes on while the machine sleeps, and setting the other clock does not move it. `heard` and `arriving` are
    set where a deadline or an end makes this moment, not a message: `heard` is when the line's last sign of life came,
    `arriving` when the latest bytes of an unfinished message came. Both are on the clock of `mono`, None without one.
    """

    mono: float
    epoch_ms: int
    heard: float | None = None
    arriving: float | None = None


# --- what a session gives back -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StreamState:
    """The state of one stream as the session sees it. The same state again, with a reason, is a notice about it.

    `symbol`: it is the state of that symbol alone; None: of all symbols of the stream on this route. `ended`: a text,
    set when the venue itself ended the stream; the session asks for it again. `versions` and `condition` are those of
    `Status`.
    """

    stream: str
    state: Literal["syncing", "live", "stale"]
    reason: str = ""
    versions: Literal["growing"] | None = None
    symbol: str | None = None
    ended: str = field(default="", compare=False)
    condition: str = ""


class BadFrame(Struct, frozen=True, omit_defaults=True):
    """A frame, or a part of one, that could not be understood; what came before it in the frame counts.

    `streams`: the streams that the message belonged to; None: any of them. Only the driver reads it, and passes on
    the reason alone.
    """

    reason: str
    streams: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that a person should know and that changes no stream."""

    text: str


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The state of a stream came again, unchanged: what is shown is current.

    `time` is the venue's, in milliseconds. `symbol`: of that one alone; None: of all symbols on this route.
    """

    stream: str
    time: int | None = None
    symbol: str | None = None


@dataclass(frozen=True, slots=True)
class ClockOffset:
    """How many milliseconds the clock of a stream's venue is ahead of ours from here on; 0 where it is not.

    The age of a record is our time + `ms` − the venue's time.
    """

    stream: str
    ms: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The venue refuses us; trying again would not help.

    `stream`: only this one is refused, and the session goes on with the others; None: everything is. `symbol`: only
    this one of the stream is closed, and the others go on. `at_door`: the refusal came before the protocol let us in.
    If it had let us in earlier, the refusal may pass. `symbols`: the refused symbols that `reason` names, each with the
    venue's words; empty where the refusal is not about symbols. `late`: the venue had taken them before.
    """

    reason: str
    stream: str | None = None
    symbol: str | None = None
    at_door: bool = field(default=False, compare=False)
    symbols: Mapping[str, str] = field(default_factory=dict, compare=False)
    late: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Lost:
    """The connection is of no more use. `retry`: another one may work; `after`: wait at least so many seconds first.

    `expired`: the credential has expired; it is fetched anew for one more try. `at_door`: as in `Refused`.
    """

    reason: str
    retry: bool = True
    after: float | None = None
    expired: bool = field(default=False, compare=False)
    at_door: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a command: it was written to the socket, or, later, the venue answered it.

    `acknowledged`: the venue took it and `answered` these JSON values. `refused`: the venue's reason, None if it has
    not refused.
    """

    command: Command
    acknowledged: bool = False
    answered: tuple[Any, ...] = ()
    refused: str | None = None


Item = Record | StreamState | Confirmed | ClockOffset | BadFrame | Notice | Receipt | Refused | Lost


class NotOpened(MonError):
    """Raised from `opening`: after this answer to an `HttpRequest` no connection is made. `problem` says why."""

    def __init__(self, problem: Refused | Lost) -> None:
        super().__init__(problem.reason)
        self.problem = problem


# --- what a session wants done -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SocketPing:
    """Send a WebSocket ping; `pong` is called when its answer comes."""


@dataclass(frozen=True, slots=True)
class Close:
    """Close the connection, once everything taken before it is sent."""

    code: int = 1000
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Fetch:
    """Make an HTTP request beside the WebSocket; `fetched` is called with `id` and its answer, or why there is none.

    `id` is the session's own, another one for each request of a connection. Whoever makes the requests paces them over
    all connections to the venue.
    """

    id: str
    request: HttpRequest


@dataclass(frozen=True, slots=True)
class Veiled:
    """A text frame with a secret in it; `shown` is the text to show and record instead."""

    text: str
    shown: str


Out = str | bytes | Veiled | SocketPing | Close | Fetch


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One HTTP request; `shown` is the URL without secrets.

    It is made before dialling (`opening`), at any time (`Fetch`), or without a connection (`Venue.symbol_list`).
    """

    method: str
    url: str
    shown: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """The answer to an `HttpRequest`, whatever its status; `retry_after` in seconds where the answer has one.

    Before dialling, the body is cut at 1 MiB; later, one of more than 16 MiB is a `NoResponse`. `cookies` are its
    `Set-Cookie` lines as they came. `date_ms` is the time of the answer by the server's clock. Of what was asked before
    dialling a recording has neither, because it has the address that was dialled in the end. The answer to a `Fetch`
    has no cookies.
    """

    status: int
    body: bytes
    retry_after: float | None = None
    cookies: tuple[str, ...] = ()
    date_ms: int | None = None


@dataclass(frozen=True, slots=True)
class NoResponse:
    """No answer came to a `Fetch`; `reason` says why, in words."""

    reason: str


@dataclass(frozen=True, slots=True)
class Dial:
    """Where the WebSocket is opened; `shown` is the URL without secrets."""

    url: str
    shown: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Command:
    """Something to be sent on a user's behalf: the venue's name for it and its fields."""

    name: str
    fields: Mapping[str, Any]


# --- what is asked of a venue --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Subscription:
    """One stream with its symbols and parameters.

    `depth`: levels a side of a book; `EVERY_LEVEL` for a table, which shows as many as fit. `interval`: a candle's
    length, e.g. "1m". `options`: parameters that only this venue has.
    """

    stream: str
    symbols: tuple[str, ...] = ()
    depth: int = 20
    interval: str = "1m"
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Settings:
    """Where a venue is and what is configured for it; no secrets.

    `rest_url` is its address for HTTP requests, empty where the venue has none. `label` is what records carry as `env`
    (None for production). `table` is the table of the config file that has the environment's values, e.g.
    `venues.<name>.staging`, for error texts that say what to set; empty if unknown.
    """

    url: str
    label: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    table: str = ""
    rest_url: str = ""


@dataclass(frozen=True, slots=True)
class Offer:
    """What a venue has for one stream: `source`, its own name for it, and how many `symbols` it takes.

    `many` means one or more. `any` means none or more: symbols are a filter, and without one everything comes. A
    state of many symbols is a set of rows; like that of a keyed stream, its full state ends with a `snapshot_end`.

    `partial`: there is no snapshot, only changes since connecting. `public`: no secret is needed. `options`: what the
    venue is asked with beside the symbol (`interval`, or an option of its own); a recording made with one value cannot
    be played with another. `unasked`: it comes on every connection of the symbol, whatever was subscribed, so a
    recording of one such stream has all of them. `complete`: the venue's document says that its books have every
    level; elsewhere there may be levels beyond the last one that came. `made_from`: the venue has no such stream, and
    `mon` makes it of that other one (candles of `trades`). `once_within`: seconds that `--once` waits for the first
    complete state unless the user says otherwise.
    """

    source: str
    symbols: Literal["none", "one", "many", "any"] = "one"
    partial: bool = False
    public: bool = False
    options: Collection[str] = ()
    unasked: bool = False
    complete: bool = False
    made_from: Literal["", "trades"] = ""
    once_within: float = 30.0


def has_full_states(stream: Stream, offer: Offer) -> bool:
    """Whether each full state of the stream ends with a `snapshot_end`. Books and candles are states one by one."""
    return (stream.keyed or is_row_a_symbol(stream, offer)) and not offer.partial


def is_row_a_symbol(stream: Stream, offer: Offer) -> bool:
    """Whether the state of the stream is a set of rows, one for each symbol that was asked for."""
    return stream.name in ("quotes", "ticker", "watchlist") and offer.symbols == "many"


def symbol_of(subscription: Subscription) -> str | None:
    """The one symbol of a subscription; None where it has none, several, or topics instead."""
    if STREAMS[subscription.stream].topics or len(subscription.symbols) != 1:
        return None
    (symbol,) = subscription.symbols
    return symbol


def has_several(subscription: Subscription) -> bool:
    """Whether it has several symbols: then a status with a symbol is about that one alone. Topics are none."""
    return not STREAMS[subscription.stream].topics and len(subscription.symbols) > 1


@dataclass(frozen=True, slots=True)
class CommandKind:
    """One kind of command: the venue's name for it, and its fields as a mapping from our names to the venue's.

    `subscription` is what the connection subscribes to on which the command is sent.
    """

    name: str
    required: Mapping[str, str]
    optional: Mapping[str, str]
    subscription: Subscription

    @property
    def fields(self) -> dict[str, str]:
        """All fields by our names, the required ones first."""
        return {**self.required, **self.optional}


class Commands(Protocol):
    """What a venue takes on a user's behalf, by kind, e.g. `buy`."""

    kinds: Mapping[str, CommandKind]

    def command(self, kind: str, fields: Mapping[str, Any], *, from_json: bool = False) -> Command:
        """The command of that kind, checked. `fields` are by our names; None: the field was not given.

        `from_json`: the values are JSON values instead of texts, and error texts name fields, not options.

        Raises:
            UsageError: an unknown kind, or a field that is missing, does not apply, or is no good.
        """
        ...

    def shown(self, kind: str, command: Command, url: str) -> str:
        """The text that a user confirms: what is sent, and to which address, without secrets."""
        ...


class Session(Protocol):
    """One connection's worth of protocol. Only `opening` may raise (`NotOpened`, or another `MonError`: try again).

    `stirred`: whether a `receive` since the last `take` may have left something to send, or an earlier deadline. The
    caller then asks for both. True is always right; a session with many messages returns False to save the calls.
    """

    @property
    def stirred(self) -> bool: ...

    def opening(self) -> Generator[HttpRequest, HttpResponse, Dial]:
        """Yields the HTTP requests that the protocol needs first, and returns where to dial."""
        ...

    def opened(self, now: Now) -> list[Item]:
        """To be called once the WebSocket is open: asks for what was subscribed."""
        ...

    def receive(self, frame: bytes, now: Now) -> list[Item]:
        """What one WebSocket message, text or binary, brings: a list, in order, empty if nothing."""
        ...

    def pong(self, now: Now) -> list[Item]:
        """To be called when the answer to the oldest unanswered `SocketPing` comes."""
        ...

    def fetched(self, request: str, answer: HttpResponse | NoResponse, now: Now) -> list[Item]:
        """To be called with the answer to a `Fetch`, or with why there is none; `request` is its `id`."""
        ...

    def deadline(self) -> float | None:
        """The monotonic time at which `tick` is due, in seconds; None: never, as things are."""
        ...

    def tick(self, now: Now) -> list[Item]:
        """To be called once the deadline has passed: does whatever is due."""
        ...

    def send(self, command: Command) -> None:
        """Queues a command of the user's; the next `take` has its frames."""
        ...

    def leave(self, now: Now) -> None:
        """Begins to leave: unsubscribes where the protocol does that. `deadline` bounds how long it takes."""
        ...

    def done(self) -> bool:
        """Whether, after `leave`, the session awaits nothing more from the venue."""
        ...

    def closed(self, code: int | None, reason: str, now: Now) -> list[Item]:
        """To be called once the connection is gone; `code` is the WebSocket close code, None when there was none."""
        ...

    def take(self) -> list[Out]:
        """The frames to send, in order; each is returned once."""
        ...


class Route(Protocol):
    """The subscriptions that share one connection. A line, and what it has learnt, outlives reconnects."""

    subscriptions: Sequence[Subscription]

    def session(self, secrets: Mapping[str, str]) -> Session:
        """Makes the session of a new connection; `secrets` are the venue's, by name."""
        ...

    def refused(self, status: int, body: str) -> Refused | Lost:
        """What an HTTP status means at this venue that came instead of an open WebSocket.

        `body` is an excerpt of the answer that is safe to show, possibly empty.
        """
        ...


class Venue(Protocol):
    """A venue as the registry holds it. `BaseVenue` has what most do not need.

    All `secrets` are needed, except for public streams. `values` are settings that are not secret; those in `required`
    are needed. `environments` are addresses by name; `rest` those for HTTP requests, for a venue that needs them.
    `options` are those that this venue alone has. `requests_per_second`: so many HTTP requests are made at most, over
    all connections. `simulator` names the class of the simulated endpoint as `module:Class`; empty if there is none.
    `template` is the venue's part of a new config file.
    """

    name: str
    environments: Mapping[str, str]
    rest: Mapping[str, str]
    secrets: Mapping[str, str]
    values: Mapping[str, str]
    required: Collection[str]
    streams: Mapping[str, Offer]
    options: Sequence[VenueOption]
    requests_per_second: float
    example: str
    simulator: str
    template: str

    @property
    def commands(self) -> Commands | None:
        """The commands that a user may send to the venue; None where it takes none."""
        ...

    def check_symbol(self, symbol: str) -> None:
        """Raises:
        UsageError: the symbol does not have the venue's form; the text shows the form.
        """
        ...

    def routes(self, subscriptions: Sequence[Subscription], settings: Settings) -> Sequence[Route]:
        """Groups the subscriptions into as few connections as the venue allows.

        Raises:
            UsageError: the venue cannot do what a subscription asks for.
            SetupError: a value of the settings cannot be used.
        """
        ...

    def symbol_list(self, settings: Settings) -> SymbolList | None:
        """How the list of the venue's symbols is had; None where the venue has none.

        Either a generator, which yields HTTP requests, gets their answers, and returns the instruments; or a route
        whose session gives an `Instrument` for each symbol and a `SnapshotEnd` of the stream `symbols` after them.
        """
        ...


SymbolList = Generator[HttpRequest, HttpResponse, Sequence[Instrument]] | Route


class BaseVenue(ABC):
    """What most venues have in common: no secret, no value, no option, no simulator, no command, no list of symbols."""

    name: str
    environments: Mapping[str, str]
    rest: Mapping[str, str] = {}
    secrets: Mapping[str, str] = {}
    values: Mapping[str, str] = {}
    required: Collection[str] = ()
    streams: Mapping[str, Offer]
    options: Sequence[VenueOption] = ()
    requests_per_second = 5.0
    example: str
    simulator = ""
    template = ""

    @property
    def commands(self) -> Commands | None:
        """None: a user sends no commands to the venue."""
        return None

    @abstractmethod
    def check_symbol(self, symbol: str) -> None:
        """Raises:
        UsageError: the symbol does not have the venue's form; the text shows the form.
        """

    @abstractmethod
    def routes(self, subscriptions: Sequence[Subscription], settings: Settings) -> Sequence[Route]:
        """Groups the subscriptions into as few connections as the venue allows; raises as `Venue.routes` does."""

    def symbol_list(self, settings: Settings) -> SymbolList | None:
        """None: the venue has no list of its symbols."""
        return None

    def meant(self, symbol: str) -> Sequence[str]:
        """What a symbol that the venue does not have may mean there, by rules of spelling alone; the likeliest first.

        For the words of an error. Nothing: it follows from no rule.
        """
        return ()


def has_list(venue: Venue) -> bool:
    """Whether the entry says anything of a list of symbols; with some settings there may be none all the same."""
    return getattr(type(venue), "symbol_list", BaseVenue.symbol_list) is not BaseVenue.symbol_list


def without_request(listed: SymbolList) -> Sequence[Instrument] | None:
    """The list where the venue's entry knows it by itself; None where the venue has to be asked."""
    if not isinstance(listed, Generator):
        return None
    try:
        next(listed)
    except StopIteration as stop:
        found: Sequence[Instrument] = stop.value
        return found
    listed.close()
    return None
