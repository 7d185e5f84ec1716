"""What the code of a plug-in gives back while it is used, checked: whatever is wrong with it is its venue's fault.

The code of the venues of this package is checked by mypy and by tests instead, and is called without a guard. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Generator, Hashable, Mapping, Sequence
from decimal import Decimal
from functools import cache
from types import UnionType
from typing import TYPE_CHECKING, Any, Literal, Union, cast, get_args, get_origin, get_type_hints

from venues.errors import MonError, SetupError, UsageError
from venues.records import RECORD_TYPES, Instrument, Level, Record, SnapshotEnd
from venues.streams import STREAMS
from venues.venue import (
    BadFrame,
    ClockOffset,
    Close,
    Confirmed,
    Dial,
    Fetch,
    HttpRequest,
    Lost,
    Notice,
    Receipt,
    Refused,
    SocketPing,
    StreamState,
    Subscription,
    Veiled,
)

if TYPE_CHECKING:
    from venues.venue import (
        Command,
        HttpResponse,
        Item,
        NoResponse,
        Now,
        Out,
        Route,
        Session,
        Settings,
        Venue,
    )


class ContractBroken(Exception):
    """Something is not what the contract says; the text says what was expected, and what came.

    `venue`: whose code it came from, while it was used; empty while it is loaded.
    """

    def __init__(self, words: str, *, venue: str = "") -> None:
        super().__init__(words)
        self.venue = venue


class _Guard:
    """Calls of a plug-in's code, checked: what it must not raise or give back is a `ContractBroken` of its venue."""

    def __init__(self, venue: str) -> None:
        self.venue = venue

    def broken(self, words: str) -> ContractBroken:
        """The error of this venue."""
        return ContractBroken(words, venue=self.venue)

    def raised(self, what: str, error: BaseException) -> ContractBroken | None:
        """What is raised in the place of an exception of the plug-in's code that would be taken for something else:
        the end of mon, a reader that is gone, a wrong option. None for any other."""
        if isinstance(error, Exception) and not isinstance(error, MonError | OSError | StopIteration):
            return None
        return self.broken(f"{what} must not raise {type(error).__name__}" + (f": {error}" if str(error) else ""))


_SESSION = (
    *("opening", "opened", "receive", "pong", "fetched", "deadline", "tick", "take"),
    *("send", "leave", "done", "closed"),
)


class GuardedRoute(_Guard):
    """A route of a plug-in's venue."""

    def __init__(self, route: Any, venue: Venue) -> None:
        super().__init__(venue.name)
        for one in route.subscriptions:
            if not isinstance(one, Subscription) or one.stream not in venue.streams:
                raise self.broken(f"expected routes of subscriptions that were asked for, got one of {kind_of(one)}")
        self._route = route
        self.subscriptions: Sequence[Subscription] = route.subscriptions
        self._streams = [*dict.fromkeys(one.stream for one in self.subscriptions)]
        unasked = {name for name, offer in venue.streams.items() if offer.unasked}
        self._records = frozenset({*(STREAMS[name].record for name in {*self._streams, *unasked}), SnapshotEnd})
        if not self._streams:  # it is a list of symbols
            self._records |= {Instrument}
        self._symbols = _symbols_of([one for one in self.subscriptions if venue.streams[one.stream].symbols != "any"])

    def session(self, secrets: Mapping[str, str]) -> Session:
        """Makes the session of a new connection."""
        try:
            session = self._route.session(secrets)
        except BaseException as error:
            if broken := self.raised("session", error):
                raise broken from error
            raise
        for needed in _SESSION:
            if not callable(getattr(session, needed, None)):
                raise self.broken(f"expected a session from session, got {kind_of(session)} without {needed}")
        return GuardedSession(session, self)

    def refused(self, status: int, body: str) -> Refused | Lost:
        """What an HTTP status means at the venue."""
        try:
            problem = self._route.refused(status, body)
        except BaseException as error:
            if broken := self.raised("refused", error):
                raise broken from error
            raise
        if not isinstance(problem, Refused | Lost):
            raise self.broken(f"expected a Refused or a Lost from refused, got {kind_of(problem)}")
        return problem

    def misplaced(self, item: Any) -> str:
        """What is wrong with where an item of a session says that it belongs; empty if nothing."""
        kind = kind_of(item)
        if isinstance(item, Record):
            if item.venue != self.venue:
                return f"{kind} of the venue {item.venue!r}"
            if item.__class__ not in self._records:
                return f"{kind}, which none of the streams that were asked for ({', '.join(self._streams)}) has"
            symbols = self._symbols.get(item.__class__)
            if symbols is not None and item.symbol not in symbols:
                return f"{kind} of the symbol {item.symbol!r}, which was not asked for"
            return ""
        stream = item.stream if isinstance(item, StreamState | Confirmed | ClockOffset | Refused) else None
        if stream is not None and stream not in self._streams:
            return f"{kind} of the stream {stream!r}, which was not asked for"
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
                raise self.broken(f"expected a generator from opening, got {kind_of(opening)}")
            request = next(opening)
            while True:
                if not isinstance(request, HttpRequest):
                    raise self.broken(f"expected opening to yield an HttpRequest, got {kind_of(request)}")
                request = opening.send((yield request))
        except StopIteration as stop:
            if not isinstance(stop.value, Dial):
                raise self.broken(f"expected a Dial from opening, got {kind_of(stop.value)}") from None
            return stop.value
        except (MonError, GeneratorExit):
            raise
        except BaseException as error:
            if broken := self.raised("opening", error):
                raise broken from error
            raise

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
        if due is not None and not (is_a(due, int, float) and due == due):
            raise self.broken(f"expected seconds from deadline, or None, got {kind_of(due)}")
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
                raise self.broken(f"expected frames from take, or another Out, got {kind_of(out)}")
        return taken

    def _called(self, what: str, call: Callable[..., Any], *given: Any) -> Any:
        try:
            return call(*given)
        except BaseException as error:
            if broken := self.raised(what, error):
                raise broken from error
            raise

    def _listed(self, what: str, found: Any) -> list[Any]:
        if not isinstance(found, list | tuple):
            raise self.broken(f"expected a list from {what}, got {kind_of(found)}")
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
        if broken := guard.raised("routes", error):
            raise broken from error
        raise
    if not isinstance(routes, Sequence) or isinstance(routes, str | bytes):
        raise guard.broken(f"expected a sequence of routes from routes, got {kind_of(routes)}")
    for route in routes:
        for needed in ("subscriptions", "session", "refused"):
            if not hasattr(route, needed):
                raise guard.broken(f"expected routes with {needed} from routes, got {kind_of(route)} without")
    guarded = [GuardedRoute(route, venue) for route in routes]
    asked = {(one.stream, symbol) for one in subscriptions for symbol in one.symbols or ("",)}
    given = {
        (one.stream, symbol) for route in guarded for one in route.subscriptions for symbol in one.symbols or ("",)
    }
    if missing := asked - given:
        raise guard.broken(
            f"expected a route for each subscription from routes, got none for {' '.join(min(missing)).rstrip()}"
        )
    return [*guarded]


def _symbols_of(subscriptions: Sequence[Subscription]) -> Mapping[type[Record], Collection[str]]:
    """The symbols of which market data may come, by the records that carry it; none where there are no symbols."""
    found: dict[type[Record], set[str]] = {}
    for one in subscriptions:
        if one.stream in ("book", "trades", "quotes", "ticker", "candles") and one.symbols:
            found.setdefault(STREAMS[one.stream].record, set()).update(one.symbols)
    return found


def problem_of(item: Any) -> str:
    """What is wrong with one item of a session, in words; empty if nothing. A record's figures are `Decimal`."""
    tests = _tests_of(cast("Hashable", item.__class__))
    if tests is None:
        return f"{kind_of(item)}, which is no item"
    for name, test, expected in tests:
        value = getattr(item, name)
        if not test(value):
            got = "others in it" if isinstance(value, list) and "list[" in expected else kind_of(value)
            return f"{kind_of(item)} with a bad {name}: expected {expected}, got {got}"
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
    words = hint.__name__ if isinstance(hint, type) else re.sub(r"\b[a-z_]\w*\.", "", str(hint))
    return words.replace("Decimal", "finite Decimal").replace("[Level]", "[Level], of finite Decimals")


def _test_of(hint: Any) -> Callable[[Any], bool]:
    """What tests a value of that annotation. Numbers must be finite; what is in a mapping is not looked at.

    What may be of several kinds may be absent too.
    """
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        first, *others = [_test_of(one) for one in inner if one is not type(None)]
        return lambda value: value is None or first(value) or any(test(value) for test in others)
    if origin is Literal:
        return lambda value: isinstance(value, str) and value in inner
    if origin is list:
        (of,) = inner
        if of is Level:
            return _are_levels
        test = _test_of(of)
        return lambda value: value.__class__ is list and all(map(test, value))
    if origin is tuple:
        return lambda value: isinstance(value, tuple)
    if hint is Decimal:
        return lambda value: value.__class__ is Decimal and value.is_finite()
    if hint in (int, float):
        return lambda value: is_a(value, int, hint) and value - value == 0
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
        total = level.total
        if total is not None and not (total.__class__ is Decimal and total.is_finite()):
            return False
    return True


def is_a(value: object, *kinds: type) -> bool:
    """Whether a value is one of these kinds; True and False are no numbers."""
    return isinstance(value, kinds) and not isinstance(value, bool)


def kind_of(value: object) -> str:
    """The kind of a wrong value, in words; never the value itself."""
    if value is None:
        return "none"
    name = type(value).__name__
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"
