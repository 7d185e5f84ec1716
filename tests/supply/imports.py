"""Who imports what is not ours: nothing that is not declared, and nothing declared that nobody needs."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.supply.declared import ROOT, RUN, groups

# Distributions whose package has another name than they have; the rest is called as the distribution, with `_` for `-`.
PACKAGES = {"python-engineio": "engineio", "python-socketio": "socketio", "TA-Lib": "talib"}
# What is declared and imported by nobody: it is a program, or a plug-in of pytest. Each is found where it is used.
PROGRAMS = {
    "hatchling": ('"--no-build-isolation"', "tests/test_plugin.py"),
    "mypy": (".venv/bin/mypy", ".ci/run"),
    "pytest-timeout": ("timeout = ", "pyproject.toml"),
    "pytest-xdist": ("-n auto", "pyproject.toml"),
    "ruff": (".venv/bin/ruff", ".ci/run"),
}
OURS = {"cli", "venues", "tests"}
# Packages that tests make for themselves, and the module that `mon` gives to the scripts of bots.
MADE = {"mon_orbit", "heavy_entry", "mon_acme", "mon_acmeb", "more", "profitview"}
# Which groups a folder may import from; the longest that fits counts. `venues.testing` is for authors of venues.
MAY_USE = {
    "cli": (RUN,),
    "cli/bot": (RUN, "bots"),
    "venues": (RUN,),
    "venues/testing": (RUN, "testing"),
    "tests": (RUN, "test"),
}
SCRIPTS = "tests/bot/scripts/"  # of bots: each has the modules of its folder
CALLS = ("import_module", "importorskip", "__import__")  # that import what their first argument names
# What somebody may install by hand: `python -m tests.fuzz TARGET` needs the first, and says how; benchmarks have others
# beside ours where they are there.
BY_HAND = {"atheris", "nautilus_trader", "order_book"}


def package(distribution: str) -> str:
    """What its modules are imported as."""
    return PACKAGES.get(distribution, distribution.replace("-", "_"))


@cache
def imported(text: str) -> frozenset[str]:
    """The packages that a file of this text imports, lazy and type imports and `import_module("…")` included."""
    return frozenset(_imported(text))


def _imported(text: str) -> Iterator[str]:
    tree = ast.parse(text)
    # Statements alone are a tenth of a tree. A call, which may be anywhere, has one of these names somewhere.
    for node in ast.walk(tree) if any(name in text for name in CALLS) else _statements(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module or ""]
        elif isinstance(node, ast.Call) and _called(node.func) in CALLS:
            names = [one.value for one in node.args[:1] if isinstance(one, ast.Constant) and isinstance(one.value, str)]
        yield from (name.partition(".")[0] for name in names)


def _statements(tree: ast.AST) -> Iterator[ast.AST]:
    """All statements, with what has some of them inside, such as a handler of an exception."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        for part in ("body", "orelse", "finalbody", "handlers", "cases"):
            inside = getattr(node, part, None)
            waiting += inside if isinstance(inside, list) else ()


def _called(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def files(root: Path = ROOT) -> Iterator[Path]:
    """Every Python file of ours; `tests/plugin` is a package of its own, with its own pyproject."""
    for folder in ("cli", "venues", "tests"):
        for path in sorted((root / folder).rglob("*.py")):
            if (root / "tests" / "plugin") not in path.parents:
                yield path


def foreign(path: Path) -> frozenset[str]:
    """The packages that a file imports and that neither Python nor this project has."""
    beside = _beside(path.parent) if SCRIPTS in path.as_posix() else frozenset()
    return imported(path.read_text(encoding="utf-8")) - sys.stdlib_module_names - OURS - MADE - beside


@cache
def _beside(folder: Path) -> frozenset[str]:
    """What a bot's script finds in its own folder and in those below."""
    return frozenset(path.stem for path in folder.rglob("*.py")) | {
        path.name for path in folder.rglob("*") if path.is_dir()
    }


def problems(root: Path = ROOT) -> Iterator[str]:
    """What is imported and not declared, as `file: package`, and what is declared and not used."""
    declared = {group: {package(one.name) for one in wanted} for group, wanted in groups(root).items()}
    used: dict[str, set[str]] = {group: set() for group in declared}
    for path in files(root):
        place = path.relative_to(root).as_posix()
        folder = max((one for one in MAY_USE if place.startswith(f"{one}/")), key=len)
        for name in sorted(foreign(path) - BY_HAND):
            having = [group for group in MAY_USE[folder] if name in declared[group]]
            if not having:
                yield f"{place}: {name} is imported and not declared ({', '.join(MAY_USE[folder])})"
            for group in having:
                used[group].add(name)
    for group, wanted in groups(root).items():
        for one in wanted:
            if package(one.name) not in used[group] and not _is_a_program(one.name, root):
                yield f"pyproject.toml: {one.name} ({group}) is declared and not used"


def _is_a_program(name: str, root: Path) -> bool:
    words, where = PROGRAMS.get(name, ("", ""))
    return bool(words) and words in (root / where).read_text(encoding="utf-8")
