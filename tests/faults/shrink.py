"""Delta debugging: the fewest steps of a schedule that still fail."""

from __future__ import annotations

import time
from collections.abc import Callable

from tests.faults.schedules import Schedule


def shrunk(schedule: Schedule, fails: Callable[[Schedule], bool], *, seconds: float = 90.0) -> Schedule:
    """The schedule without the steps that it fails without; what was found when the time is over.

    `fails` is not asked about the whole schedule, which has failed already.
    """
    deadline = time.monotonic() + seconds
    kept = list(range(len(schedule.steps)))
    if kept and fails(schedule.only([])):
        return schedule.only([])
    pieces = 2
    while len(kept) > 1 and time.monotonic() < deadline:
        size = -(-len(kept) // pieces)
        parts = [kept[at : at + size] for at in range(0, len(kept), size)]
        candidates = [*parts, *([one for one in kept if one not in part] for part in parts)]
        smaller = next((one for one in candidates if 0 < len(one) < len(kept) and fails(schedule.only(one))), None)
        if smaller is not None:
            kept, pieces = smaller, max(2, min(len(smaller), pieces - 1))
        elif pieces >= len(kept):
            break
        else:
            pieces = min(len(kept), 2 * pieces)
    return schedule.only(kept)
