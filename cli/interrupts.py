"""Signals: Ctrl-C before an event loop takes it, what an event loop hears, and an end that nothing can hold up."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from functools import partial
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine, Iterator, Mapping
    from types import FrameType

T = TypeVar("T")

END_WITHIN = 0.7  # seconds from Ctrl-C or TERM to the end, whatever hangs
JOIN_WITHIN = 0.1  # seconds for what runs off the loop, such as a token command that is being ended

_came = False  # whether Ctrl-C came while no event loop took it
_ends_hard = False  # whether the end that nothing can hold up has begun
_owns_process = False  # else we are inside a test, say, and must not end what is not ours
_grace = 0.0  # seconds more that an end may take
_at_hard_end: list[Callable[[], object]] = []


def heed() -> None:
    """Let Ctrl-C raise KeyboardInterrupt, as ever, and remember it: what is raised within an import can be lost there.

    A process that ignores Ctrl-C (nohup) goes on ignoring it.
    """
    global _owns_process
    _owns_process = True
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _note)


def all_is_done() -> None:
    """End at once on Ctrl-C from now on: only Python's own end is left, which would tell of it in a traceback."""
    if signal.getsignal(signal.SIGINT) is _note:
        signal.signal(signal.SIGINT, lambda number, frame: os._exit(128 + number))


def has_come() -> bool:
    """Whether Ctrl-C was pressed while nobody else took it."""
    return _came


@contextlib.contextmanager
def heard(calls: Mapping[int, Callable[[], object]], *, ends: bool = False) -> Iterator[None]:
    """The running event loop makes these calls when these signals come; with `ends` they end the process.

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
            stack.callback(signal.signal, number, signal.signal(number, _through(loop, call, ends=ends)))
        yield


def asked_to_end(end: Callable[[int], object]) -> contextlib.AbstractContextManager[None]:
    """Call `end` with the exit code at Ctrl-C and at TERM, in the running event loop.

    Should the loop, or what comes after it, hang for longer than `END_WITHIN`, the process ends all the same.
    """
    from cli.errors import INTERRUPTED, TERMINATED  # here: before `heed` nothing is loaded that can be done without

    return heard({signal.SIGINT: partial(end, INTERRUPTED), signal.SIGTERM: partial(end, TERMINATED)}, ends=True)


@contextlib.contextmanager
def at_hard_end(call: Callable[[], object]) -> Iterator[None]:
    """While this lasts, `call` is made also when the process has to be ended hard; in another thread."""
    _at_hard_end.append(call)
    try:
        yield
    finally:
        _at_hard_end.remove(call)


def run_loop(main: Coroutine[object, object, T]) -> T:
    """As `asyncio.run`, but nothing that still runs off the loop, such as a lookup of a name, holds up the end."""
    import asyncio

    from cli.threads import Unawaited

    unawaited = Unawaited()

    async def run() -> T:
        asyncio.get_running_loop().set_default_executor(unawaited)
        return await main

    try:
        return asyncio.run(run())
    finally:
        unawaited.join(JOIN_WITHIN)


def _through(
    loop: asyncio.AbstractEventLoop, call: Callable[[], object], *, ends: bool
) -> Callable[[int, FrameType | None], object]:
    def on_signal(number: int, frame: FrameType | None) -> None:
        if ends and _owns_process:
            _end_hard_soon(128 + number)
        with contextlib.suppress(RuntimeError):  # the loop is closed: it has ended
            loop.call_soon_threadsafe(call)

    return on_signal


@contextlib.contextmanager
def may_take(seconds: float) -> Iterator[None]:
    """While this lasts, the end may take so many seconds more, unless one more signal comes."""
    global _grace
    _grace = seconds
    try:
        yield
    finally:
        _grace = 0.0


def _end_hard_soon(code: int) -> None:
    global _ends_hard
    if _ends_hard and not _grace:
        return
    within = END_WITHIN if _ends_hard else END_WITHIN + _grace
    _ends_hard = True

    def end() -> None:
        for call in reversed(_at_hard_end):
            with contextlib.suppress(Exception):
                call()
        os._exit(code)

    timer = threading.Timer(within, end)
    timer.daemon = True
    timer.start()


def _note(number: int, frame: FrameType | None) -> None:
    global _came
    if _came or _ends_hard:  # what is being ended already must not be interrupted, which would be told in a traceback
        os._exit(128 + number)
    _came = True
    raise KeyboardInterrupt
