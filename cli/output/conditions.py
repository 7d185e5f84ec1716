"""Conditions on records: `price > 70000 and side == "buy"`, checked once against a stream's records. Pure.

The language is a small part of Python's expressions; `mon help conditions` has its grammar. Numbers are exact decimals.
What is absent makes a comparison neither true nor false, so each condition is compiled into two functions, one that
tells whether it is true and one that tells whether it is false: `not` swaps the two, and absent is in neither.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeAlias, get_args

from cli.output import exactly
from cli.output.expressions import Parsed, name_of
from cli.output.fields import STANDING, Kind, derived_of, kinds_of
from venues.records import Book, Level, State
from venues.streams import STREAMS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from cli.output.fields import Fields
    from venues.records import Record

LONGEST_EXPONENT = 999

FUNCTIONS = ("abs", "min", "max")
PREV = "prev"

Test: TypeAlias = "Callable[[Any, Seen], Any]"


class Seen:
    """What is known of a stream besides the record that is judged.

    `prev`: the record before of the same key, None where there is none. `age_ms`, `state` and `stale` as in
    `mon help conditions`, None while unknown; `partial`: the stream has changes only.
    """

    __slots__ = ("age_ms", "partial", "prev", "stale", "state")

    def __init__(self) -> None:
        self.prev: Any = None
        self.age_ms: int | None = None
        self.stale: bool | None = None
        self.state: str = "connecting"
        self.partial: bool | None = None


@dataclass(frozen=True)
class Condition:
    """A compiled condition.

    `is_true` judges a record of a live stream; `is_true_apart` a stream that is not live, of which only `age_ms`,
    `stale` and `state` are known.
    """

    text: str
    is_true: Test
    is_true_apart: Callable[[Seen], Any]
    uses_prev: bool
    uses_age: bool
    uses_standing: bool
    uses_record: bool
    _no: ast.expr
    _constants: Mapping[str, Any]
    _operands: Mapping[str, ast.expr]

    @cached_property
    def is_false(self) -> Test:
        """Judges a record as `is_true` does: where both say no, something is absent."""
        return _function(self._no, self._constants)

    @cached_property
    def operands(self) -> Mapping[str, Test]:
        """What the condition speaks of, as it is written, and how its value is got."""
        return {name: _function(code, {}) for name, code in self._operands.items()}

    def absent(self, record: Record | None, seen: Seen) -> list[str]:
        """The operands that are absent, as they are written."""
        return [name for name, of in self.operands.items() if of(record, seen) is None]


@dataclass(frozen=True)
class Path:
    """One field, as it was written, and how its value is got; None where it is absent."""

    text: str
    value: Test
    kind: Kind
    of_record: bool
    uses_prev: bool


def condition(text: str, fields: Fields, option: str) -> Condition:
    """Compile a condition on a stream's records; `option` is named where something is wrong.

    Raises:
        UsageError: it is none, with a mark below what is wrong and what may be meant.
    """
    parsed = Parsed(text, option)
    compiler = _Compiler(parsed, fields)
    truth = compiler.truth(parsed.tree)
    of_stream = _Compiler(parsed, fields, apart=True)
    apart = of_stream.truth(parsed.tree)
    return Condition(
        text=text,
        is_true=_function(truth.yes, compiler.constants),
        is_true_apart=_compiled(apart.yes, ("seen",), of_stream.constants),
        uses_prev=compiler.uses_prev,
        uses_age="age_ms" in compiler.operands,
        uses_standing=not compiler.operands.keys().isdisjoint(STANDING),
        uses_record=not compiler.operands or not compiler.operands.keys() <= set(STANDING),
        _no=truth.no,
        _constants=compiler.constants,
        _operands=compiler.operands,
    )


def path(text: str, fields: Fields, option: str) -> Path:
    """One field of a stream's records, or a derived one.

    Raises:
        UsageError: there is no such field.
    """
    parsed = Parsed(text, option)
    compiler = _Compiler(parsed, fields, whole=True)
    if not isinstance(parsed.tree, ast.Name | ast.Attribute | ast.Subscript):
        parsed.fail(parsed.tree, "expected a field such as price or bids[0].price")
    value = compiler.path(parsed.tree)
    of_record = not compiler.operands.keys() <= {*STANDING, "venue", "env", "symbol", "type"}
    return Path(parsed.said(parsed.tree), _function(value.code, {}), value.kind, of_record, compiler.uses_prev)


# --- the code -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Value:
    """Code that gives a value; None where it is absent. `simple`: it may stand there twice."""

    kind: Kind
    code: ast.expr
    optional: bool = True
    words: frozenset[str] | None = None
    simple: bool = False
    constant: Any = None


@dataclass(frozen=True)
class _Truth:
    """Code that tells whether a condition is true, whether it is false, and its value, None where it is neither."""

    yes: ast.expr
    no: ast.expr
    value: ast.expr


_RECORD, _SEEN = ast.Name("record", ast.Load()), ast.Name("seen", ast.Load())
_NOTHING, _NEVER = ast.Constant(None), ast.Constant(False)
_OPERATIONS: Mapping[type[ast.operator], str] = {
    ast.Add: "plus", ast.Sub: "minus", ast.Mult: "times", ast.Div: "divided",
}  # fmt: skip
_COMPARISONS: Mapping[type[ast.cmpop], str] = {
    ast.Lt: "less", ast.LtE: "at_most", ast.Gt: "greater", ast.GtE: "at_least", ast.Eq: "equal", ast.NotEq: "unequal",
}  # fmt: skip
_OPPOSITE: Mapping[type[ast.cmpop], ast.cmpop] = {
    ast.Lt: ast.GtE(), ast.LtE: ast.Gt(), ast.Gt: ast.LtE(), ast.GtE: ast.Lt(),
    ast.Eq: ast.NotEq(), ast.NotEq: ast.Eq(),
}  # fmt: skip
_ONE = "a field, a number, a text, true or false; there is nothing like this here"
_KINDS = {"number": "a number", "text": "a text", "truth": "true or false", "levels": "levels", "any": "any value"}


@dataclass
class _Compiler:
    """Makes code of a tree, which it checks on the way.

    `apart`: the fields of records are absent. `whole`: lists and objects are values too.
    """

    parsed: Parsed
    fields: Fields
    apart: bool = False
    whole: bool = False
    constants: dict[str, Any] = field(default_factory=dict)
    operands: dict[str, ast.expr] = field(default_factory=dict)
    uses_prev: bool = False
    _temporaries: list[str] = field(default_factory=list)  # names in the code

    # --- conditions

    def truth(self, node: ast.expr) -> _Truth:
        """The code of a condition."""
        if isinstance(node, ast.BoolOp):
            parts = [self.truth(one) for one in node.values]
            yes, no = [one.yes for one in parts], [one.no for one in parts]
            both, either = ast.And(), ast.Or()
            value = _call("all_of" if isinstance(node.op, ast.And) else "any_of", *(one.value for one in parts))
            if isinstance(node.op, ast.And):
                return _Truth(ast.BoolOp(both, yes), ast.BoolOp(either, no), value)
            return _Truth(ast.BoolOp(either, yes), ast.BoolOp(both, no), value)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            of = self.truth(node.operand)
            return _Truth(of.no, of.yes, _call("negated", of.value))
        if isinstance(node, ast.Compare):
            return self._comparison(node)
        found = self.value(node)
        if found.kind == "any":
            return _three_valued(_call("as_truth", found.code))
        if found.kind != "truth":
            self.parsed.fail(node, f"expected a condition, got {_KINDS[found.kind]}: compare it with something")
        if not found.optional:
            return _Truth(found.code, ast.UnaryOp(ast.Not(), found.code), found.code)
        return _three_valued(found.code)

    def _comparison(self, node: ast.Compare) -> _Truth:
        if isinstance(node.ops[0], ast.In | ast.NotIn):
            return self._membership(node)
        nodes = [node.left, *node.comparators]
        sides = [self.value(one) for one in nodes]
        for (left, right), operator in zip(pairwise(zip(nodes, sides, strict=True)), node.ops, strict=True):
            self._check_pair(node, operator, left, right)
        if len(node.ops) == 1:
            return self._pair(node.ops[0], sides[0], sides[1])
        if all(side.simple for side in sides):
            pairs = [self._pair(operator, *sides[at : at + 2]) for at, operator in enumerate(node.ops)]
            value = _call("all_of", *(one.value for one in pairs))
            return _Truth(
                ast.BoolOp(ast.And(), [one.yes for one in pairs]),
                ast.BoolOp(ast.Or(), [one.no for one in pairs]),
                value,
            )
        names = _tuple([_COMPARISONS[type(operator)] for operator in node.ops])
        return _three_valued(_call("chain", names, *(side.code for side in sides)))

    def _check_pair(
        self, node: ast.expr, operator: ast.cmpop, left: tuple[ast.expr, _Value], right: tuple[ast.expr, _Value]
    ) -> None:
        if type(operator) not in _COMPARISONS:
            self.parsed.fail(node, "expected one of == != < <= > >= or in; there is no other comparison")
        numbers_only = not isinstance(operator, ast.Eq | ast.NotEq)
        for whose, side in (left, right):
            self._check_figure(whose, side)
            if numbers_only and side.kind in ("text", "truth"):
                self.parsed.fail(whose, "expected numbers here: texts and true or false have == and != only")
        kinds = left[1].kind, right[1].kind
        if "any" not in kinds and kinds[0] != kinds[1]:
            self.parsed.fail(right[0], f"expected {_KINDS[kinds[0]]} to compare with, got {_KINDS[kinds[1]]}")
        self._check_word(*right, left[1])
        self._check_word(*left, right[1])

    def _check_figure(self, node: ast.expr, value: _Value) -> None:
        if value.kind == "levels":
            self.parsed.fail(node, f"expected a figure, got all levels: write {self.parsed.said(node)}[0].price")

    def _check_word(self, node: ast.expr, word: _Value, of: _Value) -> None:
        """Check that a text is one that can come."""
        if of.words is None or word.constant is None or word.constant in of.words:
            return
        known = ", ".join(f'"{one}"' for one in sorted(of.words))
        self.parsed.fail(node, f"this can never come; expected one of {known}{_meant(word.constant, of.words)}")

    def _pair(self, operator: ast.cmpop, left: _Value, right: _Value) -> _Truth:
        value = _call(_COMPARISONS[type(operator)], left.code, right.code)
        if "any" in (left.kind, right.kind):
            return _three_valued(value)
        there: list[ast.expr] = []
        codes = [self._known(side, there) for side in (left, right)]
        yes, no = (ast.Compare(codes[0], [one], [codes[1]]) for one in (operator, _OPPOSITE[type(operator)]))
        if not there:
            return _Truth(yes, no, value)
        return _Truth(ast.BoolOp(ast.And(), [*there, yes]), ast.BoolOp(ast.And(), [*there, no]), value)

    def _known(self, side: _Value, there: list[ast.expr]) -> ast.expr:
        """The code of one side of a comparison; `there` gets what has to be true before, so that it is not absent."""
        if not side.optional:
            return side.code
        name = f"t{len(self._temporaries)}"
        self._temporaries.append(name)
        taken = ast.NamedExpr(ast.Name(name, ast.Store()), side.code)
        there.append(ast.Compare(taken, [ast.IsNot()], [_NOTHING]))
        return ast.Name(name, ast.Load())

    def _membership(self, node: ast.Compare) -> _Truth:
        listed = node.comparators[0]
        if len(node.ops) > 1:
            self.parsed.fail(node, "expected one comparison with in; write and between two")
        if isinstance(listed, ast.Tuple):
            elements = listed.elts
        elif self.parsed.is_in_brackets(listed):
            elements = [listed]
        else:
            self.parsed.fail(listed, 'expected values in brackets after in, such as ("buy", "sell")')
        if not elements:
            self.parsed.fail(listed, "expected at least one value in the brackets")
        wanted = self.value(node.left)
        self._check_figure(node.left, wanted)
        found = [self.value(one) for one in elements]
        for one, value in zip(elements, found, strict=True):
            self._check_pair(node, ast.Eq(), (node.left, wanted), (one, value))
        code = _call("one_of", wanted.code, *(one.code for one in found))
        if all(one.constant is not None for one in found) and not wanted.optional and wanted.kind != "any":
            name = self._constant(tuple(one.constant for one in found))
            yes, no = (ast.Compare(wanted.code, [operator], [name]) for operator in (ast.In(), ast.NotIn()))
            truth = _Truth(yes, no, code)
        else:
            truth = _three_valued(code)
        if isinstance(node.ops[0], ast.NotIn):
            return _Truth(truth.no, truth.yes, _call("negated", truth.value))
        return truth

    # --- values

    def value(self, node: ast.expr) -> _Value:
        """The code of a value."""
        if isinstance(node, ast.Name) and node.id in ("true", "false"):
            value = node.id == "true"
            return _Value("truth", ast.Constant(value), optional=False, simple=True, constant=value)
        if isinstance(node, ast.Name | ast.Attribute | ast.Subscript):
            return self.path(node)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
            return self._signed(node)
        if isinstance(node, ast.BoolOp | ast.Compare) or (
            isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)
        ):
            return _Value("truth", self.truth(node).value)
        if isinstance(node, ast.Constant):
            return self._literal(node)
        if isinstance(node, ast.BinOp):
            return self._sum(node)
        if not isinstance(node, ast.Call):
            listed = isinstance(node, ast.Tuple | ast.List)
            self.parsed.fail(
                node, f"expected {'one value; several stand in brackets after in only' if listed else _ONE}"
            )
        return self._called(node)

    def number(self, node: ast.expr) -> ast.expr:
        """The code of a number."""
        value = self.value(node)
        if value.kind not in ("number", "any"):
            self.parsed.fail(node, f"expected a number to calculate with, got {_KINDS[value.kind]}")
        return _call("as_number", value.code) if value.kind == "any" else value.code

    def _literal(self, node: ast.Constant) -> _Value:
        if isinstance(node.value, str):
            return _Value("text", self._constant(node.value), False, simple=True, constant=node.value)
        written = self.parsed.said(node)
        if isinstance(node.value, bool) or not isinstance(node.value, int | float):
            instead = {"True": "true", "False": "false"}.get(written)
            what = f"write {instead}" if instead else "what is absent is never a match, so it cannot be compared with"
            self.parsed.fail(node, f"expected a value; {what}")
        number = Decimal(written) if _is_bounded(written) else None
        if number is None:
            self.parsed.fail(node, f"expected an exponent of at most {LONGEST_EXPONENT}")
        return _Value("number", self._constant(number), False, simple=True, constant=number)

    def _constant(self, value: Any) -> ast.expr:
        name = f"k{len(self.constants)}"
        self.constants[name] = value
        return ast.Name(name, ast.Load())

    def _signed(self, node: ast.UnaryOp) -> _Value:
        if isinstance(node.operand, ast.Constant) and isinstance(node.op, ast.USub):
            value = self._literal(node.operand)
            if value.kind == "number":
                negative = value.constant.copy_negate()
                return _Value("number", self._constant(negative), False, simple=True, constant=negative)
        code = self.number(node.operand)
        return _Value("number", code if isinstance(node.op, ast.UAdd) else _call("negative", code))

    def _sum(self, node: ast.BinOp) -> _Value:
        """A sum or a product; a long one is calculated from left to right in one call."""
        steps: list[ast.expr] = []
        left: ast.expr = node
        operation: str | None = None
        while isinstance(left, ast.BinOp):
            operation = _OPERATIONS.get(type(left.op))
            if operation is None:
                self.parsed.fail(left, "expected + - * or /; there is no other operation")
            steps = [ast.Constant(operation), self.number(left.right), *steps]
            left = left.left
        if operation is not None and len(steps) == 2:
            return _Value("number", _call(operation, self.number(left), steps[1]))
        return _Value("number", _call("calculated", self.number(left), *steps))

    def _called(self, node: ast.Call) -> _Value:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name not in FUNCTIONS:
            self.parsed.fail(node, f"expected one of {', '.join(FUNCTIONS)} before a bracket; nothing else is called")
        if node.keywords or any(isinstance(one, ast.Starred) for one in node.args):
            self.parsed.fail(node, f"expected numbers in the brackets of {name}")
        if (len(node.args) != 1) if name == "abs" else not node.args:
            self.parsed.fail(node, f"expected {'one number' if name == 'abs' else 'numbers'} in the brackets of {name}")
        return _Value("number", _call(f"{name}imum" if name != "abs" else "absolute", *map(self.number, node.args)))

    # --- fields

    def path(self, node: ast.expr) -> _Value:
        """The code of a field's value."""
        steps = list(self._steps(node))[::-1]
        base: ast.expr = _RECORD
        (first_node, first), rest = steps[0], steps[1:]
        of_before = first == PREV
        if of_before:
            self.uses_prev = True
            if not rest or not isinstance(rest[0][1], str):
                self.parsed.fail(node, f"expected a field of the record before, such as prev.{self._example()}")
            base, ((first_node, first), *rest) = ast.Attribute(_SEEN, PREV, ast.Load()), rest
        assert isinstance(first, str)
        value = self._field(first_node, first, base, rest, node, of_before=of_before)
        if self.apart and first not in STANDING:
            value = _Value(value.kind, _NOTHING, words=value.words)
        elif of_before:
            there = ast.Compare(base, [ast.Is()], [_NOTHING])
            value = _Value(value.kind, ast.IfExp(there, _NOTHING, value.code), words=value.words)
        self.operands.setdefault(self.parsed.said(node), value.code)
        return value

    def _steps(self, node: ast.expr) -> Iterator[tuple[ast.expr, str | int]]:
        """The names and places of a path, from its end on."""
        while not isinstance(node, ast.Name):
            if isinstance(node, ast.Attribute):
                yield node, name_of(node.attr)
            elif isinstance(node, ast.Subscript):
                place = node.slice.value if isinstance(node.slice, ast.Constant) else None
                if isinstance(place, bool) or not isinstance(place, int | str):
                    self.parsed.fail(node.slice, "expected a place from 0 on, such as [0]")
                yield node, place
            else:
                self.parsed.fail(node, "expected a field")
            node = node.value
        yield node, name_of(node.id)

    def _example(self) -> str:
        return next(name for name, one in kinds_of(self.fields.record).items() if one.kind in ("number", "levels"))

    def _field(
        self,
        at: ast.expr,
        name: str,
        base: ast.expr,
        rest: Sequence[tuple[ast.expr, str | int]],
        node: ast.expr,
        *,
        of_before: bool,
    ) -> _Value:
        record = self.fields.record
        known = kinds_of(record).get(name)
        if known is None:
            if rest:
                self._check_known(at, name, of_before=of_before)
                self.parsed.fail(node, f"expected nothing behind {name}")
            return self._other(at, name, base, of_before=of_before)
        code: ast.expr = ast.Attribute(base, name, ast.Load())
        if name == "extra" and not rest and not self.whole:
            self.parsed.fail(node, "expected a field of the venue's own, such as extra.NAME")
        if name == "type":
            return _Value("text", ast.Constant(self.fields.tag), False, known.words, simple=True)
        if rest and known.kind == "levels":
            return self._level(code, rest, node)
        if rest and known.kind == "any":
            return _Value("any", _call("below", code, _tuple([step for _, step in rest])))
        if rest:
            self.parsed.fail(node, f"expected nothing behind {name}, which is {_KINDS[known.kind]}")
        if known.is_float:
            return _Value("number", _call("as_number", code))
        return _Value(known.kind, code, known.optional, known.words, simple=not of_before)

    def _level(self, code: ast.expr, rest: Sequence[tuple[ast.expr, str | int]], node: ast.expr) -> _Value:
        (at, place), *names = rest
        if not isinstance(place, int):
            self.parsed.fail(node, "expected a place first, such as bids[0].price")
        depth = self.fields.depth
        if depth is not None and place >= depth:
            self.parsed.fail(at, f"the book has {depth} levels a side, [0] to [{depth - 1}]: give --depth {place + 1}")
        if not names:
            self.parsed.fail(node, f"expected a figure of the level, such as {self.parsed.said(node)}.price")
        step_node, name = names[0]
        known = kinds_of(Level).get(str(name))
        if known is None or len(names) > 1:
            said = f"{name}" if known is None else self.parsed.said(node)
            self.parsed.fail(
                step_node if known is None else node, f"a level has {', '.join(kinds_of(Level))}, no {said}"
            )
        return _Value(known.kind, _call("of_level", code, ast.Constant(place), ast.Constant(name)))

    def _other(self, at: ast.expr, name: str, base: ast.expr, *, of_before: bool) -> _Value:
        """A field that is derived, or is the stream's."""
        if name in derived_of(self.fields.record):
            what = "book" if self.fields.record is Book else "quote"
            return _Value("number", _call(f"{name}_of_{what}", base))
        self._check_known(at, name, of_before=of_before)
        code = ast.Attribute(_SEEN, name, ast.Load())
        if name == "age_ms":
            return _Value("number", code, simple=True)
        if name == "state":
            return _Value("text", code, False, frozenset(get_args(State)), simple=True)
        return _Value("truth", code, simple=True)

    def _check_known(self, at: ast.expr, name: str, *, of_before: bool) -> None:
        known = {*kinds_of(self.fields.record), *derived_of(self.fields.record)}
        if not of_before:
            known |= {*STANDING, "partial"}
        if name in known:
            return
        what = "the record before" if of_before else f"{_article(self.fields.tag)} {self.fields.tag}"
        others = [one for one in STREAMS if name in {*kinds_of(STREAMS[one].record), *derived_of(STREAMS[one].record)}]
        elsewhere = f"; {', '.join(others)} {'has' if len(others) == 1 else 'have'} it" if others else ""
        words = {*get_args(State)}.union(*(one.words or () for one in kinds_of(self.fields.record).values()))
        if name in words:
            self.parsed.fail(at, f'{what} has no field {name}; as a text it stands in quotes: "{name}"')
        meant = _meant(name, known) or ("" if others else f"; it has {', '.join(sorted(known))}")
        self.parsed.fail(at, f"{what} has no field {name}{elsewhere}{meant}")


def _meant(name: str, known: frozenset[str] | set[str]) -> str:
    from difflib import get_close_matches  # for the words of an error only

    lowered = {one.lower(): one for one in sorted(known)}
    close = get_close_matches(name.lower(), lowered)
    return f"; did you mean {lowered[close[0]]}?" if close else ""


def _article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"


def _is_bounded(written: str) -> bool:
    _, _, exponent = written.lower().partition("e")
    return not exponent or (len(exponent) <= 5 and abs(int(exponent)) <= LONGEST_EXPONENT)


def _tuple(values: Sequence[str | int]) -> ast.expr:
    return ast.Tuple([ast.Constant(one) for one in values], ast.Load())


def _call(name: str, *arguments: ast.expr) -> ast.expr:
    return ast.Call(ast.Name(name, ast.Load()), list(arguments), [])


def _three_valued(value: ast.expr) -> _Truth:
    """The truth of a value that is True, False or None."""
    yes, no = (ast.Compare(value, [ast.Is()], [ast.Constant(one)]) for one in (True, False))
    return _Truth(yes, no, value)


def _function(code: ast.expr, constants: Mapping[str, Any]) -> Test:
    made: Test = _compiled(code, ("record", "seen"), constants)
    return made


def _compiled(code: ast.expr, names: Sequence[str], constants: Mapping[str, Any]) -> Any:
    arguments = ast.arguments([], [ast.arg(name) for name in names], None, [], [], None, [])
    whole = ast.Expression(ast.Lambda(arguments, code))
    _place(whole.body)
    return eval(compile(whole, "<condition>", "eval"), {**vars(exactly), **constants})


def _place(tree: ast.AST) -> None:
    """Gives each part the place that Python asks of it; none is ever shown."""
    unplaced = [tree]
    while unplaced:
        node = unplaced.pop()
        if isinstance(node, ast.expr | ast.arg):
            node.lineno = node.end_lineno = 1
            node.col_offset = node.end_col_offset = 0
        for name in node._fields:
            value = getattr(node, name, None)
            if isinstance(value, ast.AST):
                unplaced.append(value)
            elif isinstance(value, list):
                unplaced += [one for one in value if isinstance(one, ast.AST)]
