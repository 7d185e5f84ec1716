"""One conversation with the simulated JayX, event by event, in a world in which nothing happens by itself."""

from __future__ import annotations

import json
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from venues.jayx.simulator import endpoint
from venues.jayx.simulator.endpoint import JayX, _whole_number, _Wrong
from venues.jayx.simulator.market import INTERVALS
from venues.simulator import ManualClock
from venues.simulator.endpoint import Handshake
from venues.simulator.faults import BAD_NUMBERS
from venues.simulator.market_events import BookChange, OrderUpdate, Trade
from venues.simulator.world import World

from .plays import Link

KEY = "sim-jayx-api-key"
SYMBOLS = "BTCUSDT, ETHUSDT, SOLUSDT"
KNOWN = ", ".join(map(str, INTERVALS))


class Talk:
    def __init__(self) -> None:
        self.clock = ManualClock(1_700_000_040_000)  # the beginning of a minute
        self.world = World(self.clock, seed=1, rate=0)
        self.venue = JayX(self.world)
        self.join()

    def join(self) -> None:
        """Another client, with which the talk goes on."""
        self.link = Link(self.clock)
        connect: Any = self.venue.sockets()[""](Handshake({}, {}, {}))
        self.peer = connect(self.link)
        self.peer.opened()

    def ask(self, event: str, data: Any = None) -> list[tuple[str, Any]]:
        self.link.frames.clear()
        self.peer.receive(json.dumps({"event": event, "data": data}))
        return self.told()

    def told(self) -> list[tuple[str, Any]]:
        """What has been told since the last time: events, and how it ended."""
        self.link.step()
        texts = [data.decode() for _, data in self.link.frames]
        self.link.frames.clear()
        found = [json.loads(text) if text.startswith("{") else {"event": "end", "data": text} for text in texts]
        return [(one["event"], one["data"]) for one in found]

    def trade(self, price: str, size: str = "0.0003", market: str = "BTC_USDT", after: int = 0) -> None:
        time = 1_700_000_040_000 + after
        self.world.stage.emit(Trade(market, time, 1, Decimal(price), Decimal(size), "buy"))

    def book(self, market: str = "BTC_USDT") -> None:
        self.world.stage.emit(BookChange(market, 0))


def rows(told: list[tuple[str, Any]]) -> list[tuple[str, int, int]]:
    """Candles: whether one was added or modified, when it began, and its last price."""
    assert {event for event, _ in told} <= {"kline"}
    return [
        (name, row["created"] - 1_700_000_040, row["c"])
        for _, data in told
        for name, row in data.items()
        if row is not None
    ]


@pytest.mark.parametrize(
    ("event", "data", "message"),
    [
        ("weather", {}, "unknown event 'weather'; there are kline, orderbook, positions, openorders"),
        ("w" * 50, {}, f"unknown event '{'w' * 40}'; there are kline, orderbook, positions, openorders"),
        ("kline", None, "expected an object with kline"),
        ("kline", [], "expected an object with kline"),
        ("kline", {"category": "x" * 50}, f"unknown category '{'x' * 40}'; there is spot"),
        ("kline", {"category": None, "symbol": "BTCUSDT"}, "unknown category 'None'; there is spot"),
        ("kline", {"category": "spot"}, f"unknown symbol 'None'; there are {SYMBOLS}"),
        ("kline", {"symbol": ["BTCUSDT"]}, f"unknown symbol \"['BTCUSDT']\"; there are {SYMBOLS}"),
        ("orderbook", {"symbol": "B" * 50}, f"unknown symbol '{'B' * 40}'; there are {SYMBOLS}"),
        ("kline", {"symbol": "BTCUSDT", "interval": 7}, f"unknown interval '7'; there are {KNOWN} (seconds)"),
        ("kline", {"symbol": "BTCUSDT", "interval": "0"}, "expected a whole number above 0 as interval, got '0'"),
        ("orderbook", {"symbol": "BTCUSDT", "precise": 1.5}, "expected a whole number above 0 as precise, got '1.5'"),
        ("openorders", {"apiKey": KEY, "symbol": "X"}, f"unknown symbol 'X'; there are {SYMBOLS}"),
    ],
)
def test_what_cannot_be_had_is_said_and_the_conversation_goes_on(event: str, data: Any, message: str) -> None:
    talk = Talk()
    assert talk.ask(event, data) == [("error", {"message": message})]
    assert [told for told, _ in talk.ask("positions", {"apiKey": KEY})] == ["positions"]


@pytest.mark.parametrize("event", ["positions", "openorders"])
@pytest.mark.parametrize("data", [{}, {"apiKey": "x"}, {"apiKey": None, "symbol": "BTCUSDT"}])
def test_a_stranger_is_put_out(event: str, data: dict[str, Any]) -> None:
    talk = Talk()
    assert talk.ask(event, data) == [("error", {"message": "unknown apiKey"}), ("end", "finish 1008 unknown apiKey")]


@pytest.mark.parametrize(
    ("given", "number"), [({}, 60), ({"n": 1}, 1), ({"n": "999999999"}, 999_999_999), ({"n": "10"}, 10)]
)
def test_whole_numbers_are_texts_or_numbers(given: dict[str, Any], number: int) -> None:
    assert _whole_number(given, "n", 60) == number


@pytest.mark.parametrize("given", ["1000000000", "01", " 1", "1 ", "-1", "", "1\n", None, True])
def test_what_is_no_whole_number(given: Any) -> None:
    with pytest.raises(_Wrong, match=r"^expected a whole number above 0 as n, got "):
        _whole_number({"n": given}, "n", 60)


def test_a_book_comes_at_once_and_when_it_has_changed_and_a_client_has_one() -> None:
    talk = Talk()
    ((event, first),) = talk.ask("orderbook", {"symbol": "BTCUSDT"})
    assert (event, first) == ("orderbook", talk.venue._markets["BTCUSDT"].orderbook(1))
    talk.book("ETH_USDT")
    assert talk.told() == []
    talk.book()
    assert talk.told() == [("orderbook", first)]
    talk.trade("65000")
    ((event, told),) = talk.told()
    assert [trade["ticks"] for trade in told["trades"]] == [6_500_000]
    ((_, grouped),) = talk.ask("orderbook", {"symbol": "ETHUSDT", "precise": "100"})
    assert grouped == talk.venue._markets["ETHUSDT"].orderbook(100)
    talk.book()
    assert talk.told() == []
    talk.book("ETH_USDT")
    assert talk.told() == [("orderbook", grouped)]


def test_candles_of_a_symbol_have_one_interval_and_begin_with_a_trade() -> None:
    talk = Talk()
    assert talk.ask("kline", {"symbol": "BTCUSDT"}) == [], "there was no trade"
    talk.trade("1")
    assert rows(talk.told()) == [("add", 0, 100)], "of a minute, unless it is told otherwise"
    talk.trade("2", after=59_999)
    assert rows(talk.told()) == [("modify", 0, 200)]
    talk.trade("2", market="ETH_USDT")
    assert talk.told() == []
    assert rows(talk.ask("kline", {"symbol": "BTCUSDT", "interval": "300"})) == [("modify", -240, 200)]
    talk.trade("3", after=60_000)
    assert rows(talk.told()) == [("add", 60, 300)]
    assert rows(talk.ask("kline", {"symbol": "BTCUSDT", "interval": 60})) == [("modify", 60, 300)]
    talk.join()
    assert rows(talk.ask("kline", {"symbol": "BTCUSDT", "interval": 60})) == [("modify", 60, 300)], "the current one"


def test_a_candle_that_has_changed_since_it_was_told_comes_once_more_before_the_next() -> None:
    talk = Talk()
    talk.ask("kline", {"symbol": "BTCUSDT", "interval": 60})
    talk.trade("1")
    talk.told()
    talk.trade("2", after=1_000)  # nobody has read it when the next one begins
    talk.trade("3", after=60_000)
    assert rows(talk.told()) == [("modify", 0, 200), ("add", 60, 300)]
    talk.trade("4", after=120_000)
    assert rows(talk.told()) == [("add", 120, 400)]


def test_balances_come_at_once_and_when_they_have_changed() -> None:
    talk = Talk()
    market: Any = talk.world.markets["BTC_USDT"]
    ((event, data),) = talk.ask("positions", {"apiKey": KEY})
    assert event == "positions"
    assert data == {
        "spot": [
            {"asset": "USDT", "balance": "1000000", "available": "1000000"},
            {"asset": "BTC", "balance": "2", "available": "2"},
            {"asset": "ETH", "balance": "40", "available": "40"},
            {"asset": "SOL", "balance": "800", "available": "800"},
        ]
    }
    talk.book()
    assert talk.told() == []
    talk.world.account.place(market, "sell", market.engine.best("sell") + 1, 5_000)
    ((_, data),) = talk.told()
    assert data["spot"][1] == {"asset": "BTC", "balance": "2", "available": "1.5"}
    assert [event for event, _ in talk.ask("positions", {"apiKey": KEY})] == ["positions"], "to whom asks again"


def test_open_orders_come_at_once_and_each_that_changes() -> None:
    talk = Talk()
    market: Any = talk.world.markets["BTC_USDT"]
    asked = {"apiKey": KEY, "symbol": "BTCUSDT"}
    assert talk.ask("openorders", asked) == [("openorders", {"cancel": [], "modify": []})]
    bid = market.engine.best("sell") - 1
    order = talk.world.account.place(market, "buy", bid, 3)
    assert order is not None
    row = {
        "id": 254_558,
        "type": "LIMIT",
        "state": "NEW",
        "side": "BUY",
        "resd": 3,
        "exec": 0,
        "cost": 0,
        "lastLots": None,
        "lastTicks": None,
        "created": 1_700_000_040_000,
        "modified": 1_700_000_040_000,
        "symbol": "BTCUSDT",
        "price": f"{bid / 100:.2f}".rstrip("0").rstrip("."),
        "quantity": "0.0003",
    }
    assert talk.told() == [("openorders", {"cancel": [], "modify": [row]})]
    market.market("sell", 1)
    row |= {"state": "TRADE", "resd": 2, "exec": 1, "cost": bid, "lastLots": 1, "lastTicks": bid}
    assert talk.told() == [("openorders", {"cancel": [], "modify": [row]})]
    assert talk.ask("openorders", asked) == [("openorders", {"cancel": [], "modify": [row]})]
    talk.world.account.cancel(order)
    assert talk.told() == [("openorders", {"cancel": [{**row, "state": "CANCEL"}], "modify": []})]
    assert talk.ask("openorders", asked) == [("openorders", {"cancel": [], "modify": []})]
    other: Any = talk.world.markets["ETH_USDT"]
    talk.world.account.place(other, "buy", 1, 3)
    assert talk.told() == []
    assert talk.ask("openorders", {**asked, "symbol": "ETHUSDT"})[0][1]["modify"][0]["symbol"] == "ETHUSDT"
    talk.world.account.take(market, "buy", 1)
    told = [data["modify"][0] for _, data in talk.told()]
    assert [(one["type"], one["state"], one["price"], one["resd"]) for one in told] == [
        ("MARKET", "NEW", "0", 1),
        ("MARKET", "TRADE", "0", 0),
    ]


def test_who_has_gone_is_told_nothing() -> None:
    talk = Talk()
    talk.ask("openorders", {"apiKey": KEY, "symbol": "BTCUSDT"})
    talk.peer.closed()
    zero = Decimal(0)
    update = OrderUpdate("BTC_USDT", 1, 1, "buy", "limit", None, zero, zero, zero, "new", 1, zero, zero)
    talk.world.stage.emit(update)
    assert talk.told() == []


def test_a_configuration_needs_the_steps_of_the_markets() -> None:
    steps = {"tick_size": "0.01", "lot_size": "0.0001"}
    assert JayX.values(None) == JayX.values(Talk().world)
    assert JayX.values(None)["symbols"]["BTCUSDT"] == steps


def test_the_world_hears_which_markets_a_client_comes_to(monkeypatch: pytest.MonkeyPatch) -> None:
    talk, heard = Talk(), list[str]()
    monkeypatch.setattr(talk.world, "joined", heard.append)
    talk.ask("kline", {"symbol": "ETHUSDT"})
    talk.ask("orderbook", {"symbol": "BTCUSDT"})
    talk.ask("positions", {"apiKey": KEY})
    talk.ask("openorders", {"apiKey": KEY, "symbol": "SOLUSDT"})
    assert heard == ["ETH_USDT", "BTC_USDT"]


def test_who_has_gone_is_looked_for_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    talk = Talk()
    asked: list[str] = []
    monkeypatch.setattr(endpoint._Session, "_traded", lambda self, market: asked.append(market))
    talk.trade("65000")
    assert asked == ["BTC_USDT"]
    talk.peer.closed()
    talk.trade("65000")
    assert asked == ["BTC_USDT"]


def test_one_who_goes_before_the_conversation_has_begun_is_let_go() -> None:
    world = World(ManualClock(), seed=1, rate=0)
    session = JayX(world)._enter(SimpleNamespace())  # type: ignore[arg-type]
    session.closed()


def test_bad_events_are_of_each_stream_with_each_bad_number() -> None:
    frames = [*Talk().peer.garbage()][4:]
    names = [frame.partition(b'"event":"')[2].partition(b'"')[0].decode() for frame in frames]
    numbers = [*BAD_NUMBERS, "1.5", "-1", "true"]
    streams = ["orderbook", "kline", "openorders", "positions"]
    assert names == ["orderbook", "orderbook", "openorders", "positions", "kline", *streams * len(numbers), "weather"]
    for at, number in enumerate(numbers):
        found = frames[5 + 4 * at : 9 + 4 * at]
        assert [frame.count(f":{number}".encode()) >= 1 for frame in found] == [True] * 4, number
    assert frames[0] == b'{"event":"orderbook","data":{"orderBook":{"asks":"none","bids":[[1,2]]},"trades":{}}}'
    assert frames[1] == b'{"event":"orderbook","data":{"orderBook":{"asks":[]}'
    assert b'"state":"LOST"' in frames[2]
    assert b'"symbol":"BTCUSDT"' in frames[2]
    assert frames[3] == b'{"event":"positions","data":{"spot":[{"asset":7}]}}'
    assert frames[4] == b'{"event":"kline","data":{"add":[],"modify":null}}'
    assert frames[-1] == b'{"event":"weather","data":{"rain":true}}'


def test_a_candle_that_has_been_told_is_told_when_it_has_changed() -> None:
    talk = Talk()
    kline = endpoint._Kline(talk.venue._markets["BTCUSDT"], 60)
    assert kline.modified() is None, "without a trade there is none"
    talk.trade("65000")
    told = kline.modified()
    assert told is not None
    assert (told["add"], told["modify"]["c"]) == (None, 6_500_000)
    assert kline.modified() is None
    talk.trade("65001", after=1)
    assert kline.modified() is not None


def test_the_last_fill_of_an_order_is_kept_while_it_is_open() -> None:
    talk = Talk()
    rows = talk.venue._account
    zero, one, two = Decimal(0), Decimal(1), Decimal(2)

    def update(order: int, status: Any, filled: Decimal, executed: Decimal) -> None:
        told = OrderUpdate("BTC_USDT", 1, order, "buy", "limit", one, two, filled, filled, status, 1, one, executed)
        talk.world.stage.emit(told)

    update(1, "new", zero, zero)
    assert rows._last == {}
    update(1, "partially_filled", one, one)
    update(2, "partially_filled", one, one)
    assert [*rows._last] == [1, 2]
    update(1, "filled", two, one)
    update(2, "cancelled", one, zero)
    assert rows._last == {}
