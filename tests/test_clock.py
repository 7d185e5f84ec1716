"""How a venue's clock stands to ours: what is believed, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from venues.toolkit.clock import FAR, LATEST, VenueClock
from venues.venue import ClockOffset, Item, Notice, Now

if TYPE_CHECKING:
    from collections.abc import Iterable

START = 1_700_000_000_000
SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
SKEWS = [2 * DAY, HOUR, 2 * MINUTE, 6 * SECOND, -2 * MINUTE, -HOUR, -2 * DAY, -50 * 365 * DAY]


def at(seconds: float, stepped: int = 0) -> Now:
    """Both our clocks so many seconds after the start; the wall clock was set by so many milliseconds."""
    return Now(100.0 + seconds, START + round(seconds * 1000) + stepped)


def believed(clock: VenueClock, distances: Iterable[int], since: float = 0.0, every: float = 0.1) -> list[bool]:
    """What is made of messages that are so far from our clock, one every `every` seconds."""
    told = []
    for index, distance in enumerate(distances):
        now = at(since + index * every)
        told.append(clock.see(now.epoch_ms + distance, now))
    return told


def words(items: Iterable[Item]) -> list[str]:
    return [item.text for item in items if isinstance(item, Notice)]


def offsets(items: Iterable[Item]) -> list[int]:
    return [item.ms for item in items if isinstance(item, ClockOffset)]


def test_a_clock_like_ours_is_believed_at_once_and_nothing_is_said() -> None:
    clock = VenueClock(["trades"])
    assert believed(clock, [-20, -3, 0, -700, 15, -40]) == [True] * 6
    assert (clock.offset_ms, clock.take()) == (0, [])


@pytest.mark.parametrize(("distance", "agrees"), [(1_000, True), (-1_000, True), (1_001, False), (-1_001, False)])
def test_one_message_is_enough_where_both_clocks_agree_within_a_second(distance: int, *, agrees: bool) -> None:
    clock = VenueClock(["trades"])
    assert believed(clock, [distance]) == [True]
    assert clock.shown_by(at(0)) == (START + distance if agrees else None)


def test_small_steps_of_our_clock_are_one_large_one() -> None:
    """Each is too small to be told from a message that took longer; the venue's clock is where it was all the time."""
    clock = VenueClock(["trades"])
    for number in range(10):
        now = at(number, stepped=900 * number)
        assert clock.see(now.epoch_ms - 900 * number, now)
        assert clock.shown_by(now) == START + 1000 * number
    assert abs(clock.venue_now(at(10, stepped=8_100)) - (START + 10_000)) <= 1_000


@pytest.mark.parametrize("ahead", [5 * SECOND, HOUR, 2 * DAY, 40 * 365 * DAY])
def test_one_stamp_far_ahead_is_not_believed_and_moves_nothing(ahead: int) -> None:
    clock = VenueClock(["trades"])
    assert believed(clock, [-20, -20, ahead, -20, -20, ahead, -20]) == [True, True, False, True, True, False, True]
    assert clock.offset_ms == 0
    items = clock.take()
    assert len(words(items)) == 1
    assert offsets(items) == []
    assert "ahead of our clock; nothing is moved by it" in words(items)[0]


def test_a_stamp_a_little_ahead_is_believed() -> None:
    clock = VenueClock()
    assert believed(clock, [0, 4_900, 0]) == [True] * 3
    assert (clock.offset_ms, clock.take()) == (0, [])


def test_the_first_message_of_a_line_counts_by_our_own_clock() -> None:
    clock = VenueClock(["trades"])
    assert believed(clock, [HOUR]) == [False]
    assert clock.venue_now(at(0)) == START
    assert believed(clock, [-20] * 3, since=1.0) == [True] * 3


def test_a_flood_of_doubtful_stamps_is_said_seldom_and_counted() -> None:
    clock = VenueClock()
    believed(clock, [0, *[HOUR, 0] * 3_000], every=0.02)
    said = words(clock.take())
    assert len(said) == 2
    assert "such times so far" not in said[0]
    assert "such times so far)" in said[1]


@pytest.mark.parametrize("skew", SKEWS)
def test_five_messages_in_a_row_prove_the_clock(skew: int) -> None:
    clock = VenueClock(["book", "quotes"])
    is_far = skew >= 5 * SECOND
    assert believed(clock, [skew, skew - 30, skew + 400, skew - 2]) == [not is_far] * 4
    assert clock.offset_ms == 0
    clock.take()
    assert believed(clock, [skew - 1, skew], since=0.4) == [True, True]
    assert abs(clock.offset_ms - skew) <= 400
    assert clock.venue_now(at(7)) == at(7).epoch_ms + clock.offset_ms
    items = clock.take()
    assert items[:2] == [ClockOffset("book", clock.offset_ms), ClockOffset("quotes", clock.offset_ms)]
    assert len(words(items)) == 1
    assert ("ahead of ours" if skew > 0 else "behind ours") in words(items)[0]
    believed(clock, [skew] * 100, since=1.0)
    assert clock.take() == []


@pytest.mark.parametrize("skew", [HOUR, -HOUR])
def test_fewer_messages_prove_it_when_they_last_two_seconds(skew: int) -> None:
    clock = VenueClock()
    believed(clock, [skew, skew], every=1.9)
    assert clock.offset_ms == 0
    clock = VenueClock()
    assert believed(clock, [skew, skew], every=2.0)[-1]
    assert clock.offset_ms == skew


def test_messages_that_are_right_in_between_prove_that_the_others_are_not() -> None:
    clock = VenueClock()
    assert True not in believed(clock, [HOUR, 0] * 50)[::2]
    assert clock.offset_ms == 0
    assert True not in believed(VenueClock(), [HOUR, 2 * HOUR] * 50)


def test_an_old_time_that_is_told_again_and_again_proves_no_clock() -> None:
    clock = VenueClock(["candles"])
    for index in range(200):
        assert clock.see(START - 100_000, at(index / 10))
    assert (clock.offset_ms, clock.take()) == (0, [])


@pytest.mark.parametrize(("ahead", "offset"), [(1, 0), (0, -HOUR)])
def test_a_time_that_is_told_again_proves_a_clock_only_while_it_is_ahead(ahead: int, offset: int) -> None:
    clock = VenueClock()
    believed(clock, [-HOUR] * 5)
    now = at(1.0)
    for _ in range(5):
        clock.see(now.epoch_ms + ahead, now)
    assert clock.offset_ms == offset


@pytest.mark.parametrize(("skew", "said"), [(FAR, True), (FAR - 1, False)])
def test_that_the_clocks_differ_is_said_from_five_seconds_on(skew: int, said: bool) -> None:
    clock = VenueClock()
    believed(clock, [skew] * 5)
    assert clock.offset_ms == skew
    assert any("ahead of ours; ages" in text for text in words(clock.take())) == said


@pytest.mark.parametrize("distance", [0, -30 * SECOND, -59 * SECOND])
def test_a_delay_is_not_taken_for_the_clocks(distance: int) -> None:
    clock = VenueClock(["trades"])
    believed(clock, [distance] * 300)
    assert (clock.offset_ms, clock.take()) == (0, [])


def test_a_feed_that_falls_behind_little_by_little_is_no_clock() -> None:
    clock = VenueClock(["trades"])
    believed(clock, [-25 * index for index in range(20_000)], every=0.5)  # 500 s late after 10,000 s
    assert (clock.offset_ms, clock.went_back) == (0, 0)
    believed(clock, [-500 * SECOND] * 200, since=10_000.0)
    assert (clock.offset_ms, clock.went_back, clock.take()) == (0, 0, [])


def test_a_clock_has_gone_back_only_after_ten_seconds() -> None:
    clock = VenueClock(["trades"])
    believed(clock, [0] * 10)
    assert believed(clock, [-HOUR] * 100, since=1.0) == [True] * 100
    assert (clock.went_back, clock.offset_ms) == (0, 0)
    believed(clock, [-HOUR] * 2, since=11.0)
    assert (clock.went_back, clock.offset_ms) == (1, -HOUR)


def test_a_late_message_does_not_hide_that_a_clock_has_gone_back() -> None:
    clock = VenueClock()
    believed(clock, [0] * 5)
    believed(clock, [-HOUR - 40_000, *[-HOUR] * 3, -HOUR - 10_000, *[-HOUR] * 15], since=1.0, every=1.0)
    assert (clock.offset_ms, clock.went_back) == (-HOUR, 1)


def test_ten_seconds_need_five_messages_too() -> None:
    clock = VenueClock()
    believed(clock, [0, -HOUR, -HOUR, -HOUR, -HOUR], every=20.0)
    assert clock.went_back == 0
    believed(clock, [-HOUR], since=100.0)
    assert clock.went_back == 1


@pytest.mark.parametrize("speed", [1.2, 2.0, 10.0])
def test_a_replay_comes_faster_than_real_time(speed: float) -> None:
    clock = VenueClock()
    believed(clock, [0] * 10)
    believed(clock, [-HOUR + round(index * 100 * (speed - 1)) for index in range(300)], since=1.0)
    assert (clock.went_back, clock.offset_ms) == (0, 0)


def test_a_replay_right_after_the_first_messages_does_not_go_back_either() -> None:
    clock = VenueClock()
    believed(clock, [-3_000, -3_000, *[-10 * MINUTE] * 50])
    assert (clock.went_back, clock.offset_ms) == (0, 0)
    believed(clock, [-10 * MINUTE] * 60, since=5.2)
    assert (clock.went_back, clock.offset_ms) == (1, -10 * MINUTE)


@pytest.mark.parametrize("by", [-2 * DAY, -HOUR, -2 * SECOND, 30 * SECOND, HOUR, 2 * DAY])
def test_a_step_of_our_own_clock_moves_the_offset_at_once(by: int) -> None:
    clock = VenueClock(["trades"])
    believed(clock, [-20] * 10)
    now = at(2.0, by)
    assert clock.see(START + 2_000 - 20, now)
    assert clock.venue_now(now) == START + 2_000
    items = clock.take()
    assert offsets(items) == [-by]
    assert len(words(items)) == (abs(by) >= 5 * SECOND)
    now = at(3.0)  # set right again
    assert clock.see(START + 3_000 - 20, now)
    items = clock.take()
    assert offsets(items) == [0]
    assert words(items) == ["the venue's clock agrees with ours again"] * (abs(by) >= 5 * SECOND)
    assert clock.went_back == 0


def test_after_a_step_the_clock_may_be_proved_to_agree_again() -> None:
    clock = VenueClock()
    believed(clock, [-20] * 10)
    clock.see(START + 2_000 - 20, at(2.0, -HOUR))
    assert clock.offset_ms == HOUR
    for index in range(130):  # the venue had the same wrong time as we, and is set right later
        clock.see(at(3 + index / 10, -HOUR).epoch_ms, at(3 + index / 10, -HOUR))
    assert clock.offset_ms == 0


def test_a_step_of_our_own_clock_does_not_interrupt_a_proof() -> None:
    clock = VenueClock()
    believed(clock, [HOUR] * 4)
    assert clock.see(START + 400 + HOUR, at(0.4, 90_000))
    assert clock.offset_ms == HOUR - 90_000
    assert clock.went_back == 0


def test_what_was_doubtful_can_be_believed_later() -> None:
    clock = VenueClock()
    seen = [
        (at(index / 10).epoch_ms + distance, at(index / 10)) for index, distance in enumerate([0, DAY, *[HOUR] * 5])
    ]
    told = [clock.see(stamp, now) for stamp, now in seen]
    assert told == [True, False, False, False, False, False, True]
    assert [clock.believes(stamp, now) for stamp, now in seen] == [True, False, *[True] * 5]
    assert not VenueClock().believes(START, at(0))
    assert clock.see(START + 1_000 + HOUR, at(1.0, -DAY))
    assert clock.believes(*seen[2])


@pytest.mark.parametrize("skew", [*SKEWS, 3 * SECOND])
@pytest.mark.parametrize("late", [6 * SECOND, 10 * MINUTE])
def test_a_second_message_that_is_late_does_not_hide_how_the_clocks_differ(skew: int, late: int) -> None:
    clock = VenueClock(["trades"])
    believed(clock, [skew, skew - late, *[skew] * 5])
    assert clock.offset_ms == skew
    assert offsets(clock.take()) == [skew]


@pytest.mark.parametrize("skew", [-2 * DAY, -HOUR, -2 * MINUTE])
def test_where_the_venues_clock_is_behind_one_stamp_ahead_of_it_is_not_believed(skew: int) -> None:
    clock = VenueClock()
    ahead = skew + min(HOUR, -skew)  # not ahead of our clock
    assert believed(clock, [*[skew] * 5, ahead, skew, skew]) == [*[True] * 5, False, True, True]
    assert clock.offset_ms == skew
    assert "ahead of its others; nothing is moved by it" in words(clock.take())[-1]


@pytest.mark.parametrize("stamp", [-1, -(10**18), LATEST + 1, 10**18, 10**30])
def test_times_that_cannot_be_are_never_believed(stamp: int) -> None:
    clock = VenueClock()
    assert not any(clock.see(stamp, at(index)) for index in range(20))
    assert clock.offset_ms == 0
    assert len(words(clock.take())) == 1
    assert believed(clock, [0], since=21.0) == [True]


def test_a_stamp_in_seconds_moves_no_clock() -> None:
    clock = VenueClock()
    believed(clock, [0, 0])
    clock.see(START // 1000, at(1.0))
    assert (clock.offset_ms, clock.went_back) == (0, 0)


@given(
    st.lists(st.tuples(st.integers(0, 3_000), st.integers(-3 * DAY, 3 * DAY), st.integers(-HOUR, HOUR)), max_size=60)
)
def test_nothing_that_comes_breaks_it(messages: list[tuple[int, int, int]]) -> None:
    clock, seconds = VenueClock(["trades"]), 0.0
    for pause, distance, step in messages:
        seconds += pause / 1000
        now = at(seconds, step if step % 3 == 0 else 0)
        clock.see(now.epoch_ms + distance, now)
        assert clock.venue_now(now) == now.epoch_ms + clock.offset_ms
    told = offsets(clock.take())
    assert told == [] or told[-1] == clock.offset_ms
