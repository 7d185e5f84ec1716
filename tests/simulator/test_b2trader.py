"""The ten streams of the simulated B2TRADER: their shapes, and that all of them tell of one market and one account."""

from __future__ import annotations

import asyncio
import itertools
import json
import math
import re
from collections import Counter
from datetime import datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from random import Random
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tests import simulated
from venues.b2trader.simulator.account import AccountData
from venues.b2trader.simulator.endpoint import B2Trader
from venues.b2trader.simulator.market import MarketData, Quoted
from venues.b2trader.simulator.text import instant, second, ulid
from venues.simulator import ManualClock, parse_fault
from venues.simulator.account import PAID_IN
from venues.simulator.figures import text
from venues.simulator.market_events import BookChange, Event, Holding, OrderUpdate, Trade
from venues.simulator.world import World

from .hub import ACCOUNT, MARKET, TRADING, Book, Held, Hub
from .support import NAMES, book_of, join, lines_of, naive_book, tape_path, until
from .test_nexus import run, sides_of


class Simulator(simulated.Simulator):
    venue = "b2trader"


if TYPE_CHECKING:
    from collections.abc import Sequence

    from venues.simulator.account import Account

MARKETS = ["spot.btc_usdt", "spot.eth_usdt", "spot.sol_usdt"]
CENT = Decimal("0.01")
HOUR = 3_600_000
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{2,7}Z")


def fields(names: str) -> list[str]:
    """The fields of a row as the document's sample has them, in its order."""
    return names.split()


ORDER = fields(
    "marketId marketType marketDisplayName marketFullName orderId timeInForce status source reason side "
    "orderType requestedAmount remainingAmount requestedPrice executionPrice createdAt updatedAt "
    "cancellationDate commissionAssetId commissionAmount leverage fillFactor takeProfit stopLoss"
)
POSITION = fields(
    "positionId marketId marketType marketDisplayName marketFullName createdAt updatedAt side status "
    "leverage positionLotAmount positionPriceInRAT rateToRAT usedMarginInRAT openPrice currentMarketPrice "
    "unrealizedPnlDayInRAT unrealizedPnlDayPercent unrealizedPnlTotalInRAT unrealizedPnlTotalPercent "
    "takeProfit stopLoss positionModifier"
)
CLOSED = fields(
    "marketId marketFullName marketDisplayName marketType orderId orderType timeInForce side "
    "positionCloseLotAmount reason realizedPnlInRAT closedAt positionId openPrice closePrice "
    "positionPriceInRAT rateToRAT openedAt"
)
TICKER = fields(
    "marketId type displayName fullName price priceInRAT priceChange24hr priceChangeAbs24hr highPrice24hr "
    "lowPrice24hr markPrice fundingRate"
)
SUMMARY = fields("marketId last high24hr low24hr percentChange")
MARGIN = fields("marginBalanceInRAT unrealizedPnlInRAT equityInRAT usedMarginInRAT freeMarginInRAT marginLevel")
BOOK = fields("instrument askTotalAmount bidTotalAmount asks bids version snapshot")
CANDLE = fields("instrument low high open close start end")
NO_DECIMALS = {"leverage"}
WORDS = re.compile(
    "Id$|Name$|At$|Date$|^(market)?[tT]ype$|^(status|source|reason|side|orderType|timeInForce)$|Modifier$"
)


def check_row(row: dict[str, Any], fields: list[str]) -> None:
    assert list(row) == fields
    for name, value in row.items():
        if name in NO_DECIMALS:
            assert type(value) is int
        elif value is None:
            assert name in ("takeProfit", "stopLoss", "cancellationDate", "markPrice", "fundingRate")
        elif name.endswith("At") or name == "cancellationDate":
            assert TIME.fullmatch(value), value
        elif not WORDS.search(name):
            assert text(Decimal(value)) == value, (name, value)


async def until_more(hub: Hub, *invocations: str, count: int = 5) -> None:
    await hub.until(lambda: all(len(hub.items[invocation]) > count for invocation in invocations))


def test_orders_positions_and_closings_are_as_the_document_has_them() -> None:
    async def test() -> None:
        async with Simulator(seed=2, rate=400) as simulator, Hub(simulator, TRADING) as hub:
            orders, positions = await hub.stream("OpenOrders"), await hub.stream("OpenPositions")
            closed = await hub.stream("ClosePositionsOrders")
            statuses: set[str] = set()
            while len(statuses) < 5:
                await hub.until(lambda: bool(hub.items[orders]))
                for row in hub.items[orders].pop(0):
                    check_row(row, ORDER)
                    statuses.add(row["status"])
                    assert (row["executionPrice"] == "0") == (row["remainingAmount"] == row["requestedAmount"])
                    assert (row["cancellationDate"] is None) == (row["status"] != "Cancelled")
            await until_more(hub, positions, closed)
        assert statuses == {"Started", "Pending", "Working", "Completed", "Cancelled"}
        for number, item in enumerate(hub.items[positions]):
            assert list(item) == ["item", "snapshot"]
            assert item["snapshot"] is (number == 0)
            for row in item["item"]:
                check_row(row, POSITION)
        rows = [row for item in hub.items[closed] for row in item]
        assert rows
        for row in rows:
            check_row(row, CLOSED)

    run(test())


def test_balances_and_margin_are_as_the_document_has_them() -> None:
    async def test() -> None:
        async with Simulator(seed=2, rate=400) as simulator, Hub(simulator, ACCOUNT) as hub:
            balances, margin = await hub.stream("FullBalance"), await hub.stream("MarginData")
            await until_more(hub, balances, margin)
        assert [row["assetId"] for row in hub.items[balances][0]] == ["usdt", "btc", "eth", "sol"]
        assert all(0 < len(item) < 4 for item in hub.items[balances][1:])
        for item in hub.items[balances]:
            for row in item:
                check_row(row, ["assetId", "available", "total", "locked"])
        for item in hub.items[margin]:
            check_row(item, MARGIN)

    run(test())


def test_market_data_is_as_the_document_has_it() -> None:
    async def test() -> None:
        async with Simulator(seed=2, rate=400) as simulator, Hub(simulator, MARKET) as hub:
            asked = ["spot.sol_usdt", "spot.btc_usdt", "spot.sol_usdt"]
            tickers, quotes = await hub.stream("TradingData", asked), await hub.stream("Tob", asked)
            summaries, candles = await hub.stream("Summary", asked), await hub.stream("Chart", "spot.eth_usdt@15m")
            await until_more(hub, tickers, quotes, summaries, candles)
        shapes = (
            (tickers, "markets", TICKER),
            (quotes, "markets", ["marketId", "ask", "bid"]),
            (summaries, "items", SUMMARY),
        )
        for invocation, name, fields in shapes:
            items = hub.items[invocation]
            assert [row["marketId"] for row in items[0][name]] == ["spot.sol_usdt", "spot.btc_usdt"]
            for number, item in enumerate(items):
                assert list(item) == [name, "snapshot"]
                assert item["snapshot"] is (number == 0)
                assert len(item[name]) == 1 or not number
                for row in item[name]:
                    check_row(row, fields)
        for item in hub.items[candles]:
            assert list(item) == CANDLE
            start, end = datetime.fromisoformat(item["start"]), datetime.fromisoformat(item["end"])
            assert (end - start).total_seconds() == 900
            low, high, opened, closed = (Decimal(item[name]) for name in ("low", "high", "open", "close"))
            assert low <= min(opened, closed) <= max(opened, closed) <= high

    run(test())


def test_a_book_counts_its_versions_and_its_rows_are_in_any_order() -> None:
    async def test() -> None:
        async with (
            simulated.Simulator(seed=2, rate=400) as simulator,  # of several venues
            Hub(simulator, MARKET) as hub,
            Hub(simulator, MARKET) as other,
            join(simulator) as nexus,
        ):
            first, second = await hub.stream("Book", MARKETS[0]), await other.stream("Book", MARKETS[0])
            await until_more(hub, first, count=600)
            simulator.world._processes.clear()
            simulator.world._processes.append(_Nothing())
            await hub.sync()
            await other.sync()
            market = sides_of(simulator.world.markets["BTC_USDT"])
            messages = await until(nexus, lambda m: bool(m) and m[-1]["event"] == "BOOK" and book_of(m[-1]) == market)
            assert messages
        book = Book()
        items = {item["version"]: item for item in hub.items[first]}
        for number, item in enumerate(hub.items[first]):
            assert list(item) == BOOK
            assert item["snapshot"] is (number == 0)
            book.apply(item)
        assert book.sides == market
        assert min(book.twice, book.removals) > 10
        assert book.unordered
        assert [items[item["version"]] for item in other.items[second][1:]] == other.items[second][1:]

    run(test())


class _Nothing:
    due = math.inf

    def step(self) -> None:
        raise AssertionError


class Streams:
    """The account's streams without sockets, held by a client that checks them at every event."""

    def __init__(self, world: World) -> None:
        market = MarketData(world, dict(B2Trader.symbols))
        account = AccountData(world, market.markets, B2Trader.symbols)
        self.world = world
        self.held = Held()
        self.commits = 0
        world.stage.listen(self.hear)
        for target, start in (
            ("OpenOrders", account.orders),
            ("OpenPositions", account.positions),
            ("ClosePositionsOrders", account.closed),
            ("FullBalance", account.balances),
            ("MarginData", account.margin),
        ):
            start(self.taker(target))

    def taker(self, target: str) -> Any:
        def take(item: bytes, *, losable: bool = False) -> None:
            assert not losable
            self.held.take(target, [json.loads(item)])

        return take

    def hear(self, event: Event) -> None:
        if isinstance(event, OrderUpdate):
            wanted = {ulid(o.created, o.order_id) for o in self.world.account.orders.values()}
            assert wanted <= self.held.orders.keys() | {ulid(event.created, event.order_id)}
        if isinstance(event, BookChange):
            self.commits += 1


def same_as_world(held: Held, account: Account) -> None:
    """A client holds what the simulator has, figure by figure."""
    assert held.orders.keys() == {ulid(o.created, o.order_id) for o in account.orders.values()}
    for order in account.orders.values():
        row = held.orders[ulid(order.created, order.order_id)]
        assert Decimal(row["requestedPrice"]) == order.price
        assert Decimal(row["requestedAmount"]) - Decimal(row["remainingAmount"]) == order.filled
        assert row["side"].lower() == order.side
        assert instant(order.updated)[:22] in row["updatedAt"]
    there = {p.position_id: p for p in account.positions.values() if p.holding}
    assert held.positions.keys() == {ulid(p.opened, p.position_id) for p in there.values()}
    for position in there.values():
        row = held.positions[ulid(position.opened, position.position_id)]
        price = account.market_price(position)
        signed = Decimal(row["positionLotAmount"]) * (1 if row["side"] == "Buy" else -1)
        assert (signed, Decimal(row["currentMarketPrice"])) == (position.holding, price)
        assert Decimal(row["usedMarginInRAT"]) == (abs(position.cost) / 10).quantize(CENT, ROUND_CEILING)
        exact = position.holding * price - position.cost
        assert Decimal(row["unrealizedPnlTotalInRAT"]) == exact.quantize(CENT, ROUND_FLOOR)
        assert Decimal(row["positionPriceInRAT"]) == abs(position.holding * price).quantize(CENT, ROUND_FLOOR)
    assert {(b.asset.lower(), b.total, b.available, b.locked) for b in account.balances.values()} == {
        (name, *(Decimal(row[k]) for k in ("total", "available", "locked"))) for name, row in held.balances.items()
    }
    assert [Decimal(figure) for figure in held.margin.values()][:5] == [account.margin()[at] for at in (0, 1, 2, 3, 4)]
    closings = {(ulid(c.ordered, c.order_id), ulid(c.opened, c.position_id)): c for c in account.closed.values()}
    for key, closed in closings.items():
        assert Decimal(held.closed[key]["positionCloseLotAmount"]) == abs(closed.holding)
        assert Decimal(held.closed[key]["realizedPnlInRAT"]) == closed.realised.quantize(CENT, ROUND_FLOOR)
    assert len(closings) == min(1_000, len(held.closed))


def test_the_account_streams_agree_after_every_event_of_simulated_hours() -> None:
    world = World(ManualClock(), seed=12, rate=0.5)
    streams = Streams(world)

    def check(event: Event) -> None:
        if isinstance(event, BookChange):
            streams.held.check()

    world.stage.listen(check)
    world.advance(world.stage.now + 3 * HOUR)
    same_as_world(streams.held, world.account)
    assert streams.commits > 5_000
    assert streams.held.over > 100
    assert sum(Decimal(row["realizedPnlInRAT"]) for row in streams.held.closed.values()) < 0


def test_the_pnl_of_the_day_counts_from_its_first_trade_for_what_was_opened_before() -> None:
    world = World(ManualClock(1_700_000_000_000), seed=12, rate=0.05)
    streams = Streams(world)
    midnight = world.stage.now - world.stage.now % (24 * HOUR) + 24 * HOUR
    first: dict[str, Decimal] = {}
    seen = {True: 0, False: 0}

    def check(event: Event) -> None:
        if isinstance(event, Trade) and event.time >= midnight:
            first.setdefault(event.market, event.price)
        if not isinstance(event, BookChange) or event.market not in first:
            return
        position = world.account.positions[event.market]
        row = streams.held.positions.get(ulid(position.opened, position.position_id))
        if row is None:
            assert not position.holding
            return
        before = position.opened < midnight
        exact = position.holding * (world.account.market_price(position) - first[event.market])
        expected = exact.quantize(CENT, ROUND_FLOOR) if before else world.account.unrealised(position)
        assert Decimal(row["unrealizedPnlDayInRAT"]) == expected
        share = expected / abs(position.cost)
        assert 0 <= share - Decimal(row["unrealizedPnlDayPercent"]) < Decimal("0.0001")
        seen[before] += 1

    world.stage.listen(check)
    world.advance(midnight + HOUR)
    assert min(seen.values()) > 10


def test_what_an_order_closes_with_several_fills_is_one_closing() -> None:
    world = World(ManualClock(), seed=12, rate=20)
    before = [PAID_IN["USDT"]]
    fills = Counter[int]()

    def check(event: Event) -> None:
        if isinstance(event, Holding) and world.account.balance != before[-1]:
            before.append(world.account.balance)
            fills[next(reversed(world.account.closed.values())).order_id] += 1

    world.stage.listen(check)
    world.advance(world.stage.now + 300_000)
    closings = world.account.closed.values()
    assert max(fills.values()) > 1
    assert 100 < len(closings) < 1_000
    assert PAID_IN["USDT"] + sum(c.realised for c in closings) == world.account.balance
    assert len({(c.order_id, c.position_id) for c in closings}) == len(closings)


def test_a_client_holds_what_the_simulator_has_after_simulated_hours() -> None:
    async def test() -> None:
        clock = ManualClock(1_700_000_123_456)
        async with (
            Simulator(seed=3, rate=0.5, clock=clock) as simulator,
            Hub(simulator, TRADING) as trading,
            Hub(simulator, ACCOUNT) as money,
        ):
            clock.advance(60_000)
            hubs = {
                (trading, await trading.stream(name)): name
                for name in ("OpenOrders", "OpenPositions", "ClosePositionsOrders")
            }
            hubs.update({(money, await money.stream(name)): name for name in ("FullBalance", "MarginData")})
            held = Held()
            for _ in range(360):
                clock.advance(20_000)
                simulator.world.advance(clock.epoch_ms())
                await asyncio.gather(trading.sync(), money.sync())
                for (hub, invocation), target in hubs.items():
                    held.take(target, hub.items[invocation])
                    hub.items[invocation].clear()
                held.check()
            same_as_world(held, simulator.world.account)
            assert held.updates > 1_000
            late = Held()
            async with Hub(simulator, TRADING) as again, Hub(simulator, ACCOUNT) as more:
                for hub, names in ((again, list(hubs.values())[:3]), (more, list(hubs.values())[3:])):
                    for name in names:
                        late.take(name, hub.items[await hub.stream(name)])
            same_as_world(late, simulator.world.account)
            assert (late.positions, late.balances, late.margin) == (held.positions, held.balances, held.margin)

    run(test())


def test_candles_open_one_after_the_other_and_have_every_trade() -> None:
    async def test() -> None:
        clock = ManualClock(1_700_000_000_000)
        async with Simulator(seed=3, rate=5, clock=clock) as simulator, Hub(simulator, MARKET) as hub:
            trades: list[Trade] = []
            simulator.world.stage.listen(
                lambda e: trades.append(e) if isinstance(e, Trade) and e.market == "ETH_USDT" else None
            )
            streams = {scale: await hub.stream("Chart", f"spot.eth_usdt@{scale}") for scale in ("1m", "1h", "1w", "1M")}
            for _ in range(100):
                clock.advance(10_000)
                simulator.world.advance(clock.epoch_ms())
                await hub.sync()
        minutes = hub.items[streams["1m"]][1:]
        assert len(minutes) == len(trades) > 100
        starts = list(dict.fromkeys(item["start"] for item in minutes))
        assert starts == sorted(starts)
        assert 15 <= len(starts) <= 18
        for start in starts:
            last = [item for item in minutes if item["start"] == start][-1]
            begin = int(datetime.fromisoformat(start).timestamp()) * 1000
            prices = [t.price for t in trades if begin <= t.time < begin + 60_000]
            expected = [prices[0], max(prices), min(prices), prices[-1]]
            assert [Decimal(last[name]) for name in ("open", "high", "low", "close")] == expected
        week, month = hub.items[streams["1w"]][-1], hub.items[streams["1M"]][-1]
        assert (week["start"], week["end"]) == ("2023-11-13T00:00:00Z", "2023-11-20T00:00:00Z")
        assert (month["start"], month["end"]) == ("2023-11-01T00:00:00Z", "2023-12-01T00:00:00Z")

    run(test())


@pytest.mark.parametrize("name", NAMES)
def test_a_tape_at_full_speed_is_a_snapshot_and_every_delta(name: str) -> None:
    path = tape_path(name)
    lines = lines_of(path)
    deltas = sum(line["kind"] == "delta" for line in lines)

    async def test() -> None:
        async with Simulator(tape=path, speed=math.inf) as simulator, Hub(simulator, MARKET) as hub:
            stream = await hub.stream("Book", MARKETS[0])
            await hub.until(lambda: len(hub.items[stream]) > deltas + 1)
            await hub.sync()
        items = hub.items[stream]
        assert [item["snapshot"] for item in items[:2]] == [True, True]  # at once, and when the tape begins
        assert len(items) == deltas + 2
        book = Book()
        for item in items:
            book.apply(item)
        assert book.sides == naive_book(lines)
        assert min(book.twice, book.removals) > 100
        assert book.unordered > 2

    run(test())


def test_a_gap_is_a_version_that_never_comes_and_never_the_last_one() -> None:
    path = tape_path("skl-usd")
    lines = lines_of(path)

    async def test() -> None:
        faults = [parse_fault("gap:20ms")]
        async with Simulator(tape=path, speed=40, faults=faults) as simulator, Hub(simulator, MARKET) as hub:
            stream = await hub.stream("Book", MARKETS[0])
            last = 2 + sum(line["kind"] == "delta" for line in lines)
            await hub.until(lambda: int(hub.items[stream][-1]["version"]) >= last)
            versions = [int(item["version"]) for item in hub.items[stream]]
            missing = set(range(versions[0], versions[-1])) - set(versions)
            assert versions == sorted(versions)
            assert len(missing) > 5
            assert not any(version + 1 in missing for version in missing)
            again = await hub.stream("Book", MARKETS[0])
        book = Book()
        book.apply(hub.items[again][0])
        assert book.sides == naive_book(lines)

    run(test())


def test_a_skip_leaves_versions_out_and_loses_nothing() -> None:
    path = tape_path("skl-usd")
    lines = lines_of(path)

    async def test() -> None:
        faults = [parse_fault("skip:20ms")]
        async with Simulator(tape=path, speed=40, faults=faults) as simulator, Hub(simulator, MARKET) as hub:
            stream = await hub.stream("Book", MARKETS[0])
            changes = 2 + sum(line["kind"] == "delta" for line in lines)
            await hub.until(lambda: len(hub.items[stream]) >= changes)
        versions = versions_of(hub.items[stream])
        steps = [later - earlier for earlier, later in itertools.pairwise(versions)]
        assert min(steps) == 1
        assert 1 < max(steps) <= 10
        assert sum(step > 1 for step in steps) > 5
        book = Book()
        for item in hub.items[stream]:
            if not item["snapshot"]:
                book.version = int(item["version"]) - 1
            book.apply(item)
        assert book.sides == naive_book(lines)

    run(test())


@pytest.mark.parametrize("number", ["0", "0.10", "1E+3", "1E-8", "-0.00", "123456789012345678901234567890.1200"])
def test_numbers_are_written_exactly_and_short(number: str) -> None:
    written = text(Decimal(number))
    assert Decimal(written) == Decimal(number)
    assert re.fullmatch(r"\d+(\.\d*[1-9])?", written)


def test_times_have_two_to_seven_digits_of_fraction() -> None:
    assert instant(1_747_761_751_000) == "2025-05-20T17:22:31.00Z"
    assert instant(1_747_761_751_490) == "2025-05-20T17:22:31.49Z"
    assert instant(1_747_761_751_900, 1_213) == "2025-05-20T17:22:31.9001213Z"
    assert instant(1_747_761_751_491, 23_210) == "2025-05-20T17:22:31.491321Z"
    assert second(1_747_761_751_000) == "2025-05-20T17:22:31Z"
    assert ulid(1_747_761_751_899, 31) == "01JVQBFSTV000000000000000Z"


def versions_of(items: Sequence[dict[str, Any]]) -> list[int]:
    return [int(item["version"]) for item in items]


def test_what_is_read_slowly_is_all_there() -> None:
    async def test() -> None:
        clock = ManualClock()
        async with Simulator(rate=20, clock=clock) as simulator, Hub(simulator, MARKET, max_queue=1) as hub:
            stream = await hub.stream("Book", MARKETS[0])
            for _ in range(200):
                simulator.world.advance(simulator.world.stage.now + 1_000)
                clock.advance(1_000)
                await asyncio.sleep(0)
            await hub.sync()
            book = Book()
            for item in hub.items[stream]:
                book.apply(item)
            assert book.sides == sides_of(simulator.world.markets["BTC_USDT"])
            found = versions_of(hub.items[stream])
            assert found == list(range(found[0], found[-1] + 1))
            assert max(frame.count("\x1e") for frame in hub.frames) > 3, "what is ready together goes together"

    run(test())


def test_a_hole_leaves_out_at_least_one_version() -> None:
    market: Any = object.__new__(Quoted)
    market._holes, market._whole_until = Random(7), 0
    stage = SimpleNamespace(now=0)
    market._world = SimpleNamespace(stage=stage, skip=0.2)
    holes = []
    for now in range(0, 100_000, 100):
        stage.now = now
        holes.append(market._hole())
    assert holes[::2].count(0) == 0, "each 200 ms"
    assert set(holes[1::2]) == {0}, "and none between"
    assert set(holes[::2]) == set(range(1, 10))
