"""What a table sends to its terminal, and how old a picture is by the time a slow terminal shows it.

python -m tests.benchmarks.link

The book of the simulator at 120×40, bids and asks side by side: in a terminal that reads at once, and in one that
reads 6 KiB/s, with answers to the question at the end of a frame and without.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import tempfile
import termios
import time
from statistics import median
from typing import NamedTuple

from cli.screen.pace import QUESTION
from cli.screen.painter import END
from tests.benchmarks.figures import WrongResultError, at_most, for_information, print_head, progress
from tests.benchmarks.sender import SYMBOL

COLUMNS, LINES = 120, 40
SLOW = 6 * 1024  # bytes a second
SECONDS = 25
SETTLED = 10  # seconds from the first frame, after which it counts
MOST_SENT = 12.0  # KiB a second
OLDEST_WITH_ANSWERS, OLDEST_WITHOUT = 0.3, 0.5  # seconds
STEP = 0.01  # seconds between two reads of a slow terminal
ANSWER = b"\x1b[0n"
MARKS = re.compile(re.escape(END.encode()) + b"|" + re.escape(QUESTION.encode()))

# `mon`, which notes when it begins to draw a frame and how many bytes it is.
NOTING = """
import os, sys, time
from cli.main import run
from cli.screen import painter, table
noted = os.open(sys.argv.pop(1), os.O_WRONLY)
frame, write = table.Table.frame, painter.Painter._write
begun = 0.0
def frame_noted(self, width, height):
    global begun
    begun = time.monotonic()
    return frame(self, width, height)
def write_noted(self, data):
    if b"\\x1b[?2026h" in data:
        os.write(noted, f"{begun} {len(data)}\\n".encode())
    write(self, data)
table.Table.frame, painter.Painter._write = frame_noted, write_noted
sys.argv[0] = "mon"
sys.exit(run(sys.argv[1:]))
"""


class Frame(NamedTuple):
    """When a frame was drawn and when its last byte was read, in seconds from the start, and its size in bytes."""

    drawn: float
    read: float
    size: int

    @property
    def old(self) -> float:
        """How old it was when it was shown, in seconds."""
        return self.read - self.drawn


class Link:
    """A terminal at the end of a link of so many bytes a second; None for one without a limit."""

    def __init__(self, own: int, rate: int | None, *, answers: bool) -> None:
        self._own, self._rate, self._answers = own, rate, answers
        self._rest = b""
        self.read: list[float] = []  # when the last byte of each frame was read

    def take(self, seconds: float) -> None:
        """Read for so long. What the link could have carried while nothing was there is lost."""
        now = time.monotonic()
        end, credit = now + seconds, 0.0
        while now < end:
            before, now = now, time.monotonic()
            if self._rate is None:
                self._read(65536)
                continue
            credit = min(credit + (now - before) * self._rate, 2 * STEP * self._rate)
            if credit >= 1:
                credit -= self._read(int(credit))
            time.sleep(STEP)

    def _read(self, most: int) -> int:
        if not select.select([self._own], [], [], STEP if self._rate is None else 0)[0]:
            return 0
        data = os.read(self._own, most)
        seen = self._rest + data
        end = 0
        for mark in MARKS.finditer(seen):
            end = mark.end()
            if mark[0] == END.encode():
                self.read.append(time.monotonic())
            elif self._answers:
                os.write(self._own, ANSWER)
        self._rest = seen[end:][1 - len(END) :]
        return len(data)


def drawn(rate: int | None, *, answers: bool, seconds: float) -> list[Frame]:
    """The frames that a terminal has shown in so many seconds."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MON_", "PYTHON"))}
    environment |= {"TERM": "xterm-256color", "LANG": "C.UTF-8"}
    own, theirs = pty.openpty()
    fcntl.ioctl(own, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    with tempfile.NamedTemporaryFile() as notes:
        start = time.monotonic()
        arguments = [sys.executable, "-c", NOTING, notes.name, "book", "nexus", SYMBOL, "--env", "sim"]
        process = subprocess.Popen(
            arguments,
            env=environment,
            stdin=theirs,
            stdout=theirs,
            stderr=subprocess.DEVNULL,
            preexec_fn=lambda: (os.setsid(), fcntl.ioctl(1, termios.TIOCSCTTY, 0)),
        )
        os.close(theirs)
        link = Link(own, rate, answers=answers)
        try:
            link.take(seconds)
            if process.poll() is not None:
                raise WrongResultError(f"mon ended with exit code {process.returncode}")
        finally:
            process.kill()
            process.wait()
            os.close(own)
        noted = [line.split() for line in notes.read().decode().splitlines()]
    pairs = zip(noted, link.read, strict=False)  # the last frames may not have been read
    return [Frame(float(begun) - start, read - start, int(size)) for (begun, size), read in pairs]


def figures(rate: int | None, *, answers: bool) -> tuple[list[Frame], float]:
    """The frames that count, and over how many seconds."""
    shown = drawn(rate, answers=answers, seconds=SECONDS)
    frames = [frame for frame in shown if frame.read >= shown[0].read + SETTLED]
    if not frames:
        raise WrongResultError("no frame was shown")
    return frames, SECONDS - shown[0].read - SETTLED


def said(frames: list[Frame], over: float) -> str:
    """Frames a second and their size, in words."""
    return f"{len(frames) / over:.1f} frames/s, {median(frame.size for frame in frames):.0f} bytes each"


def run() -> None:
    """At once, then slowly with answers and without."""
    progress("a book on a terminal that reads at once")
    frames, over = figures(None, answers=True)
    progress("")
    sent = sum(frame.size for frame in frames) / 1024 / over
    for_information("book of 120×40 on a terminal", said(frames, over))
    at_most("what is sent to it", f"{sent:.1f} KiB/s", sent, MOST_SENT)
    for answers, oldest in ((True, OLDEST_WITH_ANSWERS), (False, OLDEST_WITHOUT)):
        which = "answers" if answers else "no answers"
        progress(f"a book on a terminal that reads 6 KiB/s, {which}")
        frames, over = figures(SLOW, answers=answers)
        progress("")
        old = sorted(frame.old for frame in frames)
        for_information(f"book at 6 KiB/s, {which}", said(frames, over))
        for words, age in (("median", median(old)), ("oldest", old[-1])):
            at_most(f"age when it is shown, {which}, {words}", f"{age:.2f} s", age, oldest)


if __name__ == "__main__":
    print_head()
    run()
