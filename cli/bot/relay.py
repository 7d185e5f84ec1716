"""Position signals as the NBT hub has them: what to send so that the hub's position is the bot's. Pure.

A hub knows no sizes, only signals that open and close: a buy while it has nothing enters long, a sell then leaves; a
sell while it has nothing enters short, a buy then leaves. So a bot's size above 0 is long, below 0 short, 0 nothing;
turning is leaving and then entering; growing and shrinking on the same side sends nothing.

What the hub has is known only from what was sent to it: at the start it is taken to have nothing.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Literal, NamedTuple

from venues.venue import Command

if TYPE_CHECKING:
    from decimal import Decimal

    from venues.records import Quote, Signal, Trade

Position = Literal["long", "short", "flat"]


class Market(NamedTuple):
    """What a signal is about."""

    src: str
    sym: str


class Step(NamedTuple):
    """One signal to be sent, and the position that it leaves the hub in."""

    market: Market
    command: Command
    before: Position
    after: Position


class Prices(NamedTuple):
    """What is known of a market's prices right now; None for what is not."""

    bid: Decimal | None = None
    ask: Decimal | None = None
    last: Decimal | None = None


class Relay:
    """The positions of one strategy at a hub. Ask `steps`, send each, and tell `sent` of those that went out."""

    def __init__(self, strategy: str) -> None:
        self.strategy = strategy
        self._prices: dict[Market, Prices] = {}
        self._wanted: dict[Market, Position] = {}
        self._held: dict[Market, Position] = {}
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
        return None

    def steps(self, signal: Signal) -> list[Step]:
        """What to send so that the hub has what the signal wants; nothing for a signal that is `unfit`."""
        if self.unfit(signal) is not None:
            return []
        assert signal.size is not None
        market = _market_of(signal)
        self._owners[market.sym] = market
        self._wanted[market] = "long" if signal.size > 0 else "short" if signal.size < 0 else "flat"
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
        """The hub did not take a step: it has what it had, and nothing is tried again before the next signal."""
        self._held[step.market] = self._wanted[step.market] = step.before

    def open_positions(self) -> dict[Market, Position]:
        """What the hub has by what was sent to it, without what is flat."""
        return {market: position for market, position in self._held.items() if position != "flat"}

    def _steps_in(self, market: Market) -> list[Step]:
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
        fields: dict[str, object] = {"stratname": self.strategy, "pair": market.sym}
        if price is not None:
            fields["buy_price" if buys else "sell_price"] = price
        return Step(market, Command("buy_signal" if buys else "sell_signal", fields), before, after)


def _market_of(signal: Signal) -> Market:
    return Market(signal.venue, signal.symbol or "")
