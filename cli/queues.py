"""What waits for a reader: of a state the latest of each key, of events every one.

Both queues are filled by the event loop and emptied by the output thread; neither waits for the other.
"""

from __future__ import annotations

import pickle
import tempfile
import threading
from collections import deque
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, cast

from venues.records import Balance, Candle, ClosedPosition, Order, Position, Record, SnapshotEnd, Status

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


def is_last_word(record: Record) -> bool:
    """A removal or a closed candle: nothing later tells the same, so it is never left out."""
    if isinstance(record, Candle):
        return record.closed
    return getattr(record, "change", None) == "remove"


class StateQueue:
    """Keeps the latest record of each key; a reader that keeps up gets every one.

    A status cuts the sequence: a state is never moved from one side of it to the other. What was current before an
    interruption is dropped when the interruption is here, since it is not current any more.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[tuple[Any, ...], Record] = {}
        self._segment = 0
        self._statuses = 0

    def put(self, records: Sequence[Record]) -> None:
        """Append records, or replace those that wait under the same key."""
        with self._lock:
            for record in records:
                if isinstance(record, Status | SnapshotEnd):
                    self._cut(record)
                else:
                    key = (self._segment, *key_of(record))
                    self._waiting.pop(key, None)
                    self._waiting[key] = record

    def take(self) -> list[Record]:
        """Everything that waits."""
        with self._lock:
            records = list(self._waiting.values())
            self._waiting = {}
            self._statuses = 0
            return records

    def _cut(self, record: Status | SnapshotEnd) -> None:
        if isinstance(record, Status) and record.state in ("stale", "reconnecting", "closed"):
            self._waiting = {
                key: waiting
                for key, waiting in self._waiting.items()
                if isinstance(waiting, Status) or is_last_word(waiting)
            }
        self._segment += 1
        self._waiting[(self._segment, "cut")] = record
        self._segment += 1
        self._statuses += 1
        if self._statuses > MOST_STATUSES:
            oldest = next(key for key, waiting in self._waiting.items() if isinstance(waiting, Status | SnapshotEnd))
            del self._waiting[oldest]


class EventQueue:
    """Keeps every record. What a slow reader leaves behind goes to a temporary file beyond `MOST_EVENTS`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Any] = []
        self._file: BinaryIO | None = None
        self._read_at = 0
        self._write_at = 0

    def put(self, records: Sequence[Any]) -> None:
        """Append records."""
        with self._lock:
            self._waiting.extend(records)
            if len(self._waiting) > MOST_EVENTS:
                self._spill()

    def take(self) -> list[Any]:
        """The next batch, oldest first."""
        with self._lock:
            if self._read_at < self._write_at:
                return self._unspill()
            records, self._waiting = self._waiting, []
            return records

    def _spill(self) -> None:
        """Everything in memory goes behind what is in the file already, so the order stays."""
        if self._file is None:
            self._file = cast("BinaryIO", tempfile.TemporaryFile(prefix="mon-", buffering=0))  # noqa: SIM115
        self._file.seek(self._write_at)
        for start in range(0, len(self._waiting), BATCH):
            batch = pickle.dumps(self._waiting[start : start + BATCH], protocol=pickle.HIGHEST_PROTOCOL)
            data = len(batch).to_bytes(8, "big") + batch
            view = memoryview(data)
            while view:
                view = view[self._file.write(view) or 0 :]
            self._write_at += len(data)
        self._waiting = []

    def _unspill(self) -> list[Any]:
        assert self._file is not None
        self._file.seek(self._read_at)
        length = int.from_bytes(self._file.read(8), "big")
        records: list[Any] = pickle.loads(self._file.read(length))
        self._read_at += 8 + length
        if self._read_at == self._write_at:
            self._file.close()
            self._file = None
            self._read_at = self._write_at = 0
        return records


class LatestEvents:
    """Keeps the latest records for a table, which shows no more than that anyway."""

    def __init__(self) -> None:
        self._waiting: deque[Any] = deque(maxlen=MOST_EVENTS)

    def put(self, records: Sequence[Any]) -> None:
        """Append records; the oldest fall out."""
        self._waiting.extend(records)

    def take(self) -> list[Any]:
        """Everything that waits."""
        taken = []
        while self._waiting:
            taken.append(self._waiting.popleft())
        return taken
