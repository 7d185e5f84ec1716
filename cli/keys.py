"""The keyboard while a table is up: single keys, and the terminal as before on every way out."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextlib.contextmanager
def watched(on_key: Callable[[str], None]) -> Iterator[bool]:
    """Calls `on_key` for each key pressed; gives False where there is no keyboard."""
    try:
        import termios
        import tty

        descriptor = sys.stdin.fileno()
        before = termios.tcgetattr(descriptor)
        # A background job that changes the terminal would be stopped.
        in_foreground = os.tcgetpgrp(descriptor) == os.getpgrp()
    except (ImportError, AttributeError, OSError, ValueError, termios.error):
        yield False
        return
    if not in_foreground:
        yield False
        return
    loop = asyncio.get_running_loop()

    def read() -> None:
        keys = os.read(descriptor, 64)
        if not keys:
            loop.remove_reader(descriptor)
        for key in keys.decode(errors="ignore"):
            on_key(key)

    tty.setcbreak(descriptor, termios.TCSANOW)
    loop.add_reader(descriptor, read)
    try:
        yield True
    finally:
        loop.remove_reader(descriptor)
        termios.tcsetattr(descriptor, termios.TCSANOW, before)
