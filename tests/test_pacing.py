"""What is asked for again and again is paced: by `Pacing`, by a session's base, and, whatever a session does, by the
driver."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from venues.driver import ASKED_WITHIN, MOST_ASKED, Driver
from venues.errors import UsageError
from venues.records import Book, Status
from venues.session import BaseRoute, BaseSession
from venues.toolkit.pacing import LONGEST_PAUSE, SHORTEST_PAUSE, STABLE_AFTER, Pacing
from venues.venue import BadFrame, Command, Dial, Now, Settings, StreamState, Subscription

if TYPE_CHECKING:
    from collections.abc import Mapping

    from venues.venue import Item, Out

SUBSCRIBE, UNSUBSCRIBE = '{"subscribe":"book"}', '{"unsubscribe":"book"}'
BAD = b"bad"


def at(mono: float) -> Now:
    return Now(mono, 1_700_000_000_000 + round(mono * 1000))


class Naive(BaseSession):
    """A session as the guide has it, whose author did not think of pauses: each bad snapshot is asked for anew."""

    venue = "naive"

    def dial(self) -> Dial:
        return Dial("wss://v.example", "wss://v.example")

    def opened(self, now: Now) -> list[Item]:
        self.ask("book", now, SUBSCRIBE)
        return [StreamState("book", "syncing")]

    def receive(self, frame: bytes, now: Now) -> list[Item]:
        if frame != BAD:
            book = Book(venue="naive", symbol="A", received=now.epoch_ms, bids=[], asks=[])
            return [StreamState("book", "live"), book]
        self.again(now)
        return [BadFrame("expected a book, got something else", ("book",)), StreamState("book", "stale", "bad frame")]

    def again(self, now: Now) -> None:
        self.ask("book", now, UNSUBSCRIBE, SUBSCRIBE)


class Heedless(Naive):
    """One that does not even use `ask`."""

    def again(self, now: Now) -> None:
        self._out += [UNSUBSCRIBE, SUBSCRIBE]


class Calm(Naive):
    """One that says when nothing has to be asked of it."""

    def again(self, now: Now) -> None:
        super().again(now)
        self.stirred = True

    def take(self) -> list[Out]:
        self.stirred = False
        return super().take()


class Line(BaseRoute):
    def __init__(self, of: type[BaseSession]) -> None:
        super().__init__([Subscription("book", ("A",))], Settings("wss://v.example"))
        self._of = of

    def session(self, secrets: Mapping[str, str]) -> BaseSession:
        return self._of()


def driver_of(session: type[BaseSession]) -> Driver:
    line = Line(session)
    driver = Driver(line, line.subscriptions, venue="naive")
    driver.begin({}, 0.0)
    driver.opened(at(0.0))
    assert driver.take() == [SUBSCRIBE]
    return driver


def sent_in_a_second(driver: Driver, *, at_once: bool) -> list[Any]:
    """What goes out while 1,000 bad snapshots come; `at_once`: as frames of one read, after which is asked once."""
    sent: list[Any] = []
    for number in range(1_000):
        now = at(1.0 if at_once else 0.001 * (number + 1))
        due = driver.deadline()
        if due is not None and due <= now.mono:
            driver.tick(now)
        if driver.retry_at is None:
            driver.receive(BAD, now)
        if not at_once:
            sent += driver.take()
    return [*sent, *driver.take()]


@pytest.mark.parametrize("at_once", [True, False])
def test_a_naive_session_is_paced_by_its_base(at_once: bool) -> None:
    driver = driver_of(Naive)
    sent = sent_in_a_second(driver, at_once=at_once)
    assert 0 < len(sent) <= 4
    assert driver.retry_at is None, "the connection stands"
    for _ in range(10):  # on and on, and always from the same bad venue
        due = driver.deadline()
        assert due is not None
        driver.tick(at(due))
        sent = driver.take()
        assert sent == [UNSUBSCRIBE, SUBSCRIBE]
        driver.receive(BAD, at(due))
    assert (driver.deadline() or 0) - due == LONGEST_PAUSE


@pytest.mark.parametrize("at_once", [True, False])
def test_a_heedless_session_loses_its_connection_and_waits_longer_each_time(at_once: bool) -> None:
    driver = driver_of(Heedless)
    assert len(sent_in_a_second(driver, at_once=at_once)) <= 2 * MOST_ASKED
    assert driver.retry_at is not None
    now = at(10.0)
    for _ in range(8):
        driver.begin({}, 0.999)
        driver.opened(now)
        delivered = [one for _ in range(MOST_ASKED + 1) if driver.retry_at is None for one in driver.receive(BAD, now)]
        assert driver.retry_at is not None
        pause, now = driver.retry_at - now.mono, at(driver.retry_at)
    assert pause > 20
    last = delivered[-1]
    assert isinstance(last, Status)
    assert last.state == "reconnecting"
    assert last.reason == "what came was bad again and again: asked for anew 20 times in 10 s"


@pytest.mark.parametrize(
    ("subscriptions", "times"),
    [
        ([Subscription("book", ("A",))], 1),
        ([Subscription("book", ("A",)), Subscription("orders")], 2),
        ([Subscription("book", ("A", "B")), Subscription("orders"), Subscription("positions")], 4),
    ],
)
def test_each_symbol_of_a_stream_may_be_asked_for_so_often_and_a_stream_without_any_too(
    subscriptions: list[Subscription], times: int
) -> None:
    driver = Driver(Line(Heedless), subscriptions, venue="naive")
    driver.begin({}, 0.0)
    driver.opened(at(0.0))
    asked = 0
    while driver.retry_at is None:
        driver.receive(BAD, at(1.0))
        asked += 1
    assert asked == MOST_ASKED * times


def test_who_asks_now_and_then_keeps_the_connection() -> None:
    driver = driver_of(Heedless)
    for number in range(200):
        driver.receive(BAD, at((number + 1) * ASKED_WITHIN / (MOST_ASKED - 2)))
        assert driver.take() == [UNSUBSCRIBE, SUBSCRIBE]
    assert driver.retry_at is None


def test_that_a_session_is_stirred_is_not_lost_when_the_driver_takes_from_it() -> None:
    driver = driver_of(Calm)
    driver.receive(b"good", at(0.1))
    assert not driver.stirred
    driver.receive(BAD, at(0.2))
    assert driver.stirred, "it has to be woken"
    assert (driver.take(), driver.deadline()) == ([], SHORTEST_PAUSE)
    assert not driver.stirred


def test_of_what_waits_under_one_name_the_latest_is_sent() -> None:
    session = Naive()
    session.ask("a", at(0), "1")
    session.ask("a", at(0.1), "2")
    session.ask("b", at(0.2), "3")
    session.ask("a", at(0.3), "4")
    assert session.take() == ["1", "3"]
    assert session.deadline() == SHORTEST_PAUSE
    session.tick(at(SHORTEST_PAUSE))
    assert (session.take(), session.deadline()) == (["4"], None)
    session.ask("a", at(1.5), "5")
    session.leave(at(1.6))
    assert (session.take(), session.deadline(), session.done()) == ([], None, True)


def test_a_session_that_takes_no_commands_says_so_by_its_name() -> None:
    with pytest.raises(UsageError, match=r"^naive takes no commands$"):
        Naive().send(Command("x", {}))


def test_a_pause_is_twice_the_one_before_until_a_try_has_lasted() -> None:
    pacing, now, pauses = Pacing(), 100.0, []
    pacing.tried(now)
    for _ in range(7):
        assert not pacing.again(now)
        assert not pacing.again(now), "asked twice is asked once"
        assert pacing.due is not None
        pauses.append(pacing.due - now)
        now = pacing.due
        assert pacing.is_due(now)
        pacing.tried(now)
    assert pauses == [1, 2, 4, 8, 16, 30, 30]
    assert pacing.again(now + STABLE_AFTER)
    assert pacing.pause == SHORTEST_PAUSE


@given(st.lists(st.tuples(st.sampled_from(["again", "after", "tried", "settled", "shorten"]), st.floats(0, 50))))
def test_a_pause_stays_within_its_bounds(steps: list[tuple[str, float]]) -> None:
    pacing, now = Pacing(shortest=0.5, longest=8.0, stable_after=3.0), 1_000.0
    pacing.tried(now)
    for step, wait in steps:
        now += wait
        if step == "again":
            pacing.again(now)
        elif step == "after":
            pacing.after_pause(now)
        elif step == "tried":
            pacing.tried(now)
        elif step == "settled":
            pacing.settled(now)
        else:
            pacing.shorten()
        assert 0.5 <= pacing.pause <= 8.0
        assert pacing.due is None or pacing.due - max(now, pacing.tried_at) <= 8.0


def paced(**options: Any) -> Pacing:
    pacing = Pacing(shortest=2.0, longest=10.0, stable_after=20.0, **options)
    pacing.tried(100.0)
    return pacing


def test_nothing_is_due_before_it_is_asked_for() -> None:
    pacing = Pacing()
    assert (pacing.due, pacing.pause, pacing.is_due(1e9), pacing.tried_at) == (None, SHORTEST_PAUSE, False, 0.0)


@pytest.mark.parametrize(("asked", "at_once"), [(101.999, False), (102.0, True), (119.999, True)])
def test_a_try_is_due_a_pause_after_the_latest_one(asked: float, at_once: bool) -> None:
    pacing = paced()
    assert pacing.again(asked) is at_once
    assert (pacing.due, pacing.pause) == (102.0, 4.0)
    pacing.tried(103.0)
    assert (pacing.due, pacing.tried_at, pacing.is_due(200.0)) == (None, 103.0, False)


@pytest.mark.parametrize(("later", "lasted"), [(19.999, False), (20.0, True)])
def test_a_try_has_lasted_after_a_while(later: float, lasted: bool) -> None:
    pacing = paced()
    pacing.lengthen()
    assert pacing.has_lasted(100.0 + later) is lasted
    pacing.again(100.0 + later)
    assert (pacing.due, pacing.pause) == (104.0, 2.0 if lasted else 8.0)
    pacing.settled(100.0 + later)
    assert (pacing.due, pacing.pause) == (None, 2.0 if lasted else 8.0)


@pytest.mark.parametrize(("asked", "due"), [(99.0, 102.0), (100.0, 102.0), (105.0, 107.0)])
def test_a_whole_pause_from_now_is_asked_for_once(asked: float, due: float) -> None:
    pacing = paced()
    pacing.after_pause(asked)
    pacing.after_pause(asked + 50)
    assert (pacing.due, pacing.pause) == (due, 2.0)
    assert (pacing.again(due - 0.001), pacing.again(due)) == (False, True), "what is due already stays so"


def test_pauses_are_doubled_and_halved_within_their_bounds() -> None:
    pacing, pauses = paced(), []
    for step in (*[pacing.lengthen] * 4, *[pacing.shorten] * 4, pacing.lengthen, pacing.relax):
        step()
        pauses.append(pacing.pause)
    assert pauses == [4, 8, 10, 10, 5, 2.5, 2, 2, 4, 2]


@pytest.mark.parametrize(("draw", "seconds"), [(0.0, 2.0), (0.25, 3.5), (0.5, 5.0), (0.999, 7.994)])
def test_a_pause_is_drawn_between_the_shortest_and_this_one(draw: float, seconds: float) -> None:
    pacing = paced()
    assert pacing.drawn(draw) == 2.0
    pacing.lengthen()
    pacing.lengthen()
    assert pacing.drawn(draw) == pytest.approx(2.0 + draw * 6.0)
    assert pacing.drawn(draw) == pytest.approx(seconds)
