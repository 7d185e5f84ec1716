"""A venue of the tests' own, with two addresses: a list of symbols by requests or by a connection, and a simulator."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar

from venues.answers import body_of, problem_of
from venues.records import Book, Instrument, Level, SnapshotEnd
from venues.session import BaseRoute, BaseSession
from venues.simulator.endpoint import Answer, Connect, Handshake, Heartbeat, Request, Serve, Service, Wire
from venues.venue import (
    BadFrame,
    BaseVenue,
    Dial,
    Fetch,
    HttpRequest,
    HttpResponse,
    Item,
    Lost,
    NoResponse,
    Now,
    Offer,
    Settings,
    StreamState,
    Subscription,
    SymbolList,
)

PAGE = 2  # rows of an answer


def instrument(row: dict[str, Any]) -> Instrument:
    return Instrument(
        venue="tiny",
        symbol=row["s"],
        base=row.get("base"),
        price_step=Decimal(row["tick"]) if "tick" in row else None,
        status=row.get("status"),
        received=0,
    )


class Listing(BaseSession):
    """Asks for the list over the WebSocket; a row a frame, then `end`."""

    venue = "tiny"

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._url = f"{settings.url}/ws"

    def dial(self) -> Dial:
        return Dial(self._url, self._url)

    def opened(self, now: Now) -> list[Item]:
        self._out.append("list")
        return []

    def receive(self, frame: bytes, now: Now) -> list[Item]:
        if frame == b"end":
            return [SnapshotEnd(venue="tiny", stream="symbols", count=0, received=now.epoch_ms)]
        if frame == b"bad":
            return [BadFrame("expected a symbol, got nothing")]
        if frame == b"no":
            return [Lost("no list today")]
        return [instrument(json.loads(frame))]


class Seeded(BaseSession):
    """A book that comes by a request as soon as the venue has greeted us; then a level a frame, on top."""

    venue = "tiny"

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._settings = settings
        self._bids: list[Level] = []

    def dial(self) -> Dial:
        return Dial(f"{self._settings.url}/ws", f"{self._settings.url}/ws")

    def opened(self, now: Now) -> list[Item]:
        self._out.append("book")
        return [StreamState("book", "syncing")]

    def receive(self, frame: bytes, now: Now) -> list[Item]:
        data = json.loads(frame)
        if data == "welcome":
            url = f"{self._settings.rest_url}/symbols?from=0"
            self._out.append(Fetch("seed", HttpRequest("GET", url, url)))
        elif self._bids:
            self._bids.insert(0, Level(Decimal(data["price"]), Decimal(1)))
            return [self._book(now)]
        return []

    def fetched(self, request: str, answer: HttpResponse | NoResponse, now: Now) -> list[Item]:
        if isinstance(answer, NoResponse) or answer.status != 200:
            return [StreamState("book", "syncing", f"no book yet: {problem_of(answer)}")]
        self._bids = [Level(Decimal(row["tick"]), Decimal(1)) for row in json.loads(answer.body)]
        return [StreamState("book", "live"), self._book(now)]

    def _book(self, now: Now) -> Book:
        label = self._settings.label
        return Book(venue="tiny", env=label, symbol="AAA", received=now.epoch_ms, bids=list(self._bids), asks=[])


class SeededRoute(BaseRoute):
    def session(self, secrets: Mapping[str, str]) -> Seeded:
        return Seeded(self.settings)


class ListingRoute(BaseRoute):
    def session(self, secrets: Mapping[str, str]) -> Listing:
        return Listing(self.settings)


class Tiny(BaseVenue):
    """`how`: by which way the list comes."""

    name = "tiny"
    environments: Mapping[str, str] = {"production": "wss://tiny.example", "staging": "wss://staging.tiny.example"}
    rest: Mapping[str, str] = {
        "production": "https://rest.tiny.example",
        "staging": "https://rest.staging.tiny.example",
    }
    values: Mapping[str, str] = {"how": "how the list comes"}
    streams: Mapping[str, Offer] = {"book": Offer("book", public=True, symbols="many")}
    example = "AAA"
    simulator = "tests.tiny:Endpoint"
    requests_per_second = 50.0

    def check_symbol(self, symbol: str) -> None:
        pass

    def routes(self, subscriptions: Sequence[Subscription], settings: Settings) -> Sequence[SeededRoute]:
        return [SeededRoute(subscriptions, settings)] if subscriptions else []

    def symbol_list(self, settings: Settings) -> SymbolList | None:
        how = settings.values.get("how", "requests")
        if how == "none":
            return None
        return ListingRoute((), settings) if how == "connection" else pages(settings)


TINY = Tiny()


def pages(settings: Settings) -> Generator[HttpRequest, HttpResponse, list[Instrument]]:
    found: list[Instrument] = []
    while True:
        url = f"{settings.rest_url}/symbols?from={len(found)}"
        rows = json.loads(body_of((yield HttpRequest("GET", url, url)), "the list of symbols"))
        found += map(instrument, rows)
        if len(rows) < PAGE:
            return found


class Peer:
    def __init__(self, wire: Wire, frames: Sequence[str]) -> None:
        self._wire = wire
        self._frames = frames

    def opened(self) -> None:
        pass

    def receive(self, frame: str | bytes) -> None:
        for text in self._frames:
            self._wire.send(text.encode())

    def closed(self) -> None:
        pass

    def farewell(self, *, reconnect: bool) -> bytes:
        return b""

    def gap(self) -> None:
        pass

    def garbage(self) -> Any:
        return iter(())


class Endpoint:
    """The simulated venue; tests set what it answers."""

    name: ClassVar[str] = "tiny"
    scheme: ClassVar[str] = "ws"
    symbols: ClassVar[Mapping[str, str]] = {"AAA": "BTC_USDT", "BBB": "ETH_USDT"}
    credentials: ClassVar[Mapping[str, str]] = {}
    rows: ClassVar[list[dict[str, Any]]] = []
    frames: ClassVar[list[str]] = []
    answer: ClassVar[Answer | None] = None
    seen: ClassVar[list[Request]] = []

    def __init__(self, world: object) -> None:
        pass

    def sockets(self) -> Mapping[str, Callable[[Handshake], Answer | Connect]]:
        return {"/ws": lambda handshake: lambda wire: Peer(wire, self.frames)}

    def posts(self) -> Mapping[str, Callable[[Handshake], Answer]]:
        return {}

    def services(self, serve: Serve, heartbeat: Heartbeat) -> Mapping[str, Service]:
        return {}

    def requests(self) -> Mapping[str, Callable[[Request], Answer]]:
        return {"GET /symbols": self._list, "POST /orders/{id}": self._order}

    @classmethod
    def values(cls, world: object) -> dict[str, Any]:
        return {}

    def _list(self, request: Request) -> Answer:
        self.seen.append(request)
        begin = int(request.query["from"])
        rows = self.rows[begin : begin + PAGE]
        return self.answer or Answer(200, json.dumps(rows), "application/json")

    def _order(self, request: Request) -> Answer:
        self.seen.append(request)
        return Answer(429, "slow down", headers={"Retry-After": "3"})
