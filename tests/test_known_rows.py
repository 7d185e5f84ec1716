"""Rows of whole books that are known by their bytes: the same comes out as if every message was read anew."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import Raw

from tests.benchmarks.costs import NOW, SYMBOL
from venues.nexus import NEXUS
from venues.nexus.messages import BOOK_ROWS, EVENTS
from venues.nexus.session import NexusSession, _levels_in
from venues.records import Level
from venues.toolkit import known_rows
from venues.toolkit.known_rows import KnownRows
from venues.venue import Settings, Subscription


class Rows(KnownRows):
    """Rows of which one side is looked at."""

    def __init__(self) -> None:
        super().__init__(_levels_in)

    def side(self, side: Raw) -> list[Level] | None:
        found = self.sides(side, Raw(b"[]"))
        assert found is None or found[1] == []
        return None if found is None else found[0]


ROWS = b'[{"price":1.50,"quantity":2},{"price":1.6,"quantity":0}]'


def test_what_is_known_is_the_same_level_again() -> None:
    rows = Rows()
    first = rows.side(Raw(ROWS))
    assert first == [Level(Decimal("1.50"), Decimal(2)), Level(Decimal("1.6"), Decimal(0))]
    assert str(first[0].price) == "1.50"
    again = rows.side(Raw(b'[{"price":9,"quantity":9},{"price":1.50,"quantity":2}]'))
    assert again is not None
    assert again[1] is first[0]
    assert rows.side(Raw(b"[]")) == []


def test_both_sides_are_read_at_once_and_one_that_is_not_as_usual_leaves_both_to_others() -> None:
    rows, other = KnownRows(_levels_in), b'[{"price":7,"quantity":8}]'
    found = rows.sides(Raw(ROWS), Raw(other))
    assert found == (
        [Level(Decimal("1.50"), Decimal(2)), Level(Decimal("1.6"), Decimal(0))],
        [Level(Decimal(7), Decimal(8))],
    )
    for bad in (b"[{}]", b"null"):
        assert rows.sides(Raw(ROWS), Raw(bad)) is None
        assert rows.sides(Raw(bad), Raw(other)) is None


@pytest.mark.parametrize(
    "side",
    [b"5", b"null", b'[{"price":1,"quantity":-1}]', b'[{"price":1}]', b"[{}]", b'["{},{}"]',
     b'[ {"price":1,"quantity":2} ]',
     b'[{"price":1,"quantity":2,"x":"},{"}]', b'[{"price":1,"quantity":2,"x":{}}]',
     b'[{"price":1,"quantity":2,"x":"' + b"y" * 200 + b'"}]',
     b'[{"price":1,"quantity":2} ,{"price":1,"quantity":2,"x":"},{"}]',
     b'[{"price":1,"quantity":2,"x":"}, {"},{"price":1,"quantity":2}]',
     b'[{"price":1,"quantity":2,"x":"{"}]', b'[{"price":1,"quantity":2,"x":"}"}]'],
)  # fmt: skip
def test_what_is_not_as_usual_is_left_to_others(side: bytes) -> None:
    rows = Rows()
    assert rows.side(Raw(side)) is None
    assert rows.side(Raw(ROWS)) is not None


def test_what_is_known_stays_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_rows, "MOST_KNOWN", 40)
    monkeypatch.setattr(known_rows, "MOST_NEW", 10)
    monkeypatch.setattr(known_rows, "LEAST_KNOWN", 20)
    rows = Rows()
    for start in range(1, 200, 7):
        side = ",".join(f'{{"price":{price},"quantity":1}}' for price in range(start, start + 10))
        found = rows.side(Raw(f"[{side}]".encode()))
        assert found is not None
        assert [int(level.price) for level in found] == list(range(start, start + 10))
        assert len(rows._known) <= 40
    assert (
        rows.side(Raw(b"[" + b",".join(b'{"price":%d,"quantity":3}' % price for price in range(1, 30)) + b"]")) is None
    )


def side_of(*prices: int) -> Raw:
    return Raw(b"[" + b",".join(b'{"price":%d,"quantity":1}' % price for price in prices) + b"]")


def test_rows_are_forgotten_once_more_are_known_than_so_many_books_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_rows, "LEAST_KNOWN", 2)
    monkeypatch.setattr(known_rows, "BOOKS_KNOWN", 3)
    rows = Rows()
    (first,) = rows.side(side_of(1)) or []
    for price in (2, 3):
        rows.side(side_of(price))
    (again,) = rows.side(side_of(1)) or []
    assert again is first, "three are known, as many as three books have"
    rows.side(side_of(4))
    (again,) = rows.side(side_of(1)) or []
    assert again == first
    assert again is not first


@pytest.mark.parametrize(("new", "is_read"), [(3, True), (4, False)])
def test_a_book_with_too_many_new_rows_is_left_to_others(
    new: int, is_read: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known_rows, "MOST_NEW", 3)
    assert (Rows().side(side_of(*range(1, new + 1))) is not None) is is_read


@pytest.mark.parametrize(("longest", "is_read"), [(24, True), (23, False)])
def test_rows_that_are_too_long_are_left_to_others(
    longest: int, is_read: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known_rows, "LONGEST", longest)
    row = b'{"price":1.50,"quantity":2}'
    assert len(row) - 2 == 25
    assert (Rows().side(Raw(b"[" + row.replace(b"1.50", b"1.5") + b"]")) is not None) is is_read


PRICES = st.sampled_from(["1", "1.0", "1.00", "2", '"2"', "3e0", "0", "-1", "null", '"x"', "1e999", "NaN", "04"])
EXTRA = st.sampled_from(
    ["", "", "", ',"x":"},{"', ',"x":"}', ',"x":{"price":3}', ',"x":[{},{}]', ',"price":7', ',"x":"\\"},{"']
)
ROW = st.builds('{{"price":{},"quantity":{}{}}}'.format, PRICES, PRICES, EXTRA)
GOOD = st.builds('{{"price":{},"quantity":{}}}'.format, st.integers(1, 6), st.sampled_from(["0", "1", "1.0"]))
SIDE = st.builds(
    lambda rows, between: f"[{between.join(rows)}]",
    st.lists(GOOD, max_size=5) | st.lists(GOOD | GOOD | ROW, max_size=5),
    st.sampled_from([",", ",", ", ", " ,"]),
)
FRAME = st.builds(
    '{{"event":"BOOK","symbol":"{}","timestamp":{},"data":{{"asks":{},"bids":{}}}}}'.format,
    st.sampled_from([SYMBOL, SYMBOL, SYMBOL, "OTHER"]),
    st.sampled_from(["1564710592000", "1564710592000", "1564710591000", "1564710592", "null"]),
    SIDE | st.sampled_from(["5", "null", "[[]]"]),
    SIDE,
)


def session() -> NexusSession:
    line = NEXUS.routes(
        [Subscription("book", (SYMBOL,)), Subscription("quotes", (SYMBOL,))], Settings("wss://v.example")
    )[0]
    made = line.session({"client_key": "k"})
    assert isinstance(made, NexusSession)
    made.opened(NOW)
    return made


def items(made: NexusSession, frames: Sequence[str]) -> list[Any]:
    return [item for frame in frames for item in made.receive(frame.encode(), NOW)]


@given(st.lists(FRAME, max_size=6))
@example(['{"event":"BOOK","symbol":"OTHER","timestamp":1,"data":{"asks":5,"bids":[]}}'])
def test_the_same_comes_out_as_if_each_message_was_read_anew(frames: list[str]) -> None:
    quick, plain = session(), session()
    plain._decode = EVENTS.quick
    assert items(quick, frames) == items(plain, frames)


@given(st.lists(SIDE, max_size=6))
def test_a_side_is_what_its_json_says_or_is_left_to_others(sides: list[str]) -> None:
    rows = Rows()
    for side in sides:
        if (found := rows.side(Raw(side.encode()))) is not None:
            assert [(str(level.price), str(level.size)) for level in found] == [
                (str(Decimal(row.price)), str(Decimal(row.quantity))) for row in BOOK_ROWS.decode(side.encode())
            ]
