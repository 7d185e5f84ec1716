"""The simulator's clock: the system's, or one that a test turns by hand."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from typing import Protocol


class WorldClock(Protocol):
    """The simulator's time, and how to wait for it."""

    def epoch_ms(self) -> int:
        """Milliseconds since the epoch, UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait until so many seconds of this clock have passed."""
        ...


async def turn() -> None:
    """Let every other task that can go on have its turn."""
    await asyncio.sleep(0)


class RunningClock:
    """The machine's wall clock."""

    def epoch_ms(self) -> int:
        """Milliseconds since the epoch, UTC."""
        return time.time_ns() // 1_000_000

    async def sleep(self, seconds: float) -> None:
        """Wait until so many seconds have passed."""
        await asyncio.sleep(seconds)


class ManualClock:
    """A clock that moves only when `advance` is called."""

    def __init__(self, epoch_ms: int = 1_700_000_000_000) -> None:
        self._now = epoch_ms
        self._order = itertools.count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def epoch_ms(self) -> int:
        """Milliseconds since the epoch, UTC."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """Wait until `advance` has moved the clock by so many seconds."""
        if seconds <= 0:
            await turn()
            return
        woken = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now + seconds * 1000, next(self._order), woken))
        await woken

    def advance(self, milliseconds: int) -> None:
        """Move the clock forward, and wake those whose time has come, earliest first."""
        if milliseconds < 0:
            raise ValueError(f"expected a clock to be moved forward, got {milliseconds} ms")
        self._now += milliseconds
        while self._sleepers and self._sleepers[0][0] <= self._now:
            woken = heapq.heappop(self._sleepers)[2]
            if not woken.done():
                woken.set_result(None)
