"""The door of the bot's server: how many connections there may be, and how long one may stay that asks for nothing.

A connection waits until its request is whole and has the token, and again once that is answered. Whoever waits may be
anybody: so he is sent away after ten seconds, and when too many wait the one goes that has waited longest. Connections
never use up the descriptors that the bot's markets need.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WAITS_WITHIN = 10.0  # seconds for a whole request with the token
MOST_WAITING = 64
MOST = 1_000  # connections in all
ACCEPT_AGAIN_AFTER = 1.0  # seconds after a connection that could not be taken
BACKLOG = 100


class Door:
    """Listens, and hands connections to a server's protocols. It is used on one event loop."""

    def __init__(self, serve: Callable[[], asyncio.Protocol], say: Callable[[str], None]) -> None:
        """`serve` makes the protocol of one connection; `say` is for people."""
        self._serve = serve
        self._say = say
        self._listeners: list[socket.socket] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._waiting: dict[asyncio.BaseTransport, asyncio.TimerHandle] = {}  # who has waited longest comes first
        self._known: set[asyncio.BaseTransport] = set()
        self._told: set[str] = set()
        descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if descriptors == resource.RLIM_INFINITY:
            descriptors = sys.maxsize
        self._most = min(MOST, max(2, descriptors // 2))
        self._most_waiting = min(MOST_WAITING, max(1, descriptors // 4))

    async def open(self, host: str, port: int) -> int:
        """Listen at all addresses of a host; the result is the port, which is any that is free for 0.

        Raises:
            OSError: it cannot listen there.
        """
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        try:
            for family, _, _, _, address in dict.fromkeys(found):
                listener = _listener(family, (address[0], port, *address[2:]))
                self._listeners.append(listener)
                port = listener.getsockname()[1]
        except OSError:
            self._close_listeners()
            raise
        self._tasks = [asyncio.create_task(self._take_all(listener)) for listener in self._listeners]
        return port

    async def close(self) -> None:
        """Take no more connections. Those that are open stay."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._close_listeners()

    @contextlib.contextmanager
    def knows(self, transport: asyncio.BaseTransport | None) -> Iterator[None]:
        """While it lasts, a connection has asked for something with the token. Afterwards it waits again."""
        if transport is None or transport not in self._waiting:
            yield  # it has gone
            return
        self._waiting.pop(transport).cancel()
        self._known.add(transport)
        try:
            yield
        finally:
            if transport in self._known:
                self._known.discard(transport)
                self._let_wait(transport)

    # --- connections

    def made(self, transport: asyncio.BaseTransport) -> None:
        """A connection is there."""
        if len(self._known) + len(self._waiting) >= self._most and not self._waiting:
            self._tell(f"the bot's feed and webhooks have {self._most:,} connections already: no more are taken")
            _abort(transport)
            return
        self._let_wait(transport)

    def lost(self, transport: asyncio.BaseTransport) -> None:
        """A connection is no longer there."""
        self._known.discard(transport)
        timer = self._waiting.pop(transport, None)
        if timer is not None:
            timer.cancel()

    def _let_wait(self, transport: asyncio.BaseTransport) -> None:
        """Let a new connection wait, or one that was answered; whoever has waited longest makes room before."""
        while self._waiting and (
            len(self._waiting) >= self._most_waiting or len(self._known) + len(self._waiting) >= self._most
        ):
            self._tell(
                f"too many connections to the bot's feed and webhooks ask for nothing (at most {self._most_waiting}): "
                "those that have waited longest are closed"
            )
            self._send_away(next(iter(self._waiting)))
        loop = asyncio.get_running_loop()
        self._waiting[transport] = loop.call_later(WAITS_WITHIN, self._send_away, transport)

    def _send_away(self, transport: asyncio.BaseTransport) -> None:
        self.lost(transport)
        _abort(transport)

    async def _take_all(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                taken, _ = await loop.sock_accept(listener)
            except ConnectionError:
                continue  # it was given up while it waited
            except OSError as error:
                self._tell(f"cannot take a connection to the bot's feed and webhooks: {error.strerror or error}")
                await asyncio.sleep(ACCEPT_AGAIN_AFTER)
                continue
            try:
                await loop.connect_accepted_socket(lambda: _Visitor(self, self._serve()), taken)
            except OSError:
                taken.close()

    def _tell(self, text: str) -> None:
        """Say something once: whoever connects must not be able to fill a log."""
        if text not in self._told:
            self._told.add(text)
            self._say(text)

    def _close_listeners(self) -> None:
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()


class _Visitor(asyncio.Protocol):
    """Between a connection and the server's own protocol, to know when it begins and ends."""

    def __init__(self, door: Door, server: asyncio.Protocol) -> None:
        self._door = door
        self._server = server
        self._transport: asyncio.BaseTransport | None = None
        self.data_received = server.data_received  # type: ignore[method-assign]  # nothing is to be done with data
        self.eof_received = server.eof_received  # type: ignore[method-assign]
        self.pause_writing = server.pause_writing  # type: ignore[method-assign]
        self.resume_writing = server.resume_writing  # type: ignore[method-assign]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._server.connection_made(transport)
        self._door.made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is not None:
            self._door.lost(self._transport)
        # Two turns later: aiohttp fails at a connection that ends in the turn in which it began, or got a request.
        loop = asyncio.get_running_loop()
        loop.call_soon(loop.call_soon, self._server.connection_lost, exc)


def _listener(family: int, address: tuple[object, ...]) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setblocking(False)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, True)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, True)
        made.bind(address)
        made.listen(BACKLOG)
    except OSError:
        made.close()
        raise
    return made


def _abort(transport: asyncio.BaseTransport) -> None:
    assert isinstance(transport, asyncio.Transport)
    transport.abort()
