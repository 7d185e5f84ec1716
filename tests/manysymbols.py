"""A venue of many symbols on one socket, that says what a test tells it to: a session, an entry and a real server.

`python -m tests.manysymbols ARGUMENTS` is `mon` with that venue in its registry. On the wire each message is one JSON
object, which the session passes on as what it says:

    {"row": "quotes", "symbol": "A", "n": 1}      a row of that stream, with figures made of `n`
    {"state": "stale", "stream": "quotes", "symbol": "A", "reason": "gap"}
    {"refused": "A", "stream": "quotes", "reason": "no such symbol"}
    {"confirmed": "A", "stream": "quotes"}

Symbols are capital letters and digits. With more than `A_CONNECTION` there are several connections.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import venues
from tests.servers import in_thread, websocket_server
from venues import records
from venues.errors import UsageError
from venues.session import BaseRoute, BaseSession
from venues.venue import BaseVenue, Confirmed, Dial, Offer, Refused, StreamState, Subscription

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from websockets.asyncio.server import ServerConnection

    from venues.venue import Item, Now, Settings

NAME = "manysymbols"
STREAMS = ("book", "trades", "quotes", "ticker", "candles")
A_CONNECTION = 75  # symbols


class Session(BaseSession):
    """One connection: asks for all symbols of its streams at once."""

    venue = NAME

    def __init__(self, route: Route) -> None:
        super().__init__()
        self._route = route

    def dial(self) -> Dial:
        url = self._route.settings.url
        return Dial(url=url, shown=url)

    def opened(self, now: Now) -> list[Item]:
        self.ask("all", now, json.dumps({one.stream: one.symbols for one in self._route.subscriptions}))
        return [StreamState(one.stream, "syncing") for one in self._route.subscriptions]

    def receive(self, frame: bytes, now: Now) -> list[Item]:
        said = json.loads(frame)
        stream, symbol, reason = said.get("stream", ""), said.get("symbol"), said.get("reason", "")
        if "row" in said:
            return [row(said["row"], symbol, said["n"], now.epoch_ms, self._route.label, said.get("time"))]
        if "refused" in said:
            return [Refused(reason, stream=stream, symbol=said["refused"])]
        if "confirmed" in said:
            return [Confirmed(stream, symbol=said["confirmed"])]
        return [StreamState(stream, said["state"], reason, symbol=symbol)]


class Route(BaseRoute):
    """Symbols that share a connection."""

    def session(self, secrets: Mapping[str, str]) -> Session:
        return Session(self)


class ManySymbols(BaseVenue):
    """The entry."""

    name = NAME
    environments: Mapping[str, str] = {"production": "ws://127.0.0.1:1"}
    example = "A"
    streams: Mapping[str, Offer] = {
        stream: Offer("rows", symbols="many", public=True, options=("interval",) if stream == "candles" else ())
        for stream in STREAMS
    }

    def check_symbol(self, symbol: str) -> None:
        if not symbol.isalnum() or symbol != symbol.upper():
            raise UsageError(f'expected a symbol like A, got "{symbol}"')

    def routes(self, subscriptions: Sequence[Subscription], settings: Settings) -> list[Route]:
        made = []
        for one in subscriptions:
            for first in range(0, max(1, len(one.symbols)), A_CONNECTION):
                part = one.symbols[first : first + A_CONNECTION]
                made.append(Route([Subscription(one.stream, part, one.depth, one.interval, one.options)], settings))
        return made


MANY = ManySymbols()


def row(
    stream: str, symbol: str, number: int, received: int, env: str | None = None, time: int | None = None
) -> records.Record:
    """A row of a stream with figures made of a number."""
    common: dict[str, Any] = {"venue": NAME, "env": env, "symbol": symbol, "time": time, "received": received}
    price, one = Decimal(100 + number), Decimal(1)
    match stream:
        case "book":
            bids, asks = [records.Level(price, one)], [records.Level(price + 1, one)]
            return records.Book(**common, bids=bids, asks=asks)
        case "trades":
            return records.Trade(**common, price=price, size=one, side="sell" if number % 2 else "buy")
        case "quotes":
            return records.Quote(**common, bid_price=price, bid_size=one, ask_price=price + 1, ask_size=one)
        case "ticker":
            return records.Ticker(**common, last=price)
        case _:
            figures: dict[str, Any] = dict.fromkeys(("open", "high", "low", "close"), price)
            start = number * 60_000
            return records.Candle(
                **common, **figures, interval="1m", start=start, end=start + 60_000, closed=False, complete=True
            )


# --- what a server says


def says_row(stream: str, symbol: str, number: int = 0, **fields: Any) -> dict[str, Any]:
    return {"row": stream, "symbol": symbol, "n": number, **fields}


def says_state(stream: str, state: str, symbol: str | None = None, reason: str = "") -> dict[str, Any]:
    return {"stream": stream, "state": state, "symbol": symbol, "reason": reason}


def says_first(stream: str, *symbols: str) -> list[dict[str, Any]]:
    """Each symbol is live, and has its first row."""
    return [one for s in symbols for one in (says_state(stream, "live", s), says_row(stream, s))]


class Server:
    """Says to each connection what its scenario says: the last one to all after it. Keeps what was asked for.

    A scenario is a list of messages; a number among them is a pause in seconds, None closes the connection.
    """

    def __init__(self, *scenarios: Sequence[Any]) -> None:
        self.asked: list[dict[str, list[str]]] = []
        self._scenarios = scenarios

    async def __call__(self, websocket: ServerConnection) -> None:
        asked = json.loads(await websocket.recv())
        scenario = self._scenarios[min(len(self.asked), len(self._scenarios) - 1)]
        self.asked.append(asked)
        for message in scenario:
            if message is None:
                await websocket.close(1001, "going away")
            elif isinstance(message, dict):
                await websocket.send(json.dumps(message))
            else:
                await asyncio.sleep(message)
        with contextlib.suppress(Exception):
            await websocket.wait_closed()


@contextlib.contextmanager
def serving(*scenarios: Sequence[Any]) -> Iterator[tuple[Server, dict[str, str]]]:
    """A server, and the variables that lead `mon` to it."""
    server = Server(*scenarios)
    with in_thread(lambda: websocket_server(server)) as port:
        yield server, {f"MON_{NAME.upper()}_URL": f"ws://127.0.0.1:{port}"}


def register() -> None:
    """Put the venue into the registry of this process."""
    venues.VENUES[NAME] = venues.Entry("tests.manysymbols:MANY", " ".join(STREAMS))


def command() -> list[str]:
    """`mon` with the venue, as a process."""
    return [sys.executable, "-m", "tests.manysymbols"]


if __name__ == "__main__":
    sys.modules["tests.manysymbols"] = sys.modules["__main__"]
    register()
    from cli.__main__ import main

    main()
