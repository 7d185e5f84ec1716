"""What waits for a script: jobs in order of arrival, between the event loop and the script's thread."""

from __future__ import annotations

import itertools
import threading
from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import Struct

from cli.bot.market_data import MarketName
from cli.output.queues import EventQueue
from venues.connection import SystemClock

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from venues.records import Status

IN_MEMORY = 100_000  # jobs that wait in memory; those beyond go to a file without a name


class Told(NamedTuple):
    """A status, and the markets that it makes go down or come back."""

    status: Status
    down: Sequence[MarketName] = ()
    live: Sequence[MarketName] = ()
    markets: Sequence[MarketName] = ()  # all that it is about
    standing: Sequence[MarketName] = ()  # those of them that are live now, with all of their streams
    inline: bool = False  # it belongs into what the bot emits
    by_age: bool = False  # it is the user's own limit: nothing was missed


def monotonic() -> float:
    """The time by which it is kept when something came, in monotonic seconds."""
    return SystemClock().now().mono


class Job(Struct, frozen=True, gc=False):
    """One thing to do: what it is, the record it is about, and when that came (epoch ms, and monotonic seconds).

    `market` is that of a quote, a trade or a candle, and None of all else.
    """

    what: str
    record: Any
    at: int
    mono: float
    market: MarketName | None = None


class Jobs:
    """The queue between the event loop, which fills it, and the thread that runs the script. In order of arrival.

    Trades wait, all of them. A quote replaces the waiting quote of the same market, and goes to the end of the queue.
    Calls (of webhooks) wait with the rest. `trouble` says what went wrong with the file.

    Where all is kept, what waits is taken at once. What is left of that is `taken`, which the script's thread may take
    from by itself, without a lock: two threads that lock each other out for each job do little else.
    """

    def __init__(
        self, *, keep_all: bool, on_room: Callable[[], None] | None = None, clock: Callable[[], float] = monotonic
    ) -> None:
        """`keep_all`: quotes are not replaced either. `on_room` is called once after each `want_room`."""
        self._on_room = on_room
        self._room_at: int | None = None
        self._keep_all = keep_all
        self._clock = clock
        self.taken: deque[Job | Callable[[], None]] = deque()
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._waits = False  # whoever takes, for anything to come
        self._waiting: OrderedDict[int, Job | Callable[[], None]] = OrderedDict()
        self._quotes: dict[Any, int] = {}
        self._later = EventQueue()
        self._in_file = 0
        self._last_quotes: dict[Any, Job] = {}  # those that came after what is in the file
        self._calls: deque[Callable[[], None]] = deque()
        self._number = 0
        self._closed = False
        self.thrown_away = False  # what waited was dropped: nobody has done it

    def put(self, job: Job) -> None:
        """Add a job at the end of the queue."""
        with self._lock:
            if self._in_file or len(self._waiting) >= IN_MEMORY:
                self._later.put([job])
                self._in_file += 1
            else:
                self._number += 1
                self._waiting[self._number] = job
            if self._waits:
                self._wake()

    def put_quote(self, key: Any, job: Job) -> None:
        """Add a quote in the place of the one of its market that waits."""
        if self._keep_all:
            self.put(job)
            return
        with self._lock:
            self._waiting.pop(self._quotes.pop(key, -1), None)
            if self._in_file:
                self._last_quotes[key] = job
            else:
                self._quotes[key] = self._add(job)
            self._wake()

    def drop_quote(self, key: Any) -> None:
        """Drop the waiting quote of a market: it is no longer true."""
        with self._lock:
            self._waiting.pop(self._quotes.pop(key, -1), None)
            self._last_quotes.pop(key, None)

    def put_call(self, call: Callable[[], None]) -> None:
        """Add something else that is run in turn."""
        with self._lock:
            if self._in_file:
                self._calls.append(call)
            else:
                self._add(call)
            self._wake()

    def want_room(self, waiting: int) -> None:
        """Call `on_room` once, when no more than so many jobs wait."""
        with self._lock:
            if len(self) > waiting:
                self._room_at = waiting
                return
        if self._on_room is not None:
            self._on_room()

    def take(self) -> Job | Callable[[], None] | None:
        """Wait for the next job. None once the queue is closed and empty."""
        try:
            return self.taken.popleft()
        except IndexError:
            pass
        with self._lock:
            while not self._waiting and not self._calls and not self._in_file:
                if self._closed:
                    return None
                self._waits = True
                self._changed.wait()
            self._waits = False
            if self._room_at is not None and len(self) <= self._room_at and self._on_room is not None:
                self._room_at = None
                self._on_room()
            if self._calls:
                return self._calls.popleft()
            if not self._waiting:
                self._refill()
            return self._take_all() if self._keep_all else self._take_first()

    def _take_first(self) -> Job | Callable[[], None]:
        number, job = self._waiting.popitem(last=False)
        if isinstance(job, Job) and job.what == "quote":
            for key, waiting in self._quotes.items():
                if waiting == number:
                    del self._quotes[key]
                    break
        return job

    def _take_all(self) -> Job | Callable[[], None]:
        """Take what waits at once, or so much of it that somebody who wants room hears of it in time."""
        if self._room_at is None:
            self.taken.extend(self._waiting.values())
            self._waiting.clear()
        else:
            for _ in range(min(len(self._waiting), max(1, len(self) - self._room_at))):
                self.taken.append(self._waiting.popitem(last=False)[1])
        return self.taken.popleft()

    def close(self, *, now: bool = False) -> None:
        """Nothing is added from now on. With `now`, what waits is dropped too."""
        with self._lock:
            self._closed = True
            if now:
                self.thrown_away = True
                self.taken.clear()
                self._waiting.clear()
                self._quotes.clear()
                self._calls.clear()
                self._last_quotes.clear()
                self._in_file, self._later = 0, EventQueue()
            self._changed.notify_all()

    def __len__(self) -> int:
        return len(self.taken) + len(self._waiting) + self._in_file + len(self._calls) + len(self._last_quotes)

    def behind(self) -> float:
        """How long the oldest waiting record has waited, in seconds."""
        with self._lock:
            for job in itertools.chain(self.taken.copy(), self._waiting.values()):
                if isinstance(job, Job):
                    return max(0.0, self._clock() - job.mono)
            return 0.0

    @property
    def trouble(self) -> str | None:
        """What went wrong with the file of waiting jobs; None when nothing did."""
        return self._later.trouble

    def _wake(self) -> None:
        if self._waits:
            self._waits = False
            self._changed.notify()

    def _add(self, job: Job | Callable[[], None]) -> int:
        self._number += 1
        self._waiting[self._number] = job
        return self._number

    def _refill(self) -> None:
        """Take what is in the file next. After its last job come the quotes that arrived since."""
        batch = self._later.take()
        for job in batch:
            self._add(job)
        self._in_file -= len(batch)
        if not self._in_file:
            for key, job in self._last_quotes.items():
                self._quotes[key] = self._add(job)
            self._last_quotes.clear()
