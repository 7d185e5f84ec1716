"""What `--where`, `--until` and `--on` say of a stream: every record is judged as it comes. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from msgspec import structs

from cli.output.lines import Unprinted
from cli.output.queues import key_of
from cli.run.edges import MOST_KEYS, Edges, edge_key
from venues.records import Record, SnapshotEnd, Status
from venues.toolkit.row_times import forget_oldest
from venues.venue import ClockOffset, Confirmed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cli.output.conditions import Condition
    from cli.output.standing import Stand, Stands
    from cli.run.edges import Key
    from venues.driver import Delivered
    from venues.venue import Now

TICK = 0.25  # seconds between two looks at an age
SUPERSEDED_WITHIN = 1.5  # seconds for which a match may wait for its reader when a later record does not match


@dataclass
class Judged:
    """How a run's conditions apply to its stream.

    `events`: the stream has no state. `rows`: a row that stops matching is told once more. `stands_for`: a state that
    does not match is handed on as `Unprinted`. `answers`: nothing is printed but the match of `until`. `count`: of so
    many records, or, without `answers`, of so many that are printed, the match has to be one. `once`, with `answers`:
    it has to be one of the first complete state, which ends with a `snapshot_end` or has a record of each symbol.
    """

    record: type[Record]
    events: bool
    rows: bool
    stands_for: bool = False
    answers: bool = False
    count: int | None = None
    once: Literal["snapshot_end", "record"] | None = None


class Judge:
    """Judges what comes of one stream, in the event loop.

    `match`: what `--until` was waiting for; from then on nothing passes. `is_over`: that, or so many records were
    judged. `passes` gives what is printed of what comes, and what stands for the rest. `data_came`: whether any data
    has come, and `unseen` of which of several symbols there is none.
    """

    def __init__(
        self,
        how: Judged,
        stands: Stands,
        *,
        now: Callable[[], Now],
        where: Condition | None = None,
        until: Condition | None = None,
        edges: Edges | None = None,
        conditions: Sequence[Condition] = (),
        fire: Callable[[Record, Key, Stand], None] = lambda record, key, stand: None,
        symbols: Sequence[str] = (),
        with_age: bool = False,
    ) -> None:
        """`conditions`: all of them, with those of `edges`. `fire` is called for each edge; `with_age`: it tells how
        old the data is, also where no condition asks for that."""
        self.match: Record | None = None
        self.is_over = False
        self.data_came = False
        self.unseen = set(symbols)
        self._several = bool(symbols)
        self._how = how
        self._stands = stands
        self._now = now
        self._where, self._until, self._edges = where, until, edges
        self._fire = fire
        self._uses_age = with_age or any(one.uses_age for one in conditions)
        self._uses_prev = any(one.uses_prev for one in conditions)
        apart = [one for one in conditions if one is not where]
        self.ticks = any(one.uses_age for one in apart)
        self._keeps_latest = not how.events and any(one.uses_age and one.uses_record for one in apart)
        self._tick_at = math.inf
        self._before: dict[Key, Record] = {}
        self._printed: dict[Key, None] = {}
        self._recent: dict[Key, bool] = {}  # keys since the last full state, and whether they were printed
        self._passed_at: dict[Key, float] = {}
        self._late: dict[Key, float] = {}
        self._left = how.count
        self.passes: Callable[[Sequence[Delivered]], Sequence[Delivered]] = self._slowly
        self._quick = (
            where is not None
            and until is None
            and edges is None
            and how.events
            and not (self._uses_age or self._uses_prev or symbols)
        )

    @property
    def counts(self) -> bool:
        """Whether --count is counted here, so that the match is one of so many."""
        return self._how.count is not None

    # --- what comes

    def _quickly(self) -> Callable[[Sequence[Delivered]], Sequence[Delivered]]:
        """As `_slowly`, of events of a live stream where nothing but the record counts: a tenth of the time."""
        where, kind, seen, slowly = self._where, self._how.record, self._stands.whole.seen, self._slowly
        assert where is not None
        matches = where.is_true

        def passes(items: Sequence[Delivered]) -> Sequence[Delivered]:
            if len(items) == 1:
                (item,) = items
                if item.__class__ is kind:
                    return items if matches(item, seen) else ()
            elif all(item.__class__ is kind for item in items):
                return [item for item in items if matches(item, seen)]
            return slowly(items)

        return passes

    def _slowly(self, items: Sequence[Delivered]) -> list[Delivered]:
        """Those of the items that are printed, and what stands for others."""
        passed: list[Delivered] = []
        first_row: int | None = None  # where the rows of a full state begin in `passed`
        for item in items:
            if self.is_over:
                break
            if item.__class__ is self._how.record:
                is_of_state = getattr(item, "change", None) == "snapshot"
                first_row = (len(passed) if first_row is None else first_row) if is_of_state else None
                self._judge(item, passed, first_row)
                continue
            first_row = None
            self._take(item, passed)
        if self._how.once == "record" and self.data_came and not self.unseen:
            self.is_over = True
        if self._quick and self.data_came:
            self.passes = self._quickly() if self._stands.whole.live else self._slowly
        return passed

    def _take(self, item: Delivered, passed: list[Delivered]) -> None:
        """Take in what is no data."""
        if isinstance(item, Status) and item.stream == self._stands.stream:
            passed.append(item)
            self._on_status(item)
            return
        if isinstance(item, SnapshotEnd) and item.stream == self._stands.stream:
            end = self._on_end(item)
            passed += [] if self._how.answers else [end]
            self.is_over = self._how.once == "snapshot_end"
            return
        if isinstance(item, ClockOffset):
            self._stands.move(item)
        elif isinstance(item, Confirmed) and self._uses_age:
            self._stands.confirmed(item, self._now())
        passed.append(item)

    def _on_status(self, status: Status) -> None:
        about = self._stands.take(status)
        if status.state != "live":
            self._forget_before(status)
        if self.ticks and self._tick_at == math.inf:
            self._tick_at = self._now().mono + TICK
        for stand in about:
            self._judge_stand(stand, status)

    def _forget_before(self, status: Status) -> None:
        """After an interruption there is no record before."""
        if status.symbol is None or not self._several:
            self._before.clear()
        else:
            self._before = {key: one for key, one in self._before.items() if one.symbol != status.symbol}

    def _on_end(self, end: SnapshotEnd) -> SnapshotEnd:
        """The end of a full state, with the number of its rows that were printed."""
        self.data_came = True
        if not end.count and self._uses_age:
            self._stands.empty(self._now())
        keys = list(self._recent)[-end.count :] if end.count else []
        if end.count > len(keys):  # the others came before the last full state
            state = {*self._printed, *keys}
        else:
            state = set(keys)
            self._printed = {key: None for key in keys if self._recent[key]}
            if self._edges is not None:
                self._edges.full(state)
        self._recent.clear()
        if self._where is None:
            return end  # every row is printed, or none
        return structs.replace(end, count=sum(key in state for key in self._printed))

    # --- data

    def _judge(self, record: Record, passed: list[Delivered], first_row: int | None) -> None:
        self.data_came = True
        self.unseen.discard(record.symbol or "")
        stand = self._stands.data(record, self._now()) if self._uses_age else self._stands.of(record.symbol)
        key = edge_key(record)
        if self._uses_prev:
            stand.seen.prev = self._before.get(key)
        printed = len(passed)
        if not self._how.events:
            self._recent.pop(key, None)
            self._recent[key] = False
            forget_oldest(self._recent, MOST_KEYS)
        if not self._how.answers:
            self._filter(record, stand, key, passed, first_row)
        if self._edges is not None and stand.live and self._edges.record(record, key, stand):
            self._fire(record, key, stand)
        if self._until is not None and self._is_true(self._until, record, stand):
            if len(passed) == printed or passed[-1] is not record:
                passed.append(record)
            self._end_with(record)
        elif self._left is not None:
            self._left -= 1 if self._how.answers else len(passed) - printed
            self.is_over = not self._left
        self._remember(record, key, stand)

    def _is_true(self, condition: Condition, record: Record, stand: Stand) -> bool:
        return bool(condition.is_true(record, stand.seen) if stand.live else condition.is_true_apart(stand.seen))

    def _remember(self, record: Record, key: Key, stand: Stand) -> None:
        if getattr(record, "change", None) == "remove":
            self._before.pop(key, None)
            self._recent.pop(key, None)
            if self._edges is not None:
                self._edges.gone(key)
        elif self._uses_prev or self._keeps_latest:
            self._before.pop(key, None)
            if stand.live:
                self._before[key] = record
                forget_oldest(self._before, MOST_KEYS)
        stand.seen.prev = None

    def _filter(self, record: Record, stand: Stand, key: Key, passed: list[Delivered], first_row: int | None) -> None:
        """Pass a record that matches. A row that was passed before and does not match any more is told once more."""
        where = self._where
        matches = where is None or self._is_true(where, record, stand)
        if self._how.events:
            if matches:
                passed.append(record)
            return
        was_printed = key in self._printed
        if getattr(record, "change", None) == "remove":
            if matches or was_printed:
                passed.append(record)
            self._printed.pop(key, None)
            return
        self._recent[key] = matches
        if matches:
            self._printed[key] = None
            forget_oldest(self._printed, MOST_KEYS)
            passed.append(record)
        else:
            self._printed.pop(key, None)
            self._leave_out(record, was_printed, passed, first_row)
        if where is not None and not self._how.rows:
            self._time(record, matches)

    def _leave_out(self, record: Record, was_printed: bool, passed: list[Delivered], first_row: int | None) -> None:
        if self._how.rows and was_printed:
            at = len(passed) if first_row is None else first_row  # never among the rows that a snapshot_end counts
            passed.insert(at, _not_matching(record))
        elif self._how.stands_for and not self._how.rows:
            passed.append(Unprinted(record))  # type: ignore[arg-type]  # the queue and the limit know it

    def _time(self, record: Record, matches: bool) -> None:
        """Note since when what has passed is not the state any more."""
        key = key_of(record)
        if matches:
            self._passed_at[key] = self._now().mono
            self._late.pop(key, None)
        elif (passed_at := self._passed_at.pop(key, None)) is not None:
            self._late[key] = passed_at + SUPERSEDED_WITHIN

    def good_until(self, record: Record) -> float | None:
        """The monotonic time until which a match may be handed over that a later record has superseded; None for any
        other. Any thread may ask."""
        return self._late.get(key_of(record))

    # --- what is known of the stream itself

    def deadline(self) -> float | None:
        """The monotonic time at which `tick` is due."""
        return None if self._tick_at == math.inf or self.is_over else self._tick_at

    def tick(self, now: Now) -> list[Delivered]:
        """Judge what becomes true with time alone; the match of --until where that is one."""
        if now.mono < self._tick_at or self.is_over:
            return []
        self._tick_at = now.mono + TICK
        for stand in self._stands.all():
            if stand.status is not None:
                self._judge_stand(stand, structs.replace(stand.status, received=now.epoch_ms))
        if self._keeps_latest:
            self._judge_latest()
        return [] if self.match is None else [self.match]

    def _judge_stand(self, stand: Stand, status: Status) -> None:
        if self._uses_age:
            stand.look(self._now())
        if self._edges is not None and self._edges.stand(stand):
            self._fire(status, (status.symbol, "status"), stand)
        until = self._until
        if until is not None and until.uses_standing and self.match is None and until.is_true_apart(stand.seen):
            self._end_with(status)

    def _judge_latest(self) -> None:
        """What depends on a record and on its age. Of what is not live no record is known."""
        for key, record in self._before.items():
            stand = self._stands.of(record.symbol)
            if self._edges is not None and self._edges.record(record, key, stand):
                self._fire(record, key, stand)
            if self._until is not None and self.match is None and self._until.is_true(record, stand.seen):
                self._end_with(record)

    def _end_with(self, match: Record) -> None:
        self.match, self.is_over = match, True


def _not_matching(record: Record) -> Record:
    """A row as it is told once more when it stops matching."""
    changes: dict[str, Any] = {"match": False}
    if hasattr(record, "change") and isinstance(record.change, str):
        changes["change"] = "remove"
    return structs.replace(record, **changes)
