"""How the tests are run: in parallel by themselves, none skipped nor slow without a reason where all has to run."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import warm, warmed
from tests.command import MON, environment, mon
from tests.conftest import most_seconds, took_long

ROOT = Path(__file__).parents[1]
CASES = """
import time, pytest

@pytest.mark.slow("it waits")
def test_with_a_reason(): time.sleep(0.3)
def test_without(): time.sleep(0.3)
@pytest.mark.slow(" ")
def test_with_an_empty_one(): time.sleep(0.3)
def test_quick(): pass
def test_skipped(): pytest.skip("no reason here")
"""
CONFTEST = "from tests import conftest\nconftest.MOST_SECONDS = 0.2\nfrom tests.conftest import *\n"


def run(folder: Path, **variables: str) -> str:
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_cases.py").write_text(CASES)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = slow\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-ra", "-p", "no:cacheprovider", "-p", "no:xdist", str(folder)],
        env={
            **os.environ, "PYTHONPATH": str(ROOT), "PYTEST_XDIST_WORKER_COUNT": "1", "MON_BESIDE_OTHERS": "",
            **variables,
        },
        cwd=folder, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.stdout


def test_where_all_has_to_run_none_is_skipped_or_slow_without_a_reason(tmp_path: Path) -> None:
    shown = run(tmp_path, MON_NO_SKIPS="1")
    assert "3 failed, 2 passed" in shown, shown
    for name in ("test_without", "test_with_an_empty_one"):
        assert f"{name} took 0 s: cut its waits, or say why" in shown
    assert "test_skipped was skipped, and must run here" in shown


def test_elsewhere_nobody_is_judged(tmp_path: Path) -> None:
    assert "4 passed, 1 skipped" in run(tmp_path, MON_NO_SKIPS="")


def test_a_test_may_take_longer_where_workers_share_a_core() -> None:
    cores = os.cpu_count() or 1
    assert most_seconds({}) == most_seconds({"PYTEST_XDIST_WORKER_COUNT": str(cores)}) == 10
    assert most_seconds({"PYTEST_XDIST_WORKER_COUNT": str(3 * cores)}) == 30
    assert not took_long(3_600, {}), "some tests alone: they may run beside other work"
    assert took_long(11, {"PYTEST_XDIST_WORKER_COUNT": "1"})
    assert not took_long(3_600, {"PYTEST_XDIST_WORKER_COUNT": "1", "MON_BESIDE_OTHERS": "1"})


@pytest.mark.parametrize(
    ("words", "workers"),
    [((), True), (("tests",), True), (("tests/test_grid.py",), False), (("-k", "grid"), False), (("-n", "0"), False)],
)
def test_all_tests_run_in_parallel_by_themselves(words: tuple[str, ...], workers: bool) -> None:
    code = (
        "import sys, pytest\n"
        "class Stop:\n"
        "    @pytest.hookimpl(trylast=True)\n"
        "    def pytest_configure(self, config):\n"
        "        print('workers', len(config.option.tx)); sys.stdout.flush(); import os; os._exit(0)\n"
        "pytest.main(sys.argv[1:], plugins=[Stop()])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words], cwd=ROOT, capture_output=True, text=True, timeout=100, check=False
    )
    (count,) = (line for line in done.stdout.splitlines() if line.startswith("workers"))
    assert (int(count.split()[1]) > 1) is workers, done.stdout


# --- mon, forked


def test_what_is_forked_is_what_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Output, errors, exit codes and the environment are those of a process from the beginning."""
    env = environment(tmp_path, MON_KRAKEN_URL="ws://127.0.0.1:1")
    commands = (
        ("--version",),
        ("venues",),
        ("book", "nowhere"),
        ("config", "path"),
        ("config", "show"),
        ("quotes", "kraken", "BTC/USD", "--retries", "0"),
        ("send", "nbt", "--stdin", "--yes"),
    )
    warm = [mon(*words, env=env, stdin="{}") for words in commands]
    monkeypatch.setenv("MON_TEST_COLD", "1")
    for words, forked in zip(commands, warm, strict=True):
        started = mon(*words, env=env, stdin="{}")
        assert told_by(forked) == told_by(started), words


ENDS = """
import atexit, gc, sys, threading, time

gc.disable()

class Last:
    def __init__(self): self.it = self
    def __del__(self): print("garbage is collected", file=sys.stderr)

async def never(): pass

def late():
    threading.main_thread().join()
    print("a thread is waited for")

atexit.register(print, "at the exit")
threading.Thread(target=late).start()
garbage, one = Last(), never()
del garbage, one
print("begun")
exec(sys.argv[1])
"""


@pytest.mark.parametrize(
    "code",
    [
        "pass", "sys.exit()", "sys.exit(3)", "sys.exit(-1)", "sys.exit('in words')", "1 / 0", "sys.stdout.close()",
        "sys.stdout = None", "threading.Thread(target=time.sleep, args=(60,), daemon=True).start(); sys.exit(4)",
        "atexit.register(lambda: 1 / 0)",
    ],
)  # fmt: skip
@pytest.mark.parametrize("out", [subprocess.PIPE, "/dev/full"])
def test_a_forked_one_ends_as_one_that_is_started(
    code: str, out: int | str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that Python does at its end is done, or left to it; but nothing is taken down that was there before."""
    (tmp_path / "ends.py").write_text(ENDS)
    env = environment(tmp_path, PYTHONPATH=str(tmp_path))
    told = []
    for cold in ("", "1"):
        monkeypatch.setenv("MON_TEST_COLD", cold)
        with contextlib.ExitStack() as stack:
            stdout = out if isinstance(out, int) else stack.enter_context(open(out, "w"))
            done = warmed.run([sys.executable, "-m", "ends", code], env, stdout=stdout, cwd=tmp_path)
        frames = re.compile(r'Traceback .*\n|  File "[^"]*(?:runpy|warm\.py)[^\n]*\n(?:    .*\n)*|0x[0-9a-f]+')
        told.append((done.returncode, done.stdout, frames.sub("", done.stderr)))
    assert told[0] == told[1]
    assert "garbage is collected" in told[0][2]


ALONE = """
import gc, os
from tests import warm

warm.load(warm.LIBRARIES)
gc.disable()
for name in warm.own_modules("{}"):
    child = os.fork()
    if not child:
        __import__(name)
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        print(name)
"""
NOTHING_ELSE = """
import os, sys, threading
from tests import warm

warm.load(warm.LIBRARIES)
names = warm.own_modules()
asked = []


class Environment(type(os.environ)):
    def __getitem__(self, name):
        asked.append(name)
        return super().__getitem__(name)


os.environ.__class__ = Environment
standard = (sys.stdin, sys.stdout, sys.stderr, sys.excepthook, sys.displayhook, sys.unraisablehook, list(sys.path))
for name in names:
    __import__(name)
assert standard == (sys.stdin, sys.stdout, sys.stderr, sys.excepthook, sys.displayhook, sys.unraisablehook, sys.path)
print(len(names), asked, threading.active_count(), len(os.listdir("/proc/self/task")))
"""


def told_by_python(code: str) -> str:
    env = {"PATH": os.environ["PATH"], "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("package", warm.OURS)
def test_each_module_can_be_the_first_that_is_loaded(package: str) -> None:
    """Those that are forked have all of them already; a real `mon` has none."""
    assert told_by_python(ALONE.format(package)) == ""


@pytest.mark.skipif(sys.platform != "linux", reason="counts the threads in /proc")
def test_to_load_the_modules_does_nothing_else() -> None:
    """It reads no environment and starts no thread: those that are forked come after it."""
    number, rest = told_by_python(NOTHING_ELSE).split(maxsplit=1)
    assert int(number) > 250
    assert rest.split() == ["[]", "1", "1"]


def told_by(done: subprocess.CompletedProcess[str]) -> tuple[int, str, str]:
    return done.returncode, re.sub(r'"received":\d+', "", done.stdout), done.stderr


def test_which_are_forked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MON_TEST_COLD", raising=False)
    env = environment(tmp_path)
    (tmp_path / "sitecustomize.py").write_text("")
    for variables, options, forked in (
        ({}, {}, True),
        ({"MON_CONFIG": "x"}, {}, True),
        ({"PYTHONPATH": str(tmp_path / "other")}, {}, True),
        ({"PYTHONPATH": str(tmp_path)}, {}, False),
        ({"PYTHONUTF8": "0"}, {}, False),
        ({"HEADLINES_URL": "x"}, {}, True),
        ({"LD_PRELOAD": ""}, {}, False),
        ({"PYTHONPATH": str(ROOT)}, {}, False),
        ({"LC_ALL": "C" if os.environ.get("LC_ALL") != "C" else "POSIX"}, {}, False),
        ({}, {"start_new_session": True}, False),
    ):
        process = warmed.popen([MON, "--version"], {**env, **variables}, stdout=subprocess.DEVNULL, **options)
        with process:
            assert isinstance(process, warmed.Warm) is forked
        assert process.returncode == 0


def test_a_forked_one_is_ended_by_signals_and_waited_for(tmp_path: Path) -> None:
    process = warmed.popen([MON, "sim"], environment(tmp_path), stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        assert process.stdout.readline(), "it has begun"
        assert process.poll() is None
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.1)
        process.kill()
        assert process.wait(20) == -9
        assert process.poll() == -9
