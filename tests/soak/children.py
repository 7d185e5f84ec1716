"""The processes of the soak: started, read as their part says, stopped, continued, resized, ended."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import selectors
import shlex
import signal
import struct
import subprocess
import termios
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pyte

from tests.soak import clocks
from tests.soak.kept import Kept, Record
from tests.soak.resources import Round, Sample

LINES_KEPT = 200  # the last ones, written down where something is wrong
END_OF_FRAME = b"\x1b[?2026l"
QUESTION = b"\x1b[5n"  # which may follow on it
SLOW_EVERY, SLOW_BYTES = 2.0, 4096  # seconds between two looks of the slow reader, and what it takes then
_decode = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal).decode


class Pump:
    """One thread that reads everything. `before`: when it had read all there was, the last time but this one."""

    def __init__(self) -> None:
        self.before = self._began = time.monotonic()
        self._selector = selectors.DefaultSelector()

    def add(self, descriptor: int, read: Callable[[], bool]) -> None:
        """Call `read` when there is something; it says whether there may be more."""
        os.set_blocking(descriptor, False)
        self._selector.register(descriptor, selectors.EVENT_READ, read)

    def drop(self, descriptor: int) -> None:
        """Look at it no more."""
        with contextlib.suppress(KeyError):
            self._selector.unregister(descriptor)

    def turn(self, seconds: float) -> None:
        """Read what is there, for at most so long without anything."""
        self.before, self._began = self._began, time.monotonic()
        for key, _ in self._selector.select(seconds):
            if not key.data():
                self.drop(key.fd)

    def close(self) -> None:
        """End it."""
        self._selector.close()


class Lines:
    """A pipe that is read line by line."""

    def __init__(self, descriptor: int, take: Callable[[bytes], None]) -> None:
        self.descriptor = descriptor
        self._rest = b""
        self._take = take

    def read(self, most: int = 65536) -> bool:
        """Read once; False at the end."""
        try:
            data = os.read(self.descriptor, most)
        except BlockingIOError:
            return True
        except OSError:
            return False
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._take(line)
        return bool(data)


class Child(ABC):
    """A process of `mon`."""

    def __init__(self, name: str, command: Sequence[str], env: Mapping[str, str], folder: Path, group: int) -> None:
        self.name = name
        self.group = group
        self.said = folder / f"{name.replace(' ', '-').replace('/', '')}.stderr"
        self.samples: list[Sample] = []
        self.rounds: list[Round] = []
        self.faults: list[str] = []
        self.kept = Kept()
        self.began = time.monotonic()
        self.stopped_at: float | None = None
        self._command = [*map(str, command)]
        self._env = dict(env)

    @abstractmethod
    def start(self, pump: Pump) -> None:
        """Start it and have it read."""

    process: subprocess.Popen[bytes]

    def stop(self) -> None:
        """SIGSTOP."""
        self.stopped_at = time.monotonic()
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """SIGCONT, where it was stopped."""
        if self.stopped_at is not None:
            self.process.send_signal(signal.SIGCONT)
            self.stopped_at = None

    def fault(self, words: str) -> None:
        """Note what is wrong; of very many only the first."""
        if len(self.faults) < 20:
            self.faults.append(words)

    def kill(self) -> None:
        """End it, whatever it does."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        clocks.forget(self.process.pid)

    def last_lines(self) -> list[bytes]:
        """What it printed last."""
        return []


class _InAPipe(Child):
    """One whose stdout is a pipe."""

    def _begin(self, take: Callable[[bytes], None]) -> Lines:
        """Start it; the lines that it prints are for `take`."""
        with self.said.open("wb") as said:
            self.process = subprocess.Popen(
                self._command, env=self._env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said
            )
        assert self.process.stdout is not None
        return Lines(self.process.stdout.fileno(), take)

    def kill(self) -> None:
        super().kill()
        if self.process.stdout is not None:
            self.process.stdout.close()


class Piped(_InAPipe):
    """One whose lines are read; `told` gets each record, and when it came. `slow`: by a reader that takes its time."""

    def __init__(self, *given: Any, told: Callable[[Piped, Record, float], None], slow: bool = False) -> None:
        super().__init__(*given)
        self.slow = slow
        self._told = told
        self._last: deque[bytes] = deque(maxlen=LINES_KEPT)
        self._look = 0.0

    def start(self, pump: Pump) -> None:
        self.lines = self._begin(self._line)
        if self.slow:
            os.set_blocking(self.lines.descriptor, False)
        else:
            pump.add(self.lines.descriptor, self.lines.read)

    def look(self, now: float) -> None:
        """What a slow reader does."""
        if self.slow and now >= self._look:
            self._look = now + SLOW_EVERY
            self.lines.read(SLOW_BYTES)

    def _line(self, line: bytes) -> None:
        now = time.monotonic()
        self._last.append(line)
        try:
            record: Record = _decode(line)
        except msgspec.MsgspecError as error:
            self.fault(f"a line that is no JSON ({error}): {line[:80]!r}")
            return
        self._told(self, record, now)
        self.kept.take(record, now)

    def last_lines(self) -> list[bytes]:
        return [*self._last]


class OnTerminal(Child):
    """One with a table on a pseudo terminal, with the screen as a person would see it."""

    def __init__(self, *given: Any, width: int = 110, height: int = 34) -> None:
        super().__init__(*given)
        self.screen = pyte.Screen(width, height)
        self.screen.write_process_input = self.press  # what it is asked it answers
        self._stream = pyte.ByteStream(self.screen)
        self._tail: deque[bytes] = deque(maxlen=LINES_KEPT)
        self._end = b""
        self.framed_at = 0.0  # when the last frame came
        self.judged_at = 0.0

    def start(self, pump: Pump) -> None:
        self._own, theirs = pty.openpty()
        self.resize(self.screen.columns, self.screen.lines)
        self.before = termios.tcgetattr(self._own)
        with self.said.open("wb"):
            pass  # a table's words are in its footer
        self.process = subprocess.Popen(
            self._command,
            env={"TERM": "xterm-256color", "LANG": "C.UTF-8", **self._env},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(1, termios.TIOCSCTTY, 0),
        )
        os.close(theirs)
        pump.add(self._own, self._read)

    def _read(self) -> bool:
        try:
            data = os.read(self._own, 65536)
        except BlockingIOError:
            return True
        except OSError:  # the process is gone
            return False
        self.kept.records += data.count(END_OF_FRAME)  # frames
        if b"Traceback" in data:
            self.fault("a traceback on the terminal")
        self._tail.append(data)
        self._end = (self._end + data)[-len(END_OF_FRAME + QUESTION) :]
        self._stream.feed(data)
        return bool(data)

    def resize(self, width: int, height: int) -> None:
        """What a window manager does."""
        fcntl.ioctl(self._own, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        self.screen.resize(height, width)

    def press(self, keys: str) -> None:
        """What a person does."""
        with contextlib.suppress(BlockingIOError, OSError):
            os.write(self._own, keys.encode())

    def text(self) -> str:
        """What the screen shows."""
        return "\n".join(line.rstrip() for line in self.screen.display)

    @property
    def is_whole(self) -> bool:
        """Whether what the screen shows is a whole frame."""
        return self._end.endswith((END_OF_FRAME, END_OF_FRAME + QUESTION))

    def left_as_it_was(self) -> bool:
        """Whether the terminal has the modes that it had before."""
        return bool(termios.tcgetattr(self._own) == self.before)

    def last_lines(self) -> list[bytes]:
        return [b"".join(self._tail)]

    def kill(self) -> None:
        super().kill()
        with contextlib.suppress(OSError):
            os.close(self._own)


class Server(_InAPipe):
    """A `mon sim`."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.exports: dict[str, str] = {}
        self.is_up = False

    def start(self, pump: Pump) -> None:
        lines = self._begin(self._line)
        pump.add(lines.descriptor, lines.read)

    def _line(self, line: bytes) -> None:
        words = line.decode()
        if words.startswith("export "):
            name, _, value = words.removeprefix("export ").partition("=")
            self.exports[name] = shlex.split(value)[0]
        self.is_up = self.is_up or "e.g. mon" in words
