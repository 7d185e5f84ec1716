"""What a bot emits, as a table: signals and messages, newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from cli import cells
from cli.rows import EventView, side_column, text_column, time_column, values
from venues.records import Message, Signal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from cli.grid import Column
    from cli.look import Look

_ENCODER = msgspec.json.Encoder(decimal_format="number")
_FIGURES = ("size", "mid", "bid", "ask", "quote")


def view(look: Look, keys: Sequence[tuple[str, str]] = ()) -> EventView:
    """A new view; `keys` are those that the host answers."""
    made = EventView(lambda records: columns(records, look), "no signal and no message yet", look)
    made.keys = [*keys, *made.keys]
    return made


def columns(records: Sequence[Any], look: Look) -> list[Column]:
    """Time, market or topic, side, what was said, and whether it can be trusted."""
    marks = [_marks(record.extra) for record in records]
    shown = [
        time_column(look, "time", values(records, "received"), keep=9),
        text_column("what", [_what(record) for record in records], keep=8),
        side_column(look, [getattr(record, "side", None) for record in records], keep=3),
        text_column("value", [_value(record) for record in records], keep=7),
    ]
    if any(marks):
        shown.append(text_column("mark", marks, keep=6, styles=[look.style("warn" if mark else "") for mark in marks]))
    return shown


def _what(record: Any) -> str:
    return str(record.topic) if isinstance(record, Message) else f"{record.venue}:{record.symbol}"


def _value(record: Any) -> str:
    if isinstance(record, Signal):
        return "  ".join(
            f"{name} {_number(value)}" for name in _FIGURES if (value := getattr(record, name)) is not None
        )
    return "" if record.data is None else _ENCODER.encode(record.data).decode()


def _number(value: Decimal | list[Decimal]) -> str:
    return " / ".join(map(cells.number, value)) if isinstance(value, list) else cells.number(value)


def _marks(extra: dict[str, Any] | None) -> str:
    marks = extra or {}
    words = ["STALE"] if marks.get("stale") else []
    if "behind_ms" in marks:
        words.append(f"{cells.duration(marks['behind_ms'])} behind")
    return ", ".join(words)
