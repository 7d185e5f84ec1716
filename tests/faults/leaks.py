"""What a case must not leave behind: tasks, threads, descriptors, memory."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import os
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

GONE_WITHIN: Final = 3.0  # seconds for what is ending: threads and sockets end a moment after they were told to
# Measured: 15 cases of one venue after it was warm stay within 0.1 MB, and a simulator that was kept with its loop cost
# 0.6 MB a case. Garbage frames and other links of a venue load more and leave holes, so there is room for both; a leak
# of a case's own data passes this within the cases of one process.
MEGABYTES: Final = 32.0


@dataclass
class Before:
    """What there is now, without garbage, which may go at any moment. `after` tells what has come to stay since."""

    threads: set[threading.Thread] = field(default_factory=lambda: set(threading.enumerate()))
    descriptors: Counter[str] = field(default_factory=lambda: collected_descriptors())

    def after(self) -> list[str]:
        """In words, what is left; waits a moment for what is ending."""
        deadline = time.monotonic() + GONE_WITHIN
        while (left := self._left()) and time.monotonic() < deadline:
            gc.unfreeze()  # which `mon` froze
            gc.collect()
            time.sleep(0.05)
        return left

    def _left(self) -> list[str]:
        threads = [one.name for one in threading.enumerate() if one not in self.threads]
        opened = descriptors() - self.descriptors
        found = [f"threads left: {', '.join(threads)}"] if threads else []
        return found + ([f"descriptors left: {dict(opened)}"] if opened else [])


def collected_descriptors() -> Counter[str]:
    """`descriptors`, less those of what nobody has any more."""
    gc.unfreeze()  # what a `mon` before froze may have gone since
    gc.collect()
    return descriptors()


def descriptors() -> Counter[str]:
    """The open descriptors of this process by their kind, files by their path."""
    found: Counter[str] = Counter()
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # the one that lists them
            target = os.readlink(f"/proc/self/fd/{name}")
            if target.startswith("/proc/"):
                continue
            found[target if target.startswith("/") else target.partition(":")[0]] += 1
    return found


async def tasks_left(before: set[asyncio.Task[object]]) -> list[str]:
    """The tasks that go on though what began them is over."""
    deadline = time.monotonic() + GONE_WITHIN
    while left := asyncio.all_tasks() - before - {asyncio.current_task()}:
        if time.monotonic() > deadline:
            return [f"tasks left: {', '.join(sorted(str(one.get_coro()) for one in left))}"]
        await asyncio.sleep(0.02)
    return []


def megabytes() -> float:
    """The resident memory of this process, once what is free was given back.

    aiohttp remembers the last 1,024 handlers that it has called, and with each its simulator: those are let go first.
    """
    for remembered in vars(sys.modules.get("aiohttp.web_app", object)).values():
        if hasattr(remembered, "cache_clear"):
            remembered.cache_clear()
    gc.unfreeze()
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
