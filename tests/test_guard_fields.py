"""What the fields of a plug-in's items may have, and what is said of another value."""

from __future__ import annotations

from decimal import Decimal
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest
from msgspec.structs import replace

from venues.records import RECORD_TYPES, Book, Level, Order, OrderStatus, Pong, Signal
from venues.toolkit.guard import problem_of
from venues.venue import BadFrame, ClockOffset, Command, Confirmed, Lost, Notice, Receipt, Refused, StreamState

COMMON: dict[str, Any] = {"venue": "acme", "received": 0}
BOOK = Book(**COMMON, symbol="BTC-USD", bids=[], asks=[])
ORDER = Order(**COMMON, symbol="ANY", order_id="1", status="new", change="update")


@pytest.mark.parametrize(
    ("level", "is_good"),
    [
        (Level(Decimal(1), Decimal(2)), True),
        (Level(Decimal(1), Decimal(2), 3, Decimal(4)), True),
        (Level(Decimal(1), Decimal(2), None, Decimal(4)), True),
        (Level(Decimal(1), Decimal(2), 3), True),
        (Level(1, Decimal(2)), False),  # type: ignore[arg-type]
        (Level(Decimal(1), 2.0), False),  # type: ignore[arg-type]
        (Level(Decimal("NaN"), Decimal(2)), False),
        (Level(Decimal(1), Decimal("Infinity")), False),
        (Level(Decimal(1), Decimal(2), True), False),
        (Level(Decimal(1), Decimal(2), "3"), False),  # type: ignore[arg-type]
        (Level(Decimal(1), Decimal(2), 3, 4), False),  # type: ignore[arg-type]
        (Level(Decimal(1), Decimal(2), 3, Decimal("NaN")), False),
        ((Decimal(1), Decimal(2)), False),
        (None, False),
    ],
)
@pytest.mark.parametrize("side", ["bids", "asks"])
def test_levels_are_finite_decimals(level: Any, is_good: bool, side: str) -> None:
    sound = Level(Decimal(1), Decimal(2))
    for levels in ([level], [sound, level], [level, sound]):
        problem = problem_of(Book(**COMMON, **{"bids": [], "asks": [], side: levels}))
        words = f"a Book with a bad {side}: expected list[Level], of finite Decimals, got others in it"
        assert problem == ("" if is_good else words)


SIGNAL = Signal(**COMMON, name="buy_signal")
PONG = Pong(**COMMON, round_trip_ms=1.5)


@pytest.mark.parametrize(
    ("record", "name", "value", "words"),
    [
        (BOOK, "bids", None, "list[Level], of finite Decimals, got none"),
        (BOOK, "bids", (), "list[Level], of finite Decimals, got a tuple"),
        (PONG, "round_trip_ms", 2, ""),
        (PONG, "round_trip_ms", True, "float, got a bool"),
        (PONG, "round_trip_ms", float("inf"), "float, got a float"),
        (PONG, "round_trip_ms", float("nan"), "float, got a float"),
        (PONG, "round_trip_ms", Decimal(1), "float, got a Decimal"),
        (PONG, "received", 1.0, "int, got a float"),
        (PONG, "received", False, "int, got a bool"),
        (SIGNAL, "quote", None, ""),
        (SIGNAL, "quote", Decimal(1), ""),
        (SIGNAL, "quote", [Decimal(1), Decimal(2)], ""),
        (SIGNAL, "quote", [], ""),
        (SIGNAL, "quote", [Decimal(1), 2], "finite Decimal | list[finite Decimal] | None, got others in it"),
        (SIGNAL, "quote", (Decimal(1),), "finite Decimal | list[finite Decimal] | None, got a tuple"),
        (SIGNAL, "quote", Decimal("Infinity"), "finite Decimal | list[finite Decimal] | None, got a Decimal"),
        (SIGNAL, "action", "enter", ""),
        (SIGNAL, "action", "begin", "Optional[Literal['enter', 'exit', 'close', 'stop']], got a str"),
        (ORDER, "status", "new", ""),
        (ORDER, "status", None, f"Literal[{', '.join(map(repr, get_args(OrderStatus)))}], got none"),
        (ORDER, "extra", {"a": object()}, ""),
        (ORDER, "extra", [], "dict[str, Any] | None, got a list"),
    ],
)
def test_what_a_field_may_have(record: Any, name: str, value: Any, words: str) -> None:
    kind = type(record).__name__
    problem = f"{'an' if kind == 'Order' else 'a'} {kind} with a bad {name}: expected {words}"
    assert problem_of(replace(record, **{name: value})) == (problem if words else "")


def test_whatever_may_be_of_several_kinds_may_be_absent() -> None:
    kinds = RECORD_TYPES | {StreamState, Confirmed, ClockOffset, BadFrame, Notice, Receipt, Refused, Lost}
    names = {"Mapping": dict, "Command": Command}
    hints = [hint for kind in kinds for hint in get_type_hints(kind, localns=names).values()]
    unions = [hint for hint in hints if get_origin(hint) in (Union, UnionType)]
    assert len(unions) > 100
    assert all(NoneType in get_args(hint) for hint in unions)
