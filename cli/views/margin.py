"""`mon margin`: the margin of the account, a figure a line, and how much of the equity is used as a gauge."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from rich.text import Text

from cli.output import cells
from cli.screen.drawing import bar
from cli.screen.grid import GAP, Column, fit_line, lay_out
from cli.views.rows import CHANGED, MARKED_MS
from venues.toolkit.numbers import EXACT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.screen.look import Look
    from venues.records import Margin

FIGURES = {
    "equity": "equity",
    "balance": "balance",
    "unrealized_pnl": "unrealised PnL",
    "used": "used margin",
    "free": "free margin",
    "level_pct": "margin level",
}
MOST_TELLING = ("level_pct", "equity", "unrealized_pnl", "free", "used", "balance")
HUNDRED = Decimal(100)
TIGHT = Decimal(125)  # percent of margin level: four fifths of the equity are used
GAUGE_FROM, LONGEST_GAUGE = 12, 50  # cells


class MarginView:
    """The latest figures; each record replaces the one before."""

    keys: Sequence[tuple[str, str]] = ()

    def __init__(self, look: Look) -> None:
        self._look = look
        self._margin: Margin | None = None
        self._is_first = True
        self._marked: dict[str, int] = {}

    def add(self, record: Margin) -> None:
        """Take in a record, which replaces the one before, and mark for a moment what became another figure."""
        until = self._look.epoch_ms() + MARKED_MS
        for name in () if self._is_first else FIGURES:
            if getattr(self._margin, name) != getattr(record, name):
                self._marked[name] = until
        self._margin, self._is_first = record, False

    def full(self, count: int) -> None:
        """Do nothing: each record is a full state."""

    def start_over(self) -> None:
        """Take the next record as a first one, of which nothing is marked."""
        self._is_first = True
        self._marked.clear()

    def press(self, key: str) -> bool:
        """False: this view has no keys of its own."""
        return False

    def until(self) -> int | None:
        """When the first mark of a changed figure goes."""
        return min(self._marked.values(), default=None)

    def lines(self, width: int, height: int) -> list[Text]:
        """A line for each figure with its name and currency, then the gauge."""
        margin, look = self._margin, self._look
        if margin is None:
            return [Text("no margin yet", style=look.style("dim"))]
        now = look.epoch_ms()
        self._marked = {name: until for name, until in self._marked.items() if until > now}
        figures = {name: getattr(margin, name) for name in FIGURES}
        figures["level_pct"] = level(margin)
        texts = dict(zip(FIGURES, cells.column(list(figures.values())), strict=True))
        pnl = figures["unrealized_pnl"]
        texts["unrealized_pnl"] = "+" + texts["unrealized_pnl"] if pnl and pnl > 0 else texts["unrealized_pnl"]
        unit = cells.short(margin.currency or "")
        signs = [CHANGED if name in self._marked else " " for name in FIGURES]
        styles = {
            "unrealized_pnl": look.gain(pnl),
            "level_pct": look.style(standing(figures["level_pct"])[0]),
        }
        columns = [
            Column("", signs, align="left", keep=1),
            Column("margin", list(FIGURES.values()), align="left", keep=9),
            Column(
                "",
                _beside_names(list(texts.values()), width),
                keep=3,
                styles=[self._style(name, styles) for name in FIGURES],
            ),
            Column("", ["%" if name == "level_pct" else unit for name in FIGURES], align="left", keep=2),
        ]
        lines = _most_telling(lay_out(columns, width, look), height)
        gauge = self._gauge(margin, width)
        return [*lines, Text(), *gauge] if len(lines) + 1 + len(gauge) <= height else [*lines, *gauge]

    def _style(self, name: str, styles: dict[str, str]) -> str:
        mark = self._look.style("mark") if name in self._marked else ""
        return f"{styles.get(name, '')} {mark}".strip()

    def _gauge(self, margin: Margin, width: int) -> list[Text]:
        """How much of the equity is used as margin: 100 % there is a margin level of 100 %."""
        look, at = self._look, level(margin)
        if at is None:
            return []
        role, words = standing(at)
        share = used_pct(at)
        figure = f" {share} % of equity used"
        room = min(LONGEST_GAUGE, width - len(figure) - 2)
        line = Text(no_wrap=True)
        if room >= GAUGE_FROM:
            filled = bar(1.0 if at <= HUNDRED else float(HUNDRED / at), room, blocks=look.unicode)
            line.append(look.text("│"))
            line.append(filled, look.style(role) or None)
            line.append(look.text("·") * (room - len(filled)), look.style("dim"))
            line.append(look.text("│"))
        line.append(figure if len(figure) + line.cell_len <= width else " #")
        return [line, fit_line(Text(look.text(words), style=look.style(role)), width, look)]


def _beside_names(texts: list[str], width: int) -> list[str]:
    """A figure without its name says nothing: it gives up its place below the others, then it is `#`."""
    room = max(1, width - GAP - max(map(len, FIGURES.values())))
    if max(map(len, texts)) <= room:
        return texts
    return [text if len(text) <= room else "#" * room for text in map(str.strip, texts)]


def _most_telling(lines: list[Text], height: int) -> list[Text]:
    """Where a title and all figures do not fit, as many figures as do, the level before all others."""
    if len(lines) <= height:
        return lines
    told = MOST_TELLING[:height]
    return [line for name, line in zip(FIGURES, lines[1:], strict=True) if name in told]


def level(margin: Margin) -> Decimal | None:
    """The venue's margin level. Equity over a used margin of 0 is no level, whatever the venue writes there."""
    return margin.level_pct if margin.used else None


def used_pct(level_pct: Decimal) -> str:
    """How much of the equity is used, in percent; without any equity, more than all of it."""
    if level_pct <= 0:
        return ">100"
    share = EXACT.divide(HUNDRED * HUNDRED, level_pct)
    return f"{share:.1f}" if share >= Decimal("0.1") else "<0.1"


def standing(level_pct: Decimal | None) -> tuple[str, str]:
    """The role and the words of a level. Where a broker calls for margin or closes positions is its own rule."""
    if level_pct is None:
        return "", ""
    if level_pct < HUNDRED:
        return "bad", "BELOW 100 %: the equity does not cover the used margin"
    if level_pct < TIGHT:
        return "warn", "TIGHT: more than four fifths of the equity are used"
    return "good", "covered: the level is equity / used margin"


def view(look: Look) -> MarginView:
    """The figures of a margin, none of them there yet."""
    return MarginView(look)
