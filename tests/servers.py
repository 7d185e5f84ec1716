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
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await handler(reader, writer)
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


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
