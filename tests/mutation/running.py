"""Copies of the tree, and what is done in them: nothing ever touches the tree itself."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

from tests.mutation import measured, plugin
from tests.mutation.nursery import DOES_NOT_IMPORT, IMPORTS_WITHIN
from tests.mutation.operators import Change
from tests.mutation.rooms import dotted, importers

COPIED = ("cli", "venues", "tests", "completions", "README.md", "pyproject.toml", ".ci", ".gitignore")
MEASURED_WITHIN = 1200.0  # seconds for a test file
# A machine may be many times as slow as when a test was measured; one that hangs is hardly ever the machine.
SLOWNESS = 10
SHORTEST_LIMIT = 20.0  # seconds for a test
# What most tests need: loaded once, before the jobs.
LOADED = (
    *("pytest", "hypothesis", "msgspec", "websockets.asyncio.client", "websockets.asyncio.server"),
    *("aiohttp.web", "typer", "rich.console", "rich.table", "platformdirs", "socketio", "signalrcore.messages"),
    *("sqlite3", "coverage"),
)


class Ran(NamedTuple):
    """What became of some tests."""

    code: int
    late: bool  # the whole had to be killed
    results: list[dict[str, Any]]
    output: str

    @property
    def not_imported(self) -> bool:
        """Whether the mutant cannot be imported, and so no test was run."""
        return self.code == DOES_NOT_IMPORT

    def failed(self) -> dict[str, Any] | None:
        """The first test that did not pass."""
        return next((result for result in self.results if result["outcome"] not in ("passed", "skipped")), None)


class Copy:
    """A copy of the tree with a nursery in it; one job at a time."""

    def __init__(self, root: Path, folder: Path) -> None:
        self._root = root
        self._folder = folder
        self._tree = folder / "tree"
        folder.mkdir()
        self._times = 0
        self._lock = threading.Lock()
        copied(root, self._tree)
        path = os.pathsep.join([str(self._tree / "tests" / "mutation" / "onpath"), str(self._tree)])
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("MON_", "PYTEST_", "COV"))}
        self._environment = {
            **kept,
            "PYTHONPATH": path,
            "TMPDIR": str(folder / "t"),
            "HYPOTHESIS_STORAGE_DIRECTORY": str(folder / "h"),
            "OPENBLAS_NUM_THREADS": "1",
        }
        (folder / "t").mkdir()
        self._nursery: subprocess.Popen[str] | None = None

    def _born(self) -> subprocess.Popen[str]:
        """The process that runs the jobs, made when it is first needed."""
        if self._nursery is None:
            self._nursery = subprocess.Popen(
                [sys.executable, "-m", "tests.mutation.nursery", str(self._folder / "pyc"), *LOADED],
                cwd=self._tree,
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        return self._nursery

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the nursery; what it was doing ends with it."""
        if self._nursery is None:
            return
        self._nursery.terminate()
        self._nursery.wait()
        if self._nursery.stdin:
            with contextlib.suppress(BrokenPipeError):
                self._nursery.stdin.close()
        if self._nursery.stdout:
            self._nursery.stdout.close()

    @contextlib.contextmanager
    def changed(self, change: Change | None) -> Iterator[None]:
        """The copy with the change."""
        if change is None:
            yield
            return
        source = (self._root / change.path).read_bytes()
        try:
            self._write(change.path, change.applied(source))
            yield
        finally:
            self._write(change.path, source)

    def _write(self, path: str, source: bytes) -> None:
        """With a time that no version had: Python takes compiled code for another file's only by time and length."""
        self._times += 1
        (self._tree / path).write_bytes(source)
        os.utime(self._tree / path, (self._times, self._times))

    def imports(self, change: Change) -> bool:
        """Whether the module, and those that import it, can be imported."""
        with self.changed(change):
            done = self._job("import", 2 * IMPORTS_WITHIN, {}, modules=self.modules(change))
        return bool(done["code"] == 0)

    def modules(self, change: Change) -> list[str]:
        """What has to be importable with the change."""
        return [dotted(change.path), *importers(self._root, change.path)]

    def measure(self, file: str) -> dict[str, object]:
        """Run a test file whole, without a mutant, and note who passes which lines."""
        settings = self._folder / "coverage.ini"
        settings.write_text(
            f"[run]\ndata_file = {self._folder}/lines\nparallel = true\ncontext = ${{{plugin.CONTEXT}-}}\n"
            f"include =\n    {self._tree}/cli/*\n    {self._tree}/venues/*\n"
            "disable_warnings = no-data-collected, module-not-measured, context-conflicts\n",
            encoding="utf-8",
        )
        for old in self._folder.glob("lines*"):
            old.unlink()
        covered = self._folder / "covered.json"
        covered.unlink(missing_ok=True)
        # Each `mon` from its own start: one that is forked from another would note its lines for that one's test.
        environment = {"COVERAGE_PROCESS_START": str(settings), plugin.COVERED: str(covered), "MON_TEST_COLD": "1"}
        ran = self._pytest([file], [], MEASURED_WITHIN, environment)
        if not covered.exists():  # they did not end, or pytest did not
            return {"results": [*ran.results, {"test": f"{file} as a whole", "outcome": "failed"}], "lines": {}}
        lines: dict[str, dict[str, list[int]]] = json.loads(covered.read_text(encoding="utf-8"))
        packed = {test: {path: measured.packed(at) for path, at in paths.items()} for test, paths in lines.items()}
        return {"results": ran.results, "lines": packed}

    def tests(self, chosen: Sequence[measured.Test], modules: Sequence[str] = ()) -> Ran:
        """Run some tests in their order, up to the first that fails; before them, import the modules."""
        limits = {test.name: max(SHORTEST_LIMIT, test.seconds * SLOWNESS) for test in chosen}
        file = self._folder / "chosen.json"
        file.write_text(json.dumps(limits), encoding="utf-8")
        within = 3 * SHORTEST_LIMIT + SLOWNESS * sum(test.seconds for test in chosen)
        files = list(dict.fromkeys(test.file for test in chosen))
        return self._pytest(files, ["-x"], within + IMPORTS_WITHIN, {plugin.CHOSEN: str(file)}, modules)

    def _pytest(
        self,
        files: list[str],
        options: list[str],
        within: float,
        more: Mapping[str, str],
        modules: Sequence[str] = (),
    ) -> Ran:
        results = self._folder / "results.jsonl"
        results.write_text("", encoding="utf-8")
        arguments = [
            *("-o", "addopts=", "-o", "timeout=120", "-p", "no:cacheprovider", "-p", "no:xdist"),
            *("-W", "ignore:Module already imported:pytest.PytestAssertRewriteWarning"),
            *("-p", "tests.mutation.plugin", "-q", "--no-header", "--tb=short", "--hypothesis-seed=0"),
            *("--basetemp", str(self._folder / "b"), *options, *files),
        ]
        done = self._job("test", within, {plugin.RESULTS: str(results), **more}, arguments=arguments, modules=modules)
        lines = results.read_text(encoding="utf-8").splitlines()
        found = [json.loads(line) for line in lines if line.endswith("}")]
        shutil.rmtree(self._folder / "t", ignore_errors=True)
        (self._folder / "t").mkdir(exist_ok=True)
        return Ran(done["code"], done["late"], found, self._output())

    def _job(self, kind: str, within: float, environment: Mapping[str, str], **more: Any) -> dict[str, Any]:
        job = {"kind": kind, "id": uuid.uuid4().hex, "seconds": within, "output": str(self._folder / "output")}
        with self._lock:
            nursery = self._born()
            assert nursery.stdin is not None
            assert nursery.stdout is not None
            nursery.stdin.write(json.dumps({**job, "environment": environment, **more}) + "\n")
            nursery.stdin.flush()
            answer = nursery.stdout.readline()
        if not answer:
            raise RuntimeError("the process that runs the tests has ended")
        done: dict[str, Any] = json.loads(answer)
        return done

    def _output(self) -> str:
        return (self._folder / "output").read_text(encoding="utf-8", errors="replace")


def copied(root: Path, to: Path) -> None:
    """What tests need; not what others have made."""
    to.mkdir()
    for name in COPIED:
        if (root / name).is_dir():
            shutil.copytree(
                root / name, to / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__", "node_modules")
            )
        elif (root / name).exists():
            shutil.copy2(root / name, to / name)
    # The tapes of real markets that lie beside the project, where they do.
    if (root.parent / "shared").is_dir():
        (to.parent / "shared").symlink_to((root.parent / "shared").resolve())
