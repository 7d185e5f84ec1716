"""A venue's path for Socket.IO, whose library is loaded with the first request, not with the simulator."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiohttp import web

    from venues.simulator.endpoint import Heartbeat, Serve, Service
    from venues.simulator.session import Enter


class SocketIo:
    """A venue's path for Socket.IO; `enter` accepts or refuses each client that connects."""

    def __init__(self, serve: Serve, enter: Enter, heartbeat: Heartbeat) -> None:
        self._serve = serve
        self._enter = enter
        self._heartbeat = heartbeat
        self._service: Service | None = None

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a request; the first one loads the library and makes the server."""
        if self._service is None:
            from venues.simulator.socketio_server import SocketIoServer

            self._service = SocketIoServer(self._serve, self._enter, self._heartbeat)
        return await self._service.handle(request)

    async def close(self) -> None:
        """End the server, if a request has made one."""
        if self._service is not None:
            await self._service.close()
