"""One event loop a process for all cases of a target, a clock that stands still, and a client that needs no socket."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar

from venues.venue import Now

T = TypeVar("T")
NOW = Now(1.0, 1_747_841_760_000)
TURNS = 12  # of the loop, in which a server does all that needs no waiting
_loops: dict[int, asyncio.AbstractEventLoop] = {}  # by process: a child must not use its parent's


class ManualClock:
    """A clock that stands still: no case waits."""

    def now(self) -> Now:
        """Always the same."""
        return NOW

    async def sleep(self, seconds: float) -> None:
        """Not at all."""


def loop() -> asyncio.AbstractEventLoop:
    """The loop of this process."""
    if os.getpid() not in _loops:
        _loops[os.getpid()] = asyncio.new_event_loop()
    return _loops[os.getpid()]


def close_loop() -> None:
    """Close the loop of this process, if it has one; for tests, which warn of one that is left."""
    made = _loops.pop(os.getpid(), None)
    if made is not None:
        for task in asyncio.all_tasks(made):
            task.cancel()
        made.run_until_complete(asyncio.sleep(0))
        made.close()


def in_loop(work: Coroutine[Any, Any, T]) -> T:
    """The result of some work. What went wrong in a task or a callback beside it is raised here."""
    failed: list[BaseException] = []

    def keep(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if error is not None and not isinstance(error, ConnectionError):
            failed.append(error)

    loop().set_exception_handler(keep)
    said = _Said()
    logging.getLogger().addHandler(said)
    try:
        result = loop().run_until_complete(work)
    finally:
        logging.getLogger().removeHandler(said)
    if failed:
        raise failed[0]
    if said.errors:
        raise Logged(said.errors[0])
    return result


class Logged(Exception):
    """A library wrote an error, which may be a traceback, to the terminal."""


class _Said(logging.Handler):
    """Keeps what would be on the terminal."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.errors: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        told = record.exc_info[1] if record.exc_info else None
        self.errors.append(f"{record.getMessage()}: {told!r}")


class Caught(asyncio.Transport):
    """The server's side of a connection without a socket: what is written to it is kept."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 2)})
        self.written = bytearray()
        self._closing = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        for data in list_of_data:
            self.written += data

    def close(self) -> None:
        self._closing = True

    def abort(self) -> None:
        self._closing = True

    def is_closing(self) -> bool:
        return self._closing

    def is_reading(self) -> bool:
        return not self._closing

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def get_write_buffer_size(self) -> int:
        return 0

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return 0, 2**16

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None: ...


async def answered(made: Callable[[], asyncio.Protocol], chunks: Iterable[bytes]) -> bytes:
    """What a server answers on one connection that brings these chunks, one after the other, and then is lost."""
    transport, protocol = Caught(), made()
    protocol.connection_made(transport)
    for chunk in chunks:
        if transport.is_closing():
            break
        protocol.data_received(chunk)
        for _ in range(TURNS):
            await asyncio.sleep(0)
    protocol.connection_lost(None)
    for _ in range(TURNS):
        await asyncio.sleep(0)
    return bytes(transport.written)


def websocket_frame(payload: bytes, *, opcode: int = 1) -> bytes:
    """A client's frame. Its mask is zero, so that the payload can be read, and changed, as it is."""
    size = len(payload)
    if size < 126:
        length = bytes([0x80 | size])
    elif size < 2**16:
        length = bytes([0x80 | 126]) + size.to_bytes(2)
    else:
        length = bytes([0x80 | 127]) + size.to_bytes(8)
    return bytes([0x80 | opcode]) + length + bytes(4) + payload


def handshake(path: str, host: str = "127.0.0.1") -> bytes:
    """The request of a client that opens a WebSocket."""
    return (
        f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    ).encode()
