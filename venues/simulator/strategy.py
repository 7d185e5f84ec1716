"""The account's strategy: small and seeded; it places, replaces, cancels and takes.

It exists to be watched: within seconds there are orders, fills and positions to see, and now and then a position
changes its sign or is closed.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from venues.simulator.market_events import OPPOSITE

if TYPE_CHECKING:
    from random import Random

    from venues.simulator.account import Account, Order
    from venues.simulator.market import Market
    from venues.simulator.market_events import Side

_Action: TypeAlias = Literal["place", "replace", "cancel", "take"]

# One round, in an order drawn anew for each: half of it takes, so that fills come steadily.
_ROUND: Final[tuple[_Action, ...]] = ("take", "place", "take", "replace", "take", "place", "cancel", "take")
_USUAL_RATE: Final = 20.0  # events a second of the flow at which the account acts every 0.4 to 1 s
_SOONEST: Final = 400.0
_LATEST: Final = 1_000.0
_MOST_OPEN: Final = 5
_LEAST_LOTS: Final = 20
_MOST_LOTS: Final = 300
_MOST_HELD: Final = 1_500  # lots, long or short


class Strategy:
    """The account's strategy in one market; `due` is when it acts next, in milliseconds since the epoch."""

    def __init__(self, account: Account, market: Market, random: Random, rate: float, start: float) -> None:
        self._account = account
        self._market = market
        self._position = account.positions[market.name]
        self._random = random
        self._pace = _USUAL_RATE / rate if rate else math.inf
        self._round: list[_Action] = []
        self.due = start
        self._schedule()

    def step(self) -> None:
        """Act, and draw the time of the next action."""
        if not self._round:
            self._round = list(_ROUND)
            self._random.shuffle(self._round)
        action = self._round.pop()
        if action == "take":
            self._take()
        elif action == "place":
            self._place()
        elif action == "replace":
            self._cancel(oldest=True)
            self._place()
        elif not self._cancel(oldest=False):
            self._place()
        self._schedule()

    def _schedule(self) -> None:
        self.due += self._random.uniform(_SOONEST, _LATEST) * self._pace

    def _place(self) -> None:
        """Place a limit order at or near the best price, or in the spread if there is room."""
        if len(self._open()) >= _MOST_OPEN:
            self._cancel(oldest=True)
        side = self._side()
        best, other = self._market.engine.best(side), self._market.engine.best(OPPOSITE[side])
        if best is None or other is None:
            return
        inwards = 1 if side == "buy" else -1
        improve = 1 if abs(other - best) > 1 else 0
        steps = self._random.choice((improve, improve, 0, 0, -1, -self._market.instrument.reach // 10))
        self._account.place(self._market, side, max(1, best + inwards * steps), self._lots())

    def _cancel(self, *, oldest: bool) -> bool:
        orders = self._open()
        if not orders:
            return False
        return self._account.cancel(orders[0] if oldest else self._random.choice(orders))

    def _take(self) -> None:
        side, lots = self._wanted()
        touch = self._market.engine.best(OPPOSITE[side])
        if touch is None:
            return
        if self._random.random() < 0.6:
            self._account.take(self._market, side, lots)
        else:  # a limit at the touch takes what is there, and the rest of it stays in the book
            lots = min(lots, self._market.public_lots(OPPOSITE[side]) // 2)
            if lots:
                self._account.place(self._market, side, touch, lots)

    def _wanted(self) -> tuple[Side, int]:
        """The signed lots to take: to open, close or reverse the position, or to change it a little."""
        held = self._held()
        drawn = self._random.random()
        if held and drawn < 0.3:
            return self._against(), abs(held)
        if held and drawn < 0.45:
            return self._against(), min(2 * abs(held), abs(held) + _MOST_LOTS)
        return self._side(), self._lots()

    def _side(self) -> Side:
        if abs(self._held()) > _MOST_HELD:
            return self._against()
        return "buy" if self._random.random() < 0.5 else "sell"

    def _held(self) -> int:
        return int(self._position.holding / self._market.instrument.lot)

    def _against(self) -> Side:
        """The side of an order that makes the position less."""
        return "buy" if self._position.holding.is_signed() else "sell"

    def _open(self) -> list[Order]:
        return [order for order in self._account.orders.values() if order.market is self._market]

    def _lots(self) -> int:
        return self._random.randint(_LEAST_LOTS, _MOST_LOTS)
