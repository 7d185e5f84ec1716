"""An item that contradicts itself is a bad frame like any other, at every venue that has such items."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests import test_b2trader as b2
from tests import test_jayx as jayx
from venues.driver import Driver
from venues.errors import BadMessage
from venues.records import RECORD_TYPES, Balance, Candle, Position, Quote, Ticker
from venues.toolkit.consistency import check_available, check_candle, check_quote, check_range
from venues.toolkit.numbers import shown
from venues.venue import BadFrame, Now


def b2trader(stream: str, *contents: Any) -> list[Any]:
    """What comes of items of a stream, the last of them alone."""
    session = b2.ready(b2.line_for(stream))
    items: list[Any] = []
    for number, content in enumerate(contents):
        items = session.receive(b2.frame(b2.item(0, content)), b2.at(number))
    return items


def of(items: list[Any], *kinds: type) -> list[Any]:
    return [item for item in items if isinstance(item, kinds)]


CONTRADICTIONS = [
    {"close": "2270.30"},
    {"close": "2240.87"},
    {"open": "2270.30"},
    {"open": "2240.87"},
    {"high": "2240.87", "low": "2240.88", "open": "2240.88", "close": "2240.88"},
    {"high": "2200", "low": "2300"},
]


@pytest.mark.parametrize("fields", CONTRADICTIONS)
def test_a_candle_of_b2trader(fields: dict[str, str]) -> None:
    whole = {**b2.sample("candles"), "instrument": b2.MARKET}
    assert len(of(b2trader("candles", whole), Candle)) == 1
    for items in (b2trader("candles", {**whole, **fields}), b2trader("candles", whole, {**whole, **fields})):
        assert b2.told(items) == ["BadFrame", "stale"]
        assert "expected open and close between low and high at `item`, got open" in items[0].reason


def test_a_candle_of_b2trader_at_its_own_edges() -> None:
    flat = {**b2.sample("candles"), "instrument": b2.MARKET, **dict.fromkeys(("open", "high", "low", "close"), "2.50")}
    assert len(of(b2trader("candles", flat), Candle)) == 1


@pytest.mark.parametrize("fields", [{"c": 13}, {"c": 7}, {"o": 13}, {"o": 7}, {"h": 8, "l": 12}, {"h": 9}, {"l": 11}])
@pytest.mark.parametrize("path", ["add", "modify"])
def test_a_candle_of_jayx(path: str, fields: dict[str, int]) -> None:
    kline = {"created": 60, "o": 9, "h": 12, "l": 8, "c": 11, "v": 1, **fields}
    items = jayx.connected(jayx.line_of("candles")).receive(jayx.packet("kline", {path: kline}), jayx.NOW)
    assert not of(items, Candle)
    assert f"expected o and c between l and h at `{path}`" in of(items, BadFrame)[0].reason


@pytest.mark.parametrize(
    ("total", "available", "good"),
    [
        ("5", "5", True),
        ("5", "5.00", True),
        ("5", "0", True),
        ("-5", "0", True),  # what is owed
        ("-5", "-7", True),
        ("5", "5.00000001", False),
        ("0", "0.00000001", False),
        ("-5", "1", False),
    ],
)
def test_more_available_than_there_is(total: str, available: str, good: bool) -> None:
    whole = [{**b2.sample("balance")[0], "total": total, "available": available}]
    items = b2trader("balance", whole)
    assert (len(of(items, Balance)), len(of(items, BadFrame))) == ((1, 0) if good else (0, 1))
    items = b2trader("balance", [], whole)
    assert (len(of(items, Balance)), len(of(items, BadFrame))) == ((1, 0) if good else (0, 1))
    assets = jayx.packet("positions", {"spot": [{"asset": "BTC", "balance": total, "available": available}]})
    items = jayx.connected(jayx.line_of("balance", "positions")).receive(assets, jayx.NOW)
    rows = 2 if good and total != "0" else 0
    assert len(of(items, Balance, Position)) == rows
    assert len(of(items, BadFrame)) == (0 if good else 1)


@pytest.mark.parametrize(
    ("stream", "rows", "high", "low"),
    [("ticker", "markets", "highPrice24hr", "lowPrice24hr"), ("watchlist", "items", "high24hr", "low24hr")],
)
def test_a_high_of_24_hours_below_the_low(stream: str, rows: str, high: str, low: str) -> None:
    row = {**b2.sample(stream)[rows][0], "marketId": b2.MARKET}
    good = {rows: [{**row, high: "1.5", low: "1.5"}], "snapshot": True}
    bad = {rows: [{**row, high: "1.4", low: "1.5"}], "snapshot": True}
    assert len(of(b2trader(stream, good), Ticker)) == 1
    assert b2.told(b2trader(stream, bad)) == ["BadFrame", "stale"]
    part = {rows: [{"marketId": b2.MARKET, high: "1.4"}], "snapshot": False}
    assert b2.told(b2trader(stream, good, part)) == ["BadFrame", "stale"], "also where only one of them changed"


def test_it_is_said_and_the_next_good_one_heals() -> None:
    line = b2.line_for("candles")
    driver = Driver(line, line.subscriptions, venue="b2trader")
    driver.begin({"token": "t"}, 0.0)
    driver.opened(b2.at(0))
    driver.receive(b"{}\x1e", b2.at(0))
    whole = {**b2.sample("candles"), "instrument": b2.MARKET}
    states = []
    for invocation, seconds, content in ((0, 1, whole), (0, 2, {**whole, "close": "1"}), (1, 9, whole)):
        now = Now(b2.at(seconds).mono, b2.at(seconds).epoch_ms)
        items = driver.receive(b2.frame(b2.item(invocation, content)), now)
        states += [item.state for item in items if item.__class__ in RECORD_TYPES and hasattr(item, "state")]
        driver.tick(now)
    assert states == ["live", "stale", "live"]


@pytest.mark.parametrize(("bid", "good"), [("9.9", True), ("10", True), ("10.1", False)])
def test_a_bid_above_the_ask(bid: str, good: bool) -> None:
    def tob(snapshot: bool, **prices: str) -> dict[str, Any]:
        return {"snapshot": snapshot, "markets": [{"marketId": b2.MARKET, **prices}]}

    first = tob(True, bid="9", ask="10")
    for contents in (
        [tob(True, bid=bid, ask="10")],
        [first, tob(False, bid=bid, ask="10")],
        [first, tob(False, bid=bid)],
    ):
        items = b2trader("quotes", *contents)
        assert (len(of(items, Quote)), len(of(items, BadFrame))) == ((1, 0) if good else (0, 1))


ONE, TWO, THREE, FOUR = map(Decimal, ("1", "2.0", "3", "4"))


@pytest.mark.parametrize(
    "prices",
    [(TWO, THREE, ONE, TWO), (ONE, ONE, ONE, ONE), (ONE, TWO, ONE, TWO), (TWO, TWO, ONE, ONE), (5, 9, 1, 9)],
)
def test_a_candle_whose_ends_are_within_it_is_good(prices: Any) -> None:
    check_candle(prices, "c")


@pytest.mark.parametrize(
    ("prices", "got"),
    [
        ((FOUR, THREE, ONE, TWO), "open 4 high 3 low 1 close 2.0"),
        ((ONE, THREE, TWO, TWO), "open 1 high 3 low 2.0 close 2.0"),
        ((TWO, THREE, ONE, FOUR), "open 2.0 high 3 low 1 close 4"),
        ((TWO, THREE, TWO, ONE), "open 2.0 high 3 low 2.0 close 1"),
        ((TWO, ONE, THREE, TWO), "open 2.0 high 1 low 3 close 2.0"),
    ],
)
def test_a_candle_with_an_end_outside_is_refused_with_all_its_prices(prices: Any, got: str) -> None:
    with pytest.raises(BadMessage) as refused:
        check_candle(prices, "data.c")
    assert str(refused.value) == f"expected open and close between low and high at `data.c`, got {got}"
    with pytest.raises(BadMessage) as refused:
        check_candle(prices, "", ("o", "h", "l", "c"))
    short = got.replace("open", "o").replace("high", "h").replace("low", "l").replace("close", "c")
    assert str(refused.value) == f"expected o and c between l and h, got {short}"


def test_a_high_may_be_the_low_and_not_below_it() -> None:
    for low, high in ((None, None), (None, ONE), (TWO, None), (TWO, TWO), (TWO, THREE)):
        check_range(low, high, "h")
    with pytest.raises(BadMessage) as refused:
        check_range(TWO, ONE, "h")
    assert str(refused.value) == "expected at least the low at `h`, got 1 with a low of 2.0"


def test_a_bid_may_be_the_ask_and_not_above_it() -> None:
    for bid, ask in ((None, None), (None, ONE), (TWO, None), (TWO, TWO), (TWO, THREE)):
        check_quote(bid, ask, "b")
    with pytest.raises(BadMessage) as refused:
        check_quote(TWO, ONE, "b")
    assert str(refused.value) == "expected at most the ask at `b`, got 2.0 with an ask of 1"


def test_what_is_available_is_part_of_the_whole_and_of_a_debt_nothing_is() -> None:
    for available, total in ((ONE, TWO), (TWO, TWO), (Decimal(0), -ONE), (-ONE, -TWO), (-TWO, -ONE)):
        check_available(available, total, "a")
    for available, total in ((THREE, TWO), (ONE, Decimal(0)), (Decimal("1e-40"), -ONE)):
        with pytest.raises(BadMessage) as refused:
            check_available(available, total, "a", "equity")
        assert str(refused.value) == f"expected at most the equity at `a`, got {shown(available)} of {shown(total)}"
    with pytest.raises(BadMessage, match=r"expected at most the total at `a`, got 3 of 2\.0"):
        check_available(THREE, TWO, "a")
