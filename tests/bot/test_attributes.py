"""What `--set` takes, and what it says of what it does not take; in whole sentences."""

from __future__ import annotations

import sys
import types
from decimal import Decimal
from enum import Enum, IntEnum
from pathlib import Path
from typing import Any

import pytest

from cli.bot.attributes import NotSettable, Setter, set_attributes, settings_of, value_of
from venues.errors import UsageError

A, B = Path("x/a.py"), Path("y/b.py")


# --- which script, which name


@pytest.mark.parametrize(
    ("files", "texts", "found"),
    [
        ([A], [], {A: {}}),
        ([A], ["X=1"], {A: {"X": "1"}}),
        ([A], ["a.X=1", "Y="], {A: {"X": "1", "Y": ""}}),
        ([A], ["X=a=b"], {A: {"X": "a=b"}}),
        ([A, B], ["a.X=1", "b.X=2", "b.Y_1=3"], {A: {"X": "1"}, B: {"X": "2", "Y_1": "3"}}),
        ([A, B], [], {A: {}, B: {}}),
    ],
)
def test_each_script_has_what_is_set_of_it(files: list[Path], texts: list[str], found: dict[Path, Any]) -> None:
    assert settings_of(texts, files) == found


@pytest.mark.parametrize(
    ("files", "texts", "words"),
    [
        ([A], ["X"], 'expected --set NAME=VALUE, got "X"'),
        ([A], [""], 'expected --set NAME=VALUE, got ""'),
        ([A], ["=1"], 'expected --set NAME=VALUE, got "=1"'),
        ([A], ["1X=1"], 'expected --set NAME=VALUE, got "1X=1"'),
        ([A], ["a.=1"], 'expected --set NAME=VALUE, got "a.=1"'),
        ([A], ["b.X=1"], 'expected a script of this run (a) in --set NAME=VALUE, got "b.X=1"'),
        ([A], [".X=1"], 'expected a script of this run (a) in --set NAME=VALUE, got ".X=1"'),
        ([A, B], ["X=1"], 'expected --set SCRIPT.NAME=VALUE, got "X=1"'),
        ([A, B], ["a.X"], 'expected --set SCRIPT.NAME=VALUE, got "a.X"'),
        ([A, B], ["c.X=1"], 'expected a script of this run (a, b) in --set SCRIPT.NAME=VALUE, got "c.X=1"'),
        ([A, B], ["a.b.X=1"], 'expected a script of this run (a, b) in --set SCRIPT.NAME=VALUE, got "a.b.X=1"'),
        ([A], ["X=1", "Y=1", "X=1"], "expected each --set once, got X twice"),
        ([A, B], ["a.X=1", "b.X=1", "a.X=2"], "expected each --set once, got a.X twice"),
    ],
)
def test_what_is_no_setting_of_a_script(files: list[Path], texts: list[str], words: str) -> None:
    with pytest.raises(UsageError) as raised:
        settings_of(texts, files)
    assert str(raised.value) == words


# --- values


class Letter(Enum):
    A = "x"
    B = "A"
    C = (1, 2)


class Number(IntEnum):
    ONE = 1
    TWO = 2


WHOLE = "a whole number"
NUMBER = "a number"
DECIMAL = "a decimal number"
LIST, TUPLE, SET, DICT = (
    *(f"JSON for a {name}, such as [1, 2]" for name in ("list", "tuple", "set")),
    'JSON for a dict, such as {"a": 1}',
)


@pytest.mark.parametrize(
    ("text", "present", "expected"),
    [
        ("1.0", 1, WHOLE),
        ("", 1, WHOLE),
        ("+1", 1, WHOLE),
        (" 1", 1, WHOLE),
        ("1\n", 1, WHOLE),
        ("1__0", 1, WHOLE),
        ("9" * 61, 1, WHOLE),
        ("x", 1.0, NUMBER),
        ("1e400", 1.0, "a number that a float can hold"),
        ("-1e400", 1.0, "a number that a float can hold"),
        ("", Decimal(1), DECIMAL),
        ("1_0", Decimal(1), DECIMAL),
        ("1", True, "true or false"),
        ("", False, "true or false"),
        ("D", Letter.A, "one of A, B, C"),
        ("3", Number.ONE, "one of ONE, TWO"),
        ("1", [], LIST),
        ("{}", [], LIST),
        ("x", [], LIST),
        ("null", [], LIST),
        ('"ab"', [], LIST),
        ("1", (), TUPLE),
        ("{}", (), TUPLE),
        ("{", (), TUPLE),
        ("[[1]]", set(), SET),
        ("{}", set(), SET),
        ("[", set(), SET),
        ("[]", {}, DICT),
        ("1", {}, DICT),
        ("x", {}, DICT),
        ("1", 1j, "another attribute, since a text can say no complex,"),
        ("1", b"", "another attribute, since a text can say no bytes,"),
    ],
)
def test_what_was_expected_is_said_by_the_type_of_the_attribute(text: str, present: Any, expected: str) -> None:
    with pytest.raises(NotSettable) as raised:
        value_of(text, present)
    assert str(raised.value) == expected


@pytest.mark.parametrize(
    ("text", "present", "value"),
    [
        ("9" * 60, 1, int("9" * 60)),
        ("-0", 1, 0),
        ("1_000_000", 1, 1_000_000),
        ("inf", 1.0, float("inf")),
        ("1e308", 1.0, 1e308),
        ("1e-400", 1.0, 0.0),
        ("False", True, False),
        ("tRuE", True, True),
        ("A", Letter.C, Letter.A),
        ("x", Letter.C, Letter.A),
        ("B", Letter.C, Letter.B),
        ("[1, 2]", Letter.A, Letter.C),
        ("2", Number.ONE, Number.TWO),
        ("1.50", Decimal(0), Decimal("1.50")),
        ("[]", [1], []),
        ("[1, [2]]", (), (1, [2])),
        ("[1, 1]", frozenset(), frozenset({1})),
        ('{"a": [1]}', {}, {"a": [1]}),
        ("[1]", None, [1]),
        ("[1", None, "[1"),
        ("1.5", None, 1.5),
        ("true", None, True),
    ],
)
def test_a_value_is_of_the_type_of_the_attribute(text: str, present: Any, value: Any) -> None:
    found = value_of(text, present)
    assert (found, type(found)) == (value, type(value))


# --- classes


class Link:
    of_link = 1


class Base(Link):
    INHERITED = 1


class Signals(Base):
    SIZE = 0.5
    EVERY = 10
    Levels = ("1m",)
    handler = print

    def method(self) -> None: ...

    @property
    def half(self) -> float:
        return self.SIZE / 2

    @staticmethod
    def static() -> None: ...


def attributes_set(main: type, **settings: str) -> type:
    made = type("Signals", (main,), {})
    set_attributes(made, Link, Setter(settings), settings, "bot.py")
    return made


def test_attributes_of_the_class_and_its_bases_are_set() -> None:
    made: Any = attributes_set(Signals, SIZE="1", INHERITED="-2", Levels='["1h"]')
    assert (made.SIZE, made.INHERITED, made.EVERY, made.Levels) == (1.0, -2, 10, ("1h",))
    assert (Signals.SIZE, Base.INHERITED) == (0.5, 1)


KNOWN = "SIZE, EVERY, Levels, INHERITED"


@pytest.mark.parametrize(
    ("main", "name", "text", "words"),
    [
        (Signals, "SISE", "1", "bot.py has no attribute SISE to --set; is it meant to be SIZE?"),
        (Signals, "size", "1", "bot.py has no attribute size to --set; is it meant to be SIZE?"),
        (Signals, "LEVELS", "1", "bot.py has no attribute LEVELS to --set; is it meant to be Levels?"),
        (Signals, "qqq", "1", f"bot.py has no attribute qqq to --set; it has {KNOWN}"),
        *(
            (Signals, name, "1", f"bot.py has no attribute {name} to --set; it has {KNOWN}")
            for name in ("of_link", "half", "method", "static", "handler", "__module__")
        ),
        (Link, "SIZE", "1", "bot.py has no attribute SIZE to --set: its class has none"),
        (Signals, "SIZE", "x", 'expected a number as --set SIZE=VALUE, as in bot.py, got "x"'),
        (Signals, "EVERY", "1.5", 'expected a whole number as --set EVERY=VALUE, as in bot.py, got "1.5"'),
        (Signals, "Levels", "1m", f'expected {TUPLE} as --set Levels=VALUE, as in bot.py, got "1m"'),
    ],
)
def test_what_cannot_be_set_is_said_with_what_can(main: type, name: str, text: str, words: str) -> None:
    with pytest.raises(UsageError) as raised:
        attributes_set(main, **{name: text})
    assert str(raised.value) == words


# --- while a class is made


def made_with(source: str, **settings: str) -> dict[str, Any]:
    """What the class `Signals` of a script has once it is made, and set."""
    setter = Setter(settings)
    names: dict[str, Any] = {"Link": Link, Setter.NAME: setter, "__name__": "nowhere"}
    exec(compile(setter.within(source.encode(), "bot.py", "Signals"), "bot.py", "exec"), names)
    main = names["Signals"]
    set_attributes(main, Link, setter, settings, "bot.py")
    return {name: getattr(main, name) for name in dir(main) if name.isupper()}


@pytest.mark.parametrize(
    "source",
    [
        "class Signals(Link):\n X = 1\n Y = X + 1",
        "class Signals(Link):\n X: int = 1\n Y = X + 1",
        "class Signals(Link):\n X: int\n X = 1\n Y = X + 1",
        "class Signals(Link):\n X = 4\n X += 1\n Y = X + 1",
        "class Signals(Link):\n X = Z = 1\n Y = X + 1\n del Z",
        "class Signals(Link):\n [X, *z] = 1, 2\n Y = X + 1",
        "class Signals(Link):\n if True:\n  X = 1\n Y = X + 1",
        "class Signals(Link):\n if False: pass\n else: X = 1\n Y = X + 1",
        "class Signals(Link):\n for i in [1]: X = 1\n Y = X + 1",
        "class Signals(Link):\n try: 1 / 0\n except Exception: X = 1\n Y = X + 1",
        "class Signals(Link):\n try: pass\n finally: X = 1\n Y = X + 1",
        "class Deep(Link):\n X = 1\n Y = X + 1\nclass Base(Deep): pass\nclass Signals(Base): pass",
        "class Base:\n X = 1\n Y = X + 1\nclass Signals(Base, Link): pass",
    ],
)
def test_what_is_made_of_an_attribute_is_made_of_what_is_set(source: str) -> None:
    assert made_with(source, X="5") == {"X": 5, "Y": 6}
    assert made_with(source)["Y"] == made_with(source)["X"] + 1


def test_what_was_given_while_the_class_is_made_may_be_used_there_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = "class Signals(Link):\n X = 1\n Y = X + 1"
    module = types.ModuleType("nowhere")
    module.__file__ = str(tmp_path / "bot.py")
    Path(module.__file__).write_text(source, encoding="utf-8")
    monkeypatch.setitem(sys.modules, "nowhere", module)
    assert made_with(source, X="5") == {"X": 5, "Y": 6}


def test_what_a_loop_gives_a_name_is_left_as_it_is_while_the_class_is_made() -> None:
    source = "class Signals(Link):\n for X in (1, 2): Z = X\n Y = X + 1"
    assert made_with(source, X="5", Z="7") == {"X": 5, "Y": 3, "Z": 7}


def test_a_local_of_a_method_and_another_class_are_not_set() -> None:
    source = "class Other:\n X = 1\nclass Signals(Link):\n X = 2\n def f(self):\n  X = 3\n  return X\nOTHER = Other.X"
    setter = Setter({"X": "5"})
    names: dict[str, Any] = {"Link": Link, Setter.NAME: setter}
    exec(compile(setter.within(source.encode(), "bot.py", "Signals"), "bot.py", "exec"), names)
    found = {"other": names["OTHER"], "local": names["Signals"]().f(), "own": names["Signals"].X}
    assert found == {"other": 1, "local": 3, "own": 5}


def test_without_settings_the_source_is_left_as_it_is() -> None:
    assert Setter({}).within(b"class Signals: X = 1", "bot.py", "Signals") == b"class Signals: X = 1"


def test_a_value_that_cannot_be_is_said_once_the_class_is_made() -> None:
    with pytest.raises(UsageError) as raised:
        made_with("class Signals(Link):\n X = 1\n Y = X + 1", X="much")
    assert str(raised.value) == 'expected a whole number as --set X=VALUE, as in bot.py, got "much"'
