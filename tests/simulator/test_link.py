"""The link's order of things, with a socket that only remembers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from venues.simulator.link import End, SocketLink
from venues.simulator.world_clock import RunningClock

if TYPE_CHECKING:
    from collections.abc import Iterator


class Socket:
    def __init__(self) -> None:
        self.sent: list[bytes] = []

    async def send_frame(self, data: bytes, kind: object) -> None:
        self.sent.append(data)

    async def receive(self) -> Any:
        await asyncio.get_running_loop().create_future()

    async def close(self, *, code: int, message: bytes) -> None:
        self.sent.append(b"%d %b" % (code, message))


class Peer:
    """Says some things before the sender has its turn."""

    def __init__(self, link: SocketLink) -> None:
        self.link = link
        self.version = 0

    def opened(self) -> None:
        self.change()
        asyncio.get_running_loop().call_soon(self.say)

    def say(self) -> None:
        self.link.send(b"one")
        self.change()
        self.link.send(b"two")
        self.change()
        self.link.send(b"three")

    def change(self) -> None:
        self.version += 1
        self.link.show("state", lambda: b"state %d" % self.version)

    def receive(self, frame: str | bytes) -> None:
        raise AssertionError

    def closed(self) -> None:
        self.version = -1

    def garbage(self) -> Iterator[bytes]:
        raise AssertionError


def test_events_come_in_order_and_before_the_newest_state() -> None:
    async def test() -> None:
        socket = Socket()
        link = SocketLink(cast("Any", socket), cast("Any", None), RunningClock(), 0.0, ())
        peer = Peer(link)
        served = asyncio.create_task(link.run(peer))
        async with asyncio.timeout(5):
            while len(socket.sent) < 5:  # noqa: ASYNC110
                await asyncio.sleep(0)
        link.end(End(1001, "over"))
        link.end(End(1000, "too late"))
        await served
        assert socket.sent == [b"state 1", b"one", b"two", b"three", b"state 3", b"1001 over"]
        assert peer.version == -1

    asyncio.run(test())
