"""All scripts of a run: their seats, the threads that run them, and what each of them needs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import sys
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

from cli.bot import history
from cli.bot.jobs import Jobs
from cli.bot.lag import Lag
from cli.bot.market_data import LEVELS, Candles, MarketName
from cli.bot.plan import AUTO, add_prices, merged, plans, plans_of_time
from cli.bot.runner import Runner
from cli.bot.script import hosted, load
from cli.bot.script_api import module_for
from cli.bot.seat import Seat, called
from cli.bot.speech import LogLines, script_traceback
from cli.bot.summary import Costs, Tally
from cli.bot.timing.generation import Generation
from cli.bot.timing.script_time import ScriptTime
from cli.bot.timing.stand_ins import StandIns
from cli.bot.timing.turns import Turns, ordered
from cli.output.lines import STDERR, is_terminal
from venues import venue_named
from venues.connection import SystemClock
from venues.errors import MonError, SetupError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from types import ModuleType

    from cli.bot.jobs import Job, Told
    from cli.bot.lag import Pace
    from cli.bot.own.finder import OwnModules
    from cli.bot.own.modules import Home
    from cli.bot.plan import BotRequest, Plan
    from cli.bot.script import Bot
    from cli.bot.serving import Route
    from cli.bot.speech import BotVoice
    from cli.bot.timing.generation import Loaded
    from cli.output.lines import Words
    from cli.run.symbol_lists import Lists
    from venues.recording import Header
    from venues.records import Record
    from venues.venue import Now

LISTED_WITHIN = 10.0  # seconds for the list of a venue
STREAM_OF = {"quote": "quotes", "trade": "trades", "candle": "candles"}


class Seats:
    """The scripts of a run, in the order in which they were named. Made and used in the event loop.

    `watched` are the markets that any of them has callbacks for; `for_summary` are the venues whose quotes only the
    summary has a use for; `ended` is set once all their threads have ended.
    """

    def __init__(
        self,
        request: BotRequest,
        voice: BotVoice,
        *,
        recorded_at: int | None,
        emit: Callable[[int, Record, MarketName | None], None],
        put_status: Callable[[Record], None],
        send: Callable[[bytes], None],
        on_room: Callable[[], None],
        on_stopped: Callable[[int], None],
        on_all_stopped: Callable[[], None],
    ) -> None:
        """`recorded_at` is when a recording begins (epoch ms), None for a run that is live or of an empty recording.

        `emit` takes the number of a script, a record of it, and the market whose data that is made of; `put_status` a
        status in turn with these; `send` a frame for the readers of the feed. All are called in a script's thread.
        `on_stopped` is called in the event loop with the number of a script that has stopped itself, after what it had
        emitted before; `on_all_stopped` once all of them have.
        """
        self._request = request
        self._voice = voice
        self._on_stopped, self._on_all_stopped = on_stopped, on_all_stopped
        self._loop = asyncio.get_running_loop()
        self._time = ScriptTime(None if request.replay is None else Turns(voice.say))
        if recorded_at is not None:
            self._time.set(recorded_at)
        tell = None if request.script_time is not None else voice.error
        self._stand_ins = None if request.replay is None else StandIns(self._time.epoch_ns, tell, voice.error)
        self._down: set[MarketName] = set()
        self._recorded_at = recorded_at
        self._recorded: Header | None  # of a replay; set when it is planned, as …
        self._opened: dict[str, Plan]  # … what is opened is, by venue
        self._own: dict[Path, OwnModules] = {}
        self._homes: dict[Path, Home] = {}
        self._reloading: asyncio.Task[None] | None = None
        self.watched: set[MarketName] = set()
        self.for_summary: set[str] = set()
        self.ended = asyncio.Event()
        several = len(request.files) > 1
        self._seats = [
            Seat(
                file,
                self._time,
                self._down,
                voice,
                put=partial(emit, number),
                send=send,
                on_stop=partial(self._on_stop, number),
                strategy=file.stem if several else None,
            )
            for number, file in enumerate(request.files)
        ]
        replayed = request.replay is not None
        self._runners = [
            Runner(
                Jobs(keep_all=replayed, on_room=on_room),
                seats,
                self._time,
                self._down,
                replayed=replayed,
                put=put_status,
                on_end=self._on_end,
            )
            for seats in ([self._seats] if replayed else [[seat] for seat in self._seats])
        ]

    # --- setting up

    def start(self, stack: contextlib.ExitStack, pace: Pace | None) -> None:
        """Start the threads, and look at how far they are behind; `pace` is a replay's."""
        for seat in self._seats:
            seat.logger = logger = self._logger(seat.file.stem)
            stack.callback(logger.handlers.clear)
        if self._time.turns is not None:
            stack.enter_context(ordered(self._time.turns))
        stack.callback(self._time.end)
        for runner in self._runners:
            runner.start()
            Lag(", ".join(seat.file.name for seat in runner.seats), runner, self._voice, pace).look()

    def _logger(self, name: str) -> logging.Logger:
        logger = logging.getLogger(f"mon.bot.{name}")
        quiet, verbose = self._request.quiet, self._request.verbose
        logger.setLevel(logging.ERROR if quiet else logging.DEBUG if verbose else logging.INFO)
        logger.propagate = False
        logger.addHandler(LogLines(self._voice, name))
        return logger

    async def load(self, stack: contextlib.ExitStack) -> bool:
        """Load each script in its thread.

        Raises:
            ScriptError: one of them cannot be used.
        """
        for seat in self._seats:
            assert seat.logger is not None, "it is started"
            if self._request.reload:
                seat.generation = Generation(seat)
                stack.callback(self._end_generation, seat)
            module, link = module_for(seat.generation or seat, seat.logger, seat.cron)
            own = self._own_modules(seat.file)
            self._homes[seat.file] = stack.enter_context(hosted(seat.file, module, own))
            settings = self._request.settings.get(seat.file)
            bot: Bot = await self._call(seat, partial(load, seat.file, link, settings, own))
            seat.bot = bot
            if seat.generation is not None:
                seat.generation.begin()
            for remark in bot.remarks:
                self._voice.say(remark)
        return True

    def _own_modules(self, file: Path) -> OwnModules | None:
        """What finds the modules of a script's folder; None where Python's own way will do."""
        if self._stand_ins is None and not self._request.reload:
            return None
        from cli.bot.own.finder import OwnModules

        prepare = _as_it_is if self._stand_ins is None else self._stand_ins.give
        own = self._own[file] = OwnModules(str(file.resolve().parent), prepare, fresh=self._request.reload)
        return own

    def plan(
        self, markets: Sequence[MarketName], recorded: Header | None, headers: Sequence[Header] = ()
    ) -> list[Plan]:
        """What is to be opened for all of them; `recorded` is the header of a recording, of several all `headers`.

        Raises:
            UsageError: a script needs what is not there, or an option is given that none has a use for.
        """
        self._recorded = recorded
        planned: list[list[Plan]] = []
        for seat in self._seats:
            assert seat.bot is not None, "it is loaded"
            mine = self._plan_for(seat.bot, markets, recorded)
            seat.knowledge.markets = list(markets)
            self._make_candles(seat, seat.bot, mine)
            seat.tally = self._tally_for(seat)
            self._runner_of(seat).wants.update(stream for plan in mine for stream in plan.streams())
            self.watched.update(seat.candles)
            planned.append(mine)
        self._check_options(planned)
        opened = merged(planned)
        if recorded is not None and any(seat.tally is not None for seat in self._seats):
            add_prices(opened, headers or [recorded])
            self._take_prices(opened)
        self._opened = {plan.venue.name: plan for plan in opened}
        return opened

    def _plan_for(self, bot: Bot, markets: Sequence[MarketName], recorded: Header | None) -> list[Plan]:
        if not markets and bot.wants_markets:
            raise UsageError(f"{bot.name} has callbacks for markets: expected --market VENUE:SYMBOL, or --replay FILE")
        planned = plans(bot, markets, recorded)
        if not planned:
            if not bot.callbacks and not bot.routes and not bot.schedules:
                self._voice.say(f"{bot.name} has nothing that is called: no callback and no route")
            elif markets and recorded is None:
                self._voice.say(f"{bot.name} has no callback for a market: it gets no market data")
            if recorded is not None:
                planned = plans_of_time(markets, recorded)
        for plan in planned:
            for remark in plan.remarks:
                self._voice.say(remark)
        return planned

    def _check_options(self, planned: Sequence[Sequence[Plan]]) -> None:
        names = self._request.name
        if self._request.history and not any(seat.bot is not None and seat.bot.levels() for seat in self._seats):
            raise UsageError(f"--history is for candles, and {names} has no candle_update_…")
        for option in ("record", "timeout", "max_age"):
            if not any(planned) and getattr(self._request, option) is not None:
                raise UsageError(
                    f"--{option.replace('_', '-')} is for market data, and {names} gets none: "
                    "it has no callback for a market"
                )

    @staticmethod
    def _make_candles(seat: Seat, bot: Bot, planned: Sequence[Plan]) -> None:
        levels = bot.levels()
        seat.candles = {
            MarketName(plan.venue.name, symbol): Candles(levels, plan.finer if plan.candles_from == "candles" else {})
            for plan in planned
            for symbol in plan.symbols
        }
        seat.knowledge.candles = seat.candles
        seat.candles_from = {plan.venue.name: plan.candles_from for plan in planned}

    def _take_prices(self, opened: Sequence[Plan]) -> None:
        """Let the summaries have the quotes that no script asks for, and the scripts not."""
        self.for_summary = {plan.venue.name for plan in opened if plan.for_summary}
        for runner in self._runners:
            runner.wants.update(stream for plan in opened for stream in plan.for_summary)
        for seat in self._seats:
            seat.unquoted = self.for_summary

    def _tally_for(self, seat: Seat) -> Tally | None:
        """What adds up a script's summary, unless nobody gets one."""
        request = self._request
        if request.report is None and (request.quiet or request.once):
            return None
        return Tally(seat.file.stem, Costs(request.fee_bps, request.slippage_bps))

    def label(self, labels: Mapping[str, str | None]) -> None:
        """Take the label of each venue's environment."""
        for seat in self._seats:
            seat.labels = labels

    async def fill(self, now: Now) -> None:
        """Fill the candles with the history that was asked for.

        Raises:
            SetupError: a file of it cannot be read.
        """
        now_ms = now.epoch_ms if self._recorded_at is None else self._recorded_at
        for seat in self._seats:
            label = next((label for label in seat.labels.values() if label is not None), None)
            latest: dict[MarketName, Path] = {}
            for path in self._request.history if seat.bot is not None and seat.bot.levels() else ():
                if path == AUTO:
                    latest |= await self._fill_from_folder(seat, label, now_ms)
                else:
                    used = await history.fill(path, seat.candles, self._voice.say, env=label)
                    latest |= dict.fromkeys(used, path)
            for text in history.gaps(latest, seat.candles, now_ms):
                self._voice.say(text)

    async def _fill_from_folder(self, seat: Seat, label: str | None, now_ms: int) -> dict[MarketName, Path]:
        """Take what the recordings of the folder have; one that cannot be used is said, and is no end of the run.

        The result is the last one that has anything of each market.
        """
        assert seat.bot is not None, "it is loaded"
        assert self._request.recordings_folder is not None, "there is one where it is asked for"
        from cli.bot.bars import SIZE
        from cli.bot.timing.earlier import Wanted, earlier

        recorded = {} if self._recorded is None else {one.venue: one.env for one in self._recorded.venues()}
        since = now_ms - SIZE * max(LEVELS[level] for level in seat.bot.levels())
        start = None if self._request.replay is None else now_ms
        wanted = Wanted(list(seat.candles), since, start, recorded or seat.labels)
        beside = [*self._request.history, *self._request.recordings]
        paths, said = await asyncio.to_thread(earlier, self._request.recordings_folder, wanted, beside)
        for text in said:
            self._voice.say(text)
        latest: dict[MarketName, Path] = {}
        for path in paths:
            try:
                used = await history.fill(path, seat.candles, self._voice.say, env=label)
            except SetupError as error:
                self._voice.say(f"--history auto leaves out the rest of {path}: {error}")
            else:
                latest |= dict.fromkeys(used, path)
        return latest

    async def list_instruments(self, lists: Lists) -> None:
        """Get what the venues' lists say of the markets, for the scripts that look it up. None is no end of the run."""
        asking = [seat for seat in self._seats if seat.bot is not None and seat.bot.asks_instruments]
        names = dict.fromkeys(market.venue for seat in asking for market in seat.knowledge.markets)
        if self._request.replay is not None and names:
            self._voice.say("a recording has no lists of instruments: self.instruments has no tick or lot sizes")
            return
        for name in names:
            try:
                found = await lists.of(venue_named(name), LISTED_WITHIN)
            except MonError as error:
                self._voice.say(f"self.instruments has nothing of {name}: {error}")
                continue
            listed = {MarketName(name, one.symbol or ""): one for one in found}
            for seat in asking:
                seat.knowledge.listed.update(listed)

    def routes(self, begun: asyncio.Event) -> dict[tuple[str, str], Route]:
        """The routes by method and name; of several scripts, each has its own name before them.

        They wait until `begun` is set, so that they never come before `on_start`.
        """
        if not any(seat.bot is not None and seat.bot.routes for seat in self._seats):
            return {}
        from cli.bot.serving import Route

        found: dict[tuple[str, str], Route] = {}
        for seat in self._seats:
            assert seat.bot is not None, "it is loaded"
            before = f"{seat.file.stem}/" if len(self._seats) > 1 else ""
            for (method, name), handler in seat.bot.routes.items():
                route = Route(handler, partial(self._call_begun, seat, begun), partial(self._report, seat))
                found[method, before + name] = route
        return found

    # --- scripts that are loaded anew

    def reload(self, on_reloaded: Callable[[int], None], on_routes: Callable[[], str | None]) -> None:
        """Load from now on each script anew that is saved.

        `on_reloaded` is called in a script's thread with the number of one that begins, after what the one before has
        emitted. `on_routes` is called in the event loop when the routes are others, and says what is wrong with that.
        """
        from cli.bot.timing.reload import Reloads, lacks, new_candles

        def switch(seat: Seat, loaded: Loaded) -> list[str]:
            old = seat.bot
            now = SystemClock().now()
            said = list(lacks(loaded.planned, self._opened))
            said += new_candles(seat, loaded.bot, loaded.planned, lambda market: market not in self._down, now)
            if loaded.bot.asks_instruments and old is not None and not old.asks_instruments:
                said.append("self.instruments has no tick or lot sizes: start mon again for that")
            seat.take(loaded, partial(on_reloaded, self._seats.index(seat)))
            self._runner_of(seat).wants.update(stream for plan in loaded.planned for stream in plan.streams())
            seat.start()
            return said

        def switched(seat: Seat, _bot: Bot) -> list[str]:
            self.watched.update(seat.candles)
            problem = on_routes()
            return [] if problem is None else [problem]

        reloads = Reloads(
            self._seats,
            self._own,
            self._homes,
            self._request.settings,
            self._voice,
            in_turn=partial(self._call, what="loading the script anew"),
            switch=switch,
            switched=switched,
        )
        self._reloading = asyncio.create_task(reloads.watch())
        self._reloading.add_done_callback(self._on_reloads_end)

    def _on_reloads_end(self, task: asyncio.Task[None]) -> None:
        """A fault of ours: nobody must believe that what is saved now runs."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self._voice.error(f"nothing is loaded anew any more, by a fault of mon: {type(error).__name__}: {error}")

    @staticmethod
    def _end_generation(seat: Seat) -> None:
        if seat.generation is not None:
            seat.generation.over.set()

    # --- running

    def put(self, job: Job) -> None:
        """Put a job for every script."""
        for runner in self._runners:
            runner.jobs.put(job)

    def put_record(self, market: MarketName, job: Job) -> None:
        """Put a market's record for the scripts that want its kind."""
        for runner in self._runners:
            if STREAM_OF[job.what] not in runner.wants:
                continue
            if job.what != "quote":
                runner.jobs.put(job)
            elif market not in self._down or self._request.replay is not None:
                runner.jobs.put_quote(market, job)

    def stand(self, told: Told) -> None:
        """Take at once, live, which markets are down now and which are back."""
        self._down.update(told.down)
        self._down.difference_update(told.live)
        for market in told.down:
            for runner in self._runners:
                runner.jobs.drop_quote(market)

    def candles(self, market: MarketName) -> Candles:
        """The candles that the first script has of a market."""
        return self._seats[0].candles[market]

    def waiting(self) -> int:
        """How many jobs wait for the thread that has most."""
        return max(len(runner.jobs) for runner in self._runners)

    def want_room(self, waiting: int) -> None:
        """Ask a replay's thread to say when no more than so many jobs wait."""
        for runner in self._runners:
            runner.jobs.want_room(waiting)

    def who(self) -> str:
        """The script that runs in this thread, by its name; all of them where that is not known."""
        thread = threading.current_thread()
        for runner in self._runners:
            if thread is runner:
                running = [seat for seat in runner.seats if seat.running is not None] or runner.seats[:1]
                return running[0].file.stem
        return ", ".join(seat.file.stem for seat in self._seats)

    async def _call(self, seat: Seat, call: Callable[[], Any], what: str = "a webhook") -> Any:
        """Run something in turn with a script's callbacks. Returns or raises what that returns or raises."""
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

        self._runner_of(seat).jobs.put_call(partial(seat.in_turn, run, what))
        return await future

    async def _call_begun(self, seat: Seat, begun: asyncio.Event, call: Callable[[], Any]) -> Any:
        """As `_call`, but never before `on_start`."""
        await begun.wait()
        return await self._call(seat, call)

    def report(self, error: BaseException) -> str:
        """Report an exception in the server under an id, which is the result."""
        return self._report(self._seats[0], error)

    def _report(self, seat: Seat, error: BaseException) -> str:
        number = secrets.token_hex(4)
        raised = error.__cause__ if error.__cause__ is not None and type(error).__name__ == "ScriptStop" else error
        name = seat.file.name
        if seat.tally is not None:
            seat.tally.exception(None)
        self._voice.error(
            f"{name}: an exception in a webhook (id {number}); the bot goes on\n{script_traceback(raised)}",
            f"{name}: {type(raised).__name__} in a webhook (id {number})",
        )
        return number

    def _runner_of(self, seat: Seat) -> Runner:
        return next(runner for runner in self._runners if seat in runner.seats)

    # --- ending

    def _on_stop(self, number: int) -> None:
        """Called in a script's thread: it has stopped itself."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._has_stopped, number)

    def _has_stopped(self, number: int) -> None:
        self._on_stopped(number)
        if all(seat.stopped for seat in self._seats):
            self._on_all_stopped()

    def close(self, *, now: bool = False) -> None:
        """Nothing is put from now on. With `now`, what waits is dropped too."""
        if self._reloading is not None:
            self._reloading.cancel()
        if now:
            self._time.end()
        for runner in self._runners:
            runner.jobs.close(now=now)

    def tell_of_those_left(self) -> None:
        """Say which callbacks have not returned."""
        for runner in self._runners:
            if not runner.ended and runner.running is not None:
                self._voice.say(f"{runner.running.name} has not returned: it is left behind")

    def join(self) -> None:
        """Join the threads that have ended: of those that go on, only the scripts' are left, which may still print."""
        for runner in self._runners:
            if runner.ended:
                runner.join()

    def sum_up(self, words: Words, at: int | None) -> None:
        """Say each script's summary, and write the report. The run ended at a time (epoch ms); None: with its data.

        Raises:
            SetupError: the report cannot be written.
        """
        tallied = [(seat, seat.tally.summary(at)) for seat in self._seats if seat.tally is not None]
        if not tallied:
            return
        from cli.bot import report

        for seat, summary in tallied:
            has_signals = any(one.both.signals for one in summary.markets)
            emits_signals = seat.bot is not None and seat.bot.emits_signals
            if not self._request.once and (has_signals or (emits_signals and summary.begin is not None)):
                words.say(report.words(summary, blocks=_blocks()))
        if self._request.report is not None:
            report.write(self._request.report, [summary for _, summary in tallied])

    def _on_end(self, runner: Runner) -> None:
        """Called in a runner's thread: it has ended."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._has_ended, runner)

    def _has_ended(self, runner: Runner) -> None:
        runner.ended = True
        if all(one.ended for one in self._runners):
            self.ended.set()


def _as_it_is(_module: ModuleType) -> None:
    """Do nothing for a module."""


def _blocks() -> bool | None:
    """Whether the curves of a summary are drawn with block characters; None where stderr is no terminal."""
    if not is_terminal(STDERR):
        return None
    from cli.screen.terminal import has_unicode
    from cli.settings.environment import variables

    return has_unicode(variables(), getattr(sys.__stderr__, "encoding", None) or "ascii")
