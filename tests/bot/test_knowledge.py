"""What a script can look up, in the shapes of its callbacks' data."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import Any

import pytest

from cli.bot.knowledge import Knowledge
from cli.bot.market_data import LEVELS, Candles, MarketName
from venues.records import Instrument, Quote, Trade

A, B, C = MarketName("nexus", "A"), MarketName("nexus", "B"), MarketName("jayx", "C")
AT = 1_700_000_040_000
ONE = Decimal(1)


def trade(price: str = "1", **more: Any) -> Trade:
    given = {"venue": "nexus", "symbol": "A", "received": AT, "size": ONE, "side": "sell", **more}
    return Trade(price=Decimal(price), **given)


def quote(**more: Any) -> Quote:
    return Quote(**{"venue": "nexus", "symbol": "A", "received": AT, **more})


def known(*markets: MarketName, down: tuple[MarketName, ...] = ()) -> Knowledge:
    made = Knowledge(set(down))
    made.markets = list(markets)
    return made


def test_venues_and_their_symbols_come_in_the_order_of_the_markets() -> None:
    made = known(B, C, A)
    assert list(made.venues().items()) == [
        (name, {"id": name, "kind": name, "name": name, "src": name}) for name in ("nexus", "jayx")
    ]
    assert made.market_streams() == {"nexus": ["B", "A"], "jayx": ["C"]}
    assert (known().venues(), known().market_streams()) == ({}, {})


def test_without_markets_nothing_is_known() -> None:
    made = Knowledge(set())
    assert (made.venues(), made.market_streams(), made.instruments(), made.quotes()) == ({}, {}, {}, {})
    assert made.health() == {"public": [], "private": []}


def test_nothing_is_known_before_anything_has_come() -> None:
    made = known(A)
    assert (made.quotes(), made.trades()) == ({}, {})
    for find in (made.last_quote, made.last_trade):
        assert find("nexus", "A") is None
        assert find("nexus", "A", "time") is None


def test_the_latest_of_each_market_is_known_whole_or_by_a_key() -> None:
    made = known(A, C)
    made.trade(A, trade("1"))
    made.trade(A, trade("2.5", time=AT - 7))
    made.trade(C, trade("3"))
    latest = {"side": "Sell", "price": 2.5, "size": 1.0, "time": AT - 7}
    assert made.trades() == {"nexus": {"A": latest}, "jayx": {"C": {**latest, "price": 3.0, "time": AT}}}
    assert made.last_trade("nexus", "A") == latest
    assert [made.last_trade("nexus", "A", key) for key in latest] == [*latest.values()]
    with pytest.raises(KeyError):
        made.last_trade("nexus", "A", "amount")
    assert made.last_trade("nexus", "C") is None


def test_what_a_venue_does_not_say_of_a_quote_is_nan() -> None:
    made = known(A)
    made.quote(A, quote(bid_price=Decimal("1.5"), bid_size=Decimal(2), ask_price=ONE, ask_size=ONE, size_unit="lots"))
    found = made.last_quote("nexus", "A")
    assert (found["bid"][0], found["ask"][0], found["time"]) == (1.5, 1.0, AT)
    assert math.isnan(found["bid"][1]), "of a unit that nobody can convert"
    made.quote(A, quote(bid_price=ONE, bid_size=Decimal(2)))
    assert made.last_quote("nexus", "A", "bid") == [1.0, 2.0]
    assert all(map(math.isnan, made.last_quote("nexus", "A", "ask")))


def test_what_is_asked_for_is_made_anew_each_time() -> None:
    made = known(A)
    made.trade(A, trade())
    made.trades()["nexus"]["A"]["price"] = 99
    made.last_trade("nexus", "A")["price"] = 99
    assert made.last_trade("nexus", "A", "price") == 1.0


@pytest.mark.parametrize(
    ("stands", "down", "live"),
    [
        ([], (), {"A": False, "B": False}),
        ([([A, B], [A, B])], (), {"A": True, "B": True}),
        ([([A, B], [A])], (), {"A": True, "B": False}),
        ([([A, B], [A, B]), ([A], [])], (), {"A": False, "B": True}),
        ([([A, B], [A, B]), ([A], []), ([A], [A])], (), {"A": True, "B": True}),
        ([([A, B], [A, B])], (B,), {"A": True, "B": False}),
    ],
)
def test_how_its_markets_stand(
    stands: list[tuple[list[MarketName], list[MarketName]]], down: tuple[MarketName, ...], live: dict[str, bool]
) -> None:
    made = known(A, B, C, down=down)
    for markets, standing in stands:
        made.stand(markets, standing)
    assert made.health() == {
        "public": [
            {"src": "nexus", "live": all(live.values()), "markets": live},
            {"src": "jayx", "live": False, "markets": {"C": False}},
        ],
        "private": [],
    }


def test_what_a_venue_s_list_says_is_known_and_what_it_does_not_say_is_left_out() -> None:
    made = known(A, B, C)
    made.listed = {
        A: Instrument(
            venue="nexus", symbol="A", received=1, base="X", quote="Y", kind="spot", status="open",
            price_step=Decimal("0.5"), size_step=Decimal("0.001"),
        ),
        B: Instrument(venue="nexus", symbol="B", received=1),
    }  # fmt: skip
    assert made.instruments() == {
        "nexus": {
            "A": {
                "src": "nexus", "sym": "A", "base": "X", "quote": "Y", "kind": "spot", "status": "open",
                "tick_size": 0.5, "lot_size": 0.001,
            },
            "B": {"src": "nexus", "sym": "B"},
        },
        "jayx": {"C": {"src": "jayx", "sym": "C"}},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("sym", "level", "words"),
    [
        ("A", "2m", f"expected a level, one of {' '.join(LEVELS)}, got '2m'"),
        ("A", "5m", "there are no candles of 5m of nexus:A"),
        ("B", "1m", "there are no candles of 1m of nexus:B"),
    ],
)
def test_bars_that_are_not_made_are_told(sym: str, level: str, words: str) -> None:
    made = known(A)
    made.candles = {A: Candles(["1m"])}
    with pytest.raises(ValueError, match=re.escape(words)) as raised:
        made.bars("nexus", sym, level, AT)
    assert str(raised.value) == words


def test_bars_go_up_to_the_latest_trade() -> None:
    made = known(A)
    candles = Candles(["1m"])
    made.candles = {A: candles}
    assert all(map(math.isnan, made.bars("nexus", "A", "1m", AT).closes))
    candles.trade(trade("7"))
    assert made.bars("nexus", "A", "1m", AT).closes[-1] == 7.0
