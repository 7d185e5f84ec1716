"""Starts many runs of `mon` quickly: a process that has loaded everything forks one child a run.

A child has the descriptors, the environment, the terminal and the signals that it would have as a program of its own,
and calls the entry of `mon`. What only a program can have, its line in `ps`, is in none of them; what it starts
is written down by an audit hook, with its words and its environment, and so is every file that is opened to be written.

One JSON line a run on stdin; on stdout `{"id", "pid"}` when it has begun and `{"id", "code"}` when it has ended.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import pkgutil
import random
import select
import signal
import sys
import time
from typing import Any


def main() -> None:
    """Load everything, then do what stdin says until its end."""
    _load_everything()
    gc.freeze()  # what is loaded is shared by the children, and stays so
    sys.stdout.write('{"ready": true}\n')
    sys.stdout.flush()
    ear, mouth = os.pipe()
    os.set_blocking(mouth, False)
    signal.set_wakeup_fd(mouth, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    runs: dict[int, int] = {}
    waiting = b""
    while True:
        readable, _, _ = select.select([0, ear], [], [])
        if ear in readable:
            os.read(ear, 4096)
            _tell_the_ended(runs)
        if 0 in readable:
            more = os.read(0, 65_536)
            if not more:
                return
            *lines, waiting = (waiting + more).split(b"\n")
            for line in lines:
                asked = json.loads(line)
                child = os.fork()
                if not child:
                    with contextlib.suppress(KeyboardInterrupt):
                        signal.set_wakeup_fd(-1)
                        os.close(ear)
                        os.close(mouth)
                        _run(asked)
                    os._exit(130)  # interrupted before `mon` itself was there
                runs[child] = asked["id"]
                _tell(id=asked["id"], pid=child)


def _load_everything() -> None:
    import cli
    import venues

    for package in (cli, venues):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if "testing" not in module.name and not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    for name in (
        "typer._adapters",
        "cli.__main__",
        "aiohttp",
        "aiohttp.web",
        "rich.console",
        "websockets.asyncio.client",
        "tomllib",
        "platformdirs",
    ):
        importlib.import_module(name)


def _tell(**words: Any) -> None:
    os.write(1, json.dumps(words).encode() + b"\n")


def _tell_the_ended(runs: dict[int, int]) -> None:
    while runs:
        child, status = os.waitpid(-1, os.WNOHANG)
        if not child:
            return
        _tell(id=runs.pop(child), code=os.waitstatus_to_exitcode(status))


def _run(asked: dict[str, Any]) -> None:
    """The child: becomes `mon`, and never returns."""
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.umask(asked["umask"])
    os.chdir(asked["folder"])
    terminal = asked.get("terminal")
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        flags = os.O_RDWR if terminal else os.O_RDONLY if name == "stdin" else os.O_WRONLY | os.O_CREAT | os.O_APPEND
        opened = os.open(terminal or asked[name], flags, 0o600)  # the first terminal of a session becomes its own
        os.dup2(opened, descriptor)
        os.close(opened)
    sys.stdin = sys.__stdin__ = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = sys.__stdout__ = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = sys.__stderr__ = open(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False, buffering=1)  # noqa: SIM115
    os.environ.clear()
    os.environ.update(asked["env"])
    time.tzset()
    random.seed()
    sys.path[:0] = asked["path"]
    importlib.invalidate_caches()
    sys.argv = ["mon", *asked["words"]]
    _write_down(asked["audit"])
    code = 1
    try:
        if asked.get("fault"):
            from tests.secrecy import faults

            faults.FAULTS[asked["fault"]](asked)
        from cli.__main__ import main as mon

        mon()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except KeyboardInterrupt:  # before `mon` itself was there to take it
        code = 130
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        for file in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                file.flush()
        os._exit(code)


def _write_down(path: str) -> None:
    """Keep what is started, and which files are opened to be written."""
    audit = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    writes = os.O_WRONLY | os.O_RDWR | os.O_CREAT

    def hook(event: str, given: tuple[Any, ...]) -> None:
        if event == "open":
            name, _, flags = given
            if isinstance(flags, int) and flags & writes and isinstance(name, str | bytes | os.PathLike):
                os.write(audit, json.dumps({"written": os.path.abspath(os.fsdecode(name))}).encode() + b"\n")
        elif event in ("subprocess.Popen", "os.exec", "os.posix_spawn", "os.system"):
            os.write(audit, json.dumps({"started": [event, repr(given)]}).encode() + b"\n")

    sys.addaudithook(hook)


if __name__ == "__main__":
    main()
