"""The order of a replay: one thread of the scripts at a time, in recorded time, so that two runs are the same.

The runner plays the recording. Before each event it lets the waits end that are over by then, each at its own time and
those of one time in the order in which they began. A thread has its turn until it waits again or ends; only then does
the runner go on. A wait of the runner itself, in a callback, lets the time go on to its end.

What waits is `time.sleep`, and whatever the modules `threading`, `queue`, `sched` and `concurrent.futures` build on
their locks: while a replay lasts, `ordered` has them make locks that wait here, and count their seconds by the recorded
time. A thread that is not of the scripts waits as ever.

What waits elsewhere (for a socket, a process, an event loop) cannot be ordered: its thread goes on by itself, and that
is told once.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import logging
import queue
import sched
import threading
import time
import weakref
from concurrent import futures
from datetime import UTC, datetime
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar

from cli.bot.timing.work import Work

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LOOK_EVERY = 0.05  # seconds, real ones, between two looks at whether a thread that has its turn still works
SHORTEST = 0.0001  # seconds, recorded ones, of a wait: a thread that waits for nothing again and again gets on
WORKS_LONG = 5.0  # seconds of the processor that a thread may use in its turn before that is told …
WORKS_TOO_LONG = 30.0  # … and before it goes on by itself: it may loop for what only the recording can bring
MOST_LOOKS = 1_000  # that a thread may look something up in its turn, before time has to go on …
SHORTEST_PAUSE, LONGEST_PAUSE = 0.01, 1.0  # … by so many recorded seconds, more each time
PATIENCE = 10.0  # seconds, real ones, that a callback waits for threads that go on by themselves; less after in vain
PACE = 0.01  # seconds, real and recorded ones, of a step meanwhile
MANY_WAITS = 2_000_000  # of one thread, after which is told where the recording is …
MANY_MORE = 20_000_000  # … and again after so many
_NS = 1_000_000_000
T = TypeVar("T")

_real_sleep, _real_monotonic = time.sleep, time.monotonic
_real_lock, _real_rlock = threading.Lock, threading.RLock
_START = threading.Thread.start
_JOIN = threading.Thread.join
_WAIT = threading.Condition.wait
_get_ident = threading.get_ident

WAITS_ELSEWHERE = "waits for something that a recording has no time for, such as a network or a process"
TOO_LONG = "calculates for too long, or loops without a wait"


class _Ended(SystemExit):
    """Raised in a thread that waits when the replay has ended: it ends, and nobody is told."""


class _Waiter:
    """A thread that waits for its turn."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.turn = _real_lock()
        self.turn.acquire()
        self.entry: int | None = None  # the place in the heap that counts; None while it has its turn
        self.waits = False
        self.woken = False  # by somebody, and not by the time; also before the wait has begun
        self.count = 0  # of its waits
        self.looks = 0  # since it waited last
        self.pause = SHORTEST_PAUSE
        self.native_id: int | None = None


def _is_told(waits: int) -> bool:
    """Whether it is told that a thread has waited so often."""
    return waits >= MANY_WAITS and not (waits - MANY_WAITS) % MANY_MORE


class Turns:
    """Gives the threads of the scripts their turns. `runner_is` is called in the runner's thread before all else."""

    def __init__(self, say: Callable[[str], None]) -> None:
        """`say` is for what a person must know, once."""
        self.closed = False
        self._say = say
        self._now = 0  # nanoseconds since the epoch
        self._until: int  # what the runner lets it go on to now
        self._heap: list[tuple[int, int, _Waiter]] = []
        self._number = itertools.count()
        self._of: dict[int, _Waiter] = {}  # by thread
        self._ends: weakref.WeakKeyDictionary[threading.Thread, TurnLock] = weakref.WeakKeyDictionary()
        self._back = _real_lock()  # released by whoever gives its turn back to the runner
        self._back.acquire()
        self._change = _real_lock()  # held while it changes who has a turn and who waits
        self._runner: int | None = None
        self._runners_own = _Waiter("")
        self._apart: set[int] = set()  # threads that do something of ours now, and wait as ever
        self._loose: dict[int, _Waiter] = {}  # threads that go on by themselves
        self._patience = PATIENCE
        self._known: set[int | None] = set()  # native ids of those that have done so
        self._told: set[str] = set()  # their names, without numbers
        self._stranger_told = False

    # --- the runner's side

    def runner_is(self) -> None:
        """Note that the present thread is the runner."""
        self._runner = _get_ident()

    def now_ns(self) -> int:
        """The recorded time, in nanoseconds since the epoch."""
        return self._now

    def go_to(self, epoch_ns: int) -> None:
        """Let the time go on, and end the waits that are over by then. It never goes back."""
        if not self._heap:  # nobody waits: so it is with each event of most scripts
            if epoch_ns > self._now:
                self._now = epoch_ns
            return
        self._until = epoch_ns
        while not self.closed:
            with self._change:
                while self._heap and self._heap[0][1] != self._heap[0][2].entry:
                    heapq.heappop(self._heap)  # it was woken before its time
                if not self._heap or self._heap[0][0] > epoch_ns:
                    break
                due, _, waiter = heapq.heappop(self._heap)
                waiter.waits, waiter.entry = False, None
            self._now = max(self._now, due)
            waiter.turn.release()
            self._until_back(waiter)
        self._now = max(self._now, epoch_ns)

    def close(self) -> None:
        """End the waits of all threads: the replay is over."""
        with self._change:
            self.closed = True
            waiting = [waiter for waiter in self._of.values() if waiter.waits]
            for waiter in waiting:
                waiter.waits = False
        for waiter in waiting:
            waiter.turn.release()

    def _until_back(self, waiter: _Waiter) -> None:
        """Wait until a thread gives its turn back, or waits for something that is not ours."""
        if self._back.acquire(timeout=LOOK_EVERY):
            return
        work, told = Work(waiter.native_id, known=waiter.native_id in self._known), False
        while not self._back.acquire(timeout=LOOK_EVERY):
            work.look()
            if (work.waits or self.closed) and self._let_go(waiter):
                return
            if work.seconds >= WORKS_LONG and not told:
                told = True
                self._say(
                    f"{waiter.name} has been running for {work.seconds:.0f} s without a wait: "
                    "the recording waits for it"
                )
            if work.seconds >= WORKS_TOO_LONG and self._let_go(waiter, TOO_LONG):
                return

    def _let_go(self, waiter: _Waiter, why: str = WAITS_ELSEWHERE) -> bool:
        """Let a thread go on by itself, and say why. False if it has just given its turn back."""
        with self._change:
            if self._back.acquire(False):
                self._back.release()
                return False
            for thread in [thread for thread, one in self._of.items() if one is waiter]:
                self._loose[thread] = self._of.pop(thread)
        if not self.closed and waiter.native_id not in self._known:
            self._known.add(waiter.native_id)
            self._tell(waiter, why)
        return True

    def _tell(self, waiter: _Waiter, why: str) -> None:
        """Say it once of threads of one name: of one script, that is, and not of each thread of a pool."""
        name = "".join(character for character in waiter.name if not character.isdigit())
        if name not in self._told:
            self._told.add(name)
            self._say(f"{waiter.name} {why}: it goes on by itself, so two runs may differ")

    # --- the scripts' side

    def is_ours(self) -> bool:
        """Whether the present thread has turns: the runner, or one that a script has started, also one that is loose.

        A loose thread is in order again once it waits here.
        """
        thread = _get_ident()
        if self.closed or thread in self._apart:
            return False
        return thread == self._runner or thread in self._of or thread in self._loose

    def is_over(self, *, for_runner: bool = False) -> bool:
        """Whether the replay has ended, which ends the waits of the present thread; of the runner, if asked for."""
        thread = _get_ident()
        ours = thread in self._of or (for_runner and thread == self._runner)
        return self.closed and ours and thread not in self._apart

    @contextlib.contextmanager
    def apart(self) -> Iterator[None]:
        """While it lasts, the present thread waits as ever: it does something of ours."""
        thread = _get_ident()
        if thread in self._apart:
            yield
            return
        self._apart.add(thread)
        try:
            yield
        finally:
            self._apart.discard(thread)

    def do_apart(self, call: Callable[[], T]) -> T:
        """What a call returns, made while the present thread waits as ever; for what is done with each event."""
        thread = _get_ident()
        self._apart.add(thread)
        try:
            return call()
        finally:
            self._apart.discard(thread)

    def wait(self, seconds: float | None, mine: _Waiter | None = None) -> bool:
        """Wait until somebody wakes the present thread, or for so long in recorded time. Whether it was woken.

        `mine` is the present thread where others may wake it, who may have done so before it waits; see `mine`.
        """
        if seconds is not None:
            seconds = max(seconds, SHORTEST)
        thread = _get_ident()
        if thread == self._runner:
            return self._runner_waits(None if seconds is None else self._now + round(seconds * _NS), mine)
        self._count(self._of.get(thread))
        with self._change:
            if self.closed:
                raise _Ended
            has_turn = thread in self._of
            if mine is None:
                mine = self._of.get(thread) or self._loose.get(thread) or _Waiter(threading.current_thread().name)
                mine.woken = False
            elif mine.woken:
                return True
            if has_turn and seconds is not None and self._would_be_next(due := self._now + round(seconds * _NS)):
                self._now = due
                return False
            if not has_turn:
                self._loose.pop(thread, None)
                self._of[thread] = mine
                mine.native_id = threading.get_native_id()
            mine.waits = True
            mine.entry = next(self._number)
            if seconds is not None:
                heapq.heappush(self._heap, (self._now + round(seconds * _NS), mine.entry, mine))
            if has_turn:
                self._back.release()
        mine.turn.acquire()
        if self.closed:
            raise _Ended
        return mine.woken

    def goes_on(self, seconds: float) -> bool:
        """Whether the present thread, which waits for nothing but the time, has gone on to its end and kept its turn.

        What `wait` does in most waits of a thread that waits a moment again and again, and nothing else.
        """
        thread = _get_ident()
        mine = self._of.get(thread)
        if mine is None or _is_told(mine.count + 1) or seconds < SHORTEST or thread in self._apart:
            return False
        with self._change:
            due = self._now + round(seconds * _NS)
            if due > self._until or (self._heap and due >= self._heap[0][0]) or self.closed or thread not in self._of:
                return False
            self._now = due
        mine.count += 1
        mine.looks, mine.pause = 0, SHORTEST_PAUSE
        return True

    def emits(self) -> None:
        """Say it, once, where the present thread emits something and has no turns: it was started past `threading`."""
        thread = _get_ident()
        if self.closed or thread == self._runner or thread in self._of or thread in self._loose:
            return
        if not self._stranger_told:
            self._stranger_told = True
            self._say(
                "a thread that threading has not started emits something: it has no order, so two runs may differ"
            )

    def looked(self) -> None:
        """Note that the present thread looks something up: who does so again and again waits for it to change."""
        mine = self._of.get(_get_ident())
        if mine is None or _get_ident() in self._apart:
            return
        mine.looks += 1
        if mine.looks >= MOST_LOOKS:
            pause = mine.pause
            self.wait(pause)
            mine.pause = min(2 * pause, LONGEST_PAUSE)

    def _would_be_next(self, due: int) -> bool:
        """Whether whoever has its turn, and waits until then, would be the next to have one: it may as well keep it.

        For a thread that waits a moment again and again, the hand-over costs many times what it does itself.
        """
        return due <= self._until and (not self._heap or due < self._heap[0][0])

    def _count(self, waiter: _Waiter | None) -> None:
        """Count a wait of a thread that has its turn. A replay with very many does not hang: it is said where it is."""
        if waiter is None:
            return
        waiter.count += 1
        waiter.looks, waiter.pause = 0, SHORTEST_PAUSE
        if not _is_told(waiter.count):
            return
        at = datetime.fromtimestamp(self._now // _NS, UTC).strftime("%Y-%m-%d %H:%M")
        with self.apart():
            self._say(
                f"{waiter.name} has waited {waiter.count:,} times, and the recording is at {at} UTC: "
                "the shorter its waits, the longer the replay takes"
            )

    def _runner_waits(self, due: int | None, mine: _Waiter | None) -> bool:
        """The runner waits, in a callback: the others go on meanwhile, and the time with them.

        Those that go on by themselves need real time for that. As long as they may be what it waits for, the recorded
        time goes no faster: else days of it would go by until a network has answered.
        """
        impatient_at = None if mine is None else _real_monotonic() + self._patience
        if mine is None:
            mine = self._runners_own
            mine.woken = False
        while not mine.woken and not self.closed:
            goal = min((at for at in (due, self._next_due()) if at is not None), default=None)
            if self._loose and impatient_at is not None and _real_monotonic() < impatient_at:
                _real_sleep(PACE)
                soon = self._now + round(PACE * _NS)
                goal = soon if goal is None else min(goal, soon)
            elif goal is None and self._loose:
                _real_sleep(LOOK_EVERY)
                continue
            elif goal is None:
                raise RuntimeError("a callback waits for what no thread of this replay can bring: it would be for ever")
            self.go_to(goal)
            if goal == due:
                break
        if self.closed:
            raise _Ended
        if self._loose and impatient_at is not None:
            self._patience = PATIENCE if _real_monotonic() < impatient_at else max(PACE, self._patience / 2)
        return mine.woken

    def _next_due(self) -> int | None:
        with self._change:
            while self._heap and self._heap[0][1] != self._heap[0][2].entry:
                heapq.heappop(self._heap)
            return self._heap[0][0] if self._heap else None

    def mine(self) -> _Waiter:
        """The present thread, one of ours, as one that others may wake from now on."""
        thread = _get_ident()
        with self._change:
            found = self._runners_own if thread == self._runner else self._of.get(thread) or self._loose[thread]
        found.woken = False
        return found

    def wake(self, waiter: _Waiter) -> None:
        """End the wait of a thread before its time. It has its turn once the present one is over."""
        with self._change:
            waiter.woken = True
            if waiter.waits:
                waiter.entry = next(self._number)
                heapq.heappush(self._heap, (self._now, waiter.entry, waiter))

    def start(self, name: str, run: Callable[[], None]) -> None:
        """Start a thread of ours for a script."""
        self.take(threading.Thread(target=run, name=name, daemon=True))

    def take(self, thread: threading.Thread) -> None:
        """Start a thread that has turns: the first one when the present one is over."""
        waiter = _Waiter(thread.name)
        ended = self._ends[thread] = TurnLock(self)
        ended.acquire()
        run = thread.run

        def in_turn() -> None:
            waiter.native_id = threading.get_native_id()
            waiter.turn.acquire()
            try:
                if not self.closed:
                    run()
            except _Ended:
                pass
            finally:
                ended.release()
                with self._change:
                    if self._of.pop(_get_ident(), None) is not None and not self.closed:
                        self._back.release()
                    self._loose.pop(_get_ident(), None)

        thread.run = in_turn  # type: ignore[method-assign]
        with self.apart():
            _START(thread)
        assert thread.ident is not None, "it is started"
        with self._change:
            self._of[thread.ident] = waiter
            waiter.waits, waiter.entry = True, next(self._number)
            heapq.heappush(self._heap, (self._now, waiter.entry, waiter))

    def ended(self, thread: threading.Thread) -> TurnLock | None:
        """What is released when a thread that has turns ends; None for another one."""
        return self._ends.get(thread)


class TurnLock:
    """A lock for which threads of the scripts wait in recorded time; others wait as ever.

    Whoever has waited longest gets it when it is released: one that takes it again at once would leave the others none.
    """

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._lock = _real_lock()
        self._guard = _real_lock()  # held while it changes who waits: loose threads may be in here too
        self._waiting: list[_Waiter] = []

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """As that of any lock."""
        turns = self._turns
        if not blocking or not (turns.is_ours() or turns.is_over(for_runner=True)):
            return self._lock.acquire(blocking, timeout)
        if self._lock.acquire(False):
            return True
        if turns.closed:
            raise _Ended
        mine = turns.mine()
        with self._guard:
            if self._lock.acquire(False):
                return True
            self._waiting.append(mine)
        try:
            turns.wait(None if timeout < 0 else timeout, mine)
        except BaseException:
            if self._was_given_to(mine):
                self.release()
            raise
        return self._was_given_to(mine)

    def release(self) -> None:
        """As that of any lock. What a thread has whose wait ended with the replay, nobody gets any more."""
        if self._turns.is_over():
            return
        with self._guard:
            if not self._waiting:
                self._lock.release()
                return
            if not self._lock.locked():
                raise RuntimeError("release unlocked lock")
            given = self._waiting.pop(0)
        self._turns.wake(given)

    def _was_given_to(self, waiter: _Waiter) -> bool:
        """Whether it was, when somebody released it; it waits no longer if not."""
        with self._guard:
            if waiter not in self._waiting:
                return True
            self._waiting.remove(waiter)
            return False

    def locked(self) -> bool:
        """Whether somebody has it."""
        return self._lock.locked()

    __enter__ = acquire

    def __exit__(self, *exception: object) -> None:
        self.release()

    def _at_fork_reinit(self) -> None:
        self._lock, self._guard, self._waiting = _real_lock(), _real_lock(), []


class TurnRLock(threading._PyRLock):  # type: ignore[name-defined, misc]
    """As `TurnLock`, and whoever has it may take it again."""

    def __init__(self, turns: Turns) -> None:
        super().__init__()
        self._block = TurnLock(turns)


# --- in the place of Python's own ----------------------------------------------------------------------------------


@contextlib.contextmanager
def ordered(turns: Turns) -> Iterator[None]:
    """While it lasts, threads that scripts start have turns, and what they wait with waits in recorded time."""
    patches: list[tuple[Any, str, Any]] = [
        (time, "sleep", partial(_sleep, turns)),
        (threading.Thread, "start", lambda thread: _start(turns, thread)),
        (threading.Thread, "join", lambda thread, timeout=None: _join(turns, thread, timeout)),
        (threading.Condition, "wait", lambda condition, timeout=None: _wait(turns, condition, timeout)),
        (threading, "Lock", lambda: TurnLock(turns) if turns.is_ours() else _real_lock()),
        (threading, "RLock", lambda: TurnRLock(turns) if turns.is_ours() else _real_rlock()),
        (threading, "_time", partial(_monotonic, turns)),
        (queue, "time", partial(_monotonic, turns)),
        (queue, "SimpleQueue", queue._PySimpleQueue),  # type: ignore[attr-defined]  # the other one is no Python
        (sched.scheduler.__init__, "__defaults__", (partial(_monotonic, turns), partial(_sleep, turns))),
        (futures._base, "time", SimpleNamespace(monotonic=partial(_monotonic, turns))),
        # `as_completed` goes through a set of them: by where they are in memory, without this.
        (futures.Future, "__init__", _numbered(futures.Future.__init__)),
        (futures.Future, "__hash__", _number_of),
    ]
    logging.getLogger("concurrent.futures").addFilter(_is_no_end)
    before = [getattr(home, name) for home, name, _ in patches]
    for home, name, value in patches:
        setattr(home, name, value)
    try:
        yield
    finally:
        for (home, name, _), value in zip(patches, before, strict=True):
            setattr(home, name, value)


def _numbered(init: Callable[..., None]) -> Callable[..., None]:
    """What makes futures that know which one they are."""
    numbers = itertools.count()

    def make(future: Any, *given: Any, **named: Any) -> None:
        init(future, *given, **named)
        future.mon_number = next(numbers)

    return make


def _number_of(future: Any) -> int:
    number = getattr(future, "mon_number", None)
    return object.__hash__(future) if number is None else hash(number)


def _is_no_end(record: logging.LogRecord) -> bool:
    """Whether a record of Python's pools says more than that a thread of them ends, as all do in the end."""
    return not (record.exc_info and isinstance(record.exc_info[1], _Ended))


def _monotonic(turns: Turns) -> float:
    """What Python's own waits count their seconds by."""
    return turns.now_ns() / _NS if turns.is_ours() else _real_monotonic()


def _sleep(turns: Turns, seconds: float) -> None:
    if turns.goes_on(seconds):
        return
    if not turns.is_ours():
        _real_sleep(seconds)
    elif seconds < 0:
        raise ValueError("sleep length must be non-negative")
    else:
        turns.wait(seconds)


def _start(turns: Turns, thread: threading.Thread) -> None:
    if turns.is_ours():
        turns.take(thread)
    else:
        _START(thread)


def _join(turns: Turns, thread: threading.Thread, timeout: float | None) -> None:
    ended = turns.ended(thread)
    if ended is None or not turns.is_ours():
        _JOIN(thread, timeout)
    elif ended.acquire(timeout=-1 if timeout is None else max(0.0, timeout)):
        ended.release()


def _wait(turns: Turns, condition: Any, timeout: float | None) -> bool:
    """As Python's own; a wait for a lock of the host's is none of a script's."""
    if not isinstance(condition._lock, TurnLock | TurnRLock) or not turns.is_ours():
        return _WAIT(condition, timeout)
    if not condition._is_owned():
        raise RuntimeError("cannot wait on un-acquired lock")
    mine = TurnLock(turns)
    mine.acquire()
    condition._waiters.append(mine)
    saved = condition._release_save()
    told = False
    try:
        told = mine.acquire(timeout=-1 if timeout is None else max(0.0, timeout))
        return told
    finally:
        condition._acquire_restore(saved)
        if not told:
            with contextlib.suppress(ValueError):
                condition._waiters.remove(mine)
