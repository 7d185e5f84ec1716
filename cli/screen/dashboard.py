"""The dashboard on the screen: panes with a heading each, one of which has the keys; drawn like a single table."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any, NamedTuple

from rich.cells import cell_len
from rich.text import Span, Text

from cli.output import cells
from cli.output.symbols import WORST_FIRST
from cli.screen.grid import fit_line
from cli.screen.header import ALWAYS, Part, SteadyFigures, environment_words, figure_parts, fitted
from cli.screen.layout import RULE, Rect, arrange
from cli.screen.table import SMALLEST, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cli.screen.header import Rate
    from cli.screen.layout import Shape
    from cli.screen.look import Look
    from cli.screen.pane import Pane

CALM = ("live", "partial")
AROUND = 2  # lines above and below the panes
REASON_LINES = 3


class Piece(NamedTuple):
    """A part of a line of the screen, from column `x` on."""

    x: int
    text: Text


class Dashboard(Table):
    """A sink that draws panes; what it gets are pairs of a stream's name and its records.

    A pane's body is built only when something of it has changed.
    """

    def __init__(
        self,
        panes: Mapping[str, Pane],
        shapes: Mapping[str, Shape],
        *,
        venue: str,
        env: str | None,
        symbol: str | None,
        look: Look,
        rate: Rate,
        on_terminal: bool,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        """`shapes` says for each pane how much room it wants."""
        self._panes = dict(panes)
        self._order = tuple(panes)
        self._shapes = {stream: shapes[stream] for stream in panes}
        super().__init__(self._panes[self._order[0]], look, on_terminal=on_terminal, wake=wake)
        self._venue, self._env, self._symbol = venue, env, symbol
        self._rate = rate
        self._focus = self._order[0]
        self._zoomed = False
        self._figures = SteadyFigures()
        self._time_frames: dict[str, tuple[Any, ...]] = {}
        for pane in self._panes.values():
            pane.delay_ms = self._delay_ms
        self._forget_bodies()

    # --- from the event loop

    def confirm(self, stream: str) -> None:
        """Note that what a pane shows came again, unchanged."""
        self._panes[stream].confirm()

    def set_offset(self, stream: str, ms: int) -> None:
        """Set how far the venue's clock is ahead of ours, for one pane."""
        self._panes[stream].set_offset(ms)

    # --- in the output thread

    def write(self, records: Sequence[Any]) -> None:
        """Fold the records of each stream into its pane."""
        for stream, of_stream in records:
            self._panes[stream].write(of_stream)
            self._changed.add(stream)

    def frame(self, width: int, height: int) -> list[Text]:
        """The whole screen: `height` lines at most, none wider than `width`."""
        if width < SMALLEST[0] or height < SMALLEST[1]:
            return super().frame(width, height)
        if self._helping:
            help_lines = self._help(width, height - AROUND - 1)
            space = [Text() for _ in range(height - AROUND - 1 - len(help_lines))]
            return [self._top_line(width, 0), Text(), *help_lines, *space, self._footer(width)]
        placed = arrange(self._shapes, width, height - AROUND, self._focus, zoomed=self._zoomed)
        hidden = len(self._order) - len(placed)
        drawn = self._pane_lines(placed, height - AROUND)  # first, since the top line names the zone of their times
        return [self._top_line(width, hidden), *drawn, self._footer(width)]

    def last(self, width: int, height: int) -> list[Text]:
        """What stays on the normal screen: every pane, with its state."""
        for pane in self._panes.values():
            pane.thaw()
        width = max(width, SMALLEST[0])
        placed = arrange(self._shapes, width, height, self._focus)
        while len(placed) < len(self._order):
            height += 1
            placed = arrange(self._shapes, width, height, self._focus)
        self._forget_bodies()
        drawn = self._pane_lines(placed, height, ended=True)
        return [self._top_line(width, 0, ended=True), *drawn]

    # --- the top line

    def _top_line(self, width: int, hidden: int, *, ended: bool = False) -> Text:
        look = self._look
        look.offsets.seen = set().union(*(self._panes[stream].offsets for stream in self._placed))
        env, short_env = environment_words(self._env, look)
        state, word = self._overall(ended=ended)
        parts = [
            Part(8, Text(look.text(cells.harmless(self._venue, 12)), look.style("title"))),
            Part(ALWAYS, env, short_env, gap=1),
            Part(ALWAYS, state, word, gap=1),
        ]
        if self._symbol is not None:
            parts.append(Part(7, Text(look.text(cells.harmless(self._symbol, 40)))))
        if hidden:
            words = f"{hidden} more {'pane' if hidden == 1 else 'panes'}: Tab"
            parts.append(Part(9, Text(words, look.style("warn")), Text(f"+{hidden}: Tab", look.style("warn"))))
        skew = next(filter(None, (pane.skew_words() for pane in self._panes.values())), "")
        parts += figure_parts("", skew, look) if ended else self._figures.parts(self._rate, self._latency, look)
        return fit_line(fitted([part for part in parts if part.text.plain], width), width, look)

    def _overall(self, *, ended: bool = False) -> tuple[Text, Text]:
        """What is not live and which panes that is, in short the worst of it; hidden panes count like the others."""
        look = self._look
        having: dict[str, list[str]] = {}
        for stream, pane in self._panes.items():
            having.setdefault(pane.state, []).append(stream)
        states = sorted(having, key=WORST_FIRST.index)
        worst = states[0]
        full = short = Text(worst.upper(), look.style(worst))
        if len(states) > 1:
            told = [state for state in states if state == worst or state not in CALM]
            full = Text("  ").join(
                Text(f"{state.upper()}: {', '.join(having[state])}", look.style(state)) for state in told
            )
        if ended:
            at = Text(f"ended {look.clock(look.epoch_ms(), millis=False)}", look.style("title"))
            return (at, at) if worst == "live" else (Text("  ").join([full, at]), at if worst in CALM else short)
        if not self._pane.is_frozen:
            return full, short
        frozen = Text("FROZEN", look.style("frozen"))
        if worst == "live":
            return frozen, frozen
        return Text(" ").join([frozen, full]), Text(" ").join([frozen, short])

    def _latency(self) -> str:
        """How far the clocks differ, where they do; otherwise the latency."""
        words = [words for pane in self._panes.values() if (words := pane.latency_words()) is not None]
        return min(words, key=lambda words: not words.startswith("clock"), default="")

    # --- panes

    def _forget_bodies(self) -> None:
        self._changed = set(self._order)
        self._headings: dict[str, Text] = {}
        self._bodies: dict[str, list[Text]] = {}
        self._placed: dict[str, Rect] = {}
        self._lines: list[Text] = []

    def _pane_lines(self, placed: dict[str, Rect], height: int, *, ended: bool = False) -> list[Text]:
        """All panes beside and below each other; lines of which nothing has changed are those of the frame before."""
        again = placed != self._placed or len(self._lines) != height
        if again:
            self._placed, self._bodies = placed, {}
            self._lines = [Text() for _ in range(height)]
        touched: set[int] = set(range(height)) if again else set()
        for stream, rect in placed.items():
            if self._rebuilt(stream, rect):
                touched.update(range(rect.y + 1, rect.y + rect.height))
            heading = self._heading(stream, rect.width, ended=ended)
            if _other(heading, self._headings.get(stream)):
                self._headings[stream] = heading
                touched.add(rect.y)
        for row in touched:
            self._lines[row] = self._line(row)
        return list(self._lines)

    def _rebuilt(self, stream: str, rect: Rect) -> bool:
        """Build the body of a pane anew if it may be another now; whether that was done."""
        pane = self._panes[stream]
        until = None if pane.is_frozen else pane.view.until()
        due = until is not None and until <= self._look.epoch_ms()
        if (time_frame := pane.time_frame) != self._time_frames.get(stream):
            self._time_frames[stream], due = time_frame, True
        if stream in self._bodies and stream not in self._changed and not due:
            return False
        self._changed.discard(stream)
        self._bodies[stream] = self._body_of(pane, rect)
        return True

    def _body_of(self, pane: Pane, rect: Rect) -> list[Text]:
        """The lines below the heading: why the stream has ended, then the view."""
        look, room = self._look, rect.height - 1
        why: list[Text] = []
        if pane.closed_because is not None:
            words = look.text(cells.harmless(pane.closed_because))
            lines = textwrap.wrap(words, rect.width, max_lines=REASON_LINES, placeholder=look.text(" …"))
            why = [fit_line(Text(line, look.style("bad")), rect.width, look) for line in lines][:room]
        return [*why, *(pane.body(rect.width, room - len(why)) if room > len(why) else [])]

    def _heading(self, stream: str, width: int, *, ended: bool) -> Text:
        """Number, stream, state and age on a rule; a sign and weight mark the pane that has the keys."""
        look = self._look
        focused = stream == self._focus and not ended
        sign = "▶" if focused else "─"
        style = look.style("title" if focused else "dim")
        line = Text(look.same_width(f"{sign}{self._order.index(stream) + 1} "), style, no_wrap=True)
        words = self._panes[stream].heading(width - line.cell_len - 1, ended=ended)
        line = Text("", no_wrap=True).append_text(line).append_text(words).append(" ")
        rule = look.same_width("━" if focused else "─")
        line.append(rule * (width - line.cell_len), style or None)
        return line

    def _line(self, row: int) -> Text:
        pieces = []
        for stream, rect in self._placed.items():
            if not rect.y <= row < rect.y + rect.height:
                continue
            if rect.x:
                rule = Text(self._look.same_width("│"), self._look.style("dim"))
                pieces.append(Piece(rect.x - RULE + 1, rule))
            body, at = self._bodies[stream], row - rect.y - 1
            if at < 0:
                pieces.append(Piece(rect.x, self._headings[stream]))
            elif at < len(body):
                pieces.append(Piece(rect.x, body[at]))
        return joined(sorted(pieces, key=lambda piece: piece.x))

    # --- keys

    def _on_key(self, key: str) -> None:
        pane = self._pane
        if self._helping or key in ("?", "redraw"):
            super()._on_key(key)
        elif key == "space":
            self._freeze_all(not pane.is_frozen)
        elif key in ("tab", "shift-tab"):
            at = self._order.index(self._focus) + (1 if key == "tab" else -1)
            self._move_focus(self._order[at % len(self._order)])
        elif key.isascii() and key.isdigit() and 0 < int(key) <= len(self._order):
            self._move_focus(self._order[int(key) - 1])
        elif key in ("z", "enter"):
            self._zoomed = not self._zoomed
        elif pane.view.press(key):
            self._changed.add(self._focus)
        elif key == "esc":
            self._zoomed = False

    def _move_focus(self, stream: str) -> None:
        self._focus, self._pane = stream, self._panes[stream]

    def _freeze_all(self, frozen: bool) -> None:
        for pane in self._panes.values():
            if frozen:
                pane.freeze()
            else:
                pane.thaw()
        self._changed.update(self._order)

    def _keys(self) -> list[tuple[str, str]]:
        quit_and_help, others = super()._keys()[:2], super()._keys()[2:]
        zoom = ("z", "all panes" if self._zoomed else "zoom")
        return [*quit_and_help, ("Tab", "next pane"), zoom, *others, (f"1-{len(self._order)}", "pane")]


def joined(pieces: Sequence[Piece]) -> Text:
    """One line from parts that do not overlap, in order; blanks between them."""
    plain: list[str] = []
    spans: list[Span] = []
    length = width = 0
    for x, text in pieces:
        if x > width:
            plain.append(" " * (x - width))
            length, width = length + x - width, x
        words = text.plain
        if text.style:
            spans.append(Span(length, length + len(words), text.style))
        spans += [Span(start + length, end + length, style) for start, end, style in text.spans]
        plain.append(words)
        length, width = length + len(words), width + cell_len(words)
    return Text("".join(plain), no_wrap=True, spans=spans)


def _other(one: Text, other: Text | None) -> bool:
    return other is None or one.plain != other.plain or one.spans != other.spans or one.style != other.style
