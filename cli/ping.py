"""`mon ping`: round trips, newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.grid import Column
from cli.rows import EventView, time_column, values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.look import Look
    from venues.records import Pong


def view(look: Look) -> EventView:
    """A new view."""
    return EventView(lambda rows: columns(rows, look), "no answer yet", look)


def columns(pongs: Sequence[Pong], look: Look) -> list[Column]:
    """Time and round trip."""
    return [
        time_column(look, "time", values(pongs, "received"), keep=2),
        Column("round trip", [f"{pong.round_trip_ms:.1f} ms" for pong in pongs], keep=9),
    ]
