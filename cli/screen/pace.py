"""When the next frame may go to a terminal, so that none is old by the time it is shown.

A terminal, and the way to it, hold many frames that nobody has seen yet; over a slow link seconds of them, and nothing
can be taken out again. So a frame ends with a question that each terminal answers once it has come so far, and the
next one is drawn when the answer is there. Where none ever comes, writes that find no room tell how fast the terminal
reads. `mon` then stays below that.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

QUESTION = "\x1b[5n"  # the answer is ESC [ 0 n
FIRST_WITHIN = 0.5  # seconds for the first answer; later ones count too
LOST_AFTER = 3.0  # seconds without any answer
SILENCE = 1.0  # seconds after an answer in which the others that are due would have come
MOST_LOST = 3  # answers in a row, after which the terminal has none any more
MAY_COME = 5.0  # seconds for which a first answer may still come when the terminal is given back

PIECE = 256  # bytes that are written at once where it matters whether there is room
HELD = 16 * 1024  # bytes: what a pseudo-terminal of Linux holds of such pieces
PROBE = 36 * 1024  # bytes, many more than that
MEASURED_OVER = 2.5  # seconds: room is made in pieces of 2 KiB, which a shorter time would make too much of
MEASURED_BY = 4  # moments without room at least
APART = 3.0  # seconds; moments without room that are so far apart are not one slow reader, but one that has paused
SAFE = 0.8  # of the rate that was measured
SLOWEST = 64.0  # bytes a second


class Pace:
    """Knows what a terminal has been sent and what of it is shown. Seconds are of a monotonic clock.

    The event loop hears answers; everything else is for the thread that draws.
    """

    def __init__(
        self, on_answer: Callable[[], None] = lambda: None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._on_answer = on_answer
        self._clock = clock
        self._heard: bool | None = None  # whether somebody hears answers; None while that is not known
        self._answers = False  # whether the terminal answers
        self._asked = self._answered = self._lost = 0
        self._asked_at = self._answered_at = 0.0
        self._took = 0.0  # seconds until the latest answer
        self._backlog = Backlog()
        self._probing = True

    # --- from the event loop

    def listen(self, heard: bool | None) -> None:
        """Somebody hears answers from now on; or nobody ever will; or, with None, nobody for a while."""
        self._heard = heard

    def answer(self, count: int) -> None:
        """So many answers have come."""
        due = self._asked - self._answered
        if due <= 0 or count <= 0:
            return
        self._answered_at = self._clock()
        self._took = self._answered_at - self._asked_at
        self._answered += min(count, due)
        self._lost = 0
        if not self._answers:
            self._answers, self._backlog = True, Backlog()
        self._on_answer()

    @property
    def answers(self) -> bool:
        """Whether the terminal answers."""
        return self._answers

    def patience(self) -> float:
        """Seconds for which it is worth while to wait for an answer; 0 where none is due."""
        if self._asked == self._answered:
            return 0.0
        return self._asked_at + (LOST_AFTER if self._answers else FIRST_WITHIN) - self._clock()

    def is_due(self) -> bool:
        """Whether an answer may still come, as far as the terminal answers at all."""
        if self._asked == self._answered:
            return False
        return self._answers or self._clock() - self._asked_at < MAY_COME

    def settle(self) -> None:
        """Wait for no answer any more: the terminal was somebody else's."""
        self._answered = self._asked
        self.forget()

    def forget(self) -> None:
        """Find out again how fast the terminal is."""
        self._took, self._backlog, self._probing = 0.0, Backlog(), True

    # --- from the thread that draws

    def is_ready(self) -> bool:
        """Whether a frame that is drawn now is shown soon."""
        now = self._clock()
        if self._asked > self._answered:
            since = now - self._asked_at
            if not self._answers:
                if since < FIRST_WITHIN:
                    return False
            elif self._answered_at > self._asked_at:
                if now - self._answered_at < SILENCE:
                    return False
                self._answered = self._asked  # one was lost
            elif since < max(LOST_AFTER, 3 * self._took):
                return False
            else:
                self._lost += 1
                self._answers = self._lost < MOST_LOST
        return self._backlog.seconds(now) <= 0

    def delay(self) -> float:
        """Seconds until a frame that is drawn now is shown, as those before it took."""
        return self._took if self._answers else self._backlog.took

    @property
    def asks(self) -> bool:
        """Whether the next frame is to end with a question. An open one is enough until the first answer."""
        return self._heard is True and (self._answers or self._asked == self._answered)

    @property
    def watches_room(self) -> bool:
        """Whether it matters if a write finds room."""
        return not self._answers

    @property
    def probes(self) -> bool:
        """Whether the terminal, which does not answer, has to show first that it reads what it gets."""
        if self._answers or not self._probing:
            return False
        return self._heard is False or self._asked > self._answered

    def probed(self) -> None:
        """The terminal has kept up, or its rate is known."""
        self._probing = False
        if not self.has_rate:
            self._backlog = Backlog()

    @property
    def has_rate(self) -> bool:
        """Whether it is known how fast the terminal reads."""
        return self._backlog.rate is not None

    def full(self) -> None:
        """A write finds no room."""
        self._backlog.full(self._clock())

    def wrote(self, size: int) -> None:
        """So many bytes were written."""
        self._backlog.wrote(size, self._clock())

    def sent(self, size: int, *, asked: bool) -> None:
        """A frame of so many bytes is about to be written; `asked`: it ends with the question."""
        if asked:
            self._asked_at = self._clock()
            self._asked += 1
        self._backlog.begin(size)


class Backlog:
    """What a terminal has not read yet, as far as it shows: when it is full, and what went into it between two such
    moments, which is what was read. `rate`: bytes a second that it reads for sure; None where it has kept up."""

    def __init__(self) -> None:
        self.rate: float | None = None
        self.took = 0.0  # seconds that the latest frame takes
        self._unread = 0.0
        self._at = 0.0
        self._total = 0
        self._full: list[tuple[float, int]] = []

    def begin(self, size: int) -> None:
        """A frame of so many bytes comes next."""
        if self.rate is not None:
            self.took = size / self.rate

    def wrote(self, size: int, now: float) -> None:
        """So many bytes were written."""
        self._total += size
        if self.rate is not None:
            self._unread, self._at = self._left(now) + size, now

    def full(self, now: float) -> None:
        """A write finds no room."""
        if self._full and now - self._full[-1][0] > APART:
            self._full.clear()
        self._full.append((now, self._total))
        since, total = self._full[0]
        if now - since >= MEASURED_OVER and len(self._full) >= MEASURED_BY:
            self.rate = max(SLOWEST, SAFE * (self._total - total) / (now - since))
            self._unread, self._at = HELD, now
            self._full.clear()

    def seconds(self, now: float) -> float:
        """How long it takes until everything is read."""
        return 0.0 if self.rate is None else self._left(now) / self.rate

    def _left(self, now: float) -> float:
        assert self.rate is not None
        return max(0.0, self._unread - self.rate * (now - self._at))
