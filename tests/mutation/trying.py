"""Draws mutants with a seed, tries each, and says what became of it."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

from tests.mutation import rooms
from tests.mutation.measured import Measured, Place, Test, concerned, place
from tests.mutation.operators import Change, changes, is_another_program
from tests.mutation.running import Copy

FIRST_OF_A_FILE = 12  # tests that are tried before those of the next test file
FIRST_SECONDS = 5.0  # of them
SURELY_QUICK = 0.5  # seconds: a test that takes longer may wait for something, and is asked again without the mutant
UNCOLLECTED = 2  # pytest's exit code for test files that do not import
BROKE_DOWN = "what runs the tests broke down"
ASKED_AGAIN = 3  # tests that fail by themselves and are left out, for one mutant


class Verdict(NamedTuple):
    """What became of a mutant: the test that killed it, or how; "" for a survivor."""

    change: Change
    room: str
    killed_by: str
    by_time: bool
    tried: int  # tests that pass its line

    @property
    def survived(self) -> bool:
        return not self.killed_by


class _NotImported(Exception):
    """A mutant that cannot be imported does not count."""


class Trial:
    """All of one run: the snapshot of the tree that everything is read from, its copies, and the measurements."""

    def __init__(self, snapshot: Path, copies: Sequence[Copy], measured: Measured, seconds: float) -> None:
        self._root = snapshot
        self._copies = copies
        self._free: SimpleQueue[Copy] = SimpleQueue()
        for copy in copies:
            self._free.put(copy)
        self._measured = measured
        self._seconds = seconds
        self._left_out: set[str] = set()
        self._sure: set[str] = set()  # tests that were seen to pass without a mutant, in this run
        self._lock = threading.Lock()

    def candidates(self, names: Sequence[str]) -> list[tuple[Change, str]]:
        """Every change of the rooms."""
        return [
            (change, room)
            for path, room in rooms.files(self._root, names).items()
            for change in changes(path, (self._root / path).read_bytes())
        ]

    def drawn(self, names: Sequence[str], seed: int) -> Iterator[tuple[Change, str]]:
        """Those that are another program, in the order of a seed: the same for the same tree."""
        every = self.candidates(names)
        random.Random(seed).shuffle(every)
        return (one for one in every if is_another_program(one[0], (self._root / one[0].path).read_bytes()))

    def importable(self, drawn: Iterable[tuple[Change, str]], count: int) -> Iterator[tuple[Change, str]]:
        """The first so many that can be imported: those that `verdicts` tries."""
        return islice((one for one in drawn if self._copies[0].imports(one[0])), count)

    def verdicts(self, drawn: Iterable[tuple[Change, str]], count: int) -> Iterator[Verdict]:
        """On the first so many that can be imported, each as soon as it is known."""
        more = iter(drawn)
        left = count
        asked: set[Future[Verdict | None]] = set()
        with ThreadPoolExecutor(len(self._copies)) as pool:
            try:
                while True:
                    room_for = min(2 * len(self._copies), left) - len(asked)
                    asked |= {pool.submit(self._verdict, *one) for one in islice(more, max(0, room_for))}
                    if not asked:
                        return
                    done, asked = wait(asked, return_when=FIRST_COMPLETED)
                    for verdict in (one.result() for one in done):
                        if verdict is not None:
                            left -= 1
                            yield verdict
            except BaseException:  # interrupted: those that wait are not begun, those that run are ended
                pool.shutdown(wait=False, cancel_futures=True)
                for copy in self._copies:
                    copy.close()
                raise

    def _verdict(self, change: Change, room: str) -> Verdict | None:
        """None for one that cannot be imported."""
        copy = self._free.get()
        try:
            return self._tried(copy, change, room)
        except _NotImported:
            return None
        finally:
            self._free.put(copy)

    def _tried(self, copy: Copy, change: Change, room: str) -> Verdict:
        where = place((self._root / change.path).read_bytes(), change.line)
        tried = 0
        for stages in (self._stages(copy, change, room, where), self._others(copy, change, room, where)):
            left = self._seconds
            for some in stages:
                tests, _ = _within(some, left)
                left -= max(1.0, sum(test.seconds for test in tests))
                tried += len(tests)
                if verdict := self._asked(copy, change, room, tests, tried):
                    return verdict
                if left <= 0:
                    break
        if not tried and not copy.imports(change):
            raise _NotImported
        return Verdict(change, room, "", by_time=False, tried=tried)

    def _stages(self, copy: Copy, change: Change, room: str, where: Place) -> Iterator[list[Test]]:
        """The tests of the line: some of the nearest file, some of each other one, all that are left."""
        first: list[Test] = []
        later: list[Test] = []
        at_once = 1
        if where.by_import:
            for file in rooms.OF_IMPORTS:
                if (self._root / file).exists():
                    yield self._measured.tests(file, copy.measure)
        for file in rooms.nearest(self._root, change.path, room):
            tests = concerned(self._measured.tests(file, copy.measure), change.path, where)
            some, others = _spread(sorted(tests, key=lambda test: test.seconds))
            first += some
            later += others
            if len({test.file for test in first}) >= at_once:
                yield first
                first, at_once = [], 3
        if first:
            yield first
        if later:
            yield sorted(later, key=lambda test: test.seconds)

    def _others(self, copy: Copy, change: Change, room: str, where: Place) -> Iterator[list[Test]]:
        """The tests of the line that are near to something else, for a mutant that none of the nearest has noticed."""
        if where.anywhere:
            return  # what an import runs belongs to no test
        files = rooms.others(self._root, change.path, room)
        tests = [
            test for file in files for test in concerned(self._measured.tests(file, copy.measure), change.path, where)
        ]
        tests.sort(key=lambda test: test.seconds)
        if tests:
            yield tests[:FIRST_OF_A_FILE]
        if tests[FIRST_OF_A_FILE:]:
            yield tests[FIRST_OF_A_FILE:]

    def _asked(self, copy: Copy, change: Change, room: str, tests: list[Test], tried: int) -> Verdict | None:
        """Run tests with the mutant; None if none of them notices.

        Raises:
            _NotImported: it cannot be imported.
        """
        for _ in range(ASKED_AGAIN):
            tests = [test for test in tests if test.name not in self._left_out]
            if not tests:
                return None
            with copy.changed(change):
                ran = copy.tests(tests, copy.modules(change) if tried == len(tests) else ())
            if ran.not_imported:
                raise _NotImported
            failed = ran.failed()
            if ran.code == UNCOLLECTED and not copy.imports(change):
                raise _NotImported
            if failed is None:
                how = _other_end(ran.code, ran.late)
                if how is None and copy.tests(tests).code == ran.code:
                    raise RuntimeError(f"pytest ended with {ran.code} without a mutant too:\n{ran.output[-3000:]}")
                return None if how == "" else Verdict(change, room, how or BROKE_DOWN, ran.late, tried)
            late = failed["outcome"] == "late"
            test = next(test for test in tests if test.name == failed["test"])
            if (late or self._is_in_doubt(test)) and copy.tests([test]).failed():
                with self._lock:  # it fails without the mutant too: by itself, or on a machine that is too busy
                    self._left_out.add(test.name)
                continue
            with self._lock:
                self._sure.add(test.name)
            return Verdict(change, room, test.name, late, tried)
        return None

    def _is_in_doubt(self, test: Test) -> bool:
        """Whether it may fail by itself: it waits for something, or passed when the tree was another."""
        return test.seconds > SURELY_QUICK or not (test.is_sure or test.name in self._sure)

    @property
    def left_out(self) -> set[str]:
        """Tests that failed without a mutant, and so say nothing."""
        return self._left_out | self._measured.not_passing


def _other_end(code: int, late: bool) -> str | None:
    """How tests ended without a failed one: "" if they passed; pytest's 5 is that they are no longer there.

    None for an end of pytest that is not the tests': a mutant may break what runs them, e.g. by emptying `sys.modules`.
    """
    if late:
        return "time: the tests did not end"
    if code in (0, 5):
        return ""
    if code < 0:
        return f"signal {-code}"
    return "the tests no longer import" if code == UNCOLLECTED else None


def _spread(tests: list[Test]) -> tuple[list[Test], list[Test]]:
    """Some of a file's tests to begin with, quick and slow, and the others."""
    step = max(1, len(tests) // FIRST_OF_A_FILE)
    first: list[Test] = []
    seconds = 0.0
    for test in tests[::step]:
        if first and seconds + test.seconds > FIRST_SECONDS:
            break
        first.append(test)
        seconds += test.seconds
    kept = {test.name for test in first}
    return first, [test for test in tests if test.name not in kept]


def _within(tests: list[Test], seconds: float) -> tuple[list[Test], list[Test]]:
    """As many as fit the time, at least one."""
    total = 0.0
    for number, test in enumerate(tests):
        total += test.seconds
        if number and total > seconds:
            return tests[:number], tests[number:]
    return tests, []
