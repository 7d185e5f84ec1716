"""What waits for a reader of events: every one, or for a table the latest. What waits of a state is in `states.py`.

A queue is filled by the event loop and emptied by the output thread; neither waits for the other.
"""

from __future__ import annotations

import math
import pickle
import tempfile
import threading
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from cli.output.gaps import WHY
from cli.output.lines import Skipped, Unprinted
from cli.output.weights import HEAVIEST, weight
from venues.records import Balance, Candle, ClosedPosition, Order, Position, Record, SnapshotEnd, Status
from venues.streams import STREAMS
from venues.venue import ClockOffset, Confirmed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MOST_STATUSES = 1_000
MOST_EVENTS = 10_000  # in memory; more go to a file that has no name
BATCH = 5_000
HEAVIEST_BATCH = 4 * 2**20  # bytes


def key_of(record: Record | Unprinted) -> tuple[Any, ...]:
    """What a record is the state of: a later record with the same key replaces it."""
    match record:
        case Order():
            return (record.symbol, record.order_id)
        case Position():
            return (record.position_id or record.symbol,)
        case ClosedPosition():
            return (record.order_id, record.position_id)
        case Balance():
            return (record.asset,)
        case Candle():
            return (record.symbol, record.interval, record.start)
        case Unprinted():
            return key_of(record.record)
        case _:
            return (record.symbol,)


def is_of(item: Any, stream: str) -> bool:
    """Whether what was delivered belongs to a stream, or is said about it."""
    if isinstance(item, Status | SnapshotEnd | Confirmed | ClockOffset):
        return item.stream == stream
    return isinstance(item, STREAMS[stream].record)


def is_last_word(record: Record) -> bool:
    """A removal or a closed candle: nothing later tells the same, so it is never left out.

    A row that only stopped matching is none: it goes on, and may match again.
    """
    if isinstance(record, Candle):
        return record.closed
    return getattr(record, "change", None) == "remove" and not has_left(record)


def has_left(record: Record) -> bool:
    """Whether it is the last line of a row that only stopped matching."""
    return getattr(record, "match", None) is False


class EventQueue:
    """Keeps every record. What a slow reader leaves behind goes to a temporary file beyond `MOST_EVENTS` or `HEAVIEST`.

    Where the disk is full too, the oldest in memory are left out: `gap` says so in their place, None for nothing.
    `trouble` says what went wrong.
    """

    def __init__(self, gap: Callable[[int], Record | None] = lambda count: None) -> None:
        self._gap = gap
        self._lock = threading.Lock()
        self._waiting: list[Any] = []
        self._weight = 0  # the weight of `_waiting`
        self._file: BinaryIO | None = None
        self._read_at = 0
        self._write_at = 0
        self._spilled = 0  # records in the file
        self._spill_again = -math.inf  # the weight above which a full disk is tried again
        self._left_out = 0
        self.trouble: str | None = None

    def put(self, records: Sequence[Any]) -> None:
        """Append records; too many go to the temporary file."""
        with self._lock:
            self._waiting.extend(records)
            self._weight += sum(map(weight, records))
            if self._weight > self._spill_again and (self._weight > HEAVIEST or len(self._waiting) > MOST_EVENTS):
                self._spill()

    def take(self) -> list[Any]:
        """Take out the next batch, oldest first."""
        with self._lock:
            if self._read_at < self._write_at:
                return self._unspill()
            if len(self._waiting) > BATCH and not self._left_out:  # their lines take as much memory again
                records = self._waiting[:BATCH]
                del self._waiting[:BATCH]
                self._weight -= sum(map(weight, records))
                return records
            records, self._waiting = self._waiting, []
            self._weight, self._spill_again = 0, -math.inf
            if self._left_out:
                gap, self._left_out = self._gap(self._left_out), 0
                records = records if gap is None else [gap, *records]
            return records

    def waiting(self) -> int:
        """How many records wait, in memory and in the file."""
        with self._lock:
            return self._spilled + len(self._waiting)

    def _spill(self) -> None:
        """Put what is in memory behind what is in the file already, so that the order stays."""
        if self._left_out:  # what follows upon a gap must not be in the file before it
            self._leave_out_the_oldest()
            return
        try:
            if self._file is None:
                self._file = cast("BinaryIO", tempfile.TemporaryFile(prefix="mon-", buffering=0))  # noqa: SIM115
            while self._waiting:
                count, heft = _batch(self._waiting)
                batch = pickle.dumps(self._waiting[:count], protocol=pickle.HIGHEST_PROTOCOL)
                data = len(batch).to_bytes(8, "big") + batch
                self._file.seek(self._write_at)
                view = memoryview(data)
                while view:
                    view = view[self._file.write(view) or 0 :]
                self._write_at += len(data)
                self._spilled += count
                self._weight -= heft
                del self._waiting[:count]
            self._spill_again = -math.inf
        except OSError as error:
            self._disk_is_full(error)
            self._spill_again = self._weight + HEAVIEST // 4

    def _disk_is_full(self, error: OSError) -> None:
        """Keep the records in memory, which has room for a while longer."""
        if self.trouble is None:
            self.trouble = f"what waits for a slow reader is kept in memory: {error.strerror}"
        self._leave_out_the_oldest()

    def _leave_out_the_oldest(self) -> None:
        if self._weight <= 2 * HEAVIEST:
            return
        kept = _latest(self._waiting, HEAVIEST)
        self._left_out += len(self._waiting) - len(kept)
        self._waiting, self._weight = kept, sum(map(weight, kept))
        self.trouble = f"{self._left_out} records are left out: {WHY}"

    def _unspill(self) -> list[Any]:
        assert self._file is not None
        self._file.seek(self._read_at)
        length = int.from_bytes(self._file.read(8), "big")
        records: list[Any] = pickle.loads(self._file.read(length))
        self._read_at += 8 + length
        self._spilled -= len(records)
        if self._read_at == self._write_at:
            self._file.close()
            self._file = None
            self._read_at = self._write_at = 0
        return records


class LatestEvents:
    """Keeps the latest records for a table, which shows no more than that anyway.

    What is left out is counted, since a table also sums up what it has seen; the state of the stream is never lost.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Any] = []
        self._weight = 0

    def put(self, records: Sequence[Any]) -> None:
        """Append records; beyond `MOST_EVENTS` or `HEAVIEST` the older half is left out."""
        with self._lock:
            self._waiting.extend(records)
            self._weight += sum(map(weight, records))
            if len(self._waiting) > MOST_EVENTS or self._weight > HEAVIEST:
                kept = _latest(self._waiting[-(MOST_EVENTS // 2) :], HEAVIEST // 2)
                self._leave_out(len(self._waiting) - len(kept))

    def take(self) -> list[Any]:
        """All records that wait, oldest first; takes them out."""
        with self._lock:
            taken, self._waiting, self._weight = self._waiting, [], 0
            return taken

    def waiting(self) -> int:
        """How many records wait to be taken."""
        return len(self._waiting)

    def _leave_out(self, count: int) -> None:
        older, newer = self._waiting[:count], self._waiting[count:]
        statuses = [record for record in older if isinstance(record, Status)]
        events = sum(
            record.count if isinstance(record, Skipped) else 1 for record in older if not isinstance(record, Status)
        )
        self._waiting = [*statuses[-MOST_STATUSES:], Skipped(events), *newer]
        self._weight = sum(map(weight, self._waiting))


def _batch(records: Sequence[Any]) -> tuple[int, int]:
    """How many of the first records make a batch, at least one, and what they weigh."""
    heft = 0
    for count, record in enumerate(records[:BATCH]):
        more = weight(record)
        if count and heft + more > HEAVIEST_BATCH:
            return count, heft
        heft += more
    return len(records[:BATCH]), heft


def _latest(records: Sequence[Any], heaviest: int) -> list[Any]:
    """As many of the last records as weigh at most `heaviest` together."""
    heft = 0
    for count, record in enumerate(reversed(records)):
        heft += weight(record)
        if heft > heaviest:
            return list(records[len(records) - count :])
    return list(records)
