"""The time that scripts see, and the threads beside their callbacks: ours live, the recording's in a replay."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from cli.bot.timing.turns import Turns

_LONGEST_WAIT = 60.0  # seconds after which the wall clock is looked at again, since it may be set


class ScriptTime:
    """One for all scripts of a run. In a replay `turns` has the time, and gives the threads their turns."""

    def __init__(self, turns: Turns | None = None) -> None:
        self.turns = turns
        self._ended = threading.Event()

    @property
    def recorded(self) -> bool:
        """Whether it is a recording's time."""
        return self.turns is not None

    @property
    def over(self) -> bool:
        """Whether the run is over."""
        return self._ended.is_set()

    def set(self, epoch_ms: int) -> None:
        """Let a recording's time go on. Whatever in the scripts waited until then goes on before."""
        assert self.turns is not None, "the time of a live run goes on by itself"
        self.turns.go_to(epoch_ms * 1_000_000)

    def epoch_ns(self) -> int:
        """The time in nanoseconds since the epoch."""
        return time.time_ns() if self.turns is None else self.turns.now_ns()

    def looked(self) -> None:
        """Note that a script looks something up: in a replay, a loop that waits for it to change has to end."""
        if self.turns is not None:
            self.turns.looked()

    def emits(self) -> None:
        """Note that a script emits something, in the present thread."""
        if self.turns is not None:
            self.turns.emits()

    def start(
        self,
        name: str,
        run: Callable[[], None],
        head_start: float = 0.0,
        *,
        begun: Callable[[threading.Thread], None] | None = None,
    ) -> None:
        """Run something beside the callbacks, in a thread that holds up no end. `begun`, live, gets that thread.

        Live, it is waited for so many seconds; in a replay it goes first anyway, until it waits for the first time.
        """
        if self.turns is not None:
            self.turns.start(name, run)
            self.turns.go_to(self.turns.now_ns())
            return
        thread = threading.Thread(target=run, name=name, daemon=True)
        thread.start()
        if begun is not None:
            begun(thread)
        if head_start:
            thread.join(head_start)

    def wait_until(self, epoch_ns: int, over: threading.Event | None = None) -> bool:
        """Wait, in such a thread, until a time. False if the run, or, live, what is `over` then, ends before."""
        while not self._ended.is_set() and (over is None or not over.is_set()):
            left = (epoch_ns - self.epoch_ns()) / 1e9
            if left <= 0:
                return True
            if self.turns is not None:
                self.turns.wait(left)
            else:
                (over or self._ended).wait(min(left, _LONGEST_WAIT))
        return False

    def end(self) -> None:
        """End all waits: the run is over."""
        self._ended.set()
        if self.turns is not None:
            self.turns.close()
