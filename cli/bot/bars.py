"""Candles of one length as a script gets them: the last 360, as numpy arrays."""

from __future__ import annotations

import operator
import threading
from decimal import Decimal
from sys import getrefcount
from typing import TYPE_CHECKING, Any, NamedTuple, overload

import numpy as np

from venues.toolkit.candles import start_of
from venues.toolkit.numbers import EXACT, add

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

SIZE = 360

OPEN, HIGH, LOW, CLOSE, VOLUME, COMPLETE, FIRST, LAST = range(8)
_PRICES = slice(OPEN, CLOSE + 1)
_SHOWN = slice(OPEN, COMPLETE + 1)
_EVER = float("-inf")
NAN = float("nan")
_exact = EXACT.add
_LOOKING = threading.Lock()  # held by the thread that copies what lent bars show


class Bars:
    """The last 360 candles, oldest first, as they were when the callback was called. Nothing changes them later.

    `opens`, `highs`, `lows`, `closes`, `volumes` are float64 arrays of 360. `times` (int64) are the starts, in
    milliseconds since the epoch. What is not known is NaN: candles before the first one, and the volume of an interval
    that was not seen. `complete` tells for each candle whether all of it was seen. `bars[i]` is one candle as a dict.
    """

    __slots__ = ("_copied", "_last", "_length", "_series")

    def __init__(self, values: NDArray[np.float64], last: int, length: int) -> None:
        """`values` belongs to the bars from now on; `last` is the start of the last candle."""
        self._copied: NDArray[np.float64] | None = values
        self._last = last
        self._length = length
        self._series: Series | None = None

    @classmethod
    def lent(cls, series: Series) -> Bars:
        """The bars of a series as they are now, copied when somebody looks: most callbacks look at few of them.

        Whoever lends them has to `Series.take_back` them before anything changes.
        """
        bars = cls.__new__(cls)
        bars._copied, bars._last, bars._length, bars._series = None, 0, series.length, series
        return bars

    def keep(self) -> None:
        """Have a copy from now on, whatever becomes of the series."""
        self._look()
        self._series = None

    def _look(self) -> NDArray[np.float64]:
        """The values, which are copied at the first look. Any thread may look."""
        if self._copied is None:
            with _LOOKING:
                if self._copied is None:
                    assert self._series is not None, "they are lent"
                    values, self._last = self._series.shown()
                    self._copied = values
        return self._copied

    def __getstate__(self) -> tuple[None, dict[str, Any]]:
        """What a copy of them has, which is never lent."""
        return None, {"_copied": self._look(), "_last": self._last, "_length": self._length, "_series": None}

    @property
    def opens(self) -> NDArray[np.float64]:
        """The first price of each candle, NaN before the first candle."""
        return self._row(OPEN)

    @property
    def highs(self) -> NDArray[np.float64]:
        """The highest price of each candle."""
        return self._row(HIGH)

    @property
    def lows(self) -> NDArray[np.float64]:
        """The lowest price of each candle."""
        return self._row(LOW)

    @property
    def closes(self) -> NDArray[np.float64]:
        """The last price of each candle."""
        return self._row(CLOSE)

    @property
    def volumes(self) -> NDArray[np.float64]:
        """The size traded in each candle, NaN where it is not known."""
        return self._row(VOLUME)

    @property
    def times(self) -> NDArray[np.int64]:
        """The starts of the candles, in milliseconds since the epoch."""
        count = self._look().shape[1]
        return np.arange(1 - count, 1, dtype=np.int64) * self._length + self._last

    @property
    def complete(self) -> NDArray[np.bool_]:
        """For each candle, whether all of its trades were seen."""
        complete: NDArray[np.bool_] = self._look()[COMPLETE] == 1.0
        return complete

    def __len__(self) -> int:
        return int(self._look().shape[1])

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...

    @overload
    def __getitem__(self, index: slice) -> list[dict[str, Any]]: ...

    def __getitem__(self, index: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        count = len(self)
        if isinstance(index, slice):
            return [self._candle(place) for place in range(*index.indices(count))]
        place = operator.index(index)
        if not -count <= place < count:
            raise IndexError(f"expected an index from {-count} to {count - 1}, got {place}")
        return self._candle(place % count)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (self._candle(place) for place in range(len(self)))

    def __repr__(self) -> str:
        return f"<{len(self)} candles, the last {self[-1]}>"

    def _row(self, row: int) -> NDArray[np.float64]:
        values: NDArray[np.float64] = self._look()[row]
        return values

    def _candle(self, place: int) -> dict[str, Any]:
        opened, high, low, close, volume = self._look()[OPEN : VOLUME + 1, place].tolist()
        time = self._last - (len(self) - 1 - place) * self._length
        return {"time": time, "open": opened, "high": high, "low": low, "close": close, "volume": volume}


class Together(NamedTuple):
    """Several candles as one: `prices` are open, high, low, close; `until` is the time of the last trade."""

    prices: tuple[float, float, float, float]
    volume: Decimal | None
    complete: bool
    until: int


class Tail:
    """The trades that came last, all of them within the last candle of each of several series: counted once for all.

    A series is as if each had been counted in it, once it has taken the tail (`Series.take_tail`).
    """

    __slots__ = ("begin", "close", "count", "end", "high", "last", "low", "volume")

    def __init__(self, begin: int, end: int, last: int) -> None:
        """For trades from `begin` up to `end` (exclusive); `last` is the time of the latest trade before them."""
        self.begin = begin
        self.end = end
        self.count = 0
        self.high, self.low = float("-inf"), float("inf")
        self.close: float | None = None  # None: none of them was later than the one before
        self.last = last
        self.volume: Decimal | None = Decimal(0)

    def trade(self, time: int, price: float, size: Decimal | None) -> None:
        """Count a trade, whose time is within `begin` and `end`."""
        if price > self.high:
            self.high = price
        if price < self.low:
            self.low = price
        if time >= self.last:
            self.close, self.last = price, time
        if size is None or self.volume is None:
            self.volume = None
        else:
            self.volume = _exact(self.volume, size)
        self.count += 1  # last, so that whoever looks meanwhile looks again


def common_tail(several: Sequence[Series], since: int) -> Tail | None:
    """A tail that all of these series have from now on, of trades from a time on (the venue's, in milliseconds).

    None where they do not stand so that one fits all.
    """
    places = [place for series in several if (place := series.place_of_tail()) is not None]
    if len(places) < len(several) or len({last for _, _, last in places}) != 1:
        return None
    begins, ends, lasts = zip(*places, strict=True)
    tail = Tail(max(since, *begins), min(ends), lasts[0])
    for series in several:
        series.tail = tail
    return tail


class Series:
    """The candles of one market and one length, built from trades or from whole candles.

    An interval without a trade carries the last close, with a volume of 0, or NaN where it was not watched. A trade
    that comes late is counted where its time belongs, as long as that is among the candles kept.
    """

    def __init__(self, length: int, size: int = SIZE) -> None:
        """`length` in milliseconds; `size` candles are kept."""
        self.length = length
        self.lent = Bars.lent(self)
        self._nobody = getrefcount(self.lent)  # the references to them as long as nobody else has them
        self.tail: Tail | None = None  # what is not counted in the last candle yet
        self._shows = 0  # so many trades of the tail are in the rows
        self._size = size
        self._capacity = 3 * size
        self._rows = np.full((8, self._capacity), NAN)
        self._rows[COMPLETE] = 0.0
        self._end = size
        self._start: int | None = None  # of the last candle
        # The last candle, as Python's own numbers, which are quicker; `_settle` puts it among the rows.
        self._open = self._high = self._low = self._close = NAN
        self._volume: Decimal | None = None  # exactly; None: not known
        self._complete = False
        self._first = self._last = 0
        self._settled = True
        self._volumes: dict[int, Decimal | None] = {}  # by start, exactly, of the candles before the last
        self._unseen = (_EVER, _EVER)

    def unseen(self, since: float, until: float) -> None:
        """Trades may have been missed between these times (the venue's, in milliseconds)."""
        begin, end = self._unseen
        is_over = self._start is None or end <= self._start
        self._unseen = (since, until) if is_over else (min(begin, since), max(end, until))
        if self._start is not None and self._not_all_seen(self._start):
            self._complete, self._settled = False, False

    def trade(self, time: int, price: float, size: Decimal | None) -> None:
        """Count a trade in the candle that its time (the venue's, in milliseconds) belongs to."""
        start = start_of(time, self.length)
        if self._start is None or start > self._start:
            self._begin(start)
            self._set(time, time, (price, price, price, price), size, complete=not self._not_all_seen(start))
        elif start == self._start:
            self._extend(time, price, size)
        else:
            self._extend_earlier(start, time, price, size)

    def candle(
        self,
        start: int,
        prices: tuple[float, float, float, float],
        volume: Decimal | None,
        *,
        complete: bool,
        until: int | None = None,
    ) -> None:
        """Take a whole candle (open, high, low, close) in the place of what is known of it.

        `until` is the time of the last trade in it.
        """
        last = start + self.length - 1 if until is None else until
        if self._start is None or start >= self._start:
            if start != self._start:
                self._begin(start)
            self._set(start, last, prices, volume, complete=complete)
            return
        place = self._place(start)
        if place is not None:
            self._rows[_PRICES, place] = prices
            self._put_volume(start, place, volume)
            self._rows[[COMPLETE, FIRST, LAST], place] = (float(complete), start, last)
            self._carry(place)

    def together(self, start: int, end: int) -> Together | None:
        """What lies between two times, as one candle. None when nothing does, or when a part is no longer kept."""
        if self._start is None or self._start - start >= self._size * self.length:
            return None
        self._settle()
        last = self._end - 1 - max(0, (self._start - end + self.length) // self.length)
        first = self._end - 1 - (self._start - start) // self.length
        rows = self._rows[:, first : last + 1]
        known = ~np.isnan(rows[OPEN])
        traded = rows[:, ~np.isnan(rows[FIRST])]  # an empty candle carries the price of an earlier one
        if not traded.size:
            return None
        whole = bool((rows[COMPLETE] == 1.0).all()) and start_of(start, self.length) == start and bool(known.all())
        prices = (float(traded[OPEN, 0]), float(traded[HIGH].max()), float(traded[LOW].min()), float(traded[CLOSE, -1]))
        return Together(prices, _sum(rows[VOLUME, known]), whole, int(traded[LAST].max()))

    def bars(self, now: int = 0) -> Bars:
        """A copy of the candles, which belongs to the caller.

        Before the first one all is NaN, up to the candle of `now` (epoch ms).
        """
        if self._start is None:
            none = np.full((COMPLETE + 1, self._size), NAN)
            return Bars(none, start_of(now, self.length), self.length)
        return Bars(*self.shown(), self.length)

    def shown(self) -> tuple[NDArray[np.float64], int]:
        """A copy of the values that bars have, and the start of the last one. There is one."""
        assert self._start is not None, "there is a candle"
        self._settle()
        return self._rows[_SHOWN, self._end - self._size : self._end].copy(), self._start

    def take_back(self) -> None:
        """To be called once whoever was lent the bars has returned: a script that has kept them has a copy."""
        if getrefcount(self.lent) > self._nobody:
            self.lent.keep()
            self.lent = Bars.lent(self)
        elif self.lent._copied is not None:
            self.lent._copied = None

    def place_of_tail(self) -> tuple[int, int, int] | None:
        """From when up to when (exclusive) a tail can have trades, and when the latest was; None: it cannot have one.

        Those before the first trade of the candle would change its open, which each candle has its own of.
        """
        if self._start is None or not self._low <= self._high:
            return None
        return max(self._start, self._first), self._start + self.length, self._last

    def take_tail(self) -> None:
        """Count the trades of the tail, and have none from now on."""
        tail, self.tail = self.tail, None
        if tail is None or not tail.count:
            return
        self._high, self._low = max(self._high, tail.high), min(self._low, tail.low)
        if tail.close is not None:
            self._close, self._last = tail.close, tail.last
        self._volume = _both(self._volume, tail.volume)
        self._settled = False

    @property
    def empty(self) -> bool:
        """Whether there is no candle yet."""
        return self._start is None

    def _set(
        self,
        first: int,
        last: int,
        prices: tuple[float, float, float, float],
        volume: Decimal | None,
        *,
        complete: bool,
    ) -> None:
        """Replace the values of the last candle."""
        self._open, self._high, self._low, self._close = prices
        self._first, self._last, self._volume, self._complete = first, last, volume, complete
        self._settled = False

    def _settle(self) -> None:
        """Put the last candle, with its tail, among the rows. Any thread may do so; a tail may grow meanwhile."""
        tail = self.tail
        count = 0 if tail is None else tail.count
        if self._settled and count == self._shows:
            return
        high, low, close, last, volume = self._high, self._low, self._close, self._last, self._volume
        if tail is not None and count:
            high, low, volume = max(high, tail.high), min(low, tail.low), _both(volume, tail.volume)
            close, last = (close, last) if tail.close is None else (tail.close, tail.last)
        traded = NAN if volume is None else float(volume)
        self._rows[:, self._end - 1] = (self._open, high, low, close, traded, self._complete, self._first, last)
        self._settled, self._shows = True, count

    def _extend(self, time: int, price: float, size: Decimal | None) -> None:
        if price > self._high:
            self._high = price
        elif price < self._low:
            self._low = price
        if time >= self._last:
            self._close, self._last = price, time
        elif time < self._first:
            self._open, self._first = price, time
        self._volume = _both(self._volume, size)
        self._settled = False

    def _extend_earlier(self, start: int, time: int, price: float, size: Decimal | None) -> None:
        place = self._place(start)
        if place is None:
            return
        rows = self._rows
        if np.isnan(rows[FIRST, place]):  # nothing was known to have been traded in it
            rows[_PRICES, place] = price
            rows[[FIRST, LAST], place] = (time, time)
            self._put_volume(start, place, size)
        else:
            rows[HIGH, place] = max(rows[HIGH, place], price)
            rows[LOW, place] = min(rows[LOW, place], price)
            before = self._volumes.get(start)
            self._put_volume(start, place, _both(before, size))
            if time >= rows[LAST, place]:
                rows[[CLOSE, LAST], place] = (price, time)
            elif time < rows[FIRST, place]:
                rows[[OPEN, FIRST], place] = (price, time)
        self._carry(place)

    def _put_volume(self, start: int, place: int, volume: Decimal | None) -> None:
        """Set the volume of a candle before the last one."""
        self._volumes[start] = volume
        self._rows[VOLUME, place] = NAN if volume is None else float(volume)

    def _carry(self, place: int) -> None:
        """Give the close of a candle to the empty candles after it."""
        rows, after = self._rows, place + 1
        while after < self._end and np.isnan(rows[FIRST, after]):
            rows[_PRICES, after] = rows[CLOSE, place]
            after += 1

    def _place(self, start: int) -> int | None:
        assert self._start is not None
        place = self._end - 1 - (self._start - start) // self.length
        return place if place >= self._end - self._size else None

    def _begin(self, start: int) -> None:
        """Make room for a candle that begins at `start`, and for the empty ones before it."""
        if self._start is None:
            self._start = start
            return
        self._settle()
        self._volumes[self._start] = self._volume
        if len(self._volumes) > 2 * self._size:
            kept = self._start - self._size * self.length
            self._volumes = {at: volume for at, volume in self._volumes.items() if at > kept}
        steps = (start - self._start) // self.length
        empty = min(steps - 1, self._size)
        room = empty + 1
        close = self._rows[CLOSE, self._end - 1]
        if self._end + room > self._capacity:
            self._rows[:, : self._size] = self._rows[:, self._end - self._size : self._end].copy()
            self._end = self._size
        before, self._end = self._end, self._end + room
        for place in range(before, self._end - 1):
            missed = self._not_all_seen(start - (self._end - 1 - place) * self.length)
            self._rows[:, place] = (close, close, close, close, NAN if missed else 0.0, float(not missed), NAN, NAN)
        self._start = start

    def _not_all_seen(self, start: int) -> bool:
        begin, end = self._unseen
        return start < end and start + self.length > begin


def _both(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    return None if one is None or other is None else add(one, other)


def _sum(volumes: NDArray[np.float64]) -> Decimal | None:
    total: Decimal | None = Decimal(0)
    for volume in volumes.tolist():
        total = None if total is None or volume != volume else add(total, Decimal(repr(volume)))
    return total
