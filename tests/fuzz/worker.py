"""Runs cases of one target in a process of its own, so that one that kills it, or hangs, is found as well."""

from __future__ import annotations

import contextlib
import gc
import mmap
import os
import pickle
import random
import signal
import struct
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tests.fuzz.judge import MOST_CPU, Fault, Meter, Spent, Target, limit_this_process
from tests.fuzz.mutator import Mutator

SHRUNK_WITHIN = 10.0  # seconds of processor time for one fault
SURELY_SLOW = 1.5  # times the bound: a slow case that was shrunk to the bound itself would not fail each time
MOST_FAULTS = 5  # of one target that are told
MOST_WARMING = 40  # cases of the corpus that a new process runs before it is judged
_HANGS_AFTER = 60.0  # seconds of processor time for one case and whatever is done about it


@dataclass
class Found:
    """A fault, the case that shows it, shrunk, and the number under which the seed makes it again."""

    fault: Fault
    case: bytes
    number: int


@dataclass
class Result:
    """What a run of cases gave: how many, the most that one took, and the faults."""

    cases: int = 0
    most: Spent = field(default_factory=lambda: Spent(0.0, 0))
    found: list[Found] = field(default_factory=list)

    def add(self, other: Result) -> None:
        """Add what a later run gave. Of faults of one kind at one place the first is enough."""
        self.cases += other.cases
        self.most = _both(self.most, other.most)
        known = {(one.fault.kind, one.fault.where) for one in self.found}
        self.found += [one for one in other.found if (one.fault.kind, one.fault.where) not in known]
        del self.found[MOST_FAULTS:]


def case_of(target: Target, corpus: Sequence[bytes], seed: int, number: int) -> bytes:
    """The case of that number: first the corpus as it is, then what is made of it."""
    if number < len(corpus):
        return corpus[number]
    return Mutator(corpus, random.Random(f"{seed} {target.name} {number}"), target.head).case()


def fuzz(
    target: Target, corpus: Sequence[bytes], seed: int, *, seconds: float = 0.0, cases: int = 0, first: int = 0
) -> Result:
    """Run cases from number `first` on, for so long and so many at least."""
    result = Result()
    until = time.monotonic() + seconds
    while True:
        left = max(0.0, until - time.monotonic())
        work = partial(_run, target, corpus, seed, first + result.cases, left, cases)
        ran, died = _in_a_child(work, result.cases)
        if ran is not None:
            result.add(ran)
        if died is None:
            return result
        words, at = died
        if at < 0:
            return Result(1, found=[Found(Fault("died", "", words), corpus[~at], ~at)])
        case = case_of(target, corpus, seed, first + at)
        lost = Result(at + 1 - result.cases, found=[Found(Fault("died", "", words), case, first + at)])
        result.add(lost)
        if len(result.found) >= MOST_FAULTS or (time.monotonic() >= until and result.cases >= cases):
            return result


def judge_alone(target: Target, case: bytes, corpus: Sequence[bytes]) -> tuple[Spent, Fault | None]:
    """What one case takes and does wrong, in a process that ran the corpus before."""

    def run(at: _At) -> Result:
        meter = _warmed(target, corpus, at)
        spent, fault = meter.judge(target, case)
        return Result(1, spent, [] if fault is None else [Found(fault, case, 0)])

    ran, died = _in_a_child(run, 0)
    if ran is None:
        assert died is not None
        return Spent(0.0, 0), Fault("died", "", died[0])
    return ran.most, ran.found[0].fault if ran.found else None


def meant(target: Target, corpus: Sequence[bytes]) -> int:
    """How many cases of a corpus, or of a part of a long one, mean something to the target, and raise nothing."""

    def run(_at: _At) -> Result:
        count = 0
        for case in corpus[:: 1 + len(corpus) // MOST_WARMING]:
            with contextlib.suppress(*target.errors):
                count += bool(target.run(case))
        return Result(count)

    ran, died = _in_a_child(run, 0)
    if ran is None:
        raise RuntimeError(f"{target.name} does not stand its own corpus: {died}")
    return ran.cases


# --- in the child


class _At:
    """The number of the case that is being run, where the parent can read it whatever becomes of the child."""

    def __init__(self, shared: mmap.mmap, done: int) -> None:
        self.done = done
        self._shared = shared

    def is_at(self, number: int) -> None:
        self._shared[:8] = struct.pack("q", number)


def _run(target: Target, corpus: Sequence[bytes], seed: int, first: int, seconds: float, cases: int, at: _At) -> Result:
    result = Result()
    meter = _warmed(target, corpus, at)
    until, number = time.monotonic() + seconds, first
    while at.done + result.cases < cases or time.monotonic() < until:
        at.is_at(at.done + result.cases)
        if result.cases % 50 == 0:
            gc.collect()
            limit_this_process(_HANGS_AFTER)
        case = case_of(target, corpus, seed, number)
        spent, fault = meter.judge(target, case)
        most = spent if fault is None else Spent(0.0, 0)
        found = [] if fault is None or _is_known(fault, result) else [shrunk(meter, target, case, fault, number)]
        result.add(Result(1, most, found))
        number += 1
    meter.close()
    return result


def _warmed(target: Target, corpus: Sequence[bytes], at: _At) -> Meter:
    """A meter in a process that has imported what the target needs, and has seen good cases of all kinds."""
    limit_this_process(_HANGS_AFTER)
    meter = Meter()
    for number in range(0, len(corpus), 1 + len(corpus) // MOST_WARMING):
        at.is_at(~number)
        meter.run(target, corpus[number])
    at.is_at(at.done)
    gc.collect()
    gc.freeze()
    return meter


def _is_known(fault: Fault, result: Result) -> bool:
    return any((fault.kind, fault.where) == (one.fault.kind, one.fault.where) for one in result.found)


def shrunk(meter: Meter, target: Target, case: bytes, fault: Fault, number: int = 0) -> Found:
    """The fault with a smaller case: pieces are left out as long as the same is wrong at the same place."""
    limit_this_process(_HANGS_AFTER)
    until = time.process_time() + SHRUNK_WITHIN

    def fails(smaller: bytes) -> Fault | None:
        spent, other = meter.judge(target, smaller)
        if other is None or (other.kind, other.where) != (fault.kind, fault.where):
            return None
        return None if other.kind == "cpu" and spent.cpu < SURELY_SLOW * MOST_CPU else other

    size = max(1, len(case) // 2)
    while size:
        start = target.head
        while start < len(case) and time.process_time() < until:
            smaller = case[:start] + case[start + size :]
            if (other := fails(smaller)) is not None:
                case, fault = smaller, other
            else:
                start += size
        size //= 2
    return Found(fault, case, number)


# --- the child itself


def _in_a_child(work: Callable[[_At], Result], done: int) -> tuple[Result | None, tuple[str, int] | None]:
    """What some work gave in a child; else how the child died, and at which case."""
    shared = mmap.mmap(-1, 8)
    read, write = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # pytest has threads of its own, which nobody needs here
        child = os.fork()
    if not child:
        _be_the_child(work, _At(shared, done), read, write)
    os.close(write)
    try:
        with os.fdopen(read, "rb") as pipe:
            data = pipe.read()
    except BaseException:  # somebody wants us to end
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise
    _, status = os.waitpid(child, 0)
    (number,) = struct.unpack("q", shared[:8])
    shared.close()
    if os.WIFSIGNALED(status):
        name = signal.Signals(os.WTERMSIG(status)).name
        return None, (f"the process was ended by {name} (SIGXCPU: {_HANGS_AFTER:.0f} s of processor time)", number)
    if not data:
        return None, (f"the process ended with exit code {os.WEXITSTATUS(status)}", number)
    given: Any = pickle.loads(data)
    if isinstance(given, Result):
        return given, None
    raise RuntimeError(f"the fuzzer itself failed:\n{given}")


def _be_the_child(work: Callable[[_At], Result], at: _At, read: int, write: int) -> None:
    code = 0
    try:
        os.close(read)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        given: Any
        try:
            given = work(at)
        except BaseException:
            import traceback

            given = traceback.format_exc()
        with contextlib.suppress(BrokenPipeError), os.fdopen(write, "wb") as pipe:
            pipe.write(pickle.dumps(given))
    except BaseException:
        code = 70
    finally:
        os._exit(code)


def _both(one: Spent, other: Spent) -> Spent:
    return Spent(max(one.cpu, other.cpu), max(one.memory, other.memory))
