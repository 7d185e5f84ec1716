"""The thread that runs a bot's script: what waits for it, its callbacks in order of arrival, how far it is behind."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from cli.bot.market_data import quote_data, time_of, trade_data
from cli.bot.plan import MarketName
from cli.bot.script import CANDLE
from cli.bot.script_api import message, signal_figures, text_of
from cli.output import cells
from cli.output.queues import EventQueue
from venues.connection import SystemClock
from venues.records import Message, Record, Signal, Status

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Mapping, Sequence

    from cli.bot.market_data import Candles
    from cli.bot.script import Bot
    from cli.bot.speech import BotVoice
    from venues.connection import Clock
    from venues.venue import Now

SLOW = 0.1  # seconds that a callback may take before it is told
BEHIND_MS = 1_000  # what is emitted from older data says how old it is
BOT = "bot"  # the venue of its messages
IN_MEMORY = 100_000  # jobs that wait in memory; those beyond go to a file without a name
LOOK_EVERY = 1.0  # seconds between two looks at how far the script is behind
BEHIND = 5.0  # seconds that the oldest event has waited, or …
BEHIND_EVENTS = 10_000  # … events that wait, before it is told
TOLD_EVERY = 10.0
RUNS_LONG = 5.0  # seconds after which a callback that has not returned is told, again after each 30
RUNS_LONG_TOLD_EVERY = 30.0
SHORTEST_WAIT = 0.001  # seconds, in a replay: a shorter one would last longer than it should


class ScriptStop(Exception):
    """The script raised SystemExit or the like, which must not end more than the call that it came from."""


class Told(NamedTuple):
    """A status, and the markets that it makes go down or come back."""

    status: Status
    down: Sequence[MarketName] = ()
    live: Sequence[MarketName] = ()
    markets: Sequence[MarketName] = ()  # all that it is about
    inline: bool = False  # it belongs into what the bot emits
    by_age: bool = False  # it is the user's own limit: nothing was missed


class _Rests(NamedTuple):
    """What a callback rests on: its market, the venue's time, and when that came (monotonic seconds)."""

    market: MarketName | None = None
    time: int | None = None
    came: float | None = None


_ON_NOTHING = _Rests()


@dataclass
class Running:
    """The callback that runs now, and since when (monotonic seconds)."""

    name: str
    market: MarketName | None
    since: float


class Runner(threading.Thread):
    """Does the jobs. `bot`, `candles` and `candles_from` are set before the first job.

    In a replay the time is the recorded one, and `down` changes in turn with the records. Live, the event loop changes
    `down` at once, since what the script emits then may be wrong already.
    """

    def __init__(
        self,
        jobs: Jobs,
        voice: BotVoice,
        *,
        replayed: bool,
        put: Callable[[Record], None],
        send: Callable[[bytes], None],
        on_end: Callable[[], None],
    ) -> None:
        """`put` takes a record, `send` a frame for the readers of the bot's own feed; both in this thread."""
        super().__init__(name="bot", daemon=True)  # a callback that never returns must not hold up the end
        self.bot: Bot | None = None
        self.candles: Mapping[MarketName, Candles] = {}
        self.candles_from: Mapping[str, str | None] = {}
        self.labels: Mapping[str, str | None] = {}
        self.down: set[MarketName] = set()
        self.running: Running | None = None
        self.logger: logging.Logger | None = None
        self._jobs = jobs
        self._voice = voice
        self._replayed = replayed
        self._put = put
        self._send = send
        self._on_end = on_end
        self._now_ms: int | None = None  # in a replay
        self._of: _Rests = _ON_NOTHING  # what the callback that runs rests on
        self._thread: int | None = None  # where callbacks run

    def run(self) -> None:
        """Do jobs until they are closed and done."""
        try:
            while (job := self._jobs.take()) is not None:
                if callable(job):
                    self._in_turn(job)
                else:
                    self._do(job)
        finally:
            self._on_end()

    def set_time(self, epoch_ms: int) -> None:
        """Set the time that a replayed script sees."""
        self._now_ms = epoch_ms

    # --- the script's side

    @property
    def source(self) -> MarketName | None:
        """The market whose data the callback has that asks. None outside of one, as in a thread of the script's own."""
        return self._rests().market

    def epoch_ns(self) -> int:
        """The time in nanoseconds since the epoch: the recorded one in a replay."""
        return time.time_ns() if self._now_ms is None else self._now_ms * 1_000_000

    def signal(self, src: object, sym: object, figures: dict[str, object]) -> None:
        """Emit a signal.

        Raises:
            ValueError: it is not a signal.
        """
        checked = signal_figures(src, sym, figures)
        size = checked.get("size")
        market = MarketName(text_of(src), text_of(sym))
        rests = self._rests()
        self._put(
            Signal(
                venue=market.venue,
                env=self._label(market.venue),
                symbol=market.symbol,
                time=rests.time,
                received=self.epoch_ns() // 1_000_000,
                name="signal",
                side=None if not size else "long" if size > 0 else "short",
                extra=self._marks([market, rests.market], rests.came),
                **checked,
            )
        )

    def publish(self, topic: object, data: object) -> None:
        """Emit a message.

        Raises:
            TypeError, ValueError: it is not a message.
        """
        plain, frame = message(topic, data)
        rests = self._rests()
        self._put(
            Message(
                venue=BOT,
                env=self._label(None if rests.market is None else rests.market.venue),
                time=rests.time,
                received=self.epoch_ns() // 1_000_000,
                topic=text_of(topic),
                data=plain,
                extra=self._marks([rests.market], rests.came),
            )
        )
        self._send(frame)

    def _label(self, venue: str | None) -> str | None:
        """The environment of a venue. For a venue that the bot does not watch, the environment of its markets."""
        if venue is not None and venue in self.labels:
            return self.labels[venue]
        return next((label for label in self.labels.values() if label is not None), None)

    def _rests(self) -> _Rests:
        """What rests on data is what a callback makes: a thread of the script's own looks at the time itself."""
        return self._of if threading.get_ident() == self._thread else _ON_NOTHING

    def _marks(self, markets: Sequence[MarketName | None], came: float | None) -> dict[str, Any] | None:
        """What must be known about something emitted now: that a market is not live, that its data is old."""
        concerned = [market for market in markets if market in self.candles]
        stale = any(market in self.down for market in concerned) if concerned else bool(self.down)
        marks: dict[str, Any] = {"stale": True} if stale else {}
        if came is not None and not self._replayed:
            behind = round((monotonic() - came) * 1000)
            if behind > BEHIND_MS:
                marks["behind_ms"] = behind
        return marks or None

    # --- the host's side

    def _in_turn(self, call: Callable[[], None]) -> None:
        """Run a webhook's handler, or load the script. Both report themselves what they raise."""
        self.running = Running("a webhook" if self.bot is not None else "loading the script", None, time.monotonic())
        call()
        self.running = None

    def _do(self, job: Job) -> None:
        self._thread = threading.get_ident()
        if self._replayed:
            self._now_ms = job.at
        match job.what:
            case "trade":
                self._on_trade(job.record, job.mono)
            case "quote":
                self._on_quote(job.record, job.mono)
            case "candle":
                self._on_candle(job.record, job.mono)
            case "status":
                self._on_status(job.record, job.at)
            case "start":
                self._call("on_start", _ON_NOTHING)

    def _on_trade(self, trade: Any, came: float) -> None:
        assert self.bot is not None
        market = MarketName(trade.venue, trade.symbol)
        candles = self.candles[market]
        candled = self.candles_from.get(market.venue) == "trades" and candles.trade(trade)
        if "trade_update" in self.bot.callbacks:
            self._call("trade_update", _Rests(market, time_of(trade), came), *market, trade_data(trade))
        if candled:
            for level in candles.levels:
                self._call(f"{CANDLE}{level}", _Rests(market, time_of(trade), came), *market, candles.bars(level))

    def _on_candle(self, candle: Any, came: float) -> None:
        market = MarketName(candle.venue, candle.symbol)
        candles = self.candles[market]
        for level in candles.candle(candle):
            if candles.known(level):
                self._call(f"{CANDLE}{level}", _Rests(market, candle.time, came), *market, candles.bars(level))

    def _on_quote(self, quote: Any, came: float) -> None:
        market = MarketName(quote.venue, quote.symbol)
        if market not in self.down:
            self._call("quote_update", _Rests(market, quote.time, came), *market, quote_data(quote))

    def _on_status(self, told: Told, at: int) -> None:
        status = told.status
        if self._replayed:
            self.down.update(told.down)
            self.down.difference_update(told.live)
            if told.inline:
                self._put(status)
        for market in told.markets:
            if told.by_age or status.stream != self.candles_from.get(market.venue):
                continue
            candles = self.candles[market]
            if status.state in ("stale", "reconnecting", "closed") or (status.state == "live" and status.reason):
                candles.down(at)  # said again with a reason while it is live: something may be missing
            if status.state == "live":
                candles.live(at)
        self._tell(told)

    def _tell(self, told: Told) -> None:
        """Tell the script through its logger what it will not get."""
        assert self.logger is not None
        for market in told.down:
            reason = f": {told.status.reason}" if told.status.reason else ""
            until = "it gives no more quotes" if told.status.state == "closed" else "no quotes until it is live again"
            self.logger.warning("%s is %s%s; %s", market, told.status.state, reason, until)
        for market in told.live:
            away = "" if told.status.down_ms is None else f" after {told.status.down_ms / 1000:.1f} s"
            missed = "" if told.by_age else f"; {told.status.reason or 'trades in between may be missing'}"
            self.logger.warning("%s is live again%s%s", market, away, missed)

    def _call(self, name: str, rests: _Rests, *arguments: Any) -> None:
        assert self.bot is not None
        self._of, market = rests, rests.market
        begun = time.monotonic()
        self.running = Running(name, market, begun)
        try:
            self.bot.callbacks[name](*arguments)
        except BaseException as error:  # a script that ends itself ends this call only
            self._voice.fault(error, name, self.bot.name)
        self.running, self._of = None, _ON_NOTHING
        took = time.monotonic() - begun
        if took > SLOW:
            of_what = "" if market is None else f" for {market}"
            self._voice.seldom("slow", f"{self.bot.name}: {name}{of_what} took {took:.2f} s")


def called(call: Callable[[], Any]) -> tuple[Any, Exception | None]:
    """What a call returns, or what it raises, in a form that a future can carry."""
    try:
        return call(), None
    except Exception as error:
        if not isinstance(error, StopIteration):
            return None, error
        raised: BaseException = error
    except BaseException as error:
        raised = error
    stop = ScriptStop(f"{type(raised).__name__}: {raised}".rstrip(": "))
    stop.__cause__ = raised
    stop.__traceback__ = raised.__traceback__
    return None, stop


# --- what waits for it ---------------------------------------------------------------------------------------------


def monotonic() -> float:
    """The time by which it is kept when something came, in monotonic seconds."""
    return SystemClock().now().mono


class Job(NamedTuple):
    """One thing to do: what it is, the record it is about, and when that came (epoch ms, and monotonic seconds)."""

    what: str
    record: Any
    at: int
    mono: float


class Jobs:
    """The queue between the event loop, which fills it, and the thread that runs the script. In order of arrival.

    Trades wait, all of them. A quote replaces the waiting quote of the same market, and goes to the end of the queue.
    Calls (of webhooks) wait with the rest. `trouble` says what went wrong with the file.
    """

    def __init__(
        self, *, keep_all: bool, on_room: Callable[[], None] | None = None, clock: Callable[[], float] = monotonic
    ) -> None:
        """`keep_all`: quotes are not replaced either. `on_room` is called once after each `want_room`."""
        self._on_room = on_room
        self._room_at: int | None = None
        self._keep_all = keep_all
        self._clock = clock
        self._changed = threading.Condition()
        self._waiting: OrderedDict[int, Job | Callable[[], None]] = OrderedDict()
        self._quotes: dict[Any, int] = {}
        self._later = EventQueue()
        self._in_file = 0
        self._last_quotes: dict[Any, Job] = {}  # those that came after what is in the file
        self._calls: deque[Callable[[], None]] = deque()
        self._number = 0
        self._closed = False

    def put(self, job: Job) -> None:
        """Add a job at the end of the queue."""
        with self._changed:
            if self._in_file or len(self._waiting) >= IN_MEMORY:
                self._later.put([job])
                self._in_file += 1
            else:
                self._add(job)
            self._changed.notify()

    def put_quote(self, key: Any, job: Job) -> None:
        """Add a quote in the place of the one of its market that waits."""
        if self._keep_all:
            self.put(job)
            return
        with self._changed:
            self._waiting.pop(self._quotes.pop(key, -1), None)
            if self._in_file:
                self._last_quotes[key] = job
            else:
                self._quotes[key] = self._add(job)
            self._changed.notify()

    def drop_quote(self, key: Any) -> None:
        """Drop the waiting quote of a market: it is no longer true."""
        with self._changed:
            self._waiting.pop(self._quotes.pop(key, -1), None)
            self._last_quotes.pop(key, None)

    def put_call(self, call: Callable[[], None]) -> None:
        """Add something else that is run in turn."""
        with self._changed:
            if self._in_file:
                self._calls.append(call)
            else:
                self._add(call)
            self._changed.notify()

    def want_room(self, waiting: int) -> None:
        """Call `on_room` once, when no more than so many jobs wait."""
        with self._changed:
            if len(self) > waiting:
                self._room_at = waiting
                return
        if self._on_room is not None:
            self._on_room()

    def take(self) -> Job | Callable[[], None] | None:
        """Wait for the next job. None once the queue is closed and empty."""
        with self._changed:
            while not self._waiting and not self._calls and not self._in_file:
                if self._closed:
                    return None
                self._changed.wait()
            if self._room_at is not None and len(self) <= self._room_at and self._on_room is not None:
                self._room_at = None
                self._on_room()
            if self._calls:
                return self._calls.popleft()
            if not self._waiting:
                self._refill()
            number, job = self._waiting.popitem(last=False)
            if isinstance(job, Job) and job.what == "quote":
                for key, waiting in self._quotes.items():
                    if waiting == number:
                        del self._quotes[key]
                        break
            return job

    def close(self, *, now: bool = False) -> None:
        """Nothing is added from now on. With `now`, what waits is dropped too."""
        with self._changed:
            self._closed = True
            if now:
                self._waiting.clear()
                self._quotes.clear()
                self._calls.clear()
                self._last_quotes.clear()
                self._in_file, self._later = 0, EventQueue()
            self._changed.notify_all()

    def __len__(self) -> int:
        return len(self._waiting) + self._in_file + len(self._calls) + len(self._last_quotes)

    def behind(self) -> float:
        """How long the oldest waiting record has waited, in seconds."""
        with self._changed:
            for job in self._waiting.values():
                if isinstance(job, Job):
                    return max(0.0, self._clock() - job.mono)
            return 0.0

    @property
    def trouble(self) -> str | None:
        """What went wrong with the file of waiting jobs; None when nothing did."""
        return self._later.trouble

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


# --- how far it is behind ------------------------------------------------------------------------------------------


class Lag:
    """Looks every second, from `look` on: tells when a script is far behind, and when it has caught up."""

    def __init__(self, name: str, jobs: Jobs, runner: Runner, voice: BotVoice, pace: Pace | None) -> None:
        """`name` is the script's; `pace` is that of a replay, which waits for the script."""
        self._name = name
        self._jobs = jobs
        self._runner = runner
        self._voice = voice
        self._pace = pace
        self._told_behind: float | None = None
        self._told_running: tuple[float, float] | None = None

    def look(self) -> None:
        """Look now, and again every second."""
        asyncio.get_running_loop().call_later(LOOK_EVERY, self.look)
        now = time.monotonic()
        self._look_at_callback(now)
        if self._jobs.trouble is not None:
            self._voice.seldom("file", self._jobs.trouble)
        self._look_at_queue(now)

    def _look_at_callback(self, now: float) -> None:
        running = self._runner.running
        if running is None or now - running.since <= RUNS_LONG:
            return
        told = self._told_running
        if told is None or told[0] != running.since or now - told[1] > RUNS_LONG_TOLD_EVERY:
            self._told_running = (running.since, now)
            of_what = "" if running.market is None else f" for {running.market}"
            self._voice.say(
                f"{running.name}{of_what} has been running for {cells.duration((now - running.since) * 1000)}; "
                f"{len(self._jobs):,} events wait for it"
            )

    def _look_at_queue(self, now: float) -> None:
        waiting = len(self._jobs)
        behind = self._jobs.behind() if self._pace is None else self._pace.behind
        if behind > BEHIND or waiting > BEHIND_EVENTS:
            if self._told_behind is None or now - self._told_behind > TOLD_EVERY:
                self._told_behind = now
                late = cells.duration(behind * 1000)
                self._voice.say(f"{self._name} is {late} behind: {waiting:,} events wait for it")
        elif self._told_behind is not None and behind < 1.0:
            self._told_behind = None
            self._voice.say(f"{self._name} has caught up")


# --- the pace of a replay ------------------------------------------------------------------------------------------


class Pace:
    """The clock of a replay. Its waits end when they are due by the recording, however late the one before ended.

    `behind` is how late the last event was played, in seconds. At full speed nothing is waited for.
    """

    def __init__(self, clock: Clock) -> None:
        self.behind = 0.0
        self._clock = clock
        self._due: float | None = None

    def now(self) -> Now:
        """The present time by both clocks."""
        return self._clock.now()

    async def sleep(self, seconds: float) -> None:
        """Wait until `seconds` after the moment at which the wait before was due to end."""
        if seconds <= 0:
            return
        now = time.monotonic()
        self._due = (now if self._due is None else self._due) + seconds
        ahead = self._due - now
        self.behind = max(0.0, -ahead)
        if ahead >= SHORTEST_WAIT:
            await asyncio.sleep(ahead)
