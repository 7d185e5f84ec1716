"""What skipped versions of B2TRADER's book mean, and that no wrong book comes of it. No socket, invented clocks."""

from __future__ import annotations

import itertools
import random
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tapehub import TapeHub, versions_of
from tests.tapes import TAPES, needs_tapes, tape_lines
from tests.test_b2trader import at, book, completion, frame, item, line_for, ready, sent, told
from venues.b2trader import versions as b2trader_versions
from venues.b2trader.versions import DoubtfulBook, Lesson, Trials
from venues.errors import CrossedBook
from venues.records import Book, Level
from venues.toolkit.book import BookDelta, OrderBook
from venues.venue import BadFrame, Session, StreamState

BIDS, ASKS = {"1.0": "5", "0.9": "7"}, {"1.2": "5"}


def whole(version: int, bids: dict[str, str] | None = None, asks: dict[str, str] | None = None) -> dict[str, object]:
    return book(version, {**BIDS, **(bids or {})}, {**ASKS, **(asks or {})}, snapshot=True)


def calls(session: Session) -> list[tuple[int, int]]:
    """What was sent to the hub: 4 asks for an invocation, 5 cancels it."""
    return [(message["type"], int(message["invocationId"])) for message in sent(session)]


class Watched:
    """A session of one book that is live at version 10, and what has happened to it."""

    def __init__(self, line: Any = None, **values: object) -> None:
        self.line = line or line_for("book", **values)
        self.session = ready(self.line)
        self.now = 0.1
        self.current = 0
        self.take(0, whole(10))

    def take(self, invocation: int, *contents: dict[str, object]) -> list[Any]:
        """Items of one invocation in one frame."""
        return self.session.receive(frame(*(item(invocation, content) for content in contents)), at(self.now))

    def skip(self, version: int, bids: dict[str, str] | None = None) -> list[Any]:
        """A delta that skips, late enough for the next invocation to be asked for at once."""
        self.now += 40
        self.session.receive(frame({"type": 6}), at(self.now))
        self.session.tick(at(self.now))
        sent(self.session)
        items = self.take(self.current, book(version, bids or {}, {}))
        assert told(items) == ["stale"]
        assert calls(self.session) == [(4, self.current + 1)]
        self.current += 1
        return items

    def prove(self, version: int, times: int = 1) -> list[Any]:
        """Skips of 20 versions each, after which the new snapshot is the old book; what came of the last one."""
        items: list[Any] = []
        for number in range(times):
            self.skip(version + 21 * (number + 1))
            items = self.take(self.current, whole(version + 21 * (number + 1)))
            sent(self.session)
        return items


def is_growing(items: list[Any]) -> bool:
    """Whether a status says that versions may skip, with the reason or again."""
    return [one.versions for one in items if isinstance(one, StreamState)] == ["growing"]


# --- a skip, and the invocation that is kept


def test_a_skip_is_stale_and_the_old_invocation_goes_on_until_the_new_snapshot() -> None:
    watched = Watched()
    assert told(watched.take(0, book(12, {}, {}), book(13, {}, {}))) == ["stale"]
    watched.session.tick(at(1.2))
    assert calls(watched.session) == [(4, 1)]
    assert watched.take(0, book(14, {"1.1": "1"}, {})) == []
    assert told(watched.take(1, whole(14, {"1.1": "1"}))) == ["live", "Book"]
    assert calls(watched.session) == [(5, 0)]
    assert watched.take(0, book(15, {"1.1": "2"}, {})) == []


def test_three_proofs_allow_skips_until_the_connection_ends() -> None:
    watched = Watched()
    assert told(watched.prove(10, times=2)) == ["live", "Book"]
    items = watched.prove(10 + 42)
    assert told(items) == ["live", "Book"]
    assert is_growing(items)
    assert "nothing is lost" in items[0].reason
    (shown,) = watched.take(3, book(999, {"1.1": "1"}, {}))
    assert isinstance(shown, Book)
    assert shown.sequence == 999
    again = Watched(watched.line)
    assert told(again.take(0, book(12, {}, {}))) == ["stale"], "a new connection may lead to another server"


def test_it_is_said_again_whenever_the_book_is_live_again() -> None:
    watched = Watched()
    watched.prove(10, times=3)
    watched.now += 40
    watched.session.receive(frame({"type": 6}), at(watched.now))
    assert told(watched.take(3, {"instrument": "another"})) == ["BadFrame", "stale"]
    items = watched.take(4, whole(2000))
    assert is_growing(items)
    assert not items[0].reason, "the reason was said"


@pytest.mark.parametrize(("skipped", "proves"), [(19, False), (20, True)])
def test_a_proof_needs_twenty_skipped_versions(skipped: int, proves: bool) -> None:
    watched = Watched()
    version = 10
    for _ in range(3):
        version += skipped + 1
        watched.skip(version)
        items = watched.take(watched.current, whole(version))
        sent(watched.session)
    assert is_growing(items) is proves


def test_skips_since_the_last_whole_state_add_up() -> None:
    watched = Watched()
    version = 10
    for _ in range(3):
        watched.skip(version + 11)
        assert watched.take(watched.current - 1, book(version + 12, {}, {}), book(version + 23, {}, {})) == []
        items = watched.take(watched.current, whole(version + 23))
        version += 23
        sent(watched.session)
    assert is_growing(items)


@pytest.mark.parametrize(
    ("bids", "asks"),
    [({"1.0": "4"}, {}), ({"0.9": "0"}, {}), ({"0.8": "1"}, {}), ({}, {"1.2": "6"}), ({}, {"1.3": "1"})],
)
def test_a_difference_on_either_side_disproves_for_good(bids: dict[str, str], asks: dict[str, str]) -> None:
    watched = Watched()
    watched.prove(10, times=2)
    watched.skip(54)
    assert told(watched.take(3, whole(54, bids, asks))) == ["live", "Book"]
    assert calls(watched.session) == [(5, 2)]
    for line in (watched.line, watched.line):  # also after reconnects
        again = Watched(line)
        again.now += 40
        assert told(again.take(0, book(31, {}, {}))) == ["stale"]
        assert calls(again.session) == [(5, 0), (4, 1)], "there is nothing left to be learnt"
        assert told(again.take(1, whole(31))) == ["live", "Book"]


def test_a_difference_after_one_skipped_version_disproves_too() -> None:
    watched = Watched()
    watched.skip(12)
    watched.take(1, whole(12, {"1.1": "3"}))
    sent(watched.session)
    watched.now += 40
    assert told(watched.take(1, book(40, {}, {}))) == ["stale"]
    assert calls(watched.session) == [(5, 1), (4, 2)]


def test_a_snapshot_that_is_older_than_the_doubtful_book_is_compared_with_what_that_was() -> None:
    watched = Watched()
    for number in range(3):
        version = 10 + 100 * number
        watched.skip(version + 21, {"1.1": "1"})
        deltas = [book(version + 22, {"1.1": "0", "1.0": "9"}, {}), book(version + 23, {"1.1": "2", "0.9": "0"}, {})]
        watched.take(watched.current - 1, *deltas)
        items = watched.take(watched.current, whole(version + 21, {"1.1": "1"}))
        sent(watched.session)
        watched.take(watched.current, book(version + 22, {"1.1": "0"}, {}))
        watched.take(watched.current, whole(10 + 100 * (number + 1)))
    assert is_growing(items)


def test_a_snapshot_of_a_version_that_the_doubtful_book_never_had_says_nothing() -> None:
    watched = Watched()
    watched.prove(10, times=2)
    watched.skip(80)
    assert watched.take(2, book(90, {}, {})) == []
    items = watched.take(3, whole(85, {"1.1": "1"}))
    assert not is_growing(items)
    assert calls(watched.session) == [(5, 2)], "it cannot get there any more"
    watched.take(3, whole(86))
    assert is_growing(watched.prove(86)), "nor was it a disproof"


def test_the_doubtful_book_may_get_to_the_version_within_two_seconds() -> None:
    watched = Watched()
    watched.prove(10, times=2)
    watched.skip(80)
    assert told(watched.take(3, whole(82))) == ["live", "Book"]
    assert calls(watched.session) == [], "it is waited for"
    watched.now += 1.9
    watched.session.tick(at(watched.now))
    assert told(watched.take(3, book(83, {"1.1": "3"}, {}))) == ["Book"]
    items = watched.take(2, book(81, {}, {}), book(82, {}, {}))
    assert is_growing(items)
    assert calls(watched.session) == [(5, 2)]
    assert told(watched.take(3, book(90, {"1.1": "4"}, {}))) == ["Book"]


def test_after_two_seconds_it_says_nothing() -> None:
    watched = Watched()
    watched.prove(10, times=2)
    watched.skip(80)
    watched.take(3, whole(82, {"1.1": "3"}))
    deadline = watched.session.deadline()
    assert deadline == pytest.approx(at(watched.now + 2).mono)
    watched.session.tick(at(watched.now + 2))
    assert calls(watched.session) == [(5, 2)]
    assert watched.take(2, book(81, {}, {}), book(82, {}, {})) == []
    watched.take(3, whole(86))
    assert is_growing(watched.prove(86)), "and it was no disproof"


def test_a_late_disproof_takes_the_permission_back_and_doubts_what_is_shown() -> None:
    """Two invocations are being replaced at once; the newer one brings the third proof, the older one a difference."""
    watched = Watched()
    watched.prove(10, times=2)
    watched.skip(80)
    watched.take(3, whole(82))
    watched.now += 1.0
    assert told(watched.take(3, book(130, {}, {}))) == ["stale"]
    watched.session.tick(at(watched.now))
    assert (4, 4) in calls(watched.session)
    assert is_growing(watched.take(4, whole(130)))
    assert told(watched.take(4, book(140, {"1.1": "1"}, {}))) == ["Book"]
    items = watched.take(2, book(81, {}, {}), book(82, {"1.0": "1"}, {}))
    assert told(items) == ["stale"]
    assert "differed" in items[0].reason


# --- what happens to the old invocation is no matter of the book that is shown


@pytest.mark.parametrize("already_live", [False, True])
@pytest.mark.parametrize(
    "message",
    [
        item(2, {"instrument": "another"}),
        item(2, book(81, {"1.3": "1"}, {})),
        item(2, {**book(81, {}, {}), "version": "x"}),
        completion(2),
        completion(2, "An error occurred on the server while streaming results."),
        completion(2, "Failed to invoke 'Book' because user is unauthorized"),
        {"type": 2, "invocationId": "2"},
        {**completion(2, "no"), "result": 1},
    ],
)
def test_errors_of_the_old_invocation_concern_the_proof_alone(message: dict[str, object], already_live: bool) -> None:
    watched = Watched()
    watched.prove(10, times=2)
    watched.skip(80)
    if already_live:
        assert told(watched.take(3, whole(82))) == ["live", "Book"]
    items = watched.session.receive(frame(message), at(watched.now))
    assert [one for one in items if not isinstance(one, BadFrame)] == []
    assert watched.take(2, book(82, {}, {})) == []
    if not already_live:
        assert told(watched.take(3, whole(82))) == ["live", "Book"]
    (shown,) = watched.take(3, book(83, {"1.1": "3"}, {}))
    assert isinstance(shown, Book)
    assert (shown.sequence, shown.bids[0].price) == (83, Decimal("1.1"))


def test_a_crossed_doubtful_book_forbids_skips() -> None:
    watched = Watched()
    watched.prove(10, times=2)
    watched.skip(80)
    watched.take(2, book(81, {"1.3": "1"}, {}))
    assert (5, 2) in calls(watched.session)
    watched.take(3, whole(82))
    watched.now += 40
    assert told(watched.take(3, book(110, {}, {}))) == ["stale"]
    assert calls(watched.session) == [(5, 3), (4, 4)]


def test_a_crossed_book_forbids_skips_that_were_allowed() -> None:
    watched = Watched()
    watched.prove(10, times=3)
    watched.now += 40
    (stale,) = watched.take(3, book(200, {"1.3": "1"}, {}))
    assert "crossed book" in stale.reason
    assert calls(watched.session) == [(5, 3), (4, 4)]
    items = watched.take(4, whole(201))
    assert told(items) == ["live", "Book"]
    assert not is_growing(items)
    watched.now += 40
    assert told(watched.take(4, book(300, {}, {}))) == ["stale"]


def test_a_snapshot_on_the_old_invocation_starts_the_count_anew() -> None:
    watched = Watched()
    watched.prove(10, times=2)
    watched.skip(80)
    assert watched.take(2, whole(81, {"1.1": "1"}), book(82, {}, {})) == []
    assert not is_growing(watched.take(3, whole(82, {"1.1": "1"})))


# --- one invocation at a time


@pytest.mark.parametrize(
    "error",
    [
        None,
        "Only one stream at a time.",
        "Failed to invoke 'Book' due to an error on the server.",
        "Unknown hub method 'Book'",
    ],
)
def test_a_hub_that_refuses_a_second_invocation_is_asked_as_before(error: str | None) -> None:
    watched = Watched()
    watched.skip(80)
    items = watched.session.receive(frame(completion(1, error)), at(watched.now))
    assert told(items) == ["stale"]
    watched.now += 5
    watched.session.tick(at(watched.now))
    assert [call for call in calls(watched.session) if call[0] in (4, 5)] == [(5, 0), (4, 2)]
    assert told(watched.take(2, whole(85))) == ["live", "Book"]
    watched.now += 40
    assert told(watched.take(2, book(120, {}, {}))) == ["stale"]
    assert calls(watched.session) == [(5, 2), (4, 3)], "now the old one is cancelled first"
    assert not watched.line.lesson.forbidden


def test_a_hub_that_answers_a_second_invocation_only_after_the_first() -> None:
    watched = Watched()
    watched.skip(80)
    watched.now += 9.9
    watched.session.tick(at(watched.now))
    assert calls(watched.session) == []
    assert watched.session.deadline() == pytest.approx(at(watched.now + 0.1).mono)
    watched.now += 0.1
    watched.session.tick(at(watched.now))
    assert calls(watched.session) == [(5, 0)]
    assert told(watched.take(1, whole(85))) == ["live", "Book"]


@pytest.mark.parametrize("with_a_word", [False, True])
def test_a_hub_that_hangs_up_on_a_second_invocation_is_given_none_after_the_second_time(with_a_word: bool) -> None:
    line = line_for("book")
    asked = []
    for _ in range(3):
        watched = Watched(line)
        watched.now += 40
        assert told(watched.take(0, book(80, {}, {}))) == ["stale"]
        asked.append(calls(watched.session))
        if with_a_word:
            watched.session.receive(frame({"type": 7, "allowReconnect": True}), at(watched.now))
        watched.session.closed(1011, "", at(watched.now))
        assert watched.session.deadline() is None or watched.session.deadline() > at(watched.now + 10).mono  # type: ignore[operator]
    assert asked == [[(4, 1)], [(4, 1)], [(5, 0), (4, 1)]]


def test_a_connection_that_is_lost_otherwise_says_nothing_of_second_invocations() -> None:
    line = line_for("book")
    for _ in range(3):
        watched = Watched(line)
        watched.skip(80)
        watched.take(1, whole(82))
        watched.session.closed(1006, "", at(watched.now))
    assert not line.lesson.one_at_a_time  # type: ignore[attr-defined]


def test_a_second_invocation_that_the_hub_refuses_for_the_token_is_a_matter_of_the_token() -> None:
    watched = Watched()
    watched.skip(80)
    said = "Failed to invoke 'Book' because user is unauthorized"
    (lost,) = watched.session.receive(frame(completion(1, said)), at(watched.now))
    assert type(lost).__name__ == "Lost"


# --- what a person is told, and may say


def test_who_sees_it_flap_is_told_what_can_be_set() -> None:
    watched = Watched()
    reasons = []
    for number in range(3):
        (stale,) = watched.skip(12 + 10 * number)
        reasons.append(stale.reason)
        watched.take(watched.current, whole(20 + 10 * number))
        sent(watched.session)
    assert "growing" not in reasons[1]
    assert 'versions = "growing" under [venues.b2trader]' in reasons[2]


@pytest.mark.parametrize(("seconds", "is_told"), [(299.999, True), (300.0, True), (300.001, False)])
def test_three_skips_within_five_minutes_are_flapping(seconds: float, is_told: bool) -> None:
    lesson = Lesson(table="venues.mine")
    assert [lesson.skipped(at(moment)) for moment in (0, 150)] == ["", ""]
    advice = '; versions skip here again and again: if this broker loses nothing by that, set versions = "growing"'
    assert lesson.skipped(at(seconds)) == (f"{advice} under [venues.mine]" if is_told else "")


def test_the_reason_why_skips_are_forbidden_is_the_first_one() -> None:
    lesson = Lesson()
    lesson.forbid("one")
    lesson.forbid("two")
    assert lesson.forbidden == "one"


def test_one_connection_that_was_lost_unanswered_may_be_chance_and_two_are_not() -> None:
    lesson = Lesson()
    told = []
    for _ in range(2):
        lesson.lost_unanswered()
        told.append(lesson.one_at_a_time)
    assert told == [False, True]


def test_of_a_connection_that_is_lost_no_old_invocation_is_known() -> None:
    real = OrderBook()
    real.snapshot(*delta([(1, 1)], [(1, 1)], 1))
    trials = Trials(Lesson())
    assert trials.deadline() is None
    trials.begin("7", DoubtfulBook(real, delta([], [], 100)))
    trials.asked(at(0))
    assert "7" in trials
    assert trials.deadline() is not None
    trials.lost()
    assert "7" not in trials
    assert trials.deadline() is None
    assert not trials.refused()


def test_three_skips_in_a_day_are_no_flapping() -> None:
    watched = Watched()
    for number in range(4):
        watched.now += 300
        (stale,) = watched.skip(12 + 10 * number)
        watched.take(watched.current, whole(20 + 10 * number))
        sent(watched.session)
        assert "growing" not in stale.reason


def test_who_sees_it_flap_where_deltas_are_lost_is_told_so() -> None:
    watched = Watched()
    watched.line.lesson.forbid("deltas were lost")
    for number in range(3):
        watched.now += 40
        (stale,) = watched.take(number, book(12 + 10 * number, {}, {}))
        watched.take(number + 1, whole(20 + 10 * number))
    assert 'versions = "growing" under [venues.b2trader] would be wrong (deltas were lost)' in stale.reason


def test_the_user_may_say_that_versions_grow() -> None:
    watched = Watched(versions="growing")
    (shown,) = watched.take(0, book(99, {"1.1": "1"}, {}))
    assert isinstance(shown, Book)
    watched.now += 40
    assert told(watched.take(0, book(100, {"1.3": "1"}, {}))) == ["stale"], "a crossed book is one all the same"
    assert is_growing(watched.take(1, whole(200)))
    assert told(watched.take(1, book(300, {"1.1": "1"}, {}))) == ["Book"]


# --- versions that fall back


def test_versions_that_stay_below_make_the_book_stale_after_five_messages() -> None:
    watched = Watched()
    watched.now = 2.2
    for version in range(1, 5):
        assert watched.take(0, book(version, {"1.1": "1"}, {})) == []
    (stale,) = watched.take(0, book(5, {"1.1": "1"}, {}))
    assert stale == StreamState(
        "book",
        "stale",
        "expected a version above 10, got 5 messages in a row that are not, the latest of version 5; subscribing again",
    )
    assert calls(watched.session) == [(5, 0), (4, 1)]
    (live, shown) = watched.take(1, whole(6))
    assert (live.state, shown.sequence) == ("live", 6)


def test_versions_that_stay_below_make_the_book_stale_after_two_seconds_of_messages() -> None:
    watched = Watched()
    for watched.now in (5.0, 6.9):
        assert watched.take(0, book(3, {"1.1": "1"}, {})) == []
    watched.now = 7.0
    assert told(watched.take(0, book(4, {"1.1": "1"}, {}))) == ["stale"]


def test_what_trails_a_snapshot_is_normal() -> None:
    watched = Watched()
    for watched.now in (0.2, 1.0, 2.0):
        assert watched.take(0, *(book(version, {"1.1": "1"}, {}) for version in range(10))) == []
    watched.now = 2.3
    assert told(watched.take(0, book(11, {"1.1": "2"}, {}))) == ["Book"]


def test_a_message_that_is_above_ends_the_row() -> None:
    watched = Watched()
    for version in range(11, 40):
        watched.now += 1.9
        assert watched.take(0, *(book(5, {"1.1": "7"}, {}) for _ in range(4))) == []
        assert told(watched.take(0, book(version, {"1.1": str(version)}, {}))) == ["Book"]


def test_the_same_version_again_is_no_fall_unless_it_says_something_else() -> None:
    watched = Watched()
    for _ in range(20):
        watched.now += 3
        assert watched.take(0, book(10, {"1.0": "5", "0.5": "0"}, {})) == []
    assert watched.take(0, *(book(10, {"1.0": str(size)}, {}) for size in range(6, 10))) == []
    assert told(watched.take(0, book(10, {"1.0": "10"}, {}))) == ["stale"]


# --- the doubtful book, against plain dicts

prices = st.integers(1, 12)
changes = st.lists(st.tuples(prices, st.integers(0, 3)), max_size=4)


def level(price: int, size: int) -> Level:
    return Level(Decimal(price), Decimal(size))


def delta(bids: list[tuple[int, int]], asks: list[tuple[int, int]], version: int) -> BookDelta:
    return BookDelta([level(*row) for row in bids], [level(20 + price, size) for price, size in asks], version)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(changes, changes, st.integers(1, 30)), min_size=2, max_size=12), st.data())
def test_a_doubtful_book_remembers_what_it_was(steps: list[Any], data: st.DataObject) -> None:
    held: tuple[dict[int, int], dict[int, int]] = ({3: 1, 5: 2}, {4: 1})
    real = OrderBook()
    real.snapshot(*delta(list(held[0].items()), list(held[1].items()), 10))
    version, skipped, doubtful = 10, 0, None
    known: dict[int, tuple[list[tuple[int, int]], list[tuple[int, int]], int]] = {}
    for bids, asks, forward in steps:
        forward = forward if doubtful is not None else max(2, forward)
        skipped, version = skipped + forward - 1, version + forward
        change = delta(bids, asks, version)
        if doubtful is None:
            doubtful = DoubtfulBook(real, change)
        else:
            doubtful.merge(change)
            doubtful.merge(change)  # once more changes nothing
        for side, rows in zip(held, (bids, asks), strict=True):
            side.update(rows)
        alive = [sorted((price, size) for price, size in side.items() if size) for side in held]
        known[version] = (alive[0], alive[1], skipped)
    assert doubtful is not None
    for version, (of_bids, of_asks, skips) in known.items():
        snapshot = OrderBook()
        snapshot.snapshot(*delta(of_bids, of_asks, version))
        assert doubtful.compared(snapshot) == ("proof" if skips >= 20 else "nothing")
        price = data.draw(prices)
        sizes = dict(of_asks)
        sizes[price] = sizes.get(price, 0) + 1
        snapshot.snapshot(*delta(of_bids, list(sizes.items()), version))
        assert doubtful.compared(snapshot) == "disproof"
    for version in set(range(8, max(known))) - known.keys():
        snapshot.sequence = version
        assert doubtful.compared(snapshot) == "nothing"
    snapshot.sequence = max(known) + 1
    assert doubtful.compared(snapshot) is None


def test_what_a_doubtful_book_remembers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(b2trader_versions, "MOST_REMEMBERED", 10)
    real = OrderBook()
    real.snapshot(*delta([(1, 1)], [(1, 1)], 1))
    doubtful = DoubtfulBook(real, delta([], [], 100))
    for version in range(101, 200):
        doubtful.merge(delta([(1, version)], [], version))
        assert len(doubtful._steps) <= 5
    snapshot = OrderBook()
    for version, verdict in ((198, "proof"), (197, "proof"), (120, "nothing")):
        snapshot.snapshot(*delta([(1, version)], [(1, 1)], version))
        assert doubtful.compared(snapshot) == verdict


@pytest.mark.parametrize("was_replaced", [False, True])
@pytest.mark.parametrize(("most", "verdict"), [(10, "proof"), (9, "nothing")])
def test_so_many_rows_of_what_a_doubtful_book_was_are_remembered(
    most: int, verdict: str, was_replaced: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(b2trader_versions, "MOST_REMEMBERED", most)
    real = OrderBook()
    real.snapshot(*delta([(1, 1)], [(1, 1)], 1))
    doubtful = DoubtfulBook(real, delta([], [], 100))
    if was_replaced:
        doubtful.merge(delta([(1, 2)], [], 101))
        doubtful.replace(delta([(1, 1)], [(1, 1)], 110))
        doubtful.merge(delta([], [], 150))
        doubtful.merge(delta([], [], 151))
    first = doubtful.version
    for version in range(200, 205):
        doubtful.merge(delta([(1, version)], [], version))  # each is a row, and one for itself
    snapshot = OrderBook()
    snapshot.snapshot(*delta([(1, 1)], [(1, 1)], first))
    assert doubtful.compared(snapshot) == verdict


def test_what_a_doubtful_book_was_before_a_whole_state_is_forgotten() -> None:
    real = OrderBook()
    real.snapshot(*delta([(1, 1)], [(1, 1)], 1))
    doubtful = DoubtfulBook(real, delta([], [], 100))
    doubtful.merge(delta([(2, 1)], [], 101))
    doubtful.replace(delta([(1, 5)], [(1, 1)], 110))
    doubtful.merge(delta([(1, 6)], [], 140))
    snapshot = OrderBook()
    for version, bids, verdict in ((140, 6, "proof"), (110, 5, "nothing"), (101, 5, "nothing"), (100, 5, "nothing")):
        snapshot.snapshot(*delta([(1, bids)], [(1, 1)], version))
        assert doubtful.compared(snapshot) == verdict
    snapshot.snapshot(*delta([(1, 6)], [(1, 1)], 110))
    assert doubtful.compared(snapshot) == "disproof"


@pytest.mark.parametrize(("version", "verdict"), [(130, "nothing"), (131, "proof")])
def test_from_a_whole_state_on_twenty_skipped_versions_are_a_proof(version: int, verdict: str) -> None:
    real = OrderBook()
    real.snapshot(*delta([(1, 1)], [(1, 1)], 1))
    doubtful = DoubtfulBook(real, delta([], [], 100))
    doubtful.replace(delta([(1, 5)], [(1, 1)], 110))
    doubtful.merge(delta([(1, 6)], [], version))
    snapshot = OrderBook()
    snapshot.snapshot(*delta([(1, 6)], [(1, 1)], version))
    assert doubtful.compared(snapshot) == verdict


def test_a_doubtful_book_that_is_crossed_says_so() -> None:
    real = OrderBook()
    real.snapshot(*delta([(1, 1)], [(1, 1)], 1))
    with pytest.raises(CrossedBook):
        DoubtfulBook(real, BookDelta([level(30, 1)], [], 5))


# --- real markets

SAMPLE = [(0.2, 1.0, 20), (0.3, 3.0, 1), (1.0, 1.0, 5), (2.0, 10.0, 1_000_000)]


@pytest.mark.slow("tapes go on in their own time, with gaps of up to two seconds")
@pytest.mark.parametrize(("gap", "speed", "depth"), SAMPLE)
@pytest.mark.parametrize("tape", TAPES, ids=lambda tape: tape.name)
def test_every_book_of_a_tape_with_gaps_is_that_of_its_version(
    tape: Path, gap: float, speed: float, depth: int
) -> None:
    hub = TapeHub(list(versions_of(tape_lines(tape))), gap=gap, depth=depth)
    hub.run(speed, rest=40.0)
    assert hub.check(depth) > 5
    assert hub.statuses()[-1].state == "live"
    assert hub.most_at_once <= 4


@needs_tapes
@pytest.mark.parametrize("late", [0.0, 0.3])
def test_a_tape_with_gaps_and_holes_is_never_wrong(late: float) -> None:
    draw = random.Random(1)
    versions = list(versions_of(tape_lines(TAPES[1]), lambda seconds: draw.choice((0,) * 20 + (3,))))
    hub = TapeHub(versions, gap=0.7, late=late)
    hub.run(0.5)
    assert hub.check(20) > 5
    assert hub.line.lesson.forbidden


def holes(every: float, size: int) -> Any:
    """Leaves out so many versions every so many seconds of the tape."""
    until = every

    def hole(seconds: float) -> int:
        nonlocal until
        if seconds < until:
            return 0
        until = seconds + every
        return size

    return hole


@needs_tapes
@pytest.mark.parametrize(("late", "size"), [(0.0, 1), (0.5, 1), (0.0, 9)])
def test_where_skips_lose_nothing_the_book_is_live_within_a_minute_and_stays_live(late: float, size: int) -> None:
    speed = 0.25  # two minutes
    versions = list(versions_of(tape_lines(TAPES[1]), holes(0.2 * speed, size)))
    hub = TapeHub(versions, late=late)
    hub.run(speed)
    hub.check(20)
    *before, last = hub.statuses()
    assert (last.state, last.versions) == ("live", "growing")
    assert last.reason is not None
    assert (last.received - 1_700_000_000_000) < 60_000
    assert [status.versions for status in before] == [None] * len(before)
    assert min(later - earlier for (earlier, _), (later, _) in itertools.pairwise(hub.asked)) >= 0.999, "paced"


@needs_tapes
@pytest.mark.parametrize("how", [{"refuses": "Only one stream at a time."}, {"mute": True}])
def test_where_a_second_invocation_is_not_had_nothing_is_learnt_and_nothing_is_wrong(how: dict[str, Any]) -> None:
    versions = list(versions_of(tape_lines(TAPES[1]), holes(0.2, 9)))
    hub = TapeHub(versions, **how)
    hub.run(1.0)
    assert hub.check(20) > 5
    assert hub.most_at_once == 1
    assert not any(status.versions for status in hub.statuses())
