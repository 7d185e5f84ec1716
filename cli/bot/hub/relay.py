"""`--relay HUB`: the bot's position signals on their way to a hub, one after the other.

What is to be sent is `HubPositions`' to say, anew before each signal. Whatever is not sent is said.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from cli.bot.hub.held import HeldFile
from cli.bot.hub.positions import HubPositions, market_of, way
from cli.bot.jobs import monotonic
from cli.bot.market_data import MarketName
from cli.bot.speech import VoiceOf
from cli.run.sender import Sender
from cli.run.source import access_to
from cli.settings import config
from venues import venue_named, venues_taking

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from cli.bot.hub.positions import Step
    from cli.bot.plan import HubPosition
    from cli.bot.speech import BotVoice
    from cli.run.sender import Outcome
    from cli.run.source import Embedded
    from cli.settings.config import Access
    from venues.records import Quote, Signal, Trade
    from venues.redaction import Redactor
    from venues.venue import Command

HUBS = venues_taking("buy", "sell")
AGAIN_AFTER = 0.2  # seconds after one that could not be handed over
ANSWERED_SOON = 1.0  # seconds, after which it is said that a signal is still under way
LOOKS_AFTER = 0.001  # seconds after the moment at which time alone changes something: a timer may come early
MOST_UNANSWERED = 1_000  # steps whose refusal may still come; a hub that never answers refuses nothing


class HubRelay:
    """A follower that sends on what the bot wants its positions to be.

    One signal is under way at a time: the next one depends on what became of it. Of what the bot wants meanwhile only
    the latest counts.
    """

    def __init__(
        self,
        hub: str,
        strategy: str,
        *,
        env: str | None,
        profile: str | None,
        retries: int | None,
        redactor: Redactor,
        markets: Collection[MarketName] = (),
        held: Mapping[MarketName, HubPosition] | None = None,
        held_file: HeldFile | Path | None = None,
        named: bool = False,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """`env` is that of the bot's `markets`. Where they are simulated, the hub is simulated too.

        `held` is what the hub has at the start, by the user's word; so is `held_file`, and is kept up to date. Several
        relays share one file; a path makes it this one's alone. `named`: the strategy is before all that is said, since
        others are relayed too.

        Raises:
            UsageError: the strategy has a name that cannot be sent, or the hub cannot tell two held markets apart.
        """
        self._hub = hub
        commands = venue_named(hub).commands
        assert commands is not None, "a hub takes commands"
        self._commands = commands
        self._positions = HubPositions(strategy, commands, markets)
        self._said_held = dict(held or {})
        for market, position in self._said_held.items():
            self._positions.hold(market, position)
        self._held_file = HeldFile(held_file, [strategy]) if isinstance(held_file, Path) else held_file
        self._named = named
        self._env = config.SIM if env == config.SIM else None
        self._profile = profile
        self._retries = retries
        self._redactor = redactor
        self._clock = clock
        self._sender: Sender | None = None
        self._work: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._closing = False
        self._over: str | None = None  # why nothing more is relayed
        self._told: set[tuple[MarketName, str]] = set()
        self._replaced: dict[MarketName, int] = {}
        self._latest: dict[MarketName, Step] = {}  # the last step of each market that was sent
        self._unanswered: deque[Step] = deque(maxlen=MOST_UNANSWERED)  # those that were not acknowledged
        self._acknowledges = False  # the hub does so
        self._under_way: Step | None = None

    async def open(self, embedded: Embedded, voice: BotVoice, end: Callable[[BaseException], None]) -> None:
        """Connect in the background; `end` is called with what ends the relay for good.

        Raises:
            SetupError: the hub's address or key is missing or cannot be used, or the file of what it holds.
        """
        self._voice = VoiceOf(self._positions.strategy, voice) if self._named else voice
        say = self._voice.say
        venue = venue_named(self._hub)
        if self._env == config.SIM:
            access = await access_to(venue, self._env, self._profile, embedded, say, by_hand=False)
        else:
            access = await access_to(venue, self._env, self._profile, embedded, say)
        self._sender = Sender(
            venue,
            self._commands.kinds["buy"].subscription,
            access,
            redactor=self._redactor,
            say=lambda text: say(f"{self._hub}: {text}"),
            retries=self._retries,
            late=self._refused_late,
        )
        from_file = self._read_held(access)
        where = "the simulated hub" if self._env == config.SIM else access.settings.url
        say(f"position signals are relayed to {self._hub} ({where}); {self._words_of_start(from_file)}")
        self._work = asyncio.create_task(self._send_all(self._sender, end))

    # --- what the hub has at the start

    def _read_held(self, access: Access) -> bool:
        """Take what the file says, where the user says nothing else. Whether there is one."""
        if self._held_file is None:
            return False
        strategy = self._positions.strategy
        found = self._held_file.read(self._hub, access.settings.label, strategy)
        if found and self._env == config.SIM:
            self._voice.say(
                f"the simulated hub is new at every start: what {self._held_file.path} says is of another one"
            )
            self._held_file.forget(strategy)
            found = {}
        for market, position in (found or {}).items():
            if market not in self._said_held:
                self._positions.hold(market, position)
        return found is not None

    def _words_of_start(self, from_file: bool) -> str:
        """What a person must know before the first signal goes out."""
        strategy = self._positions.strategy
        known = [f"{market} {position or 'unknown'}" for market, position in self._positions.positions().items()]
        if known or from_file:
            held = ", ".join(known) or "nothing"
            return f'by --held the hub has of strategy "{strategy}": {held}; other markets are taken to be flat'
        missing = "" if self._held_file is None else f"{self._held_file.missing(strategy)}: "
        return (
            f"{missing}it is not known what the hub has from before: it is taken to have no open signal of strategy "
            f'"{strategy}" (--held says what it has)'
        )

    def _write_held(self) -> None:
        if self._held_file is None:
            return
        if problem := self._held_file.write(self._positions.strategy, self._positions.positions()):
            self._voice.error(problem)

    # --- what the bot's markets and the bot say

    def quote(self, quote: Quote) -> None:
        """Take a market's best prices, for the signals to come."""
        self._positions.quote(quote)

    def trade(self, trade: Trade) -> None:
        """Take a market's last price, for the signals to come."""
        self._positions.trade(trade)

    def forget(self, src: str, sym: str) -> None:
        """Take that a market is down: nothing of it is sent until it is live again."""
        self._positions.down(MarketName(src, sym))
        self._tell_what_waits()

    def live(self, src: str, sym: str) -> None:
        """Take that a market is live again: what is wanted of it may go out."""
        self._positions.live(MarketName(src, sym))
        self._look()

    def signal(self, signal: Signal, source: MarketName | None = None) -> None:
        """Relay a signal. What is not relayed, or no longer, is said."""
        market = market_of(signal)
        unfit = self._over or self._positions.unfit(signal)
        if unfit is not None:
            self._say_once(market, unfit)
            return
        assert signal.size is not None
        marks = signal.extra or {}
        if marks:
            self._say_unrelayed(market, signal, marks)
            return
        replaced = self._positions.wish(signal, self._clock(), source)
        if replaced is not None:
            self._say_replaced(replaced)
        self._look()
        self._tell_what_waits(market)

    def withdraw(self, reason: str, *, for_good: bool) -> None:
        """Withdraw all that is wanted and was not sent yet, and say each. What is under way or held stays.

        `for_good`: nothing that the bot says from now on is relayed either.
        """
        self._over = reason if for_good else None
        for market in self._positions.wished():
            step = self._positions.withdraw(market)
            if step is not None:
                self._voice.error(
                    f"not sent: {market}: {way(step.before, step.after)} is withdrawn, since {reason}; "
                    f"{self._what_it_has(market)}"
                )
        self._look()

    def _say_unrelayed(self, market: MarketName, signal: Signal, marks: Mapping[str, object]) -> None:
        """Withdraw what was wanted before: the bot has said something newer, which must not be sent."""
        withdrawn = self._positions.withdraw(market)
        why = "a market was not live" if marks.get("stale") else f"it came from data {marks['behind_ms']} ms old"
        text = f"not relayed: {market} size {signal.size}, since {why}; {self._what_it_has(market)}"
        if withdrawn is None:
            self._voice.often(f"unrelayed {market}", text)
        else:
            self._voice.error(f"{text}; {way(withdrawn.before, withdrawn.after)}, which waited, is withdrawn")

    def _say_replaced(self, step: Step) -> None:
        """Say that of a burst only the latest wish counts; how many were not sent is counted."""
        count = self._replaced[step.market] = self._replaced.get(step.market, 0) + 1
        if sum(self._replaced.values()) == 1:
            self._voice.error("of several wishes for a market that come before one can be sent, only the latest counts")
        self._voice.often(
            f"replaced {step.market}",
            f"not sent: {step.market}: {way(step.before, step.after)}: a newer wish came first ({count:,} so far)",
        )

    def _say_once(self, market: MarketName, reason: str) -> None:
        if (market, reason) not in self._told:
            self._told.add((market, reason))
            self._voice.error(f"not relayed: {market}: {reason}")

    def _tell_what_waits(self, only: MarketName | None = None) -> None:
        """Say of what is wanted and cannot go out now what it waits for."""
        now = self._clock()
        for step in self._positions.firsts():
            if only not in (None, step.market):
                continue
            why = self._positions.waits(step, now)
            if why is None and self._sender is not None and not self._sender.is_ready:
                why = f"{self._hub} is not connected"
            if why is not None:
                self._voice.often(f"waits {step.market} {step.after}", f"{step} waits: {why}")

    def _what_it_has(self, market: MarketName) -> str:
        position = self._positions.position(market)
        has = "something that is not known" if position is None else position
        if self._under_way is not None and self._under_way.market == market:
            return f"{self._hub} has {has}, and {way(self._under_way.before, self._under_way.after)} is under way"
        return f"{self._hub} has {has}"

    # --- what goes out

    def _look(self) -> None:
        """See what is to be done now, and look again when time alone changes that."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._closing:
            return
        now = self._clock()
        for step in self._positions.expired(now):
            self._voice.error(f"not sent: {step}: it was wanted too long ago; {self._what_it_has(step.market)}")
        if self._positions.next_step(now) is not None:
            self._idle.clear()
        self._wake.set()
        moment = self._positions.moment(now)
        if moment is not None:
            self._timer = asyncio.get_running_loop().call_later(moment - now + LOOKS_AFTER, self._look)

    async def _send_all(self, sender: Sender, end: Callable[[BaseException], None]) -> None:
        try:
            await sender.ready()  # now, so that the first signal need not wait, and a wrong key is known at once
            self._look()  # the hub may have been away for long, and this machine asleep: timers know nothing of that
            while True:
                self._wake.clear()
                if self._closing or self._positions.next_step(self._clock()) is None:
                    self._idle.set()
                    await self._wake.wait()
                else:
                    await sender.ready()
                    self._look()  # anew, with the prices, wishes and markets of now
                    step = self._positions.next_step(self._clock())
                    if step is not None:
                        await self._send(sender, step)
        except Exception as error:  # also a fault of ours: nobody must believe that signals still go out
            end(error)
        finally:
            self._idle.set()

    async def _send(self, sender: Sender, step: Step) -> None:
        self._under_way = step
        self._positions.begun(step)
        self._write_held()
        told = asyncio.get_running_loop().call_later(ANSWERED_SOON, self._say_no_answer, step)
        try:
            outcome = await sender.send(step.command, 0.0)  # what was judged for now must not wait
        except BaseException:
            self._positions.doubted(step)
            self._write_held()
            raise
        finally:
            self._under_way = None
            told.cancel()
        self._settle(step, outcome)
        self._write_held()
        self._look()
        if outcome.sent is False:
            await asyncio.sleep(AGAIN_AFTER)

    def _say_no_answer(self, step: Step) -> None:
        self._voice.often(f"no answer {step.market}", f"{step} is under way: {self._hub} has not answered yet")

    def _settle(self, step: Step, outcome: Outcome) -> None:
        self._acknowledges = self._acknowledges or outcome.acknowledged
        if outcome.sent is None:
            self._doubt(step, outcome.error)
        elif outcome.sent is False:
            self._positions.unsent(step)
            self._voice.seldom("unsent", f"{step}: {outcome.error}")
        elif outcome.refused:
            self._refuse(step, outcome.error)
        elif outcome.error is not None and (self._acknowledges or not self._unanswered):
            # Lost before the hub could refuse it. Only of a hub that never answers is an answer not missed.
            self._doubt(step, f"{outcome.error}; whether it was taken is not known")
        else:
            self._positions.sent(step)
            self._latest[step.market] = step
            if not outcome.acknowledged:
                self._unanswered.append(step)
            how = "acknowledged" if outcome.acknowledged else "not acknowledged, which a hub need not do"
            self._voice.say(f"{step}: {outcome.error or f'sent, {how}'}")

    def _refuse(self, step: Step, error: str | None) -> None:
        self._positions.refused(step, self._clock())
        self._voice.error(f"{step}: {error}; it is taken to have what it had: {step.before}")

    def _doubt(self, step: Step, error: str | None) -> None:
        withdrawn = self._positions.withdraw(step.market)
        self._positions.doubted(step)
        also = "" if withdrawn is None else f"; {way(withdrawn.before, withdrawn.after)} is not sent"
        self._voice.error(
            f"{step}: {error}. What {self._hub} has of {step.market} is not known now, "
            f"so nothing more is relayed of it until the bot is started again{also}"
        )

    def _refused_late(self, command: Command, error: str) -> None:
        """Take a refusal that came when nobody waited for it any more."""
        step = next((step for step in self._unanswered if step.command is command), None)
        if step is None:
            self._voice.error(f"{self._hub}: {error}")
            return
        self._unanswered.remove(step)
        goes_on = self._under_way is not None and self._under_way.market == step.market
        if goes_on or self._latest[step.market] is not step:
            self._doubt(step, f"{error}, after more was sent")
        else:
            self._refuse(step, error)
        self._write_held()
        self._look()

    # --- the end

    async def close(self, patience: float, *, hurried: bool) -> None:
        """End the relay, and say what the hub is left with.

        What is already wanted still goes out, within `patience` (seconds); `hurried`: only what is under way.
        """
        if self._work is None or self._sender is None:
            return
        self._closing = hurried
        if not self._closing or self._under_way is not None:
            await self._until_idle(patience)
        self._closing = True
        if self._timer is not None:
            self._timer.cancel()
        self._sender.interrupt()
        self._wake.set()
        if self._under_way is not None:
            await self._until_idle(patience)
        work, self._work = self._work, None
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        self._say_what_is_left()
        await self._sender.close()

    async def _until_idle(self, patience: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await self._idle.wait()

    def _say_what_is_left(self) -> None:
        for step in {step.market: step for step in reversed(self._positions.outstanding())}.values():
            self._voice.error(f"not sent: {step}")
        for market, position in self._positions.open_positions().items():
            self._voice.error(f"still open at {self._hub}, and not closed by us: {position} {market}")
        for market, doubt in self._positions.doubts().items():
            which = "" if doubt is None else f" is {doubt.before} or {doubt.after}"
            self._voice.error(f"not known at {self._hub}: {market}{which}")


# --- what the host wants of whoever acts on signals ----------------------------------------------------------------


class Follower(Protocol):
    """Somebody who acts on the bot's signals, e.g. sends them on. All is called in the host's event loop."""

    async def open(self, embedded: Embedded, voice: BotVoice, end: Callable[[BaseException], None]) -> None:
        """Called before the first signal. `end` takes an error that must end the bot."""
        ...

    def signal(self, signal: Signal, source: MarketName | None = None) -> None:
        """Called with each signal of the bot, in order; `source` is the market whose data it was made from, if any."""
        ...

    def withdraw(self, reason: str, *, for_good: bool) -> None:
        """Called when nothing that the bot has wanted so far is wanted any more; `reason` says why.

        `for_good`: nothing that comes later counts either.
        """
        ...

    def quote(self, quote: Quote) -> None:
        """Called with each quote of the bot's markets."""
        ...

    def trade(self, trade: Trade) -> None:
        """Called with each trade of the bot's markets."""
        ...

    def forget(self, src: str, sym: str) -> None:
        """Called when a market is down: its prices are no longer true."""
        ...

    def live(self, src: str, sym: str) -> None:
        """Called when a market that was down is live again."""
        ...

    async def close(self, patience: float, *, hurried: bool) -> None:
        """Called after the last signal, also where `open` was never called or has failed."""
        ...
