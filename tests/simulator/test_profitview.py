"""The simulated ProfitView, seen by a client of another maker, and by ours."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests import simulated
from tests.simulator.support import PATIENCE, exact, until
from venues import venue_named
from venues.profitview.simulator import ProfitView, _basis_points, _Bot
from venues.records import Message
from venues.simulator import ManualClock, parse_fault
from venues.simulator.market_events import Event, Trade
from venues.simulator.world import World
from venues.venue import BadFrame, Now, Settings, StreamState, Subscription


class Simulator(simulated.Simulator):
    venue = "profitview"


BTC = "BTC_USDT"


def address(simulator: Simulator, token: str | None = None) -> str:
    known = simulator.credentials("profitview")["api_key"]
    return f"{simulator.url('profitview')}/stream?token={known if token is None else token}"


def join(simulator: Simulator, **options: Any) -> connect:
    return connect(address(simulator), proxy=None, ping_interval=None, **options)


def has(*topics: str) -> Callable[[list[dict[str, Any]]], bool]:
    """Whether there is a message of each topic."""
    return lambda messages: set(topics) <= {message["type"] for message in messages}


def by_topic(messages: list[dict[str, Any]], topic: str) -> list[Any]:
    return [message["data"] for message in messages if message["type"] == topic]


# --- what the bot publishes, without a server ------------------------------------------------------------------------


def test_a_bot_s_messages_are_the_market_s() -> None:
    world = World(ManualClock(), seed=3, rate=20.0)
    trades: list[Trade] = []
    said: list[dict[str, Any]] = []

    def hear(event: Event) -> None:
        if isinstance(event, Trade) and event.market == BTC:
            trades.append(event)

    bot = _Bot(world)
    bot.join(lambda data: said.append(exact(data)))
    world.stage.listen(hear)
    world.advance(world.stage.now + 180_000)
    assert len(trades) > 100
    assert by_topic(said, "btc_trade") == [
        {"side": {"buy": "Buy", "sell": "Sell"}[t.side], "price": t.price, "size": t.size, "time": t.time}
        for t in trades
    ]
    candles = by_topic(said, "btc_candle_1m")
    assert len(candles) == len(trades)
    minute = max(candle["time"] for candle in candles) - 60_000
    own = [trade for trade in trades if minute <= trade.time < minute + 60_000]
    prices = [trade.price for trade in own]
    assert [candle for candle in candles if candle["time"] == minute][-1] == {
        "time": minute,
        "open": prices[0],
        "high": max(prices),
        "low": min(prices),
        "close": prices[-1],
        "volume": sum(trade.size for trade in own),
    }
    sizes = [signal["size"] for signal in by_topic(said, "btc_signal")]
    assert set(sizes) == {Decimal("0.5"), Decimal("-0.5"), Decimal(0)}
    assert all(before != after for before, after in itertools.pairwise(sizes))


def test_the_theoretical_price_adds_up() -> None:
    world = World(ManualClock(), seed=3, rate=20.0)
    bot = _Bot(world)
    for _ in range(50):
        world.advance(world.stage.now + 1_000)
        quote, theo = bot.quote(world.stage.now), bot.theo()
        assert quote is not None
        assert theo is not None
        assert list(theo) == ["sym", "market", "theo", "diff_bps", "quote_bid", "quote_ask"]
        assert theo["market"] == (quote["bid"][0] + quote["ask"][0]) / 2
        assert quote["bid"][0] < quote["ask"][0]
        assert theo["quote_bid"] <= theo["theo"] <= theo["quote_ask"]
        assert theo["quote_bid"] < theo["quote_ask"]
        assert abs(theo["diff_bps"] - (theo["theo"] - theo["market"]) / theo["market"] * 10_000) < Decimal("0.02")
    assert str(_basis_points(Decimal("99.9999999"), Decimal(100))) == "0.00"


def test_an_empty_book_has_no_quote() -> None:
    world = World(ManualClock(), seed=3, rate=0.0)
    bot = _Bot(world)
    world.markets[BTC].market("buy", world.markets[BTC].engine.lots("sell"))  # type: ignore[attr-defined]
    assert bot.quote(0) is None
    assert bot.theo() is None


# --- on the wire -----------------------------------------------------------------------------------------------------


def test_every_topic_comes() -> None:
    async def test() -> None:
        async with Simulator(seed=3, rate=400) as simulator, join(simulator) as socket, join(simulator) as second:
            messages = await until(socket, has(*ProfitView.symbols))
            await second.send('{"type":"what a reader says","data":null}')
            others = await until(second, has(*ProfitView.symbols))
            assert [message["type"] for message in messages[:3]] == ["heartbeat", "merton_theo", "btc_quote"]
            assert messages[0] == {"type": "heartbeat", "data": None}
            (bid, ask) = messages[2]["data"]["bid"], messages[2]["data"]["ask"]
            assert (len(bid), len(ask)) == (2, 2)
            (shared, *_) = by_topic(others, "btc_trade")  # the first reader may have come long before
            if shared not in by_topic(messages, "btc_trade"):
                await until(socket, lambda more: shared in by_topic(more, "btc_trade"))

    asyncio.run(test())


def test_quotes_come_when_they_have_changed_and_heartbeats_always() -> None:
    async def test() -> None:
        clock = ManualClock()
        async with Simulator(seed=3, rate=0, clock=clock) as simulator, join(simulator) as socket:
            assert len([await socket.recv() for _ in range(3)]) == 3
            while len(simulator._server._links) < 1:  # type: ignore[union-attr]  # noqa: ASYNC110
                await asyncio.sleep(0.001)
            got: list[str] = []
            async with asyncio.timeout(PATIENCE):
                while got.count("heartbeat") < 2:
                    clock.advance(500)
                    await asyncio.sleep(0.001)
                    while True:
                        try:
                            async with asyncio.timeout(0.005):
                                got.append(exact(await socket.recv())["type"])
                        except TimeoutError:
                            break
            assert set(got) == {"heartbeat", "merton_theo"}

    asyncio.run(test())


@pytest.mark.parametrize("token", ["", "wrong", "simulated-profitview-api-keY", "ä"])
def test_a_wrong_token(token: str) -> None:
    async def test() -> None:
        async with Simulator(rate=0) as simulator:
            with pytest.raises(InvalidStatus) as caught:
                async with connect(address(simulator, token), proxy=None):
                    pass
            assert caught.value.response.status_code == 401
            assert caught.value.response.body == b"unknown token\n"

    asyncio.run(test())


@pytest.mark.parametrize(("fault", "code"), [("drop:500ms", 1006), ("flap", 1000), ("close:500ms", 1001)])
def test_connections_that_end(fault: str, code: int) -> None:
    async def test() -> None:
        async with Simulator(faults=[parse_fault(fault)]) as simulator, join(simulator) as socket:
            with pytest.raises(ConnectionClosed):
                await until(socket, lambda _: False)
            assert socket.close_code == code

    asyncio.run(test())


def test_our_client_tells_garbage_from_messages() -> None:
    (line,) = venue_named("profitview").routes([Subscription("feed")], Settings(url=""))
    session = line.session({"api_key": "k"})
    session.opened(Now(0, 0))

    async def test() -> tuple[int, int]:
        good = bad = 0
        async with (
            Simulator(seed=2, rate=100, faults=[parse_fault("garbage:10ms")]) as simulator,
            join(simulator, max_size=64 * 2**20) as socket,
            asyncio.timeout(PATIENCE),
        ):
            frame = b""
            while len(frame) < 20 * 2**20:  # the last of a round
                frame = await socket.recv(decode=False)
                items = session.receive(frame, Now(1, 1))
                good += sum(isinstance(item, Message) for item in items)
                bad += sum(isinstance(item, BadFrame) for item in items)
                assert all(isinstance(item, Message | BadFrame | StreamState) for item in items)
                if not isinstance(items[0], Message):
                    assert not well_formed(frame)
        return good, bad

    good, bad = asyncio.run(test())
    assert good > 3
    assert bad == 14


def well_formed(frame: bytes) -> bool:
    try:
        message = json.loads(frame, parse_constant=refuse_constant)
    except (ValueError, RecursionError):
        return False
    numbers = (b"1e400", b"1e999999999999999999")
    return (
        isinstance(message, dict) and isinstance(message.get("type"), str) and not any(n in frame for n in numbers)
        and b"[" * 200 not in frame
    )  # fmt: skip


def refuse_constant(name: str) -> None:
    raise ValueError(name)


def test_a_tape_has_a_feed_too(tmp_path: Any) -> None:
    tape = tmp_path / "tape.jsonl"
    tape.write_text(
        '{"kind":"tape","market":"X"}\n{"t":0,"kind":"snapshot","bids":[["1.00","2"]],"asks":[["1.20","3"]]}\n'
        '{"t":1,"kind":"trade","price":"1.10","size":"4","side":"sell"}\n'
    )

    async def test() -> None:
        async with Simulator(tape=tape) as simulator, join(simulator) as socket:
            messages = await until(socket, has("btc_trade", "btc_quote"))
            (trade,) = by_topic(messages, "btc_trade")
            assert (trade["side"], trade["price"], trade["size"]) == ("Sell", Decimal("1.10"), Decimal(4))
            assert by_topic(messages, "btc_quote")[0]["bid"] == [Decimal("1.00"), Decimal(2)]

    asyncio.run(test())
