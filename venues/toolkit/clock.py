"""The clock discipline of all venues: how a venue's clock stands to ours, and which of its times are believed.

One time stamp proves nothing: it may be an hour ahead by a mistake of the venue's. What many messages in a row agree
on is the venue's clock, however far it is from ours. Distances are the venue's time minus ours, in milliseconds.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from venues.toolkit.times import span, utc_time
from venues.venue import ClockOffset, Item, Notice

if TYPE_CHECKING:
    from collections.abc import Sequence

    from venues.venue import Now

AGREE = 1_000  # milliseconds within which two distances are the same
FAR = 5_000  # milliseconds ahead from which one stamp alone is not believed
MESSAGES = 5  # in a row that prove a distance
LASTING = 2.0  # seconds in which all messages agree prove it too, however few they are
GONE_BACK = 10.0  # seconds for which a clock must have gone back: a replay comes faster, and gives itself away
LONGEST_LATENCY = 60_000  # milliseconds that a message may take; what is farther behind is another clock
STEP = 1_000  # milliseconds between our two clocks that are a step of one of them
LATEST = 253_402_300_799_999  # milliseconds: the end of the year 9999
SELDOM = 60.0  # seconds between two notices about the same thing

_UNKNOWN = -(1 << 62)


class VenueClock:
    """How the venue's clock stands to ours, by the recent messages of one line; it outlives reconnects.

    `offset_ms` is how far the venue's clock is ahead of ours. It is 0 while that is unknown, and where the time that a
    message takes explains the distance. `settled` counts the times that a distance was proved, `went_back` those where
    it fell by `FAR` or more.
    """

    def __init__(self, streams: Sequence[str] = ()) -> None:
        """`streams` are those that get a `ClockOffset` when the offset changes."""
        self.offset_ms = 0
        self.settled = 0
        self.went_back = 0
        self.items: list[Item] = []
        self._streams = streams
        self._reference = _UNKNOWN  # the proved distance
        self._stepped = 0  # the part of the offset that is due to steps of our own clock
        self._last: Now | None = None  # when a message came last, while no distance is proved
        self._since: Now | None = None  # when our clocks stood as the proved distance has them
        self._run = _Run()
        self._said = 0  # the offset of the latest notice
        self._said_at = -math.inf
        self._doubts = 0
        self._doubted_at = -math.inf

    def see(self, stamp: int, now: Now) -> bool:
        """Takes the time of one message, in milliseconds by the venue; returns whether it is believed.

        False: it is far ahead of our clock and of the venue's other times, and not proved yet. Nothing may move by it.
        """
        if -AGREE <= stamp - now.epoch_ms - self._reference <= AGREE and not self._run.count:
            return True
        return self._weigh(stamp, now)

    def venue_now(self, now: Now) -> int:
        """The venue's clock, in milliseconds since the epoch."""
        return now.epoch_ms + self.offset_ms

    def shown_by(self, now: Now) -> int | None:
        """The time that a message would have if it came now without delay: the venue's clock minus the transmission.

        None while that is not known. A step of our clock does not change it, nor do several that are small.
        """
        if self._reference == _UNKNOWN or self._since is None:
            return None
        return round(now.mono * 1000 + _between(self._since)) + self._reference

    def hinted_by(self, now: Now) -> int | None:
        """As `shown_by`, where that is not known yet but messages came: what those alone say, which proves nothing."""
        if self._reference != _UNKNOWN or self._last is None or not self._run.count:
            return None
        return round(now.mono * 1000 + _between(self._last)) + self._run.top

    def believes(self, stamp: int, at: Now) -> bool:
        """Whether a stamp that came at `at` agrees with what is proved by now: it is not far ahead, but may be late."""
        shown = self.shown_by(at)
        return shown is not None and stamp - shown < FAR

    def take(self) -> list[Item]:
        """The offsets and notices to deliver since the last call; each is returned once."""
        items, self.items = self.items, []
        return items

    def _weigh(self, stamp: int, now: Now) -> bool:
        self._last = now
        if self._since is None:
            self._since = now
        elif abs(stepped := _between(now) - _between(self._since)) >= STEP:  # at once, or little by little
            self._since = now
            self._step(round(stepped))
        distance = stamp - now.epoch_ms
        if abs(distance - self._reference) <= AGREE:
            self._run.count = 0
            return True
        if not 0 <= stamp <= LATEST:
            self._doubt(f"a message says {stamp} for its time, which cannot be", now)
            return False
        run = self._run
        if not run.agrees(distance):
            self._start_run(distance, now)
        elif stamp != run.stamp or distance > 0:  # an old time that is only repeated proves no clock
            run.add(distance)
        run.stamp = stamp
        if self._is_proved(now):
            self._settle(now)
            return True
        reference = 0 if self._reference == _UNKNOWN else self._reference
        # If the venue's clock is known to be behind ours, a stamp is not believed just because it agrees with ours.
        if distance - reference < FAR or (distance < FAR and self.offset_ms >= 0):
            return True
        ahead = (
            f"{span(distance)} ahead of our clock"
            if distance >= FAR
            else f"{span(distance - reference)} ahead of its others"
        )
        self._doubt(f"a message says {utc_time(stamp)} for its time, {ahead}", now)
        return False

    def _start_run(self, distance: int, now: Now) -> None:
        run, before = self._run, self._reference
        if run.count:
            before = run.last
            if self._reference == _UNKNOWN and not self._taken_out(run.top) and distance <= before - FAR:
                self._reference = run.top  # the first messages agree with our clock; this one is the exception
        elif self._reference == _UNKNOWN and abs(distance) <= AGREE:
            self._reference, self._since = distance, now  # both clocks agree from the start
            return
        fell = before != _UNKNOWN and distance <= before - FAR
        # A run that goes on less late after a fall is still that fall: one message in between was late.
        run.start(distance, now.mono, fell=fell or (run.count > 0 and run.fell and distance > before))

    def _is_proved(self, now: Now) -> bool:
        run = self._run
        if not run.count:
            return False
        lasted = now.mono - run.since
        if self._is_behind(run):
            # A feed that falls behind little by little is not a clock that goes back.
            back = run.fell or (self.offset_ms >= 0 and self._taken_out(run.top) == 0)
            return back and run.count >= MESSAGES and lasted >= GONE_BACK
        return run.count >= MESSAGES or lasted >= LASTING

    def _is_behind(self, run: _Run) -> bool:
        """Whether a run of messages is farther behind than the proved distance."""
        return self._reference != _UNKNOWN and run.anchor < self._reference

    def _settle(self, now: Now) -> None:
        run = self._run
        if run.fell and self._is_behind(run):
            self.went_back += 1
        self._reference, self._since = run.top, now
        self.settled += 1
        run.count = 0
        self._set_offset(now.mono)

    def _step(self, by: int) -> None:
        """Follows a step of our wall clock: the distance changes by it, the venue's clock does not."""
        if self._run.count:
            self._run.move(-by)
        if self._reference != _UNKNOWN:
            self._reference -= by
            self._stepped -= by
            self._set_offset(None)

    def _taken_out(self, distance: int) -> int:
        """The part of a distance that the clocks explain, not the time that a message takes.

        A message cannot come before it was sent, but it can take long.
        """
        is_on_its_way = -LONGEST_LATENCY <= distance - self._stepped < AGREE
        return self._stepped if is_on_its_way else distance

    def _set_offset(self, mono: float | None) -> None:
        if abs(self._reference) <= AGREE:
            self._stepped = 0  # both clocks are right again
        offset = self._taken_out(self._reference)
        if offset == self.offset_ms:
            return
        self.offset_ms = offset
        self.items += [ClockOffset(stream, offset) for stream in self._streams]
        if abs(offset - self._said) < FAR:
            return
        if mono is not None:
            if mono - self._said_at < SELDOM:
                return
            self._said_at = mono
        self._said = offset
        self.items.append(Notice(_offset_words(offset)))

    def _doubt(self, words: str, now: Now) -> None:
        self._doubts += 1
        if now.mono - self._doubted_at < SELDOM:
            return
        self._doubted_at = now.mono
        so_far = f" ({self._doubts} such times so far)" if self._doubts > 1 else ""
        self.items.append(Notice(f"{words}; nothing is moved by it{so_far}"))


class NewestState:
    """The venue's time of the whole state that is shown, so that no older one replaces it; outlives reconnects.

    A time that is not believed does not keep believed ones out, unless the clock, once it is known, agrees with it. But
    one that is not believed either, and older, came late: both are by the same clock.
    """

    def __init__(self, clock: VenueClock) -> None:
        self._clock = clock
        self._went_back = 0
        self._newest: int | None = None
        self._doubted: tuple[int, Now] | None = None  # shown after that, though its time was not believed

    def older_by(self, stamp: int, *, believed: bool = True) -> int:
        """How many milliseconds older a state is than the one shown; 0 if it may be shown."""
        if self._went_back != self._clock.went_back:
            self._went_back, self._newest, self._doubted = self._clock.went_back, None, None
        if (
            self._doubted is not None
            and stamp < self._doubted[0]
            and (not believed or self._clock.believes(*self._doubted))
        ):
            return self._doubted[0] - stamp
        return 0 if self._newest is None else max(0, self._newest - stamp)

    def shows(self, stamp: int, now: Now | None = None, *, believed: bool = True) -> None:
        """Notes that a state with this time is shown. `now` is needed for one that is not `believed`."""
        if believed or now is None:
            self._newest, self._doubted = stamp, None
        else:
            self._doubted = stamp, now


class _Run:
    """Messages in a row that keep one distance."""

    __slots__ = ("anchor", "count", "fell", "last", "since", "stamp", "top")

    def __init__(self) -> None:
        self.count = 0  # while it is 0, nothing else is read
        self.stamp: int  # the last message's

    def start(self, distance: int, mono: float, *, fell: bool) -> None:
        """`fell`: the message before this run was far less behind."""
        self.anchor = self.top = self.last = distance
        self.since, self.fell, self.count = mono, fell, 1

    def agrees(self, distance: int) -> bool:
        """Whether a message with this distance continues the run."""
        return self.count > 0 and abs(distance - self.anchor) <= AGREE

    def add(self, distance: int) -> None:
        """Adds a message. The one with the least delay shows the clock best."""
        self.count += 1
        self.last = distance
        self.top = max(self.top, distance)

    def move(self, by: int) -> None:
        """Changes all distances, after a step of our clock."""
        self.anchor += by
        self.top += by
        self.last += by


def _between(now: Now) -> float:
    """Our wall clock − our monotonic clock, in milliseconds."""
    return now.epoch_ms - now.mono * 1000


def _offset_words(offset: int) -> str:
    if not offset:
        return "the venue's clock agrees with ours again"
    way = "ahead of" if offset > 0 else "behind"
    return f"the venue's clock is {span(abs(offset))} {way} ours; ages are told with that taken out"
