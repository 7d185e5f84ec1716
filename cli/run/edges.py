"""When `--on` fires: each time that a condition becomes true, for each key by itself. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cli.output.queues import key_of
from venues.records import Candle, is_from_before
from venues.toolkit.row_times import forget_oldest

if TYPE_CHECKING:
    from collections.abc import Collection

    from cli.output.conditions import Condition
    from cli.output.standing import Stand
    from venues.records import Record

    Key = tuple[Any, ...]

MOST_KEYS = 100_000


def edge_key(record: Record) -> Key:
    """What a condition is true of: a symbol, an order, a position, an asset. The candles of a symbol are one."""
    return (record.symbol,) if record.__class__ is Candle else key_of(record)


class Edges:
    """Remembers of which keys the condition is true.

    On events each match fires. On states a key fires when the condition becomes true; again after it was false, or,
    with `rearm`, after that was true. What was true before an interruption and is true after it does not fire.
    `skip_first`: nor does what is true in the first state: in each key's first record, and of `rows` in the first full
    state.
    """

    def __init__(
        self,
        condition: Condition,
        rearm: Condition | None = None,
        *,
        events: bool,
        rows: bool = False,
        skip_first: bool = False,
    ) -> None:
        self._condition = condition
        self._rearm = rearm
        self._events = events
        self._rows = rows
        self._skip_first = skip_first
        self._first_over = False  # of rows: the first full state is here
        self._true: dict[Key, bool] = {}
        self._apart: dict[int, bool] = {}  # by stand
        self._lived: set[int] = set()  # stands that were judged while they were live

    def record(self, record: Record, key: Key, stand: Stand) -> bool:
        """Judge a record of a live stream; whether it fires."""
        if not self._condition.uses_record:
            return self.stand(stand)
        seen = stand.seen
        if self._events:
            return not is_from_before(record) and bool(self._condition.is_true(record, seen))
        known = self._true.get(key)
        if self._condition.is_true(record, seen):
            if known:
                return False
            self._note(key, known=known, is_true=True)
            is_first = not self._first_over if self._rows else known is None
            return not (self._skip_first and is_first and known is None)
        if known is None:
            self._note(key, known=None, is_true=False)
        elif known and self._is_over(record, stand):
            self._true[key] = False
        return False

    def stand(self, stand: Stand) -> bool:
        """Judge what is known of a stream without its records; whether that fires."""
        condition = self._condition
        if not condition.uses_standing:
            return False
        known = self._apart.get(id(stand), False)
        is_true = bool(condition.is_true_apart(stand.seen))
        is_first = stand.live and id(stand) not in self._lived
        if is_first:
            self._lived.add(id(stand))
        if is_true == known:
            return False
        if is_true or self._rearm is None or self._rearm.is_true_apart(stand.seen):
            self._apart[id(stand)] = is_true
        return is_true and not (is_first and self._skip_first)

    def gone(self, key: Key) -> None:
        """Forget a row that is gone: one that comes again is another one."""
        self._true.pop(key, None)

    def full(self, keys: Collection[Key]) -> None:
        """A full state is here; whatever is not in it is gone."""
        self._first_over = True
        for key in [key for key in self._true if key not in keys]:
            del self._true[key]

    def _is_over(self, record: Record, stand: Stand) -> bool:
        over = self._condition.is_false if self._rearm is None else self._rearm.is_true
        return bool(over(record, stand.seen))

    def _note(self, key: Key, *, known: bool | None, is_true: bool) -> None:
        self._true[key] = is_true
        if known is None:
            forget_oldest(self._true, MOST_KEYS)
