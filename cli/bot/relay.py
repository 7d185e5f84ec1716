"""`--relay HUB`: what to send so that the hub's position is the bot's, and how that goes out, one after the other.

A hub knows no sizes, only signals that open and close: a buy while it has nothing enters long, a sell then leaves; a
sell while it has nothing enters short, a buy then leaves. So a bot's size above 0 is long, below 0 short, 0 nothing;
turning is leaving and then entering; growing and shrinking on the same side sends nothing.

What the hub has is known only from what was sent to it: at the start it is taken to have nothing. Where nobody knows
whether a signal has arrived, every next one could be the wrong way round, so there are no more of that market.
"""

from __future__ import annotations

import asyncio
import contextlib
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from cli.bot.plan import MarketName
from cli.run.sender import Sender
from cli.run.source import access_to
from cli.settings import config
from venues import venue_named, venues_taking
from venues.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal

    from cli.bot.speech import BotVoice
    from cli.run.sender import Outcome
    from cli.run.source import Embedded
    from venues.records import Quote, Signal, Trade
    from venues.redaction import Redactor
    from venues.venue import Command, Commands

HubPosition = Literal["long", "short", "flat"]
HUBS = venues_taking("buy", "sell")
SEND_WITHIN = 5.0  # seconds for a signal to be handed to a connection that is there
AGAIN_AFTER = 0.2  # seconds after one that could not be handed over
REFUSED_AGAIN_AFTER = 10.0  # seconds in which the same wish that the hub has just refused is not sent again


class Step(NamedTuple):
    """One signal to be sent, the positions before and after it at the hub, the one wanted in the end, and its price."""

    market: MarketName
    command: Command
    before: HubPosition
    after: HubPosition
    wanted: HubPosition
    price: Decimal | None

    def __str__(self) -> str:
        """Such as "BTCUSDT: enter long (buy_signal at 9264.13)"."""
        what = f"enter {self.after}" if self.before == "flat" else f"leave {self.before}"
        at = "without a price" if self.price is None else f"at {self.price:f}"
        return f"{self.market.symbol}: {what} ({self.command.name} {at})"


class Prices(NamedTuple):
    """The present prices of a market; None for one that is not known."""

    bid: Decimal | None = None
    ask: Decimal | None = None
    last: Decimal | None = None


class HubPositions:
    """The positions of one strategy at a hub.

    Ask `steps` what to send. Call `sent`, `refused` or `doubted` for each of them before the next one is sent.
    """

    def __init__(self, strategy: str, commands: Commands) -> None:
        """`strategy` is its name at the hub, whose `commands` are `buy` and `sell`.

        Raises:
            UsageError: it is no name that can be sent.
        """
        commands.command("buy", {"strategy": strategy, "pair": "any"})
        self._commands = commands
        self.strategy = strategy
        self._prices: dict[MarketName, Prices] = {}
        self._wanted: dict[MarketName, HubPosition] = {}
        self._held: dict[MarketName, HubPosition] = {}
        self._doubts: dict[MarketName, Step] = {}
        self._owners: dict[str, MarketName] = {}  # by the hub's pair, which has no venue

    @property
    def assumption(self) -> str:
        """What a person must know before the first signal goes out."""
        return (
            f'the hub is taken to have no open signal of strategy "{self.strategy}": '
            "what it has from before is neither known nor closed"
        )

    # --- prices

    def quote(self, quote: Quote) -> None:
        """Take a market's best prices. A price in ticks of an unknown size is no price."""
        market = _market_of(quote)
        bid, ask = (quote.bid_price, quote.ask_price) if quote.price_unit is None else (None, None)
        self._prices[market] = self._prices.get(market, Prices())._replace(bid=bid, ask=ask)

    def trade(self, trade: Trade) -> None:
        """Take a market's last price, for where its best prices are not known."""
        market = _market_of(trade)
        last = trade.price if trade.price_unit is None else None
        self._prices[market] = self._prices.get(market, Prices())._replace(last=last)

    def forget(self, src: str, sym: str) -> None:
        """Forget the prices of a market that is not live: its signals go out without a price."""
        self._prices.pop(MarketName(src, sym), None)

    # --- positions

    def unfit(self, signal: Signal) -> str | None:
        """Why a signal is not one for the hub, in words. None for one that is."""
        market = _market_of(signal)
        if signal.size is None:
            kind = next((name for name in ("mid", "bid", "ask", "quote") if getattr(signal, name) is not None), "other")
            return f"a {kind} signal is no position, which is all that the hub knows"
        owner = self._owners.get(market.symbol, market)
        if owner != market:
            return f"the hub knows pairs without their venue, and {market.symbol} is relayed from {owner.venue} already"
        if market in self._doubts:
            return "what the hub has of it is not known, so the next signal could be the wrong one"
        try:
            self._commands.command("buy", {"strategy": self.strategy, "pair": market.symbol}, from_json=True)
        except UsageError as error:
            return str(error)
        return None

    def steps(self, signal: Signal) -> list[Step]:
        """What to send so that the hub has what the signal wants; nothing for a signal that is `unfit`."""
        if self.unfit(signal) is not None:
            return []
        assert signal.size is not None
        market = _market_of(signal)
        self._owners[market.symbol] = market
        self._wanted[market] = position_of(signal.size)
        return self._steps_in(market)

    def outstanding(self) -> list[Step]:
        """What is still to be sent for the positions wanted so far, with the present prices.

        Of several wishes for a market only the latest counts.
        """
        return [step for market in self._wanted for step in self._steps_in(market)]

    def sent(self, step: Step) -> None:
        """Note that the hub has a step: its position is what the step makes it."""
        self._held[step.market] = step.after

    def refused(self, step: Step) -> None:
        """Note that the hub did not take a step. It has what it had, and nothing is tried before the next signal.

        What the bot has wanted since the step was made is still wanted.
        """
        self._held[step.market] = step.before
        if self._wanted[step.market] == step.wanted:
            self._wanted[step.market] = step.before

    def doubted(self, step: Step) -> None:
        """Note that nobody knows whether a step has arrived. There are no more steps of its market."""
        self._doubts[step.market] = step
        self._held.pop(step.market, None)

    def open_positions(self) -> dict[MarketName, HubPosition]:
        """What the hub holds, by what was sent to it; markets where it is flat are left out."""
        return {market: position for market, position in self._held.items() if position != "flat"}

    def doubts(self) -> dict[MarketName, Step]:
        """The markets of which nobody knows what the hub holds, each with the step that may have arrived."""
        return dict(self._doubts)

    def _steps_in(self, market: MarketName) -> list[Step]:
        if market in self._doubts:
            return []
        held, wanted = self._held.get(market, "flat"), self._wanted[market]
        path: list[HubPosition] = [held]
        if held != wanted:
            path += [wanted] if "flat" in (held, wanted) else ["flat", wanted]
        return [self._step(market, before, after) for before, after in pairwise(path)]

    def _step(self, market: MarketName, before: HubPosition, after: HubPosition) -> Step:
        """A buy where the position gets longer, a sell where it gets shorter, at the price that it would cost."""
        buys = (before, after) in (("flat", "long"), ("short", "flat"))
        prices = self._prices.get(market, Prices())
        price = prices.ask if buys else prices.bid
        if price is None:
            price = prices.last
        if price is not None and price <= 0:
            price = None  # a spread may have one, a hub takes none
        fields = {"strategy": self.strategy, "pair": market.symbol, "price": price}
        command = self._commands.command("buy" if buys else "sell", fields, from_json=True)
        return Step(market, command, before, after, self._wanted[market], price)


def position_of(size: Decimal) -> HubPosition:
    """The position at a hub, which knows no sizes, for a signal's size."""
    return "long" if size > 0 else "short" if size < 0 else "flat"


def _market_of(record: Signal | Quote | Trade) -> MarketName:
    return MarketName(record.venue, record.symbol or "")


# --- on the way to the hub -----------------------------------------------------------------------------------------


class HubRelay:
    """A follower that sends on what the bot wants its positions to be.

    One signal is under way at a time: the next one depends on what became of it. Of what the bot wants meanwhile only
    the latest counts.
    """

    def __init__(
        self, hub: str, strategy: str, *, env: str | None, profile: str | None, retries: int | None, redactor: Redactor
    ) -> None:
        """`env` is that of the bot's markets. Where they are simulated, the hub is simulated too.

        Raises:
            UsageError: the strategy has a name that cannot be sent.
        """
        self._hub = hub
        commands = venue_named(hub).commands
        assert commands is not None, "a hub takes commands"
        self._commands = commands
        self._positions = HubPositions(strategy, commands)
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
        self._told: set[tuple[MarketName, str]] = set()
        self._refused: dict[MarketName, tuple[HubPosition, float]] = {}
        self._under_way: Step | None = None

    async def open(self, embedded: Embedded, voice: BotVoice, end: Callable[[BaseException], None]) -> None:
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
        voice.say(f"position signals are relayed to {self._hub} ({where}); {self._positions.assumption}")
        self._work = asyncio.create_task(self._send_all(self._sender, end))

    # --- what the bot's markets and the bot say

    def quote(self, quote: Quote) -> None:
        """Take a market's best prices, for the signals to come."""
        self._positions.quote(quote)

    def trade(self, trade: Trade) -> None:
        """Take a market's last price, for the signals to come."""
        self._positions.trade(trade)

    def forget(self, src: str, sym: str) -> None:
        """Forget the prices of a market that is down."""
        self._positions.forget(src, sym)

    def signal(self, signal: Signal) -> None:
        """Relay a signal. One that is not relayed is reported, once for each market and reason."""
        market = _market_of(signal)
        unfit = self._positions.unfit(signal)
        if unfit is not None:
            self._say_once(market, unfit)
            return
        assert signal.size is not None
        marks = signal.extra or {}
        if marks:
            why = "a market was not live" if marks.get("stale") else f"it came from data {marks['behind_ms']} ms old"
            self._voice.seldom(f"unrelayed {market}", f"not relayed: {market} size {signal.size}, since {why}")
            return
        wish, until = self._refused.get(market, ("flat", 0.0))
        if wish == position_of(signal.size) and asyncio.get_running_loop().time() < until:
            return
        if self._positions.steps(signal):
            self._idle.clear()
        self._wake.set()

    def _say_once(self, market: MarketName, reason: str) -> None:
        if (market, reason) not in self._told:
            self._told.add((market, reason))
            self._voice.error(f"not relayed: {market}: {reason}")

    # --- what goes out

    async def _send_all(self, sender: Sender, end: Callable[[BaseException], None]) -> None:
        try:
            await sender.ready()  # now, so that the first signal need not wait, and a wrong key is known at once
            while True:
                self._wake.clear()
                if self._closing or not self._positions.outstanding():
                    self._idle.set()
                    await self._wake.wait()
                    continue
                await sender.ready()
                outstanding = self._positions.outstanding()  # anew, with the prices and wishes of now
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
            self._positions.doubted(step)
            self._voice.error(
                f"{step}: {outcome.error}. What {self._hub} has of {step.market} is not known now, "
                f"so nothing more is relayed of it until the bot is started again"
            )
        elif outcome.sent is False:
            self._voice.seldom("unsent", f"{step}: {outcome.error}")
        elif outcome.refused:
            self._positions.refused(step)
            self._refused[step.market] = (step.wanted, asyncio.get_running_loop().time() + REFUSED_AGAIN_AFTER)
            self._voice.error(f"{step}: {outcome.error}; it is taken to have what it had: {step.before}")
        else:
            self._positions.sent(step)
            self._refused.pop(step.market, None)
            how = "acknowledged" if outcome.acknowledged else "not acknowledged, which a hub need not do"
            self._voice.say(f"{step}: sent, {outcome.error or how}")

    # --- the end

    async def close(self, patience: float, *, hurried: bool) -> None:
        """End the relay, and say what the hub is left with.

        What is already wanted still goes out, within `patience` (seconds); `hurried`: only what is under way.
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
        for step in {step.market: step for step in reversed(self._positions.outstanding())}.values():
            self._voice.error(f"not sent: {step}")
        for market, position in self._positions.open_positions().items():
            self._voice.error(f"still open at {self._hub}, and not closed by us: {position} {market}")
        for step in self._positions.doubts().values():
            self._voice.error(f"not known at {self._hub}: {step.market} is {step.before} or {step.after}")


# --- what the host wants of whoever acts on signals ----------------------------------------------------------------


class Follower(Protocol):
    """Somebody who acts on the bot's signals, e.g. sends them on. All is called in the host's event loop."""

    async def open(self, embedded: Embedded, voice: BotVoice, end: Callable[[BaseException], None]) -> None:
        """Called before the first signal. `end` takes an error that must end the bot."""
        ...

    def signal(self, signal: Signal) -> None:
        """Called with each signal of the bot, in order."""
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

    async def close(self, patience: float, *, hurried: bool) -> None:
        """Called after the last signal, also where `open` was never called or has failed."""
        ...
