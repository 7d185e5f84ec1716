"""What to send so that a hub's position is the bot's last word, and what may go out now. Pure.

A hub knows no sizes, only signals that open and close: a buy while it has nothing enters long, a sell then leaves; a
sell while it has nothing enters short, a buy then leaves. So a bot's size above 0 is long, below 0 short, 0 nothing;
turning is leaving and then entering; growing and shrinking on the same side sends nothing.

A wish is what a bot wants a position to be. It may have to wait: for the hub, for its market, or because the hub has
just refused the same. So it is judged at the moment at which it is sent, not at the one at which it was made.

What the hub has is known only from what was sent to it, and from what the user says it had at the start. Where nobody
knows whether a signal has arrived, every next one could be the wrong way round, so there are no more of that market.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from cli.bot.market_data import MarketName
from venues.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from decimal import Decimal

    from cli.bot.plan import HubPosition
    from venues.records import Quote, Signal, Trade
    from venues.venue import Command, Commands

REFUSED_AGAIN_AFTER = 10.0  # seconds in which a step that the hub has just refused is not sent again
# Seconds in which a position may still be entered. A hub that is away for a moment is back by then: it is tried again
# every 30 s at the latest. Leaving is right however late, since the bot has not wanted the position any more since.
ENTERED_WITHIN = 60.0


class Step(NamedTuple):
    """One signal to be sent, the positions before and after it at the hub, the one wanted in the end, and its price."""

    market: MarketName
    command: Command
    before: HubPosition
    after: HubPosition
    wanted: HubPosition
    price: Decimal | None

    @property
    def enters(self) -> bool:
        """Whether it opens a position; else it closes one."""
        return self.before == "flat"

    def is_like(self, other: Step) -> bool:
        """Whether both do the same, at whatever price."""
        return (self.market, self.before, self.after) == (other.market, other.before, other.after)

    def __str__(self) -> str:
        """Such as "BTCUSDT: enter long (buy_signal at 9264.13)"."""
        at = "without a price" if self.price is None else f"at {self.price:f}"
        return f"{self.market.symbol}: {way(self.before, self.after)} ({self.command.name} {at})"


class Wish(NamedTuple):
    """What the bot said last of a market: the position, when it said so (monotonic seconds), from whose data."""

    position: HubPosition
    said: float
    sources: tuple[MarketName, ...]


class Prices(NamedTuple):
    """The present prices of a market; None for one that is not known."""

    bid: Decimal | None = None
    ask: Decimal | None = None
    last: Decimal | None = None


class HubPositions:
    """The positions of one strategy at a hub, and what the bot wants them to be.

    Ask `next_step` what to send. Call `begun`, and then `sent`, `refused`, `doubted` or `unsent`, for each before the
    next one is asked for. All times are seconds of one monotonic clock.
    """

    def __init__(self, strategy: str, commands: Commands, markets: Collection[MarketName] = ()) -> None:
        """`strategy` is its name at the hub, whose `commands` are `buy` and `sell`; `markets` are those watched.

        Raises:
            UsageError: it is no name that can be sent.
        """
        commands.command("buy", {"strategy": strategy, "pair": "any"})
        self._commands = commands
        self.strategy = strategy
        self._markets = frozenset(markets)
        self._prices: dict[MarketName, Prices] = {}
        self._down: set[MarketName] = set()
        self._wishes: dict[MarketName, Wish] = {}
        self._held: dict[MarketName, HubPosition] = {}
        self._doubts: dict[MarketName, Step | None] = {}
        self._refusals: dict[MarketName, tuple[HubPosition, HubPosition, float]] = {}
        self._owners: dict[str, MarketName] = {}  # by the hub's pair, which has no venue
        self._under_way: Step | None = None

    def hold(self, market: MarketName, position: HubPosition | None) -> None:
        """Take what the hub has of a market at the start; None: nobody knows.

        Raises:
            UsageError: the hub could not tell it from another venue's market.
        """
        owner = self._owners.setdefault(market.symbol, market)
        if owner != market:
            raise UsageError(
                f"the hub knows pairs without their venue: expected one market of {market.symbol} as held, "
                f"got {owner} and {market}"
            )
        if position is None:
            self._held.pop(market, None)
            self._doubts[market] = None
        else:
            self._doubts.pop(market, None)
            self._held[market] = position

    # --- prices

    def quote(self, quote: Quote) -> None:
        """Take a market's best prices. A price in ticks of an unknown size is no price."""
        market = market_of(quote)
        bid, ask = (quote.bid_price, quote.ask_price) if quote.price_unit is None else (None, None)
        self._prices[market] = self._prices.get(market, Prices())._replace(bid=bid, ask=ask)

    def trade(self, trade: Trade) -> None:
        """Take a market's last price, for where its best prices are not known."""
        market = market_of(trade)
        last = trade.price if trade.price_unit is None else None
        self._prices[market] = self._prices.get(market, Prices())._replace(last=last)

    def down(self, market: MarketName) -> None:
        """Note that a market is not live: its prices are no longer true, and nothing of it is sent."""
        self._prices.pop(market, None)
        self._down.add(market)

    def live(self, market: MarketName) -> None:
        """Note that a market is live again."""
        self._down.discard(market)

    # --- what the bot wants

    def unfit(self, signal: Signal) -> str | None:
        """Why a signal is not one for the hub, in words. None for one that is."""
        market = market_of(signal)
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

    def wish(self, signal: Signal, now: float, source: MarketName | None = None) -> Step | None:
        """Take what the bot wants; nothing where the signal is `unfit`. `source` is the market that it rests on too.

        The result is the last step of the wish before, where that will not be sent now.
        """
        if self.unfit(signal) is not None:
            return None
        assert signal.size is not None
        market = market_of(signal)
        self._owners[market.symbol] = market
        before = self._last_unsent(market)
        self._wishes[market] = Wish(position_of(signal.size), now, (market, source or market))
        goes_on = before is None or any(before.is_like(step) for step in self._steps_in(market))
        return None if goes_on else before

    def withdraw(self, market: MarketName) -> Step | None:
        """Forget what the bot wants of a market: it has what it has. The result is the last step that is not sent."""
        unsent = self._last_unsent(market)
        self._wishes.pop(market, None)
        return unsent

    def wished(self) -> list[MarketName]:
        """The markets that the bot wants something of."""
        return list(self._wishes)

    def _last_unsent(self, market: MarketName) -> Step | None:
        """The last step of the present wish of a market, without one that is under way."""
        steps = self._steps_in(market)
        return steps[-1] if steps else None

    # --- what goes out

    def outstanding(self) -> list[Step]:
        """What is still to be sent for the wishes so far, with the present prices, whether it may go out now or not.

        A step that is under way is taken to arrive.
        """
        return [step for market in self._wishes for step in self._steps_in(market)]

    def firsts(self) -> list[Step]:
        """The first of the outstanding steps of each market."""
        return [steps[0] for market in self._wishes if (steps := self._steps_in(market))]

    def next_step(self, now: float) -> Step | None:
        """What is to be sent now: the first step of a wish that need not wait. None when there is none."""
        return next((step for step in self.firsts() if self.waits(step, now) is None), None)

    def waits(self, step: Step, now: float) -> str | None:
        """Why a step may not go out now, in words. None when it may."""
        wish = self._wishes[step.market]
        for market in wish.sources:
            if market in self._down:
                return f"{market} is not live"
        if self._down and step.market not in self._markets:  # not watched: it may rest on any that is
            return f"{min(self._down)} is not live"
        refused = self._refusals.get(step.market)
        if refused is not None and refused[:2] == (step.before, step.after) and now < refused[2]:
            return "the hub has just refused the same"
        return "it was wanted too long ago" if step.enters and now - wish.said >= ENTERED_WITHIN else None

    def expired(self, now: float) -> list[Step]:
        """Withdraw the wishes to enter that are too old. The result is what is not sent for that reason.

        A position that is to be left first, and could not yet be, is still left.
        """
        found = []
        for market, wish in list(self._wishes.items()):
            last = self._last_unsent(market)
            if last is not None and last.enters and now - wish.said >= ENTERED_WITHIN:
                found.append(last)
                if self._held.get(market, "flat") == "flat":
                    del self._wishes[market]
                else:
                    self._wishes[market] = wish._replace(position="flat")
        return found

    def moment(self, now: float) -> float | None:
        """When something may go out, or expires, by time alone. None when nothing does."""
        found = [until for _, _, until in self._refusals.values() if until > now]
        found += [self._wishes[step.market].said + ENTERED_WITHIN for step in self.outstanding() if step.enters]
        return min(found, default=None)

    def begun(self, step: Step) -> None:
        """Note that a step is handed over."""
        self._under_way = step

    def unsent(self, step: Step) -> None:
        """Note that a step was not handed over after all."""
        self._under_way = None

    def sent(self, step: Step) -> None:
        """Note that the hub has a step: its position is what the step makes it."""
        self._under_way = None
        if step.market in self._doubts:
            return
        self._held[step.market] = step.after
        self._refusals.pop(step.market, None)

    def refused(self, step: Step, now: float) -> None:
        """Note that the hub did not take a step. It has what it had, and nothing is tried before the next signal.

        What else the bot has wanted since the step was made is still wanted.
        """
        self._under_way = None
        if step.market in self._doubts:
            return
        self._held[step.market] = step.before
        self._refusals[step.market] = (step.before, step.after, now + REFUSED_AGAIN_AFTER)
        wish = self._wishes.get(step.market)
        if wish is not None and wish.position == step.wanted:
            del self._wishes[step.market]

    def doubted(self, step: Step) -> None:
        """Note that nobody knows whether the hub has a step. There are no more steps of its market."""
        self._under_way = None if self._under_way is step else self._under_way
        self._doubts[step.market] = step
        self._held.pop(step.market, None)

    # --- what the hub has

    def position(self, market: MarketName) -> HubPosition | None:
        """What the hub has of a market, by what was said and sent. None: nobody knows."""
        return None if market in self._doubts else self._held.get(market, "flat")

    def positions(self) -> Mapping[MarketName, HubPosition | None]:
        """What the hub has of all markets of which something was said or sent. None: nobody knows.

        Of a step that is under way nobody knows yet.
        """
        known: dict[MarketName, HubPosition | None] = {**self._held, **dict.fromkeys(self._doubts)}
        if self._under_way is not None:
            known[self._under_way.market] = None
        return known

    def open_positions(self) -> dict[MarketName, HubPosition]:
        """What the hub holds, by what was said and sent; markets where it is flat are left out."""
        return {market: position for market, position in self._held.items() if position != "flat"}

    def doubts(self) -> dict[MarketName, Step | None]:
        """The markets of which nobody knows what the hub holds, each with the step that may have arrived, if any."""
        return dict(self._doubts)

    def _steps_in(self, market: MarketName) -> list[Step]:
        wish = self._wishes.get(market)
        if wish is None or market in self._doubts:
            return []
        held, wanted = self._held.get(market, "flat"), wish.position
        if self._under_way is not None and self._under_way.market == market:
            held = self._under_way.after
        path: list[HubPosition] = [held]
        if held != wanted:
            path += [wanted] if "flat" in (held, wanted) else ["flat", wanted]
        return [self._step(market, before, after, wanted) for before, after in pairwise(path)]

    def _step(self, market: MarketName, before: HubPosition, after: HubPosition, wanted: HubPosition) -> Step:
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
        return Step(market, command, before, after, wanted, price)


def position_of(size: Decimal) -> HubPosition:
    """The position at a hub, which knows no sizes, for a signal's size."""
    return "long" if size > 0 else "short" if size < 0 else "flat"


def way(before: HubPosition, after: HubPosition) -> str:
    """What a step does, in words."""
    return f"enter {after}" if before == "flat" else f"leave {before}"


def market_of(record: Signal | Quote | Trade) -> MarketName:
    """The market that a record is about."""
    return MarketName(record.venue, record.symbol or "")
