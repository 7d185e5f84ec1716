"""Signs of life: when a ping goes out, when its answer is due, what puts it off. Invented clocks."""

from __future__ import annotations

import pytest

from venues.keepalive import AGAIN_AFTER, LATE, SEEN_WITHIN, Keepalive, Steps, step_between
from venues.venue import Now


def keepalive() -> Keepalive:
    return Keepalive(0.0, every=4.0, within=5.0, message_within=60.0)


def told_at(watched: Keepalive, until: float, *, step: float = 0.05) -> tuple[float, str]:
    """The moment at which a silent line is lost, pinged whenever that is due, and the words."""
    at = watched.heard
    while at < until:
        at += step
        if problem := watched.problem(at):
            return at, problem
        if watched.ping_due(at):
            watched.pinged(at)
    raise AssertionError("the line was never lost")


def test_a_line_on_which_nothing_comes_is_told_within_ten_seconds() -> None:
    at, problem = told_at(keepalive(), 20)
    assert at < 9.2
    assert problem == "no answer to a ping within 5 s"


@pytest.mark.parametrize("answered_after", [0.01, 2.0, 4.9])
@pytest.mark.parametrize("then_silent_after", [0.0, 1.0, 3.99, 4.0])
def test_whenever_it_falls_silent(answered_after: float, then_silent_after: float) -> None:
    watched = keepalive()
    watched.pinged(4.0)
    watched.bytes_came(4.0 + answered_after, more_awaited=False)
    watched.answered(4.0)
    last = 4.0 + answered_after
    while last < 4.0 + answered_after + then_silent_after:
        last += 0.5
        if watched.ping_due(last):
            watched.pinged(last)
        watched.bytes_came(last, more_awaited=False)
        watched.message_came(last)
    assert told_at(watched, 40)[0] - last < 9.2


def test_the_bytes_of_one_message_put_the_answer_off() -> None:
    watched = keepalive()
    watched.bytes_came(1.0, more_awaited=True)
    watched.pinged(4.0)
    for tenth in range(41, 200):
        watched.bytes_came(tenth / 10, more_awaited=True)
        assert not watched.problem(tenth / 10)
        assert not watched.ping_due(tenth / 10), "one is enough while nothing can be said of its answer"
    watched.bytes_came(20.0, more_awaited=False)
    watched.message_came(20.0)
    assert not watched.problem(24.9), "the answer comes behind the message"
    assert watched.problem(25.0)


def test_once_whole_messages_came_the_answer_is_due() -> None:
    watched = keepalive()
    watched.pinged(4.0)
    watched.bytes_came(4.5, more_awaited=True)
    watched.message_came(4.5)
    for tenth in range(46, 95):
        watched.bytes_came(tenth / 10, more_awaited=True)
        assert not watched.problem(tenth / 10)
        watched.message_came(tenth / 10)
    assert watched.problem(9.5), "half a second of it was put off, behind the message that was arriving"


def test_a_line_that_falls_behind_is_pinged_more_often() -> None:
    """The first ping that waits five seconds tells it, not the first of those that are answered every four."""
    watched = keepalive()
    watched.pinged(4.0)
    watched.bytes_came(4.1, more_awaited=False)
    watched.message_came(4.1)
    pings = []
    for tenth in range(42, 90):
        if watched.ping_due(tenth / 10):
            watched.pinged(tenth / 10)
            pings.append(tenth / 10)
    assert pings[:3] == [4.5, 5.0, 5.5]
    watched.answered(4.0)
    assert not watched.problem(9.4)
    assert watched.problem(9.5), "that of the second"


def test_one_message_that_takes_a_minute_is_a_lost_line() -> None:
    watched = keepalive()
    watched.bytes_came(3.0, more_awaited=True)
    watched.message_came(3.0)
    assert watched.arriving == 3.0
    for at in range(4, 63):
        watched.bytes_came(float(at), more_awaited=True)
        assert not watched.problem(float(at))
    assert watched.problem(63.0) == "a message was not whole within 60 s"


def test_many_messages_in_a_minute_are_no_one_message() -> None:
    watched = keepalive()
    for at in range(1, 200):
        watched.bytes_came(float(at), more_awaited=True)
        watched.message_came(float(at))
        assert not watched.problem(at + 0.5)


def test_control_frames_alone_put_nothing_off() -> None:
    watched = keepalive()
    watched.pinged(4.0)
    for at in (5.0, 6.0, 7.0, 8.0):
        watched.bytes_came(at, more_awaited=False)
    assert watched.problem(9.0)


def test_a_look_that_comes_late_waits_for_what_may_be_there_unread() -> None:
    watched = keepalive()
    watched.pinged(4.0)
    assert not watched.problem(11.0)
    assert watched.due() == 11.0 + LATE
    assert watched.problem(11.0 + LATE)


def test_a_step_of_the_clock_is_told_by_one_line_of_several() -> None:
    steps = Steps()
    assert [steps.is_news(at) for at in (10.0, 10.4, 11.0, 20.0, 20.9)] == [True, False, False, True, False]


@pytest.mark.parametrize(("after", "is_news"), [(0.0, False), (SEEN_WITHIN, False), (SEEN_WITHIN + 0.01, True)])
def test_a_step_that_was_seen_within_two_seconds_is_no_news(after: float, is_news: bool) -> None:
    steps = Steps()
    assert steps.is_news(0.0)
    assert steps.is_news(after) is is_news


@pytest.mark.parametrize(
    ("epoch_ms", "seconds"), [(11_000, 0.0), (12_500, 1.5), (9_000, -2.0), (10_999, -0.001), (10_000, -1.0)]
)
def test_a_step_is_what_one_clock_went_on_more_than_the_other(epoch_ms: int, seconds: float) -> None:
    assert step_between(Now(5.0, 10_000), Now(6.0, epoch_ms)) == pytest.approx(seconds)


def test_when_to_look_and_to_ping_while_nothing_is_unanswered() -> None:
    watched = Keepalive(10.0, every=4.0, within=5.0, message_within=60.0)
    assert (watched.heard, watched.arriving, watched.due()) == (10.0, None, 14.0)
    assert [watched.ping_due(at) for at in (13.99, 14.0, 15.0)] == [False, True, True]
    watched.pinged(14.0)
    assert (watched.due(), watched.ping_due(99.0)) == (19.0, False)
    watched.answered(14.0)
    assert (watched.due(), watched.problem(18.0)) == (18.0, "")


@pytest.mark.parametrize("every", [4.0, AGAIN_AFTER, 0.2])
@pytest.mark.parametrize(("message_at", "is_behind"), [(3.9, False), (4.0, False), (4.1, True)])
def test_pings_come_more_often_once_a_message_came_after_one(every: float, message_at: float, is_behind: bool) -> None:
    watched = Keepalive(0.0, every=every, within=5.0, message_within=60.0)
    watched.pinged(4.0)
    watched.message_came(message_at)
    again = 4.0 + min(AGAIN_AFTER, every)
    assert watched.due() == (again if is_behind else 9.0)
    assert [watched.ping_due(at) for at in (again - 0.01, again)] == [False, is_behind]


@pytest.mark.parametrize(("answered", "due"), [(3.9, 9.0), (4.0, 9.5), (4.2, 9.5), (4.5, 10.0), (5.0, 9.0)])
def test_an_answer_is_one_to_all_pings_before_it_too(answered: float, due: float) -> None:
    watched = keepalive()
    for at in (4.0, 4.5, 5.0):
        watched.pinged(at)
    watched.answered(answered)
    assert watched.due() == due


@pytest.mark.parametrize(
    ("arriving", "more", "message_at", "until"),
    [
        (True, True, 0.0, 11.0),
        (True, False, 0.0, 11.0),
        (False, True, 0.0, 11.0),
        (False, False, 0.0, 9.0),
        (True, True, 3.9, 11.0),
        (True, True, 4.0, 9.0),
        (True, True, 4.1, 9.0),
    ],
)
def test_which_bytes_put_an_answer_off(arriving: bool, more: bool, message_at: float, until: float) -> None:
    watched = Keepalive(0.0, every=99.0, within=5.0, message_within=60.0)
    watched.bytes_came(3.0, more_awaited=arriving)
    watched.pinged(4.0)
    watched.message_came(message_at)
    watched.bytes_came(6.0, more_awaited=more)
    assert (watched.heard, watched.arriving) == (6.0, 6.0 if more else None)
    assert watched.problem(until - 0.01) == ""
    assert watched.problem(until) == "no answer to a ping within 5 s"


@pytest.mark.parametrize(("late", "is_lost"), [(0.0, True), (LATE, True), (LATE + 0.01, False)])
def test_only_a_look_that_comes_late_has_a_grace(late: float, is_lost: bool) -> None:
    watched = Keepalive(0.0, every=4.0, within=4.0, message_within=60.0)
    watched.pinged(4.0)
    assert bool(watched.problem(8.0 + late)) is is_lost
    if is_lost:
        return
    grace = 8.0 + late + LATE
    assert watched.due() == grace
    assert watched.problem(grace - 0.01) == ""
    assert watched.problem(grace) == "no answer to a ping within 4 s"
    watched.answered(4.0)
    watched.pinged(9.0)
    assert watched.due() == 13.0, "the next ping has nothing of it"


@pytest.mark.parametrize("began", [3.0, 7.5])
def test_a_message_has_its_time_from_its_first_bytes_on(began: float) -> None:
    watched = Keepalive(0.0, every=99.0, within=5.0, message_within=60.0)
    watched.bytes_came(1.0, more_awaited=True)
    watched.bytes_came(2.0, more_awaited=False)
    watched.bytes_came(began, more_awaited=True)
    watched.bytes_came(began + 9, more_awaited=True)
    assert watched.due() == began + 60
    assert watched.problem(began + 59.99) == ""
    assert watched.problem(began + 60) == "a message was not whole within 60 s"
    watched.message_came(began + 60)
    assert (watched.due(), watched.problem(began + 60)) == (99.0, "")
    watched.bytes_came(began + 61, more_awaited=False)
    assert (watched.arriving, watched.due()) == (None, 99.0)


def test_what_came_after_the_oldest_ping_counts_not_what_came_after_a_later_one() -> None:
    watched = Keepalive(0.0, every=99.0, within=5.0, message_within=60.0)
    watched.pinged(4.0)
    watched.message_came(4.2)
    watched.pinged(4.5)
    watched.bytes_came(6.0, more_awaited=True)
    assert watched.problem(9.0) == "no answer to a ping within 5 s", "a whole message came since the ping"


def test_a_later_ping_brings_no_second_grace() -> None:
    watched = Keepalive(0.0, every=4.0, within=4.0, message_within=60.0)
    watched.pinged(4.0)
    assert watched.problem(8.3) == ""
    watched.message_came(8.35)
    watched.pinged(8.4)
    assert watched.problem(8.9) == "no answer to a ping within 4 s"


def test_a_ping_that_goes_out_with_a_look_that_had_a_grace_has_none_of_its_own() -> None:
    watched = Keepalive(0.0, every=4.0, within=4.0, message_within=60.0)
    watched.pinged(4.0)
    assert watched.problem(8.5) == ""
    watched.pinged(8.5)
    watched.answered(4.0)
    assert watched.due() == 12.5
    assert watched.problem(13.0) == "no answer to a ping within 4 s"
