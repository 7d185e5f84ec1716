"""The player of a tape: what it applies at which moment, without waiting."""

from __future__ import annotations

import asyncio
import math
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from venues.simulator.market_events import BookChange, Stage, Trade
from venues.simulator.player import Player, TapeMarket, _Ladder
from venues.simulator.tape import Row, Rows, Tape, TapeTrade

if TYPE_CHECKING:
    from venues.simulator.market_events import Side

ONE = Decimal(1)
LEVEL = [Row(Decimal(1), Decimal(2))]
TRADE, EARLY, WHOLE, LATER, BACK = (
    TapeTrade(1_000, Decimal(1), Decimal(1), "buy"),
    Rows(1_100, False, LEVEL, []),  # changes nothing: the book is not known yet
    Rows(1_500, True, LEVEL, []),
    Rows(2_500, False, [], LEVEL),
    TapeTrade(2_000, Decimal(1), Decimal(1), "sell"),  # the tape's clock has gone back
)


class Clock:
    """Time goes on by sleeping alone."""

    def __init__(self) -> None:
        self.now = 5_000
        self.slept: list[float] = []

    def epoch_ms(self) -> int:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += round(seconds * 1000)


class Market:
    def __init__(self) -> None:
        self.applied: list[tuple[Any, int]] = []

    def apply(self, line: Any, time: int) -> None:
        self.applied.append((line, time))


def played(speed: float, *lines: Any) -> tuple[Market, Clock]:
    market, clock = Market(), Clock()
    player: Player = Player(Tape("m", list(lines)), market, clock, speed)  # type: ignore[arg-type]
    player.begin()
    player.begin()
    asyncio.run(player.run())
    return market, clock


@pytest.mark.parametrize(
    ("speed", "times", "slept"),
    [
        (1.0, [5_000, 5_500, 6_500, 6_500], [0.1, 0.4, 1.0]),
        (2.0, [5_000, 5_250, 5_750, 5_750], [0.05, 0.2, 0.5]),
        (math.inf, [5_000, 5_000, 5_000, 5_000], []),
    ],
)
def test_each_line_comes_when_it_is_due(speed: float, times: list[int], slept: list[float]) -> None:
    market, clock = played(speed, TRADE, EARLY, WHOLE, LATER, BACK)
    first, *rest = market.applied
    assert first == (WHOLE, 5_000)  # the first snapshot is there at once
    assert [line for line, _ in rest] == [TRADE, WHOLE, LATER, BACK]
    assert [time for _, time in rest] == times
    assert clock.slept == pytest.approx(slept)


def test_a_tape_without_a_snapshot_is_played_as_it_is() -> None:
    market, _ = played(1.0, EARLY, TRADE)
    assert [line for line, _ in market.applied] == [EARLY, TRADE]
    assert played(1.0)[0].applied == []


def test_the_first_line_is_due_at_once_wherever_the_tape_ends() -> None:
    market, clock = played(1.0, BACK, TRADE)
    assert market.applied == [(BACK, 5_000), (TRADE, 5_000)]
    assert clock.slept == []


def test_nothing_is_played_before_somebody_comes() -> None:
    async def check() -> None:
        market, clock = Market(), Clock()
        player: Player = Player(Tape("m", [TRADE]), market, clock, 1.0)  # type: ignore[arg-type]
        running = asyncio.create_task(player.run())
        await asyncio.sleep(0)
        assert market.applied == []
        player.begin()
        await running
        assert market.applied == [(TRADE, 5_000)]

    asyncio.run(check())


# --- the book of a tape


def rows(*given: tuple[str, str]) -> list[Row]:
    return [Row(Decimal(price), Decimal(size)) for price, size in given]


def levels(ladder: _Ladder) -> list[tuple[Decimal, Decimal, int]]:
    return [(one.price, one.size, one.orders) for one in ladder.best_first()]


@pytest.mark.parametrize(
    ("side", "best_first"),
    [("buy", [("3", "1"), ("2", "5"), ("1", "2")]), ("sell", [("1", "2"), ("2", "5"), ("3", "1")])],
)
def test_levels_stand_best_first_with_one_order_each(side: Side, best_first: list[tuple[str, str]]) -> None:
    """Also those that are changed; a size of 0 takes one away, and of what is not there nothing."""
    ladder = _Ladder(side)
    assert (ladder.best(), ladder.best_first(), ladder.total) == (None, [], 0)
    ladder.apply(rows(("2", "4"), ("1", "2"), ("4", "7"), ("3", "1")))
    assert ladder.total == 14
    ladder.apply(rows(("2.0", "5"), ("4", "0"), ("9", "0")))
    assert levels(ladder) == [(Decimal(price), Decimal(size), 1) for price, size in best_first]
    assert (ladder.best(), ladder.total) == (Decimal(best_first[0][0]), 8)
    ladder.replace(rows(("7", "3")))
    assert (levels(ladder), ladder.total) == ([(7, 3, 1)], 3)
    ladder.replace([])
    assert (ladder.best(), ladder.total) == (None, 0)


def test_prices_and_sums_of_a_tape_are_exact() -> None:
    long = "0." + "1" * 60
    ladder = _Ladder("sell")
    ladder.apply(rows((long, long), (long + "1", "1")))
    assert str(ladder.best()) == long
    assert str(ladder.total) == "1." + "1" * 60


def test_only_the_first_snapshot_is_there_at_once() -> None:
    again = Rows(1_600, True, [], LEVEL)
    market, _ = played(1.0, EARLY, WHOLE, again, EARLY)
    assert [line for line, _ in market.applied] == [WHOLE, WHOLE, again, EARLY]


@pytest.mark.parametrize(
    ("times", "applied"),
    [
        ([1_000, 1_001, 1_003], [5_000, 5_001, 5_003]),
        ([1_000, 1_000, 1_000], [5_000, 5_000, 5_000]),
        ([1_000, 500, 501, 499, 502], [5_000, 5_000, 5_001, 5_001, 5_004]),
    ],
)
def test_each_step_of_the_tapes_clock_counts_and_none_back(times: list[int], applied: list[int]) -> None:
    market, clock = played(1.0, *(TapeTrade(time, Decimal(1), Decimal(1), "buy") for time in times))
    assert [time for _, time in market.applied] == applied
    assert sum(clock.slept) == pytest.approx((applied[-1] - 5_000) / 1000)


def test_a_market_of_a_tape_counts_the_changes_of_its_book() -> None:
    market = TapeMarket("A", Stage(0))
    found = [market.changes]
    for line in (WHOLE, TRADE, LATER, EARLY):
        market.apply(line, 7)
        found.append(market.changes)
    assert found == [0, 1, 1, 2, 3]
    assert (market.last, market.best("buy"), market.best("sell")) == (Trade("A", 7, 1, ONE, ONE, "buy"), 1, 1)
    assert (market.total("buy"), market.total("sell")) == (2, 2)
    bids = market.levels("buy")
    assert market.levels("buy") is bids
    market.apply(Rows(0, False, rows(("3", "1")), []), 8)
    assert [level.price for level in market.levels("buy")] == [3, 1]
    assert [level.price for level in bids] == [1], "what was shown before stays as it was"


def test_clients_have_their_turn_between_lines_that_come_as_fast_as_they_can() -> None:
    async def check() -> None:
        market = Market()
        player: Player = Player(Tape("m", [TRADE] * 5), market, Clock(), math.inf)  # type: ignore[arg-type]
        player.begin()
        running = asyncio.create_task(player.run())
        seen = set()
        while not running.done():
            seen.add(len(market.applied))
            await asyncio.sleep(0)
        assert seen >= {0, 1, 2, 3, 4}

    asyncio.run(check())


def test_what_a_line_of_a_tape_tells() -> None:
    """A price that comes twice counts as it was last."""
    stage = Stage(0)
    told: list[Any] = []
    stage.listen(told.append)
    market = TapeMarket("A", stage)
    twice = Rows(0, False, rows(("1", "5"), ("2", "7"), ("1", "0")), rows(("3", "1")))
    for line in (Rows(0, True, LEVEL, []), twice):
        market.apply(line, 9)
    assert told == [
        BookChange("A", 9, whole=True),
        BookChange("A", 9, ((ONE, Decimal(0)), (Decimal(2), Decimal(7))), ((Decimal(3), ONE),)),
    ]
