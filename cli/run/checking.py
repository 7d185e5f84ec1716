"""One run of `mon check`: one connection, the first complete state, a verdict."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from cli.errors import OK as ENDED
from cli.output import cells
from cli.output.standing import Stands
from cli.output.verdicts import CRITICAL, OK, UNKNOWN, WARNING, Row, Verdict, judged, newest
from cli.run.edges import edge_key
from cli.run.ending import Ending
from cli.run.loop import Loop, other_work
from cli.run.source import Embedded
from venues.connection import SystemClock
from venues.errors import MonError, VenueUnreachable
from venues.records import SnapshotEnd, Status, is_from_before
from venues.streams import STREAMS
from venues.venue import ClockOffset, Confirmed, has_full_states, has_several

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.output.conditions import Condition
    from cli.output.fields import Fields
    from cli.run.edges import Key
    from cli.run.options import StreamRequest
    from venues.driver import Delivered
    from venues.recording import Recording
    from venues.records import Record
    from venues.redaction import Redactor
    from venues.venue import Subscription, Venue


class Held(NamedTuple):
    """One row while it is watched: its latest verdict, and the states that held on every record with their reason."""

    row: Row
    always: dict[int, str]


class Check:
    """Watches one stream for a verdict."""

    def __init__(
        self,
        request: StreamRequest,
        venue: Venue,
        subscription: Subscription,
        recording: Recording | None,
        fields: Fields,
        redactor: Redactor,
        *,
        warn: Condition | None,
        crit: Condition | None,
        timeout: float,
        lasting: float,
        dead: int,
    ) -> None:
        """`timeout` and `lasting` (of `--for`) in seconds; `dead` is the verdict on a stream without data."""
        self._request, self._venue, self._subscription = request, venue, subscription
        self._fields = fields
        self._warn, self._crit = warn, crit
        self._timeout, self._lasting, self._dead = timeout, lasting, dead
        offer, self._stream = venue.streams[subscription.stream], STREAMS[subscription.stream]
        self._events = self._stream.kind == "event"
        self._gathers = offer.partial and not self._events  # what comes within the time is all of it
        self._full = has_full_states(self._stream, offer)
        self._symbols = subscription.symbols if has_several(subscription) else ()
        self._stands = Stands(subscription.stream, self._symbols, partial=offer.partial)
        self._awaited = frozenset(self._symbols or ("",))
        self._missing = set(self._awaited)  # of these no data came yet, or none since it was interrupted
        self._held: dict[Key, Held] = {}
        self._recent: dict[Key, None] = {}
        self._before: dict[Key, Record] = {}
        self._since: float | None = None  # when the first complete state was there
        self._ending = Ending()
        self._run = Loop(
            request,
            self,
            ending=self._ending,
            clock=SystemClock(),
            redactor=redactor,
            recording=recording,
        )

    async def verdict(self) -> Verdict:
        """The verdict.

        Raises:
            MonError: something is missing, so that nothing can be opened.
        """
        loop = asyncio.get_running_loop()
        with contextlib.ExitStack() as stack:
            self._ending.take_signals(stack)
            embedded = Embedded()
            try:
                settings = await self._run.open(self._venue, [self._subscription], embedded, lambda text: None)
                self._run.limits.expect(self._subscription, self._venue.name, settings.label)
                loop.call_later(self._timeout, self._on_timeout)
                await self._run.watch()
                self._run.close()
            finally:
                await embedded.close()
        return self._result(settings.label)

    def _result(self, label: str | None) -> Verdict:
        made = Verdict(self._subscription.stream, self._venue.name, label, self._fields)
        problem = self._ending.problem
        if isinstance(problem, VenueUnreachable):
            made.state, made.text = self._dead, str(problem)
            return made
        if isinstance(problem, MonError):
            made.state, made.text = UNKNOWN, str(problem)
            return made
        if problem is not None:
            raise problem
        if self._ending.code != ENDED:
            made.state, made.text = UNKNOWN, "interrupted"
            return made
        stands = list(self._stands.all())
        made.live = (self._gathers or not self._missing) and all(stand.live for stand in stands)
        if not made.live:
            made.state, made.text = self._dead, self._why_not()
            return made
        for stand in stands:
            stand.look(self._run.now())
        made.age_ms = max((one.seen.age_ms for one in stands if one.seen.age_ms is not None), default=None)
        made.rows = newest([self._final(held) for held in self._held.values()])
        made.judge()
        if not made.rows and self._gathers:
            made.text = f"no change came within {cells.duration(round(self._timeout * 1000))}"
        return made

    def _why_not(self) -> str:
        is_replay = self._request.replay is not None
        nothing = "no data came" if is_replay else f"no data within {cells.duration(round(self._timeout * 1000))}"
        for stand in self._stands.all():
            status = stand.status
            if status is not None and status.state != "live":
                reason = f": {status.reason}" if status.reason else ""
                return f"{nothing}, the stream is {status.state}{reason}"
        return nothing

    def _final(self, held: Held) -> Row:
        """The verdict on a row: with `--for` only what held on every record."""
        row = held.row
        if not self._lasting or row.state in (OK, UNKNOWN):
            return row
        for state in (CRITICAL, WARNING):
            if state in held.always:
                return Row(row.record, state, held.always[state])
        return Row(row.record)

    # --- what comes

    def deliver(self, items: Sequence[Delivered], line: int = 0) -> None:
        """Take what one message brought, until there is enough."""
        if self._ending.stopping.is_set():
            return
        now = self._run.at()
        for item in items:
            if item.__class__ is self._stream.record:
                self._take(item)
            elif isinstance(item, Status) and item.stream == self._stream.name:
                self._on_status(item)
            elif isinstance(item, SnapshotEnd) and item.stream == self._stream.name:
                self._on_end(item)
            elif isinstance(item, ClockOffset):
                self._stands.move(item)
            elif isinstance(item, Confirmed):
                self._stands.confirmed(item, now)
        if self._since is None and not self._missing and not self._gathers:
            self._since = now.mono
            if not self._lasting or not self._may_last():
                self._ending.stop(ENDED)
            elif self._request.replay is None:
                asyncio.get_running_loop().call_later(self._lasting, self._ending.stop, ENDED)
        elif self._since is not None and now.mono - self._since >= self._lasting:
            self._ending.stop(ENDED)

    def _may_last(self) -> bool:
        """Whether anything is true that may last; otherwise there is nothing to wait for."""
        return any(held.always for held in self._held.values())

    def _on_status(self, status: Status) -> None:
        self._stands.take(status)
        if status.state == "live":
            return
        self._before.clear()
        if not self._run.limits.says(status):  # what is too old for `--max-age` does not come again as a whole
            self._missing |= {status.symbol} if status.symbol in self._awaited else self._awaited

    def _on_end(self, end: SnapshotEnd) -> None:
        """A full state is here: what is not in it is gone."""
        if not end.count:
            self._stands.empty(self._run.at())
        state = list(self._recent)[-end.count :] if end.count else []
        if end.count <= len(state):
            self._held = {key: self._held[key] for key in state if key in self._held}
        self._recent.clear()
        self._missing.clear()

    def _take(self, record: Record) -> None:
        stand = self._stands.data(record, self._run.at())
        key = edge_key(record)
        if getattr(record, "change", None) == "remove":
            for known in (self._held, self._recent, self._before):
                known.pop(key, None)
            return
        self._recent.pop(key, None)
        self._recent[key] = None
        name = record.symbol if record.symbol in self._awaited else ""
        if not stand.live or (self._events and (name not in self._missing or is_from_before(record))):
            return
        if not self._full:
            self._missing.discard(name)
        stand.seen.prev = self._before.get(key)
        row = Row(record, *judged(record, stand.seen, self._warn, self._crit))
        true = self._true(record, stand.seen)
        before = self._held.get(key)
        always = true if before is None else {state: true[state] for state in before.always if state in true}
        self._held[key] = Held(row, always)
        self._before[key] = record

    def _true(self, record: Record, seen: Any) -> dict[int, str]:
        """The states whose condition is true of a record, with the reason."""
        found: dict[int, str] = {}
        for condition, state in ((self._crit, CRITICAL), (self._warn, WARNING)):
            if condition is not None and condition.is_true(record, seen):
                found[state] = judged(record, seen, None, condition)[1]
        return found

    # --- the rest of a consumer

    def _on_timeout(self) -> None:
        if self._since is None:
            self._ending.stop(ENDED)

    def flush(self) -> None:
        """Do nothing: nothing is gathered."""

    async def played(self, count: int) -> None:
        """Let signals in between two events of a recording."""
        await other_work()

    def end_asked(self) -> None:
        """Do nothing: the verdict is made of what is there."""

    def missing(self, option: Literal["timeout", "duration"]) -> str | None:
        """Nothing: the check has its own time."""
        return None
