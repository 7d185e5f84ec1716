"""The bot host: live streams or a recording into a script's callbacks, and what it emits to a reader."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from cli.bot.jobs import Job
from cli.bot.lag import Pace
from cli.bot.market_data import MarketName
from cli.bot.markets import Inlet, Standings, markets_of
from cli.bot.outlet import Outlet
from cli.bot.seats import Seats
from cli.bot.speech import BotVoice, redirected, unheard
from cli.bot.timing.time_line import TimeLine
from cli.errors import OK, NoDataError
from cli.interrupts import run_loop
from cli.output.statuses import BadFrames, in_words
from cli.run.ending import Ending, ended_within, first_of
from cli.run.garbage import calm_collector
from cli.run.loop import Loop
from cli.run.source import Embedded
from cli.run.symbol_lists import Lists
from venues.connection import SystemClock
from venues.errors import SetupError
from venues.records import Candle, Quote, Record, Signal, SnapshotEnd, Status, Trade, is_from_before
from venues.venue import BadFrame, Notice, Now

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable, Sequence

    from cli.bot.hub.relay import Follower
    from cli.bot.market_data import Candles
    from cli.bot.plan import BotRequest
    from cli.output.lines import Words
    from cli.run.ending import Reading
    from venues.driver import Delivered
    from venues.redaction import Redactor

MOST_AT_ONCE = 256  # items of a recording that are delivered before anything else has its turn
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
        followers: Sequence[Follower] = (),
    ) -> None:
        """`followers`, one for each script or none, are told of its signals and of prices, in the event loop.

        Raises:
            UsageError, SetupError: a file that is to be written cannot be, or is one that is read.
        """
        request.check_files()
        if request.report is not None:
            from cli.bot.report import check_report

            check_report(request.report)
        self._request = request
        self._words = words
        self._redactor = redactor
        self._followers = followers
        self._clock = SystemClock()
        self._recording = TimeLine(request.recordings) if request.recordings else None
        self._pace = None if self._recording is None else Pace(self._clock)
        self._markets = markets_of(request, self._recording)
        self._outlet = Outlet(request, redactor, self._clock)
        self._standings = Standings(self._markets)
        self._ending = Ending()
        self._run = Loop(
            request,
            self,
            ending=self._ending,
            clock=self._clock if self._pace is None else self._pace,
            redactor=redactor,
            recording=None if self._recording is None else self._recording.recordings[0],
            last_words_within=ALL_LAST_WORDS_WITHIN,
            at_once=True,
        )
        self._inlet = Inlet(self._run, self._recording, self._standings)
        self._embedded = Embedded()
        self._server: Any = None
        self._emitted = itertools.count(1)
        self._has_emitted = False
        self._bad_frames = BadFrames()
        self._data_seen = False
        self._sizes_told: set[str] = set()
        self._follows: dict[MarketName, bool] = {}  # whether it is live, as the followers were told
        self._names: dict[tuple[str, str], MarketName] = {}  # of watched markets
        self._pipelined = 0
        self._room = asyncio.Event()
        self._begun = asyncio.Event()
        self._reading: Reading | None = None  # once the end was asked for

    async def run(self) -> int:
        """Run the bot until it ends. The result is the exit code.

        Raises:
            MonError: whatever ended it that was not asked for.
        """
        self._loop = asyncio.get_running_loop()
        self._voice = BotVoice(self._words, self._redactor, self._loop)
        first = None if self._recording is None else self._recording.first
        self._seats = Seats(
            self._request,
            self._voice,
            recorded_at=None if first is None else first.at,
            emit=self._emit,
            put_status=self._put_status,
            send=self._send,
            on_room=self._on_room,
            on_stopped=self._on_stopped,
            on_all_stopped=lambda: self._ending.stop(OK),
        )
        with contextlib.ExitStack() as stack:
            self._ending.take_signals(stack)
            stack.enter_context(
                redirected(lambda line: self._voice.error(f"[{self._seats.who()}] {line}"), table=self._outlet.as_table)
            )
            self._seats.start(stack, self._pace)
            try:
                await self._host(stack)
            finally:
                self._seats.close(now=True)
                await self._embedded.close()
        return self._ending.result()

    def candles(self, market: MarketName) -> Candles:
        """The candles that the first script has of a market."""
        return self._seats.candles(market)

    # --- setting up

    async def _host(self, stack: contextlib.ExitStack) -> None:
        if not await self._unless_stopped(self._seats.load(stack)):
            return
        calm_collector()
        time_line = self._recording
        headers = [] if time_line is None else [one.header for one in time_line.recordings]
        planned = self._seats.plan(self._markets, None if time_line is None else time_line.header, headers)
        labels = await self._inlet.open(planned, self._embedded, self._voice.say) or self._labels()
        self._seats.label(labels)
        await self._unless_stopped(self._seats.fill(self._clock.now()))
        await self._unless_stopped(self._seats.list_instruments(self._lists()))
        if self._ending.stopping.is_set():
            return
        if (notice := self._inlet.record()) is not None:
            self._voice.say(notice)
        try:
            for follower in self._followers:
                await follower.open(self._embedded, self._voice, self._ending.end)
            self._tell_how_they_stand(self._markets)
            label = next((label for label in labels.values() if label is not None), None)
            token = await self._serve()
            feed = None if self._server is None else self._server.shown_feed_url.partition("?")[0]
            self._outlet.open(label, list(map(str, self._markets)), self._ending.on_output_end, feed, token)
            self._outlet.take_terminal(stack, self._ending.stop, self._voice.to_footer)
            self._outlet.show(self._standings.together())
            self._run.set_timers()
            await self._watch()
        finally:
            await self._close()

    def _labels(self) -> dict[str, str | None]:
        """The labels of markets of which no stream is opened."""
        if self._recording is not None or self._request.env is None:
            return {}
        return {market.venue: self._request.env for market in self._markets}

    def _lists(self) -> Lists:
        return Lists(self._request.env, self._request.profile, self._redactor, self._embedded)

    async def _serve(self) -> str | None:
        """Serve the bot's own feed and webhooks, where they are asked for or where a script has routes.

        A token that we made up is returned, since only we know it.
        """
        routes = self._seats.routes(self._begun)
        if self._request.listen is None and (not routes or self._recording is not None):
            return None
        from cli.bot.serving import serve

        self._server, token = await serve(
            routes,
            self._request.listen or ("127.0.0.1", 0),
            report=self._seats.report,
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

    # --- running

    async def _watch(self) -> None:
        first = None if self._recording is None else self._recording.first
        now = self._clock.now()
        self._seats.put(Job("start", None, now.epoch_ms if first is None else first.at, now.mono))
        self._begun.set()
        if self._request.reload:
            self._seats.reload(self._on_reloaded, self._on_routes)
        try:
            await self._run.watch()
        finally:
            self._run.stop_limits()

    def end_asked(self) -> None:
        """Watch from now on whether the reader of what was emitted goes on reading."""
        self._reading = self._outlet.reading()

    def played(self, count: int) -> Awaitable[None] | None:
        """Let a recording wait for the script where that is far behind."""
        self._pipelined += count or 1  # what brings nothing takes time too
        return self._room_for_more() if self._pipelined >= MOST_AT_ONCE else None

    async def _room_for_more(self) -> None:
        self._pipelined = 0
        await asyncio.sleep(0)
        if self._seats.waiting() > MOST_PIPELINED:
            self._room.clear()
            self._seats.want_room(MOST_PIPELINED // 2)
            await self._room.wait()

    async def _close(self) -> None:
        """Do what came before the end, unless the user does not want to wait."""
        hurried = self._ending.hurried
        asked_to_stop = self._ending.stopping.is_set()
        reading = self._reading or (self._outlet.reading() if asked_to_stop else None)
        self._seats.close(now=asked_to_stop)
        next_signal = self._ending.next_signal()
        if not asked_to_stop and await self._is_stopped_before_it_is_done(next_signal):
            asked_to_stop, reading = True, self._reading or self._outlet.reading()
            self._seats.close(now=True)
        patience = self._hurry() if hurried else PATIENCE if asked_to_stop else None
        await self._wait_for(self._seats.ended, next_signal, patience)
        self._seats.tell_of_those_left()
        if self._recording is not None and not asked_to_stop:
            self._tell_what_never_came()
        if self._request.once and not self._has_emitted and not self._ending.stopping.is_set():
            self._ending.problem = self._ending.problem or NoDataError("it ended before the bot emitted anything")
        if self._server is not None:
            await ended_within(asyncio.create_task(self._server.close()), self._hurry())
        await asyncio.sleep(0)  # what the script's thread has said so far
        if self._followers:
            within = self._hurry() or (0.0 if hurried else FOLLOW_WITHIN)
            await asyncio.gather(*(follower.close(within, hurried=hurried) for follower in self._followers))
            await asyncio.sleep(0)  # what they have said
        self._voice.last_words()
        if self._outlet.finish():
            after_signal = 0.0 if next_signal.done() else LAST_WORDS_WITHIN
            left = await self._ending.until_written(
                reading, next_signal, in_hurry=LAST_WORDS_WITHIN, after_signal=after_signal
            )
            if left is not None:
                self._words.say(left)
        next_signal.cancel()
        self._seats.join()
        if self._ending.output_ended.is_set():  # of threads that go on, only the scripts' are left, which may print
            self._outlet.join()
            self._voice.to_footer(None)  # what was kept for after the table comes before the summary
        if lost := self._run.close():
            self._words.say(lost)
        if self._voice.faults():
            count = self._voice.faults()
            many = "1 exception" if count == 1 else f"{count:,} exceptions"
            self._words.say(f"{self._request.name}: {many} in its callbacks")
        try:
            self._seats.sum_up(self._words, self._ended_at(whole=not asked_to_stop))
        except SetupError as error:
            if self._ending.problem is None:
                raise
            self._words.error(str(error))  # what ended the run is what it says at last

    async def _is_stopped_before_it_is_done(self, next_signal: asyncio.Future[int]) -> bool:
        """Wait for the scripts to do what came, or for what ends the run before that, such as --duration."""
        events = (self._seats.ended, self._ending.stopping)
        waits: list[asyncio.Future[Any]] = [asyncio.ensure_future(event.wait()) for event in events]
        await asyncio.wait([*waits, next_signal], return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        return self._ending.stopping.is_set() and not next_signal.done()

    def _tell_what_never_came(self) -> None:
        """Say what a recording did not have, though nothing else tells: a script may have waited for it."""
        for stream, markets in self._standings.never_live().items():
            names = ", ".join(map(str, markets))
            self._voice.say(f"no {stream} of {names} came: what waits for them was never called")

    def _ended_at(self, *, whole: bool) -> int | None:
        """When the run ended (epoch ms): a recording that was played as a `whole` with its last event, whatever it was.

        None for one that was not: where its script was by then, only that knows.
        """
        if self._recording is None:
            return self._clock.now().epoch_ms
        return self._recording.last_at if whole else None

    def _hurry(self) -> float | None:
        """Seconds to wait for each part that has last words. None without a hurry."""
        left = self._ending.hurry_left()
        return None if left is None else min(left, LAST_WORDS_WITHIN)

    async def _wait_for(self, event: asyncio.Event, next_signal: asyncio.Future[int], patience: float | None) -> None:
        if not next_signal.done():  # it may have come while somebody else waited for it
            await first_of(event, next_signal, patience)
        if next_signal.done() and not event.is_set():
            self._ending.cut_short(next_signal.result())
            self._seats.close(now=True)
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

    def _on_room(self) -> None:
        """Called in the script's thread: it has done most of what waited."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._room.set)

    # --- what comes in

    def deliver(self, items: list[Delivered], line: int = 0) -> None:
        """Make each item a job for the script, or say it."""
        now = self._run.at()
        for item in items:
            kind = item.__class__
            if kind is Trade or kind is Quote or kind is Candle:
                if item.extra is None or not is_from_before(item):  # type: ignore[union-attr]  # one of these
                    self._on_data(item, now)
            else:
                self._on_item(line, item, now)

    def flush(self) -> None:
        """Do nothing: no item is gathered, each goes on at once."""

    def _on_item(self, line: int, item: Delivered, now: Now) -> None:
        if isinstance(item, Status):
            self._on_status(line, item, now, by_age=self._run.limits.says(item))
        elif isinstance(item, SnapshotEnd):
            self._data_seen = True  # a full state is here, which may be empty
        elif isinstance(item, Notice):
            self._voice.say(item.text)
        elif isinstance(item, BadFrame):
            self._voice.seldom("bad frame", self._bad_frames.words(item.reason))

    def _on_data(self, record: Any, now: Now) -> None:
        market = self._names.get((record.venue, record.symbol))
        if market is None:
            market = MarketName(record.venue, record.symbol)
            if market not in self._seats.watched:
                return
            self._names[market] = market
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
        for follower in self._followers:
            self._tell_follower(follower, record)
        what = "quote" if record.__class__ is Quote else "trade" if record.__class__ is Trade else "candle"
        job = Job(what, record, now.epoch_ms, now.mono, market)
        self._seats.put_record(market, job)

    @staticmethod
    def _tell_follower(follower: Follower, record: Any) -> None:
        if record.__class__ is Quote:
            follower.quote(record)
        elif record.__class__ is Trade:
            follower.trade(record)

    def _tell_how_they_stand(self, markets: Iterable[MarketName]) -> None:
        """Tell the followers which markets are not live, those that have never been so included, and which are now."""
        for market in markets:
            live = self._standings.is_live(market)
            if self._follows.get(market, True) != live:
                self._follows[market] = live
                for follower in self._followers:
                    (follower.live if live else follower.forget)(*market)

    def _on_status(self, number: int, status: Status, now: Now, *, by_age: bool) -> None:
        if status.stream == "quotes" and status.venue in self._seats.for_summary:
            return  # no script rests on it
        told = self._standings.changed(number, status)
        inline = told.inline and self._request.status == "inline" and self._request.output not in ("csv", "tsv")
        told = told._replace(inline=inline and not self._outlet.as_table, by_age=by_age)
        if self._recording is None:
            self._seats.stand(told)
            if told.inline:
                self._outlet.put(status)
        self._tell_how_they_stand(told.markets)
        if not told.down and not told.live:
            words = in_words(status)
            if words is not None and (told.inline or self._outlet.as_table):
                where = f"{status.venue}:{status.symbol}" if status.symbol is not None else status.venue
                self._voice.seldom("status", f"{where}: {words}")
        self._seats.put(Job("status", told, now.epoch_ms, now.mono))
        self._outlet.show(self._standings.together())

    # --- what goes out

    def _emit(self, number: int, record: Record, source: MarketName | None) -> None:
        """Take a record that a script emits. Called in its thread, or in one that it has started."""
        self._outlet.put(record)
        self._has_emitted = True
        emitted = next(self._emitted)
        wanted = 1 if self._request.once else self._request.count
        beyond = wanted is not None and emitted > wanted  # nobody sees it
        if self._followers and isinstance(record, Signal) and not beyond:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._followers[number].signal, record, source)

    def _on_stopped(self, number: int) -> None:
        """A script has stopped itself: what it wanted and was not sent must not be sent later."""
        if self._followers:
            self._followers[number].withdraw("the script has stopped itself", for_good=True)

    def _on_reloaded(self, number: int) -> None:
        """Called in a script's thread, between what the one before has emitted and what the new one emits."""
        if self._followers:
            withdraw = partial(self._followers[number].withdraw, "the script was loaded anew", for_good=False)
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(withdraw)

    def _on_routes(self) -> str | None:
        routes = self._seats.routes(self._begun)
        if self._server is not None:
            self._server.replace(routes)
            return None
        return "its routes are not served: start mon again for that" if routes else None

    def _put_status(self, record: Record) -> None:
        """Write a status in turn with what the scripts emit. Called in the runner's thread."""
        self._outlet.put(record)

    def _send(self, frame: bytes) -> None:
        if self._server is not None:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._server.publish, frame)


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
        return run_loop(Host(request, words, redactor, followers=_followers(request, redactor)).run())
    finally:
        unheard()  # the script may want to print while Python ends


def _followers(request: BotRequest, redactor: Redactor) -> list[Follower]:
    if request.relay is None:
        return []
    from cli.bot.hub.held import HeldFile
    from cli.bot.hub.relay import HubRelay

    strategies = {file: request.strategy if request.strategy is not None else file.stem for file in request.files}
    path = request.held_file
    held_file = None if path is None else HeldFile(path, list(strategies.values()))
    return [
        HubRelay(
            request.relay,
            strategy,
            env=request.env,
            profile=request.profile,
            retries=request.retries,
            redactor=redactor,
            markets=request.markets,
            held=request.held.get(file.stem),
            held_file=held_file,
            named=len(request.files) > 1,
        )
        for file, strategy in strategies.items()
    ]
