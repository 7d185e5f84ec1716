"""Servers on loopback that do what venues should not, each in the test's own process."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

from websockets.asyncio.server import ServerConnection, serve

Handler = Callable[[ServerConnection], Awaitable[None]]
RawHandler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def websocket_server(handler: Handler, port: int = 0) -> AsyncIterator[int]:
    """A WebSocket server; gives its port."""
    async with serve(handler, "127.0.0.1", port, ping_interval=None, close_timeout=0.2) as server:
        yield server.sockets[0].getsockname()[1]


@contextlib.asynccontextmanager
async def raw_server(handler: RawHandler) -> AsyncIterator[int]:
    """A TCP server; gives its port."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await handler(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


class SlowLink:
    """What a thin line does, between a client and a server on loopback."""

    def __init__(self, target: int, bytes_per_second: float) -> None:
        self._target = target
        self._rate = bytes_per_second
        self.passes = asyncio.Event()  # cleared: the line is there, and nothing comes through any more
        self.passes.set()
        self.carried = 0  # bytes to the client
        self.ends: set[asyncio.Task[None]] = set()  # of what is open

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        from_server, to_server = await asyncio.open_connection("127.0.0.1", self._target)
        ends = {
            asyncio.create_task(self._carry(reader, to_server, float("inf"))),
            asyncio.create_task(self._carry(from_server, writer, self._rate)),
        }
        self.ends |= ends
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for end in ends:
                end.cancel()
            await asyncio.gather(*ends, return_exceptions=True)
            self.ends -= ends
            to_server.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, rate: float) -> None:
        size = int(min(2**16, max(rate / 100, 1)))
        while data := await reader.read(size):
            await asyncio.sleep(len(data) / rate)
            await self.passes.wait()
            writer.write(data)
            await writer.drain()
            self.carried += len(data) if rate < float("inf") else 0


@contextlib.asynccontextmanager
async def slow_link(target: int, bytes_per_second: float) -> AsyncIterator[tuple[int, SlowLink]]:
    """A link to a server's port; gives a port of its own, and the link. Only what comes is slow."""
    link = SlowLink(target, bytes_per_second)
    async with raw_server(link.handle) as port:
        yield port, link
        for end in link.ends:
            end.cancel()
        await asyncio.gather(*link.ends, return_exceptions=True)


def http_answer(status: str, body: str = "", *headers: str, version: str = "1.1") -> RawHandler:
    """Answers the handshake with an HTTP status."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = [f"HTTP/{version} {status}", f"Content-Length: {len(body.encode())}", "Connection: close", *headers]
        writer.write(("\r\n".join(head) + "\r\n\r\n" + body).encode())
        await writer.drain()

    return handle


@contextlib.contextmanager
def in_thread(server: Callable[[], contextlib.AbstractAsyncContextManager[int]]) -> Iterator[int]:
    """A server in a thread of its own, for tests that run `mon` as a process."""
    loop = asyncio.new_event_loop()
    started: list[int] = []
    ready = threading.Event()
    stop = asyncio.Event()

    async def run() -> None:
        async with server() as port:
            started.append(port)
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield started[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        pending = asyncio.all_tasks(loop)
        for task in pending:
            task.cancel()
        if pending:
            loop.run_until_complete(asyncio.gather(*pending, return_exceptions=True))
        loop.close()
