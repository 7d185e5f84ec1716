"""What sessions and routes have in common, so that a venue writes only what it has. Pure.

A `BaseSession` asks for nothing, awaits nothing, measures nothing and takes no commands; a `BaseRoute` knows no refusal
of its own. A venue overrides what it does otherwise.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from venues.driver import verdict
from venues.errors import UsageError
from venues.toolkit.acknowledgements import MOST_SYMBOLS, WITHIN, Acknowledgements
from venues.toolkit.pacing import Pacing

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence

    from venues.toolkit.acknowledgements import Request, Taken
    from venues.venue import (
        Command,
        Dial,
        HttpRequest,
        HttpResponse,
        Item,
        Lost,
        NoResponse,
        Now,
        Out,
        Refused,
        Session,
        Settings,
        Subscription,
    )


class _Request:
    """When the venue may be asked for one thing again, and the frames that wait for it."""

    __slots__ = ("frames", "pacing")
    frames: tuple[Out, ...]  # once some have waited

    def __init__(self) -> None:
        self.pacing = Pacing()


class BaseSession(ABC):
    """One connection. A venue overrides `dial` and `receive`, and other methods where it needs them.

    `venue` is the venue's name, for texts. A subclass puts frames to send into `_out`, or through `ask` if they ask
    the venue for something.
    """

    venue: ClassVar[str] = ""
    stirred = True

    def __init__(self) -> None:
        self._out: list[Out] = []
        self._requests: dict[str, _Request] = {}

    @abstractmethod
    def dial(self) -> Dial:
        """Where the WebSocket is opened, with the headers it needs."""

    def opening(self) -> Generator[HttpRequest, HttpResponse, Dial]:
        """Dials straight away, without an HTTP request before."""
        yield from ()
        return self.dial()

    def opened(self, now: Now) -> list[Item]:
        """Asks for nothing, so nothing follows."""
        return []

    @abstractmethod
    def receive(self, frame: bytes, now: Now) -> list[Item]:
        """What one WebSocket message, text or binary, brings, in order."""

    def pong(self, now: Now) -> list[Item]:
        """Ignores the answer: nothing is measured by WebSocket pings."""
        return []

    def fetched(self, request: str, answer: HttpResponse | NoResponse, now: Now) -> list[Item]:
        """Ignores the answer: nothing was asked for over HTTP."""
        return []

    def ask(self, what: str, now: Now, *frames: Out) -> None:
        """Ask the venue for something: a subscription, a snapshot. Repeated requests are paced.

        The frames are sent at once, or once the pause since the last time is over. Of those that wait under one name
        (`what`, e.g. a stream and its symbol) the latest are sent.
        """
        request = self._requests.get(what)
        if request is None:
            request = self._requests[what] = _Request()
        elif not request.pacing.again(now.mono):
            request.frames = frames
            return
        self._out += frames
        request.pacing.tried(now.mono)

    def deadline(self) -> float | None:
        """The monotonic time at which a waiting request may be sent; None when none waits."""
        return min((due for one in self._requests.values() if (due := one.pacing.due) is not None), default=None)

    def tick(self, now: Now) -> list[Item]:
        """Sends the requests that have waited for long enough."""
        for request in self._requests.values():
            if request.pacing.is_due(now.mono):
                self._out += request.frames
                request.pacing.tried(now.mono)
        return []

    def send(self, command: Command) -> None:
        """Refuses every command: this venue takes none.

        Raises:
            UsageError: always.
        """
        raise UsageError(f"{self.venue} takes no commands")

    def leave(self, now: Now) -> None:
        """Drops the waiting requests. There is no subscription to cancel."""
        self._requests.clear()

    def done(self) -> bool:
        """Always true: nothing is awaited from the venue."""
        return True

    def closed(self, code: int | None, reason: str, now: Now) -> list[Item]:
        """Drops the waiting requests; knows no reason beyond the close code."""
        self._requests.clear()
        return []

    def take(self) -> list[Out]:
        """The frames in `_out`, in order; each is returned once."""
        out, self._out = self._out, []
        return out


class AcknowledgedSession(BaseSession):
    """One connection to a venue that acknowledges subscriptions. A venue writes `subscribe` too, and asks by `_asked`.

    Whoever overrides `deadline`, `tick` or `leave` calls these, too.
    """

    def __init__(self, taken: Taken, *, most: int = MOST_SYMBOLS, within: float = WITHIN) -> None:
        """`taken` is the route's. `most` symbols are in a request, which the venue answers `within` so many seconds."""
        super().__init__()
        self._asked = Acknowledgements(self.venue, taken, self.subscribe, most=most, within=within)

    @abstractmethod
    def subscribe(self, request: Request) -> None:
        """Puts the frames that ask for the symbols of a request into `_out`."""

    def deadline(self) -> float | None:
        """The earlier of the next request and of the moment at which an answer is overdue."""
        own, answers = super().deadline(), self._asked.deadline()
        if own is None or answers is None:
            return answers if own is None else own
        return min(own, answers)

    def tick(self, now: Now) -> list[Item]:
        """Sends what has waited, and takes what is overdue."""
        return [*super().tick(now), *self._asked.tick(now)]

    def leave(self, now: Now) -> None:
        """Asks for nothing more."""
        super().leave(now)
        self._asked.leave()

    def resumed(self) -> None:
        """In a recording, a later run of mon begins: as it did then, it asks as if nothing had ever been answered."""
        self._asked.forget()


class BaseRoute(ABC):
    """The subscriptions that share one connection, with their settings. A venue overrides `session`."""

    def __init__(self, subscriptions: Sequence[Subscription], settings: Settings) -> None:
        self.subscriptions = subscriptions
        self.settings = settings
        self.label = settings.label
        self.by_stream = {subscription.stream: subscription for subscription in subscriptions}

    @abstractmethod
    def session(self, secrets: Mapping[str, str]) -> Session:
        """Makes the session of a new connection; `secrets` are the venue's, by name."""

    def refused(self, status: int, body: str) -> Refused | Lost:
        """What an HTTP status means that came instead of a WebSocket, by the general rules."""
        return verdict(status, body)

    def next_dial(self, at: float) -> float:
        """The moment of the next connection (monotonic seconds), which is planned for `at`.

        That is `at`, unless the venue counts connections: then a later moment where there would be too many.
        """
        return at


def spread(
    subscriptions: Sequence[Subscription],
    most: int = MOST_SYMBOLS,
    *,
    share_a_route: Callable[[Subscription, Subscription], bool] | None = None,
    topics: Callable[[Subscription], int] | None = None,
) -> list[list[Subscription]]:
    """Groups subscriptions into routes of at most `most` topics each; one of many symbols is split where it must be.

    `share_a_route`: whether two may be on one connection; unless said otherwise, those of different streams. So another
    depth or another interval of the same symbol takes another connection. `topics`: how many of the venue's topics a
    symbol of the subscription takes, 1 unless said otherwise.
    """
    may_share = share_a_route or (lambda one, other: one.stream != other.stream)
    groups: list[list[Subscription]] = []
    room: list[int] = []
    for subscription in subscriptions:
        each, left, at = 1 if topics is None else topics(subscription), subscription, 0
        while True:
            if at == len(groups):
                groups.append([])
                room.append(most)
            fits = room[at] // each if each else len(left.symbols)
            is_empty = not groups[at]
            if (fits > 0 or is_empty) and all(may_share(subscription, other) for other in groups[at]):
                fits = max(fits, 1)  # a symbol with more topics than fit is on a connection of its own
                groups[at].append(replace(left, symbols=left.symbols[:fits]))
                room[at] -= each * max(1, len(groups[at][-1].symbols))
                left = replace(left, symbols=left.symbols[fits:])
                if not left.symbols:
                    break
            at += 1
    return groups


def grouped(
    subscriptions: Sequence[Subscription], share_a_route: Callable[[Subscription, Subscription], bool]
) -> list[list[Subscription]]:
    """Groups subscriptions into few lines: each joins the first group that it may share a line with."""
    groups: list[list[Subscription]] = []
    for subscription in subscriptions:
        for group in groups:
            if all(share_a_route(subscription, other) for other in group):
                group.append(subscription)
                break
        else:
            groups.append([subscription])
    return groups
