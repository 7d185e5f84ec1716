"""The simulated WOO X: what it acknowledges, how its books are chained, what is in them, and when it cuts a client."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import ClientSession
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError

from tests import simulated
from tests.tapes import TAPES, needs_tapes
from tests.wooxwire import STEP, Venue, Wire
from venues.simulator import ManualClock, parse_fault
from venues.simulator.market_events import Level
from venues.woox import WOOX
from venues.woox.simulator import figures
from venues.woox.simulator.books import _SIDES, BookFeed, Steps
from venues.woox.simulator.endpoint import WooX
from venues.woox.simulator.quiet import QuietMarket


class Simulator(simulated.Simulator):
    venue = "woox"


if TYPE_CHECKING:
    from collections.abc import Coroutine

BTC, PERP = "SPOT_BTC_USDT", "PERP_BTC_USDT"
ALL = tuple(WooX.symbols)


class Socket:
    """A client of the venue, without a session."""

    def __init__(self, venue: Venue, *topics: str) -> None:
        self.venue = venue
        self.got: list[dict[str, Any]] = []
        self.wire, self.peer = venue.connect()
        if topics:
            self.send(cmd="SUBSCRIBE", id="1", params=[*topics])

    def send(self, **command: Any) -> list[dict[str, Any]]:
        return self.text(json.dumps(command))

    def text(self, text: str | bytes) -> list[dict[str, Any]]:
        self.wire.heard = self.venue.now()
        before = len(self.got)
        self.peer.receive(text)
        self.take()
        return self.got[before:]

    def take(self) -> None:
        self.got += [json.loads(data) for data in self.wire.taken()]

    def data(self, topic: str) -> list[dict[str, Any]]:
        return [one["data"] for one in self.got if one.get("topic") == topic]


def run(venue: Venue, seconds: float, *sockets: Socket) -> None:
    for _ in range(round(seconds * 1000 / STEP)):
        venue.advance(STEP)
        for socket in sockets:
            socket.wire.pass_time()
            socket.take()


# --- commands ------------------------------------------------------------------------------------------------------


def test_a_hundred_and_fifty_symbols_of_the_right_form() -> None:
    assert len(ALL) == 150
    for symbol in ALL:
        WOOX.check_symbol(symbol)


def test_what_is_refused_is_only_missing() -> None:
    socket = Socket(Venue())
    asked = [f"bbo@{BTC}", "bbo@SPOT_NOPE_USDT", f"orderbookupdate@{BTC}@51", f"weather@{BTC}", f"indexprice@{PERP}"]
    (answer,) = socket.send(id=7, cmd="SUBSCRIBE", params=[*asked, f"trade@{BTC}", f"kline@{BTC}@2m", f"bbo@{BTC}"])
    assert answer["id"] == "7"
    assert (answer["cmd"], answer["success"], answer["data"]) == ("SUBSCRIBE", True, [f"bbo@{BTC}", f"trade@{BTC}"])
    (answer, *_) = socket.send(id="8", cmd="SUBSCRIBE", params=[f"trade@{BTC}", f"ticker@{PERP}"])
    assert answer["data"] == [f"ticker@{PERP}"], "already subscribed"
    (answer,) = socket.send(id="9", cmd="UNSUBSCRIBE", params=[f"trade@{BTC}", "trade@SPOT_X_Y"])
    assert answer["data"] == [f"trade@{BTC}"]
    (answer,) = socket.send(id="l", cmd="LIST_SUBSCRIPTION")
    assert answer["data"] == [f"bbo@{BTC}", f"ticker@{PERP}"]


def test_more_than_ten_topics_are_refused_whole() -> None:
    socket = Socket(Venue())
    (answer,) = socket.send(id="8", cmd="SUBSCRIBE", params=[f"trade@{symbol}" for symbol in ALL[:11]])
    assert (answer["success"], answer["data"]) == (False, "Command type invalid!")
    assert len(socket.send(id="9", cmd="SUBSCRIBE", params=[f"trade@{s}" for s in ALL[:10]])[0]["data"]) == 10


def test_the_hundred_and_first_topic() -> None:
    socket = Socket(Venue())
    for begin in range(0, 100, 10):
        socket.send(id="1", cmd="SUBSCRIBE", params=[f"trade@{symbol}" for symbol in ALL[begin : begin + 10]])
    assert socket.send(id="2", cmd="SUBSCRIBE", params=[f"trade@{ALL[100]}"])[0]["data"] == []


@pytest.mark.parametrize("text", ["hello", "[]", '{"cmd":5}', b"\xff", '{"id":"1","cmd":"SUBSCRIBE","params":"x"}'])
def test_what_is_no_request(text: str | bytes) -> None:
    socket = Socket(Venue())
    (answer,) = socket.text(text)
    assert (answer["cmd"], answer["success"], answer["data"]) == ("ERROR", False, "Invalid request.")
    assert socket.send(cmd="PING", ts=1) == [{"cmd": "PONG", "success": True, "time": socket.venue.now()}]


# --- books ---------------------------------------------------------------------------------------------------------


def sides(data: dict[str, Any]) -> list[dict[Decimal, Decimal]]:
    return [{Decimal(row["price"]): Decimal(row["quantity"]) for row in data[side]} for side in ("bids", "asks")]


def merged(book: list[dict[Decimal, Decimal]], change: dict[str, Any]) -> None:
    for side, name in zip(book, ("bids", "asks"), strict=True):
        for price, size in change[name]:
            side[Decimal(price)] = Decimal(size)
            if not Decimal(size):
                del side[Decimal(price)]


@pytest.mark.parametrize("rpi", [False, True])
@pytest.mark.parametrize("depth", [50, 500])
def test_the_chain_leads_from_one_whole_book_to_another(depth: int, rpi: bool) -> None:
    venue = Venue(rate=200)
    topic = f"orderbookupdate{'rpi' if rpi else ''}@{BTC}@{depth}"
    url = f"http://sim/v3/public/orderbook?symbol={BTC}&maxLevel={depth}{'&rpi=true' if rpi else ''}"
    socket = Socket(venue, topic)
    begin = json.loads(venue.get(url).body)
    run(venue, 10, socket)
    end = json.loads(venue.get(url).body)
    socket.take()
    changes = socket.data(topic)
    assert len(changes) > 40
    assert [one["prevTs"] for one in changes] == [begin["timestamp"], *(one["ts"] for one in changes[:-1])]
    assert all(earlier["ts"] < later["ts"] for earlier, later in pairwise(changes))
    book = sides(begin["data"])
    for change in changes:
        merged(book, change)
        assert max(map(len, book)) <= depth
        assert max(book[0]) < min(book[1])
    assert changes[-1]["ts"] == end["timestamp"]
    assert book == sides(end["data"])


@needs_tapes
def test_the_book_without_rpi_orders_is_the_tape_s() -> None:
    venue = Venue(tape=TAPES[2])
    market: Any = venue.world.markets["BTC_USDT"]
    for line in venue.lines:
        market.apply(line, venue.now())
    plain, with_rpi = (
        json.loads(venue.get(f"http://sim/v3/public/orderbook?symbol={BTC}&maxLevel=500&rpi={rpi}").body)["data"]
        for rpi in ("false", "true")
    )
    assert sides(plain) == [{one.price: one.size for one in market.levels(side)[:500]} for side in ("buy", "sell")]
    assert sides(plain) != sides(with_rpi)
    bids, asks = sides(with_rpi)
    assert max(sides(plain)[0]) <= max(bids) < min(asks) <= min(sides(plain)[1])


def test_best_prices_are_those_of_the_book() -> None:
    venue = Venue()
    socket = Socket(venue, f"bbo@{BTC}", f"bborpi@{BTC}")
    run(venue, 5, socket)
    for name, rpi in (("bbo", "false"), ("bborpi", "true")):
        book = json.loads(venue.get(f"http://sim/v3/public/orderbook?symbol={BTC}&maxLevel=50&rpi={rpi}").body)["data"]
        best = socket.data(f"{name}@{BTC}")[-1]
        assert {"price": best["bp"], "quantity": best["bq"]} == book["bids"][0]
        assert {"price": best["ap"], "quantity": best["aq"]} == book["asks"][0]
        assert all(earlier != later for earlier, later in pairwise(socket.data(f"{name}@{BTC}")))


def test_all_but_three_markets_are_quiet() -> None:
    venue = Venue()
    sockets = [
        Socket(venue, *(f"orderbookupdate@{symbol}@50" for symbol in ALL[begin : begin + 10]))
        for begin in range(0, 150, 10)
    ]
    run(venue, 60, *sockets)
    told = {topic for socket in sockets for one in socket.got if (topic := one.get("topic"))}
    assert {f"orderbookupdate@{symbol}@50" for symbol in ("SPOT_BTC_USDT", "SPOT_ETH_USDT", "SPOT_SOL_USDT")} <= told
    assert 3 < len(told) < 35


def test_a_lost_change_is_missing_in_the_chain() -> None:
    venue = Venue(rate=200)
    topic = f"orderbookupdate@{BTC}@50"
    socket = Socket(venue, topic)
    run(venue, 1, socket)
    socket.peer.gap()
    run(venue, 1, socket)
    changes = socket.data(topic)
    assert len([1 for earlier, later in pairwise(changes) if later["prevTs"] != earlier["ts"]]) == 1


def test_the_book_over_http_lags() -> None:
    venue = Venue(rate=200, faults={"lag": 5.0})
    topic = f"orderbookupdate@{BTC}@50"
    url = f"http://sim/v3/public/orderbook?symbol={BTC}&maxLevel=50"
    socket = Socket(venue, topic)
    first = json.loads(venue.get(url).body)["timestamp"]
    run(venue, 8, socket)
    later = json.loads(venue.get(url).body)["timestamp"]
    chain = [one["prevTs"] for one in socket.data(topic)]
    assert first < chain[0]
    assert later in chain
    assert 4_800 <= venue.now() - later <= 5_400


class OneLevel:
    """A market with one bid, which a test changes."""

    def __init__(self) -> None:
        self.changes = 0

    def levels(self, side: str) -> list[Level]:
        return [Level(Decimal(100), Decimal(1 + self.changes), 1)] if side == "buy" else []


def test_the_book_over_http_is_that_of_so_long_ago_and_older_ones_are_forgotten() -> None:
    market: Any = OneLevel()
    steps = Steps(Decimal(1), Decimal(1))
    feed = BookFeed("S", market, steps, 50, rpi=False, lively=False, lag=5_000, now=100_000)
    feed.watch(lambda message: None)
    for second in range(1, 21):
        market.changes += 1
        feed.flush(100_000 + 1_000 * second)
    assert len(feed._history) == 6, "what was 5 seconds ago, and a change a second since then"
    for now, bid in ((124_999, 20), (125_000, 21), (190_000, 21)):
        assert feed.whole(now, 50).bids == [(100, bid)]


def test_the_total_of_a_side_is_that_of_its_levels() -> None:
    market = QuietMarket("SPOT_A_USDT", 1, 100_000)
    for step in range(50):
        market.change(100_000 + step)
        for side in _SIDES:
            assert market.total(side) == sum(level.size for level in market.levels(side)) > 0


# --- figures -------------------------------------------------------------------------------------------------------


def test_trades_candles_and_statistics_agree() -> None:
    venue = Venue(rate=100)
    socket = Socket(venue, f"trade@{BTC}", f"kline@{BTC}@1m", f"ticker@{BTC}")
    run(venue, 130, socket)
    trades, klines = socket.data(f"trade@{BTC}"), socket.data(f"kline@{BTC}@1m")
    last = {kline["st"]: kline for kline in klines}
    for start, kline in last.items():
        within = [trade for trade in trades if start <= trade["ts"] < kline["et"]]
        prices = [Decimal(trade["px"]) for trade in within]
        assert (Decimal(kline["h"]), Decimal(kline["l"])) == (max(prices), min(prices))
        assert (Decimal(kline["o"]), Decimal(kline["c"])) == (prices[0], prices[-1])
        assert Decimal(kline["v"]) == sum(Decimal(trade["sx"]) for trade in within)
        assert kline["ts"] < start, "wrong, as in the document's sample"
    day = socket.data(f"ticker@{BTC}")[-1]
    assert Decimal(day["v"]) == sum(Decimal(trade["sx"]) for trade in trades if trade["ts"] <= day["ts"])
    ends = [one["ts"] for one in socket.got if one.get("topic") == f"kline@{BTC}@1m" and one["ts"] >= one["data"]["et"]]
    assert ends, "the last state comes again when the candle is over"


@pytest.mark.parametrize(
    ("interval", "begin", "end"),
    [("1M", 1_706_745_600_000, 1_709_251_200_000), ("1w", 1_709_510_400_000, 1_710_115_200_000)],
)
def test_long_candles(interval: str, begin: int, end: int) -> None:
    assert figures.span_of(interval, begin) == (begin, end)
    assert figures.span_of(interval, end - 1) == (begin, end)
    assert figures.span_of("1M", 1_733_011_200_000) == (1_733_011_200_000, 1_735_689_600_000), "December"


def test_figures_of_a_perpetual() -> None:
    venue = Venue()
    topics = [f"ticker@{PERP}", f"markprice@{PERP}", f"indexprice@{BTC}", f"estfundingrate@{PERP}"]
    socket = Socket(venue, *topics)
    run(venue, 30, socket)
    socket.send(cmd="PING")
    run(venue, 35, socket)
    assert [len(socket.data(topic)) for topic in topics] == [65, 65, 65, 2]
    missing = Socket(venue, "indexprice@SPOT_KSM_USDT", "markprice@PERP_KSM_USDT", f"markprice@{BTC}")
    assert missing.got[0]["data"] == ["markprice@PERP_KSM_USDT"], "not every perpetual has a spot symbol"


# --- over HTTP -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "status", "body"),
    [
        ("symbol=PERP_NOPE_USDT", 400, {"success": False, "message": "invalid symbol PERP_NOPE_USDT"}),
        ("maxLevel=50", 400, {"success": False, "code": -1005, "message": "symbol is required"}),
        (f"symbol={BTC}&maxLevel=x", 500, {"success": False, "message": "internal error"}),
    ],
)
def test_bad_requests(query: str, status: int, body: dict[str, Any]) -> None:
    answer = Venue().get(f"http://sim/v3/public/orderbook?{query}")
    assert (answer.status, json.loads(answer.body)) == (status, body)


def test_ten_requests_a_second() -> None:
    venue = Venue()
    url = f"http://sim/v3/public/orderbook?symbol={BTC}"
    assert [venue.get(url).status for _ in range(11)] == [200] * 10 + [429]
    assert venue.get("http://sim/v3/public/instruments").status == 200, "each path for itself"
    venue.advance(1_000)
    answer = venue.get(url)
    assert (answer.status, len(json.loads(answer.body)["data"]["bids"])) == (200, 100)


def test_the_list_of_symbols() -> None:
    rows = json.loads(Venue().get("http://sim/v3/public/instruments").body)["data"]["rows"]
    assert sorted(row["symbol"] for row in rows) == sorted(ALL)
    assert rows[0] == {
        "symbol": BTC,
        "status": "TRADING",
        "baseAsset": "BTC",
        "quoteAsset": "USDT",
        "quoteTick": "0.01",
        "baseTick": "0.0001",
    }


# --- when a client is cut ------------------------------------------------------------------------------------------


def test_a_silent_client_is_cut() -> None:
    venue = Venue()
    socket = Socket(venue, f"trade@{BTC}")
    run(venue, 59.9, socket)
    assert not socket.wire.aborted
    run(venue, 1.1, socket)
    assert socket.wire.aborted


def test_a_connection_lasts_a_day() -> None:
    venue = Venue(rate=0)
    wire: Wire = Socket(venue).wire
    for _ in range(24 * 60 * 2 - 1):
        venue.clock.advance(30_000)
        wire.heard = venue.now()
        wire.pass_time()
    assert not wire.aborted
    venue.clock.advance(30_000)
    wire.pass_time()
    assert wire.aborted


def alone(test: Coroutine[Any, Any, None]) -> None:
    async def checked() -> None:
        async with asyncio.timeout(20):
            await test

    asyncio.run(checked())


def test_pings_of_the_socket_are_no_silence() -> None:
    """Through a real socket: one client pings, and is kept; the other one is cut without a close frame."""

    async def watch() -> None:
        clock = ManualClock()
        async with Simulator(clock=clock, rate=0.0) as simulator:
            url = f"{simulator.url('woox')}/v3/public"
            async with connect(url, ping_interval=None) as alive, connect(url, ping_interval=None) as silent:
                for _ in range(13):
                    await (await alive.ping())
                    for _ in range(5):
                        clock.advance(1_000)
                        await asyncio.sleep(0.01)
                with pytest.raises(ConnectionClosedError) as cut:
                    await silent.recv()
                assert cut.value.rcvd is None
                await alive.send('{"cmd":"PING","ts":1}')
                assert json.loads(await alive.recv())["cmd"] == "PONG"

    alone(watch())


def test_both_addresses_of_one_simulator() -> None:
    async def ask() -> None:
        async with Simulator(faults=[parse_fault("lag:2s")]) as simulator, ClientSession() as session:
            assert simulator.rest_url("woox").startswith("http://127.0.0.1:")
            async with session.get(f"{simulator.rest_url('woox')}/v3/public/orderbook?symbol={BTC}") as answer:
                assert (answer.status, (await answer.json())["success"]) == (200, True)
            async with session.get(f"{simulator.rest_url('woox')}/v3/public/systemInfo") as answer:
                assert (await answer.json())["data"]["status"] == 0

    alone(ask())
