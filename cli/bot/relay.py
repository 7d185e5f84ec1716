"""Position signals as a hub has them: what to send so that the hub's position is the bot's. Pure.

A hub knows no sizes, only signals that open and close: a buy while it has nothing enters long, a sell then leaves; a
sell while it has nothing enters short, a buy then leaves. So a bot's size above 0 is long, below 0 short, 0 nothing;
turning is leaving and then entering; growing and shrinking on the same side sends nothing.

What the hub has is known only from what was sent to it: at the start it is taken to have nothing. Where nobody knows
whether a signal has arrived, every next one could be the wrong way round, so there are no more of that market.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Literal, NamedTuple

from venues.errors import UsageError

if TYPE_CHECKING:
    from decimal import Decimal

    from venues.records import Quote, Signal, Trade
    from venues.venue import Command, Commands

Position = Literal["long", "short", "flat"]


class Market(NamedTuple):
    """What a signal is about."""

    src: str
    sym: str


class Step(NamedTuple):
    """One signal to be sent, the positions before and after it at the hub, the one wanted in the end, and its price."""

    market: Market
    command: Command
    before: Position
    after: Position
    wanted: Position
    price: Decimal | None

    def __str__(self) -> str:
        """Such as "BTCUSDT: enter long (buy_signal at 9264.13)"."""
        what = f"enter {self.after}" if self.before == "flat" else f"leave {self.before}"
        at = "without a price" if self.price is None else f"at {self.price:f}"
        return f"{self.market.sym}: {what} ({self.command.name} {at})"


class Prices(NamedTuple):
    """What is known of a market's prices right now; None for what is not."""

    bid: Decimal | None = None
    ask: Decimal | None = None
    last: Decimal | None = None


class Relay:
    """The positions of one strategy at a hub.

    Ask `steps`, send each, and tell `sent`, `refused` or `doubted` before the next one is sent.
    """

    def __init__(self, strategy: str, commands: Commands) -> None:
        """`strategy` is its name at the hub, whose `commands` are `buy` and `sell`.

        Raises:
            UsageError: it is no name that can be sent.
        """
        commands.command("buy", {"strategy": strategy, "pair": "any"})
        self._commands = commands
        self.strategy = strategy
        self._prices: dict[Market, Prices] = {}
        self._wanted: dict[Market, Position] = {}
        self._held: dict[Market, Position] = {}
        self._doubts: dict[Market, Step] = {}
        self._owners: dict[str, Market] = {}  # by the hub's pair, which has no venue

    @property
    def assumption(self) -> str:
        """What a person must know before the first signal goes out."""
        return (
            f'the hub is taken to have no open signal of strategy "{self.strategy}": '
            "what it has from before is neither known nor closed"
        )

    # --- prices

    def quote(self, quote: Quote) -> None:
        """A market's best prices; a price in ticks of an unknown size is none."""
        market = Market(quote.venue, quote.symbol or "")
        bid, ask = (quote.bid_price, quote.ask_price) if quote.price_unit is None else (None, None)
        self._prices[market] = self._prices.get(market, Prices())._replace(bid=bid, ask=ask)

    def trade(self, trade: Trade) -> None:
        """A market's last price."""
        market = Market(trade.venue, trade.symbol or "")
        last = trade.price if trade.price_unit is None else None
        self._prices[market] = self._prices.get(market, Prices())._replace(last=last)

    def forget(self, src: str, sym: str) -> None:
        """A market is not live: what was its price may not be any more, so signals go out without one."""
        self._prices.pop(Market(src, sym), None)

    # --- positions

    def unfit(self, signal: Signal) -> str | None:
        """Why a signal is not one for the hub, in words; None for one that is."""
        market = _market_of(signal)
        if signal.size is None:
            kind = next((name for name in ("mid", "bid", "ask", "quote") if getattr(signal, name) is not None), "other")
            return f"a {kind} signal is no position, which is all that the hub knows"
        owner = self._owners.get(market.sym, market)
        if owner != market:
            return f"the hub knows pairs without their venue, and {market.sym} is relayed from {owner.src} already"
        if market in self._doubts:
            return "what the hub has of it is not known, so the next signal could be the wrong one"
        try:
            self._commands.command("buy", {"strategy": self.strategy, "pair": market.sym}, from_json=True)
        except UsageError as error:
            return str(error)
        return None

    def steps(self, signal: Signal) -> list[Step]:
        """What to send so that the hub has what the signal wants; nothing for a signal that is `unfit`."""
        if self.unfit(signal) is not None:
            return []
        assert signal.size is not None
        market = _market_of(signal)
        self._owners[market.sym] = market
        self._wanted[market] = position_of(signal.size)
        return self._steps_in(market)

    def outstanding(self) -> list[Step]:
        """What is still to be sent of what earlier signals wanted, with the prices of now: after a connection is back.

        Of what was wanted meanwhile only the latest counts.
        """
        return [step for market in self._wanted for step in self._steps_in(market)]

    def sent(self, step: Step) -> None:
        """A step has gone out."""
        self._held[step.market] = step.after

    def refused(self, step: Step) -> None:
        """The hub did not take a step: it has what it had, and nothing is tried again before the next signal.

        What the bot has come to want since the step was made is still wanted.
        """
        self._held[step.market] = step.before
        if self._wanted[step.market] == step.wanted:
            self._wanted[step.market] = step.before

    def doubted(self, step: Step) -> None:
        """Nobody knows whether a step has arrived: there are no more steps of its market."""
        self._doubts[step.market] = step
        self._held.pop(step.market, None)

    def open_positions(self) -> dict[Market, Position]:
        """What the hub has by what was sent to it, without what is flat."""
        return {market: position for market, position in self._held.items() if position != "flat"}

    def doubts(self) -> dict[Market, Step]:
        """The markets of which nobody knows what the hub has, and the step that may have arrived or not."""
        return dict(self._doubts)

    def _steps_in(self, market: Market) -> list[Step]:
        if market in self._doubts:
            return []
        held, wanted = self._held.get(market, "flat"), self._wanted[market]
        path: list[Position] = [held]
        if held != wanted:
            path += [wanted] if "flat" in (held, wanted) else ["flat", wanted]
        return [self._step(market, before, after) for before, after in pairwise(path)]

    def _step(self, market: Market, before: Position, after: Position) -> Step:
        """A buy where the position gets longer, a sell where it gets shorter; with the price that it would cost."""
        buys = (before, after) in (("flat", "long"), ("short", "flat"))
        prices = self._prices.get(market, Prices())
        price = prices.ask if buys else prices.bid
        if price is None:
            price = prices.last
        if price is not None and price <= 0:
            price = None  # a spread may have one, a hub takes none
        fields = {"strategy": self.strategy, "pair": market.sym, "price": price}
        command = self._commands.command("buy" if buys else "sell", fields, from_json=True)
        return Step(market, command, before, after, self._wanted[market], price)


def position_of(size: Decimal) -> Position:
    """What a signal's size means at a hub, which knows no sizes."""
    return "long" if size > 0 else "short" if size < 0 else "flat"


def _market_of(signal: Signal) -> Market:
    return Market(signal.venue, signal.symbol or "")
