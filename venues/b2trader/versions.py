"""Learns whether a B2TRADER host skips versions of its book without losing changes. Pure.

The document shows a version and does not say that it counts by one. That is assumed, so a skipped version makes the
book stale. That this host skips without loss is learnt from positive proof only: the old invocation is kept beside the
new one, and its doubtful book goes on merging, unseen. When it has exactly the new snapshot's version, it must be equal
to that snapshot.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Literal, NamedTuple

from venues.errors import CrossedBook, TooManyLevels

if TYPE_CHECKING:
    from collections.abc import Callable

    from venues.toolkit.book import BookDelta, OrderBook
    from venues.venue import Now

LEARNT = (
    "book versions skip at this host and nothing is lost by it (three times a book after 20 skipped versions or more "
    "was equal to a new one): until the connection ends a version only has to grow"
)
PROOFS_NEEDED = 3
# A lost delta heals when its level is touched again. With fewer skips, three books are equal by luck now and then.
SKIPPED_AT_LEAST = 20
ANSWERED_WITHIN = 10.0  # seconds for a new invocation to be answered while the old one goes on
REACHED_WITHIN = 2.0  # seconds after the new snapshot in which the doubtful book may get to its version
MOST_REMEMBERED = 20_000  # changed levels of a doubtful book that can be taken back
TOLD_AFTER = 3  # skips on a line after which a person is told what can be set …
TOLD_WITHIN = 300.0  # … where so few seconds lie between them that it is the host's way, and no accident

Verdict = Literal["proof", "disproof", "nothing"]


class Lesson:
    """What outlives a connection: what the user says about skips, and what forbids them on this line for good.

    `one_at_a_time`: the hub refused an invocation beside the old one, so the old one is cancelled first.
    """

    def __init__(self, *, growing: bool = False, table: str = "") -> None:
        """`growing`: the user says that versions may skip. `table`: the table of the config file for that setting."""
        self.growing = growing
        self.forbidden = ""  # the reason; empty while skips may still be proven to lose nothing
        self.one_at_a_time = False
        self._lost = 0
        self._table = table
        self._skips: deque[float] = deque(maxlen=TOLD_AFTER)

    def forbid(self, why: str) -> None:
        """Forbids skips on this line for good, unless the user allows them."""
        self.forbidden = self.forbidden or why

    def lost_unanswered(self) -> None:
        """Notes a connection lost before an invocation beside the old one was answered. Once may be chance."""
        self._lost += 1
        self.one_at_a_time = self.one_at_a_time or self._lost > 1

    def skipped(self, now: Now) -> str:
        """Notes a skipped version; returns advice for the user if that happens again and again, else an empty text."""
        self._skips.append(now.mono)
        if len(self._skips) < TOLD_AFTER or now.mono - self._skips[0] > TOLD_WITHIN:
            return ""
        setting = f'versions = "growing" under [{self._table or "venues.b2trader"}]'
        if self.forbidden:
            return f"; versions skip here again and again, and {setting} would be wrong ({self.forbidden})"
        return f"; versions skip here again and again: if this broker loses nothing by that, set {setting}"


class DoubtfulBook:
    """A book after a skip. It goes on merging, unseen, and can return to its latest versions."""

    def __init__(self, book: OrderBook, delta: BookDelta) -> None:
        """Takes the book over, and the delta that skipped a version.

        Raises:
            CrossedBook: as of `merge`.
        """
        held, version = book.sequence, delta.sequence
        assert held is not None
        assert version is not None
        self.version = version
        self.skipped = version - held - 1
        self._book = book
        self._steps: deque[_Step] = deque()
        self._rows = 0
        book.rule, book.whole = "growing", True
        book.apply(delta)

    def merge(self, delta: BookDelta) -> None:
        """Merge one more delta; one that it holds already changes nothing.

        Raises:
            CrossedBook: the best bid is at or above the best ask.
        """
        version = delta.sequence
        if version is None or version <= self.version:
            return
        self._steps.append(_Step(self.version, self.skipped, self._book.undoing(delta)))
        self._rows += _rows(delta)
        while self._rows > MOST_REMEMBERED:
            self._rows -= _rows(self._steps.popleft().undo)
        self.skipped += version - self.version - 1
        self.version = version
        self._book.apply(delta)

    def replace(self, whole: BookDelta) -> None:
        """Takes a whole state that came on the old invocation: nothing is skipped since.

        Raises:
            CrossedBook: the best bid is at or above the best ask.
        """
        assert whole.sequence is not None
        self._book.snapshot(whole.bids, whole.asks, whole.sequence)
        self.version, self.skipped = whole.sequence, 0
        self._steps.clear()
        self._rows = 0

    def compared(self, snapshot: OrderBook) -> Verdict | None:
        """What a snapshot says about the skips before it; None while this book may still reach its version."""
        version = snapshot.sequence
        if version is None or version < self.version:
            return self._compared_before(version, snapshot)
        if version > self.version:
            return None
        return _verdict(self._book, self.skipped, snapshot)

    def _compared_before(self, version: int | None, snapshot: OrderBook) -> Verdict:
        if version is None or not any(step.version == version for step in self._steps):
            return "nothing"
        book = self._book.copy()
        for step in reversed(self._steps):
            book.undo(step.undo)
            if step.version == version:
                return _verdict(book, step.skipped, snapshot)
        raise AssertionError("the version is among the steps")


class _Step(NamedTuple):
    """What a doubtful book was before a delta: its version, what was skipped until then, and the levels it had."""

    version: int
    skipped: int
    undo: BookDelta


def _verdict(book: OrderBook, skipped: int, snapshot: OrderBook) -> Verdict:
    if not book.has_same_sizes(snapshot):
        return "disproof"
    return "proof" if skipped >= SKIPPED_AT_LEAST else "nothing"


def _rows(delta: BookDelta) -> int:
    return len(delta.bids) + len(delta.asks) + 1


class _Trial:
    """A doubtful book, the snapshot whose version it has to reach, and the monotonic time until which it may."""

    __slots__ = ("doubtful", "snapshot", "until")

    def __init__(self, doubtful: DoubtfulBook) -> None:
        self.doubtful = doubtful
        self.snapshot: OrderBook | None = None
        self.until: float | None = None


class Trials:
    """The old invocations of one connection's book, kept to see whether skips lost anything.

    `growing`: versions may skip. `cancel` ends an invocation at the hub.
    """

    def __init__(self, lesson: Lesson) -> None:
        self.lesson = lesson
        self.growing = lesson.growing
        self.cancel: Callable[[str], None] = _nowhere
        self._proofs = 0
        self._trials: dict[str, _Trial] = {}
        self._answer_due: float | None = None
        self._news: Literal["growing", "forbidden"] | None = None
        self._was_useful = False

    def __contains__(self, invocation: str) -> bool:
        return invocation in self._trials

    @property
    def rule(self) -> Literal["contiguous", "growing"]:
        """How versions follow on each other, by what is known now."""
        return "growing" if self.growing else "contiguous"

    # --- invocations that come and go

    def doubt(self, book: OrderBook, delta: BookDelta) -> DoubtfulBook | None:
        """The doubtful book after a delta that skipped a version; None when nothing can be learnt from it."""
        if self.lesson.forbidden or self.lesson.one_at_a_time:
            return None
        try:
            return DoubtfulBook(book, delta)
        except CrossedBook:
            self.crossed()
            return None
        except TooManyLevels:
            return None

    def begin(self, invocation: str, doubtful: DoubtfulBook) -> None:
        """Keeps an invocation beside the new one that is about to be asked for."""
        self._trials[invocation] = _Trial(doubtful)

    def asked(self, now: Now) -> None:
        """Notes that a new invocation was asked for."""
        self._answer_due = now.mono + ANSWERED_WITHIN if self._awaiting() else None

    def refused(self) -> bool:
        """The new invocation ended without an item; returns whether the old one beside it may be the reason.

        If so, the old one is given up, and from now on it is ended before the next is asked for.
        """
        if not self._awaiting():
            return False
        self.lesson.one_at_a_time = True
        self.end_all()
        return True

    def lost(self) -> None:
        """Forgets all old invocations: the connection is lost."""
        if self._answer_due is not None and self._awaiting():
            self.lesson.lost_unanswered()
        self._trials.clear()
        self._answer_due = None

    def end(self, invocation: str) -> None:
        """Ends an old invocation: nothing more can be learnt from it."""
        if self._trials.pop(invocation, None) is not None:
            self.cancel(invocation)

    def end_all(self) -> None:
        """Ends all old invocations: nothing more can be learnt from them."""
        for invocation in list(self._trials):
            self.end(invocation)

    def deadline(self) -> float | None:
        """The monotonic time at which `tick` is due; None while there is no old invocation."""
        if not self._trials:
            return None
        moments = [self._answer_due, *(trial.until for trial in self._trials.values())]
        return min((moment for moment in moments if moment is not None), default=None)

    def tick(self, now: Now) -> None:
        """Ends the old invocations that have waited for long enough."""
        for invocation, trial in list(self._trials.items()):
            if trial.until is not None and trial.until <= now.mono:
                self.end(invocation)
        if self._answer_due is not None and self._answer_due <= now.mono:
            self._answer_due = None
            self.refused()

    # --- what is learnt

    def merge(self, invocation: str, delta: BookDelta, *, whole: bool) -> None:
        """Merges a delta, or a whole state, that came on an old invocation."""
        trial = self._trials[invocation]
        try:
            if whole:
                trial.doubtful.replace(delta)
            else:
                trial.doubtful.merge(delta)
        except CrossedBook:
            self.crossed()
            return
        except TooManyLevels:
            self.end(invocation)
            return
        if trial.snapshot is not None:
            self._judge(invocation, trial, trial.snapshot)

    def whole(self, book: OrderBook, now: Now) -> None:
        """Compares the doubtful books that waited for it with the new snapshot."""
        self._answer_due = None
        for invocation, trial in list(self._trials.items()):
            if trial.snapshot is None and invocation in self._trials:
                self._judge(invocation, trial, book)
                trial.snapshot, trial.until = book.copy(), now.mono + REACHED_WITHIN

    def crossed(self) -> None:
        """Forbids skips, because the shown book or a doubtful one was crossed."""
        self._forbid("the book was crossed")

    def take_news(self) -> Literal["growing", "forbidden"] | None:
        """What skips have become, allowed (`growing`) or forbidden: told once, else None."""
        news, self._news = self._news, None
        return news

    def take_usefulness(self) -> bool:
        """Whether there was a proof since the last call."""
        useful, self._was_useful = self._was_useful, False
        return useful

    def _awaiting(self) -> bool:
        """Whether an old invocation waits for the new snapshot."""
        return any(trial.snapshot is None for trial in self._trials.values())

    def _judge(self, invocation: str, trial: _Trial, snapshot: OrderBook) -> None:
        verdict = trial.doubtful.compared(snapshot)
        if verdict is None:
            return
        self.end(invocation)
        if verdict == "disproof":
            self._forbid("a book differed from the new snapshot of its version: what was skipped was lost")
        elif verdict == "proof" and not self.lesson.forbidden:
            self._was_useful = True
            self._proofs += 1
            if self._proofs >= PROOFS_NEEDED and not self.growing:
                self.growing, self._news = True, "growing"

    def _forbid(self, why: str) -> None:
        self.lesson.forbid(why)
        self.end_all()
        if self.growing and not self.lesson.growing:
            self.growing, self._news = False, "forbidden"


def _nowhere(invocation: str) -> None:
    """Does nothing: there is no hub yet at which an invocation could be ended."""
