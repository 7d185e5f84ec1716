"""A net position: which sizes are open at which prices, and the PnL of closing them.

What was opened first is closed first. So every realised PnL is a difference of prices times a size, which is an exact
decimal; an average price would have to be rounded.
"""

from __future__ import annotations

from collections import deque
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from venues.simulator.market_events import OrderType

LEVERAGE: Final = 10
_ZERO: Final = Decimal(0)


class Closed(NamedTuple):
    """A position, or a part of it, that one order closed.

    `holding` is the size that was closed, signed like the position. `cost` is what it had cost, `value` what closing it
    brought; both are signed alike and exact. `ordered` is when the order was created, `order_type` its kind.
    """

    market: str
    position_id: int
    order_id: int
    holding: Decimal
    cost: Decimal
    value: Decimal
    opened: int
    closed: int
    ordered: int = 0
    order_type: OrderType = "limit"

    @property
    def open_price(self) -> Decimal:
        """The mean price at which it was opened, rounded to 8 decimals."""
        return mean_price(self.cost, self.holding)

    @property
    def close_price(self) -> Decimal:
        """The mean price at which it was closed, rounded to 8 decimals."""
        return mean_price(self.value, self.holding)

    @property
    def realised(self) -> Decimal:
        """The PnL in quote currency, exact."""
        return self.value - self.cost

    def and_then(self, more: Closed) -> Closed:
        """The sum of this and of what the same order closed after it."""
        return more._replace(
            holding=self.holding + more.holding, cost=self.cost + more.cost, value=self.value + more.value
        )


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
        """The margin that the position uses, rounded up to 0.01."""
        return to_cents(abs(self.cost) / LEVERAGE, ROUND_CEILING)

    def unrealised(self, price: Decimal) -> Decimal:
        """The PnL of what is open at this price, rounded down to 0.01."""
        return to_cents(self.holding * price - self.cost, ROUND_FLOOR)

    def fill(self, signed: Decimal, price: Decimal, *, order_id: int, number: int, now: int) -> Closed | None:
        """Add a fill (`signed`: a buy above 0, a sell below); returns the part that closes something.

        `number` is the id of the position that a fill opens.
        """
        is_opposite = signed.is_signed() != self.holding.is_signed()
        closing = min(signed, -self.holding, key=abs) if is_opposite else _ZERO
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
            part = min(size, left, key=abs)
            if part != size:
                self._parts.appendleft((size - part, opened_at))
            cost += part * opened_at
            left -= part
        self.holding += signed
        self.cost -= cost
        value = -signed * price
        return Closed(self.market, self.position_id, order_id, -signed, cost, value, self.opened, now)


def mean_price(cost: Decimal, size: Decimal) -> Decimal:
    """The mean price: cost divided by size, rounded to 8 decimals."""
    return (cost / size).quantize(Decimal("1E-8"))


def to_cents(amount: Decimal, rounding: str) -> Decimal:
    """An amount of money with two decimals, rounded in the given way."""
    return amount.quantize(Decimal("0.01"), rounding)
