"""A Python that has loaded `mon` and its libraries, and forks for each `mon` that a test starts. See tests/warmed.py.

Loaded, and no more: every `mon` reads its own environment, does all its work and ends by itself. That loading does
nothing else, and that no module needs another to be there before it, is tested in tests/test_running.py. It is one
thread, as a process that forks has to be.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import gc
import importlib
import io
import json
import os
import runpy
import selectors
import signal
import socket
import sys
import termios
import threading
import time
import warnings
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

LIBRARIES = (
    *("asyncio", "decimal", "fractions", "gzip", "hashlib", "importlib.metadata", "json", "logging", "random", "ssl"),
    *("subprocess", "tempfile", "tomllib", "urllib.request", "zoneinfo"),
    *("concurrent.futures.thread", "ctypes", "encodings.utf_16_be", "termios", "tty", "statistics", "resource"),
    *("aiohttp", "aiohttp.web", "msgspec", "platformdirs", "rich.console", "rich.table", "rich.text", "rich.panel"),
    *("signalrcore", "engineio.packet", "socketio.packet", "engineio.async_drivers.aiohttp"),
    *("typer", "typer.completion", "typer.rich_utils", "typer._adapters", "typer._click.decorators"),  # pydantic too
    *("pydantic.plugin._loader", "websockets.asyncio.client", "websockets.asyncio.server", "numpy", "croniter"),
)
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OURS = ("cli", "venues")
NOT_FOR_RUNNING = ("__main__.py", os.path.join("venues", "testing", ""))  # and what needs pytest
HEAD = 4  # bytes that say how long a request is
DESCRIPTORS = 4  # stdin, stdout, stderr, and where the exit status is told


def own_modules(*packages: str) -> list[str]:
    """The modules of `mon`, by name."""
    names = []
    for package in packages or OURS:
        for folder, _, files in os.walk(os.path.join(ROOT, package)):
            for file in files:
                path = os.path.join(folder, file)
                if file.endswith(".py") and not any(part in path for part in NOT_FOR_RUNNING):
                    names.append(os.path.relpath(path, ROOT)[:-3].replace(os.sep, ".").removesuffix(".__init__"))
    return sorted(names)


def load(names: Iterable[str]) -> None:
    """Load modules; one that cannot be loaded is told by the `mon` that needs it."""
    for name in names:
        with contextlib.suppress(Exception):
            importlib.import_module(name)


def serve(asked: socket.socket) -> dict[str, Any] | None:
    """Forks for each request. Returns it in the new process, and None in this one when nobody asks more."""
    told: dict[int, int] = {}  # where the end of each process is told
    awake, woken = socket.socketpair()
    awake.setblocking(False)
    woken.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(awake.fileno())
    with selectors.DefaultSelector() as selector:
        selector.register(asked, selectors.EVENT_READ)
        selector.register(woken, selectors.EVENT_READ)
        while True:
            ready = [key.fileobj for key, _ in selector.select()]
            if woken in ready:
                with contextlib.suppress(BlockingIOError):
                    woken.recv(4096)
                _tell_ends(told)
            if asked not in ready:
                continue
            head, descriptors, _, _ = socket.recv_fds(asked, HEAD, DESCRIPTORS)
            if not head:
                return None
            request = json.loads(_whole(asked, int.from_bytes(head)))
            pid = os.fork()
            if not pid:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for one in (asked, awake, woken):
                    one.close()
                for descriptor in told.values():
                    os.close(descriptor)
                _become(request, descriptors)
                return request
            told[pid] = descriptors[-1]
            for descriptor in descriptors[:-1]:
                os.close(descriptor)
            _tell(told[pid], pid)


def _whole(asked: socket.socket, length: int) -> bytes:
    text = b""
    while len(text) < length:
        text += asked.recv(length - len(text))
    return text


def _tell_ends(told: dict[int, int]) -> None:
    """Those that have ended, with the status that `wait` gives."""
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            _tell(told[pid], status)
            os.close(told.pop(pid))


def _tell(descriptor: int, number: int) -> None:
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # whoever started it is no more interested
        os.write(descriptor, f"{number}\n".encode())


def _become(request: dict[str, Any], descriptors: list[int]) -> None:
    """What `exec` would do: descriptors, folder, environment, where modules are found, and the standard files.

    With `terminal`, it is a session of its own, whose terminal its stdout is; with `strict`, a warning is an error.
    """
    for number, descriptor in enumerate(descriptors[:3]):
        os.dup2(descriptor, number)
    for descriptor in descriptors:
        if descriptor > 2:
            os.close(descriptor)
    if request["terminal"]:
        os.setsid()
        fcntl.ioctl(1, termios.TIOCSCTTY, 0)
    if request["strict"]:
        warnings.simplefilter("error")
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))
    sys.argv = request["arguments"]
    places = os.environ.get("PYTHONPATH", "")
    first = request["folder"] if request["module"] else os.path.dirname(sys.argv[0])
    sys.path[:] = [first, *(places.split(os.pathsep) if places else ()), *request["path"]]
    importlib.invalidate_caches()
    now = (sys.stdin, sys.stdout, sys.stderr)
    files = [_standard(number, before) for number, before in enumerate(now)]
    sys.stdin, sys.stdout, sys.stderr = files
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = files  # type: ignore[misc]


def _standard(number: int, before: Any) -> io.TextIOWrapper:
    """As Python makes them at its start."""
    mode = "wb" if number else "rb"
    file = open(number, mode, closefd=False)  # noqa: SIM115  it is open until Python ends
    file.raw.name = before.name
    at_lines = number == 2 or os.isatty(number)
    text = io.TextIOWrapper(file, before.encoding, before.errors, "\n", line_buffering=at_lines)
    text.mode = before.mode
    return text


def _end(run: Callable[[], object]) -> NoReturn:
    """Runs to the end that Python would come to by itself, but for what costs more than most runs of `mon`.

    Python would take down all that was loaded before the fork, and the system would copy each of its pages for that.
    What else is done at an end is done: threads are waited for, functions for the exit called, stdout and stderr
    written, and garbage is collected and says what it has to. What is unusual is left to Python: an exception, a thread
    that is left, a stdout that takes nothing.
    """
    code: object = 0
    try:
        run()
    except SystemExit as end:
        code = 0 if end.code is None else end.code
        if not isinstance(code, int):
            raise
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    with contextlib.suppress(AttributeError, OSError, ValueError):
        _write_out()
        if threading.active_count() == 1:
            gc.collect()
            _write_out()
            os._exit(code & 0xFF)
    sys.exit(code)


def _write_out() -> None:
    for file in (sys.stdout, sys.stderr):
        file.flush()


if __name__ == "__main__":
    sys.path.insert(0, ROOT)
    load(LIBRARIES)
    load(own_modules())
    sys.path.remove(ROOT)
    gc.collect()
    gc.freeze()
    request = serve(socket.socket(fileno=int(sys.argv[1])))
    if request is not None and request["module"]:
        del sys.modules["__main__"]
        name = request["module"]
        _end(lambda: runpy.run_module(name, run_name="__main__", alter_sys=True))
    elif request is not None:
        from cli.__main__ import main

        _end(main)
