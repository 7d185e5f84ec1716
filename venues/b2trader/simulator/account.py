"""The account streams of the simulated B2TRADER: orders, positions, closed positions, balances and margin.

What the document leaves open is decided like this. A lot is one base unit. The root asset (RAT) is USDT, so every
rate to it is 1. Money is rounded down to 0.01, used margin up, percentages down to four decimals of the fraction. A
new limit order is Pending, one that is filled in part Working, a market order Started until it is Completed. The PnL
of the day is that since the day's first trade (UTC) for what was opened before, else all of it. Rows that belong
together are sent once the market has made all changes of one order, so that they agree.
"""

from __future__ import annotations

from decimal import ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING, Any, Final

import msgspec

from venues.b2trader.simulator.market import full_name
from venues.b2trader.simulator.text import instant, ulid
from venues.simulator.figures import text
from venues.simulator.hub import Subscribers
from venues.simulator.market_events import BookChange, OrderUpdate
from venues.simulator.position import LEVERAGE, mean_price, to_cents
from venues.simulator.tally import DAY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from venues.b2trader.simulator.market import Quoted
    from venues.simulator.account import Balance
    from venues.simulator.hub import Emit
    from venues.simulator.market_events import Event
    from venues.simulator.position import Closed, Position
    from venues.simulator.world import World

_FRACTION: Final = Decimal("0.0001")
_SIDE: Final = {"buy": "Buy", "sell": "Sell"}
_ZERO: Final = Decimal(0)
_encode: Final = msgspec.json.encode

Row = dict[str, Any]


class AccountData:
    """The streams of the two account hubs; what a client asks for is checked before."""

    def __init__(self, world: World, markets: Mapping[str, Quoted], names: Mapping[str, str]) -> None:
        self._world = world
        self._account = world.account
        self._ids = {name: market_id for market_id, name in names.items()}
        self._quoted = {name: markets[market_id] for market_id, name in names.items()}
        self._orders = Subscribers()
        self._positions = Subscribers()
        self._closed = Subscribers()
        self._balances = Subscribers()
        self._margin = Subscribers()
        # As they were sent last; each is set when the first client asks for it.
        self._open: dict[str, Row]  # the positions, by market
        self._assets: dict[str, Row]
        self._figures: Row
        self._closings: set[Closed]
        world.stage.listen(self._hear)

    def orders(self, emit: Emit) -> Callable[[], None]:
        """OpenOrders: sends the open orders, then each that changes."""
        emit(_encode([order_row(self._ids[o.market], o) for o in self._account.open_orders()]))
        return self._orders.join(emit)

    def positions(self, emit: Emit) -> Callable[[], None]:
        """OpenPositions: sends the open positions, then each that changes; a closed one comes once more, as Closed."""
        if not self._positions:
            self._open = {name: row for name in self._account.positions if (row := self._position(name)) is not None}
        emit(_encode({"item": list(self._open.values()), "snapshot": True}))
        return self._positions.join(emit)

    def closed(self, emit: Emit) -> Callable[[], None]:
        """ClosePositionsOrders: sends the last closings, then each new one, and again when its order closes more."""
        if not self._closed:
            self._closings = set(self._account.closed.values())
        emit(_encode([closed_row(self._ids[c.market], c) for c in self._account.closed.values()]))
        return self._closed.join(emit)

    def balances(self, emit: Emit) -> Callable[[], None]:
        """FullBalance: sends all assets, then those that change."""
        if not self._balances:
            self._assets = {b.asset: balance_row(b) for b in self._account.balances.values()}
        emit(_encode(list(self._assets.values())))
        return self._balances.join(emit)

    def margin(self, emit: Emit) -> Callable[[], None]:
        """MarginData: sends the figures, and again whenever one of them changes."""
        if not self._margin:
            self._figures = self._margin_row()
        emit(_encode(self._figures))
        return self._margin.join(emit)

    def _hear(self, event: Event) -> None:
        if isinstance(event, OrderUpdate):
            if self._orders:
                self._orders.tell(_encode([order_row(self._ids[event.market], event)]))
        elif isinstance(event, BookChange) and event.market in self._account.positions:
            self._committed(event.market)

    def _committed(self, market: str) -> None:
        """Send whatever differs from what was sent last."""
        if self._balances:
            self._tell_balances()
        if self._closed:
            self._tell_closed()
        if self._positions:
            self._tell_positions(market)
        if self._margin:
            figures = self._margin_row()
            if figures != self._figures:
                self._figures = figures
                self._margin.tell(_encode(figures))

    def _tell_balances(self) -> None:
        rows = [balance_row(balance) for balance in self._account.balances.values()]
        changed = [row for row in rows if row != self._assets[row["assetId"].upper()]]
        if changed:
            self._assets.update((row["assetId"].upper(), row) for row in changed)
            self._balances.tell(_encode(changed))

    def _tell_closed(self) -> None:
        fresh: list[Closed] = []
        for closed in reversed(self._account.closed.values()):
            if closed in self._closings:
                break
            fresh.append(closed)
        if fresh:
            self._closings = set(self._account.closed.values())
            self._closed.tell(_encode([closed_row(self._ids[c.market], c) for c in reversed(fresh)]))

    def _tell_positions(self, market: str) -> None:
        before, now = self._open.get(market), self._position(market)
        if before == now:
            return
        rows: list[Row] = []
        if before is not None and (now is None or before["positionId"] != now["positionId"]):
            rows.append(_over(before, self._account.positions[market].updated))
            del self._open[market]
        if now is not None:
            rows.append(now)
            self._open[market] = now
        self._positions.tell(_encode({"item": rows, "snapshot": False}))

    def _position(self, market: str) -> Row | None:
        """The current row of a position; None without one."""
        position = self._account.positions[market]
        if not position.holding:
            return None
        price = self._account.market_price(position)
        total, day = self._account.unrealised(position), self._day_pnl(position, price)
        return {
            "positionId": ulid(position.opened, position.position_id),
            **_market_names(self._ids[market]),
            "createdAt": instant(position.opened),
            "updatedAt": instant(position.updated, position.position_id * 7_919),
            "side": "Sell" if position.holding.is_signed() else "Buy",
            "status": "Open",
            "leverage": LEVERAGE,
            "positionLotAmount": text(abs(position.holding)),
            "positionPriceInRAT": text(to_cents(abs(position.holding) * price, ROUND_FLOOR)),
            "rateToRAT": "1",
            "usedMarginInRAT": text(position.used_margin),
            "openPrice": text(mean_price(position.cost, position.holding)),
            "currentMarketPrice": text(price),
            "unrealizedPnlDayInRAT": text(day),
            "unrealizedPnlDayPercent": text(_fraction(day, position.cost)),
            "unrealizedPnlTotalInRAT": text(total),
            "unrealizedPnlTotalPercent": text(_fraction(total, position.cost)),
            "takeProfit": None,
            "stopLoss": None,
            "positionModifier": "Trader",
        }

    def _day_pnl(self, position: Position, price: Decimal) -> Decimal:
        now = self._world.stage.now
        if position.opened >= now - now % DAY:
            return self._account.unrealised(position)
        first = self._quoted[position.market].tally.candle("1d", now).open
        return to_cents(position.holding * (price - first), ROUND_FLOOR)

    def _margin_row(self) -> Row:
        margin = self._account.margin()
        level = (margin.equity / margin.used).quantize(_FRACTION, ROUND_FLOOR) if margin.used else _ZERO
        return {
            "marginBalanceInRAT": text(margin.balance),
            "unrealizedPnlInRAT": text(margin.unrealised),
            "equityInRAT": text(margin.equity),
            "usedMarginInRAT": text(margin.used),
            "freeMarginInRAT": text(margin.free),
            "marginLevel": text(level),
        }


def order_row(market_id: str, order: OrderUpdate) -> Row:
    """The row of an order in OpenOrders."""
    over = order.status == "cancelled"
    return {
        **_market_names(market_id),
        "orderId": ulid(order.created, order.order_id),
        "timeInForce": "Ioc" if order.price is None else "Gtc",
        "status": _status(order),
        "source": "Manual",
        "reason": "Trader",
        "side": _SIDE[order.side],
        "orderType": order.order_type.capitalize(),
        "requestedAmount": text(order.size),
        "remainingAmount": text(order.size - order.filled),
        "requestedPrice": "0" if order.price is None else text(order.price),
        "executionPrice": text(mean_price(order.cost, order.filled)) if order.filled else "0",
        "createdAt": instant(order.created),
        "updatedAt": instant(order.time, order.order_id * 7_919),
        "cancellationDate": instant(order.time, order.order_id * 7_919) if over else None,
        "commissionAssetId": market_id.rpartition("_")[2],
        "commissionAmount": "0",
        "leverage": LEVERAGE,
        "fillFactor": text(_fraction(order.filled, order.size)),
        "takeProfit": None,
        "stopLoss": None,
    }


def closed_row(market_id: str, closed: Closed) -> Row:
    """The row in ClosePositionsOrders of what an order closed of a position."""
    market = _market_names(market_id)
    return {
        "marketId": market_id,
        "marketFullName": market["marketFullName"],
        "marketDisplayName": market["marketDisplayName"],
        "marketType": market["marketType"],
        "orderId": ulid(closed.ordered, closed.order_id),
        "orderType": closed.order_type.capitalize(),
        "timeInForce": "Ioc" if closed.order_type == "market" else "Gtc",
        "side": "Buy" if closed.holding.is_signed() else "Sell",
        "positionCloseLotAmount": text(abs(closed.holding)),
        "reason": "Trader",
        "realizedPnlInRAT": text(to_cents(closed.realised, ROUND_FLOOR)),
        "closedAt": instant(closed.closed, closed.order_id * 7_919),
        "positionId": ulid(closed.opened, closed.position_id),
        "openPrice": text(closed.open_price),
        "closePrice": text(closed.close_price),
        "positionPriceInRAT": text(to_cents(abs(closed.value), ROUND_FLOOR)),
        "rateToRAT": "1",
        "openedAt": instant(closed.opened),
    }


def balance_row(balance: Balance) -> Row:
    """The row of an asset in FullBalance."""
    return {
        "assetId": balance.asset.lower(),
        "available": text(balance.available),
        "total": text(balance.total),
        "locked": text(balance.locked),
    }


def _over(row: Row, now: int) -> Row:
    """The last row of a position, which says that it is closed."""
    nothing = dict.fromkeys((name for name in row if name.startswith("unrealizedPnl")), "0")
    empty = {"positionLotAmount": "0", "positionPriceInRAT": "0", "usedMarginInRAT": "0"}
    return {**row, **nothing, **empty, "updatedAt": instant(now), "status": "Closed"}


def _status(order: OrderUpdate) -> str:
    if order.status in ("new", "partially_filled") and order.price is None:
        return "Started"
    names = {"new": "Pending", "partially_filled": "Working", "filled": "Completed", "cancelled": "Cancelled"}
    return names[order.status]


def _market_names(market_id: str) -> Row:
    return {
        "marketId": market_id,
        "marketType": "Spot",
        "marketDisplayName": market_id.partition(".")[2].replace("_", "/").upper(),
        "marketFullName": full_name(market_id),
    }


def _fraction(part: Decimal, whole: Decimal) -> Decimal:
    return (part / abs(whole)).quantize(_FRACTION, ROUND_FLOOR) if whole else _ZERO
