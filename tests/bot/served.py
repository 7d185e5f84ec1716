"""A bot's server of its own, with what it said, and its clients."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any
from unittest.mock import patch

from aiohttp import ClientSession
from websockets.asyncio.client import ClientConnection, connect

from cli.bot import serving
from cli.bot.serving import BotServer, Route

TOKEN = "tok/en+of mine-4711"
PATIENCE = 10.0


class Running(BotServer):
    """A server with what it said, and what went wrong in it."""

    said: list[str]
    faults: list[BaseException]
    turns: int


def echo(data: Any) -> Any:
    return data


def broken(data: Any) -> Any:
    raise ZeroDivisionError("by design")


ROUTES: Mapping[tuple[str, str], Callable[[Any], Any]] = {
    ("GET", "echo"): echo,
    ("POST", "echo"): echo,
    ("GET", "status"): lambda data: {"ok": True, "price": Decimal("1.10"), "rsi": float("nan")},
    ("POST", "broken"): broken,
    ("GET", "set"): lambda data: {"x": {1, 2}},
    ("GET", "self"): lambda data: (loop := []).append(loop) or loop,
    ("GET", "naïve"): lambda data: None,
}


@asynccontextmanager
async def running(routes: Any = None, token: str = TOKEN, wrong_every: float | None = 0.001) -> AsyncIterator[Running]:
    """A server of its own. `wrong_every`: seconds for each wrong token that is answered; None: as usual."""
    said: list[str] = []
    faults: list[BaseException] = []
    lock = asyncio.Lock()

    async def call(thunk: Callable[[], Any]) -> Any:
        async with lock:
            started.turns += 1
            return thunk()

    def fault(error: BaseException) -> str:
        faults.append(error)
        return f"id-{len(faults)}"

    monkeyed = patch.object(serving, "WRONG_EVERY", serving.WRONG_EVERY if wrong_every is None else wrong_every)
    given = ROUTES if routes is None else routes
    made = {key: Route(handler, call, fault) for key, handler in given.items()}
    started = Running("127.0.0.1", 0, token, made, said.append, fault)
    started.said, started.faults, started.turns = said, faults, 0
    await started.start()
    try:
        with monkeyed:
            async with asyncio.timeout(PATIENCE):
                yield started
    finally:
        await started.close()


def reader(bot: Running, **options: Any) -> connect:
    return connect(bot.feed_url, proxy=None, **options)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


async def until_closed(connection: ClientConnection) -> None:
    while True:
        await connection.recv()


def ended(slow: socket.socket) -> bool:
    """Whether there is an end to what a connection has; read to it."""
    slow.settimeout(PATIENCE)
    try:
        while slow.recv(2**20):
            pass
    except ConnectionError:
        pass
    except TimeoutError:
        return False
    return True


async def asked(
    bot: Running, method: str, path: str, *, token: str | None = None, **options: Any
) -> tuple[int, Any, Mapping[str, str]]:
    url = bot.webhook_url if token is None else bot.webhook_url.rpartition("/")[0] + f"/{token}"
    async with ClientSession() as http, http.request(method, f"{url}/{path}", **options) as response:
        body = await response.read()
        assert response.content_type == "application/json", body
        assert "Server" not in response.headers
        return response.status, json.loads(body), response.headers


class Visitor:
    """A connection as its other side sees it."""

    def __init__(self, streams: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
        self.reader, self.writer = streams

    @classmethod
    async def at(cls, bot: Running, said: str = "") -> Visitor:
        visitor = cls(await asyncio.open_connection("127.0.0.1", bot.port))
        visitor.writer.write(said.encode())
        return visitor

    async def answer(self) -> str:
        return (await self.reader.readline()).decode().strip()

    async def gone(self) -> bool:
        """Whether the other side has ended it; waits for it."""
        try:
            while await self.reader.read(2**16):
                pass
        except ConnectionError:
            pass
        self.writer.close()
        return True


def path_of(bot: Running, name: str = "echo") -> str:
    return f"{bot.webhook_url.partition(str(bot.port))[2]}/{name}"
