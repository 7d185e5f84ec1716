"""Clients of the venues on Socket.IO by hand, over a WebSocket of another maker: the packets are written out here."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any, NamedTuple

from websockets.asyncio.client import ClientConnection, connect

from .support import PATIENCE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from venues.simulator import Simulator

_OPTIONS: dict[str, Any] = {"proxy": None, "ping_interval": None, "max_size": 64 * 1024 * 1024}


class Said(NamedTuple):
    """An event that came."""

    name: str
    data: Any


class Talk:
    """One connection, in either framing; `said` are the events so far, `others` the frames that are none."""

    def __init__(self, socket: ClientConnection, *, bare: bool) -> None:
        self.socket = socket
        self.bare = bare
        self.said: list[Said] = []
        self.others: list[str] = []

    async def emit(self, name: str, data: Any, ack: int | None = None) -> None:
        if self.bare:
            await self.socket.send(json.dumps({"event": name, "data": data}))
        else:
            await self.socket.send(f"42{'' if ack is None else ack}{json.dumps([name, data])}")

    async def take(self) -> None:
        """One more frame."""
        frame = await self.socket.recv(decode=True)
        assert isinstance(frame, str)
        if self.bare:
            message = json.loads(frame)
            assert set(message) == {"event", "data"}
            self.said.append(Said(message["event"], message["data"]))
        elif frame.startswith("42["):
            name, data = json.loads(frame[2:])
            self.said.append(Said(name, data))
        else:
            self.others.append(frame)
            if frame == "2":
                await self.socket.send("3")

    async def until(self, found: Callable[[list[Said]], bool]) -> list[Said]:
        """All events up to the first moment at which the condition holds for them."""
        async with asyncio.timeout(PATIENCE):
            while not found(self.said):
                await self.take()
        return self.said

    async def heard(self, text: str) -> str:
        """Wait for a frame that is no event and begins like this."""
        async with asyncio.timeout(PATIENCE):
            while not (there := [other for other in self.others if other.startswith(text)]):
                await self.take()
        return there[0]

    def of(self, name: str) -> list[Any]:
        return [said.data for said in self.said if said.name == name]


@contextlib.asynccontextmanager
async def talk(
    simulator: Simulator, venue: str, *, query: str = "", bare: bool = False, **options: Any
) -> AsyncIterator[Talk]:
    """Connect; with Socket.IO up to the answer to the `40`, which is left in `others`."""
    url = simulator.url(venue)
    if not bare:
        url = f"{url}/socket.io/?EIO=4&transport=websocket{query}"
    async with connect(url, **{**_OPTIONS, **options}) as socket:
        client = Talk(socket, bare=bare)
        if not bare:
            await client.heard("0{")
            await socket.send("40")
            await client.heard("4")
        yield client


def hub(simulator: Simulator, kind: str = "client", key: str | None = None) -> Any:
    """A client of the NBT hub."""
    known = simulator.credentials("nbt")["key"] if key is None else key
    return talk(simulator, "nbt", query=f"&v=1.0.0&type={kind}&key={known}")


def run(test: Coroutine[Any, Any, None]) -> None:
    """Run a test; no task may be left when it is done."""

    async def checked() -> None:
        async with asyncio.timeout(3 * PATIENCE):
            await test
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(checked())
