"""What a script's source has that makes two replays differ, and no host can order. Pure; it is said once of each kind.

A set of texts is in another order in each process, unless `PYTHONHASHSEED` is set; `sys.modules` gives the real `time`;
what is drawn by chance is seldom the same twice.
"""

from __future__ import annotations

import ast
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_MODULES = ("time", "datetime")
_SEEDED = ("random", "numpy.random")  # where one call of `seed` makes all that is drawn the same …
_SEEDED_EACH = ("random.Random", "numpy.random.default_rng", "numpy.random.RandomState")  # … or its own argument does
_NEVER_SEEDED = ("os.urandom", "random.SystemRandom", "uuid.uuid1", "uuid.uuid4")
_IN_ORDER = ("list", "tuple", "iter", "next", "enumerate", "zip", "map", "filter")  # what goes through a set as it is


def past_imports(tree: ast.Module) -> tuple[int, str] | None:
    """The first line that gets a module of the time in another way than by an import, and how."""
    found = [
        (node.lineno, f"sys.modules[{name!r}]")
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant)
        if (name := node.slice.value) in _MODULES and _name_of(node.value) == "modules"
    ]
    return min(found, default=None)


def through_sets(tree: ast.Module) -> int | None:
    """The first line that goes through a set whose order is another one in each process."""
    if not sys.flags.hash_randomization:
        return None
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None and _is_set(node.value):
            names |= {_name_of(one) for one in (node.targets if isinstance(node, ast.Assign) else [node.target])}
    found = (one for node in ast.walk(tree) for one in _gone_through(node))
    return min((one.lineno for one in found if _is_set(one) or _name_of(one) in names - {None}), default=None)


def by_chance(tree: ast.Module) -> tuple[int, str] | None:
    """The first line that draws something by chance which nobody has seeded, and what it calls."""
    names = _imported(tree)
    calls = [
        (node.lineno, name, bool(node.args or node.keywords))
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and (name := _whole_name(node.func, names)) is not None
    ]
    seeded = {name.removesuffix(".seed") for _, name, has_seed in calls if name.endswith(".seed") and has_seed}
    return min(((line, name) for line, name, given in calls if _is_chance(name, seeded, given=given)), default=None)


def _is_chance(name: str, seeded: set[str], *, given: bool) -> bool:
    """Whether a call draws by chance; `given`: it has arguments."""
    if name in _SEEDED_EACH:
        return not given
    if name in _NEVER_SEEDED or name.startswith("secrets."):
        return True
    home, _, called = name.rpartition(".")
    return home in _SEEDED and home not in seeded and called.islower() and called not in ("seed", "setstate")


def _imported(tree: ast.Module) -> dict[str, str]:
    """The names that a source has for what it imports, with what they stand for, such as `numpy.random`."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for one in node.names:
                whole = one.name if one.asname else one.name.partition(".")[0]
                found[one.asname or whole] = whole
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found |= {one.asname or one.name: f"{node.module}.{one.name}" for one in node.names}
    return found


def _whole_name(node: ast.expr, names: Mapping[str, str]) -> str | None:
    """Such as `numpy.random.rand` for `np.random.rand`; None for what was not imported."""
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if isinstance(node, ast.Attribute) and (home := _whole_name(node.value, names)) is not None:
        return f"{home}.{node.attr}"
    return None


def _gone_through(node: ast.AST) -> Iterator[ast.expr]:
    """What a node goes through in its order."""
    if isinstance(node, ast.For):
        yield node.iter
    elif isinstance(node, ast.ListComp | ast.DictComp):
        yield from (one.iter for one in node.generators)
    elif isinstance(node, ast.Starred):
        yield node.value
    elif isinstance(node, ast.Call) and (_name_of(node.func) in _IN_ORDER or _is_join(node.func)):
        yield from node.args


def _is_join(node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "join"


def _is_set(node: ast.expr) -> bool:
    """Whether an expression makes a set, other than one of numbers alone."""
    if isinstance(node, ast.Set):
        return any(not isinstance(one, ast.Constant) or isinstance(one.value, str | bytes) for one in node.elts)
    return isinstance(node, ast.SetComp) or (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("set", "frozenset")
    )


def _name_of(node: ast.expr) -> str | None:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", None)
