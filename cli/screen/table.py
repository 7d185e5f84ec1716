"""The live table: one frame for all streams around a view; drawn by the output thread, at most ten times a second."""

from __future__ import annotations

import textwrap
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from rich.text import Text

from cli.output import cells
from cli.output.lines import STDOUT, write_all
from cli.screen import terminal
from cli.screen.canvas import Ink
from cli.screen.grid import fit_line
from cli.screen.pace import Pace
from cli.screen.painter import LEAVE_WITHIN, Painter
from cli.settings.environment import is_dumb, variables
from cli.settings.foreground import in_foreground
from venues.records import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cli.screen.look import Look
    from cli.screen.pane import Pane

DRAW_EVERY = 0.1
SMALLEST = (24, 6)
NO_BREAK = "\N{NO-BREAK SPACE}"
MOST_NOTICES = 20
FLASH_MS = 1_000  # for so long the header flashes after an alert
LINES_OF_A_PIPE = 1_000  # a table that is written once, into a pipe, shows everything
KEYS = (("q", "quit"), ("?", "help"), ("space", "freeze"))
NO_KEYBOARD = (("Ctrl-C", "quit"), ("no keys:", "stdin is no terminal"))


class Table:
    """A sink that draws. `notice`, `press`, `redraw` and `restore` may be called from the event loop."""

    has_keyboard = True  # set before anything is drawn

    def __init__(self, pane: Pane, look: Look, *, on_terminal: bool, wake: Callable[[], None] = lambda: None) -> None:
        """`wake` makes the output thread call `idle` soon."""
        environment = variables()
        self._pane = pane
        self._look = look
        self._wake = wake
        self._draws = on_terminal and not is_dumb(environment)
        escapes = on_terminal and not is_dumb(environment)
        depth = terminal.color_depth(environment) if escapes or look.color else None
        self._ink = Ink(depth, color=look.color)
        self.pace = Pace(on_answer=wake)
        self._painter = Painter(STDOUT, self._ink, self.pace)
        self._is_away = False  # whether somebody else has the terminal for a while, or for good
        pane.delay_ms = self._delay_ms
        self._on_terminal = on_terminal
        self._drawing = threading.Lock()  # the output thread draws, the event loop restores
        self._pressed: deque[str] = deque(maxlen=100)
        self._notices: deque[tuple[int, str]] = deque(maxlen=MOST_NOTICES)  # when, what; the latest last
        self._alert: tuple[int, str] | None = None
        self._helping = False
        self._rings = False
        self._flash_until = 0
        self._dirty = True
        self._time_frame: tuple[Any, ...] = ()
        self._body: list[Text] = []
        self._body_size = (0, 0)
        self._next_draw = 0.0

    # --- from the event loop

    def notice(self, text: str, *, is_alert: bool = False) -> None:
        """Show words in the footer, and later in the help. An alert stays in the footer, also before later words."""
        self._notices.append((self._look.epoch_ms(), text))
        self._alert = self._notices[-1] if is_alert else self._alert
        self._dirty = True  # the help shows the words too
        self._wake()

    def alert(self, text: str) -> None:
        """Ring, flash the header, and say why in the footer."""
        self._rings, self._flash_until = True, self._look.mono() + FLASH_MS
        self.notice(text, is_alert=True)

    def press(self, key: str) -> None:
        """Take in a key; the output thread acts on it."""
        self._pressed.append(key)
        self._wake()

    def redraw(self) -> None:
        """Draw soon: the size, or what is on the screen, may have changed."""
        self._wake()

    def confirm(self, stream: str) -> None:
        """Note that what is shown of a stream came again, unchanged."""
        self._pane.confirm()

    def set_offset(self, stream: str, ms: int) -> None:
        """Set how far the venue's clock is ahead of ours from here on."""
        self._pane.set_offset(ms)

    def restore(self) -> None:
        """Give the terminal back as it was; for every way out, and before a stop. After `resume` it is taken again."""
        self._is_away = True
        self._painter.unblock()
        is_ours = self._drawing.acquire(timeout=LEAVE_WITHIN)  # a terminal that hangs is not waited for
        try:
            self._painter.leave()
            self._dirty = True
        finally:
            if is_ours:
                self._drawing.release()

    def resume(self) -> None:
        """Draw again after `restore`."""
        self.pace.settle()
        self._is_away = False
        self._wake()

    # --- in the output thread

    def write(self, records: Sequence[Any]) -> None:
        """Fold records into the view."""
        self._pane.write(records)
        if not self._pane.is_frozen or any(isinstance(record, Status) for record in records):
            self._dirty = True

    def idle(self) -> None:
        """Draw when something has changed, the age and the screen's size included."""
        while self._pressed:
            self._on_key(self._pressed.popleft())
        now = time.monotonic()
        if not self._draws or now < self._next_draw or not in_foreground(STDOUT):
            return
        with self._drawing:
            if self._rings:
                self._rings = False
                write_all(STDOUT, b"\a")
            if self._painter.is_up and self.pace.probes and self.pace.is_ready():
                self._painter.probe()
            if self._is_away or not self.pace.is_ready():
                return
            size = terminal.size(variables(), STDOUT)
            self._painter.paint(self.frame(*size), size)
        self._next_draw = time.monotonic() + DRAW_EVERY

    def left(self) -> int:
        """No line is left: a table draws everything at once."""
        return 0

    def close(self) -> None:
        """Go back to the normal screen, and leave the last table there; it does not look live."""
        self.restore()
        self._pane.thaw()
        width, height = terminal.size(variables(), STDOUT)
        lines = self.last(width, height - 3 if self._on_terminal else LINES_OF_A_PIPE)  # a prompt comes below
        for line in lines:
            line.rstrip()
        text = "".join(f"{self._ink.drawn(line)}\n" for line in lines)
        write_all(STDOUT, text.encode(errors="replace"))

    def last(self, width: int, height: int) -> list[Text]:
        """What stays on the normal screen: a header and `height` lines of the table."""
        body = self._pane.body(width, height)  # drawn first: the header says which zone its times are in
        return [self._pane.header(width, ended=True), Text(), *body]

    def frame(self, width: int, height: int) -> list[Text]:
        """The whole screen: `height` lines at most, none wider than `width`."""
        look = self._look
        if width < SMALLEST[0] or height < SMALLEST[1]:
            needs = f"mon needs {SMALLEST[0]}×{SMALLEST[1]}"
            ways = map(look.text, (f"{needs}, this is {width}×{height}", needs, "too small"))
            return [Text(next((words for words in ways if len(words) <= width), "#" * width))]
        until = None if self._pane.is_frozen else self._pane.view.until()
        if (time_frame := self._pane.time_frame) != self._time_frame:
            self._time_frame, self._dirty = time_frame, True
        if self._dirty or (until is not None and until <= look.epoch_ms()) or self._body_size != (width, height):
            self._dirty = False
            self._body_size = (width, height)
            draw = self._help_and_words if self._helping else self._pane.body
            self._body = draw(width, height - 3)
        space = [Text() for _ in range(height - 3 - len(self._body))]
        header = self._pane.header(width)
        if look.mono() < self._flash_until:
            header.stylize("reverse")
        return [header, Text(), *self._body, *space, self._footer(width)]

    def _delay_ms(self) -> int:
        return round(self.pace.delay() * 1000)

    # --- keys

    def _on_key(self, key: str) -> None:
        was_dirty, self._dirty = self._dirty, True
        if key == "redraw":
            self._painter.forget()
            self.pace.forget()
        elif self._helping:
            self._helping = False
        elif key == "?":
            self._helping = True
        elif key == "space":
            if self._pane.is_frozen:
                self._pane.thaw()
            else:
                self._pane.freeze()
        else:
            self._dirty = self._pane.view.press(key) or was_dirty

    def _keys(self) -> list[tuple[str, str]]:
        return [*KEYS[:2], ("space", "go on" if self._pane.is_frozen else "freeze"), *self._pane.view.keys]

    def _help_and_words(self, width: int, height: int) -> list[Text]:
        """The keys, and below them what was said lately, the latest first, which the footer has no room for."""
        said = [textwrap.wrap(self._said(notice), width) for notice in list(self._notices)[::-1]]
        if not said:
            return self._help(width, height)
        words = said[0][: max(0, height - 4)]
        keys = self._help(width, height - len(words) - 1)
        for earlier in said[1:]:
            if len(keys) + 1 + len(words) + len(earlier) > height:
                break
            words += earlier
        return [*keys, Text(), *(fit_line(Text(line), width, self._look) for line in words)]

    def _said(self, notice: tuple[int, str]) -> str:
        said, words = notice
        return self._look.text(f"{self._look.clock(said, millis=False)} {cells.harmless(words)}")

    def _help(self, width: int, height: int) -> list[Text]:
        keys = [*self._keys(), ("Ctrl-L", "draw everything anew"), ("Ctrl-Z", "stop; fg goes on")]
        room = max(len(self._look.text(key)) for key, _ in keys) + 2
        lines = [Text("keys (any key closes this)", self._look.style("title"))]
        for key, meaning in keys:
            line = Text(self._look.text(key).ljust(room), self._look.style("key"))
            line.append(self._look.text(meaning), "not bold")
            lines.append(line)
        if len(lines) > height:
            lines = [lines[0], *self._flowing(keys, width)]
        if len(lines) > height:
            more = Text(self._look.text(f"… and {len(lines) - height + 1} more"), self._look.style("dim"))
            lines = [*lines[: max(0, height - 1)], more]
        return [fit_line(line, width, self._look) for line in lines[:height]]

    def _flowing(self, keys: Sequence[tuple[str, str]], width: int) -> list[Text]:
        """Lines with as many keys each as fit."""
        words = "   ".join(self._look.text(f"{key} {meaning}").replace(" ", NO_BREAK) for key, meaning in keys)
        lines = textwrap.wrap(words, width, break_on_hyphens=False)
        return [Text(line.replace(NO_BREAK, " ")) for line in lines]

    def _footer(self, width: int) -> Text:
        """Keys, as many as fit; with something to say, that first and the most useful keys at the right."""
        look = self._look
        if not self._notices:
            return self._key_words(self._keys(), width)
        keys = self._key_words(self._keys()[:2], width)
        said = dict.fromkeys((self._alert or self._notices[-1], self._notices[-1]))
        text = "   ".join(map(self._said, said))
        room = width - keys.cell_len - 3
        if room < SMALLEST[0]:
            return fit_line(Text(text, look.style("dim")), width, look)
        line = Text(look.cut(text, room))
        if not line.plain.endswith(look.text("…")):
            more = self._key_words(self._keys(), width - line.cell_len - 3)
            keys = more if more.cell_len > keys.cell_len else keys
        line.append(" " * (width - line.cell_len - keys.cell_len))
        line.append_text(keys)
        line.stylize(look.style("dim"))
        return line

    def _key_words(self, keys: Sequence[tuple[str, str]], width: int) -> Text:
        line = Text(style=self._look.style("dim"))
        for key, meaning in keys if self.has_keyboard else NO_KEYBOARD:
            words = f"{'  ' if line.plain else ''}{self._look.text(key)} {self._look.text(meaning)}"
            if line.cell_len + len(words) > width:
                break
            line.append(words)
        return line
