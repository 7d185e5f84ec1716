"""The alternate screen: only cells that changed are written, all of a frame in one synchronized update."""

from __future__ import annotations

import contextlib
import os
import select
import time
from typing import TYPE_CHECKING

from cli.output.lines import write_all
from cli.screen.canvas import EMPTY, Changes
from cli.screen.pace import PIECE, PROBE, QUESTION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.text import Text

    from cli.screen.canvas import Ink, Row
    from cli.screen.pace import Pace

try:
    import termios
except ImportError:  # no such terminal on this system
    termios = None  # type: ignore[assignment]

# In order: the other screen, no cursor, no wrapping at the right edge, pastes are told from keys.
ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[?2004h\x1b[2J"
LEAVE = "\x1b[?2026l\x1b[0m\x1b[?2004l\x1b[?7h\x1b[?25h\x1b[?1049l"
CLEAR = "\x1b[0m\x1b[2J"
BEGIN, END = "\x1b[?2026h", "\x1b[?2026l"
PADDING = "\x1b[m"
LOOK_EVERY = 0.1  # seconds
LONGEST_PROBE = 4.0
MOST_PROBED = 4 * PROBE
PROBED_WITHIN = 0.5  # seconds in which a terminal has taken `PROBE` that reads more than it is ever sent
LEAVE_WITHIN = 0.5  # seconds for a terminal that takes nothing more


class Painter:
    """Holds what is on the screen. `paint` takes the terminal, `leave` gives it back as it was."""

    def __init__(self, descriptor: int, ink: Ink, pace: Pace) -> None:
        self._descriptor = descriptor
        self._ink = ink
        self._pace = pace
        self._up = False
        self._leaving = False
        self._shown: list[Text] = []
        self._rows: list[Row] = []  # the same as cells
        self._size = (0, 0)

    @property
    def is_up(self) -> bool:
        """Whether the alternate screen is shown."""
        return self._up

    def paint(self, lines: Sequence[Text], size: tuple[int, int]) -> None:
        """Make the screen show the lines; those below the last one are empty.

        Raises:
            ReaderGone: the terminal is gone.
        """
        start = "" if self._up else ENTER
        if size != self._size or not self._up:
            start += CLEAR if self._up else ""
            self._shown, self._rows = [], []
        changes = Changes(size[0])
        self._rows += [EMPTY] * (len(lines) - len(self._rows))
        for y, line in enumerate(lines):
            if y >= len(self._shown) or not _same(line, self._shown[y]):
                changes.add(y, row := self._ink.row(line), self._rows[y])
                self._rows[y] = row
        for y in range(len(lines), len(self._rows)):
            changes.add(y, EMPTY, self._rows[y])
        self._shown, self._size = list(lines), size
        del self._rows[len(lines) :]
        if out := start + changes.text():
            self._up, self._leaving = True, False
            asks = self._pace.asks
            data = f"{BEGIN}{out}{END}{QUESTION if asks else ''}".encode(errors="replace")
            self._pace.sent(len(data), asked=asks)
            self._write(data)

    def forget(self) -> None:
        """Draw everything anew, e.g. after something else has written on the screen."""
        self._size = (0, 0)

    def probe(self) -> None:
        """Find out whether a terminal that answers nothing reads what it gets, with what changes nothing on it.

        One that is a little too slow would fill up unnoticed, and show what was seconds ago.
        """
        piece, start = (PADDING * (PIECE // len(PADDING))).encode(), time.monotonic()
        size = 0
        while not (self._leaving or self._pace.has_rate) and (gone := time.monotonic() - start) < LONGEST_PROBE:
            if size >= PROBE and (gone < PROBED_WITHIN or size >= MOST_PROBED):
                break
            self._write(piece)
            size += len(piece)
        self._pace.probed()

    def _write(self, data: bytes) -> None:
        if not self._pace.watches_room:
            write_all(self._descriptor, data)
            return
        for at in range(0, len(data), PIECE):
            if self._is_full():
                self._pace.full()
                while self._is_full(within=LOOK_EVERY):
                    if self._leaving or not self._up:
                        return
            write_all(self._descriptor, piece := data[at : at + PIECE])
            self._pace.wrote(len(piece))

    def _is_full(self, *, within: float = 0.0) -> bool:
        return not select.select([], [self._descriptor], [], within)[1]

    def unblock(self) -> None:
        """Release a terminal that somebody has stopped with Ctrl-S; whoever waits in `paint` or `probe` goes on."""
        self._leaving = True
        if self._up and termios is not None:
            with contextlib.suppress(OSError, termios.error):
                termios.tcflow(self._descriptor, termios.TCOOFF)  # Linux starts only what was stopped in this way
                termios.tcflow(self._descriptor, termios.TCOON)

    def leave(self) -> None:
        """Go back to the normal screen. A terminal that takes nothing more is not waited for."""
        if not self._up:
            return
        self._up = False
        with contextlib.suppress(OSError):
            if select.select([], [self._descriptor], [], LEAVE_WITHIN)[1]:
                os.write(self._descriptor, LEAVE.encode())


def _same(one: Text, other: Text) -> bool:
    return one.plain == other.plain and one.spans == other.spans and one.style == other.style
