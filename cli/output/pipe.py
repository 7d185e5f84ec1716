"""A pipe on stdout and how fast its reader is, so that little lies in it that nobody has read.

What lies in the kernel's pipe (64 KiB, 280 quotes) gets old there, and nothing can be taken out again. So states are
handed over a line at a time, each when the one before it was read; more at once only to a reader that has shown that it
reads them within `PATIENCE`.

Only Linux says at the writing end how much is unread. There the pipe is also made as small as it can be, one page,
while lines are handed over one by one: such a pipe can be written to exactly when it is empty, so the kernel wakes us,
and nobody has to look again and again.
"""

from __future__ import annotations

import os
import select
import stat
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

try:
    import fcntl
    import termios
except ImportError:  # this system has neither of the two
    fcntl = termios = None  # type: ignore[assignment]

PATIENCE = 0.25  # seconds that something is unread before its reader is slow
SINGLE = 1  # line at once, to a reader that has not shown that it reads more
PROOFS = 2  # single lines that are read in time before more are handed over at once
GROWTH = 4  # times as many lines after each time that all were read in time
REMEMBERED = 1.0  # seconds for which the number of lines is kept that the reader has read at once
MOST_BYTES = 64 * 1024  # at once; what does not fit into the pipe lies there longer than the reader is at fault for
MOST_OF_FLOOD = 256 * 1024  # bytes at once to a reader that takes them within `AT_ONCE`
AT_ONCE = 0.02  # seconds
LOOK_EVERY = 0.1  # seconds between two looks when nothing wakes us
SHORTEST_LOOK = 0.0005  # seconds between two looks where the kernel does not wake us
LONGEST_LOOK = 0.02
LONGEST_ABSENCE = 5.0  # seconds without a look, after which this process was stopped: as of the line to a venue
SAID_WITHIN = 1.0  # seconds in which the event loop says so, where a line is down by that


def unread(descriptor: int) -> int | None:
    """Bytes that were written to a pipe or a socket and that nobody has read; None where the system does not say."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISFIFO(mode):
            asked = termios.FIONREAD
        elif stat.S_ISSOCK(mode):
            asked = termios.TIOCOUTQ
        else:
            return None
        return int.from_bytes(fcntl.ioctl(descriptor, asked, b"\0\0\0\0"), sys.byteorder)
    except OSError:
        return None


def paced(descriptor: int, beside: int) -> Pipe | None:
    """The pipe at a descriptor; None for what is none, and where the system does not say how much is unread.

    `beside`: another descriptor, whose own words must not wait for a reader of ours: if it is the same pipe, that keeps
    its size.
    """
    try:
        here, there = os.fstat(descriptor), os.fstat(beside)
    except OSError:
        return None
    if not stat.S_ISFIFO(here.st_mode) or unread(descriptor) is None:
        return None
    return Pipe(descriptor, shared=(here.st_dev, here.st_ino) == (there.st_dev, there.st_ino))


class Pipe:
    """The writing end. All calls are of the thread that writes, but `is_slow`.

    `room`: how many lines may be handed over at once. `away`: from when to when nobody looked, where that was so long
    that this process was stopped.
    """

    def __init__(self, descriptor: int, *, shared: bool = False, clock: Callable[[], float] = time.monotonic) -> None:
        self.room = SINGLE
        self.away: tuple[float, float] | None = None
        self._looked = clock()
        self._descriptor = descriptor
        self._clock = clock
        self._size_before = None if shared else self._size()
        self._is_small = False
        self._look = SHORTEST_LOOK
        self._since: float | None = None  # when what is unread was handed over
        self._seen: float  # when it was last seen to be unread
        self._slow = False
        self._lines: int
        self._line_size: float | None = None
        self._more_wait: bool
        self._proofs = 0
        self._most = SINGLE  # lines that were read in time at once, in this period
        self._period = clock()
        self._fit()

    def is_slow(self) -> bool:
        """Whether what was handed over last lay, or lies, unread for longer than `PATIENCE`."""
        since = self._since
        return self._slow or (since is not None and self._clock() - since > PATIENCE and self._unread() > 0)

    def hand_over(self, lines: int, *, more_wait: bool) -> None:
        """Note that so many lines are about to be written. `more_wait`: there were more than there was room for."""
        self._since = self._seen = self._clock()
        self._lines, self._more_wait = lines, more_wait

    def handed_over(self, size: int) -> None:
        """Note that those lines were written, and how many bytes they were."""
        self._line_size = size / max(1, self._lines)

    def is_empty(self) -> bool:
        """Whether the reader has read everything. To be asked every tenth of a second: that is how `away` is known."""
        now = self._clock()
        if now - self._looked > LONGEST_ABSENCE:
            self.away = self._looked, now
        self._looked = now
        if self._since is None:
            return True
        if self._unread():
            self._seen = self._clock()
            return False
        self._was_read(self._seen - self._since)
        return True

    def watched(self) -> tuple[int, float]:
        """What to poll for to hear that everything was read, and the seconds after which to look all the same."""
        if self._since is None:
            return 0, LOOK_EVERY
        if self._is_small:
            return select.POLLOUT, LOOK_EVERY
        look, self._look = self._look, min(2 * self._look, LONGEST_LOOK)
        return 0, look

    def woke_early(self) -> None:
        """Look by ourselves from now on: somebody else writes to the pipe too, so it can wake us too early."""
        self.close()
        self._size_before = None

    def close(self) -> None:
        """Give the pipe its size back, for whoever writes to it after us."""
        if self._is_small and self._size_before is not None:
            self._is_small = not self._resize(self._size_before)

    def _unread(self) -> int:
        return unread(self._descriptor) or 0

    def _size(self) -> int | None:
        try:
            return fcntl.fcntl(self._descriptor, fcntl.F_GETPIPE_SZ)
        except OSError:
            return None

    def _fit(self) -> None:
        """Small for single lines; as it was for more, since a reader takes no more at once than the pipe holds."""
        if self._size_before is None or self._is_small == (self.room == SINGLE):
            return
        if self.room == SINGLE:
            self._is_small = self._resize(os.sysconf("SC_PAGESIZE"))
        else:
            self.close()

    def _resize(self, size: int) -> bool:
        try:
            return bool(fcntl.fcntl(self._descriptor, fcntl.F_SETPIPE_SZ, size) == size)
        except OSError:  # more lies in it already
            return False

    def _was_read(self, seconds: float) -> None:
        """`seconds`: for so long it was seen to be unread; that we looked late is not the reader's fault."""
        now, self._since, self._look = self._clock(), None, SHORTEST_LOOK
        self._slow = seconds > PATIENCE
        if self._slow:
            self.room, self._proofs, self._most, self._period = SINGLE, 0, SINGLE, now
            self._fit()
            return
        self._most = max(self._most, self._lines)
        if now - self._period > REMEMBERED:
            self.room = min(self.room, self._most)
            self._most, self._period = SINGLE, now
            if self.room == SINGLE:
                self._proofs = 0
        if self._more_wait:
            self._proofs += 1
            if self._proofs >= PROOFS:
                most = self._most_lines(MOST_OF_FLOOD if seconds < AT_ONCE else MOST_BYTES)
                self.room = min(max(self.room, GROWTH * self._lines), most)
        self._fit()

    def _most_lines(self, size: int) -> int:
        return max(SINGLE, int(size / self._line_size)) if self._line_size else SINGLE
