"""A connection whose part fails while the socket hands a message over, and while the reader takes one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.frames import Frame, Opcode

from tests.servers import websocket_server
from tests.test_connection import OneSession, PingSession, Watched
from venues import events, opening
from venues.errors import RecordingError
from venues.venue import Dial, HttpRequest, HttpResponse, Item, Lost, Now, StreamState

LISTENS = 0.05  # seconds after which the socket hands over; what comes with the handshake is left to the reader


class Faulty(PingSession):
    """Has a fault that shows at the second message, but for its first connection only."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.taken: list[bytes] = []
        self.faults = 1
        self.has_one, self.has_all = asyncio.Event(), asyncio.Event()

    def opening(self) -> Generator[HttpRequest, HttpResponse, Dial]:
        return Dial(self.url, self.url)
        yield

    def opened(self, now: Now) -> list[Item]:
        return [StreamState("ping", "live")]

    def receive(self, frame: bytes, now: Now) -> list[Item]:
        if len(self.taken) == 1 and self.faults:
            self.faults -= 1
            raise ZeroDivisionError("a fault of ours")
        self.taken.append(frame)
        self.has_one.set()
        if frame == b"3":
            self.has_all.set()
        return []


def fragments(*texts: str) -> bytes:
    """Each as a message in two fragments, which the socket leaves to the reader."""
    return b"".join(
        Frame(Opcode.TEXT, b"", False).serialize(mask=False) + Frame(Opcode.CONT, text.encode()).serialize(mask=False)
        for text in texts
    )


def plain(*texts: str) -> bytes:
    return b"".join(Frame(Opcode.TEXT, text.encode()).serialize(mask=False) for text in texts)


@pytest.mark.parametrize("sent", [plain, fragments])
def test_a_fault_of_ours_is_said_and_the_line_connects_anew(sent: Callable[..., bytes]) -> None:
    async def handler(websocket: ServerConnection) -> None:
        await asyncio.sleep(LISTENS)
        websocket.transport.write(sent("1", "2", "3"))
        await websocket.wait_closed()

    async def scenario() -> None:
        async with websocket_server(handler) as port:
            session = Faulty(f"ws://127.0.0.1:{port}")
            watched = Watched(port, stream="ping", line=OneSession(session), retries=3)
            task = asyncio.create_task(watched.connection.run())
            await watched.until(lambda: watched.states().count("live") == 2)
            await asyncio.wait_for(session.has_all.wait(), 5)
            session.left = True
            watched.connection.leave()
            await asyncio.wait_for(task, 5)
            assert session.taken == [b"1", b"1", b"2", b"3"], "nothing of the connection is taken after the fault"
            assert "ZeroDivisionError: a fault of ours" in watched.reasons()
            assert "please report it" in watched.reasons()

    asyncio.run(scenario())


@pytest.mark.parametrize("sent", [plain, fragments])
def test_a_recording_that_cannot_be_written_ends_the_line(sent: Callable[..., bytes]) -> None:
    """To connect anew would not cure it."""
    seen: list[str] = []

    async def handler(websocket: ServerConnection) -> None:
        await asyncio.sleep(LISTENS)
        websocket.transport.write(sent("1", "2"))
        await websocket.wait_closed()

    def tap(event: events.Event) -> None:
        seen.append(type(event).__name__)
        if seen[-1] == "Frame":
            raise RecordingError("cannot write: no space left")

    async def scenario() -> None:
        async with websocket_server(handler) as port:
            session = Faulty(f"ws://127.0.0.1:{port}")
            watched = Watched(port, stream="ping", line=OneSession(session))
            watched.connection._tap = tap
            with pytest.raises(RecordingError, match="no space left"):
                await asyncio.wait_for(watched.connection.run(), 5)
            assert seen.count("Frame") == 1
            assert session.taken == []

    asyncio.run(scenario())


@pytest.mark.parametrize("sent", [plain, fragments])
def test_what_comes_behind_the_end_of_a_connection_is_not_taken(sent: Callable[..., bytes]) -> None:
    class Ending(Faulty):
        def receive(self, frame: bytes, now: Now) -> list[Item]:
            self.taken.append(frame)
            return [Lost("the session has had enough")]

    async def handler(websocket: ServerConnection) -> None:
        await asyncio.sleep(LISTENS)
        websocket.transport.write(sent("1", "2", "3"))
        await websocket.wait_closed()

    async def scenario() -> None:
        async with websocket_server(handler) as port:
            session = Ending(f"ws://127.0.0.1:{port}")
            watched = Watched(port, stream="ping", line=OneSession(session), retries=0)
            await watched.ending(5)
            assert session.taken == [b"1"]
            assert sum(isinstance(event, events.Frame) for event in watched.events) == 1, "nor recorded"

    asyncio.run(scenario())


def test_after_fragments_messages_are_handed_over_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """All messages of one read were read at one time."""
    go = asyncio.Event()

    async def handler(websocket: ServerConnection) -> None:
        websocket.transport.write(fragments("1"))
        await go.wait()
        websocket.transport.write(plain("2", "3"))
        await websocket.wait_closed()

    async def scenario() -> None:
        async with websocket_server(handler) as port:
            session = Faulty(f"ws://127.0.0.1:{port}")
            session.faults = 0
            watched = Watched(port, stream="ping", line=OneSession(session))
            task = asyncio.create_task(watched.connection.run())
            await asyncio.wait_for(session.has_one.wait(), 5)
            session.next_ping = None
            monkeypatch.setattr(opening.ClientConnection, "data_received", lambda *_: pytest.fail("the slow way"))
            go.set()
            await asyncio.wait_for(session.has_all.wait(), 5)
            monkeypatch.undo()
            frames = [event for event in watched.events if isinstance(event, events.Frame)]
            assert [frame.mono for frame in frames[-2:]] == [frames[-1].mono] * 2
            session.left = True
            watched.connection.leave()
            await asyncio.wait_for(task, 5)

    asyncio.run(scenario())


def test_while_hanging_up_nothing_is_taken() -> None:
    async def handler(websocket: ServerConnection) -> None:
        while True:
            websocket.transport.write(plain("x"))
            await asyncio.sleep(0.001)

    async def scenario() -> None:
        async with websocket_server(handler) as port:
            session = Faulty(f"ws://127.0.0.1:{port}")
            session.faults, session.left = 0, True
            watched = Watched(port, stream="ping", line=OneSession(session))
            hang_up, at_the_end = watched.connection._hang_up, []

            async def slow(websocket: opening.Socket) -> None:
                at_the_end.append(len(session.taken))
                await asyncio.sleep(0.05)
                await hang_up(websocket)
                at_the_end.append(len(session.taken))

            watched.connection._hang_up = slow  # type: ignore[method-assign]
            task = asyncio.create_task(watched.connection.run())
            await watched.until(lambda: "live" in watched.states())
            await asyncio.sleep(0.02)
            watched.connection.leave()
            await asyncio.wait_for(task, 5)
            before, after = at_the_end
            assert 0 < before == after

    asyncio.run(scenario())
