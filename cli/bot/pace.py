"""The pace of a replay: the recording's own time, also when what is played takes its time."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from venues.connection import Clock
    from venues.venue import Now

SHORTEST = 0.001  # seconds: a shorter wait would last longer than it should


class Pace:
    """A clock whose waits end when they are due, however late the one before it ended.

    `behind` is how late what was played last was, in seconds. At full speed nothing is waited for.
    """

    def __init__(self, clock: Clock) -> None:
        self.behind = 0.0
        self._clock = clock
        self._due: float | None = None

    def now(self) -> Now:
        """Both clocks."""
        return self._clock.now()

    async def sleep(self, seconds: float) -> None:
        """Wait until so long after the end of the wait before it was due."""
        if seconds <= 0:
            return
        now = time.monotonic()
        self._due = (now if self._due is None else self._due) + seconds
        ahead = self._due - now
        self.behind = max(0.0, -ahead)
        if ahead >= SHORTEST:
            await asyncio.sleep(ahead)
