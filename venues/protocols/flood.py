"""How many messages a server may send that belong to nothing we asked for.

Reading one costs little, a flood of them costs everything: the reader has no time left for data, and nobody notices,
because each of them is a sign of life.
"""

from __future__ import annotations

MOST_AT_ONCE = 1200  # such messages: what a server may send in a burst …
MOST_A_SECOND = 100.0  # … and for how long it likes
LARGE = 12 * 1024  # bytes that cost as much to read as another message

WORDS = "a flood of messages that belong to no stream of ours"


class FloodGauge:
    """Counts messages that belong to nothing we asked for; an old one is forgotten as time goes on."""

    def __init__(self) -> None:
        self._level = 0.0
        self._at = 0.0

    def overflows(self, size: int, mono: float) -> bool:
        """Whether one more message, of `size` bytes at the monotonic time `mono`, is too much."""
        if mono > self._at:
            self._level = max(0.0, self._level - (mono - self._at) * MOST_A_SECOND)
            self._at = mono
        self._level += 1 + size / LARGE
        return self._level > MOST_AT_ONCE
