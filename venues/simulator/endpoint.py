"""What one simulated venue is to the server: facts that need no server, paths, and what it says on a connection.

A venue's simulator is one class like `Endpoint`, which the venue's entry names. It holds no socket: a `Wire` carries
what it says, and what the client says is handed to its `Peer`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from aiohttp import WSMessage, WSMsgType, web

    from venues.simulator.world import World

HOST: Final = "127.0.0.1"


class Handshake(NamedTuple):
    """What a client asks for over HTTP: the parts of the path by name, the query and the headers."""

    path: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]


class Answer(NamedTuple):
    """A plain HTTP answer, where a WebSocket was asked for: instead of it."""

    status: int
    text: str
    content_type: str = "text/plain"


class Wire(Protocol):
    """A client's connection as an endpoint sees it. Nothing here waits."""

    def send(self, data: bytes, *, binary: bool = False) -> None:
        """Queue a frame, of text unless it is `binary`.

        Frames are sent in order, and none is dropped for a client that keeps up.
        """
        ...

    def show(self, key: str, produce: Callable[[], bytes]) -> None:
        """A state has changed: `produce` is called for its newest form when the client has taken what came before.

        `key` names the state; calls for the same one are merged until then. An empty form is not sent.
        """
        ...

    def every(self, seconds: float, action: Callable[[], None]) -> None:
        """Have something done that often for as long as the connection is open, e.g. a heartbeat."""
        ...

    def finish(self, code: int, reason: str) -> None:
        """Close the connection once everything has been sent that was queued with `send` until now."""
        ...


class Peer(Protocol):
    """The venue's side of one connection."""

    def opened(self) -> None:
        """The WebSocket is open."""
        ...

    def receive(self, frame: str | bytes) -> None:
        """The client has sent a text or a binary frame, whatever is in it."""
        ...

    def closed(self) -> None:
        """The connection is over."""
        ...

    def farewell(self, *, reconnect: bool) -> bytes:
        """A last text frame before the venue closes the connection; empty where the protocol has none.

        `reconnect` says whether the client may come again.
        """
        ...

    def gap(self) -> None:
        """Lose the next change of every book, where the client can tell by a number that something is missing."""
        ...

    def garbage(self) -> Iterator[bytes]:
        """Bad text frames in this venue's shapes, for the fault of that name."""
        ...


Connect: TypeAlias = "Callable[[Wire], Peer]"


class Socket(Protocol):
    """What of an aiohttp WebSocket a link needs."""

    async def send_frame(self, message: bytes, opcode: WSMsgType, /) -> None: ...

    async def receive(self) -> WSMessage: ...

    async def close(self, *, code: int = ..., message: bytes = ...) -> bool: ...


class Transport(Protocol):
    """What it lies upon."""

    def abort(self) -> None: ...


class Polled(Socket, Transport, Protocol):
    """A client that polls: its socket, and what that lies upon."""


class Serve(Protocol):
    """How a server of another maker has a client served: on the WebSocket of its request, or on what it polls."""

    async def __call__(
        self, request: web.Request, connect: Connect, polled: Polled | None = None
    ) -> web.StreamResponse: ...


class Heartbeat(NamedTuple):
    """How often a venue whose protocol wants it pings its clients, and how long it waits for an answer, in seconds."""

    interval: float = 25.0
    timeout: float = 20.0


class Service(Protocol):
    """A server of another maker for one path; the clients that it accepts it hands to `Serve`."""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a request, whatever its method."""
        ...

    async def close(self) -> None:
        """End what runs beside the connections, which are over."""
        ...


class Endpoint(Protocol):
    """One simulated venue.

    `symbols` are its names for the markets, or the topics of its feed with the market that each is about; none where it
    has neither. `credentials` is what it accepts; `scheme` is that of its address.
    """

    name: ClassVar[str]
    scheme: ClassVar[str]
    symbols: ClassVar[Mapping[str, str]]
    credentials: ClassVar[Mapping[str, str]]

    def __init__(self, world: World) -> None: ...

    def sockets(self) -> Mapping[str, Callable[[Handshake], Answer | Connect]]:
        """WebSocket paths under the venue's prefix, like `/ws/{key}/{symbol}`, and who decides on a handshake there."""
        ...

    def posts(self) -> Mapping[str, Callable[[Handshake], Answer]]:
        """Paths under the venue's prefix that answer an HTTP POST, and who answers there."""
        ...

    def services(self, serve: Serve, heartbeat: Heartbeat) -> Mapping[str, Service]:
        """Paths under the venue's prefix at which a server of another maker answers."""
        ...

    @classmethod
    def values(cls, world: World | None) -> dict[str, Any]:
        """What a client must be told in its configuration, as it is in this world; None: in one without a tape."""
        ...


def address(venue: type[Endpoint], port: int) -> str:
    """Where a venue is on that port, without a path of its own."""
    return f"{venue.scheme}://{HOST}:{port}/{venue.name}"


def environment(endpoints: Iterable[type[Endpoint]], port: int, world: World | None = None) -> dict[str, str]:
    """The variables that point `mon` at a simulator on that port: `{"MON_<VENUE>_URL": …}`.

    What else a client must be told is among them, a table as JSON: as it is in that world, or in one without a tape.
    """
    variables: dict[str, str] = {}
    for venue in endpoints:
        prefix = f"MON_{venue.name.upper()}"
        variables[f"{prefix}_URL"] = address(venue, port)
        variables.update((f"{prefix}_{name.upper()}", value) for name, value in venue.credentials.items())
        told = venue.values(world)
        variables.update((f"{prefix}_{name.upper()}", json.dumps(value)) for name, value in told.items())
    return variables
