"""The state of one line over all its connections: which session is on, how each stream stands, when to try again.

Pure: a live connection (`venues.connection`) and a recording (`venues.recording`) make the same calls, so both give
the same records. Statuses come out in order with the data.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from venues import fault_in
from venues.errors import MonError, VenueRefused, VenueUnreachable
from venues.misread import Misread
from venues.records import RECORD_TYPES, Record
from venues.standing import LONGEST_REASON, Standings, last_sign_of_life
from venues.streams import STREAMS
from venues.toolkit.acknowledgements import in_words
from venues.toolkit.decoding import excerpt
from venues.toolkit.pacing import LONGEST_PAUSE, STABLE_AFTER, Pacing
from venues.venue import (
    BadFrame,
    ClockOffset,
    Confirmed,
    Item,
    Lost,
    Notice,
    Now,
    Out,
    Receipt,
    Refused,
    StreamState,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from venues.venue import Command, HttpResponse, NoResponse, Route, Session, Subscription

SHORTEST_DELAY = 0.5
MOST_ASKED = 20  # a session may answer bad messages of a symbol of a stream with frames of its own so often …
ASKED_WITHIN = 10.0  # … in so many seconds
RETURNS_WITHIN = 600.0  # seconds in which a venue that was live is tried again, whatever it answers but HTTP 401
LONGEST_RETRY_AFTER = 86_400.0
_UNAUTHORIZED = 401

_ANOTHER_RUN = "the recording goes on with a later run of mon"

Delivered = Record | Confirmed | ClockOffset | BadFrame | Notice | Receipt


def pacing_of_connections() -> Pacing:
    """The pauses between two connections: exponential with full jitter, 0.5 s to 30 s.

    They begin anew after a connection that lasted for 30 s.
    """
    return Pacing(shortest=SHORTEST_DELAY, longest=LONGEST_PAUSE, stable_after=STABLE_AFTER)


def verdict(status: int, body: str) -> Refused | Lost:
    """What an HTTP status means where a WebSocket was expected; a venue may decide otherwise.

    `body` is an excerpt of the answer, possibly empty.
    """
    said = answer_in_words(status, body)
    if is_passing(status):
        return Lost(f"the venue does not take connections now ({said})")
    if status < 300:
        return Lost(f"expected a WebSocket, got an ordinary answer ({said}); check the address", retry=False)
    if status < 400:
        return Lost(f"the venue redirects elsewhere ({said}), which is not followed; set the address", retry=False)
    return Refused(f"refused by the venue ({said})")


class Driver:
    """Drives the sessions of one line.

    `ended` is the error that ended the line for good, None while it goes on. `retry_at` is the monotonic time of the
    next try; it is set when the connection is of no more use, and whoever holds the socket closes it then. `refused`
    has the streams that were refused while others go on, and why; a symbol that is refused alone is closed, and its
    stream is refused with the last one.
    """

    def __init__(
        self,
        route: Route,
        subscriptions: Sequence[Subscription],
        *,
        venue: str,
        label: str | None = None,
        retries: int | None = None,
        apart: bool = False,
        hide: Callable[[str], str] = str,
        partly: Collection[str] = (),
    ) -> None:
        """`apart`: when one stream is refused, the others of the line go on. Else the line ends.

        `hide` takes the secrets out of the reason of a status, which may quote the venue. `partly`: the streams of
        which another line has further symbols.
        """
        self.session: Session | None = None
        self.ended: MonError | None = None
        self.retry_at: float | None = None
        self._route = route
        self._venue = venue
        self._retries = retries
        self._apart = apart
        self.refused: dict[str, MonError] = {}
        self._closed: dict[str, dict[str, str]] = {}  # symbols that were refused alone, and why, by stream
        self._standings = Standings(subscriptions, venue=venue, label=label, hide=hide, partly=partly)
        self._misread = Misread(list(self._standings))
        self._failures = 0
        self._pacing = pacing_of_connections()
        self._always_stirred = False  # the session has no `stirred`
        self._out: list[Out] = []  # already taken from the session …
        self._taken_early = False  # … which resets the session's `stirred`
        several = sum(max(1, len(subscription.symbols)) for subscription in subscriptions)
        self._asked: deque[float] = deque(maxlen=MOST_ASKED * max(1, several))
        self._draw = 0.0
        self._opened_at: float | None = None
        self._is_there = False  # on this connection, a stream has been live
        self._there_at: float | None = None  # the last sign of life of a connection that had a live stream
        self._refused_since: float | None = None  # the first of the current run of refusals, after it was live
        self._unauthorized = 0  # answers with HTTP 401 since a stream was live

    def begin(self, secrets: Mapping[str, str], draw: float) -> Session:
        """Begins a new connection. `draw`, a random number in [0, 1), decides how long to wait should it fail."""
        self.session = self._route.session(secrets)
        self._always_stirred = not hasattr(self.session, "stirred")
        self._out.clear()
        self._asked.clear()
        self.retry_at = None
        self._draw = draw
        self._opened_at = None
        self._is_there = False
        return self.session

    def opened(self, now: Now) -> list[Delivered]:
        """To be called once the WebSocket is open; returns what to deliver."""
        self._opened_at = now.mono
        self._pacing.tried(now.mono)
        return self._sort_out(self._current().opened(now), now)

    def receive(self, frame: bytes, now: Now) -> list[Delivered]:
        """What one WebSocket message delivers, in order."""
        session = self.session
        assert session is not None, "begin() comes first"
        items = session.receive(frame, now)
        if self._misread.pending:
            self._misread.good(items)
        for item in items:
            if item.__class__ not in RECORD_TYPES:
                return self._sort_out(items, now)
        return items  # type: ignore[return-value]  # all of them are records

    def pong(self, now: Now) -> list[Delivered]:
        """To be called when the answer comes to a WebSocket ping of the session's."""
        return self._without_fault(self._current().pong, now)

    def fetched(self, request: str, answer: HttpResponse | NoResponse, now: Now) -> list[Delivered]:
        """What the answer to an HTTP request of the session's delivers, or that there is none; `request` is its id."""
        session = self._current()
        return self._without_fault(lambda at: session.fetched(request, answer, at), now)

    def tick(self, now: Now) -> list[Delivered]:
        """To be called once the session's deadline has passed."""
        return self._without_fault(self._current().tick, now)

    def stepped(self, by_ms: int) -> list[Delivered]:
        """Says that the clock of this machine was set. No deadline and no age depends on it."""
        how = f"{'forward' if by_ms > 0 else 'back'} by {_duration(abs(by_ms) / 1000)}"
        return [Notice(f"the clock of this machine was set {how}; nothing was lost by that")]

    def deadline(self) -> float | None:
        """The monotonic time at which `tick` is due; None while there is no connection, or nothing is due."""
        return None if self.session is None or self.retry_at is not None else self.session.deadline()

    @property
    def stirred(self) -> bool:
        """Whether `take` or `deadline` may have changed since they were called last."""
        if self._taken_early or self.retry_at is not None or self._always_stirred:
            return True
        return self.session is None or self.session.stirred

    def send(self, command: Command) -> None:
        """Hands a command of the user's to the session; the next `take` has its frames."""
        self._current().send(command)

    def take(self) -> list[Out]:
        """The frames to send, in order; each is returned once."""
        self._taken_early = False
        if self.session is None:
            return []
        if not self._out:
            return self.session.take()
        out, self._out = [*self._out, *self.session.take()], []
        return out

    def leave(self, now: Now) -> None:
        """Begins to leave: the session unsubscribes where its protocol does that."""
        if self.session is not None:
            self.session.leave(now)

    def done(self) -> bool:
        """Whether, after `leave`, nothing more is awaited from the venue."""
        return self.session is None or self.session.done()

    def answered(self, status: int, body: str, retry_after: float | None, now: Now) -> list[Delivered]:
        """To be called when an HTTP status came instead of an open WebSocket.

        `retry_after` is in seconds, None where the answer has none.
        """
        problem = self._route.refused(status, body)
        after = None if retry_after is None else min(retry_after, LONGEST_RETRY_AFTER)
        if isinstance(problem, Lost) and problem.retry:
            problem = Lost(problem.reason, after=after)
        if self._there_at is not None and not is_passing(status):
            return self._may_return(problem, answer_in_words(status, body), now, status=status, after=after)
        return self._sort_out([problem], now)

    def failed(
        self,
        reason: str,
        now: Now,
        *,
        retry: bool = True,
        refused: bool = False,
        after: float | None = None,
        status: int | None = None,
    ) -> list[Delivered]:
        """To be called when no connection was made; `status` is the HTTP status that caused it, None if none did."""
        problem: Refused | Lost = (
            Refused(reason, at_door=True) if refused else Lost(reason, retry=retry, after=after, at_door=True)
        )
        if self._there_at is not None and status == _UNAUTHORIZED:
            return self._may_return(problem, reason, now, status=status, after=after)
        return self._sort_out([problem], now)

    def closed(self, code: int | None, reason: str, now: Now) -> list[Delivered]:
        """To be called when the connection is gone. Another one is tried unless the session says otherwise."""
        items = self._current().closed(code, reason, now)
        if not any(isinstance(item, Refused | Lost) for item in items):
            items = [*items, Lost(_closing_words(code, reason))]
        return self._sort_out(items, now)

    def resumed(self, now: Now) -> list[Delivered]:
        """In a recording, a later run of mon begins: all streams begin anew, also those that had ended."""
        if self.session is not None and self.retry_at is None:
            self.session.closed(None, _ANOTHER_RUN, now)
        if (forget := getattr(self.session, "resumed", None)) is not None:
            forget()
        self.session = self.ended = self.retry_at = None
        self.refused.clear()
        self._closed.clear()
        self._failures = self._unauthorized = 0
        self._pacing.relax()
        self._is_there, self._there_at, self._refused_since = False, None, None
        self._standings.begin_anew()
        self._standings.missed()
        return [
            status
            for stream in self._standings
            for status in self._standings.changed(stream, "reconnecting", _ANOTHER_RUN, now)
        ]

    def _current(self) -> Session:
        assert self.session is not None, "begin() comes first"
        return self.session

    def _sort_out(self, items: list[Item], now: Now) -> list[Delivered]:
        delivered: list[Delivered] = []
        in_doubt = False
        for item in items:
            if isinstance(item, StreamState):
                in_doubt = in_doubt or item.state == "stale"
                delivered += self._on_state(item, now)
            elif isinstance(item, Refused | Lost) and self._may_pass(item):
                delivered += self._may_return(item, item.reason, now)
            elif isinstance(item, Refused):
                delivered += self._refuse(item, now)
            elif isinstance(item, Lost):
                self._refused_since = None
                self._unauthorized += item.expired
                delivered += self._lost(item, now)
            elif isinstance(item, BadFrame):
                in_doubt = in_doubt or self._concerns_a_state(item)
                bad = BadFrame(excerpt(item.reason, LONGEST_REASON), item.streams)
                delivered += [BadFrame(bad.reason), *self._misread.bad(bad)]
            elif isinstance(item, Notice):
                delivered.append(Notice(excerpt(item.text, LONGEST_REASON)))
            else:
                delivered.append(item)
            if self.retry_at is not None:
                return delivered  # nobody hears what follows
        if in_doubt and self._asks_too_often(now):
            times = f"{len(self._asked)} times in {ASKED_WITHIN:.0f} s"
            delivered += self._lost(Lost(f"what came was bad again and again: asked for anew {times}"), now)
        return delivered

    def _concerns_a_state(self, bad: BadFrame) -> bool:
        """Whether a session may ask for a new state because of it. A lost event is not sent again."""
        return any(STREAMS[name].kind == "state" for name in (self._standings if bad.streams is None else bad.streams))

    def _asks_too_often(self, now: Now) -> bool:
        """Whether the session has asked anew too often because of bad messages; the connection is then given up.

        A session normally paces what it asks for (`venues.session`). For one that does not, the pauses between
        connections do it.
        """
        assert self.session is not None, "begin() comes first"
        asking = self.session.take()
        self._taken_early = True
        if not asking:
            return False
        self._out += asking
        self._asked.append(now.mono)
        too_often = len(self._asked) == self._asked.maxlen and now.mono - self._asked[0] < ASKED_WITHIN
        if too_often:
            self._out.clear()
        return too_often

    def _may_pass(self, problem: Refused | Lost) -> bool:
        """Whether a venue that was live before does not let us in now, which may pass."""
        is_final = isinstance(problem, Refused) or not problem.retry
        return is_final and problem.at_door and self._there_at is not None

    def _may_return(
        self,
        problem: Refused | Lost,
        said: str,
        now: Now,
        *,
        status: int | None = None,
        after: float | None = None,
    ) -> list[Delivered]:
        """Tries a venue that was live again for a while, whatever it answers.

        A refused credential is fetched anew and tried once more.
        """
        assert self._there_at is not None, "asked by who knows"
        there = f"{excerpt(said, LONGEST_REASON // 2)}, it was there {_duration(now.mono - self._there_at)} ago"
        if status == _UNAUTHORIZED:
            self._unauthorized += 1
            if self._unauthorized > 1:
                return self._refuse(Refused(problem.reason), now)
            return self._lost(Lost(f"{there}; one more try, with the credential fetched anew", after=after), now)
        if self._refused_since is None:
            self._refused_since = now.mono
        if now.mono - self._refused_since < RETURNS_WITHIN or (isinstance(problem, Lost) and problem.retry):
            return self._lost(Lost(there, after=after), now)
        return self._refuse(problem, now) if isinstance(problem, Refused) else self._lost(problem, now)

    def _on_state(self, item: StreamState, now: Now) -> Sequence[Delivered]:
        if item.ended:
            endings = self._standings.end(item.stream, item.symbol, now)
            if self._retries is not None and endings > self._retries:
                return self._end(VenueUnreachable(f"{item.ended}; gave up after {_tries(endings)}"), now)
        statuses = self._standings.changed(
            item.stream,
            item.state,
            item.reason,
            now,
            symbol=item.symbol,
            versions=item.versions,
            condition=item.condition,
        )
        if statuses and item.state == "live":
            self._is_there = True
            self._refused_since, self._unauthorized = None, 0
        return statuses

    def _without_fault(self, call: Callable[[Now], list[Item]], now: Now) -> list[Delivered]:
        """Makes a call for a timer. An exception costs the connection, so that deadlines are kept all the same."""
        try:
            return self._sort_out(call(now), now)
        except Exception as error:
            return self._sort_out([Lost(fault_in_words(error))], now)

    def _lost(self, lost: Lost, now: Now) -> list[Delivered]:
        reason = excerpt(lost.reason, LONGEST_REASON)
        if self._is_there:
            self._there_at = last_sign_of_life(now)
            self._is_there = False
        if self._opened_at is not None and self._pacing.has_lasted(now.mono):
            self._failures = 0
            self._pacing.relax()
        self._failures += 1
        self._pacing.lengthen()
        if not lost.retry:
            return self._end(VenueUnreachable(reason), now)
        if self._retries is not None and self._failures > self._retries:
            return self._end(VenueUnreachable(f"{reason}; gave up after {_tries(self._failures)}"), now)
        delay = self._pacing.drawn(self._draw)
        if lost.after is not None:
            delay = max(delay, lost.after)
        if (next_dial := getattr(self._route, "next_dial", None)) is not None:
            delay = max(delay, next_dial(now.mono + delay) - now.mono)
        self.retry_at = now.mono + delay
        self._standings.missed()
        return [
            status
            for stream in self._standings
            for status in self._standings.changed(
                stream, "reconnecting", reason, now, attempt=self._failures, retry_in_ms=round(delay * 1000)
            )
        ]

    def _refuse(self, refused: Refused, now: Now) -> list[Delivered]:
        stream = refused.stream
        alone = stream is not None and refused.symbol is not None
        names = sum(len(symbol) + 2 for symbol in refused.symbols)  # all of them are said
        error = VenueRefused(
            excerpt(refused.reason, LONGEST_REASON + names),
            venue=self._venue,
            stream=stream,
            symbols=refused.symbols,
            late=refused.late or alone,  # the others go on, on whichever line they are
        )
        if stream is not None and refused.symbol is not None:
            closed = self._standings.changed(stream, "closed", str(error), now, symbol=refused.symbol)
            gone = self._closed.setdefault(stream, {})
            if closed:
                gone[refused.symbol] = refused.symbols.get(refused.symbol, refused.reason)
            if not self._standings.is_closed(stream):
                return [*closed]
            names = sum(len(symbol) + 2 for symbol in gone)
            text = in_words(self._venue, stream, gone) if len(gone) > 1 else refused.reason
            text = excerpt(text, LONGEST_REASON + names)
            error = VenueRefused(text, venue=self._venue, stream=stream, symbols=gone, late=True)
            return [*closed, *self._refuse_stream(stream, error, now)]
        return self._end(error, now) if stream is None else self._refuse_stream(stream, error, now)

    def _refuse_stream(self, stream: str, error: VenueRefused, now: Now) -> list[Delivered]:
        if not self._apart:
            return self._end(error, now)
        self.refused.setdefault(stream, error)
        if len(self.refused) == len(self._standings):
            return self._end(error, now)
        return [*self._standings.changed(stream, "closed", str(error), now)]

    def _end(self, error: MonError, now: Now) -> list[Delivered]:
        self.ended = next(iter(self.refused.values()), error)
        self.retry_at = now.mono
        return [
            status
            for stream in self._standings
            for status in self._standings.changed(stream, "closed", str(error), now)
        ]


def fault_in_words(error: BaseException) -> str:
    """The text about an exception that should never have been raised: what it is, and where it was raised."""
    traceback, where = error.__traceback__, ""
    while traceback is not None:
        where = f"{traceback.tb_frame.f_globals.get('__name__', '?')}, line {traceback.tb_lineno}"
        traceback = traceback.tb_next
    words = excerpt(f"{type(error).__name__}: {error}", 300).rstrip(": ")
    return f"{fault_in(error)} ({words}; {where}); please report it"


def is_passing(status: int) -> bool:
    """Whether this HTTP status means that a later try may work."""
    return status in (408, 425, 429) or status >= 500


def answer_in_words(status: int, body: str) -> str:
    """An HTTP answer in words, e.g. "HTTP 403: Forbidden"; `body` is an excerpt, possibly empty."""
    return f"HTTP {status}" + (f": {body}" if body else "")


def _tries(count: int) -> str:
    return "1 try" if count == 1 else f"{count} tries in a row"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"


def _closing_words(code: int | None, reason: str) -> str:
    words = "the connection was lost" if code is None else f"the venue closed the connection (code {code})"
    return f"{words}: {reason}" if reason else words
