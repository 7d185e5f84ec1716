"""How far a script is behind what comes, and the pace of a replay."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from cli.output import cells

if TYPE_CHECKING:
    from cli.bot.runner import Runner
    from cli.bot.speech import BotVoice
    from venues.connection import Clock
    from venues.venue import Now

LOOK_EVERY = 1.0  # seconds between two looks at how far the script is behind
BEHIND = 5.0  # seconds that the oldest event has waited, or …
BEHIND_EVENTS = 10_000  # … events that wait, before it is told
TOLD_EVERY = 10.0
RUNS_LONG = 5.0  # seconds after which a callback that has not returned is told, again after each 30
RUNS_LONG_TOLD_EVERY = 30.0
SHORTEST_WAIT = 0.001  # seconds, in a replay: a shorter one would last longer than it should


class Lag:
    """Looks every second, from `look` on: tells when a script is far behind, and when it has caught up."""

    def __init__(self, name: str, runner: Runner, voice: BotVoice, pace: Pace | None) -> None:
        """`name` is the script's; `pace` is that of a replay, which waits for the script."""
        self._name = name
        self._jobs = runner.jobs
        self._runner = runner
        self._voice = voice
        self._pace = pace
        self._told_behind: float | None = None
        self._told_running: tuple[float, float] | None = None

    def look(self) -> None:
        """Look now, and again every second."""
        asyncio.get_running_loop().call_later(LOOK_EVERY, self.look)
        now = time.monotonic()
        self._look_at_callback(now)
        if self._jobs.trouble is not None:
            self._voice.seldom("file", self._jobs.trouble)
        self._look_at_queue(now)

    def _look_at_callback(self, now: float) -> None:
        running = self._runner.running
        if running is None or now - running.since <= RUNS_LONG:
            return
        told = self._told_running
        if told is None or told[0] != running.since or now - told[1] > RUNS_LONG_TOLD_EVERY:
            self._told_running = (running.since, now)
            of_what = "" if running.market is None else f" for {running.market}"
            self._voice.say(
                f"{running.name}{of_what} has been running for {cells.duration((now - running.since) * 1000)}; "
                f"{len(self._jobs):,} events wait for it"
            )

    def _look_at_queue(self, now: float) -> None:
        if self._jobs.thrown_away or all(seat.stopped for seat in self._runner.seats):
            return  # it is empty since nobody wants it done any more
        waiting = len(self._jobs)
        behind = self._jobs.behind() if self._pace is None else self._pace.behind
        if behind > BEHIND or waiting > BEHIND_EVENTS:
            if self._told_behind is None or now - self._told_behind > TOLD_EVERY:
                self._told_behind = now
                late = cells.duration(behind * 1000)
                self._voice.say(f"{self._name} is {late} behind: {waiting:,} events wait for it")
        elif self._told_behind is not None and behind < 1.0:
            self._told_behind = None
            self._voice.say(f"{self._name} has caught up")


class Pace:
    """The clock of a replay. Its waits end when they are due by the recording, however late the one before ended.

    `behind` is how late the last event was played, in seconds. At full speed nothing is waited for.
    """

    def __init__(self, clock: Clock) -> None:
        self.behind = 0.0
        self._clock = clock
        self._due: float | None = None

    def now(self) -> Now:
        """The present time by both clocks."""
        return self._clock.now()

    async def sleep(self, seconds: float) -> None:
        """Wait until `seconds` after the moment at which the wait before was due to end."""
        if seconds <= 0:
            return
        now = time.monotonic()
        self._due = (now if self._due is None else self._due) + seconds
        ahead = self._due - now
        self.behind = max(0.0, -ahead)
        if ahead >= SHORTEST_WAIT:
            await asyncio.sleep(ahead)
