"""Round trips by WebSocket pings, one a second, for protocols that have no message of their own for it."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from venues.venue import SocketPing, StreamState

if TYPE_CHECKING:
    from venues.venue import Now

PING_EVERY = 1.0  # seconds
PING_LATE = 5.0  # seconds without an answer after which the figure shown is old


class RoundTrips:
    """The pings of one connection. `due` is the monotonic time of the next, None before `start` and after `stop`."""

    def __init__(self) -> None:
        self.due: float | None = None
        self._sent: deque[float] = deque()  # when those were sent that have no answer yet
        self._late = False

    def start(self, now: Now) -> SocketPing:
        """The first ping."""
        self._sent.append(now.mono)
        self.due = now.mono + PING_EVERY
        return SocketPing()

    def stop(self) -> None:
        """No more of them."""
        self.due = None

    def tick(self, now: Now) -> SocketPing | StreamState | None:
        """What is due: the next ping, or, once, the word that answers stay away."""
        if self.due is None or now.mono < self.due:
            return None
        if not self._sent or now.mono - self._sent[0] < PING_LATE:
            return self.start(now)
        # Answers come in order: one more ping would only make the queue longer.
        self.due = now.mono + PING_EVERY
        if self._late:
            return None
        self._late = True
        return StreamState("ping", "stale", f"no answer to a WebSocket ping for {PING_LATE:.0f} s")

    def pong(self, now: Now) -> tuple[float, bool] | None:
        """The round trip in milliseconds of the oldest ping, and whether answers are back; None without a ping."""
        if not self._sent:
            return None
        round_trip = round((now.mono - self._sent.popleft()) * 1000, 3)
        back, self._late = self._late, False
        return round_trip, back
