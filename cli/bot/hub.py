"""`--relay HUB`: the bot's position signals on their way to the hub, one after the other, and what became of each."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from cli.bot.relay import Market, Relay, position_of
from cli.run.sender import Sender
from cli.run.source import access_to
from cli.settings import config
from venues import venue_named, venues_taking

if TYPE_CHECKING:
    from collections.abc import Callable

    from cli.bot.relay import Position, Step
    from cli.bot.speech import Voice
    from cli.run.sender import Outcome
    from cli.run.source import Embedded
    from venues.records import Quote, Signal, Trade
    from venues.redaction import Redactor

HUBS = venues_taking("buy", "sell")
SEND_WITHIN = 5.0  # seconds for a signal to be handed to a connection that is there
AGAIN_AFTER = 0.2  # seconds after one that could not be handed over
REFUSED_AGAIN_AFTER = 10.0  # seconds in which the same wish that the hub has just refused is not sent again


class HubRelay:
    """A follower that sends on what the bot wants its positions to be.

    One signal is under way at a time: the next one depends on what became of it. Of what the bot wants meanwhile only
    the latest counts.
    """

    def __init__(
        self, hub: str, strategy: str, *, env: str | None, profile: str | None, retries: int | None, redactor: Redactor
    ) -> None:
        """`env` is that of the bot's markets: with the simulator's, the hub is the simulator's too.

        Raises:
            UsageError: the strategy has a name that cannot be sent.
        """
        self._hub = hub
        commands = venue_named(hub).commands
        assert commands is not None, "a hub takes commands"
        self._commands = commands
        self._relay = Relay(strategy, commands)
        self._env = config.SIM if env == config.SIM else None
        self._profile = profile
        self._retries = retries
        self._redactor = redactor
        self._sender: Sender | None = None
        self._work: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._closing = False
        self._told: set[tuple[Market, str]] = set()
        self._refused: dict[Market, tuple[Position, float]] = {}
        self._under_way: Step | None = None

    async def open(self, embedded: Embedded, voice: Voice, end: Callable[[BaseException], None]) -> None:
        """Connect in the background; `end` is called with what ends the relay for good.

        Raises:
            SetupError: the hub's address or key is missing or cannot be used.
        """
        self._voice = voice
        venue = venue_named(self._hub)
        if self._env == config.SIM:
            access = await access_to(venue, self._env, self._profile, embedded, voice.say, by_hand=False)
        else:
            access = await access_to(venue, self._env, self._profile, embedded, voice.say)
        self._sender = Sender(
            venue,
            self._commands.kinds["buy"].subscription,
            access,
            redactor=self._redactor,
            say=lambda text: voice.say(f"{self._hub}: {text}"),
            retries=self._retries,
        )
        where = "the simulated hub" if self._env == config.SIM else access.settings.url
        voice.say(f"position signals are relayed to {self._hub} ({where}); {self._relay.assumption}")
        self._work = asyncio.create_task(self._send_all(self._sender, end))

    # --- what the bot's markets and the bot say

    def quote(self, quote: Quote) -> None:
        """A market's best prices."""
        self._relay.quote(quote)

    def trade(self, trade: Trade) -> None:
        """A market's last price."""
        self._relay.trade(trade)

    def forget(self, src: str, sym: str) -> None:
        """A market is down: its prices go out with no signal."""
        self._relay.forget(src, sym)

    def signal(self, signal: Signal) -> None:
        """One signal; what is not relayed is said, once for each reason."""
        market = Market(signal.venue, signal.symbol or "")
        unfit = self._relay.unfit(signal)
        if unfit is not None:
            self._say_once(market, unfit)
            return
        assert signal.size is not None
        marks = signal.extra or {}
        if marks:
            why = "a market was not live" if marks.get("stale") else f"it came from data {marks['behind_ms']} ms old"
            self._voice.seldom(f"unrelayed {market}", f"not relayed: {_shown(market)} size {signal.size}, since {why}")
            return
        wish, until = self._refused.get(market, ("flat", 0.0))
        if wish == position_of(signal.size) and asyncio.get_running_loop().time() < until:
            return
        if self._relay.steps(signal):
            self._idle.clear()
        self._wake.set()

    def _say_once(self, market: Market, reason: str) -> None:
        if (market, reason) not in self._told:
            self._told.add((market, reason))
            self._voice.error(f"not relayed: {_shown(market)}: {reason}")

    # --- what goes out

    async def _send_all(self, sender: Sender, end: Callable[[BaseException], None]) -> None:
        try:
            await sender.ready()  # now, so that the first signal need not wait, and a wrong key is known at once
            while True:
                self._wake.clear()
                if self._closing or not self._relay.outstanding():
                    self._idle.set()
                    await self._wake.wait()
                    continue
                await sender.ready()
                outstanding = self._relay.outstanding()  # anew, with the prices and wishes of now
                if outstanding and not self._closing:
                    await self._send(sender, outstanding[0])
        except Exception as error:  # also a fault of ours: nobody must believe that signals still go out
            end(error)
        finally:
            self._idle.set()

    async def _send(self, sender: Sender, step: Step) -> None:
        self._under_way = step
        outcome = await sender.send(step.command, SEND_WITHIN)
        self._under_way = None
        self._settle(step, outcome)
        if outcome.sent is False:
            await asyncio.sleep(AGAIN_AFTER)

    def _settle(self, step: Step, outcome: Outcome) -> None:
        if outcome.sent is None:
            self._relay.doubted(step)
            self._voice.error(
                f"{step}: {outcome.error}. What {self._hub} has of {_shown(step.market)} is not known now, "
                f"so nothing more is relayed of it until the bot is started again"
            )
        elif outcome.sent is False:
            self._voice.seldom("unsent", f"{step}: {outcome.error}")
        elif outcome.refused:
            self._relay.refused(step)
            self._refused[step.market] = (step.wanted, asyncio.get_running_loop().time() + REFUSED_AGAIN_AFTER)
            self._voice.error(f"{step}: {outcome.error}; it is taken to have what it had: {step.before}")
        else:
            self._relay.sent(step)
            self._refused.pop(step.market, None)
            how = "acknowledged" if outcome.acknowledged else "not acknowledged, which a hub need not do"
            self._voice.say(f"{step}: sent, {outcome.error or how}")

    # --- the end

    async def close(self, patience: float, *, hurried: bool) -> None:
        """Tell what the hub is left with.

        What is wanted already still goes out, within `patience` (seconds); `hurried`: only what is under way.
        """
        if self._work is None or self._sender is None:
            return
        self._closing = hurried
        if not self._closing or self._under_way is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await self._idle.wait()
        self._closing = True
        self._sender.interrupt()
        self._wake.set()
        if self._under_way is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await self._idle.wait()
        work, self._work = self._work, None
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        self._say_what_is_left()
        await self._sender.close()

    def _say_what_is_left(self) -> None:
        for step in {step.market: step for step in reversed(self._relay.outstanding())}.values():
            self._voice.error(f"not sent: {step}")
        for market, position in self._relay.open_positions().items():
            self._voice.error(f"still open at {self._hub}, and not closed by us: {position} {_shown(market)}")
        for step in self._relay.doubts().values():
            self._voice.error(f"not known at {self._hub}: {_shown(step.market)} is {step.before} or {step.after}")


def _shown(market: Market) -> str:
    return f"{market.src}:{market.sym}"
