"""The book of one symbol at Kraken by itself: depths, times, and digits, row by row."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from tests.test_kraken import figure_of
from venues.errors import BadMessage, TooManyLevels
from venues.kraken import messages as wire
from venues.kraken.book import BookFeed
from venues.kraken.feeds import Arrival
from venues.kraken.kept import Newest
from venues.records import Book, Level, Quote
from venues.toolkit.book import MOST_LEVELS
from venues.toolkit.clock import VenueClock
from venues.toolkit.times import PER_MS
from venues.venue import EVERY_LEVEL, Confirmed, Notice, Now, StreamState, Subscription

Rows = Sequence[tuple[str, str]]
BEGIN = 1_790_000_000_000
BOOK, QUOTES = Subscription("book", ("A/B",), depth=10), Subscription("quotes", ("A/B",))


class Fed:
    """A feed and what it is fed with; `asked` counts how often it asked for a new snapshot."""

    def __init__(self, *subscriptions: Subscription) -> None:
        self.newest = Newest(VenueClock())
        self.asked = 0
        self.feed = BookFeed(
            subscriptions or (BOOK,), "A/B", "beta", self.newest, self._again, lambda text: [Notice(text)]
        )

    def _again(self, now: Now) -> None:
        self.asked += 1

    def take(
        self,
        bids: Rows,
        asks: Rows = (),
        *,
        of: tuple[Rows, Rows] | None = None,
        second: int | None = 0,
        snapshot: bool = True,
        believed: bool = True,
    ) -> list[Any]:
        """One message of a second after the beginning; its checksum is that of `of`, or of the rows themselves."""
        sides = ([wire.BookLevel(Decimal(price), Decimal(qty)) for price, qty in rows] for rows in (bids, asks))
        row = wire.Book("A/B", figure_of(*(of or (bids, asks))), *sides)
        sent = None if second is None else BEGIN + second * 1000
        at = Arrival(Now(1.0, BEGIN + 5), sent, believed, 0 if sent is None else sent * PER_MS)
        return self.feed.take([row], at, snapshot=snapshot)

    def says(self, depth: int | None) -> list[Any]:
        """What the venue's word for the depth brings."""
        return self.feed.acknowledged(wire.Result("book", "A/B", depth), Now(1.0, BEGIN))


def rows(count: int, best: int = 100) -> list[tuple[str, str]]:
    """So many bids, the best first."""
    return [(f"{best - n}.0", "1.00") for n in range(count)]


def shown(items: Sequence[Any]) -> list[tuple[int, int]]:
    """How many bids and asks each book has."""
    return [(len(item.bids), len(item.asks)) for item in items if isinstance(item, Book)]


def states(items: Sequence[Any]) -> list[tuple[str, str, str]]:
    return [(item.stream, item.state, item.reason) for item in items if isinstance(item, StreamState)]


# --- the depth


@pytest.mark.parametrize(
    ("asked", "said", "notice"),
    [
        (12, 25, ""),
        (12, 12, ""),
        (12, 11, "kraken gives 11 levels a side of A/B, not 12"),
        (12, 1, "kraken gives 1 levels a side of A/B, not 12"),
        (12, 0, ""),
        (12, -1, ""),
        (12, None, ""),
        (12, 100, ""),
        (5000, 999, "kraken gives 999 levels a side of A/B, not 5000"),
        (5000, 1001, ""),
        (EVERY_LEVEL, 10, ""),
    ],
)
def test_the_depth_that_the_venue_says_holds_if_it_can_be_one(asked: int, said: int | None, notice: str) -> None:
    fed = Fed(Subscription("book", ("A/B",), depth=asked))
    before = fed.feed.settings()["depth"]
    assert [item.text for item in fed.says(said)] == ([notice] if notice else [])
    assert fed.feed.settings() == {"depth": said if said and said > 0 else before}


def test_quotes_need_a_single_level() -> None:
    fed = Fed(QUOTES)
    assert fed.feed.settings() == {"depth": 10}
    assert fed.says(1) == []
    (live, quote) = fed.take(rows(1))
    assert (live.state, quote.bid_price) == ("live", Decimal("100.0"))


def test_the_depth_is_that_of_the_book_of_this_symbol() -> None:
    others = [Subscription("book", ("C/D",), depth=1000), Subscription("trades", ("A/B",), depth=500)]
    assert Fed(*others, Subscription("book", ("C/D", "A/B"), depth=50)).feed.settings() == {"depth": 100}
    assert Fed(*others, QUOTES).feed.settings() == {"depth": 10}


def test_a_larger_depth_counts_only_before_the_snapshot() -> None:
    """What lies beyond the smaller one is not in a snapshot that came before."""
    fed = Fed()
    assert fed.says(25) == []
    assert shown(fed.take(rows(12))) == [(10, 0)]
    gone = fed.take([("100.0", "0")], of=(rows(11, 99), []), snapshot=False, second=1)
    assert shown(gone) == [(10, 0)], "the eleventh is known"
    fed = Fed()
    assert shown(fed.take(rows(10))) == [(10, 0)]
    assert fed.says(25) == []
    assert fed.feed.settings() == {"depth": 10}
    assert shown(fed.take([("101.0", "1.00")], of=(rows(10, 101), []), snapshot=False, second=1)) == [(10, 0)]
    assert shown(fed.take([("101.0", "0")], of=(rows(9), []), snapshot=False, second=2)) == [(9, 0)]


def test_a_smaller_depth_behind_the_snapshot_is_said_and_cuts_what_is_shown() -> None:
    fed = Fed(Subscription("book", ("A/B",), depth=20), QUOTES)
    fed.take(rows(12), rows(1, 200), second=3)
    notice, live, book, also_live, quote = fed.says(10)
    assert notice == Notice("kraken gives 10 levels a side of A/B, not 20")
    assert [(one.stream, one.state) for one in (live, also_live)] == [("book", "live"), ("quotes", "live")]
    assert (len(book.bids), len(book.asks), book.time, book.received) == (10, 1, BEGIN + 3000, BEGIN)
    assert book.extra == {"checksum": figure_of(rows(12), rows(1, 200))}
    assert isinstance(quote, Quote)


# --- times


def test_a_book_is_shown_with_its_time_and_checksum_and_an_equal_one_confirms() -> None:
    fed = Fed()
    live, book = fed.take(rows(2), second=3)
    assert live == StreamState("book", "live", "")
    assert (book.venue, book.env, book.symbol, book.time, book.received) == (
        "kraken", "beta", "A/B", BEGIN + 3000, BEGIN + 5,
    )  # fmt: skip
    assert book.extra == {"checksum": figure_of(rows(2), [])}
    assert fed.take([], of=(rows(2), []), snapshot=False, second=4) == [Confirmed("book", BEGIN + 4000)]


def test_what_is_older_than_what_was_shown_is_waited_for() -> None:
    fed = Fed()
    fed.take(rows(2), second=10)
    old = fed.take(rows(3), second=7)
    words = "the venue sends a book 3.0 s older than the one before; waiting until it is newer"
    assert (states(old), shown(old), fed.feed.ready) == ([("book", "stale", words)], [], False)
    assert fed.feed.again(Now(2.0, BEGIN)) == []
    newer = fed.take([], of=(rows(3), []), snapshot=False, second=10)
    assert (states(newer), shown(newer), fed.feed.ready) == ([("book", "live", "")], [(3, 0)], True)
    assert fed.asked == 0, "the book itself is right"


def test_a_message_without_a_time_is_shown_and_changes_nothing_of_what_is_older() -> None:
    fed = Fed()
    fed.take(rows(2), second=10)
    (book,) = fed.take(rows(3), second=None)
    assert (len(book.bids), book.time) == (3, None)
    assert states(fed.take(rows(2), second=9))[0][1] == "stale"
    assert shown(fed.take(rows(1), second=None)) == [(1, 0)], "it is not known to be older"


def test_a_snapshot_from_before_a_change_that_did_not_fit_is_not_shown() -> None:
    for believed, state in ((True, "stale"), (False, "live")):
        fed = Fed()
        fed.take(rows(2), second=1)
        (stale,) = fed.take([("99.5", "1.00")], snapshot=False, second=5, believed=believed)
        assert (stale.state, fed.asked) == ("stale", 1)
        assert stale.reason.endswith("; the book is subscribed to anew")
        assert [one[1] for one in states(fed.take(rows(2), second=4))] == [state]


def test_a_change_that_did_not_fit_and_is_old_itself_makes_nothing_older() -> None:
    fed = Fed()
    fed.take(rows(2), second=10)
    fed.take([("99.5", "1.00")], snapshot=False, second=5)
    assert fed.newest.older_by((BEGIN + 9_999) * PER_MS) == 1
    assert [one[1] for one in states(fed.take(rows(2), second=10))] == ["live"]


def test_the_book_comes_once_more_as_it_is() -> None:
    fed = Fed()
    assert fed.feed.again(Now(2.0, BEGIN)) == []
    fed.take(rows(2), second=3)
    live, book = fed.feed.again(Now(2.0, BEGIN + 9))
    assert live.state == "live"
    assert (book.time, book.received, book.extra) == (BEGIN + 3000, BEGIN + 9, {"checksum": figure_of(rows(2), [])})
    fed.feed.forget()
    assert fed.feed.again(Now(2.0, BEGIN)) == []


def test_what_was_forgotten_comes_with_the_next_snapshot_and_not_before() -> None:
    fed = Fed()
    fed.take(rows(2))
    fed.feed.forget()
    assert not fed.feed.ready
    assert fed.take([("99.5", "1.00")], snapshot=False, second=1) == []
    again = fed.take(rows(2), second=2)
    assert (states(again), shown(again)) == ([("book", "live", "")], [(2, 0)])


@pytest.mark.parametrize(("stream", "kind"), [("book", Book), ("quotes", Quote)])
def test_it_goes_on_for_one_stream_alone(stream: str, kind: type) -> None:
    fed = Fed(BOOK, QUOTES)
    assert [type(item) for item in fed.take(rows(2))] == [StreamState, Book, StreamState, Quote]
    fed.feed.only({stream})
    assert [type(item) for item in fed.take(rows(2, 101), second=1)] == [kind]
    stale = fed.take([("99.5", "1.00")], snapshot=False, second=2)
    assert [(one[0], one[1]) for one in states(stale)] == [(stream, "stale")]


# --- digits


def test_several_rows_of_a_message_are_taken_in_order() -> None:
    fed = Fed()
    made = [
        wire.Book("A/B", figure_of(rows(n), []), [wire.BookLevel(*map(Decimal, row)) for row in rows(n)])
        for n in (1, 2)
    ]
    at = Arrival(Now(1.0, BEGIN), None, believed=False)
    assert shown(fed.feed.take(made, at, snapshot=True)) == [(1, 0), (2, 0)]


def is_taken(of: tuple[Rows, Rows], bids: Rows, asks: Rows, *decimals: int | None) -> bool:
    """Whether a book is shown whose checksum is of other texts than those that came."""
    fed = Fed()
    if decimals:
        fed.feed.set_decimals(*decimals)
    return bool(shown(fed.take(bids, asks, of=of)))


def test_lost_zeros_are_found_by_the_figure_that_kept_most() -> None:
    assert is_taken(([("1.50", "1.000")], [("2.25", "0.125")]), [("1.5", "1")], [("2.25", "0.125")])
    assert is_taken(([("60", "1.50")], [("70", "2.25")]), [("6E+1", "1.5")], [("7E+1", "2.25")])
    assert is_taken(([("1.50", "60")], [("2.25", "70")]), [("1.5", "6E+1")], [("2.25", "7E+1")])
    assert not is_taken(([("1.50", "1.0")], []), [("1.5", "1")], []), "nothing that came has two decimals"
    assert not is_taken(([("1.5", "1.0")], []), [], [])


def test_lost_zeros_are_filled_up_to_the_decimals_that_the_venue_says() -> None:
    lost: tuple[Rows, Rows] = ([("1.5", "1")], [("2", "0.5")])
    kept: tuple[Rows, Rows] = ([("1.500", "1.0000")], [("2.000", "0.5000")])
    assert is_taken(kept, *lost, 3, 4)
    assert not is_taken(kept, *lost, 4, 3)
    assert not is_taken(kept, *lost)
    assert not is_taken(kept, *lost, 3, None)
    assert not is_taken(kept, *lost, None, 4)


@pytest.mark.parametrize(
    ("price", "size", "holds"), [(40, 40, True), (40, 0, True), (0, 40, True), (41, 40, False), (40, 41, False)]
)
def test_decimals_are_taken_up_to_forty(price: int, size: int, *, holds: bool) -> None:
    def text(decimals: int) -> str:
        return f"2.{'0' * decimals}" if decimals else "2"

    for side in (([(text(price), text(size))], []), ([], [(text(price), text(size))])):
        assert is_taken(side, *([("2", "2")] if rows else [] for rows in side), price, size) is holds


@pytest.mark.parametrize("wrong", [(-1, 8), (8, -1)])
def test_decimals_below_none_are_not_taken(wrong: tuple[int, int]) -> None:
    fed = Fed()
    fed.feed.set_decimals(3, 4)
    fed.feed.set_decimals(*wrong)
    assert shown(fed.take([("2", "2")], of=([("2.000", "2.0000")], [])))


def test_figures_as_they_were_sent_count_whatever_decimals_are_said() -> None:
    mixed: tuple[Rows, Rows] = ([("1.50", "3")], [("2", "1.00")])
    assert is_taken(mixed, *mixed, 3, 4)
    assert is_taken(([("60", "5")], [("70", "4")]), [("60.0", "5.0")], [("70.0", "4.0")], 3, 4)


def test_whole_numbers_that_came_with_a_point_are_whole() -> None:
    assert is_taken(([("60", "5")], [("70", "4")]), [("60.0", "5.0")], [("70.0", "4.0")])
    assert is_taken(([("60", "5.25")], [("70", "4.00")]), [("60.0", "5.25")], [("70.0", "4.0")], 0, 2)


def test_decimals_that_gave_the_checksum_once_hold_for_what_comes() -> None:
    """Also when no figure is left that shows them."""
    fed = Fed()
    assert shown(fed.take([("1.5", "1"), ("1.25", "1.125")], of=([("1.50", "1.000"), ("1.25", "1.125")], [])))
    gone = [("1.25", "0")]
    assert shown(fed.take(gone, of=([("1.50", "1.000")], []), snapshot=False, second=1)) == [(1, 0)]


def test_the_decimals_hold_for_a_new_depth() -> None:
    fed = Fed()
    fed.feed.set_decimals(3, 4)
    fed.says(25)
    assert shown(fed.take([("2", "2")], of=([("2.000", "2.0000")], [])))


def test_the_checksum_is_of_ten_levels_a_side() -> None:
    fed = Fed(Subscription("book", ("A/B",), depth=25))
    bids, asks = rows(12), [(f"{200 + n}.0", "1.00") for n in range(12)]
    assert shown(fed.take(bids, asks, of=(bids[:10], asks[:10]))) == [(12, 12)]
    deep = [("88.0", "7.00")]
    assert shown(fed.take(deep, of=(bids[:10], asks[:10]), snapshot=False, second=1)) == [(13, 12)]
    assert states(fed.take([("91.0", "7.00")], of=(bids[:10], asks[:10]), snapshot=False, second=2))[0][1] == "stale"


def test_a_bad_figure_is_told_with_its_place() -> None:
    good, price, size = (wire.BookLevel(Decimal(p), Decimal(q)) for p, q in (("1", "1"), ("0", "1"), ("1", "-1")))
    at = Arrival(Now(1.0, BEGIN), None, believed=False)
    for side, bad, words in (
        ("bids", price, r"^expected a number above 0 at `data\[1\]\.bids\[2\]\.price`, got 0"),
        ("asks", size, r"^expected a number of at least 0 at `data\[1\]\.asks\[2\]\.qty`, got -1"),
    ):
        made: Any = [wire.Book("A/B", 0), wire.Book("A/B", 0, **{side: [good, good, bad]})]
        with pytest.raises(BadMessage, match=words):
            Fed().feed.take(made, at, snapshot=True)


def test_too_many_levels_are_refused_before_any_is_looked_at() -> None:
    bad = wire.BookLevel(Decimal(-1), Decimal(-1))
    at = Arrival(Now(1.0, BEGIN), None, believed=False)
    with pytest.raises(TooManyLevels):
        Fed().feed.take([wire.Book("A/B", 0, [bad] * (MOST_LEVELS + 1))], at, snapshot=True)


def test_levels_are_those_that_came() -> None:
    (_, book) = Fed().take([("1.50", "1.0")], [("2.5", "0.25")])
    assert (book.bids, book.asks) == (
        [Level(Decimal("1.50"), Decimal("1.0"))],
        [Level(Decimal("2.5"), Decimal("0.25"))],
    )
