"""stdout: lines for scripts, in a thread of its own, so that a slow reader never holds up the socket.

What is said to people goes to stderr, through `say`; stdout carries data and nothing else.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import sys
import threading
import weakref
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct

from cli.errors import without_secrets
from cli.output import cells
from cli.output.pipe import LOOK_EVERY, unread
from venues.errors import MonError
from venues.records import Candle, SnapshotEnd, Status
from venues.toolkit.written import Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cli.output.pipe import Pipe
    from venues.redaction import Redactor

STDIN = 0
STDOUT = 1
STDERR = 2
LONGEST_WORDS = 2_000  # characters of a line that is said


class OutputError(MonError):
    """stdout takes nothing more, e.g. because a disk is full."""


class ReaderGone(Exception):
    """The reader closed the pipe."""


class RawFrame(Struct, frozen=True, omit_defaults=True, gc=False):
    """One frame as it came or went, without secrets; `frame_base64` where it is no UTF-8 text."""

    received: int
    direction: str
    frame: str | None = None
    frame_base64: str | None = None


class Skipped(Struct, frozen=True):
    """Stands for so many events that were left out here, since nobody had time to look at them."""

    count: int


class Unprinted(Struct, frozen=True, gc=False):
    """Stands for the state of a stream that does not match `--where`: it is a state, but no line and no picture."""

    record: Any

    @property
    def symbol(self) -> str | None:
        """The record's symbol."""
        symbol: str | None = self.record.symbol
        return symbol

    @property
    def received(self) -> int:
        """When the record came."""
        received: int = self.record.received
        return received


def is_data(record: Any) -> bool:
    """Whether a line counts for --count: data, not what is said about it."""
    if isinstance(record, RawFrame):
        return record.direction == "in"
    return not isinstance(record, Status | SnapshotEnd | Skipped)


class Limit:
    """When enough has been written: after `count` data records, or, with `once`, after the first full state.

    `ends_with_snapshot`: that state is a set of rows that a `snapshot_end` completes. `each_of`: there is a first state
    of each of these symbols instead. One that runs into trouble before the others are there has to come again; one that
    is closed is not waited for.

    `match`: the match of `--until`, which is set before it is put; it may come too late to be written.
    """

    def __init__(self, *, count: int | None, once: bool, ends_with_snapshot: bool, each_of: Sequence[str] = ()) -> None:
        self.reached = False
        self.match: Any = None
        self._match_written = False
        self._data = 0
        self._count = 1 if once and not ends_with_snapshot else count
        self._once = once
        self._until_end = once and ends_with_snapshot
        self._wanted = list(each_of) if once and not ends_with_snapshot else []
        self._missing = set(self._wanted)

    def missing(self) -> list[str]:
        """The symbols whose first state has not come yet. May be called from any thread."""
        missing = self._missing.copy()
        return [symbol for symbol in self._wanted if symbol in missing]

    def cut(self, records: Sequence[Any]) -> Sequence[Any]:
        """The records that may still be written; those behind the limit are left out.

        With `once` a state that is not to be printed counts, and goes no further.
        """
        if not self._once:
            passed = self._cut(records)
        else:
            passed = [record for record in self._cut(newest_candles(records)) if not isinstance(record, Unprinted)]
        if self.match is not None:
            self._match_written = self._match_written or any(record is self.match for record in passed)
        return passed

    def is_match_behind(self) -> bool:
        """Whether the match of `--until` came only after enough had been written. May be called from any thread."""
        return self.match is not None and self.reached and not self._match_written

    def _cut(self, records: Sequence[Any]) -> Sequence[Any]:
        if self._wanted:
            return self._first_of_each(records)
        if self._count is None and not self._until_end:
            return records
        for index, record in enumerate(records):
            if is_data(record):
                self._data += 1
                self.reached = self._count is not None and self._data >= self._count
            elif self._until_end and isinstance(record, SnapshotEnd):
                self.reached = True
            elif isinstance(record, Skipped):
                self._data += record.count
                self.reached = self._count is not None and self._data >= self._count
            if self.reached:
                return records[: index + 1]
        return records

    def _first_of_each(self, records: Sequence[Any]) -> Sequence[Any]:
        """What completes the first states, and what is said meanwhile."""
        passed: list[Any] = []
        for record in records:
            if isinstance(record, Status):
                self._on_status(record)
            elif is_data(record):
                if record.symbol not in self._missing:
                    continue
                self._missing.discard(record.symbol)
            passed.append(record)
            self.reached = not self._missing and bool(self._wanted)
            if self.reached:
                break
        return passed

    def _on_status(self, status: Status) -> None:
        if status.state == "live":
            return
        if status.symbol is None:
            self._missing.update(self._wanted)
        elif status.symbol in self._wanted:
            self._missing.add(status.symbol)
            if status.state == "closed":
                self._wanted = [symbol for symbol in self._wanted if symbol != status.symbol]
                self._missing.discard(status.symbol)


def newest_candles(records: Sequence[Any]) -> Sequence[Any]:
    """The records without candles that a later one of the same symbol follows: of several the last is the state.

    A venue may send the candles before the current one with it.
    """
    last = {record.symbol: record for record in records if _is_candle(record)}
    return [record for record in records if not _is_candle(record) or last[record.symbol] is record]


def _is_candle(record: Any) -> bool:
    return isinstance(record.record if isinstance(record, Unprinted) else record, Candle)


class Queue(Protocol):
    """Records on their way out, in order: put by the event loop, taken by the output thread."""

    def put(self, records: Sequence[Any]) -> None:
        """Append records; never waits."""
        ...

    def take(self) -> Sequence[Any]:
        """Take out the next records; empty when none wait."""
        ...

    def waiting(self) -> int:
        """How many records wait to be taken."""
        ...


class Sink(Protocol):
    """Where records go: lines or a table. Called by the output thread only."""

    def write(self, records: Sequence[Any]) -> None:
        """Write records, none of which may be left out. Raises ReaderGone."""
        ...

    def idle(self) -> None:
        """Called between writes, at least every tenth of a second."""
        ...

    def left(self) -> int:
        """How many lines of what is being written are not written yet. May be called from any thread."""
        ...

    def close(self) -> None:
        """Called once at the end, after the last write."""
        ...


class Lines:
    """Lines on their way to stdout. `size`: bytes of those that were written last."""

    def __init__(self) -> None:
        self.size: int
        self._data = b""
        self._done = len(self._data)

    def left(self) -> int:
        """How many of them are not written to their end. May be called from any thread."""
        return self._data.count(b"\n", self._done)

    def _write(self, data: bytes) -> None:
        self._data, self._done, self.size = data, 0, len(data)
        write_all(STDOUT, data, self._on_written)

    def _on_written(self, size: int) -> None:
        self._done += size


class JsonLines(Lines):
    """One JSON object a line; several that are ready together are written together."""

    def __init__(
        self, *, numbers_as_strings: bool, to_terminal: bool, redactor: Redactor, statuses: bool = True
    ) -> None:
        """`statuses`: those that come are written too; otherwise they are only there for the queue and the limit."""
        super().__init__()
        self._statuses = statuses
        self._writer = Writer(numbers_as_strings=numbers_as_strings)
        self._to_terminal = to_terminal
        self._redactor = redactor

    def write(self, records: Sequence[Any]) -> None:
        """Write each record as one JSON object on a line of its own."""
        if not self._statuses:
            records = [record for record in records if not isinstance(record, Status)]
        data = self._writer.encode_lines(records)
        if self._redactor.data(data) != data:  # rare, and quick to see; in the record, so that it stays JSON
            data = self._writer.encode_lines([self._redactor.value(record) for record in records])
        if self._to_terminal:
            data = harmless_json(data)
        self._write(data)

    def idle(self) -> None:
        """Do nothing: lines go out as they are written."""

    def close(self) -> None:
        """Do nothing: JSON lines need no end."""


class Output(threading.Thread):
    """The output thread: takes what waits in a queue, writes it, notices a reader that is gone.

    `on_end` is called once, in this thread: with `limit_reached`, or with what went wrong, or None after `finish`.
    With a `pipe` the queue is a `StateQueue`, and nothing is written while something is unread.
    """

    def __init__(
        self,
        queue: Queue,
        sink: Sink,
        limit: Limit,
        on_end: Callable[[BaseException | None], None],
        *,
        pipe: Pipe | None = None,
    ) -> None:
        super().__init__(name="output", daemon=True)  # a write that hangs must not hold up the end of the process
        self._queue = queue
        self._sink = sink
        self._limit = limit
        self._on_end = on_end
        self._pipe = pipe
        self._finishing = False
        self._idle = False
        self._handed = 0
        self._wake_reader, self._wake_writer = os.pipe()
        os.set_blocking(self._wake_writer, False)
        # Not when the thread ends: whoever hands over or wakes later must not write to what is somebody else's by then.
        weakref.finalize(self, _close, self._wake_reader, self._wake_writer)
        self._watched = select.poll()
        self._watched.register(self._wake_reader, select.POLLIN)
        self._watches_stdout = not is_terminal(STDOUT)  # which tells by a signal that it is gone; macOS cannot poll it

    def put(self, records: Sequence[Any]) -> None:
        """Hand records over; never waits. For the event loop."""
        self._queue.put(records)
        if self._idle:
            self._idle = False
            self.wake()

    def finish(self) -> None:
        """Write what waits, then end."""
        self._finishing = True
        self.wake()

    def progress(self) -> tuple[int, int | None]:
        """Something that changes whenever the reader takes something, as far as the system tells."""
        return self._handed, unread(STDOUT)

    def interrupt(self) -> None:
        """Interrupt a write that blocks, since only then it tells how far it is, and `left` is exact.

        Somebody must hear SIGURG.
        """
        if self.is_alive() and self.ident is not None:
            signal.pthread_kill(self.ident, signal.SIGURG)

    def left(self) -> int:
        """How many lines still wait to be written."""
        return self._queue.waiting() + self._sink.left()

    def run(self) -> None:
        """Write until `finish` was called, the limit is reached, or the reader is gone."""
        problem: BaseException | None = None
        try:
            self._write_until_done()
            self._sink.close()
        except BaseException as error:
            problem = error
        if self._pipe is not None:
            self._pipe.close()
        self._on_end(problem)

    def _write_until_done(self) -> None:
        while not self._limit.reached:
            finishing = self._finishing  # looked at before the queue: what was put before `finish` is written
            ready = self._pipe is None or self._pipe.is_empty()
            self._idle = ready  # while something is unread, what is put is not waited for
            if records := self._queue.take() if ready else ():
                self._idle = False
                self._hand_over(self._limit.cut(records))
            elif finishing and (ready or not self._queue.waiting()):
                return
            else:
                self._wait()
            self._sink.idle()

    def _hand_over(self, records: Sequence[Any]) -> None:
        if self._pipe is not None:
            self._pipe.hand_over(len(records), more_wait=self._queue.waiting() > 0)
        self._sink.write(records)
        self._handed += 1
        if self._pipe is not None:
            self._pipe.handed_over(getattr(self._sink, "size", 0))

    def _wait(self) -> None:
        events, seconds = (0, LOOK_EVERY) if self._pipe is None else self._pipe.watched()
        if self._watches_stdout:
            self._watched.register(STDOUT, events)  # errors and hang-ups are always told
        for descriptor, happened in self._watched.poll(seconds * 1000):
            if descriptor == self._wake_reader:
                os.read(self._wake_reader, select.PIPE_BUF)
            elif happened & (select.POLLERR | select.POLLHUP | select.POLLNVAL):
                raise ReaderGone
            elif self._pipe is not None and not self._pipe.is_empty():
                self._pipe.woke_early()

    def wake(self) -> None:
        """Look at once whether there is something to do; never waits. For the event loop."""
        with contextlib.suppress(BlockingIOError):
            os.write(self._wake_writer, b"w")


def _close(*descriptors: int) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def write_all(descriptor: int, data: bytes, on_written: Callable[[int], None] | None = None) -> None:
    """Write all of the data, also to a descriptor that somebody set not to block.

    `on_written` hears of each part that was written, with its size.

    Raises:
        ReaderGone: nobody will read it.
    """
    view = memoryview(data)
    while view:
        try:
            written = os.write(descriptor, view)
            view = view[written:]
            if on_written is not None:
                on_written(written)
        except BlockingIOError:
            select.select([], [descriptor], [])
        except OSError as error:
            if error.errno in (errno.EPIPE, errno.ECONNRESET, errno.EIO):  # EIO: the terminal is gone
                raise ReaderGone from None
            raise OutputError(f"cannot write to stdout: {error.strerror}") from error


def print_out(text: str) -> None:
    """Text that a command prints once.

    Raises:
        ReaderGone: the reader closed the pipe.
    """
    write_all(STDOUT, text.encode(errors="replace") + b"\n")


def prints_go_to_stderr() -> contextlib.AbstractContextManager[object]:
    """Within it, whatever is printed goes to stderr, by a plug-in for example. Stdout is for data, which is written to
    the descriptor itself."""
    return contextlib.redirect_stdout(sys.stderr)


class Words:
    """Says things to a person, on stderr. A stderr that nobody reads holds nothing up."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._waiting: deque[bytes] = deque(maxlen=100)

    def say(self, text: str) -> None:
        """Say a notice. It is left out with --quiet."""
        if not self._quiet:
            self._write(text)

    def error(self, text: str, longest: int = LONGEST_WORDS) -> None:
        """Say an error, with so many characters a line at most. It is never left out."""
        self._write(text, longest)

    def of_other(self, text: str) -> None:
        """Pass on a line that another program has written. It is never left out."""
        self._write(text, name="")

    def _write(self, text: str, longest: int = LONGEST_WORDS, *, name: str = "mon: ") -> None:
        lines = [cells.harmless(line, longest) for line in without_secrets(text).splitlines()] or [""]
        data = (name + f"\n{' ' * len(name)}".join(lines) + "\n").encode(errors="replace")
        self._waiting.extend(data[at : at + select.PIPE_BUF] for at in range(0, len(data), select.PIPE_BUF))
        with contextlib.suppress(OSError):
            while self._waiting and _writable(STDERR):
                os.write(STDERR, self._waiting[0])
                self._waiting.popleft()


def _writable(descriptor: int) -> bool:
    return bool(select.select([], [descriptor], [], 0)[1])


def is_terminal(descriptor: int) -> bool:
    """Whether the descriptor is a terminal."""
    try:
        return os.isatty(descriptor)
    except OSError:
        return False


def draws_table(output: str) -> bool:
    """Whether the option of that name means a table: where it says nothing, on a terminal whose cursor can be moved."""
    if output == "auto" and is_terminal(STDOUT):
        from cli.settings.environment import is_dumb, variables

        return not is_dumb(variables())
    return output == "table"


def abandon_stdout() -> None:
    """Drop what Python still holds for stdout, silently; for use after a closed pipe."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, STDOUT)
        os.close(nowhere)
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()


def harmless_json(data: bytes) -> bytes:
    """Escape what can do something to a terminal. JSON itself escapes only what is below 0x20."""
    if data.isascii() and b"\x7f" not in data:
        return data
    return "\n".join(map(cells.harmless_json, data.decode().split("\n"))).encode()
