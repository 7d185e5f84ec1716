"""What outlives a connection: the time of what is shown, and the trades that were printed. Pure."""

from __future__ import annotations

from array import array
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, NamedTuple

from venues.toolkit.times import PER_MS

if TYPE_CHECKING:
    from venues.toolkit.clock import VenueClock
    from venues.venue import Now

LONG = 60_000  # milliseconds: a state that is older by less is waited for, since that is over in a minute
MOST_TRADES = 20_000  # of a symbol whose ids are remembered at least
BITS = 5  # of an id that say where it is in its block
LOW = (1 << BITS) - 1


class _Shown(NamedTuple):
    """The time of a state that is shown, in picoseconds, when it came, and whether it was believed then."""

    time: int
    at: Now
    believed: bool


class Newest:
    """The venue's time of the newest state of a symbol that was shown, so that no older one is; or of a change of a
    book that did not fit, so that no snapshot from before it is.

    A time that was not believed when it came counts as long as the clock, once it is known, does not contradict it. A
    clock that has gone back by more than a minute begins anew.
    """

    def __init__(self, clock: VenueClock) -> None:
        self._clock = clock
        self._went_back = clock.went_back
        self._newest: _Shown | None = None

    def older_by(self, time: int) -> int:
        """How many milliseconds older a state is than the one shown, at least 1; 0 if it may be shown.

        `time` is the venue's with all its digits, in picoseconds: several states may come in a millisecond.
        """
        newest = self._newest
        if newest is None or time >= newest.time:
            self._went_back = self._clock.went_back
            return 0
        older_by = max(1, (newest.time - time) // PER_MS)
        went_back = self._went_back != self._clock.went_back and older_by >= LONG
        if went_back or not (newest.believed or self._agrees(newest)):
            self._newest = None
            return 0
        return older_by

    def shows(self, time: int, now: Now, *, believed: bool) -> None:
        """Notes that a state with this time is shown, or is known to be."""
        self._newest = _Shown(time, now, believed)

    def _agrees(self, newest: _Shown) -> bool:
        """Whether the clock, as it is known by now, agrees with a time; while it is not known, nothing contradicts."""
        return self._clock.shown_by(newest.at) is None or self._clock.believes(newest.time // PER_MS, newest.at)


class PrintedTrades:
    """The trades of a symbol that were printed, by the venue's ids, which count up by one.

    A single id far ahead loses nothing: what was not printed is new. What is older than all that is remembered is left
    out. A venue that counts anew gives itself away: an id comes again with another trade, or an old one with a later
    time than any before.
    """

    def __init__(self) -> None:
        self.last: int | None = None
        # What identifies a trade, by the low bits of its id in a block of ids that follow on each other: a dictionary
        # of ids would take eight times the memory. The block that was printed to last is the last one.
        self._blocks: dict[int, _Block] = {}
        self._block: _Block | None = None
        self._count = 0
        self._oldest = -1  # at or below it, an id is older than all that is remembered
        self._newest = 0  # the latest time of a trade

    def weigh(self, trade_id: int, time: int, trade: int) -> Literal["printed", "new", "anew"]:
        """Whether a trade was printed already; `time` in milliseconds, `trade` a hash of all that it says.

        `anew`: it is new, and so is the venue's counting: nothing is known of what happened before it.
        """
        block = self._blocks.get(trade_id >> BITS)
        known = 0 if block is None else block.trades[trade_id & LOW]
        if known == (trade or 1):
            return "printed"
        if not known and trade_id > self._oldest:
            return "new"
        return "anew" if time > self._newest else "printed"

    def missing_before(self, trade_id: int) -> int:
        """How many trades are missing between the last one printed and this one."""
        if self.last is None or trade_id <= self.last + 1:
            return 0
        first, end = self.last, trade_id
        blocks = [block for block in self._blocks.values() if first >> BITS <= block.number <= end >> BITS]
        # The last one itself, and those that others came before.
        known = sum(first <= one < end for block in blocks for one in block.ids())
        return end - first - known

    def printed(self, trade_id: int, time: int, trade: int) -> None:
        """Notes that a trade is printed."""
        if not self._blocks:
            self._oldest = trade_id - 1  # what is older than the first one would come out of order
        self.last, self._newest = trade_id, max(self._newest, time)
        number = trade_id >> BITS
        block = self._block
        if block is None or block.number != number:
            block = self._block = self._blocks.pop(number, None) or _Block(number)
            self._blocks[number] = block
        self._count += not block.trades[trade_id & LOW]
        block.trades[trade_id & LOW] = trade or 1
        if self._count >= MOST_TRADES + MOST_TRADES // 10:
            self._forget_oldest()

    def begin_anew(self) -> None:
        """Forgets all ids: the venue gives them again."""
        self._blocks.clear()
        self._block = self.last = None
        self._count = 0

    def _forget_oldest(self) -> None:
        """Forgets those that were printed first, a tenth at a time: a dict is slow to find its first entry behind many
        deleted ones.
        """
        gone: list[_Block] = []
        for block in self._blocks.values():
            gone.append(block)
            count = len(block.ids())
            if self._count - count < MOST_TRADES:
                break
            self._count -= count
        for before, after in pairwise(gone):
            del self._blocks[before.number]
            if before.number < after.number:
                self._oldest = max(self._oldest, *before.ids())


class _Block:
    """The trades of `1 << BITS` ids that follow on each other; 0 for those that were not printed."""

    __slots__ = ("number", "trades")

    def __init__(self, number: int) -> None:
        self.number = number
        self.trades = array("q", bytes(8 << BITS))

    def ids(self) -> list[int]:
        """The ids that were printed, ascending."""
        first = self.number << BITS
        return [first + low for low, trade in enumerate(self.trades) if trade]
