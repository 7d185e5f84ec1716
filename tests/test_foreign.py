"""Code of somebody else's has no stdout of its own, and cannot hold up the end."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
from typing import Any

import pytest

from cli.output import foreign


class Broken(io.StringIO):
    """A file that can no longer be written."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    def flush(self) -> None:
        raise self._error


class Written:
    """What is written to the descriptors 1 and 2, to which Python's own files write too, as outside of a test."""

    def __init__(self, capfd: pytest.CaptureFixture[str]) -> None:
        self._capfd = capfd
        self._before = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)

    def end(self) -> tuple[str, str]:
        """What was written until now; Python's own files are those of before again."""
        sys.stdout.flush()
        sys.stderr.flush()
        sys.stdout, sys.stderr = self._before
        out, err = self._capfd.readouterr()
        return out, err


def test_whatever_is_written_to_stdout_within_it_goes_to_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    written = Written(capfd)
    sys.stdout.write("before ")
    with foreign.nothing_on_stdout():
        print("printed")
        os.write(1, b"written\n")
        subprocess.run(["echo", "said"], check=True)
        sys.stdout.write("left over")
    print("after")
    out, err = written.end()
    assert out == "before after\n"
    assert sorted(err.splitlines()) == ["left over", "printed", "said", "written"]


def test_stdout_is_there_again_whatever_was_raised_within_it(capfd: pytest.CaptureFixture[str]) -> None:
    written = Written(capfd)
    descriptors = len(os.listdir("/proc/self/fd"))

    def fail() -> None:
        with foreign.nothing_on_stdout():
            print("printed")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    os.write(1, b"data")
    assert written.end() == ("data", "printed\n")
    assert len(os.listdir("/proc/self/fd")) == descriptors


def test_what_was_written_to_the_first_stdout_of_python_goes_to_stderr_too(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with os.fdopen(os.dup(1), "w") as first:  # as long as it lasts, of the same descriptor
        monkeypatch.setattr(sys, "__stdout__", first)
        flushed: list[str] = []
        monkeypatch.setattr(first, "flush", lambda: flushed.append(os.readlink("/proc/self/fd/1")), raising=False)
        with foreign.nothing_on_stdout():
            within = os.readlink("/proc/self/fd/1")
        assert flushed == [within]
        monkeypatch.undo()
    capfd.readouterr()


@pytest.mark.parametrize("error", [OSError(), ValueError("closed"), AttributeError()])
def test_a_stdout_that_cannot_be_written_is_no_end_of_what_runs_within(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    ran = []
    monkeypatch.setattr(sys, "stdout", Broken(error))
    with foreign.nothing_on_stdout():
        ran.append(os.write(1, b"x"))
    assert ran == [1]
    assert capfd.readouterr().err == "x"


class Ended(BaseException):
    """In the place of the end of the process."""


class Ending:
    """What is done at the end, in order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
        self.done: list[Any] = []
        monkeypatch.setattr(threading, "active_count", lambda: threads)
        monkeypatch.setattr("cli.output.foreign.atexit._run_exitfuncs", self._run)
        monkeypatch.setattr("cli.output.foreign.os._exit", self._exit)

    def _run(self) -> None:
        self.done.append("exit functions")
        print("said at the end")
        sys.stderr.write("and on stderr\n")

    def _exit(self, code: int) -> None:
        self.done.append(code)
        raise Ended


@pytest.mark.parametrize("code", [0, 3])
def test_where_threads_are_left_the_process_ends_here_after_what_is_to_be_done(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    written = Written(capfd)
    ending = Ending(monkeypatch, threads=2)
    sys.stdout.write("data")
    with pytest.raises(Ended):
        foreign.end(code)
    whole = capfd.readouterr()  # nothing of it may wait in a file of Python's, which ends with the process
    assert ending.done == ["exit functions", code]
    assert whole == ("data", "said at the end\nand on stderr\n")
    assert written.end() == ("", "")


def test_where_none_are_left_python_ends_by_itself(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    written = Written(capfd)
    ending = Ending(monkeypatch, threads=1)
    sys.stdout.write("data")
    foreign.end(3)
    print("said by somebody else")
    assert ending.done == []
    assert written.end() == ("data", "said by somebody else\n")


def test_an_end_without_a_stderr_is_an_end(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    written = Written(capfd)
    ending = Ending(monkeypatch, threads=2)

    def fail(*_: int) -> int:
        raise OSError("bad descriptor")

    with monkeypatch.context() as patch:
        patch.setattr("cli.output.foreign.os.dup2", fail)
        with pytest.raises(Ended):
            foreign.end(1)
    assert ending.done == ["exit functions", 1]
    assert written.end() == ("said at the end\n", "and on stderr\n")
