"""Random conditions on random records, and a second evaluator of them: fractions, and three values. Knows no parser.

An expression is made as a tree, told as text to `mon`, and reckoned here from the tree.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import cache
from typing import Any, get_args

import msgspec

from cli.output.conditions import Seen
from venues.records import Book, Level, Quote, Record, State
from venues.streams import STREAMS, Stream

DIGITS = 100
NUMBERS = ("0", "0.1", "-1", "1", "2.50", "3", "70000", "0.00000001", "1e-8", "123456789.987654321", "1e40", "7e60")
WORDS = ("buy", "sell", "long", "x", "é", "live")
PRECEDENCE = {"or": 1, "and": 2, "not": 3, "compare": 4, "+": 5, "-": 5, "*": 6, "/": 6, "negative": 7, "atom": 9}


@dataclass
class Node:
    """One part: its text, how strongly it binds, and its value of a record; None where it is absent."""

    text: str
    binds: int
    value: Callable[[Record | None, Seen], Any]
    raw: Callable[[Record | None, Seen], Any] | None = None  # of whatever kind it is, for a comparison

    def compared(self, record: Record | None, seen: Seen) -> Any:
        """The value as a comparison takes it."""
        return (self.raw or self.value)(record, seen)


def significant(value: Fraction) -> int | None:
    """How many digits a fraction has; None where it has no end."""
    top, bottom = abs(value.numerator), value.denominator
    for prime in (2, 5):
        while bottom % prime == 0:
            bottom //= prime
            top *= 5 if prime == 2 else 2
    return len(str(top).rstrip("0")) if bottom == 1 else None


def rounded(value: Fraction) -> Fraction:
    """Half-even, at 100 digits."""
    if not value:
        return value
    exponent = len(str(abs(value.numerator))) - len(str(value.denominator)) - DIGITS
    while abs(value) >= Fraction(10) ** (exponent + DIGITS):
        exponent += 1
    while abs(value) < Fraction(10) ** (exponent + DIGITS - 1):
        exponent -= 1
    return round(value / Fraction(10) ** exponent) * Fraction(10) ** exponent


def calculated(sign: str, left: Fraction | None, right: Fraction | None) -> Fraction | None:
    if left is None or right is None or (sign == "/" and not right):
        return None
    if sign == "/":
        return rounded(left / right)
    result = {"+": left + right, "-": left - right, "*": left * right}[sign]
    digits = significant(result)
    assert digits is not None
    return result if digits <= DIGITS else None


def compared(sign: str, left: Any, right: Any) -> bool | None:
    if left is None or right is None:
        return None
    kinds = {bool if isinstance(one, bool) else str if isinstance(one, str) else Fraction for one in (left, right)}
    if len(kinds) > 1 or (sign not in ("==", "!=") and kinds != {Fraction}):
        return None
    return {
        "==": left == right, "!=": left != right,
        "<": kinds == {Fraction} and left < right, "<=": kinds == {Fraction} and left <= right,
        ">": kinds == {Fraction} and left > right, ">=": kinds == {Fraction} and left >= right,
    }[sign]  # fmt: skip


@cache
def _fields(record: type[Record]) -> Sequence[Any]:
    return [one for one in msgspec.structs.fields(record) if one.name != "match"]


def fraction(value: Any) -> Any:
    """A value as it is reckoned with: numbers as fractions; None for lists and objects."""
    if isinstance(value, bool | str | Fraction):
        return value
    if isinstance(value, float):
        return Fraction(repr(value))
    return Fraction(value) if isinstance(value, int | Decimal) else None


class Maker:
    """Makes records of a stream, and expressions on them."""

    def __init__(self, chance: random.Random, stream: Stream) -> None:
        self.chance = chance
        self.record = stream.record
        self.fields = {one.name: one.type for one in _fields(self.record)}

    # --- records

    def made(self) -> Record:
        """A record with some of its optional fields absent."""
        given = {name: self._of_type(kind) for name, kind in self.fields.items()}
        return self.record(**{name: value for name, value in given.items() if value is not None})

    def _of_type(self, kind: Any) -> Any:
        alternatives = get_args(kind) if type(None) in get_args(kind) else (kind,)
        if type(None) in alternatives and self.chance.random() < 0.3:
            return None
        kind = next(one for one in alternatives if one is not type(None))
        if kind is Decimal:
            return Decimal(self.chance.choice([*NUMBERS, str(self.chance.randrange(10**9)) + ".25", "9" * 39]))
        if kind in (int, float, bool):
            return kind(self.chance.randrange(3))
        if kind is str:
            return self.chance.choice(WORDS)
        if kind == list[Level]:
            return [Level(self._of_type(Decimal), self._of_type(Decimal)) for _ in range(self.chance.randrange(4))]
        if get_args(kind) and isinstance(get_args(kind)[0], str):
            return self.chance.choice(get_args(kind))
        return {"a": self._json(), "from": {"b": [self._json(), self._json()]}}

    def _json(self) -> Any:
        return self.chance.choice([None, True, False, 5, Decimal("0.1"), 0.5, "buy", [], {}, 10**30])

    def seen(self) -> Seen:
        """What is known besides."""
        seen = Seen()
        seen.prev = self.made() if self.chance.random() < 0.7 else None
        seen.state = "live"
        seen.stale, seen.age_ms = False, self.chance.choice([None, 0, 3, 70000])
        seen.partial = self.chance.choice([True, False])
        return seen

    # --- expressions

    def condition(self, depth: int) -> Node:
        """A condition of so many levels at most."""
        kind = self.chance.choice(["and", "or", "not", "compare", "compare", "compare", "in", "truth"])
        if kind == "truth" or (depth <= 1 and kind in ("and", "or", "not")):
            return self._truth()
        if kind in ("and", "or"):
            parts = [self.condition(depth - 1) for _ in range(self.chance.randrange(2, 4))]
            text = f" {kind} ".join(self._inside(one, PRECEDENCE[kind] + 1) for one in parts)
            decides = kind == "or"

            def joined(record: Record | None, seen: Seen) -> bool | None:
                values = [one.value(record, seen) for one in parts]
                return decides if decides in values else None if None in values else not decides

            return Node(text, PRECEDENCE[kind], joined)
        if kind == "not":
            of = self.condition(depth - 1)

            def opposite(record: Record | None, seen: Seen) -> bool | None:
                value = of.value(record, seen)
                return None if value is None else not value

            return Node(f"not {self._inside(of, PRECEDENCE['not'])}", PRECEDENCE["not"], opposite)
        return self._member(depth) if kind == "in" else self._comparison(depth)

    def _comparison(self, depth: int) -> Node:
        if self.chance.random() < 0.25:
            sides, signs = [self._word(), self._word()], ("==", "!=")
        elif self.chance.random() < 0.1:
            sides, signs = [self._truth(), self._truth()], ("==", "!=")
        else:
            sides = [self.number(depth - 1) for _ in range(self.chance.choice([2, 2, 2, 3]))]
            signs = ("==", "!=", "<", "<=", ">", ">=")
        chosen = [self.chance.choice(signs) for _ in sides[1:]]
        texts = [self._inside(one, PRECEDENCE["compare"] + 1) for one in sides]
        text = texts[0] + "".join(f" {sign} {one}" for sign, one in zip(chosen, texts[1:], strict=True))

        def all_hold(record: Record | None, seen: Seen) -> bool | None:
            values = [one.compared(record, seen) for one in sides]
            each = [compared(sign, *values[at : at + 2]) for at, sign in enumerate(chosen)]
            return False if False in each else None if None in each else True

        return Node(text, PRECEDENCE["compare"], all_hold)

    def _member(self, depth: int) -> Node:
        make = self.chance.choice([self._word, lambda: self.number(min(depth - 1, 2))])
        wanted, listed = make(), [make() for _ in range(self.chance.randrange(1, 4))]
        word = self.chance.choice(["in", "not in"])
        text = f"{self._inside(wanted, 5)} {word} ({', '.join(one.text for one in listed)},)"

        def is_one(record: Record | None, seen: Seen) -> bool | None:
            value = wanted.compared(record, seen)
            each = [compared("==", value, one.compared(record, seen)) for one in listed]
            found = True if True in each else None if None in each else False
            return found if word == "in" or found is None else not found

        return Node(text, PRECEDENCE["compare"], is_one)

    def number(self, depth: int) -> Node:
        """A number of so many levels at most."""
        kind = self.chance.choice(["+", "-", "*", "/", "call", "negative", "field", "field", "literal"])
        if kind == "literal" or (depth <= 1 and kind not in ("field", "literal")):
            text = self.chance.choice(NUMBERS)
            return Node(text, PRECEDENCE["negative" if text[0] == "-" else "atom"], lambda record, seen: Fraction(text))
        if kind == "field":
            return self._numeric_field()
        if kind == "negative":
            of = self.number(depth - 1)
            return Node(
                f"-{self._inside(of, 8)}", PRECEDENCE["negative"], lambda *known: self._negative(of.value(*known))
            )
        if kind == "call":
            return self._call(depth)
        left, right = self.number(depth - 1), self.number(depth - 1)
        binds = PRECEDENCE[kind]
        text = f"{self._inside(left, binds)} {kind} {self._inside(right, binds + 1)}"
        return Node(text, binds, lambda *known: calculated(kind, left.value(*known), right.value(*known)))

    def _negative(self, value: Fraction | None) -> Fraction | None:
        return None if value is None else -value

    def _call(self, depth: int) -> Node:
        name = self.chance.choice(["abs", "min", "max"])
        values = [self.number(depth - 1) for _ in range(1 if name == "abs" else self.chance.randrange(1, 4))]

        def called(record: Record | None, seen: Seen) -> Fraction | None:
            found = [one.value(record, seen) for one in values]
            if None in found:
                return None
            return abs(found[0]) if name == "abs" else min(found) if name == "min" else max(found)

        return Node(f"{name}({', '.join(one.text for one in values)})", PRECEDENCE["atom"], called)

    def _inside(self, node: Node, binds: int) -> str:
        return f"({node.text})" if node.binds < binds or self.chance.random() < 0.1 else node.text

    # --- fields

    def _of(self, *kinds: Any) -> list[str]:
        return [name for name, kind in self.fields.items() if kind in kinds]

    def _numeric_field(self) -> Node:
        names = [*self._of(Decimal, Decimal | None, int, int | None, float), "age_ms"]
        if self.record is Book:
            places = [
                f"{side}[{place}].{name}" for side in ("bids", "asks") for place in (0, 2) for name in ("price", "size")
            ]
            names += [*places, *places]
        if self.record in (Book, Quote):
            names += ["mid", "spread", "spread_bps"]
        names += self._free()
        return self._field(self.chance.choice(names), Fraction)

    def _free(self) -> list[str]:
        roots = [name for name in ("extra", "data") if name in self.fields]
        return [f"{root}.{rest}" for root in roots for rest in ("a", "from.b[1]", "none")]

    def _word(self) -> Node:
        names = [*self._of(str, str | None), "type"]
        if self.chance.random() < 0.5:
            word = self.chance.choice(WORDS)
            return Node(f'"{word}"', PRECEDENCE["atom"], lambda record, seen: word)
        return self._field(self.chance.choice(names), str)

    def _truth(self) -> Node:
        names = [*self._of(bool), "stale", "partial", *self._free()]
        if self.chance.random() < 0.3:
            value = self.chance.choice([True, False])
            return Node("true" if value else "false", PRECEDENCE["atom"], lambda record, seen: value)
        return self._field(self.chance.choice(names), bool)

    def _field(self, name: str, kind: type) -> Node:
        of_before = name not in ("age_ms", "stale", "partial") and self.chance.random() < 0.2

        def raw(record: Record | None, seen: Seen) -> Any:
            if name in ("age_ms", "stale"):
                found = getattr(seen, name)
            elif record is None:
                found = None
            elif name == "partial":
                found = seen.partial
            else:
                record = seen.prev if of_before else record
                found = None if record is None else plain(record, name)
            return fraction(found)

        def value(record: Record | None, seen: Seen) -> Any:
            found = raw(record, seen)
            return found if isinstance(found, kind) else None

        return Node(f"prev.{name}" if of_before else name, PRECEDENCE["atom"], value, raw)


def plain(record: Any, name: str) -> Any:
    """What a record has under a name."""
    if name == "type":
        return record.__struct_config__.tag
    if name in ("mid", "spread", "spread_bps") and isinstance(record, Book | Quote):
        return _derived(record, name)
    if "[" in name and name.split("[")[0] in ("bids", "asks"):
        side, rest = name.split("[")
        levels = getattr(record, side)
        return getattr(levels[int(rest[0])], rest.split(".")[1]) if int(rest[0]) < len(levels) else None
    value: Any = record
    for step in name.replace("[", ".[").split("."):
        if step.startswith("["):
            place = int(step[1:-1])
            value = value[place] if isinstance(value, list) and place < len(value) else None
        else:
            value = value.get(step) if isinstance(value, dict) else getattr(value, step, None)
    return value


def _derived(record: Any, name: str) -> Fraction | None:
    if isinstance(record, Book):
        bid, ask = (levels[0].price if levels else None for levels in (record.bids, record.asks))
    else:
        bid, ask = record.bid_price, record.ask_price
    if bid is None or ask is None:
        return None
    spread = calculated("-", Fraction(ask), Fraction(bid))
    total = calculated("+", Fraction(ask), Fraction(bid))
    mid = calculated("*", total, Fraction(1, 2))
    if name == "mid":
        return mid
    return spread if name == "spread" else calculated("/", calculated("*", spread, Fraction(10_000)), mid)


def apart(chance: random.Random) -> Seen:
    """What is known of a stream that is not live."""
    seen = Seen()
    seen.state = chance.choice([one for one in get_args(State) if one != "live"])
    seen.stale, seen.age_ms = chance.choice([None, True]), chance.choice([None, 70000])
    return seen


def streams() -> Sequence[Stream]:
    """One stream for each type of record."""
    return list({stream.record: stream for stream in STREAMS.values()}.values())
