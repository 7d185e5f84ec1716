"""The fault proxies of the soak, in a thread of their own: one for each group of parts, bad in its rounds."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Sequence
from typing import Any

from tests.faults import schedules
from tests.faults.proxy import FaultProxy
from tests.faults.schedules import Schedule, schedule

# Not the head of a handshake: a wrong status in it may end a stream for good, as it should (401).
CORRUPTS = (schedules.FRAMING, schedules.STRUCTURE)
SPAN = 8.0  # seconds in which faults begin; the last one is over after 1.6 times that


class Line(FaultProxy):
    """A proxy whose schedule is replaced again and again."""

    def play(self, drawn: Schedule) -> None:
        """Begin another schedule."""
        self.schedule = drawn
        self._began = None
        self.begin()

    async def mend(self) -> None:
        """Whatever has not ended ends now: new connections are as good as direct ones."""
        self.schedule = Schedule(seed=self.schedule.seed)
        self._armed.clear()
        await self._listen()
        self.wake()


class Lines:
    """All of them."""

    def __init__(self, target: int, count: int) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="lines", daemon=True)
        self._thread.start()
        self._lines = [self._call(self._opened(target)) for _ in range(count)]

    @property
    def ports(self) -> Sequence[int]:
        """Where to connect to, by group."""
        return [line.port for line in self._lines]

    @property
    def told(self) -> list[str]:
        """What was done, in order."""
        return [f"line {n}: {at:.1f}s {words}" for n, line in enumerate(self._lines) for at, words in line.told]

    def play(self, group: int, seed: int) -> Schedule:
        """Begin the schedule of a seed on the line of a group."""
        drawn = schedule(seed, span=SPAN, corrupts=CORRUPTS)
        self._loop.call_soon_threadsafe(self._lines[group].play, drawn)
        return drawn

    def mend(self, group: int) -> None:
        """End its faults."""
        self._call(self._lines[group].mend())

    def close(self) -> None:
        """End all connections, and the thread."""
        for line in self._lines:
            self._call(line.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _call(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    @staticmethod
    async def _opened(target: int) -> Line:
        line = Line(target, Schedule())
        await line.open()
        line.begin()
        return line
