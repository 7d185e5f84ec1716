"""The reference client of SignalR at the simulator's hub: it streams, cancels, is refused, and gets what `mon` gets."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.simulated import Simulator, environment
from venues.simulator import parse_fault

from .node import PATIENCE, mon

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from pathlib import Path

    from .node import Line, Node, Program

SCRIPT = "signalr_client.cjs"
TRADING = "/frontoffice/ws/v4/account"
ACCOUNT = "/frontoffice/ws/v3/account"
MARKET = "/marketdata/v5/info"
SEVERAL = ["spot.btc_usdt", "spot.eth_usdt"]


class Asked(NamedTuple):
    """A stream: what the hub calls it, and what `mon` is called with."""

    path: str
    target: str
    arguments: tuple[Any, ...]
    command: tuple[str, ...]


STREAMS = (
    Asked(TRADING, "OpenOrders", (), ("orders", "b2trader")),
    Asked(TRADING, "OpenPositions", (), ("positions", "b2trader")),
    Asked(TRADING, "ClosePositionsOrders", (), ("closed", "b2trader")),
    Asked(ACCOUNT, "FullBalance", (), ("balance", "b2trader")),
    Asked(ACCOUNT, "MarginData", (), ("margin", "b2trader")),
    Asked(MARKET, "Book", ("spot.btc_usdt",), ("book", "b2trader", "spot.btc_usdt")),
    Asked(MARKET, "TradingData", (SEVERAL,), ("ticker", "b2trader", *SEVERAL)),
    Asked(MARKET, "Tob", (SEVERAL,), ("quotes", "b2trader", *SEVERAL)),
    Asked(MARKET, "Chart", ("spot.btc_usdt@1m",), ("candles", "b2trader", "spot.btc_usdt", "--interval", "1m")),
    Asked(MARKET, "Summary", (SEVERAL,), ("watchlist", "b2trader", *SEVERAL)),
)
PATHS = (TRADING, ACCOUNT, MARKET)


def run(test: Coroutine[Any, Any, None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(3 * PATIENCE):
            await test

    asyncio.run(bounded())


def job(simulator: Simulator, path: str, streams: list[Asked], *, negotiate: bool, **more: Any) -> Line:
    """The token goes into the address without negotiation, as the document has it, and into a header with it."""
    credentials = simulator.credentials("b2trader")
    url = f"{simulator.url('b2trader')}{path}".replace("ws:", "http:")
    asked = [{"target": s.target, "arguments": [credentials["account_id"], *s.arguments]} for s in streams]
    if negotiate:
        return {"url": url, "token": credentials["token"], "negotiate": True, "streams": asked, **more}
    return {"url": f"{url}?access_token={credentials['token']}", "negotiate": False, "streams": asked, **more}


def of(path: str) -> list[Asked]:
    return [stream for stream in STREAMS if stream.path == path]


def items(lines: list[Line], number: int) -> list[Any]:
    return [line["item"] for line in lines if line.get("stream") == number and "item" in line]


def messages(lines: list[Line]) -> list[Line]:
    """Every message of the hub that the reference client's transport has received."""
    return [json.loads(text) for line in lines for text in line.get("received", "").split("\x1e") if text]


@pytest.mark.parametrize("negotiate", [False, True], ids=["direct", "negotiated"])
@pytest.mark.parametrize("path", PATHS)
def test_the_reference_client_streams_every_target_and_cancels(node: Node, path: str, negotiate: bool) -> None:
    streams = of(path)

    async def test() -> None:
        async with (
            Simulator(seed=2, rate=400) as simulator,
            node.run(SCRIPT, job(simulator, path, streams, negotiate=negotiate, count=6)) as client,
        ):
            await client.until(lambda lines: sum("cancelled" in line for line in lines) == len(streams))
            assert await client.end() == 0
        lines = client.lines
        for number in range(len(streams)):
            assert len(items(lines, number)) == 6
        assert not [line for line in lines if "error" in line or "failed" in line or "completed" in line]
        assert lines[-1] == {"closed": None}
        answers = [message for message in messages(lines) if message.get("type") == 3 and "error" not in message]
        assert sorted(answer["invocationId"] for answer in answers) == [str(n) for n in range(len(streams))]
        last = [message for message in messages(lines) if message.get("type") == 2]
        assert [m["item"] for m in last if m["invocationId"] == "0"][:6] == items(lines, 0)

    run(test())


@pytest.mark.parametrize("path", PATHS)
def test_mon_receives_what_the_reference_client_receives(node: Node, tmp_path: Path, path: str) -> None:
    streams = of(path)

    async def test() -> None:
        async with (
            Simulator(seed=2, rate=200) as simulator,
            node.run(SCRIPT, job(simulator, path, streams, negotiate=True)) as client,
            contextlib.AsyncExitStack() as stack,
        ):
            await client.until(lambda lines: all(items(lines, n) for n in range(len(streams))))
            variables = environment(simulator.port)
            ours: list[Program] = []
            for stream in streams:
                command = (*stream.command, "--raw", "--duration", "4s")
                ours.append(await stack.enter_async_context(mon(*command, environment=variables, home=tmp_path)))
            *codes, _ = await asyncio.gather(*(program.end() for program in ours), drained(client, ours))
            assert await client.end() == 0
            assert codes == [0] * len(streams)
        for number, program in enumerate(ours):
            check_same(items(client.lines, number), program.lines, streams[number].target)

    run(test())


async def drained(client: Program, others: list[Program]) -> None:
    """Read what the client tells for as long as the others run, so that it never waits for us."""
    await client.until(lambda _: all(program.process.returncode is not None for program in others))


def check_same(theirs: list[Any], ours: list[Line], target: str) -> None:
    """Our changes are a part of theirs without a gap; our first item is a whole state of our own."""
    received = [json.loads(t) for line in ours if line["direction"] == "in" for t in line["frame"].split("\x1e") if t]
    first, *changes = [message["item"] for message in received if message.get("type") == 2]
    assert len(changes) >= 3, target
    if target == "Book":
        known = {item["version"]: item for item in theirs[1:]}
        assert [known[item["version"]] for item in changes] == changes
        assert first["snapshot"] is True
    assert any(theirs[at : at + len(changes)] == changes for at in range(len(theirs))), target
    sent = [json.loads(t) for line in ours if line["direction"] == "out" for t in line["frame"].split("\x1e") if t]
    assert sent[-1] == {**sent[-1], "type": 5}, "mon cancels as it leaves"
    assert received[-1]["type"] == 3, "and waits for the answer"


@pytest.mark.parametrize("negotiate", [False, True], ids=["direct", "negotiated"])
def test_the_reference_client_is_told_why_it_is_refused(node: Node, negotiate: bool) -> None:
    wrong = [
        Asked(MARKET, "Book", ("cfd.eur_chf",), ()),
        Asked(MARKET, "FullBalance", (), ()),
        Asked(MARKET, "Tob", (SEVERAL,), ()),
    ]

    async def test() -> None:
        async with Simulator(seed=2) as simulator:
            work = job(simulator, MARKET, wrong, negotiate=negotiate)
            work["streams"][2]["arguments"][0] = "no-such-account"
            async with node.run(SCRIPT, work) as client:
                await client.until(lambda lines: sum("error" in line for line in lines) == len(wrong))
                assert await client.end() == 0
            said = {line["stream"]: line["error"] for line in client.lines if "error" in line}
            assert "Failed to invoke 'Book' due to an error on the server." in said[0]
            assert "unknown market 'cfd.eur_chf'" in said[0]
            assert said[1] == "Unknown hub method 'FullBalance'"
            assert said[2] == "Failed to invoke 'Tob' because user is unauthorized"
            work["url"], work["token"] = work["url"].partition("?")[0], "wrong"
            async with node.run(SCRIPT, work) as stranger:
                await stranger.until(lambda lines: any("failed" in line for line in lines))
            assert not negotiate or "401" in stranger.lines[-1]["failed"]

    run(test())


@pytest.mark.parametrize(("fault", "again"), [("close:700ms", True), ("expel:700ms", False)])
def test_the_reference_client_comes_again_only_where_it_may(node: Node, fault: str, again: bool) -> None:
    async def test() -> None:
        async with Simulator(seed=2, faults=[parse_fault(fault)]) as simulator:
            work = job(simulator, MARKET, of(MARKET)[:1], negotiate=True, reconnect=True)
            async with node.run(SCRIPT, work) as client:
                ending = "reconnected" if again else "closed"
                await client.until(lambda lines: any(ending in line for line in lines))
            assert any("reconnecting" in line for line in client.lines) is again

    run(test())
