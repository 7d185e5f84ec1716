"""The order book against a plain dict, on invented and on real deltas."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tapes import TAPES, tape_lines
from venues.errors import CrossedBook, SequenceGap
from venues.records import Level
from venues.toolkit.book import BookDelta, OrderBook

if TYPE_CHECKING:
    from pathlib import Path


def levels(*pairs: tuple[str, str]) -> list[Level]:
    return [Level(Decimal(price), Decimal(size)) for price, size in pairs]


def plain(rows: list[Level]) -> list[tuple[Decimal, Decimal]]:
    return [(level.price, level.size) for level in rows]


def best_first(side: dict[Decimal, Decimal], *, bids: bool) -> list[tuple[Decimal, Decimal]]:
    return sorted(side.items(), reverse=bids)


BOOK = (levels(("99", "1"), ("98", "2")), levels(("101", "3"), ("102", "4")))


def book_of(sequence: int | None = None, **options: Any) -> OrderBook:
    book = OrderBook(**options)
    book.snapshot(*BOOK, sequence)
    return book


def test_best_first_whatever_the_order_of_rows() -> None:
    book = OrderBook()
    book.snapshot(levels(("98", "2"), ("99", "1")), levels(("102", "4"), ("101", "3")))
    assert plain(book.bids(5)) == plain(BOOK[0])
    assert plain(book.asks(5)) == plain(BOOK[1])


def test_the_last_row_of_a_price_counts() -> None:
    book = OrderBook()
    book.snapshot(levels(("99", "1"), ("99.0", "7")), levels(("101", "3"), ("101", "0")))
    assert plain(book.bids(5)) == [(Decimal("99.0"), Decimal(7))]
    assert str(book.bids(1)[0].price) == "99.0"
    assert book.asks(5) == []
    book.apply(BookDelta(levels(("99", "0"), ("99", "5")), levels(("103", "1"), ("103", "0"))))
    assert plain(book.bids(5)) == [(Decimal(99), Decimal(5))]
    assert book.asks(5) == []


def test_removing_what_is_not_there_is_normal() -> None:
    book = book_of()
    assert book.apply(BookDelta(levels(("50", "0")), levels(("500", "0"))))
    assert (plain(book.bids(5)), plain(book.asks(5))) == (plain(BOOK[0]), plain(BOOK[1]))


def test_deltas_before_the_first_snapshot_change_nothing() -> None:
    book = OrderBook()
    assert not book.apply(BookDelta(levels(("99", "1")), [], 5))
    assert (book.bids(5), book.asks(5), book.sequence) == ([], [], None)


def test_deltas_already_held_change_nothing() -> None:
    book = book_of(10)
    assert not book.apply(BookDelta(levels(("99", "0")), [], 10))
    assert not book.apply(BookDelta(levels(("99", "0")), [], 9))
    assert (book.sequence, plain(book.bids(5))) == (10, plain(BOOK[0]))


def test_a_gap_is_told_and_nothing_is_merged_until_a_new_snapshot() -> None:
    book = book_of(10)
    assert book.apply(BookDelta(levels(("99", "5")), [], 11))
    with pytest.raises(SequenceGap, match="expected sequence 12, got 13"):
        book.apply(BookDelta(levels(("99", "6")), [], 13))
    assert not book.whole
    assert not book.apply(BookDelta(levels(("99", "7")), [], 12))
    book.snapshot(*BOOK, 3)
    assert (book.whole, book.sequence) == (True, 3)


def test_sequences_that_only_grow() -> None:
    book = book_of(10, rule="growing")
    assert book.apply(BookDelta(levels(("99", "5")), [], 20))
    assert not book.apply(BookDelta(levels(("99", "6")), [], 15))
    assert book.sequence == 20


@pytest.mark.parametrize("ask", ["99", "98.5"])
def test_a_crossed_book_is_told(ask: str) -> None:
    book = book_of()
    with pytest.raises(CrossedBook, match="best bid 99 is not below best ask"):
        book.apply(BookDelta([], levels((ask, "1"))))
    assert not book.whole
    with pytest.raises(CrossedBook):
        book.snapshot(levels(("99", "1")), levels((ask, "1")))


def test_a_level_may_cross_and_go_within_one_delta() -> None:
    book = book_of()
    assert book.apply(BookDelta(levels(("101", "1"), ("101", "0")), []))


def test_a_side_that_did_not_change_costs_nothing() -> None:
    book = book_of()
    bids, asks = book.bids(2), book.asks(2)
    book.apply(BookDelta(levels(("99", "5")), levels(("150", "1"))))
    assert book.bids(2) is not bids
    assert book.asks(2) is asks, "a change below the shown levels leaves the view as it is"


PRICES = st.integers(1, 30).map(Decimal)
SIZES = st.sampled_from(["0", "0", "1", "2.5"]).map(Decimal)
ROWS = st.lists(st.tuples(PRICES, SIZES), max_size=8)


@given(start=ROWS, deltas=st.lists(st.tuples(ROWS, ROWS), max_size=12), depth=st.integers(1, 12))
def test_as_a_dict(start: list, deltas: list, depth: int) -> None:
    """Bids below 0 and asks above, so that no invented delta crosses."""
    book = OrderBook()
    bids = {-price: size for price, size in start}
    book.snapshot([Level(price, size) for price, size in bids.items()], [])
    asks: dict[Decimal, Decimal] = {}
    for bid_rows, ask_rows in deltas:
        bids.update({-price: size for price, size in bid_rows})
        asks.update(dict(ask_rows))
        changed = [Level(-price, size) for price, size in bid_rows]
        book.apply(BookDelta(changed, [Level(price, size) for price, size in ask_rows]))
        assert plain(book.bids(depth)) == best_first({p: s for p, s in bids.items() if s}, bids=True)[:depth]
        assert plain(book.asks(depth)) == best_first({p: s for p, s in asks.items() if s}, bids=False)[:depth]


@pytest.mark.parametrize("tape", TAPES, ids=lambda tape: tape.name)
def test_a_real_tape_ends_in_its_book(tape: Path) -> None:
    """Rows shuffled, some twice; compared with a dict after every hundredth line and at the end."""
    chance = random.Random(7)
    book = OrderBook()
    sides: dict[str, dict[Decimal, Decimal]] = {"bids": {}, "asks": {}}
    for number, line in enumerate(tape_lines(tape)):
        if line["kind"] not in ("snapshot", "delta"):
            continue
        rows = {side: levels(*line[side]) for side in sides}
        if line["kind"] == "snapshot":
            sides = {side: {} for side in sides}
        for side, held in sides.items():
            held.update({level.price: level.size for level in rows[side]})
            for price in [price for price, size in held.items() if not size]:
                del held[price]
            rows[side] += chance.sample(rows[side], len(rows[side]) // 3)
            chance.shuffle(rows[side])
        if line["kind"] == "snapshot":
            book.snapshot(rows["bids"], rows["asks"])
        else:
            book.apply(BookDelta(rows["bids"], rows["asks"], line.get("seq")))
        if number % 100 == 0:
            assert plain(book.bids(20)) == best_first(sides["bids"], bids=True)[:20]
            assert plain(book.asks(20)) == best_first(sides["asks"], bids=False)[:20]
    assert plain(book.bids(100_000)) == best_first(sides["bids"], bids=True)
    assert plain(book.asks(100_000)) == best_first(sides["asks"], bids=False)
