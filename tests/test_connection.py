"""The client socket against servers that refuse, hang, close, flood and lie; real sockets, our own driver."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import re
import socket
import struct
import time
import weakref
from collections.abc import AsyncIterator, Callable, Generator, Mapping
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection

from cli.run.garbage import SELDOM, collect_after_a_line
from tests.servers import RawHandler, http_answer, raw_server, websocket_server
from venues import connection, events, venue_named
from venues.connection import MOST_IN_A_TURN, Connection, SystemClock
from venues.driver import Driver
from venues.errors import MonError, SetupError, VenueRefused, VenueUnreachable
from venues.opening import MOST_IN_A_READ
from venues.records import Book, Pong, Status
from venues.redaction import Redactor
from venues.venue import (
    Close,
    Command,
    Dial,
    HttpRequest,
    HttpResponse,
    Item,
    Lost,
    Now,
    Out,
    Refused,
    Session,
    Settings,
    SocketPing,
    StreamState,
    Subscription,
)

BOOK = (
    '{"event":"BOOK","symbol":"SPOT_BTC_USDT","timestamp":1564710591905,'
    '"data":{"asks":[{"price":123,"quantity":0.1}],"bids":[{"price":%d,"quantity":0.1}]}}'
)
SECRETS = {"client_key": "a-secret-key"}


class Watched:
    """One connection to a port, and all that it delivered."""

    def __init__(
        self, port: int, *, stream: str = "book", retries: int | None = None, url: str | None = None, **options: Any
    ) -> None:
        subscription = Subscription(stream, ("SPOT_BTC_USDT",))
        self.settings = settings = Settings(url=url or f"ws://127.0.0.1:{port}", label="test")
        line = options.pop("line", None) or venue_named("nexus").routes([subscription], settings)[0]
        self.driver = Driver(line, [subscription], venue="nexus", label="test", retries=retries)
        self.items: list[Any] = []
        self.events: list[events.Event] = []
        self.fetched = 0
        self.changed = asyncio.Event()
        self.connection = Connection(
            self.driver,
            fetch_secrets=options.pop("fetch", self.fetch),
            deliver=self.deliver,
            clock=options.pop("clock", SystemClock()),
            random=lambda: 0.0,
            redactor=Redactor(),
            tap=self.events.append,
            **options,
        )

    async def fetch(self) -> Mapping[str, str]:
        self.fetched += 1
        return SECRETS

    def deliver(self, items: list[Any]) -> None:
        self.items += items
        self.changed.set()

    def states(self) -> list[str]:
        return [item.state for item in self.items if isinstance(item, Status)]

    def reasons(self) -> str:
        return " | ".join(item.reason or "" for item in self.items if isinstance(item, Status))

    async def until(self, condition: Callable[[], bool], seconds: float = 15.0) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.connection.run())
        try:
            yield
        finally:
            self.connection.leave()
            await asyncio.wait_for(task, 5)

    async def ending(self, seconds: float = 20.0) -> MonError:
        with pytest.raises(MonError) as ended:
            await asyncio.wait_for(self.connection.run(), seconds)
        return ended.value


async def hold(websocket: ServerConnection) -> None:
    await websocket.send(BOOK % 100)
    await websocket.wait_closed()


def test_a_book_comes_and_leaving_closes_in_order() -> None:
    closed: list[int | None] = []

    async def handler(websocket: ServerConnection) -> None:
        await hold(websocket)
        closed.append(websocket.close_code)

    async def scenario() -> None:
        async with websocket_server(handler) as port:
            watched = Watched(port)
            async with watched.running():
                await watched.until(lambda: any(isinstance(item, Book) for item in watched.items))
            assert watched.states() == ["syncing", "live"]
        assert closed == [1000]

    asyncio.run(scenario())


def test_a_lost_line_is_connected_again_with_a_new_credential() -> None:
    connections = []

    async def handler(websocket: ServerConnection) -> None:
        connections.append(websocket.request.path if websocket.request else "")
        await websocket.send(BOOK % len(connections))
        if len(connections) == 1:
            websocket.transport.abort()
        await websocket.wait_closed()

    async def scenario() -> None:
        async with websocket_server(handler) as port:
            watched = Watched(port)
            async with watched.running():
                await watched.until(lambda: len([i for i in watched.items if isinstance(i, Book)]) == 2)
            assert watched.states() == ["syncing", "live", "reconnecting", "syncing", "live"]
            down = [item.down_ms for item in watched.items if isinstance(item, Status) and item.down_ms is not None]
            assert len(down) == 1
            assert 500 <= down[0] < 5000
            assert watched.fetched == 2
        assert connections == ["/ws/a-secret-key/SPOT_BTC_USDT"] * 2

    asyncio.run(scenario())


def test_a_lost_connection_leaves_nothing_where_the_collector_is_calm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its session is in cycles, with the whole book, and so few objects that Python alone would not look for them."""
    before, serving = gc.get_threshold(), 0
    sessions: list[weakref.ref[Session]] = []

    def begin(*given: Any, begun: Callable[..., Session] = Driver.begin) -> Session:
        session = begun(*given)
        sessions.append(weakref.ref(session))
        return session

    monkeypatch.setattr(Driver, "begin", begin)

    async def handler(websocket: ServerConnection) -> None:
        nonlocal serving
        serving += 1
        await websocket.send(BOOK % serving)
        if serving < 3:
            websocket.transport.abort()
        await websocket.wait_closed()

    async def scenario() -> None:
        async with websocket_server(handler) as port:
            watched = Watched(port, tidy=collect_after_a_line)
            async with watched.running():
                await watched.until(lambda: len([i for i in watched.items if isinstance(i, Book)]) == 3)
                assert [one() is None for one in sessions] == [True, True, False]

    gc.collect()
    gc.set_threshold(*SELDOM)
    try:
        asyncio.run(scenario())
    finally:
        gc.set_threshold(*before)


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (http_answer("401 Unauthorized", "who are you"), VenueRefused, "client key (HTTP 401: who are you)"),
        (http_answer("403 Forbidden"), VenueRefused, "client key (HTTP 403)"),
        (http_answer("404 Not Found"), VenueRefused, "does not know the symbol SPOT_BTC_USDT"),
        (http_answer("400 Bad Request"), VenueRefused, "HTTP 400"),
        (http_answer("200 OK", "<html>"), VenueUnreachable, "expected a WebSocket"),
        (http_answer("200 OK", "<html>", version="1.0"), VenueUnreachable, "expected a WebSocket"),
        (http_answer("404 Not Found", version="1.0"), VenueRefused, "does not know the symbol SPOT_BTC_USDT"),
        (http_answer("302 Found", "", "Location: ws://other.example/"), VenueUnreachable, "redirects elsewhere"),
    ],
)
def test_an_http_status_that_is_final(answer: Any, error: type[MonError], words: str) -> None:
    async def scenario() -> None:
        async with raw_server(answer) as port:
            watched = Watched(port)
            ended = await watched.ending()
            assert type(ended) is error
            assert words in str(ended)
            assert watched.states() == ["closed"]
            assert watched.fetched == 1

    asyncio.run(scenario())


@pytest.mark.parametrize(("header", "least"), [("1", 1000), ("Sat, 21 Nov 2020 00:00:00 GMT", 500), ("soon", 500)])
def test_retry_after_is_obeyed(header: str, least: int) -> None:
    async def scenario() -> None:
        async with raw_server(http_answer("503 Busy", "busy", f"Retry-After: {header}")) as port:
            watched = Watched(port, retries=1)
            ended = await watched.ending()
            assert isinstance(ended, VenueUnreachable)
            assert "gave up after 2 tries" in str(ended)
            waits = [i.retry_in_ms for i in watched.items if isinstance(i, Status) and i.retry_in_ms is not None]
            assert waits == [least]

    asyncio.run(scenario())


def test_nobody_there() -> None:
    async def scenario() -> None:
        watched = Watched(1, retries=1)
        ended = await watched.ending()
        assert isinstance(ended, VenueUnreachable)
        assert "cannot reach 127.0.0.1:1: connection refused" in str(ended)

    asyncio.run(scenario())


def test_a_server_that_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "OPEN_TIMEOUT", 0.2)

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async def scenario() -> None:
        async with raw_server(silent) as port:
            ended = await Watched(port, retries=0).ending()
            assert "no answer within" in str(ended)

    asyncio.run(scenario())


def test_a_server_that_speaks_something_else() -> None:
    async def telnet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"220 mail.example ESMTP\r\n\r\n")
        await writer.drain()

    async def scenario() -> None:
        async with raw_server(telnet) as port:
            ended = await Watched(port, retries=0).ending()
            assert "does not speak WebSocket" in str(ended)

    asyncio.run(scenario())


def test_accepting_and_closing_at_once_is_not_hammered() -> None:
    opened = []

    async def handler(websocket: ServerConnection) -> None:
        opened.append(1)
        await websocket.close()

    async def scenario() -> None:
        async with websocket_server(handler) as port:
            watched = Watched(port, retries=3)
            ended = await watched.ending()
            assert isinstance(ended, VenueUnreachable)
            attempts = [i.attempt for i in watched.items if isinstance(i, Status) and i.attempt is not None]
            assert attempts == [1, 2, 3], "a connection that opened does not start the count again"
        assert len(opened) == 4

    asyncio.run(scenario())


def test_silence_is_found_out_by_pings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "PING_EVERY", 0.2)
    monkeypatch.setattr(connection, "PING_ANSWER_WITHIN", 0.2)
    monkeypatch.setattr(connection, "CLOSE_TIMEOUT", 0.1)

    async def handler(websocket: ServerConnection) -> None:
        await websocket.send(BOOK % 100)
        websocket.transport.pause_reading()
        await found_out.wait()

    found_out = asyncio.Event()

    async def scenario() -> None:
        async with websocket_server(handler) as port:
            ended = await Watched(port, retries=0).ending()
            found_out.set()
            assert "no answer to a ping" in str(ended)

    asyncio.run(scenario())


@pytest.mark.parametrize("compressed", [True, False])
def test_a_message_that_is_too_large_costs_the_connection(compressed: bool) -> None:
    async def handler(websocket: ServerConnection) -> None:
        with contextlib.suppress(Exception):
            await websocket.send(" " * (17 * 2**20) if compressed else bytes(17 * 2**20))

    async def scenario() -> None:
        async with websocket_server(handler) as port:
            watched = Watched(port, retries=0)
            ended = await watched.ending()
            assert "a message of more than 16 MiB came" in str(ended)

    asyncio.run(scenario())


def test_plain_text_leaves_this_machine_for_nobody() -> None:
    async def scenario() -> None:
        ended = await Watched(0, url="ws://venue.example", retries=0).ending()
        assert isinstance(ended, SetupError)
        assert "wss://" in str(ended)
        assert "a-secret-key" not in str(ended)

    asyncio.run(scenario())


def test_a_credential_that_cannot_be_had() -> None:
    """At first it is final; later it is one more failed try."""
    calls = []

    async def fetch() -> Mapping[str, str]:
        calls.append(1)
        if len(calls) == 2:
            raise SetupError("the command gave nothing")
        return SECRETS

    async def failing() -> Mapping[str, str]:
        raise SetupError("the command gave nothing")

    async def handler(websocket: ServerConnection) -> None:
        await websocket.send(BOOK % len(calls))
        if len(calls) == 1:
            websocket.transport.abort()
        await websocket.wait_closed()

    async def scenario() -> None:
        assert str(await Watched(1, fetch=failing).ending()) == "the command gave nothing"
        async with websocket_server(handler) as port:
            watched = Watched(port, fetch=fetch)
            async with watched.running():
                await watched.until(lambda: len([i for i in watched.items if isinstance(i, Book)]) == 2)
            assert "the command gave nothing" in watched.reasons()

    asyncio.run(scenario())


class Sleeper(SystemClock):
    """A clock of a machine that can have been asleep."""

    asleep = 0

    def now(self) -> Now:
        now = super().now()
        return Now(now.mono + self.asleep, now.epoch_ms + self.asleep * 1000)


@pytest.mark.parametrize("asleep", [False, True], ids=["stopped", "asleep"])
def test_what_came_while_nobody_was_there_is_never_shown(asleep: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "LONGEST_ABSENCE", 0.5)
    monkeypatch.setattr(connection, "ALIVE_EVERY", 0.05)
    clock, shown = Sleeper(), asyncio.Event()
    connections = []

    async def handler(websocket: ServerConnection) -> None:
        connections.append(websocket)
        await websocket.send(BOOK % (100 + 10 * len(connections)))
        if len(connections) == 1:
            await shown.wait()
            await websocket.send(BOOK % 111)  # in the kernel by now, and read by nobody
            if asleep:
                clock.asleep = 60
            else:
                time.sleep(1.0)  # noqa: ASYNC251  the whole process stands still
        await websocket.wait_closed()

    async def scenario() -> None:
        async with websocket_server(handler) as port:
            watched = Watched(port, clock=clock)
            async with watched.running():
                await watched.until(lambda: any(isinstance(item, Book) for item in watched.items))
                shown.set()
                await watched.until(lambda: watched.states().count("live") == 2)
        best = [item.bids[0].price for item in watched.items if isinstance(item, Book)]
        assert best == [110, 120]
        assert f"mon was stopped for {60 if asleep else 1} s" in watched.reasons()

    asyncio.run(scenario())


def test_nothing_is_left_of_a_goodbye_that_is_cut_short() -> None:
    async def scenario() -> None:
        said = asyncio.Event()

        async def handler(websocket: ServerConnection) -> None:
            async for _ in websocket:
                said.set()  # and never an answer

        async with websocket_server(handler) as port:
            session = PingSession("")

            def opening() -> Generator[HttpRequest, HttpResponse, Dial]:
                yield from ()
                return Dial(f"ws://127.0.0.1:{port}", "shown")

            session.opening = opening  # type: ignore[method-assign]
            before = asyncio.all_tasks()
            watched = Watched(port, stream="ping", line=OneSession(session))
            run = asyncio.create_task(watched.connection.run())
            await watched.until(lambda: "live" in watched.states())
            watched.connection.leave()
            async with asyncio.timeout(15):
                await said.wait()
            run.cancel()
            await asyncio.gather(run, return_exceptions=True)
            left = [str(task.get_coro()) for task in asyncio.all_tasks() - before if "Event.wait" in str(task)]
            assert left == []

    asyncio.run(scenario())


@pytest.mark.parametrize("moment", ["dialling", "waiting", "fetching"])
def test_leaving_at_any_moment_is_quick(moment: str) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async def forever() -> Mapping[str, str]:
        await asyncio.sleep(60)
        return SECRETS

    async def scenario() -> None:
        answer = silent if moment == "dialling" else http_answer("503 Busy", "", "Retry-After: 60")
        async with raw_server(answer) as port:
            watched = Watched(port, **({"fetch": forever} if moment == "fetching" else {}))
            async with watched.running():
                if moment == "waiting":
                    await watched.until(lambda: "reconnecting" in watched.states())
                else:
                    await asyncio.sleep(0.05)
                before = asyncio.get_running_loop().time()
            assert asyncio.get_running_loop().time() - before < 1

    asyncio.run(scenario())


def test_timers_and_whoever_wants_to_end_get_their_turn_in_a_flood() -> None:
    turns, in_one_turn, begun = 0, [], asyncio.Event()

    async def handler(websocket: ServerConnection) -> None:
        await websocket.send(BOOK % 100)
        await begun.wait()  # what comes with the handshake is read in another way
        websocket.transport.write(b"\x81\x02[]" * 20_000)
        await websocket.wait_closed()

    async def scenario() -> None:
        def turn() -> None:
            nonlocal turns
            turns += 1
            asyncio.get_running_loop().call_soon(turn)

        def deliver(items: list[Any]) -> None:
            if not in_one_turn or in_one_turn[-1][0] != turns:
                in_one_turn.append((turns, 0))
            in_one_turn[-1] = (turns, in_one_turn[-1][1] + len(items))
            begun.set()
            watched.changed.set()

        async with websocket_server(handler) as port:
            watched = Watched(port)
            watched.connection._deliver = deliver
            turn()
            async with watched.running():
                await watched.until(lambda: sum(count for _, count in in_one_turn) >= 20_000)

    asyncio.run(scenario())
    assert max(count for _, count in in_one_turn) <= MOST_IN_A_READ + MOST_IN_A_TURN
    assert len(in_one_turn) < 1_000, "a turn of the loop for each message would be dear"


def test_a_slow_consumer_never_sees_old_frames_as_live() -> None:
    """Delivery takes no time: the queue behind it is another's; here only that nothing is lost or late."""
    count = 2000

    async def handler(websocket: ServerConnection) -> None:
        for number in range(count):
            await websocket.send(BOOK % (number % 100 + 1))
        await websocket.wait_closed()

    async def scenario() -> None:
        async with websocket_server(handler) as port:
            watched = Watched(port)
            async with watched.running():
                await watched.until(lambda: len([i for i in watched.items if isinstance(i, Book)]) == count)

    asyncio.run(scenario())


class PingSession:
    """Asks for an HTTP request first, then for WebSocket pings, and closes by itself."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.out: list[Out] = []
        self.answer: HttpResponse | None = None
        self.pings = 0
        self.next_ping: float | None = None
        self.left = False

    def opening(self) -> Generator[HttpRequest, HttpResponse, Dial]:
        http = self.url.replace("ws://", "http://")
        self.answer = yield HttpRequest("POST", f"{http}/negotiate", f"{http}/negotiate", {"X-Test": "1"})
        return Dial(f"{self.url}/?id={self.answer.body.decode()}", f"{self.url}/?id=[id]")

    def opened(self, now: Now) -> list[Item]:
        self.next_ping = now.mono
        return [StreamState("ping", "live")]

    def receive(self, frame: bytes, now: Now) -> list[Item]:
        self.left = self.left or frame == b"bye"
        return []

    def pong(self, now: Now) -> list[Item]:
        self.next_ping = now.mono + 0.01
        return [Pong(venue="nexus", received=now.epoch_ms, round_trip_ms=1.0)]

    def deadline(self) -> float | None:
        return self.next_ping

    def tick(self, now: Now) -> list[Item]:
        self.next_ping = None
        self.pings += 1
        self.out.append(SocketPing())
        return []

    def send(self, command: Command) -> None:
        raise AssertionError

    def leave(self, now: Now) -> None:
        self.out.append("leaving")

    def done(self) -> bool:
        return self.left

    def closed(self, code: int | None, reason: str, now: Now) -> list[Item]:
        return []

    def take(self) -> list[Out]:
        out, self.out = self.out, []
        return out


class OneSession:
    def __init__(self, session: PingSession) -> None:
        self.one = session

    def session(self, secrets: Mapping[str, str]) -> PingSession:
        return self.one

    def refused(self, status: int, body: str) -> Refused | Lost:
        return Lost("no")


def test_http_before_dialling_pings_and_an_orderly_goodbye() -> None:
    heard: list[Any] = []

    async def handler(websocket: ServerConnection) -> None:
        async for message in websocket:
            heard.append(message)
            await websocket.send("bye")

    async def negotiate(conn: ServerConnection, request: Any) -> Any:
        heard.append(request.path)
        return None

    async def scenario() -> None:
        from websockets.asyncio.server import serve

        async with (
            raw_server(http_answer("200 OK", "token-1")) as http_port,
            serve(handler, "127.0.0.1", 0, process_request=negotiate) as server,
        ):
            port = server.sockets[0].getsockname()[1]
            session = PingSession(f"ws://127.0.0.1:{http_port}")
            original = session.opening

            def opening() -> Generator[HttpRequest, HttpResponse, Dial]:
                dial = yield from original()
                return Dial(dial.url.replace(str(http_port), str(port)), dial.shown)

            session.opening = opening  # type: ignore[method-assign]
            watched = Watched(port, stream="ping", line=OneSession(session))
            async with watched.running():
                await watched.until(lambda: len([i for i in watched.items if isinstance(i, Pong)]) >= 3)
            assert session.left, "what the session says on leaving is sent, and its answer awaited"
        assert heard == ["/?id=token-1", "leaving"]
        kinds = [type(event).__name__ for event in watched.events]
        assert kinds[:3] == ["Dialled", "Requested", "Opened"]
        assert "Left" in kinds

    asyncio.run(scenario())


def test_a_session_that_wants_to_close() -> None:
    async def handler(websocket: ServerConnection) -> None:
        await websocket.wait_closed()

    class Closing(PingSession):
        def opening(self) -> Generator[HttpRequest, HttpResponse, Dial]:
            return Dial(self.url, self.url)
            yield

        def opened(self, now: Now) -> list[Item]:
            self.out.append(Close(4000, "enough"))
            return []

        def closed(self, code: int | None, reason: str, now: Now) -> list[Item]:
            return [Refused(f"closed with {code}")]

    async def scenario() -> None:
        async with websocket_server(handler) as port:
            session = Closing(f"ws://127.0.0.1:{port}")
            ended = await Watched(port, stream="ping", line=OneSession(session)).ending()
            assert str(ended) == "closed with 4000"

    asyncio.run(scenario())


@pytest.mark.parametrize("moment", ["opened", "tick", "pong"])
def test_a_session_that_gives_a_silent_line_up_is_connected_again(moment: str) -> None:
    """The server answers WebSocket pings, and sends nothing that would wake the reader."""

    async def handler(websocket: ServerConnection) -> None:
        await websocket.wait_closed()

    class GivingUp(PingSession):
        def opening(self) -> Generator[HttpRequest, HttpResponse, Dial]:
            return Dial(self.url, self.url)
            yield

        def opened(self, now: Now) -> list[Item]:
            self.next_ping = now.mono + 0.05  # by then the reader waits
            return self.given_up("opened")

        def tick(self, now: Now) -> list[Item]:
            super().tick(now)
            return self.given_up("tick")

        def pong(self, now: Now) -> list[Item]:
            return self.given_up("pong")

        def given_up(self, when: str) -> list[Item]:
            return [Lost("the server says nothing")] if when == moment else []

    async def scenario() -> None:
        async with websocket_server(handler) as port:
            session = GivingUp(f"ws://127.0.0.1:{port}")
            ended = await Watched(port, stream="ping", line=OneSession(session), retries=1).ending(8)
        assert str(ended) == "the server says nothing; gave up after 2 tries in a row"

    asyncio.run(scenario())


# --- in words, without the names of Python classes ------------------------------------------------------------------


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def says(answer: bytes) -> RawHandler:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()

    return handle


async def greets_in_plain_text(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    writer.write(b"220 mail.example ready\r\n")
    await writer.drain()


UNANSWERED: dict[str, tuple[RawHandler, str, str]] = {
    "hangs up": (hang_up, "http", "closed the connection without an answer"),
    "resets": (reset, "http", "Connection reset by peer"),
    "no HTTP": (says(b"220 mail.example ready\r\n\r\n"), "http", "gave no whole answer in HTTP"),
    "half a body": (
        says(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"),
        "http",
        "gave no whole answer in HTTP",
    ),
    "no TLS": (greets_in_plain_text, "https", "cannot reach 127.0.0.1:PORT: no TLS"),
}
CLASS_NAME = re.compile(r"\w(?:Error|Exception|Refused)\b|aiohttp|websockets\.")


class Asking(PingSession):
    """Asks for one HTTP request before it dials."""

    def opening(self) -> Generator[HttpRequest, HttpResponse, Dial]:
        yield HttpRequest("POST", f"{self.url}/negotiate", f"{self.url}/negotiate")
        raise AssertionError("there is no answer")


@pytest.mark.parametrize(("handler", "scheme", "words"), UNANSWERED.values(), ids=UNANSWERED)
def test_why_there_is_no_answer_is_said_in_words(handler: RawHandler, scheme: str, words: str) -> None:
    async def scenario() -> None:
        async with raw_server(handler) as port:
            line = OneSession(Asking(f"{scheme}://127.0.0.1:{port}"))
            ended = str(await Watched(port, stream="ping", line=line, retries=0).ending())
            assert words.replace("PORT", str(port)) in ended
            assert f"127.0.0.1:{port}" in ended
            assert not CLASS_NAME.search(ended)

    asyncio.run(scenario())


@pytest.mark.parametrize(("handler", "scheme"), [each[:2] for each in UNANSWERED.values()], ids=UNANSWERED)
def test_why_there_is_no_websocket_is_said_in_words(handler: RawHandler, scheme: str) -> None:
    scheme = scheme.replace("http", "ws")

    async def scenario() -> None:
        async with raw_server(handler) as port:
            ended = await Watched(port, url=f"{scheme}://127.0.0.1:{port}", retries=0).ending()
            assert f"127.0.0.1:{port}" in str(ended)
            assert not CLASS_NAME.search(str(ended))

    asyncio.run(scenario())


@pytest.mark.parametrize("scheme", ["https", "wss"])
def test_a_host_that_is_not_known(scheme: str) -> None:
    async def scenario() -> None:
        url = f"{scheme}://nowhere.invalid"
        line = OneSession(Asking(url)) if scheme == "https" else None
        ended = await Watched(0, stream="ping" if line else "book", url=url, line=line, retries=0).ending()
        assert "the host of nowhere.invalid is not known" in str(ended)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("proxy", "words"),
    [
        ("ftp://proxy.example", "the proxy cannot be used: scheme ftp isn't supported"),
        ("http://user:pass-word@127.0.0.1:1", "connection refused"),
    ],
)
def test_a_proxy_that_cannot_be_used(proxy: str, words: str) -> None:
    async def scenario() -> None:
        ended = str(await Watched(0, url="wss://venue.example", proxy=proxy, retries=0).ending())
        assert words in ended
        assert "pass-word" not in ended
        assert not CLASS_NAME.search(ended)

    asyncio.run(scenario())


def test_every_request_says_who_asks() -> None:
    heads: list[str] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        body = b"token-1"
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()

    async def scenario() -> None:
        async with raw_server(handle) as port:
            line = OneSession(PingSession(f"ws://127.0.0.1:{port}"))
            await Watched(port, stream="ping", line=line, retries=0, user_agent="mon/1.2.3").ending()

    asyncio.run(scenario())
    assert [head.split(" ")[0] for head in heads] == ["POST", "GET"]
    for head in heads:
        assert [line for line in head.split("\r\n") if line.lower().startswith("user-agent")] == [
            "User-Agent: mon/1.2.3"
        ]
