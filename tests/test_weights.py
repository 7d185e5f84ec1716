"""What records are taken to weigh, and which of their texts are cut for a table."""

from __future__ import annotations

import sys
from decimal import Decimal
from typing import Any

import pytest

from cli.output import weights
from cli.output.lines import RawFrame, Unprinted
from cli.output.weights import (
    LONGEST_DATA,
    LONGEST_TEXT,
    OF_A_LEVEL,
    OF_A_RECORD,
    OF_A_ROW,
    Shortener,
    size_of,
    texts_of,
    weight,
)
from venues.records import Book, Level, Message, Order, Position, Quote, SnapshotEnd, Trade
from venues.redaction import Redactor

ONE = Decimal(1)
TRADE = Trade(venue="v", received=1, price=ONE, size=ONE, side="buy")
LEVEL = Level(ONE, ONE)


def order(**fields: Any) -> Order:
    return Order(venue="v", received=1, order_id="7", status="new", change="update", **fields)


def message(**fields: Any) -> Message:
    return Message(venue="v", received=1, **{"topic": "t", "data": 1, **fields})


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (TRADE, OF_A_RECORD),
        (Quote(venue="v", received=1), OF_A_RECORD),
        (SnapshotEnd(venue="v", received=1, stream="orders", count=1), OF_A_RECORD),
        (Book(venue="v", received=1, bids=[], asks=[]), OF_A_RECORD),
        (Book(venue="v", received=1, bids=[LEVEL] * 3, asks=[LEVEL]), OF_A_RECORD + 4 * OF_A_LEVEL),
        (Unprinted(TRADE), OF_A_RECORD),
        (Unprinted(Book(venue="v", received=1, bids=[LEVEL], asks=[LEVEL])), OF_A_RECORD + 2 * OF_A_LEVEL),
        (object(), OF_A_ROW),
    ],
)
def test_what_a_record_weighs(record: Any, expected: int) -> None:
    assert weight(record) == expected


def test_a_record_with_texts_weighs_as_much_more_as_these() -> None:
    base = weight(order())
    assert base == OF_A_ROW + sum(map(sys.getsizeof, ("7",)))
    assert weight(order(symbol="ABC")) == base + sys.getsizeof("ABC")
    assert weight(Unprinted(order(symbol="ABC"))) == base + sys.getsizeof("ABC")
    assert weight(order(price=ONE)) == base, "figures are in it already"
    text = "x" * 5_000
    raw = RawFrame(1, "in", frame=text)
    assert weight(raw) - weight(RawFrame(1, "in", frame="")) == 5_000


def test_the_size_of_json_is_that_of_all_its_parts() -> None:
    text, inner = "abc", [1]
    parts = [{"k": text, "i": inner}, "k", "i", text, inner, 1]
    assert size_of(parts[0]) == sum(map(sys.getsizeof, parts))
    assert size_of(text) == sys.getsizeof(text)
    assert size_of([inner, text]) == sum(map(sys.getsizeof, ([inner, text], inner, 1, text)))


def test_what_is_enough_is_not_looked_at_any_further() -> None:
    long: Any = [["x" * 1_000] for _ in range(50)]
    assert 3_000 <= size_of(long, 3_000) < 9_000 < size_of(long)
    exact = size_of([[1], [2]])
    assert size_of([[1], [2]], exact) == exact
    assert size_of([[1], [2]], sys.getsizeof([[1], [2]])) < exact


def test_the_texts_of_a_record_are_what_a_venue_can_make_long() -> None:
    assert "venue" not in texts_of(Order)
    assert {"order_id", "symbol", "extra"} <= {*texts_of(Order)}
    assert {"price", "received", "side", "status", "change"}.isdisjoint(texts_of(Order))
    assert {"topic", "data"} <= {*texts_of(Message)}


# --- for a table


def cut(record: Any) -> Any:
    return Shortener(Redactor())(record)


@pytest.mark.parametrize(
    "record", [TRADE, Book(venue="v", received=1, symbol="x" * 999, bids=[], asks=[]), order(symbol="x" * LONGEST_TEXT)]
)
def test_a_record_without_long_texts_is_the_same_one(record: Any) -> None:
    assert cut(record) is record


def test_a_long_text_keeps_its_beginning_and_stays_another_than_those_beside_it() -> None:
    one, other = (cut(order(symbol="x" * LONGEST_TEXT + more)).symbol for more in ("a", "b"))
    for text in (one, other):
        assert text.startswith("x" * LONGEST_TEXT + "…")
        assert len(text) < LONGEST_TEXT + 30
    assert one != other
    assert one == cut(order(symbol="x" * LONGEST_TEXT + "a")).symbol


def test_a_secret_is_covered_before_a_text_is_cut() -> None:
    redactor = Redactor()
    redactor.learn({"key": "0123456789abcdef"})
    text = "x" * (LONGEST_TEXT - 8) + "0123456789abcdef"
    found = Shortener(redactor)(order(symbol=text)).symbol
    assert found is not None
    assert "01234567" not in found


def size_with(data: Any) -> int:
    return size_of(data, LONGEST_DATA)


def test_long_json_is_a_line_in_a_message_and_left_out_elsewhere() -> None:
    short, long = {"a": "x"}, {"a": "x" * LONGEST_DATA}
    assert size_with(short) < LONGEST_DATA <= size_with(long)
    assert cut(message(data=short)).data == short
    assert cut(message(data=long)).data == "a…", "a line ends between two words"
    assert cut(message(data={"a": 1, "b": ["x"] * LONGEST_DATA})).data.startswith("a 1 · b ")
    assert cut(order(extra=long)).extra is None
    assert cut(order(extra=short)).extra == short


@pytest.mark.parametrize(("more", "parts"), [(-1, 0), (0, 0), (1, 1)])
def test_what_is_exactly_enough_is_enough(more: int, parts: int) -> None:
    outside = sys.getsizeof(["x", "y"])
    assert size_of(["x", "y"], outside + more) == outside + 2 * parts * sys.getsizeof("x")


@pytest.mark.parametrize(("more", "is_cut"), [(0, True), (1, False)])
def test_json_is_long_from_a_size_on(more: int, is_cut: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    data = {"a": ["x", "y"], "b": {"c": 1}}
    monkeypatch.setattr(weights, "LONGEST_DATA", size_of(data) + more)
    assert cut(order(extra=data)).extra == (None if is_cut else data)
    assert (cut(message(data=data)).data == data) is not is_cut


@pytest.mark.parametrize(("length", "is_cut"), [(LONGEST_TEXT, False), (LONGEST_TEXT + 1, True)])
def test_a_text_is_long_from_a_length_on(length: int, is_cut: bool) -> None:
    text = "x" * length
    shown = cut(order(symbol=text)).symbol
    assert shown == (f"{text[:LONGEST_TEXT]}…{hash(text):x}" if is_cut else text)


def test_a_text_as_data_is_cut_as_a_text() -> None:
    assert str(cut(message(data="y" * 300)).data).startswith("y" * LONGEST_TEXT + "…")


def test_a_position_keeps_what_is_not_too_long() -> None:
    position = Position(venue="v", received=1, side="long", size=ONE, change="update", symbol="x" * 300)
    found = cut(position)
    assert (found.side, found.received) == ("long", 1)
    assert found.symbol != position.symbol
