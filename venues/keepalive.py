"""Whether a line is still there: WebSocket pings, and what counts as a sign of life. Pure; times are monotonic seconds.

A ping is answered behind everything that was sent before it. While one message is still arriving, its bytes put the
answer off: a large book over a thin line is no dead line. Once whole messages have come since, the answer is due: what
comes later is behind what the link can carry, and would be shown older and older.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from venues.venue import Now

AGAIN_AFTER = 0.5  # seconds after an unanswered ping until the next, while messages come
SEEN_WITHIN = 2.0  # seconds in which all lines look at the clock
LATE = 0.25  # seconds after which a look came so late that an answer may wait to be read


def step_between(before: Now, now: Now) -> float:
    """Seconds by which the clock of this machine was set between two moments, below 0 if back."""
    return (now.epoch_ms - before.epoch_ms) / 1000 - (now.mono - before.mono)


class Steps:
    """Several lines see the same step of the clock, each within two seconds; one of them tells it."""

    def __init__(self) -> None:
        self._seen_at: float | None = None

    def is_news(self, at: float) -> bool:
        """Whether nobody has seen it yet."""
        before, self._seen_at = self._seen_at, at
        return before is None or at - before > SEEN_WITHIN


class Keepalive:
    """The signs of life of one connection.

    `heard` is the latest of them: the latest bytes. `arriving` is the same while a message is not whole, else None.
    """

    def __init__(self, opened: float, *, every: float, within: float, message_within: float) -> None:
        """`every`: seconds from one ping to the next; `within`: in which each is answered; `message_within`: in which
        one message is whole."""
        self.heard = opened
        self.arriving: float | None = None
        self._every = every
        self._within = within
        self._message_within = message_within
        self._pinged_at = opened
        self._unanswered: deque[float] = deque()  # when those were sent that have no answer yet
        self._put_off_to = 0.0  # the latest bytes of the message behind which the oldest of them is answered
        self._grace_to = 0.0
        self._message_at = 0.0  # the latest whole message
        self._arriving_since = 0.0

    def bytes_came(self, at: float, *, more_awaited: bool) -> None:
        """Something was read. `more_awaited`: it ends within a message."""
        was_arriving = self.arriving is not None
        self.heard = at
        if self._unanswered and (was_arriving or more_awaited) and self._message_at < self._unanswered[0]:
            self._put_off_to = at
        if not more_awaited:
            self.arriving = None
            return
        if not was_arriving:
            self._arriving_since = at
        self.arriving = at

    def message_came(self, at: float) -> None:
        """A whole message is here; what is still arriving began after it."""
        self._message_at = at
        self._arriving_since = at

    def pinged(self, at: float) -> None:
        """A ping goes out."""
        self._pinged_at = at
        self._unanswered.append(at)

    def answered(self, pinged_at: float) -> None:
        """A ping was answered, and so were all before it."""
        while self._unanswered and self._unanswered[0] <= pinged_at:
            self._unanswered.popleft()

    def ping_due(self, at: float) -> bool:
        """Whether a ping is to go out now."""
        due = self._next_ping()
        return due is not None and at >= due

    def due(self) -> float:
        """When to look again, at the latest; bytes that come make it later, a message can make it earlier."""
        moments = [self._next_ping(), self._answer_due(), self._message_due()]
        return min(moment for moment in moments if moment is not None)

    def problem(self, at: float) -> str:
        """Why the line is lost, in words; empty while it is not."""
        due = self._answer_due()
        if due is not None and at >= due:
            if at - due <= LATE or self._grace_to >= self._unanswered[0]:
                return f"no answer to a ping within {self._within:g} s"
            self._grace_to = at  # this process was busy: the answer may be there, unread
        due = self._message_due()
        if due is not None and at >= due:
            return f"a message was not whole within {self._message_within:g} s"
        return ""

    def _next_ping(self) -> float | None:
        """With an answer outstanding there are more only to find out soon how far the line is behind."""
        if not self._unanswered:
            return self._pinged_at + self._every
        if self._message_at > self._unanswered[0]:
            return self._pinged_at + min(AGAIN_AFTER, self._every)
        return None

    def _answer_due(self) -> float | None:
        if not self._unanswered:
            return None
        due = max(self._unanswered[0], self._put_off_to) + self._within
        return max(due, self._grace_to + LATE) if self._grace_to >= self._unanswered[0] else due

    def _message_due(self) -> float | None:
        return None if self.arriving is None else self._arriving_since + self._message_within
