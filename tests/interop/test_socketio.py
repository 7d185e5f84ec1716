"""The reference servers of Socket.IO 2, 3 and 4 and our client: the link over a real socket, and `mon` itself.

Every test runs against all servers at once: most of its time is waiting for heartbeats and deadlines.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from websockets.asyncio.server import ServerConnection

from tests.servers import http_answer, raw_server, websocket_server
from venues import events
from venues.connection import Connection, SystemClock
from venues.driver import Driver
from venues.errors import MonError, VenueRefused, VenueUnreachable
from venues.protocols import socketio
from venues.protocols.socketio import SocketIo
from venues.records import Message, Status
from venues.redaction import Redactor
from venues.venue import (
    BadFrame,
    Command,
    Dial,
    HttpRequest,
    HttpResponse,
    Item,
    Lost,
    Now,
    Out,
    Refused,
    StreamState,
    Subscription,
)

from .node import PATIENCE, mon

if TYPE_CHECKING:
    from .node import Line, Node, Program

SERVERS: dict[str, socketio.Generation] = {
    "socket.io-2.4.1": 3,
    "socket.io-2.5.0": 3,
    "socket.io-3.1.2": 4,
    "socket.io-4.8.4": 4,
}
# Short, so that five heartbeats take a second; as long as a busy machine may be busy with something else.
INTERVALS = {"pingInterval": 200, "pingTimeout": 1500}
MISSED = "what happened in between was missed"


class Hub:
    """A reference server, over all of its restarts; `heard` is what the present test has been told by it."""

    def __init__(self, node: Node, package: str) -> None:
        self.package = package
        self.generation = SERVERS[package]
        self.port = 0
        self.home = Path()
        self._node = node
        self._running = contextlib.AsyncExitStack()
        self._mark = 0

    async def start(self) -> None:
        job = {"package": self.package, "port": self.port, "options": INTERVALS}
        self.program: Program = await self._running.enter_async_context(self._node.run("socketio_server.cjs", job))
        (line,) = await self.program.until(lambda lines: len(lines) > 0)
        self.port, self._mark = line["listening"], 0

    async def stop(self) -> None:
        await self._running.aclose()

    async def forget(self) -> None:
        """What is told of those who were here before comes first, however late."""
        self._mark = len(self.program.lines)
        self.tell(empty=True)
        await self.until(lambda: bool(self.of("empty")))
        self._mark = len(self.program.lines)

    @property
    def heard(self) -> list[Line]:
        return self.program.lines[self._mark :]

    def of(self, kind: str) -> list[Any]:
        return [line[kind] for line in self.heard if kind in line]

    async def until(self, condition: Callable[[], bool]) -> None:
        await self.program.until(lambda _: condition())

    def tell(self, **line: Any) -> None:
        assert self.program.process.stdin is not None
        self.program.process.stdin.write(json.dumps(line).encode() + b"\n")


class LinkSession:
    """Every event is a record with its name and its arguments, and so is every acknowledgement of ours."""

    def __init__(self, line: LinkLine) -> None:
        self._line = line
        self._link = SocketIo(line.learnt)
        self._sent: dict[int, str] = {}

    def opening(self) -> Generator[HttpRequest, HttpResponse, Dial]:
        yield from ()
        return Dial(f"{self._line.url}?{socketio.QUERY}&key={self._line.key}", self._line.url)

    def opened(self, now: Now) -> list[Item]:
        self._link.opened(now)
        return []

    def receive(self, frame: bytes, now: Now) -> list[Item]:
        return self._items(self._link.receive(frame, now))

    def pong(self, now: Now) -> list[Item]:
        return []

    def deadline(self) -> float | None:
        return self._link.deadline()

    def tick(self, now: Now) -> list[Item]:
        return self._items(self._link.tick(now))

    def send(self, command: Command) -> None:
        wants = bool(command.fields["wants"])
        ack = self._link.emit(command.name, *command.fields["arguments"], ack=wants)
        if ack is not None:
            self._sent[ack] = command.name

    def leave(self, now: Now) -> None:
        self._link.leave()

    def done(self) -> bool:
        return True

    def closed(self, code: int | None, reason: str, now: Now) -> list[Item]:
        return []

    def take(self) -> list[Out]:
        return list(self._link.take())

    def _items(self, happenings: list[socketio.Happening]) -> list[Item]:
        self._line.learnt = self._link.learnt
        return [self._item(happening) for happening in happenings]

    def _item(self, happening: socketio.Happening) -> Item:
        match happening:
            case socketio.Connected(generation):
                self._line.connected.append(generation)
                return StreamState("feed", "live")
            case socketio.Event(name, arguments, ack):
                if ack is not None:
                    self._link.acknowledge(ack, "thanks", len(arguments))
                return _message(name, arguments)
            case socketio.Acknowledged(ack, arguments):
                return _message(f"answer to {self._sent.pop(ack)}", arguments)
            case socketio.BadPacket(reason):
                return BadFrame(reason)
            case socketio.ConnectRefused(message):
                return Refused(message)
            case socketio.Disconnected():
                return Lost("put out by the server", retry=False)
            case socketio.Broken(reason, retry):
                return Lost(reason, retry=retry)


class NoopSession(LinkSession):
    """Sends what finds an echo out before everything and after it."""

    def take(self) -> list[Out]:
        return ["6", *super().take(), "6"]


def _message(topic: str, arguments: list[msgspec.Raw]) -> Message:
    return Message(venue="test", received=0, topic=topic, data=[msgspec.json.decode(one) for one in arguments])


class LinkLine:
    """`connected`: the generation each time that we were let in."""

    def __init__(self, url: str, key: str) -> None:
        self.url = url
        self.key = key
        self.learnt: socketio.Lesson | None = None
        self.connected: list[int] = []

    def session(self, secrets: Mapping[str, str]) -> LinkSession:
        return LinkSession(self)

    def refused(self, status: int, body: str) -> Refused | Lost:
        return socketio.verdict(status, body)


class Client:
    """Our client at a hub: `items` is what it delivered, `sent` and `received` are its frames."""

    def __init__(self, port: int, key: str = "good") -> None:
        self.line = LinkLine(f"ws://127.0.0.1:{port}/socket.io/", key)
        self.items: list[Any] = []
        self.events: list[events.Event] = []
        self._changed = asyncio.Event()
        self.driver = Driver(self.line, [Subscription("feed")], venue="test")
        self.connection = Connection(
            self.driver,
            fetch_secrets=self._fetch,
            deliver=self._deliver,
            clock=SystemClock(),
            random=lambda: 0.0,
            redactor=Redactor(),
            tap=self.events.append,
        )

    async def _fetch(self) -> Mapping[str, str]:
        return {}

    def _deliver(self, items: list[Any]) -> None:
        self.items += items
        self._changed.set()

    @property
    def messages(self) -> list[tuple[str, Any]]:
        return [(item.topic, item.data) for item in self.items if isinstance(item, Message)]

    @property
    def statuses(self) -> list[tuple[str, str | None]]:
        return [(item.state, item.reason) for item in self.items if isinstance(item, Status)]

    @property
    def bad(self) -> list[str]:
        return [item.reason for item in self.items if isinstance(item, BadFrame)]

    def frames(self, direction: str) -> list[str]:
        frames = [event for event in self.events if isinstance(event, events.Frame) and event.direction == direction]
        return [frame.data().decode("utf-8", "replace") for frame in frames]

    def send(self, name: str, *arguments: Any, wants: bool = False) -> None:
        self.connection.send(Command(name, {"arguments": arguments, "wants": wants}))

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def live(self, times: int = 1) -> None:
        await self.until(lambda: [state for state, _ in self.statuses].count("live") == times)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.connection.run())
        try:
            yield
        finally:
            self.connection.leave()
            await asyncio.wait_for(task, 5)

    async def ending(self) -> MonError:
        with pytest.raises(MonError) as ended:
            await asyncio.wait_for(self.connection.run(), PATIENCE)
        return ended.value


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def hubs(node: Node, runner: asyncio.Runner) -> Iterator[list[Hub]]:
    """All servers, running for as long as there are tests of this module."""
    started = [Hub(node, package) for package in SERVERS]

    async def everyone(what: Callable[[Hub], Coroutine[Any, Any, None]]) -> None:
        await asyncio.gather(*(what(hub) for hub in started))

    runner.run(everyone(Hub.start))
    yield started
    runner.run(everyone(Hub.stop))


def everywhere(check: Callable[[Hub], Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """A test of all servers at once, from the check of one."""

    async def checked(hub: Hub) -> None:
        try:
            async with asyncio.timeout(3 * PATIENCE):
                await hub.forget()
                await check(hub)
        except BaseException as error:
            error.add_note(f"with {hub.package}, which told {hub.heard[-20:]}")
            raise

    def test(hubs: list[Hub], runner: asyncio.Runner, tmp_path: Path) -> None:
        async def everyone() -> None:
            async with asyncio.TaskGroup() as tasks:
                for hub in hubs:
                    hub.home = tmp_path
                    tasks.create_task(checked(hub))

        runner.run(everyone())

    test.__doc__ = check.__doc__
    return test


# --- the link ------------------------------------------------------------------------------------------------------


@everywhere
async def test_events_both_ways_come_once_each_over_five_heartbeats(hub: Hub) -> None:
    client = Client(hub.port, "early")
    async with client.running():
        await client.live()
        assert client.line.connected == [hub.generation]
        assert client.line.learnt == hub.generation
        hub.tell(emit="kline", arguments=[{"o": 1}, "é"])
        hub.tell(emit="asks", arguments=[1, 2], ack=True)
        client.send("hello", 1)
        client.send("hello", {"a": ["ü"]}, wants=True)
        await hub.until(lambda: len(hub.of("heartbeat")) >= 5 and bool(hub.of("acknowledged")))
        hub.tell(emit="last", arguments=[])
        await client.until(lambda: ("last", []) in client.messages)
    await hub.until(lambda: bool(hub.of("disconnected")))

    assert sorted(client.messages) == [
        ("answer to hello", ["got it", 1]),
        ("asks", [1, 2]),
        ("early", [{"at": 1}]),
        ("kline", [{"o": 1}, "é"]),
        ("last", []),
    ]
    assert client.messages[0][0] == "early"
    assert isinstance(client.items[0], Message), "it came before the `40`"
    assert client.statuses == [("live", None)]
    assert client.bad == []
    events = [line for line in hub.heard if "event" in line]
    assert events == [
        {"event": "hello", "arguments": [1], "wants": False},
        {"event": "hello", "arguments": [{"a": ["ü"]}], "wants": True},
    ]
    assert hub.of("acknowledged") == [["thanks", 2]]
    assert len(hub.of("connected")) == 1
    assert set(hub.of("heartbeat")) == {"ping" if hub.generation == 3 else "pong"}
    heartbeat = "2" if hub.generation == 3 else "3"
    assert {frame for frame in client.frames("out") if len(frame) == 1} == {heartbeat}
    assert client.frames("out").count("40") == (hub.generation - 3)
    assert hub.of("disconnected") == ["client namespace disconnect"]


@everywhere
async def test_what_is_strange_costs_only_itself(hub: Hub) -> None:
    client = Client(hub.port)
    async with client.running():
        await client.live()
        hub.tell(binary="picture", bytes=["ab", '42["forged",{}]', '\x0442["forged",{}]'])
        hub.tell(emit="after binary", arguments=[])
        hub.tell(packets=[["noop"], ["upgrade"], ["message", '2/other,["x"]'], ["message", "0/other,"]])
        hub.tell(packets=[["message", "9"], ["message", '4"late"'], ["message", "43999[]"], ["message", "hello"]])
        hub.tell(emit="last", arguments=[])
        await client.until(lambda: ("last", []) in client.messages)
    assert client.messages == [("after binary", []), ("last", [])]
    binary, *rest = client.bad
    assert "binary attachments, which is not supported" in binary
    told = [reason for reason in rest if "reads like a packet" in reason]
    assert len(told) == (1 if hub.generation == 4 else 0), "older servers mark attachments"
    assert len(rest) == len(told) + 4
    assert client.statuses == [("live", None)]


@everywhere
async def test_a_refusal_is_final_and_in_the_servers_words(hub: Hub) -> None:
    assert await said(hub, "nobody") == "The key is not known"
    assert await said(hub, "banned") == ("The account is closed" if hub.generation == 4 else '{"code":7}')
    words = "this key is banned" if hub.generation == 4 else "Forbidden"
    assert await said(hub, "forbidden") == f"refused by the venue (HTTP 400: {words})"
    assert hub.of("connected") == []


async def said(hub: Hub, key: str) -> str:
    error = await Client(hub.port, key).ending()
    assert isinstance(error, VenueRefused)
    return str(error)


@everywhere
async def test_who_is_put_out_and_who_is_hung_up_on(hub: Hub) -> None:
    client = Client(hub.port)
    task = asyncio.create_task(client.ending())
    await client.live()
    hub.tell(packets=[["close"]])
    await client.live(2)
    assert ("reconnecting", "the server closed the Engine.IO transport") in client.statuses
    hub.tell(put_out=True)
    error = await task
    assert isinstance(error, VenueUnreachable)
    assert str(error) == "put out by the server"


@everywhere
async def test_a_server_that_is_slow_to_let_us_in_still_sends_each_event_once(hub: Hub) -> None:
    """An older one costs a connection, which shows its generation, and no more than that."""
    client = Client(hub.port, "slow")
    async with client.running():
        await client.live()
        assert client.line.connected == [hub.generation]
        hub.tell(emit="kline", arguments=[1])
        hub.tell(emit="last", arguments=[])
        await client.until(lambda: ("last", []) in client.messages)
        assert client.messages == [("kline", [1]), ("last", [])]
    lost = [reason for state, reason in client.statuses if state == "reconnecting"]
    assert len(lost) == (1 if hub.generation == 3 else 0)
    assert all("a slow server of Socket.IO 2" in str(reason) for reason in lost)


@everywhere
async def test_a_server_that_stops_answering_is_given_up_and_found_again(hub: Hub) -> None:
    client = Client(hub.port)
    async with client.running():
        await client.live()
        hub.program.process.send_signal(signal.SIGSTOP)
        try:
            await client.until(lambda: client.statuses[-1][0] == "reconnecting")
        finally:
            hub.program.process.send_signal(signal.SIGCONT)
        missing = "no answer to our ping" if hub.generation == 3 else "no ping from the server"
        assert missing in str(client.statuses[-1][1])
        await client.live(2)
        await hub.until(lambda: len(hub.of("connected")) == 2 and len(hub.of("disconnected")) == 1)
        hub.tell(emit="kline", arguments=[1])
        hub.tell(emit="last", arguments=[])
        await client.until(lambda: ("last", []) in client.messages)
        assert client.messages == [("kline", [1]), ("last", [])]
        assert client.statuses[-1] == ("live", MISSED)


@everywhere
async def test_a_server_that_starts_anew_sends_each_event_once(hub: Hub) -> None:
    client = Client(hub.port)
    async with client.running():
        await client.live()
        await hub.stop()
        await hub.start()
        await client.live(2)
        assert client.line.connected == [hub.generation] * 2
        hub.tell(emit="kline", arguments=[1])
        hub.tell(emit="last", arguments=[])
        await client.until(lambda: ("last", []) in client.messages)
        assert client.messages == [("kline", [1]), ("last", [])]
        assert client.statuses[-1] == ("live", MISSED)
    await hub.until(lambda: bool(hub.of("disconnected")))
    assert len(hub.of("connected")) == 1


@everywhere
async def test_what_finds_an_echo_out_is_nothing_to_a_server(hub: Hub) -> None:
    client = Client(hub.port)
    client.line.session = lambda secrets: NoopSession(client.line)  # type: ignore[method-assign]
    async with client.running():
        await client.live()
        assert client.frames("out")[0] == "6"
        client.send("hello", 1, wants=True)
        await hub.until(lambda: len(hub.of("heartbeat")) >= 2)
        await client.until(lambda: bool(client.messages))
    await hub.until(lambda: bool(hub.of("disconnected")))
    assert client.messages == [("answer to hello", ["got it", 1])]
    assert client.line.connected == [hub.generation]
    assert client.bad == []


# --- servers of something else -------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["200 OK", "404 Not Found"])
def test_an_http_server_is_no_socketio_server(status: str) -> None:
    async def scenario() -> None:
        async with raw_server(http_answer(status, "<html>")) as port:
            error = await Client(port).ending()
        assert isinstance(error, VenueUnreachable)
        expected = (
            f"this is no Socket.IO server: expected a WebSocket, got HTTP {status[:3]}: <html>; check the address"
        )
        assert str(error) == expected

    asyncio.run(scenario())


def test_a_websocket_echo_is_no_socketio_server(monkeypatch: pytest.MonkeyPatch) -> None:
    async def echo(websocket: ServerConnection) -> None:
        async for message in websocket:
            await websocket.send(message)

    async def scenario() -> None:
        async with websocket_server(echo) as port:
            error = await Client(port).ending()
        assert isinstance(error, VenueUnreachable)
        assert str(error) == "this is no Socket.IO server: it sends back what it is sent"

    monkeypatch.setattr(socketio, "SILENT_WITHIN", 0.0)
    asyncio.run(scenario())


def test_a_websocket_of_another_protocol_is_no_socketio_server() -> None:
    async def greet(websocket: ServerConnection) -> None:
        await websocket.send('{"event":"info","version":2}')
        await websocket.wait_closed()

    async def scenario() -> None:
        async with websocket_server(greet) as port:
            error = await Client(port).ending()
        assert isinstance(error, VenueUnreachable)
        assert str(error).startswith("this is no Socket.IO server: expected an Engine.IO packet")

    asyncio.run(scenario())


# --- mon -----------------------------------------------------------------------------------------------------------

KEY = "good-0123456789abcdef"


def mon_at(hub: Hub, *arguments: str, key: str = KEY) -> contextlib.AbstractAsyncContextManager[Program]:
    variables = {"MON_NBT_URL": f"ws://127.0.0.1:{hub.port}", "MON_NBT_KEY": key}
    return mon(*arguments, environment=variables, home=hub.home)


async def said_by(program: Program) -> str:
    assert program.process.stderr is not None
    return (await program.process.stderr.read()).decode()


async def sent_by_mon(hub: Hub) -> None:
    """One signal, and the answer of the hub to it."""
    signal = ("--pair", "BTCUSDT", "--strategy", "S", "--price", "100", "--message", "é")
    async with mon_at(hub, "send", "nbt", "buy", *signal, "--yes") as sender:
        assert await sender.end() == 0, await said_by(sender)
        (answer,) = sender.lines
        assert answer["acknowledged"] is True
        assert answer["answered"] == ["got it", 1]
        assert KEY not in json.dumps(sender.lines) + await said_by(sender)


@everywhere
async def test_mon_gets_each_signal_once_that_mon_sends_and_says_what_it_may_have_missed(hub: Hub) -> None:
    async with mon_at(hub, "signals", "nbt", "--count", "2") as receiver:
        await hub.until(lambda: bool(hub.of("connected")))
        await sent_by_mon(hub)
        await receiver.until(lambda lines: any(line["type"] == "signal" for line in lines))
        await hub.until(lambda: hub.of("disconnected") == ["client namespace disconnect"])
        assert [(query["type"], query["key"]) for query in hub.of("connected")] == [("client", KEY), ("server", KEY)]
        sent = {"key": KEY, "stratname": "S", "pair": "BTCUSDT", "buy_price": 100, "message": "é"}
        assert [line["arguments"] for line in hub.heard if "event" in line] == [[sent]]

        await hub.stop()
        await hub.start()
        await hub.until(lambda: bool(hub.of("connected")))
        hub.tell(emit="sell_signal", arguments=[{"stratid": "681", "pair": "BTCUSDT", "price": "101", "new": False}])
        assert await receiver.end() == 0
        words = await said_by(receiver)

    signals = [line for line in receiver.lines if line["type"] == "signal"]
    assert [(one["name"], one["action"], one["side"], one["price"]) for one in signals] == [
        ("buy_signal", "enter", "long", 100),
        ("sell_signal", "exit", "long", 101),
    ]
    statuses = [(line["state"], line.get("reason")) for line in receiver.lines if line["type"] == "status"]
    assert [state for state, _ in statuses if state in ("reconnecting", "live")][-2:] == ["reconnecting", "live"]
    assert statuses[-1] == ("live", "signals may have been missed")
    assert "signals may have been missed" in words
    assert KEY not in json.dumps(receiver.lines) + words


@everywhere
async def test_mon_ends_with_4_and_the_hubs_words_when_the_key_is_refused(hub: Hub) -> None:
    async with (
        mon_at(hub, "signals", "nbt", key="nobody-0123456789") as watching,
        mon_at(
            hub, "send", "nbt", "sell", "--pair", "A", "--strategy", "S", "--yes", key="nobody-0123456789"
        ) as sending,
    ):
        for program in (watching, sending):
            assert await program.end() == 4
            words = await said_by(program)
            assert "The key is not known" in words
            assert "nobody-0123456789" not in words
    assert hub.heard == []


def trades(*numbers: int) -> dict[str, Any]:
    """Newest first, as JayX lists them."""
    listed = [{"lots": 1, "ticks": n, "side": "BUY", "created": 1_716_136_436_000 + n} for n in numbers]
    return {"orderBook": {"asks": [], "bids": []}, "trades": listed}


@everywhere
async def test_jayx_is_asked_once_a_connection_and_each_trade_comes_once(hub: Hub) -> None:
    asked = [{"category": "spot", "symbol": "BTCUSDT", "precise": "1"}]
    variables = {"MON_JAYX_URL": f"http://127.0.0.1:{hub.port}"}
    async with mon("trades", "jayx", "BTCUSDT", "--count", "4", environment=variables, home=hub.home) as watching:
        await hub.until(lambda: bool(hub.of("event")))
        for listed in (trades(1), trades(1), trades(2, 1)):
            hub.tell(emit="orderbook", arguments=[listed])
        await watching.until(lambda lines: [line["type"] for line in lines] == ["trade"] * 2)
        assert hub.of("arguments") == [asked]
        await hub.stop()
        await hub.start()
        await hub.until(lambda: bool(hub.of("event")))
        hub.tell(emit="orderbook", arguments=[trades(4, 3, 2)])
        assert await watching.end() == 0
        await hub.until(lambda: hub.of("disconnected") == ["client namespace disconnect"])
        assert hub.of("arguments") == [asked]
    assert [line["price"] for line in watching.lines if line["type"] == "trade"] == [1, 2, 3, 4]
    statuses = [(line["state"], line.get("reason")) for line in watching.lines if line["type"] == "status"]
    assert statuses[-1] == ("live", "no trade was missed")


@everywhere
async def test_the_key_of_jayx_goes_to_the_server_and_nowhere_else(hub: Hub) -> None:
    variables = {"MON_JAYX_URL": f"ws://127.0.0.1:{hub.port}/", "MON_JAYX_API_KEY": KEY}
    kept = hub.home / f"orders-{hub.port}.jsonl"
    options = ("--raw", "--record", str(kept), "--duration", "30s", "-v")
    async with mon("orders", "jayx", "BTCUSDT", *options, environment=variables, home=hub.home) as watching:
        await hub.until(lambda: bool(hub.of("event")))
        assert hub.of("arguments") == [[{"apiKey": KEY, "category": "spot", "symbol": "BTCUSDT"}]]
        hub.tell(emit="exception", arguments=[f"{KEY} is not known"])
        hub.tell(put_out=True)
        assert await watching.end() == 4
        words = await said_by(watching)
    assert "jayx refused orders BTCUSDT: [api_key] is not known" in words
    assert KEY not in words + json.dumps(watching.lines) + kept.read_text()
