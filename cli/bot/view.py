"""What a bot emits, as a table: signals and messages, newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cli.output import cells
from cli.output.payload import line_of
from cli.views.feed import words_column
from cli.views.rows import EventView, side_column, text_column, time_column, values
from venues.records import Message, Signal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from rich.text import Text

    from cli.screen.grid import Column
    from cli.screen.look import Look

_FIGURES = ("size", "mid", "bid", "ask", "quote")


class BotView(EventView):
    """The table of what a bot emits. It knows the width, so that a text is cut between two words."""

    def __init__(self, look: Look, keys: Sequence[tuple[str, str]]) -> None:
        super().__init__(self._laid_out, "no signal and no message yet", look)
        self.keys = [*keys, *self.keys]
        self._width = 80

    def lines(self, width: int, height: int) -> list[Text]:
        """The rows that fit into the size, newest first."""
        self._width = width
        return super().lines(width, height)

    def _laid_out(self, records: Sequence[Any]) -> list[Column]:
        return columns(records, self._look, self._width)


def view(look: Look, keys: Sequence[tuple[str, str]] = ()) -> BotView:
    """The view of a bot's output. `keys` are those that the host answers, named in the footer."""
    return BotView(look, keys)


def columns(records: Sequence[Any], look: Look, width: int) -> list[Column]:
    """The columns: time, script (of several), market or topic, side, whether it can be trusted, and the value."""
    marks = [_marks(record.extra) for record in records]
    scripts = [_whose(record) for record in records]
    shown = [
        time_column(look, "time", values(records, "received"), keep=9),
        text_column("what", [_what(record) for record in records], keep=8),
        side_column(look, [getattr(record, "side", None) for record in records], keep=3),
    ]
    if scripts and all(scripts):
        shown.insert(1, text_column("script", scripts, keep=8))
    if any(marks):
        shown.append(text_column("mark", marks, keep=6, styles=[look.style("warn" if mark else "") for mark in marks]))
    said = [_value(record, look) for record in records]
    return [*shown, words_column("value", said, shown, width, keep=7)]


def _whose(record: Any) -> str:
    whose = (record.extra or {}).get("strategy") if isinstance(record, Message) else record.strategy
    return str(whose or "")


def _what(record: Any) -> str:
    return str(record.topic) if isinstance(record, Message) else f"{record.venue}:{record.symbol}"


def _value(record: Any, look: Look) -> str:
    if isinstance(record, Signal):
        return "  ".join(
            f"{name} {_number(value)}" for name in _FIGURES if (value := getattr(record, name)) is not None
        )
    return "" if record.data is None else line_of(record.data, look.time)


def _number(value: Decimal | list[Decimal]) -> str:
    return " / ".join(map(cells.number, value)) if isinstance(value, list) else cells.number(value)


def _marks(extra: dict[str, Any] | None) -> str:
    marks = extra or {}
    words = ["STALE"] if marks.get("stale") else []
    if "behind_ms" in marks:
        words.append(f"{cells.duration(marks['behind_ms'])} behind")
    return ", ".join(words)
