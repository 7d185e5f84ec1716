"""The live table: one frame for all streams around a view; drawn by the output thread, at most ten times a second."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from cli import cells, config
from cli.grid import fit_line
from cli.keys import in_foreground
from cli.output import STDOUT
from venues.records import Record, SnapshotEnd, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cli.look import View
    from venues.redaction import Redactor
    from venues.streams import Stream

DRAW_EVERY = 0.1
RATE_OVER = 5.0  # seconds over which messages a second are counted
SMALLEST = (24, 6)
LONGEST_ENV = 24  # cells of an address set by hand

STATE_STYLE = {
    "connecting": "yellow",
    "syncing": "yellow",
    "live": "bold green",
    "stale": "bold black on yellow",
    "reconnecting": "bold white on red",
    "closed": "bold white on red",
}


@dataclass(frozen=True)
class Title:
    """What the header says that does not change."""

    venue: str
    env: str | None
    symbols: Sequence[str]
    stream: Stream
    partial: bool


class Rate:
    """Messages a second over the last seconds; counted by the event loop, read by the output thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.total = 0
        self._clock = clock
        self._marks: list[tuple[float, int]] = [(clock(), 0)]

    def per_second(self) -> float:
        """The rate, also while fewer seconds have passed."""
        now = self._clock()
        if now - self._marks[-1][0] >= 0.5:
            self._marks.append((now, self.total))
        while len(self._marks) > 2 and now - self._marks[1][0] >= RATE_OVER:
            del self._marks[0]
        since, count = self._marks[0]
        return (self.total - count) / max(now - since, 0.5)


class Table:
    """A sink that draws. `notice` may be called from the event loop."""

    def __init__(
        self,
        view: View,
        title: Title,
        rate: Rate,
        *,
        on_terminal: bool,
        epoch_ms: Callable[[], int],
        keys: str,
        redactor: Redactor,
    ) -> None:
        self._view = view
        self._title = title
        self._rate = rate
        self._epoch_ms = epoch_ms
        self._keys = keys
        self._redactor = redactor
        wanted = config.color_wanted()
        self._console = Console(
            no_color=True if wanted is False else None,
            force_terminal=True if wanted else None,
            highlight=False,
            markup=False,
            emoji=False,
            width=config.forced_columns(),
        )
        self._live: Live | None = None
        self._drawing = threading.Lock()  # the output thread draws, the event loop restores
        self._on_terminal = on_terminal
        self._status: Status | None = None
        self._interrupted = False
        self._since: int | None = None
        self._latest: int | None = None
        self._notice = ""
        self._dirty = True
        self._drawn: Any = None
        self._next_draw = 0.0

    def notice(self, text: str) -> None:
        """Words for the footer."""
        self._notice = text
        self._dirty = True

    def confirm(self, epoch_ms: int) -> None:
        """What is shown came again, unchanged. May be called from the event loop."""
        if self._latest is not None:
            self._latest = max(self._latest, epoch_ms)

    def write(self, records: Sequence[Any]) -> None:
        """Fold records into the view."""
        for record in map(self._redactor.value, records):
            if isinstance(record, Status):
                self._on_status(record)
            elif isinstance(record, SnapshotEnd):
                self._view.full(record.count)
                self._latest = record.received
            else:
                self._view.add(record)
                self._latest = record.received
        self._dirty = True

    def idle(self) -> None:
        """Draw when something has changed, the age and the screen's size included."""
        now = time.monotonic()
        if not self._on_terminal or now < self._next_draw or not in_foreground(STDOUT):
            return
        size = self._console.size
        changing = (size, self._header(size.width).plain)
        if not self._dirty and changing == self._drawn:
            return
        self._dirty, self._drawn = False, changing
        with self._drawing:
            if self._live is None:
                self._live = Live(console=self._console, screen=True, auto_refresh=False, vertical_overflow="crop")
                self._live.start()
            self._live.update(Group(*self.frame(size.width, size.height)), refresh=True)
        self._next_draw = time.monotonic() + DRAW_EVERY

    def close(self) -> None:
        """Back to the normal screen, where the last table stays; it does not look live there."""
        self.restore()
        width = self._console.width
        for line in (self._header(width, ended=True), Text(), *self._body(width, 1_000)):
            line.rstrip()
            self._console.print(line, no_wrap=True, overflow="crop", crop=True, soft_wrap=False)

    def restore(self) -> None:
        """The terminal as it was; for every way out, and before a stop. The next draw takes it again."""
        with self._drawing:
            if self._live is not None:
                self._live.stop()
                self._live = None
            self._dirty = True

    def _on_status(self, status: Status) -> None:
        self._status = status
        if status.state in ("stale", "reconnecting"):
            self._interrupted = True
        if status.state == "live":
            if self._since is None or self._interrupted:
                self._since = status.received
            if self._interrupted:
                self._view.start_over()
                self._interrupted = False

    def frame(self, width: int, height: int) -> list[Text]:
        """The whole screen: `height` lines at most, none wider than `width`."""
        if width < SMALLEST[0] or height < SMALLEST[1]:
            return [fit_line(Text(f"mon needs {SMALLEST[0]}×{SMALLEST[1]}, this is {width}×{height}"), width)]
        body = self._body(width, height - 3)
        space = [Text() for _ in range(height - 3 - len(body))]
        return [self._header(width), Text(), *body, *space, self._footer(width)]

    def _body(self, width: int, height: int) -> list[Text]:
        body = [fit_line(line, width) for line in self._view.lines(width, height)[:height]]
        if self._status is None or self._status.state != "live":
            for line in body:
                line.stylize("dim")
        return body

    def _header(self, width: int, *, ended: bool = False) -> Text:
        """State and environment come first, so that they are there on the narrowest screen."""
        title = self._title
        line = Text(cells.harmless(title.venue, 12), style="bold")
        line.append(" ")
        line.append_text(self._state(ended=ended))
        if title.env is not None:
            word = title.env.upper() if title.env in ("sim", "replay") else cells.harmless(title.env, LONGEST_ENV)
            line.append(" ")
            line.append(f" {word} ", "bold black on magenta")
        rest = [cells.harmless(symbol, 40) for symbol in title.symbols]
        if not ended and self._latest is not None:
            rest.append(f"age {cells.duration(self._epoch_ms() - self._latest)}")
        rest.append(title.stream.name)
        if not ended:
            rest.append(f"{self._rate.per_second():.1f} msg/s")
        for part in rest:  # whole or not at all: half an age would be another age
            if cell_len(line.plain) + 2 + cell_len(part) <= width:
                line.append(f"  {part}")
        return fit_line(line, width)

    def _state(self, *, ended: bool = False) -> Text:
        state = "connecting" if self._status is None else self._status.state
        word, style = state.upper(), STATE_STYLE[state]
        if state == "live" and self._title.partial:
            word = f"PARTIAL since {cells.clock(self._since, millis=False)}"
        if ended:
            at = f"as of {cells.clock(self._latest, millis=False)}" if self._latest is not None else "no data"
            return Text(at if state == "live" else f"{word}, {at}", "bold" if state == "live" else style)
        return Text(word, style)

    def _footer(self, width: int) -> Text:
        words = f"{cells.harmless(self._notice)}   {self._keys}" if self._notice else self._keys
        return fit_line(Text(words, style="dim"), width)


def values(records: Sequence[Record], name: str) -> list[Any]:
    """One field of many records, for a column."""
    return [getattr(record, name) for record in records]
