"""B2TRADER's sets of rows: those of the account by their own times, those of the markets that were asked for.

A feed takes the items of one invocation; `begin` starts a new one, of which nothing is known before its first full
state. What outlives invocations and connections is passed in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from msgspec import UNSET, Raw

from venues import records
from venues.b2trader.fields import VENUE, Common
from venues.errors import MonError
from venues.toolkit.row_times import refuse_too_many
from venues.toolkit.times import PER_MS
from venues.toolkit.unasked import LeftOut
from venues.venue import Confirmed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from venues.records import Change, Record
    from venues.toolkit.row_times import RowTimes
    from venues.venue import Item, Now, Subscription

Row = TypeVar("Row")


class MissingRow(MonError):
    """An update of a row is older than a full state that lacks it, or than what is forgotten: another one is needed."""


class RowsFeed(Generic[Row]):
    """The rows of an account by key: whole at first, then those that are new, changed or gone.

    An update that is older than what is known of its row, by the row's own time, changes nothing. One of a row that is
    not known, older than the newest row of the full state or one that is forgotten, raises a `MissingRow`: only a new
    full state tells whether it has gone since.
    """

    def __init__(
        self,
        stream: str,
        rows_of: Callable[[Raw], tuple[list[Row], str, bool | None]],
        record_of: Callable[[Row, str, Now, Common, Change], Record],
        key_of: Callable[[Row], Any],
        common: Common,
        times: RowTimes,
        time_of: Callable[[Row, str], int | None] = lambda row, path: None,
    ) -> None:
        """`rows_of`: gives the rows of an item, their path, and the flag `snapshot`, None in items without one.

        `time_of`: gives a row's own time in picoseconds, None without one; its second argument is the row's path.
        """
        self.whole: bool  # from `begin` on
        self._stream = stream
        self._rows_of = rows_of
        self._record_of = record_of
        self._key_of = key_of
        self._common = common
        self._times = times
        self._time_of = time_of

    def begin(self) -> None:
        """Starts a new invocation: no row counts before its first full state."""
        self.whole = False

    def take(self, item: Raw, now: Now) -> list[Item]:
        """The rows that are new or changed; a full state ends with its `snapshot_end`."""
        rows, path, flag = self._rows_of(item)
        full = not self.whole if flag is None else flag
        if not full and not self.whole:
            return []
        refuse_too_many(rows, path)
        taken: list[Record] = []
        updates: list[tuple[Any, int | None, bool]] = []
        for index, row in enumerate(rows):
            where = f"{path}[{index}]"
            record = self._record_of(row, where, now, self._common, "snapshot" if full else "update")
            gone = getattr(record, "change", None) == "remove"
            taken.append(record)
            updates.append((self._key_of(row), self._time_of(row, where), gone))
        self.whole = True
        clock = self._common.clock
        if full:
            news = self._times.replace(updates, now, clock.venue_now(now))
            there = {update[0]: record for update, record, is_news in zip(updates, taken, news, strict=True) if is_news}
            state = [record for record in there.values() if getattr(record, "change", None) != "remove"]
            return [*state, _end(self._stream, len(state), self._common, now)]
        for key, stamp, gone in updates:
            if not gone and self._times.is_lacking(key, stamp):
                name = key if isinstance(key, str) else " ".join(map(str, key))
                raise MissingRow(f"nothing is known of {name}, which came late")
        # A first state may be of long ago, and so may a repeated row: neither shows the venue's clock.
        if later := [stamp for key, stamp, _ in updates if stamp is not None and self._times.is_later(key, stamp)]:
            clock.see(max(later) // PER_MS, now)
        told, venue_now = clock.take(), clock.venue_now(now)
        counting = [
            record for update, record in zip(updates, taken, strict=True) if self._times.is_news(update, now, venue_now)
        ]
        return [*told, *counting] if counting or not taken else [*told, Confirmed(self._stream)]


class MarketsFeed(Generic[Row]):
    """The rows of the markets that were asked for: whole at first, then those that changed, with what changed.

    Rows of other markets are left out and not counted. Without any market in the subscription all rows are wanted.
    """

    def __init__(
        self,
        subscription: Subscription,
        rows_of: Callable[[Raw], tuple[list[Row], str, bool]],
        record_of: Callable[[Row, str, Now, Common, Change], Record],
        common: Common,
    ) -> None:
        """`rows_of`: gives the rows of an item, their path, and the flag `snapshot`."""
        self.whole: bool  # from `begin` on
        self._stream = subscription.stream
        self._wanted = frozenset(subscription.symbols)
        self._rows_of = rows_of
        self._record_of = record_of
        self._common = common
        self._left_out = LeftOut(VENUE)
        self._held: dict[str, Row]

    def begin(self) -> None:
        """Starts a new invocation: no row is known before its first full state."""
        self.whole = False
        self._held = {}

    def take(self, item: Raw, now: Now) -> list[Item]:
        """The wanted rows of an item; a full state ends with its `snapshot_end`."""
        rows, path, full = self._rows_of(item)
        if not full and not self.whole:
            return []
        if not self._wanted:
            refuse_too_many(rows, path)
        held = {} if full else dict(self._held)
        taken: list[tuple[str, Record]] = []
        unasked: str | None = None
        for index, row in enumerate(rows):
            market: str = row.market_id  # type: ignore[attr-defined]
            if self._wanted and market not in self._wanted:
                unasked = market
                continue
            held[market] = row = _merged(held.get(market), row)
            change: Change = "snapshot" if full else "update"
            taken.append((market, self._record_of(row, f"{path}[{index}]", now, self._common, change)))
        self._held, self.whole = held, True
        said = [] if unasked is None else self._left_out.say(self._stream, unasked)
        if not full:
            return [*said, *(record for _, record in taken)]
        state = dict(taken)
        return [*said, *state.values(), _end(self._stream, len(state), self._common, now)]


def _merged(held: Row | None, row: Row) -> Row:
    """The row with the fields that a partial row names changed."""
    if held is not None:
        names: Sequence[str] = row.__struct_fields__  # type: ignore[attr-defined]
        for name in names:
            if getattr(row, name) is UNSET:
                setattr(row, name, getattr(held, name))
    return row


def _end(stream: str, count: int, common: Common, now: Now) -> records.SnapshotEnd:
    return records.SnapshotEnd(venue=VENUE, env=common.env, received=now.epoch_ms, stream=stream, count=count)
