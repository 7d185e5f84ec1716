"""Nexus as its document speaks: whole books with a time, trades without ids, account events without a snapshot."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, ClassVar

from tests.model.books import BestPrices, BookSpeaker
from tests.model.speaker import Event, EventSpeaker, Sent, Speaker, TradeSpeaker, drawn_trade

SYMBOL = "SPOT_BTC_USDT"


class Nexus(Speaker):
    """Everything comes unasked, each message with the venue's time."""

    venue = "nexus"
    symbols = (SYMBOL,)
    secrets: ClassVar = {"client_key": "a-key-of-the-model"}

    def event(self, name: str, data: Any, **more: Any) -> bytes:
        return json.dumps({"event": name, "timestamp": self.stamp(), **more, "data": data}).encode()


class NexusBook(BookSpeaker, Nexus):
    """`BOOK`: the whole book each time; one that is older than the one before may come late."""

    tick, lot = Decimal("0.01"), Decimal("0.001")
    can = frozenset({"lose", "late", "repeat", "garble", "restate", "late whole"})

    def connected(self) -> list[Sent]:
        self.connections += 1
        return self.restate()

    def restate(self) -> list[Sent]:
        if not self.connections:
            return []
        sides = [[{"price": p / 100, "quantity": s / 1000} for p, s in side] for side in self.book.best(1000)]
        if self.random.random() < 0.5:
            sides[1].reverse()  # the document calls both sides descending
        frame = self.event("BOOK", {"bids": sides[0], "asks": sides[1]}, symbol=SYMBOL)
        return [Sent(frame, self.version, full=True, is_data=True)]


class NexusQuotes(BestPrices, NexusBook):
    """`quotes`, made from the book."""


class NexusTrades(TradeSpeaker, Nexus):
    """`TRADE`: without ids, so each that comes is one."""

    def change(self) -> list[Sent]:
        price, size, side = trade = drawn_trade(self.random)
        data = {"price": float(price), "quantity": float(size), "side": side.upper()}
        frame = self.event("TRADE", data, symbol=SYMBOL)
        return [Sent(frame, events=(self.happened(*trade),), is_data=True)]


class NexusFills(EventSpeaker, Nexus):
    """`TRANSACTION`: with ids; the venue may tell one again, also on another connection."""

    stream = "fills"
    ids = True
    can = frozenset({"repeat", "garble"})

    def __init__(self, clock: Any, random: Any) -> None:
        self.fills: list[tuple[dict[str, Any], Event]] = []
        super().__init__(clock, random)

    def connected(self) -> list[Sent]:
        return [self._message(*fill) for fill in self.fills[-2:]] if self.random.random() < 0.5 else []

    def change(self) -> list[Sent]:
        number = self.told + 1
        price, size, side = trade = drawn_trade(self.random)
        data = {"id": number, "symbol": SYMBOL, "order_id": self.random.randint(1, 5), "executed_price": float(price),
                "executed_quantity": float(size), "side": side.upper()}  # fmt: skip
        self.fills.append((data, self.happened(str(number), *trade)))
        return [self._message(*self.fills[-1])]

    def _message(self, data: dict[str, Any], event: Event) -> Sent:
        return Sent(self.event("TRANSACTION", data), events=(event,), is_data=True)

    def shown(self, record: Any) -> tuple[Any, ...]:
        return record.fill_id, record.price, record.size, record.side


class NexusOrders(Nexus):
    """`ORDER_UPDATE`: only changes, each with a time by which one that comes late is told."""

    stream = "orders"
    kind = "partial"
    can = frozenset({"late", "repeat", "garble"})
    LAST = ("FILLED", "CANCELLED", "REJECTED", "EXPIRED")

    def __init__(self, clock: Any, random: Any) -> None:
        self.orders: dict[str, Any] = {}
        self.next_id = 1
        super().__init__(clock, random)

    def first(self) -> Any:
        return {}

    def change(self) -> list[Sent]:
        random = self.random
        if len(self.orders) < 2 or (len(self.orders) < 6 and random.random() < 0.4):
            number, self.next_id = str(self.next_id), self.next_id + 1
            order = {"size": random.randint(10, 99), "done": 0, "price": random.randint(9000, 9999)}
            self.orders[number] = order
            status, last = "NEW", 0
        else:
            number = random.choice(sorted(self.orders))
            order = self.orders[number]
            status = random.choice(("PARTIAL_FILLED", "PARTIAL_FILLED", *self.LAST))
            last = 0
            if status == "PARTIAL_FILLED" and order["size"] - order["done"] > 1:
                last = random.randint(1, order["size"] - order["done"] - 1)
            elif status in ("PARTIAL_FILLED", "FILLED"):
                status, last = "FILLED", order["size"] - order["done"]
            order["done"] += last
        if status in self.LAST:
            del self.orders[number]
        self.history.append({key: self._figures(order) for key, order in self.orders.items()})
        data = {"symbol": SYMBOL, "order_type": "LIMIT", "order_price": order["price"] / 100,
                "order_quantity": order["size"] / 10, "order_id": int(number), "executed_price": 99.5 if last else 0,
                "executed_quantity": last / 10, "side": "BUY", "status": status,
                "aggregated_executed_quantity": order["done"] / 10}  # fmt: skip
        return [Sent(self.event("ORDER_UPDATE", data), self.version, keys=(number,), is_data=True)]

    def _figures(self, order: Any) -> Any:
        size, done = Decimal(order["size"]) / 10, Decimal(order["done"]) / 10
        return size, done, size - done, Decimal(order["price"]) / 100

    def shown(self, record: Any) -> tuple[Any, Any]:
        return record.order_id, (record.size, record.filled, record.remaining, record.price)


class NexusPositions(Nexus):
    """`POSITIONS`: what is held of some symbols, without a snapshot; 0 is gone."""

    stream = "positions"
    kind = "partial"
    can = frozenset({"late", "repeat", "garble"})
    NAMES = (SYMBOL, "SPOT_ETH_USDT", "SPOT_WOO_USDT")

    def first(self) -> Any:
        return {}

    def change(self) -> list[Sent]:
        held = dict(self.history[-1])
        names = self.random.sample(self.NAMES, self.random.choice((1, 1, 2)))
        data = {}
        for name in names:
            amount = self.random.choice((0, 0, *range(-30, 30)))
            data[name] = {"holding": amount / 10}
            held.pop(name, None)
            if amount:
                held[name] = ("long" if amount > 0 else "short", abs(Decimal(amount)) / 10)
        self.history.append(held)
        frame = self.event("POSITIONS", {"positions": data})
        return [Sent(frame, self.version, keys=tuple(names), is_data=True)]

    def shown(self, record: Any) -> tuple[Any, Any]:
        return record.symbol, (record.side, record.size)
