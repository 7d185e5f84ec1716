"""Threads of scripts that wait for each other in a replay, also where one of them goes on by itself meanwhile."""

from __future__ import annotations

import contextlib
import queue
import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.bot.timing import turns, work
from cli.bot.timing.turns import TurnLock, Turns
from cli.bot.timing.turns import ordered as ordered_threads
from tests.bot.conftest import Runs
from tests.bot.test_timing import ALL, SECOND, equal_runs, minutes, script

__all__ = ["minutes"]  # a fixture

NS = 1_000_000_000


@pytest.fixture
def ordered() -> Iterator[Turns]:
    """The present thread is the runner."""
    made = Turns(lambda text: None)
    made.runner_is()
    yield made
    made.close()


def test_a_thread_that_is_not_known_is_told_of_once() -> None:
    said: list[str] = []
    made = Turns(said.append)
    for _ in range(2):
        made.emits()
    assert said == ["a thread that threading has not started emits something: it has no order, so two runs may differ"]
    made.close()
    made.emits()
    others = Turns(said.append)
    others.runner_is()
    others.emits()
    assert len(said) == 1
    others.close()


@pytest.fixture
def loose(ordered: Turns) -> Iterator[Callable[[Callable[[], None]], tuple[threading.Thread, threading.Lock]]]:
    """Starts a thread that goes on by itself: it waits for a lock that is not ours, and then does something."""
    gates: list[threading.Lock] = []

    def start(then: Callable[[], None]) -> tuple[threading.Thread, threading.Lock]:
        gate = threading.Lock()
        gate.acquire()
        gates.append(gate)

        def works() -> None:
            gate.acquire()
            then()

        thread = threading.Thread(target=works, daemon=True)
        ordered.take(thread)
        ordered.go_to(ordered.now_ns())
        assert thread.ident in ordered._loose
        return thread, gate

    yield start
    for gate in gates:
        if gate.locked():
            gate.release()


def test_who_goes_on_by_itself_waits_for_the_others_as_any(ordered: Turns, loose: Callable[..., Any]) -> None:
    """A thread that has fetched something, say, and then waits for what a callback puts into a queue."""
    lock = TurnLock(ordered)
    got: list[bool] = []
    lock.acquire()

    def takes() -> None:
        got.append(lock.acquire())

    thread, gate = loose(takes)
    gate.release()
    while not lock._waiting:
        time.sleep(0.001)
    lock.release()
    ordered.go_to(NS)
    thread.join(5)
    assert got == [True]


def test_a_queue_is_read_by_a_thread_that_has_waited_elsewhere(
    runs: Runs, minutes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "IDLE_LOOKS", 2)
    monkeypatch.setattr(work, "IDLE_LOOKS_AT_ALL", 2)
    source = script(
        "def on_start(self):",
        "    self.queue = queue.Queue()",
        "    threading.Thread(target=self.reads).start()",
        "def reads(self):",
        "    subprocess.run(['sleep', '0.3'])",
        "    self.publish('t', self.queue.get())",
        "def trade_update(self, src, sym, data):",
        "    if data['time'] % 500_000 == 1: self.queue.put('read')",
        head=ALL + "import subprocess\n",
    )
    ran = runs(source, replay=minutes, speed=600.0)
    assert [one["data"] for one in ran.of("message")] == ["read"]


def test_an_event_loop_answers_each_callback_while_a_schedule_ticks(
    runs: Runs, minutes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wait for its answer ended by recorded time at once, and the time was minutes later."""
    monkeypatch.setattr(work, "IDLE_LOOKS", 2)
    monkeypatch.setattr(work, "IDLE_LOOKS_AT_ALL", 2)
    source = script(
        "def __init__(self, *args, **kwargs):",
        "    Link.__init__(self, *args, **kwargs)",
        "    self.loop = asyncio.new_event_loop()",
        "    threading.Thread(target=self.loop.run_forever, daemon=True).start()",
        "async def answer(self):",
        "    await asyncio.sleep(0.02)",
        "    return 'answered'",
        "def trade_update(self, src, sym, data):",
        "    if data['time'] % 100_000 == 1:",
        "        asked = asyncio.run_coroutine_threadsafe(self.answer(), self.loop)",
        "        self.publish('t', [asked.result(timeout=5), self.epoch_now - data['time']])",
        "@cron.run(every=1)",
        "def tick(self): pass",
        head=ALL + "import asyncio\n",
    )
    ran = runs(source, replay=minutes)
    found = [one["data"] for one in ran.of("message")]
    assert [answer for answer, _ in found] == ["answered"] * 6
    assert max(took for _, took in found) < 5 * SECOND
    assert "exception" not in ran.said


def test_who_is_woken_before_the_wait_begins_does_not_wait(ordered: Turns) -> None:
    mine = ordered.mine()
    ordered.wake(mine)
    assert ordered.wait(5.0, mine)
    assert ordered.now_ns() == 0
    assert not ordered.wait(5.0), "what woke it before is over"
    assert ordered.now_ns() == 5 * NS
    found: list[object] = []

    def works() -> None:
        mine = ordered.mine()
        ordered.wake(mine)
        found.append((ordered.wait(5.0, mine), ordered.now_ns()))
        found.append((ordered.wait(5.0), ordered.now_ns()))

    ordered.take(threading.Thread(target=works, daemon=True))
    ordered.go_to(20 * NS)
    assert found == [(True, 5 * NS), (False, 10 * NS)]


def test_who_would_be_the_next_to_have_a_turn_keeps_it_through_a_wait(
    ordered: Turns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To hand it over costs many times what a short wait takes by itself."""
    waits: list[tuple[bool, int]] = []
    handed_over: list[int] = []
    until_back = ordered._until_back

    def counted(waiter: Any) -> None:
        handed_over.append(ordered.now_ns())
        until_back(waiter)

    def works() -> None:
        waits.extend((ordered.wait(1.0), ordered.now_ns()) for _ in range(4))

    monkeypatch.setattr(ordered, "_until_back", counted)
    ordered.take(threading.Thread(target=works, daemon=True))
    ordered.go_to(3 * NS)
    ordered.go_to(5 * NS)
    assert waits == [(False, second * NS) for second in (1, 2, 3, 4)]
    assert handed_over == [0, 4 * NS], "at its start, and where the recording was not as far as its wait"


def test_who_looks_again_and_again_waits_longer_each_time(ordered: Turns) -> None:
    found: list[int] = []

    def works() -> None:
        for _ in range(10):
            before = ordered.now_ns()
            while ordered.now_ns() == before:
                ordered.looked()
            found.append(ordered.now_ns() - before)

    ordered.take(threading.Thread(target=works, daemon=True))
    ordered.go_to(20 * NS)
    longest = round(turns.LONGEST_PAUSE * NS)
    assert found == [min(round(turns.SHORTEST_PAUSE * NS) * 2**number, longest) for number in range(10)]


def test_a_thread_that_is_none_of_the_scripts_sleeps_as_ever(ordered: Turns, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(turns, "_real_sleep", slept.append)
    with ordered_threads(ordered), ordered.apart():
        other = threading.Thread(target=time.sleep, args=(7,))
        other.start()
        other.join()
    assert slept == [7]


def test_whoever_has_waited_longest_gets_a_lock(runs: Runs, minutes: Path) -> None:
    """Threads that take it again at once left the callbacks none: the replay never ended."""
    source = script(
        "lock = threading.RLock()",
        "def on_start(self):",
        "    for number in range(2): threading.Thread(target=self.holds, args=(number,)).start()",
        "def holds(self, number):",
        "    while True:",
        "        with self.lock:",
        "            time.sleep(40)",
        "            self.publish('t', number)",
        "def trade_update(self, src, sym, data):",
        "    if data['time'] % 100_000 == 1:",
        "        with self.lock: self.publish('t', 'callback')",
    )
    found = [data for _, data in equal_runs(runs, source, minutes)]
    assert found.count("callback") == 6
    holders = [one for one in found if one != "callback"]
    assert holders == [number % 2 for number in range(len(holders))]


def test_a_lock_that_is_given_on_is_never_free_in_between(ordered: Turns) -> None:
    lock = TurnLock(ordered)
    seen: list[int] = []
    lock.acquire()

    def takes() -> None:
        with lock:
            seen.append(ordered.now_ns())

    ordered.take(threading.Thread(target=takes, daemon=True))
    ordered.go_to(NS)
    lock.release()
    assert lock.locked()
    assert not lock.acquire(blocking=False)
    ordered.go_to(2 * NS)
    assert (seen, lock.locked()) == ([NS], False)
    with pytest.raises(RuntimeError, match="unlocked"):
        lock.release()


def test_time_does_not_run_away_while_a_callback_waits_for_a_network(ordered: Turns, loose: Callable[..., Any]) -> None:
    """A thread that fetches goes on by itself, and another one ticks: days had gone by until there was an answer."""
    lock = TurnLock(ordered)
    ticks: list[int] = []
    lock.acquire()
    _, gate = loose(lock.release)

    def tick() -> None:
        while True:
            ordered.wait(1.0)
            ticks.append(ordered.now_ns())

    ordered.take(threading.Thread(target=tick, daemon=True))
    begun = time.monotonic()
    threading.Timer(0.3, gate.release).start()
    assert lock.acquire(timeout=60)
    assert ordered.now_ns() / NS <= time.monotonic() - begun
    assert len(ticks) <= time.monotonic() - begun


def test_a_callback_waits_with_patience_once_where_that_is_in_vain(
    ordered: Turns, loose: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread that listens to a network all along is not what each callback waits for."""
    ordered._patience = 0.2
    loose(lambda: None)
    lock = TurnLock(ordered)
    lock.acquire()

    def gives() -> None:
        for _ in range(3):
            ordered.wait(3_600.0)
            lock.release()

    ordered.take(threading.Thread(target=gives, daemon=True))
    for number in range(1, 4):
        assert lock.acquire()
        assert ordered.now_ns() == pytest.approx(number * 3_600 * NS, abs=NS)
        assert ordered._patience == pytest.approx(0.2 / 2**number)
    monkeypatch.setattr(turns, "PACE", 0.2)
    assert not lock.acquire(timeout=7.5)
    assert ordered.now_ns() == pytest.approx((3 * 3_600 + 7.5) * NS, abs=NS)


@pytest.mark.parametrize(
    ("is_woken_by_others", "patience", "taken", "left"),
    [
        (True, 4.0, 0.0, turns.PATIENCE),
        (True, 4.0, 3.75, turns.PATIENCE),
        (True, 4.0, 4.0, 2.0),
        (True, 3 * turns.PACE, 9.0, 1.5 * turns.PACE),
        (True, 1.5 * turns.PACE, 9.0, turns.PACE),
        (False, 4.0, 0.0, 4.0),
        (False, 4.0, 9.0, 4.0),
    ],
)
def test_only_a_wait_for_others_has_patience_and_less_after_one_in_vain(
    is_woken_by_others: bool,
    patience: float,
    taken: float,
    left: float,
    ordered: Turns,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [0.0]
    monkeypatch.setattr(turns, "_real_monotonic", lambda: clock[0])
    monkeypatch.setattr(turns, "_real_sleep", lambda seconds: clock.__setitem__(0, taken))
    ordered._loose[0] = turns._Waiter("goes on by itself")
    ordered._patience = patience
    assert not ordered.wait(turns.PACE, ordered.mine() if is_woken_by_others else None)
    assert (ordered.now_ns(), ordered._patience) == (turns.PACE * NS, left)


@pytest.mark.parametrize("seconds", [0.0, 0.3])
def test_a_callback_that_waits_at_the_end_is_no_exception(runs: Runs, minutes: Path, seconds: float) -> None:
    """Ctrl-C while the recording is still being read, and once all of it waits for the script."""
    source = script(
        "lock = threading.Lock()",
        "def on_start(self):",
        "    threading.Thread(target=self.holds).start()",
        "def holds(self):",
        "    with self.lock:",
        "        while True: time.sleep(1)",
        "def trade_update(self, src, sym, data):",
        f"    select.select([], [], [], {seconds})",
        "    signal.raise_signal(signal.SIGINT)",
        "    with self.lock: self.publish('t', 'never')",
        head=ALL + "import select, signal\n",
    )
    ran = runs(source, replay=minutes)
    assert (ran.code, ran.records) == (130, [])
    assert "exception" not in ran.said


def plays(seed: int, *, loose: bool) -> list[tuple[int, int, int]]:
    """Five threads and a runner that wait for each other at random: each step with its thread, kind and time.

    `loose`: some of the threads wait elsewhere in between, also while they have a lock.
    """
    chance = random.Random(seed)
    made = Turns(lambda text: None)
    made.runner_is()
    steps: list[tuple[int, int, int]] = []
    ended: list[int] = []
    real_sleep = time.sleep
    with ordered_threads(made):
        waiting: queue.Queue[int] = queue.Queue(3)
        locks = [threading.Lock(), threading.RLock()]
        rings, few = threading.Event(), threading.Semaphore(2)

        def step(own: random.Random, kind: int, number: int) -> None:
            if kind == 0:
                time.sleep(own.random() * 5)
            elif kind == 1:
                waiting.put(number, timeout=own.random() * 10)
            elif kind == 2:
                waiting.get(timeout=own.random() * 10)
            elif kind == 3:
                rings.wait(own.random() * 3)
                (rings.set if own.random() < 0.5 else rings.clear)()
            elif kind == 4 and loose:
                real_sleep(0.012)
            else:
                taken: Any = few if kind == 5 else locks[own.randrange(2)]
                with taken:
                    if loose and own.random() < 0.2:
                        real_sleep(0.012)
                    time.sleep(own.random())

        def works(number: int) -> None:
            own = random.Random(100 * seed + number)
            for _ in range(15):
                kind = own.randrange(8)
                with contextlib.suppress(queue.Full, queue.Empty):
                    step(own, kind, number)
                steps.append((number, kind, made.now_ns()))
            ended.append(number)

        for number in range(5):
            threading.Thread(target=works, args=(number,), daemon=True).start()
        for half in range(1, 400):
            made.go_to(half * NS // 2)
            with contextlib.suppress(queue.Full, queue.Empty):
                step(chance, chance.choice([0, 2, 6, 7, 9]), 9)
        until = time.monotonic() + 20
        while len(ended) < 5 and time.monotonic() < until:
            real_sleep(0.01)
            made.go_to(made.now_ns() + NS)
        assert sorted(ended) == [0, 1, 2, 3, 4], f"seed {seed}: somebody waits for ever"
        made.close()
    return steps


def test_nobody_waits_for_ever_and_all_is_in_one_order() -> None:
    for seed in range(8):
        assert plays(seed, loose=False) == plays(seed, loose=False)


def test_nobody_waits_for_ever_where_some_go_on_by_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("IDLE_LOOKS", "IDLE_LOOKS_AT_ALL", "KNOWN_LOOKS", "KNOWN_LOOKS_AT_ALL"):
        monkeypatch.setattr(work, name, 1)
    monkeypatch.setattr(turns, "LOOK_EVERY", 0.005)
    monkeypatch.setattr(turns, "PATIENCE", 0.05)
    for seed in range(4):
        plays(seed, loose=True)
