"""The contract between a venue and whoever drives it.

A venue is a session without I/O. Bytes and the time go in; records, changes of state and problems come out as one
ordered list; frames to send are taken afterwards; it names the moment at which it must be woken. `venues.driver`
calls it, both for a live socket and for a recording.

The calls of a session, in order: `opening` once, then `opened` once, then any of `receive`, `pong`, `tick`, `send`;
`leave` when we want to go (until `done`); `closed` once. `take` after every call.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from msgspec import Struct

from venues.errors import MonError
from venues.records import Record
from venues.streams import STREAMS

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Mapping, Sequence

    from venues.streams import Stream


class Now(Struct, frozen=True, gc=False):
    """Two clocks: `mono` in seconds for deadlines and ages, `epoch_ms` (UTC) for records.

    `mono` goes on while the machine sleeps, and no step of the other clock moves it. Where it is no message that makes
    this moment (a deadline, an end), `heard` is when the line's last sign of life came, and `arriving` when the latest
    bytes came of a message that is not whole yet; both on the clock of `mono`, None where there is none.
    """

    mono: float
    epoch_ms: int
    heard: float | None = None
    arriving: float | None = None


# --- what a session gives back -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StreamState:
    """The state of one stream as the session sees it; said again with a reason, it is a notice about the stream.

    `ended`: in words, that the venue itself ended the stream, which the session asks for anew. `versions`: as `Status`
    has it.
    """

    stream: str
    state: Literal["syncing", "live", "stale"]
    reason: str = ""
    versions: Literal["growing"] | None = None
    ended: str = field(default="", compare=False)


class BadFrame(Struct, frozen=True, omit_defaults=True):
    """A frame, or a part of one, that could not be understood; what came before it in the frame counts.

    `streams`: those that it was a message of; None: it may have been of any. For the driver, which gives on the
    reason alone.
    """

    reason: str
    streams: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that a person should know and that changes no stream."""

    text: str


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The state of a stream came again, unchanged: what is shown is as fresh as this. `time` is the venue's."""

    stream: str
    time: int | None = None


@dataclass(frozen=True, slots=True)
class ClockOffset:
    """How far a stream's venue is ahead of our clock, in milliseconds, from here on; 0 where it is not. Ages are
    computed with it taken out: our time + `ms` − the venue's time."""

    stream: str
    ms: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The venue refuses us; trying again would not help.

    `stream`: that one alone, of which the session tells no more while it serves the others on. `at_door`: before the
    protocol let us in, which may pass where it did let us in once.
    """

    reason: str
    stream: str | None = None
    at_door: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Lost:
    """The connection is of no more use. `retry`: another may be; `after`: not before so many seconds.

    `expired`: with the credential fetched anew, of which there is one more try. `at_door`: as in `Refused`.
    """

    reason: str
    retry: bool = True
    after: float | None = None
    expired: bool = field(default=False, compare=False)
    at_door: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a command: it reached the venue's socket, or, later, the venue said something about it.

    `acknowledged` with what the venue `answered` (any JSON values); `refused` with its words.
    """

    command: Command
    acknowledged: bool = False
    answered: tuple[Any, ...] = ()
    refused: str | None = None


Item = Record | StreamState | Confirmed | ClockOffset | BadFrame | Notice | Receipt | Refused | Lost


class NotOpened(MonError):
    """What an answer to an `HttpRequest` means for the connection that was to be made."""

    def __init__(self, problem: Refused | Lost) -> None:
        super().__init__(problem.reason)
        self.problem = problem


# --- what a session wants done -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SocketPing:
    """Send a WebSocket ping; `pong` is called when its answer is here."""


@dataclass(frozen=True, slots=True)
class Close:
    """Close the connection, after what was taken before it is sent."""

    code: int = 1000
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Veiled:
    """A text frame with a secret in it; `shown` is what is shown and kept in its place."""

    text: str
    shown: str


Out = str | bytes | Veiled | SocketPing | Close


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One HTTP request to be made before dialling; `shown` is the URL without secrets."""

    method: str
    url: str
    shown: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """The answer to an `HttpRequest`; the body is cut at 1 MiB, `retry_after` in seconds where the answer has one.

    `cookies` are its `Set-Cookie` lines as they came, `date_ms` is when it was answered, by the server's clock. A
    recording has neither: where they lead is in it.
    """

    status: int
    body: bytes
    retry_after: float | None = None
    cookies: tuple[str, ...] = ()
    date_ms: int | None = None


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

    `depth`: levels a side of a book. `interval`: a candle's length, e.g. "1m". `options`: parameters that only this
    venue has.
    """

    stream: str
    symbols: tuple[str, ...] = ()
    depth: int = 20
    interval: str = "1m"
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Settings:
    """Where a venue is and what is configured for it; no secrets.

    `label` is what records carry as `env` (None for production). `table`: where in the config file the environment's
    values are, e.g. `venues.<name>.staging`, for words that say what to set; empty where that is not known.
    """

    url: str
    label: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    table: str = ""


@dataclass(frozen=True, slots=True)
class Offer:
    """What a venue has for one stream: its own name for the source, how many symbols it takes.

    `many` are one or more, `any` are none or more: a filter, and without one everything comes. What takes many symbols
    is a set of rows, whose full state ends with a `snapshot_end` as that of a keyed stream does.

    `partial`: there is no snapshot, only changes since connecting. `public`: no secret is needed. `options`: what the
    venue is asked with beside the symbol (`interval`, or an option of its own), so that a recording made with one
    value cannot be played with another. `unasked`: it comes on every connection of the symbol, whatever was subscribed,
    so a recording of one such stream holds all of them. `complete`: by the venue's document its books have every level
    there is; elsewhere some may lie beyond the last one that came.
    """

    source: str
    symbols: Literal["none", "one", "many", "any"] = "one"
    partial: bool = False
    public: bool = False
    options: Collection[str] = ()
    unasked: bool = False
    complete: bool = False


def has_full_states(stream: Stream, offer: Offer) -> bool:
    """Whether a `snapshot_end` tells when everything is there."""
    return (stream.keyed or (stream.kind == "state" and offer.symbols == "many")) and not offer.partial


def symbol_of(subscription: Subscription) -> str | None:
    """The symbol that all of a subscription is about; None where it has several, or topics instead."""
    if STREAMS[subscription.stream].topics or len(subscription.symbols) != 1:
        return None
    return subscription.symbols[0]


@dataclass(frozen=True, slots=True)
class CommandKind:
    """One kind of command: the venue's name for it, and its fields, ours with the venue's names for them.

    `subscription` is what the connection is asked for on which it goes out.
    """

    name: str
    required: Mapping[str, str]
    optional: Mapping[str, str]
    subscription: Subscription

    @property
    def fields(self) -> dict[str, str]:
        """All fields, the required ones first."""
        return {**self.required, **self.optional}


class Commands(Protocol):
    """What a venue takes on a user's behalf, by kind, e.g. `buy`."""

    kinds: Mapping[str, CommandKind]

    def command(self, kind: str, fields: Mapping[str, Any], *, from_json: bool = False) -> Command:
        """The command of that kind, checked; `fields` under our names, None for those that were not given.

        `from_json`: the values have types, and messages name fields as they are, not as options.

        Raises:
            UsageError: an unknown kind, or a field that is missing, does not apply, or is no good.
        """
        ...

    def shown(self, kind: str, command: Command, url: str) -> str:
        """What a user confirms: what goes where, and what is sent, without secrets."""
        ...


class Session(Protocol):
    """One connection's worth of protocol. Only `opening` may raise (`NotOpened`, or another `MonError`: try again).

    `stirred`: whether since `take` a `receive` may have left something to send or a sooner deadline, so that both are
    to be asked for. True is always right; a session on the hot path says when it is not.
    """

    @property
    def stirred(self) -> bool: ...

    def opening(self) -> Generator[HttpRequest, HttpResponse, Dial]:
        """HTTP requests where the protocol needs them first, then where to dial."""
        ...

    def opened(self, now: Now) -> list[Item]:
        """The WebSocket is open."""
        ...

    def receive(self, frame: bytes, now: Now) -> list[Item]:
        """One WebSocket message, text or binary."""
        ...

    def pong(self, now: Now) -> list[Item]:
        """The answer to the oldest unanswered `SocketPing`."""
        ...

    def deadline(self) -> float | None:
        """The monotonic time at which `tick` is due."""
        ...

    def tick(self, now: Now) -> list[Item]:
        """The deadline has passed."""
        ...

    def send(self, command: Command) -> None:
        """Send something on a user's behalf."""
        ...

    def leave(self, now: Now) -> None:
        """We want to go: unsubscribe where the protocol does that; bounded by `deadline`."""
        ...

    def done(self) -> bool:
        """After `leave`: nothing more is awaited."""
        ...

    def closed(self, code: int | None, reason: str, now: Now) -> list[Item]:
        """The connection is gone; `code` is the WebSocket close code, None when there was none."""
        ...

    def take(self) -> list[Out]:
        """What is to be sent, in order; forgotten once taken."""
        ...


class Route(Protocol):
    """One socket's worth of subscriptions, the `line` of a recording's events.

    It outlives reconnects, and so does what it has learnt about the venue.
    """

    subscriptions: Sequence[Subscription]

    def session(self, secrets: Mapping[str, str]) -> Session:
        """A session for a new connection."""
        ...

    def refused(self, status: int, body: str) -> Refused | Lost:
        """What an HTTP status instead of an open WebSocket means at this venue; `body` is a harmless excerpt."""
        ...


class Venue(Protocol):
    """A venue as the registry holds it.

    `secrets` are all needed, but not by streams that are public; of the `values`, which are no secrets, those that are
    `required`. `simulator` says where its simulated endpoint is, as `module:Class`, empty where it has none; `template`
    is its part of a new config file.
    """

    name: str
    environments: Mapping[str, str]
    secrets: Mapping[str, str]
    values: Mapping[str, str]
    required: Collection[str]
    streams: Mapping[str, Offer]
    example: str
    simulator: str
    template: str

    @property
    def commands(self) -> Commands | None:
        """What may be sent to it on a user's behalf; None where it takes nothing."""
        ...

    def check_symbol(self, symbol: str) -> None:
        """Raises:
        UsageError: the symbol does not have the venue's form; the text shows the form.
        """
        ...

    def routes(self, subscriptions: Sequence[Subscription], settings: Settings) -> list[Route]:
        """As few connections as the venue allows for these subscriptions.

        Raises:
            UsageError: the venue cannot do what a subscription asks for.
            SetupError: a value of the settings cannot be used.
        """
        ...
