"""The reference client of Socket.IO 4 at the simulator: each event comes once, refusals have words, and it returns."""

from __future__ import annotations

import asyncio
import json
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

import pytest

from tests.simulated import Simulator
from venues.simulator import parse_fault
from venues.simulator.endpoint import Heartbeat

from .node import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from .node import Line, Node, Program

SCRIPT = "socketio_client.cjs"


def run(test: Coroutine[Any, Any, None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(3 * PATIENCE):
            await test
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(bounded())


def client(
    node: Node,
    simulator: Simulator,
    venue: str,
    emit: tuple[Line, ...] = (),
    transports: tuple[str, ...] = ("websocket",),
    **query: str,
) -> AbstractAsyncContextManager[Program]:
    origin, _, path = simulator.url(venue).replace("ws:", "http:").rpartition("/")
    job: Line = {"url": origin, "path": f"/{path}/socket.io/", "query": query, "emit": list(emit)}
    if transports:
        job["transports"] = transports
    return node.run(SCRIPT, job)


def hub(
    node: Node,
    simulator: Simulator,
    kind: str,
    key: str | None = None,
    transports: tuple[str, ...] = ("websocket",),
) -> AbstractAsyncContextManager[Program]:
    key = key or simulator.credentials("nbt")["key"]
    return client(node, simulator, "nbt", transports=transports, type=kind, key=key, v="1.0.0")


def of(program: Program, event: str) -> list[Any]:
    """The data of its events of that name, each with one argument."""
    found = [line["data"] for line in program.lines if line.get("event") == event]
    assert all(len(data) == 1 for data in found)
    return [data[0] for data in found]


async def tell(program: Program, event: str, data: Any) -> None:
    assert program.process.stdin is not None
    program.process.stdin.write(json.dumps({"event": event, "data": data}).encode() + b"\n")
    await program.process.stdin.drain()


def test_jayx_events_come_once_each_with_every_digit(node: Node) -> None:
    async def test() -> None:
        async with Simulator(seed=2, rate=200, heartbeat=Heartbeat(1, 5)) as simulator:
            key = simulator.credentials("jayx")["api_key"]
            told: list[Any] = []
            simulator.world.stage.listen(
                lambda e: told.append(e) if type(e).__name__ == "OrderUpdate" and e.market == "ETH_USDT" else None
            )
            asked = {"category": "spot", "symbol": "ETHUSDT"}
            events: tuple[Line, ...] = (
                {"event": "openorders", "data": {**asked, "apiKey": key}},
                {"event": "positions", "data": {"category": "spot", "apiKey": key}},
                {"event": "orderbook", "data": {**asked, "precise": "1"}},
                {"event": "kline", "data": {**asked, "interval": "1"}},
            )
            async with client(node, simulator, "jayx", events) as program:
                names = {"kline", "orderbook", "positions", "openorders"}
                await program.until(lambda lines: names <= {line.get("event") for line in lines})
                begun = len(told)
                await program.until(lambda _: len(of(program, "openorders")) > 40 and len(told) > begun + 40)
                assert await program.end() == 0
            assert [line["acknowledged"] for line in program.lines if "acknowledged" in line] == [
                *("openorders", "positions", "orderbook", "kline")
            ]
            first, *changes = of(program, "openorders")
            rows = [row for data in changes for row in data["modify"] + data["cancel"]]
            assert all(len(data["modify"] + data["cancel"]) == 1 for data in changes)
            known = [(e.order_id, e.time, int(e.filled / e.size * 1_000_000)) for e in told]
            got = [(r["id"], r["modified"], int(r["exec"] / (r["exec"] + r["resd"]) * 1_000_000)) for r in rows]
            start = len(known) - next(n for n in range(len(known), 0, -1) if known[-n:][: len(got)] == got)
            assert known[start : start + len(got)] == got
            assert {row["id"] for row in first["modify"]} <= {number for number, _, _ in known[:start]}
            assert not [line for line in program.lines if "refused" in line or line.get("event") == "error"]

    run(test())


def test_a_wrong_key_is_refused_with_the_hubs_words(node: Node) -> None:
    async def test() -> None:
        async with Simulator(rate=400) as simulator, hub(node, simulator, "client", "wrong") as program:
            await program.until(lambda lines: any("refused" in line for line in lines))
            assert await program.end() == 0
        assert program.lines == [{"refused": "unknown key: connect with your BvA key in the query"}]

    run(test())


def test_a_wrong_api_key_is_told_and_the_client_is_thrown_out(node: Node) -> None:
    asked: Line = {"event": "positions", "data": {"category": "spot", "apiKey": "wrong"}}

    async def test() -> None:
        async with Simulator(rate=0) as simulator, client(node, simulator, "jayx", (asked,)) as program:
            await program.until(lambda lines: any("disconnected" in line for line in lines))
            assert await program.end() == 0
        assert of(program, "error") == [{"message": "unknown apiKey"}]
        assert [line for line in program.lines if "disconnected" in line or "reconnecting" in line] == [
            {"disconnected": "io server disconnect"}
        ]

    run(test())


def test_signals_go_from_one_client_to_another_and_are_acknowledged(node: Node) -> None:
    async def test() -> None:
        async with (
            Simulator(rate=0) as simulator,
            hub(node, simulator, "client") as trader,
            hub(node, simulator, "server") as server,
        ):
            await trader.until(lambda lines: any(line.get("event") == "user_payload" for line in lines))
            key = simulator.credentials("nbt")["key"]
            for number in range(5):
                sent = {"key": key, "stratname": "S", "pair": "GXSUSDT", "buy_price": 0.9245 + number}
                await tell(server, "buy_signal", sent)
            await server.until(lambda lines: sum("acknowledged" in line for line in lines) == 5)
            assert server.lines[1:] == [{"acknowledged": "buy_signal", "with": [{"status": "ok"}]}] * 5
            await tell(server, "sell_signal", {"key": key, "stratname": "S", "pair": "GXSUSDT"})
            await trader.until(lambda _: bool(of(trader, "sell_signal")))
            assert await server.end() == await trader.end() == 0
        assert [data["price"] for data in of(trader, "buy_signal")] == [
            *("0.9245", "1.9245", "2.9245", "3.9245", "4.9245")
        ]
        assert [data["new"] for data in of(trader, "sell_signal")] == [False]
        assert len(of(trader, "user_payload")) == 1
        assert key not in json.dumps(trader.lines)

    run(test())


@pytest.mark.parametrize(
    ("fault", "reason", "again"),
    [
        ("drop:1500ms", "transport close", True),
        ("close:1500ms", "transport close", True),
        ("expel:1500ms", "io server disconnect", False),
    ],
)
def test_the_reference_client_comes_again_only_where_it_may(node: Node, fault: str, reason: str, again: bool) -> None:
    async def test() -> None:
        served = Simulator(rate=100, faults=[parse_fault(fault)])
        async with served as simulator, hub(node, simulator, "client") as program:
            if again:
                await program.until(lambda lines: sum("connected" in line for line in lines) == 3)
                await program.until(lambda _: len(of(program, "user_payload")) >= 3)
            else:
                await program.until(lambda lines: any("disconnected" in line for line in lines))
            assert await program.end() == 0
        assert next(line["disconnected"] for line in program.lines if "disconnected" in line) == reason
        assert any("reconnecting" in line for line in program.lines) is again

    run(test())


def test_heartbeats_keep_the_reference_client(node: Node) -> None:
    async def test() -> None:
        served = Simulator(rate=0, heartbeat=Heartbeat(0.02, 5))
        async with served as simulator, hub(node, simulator, "client") as program:
            await program.until(lambda lines: sum("heartbeat" in line for line in lines) >= 10)
            await tell(program, "none", {})
            await program.until(lambda lines: any("acknowledged" in line for line in lines))
            assert not [line for line in program.lines if "disconnected" in line]

    run(test())


# The client's default, which begins with long-polling; that without the upgrade; and none of it.
LEFT = [{"disconnected": "io client disconnect"}]
TRANSPORTS = [pytest.param((), id="default"), ("polling",), ("websocket", "polling")]


@pytest.mark.parametrize("transports", TRANSPORTS)
def test_signals_pass_whatever_the_transport(node: Node, transports: tuple[str, ...]) -> None:
    async def test() -> None:
        async with (
            Simulator(rate=0, heartbeat=Heartbeat(0.05, 5)) as simulator,
            hub(node, simulator, "client", transports=transports) as trader,
            hub(node, simulator, "server", transports=transports) as server,
        ):
            await trader.until(lambda lines: any(line.get("event") == "user_payload" for line in lines))
            for each in (trader, server) if not transports else ():
                await each.until(lambda lines: {"upgraded": "websocket"} in lines)
            key = simulator.credentials("nbt")["key"]
            for number in range(50):
                sent = {"key": key, "stratname": "é\u2028\x1e\x00", "pair": "GXSUSDT", "buy_price": number + 1}
                await tell(server, "buy_signal", sent)
            await server.until(lambda lines: sum("acknowledged" in line for line in lines) == 50)
            await trader.until(lambda lines: sum("heartbeat" in line for line in lines) >= 5)
            await trader.until(lambda _: len(of(trader, "buy_signal")) == 50)
            assert await server.end() == await trader.end() == 0
        signals = of(trader, "buy_signal")
        assert [data["price"] for data in signals] == [str(number + 1) for number in range(50)]
        assert {data["stratname"] for data in signals} == {"é\u2028\x1e\x00"}
        assert ({"upgraded": "websocket"} in trader.lines) is (not transports)
        assert [line for line in trader.lines if "disconnected" in line or "refused" in line] == LEFT

    run(test())


@pytest.mark.parametrize("transports", TRANSPORTS)
def test_jayx_is_the_same_whatever_the_transport(node: Node, transports: tuple[str, ...]) -> None:
    async def test() -> None:
        async with Simulator(seed=2, rate=300) as simulator:
            key = simulator.credentials("jayx")["api_key"]
            asked = {"category": "spot", "symbol": "BTCUSDT"}
            events: tuple[Line, ...] = (
                {"event": "openorders", "data": {**asked, "apiKey": key}},
                {"event": "orderbook", "data": {**asked, "precise": "1"}},
            )
            async with client(node, simulator, "jayx", events, transports) as program:
                await program.until(
                    lambda _: len(of(program, "orderbook")) > 20 and len(of(program, "openorders")) > 20
                )
                assert await program.end() == 0
        assert [line["acknowledged"] for line in program.lines if "acknowledged" in line] == ["openorders", "orderbook"]
        times = [row["modified"] for data in of(program, "openorders")[1:] for row in data["modify"] + data["cancel"]]
        assert times == sorted(times)
        assert [line for line in program.lines if "disconnected" in line or "refused" in line] == LEFT

    run(test())


@pytest.mark.parametrize("transports", TRANSPORTS)
def test_a_wrong_key_is_refused_whatever_the_transport(node: Node, transports: tuple[str, ...]) -> None:
    async def test() -> None:
        async with Simulator(rate=0) as simulator, hub(node, simulator, "client", "wrong", transports) as program:
            await program.until(lambda lines: any("refused" in line for line in lines))
            assert await program.end() == 0
        refused = [line for line in program.lines if "upgraded" not in line]
        assert refused == [{"refused": "unknown key: connect with your BvA key in the query"}]

    run(test())


@pytest.mark.parametrize("transports", [(), ("polling",)])
@pytest.mark.parametrize(
    ("fault", "reasons", "again"),
    [
        ("drop:700ms", ("transport error", "transport close"), True),
        ("close:700ms", ("transport close",), True),
        ("expel:700ms", ("io server disconnect",), False),
        ("stall:700ms", ("ping timeout",), True),
        ("flap", (), True),
        ("refuse:503", (), True),
    ],
)
def test_faults_befall_who_polls(
    node: Node, transports: tuple[str, ...], fault: str, reasons: tuple[str, ...], again: bool
) -> None:
    async def test() -> None:
        # Only what is to time out may: a busy machine is late by more than 0.2 s.
        heartbeat = Heartbeat(1, 0.2) if fault.startswith("stall") else Heartbeat(1, PATIENCE)
        served = Simulator(rate=100, faults=[parse_fault(fault)], heartbeat=heartbeat)
        async with served as simulator, hub(node, simulator, "client", transports=transports) as program:
            if reasons:
                await program.until(lambda lines: any("disconnected" in line for line in lines))
            if reasons and again:
                await program.until(lambda lines: sum("connected" in line for line in lines) >= 2)
            await program.until(lambda lines: any("reconnecting" in line for line in lines) is again)
            assert await program.end() == 0
        assert next((line["disconnected"] for line in program.lines if "disconnected" in line), None) in (
            reasons or [None]
        )
        assert any("reconnecting" in line for line in program.lines) is again

    run(test())
