"""What is drawn of one or several streams that are watched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from cli.output.queues import LatestEvents
from cli.output.states import StateQueue
from cli.output.statuses import in_words
from venues.streams import STREAMS
from venues.venue import has_several

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cli.output.gaps import Gap
    from cli.output.lines import Queue
    from cli.run.options import StreamRequest
    from cli.screen.header import Rate
    from cli.screen.look import Look
    from cli.screen.pane import Pane
    from cli.screen.table import Table
    from cli.views import Loaded
    from venues.driver import Delivered
    from venues.records import Status
    from venues.venue import Subscription


class Picture(Protocol):
    """What is drawn of one or several streams. It gets their panes ready made, and draws what is around them."""

    def queue(self, gaps: Mapping[str, Gap]) -> Queue:
        """What waits to be drawn; a stream's gap tells where some of it is left out."""
        ...

    def table(
        self,
        panes: Mapping[str, Pane],
        env: str | None,
        look: Look,
        rate: Rate,
        wake: Callable[[], None],
        *,
        on_terminal: bool,
    ) -> Table:
        """The table that draws these panes, for the output thread."""
        ...

    def remark(self) -> str | None:
        """What is said at the beginning; None for nothing."""
        ...

    def words(self, status: Status, beside: Sequence[Delivered]) -> str | None:
        """What is said of a status, which came with others; None for nothing."""
        ...


class OneTable:
    """The picture of a single stream: one pane fills the table."""

    def __init__(self, request: StreamRequest, subscription: Subscription) -> None:
        self._request = request
        self._stream = STREAMS[subscription.stream]
        self._several = has_several(subscription)

    def queue(self, gaps: Mapping[str, Gap]) -> Queue:
        """The queue that the view needs, or the usual one for its kind of stream."""
        own = shown_by(self._request, self._stream.name).queue
        if own is not None:
            return own()
        if self._stream.kind == "event":
            return LatestEvents()
        return StateQueue(on_overflow=gaps[self._stream.name].in_rows, several=self._several)

    def table(
        self,
        panes: Mapping[str, Pane],
        env: str | None,
        look: Look,
        rate: Rate,
        wake: Callable[[], None],
        *,
        on_terminal: bool,
    ) -> Table:
        """The table with its one pane, which says where it is from."""
        from cli.screen.table import Table

        return Table(panes[self._stream.name], look, on_terminal=on_terminal, wake=wake)

    def remark(self) -> None:
        """Nothing is said at the beginning: no pane is missing."""

    def words(self, status: Status, beside: Sequence[Delivered]) -> str | None:
        """What is said of the status itself, whatever came with it."""
        return in_words(status)


def shown_by(request: StreamRequest, stream: str) -> Loaded:
    """What makes the view of a stream, as it is asked for."""
    from cli.views import loaded

    return loaded("tail" if request.tail else stream)
