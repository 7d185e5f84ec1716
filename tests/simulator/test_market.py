"""A simulated market, order by order: what it emits, whom it calls, and how its book is shown."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from venues.simulator import market as market_module
from venues.simulator.market import Instrument, Market
from venues.simulator.market_events import BookChange, Event, Stage, Trade

if TYPE_CHECKING:
    from collections.abc import Sequence

    from venues.simulator.market_events import Level, Side

SIDES: tuple[Side, Side] = ("buy", "sell")
NOW = 1_000
INSTRUMENT = Instrument("A_B", "A", "B", Decimal("0.5"), Decimal("0.1"), 100, 10)


class Told:
    """A market, and what it said and whom it called since it was last asked."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.calls: list[Any] = []
        stage = Stage(NOW)
        stage.listen(self.events.append)
        self.market = Market(INSTRUMENT, stage)
        self.market.on_fill = lambda owner, price, size: self.calls.append((owner, price, size))
        self.market.on_gone = lambda order: self.calls.append(order)

    def since(self) -> tuple[list[Event], list[Any]]:
        events, calls = self.events.copy(), self.calls.copy()
        self.events.clear()
        self.calls.clear()
        return events, calls


def rows(*given: tuple[str, str]) -> tuple[tuple[Decimal, Decimal], ...]:
    return tuple((Decimal(price), Decimal(size)) for price, size in given)


def change(bids: Sequence[tuple[str, str]] = (), asks: Sequence[tuple[str, str]] = ()) -> BookChange:
    return BookChange("A_B", NOW, rows(*bids), rows(*asks))


def shown(levels: Sequence[Level]) -> list[tuple[str, str, int]]:
    return [(str(level.price), str(level.size), level.orders) for level in levels]


def test_a_market_that_is_new_is_empty() -> None:
    market = Told().market
    assert (market.name, market.changes, market.last) == ("A_B", 0, None)
    for side in SIDES:
        assert market.best(side) is None
        assert shown(market.levels(side)) == []
        assert market.total(side) == 0


def test_prices_and_sizes_are_whole_multiples_of_tick_and_lot() -> None:
    market = Told().market
    assert (str(market.price(7)), str(market.size(7))) == ("3.5", "0.7")


def test_an_order_that_rests_is_one_change_of_its_side() -> None:
    told = Told()
    told.market.limit("buy", 100, 4)
    assert told.since() == ([change([("50.0", "0.4")])], [])
    told.market.limit("buy", 100, 3, owner=5)
    assert told.since() == ([change([("50.0", "0.7")])], [])
    told.market.limit("sell", 101, 2)
    assert told.since() == ([change(asks=[("50.5", "0.2")])], [])
    assert (told.market.best("buy"), told.market.best("sell")) == (Decimal(50), Decimal("50.5"))
    assert (told.market.total("buy"), told.market.public_lots("buy")) == (Decimal("0.7"), 4)
    assert told.market.changes == 3


def test_an_order_that_meets_others_trades_with_each_before_the_book_changes() -> None:
    """Both owners are told of their fill, the maker first; a public order that is used up is gone."""
    told = Told()
    first = told.market.limit("sell", 100, 2)
    told.market.limit("sell", 100, 3, owner=7)
    told.market.limit("sell", 101, 9)
    told.since()
    rest = told.market.limit("buy", 101, 6, owner=8)
    trades = [
        Trade("A_B", NOW, 1, Decimal(50), Decimal("0.2"), "buy"),
        Trade("A_B", NOW, 2, Decimal(50), Decimal("0.3"), "buy"),
        Trade("A_B", NOW, 3, Decimal("50.5"), Decimal("0.1"), "buy"),
    ]
    events, calls = told.since()
    assert events == [*trades, change(asks=[("50.0", "0"), ("50.5", "0.8")])]
    assert calls == [
        (8, Decimal("50.0"), Decimal("0.2")),
        first,
        (7, Decimal("50.0"), Decimal("0.3")),
        (8, Decimal("50.0"), Decimal("0.3")),
        (8, Decimal("50.5"), Decimal("0.1")),
    ]
    assert (rest.lots, told.market.last) == (0, trades[-1])


def test_what_is_left_of_a_limit_order_rests_and_of_a_market_order_goes() -> None:
    told = Told()
    told.market.limit("buy", 100, 2)
    told.since()
    told.market.limit("sell", 99, 5)
    events, _ = told.since()
    assert events[-1] == change([("50.0", "0")], [("49.5", "0.3")])
    told.market.market("buy", 7, owner=3)
    events, calls = told.since()
    assert events == [Trade("A_B", NOW, 2, Decimal("49.5"), Decimal("0.3"), "buy"), change(asks=[("49.5", "0")])]
    assert calls[0] == (3, Decimal("49.5"), Decimal("0.3"))
    assert (told.market.best("buy"), told.market.best("sell")) == (None, None)


@pytest.mark.parametrize(("side", "bids", "asks"), [("buy", [("50.0", "0.1")], []), ("sell", [], [("50.0", "0.1")])])
def test_a_cancelled_order_is_a_change_and_is_cancelled_once(side: Side, bids: Any, asks: Any) -> None:
    told = Told()
    order = told.market.limit(side, 100, 2)
    told.market.limit(side, 100, 1)
    assert len(told.market.levels(side)) == 1
    told.since()
    assert told.market.cancel(order) is True
    assert told.since() == ([change(bids, asks)], [])
    assert shown(told.market.levels(side)) == [("50.0", "0.1", 1)]
    assert told.market.cancel(order) is False
    assert told.since() == ([], [])


@pytest.mark.parametrize(
    ("side", "best_first"),
    [
        ("buy", [("51.5", "0.9", 1), ("50.0", "0.3", 2), ("49.0", "0.2", 1)]),
        ("sell", [("49.0", "0.2", 1), ("50.0", "0.3", 2), ("51.5", "0.9", 1)]),
    ],
)
def test_levels_stand_best_first_and_those_that_have_not_changed_are_the_same(side: Side, best_first: Any) -> None:
    market = Told().market
    for ticks, lots in ((100, 1), (98, 2), (103, 9), (100, 2)):
        market.limit(side, ticks, lots)
    before = market.levels(side)
    assert shown(before) == best_first
    assert market.levels(side) is before
    last = market.limit(side, 98, 5)
    after = market.levels(side)
    kept = [one.price for one, other in zip(before, after, strict=True) if one is other]
    assert [str(price) for price in kept] == [price for price, _, _ in best_first if price != "49.0"]
    assert next(one for one in shown(after) if one[0] == "49.0") == ("49.0", "0.7", 2)
    market.cancel(last)
    market.limit(side, 99, 1)  # of another price: all others stay
    assert shown(before) == best_first, "what was shown before is as it was"
    assert shown(market.levels(side)) == sorted(
        [*best_first, ("49.5", "0.1", 1)], key=lambda one: Decimal(one[0]), reverse=side == "buy"
    )


def test_a_level_whose_orders_change_while_its_size_does_not_is_another() -> None:
    market = Told().market
    one = market.limit("buy", 100, 2)
    (before,) = market.levels("buy")
    market.cancel(one)
    market.limit("buy", 100, 1)
    market.limit("buy", 100, 1)
    (after,) = market.levels("buy")
    assert (before.size, before.orders, after.size, after.orders) == (Decimal("0.2"), 1, Decimal("0.2"), 2)


def test_a_level_that_came_and_went_between_two_looks_is_not_there() -> None:
    market = Told().market
    market.limit("sell", 100, 1)
    market.levels("sell")
    market.cancel(market.limit("sell", 99, 1))
    market.cancel(market.limit("sell", 101, 1))
    assert shown(market.levels("sell")) == [("50.0", "0.1", 1)]
    market.market("buy", 1)
    assert market.levels("sell") == []


@pytest.mark.parametrize(("most", "looks"), [(3, 0), (2, 1)])
def test_levels_that_nobody_asks_for_are_made_when_too_many_wait(
    most: int, looks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(market_module, "MOST_TOUCHED", most)
    market = Told().market
    made: list[Side] = []
    monkeypatch.setattr(market, "levels", lambda side: made.append(side))
    for ticks in (100, 101, 102):
        market.limit("sell", ticks, 1)
    assert made == ["sell"] * looks


def test_a_market_that_nobody_watches_fills_orders_all_the_same() -> None:
    market = Told().market
    market.on_fill, market.on_gone = Market(market.instrument, Stage(0)).on_fill, lambda order: None
    mine = market.limit("buy", 100, 3, owner=7)
    market.market("sell", 2)
    assert (mine.lots, market.last and market.last.price) == (1, market.price(100))
    market.market("sell", 1, owner=8)
    assert market.levels("buy") == []
