"""The contract between the server and one simulated venue: its facts, its paths, and what it sends on a connection.

A venue's simulator is one class like `Endpoint`, which the venue's entry names. It holds no socket: it sends through
a `Wire`, and its `Peer` gets what the client sends.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple, Protocol, TypeAlias, runtime_checkable

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
    """A plain HTTP answer: instead of opening a WebSocket, or to an HTTP request."""

    status: int
    text: str
    content_type: str = "text/plain"
    headers: Mapping[str, str] = {}


class Request(NamedTuple):
    """An HTTP request of a client: the parts of the path by name, the query, the headers and the body."""

    method: str
    path: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


Respond: TypeAlias = "Callable[[Request], Answer]"


class Wire(Protocol):
    """A client's connection as an endpoint sees it. Nothing here waits."""

    def send(self, data: bytes, *, binary: bool = False) -> None:
        """Queue a frame, of text unless it is `binary`.

        Frames are sent in order, and none is dropped for a client that keeps up.
        """
        ...

    def show(self, key: str, produce: Callable[[], bytes]) -> None:
        """Announce a changed state: `produce` gives its newest form once the client has taken what came before.

        `key` names the state; until then, calls with the same one are merged. An empty form is not sent.
        """
        ...

    def every(self, seconds: float, action: Callable[[], None]) -> None:
        """Do something every so many seconds while the connection is open, e.g. a heartbeat."""
        ...

    def finish(self, code: int, reason: str) -> None:
        """Close the connection once everything queued with `send` until now has been sent."""
        ...

    def abort(self) -> None:
        """End the connection at once, without a close frame: the client sees code 1006."""
        ...

    def silence(self) -> float:
        """Seconds since the client sent its last frame of any kind, a ping for example."""
        ...


class Peer(Protocol):
    """The venue's side of one connection."""

    def opened(self) -> None:
        """To be called once the WebSocket is open: may greet the client."""
        ...

    def receive(self, frame: str | bytes) -> None:
        """To be called with each text or binary frame of the client, whatever is in it."""
        ...

    def closed(self) -> None:
        """To be called once the connection is over: ends what was begun for it."""
        ...

    def farewell(self, *, reconnect: bool) -> bytes:
        """A last text frame before the venue closes the connection; empty where the protocol has none.

        `reconnect` says whether the client may come again.
        """
        ...

    def gap(self) -> None:
        """Lose the next change of every book, if the client can tell from numbers that one is missing."""
        ...

    def garbage(self) -> Iterator[bytes]:
        """Bad text frames in this venue's shapes, for the fault of that name."""
        ...


Connect: TypeAlias = "Callable[[Wire], Peer]"


class Socket(Protocol):
    """The part of an aiohttp WebSocket that a link needs."""

    async def send_frame(self, message: bytes, opcode: WSMsgType, /) -> None: ...

    async def receive(self) -> WSMessage: ...

    async def close(self, *, code: int = ..., message: bytes = ...) -> bool: ...


class Transport(Protocol):
    """The connection below a socket, which can be aborted."""

    def abort(self) -> None: ...


class Polled(Socket, Transport, Protocol):
    """A client that polls: its socket and its transport in one."""


class Serve(Protocol):
    """Serves a client for a server of another maker: on the WebSocket of its request, or by long-polling."""

    async def __call__(
        self, request: web.Request, connect: Connect, polled: Polled | None = None
    ) -> web.StreamResponse: ...


class Heartbeat(NamedTuple):
    """How often a venue pings its clients, if its protocol does that, and how long it waits for answers, in seconds."""

    interval: float = 25.0
    timeout: float = 20.0


class Service(Protocol):
    """A server of another maker for one path; it hands the clients that it accepts to `Serve`."""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a request, whatever its method."""
        ...

    async def close(self) -> None:
        """End the background tasks, once all connections are over."""
        ...


class Endpoint(Protocol):
    """One simulated venue.

    `symbols` maps the venue's names, of markets or of the topics of its feed, to the market that each is about; empty
    if it has neither. `credentials` are those that it accepts, by name. `scheme` is that of its address.

    An endpoint that answers HTTP requests beside its WebSockets (`rest_url`) is an `HttpEndpoint` too.
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
        """Paths under the venue's prefix that answer an HTTP POST, and the function that answers."""
        ...

    def services(self, serve: Serve, heartbeat: Heartbeat) -> Mapping[str, Service]:
        """Paths under the venue's prefix at which a server of another maker answers."""
        ...

    @classmethod
    def values(cls, world: World | None) -> dict[str, Any]:
        """The values that a client needs in its configuration, by name, for this world; None: one without a tape."""
        ...


@runtime_checkable
class HttpEndpoint(Protocol):
    """What an endpoint has beside `Endpoint` if its venue has a second address, for HTTP requests (`rest_url`)."""

    def requests(self) -> Mapping[str, Respond]:
        """Methods with paths under the venue's prefix, such as `GET /v3/public/orderbook`, and who answers there.

        The fault `refuse` answers instead of them.
        """
        ...


def address(venue: type[Endpoint], port: int) -> str:
    """The address of a venue on that port, before the venue's own paths."""
    return f"{venue.scheme}://{HOST}:{port}/{venue.name}"


def rest_address(venue: type[Endpoint], port: int) -> str:
    """The address of a venue's HTTP requests on that port, before the venue's own paths; empty where it has none."""
    return f"http://{HOST}:{port}/{venue.name}" if issubclass(venue, HttpEndpoint) else ""


def environment(endpoints: Iterable[type[Endpoint]], port: int, world: World | None = None) -> dict[str, str]:
    """The variables that point `mon` at a simulator on that port: `{"MON_<VENUE>_URL": …}`.

    They include `MON_<VENUE>_REST_URL` where a venue has a second address, and the other values that a client needs, a
    table as JSON, for that world, or for one without a tape.
    """
    variables: dict[str, str] = {}
    for venue in endpoints:
        prefix = f"MON_{venue.name.upper()}"
        variables[f"{prefix}_URL"] = address(venue, port)
        if rest := rest_address(venue, port):
            variables[f"{prefix}_REST_URL"] = rest
        variables.update((f"{prefix}_{name.upper()}", value) for name, value in venue.credentials.items())
        told = venue.values(world)
        variables.update((f"{prefix}_{name.upper()}", json.dumps(value)) for name, value in told.items())
    return variables
