"""Candles that the venue made: which one is current, which are over, which come before their time.

`MadeCandles` knows that a candle is over from the next one, `ClockedCandles` from the venue's clock too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from msgspec.structs import replace

from venues.records import Candle
from venues.toolkit.candles import LATE_TRADES
from venues.toolkit.clock import FAR, GONE_BACK, LASTING, MESSAGES
from venues.toolkit.times import span, utc_time
from venues.venue import Confirmed, Notice

if TYPE_CHECKING:
    from venues.toolkit.clock import VenueClock
    from venues.venue import Item, Now

T = TypeVar("T")

AGAIN = 0.25  # seconds until a candle is looked at again whose end the line has not outlived yet
MOST_EARLY = 16  # candles that came before their time and are kept in mind
MOST_TIMES = 500  # candles whose latest time is kept in mind
HELD_BACK = "a newer candle came before its time, and is not shown yet"


class MadeCandles:
    """Candles of one market, each of them sent as a whole whenever it changes.

    A later candle closes the current one once it has begun by the venue's clock. Before that it closes nothing, and if
    it comes `FAR` or more before its time, it is not shown yet: then `holds_back` is true, and the stream is not live.
    A candle older than the current one corrects an earlier one and is closed. An update that is older, by its own time,
    than the last one of the same candle changes nothing.

    Candles also show where the venue's clock is: not before the start of the current one. So when our clock is behind,
    the first candle counts; later, another one counts once five messages in a row, or all in two seconds, are of it.
    """

    def __init__(self) -> None:
        self.holds_back = False  # whether the latest candle is not shown yet: what is shown is older than it
        self._current: Candle | None = None
        self._open: dict[int, Candle] = {}  # those before the current one that it has not closed yet
        self._early: dict[int, None] = {}  # starts of new candles that came before their time
        self._least, self._most = 0, 0  # how far the venue's clock is ahead of what we take for it
        # Messages in a row of another candle: its start, how many, since when.
        self._run: tuple[int, int, float] | None = None
        self._said: int | None = None
        self._ended: int | None = None  # the start of the current candle, once it was closed by the clock
        self._times: dict[int, int] = {}  # by start: the latest time that a candle came with, …
        # … and the latest of those that were far ahead of the venue's clock, with the monotonic time at which it came
        self._doubted: dict[int, tuple[int, float]] = {}
        # Messages in a row that were older than that: how many times that went on, the latest of them, since when.
        self._outdated: tuple[int, int, float] | None = None

    def forget(self) -> None:
        """Forgets the current candle, e.g. on reconnecting. How it ended is not known, so it is never called closed."""
        self._current = self._ended = None
        self.holds_back = False
        self._open.clear()
        self._run = None

    def next_end(self) -> int | None:
        """The end of the earliest candle that nothing has closed yet; None where there is none."""
        ends = [candle.end for candle in self._open.values()]
        if self._current is not None and self._current.start != self._ended:
            ends.append(self._current.end)
        return min(ends, default=None)

    def ended_by(self, time: int, received: int) -> list[Candle]:
        """Closes the candles that end at `time` or before, by the venue's clock; later updates of them correct them.

        `received` is our own clock; both in milliseconds.
        """
        over = [self._open.pop(start) for start in sorted(self._open) if self._open[start].end <= time]
        current = self._current
        if current is not None and current.start != self._ended and current.end <= time:
            self._ended = current.start
            over.append(current)
        return [replace(candle, closed=True, received=received) for candle in over]

    def take(self, candle: Candle, venue_now: int, now: Now, *, is_new: bool = True) -> list[Item]:
        """What a candle changes, in order; `venue_now` is the venue's clock in milliseconds, as far as we know.

        `is_new`: it closes those before it. Else something was missed, and those are never said to be closed.
        """
        if self._is_outdated(candle, venue_now, now):
            return []
        self.holds_back = False
        current, start = self._current, candle.start
        if current is None or start == current.start:
            self._run = None
        elif start < current.start:
            if self._is_right(current, venue_now) or not self._is_righter(candle, venue_now, now):
                return [self._older(candle)]
            self._open.clear()
            self._least = self._most = 0
        else:
            if start - venue_now > self._most + FAR and not self._insists(start, now):
                return self._too_early(candle, venue_now, is_new=is_new)
            if (is_new or start in self._early) and current.start != self._ended:
                self._open[current.start] = current
        self._trust(candle, venue_now)
        self._current = candle
        self._early.pop(start, None)
        return [*self._over(candle, venue_now), replace(candle, closed=True) if start == self._ended else candle]

    def _is_outdated(self, candle: Candle, venue_now: int, now: Now) -> bool:
        """Whether a later state of the same candle came before. If such times go on, the venue's clock has gone back.

        A time far ahead keeps out none that is not, unless the clock, as it is known by now, agrees with it. But it
        keeps out an older one that is far ahead too: both are by one clock.
        """
        time, start = candle.time, candle.start
        if time is None:
            return False
        newest = self._times.get(start, time)
        if (doubted := self._doubted.get(start)) is not None:
            there, at = doubted
            if time - venue_now >= FAR or there - venue_now + (now.mono - at) * 1000 < FAR:
                newest = max(newest, there)
        if time < newest and not self._went_back(time, now):
            return True
        self._outdated = None
        if time - venue_now < FAR:
            _keep(self._times, start, time)
        else:
            _keep(self._doubted, start, (time, now.mono))
        return False

    def _went_back(self, time: int, now: Now) -> bool:
        """Counts one more outdated time; whether they prove that the clock went back, as `VenueClock` has it.

        An old time that is only repeated proves nothing, nor does what was held up and comes at once.
        """
        count, latest, since = self._outdated or (0, None, now.mono)
        if latest is not None and time <= latest:
            return False
        self._outdated = (count + 1, time, since)
        return count + 1 >= MESSAGES and now.mono - since >= GONE_BACK

    def _older(self, candle: Candle) -> Candle:
        """An earlier candle, corrected; it is closed unless the current one has not begun yet."""
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
        self.holds_back = True
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
        before, count, since = self._run or (start, 0, now.mono)
        if before != start:
            count, since = 0, now.mono
        self._run = (start, count + 1, since)
        return count + 1 >= MESSAGES or now.mono - since >= LASTING

    def _trust(self, candle: Candle, venue_now: int) -> None:
        """Learns from a current candle where the venue's clock is: within that candle, or after it."""
        least, most = candle.start - venue_now, candle.end - venue_now
        self._run = None
        if least > self._most + FAR:
            self._least, self._most = least, most
        elif self._most:
            if 0 < most < self._least and (self._current is None or candle.start > self._current.start):
                self._least = self._most = 0  # it begins just now by our own clock, which is right again
                return
            self._least = max(self._least, least)
            self._most = max(self._least, min(self._most, most))


def _keep(times: dict[int, T], start: int, time: T) -> None:
    times[start] = time
    if len(times) > MOST_TIMES:
        del times[min(times)]


class ClockedCandles:
    """Candles of one market that the venue makes and does not end: its clock closes them.

    That is `LATE_TRADES` milliseconds after their end, and only once the line has shown a sign of life since then:
    what is still on its way on a line that hangs may belong to the candle. `due`: the monotonic time of the next
    `tick`, None while no candle is open.
    """

    def __init__(self, clock: VenueClock) -> None:
        self.due: float | None = None
        self._clock = clock
        self._made = MadeCandles()
        self._delivered: dict[int, Candle] = {}  # by start: as they were delivered last

    @property
    def holds_back(self) -> bool:
        """Whether the latest candle is not shown yet, since it came before its time: what is shown is older than it."""
        return self._made.holds_back

    def forget(self) -> None:
        """Forgets the current candle, e.g. on reconnecting. How it ended is not known, so it is never called closed.

        What was delivered stays known.
        """
        self._made.forget()
        self.due = None

    def take(self, candle: Candle, now: Now, *, again: bool = False) -> list[Item]:
        """What a candle changes, in order: those that are over by it, and itself. Later updates correct those.

        One whose own time says that it was over when it was sent is closed at once. One that was delivered already as
        it is gives a `Confirmed` instead of itself, but for `again`: the stream was not live, and whoever reads it has
        no candle.
        """
        items = self._made.take(candle, self._clock.venue_now(now), now)
        if candle.time is not None and candle.end + LATE_TRADES <= candle.time <= self._time(now) + LATE_TRADES:
            over = {one.start: one for one in self._made.ended_by(candle.end, now.epoch_ms)}
            items = [over.get(item.start, item) if isinstance(item, Candle) else item for item in items]
        self._set_due(now)
        return [new for item in items for new in self._news(item, candle, now, again=again)]

    def tick(self, now: Now) -> list[Candle]:
        """The candles that are over by the venue's clock."""
        if self.due is None or now.mono < self.due:
            return []
        if self.holds_back:  # the stream is not live; the candle that comes next closes this one
            self.due = now.mono + AGAIN
            return []
        time = self._time(now)
        if now.heard is not None:  # a deadline made this moment: what came until then is all that counts
            time = min(time, time - round((now.mono - now.heard) * 1000))
        over = self._made.ended_by(time - LATE_TRADES, now.epoch_ms)
        for candle in over:
            self._keep(candle)
        self._set_due(now)
        if self.due is not None and not over:
            self.due = max(self.due, now.mono + AGAIN)
        return over

    def _news(self, item: Item, came: Candle, now: Now, *, again: bool) -> list[Item]:
        """What to deliver of a candle or a notice."""
        if not isinstance(item, Candle):
            return [item]
        known = self._delivered.get(item.start)
        if known is not None and known.closed and not item.closed and item.end <= self._time(now):
            item = replace(item, closed=True)  # closed before it was forgotten
        self._keep(item)
        if known is None or replace(item, time=known.time, received=known.received) != known:
            return [item]
        if item.start != came.start:
            return []
        return [item] if again else [Confirmed("candles", item.time, item.symbol)]

    def _keep(self, candle: Candle) -> None:
        self._delivered[candle.start] = candle
        if len(self._delivered) > MOST_TIMES:
            del self._delivered[min(self._delivered)]

    def _time(self, now: Now) -> int:
        """The venue's clock, less the time that its messages take, as far as that is known.

        Until it is, ours and the messages' own times have both to say that a candle is over.
        """
        if (shown := self._clock.shown_by(now)) is not None:
            return shown
        ours, hint = self._clock.venue_now(now), self._clock.hinted_by(now)
        return ours if hint is None else min(ours, hint)

    def _set_due(self, now: Now) -> None:
        end = self._made.next_end()
        self.due = None if end is None else now.mono + max(0, end + LATE_TRADES - self._time(now)) / 1000
