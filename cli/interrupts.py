"""Signals: Ctrl-C before an event loop takes it, and what an event loop hears."""

from __future__ import annotations

import contextlib
import signal
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterator, Mapping
    from types import FrameType

_came = False


def heed() -> None:
    """From now on Ctrl-C raises KeyboardInterrupt, as ever, and is remembered: what is raised within an import can be
    lost there. Who ignores it (nohup) goes on so."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _note)


def has_come() -> bool:
    """Whether Ctrl-C was pressed while nobody else took it."""
    return _came


@contextlib.contextmanager
def heard(calls: Mapping[int, Callable[[], object]]) -> Iterator[None]:
    """The running event loop makes these calls when these signals come.

    The loop's own `add_signal_handler` loses signals: it hears of them through the pipe that is also full of what other
    threads ask of it. And a Python handler alone is late: nothing wakes a loop without work when the signal comes to
    another thread of the process, or just before the loop begins to wait.
    """
    import asyncio
    import socket

    loop = asyncio.get_running_loop()
    ear, mouth = socket.socketpair()
    with contextlib.ExitStack() as stack:
        for end in (ear, mouth):
            stack.callback(end.close)
            end.setblocking(False)
        loop.add_reader(ear, ear.recv, 4096)
        stack.callback(loop.remove_reader, ear)
        before = signal.set_wakeup_fd(mouth.fileno(), warn_on_full_buffer=False)
        stack.callback(signal.set_wakeup_fd, before, warn_on_full_buffer=False)
        for number, call in calls.items():
            stack.callback(signal.signal, number, signal.signal(number, _through(loop, call)))
        yield


def asked_to_end(end: Callable[[int], object]) -> contextlib.AbstractContextManager[None]:
    """Ctrl-C and TERM call `end` with the exit code, in the running event loop."""
    from cli.errors import INTERRUPTED, TERMINATED  # here: before `heed` nothing is loaded that can be done without

    return heard({signal.SIGINT: partial(end, INTERRUPTED), signal.SIGTERM: partial(end, TERMINATED)})


def _through(loop: asyncio.AbstractEventLoop, call: Callable[[], object]) -> Callable[[int, FrameType | None], object]:
    return lambda number, frame: loop.call_soon_threadsafe(call)


def _note(number: int, frame: FrameType | None) -> None:
    global _came
    _came = True
    raise KeyboardInterrupt
