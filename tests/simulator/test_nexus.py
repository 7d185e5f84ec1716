"""The simulated Nexus through a real WebSocket, with a client of another maker."""

from __future__ import annotations

import asyncio
import itertools
import json
import math
import re
import time
from collections import Counter, defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from aiohttp import ClientSession, WSMsgType
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests import simulated
from venues.simulated import markets
from venues.simulator import ManualClock, link, parse_fault

from .support import NAMES, PATIENCE, address, book_of, exact, join, lines_of, naive_book, tape_path, until

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from pathlib import Path

    from websockets.asyncio.client import ClientConnection

NUMBER = re.compile(r'"(?:price|quantity|holding|\w+_(?:price|quantity|id)|timestamp|id)":"')


class Simulator(simulated.Simulator):
    venue = "nexus"


class WireRow(msgspec.Struct, forbid_unknown_fields=True):
    price: Decimal
    quantity: Decimal


class WireSides(msgspec.Struct, forbid_unknown_fields=True):
    asks: list[WireRow]
    bids: list[WireRow]


class WireBook(msgspec.Struct, forbid_unknown_fields=True):
    event: str
    symbol: str
    timestamp: int
    data: WireSides


def run(test: Coroutine[Any, Any, None]) -> None:
    """Run a test; no task may be left when it is done."""

    async def checked() -> None:
        async with asyncio.timeout(2 * PATIENCE):
            await test
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(checked())


def count(messages: list[dict[str, Any]], event: str) -> int:
    return sum(message["event"] == event for message in messages)


@pytest.mark.parametrize("symbol", markets("nexus"))
def test_the_whole_book_comes_first_and_then_what_happens(symbol: str) -> None:
    async def test() -> None:
        begun = int(time.time() * 1000)
        # At a rate that a busy machine keeps up with: a world that is behind tells a book only once for many changes.
        async with Simulator(seed=2, rate=100) as simulator, join(simulator, symbol) as socket:
            came: Counter[str] = Counter()

            def enough(messages: list[dict[str, Any]]) -> bool:
                came.update(message["event"] for message in messages[-1:])
                return came["POSITIONS"] >= 20 and came["BOOK"] >= 20

            messages = await until(socket, enough)
        assert messages[0]["event"] == "BOOK"
        now = int(time.time() * 1000)
        for message in messages:
            assert begun - 1_000 <= message["timestamp"] <= now
            if message["event"] in ("BOOK", "TRADE"):
                assert message["symbol"] == symbol
            if message["event"] == "BOOK":
                bids, asks = book_of(message)
                assert len(bids) > 30
                assert len(asks) > 30
        check_account(messages, symbol)

    run(test())


def check_account(messages: list[dict[str, Any]], symbol: str) -> None:
    """TRADE, TRANSACTION, ORDER_UPDATE and POSITIONS of one fill come in this order and say the same."""
    executed: dict[int, Decimal] = defaultdict(Decimal)
    known: set[int] = set()
    ids: set[int] = set()
    start: Decimal | None = None
    held = Decimal()
    others = [m for m in messages if m["event"] != "BOOK"]
    for at, message in enumerate(others):
        data = message["data"]
        match message["event"]:
            case "TRANSACTION":
                assert data["symbol"] == symbol
                assert data["id"] not in ids
                ids.add(data["id"])
                # The trade is the one before, or one more before it when both orders were the account's.
                assert any(
                    (m["data"].get("price"), m["data"].get("quantity"))
                    == (data["executed_price"], data["executed_quantity"])
                    for m in others[max(0, at - 4) : at]
                    if m["event"] == "TRADE"
                )
                update, position = others[at + 1], others[at + 2]
                same = ("symbol", "order_id", "side", "executed_price", "executed_quantity")
                assert update["event"] == "ORDER_UPDATE"
                assert [update["data"][k] for k in same] == [data[k] for k in same]
                executed[data["order_id"]] += data["executed_quantity"]
                held += data["executed_quantity"] * (1 if data["side"] == "BUY" else -1)
                assert position["event"] == "POSITIONS"
                holding = position["data"]["positions"][symbol]["holding"]
                if start is None:
                    start = holding - held
                assert holding == start + held
                assert update["timestamp"] == position["timestamp"] == message["timestamp"]
            case "ORDER_UPDATE":
                check_order(data, symbol, executed, known)
    assert ids
    assert known


def check_order(data: dict[str, Any], symbol: str, executed: dict[int, Decimal], known: set[int]) -> None:
    assert set(data) == {
        "symbol",
        "order_type",
        "order_price",
        "order_quantity",
        "order_id",
        "executed_price",
        "executed_quantity",
        "aggregated_executed_quantity",
        "side",
        "status",
    }
    assert data["symbol"] == symbol
    total = data["aggregated_executed_quantity"]
    if data["status"] == "NEW":
        known.add(data["order_id"])
        assert total == data["executed_quantity"] == data["executed_price"] == 0
    if data["order_id"] in known:
        assert total == executed[data["order_id"]]
    assert (data["status"] == "FILLED") == (total == data["order_quantity"])
    assert (data["order_type"] == "MARKET") == (data["order_price"] == 0)


def test_messages_are_as_the_document_has_them() -> None:
    async def test() -> None:
        seen: dict[str, str] = {}
        async with Simulator(seed=2, rate=400) as simulator, join(simulator) as socket:
            async with asyncio.timeout(PATIENCE):
                while len(seen) < 5:
                    text = await socket.recv()
                    assert isinstance(text, str)
                    assert not NUMBER.search(text), "numbers are JSON numbers"
                    seen.setdefault(json.loads(text)["event"], text)
        msgspec.json.decode(seen["BOOK"], type=WireBook)
        trade, fill, positions = (exact(seen[name]) for name in ("TRADE", "TRANSACTION", "POSITIONS"))
        assert list(trade) == ["event", "symbol", "timestamp", "data"]
        assert list(trade["data"]) == ["price", "quantity", "side"]
        assert list(fill) == ["event", "timestamp", "data"]
        wanted = ["id", "symbol", "order_id", "executed_price", "executed_quantity", "side"]
        assert list(fill["data"]) == wanted
        assert isinstance(json.loads(seen["TRANSACTION"])["data"]["order_id"], int)
        assert list(positions["data"]["positions"]["SPOT_BTC_USDT"]) == ["holding"]

    run(test())


def test_pings_are_answered() -> None:
    async def test() -> None:
        clock = ManualClock(1_564_710_591_905)
        async with Simulator(rate=0, clock=clock) as simulator, join(simulator) as socket:
            await socket.recv()
            for nonsense in ("", "nonsense", "[" * 5_000, "{}", '{"event":7}', '{"event":"BOOK"}', b"\xff\x00"):
                await socket.send(nonsense)
            await socket.send('{"event":"PING"}')
            assert await socket.recv() == '{"event":"PING","timestamp":1564710591905}'
            await socket.send('{"event": "ping", "more": [1]}')
            assert await socket.recv() == '{"event":"pong","ts":1564710591905}'
            await (await socket.ping(b"\x00abc"))

    run(test())


@pytest.mark.parametrize(
    ("key", "symbol", "status", "said"),
    [
        ("wrong", "SPOT_BTC_USDT", 401, "unknown client key\n"),
        ("wrong", "SPOT_NO_SUCH", 401, "unknown client key\n"),
        (None, "BTC_USDT", 404, "unknown symbol 'BTC_USDT'; there are SPOT_BTC_USDT, SPOT_ETH_USDT, SPOT_SOL_USDT\n"),
        (None, "spot_btc_usdt", 404, "unknown symbol 'spot_btc_usdt'; there are"),
    ],
)
def test_a_wrong_key_or_symbol_is_refused(key: str | None, symbol: str, status: int, said: str) -> None:
    async def test() -> None:
        async with Simulator() as simulator:
            response = await refused(address(simulator, symbol, key))
        assert response.status_code == status
        assert response.body.decode().startswith(said)
        assert response.headers["Content-Type"].startswith("text/plain")

    run(test())


async def refused(url: str) -> Any:
    from websockets.asyncio.client import connect

    with pytest.raises(InvalidStatus) as caught:
        await connect(url, proxy=None)
    return caught.value.response


def test_the_same_seed_and_clock_say_the_same() -> None:
    async def frames() -> list[str | bytes]:
        clock = ManualClock()
        async with Simulator(seed=5, clock=clock) as simulator, join(simulator) as socket:
            got = [await socket.recv()]
            for _ in range(30):
                clock.advance(500)
                await socket.send('{"event":"ping"}')
                got.append(await socket.recv())
                while b"pong" not in str(got[-1]).encode():
                    got.append(await socket.recv())
            return [frame for frame in got if '"BOOK"' not in str(frame) and "pong" not in str(frame)]

    async def test() -> None:
        first, second = await frames(), await frames()
        shortest = min(len(first), len(second))
        assert shortest > 20
        assert first[:shortest] == second[:shortest]

    run(test())


def test_books_come_at_most_one_in_20_ms_and_the_last_one_is_the_newest() -> None:
    async def test() -> None:
        clock = ManualClock()
        async with Simulator(seed=5, rate=200, clock=clock) as simulator, join(simulator) as socket:
            got: list[tuple[int, str]] = []
            reader = asyncio.create_task(collect(socket, clock, got))
            market = simulator.world.markets["BTC_USDT"]
            for step in range(400):
                clock.advance(7)
                await asyncio.sleep(0.001)
                book = next((text for _, text in reversed(got) if '"BOOK"' in text), None)
                if step > 50 and book and wire_book(book) == sides_of(market):
                    break
            else:
                pytest.fail("the newest book never came")
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)
        stamps = [exact(text)["timestamp"] for _, text in got if '"BOOK"' in text]
        assert all(later - earlier >= 20 for earlier, later in itertools.pairwise(stamps))
        assert len(stamps) > 10

    run(test())


def sides_of(market: Any) -> tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]]:
    bids, asks = ({level.price: level.size for level in market.levels(side)} for side in ("buy", "sell"))
    return bids, asks


@pytest.mark.parametrize("name", NAMES)
def test_a_tape_at_full_speed_ends_in_the_book_that_a_plain_dict_makes(name: str) -> None:
    path = tape_path(name)
    lines = lines_of(path)
    wanted = naive_book(lines)
    first = naive_book(lines[: 1 + next(i for i, line in enumerate(lines) if line["kind"] == "snapshot")])
    trades = [(Decimal(x["price"]), Decimal(x["size"]), x["side"].upper()) for x in lines if x["kind"] == "trade"]

    async def test() -> None:
        async with Simulator(tape=path, speed=math.inf) as simulator:
            market = simulator.world.markets["BTC_USDT"]
            changes = market.changes + sum("bids" in line for line in lines)
            async with join(simulator) as socket:
                told, opening, frame, books = (
                    [],
                    b"",
                    b"",
                    0,
                )  # books are large: none but the first and the last is kept
                async with asyncio.timeout(2 * PATIENCE):
                    # To compare whole books is slow, so only once the tape can be over.
                    while market.changes < changes or not is_book(frame) or wire_book(frame) != wanted:
                        frame = await socket.recv(decode=False)
                        if is_book(frame):
                            assert uncrossed(frame)
                            books, opening = books + 1, opening or frame
                        else:
                            told.append(exact(frame))
            assert wire_book(opening) == first
            assert books > len(lines) // 4, "books are seen on the way"
            assert [tuple(message["data"].values()) for message in told] == trades
            async with join(simulator) as late:
                assert wire_book(await late.recv()) == wanted

    run(test())


def is_book(frame: bytes) -> bool:
    return frame.startswith(b'{"event":"BOOK"')


def wire_book(text: str | bytes) -> tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]]:
    """A BOOK, fast: both sides checked to be in descending order and not crossed."""
    data = msgspec.json.decode(text, type=WireBook).data
    sides = []
    for rows in (data.bids, data.asks):
        prices = [row.price for row in rows]
        assert all(a > b for a, b in itertools.pairwise(prices))
        sides.append({row.price: row.quantity for row in rows})
        assert Decimal(0) not in sides[-1].values()
    if data.bids and data.asks:
        assert data.bids[0].price < data.asks[-1].price
    return sides[0], sides[1]


def uncrossed(book: bytes) -> bool:
    """The last ask is above the first bid, both sides being in descending order."""
    between, name = book.index(b'],"bids":['), b'"price":'
    starts = book.rindex(name, 0, between), book.index(name, between)
    ask, bid = (book[at + len(name) : book.index(b",", at)].decode() for at in starts)
    return Decimal(ask) > Decimal(bid)


ODD = """{"kind":"tape","market":"ODD"}
{"t":5,"kind":"delta","bids":[["9","9"]],"asks":[]}
{"t":5000,"kind":"trade","price":"1.10","size":"1E-8","side":"sell"}
{"t":9000,"kind":"snapshot","bids":[["1.00","0.5"]],"asks":[["1.20","4E-8"]]}
{"t":8000,"kind":"delta","bids":[["1.00","0"],["1.10","2"],["1.10","3.00"]],"asks":[]}
{"t":9000,"kind":"snapshot","bids":[],"asks":[["7","123456789012345678901234567890.12345"]]}
"""


def test_an_odd_tape_waits_for_its_first_client_and_keeps_its_times(tmp_path: Path) -> None:
    path = tmp_path / "odd"
    path.write_text(ODD, encoding="utf-8")

    async def test() -> None:
        clock = ManualClock()
        async with Simulator(tape=path, speed=2.0, clock=clock) as simulator:
            clock.advance(60_000)
            async with join(simulator, "SPOT_ETH_USDT") as other:
                await other.recv()
            clock.advance(60_000)
            async with join(simulator) as socket:
                assert '{"asks":[{"price":1.20,"quantity":4E-8}],"bids":[{"price":1.00,"quantity":0.5}]}' in str(
                    await socket.recv()
                )
                # 4.995 s of the tape pass before the trade, 4 more before the snapshot: 4.4975 s at twice the speed
                began = clock.epoch_ms()
                got: list[tuple[int, str]] = []
                reader = asyncio.create_task(collect(socket, clock, got))
                while not any('"asks":[{"price":7,' in text for _, text in got):
                    clock.advance(5)
                    await asyncio.sleep(0.0005)
                reader.cancel()
                await asyncio.gather(reader, return_exceptions=True)
        events = [(at - began, text.split('"data":')[1]) for at, text in got]
        trade = next(at for at, text in events if "SELL" in text)
        assert 2_497 <= trade < 2_700
        assert events[0][1] == '{"price":1.10,"quantity":1E-8,"side":"SELL"}}'
        last = '{"asks":[{"price":7,"quantity":123456789012345678901234567890.12345}],"bids":[]}}'
        assert events[-1][1] == last
        assert 4_997 <= events[-1][0] < 5_300

    run(test())


async def collect(socket: ClientConnection, clock: ManualClock, got: list[tuple[int, str]]) -> None:
    while True:
        text = await socket.recv()
        got.append((clock.epoch_ms(), str(text)))


def test_dropped_connections_have_no_close_frame() -> None:
    async def test() -> None:
        async with Simulator(faults=[parse_fault("drop:500ms")]) as simulator:
            for _ in range(2):
                async with join(simulator) as socket:
                    with pytest.raises(ConnectionClosed) as caught:
                        await until(socket, lambda _: False)
                    assert caught.value.rcvd is None
                    assert socket.close_code == 1006

    run(test())


def test_a_stalled_connection_stays_open_and_says_nothing() -> None:
    async def test() -> None:
        clock = ManualClock()
        simulator = Simulator(faults=[parse_fault("stall:5s")], clock=clock)
        await simulator.start()
        async with join(simulator, close_timeout=0.1) as socket, join(simulator) as second:
            assert exact(await socket.recv())["event"] == "BOOK"
            assert await (await socket.ping()) is not None
            clock.advance(5_000)
            await second.recv()  # what was under way
            await asyncio.sleep(0.05)
            await drained(socket)
            clock.advance(5_000)
            pong = asyncio.ensure_future(await socket.ping())
            await socket.send('{"event":"PING"}')
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await socket.recv()
            assert not pong.done()
            second.transport.abort()
            async with asyncio.timeout(PATIENCE):
                while simulator._server is None or len(simulator._server._links) > 1:  # noqa: ASYNC110
                    await asyncio.sleep(0.001)
            assert socket.close_code is None
            began = time.monotonic()
            await simulator.close()
            assert time.monotonic() - began < PATIENCE
            with pytest.raises(ConnectionClosed) as caught:
                await until(socket, lambda _: False)
            assert caught.value.rcvd is None
            await asyncio.gather(pong, return_exceptions=True)

    run(test())


async def drained(socket: ClientConnection) -> None:
    try:
        while True:
            async with asyncio.timeout(0.1):
                await socket.recv()
    except TimeoutError:
        return


def test_garbage_comes_between_good_frames_and_a_huge_one_last() -> None:
    async def test() -> None:
        bad: list[bytes] = []
        good = 0
        async with (
            Simulator(seed=2, faults=[parse_fault("garbage:10ms")]) as simulator,
            join(simulator) as socket,
            asyncio.timeout(PATIENCE),
        ):
            while sum(len(frame) > 20 * 1024 * 1024 for frame in bad) < 2:
                frame = await socket.recv(decode=False)
                if is_good(frame):
                    good += 1
                else:
                    bad.append(frame)
        assert good > 3
        half = len(bad) // 2
        assert [f[:40].split(b"timestamp")[0] for f in bad[:half]] == [
            f[:40].split(b"timestamp")[0] for f in bad[half:]
        ]
        round_ = bad[:half]
        assert len(round_[-1]) > 20 * 1024 * 1024
        for piece in (b"not JSON", b'"abc"', b":NaN", b":1e400", b":1e999999999999999999", b"[" * 10_000, b"WEATHER"):
            assert any(piece in frame for frame in round_[:-1]), piece
        assert b"" in round_
        assert b"\x00\x01\x02\xff" in round_
        assert any(b"\xff\xfe" in frame for frame in round_)

    run(test())


def is_good(frame: bytes) -> bool:
    try:
        message = msgspec.json.decode(frame, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    data: Any = message.get("data")
    if message.get("event") == "BOOK":
        try:
            msgspec.json.decode(frame, type=WireBook)
        except msgspec.ValidationError:
            return False
        return bool(data["asks"])
    if message.get("event") == "TRADE":
        return type(data["price"]) is float and data["price"] < 1e300
    return message.get("event") in ("TRANSACTION", "ORDER_UPDATE", "POSITIONS")


def test_bad_frames_are_of_the_kind_they_claim_to_be() -> None:
    async def test() -> None:
        kinds: dict[bytes, WSMsgType] = {}
        async with (
            Simulator(rate=0, faults=[parse_fault("garbage:5ms")]) as simulator,
            ClientSession() as session,
            session.ws_connect(address(simulator), decode_text=False, max_msg_size=0) as socket,
            asyncio.timeout(PATIENCE),
        ):
            while not any(len(data) > 20 * 1024 * 1024 for data in kinds):
                message = await socket.receive()
                kinds[message.data] = message.type
        assert [data for data, kind in kinds.items() if kind is WSMsgType.BINARY] == [b"\x00\x01\x02\xff"]
        assert set(kinds.values()) == {WSMsgType.TEXT, WSMsgType.BINARY}

        async with Simulator(rate=0, faults=[parse_fault("garbage:5ms")]) as simulator, join(simulator) as strict:
            with pytest.raises(ConnectionClosed) as caught:
                await until_closed(strict)
            assert caught.value.sent is not None
            assert caught.value.sent.code == 1007, "a text frame that is no UTF-8"

    run(test())


async def until_closed(socket: ClientConnection) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            await socket.recv()


@pytest.mark.parametrize(
    ("text", "status", "retry"),
    [("refuse", 403, None), ("refuse:429", 429, "1"), ("refuse:503", 503, "1"), ("refuse:500", 500, None)],
)
def test_refused_handshakes(text: str, status: int, retry: str | None) -> None:
    async def test() -> None:
        async with Simulator(faults=[parse_fault(text)]) as simulator:
            response = await refused(address(simulator))
        assert (response.status_code, response.headers.get("Retry-After")) == (status, retry)
        assert response.body.decode() == f"refused with {status}, as asked for by --fault\n"

    run(test())


def test_flapping_accepts_and_closes() -> None:
    async def test() -> None:
        async with Simulator(faults=[parse_fault("flap")]) as simulator:
            for _ in range(3):
                async with join(simulator) as socket:
                    with pytest.raises(ConnectionClosed):
                        await socket.recv()
                    assert socket.close_code == 1000

    run(test())


def test_a_reader_that_is_far_too_slow_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "MOST_WAITING", 50)

    async def test() -> None:
        clock = ManualClock()
        async with Simulator(rate=20, clock=clock) as simulator, join(simulator) as socket:
            await socket.recv()
            simulator.world.advance(clock.epoch_ms() + 60_000)
            with pytest.raises(ConnectionClosed):
                await until(socket, lambda _: False)
            assert socket.close_code == 1008
            assert socket.close_reason == "reader too slow: more than 50 events are waiting"

    run(test())


def test_a_reader_that_pauses_loses_no_event_and_gets_the_newest_book() -> None:
    async def test() -> None:
        clock = ManualClock()
        async with Simulator(rate=20, clock=clock) as simulator, join(simulator, max_queue=1) as socket:
            await socket.recv()
            told: list[object] = []
            simulator.world.stage.listen(lambda e: told.append(e) if e.market == "BTC_USDT" else None)
            for _ in range(400):
                simulator.world.advance(simulator.world.stage.now + 1_000)
                clock.advance(20)
                await asyncio.sleep(0)
            clock.advance(10_000)
            events = sum(type(e).__name__ != "BookChange" for e in told)
            newest = {level.price: level.size for level in simulator.world.markets["BTC_USDT"].levels("buy")}
            messages = await until(
                socket,
                lambda m: bool(m) and m[-1]["event"] == "BOOK" and book_of(m[-1])[0] == newest,
            )
            assert sum(m["event"] != "BOOK" for m in messages) == events
            check_account(messages, "SPOT_BTC_USDT")

    run(test())


def test_closing_says_goodbye_and_waits_for_all() -> None:
    async def test() -> None:
        simulator = Simulator(rate=400)
        await simulator.start()
        port = simulator.port
        async with join(simulator) as socket, join(simulator, "SPOT_SOL_USDT") as other:
            await socket.recv()
            began = time.monotonic()
            await simulator.close()
            assert time.monotonic() - began < PATIENCE
            with pytest.raises(ConnectionClosed):
                await until(other, lambda _: False)
            assert (other.close_code, other.close_reason) == (1001, "the simulator is stopping")
        again = Simulator(port=port)
        await again.start()
        assert again.port == port
        taken = Simulator(port=port)
        with pytest.raises(OSError, match="address already in use"):
            await taken.start()
        with pytest.raises(RuntimeError, match="started already"):
            await again.start()
        await taken.close()
        await again.close()
        await again.close()

    run(test())


def test_a_fault_of_the_world_is_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        simulator = Simulator(rate=400)
        await simulator.start()
        async with join(simulator) as socket:
            await socket.recv()

            def broken(until_ms: int) -> None:
                raise ZeroDivisionError(until_ms)

            monkeypatch.setattr(simulator.world, "advance", broken)
            with pytest.raises(ConnectionClosed):
                await until(socket, lambda _: False)
        with pytest.raises(ZeroDivisionError):
            await simulator.close()

    run(test())


class SetClock(ManualClock):
    """A wall clock that somebody sets while the time goes on."""

    offset = 0

    def epoch_ms(self) -> int:
        return super().epoch_ms() + self.offset


def trade_times(got: list[tuple[int, str]]) -> list[int]:
    return [int(exact(text)["timestamp"]) for _, text in got if '"TRADE"' in text]


def test_after_a_long_sleep_the_world_goes_on_from_now() -> None:
    async def test() -> None:
        clock = SetClock()
        async with Simulator(clock=clock) as simulator, join(simulator) as socket:
            got: list[tuple[int, str]] = []
            reader = asyncio.create_task(collect(socket, clock, got))
            begun = clock.epoch_ms()
            for jump in (8 * 3_600_000, -4 * 3_600_000):
                before = range(begun, clock.epoch_ms() + 1)  # what happened then may still be on its way
                clock.offset += jump
                begun, seen = clock.epoch_ms() - 2_000, len(got)
                async with asyncio.timeout(PATIENCE):
                    while not (times := [at for at in trade_times(got[seen:]) if at not in before]):
                        clock.advance(100)
                        await asyncio.sleep(0.001)
                assert begun <= times[0] <= clock.epoch_ms()
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)

    run(test())
