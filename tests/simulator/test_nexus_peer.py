"""One connection to the simulated Nexus, message by message, in a market in which only happens what the test says."""

from __future__ import annotations

import json
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from venues.nexus.simulator import endpoint
from venues.nexus.simulator.endpoint import Nexus, _BookText
from venues.simulator.endpoint import Answer, Handshake
from venues.simulator.market_events import BookChange, Fill, Holding, Level, OrderUpdate, Trade

from .plays import Link
from .test_venue_parts import NOW, Taped

SYMBOL, KEY = "SPOT_BTC_USDT", "sim-nexus-client-key"
ONE, TWO = Decimal(1), Decimal(2)


class Talk:
    def __init__(self, symbol: str = SYMBOL) -> None:
        self.taped = Taped()
        self.joined: list[str] = []
        self.taped.world.joined = self.joined.append  # type: ignore[method-assign]
        self.venue = Nexus(self.taped.world)
        self.link = Link(self.taped.world.clock)  # type: ignore[arg-type]
        (admit,) = self.venue.sockets().values()
        connect: Any = admit(Handshake({"key": KEY, "symbol": symbol}, {}, {}))
        self.peer = connect(self.link)
        self.peer.opened()

    def told(self) -> list[Any]:
        """What has been sent since the last time: events, and then the book if it has changed."""
        self.link.step()
        frames = [data for _, data in self.link.frames]
        self.link.frames.clear()
        return [json.loads(data) for data in frames]

    def emit(self, *events: Any) -> list[Any]:
        for event in events:
            self.taped.world.stage.emit(event)
        return self.told()


def book(asks: Any, bids: Any, symbol: str = SYMBOL) -> dict[str, Any]:
    sides = {
        name: [{"price": price, "quantity": size} for price, size in rows]
        for name, rows in (("asks", asks), ("bids", bids))
    }
    return {"event": "BOOK", "symbol": symbol, "timestamp": NOW, "data": sides}


@pytest.mark.parametrize(
    ("key", "symbol", "status", "said"),
    [
        ("x", SYMBOL, 401, "unknown client key\n"),
        ("x", "X", 401, "unknown client key\n"),
        (KEY, "X", 404, "unknown symbol 'X'; there are SPOT_BTC_USDT, SPOT_ETH_USDT, SPOT_SOL_USDT\n"),
    ],
)
def test_who_is_not_let_in(key: str, symbol: str, status: int, said: str) -> None:
    (admit,) = Nexus(Taped().world).sockets().values()
    answer = admit(Handshake({"key": key, "symbol": symbol}, {}, {}))
    assert isinstance(answer, Answer)
    assert (answer.status, answer.text) == (status, said)


def test_the_whole_book_comes_at_once_and_whenever_it_has_changed() -> None:
    """The asks and the bids both from the highest price down."""
    talk = Talk()
    assert talk.joined == ["BTC_USDT"]
    assert talk.told() == [book([(10, 2)], [(9, 1)])]
    assert talk.told() == []
    talk.taped.book([("8", "3")], [("11", "4"), ("10", "5")])
    assert talk.told() == [book([(11, 4), (10, 5)], [(9, 1), (8, 3)])]
    talk.peer.closed()
    talk.taped.book([("8", "0")], [])
    assert talk.told() == [], "who has gone hears nothing any more"
    assert [talk.peer.farewell(reconnect=one) for one in (True, False)] == [b"", b""]
    assert talk.peer.gap() is None


def test_events_of_the_market_come_and_of_no_other() -> None:
    talk = Talk()
    talk.told()
    order = OrderUpdate("BTC_USDT", 7, 3, "sell", "limit", TWO, ONE, ONE, TWO, "filled", 5, TWO, ONE)
    events = [
        Trade("BTC_USDT", 7, 1, TWO, ONE, "buy"),
        Fill("BTC_USDT", 7, 2, 3, TWO, ONE, "sell"),
        order,
        Holding("BTC_USDT", 7, -ONE),
    ]
    order_row = {
        "symbol": SYMBOL,
        "order_type": "LIMIT",
        "order_price": 2,
        "order_quantity": 1,
        "order_id": 3,
        "executed_price": 2,
        "executed_quantity": 1,
        "aggregated_executed_quantity": 1,
        "side": "SELL",
        "status": "FILLED",
    }
    fill = {
        "id": 2,
        "symbol": SYMBOL,
        "order_id": 3,
        "executed_price": 2,
        "executed_quantity": 1,
        "side": "SELL",
    }
    assert talk.emit(*events) == [
        {"event": "TRADE", "symbol": SYMBOL, "timestamp": 7, "data": {"price": 2, "quantity": 1, "side": "BUY"}},
        {"event": "TRANSACTION", "timestamp": 7, "data": fill},
        {"event": "ORDER_UPDATE", "timestamp": 7, "data": order_row},
        {"event": "POSITIONS", "timestamp": 7, "data": {"positions": {SYMBOL: {"holding": -1}}}},
    ]
    assert talk.emit(Trade("ETH_USDT", 7, 1, TWO, ONE, "buy"), BookChange("ETH_USDT", 7)) == []
    market = OrderUpdate("BTC_USDT", 7, 3, "buy", "market", None, ONE, Decimal(0), Decimal(0), "new", 5, ONE, ONE)
    ((row),) = [one["data"] for one in talk.emit(market)]
    assert (row["order_price"], row["order_type"], row["side"]) == (0, "MARKET", "BUY")
    assert row["status"] != order_row["status"]


@pytest.mark.parametrize(
    ("frame", "answer"),
    [
        ('{"event":"PING"}', {"event": "PING", "timestamp": NOW}),
        ('{"event":"ping"}', {"event": "pong", "ts": NOW}),
        ('{"event":"Ping"}', None),
        ("x", None),
        (b"\xff", None),
        ("[" * 9_999, None),
    ],
)
def test_two_kinds_of_ping_are_answered(frame: str | bytes, answer: Any) -> None:
    talk = Talk()
    talk.told()
    talk.peer.receive(frame)
    assert talk.told() == ([] if answer is None else [answer])


class Market:
    """A market of one ask and so many bids, which notes how often it is looked at."""

    def __init__(self, bids: int = 1) -> None:
        self.changes = 0
        self.looks = 0
        self.bids = [Level(Decimal(9 - number), ONE, 1) for number in range(bids)]

    def levels(self, side: str) -> list[Level]:
        self.looks += 1
        return [Level(Decimal(10), ONE, 1)] if side == "sell" else self.bids


def test_a_book_is_written_once_for_all_who_hear_it() -> None:
    times = iter((1, 2, 3))
    market = Market()
    text = _BookText("A", market, lambda: next(times))  # type: ignore[arg-type]
    assert [json.loads(text.now())["timestamp"] for _ in range(2)] == [1, 2]
    assert market.looks == 2, "at each side once"
    market.changes = 1
    market.bids = []
    assert json.loads(text.now())["data"]["bids"] == []
    assert market.looks == 4


@pytest.mark.parametrize(("most", "rows"), [(3, 4), (2, 2)])
def test_what_was_written_of_levels_is_forgotten_when_it_is_too_much(
    most: int, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is more than that of what was shown before."""
    monkeypatch.setattr(endpoint, "_MOST_ROWS", most)
    market = Market(bids=2)
    text = _BookText("A", market, lambda: 1)  # type: ignore[arg-type]
    asks = SimpleNamespace(kept=[Level(Decimal(10), ONE, 1)])
    market.levels = lambda side: asks.kept if side == "sell" else market.bids  # type: ignore[method-assign]
    text.now()
    assert len(text._rows) == 3
    market.changes, market.bids = 1, [Level(Decimal(5), ONE, 1)]
    text.now()
    assert len(text._rows) == rows
