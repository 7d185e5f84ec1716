"""What sessions and lines have in common, so that a venue writes only what it has. Pure.

A `BaseSession` asks for nothing, awaits nothing, measures nothing and takes no commands; a `BaseRoute` knows no refusal
of its own. A venue overrides what it does otherwise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from venues.driver import verdict
from venues.errors import UsageError
from venues.toolkit.pacing import Pacing

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence

    from venues.venue import (
        Command,
        Dial,
        HttpRequest,
        HttpResponse,
        Item,
        Lost,
        Now,
        Out,
        Refused,
        Session,
        Settings,
        Subscription,
    )


class _Request:
    """Frames that ask the venue for one thing, and when they may be sent again; empty once they are sent."""

    __slots__ = ("frames", "pacing")

    def __init__(self) -> None:
        self.frames: tuple[Out, ...] = ()
        self.pacing = Pacing()


class BaseSession:
    """One connection. A venue writes `dial` and `receive`, and of the others what it has.

    `venue`: its name, for words. What is to be sent is put into `_out`; what asks for something goes through `ask`.
    """

    venue: ClassVar[str] = ""
    stirred = True

    def __init__(self) -> None:
        self._out: list[Out] = []
        self._requests: dict[str, _Request] = {}

    def dial(self) -> Dial:
        """Where the WebSocket is opened."""
        raise NotImplementedError

    def opening(self) -> Generator[HttpRequest, HttpResponse, Dial]:
        """Dials straight away, without an HTTP request before."""
        yield from ()
        return self.dial()

    def opened(self, now: Now) -> list[Item]:
        """Nothing is asked for."""
        return []

    def receive(self, frame: bytes, now: Now) -> list[Item]:
        """One WebSocket message, text or binary."""
        raise NotImplementedError

    def pong(self, now: Now) -> list[Item]:
        """Nothing is measured by WebSocket pings."""
        return []

    def ask(self, what: str, now: Now, *frames: Out) -> None:
        """Ask the venue for something: a subscription, a snapshot. Whoever asks again and again is paced.

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
        request.frames = ()
        request.pacing.tried(now.mono)

    def deadline(self) -> float | None:
        """When something that was asked for may be asked for again."""
        return min((due for one in self._requests.values() if (due := one.pacing.due) is not None), default=None)

    def tick(self, now: Now) -> list[Item]:
        """Asks for what has waited for long enough."""
        for request in self._requests.values():
            if request.pacing.is_due(now.mono):
                self._out += request.frames
                request.frames = ()
                request.pacing.tried(now.mono)
        return []

    def send(self, command: Command) -> None:
        """Data flows one way only.

        Raises:
            UsageError: always.
        """
        raise UsageError(f"{self.venue} takes no commands")

    def leave(self, now: Now) -> None:
        """Asks for nothing more; nothing was subscribed, so nothing is to be cancelled."""
        self._requests.clear()

    def done(self) -> bool:
        """At once: nothing is awaited."""
        return True

    def closed(self, code: int | None, reason: str, now: Now) -> list[Item]:
        """Nothing is known of why: the line is lost."""
        self._requests.clear()
        return []

    def take(self) -> list[Out]:
        """What was put into `_out`."""
        out, self._out = self._out, []
        return out


class BaseRoute:
    """One socket's worth of subscriptions, with what is configured for it. A venue writes `session`."""

    def __init__(self, subscriptions: Sequence[Subscription], settings: Settings) -> None:
        self.subscriptions = subscriptions
        self.settings = settings
        self.label = settings.label
        self.by_stream = {subscription.stream: subscription for subscription in subscriptions}

    def session(self, secrets: Mapping[str, str]) -> Session:
        """A session for a new connection."""
        raise NotImplementedError

    def refused(self, status: int, body: str) -> Refused | Lost:
        """What an HTTP status means where nothing is known of the venue."""
        return verdict(status, body)


def grouped(
    subscriptions: Sequence[Subscription], share_a_route: Callable[[Subscription, Subscription], bool]
) -> list[list[Subscription]]:
    """As few routes as can be: each subscription joins the first group of which it shares one with every other."""
    groups: list[list[Subscription]] = []
    for subscription in subscriptions:
        for group in groups:
            if all(share_a_route(subscription, other) for other in group):
                group.append(subscription)
                break
        else:
            groups.append([subscription])
    return groups
