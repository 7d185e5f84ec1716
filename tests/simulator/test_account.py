"""The simulated account, step by step: what it may place, what is locked and settled, and what it tells."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from venues.simulator import account as account_module
from venues.simulator.account import PAID_IN, Account
from venues.simulator.market import INSTRUMENTS, Instrument, Market
from venues.simulator.market_events import BookChange, Event, Fill, Holding, OrderUpdate, Stage, Trade

if TYPE_CHECKING:
    from venues.simulator.account import Order
    from venues.simulator.market_events import OrderStatus, Side

BTC = Instrument("BTC_USDT", "BTC", "USDT", Decimal(1), Decimal("0.1"), 100, 10)
FIRST = 254_558
USDT, COINS = PAID_IN["USDT"], PAID_IN["BTC"]


class Traded:
    """An account in one market with a public book: bids at 99 and 98, asks at 101 and 102, 10 lots each."""

    def __init__(self) -> None:
        self.stage = Stage(1_000)
        self.market = Market(BTC, self.stage)
        self.other = Market(INSTRUMENTS[1], self.stage)
        self.account = Account(self.stage, [self.market, self.other])
        for side, ticks in (("buy", 99), ("buy", 98), ("sell", 101), ("sell", 102)):
            self.market.limit("buy" if side == "buy" else "sell", ticks, 10)
        self.events: list[Event] = []
        self.stage.listen(self.events.append)

    def placed(self, side: Side, ticks: int, lots: int) -> Order:
        order = self.account.place(self.market, side, ticks, lots)
        assert order is not None
        return order

    def taken(self, side: Side, lots: int) -> Order:
        order = self.account.take(self.market, side, lots)
        assert order is not None
        return order

    def locked(self, asset: str) -> Decimal:
        return self.account.balances[asset].locked

    def totals(self) -> tuple[Any, ...]:
        """By how much BTC and USDT have grown."""
        return self.account.balances["BTC"].total - COINS, self.account.balances["USDT"].total - USDT


def said(*found: Any) -> tuple[Any, ...]:
    """Several answers to be compared together."""
    return found


def update(status: OrderStatus, **more: Any) -> OrderUpdate:
    """Of the first order, a bid of 0.5 BTC at 100, at the beginning."""
    zero = Decimal(0)
    size = Decimal("0.5")
    first = OrderUpdate(
        "BTC_USDT", 1_000, FIRST, "buy", "limit", Decimal(100), size, zero, zero, status, 1_000, zero, zero
    )
    return replace(first, **more)


def test_an_account_has_what_was_paid_in_and_a_position_of_each_market() -> None:
    account = Traded().account
    assert {name: said(one.total, one.locked, one.available) for name, one in account.balances.items()} == {
        asset: (total, 0, total) for asset, total in PAID_IN.items()
    }
    assert said(account.orders, account.closed, account.balance) == ({}, {}, USDT)
    assert {name: one.holding for name, one in account.positions.items()} == {"BTC_USDT": 0, "ETH_USDT": 0}
    assert said(*account.margin()) == (USDT, 0, USDT, 0, USDT)
    assert account.open_orders() == []


def test_an_order_that_rests_locks_what_it_may_need() -> None:
    one = Traded()
    order = one.placed("buy", 100, 5)
    assert one.events == [update("new"), BookChange("BTC_USDT", 1_000, ((Decimal(100), Decimal("0.5")),))]
    assert one.account.open_orders() == [update("new")]
    assert said(order.asset, order.order_type, order.price, order.size, order.status) == (
        *("USDT", "limit", Decimal(100), Decimal("0.5"), "new"),
    )
    assert one.locked("USDT") == 50
    assert one.account.balances["USDT"].available == USDT - 50
    second = one.placed("sell", 105, 3)
    assert said(second.order_id, second.asset, one.locked("BTC")) == (FIRST + 1, "BTC", Decimal("0.3"))
    assert list(one.account.orders) == [FIRST, FIRST + 1]


def test_a_cancelled_order_unlocks_it_again_once() -> None:
    one = Traded()
    order = one.placed("buy", 100, 5)
    one.events.clear()
    one.stage.now = 2_000
    assert one.account.cancel(order) is True
    told = update("cancelled", time=2_000)
    assert one.events == [told, BookChange("BTC_USDT", 2_000, ((Decimal(100), Decimal(0)),))]
    assert said(order.status, order.updated, order.created, order.locked) == ("cancelled", 2_000, 1_000, 0)
    assert said(one.locked("USDT"), one.account.orders, one.totals()) == (0, {}, (0, 0))
    assert one.account.cancel(order) is False
    assert len(one.events) == 2


def test_a_fill_is_told_in_order_and_settled() -> None:
    """A trade, the fill, the order, the holding; the book last."""
    one = Traded()
    order = one.placed("buy", 100, 5)
    one.events.clear()
    one.stage.now = 3_000
    one.market.market("sell", 2)
    price, size = Decimal(100), Decimal("0.2")
    filled = {"time": 3_000, "filled": size, "cost": Decimal(20), "executed_price": price, "executed_size": size}
    assert one.events == [
        Trade("BTC_USDT", 3_000, 1, price, size, "sell"),
        Fill("BTC_USDT", 3_000, 1, FIRST, price, size, "buy"),
        update("partially_filled", **filled),
        Holding("BTC_USDT", 3_000, size),
        BookChange("BTC_USDT", 3_000, ((price, Decimal("0.3")),)),
    ]
    assert said(one.locked("USDT"), one.totals()) == (30, (size, -20))
    kept = {**filled, "executed_price": Decimal(0), "executed_size": Decimal(0)}
    assert one.account.open_orders() == [update("partially_filled", **kept)]
    one.events.clear()
    one.market.market("sell", 3)
    assert isinstance(one.events[1], Fill)
    assert one.events[1].fill_id == 2
    assert isinstance(one.events[2], OrderUpdate)
    assert said(one.events[2].status, one.events[2].filled, one.events[2].cost) == ("filled", Decimal("0.5"), 50)
    assert said(order.status, order.updated, one.account.orders) == ("filled", 3_000, {})
    assert said(one.locked("USDT"), one.totals()) == (0, (Decimal("0.5"), -50))
    assert one.account.cancel(order) is False


def test_a_bid_that_pays_less_than_its_price_unlocks_the_rest() -> None:
    one = Traded()
    order = one.placed("buy", 102, 15)  # 10 lots at 101, 5 at 102
    assert said(order.status, order.cost, one.locked("USDT")) == ("filled", 152, 0)
    assert one.totals() == (Decimal("1.5"), -152)
    second = one.placed("buy", 103, 8)  # the 5 lots that are left at 102; 3 rest
    assert said(second.status, second.resting is not None, one.locked("USDT")) == (
        *("partially_filled", True, Decimal("30.9")),
    )
    assert one.totals() == (2, -203)


def test_an_offer_unlocks_what_it_sold() -> None:
    one = Traded()
    order = one.placed("sell", 98, 12)  # 10 lots at 99, 2 at 98
    assert said(order.status, one.locked("BTC"), one.totals()) == ("filled", 0, (Decimal("-1.2"), Decimal("118.6")))
    rest = one.placed("sell", 98, 8)
    assert rest.status == "filled"
    assert one.account.place(one.market, "sell", 98, 1) is None, "all is sold"
    assert one.totals()[0] == -2


@pytest.mark.parametrize(("lots", "is_placed"), [(20, True), (21, False)])
def test_an_offer_needs_the_coins(lots: int, is_placed: bool) -> None:
    one = Traded()
    order = one.account.place(one.market, "sell", 200, lots)
    assert (order is not None) is is_placed
    assert said(one.locked("BTC"), len(one.account.orders), bool(one.events)) == (2 * is_placed, is_placed, is_placed)


@pytest.mark.parametrize(("ticks", "is_placed"), [(1_000_000, True), (1_000_001, False)])
def test_a_bid_needs_its_price_in_money(ticks: int, is_placed: bool) -> None:
    one = Traded()
    one.market.market("buy", 20)  # nobody offers any more
    order = one.account.place(one.market, "buy", ticks, 10)
    assert (order is not None) is is_placed
    assert one.locked("USDT") == USDT * is_placed


@pytest.mark.parametrize(
    ("resting", "taking", "is_cancelled"),
    [
        (("buy", 100), ("sell", 100), True),
        (("buy", 100), ("sell", 99), True),
        (("buy", 100), ("sell", 101), False),
        (("sell", 100), ("buy", 100), True),
        (("sell", 100), ("buy", 101), True),
        (("sell", 100), ("buy", 99), False),
        (("buy", 100), ("buy", 101), False),
    ],
)
def test_what_the_account_would_meet_of_its_own_is_cancelled_first(
    resting: tuple[Side, int], taking: tuple[Side, int], is_cancelled: bool
) -> None:
    one = Traded()
    order = one.placed(*resting, 5)
    elsewhere = one.account.place(one.other, resting[0], 100, 5)
    assert elsewhere is not None
    one.placed(*taking, 1)
    assert order.status == ("cancelled" if is_cancelled else "new")
    assert elsewhere.status == "new"


def test_a_market_order_has_no_price_and_meets_nothing_of_its_own() -> None:
    one = Traded()
    mine, same = one.placed("sell", 110, 1), one.placed("buy", 90, 1)
    order = one.taken("buy", 4)
    assert said(order.order_type, order.price, order.status, order.cost) == ("market", None, "filled", Decimal("40.4"))
    assert said(mine.status, same.status) == ("cancelled", "new")
    assert said(one.locked("USDT"), one.totals()) == (9, (Decimal("0.4"), Decimal("-40.4")))


@pytest.mark.parametrize(("lots", "taken"), [(3, 3), (10, 10), (11, 10), (999, 10)])
@pytest.mark.parametrize("side", ["buy", "sell"])
def test_a_market_order_leaves_half_of_what_the_public_has(lots: int, taken: int, side: Side) -> None:
    one = Traded()
    order = one.taken(side, lots)
    assert said(order.lots, order.status) == (taken, "filled")
    assert one.market.public_lots("sell" if side == "buy" else "buy") == 20 - taken


def test_a_market_order_for_the_last_lot_is_none() -> None:
    one = Traded()
    one.market.market("buy", 19)
    one.events.clear()
    assert one.account.take(one.market, "buy", 5) is None
    assert said(one.events, one.account.orders) == ([], {})
    one.market.limit("sell", 103, 1)
    assert one.taken("buy", 5).lots == 1


@pytest.mark.parametrize(("money", "is_taken"), [("50.6", True), ("50.5", False)])
def test_a_market_order_needs_what_the_public_wants_for_it(money: str, is_taken: bool) -> None:
    """Not what its own orders would cost; from several levels where one has not enough."""
    one = Traded()
    one.market.market("buy", 6)  # 4 lots are left at 101
    one.account.balances["BTC"].total += 1
    one.placed("sell", 100, 8)
    one.account.balances["USDT"].total = Decimal(money)
    assert (one.account.take(one.market, "buy", 5) is not None) is is_taken  # 4 at 101, 1 at 102


def test_what_closes_a_position_moves_the_balance() -> None:
    one = Traded()
    one.placed("buy", 101, 4)
    assert said(one.account.balance, dict(one.account.closed)) == (USDT, {})
    position = one.account.positions["BTC_USDT"]
    assert said(position.position_id, one.account.market_price(position)) == (1, 99)
    assert one.account.unrealised(position) == Decimal("-0.80")
    assert one.account.margin() == (
        *(USDT, Decimal("-0.80"), USDT - Decimal("0.8"), Decimal("4.04")),
        USDT - Decimal("4.84"),
    )
    one.stage.now = 5_000
    closing = one.taken("sell", 10)  # 4 lots close, 6 open the other way
    assert one.account.balance == USDT - Decimal("0.8")
    ((key, closed),) = one.account.closed.items()
    assert key == (closing.order_id, 1)
    assert said(closed.holding, closed.realised, closed.ordered, closed.closed) == (
        *(Decimal("0.4"), Decimal("-0.8"), 5_000, 5_000),
    )
    assert closed.order_type == "market"
    assert said(position.holding, position.position_id) == (Decimal("-0.6"), 2)
    assert one.account.market_price(position) == 101


def test_the_fills_of_one_order_that_close_a_position_are_one_closing() -> None:
    one = Traded()
    one.placed("buy", 101, 10)
    one.market.market("buy", 10)  # the public offers nothing any more
    order = one.placed("sell", 103, 10)
    for lots in (3, 4):
        one.market.limit("buy", 103, lots)
    ((key, closed),) = one.account.closed.items()
    assert said(key, closed.holding, closed.realised) == ((order.order_id, 1), Decimal("0.7"), Decimal("1.4"))
    assert one.account.balance == USDT + Decimal("1.4")
    one.placed("sell", 99, 1)
    assert [*one.account.closed] == [(order.order_id, 1), (order.order_id + 1, 1)]


@pytest.mark.parametrize("most", [2, 3])
def test_only_the_last_closings_are_kept(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account_module, "_CLOSED_KEPT", most)
    one = Traded()
    one.placed("buy", 101, 8)
    orders = [one.placed("sell", 99, 1).order_id for _ in range(4)]
    assert [order for order, _ in one.account.closed] == orders[-most:]


def test_a_position_in_an_empty_book_is_worth_nothing() -> None:
    one = Traded()
    assert one.account.market_price(one.account.positions["BTC_USDT"]) == 99, "without one: as if it were long"
    assert one.account.market_price(one.account.positions["ETH_USDT"]) == 0
