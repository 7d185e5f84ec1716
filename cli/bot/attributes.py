"""`--set NAME=VALUE`: class attributes of a script, set before it starts, each as the type that it has.

A class is made line by line: a decorator, a default or another attribute may use the one that is set. So what a
script's file assigns to such a name is replaced at once, as if its line said so. Where that cannot be (the line is in
another file), a class that uses the attribute while it is made is refused: `--set` would have no effect there.
"""

from __future__ import annotations

import ast
import difflib
import math
import re
import sys
from contextlib import suppress
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any

import msgspec

from venues.errors import BadMessage, UsageError
from venues.toolkit.numbers import text_number

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_BOOLEANS = {"true": True, "false": False}
_OWN_BLOCKS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


class NotSettable(Exception):
    """A value that an attribute cannot have; the text says what was expected."""


def settings_of(texts: Sequence[str], files: Sequence[Path]) -> dict[Path, dict[str, str]]:
    """What is set of each script, by name.

    With one script a text is `NAME=VALUE`; with several it is `SCRIPT.NAME=VALUE`, SCRIPT without its `.py`.

    Raises:
        UsageError: a text of another form, a script that is not there, or a name that is set twice.
    """
    by_stem = {file.stem: file for file in files}
    form = "NAME=VALUE" if len(files) == 1 else "SCRIPT.NAME=VALUE"
    found: dict[Path, dict[str, str]] = {file: {} for file in files}
    for text in texts:
        left, equals, value = text.partition("=")
        stem, dot, name = left.rpartition(".")
        if dot and stem not in by_stem:
            raise UsageError(f'expected a script of this run ({", ".join(by_stem)}) in --set {form}, got "{text}"')
        if not equals or not name.isidentifier() or (len(files) > 1 and not dot):
            raise UsageError(f'expected --set {form}, got "{text}"')
        (file,) = [by_stem[stem]] if dot else files
        settings = found[file]
        if name in settings:
            raise UsageError(f"expected each --set once, got {left} twice")
        settings[name] = value
    return found


class Setter:
    """The user's values, given to what the classes of a script's file assign while they are made."""

    NAME = "mon_set"  # under which a class finds it

    def __init__(self, settings: dict[str, str]) -> None:
        self._settings = settings
        self._given: dict[str, list[object]] = {}

    def __call__(self, name: str, present: object) -> object:
        """The value in the place of what was assigned. One that it cannot have is said by `set_attributes`."""
        try:
            value = value_of(self._settings[name], present)
        except NotSettable:
            return present
        self._given.setdefault(name, []).append(value)
        return value

    def within(self, source: bytes, file: str, main: str) -> bytes | ast.Module:
        """A script so that it is called wherever the class `main`, or a base of it there, gives such a name a value.

        Raises:
            SyntaxError, ValueError, RecursionError: the source is no script.
        """
        if not self._settings:
            return source
        tree = ast.parse(source, file)
        classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
        waiting, names = [main], set[str]()
        while waiting:
            names.add(name := waiting.pop())
            for node in (node for node in classes if node.name == name):
                bases = {one.id for base in node.bases for one in ast.walk(base) if isinstance(one, ast.Name)}
                waiting += bases - names
                _Assigning(self._settings).in_blocks_of(node)
        return ast.fix_missing_locations(tree)

    def has_given(self, name: str, value: object) -> bool:
        """Whether a value is one that it has given."""
        return any(one is value for one in self._given.get(name, ()))


class _Assigning(ast.NodeTransformer):
    """Puts the calls into the blocks that are run with a class: of an `if`, say, and of no method."""

    def __init__(self, names: dict[str, str]) -> None:
        self._names = names

    def in_blocks_of(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        for name in ("body", "orelse", "finalbody"):
            if isinstance(block := getattr(node, name, None), list):
                setattr(node, name, list(_with_calls(block, self._names)))
        return node

    def generic_visit(self, node: ast.AST) -> ast.AST:
        return node if isinstance(node, _OWN_BLOCKS) else self.in_blocks_of(node)


def _with_calls(block: Sequence[ast.stmt], names: dict[str, str]) -> Iterator[ast.stmt]:
    for node in block:
        yield node
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if not isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign) or node.value is None:
            continue
        found = (one for target in targets if target is not None for one in ast.walk(target))
        for name in dict.fromkeys(one.id for one in found if isinstance(one, ast.Name) and one.id in names):
            (call,) = ast.parse(f"{name} = {Setter.NAME}({name!r}, {name})").body
            yield ast.copy_location(call, node)


def set_attributes(main: type, base: type, setter: Setter, settings: dict[str, str], file: str) -> None:
    """Set attributes of a script's class. `base` is `Link`, whose own attributes are not the script's.

    Raises:
        UsageError: the class has no such attribute, the value is of another type than the one that it has, or a class
            has used the attribute before it could be set.
    """
    classes = [cls for cls in main.__mro__ if cls not in base.__mro__]
    known = {
        name: getattr(main, name)
        for cls in classes
        for name, value in vars(cls).items()
        if not name.startswith("__") and not callable(value) and not hasattr(value, "__get__")
    }
    for name, text in settings.items():
        if name not in known:
            raise UsageError(f"{file} has no attribute {name} to --set{_suggestion(name, known)}")
        if setter.has_given(name, known[name]):
            continue
        try:
            value = value_of(text, known[name])
        except NotSettable as problem:
            raise UsageError(f'expected {problem} as --set {name}=VALUE, as in {file}, got "{text}"') from None
        if (used := _used_while_made(name, classes)) is not None:
            raise UsageError(
                f"--set {name} has no effect in {used[0]}, line {used[1]}, which uses it while its class is made: "
                "write the value there"
            )
        setattr(main, name, value)


def _used_while_made(name: str, classes: Sequence[type]) -> tuple[str, int] | None:
    """Where classes that were made already have used an attribute: file and line."""
    for cls in classes:
        file = getattr(sys.modules.get(cls.__module__), "__file__", None)
        try:
            with open(str(file), "rb") as source:
                tree = ast.parse(source.read())
        except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        bodies = [node.body for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name == cls.__name__]
        for node in (one for body in bodies for line in body for one in _run_at_once(line)):
            named = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", None)
            if named == name and isinstance(node.ctx, ast.Load):  # type: ignore[attr-defined]  # both have it
                return str(file), node.lineno  # type: ignore[attr-defined]
    return None


def _run_at_once(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a class's line that run with it: of a method, that is its decorators and its defaults."""
    yield node
    body: Any = node.body if isinstance(node, _OWN_BLOCKS) else []
    skipped = body if isinstance(body, list) else [body]
    for child in ast.iter_child_nodes(node):
        if child not in skipped:
            yield from _run_at_once(child)


def _suggestion(name: str, known: dict[str, Any]) -> str:
    if not known:
        return ": its class has none"
    by_lower = {one.lower(): one for one in known}
    close = difflib.get_close_matches(name, known)  # the closest comes first
    close = close or [by_lower[one] for one in difflib.get_close_matches(name.lower(), by_lower)]
    return f"; is it meant to be {close[0]}?" if close else f"; it has {', '.join(known)}"


def value_of(text: str, present: object) -> Any:
    """A text as a value of the type that an attribute has now.

    Raises:
        NotSettable: it is none of that type, or the type is none that a text can say.
    """
    if isinstance(present, Enum):
        return _of_enum(text, present)
    if isinstance(present, bool):
        if text.lower() not in _BOOLEANS:
            raise NotSettable("true or false")
        return _BOOLEANS[text.lower()]
    if isinstance(present, str):
        return text
    if isinstance(present, int):
        return _whole(text)
    if isinstance(present, float):
        return _float(text)
    if isinstance(present, Decimal):
        return _decimal(text)
    return _from_json(text, present)


def _of_enum(text: str, present: Enum) -> Enum:
    """A member by its name, or by its value."""
    members = type(present).__members__
    if text in members:
        return members[text]
    for member in members.values():
        with suppress(NotSettable):
            if value_of(text, member.value) == member.value:
                return member
    raise NotSettable(f"one of {', '.join(members)}")


def _whole(text: str) -> int:
    if len(text) > 60 or not re.fullmatch(r"-?[0-9]+(_[0-9]+)*", text):
        raise NotSettable("a whole number")
    return int(text)


def _float(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise NotSettable("a number") from None
    if math.isinf(number) and any(character.isdigit() for character in text):
        raise NotSettable("a number that a float can hold")
    return number


def _decimal(text: str) -> Decimal:
    try:
        return text_number(text, "value")
    except BadMessage:
        raise NotSettable("a decimal number") from None


def _json_for(kind: type) -> str:
    return f"JSON for a {kind.__name__}, such as " + ('{"a": 1}' if kind is dict else "[1, 2]")


def _from_json(text: str, present: object) -> Any:
    """A list, a dict, a tuple or a set from JSON. An attribute that is None takes any JSON, and else a text."""
    kind: Any = type(present)
    if present is not None and kind not in (list, tuple, set, frozenset, dict):
        raise NotSettable(f"another attribute, since a text can say no {kind.__name__},")
    try:
        value = msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError):
        if present is None:
            return text
        raise NotSettable(_json_for(kind)) from None
    if present is None:
        return value
    if isinstance(value, dict) != (kind is dict) or not isinstance(value, dict | list):
        raise NotSettable(_json_for(kind))
    try:
        return kind(value)
    except TypeError:  # of a set: what is in it can be in none
        raise NotSettable(_json_for(kind)) from None
