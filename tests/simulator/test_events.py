"""What the venues in named events share, whatever carries them: Socket.IO of both venues, and JayX's plain frames."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.simulated import Simulator
from venues.simulator import ManualClock, link, parse_fault, socketio_server
from venues.simulator.endpoint import Heartbeat

from .events import Talk, hub, run, talk
from .support import PATIENCE

KINDS = pytest.mark.parametrize("kind", ["socketio", "bare", "nbt"])


def asked(simulator: Simulator, **more: str) -> dict[str, str]:
    return {"apiKey": simulator.credentials("jayx")["api_key"], "category": "spot", **more}


def market() -> dict[str, str]:
    return {"category": "spot", "symbol": "BTCUSDT"}


def test_another_generation_and_another_transport_are_refused_in_the_servers_words() -> None:
    async def test() -> None:
        async with Simulator() as simulator:
            for query, said in (
                ("EIO=3&transport=websocket", b"unsupported version of the Socket.IO"),
                ("EIO=4&transport=flashsocket", b"Invalid transport"),
                ("EIO=4", b"Invalid transport"),
            ):
                with pytest.raises(InvalidStatus) as caught:
                    async with connect(f"{simulator.url('jayx')}/socket.io/?{query}", proxy=None):
                        pass
                assert caught.value.response.status_code == 400
                assert said in (caught.value.response.body or b"")

    run(test())


def test_the_server_pings_and_a_client_that_does_not_answer_is_left() -> None:
    async def test() -> None:
        async with (
            Simulator(rate=0, heartbeat=Heartbeat(0.02, 0.5)) as simulator,
            talk(simulator, "jayx") as client,
            talk(simulator, "jayx") as dead,
        ):
            async with asyncio.timeout(PATIENCE):
                while client.others.count("2") < 5:
                    await client.take()
            with pytest.raises(ConnectionClosed):
                await ended(dead)
            await client.emit("orderbook", market())
            await client.until(lambda s: len(s) == 1)

    run(test())


@pytest.mark.parametrize("frame", ["2", "2probe", "9", "x", "٤0", "42{}", '42٣["kline",{}]', "4abc", b"\x00"])
def test_a_client_that_breaks_the_protocol_is_thrown_out(frame: str | bytes) -> None:
    async def test() -> None:
        async with Simulator(rate=0) as simulator, talk(simulator, "jayx") as bad, talk(simulator, "jayx") as good:
            await bad.socket.send(frame)
            with pytest.raises(ConnectionClosed):
                await ended(bad)
            assert "41" not in bad.others
            await good.emit("orderbook", market())
            await good.until(lambda s: len(s) == 1)

    run(test())


@pytest.mark.parametrize("asked", ["40/random,", "40/random", '40/random,{"token":"x"}'])
def test_an_unknown_namespace_is_refused_with_an_object(asked: str) -> None:
    async def test() -> None:
        async with Simulator(rate=0) as simulator, talk(simulator, "jayx") as client:
            await client.socket.send(asked)
            assert await client.heard("44") == '44/random,{"message":"Invalid namespace"}'
            await client.emit("orderbook", market())
            await client.until(lambda s: len(s) == 1)

    run(test())


def test_the_open_packet_tells_the_interval_to_the_millisecond() -> None:
    async def test() -> None:
        async with Simulator(heartbeat=Heartbeat(1.3, 0.7)) as simulator, talk(simulator, "jayx") as client:
            opened = json.loads((await client.heard("0{"))[1:])
            assert (opened["pingInterval"], opened["pingTimeout"]) == (1300, 700)
            assert (opened["upgrades"], opened["maxPayload"]) == ([], 1_000_000)

    run(test())


async def ended(client: Talk) -> None:
    """Read to the end, and answer nothing."""
    while True:
        await client.socket.recv()


def test_what_no_client_should_send_harms_nobody() -> None:
    async def test() -> None:
        async with Simulator(rate=0) as simulator, talk(simulator, "jayx") as good:
            for frame in (
                "",
                "x",
                "b",
                "bA",
                "9",
                "4",
                "42",
                "42{}",
                "42[]",
                "42[7]",
                '42["disconnect",1]',
                "45",
                b"4",
                '42["connect",{}]',
                '42/x,["kline"]',
                "43999[]",
                "1",
                "44",
                "4" * 70,
                "[" * 9_000,
                b"\x00\xff",
                '451-["kline",{"_placeholder":true,"num":0}]',
                "2",
                "3",
                "6",
                "41",
                "0",
                "40",
                "40/x,",
                "\x00",
            ):
                async with talk(simulator, "jayx") as bad:
                    await bad.socket.send(frame)
                    await bad.socket.send('42["kline",{"symbol":"X"}]')
                    await (await bad.socket.ping())
            await good.emit("orderbook", market())
            await good.until(lambda s: len(s) == 1)

    run(test())


def listener(simulator: Simulator, kind: str) -> Any:
    return hub(simulator) if kind == "nbt" else talk(simulator, "jayx", bare=kind == "bare")


async def begin(client: Talk, kind: str) -> None:
    if kind != "nbt":
        await client.emit("orderbook", market())


@KINDS
def test_dropped_connections_have_no_close_frame(kind: str) -> None:
    async def test() -> None:
        clock = ManualClock()
        async with Simulator(faults=[parse_fault("drop:5s")], clock=clock) as simulator:
            for _ in range(2):
                async with listener(simulator, kind) as client:
                    await begin(client, kind)
                    clock.advance(20)
                    await client.until(lambda said: bool(said))
                    clock.advance(4_979)
                    await (await client.socket.ping())
                    clock.advance(1)
                    with pytest.raises(ConnectionClosed) as caught:
                        await client.until(lambda _: False)
                    assert caught.value.rcvd is None

    run(test())


@KINDS
def test_a_stalled_connection_stays_open_and_says_nothing(kind: str) -> None:
    async def test() -> None:
        clock = ManualClock()
        stalling = Simulator(faults=[parse_fault("stall:5s")], clock=clock)
        async with stalling as simulator, listener(simulator, kind) as client:
            await begin(client, kind)
            clock.advance(20)
            await client.until(lambda s: len(s) >= 1)
            clock.advance(5_000)
            await asyncio.sleep(0.05)
            pong = asyncio.ensure_future(await client.socket.ping())
            await client.emit("kline", {"symbol": "X"}, ack=None if kind == "bare" else 1)
            simulator.world.advance(simulator.world.stage.now + 10_000)
            clock.advance(1_000)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(ended(client), 0.2)
            assert not pong.done()
            assert client.socket.close_code is None
            await simulator.close()
            with pytest.raises(ConnectionClosed):
                await client.until(lambda _: False)
            await asyncio.gather(pong, return_exceptions=True)

    run(test())


@KINDS
def test_garbage_comes_between_good_frames_and_harms_no_good_one(kind: str) -> None:
    async def test() -> None:
        frames: list[bytes] = []
        faults = [parse_fault("garbage:2ms")]
        async with Simulator(rate=100, faults=faults) as simulator, listener(simulator, kind) as client:
            await begin(client, kind)
            huge = 0
            async with asyncio.timeout(PATIENCE):
                while huge < 2:
                    frames.append(await client.socket.recv(decode=False))
                    huge += len(frames[-1]) > 20 * 1024 * 1024
            client.socket.transport.abort()  # to close it politely is to wait for all that is unread
        name = b"buy_signal" if kind == "nbt" else b"orderbook"
        good = b'{"event":"orderbook","data":{"orderBook":{"asks":[{"ticks"' if kind == "bare" else b'42["%b",{"' % name
        assert any(frame.startswith(good) for frame in frames)
        for piece in (b"not JSON", b'"abc"', b":NaN", b":1e999999999999999999", b"[" * 10_000, b"weather"):
            assert any(piece in frame for frame in frames), piece
        if kind != "bare":
            assert {b"9", b"4", b"42", b"42{}"} <= set(frames)

    run(test())


@KINDS
@pytest.mark.parametrize(("fault", "status"), [("refuse", 403), ("refuse:503", 503)])
def test_refused_handshakes(kind: str, fault: str, status: int) -> None:
    async def test() -> None:
        async with Simulator(faults=[parse_fault(fault)]) as simulator:
            with pytest.raises(InvalidStatus) as caught:
                async with listener(simulator, kind):
                    pass
        assert caught.value.response.status_code == status

    run(test())


@KINDS
def test_flapping_accepts_and_closes(kind: str) -> None:
    async def test() -> None:
        async with Simulator(faults=[parse_fault("flap")]) as simulator:
            for _ in range(3):
                with pytest.raises(ConnectionClosed) as caught:
                    async with listener(simulator, kind) as client:
                        await client.until(lambda _: False)
                assert caught.value.rcvd is not None
                assert caught.value.rcvd.code == 1000

    run(test())


@KINDS
@pytest.mark.parametrize(("fault", "code"), [("close:500ms", 1001), ("expel:500ms", 1008)])
def test_an_end_says_whether_the_client_may_come_again(kind: str, fault: str, code: int) -> None:
    """A client of Socket.IO that has been disconnected from the namespace does not come again by itself."""

    async def test() -> None:
        async with Simulator(faults=[parse_fault(fault)]) as simulator, listener(simulator, kind) as client:
            with pytest.raises(ConnectionClosed):
                await client.until(lambda _: False)
            assert client.socket.close_code == code
            assert ("41" in client.others) is (code == 1008 and kind != "bare")

    run(test())


@KINDS
def test_a_reader_that_is_far_too_slow_is_told_so(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "MOST_WAITING", 20)

    async def test() -> None:
        clock = ManualClock()
        async with Simulator(clock=clock) as simulator, listener(simulator, kind) as client:
            if kind == "nbt":
                await client.until(lambda s: len(s) == 1)
            else:
                await client.emit("openorders", asked(simulator, symbol="BTCUSDT"))
                await client.until(lambda s: len(s) == 1)
            simulator.world.advance(clock.epoch_ms() + 120_000)
            with pytest.raises(ConnectionClosed):
                await client.until(lambda _: False)
            assert client.socket.close_code == 1008
            assert client.socket.close_reason == "reader too slow: more than 20 events are waiting"

    run(test())


@pytest.mark.parametrize(("count", "is_too_many"), [(5, False), (6, True)])
def test_a_client_that_sends_faster_than_is_read_is_disconnected(
    count: int, is_too_many: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socketio_server, "MOST_UNREAD", 5)

    async def test() -> None:
        async with (
            Simulator(rate=0) as simulator,
            talk(simulator, "nbt", query="&type=server&key=sim-nbt-key") as client,
        ):
            for frame in (*[b"3"] * (count - 1), b'421["weather",{}]'):
                client.socket.protocol.send_text(frame)
            client.socket.transport.write(b"".join(client.socket.protocol.data_to_send()))  # read at once
            if is_too_many:
                with pytest.raises(ConnectionClosed):
                    await ended(client)
                assert client.socket.close_code == 1008
                assert client.socket.close_reason == "more than 5 messages are waiting to be read"
            else:
                await client.heard("431[")

    run(test())
