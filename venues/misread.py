"""Whether every message of a stream is refused. Then they are not damaged: the venue writes them in another way."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from venues.records import SnapshotEnd
from venues.streams import STREAMS
from venues.venue import Confirmed, Notice

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from venues.venue import BadFrame, Item

EVERY_MESSAGE = 3  # so many in a row that have the same fault, and none between them that could be read …
OF_ANY_FAULT = 10  # … or so many with several faults

_PLACE = re.compile(r"\[[0-9]+\]")


class Misread:
    """Counts the bad frames of each stream of a line; `pending` while the last message of one was bad."""

    def __init__(self, streams: Collection[str]) -> None:
        self.pending = False
        self._in_a_row = dict.fromkeys(streams, 0)
        self._alike = dict.fromkeys(streams, 0)  # of those, the last ones with one fault
        self._fault = dict.fromkeys(streams, "")
        self._told: set[str] = set()

    def bad(self, frame: BadFrame) -> list[Notice]:
        """Counts one more bad frame. Returns a notice when no message of a stream can be read, once for each stream."""
        self.pending = True
        fault = _PLACE.sub("[]", frame.reason.partition(", got ")[0])
        concerned = [stream for stream in self._in_a_row if frame.streams is None or stream in frame.streams]
        found = [stream for stream in concerned if self._is_every(stream, fault) and stream not in self._told]
        if not found:
            return []
        self._told.update(found)
        words = "the venue's format seems to have changed"
        return [Notice(f"{words}: no message of {', '.join(found)} can be read: {frame.reason}")]

    def good(self, items: Sequence[Item]) -> None:
        """Takes the items of a good frame: the streams that have something in it can be read."""
        for stream, count in self._in_a_row.items():
            if count and any(_is_of(item, stream) for item in items):
                self._in_a_row[stream] = self._alike[stream] = 0
        self.pending = any(self._in_a_row.values())

    def _is_every(self, stream: str, fault: str) -> bool:
        self._alike[stream] = self._alike[stream] + 1 if fault == self._fault[stream] else 1
        self._fault[stream] = fault
        self._in_a_row[stream] += 1
        return self._alike[stream] >= EVERY_MESSAGE or self._in_a_row[stream] >= OF_ANY_FAULT


def _is_of(item: Item, stream: str) -> bool:
    if isinstance(item, Confirmed | SnapshotEnd):
        return item.stream == stream
    return isinstance(item, STREAMS[stream].record)
