"""The text of an expression: how long and how deep it may be, and where its marks stand."""

from __future__ import annotations

import ast

import pytest

from cli.output.expressions import DEEPEST, LONGEST, Parsed, name_of
from venues.errors import UsageError

SUCH_AS = "expected an expression such as price > 70000 and size >= 0.1"
LEVELS = "expected at most 50 levels, got more"


def refused(text: str) -> str:
    with pytest.raises(UsageError) as error:
        Parsed(text, "--where")
    return str(error.value)


@pytest.mark.parametrize(
    ("text", "said", "mark"),
    [
        ("a > > 1", SUCH_AS, 4),
        ("  a > > 1", SUCH_AS, 6),
        ("a >", SUCH_AS, 3),
        ("a >  ", SUCH_AS, 3),
        ("a b", SUCH_AS, 2),
        ("a = 1", "expected no such sign; write ==", 2),
        ("a > 1 ; b", "expected no such sign", 6),
        ("a > 'x", 'expected a text that ends, with \\", \\\\, \\n, \\t or \\u00e9 in it at most', 4),
    ],
)
def test_a_mark_stands_below_what_is_wrong(text: str, said: str, mark: int) -> None:
    assert refused(text) == f"--where: {said}\n  {text}\n  {' ' * mark}^"


@pytest.mark.parametrize("brackets", ["()", "[]"])
def test_so_many_brackets_are_the_most(brackets: str) -> None:
    opened, closed = brackets
    Parsed("(" * DEEPEST + "a" + ")" * DEEPEST, "--where")
    Parsed(" + ".join(["(a)"] * (DEEPEST + 1)), "--where")
    said = refused(opened * (DEEPEST + 1) + "a" + closed * (DEEPEST + 1))
    first, _, marks = said.splitlines()
    assert first == f"--where: {LEVELS}"
    assert marks.endswith("^")
    assert marks.count("^") == 1


@pytest.mark.parametrize(("nots", "fits"), [(DEEPEST - 1, True), (DEEPEST, False)])
def test_so_many_levels_are_the_most(nots: int, fits: bool) -> None:
    text = "not " * nots + "a"
    if fits:
        assert isinstance(Parsed(text, "--where").tree, ast.UnaryOp)
    else:
        assert refused(text).startswith(f"--where: {LEVELS}\n")


def test_a_sum_is_one_level_however_long() -> None:
    for sign in ("+", "*"):
        Parsed(f" {sign} ".join(["a"] * 400), "--where")
    assert LEVELS in refused("a + (" * DEEPEST + "a" + ")" * DEEPEST)


@pytest.mark.parametrize("error", [ValueError(), MemoryError(), RecursionError()])
def test_what_python_cannot_read_is_too_deep(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def parse(*given: object, **named: object) -> None:
        raise error

    monkeypatch.setattr("cli.output.expressions.ast.parse", parse)
    assert refused("a > 1") == "--where: expected an expression of at most 50 levels, got more"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a".ljust(LONGEST), None),
        ("a".ljust(LONGEST + 1), "--where: expected at most 2,000 characters, got 2,001"),
        ("", "--where: expected an expression such as 'price > 70000', got nothing"),
        (" \n ", "--where: expected an expression such as 'price > 70000', got nothing"),
    ],
)
def test_an_expression_has_so_many_characters(text: str, said: str | None) -> None:
    if said is None:
        assert Parsed(text, "--where").text == text
    else:
        assert refused(text) == said


def test_a_node_is_found_in_the_text_as_it_was_written() -> None:
    parsed = Parsed("  é.if\n> (1 + 2)", "--where")
    assert isinstance(parsed.tree, ast.Compare)
    left, (right,) = parsed.tree.left, parsed.tree.comparators
    assert isinstance(left, ast.Attribute)
    assert (parsed.said(left), parsed.place(left)) == ("é.if", (2, 4))
    assert (name_of(left.attr), name_of("price")) == ("if", "price")
    assert (parsed.said(right), parsed.is_in_brackets(right)) == ("1 + 2", True)
    assert not parsed.is_in_brackets(left)
    assert parsed.said(parsed.tree) == "é.if\n> (1 + 2)"
    assert parsed.place(ast.Load()) == (2, 14)


def test_only_what_has_both_brackets_is_in_them() -> None:
    parsed = Parsed("( a + b ) * c", "--where")
    assert isinstance(parsed.tree, ast.BinOp)
    inner = parsed.tree.left
    assert isinstance(inner, ast.BinOp)
    nodes = (inner, inner.left, inner.right, parsed.tree.right)
    assert [parsed.is_in_brackets(node) for node in nodes] == [True, False, False, False]


@pytest.mark.parametrize(("before", "shown_from"), [(0, 0), (29, 0), (30, 0), (31, 1), (50, 20)])
def test_of_a_long_expression_thirty_signs_before_what_is_wrong_are_shown(before: int, shown_from: int) -> None:
    text = "a".ljust(before)[:before] + "# " + "b" * 90
    assert refused(text).splitlines()[1:] == [
        f"  {text[shown_from : shown_from + 60]}",
        f"  {' ' * (before - shown_from)}^",
    ]
