"""The bot host: live streams or a recording into a script's callbacks, and what it emits to a reader."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import secrets
import sys
from typing import TYPE_CHECKING, Any, Literal

from cli.bot import history
from cli.bot.market_data import Candles
from cli.bot.markets import Inlet, PeekedRecording, Standings, markets_of
from cli.bot.outlet import Outlet
from cli.bot.plan import BotRequest, MarketName, Plan, plans
from cli.bot.runner import Job, Jobs, Lag, Pace, Runner, called
from cli.bot.script import hosted, load
from cli.bot.script_api import module_for
from cli.bot.speech import BotVoice, LogLines, redirected, script_traceback, unheard
from cli.bot.summary import Costs, Tally
from cli.errors import NoDataError
from cli.interrupts import run_loop
from cli.output.lines import STDERR, is_terminal
from cli.output.statuses import BadFrames, in_words
from cli.run.ending import Ending, ended_within, first_of
from cli.run.loop import Loop, calm_collector
from cli.run.source import Embedded
from venues.connection import SystemClock
from venues.errors import SetupError, UsageError
from venues.records import Candle, Quote, Record, Signal, SnapshotEnd, Status, Trade, is_from_before
from venues.venue import BadFrame, Notice, Now

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from cli.bot.relay import Follower
    from cli.bot.script import Bot
    from cli.output.lines import Words
    from cli.run.ending import Reading
    from venues.driver import Delivered
    from venues.redaction import Redactor

MOST_PIPELINED = 2_000  # jobs of a replay that wait before the recording waits for the script
PATIENCE = 2.0  # seconds for a callback that runs when we end
FOLLOW_WITHIN = 5.0  # seconds for what a follower still has to do
LAST_WORDS_WITHIN = 0.15  # seconds for each that has last words, after Ctrl-C or TERM
ALL_LAST_WORDS_WITHIN = 0.25


class Host:
    """One bot from its file to its end: what the loop delivers becomes calls of the script."""

    def __init__(
        self,
        request: BotRequest,
        words: Words,
        redactor: Redactor,
        *,
        follower: Follower | None = None,
    ) -> None:
        """`follower` is told of signals and prices too, in order, in the event loop."""
        request.check_record()
        self._request = request
        self._words = words
        self._redactor = redactor
        self._follower = follower
        self._clock = SystemClock()
        self._recording = None if request.replay is None else PeekedRecording(request.replay)
        self._pace = None if self._recording is None else Pace(self._clock)
        self._markets = markets_of(request, self._recording)
        self._outlet = Outlet(request, redactor, self._clock)
        self._jobs = Jobs(keep_all=self._recording is not None, on_room=self._on_room)
        self._standings = Standings(self._markets)
        self._ending = Ending()
        self._run = Loop(
            request,
            self,
            ending=self._ending,
            clock=self._clock if self._pace is None else self._pace,
            redactor=redactor,
            recording=self._recording,
            last_words_within=ALL_LAST_WORDS_WITHIN,
        )
        self._inlet = Inlet(self._run, self._recording, self._standings)
        self._embedded = Embedded()
        self.candles: dict[MarketName, Candles] = {}
        self._server: Any = None
        self._emitted = itertools.count(1)
        self._has_emitted = False
        self._bad_frames = BadFrames()
        self._data_seen = False
        self._sizes_told: set[str] = set()
        self._pipelined = 0
        self._runner_ended = asyncio.Event()
        self._room = asyncio.Event()
        self._begun = asyncio.Event()
        self._reading: Reading | None = None  # once the end was asked for
        self._tally: Tally | None = None

    async def run(self) -> int:
        """Run the bot until it ends. The result is the exit code.

        Raises:
            MonError: whatever ended it that was not asked for.
        """
        self._loop = asyncio.get_running_loop()
        self._voice = BotVoice(self._words, self._redactor, self._loop)
        self._runner = Runner(
            self._jobs,
            self._voice,
            replayed=self._recording is not None,
            put=self._emit,
            send=self._send,
            on_end=self._on_runner_end,
        )
        if self._recording is not None and self._recording.first is not None:
            self._runner.set_time(self._recording.first.at)
        name = self._request.file.stem
        self._runner.logger = logger = self._logger(name)
        module, link = module_for(self._runner, logger)
        with contextlib.ExitStack() as stack:
            self._ending.take_signals(stack)
            stack.callback(logger.handlers.clear)
            stack.enter_context(hosted(self._request.file, module))
            stack.enter_context(
                redirected(lambda line: self._voice.error(f"[{name}] {line}"), table=self._outlet.as_table)
            )
            self._runner.start()
            Lag(self._request.file.name, self._jobs, self._runner, self._voice, self._pace).look()
            try:
                await self._host(link, stack)
            finally:
                self._jobs.close(now=True)
                await self._embedded.close()
        return self._ending.result()

    # --- setting up

    async def _host(self, link: type, stack: contextlib.ExitStack) -> None:
        bot = await self._unless_stopped(self._call(lambda: load(self._request.file, link)))
        if bot is None:
            return
        calm_collector()
        for remark in bot.remarks:
            self._voice.say(remark)
        planned = self._plan(bot)
        self._runner.bot = bot
        self._make_candles(bot, planned)
        self._runner.tally = self._tally = self._tally_for(planned)
        self._runner.labels = await self._inlet.open(planned, self._embedded, self._voice.say) or self._labels()
        await self._unless_stopped(self._fill())
        if self._ending.stopping.is_set():
            return
        if (notice := self._inlet.record()) is not None:
            self._voice.say(notice)
        try:
            if self._follower is not None:
                await self._follower.open(self._embedded, self._voice, self._ending.end)
            label = next((label for label in self._runner.labels.values() if label is not None), None)
            token = await self._serve(bot)
            feed = None if self._server is None else self._server.shown_feed_url.partition("?")[0]
            self._outlet.open(label, list(map(str, self._markets)), self._ending.on_output_end, feed, token)
            self._outlet.take_terminal(stack, self._ending.stop, self._voice.to_footer)
            self._outlet.show(self._standings.together())
            self._run.set_timers()
            await self._watch(bot)
        finally:
            await self._close()

    def _plan(self, bot: Bot) -> list[Plan]:
        if not self._markets and any(name != "on_start" for name in bot.callbacks):
            raise UsageError(f"{bot.name} has callbacks for markets: expected --market VENUE:SYMBOL, or --replay FILE")
        header = None if self._recording is None else self._recording.header
        planned = plans(bot, self._markets, header)
        if not planned:
            if not bot.callbacks and not bot.routes:
                self._voice.say(f"{bot.name} has nothing that is called: no callback and no route")
            elif self._markets:
                self._voice.say(f"{bot.name} has no callback for a market: no stream is opened")
        for plan in planned:
            for remark in plan.remarks:
                self._voice.say(remark)
        if self._request.history and not bot.levels():
            raise UsageError(f"--history is for candles, and {bot.name} has no candle_update_…")
        for option in ("record", "timeout", "max_age"):
            if not planned and getattr(self._request, option) is not None:
                raise UsageError(
                    f"--{option.replace('_', '-')} is for market data, and {bot.name} gets none: "
                    "it has no callback for a market"
                )
        return planned

    def _make_candles(self, bot: Bot, planned: Sequence[Plan]) -> None:
        levels = bot.levels()
        self.candles = {
            MarketName(plan.venue.name, symbol): Candles(levels, plan.finer if plan.candles_from == "candles" else {})
            for plan in planned
            for symbol in plan.symbols
        }
        self._runner.candles = self.candles
        self._runner.candles_from = {plan.venue.name: plan.candles_from for plan in planned}

    def _labels(self) -> dict[str, str | None]:
        """The labels of markets of which no stream is opened."""
        if self._recording is not None or self._request.env is None:
            return {}
        return {market.venue: self._request.env for market in self._markets}

    async def _fill(self) -> None:
        label = next((label for label in self._runner.labels.values() if label is not None), None)
        begin = self._recording.first.at if self._recording is not None and self._recording.first is not None else None
        now_ms = self._clock.now().epoch_ms if begin is None else begin
        for path in self._request.history:
            await history.fill(path, self.candles, self._voice.say, env=label, now_ms=now_ms)

    async def _serve(self, bot: Bot) -> str | None:
        """Serve the bot's own feed and webhooks, where they are asked for or where the script has routes.

        A token that we made up is returned, since only we know it.
        """
        if self._request.listen is None and (not bot.routes or self._recording is not None):
            return None
        from cli.bot.serving import serve

        self._server, token = await serve(
            bot,
            self._request.listen or ("127.0.0.1", 0),
            call=self._call_begun,
            report=self._report,
            voice=self._voice,
            words=self._words,
            redactor=self._redactor,
        )
        return token

    def missing(self, option: Literal["timeout", "duration"]) -> str | None:
        """What did not come in time: data, or, with --once, anything that the script emits."""
        if option == "timeout":
            return None if self._data_seen else "no market data came"
        if self._run.is_open() and not self._data_seen:
            return "no data came"
        return "the bot emitted nothing" if self._request.once and not self._has_emitted else None

    def _logger(self, name: str) -> logging.Logger:
        logger = logging.getLogger(f"mon.bot.{name}")
        quiet, verbose = self._request.quiet, self._request.verbose
        logger.setLevel(logging.ERROR if quiet else logging.DEBUG if verbose else logging.INFO)
        logger.propagate = False
        logger.addHandler(LogLines(self._voice, name))
        return logger

    # --- running

    async def _watch(self, bot: Bot) -> None:
        if "on_start" in bot.callbacks:
            first = None if self._recording is None else self._recording.first
            now = self._clock.now()
            self._jobs.put(Job("start", None, now.epoch_ms if first is None else first.at, now.mono))
        self._begun.set()
        try:
            await self._run.watch()
        finally:
            self._run.stop_limits()

    def end_asked(self) -> None:
        """Watch from now on whether the reader of what was emitted goes on reading."""
        self._reading = self._outlet.reading()

    async def played(self, count: int) -> None:
        """Let a recording wait for the script where that is far behind."""
        self._pipelined += count
        if self._pipelined >= 64:
            self._pipelined = 0
            await asyncio.sleep(0)
            if len(self._jobs) > MOST_PIPELINED:
                self._room.clear()
                self._jobs.want_room(MOST_PIPELINED // 2)
                await self._room.wait()

    async def _close(self) -> None:
        """Do what came before the end, unless the user does not want to wait."""
        hurried = self._ending.hurried
        asked_to_stop = self._ending.stopping.is_set()
        reading = self._reading or (self._outlet.reading() if asked_to_stop else None)
        self._jobs.close(now=asked_to_stop)
        next_signal = self._ending.next_signal()
        patience = self._hurry() if hurried else PATIENCE if asked_to_stop else None
        await self._wait_for(self._runner_ended, next_signal, patience)
        if not self._runner_ended.is_set() and self._runner.running is not None:
            self._voice.say(f"{self._runner.running.name} has not returned: it is left behind")
        if self._request.once and not self._has_emitted and not self._ending.stopping.is_set():
            self._ending.problem = self._ending.problem or NoDataError("it ended before the bot emitted anything")
        if self._server is not None:
            await ended_within(asyncio.create_task(self._server.close()), self._hurry())
        await asyncio.sleep(0)  # what the script's thread has said so far
        if self._follower is not None:
            await self._follower.close(self._hurry() or (0.0 if hurried else FOLLOW_WITHIN), hurried=hurried)
            await asyncio.sleep(0)  # what it has said
        self._voice.last_words()
        if self._outlet.finish():
            after_signal = 0.0 if next_signal.done() else LAST_WORDS_WITHIN
            left = await self._ending.until_written(
                reading, next_signal, in_hurry=LAST_WORDS_WITHIN, after_signal=after_signal
            )
            if left is not None:
                self._words.say(left)
        next_signal.cancel()
        self._join_what_ended()
        if lost := self._run.close():
            self._words.say(lost)
        if self._voice.faults():
            count = self._voice.faults()
            many = "1 exception" if count == 1 else f"{count:,} exceptions"
            self._words.say(f"{self._request.file.name}: {many} in its callbacks")
        self._sum_up()

    def _tally_for(self, planned: Sequence[Plan]) -> Tally | None:
        """What adds up the summary, unless nobody gets one."""
        request = self._request
        if request.report is None and (request.quiet or request.once):
            return None
        quoted = {plan.venue.name for plan in planned if "quotes" in plan.streams()}
        return Tally(request.file.stem, Costs(request.fee_bps, request.slippage_bps), quoted)

    def _sum_up(self) -> None:
        """Say the summary, and write the report."""
        if self._tally is None:
            return
        from cli.bot import report

        summary = self._tally.summary(None if self._recording is not None else self._clock.now().epoch_ms)
        if not self._request.once and (words := report.words(summary, blocks=_blocks())):
            self._words.say(words)
        if self._request.report is not None:
            report.write(self._request.report, [summary])

    def _join_what_ended(self) -> None:
        """Join our threads that have ended: of those that go on, only the script's are left, which may still print."""
        if self._runner_ended.is_set():
            self._runner.join()
        if self._ending.output_ended.is_set():
            self._outlet.join()

    def _hurry(self) -> float | None:
        """Seconds to wait for each part that has last words. None without a hurry."""
        left = self._ending.hurry_left()
        return None if left is None else min(left, LAST_WORDS_WITHIN)

    async def _wait_for(self, event: asyncio.Event, next_signal: asyncio.Future[int], patience: float | None) -> None:
        await first_of(event, next_signal, patience)
        if next_signal.done() and not event.is_set():
            self._ending.code, self._ending.problem = next_signal.result(), None
            self._jobs.close(now=True)
            await first_of(event, None, LAST_WORDS_WITHIN)

    # --- ending

    async def _unless_stopped(self, awaitable: Awaitable[Any]) -> Any:
        """Await something. The result is None when the user ends the run before it is there."""
        wanted = asyncio.ensure_future(awaitable)
        stopping = asyncio.create_task(self._ending.stopping.wait())
        await asyncio.wait((wanted, stopping), return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if wanted.done():
            return wanted.result()
        wanted.cancel()
        return None

    def _on_runner_end(self) -> None:
        """Called in the script's thread: it has ended."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._runner_ended.set)

    def _on_room(self) -> None:
        """Called in the script's thread: it has done most of what waited."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._room.set)

    # --- what comes in

    def deliver(self, items: list[Delivered], line: int = 0) -> None:
        """Make each item a job for the script, or say it."""
        now = self._run.at()
        for item in items:
            self._on_item(line, item, now)

    def flush(self) -> None:
        """Do nothing: no item is gathered, each goes on at once."""

    def _on_item(self, line: int, item: Delivered, now: Now) -> None:
        kind = item.__class__
        if kind is Trade or kind is Quote or kind is Candle:
            if not is_from_before(item):
                self._on_data(item, now)
        elif isinstance(item, Status):
            self._on_status(line, item, now, by_age=self._run.limits.says(item))
        elif isinstance(item, SnapshotEnd):
            self._data_seen = True  # a full state is here, which may be empty
        elif isinstance(item, Notice):
            self._voice.say(item.text)
        elif isinstance(item, BadFrame):
            self._voice.seldom("bad frame", self._bad_frames.words(item.reason))

    def _on_data(self, record: Any, now: Now) -> None:
        market = MarketName(record.venue, record.symbol)
        if market not in self.candles:
            return
        if record.price_unit is not None:
            self._ending.end(
                SetupError(f"{market} comes in {record.price_unit}, not in prices: configure the symbol's scale")
            )
            return
        if record.size_unit is not None and record.size_unit not in self._sizes_told:
            self._sizes_told.add(record.size_unit)
            self._voice.say(f"{market} has its sizes in {record.size_unit}: the script gets NaN for them")
        if not self._data_seen:
            self._data_seen = True
            self._run.data_came()
        if self._follower is not None:
            self._tell_follower(self._follower, record)
        if record.__class__ is Quote:
            if market not in self._runner.down or self._recording is not None:
                self._jobs.put_quote(market, Job("quote", record, now.epoch_ms, now.mono))
            return
        self._jobs.put(Job("trade" if record.__class__ is Trade else "candle", record, now.epoch_ms, now.mono))

    def _tell_follower(self, follower: Follower, record: Any) -> None:
        if record.__class__ is Quote:
            follower.quote(record)
        elif record.__class__ is Trade:
            follower.trade(record)

    def _on_status(self, number: int, status: Status, now: Now, *, by_age: bool) -> None:
        told = self._standings.changed(number, status)
        inline = told.inline and self._request.status == "inline" and self._request.output != "csv"
        told = told._replace(inline=inline and not self._outlet.as_table, by_age=by_age)
        if self._recording is None:
            self._runner.down.update(told.down)
            self._runner.down.difference_update(told.live)
            for market in told.down:
                self._jobs.drop_quote(market)
            if told.inline:
                self._outlet.put(status)
        if self._follower is not None:
            for market in told.down:
                self._follower.forget(*market)
            for market in told.live:
                self._follower.live(*market)
        if not told.down and not told.live:
            words = in_words(status)
            if words is not None and (told.inline or self._outlet.as_table):
                where = f"{status.venue}:{status.symbol}" if status.symbol is not None else status.venue
                self._voice.seldom("status", f"{where}: {words}")
        self._jobs.put(Job("status", told, now.epoch_ms, now.mono))
        self._outlet.show(self._standings.together())

    # --- what goes out

    async def _call(self, call: Callable[[], Any]) -> Any:
        """Run something in turn with the callbacks. Returns or raises what that returns or raises."""
        future: asyncio.Future[Any] = self._loop.create_future()

        def settle(result: Any, error: Exception | None) -> None:
            if future.done():
                return
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)

        def run() -> None:
            outcome = called(call)
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(settle, *outcome)

        self._jobs.put_call(run)
        return await future

    async def _call_begun(self, call: Callable[[], Any]) -> Any:
        """As `_call`, but never before `on_start`."""
        await self._begun.wait()
        return await self._call(call)

    def _report(self, error: BaseException) -> str:
        """Report an exception in a webhook under an id, which is the result."""
        number = secrets.token_hex(4)
        raised = error.__cause__ if error.__cause__ is not None and type(error).__name__ == "ScriptStop" else error
        name = self._request.file.name
        if self._tally is not None:
            self._tally.exception(None)
        self._voice.error(
            f"{name}: an exception in a webhook (id {number}); the bot goes on\n{script_traceback(raised)}",
            f"{name}: {type(raised).__name__} in a webhook (id {number})",
        )
        return number

    def _emit(self, record: Record) -> None:
        """Take a record that the script emits. Called in its thread, or in one that it has started."""
        self._outlet.put(record)
        self._has_emitted = self._has_emitted or not isinstance(record, Status)
        number = next(self._emitted)
        wanted = 1 if self._request.once else self._request.count
        beyond = wanted is not None and number > wanted  # nobody sees it
        if self._follower is not None and isinstance(record, Signal) and not beyond:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._follower.signal, record, self._runner.source)

    def _send(self, frame: bytes) -> None:
        if self._server is not None:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._server.publish, frame)


def _blocks() -> bool | None:
    """Whether the curves of a summary are drawn with block characters; None where stderr is no terminal."""
    if not is_terminal(STDERR):
        return None
    from cli.screen.terminal import has_unicode
    from cli.settings.environment import variables

    return has_unicode(variables(), getattr(sys.__stderr__, "encoding", None) or "ascii")


def run_bot(request: BotRequest, words: Words, redactor: Redactor) -> int:
    """Run a bot until it ends. The result is the exit code.

    Raises:
        MonError: whatever ended it that was not asked for.
    """
    try:
        import numpy  # noqa: F401
    except ImportError:
        raise SetupError("mon bot needs numpy: install mon with its extra, mon[bots]") from None
    try:
        return run_loop(Host(request, words, redactor, follower=_follower(request, redactor)).run())
    finally:
        unheard()  # the script may want to print while Python ends


def _follower(request: BotRequest, redactor: Redactor) -> Follower | None:
    if request.relay is None:
        return None
    from cli.bot.relay import HubRelay

    return HubRelay(
        request.relay,
        request.strategy if request.strategy is not None else request.file.stem,
        env=request.env,
        profile=request.profile,
        retries=request.retries,
        redactor=redactor,
        markets=request.markets,
        held=request.held,
        held_file=request.held_file,
    )
