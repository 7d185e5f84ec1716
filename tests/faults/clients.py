"""`mon`, in the three ways in which it is run under faults: within this process, as one of its own, several streams."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec

from tests.faults.watched import Watched

ROOT: Final = Path(__file__).parents[2]
UNTIL_OVER: Final = 10.0  # seconds for `mon` to end once it was told to


class Hears(Protocol):
    """Who judges what comes."""

    def line(self, text: bytes) -> None:
        """One line that `mon` has written."""
        ...

    def words(self, text: str) -> None:
        """What `mon` has said on stderr."""
        ...


class Client(ABC):
    """`mon`, however it runs."""

    def __init__(self, play: Hears) -> None:
        self._play = play
        self._rest = b""
        self.ended_by_itself = False

    @abstractmethod
    async def start(self, given: Mapping[str, str], watched: Sequence[Watched], symbols: Sequence[str]) -> None:
        """Start it."""

    @abstractmethod
    def ended(self) -> bool:
        """Whether it is over."""

    @abstractmethod
    def code(self) -> int | None:
        """Its exit code."""

    @abstractmethod
    async def end(self) -> None:
        """Tell it to end, as a user does, and wait until it has."""

    def _take(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._play.line(line)


class InProcess(Client):
    """In this event loop; its stdout and stderr are pipes that the loop reads."""

    def __init__(self, play: Hears) -> None:
        super().__init__(play)
        self._task: asyncio.Task[int] | None = None
        self._code: int | None = None
        self._stack = contextlib.ExitStack()

    async def start(self, given: Mapping[str, str], watched: Sequence[Watched], symbols: Sequence[str]) -> None:
        from cli.output.lines import Words
        from cli.run.asked import asked_for
        from cli.run.watch import Watcher, conditions_of
        from venues.redaction import Redactor

        self._stack.enter_context(_environment(given))
        self._stack.enter_context(_piped(1, self._take))
        self._stack.enter_context(_piped(2, lambda data: self._play.words(data.decode(errors="replace"))))
        request = _request(watched[0], symbols)
        venue, subscription = asked_for(request, None)
        conditioned = conditions_of(request, venue, subscription)
        watcher = Watcher(request, venue, [subscription], None, Words(), Redactor(), conditioned=conditioned)
        self._task = asyncio.create_task(self._run(watcher.run()))

    async def _run(self, run: Coroutine[Any, Any, int]) -> int:
        from cli.errors import exit_code

        try:
            return int(await run)
        except Exception as error:
            self._play.words(f"mon: {error}\n")
            return int(exit_code(error))

    def ended(self) -> bool:
        return self._task is not None and self._task.done()

    def code(self) -> int | None:
        return self._code

    async def end(self) -> None:
        assert self._task is not None
        try:
            self.ended_by_itself = self._task.done()
            if not self._task.done():
                signal.raise_signal(signal.SIGTERM)
                await asyncio.wait((self._task,), timeout=UNTIL_OVER)
            if self._task.done():
                self._code = self._task.result()
            else:
                self._task.cancel()
                await asyncio.gather(self._task, return_exceptions=True)
                self._play.words("mon did not end after TERM\n")
            await asyncio.sleep(0.02)  # what lies in the pipes
        finally:
            self._stack.close()
            sys.setswitchinterval(0.005)


class Several(InProcess):
    """Several streams of a venue at once, as a dashboard has them; what comes is judged before it is drawn."""

    async def start(self, given: Mapping[str, str], watched: Sequence[Watched], symbols: Sequence[str]) -> None:
        from cli.run.ending import Ending
        from cli.run.loop import Loop
        from venues.connection import SystemClock
        from venues.redaction import Redactor

        self._stack.enter_context(_environment(given))
        self._stack.enter_context(_piped(2, lambda data: self._play.words(data.decode(errors="replace"))))
        self._ending, requests = Ending(), [_request(one, symbols if one.symbols else ()) for one in watched]
        self._loop = Loop(
            requests[0], self, ending=self._ending, clock=SystemClock(), redactor=Redactor(), recording=None
        )
        self._task = asyncio.create_task(self._run(self._watch(requests)))

    async def _watch(self, requests: Sequence[Any]) -> int:
        from cli.run.asked import asked_for
        from cli.run.source import Embedded

        asked = [asked_for(request, None) for request in requests]
        with contextlib.ExitStack() as stack:
            self._ending.take_signals(stack)
            subscriptions = [subscription for _, subscription in asked]
            await self._loop.open(asked[0][0], subscriptions, Embedded(), lambda text: None, apart=True)
            await self._loop.watch()
        return self._ending.result()

    # --- a consumer, as the loop has it

    def deliver(self, items: list[Any], line: int = 0) -> None:
        """Judge the records at once."""
        from venues.records import Record

        for item in items:
            if isinstance(item, Record):
                self._play.line(_encode(item))
        self._loop.flush_soon()

    def flush(self) -> None:
        """Nothing is gathered."""

    async def played(self, count: int) -> None:
        """There is no recording."""

    def end_asked(self) -> None:
        """Nothing is to be done."""

    def missing(self, option: str) -> str | None:
        """Nothing was to come by a time."""
        return None


class Process(Client):
    """As a process of its own, with the same deadlines."""

    def __init__(self, play: Hears) -> None:
        super().__init__(play)
        self._process: asyncio.subprocess.Process | None = None
        self._readers: list[asyncio.Task[None]] = []

    async def start(self, given: Mapping[str, str], watched: Sequence[Watched], symbols: Sequence[str]) -> None:
        one = watched[0]
        options = [word for name, value in one.options for word in (f"--{name}", str(value))]
        arguments = [one.stream, one.venue, *symbols, *options, "-o", "jsonl"]
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.faults.deadlines", *arguments,
            cwd=ROOT, env={**os.environ, **given},
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._readers = [
            asyncio.create_task(self._read(self._process.stdout, self._take)),
            asyncio.create_task(
                self._read(self._process.stderr, lambda data: self._play.words(data.decode(errors="replace")))
            ),
        ]

    async def _read(self, stream: asyncio.StreamReader, take: Any) -> None:
        while data := await stream.read(2**16):
            take(data)

    def ended(self) -> bool:
        return self._process is not None and self._process.returncode is not None

    def code(self) -> int | None:
        return None if self._process is None else self._process.returncode

    async def end(self) -> None:
        assert self._process is not None
        self.ended_by_itself = self.ended()
        if not self.ended_by_itself:
            self._process.terminate()
        try:
            async with asyncio.timeout(UNTIL_OVER):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
            self._play.words("mon did not end after TERM\n")
        await asyncio.gather(*self._readers)
        self._process._transport.close()  # type: ignore[attr-defined]  # else Python warns of it later


_encode: Final = msgspec.json.Encoder(decimal_format="number").encode


def _request(watched: Watched, symbols: Sequence[str]) -> Any:
    from cli.run.options import StreamRequest

    request = StreamRequest(venue=watched.venue, symbols=list(symbols), **dict(watched.options))
    request.stream = watched.stream
    return request


@contextlib.contextmanager
def _environment(given: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in given}
    os.environ.update(given)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _piped(descriptor: int, take: Any) -> Iterator[None]:
    """Put a pipe in the place of stdout or stderr; the running loop reads it."""
    loop = asyncio.get_running_loop()
    kept = os.dup(descriptor)
    reading, writing = os.pipe()
    os.dup2(writing, descriptor)
    os.close(writing)
    os.set_blocking(reading, False)

    def read() -> None:
        with contextlib.suppress(BlockingIOError):
            while data := os.read(reading, 2**16):
                take(data)

    loop.add_reader(reading, read)
    try:
        yield
    finally:
        read()
        loop.remove_reader(reading)
        os.dup2(kept, descriptor)
        os.close(kept)
        os.close(reading)
