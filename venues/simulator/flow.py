"""The random order flow: a Smith–Farmer zero-intelligence market.

Limit orders come at a Poisson rate, at a random distance from the other side's best price; market orders come at a
Poisson rate; and each resting order is cancelled at a Poisson rate of its own, so that the number of resting orders
settles where placing and leaving are in balance.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from venues.simulator.market_events import OPPOSITE

if TYPE_CHECKING:
    from random import Random

    from venues.simulator.engine import Order
    from venues.simulator.market import Market
    from venues.simulator.market_events import Side

RESTING: Final = 150  # public orders a side in balance
FLOOR: Final = 25  # public orders a side; with fewer, only limit orders come to it

# Shares of all events in balance: what is placed is what is matched and cancelled (a market order takes about one).
_LIMITS: Final = 0.5
_MARKETS: Final = 0.1
_CANCELS: Final = 0.4

_MEDIAN_LOTS: Final = 100
_SPREAD_OF_LOTS: Final = 0.8
_MOST_LOTS: Final = 5_000


class Flow:
    """The public's orders in one market; `due` is when the next event comes, in milliseconds since the epoch.

    A side is never empty: an order that takes gets at most half of the public's lots there, and a cancel that would
    leave less than `FLOOR` public orders becomes a limit order.
    """

    def __init__(self, market: Market, random: Random, rate: float, start: float) -> None:
        self._market = market
        self._random = random
        self._rate = rate
        self._cancel_rate = _CANCELS * rate / (2 * RESTING)
        self._resting: dict[Side, list[Order]] = {"buy": [], "sell": []}
        market.on_gone = self._forget
        for _ in range(RESTING):
            self._seed("buy")
            self._seed("sell")
        self.due = start
        self._schedule()

    def step(self) -> None:
        """Make the event that is due, and draw the time of the next one."""
        resting = self._resting["buy"], self._resting["sell"]
        limits, markets = _LIMITS * self._rate, _MARKETS * self._rate
        cancels = self._cancel_rate * (len(resting[0]) + len(resting[1]))
        drawn = self._random.random() * (limits + markets + cancels)
        if drawn < limits:
            self._place(self._any_side())
        elif drawn < limits + markets:
            self._take()
        else:
            self._cancel()
        self._schedule()

    def _schedule(self) -> None:
        cancels = self._cancel_rate * sum(map(len, self._resting.values()))
        total = (_LIMITS + _MARKETS) * self._rate + cancels
        self.due += self._random.expovariate(total) * 1000 if total else math.inf

    def _seed(self, side: Side) -> None:
        """Place one order of the book with which the market opens."""
        away = 1 + self._distance()
        start = self._market.instrument.start
        self._rest(side, max(1, start - away if side == "buy" else start + away))

    def _place(self, side: Side) -> None:
        other = self._market.engine.best(OPPOSITE[side])
        if other is None:  # cannot be, see the class; the start price keeps it a market all the same
            other = self._market.instrument.start
        away = 1 + self._distance()
        self._rest(side, max(1, other - away) if side == "buy" else other + away)

    def _rest(self, side: Side, ticks: int) -> None:
        order = self._market.limit(side, ticks, self._lots())
        if order.lots:  # a bid at the lowest tick could be matched at once
            order.slot = len(self._resting[side])
            self._resting[side].append(order)

    def _take(self) -> None:
        side = self._taking_side()
        if len(self._resting[OPPOSITE[side]]) <= FLOOR:
            self._place(OPPOSITE[side])
            return
        most = self._market.public_lots(OPPOSITE[side]) // 2
        self._market.market(side, max(1, min(self._lots(), most)))

    def _cancel(self) -> None:
        buys, sells = self._resting["buy"], self._resting["sell"]
        chosen = self._random.randrange(len(buys) + len(sells))
        order = buys[chosen] if chosen < len(buys) else sells[chosen - len(buys)]
        if len(self._resting[order.side]) <= FLOOR:
            self._place(order.side)
            return
        self._forget(order)
        self._market.cancel(order)

    def _forget(self, order: Order) -> None:
        resting = self._resting[order.side]
        last = resting.pop()
        if last is not order:
            resting[order.slot] = last
            last.slot = order.slot

    def _any_side(self) -> Side:
        return "buy" if self._random.random() < 0.5 else "sell"

    def _taking_side(self) -> Side:
        """A random side, biased a little so that the price returns towards its start and never runs away."""
        engine, start = self._market.engine, self._market.instrument.start
        middle = ((engine.best("buy") or start) + (engine.best("sell") or start)) / 2
        lean = max(-0.2, min(0.2, (start - middle) / start))
        return "buy" if self._random.random() < 0.5 + lean else "sell"

    def _distance(self) -> int:
        return int(self._random.expovariate(1 / self._market.instrument.reach))

    def _lots(self) -> int:
        drawn = _MEDIAN_LOTS * self._random.lognormvariate(0.0, _SPREAD_OF_LOTS)
        return max(1, min(_MOST_LOTS, int(drawn)))
