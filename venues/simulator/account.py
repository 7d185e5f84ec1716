"""The simulated account. Its orders rest in the markets' own books, and its fills are trades of those markets.

It is kept in two ways, which agree to the last digit. As assets: a fill moves base and quote, and an open order locks
what it may need (total = available + locked). As positions: a fill opens or closes, and closing moves the balance
(equity = balance + the positions' PnL, each rounded down; free = equity − used). Between the two hold: total of a base
asset = what was paid in + holding, and total of the quote = balance − the cost of what is open.

All sums are exact: prices and sizes have a bounded number of decimals, and 28 digits are far more than they need.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final, NamedTuple

from venues.simulator.market_events import OPPOSITE, Fill, Holding, OrderUpdate
from venues.simulator.position import Closed, Position

if TYPE_CHECKING:
    from collections.abc import Iterable

    from venues.simulator import engine
    from venues.simulator.market import Market
    from venues.simulator.market_events import OrderStatus, OrderType, Side, Stage

QUOTE: Final = "USDT"
PAID_IN: Final = {"USDT": Decimal(1_000_000), "BTC": Decimal(2), "ETH": Decimal(40), "SOL": Decimal(800)}
_FIRST_ORDER: Final = 254_558
_CLOSED_KEPT: Final = 1_000
_ZERO: Final = Decimal(0)


@dataclass(slots=True, eq=False)
class Order:
    """One order of the account; `ticks` is None for a market order, `lots` its size; `locked` is of its asset.

    `filled` is in base units, `cost` the sum of price times size, `resting` its place in the book.
    """

    order_id: int
    market: Market
    side: Side
    ticks: int | None
    lots: int
    created: int
    updated: int
    status: OrderStatus = "new"
    filled: Decimal = _ZERO
    cost: Decimal = _ZERO
    locked: Decimal = _ZERO
    resting: engine.Order | None = None

    @property
    def size(self) -> Decimal:
        """The ordered size, in base units."""
        return self.market.size(self.lots)

    @property
    def price(self) -> Decimal | None:
        """The limit price in quote currency; None for a market order."""
        return None if self.ticks is None else self.market.price(self.ticks)

    @property
    def order_type(self) -> OrderType:
        """The kind of the order: `limit`, or `market` if it has no limit price."""
        return "market" if self.ticks is None else "limit"

    @property
    def asset(self) -> str:
        """The asset that the order pays with, and so locks."""
        instrument = self.market.instrument
        return instrument.quote if self.side == "buy" else instrument.base


@dataclass(slots=True)
class Balance:
    """The balance of one asset: the total, and how much of it open orders lock."""

    asset: str
    total: Decimal
    locked: Decimal = _ZERO

    @property
    def available(self) -> Decimal:
        """The part of the total that no open order locks."""
        return self.total - self.locked


class Margin(NamedTuple):
    """The account in quote currency: equity = balance + unrealised, free = equity − used."""

    balance: Decimal
    unrealised: Decimal
    equity: Decimal
    used: Decimal
    free: Decimal


class Account:
    """Orders, balances and positions.

    `orders` are the open ones by id, `closed` the last 1,000 closings by order and position: an order may close a
    position with several fills.
    """

    def __init__(self, stage: Stage, markets: Iterable[Market]) -> None:
        self.orders: dict[int, Order] = {}
        self.balances: Final = {asset: Balance(asset, total) for asset, total in PAID_IN.items()}
        self.positions: dict[str, Position] = {}
        self.closed: dict[tuple[int, int], Closed] = {}
        self.balance = PAID_IN[QUOTE]
        self._stage = stage
        self._markets = {market.name: market for market in markets}
        self._next_order = _FIRST_ORDER
        self._next_fill = 1
        self._next_position = 1
        for market in self._markets.values():
            self.positions[market.name] = Position(market.name)
            market.on_fill = self._filled

    def place(self, market: Market, side: Side, ticks: int, lots: int) -> Order | None:
        """Place a limit order; None if the funds do not suffice.

        Orders of the account that it would meet are cancelled first: an account does not trade with itself.
        """
        order = self._ordered(market, side, ticks, lots)
        needed = market.price(ticks) * order.size if side == "buy" else order.size
        if self.balances[order.asset].available < needed:
            return None
        self._step_aside(market, side, ticks)
        self._open(order, needed)
        resting = market.limit(side, ticks, lots, order.order_id)
        if resting.lots:
            order.resting = resting
        return order

    def take(self, market: Market, side: Side, lots: int) -> Order | None:
        """Place a market order, at whatever prices the book has; None if the funds do not suffice.

        Of the public's lots at least half are left, so that no side of a book is ever empty.
        """
        lots = min(lots, market.public_lots(OPPOSITE[side]) // 2)
        if not lots:
            return None
        order = self._ordered(market, side, None, lots)
        needed = _cost(market, side, lots) if side == "buy" else order.size
        if self.balances[order.asset].available < needed:
            return None
        self._step_aside(market, side, None)
        self._open(order, needed)
        market.market(side, lots, order.order_id)
        return order

    def cancel(self, order: Order) -> bool:
        """Cancel an order; False when it is not open any more."""
        if order.order_id not in self.orders or order.resting is None:
            return False
        self._release(order, order.locked)
        del self.orders[order.order_id]
        order.status, order.updated = "cancelled", self._stage.now
        self._tell(order, _ZERO, _ZERO)
        return order.market.cancel(order.resting)

    def open_orders(self) -> list[OrderUpdate]:
        """The open orders as they are, oldest first."""
        return [_told(order, order.updated, _ZERO, _ZERO) for order in self.orders.values()]

    def margin(self) -> Margin:
        """The account in quote currency, at the current prices."""
        unrealised = sum((self.unrealised(position) for position in self.positions.values()), _ZERO)
        used = sum((position.used_margin for position in self.positions.values()), _ZERO)
        equity = self.balance + unrealised
        return Margin(self.balance, unrealised, equity, used, equity - used)

    def market_price(self, position: Position) -> Decimal:
        """The price at which a position could be closed: the bid for long, the ask for short."""
        best = self._markets[position.market].best("buy" if position.holding >= 0 else "sell")
        return _ZERO if best is None else best

    def unrealised(self, position: Position) -> Decimal:
        """A position's PnL at the current prices, rounded down to 0.01."""
        return position.unrealised(self.market_price(position))

    def _ordered(self, market: Market, side: Side, ticks: int | None, lots: int) -> Order:
        return Order(self._next_order, market, side, ticks, lots, self._stage.now, self._stage.now)

    def _open(self, order: Order, needed: Decimal) -> None:
        self._next_order += 1
        self.orders[order.order_id] = order
        order.locked = needed
        self.balances[order.asset].locked += needed
        self._tell(order, _ZERO, _ZERO)

    def _step_aside(self, market: Market, side: Side, ticks: int | None) -> None:
        for order in list(self.orders.values()):
            if order.market is not market or order.side == side or order.ticks is None:
                continue
            if ticks is None or (order.ticks <= ticks if side == "buy" else order.ticks >= ticks):
                self.cancel(order)

    def _filled(self, order_id: int, price: Decimal, size: Decimal) -> None:
        """Books a fill: a market has matched one of the account's orders."""
        order = self.orders[order_id]
        paid = price * size
        order.filled += size
        order.cost += paid
        order.updated = self._stage.now
        order.status = "filled" if order.filled == order.size else "partially_filled"
        if order.status == "filled":
            del self.orders[order_id]
        self._settle(order, size, paid)
        self._enter(order, price, size)
        market = order.market.name
        now = self._stage.now
        self._stage.emit(Fill(market, now, self._next_fill, order_id, price, size, order.side))
        self._next_fill += 1
        self._tell(order, price, size)
        self._stage.emit(Holding(market, now, self.positions[market].holding))

    def _settle(self, order: Order, size: Decimal, paid: Decimal) -> None:
        """Move the assets of a fill, and unlock what the order held for it; the last fill unlocks the rest."""
        instrument = order.market.instrument
        sign = 1 if order.side == "buy" else -1
        if order.status == "filled":
            freed = order.locked
        elif order.side == "sell":
            freed = size
        else:
            freed = paid if order.price is None else order.price * size
        self._release(order, freed)
        self.balances[instrument.base].total += sign * size
        self.balances[instrument.quote].total -= sign * paid

    def _enter(self, order: Order, price: Decimal, size: Decimal) -> None:
        """Add the fill to the position, and what it realised to the balance."""
        position = self.positions[order.market.name]
        before = position.position_id
        signed = size if order.side == "buy" else -size
        closed = position.fill(signed, price, order_id=order.order_id, number=self._next_position, now=self._stage.now)
        if position.position_id != before:
            self._next_position += 1
        if closed is not None:
            self.balance += closed.realised
            self._keep(closed._replace(ordered=order.created, order_type=order.order_type))

    def _keep(self, closed: Closed) -> None:
        key = closed.order_id, closed.position_id
        before = self.closed.pop(key, None)
        self.closed[key] = closed if before is None else before.and_then(closed)
        if len(self.closed) > _CLOSED_KEPT:
            del self.closed[next(iter(self.closed))]

    def _release(self, order: Order, amount: Decimal) -> None:
        order.locked -= amount
        self.balances[order.asset].locked -= amount

    def _tell(self, order: Order, price: Decimal, size: Decimal) -> None:
        self._stage.emit(_told(order, self._stage.now, price, size))


def _told(order: Order, time: int, price: Decimal, size: Decimal) -> OrderUpdate:
    return OrderUpdate(
        market=order.market.name,
        time=time,
        order_id=order.order_id,
        side=order.side,
        order_type=order.order_type,
        price=order.price,
        size=order.size,
        filled=order.filled,
        cost=order.cost,
        status=order.status,
        created=order.created,
        executed_price=price,
        executed_size=size,
    )


def _cost(market: Market, side: Side, lots: int) -> Decimal:
    """What a market order would pay the public, exactly."""
    cost = 0
    for there in market.engine.orders(OPPOSITE[side]):
        if not there.owner:
            taken = min(lots, there.lots)
            cost += there.price * taken
            lots -= taken
    return market.price(cost) * market.instrument.lot
