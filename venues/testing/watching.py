"""Watches the sessions of a route, call by call, and notes where they break the contract.

A `Watch` stands between the driver and each session. What is wrong is a text in `faults`, in words for the author.
"""

from __future__ import annotations

import contextlib
import re
import traceback
from collections import deque
from typing import TYPE_CHECKING, TypeVar

from venues.errors import MonError
from venues.records import Record
from venues.streams import STREAMS
from venues.testing.rules import ItemRules
from venues.venue import BadFrame, Close, Fetch, HttpRequest, SocketPing, StreamState, Veiled

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence

    from venues.venue import (
        Command,
        Dial,
        HttpResponse,
        Item,
        Lost,
        NoResponse,
        Now,
        Out,
        Refused,
        Route,
        Session,
        Subscription,
        Venue,
    )

T = TypeVar("T")

ANSWERS = 11  # answers with frames that a stream and symbol may give to bad messages …
WITHIN = 10.0  # … in so many seconds: one at once, then one a second at most
SOONEST = 1.0  # seconds after which the same may be asked for again
_ROUNDING = 1e-6
_MOST_FAULTS = 20
_IDS = re.compile(r'("(?:req_?id|id|invocationId|request|nonce|ts|time)"\s*:\s*)"?\d+"?', re.IGNORECASE)


class Watch:
    """What the sessions of one route do, and what is wrong with it. `faults` are texts; the first ones are kept."""

    def __init__(self, venue: Venue, subscriptions: Sequence[Subscription], secrets: Iterable[str] = ()) -> None:
        """`secrets` are the values that must not be in anything that is shown, recorded or printed."""
        self.faults: list[str] = []
        self.subscriptions = subscriptions
        self.rules = ItemRules(venue, subscriptions, self.fault)
        self._secrets = [secret for secret in secrets if secret]
        self._asked_words = [
            word for one in subscriptions for word in (*one.symbols, venue.streams[one.stream].source) if word
        ]
        asked = sum(max(1, len(subscription.symbols)) for subscription in subscriptions)
        self.most_answers = ANSWERS * max(1, asked)

    def over(self, route: Route) -> Route:
        """The same route, whose sessions are watched."""
        return WatchedRoute(route, self)

    def fault(self, text: str) -> None:
        """Notes a fault."""
        if len(self.faults) < _MOST_FAULTS and text not in self.faults:
            self.faults.append(text)

    @contextlib.contextmanager
    def noting(self) -> Iterator[None]:
        """Notes an exception of the driver's as a fault, unless the session's own fault before it is noted already."""
        try:
            yield
        except Exception as error:
            if not self.faults:
                self.fault(raised("the driver", error))

    def no_secret(self, text: str, where: str) -> None:
        """Notes a fault if a secret is in a text."""
        if any(secret in text for secret in self._secrets):
            self.fault(f"a secret is in {where}: expected a placeholder such as [api_key] there")

    def what_is_asked(self, frame: str) -> str:
        """A frame that names what is asked for, without the number that each request has; empty for any other."""
        return _IDS.sub(r"\1#", frame) if any(word in frame for word in self._asked_words) else ""

    def is_doubt(self, item: Item) -> bool:
        """Whether a session may ask for a state anew because of an item. An event that was lost is not sent again."""
        if isinstance(item, StreamState):
            return item.state == "stale"
        if not isinstance(item, BadFrame):
            return False
        concerned = [one.stream for one in self.subscriptions] if item.streams is None else item.streams
        return any(STREAMS[name].kind == "state" for name in concerned if name in STREAMS)

    @property
    def looks_for_secrets(self) -> bool:
        """Whether there are any."""
        return bool(self._secrets)


class WatchedRoute:
    """A route whose sessions are watched."""

    def __init__(self, route: Route, watch: Watch) -> None:
        self.subscriptions = route.subscriptions
        self._route = route
        self._watch = watch

    def session(self, secrets: Mapping[str, str]) -> Session:
        """Makes the session of a new connection, watched."""
        self._watch.rules.connection_begins()
        return WatchedSession(self._route.session(secrets), self._watch)

    def refused(self, status: int, body: str) -> Refused | Lost:
        """What an HTTP status means; an exception is noted."""
        try:
            return self._route.refused(status, body)
        except Exception as error:
            self._watch.fault(raised("Route.refused", error))
            raise


class WatchedSession:
    """A session, each call of which is watched. It hides nothing: what the session returns or raises goes on."""

    def __init__(self, session: Session, watch: Watch) -> None:
        self._session = session
        self._watch = watch
        self._doubt = False  # the latest call brought a bad message or a stale state
        self._ticked = False
        self._at: float  # of the latest call with items
        self._answers: deque[float] = deque(maxlen=watch.most_answers + 1)
        self._asked: dict[str, float] = {}

    @property
    def stirred(self) -> bool:
        return bool(getattr(self._session, "stirred", True))

    def opening(self) -> Generator[HttpRequest, HttpResponse, Dial]:
        watch, steps = self._watch, self._session.opening()
        answer: HttpResponse | None = None
        while True:
            try:
                request = next(steps) if answer is None else steps.send(answer)
            except StopIteration as end:
                dial: Dial = end.value
                watch.no_secret(dial.shown, "`Dial.shown`")
                return dial
            except MonError as problem:
                watch.no_secret(str(problem), "the error that `opening` raises")
                raise
            except Exception as error:
                watch.fault(raised("opening", error))
                raise
            watch.no_secret(request.shown, "`HttpRequest.shown`")
            answer = yield request

    def opened(self, now: Now) -> list[Item]:
        return self._watched("opened", now, lambda: self._session.opened(now))

    def receive(self, frame: bytes, now: Now) -> list[Item]:
        return self._watched("receive", now, lambda: self._session.receive(frame, now))

    def pong(self, now: Now) -> list[Item]:
        return self._watched("pong", now, lambda: self._session.pong(now))

    def fetched(self, request: str, answer: HttpResponse | NoResponse, now: Now) -> list[Item]:
        return self._watched("fetched", now, lambda: self._session.fetched(request, answer, now))

    def tick(self, now: Now) -> list[Item]:
        items = self._watched("tick", now, lambda: self._session.tick(now))
        self._ticked = True
        return items

    def closed(self, code: int | None, reason: str, now: Now) -> list[Item]:
        return self._watched("closed", now, lambda: self._session.closed(code, reason, now))

    def deadline(self) -> float | None:
        return self._without_raising("deadline", self._session.deadline)

    def send(self, command: Command) -> None:
        try:
            self._session.send(command)
        except MonError:
            raise
        except Exception as error:
            self._watch.fault(raised("send", error))
            raise

    def resumed(self) -> None:
        if (forget := getattr(self._session, "resumed", None)) is not None:
            self._without_raising("resumed", forget)

    def leave(self, now: Now) -> None:
        self._without_raising("leave", lambda: self._session.leave(now))

    def done(self) -> bool:
        return self._without_raising("done", self._session.done)

    def take(self) -> list[Out]:
        out = self._without_raising("take", self._session.take)
        if out:
            self._look_at_frames(out)
        return out

    def _watched(self, call: str, now: Now, run: Callable[[], list[Item]]) -> list[Item]:
        items = self._without_raising(call, run)
        if not isinstance(items, list):
            self._watch.fault(f"`{call}` returned a {type(items).__name__}: expected a list of items, made at once")
            items = list(items or ())
        self._at, self._ticked = now.mono, False
        self._doubt = any(self._watch.is_doubt(item) for item in items)
        for item in items:
            self._watch.rules.look_at(item)
        if self._watch.looks_for_secrets:
            for item in items:
                text = self._watch.rules.written(item) if isinstance(item, Record) else repr(item)
                self._watch.no_secret(text, f"a {type(item).__name__}")
        return items

    def _without_raising(self, call: str, run: Callable[[], T]) -> T:
        try:
            return run()
        except Exception as error:
            self._watch.fault(raised(call, error))
            raise

    def _look_at_frames(self, out: list[Out]) -> None:
        if again := self._session.take():
            self._watch.fault(f"`take` returned {len(again)} frames twice: expected each once")
        asking = [one for one in out if not isinstance(one, SocketPing | Close)]
        for one in asking:
            self._watch.no_secret(_shown(one), "a frame that is recorded as it is: expected `Veiled`, with `shown`")
        if not asking or not (self._doubt or self._ticked):
            return
        for one in asking:
            text = self._watch.what_is_asked(_shown(one))
            before = self._asked.get(text)
            if text and self._doubt and before is not None and self._at - before < SOONEST - _ROUNDING:
                self._watch.fault(
                    f"asked for the same again after {self._at - before:.1f} s, expected a pause of {SOONEST:.0f} s at "
                    f"least (send it through `BaseSession.ask`, or hold a `Pacing`): {text[:200]}"
                )
            self._asked[text] = self._at
        if self._doubt:
            self._count_an_answer()

    def _count_an_answer(self) -> None:
        self._answers.append(self._at)
        if len(self._answers) == self._answers.maxlen and self._at - self._answers[0] < WITHIN:
            self._watch.fault(
                f"answered bad messages with frames of its own {len(self._answers)} times in {WITHIN:.0f} s, expected "
                f"{self._watch.most_answers} at most (send them through `BaseSession.ask`, or hold a `Pacing`)"
            )
            self._answers.clear()


def raised(call: str, error: Exception) -> str:
    """The fault of an exception that no session may raise, with its traceback."""
    return f"`{call}` raised {type(error).__name__}: {error}\n{''.join(traceback.format_exception(error))}"


def _shown(out: Out) -> str:
    match out:
        case Veiled(shown=shown):
            return shown
        case Fetch(request=HttpRequest(method=method, shown=shown)):
            return f"{method} {shown}"
        case bytes():
            return out.decode(errors="replace")
    return str(out)
