"""Round trips, one a second: by WebSocket pings, or by pings of a venue's own whose answers come in order."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from venues import records
from venues.venue import SocketPing, StreamState

if TYPE_CHECKING:
    from collections.abc import Callable

    from venues.venue import Item, Now, Out

EVERY = 1.0  # seconds
LATE = 5.0  # seconds without an answer after which the figure shown is old


def _socket_ping(now: Now) -> Out:
    return SocketPing()


class SocketPings:
    """The `ping` stream of one connection. `due` is the monotonic time of the next ping, None while it is not on."""

    def __init__(
        self, venue: str, env: str | None, ping: Callable[[Now], Out] = _socket_ping, *, what: str = "a WebSocket ping"
    ) -> None:
        """`ping` makes one, and `what` is its name: by default those of WebSockets."""
        self.due: float | None = None
        self._venue = venue
        self._env = env
        self._ping = ping
        self._what = what
        self._sent: deque[float] = deque()  # when each ping without an answer was sent
        self._is_late = False
        self._out: list[Out] = []

    def begin(self, now: Now) -> list[Item]:
        """Queues the first ping; the `ping` stream is live from now on."""
        self._send(now)
        return [StreamState("ping", "live")]

    def stop(self) -> None:
        """Ends the stream: no more pings are sent."""
        self.due = None

    def pong(self, now: Now, time: int | None = None) -> list[Item]:
        """To be called when an answer comes: the round trip of the oldest ping, as a `Pong`; `time` is the venue's."""
        if not self._sent:
            return []
        round_trip = now.mono - self._sent.popleft()
        recovered: list[Item] = [StreamState("ping", "live")] if self._is_late else []
        self._is_late = False
        milliseconds = round(round_trip * 1000, 3)
        pong = records.Pong(
            venue=self._venue, env=self._env, time=time, received=now.epoch_ms, round_trip_ms=milliseconds
        )
        return [*recovered, pong]

    def tick(self, now: Now) -> list[Item]:
        """Queues the next ping if it is due. The stream is stale if the oldest ping has no answer for 5 s."""
        if self.due is None or now.mono < self.due:
            return []
        if not self._sent or now.mono - self._sent[0] < LATE:
            self._send(now)
            return []
        # Answers come in order, so another ping would only wait behind the oldest.
        self.due = now.mono + EVERY
        if self._is_late:
            return []
        self._is_late = True
        return [StreamState("ping", "stale", f"no answer to {self._what} for {LATE:.0f} s")]

    def take(self) -> list[Out]:
        """The pings to send; each is returned once."""
        out, self._out = self._out, []
        return out

    def _send(self, now: Now) -> None:
        self._out.append(self._ping(now))
        self._sent.append(now.mono)
        self.due = now.mono + EVERY
