"""One run of `mon send`: one command that was confirmed, or commands as JSON lines, each answered by a line of its own.

Lines are answered in the order in which they came. Signals go out as fast as the hub takes them; nobody waits for the
answer to one before the next one is sent. What is underway, and what waits for a slow reader, is bounded: beyond that
nothing more is read from stdin.
"""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import json
import os
import queue
import select
import sys
import threading
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from cli.errors import INTERRUPTED, OK, REFUSED, UNREACHABLE, USAGE
from cli.interrupts import asked_to_end, has_come
from cli.output import cells
from cli.output.lines import STDERR, STDIN, STDOUT, JsonLines, Limit, Output, is_terminal, write_all
from cli.run.sender import Outcome, Sender
from cli.run.source import Embedded, access_to
from venues import venue_named
from venues.errors import UsageError
from venues.toolkit.decoding import DECODE_ERRORS, excerpt, explain

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from cli.output.lines import Words
    from cli.settings.config import Access
    from venues.redaction import Redactor
    from venues.venue import Command, Commands

RETRIES = 2  # before anything is sent: one more try often helps, and a script does not want to wait for long
LONGEST_LINE = 64 * 1024  # bytes
READ_AT_ONCE = 64 * 1024
MOST_UNDERWAY = 500
MOST_UNWRITTEN = 1_000
AT_ONCE = 0.0  # seconds to look whether an answer is there: it was said that it is
LAST_WORDS_WITHIN = 1.0  # seconds for what waits for a reader, after Ctrl-C or TERM

_LINE = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal)
_WORST_FIRST = (REFUSED, UNREACHABLE, USAGE)


class Answer(Struct, kw_only=True):
    """The line on stdout for one signal. `sent` null: nobody knows. Absent: `line` without --stdin, unknown fields."""

    line: int | UnsetType = UNSET
    ok: bool
    kind: str | UnsetType = UNSET
    pair: str | UnsetType = UNSET
    strategy: str | UnsetType = UNSET
    sent: bool | None
    acknowledged: bool
    answered: list[Any] | UnsetType = UNSET
    error: str | UnsetType = UNSET


class Desk:
    """One run of `mon send`: where the hub is, the connections to it, and what is said and written."""

    def __init__(
        self, venue: str, env: str | None, profile: str | None, timeout: float, words: Words, redactor: Redactor
    ) -> None:
        """`timeout` in seconds, for a connection; the venue is one that takes commands."""
        self.timeout = timeout
        self.words = words
        self.redactor = redactor
        self.stopped: asyncio.Future[int]
        self._venue = venue_named(venue)
        assert self._venue.commands is not None, "a venue that takes commands"
        self.commands = self._venue.commands
        self._env = env
        self._profile = profile
        self._access: Access
        self._senders: dict[str, Sender] = {}

    async def run(self, work: Callable[[], Awaitable[int]]) -> int:
        """The work, with all in order before and after it; its exit code, or that of the signal that ended it."""
        self.stopped = asyncio.get_running_loop().create_future()
        with asked_to_end(self.stop):
            return INTERRUPTED if has_come() else await self._in_order(work)

    async def _in_order(self, work: Callable[[], Awaitable[int]]) -> int:
        embedded = Embedded()
        try:
            self._access = await access_to(self._venue, self._env, self._profile, embedded, self.words.say)
            known = {name: str(source.value) for name, source in self._access.secrets.items() if source.kind == "value"}
            self.redactor.learn(known)  # it may be part of what is shown before anything is opened
            code = await embedded.beside(work())
            return self.stopped.result() if self.stopped.done() else code
        finally:
            await self.close()
            await embedded.close()

    def stop(self, code: int) -> None:
        """End as soon as possible, with this exit code; what is underway is told."""
        if not self.stopped.done():
            self.stopped.set_result(code)
        for sender in self._senders.values():
            sender.interrupt()

    def sender(self, kind: str, *, retries: int | None) -> Sender:
        """The connection that a kind of signal goes out on."""
        subscription = self.commands.kinds[kind].subscription
        wanted = repr(subscription)
        if wanted not in self._senders:
            self._senders[wanted] = Sender(
                self._venue,
                subscription,
                self._access,
                redactor=self.redactor,
                say=self.words.say,
                retries=retries,
            )
        sender = self._senders[wanted]
        if self.stopped.done():
            sender.interrupt()
        return sender

    async def close(self) -> bool:
        """Take leave of the hub; whether every connection ended in order."""
        senders, self._senders = self._senders, {}
        results = await asyncio.gather(*(sender.close() for sender in senders.values()))
        return all(results)

    async def send_one(self, kind: str, command: Command, *, yes: bool) -> int:
        """Show the signal, ask, send it, and tell what became of it; the exit code."""
        self._show(command, kind, asking=not yes)
        if not yes and not await self._confirmed():
            self.words.error("not sent")
            return INTERRUPTED
        outcome = await self.sender(kind, retries=RETRIES).send(command, self.timeout)
        in_order = await self.close()
        if outcome.error is None and not in_order:
            outcome = Outcome(
                True,
                "it reached the hub, but the connection to it did not end in order",
                UNREACHABLE,
                outcome.acknowledged,
                outcome.answered,
            )
        self._say_outcome(outcome)
        lines = JsonLines(numbers_as_strings=False, to_terminal=is_terminal(STDOUT), redactor=self.redactor)
        lines.write([self.answer_to(command, kind, outcome)])
        return outcome.code

    def answer_to(self, command: Command | None, kind: str | None, outcome: Outcome, line: int | None = None) -> Answer:
        """What is written about one signal; `command` None where there was none that could be sent."""
        sent = {} if command is None else command.fields
        names = {} if kind is None else self.commands.kinds[kind].fields
        return Answer(
            line=UNSET if line is None else line,
            ok=outcome.error is None,
            kind=UNSET if kind is None else kind,
            pair=sent.get(names.get("pair", ""), UNSET),
            strategy=sent.get(names.get("strategy", ""), UNSET),
            sent=outcome.sent,
            acknowledged=outcome.acknowledged,
            answered=list(outcome.answered) if outcome.answered else UNSET,
            error=UNSET if outcome.error is None else outcome.error,
        )

    def _show(self, command: Command, kind: str, *, asking: bool) -> None:
        say = self.words.error if asking else self.words.say
        say(self.redactor.text(self.commands.shown(kind, command, self._access.settings.url)))

    async def _confirmed(self) -> bool:
        """Whether the answer on the terminal is yes; Ctrl-C, and the end of input, are a no."""
        write_all(STDERR, b"mon: send it? [y/N] ")
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[None] = loop.create_future()

        def on_answer() -> None:
            if not answered.done():
                answered.set_result(None)

        loop.add_reader(STDIN, on_answer)
        try:
            await asyncio.wait((answered, self.stopped), return_when=asyncio.FIRST_COMPLETED)
        finally:
            loop.remove_reader(STDIN)
        if self.stopped.done() or not select.select([STDIN], [], [], AT_ONCE)[0]:
            return False
        return sys.stdin.buffer.readline().strip().lower() in (b"y", b"yes")

    def _say_outcome(self, outcome: Outcome) -> None:
        if outcome.error is not None:
            self.words.error(outcome.error)
        elif outcome.acknowledged:
            self.words.say("sent, and acknowledged")
        else:
            self.words.say(f"sent; no acknowledgement within {cells.duration(2000)}, which a hub need not give")


# --- many, from stdin -------------------------------------------------------------------------------------------------


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
            kind, command = _read_line(self._desk.commands, text)
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
        return self._desk.answer_to(command, kind, outcome, number)

    async def _write(self, underway: asyncio.Queue[asyncio.Task[Answer] | None], output: Output) -> None:
        while (task := await underway.get()) is not None:
            output.put([await task])
            while self._answers.waiting() > MOST_UNWRITTEN and not self._over.is_set():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._over.wait(), 0.05)

    async def _until_written(self) -> None:
        if self._desk.stopped.done():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._written.wait(), LAST_WORDS_WITHIN)
            return
        written = asyncio.create_task(self._written.wait())
        await asyncio.wait((written, self._desk.stopped), return_when=asyncio.FIRST_COMPLETED)
        written.cancel()

    def _on_output_end(self, loop: asyncio.AbstractEventLoop, problem: BaseException | None) -> None:
        """Called in the output thread, when it ends."""

        def ended() -> None:
            self._problem = problem
            self._written.set()
            if problem is not None:
                self._over.set()

        with contextlib.suppress(RuntimeError):  # the loop is gone: nobody waits any more
            loop.call_soon_threadsafe(ended)


def _read_line(commands: Commands, text: bytes) -> tuple[str, Command]:
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
    command = commands.command(kind, fields, from_json=True)
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
            return os.read(STDIN, READ_AT_ONCE)
        except BlockingIOError:  # somebody set it so
            select.select([STDIN], [], [])
        except OSError:
            return b""
