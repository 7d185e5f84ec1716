"""How a run ends: by a signal, by a key, by a problem, or because nothing more can be written. The first one counts."""

from __future__ import annotations

import asyncio
import contextlib
import math
import signal
from typing import TYPE_CHECKING, Any

from cli.errors import HUNG_UP, INTERRUPTED, OK, PIPE_CLOSED, QUIT, TERMINATED
from cli.interrupts import asked_to_end, has_come, heard
from cli.output.lines import ReaderGone

if TYPE_CHECKING:
    from cli.output.lines import Output

HURRY = 0.5  # seconds from Ctrl-C or TERM until nothing more is waited for
TAKES_NOTHING = 1.0  # seconds without a read after which the reader of what is left is not waited for
LOOK_EVERY = 0.05
COUNTED_WITHIN = 0.02


class Ending:
    """Whether a run is to end (`stopping`), with which exit code, and the problem that is raised instead."""

    def __init__(self) -> None:
        self.stopping = asyncio.Event()
        self.output_ended = asyncio.Event()
        self.code = OK
        self.problem: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop
        self._at: float  # when the end was asked for
        self._next_signal: asyncio.Future[int] | None = None

    @property
    def hurried(self) -> bool:
        """Whether somebody has had enough (Ctrl-C, TERM, Ctrl-\\), or nobody is there any more."""
        return self.code in (INTERRUPTED, TERMINATED, HUNG_UP, QUIT)

    def stop(self, code: int) -> None:
        """End the run with this exit code, unless it is ending already."""
        if not self.stopping.is_set():
            self.code = code
            self._stop()

    def cut_short(self, code: int) -> None:
        """End with this exit code whatever it was to end with: a signal has come while what was left was waited for."""
        self.code, self.problem = code, None
        if not self.stopping.is_set():  # else what ends after this would take its place
            self._stop()

    def end(self, problem: BaseException) -> None:
        """End the run, which then raises this problem, unless it is ending already."""
        if not self.stopping.is_set():
            self.problem = problem
            self._stop()

    def hurry_left(self) -> float | None:
        """Seconds that may still be waited for anything; None when nobody is in a hurry."""
        return max(0.0, self._at + HURRY - asyncio.get_running_loop().time()) if self.hurried else None

    def result(self) -> int:
        """The exit code.

        Raises:
            BaseException: the problem that ended the run.
        """
        if self.problem is not None:
            raise self.problem
        return self.code

    def take_signals(self, stack: contextlib.ExitStack) -> None:
        """Let Ctrl-C and TERM end the run, as long as the stack is open."""
        self._loop = asyncio.get_running_loop()
        stack.enter_context(asked_to_end(self._take))
        stack.enter_context(heard({signal.SIGURG: lambda: None}))  # see `Output.interrupt`
        if has_come():
            self.stop(INTERRUPTED)

    def next_signal(self) -> asyncio.Future[int]:
        """The exit code of the next signal, as a future, for while we wait for a reader or a script."""
        self._next_signal = asyncio.get_running_loop().create_future()
        return self._next_signal

    async def until_written(
        self,
        reading: Reading | None,
        next_signal: asyncio.Future[int],
        *,
        in_hurry: float = math.inf,
        after_signal: float = 0.0,
    ) -> str | None:
        """Wait for the output to end while its reader goes on reading; in words what was not written, None if nothing.

        Seconds that it may take at most: `in_hurry` when somebody has had enough, `after_signal` when one more signal
        comes, which then counts. Without a `reading` nobody has asked for the end, and it takes as long as it takes.
        """
        ended, left = self.output_ended, None
        until = asyncio.get_running_loop().time() + in_hurry
        while not ended.is_set() and not next_signal.done():
            patience = self._patience(reading, until)
            if patience is not None and patience <= 0:
                break
            await first_of(ended, next_signal, patience)
        if next_signal.done():
            await first_of(ended, None, after_signal)
        if next_signal.done() and not ended.is_set():
            self.cut_short(next_signal.result())
        elif not ended.is_set() and reading is not None and not self.hurried:
            left = await reading.left()
        if reading is not None:
            reading.stop()
        return left

    def _patience(self, reading: Reading | None, until: float) -> float | None:
        hurry = self.hurry_left()
        if hurry is not None:
            return min(hurry, until - asyncio.get_running_loop().time())
        return None if reading is None else reading.seconds_left()

    def on_output_end(self, problem: BaseException | None) -> None:
        """Note that the output thread ends; called in that thread."""

        def ended() -> None:
            self.output_ended.set()
            if isinstance(problem, ReaderGone):
                self.stop(PIPE_CLOSED)
            elif problem is not None:
                self.end(problem)
            else:
                self.stop(OK)

        with contextlib.suppress(RuntimeError):  # the loop is gone: we were too slow to be waited for
            self._loop.call_soon_threadsafe(ended)

    def _stop(self) -> None:
        self._at = asyncio.get_running_loop().time()
        self.stopping.set()

    def _take(self, code: int) -> None:
        if self._next_signal is None:
            self.stop(code)
        elif not self._next_signal.done():
            self._next_signal.set_result(code)


class Reading:
    """Watches, from when it is made, whether the reader of an output goes on reading.

    `longest`: seconds after which also one that goes on reading is not waited for.
    """

    def __init__(self, output: Output, longest: float = math.inf) -> None:
        self._output = output
        self._longest = longest
        self._loop = asyncio.get_running_loop()
        self._seen = output.progress()
        self._begun = self._at = self._loop.time()
        self._task = asyncio.create_task(self._look())

    def seconds_left(self) -> float:
        """For how many more seconds the reader is waited for."""
        return min(self._at + TAKES_NOTHING, self._begun + self._longest) - self._loop.time()

    async def left(self) -> str | None:
        """In words what the reader did not take; None when that is nothing."""
        self._output.interrupt()
        await asyncio.sleep(COUNTED_WITHIN)
        left = self._output.left()
        if not left:
            return None
        lines = "1 line was" if left == 1 else f"{left:,} lines were"
        why = "read too slowly" if self._at + TAKES_NOTHING > self._loop.time() else "the reader took nothing more"
        return f"{lines} not written: {why}"

    def stop(self) -> None:
        """Stop looking at what the reader takes."""
        self._task.cancel()

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY)
            seen = self._output.progress()
            if seen != self._seen:
                self._seen, self._at = seen, self._loop.time()


async def ended_within(task: asyncio.Task[Any], seconds: float | None) -> None:
    """Wait for a task to end by itself; then end it, whatever it waits for, also on its way out."""
    await asyncio.wait((task,), timeout=seconds)
    while not task.done():
        task.cancel()
        await asyncio.wait((task,), timeout=LOOK_EVERY)


async def first_of(event: asyncio.Event, signal: asyncio.Future[int] | None, seconds: float | None) -> None:
    """Wait for an event, or for a signal that comes before it, no longer than so many seconds."""
    if event.is_set():
        return
    happened = asyncio.create_task(event.wait())
    waited_for = (happened,) if signal is None or signal.done() else (happened, signal)
    await asyncio.wait(waited_for, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    happened.cancel()
