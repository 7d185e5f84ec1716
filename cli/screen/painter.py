"""The alternate screen: only lines that changed are written, all of a frame in one synchronized update."""

from __future__ import annotations

import contextlib
import os
import select
from typing import TYPE_CHECKING

from rich.color import ColorSystem
from rich.console import Console

from cli.output.lines import write_all

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.style import Style
    from rich.text import Text

try:
    import termios
except ImportError:  # no such terminal on this system
    termios = None  # type: ignore[assignment]

# In order: the other screen, no cursor, no wrapping at the right edge, pastes are told from keys.
ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[?2004h\x1b[2J"
LEAVE = "\x1b[?2026l\x1b[0m\x1b[?2004l\x1b[?7h\x1b[?25h\x1b[?1049l"
BEGIN, END = "\x1b[?2026h", "\x1b[?2026l"
LEAVE_WITHIN = 0.5  # seconds for a terminal that takes nothing more

_SYSTEMS = {"truecolor": ColorSystem.TRUECOLOR, "256": ColorSystem.EIGHT_BIT, "standard": ColorSystem.STANDARD}


class Ink:
    """Turns lines into what a terminal understands. `depth` as rich calls it, None for no escapes at all."""

    def __init__(self, depth: str | None, *, color: bool) -> None:
        self._console = Console(
            file=None, color_system=None, highlight=False, markup=False, emoji=False, width=80, height=25
        )
        self._system = None if depth is None else _SYSTEMS[depth]
        self._color = color

    def drawn(self, line: Text) -> str:
        """One line as the terminal gets it, without an end of line."""
        if self._system is None or not (line.spans or line.style):
            return line.plain
        if not line.spans:  # which rich renders without the line's own style
            return self._styled(line.plain, self._console.get_style(line.style))
        return "".join(self._styled(text, style) for text, style, _ in line.render(self._console))

    def _styled(self, text: str, style: Style | None) -> str:
        if style is None:
            return text
        return (style if self._color else style.without_color).render(text, color_system=self._system)


class Painter:
    """Holds what is on the screen. `paint` takes the terminal, `leave` gives it back as it was."""

    def __init__(self, descriptor: int, ink: Ink) -> None:
        self._descriptor = descriptor
        self._ink = ink
        self._up = False
        self._shown: list[Text] = []
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
        out = [] if self._up else [ENTER]
        if size != self._size or not self._up:
            out += ["\x1b[0m\x1b[2J"] if self._up else []
            self._shown = []
        fresh = not self._shown
        for row, line in enumerate(lines):
            if row < len(self._shown) and _same(line, self._shown[row]):
                continue
            if fresh and not line.plain:
                continue
            erase = "\x1b[K" if not fresh and line.cell_len < size[0] else ""
            out.append(f"\x1b[{row + 1};1H{self._ink.drawn(line)}{erase}")
        out += [f"\x1b[{row + 1};1H\x1b[K" for row in range(len(lines), len(self._shown))]
        self._shown, self._size = list(lines), size
        if out:
            self._up = True
            write_all(self._descriptor, f"{BEGIN}{''.join(out)}{END}".encode(errors="replace"))

    def forget(self) -> None:
        """Draw everything anew, e.g. after something else has written on the screen."""
        self._size = (0, 0)

    def unblock(self) -> None:
        """Release a terminal that somebody has stopped with Ctrl-S; whoever waits in `paint` goes on."""
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
