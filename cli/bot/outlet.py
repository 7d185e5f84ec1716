"""Where a bot's signals and messages go: lines or a table, as those of any stream."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

from cli.errors import OK
from cli.output.columns import CsvLines
from cli.output.lines import STDOUT, JsonLines, Limit, Output, Queue, Sink, is_terminal
from cli.output.queues import EventQueue, LatestEvents
from cli.run.ending import Reading
from cli.screen.keys import take_terminal
from venues.records import Record, Signal, State, Status
from venues.streams import Stream

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Callable, Sequence

    from cli.bot.plan import BotRequest
    from venues.connection import Clock
    from venues.redaction import Redactor


TOKEN_FOR = 10.0  # seconds in the footer


class _Row(Signal, frozen=True, kw_only=True, tag="row"):
    """The columns of csv: those of signals and of messages."""

    topic: str | None = None
    data: Any = None


class Outlet:
    """The output thread with its queue and its table. `put` may be called from any thread."""

    def __init__(self, request: BotRequest, redactor: Redactor, clock: Clock) -> None:
        self._request = request
        self._redactor = redactor
        self._clock = clock
        self.as_table = request.as_table()
        self._table: Any = None
        self._rate: Any = None
        self._token: str | None = None
        self._later: str | None = None  # the latest words while the token is shown
        self._output: Output | None = None

    def open(
        self,
        label: str | None,
        markets: Sequence[str],
        on_end: Callable[[BaseException | None], None],
        feed: str | None = None,
        token: str | None = None,
    ) -> None:
        """Begin to write. `on_end` is that of `Output`.

        A table's footer shows `feed`, where the bot's own feed is, and at a key `token`, where only we know that.
        """
        self._token = token
        queue: Queue = LatestEvents() if self.as_table else EventQueue()
        limit = Limit(count=self._request.count, once=self._request.once, ends_with_snapshot=False)
        self._output = Output(queue, self._sink(label, markets, feed), limit, on_end)
        self._output.start()

    def put(self, record: Record) -> None:
        """Write a record.

        Raises:
            RuntimeError: nothing can be emitted yet.
        """
        if self._output is None:
            raise RuntimeError("the bot has not started yet: signals and messages can be emitted from on_start on")
        if self._rate is not None and not isinstance(record, Status):
            self._rate.total += 1
        self._output.put([record])

    def show(self, state: State) -> None:
        """Show a state in the header of the table: one for all markets."""
        if self._table is not None:
            now = self._clock.now().epoch_ms
            self.put(Status(venue="bot", received=now, stream=self._request.name, state=state))

    def finish(self) -> bool:
        """Write what waits, then end. False when nothing was begun."""
        if self._output is None:
            return False
        self._output.finish()
        return True

    def reading(self) -> Reading | None:
        """Whether the reader of the lines goes on reading from now on. None when nothing was begun."""
        return None if self._output is None else Reading(self._output)

    def join(self) -> None:
        """Wait for the writing thread, which has said that it ends."""
        if self._output is not None:
            self._output.join()

    def take_terminal(
        self, stack: contextlib.ExitStack, stop: Callable[[int], None], footer: Callable[[Any], None]
    ) -> None:
        """Answer a table's keys. `footer` gets the place for words while the table is up, and None afterwards."""
        if self._table is None:
            return

        def on_key(key: str) -> None:
            if key == "q":
                stop(OK)
            elif key == "t" and self._token is not None:
                self._show_token(self._token)
            else:
                self._table.press(key)

        footer(self._notice)
        stack.callback(footer, None)
        take_terminal(stack, self._table, on_key, stop)

    def _show_token(self, token: str) -> None:
        """Show the token long enough to be copied, whatever else is said: where it was printed, the table is now."""
        self._later = ""
        self._table.notice(f"token: {token}")
        asyncio.get_running_loop().call_later(TOKEN_FOR, self._go_on)

    def _notice(self, text: str) -> None:
        if self._later is None:
            self._table.notice(text)
        else:
            self._later = text

    def _go_on(self) -> None:
        latest, self._later = self._later, None
        if latest:
            self._table.notice(latest)

    def _make_table(self, label: str | None, markets: Sequence[str], *, on_terminal: bool) -> Any:
        from cli.bot.view import view
        from cli.screen.header import Rate
        from cli.screen.pane import Pane, Title
        from cli.screen.table import Table
        from cli.screen.terminal import look_for

        self._rate = Rate()
        look = look_for(
            self._request.palette,
            self._request.tz,
            to_terminal=on_terminal,
            epoch_ms=lambda: self._clock.now().epoch_ms,
            mono_ms=lambda: round(self._clock.now().mono * 1000),
        )
        stream = Stream(self._request.name, "event", Signal, "")
        title = Title("bot", label, markets, stream, partial=False)
        keys = [("t", "token")] if self._token is not None else []
        pane = Pane(partial(view, keys=keys), title, look, self._rate, self._redactor)
        self._table = Table(pane, look, on_terminal=on_terminal, wake=self._wake)
        return self._table

    def _wake(self) -> None:
        if self._output is not None:
            self._output.wake()

    def _sink(self, label: str | None, markets: Sequence[str], feed: str | None) -> Sink:
        to_terminal = is_terminal(STDOUT)
        if self.as_table:
            sink: Sink = self._make_table(label, markets, on_terminal=to_terminal)
            if feed is not None:
                self._table.notice(feed)
            return sink
        if (output := self._request.output) in ("csv", "tsv"):
            return CsvLines(_Row, to_terminal=to_terminal, redactor=self._redactor, tabs=output == "tsv")
        strings = self._request.numbers == "string"
        return JsonLines(numbers_as_strings=strings, to_terminal=to_terminal, redactor=self._redactor)
