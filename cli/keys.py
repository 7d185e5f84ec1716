"""The keyboard while a table is up: single keys, and the terminal as before on every way out."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from cli.screen import Table

try:
    import termios
    import tty
except ImportError:  # no such keyboard on this system
    termios = tty = None  # type: ignore[assignment]


LOOK_EVERY = 0.25  # seconds


def take_terminal(stack: contextlib.ExitStack, table: Table, on_key: Callable[[str], None]) -> None:
    """Single keys for a table, and a way to stop and go on (Ctrl-Z, fg) that leaves no mess; until the stack ends."""
    loop = asyncio.get_running_loop()
    keyboard = Keyboard(on_key)

    def stop() -> None:
        table.restore()
        keyboard.release()
        os.kill(os.getpid(), signal.SIGSTOP)

    next_look: asyncio.Handle | None = None

    def look() -> None:
        nonlocal next_look
        keyboard.take()  # a shell that brings a running job to the foreground (bg, then fg) tells nobody
        next_look = loop.call_later(LOOK_EVERY, look)

    def release() -> None:
        if next_look is not None:
            next_look.cancel()  # the loop may turn once more, and must not take the keyboard again
        keyboard.release()

    stack.callback(table.restore)
    stack.callback(release)
    look()
    loop.add_signal_handler(signal.SIGTSTP, stop)
    stack.callback(loop.remove_signal_handler, signal.SIGTSTP)


class Keyboard:
    """Calls `on_key` for each key pressed, from `take` to `release`; does nothing where there is no keyboard."""

    def __init__(self, on_key: Callable[[str], None]) -> None:
        self._on_key = on_key
        self._before: list[Any] | None = None
        self._taken = False

    def take(self) -> None:
        """Single keys from now on; also after a stop, when the shell has set the terminal to its own liking."""
        if self._taken or termios is None or not in_foreground(0):
            return
        with contextlib.suppress(OSError, termios.error):
            self._before = self._before or termios.tcgetattr(0)
            tty.setcbreak(0, termios.TCSANOW)
            asyncio.get_running_loop().add_reader(0, self._read)
            self._taken = True

    def release(self) -> None:
        """The terminal as it was."""
        if not self._taken or self._before is None:
            return
        self._taken = False
        asyncio.get_running_loop().remove_reader(0)
        with contextlib.suppress(OSError, termios.error):
            termios.tcsetattr(0, termios.TCSANOW, self._before)

    def _read(self) -> None:
        keys = os.read(0, 64)
        if not keys:
            asyncio.get_running_loop().remove_reader(0)
        for key in keys.decode(errors="ignore"):
            self._on_key(key)


def in_foreground(descriptor: int) -> bool:
    """Whether a descriptor is a terminal that is ours now; a background job must neither read it nor draw on it."""
    try:
        return os.isatty(descriptor) and os.tcgetpgrp(descriptor) == os.getpgrp()
    except (OSError, AttributeError):
        return sys.platform == "win32"
