"""A process that has loaded pytest and the libraries once, and runs each job in a fork of itself.

`python -m tests.mutation.nursery FOLDER LIBRARY…`, in a copy of the tree: a job a line of JSON comes in, what became of
it goes out. What the jobs compile is kept in the folder; the libraries are loaded as they have been compiled before.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import resource
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

LARGEST_MEMORY = 2 << 30  # bytes of data of a process; the largest test needs a fifth
LARGEST_FILE = 256 << 20
DOES_NOT_IMPORT = 97  # the exit code of a job whose modules cannot be imported
IMPORTS_WITHIN = 60  # seconds
JOB = "MON_MUTATION_JOB"  # in the environment of every process that a job starts, and by which it is found


def main() -> None:
    """Answer jobs until the other end closes, or has no more use for the one that runs."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    compiled, *libraries = sys.argv[1:]
    for name in libraries:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    sys.pycache_prefix = os.environ["PYTHONPYCACHEPREFIX"] = compiled
    for line in sys.stdin:
        job = json.loads(line)
        print(json.dumps(_done(job)), flush=True)


def _done(job: dict[str, Any]) -> dict[str, Any]:
    """Run one job; nothing of it is left afterwards."""
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = _in_child(job)
        except BaseException:  # whatever it is, this process must not go on as a second nursery
            traceback.print_exc()
        finally:
            os._exit(code)
    try:
        code, late = _waited(child, began + job["seconds"])
    finally:
        _kill_group(child)
        _kill_strays(job["id"])
    return {"code": code, "late": late, "seconds": time.monotonic() - began}


def _in_child(job: dict[str, Any]) -> int:
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.environ.update(job["environment"], **{JOB: job["id"]})
    output = os.open(job["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    seconds = int(job["seconds"]) + 1
    for what, most in (
        (resource.RLIMIT_DATA, LARGEST_MEMORY),
        (resource.RLIMIT_FSIZE, LARGEST_FILE),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (most, most))
    from tests.mutation.fence import fence

    fence()
    if job["modules"] and (code := _imported(job["modules"])):
        return code
    if job["kind"] == "import":
        return 0
    import pytest

    code = int(pytest.main(job["arguments"]))
    sys.stdout.flush()
    return code


def _imported(modules: list[str]) -> int:
    """With an end for a module whose import has none."""
    signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(IMPORTS_WITHIN)
    try:
        for name in modules:
            importlib.import_module(name)
    except BaseException:
        traceback.print_exc()
        return DOES_NOT_IMPORT
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
    return 0


def _too_long(*_: object) -> None:
    raise TimeoutError("the import does not end")


def _waited(child: int, until: float) -> tuple[int, bool]:
    """Its exit code, negative for a signal; and whether it had to be killed."""
    pause = 0.005
    while True:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status), False
        if time.monotonic() > until:
            _kill_group(child)
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), True
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)


def _kill_group(leader: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def _kill_strays(job: str) -> None:
    """Processes with a session of their own, found by the job's mark in their environment."""
    mark = f"{JOB}={job}\0".encode()
    for entry in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if mark in entry.read_bytes():
                os.kill(int(entry.parent.name), signal.SIGKILL)


if __name__ == "__main__":
    main()
