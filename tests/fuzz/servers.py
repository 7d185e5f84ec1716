"""Targets of what we serve: the bot's webhooks and feed, and the simulated venues. Each case is one client."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from cli.bot.serving import BotServer, Route
from tests.fuzz.loops import answered, handshake, in_loop, websocket_frame
from tests.fuzz.mutator import NEXT
from venues import VENUES, venue_named
from venues.simulated import endpoint
from venues.simulator import Simulator
from venues.simulator.world_clock import ManualClock

TOKEN = "tok/en+of mine-4711"
AT = "/trading/signal/tok%2Fen%2Bof%20mine-4711"
MOST_READS = 300  # of what one client sends; the last one has all the rest
MOST_FRAMES = 60  # of one client's case: a decoder is judged, not how many messages 64 KiB can be
MULTIPART = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--\r\n'


# --- the bot


class _Faults(list[BaseException]):
    """What the bot would tell on stderr, each under an id."""

    def tell(self, error: BaseException) -> str:
        self.append(error)
        return str(len(self))


class _Bot:
    """The bot's server with two routes, and what it had to report."""

    def __init__(self) -> None:
        self.faults = _Faults()
        kind = Route(lambda data: type(data).__name__, self._call, self.faults.tell)
        routes = {("GET", "kind"): kind, ("POST", "kind"): kind}
        self.server = BotServer("127.0.0.1", 0, TOKEN, routes, print, self.faults.tell)
        in_loop(self.server.start())
        runner = self.server._runner
        assert runner is not None
        assert runner.server is not None
        self.protocol: Any = runner.server

    async def _call(self, thunk: Callable[[], Any]) -> Any:
        return thunk()


@cache
def _bot(process: int) -> _Bot:
    return _Bot()


def request(case: bytes) -> int:
    """Whatever a client sends to the bot's server over one connection; how many bytes it gets back.

    The handlers take anything, so that an error is the server's.
    """
    bot = _bot(os.getpid())
    bot.faults.clear()
    written = in_loop(answered(bot.protocol, case.split(NEXT, MOST_READS)))
    for error in bot.faults:
        raise error
    return len(written)


def _posted(kind: bytes, body: bytes, path: str = "kind") -> bytes:
    head = f"POST {AT}/{path} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\nContent-Type: ".encode()
    return head + kind + b"\r\n\r\n" + body


REQUESTS = [
    _posted(b"application/json", b'{"side":"buy","price":1.50,"list":[1,2]}'),
    _posted(b"application/x-www-form-urlencoded", b"side=buy&price=1.5&text=%E2%82%AC+a"),
    _posted(b"multipart/form-data; boundary=x", MULTIPART),
    _posted(b"text/plain", b'"text"'),
    f"GET {AT}/kind?side=buy&price=1 HTTP/1.1\r\nHost: a\r\n\r\n".encode(),
    f"GET {AT}/none HTTP/1.1\r\nHost: a\r\n\r\nPUT {AT}/kind HTTP/1.1\r\nHost: a\r\n\r\n".encode(),
    b"GET /stream?token=wrong HTTP/1.1\r\nHost: a\r\n\r\n",
    f"POST {AT}/kind HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    + NEXT
    + b"5\r\n[1,2]\r\n0\r\n\r\n",
    handshake("/stream?token=tok%2Fen%2Bof%20mine-4711") + NEXT + websocket_frame(b"hello"),
]


def body(case: bytes) -> int:
    """A body that is posted, as JSON, as a form and as a form in parts: the first byte chooses."""
    if len(case) < 1:
        return 0
    kinds = (b"application/json", b"application/x-www-form-urlencoded", b"multipart/form-data; boundary=x", b"")
    return request(_posted(kinds[case[0] % len(kinds)], case[1:].replace(NEXT, b"")))


BODIES = [
    b"\x00" + b'{"side":"buy","price":1.50,"size":1e-7,"deep":[[1]]}',
    b"\x00" + b'[1,null,"\\u20ac"]',
    b"\x01" + b"side=buy&price=1.5&text=%E2%82%AC+a&a=&a=b",
    b"\x01" + b'{"sent":"by curl -d"}',
    b"\x02" + MULTIPART,
    b"\x03" + b'"text"',
]


def reader(case: bytes) -> int:
    """Whatever a reader of the bot's feed says: frames of a WebSocket, text, binary or as they are."""
    frames = [_frame(part) for part in case.split(NEXT)[:MOST_FRAMES]]
    return request(NEXT.join([handshake("/stream?token=tok%2Fen%2Bof%20mine-4711"), *frames]))


def _frame(part: bytes) -> bytes:
    """A part as the frame that its first letter says: t(ext), b(inary), p(ing), c(lose); others as raw bytes."""
    opcode = {b"t": 1, b"b": 2, b"p": 9, b"o": 10, b"c": 8}.get(part[:1])
    return (part if opcode is None else websocket_frame(part[1:], opcode=opcode)).replace(NEXT, b"")


READERS = [NEXT.join([b"thello", b"pabc", b"b\x00\x01"]), b"c\x03\xe8bye", websocket_frame(b"raw"), b"o"]


# --- the simulated venues


class _World:
    """One simulated venue, whose time stands still, and what went wrong in it."""

    def __init__(self, venue: str) -> None:
        self.faults: list[BaseException] = []
        self._simulator = Simulator([endpoint(venue)], clock=ManualClock(NOW_MS), on_fault=self._fault)
        in_loop(self._simulator.start())
        server = self._simulator._server
        assert server is not None
        self.protocol: Any = server._runner.server

    def _fault(self, error: Exception, venues: object) -> None:
        self.faults.append(error)


NOW_MS = 1_747_841_760_000


@cache
def _world(venue: str, process: int) -> _World:
    return _World(venue)


def simulated(venue: str, case: bytes) -> int:
    """A client of a simulated venue: first its request, as the path of a WebSocket or as HTTP; then its frames."""
    world = _world(venue, os.getpid())
    world.faults.clear()
    first, *frames = case.split(NEXT)
    sent = first if b"HTTP/1" in first else handshake(_path_of(first))
    written = in_loop(answered(world.protocol, [sent, *map(_frame, frames[:MOST_FRAMES])]))
    if world.faults:
        raise world.faults[0]
    return len(written)


def _path_of(part: bytes) -> str:
    """A part as a path that can stand in the first line of a request."""
    return "/" + "".join(letter for letter in part.decode(errors="replace") if letter.isprintable() and letter != " ")


def clients(venue: str) -> Sequence[bytes]:
    """How clients of that venue begin."""
    return CLIENTS.get(
        venue, [venue.encode() + NEXT + b't{"a":1}', f"GET /{venue} HTTP/1.1\r\nHost: a\r\n\r\n".encode()]
    )


def _credential(venue: str, name: str) -> str:
    made = endpoint(venue)
    return str(made.credentials[name])


_HUB = '{"protocol":"json","version":1}\x1e'
_STREAM = '{"type":4,"invocationId":"0","target":"Book","arguments":["spot.btc_usdt"]}\x1e'


def _all_clients() -> dict[str, list[bytes]]:
    def joined(*parts: str) -> bytes:
        return NEXT.join(part.encode() for part in parts)

    nexus = f"nexus/ws/{_credential('nexus', 'client_key')}/SPOT_BTC_USDT"
    hub = f"b2trader/marketdata/info?access_token={_credential('b2trader', 'token')}"
    socketio = "socket.io/?EIO=4&transport=websocket"
    return {
        "nexus": [joined(nexus, 't{"event":"SUBSCRIBE","data":"BOOK"}', 't{"event":"PING"}', "pabc")],
        "b2trader": [joined(hub, f"t{_HUB}", f"t{_STREAM}", 't{"type":5,"invocationId":"0"}\x1e')],
        "jayx": [
            joined("jayx", 't{"event":"subscribe","data":{"stream":"kline","symbol":"BTCUSDT"}}'),
            joined(f"jayx/{socketio}", "t40", 't42["subscribe",{"stream":"orderbook","symbol":"BTCUSDT"}]', "t3"),
            joined(f"GET /jayx/{socketio.replace('websocket', 'polling')} HTTP/1.1\r\nHost: a\r\n\r\n"),
        ],
        "nbt": [
            joined(
                f"nbt/{socketio}&key={_credential('nbt', 'key')}",
                "t40",
                't42["buy_signal",{"pair":"BTCUSDT","price":"1"}]',
                't421["x"]',
            ),
        ],
        "profitview": [joined(f"profitview/stream?token={_credential('profitview', 'api_key')}", "thello")],
        "kraken": [
            joined(
                "kraken/v2",
                't{"method":"subscribe","params":{"channel":"book","symbol":["BTC/USD"],"depth":10},"req_id":1}',
                't{"method":"ping","req_id":2}',
                't{"method":"unsubscribe","params":{"channel":"book","symbol":["BTC/USD"],"depth":10}}',
            ),
            joined(
                "kraken/v2", 't{"method":"subscribe","params":{"channel":"ohlc","symbol":["BTC/USD"],"interval":1}}'
            ),
        ],
        "woox": [
            joined("woox/v3/public", 't{"id":"1","cmd":"SUBSCRIBE","params":["orderbookupdate@SPOT_BTC_USDT@50"]}'),
            joined("woox/v3/public", 't{"id":"2","cmd":"PING"}', 't{"id":"1","cmd":"UNSUBSCRIBE","params":["x"]}'),
            joined("GET /woox/v3/public/orderbook?symbol=SPOT_BTC_USDT&maxLevel=100 HTTP/1.1\r\nHost: a\r\n\r\n"),
            joined("GET /woox/v3/public/instruments HTTP/1.1\r\nHost: a\r\n\r\n"),
        ],
    }


CLIENTS = _all_clients()


def simulators() -> list[str]:
    """The venues of the registry that have a simulator."""
    return [name for name in VENUES if venue_named(name).simulator]
