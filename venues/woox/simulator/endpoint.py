"""The simulated WOO X: one WebSocket for topics of any symbol, and the books and the list of symbols over HTTP.

The world's markets are the lively ones of 150; all others are quiet. What the venue's document leaves open is decided
like this: `bbo` and `kline` send what there is once they are subscribed to; after 24 hours a connection ends like one
that was silent for 60 seconds, without a close frame (code 1006), which is an assumption; `orderbook10` is not there.
"""

from __future__ import annotations

import re
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final

import msgspec
from msgspec import Struct

from venues.simulator.endpoint import Answer
from venues.simulator.faults import BAD_NUMBERS
from venues.simulator.figures import text
from venues.simulator.market_events import BookChange, Trade
from venues.woox.simulator.books import DEPTHS, Steps, rest_rows
from venues.woox.simulator.figures import INTERVALS
from venues.woox.simulator.quiet import SYMBOLS, Murmur, QuietMarket
from venues.woox.simulator.quoted import Quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from venues.simulator.endpoint import Connect, Handshake, Heartbeat, Request, Respond, Serve, Service, Wire
    from venues.simulator.market_events import Event
    from venues.simulator.world import World

MOST_TOPICS: Final = 100  # of a connection …
MOST_AT_ONCE: Final = 10  # … and of a request
SILENCE: Final = 60.0  # seconds after which a client that sends nothing is cut
LONGEST: Final = 86_400.0  # seconds of a connection
MOST_REQUESTS: Final = 10  # a second and path
_TICK: Final = 0.05  # seconds between two looks at the books
_MOST_LEVELS: Final = 1_000

_encode: Final = msgspec.json.encode
_TOPIC: Final = re.compile(r"([a-z0-9]+)@([A-Z]+_[A-Z0-9]+_[A-Z0-9]+)(?:@(\w+))?", re.ASCII)


class _Command(Struct):
    """What a client may send."""

    cmd: str
    id: str | int = ""
    params: Any = None


_decode: Final = msgspec.json.Decoder(_Command).decode


class WooX:
    """The endpoint `/woox`: its symbols with all that is known of them, and its clients."""

    name: ClassVar[str] = "woox"
    scheme: ClassVar[str] = "ws"
    symbols: ClassVar[Mapping[str, str]] = {
        "SPOT_BTC_USDT": "BTC_USDT",
        "SPOT_ETH_USDT": "ETH_USDT",
        "SPOT_SOL_USDT": "SOL_USDT",
        **{symbol: symbol for symbol in SYMBOLS},
    }
    credentials: ClassVar[Mapping[str, str]] = {}

    def __init__(self, world: World) -> None:
        self.world: Final = world
        now, lag = world.clock.epoch_ms(), round(1000 * world.faults.get("lag", 0.0))
        lively = {symbol: market for symbol, market in self.symbols.items() if market in world.markets}
        self._symbol_of = {market: symbol for symbol, market in lively.items()}
        self.quoted: Final[dict[str, Quoted]] = {}
        for symbol, name in lively.items():
            tick, lot = world.steps(name)
            market = world.markets[name]
            self.quoted[symbol] = Quoted(symbol, market, Steps(tick, lot), lively=True, lag=lag, now=now)
        quiet: dict[str, QuietMarket] = {}
        for symbol in (one for one in self.symbols if one not in lively):  # in an order: a seed says the same each time
            spot = self.quoted.get(f"SPOT_{symbol.partition('_')[2]}")
            made = quiet[symbol] = QuietMarket(symbol, world.seed, now, None if spot is None else spot.middle())
            self.quoted[symbol] = Quoted(symbol, made, Steps(made.tick, made.lot), lively=False, lag=lag, now=now)
        self.peers: Final[dict[_Peer, None]] = {}
        self._asked: dict[str, deque[float]] = {}
        world.stage.listen(self._hear)
        world.add(Murmur(world, quiet, self._murmured))

    def sockets(self) -> Mapping[str, Callable[[Handshake], Answer | Connect]]:
        """The one path of the market data; everybody is let in."""
        return {"/v3/public": lambda handshake: lambda link: _Peer(self, link)}

    def requests(self) -> Mapping[str, Respond]:
        """The paths that answer over HTTP, ten times a second each."""
        return {
            "GET /v3/public/orderbook": self._bounded("orderbook", self._orderbook),
            "GET /v3/public/instruments": self._bounded("instruments", self._instruments),
            "GET /v3/public/systemInfo": self._bounded("systemInfo", self._system_info),
        }

    def posts(self) -> Mapping[str, Callable[[Handshake], Answer]]:
        """No path: nothing answers an HTTP POST here."""
        return {}

    def services(self, serve: Serve, heartbeat: Heartbeat) -> Mapping[str, Service]:
        """No path: no server of another maker answers here."""
        return {}

    @classmethod
    def values(cls, world: World | None) -> dict[str, Any]:
        """Empty: a client's configuration needs nothing of this world."""
        return {}

    def now(self) -> int:
        """The time, in milliseconds since the epoch."""
        return self.world.clock.epoch_ms()

    # --- what happens

    def _hear(self, event: Event) -> None:
        symbol = self._symbol_of.get(event.market)
        if symbol is None:
            return
        if isinstance(event, Trade):
            self._traded(symbol, event)
        elif isinstance(event, BookChange):
            self._moved(symbol)

    def _murmured(self, symbol: str, trade: Trade | None) -> None:
        if trade is not None:
            self._traded(symbol, trade)
        self._moved(symbol)

    def _traded(self, symbol: str, trade: Trade) -> None:
        self.quoted[symbol].figures.add(trade)
        for peer in tuple(self.peers):
            peer.traded(symbol, trade)

    def _moved(self, symbol: str) -> None:
        for peer in tuple(self.peers):
            peer.moved(symbol)

    # --- over HTTP

    def _bounded(self, name: str, answer: Callable[[Request], Answer]) -> Respond:
        def respond(request: Request) -> Answer:
            asked, now = self._asked.setdefault(name, deque()), self.now()
            while asked and asked[0] <= now - 1000:
                asked.popleft()
            if len(asked) >= MOST_REQUESTS:
                return _json(429, {"success": False, "code": -1003, "message": "Rate limit exceed."})
            asked.append(now)
            return answer(request)

        return respond

    def _orderbook(self, request: Request) -> Answer:
        query = request.query
        symbol, most = query.get("symbol"), query.get("maxLevel", "100")
        if not symbol:
            return _json(400, {"success": False, "code": -1005, "message": "symbol is required"})
        quoted = self.quoted.get(symbol)
        if quoted is None:
            return _json(400, {"success": False, "message": f"invalid symbol {symbol[:80]}"})
        if not re.fullmatch(r"[1-9][0-9]{0,3}", most) or int(most) > _MOST_LEVELS:
            return _json(500, {"success": False, "message": "internal error"})
        levels, now = int(most), self.now()
        depth = next((depth for depth in DEPTHS if depth >= levels), max(DEPTHS))
        book = quoted.feed(depth, now, rpi=query.get("rpi") == "true").whole(now, levels)
        data = {"bids": rest_rows(book.bids), "asks": rest_rows(book.asks)}
        return _json(200, {"success": True, "timestamp": book.changed, "data": data})

    def _instruments(self, request: Request) -> Answer:
        rows = [_instrument(quoted) for quoted in self.quoted.values()]
        return _json(200, {"success": True, "data": {"rows": rows}, "timestamp": self.now()})

    def _system_info(self, request: Request) -> Answer:
        data = {"status": 0, "msg": "System is functioning properly.", "estimatedEndTime": 0}
        return _json(200, {"success": True, "data": data, "timestamp": self.now()})


class _Peer:
    """The venue's side of one connection."""

    def __init__(self, venue: WooX, link: Wire) -> None:
        self._venue = venue
        self._link = link
        self._topics: dict[str, Callable[[], None]] = {}  # what is subscribed to, and how that is ended
        self._by_symbol: dict[str, set[str]] = {}
        self._told: dict[str, dict[str, Any]] = {}  # the best prices that the client has
        self._losing: set[str] = set()  # books of which the next change is lost
        self._seconds = 0

    def opened(self) -> None:
        """Say nothing: the client asks first."""
        self._venue.peers[self] = None
        self._link.every(1.0, self._each_second)
        self._link.every(_TICK, self._look_at_books)
        self._link.every(LONGEST, self._link.abort)

    def closed(self) -> None:
        self._venue.peers.pop(self, None)
        for leave in self._topics.values():
            leave()

    def farewell(self, *, reconnect: bool) -> bytes:
        return b""

    def gap(self) -> None:
        """Lose the next change of every book."""
        self._losing = {topic for topic in self._topics if topic.startswith("orderbookupdate")}

    def garbage(self) -> Iterator[bytes]:
        """Half a message, wrong types, invalid numbers, a crossed book, an unknown topic."""
        topics, now = sorted(self._topics), self._venue.now()
        symbol = next(iter(self._by_symbol), "SPOT_BTC_USDT")
        yield b'{"topic":"bbo@%b","ts":17' % symbol.encode()
        yield b'{"success":false}'
        for topic in topics[:20]:
            head = f'{{"topic":"{topic}","ts":{now},"data":'
            yield f'{head}"none"}}'.encode()
            for number in BAD_NUMBERS:
                yield head.encode() + (_BAD_DATA % {"now": now, "symbol": symbol, "number": number}).encode()
        yield f'{{"topic":"weather@{symbol}","ts":{now},"data":{{"rain":true}}}}'.encode()

    # --- what the client sends

    def receive(self, frame: str | bytes) -> None:
        """Answer a command, or say that it is none."""
        try:
            command = _decode(frame)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            self._answer(_Command("ERROR"), "Invalid request.", success=False)
            return
        match command.cmd:
            case "PING":
                self._link.send(_encode({"cmd": "PONG", "success": True, "time": self._venue.now()}))
            case "SUBSCRIBE" | "UNSUBSCRIBE":
                self._subscribe(command)
            case "LIST_SUBSCRIPTION":
                self._answer(command, list(self._topics))
            case _:
                self._answer(command, "Command type invalid!", success=False)

    def _subscribe(self, command: _Command) -> None:
        topics = command.params
        if not isinstance(topics, list) or not all(isinstance(topic, str) for topic in topics):
            self._answer(_Command("ERROR", command.id), "Invalid request.", success=False)
            return
        if len(topics) > MOST_AT_ONCE:
            self._answer(command, "Command type invalid!", success=False)
            return
        joining = command.cmd == "SUBSCRIBE"
        done = [topic for topic in topics if (self._join(topic) if joining else self._leave(topic))]
        self._answer(command, done)
        for topic in done if joining else ():
            self._greet(topic)

    def _answer(self, command: _Command, data: Any, *, success: bool = True) -> None:
        answer = {"id": str(command.id), "cmd": command.cmd, "success": success, "time": self._venue.now()}
        self._link.send(_encode({**answer, "data": data}))

    def _join(self, topic: str) -> bool:
        """Whether the client may have the topic; it has it from then on."""
        match = _TOPIC.fullmatch(topic)
        if match is None or topic in self._topics or len(self._topics) >= MOST_TOPICS:
            return False
        name, symbol, parameter = match.groups()
        quoted = self._venue.quoted.get(symbol)
        if quoted is None or not _exists(name, quoted.kind, parameter):
            return False
        leave: Callable[[], None] = _nothing
        if name.startswith("orderbookupdate"):
            feed = quoted.feed(int(parameter), self._venue.now(), rpi=name.endswith("rpi"))
            leave = feed.watch(lambda message: self._tell_change(topic, message))
        self._topics[topic] = leave
        self._by_symbol.setdefault(symbol, set()).add(topic)
        self._venue.world.joined(quoted.market.name)
        return True

    def _leave(self, topic: str) -> bool:
        leave = self._topics.pop(topic, None)
        if leave is None:
            return False
        leave()
        self._by_symbol[topic.split("@")[1]].discard(topic)
        self._told.pop(topic, None)
        return True

    def _greet(self, topic: str) -> None:
        name = topic.partition("@")[0]
        if name in ("bbo", "bborpi"):
            self._link.show(topic, partial(self._best_prices, topic))
        elif name == "kline":
            self._tell_kline(topic)

    # --- what it is sent

    def traded(self, symbol: str, trade: Trade) -> None:
        """A trade of the symbol was made."""
        for topic in sorted(self._by_symbol.get(symbol, ()), reverse=True):  # the trade before its candles
            if topic.startswith("trade@"):
                self._send(topic, _trade(symbol, trade))
            elif topic.startswith("kline@"):
                self._tell_kline(topic)

    def moved(self, symbol: str) -> None:
        """The book of the symbol has changed."""
        for topic in self._by_symbol.get(symbol, ()):
            if topic.startswith("bbo"):
                self._link.show(topic, partial(self._best_prices, topic))

    def _look_at_books(self) -> None:
        now = self._venue.now()
        for topic in self._topics:
            name, _, rest = topic.partition("@")
            symbol, _, depth = rest.partition("@")
            if name.startswith("orderbookupdate"):
                self._venue.quoted[symbol].feed(int(depth), now, rpi=name.endswith("rpi")).flush(now)
            elif name == "bborpi" and self._venue.quoted[symbol].lively:
                self.moved(symbol)

    def _each_second(self) -> None:
        if self._link.silence() >= SILENCE:
            self._link.abort()
            return
        now, self._seconds = self._venue.now(), self._seconds + 1
        for topic in tuple(self._topics):
            name, symbol = topic.split("@")[:2]
            quoted = self._venue.quoted[symbol]
            match name:
                case "ticker":
                    self._send(topic, quoted.figures.day(symbol, now, quoted.middle()))
                case "markprice":
                    self._send(topic, quoted.mark(now))
                case "indexprice":
                    self._send(topic, quoted.index(now))
                case "estfundingrate" if self._seconds % 60 == 1:
                    self._send(topic, quoted.funding(now))
                case "kline":
                    kline = quoted.figures.klines.get(topic.split("@")[2])
                    if kline is not None and kline.end <= now:
                        self._tell_kline(topic)

    def _tell_change(self, topic: str, message: bytes) -> None:
        if topic in self._losing:
            self._losing.discard(topic)
            return
        self._link.send(message)

    def _tell_kline(self, topic: str) -> None:
        symbol, interval = topic.split("@")[1:]
        data = self._venue.quoted[symbol].figures.kline(symbol, interval)
        if data is not None and data["et"] > self._venue.now() - 2_000:
            self._send(topic, data)

    def _best_prices(self, topic: str) -> bytes:
        """The best prices, empty bytes if the client has them already."""
        if topic not in self._topics:
            return b""
        name, symbol = topic.split("@")
        data = self._venue.quoted[symbol].best_prices(self._venue.now(), rpi=name == "bborpi")
        told = self._told.get(topic, {})
        if told == {**data, "ts": told.get("ts")}:
            return b""
        self._told[topic] = data
        return _encode({"topic": topic, "ts": data["ts"], "data": data})

    def _send(self, topic: str, data: dict[str, Any]) -> None:
        self._link.send(_encode({"topic": topic, "ts": self._venue.now(), "data": data}))


_BAD_DATA: Final = (
    '{"s":"%(symbol)s","ts":%(now)d,"prevTs":%(now)d,"bids":[[%(number)s,"1"]],"asks":[],"bp":%(number)s,"bq":"1",'
    '"px":%(number)s,"sx":"1","sd":"BUY","t":"1m","o":%(number)s,"h":"1","l":"1","c":%(number)s,"st":0,"et":60000,'
    '"r":%(number)s}}'
)


def _exists(name: str, kind: str, parameter: str | None) -> bool:
    """Whether the venue has such a topic of a symbol of this kind."""
    match name:
        case "orderbookupdate" | "orderbookupdaterpi":
            return parameter in [str(depth) for depth in DEPTHS]
        case "kline":
            return parameter in INTERVALS
        case "bbo" | "bborpi" | "trade" | "ticker":
            return parameter is None
        case "markprice" | "estfundingrate":
            return parameter is None and kind == "PERP"
        case "indexprice":
            return parameter is None and kind == "SPOT"
        case _:
            return False


def _trade(symbol: str, trade: Trade) -> dict[str, Any]:
    return {
        "s": symbol,
        "px": text(trade.price),
        "sx": text(trade.size),
        "sd": trade.side.upper(),
        "src": 0,
        "rpi": False,
        "ts": trade.time,
    }


def _instrument(quoted: Quoted) -> dict[str, Any]:
    _, base, quote = quoted.symbol.split("_")
    return {
        "symbol": quoted.symbol,
        "status": "TRADING",
        "baseAsset": base,
        "quoteAsset": quote,
        "quoteTick": text(quoted.steps.tick),
        "baseTick": text(quoted.steps.lot),
    }


def _json(status: int, data: dict[str, Any]) -> Answer:
    return Answer(status, _encode(data).decode(), "application/json")


def _nothing() -> None:
    """Does nothing: a topic without a feed of its own has nothing to end."""
