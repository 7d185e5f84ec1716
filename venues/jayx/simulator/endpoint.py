"""The simulated JayX: events of the market and of the account that the other venues have too.

Over Socket.IO at `/socket.io/`, or in plain frames `{"event":"kline","data":{…}}` at the venue's own address. What the
document leaves open is answered like this.

- `precise` is the number of ticks to a level of the book: the document's sample has "1" and prices of single ticks.
- An orderbook does not name its symbol, so a client has one: asking again replaces it. Of candles it has one interval
  for each symbol. Nothing else ends before the connection does.
- The current candle comes at once, if there has been a trade at all; a candle begins with its first trade. Should it
  have changed unseen, the candle before it comes once more, just before the `add`.
- The open orders of the symbol come at once in `modify`, be there none; then each order that changes. A cancelled one
  keeps what was left of it in `resd`. `price` is the limit in quote currency, "0" of a market order, `quantity` the
  size in base currency.
- positions come at once and after changes, always with every asset.
- What cannot be had is answered by an event `error`, `{"message":"unknown symbol 'X'; …"}`; after an unknown apiKey the
  client is also thrown out: its namespace is disconnected, or the plain WebSocket closed with 1008.
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
    """The endpoint `/jayx`."""

    name: ClassVar[str] = "jayx"
    scheme: ClassVar[str] = "ws"
    symbols: ClassVar[Mapping[str, str]] = {"BTCUSDT": "BTC_USDT", "ETHUSDT": "ETH_USDT", "SOLUSDT": "SOL_USDT"}
    credentials: ClassVar[Mapping[str, str]] = {"api_key": "simulated-jayx-api-key"}

    def __init__(self, world: World) -> None:
        self._world = world
        self._markets = {symbol: Quoted(world, symbol, name) for symbol, name in self.symbols.items()}
        self._account = AccountRows(world, self._markets)

    def sockets(self) -> Mapping[str, Callable[[Handshake], Answer | Connect]]:
        """Plain frames, at the address itself."""
        return {"": self._admit, "/": self._admit}

    def posts(self) -> Mapping[str, Callable[[Handshake], Answer]]:
        """There are none."""
        return {}

    def services(self, serve: Serve, heartbeat: Heartbeat) -> Mapping[str, Service]:
        """Socket.IO."""
        return {"/socket.io/": SocketIo(serve, lambda voice, _: self._enter(voice), heartbeat)}

    @classmethod
    def values(cls, world: World | None) -> dict[str, Any]:
        """`{"symbols": {"BTCUSDT": {"tick_size": "0.01", "lot_size": "0.0001"}, …}}`: the document does not say it."""
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
    """The account as JayX tells it."""

    def __init__(self, world: World, markets: Mapping[str, Quoted]) -> None:
        self._account = world.account
        self._markets = {quoted.name: quoted for quoted in markets.values()}
        self._last: dict[int, OrderUpdate] = {}  # by open order: its last fill
        self._told: tuple[OrderUpdate, Row] | None = None
        world.stage.listen(self._hear)

    def balances(self) -> list[Row]:
        """All assets."""
        return [
            {"asset": balance.asset, "balance": text(balance.total), "available": text(balance.available)}
            for balance in self._account.balances.values()
        ]

    def open_orders(self, market: str) -> list[Row]:
        """The open orders of a market."""
        return [self._row(order) for order in self._account.open_orders() if order.market == market]

    def told(self, order: OrderUpdate) -> Row:
        """The row of the update that is being told just now, the same for everybody."""
        assert self._told is not None
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
    """One client."""

    def __init__(self, world: World, voice: Voice, markets: Mapping[str, Quoted], account: AccountRows) -> None:
        self._world = world
        self._voice = voice
        self._markets = markets
        self._account = account
        self._book: tuple[Quoted, int] | None = None
        self._klines: dict[str, _Kline] = {}  # by market
        self._orders: set[str] = set()  # markets
        self._balances: list[Row] | None = None  # as they were told last; None where nobody has asked
        self._leave = _nothing
        self._requests: dict[str, Callable[[dict[str, Any]], None]] = {
            "kline": self._ask_kline,
            "orderbook": self._ask_orderbook,
            "positions": self._ask_positions,
            "openorders": self._ask_openorders,
        }

    def opened(self) -> None:
        """Hear what happens; nothing is said before the client asks."""
        self._leave = self._world.stage.listen(self._hear)

    def receive(self, event: str, data: Any) -> None:
        """Begin what is asked for, or say what is wrong with it. Acknowledgements are empty."""
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
        """Hear no more."""
        self._leave()

    def garbage(self) -> Iterator[BadEvent]:
        """Wrong types, figures that are none, orders in states nobody knows, and an event nobody knows."""
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
        """All assets, None when they are as they were told last."""
        rows = self._account.balances()
        if rows == self._balances:
            return None
        self._balances = rows
        return {_CATEGORY: rows}


class _Kline:
    """The candles of one interval, as one client has been told of them; `told` is the last row."""

    def __init__(self, quoted: Quoted, interval: int) -> None:
        self.quoted = quoted
        self.told: Row | None = None
        self._interval = interval

    def modified(self) -> Row | None:
        """The current candle, None when it has been told as it is."""
        candle = self.quoted.candle(self._interval)
        row = None if candle is None else self._row(candle)
        if row is None or row == self.told:
            return None
        self.told = row
        return {"add": None, "modify": row}

    def turned(self) -> list[Row]:
        """What to say when the candle is another than the one that was told last: that one's end, and the new one."""
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
    """Somebody without the key."""


def _whole_number(data: dict[str, Any], name: str, otherwise: int) -> int:
    """A whole number above 0, in text as in the document, or as it is."""
    given = str(data.get(name, otherwise))
    if not re.fullmatch("[1-9][0-9]{0,8}", given):
        raise _Wrong(f"expected a whole number above 0 as {name}, got {given[:40]!a}")
    return int(given)


def _nothing() -> None:
    """Nothing to leave yet."""
