"""`subprocess.Popen` of `mon`, without a second of CPU time for loading the same modules each time.

The process is forked from one that has loaded them (tests/warm.py), and is otherwise the real one: arguments,
environment, descriptors, signals, exit status. Where a test sets what Python or a library reads while it is loaded, or
asks for something else than is known here, it gets a process of its own from the beginning, as all do with
`MON_TEST_COLD=1`. Shells find a `mon` of that kind by `for_shells`.
"""

from __future__ import annotations

import atexit
import fcntl
import json
import os
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from tests.warm import HEAD, OURS

MON = Path(sys.executable).with_name("mon")
WARM = Path(__file__).with_name("warm.py")
STAND_IN = Path(__file__).with_name("standin.py")
STRICT = "-Werror"  # a Python's option
ONE_AT_A_TIME = threading.Lock()
AT_THE_START = ("LANG", "LC_ALL")  # what Python reads, and has to be as it is here
# What Python or a library reads while it is loaded; all else is read by a `mon` that runs.
AT_LOADING = ("PYTHON", "LD_", "LC_", "LANG", "MALLOC_", "OPENSSL_", "OPENBLAS_", "OMP_", "NPY_", "NUMPY_")
AT_LOADING += ("AIOHTTP_", "MULTIDICT_", "YARL_", "FROZENLIST_", "PROPCACHE_", "WEBSOCKETS_", "TYPER_", "_TYPER_")
AT_LOADING += ("PYDANTIC_", "COVERAGE_", "FAKETIME")
KNOWN = {"PYTHONPATH", "PYTHONDONTWRITEBYTECODE", *AT_THE_START}
NOT_BESIDE = ("sitecustomize.py", "usercustomize.py", *OURS)  # in PYTHONPATH: Python runs it, or it is another mon
FILES = {"stdin", "stdout", "stderr", "text", "cwd"}


def popen(
    command: Sequence[Any], env: Mapping[str, str], *, terminal: bool = False, is_child: bool = False, **options: Any
) -> Any:
    """Starts `mon`, or `python -m` with a module that starts it: warm where that is the same, and otherwise cold.

    `terminal`: it is a session of its own, whose terminal its stdout is. `is_child`: it is this process's own child.
    """
    if not is_child and options.keys() <= FILES and _is_ours(command) and _is_plain(env):
        return Warm(command, env=dict(env), terminal=terminal, **options)
    if terminal:
        options["preexec_fn"] = lambda: (os.setsid(), fcntl.ioctl(1, termios.TIOCSCTTY, 0))
    return subprocess.Popen(command, env=dict(env), **options)


def run(
    command: Sequence[Any], env: Mapping[str, str], *, timeout: float = 40, **options: Any
) -> subprocess.CompletedProcess[Any]:
    """Runs one to its end, with its output."""
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with popen(command, env, **{**pipes, **options}) as process:
        try:
            out, err = process.communicate(timeout=timeout)
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


@cache
def for_shells() -> Path:
    """A folder for `PATH` with a `mon` that asks this process for a warm one, and is as that is to whoever runs it."""
    if os.environ.get("MON_TEST_COLD"):
        return MON.parent
    address = _address()
    text = STAND_IN.read_text(encoding="utf-8").replace("ADDRESS", repr(str(address)))
    program = address.with_name("mon")
    program.write_text(f"#!{sys.executable} -IS\n{text}", encoding="utf-8")
    program.chmod(0o755)
    return program.parent


def _is_ours(command: Sequence[Any]) -> bool:
    first, *others = map(str, command)
    return first == str(MON) or (first == sys.executable and (others[:1] == ["-m"] or others[:2] == [STRICT, "-m"]))


def _is_plain(env: Mapping[str, str]) -> bool:
    if os.environ.get("MON_TEST_COLD"):
        return False
    others: list[object] = [name for name in env if name.startswith(AT_LOADING) and name not in KNOWN]
    places = [Path(place) for place in env.get("PYTHONPATH", "").split(os.pathsep) if place]
    others += [place for place in places for name in NOT_BESIDE if (place / name).exists()]
    return not others and all(env.get(name) == os.environ.get(name) for name in AT_THE_START)


@cache
def _forks() -> socket.socket:
    """Where to ask this test process's own warm Python."""
    here, there = socket.socketpair()
    kept = {name: os.environ[name] for name in ("PATH", "HOME", *AT_THE_START) if name in os.environ}
    kept["OPENBLAS_NUM_THREADS"] = "1"  # numpy would start threads
    process = subprocess.Popen(
        [sys.executable, "-P", WARM, str(there.fileno())],
        env=kept, pass_fds=[there.fileno()],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    there.close()
    atexit.register(lambda: (here.close(), process.wait(10)))
    return here


@cache
def _address() -> Path:
    """Where stand-ins ask: each sends its files, and then arguments, environment and folder as JSON."""
    asked = socket.socket(socket.AF_UNIX)
    address = Path(tempfile.mkdtemp(prefix="mon-warm-")) / "asked"
    atexit.register(shutil.rmtree, address.parent, ignore_errors=True)
    asked.bind(str(address))
    asked.listen(64)
    threading.Thread(target=_answer, args=(asked,), daemon=True).start()
    return address


def _answer(asked: socket.socket) -> None:
    while True:
        connection = asked.accept()[0]
        head, files, _, _ = socket.recv_fds(connection, HEAD, 3)
        with connection.makefile("rb") as text:
            request = json.loads(text.read(int.from_bytes(head)))
        if len(files) == 3 and _is_plain(request["environment"]):
            _ask(
                request | {"path": _path(), "module": "", "terminal": False, "strict": False},
                [*files, connection.fileno()],
            )
        else:  # it starts a cold one itself
            connection.sendall(b"0\n")
        connection.close()
        for file in files:
            os.close(file)


def _ask(request: dict[str, Any], files: list[int]) -> None:
    text = json.dumps(request).encode()
    with ONE_AT_A_TIME:
        socket.send_fds(_forks(), [len(text).to_bytes(HEAD)], files)
        _forks().sendall(text)


@cache
def _path() -> list[str]:
    """Where a Python of this environment looks for modules, when nothing is said."""
    code = "import json, sys; print(json.dumps(sys.path))"
    env = {"PATH": os.environ["PATH"]}
    return json.loads(subprocess.run([sys.executable, "-P", "-c", code], env=env, capture_output=True).stdout)


class Warm(subprocess.Popen):  # type: ignore[type-arg]
    """What starts and ends it is another process than this one; all else is as `subprocess` has it."""

    def __init__(self, command: Sequence[Any], *, terminal: bool, **options: Any) -> None:
        self._terminal = terminal
        super().__init__(command, **options)

    def _execute_child(self, args: list[Any], *given: Any) -> None:
        names = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
        pipes = dict(zip(names, given[9:15], strict=True))
        files = [pipes[name] if pipes[name] >= 0 else at for at, name in enumerate(("p2cread", "c2pwrite", "errwrite"))]
        self._told, told = os.pipe()
        words, module, strict = [str(one) for one in args], "", False
        if words[0] == sys.executable:
            strict = words[1] == STRICT
            _, module, *words = words[1 + strict :]
            words.insert(0, module)
        folder = os.getcwd() if given[4] is None else os.path.abspath(given[4])
        asked = {"arguments": words, "module": module, "environment": given[5], "folder": folder, "path": _path()}
        _ask(asked | {"terminal": self._terminal, "strict": strict}, [*files, told])
        os.close(told)
        self._child_created = True
        self._close_pipe_fds(*pipes.values())  # type: ignore[attr-defined]
        self.pid = int(self._line())

    def _line(self) -> bytes:
        line = b""
        while not line.endswith(b"\n"):
            line += os.read(self._told, 1) or b"-9\n"
        return line

    def _internal_poll(self, *_given: Any, **_options: Any) -> int | None:
        if self.returncode is None and select.select([self._told], [], [], 0)[0]:
            self._ended()
        return self.returncode

    def _wait(self, timeout: float | None) -> int:
        until = None if timeout is None else time.monotonic() + timeout
        while self.returncode is None:
            left = None if until is None else max(until - time.monotonic(), 0)
            if select.select([self._told], [], [], left)[0]:
                self._ended()
            else:
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return self.returncode

    def _ended(self) -> None:
        self.returncode = os.waitstatus_to_exitcode(int(self._line()))
        os.close(self._told)
