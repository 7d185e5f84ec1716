"""Pauses between tries of the same thing: each is twice the one before, until a try has lasted.

Whatever `mon` does again is paced by this one class: a subscription, the request of a snapshot, a connection. Pure:
the time is passed in, in seconds of the monotonic clock.
"""

from __future__ import annotations

SHORTEST_PAUSE = 1.0
LONGEST_PAUSE = 30.0
STABLE_AFTER = 30.0  # seconds after which a try has lasted, and what failed before it is forgotten


class Pacing:
    """When the same thing may be tried again.

    `tried_at`: when the latest try was made. `pause`: seconds from it to the next one, at least. `due`: when the next
    try is to be made; None while none is wanted.
    """

    __slots__ = ("_longest", "_shortest", "_stable_after", "due", "pause", "tried_at")

    def __init__(
        self, *, shortest: float = SHORTEST_PAUSE, longest: float = LONGEST_PAUSE, stable_after: float = STABLE_AFTER
    ) -> None:
        self._shortest = shortest
        self._longest = longest
        self._stable_after = stable_after
        self.tried_at = 0.0
        self.pause = shortest
        self.due: float | None = None

    def tried(self, mono: float) -> None:
        """Notes that the try is made now, so none is due."""
        self.tried_at = mono
        self.due = None

    def again(self, mono: float) -> bool:
        """Asks for another try: True if it may be made at once, else `due` says when.

        The pause after it is twice as long, or the shortest one where the latest try has lasted.
        """
        if self.due is None:
            self.due = self.tried_at + self.pause
            if self.has_lasted(mono):
                self.relax()
            else:
                self.lengthen()
        return self.is_due(mono)

    def after_pause(self, mono: float) -> None:
        """Asks for another try, a whole pause from now."""
        if self.due is None:
            self.due = max(mono, self.tried_at) + self.pause

    def is_due(self, mono: float) -> bool:
        """Whether the next try is to be made now."""
        return self.due is not None and mono >= self.due

    def settled(self, mono: float) -> None:
        """Notes that no other try is wanted. If the latest has lasted, the pauses begin anew."""
        self.due = None
        if self.has_lasted(mono):
            self.relax()

    def has_lasted(self, mono: float) -> bool:
        """Whether the latest try was long enough ago that what failed before it is forgotten."""
        return mono - self.tried_at >= self._stable_after

    def lengthen(self) -> None:
        """Makes the next pause twice this one."""
        self.pause = min(self.pause * 2, self._longest)

    def shorten(self) -> None:
        """Makes the next pause half of this one."""
        self.pause = max(self.pause / 2, self._shortest)

    def relax(self) -> None:
        """Makes the next pause the shortest one."""
        self.pause = self._shortest

    def drawn(self, draw: float) -> float:
        """Seconds between the shortest pause and this one, chosen by the random `draw` in [0, 1).

        So not all clients come back at the same time.
        """
        return self._shortest + draw * (self.pause - self._shortest)
