"""How much a thread works, and whether it waits: by the counts of the system, which a busy machine does not change.

Linux has counts for each thread. Elsewhere those of the whole process tell it: only one thread of the scripts has its
turn at a time. They say less, so it is looked at for longer.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import NamedTuple

THREADS = Path("/proc/self/task")
IDLE_LOOKS, IDLE_LOOKS_AT_ALL = 20, 100  # so many looks at what did nothing, a thread or the whole process: it waits
KNOWN_LOOKS, KNOWN_LOOKS_AT_ALL = 1, 10  # for one that is known to have waited elsewhere before
IDLE_SHARE = 0.05  # of the time: a process that takes less of the processor does nothing
_TICKS = os.sysconf("SC_CLK_TCK")


class Counts(NamedTuple):
    """A thread's counts: whether it waits now, and how much of the processor it has used, in ticks."""

    waits: bool
    user: int
    system: int


class Work:
    """What a thread does from now on, as it is seen at each `look`."""

    def __init__(self, native_id: int | None, *, known: bool) -> None:
        """`known`: it has waited for something elsewhere before."""
        self._native_id = native_id
        self._counts = counts_of(native_id)
        self._of_all = self._counts is None
        self._begun = self._counts
        self._clocks = self._clocks_begun = _clocks()
        self._idle = 0
        looks = (KNOWN_LOOKS, KNOWN_LOOKS_AT_ALL) if known else (IDLE_LOOKS, IDLE_LOOKS_AT_ALL)
        self._looks = looks[self._of_all]

    def look(self) -> None:
        """See what it has done since the look before."""
        nothing = self._all_did_nothing() if self._of_all else self._did_nothing()
        self._idle = self._idle + 1 if nothing else 0

    @property
    def waits(self) -> bool:
        """Whether it has done nothing for so long that it waits for something."""
        return self._idle >= self._looks

    @property
    def seconds(self) -> float:
        """How much of the processor it had used at the last look."""
        if self._begun is None or self._counts is None:
            return self._clocks[1] - self._clocks_begun[1]
        return (self._counts.user + self._counts.system - self._begun.user - self._begun.system) / _TICKS

    def _did_nothing(self) -> bool:
        before, found = self._counts, counts_of(self._native_id)
        if found is None:
            return False  # it has just ended
        self._counts = found
        return found.waits and found == before

    def _all_did_nothing(self) -> bool:
        (at, used), self._clocks = self._clocks, _clocks()
        return self._clocks[1] - used < IDLE_SHARE * (self._clocks[0] - at)


def counts_of(native_id: int | None) -> Counts | None:
    """The counts of a thread; None where the system has none, or once it has ended."""
    try:
        fields = (THREADS / str(native_id) / "stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    return Counts(fields[0] != b"R", int(fields[11]), int(fields[12]))


def _clocks() -> tuple[float, float]:
    """The time, and how much of the processor the process has used, in seconds."""
    return time.monotonic(), time.process_time()
