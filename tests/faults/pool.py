"""Several processes that play cases, each one at a time."""

from __future__ import annotations

import contextlib
import queue
import subprocess
import sys
import threading
from pathlib import Path
from typing import Final, Self

from tests.faults.cases import Case, Outcome

ROOT: Final = Path(__file__).parents[2]
HANGS_AFTER: Final = 150.0  # seconds; the longest that a case waits for anything comes to half of it
TOLD_WITHIN: Final = 30.0  # seconds more, in which a worker starts, and one that hangs says where and ends by itself


class Pool:
    """So many workers. `play` may be called from any thread."""

    def __init__(self, jobs: int) -> None:
        self.jobs = jobs
        self._idle: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
        self._all: list[_Worker] = []

    def __enter__(self) -> Self:
        for _ in range(self.jobs):
            self._add()
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._all:
            worker.end()

    def play(self, case: Case) -> Outcome:
        """The outcome of a case, played by whichever worker is free."""
        worker = self._idle.get()
        outcome = worker.play(case)
        if outcome is not None:
            self._idle.put(worker)
            return outcome
        worker.end()
        self._all.remove(worker)
        self._add()
        return Outcome(findings=[f"its process hung for {HANGS_AFTER:.0f} s, or ended: {worker.last_words()}"])

    def _add(self) -> None:
        worker = _Worker()
        self._all.append(worker)
        self._idle.put(worker)


class _Worker:
    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.worker"],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._words: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def play(self, case: Case) -> Outcome | None:
        """None where the process hangs, or has ended."""
        timer = threading.Timer(HANGS_AFTER + TOLD_WITHIN, self._process.kill)
        timer.start()
        try:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.stdin.write(case.as_json() + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except OSError:
            return None
        finally:
            timer.cancel()
        return Outcome.from_json(line) if line else None

    def last_words(self) -> str:
        """What it said last."""
        self._reader.join(2)
        return "".join(self._words[-15:])

    def end(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(5)
        self._reader.join(2)
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()

    def _read(self) -> None:
        assert self._process.stderr is not None
        try:
            for line in self._process.stderr:
                self._words.append(line)
                del self._words[:-100]
        except ValueError:  # closed
            return
