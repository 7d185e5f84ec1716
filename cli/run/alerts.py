"""What `--on` does: it runs a command, or rings the terminal."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import shlex
import signal
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from cli.output import cells
from cli.output.chosen import KNOWN_ALWAYS, NOTHING, REASON, field_text, template_of, text_of
from cli.output.fields import derived_of, kinds_of
from cli.output.lines import STDERR, is_terminal
from venues.errors import UsageError
from venues.records import Status
from venues.toolkit.written import Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cli.output.chosen import Template
    from cli.output.conditions import Path, Seen
    from cli.output.fields import Fields
    from cli.output.standing import Stand
    from cli.run.edges import Key
    from venues.records import Record
    from venues.redaction import Redactor

AT_END = 5.0  # seconds at the end for what runs or waits
KILL_AFTER = 1.0  # seconds from TERM to KILL
LOOK_EVERY = 0.02  # seconds between two looks whether a command has ended, or the next one has begun
PIPES_WITHIN = 0.3  # seconds for the output of a command that has ended: what it has started may hold it open
READ_AT_ONCE = 4096  # bytes of what a command writes
MOST_WAITING = 10_000  # keys with an edge that waits
MOST_LINES = 1_000  # of a command's output that are shown, …
LONGEST_LINE = 2_000  # … and characters of each
LONGEST_VALUE = 100_000  # bytes of a variable, and of an argument's field; the system takes 128 KiB


class Stage(Protocol):
    """Where alerts are told."""

    def relay(self, text: str) -> None:
        """Show a line that a command has written."""
        ...

    def say(self, text: str) -> None:
        """Say what became of a command."""
        ...

    def ring(self, text: str) -> None:
        """Ring, and say why."""
        ...


class Program:
    """The command of `--exec`: its words, each with fields to be filled in."""

    def __init__(self, command: str, fields: Fields) -> None:
        """Split the command into words, as a shell does.

        Raises:
            UsageError: it has no word, a quote is open, or a field is none of the stream's records.
        """
        try:
            words = shlex.split(command)
        except ValueError as error:
            raise UsageError(f"--exec: expected a command with its arguments, got {command!r}: {error}") from None
        if not words:
            raise UsageError("--exec: expected a command with its arguments, got nothing")
        self._words: list[Template] = [template_of(word, fields, "--exec") for word in words]
        if any(not isinstance(part, str) for part in self._words[0].parts):
            raise UsageError("--exec: expected the name of a program first, without a field in it")
        self._fields = fields
        self._writer = Writer()

    def arguments(self, record: Record, seen: Seen) -> list[str]:
        """The words for one record, or for a status."""
        return [
            "".join(part if isinstance(part, str) else self._filled(part, record, seen) for part in word.parts)
            for word in self._words
        ]

    def _filled(self, part: Path, record: Record, seen: Seen) -> str:
        if part.text == REASON:
            return text_of(getattr(record, "reason", None), self._writer)
        if isinstance(record, Status) and part.of_record:
            return NOTHING
        value = getattr(record, part.text) if part.text in KNOWN_ALWAYS else part.value(record, seen)
        return field_text(part, value, self._writer)[:LONGEST_VALUE]

    def variables(self, record: Record, seen: Seen) -> dict[str, str]:
        """The fields of a record, or of a status, as variables of the environment."""
        values: dict[str, Any] = {name: getattr(record, name, None) for name in record.__struct_fields__}
        values |= {"type": record.__struct_config__.tag, "state": seen.state, "stale": seen.stale}
        values |= {"age_ms": seen.age_ms}
        if not isinstance(record, Status):
            values |= {name: self._derived(name, record, seen) for name in derived_of(self._fields.record)}
        single = {
            name: value for name, value in values.items() if value is not None and not isinstance(value, list | dict)
        }
        return {f"MON_{name.upper()}": text_of(value, self._writer)[:LONGEST_VALUE] for name, value in single.items()}

    def _derived(self, name: str, record: Record, seen: Seen) -> Any:
        from cli.output.conditions import path

        return None if name in kinds_of(self._fields.record) else path(name, self._fields, "--exec").value(record, seen)


@dataclass
class Run:
    """One run of the command that is to come. `skipped`: how many edges before it are left out for it."""

    arguments: list[str]
    variables: dict[str, str]
    stdin: bytes
    skipped: int = 0


@dataclass
class Alerts:
    """Runs the program for each edge: so many at a time, the latest of each key waiting for its turn.

    `cooldown`: seconds from one start to the next at least. All of it is called in the event loop.
    """

    program: Program | None
    bell: bool
    stage: Stage
    environment: Callable[[], Mapping[str, str]]
    redactor: Redactor
    condition: str
    parallel: int = 1
    timeout: float = 30.0
    cooldown: float = 0.0
    _waiting: OrderedDict[Key, Run] = field(default_factory=OrderedDict)
    _running: set[asyncio.Task[None]] = field(default_factory=set)
    _processes: dict[int, asyncio.subprocess.Process] = field(default_factory=dict)
    _next_at: float = -math.inf
    _timer: asyncio.TimerHandle | None = None
    _dropped: int = 0
    _rung_at: float = -math.inf

    def fire(self, record: Record, key: Key, stand: Stand) -> None:
        """The condition has become true of a record, or, of a stream, at a status."""
        if self.bell:
            self._ring(record)
        if self.program is None:
            return
        text = self.redactor.text
        made = Run(
            [text(word) for word in self.program.arguments(record, stand.seen)],
            {name: text(value) for name, value in self.program.variables(record, stand.seen).items()},
            Writer().encode(self.redactor.value(record)) + b"\n",
        )
        replaced = self._waiting.pop(key, None)
        if replaced is not None:
            made.skipped = replaced.skipped + 1
        self._waiting[key] = made
        if len(self._waiting) > MOST_WAITING:
            _, dropped = self._waiting.popitem(last=False)
            self._dropped += dropped.skipped + 1
        self._start()

    def _ring(self, record: Record) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._rung_at < self.cooldown:
            return
        self._rung_at = now
        whose = f"{cells.harmless(record.symbol, 40)}: " if record.symbol is not None else ""
        self.stage.ring(f"{whose}{self.condition}")

    def _start(self) -> None:
        """Run what waits, as far as that is allowed now."""
        loop = asyncio.get_running_loop()
        while self._waiting and len(self._running) < self.parallel:
            if self._next_at > loop.time():
                if self._timer is None:
                    self._timer = loop.call_at(self._next_at, self._on_timer)
                return
            _, run = self._waiting.popitem(last=False)
            self._next_at = loop.time() + self.cooldown
            task = asyncio.create_task(self._run(run))
            self._running.add(task)
            task.add_done_callback(self._on_done)

    def _on_timer(self) -> None:
        self._timer = None
        self._start()

    def _on_done(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.result()
        self._start()

    # --- one run

    async def _run(self, run: Run) -> None:
        name, *_ = run.arguments
        environment = {**self.environment(), **run.variables, "MON_SKIPPED": str(run.skipped)}
        pipe = asyncio.subprocess.PIPE
        starting = asyncio.create_task(
            asyncio.create_subprocess_exec(
                *run.arguments, stdin=pipe, stdout=pipe, stderr=pipe, env=environment, process_group=0
            )
        )
        try:
            process = await asyncio.shield(starting)
        except (OSError, ValueError) as error:
            self.stage.say(f"--exec: {name} cannot be run: {getattr(error, 'strerror', None) or error}")
            return
        except asyncio.CancelledError:  # one that is only half started could not be closed
            with contextlib.suppress(OSError, ValueError):
                await _close(await starting)
            raise
        self._processes[process.pid] = process
        try:
            await self._with(process, run, name)
        finally:
            await _close(process)
            self._processes.pop(process.pid, None)

    async def _with(self, process: asyncio.subprocess.Process, run: Run, name: str) -> None:
        first: list[str] = []
        assert process.stdout is not None
        assert process.stderr is not None
        reading = [
            asyncio.create_task(self._relay(process.stdout, [])),
            asyncio.create_task(self._relay(process.stderr, first)),
        ]
        writing = asyncio.create_task(_feed(process, run.stdin))
        ended = asyncio.create_task(_until_ended(process))
        try:
            in_time, _ = await asyncio.wait((ended,), timeout=self.timeout)
            if not in_time:
                _signal(process, signal.SIGTERM)
                await asyncio.wait((ended,), timeout=KILL_AFTER)  # what is still there then is killed when it is closed
            await asyncio.wait(reading, timeout=PIPES_WITHIN)
        finally:
            for task in (*reading, writing, ended):
                task.cancel()
            await asyncio.gather(*reading, writing, ended, return_exceptions=True)
        if not in_time:
            self.stage.say(f"--exec: {name} was ended after {cells.duration(round(self.timeout * 1000))}")
        elif process.returncode:
            why = f": {first[0]}" if first else ""
            self.stage.say(f"--exec: {name} ended with {process.returncode}{why}")

    async def _relay(self, stream: asyncio.StreamReader, first: list[str]) -> None:
        """Show what a command writes, line by line; the first one is kept. What goes on for too long is only read."""
        told, rest = 0, b""
        while chunk := await stream.read(READ_AT_ONCE):
            *whole, rest = (rest + chunk).split(b"\n")
            if len(rest) > LONGEST_LINE:
                whole, rest = [*whole, rest], b""
            for line in whole:
                told = self._tell(line, first, told)
        if rest:
            self._tell(rest, first, told)

    def _tell(self, line: bytes, first: list[str], told: int) -> int:
        text = cells.harmless(self.redactor.text(line.decode(errors="replace").rstrip("\r")), LONGEST_LINE)
        if not first and text.strip():
            first.append(text)
        if told < MOST_LINES:
            self.stage.relay(text)
        return told + 1

    # --- the end

    async def finish(self, next_signal: asyncio.Future[int]) -> bool:
        """Give what runs or waits its time, none after one more signal; then say what was not run.

        Returns whether something was cut short by that.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + AT_END
        while (self._running or self._waiting) and not next_signal.done() and loop.time() < until:
            waited: list[asyncio.Future[Any]] = [*self._running, next_signal]
            soon = LOOK_EVERY if self._waiting else until - loop.time()
            await asyncio.wait(waited, timeout=min(soon, until - loop.time()), return_when=asyncio.FIRST_COMPLETED)
        if self._timer is not None:
            self._timer.cancel()
        not_run = self._dropped + sum(run.skipped + 1 for run in self._waiting.values())
        running = list(self._running)
        is_cut = bool(running or self._waiting)
        self._waiting.clear()
        for task in running:
            task.cancel()
        if running:
            self.kill()
            await asyncio.gather(*running, return_exceptions=True)
            self.stage.say(f"--exec: {_commands(len(running))} stopped: the end came before")
        if not_run:
            self.stage.say(f"--exec: {_commands(not_run)} not run: the end came before")
        return is_cut

    def kill(self) -> None:
        """End all that runs, at once. May be called from any thread."""
        for process in list(self._processes.values()):
            _signal(process, signal.SIGKILL)


def _commands(count: int) -> str:
    return "1 command was" if count == 1 else f"{count:,} commands were"


def _signal(process: asyncio.subprocess.Process, number: signal.Signals, *, only_running: bool = False) -> None:
    """Signal the process group; it is the command's own."""
    if only_running and process.returncode is not None:
        return
    with contextlib.suppress(OSError):
        os.killpg(process.pid, number)


async def _until_ended(process: asyncio.subprocess.Process) -> None:
    """Wait for the command alone: `process.wait` also waits for its pipes, which what it has started may hold open."""
    while process.returncode is None:  # noqa: ASYNC110  there is no event for it
        await asyncio.sleep(LOOK_EVERY)


async def _close(process: asyncio.subprocess.Process) -> None:
    """Kill a command that still runs, and close its pipes: once the event loop is closed, Python tells of open ones."""
    _signal(process, signal.SIGKILL, only_running=True)
    ended = asyncio.create_task(_until_ended(process))
    await asyncio.wait((ended,), timeout=KILL_AFTER)  # first: else closing takes its end from who watches for it
    process._transport.close()  # type: ignore[attr-defined]  # there is no public way
    closed = asyncio.create_task(process.wait())
    await asyncio.wait((closed,), timeout=KILL_AFTER)
    for task in (ended, closed):
        task.cancel()


async def _feed(process: asyncio.subprocess.Process, data: bytes) -> None:
    assert process.stdin is not None
    with contextlib.suppress(OSError):
        process.stdin.write(data)
        await process.stdin.drain()
    process.stdin.close()


def ring_terminal() -> None:
    """Ring the terminal that words go to; without one nothing rings."""
    if is_terminal(STDERR):
        with contextlib.suppress(OSError):
            os.write(STDERR, b"\a")
