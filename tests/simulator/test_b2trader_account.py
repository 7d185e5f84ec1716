"""The account streams of the simulated B2TRADER, row by row: what comes first, and what each event adds."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from venues.b2trader.simulator.account import AccountData
from venues.b2trader.simulator.market import Quoted
from venues.b2trader.simulator.text import instant, ulid
from venues.simulator.market_events import BookChange
from venues.simulator.tally import DAY

from .test_account import FIRST, Traded

if TYPE_CHECKING:
    from collections.abc import Callable

NAMES = {"spot.btc_usdt": "BTC_USDT", "spot.eth_usdt": "ETH_USDT"}
MIDNIGHT = 20_000 * DAY
NOW = MIDNIGHT + 5_000
MARKET = {
    "marketId": "spot.btc_usdt",
    "marketType": "Spot",
    "marketDisplayName": "BTC/USDT",
    "marketFullName": "Bitcoin / Tether",
}


class Streams(Traded):
    """The account with its streams: bids at 99 and 98, asks at 101 and 102, 10 lots of 0.1 each."""

    def __init__(self) -> None:
        super().__init__()
        self.stage.now = NOW
        markets = {market.name: market for market in (self.market, self.other)}
        world: Any = SimpleNamespace(stage=self.stage, account=self.account, markets=markets, seed=1, skip=0.0)
        quoted = {market_id: Quoted(world, market_id, name) for market_id, name in NAMES.items()}
        self.data = AccountData(world, quoted, NAMES)
        self.told: list[Any] = []

    def join(self, name: str) -> Callable[[], None]:
        """Ask for a stream; what it tells is in `told` from then on."""
        leave: Callable[[], None] = getattr(self.data, name)(lambda item, losable=False: self.told.append(item))
        return leave

    def take(self) -> list[Any]:
        """What was told since it was asked for the last time."""
        told, self.told = self.told, []
        return [json.loads(item) for item in told]


def order(**more: Any) -> dict[str, Any]:
    """The row of the first order, a bid of 0.5 BTC at 100, when it was new."""
    return {
        **MARKET,
        "orderId": ulid(NOW, FIRST),
        "timeInForce": "Gtc",
        "status": "Pending",
        "source": "Manual",
        "reason": "Trader",
        "side": "Buy",
        "orderType": "Limit",
        "requestedAmount": "0.5",
        "remainingAmount": "0.5",
        "requestedPrice": "100",
        "executionPrice": "0",
        "createdAt": instant(NOW),
        "updatedAt": instant(NOW, FIRST * 7_919),
        "cancellationDate": None,
        "commissionAssetId": "usdt",
        "commissionAmount": "0",
        "leverage": 10,
        "fillFactor": "0",
        "takeProfit": None,
        "stopLoss": None,
        **more,
    }


def test_an_order_is_told_when_it_rests_is_filled_in_part_and_completed() -> None:
    one = Streams()
    one.join("orders")
    assert one.take() == [[]]
    one.placed("buy", 100, 5)
    assert one.take() == [[order()]]
    one.stage.now += 1
    one.market.market("sell", 2)
    later = instant(NOW + 1, FIRST * 7_919)
    part = order(status="Working", remainingAmount="0.3", executionPrice="100", fillFactor="0.4", updatedAt=later)
    assert one.take() == [[part]]
    one.join("orders")
    assert one.take() == [[part]], "who comes later is told of it as it is"
    one.market.market("sell", 3)
    whole = order(status="Completed", remainingAmount="0", executionPrice="100", fillFactor="1", updatedAt=later)
    assert one.take() == [[whole], [whole]], "both are told"
    one.join("orders")
    assert one.take() == [[]], "it is not open any more"


def test_a_cancelled_order_says_when() -> None:
    one = Streams()
    placed = one.placed("sell", 105, 3)
    leave = one.join("orders")
    one.take()
    one.stage.now += 1_000
    assert one.account.cancel(placed)
    then = instant(NOW + 1_000, FIRST * 7_919)
    ask = {"side": "Sell", "requestedAmount": "0.3", "remainingAmount": "0.3", "requestedPrice": "105"}
    assert one.take() == [[order(**ask, status="Cancelled", updatedAt=then, cancellationDate=then)]]
    leave()
    one.placed("sell", 105, 3)
    assert one.take() == []


def test_a_market_order_is_started_until_it_is_completed() -> None:
    """It has no price; its executions have a mean one, with 8 decimals at most."""
    one = Streams()
    one.market.market("buy", 4)
    one.market.limit("sell", 103, 40)
    one.join("orders")
    one.take()
    one.taken("buy", 17)  # 6 at 101, 10 at 102, 1 at 103
    kind = {"timeInForce": "Ioc", "orderType": "Market", "requestedPrice": "0", "requestedAmount": "1.7"}
    rows = [row for item in one.take() for row in item]
    assert rows == [
        order(**kind, status="Started", remainingAmount="1.7"),
        order(**kind, status="Started", remainingAmount="1.1", executionPrice="101", fillFactor="0.3529"),
        order(**kind, status="Started", remainingAmount="0.1", executionPrice="101.625", fillFactor="0.9411"),
        order(**kind, status="Completed", remainingAmount="0", executionPrice="101.70588235", fillFactor="1"),
    ]


def position(number: int = 1, **more: Any) -> dict[str, Any]:
    """The row of a long position: 0.4 BTC bought at 101, which are worth 99."""
    return {
        "positionId": ulid(NOW, number),
        **MARKET,
        "createdAt": instant(NOW),
        "updatedAt": instant(NOW, number * 7_919),
        "side": "Buy",
        "status": "Open",
        "leverage": 10,
        "positionLotAmount": "0.4",
        "positionPriceInRAT": "39.6",
        "rateToRAT": "1",
        "usedMarginInRAT": "4.04",
        "openPrice": "101",
        "currentMarketPrice": "99",
        "unrealizedPnlDayInRAT": "-0.8",
        "unrealizedPnlDayPercent": "-0.0199",
        "unrealizedPnlTotalInRAT": "-0.8",
        "unrealizedPnlTotalPercent": "-0.0199",
        "takeProfit": None,
        "stopLoss": None,
        "positionModifier": "Trader",
        **more,
    }


NOTHING: dict[str, str] = {
    "positionLotAmount": "0",
    "positionPriceInRAT": "0",
    "usedMarginInRAT": "0",
    "unrealizedPnlDayInRAT": "0",
    "unrealizedPnlDayPercent": "0",
    "unrealizedPnlTotalInRAT": "0",
    "unrealizedPnlTotalPercent": "0",
}
SHORT: dict[str, str] = {
    "side": "Sell",
    "positionLotAmount": "0.6",
    "positionPriceInRAT": "60.6",
    "usedMarginInRAT": "5.94",
    "openPrice": "99",
    "currentMarketPrice": "101",
    "unrealizedPnlDayInRAT": "-1.2",
    "unrealizedPnlDayPercent": "-0.0203",
    "unrealizedPnlTotalInRAT": "-1.2",
    "unrealizedPnlTotalPercent": "-0.0203",
}


def test_a_position_is_told_when_it_opens_changes_turns_and_is_closed() -> None:
    one = Streams()
    one.join("positions")
    assert one.take() == [{"item": [], "snapshot": True}]
    one.placed("buy", 101, 4)
    assert one.take() == [{"item": [position()], "snapshot": False}]
    one.market.limit("sell", 150, 1)
    assert one.take() == [], "neither its price nor its size has changed"
    one.stage.now += 1
    one.join("positions")
    assert one.take() == [{"item": [position()], "snapshot": True}]
    one.placed("sell", 99, 10)  # 4 lots close it, 6 open another one
    then = instant(NOW + 1)
    closed = position(**NOTHING, status="Closed", updatedAt=then)
    short = position(2, **SHORT) | {
        "positionId": ulid(NOW + 1, 2),
        "createdAt": then,
        "updatedAt": instant(NOW + 1, 2 * 7_919),
        "currentMarketPrice": "101",
    }
    turned = {"item": [closed, short], "snapshot": False}
    assert one.take() == [turned, turned]
    one.placed("buy", 102, 6)
    over = {**short, **NOTHING, "status": "Closed", "updatedAt": then}
    told = one.take()
    assert told[0] == {"item": [over], "snapshot": False}
    one.join("positions")
    assert one.take() == [{"item": [], "snapshot": True}]


def test_positions_that_nobody_watched_are_told_as_they_are_to_who_comes() -> None:
    one = Streams()
    leave = one.join("positions")
    one.placed("buy", 101, 4)
    leave()
    one.placed("sell", 99, 2)
    one.take()
    one.join("positions")
    ((row,),) = (item["item"] for item in one.take())
    assert (row["positionLotAmount"], row["status"]) == ("0.2", "Open")


@pytest.mark.parametrize(("opened", "day"), [(MIDNIGHT - 1, "0"), (MIDNIGHT, "-1.2"), (MIDNIGHT + 1, "-1.2")])
def test_the_days_pnl_of_an_older_position_is_since_the_days_first_trade(opened: int, day: str) -> None:
    """0.4 BTC were bought at 102, behind a trade at 101; the trade after midnight is at 99, as is the bid."""
    one = Streams()
    one.stage.now = opened
    one.market.market("buy", 10)
    one.placed("buy", 102, 4)
    one.stage.now = NOW
    one.market.market("sell", 1)
    one.stage.now = MIDNIGHT + DAY - 1
    one.join("positions")
    ((row,),) = (item["item"] for item in one.take())
    assert (row["unrealizedPnlDayInRAT"], row["unrealizedPnlTotalInRAT"]) == (day, "-1.2")


def closed(order_id: int, **more: Any) -> dict[str, Any]:
    """The row of what an order closed: 0.4 BTC, bought at 101 and sold at 99."""
    return {
        "marketId": "spot.btc_usdt",
        "marketFullName": "Bitcoin / Tether",
        "marketDisplayName": "BTC/USDT",
        "marketType": "Spot",
        "orderId": ulid(NOW, order_id),
        "orderType": "Limit",
        "timeInForce": "Gtc",
        "side": "Sell",
        "positionCloseLotAmount": "0.4",
        "reason": "Trader",
        "realizedPnlInRAT": "-0.8",
        "closedAt": instant(NOW, order_id * 7_919),
        "positionId": ulid(NOW, 1),
        "openPrice": "101",
        "closePrice": "99",
        "positionPriceInRAT": "39.6",
        "rateToRAT": "1",
        "openedAt": instant(NOW),
        **more,
    }


def test_each_closing_is_told_once_and_again_when_its_order_closes_more() -> None:
    one = Streams()
    one.placed("buy", 101, 8)
    one.join("closed")
    assert one.take() == [[]]
    one.placed("sell", 99, 4)
    first = closed(FIRST + 1)
    assert one.take() == [[first]]
    one.placed("buy", 90, 1)
    assert one.take() == [], "nothing was closed"
    one.join("closed")
    assert one.take() == [[first]]
    one.market.market("sell", 6)  # the bids at 99 are gone
    one.placed("sell", 99, 3)
    assert one.take() == [], "it rests"
    half = {"positionCloseLotAmount": "0.1", "realizedPnlInRAT": "-0.2", "positionPriceInRAT": "9.9"}
    one.market.market("buy", 1)
    second = closed(FIRST + 3, **half)
    assert one.take() == [[second], [second]]
    one.market.market("buy", 1)
    more = {"positionCloseLotAmount": "0.2", "realizedPnlInRAT": "-0.4", "positionPriceInRAT": "19.8"}
    again = closed(FIRST + 3, **more)
    assert one.take() == [[again], [again]]
    one.join("closed")
    assert one.take() == [[first, again]]


def test_a_market_order_that_closes_a_short_position_buys() -> None:
    one = Streams()
    one.placed("sell", 99, 4)
    one.join("closed")
    one.take()
    one.taken("buy", 4)
    kind = {"orderType": "Market", "timeInForce": "Ioc", "side": "Buy"}
    assert one.take() == [[closed(FIRST + 1, **kind, openPrice="99", closePrice="101", positionPriceInRAT="40.4")]]


def test_closings_that_nobody_watched_are_told_as_a_whole_to_who_comes() -> None:
    one = Streams()
    leave = one.join("closed")
    one.placed("buy", 101, 8)
    leave()
    one.placed("sell", 99, 4)
    one.take()
    one.join("closed")
    assert one.take() == [[closed(FIRST + 1)]]
    one.market.limit("sell", 150, 1)
    assert one.take() == []


def asset(name: str, available: str, total: str, locked: str) -> dict[str, str]:
    return {"assetId": name, "available": available, "total": total, "locked": locked}


def test_of_balances_those_that_change_are_told_once_for_each_order() -> None:
    one = Streams()
    usdt = asset("usdt", "1000000", "1000000", "0")
    btc = asset("btc", "2", "2", "0")
    others = [asset("eth", "40", "40", "0"), asset("sol", "800", "800", "0")]
    one.join("balances")
    assert one.take() == [[usdt, btc, *others]]
    one.placed("buy", 100, 5)
    usdt = asset("usdt", "999950", "1000000", "50")
    assert one.take() == [[usdt]]
    one.join("balances")
    assert one.take() == [[usdt, btc, *others]]
    one.market.market("sell", 2)
    usdt, btc = asset("usdt", "999950", "999980", "30"), asset("btc", "2.2", "2.2", "0")
    assert one.take() == [[usdt, btc]] * 2, "together, with nothing in between"
    one.market.limit("sell", 150, 1)
    one.stage.emit(BookChange("SOL_USDT", NOW))
    assert one.take() == []


def test_balances_that_nobody_watched_are_told_as_they_are_to_who_comes() -> None:
    one = Streams()
    leave = one.join("balances")
    leave()
    one.placed("sell", 105, 5)
    one.take()
    one.join("balances")
    ((usdt, btc, *_),) = one.take()
    assert (usdt["locked"], btc) == ("0", asset("btc", "1.5", "2", "0.5"))


def margin(unrealised: str, equity: str, used: str, free: str, level: str, balance: str = "1000000") -> dict[str, str]:
    return {
        "marginBalanceInRAT": balance,
        "unrealizedPnlInRAT": unrealised,
        "equityInRAT": equity,
        "usedMarginInRAT": used,
        "freeMarginInRAT": free,
        "marginLevel": level,
    }


def test_the_margin_is_told_when_a_figure_of_it_changes() -> None:
    one = Streams()
    nothing = margin("0", "1000000", "0", "1000000", "0")
    leave = one.join("margin")
    assert one.take() == [nothing]
    one.placed("buy", 97, 5)
    assert one.take() == [], "an order that rests uses none"
    one.placed("buy", 101, 4)
    used = margin("-0.8", "999999.2", "4.04", "999995.16", "247524.5544")
    assert one.take() == [used]
    one.join("margin")
    assert one.take() == [used]
    one.placed("sell", 99, 4)
    assert one.take() == [margin("0", "999999.2", "0", "999999.2", "0", balance="999999.2")] * 2
    leave()


def test_a_margin_that_nobody_watched_is_told_as_it_is_to_who_comes() -> None:
    one = Streams()
    leave = one.join("margin")
    leave()
    one.placed("buy", 101, 4)
    one.take()
    one.join("margin")
    assert one.take() == [margin("-0.8", "999999.2", "4.04", "999995.16", "247524.5544")]
    one.market.limit("sell", 150, 1)
    assert one.take() == []
