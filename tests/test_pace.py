"""When the next frame is drawn: as soon as the one before is shown, as far as the terminal tells."""

from __future__ import annotations

from cli.screen.pace import (
    APART,
    FIRST_WITHIN,
    HELD,
    LOST_AFTER,
    MAY_COME,
    MEASURED_BY,
    MEASURED_OVER,
    MOST_LOST,
    SAFE,
    SILENCE,
    SLOWEST,
    Pace,
)


class Time:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def paces() -> tuple[Pace, Time]:
    clock = Time()
    return Pace(clock=clock), clock


def frame(pace: Pace, size: int = 1000) -> None:
    """Draw one, as the painter does."""
    pace.sent(size, asked=pace.asks)
    pace.wrote(size)


def test_a_question_is_asked_only_where_somebody_hears_the_answer() -> None:
    pace, _ = paces()
    assert not pace.asks
    pace.listen(heard=True)
    assert pace.asks
    pace.listen(heard=None)
    assert not pace.asks
    pace.answer(1)
    assert not pace.answers, "nobody has asked"


def test_the_next_frame_waits_for_the_answer_to_the_one_before() -> None:
    heard: list[int] = []
    clock = Time()
    pace = Pace(on_answer=lambda: heard.append(1), clock=clock)
    pace.listen(heard=True)
    assert pace.is_ready()
    for _ in range(3):
        frame(pace)
        assert not pace.is_ready()
        assert pace.is_due()
        clock.now += 0.3
        pace.answer(1)
        assert pace.is_ready()
        assert not pace.is_due()
        assert abs(pace.delay() - 0.3) < 1e-6, "how old the next one will be when it is shown"
    assert len(heard) == 3
    assert not pace.watches_room


def test_a_terminal_that_has_not_answered_yet_is_waited_for_only_shortly() -> None:
    pace, clock = paces()
    pace.listen(heard=True)
    frame(pace)
    clock.now += FIRST_WITHIN / 2
    assert not pace.is_ready()
    assert 0 < pace.patience() <= FIRST_WITHIN / 2
    clock.now += FIRST_WITHIN / 2
    assert pace.is_ready()
    assert pace.patience() <= 0
    assert not pace.asks, "one open question is enough"
    assert pace.probes
    clock.now += 1
    pace.answer(1)
    assert pace.answers, "a late answer is one too"
    assert not pace.probes
    frame(pace)
    assert not pace.is_ready()


def test_an_answer_that_is_lost_holds_up_little() -> None:
    pace, clock = paces()
    pace.listen(heard=True)
    frame(pace)
    pace.answer(1)
    frame(pace)
    clock.now += LOST_AFTER / 2
    assert not pace.is_ready()
    clock.now += LOST_AFTER / 2
    assert pace.is_ready()
    frame(pace)
    clock.now += 0.01
    pace.answer(1)
    assert not pace.is_ready(), "it may be the answer to the one before"
    clock.now += SILENCE
    assert pace.is_ready()
    assert not pace.is_due()


def test_a_terminal_that_stops_to_answer_and_begins_again() -> None:
    pace, clock = paces()
    pace.listen(heard=True)
    frame(pace)
    pace.answer(1)
    for _ in range(MOST_LOST):
        frame(pace)
        clock.now += LOST_AFTER
        assert pace.is_ready()
    assert not pace.answers
    assert not pace.asks
    clock.now += MAY_COME
    assert not pace.is_due(), "nobody waits for it at the end"
    pace.answer(1)
    assert pace.answers


def fill(pace: Pace, clock: Time, rate: float, times: int, pause: float) -> None:
    """Writes that find no room; between two of them the terminal has read what it reads."""
    for _ in range(times):
        pace.full()
        clock.now += pause
        pace.wrote(round(rate * pause))


def test_without_answers_writes_that_find_no_room_tell_the_rate() -> None:
    pace, clock = paces()
    pace.listen(heard=False)
    assert pace.probes
    frame(pace)
    assert pace.is_ready()
    fill(pace, clock, 5000, 12, MEASURED_OVER / 10)
    assert pace.has_rate
    assert not pace.is_ready(), "all that it holds has to be read first"
    clock.now += HELD / (SAFE * 5000)
    clock.now += 0.5
    assert pace.is_ready()
    frame(pace, 2000)
    assert abs(pace.delay() - 2000 / (SAFE * 5000)) < 1e-6
    clock.now += 0.9 * pace.delay()
    assert not pace.is_ready()
    clock.now += 0.2 * pace.delay()
    assert pace.is_ready()
    pace.forget()
    assert not pace.has_rate
    assert pace.probes


def test_a_terminal_that_was_stopped_is_not_slow() -> None:
    """Ctrl-S, a window that is moved: it reads nothing for a while, then all at once."""
    pace, clock = paces()
    pace.listen(heard=False)
    for _ in range(2 * MEASURED_BY):
        fill(pace, clock, 100, 1, APART + 1)
    pace.probed()
    assert not pace.has_rate
    assert pace.is_ready()
    fill(pace, clock, 0, 2 * MEASURED_BY, MEASURED_OVER / 2)
    frame(pace, round(SLOWEST))
    assert pace.delay() == 1.0, "some rate it has"


def test_the_terminal_was_somebody_elses() -> None:
    pace, _ = paces()
    pace.listen(heard=True)
    frame(pace)
    pace.settle()
    assert not pace.is_due()
    assert pace.is_ready()
