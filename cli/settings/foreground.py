"""Whose the terminal is: mon's, or for a while that of a program which asks a person for a secret."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WAIT_FOR_OWNER = 1.0  # seconds for whoever draws on the terminal to give it back

_owners: list[Callable[[Callable[[], None]], None]] = []


@contextlib.contextmanager
def owned(give_back: Callable[[Callable[[], None]], None]) -> Iterator[None]:
    """While this lasts, somebody draws on the terminal; `give_back` is called before a program gets the terminal.

    `give_back` may be called in any thread; it calls what it is given when the terminal is as it was.
    """
    _owners.append(give_back)
    try:
        yield
    finally:
        _owners.remove(give_back)


def in_foreground(descriptor: int) -> bool:
    """Whether a descriptor is a terminal that is ours now; a background job must neither read it nor draw on it."""
    try:
        return os.isatty(descriptor) and os.tcgetpgrp(descriptor) == os.getpgrp()
    except (OSError, AttributeError):
        return sys.platform == "win32"


class Terminal:
    """The terminal of this session, to be lent to the process group of a program; nothing where there is none."""

    def __init__(self) -> None:
        self._descriptor: int | None = None
        with contextlib.suppress(OSError):
            self._descriptor = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
        self._lent = False

    def lend(self, group: int) -> bool:
        """Put the group in the foreground, if we are there; False where that cannot be now."""
        if self._descriptor is None or not (self._lent or self._is_ours()):
            return False
        if not self._lent:
            _ask_owners()
        self._lent = self._hand_to(group)
        return self._lent

    def close(self) -> None:
        """Take the terminal back if it was lent, and close it."""
        if self._lent:
            self._hand_to(os.getpgrp())
            self._lent = False
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _is_ours(self) -> bool:
        try:
            return self._descriptor is not None and os.tcgetpgrp(self._descriptor) == os.getpgrp()
        except OSError:
            return False

    def _hand_to(self, group: int) -> bool:
        assert self._descriptor is not None, "there is a terminal"
        # The system stops a background process that hands the terminal over, unless this signal is blocked.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
        try:
            os.tcsetpgrp(self._descriptor, group)
        except OSError:
            return False
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return True


def _ask_owners() -> None:
    for give_back in _owners:
        done = threading.Event()
        give_back(done.set)
        done.wait(WAIT_FOR_OWNER)
