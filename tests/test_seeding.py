"""Books that HTTP seeds: against a venue whose snapshots lag, fail and hurry, and whose socket loses and repeats."""

from __future__ import annotations

import json
import random
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.tapes import TAPES, tape_lines
from tests.test_book import best_first, levels, plain
from venues.errors import BadMessage
from venues.records import Book, Level
from venues.toolkit import seeding
from venues.toolkit.book import BookDelta, OrderBook
from venues.toolkit.resync import BookKeeper
from venues.toolkit.seeding import Seed, SeededBook, SeededBooks
from venues.venue import Confirmed, Fetch, HttpRequest, HttpResponse, NoResponse, Now, StreamState, Subscription

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from venues.toolkit.book import Rule
    from venues.venue import Item

START = 1_000.0
REQUEST = HttpRequest("GET", "https://nowhere/book?symbol=A", "https://nowhere/book?symbol=A")
BIDS, ASKS = levels(("99", "1"), ("98", "2")), levels(("101", "3"), ("102", "4"))


def at(seconds: float) -> Now:
    """So many seconds after the acknowledgement."""
    return Now(START + seconds, 1_790_000_000_000 + round(seconds * 1000))


def read(answer: HttpResponse) -> Seed:
    """The tests' venue says what it has as lists of texts."""
    body = msgspec.json.decode(answer.body)
    if not body["success"]:
        raise BadMessage(f"the venue says: {body['message']}")
    return Seed(levels(*body["bids"]), levels(*body["asks"]), body["sequence"], body["sequence"])


def answer(bids: Sequence[Level], asks: Sequence[Level], sequence: int) -> HttpResponse:
    sides = {
        name: [(str(level.price), str(level.size)) for level in side] for name, side in (("bids", bids), ("asks", asks))
    }
    return HttpResponse(200, json.dumps({"success": True, "sequence": sequence, **sides}).encode())


def seeded(rule: Rule | None = "chained", symbol: str = "A", **options: Any) -> SeededBook:
    keeper = BookKeeper(
        OrderBook(rule=rule),
        [Subscription("book", (symbol,), depth=100)],
        venue="nowhere",
        symbol=symbol,
        extra={"rpi": False},
    )
    return SeededBook(keeper, REQUEST, read, **options)


def begun(rule: Rule = "chained", **options: Any) -> SeededBook:
    book = seeded(rule, **options)
    assert book.begin(at(-0.1)) == [StreamState("book", "syncing")]
    assert book.acknowledged(at(0)) == []
    return book


def asked(book: SeededBook | SeededBooks, seconds: float) -> str:
    """The id of the request that is made at that time."""
    assert book.deadline() is not None
    assert book.tick(at(seconds)) == []
    (fetch,) = book.take()
    assert isinstance(fetch, Fetch)
    assert fetch.request == REQUEST
    return fetch.id


def change(sequence: int, previous: int | None, size: str = "5", price: str = "99") -> BookDelta:
    return BookDelta(levels((price, size)), [], sequence, previous)


def shown(items: list[Item]) -> tuple[str, int | None]:
    """The size of the best bid and the sequence of the book that has become live."""
    live, book = items
    assert live == StreamState("book", "live")
    assert isinstance(book, Book)
    return str(book.bids[0].size), book.sequence


def reason(items: list[Item], state: str = "syncing") -> str:
    (item,) = items
    assert isinstance(item, StreamState)
    assert item.state == state
    return item.reason


# --- when a snapshot fits


def test_a_snapshot_that_a_kept_change_follows_on() -> None:
    book = begun()
    assert book.change(change(110, 100, "5"), at(0.1), time=110) == []
    assert book.change(change(120, 110, "6"), at(0.2), time=120) == []
    assert book.change(change(130, 120, "7"), at(0.3), time=130) == []
    request = asked(book, 0.3)
    items = book.fetched(request, answer(BIDS, ASKS, 110), at(0.5))
    assert shown(items) == ("7", 130)
    assert isinstance(items[1], Book)
    assert (items[1].time, items[1].asks, items[1].extra) == (130, ASKS, {"rpi": False})
    assert book.live
    assert book.deadline() is None
    assert isinstance(book.change(change(140, 130, "8"), at(1))[0], Book)
    assert book.change(change(150, 140, "8"), at(1), time=150) == [Confirmed("book", 150)]


def test_a_snapshot_that_is_as_new_as_the_newest_change() -> None:
    book = begun()
    book.change(change(110, 100, "5"), at(0.1))
    items = book.fetched(asked(book, 0.1), answer(BIDS, ASKS, 110), at(0.5))
    assert shown(items) == ("1", 110)
    assert isinstance(items[1], Book)
    assert (items[1].time, items[1].extra) == (110, {"rpi": False})


def test_changes_that_come_before_the_acknowledgement_count() -> None:
    book = seeded()
    book.begin(at(-1))
    book.change(change(110, 100), at(-0.5))
    assert book.deadline() is None, "nothing is asked for before it is known that changes come"
    book.acknowledged(at(0))
    assert shown(book.fetched(asked(book, 0), answer(BIDS, ASKS, 100), at(0.5))) == ("5", 110)


def test_a_snapshot_behind_the_changes_is_asked_for_again() -> None:
    book = begun()
    book.change(change(30_110, 30_100), at(0.1))
    items = book.fetched(asked(book, 0.1), answer(BIDS, ASKS, 100), at(0.5))
    assert reason(items) == "the snapshot is behind the changes by 30.0 s (1 try so far)"
    assert book.deadline() == START + 1.1
    items = book.fetched(asked(book, 1.1), answer(BIDS, ASKS, 20_100), at(1.2))
    assert reason(items) == "the snapshot is behind the changes by 10.0 s (2 tries so far)"
    assert shown(book.fetched(asked(book, 9), answer(BIDS, ASKS, 30_100), at(9.1))) == ("5", 30_110)
    assert book.tries == 0


def test_a_snapshot_ahead_of_the_changes_is_held_until_they_come_up_to_it() -> None:
    book = begun()
    book.change(change(110, 100), at(0.1))
    items = book.fetched(asked(book, 0.1), answer(BIDS, ASKS, 130), at(0.5))
    assert reason(items) == "the snapshot is ahead of the changes (1 try so far)"
    assert book.change(change(120, 110), at(0.6)) == []
    assert shown(book.change(change(130, 120, "9"), at(0.7))) == ("1", 130)


def test_a_snapshot_between_two_changes_of_a_chain_does_not_fit() -> None:
    book = begun()
    book.change(change(110, 100), at(0.1))
    book.change(change(120, 110), at(0.1))
    assert "does not" not in reason(book.fetched(asked(book, 0.1), answer(BIDS, ASKS, 115), at(0.5)))
    assert not book.live


def test_changes_of_one_time_all_count() -> None:
    book = begun()
    book.change(change(110, 100, "5"), at(0.1))
    book.change(change(110, 110, "6"), at(0.1))
    assert shown(book.fetched(asked(book, 0.1), answer(BIDS, ASKS, 110), at(0.5))) == ("6", 110)


@pytest.mark.parametrize(
    ("sequence", "expected"), [(100, "6"), (105, "6"), (110, "6"), (115, "6"), (120, "1"), (99, None), (121, None)]
)
def test_where_a_contiguous_snapshot_fits(sequence: int, expected: str | None) -> None:
    """Changes 101 to 110 and 111 to 120: the snapshot may lie within one."""
    book = begun("contiguous")
    book.change(change(110, 100, "5"), at(0.1))
    book.change(change(120, 110, "6"), at(0.1))
    items = book.fetched(asked(book, 0.1), answer(BIDS, ASKS, sequence), at(0.5))
    if expected is None:
        assert not book.live
        assert reason(items)
    else:
        assert shown(items) == (expected, 120)


def test_contiguous_changes_of_one_sequence_each() -> None:
    book = begun("contiguous")
    for sequence in (11, 12, 13):
        book.change(change(sequence, None, str(sequence)), at(0.1))
    assert shown(book.fetched(asked(book, 0.1), answer(BIDS, ASKS, 11), at(0.5))) == ("13", 13)


@pytest.mark.parametrize("rule", [None, "growing"])
def test_other_rules_cannot_place_a_snapshot(rule: Rule | None) -> None:
    with pytest.raises(ValueError, match="expected a chained or contiguous book"):
        seeded(rule)


# --- a quiet market


def test_without_any_change_a_snapshot_counts_after_a_while() -> None:
    book = begun()
    items = book.fetched(asked(book, 0), answer(BIDS, ASKS, 100), at(0.2))
    assert reason(items) == (
        "no change has come yet; a snapshot may be old, and counts after 60 s without one (1 try so far)"
    )
    assert book.deadline() == START + 60, "until then another one would be of no more use"
    assert shown(book.fetched(asked(book, 60), answer(BIDS, ASKS, 100), at(60.2))) == ("1", 100)


def test_a_snapshot_asked_for_too_early_does_not_count_however_late_it_comes() -> None:
    book = begun(quiet_after=10)
    request = asked(book, 9.9)
    assert reason(book.fetched(request, answer(BIDS, ASKS, 100), at(30)))
    assert not book.live
    assert shown(book.fetched(asked(book, 30), answer(BIDS, ASKS, 100), at(31))) == ("1", 100)


def test_a_quiet_market_that_wakes_up_is_seeded_by_the_snapshot_that_is_held() -> None:
    book = begun()
    book.fetched(asked(book, 0), answer(BIDS, ASKS, 100), at(0.2))
    assert shown(book.change(change(110, 100, "5"), at(20))) == ("5", 110)


def test_a_quiet_market_whose_snapshot_was_old_is_asked_again_at_once() -> None:
    book = begun()
    book.fetched(asked(book, 0), answer(BIDS, ASKS, 100), at(0.2))
    assert book.change(change(110, 105, "5"), at(20)) == []
    deadline = book.deadline()
    assert deadline is not None
    assert deadline <= START + 20
    assert shown(book.fetched(asked(book, 20), answer(BIDS, ASKS, 110), at(20.1))) == ("1", 110)


def test_a_change_that_could_not_be_read_is_a_change() -> None:
    """The snapshot may be from before it, so the quiet time begins anew."""
    book = begun()
    book.fetched(asked(book, 0), answer(BIDS, ASKS, 100), at(0.2))
    assert reason(book.doubt("bad frame: no levels", at(50)), "stale").startswith("bad frame: no levels; a new")
    items = book.fetched(asked(book, 61), answer(BIDS, ASKS, 100), at(61))
    assert not book.live
    assert reason(items)
    assert book.deadline() == START + 110
    assert shown(book.fetched(asked(book, 110), answer(BIDS, ASKS, 100), at(110))) == ("1", 100)


def test_requests_at_the_end_of_the_quiet_time_are_paced_too() -> None:
    book = begun(quiet_after=10)
    book.fetched(asked(book, 9.95), answer(BIDS, ASKS, 100), at(9.96))
    deadline = book.deadline()
    assert deadline is not None
    assert deadline >= START + 10.95


# --- gaps


def live_book(rule: Rule = "chained") -> SeededBook:
    book = begun(rule)
    book.change(change(110, 100, "5"), at(0.1))
    book.fetched(asked(book, 0.1), answer(BIDS, ASKS, 110), at(0.5))
    assert book.live
    return book


@pytest.mark.parametrize("rule", ["chained", "contiguous"])
def test_a_gap_is_stale_and_seeded_anew_from_the_change_that_showed_it(rule: Rule) -> None:
    book = live_book(rule)
    items = book.change(change(130, 120, "7"), at(2))
    assert reason(items, "stale").endswith("; a new snapshot is asked for")
    assert book.change(change(140, 130, "8"), at(2.1)) == []
    assert reason(book.fetched(asked(book, 2.1), answer(BIDS, ASKS, 110), at(2.2))).startswith("the snapshot is behind")
    assert shown(book.fetched(asked(book, 5), answer(BIDS, ASKS, 120), at(5.2))) == ("8", 140)


def test_a_gap_among_the_kept_changes_drops_those_before_it() -> None:
    book = begun()
    book.change(change(110, 100), at(0.1))
    book.change(change(130, 120), at(0.2))
    assert reason(book.fetched(asked(book, 0.2), answer(BIDS, ASKS, 100), at(0.3))).startswith("the snapshot is behind")
    assert shown(book.fetched(asked(book, 1.2), answer(BIDS, ASKS, 120), at(1.3))) == ("5", 130)


def test_repeated_changes_are_kept_once() -> None:
    book = begun()
    for one in (change(110, 100), change(120, 110), change(120, 110), change(110, 100)):
        book.change(one, at(0.1))
    assert shown(book.fetched(asked(book, 0.2), answer(BIDS, ASKS, 100), at(0.3))) == ("5", 120)
    assert book.change(change(120, 110), at(1)) == []
    assert book.live


def test_an_answer_from_before_a_gap_does_not_count() -> None:
    book = begun()
    request = asked(book, 0)
    book.change(change(110, 100), at(0.1))
    book.doubt("bad frame", at(0.2))
    assert book.fetched(request, answer(BIDS, ASKS, 110), at(0.3)) == []
    assert book.fetched("seed B 1", answer(BIDS, ASKS, 110), at(0.3)) == []
    assert asked(book, 1) != request


def test_an_answer_is_awaited_for_a_while_and_a_later_one_does_not_count() -> None:
    book = begun()
    book.change(change(110, 100), at(0.1))
    request = asked(book, 0.1)
    assert book.deadline() == START + 60.1
    assert reason(book.tick(at(60.1))) == "no snapshot came: no answer within 60 s (1 try so far)"
    assert book.fetched(request, answer(BIDS, ASKS, 110), at(60.2)) == []
    assert asked(book, 61.1) != request


@pytest.mark.parametrize("rule", ["chained", "contiguous"])
def test_a_change_that_does_not_say_where_it_belongs(rule: Rule) -> None:
    for book in (live_book(rule), begun(rule)):
        assert reason(book.change(BookDelta([], [], None, None), at(3)), "stale").startswith("expected of each change")
        assert not book.live


def test_a_snapshot_that_crosses_with_the_changes_is_a_failed_try() -> None:
    book = begun()
    book.change(change(110, 100, "5", price="101.5"), at(0.1))
    items = book.fetched(asked(book, 0.1), answer(BIDS, ASKS, 100), at(0.2))
    assert reason(items).startswith("the snapshot does not fit the changes: crossed book")
    assert shown(book.fetched(asked(book, 1.1), answer(BIDS, ASKS, 110), at(1.2))) == ("1", 110)


# --- failed requests and pacing


@pytest.mark.parametrize(
    ("response", "words"),
    [
        (NoResponse("no answer within 10 s"), "no answer within 10 s"),
        (HttpResponse(500, b""), "HTTP 500"),
        (
            HttpResponse(400, b'{"success":false,\n "message":"invalid symbol"}'),
            'HTTP 400: {"success":false, "message"',
        ),
        (HttpResponse(200, b'{"success":false,"message":"no upstream"}'), "the venue says: no upstream"),
        (HttpResponse(200, b"<html>"), "expected JSON"),
        (HttpResponse(200, b"\xff\xfe"), "expected"),
    ],
)
def test_a_failed_request_is_a_try_in_words(response: HttpResponse | NoResponse, words: str) -> None:
    book = begun()
    book.change(change(110, 100), at(0.1))
    said = reason(book.fetched(asked(book, 0.1), response, at(0.2)))
    assert said.startswith(f"no snapshot came: {words}")
    assert said.endswith("(1 try so far)")
    assert shown(book.fetched(asked(book, 1.1), answer(BIDS, ASKS, 110), at(1.2))) == ("1", 110)


def test_retry_after_is_obeyed_by_all_books_of_the_connection() -> None:
    one, other = begun(symbol="A"), begun(symbol="B")
    other.change(change(110, 100), at(0))
    books = SeededBooks([one, other])
    assert books["B"] is other
    assert "C" not in books
    first = asked(one, 0)
    books.fetched(asked(other, 0), HttpResponse(500, b""), at(0.2))
    books.fetched(first, HttpResponse(429, b"", retry_after=30.0), at(0.2))
    assert books.deadline() == START + 30.2
    assert books.tick(at(30.1)) == []
    assert books.take() == []
    assert books.tick(at(30.2)) == []
    assert [fetch.id for fetch in books.take() if isinstance(fetch, Fetch)] == ["seed A 2", "seed B 2"]


def test_never_more_than_one_request_a_second_and_seldom_more_than_one_in_five() -> None:
    book = begun()
    times = []
    for twentieth in range(60 * 20):
        now = at(twentieth / 20)
        book.change(change(1000 + twentieth, 999 + twentieth), now)
        book.tick(now)
        for fetch in book.take():
            assert isinstance(fetch, Fetch)
            times.append(now.mono - START)
            book.fetched(fetch.id, answer(BIDS, ASKS, 5), now)
    pauses = [later - earlier for earlier, later in pairwise(times)]
    assert times[0] == 0
    assert min(pauses) >= 1
    assert max(pauses) <= 5.1
    assert len(times) <= 16


@pytest.mark.parametrize("order", ["acknowledged first", "change first"])
def test_the_first_request_is_no_retry_whatever_comes_first(order: str) -> None:
    """Also soon after the machine has started, when its monotonic clock has not come far."""
    book, now = seeded("contiguous"), Now(10.1, 1_790_000_000_000)
    book.begin(Now(10.0, 1_790_000_000_000))
    calls = [lambda: book.acknowledged(now), lambda: book.change(change(10, 9), now)]
    for call in calls if order == "acknowledged first" else reversed(calls):
        assert call() == []
    assert book.deadline() == 10.1
    book.tick(now)
    (fetch,) = book.take()
    assert isinstance(fetch, Fetch)
    book.fetched(fetch.id, HttpResponse(500, b""), now)
    assert book.deadline() == pytest.approx(11.1), "the first pause is the shortest"


def test_the_pauses_begin_anew_when_the_latest_request_was_long_ago() -> None:
    """What was tried often before the book was live is forgotten then; a book that is live for a moment only is not."""
    for live_until, pauses in ((10.0, [2.0, 5.0]), (38.0, [0.0, 1.0, 2.0])):
        book = begun()
        book.change(change(110, 100), at(0))
        for second in (0, 1, 3):
            book.fetched(asked(book, second), HttpResponse(500, b""), at(second))
        assert shown(book.fetched(asked(book, 7), answer(BIDS, ASKS, 110), at(7)))
        book.change(change(130, 120), at(live_until))
        found, now = [], live_until
        for _ in pauses:
            deadline = book.deadline()
            assert deadline is not None
            found.append(round(max(deadline - START - now, 0.0), 6))
            now += found[-1]
            book.fetched(asked(book, now), HttpResponse(500, b""), at(now))
        assert found == pauses


def test_two_books_of_one_symbol_have_names() -> None:
    plain_one, other = begun(), begun(name="A with more")
    books = SeededBooks([plain_one, other])
    assert (books["A"], books["A with more"]) == (plain_one, other)
    books.tick(at(0))
    first, second = books.take()
    assert isinstance(first, Fetch)
    assert isinstance(second, Fetch)
    assert (first.id, second.id) == ("seed A 1", "seed A with more 1")
    books.fetched(second.id, answer(BIDS, ASKS, 100), at(0.1))
    assert other.change(change(110, 100), at(1))
    assert not plain_one.change(change(110, 100), at(1))


def test_what_is_said_again_and_again_is_said_less_often() -> None:
    book = begun()
    book.change(change(110, 100), at(0))
    said = 0
    for number in range(100):
        now = at(10 * number)
        said += len(book.fetched(asked(book, 10 * number), NoResponse("nothing"), now))
    assert said == 10 + 9


def test_a_second_subscription_on_the_same_connection_begins_from_nothing() -> None:
    book = live_book()
    book.change(change(130, 120), at(2))
    book.fetched(asked(book, 2), answer(BIDS, ASKS, 150), at(2.1))
    assert book.begin(at(2.2)) == [StreamState("book", "syncing")]
    assert (book.live, book.tries, book.deadline()) == (False, 0, None)
    assert book.change(change(150, 140), at(2.3)) == [], "the snapshot of before does not count"
    book.acknowledged(at(2.5))
    assert book.deadline() == START + 3, "one request a second"
    assert shown(book.fetched(asked(book, 4), answer(BIDS, ASKS, 140), at(4.1))) == ("5", 150)


def test_a_session_that_leaves_asks_for_nothing_more() -> None:
    books = SeededBooks([begun()])
    books.tick(at(0))
    books.stop()
    assert books.take() == []
    assert books.deadline() is None
    books["A"].change(change(110, 100), at(1))
    assert books.deadline() is None


# --- how much is kept


def test_two_minutes_and_ten_thousand_changes_are_kept() -> None:
    """Ten thousand in a second are all kept; after two minutes the oldest beyond that number go, which is said."""
    book = begun()
    for number in range(12_000):
        assert book.change(change(number + 1, number), at(0.1)) == []
    assert book.change(change(12_001, 12_000), at(120)) == []
    said = reason(book.change(change(12_002, 12_001), at(120.2)))
    assert said.startswith("more changes came than are kept, and no snapshot fitted yet; the oldest are dropped")
    assert book.change(change(12_003, 12_002), at(120.3)) == [], "once"
    assert reason(book.fetched(asked(book, 121), answer(BIDS, ASKS, 1_000), at(121))).startswith("the snapshot is be")
    assert shown(book.fetched(asked(book, 123), answer(BIDS, ASKS, 2_500), at(123))) == ("5", 12_003)


def test_few_changes_are_kept_for_ever() -> None:
    book = begun()
    for number in range(9_000):
        book.change(change(number + 1, number), at(number))
    assert shown(book.fetched(asked(book, 9_000), answer(BIDS, ASKS, 0), at(9_000))) == ("5", 9_000)


def test_memory_is_bounded_by_levels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seeding, "MOST_KEPT_LEVELS", 20)
    book = begun()
    said = [item for number in range(30) for item in book.change(change(number + 1, number), at(0.1))]
    assert "the oldest are dropped" in reason(said)
    assert reason(book.fetched(asked(book, 1), answer(BIDS, ASKS, 19), at(1))).startswith("the snapshot is behind")
    assert shown(book.fetched(asked(book, 3), answer(BIDS, ASKS, 20), at(3))) == ("5", 30)


def test_of_two_changes_that_are_too_much_the_older_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seeding, "MOST_KEPT_LEVELS", 1)
    book = begun()
    book.change(change(1, 0), at(0.1))
    assert "the oldest are dropped" in reason(book.change(change(2, 1), at(0.1)))
    assert reason(book.fetched(asked(book, 1), answer(BIDS, ASKS, 0), at(1))).startswith("the snapshot is behind")


def test_what_came_before_a_new_beginning_does_not_count() -> None:
    """Changes that would fit the snapshot: they are of another subscription."""
    book = begun()
    book.change(change(1, 0), at(0.1))
    book.begin(at(1))
    book.acknowledged(at(1))
    book.fetched(asked(book, 2.5), answer(BIDS, ASKS, 0), at(2.5))
    assert not book.live


# --- whatever happens, no wrong book is shown as live

Rows = list[tuple[Decimal, Decimal]]


class Venue:
    """A venue with one book: every state that it ever had, by sequence, and the changes between them."""

    def __init__(self, draw: random.Random, rule: Rule) -> None:
        self.draw = draw
        self.rule = rule
        self.bids: dict[Decimal, Decimal] = {Decimal(-5): Decimal(1)}
        self.asks: dict[Decimal, Decimal] = {Decimal(5): Decimal(1)}
        self.sequence = 100
        self.states: list[tuple[float, int, Rows, Rows]] = []
        self.socket: list[BookDelta] = []
        self._remember(0.0)

    def publish(self, mono: float) -> None:
        """One more change, of which the socket gets a message."""
        draw, previous = self.draw, self.sequence
        self.sequence += draw.randint(1, 4)
        rows = []
        for side, sign in ((self.bids, -1), (self.asks, 1)):
            changed = {
                Decimal(sign * draw.randint(1, 9)): Decimal(draw.randint(0, 3)) for _ in range(draw.randint(0, 3))
            }
            side.update(changed)
            rows.append([Level(price, size) for price, size in changed.items()])
        self.socket.append(BookDelta(rows[0], rows[1], self.sequence, previous))
        self._remember(mono)

    def snapshot(self, mono: float) -> HttpResponse:
        """The state that it had then."""
        _, sequence, bids, asks = next(state for state in reversed(self.states) if state[0] <= mono)
        return answer([Level(*row) for row in bids], [Level(*row) for row in asks], sequence)

    def state(self, sequence: int) -> tuple[Rows, Rows]:
        return next((bids, asks) for _, held, bids, asks in self.states if held == sequence)

    def _remember(self, mono: float) -> None:
        bids = best_first({price: size for price, size in self.bids.items() if size}, bids=True)
        asks = best_first({price: size for price, size in self.asks.items() if size}, bids=False)
        self.states.append((mono, self.sequence, bids, asks))


class World:
    """A venue, its line, and the book here; after each event the book is compared with what the venue had."""

    def __init__(self, seed: int, rule: Rule, longest_lag: float) -> None:
        self.draw = random.Random(seed)
        self.longest_lag = longest_lag
        self.venue = Venue(self.draw, rule)
        self.mono = 0.0
        for _ in range(self.draw.randint(0, 3)):
            self.mono += self.draw.random() * 20
            self.venue.publish(self.mono)
        self.book = seeded(rule, quiet_after=longest_lag)
        self.book.begin(self.now)
        self.venue.socket.clear()  # what was before the subscription is not sent
        if self.draw.random() < 0.5:
            self.publish()
            self.deliver()
        self.begun_with = self.venue.sequence
        self.book.acknowledged(self.now)
        self.asked: list[tuple[str, float]] = []
        self.asked_at: list[float] = []
        self.delivered = self.latest = 0

    @property
    def now(self) -> Now:
        return at(self.mono)

    def publish(self) -> None:
        self.venue.publish(self.mono)

    def deliver(self) -> None:
        if self.venue.socket:
            self.take(self.venue.socket.pop(0))

    def lose(self) -> None:
        if self.venue.socket:
            self.venue.socket.pop(0)

    def repeat(self) -> None:
        if self.venue.socket:
            self.take(self.venue.socket[0])

    def take(self, delta: BookDelta) -> None:
        assert delta.sequence is not None
        self.latest = delta.sequence
        self.book.change(delta, self.now)

    def answer(self) -> None:
        if self.asked:
            request, mono = self.asked.pop(self.draw.randrange(len(self.asked)))
            # It was read some time after it was asked for, and shows a state from before that.
            read_at = mono + self.draw.random() * (self.mono - mono)
            lag = self.draw.choice([0.0, 0.0, self.draw.random() * self.longest_lag])
            self.book.fetched(request, self.venue.snapshot(max(0.0, read_at - lag)), self.now)

    def fail(self) -> None:
        if self.asked:
            request, _ = self.asked.pop()
            self.book.fetched(request, NoResponse("lost"), self.now)

    def doubt(self) -> None:
        if self.venue.socket:
            unreadable = self.venue.socket.pop(0)
            assert unreadable.sequence is not None
            self.latest = unreadable.sequence  # whatever it says, the venue has moved on
            self.book.doubt("bad frame", self.now)

    def wait(self) -> None:
        self.mono += self.draw.choice([0.01, 0.3, 1.0, 5.0])

    def sleep(self) -> None:
        self.mono += self.longest_lag

    def step(self, name: str) -> None:
        getattr(self, name)()
        due = self.book.deadline()
        if due is not None and due <= self.now.mono:
            self.book.tick(self.now)
        for fetch in self.book.take():
            assert isinstance(fetch, Fetch)
            assert not self.asked_at or self.mono - self.asked_at[-1] >= 0.999
            self.asked_at.append(self.mono)
            self.asked.append((fetch.id, self.mono))
        self.check()

    def check(self) -> None:
        book = self.book.keeper.book
        if book.whole:
            assert book.sequence is not None
            assert (plain(book.bids(99)), plain(book.asks(99))) == self.venue.state(book.sequence)
            assert book.sequence >= max(self.latest, self.begun_with), "an old book"

    def come_to_rest(self) -> None:
        """Nothing is lost any more: the book must become the venue's."""
        for _ in range(400):
            self.wait()
            self.publish()
            while self.venue.socket:
                self.step("deliver")
            self.step("wait")
            while self.asked:
                self.step("answer")
            if self.book.live:
                break
        assert self.book.keeper.book.sequence == self.venue.sequence
        self.check()


OFTEN = ["publish", "deliver", "answer", "wait"]
SELDOM = ["lose", "repeat", "fail", "doubt", "sleep", "publish", "deliver"]
STEPS = st.lists(st.sampled_from([*OFTEN, *OFTEN, *SELDOM]), max_size=80)


@pytest.mark.parametrize("rule", ["chained", "contiguous"])
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 1 << 30), steps=STEPS, lag=st.sampled_from([2.0, 20.0, 47.0]))
def test_no_wrong_book_is_live_and_the_right_one_gets_there(
    rule: Rule, seed: int, steps: list[str], lag: float
) -> None:
    world = World(seed, rule, lag)
    for step in steps:
        world.step(step)
    world.come_to_rest()


@pytest.mark.parametrize("tape", TAPES, ids=lambda tape: tape.name)
@pytest.mark.parametrize("place", ["before", "between", "after"])
def test_a_real_tape_seeded_before_between_and_after_its_changes(tape: Path, place: str) -> None:
    """The tape's changes as a chain, and a snapshot of one of its moments that comes at another one."""
    lines = [line for line in tape_lines(tape) if line["kind"] in ("snapshot", "delta")]
    start, changes = lines[0], lines[1:][:2_000]
    whole: dict[str, dict[Decimal, Decimal]] = {"bids": {}, "asks": {}}
    seeded_at = {"before": 0, "between": len(changes) // 2, "after": len(changes)}[place]
    snapshot: HttpResponse | None = None
    book = begun()
    request = asked(book, 0)
    for number, line in enumerate([start, *changes]):
        for side, held in whole.items():
            held.update({Decimal(price): Decimal(size) for price, size in line[side]})
        if number:
            book.change(BookDelta(levels(*line["bids"]), levels(*line["asks"]), number, number - 1), at(1))
        if number == seeded_at:
            rows = [[Level(p, s) for p, s in whole[side].items() if s] for side in ("bids", "asks")]
            snapshot = answer(rows[0], rows[1], number)
        if number == min(seeded_at + 50, len(changes)):
            assert snapshot is not None
            items = book.fetched(request, snapshot, at(2))
            assert book.live, reason(items)
    held = book.keeper.book
    assert held.sequence == len(changes)
    assert plain(held.bids(100_000)) == best_first({p: s for p, s in whole["bids"].items() if s}, bids=True)
    assert plain(held.asks(100_000)) == best_first({p: s for p, s in whole["asks"].items() if s}, bids=False)


MIXTURES = (
    [*OFTEN, *OFTEN, *SELDOM],
    [*OFTEN * 6, *SELDOM],
    [*OFTEN, *SELDOM, "doubt", "doubt", "sleep", "sleep"],
    ["publish", "deliver", "lose", "answer", "wait", "repeat"],
)


@pytest.mark.parametrize("rule", ["chained", "contiguous"])
def test_long_runs_with_many_seedings(rule: Rule) -> None:
    """As above, with more in a row than hypothesis tries, and in some runs much that goes wrong."""
    seedings = 0
    for seed in range(400):
        draw = random.Random(seed)
        world = World(seed, rule, draw.choice([2.0, 20.0, 47.0]))
        mixture, was_live = draw.choice(MIXTURES), False
        for _ in range(draw.randint(20, 250)):
            world.step(draw.choice(mixture))
            seedings += world.book.live and not was_live
            was_live = world.book.live
        world.come_to_rest()
    assert seedings > 400


def test_a_change_that_comes_behind_a_newer_one_makes_no_book_that_is_older_than_what_has_come() -> None:
    book = begun()
    request = asked(book, 0)
    assert book.change(change(3, 2), at(0.1)) == []
    assert book.change(change(2, 1), at(0.2)) == []  # sent before it
    items = book.fetched(request, answer(BIDS, ASKS, 1), at(0.3))
    assert not any(isinstance(item, Book) for item in items), "it would be the book of 2, and 3 has come"
    request = asked(book, 5.0)
    items = book.fetched(request, answer(BIDS, ASKS, 3), at(5.1))
    assert shown(items)[1] == 3


def test_several_late_changes_in_a_row_make_no_book_that_is_older_than_what_has_come() -> None:
    """They look like a venue whose clock went back: only a snapshot of much later tells."""
    book = begun()
    request = asked(book, 0)
    for sequence in (3, 1, 2):
        assert book.change(change(sequence, sequence - 1), at(0.1)) == []
    newer = "a newer change has come than those that follow on each other; a snapshot counts 60 s after it"
    assert reason(book.fetched(request, answer(BIDS, ASKS, 2), at(0.3))) == f"{newer} (1 try so far)"
    assert reason(book.fetched(asked(book, 59.0), answer(BIDS, ASKS, 2), at(59.5))) == f"{newer} (2 tries so far)"
    items = book.fetched(asked(book, 65.0), answer(BIDS, ASKS, 2), at(65.5))
    assert shown(items)[1] == 2


@pytest.mark.parametrize("rule", ["chained", "contiguous"])
def test_a_snapshot_that_is_older_than_the_one_before_it_makes_no_book(rule: Rule) -> None:
    """The venue's answers may come from several places, not all of which are up to date."""
    book = begun(rule)
    book.change(change(2, 1), at(0.1))
    assert "ahead of the changes" in reason(book.fetched(asked(book, 0.1), answer(BIDS, ASKS, 3), at(0.2)))
    assert "a newer change has come" in reason(book.fetched(asked(book, 9.0), answer(BIDS, ASKS, 2), at(9.1)))
    assert "ahead of the changes" in reason(book.fetched(asked(book, 20.0), answer(BIDS, ASKS, 3), at(20.1)))
    assert "a newer change has come" in reason(book.fetched(asked(book, 59.0), answer(BIDS, ASKS, 2), at(59.1)))
    assert shown(book.fetched(asked(book, 75.0), answer(BIDS, ASKS, 2), at(75.1)))[1] == 2


@pytest.mark.parametrize("rule", ["chained", "contiguous"])
def test_late_changes_after_the_book_was_in_doubt_make_no_book_that_is_older(rule: Rule) -> None:
    book = begun(rule)
    book.change(change(5, 4), at(0.1))
    assert shown(book.fetched(asked(book, 0.1), answer(BIDS, ASKS, 5), at(0.2)))[1] == 5
    book.doubt("it could not be read", at(1))
    book.change(change(4, 3), at(1.1))
    request = asked(book, 1.2)
    assert "a newer change has come" in reason(book.fetched(request, answer(BIDS, ASKS, 4), at(1.3)))
    assert book.change(change(6, 5), at(1.4)) == []  # which leads up to what has come
    assert shown(book.fetched(asked(book, 4.0), answer(BIDS, ASKS, 5), at(4.1)))[1] == 6


def test_a_snapshot_counts_once_the_changes_after_it_are_as_new_as_what_has_come() -> None:
    book = begun()
    request = asked(book, 0)
    for sequence in (3, 1, 2):
        book.change(change(sequence, sequence - 1), at(0.1))
    book.fetched(request, answer(BIDS, ASKS, 1), at(0.3))
    assert shown(book.change(change(3, 2), at(0.4)))[1] == 3  # it comes again


def test_changes_that_follow_on_the_newest_are_newer_whatever_their_time() -> None:
    book = begun()
    request = asked(book, 0)
    for sequence, previous in ((100, 99), (50, 100), (51, 50)):
        book.change(change(sequence, previous), at(0.1))
    assert shown(book.fetched(request, answer(BIDS, ASKS, 50), at(0.3)))[1] == 51


def test_a_venue_that_goes_on_behind_a_time_far_ahead_is_followed_all_the_same() -> None:
    book = begun()
    request = asked(book, 0)
    for sequence, previous in ((10**9, 1), (2, 1), (3, 2), (4, 3)):
        assert book.change(change(sequence, previous), at(0.1)) == []
    book.fetched(request, answer(BIDS, ASKS, 2), at(0.3))
    items = book.fetched(asked(book, 61.0), answer(BIDS, ASKS, 2), at(61.1))
    assert shown(items)[1] == 4
