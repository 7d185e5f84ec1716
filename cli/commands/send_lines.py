"""`mon send --stdin`: signals as JSON lines, each answered by a line of its own, in the order in which they came.

Signals go out as fast as the hub takes them; nobody waits for the answer to one before the next one is sent. What is
underway, and what waits for a slow reader, is bounded: beyond that nothing more is read from stdin.
"""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import json
import os
import queue
import select
import threading
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from cli.commands.send import Answer, answer_to
from cli.errors import OK, REFUSED, UNREACHABLE, USAGE
from cli.output.lines import STDIN, STDOUT, JsonLines, Limit, Output, is_terminal
from cli.run.sender import Outcome
from venues.errors import UsageError
from venues.nbt.sending import signal_command
from venues.toolkit.decoding import DECODE_ERRORS, excerpt, explain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.commands.send import Desk
    from venues.venue import Command

LONGEST_LINE = 64 * 1024  # bytes
MOST_UNDERWAY = 500
MOST_UNWRITTEN = 1_000
LAST_WORDS_WITHIN = 1.0  # seconds for what waits for a reader, after Ctrl-C or TERM

_LINE = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal)
_WORST_FIRST = (REFUSED, UNREACHABLE, USAGE)


async def send_lines(desk: Desk) -> int:
    """Until stdin ends, or nothing more can be sent.

    The exit code: 0 when every line was sent, else 4 when the hub refused one, 5 when one was not sent or nobody
    knows, 2 when one was no signal.
    """
    return await _Lines(desk).run()


class _Answers:
    """What waits for the reader of stdout. `room` is set while there is some."""

    def __init__(self) -> None:
        self.unwritten: list[Answer] = []
        self._lock = threading.Lock()

    def put(self, records: Sequence[Any]) -> None:
        with self._lock:
            self.unwritten += records

    def take(self) -> list[Answer]:
        with self._lock:
            taken, self.unwritten = self.unwritten, []
            return taken

    def waiting(self) -> int:
        return len(self.unwritten)


class _Lines:
    """One run: a thread reads, a task a line sends, one task puts the answers in order, a thread writes them."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._codes: set[int] = set()
        self._over = asyncio.Event()  # nothing more can be sent, or nobody reads the answers
        self._written = asyncio.Event()
        self._problem: BaseException | None = None
        self._answers = _Answers()

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        sink = JsonLines(numbers_as_strings=False, to_terminal=is_terminal(STDOUT), redactor=self._desk.redactor)
        output = Output(
            self._answers,
            sink,
            Limit(count=None, once=False, ends_with_snapshot=False),
            lambda problem: self._on_output_end(loop, problem),
        )
        output.start()
        underway: asyncio.Queue[asyncio.Task[Answer] | None] = asyncio.Queue(MOST_UNDERWAY)
        writer = asyncio.create_task(self._write(underway, output))
        try:
            await self._read(underway)
            await underway.put(None)
            await writer
        finally:
            writer.cancel()
        in_order = await self._desk.close()
        output.finish()
        await self._until_written()
        if self._problem is not None:
            raise self._problem
        if not in_order and not self._codes:
            self._desk.words.error("all were sent, but the connection to the hub did not end in order")
            return UNREACHABLE
        return next((code for code in _WORST_FIRST if code in self._codes), OK)

    async def _read(self, underway: asyncio.Queue[asyncio.Task[Answer] | None]) -> None:
        assert self._desk.stopped is not None
        lines = _StdinLines()
        over = asyncio.create_task(self._over.wait())
        number = 0
        try:
            while True:
                line = asyncio.create_task(lines.next())
                await asyncio.wait((line, over, self._desk.stopped), return_when=asyncio.FIRST_COMPLETED)
                if over.done() or self._desk.stopped.done() or line.result() is None:
                    line.cancel()
                    return
                number += 1
                text = line.result() or b""
                if number == 1:
                    text = text.removeprefix(codecs.BOM_UTF8)  # PowerShell begins a file with it
                if text.strip():
                    await underway.put(asyncio.create_task(self._answer(number, text)))
        finally:
            over.cancel()

    async def _answer(self, number: int, text: bytes) -> Answer:
        """Send what one line asks for."""
        kind: str | None = None
        command: Command | None = None
        try:
            kind, command = _read_line(text)
        except UsageError as error:
            outcome = Outcome(False, str(error), USAGE)
        else:
            outcome = await self._desk.sender(kind, retries=None).send(command, self._desk.timeout)
        if outcome.error is not None:
            outcome = replace(outcome, error=self._desk.redactor.text(outcome.error))
            self._codes.add(outcome.code)
        if outcome.final and not self._over.is_set():
            self._desk.words.error(f"{outcome.error or ''}; no more lines are read")
            self._over.set()
        return answer_to(command, kind, outcome, number)

    async def _write(self, underway: asyncio.Queue[asyncio.Task[Answer] | None], output: Output) -> None:
        while (task := await underway.get()) is not None:
            output.put([await task])
            while self._answers.waiting() > MOST_UNWRITTEN and not self._over.is_set():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._over.wait(), 0.05)

    async def _until_written(self) -> None:
        assert self._desk.stopped is not None
        if self._desk.stopped.done():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._written.wait(), LAST_WORDS_WITHIN)
            return
        written = asyncio.create_task(self._written.wait())
        await asyncio.wait((written, self._desk.stopped), return_when=asyncio.FIRST_COMPLETED)
        written.cancel()

    def _on_output_end(self, loop: asyncio.AbstractEventLoop, problem: BaseException | None) -> None:
        """In the output thread."""

        def ended() -> None:
            self._problem = problem
            self._written.set()
            if problem is not None:
                self._over.set()

        with contextlib.suppress(RuntimeError):  # the loop is gone: nobody waits any more
            loop.call_soon_threadsafe(ended)


def _read_line(text: bytes) -> tuple[str, Command]:
    """The kind and the signal that a line asks for.

    Raises:
        UsageError: it is none.
    """
    if len(text) > LONGEST_LINE:
        raise UsageError(f"expected a line of at most {LONGEST_LINE} bytes, got more")
    try:
        fields = _LINE.decode(text)
    except DECODE_ERRORS as error:
        example = '{"kind":"buy","pair":"BTCUSDT","strategy":"trend"}'
        raise UsageError(f"{explain(error)}; a line is like {example}") from None
    kind = fields.pop("kind", None)
    if kind is None:
        raise UsageError("expected a kind, got none")
    command = signal_command(kind, fields, from_json=True)
    json.loads(text, object_pairs_hook=_once_each, parse_int=str)
    return kind, command


def _once_each(pairs: Sequence[tuple[str, Any]]) -> None:
    """The decoder takes the last of several; which was meant nobody knows."""
    twice = next((name for name, count in Counter(name for name, _ in pairs).items() if count > 1), None)
    if twice is not None:
        raise UsageError(f"expected each field once, got {excerpt(twice, 40)} twice")


class _StdinLines:
    """Lines of stdin, read by a thread that nobody waits for: a read cannot be ended."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._lines: queue.Queue[bytes | None] = queue.Queue(MOST_UNDERWAY)
        self._more = asyncio.Event()
        threading.Thread(target=self._read, name="stdin", daemon=True).start()

    async def next(self) -> bytes | None:
        """The next line, None at the end; of one that is too long only more than `LONGEST_LINE`."""
        while True:
            with contextlib.suppress(queue.Empty):
                return self._lines.get_nowait()
            self._more.clear()
            if self._lines.empty():
                await self._more.wait()

    def _read(self) -> None:
        rest = b""
        with contextlib.suppress(RuntimeError):  # the loop is gone
            while chunk := _chunk():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    self._give(line)
                rest = rest[: LONGEST_LINE + 1]
            if rest:
                self._give(rest)
            self._give(None)

    def _give(self, line: bytes | None) -> None:
        self._lines.put(line)
        self._loop.call_soon_threadsafe(self._more.set)


def _chunk() -> bytes:
    while True:
        try:
            return os.read(STDIN, 65536)
        except BlockingIOError:  # somebody set it so
            select.select([STDIN], [], [])
        except OSError:
            return b""
