"""The simulated ProfitView: the private feed of one account, on which one bot publishes what it sees of a market.

The path is `/stream?token=<api_key>`; every message is `{"type": topic, "data": …}`, all topics on one socket. A bot
may publish anything, so this one publishes one topic of each kind: the document's quote, trade and candle as a callback
gets them, its signal, a theoretical price as real bots publish it, and a topic without data.
"""

from __future__ import annotations

import hmac
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar, Final

import msgspec

from venues.simulator.endpoint import Answer
from venues.simulator.faults import BAD_NUMBERS
from venues.simulator.market_events import Trade

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from venues.simulator.endpoint import Connect, Handshake, Wire
    from venues.simulator.market import MarketBook
    from venues.simulator.market_events import Event, Level
    from venues.simulator.world import World

_MARKET: Final = "BTC_USDT"
_SRC: Final = "simulator"
_SYM: Final = "BTCUSDT"
_MINUTE: Final = 60_000
_CENT: Final = Decimal("0.01")
_WEIGHT: Final = Decimal("0.05")  # the weight of the latest trade in the theoretical price
_STRONG: Final = Decimal("0.1")  # basis points between the two prices at which the bot takes a position

# Seconds between two messages of a topic.
_QUOTE_EVERY: Final = 0.5
_THEO_EVERY: Final = 1.0
_HEARTBEAT_EVERY: Final = 5.0

_encode: Final = msgspec.json.Encoder(decimal_format="number").encode


class ProfitView:
    """The endpoint `/profitview`, with the feed of one bot."""

    name: ClassVar[str] = "profitview"
    scheme: ClassVar[str] = "ws"
    symbols: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("merton_theo", "btc_quote", "btc_trade", "btc_candle_1m", "btc_signal", "heartbeat"), _MARKET
    )
    credentials: ClassVar[Mapping[str, str]] = {"api_key": "sim-profitview-api-key"}

    def __init__(self, world: World) -> None:
        self._world = world
        self._bot = _Bot(world)

    def sockets(self) -> Mapping[str, Callable[[Handshake], Answer | Connect]]:
        """The path of the feed; a client needs the key as `token` in the query."""
        return {"/stream": self._admit}

    def posts(self) -> Mapping[str, Callable[[Handshake], Answer]]:
        """No path: nothing answers an HTTP POST here."""
        return {}

    def services(self, serve: Any, heartbeat: Any) -> Mapping[str, Any]:
        """No path: no server of another maker answers here."""
        return {}

    @classmethod
    def values(cls, world: World | None) -> dict[str, Any]:
        """Empty: a client's configuration needs nothing of this world."""
        return {}

    def _admit(self, handshake: Handshake) -> Answer | Connect:
        token = handshake.query.get("token", "")
        if not hmac.compare_digest(token.encode(errors="replace"), self.credentials["api_key"].encode()):
            return Answer(401, "unknown token\n")
        return lambda link: _Peer(self._world, link, self._bot)


class _Bot:
    """The bot, which follows its market also while nobody reads its feed."""

    def __init__(self, world: World) -> None:
        self._market: MarketBook = world.markets[_MARKET]
        self._theo: Decimal | None = None
        self._size = Decimal(0)
        self._candle: dict[str, Any] = {}
        self._readers: dict[object, Callable[[bytes], None]] = {}
        world.stage.listen(self._hear)

    def join(self, reader: Callable[[bytes], None]) -> Callable[[], None]:
        """Send every trade, candle and signal to `reader` from now on; the returned function ends that."""
        token = object()
        self._readers[token] = reader

        def leave() -> None:
            self._readers.pop(token, None)

        return leave

    def quote(self, now: int) -> dict[str, Any] | None:
        """The document's quote; None while a side is empty."""
        bid, ask = self._best()
        if bid is None or ask is None:
            return None
        return {"bid": [bid.price, bid.size], "ask": [ask.price, ask.size], "time": now}

    def theo(self) -> dict[str, Any] | None:
        """The theoretical price beside the market's middle; None before there is one."""
        bid, ask = self._best()
        if bid is None or ask is None:
            return None
        middle = (bid.price + ask.price) / 2
        theo = middle if self._theo is None else self._theo
        half = (ask.price - bid.price) / 2
        return {
            "sym": _SYM,
            "market": middle,
            "theo": theo.quantize(_CENT),
            "diff_bps": _basis_points(theo, middle),
            "quote_bid": (theo - half).quantize(_CENT),
            "quote_ask": (theo + half).quantize(_CENT),
        }

    def _best(self) -> tuple[Level | None, Level | None]:
        bids, asks = self._market.levels("buy"), self._market.levels("sell")
        return (bids[0] if bids else None), (asks[0] if asks else None)

    def _hear(self, event: Event) -> None:
        if not isinstance(event, Trade) or event.market != _MARKET:
            return
        self._theo = event.price if self._theo is None else self._theo + _WEIGHT * (event.price - self._theo)
        self._extend_candle(event)
        side = "Buy" if event.side == "buy" else "Sell"
        self._publish("btc_trade", {"side": side, "price": event.price, "size": event.size, "time": event.time})
        self._publish("btc_candle_1m", self._candle)
        self._judge(event.price)

    def _extend_candle(self, trade: Trade) -> None:
        start = trade.time // _MINUTE * _MINUTE
        price, candle = trade.price, self._candle
        if candle.get("time") != start:
            self._candle = {
                "time": start, "open": price, "high": price, "low": price, "close": price, "volume": trade.size
            }  # fmt: skip
            return
        candle["high"], candle["low"] = max(candle["high"], price), min(candle["low"], price)
        candle["close"], candle["volume"] = price, candle["volume"] + trade.size

    def _judge(self, price: Decimal) -> None:
        """Goes long while the market is well below the theoretical price, short well above; publishes changes."""
        assert self._theo is not None
        difference = _basis_points(self._theo, price)
        size = Decimal("0.5") if difference > _STRONG else Decimal("-0.5") if difference < -_STRONG else Decimal(0)
        if size != self._size:
            self._size = size
            self._publish("btc_signal", {"src": _SRC, "sym": _SYM, "size": size})

    def _publish(self, topic: str, data: Any) -> None:
        if self._readers:
            message = _message(topic, data)
            for reader in tuple(self._readers.values()):
                reader(message)


class _Peer:
    """The feed on one connection."""

    def __init__(self, world: World, link: Wire, bot: _Bot) -> None:
        self._world = world
        self._link = link
        self._bot = bot
        self._last_quote: list[Any] = []
        self._leave = _nothing

    def opened(self) -> None:
        """Send one message of each timed topic, and from now on what the bot publishes."""
        self._heartbeat()
        self._theo()
        self._quote()
        self._leave = self._bot.join(self._link.send)
        self._link.every(_HEARTBEAT_EVERY, self._heartbeat)
        self._link.every(_THEO_EVERY, self._theo)
        self._link.every(_QUOTE_EVERY, self._quote)
        self._world.joined(_MARKET)

    def receive(self, frame: str | bytes) -> None:
        """Ignores what the client sends: a feed is only read."""

    def closed(self) -> None:
        self._leave()

    def farewell(self, *, reconnect: bool) -> bytes:
        return b""

    def gap(self) -> None:
        """Does nothing: messages have no numbers, so no client could notice a lost one."""

    def garbage(self) -> Iterator[bytes]:
        """Half a message, one without a type or with a wrong one, and invalid numbers."""
        yield _message("btc_quote", self._bot.quote(self._world.clock.epoch_ms()))[:30]
        yield b'{"data":{"sym":"BTCUSDT","theo":1}}'
        yield b'{"type":7,"data":null}'
        yield b'["merton_theo",{"theo":1}]'
        for number in BAD_NUMBERS[1:]:  # a text is good JSON, and so good data
            yield f'{{"type":"merton_theo","data":{{"sym":"{_SYM}","theo":{number}}}}}'.encode()
        yield b'{"type":"merton_theo","data":%b%b}' % (b"[" * 1_000, b"]" * 1_000)

    def _heartbeat(self) -> None:
        self._link.send(_message("heartbeat", None))

    def _theo(self) -> None:
        theo = self._bot.theo()
        if theo is not None:
            self._link.send(_message("merton_theo", theo))

    def _quote(self) -> None:
        """Publish the quote if it has changed since the last one."""
        quote = self._bot.quote(self._world.clock.epoch_ms())
        if quote is not None and (top := [quote["bid"], quote["ask"]]) != self._last_quote:
            self._last_quote = top
            self._link.send(_message("btc_quote", quote))


def _basis_points(theo: Decimal, market: Decimal) -> Decimal:
    return ((theo - market) / market * 10_000).quantize(_CENT) + 0  # never -0.00


def _message(topic: str, data: Any) -> bytes:
    return _encode({"type": topic, "data": data})


def _nothing() -> None:
    """Does nothing: the client does not listen to the bot yet."""
