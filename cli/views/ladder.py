"""Levels of a book as columns of text that fit a width: one block for a ladder, two for bids and asks side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rich.cells import cell_len
from rich.text import Span, Text

from cli.output import cells
from cli.screen import drawing as bars
from cli.screen.steady import SteadyColumn

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from cli.screen.look import Look
    from cli.views.grouping import Row

GAP = 2
LEAST_BAR = 6
LEAVING = ("orders", "cumulative", "side", "size")  # the order in which columns are left out; the bar goes first


class Shown(NamedTuple):
    """One level to be shown, on its side; `changed` a moment ago, or under the cursor."""

    row: Row
    side: str
    changed: bool = False
    under_cursor: bool = False


class Titles(NamedTuple):
    """The titles of the columns, units included."""

    price: str
    size: str


class Block:
    """Draws one block of levels; keeps its columns steady from one drawing to the next."""

    def __init__(self, look: Look, *, mirrored: bool = False, with_side: bool = True) -> None:
        """`mirrored`: the price comes last and the bars grow to the left."""
        self._look = look
        self._mirrored = mirrored
        self._with_side = with_side
        self._price, self._size, self._total, self._orders = (SteadyColumn() for _ in range(4))

    def forget(self) -> None:
        """Start anew with the widths of the columns: the levels to come have other figures."""
        for column in (self._price, self._size, self._total, self._orders):
            column.forget()

    def cells(self, levels: Sequence[Shown], titles: Titles, width: int, now: int) -> dict[str, list[str]]:
        """Column → its title and a cell a level, all of one width; only columns that fit together."""
        steady = self._columns(levels, titles, now)
        if _needed(steady) <= width:
            return steady
        columns = Block(self._look, with_side=self._with_side)._columns(levels, titles, now)
        for name in LEAVING:
            if _needed(columns) <= width:
                break
            if name == "size":
                columns = {name: _unaligned(texts) for name, texts in columns.items()}
            if _needed(columns) > width:
                columns.pop(name, None)
        if _needed(columns) > width:
            title, *prices = columns["price"]
            columns["price"] = [self._look.cut(title.strip(), width).rjust(width), *_fitting(prices, width)]
        return columns

    def lines(
        self, columns: dict[str, list[str]], levels: Sequence[Shown], width: int, bar_width: int, scale: Decimal
    ) -> list[Text]:
        """A title line, then one line a level, of exactly `width` cells; `scale` is what a full bar stands for."""
        names = list(columns)
        lines = [self._title(columns, names, bar_width, scale, width)]
        for at, level in enumerate(levels, start=1):
            lines.append(self._line({name: columns[name][at] for name in names}, level, bar_width, scale, width))
        return lines

    def blank(self, width: int) -> Text:
        """An empty line, for a row without a level."""
        return Text(" " * width, no_wrap=True)

    def _columns(self, levels: Sequence[Shown], titles: Titles, now: int) -> dict[str, list[str]]:
        look, rows = self._look, [level.row for level in levels]
        least = [look.text("" if row.whole else "≥") for row in rows]
        sizes = [before + cells.number(row.size) for before, row in zip(least, rows, strict=True)]
        totals = [before + cells.number(row.total) for before, row in zip(least, rows, strict=True)]
        columns = {}
        if self._with_side:
            columns["side"] = ["    ", *(f"{level.side:4}" for level in levels)]
        columns["price"] = _titled(titles.price, self._price, [cells.number(row.price) for row in rows], now)
        mark = look.text("•")
        marks = [" ", *(mark if level.changed else " " for level in levels)]
        columns["size"] = [
            text + after for text, after in zip(_titled(titles.size, self._size, sizes, now), marks, strict=True)
        ]
        columns["cumulative"] = _titled("cumulative", self._total, totals, now)
        if any(row.orders is not None for row in rows):
            absent = look.text(cells.ABSENT)
            counts = [
                absent if row.orders is None else f"{before}{row.orders}"
                for before, row in zip(least, rows, strict=True)
            ]
            columns["orders"] = _titled("orders", self._orders, counts, now)
        return columns

    def _title(
        self, columns: dict[str, list[str]], names: Sequence[str], bar_width: int, scale: Decimal, width: int
    ) -> Text:
        end = cells.number(scale)
        axis = ""
        if bar_width > len(end) + 2 and scale:
            axis = end + "0".rjust(bar_width - len(end)) if self._mirrored else "0" + end.rjust(bar_width - 1)
        return self._joined([(columns[name][0], "title") for name in names], [(axis, "dim")], bar_width, width)

    def _line(self, texts: dict[str, str], level: Shown, bar_width: int, scale: Decimal, width: int) -> Text:
        side = self._look.style(level.side)
        styles = {"side": side, "price": side, "size": self._look.style("mark") if level.changed else "",
                  "cumulative": self._look.style("dim"), "orders": self._look.style("dim")}  # fmt: skip
        bar = self._bar(level.row, bar_width, scale, side) if bar_width else []
        line = self._joined([(text, styles[name]) for name, text in texts.items()], bar, bar_width, width, roles=False)
        if level.under_cursor:
            line.stylize(self._look.style("cursor"))
        return line

    def _bar(self, row: Row, width: int, scale: Decimal, side: str) -> list[tuple[str, str]]:
        """The level's own size as solid blocks, what lies before it as shade: together the cumulative depth."""
        blocks = self._look.unicode
        own = bars.part(row.size, scale)
        all_of_it = round(bars.part(row.total, scale) * width)
        solid = (bars.bar_to_left if self._mirrored else bars.bar)(own, width, blocks=blocks)
        shade = ("░" if blocks else ".") * max(0, all_of_it - len(solid))
        dim = f"{side} dim".strip()
        return [(shade, dim), (solid, side)] if self._mirrored else [(solid, side), (shade, dim)]

    def _joined(
        self,
        columns: list[tuple[str, str]],
        bar: list[tuple[str, str]],
        bar_width: int,
        width: int,
        *,
        roles: bool = True,
    ) -> Text:
        """Columns, a gap and the bar; mirrored the other way round. Padded to the width."""
        pad = bar_width - sum(len(text) for text, _ in bar)
        parts: list[tuple[str, str]] = []
        if self._mirrored:
            columns = columns[::-1]
            parts.append((" " * (width - _joined_length(columns) - (GAP + bar_width if bar_width else 0)), ""))
            if bar_width:
                parts += [(" " * pad, ""), *bar, (" " * GAP, "")]
        for at, column in enumerate(columns):
            parts += [(" " * GAP, ""), column] if at else [column]
        if bar_width and not self._mirrored:
            parts += [(" " * GAP, ""), *bar]
        return _text(parts, width, self._look if roles else None)


def bar_room(columns: dict[str, list[str]], width: int) -> int:
    """How long a bar may be beside the columns; 0 where there is too little room for one."""
    room = width - _needed(columns) - GAP
    return room if room >= LEAST_BAR else 0


def _text(parts: Sequence[tuple[str, str]], width: int, look: Look | None) -> Text:
    spans, at, texts = [], 0, []
    for text, style in parts:
        if text:
            end = at + len(text)
            if style:
                spans.append(Span(at, end, look.style(style) if look is not None else style))
            texts.append(text)
            at = end
    plain = "".join(texts)
    return Text(plain + " " * (width - cell_len(plain)), no_wrap=True, spans=spans)


def _titled(title: str, column: SteadyColumn, texts: list[str], now: int) -> list[str]:
    aligned = column.aligned(texts, now, title=title)
    width = cell_len(aligned[0]) if aligned else cell_len(title)
    return [" " * (width - cell_len(title)) + title, *aligned]


def _unaligned(texts: list[str]) -> list[str]:
    """Where points below each other would need more than the numbers do."""
    stripped = [text.strip() for text in texts]
    width = max(map(cell_len, stripped))
    return [" " * (width - cell_len(text)) + text for text in stripped]


def _fitting(numbers: Sequence[str], width: int) -> list[str]:
    """A number that does not fit is shown as `#`, never as another number."""
    return [text.strip().rjust(width) if len(text.strip()) <= width else "#" * width for text in numbers]


def _needed(columns: dict[str, list[str]]) -> int:
    return sum(cell_len(texts[0]) for texts in columns.values()) + GAP * (len(columns) - 1)


def _joined_length(columns: Sequence[tuple[str, str]]) -> int:
    return sum(cell_len(text) for text, _ in columns) + GAP * (len(columns) - 1)
