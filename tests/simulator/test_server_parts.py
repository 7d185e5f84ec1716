"""The parts of the simulator's server by themselves, without a socket: what is ours, who is guarded, who is told."""

from __future__ import annotations

import asyncio
import logging
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import http_exceptions, web

from venues.simulator import ManualClock, Simulator
from venues.simulator import server as server_module
from venues.simulator.endpoint import Heartbeat
from venues.simulator.server import Server, _is_ours
from venues.simulator.world import World


def record(error: BaseException | None) -> logging.LogRecord:
    info = None
    if error is not None:
        try:
            raise error
        except BaseException:
            info = sys.exc_info()
    return logging.LogRecord("mon.simulator", logging.ERROR, "", 0, "a message", (), info)


@pytest.mark.parametrize(
    ("error", "is_ours"),
    [
        (None, True),
        (ValueError("x"), True),
        (http_exceptions.HttpProcessingError(message="x"), False),
        (http_exceptions.BadStatusLine("x"), False),
    ],
)
def test_what_a_client_says_that_is_no_http_is_not_logged(error: BaseException | None, is_ours: bool) -> None:
    assert _is_ours(record(error)) is is_ours


def made(*, is_told: bool = True) -> tuple[Server, list[Exception]]:
    """A server without endpoints, and the exceptions that it has told of."""
    told: list[Exception] = []
    world = World(ManualClock(), seed=1, rate=0.0)
    return Server(world, (), (), set(), Heartbeat(), lambda error: told.append(error) or is_told), told


def guarded(server: Server, path: str, handler: Any) -> web.StreamResponse:
    return asyncio.run(server._guard(SimpleNamespace(path=path), handler))  # type: ignore[arg-type]


async def fails(request: Any) -> web.StreamResponse:
    raise LookupError("a fault")


async def answers(request: Any) -> web.StreamResponse:
    return web.Response(text="here")


def text(response: web.StreamResponse) -> tuple[int, str | None]:
    assert isinstance(response, web.Response)
    return response.status, response.text


@pytest.mark.parametrize("path", ["/made/ws/a", "/made/", "/made"])
def test_a_venue_that_fails_is_named_in_the_answer(path: str) -> None:
    server, told = made()
    assert text(guarded(server, path, answers)) == (200, "here")
    assert text(guarded(server, path, fails)) == (500, "the simulator of made has failed\n")
    assert list(map(str, told)) == ["a fault"]
    server.fail({"made"})
    assert text(guarded(server, path, answers)) == (500, "the simulator of made has failed\n")
    assert text(guarded(server, "/other/made", answers)) == (200, "here")
    assert len(told) == 1


def test_what_nobody_hears_of_is_raised_and_what_is_an_answer_too() -> None:
    server, told = made(is_told=False)
    with pytest.raises(LookupError):
        guarded(server, "/made/x", fails)
    assert len(told) == 1

    async def refuses(request: Any) -> web.StreamResponse:
        raise web.HTTPNotFound

    with pytest.raises(web.HTTPNotFound):
        guarded(server, "/made/x", refuses)
    assert len(told) == 1


def test_a_client_that_has_gone_before_its_handshake_was_answered_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    server, told = made()

    async def prepare(request: Any) -> None:
        raise ConnectionResetError

    monkeypatch.setattr(server_module, "new_websocket", lambda: SimpleNamespace(prepare=prepare))
    endpoint: Any = SimpleNamespace(name="made")
    request: Any = SimpleNamespace(transport=None)
    response = asyncio.run(server._serve(endpoint, request, lambda link: None, 0.0))  # type: ignore[arg-type, return-value]
    assert (text(response), told) == ((200, None), [])


class Stopped(Exception):
    """A fault in the world."""


@pytest.mark.parametrize(
    ("error", "has_hearer", "is_running", "heard", "aborted"),
    [
        (Stopped(), True, True, 1, 1),
        (Stopped(), False, True, 0, 1),
        (KeyboardInterrupt(), True, True, 0, 1),
        (None, True, True, 0, 0),
        (Stopped(), True, False, 0, 0),
    ],
)
def test_a_world_that_stops_by_a_fault_is_told_of_once_every_connection_is_cut(
    error: BaseException | None, has_hearer: bool, is_running: bool, heard: int, aborted: int
) -> None:
    told: list[Any] = []
    cut: list[str] = []
    simulator = Simulator([], on_fault=(lambda *of: told.append(of)) if has_hearer else None)
    if is_running:
        simulator._server = SimpleNamespace(abort=lambda: cut.append("abort"))  # type: ignore[assignment]
    driver: Any = SimpleNamespace(cancelled=lambda: False, exception=lambda: error)
    simulator._driven(driver)
    assert (told, len(cut)) == ([(error, ())] * heard, aborted)
    driver.cancelled = lambda: True
    simulator._driven(driver)
    assert len(cut) == aborted


def test_of_two_faults_of_a_world_the_first_is_raised() -> None:
    async def stops(error: Exception) -> None:
        raise error

    world = World(ManualClock(), seed=1, rate=0.0)
    world._player = SimpleNamespace(run=lambda: stops(LookupError("first")))  # type: ignore[assignment]
    world._drive = lambda: stops(KeyError("second"))  # type: ignore[method-assign]
    with pytest.raises(LookupError, match=r"^first$"):
        asyncio.run(world.run())


def test_a_port_that_cannot_be_had_is_told_and_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    server, _ = made()
    calls: list[str] = []

    async def fails_to_start() -> None:
        raise OSError("taken")

    async def check() -> None:
        cleanup = web.AppRunner.cleanup

        async def noted(self: web.AppRunner) -> None:
            calls.append("cleanup")
            await cleanup(self)

        monkeypatch.setattr(web.AppRunner, "cleanup", noted)
        monkeypatch.setattr(web, "TCPSite", lambda *_: SimpleNamespace(start=fails_to_start))
        with pytest.raises(OSError, match="taken"):
            await server.start("127.0.0.1", 1)

    asyncio.run(check())
    assert calls == ["cleanup"]


class Opened:
    """A WebSocket that is open, or the connection below it."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    async def close(self, **how: Any) -> None:
        self.calls.append(how)

    def abort(self) -> None:
        self.calls.append("abort")


@pytest.mark.parametrize("is_told", [True, False])
def test_a_fault_of_an_endpoint_cuts_the_connection_or_is_raised(is_told: bool) -> None:
    server, told = made(is_told=is_told)
    endpoint: Any = SimpleNamespace(name="made")
    socket, transport = Opened(), Opened()

    def connect(link: Any) -> Any:
        assert server._links == {link: "made"}
        raise LookupError("a fault")

    async def check() -> None:
        await server._run(endpoint, socket, transport, connect, 0.0)  # type: ignore[arg-type]

    if is_told:
        asyncio.run(check())
    else:
        with pytest.raises(LookupError):
            asyncio.run(check())
    assert (len(told), transport.calls, socket.calls) == (1, ["abort"] * is_told, [])
    assert server._links == {}


def test_a_client_whose_connection_has_gone_is_said_goodbye_to_alone() -> None:
    server, _ = made()
    socket: Any = Opened()
    endpoint: Any = SimpleNamespace(name="made")
    asyncio.run(server._run(endpoint, socket, None, lambda link: 1 / 0, 0.0))  # type: ignore[arg-type, return-value]
    assert socket.calls == [{"message": b"goodbye"}]


def test_a_simulator_may_be_closed_before_it_begins_and_after_it_ended_and_begin_again() -> None:
    async def check() -> None:
        simulator = Simulator([], clock=ManualClock())
        await simulator.close()
        ports = []
        for _ in range(2):
            await simulator.start()
            ports.append(simulator.port)
            await simulator.close()
            await simulator.close()
        assert ports[0] == ports[1] > 0
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(check())


def test_a_client_of_another_makers_server_is_served_at_its_own_socket_or_at_one_of_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server, _ = made()
    ran: list[Any] = []

    async def run(*given: Any) -> None:
        ran.append(given)

    async def prepare(request: Any) -> None:
        ran.append("prepared")

    ours = SimpleNamespace(prepare=prepare)
    monkeypatch.setattr(server, "_run", run)
    monkeypatch.setattr(server_module, "new_websocket", lambda: ours)
    endpoint, request, connect, polled = (SimpleNamespace(transport="below") for _ in range(4))
    given: Any = (endpoint, request, connect)
    for unpaced, interval in ((set[str](), 0.02), ({"BTC_USDT"}, 0.0)):
        server._unpaced = unpaced
        answer = asyncio.run(server._accept(*given, polled))  # type: ignore[arg-type]
        assert (text(answer), ran) == ((200, None), [(endpoint, polled, polled, connect, interval)])
        ran.clear()
        assert asyncio.run(server._accept(*given)) is ours  # type: ignore[comparison-overlap]
        assert ran == ["prepared", (endpoint, ours, "below", connect, interval)]
        ran.clear()
