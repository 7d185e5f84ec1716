"""The text of an expression and its tree: a small part of Python's expressions. Pure.

`conditions.py` checks the tree against a stream's records, and makes code of it.
"""

from __future__ import annotations

import ast
import keyword
import re
from typing import NoReturn

from venues.errors import UsageError

LONGEST = 2_000  # characters of an expression
DEEPEST = 50
EXCERPT = 60  # characters of an expression that are shown around what is wrong with it


_TOKENS = re.compile(
    r"""(?P<space>\s+)
    |(?P<text>"(?:[^"\\\r\n]|\\["'\\nt]|\\u[0-9a-fA-F]{4})*"|'(?:[^'\\\r\n]|\\["'\\nt]|\\u[0-9a-fA-F]{4})*')
    |(?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
    |(?P<name>[^\W\d]\w*)
    |(?P<sign><=|>=|==|!=|[-+*/<>()\[\],.])""",
    re.VERBOSE,
)
_INSTEAD = {
    "=": "==", "&": "and", "|": "or", "!": "not", "%": "a number in percent", "^": "*", "#": "no comment",
    "≥": ">=", "≤": "<=", "≠": "!=", "×": "*", "“": '"', "”": '"', "„": '"', "‘": "'", "’": "'",
}  # fmt: skip
_NO_SIGN = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")  # one that would not stand above its mark
_NEVER_CLOSE = {("name", "number"), ("text", "name"), ("number", "name"), ("name", "text")}  # a token, the one before
# A keyword that is a field's name has a letter of another script in the place of its first.
_SET_APART = {word: chr(0x1400 + ord(word[0])) + word[1:] for word in keyword.kwlist}
_KEYWORD_OF = {name: word for word, name in _SET_APART.items()}


class Parsed:
    """An expression's tree; `fail` says where in its text something is wrong."""

    def __init__(self, text: str, option: str) -> None:
        self.text = text
        self._option = option
        if len(text) > LONGEST:
            raise UsageError(f"{option}: expected at most {LONGEST:,} characters, got {len(text):,}")
        if not text.strip():
            raise UsageError(f"{option}: expected an expression such as 'price > 70000', got nothing")
        if (damaged := re.search("[\ud800-\udfff]", text)) is not None:
            self.fail_at(damaged.start(), "expected text in UTF-8")
        self._source = self._readable()
        self._start = len(self._source) - len(self._source.lstrip())
        try:
            self.tree = ast.parse(self._source.strip(), mode="eval").body
        except SyntaxError as error:
            at = self._start + error.offset - 1 if error.offset else len(text)  # 0: more was expected
            self.fail_at(min(at, len(text.rstrip())), "expected an expression such as price > 70000 and size >= 0.1")
        except (ValueError, MemoryError, RecursionError):
            raise UsageError(f"{option}: expected an expression of at most {DEEPEST} levels, got more") from None
        self._check_depth()

    def _readable(self) -> str:
        """The text as Python reads it: in one line, with keywords that are names of fields made harmless."""
        made: list[str] = []
        at = depth = 0
        before, last = "", ""  # the kind of the token before, also of a space, and of the last one that is no space
        while at < len(self.text):
            match = _TOKENS.match(self.text, at)
            if match is None:
                self._fail_on_sign(at)
            token, kind = match[0], match.lastgroup
            if (kind, before) in _NEVER_CLOSE or (kind, last) == ("text", "text"):
                self.fail_at(at, "expected an operator before this", len(token))
            depth += (token in ("(", "[")) - (token in (")", "]"))
            if depth > DEEPEST:
                self.fail_at(at, f"expected at most {DEEPEST} levels, got more")
            if kind == "name" and token in _SET_APART and "".join(made).rstrip().endswith("."):
                token = _SET_APART[token]
            made.append(" " * len(token) if kind == "space" else token)
            at, before = match.end(), kind or ""
            last = last if kind == "space" else before
        return "".join(made)

    def _fail_on_sign(self, at: int) -> NoReturn:
        sign = self.text[at]
        if sign in "\"'":
            self.fail_at(at, 'expected a text that ends, with \\", \\\\, \\n, \\t or \\u00e9 in it at most')
        instead = f"; write {_INSTEAD[sign]}" if sign in _INSTEAD else ""
        self.fail_at(at, f"expected no such sign{instead}")

    def _check_depth(self) -> None:
        waiting: list[tuple[ast.AST, int]] = [(self.tree, 1)]
        while waiting:
            node, depth = waiting.pop()
            if depth > DEEPEST:
                self.fail(node, f"expected at most {DEEPEST} levels, got more")
            children = [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)]
            waiting += [(child, depth if _is_chain(node, child) else depth + 1) for child in children]

    def is_in_brackets(self, node: ast.AST) -> bool:
        """Whether a node that is one value stands in brackets of its own."""
        at, length = self.place(node)
        return self.text[:at].rstrip().endswith("(") and self.text[at + length :].lstrip().startswith(")")

    def place(self, node: ast.AST) -> tuple[int, int]:
        """Where a node is in the text: its first character, and how many there are."""
        line = self._source.strip()
        if not isinstance(node, ast.expr):
            return self._start, len(line)
        before = len(line.encode()[: node.col_offset].decode())
        until = len(line.encode()[: node.end_col_offset].decode())
        return self._start + before, until - before

    def said(self, node: ast.AST) -> str:
        """A node as it is written."""
        at, length = self.place(node)
        return self.text[at : at + length]

    def fail(self, node: ast.AST, words: str) -> NoReturn:
        """Say what is wrong with a node.

        Raises:
            UsageError: always.
        """
        at, length = self.place(node)
        self.fail_at(at, words, length)

    def fail_at(self, at: int, words: str, length: int = 1) -> NoReturn:
        """Say what is wrong with one character, or with so many.

        Raises:
            UsageError: always.
        """
        from rich.cells import cell_len  # for the words of an error only

        first = max(0, at - EXCERPT // 2) if len(self.text) > EXCERPT else 0
        shown = _NO_SIGN.sub("?", re.sub(r"\s", " ", self.text[first : first + EXCERPT]))
        before = shown[: at - first].ljust(at - first)
        marks = "^" * max(1, cell_len(shown[at - first : at - first + length]))
        raise UsageError(f"{self._option}: {words}\n  {shown}\n  {' ' * cell_len(before)}{marks}")


def _is_chain(parent: ast.AST, child: ast.AST) -> bool:
    """Whether it is the left side of a sum or a product that goes on: that is one level, however long."""
    return isinstance(parent, ast.BinOp) and isinstance(child, ast.BinOp) and child is parent.left


def name_of(written: str) -> str:
    """A field's name as the user wrote it."""
    return _KEYWORD_OF.get(written, written)
