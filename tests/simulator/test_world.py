"""Market, flow, account and strategy: what always holds, over simulated hours."""

from __future__ import annotations

import asyncio
import math
import tracemalloc
from collections import Counter, defaultdict
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from random import Random
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from venues.simulator.account import PAID_IN, Account
from venues.simulator.flow import FLOOR, Flow
from venues.simulator.market import INSTRUMENTS, Market
from venues.simulator.market_events import BookChange, Event, Fill, Holding, OrderUpdate, Stage, Trade
from venues.simulator.player import TapeMarket
from venues.simulator.position import Position
from venues.simulator.strategy import Strategy
from venues.simulator.tape import Row, Rows, Tape, TapeTrade
from venues.simulator.world import World
from venues.simulator.world_clock import ManualClock

if TYPE_CHECKING:
    from venues.simulator.market_events import Side

SIDES: tuple[Side, Side] = ("buy", "sell")
CENT = Decimal("0.01")
HOUR = 3_600_000


def world_of(seed: int, rate: float) -> tuple[World, list[Event]]:
    world = World(ManualClock(), seed=seed, rate=rate)
    events: list[Event] = []
    world.stage.listen(events.append)
    return world, events


def test_a_simulated_day_of_flow_stays_two_sided_and_sane() -> None:
    stage = Stage(0)
    market = Market(INSTRUMENTS[1], stage)
    flow = Flow(market, Random("a day"), 0.7, 0.0)
    levels: list[int] = []
    spreads: list[int] = []
    steps = 0
    while flow.due < 24 * HOUR:
        stage.now = int(flow.due)
        flow.step()
        steps += 1
        bid, ask = market.engine.best("buy"), market.engine.best("sell")
        assert bid is not None
        assert ask is not None
        assert bid < ask
        if steps % 50 == 0:
            levels += [len(market.levels(side)) for side in SIDES]
            spreads.append(ask - bid)
    assert 0.9 < steps / (0.7 * 24 * 3600) < 1.1, "the rate is that of all events"
    assert min(levels) > 50
    assert max(levels) < 300
    assert sorted(spreads)[len(spreads) // 2] < 50  # half a dollar at 3,400
    assert max(spreads) < 500


def test_public_orders_never_fall_below_the_floor_whatever_the_account_takes() -> None:
    stage = Stage(0)
    market = Market(INSTRUMENTS[0], stage)
    account = Account(stage, [market])
    flow = Flow(market, Random("greedy"), 1.0, 0.0)
    for number in range(400):
        account.take(market, SIDES[number % 3 == 0], 10**9)
        flow.step()
        assert all(market.public_lots(side) > 0 for side in SIDES)
    for _ in range(3_000):
        flow.step()
    assert all(sum(1 for _ in market.engine.orders(side)) >= FLOOR for side in SIDES)


def test_neither_huge_orders_nor_a_wave_of_cancels_empty_a_side(monkeypatch: pytest.MonkeyPatch) -> None:
    market = Market(INSTRUMENTS[0], Stage(0))
    flow = Flow(market, Random(1), 1.0, 0.0)
    with monkeypatch.context() as patched:
        patched.setattr(flow, "_cancel_rate", 1.0)
        for _ in range(1_000):
            flow.step()
            assert all(sum(1 for _ in market.engine.orders(side)) >= FLOOR - 5 for side in SIDES)
    monkeypatch.setattr(flow, "_lots", lambda: 10**6)
    for _ in range(50):
        flow._take()
        assert all(market.public_lots(side) > 0 for side in SIDES)


def test_a_bid_is_at_the_lowest_tick_where_there_is_no_room_below_it(monkeypatch: pytest.MonkeyPatch) -> None:
    market = Market(INSTRUMENTS[0], Stage(0))
    flow = Flow(market, Random(1), 1.0, 0.0)
    placed: list[tuple[Side, int]] = []
    monkeypatch.setattr(flow, "_rest", lambda side, ticks: placed.append((side, ticks)))
    monkeypatch.setattr(flow, "_distance", lambda: 4)
    for best in (4, 5, 6, 7, None):
        monkeypatch.setattr(market.engine, "best", lambda side, found=best: found)
        flow._place("buy")
        flow._place("sell")
    start = market.instrument.start
    bids, asks = ([ticks for side, ticks in placed if side == one] for one in SIDES)
    assert bids == [1, 1, 1, 2, start - 5]
    assert asks == [9, 10, 11, 12, start + 5]


def test_a_market_that_nobody_looks_at_keeps_nothing_of_prices_that_are_past(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("venues.simulator.market.MOST_TOUCHED", 50)
    market = Market(INSTRUMENTS[0], Stage(0))
    start = market.instrument.start
    tracemalloc.start()
    try:
        for away in range(1, 4_001):
            market.cancel(market.limit("buy", start - away, 1))
            market.cancel(market.limit("sell", start + away, 1))
        kept = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert kept < 250_000  # 8,000 prices would be 760,000
    assert market.levels("buy") == market.levels("sell") == []


def test_without_a_rate_nothing_happens() -> None:
    world, events = world_of(1, 0.0)
    later = world.stage.now + 24 * HOUR
    world.advance(later)
    assert world.stage.now == later
    assert events == []
    assert all(world.markets[i.name].levels(side) for i in INSTRUMENTS for side in SIDES)


def test_the_same_seed_is_the_same_world_however_it_is_driven() -> None:
    (whole, expected), (sliced, got), (other, different) = world_of(3, 20), world_of(3, 20), world_of(4, 20)
    start = whole.stage.now
    whole.advance(start + 60_000)
    for step in range(1, 601):
        sliced.advance(start + step * 100)
    other.advance(start + 60_000)
    assert expected == got
    assert len(expected) > 2_000
    assert expected != different


class _Asleep(Exception):
    """The world has nothing more to do for now."""


@pytest.mark.parametrize(
    ("step", "skips"), [(-1_000, False), (-1_001, True), (0, False), (60_000, False), (60_001, True), (-HOUR, True)]
)
def test_the_world_skips_the_time_by_which_its_clock_was_set(
    step: int, *, skips: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But lives through a minute in which the machine was busy, and waits for a second that it is ahead."""

    async def sleep(_seconds: float) -> None:
        raise _Asleep

    clock = ManualClock()
    world = World(clock, seed=1, rate=20)
    events: list[Event] = []
    world.stage.listen(events.append)
    begin = world.stage.now
    monkeypatch.setattr(clock, "epoch_ms", lambda: begin + step)
    monkeypatch.setattr(clock, "sleep", sleep)
    with pytest.raises(_Asleep):
        asyncio.run(world.run())
    assert world.stage.now == (begin + step if skips else max(begin, begin + step))
    assert bool(events) == (step > 0 and not skips)


class Acting:
    """A process that acts every so many milliseconds, and notes when."""

    def __init__(self, world: World, due: float, every: float, error: Exception | None = None) -> None:
        self.times: list[int] = []
        self.due = due
        self._world = world
        self._every = every
        self._error = error

    def step(self) -> None:
        self.times.append(self._world.stage.now)
        self.due += self._every
        if self._error is not None:
            raise self._error


def test_what_is_due_happens_at_its_time_and_the_world_is_then_at_the_end_of_the_step() -> None:
    world, _ = world_of(1, 0.0)
    begin = world.stage.now
    one, two = Acting(world, begin + 10, 20), Acting(world, begin + 15.7, 100)
    world.add(one)
    world.add(two)
    world.advance(begin + 30)
    assert (one.times, two.times) == ([begin + 10, begin + 30], [begin + 15])
    assert (world.stage.now, one.due) == (begin + 30, begin + 50)
    world.advance(begin + 20)
    assert world.stage.now == begin + 30, "it never goes back"


def test_a_process_that_raises_ends_the_world_or_is_left_out() -> None:
    """As whoever hears of it says."""
    world, _ = world_of(1, 0.0)
    begin = world.stage.now
    error = ValueError("a fault of a venue")
    bad, good = Acting(world, begin + 1, 1, error), Acting(world, begin + 2, 1)
    world.add(bad)
    world.add(good)
    with pytest.raises(ValueError, match="a fault of a venue"):
        world.advance(begin + 5)
    assert (len(bad.times), good.times) == (1, [])
    heard: list[Exception] = []
    world.stage.failed = lambda error: not heard.append(error)  # type: ignore[func-returns-value]
    world.advance(begin + 5)
    assert (len(bad.times), heard) == (2, [error])
    assert good.times == [begin + at for at in (2, 3, 4, 5)]


@pytest.mark.parametrize("rate", [0.0, 5.0])
def test_a_world_of_a_tape_plays_it_there_and_trades_in_the_others(rate: float) -> None:
    """From the moment that the first client comes to that market; nothing else begins it."""
    rows = [Row(Decimal("1.5"), Decimal("0.25"))]
    tape = Tape("A-B", [Rows(5, True, rows, []), TapeTrade(5, Decimal("1.5"), Decimal(1), "buy")])
    clock = ManualClock()
    world = World(clock, seed=1, rate=rate, tape=tape, speed=math.inf)
    taped = world.markets["BTC_USDT"]
    assert [*world.markets] == ["BTC_USDT", "ETH_USDT", "SOL_USDT"]
    assert isinstance(taped, TapeMarket)
    assert [*world.account.positions] == ["ETH_USDT", "SOL_USDT"]
    assert [(str(one.price), str(one.size)) for one in taped.levels("buy")] == [("1.5", "0.25")]
    assert world.steps("BTC_USDT") == (Decimal("0.1"), Decimal("0.01"))
    assert world.steps("SOL_USDT") == (Decimal("0.001"), Decimal("0.01"))

    async def check() -> None:
        running = asyncio.create_task(world.run())
        for market, is_played in (("ETH_USDT", False), ("BTC_USDT", True)):
            world.joined(market)
            for _ in range(10):
                await asyncio.sleep(0)
            assert (taped.last is not None) is is_played
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(check())


def test_a_tape_is_played_as_fast_as_it_was_unless_it_is_told_otherwise() -> None:
    trades = [TapeTrade(at, Decimal(7), Decimal(1), "buy") for at in (0, 1_000)]
    clock = ManualClock()
    world = World(clock, seed=1, rate=0, tape=Tape("A-B", [*trades]))
    times: list[int] = []
    world.stage.listen(lambda event: times.append(event.time - 1_700_000_000_000))

    async def check() -> None:
        world.joined("BTC_USDT")
        running = asyncio.create_task(world.run())
        for step in (0, 999, 1):
            clock.advance(step)
            for _ in range(10):
                await asyncio.sleep(0)
            assert times == ([0] if clock.epoch_ms() < 1_700_000_001_000 else [0, 1_000])
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(check())


def test_what_a_world_is_without_more_words() -> None:
    world = World(ManualClock(5), seed=7, rate=0.5)
    assert (world.seed, world.rate, world.hush, world.skip, world.faults) == (7, 0.5, 0.0, 0.0, {})
    assert world.stage.now == 5
    assert {name: world.steps(name) for name in world.markets} == {
        "BTC_USDT": (Decimal("0.01"), Decimal("0.0001")),
        "ETH_USDT": (Decimal("0.01"), Decimal("0.001")),
        "SOL_USDT": (Decimal("0.001"), Decimal("0.01")),
    }
    with pytest.raises(KeyError):
        world.steps("X_Y")
    world.joined("BTC_USDT")  # without a tape it changes nothing
    faults = {"mute": 3.0}
    other = World(ManualClock(), seed=1, rate=0, hush=2.0, skip=3.0, faults=faults)
    assert (other.hush, other.skip, other.faults) == (2.0, 3.0, faults)


def driven(due: float, *, busy: int = 0) -> tuple[list[float], list[int], float]:
    """How long a world sleeps whose one process is due in so many milliseconds, when it acts, and when it is due then.

    The machine has been busy for some milliseconds first.
    """
    slept: list[float] = []

    class Clock(ManualClock):
        async def sleep(self, seconds: float) -> None:
            slept.append(seconds)
            if len(slept) == 3:
                raise _Asleep
            self._now += round(seconds * 1000)

    clock = Clock(1_000_000)
    world = World(clock, seed=1, rate=0)
    one = Acting(world, 1_000_000 + due, 10_000)
    world.add(one)
    clock.advance(busy)
    with pytest.raises(_Asleep):
        asyncio.run(world.run())
    return slept, [time - 1_000_000 for time in one.times], one.due - 1_000_000


@pytest.mark.parametrize(
    ("due", "busy", "slept", "times", "then"),
    [
        (500, 0, [0.5, 1.0, 1.0], [500], 10_500),
        (1_000, 0, [1.0, 1.0, 1.0], [1_000], 11_000),
        (2_600, 0, [1.0, 1.0, 0.6], [], 2_600),
        (0.2, 0, [0.001, 1.0, 1.0], [0], 10_000.2),
        (600, 60_000, [0.6, 1.0, 1.0], [600, 10_600, 20_600, 30_600, 40_600, 50_600, 60_600], 70_600),
        (600, 60_001, [0.6, 1.0, 1.0], [60_601], 70_601),  # it skips the minute
        (600, 59_900, [0.7, 1.0, 1.0], [600, 10_600, 20_600, 30_600, 40_600, 50_600, 60_600], 70_600),
    ],
)
def test_a_world_sleeps_until_something_is_due_or_a_second(
    due: float, busy: int, slept: list[float], times: list[int], then: float
) -> None:
    found: tuple[object, ...] = driven(due, busy=busy)
    assert found == (pytest.approx(slept), times, pytest.approx(then))


class Auditor:
    """Keeps its own books from the events alone, and compares them with the account's at every event."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.markets = [m for m in world.markets.values() if isinstance(m, Market)]
        self.orders: dict[int, OrderUpdate] = {}
        self.executed: dict[int, Decimal] = defaultdict(Decimal)
        self.holdings: dict[str, Decimal] = defaultdict(Decimal)
        self.spent = Decimal()
        self.fills: set[int] = set()
        self.seen: Counter[str] = Counter()
        self.before: list[Event] = []

    def __call__(self, event: Event) -> None:
        self.seen[type(event).__name__] += 1
        match event:
            case Fill():
                self.fill(event)
            case OrderUpdate():
                self.order(event)
            case Holding(market=market, holding=holding):
                assert isinstance(self.before[-1], OrderUpdate)
                assert holding == self.holdings[market]
                self.seen["flat"] += not holding
            case Trade(market=market):
                assert self.world.markets[market].last is event
            case BookChange():
                self.books()
        self.money()
        self.before = [*self.before[-3:], event]

    def fill(self, fill: Fill) -> None:
        assert fill.fill_id not in self.fills
        self.fills.add(fill.fill_id)
        trade = next(e for e in reversed(self.before) if isinstance(e, Trade))
        told = trade.market, trade.time, trade.price, trade.size
        assert (fill.market, fill.time, fill.price, fill.size) == told
        signed = fill.size if fill.side == "buy" else -fill.size
        self.seen["flips"] += self.holdings[fill.market] * (self.holdings[fill.market] + signed) < 0
        self.executed[fill.order_id] += fill.size
        self.holdings[fill.market] += signed
        self.spent += signed * fill.price

    def order(self, order: OrderUpdate) -> None:
        old = self.orders.get(order.order_id)
        assert old is None if order.status == "new" else old is not None
        assert old is None or old.status in ("new", "partially_filled")
        assert order.filled == self.executed[order.order_id] <= order.size
        if order.executed_size:
            fill = self.before[-1]
            assert isinstance(fill, Fill)
            assert (fill.order_id, fill.price, fill.size) == (
                order.order_id,
                order.executed_price,
                order.executed_size,
            )
            assert order.status == ("filled" if order.filled == order.size else "partially_filled")
            if order.price is not None:
                better = order.price - order.executed_price
                assert (better if order.side == "buy" else -better) >= 0
        self.orders[order.order_id] = order
        self.seen[f"{order.order_type} {order.status}"] += 1

    def books(self) -> None:
        for market in self.markets:
            bid, ask = market.engine.best("buy"), market.engine.best("sell")
            assert bid is not None
            assert ask is not None
            assert bid < ask

    def money(self) -> None:
        account = self.world.account
        open_cost = unrealised = used = Decimal()
        for market in self.markets:
            position = account.positions[market.name]
            assert position.holding == self.holdings[market.name]
            base = market.instrument.base
            assert account.balances[base].total == PAID_IN[base] + position.holding
            mark = market.best("buy" if position.holding >= 0 else "sell")
            assert mark is not None
            exact = position.holding * mark - position.cost
            rounded = account.unrealised(position)
            assert rounded == exact.quantize(CENT, ROUND_FLOOR)
            unrealised += rounded
            used += (abs(position.cost) / 10).quantize(CENT, ROUND_CEILING)
            open_cost += position.cost
        margin = account.margin()
        assert (margin.unrealised, margin.used) == (unrealised, used)
        assert margin.equity == account.balance + unrealised
        assert margin.free == margin.equity - used > 0
        assert account.balances["USDT"].total == PAID_IN["USDT"] - self.spent == account.balance - open_cost
        for balance in account.balances.values():
            assert balance.total == balance.available + balance.locked
            assert balance.locked >= 0
            assert balance.available >= 0


def test_the_account_is_right_to_the_last_digit_after_every_event() -> None:
    world = World(ManualClock(), seed=11, rate=0.5)
    auditor = Auditor(world)
    world.stage.listen(auditor)
    world.advance(world.stage.now + 2 * HOUR)
    check_locked(world)
    check_resting(world)
    seen = auditor.seen
    assert {s for s in seen if " " in s} == {
        "limit new",
        "limit partially_filled",
        "limit filled",
        "limit cancelled",
        "market new",
        "market partially_filled",
        "market filled",
    }
    assert min(seen.values()) > 25
    assert min(seen["flips"], seen["flat"]) > 25
    closed = world.account.closed.values()
    assert 200 < len(closed) <= 1_000
    assert all(c.opened <= c.closed and c.holding for c in closed)


def check_locked(world: World) -> None:
    locked: dict[str, Decimal] = defaultdict(Decimal)
    for order in world.account.orders.values():
        assert order.price is not None
        left = order.size - order.filled
        locked[order.asset] += left * order.price if order.side == "buy" else left
    assert {b.asset: b.locked for b in world.account.balances.values()} == {asset: locked[asset] for asset in PAID_IN}


def check_resting(world: World) -> None:
    """The account's open orders are those in the books, and no others."""
    there = {}
    for market in world.markets.values():
        assert isinstance(market, Market)
        for side in SIDES:
            there.update({o.owner: o for o in market.engine.orders(side) if o.owner})
    assert there.keys() == world.account.orders.keys()
    for order in world.account.orders.values():
        assert market_size(order.market, there[order.order_id].lots) == order.size - order.filled


def market_size(market: Market, lots: int) -> Decimal:
    return market.instrument.lot * lots


@pytest.mark.parametrize("seed", range(8))
def test_there_is_something_to_see_within_seconds(seed: int) -> None:
    world, events = world_of(seed, 20.0)
    start = world.stage.now
    world.advance(start + 60_000)
    for market in world.markets:
        for kind in (OrderUpdate, Fill, Holding):
            times = [e.time for e in events if isinstance(e, kind) and e.market == market]
            waits = [later - earlier for earlier, later in zip([start, *times], times[4:], strict=False)]
            assert max(waits) < 10_000, (market, kind)


def test_an_account_does_not_trade_with_itself() -> None:
    stage = Stage(0)
    market = Market(INSTRUMENTS[0], stage)
    account = Account(stage, [market])
    events: list[Event] = []
    market.limit("sell", 110, 10)
    mine = account.place(market, "sell", 100, 10)
    assert mine is not None
    stage.listen(events.append)
    account.place(market, "buy", 105, 5)
    assert mine.status == "cancelled"
    assert not [e for e in events if isinstance(e, Trade)]
    assert [order.side for order in account.orders.values()] == ["buy"]
    market.limit("buy", 104, 10)
    account.take(market, "sell", 5)
    assert list(account.orders) == []
    assert market.last is not None
    assert market.last.price == market.price(104)


def test_an_order_without_funds_is_not_placed() -> None:
    stage = Stage(0)
    market = Market(INSTRUMENTS[0], stage)
    account = Account(stage, [market])
    assert account.place(market, "sell", 1, 20_001) is None
    assert account.place(market, "sell", 1, 20_000) is not None
    assert account.place(market, "buy", 10**9, 10**9) is None
    assert account.balances["BTC"].available == 0
    assert account.take(market, "sell", 1) is None


def test_what_was_opened_first_is_closed_first() -> None:
    position = Position("BTC_USDT")
    one, two = Decimal(1), Decimal(2)
    assert position.fill(one, Decimal(100), order_id=1, number=1, now=1) is None
    assert position.fill(two, Decimal(103), order_id=2, number=2, now=2) is None
    assert (position.open_price, position.position_id) == (Decimal(102), 1)
    closed = position.fill(-two, Decimal(110), order_id=3, number=3, now=3)
    assert closed is not None
    assert (closed.holding, closed.open_price, closed.realised) == (two, Decimal("101.5"), Decimal(17))
    turned = position.fill(-two, Decimal(90), order_id=4, number=4, now=4)
    assert turned is not None
    assert (turned.realised, turned.position_id, position.position_id) == (Decimal(-13), 1, 4)
    assert (position.holding, position.cost, position.opened) == (-one, Decimal(-90), 4)
    assert position.unrealised(Decimal("90.001")) == Decimal("-0.01")
    assert position.unrealised(Decimal("89.999")) == Decimal("0.00")


@pytest.mark.parametrize(("held", "side"), [(1, "sell"), (-1, "buy"), (7, "sell")])
def test_a_strategy_closes_against_what_it_holds(monkeypatch: pytest.MonkeyPatch, held: int, side: str) -> None:
    monkeypatch.setattr(Strategy, "_held", lambda self: held)
    strategy = object.__new__(Strategy)
    strategy._position = SimpleNamespace(holding=Decimal(held))  # type: ignore[assignment]
    strategy._random = SimpleNamespace(random=lambda: 0.1)  # type: ignore[assignment]
    assert strategy._wanted() == (side, abs(held))
    strategy._random = SimpleNamespace(random=lambda: 0.4)  # type: ignore[assignment]
    assert strategy._wanted() == (side, 2 * abs(held))
