"""The account's strategy and the public's flow, with chance replaced by what the test says."""

from __future__ import annotations

import math
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from venues.simulator import flow as flow_module
from venues.simulator.account import Account
from venues.simulator.flow import FLOOR, RESTING, Flow
from venues.simulator.market import Instrument, Market
from venues.simulator.market_events import Stage
from venues.simulator.strategy import Strategy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from venues.simulator.market_events import Side

BTC = Instrument("BTC_USDT", "BTC", "USDT", Decimal(1), Decimal("0.0001"), 1_000, 50)
ROUND = ["cancel", "place", "place", "replace", "take", "take", "take", "take"]


class Chance:
    """Draws what it was told to; of a choice it takes the one at `picks`, of a range the `lots`."""

    def __init__(self, *drawn: float, picks: int = 0, lots: int = 100) -> None:
        self.drawn = list(drawn)
        self.picks = picks
        self.lots = lots
        self.asked: list[Any] = []

    def random(self) -> float:
        return self.drawn.pop(0)

    def choice(self, among: Sequence[Any]) -> Any:
        self.asked.append(among)
        return among[self.picks]

    def randint(self, least: int, most: int) -> int:
        self.asked.append((least, most))
        return self.lots

    def uniform(self, least: float, most: float) -> float:
        self.asked.append((least, most))
        return 600.0

    def shuffle(self, some: list[Any]) -> None:
        some.sort(reverse=True)


class Acting:
    """A strategy of an account in a market with bids at 998 and offers at 1,002, of 1,000 lots each."""

    def __init__(self, *drawn: float, picks: int = 0, lots: int = 100, rate: float = 20.0, ask: int = 1_002) -> None:
        self.stage = Stage(0)
        self.market = Market(BTC, self.stage)
        self.account = Account(self.stage, [self.market])
        self.market.limit("buy", 998, 1_000)
        self.market.limit("sell", ask, 1_000)
        self.chance = Chance(*drawn, picks=picks, lots=lots)
        self.strategy = Strategy(self.account, self.market, self.chance, rate, 5_000.0)  # type: ignore[arg-type]

    def hold(self, lots: int) -> None:
        """Long or short by so many lots, with the book as it was."""
        if lots:
            side: Side = "buy" if lots > 0 else "sell"
            price = 998 if lots < 0 else 1_002
            self.market.limit("sell" if lots > 0 else "buy", price, 10**4)
            self.account.place(self.market, side, price, abs(lots))

    def orders(self) -> list[tuple[str, int | None, int]]:
        return [(one.side, one.ticks, one.lots) for one in self.account.orders.values()]


@pytest.mark.parametrize(("rate", "due"), [(20.0, 5_600.0), (40.0, 5_300.0), (5.0, 7_400.0), (0.0, math.inf)])
def test_it_acts_sooner_where_there_is_more_going_on(rate: float, due: float) -> None:
    acting = Acting(rate=rate)
    assert acting.strategy.due == due
    assert acting.chance.asked == [(400.0, 1_000.0)]


@pytest.mark.parametrize(
    ("pick", "draw", "ask", "order"),
    [
        (0, 0.49, 1_002, ("buy", 999, 100)),  # into the spread
        (1, 0.49, 1_002, ("buy", 999, 100)),
        (2, 0.49, 1_002, ("buy", 998, 100)),
        (3, 0.49, 1_002, ("buy", 998, 100)),
        (4, 0.49, 1_002, ("buy", 997, 100)),
        (5, 0.49, 1_002, ("buy", 993, 100)),  # a tenth of the reach
        (0, 0.50, 1_002, ("sell", 1_001, 100)),
        (4, 0.50, 1_002, ("sell", 1_003, 100)),
        (5, 0.50, 1_002, ("sell", 1_007, 100)),
        (0, 0.49, 999, ("buy", 998, 100)),  # there is no room
        (0, 0.49, 1_000, ("buy", 999, 100)),
    ],
)
def test_where_an_order_is_placed(pick: int, draw: float, ask: int, order: tuple[str, int, int]) -> None:
    acting = Acting(draw, picks=pick, ask=ask)
    acting.strategy._place()
    assert acting.orders() == [order]
    improve = int(ask > 999)
    assert acting.chance.asked[1:] == [(improve, improve, 0, 0, -1, -5), (20, 300)]


def test_a_bid_is_placed_at_the_lowest_tick_at_least() -> None:
    acting = Acting(0.1, picks=5)
    acting.market.market("sell", 1_000)
    acting.market.limit("buy", 3, 1_000)
    acting.strategy._place()
    assert acting.orders() == [("buy", 1, 100)]


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_in_a_book_with_an_empty_side_nothing_is_placed_or_taken(side: Side) -> None:
    acting = Acting(*(0.1,) * 6)
    acting.market.market(side, 1_000)
    acting.strategy._place()
    assert acting.orders() == []
    acting.chance.drawn = [0.9, 0.1 if side == "buy" else 0.9, 0.1]
    acting.strategy._take()
    assert acting.orders() == []
    assert acting.account.positions["BTC_USDT"].holding == 0


@pytest.mark.parametrize(("before", "after"), [(4, 5), (5, 5)])
def test_of_its_open_orders_the_oldest_makes_room(before: int, after: int) -> None:
    acting = Acting(0.1)
    for at in range(before):
        acting.account.place(acting.market, "buy", 900 + at, 1)
    acting.strategy._place()
    assert len(acting.orders()) == after
    assert acting.orders()[0] == ("buy", 900 if before < 5 else 901, 1)


def test_a_round_has_eight_actions_in_an_order_drawn_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """`pop` takes from the end, so the last of a round is the first that is done."""
    acting = Acting()
    done: list[Any] = []
    monkeypatch.setattr(Strategy, "_take", lambda _: done.append("take"))
    monkeypatch.setattr(Strategy, "_place", lambda _: done.append("place"))
    monkeypatch.setattr(Strategy, "_cancel", lambda _, *, oldest: done.append(oldest) or not oldest)  # type: ignore[func-returns-value]
    for _ in range(9):
        acting.strategy.step()
    assert done == [False, "place", "place", True, "place", "take", "take", "take", "take", False]
    assert acting.strategy.due == 5_600 + 9 * 600


def test_where_there_is_nothing_to_cancel_an_order_is_placed(monkeypatch: pytest.MonkeyPatch) -> None:
    acting = Acting(0.1)
    acting.strategy.step()  # the first of the round cancels
    assert acting.orders() == [("buy", 999, 100)]


@pytest.mark.parametrize(("oldest", "left"), [(True, [901, 902]), (False, [900, 901])])
def test_the_oldest_order_is_cancelled_or_one_by_chance(oldest: bool, left: list[int]) -> None:
    acting = Acting(picks=2)
    for ticks in (900, 901, 902):
        acting.account.place(acting.market, "buy", ticks, 1)
    assert acting.strategy._cancel(oldest=oldest) is True
    assert [ticks for _, ticks, _ in acting.orders()] == left
    assert Acting().strategy._cancel(oldest=oldest) is False


@pytest.mark.parametrize(
    ("held", "drawn", "wanted"),
    [
        (0, [0.1, 0.4], ("buy", 100)),
        (0, [0.1, 0.6], ("sell", 100)),
        (200, [0.29], ("sell", 200)),
        (-200, [0.29], ("buy", 200)),
        (200, [0.3], ("sell", 400)),
        (-200, [0.44], ("buy", 400)),
        (301, [0.44], ("sell", 601)),
        (300, [0.44], ("sell", 600)),
        (1, [0.44], ("sell", 2)),
        (200, [0.45, 0.4], ("buy", 100)),
        (200, [0.45, 0.5], ("sell", 100)),
        (1_500, [0.9, 0.4], ("buy", 100)),
        (1_501, [0.9], ("sell", 100)),
        (-1_501, [0.9], ("buy", 100)),
    ],
)
def test_what_it_wants_to_take(held: int, drawn: list[float], wanted: tuple[str, int]) -> None:
    """To close what it holds, to turn it, or by chance; when it holds very much, only less of it."""
    acting = Acting(*drawn)
    acting.hold(held)
    assert acting.strategy._wanted() == wanted
    assert acting.chance.drawn == []


@pytest.mark.parametrize(
    ("draw", "lots", "kind", "size"),
    [(0.59, 100, "market", 100), (0.6, 100, "limit", 100), (0.6, 9_999, "limit", 500), (0.59, 9_999, "market", 500)],
)
def test_it_takes_at_any_price_or_at_the_touch(draw: float, lots: int, kind: str, size: int) -> None:
    acting = Acting(0.9, 0.1, draw, lots=lots)
    placed: list[Any] = []
    place, take = acting.account.place, acting.account.take
    acting.account.place = lambda *order: placed.append(("limit", order[3], order[2])) or place(*order)  # type: ignore
    acting.account.take = lambda *order: placed.append(("market", min(order[2], 500))) or take(*order)  # type: ignore
    acting.strategy._take()
    assert placed == [(kind, size, 1_002) if kind == "limit" else (kind, size)]
    assert acting.account.positions["BTC_USDT"].holding == Decimal("0.0001") * size


def test_of_the_publics_last_lot_nothing_is_taken() -> None:
    acting = Acting(0.9, 0.1, 0.7)
    acting.market.market("buy", 999)
    acting.strategy._take()
    assert acting.account.positions["BTC_USDT"].holding == 0
    assert acting.orders() == []


# --- the public's flow


def flowing(rate: float = 2.0, seed: int = 1) -> tuple[Market, Flow]:
    market = Market(BTC, Stage(0))
    return market, Flow(market, Random(seed), rate, 7_000.0)


def counts(market: Market) -> tuple[int, ...]:
    return tuple(sum(1 for _ in market.engine.orders(side)) for side in ("buy", "sell"))


def test_a_market_opens_with_150_orders_a_side_around_its_start() -> None:
    market, flow = flowing()
    assert counts(market) == (150, 150) == (RESTING, RESTING)
    bid, ask = market.engine.best("buy"), market.engine.best("sell")
    assert bid is not None
    assert ask is not None
    assert bid < 1_000 < ask
    assert all(order.slot >= 0 for side in ("buy", "sell") for order in market.engine.orders(side))
    assert flow.due > 7_000


def test_a_market_that_starts_at_the_lowest_ticks_opens_with_bids_there() -> None:
    market = Market(BTC._replace(start=2, reach=1), Stage(0))
    Flow(market, Random(1), 2.0, 0.0)
    assert {order.price for order in market.engine.orders("buy")} == {1}
    assert min(order.price for order in market.engine.orders("sell")) == 3


@pytest.mark.parametrize(
    ("drawn", "done"),
    [
        (0.0, "place"),
        (0.499, "place"),
        (0.5, "take"),
        (0.501, "take"),
        (0.599, "take"),
        (0.6, "cancel"),
        (0.601, "cancel"),
        (0.999, "cancel"),
    ],
)
def test_half_of_all_events_place_a_tenth_takes_and_the_others_cancel(
    drawn: float, done: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, flow = flowing()
    found: list[str] = []
    for name in ("place", "take", "cancel"):
        monkeypatch.setattr(flow, f"_{name}", lambda *_, name=name: found.append(name))
    flow._random = Chance(drawn, 0.1)  # type: ignore[assignment]
    flow._random.expovariate = lambda rate: found.append(f"{rate:.3f}") or 0.25  # type: ignore
    before = flow.due
    flow.step()
    assert found == [done, "2.000"]
    assert flow.due == before + 250


def test_without_a_rate_nothing_ever_comes() -> None:
    assert flowing(rate=0.0)[1].due == math.inf


@pytest.mark.parametrize(("chosen", "side"), [(0, "buy"), (149, "buy"), (150, "sell"), (299, "sell")])
def test_each_resting_order_may_be_cancelled(chosen: int, side: Side) -> None:
    market, flow = flowing()
    of_side = flow._resting[side]
    order, last = of_side[chosen % 150], of_side[-1]
    asked: list[int] = []

    def randrange(most: int) -> int:
        asked.append(most)
        return chosen

    flow._random.randrange = randrange  # type: ignore[method-assign, assignment]
    flow._cancel()
    assert asked == [300]
    assert order not in market.engine.orders(side)
    assert len(of_side) == 149
    assert order not in of_side
    assert [one.slot for one in of_side] == [*range(149)]
    assert (last in of_side) is (last is not order)


@pytest.mark.parametrize(("resting", "is_less"), [(FLOOR, False), (FLOOR + 1, True)])
def test_at_the_floor_a_cancel_and_a_taker_place_instead(
    resting: int, is_less: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow_module, "RESTING", resting)
    market, flow = flowing()
    flow._random.randrange = lambda most: 0  # type: ignore
    flow._cancel()
    assert counts(market) == (resting + (-1 if is_less else 1), resting)
    monkeypatch.setattr(flow, "_taking_side", lambda: "buy")
    monkeypatch.setattr(flow, "_lots", lambda: 1)
    flow._take()
    assert (market.last is not None) is is_less
    assert counts(market)[1] == resting + (0 if is_less else 1)


@pytest.mark.parametrize(("lots", "taken"), [(0, 1), (1, 1), (50, 50), (51, 51), (10**6, 75)])
def test_a_taker_takes_half_of_a_side_at_most_and_a_lot_at_least(
    lots: int, taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Flow, "_lots", lambda _: 1)
    market, flow = flowing()
    monkeypatch.setattr(Flow, "_lots", lambda _: lots)
    monkeypatch.setattr(flow, "_taking_side", lambda: "buy")
    flow._take()
    assert market.public_lots("sell") == 150 - taken
    assert len(flow._resting["sell"]) == 150 - taken, "what was used up is forgotten"
    assert market.public_lots("buy") == 150


@pytest.mark.parametrize(
    ("middle", "edge"), [(1_000, 0.5), (900, 0.6), (1_100, 0.4), (800, 0.7), (700, 0.7), (1_200, 0.3), (2_000, 0.3)]
)
def test_takers_lean_towards_the_start(middle: int, edge: float, monkeypatch: pytest.MonkeyPatch) -> None:
    market, flow = flowing()
    monkeypatch.setattr(market.engine, "best", lambda side: middle - 2 if side == "buy" else middle + 2)
    for drawn, side in ((edge - 0.001, "buy"), (edge + 0.001, "sell")):
        flow._random = Chance(drawn)  # type: ignore[assignment]
        assert flow._taking_side() == side


def test_takers_of_an_empty_book_lean_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    market, flow = flowing()
    monkeypatch.setattr(market.engine, "best", lambda _: None)
    for drawn, side in ((0.499, "buy"), (0.5, "sell")):
        flow._random = Chance(drawn, drawn)  # type: ignore[assignment]
        assert flow._taking_side() == flow._any_side() == side


@pytest.mark.parametrize(
    ("drawn", "lots"), [(0.001, 1), (0.0199, 1), (0.02, 2), (1.0, 100), (50.0, 5_000), (50.01, 5_000)]
)
def test_sizes_are_bounded(drawn: float, lots: int) -> None:
    _, flow = flowing()
    asked: list[tuple[float, float]] = []
    flow._random.lognormvariate = lambda *of: asked.append(of) or drawn  # type: ignore
    assert flow._lots() == lots
    assert asked == [(0.0, 0.8)]


def test_distances_have_the_reach_of_the_market_as_their_mean() -> None:
    _, flow = flowing()
    asked: list[float] = []
    flow._random.expovariate = lambda rate: asked.append(rate) or 12.9  # type: ignore
    assert flow._distance() == 12
    assert asked == [1 / 50]


def test_an_order_far_off_is_a_tenth_of_the_reach_behind_the_best(monkeypatch: pytest.MonkeyPatch) -> None:
    acting = Acting(0.49, picks=5)
    monkeypatch.setattr(acting.market, "instrument", acting.market.instrument._replace(reach=110))
    acting.strategy._place()
    assert acting.orders() == [("buy", 998 - 11, 100)]


@pytest.mark.parametrize(("drawn", "done"), [(0.53, "place"), (0.54, "take")])
@pytest.mark.parametrize("side", ["buy", "sell"])
def test_each_resting_order_of_either_side_may_be_cancelled_and_so_counts(
    side: Side, drawn: float, done: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With 250 orders there are two cancels to three limits: 1 of 1.867 events is a limit."""
    _, flow = flowing()
    del flow._resting[side][100:]
    found: list[str] = []
    for name in ("place", "take", "cancel"):
        monkeypatch.setattr(flow, f"_{name}", lambda *_, name=name: found.append(name))
    flow._random = Chance(drawn, 0.1)  # type: ignore[assignment]
    flow._random.expovariate = lambda rate: found.append(f"{rate:.3f}") or 0.25  # type: ignore
    flow.step()
    assert found == [done, "1.867"]
