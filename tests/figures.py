"""Every figure of mon: limits, deadlines, defaults, by name. `python -m tests.figures` writes them down anew.

Most of them nobody would miss in a test: a deadline of 10 s that became 11 s, or 1,000 rows that became 999. But each
was chosen for a reason, many are promised in the README, and none may change without somebody meaning it.
"""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from functools import cache
from pathlib import Path
from types import FunctionType, MethodType
from typing import Any, Literal, NamedTuple

from tests.house import modules

FILE = Path(__file__).parent / "golden" / "figures.txt"
_NUMBERS = (int, float, Decimal, timedelta, datetime)
_LISTS = (tuple, list, set, frozenset)
# What only some tests or machines have: a module of these is not loaded to look at its figures.
LEFT_OUT = ("__main__", "venues.testing.checks")


class _Part(NamedTuple):
    """What a module or a class has, by its name; of a class what is in it."""

    kind: Literal["value", "class", "function"]
    name: str
    inner: list[_Part] = []  # noqa: RUF012


def figures() -> dict[str, str]:
    """All of them: of modules and classes, and the defaults of parameters and fields."""
    found: dict[str, str] = {}
    for name, path in sorted(modules().items()):
        if name.endswith(LEFT_OUT[0]) or name.startswith(LEFT_OUT[1:]):
            continue
        module = importlib.import_module(name)
        found.update(_of(module, _outline(path), name))
    return found


@cache
def _outline(path: Path) -> list[_Part]:
    """The parts of a module that may have figures: to keep its whole tree would cost more than to parse it."""
    return list(_parts(ast.parse(path.read_text(encoding="utf-8")).body))


def _parts(body: list[ast.stmt]) -> Iterator[_Part]:
    for node in body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None and not _is_empty(node.value):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [leaf.id for target in targets for leaf in ast.walk(target) if isinstance(leaf, ast.Name)]
            yield from (_Part("value", name) for name in names)
        elif isinstance(node, ast.ClassDef):
            yield _Part("class", node.name, list(_parts(node.body)))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield _Part("function", node.name)


def _of(owner: Any, parts: list[_Part], place: str) -> Iterator[tuple[str, str]]:
    for kind, name, inner in parts:
        if kind == "value":
            value = _value(owner, name)
            if _is_figure(value):
                yield f"{place}.{name}", _written(value)
        elif kind == "class":
            yield from _of(getattr(owner, name, None), inner, f"{place}.{name}")
        else:
            yield from _defaults(inspect.unwrap(getattr(owner, name, print)), f"{place}.{name}")


def _is_empty(value: ast.expr) -> bool:
    """Whether it is what something is put into while mon runs."""
    return isinstance(value, ast.Dict | ast.List) and not (value.keys if isinstance(value, ast.Dict) else value.elts)


def _value(owner: Any, name: str) -> Any:
    """What a name stands for; of a field of a Struct, its default."""
    fields = getattr(owner, "__struct_fields__", ())
    if name in fields:
        defaults = owner.__struct_defaults__
        at = fields.index(name) - (len(fields) - len(defaults))
        return defaults[at] if at >= 0 else None
    return getattr(owner, "_field_defaults", {}).get(name, getattr(owner, name, None))


def _defaults(function: Any, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(function, FunctionType | MethodType) and not (function.__defaults__ or function.__kwdefaults__):
        return  # most have none, and their signatures need not be worked out
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return
    for parameter in parameters.values():
        if _is_figure(parameter.default):
            yield f"{place}({parameter.name})", _written(parameter.default)


def _is_figure(value: Any) -> bool:
    if isinstance(value, _LISTS):
        return any(map(_is_figure, value))
    if isinstance(value, dict):
        return any(map(_is_figure, [*value, *value.values()]))
    return isinstance(value, (range, *_NUMBERS)) and not isinstance(value, (bool, Enum))


def _written(value: Any) -> str:
    if isinstance(value, _LISTS):
        inner = [_written(one) for one in value]
        return f"({', '.join(sorted(inner) if isinstance(value, set | frozenset) else inner)})"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_written(name)}: {_written(one)}' for name, one in value.items())}}}"
    return repr(value) if isinstance(value, (range, *_NUMBERS, str, bytes, type(None))) else type(value).__name__


def written() -> str:
    """As they are kept, one a line."""
    return "".join(f"{name} = {value}\n" for name, value in sorted(figures().items()))


if __name__ == "__main__":
    FILE.write_text(written(), encoding="utf-8")
