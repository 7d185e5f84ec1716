"""A Python that has loaded `mon` and its libraries, and forks for each `mon` that a test starts. See tests/warmed.py.

Loaded, and no more: every `mon` reads its own environment, does all its work and ends by itself. That loading does
nothing else, and that no module needs another to be there before it, is tested in tests/test_running.py. It is one
thread, as a process that forks has to be.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
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
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

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
    at_lines = number == 2 or os.isatty(number)
    return io.TextIOWrapper(file, before.encoding, before.errors, "\n", line_buffering=at_lines)


def _leave_what_was_loaded(names: set[str]) -> None:
    """Python would take down what was loaded before, and the system would copy for that every page which is shared.

    What a `mon` has made itself is taken down as ever. The last that is done at the exit.
    """
    if threading.active_count() > 1:
        return  # one that still runs may load something
    kept = [sys.modules.pop(name, None) for name in names]
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(kept))  # nobody gives it back


if __name__ == "__main__":
    loaded: set[str] = set()
    atexit.register(_leave_what_was_loaded, loaded)  # first, and so the last one that is called
    sys.path.insert(0, ROOT)
    load(LIBRARIES)
    load(own_modules())
    sys.path.remove(ROOT)
    loaded.update(sys.modules.keys() - {"sys", "builtins", "__main__"})
    gc.collect()
    gc.freeze()
    request = serve(socket.socket(fileno=int(sys.argv[1])))
    if request is not None and request["module"]:
        del sys.modules["__main__"]
        runpy.run_module(request["module"], run_name="__main__", alter_sys=True)
    elif request is not None:
        from cli.__main__ import main

        main()
