"""What waits of a state: each row once, with its newest value, in the order in which the rows changed first. Pure.

The order is one of turns: a row that changes while it waits keeps its place, so none is left behind by others that
change more often, and none is handed over with a value that a newer one has replaced.
"""

from __future__ import annotations

from collections import OrderedDict
from itertools import count
from typing import TYPE_CHECKING, Any

from msgspec import structs

from cli.output.queues import MOST_STATUSES, has_left, is_last_word, key_of
from cli.output.weights import weight
from venues.records import TROUBLE, Record, SnapshotEnd, Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_Key = tuple[Any, ...]
_Token = tuple[str, int]  # its kind, and its number in the order of arrival


class Whole:
    """A full state of rows that waits, with the `snapshot_end` after them.

    What changes meanwhile changes in it, and a row that goes leaves it: when it is complete at its reader, it is the
    state of that moment.
    """

    def __init__(self, rows: Iterable[Record], end: SnapshotEnd) -> None:
        self.rows = {key_of(row): row for row in rows}
        self._end = end
        self._gone = 0
        self.begun = False

    @property
    def end(self) -> SnapshotEnd:
        """The `snapshot_end`, with the number of rows that are still part of the state."""
        return structs.replace(self._end, count=self._end.count - self._gone) if self._gone else self._end

    def put(self, record: Record) -> bool:
        """Take in a newer value of a row. False when the row does not wait here."""
        key = key_of(record)
        if key not in self.rows:
            return False
        if getattr(record, "change", None) == "update":
            record = structs.replace(record, change="snapshot")  # it is part of a full state now
        self.rows[key] = record
        return True

    def has(self, symbol: str) -> bool:
        """Whether a row of that symbol waits here."""
        return any(row.symbol == symbol for row in self.rows.values())

    def drop(self, key: _Key) -> None:
        """Take out a row that is gone from the state, if it waits here."""
        if self.rows.pop(key, None) is not None:
            self._gone += 1

    def renew(self, newer: Whole) -> None:
        """A newer full state is here: what waits gets its newest value, and what is gone waits no more."""
        for key in list(self.rows):
            if key in newer.rows:
                self.rows[key] = newer.rows[key]
            else:
                self.drop(key)

    def take(self) -> Record:
        """The next row, and after the last one the end."""
        self.begun = True
        return self.rows.pop(next(iter(self.rows))) if self.rows else self.end

    def lines(self) -> list[Record]:
        """The rows that still wait, and after them the end."""
        return [*self.rows.values(), self.end]


def with_wholes(records: Sequence[Any]) -> list[Any]:
    """The records, with each full state as one: the rows right before a `snapshot_end` that counts them.

    Those that are one already stay so. Where a row comes twice among them they are changes, which stay as they came.
    """
    joined: list[Any] = []
    for record in records:
        if isinstance(record, SnapshotEnd):
            rows = joined[len(joined) - record.count :]
            if len(rows) == record.count and all(map(_is_row, rows)):
                whole = Whole(rows, record)
                if len(whole.rows) == record.count:
                    del joined[len(joined) - record.count :]
                    record = whole
        joined.append(record)
    return joined


class OwedEnd:
    """A `snapshot_end` whose state lost rows on its way: a symbol ran into trouble before they were handed over.

    It is put behind the row that completes the state again. `see` is to be called for all that comes, in order.
    """

    def __init__(self) -> None:
        self._end: SnapshotEnd | None = None
        self._without_row: set[str | None] = set()  # symbols that have none since their trouble

    def owe(self, end: SnapshotEnd, after: Iterable[Record] = ()) -> None:
        """Keep the end until each symbol has a row again, and until these rows have come."""
        self._end = end
        self._without_row.update(row.symbol for row in after)

    def forget(self) -> None:
        """Owe nothing: there is a newer end, or no state at all."""
        self._end = None

    def before(self, record: Record | Whole) -> SnapshotEnd | None:
        """The end, where the state was complete before this record. An end that comes now takes its place."""
        return None if isinstance(record, Whole | SnapshotEnd) else self.complete()

    def complete(self) -> SnapshotEnd | None:
        """The end, where each symbol has a row again; it is not owed any more."""
        if self._end is None or self._without_row:
            return None
        end, self._end = self._end, None
        return end

    def see(self, record: Record | Whole) -> None:
        """Take note of what comes."""
        if isinstance(record, Status):
            self._on_status(record)
        elif isinstance(record, Whole | SnapshotEnd):
            self._end = None
            self._without_row.clear()
        else:
            self._without_row.discard(record.symbol)

    def _on_status(self, status: Status) -> None:
        if status.state == "live":
            return
        if status.symbol is None:
            self._end = None
            self._without_row.clear()
        elif status.state == "closed":
            self._without_row.discard(status.symbol)
            if self._end is not None:
                self._end = structs.replace(self._end, count=self._end.count - 1)
        else:
            self._without_row.add(status.symbol)


def _is_row(record: Any) -> bool:
    is_data = isinstance(record, Record) and not isinstance(record, Status | SnapshotEnd)
    return is_data and not is_last_word(record) and not has_left(record)


class Turns:
    """The records of one state stream that wait for a reader that is behind.

    - A row waits once, with its newest value; removals and closed candles (last words) are all kept, after what waits
      of the same row before them is left out.
    - A full state is handed over whole before the next one begins. While it is being handed over, the latest of the
      full states that come waits; those between are left out.
    - Nothing moves from one side of a status to the other: a row that changes after one waits behind it.
    - A status that says that the stream is not live drops the rows that wait, and what was said before of
      interruptions that are over.
    - `several`: the stream has several symbols, and a status with a symbol does all this to the rows of that symbol
      alone. A full state that loses rows by that waits for them, in `owed`.
    """

    def __init__(self, *, several: bool = False, owed: OwedEnd | None = None) -> None:
        self._several = several
        self._owed = OwedEnd() if owed is None else owed
        self._order: OrderedDict[_Token, Record | Whole] = OrderedDict()
        self._rows: dict[_Key, _Token] = {}  # the rows that wait outside of a full state
        self._wholes: list[_Token] = []  # the one that is being handed over, and the one after it
        self._earlier: list[_Token] = []  # full states before the last status
        self._statuses: list[_Token] = []
        self._numbers = count()
        self._since = next(self._numbers)  # a number before the first that came after the last status
        self._since_of: dict[str | None, int] = {}  # the same for a symbol that had one of its own

    def __len__(self) -> int:
        """How many lines wait, with each row of a full state counted."""
        return len(self._order) + sum(len(self._whole(token).rows) for token in (*self._earlier, *self._wholes))

    def __bool__(self) -> bool:
        return bool(self._order)

    def add(self, records: Sequence[Record | Whole], *, seen: bool = False) -> None:
        """Take in records that came together, after those before. `seen`: what is owed knows of them already."""
        follow = self._several and not seen
        for record in with_wholes(records):
            if follow and (end := self._owed.before(record)) is not None:
                self._append("end", end)
            if isinstance(record, Whole):
                self._add_whole(record)
            elif isinstance(record, Status):
                self._add_status(record)
            elif isinstance(record, SnapshotEnd):
                self._append("end", record)
            elif is_last_word(record):
                self._drop(key_of(record))
                self._append("last word", record)
            else:
                self._add_row(record)
            if follow:
                self._owed.see(record)
        if follow and (end := self._owed.complete()) is not None:
            self._append("end", end)

    def take(self, most: int | None = None) -> list[Record]:
        """Take out the next records, at most so many."""
        taken: list[Record] = []
        while self._order and (most is None or len(taken) < most):
            token, item = next(iter(self._order.items()))
            if not isinstance(item, Whole):
                self._forget(token)
                taken.append(item)
                continue
            taken.append(item.take())
            if isinstance(taken[-1], SnapshotEnd):
                self._forget(token)
        return taken

    def heft(self) -> int:
        """About how many bytes of memory all that waits takes."""
        return sum(
            sum(map(weight, item.rows.values())) if isinstance(item, Whole) else weight(item)
            for item in self._order.values()
        )

    def clear(self) -> int:
        """Leave out everything but the statuses; how many rows that were."""
        left_out = len(self) - len(self._statuses)
        self._forget_all("row", "last word", "whole", "end")
        self._owed.forget()
        return left_out

    def _add_row(self, record: Record) -> None:
        key = key_of(record)
        for token in (*self._earlier, *(self._wholes if has_left(record) else ())):
            self._whole(token).drop(key)
        held = [self._whole(token).put(record) for token in self._wholes]
        if any(held):
            return
        waiting = self._rows.get(key)
        since = max(self._since, self._since_of.get(record.symbol, self._since)) if self._several else self._since
        if waiting is not None and waiting[1] >= since:
            self._order[waiting] = record
            return
        self._drop(key)
        self._rows[key] = self._append("row", record)

    def _drop(self, key: _Key) -> None:
        """Leave out what waits of a row that is gone."""
        for token in (*self._earlier, *self._wholes):
            self._whole(token).drop(key)
        if (waiting := self._rows.get(key)) is not None:
            self._forget(waiting)

    def _add_whole(self, newer: Whole) -> None:
        """Take in a full state. Other rows that wait are left out: each is in that state, or gone.

        Of several symbols those that are not in it stay, before it: nothing says that they are gone.
        """
        self._forget_all("end")
        for key, token in list(self._rows.items()):
            if not self._several or key in newer.rows:
                self._forget(token)
        for token in self._earlier:
            self._whole(token).renew(newer)
        if not self._wholes:
            self._wholes.append(self._append("whole", newer))
            return
        current = self._whole(self._wholes[0])
        if not current.begun:
            (waiting,) = self._wholes
            self._order[waiting] = newer
            return
        current.renew(newer)
        for token in self._wholes[1:]:
            self._forget(token)
        self._wholes.append(self._append("whole", newer))

    def _add_status(self, status: Status) -> None:
        """Take in a status, behind what was said before of the same."""
        symbol = status.symbol if self._several else None
        if status.state in TROUBLE or (self._several and status.state != "live"):
            self._on_trouble(symbol)
        self._statuses.append(self._append("status", status))
        if len(self._statuses) > MOST_STATUSES:
            self._forget(self._statuses[0])
        if symbol is None:
            self._earlier += self._wholes
            self._wholes, self._since = [], next(self._numbers)
        else:
            holding = [token for token in self._wholes if self._whole(token).has(symbol)]
            self._earlier += holding
            self._wholes = [token for token in self._wholes if token not in holding]
            self._since_of[symbol] = next(self._numbers)

    def _on_trouble(self, symbol: str | None) -> None:
        if symbol is None:
            self._forget_all("row", "whole", "end")
        else:
            self._drop_rows_of(symbol)
        said = [token for token in self._statuses if symbol in (None, getattr(self._order[token], "symbol", None))]
        if said and getattr(self._order[said[-1]], "state", None) == "live":
            for token in said:
                if symbol is not None or not self._is_last_of_a_symbol(token):
                    self._forget(token)

    def _is_last_of_a_symbol(self, token: _Token) -> bool:
        """Whether a status says that one of several symbols is closed, which stays so whatever happens to all."""
        status = self._order[token]
        return self._several and isinstance(status, Status) and status.state == "closed" and status.symbol is not None

    def _drop_rows_of(self, symbol: str) -> None:
        """Leave out the rows of a symbol. A full state that they are part of is none any more; its end is owed."""
        order, self._order = self._order, OrderedDict()
        is_dropped = False
        for token, item in order.items():
            if isinstance(item, Whole) and item.has(symbol):
                is_dropped = True
                self._owed.owe(item.end)
                (self._wholes if token in self._wholes else self._earlier).remove(token)
                for key, row in item.rows.items():
                    if row.symbol != symbol and key not in self._rows:
                        self._rows[key] = self._append("row", row)
            elif token[0] == "row" and getattr(item, "symbol", None) == symbol:
                is_dropped = True
                self._rows = {key: waiting for key, waiting in self._rows.items() if waiting != token}
            elif is_dropped and isinstance(item, SnapshotEnd):
                self._owed.owe(item)
            else:
                self._order[token] = item

    def _append(self, kind: str, item: Record | Whole) -> _Token:
        token = (kind, next(self._numbers))
        self._order[token] = item
        return token

    def _whole(self, token: _Token) -> Whole:
        whole = self._order[token]
        assert isinstance(whole, Whole)
        return whole

    def _forget_all(self, *kinds: str) -> None:
        for token in [token for token in self._order if token[0] in kinds]:
            self._forget(token)

    def _forget(self, token: _Token) -> None:
        item = self._order.pop(token)
        if isinstance(item, Whole):
            (self._wholes if token in self._wholes else self._earlier).remove(token)
        elif token[0] == "status":
            self._statuses.remove(token)
        elif token[0] == "row":
            del self._rows[key_of(item)]
