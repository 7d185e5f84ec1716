"""One connection to the simulated WOO X, step by step: what it is told of, until when, and what it may ask for."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from tests.wooxwire import Venue
from venues.simulator.market_events import BookChange, Trade
from venues.woox.simulator import endpoint
from venues.woox.simulator.endpoint import WooX

BTC, ETH, PERP, ADA = "SPOT_BTC_USDT", "SPOT_ETH_USDT", "PERP_BTC_USDT", "SPOT_ADA_USDT"


class Talk:
    """A connection to a venue in which nothing happens by itself."""

    def __init__(self, venue: Venue | None = None, *topics: str, **faults: float) -> None:
        self.venue = Venue(rate=0.0, faults=faults) if venue is None else venue
        self.wire, self.peer = self.venue.connect()
        self.begin = self.venue.now()
        if topics:
            self.ask("SUBSCRIBE", *topics)

    def ask(self, command: str, *topics: str, **more: Any) -> Any:
        """What the answer has as its data."""
        return self.answer(json.dumps({"id": "1", "cmd": command, "params": [*topics], **more}))[0].get("data")

    def answer(self, frame: str | bytes) -> list[dict[str, Any]]:
        self.wire.taken()
        self.peer.receive(frame)
        return [json.loads(data) for data in self.wire.sent]

    def passed(self, milliseconds: int = 0) -> list[dict[str, Any]]:
        """What comes while so much time passes, in which the client is not silent."""
        self.wire.taken()
        self.venue.advance(milliseconds)
        self.wire.heard = self.venue.now()
        self.wire.pass_time()
        return [json.loads(data) for data in self.wire.taken()]

    def topics(self, milliseconds: int = 0) -> list[str]:
        return [one["topic"] for one in self.passed(milliseconds)]

    def trade(self, symbol: str = BTC, price: str = "7", after: int = 0) -> None:
        market = WooX.symbols[symbol]
        trade = Trade(market, self.venue.now() + after, 1, Decimal(price), Decimal("0.5"), "sell")
        self.venue.world.stage.emit(trade)

    def told(self) -> list[dict[str, Any]]:
        return [json.loads(data) for data in self.wire.taken()]


def test_a_trade_is_told_to_who_has_it_before_its_candles() -> None:
    talk = Talk(None, f"kline@{BTC}@1m", f"trade@{BTC}", f"trade@{ETH}", f"kline@{BTC}@1h")
    talk.wire.taken()
    talk.trade()
    now = talk.venue.now()
    told = talk.told()
    data = {"s": BTC, "px": "7", "sx": "0.5", "sd": "SELL", "src": 0, "rpi": False, "ts": now}
    assert told[0] == {"topic": f"trade@{BTC}", "ts": now, "data": data}
    assert sorted(one["topic"] for one in told[1:]) == [f"kline@{BTC}@1h", f"kline@{BTC}@1m"]
    talk.trade(ETH)
    assert [one["topic"] for one in talk.told()] == [f"trade@{ETH}"]


def test_what_was_left_is_not_told_any_more() -> None:
    talk = Talk(None, f"trade@{BTC}", f"bbo@{BTC}", f"kline@{BTC}@1m", f"orderbookupdate@{BTC}@50", f"ticker@{BTC}")
    assert f"bbo@{BTC}" in talk.topics()
    left = [f"trade@{BTC}", f"bbo@{BTC}", f"orderbookupdate@{BTC}@50", f"ticker@{BTC}"]
    talk.venue.world.stage.emit(BookChange("BTC_USDT", talk.venue.now()))
    assert talk.ask("UNSUBSCRIBE", *left, f"trade@{ETH}") == left
    assert talk.ask("LIST_SUBSCRIPTION") == [f"kline@{BTC}@1m"]
    assert talk.passed() == [], "also not what was announced before"
    talk.wire.taken()
    talk.trade()
    assert [one["topic"] for one in talk.told()] == [f"kline@{BTC}@1m"]
    talk.venue.world.account.place(talk.venue.world.markets["BTC_USDT"], "buy", 1, 1)  # type: ignore[arg-type]
    assert talk.topics(2_000) == []
    assert talk.ask("SUBSCRIBE", f"bbo@{BTC}") == [f"bbo@{BTC}"]
    assert talk.topics() == [f"bbo@{BTC}"], "to whom comes again it is told again"


def test_a_client_that_has_gone_is_told_nothing() -> None:
    talk = Talk(None, f"trade@{BTC}", f"orderbookupdate@{BTC}@50")
    talk.wire.taken()
    talk.peer.closed()
    talk.trade()
    assert talk.told() == []
    assert talk.venue.endpoint.peers == {}
    feed = talk.venue.endpoint.quoted[BTC].feed(50, talk.venue.now(), rpi=False)
    assert feed._watchers == {}


FRAMES: list[tuple[str | bytes, dict[str, Any]]] = [
    ("x", {"id": "", "cmd": "ERROR", "success": False, "data": "Invalid request."}),
    (b"\xff", {"id": "", "cmd": "ERROR", "success": False, "data": "Invalid request."}),
    ("[" * 9_999, {"id": "", "cmd": "ERROR", "success": False, "data": "Invalid request."}),
    ('{"cmd":"DANCE","id":7}', {"id": "7", "cmd": "DANCE", "success": False, "data": "Command type invalid!"}),
    ('{"cmd":"SUBSCRIBE","id":"a"}', {"id": "a", "cmd": "ERROR", "success": False, "data": "Invalid request."}),
    ('{"cmd":"SUBSCRIBE","params":[7]}', {"id": "", "cmd": "ERROR", "success": False, "data": "Invalid request."}),
    ('{"cmd":"SUBSCRIBE","params":"x"}', {"id": "", "cmd": "ERROR", "success": False, "data": "Invalid request."}),
    ('{"cmd":"SUBSCRIBE","params":[]}', {"id": "", "cmd": "SUBSCRIBE", "success": True, "data": []}),
    ('{"cmd":"LIST_SUBSCRIPTION"}', {"id": "", "cmd": "LIST_SUBSCRIPTION", "success": True, "data": []}),
    ('{"cmd":"PING","id":"7"}', {"cmd": "PONG", "success": True}),
]


def test_each_frame_is_answered() -> None:
    talk = Talk()
    for frame, answer in FRAMES:
        assert talk.answer(frame) == [{**answer, "time": talk.begin}], frame


@pytest.mark.parametrize(("count", "is_taken"), [(10, True), (11, False)])
def test_ten_topics_may_be_asked_for_at_once(count: int, is_taken: bool) -> None:
    topics = [f"trade@{symbol}" for symbol in list(WooX.symbols)[:count]]
    talk = Talk()
    (answer,) = talk.answer(json.dumps({"id": "1", "cmd": "SUBSCRIBE", "params": topics}))
    assert answer["data"] == (topics if is_taken else "Command type invalid!")
    assert talk.ask("LIST_SUBSCRIPTION") == topics * is_taken


def test_a_connection_has_so_many_topics_and_ends_after_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "MOST_TOPICS", 2)
    monkeypatch.setattr(endpoint, "LONGEST", 30.0)
    talk = Talk()
    topics = [f"trade@{BTC}", f"trade@{ETH}", f"bbo@{BTC}"]
    assert talk.ask("SUBSCRIBE", *topics) == topics[:2]
    assert talk.ask("UNSUBSCRIBE", topics[0]) == topics[:1]
    assert talk.ask("SUBSCRIBE", *topics[1:]) == topics[2:]
    for ms, is_over in ((29_999, False), (1, True)):
        talk.passed(ms)
        assert talk.wire.aborted is is_over


def test_changes_of_a_book_that_was_left_are_not_told() -> None:
    talk = Talk(None, f"orderbookupdate@{BTC}@50")
    market: Any = talk.venue.world.markets["BTC_USDT"]
    told = []
    for topics in ((), (f"orderbookupdate@{BTC}@50",), ()):
        market.limit("buy", market.engine.best("buy") + 1, 100)
        told.append(len(talk.passed(60)))
        if topics:
            talk.ask("UNSUBSCRIBE", *topics)
    assert told == [1, 1, 0]


TOPICS = [
    (f"orderbookupdate@{BTC}@50", True),
    (f"orderbookupdate@{BTC}@200", True),
    (f"orderbookupdaterpi@{PERP}@500", True),
    (f"orderbookupdate@{BTC}@100", False),
    (f"orderbookupdate@{BTC}", False),
    (f"kline@{BTC}@3d", True),
    (f"kline@{BTC}@1M", True),
    (f"kline@{BTC}", False),
    (f"kline@{BTC}@7m", False),
    *((f"{name}@{BTC}", True) for name in ("bbo", "bborpi", "trade", "ticker", "indexprice")),
    *((f"{name}@{BTC}@50", False) for name in ("bbo", "bborpi", "trade", "ticker", "indexprice")),
    *((f"{name}@{PERP}", True) for name in ("bbo", "markprice", "estfundingrate")),
    *((f"{name}@{PERP}@1", False) for name in ("markprice", "estfundingrate")),
    *((f"{name}@{BTC}", False) for name in ("markprice", "estfundingrate", "orderbook10", "weather")),
    (f"indexprice@{PERP}", False),
    ("trade@SPOT_NOPE_USDT", False),
    (f"trade@{BTC}@", False),
    (f" trade@{BTC}", False),
    ("trade", False),
    ("", False),
]


def test_which_topics_there_are() -> None:
    talk = Talk()
    for topic, is_there in TOPICS:
        assert talk.ask("SUBSCRIBE", topic) == [topic] * is_there, topic
        assert talk.ask("SUBSCRIBE", topic) == [], "once"


def test_the_world_hears_which_market_a_client_comes_to(monkeypatch: pytest.MonkeyPatch) -> None:
    talk = Talk()
    heard: list[str] = []
    monkeypatch.setattr(talk.venue.world, "joined", heard.append)
    talk.ask("SUBSCRIBE", f"trade@{ETH}", "trade@SPOT_NOPE_USDT", f"weather@{BTC}", f"trade@{BTC}", f"trade@{BTC}")
    assert heard == ["ETH_USDT", "BTC_USDT"]


def test_best_prices_come_at_once_and_when_they_have_changed() -> None:
    talk = Talk(None, f"bbo@{BTC}")
    (first,) = talk.passed()
    quoted = talk.venue.endpoint.quoted[BTC]
    assert first == {"topic": f"bbo@{BTC}", "ts": talk.begin, "data": quoted.best_prices(talk.begin, rpi=False)}
    talk.venue.world.stage.emit(BookChange("BTC_USDT", talk.venue.now()))
    assert talk.passed(10) == [], "as they were"
    market: Any = talk.venue.world.markets["BTC_USDT"]
    market.limit("buy", market.engine.best("buy") + 1, 100)
    (again,) = talk.passed(10)
    assert again["data"]["bp"] != first["data"]["bp"]
    assert again["ts"] == talk.begin + 20
    market.limit("buy", market.engine.best("buy") - 5, 100)
    assert talk.passed(10) == [], "behind the best price"


def test_best_prices_with_rpi_orders_move_by_themselves_in_a_lively_market() -> None:
    talk = Talk(None, f"bborpi@{BTC}", f"bborpi@{ADA}")
    assert sorted(talk.topics()) == [f"bborpi@{ADA}", f"bborpi@{BTC}"]
    assert talk.topics(200 - talk.begin % 200 + 50) == [f"bborpi@{BTC}"]


def test_figures_come_every_second_and_a_funding_rate_every_minute() -> None:
    topics = [f"ticker@{PERP}", f"markprice@{PERP}", f"indexprice@{BTC}", f"estfundingrate@{PERP}"]
    talk = Talk(None, *topics)
    assert talk.passed(999) == []
    assert talk.topics(1) == topics
    counts = [talk.topics(1_000) for _ in range(60)]
    assert counts == [topics[:3]] * 59 + [topics]


def test_the_figures_are_those_of_the_symbol() -> None:
    topics = [f"ticker@{PERP}", f"markprice@{PERP}", f"indexprice@{BTC}", f"estfundingrate@{PERP}"]
    talk = Talk(None, *topics)
    found = {one["topic"]: one["data"] for one in talk.passed(1_000)}
    now, quoted = talk.venue.now(), talk.venue.endpoint.quoted
    assert [found[topic] for topic in topics] == [
        quoted[PERP].figures.day(PERP, now, quoted[PERP].middle()),
        quoted[PERP].mark(now),
        quoted[BTC].index(now),
        quoted[PERP].funding(now),
    ]


def test_a_candle_comes_once_more_when_it_is_over() -> None:
    talk = Talk(None, f"kline@{BTC}@1m")
    talk.venue.advance(60_000 - talk.begin % 60_000 + 58_900)  # 1.1 s before the end of a minute
    talk.passed()
    talk.trade()
    (row,) = talk.told()
    end = row["data"]["et"]
    found = [talk.topics(1_000) and talk.venue.now() - end for _ in range(5)]
    assert found == [[], 900, 1_900, [], []]
    other = Talk(talk.venue)
    assert other.ask("SUBSCRIBE", f"kline@{BTC}@1m", f"kline@{ETH}@1m") is not None
    assert len(other.wire.sent) == 1, "one that is over is not told, nor one of a market without a trade"
    talk.trade()
    other = Talk(talk.venue, f"kline@{BTC}@1m")
    assert [json.loads(data)["data"]["o"] for data in other.wire.sent[1:]] == ["7"]


@pytest.mark.parametrize(("after", "is_told"), [(1_999, True), (2_000, False)])
def test_a_candle_that_is_over_is_told_for_two_seconds(after: int, is_told: bool) -> None:
    talk = Talk()
    talk.trade()
    (end,) = [
        kline.end for interval, kline in talk.venue.endpoint.quoted[BTC].figures.klines.items() if interval == "1m"
    ]
    talk.venue.advance(end + after - talk.venue.now())
    other = Talk(talk.venue, f"kline@{BTC}@1m")
    assert [one["topic"] for one in other.told()[1:]] == [f"kline@{BTC}@1m"] * is_told


def test_a_candle_that_is_over_is_told_at_its_end_and_a_second_later() -> None:
    talk = Talk(None, f"kline@{BTC}@1m")
    assert talk.begin % 1_000 == 0
    talk.trade()
    talk.passed(60_000 - talk.begin % 60_000 - 1_000)
    assert [talk.topics(1_000) for _ in range(4)] == [[f"kline@{BTC}@1m"]] * 2 + [[]] * 2


def test_a_trade_of_another_world_is_not_told() -> None:
    talk = Talk(None, f"trade@{BTC}", f"kline@{BTC}@1m", f"bbo@{BTC}")
    talk.passed(10)
    trade = Trade("XRP_USDT", talk.venue.now(), 1, Decimal(7), Decimal(1), "sell")
    talk.venue.world.stage.emit(trade)
    talk.venue.world.stage.emit(BookChange("XRP_USDT", talk.venue.now()))
    assert talk.passed(10) == []


def test_without_the_fault_lag_a_book_keeps_nothing_of_before() -> None:
    venue = Venue(rate=0.0)
    assert not venue.endpoint.quoted[BTC].feed(50, venue.now(), rpi=False)._history
    late = Venue(rate=0.0, faults={"lag": 0.5})
    assert len(late.endpoint.quoted[BTC].feed(50, late.now(), rpi=False)._history) == 2


@pytest.mark.parametrize("symbol", [BTC, ADA])
def test_best_prices_with_rpi_orders_are_those_of_the_book_with_them(symbol: str) -> None:
    venue = Venue(rate=0.0)
    for ms in (0, 150, 200, 1_000):
        venue.advance(ms)
        quoted, now = venue.endpoint.quoted[symbol], venue.now()
        best = quoted.best_prices(now, rpi=True)
        whole = quoted.feed(50, now, rpi=True).whole(now, 1)
        assert [Decimal(best[name]) for name in ("bp", "bq", "ap", "aq")] == [*whole.bids[0], *whole.asks[0]]


@pytest.mark.parametrize(("silent", "is_cut"), [(59_999, False), (60_000, True)])
def test_a_client_that_says_nothing_for_a_minute_is_cut(silent: int, is_cut: bool) -> None:
    talk = Talk(None, f"ticker@{BTC}")
    talk.venue.advance(100_000)
    talk.wire.pass_time()
    talk.wire.aborted = False
    talk.wire.taken()
    talk.venue.advance(1_000)
    talk.wire.heard = talk.venue.now() - silent
    talk.wire.pass_time()
    assert (talk.wire.aborted, bool(talk.wire.taken())) == (is_cut, not is_cut)


def test_a_lost_change_is_the_next_one_of_each_book() -> None:
    books = [f"orderbookupdate@{BTC}@50", f"orderbookupdaterpi@{ETH}@50"]
    talk = Talk(None, *books, f"trade@{BTC}")
    talk.peer.gap()
    told = []
    for number in range(3):
        for name in ("BTC_USDT", "ETH_USDT"):
            market: Any = talk.venue.world.markets[name]
            market.limit("buy", market.engine.best("buy") + 1, 100 + number)
        talk.venue.endpoint.quoted[ETH].feed(50, talk.venue.now(), rpi=True)
        told.append(sorted(set(talk.topics(60))))
    assert told == [[], books, books]
    talk.peer.gap()
    talk.trade()
    assert [one["topic"] for one in talk.told()] == [f"trade@{BTC}"]


def test_bad_frames_are_of_the_topics_that_the_client_has() -> None:
    talk = Talk(None, f"bbo@{ETH}")
    frames = [*talk.peer.garbage()]
    now = talk.begin
    head = f'{{"topic":"bbo@{ETH}","ts":{now},"data":'
    assert frames[:3] == [f'{{"topic":"bbo@{ETH}","ts":17'.encode(), b'{"success":false}', f'{head}"none"}}'.encode()]
    assert frames[-1] == f'{{"topic":"weather@{ETH}","ts":{now},"data":{{"rain":true}}}}'.encode()
    assert len(frames) == 2 + 5 + 1
    assert all(frame.startswith(head.encode()) for frame in frames[2:-1])
    assert next(iter(Talk().peer.garbage())) == f'{{"topic":"bbo@{BTC}","ts":17'.encode()
    many = Talk()
    for at in (0, 10, 20):
        many.ask("SUBSCRIBE", *(f"trade@{symbol}" for symbol in list(WooX.symbols)[at : at + 10]))
    assert len([*many.peer.garbage()]) == 2 + 20 * 5 + 1
    assert [many.peer.farewell(reconnect=one) for one in (True, False)] == [b"", b""]


# --- over HTTP


def asked(venue: Venue, path: str) -> tuple[int, Any]:
    answer = venue.get(f"http://sim/v3/public/{path}")
    return answer.status, json.loads(answer.body)


def test_how_many_levels_may_be_asked_for() -> None:
    venue = Venue(rate=0.0)
    bids = venue.world.markets["BTC_USDT"].levels("buy")
    for most, rows in (("1", 1), ("50", 50), ("51", 51), ("1000", len(bids))):
        status, said = asked(venue, f"orderbook?symbol={BTC}&maxLevel={most}")
        assert (status, len(said["data"]["bids"])) == (200, rows)
        best = [Decimal(said["data"]["bids"][0][name]) for name in ("price", "quantity")]
        assert best == [bids[0].price, bids[0].size]
    for most in ("1001", "0", "01", "-1"):
        status, said = asked(venue, f"orderbook?symbol={BTC}&maxLevel={most}")
        assert (status, said) == (500, {"success": False, "message": "internal error"})


def test_a_path_answers_ten_times_a_second() -> None:
    venue = Venue(rate=0.0)
    paths = [f"orderbook?symbol={BTC}", "instruments", "systemInfo"]
    for path in paths:
        assert [asked(venue, path)[0] for _ in range(10)] == [200] * 10
        assert asked(venue, path) == (429, {"success": False, "code": -1003, "message": "Rate limit exceed."})
        venue.advance(999)
        assert asked(venue, path)[0] == 429
        venue.advance(1)
        assert asked(venue, path)[0] == 200


def test_each_request_counts_for_a_second() -> None:
    venue = Venue(rate=0.0)
    found = []
    for count, wait in ((5, 600), (6, 400), (6, 600), (6, 0)):
        found.append([asked(venue, "systemInfo")[0] for _ in range(count)].count(200))
        venue.advance(wait)
    assert found == [5, 5, 5, 5]


def test_how_the_system_is() -> None:
    venue = Venue(rate=0.0)
    data = {"status": 0, "msg": "System is functioning properly.", "estimatedEndTime": 0}
    assert asked(venue, "systemInfo") == (200, {"success": True, "data": data, "timestamp": venue.now()})
    assert asked(venue, "instruments")[1]["timestamp"] == venue.now()


def test_what_happens_in_a_quiet_market_is_told_to_who_watches_it() -> None:
    talk = Talk(None, f"trade@{ADA}", f"bbo@{ADA}", f"kline@{ADA}@1m", f"trade@{BTC}")
    assert talk.topics() == [f"bbo@{ADA}"]
    murmured = talk.venue.endpoint._murmured
    market: Any = talk.venue.endpoint.quoted[ADA].market
    market._sides["buy"][max(market._sides["buy"]) + 1] = 7
    murmured(ADA, None)
    assert talk.topics() == [f"bbo@{ADA}"]
    market._sides["buy"][max(market._sides["buy"]) + 1] = 7
    murmured(ADA, Trade(ADA, talk.venue.now(), 1, Decimal(7), Decimal(1), "sell"))
    assert [one["topic"] for one in talk.told()] == [f"trade@{ADA}", f"kline@{ADA}@1m"]
    assert talk.topics() == [f"bbo@{ADA}"]
    assert [type(one).__name__ for one in talk.venue.world._processes].count("Murmur") == 1


def test_the_book_over_http_is_as_far_behind_as_the_fault_says() -> None:
    venue = Venue(rate=0.0, faults={"lag": 2.0})
    market: Any = venue.world.markets["BTC_USDT"]

    def best() -> Decimal:
        return Decimal(asked(venue, f"orderbook?symbol={BTC}&maxLevel=1")[1]["data"]["bids"][0]["price"])

    before = best()
    venue.advance(5_000)
    market.limit("buy", market.engine.best("buy") + 1, 100)
    found = []
    for ms in (0, 1_999, 1):
        venue.advance(ms)
        found.append(best())
    assert found == [before, before, market.best("buy")]


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ("", 400, {"success": False, "code": -1005, "message": "symbol is required"}),
        ("symbol=", 400, {"success": False, "code": -1005, "message": "symbol is required"}),
        ("maxLevel=5", 400, {"success": False, "code": -1005, "message": "symbol is required"}),
        (f"symbol={'X' * 81}", 400, {"success": False, "message": f"invalid symbol {'X' * 80}"}),
    ],
)
def test_a_book_of_no_symbol(query: str, status: int, said: dict[str, Any]) -> None:
    assert asked(Venue(rate=0.0), f"orderbook?{query}") == (status, said)


@pytest.mark.parametrize(("most", "is_of_the_chain"), [(1, True), (50, True), (51, False), (200, False)])
def test_a_book_over_http_is_of_the_chain_that_has_so_many_levels(most: int, is_of_the_chain: bool) -> None:
    talk = Talk(None, f"orderbookupdate@{BTC}@50")
    market: Any = talk.venue.world.markets["BTC_USDT"]
    market.limit("buy", market.engine.best("buy") + 1, 100)
    (told,) = talk.passed(60)
    assert told["data"]["prevTs"] == talk.begin
    talk.venue.advance(1_000)
    status, said = asked(talk.venue, f"orderbook?symbol={BTC}&maxLevel={most}")
    assert status == 200
    assert said["timestamp"] == (told["data"]["ts"] if is_of_the_chain else talk.venue.now())
