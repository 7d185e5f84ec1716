"""The simulated JayX: events of the market and of the account that the other venues have too.

Over Socket.IO at `/socket.io/`, or in plain frames `{"event":"kline","data":{…}}` at the venue's own address. What the
document leaves open is decided like this.

- `precise` is the number of ticks to a level of the book: the document's sample has "1" and prices of single ticks.
- An orderbook does not name its symbol, so a client has only one: asking again replaces it. It has one interval of
  candles for each symbol. Nothing else ends before the connection does.
- The current candle comes at once, if there has been a trade at all; a candle begins with its first trade. If a candle
  has changed since it was sent, it comes once more, just before the `add` of the next.
- The open orders of the symbol come at once in `modify`, even if there are none; then each order that changes. A
  cancelled one keeps what was left of it in `resd`. `price` is the limit in quote currency, "0" for a market order;
  `quantity` is the size in base currency.
- positions come at once and after changes, always with every asset.
- A request that cannot be met is answered by an event `error`, `{"message":"unknown symbol 'X'; …"}`. After an unknown
  apiKey the client is also put out: its namespace is disconnected, or the plain WebSocket closed with 1008.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar, Final

from venues.jayx.simulator.market import INTERVALS, Quoted
from venues.simulator.faults import BAD_NUMBERS
from venues.simulator.figures import text
from venues.simulator.market import INSTRUMENTS
from venues.simulator.market_events import BookChange, OrderUpdate, Trade
from venues.simulator.session import BadEvent, BarePeer
from venues.simulator.socketio_path import SocketIo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from venues.jayx.simulator.market import Candle, Row
    from venues.simulator.endpoint import Answer, Connect, Handshake, Heartbeat, Serve, Service, Wire
    from venues.simulator.market_events import Event, OrderStatus
    from venues.simulator.session import Visit, Voice
    from venues.simulator.world import World

_CATEGORY: Final = "spot"
_STATES: Final[dict[OrderStatus, str]] = {
    "new": "NEW",
    "partially_filled": "TRADE",
    "filled": "TRADE",
    "cancelled": "CANCEL",
}


class JayX:
    """The endpoint `/jayx`, over Socket.IO and in plain frames."""

    name: ClassVar[str] = "jayx"
    scheme: ClassVar[str] = "ws"
    symbols: ClassVar[Mapping[str, str]] = {"BTCUSDT": "BTC_USDT", "ETHUSDT": "ETH_USDT", "SOLUSDT": "SOL_USDT"}
    credentials: ClassVar[Mapping[str, str]] = {"api_key": "sim-jayx-api-key"}

    def __init__(self, world: World) -> None:
        self._world = world
        self._markets = {symbol: Quoted(world, symbol, name) for symbol, name in self.symbols.items()}
        self._account = AccountRows(world, self._markets)

    def sockets(self) -> Mapping[str, Callable[[Handshake], Answer | Connect]]:
        """The address itself, where the conversation is in plain frames."""
        return {"": self._admit, "/": self._admit}

    def posts(self) -> Mapping[str, Callable[[Handshake], Answer]]:
        """No path: nothing answers an HTTP POST here."""
        return {}

    def services(self, serve: Serve, heartbeat: Heartbeat) -> Mapping[str, Service]:
        """The path of the Socket.IO server, `/socket.io/`."""
        return {"/socket.io/": SocketIo(serve, lambda voice, _: self._enter(voice), heartbeat)}

    @classmethod
    def values(cls, world: World | None) -> dict[str, Any]:
        """The scales, which the document does not tell: `{"symbols": {"BTCUSDT": {"tick_size": "0.01", …}, …}}`."""
        known = {i.name: (i.tick, i.lot) for i in INSTRUMENTS}
        return {
            "symbols": {
                symbol: {"tick_size": text(tick), "lot_size": text(lot)}
                for symbol, name in cls.symbols.items()
                for tick, lot in (known[name] if world is None else world.steps(name),)
            }
        }

    def _admit(self, handshake: Handshake) -> Answer | Connect:
        def connect(link: Wire) -> BarePeer:
            return BarePeer(link, self._enter)

        return connect

    def _enter(self, voice: Voice) -> Visit:
        return _Session(self._world, voice, self._markets, self._account)


class AccountRows:
    """The account in the rows of JayX: balances and orders."""

    def __init__(self, world: World, markets: Mapping[str, Quoted]) -> None:
        self._account = world.account
        self._markets = {quoted.name: quoted for quoted in markets.values()}
        self._last: dict[int, OrderUpdate] = {}  # by open order: its last fill
        self._told: tuple[OrderUpdate, Row]  # of the update that is being sent now
        world.stage.listen(self._hear)

    def balances(self) -> list[Row]:
        """The rows of all assets, also of those without a balance."""
        return [
            {"asset": balance.asset, "balance": text(balance.total), "available": text(balance.available)}
            for balance in self._account.balances.values()
        ]

    def open_orders(self, market: str) -> list[Row]:
        """The rows of the open orders of a market."""
        return [self._row(order) for order in self._account.open_orders() if order.market == market]

    def told(self, order: OrderUpdate) -> Row:
        """The row of the update that is being sent now; all clients get the same one."""
        assert self._told[0] is order, "the account's rows hear of everything first"
        return self._told[1]

    def _row(self, order: OrderUpdate) -> Row:
        quoted = self._markets[order.market]
        fill = order if order.executed_size else self._last.get(order.order_id)
        return {
            "id": order.order_id,
            "type": order.order_type.upper(),
            "state": _STATES[order.status],
            "side": order.side.upper(),
            "resd": quoted.lots(order.size - order.filled),
            "exec": quoted.lots(order.filled),
            "cost": quoted.amount(order.cost),
            "lastLots": None if fill is None else quoted.lots(fill.executed_size),
            "lastTicks": None if fill is None else quoted.ticks(fill.executed_price),
            "created": order.created,
            "modified": order.time,
            "symbol": quoted.symbol,
            "price": "0" if order.price is None else text(order.price),
            "quantity": text(order.size),
        }

    def _hear(self, event: Event) -> None:
        if not isinstance(event, OrderUpdate):
            return
        if event.executed_size:
            self._last[event.order_id] = event
        self._told = event, self._row(event)
        if event.status in ("filled", "cancelled"):
            self._last.pop(event.order_id, None)


class _Session:
    def __init__(self, world: World, voice: Voice, markets: Mapping[str, Quoted], account: AccountRows) -> None:
        self._world = world
        self._voice = voice
        self._markets = markets
        self._account = account
        self._book: tuple[Quoted, int] | None = None
        self._klines: dict[str, _Kline] = {}  # by market
        self._orders: set[str] = set()  # markets
        self._balances: list[Row] | None = None  # as they were sent last; None: the client has not asked
        self._leave = _nothing
        self._requests: dict[str, Callable[[dict[str, Any]], None]] = {
            "kline": self._ask_kline,
            "orderbook": self._ask_orderbook,
            "positions": self._ask_positions,
            "openorders": self._ask_openorders,
        }

    def opened(self) -> None:
        """Listen to the world's events; nothing is sent before the client asks."""
        self._leave = self._world.stage.listen(self._hear)

    def receive(self, event: str, data: Any) -> None:
        """Begin what is asked for, or send an `error` that says what is wrong. Acknowledgements are empty."""
        try:
            request = self._requests.get(event)
            if request is None:
                raise _Wrong(f"unknown event {event[:40]!a}; there are {', '.join(self._requests)}")
            if not isinstance(data, dict):
                raise _Wrong(f"expected an object with {event}")
            if data.get("category", _CATEGORY) != _CATEGORY:
                raise _Wrong(f"unknown category {str(data['category'])[:40]!a}; there is {_CATEGORY}")
            request(data)
        except _Wrong as wrong:
            self._voice.say("error", {"message": str(wrong)})
            if isinstance(wrong, _Stranger):
                self._voice.leave(str(wrong))

    def closed(self) -> None:
        self._leave()

    def garbage(self) -> Iterator[BadEvent]:
        """Wrong types, invalid figures, orders in unknown states, and an unknown event."""
        symbol = next(iter(self._markets))
        order = f'"id":1,"type":"LIMIT","side":"BUY","exec":0,"cost":0,"symbol":"{symbol}"'
        yield BadEvent("orderbook", b'{"orderBook":{"asks":"none","bids":[[1,2]]},"trades":{}}')
        yield BadEvent("orderbook", b'{"orderBook":{"asks":[]')
        yield BadEvent("openorders", b'{"cancel":[],"modify":[{%b,"state":"LOST","resd":1}]}' % order.encode())
        yield BadEvent("positions", b'{"spot":[{"asset":7}]}')
        yield BadEvent("kline", b'{"add":[],"modify":null}')
        for number in (*BAD_NUMBERS, "1.5", "-1", "true"):
            level = f'{{"ticks":{number},"lots":1,"count":1}}'
            trade = f'{{"lots":1,"ticks":{number},"side":"BUY","created":1}}'
            yield BadEvent("orderbook", f'{{"orderBook":{{"asks":[],"bids":[{level}]}},"trades":[{trade}]}}'.encode())
            candle = f'"created":{number},"o":1,"h":1,"l":1,"c":{number},"v":1,"m":1,"symbol":"{symbol}"'
            yield BadEvent("kline", f'{{"add":null,"modify":{{{candle}}}}}'.encode())
            yield BadEvent(
                "openorders", f'{{"cancel":[],"modify":[{{{order},"state":"NEW","resd":{number}}}]}}'.encode()
            )
            yield BadEvent("positions", f'{{"spot":[{{"asset":"BTC","balance":{number},"available":"1"}}]}}'.encode())
        yield BadEvent("weather", b'{"rain":true}')

    def _ask_kline(self, data: dict[str, Any]) -> None:
        quoted = self._known_market(data)
        interval = _whole_number(data, "interval", 60)
        if interval not in INTERVALS:
            known = ", ".join(map(str, INTERVALS))
            raise _Wrong(f"unknown interval {str(data['interval'])[:40]!a}; there are {known} (seconds)")
        self._world.joined(quoted.name)
        self._klines[quoted.name] = kline = _Kline(quoted, interval)
        self._voice.show(f"kline {quoted.symbol}", "kline", kline.modified)

    def _ask_orderbook(self, data: dict[str, Any]) -> None:
        quoted, precise = self._known_market(data), _whole_number(data, "precise", 1)
        self._world.joined(quoted.name)
        self._book = quoted, precise
        self._voice.show("orderbook", "orderbook", self._orderbook)

    def _ask_positions(self, data: dict[str, Any]) -> None:
        self._check_key(data)
        self._balances = []
        self._voice.show("positions", "positions", self._positions)

    def _ask_openorders(self, data: dict[str, Any]) -> None:
        self._check_key(data)
        quoted = self._known_market(data)
        self._orders.add(quoted.name)
        self._voice.say("openorders", {"cancel": [], "modify": self._account.open_orders(quoted.name)})

    def _known_market(self, data: dict[str, Any]) -> Quoted:
        symbol = data.get("symbol")
        quoted = self._markets.get(symbol) if isinstance(symbol, str) else None
        if quoted is None:
            raise _Wrong(f"unknown symbol {str(symbol)[:40]!a}; there are {', '.join(self._markets)}")
        return quoted

    def _check_key(self, data: dict[str, Any]) -> None:
        if data.get("apiKey") != JayX.credentials["api_key"]:
            raise _Stranger("unknown apiKey")

    def _hear(self, event: Event) -> None:
        if isinstance(event, OrderUpdate):
            if event.market in self._orders:
                which = "cancel" if event.status == "cancelled" else "modify"
                self._voice.say("openorders", {"cancel": [], "modify": [], which: [self._account.told(event)]})
        elif isinstance(event, Trade | BookChange):
            if self._book is not None and self._book[0].name == event.market:
                self._voice.show("orderbook", "orderbook", self._orderbook)
            if isinstance(event, Trade):
                self._traded(event.market)
            elif self._balances is not None:
                self._voice.show("positions", "positions", self._positions)

    def _traded(self, market: str) -> None:
        kline = self._klines.get(market)
        if kline is not None:
            for message in kline.turned():
                self._voice.say("kline", message)
            self._voice.show(f"kline {kline.quoted.symbol}", "kline", kline.modified)

    def _orderbook(self) -> Row | None:
        return None if self._book is None else self._book[0].orderbook(self._book[1])

    def _positions(self) -> Row | None:
        """All assets; None if they are as they were sent last."""
        rows = self._account.balances()
        if rows == self._balances:
            return None
        self._balances = rows
        return {_CATEGORY: rows}


class _Kline:
    """The candles of one interval as one client has got them; `told` is the last row sent."""

    def __init__(self, quoted: Quoted, interval: int) -> None:
        self.quoted = quoted
        self.told: Row | None = None
        self._interval = interval

    def modified(self) -> Row | None:
        """A message with the current candle; None if the client has it already."""
        candle = self.quoted.candle(self._interval)
        row = None if candle is None else self._row(candle)
        if row is None or row == self.told:
            return None
        self.told = row
        return {"add": None, "modify": row}

    def turned(self) -> list[Row]:
        """The messages when a new candle has begun: the last form of the one before, and the new one; else empty."""
        candle = self.quoted.candle(self._interval)
        if candle is None or (self.told is not None and self.told["created"] == candle.start):
            return []
        messages = []
        previous = self.quoted.previous(self._interval)
        if self.told is not None and previous is not None and self._row(previous) != self.told:
            messages.append({"add": None, "modify": self._row(previous)})
        self.told = self._row(candle)
        return [*messages, {"add": self.told, "modify": None}]

    def _row(self, candle: Candle) -> Row:
        return self.quoted.kline(candle, self._interval)


class _Wrong(Exception):
    """A request that cannot be met; the text is what the client is told."""


class _Stranger(_Wrong):
    """A request with an unknown key."""


def _whole_number(data: dict[str, Any], name: str, otherwise: int) -> int:
    """A whole number above 0, given as a text, as in the document, or as a number."""
    given = str(data.get(name, otherwise))
    if not re.fullmatch("[1-9][0-9]{0,8}", given):
        raise _Wrong(f"expected a whole number above 0 as {name}, got {given[:40]!a}")
    return int(given)


def _nothing() -> None:
    """Does nothing: the client does not listen to anything yet."""
