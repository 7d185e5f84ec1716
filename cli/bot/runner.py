"""The thread that runs scripts: it takes what waits, and gives it to each script in turn.

Live, each script has a thread of its own, so that a slow one holds up no other. In a replay one thread runs them all,
event by event and in the order in which they were named, so that two runs are the same.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from cli.bot.jobs import Job

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cli.bot.jobs import Jobs
    from cli.bot.market_data import MarketName
    from cli.bot.seat import Running, Seat
    from cli.bot.timing.script_time import ScriptTime
    from venues.records import Record


class Runner(threading.Thread):
    """Does the jobs of its seats.

    In a replay the time is the recorded one, and `down` changes in turn with the records. Live, the event loop changes
    `down` at once, since what the scripts emit then may be wrong already.
    """

    def __init__(
        self,
        jobs: Jobs,
        seats: Sequence[Seat],
        time: ScriptTime,
        down: set[MarketName],
        *,
        replayed: bool,
        put: Callable[[Record], None],
        on_end: Callable[[Runner], None],
    ) -> None:
        """`put` takes a status that belongs into what is emitted; `on_end` is called in this thread."""
        super().__init__(name="bot", daemon=True)  # a callback that never returns must not hold up the end
        self.jobs = jobs
        self.seats = seats
        self.wants: set[str] = set()  # streams whose records are put to it
        self.ended = False  # said in the event loop
        self._time = time
        self._down = down
        self._go_to = time.set if replayed else None
        self._put = put
        self._on_end = on_end

    @property
    def running(self) -> Running | None:
        """The callback that runs now."""
        return next((seat.running for seat in self.seats if seat.running is not None), None)

    def run(self) -> None:
        """Do jobs until they are closed and done."""
        if self._time.turns is not None:
            self._time.turns.runner_is()
        taken, do = self.jobs.taken, self.do
        job: Job | Callable[[], None] | None
        try:
            while True:
                try:
                    job = taken.popleft()
                except IndexError:
                    job = self._next()
                if isinstance(job, Job):
                    do(job)
                elif job is None:
                    return
                else:
                    job()
        finally:
            self._on_end(self)

    def _next(self) -> Job | Callable[[], None] | None:
        if self._time.turns is None:
            return self.jobs.take()
        return self._time.turns.do_apart(self.jobs.take)

    def do(self, job: Job) -> None:
        """Give a job to each seat."""
        if self._go_to is not None:
            self._go_to(job.at)
            if job.what == "status":
                self._down.update(job.record.down)
                self._down.difference_update(job.record.live)
                if job.record.inline:
                    self._put(job.record.status)
        for seat in self.seats:
            seat.do(job)
