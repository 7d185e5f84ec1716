"""How a venue's clock stands to ours: what is believed, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from venues.toolkit.clock import FAR, LATEST, NewestState, VenueClock
from venues.toolkit.times import span
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


@pytest.mark.parametrize(("distance", "is_known"), [(-6_999, False), (-7_000, True), (-7_001, True)])
def test_a_message_five_seconds_later_than_a_first_late_one_is_the_exception(distance: int, is_known: bool) -> None:
    clock = VenueClock()
    assert believed(clock, [-2_000, distance]) == [True, True]
    assert clock.shown_by(at(0.1)) == (START + 100 - 2_000 if is_known else None)


def test_a_step_of_our_clock_moves_the_message_that_came_last_too() -> None:
    """By which 4 seconds more are no fall: with the step in between it would be one of 7."""
    clock = VenueClock()
    assert clock.see(START - 2_000, at(0))
    now = at(0.2, stepped=3_000)
    assert clock.see(now.epoch_ms - 9_000, now)
    assert clock.shown_by(now) is None
    now = at(0.3, stepped=3_000)
    assert clock.see(now.epoch_ms - 14_000, now)
    assert clock.shown_by(now) == now.epoch_ms - 9_000, "five seconds more are one"


@pytest.mark.parametrize(
    ("count", "every", "is_proved"), [(5, 2.5, True), (5, 2.499, False), (4, 4.0, False), (11, 1.0, True)]
)
def test_a_feed_that_is_a_little_late_for_ten_seconds_is_how_late_its_messages_are(
    count: int, every: float, is_proved: bool
) -> None:
    clock = VenueClock()
    assert believed(clock, [0]) == [True]
    assert believed(clock, [-3_000] * count, since=1.0, every=every) == [True] * count
    now = at(60)
    assert clock.shown_by(now) == now.epoch_ms - (3_000 if is_proved else 0)
    assert (clock.offset_ms, clock.went_back, clock.take()) == (0, 0, [])


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


@pytest.mark.parametrize(("ahead", "agrees"), [(FAR - 1, True), (FAR, False), (FAR + 1, False), (-DAY, True)])
def test_a_stamp_agrees_with_what_is_proved_if_it_is_late_or_less_than_far_ahead(ahead: int, *, agrees: bool) -> None:
    clock = VenueClock()
    assert believed(clock, [0]) == [True]
    assert clock.believes(START + ahead, at(0)) == agrees


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


def test_what_messages_hint_at_proves_nothing_and_moves_on_with_the_time() -> None:
    clock = VenueClock()
    assert (clock.hinted_by(at(0)), clock.settled, clock.went_back) == (None, 0, 0)
    clock.see(-1, at(0))
    assert clock.hinted_by(at(0)) is None, "a time that cannot be hints at none"
    believed(clock, [HOUR])
    assert (clock.hinted_by(at(0)), clock.hinted_by(at(7))) == (START + HOUR, START + HOUR + 7_000)
    believed(clock, [HOUR + 400, HOUR + 10], since=0.1)
    assert clock.hinted_by(at(1)) == START + HOUR + 1_400, "the one that took least shows the clock best"
    clock.see(START + 300 + HOUR, at(0.3, 90_000))  # our clock was set, theirs was not
    assert clock.hinted_by(at(1, 90_000)) == START + HOUR + 1_400
    assert (clock.shown_by(at(1)), clock.settled) == (None, 0)
    believed(clock, [HOUR], since=0.4)
    assert clock.hinted_by(at(1)) is None, "it is proved"
    assert (clock.shown_by(at(1)), clock.settled, clock.went_back) == (START + HOUR + 1_400, 1, 0)


def test_messages_that_agree_with_our_clock_hint_at_nothing_more() -> None:
    clock = VenueClock()
    believed(clock, [0, 30])
    assert (clock.hinted_by(at(1)), clock.shown_by(at(1)), clock.settled) == (None, START + 1_000, 0)
    believed(clock, [HOUR], since=1.0)
    assert clock.hinted_by(at(1)) is None


@pytest.mark.parametrize(
    ("step", "faster", "moved"),
    [(-1_000, 0, 0), (1_000, 0, 0), (-1_000, 1, 1_000), (1_000, -1, -1_000), (-999, 2, 0), (999, -2, 0)],
)
def test_a_step_of_our_clock_of_a_second_counts_once_a_message_does_not_fit(step: int, faster: int, moved: int) -> None:
    clock = VenueClock()
    believed(clock, [HOUR] * 5)
    assert clock.see(START + 1_000 + HOUR + faster, at(1.0, step))
    assert clock.offset_ms == HOUR + moved
    assert clock.shown_by(at(2.0, step)) == START + 2_000 + HOUR


@pytest.mark.parametrize("distance", [-1_000, 1_000])
def test_a_message_that_is_a_second_off_ends_the_row_of_an_exception(distance: int) -> None:
    clock = VenueClock()
    believed(clock, [0, HOUR, *[distance] * 200])
    assert (clock.offset_ms, clock.settled, clock.shown_by(at(0))) == (0, 0, START)


def test_a_feed_that_is_late_after_an_exception_is_no_clock_that_goes_back() -> None:
    clock = VenueClock()
    believed(clock, [*[-HOUR] * 5, 0, -HOUR, *[-HOUR - 3_000] * 300])
    assert (clock.offset_ms, clock.went_back) == (-HOUR, 0)


@pytest.mark.parametrize(
    ("stamp", "words_said"),
    [
        (-1, ["a message says -1 for its time, which cannot be; nothing is moved by it"]),
        (0, []),
        (START + 4_999, []),
        (START + 5_000, ["a message says 2023-11-14 22:13:25 UTC for its time, 5.0 s ahead of our clock"]),
        (LATEST, ["a message says 9999-12-31 23:59:59 UTC for its time, 2913221 days ahead of our clock"]),
        (LATEST + 1, [f"a message says {LATEST + 1} for its time, which cannot be"]),
    ],
)
def test_what_is_said_of_a_time_that_is_not_believed(stamp: int, words_said: list[str]) -> None:
    clock = VenueClock()
    assert clock.see(stamp, at(0)) is not bool(words_said)
    ends = "; nothing is moved by it"
    assert words(clock.take()) == [text.removesuffix(ends) + ends for text in words_said]


@pytest.mark.parametrize(
    ("ahead", "words_said"), [(4_999, []), (5_000, ["for its time, 5.0 s ahead of its others; nothing is moved by it"])]
)
def test_how_far_a_message_may_be_ahead_of_others_that_are_behind_us(ahead: int, words_said: list[str]) -> None:
    clock = VenueClock()
    believed(clock, [-HOUR] * 5)
    clock.take()
    assert believed(clock, [-HOUR + ahead], since=1.0) == [not words_said]
    assert [text.partition(" UTC ")[2] for text in words(clock.take())] == words_said


@pytest.mark.parametrize(
    ("proved", "distance", "is_believed"),
    [
        (-30 * SECOND, 0, True),  # that was the way, and this one came at once
        (-30 * SECOND, 4_999, True),
        (-30 * SECOND, 5_000, False),
        (HOUR, HOUR + 4_999, True),
        (HOUR, HOUR + 5_000, False),
        (HOUR, 0, True),
        (-HOUR, 0, False),
    ],
)
def test_what_is_believed_beside_a_proved_distance(proved: int, distance: int, is_believed: bool) -> None:
    clock = VenueClock()
    assert believed(clock, [*[proved] * 130, distance])[-1] is is_believed


@pytest.mark.parametrize(("later", "said"), [(59.9, False), (60.0, True)])
def test_doubts_are_said_once_a_minute_with_their_number(later: float, said: bool) -> None:
    clock = VenueClock()
    for seconds in (0, 1, later):
        clock.see(-1, at(seconds))
    doubt = "a message says -1 for its time, which cannot be; nothing is moved by it"
    assert words(clock.take()) == [doubt, *[f"{doubt} (3 such times so far)"] * said]


@pytest.mark.parametrize(("offset", "again"), [(2 * HOUR, True), (HOUR + 5_000, True), (HOUR + 4_999, False)])
@pytest.mark.parametrize("later", [59.9, 60.0])
def test_an_offset_is_said_again_when_it_has_changed_much_and_once_a_minute(
    offset: int, again: bool, later: float
) -> None:
    clock = VenueClock(["trades"])
    believed(clock, [HOUR] * 5)
    assert words(clock.take())[-1] == "the venue's clock is 60 min ahead of ours; ages are told with that taken out"
    believed(clock, [offset] * 5, since=later)
    items = clock.take()
    assert offsets(items) == [offset]
    assert [text for text in words(items) if "ages are told" in text] == [
        f"the venue's clock is {span(offset)} ahead of ours; ages are told with that taken out"
    ] * (again and later >= 60)


@pytest.mark.parametrize(
    ("distance", "offset"),
    [(-60_000, 0), (-60_001, -60_001), (1_000, 0), (1_001, 1_001), (-59_999, 0), (3_000, 3_000)],
)
def test_a_minute_behind_may_be_the_way_and_ahead_is_the_clock(distance: int, offset: int) -> None:
    clock = VenueClock()
    believed(clock, [distance] * 6)
    assert (clock.offset_ms, clock.shown_by(at(0))) == (offset, START + distance)


def state_of(clock: VenueClock) -> NewestState:
    newest = NewestState(clock)
    newest.shows(START)
    return newest


def test_an_older_state_is_older_than_the_one_that_is_shown() -> None:
    clock = VenueClock()
    assert NewestState(clock).older_by(0) == 0
    newest = state_of(clock)
    assert [newest.older_by(START + ms) for ms in (-7, 0, 5)] == [7, 0, 0]
    newest.shows(START + 9)
    assert newest.older_by(START) == 9


def test_a_state_whose_time_is_not_believed_keeps_no_believed_one_out() -> None:
    newest = state_of(VenueClock())
    newest.shows(START + HOUR, at(0), believed=False)
    assert [newest.older_by(START + ms) for ms in (-7, 0, 5)] == [7, 0, 0]
    assert [newest.older_by(START + HOUR + ms, believed=False) for ms in (-7, 0, 5)] == [7, 0, 0]
    newest.shows(START + 5)
    assert newest.older_by(START + HOUR - 7, believed=False) == 0, "the doubtful one is not shown any more"
    newest.shows(START + HOUR, believed=False)
    assert newest.older_by(START + HOUR - 7) == 7, "without the moment it counts as believed"


def test_a_state_that_was_not_believed_counts_once_the_clock_agrees_with_it() -> None:
    clock = VenueClock()
    newest = NewestState(clock)
    assert not clock.see(START + HOUR, at(0))
    newest.shows(START + HOUR, at(0), believed=False)
    assert newest.older_by(START + HOUR - 7) == 0
    believed(clock, [HOUR] * 5, since=0.1)
    assert [newest.older_by(START + HOUR + ms) for ms in (-7, 0, 5)] == [7, 0, 0]


def test_when_the_clock_has_gone_back_any_state_may_be_shown() -> None:
    clock = VenueClock()
    believed(clock, [0] * 5)
    newest = state_of(clock)
    newest.shows(START + HOUR, at(0), believed=False)
    believed(clock, [-HOUR] * 130, since=1.0)
    assert clock.went_back == 1
    assert (newest.older_by(START - HOUR), newest.older_by(START - HOUR, believed=False)) == (0, 0)
    newest.shows(START - HOUR + 9)
    assert newest.older_by(START - HOUR) == 9


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
