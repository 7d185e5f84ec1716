"""`mon ping`: round trips, newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.grid import Column
from cli.rows import EventView, time_column
from cli.screen import values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from venues.records import Pong


def view() -> EventView:
    """A new view."""
    return EventView(columns, "no answer yet")


def columns(pongs: Sequence[Pong]) -> list[Column]:
    """Time and round trip."""
    return [
        time_column("time", values(pongs, "received"), keep=2),
        Column("round trip", [f"{pong.round_trip_ms:.1f} ms" for pong in pongs], keep=9),
    ]
