"""`--set NAME=VALUE`: class attributes of a script, set before it starts, each as the type that it has."""

from __future__ import annotations

import difflib
import re
from contextlib import suppress
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any

import msgspec

from venues.errors import BadMessage, UsageError
from venues.toolkit.numbers import text_number

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_BOOLEANS = {"true": True, "false": False}


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
        settings = found[by_stem[stem] if dot else files[0]]
        if name in settings:
            raise UsageError(f"expected each --set once, got {left} twice")
        settings[name] = value
    return found


def set_attributes(main: type, base: type, settings: dict[str, str], file: str) -> None:
    """Set attributes of a script's class. `base` is `Link`, whose own attributes are not the script's.

    Raises:
        UsageError: the class has no such attribute, or the value is of another type than the one that it has.
    """
    known = {
        name: getattr(main, name)
        for cls in main.__mro__
        if cls not in base.__mro__
        for name, value in vars(cls).items()
        if not name.startswith("__") and not callable(value) and not hasattr(value, "__get__")
    }
    for name, text in settings.items():
        if name not in known:
            raise UsageError(f"{file} has no attribute {name} to --set{_suggestion(name, known)}")
        try:
            setattr(main, name, value_of(text, known[name]))
        except NotSettable as problem:
            raise UsageError(f'expected {problem} as --set {name}=VALUE, as in {file}, got "{text}"') from None


def _suggestion(name: str, known: dict[str, Any]) -> str:
    if not known:
        return ": its class has none"
    by_lower = {one.lower(): one for one in known}
    close = difflib.get_close_matches(name, known, n=1)
    close = close or [by_lower[one] for one in difflib.get_close_matches(name.lower(), by_lower, n=1)]
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
        return float(text)
    except ValueError:
        raise NotSettable("a number") from None


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
