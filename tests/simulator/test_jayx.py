"""The simulated JayX through a real WebSocket, in both framings: shapes, figures, faults."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from websockets.exceptions import ConnectionClosed

from tests import simulated
from venues.jayx.simulator.endpoint import AccountRows
from venues.jayx.simulator.market import Quoted
from venues.simulator import ManualClock

from .events import Talk, run, talk


class Simulator(simulated.Simulator):
    venue = "jayx"


if TYPE_CHECKING:
    from pathlib import Path

FRAMINGS = pytest.mark.parametrize("bare", [False, True], ids=["socketio", "bare"])
KLINE = ["_id", "created", "o", "h", "l", "c", "v", "m", "symbol"]
ORDER = [
    *("id", "type", "state", "side", "resd", "exec", "cost", "lastLots", "lastTicks"),
    *("created", "modified", "symbol", "price", "quantity"),
]
SYMBOLS = {"BTCUSDT": "BTC_USDT", "ETHUSDT": "ETH_USDT", "SOLUSDT": "SOL_USDT"}


def asked(simulator: Simulator, **more: str) -> dict[str, str]:
    return {"apiKey": simulator.credentials("jayx")["api_key"], "category": "spot", **more}


def market(symbol: str = "BTCUSDT", **more: str) -> dict[str, str]:
    return {"category": "spot", "symbol": symbol, **more}


def scale(simulator: Simulator, symbol: str) -> tuple[Decimal, Decimal]:
    values = simulator.values("jayx")["symbols"][symbol]
    return Decimal(values["tick_size"]), Decimal(values["lot_size"])


@FRAMINGS
def test_messages_are_as_the_document_has_them(bare: bool) -> None:
    async def test() -> None:
        async with Simulator(seed=2, rate=400) as simulator, talk(simulator, "jayx", bare=bare) as client:
            await client.emit("orderbook", market(precise="1"))
            await client.emit("kline", market(interval="60"))
            await client.emit("openorders", asked(simulator, symbol="BTCUSDT"))
            await client.emit("positions", asked(simulator))
            await client.until(
                lambda _: (
                    len(client.of("orderbook")) > 9
                    and client.of("orderbook")[-1]["trades"]
                    and len(client.of("kline")) > 2
                    and len(client.of("positions")) > 2
                    and any(m["cancel"] for m in client.of("openorders"))
                    and any(row["state"] == "TRADE" for m in client.of("openorders") for row in m["modify"])
                )
            )
        assert {said.name for said in client.said} == {"orderbook", "kline", "openorders", "positions"}
        for message in client.of("orderbook"):
            check_book(message)
        for message in client.of("kline"):
            (row,) = [row for row in message.values() if row is not None]
            assert list(message) == ["add", "modify"]
            assert list(row) == KLINE
            assert all(type(row[name]) is int for name in KLINE[1:-1])
            assert row["created"] % 60 == 0
            assert row["created"] <= row["m"] < row["created"] + 60
            assert row["l"] <= min(row["o"], row["c"]) <= max(row["o"], row["c"]) <= row["h"]
            assert (row["symbol"], len(row["_id"]), row["v"] > 0) == ("BTCUSDT", 24, True)
        for message in client.of("openorders"):
            assert list(message) == ["cancel", "modify"]
            for row in message["modify"] + message["cancel"]:
                check_order(row, cancelled=row in message["cancel"])
        for message in client.of("positions"):
            assert [row["asset"] for row in message["spot"]] == ["USDT", "BTC", "ETH", "SOL"]
            assert all(list(row) == ["asset", "balance", "available"] for row in message["spot"])
            assert all(0 <= Decimal(row["available"]) <= Decimal(row["balance"]) for row in message["spot"])

    run(test())


def check_book(message: dict[str, Any]) -> None:
    assert list(message) == ["orderBook", "trades"]
    assert list(message["orderBook"]) == ["asks", "bids"]
    asks, bids = message["orderBook"]["asks"], message["orderBook"]["bids"]
    assert len(asks) > 30
    assert len(bids) > 30
    for row in asks + bids:
        assert list(row) == ["ticks", "lots", "count"]
        assert all(type(value) is int and value > 0 for value in row.values())
    assert [row["ticks"] for row in asks] == sorted({row["ticks"] for row in asks})
    assert [row["ticks"] for row in bids] == sorted({row["ticks"] for row in bids}, reverse=True)
    assert bids[0]["ticks"] < asks[0]["ticks"]
    assert len(message["trades"]) <= 50
    for row in message["trades"]:
        assert list(row) == ["lots", "ticks", "side", "created"]
        assert row["side"] in ("BUY", "SELL")
        assert row["created"] > 1_700_000_000_000
    times = [row["created"] for row in message["trades"]]
    assert times == sorted(times, reverse=True)


def check_order(row: dict[str, Any], *, cancelled: bool) -> None:
    assert list(row) == ORDER
    integers = ("id", "resd", "exec", "cost", "created", "modified")
    assert all(type(row[name]) is int for name in integers)
    assert (row["state"] == "CANCEL") is cancelled
    if row["state"] == "NEW":
        assert (row["exec"], row["cost"], row["lastLots"], row["lastTicks"]) == (0, 0, None, None)
    if row["exec"]:
        assert row["lastTicks"] > 0
        assert 0 < row["lastLots"] <= row["exec"]
    assert row["resd"] >= 0
    assert row["symbol"] == "BTCUSDT"
    # The market's lot and tick: 0.0001 BTC, 0.01 USDT
    assert Decimal(row["quantity"]) == Decimal("0.0001") * (row["resd"] + row["exec"])
    if row["type"] == "LIMIT":
        assert Decimal(row["price"]) > 0
        assert Decimal(row["price"]) % Decimal("0.01") == 0
        if row["exec"]:
            better = row["cost"] <= Decimal(row["price"]) * 100 * row["exec"]
            assert better or row["side"] == "SELL"
    else:
        assert (row["type"], row["price"]) == ("MARKET", "0")


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_the_book_and_every_trade_are_those_of_the_market(symbol: str) -> None:
    async def test() -> None:
        clock = ManualClock()
        async with Simulator(seed=2, rate=20, clock=clock) as simulator, talk(simulator, "jayx") as client:
            traded: list[Any] = []
            name = SYMBOLS[symbol]
            simulator.world.stage.listen(
                lambda e: traded.append(e) if type(e).__name__ == "Trade" and e.market == name else None
            )
            tick, lot = scale(simulator, symbol)
            book = simulator.world.markets[name]
            await client.emit("orderbook", market(symbol, precise="1"))
            listed: list[tuple[Any, ...]] = []
            for _ in range(12):
                simulator.world.advance(simulator.world.stage.now + 1_000)
                clock.advance(20)
                newest = [
                    [(level.price, level.size, level.orders) for level in book.levels(side)] for side in ("sell", "buy")
                ]
                before = len(client.said)

                def is_newest(said: list[Any], newest: list[Any] = newest, before: int = before) -> bool:
                    return len(said) > before and sides(said[-1].data, tick, lot) == newest

                await client.until(is_newest)
                listed = add_new(listed, client.said[-1].data["trades"])
            assert len(traded) > 12
            assert listed == [(int(t.size / lot), int(t.price / tick), t.side.upper(), t.time) for t in traded]

    run(test())


def sides(message: dict[str, Any], tick: Decimal, lot: Decimal) -> list[list[tuple[Any, ...]]]:
    rows = [message["orderBook"][side] for side in ("asks", "bids")]
    return [[(row["ticks"] * tick, row["lots"] * lot, row["count"]) for row in side] for side in rows]


def add_new(known: list[tuple[Any, ...]], trades: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """What is known, oldest first, and what of the list is new, by the longest overlap."""
    rows = [(t["lots"], t["ticks"], t["side"], t["created"]) for t in reversed(trades)]
    overlap = next((n for n in range(min(len(rows), len(known)), 0, -1) if known[-n:] == rows[:n]), 0)
    assert overlap or not known or not rows, "a trade was missed"
    return known + rows[overlap:]


def test_precise_groups_ticks_and_loses_no_lot() -> None:
    async def test() -> None:
        async with Simulator(seed=2, rate=0) as simulator, talk(simulator, "jayx") as client:
            for number, precise in enumerate(("1", "250", 250), 1):
                await client.emit("orderbook", market(precise=precise))
                await client.until(lambda said, number=number: len(said) == number)
        plain, grouped, same = (data["orderBook"] for data in client.of("orderbook"))
        assert grouped == same
        for side, sign in (("asks", -1), ("bids", 1)):
            expected: dict[int, list[int]] = {}
            for row in plain[side]:
                level = expected.setdefault(row["ticks"] * sign // 250 * 250 * sign, [0, 0])
                level[0] += row["lots"]
                level[1] += row["count"]
            assert {row["ticks"]: [row["lots"], row["count"]] for row in grouped[side]} == expected
            assert len(grouped[side]) < len(plain[side])

    run(test())


def test_candles_are_made_of_every_trade_and_an_add_follows_the_end_of_the_last_one() -> None:
    async def test() -> None:
        clock = ManualClock()
        async with Simulator(seed=2, rate=40, clock=clock) as simulator, talk(simulator, "jayx") as client:
            traded: list[Any] = []
            simulator.world.stage.listen(
                lambda e: traded.append(e) if type(e).__name__ == "Trade" and e.market == "BTC_USDT" else None
            )
            await client.emit("kline", market(interval="5"), ack=7)
            await client.heard("437")
            for _ in range(30):
                simulator.world.advance(simulator.world.stage.now + 1_000)
                clock.advance(20)
            told: dict[int, dict[str, Any]] = {}
            await client.until(lambda said: bool(said) and end_of(said[-1].data) == lots_of(traded))
            assert len([row for data in client.of("kline") if (row := data["add"])]) >= 5
            for data in client.of("kline"):
                row = data["add"] or data["modify"]
                assert (row["created"] in told) is (data["add"] is None)
                assert not told or row["created"] >= max(told)
                told[row["created"]] = row
            tick, lot = scale(simulator, "BTCUSDT")
            for start, row in told.items():
                prices = [int(t.price / tick) for t in traded if start <= t.time // 1000 < start + 5]
                assert [row[name] for name in "ohlc"] == [prices[0], max(prices), min(prices), prices[-1]]
                sizes = [t.size for t in traded if start <= t.time // 1000 < start + 5]
                assert row["v"] == sum(sizes) / lot

            def lots_in(start: int) -> Decimal:
                return sum((t.size for t in traded if t.time // 1000 >= start), Decimal(0)) / lot

            assert told[max(told)]["v"] == lots_in(max(told))

    def end_of(data: dict[str, Any]) -> tuple[int, int]:
        row = data["add"] or data["modify"]
        return row["created"], row["v"]

    def lots_of(traded: list[Any]) -> tuple[int, int]:
        start = traded[-1].time // 5_000 * 5
        return start, int(sum(t.size for t in traded if t.time // 1000 >= start) / Decimal("0.0001"))

    run(test())


def test_the_account_is_that_of_the_other_venues_to_the_last_digit() -> None:
    async def test() -> None:
        clock = ManualClock()
        async with Simulator(seed=2, rate=40, clock=clock) as simulator, talk(simulator, "jayx") as client:
            fills: list[Any] = []
            simulator.world.stage.listen(lambda e: fills.append(e) if type(e).__name__ == "Fill" else None)
            simulator.world.advance(simulator.world.stage.now + 20_000)
            for symbol in SYMBOLS:
                await client.emit("openorders", asked(simulator, symbol=symbol))
            await client.emit("positions", asked(simulator))
            for _ in range(40):
                simulator.world.advance(simulator.world.stage.now + 500)
                clock.advance(20)
                await client.take()
            account = simulator.world.account
            scales = {name: scale(simulator, symbol) for symbol, name in SYMBOLS.items()}
            while not account.orders or told(client) != expected(account, scales, fills):
                simulator.world.advance(simulator.world.stage.now + 500)
                clock.advance(20)
                await client.take()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.01):
                        await client.until(lambda _: False)
            rows = [row for data in client.of("openorders") for row in data["modify"]]
            assert {row["state"] for row in rows} == {"NEW", "TRADE"}
            assert {row["symbol"] for row in rows} == set(SYMBOLS)

    run(test())


def test_an_order_keeps_its_last_fill_and_what_was_left_of_it() -> None:
    async def test() -> None:
        async with Simulator(seed=2, rate=0) as simulator, talk(simulator, "jayx") as client:
            book: Any = simulator.world.markets["BTC_USDT"]
            ticks = book.engine.best("buy") + 1
            assert ticks < book.engine.best("sell")
            rows = AccountRows(simulator.world, {"BTCUSDT": Quoted(simulator.world, "BTCUSDT", "BTC_USDT")})
            order = simulator.world.account.place(book, "buy", ticks, 100)
            assert order is not None
            book.market("sell", 30)
            assert [*rows._last] == [order.order_id]
            await client.emit("openorders", asked(simulator, symbol="BTCUSDT"))
            await client.until(lambda said: len(said) == 1)
            simulator.world.account.cancel(order)
            await client.until(lambda said: len(said) == 2)
        first, second = client.of("openorders")
        figures = {"resd": 70, "exec": 30, "cost": 30 * ticks, "lastLots": 30, "lastTicks": ticks}
        assert [{name: row[name] for name in figures} for row in first["modify"] + second["cancel"]] == [figures] * 2
        assert (first["cancel"], second["modify"]) == ([], [])
        assert [row["state"] for row in first["modify"] + second["cancel"]] == ["TRADE", "CANCEL"]
        assert not rows._last, "of an order that is over nothing is kept"

    run(test())


def told(client: Talk) -> tuple[Any, ...]:
    """What a client knows of the account: balances, and open orders with figures in lots and ticks."""
    balances = [tuple(row.values()) for data in client.of("positions")[-1:] for row in data["spot"]]
    orders: dict[int, tuple[Any, ...]] = {}
    for data in client.of("openorders"):
        for row in data["modify"]:
            orders[row["id"]] = tuple(row.values())
            if not row["resd"]:
                assert row["state"] == "TRADE"
                del orders[row["id"]]
        for row in data["cancel"]:
            del orders[row["id"]]
    return balances, orders


def expected(account: Any, scales: dict[str, tuple[Decimal, Decimal]], fills: list[Any]) -> tuple[Any, ...]:
    """The same, from the account itself."""
    balances = [(b.asset, plain(b.total), plain(b.available)) for b in account.balances.values()]
    names = {name: symbol for symbol, name in SYMBOLS.items()}
    orders = {}
    for number, order in account.orders.items():
        tick, lot = scales[order.market.name]
        last = [e for e in fills if e.order_id == number][-1:]
        orders[number] = (
            *(number, "LIMIT", "TRADE" if order.filled else "NEW", order.side.upper()),
            *((order.size - order.filled) / lot, order.filled / lot, order.cost / lot / tick),
            *((last[0].size / lot, last[0].price / tick) if last else (None, None)),
            *(order.created, order.updated, names[order.market.name], plain(order.price), plain(order.size)),
        )
    return balances, orders


def plain(number: Decimal) -> str:
    written = f"{number:f}"
    return written.rstrip("0").rstrip(".") if "." in written else written


@FRAMINGS
def test_what_cannot_be_had_is_said(bare: bool) -> None:
    async def test() -> None:
        async with Simulator(rate=0) as simulator, talk(simulator, "jayx", bare=bare) as client:
            for event, data, said in (
                ("orderbook", market("SPOT_BTC_USDT"), "unknown symbol 'SPOT_BTC_USDT'; there are BTCUSDT, ETHUSDT"),
                ("orderbook", market(precise="0.5"), "expected a whole number above 0 as precise, got '0.5'"),
                ("kline", market(interval="61"), "unknown interval '61'; there are 1, 5, 10"),
                ("kline", market(interval="1m"), "expected a whole number above 0 as interval, got '1m'"),
                ("kline", {"category": "spot"}, "unknown symbol 'None'"),
                ("kline", {"category": "futures", "symbol": "BTCUSDT"}, "unknown category 'futures'; there is spot"),
                ("kline", ["BTCUSDT"], "expected an object with kline"),
                ("ticker", market(), "unknown event 'ticker'; there are kline, orderbook, positions, openorders"),
            ):
                before = len(client.said)
                await client.emit(event, data)
                await client.until(lambda s, before=before: len(s) > before)
                assert client.said[-1].name == "error"
                assert client.said[-1].data["message"].startswith(said)
            if bare:
                await client.socket.send("[1")
                await client.until(lambda s: s[-1].data["message"].startswith("expected a frame like"))
            await client.emit("orderbook", market())
            await client.until(lambda s: s[-1].name == "orderbook")

    run(test())


@FRAMINGS
@pytest.mark.parametrize("event", ["positions", "openorders"])
def test_a_wrong_key_is_told_and_ends_the_conversation(bare: bool, event: str) -> None:
    async def test() -> None:
        async with Simulator(rate=400) as simulator, talk(simulator, "jayx", bare=bare) as client:
            await client.emit("orderbook", market())
            await client.emit(event, {"apiKey": "wrong", "category": "spot", "symbol": "BTCUSDT"})
            await client.emit("positions", asked(simulator))
            if bare:
                with pytest.raises(ConnectionClosed):
                    await client.until(lambda _: False)
                assert (client.socket.close_code, client.socket.close_reason) == (1008, "unknown apiKey")
            else:
                await client.heard("41")
            assert client.said[-1] == ("error", {"message": "unknown apiKey"})
            assert not client.of("positions")

    run(test())


def test_a_reader_that_pauses_gets_one_book_for_many_changes() -> None:
    async def test() -> None:
        clock = ManualClock()
        async with Simulator(clock=clock) as simulator, talk(simulator, "jayx") as client:
            await client.emit("orderbook", market())
            clock.advance(20)
            await client.until(lambda s: len(s) == 1)
            before = simulator.world.markets["BTC_USDT"].changes
            simulator.world.advance(simulator.world.stage.now + 60_000)
            assert simulator.world.markets["BTC_USDT"].changes > before + 500
            clock.advance(20)
            await client.emit("kline", {"symbol": "X"})
            await client.until(lambda s: s[-1].name == "error" and len(s) > 2)
            assert len(client.of("orderbook")) == 2

    run(test())


@FRAMINGS
def test_a_tape_is_told_with_its_own_digits(tmp_path: Path, bare: bool) -> None:
    lines = [
        {"kind": "tape", "market": "X"},
        {"t": 0, "kind": "snapshot", "bids": [["0.7901", "450.0"]], "asks": [["0.79231", "7441.125"]]},
        {"t": 5, "kind": "trade", "price": "0.79005", "size": "1E+2", "side": "sell"},
    ]
    path = tmp_path / "tape.jsonl.gz"
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, lines)).encode()))

    async def test() -> None:
        async with Simulator(tape=path, speed=float("inf")) as simulator, talk(simulator, "jayx", bare=bare) as client:
            values = simulator.values("jayx")["symbols"]
            assert values["BTCUSDT"] == {"tick_size": "0.00001", "lot_size": "0.001"}
            assert values["ETHUSDT"] == {"tick_size": "0.01", "lot_size": "0.001"}
            await client.emit("orderbook", market())
            await client.until(lambda s: bool(s[-1:]) and bool(s[-1].data["trades"]))
            data = client.said[-1].data
            assert data["orderBook"] == {
                "asks": [{"ticks": 79_231, "lots": 7_441_125, "count": 1}],
                "bids": [{"ticks": 79_010, "lots": 450_000, "count": 1}],
            }
            assert [(t["ticks"], t["lots"], t["side"]) for t in data["trades"]] == [(79_005, 100_000, "SELL")]

    run(test())


def test_a_fault_of_our_own_is_not_swallowed_by_the_library(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise LookupError("a fault of ours")

    async def test() -> None:
        async with Simulator() as simulator, talk(simulator, "jayx") as client:
            monkeypatch.setattr("venues.jayx.simulator.endpoint._Session._ask_kline", broken)
            async with talk(simulator, "jayx") as other:
                await other.emit("kline", market())
                with pytest.raises(ConnectionClosed):
                    await other.until(lambda _: False)
                assert other.socket.close_code == 1011
            await client.emit("orderbook", market())
            await client.until(lambda s: len(s) == 1)

    run(test())
    assert "a fault of ours" in caplog.text
