"""What a bot's position signals become at an NBT hub."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.bot.plan import MarketName
from cli.bot.relay import HubPositions, Step
from venues.nbt import NBT
from venues.records import Quote, Signal, Trade

PAIR = "SPOT_BTC_USDT"
BUY, SELL = "buy_signal", "sell_signal"


def signal(sym: str = PAIR, src: str = "nexus", **figures: Any) -> Signal:
    figures = {name: Decimal(str(value)) for name, value in figures.items()}
    return Signal(venue=src, symbol=sym, received=1, name="signal", **figures)


def quote(bid: str | None, ask: str | None, **more: Any) -> Quote:
    bid_price, ask_price = (None if price is None else Decimal(price) for price in (bid, ask))
    return Quote(venue="nexus", symbol=PAIR, received=1, bid_price=bid_price, ask_price=ask_price, **more)


def trade(price: str, **more: Any) -> Trade:
    return Trade(venue="nexus", symbol=PAIR, received=1, price=Decimal(price), size=Decimal(1), side="buy", **more)


class Hub:
    """The hub's own rule: a buy or sell closes what it has on the other side, else it opens."""

    def __init__(self) -> None:
        self.positions: dict[str, str] = {}
        self.meanings: list[str] = []

    def take(self, step: Step) -> None:
        name, pair = step.command.name, step.command.fields["pair"]
        position = self.positions.get(pair, "flat")
        own, other = ("long", "short") if name == BUY else ("short", "long")
        assert position != own, "the hub would have nothing to make of it"
        self.meanings.append(f"exit {other}" if position == other else f"enter {own}")
        self.positions[pair] = "flat" if position == other else own


def run(sizes: list[Any], relay: HubPositions | None = None) -> list[str]:
    """What the hub takes each size to mean, when everything is sent."""
    relay, hub = relay or HubPositions("rsi", NBT.commands), Hub()
    for size in sizes:
        for step in relay.steps(signal(size=size)):
            hub.take(step)
            relay.sent(step)
    return hub.meanings


@pytest.mark.parametrize(
    ("sizes", "meanings"),
    [
        ([0.5], ["enter long"]),
        ([-1], ["enter short"]),
        ([0], []),
        ([0.5, 0], ["enter long", "exit long"]),
        ([-0.5, 0], ["enter short", "exit short"]),
        ([0.1, 1, 0.2], ["enter long"]),
        ([1, -1], ["enter long", "exit long", "enter short"]),
        ([-1, 0.01], ["enter short", "exit short", "enter long"]),
        ([0, 1, 0, 0, -1, 0], ["enter long", "exit long", "enter short", "exit short"]),
    ],
)
def test_sizes_become_sequences(sizes: list[float], meanings: list[str]) -> None:
    assert run(sizes) == meanings


@given(
    wishes=st.lists(
        st.tuples(st.sampled_from(["A", "B"]), st.sampled_from([-1, -0.5, 0, 0.5, 1]), st.sampled_from("soa")),
        max_size=30,
    )
)
def test_the_hub_ends_up_where_the_bot_is(wishes: list[tuple[str, float, str]]) -> None:
    """Also when the connection is away now and then: s sends all, o one step only, a none."""
    relay, hub = HubPositions("rsi", NBT.commands), Hub()
    wanted: dict[str, float] = {}
    for sym, size, way in wishes:
        wanted[sym] = size
        steps = relay.steps(signal(sym, size=size))
        for step in steps[: {"s": 2, "o": 1, "a": 0}[way]]:
            hub.take(step)
            relay.sent(step)
    for step in relay.outstanding():
        hub.take(step)
        relay.sent(step)
    assert relay.outstanding() == []
    names = {True: "long", False: "short"}
    assert {sym: hub.positions.get(sym, "flat") for sym in wanted} == {
        sym: names[size > 0] if size else "flat" for sym, size in wanted.items()
    }
    assert {market.symbol: position for market, position in relay.open_positions().items()} == {
        sym: position for sym, position in hub.positions.items() if position != "flat"
    }


def fields(relay: HubPositions, size: float) -> list[tuple[str, dict[str, Any]]]:
    steps = relay.steps(signal(size=size))
    for step in steps:
        relay.sent(step)
    return [(step.command.name, dict(step.command.fields)) for step in steps]


def test_prices_are_those_that_it_would_cost() -> None:
    relay = HubPositions("rsi", NBT.commands)
    own = {"stratname": "rsi", "pair": PAIR}
    assert fields(relay, 1) == [(BUY, own)]
    relay.trade(trade("100.50"))
    assert fields(relay, 0) == [(SELL, {**own, "sell_price": Decimal("100.50")})]
    relay.quote(quote("100.10", "100.90"))
    bought, sold = (BUY, {**own, "buy_price": Decimal("100.90")}), (SELL, {**own, "sell_price": Decimal("100.10")})
    assert fields(relay, 1) == [bought]
    assert fields(relay, -1) == [sold, sold]
    assert fields(relay, 1) == [bought, bought]
    relay.quote(quote(None, "101"))
    assert fields(relay, 0) == [(SELL, {**own, "sell_price": Decimal("100.50")})]
    relay.forget("nexus", PAIR)
    assert fields(relay, 1) == [(BUY, own)]


def test_a_price_in_ticks_of_no_known_size_is_none() -> None:
    relay = HubPositions("rsi", NBT.commands)
    relay.trade(trade("6684363", price_unit="ticks"))
    relay.quote(quote("6684362", "6684363", price_unit="ticks"))
    assert "buy_price" not in fields(relay, 1)[0][1]
    relay.trade(trade("7"))
    relay.trade(trade("6684363", price_unit="ticks"))
    assert "sell_price" not in fields(relay, 0)[0][1]


@pytest.mark.parametrize("kind", ["mid", "bid", "ask", "quote"])
def test_only_positions_are_relayed(kind: str) -> None:
    relay = HubPositions("rsi", NBT.commands)
    other = signal(**{kind: 30000})
    assert relay.unfit(other) == f"a {kind} signal is no position, which is all that the hub knows"
    assert relay.steps(other) == []
    assert relay.unfit(signal(size=0)) is None


def test_a_pair_belongs_to_the_first_venue_that_has_it() -> None:
    relay = HubPositions("rsi", NBT.commands)
    assert len(relay.steps(signal("BTCUSDT", "jayx", size=1))) == 1
    second = signal("BTCUSDT", "other", size=-1)
    assert relay.unfit(second) == ("the hub knows pairs without their venue, and BTCUSDT is relayed from jayx already")
    assert relay.steps(second) == []
    assert len(relay.steps(signal("ETHUSDT", "other", size=-1))) == 1


def test_what_the_hub_did_not_take_is_not_tried_again_by_itself() -> None:
    relay = HubPositions("rsi", NBT.commands)
    (step,) = relay.steps(signal(size=1))
    relay.sent(step)
    relay.refused(step)
    assert (relay.outstanding(), relay.open_positions()) == ([], {})
    (again,) = relay.steps(signal(size=1))
    relay.sent(again)
    assert relay.open_positions() == {MarketName("nexus", PAIR): "long"}


def test_what_is_refused_does_not_take_a_newer_wish_away() -> None:
    relay = HubPositions("rsi", NBT.commands)
    (step,) = relay.steps(signal(size=1))
    relay.steps(signal(size=-1))
    relay.refused(step)
    assert [(step.before, step.after) for step in relay.outstanding()] == [("flat", "short")]


def test_of_what_is_in_doubt_nothing_more_is_sent() -> None:
    relay = HubPositions("rsi", NBT.commands)
    (step,) = relay.steps(signal(size=1))
    relay.doubted(step)
    assert (
        relay.unfit(signal(size=0)) == "what the hub has of it is not known, so the next signal could be the wrong one"
    )
    assert (relay.steps(signal(size=-1)), relay.outstanding(), relay.open_positions()) == ([], [], {})
    assert relay.doubts() == {MarketName("nexus", PAIR): step}
    assert len(relay.steps(signal("ETH", size=1))) == 1


def test_the_assumption_is_said() -> None:
    assert '"rsi"' in HubPositions("rsi", NBT.commands).assumption
