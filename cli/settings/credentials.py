"""How a secret is had: as it is, from a file, or from a command's first line of output.

Nothing here waits longer than `COMMAND_TIMEOUT`, and no value is ever part of a message.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import threading
import time
from typing import TYPE_CHECKING

from cli.errors import remember
from cli.settings.environment import expanded, shown_path, shown_program, without_secrets
from cli.settings.foreground import Terminal
from venues.errors import SetupError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cli.settings.environment import ConfiguredValue

COMMAND_TIMEOUT = 30.0  # seconds for a command, or for a pipe named as a file, to give a secret
LOOK_EVERY = 0.05  # seconds between two looks at whether a command has ended, or is wanted no more
LONGEST_SECRET = 16 * 1024  # bytes


def obtain(name: str, source: ConfiguredValue, unwanted: threading.Event | None = None) -> str:
    """A secret's value. The value is in no message.

    Raises:
        SetupError: it cannot be had, or it was said meanwhile that it is wanted no more.
    """
    unwanted = unwanted or threading.Event()
    if source.kind == "file":
        raw = _first_line_of_file(name, source, unwanted)
    elif source.kind == "command":
        raw = _first_line_of_command(name, source, unwanted)
    else:
        raw = str(source.value).encode(errors="surrogateescape")
    if len(raw) > LONGEST_SECRET:
        raise SetupError(f"expected a {name} of at most {LONGEST_SECRET} bytes from {source.origin}, got more")
    try:
        text = raw.decode().strip()
    except UnicodeDecodeError:
        raise SetupError(f"expected UTF-8 text as {name} from {source.origin}, got other bytes") from None
    if not text:
        raise SetupError(f"expected a {name} from {source.origin}, got nothing")
    if not text.isprintable():
        raise SetupError(f"expected a {name} from {source.origin}, got text with characters that none has")
    remember({name: text})
    return text


def _first_line_of_file(name: str, source: ConfiguredValue, unwanted: threading.Event) -> bytes:
    path = expanded(source.value, source.origin)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe that nobody writes to would be waited for
        try:
            return _first_line(descriptor, unwanted)
        finally:
            os.close(descriptor)
    except TimeoutError:
        raise SetupError(f"{shown_path(path)} ({source.origin}) gave no {name} within {COMMAND_TIMEOUT:g} s") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not the name of a file"
        raise SetupError(f"cannot read the {name} from {shown_path(path)} ({source.origin}): {reason}") from None


def _first_line_of_command(name: str, source: ConfiguredValue, unwanted: threading.Event) -> bytes:
    words = words_of(source)
    program = shown_program(words[0])
    try:
        command = _Command(words)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not the name of a program"
        raise SetupError(f"cannot run {program} ({source.origin}): {reason}") from None
    try:
        line = _first_line(command.output, unwanted, command.has_ended)
    except TimeoutError:
        asked = "; it asks on the terminal, which is another program's" if command.waits_for_terminal else ""
        raise SetupError(
            f"{program} ({source.origin}) did not give a {name} within {COMMAND_TIMEOUT:g} s{asked}"
        ) from None
    finally:
        command.end()
    if command.exit_code != 0:
        code = command.exit_code
        how = f"exit code {code}" if code > 0 else f"signal {-code}"
        raise SetupError(f"{program} ({source.origin}) ended with {how}; run it by hand to see why")
    return line


class _Command:
    """A program that gives a secret, in a process group of its own, so that all that it starts ends with it.

    A program of another group that reads the terminal is stopped by the system. It is then lent the terminal, as a
    shell does with a job in the foreground: it may have to ask for a password.
    """

    def __init__(self, words: list[str]) -> None:
        """Start the program.

        Raises:
            OSError: it cannot be run.
            ValueError: it is not the name of a program.
        """
        # What it says on stderr may be the secret too, so nobody is shown it.
        self._process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env=without_secrets(),
            process_group=0,
        )
        assert self._process.stdout is not None
        self.output = self._process.stdout.fileno()
        self.waits_for_terminal = False
        self._terminal: Terminal | None = None

    @property
    def exit_code(self) -> int:
        """The exit code as `subprocess` has it: negative for a program that a signal ended."""
        return self._process.returncode or 0

    def has_ended(self) -> bool:
        """Whether the program has ended. One that was stopped is lent the terminal."""
        if self._process.returncode is not None:
            return True
        found, status = os.waitpid(self._process.pid, os.WNOHANG | os.WUNTRACED)
        if found and os.WIFSTOPPED(status):
            self.waits_for_terminal = True
        elif found:
            self._take_status(status)
        if self.waits_for_terminal and self._process.returncode is None:
            self._lend()
        return self._process.returncode is not None

    def end(self) -> None:
        """End the program and all of its process group, and take the terminal back."""
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS: the group is a zombie's
            os.killpg(self._process.pid, signal.SIGKILL)
        if self._process.returncode is None:
            self._take_status(os.waitpid(self._process.pid, 0)[1])
        assert self._process.stdout is not None
        self._process.stdout.close()
        if self._terminal is not None:
            self._terminal.close()
            if self._process.returncode in (-signal.SIGINT, 128 + signal.SIGINT):
                os.kill(os.getpid(), signal.SIGINT)  # Ctrl-C went to the program alone, and was meant for us too

    def _lend(self) -> None:
        """Nothing while we are in the background ourselves; a later look may find us in the foreground."""
        self._terminal = self._terminal or Terminal()
        if self._terminal.lend(self._process.pid):
            self.waits_for_terminal = False
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGCONT)

    def _take_status(self, status: int) -> None:
        self._process.returncode = os.waitstatus_to_exitcode(status)


def _first_line(descriptor: int, unwanted: threading.Event, ended: Callable[[], bool] | None = None) -> bytes:
    """What comes before the first newline, or before the end; of more than `LONGEST_SECRET` bytes the beginning.

    `ended`: whether the program that writes has; it is waited for, but not for others that hold its output open.

    Raises:
        TimeoutError: too late, or wanted no more.
    """
    deadline = time.monotonic() + COMMAND_TIMEOUT
    watched = select.poll()
    watched.register(descriptor, select.POLLIN)
    line, complete, at_end = b"", False, False
    while True:
        over = at_end or complete if ended is None else ended()  # before reading, so that all it wrote is there
        if over and (at_end or complete):
            return line.partition(b"\n")[0]
        if unwanted.is_set() or time.monotonic() >= deadline:
            raise TimeoutError
        if at_end:
            unwanted.wait(LOOK_EVERY / 10)
        elif watched.poll(0 if over else LOOK_EVERY * 1000):
            chunk = os.read(descriptor, 2 * LONGEST_SECRET)
            at_end = not chunk
            if not complete:
                line += chunk
                complete = b"\n" in line or len(line) > LONGEST_SECRET
        else:
            at_end = over


def words_of(source: ConfiguredValue) -> list[str]:
    """The program and its arguments, with `~` as the user's home.

    Raises:
        SetupError: there is no home.
    """
    words: list[str] = source.value
    return [str(expanded(words[0], source.origin)) if words[0].startswith("~") else words[0], *words[1:]]
