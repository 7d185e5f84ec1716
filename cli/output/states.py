"""What waits of a state for its reader: every record for one that keeps up, else of each row the newest."""

from __future__ import annotations

import math
import threading
import time
from typing import TYPE_CHECKING, Protocol

from cli.output.gaps import WHY, no_words
from cli.output.pipe import PATIENCE, SAID_WITHIN
from cli.output.queues import is_last_word
from cli.output.turns import OwedEnd, Turns, Whole, with_wholes
from cli.output.weights import HEAVIEST, OF_A_ROW, weight
from venues.records import TROUBLE, Book, Record, SnapshotEnd, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LONGEST_WAIT = 1.5  # seconds also where the reader of a pipe may still show that it can read faster
MOST_LEVELS = 10_000  # whole books of thousands of levels are megabytes as lines


class Reader(Protocol):
    """What is known of whoever reads the lines. `room`: how many of them it gets at once. `away`: from when to when
    this process was stopped, the last time."""

    @property
    def room(self) -> int: ...

    @property
    def away(self) -> tuple[float, float] | None: ...

    def is_slow(self) -> bool:
        """Whether something has lain unread for longer than `PATIENCE`."""
        ...


class StateQueue:
    """Keeps every record for a reader that keeps up, and for one that is behind only what `Turns` keeps.

    Without a `reader` that can be asked, it is behind when something has waited for `PATIENCE`; in any case when as
    much as `MOST_LEVELS` waits. What was current before an interruption is dropped when the interruption is here, since
    it is not current any more. Last words (removals, closed candles) are never left out. All records are of one stream.

    `several`: the stream has several symbols, and what a status with a symbol says is about that one alone. A symbol
    that is not live, also one that only waits for a new state, has no row in a full state. In a subscription to one
    symbol each status has it, and is about all rows.

    `good_until`: the monotonic time until which a row may be handed over, None for any time; one that comes too late
    is left out, and `on_late` gets it, in the thread of the reader.

    `on_overflow`: what is said when so many rows wait that all of them are left out, which is never with fewer than
    tens of thousands of keys, or with texts of megabytes. `trouble` says it too.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        *,
        reader: Reader | None = None,
        several: bool = False,
        good_until: Callable[[Record], float | None] | None = None,
        on_late: Callable[[Record], None] = lambda record: None,
        on_overflow: Callable[[int], Sequence[Status]] = no_words,
    ) -> None:
        self._clock = clock
        self._reader = reader
        self._good_until = good_until
        self._on_late = on_late
        self._on_overflow = on_overflow
        self._lock = threading.Lock()
        self._trouble_at = -math.inf  # when the last interruption was put
        self._all: list[Record | Whole] = []  # what waits while the reader keeps up
        self._put_at: list[float] = []  # when each of `_all` was put
        self._levels = 0  # the levels of the books in `_all`, and one for each other record
        self._several = several
        self._owed = OwedEnd()
        self._turns = Turns(
            several=several, owed=self._owed
        )  # what waits while the reader is behind; `_all` is empty then
        self.trouble: str | None = None
        self._heft: int  # the weight of what was put since all that waits was last weighed

    def put(self, records: Sequence[Record]) -> None:
        """Take in records; those that newer ones replace are left out once the reader is behind."""
        with self._lock:
            if self._reader is not None and any(_is_trouble(record) for record in records):
                self._trouble_at = self._clock()
            if self._turns:
                self._turns.add(records)
                self._heft += sum(map(weight, records))
                if self._heft > HEAVIEST:
                    self._make_room()
                return
            now = self._clock()
            if self._several:
                self._put_several(records, now)
            else:
                for record in records:
                    if _is_trouble(record):
                        self._drop_rows()
                    self._append(record, now)
            if self._all and self._is_behind():
                self._take_turns()

    def take(self) -> list[Record]:
        """What comes next: as much as there is room for, or everything that waits where there is no `reader`.

        Nothing as long as this process was stopped and the event loop has not said yet which lines that has cost: what
        waits is from before.
        """
        most = None if self._reader is None else self._reader.room
        with self._lock:
            if self._is_from_before():
                return []
            if self._all and self._is_behind():
                self._take_turns()
            if self._turns:
                records = self._turns.take(most)
            elif most is None:
                records = _lines(self._all)
                self._clear()
            else:
                records = self._first(most)
        return records if self._good_until is None else [record for record in records if self._is_in_time(record)]

    def waiting(self) -> int:
        """How many records wait to be taken, those in full states included."""
        with self._lock:
            return len(self._turns) + len(_lines(self._all))

    def _put_several(self, records: Sequence[Record], now: float) -> None:
        owed = self._owed
        for record in records:
            if (end := owed.before(record)) is not None:
                self._append(end, now)
            if isinstance(record, Status) and record.state != "live":
                if record.symbol is None:
                    self._drop_rows()
                else:
                    self._drop_rows_of(record.symbol)
            self._append(record, now)
            owed.see(record)
        if (end := owed.complete()) is not None:
            self._append(end, now)

    def _append(self, record: Record, now: float) -> None:
        self._all.append(record)
        self._put_at.append(now)
        self._levels += _levels(record)

    def _is_behind(self) -> bool:
        if self._levels > MOST_LEVELS:
            return True
        waited = self._clock() - self._put_at[0]
        if self._reader is None:
            return waited > PATIENCE
        return waited > LONGEST_WAIT or self._reader.is_slow()

    def _take_turns(self) -> None:
        self._turns.add(self._all, seen=True)
        self._clear()
        self._make_room()

    def _make_room(self) -> None:
        """Leave out all rows when they weigh too much, which takes ever new keys: one row a key waits."""
        self._heft = 0
        if self._turns.heft() > HEAVIEST:
            left_out = self._turns.clear()
            self.trouble = f"{left_out} rows are left out: {WHY}"
            self._turns.add(self._on_overflow(left_out))

    def _first(self, most: int) -> list[Record]:
        """The first records. A full state stays one when only its beginning is taken."""
        if len(self._all) > most:
            joined = with_wholes(self._all)
            if len(joined) < len(self._all):
                self._all, self._put_at = joined, [self._put_at[0]] * len(joined)
        records: list[Record] = []
        done = 0
        while done < len(self._all) and len(records) < most:
            item = self._all[done]
            records.append(item.take() if isinstance(item, Whole) else item)
            done += not isinstance(item, Whole) or isinstance(records[-1], SnapshotEnd)
        if done == len(self._all):
            self._clear()
            return records
        del self._all[:done], self._put_at[:done]
        self._levels -= sum(map(_levels, records))
        return records

    def _drop_rows(self) -> None:
        kept = [
            (item, at)
            for item, at in zip(self._all, self._put_at, strict=True)
            if not isinstance(item, Whole) and (isinstance(item, Status) or is_last_word(item))
        ]
        self._all, self._put_at = [item for item, _ in kept], [at for _, at in kept]
        self._levels = sum(map(_levels, self._all))

    def _drop_rows_of(self, symbol: str) -> None:
        """As `_drop_rows`, of one symbol. A full state that they are part of is none any more; its end is owed."""
        kept: list[tuple[Record | Whole, float]] = []
        is_dropped = False
        for item, at in zip(self._all, self._put_at, strict=True):
            if isinstance(item, Whole):
                if item.has(symbol):
                    is_dropped = True
                    self._owed.owe(item.end)
                    kept += [(row, at) for row in item.rows.values() if row.symbol != symbol]
                    continue
            elif is_dropped and isinstance(item, SnapshotEnd):
                self._owed.owe(item)
                continue
            elif item.symbol == symbol and not isinstance(item, Status) and not is_last_word(item):
                is_dropped = True
                continue
            kept.append((item, at))
        self._all, self._put_at = [item for item, _ in kept], [at for _, at in kept]
        self._levels = sum(map(_levels, self._all))

    def _clear(self) -> None:
        self._all, self._put_at, self._levels = [], [], 0

    def _is_from_before(self) -> bool:
        away = None if self._reader is None else self._reader.away
        if away is None:
            return False
        since, until = away
        return self._trouble_at <= since and self._clock() < until + SAID_WITHIN

    def _is_in_time(self, record: Record) -> bool:
        assert self._good_until is not None
        if isinstance(record, Status | SnapshotEnd) or is_last_word(record):
            return True
        until = self._good_until(record)
        if until is None or self._clock() <= until:
            return True
        self._on_late(record)
        return False


def _is_trouble(record: Record) -> bool:
    return record.__class__ is Status and record.state in TROUBLE


def _levels(item: Record | Whole) -> int:
    """The levels of a book, and of another record as many as weigh what it does beyond one."""
    if isinstance(item, Book):
        return len(item.bids) + len(item.asks)
    if isinstance(item, Whole):
        return sum(map(_levels, item.rows.values()))
    return max(1, weight(item) // OF_A_ROW)


def _lines(items: Sequence[Record | Whole]) -> list[Record]:
    records: list[Record] = []
    for item in items:
        if isinstance(item, Whole):
            records += item.lines()
        else:
            records.append(item)
    return records
