"""The pytest plugin of a job: which tests run in which order, how long each may take, what became of each; and which
lines it passes, where that is measured.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import pytest

CHOSEN = "MON_MUTATION_CHOSEN"  # a file: the tests in their order with the seconds for each; none: all
RESULTS = "MON_MUTATION_RESULTS"  # a file: a line of JSON for each test
COVERED = "MON_MUTATION_COVERED"  # a file to be made: who passes which lines
CONTEXT = "MON_MUTATION_TEST"  # the test that runs, for the processes that it starts
PATH = "PYTHONPATH"
HANDED_ON = (PATH, "PYTHONPYCACHEPREFIX", "MON_MUTATION_JOB", CONTEXT, "COVERAGE_PROCESS_START")


class Results:
    """Writes what became of each test as soon as it is known: the process may be killed at any time."""

    def __init__(self, file: Path) -> None:
        self._file = file.open("a", encoding="utf-8")
        self._seconds = 0.0
        self._failed = ""

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._seconds += report.duration
        if report.outcome != "passed" and not self._failed:
            late = "Timeout (>" in str(report.longrepr)
            self._failed = "late" if late else report.outcome
        if report.when == "teardown":
            line = {"test": report.nodeid, "outcome": self._failed or "passed", "seconds": round(self._seconds, 4)}
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()
            self._seconds, self._failed = 0.0, ""


class Choice:
    """Keeps the tests that are asked for, in the order that is asked for, with a limit for each."""

    def __init__(self, chosen: Mapping[str, float]) -> None:
        self._chosen = chosen

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        places = {name: place for place, name in enumerate(self._chosen)}
        items[:] = sorted((item for item in items if item.nodeid in places), key=lambda item: places[item.nodeid])
        for item in items:
            item.add_marker(pytest.mark.timeout(self._chosen[item.nodeid]), append=False)


class Coverage:
    """Notes the lines that each test passes, here and in the processes that it starts."""

    def __init__(self, file: Path) -> None:
        from coverage import Coverage as Measure

        self._file = file
        self._tree = Path.cwd()
        self._measure = Measure(config_file=os.environ["COVERAGE_PROCESS_START"], data_suffix=False)
        self._measure.start()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        os.environ[CONTEXT] = item.nodeid
        self._measure.switch_context(item.nodeid)
        try:
            return (yield)
        finally:
            self._measure.switch_context("")

    def pytest_unconfigure(self) -> None:
        self._measure.stop()
        self._measure.save()
        self._file.write_text(json.dumps(self._found()), encoding="utf-8")

    def _found(self) -> dict[str, dict[str, list[int]]]:
        """The lines of each file by test; those that an import passes belong to no test."""
        from coverage import CoverageData

        found: dict[str, dict[str, list[int]]] = {}
        data_file = Path(self._measure.config.data_file)
        for name in data_file.parent.glob(f"{data_file.name}*"):
            data = CoverageData(basename=str(name))
            data.read()
            for source in data.measured_files():
                path = Path(source).relative_to(self._tree).as_posix()
                for line, tests in data.contexts_by_lineno(source).items():
                    for test in tests:
                        if test:
                            found.setdefault(test, {}).setdefault(path, []).append(line)
        return found


def pytest_configure(config: pytest.Config) -> None:
    """Take up the job that the environment describes."""
    _hand_on()
    config.pluginmanager.register(Results(Path(os.environ[RESULTS])))
    if chosen := os.environ.get(CHOSEN):
        config.pluginmanager.register(Choice(json.loads(Path(chosen).read_text(encoding="utf-8"))))
    if covered := os.environ.get(COVERED):
        config.pluginmanager.register(Coverage(Path(covered)))


def _hand_on() -> None:
    """Tests give the `mon` that they start an environment of its own: what leads to the mutant is put into it."""
    plain = subprocess.Popen.__init__

    def __init__(self: Any, *arguments: Any, env: Mapping[str, str] | None = None, **options: Any) -> None:  # noqa: N807
        ours = {name: os.environ[name] for name in HANDED_ON if name in os.environ}
        if env is not None and env.get(PATH, "") not in ("", ours.get(PATH)):  # e.g. a folder with plug-ins
            ours[PATH] = os.pathsep.join([*ours.get(PATH, "").split(os.pathsep), env[PATH]])
        plain(self, *arguments, env=None if env is None else {**env, **ours}, **options)

    subprocess.Popen.__init__ = __init__  # type: ignore[method-assign]
