"""What authors of venues may use is listed, documented, and does not change without a new version of the contract.

`python -m tests.test_public_api` prints the table for `venues/README.md`, and writes `public_api.json`: what there is
of each name now. Do that after something was added. If something has gone, or takes other parameters, raise `CONTRACT`.
"""

from __future__ import annotations

import ast
import inspect
import json
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.house import ROOT
from venues.testing.api import API, table
from venues.venue import CONTRACT

STORED = Path(__file__).with_name("public_api.json")
PLUGIN = Path(__file__).parent / "plugin"
HEADING = "## Public API"


def public() -> Iterator[tuple[str, Any]]:
    for module, names in API.items():
        for name in names:
            yield f"{module}.{name}", getattr(import_module(module), name)


def parameters(thing: Any) -> list[str]:
    """The parameters by their names: `=` behind one that has a default, `*` before those that must be named."""
    if inspect.isclass(thing) and issubclass(thing, Exception) and thing.__init__ is Exception.__init__:
        return ["*args"]
    shown: list[str] = []
    for one in inspect.signature(thing).parameters.values():
        if one.kind is one.KEYWORD_ONLY and "*" not in shown:
            shown.append("*")
        star = {one.VAR_POSITIONAL: "*", one.VAR_KEYWORD: "**"}.get(one.kind, "")
        shown.append(f"{star}{one.name}{'' if one.default is one.empty else '='}")
    return shown


def facts(name: str, thing: Any) -> Iterator[tuple[str, list[str]]]:
    """What there is of a public name: parameters; of a class also its public methods and attributes."""
    if not inspect.isclass(thing):
        yield name, parameters(thing) if inspect.isfunction(thing) else ["value"]
        return
    is_protocol = bool(getattr(thing, "_is_protocol", False))
    yield name, ["protocol"] if is_protocol else parameters(thing)
    if abstract := sorted(getattr(thing, "__abstractmethods__", ())):
        yield f"{name} (to be written)", abstract
    if is_protocol:
        yield f"{name} (to be written)", sorted(_members(thing))
    for member, value in sorted(vars(thing).items()):
        if member.startswith("_") or isinstance(value, type):
            continue
        function = value.__func__ if isinstance(value, classmethod | staticmethod) else value
        yield f"{name}.{member}", parameters(function) if inspect.isfunction(function) else ["value"]


def _members(thing: Any) -> set[str]:
    own = {one for one in vars(thing) if not one.startswith("_")}
    return own | {one for one in inspect.get_annotations(thing) if not one.startswith("_")}


def now() -> dict[str, list[str]]:
    return dict(fact for name, thing in public() for fact in facts(name, thing))


def what_breaks(stored: Mapping[str, Sequence[str]], current: Mapping[str, Sequence[str]]) -> list[str]:
    """What somebody's code that fits `stored` may stumble over, in words."""
    broken = []
    for name, before in stored.items():
        after = current.get(name)
        if after is None:
            broken.append(f"{name} has gone")
        elif name.endswith("(to be written)"):
            if added := sorted(set(after) - set(before)):
                broken.append(f"{name}: {', '.join(added)} as well, which nobody has written")
        elif problem := what_differs(before, after):
            broken.append(f"{name}: {problem}")
    return broken


def what_differs(before: Sequence[str], after: Sequence[str]) -> str:
    """Whether a call that fits one list of parameters fits another; else why not."""
    (by_place, by_name), (new_place, new_name) = split(before), split(after)
    if [one.rstrip("=") for one in new_place[: len(by_place)]] != [one.rstrip("=") for one in by_place]:
        return f"expected ({', '.join(before)}), got ({', '.join(after)})"
    known = {one.rstrip("=") for one in [*new_place, *new_name]}
    if gone := [one for one in by_name if one.rstrip("=") not in known]:
        return f"{', '.join(gone)} has gone"
    optional = {one.rstrip("=") for one in [*by_place, *by_name] if one.endswith("=")}
    given = {one.rstrip("=") for one in [*by_place, *by_name]} - optional
    if needed := [one for one in [*new_place, *new_name] if one[-1] != "=" and one[0] != "*" and one not in given]:
        return f"{', '.join(needed)} must be given now"
    return ""


def split(parameters_of: Sequence[str]) -> tuple[list[str], list[str]]:
    """Those given by place, and those that must be named."""
    at = parameters_of.index("*") if "*" in parameters_of else len(parameters_of)
    return list(parameters_of[:at]), list(parameters_of[at + 1 :])


def test_nothing_public_has_gone_or_changed() -> None:
    stored = json.loads(STORED.read_text(encoding="utf-8"))
    if stored["contract"] == CONTRACT:
        assert what_breaks(stored["names"], now()) == [], "raise CONTRACT, or leave it as it was"
    assert stored == {"contract": CONTRACT, "names": now()}, "python -m tests.test_public_api writes it"


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (["a", "b="], ["a", "b="], ""),
        (["a", "b"], ["a", "b="], ""),
        (["a"], ["a", "b="], ""),
        (["a"], ["a", "*", "b="], ""),
        (["a", "*", "b="], ["a", "b="], ""),
        (["a"], ["a", "*args"], ""),
        (["a"], ["b"], "expected (a), got (b)"),
        (["a", "b"], ["b", "a"], "expected (a, b), got (b, a)"),
        (["a", "b="], ["a"], "expected (a, b=), got (a)"),
        (["a", "b="], ["a", "b"], "b must be given now"),
        (["a"], ["a", "b"], "b must be given now"),
        (["a"], ["a", "*", "b"], "b must be given now"),
        (["a", "*", "b="], ["a"], "b= has gone"),
        (["a", "b"], ["a", "*", "b"], "expected (a, b), got (a, *, b)"),
    ],
)
def test_what_a_change_of_parameters_breaks(before: list[str], after: list[str], words: str) -> None:
    assert what_differs(before, after) == words


def test_what_nobody_has_written_breaks() -> None:
    stored, current = {"X (to be written)": ["dial"], "Y": ["a"]}, {"X (to be written)": ["dial", "hail"]}
    assert what_breaks(stored, current) == ["X (to be written): hail as well, which nobody has written", "Y has gone"]


def test_a_parameter_with_another_name_is_found() -> None:
    current = now()
    current["venues.toolkit.numbers.positive"] = ["value", "where"]
    del current["venues.session.BaseSession.ask"]
    stored = json.loads(STORED.read_text(encoding="utf-8"))["names"]
    assert what_breaks(stored, current) == [
        "venues.session.BaseSession.ask has gone",
        "venues.toolkit.numbers.positive: expected (value, path), got (value, where)",
    ]


def test_everything_public_has_a_docstring() -> None:
    """A tuple that is named has one of its own too; of an alias or a constant the module tells."""
    silent = []
    for name, thing in public():
        if (inspect.isclass(thing) or inspect.isfunction(thing)) and thing.__module__.startswith("venues"):
            documented = thing.__doc__ and not thing.__doc__.startswith(f"{thing.__name__}(")
            silent += [] if documented else [name]
            silent += [
                f"{name}.{member}"
                for member, value in (vars(thing).items() if inspect.isclass(thing) else ())
                if inspect.isfunction(value) and not member.startswith("_") and not inspect.getdoc(value)
            ]
        else:
            assert import_module(name.rpartition(".")[0]).__doc__
    assert silent == []


def test_the_guide_lists_what_is_public() -> None:
    readme = (ROOT / "venues/README.md").read_text(encoding="utf-8")
    section = readme.partition(f"\n{HEADING}\n")[2].partition("\n## ")[0]
    assert [line for line in section.splitlines() if line.startswith("|")] == list(table())
    assert f"version {CONTRACT}" in section


def used_in(path: Path) -> Iterator[tuple[str, str]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in ("venues", "cli"):
            yield from ((node.module or "", alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names if alias.name.startswith(("venues", "cli")))


@pytest.mark.parametrize("path", sorted(PLUGIN.rglob("*.py")), ids=lambda path: path.name)
def test_the_template_uses_nothing_else(path: Path) -> None:
    modules = {name for module in API for name in (module, module.rpartition(".")[0])}
    for module, name in used_in(path):
        assert name in API.get(module, ()) or f"{module}.{name}" in modules, f"{module}.{name} is not public"


if __name__ == "__main__":
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(found)}" for name, found in sorted(now().items()))
    STORED.write_text(f'{{"contract": {CONTRACT}, "names": {{\n{lines}\n}}}}\n', encoding="utf-8")
    print("\n".join(table()))
