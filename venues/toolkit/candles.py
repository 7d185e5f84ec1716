"""Candles that are built from trades, and the arithmetic of their intervals."""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from venues.errors import UsageError
from venues.toolkit.clock import FAR
from venues.toolkit.numbers import add

if TYPE_CHECKING:
    from decimal import Decimal

    from venues.toolkit.clock import VenueClock
    from venues.venue import Now

SECOND = 1_000
DAY = 86_400 * SECOND
WEEK = 7 * DAY
MONDAY = 4 * DAY  # the epoch began on a Thursday; weeks begin on Monday

_UNITS = {"s": SECOND, "m": 60 * SECOND, "h": 3_600 * SECOND, "d": DAY, "w": WEEK}
LATE_TRADES = 1_000  # milliseconds for which trades of a candle are awaited after its end, if nothing later came
LATE_IN_A_ROW = 3  # messages that were all later than that: the feed is behind, and is waited for as long …
LONGEST_LAG = 60_000  # … but no longer than so many milliseconds
MOST_HELD = 1_000  # trades whose times are not believed yet
MOST_KEPT = 500  # candles of a builder that a late trade can still correct, the newest

What = TypeVar("What")


def interval_ms(interval: str) -> int:
    """The length of a candle in milliseconds, from "30s", "1m", "4h", "1d" or "1w".

    Raises:
        UsageError: not of that form, or not a whole part of a day, one day or one week.
    """
    match = re.fullmatch(r"([1-9][0-9]{0,5})([smhdw])", interval)
    length = int(match[1]) * _UNITS[match[2]] if match else 0
    if not length or (length not in (DAY, WEEK) and DAY % length):
        raise UsageError(
            f'expected an interval that divides a day evenly, such as 30s, 1m, 15m, 4h, 1d, or 1w, got "{interval}"'
        )
    return length


def start_of(time: int, length: int) -> int:
    """The start of the interval that holds `time`; both in milliseconds, aligned to UTC."""
    offset = MONDAY if length == WEEK else 0
    return (time - offset) // length * length + offset


class Bar(NamedTuple):
    """A candle under construction or done; times in milliseconds, `end` exclusive."""

    start: int
    end: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    closed: bool
    complete: bool


class CandleBuilder:
    """Builds candles of one length from trades, each of which belongs where its time says.

    Open and close are those of the first and the last trade by time; of equal times the order of arrival decides. The
    newest 500 candles are kept, so that a late trade corrects its own, or makes one where there was none.

    A candle is closed when its interval is over by the venue's clock, and only then: once a message has shown that the
    venue has gone on, or after `LATE_TRADES` without one. It is complete when trades were seen without a break from its
    start on and each of them could be placed. `venue_now` is the venue's clock, in milliseconds, as a message shows it
    that comes now.
    """

    def __init__(self, length: int) -> None:
        self.too_late = 0  # trades that were older than all that is kept
        self._length = length
        self._seen_since: int | None = None  # the venue's time since when every trade was seen
        self._heard = 0  # the latest time, by the venue, of any message
        self._late_in_a_row = 0  # messages in a row that came late
        self._lag = 0  # milliseconds for which a feed that is behind is waited for
        self._kept: dict[int, _Building] = {}
        self._open: dict[int, _Building] = {}
        self._first_end: int | None = None  # the earliest end of an open candle
        self._latest: _Building | None = None  # the latest trade's candle; the next trade usually belongs to it too
        self._doubted: dict[int, None] = {}  # starts of intervals of which a trade could not be placed

    def interrupted(self) -> None:
        """Notes that trades may have been missed: the open candles can never become complete."""
        self._seen_since = None
        for candle in self._open.values():
            candle.complete = False

    def watching(self, since: int) -> None:
        """Notes that every trade is seen from `since` on (milliseconds, the venue's clock)."""
        self._seen_since = since

    def trade(self, time: int, price: Decimal, size: Decimal, venue_now: int) -> list[Bar]:
        """The candles that a trade changes or that are over, in order."""
        if time > self._heard:
            self._hear(time, venue_now)
        candle = self._latest
        if candle is not None and candle.start <= time < candle.end:
            candle.extend(time, price, size)
        else:
            candle = self._place(time, price, size)
        if candle is not None and candle.closed and venue_now < candle.end - FAR:
            self._open_it(candle)  # it was closed by a wrong clock
        if self._first_end is None or venue_now < self._first_end:
            return [] if candle is None else [candle.bar()]
        bars = {bar.start: bar for bar in self.close_by_clock(venue_now)}
        if candle is not None:
            bars[candle.start] = candle.bar()
        return [bars[start] for start in sorted(bars)]

    def heard(self, time: int, venue_now: int) -> list[Bar]:
        """Takes the time of a message that is no trade; returns the candles that are over by it."""
        if time > self._heard:
            self._hear(time, venue_now)
        return self.close_by_clock(venue_now)

    def unplaced(self, venue_now: int) -> list[Bar]:
        """Notes a trade whose time is not believed: the current candle may miss it, so it cannot be complete.

        Returns, in order, the candles that are over, and the current candle if it was complete so far.
        """
        start = start_of(venue_now, self._length)
        self._doubted[start] = None
        if len(self._doubted) > MOST_KEPT:
            del self._doubted[next(iter(self._doubted))]
        bars = {bar.start: bar for bar in self.close_by_clock(venue_now)}
        candle = self._open.get(start)
        if candle is not None and candle.complete:
            candle.complete = False
            bars[start] = candle.bar()
        return [bars[start] for start in sorted(bars)]

    def closing_time(self) -> int | None:
        """The time, by the venue's clock, at which `close_by_clock` is due; None while no candle is open."""
        end = self._first_end
        return end if end is None or end <= self._heard else end + LATE_TRADES + self._lag

    def close_by_clock(self, venue_now: int) -> list[Bar]:
        """The candles that are over by the venue's clock, in order."""
        if self._first_end is None or venue_now < self._first_end:
            return []
        sure = max(min(venue_now, self._heard), venue_now - LATE_TRADES - self._lag)
        over = [self._open[start] for start in sorted(self._open) if self._open[start].end <= sure]
        for candle in over:
            candle.closed = True
            del self._open[candle.start]
        self._first_end = min((candle.end for candle in self._open.values()), default=None)
        return [candle.bar() for candle in over]

    def _hear(self, time: int, venue_now: int) -> None:
        self._heard, late = time, venue_now - time
        self._late_in_a_row = self._late_in_a_row + 1 if late > LATE_TRADES else 0
        self._lag = min(late, LONGEST_LAG) if self._late_in_a_row >= LATE_IN_A_ROW else 0

    def _place(self, time: int, price: Decimal, size: Decimal) -> _Building | None:
        """The candle of a trade, with the trade in it; None where that is older than all that are kept."""
        start = start_of(time, self._length)
        candle = self._kept.get(start)
        if candle is not None:
            candle.extend(time, price, size)
        elif len(self._kept) >= MOST_KEPT and start < min(self._kept):
            self.too_late += 1
            return None
        else:
            seen = self._seen_since is not None and self._seen_since <= start and start not in self._doubted
            candle = _Building(start, start + self._length, time, price, size, complete=seen)
            self._keep(candle)
        self._latest = candle
        return candle

    def _open_it(self, candle: _Building) -> None:
        candle.closed = False
        self._open[candle.start] = candle
        self._first_end = candle.end if self._first_end is None else min(self._first_end, candle.end)

    def _keep(self, candle: _Building) -> None:
        self._kept[candle.start] = candle
        self._open_it(candle)
        if len(self._kept) > MOST_KEPT:
            oldest = min(self._kept)
            del self._kept[oldest]
            if self._open.pop(oldest, None) is not None:
                self._first_end = min(other.end for other in self._open.values())


class Held(Generic[What]):
    """Holds back what came with a time that is not believed yet: the latest 1,000, in order of arrival."""

    def __init__(self) -> None:
        self._held: deque[tuple[int, Now, What]] = deque(maxlen=MOST_HELD)

    def hold(self, time: int, now: Now, what: What) -> None:
        """Holds one more; `time` is the venue's, in milliseconds."""
        self._held.append((time, now, what))

    def __bool__(self) -> bool:
        return bool(self._held)

    def believed(self, clock: VenueClock) -> list[tuple[int, What]]:
        """Releases those whose times are believed by now, each with its time."""
        held = list(self._held)
        good = [clock.believes(time, at) for time, at, _ in held]
        self._held.clear()
        self._held.extend(one for one, is_good in zip(held, good, strict=True) if not is_good)
        return [(time, what) for (time, _, what), is_good in zip(held, good, strict=True) if is_good]


class TradedCandles:
    """The candles of a line, from its trades and by the venue's clock; outlives connections.

    `due`: the monotonic time at which `tick` closes a candle.
    """

    def __init__(self, length: int, clock: VenueClock) -> None:
        self.due: float | None = None
        self._builder = CandleBuilder(length)
        self._clock = clock
        self._held: Held[tuple[Decimal, Decimal]] = Held()
        self._since: Now | None = None  # when the last interruption ended …
        self._first: int | None = None  # … and the venue's time of the first message after it
        self._settled: int  # the clock's `settled` when it was read last, once `_first` is known
        self._newest: tuple[int, float] | None = None  # the latest time of a message so far, and when it came
        self._closing: int | None = None  # the venue's time that `due` stands for
        self._told = False

    def interrupted(self, now: Now) -> None:
        """Notes that trades may have been missed up to now; from the next message on all are seen."""
        self._builder.interrupted()
        self._since, self._first = now, None

    def trade(self, time: int, price: Decimal, size: Decimal, now: Now, *, believed: bool) -> list[Bar]:
        """The candles that a trade changes or that are over, in order; `believed`: the clock believes its time."""
        venue_now = self._now(now, time if believed else None)
        if believed and (self._first is None or self._clock.settled != self._settled):
            self._watch(time)
        if not believed:
            self._held.hold(time, now, (price, size))
            bars = self._builder.unplaced(venue_now)
        elif self._held:
            bars = [*self._placed(venue_now), *self._builder.trade(time, price, size, venue_now)]
        else:
            bars = self._builder.trade(time, price, size, venue_now)
        if self._builder.closing_time() != self._closing:
            self._set_due(venue_now, now)
        return bars

    def heard(self, time: int, now: Now) -> list[Bar]:
        """Takes the believed time of a message that is no trade; returns the candles that are over by it."""
        venue_now = self._now(now, time)
        if self._first is None or self._clock.settled != self._settled:
            self._watch(time)
        bars = [*self._placed(venue_now), *self._builder.heard(time, venue_now)]
        self._set_due(venue_now, now)
        return bars

    def to_say(self) -> str:
        """A text saying that a trade was left out: once, the first time it happens; else empty."""
        if self._told or not self._builder.too_late:
            return ""
        self._told = True
        return f"a trade came too late for its candle: it is not among the last {MOST_KEPT}, which alone are corrected"

    def tick(self, now: Now) -> list[Bar]:
        """The candles that are over by the venue's clock, in order."""
        venue_now = self._now(now, None)
        bars = self._builder.close_by_clock(venue_now)
        self._set_due(venue_now, now)
        return bars

    def _now(self, now: Now, time: int | None) -> int:
        """The venue's clock as messages show it; `time` is that of the present message, None without one.

        While the venue's clock is not known, ours counts, but never ahead of what the messages show.
        """
        shown = self._clock.shown_by(now)
        if shown is not None:
            return shown if time is None or time <= shown else min(time, max(shown, self._clock.venue_now(now)))
        if time is not None and (self._newest is None or time > self._newest[0]):
            self._newest = time, now.mono
        if self._newest is None:
            return self._clock.venue_now(now)
        newest, at = self._newest
        return min(self._clock.venue_now(now), newest + round((now.mono - at) * 1000))

    def _placed(self, venue_now: int) -> list[Bar]:
        """The candles changed by held trades whose times are believed by now."""
        if not self._held:
            return []
        return [
            bar
            for time, (price, size) in self._held.believed(self._clock)
            for bar in self._builder.trade(time, price, size, venue_now)
        ]

    def _watch(self, time: int) -> None:
        """Sets since when every trade is seen: since the first message, or later if that message came late."""
        if self._first is None:
            self._first = time + 1
        since = self._first if self._since is None else max(self._first, self._clock.venue_now(self._since))
        self._builder.watching(since)
        self._settled, self._closing = self._clock.settled, None  # so that `due` is computed anew

    def _set_due(self, venue_now: int, now: Now) -> None:
        self._closing = closing = self._builder.closing_time()
        self.due = None if closing is None else now.mono + (closing - venue_now) / 1000


class _Building:
    """A candle, and the times of its first and its last trade."""

    __slots__ = ("close", "closed", "complete", "end", "first", "high", "last", "low", "open", "start", "volume")

    def __init__(self, start: int, end: int, time: int, price: Decimal, size: Decimal, *, complete: bool) -> None:
        self.start = start
        self.end = end
        self.first = self.last = time
        self.open = self.high = self.low = self.close = price
        self.volume = size
        self.closed: bool
        self.complete = complete

    def extend(self, time: int, price: Decimal, size: Decimal) -> None:
        """Adds a trade. Of trades with equal times, the order of arrival decides about open and close."""
        if price > self.high:
            self.high = price
        elif price < self.low:
            self.low = price
        if time >= self.last:
            self.close, self.last = price, time
        elif time < self.first:
            self.open, self.first = price, time
        self.volume = add(self.volume, size)

    def bar(self) -> Bar:
        return Bar(
            self.start,
            self.end,
            self.open,
            self.high,
            self.low,
            self.close,
            self.volume,
            self.closed,
            self.complete,
        )
