"""Where the panes of a dashboard lie: from the size of the screen to rectangles. Pure.

Columns stand beside each other with a rule between them; in a column panes lie below each other, small
ones that belong together side by side where there is room. Each pane's first line is its heading.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TWO_COLUMNS_FROM = 76
THREE_COLUMNS_FROM = 160
PAIR_FROM = 96  # columns for two small panes side by side
ACCOUNT_BESIDE_FROM = 240  # columns from which two stacks of account tables have enough each
RULE = 3  # columns between two panes: a rule between blanks

FOCUSED = 6  # lines of the pane that has the focus, where not all panes fit

Place = Literal["first", "narrow", "wide", "pair"]


class Shape(NamedTuple):
    """How much room a pane wants, in lines with its heading, and where it lies.

    Below `least` it is of no use, beyond `most` of no more use; the room between is shared by `weight`. The pane of the
    market that comes `first` is at the left in full height; what is `wide` gets the most columns; two that are a `pair`
    lie side by side where there is room. `focused`: its lines while it has the focus, where not all panes fit.
    """

    place: Place
    least: int
    most: int
    weight: int
    focused: int = FOCUSED


class Rect(NamedTuple):
    """Where a pane lies; the heading is its first line."""

    x: int
    y: int
    width: int
    height: int


class _Column(NamedTuple):
    """Slots from top to bottom; what shares a slot lies side by side."""

    x: int
    width: int
    slots: list[tuple[str, ...]]


def arrange(
    shapes: Mapping[str, Shape], width: int, height: int, focus: str, *, zoomed: bool = False
) -> dict[str, Rect]:
    """The panes that are shown and where, the focused one always among them.

    Panes that do not fit are left out, those listed last first. Where all fit the focus changes nothing.
    """
    if zoomed:
        return {focus: Rect(0, 0, width, height)}
    placed: dict[str, Rect] = {}
    for column in _columns(shapes, width):
        y = 0
        for slot, lines in _heights(column.slots, shapes, height, focus):
            placed |= _side_by_side(slot, column, y, lines)
            y += lines
    return placed


def _columns(shapes: Mapping[str, Shape], width: int) -> list[_Column]:
    """Market data left, the account right; what is wide by nature gets the most."""
    panes = list(shapes)
    first = _placed(shapes, "first")
    if width < TWO_COLUMNS_FROM or len(panes) == 1:
        return _split(width, [(1, panes)], shapes)
    if not first:
        if width < ACCOUNT_BESIDE_FROM or len(_placed(shapes, "wide", "pair")) < 3:
            return _split(width, [(1, panes)], shapes)
        half = (len(panes) + 1) // 2
        return _split(width, [(1, panes[:half]), (1, panes[half:])], shapes)
    beside = [pane for pane in panes if pane not in first]
    if width < THREE_COLUMNS_FROM or len(beside) < 3:
        return _split(width, [(42, first), (58, beside)], shapes)
    small, wide = _placed(shapes, "narrow", "pair"), _placed(shapes, "wide")
    if _placed(shapes, "narrow"):
        return _split(width, [(30, first), (27, small), (43, wide)], shapes)
    return _split(width, [(30, first), (43, wide), (27, small)], shapes)


def _placed(shapes: Mapping[str, Shape], *places: Place) -> list[str]:
    return [pane for pane, shape in shapes.items() if shape.place in places]


def _split(width: int, columns: Sequence[tuple[int, list[str]]], shapes: Mapping[str, Shape]) -> list[_Column]:
    columns = [column for column in columns if column[1]]
    room = width - RULE * (len(columns) - 1)
    total = sum(share for share, _ in columns)
    made, x = [], 0
    for index, (share, panes) in enumerate(columns):
        own = room * share // total if index < len(columns) - 1 else width - x
        made.append(_Column(x, own, _slots(panes, shapes, own)))
        x += own + RULE
    return made


def _slots(panes: Sequence[str], shapes: Mapping[str, Shape], width: int) -> list[tuple[str, ...]]:
    pair = tuple(pane for pane in panes if shapes[pane].place == "pair")
    if width < PAIR_FROM or len(pair) != 2:
        return [(pane,) for pane in panes]
    return [*((pane,) for pane in panes if pane not in pair), pair]


def _heights(
    slots: Sequence[tuple[str, ...]], shapes: Mapping[str, Shape], height: int, focus: str
) -> list[tuple[tuple[str, ...], int]]:
    """Each slot that is shown, with its lines; together they fill the column."""
    least = {slot: max(shapes[pane].least for pane in slot) for slot in slots}
    shown = list(slots)
    if sum(least.values()) > height:
        shown = []
        for slot in slots:
            if focus in slot:
                least[slot] = max(least[slot], shapes[focus].focused)
        room = height
        for slot in sorted(slots, key=lambda slot: focus not in slot):
            if least[slot] <= room or not shown:
                shown.append(slot)
                room -= least[slot]
        shown.sort(key=slots.index)
    return _shared(shown, shapes, least, height)


def _shared(
    slots: Sequence[tuple[str, ...]], shapes: Mapping[str, Shape], least: dict[tuple[str, ...], int], height: int
) -> list[tuple[tuple[str, ...], int]]:
    most = {slot: max(shapes[pane].most for pane in slot) for slot in slots}
    weight = {slot: max(shapes[pane].weight for pane in slot) for slot in slots}
    lines = {slot: least[slot] if len(slots) > 1 else height for slot in slots}
    while (left := height - sum(lines.values())) > 0:
        growing = [slot for slot in slots if lines[slot] < most[slot]] or slots[-1:]
        slot = min(growing, key=lambda slot: lines[slot] / weight[slot])
        lines[slot] += left if len(growing) == 1 and lines[slot] >= most[slot] else 1
    return list(lines.items())


def _side_by_side(slot: tuple[str, ...], column: _Column, y: int, height: int) -> dict[str, Rect]:
    if len(slot) == 1:
        return {slot[0]: Rect(column.x, y, column.width, height)}
    left = (column.width - RULE) * 58 // 100
    return {
        slot[0]: Rect(column.x, y, left, height),
        slot[1]: Rect(column.x + left + RULE, y, column.width - left - RULE, height),
    }
