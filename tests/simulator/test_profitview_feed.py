"""The feed of the simulated ProfitView, message by message, in a market that does what the test says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from venues.profitview.simulator import ProfitView
from venues.simulator.endpoint import Answer, Handshake
from venues.simulator.market_events import Holding

from .plays import Link
from .test_venue_parts import NOW, Taped

KEY = "sim-profitview-api-key"


class Feed:
    """A client of the feed: best prices at first 9 × 1 and 10 × 2."""

    def __init__(self, taped: Taped | None = None) -> None:
        self.taped = Taped() if taped is None else taped
        self.venue = ProfitView(self.taped.world)
        self.join()

    def join(self) -> None:
        self.link = Link(self.taped.world.clock)  # type: ignore[arg-type]
        connect: Any = self.venue.sockets()["/stream"](Handshake({}, {"token": KEY}, {}))
        self.peer = connect(self.link)
        self.peer.opened()

    def told(self, milliseconds: int = 0) -> list[tuple[str, Any]]:
        """What has come since the last time, after so much more time."""
        self.taped.world.clock.advance(milliseconds)  # type: ignore[attr-defined]
        self.link.step()
        found = [json.loads(data) for _, data in self.link.frames]
        self.link.frames.clear()
        return [(one["type"], one["data"]) for one in found]


def theo(market: float, price: float, bps: float, half: float = 0.5) -> tuple[str, dict[str, Any]]:
    data = {"sym": "BTCUSDT", "market": market, "theo": price, "diff_bps": bps}
    return "merton_theo", {**data, "quote_bid": price - half, "quote_ask": price + half}


def quote(bid: list[float], ask: list[float], after: int = 0) -> tuple[str, dict[str, Any]]:
    return "btc_quote", {"bid": bid, "ask": ask, "time": NOW + after}


@pytest.mark.parametrize("query", [{}, {"token": ""}, {"token": KEY + "x"}, {"token": "\udcff"}])
def test_a_client_needs_the_token(query: dict[str, str]) -> None:
    admit = ProfitView(Taped().world).sockets()["/stream"]
    assert admit(Handshake({}, query, {})) == Answer(401, "unknown token\n")


def test_one_message_of_each_timed_topic_comes_at_once() -> None:
    assert Feed().told() == [("heartbeat", None), theo(9.5, 9.5, 0), quote([9, 1], [10, 2])]
    for rows in (((), (("10", "2"),)), ((("9", "1"),), ()), ((), ())):
        assert Feed(Taped(*rows)).told() == [("heartbeat", None)], "in a book with an empty side there is no price"


def test_quotes_come_when_they_have_changed_and_the_others_always() -> None:
    feed = Feed()
    feed.told()
    assert feed.told(499) == []
    assert feed.told(1) == []
    feed.taped.book([("9", "1.5"), ("8", "7")], [])
    assert feed.told(499) == []
    assert feed.told(1) == [theo(9.5, 9.5, 0), quote([9, 1.5], [10, 2], 1_000)]
    feed.taped.book([], [("9.5", "1")])
    assert feed.told(1_000) == [theo(9.25, 9.25, 0, 0.25), quote([9, 1.5], [9.5, 1], 2_000)]
    feed.taped.book([("9", "0"), ("8", "0")], [])
    assert feed.told(2_999) == []
    assert feed.told(1) == [("heartbeat", None)]


def test_a_trade_is_told_with_its_candle() -> None:
    feed = Feed()
    feed.told()
    feed.taped.trade("9.5", "0.25", "sell", after=1)
    candle = {"time": NOW, "open": 9.5, "high": 9.5, "low": 9.5, "close": 9.5, "volume": 0.25}
    trade = {"side": "Sell", "price": 9.5, "size": 0.25, "time": NOW + 1}
    assert feed.told() == [("btc_trade", trade), ("btc_candle_1m", candle)]
    assert feed.told(1_000)[0] == theo(9.5, 9.5, 0)
    feed.taped.trade("11.5", "1", "buy", after=59_999)
    signal = {"src": "simulator", "sym": "BTCUSDT", "size": -0.5}
    trade = {"side": "Buy", "price": 11.5, "size": 1, "time": NOW + 59_999}
    candle |= {"high": 11.5, "close": 11.5, "volume": 1.25}
    assert feed.told() == [("btc_trade", trade), ("btc_candle_1m", candle), ("btc_signal", signal)]
    assert feed.told(1_000) == [theo(9.5, 9.6, 105.26)], "a twentieth of the way"
    feed.taped.trade("7.6", "1", "buy", after=59_999)
    told = feed.told()
    assert told[1] == ("btc_candle_1m", {**candle, "low": 7.6, "close": 7.6, "volume": 2.25})
    assert told[2] == ("btc_signal", {**signal, "size": 0.5})
    feed.taped.trade("7", "1", "buy", after=60_000)
    new = {"time": NOW + 60_000, "open": 7, "high": 7, "low": 7, "close": 7, "volume": 1}
    assert [data for topic, data in feed.told() if topic == "btc_candle_1m"] == [new]


@pytest.mark.parametrize(
    ("price", "size"),
    [
        ("100000", None),
        ("100001.05", None),  # 0.1 basis points below: not more
        ("100001.2", -0.5),
        ("99998.95", None),
        ("99998.8", 0.5),
    ],
)
def test_the_bot_takes_a_position_where_the_market_is_well_off(price: str, size: float | None) -> None:
    feed = Feed()
    feed.taped.trade("100000", "1")
    feed.told()
    feed.taped.trade(price, "1", after=1)
    signals = [data["size"] for topic, data in feed.told() if topic == "btc_signal"]
    assert signals == ([] if size is None else [size])
    feed.taped.trade(price, "1", after=2)
    assert [topic for topic, _ in feed.told()] == ["btc_trade", "btc_candle_1m"], "once"
    if size is not None:
        for at in range(40):
            feed.taped.trade(price, "1", after=3 + at)
        assert [data["size"] for topic, data in feed.told() if topic == "btc_signal"] == [0]


def test_other_markets_and_other_events_are_not_told_and_who_has_gone_is_told_nothing() -> None:
    feed = Feed()
    feed.told()
    market: Any = feed.taped.world.markets["ETH_USDT"]
    market.market("buy", 1)
    feed.taped.world.stage.emit(Holding("BTC_USDT", 1, 1))  # type: ignore[arg-type]
    assert feed.told() == []
    feed.peer.closed()
    feed.taped.trade("9", "1")
    assert feed.told() == []
    feed.join()
    assert feed.told()[1] == theo(9.5, 9, -526.32), "the bot follows its market all the same"


def test_bad_frames_of_the_feed() -> None:
    feed = Feed()
    bad = [*feed.peer.garbage()]
    assert bad[:4] == [
        b'{"type":"btc_quote","data":{"b',
        b'{"data":{"sym":"BTCUSDT","theo":1}}',
        b'{"type":7,"data":null}',
        b'["merton_theo",{"theo":1}]',
    ]
    assert bad[4:7] == [
        f'{{"type":"merton_theo","data":{{"sym":"BTCUSDT","theo":{number}}}}}'.encode()
        for number in ("NaN", "1e400", "1e999999999999999999")
    ]
    assert bad[7:] == [b'{"type":"merton_theo","data":' + b"[" * 1_000 + b"]" * 1_000 + b"}"]
    feed.peer.receive("anything")
    feed.peer.gap()
    assert [feed.peer.farewell(reconnect=one) for one in (True, False)] == [b"", b""]
