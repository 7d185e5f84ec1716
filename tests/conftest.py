"""The same tests however they are started; where everything is installed (CI), one that skips counts as failed.

All of them together run on several workers at once, by themselves; `-n 0` has them run one after the other, as those do
that are named on the command line, so that a single one starts at once.
"""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# A package of its own, which tests/test_plugin.py installs and tests.
collect_ignore = ["plugin"]

# How long an example takes says more about the machine than about the code.
settings.register_profile("mon", deadline=None)
settings.load_profile("mon")

# Half of the tests' time is waiting for a venue, a deadline or a process: so there are more workers than cores.
BESIDE_THE_CORES = 4
WORKERS = "PYTEST_XDIST_WORKER_COUNT"  # is set where there are some
MOST_SECONDS = 10.0  # that a test may take without `@pytest.mark.slow("why")`
# Python's own compiled files are kept, also where the environment has none written: each worker, and each process that
# a test starts, would compile all of the tests and of `mon` anew. `__pycache__` is ignored by git.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# What a machine or a container says to every Python and its numbers' library. A `mon` that got it would be another one
# than the tests' warm Python has loaded, and would have to start cold (tests/warmed.py), a second each.
for name in [name for name in os.environ if name == "PYTHONUNBUFFERED" or name.startswith("OPENBLAS_")]:
    del os.environ[name]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Several for all tests; none of their own for what is named or chosen."""
    option = config.option
    named = config.args_source is pytest.Config.ArgsSource.ARGS and config.args != config.getini("testpaths")
    if named or option.keyword or option.markexpr or option.collectonly or getattr(option, "lf", False):
        return 0
    return len(os.sched_getaffinity(0)) + BESIDE_THE_CORES if hasattr(os, "sched_getaffinity") else 2 * BESIDE_THE_CORES


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes() -> None:
    """Before the workers begin."""
    compile_once(Path(__file__).parent)


def compile_once(folder: Path) -> None:
    """The tests' asserts are rewritten before the workers begin: each would do that for itself, a second a file."""
    made = f"*.{sys.implementation.cache_tag}-pytest-{pytest.__version__}.pyc"
    files = sorted(path for path in folder.rglob("test_*.py") if "plugin" not in path.parts)
    if len(list(folder.rglob(made))) >= len(files):
        return
    collect = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-n", "0", "-p", "no:cacheprovider"]
    halves = [
        subprocess.Popen([*collect, *files[at::2]], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for at in range(2)
    ]
    for half in halves:
        half.wait()  # whatever is wrong with a file is told by the workers


@pytest.fixture(autouse=True)
def each_run_its_secrets() -> Iterator[None]:
    """What one test has as a secret is a word like others in the next one, though both run in this process."""
    yield
    if (errors := sys.modules.get("cli.errors")) is not None:
        for known in (errors._redactors, errors._remembered, errors._last):
            known.clear()


def pytest_configure() -> None:
    # A script that starts us in the background has us ignore these, and every `mon` that a test starts would too.
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for number in (signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)


@pytest.hookimpl(tryfirst=True)
def pytest_collection() -> None:
    gc.disable()  # what is collected stays: to look for garbage in it is a sixth of the time


def pytest_collection_finish() -> None:
    # Thousands of tests are a quarter of a million objects, which every collection of garbage would look through.
    gc.enable()
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)  # as rarely as a `mon` with an open line looks for garbage, or nearly so


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: Any) -> Generator[None, Any, Any]:
    report = yield
    if not os.environ.get("MON_NO_SKIPS"):
        return report
    if report.skipped:
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, and must run here: {call.excinfo and call.excinfo.value}"
    elif report.passed and call.when == "call" and took_long(call.duration, os.environ) and not why_slow(item):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} took {call.duration:.0f} s: cut its waits, or say why: @pytest.mark.slow(…)"
    return report


def took_long(seconds: float, environment: Mapping[str, str]) -> bool:
    """Whether a test took longer than it may without a reason.

    Only CI's run of all tests is judged, since it has the machine for itself; some of them run beside other proofs too,
    which say so.
    """
    judged = WORKERS in environment and not environment.get("MON_BESIDE_OTHERS")
    return judged and seconds > most_seconds(environment)


def most_seconds(environment: Mapping[str, str]) -> float:
    """How long a test may take without a reason: as many times longer as there are workers to a core."""
    return MOST_SECONDS * max(1, int(environment.get(WORKERS, 1)) / (os.cpu_count() or 1))


def why_slow(item: pytest.Item) -> str:
    """The reason that stands beside a test which takes long."""
    marker = item.get_closest_marker("slow")
    return "" if marker is None or not marker.args else str(marker.args[0]).strip()
