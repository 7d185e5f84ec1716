"""Columns of text that fit a width without ever cutting a digit.

Columns are left out in a declared order when the width is too small, but never all that have figures: names alone would
look like a table without any. What still does not fit is shown as `#`, never as a shorter number.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from rich.cells import cell_len
from rich.text import Text

from cli.output.cells import ABSENT
from cli.screen.look import Look

if TYPE_CHECKING:
    from collections.abc import Callable

GAP = 2
SHORT_TEXT = 8  # cells to which an id shrinks, and any text where else no figure would fit
PLAIN = Look()


@dataclass
class Column:
    """One column. `keep`: columns with the lowest value are left out first; `styles` is parallel to `cells`."""

    title: str
    cells: list[str]
    align: Literal["left", "right"] = "right"
    keep: int = 1
    styles: list[str] = field(default_factory=list)
    is_text: bool = False  # may be cut with an ellipsis, to `shortest` cells
    shortest: int = 12
    is_id: bool = False  # a text that gives up cells before the others, in its middle, since many begin alike
    is_figure: bool = False  # what the row is about, as prices and sizes are and times are not
    name: str = ""  # the name of a column that rows can be sorted by
    key: Callable[[Any], Any] | None = None  # gives the value of a row that the column is sorted by
    descending: bool = False
    ages: bool = False  # it shows ages, which go on when nothing happens
    least: int = 0  # cells that it takes at least, so that it does not jump

    def width(self) -> int:
        """How many terminal cells the widest text of the column takes, its title included."""
        return max([self.least, cell_len(self.title), *map(cell_len, self.cells)])


def lay_out(columns: list[Column], width: int, look: Look = PLAIN) -> list[Text]:
    """A title line and one line a row, none wider than `width`."""
    columns = _fitting([_readable(column, look) for column in columns], width, look)
    widths = _shrunk([column.width() for column in columns], columns, width)
    count = max((len(column.cells) for column in columns), default=0)
    title = look.style("title")
    titles = [_aligned(look.cut(c.title, w), w, c) for c, w in zip(columns, widths, strict=True)]
    lines = [_line(titles, [title] * 99)]
    for row in range(count):
        cells = [_aligned(_cut(c.cells[row], w, c, look), w, c) for c, w in zip(columns, widths, strict=True)]
        styles = [c.styles[row] if row < len(c.styles) else "" for c in columns]
        lines.append(_line(cells, styles))
    return lines


def fit_line(line: Text, width: int, look: Look = PLAIN) -> Text:
    """A line of words, cut at the edge of the screen."""
    line.no_wrap = True
    plain = look.same_width(line.plain)
    if plain != line.plain:
        line.plain = plain
    if line.cell_len > width:
        cut = look.cut(line.plain, max(width, 0))
        line.truncate(max(width, 0), overflow="crop")
        line.plain = cut
    return line


def _readable(column: Column, look: Look) -> Column:
    """The column in characters that this terminal has."""
    if look.unicode:
        return column
    return replace(column, title=look.text(column.title), cells=[look.text(cell) for cell in column.cells])


def _fitting(columns: list[Column], width: int, look: Look) -> list[Column]:
    kept = _without_least(columns, width)
    figures = [column for column in columns if column.is_figure and {cell.strip() for cell in column.cells} != {ABSENT}]
    if len(kept) == len(columns) or not figures or any(column in figures for column in kept):
        return kept
    columns = [replace(column, shortest=SHORT_TEXT) if column.is_text else column for column in columns]
    main = max(figures, key=lambda column: column.keep)
    at = columns.index(main)
    before = [c for index, c in enumerate(columns) if c.keep > main.keep or (c.keep == main.keep and index < at)]
    room = max(1, width - _needed([*map(_least, before), 0]))
    return _without_least([*columns[:at], _narrowed(main, room, look), *columns[at + 1 :]], width)


def _narrowed(column: Column, room: int, look: Look) -> Column:
    """In so many cells at most: what does not fit as it is is `#`, also where a shorter one does below it."""
    cells = [cell.strip() for cell in column.cells]
    title = look.cut(column.title, room)
    widest = max(cell_len(text) for text in (title, *cells) if cell_len(text) <= room)
    return replace(
        column, title=title, cells=[cell if len(cell) <= widest else "#" * widest for cell in cells], least=0
    )


def _without_least(columns: list[Column], width: int) -> list[Column]:
    kept = list(columns)
    while len(kept) > 1 and _needed([_least(column) for column in kept]) > width:
        least = min(column.keep for column in kept)
        last = max(index for index, column in enumerate(kept) if column.keep == least)
        del kept[last]
    return kept


def _least(column: Column) -> int:
    """The width below which the column is left out: a text may shrink to `shortest` before that."""
    return min(column.width(), column.shortest) if column.is_text else column.width()


def _shrunk(widths: list[int], columns: list[Column], width: int) -> list[int]:
    excess = _needed(widths) - width
    for index in sorted(range(len(widths)), key=lambda at: (not columns[at].is_id, -widths[at])):
        if excess <= 0:
            break
        if columns[index].is_text or len(columns) == 1:
            shorter = max(1, widths[index] - excess, _least(columns[index]) if len(columns) > 1 else 1)
            excess -= widths[index] - shorter
            widths[index] = shorter
    return widths


def _needed(widths: list[int]) -> int:
    return sum(widths) + GAP * max(0, len(widths) - 1)


def _cut(text: str, width: int, column: Column, look: Look) -> str:
    if cell_len(text) <= width:
        return text
    if not column.is_text:
        return "#" * width
    return look.cut_middle(text, width) if column.is_id else look.cut(text, width)


def _aligned(text: str, width: int, column: Column) -> str:
    padding = " " * (width - cell_len(text))
    return text + padding if column.align == "left" else padding + text


def _line(cells: list[str], styles: list[str]) -> Text:
    line = Text(no_wrap=True)
    for index, (cell, style) in enumerate(zip(cells, styles, strict=False)):
        if index:
            line.append(" " * GAP)
        line.append(cell, style or None)
    return line
