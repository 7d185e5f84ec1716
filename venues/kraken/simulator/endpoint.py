"""The simulated Kraken: one WebSocket, `/v2`, for all public channels, without any credential.

What the document leaves open is decided like this: an unknown channel and an unknown interval are refused in the words
of the older protocol; a frame that is no request is answered with an error; while the venue is in maintenance nothing
is matched, so no market data is sent; a market without a trade has no candle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

import msgspec
from msgspec import Struct

from venues.kraken.simulator.market import DEPTHS, INTERVALS, BookFrame, Quoted, Stamps, stamp
from venues.simulator.faults import BAD_NUMBERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from venues.simulator.endpoint import Answer, Connect, Handshake, Heartbeat, Serve, Service, Wire
    from venues.simulator.world import World

_HEARTBEAT: Final = b'{"channel":"heartbeat"}'
_IDLE_SECONDS: Final = 60  # without a subscription and without a request
_GOING_AWAY: Final = 1001
_TRIGGERS: Final = ("trades", "bbo")
_PRIVATE: Final = ("executions", "balances", "level3")
_NAMES: Final = {"USD": (4, 2), "BTC": (10, 5), "ETH": (10, 5), "SOL": (10, 5)}  # assets: precision, as displayed
_MAINTENANCE: Final = {
    "title": "Simulated maintenance",
    "phase": "imminent_5m",
    "affected_services": ["spot_ws", "spot_trading"],
    "recommended_action": "cancel open orders",
    "order_submission": "disabled",
    "source_url": "",
}

_encode: Final = msgspec.json.encode


class _Params(Struct):
    """What a client asks for; which of it counts depends on the channel."""

    channel: str = ""
    symbol: list[str] | None = None
    depth: int = 10
    interval: int = 1
    snapshot: bool | None = None
    event_trigger: str = "trades"


class _Request(Struct):
    method: str
    params: _Params | None = None
    req_id: int | None = None


_decode: Final = msgspec.json.Decoder(_Request).decode


class _Refused(Exception):
    """A request, or a symbol of it, that the venue does not take; the text is its answer."""


class Kraken:
    """The endpoint `/kraken`, with the markets that all its clients share."""

    name: ClassVar[str] = "kraken"
    scheme: ClassVar[str] = "ws"
    symbols: ClassVar[Mapping[str, str]] = {"BTC/USD": "BTC_USDT", "ETH/USD": "ETH_USDT", "SOL/USD": "SOL_USDT"}
    credentials: ClassVar[Mapping[str, str]] = {}

    def __init__(self, world: World) -> None:
        stamps = Stamps()
        self._world = world
        self._markets = {symbol: Quoted(world, symbol, name, stamps) for symbol, name in self.symbols.items()}
        self._connections = 7_734_965_360_043_499_011

    def sockets(self) -> Mapping[str, Callable[[Handshake], Answer | Connect]]:
        """The path of the one WebSocket; everybody is let in."""
        return {"/v2": self._admit}

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

    def _admit(self, handshake: Handshake) -> Connect:
        self._connections += 1
        return lambda link: KrakenPeer(self._world, link, self._markets, self._connections)


class KrakenPeer:
    """Kraken's side of one connection."""

    def __init__(self, world: World, link: Wire, markets: Mapping[str, Quoted], connection_id: int) -> None:
        self._world = world
        self._link = link
        self._markets = markets
        self._connection_id = connection_id
        self._subscribed: dict[tuple[str, str], tuple[dict[str, Any], Callable[[], None]]] = {}
        self._idle = 0
        self._troubles = Troubles(list(markets))
        self._is_mute = False

    def opened(self) -> None:
        """Says how the engine is, and begins to count seconds."""
        self._say_status()
        self._link.every(1.0, self._beat)
        for fault, action in (
            ("mute", self._fall_mute),
            ("halt", self._halt),
            ("checksum", self._troubles.damage),
        ):
            if seconds := self._world.faults.get(fault):
                self._link.every(seconds, action)

    def receive(self, frame: str | bytes) -> None:
        """Answers a request; one answer for each symbol, before any data."""
        self._idle = 0
        came = self._stamp()
        try:
            request = _decode(frame)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            self._answer({"error": "Malformed request", "success": False}, None, came)
            return
        if request.method == "ping":
            self._answer({"method": "pong"}, request.req_id, came)
        elif request.method in ("subscribe", "unsubscribe") and request.params is not None:
            self._asked(request, request.params, came)
        else:
            self._answer({"error": "Malformed request", "method": request.method, "success": False}, None, came)

    def closed(self) -> None:
        """Ends all subscriptions."""
        for _, leave in self._subscribed.values():
            leave()
        self._subscribed.clear()

    def farewell(self, *, reconnect: bool) -> bytes:
        """Empty: the protocol has no last message."""
        return b""

    def gap(self) -> None:
        """Loses the next change of each book that the checksum of the one after it shows."""
        self._troubles.gap()

    def garbage(self) -> Iterator[bytes]:
        """Half a message, wrong types, invalid numbers, and an unknown channel."""
        symbol = next(iter(self._markets))
        head = f'"type":"update","data":[{{"symbol":"{symbol}",'
        yield f'{{"channel":"book",{head}"bids":[{{"pri'.encode()
        yield f'{{"channel":"book",{head}"bids":"none","asks":[[1,2]],"checksum":1}}]}}'.encode()
        yield f'{{"channel":"trade",{head}"side":7,"price":true,"qty":[],"trade_id":"x"}}]}}'.encode()
        yield f'{{"channel":"ticker",{head}"last":{{}},"bid":"none"}}]}}'.encode()
        yield f'{{"channel":"ohlc",{head}"open":1,"interval_begin":"yesterday"}}]}}'.encode()
        for number in BAD_NUMBERS:
            row = f'{{"price":{number},"qty":1}}'
            yield f'{{"channel":"book",{head}"bids":[{row}],"asks":[],"checksum":1}}]}}'.encode()
        yield b'{"channel":"weather","type":"update","data":[{"rain":true}]}'

    # --- requests

    def _asked(self, request: _Request, params: _Params, came: str) -> None:
        results: list[tuple[str, dict[str, Any]]] = []
        try:
            self._check(params)
            symbols = [""] if params.channel == "instrument" else list(dict.fromkeys(params.symbol or ()))
        except _Refused as refused:
            said = {"error": str(refused), "method": request.method, "success": False}
            self._answer(said, request.req_id, came)
            return
        for symbol in symbols:
            take = self._subscribe if request.method == "subscribe" else self._unsubscribe
            try:
                result = take(params, symbol)
            except _Refused as refused:  # also of an unsubscription it is said that it was a subscription
                said = {"error": str(refused), "method": "subscribe", "success": False}
                self._answer(said | ({"symbol": symbol} if symbol else {}), request.req_id, came)
            else:
                self._answer({"method": request.method, "result": result, "success": True}, request.req_id, came)
                results.append((symbol, result))
        if request.method == "subscribe":
            for symbol, result in results:
                self._begin(params.channel, symbol, result)

    def _check(self, params: _Params) -> None:
        if params.channel in _PRIVATE:
            raise _Refused("Private data and trading are unavailable on this endpoint. Try ws-auth.kraken.com")
        if params.channel not in ("book", "trade", "ticker", "ohlc", "instrument"):
            raise _Refused("Subscription name invalid")
        if params.channel == "book" and params.depth not in DEPTHS:
            raise _Refused("Subscription depth not supported")
        if params.channel == "ohlc" and params.interval not in INTERVALS:
            raise _Refused("Subscription ohlc interval not supported")
        if params.channel == "ticker" and params.event_trigger not in _TRIGGERS:
            raise _Refused("Subscription event_trigger not supported")

    def _subscribe(self, params: _Params, symbol: str) -> dict[str, Any]:
        if params.channel != "instrument" and symbol not in self._markets:
            known = "/" in symbol
            raise _Refused(f"Currency pair not {'supported' if known else 'in ISO 4217-A3 format'} {symbol}")
        if (params.channel, symbol) in self._subscribed:
            ohlc = " to one ohlc interval on this symbol" if params.channel == "ohlc" else ""
            raise _Refused(f"Already subscribed{ohlc}")
        result = self._settings(params, symbol)
        result["snapshot"] = params.channel != "trade" if params.snapshot is None else params.snapshot
        if warning := {"ohlc": "timestamp is deprecated, use interval_begin",
                       "instrument": "tick_size is deprecated, use price_increment"}.get(params.channel):  # fmt: skip
            result["warnings"] = [warning]
        self._subscribed[params.channel, symbol] = result, _nothing
        return dict(sorted(result.items()))

    def _unsubscribe(self, params: _Params, symbol: str) -> dict[str, Any]:
        settings = self._settings(params, symbol)
        held = self._subscribed.get((params.channel, symbol))
        if held is None or any(held[0].get(name) != value for name, value in settings.items()):
            raise _Refused("Subscription Not Found")
        held[1]()
        del self._subscribed[params.channel, symbol]
        self._troubles.forget(params.channel, symbol)
        return dict(sorted(settings.items()))

    def _settings(self, params: _Params, symbol: str) -> dict[str, Any]:
        settings: dict[str, Any] = {"channel": params.channel}
        if symbol:
            settings["symbol"] = symbol
        named = {"book": "depth", "ohlc": "interval", "ticker": "event_trigger"}.get(params.channel)
        if named:
            settings[named] = getattr(params, named)
        return settings

    def _begin(self, channel: str, symbol: str, result: dict[str, Any]) -> None:
        """Sends the snapshot, if it was asked for, and then what changes."""
        if channel == "instrument":
            if result["snapshot"]:
                self._tell(self._instruments("snapshot", list(self._markets)))
            return
        market = self._markets[symbol]
        if channel == "book":
            leave = market.books[result["depth"]].join(lambda frame: self._book(frame, wanted=result["snapshot"]))
        else:
            leave = self._join(market, channel, result)
        self._subscribed[channel, symbol] = result, leave
        self._world.joined(market.name)

    def _join(self, market: Quoted, channel: str, result: dict[str, Any]) -> Callable[[], None]:
        name = {
            "trade": "trade",
            "ticker": f"ticker {result.get('event_trigger')}",
            "ohlc": f"ohlc {result.get('interval')}",
        }[channel]
        if result["snapshot"]:
            whole = {"trade": market.trades, "ticker": market.ticker}.get(channel)
            self._tell(market.candles(result["interval"]) if whole is None else whole())

        def hear(frame: bytes) -> None:
            self._tell(frame, market.symbol)

        market.hearers[name].add(hear)
        return lambda: market.hearers[name].discard(hear)

    # --- what is sent

    def _book(self, frame: BookFrame, *, wanted: bool) -> None:
        if frame.kind == "update" or wanted:
            for each in self._troubles.spoilt(frame):
                self._tell(each.text(), frame.symbol)

    def _tell(self, frame: bytes, symbol: str = "") -> None:
        """Sends data, unless there is a reason not to."""
        if self._is_mute:
            return
        if self._troubles.is_halted(symbol):
            self._troubles.held.append(frame)
        else:
            self._link.send(frame)

    def _answer(self, said: dict[str, Any], req_id: int | None, came: str) -> None:
        """Sends an answer; its keys are in alphabetical order."""
        answer = said | {"time_in": came, "time_out": self._stamp()} | ({} if req_id is None else {"req_id": req_id})
        self._link.send(_encode(dict(sorted(answer.items()))))

    def _say_status(self) -> None:
        state: dict[str, Any] = {"version": "2.0.10", "system": self._troubles.system, "api_version": "v2",
                                 "connection_id": self._connection_id}  # fmt: skip
        if "halt" in self._world.faults:
            state |= {"upcoming_maintenance": self._upcoming(), "emergency": []}
        self._link.send(_encode({"channel": "status", "type": "update", "data": [state]}))

    def _upcoming(self) -> list[dict[str, Any]]:
        if not self._troubles.is_announced:
            return []
        seconds = self._world.faults["halt"]
        now = self._world.clock.epoch_ms()
        begins, ends = (stamp(int(now + after * 1000) * 1000)[:-7] + "Z" for after in (seconds, 2 * seconds))
        times = {"expected_start_utc": begins, "expected_end_utc": ends, "cancel_before_utc": begins}
        return [{"event_id": "simulated-1", **_MAINTENANCE, **times, "time_to_start_s": int(seconds)}]

    def _instruments(self, kind: str, symbols: Sequence[str]) -> bytes:
        pairs = ",".join([self._pair(self._markets[symbol]) for symbol in symbols])
        assets = ",".join(
            f'{{"id":"{name}","status":"enabled","precision":{precision},"precision_display":{displayed},'
            f'"borrowable":false,"collateral_value":1.000,"class":"currency"}}'
            for name, (precision, displayed) in _NAMES.items()
            if kind == "snapshot"
        )
        return f'{{"channel":"instrument","type":"{kind}","data":{{"assets":[{assets}],"pairs":[{pairs}]}}}}'.encode()

    def _pair(self, market: Quoted) -> str:
        base, _, quote = market.symbol.partition("/")
        price, qty = market.price_precision, market.qty_precision
        step, lot = f"{10.0**-price:.{price}f}", f"1e-{qty:02}"  # an increment may come with an exponent
        return (
            f'{{"symbol":"{market.symbol}","base":"{base}","quote":"{quote}",'
            f'"status":"{self._troubles.pair_status(market.symbol)}","qty_precision":{qty},"qty_increment":{lot},'
            f'"price_precision":{price},"cost_precision":5,"marginable":false,"has_index":false,'
            f'"cost_min":0.5000,"tick_size":{step},"price_increment":{step},"qty_min":{lot}}}'
        )

    def _beat(self) -> None:
        self._idle += 1
        if self._subscribed:
            for late in self._troubles.too_late():
                self._tell(late.text(), late.symbol)
            if not self._is_mute:
                self._link.send(_HEARTBEAT)
        elif self._idle >= _IDLE_SECONDS:
            self._link.finish(_GOING_AWAY, "")

    # --- faults

    def _fall_mute(self) -> None:
        self._is_mute = True

    def _halt(self) -> None:
        told = self._troubles.halt()
        if told and ("instrument", "") in self._subscribed:
            self._tell(self._instruments("update", [told]))
        elif not told:
            self._say_status()
        if not self._troubles.is_halted(""):
            held, self._troubles.held = self._troubles.held, []
            for frame in held:
                self._link.send(frame)

    def _stamp(self) -> str:
        return f"{stamp(self._world.clock.epoch_ms() * 1000)}Z"


class Troubles:
    """The faults `checksum`, `gap` and `halt` of one connection. `held` are frames that wait for the end of a halt."""

    def __init__(self, symbols: Sequence[str]) -> None:
        self.held: list[bytes] = []
        self._symbols = symbols
        self._damaged = 0  # frames so far
        self._to_damage: set[str] = set()
        self._to_lose: set[str] = set()
        self._kept: dict[str, tuple[BookFrame, int]] = {}  # held back, and for how many beats
        self._step = 0

    # --- books

    def damage(self) -> None:
        """Damage the next frame of each book."""
        self._to_damage = set(self._symbols)

    def gap(self) -> None:
        """Lose the next change of each book."""
        self._to_lose = set(self._symbols)

    def forget(self, channel: str, symbol: str) -> None:
        """Drop what is held back of a book that is not subscribed to any more."""
        if channel == "book":
            self._kept.pop(symbol, None)

    def spoilt(self, frame: BookFrame) -> list[BookFrame]:
        """What is sent instead of a frame. A lost change is held back, and lost once another one follows."""
        symbol = frame.symbol
        if frame.kind == "snapshot":
            return [frame]
        self._kept.pop(symbol, None)
        is_proved = all(price in frame.best for rows in frame.rows for price, _ in rows)  # by the next checksum
        if symbol in self._to_lose and is_proved:
            self._to_lose.discard(symbol)
            self._kept[symbol] = frame, 0
            return []
        if symbol in self._to_damage and is_proved:
            self._to_damage.discard(symbol)
            self._damaged += 1
            return [_damaged(frame) if self._damaged % 2 else frame._replace(checksum=frame.checksum ^ 1)]
        return [frame]

    def too_late(self) -> list[BookFrame]:
        """The changes that were held back, and that none has followed within a second."""
        late = [frame for frame, beats in self._kept.values() if beats]
        self._kept = {symbol: (frame, 1) for symbol, (frame, beats) in self._kept.items() if not beats}
        return late

    # --- halts

    @property
    def system(self) -> str:
        """How the engine is."""
        return "maintenance" if self._step % 5 == 2 else "online"

    @property
    def is_announced(self) -> bool:
        """Whether maintenance is coming."""
        return self._step % 5 == 1

    def pair_status(self, symbol: str) -> str:
        """How a market is."""
        return "cancel_only" if self._step % 5 == 4 and symbol == self._symbols[0] else "online"

    def is_halted(self, symbol: str) -> bool:
        """Whether nothing is sent of a market now."""
        return self.system != "online" or self.pair_status(symbol) != "online"

    def halt(self) -> str:
        """Go one step on: announced, in maintenance, online, one market alone halted, and so on.

        Returns the market whose status has changed; "" where it is that of the engine.
        """
        self._step += 1
        return self._symbols[0] if self._step % 5 in (4, 0) else ""


def _damaged(frame: BookFrame) -> BookFrame:
    """The frame with another quantity in its first row, and the checksum of the right one."""
    bids, asks = frame.rows
    rows = bids or asks
    price, qty = rows[0]
    other = [(price, f"{qty[:-1]}{(int(qty[-1]) + 1) % 10}"), *rows[1:]]
    return frame._replace(rows=(other, asks) if bids else (bids, other))


def _nothing() -> None:
    """Does nothing: the subscription has not begun yet."""
