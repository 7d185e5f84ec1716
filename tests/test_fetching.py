"""HTTP requests beside the WebSocket: the pace of a venue, what becomes of each request, and what is recorded of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.servers import http_answer, raw_server
from venues import events, fetching
from venues.connection import Connection, SystemClock
from venues.driver import Driver
from venues.errors import RecordingError
from venues.fetching import ANSWERED_WITHIN, MOST_AT_ONCE, Fetcher, shared_fetcher
from venues.recording import VERSION, Recorder, Recording, header_for, play
from venues.records import Message, Record
from venues.redaction import Redactor
from venues.session import BaseRoute, BaseSession
from venues.venue import (
    Dial,
    Fetch,
    HttpRequest,
    HttpResponse,
    Item,
    NoResponse,
    Now,
    Settings,
    StreamState,
    Subscription,
)

START = 1_700_000_000_000


class Clock:
    """A clock that tests move; `sleep` waits for that."""

    def __init__(self) -> None:
        self.mono = 100.0
        self._sleepers: list[tuple[float, asyncio.Event]] = []

    def now(self) -> Now:
        return Now(self.mono, START + round(self.mono * 1000))

    async def sleep(self, seconds: float) -> None:
        woken = asyncio.Event()
        self._sleepers.append((self.mono + seconds, woken))
        await woken.wait()

    async def forward(self, seconds: float) -> None:
        """Moves on, from one sleeper to the next."""
        end = self.mono + seconds
        while True:
            await settled()
            due = min((at for at, woken in self._sleepers if not woken.is_set()), default=math.inf)
            if due > end + 1e-9:
                break
            self.mono = max(self.mono, due)
            for at, woken in self._sleepers:
                if at <= self.mono:
                    woken.set()
            self._sleepers = [one for one in self._sleepers if not one[1].is_set()]
        self.mono = end
        await settled()


async def settled() -> None:
    """Until nothing happens any more without the clock."""
    for _ in range(20):
        await asyncio.sleep(0)


class Maker:
    """Stands for the venue: notes when each request begins, and answers when it is told to."""

    def __init__(self, clock: Clock, answer: HttpResponse | None = None) -> None:
        self.clock = clock
        self.answer = answer
        self.begun: list[tuple[str, float]] = []
        self.under_way = 0
        self.most = 0
        self.hold: asyncio.Event | None = None

    async def __call__(self, request: HttpRequest, proxy: str | None) -> HttpResponse:
        self.begun.append((request.url.rpartition("/")[2], round(self.clock.mono - 100, 3)))
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            if self.hold is not None:
                await self.hold.wait()
        finally:
            self.under_way -= 1
        return self.answer or HttpResponse(200, b"{}")


def get(name: str | int, base: str = "https://venue.example") -> HttpRequest:
    return HttpRequest("GET", f"{base}/{name}", f"{base}/{name}")


def run(test: Callable[[Clock], Any]) -> None:
    asyncio.run(asyncio.wait_for(test(Clock()), 20))


# --- the pace ------------------------------------------------------------------------------------------------------


def test_requests_are_evenly_spaced_and_in_order() -> None:
    async def test(clock: Clock) -> None:
        maker = Maker(clock)
        fetcher = Fetcher(now=clock.now, sleep=clock.sleep, per_second=4, make=maker)
        tasks = [asyncio.create_task(fetcher.fetch(get(number))) for number in range(6)]
        await clock.forward(0.5)
        assert maker.begun == [("0", 0), ("1", 0.25), ("2", 0.5)]
        await clock.forward(5)
        assert maker.begun[3:] == [("3", 0.75), ("4", 1.0), ("5", 1.25)]
        assert all(isinstance(task.result(), HttpResponse) for task in tasks)

    run(test)


@pytest.mark.parametrize(("asked_after", "begins"), [(1.0, 1.7), (5.0, 5.0), (0.8, 1.5)])
def test_a_request_that_went_out_late_does_not_come_closer_to_the_next_one(asked_after: float, begins: float) -> None:
    """It may have waited for a connection all the time until it was answered."""

    async def test(clock: Clock) -> None:
        maker = Maker(clock)
        maker.hold = asyncio.Event()
        fetcher = Fetcher(now=clock.now, sleep=clock.sleep, make=maker)
        first = asyncio.create_task(fetcher.fetch(get("a")))
        await clock.forward(0.7)
        maker.hold.set()
        await clock.forward(asked_after - 0.7)
        again, other = asyncio.create_task(fetcher.fetch(get("a"))), asyncio.create_task(fetcher.fetch(get("b")))
        await clock.forward(10)
        assert sorted(maker.begun) == [("a", 0), ("a", begins), ("b", asked_after if begins > asked_after else 5.2)]
        await asyncio.gather(first, again, other)

    run(test)


def test_at_most_four_are_under_way() -> None:
    async def test(clock: Clock) -> None:
        maker = Maker(clock)
        maker.hold = asyncio.Event()
        fetcher = Fetcher(now=clock.now, sleep=clock.sleep, per_second=1000, make=maker)
        tasks = [asyncio.create_task(fetcher.fetch(get(number))) for number in range(9)]
        await clock.forward(10)
        assert (maker.under_way, len(maker.begun)) == (MOST_AT_ONCE, 4)
        tasks[0].cancel()  # one that nobody wants any more makes room
        await clock.forward(1)
        assert (maker.under_way, len(maker.begun)) == (4, 5)
        maker.hold.set()
        await clock.forward(10)
        assert (len(maker.begun), maker.most) == (9, 4)
        await asyncio.gather(*tasks, return_exceptions=True)

    run(test)


@pytest.mark.parametrize(
    ("answer", "pause"),
    [
        (HttpResponse(429, b"", 3.0), 3.0),
        (HttpResponse(503, b"", 2.0), 2.0),
        (HttpResponse(418, b"", 2.0), 2.0),
        (HttpResponse(429, b""), 1.0),
        (HttpResponse(503, b""), 1.0),
        (HttpResponse(500, b""), 0.1),
        (HttpResponse(200, b"", 5.0), 0.1),
    ],
)
def test_a_busy_venue_holds_all_requests_back(answer: HttpResponse, pause: float) -> None:
    async def test(clock: Clock) -> None:
        maker = Maker(clock, answer)
        fetcher = Fetcher(now=clock.now, sleep=clock.sleep, per_second=10, make=maker)
        assert await fetcher.fetch(get("first")) == answer
        maker.answer = None
        tasks = [asyncio.create_task(fetcher.fetch(get(name))) for name in "ab"]
        await clock.forward(30)
        assert maker.begun == [("first", 0), ("a", pause), ("b", round(pause + 0.1, 3))]
        await asyncio.gather(*tasks)

    run(test)


def test_without_a_retry_after_the_pauses_grow_until_one_succeeds() -> None:
    async def test(clock: Clock) -> None:
        maker = Maker(clock, HttpResponse(429, b""))
        fetcher = Fetcher(now=clock.now, sleep=clock.sleep, per_second=10, make=maker)
        for _ in range(3):
            task = asyncio.create_task(fetcher.fetch(get("a")))
            await clock.forward(5)
            await task
        maker.answer = None
        for _ in range(2):
            task = asyncio.create_task(fetcher.fetch(get("a")))
            await clock.forward(5)
            await task
        assert [at for _, at in maker.begun] == [0, 5, 10, 15, 20]
        maker.answer = HttpResponse(429, b"")
        await fetcher.fetch(get("a"))
        task = asyncio.create_task(fetcher.fetch(get("a")))
        await clock.forward(0.9)
        assert len(maker.begun) == 6
        await clock.forward(0.1)
        assert len(maker.begun) == 7
        await task
        task = asyncio.create_task(fetcher.fetch(get("a")))
        await clock.forward(1.9)
        assert len(maker.begun) == 7, "the second pause in a row is 2 s"
        await clock.forward(0.1)
        await task

    run(test)


def test_a_long_pause_is_not_waited_for() -> None:
    async def test(clock: Clock) -> None:
        maker = Maker(clock, HttpResponse(429, b"", 600.0))
        fetcher = Fetcher(now=clock.now, sleep=clock.sleep, make=maker)
        waiting = [asyncio.create_task(fetcher.fetch(get(name))) for name in "abc"]
        await clock.forward(0.3)
        assert [task.done() for task in waiting] == [True, True, False], "failures are paced too"
        await clock.forward(0.7)
        assert [type(task.result()) for task in waiting] == [HttpResponse, NoResponse, NoResponse]
        assert await fetcher.fetch(get("d")) == NoResponse(
            "venue.example takes no requests for another 599 s (HTTP 429)"
        )
        assert len(maker.begun) == 1
        await clock.forward(595)
        task = asyncio.create_task(fetcher.fetch(get("e")))
        await clock.forward(10)
        assert [name for name, _ in maker.begun] == ["a", "e"]
        await task

    run(test)


def test_a_proxy_is_for_other_machines() -> None:
    proxies = []

    async def make(request: HttpRequest, proxy: str | None) -> HttpResponse:
        proxies.append(proxy)
        return HttpResponse(200, b"")

    async def test(clock: Clock) -> None:
        fetcher = Fetcher(now=clock.now, sleep=clock.sleep, per_second=1e9, make=make)
        for base in ("https://venue.example", "http://127.0.0.1:1", "http://localhost"):
            clock.mono += 1
            await fetcher.fetch(get("a", base), "http://proxy.example")

    run(test)
    assert proxies == ["http://proxy.example", None, None]


def test_a_proxy_that_refuses_is_told_in_words() -> None:
    async def test() -> None:
        clock = SystemClock()
        refusal = http_answer("403 Forbidden")
        async with raw_server(refusal) as port, Fetcher(now=clock.now, sleep=clock.sleep).used() as fetcher:
            answer = await fetcher.fetch(get("a"), f"http://127.0.0.1:{port}")
        assert answer == NoResponse("the proxy refused (HTTP 403)")

    asyncio.run(asyncio.wait_for(test(), 20))


def test_a_flood_of_requests_is_refused() -> None:
    async def test(clock: Clock) -> None:
        maker = Maker(clock)
        maker.hold = asyncio.Event()
        fetcher = Fetcher(now=clock.now, sleep=clock.sleep, make=maker)
        tasks = [asyncio.create_task(fetcher.fetch(get(number))) for number in range(fetching.MOST_WAITING)]
        await settled()
        one_more = asyncio.create_task(fetcher.fetch(get("x")))
        await settled()
        assert not one_more.done(), "whoever asks again and again is slowed down"
        await clock.forward(0.2)
        assert await one_more == NoResponse("1,000 requests to venue.example are waiting already")
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        task = asyncio.create_task(fetcher.fetch(get("x")))
        await clock.forward(1)
        maker.hold.set()
        assert await task == HttpResponse(200, b"{}")

    run(test)


def test_all_of_a_venue_share_one_fetcher() -> None:
    async def test(clock: Clock) -> None:
        one = shared_fetcher("a", 5.0, now=clock.now, sleep=clock.sleep)
        assert shared_fetcher("a", 5.0, now=clock.now, sleep=clock.sleep) is one
        assert shared_fetcher("b", 5.0, now=clock.now, sleep=clock.sleep) is not one

    run(test)
    with pytest.raises(ValueError, match="more than 0 requests"):
        Fetcher(now=Clock().now, sleep=Clock().sleep, per_second=0)


@pytest.mark.parametrize(
    "url",
    [
        "http://venue.example/a",
        "ws://127.0.0.1/a",
        "wss://venue.example",
        "/v3/book",
        "http://[::1].example/",
        "http://[",
    ],
)
def test_only_encrypted_addresses_and_this_machine(url: str) -> None:
    async def test(clock: Clock) -> None:
        maker = Maker(clock)
        answer = await Fetcher(now=clock.now, sleep=clock.sleep, make=maker).fetch(HttpRequest("GET", url, url))
        assert answer == NoResponse(f"expected an https:// address (http:// only on this machine), got {url}")
        assert not maker.begun

    run(test)


def test_what_nobody_expected_is_told_in_words() -> None:
    async def make(request: HttpRequest, proxy: str | None) -> HttpResponse:
        raise RuntimeError("boom")

    async def test(clock: Clock) -> None:
        answer = await Fetcher(now=clock.now, sleep=clock.sleep, make=make).fetch(get("a"))
        assert isinstance(answer, NoResponse)
        assert "a fault of mon itself (RuntimeError: boom" in answer.reason

    run(test)


# --- against servers -----------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def served(routes: dict[str, Any]) -> AsyncIterator[str]:
    """An HTTP server; gives its address."""
    app = web.Application()
    for path, handler in routes.items():
        app.router.add_route("*", path, handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def fetched(routes: dict[str, Any], path: str, **options: Any) -> HttpResponse | NoResponse:
    """What becomes of a GET at a server."""

    async def test() -> HttpResponse | NoResponse:
        clock = SystemClock()
        async with served(routes) as base, Fetcher(now=clock.now, sleep=clock.sleep, **options).used() as fetcher:
            return await fetcher.fetch(get(path, base))

    return asyncio.run(asyncio.wait_for(test(), 20))


def test_an_answer_has_its_status_its_body_and_the_server_s_time() -> None:
    async def handle(request: web.Request) -> web.Response:
        headers = {"Date": "Tue, 14 Nov 2023 22:13:20 GMT", "Retry-After": "7"}
        return web.Response(status=404, body=b"\xff\x00", headers=headers)

    assert fetched({"/a": handle}, "a") == HttpResponse(404, b"\xff\x00", 7.0, date_ms=1_700_000_000_000)


def test_redirects_are_not_followed() -> None:
    seen = []

    async def redirect(request: web.Request) -> web.Response:
        raise web.HTTPFound("/b")

    async def other(request: web.Request) -> web.Response:
        seen.append(request.path)
        return web.Response()

    answer = fetched({"/a": redirect, "/b": other}, "a")
    assert isinstance(answer, HttpResponse)
    assert (answer.status, seen) == (302, [])


@pytest.mark.parametrize("part", ["head", "body"])
def test_a_slow_answer_has_a_deadline(part: str) -> None:
    async def slow(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        if part == "body":
            await response.prepare(request)
        while True:
            if part == "body":
                await response.write(b"x")
            await asyncio.sleep(0.02)

    answer = fetched({"/a": slow}, "a", within=0.2)
    assert isinstance(answer, NoResponse)
    assert answer.reason.startswith("no whole answer of 127.0.0.1:")
    assert answer.reason.endswith(" within 0.2 s")
    assert ANSWERED_WITHIN == 10.0


@pytest.mark.parametrize("size", [16 * 2**20, 16 * 2**20 + 1])
def test_a_huge_answer_is_never_cut(size: int) -> None:
    async def huge(request: web.Request) -> web.Response:
        response = web.Response(body=b"[" * size)
        response.enable_compression()
        return response

    answer = fetched({"/a": huge}, "a")
    if size > 16 * 2**20:
        assert isinstance(answer, NoResponse)
        assert answer.reason.startswith("the answer of 127.0.0.1:")
        assert answer.reason.endswith(" is larger than 16 MiB")
    else:
        assert isinstance(answer, HttpResponse)
        assert len(answer.body) == size


async def closes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")


async def breaks_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")


async def no_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"hello there\r\n\r\n")


@pytest.mark.parametrize(
    ("handler", "words"),
    [(closes, "closed the connection"), (breaks_off, "no whole answer in HTTP"), (no_http, "no whole answer in HTTP")],
)
def test_a_broken_server_is_told_in_words(handler: Any, words: str) -> None:
    async def test() -> None:
        clock = SystemClock()
        async with raw_server(handler) as port, Fetcher(now=clock.now, sleep=clock.sleep).used() as fetcher:
            answer = await fetcher.fetch(get("a", f"http://127.0.0.1:{port}"))
        assert isinstance(answer, NoResponse)
        assert words in answer.reason
        async with Fetcher(now=clock.now, sleep=clock.sleep).used() as fetcher:
            answer = await fetcher.fetch(get("a", f"http://127.0.0.1:{port}"))
        assert isinstance(answer, NoResponse)
        assert answer.reason == f"cannot reach 127.0.0.1:{port}: connection refused"

    asyncio.run(asyncio.wait_for(test(), 20))


def test_connections_are_kept_and_the_body_is_sent() -> None:
    ports, bodies = set(), []

    async def handle(request: web.Request) -> web.Response:
        assert request.transport is not None
        ports.add(request.transport.get_extra_info("peername")[1])
        bodies.append((request.method, await request.read(), request.headers["X-Own"], request.headers["User-Agent"]))
        return web.Response()

    async def test() -> None:
        clock = SystemClock()
        fetcher = Fetcher(now=clock.now, sleep=clock.sleep, per_second=1000, user_agent="mon/9")
        async with served({"/a": handle}) as base:
            async with fetcher.used(), fetcher.used():
                for _ in range(3):
                    url = f"{base}/a"
                    answer = await fetcher.fetch(HttpRequest("POST", url, url, {"X-Own": "1"}, b'{"a":1}'))
                    assert isinstance(answer, HttpResponse), answer
            assert len(ports) == 1
            async with fetcher.used():  # after the last user had gone
                await fetcher.fetch(HttpRequest("POST", f"{base}/a", f"{base}/a", {"X-Own": "1"}, b'{"a":1}'))
        assert bodies == [("POST", b'{"a":1}', "1", "mon/9")] * 4

    asyncio.run(asyncio.wait_for(test(), 20))


# --- a session that asks -------------------------------------------------------------------------------------------

FEED = Subscription("feed")


class Asking(BaseSession):
    """Asks with each frame `ask <id> <path>`, and gives a message of each answer."""

    venue = "asking"

    def __init__(self, settings: Settings, secret: str) -> None:
        super().__init__()
        self._settings = settings
        self._secret = secret

    def dial(self) -> Dial:
        return Dial(self._settings.url, self._settings.url)

    def opened(self, now: Now) -> list[Item]:
        self._out += ["hello"]
        return [StreamState("feed", "live")]

    def leave(self, now: Now) -> None:
        url = f"{self._settings.rest_url}/bye"
        self._out.append(Fetch("bye", HttpRequest("GET", url, url)))

    def receive(self, frame: bytes, now: Now) -> list[Item]:
        words = frame.decode().split()
        if words[0] == "ask":
            base, path = self._settings.rest_url, words[2]
            url = f"{base}/{path}?key={self._secret}" if path == "private" else f"{base}/{path}"
            shown = url.replace(self._secret, "[key]")
            self._out.append(Fetch(words[1], HttpRequest("GET", url, shown)))
            return []
        return [self._said("frame", frame.decode(), now)]

    def fetched(self, request: str, answer: HttpResponse | NoResponse, now: Now) -> list[Item]:
        if isinstance(answer, NoResponse):
            return [self._said("none", f"{request}: {answer.reason}", now)]
        said = f"{request}: {answer.status} {answer.body[:40]!r} {answer.retry_after} {answer.date_ms}"
        return [self._said("answer", said, now)]

    def _said(self, topic: str, text: str, now: Now) -> Message:
        return Message(venue="asking", topic=topic, data=text, received=now.epoch_ms)


class AskingRoute(BaseRoute):
    def session(self, secrets: Any) -> Asking:
        return Asking(self.settings, secrets["key"])


class Market:
    """A WebSocket at `/ws`, which sends `frames`, and HTTP beside it."""

    def __init__(self) -> None:
        self.frames: list[list[str]] = []  # by connection; `close` closes it
        self.sockets = 0
        self.requests: list[str] = []
        self.waits = asyncio.Event()
        self.again = asyncio.Event()  # a second connection is there
        self.hung = asyncio.Event()  # the request that hangs is over

    @contextlib.asynccontextmanager
    async def served(self) -> AsyncIterator[str]:
        routes = {"/ws": self.socket, "/hang": self.hang, "/private": self.private, "/{path}": self.answer}
        async with served(routes) as base:
            yield base

    async def socket(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        frames = self.frames[min(self.sockets, len(self.frames) - 1)]
        self.sockets += 1
        await socket.receive()
        if self.sockets == 2:
            self.again.set()
        for frame in frames:
            if frame == "close":
                await self.waits.wait()
                assert request.transport is not None
                request.transport.abort()
                return socket
            await socket.send_str(frame)
        async for _ in socket:
            pass
        return socket

    async def hang(self, request: web.Request) -> web.Response:
        self.requests.append("hang")
        self.waits.set()
        try:
            await self.again.wait()
            return web.Response(text="late")
        finally:
            self.hung.set()

    async def private(self, request: web.Request) -> web.Response:
        self.requests.append("private")
        text = '{"listenKey": "a-key-of-the-venue\'s", "echo": "%s", "price": 1.10, "size": 0.12345678901234567890}'
        return web.Response(text=text % request.query["key"], content_type="application/json")

    async def answer(self, request: web.Request) -> web.Response:
        path = request.match_info["path"]
        self.requests.append(path)
        if path == "after":
            await self.hung.wait()
        headers = {"Date": "Tue, 14 Nov 2023 22:13:20 GMT"}
        if path == "binary":
            return web.Response(body=b"\xff\xfe the-secret-of-mine", headers=headers)
        if path == "busy":
            return web.Response(status=429, text="busy", headers={**headers, "Retry-After": "0"})
        return web.json_response({"path": path, "tokenName": "public-token", "own": "the-secret-of-mine"})


SECRET = "the-secret-of-mine"


class Watched:
    """One connection to a market, and what it delivered."""

    def __init__(self, base: str, tap: Callable[[events.Event], None], fetcher: Fetcher | None = None) -> None:
        self.settings = settings_of(base)
        self.items: list[Any] = []
        self.changed = asyncio.Event()
        self.redactor = Redactor()
        self.connection = Connection(
            Driver(AskingRoute([FEED], self.settings), [FEED], venue="asking"),
            fetch_secrets=self.secrets,
            deliver=self.deliver,
            clock=SystemClock(),
            random=lambda: 0.0,
            redactor=self.redactor,
            tap=tap,
            fetcher=fetcher,
        )

    async def secrets(self) -> dict[str, str]:
        return {"key": SECRET}

    def deliver(self, items: list[Any]) -> None:
        self.items += items
        self.changed.set()

    def texts(self) -> list[str]:
        return [f"{one.topic} {one.data}" for one in self.items if isinstance(one, Message)]

    async def has(self, count: int) -> None:
        """Until so many messages were delivered."""
        while len(self.texts()) < count:
            self.changed.clear()
            await self.changed.wait()


def settings_of(base: str) -> Settings:
    return Settings(url=f"ws{base[4:]}/ws", rest_url=base)


async def recorded(market: Market, path: Path, enough: int) -> tuple[list[str], list[Record]]:
    async with market.served() as base:
        redactor_of: list[Redactor] = []
        recorder: list[Recorder] = []

        def tap(event: events.Event) -> None:
            recorder[0].write(event)

        watched = Watched(base, tap)
        redactor_of.append(watched.redactor)
        recorder.append(Recorder(path, header_for("asking", watched.settings, [FEED]), watched.redactor))
        task = asyncio.create_task(watched.connection.run())
        async with asyncio.timeout(15):
            await watched.has(enough)
            watched.connection.leave()
            await task
        recorder[0].close()
    return watched.texts(), [item for item in watched.items if isinstance(item, Record)]


def replayed(path: Path, speed: float) -> list[Record]:
    found: list[Record] = []

    async def deliver(items: list[Any], now: Now, line: int) -> None:
        found.extend(item for item in items if isinstance(item, Record))

    async def sleep(seconds: float) -> None:
        await asyncio.sleep(0)

    recording = Recording(path)
    settings = recording.header.settings()
    driver = Driver(AskingRoute([FEED], settings), [FEED], venue="asking")
    asyncio.run(play(recording, [driver], speed=speed, sleep=sleep, deliver=deliver, secrets={"key": "[key]"}))
    return found


def test_answers_come_as_events_are_recorded_and_play_again(tmp_path: Path) -> None:
    market, path = Market(), tmp_path / "r.jsonl"
    market.frames = [["before", "ask 1 a", "ask 2 binary", "ask 3 busy", "ask 4 private", "ask 5 nowhere", "after"]]
    texts, live = asyncio.run(recorded(market, path, 7))
    assert texts[:2] == ["frame before", "frame after"]
    answers = dict(text.removeprefix("answer ").split(": ", 1) for text in texts[2:])
    assert sorted(answers) == ["1", "2", "3", "4", "5"]
    assert answers["3"] == "429 b'busy' 0.0 1700000000000"
    assert SECRET[:10] in answers["2"], "the session itself gets what came"
    kept = path.read_text()
    assert SECRET not in kept
    assert "a-key-of-the-venue" not in kept
    assert "public-token" in kept, "what anybody can ask for has no secret"
    lines = [json.loads(line) for line in kept.splitlines()]
    assert lines[0]["version"] == VERSION == 3
    by_id = {line["request"]: line for line in lines if line["kind"] == "fetched"}
    assert (by_id["3"]["status"], by_id["3"]["text"], by_id["3"]["retry_after"]) == (429, "busy", 0.0)
    assert by_id["3"]["date_ms"] == 1_700_000_000_000
    assert by_id["4"]["url"].endswith("/private?key=[key]")
    assert by_id["4"]["text"] == (
        '{"listenKey":"[listenKey]","echo":"[key]","price":1.10,"size":0.12345678901234567890}'
    ), "the digits are those that came"
    assert "text" not in by_id["2"]
    again = replayed(path, math.inf)
    assert replayed(path, 3.0) == again
    own = ("2: ", "4: ", "1: ", "5: ")  # these have a secret in them, which a recording has not
    assert [one for one in again if not hidden(one, own)] == [one for one in live if not hidden(one, own)]
    assert len(again) == len(live)


def hidden(record: Record, ids: tuple[str, ...]) -> bool:
    return isinstance(record, Message) and str(record.data).startswith(ids)


@pytest.mark.parametrize("version", [1, 2, VERSION, VERSION + 1])
def test_older_recordings_play_and_later_ones_do_not(version: int, tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    header = {"version": version, "venue": "asking", "url": "ws://a", "subscriptions": [{"stream": "feed"}]}
    stamp = {"at": 1, "mono": 1.0}
    frames = [{"kind": kind, **stamp} for kind in ("open",)] + [
        {"kind": "frame", **stamp, "direction": "in", "text": "hello"}
    ]
    lines = [{"kind": "recording", **header}, {"kind": "dial", **stamp, "draw": 0.5}, *frames]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    if version > VERSION:
        with pytest.raises(RecordingError, match=f"a recording of version 1 to 3, got version {version}"):
            replayed(path, math.inf)
        return
    assert [one.data for one in replayed(path, math.inf) if isinstance(one, Message)] == ["hello"]
    assert Recording(path).header.settings().rest_url == ""


def test_a_failure_comes_as_an_event_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "MAX_ANSWER", 10)
    market, path = Market(), tmp_path / "r.jsonl"
    market.frames = [["ask 1 a"]]
    texts, live = asyncio.run(recorded(market, path, 1))
    assert texts[0].startswith("none 1: the answer of 127.0.0.1:")
    assert replayed(path, math.inf) == live
    assert [json.loads(line)["kind"] for line in path.read_text().splitlines()].count("unfetched") == 1


def test_an_answer_never_reaches_a_later_connection() -> None:
    market = Market()
    market.frames = [["ask 1 hang", "close"], ["there", "ask 2 after"]]
    seen: list[events.Event] = []

    async def test() -> list[str]:
        async with market.served() as base:
            watched = Watched(base, seen.append)
            task = asyncio.create_task(watched.connection.run())
            await watched.has(2)
            watched.connection.leave()
            await task
            return watched.texts()

    texts = asyncio.run(asyncio.wait_for(test(), 20))
    assert market.sockets == 2
    assert texts[0] == "frame there"
    assert texts[1].startswith("answer 2: 200")
    assert [event.request for event in seen if isinstance(event, events.Fetched | events.NotFetched)] == ["2"]


def test_a_request_does_not_delay_the_end() -> None:
    market = Market()
    market.frames = [["ask 1 hang", "there"]]

    async def test() -> None:
        async with market.served() as base:
            watched = Watched(base, lambda _: None)
            task = asyncio.create_task(watched.connection.run())
            await market.waits.wait()
            watched.connection.leave()
            async with asyncio.timeout(2):  # the request would take 10 s, until its deadline
                await task
            assert watched.connection.left_in_order

    asyncio.run(asyncio.wait_for(test(), 20))


def test_nothing_is_asked_while_leaving() -> None:
    market = Market()
    market.frames = [["ask 1 a"]]
    maker = Maker(Clock())

    async def test() -> None:
        now = SystemClock().now
        fetcher = Fetcher(now=now, sleep=asyncio.sleep, per_second=1e6, make=maker)
        async with market.served() as base:
            watched = Watched(base, lambda _: None, fetcher)
            task = asyncio.create_task(watched.connection.run())
            await watched.has(1)
            watched.connection.leave()
            await task

    asyncio.run(asyncio.wait_for(test(), 20))
    assert [name for name, _ in maker.begun] == ["a"]


def test_connections_of_a_venue_share_the_pace() -> None:
    market = Market()
    market.frames = [["ask 1 a", "ask 2 b"]]
    clock = Clock()
    maker = Maker(clock)

    async def sleep(seconds: float) -> None:
        clock.mono += seconds

    async def test() -> None:
        fetcher = Fetcher(now=clock.now, sleep=sleep, per_second=4, make=maker)
        async with market.served() as base:
            both = [Watched(base, lambda _: None, fetcher) for _ in range(2)]
            tasks = [asyncio.create_task(one.connection.run()) for one in both]
            for one in both:
                await one.has(2)
                one.connection.leave()
            await asyncio.gather(*tasks)

    asyncio.run(asyncio.wait_for(test(), 20))
    assert [at for _, at in maker.begun] == [0, 0.25, 0.5, 0.75]


# --- recordings ----------------------------------------------------------------------------------------------------


def test_a_recording_names_the_address_of_requests(tmp_path: Path) -> None:
    path, redactor = tmp_path / "r.jsonl", Redactor()
    redactor.learn({"key": SECRET})
    settings = Settings(url="wss://a.example", rest_url=f"https://b.example/{SECRET}", label="custom:a.example")
    Recorder(path, header_for("asking", settings, [FEED]), redactor).close()
    assert Recording(path).header.settings().rest_url == "https://b.example/[key]"
    other = header_for("asking", Settings(url="wss://a.example", label="custom:a.example"), [FEED])
    with pytest.raises(RecordingError, match=r"asking with requests to https://b\.example/.*, not to none"):
        Recorder(path, other, redactor, "append")


def test_bodies_keep_to_the_longest_line(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    recorder = Recorder(path, header_for("asking", settings_of("http://127.0.0.1:1"), [FEED]), Redactor())
    body = b"\x01" * (16 * 2**20)
    fetch = Fetch("1", get("a"))
    recorder.write(events.answer_event(fetch, HttpResponse(200, body), Now(1.0, START), 0))
    recorder.close()
    (event,) = Recording(path).events()
    assert isinstance(event, events.Fetched)
    assert event.data() == body


def test_a_damaged_body_is_a_damaged_recording(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    header = {
        "kind": "recording",
        "version": 3,
        "venue": "asking",
        "url": "ws://a",
        "subscriptions": [{"stream": "feed"}],
    }
    event = {"kind": "fetched", "at": 1, "mono": 1.0, "request": "1", "method": "GET", "url": "u", "status": 200}
    lines = [header, {"kind": "dial", "at": 1, "mono": 1.0, "draw": 0.5}, {**event, "base64": "%"}]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(RecordingError, match="an event that cannot be"):
        replayed(path, math.inf)
