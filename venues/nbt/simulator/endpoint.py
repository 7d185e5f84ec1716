"""The simulated NBT hub: strategies send signals to it, traders receive them.

A client says who it is in the query of its connection, `v=…&type=client|server&key=…`. What the document leaves open
is decided like this.

- An unknown key, or another type, is refused at the connect with the reason.
- Every `type=client` gets all signals, the hub's own and those of senders, but not the ones that it sent itself. A
  `type=server` gets nothing. Both types may send anything: the hub knows a signal by its event. For as long as the
  world says, a new client gets none of the hub's own signals, so that its first one is that of a sender being tried.
- Traded signals concern only the account: they go to its other `type=client` connections, so that a second trader or a
  monitor sees what was traded. `close_traded_signal` and `stop_traded_signal` come from the hub alone: the account is
  to close a traded position at the current price, or not to follow it any more.
- `new` is whether a signal opens: a buy closes where the same user, strategy and pair are short, a sell where they are
  long; traded signals are counted apart from the strategy's own. A signal that repeats the last one opens once more.
- A strategy without a `stratid` gets one at its first signal. A price that is not given is the hub's: the best ask for
  a buy, the best bid for a sell, if the pair is one of the simulator's markets.
- `message`, `stop_profit` and `stop_loss` are passed on as they were sent. A value with the sender's key in it is not.
- An event that asks for an acknowledgement gets `{"status":"ok"}`, or `{"status":"error","message":…}`. After a wrong
  event an event `error` comes as well.
- Right after its connect a `type=client` gets its `user_payload`.
"""

from __future__ import annotations

import json
import math
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar, Final

from venues.nbt.simulator.strategies import Doings, price_text, user_payload
from venues.simulator.faults import BAD_NUMBERS
from venues.simulator.figures import text
from venues.simulator.session import BadEvent, Refused
from venues.simulator.socketio_path import SocketIo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from venues.simulator.endpoint import Answer, Connect, Handshake, Heartbeat, Serve, Service
    from venues.simulator.session import Visit, Voice
    from venues.simulator.world import World

PAIRS: Final = {"BTCUSDT": "BTC_USDT", "ETHUSDT": "ETH_USDT", "SOLUSDT": "SOL_USDT"}
USER_ID: Final = "3301"
NICKNAME: Final = "simulated trader"
_TYPES: Final = ("client", "server")
_SIGNALS: Final = {"buy_signal": "buy", "sell_signal": "sell"}
_TRADED: Final = {"traded_buy_signal": "buy", "traded_sell_signal": "sell"}
_PASSED_ON: Final = ("message", "stop_profit", "stop_loss")
_LONGEST: Final = 200  # characters of a name, a text or a number
_MOST_STRATEGIES: Final = 10_000
_MOST_HELD: Final = 10_000  # positions; the oldest are forgotten
_FIRST_STRATEGY: Final = 5_001


class Nbt:
    """The endpoint `/nbt`. It has no markets of its own: the sender of a signal chooses the name of its pair."""

    name: ClassVar[str] = "nbt"
    scheme: ClassVar[str] = "ws"
    symbols: ClassVar[Mapping[str, str]] = {}
    credentials: ClassVar[Mapping[str, str]] = {"key": "sim-nbt-key"}

    def __init__(self, world: World) -> None:
        self._hub = _Hub(world, self.credentials["key"])
        world.add(Doings(world, PAIRS, world.rate, self._hub.tell_own))

    def sockets(self) -> Mapping[str, Callable[[Handshake], Answer | Connect]]:
        """No path: the hub speaks Socket.IO only."""
        return {}

    def posts(self) -> Mapping[str, Callable[[Handshake], Answer]]:
        """No path: nothing answers an HTTP POST here."""
        return {}

    def services(self, serve: Serve, heartbeat: Heartbeat) -> Mapping[str, Service]:
        """The path of the Socket.IO server, `/socket.io/`."""
        return {"/socket.io/": SocketIo(serve, self._enter, heartbeat)}

    @classmethod
    def values(cls, world: World | None) -> dict[str, Any]:
        """Empty: a client's configuration needs nothing of this world."""
        return {}

    def _enter(self, voice: Voice, handshake: Handshake) -> Visit:
        if handshake.query.get("key") != self.credentials["key"]:
            raise Refused("unknown key: connect with your BvA key in the query")
        kind = handshake.query.get("type")
        if kind not in _TYPES:
            raise Refused(f"expected type=client or type=server in the query, got {str(kind)[:40]!a}")
        return _Session(self._hub, voice, receives=kind == "client")


class _Wrong(Exception):
    """A signal that the hub refuses; the text is the reason that its sender gets."""


class _Hub:
    """The connected clients, and what is known of the signals so far."""

    def __init__(self, world: World, key: str) -> None:
        self._world = world
        self._key = key
        self._sessions: list[_Session] = []
        self._held: dict[tuple[bool, str, str], str] = {}  # the side that is held, by (traded or not, strategy, pair)
        self._strategies: dict[str, str] = {}  # ids by name

    def join(self, session: _Session) -> None:
        session.joined_at = self._world.stage.now
        self._sessions.append(session)

    def leave(self, session: _Session) -> None:
        if session in self._sessions:
            self._sessions.remove(session)

    def tell(self, event: str, data: Any, sender: _Session) -> None:
        """Send an event to all clients that receive, except its sender."""
        for session in self._sessions:
            if session is not sender:
                session.voice.say(event, data)

    def tell_own(self, event: str, data: Any) -> None:
        """Send one of the hub's own events; a signal only to clients that have been here for a while."""
        latest = self._world.stage.now - self._world.hush * 1000
        for session in self._sessions:
            if session.joined_at <= latest or not event.endswith("_signal"):
                session.voice.say(event, data)

    def take(self, event: str, data: Any, sender: _Session) -> None:
        """Check a sender's signal, and send the others their form of it."""
        traded = event in _TRADED
        side = (_TRADED if traded else _SIGNALS).get(event)
        if side is None:
            raise _Wrong(f"unknown event {event[:40]!a}; there are {', '.join((*_SIGNALS, *_TRADED))}")
        if not isinstance(data, dict):
            raise _Wrong(f"expected an object with {event}")
        if data.get("key") != self._key:
            raise _Wrong(f"expected your key in {event}")
        strategy, pair = _word(data, "stratname"), _word(data, "pair")
        told: dict[str, Any] = {
            "userid": USER_ID,
            "nickname": NICKNAME,
            "stratid": self._strategy_id(strategy, data.get("stratid")),
            "stratname": strategy,
            "pair": pair,
        }
        told |= self._traded(data) if traded else self._signal(data, side, pair)
        _check_json(told, event)
        told["new"] = self._opens(traded, strategy, pair, side)
        self.tell(event, {name: value for name, value in told.items() if self._key not in str(value)}, sender)

    def _signal(self, data: dict[str, Any], side: str, pair: str) -> dict[str, Any]:
        price = _figure(data, f"{side}_price")
        if price is None and pair in PAIRS:
            best = self._world.markets[PAIRS[pair]].best("sell" if side == "buy" else "buy")
            price = None if best is None else price_text(best)
        found: dict[str, Any] = {"price": price, "score": "NA"}
        for name in _PASSED_ON:
            if name != "message":
                _figure(data, name)
            found[name] = data.get(name)
        return {name: value for name, value in found.items() if value is not None}

    def _traded(self, data: dict[str, Any]) -> dict[str, Any]:
        _figure(data, "qty")
        found = {"trading_type": data.get("trading_type"), "qty": data.get("qty")}
        return {name: value for name, value in found.items() if value is not None}

    def _opens(self, traded: bool, strategy: str, pair: str, side: str) -> bool:
        held = self._held.pop((traded, strategy, pair), None)
        if held is not None and held != side:
            return False
        self._held[traded, strategy, pair] = side
        if len(self._held) > _MOST_HELD:
            del self._held[next(iter(self._held))]
        return True

    def _strategy_id(self, strategy: str, given: object) -> str:
        if isinstance(given, str | int) and not isinstance(given, bool) and given != "":
            return str(given)[:_LONGEST]
        if strategy not in self._strategies and len(self._strategies) >= _MOST_STRATEGIES:
            raise _Wrong(f"expected at most {_MOST_STRATEGIES} strategies")
        return self._strategies.setdefault(strategy, str(_FIRST_STRATEGY + len(self._strategies)))


class _Session:
    """One client; `receives`: it gets the signals of others."""

    def __init__(self, hub: _Hub, voice: Voice, *, receives: bool) -> None:
        self.voice = voice
        self.joined_at: int  # milliseconds since the epoch, of the world's time; once it receives
        self._hub = hub
        self._receives = receives

    def opened(self) -> None:
        if self._receives:
            self.voice.say("user_payload", user_payload())
            self._hub.join(self)

    def receive(self, event: str, data: Any) -> dict[str, Any]:
        """Take a signal; returns what an acknowledgement says."""
        try:
            self._hub.take(event, data, self)
        except _Wrong as wrong:
            self.voice.say("error", {"message": str(wrong)})
            return {"status": "error", "message": str(wrong)}
        return {"status": "ok"}

    def closed(self) -> None:
        self._hub.leave(self)

    def garbage(self) -> Iterator[BadEvent]:
        """Signals without a pair, of wrong types and with invalid figures, and an unknown event."""
        yield BadEvent("buy_signal", b'{"stratid":"1","new":true}')
        yield BadEvent("buy_signal", b'["BTCUSDT"]')
        yield BadEvent("buy_signal", b'{"pair":"BTCUSDT"')
        yield BadEvent("sell_signal", b'{"pair":7,"new":"yes","stratid":{}}')
        yield BadEvent("close_traded_signal", b'{"pair":"BTCUSDT","qty":[]}')
        yield BadEvent("stop_traded_signal", b"null")
        for number in (*BAD_NUMBERS, '"NaN"', '" 1"', "true"):
            yield BadEvent("sell_signal", f'{{"pair":"BTCUSDT","new":true,"price":{number}}}'.encode())
        yield BadEvent("weather", b'{"rain":true}')


def _word(data: dict[str, Any], name: str) -> str:
    given = data.get(name)
    if not isinstance(given, str) or not 0 < len(given) <= _LONGEST:
        raise _Wrong(f"expected a text of 1 to {_LONGEST} characters as {name}")
    return given


def _check_json(told: dict[str, Any], event: str) -> None:
    """Refuses what is not JSON: python-socketio also reads bytes of a binary attachment, and NaN."""
    try:
        json.dumps(told, allow_nan=False)
    except (TypeError, ValueError):
        raise _Wrong(f"expected JSON with {event}, got binary data or NaN") from None


def _figure(data: dict[str, Any], name: str) -> str | None:
    """A number, given as such or as a text, as a text; None if it is not given."""
    given = data.get(name)
    if given is None:
        return None
    try:
        if isinstance(given, str) and len(given) <= _LONGEST and Decimal(given).is_finite():
            return given
        if isinstance(given, int | float) and not isinstance(given, bool) and math.isfinite(given):
            return text(Decimal(repr(given)))
    except ArithmeticError:
        pass
    raise _Wrong(f"expected a number as {name}, got {str(given)[:40]!a}")
