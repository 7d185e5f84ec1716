"""`mon ping`: round trips, newest first, and what they were like lately."""

from __future__ import annotations

from collections import deque
from statistics import median
from typing import TYPE_CHECKING

from rich.text import Text

from cli.screen.grid import Column, fit_line
from cli.views.rows import EventView, time_column, values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.screen.look import Look
    from venues.records import Pong

LATELY = 60  # round trips
SUMMARY_FROM = 6  # lines from which there is room for more than rows


class PingView(EventView):
    """Round trips with a summary above them."""

    def __init__(self, look: Look) -> None:
        super().__init__(lambda pongs: columns(pongs, look), "no answer yet", look)
        self._lately: deque[float] = deque(maxlen=LATELY)

    def add(self, record: Pong) -> None:
        """One round trip."""
        super().add(record)
        self._lately.append(record.round_trip_ms)

    def start_over(self) -> None:
        """Another connection has other round trips."""
        super().start_over()
        self._lately.clear()

    def until(self) -> int | None:
        """Never: one comes each second, so that a mark says nothing."""
        return None

    def lines(self, width: int, height: int) -> list[Text]:
        """The summary, then as many as fit."""
        if not self._lately or height < SUMMARY_FROM:
            return super().lines(width, height)
        return [
            fit_line(summary(self._lately, width, self._look), width, self._look),
            Text(),
            *super().lines(width, height - 2),
        ]


def summary(milliseconds: Sequence[float], width: int, look: Look) -> Text:
    """The middle, the best and the worst; whole figures only, as many as fit."""
    parts = [
        f"median {median(milliseconds):.1f} ms",
        f"worst {max(milliseconds):.1f} ms",
        f"best {min(milliseconds):.1f} ms",
        f"of the last {len(milliseconds)}",
    ]
    line = Text(style=look.style("title"))
    for part in parts:
        words = f"{'   ' if line.plain else ''}{part}"
        if line.cell_len + len(words) <= width:
            line.append(words)
    return line


def view(look: Look) -> PingView:
    """A new view."""
    return PingView(look)


def columns(pongs: Sequence[Pong], look: Look) -> list[Column]:
    """Time and round trip."""
    return [
        time_column(look, "time", values(pongs, "received"), keep=2),
        Column("round trip", [f"{pong.round_trip_ms:.1f} ms" for pong in pongs], keep=9),
    ]
