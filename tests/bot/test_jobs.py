"""What waits for a bot: every trade, of each market the latest quote, in order."""

from __future__ import annotations

import threading
import time
from queue import SimpleQueue

import pytest

from cli.bot import jobs
from cli.bot.jobs import Job, Jobs


def job(what: str, record: object) -> Job:
    return Job(what, record, 0, 0.0)


def taken(queue: Jobs) -> list[object]:
    queue.close()
    return [item.record for item in iter(queue.take, None) if isinstance(item, Job)]


def test_a_quote_takes_the_place_of_the_one_that_waits_and_trades_stay() -> None:
    queue = Jobs(keep_all=False)
    queue.put_quote("a", job("quote", "a1"))
    queue.put(job("trade", 1))
    queue.put_quote("b", job("quote", "b1"))
    queue.put_quote("a", job("quote", "a2"))
    queue.put(job("trade", 2))
    assert len(queue) == 4
    assert taken(queue) == [1, "b1", "a2", 2]


def test_a_quote_that_was_taken_is_not_replaced() -> None:
    queue = Jobs(keep_all=False)
    queue.put_quote("a", job("quote", "a1"))
    first = queue.take()
    assert isinstance(first, Job)
    queue.put_quote("a", job("quote", "a2"))
    assert taken(queue) == ["a2"]


def test_a_replay_keeps_every_quote() -> None:
    queue = Jobs(keep_all=True)
    for number in range(3):
        queue.put_quote("a", job("quote", number))
    assert taken(queue) == [0, 1, 2]


def test_a_quote_that_is_not_true_any_more_is_dropped() -> None:
    queue = Jobs(keep_all=False)
    queue.put_quote("a", job("quote", "a1"))
    queue.drop_quote("a")
    queue.drop_quote("a")
    assert taken(queue) == []


def test_what_is_too_much_for_memory_waits_in_a_file_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "IN_MEMORY", 10)
    monkeypatch.setattr("cli.output.queues.MOST_EVENTS", 5)
    queue = Jobs(keep_all=False)
    for number in range(100):
        queue.put(job("trade", number))
        queue.put_quote("a", job("quote", f"a{number}"))
    assert len(queue._waiting) <= 11
    assert len(queue) == 101
    got = taken(queue)
    assert [item for item in got if isinstance(item, int)] == list(range(100))
    assert got[-1] == "a99"
    assert len(queue) == 0


def test_calls_wait_in_turn() -> None:
    queue = Jobs(keep_all=False)
    done: list[str] = []
    queue.put(job("trade", 1))
    queue.put_call(lambda: done.append("called"))
    queue.put(job("trade", 2))
    kinds = []
    queue.close()
    while (item := queue.take()) is not None:
        kinds.append("job" if isinstance(item, Job) else "call")
    assert kinds == ["job", "call", "job"]


def test_how_far_behind() -> None:
    now = [100.0]
    queue = Jobs(keep_all=False, clock=lambda: now[0])
    assert queue.behind() == 0
    queue.put(Job("trade", 1, 0, 100.0))
    now[0] = 107.0
    assert queue.behind() == 7.0


def test_room_is_told_once_also_when_there_is_some_already() -> None:
    told: list[int] = []
    queue = Jobs(keep_all=True, on_room=lambda: told.append(len(queue)))
    queue.want_room(2)
    assert told == [0]
    for number in range(6):
        queue.put(job("trade", number))
    queue.want_room(2)
    for _ in range(6):
        queue.take()
    assert told == [0, 2]


def test_close_wakes_whoever_waits_and_can_leave_the_rest() -> None:
    queue = Jobs(keep_all=False)
    got: list[object] = []
    thread = threading.Thread(target=lambda: got.append(queue.take()))
    thread.start()
    queue.close()
    thread.join(10)
    assert got == [None]
    queue = Jobs(keep_all=False)
    queue.put(job("trade", 1))
    queue.close(now=True)
    assert queue.take() is None


def test_a_replay_takes_all_that_waits_at_once_and_loses_none_of_it() -> None:
    now = [100.0]
    queue = Jobs(keep_all=True, clock=lambda: now[0])
    for number in range(3):
        queue.put(Job("trade", number, 0, 100.0 + number))
    assert isinstance(first := queue.take(), Job)
    assert (first.record, len(queue.taken), len(queue)) == (0, 2, 2)
    now[0] = 107.0
    assert queue.behind() == 6.0, "what is taken and not done waits too"
    queue.put(job("trade", 3))
    assert len(queue) == 3
    assert taken(queue) == [1, 2, 3]


def test_what_was_taken_at_once_is_left_too() -> None:
    queue = Jobs(keep_all=True)
    for number in range(3):
        queue.put(job("trade", number))
    queue.take()
    queue.close(now=True)
    assert (queue.take(), len(queue), list(queue.taken)) == (None, 0, [])


def test_what_is_not_kept_is_taken_one_by_one() -> None:
    """A quote that waits may be replaced or dropped until its turn comes."""
    queue = Jobs(keep_all=False)
    for market in "ab":
        queue.put_quote(market, job("quote", market))
    queue.take()
    queue.drop_quote("b")
    assert taken(queue) == []


def test_room_is_told_in_time_while_more_is_taken_at_once() -> None:
    told: list[int] = []
    queue = Jobs(keep_all=True, on_room=lambda: told.append(len(queue)))
    for number in range(6):
        queue.put(job("trade", number))
    queue.want_room(2)
    assert isinstance(queue.take(), Job)
    assert (len(queue.taken), len(queue)) == (3, 5), "so many that 2 are left"
    assert taken(queue) == [1, 2, 3, 4, 5]
    assert told == [2]


@pytest.mark.parametrize("keep_all", [True, False])
def test_who_waits_is_woken_by_each_that_comes(keep_all: bool) -> None:
    queue = Jobs(keep_all=keep_all)
    got: SimpleQueue[object] = SimpleQueue()
    thread = threading.Thread(target=lambda: [got.put(item) for item in iter(queue.take, None)], daemon=True)
    thread.start()
    for number, put in enumerate([queue.put, lambda job: queue.put_quote("a", job), queue.put_call] * 2):
        time.sleep(0.02)  # it waits again
        put(job("trade", number))  # type: ignore[arg-type]  # what is taken is not looked at
        assert got.get(timeout=5) == job("trade", number)
    queue.close()
    thread.join(10)
    assert not thread.is_alive()
