"""The time that scripts see: ours, or, in a replay, the recording's."""

from __future__ import annotations

import time


class ScriptTime:
    """One for all scripts of a run. A replay sets it with each event that it plays."""

    def __init__(self) -> None:
        self._recorded_ms: int | None = None

    @property
    def recorded(self) -> bool:
        """Whether it is a recording's time."""
        return self._recorded_ms is not None

    def set(self, epoch_ms: int) -> None:
        """Set it to a recording's time."""
        self._recorded_ms = epoch_ms

    def epoch_ns(self) -> int:
        """The time in nanoseconds since the epoch."""
        return time.time_ns() if self._recorded_ms is None else self._recorded_ms * 1_000_000
