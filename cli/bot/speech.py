"""What the host and the script say, exceptions included: on stderr, or, while a table is up, in its footer."""

from __future__ import annotations

import contextlib
import io
import logging
import sys
import threading
import traceback
from collections import Counter, deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.output.lines import STDERR, is_terminal
from cli.output.statuses import SAID_EVERY, Seldom

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from cli.output.lines import Words
    from venues.redaction import Redactor

MOST_WAITING = 100  # words that wait to be said before the script waits; asyncio hears of a few hundred at a time
ROOM_WITHIN = 1.0  # seconds that it waits
MOST_KEPT = 50  # texts that are said again when the table is gone
HOST = str(Path(__file__).parent / "_")[:-1]  # the frames of whose files are left out of tracebacks
MOST_LINES = 60  # of a traceback


class BotVoice:
    """Says things in order. It is made in the thread of the event loop, and may be called from any thread."""

    def __init__(self, words: Words, redactor: Redactor, loop: asyncio.AbstractEventLoop) -> None:
        self._words = words
        self._redactor = redactor
        self._loop = loop
        self._loop_thread = threading.get_ident()
        self._room = threading.Semaphore(MOST_WAITING)  # a script that prints without end must leave us room to end
        self._notice: Callable[[str], None] | None = None
        self._kept: deque[str] = deque(maxlen=MOST_KEPT)
        self._seldom = Seldom(self._say)
        self._often = Seldom(lambda text: self._error(text, text))
        self._faults: Counter[tuple[Any, ...]] = Counter()
        self._fault_told: dict[tuple[Any, ...], int] = {}
        self._fault_words: dict[tuple[Any, ...], str] = {}

    def say(self, text: str) -> None:
        """Say a notice. It is left out with --quiet."""
        self._soon(self._say, text)

    def error(self, text: str, short: str | None = None) -> None:
        """Say an error. It is never left out; `short` is one line of it, for a footer."""
        self._soon(self._error, text, short or text)

    def seldom(self, kind: str, text: str) -> None:
        """Say a notice of a kind that may come in floods: of each kind, only the latest in a second."""
        self._soon(self._seldom.say, kind, text)

    def often(self, kind: str, text: str) -> None:
        """As `seldom`, for what is never left out: each text of a kind has all that the one before it said."""
        self._soon(self._often.say, kind, text)

    def fault(self, error: BaseException, where: str, name: str) -> None:
        """Say an exception of the script: in full the first time, then its count, at most once a second."""
        place = place_of(error)
        key = (where, type(error), place)
        self._faults[key] += 1
        what = f"{name}: {type(error).__name__} in {where}" + ("" if place is None else f" at line {place[1]}")
        if key not in self._fault_told:
            self._fault_told[key] = 1
            self._fault_words[key] = what
            self.error(f"{name}: an exception in {where}; the bot goes on\n{script_traceback(error)}", what)
        elif self._fault_told[key] != -1:
            self._fault_told[key] = -1  # the next count is on its way
            self._soon(self._loop.call_later, SAID_EVERY, self._say_count, key)

    def faults(self) -> int:
        """How many exceptions the script has raised so far."""
        return self._faults.total()

    def to_footer(self, notice: Callable[[str], None] | None) -> None:
        """Say things in a table's footer from now on. With None, on stderr again, and first what was kept."""
        self._notice = notice
        if notice is None:
            while self._kept:
                self._words.error(self._kept.popleft())

    def last_words(self) -> None:
        """Say what was held back until now."""
        self._seldom.last_words()
        self._often.last_words()
        for key, told in self._fault_told.items():
            if self._faults[key] > 1 and told != self._faults[key]:
                self._say_count(key)

    def _soon(self, call: Callable[..., Any], *arguments: Any) -> None:
        waits = threading.get_ident() != self._loop_thread and self._room.acquire(timeout=ROOM_WITHIN)

        def say() -> None:
            if waits:
                self._room.release()
            call(*arguments)

        with contextlib.suppress(RuntimeError):  # the loop is gone, and so is whoever listened
            self._loop.call_soon_threadsafe(say)

    def _say(self, text: str) -> None:
        text = self._redactor.text(text)
        if self._notice is not None:
            self._notice(text)
        if self._notice is None or not is_terminal(STDERR):
            self._words.say(text)

    def _error(self, text: str, short: str) -> None:
        text = self._redactor.text(text)
        if self._notice is not None:
            self._notice(self._redactor.text(short))
            if is_terminal(STDERR):
                self._kept.append(text)
                return
        self._words.error(text)

    def _say_count(self, key: tuple[Any, ...]) -> None:
        count = self._faults[key]
        self._fault_told[key] = count
        text = f"{self._fault_words[key]}: {count:,} times so far"
        if self._notice is not None:
            self._notice(text)
        if self._notice is None or not is_terminal(STDERR):
            self._words.error(text)


class VoiceOf:
    """A voice for one of several scripts: its name is before all that is said of it, and no other's takes its place."""

    def __init__(self, name: str, voice: BotVoice) -> None:
        self._name = name
        self._voice = voice

    def say(self, text: str) -> None:
        """As the voice's own."""
        self._voice.say(f"{self._name}: {text}")

    def error(self, text: str) -> None:
        """As the voice's own."""
        self._voice.error(f"{self._name}: {text}")

    def seldom(self, kind: str, text: str) -> None:
        """As the voice's own."""
        self._voice.seldom(f"{self._name}: {kind}", f"{self._name}: {text}")

    def often(self, kind: str, text: str) -> None:
        """As the voice's own."""
        self._voice.often(f"{self._name}: {kind}", f"{self._name}: {text}")


class LogLines(logging.Handler):
    """The script's `logger`: one line a record, with its level."""

    def __init__(self, voice: BotVoice, name: str) -> None:
        super().__init__()
        self._voice = voice
        self._name = name

    def emit(self, record: logging.LogRecord) -> None:
        """Say a record. One that cannot be formatted is an exception of the script."""
        try:
            text = record.getMessage()
        except Exception as error:
            self._voice.fault(error, "logger", self._name)
            return
        if record.exc_info and record.exc_info[1] is not None:
            text += f"\n{script_traceback(record.exc_info[1])}"
        self._voice.error(f"[{self._name}] {record.levelname}: {text}")


class _WholeLines:
    """Puts whole lines of what is written, each thread's apart."""

    def __init__(self, put: Callable[[str], None]) -> None:
        self._put = put
        self._begun = threading.local()

    def write(self, text: str) -> None:
        *lines, rest = (getattr(self._begun, "text", "") + text).split("\n")
        self._begun.text = rest
        for line in lines:
            self._put(line)

    def rest(self) -> None:
        if getattr(self._begun, "text", ""):
            self._put(self._begun.text)
            self._begun.text = ""


class ScriptOutput(io.TextIOBase):
    """In the place of stdout and stderr while a script runs: `print` must not get between the records."""

    encoding = "utf-8"

    def __init__(self, put: Callable[[str], None]) -> None:
        self._lines = _WholeLines(put)

    def write(self, text: str) -> int:
        """Take text that the script prints."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self._lines.write(text)
        return len(text)

    def writable(self) -> bool:
        """Whether it can be written to: always."""
        return True

    def rest(self) -> None:
        """Put out what has not ended its line."""
        self._lines.rest()


def _beside_a_table(put: Callable[[str], None], real: Any) -> Any:
    """A `ScriptOutput` for a process whose table is drawn by rich.

    rich writes to whatever `sys.stdout` is, and puts a proxy of its own there while it draws, unless it finds one.
    """
    from rich.console import Console
    from rich.file_proxy import FileProxy

    class Proxy(FileProxy):
        def __init__(self) -> None:
            super().__init__(Console(file=real), real)
            self._own_lines = _WholeLines(put)

        def write(self, text: str) -> int:
            self._own_lines.write(text)
            return len(text)

        def flush(self) -> None:
            """Do nothing: lines go out as they end."""

        def isatty(self) -> bool:
            return False

        def rest(self) -> None:
            self._own_lines.rest()

    return Proxy()


@contextlib.contextmanager
def redirected(put: Callable[[str], None], *, table: bool) -> Iterator[None]:
    """While it lasts, what the script prints goes to `put` line by line, and its stdin is empty.

    Afterwards, what threads of the script still print is dropped: stdout is for data, to the end of the process.
    """
    known = set(threading.enumerate())
    before = (sys.stdin, sys.stdout, sys.stderr)
    outputs = [_beside_a_table(put, real) if table else ScriptOutput(put) for real in before[1:]]
    with open("/dev/null", encoding="utf-8") as nothing:
        sys.stdin, sys.stdout, sys.stderr = nothing, *outputs
        try:
            yield
        finally:
            for output in outputs:
                output.rest()
            sys.stdin, sys.stdout, sys.stderr = before
            if set(threading.enumerate()) - known:
                unheard()


def unheard() -> None:
    """Drop whatever is printed from now on."""
    sys.stdout = ScriptOutput(lambda line: None)


# --- exceptions of the script --------------------------------------------------------------------------------------


def script_traceback(error: BaseException) -> str:
    """The traceback of an exception as Python writes it, without the frames of the host."""
    told = traceback.TracebackException.from_exception(error, compact=True)
    _cut(told, set())
    lines = "".join(told.format()).rstrip("\n").splitlines()
    if len(lines) > MOST_LINES:
        half = MOST_LINES // 2
        lines = [*lines[:half], f"  … {len(lines) - 2 * half} lines …", *lines[-half:]]
    return "\n".join(lines)


def place_of(error: BaseException) -> tuple[str, int] | None:
    """File and line of the script's innermost frame; None when the script has none."""
    found = None
    step: TracebackType | None = error.__traceback__
    while step is not None:
        if not is_host(step.tb_frame.f_code.co_filename):
            found = step.tb_frame.f_code.co_filename, step.tb_lineno
        step = step.tb_next
    return found


def is_host(filename: str) -> bool:
    """Whether a file with this name is one of the host, or of what Python imports with on its behalf."""
    return filename.startswith((HOST, "<frozen importlib"))


def _cut(told: traceback.TracebackException, seen: set[int]) -> None:
    if id(told) in seen:
        return
    seen.add(id(told))
    told.stack = traceback.StackSummary.from_list([frame for frame in told.stack if not is_host(frame.filename)])
    for other in (told.__cause__, told.__context__, *(told.exceptions or () if hasattr(told, "exceptions") else ())):
        if other is not None:
            _cut(other, seen)
