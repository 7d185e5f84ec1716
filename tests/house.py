"""The house as it stands: its rooms, who imports whom, and how large they are. `python -m tests.house` prints it.

Everything is read from the files, so nothing here lists a module by name: what holds for one file of a room holds for
each that is put there.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
MOST_MODULES = 25  # in a folder

# The rooms of the command line: nothing points from a lower one to a higher one. `bot` and `commands` are neighbours.
LAYERS: Mapping[str, int] = {
    "settings": 1,
    "output": 2,
    "screen": 3,
    "views": 4,
    "run": 5,
    "bot": 6,
    "commands": 6,
}
GROUND = {"errors", "interrupts", "threads", "version"}  # of `cli`: exit codes and signals, which every room may know
ROOF = {"__main__", "main"}


@cache
def modules() -> Mapping[str, Path]:
    """Every module of ours by its dotted name; a package by its own."""
    files = [path for folder in ("cli", "venues") for path in sorted((ROOT / folder).rglob("*.py"))]
    return {_dotted(path): path for path in files}


@cache
def imports(name: str) -> frozenset[str]:
    """Whatever a module imports, ours and others', lazy and type imports included."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(modules()[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: relative imports hide the arrows"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                found.add(whole if whole in modules() else node.module or "")
    return frozenset(found - {name})


def ours(name: str) -> frozenset[str]:
    """The modules of ours that a module imports."""
    return frozenset(other for other in imports(name) if other.partition(".")[0] in ("cli", "venues"))


def room(name: str) -> str:
    """The folder of a module, e.g. `cli.views` or `venues.nexus`; one within a room belongs to the room."""
    parts = name.split(".")
    if parts[0] == "cli":
        return ".".join(parts[:2]) if len(parts) > 1 and parts[1] in LAYERS else "cli"
    folder = ".".join(parts[:2])
    return folder if len(parts) > 1 and modules()[folder].name == "__init__.py" else "venues"


def venues() -> frozenset[str]:
    """The folders of venues, by what makes one: an entry that the registry names."""
    from venues import VENUES

    return frozenset(entry.where.partition(":")[0] for entry in VENUES.values())


def is_simulator(name: str) -> bool:
    """Whether a module simulates: the core, or a venue's own."""
    return "simulator" in name.split(".")


def circles() -> list[list[str]]:
    """The groups of modules that import each other, directly or not (Tarjan's strongly connected components)."""
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        order[name] = lowest[name] = len(order)
        stack.append(name)
        for other in sorted(ours(name) & modules().keys()):
            if other not in order:
                visit(other)
                lowest[name] = min(lowest[name], lowest[other])
            elif other in stack:
                lowest[name] = min(lowest[name], order[other])
        if lowest[name] == order[name]:
            group = [stack.pop()]
            while group[-1] != name:
                group.append(stack.pop())
            if len(group) > 1:
                found.append(sorted(group))

    for name in modules():
        if name not in order:
            visit(name)
    return found


def lines_of(name: str) -> int:
    """How long a module is."""
    return len(modules()[name].read_text(encoding="utf-8").splitlines())


def longest_functions(count: int) -> list[tuple[int, str]]:
    """The longest functions, with their lines."""
    found = [
        ((node.end_lineno or node.lineno) - node.lineno + 1, f"{name}.{node.name}")
        for name, path in modules().items()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    return sorted(found, reverse=True)[:count]


def report() -> Iterator[str]:
    """Rooms with their sizes, arrows between rooms, circles, the longest functions."""
    rooms: dict[str, list[str]] = defaultdict(list)
    for name in modules():
        rooms[room(name)].append(name)
    arrows: dict[str, set[str]] = defaultdict(set)
    for name in modules():
        arrows[room(name)] |= {room(other) for other in ours(name) & modules().keys()} - {room(name)}
    for place in sorted(rooms):
        lines = sum(map(lines_of, rooms[place]))
        yield f"{place:24} {len(rooms[place]):3} modules {lines:6} lines  -> {', '.join(sorted(arrows[place])) or '-'}"
    yield f"circles: {'; '.join(' '.join(group) for group in circles()) or 'none'}"
    yield "longest functions:"
    yield from (f"  {length:4} {name}" for length, name in longest_functions(10))


def _dotted(path: Path) -> str:
    return path.relative_to(ROOT).with_suffix("").as_posix().removesuffix("/__init__").replace("/", ".")


if __name__ == "__main__":
    print("\n".join(report()))
