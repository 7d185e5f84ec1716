"""The simulated Kraken through a real WebSocket, with a client of another maker that checks each checksum itself."""

from __future__ import annotations

import asyncio
import json
import math
import zlib
from bisect import bisect_left
from collections.abc import Coroutine
from decimal import Decimal
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from tests import simulated
from venues.kraken.simulator.endpoint import Troubles
from venues.kraken.simulator.market import BookFrame
from venues.simulator import ManualClock, parse_fault

from .support import NAMES, PATIENCE, lines_of, naive_book, tape_path


class Simulator(simulated.Simulator):
    venue = "kraken"


def run(test: Coroutine[Any, Any, None]) -> None:
    async def checked() -> None:
        async with asyncio.timeout(2 * PATIENCE):
            await test
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(checked())


def join(simulator: Simulator) -> connect:
    return connect(f"{simulator.url('kraken')}/v2", proxy=None, ping_interval=None, max_size=None, max_queue=None)


def asking(channel: str, *symbols: str, method: str = "subscribe", req_id: int = 1, **more: Any) -> str:
    params: dict[str, Any] = {"channel": channel, **({"symbol": symbols} if symbols else {}), **more}
    return json.dumps({"method": method, "params": params, "req_id": req_id})


async def next_of(socket: ClientConnection, *, answer: bool = False, channel: str = "") -> dict[str, Any]:
    """The next message of a channel, or the next answer; numbers as texts, digit for digit."""
    async with asyncio.timeout(PATIENCE):
        while True:
            message: dict[str, Any] = json.loads(await socket.recv(), parse_float=str, parse_int=str)
            if (answer and "channel" not in message) or (channel and message.get("channel") == channel):
                return message


class Checked:
    """A book of texts, merged and cut as the document says; each checksum is compared."""

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.sides: dict[str, dict[str, str]] = {"bids": {}, "asks": {}}
        self.wrong = 0
        self.times: list[str] = []
        # The prices of each side, the best first, and beside them what they are in order of.
        self._best: dict[str, tuple[list[str], list[Decimal]]] = {"bids": ([], []), "asks": ([], [])}

    def take(self, message: dict[str, Any]) -> None:
        (data,) = message["data"]
        self.times.append(data["timestamp"])
        for name, side in self.sides.items():
            prices, keys = self._best[name]
            if message["type"] == "snapshot":
                for one in (side, prices, keys):
                    one.clear()
            for price, qty in {row["price"]: row["qty"] for row in data[name]}.items():
                key = -Decimal(price) if name == "bids" else Decimal(price)
                at = bisect_left(keys, key)
                is_new = price not in side
                side[price] = qty
                if is_new and Decimal(qty):
                    prices.insert(at, price)
                    keys.insert(at, key)
                elif not Decimal(qty):
                    del side[price]
                    if not is_new:
                        del prices[at], keys[at]
            for price in prices[self.depth :]:
                del side[price]
            del prices[self.depth :], keys[self.depth :]
        self.wrong += zlib.crc32(self.digits().encode()) != int(data["checksum"])

    def best(self, name: str) -> list[str]:
        return self._best[name][0]

    def holds(self, name: str, rows: list[tuple[Decimal, Decimal]]) -> bool:
        """Whether a side is these levels; most are told apart by the first."""
        prices, side = self.best(name), self.sides[name]
        return len(prices) == len(rows) and all(
            (Decimal(price), Decimal(side[price])) == row for price, row in zip(prices, rows, strict=True)
        )

    def digits(self) -> str:
        return "".join(
            text.replace(".", "").lstrip("0")
            for name in ("asks", "bids")
            for price in self.best(name)[:10]
            for text in (price, self.sides[name][price])
        )


@pytest.mark.parametrize("depth", [10, 25, 1000])
def test_every_checksum_is_right_and_times_rise(depth: int) -> None:
    async def test() -> None:
        async with Simulator(seed=3, rate=800) as simulator, join(simulator) as socket:
            await socket.send(asking("book", "BTC/USD", depth=depth))
            book, several = Checked(depth), 0
            for _ in range(300):
                message = await next_of(socket, channel="book")
                book.take(message)
                for name in ("bids", "asks"):
                    prices = [row["price"] for row in message["data"][0][name]]
                    several += len(set(prices)) < len(prices)
        assert not book.wrong
        assert book.times == sorted(set(book.times))
        assert several, "one price comes several times in a frame"
        assert all(len(qty.partition(".")[2]) == 8 for qty in book.sides["bids"].values())

    run(test())


@pytest.mark.parametrize("depth", [10, 1000])
@pytest.mark.parametrize("name", NAMES)
def test_a_tape_gives_exactly_its_book(name: str, depth: int) -> None:
    path = tape_path(name)
    wanted = [sorted(side.items(), reverse=not at)[:depth] for at, side in enumerate(naive_book(lines_of(path)))]

    async def test() -> None:
        async with Simulator(tape=path, speed=math.inf) as simulator, join(simulator) as socket:
            await socket.send(asking("book", "BTC/USD", depth=depth))
            book = Checked(depth)
            while True:
                book.take(await next_of(socket, channel="book"))
                if all(book.holds(side, rows) for side, rows in zip(book.sides, wanted, strict=True)):
                    break
        assert not book.wrong

    run(test())


def test_a_level_that_moves_in_is_in_the_frame_of_the_one_that_goes() -> None:
    async def test() -> None:
        async with Simulator(seed=5, rate=800) as simulator, join(simulator) as socket:
            await socket.send(asking("book", "BTC/USD", depth=10))
            book = Checked(10)
            removals = 0
            for _ in range(300):
                message = await next_of(socket, channel="book")
                book.take(message)
                removals += sum(not Decimal(row["qty"]) for name in book.sides for row in message["data"][0][name])
                assert all(len(side) == 10 for side in book.sides.values())
            assert removals

    run(test())


def test_one_answer_a_symbol_with_its_keys_in_order() -> None:
    async def test() -> None:
        async with Simulator() as simulator, join(simulator) as socket:
            first = await next_of(socket, channel="status")
            assert first["data"][0]["system"] == "online"
            await socket.send(asking("book", "BTC/USD", "NOPE/USD", "BTCUSD", "ETH/USD", depth=25, req_id=7))
            answers = [await next_of(socket, answer=True) for _ in range(4)]
            assert all(list(answer) == sorted(answer) and answer["req_id"] == "7" for answer in answers)
            assert [answer.get("error") for answer in answers] == [
                None,
                "Currency pair not supported NOPE/USD",
                "Currency pair not in ISO 4217-A3 format BTCUSD",
                None,
            ]
            assert answers[0]["result"] == {"channel": "book", "depth": "25", "snapshot": True, "symbol": "BTC/USD"}
            assert answers[1]["symbol"] == "NOPE/USD"
            assert "result" not in answers[1]

    run(test())


@pytest.mark.parametrize(
    ("requests", "error"),
    [
        ([asking("book", "BTC/USD", depth=11)], "Subscription depth not supported"),
        ([asking("ohlc", "BTC/USD", interval=2)], "Subscription ohlc interval not supported"),
        (
            [asking("level3", "BTC/USD")],
            "Private data and trading are unavailable on this endpoint. Try ws-auth.kraken.com",
        ),
        ([asking("weather", "BTC/USD")], "Subscription name invalid"),
        ([asking("book", "BTC/USD"), asking("book", "BTC/USD", depth=100)], "Already subscribed"),
        (
            [asking("ohlc", "BTC/USD"), asking("ohlc", "BTC/USD", interval=5)],
            "Already subscribed to one ohlc interval on this symbol",
        ),
        ([asking("book", "BTC/USD", method="unsubscribe")], "Subscription Not Found"),
        (
            [asking("book", "BTC/USD"), asking("book", "BTC/USD", method="unsubscribe", depth=25)],
            "Subscription Not Found",
        ),
        (["not json"], "Malformed request"),
        (['{"method":"dance"}'], "Malformed request"),
        (["[[[[]]]]"], "Malformed request"),
    ],
    ids=str,
)
def test_refusals(requests: list[str], error: str) -> None:
    async def test() -> None:
        async with Simulator() as simulator, join(simulator) as socket:
            for request in requests:
                await socket.send(request)
                message = await next_of(socket, answer=True)
            assert message["error"] == error
            assert message["success"] is False

    run(test())


def test_an_unsubscription_ends_the_data_and_a_new_one_begins_with_the_whole_book() -> None:
    async def test() -> None:
        async with Simulator(rate=400) as simulator, join(simulator) as socket:
            await socket.send(asking("book", "BTC/USD"))
            assert (await next_of(socket, channel="book"))["type"] == "snapshot"
            assert (await next_of(socket, channel="book"))["type"] == "update"
            await socket.send(asking("book", "BTC/USD", method="unsubscribe", depth=10))
            while (answer := await next_of(socket, answer=True))["method"] != "unsubscribe":
                pass
            assert answer["result"] == {"channel": "book", "depth": "10", "symbol": "BTC/USD"}
            await socket.send(asking("book", "BTC/USD"))
            assert (await next_of(socket, channel="book"))["type"] == "snapshot"

    run(test())


def test_trades_come_before_their_book_and_count_up_by_one() -> None:
    async def test() -> None:
        async with Simulator(seed=4, rate=400) as simulator, join(simulator) as socket:
            await asyncio.sleep(0.2)
            await socket.send(asking("trade", "BTC/USD", snapshot=True))
            await socket.send(asking("ticker", "BTC/USD"))
            first = await next_of(socket, channel="trade")
            assert first["type"] == "snapshot"
            ids = [int(row["trade_id"]) for row in first["data"]]
            several = 0
            while len(ids) < 150:
                message = await next_of(socket, channel="trade")
                several += len(message["data"]) > 1
                ids += [int(row["trade_id"]) for row in message["data"]]
            assert ids == list(range(ids[0], ids[0] + len(ids)))
            assert several
            ticker = await next_of(socket, channel="ticker")
            row = ticker["data"][0]
            assert Decimal(row["low"]) <= Decimal(row["last"]) <= Decimal(row["high"])
            assert Decimal(row["bid"]) < Decimal(row["ask"])

    run(test())


def test_candles_are_sums_of_the_trades() -> None:
    async def test() -> None:
        async with Simulator(seed=4, rate=400) as simulator, join(simulator) as socket:
            await socket.send(asking("ohlc", "BTC/USD", interval=60))
            await socket.send(asking("trade", "BTC/USD", snapshot=True))
            answer = await next_of(socket, answer=True)
            assert answer["result"]["warnings"] == ["timestamp is deprecated, use interval_begin"]
            volume = Decimal(0)
            candle: dict[str, Any] = {}
            trades = 0
            while trades < 60:
                message = json.loads(await socket.recv(), parse_float=str, parse_int=str)
                if message.get("channel") == "trade":
                    volume += sum(Decimal(row["qty"]) for row in message["data"])
                    trades += len(message["data"])
                elif message.get("channel") == "ohlc" and message["data"]:
                    candle = message["data"][-1]
            while int(candle["trades"]) < trades:
                candle = (await next_of(socket, channel="ohlc"))["data"][-1]
            if int(candle["trades"]) == trades:
                assert Decimal(candle["volume"]) == volume
            assert candle["interval_begin"].endswith(":00:00.000000000Z")

    run(test())


def test_a_heartbeat_every_second_with_a_subscription_and_the_end_without() -> None:
    async def test() -> None:
        clock = ManualClock()
        async with Simulator(clock=clock, rate=0) as simulator, join(simulator) as socket, join(simulator) as idle:
            await socket.send(asking("trade", "BTC/USD", snapshot=False))
            await next_of(socket, answer=True)
            for _ in range(3):
                await asyncio.sleep(0.01)
                clock.advance(1000)
                assert await next_of(socket, channel="heartbeat") == {"channel": "heartbeat"}
            await idle.send('{"method":"ping","req_id":3}')
            assert (await next_of(idle, answer=True))["req_id"] == "3"
            ended = asyncio.create_task(idle.wait_closed())
            while not ended.done():
                clock.advance(1000)
                await asyncio.sleep(0.01)
            assert idle.close_code == 1001

    run(test())


async def book_with(fault: str, frames: int, depth: int = 10) -> Checked:
    book = Checked(depth)
    async with Simulator(seed=3, rate=800, faults=[parse_fault(fault)]) as simulator, join(simulator) as socket:
        await socket.send(asking("book", "BTC/USD", depth=depth))
        for _ in range(frames):
            book.take(await next_of(socket, channel="book"))
    return book


@pytest.mark.parametrize("fault", ["checksum:100ms", "gap:100ms"])
def test_a_damaged_or_lost_change_is_shown_by_a_checksum(fault: str) -> None:
    async def test() -> None:
        assert (await book_with(fault, 400)).wrong

    run(test())


def test_a_mute_connection_acknowledges_and_brings_no_data() -> None:
    async def test() -> None:
        async with Simulator(rate=400, faults=[parse_fault("mute:50ms")]) as simulator, join(simulator) as socket:
            await asyncio.sleep(0.2)
            await socket.send(asking("book", "BTC/USD"))
            assert (await next_of(socket, answer=True))["success"] is True
            await socket.send('{"method":"ping"}')
            rest = [json.loads(await socket.recv())]
            await asyncio.sleep(1.2)
            await socket.send('{"method":"ping","req_id":2}')
            rest.append(json.loads(await socket.recv()))
            assert [one.get("method") for one in rest] == ["pong", "pong"], "neither data nor a heartbeat"

    run(test())


def test_a_halt_goes_through_its_steps_and_loses_nothing() -> None:
    async def test() -> None:
        faults = [parse_fault("halt:150ms")]
        async with Simulator(seed=3, rate=400, faults=faults) as simulator, join(simulator) as socket:
            await socket.send(asking("instrument"))
            await socket.send(asking("book", "BTC/USD"))
            book, told, quiet = Checked(10), [], True
            while len(told) < 7:
                message = json.loads(await socket.recv(), parse_float=str, parse_int=str)
                if message.get("channel") == "book":
                    book.take(message)
                    quiet = quiet and (not told or told[-1] not in ("maintenance", "cancel_only"))
                elif message.get("channel") == "status":
                    (state,) = message["data"]
                    told.append("announced" if state.get("upcoming_maintenance") else state["system"])
                elif message.get("channel") == "instrument":
                    told.append(message["data"]["pairs"][0]["status"])
        assert told[:2] in (["online", "online"], ["online", "announced"])
        assert [one for one in told if one != "online"][:3] == ["announced", "maintenance", "cancel_only"]
        assert quiet
        assert not book.wrong

    run(test())


def test_a_halt_takes_the_same_five_steps_again_and_again() -> None:
    troubles = Troubles(["A", "B"])

    def state() -> tuple[bool, str, str, str, bool, bool]:
        pairs = troubles.pair_status("A"), troubles.pair_status("B")
        return troubles.is_announced, troubles.system, *pairs, troubles.is_halted("A"), troubles.is_halted("B")

    usual = (False, "online", "online", "online", False, False)
    assert state() == usual
    steps = [(troubles.halt(), state()) for _ in range(10)]
    assert steps == 2 * [
        ("", (True, *usual[1:])),
        ("", (False, "maintenance", "online", "online", True, True)),
        ("", usual),
        ("A", (False, "online", "cancel_only", "online", True, False)),
        ("A", usual),
    ]


def change(symbol: str, bid: str, *, kind: str = "update", best: str = "5.0", asks: bool = False) -> BookFrame:
    rows = [(bid, "1.29")]
    return BookFrame(symbol, kind, ([], rows) if asks else (rows, []), 7, "", frozenset([best]))


def test_a_lost_change_is_one_that_the_next_checksum_proves_and_comes_late_if_none_follows() -> None:
    troubles = Troubles(["A", "B"])
    proved, snapshot, deep = change("A", "5.0"), change("A", "5.0", kind="snapshot"), change("A", "4.0")
    assert troubles.spoilt(proved) == [proved]
    troubles.gap()
    assert troubles.spoilt(snapshot) == [snapshot]
    assert troubles.spoilt(deep) == [deep]
    assert troubles.spoilt(proved) == []
    assert troubles.spoilt(change("B", "5.0")) == []
    assert troubles.too_late() == [], "a beat may follow at once"
    assert troubles.spoilt(proved) == [proved], "one of each book is lost, and this one follows on it"
    assert troubles.too_late() == [change("B", "5.0")]
    assert troubles.too_late() == []


def test_what_is_held_back_goes_with_its_subscription() -> None:
    troubles = Troubles(["A", "B"])
    troubles.gap()
    assert [troubles.spoilt(change(symbol, "5.0")) for symbol in ("A", "B")] == [[], []]
    troubles.forget("trade", "A")
    troubles.forget("book", "B")
    troubles.forget("book", "C")
    assert troubles.too_late() == []
    assert troubles.too_late() == [change("A", "5.0")]


def test_a_damaged_change_has_another_quantity_or_another_checksum_by_turns() -> None:
    troubles = Troubles(["A", "B"])
    troubles.damage()
    (damaged,) = troubles.spoilt(change("A", "5.0"))
    assert (damaged.rows, damaged.checksum) == (([("5.0", "1.20")], []), 7)
    assert troubles.spoilt(change("A", "5.0")) == [change("A", "5.0")]
    (damaged,) = troubles.spoilt(change("B", "5.0", asks=True))
    assert (damaged.rows, damaged.checksum) == (([], [("5.0", "1.29")]), 6)
    troubles.damage()
    (damaged,) = troubles.spoilt(change("B", "5.0", asks=True))
    assert (damaged.rows, damaged.checksum) == (([], [("5.0", "1.20")]), 7)


def test_the_list_of_pairs_has_their_precision() -> None:
    async def test() -> None:
        async with Simulator() as simulator, join(simulator) as socket:
            await socket.send(asking("instrument", snapshot=True))
            data = (await next_of(socket, channel="instrument"))["data"]
        assert [pair["symbol"] for pair in data["pairs"]] == ["BTC/USD", "ETH/USD", "SOL/USD"]
        assert [(pair["price_precision"], pair["qty_precision"]) for pair in data["pairs"]] == [
            ("2", "8"), ("2", "8"), ("3", "8")
        ]  # fmt: skip
        assets = [(asset["id"], asset["precision"], asset["precision_display"]) for asset in data["assets"]]
        assert assets == [("USD", "4", "2"), *((name, "10", "5") for name in ("BTC", "ETH", "SOL"))]

    run(test())
