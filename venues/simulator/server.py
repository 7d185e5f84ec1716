"""The simulator's server: one aiohttp application, every venue under its own prefix, on loopback only."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, Final

from aiohttp import http_exceptions, web

from venues.simulator.endpoint import Answer, Handshake, HttpEndpoint, Request
from venues.simulator.link import End, SocketLink, new_websocket

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Sequence

    from aiohttp.typedefs import Handler

    from venues.simulator.endpoint import Connect, Endpoint, Heartbeat, Polled, Respond, Service, Socket, Transport
    from venues.simulator.faults import Fault
    from venues.simulator.world import World

_INTERVAL: Final = 0.02  # seconds between two states on a connection
_SHUTDOWN_SECONDS: Final = 2.0
_BUSY: Final = (429, 503)


def _is_ours(record: logging.LogRecord) -> bool:
    """Whether an error is a fault of ours: a client that does not speak HTTP is only answered."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, http_exceptions.HttpProcessingError)


_LOGGER: Final = logging.getLogger("mon.simulator")
_LOGGER.addFilter(_is_ours)


class Server:
    """Serves endpoints. States of the markets in `unpaced` are sent as fast as a client takes them.

    `is_told` is called with each exception that serving a client ends with; it says whether somebody heard of it.
    """

    def __init__(
        self,
        world: World,
        endpoints: Sequence[Endpoint],
        faults: Sequence[Fault],
        unpaced: Collection[str],
        heartbeat: Heartbeat,
        is_told: Callable[[Exception], bool],
    ) -> None:
        self._is_told = is_told
        self._failed: set[str] = set()
        self._world = world
        self._faults = faults
        self._unpaced = unpaced
        self._links: dict[SocketLink, str] = {}  # with the venue of each
        self._services: list[Service] = []
        app = web.Application(middlewares=[self._guard])
        for endpoint in endpoints:
            for path, admit in endpoint.sockets().items():
                app.router.add_get(f"/{endpoint.name}{path}", self._handler(endpoint, admit))
            for path, answer in endpoint.posts().items():
                app.router.add_post(f"/{endpoint.name}{path}", self._poster(answer))
            for where, respond in (endpoint.requests() if isinstance(endpoint, HttpEndpoint) else {}).items():
                method, _, path = where.partition(" ")
                app.router.add_route(method, f"/{endpoint.name}{path}", self._responder(respond))
            for path, service in endpoint.services(partial(self._accept, endpoint), heartbeat).items():
                self._services.append(service)
                app.router.add_route("*", f"/{endpoint.name}{path}", self._forwarder(service))
        self._runner = web.AppRunner(
            app, access_log=None, logger=_LOGGER, handler_cancellation=True, shutdown_timeout=_SHUTDOWN_SECONDS
        )

    async def start(self, host: str, port: int) -> int:
        """Listen on the port; returns the one that was taken."""
        await self._runner.setup()
        try:
            site = web.TCPSite(self._runner, host, port)
            await site.start()
        except BaseException:
            await self._runner.cleanup()
            raise
        bound: int
        ((_, bound),) = self._runner.addresses
        return bound

    async def close(self) -> None:
        """Close every connection in order, and wait until all are over."""
        for link in self._links:
            link.dismiss("the simulator is stopping", reconnect=True)
        await self._runner.cleanup()
        await asyncio.gather(*(service.close() for service in self._services))

    def abort(self) -> None:
        """Abort every connection, without a close frame."""
        for link in self._links:
            link.end(End())

    def fail(self, venues: Collection[str]) -> None:
        """Abort every connection of those venues, and accept no other."""
        self._failed |= {*venues}
        for link, venue in self._links.items():
            if venue in self._failed:
                link.end(End())

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answers 500 for a venue that has failed, and where an endpoint raises."""
        venue = request.path.split("/")[1]
        if venue not in self._failed:
            try:
                return await handler(request)
            except web.HTTPException:
                raise
            except Exception as error:
                if not self._is_told(error):
                    raise
        return web.Response(status=500, text=f"the simulator of {venue} has failed\n")

    def _handler(
        self, endpoint: Endpoint, admit: Callable[[Handshake], Answer | Connect]
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            refused = self._fault("refuse")
            if refused is not None:
                return _refusal(refused.code)
            decision = admit(Handshake(request.match_info, request.query, request.headers))
            if isinstance(decision, Answer):
                return _response(decision)
            market = endpoint.symbols.get(request.match_info.get("symbol", ""))
            interval = 0.0 if market in self._unpaced else _INTERVAL
            return await self._serve(endpoint, request, decision, interval)

        return handle

    def _poster(self, answer: Callable[[Handshake], Answer]) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            refused = self._fault("refuse")
            if refused is not None:
                return _refusal(refused.code)
            return _response(answer(Handshake(request.match_info, request.query, request.headers)))

        return handle

    def _responder(self, respond: Respond) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            refused = self._fault("refuse")
            if refused is not None:
                return _refusal(refused.code)
            body = await request.read()
            asked = Request(request.method, request.match_info, request.query, request.headers, body)
            return _response(respond(asked))

        return handle

    def _forwarder(self, service: Service) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            refused = self._fault("refuse")
            return await service.handle(request) if refused is None else _refusal(refused.code)

        return handle

    async def _accept(
        self, endpoint: Endpoint, request: web.Request, connect: Connect, polled: Polled | None = None
    ) -> web.StreamResponse:
        """Serve a client that chooses its markets later, and may choose one of those without a pace."""
        interval = 0.0 if self._unpaced else _INTERVAL
        if polled is None:
            return await self._serve(endpoint, request, connect, interval)
        await self._run(endpoint, polled, polled, connect, interval)
        return web.Response()

    async def _serve(
        self, endpoint: Endpoint, request: web.Request, connect: Connect, interval: float
    ) -> web.StreamResponse:
        socket = new_websocket()
        try:
            await socket.prepare(request)
        except ConnectionResetError:  # the client has gone before its handshake was answered
            return web.Response()
        await self._run(endpoint, socket, request.transport, connect, interval)
        return socket

    async def _run(
        self, endpoint: Endpoint, socket: Socket, transport: Transport | None, connect: Connect, interval: float
    ) -> None:
        if self._fault("flap") is not None or transport is None:
            await socket.close(message=b"goodbye")
            return
        link = SocketLink(socket, transport, self._world.clock, interval, self._faults)
        self._links[link] = endpoint.name
        try:
            await link.run(connect(link))
        except Exception as error:
            if not self._is_told(error):
                raise
            transport.abort()
        finally:
            self._links.pop(link, None)

    def _fault(self, kind: str) -> Fault | None:
        return next((fault for fault in self._faults if fault.kind == kind), None)


def _response(answer: Answer) -> web.Response:
    return web.Response(
        status=answer.status, text=answer.text, content_type=answer.content_type, headers=dict(answer.headers)
    )


def _refusal(status: int) -> web.Response:
    headers = {"Retry-After": "1"} if status in _BUSY else {}
    return web.Response(status=status, text=f"refused with {status}, as asked for by --fault\n", headers=headers)
