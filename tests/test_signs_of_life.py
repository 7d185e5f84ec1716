"""What the connection makes of thin, stuck and half-open lines, of steps of the clock, and of faults of ours."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from tests.servers import slow_link, websocket_server
from tests.test_connection import BOOK, OneSession, PingSession, Sleeper, Watched
from venues import connection, events, venue_named
from venues.connection import SystemClock
from venues.driver import Driver
from venues.errors import RecordingError, VenueUnreachable
from venues.recording import VERSION, Recording
from venues.records import Book, Status
from venues.venue import Dial, Item, Notice, Now, Out, StreamState, Subscription

LEVEL = '{"price":%d,"quantity":0.1}'
FAST = {"PING_EVERY": 0.3, "PING_ANSWER_WITHIN": 0.4, "CLOSE_TIMEOUT": 0.1}


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, seconds in FAST.items():
        monkeypatch.setattr(connection, name, seconds)
    return monkeypatch


@contextlib.asynccontextmanager
async def plain_server(handler: Callable[[ServerConnection], Awaitable[None]]) -> AsyncIterator[int]:
    """Without compression: a byte is a byte."""
    async with serve(
        handler, "127.0.0.1", 0, ping_interval=None, close_timeout=0.2, compression=None, max_size=None
    ) as server:
        yield server.sockets[0].getsockname()[1]


def large_book(size: int) -> str:
    asks = ",".join(LEVEL % (1000 + number) for number in range(size // len(LEVEL % 1000)))
    return (
        '{"event":"BOOK","symbol":"SPOT_BTC_USDT","timestamp":1564710591905,'
        f'"data":{{"asks":[{asks}],"bids":[{LEVEL % 100}]}}}}'
    )


def books(watched: Watched) -> list[Book]:
    return [item for item in watched.items if isinstance(item, Book)]


@pytest.mark.usefixtures("fast")
@pytest.mark.parametrize("fragments", [1, 7])
def test_a_large_book_over_a_thin_line_arrives(fragments: int) -> None:
    """It takes several times as long as a ping may go unanswered, and the ping is behind it."""
    text = large_book(300_000)
    parts = [text[i : i + len(text) // fragments + 1] for i in range(0, len(text), len(text) // fragments + 1)]

    async def handler(websocket: ServerConnection) -> None:
        await websocket.send(text if fragments == 1 else parts)
        await websocket.wait_closed()

    async def scenario() -> None:
        async with plain_server(handler) as port, slow_link(port, 120_000) as (thin, _):
            watched = Watched(thin, retries=0)
            async with watched.running():
                await watched.until(lambda: bool(books(watched)))
            assert watched.states() == ["syncing", "live"]

    asyncio.run(scenario())


@pytest.mark.usefixtures("fast")
def test_a_link_that_carries_less_than_the_feed_is_lost() -> None:
    """Each message arrives whole, and each one later than the one before."""

    async def handler(websocket: ServerConnection) -> None:
        for number in range(10_000):
            await websocket.send(BOOK % (number % 100 + 1) + " " * 700)
            await asyncio.sleep(0.01)

    async def scenario() -> None:
        async with plain_server(handler) as port, slow_link(port, 40_000) as (thin, link):
            ended = await Watched(thin, retries=0).ending()
        assert "no answer to a ping within 0.4 s" in str(ended)
        assert link.carried < 40_000 * 2, "twice the time that an answer may take, and room for a busy machine"

    asyncio.run(scenario())


def test_one_message_that_never_ends_is_a_lost_line(fast: pytest.MonkeyPatch) -> None:
    fast.setattr(connection, "MESSAGE_WITHIN", 1.0)

    async def handler(websocket: ServerConnection) -> None:
        with contextlib.suppress(Exception):
            await websocket.send(large_book(500_000))

    async def scenario() -> None:
        async with plain_server(handler) as port, slow_link(port, 20_000) as (thin, _):
            ended = await Watched(thin, retries=0).ending()
        assert "a message was not whole within 1 s" in str(ended)

    asyncio.run(scenario())


def test_a_half_open_line_is_told_before_its_close_is_waited_for(fast: pytest.MonkeyPatch) -> None:
    """And `down_ms` counts from the last frame, live as in a replay."""
    fast.setattr(connection, "CLOSE_TIMEOUT", 30.0)

    async def handler(websocket: ServerConnection) -> None:
        await websocket.send(BOOK % 100)
        await websocket.wait_closed()

    async def scenario() -> Watched:
        async with plain_server(handler) as port, slow_link(port, 1e9) as (thin, link):
            watched = Watched(thin)
            task = asyncio.create_task(watched.connection.run())
            await watched.until(lambda: bool(books(watched)))
            link.passes.clear()
            await watched.until(lambda: "reconnecting" in watched.states())
            link.passes.set()
            await watched.until(lambda: len(books(watched)) == 2)
            watched.connection.leave()
            fast.setattr(connection, "CLOSE_TIMEOUT", 0.1)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            return watched

    watched = asyncio.run(scenario())
    assert "no answer to a ping" in watched.reasons()
    assert watched.states() == ["syncing", "live", "reconnecting", "syncing", "live"]
    (down,) = [item.down_ms for item in watched.items if isinstance(item, Status) and item.down_ms is not None]
    lost = next(event for event in watched.events if isinstance(event, events.Closed))
    again = [event for event in watched.events if isinstance(event, events.Frame)][-1]
    assert lost.heard is not None
    assert lost.mono - lost.heard >= FAST["PING_ANSWER_WITHIN"], "found out much later"
    assert down == round((again.mono - lost.heard) * 1000)
    assert [item for item in replayed(watched) if isinstance(item, Status)] == [
        item for item in watched.items if isinstance(item, Status)
    ]


def replayed(watched: Watched) -> list[Any]:
    """What a recording of the same events gives, each of them written and read again."""
    import msgspec

    subscription = Subscription("book", ("SPOT_BTC_USDT",))
    line = venue_named("nexus").routes([subscription], watched.settings)[0]
    driver = Driver(line, [subscription], venue="nexus", label="test")
    items: list[Any] = []
    for event in watched.events:
        read: events.Event = msgspec.json.decode(msgspec.json.encode(event), type=events.Event)
        if isinstance(read, events.Dialled):
            driver.begin({"client_key": "[client_key]"}, read.draw)
        else:
            items += events.apply(read, driver)
        driver.take()
    return items


def test_nothing_can_be_written_any_more_and_the_line_is_given_up_all_the_same(fast: pytest.MonkeyPatch) -> None:
    """A close frame that waits for a full buffer to empty would wait for ever."""

    class Talkative(PingSession):
        def opening(self) -> Any:
            return Dial(self.url, self.url)
            yield

        def opened(self, now: Now) -> list[Item]:
            self.out += ["x" * 2**20] * 64
            return []

    async def handler(websocket: ServerConnection) -> None:
        websocket.transport.pause_reading()
        await found_out.wait()

    found_out = asyncio.Event()

    async def scenario() -> None:
        async with plain_server(handler) as port:
            session = Talkative(f"ws://127.0.0.1:{port}")
            ended = await Watched(port, stream="ping", line=OneSession(session), retries=0).ending()
            found_out.set()
            assert "no answer to a ping" in str(ended)

    asyncio.run(scenario())


@pytest.mark.usefixtures("fast")
def test_a_deadline_of_a_session_knows_what_is_still_arriving() -> None:
    seen: list[Now] = []
    ticked_after_it = asyncio.Event()

    class Waiting(PingSession):
        whole = False

        def opening(self) -> Any:
            return Dial(self.url, self.url)
            yield

        def opened(self, now: Now) -> list[Item]:
            self.next_ping = now.mono + 0.05
            return []

        def receive(self, frame: bytes, now: Now) -> list[Item]:
            self.whole = True
            return []

        def tick(self, now: Now) -> list[Item]:
            seen.append(now)
            self.next_ping = now.mono + 0.05
            if self.whole:
                ticked_after_it.set()
            return []

        def done(self) -> bool:
            return True

    async def handler(websocket: ServerConnection) -> None:
        await websocket.send("x" * 50_000)
        await websocket.wait_closed()

    async def scenario() -> None:
        async with plain_server(handler) as port, slow_link(port, 50_000) as (thin, _):
            watched = Watched(thin, stream="ping", line=OneSession(Waiting(f"ws://127.0.0.1:{thin}")))
            async with watched.running():
                await asyncio.wait_for(ticked_after_it.wait(), 15)
        arriving = [now for now in seen if now.arriving is not None]
        assert len(arriving) > 3
        assert all(now.mono - 0.3 < (now.arriving or 0) <= now.mono for now in arriving)
        assert seen[-1].arriving is None
        assert all(now.heard is not None for now in seen)
        ticks = [event for event in watched.events if isinstance(event, events.Ticked)]
        assert [event.arriving for event in ticks] == [now.arriving for now in seen]

    asyncio.run(scenario())


# --- the clock -----------------------------------------------------------------------------------------------------


class Stepping(SystemClock):
    """A clock that somebody sets."""

    def __init__(self) -> None:
        super().__init__()
        self.set_by_ms = 0

    def now(self) -> Now:
        now = super().now()
        return Now(now.mono, now.epoch_ms + self.set_by_ms)


@pytest.mark.parametrize(("by_ms", "words"), [(3_600_000, "forward by 60 min"), (-3_600_000, "back by 60 min")])
def test_a_step_of_the_clock_loses_nothing_and_is_said_once(
    by_ms: int, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "ALIVE_EVERY", 0.05)
    clock, go_on = Stepping(), asyncio.Event()
    connections = []

    async def handler(websocket: ServerConnection) -> None:
        connections.append(1)
        await websocket.send(BOOK % 100)
        await go_on.wait()
        await websocket.send(BOOK % 101)
        await websocket.wait_closed()

    async def scenario() -> Watched:
        async with websocket_server(handler) as port:
            watched = Watched(port, clock=clock)
            async with watched.running():
                await watched.until(lambda: bool(books(watched)))
                clock.set_by_ms = by_ms
                await watched.until(lambda: any(isinstance(item, Notice) for item in watched.items))
                go_on.set()
                await watched.until(lambda: len(books(watched)) == 2)
                await asyncio.sleep(0.2)
            return watched

    watched = asyncio.run(scenario())
    assert watched.states() == ["syncing", "live"]
    assert len(connections) == 1
    (notice,) = [item for item in watched.items if isinstance(item, Notice)]
    assert words in notice.text
    assert replayed(watched) == watched.items


def test_sleep_is_told_apart_from_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine slept for a minute, and its clock was set back by an hour when it woke."""
    monkeypatch.setattr(connection, "ALIVE_EVERY", 0.05)

    class Both(Sleeper):
        def now(self) -> Now:
            now = super().now()
            return Now(now.mono, now.epoch_ms - (3_600_000 if self.asleep else 0))

    clock = Both()

    async def handler(websocket: ServerConnection) -> None:
        await websocket.send(BOOK % 100)
        await websocket.wait_closed()

    async def scenario() -> None:
        async with websocket_server(handler) as port:
            watched = Watched(port, clock=clock)
            async with watched.running():
                await watched.until(lambda: bool(books(watched)))
                clock.asleep = 60
                await watched.until(lambda: watched.states().count("live") == 2)
        assert "mon was stopped for 60 s" in watched.reasons()
        (down,) = [item.down_ms for item in watched.items if isinstance(item, Status) and item.down_ms is not None]
        assert down >= 60_000

    asyncio.run(scenario())


def test_the_monotonic_clock_goes_on_while_the_machine_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    boot_time = 7  # Linux' number of it; elsewhere there is none
    monkeypatch.setattr(time, "CLOCK_BOOTTIME", boot_time, raising=False)
    asked: list[int] = []

    def clock_gettime(which: int) -> float:
        asked.append(which)
        return 123.0

    monkeypatch.setattr(time, "clock_gettime", clock_gettime)
    assert SystemClock().now().mono == 123.0
    assert asked == [boot_time]


# --- faults of ours ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["tick", "deadline", "take"])
def test_an_exception_in_a_timer_costs_the_connection_and_never_the_deadlines(where: str) -> None:
    """It is told as a fault of ours, and the next connection has its deadlines."""

    class Faulty(PingSession):
        connections = 0
        due = False
        ticked_well = asyncio.Event()

        def opening(self) -> Any:
            return Dial(self.url, self.url)
            yield

        def opened(self, now: Now) -> list[Item]:
            self.connections += 1
            self.next_ping = now.mono + 0.02
            self.due = False
            return [StreamState("ping", "live")]

        def fail(self, called: str) -> None:
            if called == where and self.connections == 1 and self.due:
                raise AssertionError("this cannot be")

        def tick(self, now: Now) -> list[Item]:
            self.due = True
            self.fail("tick")
            self.next_ping = None
            if self.connections > 1:
                self.ticked_well.set()
            return []

        def deadline(self) -> float | None:
            self.fail("deadline")
            return self.next_ping

        def take(self) -> list[Out]:
            self.fail("take")
            return super().take()

        def done(self) -> bool:
            return True

    async def handler(websocket: ServerConnection) -> None:
        await websocket.wait_closed()

    async def scenario() -> None:
        async with websocket_server(handler) as port:
            session = Faulty(f"ws://127.0.0.1:{port}")
            watched = Watched(port, stream="ping", line=OneSession(session))
            async with watched.running():
                await watched.until(lambda: watched.states().count("live") == 2)
                await asyncio.wait_for(session.ticked_well.wait(), 10)
        assert watched.states() == ["live", "reconnecting", "live"]
        where_it_was = "AssertionError: this cannot be; tests.test_signs_of_life, line "
        assert f"a fault of mon itself ({where_it_was}" in watched.reasons()

    asyncio.run(scenario())


def test_a_consumer_that_fails_in_a_timer_ends_the_line_with_its_error() -> None:
    class Ticking(PingSession):
        def opening(self) -> Any:
            return Dial(self.url, self.url)
            yield

        def opened(self, now: Now) -> list[Item]:
            self.next_ping = now.mono + 0.02
            return []

        def tick(self, now: Now) -> list[Item]:
            self.next_ping = None
            return [StreamState("ping", "live")]

    async def handler(websocket: ServerConnection) -> None:
        await websocket.wait_closed()

    async def scenario() -> None:
        async with websocket_server(handler) as port:
            watched = Watched(port, stream="ping", line=OneSession(Ticking(f"ws://127.0.0.1:{port}")))

            def deliver(items: list[Any]) -> None:
                raise RuntimeError("nobody takes it")

            watched.connection._deliver = deliver
            with pytest.raises(RuntimeError, match="nobody takes it"):
                await asyncio.wait_for(watched.connection.run(), 10)

    asyncio.run(scenario())


# --- refusals of who was there -------------------------------------------------------------------------------------


def test_a_venue_that_answers_404_for_a_while_is_waited_for() -> None:
    """A restart behind a load balancer: the socket dies, the address answers 404, then it is there again."""
    asked = []

    async def handler(websocket: ServerConnection) -> None:
        await websocket.send(BOOK % len(asked))
        if len(asked) == 1:
            websocket.transport.abort()
        await websocket.wait_closed()

    def answer(websocket: ServerConnection, request: Any) -> Any:
        asked.append(request.path)
        return websocket.respond(404, "no such page\n") if len(asked) == 2 else None

    async def scenario() -> Watched:
        async with serve(handler, "127.0.0.1", 0, process_request=answer) as server:
            watched = Watched(server.sockets[0].getsockname()[1])
            async with watched.running():
                await watched.until(lambda: watched.states().count("live") == 2)
            return watched

    watched = asyncio.run(scenario())
    assert watched.states() == ["syncing", "live", "reconnecting", "reconnecting", "syncing", "live"]
    assert "HTTP 404: no such page, it was there " in watched.reasons()
    assert watched.fetched == 3


def test_a_credential_is_fetched_anew_once_after_401() -> None:
    asked = []

    async def handler(websocket: ServerConnection) -> None:
        await websocket.send(BOOK % 100)
        websocket.transport.abort()

    def answer(websocket: ServerConnection, request: Any) -> Any:
        asked.append(request.path)
        return websocket.respond(401, "") if len(asked) > 1 else None

    async def scenario() -> None:
        async with serve(handler, "127.0.0.1", 0, process_request=answer) as server:
            watched = Watched(server.sockets[0].getsockname()[1])
            ended = await watched.ending()
        assert not isinstance(ended, VenueUnreachable)
        assert "refused the client key (HTTP 401)" in str(ended)
        assert len(asked) == watched.fetched == 3

    asyncio.run(scenario())


# --- recordings ----------------------------------------------------------------------------------------------------


def test_recordings_of_every_version_until_now_are_played(tmp_path: Path) -> None:
    head = '{"kind":"recording","version":%d,"venue":"nexus","url":"wss://v.example","subscriptions":[]}\n'
    for version in range(1, VERSION + 1):
        (tmp_path / "a.jsonl").write_text(head % version + '{"kind":"tick","at":1,"mono":1.0}\n')
        assert list(Recording(tmp_path / "a.jsonl").events()) == [events.Ticked(at=1, mono=1.0)]
    assert VERSION >= 2, "since the last sign of life is in it"
    (tmp_path / "a.jsonl").write_text(head % (VERSION + 1))
    with pytest.raises(RecordingError, match=f"version 1 to {VERSION}, got version {VERSION + 1}"):
        Recording(tmp_path / "a.jsonl")


def test_a_recording_that_was_gone_on_with_keeps_its_signs_of_life(tmp_path: Path) -> None:
    """The second run was made on another monotonic clock; it is read on that of the first, and so is what was heard."""
    head = '{"kind":"recording","version":%d,"venue":"nexus","url":"wss://v.example","subscriptions":[]}\n'
    path = tmp_path / "a.jsonl"
    path.write_text(
        (head % 1 + '{"kind":"tick","at":1000,"mono":500.0}\n')
        + (head % VERSION + '{"kind":"close","at":3000,"mono":7.0,"heard":6.0}\n')
        + '{"kind":"tick","at":4000,"mono":8.0,"heard":7.5,"arriving":7.25}\n'
    )
    *_, closed, ticked = Recording(path).events()
    assert closed == events.Closed(at=3000, mono=502.0, heard=501.0)
    assert ticked == events.Ticked(at=4000, mono=503.0, heard=502.5, arriving=502.25)
