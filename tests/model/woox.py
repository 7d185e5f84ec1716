"""WOO X as its document speaks: topics, a chain of book changes, the book's snapshot over HTTP."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from tests.model.books import BookSpeaker, changed
from tests.model.candles import LENGTH, Candles
from tests.model.speaker import Sent, Single, Speaker, TradeSpeaker, drawn_trade
from venues.venue import HttpRequest, HttpResponse

SYMBOL = "SPOT_BTC_USDT"
OLDEST_SNAPSHOT = 50_000  # milliseconds since it was replaced; measured are 10 s and less


class WooX(Speaker):
    """Topics that are acknowledged by a list."""

    venue = "woox"
    symbols = (SYMBOL,)
    topic: str
    rest_url = "https://api.venue.example"

    def __init__(self, clock: Any, random: Any) -> None:
        self.subscribed = False
        super().__init__(clock, random)

    def connected(self) -> list[Sent]:
        self.subscribed = False
        self.connections += 1
        return []

    def heard(self, text: str) -> list[Sent]:
        asked = json.loads(text)
        if asked["cmd"] == "PING":
            return [Sent(json.dumps({"cmd": "PONG", "ts": self.clock.venue_ms}).encode())]
        self.subscribed = asked["cmd"] == "SUBSCRIBE"
        answer = {
            "id": asked["id"],
            "cmd": asked["cmd"],
            "success": True,
            "time": self.clock.venue_ms,
            "data": asked["params"],
        }
        return [Sent(json.dumps(answer).encode()), *(self.begun() if self.subscribed else [])]

    def begun(self) -> list[Sent]:
        return []

    def message(self, at: int, data: Any, **fields: Any) -> Sent:
        body = {"topic": self.topic, "ts": at, "data": {"s": SYMBOL, "ts": at, **data}}
        return Sent(json.dumps(body).encode(), is_data=True, **fields)


class WooXBook(BookSpeaker, WooX):
    """`orderbookupdate`: each change names the time of the one before it; the snapshot has the time of one of them."""

    tick, lot = Decimal("0.01"), Decimal("0.001")
    topic = f"orderbookupdate@{SYMBOL}@50"
    can = frozenset({"lose", "late", "repeat", "garble"})

    def __init__(self, clock: Any, random: Any) -> None:
        super().__init__(clock, random)
        self.last = self.stamp()
        self.times = [self.last]
        self.sides = [self.book.best(50)]

    def change(self) -> list[Sent]:
        before = self.book.best(50)
        self.book.mutate()
        after = self.book.best(50)
        if before == after:
            return []
        self.history.append(self.view())
        previous, self.last = self.last, self.stamp()
        self.times.append(self.last)
        self.sides.append(after)
        if not self.subscribed:
            return []
        bids, asks = (
            [[str(Decimal(p) / 100), str(Decimal(s) / 1000)] for p, s in changed(old, new, dict(new))]
            for old, new in zip(before, after, strict=True)
        )
        return [self.message(self.last, {"bids": bids, "asks": asks, "prevTs": previous}, version=self.version)]

    def fetched(self, request: HttpRequest) -> tuple[HttpResponse, int]:
        """The snapshot, now and then an older one, as the venue's cache gives it; never of more than a minute ago."""
        back = self.random.choice((0, 0, 0, 0, 1, 2, 5))
        version = max(0, self.version - back)
        while version < self.version and self.clock.venue_ms - self.times[version + 1] > OLDEST_SNAPSHOT:
            version += 1
        bids, asks = (
            [{"price": str(Decimal(p) / 100), "quantity": str(Decimal(s) / 1000)} for p, s in side]
            for side in self.sides[version]
        )
        body = {"success": True, "timestamp": self.times[version], "data": {"bids": bids, "asks": asks}}
        return HttpResponse(200, json.dumps(body).encode()), version


class WooXQuotes(Single, WooX):
    """`bbo`: the best prices; one that comes late is told by its time."""

    stream = "quotes"
    topic = f"bbo@{SYMBOL}"
    can = frozenset({"lose", "late", "repeat", "garble", "restate", "late whole"})

    def first(self) -> Any:
        return (Decimal(99), Decimal(1), Decimal(101), Decimal(1))

    def begun(self) -> list[Sent]:
        return self.restate()

    def restate(self) -> list[Sent]:
        if not self.subscribed:
            return []
        bid, bid_size, ask, ask_size = map(str, self.history[-1])
        figures = {"bp": bid, "bq": bid_size, "ap": ask, "aq": ask_size}
        return [self.message(self.stamp(), figures, version=self.version, full=True)]

    def change(self) -> list[Sent]:
        mid = self.random.randint(900, 999)
        figures = (mid - self.random.randint(1, 9), self.random.randint(1, 9), mid + 1, self.random.randint(1, 9))
        self.history.append(tuple(Decimal(figure) / 10 for figure in figures))
        return self.restate()

    def figures(self, record: Any) -> tuple[Any, ...]:
        return record.bid_price, record.bid_size, record.ask_price, record.ask_size


class WooXTrades(TradeSpeaker, WooX):
    """`trade`: without ids."""

    topic = f"trade@{SYMBOL}"

    def change(self) -> list[Sent]:
        price, size, side = trade = drawn_trade(self.random)
        data = {"px": str(price), "sx": str(size), "sd": side.upper(), "src": 0, "rpi": False}
        event = self.happened(*trade)
        return [self.message(self.stamp(), data, events=(event,))] if self.subscribed else []


class WooXTicker(Single, WooX):
    """`ticker`: the last 24 hours, whole each time, with its time."""

    stream = "ticker"
    topic = f"ticker@{SYMBOL}"
    can = frozenset({"lose", "late", "repeat", "garble", "restate", "late whole"})

    def first(self) -> Any:
        return (Decimal(95), Decimal(96), Decimal(94))

    def restate(self) -> list[Sent]:
        if not self.subscribed:
            return []
        last, high, low = map(str, self.history[-1])
        figures = {"o": low, "h": high, "l": low, "c": last, "v": "12.5", "a": "1200"}
        return [self.message(self.stamp(), figures, version=self.version, full=True)]

    def change(self) -> list[Sent]:
        low, last, high = sorted(self.random.randint(9000, 9999) for _ in range(3))
        self.history.append(tuple(Decimal(figure) / 100 for figure in (last, high, low)))
        return self.restate()

    def figures(self, record: Any) -> tuple[Any, ...]:
        return record.last, record.high, record.low


class WooXCandles(Candles, WooX):
    """`kline`: the whole candle each time, with the message's time."""

    topic = f"kline@{SYMBOL}@1m"

    def restate(self) -> list[Sent]:
        if not self.subscribed:
            return []
        start, figures = self.history[-1]
        data = dict(zip(("o", "h", "l", "c", "v"), map(str, figures), strict=True))
        times = {"t": "1m", "st": start, "et": start + LENGTH}
        return [self.message(self.stamp(), {**data, **times}, version=self.version, full=True)]
