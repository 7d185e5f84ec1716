"""`subprocess.Popen` of `mon`, without a second of CPU time for loading the same modules each time.

The process is forked from one that has loaded them (tests/warm.py), and is otherwise the real one: arguments,
environment, descriptors, signals, exit status. Where a test sets what Python or a library reads while it is loaded, or
asks for more than the standard files, it gets a process of its own from the beginning, as all do with
`MON_TEST_COLD=1`.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from tests.warm import HEAD, OURS

WARM = Path(__file__).with_name("warm.py")
AT_THE_START = ("LANG", "LC_ALL")  # what Python reads, and has to be as it is here
# What Python or a library reads while it is loaded; all else is read by a `mon` that runs.
AT_LOADING = ("PYTHON", "LD_", "LC_", "LANG", "MALLOC_", "OPENSSL_", "OPENBLAS_", "OMP_", "NPY_", "NUMPY_")
AT_LOADING += ("AIOHTTP_", "MULTIDICT_", "YARL_", "FROZENLIST_", "PROPCACHE_", "WEBSOCKETS_", "TYPER_", "_TYPER_")
AT_LOADING += ("PYDANTIC_", "COVERAGE_", "FAKETIME")
KNOWN = {"PYTHONPATH", "PYTHONDONTWRITEBYTECODE", *AT_THE_START}
NOT_BESIDE = ("sitecustomize.py", "usercustomize.py", *OURS)  # in PYTHONPATH: Python runs it, or it is another mon
FILES = {"stdin", "stdout", "stderr", "text"}


def popen(command: list[Any], env: Mapping[str, str], **options: Any) -> subprocess.Popen[str]:
    """Starts `mon`: warm where that is the same, and otherwise cold."""
    warm = options.keys() <= FILES and _is_plain(env) and not os.environ.get("MON_TEST_COLD")
    return (Warm if warm else subprocess.Popen)(command, env=dict(env), **options)


def _is_plain(env: Mapping[str, str]) -> bool:
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
def _path() -> list[str]:
    """Where a Python of this environment looks for modules, when nothing is said."""
    code = "import json, sys; print(json.dumps(sys.path))"
    env = {"PATH": os.environ["PATH"]}
    return json.loads(subprocess.run([sys.executable, "-P", "-c", code], env=env, capture_output=True).stdout)


class Warm(subprocess.Popen):  # type: ignore[type-arg]
    """What starts and ends it is another process than this one; all else is as `subprocess` has it."""

    def _execute_child(self, args: list[Any], *given: Any) -> None:
        names = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
        pipes = dict(zip(names, given[9:15], strict=True))
        files = [pipes[name] if pipes[name] >= 0 else at for at, name in enumerate(("p2cread", "c2pwrite", "errwrite"))]
        self._told, told = os.pipe()
        asked = {"arguments": [str(one) for one in args], "environment": given[5], "folder": os.getcwd()}
        text = json.dumps({**asked, "path": _path()}).encode()
        socket.send_fds(_forks(), [len(text).to_bytes(HEAD)], [*files, told])
        _forks().sendall(text)
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
