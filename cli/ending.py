"""How a run ends: by a signal, by a key, by a problem, or because nothing more can be written. The first one counts."""

from __future__ import annotations

import asyncio
import contextlib

from cli.errors import HUNG_UP, INTERRUPTED, OK, PIPE_CLOSED, QUIT, TERMINATED
from cli.interrupts import asked_to_end, has_come
from cli.output import ReaderGone


class Ending:
    """Whether a run is to end (`stopping`), with which exit code, and the problem that is raised instead."""

    def __init__(self) -> None:
        self.stopping = asyncio.Event()
        self.output_ended = asyncio.Event()
        self.code = OK
        self.problem: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._next_signal: asyncio.Future[int] | None = None

    @property
    def hurried(self) -> bool:
        """Whether somebody has had enough (Ctrl-C, TERM, Ctrl-\\), or nobody is there any more."""
        return self.code in (INTERRUPTED, TERMINATED, HUNG_UP, QUIT)

    def stop(self, code: int) -> None:
        """End with this exit code."""
        if not self.stopping.is_set():
            self.code = code
            self.stopping.set()

    def end(self, problem: BaseException) -> None:
        """End with this problem."""
        if not self.stopping.is_set():
            self.problem = problem
            self.stopping.set()

    def result(self) -> int:
        """The exit code.

        Raises:
            BaseException: the problem that ended the run.
        """
        if self.problem is not None:
            raise self.problem
        return self.code

    def take_signals(self, stack: contextlib.ExitStack) -> None:
        """Ctrl-C and TERM end the run, until the stack does."""
        self._loop = asyncio.get_running_loop()
        stack.enter_context(asked_to_end(self._take))
        if has_come():
            self.stop(INTERRUPTED)

    def next_signal(self) -> asyncio.Future[int]:
        """The exit code of a signal that comes while we wait for a reader or a script."""
        self._next_signal = asyncio.get_running_loop().create_future()
        return self._next_signal

    def on_output_end(self, problem: BaseException | None) -> None:
        """The output thread has ended; called in it."""

        def ended() -> None:
            self.output_ended.set()
            if isinstance(problem, ReaderGone):
                self.stop(PIPE_CLOSED)
            elif problem is not None:
                self.end(problem)
            else:
                self.stop(OK)

        assert self._loop is not None
        with contextlib.suppress(RuntimeError):  # the loop is gone: we were too slow to be waited for
            self._loop.call_soon_threadsafe(ended)

    def _take(self, code: int) -> None:
        if self._next_signal is None:
            self.stop(code)
        elif not self._next_signal.done():
            self._next_signal.set_result(code)
