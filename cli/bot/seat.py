"""One script at its place: what it is called with, what it emits, and the time and the candles that it sees."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import Struct

from cli.bot.jobs import monotonic
from cli.bot.knowledge import Knowledge
from cli.bot.market_data import MarketName, quote_data, time_of, trade_data
from cli.bot.script import CANDLE
from cli.bot.script_api import message, signal_figures, text_of
from cli.bot.timing.cron import Cron
from venues.records import Message, Record, Signal

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Container, Mapping, Sequence
    from pathlib import Path

    from cli.bot.bars import Bars, Series
    from cli.bot.jobs import Job, Told
    from cli.bot.market_data import Candles
    from cli.bot.script import Bot
    from cli.bot.speech import BotVoice
    from cli.bot.summary import Tally
    from cli.bot.timing.cron import Schedule
    from cli.bot.timing.generation import Generation, Loaded
    from cli.bot.timing.script_time import ScriptTime

HEAD_START = 0.25  # seconds that `on_start` has before the first callback, live: most only make ready what those need
SLOW = 0.1  # seconds that a callback may take before it is told
BEHIND_MS = 1_000  # what is emitted from older data says how old it is
BOT = "bot"  # the venue of its messages


class ScriptStop(Exception):
    """The script raised SystemExit or the like, which must not end more than the call that it came from."""


class _Rests(Struct, frozen=True, gc=False):
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


class Seat:
    """The place of one script. `bot`, `candles` and `candles_from` are set before the first job.

    It is what the script's `Link` speaks with, in whatever thread the script does so.
    """

    def __init__(
        self,
        file: Path,
        time: ScriptTime,
        down: set[MarketName],
        voice: BotVoice,
        *,
        put: Callable[[Record, MarketName | None], None],
        send: Callable[[bytes], None],
        on_stop: Callable[[], None] = lambda: None,
        strategy: str | None = None,
    ) -> None:
        """`file` is the script. `down` are the markets that are not live; the loop or the runner changes them.

        `put` takes a record, and the market whose data it is made of; `send` a frame for the readers of the bot's own
        feed. `strategy` is what the records say whose they are, where several scripts run.
        """
        self.file = file
        self.bot: Bot | None = None
        self.candles: Mapping[MarketName, Candles] = {}
        self.candles_from: Mapping[str, str | None] = {}
        self.labels: Mapping[str, str | None] = {}
        self._running: tuple[str, MarketName | None, float] | None = None
        self.logger: logging.Logger | None = None
        self.tally: Tally | None = None  # for the summary
        self.unquoted: Container[str] = ()  # venues whose quotes come for the summary only
        self.cron = Cron()
        self.generation: Generation | None = None  # of a script that is loaded anew when it is saved
        self._knowledge = Knowledge(down)
        self.stopped = False  # by the script itself
        self._told_out_of_scope: set[str] = set()
        self._told_of_an_end = False
        self._script_time = time
        self._down = down
        self._voice = voice
        self._put = put
        self._send = send
        self._on_stop = on_stop
        self._strategy = strategy
        self._of: _Rests = _ON_NOTHING  # what the callback that runs rests on
        self._thread: int | None = None  # where callbacks run
        self._candle_calls: dict[MarketName, _CandleCalls] = {}

    @property
    def running(self) -> Running | None:
        """The callback that runs now."""
        running = self._running
        return None if running is None else Running(*running)

    # --- the script's side

    def epoch_ns(self) -> int:
        """The time in nanoseconds since the epoch: the recorded one in a replay."""
        self._script_time.looked()
        return self._script_time.epoch_ns()

    @property
    def knowledge(self) -> Knowledge:
        """What the script can look up."""
        self._script_time.looked()
        return self._knowledge

    def signal(self, src: object, sym: object, figures: dict[str, object]) -> None:
        """Emit a signal.

        Raises:
            ValueError: it is not a signal.
        """
        checked = signal_figures(src, sym, figures)
        if self.stopped:
            self._tell_of_an_end(f"a signal for {text_of(src)}:{text_of(sym)}")
            return
        self._script_time.emits()
        size = checked.get("size")
        market = MarketName(text_of(src), text_of(sym))
        rests = self._rests()
        marks = self._marks([market, rests.market], rests.came)
        received = self._script_time.epoch_ns() // 1_000_000
        if self.tally is not None:
            self.tally.signal(market, received, size, marked=marks is not None)
        self._put(
            Signal(
                venue=market.venue,
                env=self._label(market.venue),
                symbol=market.symbol,
                time=rests.time,
                received=received,
                name="signal",
                side=None if not size else "long" if size > 0 else "short",
                strategy=self._strategy,
                extra=marks,
                **checked,
            ),
            rests.market,
        )

    def publish(self, topic: object, data: object) -> None:
        """Emit a message.

        Raises:
            TypeError, ValueError: it is not a message.
        """
        plain, frame = message(topic, data, self._strategy)
        if self.stopped:
            self._tell_of_an_end(f"a message on {text_of(topic)}")
            return
        self._script_time.emits()
        rests = self._rests()
        whose = {} if self._strategy is None else {"strategy": self._strategy}
        self._put(
            Message(
                venue=BOT,
                env=self._label(None if rests.market is None else rests.market.venue),
                time=rests.time,
                received=self._script_time.epoch_ns() // 1_000_000,
                topic=text_of(topic),
                data=plain,
                extra={**whose, **(self._marks([rests.market], rests.came) or {})} or None,
            ),
            rests.market,
        )
        self._send(frame)

    def stop(self, reason: object) -> None:
        """Call the script no more. The run ends with its last script."""
        if not self.stopped:
            self.stopped = True
            self._voice.error(f"{self.file.name} has stopped itself" + ("" if reason is None else f": {reason}"))
            self._on_stop()

    def _tell_of_an_end(self, what: str) -> None:
        """Say, once, that a script which has stopped itself emits nothing more: a thread of it goes on, say."""
        if not self._told_of_an_end:
            self._told_of_an_end = True
            self._voice.error(
                f"{self.file.name} has stopped itself: {what} after that is not emitted, nor what follows"
            )

    def out_of_scope(self, name: str) -> None:
        """Say, once for each name, that the script asks for what is not done here."""
        if name not in self._told_out_of_scope:
            self._told_out_of_scope.add(name)
            self._voice.error(f"{self.file.name}: {name} is of bots that trade themselves: mon does nothing for it")

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
        stale = any(market in self._down for market in concerned) if concerned else bool(self._down)
        marks: dict[str, Any] = {"stale": True} if stale else {}
        if came is not None and not self._script_time.recorded:
            behind = round((monotonic() - came) * 1000)
            if behind > BEHIND_MS:
                marks["behind_ms"] = behind
        return marks or None

    # --- the host's side

    def in_turn(self, call: Callable[[], None], what: str = "a webhook") -> None:
        """Run a webhook's handler, or load the script, in turn. Both report themselves what they raise."""
        self._running = (what if self.bot is not None else "loading the script", None, time.monotonic())
        call()
        self._running = None

    def do(self, job: Job) -> None:
        """Call the script's callbacks for a job, where it has any."""
        if self.stopped:
            return
        self._thread = threading.get_ident()
        if job.market is not None:
            if (candles := self.candles.get(job.market)) is not None:  # else it is another script's
                self._on_price(job, job.market, candles)
            return
        if self.tally is not None:
            self.tally.saw(job.at)
        if job.what == "status":
            self._on_status(job.record, job.at)
        elif job.what == "start":
            self.start()

    def take(self, loaded: Loaded, between: Callable[[], None]) -> None:
        """Go on with a script that was loaded anew. Of the one before, nothing goes out any more.

        `between` is called when that has ended and the new one cannot emit anything yet.
        """
        if self.generation is not None:
            self.generation.end()
        between()
        self.bot, self.generation, self.cron = loaded.bot, loaded.generation, loaded.cron
        loaded.generation.begin()

    def start(self) -> None:
        """Begin what runs beside the callbacks: `on_start`, and the methods with a schedule."""
        assert self.bot is not None
        if "on_start" in self.bot.callbacks:
            on_start = partial(self._beside, "on_start", self.bot.callbacks["on_start"], self.generation)
            self._run_beside("on_start", on_start, HEAD_START)
        for name, (schedule, method) in self.bot.schedules.items():
            self._run_beside(name, partial(self._by_schedule, name, schedule, method, self.generation))

    def _run_beside(self, name: str, run: Callable[[], None], head_start: float = 0.0) -> None:
        begun = None if self.generation is None else self.generation.has
        self._script_time.start(f"{self.file.name}: {name}", run, head_start, begun=begun)

    def _by_schedule(
        self, name: str, schedule: Schedule, method: Callable[[], Any], generation: Generation | None
    ) -> None:
        """Run a method by its schedule until the run ends, or its script; never twice at a time."""
        over = None if generation is None else generation.over
        begun = self._script_time.epoch_ns()
        if self.cron.options.get("auto_start", True):
            self._beside(name, method, generation)
        while not self.stopped:
            if not self._script_time.wait_until(schedule.next_after(self._script_time.epoch_ns(), begun), over):
                return
            if not self.stopped:
                self._beside(name, method, generation)

    def _beside(self, name: str, call: Callable[[], Any], generation: Generation | None) -> None:
        """Call something of the script beside its callbacks. What that raises ends this call only."""
        assert self.bot is not None
        try:
            call()
        except BaseException as error:
            if self._script_time.over or (generation is not None and generation.over.is_set()):
                raise
            self._voice.fault(error, name, self.bot.name)
            if self.tally is not None:
                self.tally.exception(None)

    def _on_price(self, job: Job, market: MarketName, candles: Candles) -> None:
        """Take a quote, a trade or a candle; the summary has it first. A market that is down has no prices for that."""
        record, tally = job.record, None if market in self._down else self.tally
        if job.what == "quote":
            if tally is not None:
                tally.quote(market, job.at, record.bid_price, record.ask_price)
            if market not in self._down and market.venue not in self.unquoted:
                self._on_quote(record, market, job.mono)
        elif job.what == "trade":
            if tally is not None:
                tally.trade(market, job.at, record.price)
            self._on_trade(record, market, candles, job.mono)
        else:
            if tally is not None:
                tally.trade(market, job.at, record.close)
            self._on_candle(record, market, candles, job.mono)

    def _on_trade(self, trade: Any, market: MarketName, candles: Candles, came: float) -> None:
        assert self.bot is not None
        self._knowledge.trade(market, trade)
        candled = self.candles_from.get(market.venue) == "trades" and candles.trade(trade)
        if "trade_update" in self.bot.callbacks:
            self._call("trade_update", _Rests(market, time_of(trade), came), *market, trade_data(trade))
        if candled and self.bot.called_levels:
            calls = self._candle_calls.get(market)
            if calls is None or calls.bot is not self.bot or calls.candles is not candles:
                calls = self._candle_calls[market] = _candle_calls(self.bot, candles)
            self._call_each(calls.calls, _Rests(market, time_of(trade), came), market)

    def _on_candle(self, candle: Any, market: MarketName, candles: Candles, came: float) -> None:
        if self.candles_from.get(market.venue) != "candles":  # another script's
            return
        assert self.bot is not None
        for level in candles.candle(candle):
            if level in self.bot.called_levels and candles.known(level):
                call = _candle_call(self.bot, candles, level)
                self._call_each([call], _Rests(market, candle.time, came), market)

    def _on_quote(self, quote: Any, market: MarketName, came: float) -> None:
        assert self.bot is not None
        self._knowledge.quote(market, quote)
        if "quote_update" in self.bot.callbacks:
            self._call("quote_update", _Rests(market, quote.time, came), *market, quote_data(quote))

    def _on_status(self, told: Told, at: int) -> None:
        status = told.status
        self._knowledge.stand(told.markets, told.standing)
        for market in told.markets:
            if told.by_age or market not in self.candles or status.stream != self.candles_from.get(market.venue):
                continue
            candles = self.candles[market]
            if status.state in ("stale", "reconnecting", "closed") or (
                status.state == "live" and (status.reason or status.down_ms)
            ):
                # Said again with a reason while it is live: something may be missing.
                candles.down(at - (status.down_ms or 0))
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
        self._running = (name, market, begun)
        try:
            self.bot.callbacks[name](*arguments)
        except BaseException as error:  # a script that ends itself ends this call only
            self._on_fault(error, name, market)
        self._running, self._of = None, _ON_NOTHING
        took = time.monotonic() - begun
        if took > SLOW:
            self._on_slow(name, market, took)

    def _call_each(self, calls: Sequence[_CandleCall], rests: _Rests, market: MarketName) -> None:
        """Call one candle callback after the other. Each has its bars for as long as it runs, or keeps a copy."""
        src, sym = market
        self._of = rests
        begun = time.monotonic()
        for name, callback, series in calls:
            self._running = (name, market, begun)
            try:
                callback(src, sym, series.lent)
            except BaseException as error:
                self._on_fault(error, name, market)
            series.take_back()
            ended = time.monotonic()
            if ended - begun > SLOW:
                self._on_slow(name, market, ended - begun)
            begun = ended
        self._running, self._of = None, _ON_NOTHING

    def _on_fault(self, error: BaseException, name: str, market: MarketName | None) -> None:
        if self._script_time.recorded and self._script_time.over and isinstance(error, SystemExit):
            return  # the end of the replay cut its wait short
        assert self.bot is not None
        self._voice.fault(error, name, self.bot.name)
        if self.tally is not None:
            self.tally.exception(market)

    def _on_slow(self, name: str, market: MarketName | None, took: float) -> None:
        assert self.bot is not None
        of_what = "" if market is None else f" for {market}"
        self._voice.seldom("slow", f"{self.bot.name}: {name}{of_what} took {took:.2f} s")


class _CandleCall(NamedTuple):
    """A candle callback, and the candles whose bars it gets."""

    name: str
    callback: Callable[[str, str, Bars], Any]
    series: Series


class _CandleCalls(NamedTuple):
    """What a trade of one market calls, by a script and by what candles there are of the market."""

    bot: Bot
    candles: Candles
    calls: list[_CandleCall]


def _candle_call(bot: Bot, candles: Candles, level: str) -> _CandleCall:
    name = f"{CANDLE}{level}"
    return _CandleCall(name, bot.callbacks[name], candles.series(level))


def _candle_calls(bot: Bot, candles: Candles) -> _CandleCalls:
    return _CandleCalls(bot, candles, [_candle_call(bot, candles, level) for level in bot.called_levels])


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
