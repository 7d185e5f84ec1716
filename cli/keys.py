"""The keyboard while a table is up: single keys, and the terminal as before on every way out."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

try:
    import termios
    import tty
except ImportError:  # no such keyboard on this system
    termios = tty = None  # type: ignore[assignment]


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
