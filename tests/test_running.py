"""How the tests are run: in parallel by themselves, none skipped nor slow without a reason where all has to run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import warmed
from tests.command import MON, environment, mon
from tests.conftest import most_seconds

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
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_XDIST_WORKER_COUNT": "1", **variables},
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
