"""Which tests are nearest to which files: the list that a new part of mon adds itself to, one entry a line.

A mutant is tried with its room's tests, those first whose name or imports say that they are about its file. One that
they do not notice is tried with all others that pass its line: 10,000 tests for each of 300 mutants would take a week.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import NamedTuple


class Room(NamedTuple):
    """A folder or a file, and the tests nearest to it, the nearest first: `book` is `tests/test_book.py`."""

    files: str
    tests: str


# The first room that names a file has it. `*` stands for what is within one folder.
ROOMS: dict[str, Room] = {
    "simulators": Room(
        "venues/*/simulator/*.py", "simulator/plays simulator/* games kraken_live woox_live jayx_live b2trader_live"
    ),
    "simulator": Room("venues/simulator/*.py", "simulator/plays simulator/* answers simulator_faults tapes"),
    "b2trader": Room("venues/b2trader/*.py", "b2trader* games answers leaving_edges fixtures late_rows book_sessions"),
    "jayx": Room("venues/jayx/*.py", "jayx* games answers leaving_edges fixtures late_rows candle_cases"),
    "kraken": Room("venues/kraken/*.py", "kraken* games answers leaving_edges fixtures symbol_states symbols"),
    "nbt": Room("venues/nbt/*.py", "nbt games answers acknowledgements leaving_edges fixtures simulator/nbt send"),
    "nexus": Room("venues/nexus/*.py", "nexus* games answers leaving_edges fixtures clock candle_cases late_rows"),
    "profitview": Room(
        "venues/profitview/*.py", "profitview games answers simulator/plays simulator/profitview leaving_edges fixtures"
    ),
    "woox": Room("venues/woox/*.py", "woox* games answers seeding leaving_edges fixtures symbols"),
    "toolkit": Room(
        "venues/toolkit/*.py",
        "book book_rules games answers candles clock consistency made_candles numbers pacing resync rows "
        "seeding spellings unasked "
        "written acknowledgements ages late_rows text_numbers candle_cases plugin_faults fixtures",
    ),
    "protocols": Room("venues/protocols/*.py", "wire/* games answers cookies signs_of_life fixtures"),
    "testing": Room("venues/testing/*.py", "fuzz answers plugin_faults entries endings plugin plugin_check"),
    "venues": Room(
        "venues/*.py",
        "driver games answers connection keepalive fetching redaction recording_files standing made entries "
        "acknowledged_lines "
        "symbols plugins "
        "symbol_states public_api signs_of_life fixtures states",
    ),
    "conditions": Room("cli/output/conditions.py", "conditions chosen judging"),
    "expressions": Room("cli/output/expressions.py", "conditions"),
    "exactly": Room("cli/output/exactly.py", "conditions check"),
    "chosen": Room("cli/output/chosen.py", "chosen alerts"),
    "verdicts": Room("cli/output/verdicts.py", "check"),
    "judging": Room("cli/run/judging.py", "judging alerts"),
    "edges": Room("cli/run/edges.py", "alerts"),
    "alerts": Room("cli/run/alerts.py", "alerts"),
    "checking": Room("cli/run/checking.py", "checking check"),
    "run": Room(
        "cli/run/*.py",
        "run/* loop games answers states endings symbol_lists symbol_states empty_states entries ages send "
        "acknowledged_lines judging many_symbols "
        "jayx_config profitview config symbols completions/answers dash_sources cli zones plugins bot/time_line",
    ),
    "output": Room(
        "cli/output/*.py",
        "queues games answers written acknowledged_lines loop states symbol_states slow_readers endings "
        "hostile text_numbers "
        "many_symbols cli",
    ),
    "hub": Room("cli/bot/hub/*.py", "bot/relay games bot/held bot/hub bot/stopped bot/several"),
    "timing": Room(
        "cli/bot/timing/*.py", "bot/timing bot/script_clock bot/runner bot/endless bot/page bot/host bot/run_options"
    ),
    "seats": Room(
        "cli/bot/seat*.py",
        "bot/runner bot/many_symbols bot/page bot/host bot/stopped bot/summary bot/run_options bot/several",
    ),
    "serving": Room("cli/bot/serving.py", "bot/serving bot/door bot/host"),
    "door": Room("cli/bot/door.py", "bot/door bot/serving"),
    "report": Room("cli/bot/report.py", "bot/summary bot/host bot/several"),
    "summary": Room("cli/bot/summary.py", "bot/summary bot/host"),
    "attributes": Room("cli/bot/attributes.py", "bot/script bot/settings bot/several bot/run_options"),
    "knowledge": Room("cli/bot/knowledge.py", "bot/page bot/script bot/host bot/run_options"),
    "own": Room("cli/bot/own/*.py", "bot/several bot/script"),
}


# Every room's, for what an import runs: constants, defaults, fields.
OF_IMPORTS = ("tests/test_figures.py", "tests/test_public_api.py")


def files(root: Path, rooms: Collection[str]) -> dict[str, str]:
    """The files of the rooms and the room of each: the first one that names it."""
    found: dict[str, str] = {}
    every = sorted(
        path.relative_to(root).as_posix() for part in ("cli", "venues") for path in (root / part).rglob("*.py")
    )
    for name, room in ROOMS.items():
        for path in every:
            if path not in found and _matches(path, room.files):
                found[path] = name
    return {path: name for path, name in sorted(found.items()) if name in rooms}


# Tests that start processes and servers, and so wait: last.
_SLOW = ("subprocess", "tests.command", "tests.simulated", "tests.servers", "tests.simulator.support", "tests.bot")


def nearest(root: Path, path: str, room: str) -> list[str]:
    """The room's test files: named after the module, importing it or its venue's, the others; slow ones last."""
    tests = list(_listed(root, room))
    tests += _added(root, path, tests)

    def distance(test: str) -> tuple[bool, int]:
        imported = _imported(root, test)
        slow = any(name.startswith(_SLOW) for name in imported) or not {"live", "cli", "tapes"}.isdisjoint(_words(test))
        if _named_after(test, path):
            return slow, 0
        return slow, 1 if dotted(path) in imported or Path(path).parts[1] in _words(test) else 2

    return sorted(dict.fromkeys(tests), key=distance)


def others(root: Path, path: str, room: str) -> list[str]:
    """All other test files."""
    near = set(nearest(root, path, room))
    return [test for test in _every(root) if test not in near]


# What searches by chance, or runs everything: takes minutes, and says nothing that the tests of a room do not.
_PROOFS = ("tests/fuzz/", "tests/interop/", "tests/plugin/", "tests/secrecy/", "tests/soak/", "tests/supply/")
_PROOFS += tuple(f"tests/test_{name}.py" for name in ("bot_faults", "faults", "house", "model", "mutation", "readme"))


@cache
def _listed(root: Path, room: str) -> tuple[str, ...]:
    """The test files that the room lists."""
    patterns = (name.rpartition("/") for name in ROOMS[room].tests.split())
    return tuple(
        test.relative_to(root).as_posix()
        for folder, _, name in patterns
        for test in sorted((root / "tests").glob(f"{folder or '.'}/test_{name}.py"))
    )


def _added(root: Path, path: str, known: Collection[str]) -> list[str]:
    """Test files that are about the module though no room lists them, such as those of a later issue."""
    name = dotted(path)
    about = (test for test in _every(root) if _named_after(test, path) or name in _imported(root, test))
    return [test for test in about if test not in known]


@cache
def _every(root: Path) -> tuple[str, ...]:
    """All test files but proofs."""
    every = sorted(test.relative_to(root).as_posix() for test in (root / "tests").rglob("test_*.py"))
    return tuple(test for test in every if not test.startswith(_PROOFS))


def _named_after(test: str, path: str) -> bool:
    """`tests/test_book_rules.py` for `venues/toolkit/book.py`."""
    words, stem = _words(test), _stem(path)
    return stem in words or stem == "_".join(words)


@cache
def _stem(path: str) -> str:
    return Path(path).stem


@cache
def _words(test: str) -> tuple[str, ...]:
    return tuple(Path(test).stem.split("_")[1:])


@cache
def _imported(root: Path, test: str) -> frozenset[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse((root / test).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(found)


def dotted(path: str) -> str:
    """`venues.toolkit.book`."""
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


@cache
def importers(root: Path, path: str) -> list[str]:
    """The modules that import a module directly, which its own import may break only together with them."""
    name = dotted(path)
    parent, _, last = name.rpartition(".")
    written = [rf"^from {re.escape(name)} import", rf"^import {re.escape(name)}\b"]
    written += [rf"^from {re.escape(parent)} import .*\b{last}\b"] if parent else []
    mention = re.compile("|".join(written), re.MULTILINE)
    modules = [module for part in ("cli", "venues") for module in sorted((root / part).rglob("*.py"))]
    found = [module for module in modules if mention.search(module.read_text(encoding="utf-8"))]
    return [dotted(module.relative_to(root).as_posix()) for module in found if module.stem != "__main__"]


def _matches(path: str, pattern: str) -> bool:
    """`*` stands within one folder."""
    parts, wanted = path.split("/"), pattern.split("/")
    return len(parts) == len(wanted) and all(map(fnmatch, parts, wanted))
