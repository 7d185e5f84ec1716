"""What a target is, and what one case may do: raise our errors only, and take little processor time and memory."""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import signal
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from tests.house import ROOT

LONGEST_CASE = 2**16  # bytes
MOST_CPU = 0.1  # seconds of processor time, the bound of the issue
MOST_MEMORY = 100 * 2**20  # bytes, the bound of the issue
TRIES = 3  # of a case that seems slow: only the best one counts, so that a full cache or another process is no fault
GIVEN_UP_AFTER = 5.0  # seconds of processor time; 50 times the bound is slow enough, however long it would go on
ROOM = 2**30  # bytes that a process may grow by; beyond it a case gets a MemoryError instead of the machine


@dataclass(frozen=True)
class Target:
    """One thing that is fuzzed.

    `corpus` makes the good cases that mutation begins with. `run` takes one case, and returns something true where the
    case meant anything. It may raise `errors`, and nothing else. `head`: so many bytes in front only choose what the
    rest is given to.
    """

    name: str
    corpus: Callable[[], Sequence[bytes]]
    run: Callable[[bytes], object]
    errors: tuple[type[Exception], ...] = ()
    head: int = 0


class Fault(NamedTuple):
    """What is wrong with a case. `kind` and `where` stay the same while a case is shrunk; `words` tell it."""

    kind: str
    where: str
    words: str


class Spent(NamedTuple):
    """What a case took: seconds of processor time, and bytes at its peak above what there was before."""

    cpu: float
    memory: int


class _RunsOn(BaseException):
    """The case was given up."""


class Meter:
    """Measures cases in this process, one after the other."""

    def __init__(self) -> None:
        self._forget_peak: int | None = None
        with contextlib.suppress(OSError):  # else the peak of earlier cases hides smaller ones, never larger ones
            self._forget_peak = os.open("/proc/self/clear_refs", os.O_WRONLY)
            os.write(self._forget_peak, b"5")

    def close(self) -> None:
        """Give back the descriptor."""
        if self._forget_peak is not None:
            os.close(self._forget_peak)

    def run(self, target: Target, case: bytes) -> tuple[Spent, Fault | None]:
        """Run a case once; what it took, and what it raised that is not the target's error."""
        if self._forget_peak is not None:
            os.write(self._forget_peak, b"5")
        highest, before = _peak(), _resident()
        fault = None
        gc.collect(0)
        gc.disable()  # what is collected is mostly not this case's
        started = time.process_time()
        try:
            with _given_up_after(GIVEN_UP_AFTER):
                target.run(case)
        except target.errors:
            pass
        except _RunsOn as error:
            fault = Fault("cpu", "", f"given up after {GIVEN_UP_AFTER:.0f} s of processor time\n{_told(error)}")
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            fault = Fault(type(error).__name__, _where(error), _told(error))
        finally:
            spent = time.process_time() - started
            gc.enable()
        after = _peak()
        return Spent(spent, after - before if after > highest or self._forget_peak is not None else 0), fault

    def judge(self, target: Target, case: bytes) -> tuple[Spent, Fault | None]:
        """Run a case, and again where it seems to take too much: the least counts."""
        spent, fault = self.run(target, case)
        if fault is not None:
            return spent, fault
        for _ in range(TRIES):
            if spent.cpu <= MOST_CPU and spent.memory <= MOST_MEMORY:
                return spent, None
            gc.collect()
            again, fault = self.run(target, case)
            if fault is not None:
                return again, fault
            spent = Spent(min(spent.cpu, again.cpu), min(spent.memory, again.memory))
        if spent.memory > MOST_MEMORY:
            words = f"{spent.memory / 2**20:.0f} MiB of memory, expected at most {MOST_MEMORY // 2**20}"
            return spent, Fault("memory", "", words)
        if spent.cpu > MOST_CPU:
            words = f"{spent.cpu * 1000:.0f} ms of processor time, expected at most {MOST_CPU * 1000:.0f}"
            return spent, Fault("cpu", "", words)
        return spent, None


def limit_this_process(cpu: float) -> None:
    """Limit what this process may take from now on: processor time in seconds, and `ROOM` of memory."""
    wanted = {
        resource.RLIMIT_CPU: int(time.process_time() + cpu) + 1,
        resource.RLIMIT_AS: _statm(0) + ROOM,
        resource.RLIMIT_CORE: 0,
    }
    for what, limit in wanted.items():
        _, hard = resource.getrlimit(what)
        resource.setrlimit(what, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))


@contextlib.contextmanager
def _given_up_after(seconds: float) -> Iterator[None]:
    def give_up(_number: int, _frame: FrameType | None) -> None:
        raise _RunsOn

    before = signal.signal(signal.SIGVTALRM, give_up)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _resident() -> int:
    return _statm(1)


def _statm(field: int) -> int:
    return int(Path("/proc/self/statm").read_bytes().split()[field]) * resource.getpagesize()


def _where(error: BaseException) -> str:
    """The innermost line of ours that an error came through, without its number: shrinking must not move to another."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        file = Path(frame.filename)
        if file.is_relative_to(ROOT / "cli") or file.is_relative_to(ROOT / "venues"):
            return f"{file.relative_to(ROOT)}:{frame.name}"
    return ""


def _told(error: BaseException) -> str:
    lines = traceback.format_exception(error)
    text = "".join(lines if len(lines) <= 24 else [*lines[:4], "  …\n", *lines[-20:]])
    return text if len(text) <= 6_000 else f"{text[:1_000]}\n…\n{text[-5_000:]}"
