"""Tables of rows: a set kept by key, or events with the newest first."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from rich.text import Text

from cli import cells
from cli.grid import Column, lay_out
from cli.queues import key_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

MOST_EVENTS = 1_000
MOST_GONE = 20  # rows that left a set and are still shown, marked as gone


class SetView:
    """The rows of a state stream by key, in order of appearance; rows that are gone stay below for a while."""

    def __init__(self, columns: Callable[[Sequence[Any]], list[Column]], empty: str) -> None:
        self._columns = columns
        self._empty = empty
        self._rows: dict[tuple[Any, ...], Any] = {}
        self._gone: deque[Any] = deque(maxlen=MOST_GONE)

    def add(self, record: Any) -> None:
        """Replaces the row with the record's key, or takes it out."""
        if getattr(record, "change", None) == "remove":
            self._rows.pop(key_of(record), None)
            self._gone.appendleft(record)
        else:
            self._rows[key_of(record)] = record

    def start_over(self) -> None:
        """What is known from before may be wrong by now."""
        self._rows.clear()
        self._gone.clear()

    def lines(self, width: int, height: int) -> list[Text]:
        """Newest rows first, then those that are gone."""
        rows = list(reversed(self._rows.values()))
        gone = list(self._gone)
        if not rows and not gone:
            return [Text(self._empty, style="dim")]
        shown, hidden = _that_fit([*rows, *gone], height)
        lines = lay_out(self._columns(shown), width)
        for line in lines[1 + len(rows) :]:
            line.stylize("strike dim")
        return [*lines, *hidden]


class EventView:
    """Events, newest first; an interruption is a line between them."""

    def __init__(self, columns: Callable[[Sequence[Any]], list[Column]], empty: str) -> None:
        self._columns = columns
        self._empty = empty
        self._events: deque[Any] = deque(maxlen=MOST_EVENTS)  # None stands for an interruption

    def add(self, record: Any) -> None:
        """One event."""
        self._events.appendleft(record)

    def start_over(self) -> None:
        """Events may have been missed here."""
        if self._events and self._events[0] is not None:
            self._events.appendleft(None)

    def lines(self, width: int, height: int) -> list[Text]:
        """As many as fit."""
        shown = list(self._events)[: max(0, height - 1)]
        events = [event for event in shown if event is not None]
        if not events:
            return [Text(self._empty, style="dim")]
        head, *rows = lay_out(self._columns(events), width)
        return [head, *_with_gaps(shown, iter(rows))]


def _with_gaps(shown: Sequence[Any], rows: Iterator[Text]) -> list[Text]:
    gap = "── interrupted: events may have been missed ──"
    return [Text(gap, style="yellow") if event is None else next(rows) for event in shown]


def _that_fit(rows: list[Any], height: int) -> tuple[list[Any], list[Text]]:
    room = max(1, height - 1)
    if len(rows) <= room:
        return rows, []
    return rows[: room - 1], [Text(f"… and {len(rows) - room + 1} more", style="dim")]


def text_column(title: str, texts: Sequence[str | None], *, keep: int = 1, styles: Sequence[str] = ()) -> Column:
    """Words from a venue, made harmless; absent ones as a dash."""
    shown = [cells.ABSENT if text is None else cells.harmless(text, 60) for text in texts]
    return Column(title, shown, align="left", keep=keep, styles=list(styles), is_text=True)


def number_column(title: str, numbers: Sequence[Any], *, keep: int = 1, styles: Sequence[str] = ()) -> Column:
    """Decimals with their points below each other."""
    return Column(title, cells.column(numbers), keep=keep, styles=list(styles))


def time_column(title: str, times: Sequence[int | None], *, keep: int = 1, millis: bool = True) -> Column:
    """Times of day."""
    return Column(title, [cells.clock(time, millis=millis) for time in times], keep=keep)


def side_column(sides: Sequence[str | None], *, keep: int = 9) -> Column:
    """Sides as a word, an arrow and a colour."""
    shown = [cells.ABSENT if side is None else f"{ARROWS[side]} {side}" for side in sides]
    return Column("side", shown, align="left", keep=keep, styles=[side_style(side) for side in sides])


ARROWS = {"buy": "▲", "sell": "▼", "long": "▲", "short": "▼"}


def side_style(side: str | None) -> str:
    """Green for buying and long, red for selling and short."""
    return {"buy": "green", "long": "green", "sell": "red", "short": "red"}.get(side or "", "")
