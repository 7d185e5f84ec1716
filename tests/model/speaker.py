"""What the venue's side of a protocol is for the model: its truth, and the messages that tell of it.

A speaker is written by the venue's document and knows nothing of the code under test. It keeps what the venue has, each
version of it by number, and says of each message up to which version it tells.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from decimal import Decimal
from random import Random
from typing import Any, ClassVar, NamedTuple

from tests.model.clock import VirtualClock
from venues.venue import HttpRequest, HttpResponse

View = Any  # what the venue has, as something that can be compared: a book's two sides, or figures by key


class Event(NamedTuple):
    """An event that the venue tells of: what tells it apart from all others, and its figures.

    `id` is the venue's where it gives ids; else the number of the telling. `order` is where it belongs.
    """

    id: str
    order: int
    figures: tuple[Any, ...]


class Sent(NamedTuple):
    """One message of the venue's. After it the venue's state is that of `version`, None where it tells of none.

    `full`: it is a whole state. `keys`: the rows that it names. `is_data`: it may be lost, repeated or garbled.
    `answer`: it is the answer to an HTTP request of that id, and no WebSocket message. `pong`: it is a WebSocket pong.
    """

    frame: bytes = b""
    version: int | None = None
    full: bool = False
    keys: tuple[Any, ...] = ()
    events: tuple[Event, ...] = ()
    is_data: bool = False
    answer: tuple[str, HttpResponse] | None = None
    pong: float | None = None
    closes: int | None = None


class Speaker(ABC):
    """One stream of a venue, as the venue speaks it. A subclass says what it can do in `can`:

    - `lose`: a message may be missing, and the protocol lets a client notice that.
    - `late`: a message may come after those that were sent after it; a whole state only with `late whole`.
    - `repeat`: a message may come twice.
    - `restate`: a whole state may come unasked.
    - `garble`: a message may be unreadable.

    What a protocol gives a client no means to notice is not in its `can`.
    """

    venue: str
    stream: str
    symbols: tuple[str, ...] = ()
    depth = 10
    kind = "state"  # or "rows", "partial", "events"
    can: frozenset[str] = frozenset()
    secrets: ClassVar[Mapping[str, str]] = {}
    values: ClassVar[Mapping[str, Any]] = {}
    url = "wss://venue.example"
    rest_url = ""
    beat_every: float | None = None
    clock_may_step = True  # our own; not where nothing else tells when a candle of the venue's begins
    gives_in = False  # several old messages in a row mean that the venue's clock has gone back: so none come in a row
    ids = False  # of events: the venue gives ids, so none may come twice
    says_missing = False  # of events: ids count up by one, so those that are missing are counted

    def __init__(self, clock: VirtualClock, random: Random) -> None:
        self.clock = clock
        self.random = random
        self._stamp = 0
        self.history: list[View] = [self.first()]
        self.connections = 0

    # --- the truth

    def first(self) -> View:
        """What the venue has at the beginning."""
        return None

    @property
    def version(self) -> int:
        """The number of the venue's current state."""
        return len(self.history) - 1

    def stamp(self) -> int:
        """The venue's time in milliseconds; no two are the same."""
        self._stamp = max(self._stamp + 1, self.clock.venue_ms)
        return self._stamp

    # --- what the machine calls

    def connected(self) -> list[Sent]:
        """The WebSocket is open: a new connection begins, and the venue may greet."""
        return []

    def heard(self, text: str) -> list[Sent]:
        """The client sent a text frame."""
        return []

    def fetched(self, request: HttpRequest) -> tuple[HttpResponse, int]:
        """The answer to an HTTP request, and the version that it tells of; most streams have nothing there."""
        return HttpResponse(404, b""), self.version

    def beat(self) -> list[Sent]:
        """What comes every `beat_every` seconds whatever happens."""
        return []

    @abstractmethod
    def change(self) -> list[Sent]:
        """Something happens at the venue: the messages that tell a client that has subscribed."""

    def restate(self) -> list[Sent]:
        """A whole state that nobody asked for."""
        return []

    def expire(self) -> list[Sent]:
        """The venue ends the session; the last message closes the connection."""
        return [Sent(closes=1001)]

    def garbled(self, sent: Sent) -> Sent:
        """A data message that nobody can read; it breaks off in the middle."""
        return sent._replace(frame=sent.frame[: len(sent.frame) // 2])

    # --- how records are compared with the truth

    @abstractmethod
    def shown(self, record: Any) -> tuple[Any, ...]:
        """What a record says: of a state its key and its figures in the form of a view; of an event what
        `Event.figures` has."""

    def truth(self, version: int) -> View:
        """What the venue had in that version, in the form of `view_of`."""
        return self.history[version]

    def delivered(self, sent: Sent) -> None:  # noqa: B027  most streams have nothing to note
        """A readable message has reached the client."""

    def examine(self, record: Any) -> str:
        """In words, what else is wrong with a record; empty for nothing."""
        return ""

    def view_of(self, rows: Mapping[Any, Any]) -> View:
        """What a reader has that was given these rows, in the form of a view."""
        return dict(rows)


class Single(Speaker):
    """A state without keys, such as a ticker."""

    @abstractmethod
    def figures(self, record: Any) -> tuple[Any, ...]:
        """A record's figures, in the form of a view."""

    def shown(self, record: Any) -> tuple[Any, ...]:
        return "", self.figures(record)

    def view_of(self, rows: Mapping[Any, Any]) -> View:
        return rows.get("")


class EventSpeaker(Speaker):
    """A stream of events."""

    kind = "events"
    can = frozenset({"garble"})

    def __init__(self, clock: VirtualClock, random: Random) -> None:
        self.told = 0
        super().__init__(clock, random)

    def happened(self, *figures: Any) -> Event:
        """The next event; the number of its telling tells it apart."""
        self.told += 1
        return Event(str(self.told), self.told, figures)


class TradeSpeaker(EventSpeaker):
    """A stream of trades without ids."""

    stream = "trades"

    def shown(self, record: Any) -> tuple[Any, ...]:
        return record.price, record.size, record.side


def drawn_trade(random: Random) -> tuple[Decimal, Decimal, str]:
    """Price, size and side of any trade."""
    price, size = random.randint(9000, 9999), random.randint(1, 999)
    return Decimal(price) / 100, Decimal(size) / 1000, random.choice(("buy", "sell"))
