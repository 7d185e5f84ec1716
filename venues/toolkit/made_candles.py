"""Candles that the venue made: which one is current, which are over, which come before their time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from venues.toolkit.clock import FAR, LASTING, MESSAGES
from venues.toolkit.times import span, utc_time
from venues.venue import Notice

if TYPE_CHECKING:
    from venues.records import Candle
    from venues.venue import Item, Now

MOST_EARLY = 16  # candles that came before their time and are kept in mind
MOST_TIMES = 500  # candles whose latest time is kept in mind


class MadeCandles:
    """Candles of one market, each of them sent as a whole whenever it changes.

    A later candle closes the current one once it has begun by the venue's clock. Before that it closes nothing, and if
    it comes `FAR` or more before its time, it is not shown yet. A candle older than the current one corrects an earlier
    one and is closed. An update that is older, by its own time, than the last one of the same candle changes nothing.

    Candles also show where the venue's clock is: not before the start of the current one. So when our clock is behind,
    the first candle counts; later, another one counts once five messages in a row, or all in two seconds, are of it.
    """

    def __init__(self) -> None:
        self._current: Candle | None = None
        self._open: dict[int, Candle] = {}  # those before the current one that it has not closed yet
        self._early: dict[int, None] = {}  # starts of new candles that came before their time
        self._least, self._most = 0, 0  # how far the venue's clock is ahead of what we take for it
        self._run = (0, 0, 0.0)  # messages in a row of another candle: its start, how many, since when
        self._said: int | None = None
        self._times: dict[int, int] = {}  # by start: the latest time that a candle came with
        self._outdated = 0  # messages in a row that were older than that time

    def forget(self) -> None:
        """Forgets the current candle, e.g. on reconnecting. How it ended is not known, so it is never called closed."""
        self._current = None
        self._open.clear()
        self._run = (0, 0, 0.0)

    def take(self, candle: Candle, venue_now: int, now: Now, *, is_new: bool = True) -> list[Item]:
        """What a candle changes, in order; `venue_now` is the venue's clock in milliseconds, as far as we know.

        `is_new`: it closes those before it. Else something was missed, and those are never said to be closed.
        """
        if self._is_outdated(candle, venue_now):
            return []
        current, start = self._current, candle.start
        if current is None or start == current.start:
            self._run = (0, 0, 0.0)
        elif start < current.start:
            if self._is_right(current, venue_now) or not self._is_righter(candle, venue_now, now):
                return [self._older(candle)]
            self._open.clear()
            self._least = self._most = 0
        else:
            if start - venue_now > self._most + FAR and not self._insists(start, now):
                return self._too_early(candle, venue_now, is_new=is_new)
            if is_new or start in self._early:
                self._open[current.start] = current
        self._trust(candle, venue_now)
        self._current = candle
        self._early.pop(start, None)
        return [*self._over(candle, venue_now), candle]

    def _is_outdated(self, candle: Candle, venue_now: int) -> bool:
        """Whether a later state of the same candle came before. If that goes on, the venue's clock has gone back."""
        time, start = candle.time, candle.start
        if time is None:
            return False
        if time < self._times.get(start, time):
            self._outdated += 1
            if self._outdated < MESSAGES:
                return True
        self._outdated = 0
        if time - venue_now < FAR:
            self._times[start] = time
            if len(self._times) > MOST_TIMES:
                del self._times[min(self._times)]
        return False

    def _older(self, candle: Candle) -> Candle:
        if candle.start in self._open:
            self._open[candle.start] = candle
            return candle
        return replace(candle, closed=True)

    def _over(self, current: Candle, venue_now: int) -> list[Item]:
        """The candles that the current one closes."""
        if not self._open or venue_now + self._least < current.start:
            return []
        over, self._open = self._open, {}
        return [
            replace(over[start], closed=True, time=current.time, received=current.received) for start in sorted(over)
        ]

    def _too_early(self, candle: Candle, venue_now: int, *, is_new: bool) -> list[Item]:
        if is_new:
            self._early[candle.start] = None
            if len(self._early) > MOST_EARLY:
                del self._early[next(iter(self._early))]
        if self._said == candle.start:
            return []
        self._said = candle.start
        ahead = span(candle.start - venue_now)
        return [Notice(f"a candle of {utc_time(candle.start)} came {ahead} before its time; it is not shown before")]

    def _is_right(self, candle: Candle, venue_now: int) -> bool:
        """Whether the candle has begun by the venue's clock, as far as we know it."""
        return candle.start - venue_now <= FAR

    def _is_righter(self, candle: Candle, venue_now: int, now: Now) -> bool:
        """Whether an older candle is to replace a current one that has not begun yet."""
        is_now = candle.start - FAR <= venue_now < candle.end + FAR
        return is_now or self._insists(candle.start, now)

    def _insists(self, start: int, now: Now) -> bool:
        """Counts one more message in a row of another candle; whether there were enough to make it the current one."""
        before, count, since = self._run
        if not count or before != start:
            count, since = 0, now.mono
        self._run = (start, count + 1, since)
        return count + 1 >= MESSAGES or (count > 0 and now.mono - since >= LASTING)

    def _trust(self, candle: Candle, venue_now: int) -> None:
        """Learns from a current candle where the venue's clock is: within that candle, or after it."""
        least, most = candle.start - venue_now, candle.end - venue_now
        self._run = (0, 0, 0.0)
        if least > self._most + FAR:
            self._least, self._most = least, most
        elif self._most:
            if 0 < most < self._least and (self._current is None or candle.start > self._current.start):
                self._least = self._most = 0  # it begins just now by our own clock, which is right again
                return
            self._least = max(self._least, least)
            self._most = max(self._least, min(self._most, most))
