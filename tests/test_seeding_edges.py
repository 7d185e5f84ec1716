"""Where a snapshot by HTTP stands among the changes: at the edges between fitting, ahead and behind."""

from __future__ import annotations

import pytest

from tests.test_seeding import ASKS, BIDS, answer, asked, at, begun, change, reason, seeded, shown
from venues.records import Book
from venues.toolkit import seeding
from venues.toolkit.seeding import SeededBooks
from venues.venue import HttpResponse, NoResponse, StreamState


def test_a_snapshot_between_two_changes_is_behind_them_and_not_ahead() -> None:
    book = begun()
    book.change(change(110, 100), at(0.1))
    book.change(change(120, 110), at(0.1))
    items = book.fetched(asked(book, 0.1), answer(BIDS, ASKS, 115), at(0.5))
    assert reason(items) == "the snapshot is behind the changes (1 try so far)"
    # It is given up: the changes can come up to one that is ahead, never to this one.
    assert book.change(change(130, 120), at(0.6)) == []
    assert not book.live


@pytest.mark.parametrize("late", [105, 115])
def test_a_change_behind_the_newest_one_is_late_wherever_it_belongs(late: int) -> None:
    book = begun()
    for sequence in (110, 120, 130):
        book.change(change(sequence, sequence - 10), at(0.1))
    assert book.change(change(late, 101), at(0.2)) == []
    assert shown(book.fetched(asked(book, 0.2), answer(BIDS, ASKS, 100), at(0.5))) == ("5", 130)


def test_of_the_changes_that_are_kept_only_those_go_that_are_old_and_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seeding, "KEPT_CHANGES", 2)
    book = begun()
    for sequence, seconds in ((1, 0), (2, 60), (3, 60), (4, 120)):
        assert book.change(change(sequence, sequence - 1), at(seconds)) == []
    assert "the oldest are dropped" in reason(book.change(change(5, 4), at(120.5)))
    assert reason(book.fetched(asked(book, 121), answer(BIDS, ASKS, 0), at(121))).startswith("the snapshot is behind")
    assert shown(book.fetched(asked(book, 123), answer(BIDS, ASKS, 1), at(123))) == ("5", 5)


def test_the_newest_changes_stay_however_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seeding, "KEPT_CHANGES", 2)
    book = begun()
    for sequence, seconds in ((1, 0), (2, 0), (3, 1_000)):
        book.change(change(sequence, sequence - 1), at(seconds))
    assert shown(book.fetched(asked(book, 1_001), answer(BIDS, ASKS, 1), at(1_001))) == ("5", 3)


def test_a_book_that_has_not_begun_asks_for_nothing() -> None:
    book = seeded(symbol="X")
    assert (book.live, book.tries, book.name, book.deadline(), book.take(), book.tick(at(100))) == (
        False, 0, "X", None, [], [],
    )  # fmt: skip
    assert (book.fetched("seed X 1", answer(BIDS, ASKS, 1), at(0)), book.live) == ([], False)
    assert seeded(name="other").name == "other"


def test_a_stale_book_says_that_a_snapshot_is_asked_for() -> None:
    book = begun()
    book.change(change(110, 100), at(0))
    book.fetched(asked(book, 0), answer(BIDS, ASKS, 110), at(0))
    assert book.doubt("why", at(1)) == [StreamState("book", "stale", "why; a new snapshot is asked for")]


def test_the_first_request_is_made_at_the_acknowledgement_and_has_a_minute() -> None:
    book = begun()
    assert book.deadline() == at(0).mono
    assert (book.tick(at(-0.001)), book.take()) == ([], []), "it is not due yet"
    book.acknowledged(at(5))
    assert book.deadline() == at(0).mono, "it is acknowledged once"
    assert asked(book, 0) == "seed A 1"
    assert (book.tries, book.deadline()) == (1, at(60).mono)
    assert (book.tick(at(59.999)), book.take()) == ([], [])
    assert reason(book.tick(at(60))) == "no snapshot came: no answer within 60 s (1 try so far)"
    assert book.fetched("seed A 1", answer(BIDS, ASKS, 1), at(60)) == []
    assert asked(book, 62) == "seed A 2"
    assert book.tries == 2


def test_a_stopped_book_asks_for_nothing_more_and_forgets_what_it_was_to_ask() -> None:
    book = begun()
    assert book.tick(at(0)) == []
    book.stop()
    assert (book.take(), book.deadline(), book.tick(at(100))) == ([], None, [])
    book.change(change(110, 100), at(1))
    assert book.doubt("why", at(2))
    assert book.deadline() is None


@pytest.mark.parametrize(
    ("wants", "waits"), [(0.0, 1.0), (-5.0, 1.0), (7.0, 7.0), (86_400.0, 86_400.0), (1e9, 86_400.0)]
)
@pytest.mark.parametrize("status", [429, 503])
def test_a_venue_that_wants_to_be_left_alone_is_for_a_day_at_most(status: int, wants: float, waits: float) -> None:
    book = begun()
    refused = HttpResponse(status, b" too\n many ", retry_after=wants)
    items = book.fetched(asked(book, 0), refused, at(0))
    assert reason(items) == f"no snapshot came: HTTP {status}: too many (1 try so far)"
    assert book.deadline() == pytest.approx(at(waits).mono)


def test_how_long_to_wait_is_of_no_matter_in_an_answer_that_is_good() -> None:
    book = begun()
    good = HttpResponse(200, answer(BIDS, ASKS, 1).body, retry_after=50.0)
    book.fetched(asked(book, 0), good, at(0))
    book.change(change(110, 100), at(1))
    deadline = book.deadline()
    assert deadline is not None
    assert deadline < at(10).mono


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", ""),
        (b" \n", ""),
        (b"x" * 120, ": " + "x" * 120),
        (b"x" * 121, ": " + "x" * 119 + "…"),
        (b"a" + b" " * 398 + b"b", ": a b"),
        (b"a" + b" " * 399 + b"b", ": a"),
        (b"\xff!", ": \ufffd!"),
    ],
)
def test_what_a_refusal_says_is_told_in_few_words(body: bytes, words: str) -> None:
    book = begun()
    items = book.fetched(asked(book, 0), HttpResponse(500, body), at(0))
    assert reason(items) == f"no snapshot came: HTTP 500{words} (1 try so far)"


def test_of_the_same_words_the_first_ten_are_said_and_each_tenth() -> None:
    book, said = begun(), []
    for number in range(1, 42):
        deadline = book.deadline()
        assert deadline is not None
        seconds = deadline - at(0).mono
        items = book.fetched(asked(book, seconds), HttpResponse(500, b""), at(seconds))
        if items:
            assert reason(items).endswith("(1 try so far)" if number == 1 else f"({number} tries so far)")
            said.append(number)
    assert said == [*range(1, 11), 20, 30, 40]
    deadline = book.deadline()
    assert deadline is not None
    seconds = deadline - at(0).mono
    assert "HTTP 501" in reason(book.fetched(asked(book, seconds), HttpResponse(501, b""), at(seconds)))


@pytest.mark.parametrize(
    ("sequence", "words"),
    [(100, None), (99, " by 1 ms"), (-2_901, " by 3.0 s"), (101, "")],
)
def test_how_far_a_snapshot_is_behind_is_said_where_sequences_are_times(sequence: int, words: str | None) -> None:
    book = begun()
    book.change(change(110, 100), at(0.1))
    book.change(change(120, 110), at(0.1))
    items = book.fetched(asked(book, 0.1), answer(BIDS, ASKS, sequence), at(0.5))
    if words is None:
        assert shown(items) == ("5", 120)
    else:
        assert reason(items) == f"the snapshot is behind the changes{words} (1 try so far)"


@pytest.mark.parametrize(("seconds", "counts"), [(59.999, False), (60.0, True)])
def test_a_snapshot_without_changes_counts_after_a_minute(seconds: float, counts: bool) -> None:
    book = begun()
    assert book.tick(at(0)) == []
    items = book.fetched(book.take()[0].id, answer(BIDS, ASKS, 7), at(0))  # type: ignore[union-attr]
    words = "no change has come yet; a snapshot may be old, and counts after 60 s without one (1 try so far)"
    assert (reason(items), book.deadline()) == (words, at(60).mono)
    book.doubt("why", at(60 - seconds))
    items = book.fetched(asked(book, 60), answer(BIDS, ASKS, 7), at(60))
    assert (shown(items) == ("1", 7)) if counts else reason(items).startswith("no change has come yet")


@pytest.mark.parametrize(("quiet", "words"), [(30.0, "30 s"), (0.5, "0 s"), (90.4, "90 s")])
def test_how_long_a_market_is_quiet_may_be_another_time(quiet: float, words: str) -> None:
    book = begun(quiet_after=quiet)
    items = book.fetched(asked(book, 0), answer(BIDS, ASKS, 7), at(0))
    assert f"counts after {words} without one" in reason(items)
    assert book.deadline() == at(max(quiet, 1.0)).mono


@pytest.mark.parametrize("has_begun", [False, True])
@pytest.mark.parametrize(("most", "drops"), [(6, False), (5, True)])
def test_so_many_levels_of_changes_are_kept_each_change_counting_as_one_more(
    most: int, drops: bool, has_begun: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seeding, "MOST_KEPT_LEVELS", most)
    book = begun() if has_begun else seeded()
    one = change(1, 0)
    assert len(one.bids) + len(one.asks) == 1
    assert [bool(book.change(change(n, n - 1), at(0))) for n in (1, 2, 3, 4)] == [False, False, drops, not drops]


def test_that_changes_are_dropped_is_said_again_once_the_book_was_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seeding, "MOST_KEPT_LEVELS", 4)
    book = begun()
    for first, at_second in ((1, 0), (11, 100)):
        said = [bool(book.change(change(n, n - 1), at(at_second))) for n in range(first, first + 4)]
        assert said == [False, False, True, False]
        seconds = at_second if at_second == 0 else at_second + 10
        assert shown(book.fetched(asked(book, seconds), answer(BIDS, ASKS, first + 3), at(seconds))) is not None
        assert book.live
        assert book.doubt("why", at(at_second + 20))


@pytest.mark.parametrize(("asked_at", "counts"), [(89.9, False), (90, True)])
def test_a_change_as_new_as_the_book_was_shows_that_a_snapshot_may_be_from_before_it(
    asked_at: float, counts: bool
) -> None:
    book = begun()
    book.change(change(200, 199), at(0))
    book.fetched(asked(book, 0), answer(BIDS, ASKS, 200), at(0))
    assert book.live
    book.doubt("why", at(1))
    book.change(change(200, 198), at(30))
    book.change(change(160, 150), at(31))  # late, as it seems, …
    book.change(change(170, 160), at(31))  # … but the venue goes on with it
    items = book.fetched(asked(book, asked_at), answer(BIDS, ASKS, 160), at(asked_at))
    assert book.live is counts
    if not counts:
        assert reason(items).startswith("a newer change has come than those that follow on each other")


@pytest.mark.parametrize(("sequence", "best", "time"), [(110, "6", 1_130), (120, "6", 1_130), (130, "1", 130)])
def test_a_record_says_the_time_of_the_newest_change_or_of_a_snapshot_that_has_it(
    sequence: int, best: str, time: int
) -> None:
    book = begun("contiguous")
    for number, size in ((110, "4"), (120, "5"), (130, "6")):
        book.change(change(number, number - 10, size), at(0.1), time=1_000 + number)
    items = book.fetched(asked(book, 0.1), answer(BIDS, ASKS, sequence), at(0.5))
    assert shown(items) == (best, 130)
    assert isinstance(items[1], Book)
    assert items[1].time == time


@pytest.mark.parametrize(("asked_at", "counts"), [(60.9, False), (61, True)])
def test_after_a_doubt_no_snapshot_counts_that_may_be_older_than_the_book_was(asked_at: float, counts: bool) -> None:
    book = begun()
    book.change(change(200, 199), at(0))
    book.fetched(asked(book, 0), answer(BIDS, ASKS, 200), at(0))
    book.doubt("why", at(1))
    book.change(change(160, 150), at(2))
    book.fetched(asked(book, asked_at), answer(BIDS, ASKS, 150), at(asked_at))
    assert book.live is counts


def two() -> SeededBooks:
    return SeededBooks([seeded(symbol=symbol) for symbol in ("A", "B")])


def test_books_are_found_by_their_names_and_do_what_each_is_to() -> None:
    books = two()
    assert ([book.name for book in books], "A" in books, "C" in books, books["B"].name) == (
        ["A", "B"], True, False, "B",
    )  # fmt: skip
    assert (books.deadline(), books.take(), SeededBooks([]).deadline()) == (None, [], None)
    books.begin(at(0))
    books["A"].acknowledged(at(2))
    books["B"].acknowledged(at(1))
    assert books.deadline() == at(1).mono
    assert (books.tick(at(1.5)), [out.id for out in books.take()]) == ([], ["seed B 1"])  # type: ignore[union-attr]
    assert (books.tick(at(2)), [out.id for out in books.take()]) == ([], ["seed A 1"])  # type: ignore[union-attr]
    books.stop()
    assert (books.deadline(), books.take()) == (None, [])


@pytest.mark.parametrize(
    ("status", "wants", "of_other"), [(429, 30.0, 30.0), (429, 1e9, 86_400.0), (429, None, 5.0), (503, 30.0, 5.0)]
)
def test_where_a_venue_wants_fewer_requests_all_books_wait(status: int, wants: float | None, of_other: float) -> None:
    books = two()
    books.begin(at(0))
    books["A"].acknowledged(at(0))
    books["B"].acknowledged(at(5))
    request = asked(books["A"], 0)
    assert len(books.fetched(request, HttpResponse(status, b"", retry_after=wants), at(0))) == 1
    assert books["B"].deadline() == pytest.approx(at(of_other).mono)
    assert books.fetched("seed C 1", NoResponse("gone"), at(0)) == []


def test_what_came_before_the_beginning_does_not_count() -> None:
    book = seeded()
    assert book.change(change(110, 100), at(-2)) == []
    assert book.doubt("why", at(-2)) == [StreamState("book", "stale", "why; a new snapshot is asked for")]
    assert book.change(change(120, 110), at(-2)) == []
    assert (book.deadline(), book.live) == (None, False)
    book.begin(at(-1))
    book.acknowledged(at(0))
    assert reason(book.fetched(asked(book, 0), answer(BIDS, ASKS, 110), at(0))).startswith("no change has come yet")


NEWER = "a newer change has come than those that follow on each other; a snapshot counts 60 s after it (1 try so far)"


@pytest.mark.parametrize("is_live", [False, True])
def test_after_a_doubt_no_book_counts_that_is_older_than_what_was_there(is_live: bool) -> None:
    book = begun()
    book.change(change(110, 100), at(0))
    if is_live:
        book.fetched(asked(book, 0), answer(BIDS, ASKS, 110), at(0))
    assert book.live is is_live
    book.doubt("why", at(1))
    book.change(change(108, 107), at(1.1))
    items = book.fetched(asked(book, 2), answer(BIDS, ASKS, 107), at(2))
    assert (reason(items), book.live, book.deadline()) == (NEWER, False, at(4 if is_live else 3).mono)
    items = book.change(change(111, 108, "7"), at(2.5))
    assert (shown(items), book.deadline()) == (("7", 111), None)
