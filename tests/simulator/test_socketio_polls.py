"""A client of Socket.IO that begins by polling: what its first poll is answered with, and how each end ends all."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import WSMsgType, web

from venues.simulator.endpoint import Heartbeat
from venues.simulator.socketio_server import _POLLED, SocketIoServer

from .test_polled_socket import run, turns

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

OPEN = b'0{"sid":"a","upgrades":[],"pingInterval":5}'


class Polling:
    """A server whose library does what the test says with the client's socket, until it is let go on."""

    def __init__(self, serve: Callable[[Any], Awaitable[web.StreamResponse]]) -> None:
        self.server = SocketIoServer(None, None, Heartbeat())  # type: ignore[arg-type]
        self.ends: list[str] = []
        self.sockets: list[Any] = []
        self.asked: list[Any] = []

        async def end() -> None:
            self.ends.append("end")

        async def served(request: Any) -> web.StreamResponse:
            self.sockets.append(request[_POLLED])
            try:
                return await serve(request[_POLLED])
            except asyncio.CancelledError:
                self.ends.append("cancelled")
                raise

        self.server._served = served  # type: ignore[method-assign]
        self.server._server = SimpleNamespace(eio=SimpleNamespace(end=end))

    def open(self) -> asyncio.Task[Any]:
        url = SimpleNamespace(with_query=lambda query: query)
        request: Any = SimpleNamespace(query={"EIO": "4", "transport": "polling"}, headers={"A": "b"}, rel_url=url)
        request.clone = self._cloned
        return asyncio.create_task(self.server._open_polled(request))

    def _cloned(self, **given: Any) -> dict[Any, Any]:
        self.asked.append(given)
        return {}

    @property
    def known(self) -> tuple[list[str], int]:
        """The ids of clients that poll, and how many are being served."""
        return [*self.server._polled], len(self.server._polling)


def test_the_first_poll_is_answered_with_the_open_packet_and_the_client_known_until_it_is_over() -> None:
    async def check() -> None:
        over = asyncio.Event()

        async def serve(socket: Any) -> web.StreamResponse:
            await socket.send_frame(OPEN, WSMsgType.TEXT)
            await over.wait()
            return web.Response()

        one = Polling(serve)
        answer = await one.open()
        assert answer.body == OPEN.replace(b"[]", b'["websocket"]')
        headers = {"A": "b", "Connection": "Upgrade", "Upgrade": "websocket"}
        assert one.asked == [{"rel_url": {"EIO": "4", "transport": "websocket"}, "headers": headers}]
        assert one.known == (["a"], 1)
        over.set()
        await turns()
        assert one.known == ([], 0)
        with pytest.raises(ConnectionResetError):
            await one.sockets[0].send_frame(b"2", WSMsgType.TEXT)

    run(check())


def test_who_is_refused_gets_the_refusal_and_nothing_waits_any_more() -> None:
    async def check() -> None:
        async def serve(socket: Any) -> web.StreamResponse:
            return web.Response(status=400)

        one = Polling(serve)
        assert (await one.open()).status == 400
        await turns()
        assert (one.known, one.sockets[0]._poll) == (([], 0), None)

    run(check())


def test_a_client_whose_connection_ends_with_its_open_packet_is_told_so_and_not_known() -> None:
    async def check() -> None:
        async def serve(socket: Any) -> web.StreamResponse:
            await socket.send_frame(OPEN, WSMsgType.TEXT)
            return web.Response()

        one = Polling(serve)
        answer = await one.open()
        assert (answer.status, answer.body) == (200, b"1")
        await turns()
        assert one.known == ([], 0)

    run(check())


def test_a_client_that_goes_before_it_is_answered_is_served_no_more() -> None:
    async def check() -> None:
        async def serve(socket: Any) -> web.StreamResponse:
            await asyncio.get_running_loop().create_future()
            raise AssertionError

        one = Polling(serve)
        opening = one.open()
        await turns()
        assert one.known == ([], 1)
        opening.cancel()
        (ended,) = await asyncio.gather(opening, return_exceptions=True)
        assert isinstance(ended, asyncio.CancelledError)
        await turns()
        assert (one.ends, one.known) == (["cancelled"], ([], 0))

    run(check())


def test_a_server_that_closes_ends_all_who_poll_first() -> None:
    async def check() -> None:
        async def serve(socket: Any) -> web.StreamResponse:
            await socket.send_frame(OPEN, WSMsgType.TEXT)
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                await turns(3)
            raise AssertionError

        one = Polling(serve)
        await one.open()
        await one.server.close()
        assert one.ends == ["cancelled", "end"]
        await turns()
        assert one.known == ([], 0)

    run(check())


def test_the_library_tells_the_server_who_comes_says_something_and_goes() -> None:
    async def check() -> None:
        server = SocketIoServer(None, None, Heartbeat(interval=1.5, timeout=2.5))  # type: ignore[arg-type]
        found = {name: handler.__name__ for name, handler in server._server.handlers["/"].items()}
        assert found == {"connect": "_connected", "disconnect": "_disconnected", "*": "_received"}
        engine = server._server.eio
        assert (engine.ping_interval, engine.ping_timeout) == (1.5, 2.5)
        await server.close()

    run(check())
