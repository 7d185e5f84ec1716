"""Rows with a time of their own: what came late changes nothing, at no venue's own way of telling it."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from venues.errors import BadMessage
from venues.toolkit import row_times
from venues.toolkit.row_times import Remembered, RowTimes
from venues.toolkit.times import PER_MS
from venues.venue import Now

START = 1_700_000_000_000


def at(ms: int) -> Now:
    """`ms` after the start, by both clocks."""
    return Now(1.0 + ms / 1000, START + ms)


def seen(
    times: RowTimes, key: object, ms: float | None, *, gone: bool = False, now: int = 1_000, ahead: int = 0
) -> bool:
    stamp = None if ms is None else int((START + ms) * PER_MS)
    return times.is_news((key, stamp, gone), at(now), START + now + ahead)


def test_an_older_update_changes_nothing() -> None:
    times = RowTimes()
    assert seen(times, 7, 200)
    assert not seen(times, 7, 100)
    assert seen(times, 8, 100)
    assert seen(times, 7, 300)


def test_a_row_that_is_gone_stays_gone_for_an_older_update_only() -> None:
    times = RowTimes()
    assert seen(times, 7, 200, gone=True)
    assert not seen(times, 7, 100)
    assert seen(times, 7, 300)
    assert not seen(times, 7, 250, gone=True)


def test_where_times_are_equal_or_absent_arrival_decides() -> None:
    times = RowTimes()
    assert seen(times, 7, 200, gone=True)
    assert seen(times, 7, 200)
    assert seen(times, 7, None, gone=True)
    assert seen(times, 7, None)
    assert not seen(times, 7, 100)  # what has no time came after one of 200


def test_all_digits_count() -> None:
    times = RowTimes()
    assert times.is_news((7, START * PER_MS + 200, True), at(0), START)
    assert not times.is_news((7, START * PER_MS + 100, False), at(0), START)
    assert times.is_news((7, START * PER_MS + 300, False), at(0), START)


def test_a_whole_state_replaces_everything_but_what_was_gone_later() -> None:
    times = RowTimes()
    seen(times, "open", 500)
    seen(times, "gone", 500, gone=True)
    seen(times, "missing", 500)
    state = [(key, (START + 400) * PER_MS, False) for key in ("open", "gone")]
    assert times.replace(state, at(1_000), START + 1_000) == [True, False]
    assert not seen(times, "missing", 400)  # it was in the state before, and is not in this one
    assert not seen(times, "open", 300)
    assert seen(times, "open", 450)  # the state has it as of 400
    assert times.replace([("gone", (START + 600) * PER_MS, False)], at(1_000), START + 1_000) == [True]


def test_of_a_row_that_a_whole_state_has_twice_the_newer_one_counts() -> None:
    times = RowTimes()
    state = [(7, (START + ms) * PER_MS, gone) for ms, gone in ((200, True), (100, False))]
    assert times.replace(state, at(1_000), START + 1_000) == [True, False]


HOUR = 3_600_000


def test_a_time_far_ahead_does_not_block_later_ones_that_are_right() -> None:
    times = RowTimes()
    assert seen(times, 7, 100, now=100)
    assert seen(times, 7, HOUR, now=200)
    assert not seen(times, 7, 50, now=250)  # older than the last time that was believed
    assert seen(times, 7, 300, now=300)
    assert not seen(times, 7, 200, now=400)
    assert seen(times, 7, 10_000, now=6_000)  # ahead by less than 5 s: it is believed
    assert not seen(times, 7, 9_000, now=6_100)


def test_a_time_ahead_is_not_believed_later_either_only_because_our_clock_has_come_nearer() -> None:
    times = RowTimes()
    assert seen(times, 7, 10_000, now=0)
    assert seen(times, 7, 6_000, now=6_000)


def test_rows_that_are_all_ahead_are_in_order_among_themselves() -> None:
    times = RowTimes()
    assert seen(times, 7, HOUR, gone=True, now=0)
    assert not seen(times, 7, HOUR - 100, now=100)
    assert seen(times, 7, HOUR + 100, now=200)


def test_a_clock_that_is_known_to_be_ahead_is_believed() -> None:
    times = RowTimes()
    assert seen(times, 7, HOUR, gone=True, now=0)  # not believed yet
    assert not seen(times, 7, HOUR - 100, now=100, ahead=HOUR)
    assert seen(times, 7, HOUR + 100, now=200, ahead=HOUR)
    assert not seen(times, 7, HOUR, now=300, ahead=HOUR)


def test_a_venue_whose_clock_has_gone_back_is_heard() -> None:
    times = RowTimes()
    assert seen(times, 7, HOUR, now=0, ahead=HOUR)
    assert seen(times, 7, 100, now=100, ahead=0)


@pytest.mark.parametrize(("ahead", "is_believed"), [(4_999, True), (5_000, False), (5_001, False)])
@pytest.mark.parametrize("passed", [0, 1, 60_000])
@pytest.mark.parametrize("clock", [0, 20_000])
def test_a_time_is_believed_that_is_less_than_five_seconds_ahead(
    ahead: int, is_believed: bool, passed: int, clock: int
) -> None:
    """By the later one of both clocks, whatever time passes until the next update."""
    times = RowTimes()
    assert seen(times, 7, 100, now=100)
    assert seen(times, 7, 100_000 + clock + ahead, now=100_000, ahead=clock)
    right = 100_000 + clock + ahead - 1
    assert seen(times, 7, right, now=100_000 + passed + max(0, ahead - 4_000), ahead=clock) is not is_believed
    assert not seen(times, 7, 99, now=200_000, ahead=clock), "the latest one that was believed counts in any case"


@pytest.mark.parametrize("ahead", [4_999, 5_000, 5_001])
@pytest.mark.parametrize("clock", [0, 20_000])
def test_behind_a_time_far_ahead_the_latest_that_was_believed_counts(ahead: int, clock: int) -> None:
    times = RowTimes()
    assert seen(times, 7, 100, now=100)
    assert seen(times, 7, 100_000 + clock + ahead, now=100_000, ahead=clock)
    assert not seen(times, 7, 99, now=100_000, ahead=clock)
    assert seen(times, 7, 100, now=100_000, ahead=clock) is (ahead >= 5_000)


@pytest.mark.parametrize(("ahead", "is_older"), [(4_999, False), (5_000, True)])
def test_of_two_times_far_ahead_the_older_one_changes_nothing(ahead: int, is_older: bool) -> None:
    times = RowTimes()
    assert seen(times, 7, HOUR, now=100_000)
    assert seen(times, 7, 100_000 + ahead, now=100_000) is not is_older


def test_of_equal_times_far_ahead_arrival_decides() -> None:
    times = RowTimes()
    assert [seen(times, 7, HOUR, now=now) for now in (0, 1, 2)] == [True] * 3


@pytest.mark.parametrize(("ahead", "counts"), [(4_999, True), (5_000, False)])
def test_a_forgotten_row_tells_how_new_an_unknown_one_may_be(
    ahead: int, counts: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_times, "MOST_GONE", 1)
    times = RowTimes()
    assert seen(times, 7, 100_000 + ahead, now=100_000)
    assert seen(times, 8, 100_001, now=100_000)
    times.replace([], at(100_000), START)
    assert times.is_later(7, 0), "it is forgotten"
    assert not times.is_later(8, 0)
    assert times.is_lacking(9, (START + 100_000 + ahead - 1) * PER_MS) is counts
    assert not times.is_lacking(9, (START + 100_000 + ahead) * PER_MS)


def test_rows_that_a_full_state_has_again_take_no_room_of_those_that_are_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_times, "MOST_GONE", 1)
    times = RowTimes()
    older, newer = (8, (START + 50) * PER_MS, False), (7, (START + 100) * PER_MS, False)
    for rows in ([older, newer], [older, newer], [older]):
        times.replace(rows, at(1_000), START + 1_000)
    assert not times.is_later(7, 0)
    assert not times.is_lacking(9, (START + 60) * PER_MS)


def test_a_row_that_was_updated_again_is_not_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_times, "MOST_GONE", 2)
    times = RowTimes()
    for key, ms in (("a", 1), ("b", 2), ("a", 3), ("c", 4)):
        assert seen(times, key, ms, gone=True)
    assert [key for key in "abc" if times.is_later(key, 0)] == ["b"]


@pytest.mark.parametrize(("ms", "is_later"), [(99, False), (100, False), (101, True)])
@pytest.mark.parametrize("gone", [True, False])
def test_which_time_is_later_than_that_of_its_row(ms: int, is_later: bool, gone: bool) -> None:
    times = RowTimes()
    assert seen(times, 7, 100, gone=gone)
    assert times.is_later(7, (START + ms) * PER_MS) is is_later
    assert times.is_later(8, (START + ms) * PER_MS) is True


@pytest.mark.parametrize(
    ("key", "ms", "is_lacking"),
    [(9, 99, True), (9, 100, False), (9, 101, False), (9, None, False), (7, 99, False), (8, 99, False), (6, 99, False)],
)
def test_an_unknown_row_that_is_older_than_the_whole_state_is_lacking(
    key: int, ms: int | None, is_lacking: bool
) -> None:
    times = RowTimes()
    assert not times.is_lacking(9, (START + 99) * PER_MS), "there was no whole state yet"
    assert seen(times, 6, 50)
    assert seen(times, 8, 50, gone=True)
    state = [(7, (START + 100) * PER_MS, False), (5, (START + 70) * PER_MS, False)]
    assert times.replace(state, at(1_000), START) == [True, True]
    assert times.is_lacking(key, None if ms is None else (START + ms) * PER_MS) is is_lacking


@pytest.mark.parametrize(("ahead", "counts"), [(4_999, True), (5_000, False)])
@pytest.mark.parametrize("clock", [0, 20_000])
def test_a_time_far_ahead_does_not_tell_how_new_a_whole_state_is(ahead: int, counts: bool, clock: int) -> None:
    times = RowTimes()
    state = [(7, (START + 1_000 + clock + ahead) * PER_MS, False), (8, (START + 100) * PER_MS, False)]
    times.replace(state, at(1_000), START + 1_000 + clock)
    assert times.is_lacking(9, (START + 101) * PER_MS) is counts
    assert times.is_lacking(9, (START + 99) * PER_MS)


def test_a_whole_state_with_a_row_without_a_time_tells_nothing() -> None:
    times = RowTimes()
    times.replace([(7, (START + 100) * PER_MS, False), (8, None, False)], at(1_000), START)
    assert not times.is_lacking(9, (START + 50) * PER_MS)
    times.replace([(7, (START + 100) * PER_MS, False)], at(1_000), START)
    assert times.is_lacking(9, (START + 50) * PER_MS)


@pytest.mark.parametrize(("count", "is_refused"), [(row_times.MOST_AT_ONCE, False), (row_times.MOST_AT_ONCE + 1, True)])
def test_so_many_rows_may_come_at_once(count: int, is_refused: bool) -> None:
    if not is_refused:
        row_times.refuse_too_many([None] * count, "data")
        return
    with pytest.raises(BadMessage) as refused:
        row_times.refuse_too_many([None] * count, "data")
    assert str(refused.value) == f"expected at most {count - 1} rows at `data`, got {count}"


@pytest.mark.parametrize(
    ("most", "count", "left"),
    [(20, 21, 21), (20, 22, 20), (20, 30, 20), (90, 98, 98), (90, 99, 90), (5, 5, 5), (5, 6, 5)],
)
def test_the_oldest_are_forgotten_a_tenth_at_a_time(most: int, count: int, left: int) -> None:
    kept = {number: str(number) for number in range(count)}
    gone = row_times.forget_oldest(kept, most)
    assert gone == {number: str(number) for number in range(count - left)}
    assert [*kept] == [*range(count - left, count)]


def test_what_is_remembered_again_is_the_latest() -> None:
    known = Remembered(2)
    assert [known.add(one) for one in ("a", "b", "a", "c")] == [True, True, False, True]
    assert [one in known for one in "abc"] == [True, False, True]
    known.discard("a")
    known.discard("x")
    assert [one in known for one in "abc"] == [False, False, True]


@given(st.permutations(range(6)), st.sets(st.integers(0, 5)))
def test_in_whatever_order_updates_come_the_newest_is_what_remains(order: list[int], gone: set[int]) -> None:
    times, held = RowTimes(), None
    for ms in order:
        if seen(times, 7, ms, gone=ms in gone):
            held = ms
    assert held == 5


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_times, "MOST_ROWS", 5)
    monkeypatch.setattr(row_times, "MOST_GONE", 3)
    times = RowTimes()
    for key in range(10):
        seen(times, key, 500, gone=True)
    assert [seen(times, key, 400) for key in (9, 8, 7, 6, 0)] == [False, False, False, True, True]
    times = RowTimes()
    for key in range(10):
        seen(times, key, 500)
    assert [seen(times, key, 400) for key in (9, 8, 7, 6, 5, 4, 0)] == [*[False] * 5, True, True]
    times = RowTimes()
    times.replace([(key, (START + 500) * PER_MS, False) for key in range(5)], at(1_000), START)
    times.replace([], at(1_000), START)
    assert [seen(times, key, 400) for key in reversed(range(5))] == [False, False, False, True, True]
    remembered = Remembered(3)
    assert [remembered.add(n) for n in (1, 2, 3, 1, 4, 2)] == [True, True, True, False, True, True]
    assert 1 in remembered
    assert 3 not in remembered


def test_before_any_whole_state_nothing_is_lacking_however_old_it_says_to_be() -> None:
    times = RowTimes()
    assert not times.is_lacking(7, -PER_MS)
    times.replace([], at(0), START)
    assert not times.is_lacking(7, -PER_MS)
    times.replace([(8, 0, False)], at(0), START)
    assert times.is_lacking(7, -PER_MS)
    assert not times.is_lacking(7, 0)


def test_long_ids_cost_nothing() -> None:
    remembered = Remembered(10)
    long_id = "x" * 1_000_000
    before = sys.getrefcount(long_id)
    remembered.add((long_id, 1))
    assert sys.getrefcount(long_id) == before
