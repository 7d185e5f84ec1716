"""JayX as its document speaks: whole books with the latest trades, whole balances, orders that change."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, ClassVar

from tests.model.books import BestPrices, BookSpeaker
from tests.model.socketio import SocketIo
from tests.model.speaker import Event, Sent, TradeSpeaker

SYMBOL = "BTCUSDT"
LISTED = 6  # trades in a message


class JayX(SocketIo):
    """An event is asked for, and comes from then on."""

    venue = "jayx"
    secrets: ClassVar = {"api_key": "a-key-of-the-model"}
    symbols: tuple[str, ...] = (SYMBOL,)
    event: str

    def __init__(self, clock: Any, random: Any) -> None:
        self.subscribed = False
        super().__init__(clock, random)

    def connected(self) -> list[Sent]:
        self.subscribed = False
        return super().connected()

    def asked(self, name: str, arguments: Sequence[Any]) -> list[Sent]:
        assert name == self.event
        self.subscribed = True
        return self.restate()

    def expire(self) -> list[Sent]:
        self.subscribed = False
        return super().expire()


class JayXBook(BookSpeaker, JayX):
    """`orderbook`: the whole book each time."""

    event = "orderbook"
    can = frozenset({"lose", "garble", "restate", "repeat"})

    def restate(self) -> list[Sent]:
        if not self.subscribed:
            return []
        bids, asks = ([{"ticks": p, "lots": s, "count": 1} for p, s in side] for side in self.book.best(1000))
        data = {"orderBook": {"asks": asks, "bids": bids}, "trades": []}
        return [self.emit(self.event, data, version=self.version, full=True)]


class JayXQuotes(BestPrices, JayXBook):
    """`quotes`, made from the book."""


class JayXTrades(TradeSpeaker, JayX):
    """`orderbook`, for its trades: each message lists the latest again, newest first."""

    event = "orderbook"
    ids = True
    says_missing = True
    can = frozenset({"lose", "garble", "restate", "repeat"})

    def __init__(self, clock: Any, random: Any) -> None:
        self.trades: list[tuple[Event, dict[str, Any]]] = []
        super().__init__(clock, random)

    def restate(self) -> list[Sent]:
        if not self.subscribed:
            return []
        latest = self.trades[-LISTED:]
        level = [{"ticks": 900, "lots": 1, "count": 1}]
        data = {"orderBook": {"asks": [], "bids": level}, "trades": [row for _, row in reversed(latest)]}
        return [self.emit(self.event, data, events=tuple(event for event, _ in latest), full=True)]

    def change(self) -> list[Sent]:
        for _ in range(self.random.choice((1, 1, 1, 2, LISTED + 2))):
            price, size, side = (
                self.random.randint(900, 960),
                self.random.randint(1, 9),
                self.random.choice(("BUY", "SELL")),
            )
            row = {"ticks": price, "lots": size, "side": side, "created": self.stamp()}
            self.trades.append((self.happened(Decimal(price), Decimal(size), side.lower()), row))
        return self.restate()


class JayXBalance(JayX):
    """`positions`: all assets each time; one that is not named is gone."""

    stream = "balance"
    event = "positions"
    kind = "rows"
    symbols = ()
    can = frozenset({"lose", "garble", "restate", "repeat"})
    ASSETS = ("BTC", "USDT", "ETH", "WOO")

    def first(self) -> Any:
        return {"USDT": (Decimal(9), Decimal(9))}

    def restate(self) -> list[Sent]:
        if not self.subscribed:
            return []
        rows = [
            {"asset": asset, "balance": str(total), "available": str(available)}
            for asset, (total, available) in self.told().items()
        ]
        return [self.emit(self.event, {"spot": rows}, version=self.version, full=True)]

    def told(self) -> Any:
        return self.history[-1]

    def change(self) -> list[Sent]:
        held = dict(self.told())
        for asset in self.random.sample(self.ASSETS, self.random.choice((1, 2))):
            held.pop(asset, None)
            if self.random.random() < 0.7:
                total = self.random.randint(0, 99)
                held[asset] = (Decimal(total), Decimal(self.random.randint(0, total)))
        self._has(held)
        return self.restate()

    def _has(self, held: Any) -> None:
        self.history.append(held)

    def shown(self, record: Any) -> tuple[Any, Any]:
        return record.asset, (record.total, record.available)


class JayXPositions(JayXBalance):
    """The same as `positions`: what is held; a balance of 0 is none."""

    stream = "positions"

    def __init__(self, clock: Any, random: Any) -> None:
        self.held: Any = {"USDT": (Decimal(9), Decimal(9))}
        super().__init__(clock, random)

    def first(self) -> Any:
        return {"USDT": Decimal(9)}

    def told(self) -> Any:
        return self.held

    def _has(self, held: Any) -> None:
        self.held = held
        self.history.append({asset: total for asset, (total, _) in held.items() if total})

    def shown(self, record: Any) -> tuple[Any, Any]:
        return record.position_id, record.size


class JayXOrders(JayX):
    """`openorders`: only changes, with the time at which each order was modified."""

    stream = "orders"
    event = "openorders"
    kind = "partial"
    can = frozenset({"late", "repeat", "garble"})

    def __init__(self, clock: Any, random: Any) -> None:
        self.orders: dict[str, dict[str, Any]] = {}
        self.next_id = 1
        super().__init__(clock, random)

    def first(self) -> Any:
        return {}

    def restate(self) -> list[Sent]:
        return []

    def change(self) -> list[Sent]:
        random, gone = self.random, False
        if len(self.orders) < 2 or (len(self.orders) < 6 and random.random() < 0.4):
            number, self.next_id = str(self.next_id), self.next_id + 1
            at = self.stamp()
            order = {"id": int(number), "type": "LIMIT", "state": "NEW", "side": "BUY", "resd": random.randint(10, 99),
                     "exec": 0, "cost": 0, "lastLots": None, "lastTicks": None, "created": at, "modified": at,
                     "symbol": SYMBOL, "price": "900", "quantity": "1"}  # fmt: skip
        else:
            number = random.choice(sorted(self.orders))
            order = dict(self.orders[number], modified=self.stamp())
            gone = random.random() < 0.3
            if gone:
                order |= {"state": "CANCEL"}
            else:
                lots = random.randint(1, order["resd"])
                order |= {"state": "TRADE", "resd": order["resd"] - lots, "exec": order["exec"] + lots}
        if gone or not order["resd"]:
            del self.orders[number]
        else:
            self.orders[number] = order
        self.history.append({key: self._figures(one) for key, one in self.orders.items()})
        if not self.subscribed:
            return []
        data = {"cancel": [order] if gone else [], "modify": [] if gone else [order]}
        return [self.emit(self.event, data, version=self.version, keys=(number,))]

    def _figures(self, order: Any) -> Any:
        return Decimal(order["resd"]), Decimal(order["exec"])

    def shown(self, record: Any) -> tuple[Any, Any]:
        return record.order_id, (record.remaining, record.filled)
