"""Programs beside the test: scripts of Node.js, and `mon` itself, each telling JSON lines."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.warmed import AT_THE_START, for_shells

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

HERE = Path(__file__).parent
PATIENCE = 30.0
_LONGEST_LINE = 16 * 1024 * 1024

Line = dict[str, Any]


class Program:
    """A running program; `lines` are what it has told so far."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[Line] = []

    async def until(self, found: Callable[[list[Line]], bool]) -> list[Line]:
        """Read until the condition holds for all lines so far."""
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            while not found(self.lines):
                line = await self.process.stdout.readline()
                assert line, f"ended early: {await self._errors()}"
                self.lines.append(json.loads(line))
        return self.lines

    async def end(self) -> int:
        """Close its stdin, read what is left, and wait for it; its exit code."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        async with asyncio.timeout(PATIENCE):
            while line := await self.process.stdout.readline():
                self.lines.append(json.loads(line))
            return await self.process.wait()

    async def _errors(self) -> str:
        assert self.process.stderr is not None
        return (await self.process.stderr.read()).decode("utf-8", "replace")[-2_000:]


@contextlib.asynccontextmanager
async def started(*command: str, environment: Mapping[str, str]) -> AsyncIterator[Program]:
    """A program with only this environment; killed when the test is done with it."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *command, stdin=pipe, stdout=pipe, stderr=pipe, env=dict(environment), limit=_LONGEST_LINE
    )
    try:
        yield Program(process)
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        with contextlib.suppress(ConnectionError):
            await process.communicate()


class Node(NamedTuple):
    """Node.js, and where its packages are."""

    program: str
    modules: Path

    def run(self, script: str, job: Line) -> contextlib.AbstractAsyncContextManager[Program]:
        """A script of this folder at work; it is told to end by the end of its stdin."""
        environment = {"PATH": os.environ.get("PATH", ""), "NODE_PATH": str(self.modules)}
        return started(self.program, str(HERE / script), json.dumps(job), environment=environment)


def mon(*arguments: str, environment: Mapping[str, str], home: Path) -> contextlib.AbstractAsyncContextManager[Program]:
    """`mon` at work, without any configuration but these variables."""
    text = {name: os.environ[name] for name in AT_THE_START if name in os.environ}
    known = {"PATH": os.environ.get("PATH", ""), "HOME": str(home), "XDG_CONFIG_HOME": str(home), **text}
    return started(str(for_shells() / "mon"), *arguments, environment={**known, **environment})
