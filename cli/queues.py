"""What waits for a reader of events: every one, or for a table the latest. What waits of a state is in `states.py`.

A queue is filled by the event loop and emptied by the output thread; neither waits for the other.
"""

from __future__ import annotations

import pickle
import tempfile
import threading
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, cast

from cli.output import Skipped
from venues.records import Balance, Candle, ClosedPosition, Order, Position, Record, SnapshotEnd, Status
from venues.streams import STREAMS
from venues.venue import ClockOffset, Confirmed

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_STATUSES = 1_000
MOST_EVENTS = 20_000  # in memory; more go to a file that has no name
BATCH = 5_000


class Queue(Protocol):
    """Records on their way out, in order."""

    def put(self, records: Sequence[Any]) -> None:
        """Append records; never waits."""
        ...

    def take(self) -> Sequence[Any]:
        """The next records, none when there are none; takes them out."""
        ...

    def waiting(self) -> int:
        """How many wait."""
        ...


def key_of(record: Record) -> tuple[Any, ...]:
    """What a record is the state of: a later record with the same key replaces it."""
    match record:
        case Order():
            return (record.order_id,)
        case Position():
            return (record.position_id or record.symbol,)
        case ClosedPosition():
            return (record.order_id, record.position_id)
        case Balance():
            return (record.asset,)
        case Candle():
            return (record.symbol, record.interval, record.start)
        case _:
            return (record.symbol,)


def is_of(item: Any, stream: str) -> bool:
    """Whether what was delivered belongs to a stream, or is said about it."""
    if isinstance(item, Status | SnapshotEnd | Confirmed | ClockOffset):
        return item.stream == stream
    return isinstance(item, STREAMS[stream].record)


def is_last_word(record: Record) -> bool:
    """A removal or a closed candle: nothing later tells the same, so it is never left out."""
    if isinstance(record, Candle):
        return record.closed
    return getattr(record, "change", None) == "remove"


class EventQueue:
    """Keeps every record. What a slow reader leaves behind goes to a temporary file beyond `MOST_EVENTS`.

    `trouble` says what went wrong with that file.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Any] = []
        self._file: BinaryIO | None = None
        self._read_at = 0
        self._write_at = 0
        self._spilled = 0  # records in the file
        self._spill_at = 0
        self.trouble: str | None = None

    def put(self, records: Sequence[Any]) -> None:
        """Append records."""
        with self._lock:
            self._waiting.extend(records)
            if len(self._waiting) > max(self._spill_at, MOST_EVENTS):
                self._spill()

    def take(self) -> list[Any]:
        """The next batch, oldest first."""
        with self._lock:
            if self._read_at < self._write_at:
                return self._unspill()
            records, self._waiting = self._waiting, []
            return records

    def waiting(self) -> int:
        """How many wait, in memory and in the file."""
        with self._lock:
            return self._spilled + len(self._waiting)

    def _spill(self) -> None:
        """What is in memory goes behind what is in the file already, so the order stays.

        Where the disk is full the rest stays in memory: nothing is lost, and it is told once.
        """
        try:
            if self._file is None:
                self._file = cast("BinaryIO", tempfile.TemporaryFile(prefix="mon-", buffering=0))  # noqa: SIM115
            while self._waiting:
                batch = pickle.dumps(self._waiting[:BATCH], protocol=pickle.HIGHEST_PROTOCOL)
                data = len(batch).to_bytes(8, "big") + batch
                self._file.seek(self._write_at)
                view = memoryview(data)
                while view:
                    view = view[self._file.write(view) or 0 :]
                self._write_at += len(data)
                self._spilled += len(self._waiting[:BATCH])
                del self._waiting[:BATCH]
        except OSError as error:
            self._spill_at = 2 * len(self._waiting)
            if self.trouble is None:
                self.trouble = f"what waits for a slow reader is kept in memory: {error.strerror}"

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

    def put(self, records: Sequence[Any]) -> None:
        """Append records; beyond `MOST_EVENTS` the older half is left out."""
        with self._lock:
            self._waiting.extend(records)
            if len(self._waiting) > MOST_EVENTS:
                self._leave_out(len(self._waiting) - MOST_EVENTS // 2)

    def take(self) -> list[Any]:
        """Everything that waits."""
        with self._lock:
            taken, self._waiting = self._waiting, []
            return taken

    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def _leave_out(self, count: int) -> None:
        older, newer = self._waiting[:count], self._waiting[count:]
        statuses = [record for record in older if isinstance(record, Status)]
        events = sum(
            record.count if isinstance(record, Skipped) else 1 for record in older if not isinstance(record, Status)
        )
        self._waiting = [*statuses[-MOST_STATUSES:], Skipped(events), *newer]
