"""Runs of `mon` in homes full of marks, many at once, and the search of all that each one leaves behind."""

from __future__ import annotations

import contextlib
import fcntl
import gzip
import json
import math
import os
import pty
import select
import shutil
import signal
import stat
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.secrecy.marks import found, shown_by
from tests.secrecy.places import PROXIES, Home

ROOT = Path(__file__).parents[2]
ENDS_WITHIN = 40.0  # seconds; only a run that hangs takes so long, also where the machine is busy
SERVES = "its webhooks: "  # what a bot says before the address of its server
LEFT_ON_PURPOSE = "mon-secrecy-"  # how the files of `faults.py` begin that are outside of the home
OWN = ("own", "plug-ins")  # folders of a home that are the user's
ALLOWED_OTHERWISE = {
    # A package to be published is not private: it has no secret in it, and the user's umask says who may read it.
    "new-venue": 0o777,
    "check": 0o644,  # what a monitoring system reads, as another user
}


@dataclass(frozen=True)
class Case:
    """One run: the words, the home it is in, and what else happens to it."""

    name: str
    words: tuple[str, ...]
    prepare: Callable[[Home], None]
    terminal: bool = False
    keys: tuple[tuple[str, str], ...] = ()  # on a terminal: what is waited for, and what is typed then
    stdin: str = ""
    fault: str = ""
    interrupt_after: float | None = None  # seconds until Ctrl-C
    codes: tuple[int, ...] = (0, 3, 4, 5, 6)
    visit: Callable[[Home, str], None] | None = (
        None  # called with what it says on stderr, once it tells where it serves
    )
    own_words: bool = False  # whether the user himself has put a secret into the words of a command


@dataclass
class Left:
    """What a run has left behind."""

    case: Case
    code: int | None = None
    texts: dict[str, str] = field(default_factory=dict)  # by where they were found
    started: list[str] = field(default_factory=list)  # programs, with their words and environments
    modes: dict[str, int] = field(default_factory=dict)  # of all that was made
    marks: dict[str, str] = field(default_factory=dict)

    def problems(self) -> list[str]:
        """What is wrong with it, in words."""
        found_here = [
            f"the secret of “{place}” is in {where}"
            for where, text in self.texts.items()
            for place in sorted(found(text, self.marks))
        ]
        needed = {name: one for name, one in self.marks.items() if not name.startswith((*PROXIES[1:], "HTTP_PROXY"))}
        if not self.case.own_words:
            # A program may need the proxy to reach what it gets the secret from, and its variables are not mon's.
            found_here += [
                f"the secret of “{place}” is in the words or the environment of a program: {text[:60]}"
                for text in self.started
                for place in sorted(found(text, needed))
            ]
        most = ALLOWED_OTHERWISE.get(self.case.words[0] if self.case.words else "", 0o600)
        for path, mode in self.modes.items():
            allowed = most if not path.endswith("/") else max(most, 0o700)
            if mode & ~allowed:
                found_here.append(f"{path} is made with mode {mode:03o}")
        if self.code is None:
            found_here.append("it did not end")
        elif self.code not in self.case.codes:
            found_here.append(f"it ended with {self.code}: {self.texts.get('stderr', '')[-600:]}")
        return found_here


class Zygote:
    """The process that forks the runs."""

    def __init__(self) -> None:
        env = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.secrecy.zygote"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=env,
            cwd=ROOT,
        )
        self._lock = threading.Lock()
        self._number = 0
        self._begun: dict[int, int] = {}
        self._ended: dict[int, int] = {}
        self._changed = threading.Condition(self._lock)
        assert self._process.stdout is not None
        assert json.loads(self._process.stdout.readline()) == {"ready": True}
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def begin(self, **asked: Any) -> tuple[int, int]:
        """Start a run: its number, and its process."""
        with self._lock:
            self._number += 1
            number = self._number
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps({"id": number, **asked}).encode() + b"\n")
            self._process.stdin.flush()
            assert self._changed.wait_for(lambda: number in self._begun, ENDS_WITHIN)
            return number, self._begun[number]

    def end_of(self, number: int, within: float) -> int | None:
        """The exit code of a run; None where it has not ended by then."""
        with self._lock:
            self._changed.wait_for(lambda: number in self._ended, within)
            return self._ended.get(number)

    def close(self) -> None:
        """End it, once all runs have ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._reader.join(10)
        self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            told = json.loads(line)
            with self._lock:
                if "pid" in told:
                    self._begun[told["id"]] = told["pid"]
                else:
                    self._ended[told["id"]] = told["code"]
                self._changed.notify_all()


class Stage:
    """The zygote, the world around the runs, and where their homes are."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.told = folder / "told.jsonl"
        folder.mkdir(parents=True, exist_ok=True)
        # What servers say when clients go in mid-word is of no interest here.
        with (folder / "world.stderr").open("wb") as stderr:
            self._world = subprocess.Popen(
                [sys.executable, "-m", "tests.secrecy.world", str(folder), str(self.told)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                cwd=ROOT,
            )
        self._zygote = Zygote()
        assert self._world.stdout is not None
        said = json.loads(self._world.stdout.readline() or '{"ports": {}, "certificate": ""}')
        assert said["ports"], (folder / "world.stderr").read_text()
        self.ports: Mapping[str, int] = said["ports"]
        self.certificate: str = said["certificate"]
        self._numbers = iter(range(1_000_000))

    def close(self) -> None:
        """End both processes."""
        self._zygote.close()
        assert self._world.stdin is not None
        assert self._world.stdout is not None
        self._world.stdin.close()
        self._world.wait(10)
        self._world.stdout.close()

    def heard(self) -> set[str]:
        """All marks that servers and proxies have been told."""
        return {json.loads(line) for line in self.told.read_text().splitlines()} if self.told.exists() else set()

    def run(self, case: Case) -> Left:
        """Run a case in a new home, and find out what it leaves."""
        beside = self.folder / f"run-{next(self._numbers)}"
        home = Home(beside / "home")
        home.folder.mkdir(parents=True)
        (home.folder / "tmp").mkdir()
        case.prepare(home)
        if not (home.folder / ".config" / "mon" / "config.toml").exists() and home.config:
            home.write()
        before = {path: _state(path) for path in home.folder.rglob("*")}
        asked: dict[str, Any] = {
            "words": [word.replace("{home}", str(home.folder)) for word in case.words],
            "env": home.env,
            "folder": str(home.folder),
            "umask": 0,
            "path": [home.env["PYTHONPATH"]] if "PYTHONPATH" in home.env else [],
            "audit": str(beside / "audit"),
            "marks": home.marks,
            "fault": case.fault,
        }
        left = Left(case, marks=home.marks)
        if case.terminal:
            left.code, sent = self._on_terminal(case, asked)
            left.texts["terminal"] = shown_by(sent)
        else:
            left.code = self._in_pipes(case, home, asked, beside)
            for name in ("stdout", "stderr"):
                left.texts[name] = (beside / name).read_text(errors="replace") if (beside / name).exists() else ""
        _search(left, home, beside, before)
        if not left.problems():
            shutil.rmtree(beside)
        return left

    def _in_pipes(self, case: Case, home: Home, asked: dict[str, Any], beside: Path) -> int | None:
        (beside / "stdin").write_text(case.stdin)
        asked |= {name: str(beside / name) for name in ("stdin", "stdout", "stderr")}
        number, process = self._zygote.begin(**asked)
        if case.visit is not None:
            _visit(case.visit, home, beside / "stderr", lambda: self._zygote.end_of(number, 0) is None)
        return self._awaited(case, number, process)

    def _awaited(self, case: Case, number: int, process: int) -> int | None:
        code = None
        if case.interrupt_after is not None:
            code = self._zygote.end_of(number, case.interrupt_after)
            _kill(process, signal.SIGINT)
        code = self._zygote.end_of(number, ENDS_WITHIN) if code is None else code
        if code is None:
            _kill(process, signal.SIGKILL)
            self._zygote.end_of(number, ENDS_WITHIN)
        return code

    def _on_terminal(self, case: Case, asked: dict[str, Any]) -> tuple[int | None, bytes]:
        own, theirs = pty.openpty()
        fcntl.ioctl(own, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        sent = bytearray()
        try:
            number, process = self._zygote.begin(terminal=os.ttyname(theirs), **asked)
            keys = list(case.keys)
            end = time.monotonic() + ENDS_WITHIN
            interrupt_at = None if case.interrupt_after is None else time.monotonic() + case.interrupt_after
            code = None
            while code is None and time.monotonic() < end:
                if select.select([own], [], [], 0.02)[0]:
                    with contextlib.suppress(OSError):
                        sent += os.read(own, 65_536)
                if keys and keys[0][0].encode() in sent:
                    os.write(own, keys.pop(0)[1].encode())
                if interrupt_at is not None and time.monotonic() >= interrupt_at:
                    os.write(own, b"\x03")
                    interrupt_at = None
                code = self._zygote.end_of(number, 0)
            if code is None:
                _kill(process, signal.SIGKILL)
                self._zygote.end_of(number, ENDS_WITHIN)
            while select.select([own], [], [], 0)[0]:
                try:
                    sent += os.read(own, 65_536)
                except OSError:
                    break
            return code, bytes(sent)
        finally:
            os.close(theirs)
            os.close(own)


def _visit(visit: Callable[[Home, str], None], home: Home, stderr: Path, runs: Callable[[], bool]) -> None:
    while runs():
        said = stderr.read_text() if stderr.exists() else ""
        if SERVES in said:
            visit(home, said)
            return
        time.sleep(0.02)


def _kill(process: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, number)


def _state(path: Path) -> tuple[int, int]:
    state = path.lstat()
    return state.st_mtime_ns, state.st_mode


def _search(left: Left, home: Home, beside: Path, before: Mapping[Path, tuple[int, int]]) -> None:
    """All files that are new or changed, wherever they are, and what was started."""
    made = [
        path
        for path in home.folder.rglob("*")
        if path.relative_to(home.folder).parts[0] not in OWN and before.get(path) != _state(path)
    ]
    audit = beside / "audit"
    for line in audit.read_text().splitlines() if audit.exists() else ():
        told = json.loads(line)
        if "started" in told:
            left.started.append(str(told["started"]))
        elif Path(told["written"]).is_file() and not told["written"].startswith("/proc/"):
            made.append(Path(told["written"]))
    seen = home.folder / "seen-by-commands"
    for path in dict.fromkeys(made):
        if path in before and before[path] == _state(path):
            continue  # it was refused
        name = f"~/{path.relative_to(home.folder)}" if path.is_relative_to(home.folder) else str(path)
        if path == seen:
            left.started.append(seen.read_text(errors="replace"))
        elif path.is_symlink() or path.is_dir():
            if path not in before:
                left.modes[f"{name}/"] = stat.S_IMODE(path.stat().st_mode)
                left.texts[f"the name of {name}"] = name
        elif path.is_file():
            data = path.read_bytes()
            with contextlib.suppress(OSError, EOFError):
                data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
            left.texts[name] = data.decode(errors="replace")
            left.texts[f"the name of {name}"] = name
            if path.name.startswith(LEFT_ON_PURPOSE):
                path.unlink()
                continue
            left.modes[name] = stat.S_IMODE(path.stat().st_mode)


def run_all(stage: Stage, cases: Sequence[Case], at_once: int, *, until: float = math.inf) -> Iterator[Left]:
    """The runs, so many at once, as they end; none is begun after `until`, by the monotonic clock."""
    with ThreadPoolExecutor(at_once) as pool:

        def run(case: Case) -> Left | None:
            return stage.run(case) if time.monotonic() < until else None

        for done in as_completed([pool.submit(run, case) for case in cases]):
            left = done.result()
            if left is not None:
                yield left
