"""The order of threads in recorded time, step by step: who waits, who goes on, and until when."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from cli.bot.timing import turns
from cli.bot.timing.turns import SHORTEST, TurnLock, Turns
from cli.bot.timing.turns import ordered as ordered_threads

NS = 1_000_000_000
ALONE = round(SHORTEST * NS)  # nanoseconds that a wait for nothing takes


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def ordered(said: list[str]) -> Iterator[Turns]:
    """The present thread is the runner."""
    made = Turns(said.append)
    made.runner_is()
    yield made
    made.close()


def began(ordered: Turns, *calls: Callable[[], object], names: str = "abc") -> list[list[Any]]:
    """Threads that have turns, one for each call, and what each call has returned so far."""
    found: list[list[Any]] = [[] for _ in calls]

    def runs(number: int) -> None:
        found[number].append(calls[number]())

    for number in range(len(calls)):
        ordered.take(threading.Thread(target=runs, args=(number,), name=names[number], daemon=True))
    return found


def in_turn(ordered: Turns, call: Callable[[], object], until: float = 100.0) -> Any:
    """What a call returns in a thread that has turns, until a recorded time."""
    (found,) = began(ordered, call)
    ordered.go_to(round(until * NS))
    return found[0]


# --- the time


def test_the_time_never_goes_back(ordered: Turns) -> None:
    assert ordered.now_ns() == 0
    ordered.go_to(5)
    ordered.go_to(3)
    assert ordered.now_ns() == 5
    began(ordered, lambda: ordered.wait(60.0))
    ordered.go_to(4)
    assert ordered.now_ns() == 5
    ordered.go_to(6)
    assert ordered.now_ns() == 6


def test_waits_end_each_at_its_own_time_and_those_of_one_time_in_their_order(ordered: Turns) -> None:
    ended: list[tuple[str, int]] = []

    def waits(name: str, seconds: float) -> Callable[[], object]:
        return lambda: ordered.wait(seconds) or ended.append((name, ordered.now_ns()))

    began(ordered, waits("a", 2.0), waits("b", 1.0), waits("c", 2.0))
    ordered.go_to(NS - 1)
    assert ended == []
    ordered.go_to(NS)
    assert ended == [("b", NS)]
    ordered.go_to(2 * NS - 1)
    assert ended == [("b", NS)]
    ordered.go_to(9 * NS)
    assert ended == [("b", NS), ("a", 2 * NS), ("c", 2 * NS)]
    assert ordered.now_ns() == 9 * NS


@pytest.mark.parametrize(
    ("seconds", "taken"), [(0.0, ALONE), (SHORTEST / 2, ALONE), (SHORTEST, ALONE), (0.5, NS // 2), (-1.0, ALONE)]
)
def test_a_wait_for_nothing_takes_a_moment(seconds: float, taken: int, ordered: Turns) -> None:
    assert in_turn(ordered, lambda: (ordered.wait(seconds), ordered.now_ns())) == (False, taken)


@pytest.mark.parametrize(("seconds", "taken"), [(0.0, ALONE), (0.5, NS // 2)])
def test_a_callback_waits_in_recorded_time_too(seconds: float, taken: int, ordered: Turns) -> None:
    assert not ordered.wait(seconds)
    assert ordered.now_ns() == taken


def test_a_callback_that_waits_for_what_nobody_can_bring_is_told(ordered: Turns) -> None:
    with pytest.raises(RuntimeError, match="it would be for ever"):
        ordered.wait(None, ordered.mine())


def test_a_callback_waits_until_another_thread_wakes_it(ordered: Turns) -> None:
    mine = ordered.mine()

    def wakes() -> None:
        ordered.wait(3.0)
        ordered.wake(mine)

    began(ordered, wakes)
    assert ordered.wait(60.0, mine)
    assert ordered.now_ns() == 3 * NS
    mine = ordered.mine()
    assert not ordered.wait(4.0, mine), "that it was woken is over"
    assert ordered.now_ns() == 7 * NS


def test_who_is_woken_has_its_turn_at_that_time_and_not_again_at_its_own(ordered: Turns) -> None:
    mine: list[Any] = []
    found: list[tuple[bool, int]] = []

    def waits() -> None:
        for _ in range(2):
            mine.append(ordered.mine())
            found.append((ordered.wait(10.0, mine[-1]), ordered.now_ns()))

    def wakes() -> None:
        ordered.wait(2.0)
        ordered.wake(mine[0])

    began(ordered, waits, wakes)
    ordered.go_to(11 * NS)
    assert found == [(True, 2 * NS)]
    ordered.go_to(12 * NS)
    assert found == [(True, 2 * NS), (False, 12 * NS)]


# --- who keeps its turn


@pytest.mark.parametrize(
    ("seconds", "until", "other", "keeps"),
    [
        (5.0, 5.0, None, True),
        (5.0, 4.999, None, False),
        (3.0, 9.0, 3.0, False),
        (2.999, 9.0, 3.0, True),
        (3.001, 9.0, 3.0, False),
        (SHORTEST, 9.0, None, True),
        (SHORTEST / 2, 9.0, None, False),
    ],
)
def test_who_waits_for_the_time_alone_keeps_its_turn_where_nobody_else_is_next(
    seconds: float, until: float, other: float | None, keeps: bool, ordered: Turns
) -> None:
    others = [] if other is None else [lambda: ordered.wait(other)]
    found = began(ordered, *others, lambda: (ordered.goes_on(seconds), ordered.now_ns()))
    ordered.go_to(round(until * NS))
    assert found[-1] == [(keeps, round(seconds * NS) if keeps else 0)]


def test_only_a_thread_that_has_its_turn_goes_on(ordered: Turns) -> None:
    assert not ordered.goes_on(1.0), "the runner has none"

    def is_apart() -> tuple[bool, bool]:
        with ordered.apart():
            apart = ordered.goes_on(1.0)
        return apart, ordered.goes_on(1.0)

    assert in_turn(ordered, is_apart) == (False, True)


def test_who_goes_on_is_not_kept_waiting_for_what_it_looked_up_before(
    ordered: Turns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "MOST_LOOKS", 3)

    def looks(times: int) -> int:
        """How long it has waited for that."""
        before = ordered.now_ns()
        for _ in range(times):
            ordered.looked()
        return ordered.now_ns() - before

    def works() -> list[int]:
        found = [looks(2)]
        ordered.goes_on(1.0)
        found += [looks(2), looks(1), looks(3)]
        ordered.goes_on(1.0)
        found += [looks(3), looks(2)]
        ordered.wait(1.0)
        found += [looks(2), looks(1)]
        return found

    shortest = round(turns.SHORTEST_PAUSE * NS)
    assert in_turn(ordered, works) == [0, 0, shortest, 2 * shortest, shortest, 0, 0, shortest]


def test_the_runner_and_who_is_apart_may_look_as_often_as_they_like(
    ordered: Turns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "MOST_LOOKS", 1)
    ordered.looked()

    def looks() -> int:
        with ordered.apart():
            ordered.looked()
        return ordered.now_ns()

    assert in_turn(ordered, looks) == 0


def test_very_many_waits_of_one_thread_are_told_again_and_again(
    ordered: Turns, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "MANY_WAITS", 3)
    monkeypatch.setattr(turns, "MANY_MORE", 2)
    ordered.go_to(1_767_225_540 * NS)
    found: list[int] = []

    def waits() -> None:
        with ordered_threads(ordered):
            for _ in range(7):
                time.sleep(20.0)
                found.append(len(said))

    in_turn(ordered, waits, 1_767_225_540 + 999)
    assert found == [0, 0, 1, 1, 2, 2, 3]
    words = "a has waited {} times, and the recording is at {} UTC: the shorter its waits, the longer the replay takes"
    assert said == [
        words.format(3, "2025-12-31 23:59"),
        words.format(5, "2026-01-01 00:00"),
        words.format(7, "2026-01-01 00:01"),
    ]


# --- the end


def test_with_the_replay_all_threads_that_wait_end(ordered: Turns) -> None:
    went_on: list[str] = []

    def waits(seconds: float | None) -> None:
        ordered.wait(seconds)
        went_on.append("after its wait")

    threads = [threading.Thread(target=waits, args=(seconds,), daemon=True) for seconds in (60.0, None)]
    threads.append(threading.Thread(target=went_on.append, args=("begun",), daemon=True))
    for thread in threads[:2]:
        ordered.take(thread)
    ordered.go_to(NS)
    ordered.take(threads[2])
    ordered.close()
    for thread in threads:
        turns._JOIN(thread, 3.0)
    assert [thread.is_alive() for thread in threads] == [False, False, False]
    assert went_on == []


def test_after_the_end_a_callback_waits_no_more(ordered: Turns) -> None:
    lock = TurnLock(ordered)
    lock.acquire()
    mine = ordered.mine()
    ordered.close()
    assert not ordered.is_ours()
    assert ordered.is_over(for_runner=True)
    assert not ordered.is_over()
    with pytest.raises(SystemExit):
        ordered.wait(1.0, mine)
    with pytest.raises(SystemExit):
        lock.acquire()
    assert not lock.acquire(blocking=False)


# --- locks


@pytest.mark.parametrize(("timeout", "taken"), [(0.0, ALONE), (2.0, 2 * NS)])
def test_a_lock_is_waited_for_so_long(timeout: float, taken: int, ordered: Turns) -> None:
    lock = TurnLock(ordered)
    assert lock.acquire(timeout=timeout)
    assert (lock.locked(), ordered.now_ns()) == (True, 0)
    assert not lock.acquire(timeout=timeout)
    assert ordered.now_ns() == taken
    assert not lock.acquire(blocking=False)
    lock.release()
    assert (lock.locked(), lock.acquire(blocking=False), lock.locked()) == (False, True, True)


def test_who_has_waited_for_a_lock_in_vain_does_not_get_it_later(ordered: Turns) -> None:
    lock = TurnLock(ordered)
    lock.acquire()
    found = began(ordered, lambda: lock.acquire(timeout=1.0), lambda: (lock.acquire(), ordered.now_ns()))
    ordered.go_to(5 * NS)
    assert found == [[False], []]
    lock.release()
    ordered.go_to(6 * NS)
    assert found == [[False], [(True, 5 * NS)]]


@pytest.mark.parametrize("is_waited_for", [False, True])
def test_a_lock_that_nobody_has_cannot_be_released(is_waited_for: bool, ordered: Turns) -> None:
    lock = TurnLock(ordered)
    if is_waited_for:
        lock._waiting.append(turns._Waiter("a"))
    with pytest.raises(RuntimeError, match="release unlocked lock"):
        lock.release()


# --- what Python builds on these


@pytest.fixture
def patched(ordered: Turns) -> Iterator[Turns]:
    with ordered_threads(ordered):
        yield ordered


@pytest.mark.parametrize(
    ("timeout", "taken"), [(None, 5 * NS), (9.0, 5 * NS), (5.0, 5 * NS), (2.0, 2 * NS), (0.0, ALONE), (-3.0, ALONE)]
)
def test_a_thread_is_joined_until_it_ends_or_so_long(timeout: float | None, taken: int, patched: Turns) -> None:
    thread = threading.Thread(target=time.sleep, args=(5.0,))
    thread.start()
    thread.join(timeout)
    assert patched.now_ns() == taken
    thread.join()
    assert (thread.is_alive(), patched.now_ns()) == (False, 5 * NS)
    thread.join()
    assert patched.now_ns() == 5 * NS


@pytest.mark.parametrize(
    ("timeout", "told", "taken"),
    [(None, True, 5 * NS), (9.0, True, 5 * NS), (2.0, False, 2 * NS), (0.0, False, ALONE), (-3.0, False, ALONE)],
)
def test_a_condition_is_waited_for_until_it_is_told_or_so_long(
    timeout: float | None, told: bool, taken: int, patched: Turns
) -> None:
    condition = threading.Condition()

    def tells() -> None:
        time.sleep(5.0)
        with condition:
            condition.notify_all()

    threading.Thread(target=tells).start()
    with condition:
        assert condition.wait(timeout) is told
        assert list(condition._waiters) == []  # type: ignore[attr-defined]
    assert patched.now_ns() == taken
    with pytest.raises(RuntimeError, match="cannot wait on un-acquired lock"):
        condition.wait(1.0)


def test_a_sleep_of_less_than_nothing_is_none(patched: Turns) -> None:
    with pytest.raises(ValueError, match="sleep length must be non-negative"):
        time.sleep(-0.001)
    time.sleep(0.0)
    assert patched.now_ns() == ALONE


def test_a_pool_works_in_recorded_time_and_its_futures_are_numbered(patched: Turns) -> None:
    first, second = Future(), Future()  # type: ignore[var-annotated]
    assert (hash(first), hash(second)) == (0, 1)
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda seconds: time.sleep(seconds) or patched.now_ns(), (2.0, 1.0)))
    assert found == [2 * NS + ALONE, NS + 2 * ALONE], "a pool looks for an idle thread before each"


def test_a_future_from_before_is_found_again_all_the_same(ordered: Turns) -> None:
    before: Future[int] = Future()
    with ordered_threads(ordered):
        assert hash(before) == object.__hash__(before)


def test_what_was_put_in_the_place_of_pythons_own_goes_with_the_replay(ordered: Turns) -> None:
    def parts() -> list[Any]:
        return [time.sleep, threading.Thread.start, threading.Thread.join, threading.Condition.wait, threading.Lock]

    before = parts()
    with ordered_threads(ordered):
        assert not any(now is then for now, then in zip(parts(), before, strict=True))
        assert isinstance(threading.Lock(), TurnLock)
        with ordered.apart():
            assert not isinstance(threading.Lock(), TurnLock)
    assert parts() == before
