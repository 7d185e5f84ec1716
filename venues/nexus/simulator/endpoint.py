"""The simulated Nexus: one WebSocket for one symbol, on which market and account events come unasked.

The path is `/ws/<client_key>/<symbol>`. The whole book comes at once and after changes, with both sides in descending
order of price as the venue's document says. What the document leaves open is decided like this: account events are
those of the connection's symbol; figures that do not exist yet (the price of a market order, the executed size of a new
order) are 0, because the document always has the field.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

import msgspec
from msgspec import Struct

from venues.simulator.endpoint import Answer
from venues.simulator.faults import BAD_NUMBERS
from venues.simulator.market_events import BookChange, Fill, Holding, OrderUpdate, Trade

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from venues.simulator.endpoint import Connect, Handshake, Heartbeat, Serve, Service, Wire
    from venues.simulator.market import MarketBook
    from venues.simulator.market_events import Event, Level, OrderStatus
    from venues.simulator.world import World

_STATUS: Final[dict[OrderStatus, str]] = {
    "new": "NEW",
    "partially_filled": "PARTIAL_FILLED",
    "filled": "FILLED",
    "cancelled": "CANCELLED",
}


class _Request(Struct):
    """What a client may send: `{"event":"PING"}`, or `{"event":"ping"}` as to the venue's successor."""

    event: str


_MOST_ROWS: Final = 2_000  # levels whose text is kept; a book has some hundred
_encode: Final = msgspec.json.Encoder(decimal_format="number").encode
_decode: Final = msgspec.json.Decoder(_Request).decode


class Nexus:
    """The endpoint `/nexus`, with the book text that all its clients share."""

    name: ClassVar[str] = "nexus"
    scheme: ClassVar[str] = "ws"
    symbols: ClassVar[Mapping[str, str]] = {
        "SPOT_BTC_USDT": "BTC_USDT",
        "SPOT_ETH_USDT": "ETH_USDT",
        "SPOT_SOL_USDT": "SOL_USDT",
    }
    credentials: ClassVar[Mapping[str, str]] = {"client_key": "sim-nexus-client-key"}

    def __init__(self, world: World) -> None:
        self._world = world
        self._books = {
            symbol: _BookText(symbol, world.markets[market], world.clock.epoch_ms)
            for symbol, market in self.symbols.items()
        }

    def sockets(self) -> Mapping[str, Callable[[Handshake], Answer | Connect]]:
        """The path of a symbol's WebSocket; a client needs the key and a known symbol."""
        return {"/ws/{key}/{symbol}": self._admit}

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

    def _admit(self, handshake: Handshake) -> Answer | Connect:
        if handshake.path["key"] != self.credentials["client_key"]:
            return Answer(401, "unknown client key\n")
        symbol = handshake.path["symbol"]
        if symbol not in self.symbols:
            return Answer(404, f"unknown symbol {symbol!a}; there are {', '.join(self.symbols)}\n")
        return lambda link: _Peer(self._world, link, symbol, self._books[symbol])


class _BookText:
    """A market's BOOK message, made once for all clients. Levels that did not change are not encoded again."""

    def __init__(self, symbol: str, market: MarketBook, epoch_ms: Callable[[], int]) -> None:
        self._head = f'{{"event":"BOOK","symbol":"{symbol}","timestamp":'.encode()
        self._market = market
        self._epoch_ms = epoch_ms
        self._changes: int | None = None  # of the market, when its text was made
        self._text: bytes
        self._rows: dict[Level, bytes] = {}

    def now(self) -> bytes:
        if self._changes != self._market.changes:
            asks, bids = self._market.levels("sell"), self._market.levels("buy")
            if len(self._rows) > _MOST_ROWS:
                self._rows.clear()
            self._text = b',"data":{"asks":[%b],"bids":[%b]}}' % (self._joined(asks[::-1]), self._joined(bids))
            self._changes = self._market.changes
        return b"%b%d%b" % (self._head, self._epoch_ms(), self._text)

    def _joined(self, levels: Sequence[Level]) -> bytes:
        rows = list(map(self._rows.get, levels))
        if None in rows:
            rows = [row or self._row(level) for row, level in zip(rows, levels, strict=True)]
        return b",".join(rows)  # type: ignore[arg-type]  # none of them is None now

    def _row(self, level: Level) -> bytes:
        row = self._rows[level] = _encode({"price": level.price, "quantity": level.size})
        return row


class _Peer:
    """Nexus' side of one connection."""

    def __init__(self, world: World, link: Wire, symbol: str, book: _BookText) -> None:
        self._world = world
        self._link = link
        self._symbol = symbol
        self._market = Nexus.symbols[symbol]
        self._book = book
        self._leave: Callable[[], None]

    def opened(self) -> None:
        """Send the whole book, and from now on what happens."""
        self._link.show("book", self._book.now)
        self._leave = self._world.stage.listen(self._tell)
        self._world.joined(self._market)

    def receive(self, frame: str | bytes) -> None:
        """Answer the two kinds of ping; anything else is ignored."""
        try:
            request = _decode(frame)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return
        now = self._world.clock.epoch_ms()
        if request.event == "PING":
            self._link.send(_encode({"event": "PING", "timestamp": now}))
        elif request.event == "ping":
            self._link.send(_encode({"event": "pong", "ts": now}))

    def closed(self) -> None:
        self._leave()

    def farewell(self, *, reconnect: bool) -> bytes:
        return b""

    def gap(self) -> None:
        """Does nothing: every book is a whole one, so no change can be missing."""

    def garbage(self) -> Iterator[bytes]:
        """Half a message, wrong types, invalid numbers, and an unknown event."""
        symbol, now = self._symbol, self._world.clock.epoch_ms()
        head = f'"symbol":"{symbol}","timestamp":{now},"data":'
        yield self._book.now()[: len(head) + 30]
        yield f'{{"event":"BOOK",{head}{{"asks":"none","bids":[[1,2]]}}}}'.encode()
        yield f'{{"event":"TRADE",{head}{{"price":true,"quantity":[],"side":7}}}}'.encode()
        for number in BAD_NUMBERS:
            yield f'{{"event":"BOOK",{head}{{"asks":[],"bids":[{{"price":{number},"quantity":1}}]}}}}'.encode()
            yield f'{{"event":"TRADE",{head}{{"price":{number},"quantity":1,"side":"BUY"}}}}'.encode()
        yield f'{{"event":"WEATHER",{head}{{"rain":true}}}}'.encode()

    def _tell(self, event: Event) -> None:
        if event.market != self._market:
            return
        if isinstance(event, BookChange):
            self._link.show("book", self._book.now)
        else:
            self._link.send(_encode(_message(self._symbol, event)))


def _message(symbol: str, event: Trade | Fill | OrderUpdate | Holding) -> dict[str, Any]:
    data: dict[str, Any]
    match event:
        case Trade(price=price, size=size, side=side):
            data = {"price": price, "quantity": size, "side": side.upper()}
            return {"event": "TRADE", "symbol": symbol, "timestamp": event.time, "data": data}
        case Fill():
            return {"event": "TRANSACTION", "timestamp": event.time, "data": _transaction(symbol, event)}
        case OrderUpdate():
            return {"event": "ORDER_UPDATE", "timestamp": event.time, "data": _order(symbol, event)}
        case Holding(holding=holding):
            data = {"positions": {symbol: {"holding": holding}}}
            return {"event": "POSITIONS", "timestamp": event.time, "data": data}


def _transaction(symbol: str, fill: Fill) -> dict[str, Any]:
    return {
        "id": fill.fill_id,
        "symbol": symbol,
        "order_id": fill.order_id,
        "executed_price": fill.price,
        "executed_quantity": fill.size,
        "side": fill.side.upper(),
    }


def _order(symbol: str, order: OrderUpdate) -> dict[str, Any]:
    return {
        "symbol": symbol,
        "order_type": order.order_type.upper(),
        "order_price": 0 if order.price is None else order.price,
        "order_quantity": order.size,
        "order_id": order.order_id,
        "executed_price": order.executed_price,
        "executed_quantity": order.executed_size,
        "aggregated_executed_quantity": order.filled,
        "side": order.side.upper(),
        "status": _STATUS[order.status],
    }
