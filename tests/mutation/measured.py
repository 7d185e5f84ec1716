"""Which tests pass which line, and how long each takes: measured once for a test file, and kept outside the tree.

Measured again when the test file changes. When a source changes, its lines are found again by their text: what is read
here only chooses tests, the verdict on a mutant is always a real run.
"""

from __future__ import annotations

import ast
import difflib
import json
import sqlite3
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

MOST_LINES_BACK = 6  # from a line in the midst of a long statement to the one that is counted as passed


class Test(NamedTuple):
    """A test that passes without a mutant; its lines by file."""

    name: str
    seconds: float
    lines: Mapping[str, frozenset[int]]
    is_sure: bool = True  # it passed in this very tree

    @property
    def file(self) -> str:
        return self.name.partition("::")[0]


class Measured:
    """The measurements of one tree; safe to use from several threads."""

    def __init__(self, file: Path, root: Path) -> None:
        self._root = root
        self._tree = _digest(b"".join(path.read_bytes() for path in _sources(root)))
        self._lock = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._known: dict[str, list[Test]] = {}
        self.not_passing: set[str] = set()
        file.parent.mkdir(parents=True, exist_ok=True)
        self._store = sqlite3.connect(file, check_same_thread=False, timeout=60)
        self._store.execute("CREATE TABLE IF NOT EXISTS measured (test TEXT PRIMARY KEY, digest TEXT, found BLOB)")
        self._store.execute("CREATE TABLE IF NOT EXISTS sources (digest TEXT PRIMARY KEY, text BLOB)")

    def close(self) -> None:
        """Close the file."""
        self._store.close()

    def tests(self, file: str, measure: Callable[[str], dict[str, object]]) -> list[Test]:
        """The tests of a file, measured now unless it has been; without those that fail by themselves."""
        with self._lock:
            lock = self._locks.setdefault(file, threading.Lock())
        with lock:
            if file not in self._known:
                digest = _digest((self._root / file).read_bytes())
                found = self._read(file, digest)
                if found is None:
                    found = measure(file)
                    texts = self._now(found)
                    found["tree"] = self._tree
                    found["sources"] = {path: _digest(text) for path, text in texts.items()}
                    if _all_passed(found):  # else it is measured again another time
                        self._write(file, digest, found, texts)
                self._known[file] = list(self._taken(found))
            return self._known[file]

    def _read(self, file: str, digest: str) -> dict[str, object] | None:
        with self._lock:
            row = self._store.execute("SELECT digest, found FROM measured WHERE test = ?", (file,)).fetchone()
        return json.loads(zlib.decompress(row[1])) if row and row[0] == digest else None

    def _now(self, found: dict[str, object]) -> dict[str, bytes]:
        """The sources that the lines are of, as they are now."""
        lines: dict[str, dict[str, str]] = found["lines"]  # type: ignore[assignment]
        return {path: (self._root / path).read_bytes() for path in {path for paths in lines.values() for path in paths}}

    def _write(self, file: str, digest: str, found: dict[str, object], texts: Mapping[str, bytes]) -> None:
        """With the sources, to find their lines again."""
        packed = zlib.compress(json.dumps(found).encode())
        rows = [(_digest(text), zlib.compress(text)) for text in texts.values()]
        with self._lock, self._store:
            self._store.executemany("INSERT OR IGNORE INTO sources VALUES (?, ?)", rows)
            self._store.execute("INSERT OR REPLACE INTO measured VALUES (?, ?, ?)", (file, digest, packed))

    def _taken(self, found: dict[str, object]) -> Iterator[Test]:
        sources: dict[str, str] = found["sources"]  # type: ignore[assignment]
        lines: dict[str, dict[str, str]] = found["lines"]  # type: ignore[assignment]
        moved = {path: self._moved(path, digest) for path, digest in sources.items() if (self._root / path).exists()}
        kept: dict[tuple[str, str], frozenset[int]] = {}
        for result in found["results"]:  # type: ignore[attr-defined]
            name = result["test"]
            if result["outcome"] != "passed":
                if result["outcome"] != "skipped":
                    self.not_passing.add(name)
                continue
            passed = {}
            for path, bits in lines.get(name, {}).items():
                if path in moved:
                    if (path, bits) not in kept:
                        kept[path, bits] = _now(unpacked(bits), moved[path])
                    passed[path] = kept[path, bits]
            yield Test(name, result["seconds"], passed, found.get("tree") == self._tree)

    def _moved(self, path: str, digest: str) -> Mapping[int, list[int]] | None:
        """Where the lines that were measured are now; None: where they were."""
        now = (self._root / path).read_bytes()
        if _digest(now) == digest:
            return None
        with self._lock:
            (packed,) = self._store.execute("SELECT text FROM sources WHERE digest = ?", (digest,)).fetchone()
        before, after = zlib.decompress(packed).splitlines(), now.splitlines()
        moved: dict[int, list[int]] = {}
        last = 1
        for kind, start, end, new_start, new_end in difflib.SequenceMatcher(None, before, after, False).get_opcodes():
            if kind == "equal":
                for offset in range(end - start):
                    moved[start + offset + 1] = [new_start + offset + 1]
                last = end
            else:  # whoever passes the line before passes what has been put behind it
                moved.setdefault(last, []).extend(range(new_start + 1, new_end + 1))
        return moved


def _all_passed(found: dict[str, object]) -> bool:
    results: list[dict[str, str]] = found["results"]  # type: ignore[assignment]
    return bool(results) and all(result["outcome"] in ("passed", "skipped") for result in results)


def packed(lines: list[int]) -> str:
    """Numbers of lines as a short text."""
    bits = 0
    for line in lines:
        bits |= 1 << line
    return f"{bits:x}"


def unpacked(text: str) -> frozenset[int]:
    """The numbers again."""
    bits = int(text, 16)
    return frozenset(line for line in range(bits.bit_length()) if bits >> line & 1)


def _now(lines: frozenset[int], moved: Mapping[int, list[int]] | None) -> frozenset[int]:
    return lines if moved is None else frozenset(new for line in lines for new in moved.get(line, ()))


def _sources(root: Path) -> list[Path]:
    """All that a test's end may depend on."""
    parts = (root / part for part in ("cli", "venues", "tests"))
    found = (path for part in parts for path in part.rglob("*") if path.is_file() and "node_modules" not in path.parts)
    return sorted(path for path in found if "__pycache__" not in path.parts)


def _digest(text: bytes) -> str:
    return sha256(text).hexdigest()[:16]


class Place(NamedTuple):
    """The lines to look for when tests are chosen for a line."""

    likely: tuple[range, ...]  # the first of them that anybody passes
    anywhere: bool  # else everybody is concerned: what an import runs belongs to no test
    by_import: bool = True  # whether an import runs it


def place(source: bytes, line: int) -> Place:
    """A line of a function is passed by a test; its head and defaults by whoever passes anything of its body."""
    innermost: ast.FunctionDef | ast.AsyncFunctionDef | None = None
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
            if first <= line <= (node.end_lineno or first) and (innermost is None or innermost.lineno < node.lineno):
                innermost = node
    if innermost is None:
        return Place((range(1, source.count(b"\n") + 2),), anywhere=True)
    start = innermost.body[0].lineno
    body = range(start, (innermost.end_lineno or start) + 1)
    if line < start:
        return Place((body,), anywhere=False)  # a default
    back = [range(at, at + 1) for at in range(line, max(start, line - MOST_LINES_BACK) - 1, -1)]
    return Place(tuple(back), anywhere=False, by_import=False)


def concerned(tests: list[Test], path: str, where: Place) -> list[Test]:
    """The tests that pass the place, in their order."""
    for lines in where.likely:
        found = [test for test in tests if any(line in lines for line in test.lines.get(path, ()))]
        if found:
            return [*found, *(test for test in tests if test not in found)] if where.anywhere else found
    return tests if where.anywhere else []
