"""The user's own limits: data older than `--max-age` is stale; `--every` thins a state out. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal, Protocol

from msgspec import structs

from cli.output.queues import has_left, is_last_word, is_of, key_of
from cli.output.symbols import begins_anew, is_closed_alone
from cli.output.turns import OwedEnd, Whole, with_wholes
from cli.output.weights import HEAVIEST, weight
from venues.records import Record, SnapshotEnd, Status
from venues.streams import STREAMS
from venues.toolkit.row_times import forget_oldest
from venues.venue import ClockOffset, Confirmed, has_several, symbol_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from venues.driver import Delivered
    from venues.venue import Now, Subscription

MOST_REMEMBERED = 25_000  # rows that have passed: more than ever wait for a reader
MOST_KEYS = 20_000  # rows that have passed and may not pass again yet


_Place = tuple[int | None, str]  # a line, None for all of them, and a stream


class MaxAge:
    """Makes a live stream stale when its data is older than the limit, by our clock or by the venue's.

    While it is stale no state passes, since it would be old; events pass, since each counts. What has passed and then
    waits for its reader is judged again when it is handed over: see `good_until` and `came_late`.
    """

    def __init__(self, limit_ms: int, stream: str, *, venue: str, env: str | None, symbol: str | None) -> None:
        self._limit_ms = limit_ms
        self._stream = stream
        self._venue, self._env, self._symbol = venue, env, symbol
        self._offset_ms = 0  # how far the venue's clock is ahead of ours
        self._live = False
        self._is_closed = False
        self._versions: Literal["growing"] | None  # this and the next one as the latest status says
        self._condition: str | None
        self._old_since: float | None = None
        self._fresh_until: float | None = None
        self._held: Record | None = None  # the latest that was too old to be shown, should it be confirmed
        self._good: dict[tuple[Any, ...], float] = {}  # until when each row that has passed may be handed over
        self._all_good = -math.inf  # until when all of them may, since they were confirmed

    @property
    def is_holding(self) -> bool:
        """Whether the latest that came was too old, and is held back."""
        return self._held is not None

    def deadline(self) -> float | None:
        """The monotonic time at which `tick` is due."""
        return self._fresh_until if self._live and self._old_since is None else None

    def tick(self, now: Now) -> list[Delivered]:
        """A `stale` status when nothing came until the deadline; otherwise nothing."""
        due = self.deadline()
        if due is None or now.mono < due:
            return []
        return [self._stale(f"no data for {self._limit_ms / 1000:g} s (--max-age)", now)]

    def good_until(self, record: Record) -> float | None:
        """The monotonic time until which a row that has passed may be handed over; None for what has not. Any thread
        may ask."""
        until = self._good.get(key_of(record))
        return None if until is None else max(until, self._all_good)

    def came_late(self, now: Now) -> list[Delivered]:
        """A `stale` status for a row that passed, but was too old when its turn came. The row was left out."""
        if not self._live or self._old_since is not None:
            return []
        return [self._stale(f"what waits for the reader of the lines is older than {self._limit_ms / 1000:g} s", now)]

    def passes(self, item: Delivered, now: Now) -> list[Delivered]:
        """The item, with statuses of ours around it; nothing when it is too old to be shown. Others than the stream's
        pass."""
        if not is_of(item, self._stream):
            return [item]
        if isinstance(item, Status):
            return self._on_status(item, now)
        if isinstance(item, Confirmed):
            return self._on_confirmed(item, now)
        if isinstance(item, ClockOffset):
            self._offset_ms = item.ms
            return [item]
        if isinstance(item, SnapshotEnd):
            return [item] if item.count else [*self._fresh(0, now), item]  # an empty state has no row that says its age
        assert isinstance(item, Record), "of the stream there is nothing else"
        return self._on_data(item, now)

    def _on_confirmed(self, confirmed: Confirmed, now: Now) -> list[Delivered]:
        age = self._age(confirmed.time, now)
        if age > self._limit_ms:
            return []
        held, self._held = self._held, None
        self._all_good = now.mono + (self._limit_ms - age) / 1000
        return [*self._fresh(age, now), *([] if held is None else [held]), confirmed]

    def _on_status(self, status: Status, now: Now) -> list[Delivered]:
        if self._is_closed and status.symbol is None and not begins_anew(status):
            return [status]  # it is about the symbols that go on
        self._is_closed = is_closed_alone(status)
        self._live, self._versions, self._condition = status.state == "live", status.versions, status.condition
        if self._live and self._fresh_until is None:
            self._fresh_until = now.mono + self._limit_ms / 1000
        if not self._live:
            self._fresh_until = None
            self._good.clear()
        self._old_since = self._held = None
        return [status]

    def _on_data(self, record: Record, now: Now) -> list[Delivered]:
        age = self._age(record.time, now)
        if age > self._limit_ms:
            stale: list[Delivered] = []
            if self._live and self._old_since is None:
                stale = [self._stale(f"data is {age / 1000:.1f} s old by the venue's clock (--max-age)", now)]
            if STREAMS[self._stream].kind == "event" or is_last_word(record):
                return [*stale, record]
            self._held = record
            return stale
        self._held = None
        fresh = self._fresh(age, now)
        self._remember(record)
        return [*fresh, record]

    def _remember(self, record: Record) -> None:
        assert self._fresh_until is not None
        key = key_of(record)
        self._good.pop(key, None)
        self._good[key] = self._fresh_until
        forget_oldest(self._good, MOST_REMEMBERED)

    def _age(self, time: int | None, now: Now) -> int:
        """The age by the venue's clock; 0 where it does not say, or says a time that is still to come."""
        return 0 if time is None else max(0, now.epoch_ms + self._offset_ms - time)

    def _fresh(self, age: int, now: Now) -> list[Delivered]:
        self._fresh_until = now.mono + (self._limit_ms - age) / 1000
        if self._old_since is None:
            return []
        down_ms = round((now.mono - self._old_since) * 1000)
        self._old_since = None
        known = {"versions": self._versions, "condition": self._condition}
        return [self._status(now, state="live", down_ms=down_ms, **known)]

    def _stale(self, reason: str, now: Now) -> Status:
        self._old_since = now.mono
        return self._status(now, state="stale", reason=reason, condition=self._condition)

    def _status(self, now: Now, **fields: Any) -> Status:
        return Status(
            venue=self._venue,
            env=self._env,
            symbol=self._symbol,
            received=now.epoch_ms,
            stream=self._stream,
            **fields,
        )


class Every:
    """At most one record a key and interval, the latest; removals and closed candles pass at once.

    A full state passes as one, with its `snapshot_end`, when each of its rows may pass; what changes before that
    changes in it. What waits when the stream stops being live is dropped: it is not current any more. `several`: the
    stream has several symbols, and a status with a symbol is about that one alone.
    """

    def __init__(self, interval_ms: int, *, several: bool = False) -> None:
        self.several = several
        self._owed = OwedEnd()
        self._interval = interval_ms / 1000
        self._next: dict[tuple[Any, ...], float] = {}
        self._waiting: dict[tuple[Any, ...], Record] = {}
        self._heft = 0  # the weight of what waits, and of what that has replaced lately
        self._whole: Whole | None = None  # a full state that waits, and came before all else that does
        self._next_whole = -math.inf

    def deadline(self) -> float | None:
        """The monotonic time at which `tick` is due."""
        dues = [self._next[key] for key in self._waiting]
        if self._whole is not None:
            dues.append(self._whole_due(self._whole))
        return min(dues, default=None)

    def tick(self, now: Now) -> list[Delivered]:
        """What has waited long enough, and may pass now."""
        passed = self._whole_if_due(now)
        due = [key for key in self._waiting if self._next[key] <= now.mono]
        for key in due:
            self._next[key] = now.mono + self._interval
        return self._with_owed([*passed, *(self._waiting.pop(key) for key in due)])

    def rest(self) -> list[Delivered]:
        """Take out what still waits; for the end, when nothing more comes."""
        return self._with_owed(self._rest())

    def _rest(self) -> list[Delivered]:
        whole, self._whole = self._whole, None
        waiting, self._waiting = list(self._waiting.values()), {}
        return [*([] if whole is None else whole.lines()), *waiting]

    def passes(self, items: Sequence[Delivered], now: Now) -> list[Delivered]:
        """Those of the items that may pass now, and what has to come before them."""
        passed: list[Delivered] = []
        for item in with_wholes(items):
            if isinstance(item, Whole):
                if self.several:  # nothing says that the others are gone
                    passed += [row for key, row in self._waiting.items() if key not in item.rows]
                self._waiting.clear()  # a row that is not in the full state is gone
                self._whole = item
                passed += self._whole_if_due(now)
            elif isinstance(item, SnapshotEnd):  # some of its rows were left out before
                passed += [*self._rest(), item]
            elif isinstance(item, Record) and not isinstance(item, Status):
                passed += self._row_passes(item, now)
            else:
                if isinstance(item, Status) and item.state != "live":
                    if self.several and item.symbol is not None:
                        self._forget_symbol(item.symbol)
                    else:
                        self._forget()
                passed.append(item)
        return self._with_owed(passed)

    def _with_owed(self, passed: list[Delivered]) -> list[Delivered]:
        """What passes, with the `snapshot_end` of a full state that had lost a row where it is complete again."""
        if not self.several:
            return passed
        made: list[Delivered] = []
        for item in passed:
            if isinstance(item, Record):
                if (end := self._owed.before(item)) is not None:
                    made.append(end)
                self._owed.see(item)
            made.append(item)
        if (end := self._owed.complete()) is not None:
            made.append(end)
        return made

    def _row_passes(self, record: Record, now: Now) -> list[Delivered]:
        key = key_of(record)
        if is_last_word(record):
            if self._whole is not None:
                self._whole.drop(key)
            self._waiting.pop(key, None)
            self._next.pop(key, None)
            return [record]
        if self._whole is not None and has_left(record):
            self._whole.drop(key)
        elif self._whole is not None and self._whole.put(record):
            return []
        if now.mono >= self._next.get(key, -math.inf):
            self._waiting.pop(key, None)
            self._next[key] = now.mono + self._interval
            return [*self._make_room(now), record]
        self._waiting[key] = record
        self._heft += weight(record)
        return self._make_room(now)

    def _make_room(self, now: Now) -> list[Delivered]:
        """Let all that waits pass early, when there are ever new keys or texts of megabytes."""
        if len(self._next) <= MOST_KEYS and self._heft <= HEAVIEST:
            return []
        self._next = {key: due for key, due in self._next.items() if due > now.mono or key in self._waiting}
        self._heft = sum(map(weight, self._waiting.values()))
        if len(self._next) <= MOST_KEYS // 2 and self._heft <= HEAVIEST // 2:
            return []
        early, self._heft = self._rest(), 0
        self._next.clear()
        return early

    def _whole_due(self, whole: Whole) -> float:
        return max([self._next_whole, *(self._next.get(key, -math.inf) for key in whole.rows)])

    def _whole_if_due(self, now: Now) -> list[Delivered]:
        whole = self._whole
        if whole is None or now.mono < self._whole_due(whole):
            return []
        self._whole = None
        self._next_whole = now.mono + self._interval
        self._next.update(dict.fromkeys(whole.rows, self._next_whole))
        return list(whole.lines())

    def _forget(self) -> None:
        self._waiting.clear()
        self._next.clear()
        self._whole, self._next_whole = None, -math.inf

    def _forget_symbol(self, symbol: str) -> None:
        """As `_forget`, of one symbol; the other rows of a full state that waits with it wait by themselves."""
        if self._whole is not None and self._whole.has(symbol):
            others = {key: row for key, row in self._whole.rows.items() if row.symbol != symbol}
            self._owed.owe(self._whole.end, others.values())
            self._waiting = {**others, **self._waiting}
            for key in others:
                self._next.setdefault(key, -math.inf)
            self._whole = None
        gone = {key for key, row in self._waiting.items() if row.symbol == symbol}
        self._waiting = {key: row for key, row in self._waiting.items() if key not in gone}
        self._next = {key: due for key, due in self._next.items() if key not in gone and key[0] != symbol}


class Between(Protocol):
    """Who judges what has passed `--max-age`; see `cli.run.judging.Judge`."""

    @property
    def ticks(self) -> bool:
        """Whether something may become true with time alone."""
        ...

    def passes(self, items: Sequence[Delivered]) -> Sequence[Delivered]:
        """Those of the items that may pass."""
        ...

    def deadline(self) -> float | None:
        """The monotonic time at which `tick` is due."""
        ...

    def tick(self, now: Now) -> list[Delivered]:
        """What passes with time alone."""
        ...


class Limits:
    """Both limits of a run, one behind the other: what comes passes `--max-age` first, then `--every`.

    Between the two it is judged, where `judge` is set: `--every` thins out what is printed, not what is judged.
    """

    def __init__(self, max_age: int | None, every: int | None = None) -> None:
        self.judge: Between | None = None
        self._max_age = max_age
        self._every = None if every is None else Every(every)
        # By line and stream, then by symbol; None stands for all lines, and for all symbols.
        self._ages: dict[_Place, dict[str | None, MaxAge]] = {}
        self._stream_of: dict[type, str] = {}
        self._ends: dict[_Place, SnapshotEnd] = {}  # of full states of several symbols of which rows are held back
        self._said: list[Delivered] = []

    def __bool__(self) -> bool:
        """Whether the user has set any limit."""
        return bool(self._ages) or self._every is not None or (self.judge is not None and self.judge.ticks)

    @property
    def nothing(self) -> bool:
        """Whether there is neither a limit nor a judge: all passes, and nothing is ever due."""
        return self.judge is None and self._every is None and not self._ages

    def expect(self, subscription: Subscription, venue: str, env: str | None) -> None:
        """Note a stream that is about to be opened, on whatever line.

        `--max-age` judges it as a whole, or, where it has several symbols, each of them by itself.
        """
        stream = subscription.stream
        if not has_several(subscription):
            self._expect(None, stream, None, venue, env, symbol_of(subscription))
            return
        for symbol in subscription.symbols:
            self._expect(None, stream, symbol, venue, env, symbol)
        if self._every is not None:
            self._every.several = True

    def expect_markets(self, line: int, stream: str, symbols: Sequence[str], venue: str, env: str | None) -> None:
        """Note markets of a line's stream; `--max-age` judges each for itself, and nothing else of the stream."""
        for symbol in symbols:
            self._expect(line, stream, symbol, venue, env, symbol)

    def _expect(
        self, line: int | None, stream: str, only: str | None, venue: str, env: str | None, symbol: str | None
    ) -> None:
        if self._max_age is None:
            return
        age = MaxAge(self._max_age, stream, venue=venue, env=env, symbol=symbol)
        self._ages.setdefault((line, stream), {})[only] = age
        self._stream_of[STREAMS[stream].record] = stream

    def forget_before(self, line: int) -> None:
        """Say nothing more of the lines before this one: they have ended."""
        for place in [place for place in self._ages if place[0] is not None and place[0] < line]:
            del self._ages[place]
            self._ends.pop(place, None)

    def passes(self, items: Sequence[Delivered], line: int, now: Now) -> list[Delivered]:
        """Those of a line's items that may pass now, and what the limits say around them."""
        self._said = []
        passed = [one for item in items for one in self._young(item, line, now)] if self._ages else list(items)
        return self._rest_of_the_way(passed, now)

    def _rest_of_the_way(self, items: list[Delivered], now: Now) -> list[Delivered]:
        if self.judge is not None:
            items = list(self.judge.passes(items))
        return items if self._every is None else self._every.passes(items, now)

    def deadline(self) -> float | None:
        """The monotonic time at which `tick` is due."""
        dues = [due for one in self._all_ages() if (due := one.deadline()) is not None]
        others = (one.deadline() for one in (self._every, self.judge) if one is not None)
        dues += [due for due in others if due is not None]
        return min(dues, default=None)

    def tick(self, now: Now) -> Iterator[tuple[int, list[Delivered]]]:
        """The deadline has passed: what is said or passes now, with the number of its line."""
        for (line, _), ages in self._ages.items():
            for one in ages.values():
                yield from self._say(line, one.tick(now), now)
        if self.judge is not None and (items := self.judge.tick(now)):
            yield 0, items
        if self._every is not None and (items := self._every.tick(now)):
            yield 0, items

    def came_late(self, record: Record, now: Now) -> Iterator[tuple[int, list[Delivered]]]:
        """A row that had passed was too old when its turn came, and was left out."""
        for (line, _), ages in self._ages.items():
            for only, one in ages.items():
                if only in (None, record.symbol):
                    yield from self._say(line, one.came_late(now), now)

    def rest(self) -> list[Delivered]:
        """Take out what still waits; for the end, when nothing more comes."""
        return [] if self._every is None else self._every.rest()

    def good_until(self) -> Callable[[Record], float | None] | None:
        """Until when a row that has passed may be handed over, see `MaxAge.good_until`; None without that limit."""
        ages = next(iter(self._ages.values()), None)
        if ages is None:
            return None
        whole = ages.get(None)
        if whole is not None:
            return whole.good_until

        def of_its_symbol(record: Record) -> float | None:
            age = ages.get(record.symbol)
            return None if age is None else age.good_until(record)

        return of_its_symbol

    def says(self, item: Delivered) -> bool:
        """Whether `--max-age` said this of what was let through last; otherwise the venue did."""
        return any(one is item for one in self._said)

    def _all_ages(self) -> Iterator[MaxAge]:
        return (one for ages in self._ages.values() for one in ages.values())

    def _say(self, line: int | None, items: list[Delivered], now: Now) -> Iterator[tuple[int, list[Delivered]]]:
        if items:
            self._said = items
            yield line or 0, self._rest_of_the_way(items, now)

    def _young(self, item: Delivered, line: int, now: Now) -> list[Delivered]:
        passed = self._judged(item, line, now)
        for one in passed:
            if one is not item:
                self._said.append(one)
        return passed

    def _judged(self, item: Delivered, line: int, now: Now) -> list[Delivered]:
        of_record = self._stream_of.get(item.__class__)
        stream: Any = of_record or getattr(item, "stream", None)
        place = (line, stream) if (line, stream) in self._ages else (None, stream)
        ages = self._ages.get(place) or {}
        if (whole := ages.get(None)) is not None:
            return whole.passes(item, now)
        passed = self._judged_by_symbol(item, of_record, ages, now)
        return self._with_end(place, item, passed, ages) if ages else passed

    def _judged_by_symbol(
        self, item: Delivered, of_record: str | None, ages: Mapping[str | None, MaxAge], now: Now
    ) -> list[Delivered]:
        if isinstance(item, Status | Confirmed | ClockOffset) or (isinstance(item, SnapshotEnd) and not item.count):
            symbol = getattr(item, "symbol", None)
            about = ages.values() if symbol is None else filter(None, [ages.get(symbol)])
            return [*(one for age in about for one in age.passes(item, now) if one is not item), item]
        age = None if of_record is None else ages.get(getattr(item, "symbol", None) or "")
        return [item] if age is None else age.passes(item, now)

    def _with_end(
        self, place: _Place, item: Delivered, passed: list[Delivered], ages: Mapping[str | None, MaxAge]
    ) -> list[Delivered]:
        """What passes; the end of a full state comes behind the last of its rows, also where that was held back."""
        if isinstance(item, Status) and item.state != "live":
            end = self._ends.pop(place, None)
            if end is not None and item.state == "closed" and item.symbol is not None:
                self._ends[place] = structs.replace(end, count=end.count - 1)
        elif isinstance(item, SnapshotEnd):
            self._ends[place] = item
            passed = [one for one in passed if one is not item]
        if place in self._ends and not any(age.is_holding for age in ages.values()):
            return [*passed, self._ends.pop(place)]
        return passed
