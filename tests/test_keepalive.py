"""Signs of life: when a ping goes out, when its answer is due, what puts it off. Invented clocks."""

from __future__ import annotations

import pytest

from venues.keepalive import LATE, Keepalive, Steps


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
