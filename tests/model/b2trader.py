"""B2TRADER as its document speaks: SignalR hubs with a stream an invocation, each beginning with a whole state."""

from __future__ import annotations

import json
from abc import abstractmethod
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, ClassVar

from tests.model.books import BookSpeaker, changed
from tests.model.candles import LENGTH, Candles
from tests.model.speaker import Sent, Single, Speaker

MARKET = "cfd.eur_chf"
END = "\x1e"


def framed(*messages: Any) -> bytes:
    return "".join(json.dumps(message, separators=(",", ":")) + END for message in messages).encode()


class Hub(Speaker):
    """A hub: the handshake, pings every 15 s, invocations until they are cancelled."""

    venue = "b2trader"
    secrets: ClassVar = {"token": "a-token-of-the-model"}
    values: ClassVar = {"account_id": "67d0456f8c7b1108e4cf5d46"}
    beat_every = 15.0

    def __init__(self, clock: Any, random: Any) -> None:
        self.invocations: list[str] = []
        self.ready = False
        super().__init__(clock, random)

    def connected(self) -> list[Sent]:
        self.invocations, self.ready = [], False
        self.connections += 1
        return []

    def beat(self) -> list[Sent]:
        return [Sent(framed({"type": 6}))] if self.ready else []

    def heard(self, text: str) -> list[Sent]:
        sent: list[Sent] = []
        for part in filter(None, text.split(END)):
            asked = json.loads(part)
            if "protocol" in asked:
                self.ready = True
                sent.append(Sent(b"{}" + END.encode()))
            elif asked["type"] == 4:
                self.invocations.append(asked["invocationId"])
                sent += self.begun(asked["invocationId"])
            elif asked["type"] == 5 and asked["invocationId"] in self.invocations:
                self.invocations.remove(asked["invocationId"])
                sent.append(Sent(framed({"type": 3, "invocationId": asked["invocationId"]})))
        return sent

    def begun(self, invocation: str) -> list[Sent]:
        return [self.item(self.whole(), (invocation,), full=True)]

    @abstractmethod
    def whole(self) -> Any:
        """The item that an invocation begins with: the whole state."""

    def item(self, item: Any, invocations: Any = None, **fields: Any) -> Sent:
        """One item, to each of the invocations that are on."""
        to = self.invocations if invocations is None else invocations
        messages = [{"type": 2, "invocationId": invocation, "item": item} for invocation in to]
        return Sent(framed(*messages), self.version, is_data=True, **fields)

    def expire(self) -> list[Sent]:
        """The token has expired: the hub says so, allows to come back, and closes."""
        close = {"type": 7, "error": "Connection closed: Token expired", "allowReconnect": True}
        return [Sent(framed(close)), Sent(closes=1000)]

    def garbled(self, sent: Sent) -> Sent:
        return sent._replace(frame=sent.frame[:20] + END.encode())

    def moment(self) -> str:
        """The venue's time, another one each time."""
        return datetime.fromtimestamp(self.stamp() / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


class HubBook(BookSpeaker, Hub):
    """`Book`: a snapshot, then deltas whose version counts by one."""

    tick = Decimal("0.001")
    symbols = (MARKET,)
    can = frozenset({"lose", "late", "repeat", "garble", "restate"})

    def whole(self) -> Any:
        return self._item(*self.book.best(1000), snapshot=True)

    def restate(self) -> list[Sent]:
        return [self.item(self.whole(), full=True)] if self.invocations else []

    def change(self) -> list[Sent]:
        before = self.book.best(1000)
        self.book.mutate()
        after = self.book.best(1000)
        if before == after:
            return []
        self.history.append(self.view())
        if not self.invocations:
            return []
        sides = (changed(old, new, dict(new)) for old, new in zip(before, after, strict=True))
        return [self.item(self._item(*sides, snapshot=False))]

    def _item(self, bids: Any, asks: Any, *, snapshot: bool) -> Any:
        sides = [
            [{"price": f"{p / 1000:.3f}", "amount": str(s), "total": f"{p * s / 1000:.3f}"} for p, s in side]
            for side in (bids, asks)
        ]
        return {
            "instrument": MARKET,
            "bids": sides[0],
            "asks": sides[1],
            "version": str(self.version + 10),
            "snapshot": snapshot,
        }


class HubRows(Hub):
    """The rows of an account: whole at first, then those that changed, by their keys."""

    kind = "rows"
    key: str
    MOST = 6

    def __init__(self, clock: Any, random: Any) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        self.next_id = 1
        super().__init__(clock, random)

    def first(self) -> Any:
        for _ in range(3):
            self._happen()
        return self.view()

    def view(self) -> Any:
        return {key: self.figures(row) for key, row in self.rows.items()}

    @abstractmethod
    def figures(self, row: Any) -> Any:
        """The figures of a row as it is told."""

    @abstractmethod
    def _happen(self) -> dict[str, Any]:
        """One row is new, changes or goes; the row as it is told."""

    def items(self, rows: Any, *, snapshot: bool) -> Any:
        """The item that tells of rows."""
        return rows

    def whole(self) -> Any:
        return self.items(list(self.rows.values()), snapshot=True)

    def change(self) -> list[Sent]:
        count = self.random.choice((1, 1, 1, 2))
        told = [self._happen() for _ in range(count)]
        self.history.append(self.view())
        if not self.invocations:
            return []
        return [self.item(self.items(told, snapshot=False), keys=tuple(row[self.key] for row in told))]


class HubOrders(HubRows):
    """`OpenOrders`: an order's `updatedAt` tells one that comes late."""

    stream = "orders"
    key = "orderId"
    can = frozenset({"late", "repeat", "garble"})

    def _happen(self) -> dict[str, Any]:
        random = self.random
        if len(self.rows) < 2 or (len(self.rows) < self.MOST and random.random() < 0.4):
            key, self.next_id = f"01J{self.next_id}", self.next_id + 1
            at, size = self.moment(), random.randint(10, 99)
            row = {"marketId": MARKET, "orderId": key, "status": random.choice(("Pending", "Working")),
                   "side": random.choice(("Buy", "Sell")), "orderType": "Limit", "requestedAmount": str(size),
                   "remainingAmount": str(size), "requestedPrice": "0.9", "executionPrice": "0", "createdAt": at,
                   "updatedAt": at}  # fmt: skip
        else:
            key = random.choice(sorted(self.rows))
            row = dict(self.rows[key], updatedAt=self.moment())
            left = int(row["remainingAmount"])
            if left > 1 and random.random() < 0.6:
                row |= {"status": "Working", "remainingAmount": str(random.randint(1, left - 1))}
            else:
                row["status"] = random.choice(("Completed", "Cancelled", "Rejected", "Expired"))
                if row["status"] == "Completed":
                    row["remainingAmount"] = "0"
        if row["status"] in ("Pending", "Working"):
            self.rows[key] = row
        else:
            del self.rows[key]
        return row

    def figures(self, row: Any) -> Any:
        return Decimal(row["requestedAmount"]), Decimal(row["remainingAmount"]), row["side"].lower()

    def shown(self, record: Any) -> tuple[Any, Any]:
        return record.order_id, (record.size, record.remaining, record.side)


class HubPositions(HubRows):
    """`OpenPositions`: with a flag `snapshot`; a whole state may come again."""

    stream = "positions"
    key = "positionId"
    can = frozenset({"late", "repeat", "garble", "restate"})

    def _happen(self) -> dict[str, Any]:
        random = self.random
        if len(self.rows) < 2 or (len(self.rows) < self.MOST and random.random() < 0.4):
            key, self.next_id = f"01P{self.next_id}", self.next_id + 1
            at = self.moment()
            row: dict[str, Any] = {"positionId": key, "marketId": MARKET, "createdAt": at, "updatedAt": at,
                   "side": random.choice(("Buy", "Sell")), "status": "Open", "leverage": 1,
                   "positionLotAmount": str(random.randint(1, 99)), "openPrice": "0.96", "currentMarketPrice": "0.93",
                   "unrealizedPnlTotalInRAT": str(random.randint(-99, 99))}  # fmt: skip
        else:
            key = random.choice(sorted(self.rows))
            row = dict(self.rows[key], updatedAt=self.moment(), unrealizedPnlTotalInRAT=str(random.randint(-99, 99)))
            if random.random() < 0.4:
                row["status"] = "Closed"
        if row["status"] == "Open":
            self.rows[key] = row
        else:
            del self.rows[key]
        return row

    def items(self, rows: Any, *, snapshot: bool) -> Any:
        return {"item": rows, "snapshot": snapshot}

    def restate(self) -> list[Sent]:
        return [self.item(self.whole(), full=True)] if self.invocations else []

    def figures(self, row: Any) -> Any:
        side = "long" if row["side"] == "Buy" else "short"
        return side, Decimal(row["positionLotAmount"]), Decimal(row["unrealizedPnlTotalInRAT"])

    def shown(self, record: Any) -> tuple[Any, Any]:
        return record.position_id, (record.side, record.size, record.unrealized_pnl)


class HubBalance(HubRows):
    """`FullBalance`: no times, so only what is unreadable can be noticed; the latest may come twice."""

    stream = "balance"
    key = "assetId"
    can = frozenset({"garble"})
    ASSETS = ("eur", "usd", "btc")

    def _happen(self) -> dict[str, Any]:
        asset = self.random.choice(self.ASSETS)
        total = self.random.randint(0, 999)
        locked = self.random.randint(0, total)
        row = {"assetId": asset, "total": str(total), "available": str(total - locked), "locked": str(locked)}
        self.rows[asset] = row
        return row

    def figures(self, row: Any) -> Any:
        return tuple(Decimal(row[name]) for name in ("total", "available", "locked"))

    def shown(self, record: Any) -> tuple[Any, Any]:
        return record.asset, (record.total, record.available, record.locked)


class HubMargin(Single, Hub):
    """`MarginData`: the whole margin each time, without a time."""

    stream = "margin"
    can = frozenset({"lose", "garble"})

    def first(self) -> Any:
        self.margin = {"marginBalanceInRAT": "100", "unrealizedPnlInRAT": "0", "equityInRAT": "100",
                       "usedMarginInRAT": "0", "freeMarginInRAT": "100", "marginLevel": None}  # fmt: skip
        return self.view()

    def view(self) -> Any:
        names = ("marginBalanceInRAT", "equityInRAT", "usedMarginInRAT", "freeMarginInRAT")
        return tuple(Decimal(str(self.margin[name])) for name in names)

    def whole(self) -> Any:
        return dict(self.margin)

    def change(self) -> list[Sent]:
        balance, gain, used = (self.random.randint(*span) for span in ((500, 999), (-99, 99), (1, 99)))
        equity = balance + gain
        self.margin = {"marginBalanceInRAT": str(balance), "unrealizedPnlInRAT": str(gain), "equityInRAT": str(equity),
                       "usedMarginInRAT": str(used), "freeMarginInRAT": str(equity - used),
                       "marginLevel": f"{equity / used:.4f}"}  # fmt: skip
        self.history.append(self.view())
        return [self.item(self.whole(), full=True)] if self.invocations else []

    def figures(self, record: Any) -> tuple[Any, ...]:
        return record.balance, record.equity, record.used, record.free


class HubClosed(HubRows):
    """`ClosePositionsOrders`: what was closed; such a row changes, and never goes. There are no times."""

    stream = "closed"
    key = "orderId"
    can = frozenset({"garble"})

    def _happen(self) -> dict[str, Any]:
        random = self.random
        if len(self.rows) < 2 or (len(self.rows) < 12 and random.random() < 0.6):
            key, self.next_id = f"01J{self.next_id}", self.next_id + 1
            row: dict[str, Any] = {"orderId": key, "positionId": f"01P{random.randint(1, 3)}", "marketId": MARKET,
                                   "side": random.choice(("Buy", "Sell")), "openPrice": "0.96", "closePrice": "0.93",
                                   "positionCloseLotAmount": str(random.randint(1, 99))}  # fmt: skip
        else:
            row = dict(self.rows[random.choice(sorted(self.rows))])
        row["realizedPnlInRAT"] = str(random.randint(-99, 99))
        self.rows[row["orderId"]] = row
        return row

    def figures(self, row: Any) -> Any:
        side = "long" if row["side"] == "Sell" else "short"  # the closing order's is the other one
        return row["positionId"], side, Decimal(row["positionCloseLotAmount"]), Decimal(row["realizedPnlInRAT"])

    def shown(self, record: Any) -> tuple[Any, Any]:
        return record.order_id, (record.position_id, record.side, record.size, record.realized_pnl)


class HubCandles(Candles, Hub):
    """`Chart`: the whole candle each time, without a volume and without a time of its own."""

    symbols = (MARKET,)
    can = frozenset({"lose", "garble", "restate"})
    volumes = False
    clock_may_step = False

    def whole(self) -> Any:
        start, figures = self.history[-1]
        begins, ends = (datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
                        for at in (start, start + LENGTH))  # fmt: skip
        prices = dict(zip(("open", "high", "low", "close"), map(str, figures[:4]), strict=True))
        return {"instrument": MARKET, **prices, "start": begins, "end": ends}

    def restate(self) -> list[Sent]:
        return [self.item(self.whole(), full=True)] if self.invocations else []
