"""Time that a test sets: the monotonic clock, our wall clock, and the venue's wall clock."""

from __future__ import annotations

from datetime import UTC, datetime

from venues.venue import Now

BEGIN_MS = 1_790_000_000_000


class VirtualClock:
    """`mono` only goes on. Our wall clock may be set (`set_by`); the venue's is always right."""

    def __init__(self) -> None:
        self.mono = 1_000.0
        self._stepped_ms = 0
        self._told = 0  # the latest of the venue's moments, in microseconds

    def go_on(self, seconds: float) -> None:
        """Let time pass."""
        self.mono += seconds

    def set_by(self, ms: int) -> None:
        """Set our wall clock forwards or back."""
        self._stepped_ms += ms

    @property
    def venue_ms(self) -> int:
        """The venue's wall clock, in milliseconds since the epoch."""
        return BEGIN_MS + round((self.mono - 1_000.0) * 1000)

    def venue_iso(self, apart: int = 1) -> str:
        """The venue's wall clock as ISO 8601 text with microseconds; no two are the same, else none were the later.

        `apart`: so many microseconds are between any two.
        """
        self._told = max(self._told + apart, round(BEGIN_MS * 1000 + (self.mono - 1_000.0) * 1_000_000))
        at = datetime.fromtimestamp(self._told // 1_000_000, UTC).replace(microsecond=self._told % 1_000_000)
        return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def now(self) -> Now:
        """Our two clocks."""
        return Now(self.mono, self.venue_ms + self._stepped_ms)

    def seconds(self) -> float:
        """The monotonic clock alone, as queues and tables ask for it."""
        return self.mono

    def epoch_ms(self) -> int:
        """Our wall clock alone."""
        return self.now().epoch_ms
