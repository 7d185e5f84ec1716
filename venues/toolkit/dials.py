"""How often connections are made where the venue counts them, over all routes that were asked for together. Pure."""

from __future__ import annotations

from collections import deque


class Dials:
    """When the next connection may be made: at most `most` within `within` seconds.

    One is shared by the routes of a venue. The connections of the start are not counted, so leave room for them.
    """

    def __init__(self, most: int, within: float) -> None:
        self._within = within
        self._planned: deque[float] = deque(maxlen=most)

    def next_at(self, at: float) -> float:
        """The moment of the next connection: `at`, or later where that would be too soon (monotonic seconds)."""
        if len(self._planned) == self._planned.maxlen:
            at = max(at, self._planned[0] + self._within)
        self._planned.append(at)
        return at
