"""Whether a line is still there: WebSocket pings, and what counts as a sign of life. Pure; times are monotonic seconds.

The answer to a ping comes behind everything that was sent before it. While one message is still arriving, its bytes put
the answer off: a large book over a slow link is no dead line. Once whole messages have come since the ping, the answer
is due. If it is late then, the link cannot carry the data, and what is shown would grow older and older.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from venues.venue import Now

AGAIN_AFTER = 0.5  # seconds after an unanswered ping until the next, while messages come
SEEN_WITHIN = 2.0  # seconds within which all lines look at the clock
LATE = 0.25  # a look at the clock that is later by so many seconds: an answer may be there, unread


def step_between(before: Now, now: Now) -> float:
    """Seconds by which the clock of this machine was set between two moments, below 0 if back."""
    return (now.epoch_ms - before.epoch_ms) / 1000 - (now.mono - before.mono)


class Steps:
    """Lets one line report a step of the clock that several lines see within two seconds."""

    def __init__(self) -> None:
        self._seen_at: float | None = None

    def is_news(self, at: float) -> bool:
        """Whether no other line has reported this step yet; `at` is the monotonic time now."""
        before, self._seen_at = self._seen_at, at
        return before is None or at - before > SEEN_WITHIN


class Keepalive:
    """The signs of life of one connection.

    `heard` is when the latest bytes came. `arriving` is the same while a message is unfinished, else None.
    """

    def __init__(self, opened: float, *, every: float, within: float, message_within: float) -> None:
        """In seconds: `every` from one ping to the next, `within` for its answer, `message_within` for a message."""
        self.heard = opened
        self.arriving: float | None = None
        self._every = every
        self._within = within
        self._message_within = message_within
        self._pinged_at = opened
        self._unanswered: deque[float] = deque()  # when each ping without an answer was sent
        self._put_off_to = -math.inf  # the latest bytes of the message that the oldest of their answers is behind
        self._grace_to = -math.inf
        self._message_at = -math.inf  # the latest whole message
        self._arriving_since: float  # once a message is arriving

    def bytes_came(self, at: float, *, more_awaited: bool) -> None:
        """Notes that bytes were read. `more_awaited`: they end within a message."""
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
        """Notes that a whole message came; what is still arriving began after it."""
        self._message_at = at
        self._arriving_since = at

    def pinged(self, at: float) -> None:
        """Notes that a ping was sent at this time."""
        self._pinged_at = at
        self._unanswered.append(at)

    def answered(self, pinged_at: float) -> None:
        """Notes that the ping sent at `pinged_at` was answered, and so all before it."""
        while self._unanswered and self._unanswered[0] <= pinged_at:
            self._unanswered.popleft()

    def ping_due(self, at: float) -> bool:
        """Whether a ping is to be sent now."""
        due = self._next_ping()
        return due is not None and at >= due

    def due(self) -> float:
        """When to look again at the latest. Bytes that come make it later, a message can make it earlier."""
        moments = [self._next_ping(), self._answer_due(), self._message_due()]
        return min(moment for moment in moments if moment is not None)

    def problem(self, at: float) -> str:
        """Why the line is lost, as a text; empty while it is alive."""
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
        """While a ping is unanswered, more are sent only if messages come: they show how far the line is behind."""
        if not self._unanswered:
            return self._pinged_at + self._every
        if self._message_at > self._unanswered[0]:
            return self._pinged_at + min(AGAIN_AFTER, self._every)
        return None

    def _answer_due(self) -> float | None:
        if not self._unanswered:
            return None
        return max(max(self._unanswered[0], self._put_off_to) + self._within, self._grace_to + LATE)

    def _message_due(self) -> float | None:
        return None if self.arriving is None else self._arriving_since + self._message_within
