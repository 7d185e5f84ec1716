"""The simulated orbit, so that `--env sim` works: the venue's side of the protocol, on the markets of mon's simulator.

It is a reading of the venue's document of its own: it imports the core simulator, and nothing of the rest of this
package; else a mistake in the messages would be in both and never be seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from venues.simulator.market_events import BookChange, Trade

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from venues.simulator.endpoint import Answer, Connect, Handshake, Wire
    from venues.simulator.market_events import Event
    from venues.simulator.world import World


class Orbit:
    """The endpoint. `symbols` are the venue's names of mon's simulated markets."""

    name: ClassVar[str] = "orbit"
    scheme: ClassVar[str] = "ws"
    symbols: ClassVar[Mapping[str, str]] = {
        "BTC-USDT": "BTC_USDT",
        "ETH-USDT": "ETH_USDT",
        "SOL-USDT": "SOL_USDT",
    }
    credentials: ClassVar[Mapping[str, str]] = {}  # by the names of the entry's `secrets`

    def __init__(self, world: World) -> None:
        self._world = world

    def sockets(self) -> Mapping[str, Callable[[Handshake], Answer | Connect]]:
        """The paths of its WebSockets. Whoever must not connect gets an `Answer` with an HTTP status."""
        return {"/ws": lambda handshake: lambda wire: Peer(self._world, wire)}

    def posts(self) -> Mapping[str, Callable[[Handshake], Answer]]:
        """None: nothing answers an HTTP POST."""
        return {}

    def services(self, serve: Any, heartbeat: Any) -> Mapping[str, Any]:
        """None: no server of another maker answers here."""
        return {}

    @classmethod
    def values(cls, world: World | None) -> dict[str, Any]:
        """Empty: a client's configuration needs nothing of this world."""
        return {}


_SYMBOLS = {market: symbol for symbol, market in Orbit.symbols.items()}


class Peer:
    """The venue's side of one connection."""

    def __init__(self, world: World, wire: Wire) -> None:
        self._world = world
        self._wire = wire
        self._books: dict[str, int] = {}  # by symbol: the sequence sent last
        self._trades: set[str] = set()
        self._leave: Callable[[], None] = _nothing

    def opened(self) -> None:
        """Listens to the markets; nothing is sent before it is asked for."""
        self._leave = self._world.stage.listen(self._tell)

    def receive(self, frame: str | bytes) -> None:
        """Answers a request; what is none is ignored."""
        try:
            asked = msgspec.json.decode(frame)
            op, number, channel, symbols = (asked[name] for name in ("op", "id", "channel", "symbols"))
            known = [symbol for symbol in symbols if symbol in Orbit.symbols]
        except (msgspec.MsgspecError, UnicodeError, RecursionError, KeyError, TypeError):
            return
        if op == "unsubscribe":
            for symbol in known:
                self._books.pop(symbol, None) if channel == "book" else self._trades.discard(symbol)
        elif op == "subscribe" and channel in ("book", "trades"):
            self._send(type="subscribed", id=number, channel=channel, symbols=known)
            for symbol in known:
                self._begin(channel, symbol)
        else:
            self._send(type="error", id=number, message="expected subscribe or unsubscribe to book or trades")

    def closed(self) -> None:
        """Listens no more."""
        self._leave()

    def farewell(self, *, reconnect: bool) -> bytes:
        """The protocol has no last message."""
        return b""

    def gap(self) -> None:
        """Loses a change of every book: the next sequence is one too high."""
        self._books = {symbol: sequence + 1 for symbol, sequence in self._books.items()}

    def garbage(self) -> Iterator[bytes]:
        """Bad messages, for `mon sim --fault garbage`."""
        yield b'{"type":"snapshot","symbol":"BTC-US'
        yield b'{"type":"delta","symbol":"BTC-USDT","time":1,"sequence":"x","bids":[],"asks":[]}'
        yield b'{"type":"trade","symbol":"BTC-USDT","time":1,"id":"1","price":"NaN","size":"1","side":"buy"}'

    def _begin(self, channel: str, symbol: str) -> None:
        if channel == "trades":
            self._trades.add(symbol)
        else:
            self._books[symbol] = 0
            self._snapshot(symbol)
        self._world.joined(Orbit.symbols[symbol])

    def _snapshot(self, symbol: str) -> None:
        market = self._world.markets[Orbit.symbols[symbol]]
        rows = ([(str(level.price), str(level.size)) for level in market.levels(side)] for side in ("buy", "sell"))
        self._book("snapshot", symbol, *rows)

    def _tell(self, event: Event) -> None:
        symbol = _SYMBOLS[event.market]
        if isinstance(event, Trade) and symbol in self._trades:
            figures = {"price": str(event.price), "size": str(event.size), "side": event.side}
            self._send(type="trade", symbol=symbol, time=event.time, id=str(event.trade_id), **figures)
        elif isinstance(event, BookChange) and symbol in self._books:
            if event.whole:
                self._snapshot(symbol)
            else:
                rows = ([(str(price), str(size)) for price, size in side] for side in (event.bids, event.asks))
                self._book("delta", symbol, *rows)

    def _book(self, kind: str, symbol: str, bids: list[tuple[str, str]], asks: list[tuple[str, str]]) -> None:
        self._books[symbol] += 1
        now = self._world.clock.epoch_ms()
        self._send(type=kind, symbol=symbol, time=now, sequence=self._books[symbol], bids=bids, asks=asks)

    def _send(self, **message: Any) -> None:
        self._wire.send(msgspec.json.encode(message))


def _nothing() -> None:
    """Does nothing: it does not listen yet."""
