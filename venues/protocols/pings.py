"""Round trips by WebSocket pings, one a second, for venues whose protocol has no measure of its own."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from venues import records
from venues.venue import SocketPing, StreamState

if TYPE_CHECKING:
    from venues.venue import Item, Now, Out

EVERY = 1.0  # seconds
LATE = 5.0  # seconds without an answer after which the figure shown is old


class SocketPings:
    """The `ping` stream of one connection. `due` is the monotonic time of the next ping, None while it is not on."""

    def __init__(self, venue: str, env: str | None) -> None:
        self.due: float | None = None
        self._venue = venue
        self._env = env
        self._sent: deque[float] = deque()  # when those were sent that have no answer yet
        self._is_late = False
        self._out: list[Out] = []

    def begin(self, now: Now) -> list[Item]:
        """The first ping goes out."""
        self._send(now)
        return [StreamState("ping", "live")]

    def stop(self) -> None:
        """No more pings."""
        self.due = None

    def pong(self, now: Now) -> list[Item]:
        """The round trip of the oldest ping."""
        if not self._sent:
            return []
        round_trip = now.mono - self._sent.popleft()
        recovered: list[Item] = [StreamState("ping", "live")] if self._is_late else []
        self._is_late = False
        milliseconds = round(round_trip * 1000, 3)
        pong = records.Pong(venue=self._venue, env=self._env, received=now.epoch_ms, round_trip_ms=milliseconds)
        return [*recovered, pong]

    def tick(self, now: Now) -> list[Item]:
        """The next ping, when it is due; stale when the oldest has no answer for too long."""
        if self.due is None or now.mono < self.due:
            return []
        if not self._sent or now.mono - self._sent[0] < LATE:
            self._send(now)
            return []
        # Answers come in order: one more ping would only make the queue longer.
        self.due = now.mono + EVERY
        if self._is_late:
            return []
        self._is_late = True
        return [StreamState("ping", "stale", f"no answer to a WebSocket ping for {LATE:.0f} s")]

    def take(self) -> list[Out]:
        """The pings to send."""
        out, self._out = self._out, []
        return out

    def _send(self, now: Now) -> None:
        self._out.append(SocketPing())
        self._sent.append(now.mono)
        self.due = now.mono + EVERY
