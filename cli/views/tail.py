"""`mon feed --tail`: one line a message, newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.views.feed import data_column, topic_column
from cli.views.rows import EventView, time_column, values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.text import Text

    from cli.screen.grid import Column
    from cli.screen.look import Look
    from venues.records import Message


class TailView(EventView):
    """The messages, newest first. It knows the width, so that data is cut between two words."""

    def __init__(self, look: Look) -> None:
        super().__init__(self._laid_out, "no message yet", look)
        self._width = 80

    def lines(self, width: int, height: int) -> list[Text]:
        """A title line and as many messages as fit, newest first."""
        self._width = width
        return super().lines(width, height)

    def _laid_out(self, messages: Sequence[Message]) -> list[Column]:
        columns = [
            time_column(self._look, "time", values(messages, "received"), keep=3),
            topic_column([message.topic for message in messages], self._width, self._look),
        ]
        return [*columns, data_column(messages, columns, self._width, self._look)]


def view(look: Look) -> TailView:
    """A table of messages, the newest first, without one yet."""
    return TailView(look)
