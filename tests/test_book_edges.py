"""An order book at its edges: each rule's next sequence, what crosses, what is too much, and what is undone."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.test_book import BOOK, book_of, levels, plain
from venues.errors import BadMessage, ChecksumMismatch, CrossedBook, SequenceGap, TooManyLevels
from venues.records import Level
from venues.toolkit import book as books
from venues.toolkit.book import BookDelta, OrderBook, levels_of, refuse_too_many
from venues.toolkit.checksum import Checksum


def change(sequence: int | None, previous: int | None = None) -> BookDelta:
    return BookDelta(levels(("99", "5")), [], sequence, previous)


@pytest.mark.parametrize(
    ("rule", "sequence", "previous", "outcome"),
    [
        ("contiguous", 11, None, True),
        ("contiguous", 10, None, False),
        ("contiguous", 9, None, False),
        ("contiguous", 12, None, "expected sequence 11, got 12"),
        ("contiguous", 11, 10, True),
        ("contiguous", 15, 10, True),
        ("contiguous", 15, 9, True),
        ("contiguous", 10, 9, False),
        ("contiguous", 12, 11, "expected sequence 11, got 12"),
        ("contiguous", 15, 12, "expected sequence 11, got 13 to 15"),
        ("contiguous", None, None, True),
        ("growing", 11, None, True),
        ("growing", 500, None, True),
        ("growing", 10, None, False),
        ("growing", 9, 10, False),
        ("growing", None, None, True),
        ("chained", 11, 10, True),
        ("chained", 10, 10, True),
        ("chained", 9, 10, True),
        ("chained", 10, 9, False),
        ("chained", 9, 8, False),
        ("chained", 11, 9, "expected a change after 10, got 11 after 9"),
        ("chained", 11, None, "expected a change after 10, got 11 after none"),
        ("chained", 9, None, "expected a change after 10, got 9 after none"),
        ("chained", None, None, "expected a sequence after 10, got none"),
        (None, 9, None, True),
        (None, 10, 3, True),
        (None, None, None, True),
    ],
)
def test_what_follows_on_the_sequence_held(rule: Any, sequence: int | None, previous: int | None, outcome: Any) -> None:
    book = book_of(10, rule=rule)
    if isinstance(outcome, str):
        with pytest.raises(SequenceGap) as gap:
            book.apply(change(sequence, previous))
        assert (str(gap.value), book.whole, book.sequence) == (outcome, False, 10)
        assert book.apply(change(11, 10)) is False, "a new snapshot is needed"
        return
    assert book.apply(change(sequence, previous)) is outcome
    assert book.whole
    assert book.sequence == (sequence if outcome and sequence is not None else 10)
    best = book.best_bid()
    assert best == Level(Decimal(99), Decimal(5 if outcome else 1))


@pytest.mark.parametrize("rule", ["contiguous", "growing", None])
def test_without_a_sequence_held_any_first_one_follows(rule: Any) -> None:
    book = book_of(None, rule=rule)
    assert book.apply(change(500, 3))
    assert book.sequence == 500


@pytest.mark.parametrize(
    ("bid", "ask", "words"),
    [
        ("100", "100.1", ""),
        ("100", "100.0", "crossed book: best bid 100 is not below best ask 100.0"),
        ("101", "1E+2", "crossed book: best bid 101 is not below best ask 100"),
    ],
)
def test_a_bid_is_below_the_ask(bid: str, ask: str, words: str) -> None:
    book = OrderBook()
    sides = levels((bid, "1"), ("5", "1")), levels((ask, "1"), ("500", "1"))
    if not words:
        book.snapshot(*sides, 7)
        assert book.whole
        return
    with pytest.raises(CrossedBook) as crossed:
        book.snapshot(*sides, 7)
    assert (str(crossed.value), book.whole) == (words, False)
    book = book_of(6)
    with pytest.raises(CrossedBook) as crossed:
        book.apply(BookDelta(sides[0], [*sides[1], *levels(("101", "0"), ("102", "0"))], 7))
    assert (str(crossed.value), book.whole) == (words, False)


@pytest.mark.parametrize("side", [0, 1])
def test_a_book_with_one_side_crosses_nothing(side: int) -> None:
    book = OrderBook()
    book.snapshot(BOOK[0] if side == 0 else [], BOOK[1] if side == 1 else [])
    assert (book.best_bid(), book.best_ask()) == ((BOOK[0][0], None) if side == 0 else (None, BOOK[1][0]))
    assert (plain(book.bids(9)), plain(book.asks(9))) == ((plain(BOOK[0]), []) if side == 0 else ([], plain(BOOK[1])))


def test_without_a_depth_so_many_levels_are_a_book_and_more_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(books, "MOST_LEVELS", 2)
    book = book_of(1)
    assert book.whole
    for side in range(2):
        book = book_of(1)
        more = levels(("50" if side == 0 else "500", "1"))
        with pytest.raises(TooManyLevels) as refused:
            book.apply(BookDelta(more if side == 0 else [], more if side == 1 else [], 2))
        assert str(refused.value) == "more than 2 levels on a side of the book"
        assert (book.whole, book.bids(9), book.asks(9)) == (False, [], [])
    refuse_too_many(2)
    with pytest.raises(TooManyLevels):
        refuse_too_many(3)


def test_a_depth_is_kept_on_each_side() -> None:
    book = OrderBook(depth=1)
    book.snapshot(*BOOK)
    assert (plain(book.bids(9)), plain(book.asks(9))) == (plain(BOOK[0][:1]), plain(BOOK[1][:1]))
    book.apply(BookDelta([], levels(("100", "1"))))
    assert (plain(book.bids(9)), plain(book.asks(9))) == (plain(BOOK[0][:1]), plain(levels(("100", "1"))))


@pytest.mark.parametrize(("depth", "words"), [(0, "got 0"), (-1, "got -1")])
def test_a_depth_below_one_is_none(depth: int, words: str) -> None:
    with pytest.raises(ValueError, match=f"^expected a depth of at least 1, {words}$"):
        OrderBook(depth=depth)


def count(bids: Any, asks: Any) -> int:
    return 10 * len(bids) + len(asks)


@pytest.mark.parametrize(
    ("checksum", "figure", "words"),
    [
        (Checksum(1, count), 11, ""),
        (Checksum(5, count), 22, ""),
        (Checksum(5, count), 21, "expected checksum 21, got 22 from the book here"),
        (Checksum(5, count, lambda bids, asks: 7), 7, ""),
        (Checksum(5, count, lambda bids, asks: 7), 22, ""),
        (Checksum(5, count, lambda bids, asks: 7), 8, "expected checksum 8, got 22 from the book here"),
        (None, 8, ""),
    ],
)
def test_a_figure_proves_the_best_levels(checksum: Checksum | None, figure: int, words: str) -> None:
    for how in ("snapshot", "delta", "check"):
        book = OrderBook(checksum=checksum)
        book.snapshot(*BOOK, 1, None, figure) if how == "snapshot" and not words else book.snapshot(*BOOK, 1)
        asked = {
            "snapshot": lambda book=book: book.snapshot(*BOOK, 1, None, figure),
            "delta": lambda book=book: book.apply(BookDelta([], [], 2, None, figure)),
            "check": lambda book=book: book.check(figure),
        }[how]
        if words:
            with pytest.raises(ChecksumMismatch) as mismatch:
                asked()
            assert str(mismatch.value) == words
        else:
            asked()
        assert book.whole is not bool(words)


def test_a_book_that_is_not_whole_is_not_compared() -> None:
    book = OrderBook(checksum=Checksum(5, count))
    book.check(8)
    book.snapshot(*BOOK)
    book.distrust()
    book.check(22)
    assert not book.whole


def test_a_copy_goes_its_own_way_and_has_the_same_sizes_until_then() -> None:
    book = book_of(7, depth=5)
    other = book.copy()
    assert (other.sequence, other.whole, other.depth, other.rule) == (7, True, 5, "contiguous")
    assert book.has_same_sizes(other)
    other.apply(BookDelta([], levels(("101", "9")), 8))
    assert (book.has_same_sizes(other), other.has_same_sizes(book), book.sequence) == (False, False, 7)
    other.apply(BookDelta(levels(("99", "9")), levels(("101", "3")), 9))
    assert not book.has_same_sizes(other), "the bids differ"
    assert plain(book.bids(5)) == plain(BOOK[0])


def test_a_delta_is_undone_with_what_it_pushed_out() -> None:
    book = book_of(7, depth=2)
    before = plain(book.bids(9)), plain(book.asks(9))
    delta = BookDelta(levels(("99.5", "1"), ("99", "0")), levels(("100", "1")), 8)
    undoing = book.undoing(delta)
    assert book.apply(delta)
    assert (plain(book.bids(9)), plain(book.asks(9))) != before
    book.undo(undoing)
    assert (plain(book.bids(2)), plain(book.asks(2)), book.sequence) == (*before, 7)


@pytest.mark.parametrize(
    ("bids", "asks", "held"),
    [
        ([], [], True),
        ([("99", "1")], [("101", "3")], True),
        ([("99.0", "1.0")], [], True),
        ([("99", "2")], [], False),
        ([], [("101", "2")], False),
        ([("97", "0")], [], True),
        ([("97", "1")], [], None),
        ([], [("103", "1")], None),
        ([("98.5", "1")], [], False),
    ],
)
def test_whether_a_delta_is_held(bids: Any, asks: Any, held: bool | None) -> None:
    """None: only where the book ends before it."""
    delta = BookDelta(levels(*bids), levels(*asks))
    assert book_of(depth=2).holds(delta) is (held is not False)
    assert book_of(depth=3).holds(delta) is bool(held)
    assert book_of().holds(delta) is bool(held)


def test_the_same_view_is_given_until_something_in_it_changes() -> None:
    book = book_of(1)
    bids, asks = book.views(1)
    assert (plain(bids), plain(asks)) == (plain(BOOK[0][:1]), plain(BOOK[1][:1]))
    book.apply(BookDelta(levels(("50", "1")), levels(("101", "9")), 2))
    assert book.views(1)[0] is bids
    assert plain(book.views(1)[1]) == plain(levels(("101", "9")))
    assert [len(side) for side in book.views(2)] == [2, 2]
    assert [len(side) for side in book.views(9)] == [3, 2]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([("1", "1"), ("0", "1")], 'expected a number above 0 at `b[1].price`, got "0"'),
        ([("1", "-1")], 'expected a number of at least 0 at `b[0].size`, got "-1"'),
        ([("1", "1"), ("1", "1"), ([], "1")], "expected a number at `b[2].price`, got []"),
        ([("x", "y")], 'expected a decimal number in a text at `b[0].price`, got "x"'),
    ],
)
def test_a_row_that_is_no_level_names_its_place(rows: Any, words: str) -> None:
    with pytest.raises(BadMessage) as refused:
        levels_of(rows, "b")
    assert str(refused.value) == words


def test_rows_are_levels_also_of_size_zero() -> None:
    rows = levels_of([("1.50", "0"), (Decimal(2), 3)], "b")
    assert rows == [Level(Decimal("1.50"), Decimal(0)), Level(Decimal(2), Decimal(3))]
    assert levels_of([], "b") == []
