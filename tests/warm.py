"""A Python that has loaded the libraries of `mon`, and forks for each `mon` that a test starts. See tests/warmed.py.

Only libraries are loaded beforehand: every `mon` loads its own modules, reads its own environment and ends by itself.
It is one thread, as a process that forks has to be.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import io
import json
import os
import selectors
import signal
import socket
import sys
import time
from typing import Any

LIBRARIES = (
    *("asyncio", "decimal", "fractions", "gzip", "hashlib", "importlib.metadata", "json", "logging", "random", "ssl"),
    *("subprocess", "tempfile", "tomllib", "urllib.request", "zoneinfo"),
    *("aiohttp", "aiohttp.web", "msgspec", "platformdirs", "rich.console", "rich.table", "rich.text", "rich.panel"),
    *("signalrcore", "engineio.packet", "socketio.packet", "typer", "typer.completion", "typer.rich_utils"),
    *("websockets.asyncio.client", "websockets.asyncio.server"),
)
HEAD = 4  # bytes that say how long a request is
DESCRIPTORS = 4  # stdin, stdout, stderr, and where the exit status is told


def serve(asked: socket.socket) -> list[str] | None:
    """Forks for each request. Returns its arguments in the new process, and None in this one when nobody asks more."""
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
                return list(request["arguments"])
            told[pid] = descriptors[-1]
            for descriptor in descriptors[:-1]:
                os.close(descriptor)
            os.write(told[pid], f"{pid}\n".encode())


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
            with contextlib.suppress(BrokenPipeError):  # whoever started it is no more interested
                os.write(told[pid], f"{status}\n".encode())
            os.close(told.pop(pid))


def _become(request: dict[str, Any], descriptors: list[int]) -> None:
    """What `exec` would do: descriptors, folder, environment, where modules are found, and the standard files."""
    for number, descriptor in enumerate(descriptors[:3]):
        os.dup2(descriptor, number)
    for descriptor in descriptors:
        if descriptor > 2:
            os.close(descriptor)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))
    sys.argv = request["arguments"]
    places = os.environ.get("PYTHONPATH", "")
    sys.path[:] = [os.path.dirname(sys.argv[0]), *(places.split(os.pathsep) if places else ()), *request["path"]]
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


if __name__ == "__main__":
    for name in LIBRARIES:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    gc.collect()
    gc.freeze()
    arguments = serve(socket.socket(fileno=int(sys.argv[1])))
    if arguments is not None:
        del arguments
        from cli.__main__ import main

        main()
