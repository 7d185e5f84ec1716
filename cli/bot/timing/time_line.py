"""The recordings of a replay, one after the other: one time line, with a gap between two of them."""

from __future__ import annotations

import contextlib
from collections import deque
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec
from msgspec import structs

from venues import events
from venues.errors import DamagedRecording, UsageError
from venues.recording import Recording
from venues.recording_file import read_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from venues.recording import Header, RecordedSubscription

_LOOKED_AT = 3  # lines at a recording's end among which its last event is
_EVENT: msgspec.json.Decoder[events.Event] = msgspec.json.Decoder(events.Event)


class PeekedRecording(Recording):
    """A recording whose first event is read ahead: the script starts at its time."""

    def __init__(self, path: Path, before: PeekedRecording | None = None) -> None:
        """With one `before` it, the monotonic clock goes on from there: by as much as the other clock did."""
        super().__init__(path)
        self.path = path
        self.last: events.Event | None = None  # that was played
        self._before = before
        self._rest = super().events()
        self.first = next(self._rest, None)

    def events(self) -> Iterator[events.Event]:
        """All events in order, with the one that was read ahead."""
        shift = self._shift()
        if self.first is not None:
            self.last = events.shifted(self.first, shift) if shift else self.first
            yield self.last
        for event in self._rest:
            self.last = events.shifted(event, shift) if shift else event
            yield self.last

    def _shift(self) -> float:
        if self._before is None:
            return 0.0
        self.last = last = self._before.last
        if last is None or self.first is None:
            return 0.0
        return last.mono + max(0.0, (self.first.at - last.at) / 1000) - self.first.mono


class TimeLine:
    """Recordings that are played one after the other. `header` is what all of them together are of."""

    def __init__(self, paths: Sequence[Path]) -> None:
        """Opens them.

        Raises:
            RecordingError: one of them is no recording.
            UsageError: they are not in the order of their time.
        """
        self.recordings: list[PeekedRecording] = []
        for path in paths:
            before = self.recordings[-1] if self.recordings else None
            self.recordings.append(PeekedRecording(path, before))
        self._check_order()
        self.header = _together([one.header for one in self.recordings])

    @property
    def first(self) -> events.Event | None:
        """The first event of all; None where there is none."""
        return next((one.first for one in self.recordings if one.first is not None), None)

    @property
    def last_at(self) -> int | None:
        """When the last event of all that were played came, in milliseconds since the epoch; None before the first."""
        return max((one.last.at for one in self.recordings if one.last is not None), default=None)

    def __str__(self) -> str:
        return " and ".join(str(one.path) for one in self.recordings)

    def _check_order(self) -> None:
        begun = [one for one in self.recordings if one.first is not None]
        for earlier, later in pairwise(begun):
            assert later.first is not None, "it has events"
            end = ends_at(earlier.path)
            if end is not None and later.first.at < end:
                raise UsageError(
                    "expected several --replay in the order of their time, none before the one before it has ended: "
                    f"{later.path} begins at {_moment(later.first.at)}, and {earlier.path} ends at {_moment(end)}"
                )


def ends_at(path: Path) -> int | None:
    """When the last event of a recording came, in milliseconds since the epoch; None where it has no event.

    Raises:
        UsageError: it is no file that can be read twice.
        RecordingError: it cannot be read.
    """
    if not path.is_file():
        raise UsageError(f"expected a file, which is read twice where there are several recordings, got {path}")
    latest: deque[bytes] = deque(maxlen=_LOOKED_AT)
    with contextlib.suppress(DamagedRecording):  # it is played up to there
        latest.extend(read_lines(path))
    for line in reversed(latest):
        try:
            return _EVENT.decode(line).at
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            continue
    return None


def _moment(epoch_ms: int) -> str:
    return datetime.fromtimestamp(epoch_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _together(headers: Sequence[Header]) -> Header:
    """One header of all that was watched in any of the recordings."""
    by_venue: dict[str, Header] = {}
    for one in (one for header in headers for one in header.venues()):
        known = by_venue.get(one.venue)
        watched: list[RecordedSubscription] = [] if known is None else known.subscriptions
        more = [each for each in one.subscriptions if each not in watched]
        by_venue[one.venue] = structs.replace(known or one, subscriptions=[*watched, *more], beside=[])
    first, *others = by_venue.values()
    return structs.replace(first, beside=others)
