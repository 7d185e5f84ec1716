"""How many messages a server may send that belong to nothing we asked for.

Reading one costs little, a flood of them costs everything: the reader has no time left for data, and nobody notices,
because each of them is a sign of life.
"""

from __future__ import annotations

import math

MOST_AT_ONCE = 1200  # such messages: what a server may send in a burst …
MOST_A_SECOND = 100.0  # … and for how long it likes
LARGE = 12 * 1024  # bytes that cost as much to read as another message

WORDS = "a flood of messages that belong to no stream of ours"


class FloodGauge:
    """Counts messages that belong to nothing we asked for; an old one is forgotten as time goes on."""

    def __init__(self) -> None:
        self._room: float = MOST_AT_ONCE  # for so many messages more
        self._at = -math.inf

    def overflows(self, size: int, mono: float) -> bool:
        """Whether one more message, of `size` bytes at the monotonic time `mono`, is too much."""
        if mono > self._at:
            self._room = min(MOST_AT_ONCE, self._room + (mono - self._at) * MOST_A_SECOND)
            self._at = mono
        self._room -= 1 + size / LARGE
        return self._room < 0
