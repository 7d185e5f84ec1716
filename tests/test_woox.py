"""WOO X's session: what it asks for, what the venue leaves out, what is joined in, and what becomes too old."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from tests.wooxwire import SETTINGS
from venues.driver import Driver
from venues.errors import BadMessage, UsageError, VenueUnreachable
from venues.records import Book, Candle, Pong, Quote, Status, Ticker, Trade
from venues.toolkit.seeding import QUIET_AFTER
from venues.venue import EVERY_LEVEL, BadFrame, Fetch, HttpResponse, NoResponse, Notice, Now, Subscription
from venues.woox import WOOX
from venues.woox.plan import shared_out

SPOT, PERP = "SPOT_BTC_USDT", "PERP_BTC_USDT"
BEGIN = 1_790_137_718_000
MANY = tuple(f"SPOT_A{number}_USDT" for number in range(150))


class Line:
    """One line to the venue, driven by hand; `at` are seconds since it was opened."""

    def __init__(self, *subscriptions: Subscription, apart: bool = False) -> None:
        (self.route,) = WOOX.routes(subscriptions, SETTINGS)
        self.driver = Driver(self.route, self.route.subscriptions, venue="woox", label="sim", apart=apart)
        self.sent: list[dict[str, Any]] = []
        self.fetches: list[Fetch] = []
        self.open(0)

    def open(self, at: float) -> list[Any]:
        self.driver.begin({}, 0.5)
        self.sent.clear()
        return self._after(self.driver.opened(now(at)))

    def frame(self, at: float, message: Any) -> list[Any]:
        text = message if isinstance(message, bytes) else json.dumps(message).encode()
        return self._after(self.driver.receive(text, now(at)))

    def data(self, at: float, topic: str, **data: Any) -> list[Any]:
        symbol = topic.split("@")[1]
        return self.frame(at, {"topic": topic, "ts": ms(at), "data": {"s": symbol, "ts": ms(at), **data}})

    def ack(self, at: float, number: int, *topics: str) -> list[Any]:
        return self.frame(at, acknowledgement(number, *topics))

    def ack_all(self, at: float) -> list[Any]:
        items: list[Any] = []
        for request in [one for one in self.sent if one["cmd"] == "SUBSCRIBE"]:
            items += self.ack(at, int(request["id"]), *request["params"])
        self.sent.clear()
        return items

    def tick(self, at: float) -> list[Any]:
        """All ticks that are due until then."""
        items: list[Any] = []
        while (due := self.driver.deadline()) is not None and due <= 1_000 + at:
            items += self._after(self.driver.tick(now(due - 1_000)))
        return items

    def answer(self, at: float, body: Any, status: int = 200, **more: Any) -> list[Any]:
        fetch = self.fetches.pop()
        answer = body if isinstance(body, NoResponse) else HttpResponse(status, json.dumps(body).encode(), **more)
        return self._after(self.driver.fetched(fetch.id, answer, now(at)))

    def close(self, at: float) -> list[Any]:
        return self._after(self.driver.closed(None, "", now(at)))

    def _after(self, items: list[Any]) -> list[Any]:
        for out in self.driver.take():
            if isinstance(out, Fetch):
                self.fetches.append(out)
            else:
                self.sent.append(json.loads(out))  # type: ignore[arg-type]
        return items


def now(at: float) -> Now:
    return Now(1_000 + at, ms(at), heard=1_000 + at)


def ms(at: float) -> int:
    return BEGIN + round(at * 1000)


def acknowledgement(number: int, *topics: str) -> dict[str, Any]:
    return {"id": str(number), "cmd": "SUBSCRIBE", "success": True, "time": BEGIN, "data": [*topics]}


def of(kind: type, items: list[Any]) -> list[Any]:
    return [item for item in items if isinstance(item, kind)]


def states(items: list[Any]) -> list[tuple[Any, ...]]:
    return [(one.stream, one.symbol, one.state) for one in of(Status, items)]


def snapshot(changed: int, *bids: str) -> dict[str, Any]:
    return {
        "success": True,
        "timestamp": changed,
        "data": {"bids": [{"price": price, "quantity": "1"} for price in bids], "asks": []},
    }


# --- symbols and intervals -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("symbol", ["SPOT_BTC_USDT", "PERP_1000PEPE_USDT", "SPOT_USDC_USDT"])
def test_symbols_of_the_right_form(symbol: str) -> None:
    WOOX.check_symbol(symbol)


@pytest.mark.parametrize(
    ("symbol", "meant"),
    [
        ("BTCUSDT", "SPOT_BTC_USDT"),
        ("btc-usdt", "SPOT_BTC_USDT"),
        ("BTC/USD", "SPOT_BTC_USD"),
        ("BTC_USDT", "SPOT_BTC_USDT"),
        ("spot_btc_usdt", "SPOT_BTC_USDT"),
        ("PERP-BTC-USDT", "PERP_BTC_USDT"),
        ("PERP_BTCUSDT", "PERP_BTC_USDT"),
        ("ETHBTC", "SPOT_ETH_BTC"),
        ("BTC-PERP", "PERP_BTC_USDT"),
        ("btc-usd-swap", "PERP_BTC_USD"),
        ("USDT", ""),
        ("BTC", ""),
        ("", ""),
        ("a_b_c_d_e", ""),
        ("\x1b[31m", ""),
    ],
)
def test_symbols_of_the_wrong_form(symbol: str, meant: str) -> None:
    assert list(WOOX.meant(symbol)) == ([meant] if meant else [])
    with pytest.raises(UsageError, match=r"^expected a symbol like SPOT_BTC_USDT") as caught:
        WOOX.check_symbol(symbol)
    assert str(caught.value).endswith(f'got "{symbol}"')


def test_an_interval_that_the_venue_does_not_have() -> None:
    with pytest.raises(UsageError, match=r"1m, 3m, 5m, 15m, 30m, 1h, 2h, 4h, 6h, 12h, 1d, 3d, 1w, 1M\), got \"2m\""):
        shared_out([Subscription("candles", (SPOT,), interval="2m")])


# --- connections and requests --------------------------------------------------------------------------------------


def sizes(*subscriptions: Subscription) -> list[list[tuple[str, int]]]:
    return [[(one.stream, len(one.symbols)) for one in group] for group in shared_out(subscriptions)]


def test_as_few_connections_as_a_hundred_topics_allow() -> None:
    assert sizes(Subscription("quotes", MANY)) == [[("quotes", 100)], [("quotes", 50)]]
    perpetuals = tuple(f"PERP_A{number}_USDT" for number in range(30))
    assert sizes(Subscription("ticker", perpetuals)) == [[("ticker", 25)], [("ticker", 5)]]
    assert sizes(Subscription("ticker", MANY[:100])) == [[("ticker", 100)]]
    of_one = [Subscription(name, (SPOT,)) for name in ("book", "quotes", "trades", "candles")]
    assert sizes(*of_one, Subscription("ping")) == [
        [("book", 1), ("quotes", 1), ("trades", 1), ("candles", 1), ("ping", 0)]
    ]


def test_what_a_connection_cannot_have_twice_takes_another_one() -> None:
    one, other = (Subscription("candles", (SPOT,), interval=interval) for interval in ("1m", "5m"))
    third = Subscription("candles", (PERP,), interval="5m")
    assert shared_out([one, other, third]) == [[one, third], [other]]


def test_ten_topics_a_request() -> None:
    line = Line(Subscription("trades", MANY[:23]))
    assert [len(one["params"]) for one in line.sent] == [10, 10, 3]
    assert [one["id"] for one in line.sent] == ["1", "2", "3"]


def test_connections_keep_to_the_venue_s_bound() -> None:
    """Eighty reconnects in five minutes, over all connections; a venue that is gone must not make us an attacker."""
    routes = WOOX.routes([Subscription("quotes", MANY)], SETTINGS)
    drivers = [Driver(route, route.subscriptions, venue="woox") for route in routes]
    assert len(drivers) == 2
    dialled: list[float] = []
    for driver in drivers:
        driver.begin({}, 0.0)
        driver.opened(now(0))
        driver.closed(None, "", now(1))
    for _ in range(200):
        driver = min(drivers, key=lambda one: one.retry_at or 0.0)
        at = (driver.retry_at or 0.0) - 1_000
        dialled.append(at)
        driver.begin({}, 0.0)  # the shortest of all delays
        driver.opened(now(at))
        driver.closed(None, "", now(at))
    assert all(later - earlier >= 300 for earlier, later in zip(dialled, dialled[80:], strict=False))


def test_each_symbol_is_live_with_its_acknowledgement_or_its_data() -> None:
    line = Line(Subscription("trades", MANY[:11]))
    assert states(line.ack(0.1, 2, f"trade@{MANY[10]}")) == [("trades", MANY[10], "live")]
    trade = {"px": "1", "sx": "2", "sd": "SELL"}
    items = line.data(0.2, f"trade@{MANY[0]}", **trade)
    assert states(items) == [("trades", MANY[0], "live")]
    assert len(of(Trade, items)) == 1
    line.ack(0.3, 1, *(f"trade@{symbol}" for symbol in MANY[:10]))
    assert not states(line.tick(100))


def test_what_is_not_acknowledged_is_given_back_before_it_is_asked_for_again() -> None:
    line = Line(Subscription("trades", (SPOT,)))
    line.sent.clear()
    line.tick(11)
    assert [(one["cmd"], one["params"]) for one in line.sent] == [
        ("UNSUBSCRIBE", [f"trade@{SPOT}"]),
        ("SUBSCRIBE", [f"trade@{SPOT}"]),
    ]
    line.frame(11.1, {"id": "2-", "cmd": "UNSUBSCRIBE", "success": True, "time": 0, "data": [f"trade@{SPOT}"]})
    assert states(line.ack(11.2, 2, f"trade@{SPOT}")) == [("trades", SPOT, "live")]


def test_a_stream_that_is_refused_leaves_the_others_of_a_dashboard() -> None:
    line = Line(Subscription("trades", (SPOT,)), Subscription("book", (SPOT,)), apart=True)
    line.ack(0.1, 1, f"trade@{SPOT}")
    assert states(line.ack(0.2, 2)) == [("book", SPOT, "closed")]
    assert line.driver.ended is None
    change = {"prevTs": ms(0), "bids": [["1", "1"]], "asks": []}
    assert not line.data(0.3, f"orderbookupdate@{SPOT}@50", **change)
    assert of(Trade, line.data(0.4, f"trade@{SPOT}", px="1", sx="2", sd="BUY"))
    line.tick(200)
    assert not line.fetches


@pytest.mark.parametrize(
    ("stream", "topic", "figures", "kind"),
    [
        ("quotes", f"bbo@{SPOT}", {"bp": "1", "bq": "1", "ap": "2", "aq": "1"}, Quote),
        ("ticker", f"ticker@{SPOT}", {"o": "1", "c": "1", "h": "1", "l": "1"}, Ticker),
    ],
)
def test_what_is_refused_after_its_data_came_is_shown_no_more(
    stream: str, topic: str, figures: dict[str, str], kind: type
) -> None:
    line = Line(Subscription(stream, (SPOT,)))
    assert of(kind, line.data(0.1, topic, **figures))
    assert [one.state for one in of(Status, line.ack(0.2, 1))] == ["stale"]
    assert line.data(0.3, topic, **figures) == []
    line.sent.clear()
    line.tick(1.5)
    assert [one["cmd"] for one in line.sent] == ["UNSUBSCRIBE", "SUBSCRIBE"]
    line.ack(1.6, 2, topic)
    items = line.data(1.7, topic, **figures)
    assert [one.state for one in of(Status, items)] == ["live"]
    assert of(kind, items)


def test_a_book_that_is_refused_after_its_changes_came_is_seeded_anew() -> None:
    line = Line(Subscription("book", (SPOT,)))
    topic, change = f"orderbookupdate@{SPOT}@50", {"prevTs": ms(0), "bids": [["1", "1"]], "asks": []}
    line.data(0.1, topic, **change)
    line.tick(0.1)
    assert len(line.fetches) == 1
    assert [one.state for one in of(Status, line.ack(0.2, 1))] == ["stale"]
    assert line.data(0.3, topic, **change) == []
    line.sent.clear()
    line.tick(2)
    assert [one["cmd"] for one in line.sent] == ["UNSUBSCRIBE", "SUBSCRIBE"]
    assert len(line.fetches) == 1
    line.ack(2.1, 2, topic)
    line.tick(2.2)
    assert len(line.fetches) == 2


def test_answers_that_answer_nothing_of_ours() -> None:
    line = Line(Subscription("trades", (SPOT,)))
    assert not line.frame(0.1, acknowledgement(77, "trade@SPOT_X_Y"))
    assert not line.frame(0.1, {"id": "abc", "cmd": "SUBSCRIBE", "success": True, "data": []})
    assert not line.frame(0.1, {"cmd": "WEATHER", "success": True, "data": {}})
    (said,) = line.frame(0.1, {"id": "", "cmd": "ERROR", "success": False, "time": 0, "data": "Invalid request."})
    assert isinstance(said, Notice)
    (bad,) = of(BadFrame, line.frame(0.1, {"id": "1", "cmd": "SUBSCRIBE", "success": True, "data": {"a": 1}}))
    assert "woox SUBSCRIBE" in bad.reason
    assert states(line.ack(0.2, 1, f"trade@{SPOT}")) == [("trades", SPOT, "live")]


# --- the book ------------------------------------------------------------------------------------------------------


def book_line(**more: Any) -> Line:
    line = Line(Subscription("book", (SPOT,), **more))
    line.ack_all(0.1)
    line.tick(0.1)
    return line


@pytest.mark.parametrize(
    ("depth", "options", "subscribed", "query"),
    [
        (20, {}, "orderbookupdate@SPOT_BTC_USDT@50", "maxLevel=50"),
        (50, {"rpi": "true"}, "orderbookupdaterpi@SPOT_BTC_USDT@50", "maxLevel=50&rpi=true"),
        (51, {}, "orderbookupdate@SPOT_BTC_USDT@200", "maxLevel=200"),
        (EVERY_LEVEL, {}, "orderbookupdate@SPOT_BTC_USDT@500", "maxLevel=500"),
    ],
)
def test_what_a_book_is_asked_for(depth: int, options: dict[str, str], subscribed: str, query: str) -> None:
    line = Line(Subscription("book", (SPOT,), depth=depth, options=options))
    assert line.sent[0]["params"] == [subscribed]
    assert not line.fetches, "a snapshot is of use once the changes are subscribed to"
    line.ack_all(0.1)
    line.tick(0.1)
    assert [one.request.url for one in line.fetches] == [f"http://sim/v3/public/orderbook?symbol=SPOT_BTC_USDT&{query}"]


def test_more_levels_than_there_are_is_said_once_and_not_of_a_table() -> None:
    line = Line(Subscription("book", (SPOT,), depth=600))
    line.close(1)
    assert not of(Notice, line.open(2))
    (route,) = WOOX.routes([Subscription("book", (SPOT,), depth=600)], SETTINGS)
    driver = Driver(route, route.subscriptions, venue="woox")
    driver.begin({}, 0.5)
    (notice,) = of(Notice, driver.opened(now(0)))
    assert notice.text == "woox has books of at most 500 levels a side: --depth 600 is 500"
    for depth in (500, EVERY_LEVEL):
        (route,) = WOOX.routes([Subscription("book", (SPOT,), depth=depth)], SETTINGS)
        driver = Driver(route, route.subscriptions, venue="woox")
        driver.begin({}, 0.5)
        assert not of(Notice, driver.opened(now(0)))


def test_never_more_levels_than_subscribed() -> None:
    line = book_line(depth=50)
    prices = [str(100 - number) for number in range(50)]
    line.data(0.2, f"orderbookupdate@{SPOT}@50", prevTs=ms(0.15), bids=[], asks=[["200", "1"]])
    (book,) = of(Book, line.answer(0.3, snapshot(ms(0.15), *prices)))
    assert len(book.bids) == 50
    (book,) = of(Book, line.data(0.4, f"orderbookupdate@{SPOT}@50", prevTs=ms(0.2), bids=[["101", "1"]], asks=[]))
    assert [level.price for level in book.bids] == [Decimal(101 - number) for number in range(50)]
    (book,) = of(Book, line.data(0.5, f"orderbookupdate@{SPOT}@50", prevTs=ms(0.4), bids=[["101", "0"]], asks=[]))
    assert len(book.bids) == 49, "what left the depth is not known any more"


def test_an_old_snapshot_of_a_quiet_market_does_not_count() -> None:
    line = book_line()
    assert not of(Book, line.answer(0.3, snapshot(ms(-5), "100")))
    assert not line.tick(60)
    assert not line.fetches
    line.tick(60.2)
    items = line.answer(60.4, snapshot(ms(-5), "100"))
    assert states(items) == [("book", SPOT, "live")]
    assert len(of(Book, items)) == 1
    (book,) = of(Book, line.data(70, f"orderbookupdate@{SPOT}@50", prevTs=ms(-5), bids=[["101", "1"]], asks=[]))
    assert [level.price for level in book.bids] == [101, 100]


def test_a_change_shows_whether_the_early_snapshot_was_right() -> None:
    line = book_line()
    line.answer(0.3, snapshot(ms(-5), "100"))
    items = line.data(30, f"orderbookupdate@{SPOT}@50", prevTs=ms(-5), bids=[["101", "1"]], asks=[])
    assert states(items) == [("book", SPOT, "live")]
    line = book_line()
    line.answer(0.3, snapshot(ms(-5), "100"))
    items = line.data(30, f"orderbookupdate@{SPOT}@50", prevTs=ms(-4), bids=[["101", "1"]], asks=[])
    assert not of(Book, items)
    line.tick(31)
    assert len(line.fetches) == 1


def test_a_failure_is_said_and_tried_again() -> None:
    line = book_line()
    (status,) = of(Status, line.answer(0.3, {"code": 503, "message": "[GW] no upstream server"}))
    assert status.reason == "no snapshot came: the venue says: [GW] no upstream server (code 503) (1 try so far)"
    line.tick(2)
    (status,) = of(Status, line.answer(2.1, NoResponse("no answer within 10 s")))
    assert status.reason == "no snapshot came: no answer within 10 s (2 tries so far)"
    line.tick(10)
    (status,) = of(Status, line.answer(10.1, {"success": True, "timestamp": ms(0)}))
    assert "expected a value at `data`, got none" in status.reason
    line.tick(20)
    (status,) = of(Status, line.answer(20.1, snapshot(ms(0), "0")))
    assert "expected a number above 0 at `data.bids[0].price`" in status.reason


def test_a_book_that_has_ended_wants_no_snapshot() -> None:
    line = book_line()
    line.close(5)
    assert line.driver.deadline() is None
    items = line.open(6)
    assert states(items) == [("book", SPOT, "syncing")]
    line.ack_all(6.1)
    line.tick(6.1)
    assert len(line.fetches) == 2, "the snapshots begin anew"


# --- quotes, tickers, candles, pings -------------------------------------------------------------------------------


def test_an_older_quote_changes_nothing_also_after_a_reconnect() -> None:
    line = Line(Subscription("quotes", (SPOT,)))
    assert of(Quote, line.data(10, f"bbo@{SPOT}", bp="1", bq="1", ap="2", aq="1"))
    line.close(11)
    line.open(12)
    old = {"bp": "3", "bq": "1", "ap": "4", "aq": "1", "ts": ms(9)}
    assert not line.data(12.5, f"bbo@{SPOT}", **old)
    assert of(Quote, line.data(13, f"bbo@{SPOT}", bp="3", bq="1", ap="4", aq="1"))


DAY = {"o": "100", "h": "120", "l": "90", "c": "110", "v": "5", "a": "500"}


def ticker_line() -> Line:
    line = Line(Subscription("ticker", (PERP,)))
    line.ack_all(0.1)
    line.data(1, f"markprice@{PERP}", px="111")
    line.data(1, f"indexprice@{SPOT}", px="112")
    line.data(1, f"estfundingrate@{PERP}", r="0.0001", ft=ms(3600))
    return line


def figures(items: list[Any]) -> tuple[Any, ...]:
    (ticker,) = of(Ticker, items)
    return ticker.mark_price, (ticker.extra or {}).get("index_price"), ticker.funding_rate


def test_what_is_joined_in_is_left_out_when_it_is_old() -> None:
    line = ticker_line()
    assert figures(line.data(2, f"ticker@{PERP}", **DAY)) == (111, 112, Decimal("0.0001"))
    line.data(4, f"markprice@{PERP}", px="113")
    assert figures(line.tick(6.1)) == (113, None, Decimal("0.0001")), "the index is five seconds old"
    assert figures(line.tick(9.1)) == (None, None, Decimal("0.0001"))
    assert figures(line.tick(181.1)) == (None, None, None), "the rate lasts three minutes"
    assert not line.tick(400)
    line.data(401, f"markprice@{PERP}", px="114", ts=ms(395))
    assert figures(line.data(401, f"ticker@{PERP}", **{**DAY, "c": "111"})) == (None, None, None), "it came late"


def test_a_figure_that_is_old_is_left_out_before_the_clock_says_so() -> None:
    line = ticker_line()
    line.data(2, f"ticker@{PERP}", **DAY)
    late = {"topic": f"ticker@{PERP}", "ts": ms(3), "data": {"s": PERP, "ts": ms(3), **DAY, "c": "111"}}
    assert figures(line.frame(6.5, late)) == (None, None, Decimal("0.0001")), "it waited on a line that hung"


def test_each_figure_says_its_time() -> None:
    (ticker,) = of(Ticker, ticker_line().data(2, f"ticker@{PERP}", **DAY))
    assert ticker.extra == {
        "o": 100,
        "v": 5,
        "a": 500,
        "mark_price_time": ms(1),
        "index_price": 112,
        "index_price_time": ms(1),
        "funding_rate_time": ms(1),
        "ft": ms(3600),
    }
    assert (ticker.last, ticker.high, ticker.low, ticker.change) == (110, 120, 90, 10)


def test_a_spot_market_has_no_figures_joined_in() -> None:
    line = Line(Subscription("ticker", (SPOT,)))
    assert [one["params"] for one in line.sent] == [[f"ticker@{SPOT}"]]


def test_what_is_only_joined_in_may_be_refused() -> None:
    line = Line(Subscription("ticker", (PERP,)))
    for number, topics in ((1, [f"ticker@{PERP}"]), (2, []), (3, []), (4, [])):
        assert not of(Status, line.ack(0.1, number, *topics))
    assert figures(line.data(2, f"ticker@{PERP}", **DAY)) == (None, None, None)
    assert line.driver.ended is None
    assert not of(Status, line.tick(700))


def test_the_clock_closes_a_candle_that_no_message_follows() -> None:
    line = Line(Subscription("candles", (SPOT,), interval="1m"))
    start = ms(0) // 60_000 * 60_000
    kline = {"t": "1m", "o": "1", "h": "3", "l": "1", "c": "2", "v": "9", "st": start, "et": start + 60_000}
    (candle,) = of(Candle, line.data(1, f"kline@{SPOT}@1m", **kline))
    assert (candle.closed, candle.volume) == (False, 9)
    (candle,) = of(Candle, line.tick(61))
    assert (candle.start, candle.closed) == (start, True)
    assert not line.tick(500)


def test_a_kline_of_another_length_is_bad() -> None:
    line = Line(Subscription("candles", (SPOT,), interval="1m"))
    kline = {"t": "5m", "o": "1", "h": "3", "l": "1", "c": "2", "v": "9", "st": ms(0), "et": ms(60)}
    items = line.data(1, f"kline@{SPOT}@1m", **kline)
    assert [bad.reason for bad in of(BadFrame, items)] == ['expected 1m at `data.t`, got "5m" (woox kline)']


def test_pings_are_for_their_stream_alone() -> None:
    assert not [one for one in Line(Subscription("trades", (SPOT,))).sent if one["cmd"] == "PING"]
    line = Line(Subscription("ping"))
    assert line.sent == [{"cmd": "PING", "ts": ms(0)}]
    (pong,) = of(Pong, line.frame(0.11, {"cmd": "PONG", "success": True, "time": ms(0.05)}))
    assert (pong.round_trip_ms, pong.time) == (110.0, ms(0.05))
    (status,) = of(Status, line.tick(8))
    assert (status.state, status.reason) == ("stale", "no answer to PING for 5 s")


def test_a_message_that_cannot_be_read_costs_its_topic_alone() -> None:
    line = Line(Subscription("quotes", (SPOT, PERP)))
    for symbol in (SPOT, PERP):
        line.data(1, f"bbo@{symbol}", bp="1", bq="1", ap="2", aq="1")
    assert states(line.frame(2, {"topic": f"bbo@{SPOT}", "ts": "soon", "data": {}})) == [("quotes", SPOT, "stale")]
    assert states(line.frame(3, b'{"topic":"bbo@')) == [("quotes", PERP, "stale")], "of which it was is not known"
    for symbol in (SPOT, PERP):
        line.data(3.5, f"bbo@{symbol}", bp="1", bq="1", ap="2", aq="1")
    assert states(line.frame(3.7, b"[]")) == [("quotes", None, "stale")], "said once"
    assert states(line.data(4, f"bbo@{SPOT}", bp="1", bq="1", ap="2", aq="1")) == [("quotes", SPOT, "live")]


def test_data_about_another_symbol_than_its_topic_is_bad() -> None:
    line = Line(Subscription("quotes", (SPOT,)))
    (bad,) = of(BadFrame, line.data(1, f"bbo@{SPOT}", s=PERP, bp="1", bq="1", ap="2", aq="1"))
    assert bad.reason == f'expected {SPOT} at `data.s`, got "{PERP}" (woox bbo)'


def test_a_frame_of_quotes_or_trades_asks_for_nothing() -> None:
    line = Line(Subscription("quotes", (SPOT,)), Subscription("trades", (SPOT,)))
    line.ack_all(0.1)
    for at in (1, 2):
        line.data(at, f"bbo@{SPOT}", bp="1", bq="1", ap="2", aq="1")
        line.data(at, f"trade@{SPOT}", px="1", sx="2", sd="BUY")
    line.driver.receive(
        json.dumps(
            {"topic": f"trade@{SPOT}", "ts": ms(3), "data": {"s": SPOT, "px": "1", "sx": "2", "sd": "BUY", "ts": ms(3)}}
        ).encode(),
        now(3),
    )
    assert not line.driver.stirred


# --- the list of symbols -------------------------------------------------------------------------------------------


def listed(body: Any, status: int = 200) -> Any:
    listing = WOOX.symbol_list(SETTINGS)
    assert not hasattr(listing, "session")
    request = next(listing)  # type: ignore[arg-type]
    assert (request.method, request.url) == ("GET", "http://sim/v3/public/instruments")
    with pytest.raises(StopIteration) as stop:
        listing.send(HttpResponse(status, json.dumps(body).encode()))  # type: ignore[union-attr]
    return stop.value.value


def test_the_list_of_symbols() -> None:
    row = {"symbol": "SPOT_AAVE_USDT", "status": "TRADING", "baseAsset": "AAVE", "quoteAsset": "USDT",
           "quoteTick": "0.01", "baseTick": "0.0001", "more": 1}  # fmt: skip
    rows = [row, {"symbol": "PERP_X_USDT"}]
    first, second = listed({"success": True, "data": {"rows": rows}, "timestamp": 1})
    assert (first.symbol, first.base, first.quote, first.kind, first.status) == (
        "SPOT_AAVE_USDT", "AAVE", "USDT", "spot", "TRADING",
    )  # fmt: skip
    assert (first.price_step, first.size_step) == (Decimal("0.01"), Decimal("0.0001"))
    assert (second.kind, second.price_step) == ("perpetual", None)


@pytest.mark.parametrize(
    ("body", "status", "error", "words"),
    [
        ({}, 503, VenueUnreachable, "woox gives no list of its symbols (HTTP 503: {})"),
        ({"code": 503, "message": "[GW] no upstream server"}, 200, BadMessage, "the venue says: [GW] no upstream server (code 503)"),  # noqa: E501
        ({"success": True}, 200, BadMessage, "expected a value at `data`, got none (woox instruments)"),
        ([], 200, BadMessage, "expected object, got array (woox instruments)"),
    ],
)  # fmt: skip
def test_a_list_that_does_not_come(body: Any, status: int, error: type[Exception], words: str) -> None:
    with pytest.raises(error) as caught:
        listed(body, status)
    assert str(caught.value) == words


def test_a_first_book_may_take_as_long_as_the_snapshot_that_it_is_made_of_is_waited_for() -> None:
    """A minute without a change, and half a minute to ask for it; all else comes as soon as anywhere."""
    usual = dict.fromkeys(("trades", "quotes", "candles", "ticker", "ping"), 30.0)
    assert {name: offer.once_within for name, offer in WOOX.streams.items()} == {"book": QUIET_AFTER + 30.0, **usual}
