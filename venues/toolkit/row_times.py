"""Rows with a time of their own: which update of a row is news, and which one came late.

An update that is older, by the venue's own time, than what is held of its row changes nothing. A row that is gone stays
gone when an older update of it arrives. Where times are equal or absent, arrival decides. All of it outlives
connections, and is bounded whatever a venue sends. Pure.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from venues.errors import BadMessage
from venues.toolkit.times import PER_MS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from venues.venue import Now

MOST_ROWS = 50_000  # that are there: beyond it the oldest are forgotten, and …
MOST_GONE = 5_000  # … of those that are gone, some 300 bytes each
FAR_AHEAD_MS = 5_000  # a time that is so far ahead of both clocks is not believed
NEVER = -(10**30)  # before any time; a row may say that it is of before 1970
MOST_AT_ONCE = 50_000  # rows in one message: a message of 16 MiB can have so many that they fill our memory

Update = tuple[Any, int | None, bool]
"""An update of a row: its key, its own time in picoseconds since the epoch (None: it has none), whether it is gone."""


def refuse_too_many(rows: Collection[Any], path: str) -> None:
    """Refuse too many rows, before records are made of them.

    Raises:
        BadMessage: more than any account or market has; names `path`.
    """
    if len(rows) > MOST_AT_ONCE:
        raise BadMessage(f"expected at most {MOST_AT_ONCE} rows at `{path}`, got {len(rows)}")


def forget_oldest(kept: dict[Any, Any], most: int) -> dict[Any, Any]:
    """Keeps about the `most` entries that were put last; returns those removed.

    They are removed a tenth at a time: a dict is slow to find its first entry behind many deleted ones.
    """
    if len(kept) < most + most // 10:
        return {}
    return {key: kept.pop(key) for key in list(islice(kept, len(kept) - most))}


class Remembered:
    """Remembers at least the latest `most` of many things, as hashes: so long ids cost no more memory."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._hashes: dict[int, None] = {}

    def __contains__(self, thing: Any) -> bool:
        return hash(thing) in self._hashes

    def add(self, thing: Any) -> bool:
        """Remembers a thing; returns whether it was unknown before."""
        number = hash(thing)
        is_new = number not in self._hashes
        self._hashes.pop(number, None)
        self._hashes[number] = None
        forget_oldest(self._hashes, self._most)
        return is_new

    def discard(self, thing: Any) -> None:
        """Forgets a thing; an unknown one is ignored."""
        self._hashes.pop(hash(thing), None)


class _Known(NamedTuple):
    """The time of a row's latest update, and how many ms it was ahead of our monotonic clock when it came.

    `believed`: the latest update before it whose time is believed, if this one's is not; else None.
    """

    stamp: int
    lead: float
    believed: _Known | None = None


class RowTimes:
    """The times of the rows of one stream, and of those that are gone.

    A time far ahead of both our clock and the venue's is not believed. The update counts, as one without a time does,
    and later updates with right times count too. Two such times are compared with each other, since it may be our clock
    that is wrong. How far a time is ahead is computed anew each time, because the clocks may be known better by then.
    """

    def __init__(self) -> None:
        self._there: dict[int, _Known] = {}
        self._gone: dict[int, _Known] = {}
        self._whole = NEVER  # the newest time that is believed in the last whole state
        self._forgotten = NEVER  # the newest such time of all rows that were forgotten
        self._all_timed = True  # whether each row of the last whole state had a time

    def is_news(self, update: Update, now: Now, venue_now: int) -> bool:
        """Takes an update; whether it changes its row. `venue_now` is the venue's clock in ms, as far as known."""
        key, stamp, gone = update
        number = hash(key)
        known = self._there.get(number) or self._gone.get(number)
        reference = max(now.epoch_ms, venue_now) - now.mono * 1000
        if stamp is not None:
            lead = stamp / PER_MS - now.mono * 1000
            if known is not None and _is_older(stamp, lead, known, reference):
                return False
            is_doubtful = lead - reference >= FAR_AHEAD_MS
            known = _Known(stamp, lead, _believed(known, reference) if is_doubtful and known is not None else None)
        if known is not None:
            kept, other = (self._gone, self._there) if gone else (self._there, self._gone)
            other.pop(number, None)
            self._keep(kept, number, known, reference)
        return True

    def is_later(self, key: Any, stamp: int) -> bool:
        """Whether a time is later than that of the row's latest update; True for a row that is not known."""
        number = hash(key)
        known = self._there.get(number) or self._gone.get(number)
        return known is None or stamp > known.stamp

    def is_lacking(self, key: Any, stamp: int | None) -> bool:
        """Whether an update of a row that is not known is older than the last whole state, or than a forgotten row.

        Either the row has gone since, or the state was not whole: only another one can tell.
        """
        if stamp is None or not self._all_timed or stamp >= max(self._whole, self._forgotten):
            return False
        number = hash(key)
        return number not in self._there and number not in self._gone

    def replace(self, updates: Iterable[Update], now: Now, venue_now: int) -> list[bool]:
        """Takes a whole state; returns for each of its rows whether it counts.

        Everything else is gone. A row that is known to have gone later stays gone.
        """
        updates = list(updates)
        latest = (max(now.epoch_ms, venue_now) + FAR_AHEAD_MS) * PER_MS
        stamps = [stamp for _, stamp, _ in updates if stamp is not None]
        self._all_timed = len(stamps) == len(updates)  # a row without a time is not remembered
        self._whole = max((stamp for stamp in stamps if stamp < latest), default=NEVER)
        before, self._there = self._there, {}
        news = [self.is_news(update, now, venue_now) for update in updates]
        reference = max(now.epoch_ms, venue_now) - now.mono * 1000
        for number, known in before.items():  # what is not in it any more is gone
            if number not in self._there and number not in self._gone:
                self._keep(self._gone, number, known, reference)
        return news

    def _keep(self, kept: dict[int, _Known], number: int, known: _Known, reference: float) -> None:
        kept.pop(number, None)
        kept[number] = known
        for oldest in forget_oldest(kept, MOST_GONE if kept is self._gone else MOST_ROWS).values():
            if believed := _believed(oldest, reference):
                self._forgotten = max(self._forgotten, believed.stamp)


def _is_older(stamp: int, lead: float, known: _Known, reference: float) -> bool:
    if known.lead - reference < FAR_AHEAD_MS:
        return stamp < known.stamp
    if lead - reference >= FAR_AHEAD_MS and stamp < known.stamp:
        return True
    return known.believed is not None and stamp < known.believed.stamp


def _believed(known: _Known, reference: float) -> _Known | None:
    return known._replace(believed=None) if known.lead - reference < FAR_AHEAD_MS else known.believed
