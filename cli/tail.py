"""`mon feed --tail`: one line a message, newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.feed import data_column
from cli.rows import EventView, text_column, time_column
from cli.screen import values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.text import Text

    from cli.grid import Column
    from venues.records import Message


class TailView(EventView):
    """Knows the width, so that data is cut between two words."""

    def __init__(self) -> None:
        super().__init__(self._laid_out, "no message yet")
        self._width = 80

    def lines(self, width: int, height: int) -> list[Text]:
        """As many as fit."""
        self._width = width
        return super().lines(width, height)

    def _laid_out(self, messages: Sequence[Message]) -> list[Column]:
        columns = [
            time_column("time", values(messages, "received"), keep=3),
            text_column("topic", values(messages, "topic"), keep=9),
        ]
        return [*columns, data_column(messages, columns, self._width)]


def view() -> TailView:
    """A new view."""
    return TailView()
