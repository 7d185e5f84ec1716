"""The rows of a change in a simulated book of Kraken: each fill, what moves in and out of the depth, in its order."""

from __future__ import annotations

import json
from decimal import Decimal
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from venues.kraken.simulator.market import BookFrame, Quoted, Stamps
from venues.simulator.market import Instrument, Market
from venues.simulator.market_events import Stage
from venues.simulator.tape import Steps

if TYPE_CHECKING:
    from collections.abc import Iterable

    from venues.simulator.market_events import Side

NOW = 1_700_000_000_000


class Watched:
    """A book of ten levels a side of a market with bids from 100 down, a lot of 0.1 each, and one ask."""

    def __init__(self, bids: int = 12) -> None:
        self.stage = Stage(NOW)
        self.market = Market(Instrument("BTC_USDT", "BTC", "USDT", Decimal(1), Decimal("0.1"), 100, 10), self.stage)
        steps = Steps(Decimal(1), Decimal("0.1"))
        world: Any = SimpleNamespace(markets={"BTC_USDT": self.market}, stage=self.stage, steps=lambda name: steps)
        self.quoted = Quoted(world, "BTC/USD", "BTC_USDT", Stamps())
        self.orders = [self.market.limit("buy", 100 - number, 1) for number in range(bids)]
        self.market.limit("sell", 200, 9)
        self.frames: list[BookFrame] = []
        self.leave = self.quoted.books[10].join(self.frames.append)

    def told(self, side: int = 0) -> list[list[tuple[int, float]]]:
        """The rows of bids (or asks) of each frame since the last time; of the other side there are none."""
        frames, self.frames[:] = [*self.frames], []
        assert all(not frame.rows[1 - side] for frame in frames)
        return [[(int(price), float(qty)) for price, qty in frame.rows[side]] for frame in frames]


def levels(prices: Iterable[int], size: float = 0.1) -> list[tuple[int, float]]:
    return [(price, size) for price in prices]


def test_who_comes_is_told_the_best_levels_and_then_their_changes() -> None:
    one = Watched()
    (whole,) = one.frames
    assert (whole.kind, [price for price, _ in whole.rows[0]]) == ("snapshot", [str(100 - n) for n in range(10)])
    assert [(price, float(qty)) for price, qty in whole.rows[1]] == [("200", 0.9)]
    assert whole.timestamp == "2023-11-14T22:13:20.000000Z"
    one.frames.clear()
    one.stage.now += 1_000
    one.market.limit("buy", 95, 2)
    assert one.frames[0].timestamp == "2023-11-14T22:13:21.000000Z"
    assert one.told() == [[(95, 0.3)]]
    one.market.limit("buy", 90, 5)
    one.market.limit("buy", 80, 5)
    assert one.told() == [], "beyond the depth"
    one.market.limit("sell", 150, 1)
    assert one.told(side=1) == [[(150, 0.1)]]
    one.leave()
    one.market.limit("buy", 96, 1)
    assert one.told() == []


def test_a_new_level_pushes_one_out_which_is_not_told() -> None:
    one = Watched()
    one.frames.clear()
    one.market.limit("buy", 101, 1)
    assert one.told() == [[(101, 0.1)]]
    one.market.cancel(one.orders[0])
    assert one.told() == [[(100, 0.0), (91, 0.1)]], "and it moves in again behind the one that is gone"


@pytest.mark.parametrize(
    ("sold", "rows"),
    [
        (1, [(101, 0.9)]),
        (3, [(101, 0.9), (101, 0.7)]),
        (5, [(101, 0.9), (101, 0.5)]),
        (6, [(101, 0.9), (101, 0.5), (101, 0.4)]),
        (10, [(101, 0.9), (101, 0.5), (101, 0.0), (91, 0.1)]),
    ],
)
def test_a_level_falls_with_each_fill(sold: int, rows: list[tuple[int, float]]) -> None:
    """Of orders of 1, 4 and 5 lots; a fill at a time, the last one with what is left."""
    one = Watched()
    for lots in (1, 4, 5):
        one.market.limit("buy", 101, lots)
    one.frames.clear()
    one.market.market("sell", sold)
    assert one.told() == [rows]


def test_an_order_that_takes_several_levels_tells_them_best_first_and_then_what_moves_in() -> None:
    one = Watched(bids=14)
    one.market.limit("buy", 99, 3)
    one.frames.clear()
    one.market.market("sell", 6)  # 100, both orders at 99, 98
    assert one.told() == [[(100, 0.0), (99, 0.3), (99, 0.0), (98, 0.0), *levels([90, 89, 88])]]


def test_a_taker_that_comes_to_rest_is_of_the_other_side() -> None:
    one = Watched()
    one.frames.clear()
    one.market.limit("sell", 100, 3)
    (frame,) = one.frames
    bids, asks = frame.rows
    assert ([(price, float(qty)) for price, qty in bids], [(price, float(qty)) for price, qty in asks]) == (
        [("100", 0.0), ("90", 0.1)],
        [("100", 0.2)],
    )


class Rows:
    """The rows of one change of several prices at once, as a tape has them."""

    def __init__(self) -> None:
        self.watched = Watched()
        self.book = self.watched.quoted.books[10]

    def of(self, changed: dict[int, int], side: Side = "buy", *, fills: Any = None) -> list[tuple[int, float]]:
        before = dict(self.book._told[side])
        for price, lots in changed.items():
            for order in [one for one in self.watched.market.engine.orders(side) if one.price == price]:
                self.watched.market.engine.cancel(order)
            if lots:
                self.watched.market.engine.limit(side, price, lots)
            self.watched.market._touched[side].add(price)
        self.book._told = {**self.book._told, side: self.book._top(side)}
        rows = self.book._rows(
            side, [(Decimal(price), Decimal(lots) / 10) for price, lots in changed.items()], before, fills or {}
        )
        return [(int(price), float(qty)) for price, qty in rows]


@pytest.mark.parametrize(
    ("changed", "rows"),
    [
        ({100: 0, 101: 1}, [(100, 0.0), (90, 0.1), (101, 0.1)]),  # 90 moved in, and was pushed out again
        ({100: 0, 99: 0, 101: 1}, [(100, 0.0), (99, 0.0), (90, 0.1), (89, 0.1), (101, 0.1)]),
        ({99: 0, 100: 0, 101: 1, 102: 1}, [(100, 0.0), (99, 0.0), (90, 0.1), (89, 0.1), (102, 0.1), (101, 0.1)]),
        ({100: 0, 101: 1, 90: 5}, [(100, 0.0), (101, 0.1)]),  # it was changed itself
        ({101: 1}, [(101, 0.1)]),
        ({91: 0}, [(91, 0.0), (90, 0.1)]),
        ({89: 7}, []),
        ({95: 1}, []),  # as it was
    ],
)
def test_what_several_changes_at_once_tell(changed: dict[int, int], rows: list[tuple[int, float]]) -> None:
    assert Rows().of(changed) == rows


def test_fills_of_a_level_that_was_not_told_before_are_not_told() -> None:
    fills = {("buy", "101"): [Decimal("0.1"), Decimal("0.2"), Decimal("0.3")]}
    assert Rows().of({101: 4}, fills=fills) == [(101, 0.4)]
    fills = {("buy", "100"): [Decimal("0.02"), Decimal("0.03"), Decimal("0.04")]}
    assert Rows().of({100: 7}, fills=fills) == [(100, 0.08), (100, 0.05), (100, 0.7)]


def test_a_stamp_is_later_than_none_before_it() -> None:
    stamps = Stamps()
    assert [stamps.after(0) for _ in range(2)] == [f"1970-01-01T00:00:00.00000{micro}Z" for micro in (1, 2)]


def test_a_candle_is_told_with_the_trade_that_makes_it() -> None:
    one = Watched()
    heard: list[Any] = []
    one.quoted.hearers["ohlc 1"].add(lambda frame: heard.append(json.loads(frame)["data"]))
    for now, lots in ((NOW, 1), (NOW + 39_999, 2), (NOW + 40_000, 4)):  # a minute begins 40 s later
        one.stage.now = now
        one.market.market("buy", lots)
    assert [[(row["trades"], row["volume"], row["interval_begin"][14:19]) for row in rows] for rows in heard] == [
        [(1, 0.1, "13:00")],
        [(2, 0.3, "13:00")],
        [(1, 0.4, "14:00")],
    ]
