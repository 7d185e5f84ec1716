"""Where the panes of a dashboard lie: from the size of the screen to rectangles. Pure.

Columns stand beside each other with a rule between them; in a column panes lie below each other, small
ones that belong together side by side where there is room. Each pane's first line is its heading.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

TWO_COLUMNS_FROM = 76
THREE_COLUMNS_FROM = 160
PAIR_FROM = 96  # columns for two small panes side by side
ACCOUNT_BESIDE_FROM = 240  # columns from which two stacks of account tables have enough each
RULE = 3  # columns between two panes: a rule between blanks

# Lines with the heading: below the first no use, beyond the last no more use; the room between is shared by weight.
HEIGHTS = {
    "book": (6, 1_000, 4),
    "trades": (4, 1_000, 3),
    "orders": (4, 1_000, 3),
    "positions": (4, 1_000, 3),
    "balance": (4, 1_000, 2),
    "margin": (4, 12, 3),
}
FOCUSED = {"book": 8}  # lines of the pane that has the focus, where not all panes fit
FOCUSED_OTHER = 6

_PAIR = ("balance", "margin")


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


def arrange(streams: Sequence[str], width: int, height: int, focus: str, *, zoomed: bool = False) -> dict[str, Rect]:
    """The panes that are shown and where, the focused one always among them.

    Panes that do not fit are left out, those listed last first. Where all fit the focus changes nothing.
    """
    if zoomed:
        return {focus: Rect(0, 0, width, height)}
    placed: dict[str, Rect] = {}
    for column in _columns(streams, width):
        y = 0
        for slot, lines in _heights(column.slots, height, focus):
            placed |= _side_by_side(slot, column, y, lines)
            y += lines
    return placed


def _columns(streams: Sequence[str], width: int) -> list[_Column]:
    """Market data left, the account right; what is wide by nature gets the most."""
    market = [stream for stream in streams if stream in ("book", "trades")]
    account = [stream for stream in streams if stream not in market]
    if width < TWO_COLUMNS_FROM or len(streams) == 1:
        return _split(width, [(1, list(streams))])
    if "book" not in market or not (account or "trades" in market):
        if width < ACCOUNT_BESIDE_FROM or len(account) < 3:
            return _split(width, [(1, list(streams))])
        half = (len(streams) + 1) // 2
        return _split(width, [(1, list(streams[:half])), (1, list(streams[half:]))])
    beside = [stream for stream in streams if stream != "book"]
    if width < THREE_COLUMNS_FROM or len(beside) < 3:
        return _split(width, [(42, ["book"]), (58, beside)])
    small = [stream for stream in beside if stream in ("trades", *_PAIR)]
    wide = [stream for stream in beside if stream not in small]
    if "trades" in market:
        return _split(width, [(30, ["book"]), (27, small), (43, wide)])
    return _split(width, [(30, ["book"]), (43, wide), (27, small)])


def _split(width: int, columns: Sequence[tuple[int, list[str]]]) -> list[_Column]:
    columns = [column for column in columns if column[1]]
    room = width - RULE * (len(columns) - 1)
    total = sum(share for share, _ in columns)
    made, x = [], 0
    for index, (share, streams) in enumerate(columns):
        own = room * share // total if index < len(columns) - 1 else width - x
        made.append(_Column(x, own, _slots(streams, own)))
        x += own + RULE
    return made


def _slots(streams: Sequence[str], width: int) -> list[tuple[str, ...]]:
    if width < PAIR_FROM or not all(stream in streams for stream in _PAIR):
        return [(stream,) for stream in streams]
    return [*((stream,) for stream in streams if stream not in _PAIR), _PAIR]


def _heights(slots: Sequence[tuple[str, ...]], height: int, focus: str) -> list[tuple[tuple[str, ...], int]]:
    """Each slot that is shown, with its lines; together they fill the column."""
    least = {slot: max(HEIGHTS[stream][0] for stream in slot) for slot in slots}
    shown = list(slots)
    if sum(least.values()) > height:
        shown = []
        for slot in slots:
            if focus in slot:
                least[slot] = max(least[slot], FOCUSED.get(focus, FOCUSED_OTHER))
        room = height
        for slot in sorted(slots, key=lambda slot: focus not in slot):
            if least[slot] <= room or not shown:
                shown.append(slot)
                room -= least[slot]
        shown.sort(key=slots.index)
    return _shared(shown, least, height)


def _shared(
    slots: Sequence[tuple[str, ...]], least: dict[tuple[str, ...], int], height: int
) -> list[tuple[tuple[str, ...], int]]:
    most = {slot: max(HEIGHTS[stream][1] for stream in slot) for slot in slots}
    weight = {slot: max(HEIGHTS[stream][2] for stream in slot) for slot in slots}
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
