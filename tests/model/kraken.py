"""Kraken as its document speaks: channels that are acknowledged, a checksum on each book message, ids on trades."""

from __future__ import annotations

import json
from abc import abstractmethod
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zlib import crc32

from tests.model.books import BestPrices, BookSpeaker, Side, changed
from tests.model.candles import LENGTH, Candles
from tests.model.clock import VirtualClock
from tests.model.speaker import Event, EventSpeaker, Sent, Single, Speaker

SYMBOL = "BTC/USD"
DEPTH = 10


def text(message: Any) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode()


def price_of(ticks: int) -> str:
    return f"{ticks / 10:.1f}"


def size_of(lots: int) -> str:
    return f"{lots / 1000:.8f}"


def checksum(bids: Side, asks: Side) -> int:
    """CRC32 of the digits of the ten best asks, then bids: price and size without point and leading zeros."""
    digits = "".join(
        figure.replace(".", "").lstrip("0")
        for side in (asks, bids)
        for price, size in side[:DEPTH]
        for figure in (price_of(price), size_of(size))
    )
    return crc32(digits.encode())


def rows(levels: Side) -> str:
    return ",".join(f'{{"price":{price_of(price)},"qty":{size_of(size)}}}' for price, size in levels)


class Kraken(Speaker):
    """What all channels share: acknowledgements, heartbeats, the list of pairs."""

    venue = "kraken"
    symbols = (SYMBOL,)
    channel: str
    beat_every = 1.0

    def __init__(self, clock: VirtualClock, random: Any) -> None:
        self.subscribed = False
        super().__init__(clock, random)

    def connected(self) -> list[Sent]:
        self.subscribed = False
        self.connections += 1
        status = {"version": "2.0.10", "system": "online", "api_version": "v2", "connection_id": self.connections}
        return [Sent(text({"channel": "status", "type": "update", "data": [status]}))]

    def beat(self) -> list[Sent]:
        return [Sent(b'{"channel":"heartbeat"}')]

    def heard(self, text_: str) -> list[Sent]:
        asked = json.loads(text_)
        method, number = asked["method"], asked["req_id"]
        if method == "ping":
            return [Sent(text({"method": "pong", "req_id": number}))]
        params = asked["params"]
        if params["channel"] == "instrument":
            pair = {"symbol": SYMBOL, "status": "online", "price_precision": 1, "qty_precision": 8}
            return [
                self._accepted(method, {"channel": "instrument", "snapshot": True}, number),
                Sent(text({"channel": "instrument", "type": "snapshot", "data": {"assets": [], "pairs": [pair]}})),
            ]
        if method == "unsubscribe":
            self.subscribed = False
            return [self._accepted(method, {"channel": self.channel, "symbol": SYMBOL}, number)]
        if self.subscribed:
            return [
                Sent(
                    text({"method": method, "success": False, "error": "Already subscribed", "symbol": SYMBOL,
                          "req_id": number})
                )
            ]  # fmt: skip
        self.subscribed = True
        return [self._accepted(method, self.result(params), number), *self.whole()]

    def result(self, params: Any) -> dict[str, Any]:
        return {"channel": self.channel, "symbol": SYMBOL, "snapshot": True}

    @abstractmethod
    def whole(self) -> list[Sent]:
        """What comes right after a subscription is accepted."""

    def _accepted(self, method: str, result: dict[str, Any], number: int) -> Sent:
        return Sent(text({"method": method, "result": result, "success": True, "req_id": number}))


class KrakenBook(BookSpeaker, Kraken):
    """`book`, depth 10: every level that counts is in the checksum, so whatever is lost can be noticed."""

    tick, lot = Decimal("0.1"), Decimal("0.001")
    channel = "book"
    can = frozenset({"lose", "late", "repeat", "garble", "late whole"})

    def __init__(self, clock: VirtualClock, random: Any) -> None:
        super().__init__(clock, random)
        self.best = self.book.best(DEPTH)

    def result(self, params: Any) -> dict[str, Any]:
        assert params["depth"] == DEPTH
        return {**super().result(params), "depth": DEPTH}

    def whole(self) -> list[Sent]:
        return [self._message("snapshot", *self.best)._replace(full=True)]

    def change(self) -> list[Sent]:
        before = self.best
        self.book.mutate()
        self.best = self.book.best(DEPTH)
        if before == self.best:
            return []
        self.history.append(self.view())
        if not self.subscribed:
            return []
        bids = changed(before[0], self.best[0], self.book.bids)
        asks = changed(before[1], self.best[1], self.book.asks)
        return [self._message("update", bids, asks)]

    def _message(self, kind: str, bids: Side, asks: Side) -> Sent:
        body = (
            f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"{SYMBOL}","bids":[{rows(bids)}],'
            f'"asks":[{rows(asks)}],"checksum":{checksum(*self.best)},"timestamp":"{self.clock.venue_iso()}"}}]}}'
        )
        return Sent(body.encode(), self.version, is_data=True)


class KrakenQuotes(BestPrices, KrakenBook):
    """`quotes`, made from the book."""


class KrakenTrades(EventSpeaker, Kraken):
    """`trade`: ids count up by one; the latest come first on each subscription."""

    stream = "trades"
    channel = "trade"
    ids = True
    says_missing = True
    can = frozenset({"lose", "repeat", "garble"})

    def __init__(self, clock: VirtualClock, random: Any) -> None:
        self.trades: list[tuple[int, str, str, str, str]] = []
        super().__init__(clock, random)

    def first(self) -> Any:
        for _ in range(3):
            self._trade()
        return None

    def whole(self) -> list[Sent]:
        latest = self.trades[-20:]
        return [self._message("snapshot", latest)._replace(full=True)]

    def change(self) -> list[Sent]:
        count = self.random.choice((1, 1, 1, 3))
        for _ in range(count):
            self._trade()
        return [self._message("update", self.trades[-count:])] if self.subscribed else []

    def _trade(self) -> None:
        size = f"{self.random.randint(1, 9999) / 10000:.8f}"
        price = price_of(self.random.randint(9000, 9999))
        side = self.random.choice(("buy", "sell"))
        self.trades.append((100 + len(self.trades), price, size, side, self.clock.venue_iso()))

    def _message(self, kind: str, trades: Any) -> Sent:
        data = ",".join(
            f'{{"symbol":"{SYMBOL}","side":"{side}","price":{price},"qty":{size},"ord_type":"limit",'
            f'"trade_id":{number},"timestamp":"{time}"}}'
            for number, price, size, side, time in trades
        )
        body = f'{{"channel":"trade","type":"{kind}","data":[{data}]}}'
        told = tuple(
            Event(str(number), number, (str(number), Decimal(price), Decimal(size), side))
            for number, price, size, side, _ in trades
        )
        return Sent(body.encode(), events=told, is_data=True)

    def shown(self, record: Any) -> tuple[Any, ...]:
        return record.trade_id, record.price, record.size, record.side


class KrakenTicker(Single, Kraken):
    """`ticker`: the last 24 hours, whole each time, with its time."""

    stream = "ticker"
    channel = "ticker"
    can = frozenset({"lose", "late", "repeat", "garble", "restate", "late whole"})

    def first(self) -> Any:
        return self._drawn()

    def _drawn(self) -> Any:
        low, last, high = sorted(self.random.randint(9000, 9999) for _ in range(3))
        return tuple(Decimal(figure) / 10 for figure in (last, high, low, self.random.randint(-99, 99)))

    def whole(self) -> list[Sent]:
        return [self._message("snapshot")]

    def restate(self) -> list[Sent]:
        return [self._message("update")] if self.subscribed else []

    def change(self) -> list[Sent]:
        self.history.append(self._drawn())
        return self.restate()

    def _message(self, kind: str) -> Sent:
        figures = dict(zip(("last", "high", "low", "change"), map(float, self.history[-1]), strict=True))
        row = {"symbol": SYMBOL, "bid": 899.0, "bid_qty": 1.0, "ask": 1000.5, "ask_qty": 2.0, "volume": 3.5,
               "vwap": 950.0, "change_pct": 0.1, "timestamp": self.clock.venue_iso(), **figures}  # fmt: skip
        return Sent(text({"channel": "ticker", "type": kind, "data": [row]}), self.version, full=True, is_data=True)

    def figures(self, record: Any) -> tuple[Any, ...]:
        return record.last, record.high, record.low, record.change


class KrakenCandles(Candles, Kraken):
    """`ohlc`: the whole candle each time, with the message's time; no two are of the same millisecond, since `mon`
    compares the times of candles by those."""

    channel = "ohlc"

    def whole(self) -> list[Sent]:
        return [self._message("snapshot")]

    def restate(self) -> list[Sent]:
        return [self._message("update")] if self.subscribed else []

    def _message(self, kind: str) -> Sent:
        start, figures = self.history[-1]
        begins, ends = (datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.000000000Z")
                        for at in (start, start + LENGTH))  # fmt: skip
        names = ("open", "high", "low", "close", "volume")
        row = {"symbol": SYMBOL, **dict(zip(names, map(float, figures), strict=True)), "trades": 3, "vwap": 950.0,
               "interval_begin": begins, "interval": 1, "timestamp": ends}  # fmt: skip
        body = {"channel": "ohlc", "type": kind, "timestamp": self.clock.venue_iso(apart=1000), "data": [row]}
        return Sent(text(body), self.version, full=True, is_data=True)
