"""A side of the book against a plain dictionary, with blocks so small that they are cut and joined all the time."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from venues.errors import CrossedBook
from venues.records import Level
from venues.toolkit import book_side
from venues.toolkit.book import BookDelta, OrderBook
from venues.toolkit.book_side import BookSide

PRICES = st.integers(1, 60).map(lambda number: Decimal(number) / 4)
CHANGES = st.lists(st.builds(Level, PRICES, st.sampled_from([Decimal(0), Decimal(1), Decimal(2)])), max_size=40)
DEPTHS = st.integers(0, 70)


@pytest.fixture(autouse=True, scope="module")
def small_blocks() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(book_side, "MOST_IN_A_BLOCK", 6)
        patch.setattr(book_side, "LEAST_IN_A_BLOCK", 2)
        yield


def check(side: BookSide, held: dict[Decimal, Level], depth: int, *, descending: bool) -> None:
    """That a side is the same as a dictionary, and in order within."""
    best = [held[price] for price in sorted(held, reverse=descending)]
    assert side.count == len(held)
    assert side.best(depth) == best[:depth]
    assert sorted(side.worst(depth), key=best.index) == best[max(0, len(best) - depth) :]
    assert all(side.prices) or side.prices == [[]]
    assert [[level.price for level in block] for block in side.levels] == side.prices
    assert [price for block in side.prices for price in block] == sorted(held)
    assert max(map(len, side.prices)) <= book_side.MOST_IN_A_BLOCK


@given(
    first=CHANGES, later=st.lists(st.tuples(CHANGES, DEPTHS, st.none() | DEPTHS), max_size=8), descending=st.booleans()
)
def test_it_holds_what_a_dictionary_holds(
    first: list[Level], later: list[tuple[list[Level], int, int | None]], descending: bool
) -> None:
    side = BookSide(descending=descending)
    side.replace(first)
    held = {level.price: level for level in first}
    held = {price: level for price, level in held.items() if level.size}
    check(side, held, 5, descending=descending)
    for changes, depth, cut in later:
        before = side.view(depth)
        shown = list(before)
        expected_held = [held.get(one.price, Level(one.price, Decimal(0))) for one in changes]
        assert side.held(changes) == expected_held
        copy = side.copy()
        side.merge(changes)
        for level in changes:
            held[level.price] = level
        held = {price: level for price, level in held.items() if level.size}
        if cut is not None:
            side.cut(cut)
            kept = sorted(held, reverse=descending)[:cut]
            held = {price: held[price] for price in kept}
        check(side, held, depth, descending=descending)
        assert before == shown, "a view that was given away is never changed"
        assert side.view(depth) == side.best(depth)
        assert copy.view(depth) == shown
        assert side.has_same_sizes(copy) == (side.best(100) == copy.best(100))


def test_a_view_stays_the_same_list_while_none_of_its_levels_changes() -> None:
    for descending in (False, True):
        side = BookSide(descending=descending)
        side.replace([Level(Decimal(price), Decimal(1)) for price in range(1, 31)])
        best, worst, edge = (30, 1, 21) if descending else (1, 30, 10)
        view = side.view(10)
        side.merge([Level(Decimal(worst), Decimal(5)), Level(Decimal(99), Decimal(0))])
        assert side.view(10) is view
        for price in (best, edge):
            before = side.view(10)
            side.merge([Level(Decimal(price), Decimal(7))])
            assert side.view(10) is not before
        few = side.view(40)
        side.merge([Level(Decimal(worst), Decimal(0))])
        assert side.view(40) is not few, "of a view with room every change is seen"


def test_a_million_changes_at_one_place_leave_few_blocks() -> None:
    side = BookSide(descending=False)
    for start in range(0, 2_000, 20):
        side.merge([Level(Decimal(price), Decimal(1)) for price in range(start + 1, start + 21)])
        side.merge([Level(Decimal(price), Decimal(0)) for price in range(start - 10, start + 1)])
    assert len(side.prices) <= side.count
    side.merge([Level(Decimal(price), Decimal(0)) for price in range(1, 2_020)])
    assert side.prices == [[]]


def test_a_block_is_joined_to_its_neighbour_when_it_has_less_than_the_least_and_cut_when_it_has_more_than_most() -> (
    None
):
    side = BookSide(descending=False)
    side.replace([Level(Decimal(price), Decimal(1)) for price in range(1, 10)])

    def after(price: int, size: int) -> list[list[int]]:
        side.merge([Level(Decimal(price), Decimal(size))])
        return [[int(price) for price in block] for block in side.prices]

    assert after(6, 0) == [[1, 2, 3], [4, 5], [7, 8, 9]], "two are enough"
    assert after(5, 0) == [[1, 2, 3, 4], [7, 8, 9]]
    assert after(5, 1) == [[1, 2, 3, 4, 5], [7, 8, 9]]
    assert after(6, 1) == [[1, 2, 3, 4, 5, 6], [7, 8, 9]], "six are not too many"
    assert after(0, 1) == [[0, 1, 2], [3, 4, 5, 6], [7, 8, 9]]
    assert after(1, 0) == [[0, 2], [3, 4, 5, 6], [7, 8, 9]]
    assert after(0, 0) == [[2, 3, 4, 5, 6], [7, 8, 9]], "the first takes the second one in"


def test_one_change_joins_the_last_two_blocks_and_cuts_what_has_become_of_them() -> None:
    side = BookSide(descending=False)
    side.replace([Level(Decimal(price), Decimal(1)) for price in range(10, 80, 10)])
    side.merge([Level(Decimal(70), Decimal(0))])
    assert [len(block) for block in side.prices] == [3, 3]
    gone = [Level(Decimal(price), Decimal(0)) for price in (60, 50)]
    side.merge([*gone, *(Level(Decimal(price), Decimal(1)) for price in (51, 52, 53))])
    assert [[int(price) for price in block] for block in side.prices] == [[10, 20, 30], [40, 51, 52, 53]]
    assert [level.price for level in side.best(7)] == [10, 20, 30, 40, 51, 52, 53]


@pytest.mark.parametrize(("count", "blocks"), [(0, [0]), (1, [1]), (6, [6]), (7, [3, 3, 1]), (9, [3, 3, 3])])
def test_many_levels_are_cut_into_half_full_blocks(count: int, blocks: list[int]) -> None:
    side = BookSide(descending=True)
    side.replace([Level(Decimal(price), Decimal(1)) for price in range(count, 0, -1)])
    assert [len(block) for block in side.prices] == blocks


def test_a_joined_block_that_has_too_many_is_cut_again() -> None:
    side = BookSide(descending=False)
    side.replace([Level(Decimal(price), Decimal(1)) for price in range(10, 100, 10)])
    side.merge([Level(Decimal(price), Decimal(1)) for price in (11, 12, 13)])
    assert [len(block) for block in side.prices] == [6, 3, 3]
    side.merge([Level(Decimal(price), Decimal(0)) for price in (40, 50)])
    assert [[int(price) for price in block] for block in side.prices] == [[10, 11, 12], [13, 20, 30, 60], [70, 80, 90]]


def test_a_view_stays_while_nothing_of_it_is_cut_off() -> None:
    for descending in (False, True):
        side = BookSide(descending=descending)
        side.replace([Level(Decimal(price), Decimal(1)) for price in range(1, 11)])
        view = side.view(5)
        side.cut(5)
        assert (side.view(5) is view, side.count) == (True, 5)
        side.cut(4)
        assert (side.view(5) is view, side.count) == (False, 4)


@pytest.mark.parametrize(("bid", "ask"), [(20, 20), (20, 19), (12, 9), (21, 21)])
def test_a_book_of_many_blocks_is_crossed_where_its_best_prices_meet(bid: int, ask: int) -> None:
    book = OrderBook()
    bids = [Level(Decimal(price), Decimal(1)) for price in range(1, 21)]
    asks = [Level(Decimal(price), Decimal(1)) for price in range(21, 41)]
    book.snapshot(bids, asks)
    changes = BookDelta([Level(Decimal(bid), Decimal(2))], [Level(Decimal(ask), Decimal(2))])
    best = (max(20, bid), min(21, ask))
    with pytest.raises(CrossedBook, match=f"best bid {best[0]} is not below best ask {best[1]}"):
        book.apply(changes)
    assert not book.whole


@pytest.mark.parametrize(("price", "descending", "holds"), [("0.5", True, True), ("5.5", True, False),
                                                            ("9.5", False, True), ("5.5", False, False)])  # fmt: skip
def test_of_many_blocks_only_what_is_worse_than_all_is_beyond_the_depth(
    price: str, descending: bool, holds: bool
) -> None:
    side = BookSide(descending=descending)
    side.replace([Level(Decimal(number), Decimal(1)) for number in range(1, 10)])
    assert len(side.prices) == 3
    assert side.holds([Level(Decimal(price), Decimal(1))], 9) is holds
    assert not side.holds([Level(Decimal(price), Decimal(1))], 10), "there is room for one more"
    assert side.holds([Level(Decimal(price), Decimal(0))], 10)
