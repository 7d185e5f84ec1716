"""A net position: which sizes are open at which prices, and what closing them brought.

What was opened first is closed first. So every realised PnL is a difference of prices times a size: an exact decimal,
where an average price would have to be rounded.
"""

from __future__ import annotations

from collections import deque
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Final, NamedTuple

LEVERAGE: Final = 10
_ZERO: Final = Decimal(0)


class Closed(NamedTuple):
    """A position, or a part of it, that one fill closed.

    `holding` is what was closed, signed like the position; `realised` is in quote currency, exact; `open_price` is
    the mean of what was closed, rounded to 8 decimals.
    """

    market: str
    position_id: int
    order_id: int
    holding: Decimal
    open_price: Decimal
    close_price: Decimal
    realised: Decimal
    opened: int
    closed: int


class Position:
    """The net position in one market; `holding` is above 0 for long, below 0 for short, 0 for none.

    `cost` is the signed sum of size times price of what is open. `position_id` and `opened` are of the position that
    is open now; one that changes its sign is another position.
    """

    def __init__(self, market: str) -> None:
        self.market: Final = market
        self.position_id = 0
        self.opened = 0
        self.updated = 0
        self.holding = _ZERO
        self.cost = _ZERO
        self._parts: deque[tuple[Decimal, Decimal]] = deque()

    @property
    def open_price(self) -> Decimal | None:
        """The mean price of what is open, rounded to 8 decimals; None without a position."""
        return mean_price(self.cost, self.holding) if self.holding else None

    @property
    def used_margin(self) -> Decimal:
        """What the position binds, rounded up to 0.01."""
        return to_cents(abs(self.cost) / LEVERAGE, ROUND_CEILING)

    def unrealised(self, price: Decimal) -> Decimal:
        """The PnL of what is open at this price, rounded down to 0.01."""
        return to_cents(self.holding * price - self.cost, ROUND_FLOOR)

    def fill(self, signed: Decimal, price: Decimal, *, order_id: int, number: int, now: int) -> Closed | None:
        """Add a fill (`signed`: a buy above 0, a sell below); what of it closes something is the answer.

        `number` is the id of the position that a fill opens.
        """
        closing = _ZERO
        if signed * self.holding < 0:
            closing = max(signed, -self.holding) if signed < 0 else min(signed, -self.holding)
        closed = self._close(closing, price, order_id, now) if closing else None
        opening = signed - closing
        if opening:
            if not self.holding:
                self.position_id, self.opened = number, now
            self._parts.append((opening, price))
            self.holding += opening
            self.cost += opening * price
        self.updated = now
        return closed

    def _close(self, signed: Decimal, price: Decimal, order_id: int, now: int) -> Closed:
        left, cost = -signed, _ZERO
        while left:
            size, opened_at = self._parts.popleft()
            part = size if abs(size) <= abs(left) else left
            if part != size:
                self._parts.appendleft((size - part, opened_at))
            cost += part * opened_at
            left -= part
        self.holding += signed
        self.cost -= cost
        realised = -signed * price - cost
        mean = mean_price(cost, -signed)
        return Closed(self.market, self.position_id, order_id, -signed, mean, price, realised, self.opened, now)


def mean_price(cost: Decimal, size: Decimal) -> Decimal:
    """Cost by size, rounded to 8 decimals."""
    return (cost / size).quantize(Decimal("1E-8"))


def to_cents(amount: Decimal, rounding: str) -> Decimal:
    """An amount of money with two decimals, rounded as told."""
    return amount.quantize(Decimal("0.01"), rounding)
