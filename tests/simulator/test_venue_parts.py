"""Parts of simulated venues by themselves, where their plays do not go: bounds, empty books, what is forgotten."""

from __future__ import annotations

import json
from decimal import Decimal
from itertools import pairwise
from random import Random
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from venues.b2trader.simulator import market as b2trader_market
from venues.b2trader.simulator.market import MarketData, _change, _shuffled, full_name
from venues.b2trader.simulator.text import instant, second, ulid
from venues.jayx.simulator.market import Quoted as JayxQuoted
from venues.jayx.simulator.market import _grouped
from venues.kraken.simulator import market as kraken_market
from venues.kraken.simulator.endpoint import KrakenPeer
from venues.kraken.simulator.market import Quoted as KrakenQuoted
from venues.kraken.simulator.market import Stamps, _bare, _digits, stamp
from venues.nbt.simulator.strategies import STRATEGIES, Doings, price_text, user_payload
from venues.simulator.figures import text
from venues.simulator.market_events import BookChange
from venues.simulator.tape import Row, Rows, Steps, Tape, TapeTrade
from venues.simulator.world import World
from venues.simulator.world_clock import ManualClock

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from venues.simulator.player import TapeMarket

NOW = 1_700_000_040_000  # the beginning of a minute


class Taped:
    """A world whose BTC_USDT does what the test says: with ticks of 0.5 and lots of 0.25, at first 9 × 1 to 10 × 2."""

    def __init__(self, bids: Sequence[tuple[str, str]] = (("9", "1"),), asks: Any = (("10", "2"),)) -> None:
        self.world = World(ManualClock(NOW), seed=1, rate=0, tape=Tape("A-B", []))
        self.world.steps = lambda market: Steps(Decimal("0.5"), Decimal("0.25"))  # type: ignore[method-assign]
        self.market: TapeMarket = self.world.markets["BTC_USDT"]  # type: ignore[assignment]
        self.book(bids, asks, whole=True)

    def at(self, milliseconds: int) -> None:
        self.world.stage.now = NOW + milliseconds

    def book(self, bids: Sequence[tuple[str, str]], asks: Sequence[tuple[str, str]], *, whole: bool = False) -> None:
        sides = ([Row(Decimal(price), Decimal(size)) for price, size in rows] for rows in (bids, asks))
        self.market.apply(Rows(0, whole, *sides), self.world.stage.now)

    def trade(self, price: str, size: str, side: str = "buy", after: int = 0) -> None:
        self.at(after)
        self.market.apply(TapeTrade(0, Decimal(price), Decimal(size), side), NOW + after)  # type: ignore[arg-type]


# --- figures


@pytest.mark.parametrize(
    ("number", "written"),
    [
        ("0", "0"),
        ("-0", "0"),
        ("-0.00", "0"),
        ("10", "10"),
        ("1E+2", "100"),
        ("1.50", "1.5"),
        ("-2.0", "-2"),
        ("1E-8", "0.00000001"),
    ],
)
def test_numbers_have_no_zeros_behind(number: str, written: str) -> None:
    assert text(Decimal(number)) == written


@pytest.mark.parametrize(
    ("time", "ticks", "written"),
    [
        (0, 0, "1970-01-01T00:00:00.00Z"),
        (1_999, 0, "1970-01-01T00:00:01.999Z"),
        (1_500, 0, "1970-01-01T00:00:01.50Z"),
        (1_500, 9_999, "1970-01-01T00:00:01.5009999Z"),
        (1_500, 10_000, "1970-01-01T00:00:01.50Z"),
        (1_500, 10_010, "1970-01-01T00:00:01.500001Z"),
    ],
)
def test_instants(time: int, ticks: int, written: str) -> None:
    assert instant(time, ticks) == written


@pytest.mark.parametrize(
    ("time", "written"),
    [(999, "1970-01-01T00:00:00Z"), (1_000, "1970-01-01T00:00:01Z"), (59_999, "1970-01-01T00:00:59Z")],
)
def test_seconds(time: int, written: str) -> None:
    assert second(time) == written


def test_ids_are_time_and_number_in_base_32() -> None:
    assert ulid(0, 0) == "0" * 26
    assert ulid(33, 32) == "0000000011" + "0000000000000010"
    assert ulid(1_700_000_000_000, 254_558) == "01HF7YAT00" + "00000000000007RJY"[1:]


# --- JayX


def row(ticks: int, lots: int, count: int = 1) -> dict[str, Any]:
    return {"ticks": ticks, "lots": lots, "count": count}


@pytest.mark.parametrize(
    ("precise", "up", "ticks", "groups"),
    [
        (10, False, [29, 20, 19, 11, 9, 1], [row(20, 3, 2), row(10, 12, 2), row(1, 48, 2)]),
        (10, True, [1, 10, 11, 20, 21], [row(10, 3, 2), row(20, 12, 2), row(30, 16)]),
        (2, False, [3, 2, 1], [row(2, 3, 2), row(1, 4)]),
        (1, True, [3, 4], [row(3, 1), row(4, 2)]),
    ],
)
def test_bids_are_grouped_down_and_offers_up(precise: int, up: bool, ticks: list[int], groups: list[Any]) -> None:
    rows = [row(one, 1 << at) for at, one in enumerate(ticks)]
    assert _grouped(rows, precise, up=up) == groups


def test_a_book_of_jayx_has_the_latest_fifty_trades_the_newest_first() -> None:
    taped = Taped()
    quoted = JayxQuoted(taped.world, "BTCUSDT", "BTC_USDT")
    book = {"asks": [row(20, 8)], "bids": [row(18, 4)]}
    assert quoted.orderbook(1) == {"orderBook": book, "trades": []}
    for number in range(51):
        taped.trade("9.5", str(number + 1), "sell", after=number)
    said = quoted.orderbook(1)
    assert said["trades"] == [
        {"lots": 4 * (number + 1), "ticks": 19, "side": "SELL", "created": NOW + number} for number in range(50, 0, -1)
    ]
    rows = said["orderBook"]["asks"]
    taped.book([("9", "3")], [])
    again = quoted.orderbook(1)["orderBook"]
    assert again == {"asks": [row(20, 8)], "bids": [row(18, 12)]}
    assert again["asks"][0] is rows[0], "a level that has not changed is not made again"
    assert quoted.orderbook(2)["orderBook"] == {"asks": [row(20, 8)], "bids": [row(18, 12)]}
    taped.book([("9.5", "1")], [])
    assert quoted.orderbook(2)["orderBook"]["bids"] == [row(18, 16, 2)]
    taped.book([("9.5", "0")], [])
    assert quoted.orderbook(20)["orderBook"] == {"asks": [row(20, 8)], "bids": [row(1, 12)]}
    assert (quoted.ticks(Decimal("1.5")), quoted.lots(Decimal("1.5")), quoted.amount(Decimal(3))) == (3, 6, 24)


def test_candles_of_jayx_begin_with_a_trade_and_end_with_their_time() -> None:
    taped = Taped()
    quoted = JayxQuoted(taped.world, "BTCUSDT", "BTC_USDT")
    assert (quoted.candle(60), quoted.previous(60)) == (None, None)
    for price, size, after in (("5", "1", 1_000), ("9", "2", 2_000), ("2", "0.25", 3_000), ("4", "0.5", 59_999)):
        taped.trade(price, size, after=after)
    candle = quoted.candle(60)
    assert candle is not None
    start = NOW // 1000
    told = {
        "_id": f"{start:08x}{60:016x}",
        "created": start,
        "o": 10,
        "h": 18,
        "l": 4,
        "c": 8,
        "v": 15,
        "m": start + 59,
    }
    assert quoted.kline(candle, 60) == {**told, "symbol": "BTCUSDT"}
    assert quoted.previous(60) is None
    taped.trade("6", "1", after=60_000)
    new = quoted.candle(60)
    assert new is not None
    assert quoted.previous(60) is candle
    assert (new.start, new.open, new.high, new.low, new.close, new.lots, new.modified) == (
        start + 60,
        *(12,) * 4,
        4,
        start + 60,
    )
    long = quoted.candle(3_600)
    assert long is not None
    assert (long.start, long.open, long.close, long.lots) == (start - start % 3_600, 10, 12, 19)


# --- NBT


class Chance:
    """The first of all choices, unless `picks` says another; draws what it was told to."""

    def __init__(self, *drawn: float, picks: Sequence[int] = ()) -> None:
        self.drawn = [*drawn]
        self.picks = [*picks]
        self.shuffled: list[Any] = []

    def choice(self, among: Sequence[Any]) -> Any:
        return among[self.picks.pop(0) if self.picks else 0]

    def random(self) -> float:
        return self.drawn.pop(0)

    def uniform(self, least: float, most: float) -> float:
        assert (least, most) == (300.0, 800.0)
        return 500.0

    def shuffle(self, some: list[Any]) -> None:
        self.shuffled.append(some.copy())


class Hub:
    """The hub's own events, with chance by hand."""

    def __init__(self, taped: Taped, *drawn: float, picks: Sequence[int] = (), rate: float = 20.0) -> None:
        self.told: list[tuple[str, Any]] = []
        self.doings = Doings(taped.world, {"BTCUSDT": "BTC_USDT"}, rate, lambda *event: self.told.append(event))
        self.chance = self.doings._random = Chance(*drawn, picks=picks)  # type: ignore[assignment]


NAMES = {
    "userid": "1472",
    "nickname": "night_heron",
    "stratid": "681",
    "stratname": "trend follower",
    "pair": "BTCUSDT",
}


def test_a_strategy_opens_and_closes_at_the_price_of_the_other_side() -> None:
    hub = Hub(Taped())
    signal = {**NAMES, "score": "NA"}
    hub.doings._signal()
    hub.doings._signal()
    hub.chance.picks = [0, 0, 1]
    hub.doings._signal()
    hub.doings._signal()
    assert hub.told == [
        ("buy_signal", {**signal, "price": "10.00000000", "new": True}),
        ("sell_signal", {**signal, "price": "9.00000000", "new": False}),
        ("sell_signal", {**signal, "price": "9.00000000", "new": True}),
        ("buy_signal", {**signal, "price": "10.00000000", "new": False}),
    ]
    assert not hub.doings._over(), "nothing of it is open any more"


@pytest.mark.parametrize(
    ("drawn", "event", "more"),
    [(0.59, "close_traded_signal", {"close_price": "9.00000000"}), (0.6, "stop_traded_signal", {})],
)
def test_the_hub_ends_a_traded_position_before_its_strategy_does(drawn: float, event: str, more: Any) -> None:
    hub = Hub(Taped(), drawn)
    hub.doings._signal()
    assert hub.doings._over() is True
    assert hub.told[1:] == [(event, {**NAMES, "trading_type": "real", "qty": "25", **more})]
    assert hub.doings._over() is False
    assert len(hub.told) == 2


def test_a_strategy_that_is_not_traded_for_the_account_opens_no_position_of_it() -> None:
    hub = Hub(Taped(), picks=[2])
    hub.doings._signal()
    assert [event for event, _ in hub.told] == ["buy_signal"]
    assert hub.doings._over() is False


def test_in_an_empty_book_there_is_no_signal_and_nothing_is_closed() -> None:
    taped = Taped(asks=())
    hub = Hub(taped)
    hub.doings._signal()  # a buy
    assert hub.told == []
    hub.chance.picks = [0, 0, 1]
    hub.doings._signal()  # a sell
    assert [event for event, _ in hub.told] == ["sell_signal"]
    taped.book([], [], whole=True)
    assert hub.doings._over() is True
    assert hub.told[1][0] == "stop_traded_signal"


def test_a_round_of_the_hub_has_ten_events() -> None:
    taped = Taped()
    hub = Hub(taped, 0.1, 0.1)
    begin = hub.doings.due = 1_000.0
    for _ in range(11):
        hub.doings.step()
    (round_of_ten, _) = hub.chance.shuffled
    assert round_of_ten == ["signal"] * 6 + ["traded", "traded", "message", "payload"]
    assert [event for event, _ in hub.told[:4]] == ["user_payload", "message", "buy_signal", "close_traded_signal"]
    assert hub.told[0][1] == user_payload()
    assert hub.told[1][1] == "0 signals so far, 0 positions of 4 strategies"
    assert hub.told[-1][0] == "user_payload"
    assert hub.doings.due == begin + 11 * 500
    hub.doings.step()
    assert hub.told[-1] == ("message", "7 signals so far, 1 positions of 4 strategies")


def test_the_hubs_first_event_comes_within_a_second() -> None:
    taped = Taped()
    doings = Doings(taped.world, {"BTCUSDT": "BTC_USDT"}, 20.0, lambda *event: None)
    assert 300.0 <= doings.due - taped.world.stage.now <= 800.0


@pytest.mark.parametrize(("rate", "wait"), [(20.0, 500.0), (40.0, 250.0), (0.0, float("inf"))])
def test_the_hub_speaks_sooner_where_more_is_going_on(rate: float, wait: float) -> None:
    hub = Hub(Taped(), rate=rate)
    hub.doings.due = 1.0
    hub.doings._schedule()
    assert hub.doings.due == 1 + wait


@pytest.mark.parametrize(
    ("price", "written"),
    [("0.9245", "0.92450000"), ("7", "7.00000000"), ("1.123456789", "1.123456789"), ("1E+2", "100.00000000")],
)
def test_prices_of_the_hub_have_eight_decimals_at_least(price: str, written: str) -> None:
    assert price_text(Decimal(price)) == written


def test_what_is_traded_for_the_account() -> None:
    ends = {"stop_loss": "3.5", "take_profit": "12"}
    assert user_payload() == [
        {"stratid": "681", "trading": True, "trading_type": "real", "buy_amount": "250", **ends},
        {"stratid": "702", "trading": True, "trading_type": "virtual", "buy_amount": "100", **ends},
    ]
    assert [one.buy_amount for one in STRATEGIES] == ["250", "100", "", ""]


# --- Kraken


def test_stamps_rise_strictly() -> None:
    stamps = Stamps()
    assert [stamps.after(time) for time in (1, 1, 0, 2)] == [
        f"1970-01-01T00:00:00.{micro:06}Z" for micro in (1_000, 1_001, 1_002, 2_000)
    ]
    assert stamp(1_700_000_040_123_456) == "2023-11-14T22:14:00.123456"


@pytest.mark.parametrize(("written", "bare"), [("0.0500", "500"), ("12.30", "1230"), ("0.0", ""), ("100", "100")])
def test_figures_of_a_checksum_have_no_point_and_no_leading_zeros(written: str, bare: str) -> None:
    assert _bare(written) == bare


@pytest.mark.parametrize(("step", "digits"), [("0.01", 2), ("1", 0), ("1E+2", 0), ("1E-8", 8)])
def test_digits_of_a_step(step: str, digits: int) -> None:
    assert _digits(Decimal(step)) == digits


class Kraken:
    def __init__(self, taped: Taped) -> None:
        self.taped = taped
        self.quoted = KrakenQuoted(taped.world, "BTC/USD", "BTC_USDT", Stamps())

    def ticker(self) -> dict[str, Any]:
        (said,) = json.loads(self.quoted.ticker())["data"]
        del said["timestamp"]
        return {name: value for name, value in said.items() if name != "symbol"}


def test_a_ticker_of_an_empty_book_without_trades_is_all_0() -> None:
    assert set(Kraken(Taped((), ())).ticker().values()) == {0}


def test_a_ticker_sums_up_the_last_24_hours_by_the_minute() -> None:
    kraken = Kraken(Taped())
    best = {"bid": 9.0, "bid_qty": 1.0, "ask": 10.0, "ask_qty": 2.0}
    nothing = {"volume": 0, "vwap": 9, "low": 9, "high": 9, "change": 0, "change_pct": 0, "trades": 0}
    assert kraken.ticker() == {**best, **nothing, "last": 9}
    kraken.taped.trade("8", "1", after=59_999)
    kraken.taped.trade("12", "3", after=60_000)
    sums = {"volume": 4, "vwap": 11, "low": 8, "high": 12, "change": 4, "change_pct": 50, "trades": 2}
    assert kraken.ticker() == {**best, **sums, "last": 12}
    kraken.taped.at(86_400_000 - 1)
    assert kraken.ticker()["trades"] == 2
    kraken.taped.at(86_400_000)
    assert kraken.ticker()["trades"] == 2
    kraken.taped.at(86_400_001)
    assert (kraken.ticker()["trades"], kraken.ticker()["volume"]) == (1, 3)
    kraken.taped.at(86_400_000 + 60_001)
    assert (kraken.ticker()["trades"], kraken.ticker()["vwap"]) == (0, 12)


def test_candles_of_kraken_are_the_last_twelve() -> None:
    kraken = Kraken(Taped())
    for number in range(13):
        kraken.taped.trade("8", "1", after=60_000 * number)
    kraken.taped.trade("9", "3", after=60_000 * 13 - 1)
    kraken.taped.trade("6", "1", after=60_000 * 13 - 1)
    said = json.loads(kraken.quoted.candles(1))
    assert (said["channel"], said["type"], len(said["data"])) == ("ohlc", "snapshot", 12)
    assert said["data"][0]["interval_begin"] == "2023-11-14T22:15:00.000000000Z"
    prices = {"open": 8, "high": 9, "low": 6, "close": 6, "vwap": 8.2}
    times = {"interval_begin": "2023-11-14T22:26:00.000000000Z", "timestamp": "2023-11-14T22:27:00.000000Z"}
    assert said["data"][-1] == {"symbol": "BTC/USD", **prices, **times, "trades": 3, "volume": 5, "interval": 1}


def test_the_last_fifty_trades_are_shown() -> None:
    kraken = Kraken(Taped())
    for number in range(51):
        kraken.taped.trade("8", "1", "sell", after=number)
    said = json.loads(kraken.quoted.trades())
    assert (said["channel"], said["type"]) == ("trade", "snapshot")
    assert [one["trade_id"] for one in said["data"]] == [*range(2, 52)]
    assert {(one["side"], one["ord_type"], one["price"], one["qty"]) for one in said["data"]} == {
        ("sell", "limit", 8, 1)
    }


@pytest.mark.parametrize(("most", "is_kept"), [(2, True), (1, False)])
def test_what_was_written_of_levels_is_forgotten_when_it_is_too_much(
    most: int, is_kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kraken_market, "_MOST_ROWS", most)
    kraken = Kraken(Taped())
    bid, ask = kraken.quoted.levels("buy")[0], kraken.quoted.levels("sell")[0]
    first = kraken.quoted.row(bid)
    assert first == ("9.0", "1.00000000")
    kraken.quoted.row(ask)
    assert (kraken.quoted.row(bid) is first) is is_kept
    assert kraken.quoted.row(bid) == first
    assert (kraken.quoted.price_precision, kraken.quoted.qty_precision) == (1, 8)


# --- B2TRADER


class Emitted(list[Any]):
    def __call__(self, item: bytes, *, losable: bool = False) -> None:
        self.append((json.loads(item), losable))


def b2trader(taped: Taped) -> MarketData:
    return MarketData(taped.world, {"spot.btc_usdt": "BTC_USDT", "spot.eth_usdt": "ETH_USDT"})


def test_best_prices_are_told_when_they_have_changed_and_an_empty_side_has_none() -> None:
    taped, emitted = Taped(), Emitted()
    leave = b2trader(taped).quotes(["spot.btc_usdt", "spot.eth_usdt"], emitted)
    (whole, _) = emitted.pop()
    assert whole["snapshot"] is True
    assert whole["markets"][0] == {"marketId": "spot.btc_usdt", "ask": "10", "bid": "9"}
    assert len(whole["markets"]) == 2
    taped.book([("9", "5")], [])
    assert emitted == []
    taped.book([("9", "0")], [])
    one = {"marketId": "spot.btc_usdt", "ask": "10", "bid": None}
    assert emitted == [({"markets": [one], "snapshot": False}, False)]
    taped.book([], [("10", "7")])
    assert len(emitted) == 1, "as it was told"
    leave()
    taped.book([("8", "1")], [])
    assert len(emitted) == 1


def test_a_book_of_b2trader_counts_its_changes_and_only_they_can_be_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(b2trader_market, "_TWICE", 0.0)
    taped, emitted = Taped(), Emitted()
    market = b2trader(taped)
    leave = market.book("spot.btc_usdt", emitted)
    whole = {"instrument": "spot.btc_usdt", "askTotalAmount": "2", "bidTotalAmount": "1", "version": "1"}
    ask = {"price": "10", "amount": "2", "total": "20"}
    assert emitted == [
        ({**whole, "asks": [ask], "bids": [{"price": "9", "amount": "1", "total": "9"}], "snapshot": True}, False)
    ]
    taped.book([("9", "1.5")], [])
    bid = {"price": "9", "amount": "1.5", "total": "13.5"}
    changed = {**whole, "bidTotalAmount": "1.5", "version": "2", "asks": [], "bids": [bid], "snapshot": False}
    assert emitted[1:] == [(changed, True)]
    taped.book([], [("10", "2")], whole=True)
    replaced = {**whole, "bidTotalAmount": "0", "version": "3", "asks": [ask], "bids": [], "snapshot": True}
    assert emitted[2:] == [(replaced, False)]
    leave()
    taped.book([("8", "1")], [])
    assert (len(emitted), market.markets["spot.btc_usdt"].version) == (3, 4)


@pytest.mark.parametrize(("skip", "versions"), [(0.0, [2, 3, 4, 5]), (2.0, [2, 12, 13, 23])])
def test_versions_are_left_out_every_so_often(skip: float, versions: list[int]) -> None:
    taped = Taped()
    taped.world.skip = skip  # type: ignore[misc]
    quoted = b2trader(taped).markets["spot.btc_usdt"]
    quoted._holes = SimpleNamespace(randint=lambda least, most: most)  # type: ignore[assignment]
    found = []
    for after in (1_999, 2_000, 3_999, 4_000):
        taped.at(after)
        taped.book([("9", str(after))], [])
        found.append(quoted.version)
    assert found == versions


def test_how_many_versions_are_left_out_is_drawn_from_the_seed() -> None:
    found = []
    for seed in (1, 1, 2):
        taped = Taped()
        taped.world.skip, taped.world.seed = 1.0, seed  # type: ignore[misc]
        quoted = b2trader(taped).markets["spot.btc_usdt"]
        for at in range(1, 30):
            taped.at(at * 1_000)
            taped.book([("9", str(at))], [])
        found.append(quoted.version)
    assert found[0] == found[1] != found[2]


def test_statistics_of_b2trader_are_of_the_day() -> None:
    taped, tickers, summaries = Taped(), Emitted(), Emitted()
    market = b2trader(taped)
    market.tickers(["spot.btc_usdt"], tickers)
    market.summaries(["spot.btc_usdt"], summaries)
    taped.trade("8", "1", after=1)
    taped.trade("7", "1", after=2)
    names = {"marketId": "spot.btc_usdt", "type": "Spot", "displayName": "BTC/USDT", "fullName": "Bitcoin / Tether"}
    moved = {"priceChange24hr": "-0.125", "priceChangeAbs24hr": "-1", "highPrice24hr": "8", "lowPrice24hr": "7"}
    row = {**names, "price": "7", "priceInRAT": "7", **moved, "markPrice": None, "fundingRate": None}
    assert [item["snapshot"] for item, _ in tickers] == [True, False, False]
    assert tickers[-1] == ({"markets": [row], "snapshot": False}, False)
    summed = {"marketId": "spot.btc_usdt", "last": "7", "high24hr": "8", "low24hr": "7", "percentChange": "-12.5"}
    assert summaries[-1] == ({"items": [summed], "snapshot": False}, False)
    assert [item["snapshot"] for item, _ in summaries] == [True, False, False]


def test_a_candle_of_b2trader_comes_at_once_and_with_each_trade() -> None:
    taped, minutes, days = Taped(), Emitted(), Emitted()
    market = b2trader(taped)
    market.chart("spot.btc_usdt", "1m", minutes)
    market.chart("spot.btc_usdt", "1d", days)
    taped.trade("8", "1", after=59_999)
    taped.trade("7", "1", after=60_000)
    span = {"start": "2023-11-14T22:14:00Z", "end": "2023-11-14T22:15:00Z"}
    head = {"instrument": "spot.btc_usdt"}
    assert [item for item, _ in minutes] == [
        {**head, "low": "9", "high": "9", "open": "9", "close": "9", **span},
        {**head, "low": "8", "high": "8", "open": "8", "close": "8", **span},
        {
            **head,
            "low": "7",
            "high": "7",
            "open": "7",
            "close": "7",
            "start": span["end"],
            "end": "2023-11-14T22:16:00Z",
        },
    ]
    assert days[-1][0]["open"] == "8"


@pytest.mark.parametrize(
    ("before", "after", "change"), [("0", "5", "0"), ("8", "9", "0.125"), ("3", "2", "-0.3334"), ("3", "4", "0.3333")]
)
def test_changes_are_fractions_rounded_down(before: str, after: str, change: str) -> None:
    assert text(_change(Decimal(before), Decimal(after), Decimal("0.0001"))) == change


def test_a_market_has_a_name_in_words() -> None:
    assert full_name("spot.eth_usdt") == "Ether / Tether"


def test_a_row_that_comes_twice_counts_the_last_time() -> None:
    """Each row comes, in any order; one in ten has another before it, of the same price."""
    rows = [(Decimal(price), Decimal(1)) for price in range(1, 2_001)]
    found = _shuffled(rows, Random(1))
    assert {Decimal(one["price"]): one["amount"] for one in found} == dict.fromkeys((price for price, _ in rows), "1")
    assert 150 < len(found) - len(rows) < 250
    assert {one["amount"] for one in found} == {"0", "1", "2"}
    prices = [int(one["price"]) for one in found]
    assert not all(one < other for one, other in pairwise(prices))
    assert _shuffled([], Random(1)) == []


@pytest.mark.parametrize(("drawn", "sizes"), [(0.0999, ["0", "1"]), (0.1, ["1"])])
def test_one_row_in_ten_comes_twice(drawn: float, sizes: list[str]) -> None:
    chance: Any = SimpleNamespace(
        sample=lambda rows, count: rows[:count],
        random=lambda: drawn,
        choice=lambda among: among[1],
        randint=lambda least, most: least,
    )
    found = _shuffled([(Decimal(7), Decimal(1))], chance)
    assert [(one["price"], one["amount"]) for one in found] == [("7", size) for size in sizes]
    assert found[-1]["total"] == "7"


def test_a_book_change_of_nobodys_market_is_not_looked_at() -> None:
    taped, emitted = Taped(), Emitted()
    b2trader(taped).book("spot.btc_usdt", emitted)
    taped.world.stage.emit(BookChange("ETH_USDT", NOW))
    assert len(emitted) == 1


def test_a_client_of_kraken_that_asks_for_nothing_is_sent_away_after_a_minute() -> None:
    beats: list[Callable[[], None]] = []
    ends: list[tuple[int, str]] = []
    link: Any = SimpleNamespace(
        every=lambda seconds, action: beats.append(action), finish=lambda *end: ends.append(end), send=lambda data: None
    )
    peer = KrakenPeer(World(ManualClock(NOW), seed=1, rate=1.0), link, {}, 1)
    peer.opened()
    (beat,) = beats
    for asked in (None, b'{"method":"ping"}'):
        if asked:
            peer.receive(asked)
        ends.clear()
        for _ in range(59):
            beat()
        assert ends == []
        beat()
        assert ends == [(1001, "")]
