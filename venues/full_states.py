"""The full state of a stream with a row a symbol: `snapshot_end` once each symbol has its row. Pure.

Quotes of two symbols, say, come one by one, and from two connections if the venue wants it so. A script knows that it
has everything when this says so: at the beginning, and again after each interruption, once the missing rows are here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from venues.records import Record, SnapshotEnd, Status
from venues.streams import STREAMS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from venues.driver import Delivered


class FullStates:
    """What is known of one stream over all its connections. A venue that sends ends of its own is left to that."""

    def __init__(self, stream: str, symbols: Sequence[str], *, venue: str, label: str | None) -> None:
        self._stream, self._symbols = stream, symbols
        self._record = STREAMS[stream].record
        self._venue, self._label = venue, label
        self._open = set(symbols)  # those that are not closed for good
        self._missing = set(symbols)
        self._by_venue = False

    def completed(self, items: list[Delivered]) -> list[Delivered]:
        """The items of one message, with the end of a full state behind the row that completes it."""
        if self._by_venue or not any(self._is_news(item) for item in items):
            return items
        if any(isinstance(item, SnapshotEnd) and item.stream == self._stream for item in items):
            self._by_venue = True
            return items
        completed: list[Delivered] = []
        for item in items:
            before = len(self._missing)
            if isinstance(item, Status):
                self._note(item)
            elif isinstance(item, self._record):
                self._missing.discard(item.symbol or "")
            completed.append(item)
            if before and not self._missing and self._open:
                completed.append(self._end(item))
        return completed

    def _is_news(self, item: Delivered) -> bool:
        """Whether an item may change what is missing; in a calm market none does."""
        if isinstance(item, Status | SnapshotEnd):
            return item.stream == self._stream
        return bool(self._missing) and isinstance(item, self._record)

    def _note(self, status: Status) -> None:
        if status.stream != self._stream or status.state == "live":
            return
        concerned = set(self._symbols if status.symbol is None else (status.symbol,))
        if status.state == "closed":
            self._open -= concerned
            self._missing -= concerned
        else:
            self._open |= concerned  # a later run of a recording begins anew
            self._missing |= concerned

    def _end(self, last: Delivered) -> SnapshotEnd:
        assert isinstance(last, Record)
        return SnapshotEnd(
            venue=self._venue, env=self._label, received=last.received, stream=self._stream, count=len(self._open)
        )
