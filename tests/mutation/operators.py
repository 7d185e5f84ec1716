"""What is broken in a line, and how: a source in, every change that can be made to it out.

A change is made at its place in the text, so that all other lines stay as they are. Left alone is what no test could
notice or ought to: docstrings, comments, type annotations and aliases, `if TYPE_CHECKING`, `__all__`, imports, `pass`,
and asserts as a whole (they hold, or the code is wrong without them too).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from hashlib import sha256
from itertools import pairwise
from typing import NamedTuple

_TURNED = {
    "<": "<=",
    "<=": "<",
    ">": ">=",
    ">=": ">",
    "==": "!=",
    "!=": "==",
    "in": "not in",
    "not in": "in",
    "is": "is not",
    "is not": "is",
}
_COMPARISON = re.compile(rb"==|!=|<=|>=|<|>|\bnot\s+in\b|\bin\b|\bis\s+not\b|\bis\b")
_JUNCTION = re.compile(rb"\b(?:and|or)\b")
_COMMENT = re.compile(rb"#[^\n]*")
_REMOVABLE = (ast.Expr, ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Delete, ast.Raise, ast.Return)
_TYPES = {"bool", "bytes", "dict", "float", "frozenset", "int", "list", "object", "set", "str", "tuple", "type"}
_JUMPS = (ast.Break, ast.Continue)


class Change(NamedTuple):
    """One mutant: where it is, what is done, and the line before and after."""

    path: str  # from the root of the tree
    line: int
    operator: str
    within: str  # the function or class, e.g. `Driver.receive`; "" for the module itself
    before: str  # the statement's first changed line, without its indentation
    after: str
    start: int  # bytes of the source that are replaced
    end: int
    text: bytes

    @property
    def key(self) -> str:
        """Stays the same when lines are put in above it; two equal changes of one function share it."""
        return f"{self.path} {self.within or '(module)'}: {self.before} -> {self.after}"

    @property
    def id(self) -> str:
        """The key in short, for `--only`."""
        return sha256(self.key.encode()).hexdigest()[:8]

    def applied(self, source: bytes) -> bytes:
        """The whole source with the change."""
        return source[: self.start] + self.text + source[self.end :]

    def __str__(self) -> str:
        return f"{self.id}  {self.path}:{self.line}  {self.operator}:  {self.before}  ->  {self.after}"


def changes(path: str, source: bytes) -> list[Change]:
    """Every change that may be made to a module, in the order of its text."""
    found = set(_Finder(path, source).found())
    return sorted(found, key=lambda one: (one.start, one.end, one.operator, one.text))


def is_another_program(change: Change, source: bytes) -> bool:
    """Whether the changed text is Python and does not say the same as before."""
    try:
        changed = ast.parse(change.applied(source))
    except (SyntaxError, ValueError):
        return False
    return ast.dump(changed) != ast.dump(ast.parse(source))


class _Finder:
    """Walks one module."""

    def __init__(self, path: str, source: bytes) -> None:
        self._path = path
        self._source = source
        self._lines = [0]
        for line in source.splitlines(keepends=True):
            self._lines.append(self._lines[-1] + len(line))

    def found(self) -> Iterator[Change]:
        yield from self._below(ast.parse(self._source), "")

    def _below(self, node: ast.AST, within: str) -> Iterator[Change]:
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns", "type_params"):
                continue
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST) and not _left_alone(child):
                    yield from self._at(child, within)
                    inner = getattr(child, "name", "") if isinstance(child, _SCOPES) else ""
                    yield from self._below(child, f"{within}.{inner}".strip(".") if inner else within)

    def _at(self, node: ast.AST, within: str) -> Iterator[Change]:
        match node:
            case ast.Compare():
                yield from self._comparisons(node, within)
            case ast.BoolOp():
                yield from self._junction(node, within)
            case ast.Constant(value=int() | float()) if not isinstance(node.value, bool):
                yield from self._number(node, within)
            case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test):
                yield self._negated(test, within)
            case ast.comprehension(ifs=tests):
                yield from (self._negated(test, within) for test in tests)
            case ast.match_case(guard=ast.expr() as guard):
                yield self._negated(guard, within)
            case ast.stmt():
                yield from self._statement(node, within)

    def _comparisons(self, node: ast.Compare, within: str) -> Iterator[Change]:
        operands = [node.left, *node.comparators]
        for left, right in pairwise(operands):
            for start, end in self._between(left, right, _COMPARISON):
                word = " ".join(self._source[start:end].decode().split())
                yield self._change("comparison turned", within, start, end, _TURNED[word])

    def _junction(self, node: ast.BoolOp, within: str) -> Iterator[Change]:
        """All of `a and b and c`, by the first word and the last."""
        word = "or" if isinstance(node.op, ast.And) else "and"
        places = [place for left, right in pairwise(node.values) for place in self._between(left, right, _JUNCTION)]
        if not places:
            return
        text, at = b"", places[0][0]
        for start, end in places:
            text += self._source[at:start] + word.encode()
            at = end
        yield self._change("and/or", within, places[0][0], at, text.decode())

    def _number(self, node: ast.Constant, within: str) -> Iterator[Change]:
        start, end = self._place(node)
        for by in (1, -1):
            number = node.value + by  # type: ignore[operator]
            yield self._change(
                "constant +1" if by > 0 else "constant -1",
                within,
                start,
                end,
                f"({number})" if number < 0 else f"{number}",
            )

    def _negated(self, test: ast.expr, within: str) -> Change:
        start, end = self._place(test)
        bare = test.operand if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not) else None
        if bare is None:
            return self._change("condition negated", within, start, end, f"not ({self._source[start:end].decode()})")
        kept = self._source[slice(*self._place(bare))].decode()
        return self._change("condition negated", within, start, end, f"({kept})")

    def _statement(self, node: ast.stmt, within: str) -> Iterator[Change]:
        start, end = self._place(node)
        if isinstance(node, ast.Return) and isinstance(node.value, ast.Constant) and node.value.value is False:
            yield self._change("return True", within, start, end, "return True")  # None would be as false
        elif isinstance(node, ast.Return) and node.value is not None:
            yield self._change("return None", within, start, end, "return None")
        elif isinstance(node, _JUMPS) or (isinstance(node, _REMOVABLE) and not _says_nothing(node)):
            yield self._change("statement removed", within, start, end, "pass")

    def _change(self, operator: str, within: str, start: int, end: int, text: str) -> Change:
        first = self._source.rfind(b"\n", 0, start) + 1
        last = self._source.find(b"\n", end)
        last = len(self._source) if last < 0 else last
        line = self._source.count(b"\n", 0, start) + 1
        before = self._source[first:last].decode()
        after = (self._source[first:start] + text.encode() + self._source[end:last]).decode()
        return Change(
            self._path, line, operator, within, _one_line(before), _one_line(after), start, end, text.encode()
        )

    def _place(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self._lines[node.lineno - 1] + node.col_offset, self._lines[node.end_lineno - 1] + node.end_col_offset

    def _between(self, left: ast.expr, right: ast.expr, word: re.Pattern[bytes]) -> list[tuple[int, int]]:
        """Where the word stands between two operands: there is nothing else but brackets, space and comments."""
        start, end = self._place(left)[1], self._place(right)[0]
        bare = _COMMENT.sub(lambda comment: b" " * len(comment[0]), self._source[start:end])
        return [(start + found.start(), start + found.end()) for found in word.finditer(bare)][:1]


_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def _left_alone(node: ast.AST) -> bool:
    """Whether nothing in it is to be changed."""
    match node:
        # Python 3.11 does not say where the parts of an f-string are.
        case ast.JoinedStr() | ast.Import() | ast.ImportFrom() | ast.Assert():
            return True
        case ast.If(test=ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING")):
            return True
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            return name in ("__all__", "__slots__") or _is_type(value)
        case ast.AnnAssign(annotation=ast.Name(id="TypeAlias")):
            return True
    return type(node).__name__ == "TypeAlias"


def _says_nothing(node: ast.stmt) -> bool:
    """Docstrings, `...`, and annotations without a value."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    return isinstance(node, ast.AnnAssign) and node.value is None


def _is_type(value: ast.expr | None) -> bool:
    """Whether an assignment only names a type for annotations: `Literal[…]`, `Callable[…]`, `A | B`, `TypeVar(…)`."""
    match value:
        case ast.Subscript(value=named):
            return _names_a_type(named)
        case ast.BinOp(op=ast.BitOr(), left=left, right=right):
            return all(_is_type(side) or _names_a_type(side) for side in (left, right))
        case ast.Call(func=ast.Name(id="TypeVar" | "NewType" | "ParamSpec")):
            return True
    return False


def _names_a_type(value: ast.expr) -> bool:
    """`Order`, `records.Order`, `dict`, `None`; not `TABLE`."""
    match value:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name in _TYPES or (name[:1].isupper() and not name.isupper())
        case ast.Constant(value=None):
            return True
    return False


def _one_line(text: str) -> str:
    return " ".join(text.split())
