"""The simulator and its server with a venue of the tests' own: paths, refusals, faults, and how everything ends."""

from __future__ import annotations

import asyncio
import logging
import math
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from aiohttp import ClientSession, WSMsgType, WSServerHandshakeError, web

from venues.simulator import ManualClock, Simulator, parse_fault
from venues.simulator.endpoint import Answer, Handshake, Heartbeat, Request, environment
from venues.simulator.market_events import Trade

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
    from pathlib import Path

    from venues.simulator.endpoint import Connect, Respond, Serve, Service, Wire
    from venues.simulator.world import World

TRADE = Trade("BTC_USDT", 1, 1, 1, 1, "buy")  # type: ignore[arg-type]


class Echo:
    """Answers each frame with itself; `boom` raises."""

    def __init__(self, link: Wire) -> None:
        self.link = link
        self.calls: list[str] = []

    def opened(self) -> None:
        self.link.send(b"welcome")

    def receive(self, frame: str | bytes) -> None:
        if frame == "boom":
            raise LookupError("boom")
        self.link.send(frame.encode() if isinstance(frame, str) else frame)

    def closed(self) -> None:
        self.calls.append("closed")

    def farewell(self, *, reconnect: bool) -> bytes:
        return f"farewell {reconnect}".encode()

    def gap(self) -> None: ...

    def garbage(self) -> Iterator[bytes]:
        yield b"garbage"


class Serving:
    """A server of another maker that hands everybody on."""

    def __init__(self, serve: Serve) -> None:
        self.serve = serve
        self.is_closed = False

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.query.get("ask"):
            return web.Response(text=f"{request.method} asked")
        return await self.serve(request, Echo)

    async def close(self) -> None:
        self.is_closed = True


class Plain:
    """The endpoint `/plain`, without HTTP requests, of another package than these tests."""

    name: ClassVar[str] = "plain"
    scheme: ClassVar[str] = "ws"
    symbols: ClassVar[Mapping[str, str]] = {"BTC": "BTC_USDT"}
    credentials: ClassVar[Mapping[str, str]] = {"key": "sim-key"}
    made: ClassVar[list[Any]] = []

    def __init__(self, world: World) -> None:
        self.world = world
        self.asked: list[Any] = []
        self.serving: Serving | None = None
        self.heartbeat: Heartbeat | None = None
        self.made.append(self)
        world.stage.listen(self._hear)

    def _hear(self, event: object) -> None: ...

    def sockets(self) -> Mapping[str, Callable[[Handshake], Answer | Connect]]:
        return {"/ws/{symbol}": self._admit}

    def _admit(self, handshake: Handshake) -> Answer | Connect:
        self.asked.append((dict(handshake.path), dict(handshake.query), handshake.headers.get("X-Key")))
        if handshake.path["symbol"] == "none":
            return Answer(404, "no such market", headers={"X-Why": "none"})
        return Echo

    def posts(self) -> Mapping[str, Callable[[Handshake], Answer]]:
        return {"/post/{what}": self._post}

    def _post(self, handshake: Handshake) -> Answer:
        if handshake.path["what"] == "boom":
            raise LookupError("boom")
        return Answer(201, f"posted {handshake.path['what']} {handshake.query.get('q')}", "application/json")

    def services(self, serve: Serve, heartbeat: Heartbeat) -> Mapping[str, Service]:
        self.serving, self.heartbeat = Serving(serve), heartbeat
        return {"/service/": self.serving}

    @classmethod
    def values(cls, world: World | None) -> dict[str, Any]:
        return {"table": {"a": 1}} if world is None else {"seed": world.seed}


Plain.__module__ = "another.endpoint"


class Made(Plain):
    """The endpoint `/made`, with HTTP requests too; raises when it hears of one trade."""

    name: ClassVar[str] = "made"

    def _hear(self, event: object) -> None:
        if event is TRADE:
            raise LookupError("heard")

    def requests(self) -> Mapping[str, Respond]:
        return {"GET /rest/{what}": self._respond, "PUT /rest/{what}": self._respond}

    def _respond(self, request: Request) -> Answer:
        said = f"{request.method} {request.path['what']} {request.query.get('q')} {request.body.decode()}"
        return Answer(200, said)


def run(act: Callable[[Simulator, ClientSession], Awaitable[None]], *faults: str, **options: Any) -> Simulator:
    """Something with a simulator that runs."""
    Made.made.clear()
    options = {"rate": 0.0, "faults": [parse_fault(fault) for fault in faults], **options}

    async def check() -> Simulator:
        async with asyncio.timeout(20), Simulator([Made], **options) as simulator, ClientSession() as http:
            await act(simulator, http)
        return simulator

    return asyncio.run(check())


def http_url(simulator: Simulator, path: str, venue: str = "made") -> str:
    return f"http://127.0.0.1:{simulator.port}/{venue}{path}"


@pytest.mark.parametrize(
    ("method", "path", "status", "text", "kind"),
    [
        ("POST", "/post/x?q=7", 201, "posted x 7", "application/json"),
        ("GET", "/rest/x?q=7", 200, "GET x 7 body", "text/plain"),
        ("PUT", "/rest/y", 200, "PUT y None body", "text/plain"),
        ("POST", "/rest/y", 405, "405: Method Not Allowed", "text/plain"),
        ("GET", "/post/x", 405, "405: Method Not Allowed", "text/plain"),
        ("GET", "/service/?ask=1", 200, "GET asked", "text/plain"),
        ("DELETE", "/service/?ask=1", 200, "DELETE asked", "text/plain"),
        ("GET", "/ws/none", 404, "no such market", "text/plain"),
        ("GET", "/nothing", 404, "404: Not Found", "text/plain"),
    ],
)
def test_what_is_asked_for_over_http(method: str, path: str, status: int, text: str, kind: str) -> None:
    async def act(simulator: Simulator, http: ClientSession) -> None:
        async with http.request(method, http_url(simulator, path), data="body") as answer:
            assert (answer.status, await answer.text(), answer.content_type) == (status, text, kind)
            assert answer.headers.get("X-Why") == ("none" if path == "/ws/none" else None)

    run(act)


@pytest.mark.parametrize(
    ("code", "after"), [("403", None), ("429", "1"), ("430", None), ("500", None), ("503", "1"), ("504", None)]
)
@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/post/x"), ("GET", "/rest/x"), ("GET", "/ws/BTC"), ("PUT", "/service/?ask=1")]
)
def test_the_fault_refuse_answers_instead_of_everybody(method: str, path: str, code: str, after: str | None) -> None:
    async def act(simulator: Simulator, http: ClientSession) -> None:
        async with http.request(method, http_url(simulator, path)) as answer:
            text = f"refused with {code}, as asked for by --fault\n"
            assert (answer.status, await answer.text()) == (int(code), text)
            assert answer.headers.get("Retry-After") == after

    run(act, f"refuse:{code}")
    assert Made.made[0].asked == []


@pytest.mark.parametrize("path", ["/ws/BTC?q=7", "/service/?q=7"])
def test_a_client_is_served_until_the_simulator_stops(path: str) -> None:
    """It is told so in the venue's own words, and that it may come again."""
    said: list[Any] = []

    async def act(simulator: Simulator, http: ClientSession) -> None:
        socket = await http.ws_connect(simulator.url("made") + path, headers={"X-Key": "k"})
        await socket.send_str("one")
        await socket.send_bytes(b"two")
        said.extend([(await socket.receive()).data for _ in range(3)])
        closing = asyncio.create_task(simulator.close())
        said.append((await socket.receive()).data)
        last = await socket.receive()
        said.extend([last.type, last.data, last.extra])
        await closing
        await simulator.close()  # again: nothing happens

    run(act)
    assert said == ["welcome", "one", "two", "farewell True", WSMsgType.CLOSE, 1001, "the simulator is stopping"]
    (made,) = Made.made
    assert made.asked == ([({"symbol": "BTC"}, {"q": "7"}, "k")] if "BTC" in path else [])
    assert made.serving.is_closed
    assert made.heartbeat == (25.0, 20.0)


@pytest.mark.parametrize("path", ["/ws/BTC", "/service/"])
def test_the_fault_flap_says_goodbye_at_once(path: str) -> None:
    async def act(simulator: Simulator, http: ClientSession) -> None:
        async with http.ws_connect(simulator.url("made") + path) as socket:
            last = await socket.receive()
            assert (last.type, last.data, last.extra) == (WSMsgType.CLOSE, 1000, "goodbye")

    run(act, "flap")


Told = list[tuple[str, set[str]]]


def told() -> tuple[Told, Callable[[Exception, Collection[str]], None]]:
    heard: Told = []
    return heard, lambda error, venues: heard.append((str(error), set(venues)))


def test_an_endpoint_that_raises_for_a_client_ends_that_one_alone() -> None:
    heard, on_fault = told()

    async def act(simulator: Simulator, http: ClientSession) -> None:
        url = simulator.url("made") + "/ws/BTC"
        async with http.ws_connect(url) as socket, http.ws_connect(url) as other:
            assert [(await one.receive()).data for one in (socket, other)] == ["welcome", "welcome"]
            await socket.send_str("boom")
            assert (await socket.receive()).type in (WSMsgType.CLOSED, WSMsgType.ERROR)
            await other.send_str("one")
            assert (await other.receive()).data == "one"
        async with http.post(http_url(simulator, "/post/boom")) as answer:
            assert (answer.status, await answer.text()) == (500, "the simulator of made has failed\n")
        async with http.post(http_url(simulator, "/post/x")) as answer:
            assert answer.status == 201

    run(act, on_fault=on_fault)
    assert heard == [("boom", {"made"})] * 2


def test_without_anybody_to_tell_the_server_logs_it(caplog: pytest.LogCaptureFixture) -> None:
    async def act(simulator: Simulator, http: ClientSession) -> None:
        async with http.post(http_url(simulator, "/post/boom")) as answer:
            assert answer.status == 500
            assert "the simulator of" not in await answer.text()

    with caplog.at_level(logging.ERROR, "mon.simulator"):
        run(act)
    (record,) = caplog.records
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], LookupError)


def test_without_anybody_to_tell_the_server_logs_what_a_client_at_a_socket_met(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def act(simulator: Simulator, http: ClientSession) -> None:
        async with http.ws_connect(simulator.url("made") + "/ws/BTC") as socket:
            assert (await socket.receive()).data == "welcome"
            await socket.send_str("boom")
            assert (await socket.receive()).type in (WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.ERROR)

    with caplog.at_level(logging.ERROR, "mon.simulator"):
        run(act)
    (record,) = caplog.records
    assert record.exc_info is not None
    assert repr(record.exc_info[1]) == "LookupError('boom')"


def test_an_endpoint_that_raises_in_the_world_ends_its_venue_alone() -> None:
    heard, on_fault = told()

    async def check() -> None:
        Made.made.clear()
        simulator = Simulator([Made, Plain], rate=0.0, on_fault=on_fault)
        async with asyncio.timeout(20), simulator, ClientSession() as http:
            sockets = [await http.ws_connect(f"{simulator.url(one)}/ws/BTC") for one in ("made", "plain")]
            assert [(await one.receive()).data for one in sockets] == ["welcome", "welcome"]
            assert simulator.world.stage.emit(TRADE) is None  # type: ignore[func-returns-value]
            assert (await sockets[0].receive()).type in (WSMsgType.CLOSED, WSMsgType.ERROR)
            await sockets[1].send_str("one")
            assert (await sockets[1].receive()).data == "one"
            with pytest.raises(WSServerHandshakeError) as caught:
                await http.ws_connect(f"{simulator.url('made')}/ws/BTC")
            assert caught.value.status == 500
            async with http.post(http_url(simulator, "/post/x")) as answer:
                assert (answer.status, await answer.text()) == (500, "the simulator of made has failed\n")
            async with http.post(http_url(simulator, "/post/x", "plain")) as answer:
                assert answer.status == 201
            simulator.world.stage.emit(TRADE)
            for one in sockets:
                await one.close()

    asyncio.run(check())
    assert heard == [("heard", {"made"})], "one that has failed hears nothing more"


@pytest.mark.parametrize("is_heard", [False, True])
def test_a_world_that_stops_ends_every_connection(is_heard: bool) -> None:
    """It is told by `on_fault` or raised by `close`."""
    heard, on_fault = told()

    async def check() -> None:
        clock = ManualClock()
        simulator = Simulator([Made], rate=0.0, clock=clock, on_fault=on_fault if is_heard else None)
        await simulator.start()
        async with asyncio.timeout(20), ClientSession() as http:
            socket = await http.ws_connect(f"{simulator.url('made')}/ws/BTC")
            assert (await socket.receive()).data == "welcome"
            step = partial(int, "of nobody's")  # through no code of an endpoint
            simulator.world.add(SimpleNamespace(due=simulator.world.stage.now + 100.0, step=step))
            clock.advance(1_000)
            assert (await socket.receive()).type in (WSMsgType.CLOSED, WSMsgType.ERROR)
        if is_heard:
            await simulator.close()
        else:
            with pytest.raises(ValueError, match="of nobody's"):
                await simulator.close()

    asyncio.run(check())
    assert [venues for _, venues in heard] == [set()] * is_heard


def test_a_simulator_is_started_once_and_its_port_is_known_then() -> None:
    simulator = Simulator([Made, Plain], rate=0.0, seed=9)
    for ask in (simulator.url, simulator.rest_url):
        with pytest.raises(RuntimeError, match=r"^the simulator has no port before it is started$"):
            ask("made")

    async def check() -> None:
        async with simulator:
            port = simulator.port
            assert port > 0
            assert simulator.url("made") == f"ws://127.0.0.1:{port}/made"
            assert (simulator.rest_url("made"), simulator.rest_url("plain")) == (f"http://127.0.0.1:{port}/made", "")
            with pytest.raises(RuntimeError, match=r"^the simulator has been started already$"):
                await simulator.start()
            with pytest.raises(OSError, match="address already in use"):
                await Simulator([Made], port=port).start()

    asyncio.run(check())
    assert [*simulator.endpoints] == [Made, Plain]
    assert (simulator.values("made"), simulator.world.seed) == ({"seed": 9}, 9)
    simulator.credentials("made")["key"] = "another"
    assert simulator.credentials("made") == {"key": "sim-key"}


def test_the_environment_has_addresses_credentials_and_tables() -> None:
    assert environment([Made, Plain], 5) == {
        "MON_MADE_URL": "ws://127.0.0.1:5/made",
        "MON_MADE_REST_URL": "http://127.0.0.1:5/made",
        "MON_MADE_KEY": "sim-key",
        "MON_MADE_TABLE": '{"a": 1}',
        "MON_PLAIN_URL": "ws://127.0.0.1:5/plain",
        "MON_PLAIN_KEY": "sim-key",
        "MON_PLAIN_TABLE": '{"a": 1}',
    }
    assert environment([Plain], 5, Simulator([], seed=3).world)["MON_PLAIN_SEED"] == "3"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"rate": -0.1}, "expected a rate of 0 or more events a second, got -0.1"),
        ({"rate": math.inf}, "expected a rate of 0 or more events a second, got inf"),
        ({"speed": 0}, "expected a speed above 0, got 0"),
        ({"speed": -1.5}, "expected a speed above 0, got -1.5"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=f"^{said}$"):
        Simulator([], **options)


def test_the_world_knows_the_faults_that_have_a_time() -> None:
    faults = [parse_fault(text) for text in ("flap", "refuse", "skip:2s", "mute:500ms")]
    world = Simulator([], faults=faults, hush=7.0, rate=0.5).world
    assert (world.faults, world.skip, world.hush, world.rate) == ({"skip": 2.0, "mute": 0.5}, 2.0, 7.0, 0.5)
    world = Simulator([]).world
    assert (world.faults, world.skip, world.hush, world.seed, world.rate) == ({}, 0.0, 0.0, 1, 20.0)


@pytest.mark.parametrize(
    ("speed", "symbol", "interval"), [(math.inf, "BTC", 0.0), (math.inf, "X", 0.02), (2.0, "BTC", 0.02)]
)
def test_only_a_tape_as_fast_as_possible_is_sent_without_a_pace(
    speed: float, symbol: str, interval: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that chooses its markets later may choose that one."""
    tape = tmp_path / "tape"
    tape.write_text('{"kind":"tape","market":"A-B"}\n', encoding="utf-8")
    found: list[float] = []

    class Noted(Exception):
        """It has been seen what a link is made with."""

    def link(socket: Any, transport: Any, clock: Any, interval: float, faults: Any) -> Any:
        found.append(interval)
        raise Noted

    monkeypatch.setattr("venues.simulator.server.SocketLink", link)
    logging.getLogger("mon.simulator").setLevel(logging.CRITICAL)
    try:

        async def act(simulator: Simulator, http: ClientSession) -> None:
            for path in (f"/ws/{symbol}", "/service/"):
                async with http.ws_connect(simulator.url("made") + path) as socket:
                    await socket.receive()

        run(act, tape=tape, speed=speed)
    finally:
        logging.getLogger("mon.simulator").setLevel(logging.NOTSET)
    assert found == [interval, 0.0 if speed == math.inf else 0.02]
