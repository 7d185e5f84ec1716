"""What a bot's position signals become at an NBT hub."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.bot.hub.positions import ENTERED_WITHIN, REFUSED_AGAIN_AFTER, HubPositions, Step, way
from cli.bot.market_data import MarketName
from cli.bot.plan import HubPosition
from venues.errors import UsageError
from venues.nbt import NBT
from venues.records import Quote, Signal, Trade

PAIR = "SPOT_BTC_USDT"
MARKET = MarketName("nexus", PAIR)
NOW = 1_000.0
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
        relay.wish(signal(size=size), NOW)
        for step in relay.outstanding():
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
    for sym, size, goes in wishes:
        wanted[sym] = size
        relay.wish(signal(sym, size=size), NOW)
        steps = [step for step in relay.outstanding() if step.market.symbol == sym]
        for step in steps[: {"s": 2, "o": 1, "a": 0}[goes]]:
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


def wished(relay: HubPositions, wish: Signal, now: float = NOW) -> list[Step]:
    """What is outstanding of a market once this is wanted of it."""
    relay.wish(wish, now)
    return [step for step in relay.outstanding() if step.market.symbol == wish.symbol]


def fields(relay: HubPositions, size: float) -> list[tuple[str, dict[str, Any]]]:
    steps = wished(relay, signal(size=size))
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
    relay.down(MARKET)
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
    assert wished(relay, other) == []
    assert relay.unfit(signal(size=0)) is None


def test_a_pair_belongs_to_the_first_venue_that_has_it() -> None:
    relay = HubPositions("rsi", NBT.commands)
    assert len(wished(relay, signal("BTCUSDT", "jayx", size=1))) == 1
    second = signal("BTCUSDT", "other", size=-1)
    assert relay.unfit(second) == ("the hub knows pairs without their venue, and BTCUSDT is relayed from jayx already")
    assert relay.wish(second, NOW) is None
    assert [step.market.venue for step in relay.outstanding()] == ["jayx"]
    assert len(wished(relay, signal("ETHUSDT", "other", size=-1))) == 1


def next_steps(relay: HubPositions, now: float) -> list[tuple[str, str]]:
    step = relay.next_step(now)
    return [] if step is None else [(step.before, step.after)]


def test_what_the_hub_did_not_take_is_not_tried_again_by_itself() -> None:
    relay = HubPositions("rsi", NBT.commands)
    (step,) = wished(relay, signal(size=1))
    relay.begun(step)
    relay.refused(step, NOW)
    assert (relay.outstanding(), relay.open_positions()) == ([], {})
    assert wished(relay, signal(size=1)) != [], "it is kept as what the bot wants"
    assert next_steps(relay, NOW + REFUSED_AGAIN_AFTER - 0.001) == []
    assert relay.moment(NOW) == NOW + REFUSED_AGAIN_AFTER
    assert next_steps(relay, NOW + REFUSED_AGAIN_AFTER) == [("flat", "long")]
    assert relay.moment(NOW + REFUSED_AGAIN_AFTER) == NOW + ENTERED_WITHIN, "what is over is no moment to wait for"
    relay.sent(step)
    assert relay.open_positions() == {MARKET: "long"}


def test_another_wish_does_not_wait_for_what_was_refused() -> None:
    relay = HubPositions("rsi", NBT.commands)
    (step,) = wished(relay, signal(size=1))
    relay.refused(step, NOW)
    relay.wish(signal(size=-1), NOW)
    assert next_steps(relay, NOW) == [("flat", "short")]
    relay.sent(relay.next_step(NOW))  # type: ignore[arg-type]
    relay.wish(signal(size=1), NOW)
    assert next_steps(relay, NOW) == [("short", "flat")]
    relay.sent(relay.next_step(NOW))  # type: ignore[arg-type]
    assert next_steps(relay, NOW) == [("flat", "long")], "once the hub has taken something, nothing old holds it up"


def test_what_is_refused_does_not_take_a_newer_wish_away() -> None:
    relay = HubPositions("rsi", NBT.commands)
    (step,) = wished(relay, signal(size=1))
    wished(relay, signal(size=-1))
    relay.refused(step, NOW)
    assert [(step.before, step.after) for step in relay.outstanding()] == [("flat", "short")]


def test_a_refusal_to_leave_ends_a_turn() -> None:
    relay = HubPositions("rsi", NBT.commands)
    relay.hold(MARKET, "long")
    leave, _ = wished(relay, signal(size=-1))
    relay.refused(leave, NOW)
    assert (relay.outstanding(), relay.open_positions()) == ([], {MARKET: "long"})


def test_a_wish_is_withdrawn() -> None:
    relay = HubPositions("rsi", NBT.commands)
    relay.hold(MARKET, "long")
    wished(relay, signal(size=-1))
    unsent = relay.withdraw(MARKET)
    assert (str(unsent), relay.outstanding(), relay.open_positions()) == (
        f"{PAIR}: enter short (sell_signal without a price)",
        [],
        {MARKET: "long"},
    )
    assert relay.withdraw(MARKET) is None


def test_what_is_under_way_is_neither_withdrawn_nor_replaced() -> None:
    relay = HubPositions("rsi", NBT.commands)
    (enter,) = wished(relay, signal(size=1))
    relay.begun(enter)
    assert relay.positions() == {MARKET: None}
    assert relay.wish(signal(size=0), NOW) is None
    unsent = relay.withdraw(MARKET)
    assert unsent is not None
    assert way(unsent.before, unsent.after) == "leave long", "it will be long, and is to be told so"
    relay.sent(enter)
    assert (relay.outstanding(), relay.positions()) == ([], {MARKET: "long"})
    leave, _ = wished(relay, signal(size=-1))
    relay.begun(leave)
    replaced = relay.wish(signal(size=0), NOW)
    assert replaced is not None
    assert (replaced.before, replaced.after) == ("flat", "short")
    relay.unsent(leave)
    assert [(step.before, step.after) for step in relay.outstanding()] == [("long", "flat")]


@pytest.mark.parametrize(
    ("held", "sizes", "replaced"),
    [
        ("flat", [0.5, 0.25], []),
        ("flat", [0.5, 0], ["enter long"]),
        ("flat", [0.5, -0.5, 0.25], ["enter long", "enter short"]),
        ("long", [0, 0.5], ["leave long"]),
        ("long", [0, -0.5], []),
        ("long", [-0.5, 0], ["enter short"]),
        ("long", [-0.5, 0.5], ["enter short"]),
        ("long", [0.5, 1], []),
    ],
)
def test_what_a_newer_wish_takes_the_place_of(held: HubPosition, sizes: list[float], replaced: list[str]) -> None:
    relay = HubPositions("rsi", NBT.commands)
    relay.hold(MARKET, held)
    found = [relay.wish(signal(size=size), NOW) for size in sizes]
    assert [way(step.before, step.after) for step in found if step is not None] == replaced


def test_nothing_goes_out_while_a_market_is_down() -> None:
    other = MarketName("b2trader", "spot.btc_usdt")
    relay = HubPositions("rsi", NBT.commands, [MARKET, other])
    relay.wish(signal(size=1), NOW)
    relay.down(other)
    assert next_steps(relay, NOW) == [("flat", "long")]
    relay.down(MARKET)
    (step,) = relay.outstanding()
    assert (next_steps(relay, NOW), relay.waits(step, NOW)) == ([], f"{MARKET} is not live")
    relay.live(MARKET)
    assert next_steps(relay, NOW) == [("flat", "long")]
    relay.wish(signal(size=1), NOW, other)
    assert relay.waits(step, NOW) == f"{other} is not live", "it rests on that too"
    relay.withdraw(MARKET)
    relay.wish(signal("XBT", "bitmex", size=1), NOW)
    assert next_steps(relay, NOW) == [], "of what is not watched nobody knows what it rests on"
    relay.live(other)
    assert next_steps(relay, NOW) == [("flat", "long")]


def test_a_wish_to_enter_grows_old_and_one_to_leave_does_not() -> None:
    relay = HubPositions("rsi", NBT.commands)
    relay.wish(signal(size=1), NOW)
    assert relay.moment(NOW) == NOW + ENTERED_WITHIN
    just_before, late = NOW + ENTERED_WITHIN - 0.001, NOW + ENTERED_WITHIN
    assert (next_steps(relay, just_before), relay.expired(just_before)) == ([("flat", "long")], [])
    assert next_steps(relay, late) == [], "also before anybody has looked for what is too old"
    assert relay.waits(relay.outstanding()[0], late) == "it was wanted too long ago"
    assert [way(step.before, step.after) for step in relay.expired(late)] == ["enter long"]
    assert (relay.outstanding(), relay.expired(late), relay.moment(late)) == ([], [], None)
    relay.wish(signal(size=1), NOW)
    relay.wish(signal(size=1), just_before)
    assert next_steps(relay, late) == [("flat", "long")], "said again is as good as new"
    relay.hold(MARKET, "long")
    relay.wish(signal(size=-1), NOW)
    assert [way(step.before, step.after) for step in relay.expired(late)] == ["enter short"]
    assert [(step.before, step.after) for step in relay.outstanding()] == [("long", "flat")]
    assert next_steps(relay, NOW + 1e6) == [("long", "flat")]
    assert relay.moment(NOW) is None


def test_what_is_held_at_the_start() -> None:
    relay = HubPositions("rsi", NBT.commands)
    relay.hold(MARKET, "long")
    assert relay.open_positions() == relay.positions() == {MARKET: "long"}
    assert wished(relay, signal(size=0.5)) == []
    assert [step.command.name for step in wished(relay, signal(size=0))] == [SELL]
    unknown = MarketName("nexus", "ETH")
    relay.hold(unknown, None)
    assert (relay.position(unknown), relay.doubts()) == (None, {unknown: None})
    assert wished(relay, signal("ETH", size=1)) == []
    relay.hold(unknown, "flat")
    assert len(wished(relay, signal("ETH", size=1))) == 1
    relay.hold(unknown, "short")
    relay.hold(unknown, None)
    assert (relay.open_positions(), relay.positions()[unknown]) == ({MARKET: "long"}, None), "not known is not short"
    with pytest.raises(UsageError, match="pairs without their venue"):
        relay.hold(MarketName("woox", PAIR), "long")
    assert relay.unfit(signal(src="woox", size=1)) is not None


def test_of_what_is_in_doubt_nothing_more_is_sent() -> None:
    relay = HubPositions("rsi", NBT.commands)
    (step,) = wished(relay, signal(size=1))
    relay.doubted(step)
    assert (
        relay.unfit(signal(size=0)) == "what the hub has of it is not known, so the next signal could be the wrong one"
    )
    assert (wished(relay, signal(size=-1)), relay.outstanding(), relay.open_positions()) == ([], [], {})
    assert relay.doubts() == {MarketName("nexus", PAIR): step}
    (other,) = wished(relay, signal("ETH", size=1))
    relay.begun(other)
    relay.doubted(step)
    assert relay.positions() == dict.fromkeys((MARKET, other.market)), "of what is under way nobody knows yet"


def test_what_is_in_doubt_stays_so_whatever_becomes_of_what_is_under_way() -> None:
    relay = HubPositions("rsi", NBT.commands)
    (enter,) = wished(relay, signal(size=1))
    relay.sent(enter)
    (leave,) = wished(relay, signal(size=0))
    again = leave._replace(before="short", after="long")
    for settle in (relay.sent, lambda step: relay.refused(step, NOW), relay.unsent):
        relay.begun(again)
        relay.doubted(enter)
        settle(again)
        assert (relay.positions(), relay.open_positions(), relay.outstanding()) == ({MARKET: None}, {}, [])


@pytest.mark.parametrize("price", ["0", "-0.25"])
def test_a_price_that_no_hub_takes_is_none(price: str) -> None:
    """A spread may have one; the signal goes out without it."""
    relay = HubPositions("rsi", NBT.commands)
    relay.quote(quote(price, price))
    relay.wish(signal(size=0.5), NOW)
    (step,) = relay.outstanding()
    assert step.price is None
    assert not any("price" in name for name in step.command.fields)


@pytest.mark.parametrize("price", ["1", "0.5", "0.00000001"])
def test_a_price_above_nothing_is_one(price: str) -> None:
    relay = HubPositions("rsi", NBT.commands)
    relay.quote(quote(price, price))
    assert [step.price for step in wished(relay, signal(size=0.5))] == [Decimal(price)]


@pytest.mark.parametrize("position", ["flat", "long", "short"])
def test_a_doubt_about_what_was_under_way_ends_when_it_is_known_what_the_hub_has(position: HubPosition) -> None:
    relay = HubPositions("rsi", NBT.commands)
    (step,) = wished(relay, signal(size=1))
    relay.begun(step)
    relay.doubted(step)
    assert relay.positions() == {MARKET: None}
    relay.hold(MARKET, position)
    assert (relay.positions(), relay.doubts()) == ({MARKET: position}, {}), "nothing is under way any more"
