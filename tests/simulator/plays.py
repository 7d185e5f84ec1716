"""What each simulated venue says to one client in a played minute: no socket, no waiting, the same for the same seed.

`python -m tests.simulator.plays` writes `tests/golden/simulator.txt` anew, where something was changed on purpose.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from venues.simulated import endpoint
from venues.simulator import ManualClock
from venues.simulator.endpoint import Answer, Handshake, Request
from venues.simulator.session import BarePeer
from venues.simulator.world import World

GOLDEN = Path(__file__).parents[1] / "golden" / "simulator.txt"
STEP = 50  # milliseconds
SHOWN = 30  # frames of a play that the file has; of all of them it has the digest
LONGEST = 140  # characters of a frame there
END = "\x1e"
ACCOUNT = "64a1f0c2b7d94e0012ab34cd"


class Link:
    """A `Wire` to a client that reads everything at once."""

    def __init__(self, clock: ManualClock) -> None:
        self.frames: list[tuple[int, bytes]] = []
        self._clock = clock
        self._began = clock.epoch_ms()
        self._states: dict[str, Callable[[], bytes]] = {}
        self._repeated: list[list[Any]] = []  # when next, after how many milliseconds, what

    def note(self, data: bytes) -> None:
        if data:
            self.frames.append((self._clock.epoch_ms() - self._began, bytes(data)))

    def send(self, data: bytes, *, binary: bool = False) -> None:
        self.note(b"binary " * binary + data)

    def show(self, key: str, produce: Callable[[], bytes]) -> None:
        self._states[key] = produce

    def every(self, seconds: float, action: Callable[[], None]) -> None:
        self._repeated.append([self._clock.epoch_ms() + seconds * 1000, seconds * 1000, action])

    def finish(self, code: int, reason: str) -> None:
        self.note(f"finish {code} {reason}".encode())

    def abort(self) -> None:
        self.note(b"abort")

    def silence(self) -> float:
        return (self._clock.epoch_ms() - self._began) / 1000

    def step(self) -> None:
        """What is due by the clock; then the newest states."""
        for one in self._repeated:
            while one[0] <= self._clock.epoch_ms():
                one[0] += one[1]
                one[2]()
        states, self._states = self._states, {}
        for produce in states.values():
            self.note(produce())


class Play(NamedTuple):
    """A client of a venue: what it sends at which second, and in what world."""

    venue: str
    path: str
    sends: Mapping[float, list[str]] = {}
    query: Mapping[str, str] = {}
    parts: Mapping[str, str] = {}
    seconds: float = 60.0
    world: Mapping[str, Any] = {}
    gaps: tuple[float, ...] = ()


def _kraken(**params: Any) -> str:
    return json.dumps({"method": "subscribe", "req_id": 7, "params": params})


def _b2trader(*calls: tuple[str, list[Any]]) -> list[str]:
    asked = [
        json.dumps({"type": 4, "invocationId": str(number), "target": target, "arguments": [ACCOUNT, *arguments]}) + END
        for number, (target, arguments) in enumerate(calls)
    ]
    return [json.dumps({"protocol": "json", "version": 1}) + END, *asked, json.dumps({"type": 6}) + END]


def _jayx(event: str, **data: Any) -> str:
    return json.dumps({"event": event, "data": {"category": "spot", **data}})


KRAKEN_ALL = [
    _kraken(channel="instrument"),
    _kraken(channel="book", symbol=["BTC/USD", "ETH/USD", "X/USD"], depth=25),
    _kraken(channel="book", symbol=["BTC/USD"], depth=11),
    _kraken(channel="trade", symbol=["BTC/USD", "SOL/USD"], snapshot=True),
    _kraken(channel="ticker", symbol=["BTC/USD"], event_trigger="bbo"),
    _kraken(channel="ticker", symbol=["ETH/USD"]),
    _kraken(channel="ohlc", symbol=["BTC/USD", "SOL/USD"], interval=1),
    _kraken(channel="ohlc", symbol=["ETH/USD"], interval=7),
    _kraken(channel="executions"),
    _kraken(channel="weather", symbol=["BTC/USD"]),
    '{"method":"ping","req_id":3}',
    '{"method":"dance"}',
    "no JSON",
]
KRAKEN_LESS = [json.dumps({"method": "unsubscribe", "params": {"channel": "trade", "symbol": ["BTC/USD", "ETH/USD"]}})]
TOKEN = {"access_token": "sim-b2trader-token"}
WOOX_TOPICS = [
    *("orderbookupdate@SPOT_BTC_USDT@50", "orderbookupdate@SPOT_ETH_USDT@200", "orderbookupdaterpi@SPOT_SOL_USDT@50"),
    *("trade@SPOT_BTC_USDT", "bbo@SPOT_BTC_USDT", "ticker@SPOT_ETH_USDT", "kline@SPOT_BTC_USDT@1m"),
    *("kline@SPOT_ETH_USDT@5m", "trade@SPOT_X_Y", "kline@SPOT_BTC_USDT@2m", "bbo@SPOT_ETH_USDT"),
]


def _woox(command: str, *topics: str) -> str:
    return json.dumps({"id": "1", "cmd": command, "params": [*topics]})


WOOX_ALL = [
    _woox("SUBSCRIBE", *WOOX_TOPICS),
    _woox("SUBSCRIBE", *WOOX_TOPICS[:7]),
    _woox("SUBSCRIBE", *WOOX_TOPICS[7:]),
]
PLAYS: dict[str, Play] = {
    "kraken": Play("kraken", "/v2", {0: KRAKEN_ALL, 40: KRAKEN_LESS}),
    "kraken in trouble": Play(
        "kraken", "/v2", {0: KRAKEN_ALL}, world={"faults": {"checksum": 3.0, "halt": 9.0}}, gaps=(11, 30)
    ),
    "kraken mute and left alone": Play(
        "kraken", "/v2", {3: KRAKEN_ALL[3:4]}, world={"faults": {"mute": 5.0}}, seconds=70
    ),
    "kraken idle": Play("kraken", "/v2", seconds=70),
    "nexus": Play(
        "nexus",
        "/ws/{key}/{symbol}",
        {0: ['{"event":"PING"}', '{"event":"ping"}', "x"]},
        parts={"key": "sim-nexus-client-key", "symbol": "SPOT_BTC_USDT"},
    ),
    "woox": Play(
        "woox",
        "/v3/public",
        {
            0: [*WOOX_ALL, '{"cmd":"PING"}', "x"],
            30: [_woox("UNSUBSCRIBE", "bbo@SPOT_BTC_USDT", "no@X")],
        },
        gaps=(11, 35),
    ),
    "woox with versions left out": Play(
        "woox", "/v3/public", {0: [_woox("SUBSCRIBE", *WOOX_TOPICS[:3])]}, world={"skip": 2.0}, seconds=20
    ),
    "woox in trouble": Play(
        "woox",
        "/v3/public",
        {0: WOOX_ALL},
        world={"faults": {"mute": 9.0, "lag": 1.0}},
        seconds=30,
    ),
    "woox retail": Play(
        "woox",
        "/v3/public",
        {
            0: [
                _woox(
                    "SUBSCRIBE", "bborpi@SPOT_BTC_USDT", "orderbookupdaterpi@SPOT_ETH_USDT@200", "bborpi@SPOT_ADA_USDT"
                )
            ],
            19: [_woox("UNSUBSCRIBE", "bborpi@SPOT_BTC_USDT")],
        },
        seconds=20,
    ),
    "woox left alone": Play("woox", "/v3/public", {0: [_woox("SUBSCRIBE", WOOX_TOPICS[3])]}, seconds=130),
    "b2trader trading": Play(
        "b2trader",
        "/frontoffice/ws/v4/account",
        {0: _b2trader(("OpenOrders", []), ("OpenPositions", []), ("ClosePositionsOrders", []), ("Weather", []))},
        TOKEN,
    ),
    "b2trader account": Play(
        "b2trader", "/frontoffice/ws/v3/account", {0: _b2trader(("FullBalance", []), ("MarginData", []))}, TOKEN
    ),
    "b2trader market": Play(
        "b2trader",
        "/marketdata/v5/info",
        {
            0: _b2trader(
                ("Book", ["spot.btc_usdt"]),
                ("Book", ["spot.x_y"]),
                ("Chart", ["spot.btc_usdt@1m"]),
                ("Chart", ["spot.btc_usdt@1x"]),
                ("TradingData", [["spot.btc_usdt", "spot.eth_usdt"]]),
                ("Tob", [["spot.sol_usdt"]]),
                ("Summary", [["spot.btc_usdt"]]),
                ("Summary", ["spot.btc_usdt"]),
            ),
            40: [json.dumps({"type": 5, "invocationId": "0"}) + END],
        },
        TOKEN,
        gaps=(15,),
    ),
    "jayx": Play(
        "jayx",
        "",
        {
            0: [
                _jayx("orderbook", symbol="BTCUSDT", precise="10"),
                _jayx("kline", symbol="BTCUSDT", interval="60"),
                _jayx("kline", symbol="ETHUSDT", interval="7"),
                _jayx("positions", apiKey="sim-jayx-api-key"),
                _jayx("openorders", apiKey="sim-jayx-api-key", symbol="BTCUSDT"),
                _jayx("openorders", apiKey="sim-jayx-api-key", symbol="X"),
                _jayx("weather"),
                '{"event":"kline","data":7}',
                "x",
            ],
            50: [_jayx("orderbook", symbol="ETHUSDT", precise="1")],
            58: [_jayx("positions", apiKey="wrong")],
        },
    ),
    "profitview": Play("profitview", "/stream", {0: ["x"]}, {"token": "sim-profitview-api-key"}, seconds=150),
    "nbt": Play(
        "nbt",
        "socket.io",
        {
            5: [
                json.dumps({"event": name, "data": {"key": "sim-nbt-key", "stratname": "s", "pair": "BTCUSDT", **more}})
                for name, more in (
                    *(
                        ("buy_signal", {"price": "7"}),
                        ("buy_signal", {}),
                        ("sell_signal", {"price": "1.5"}),
                        ("dance", {}),
                    ),
                    *(("traded_buy_signal", {"price": 7, "timestamp": 5}), ("sell_signal", {"pair": ""})),
                    *(
                        ("sell_signal", {"key": "x"}),
                        ("traded_sell_signal", {}),
                        ("message", {}),
                        ("stop_loss", {}),
                        ("sell_signal", {"price": "x"}),
                    ),
                )
            ]
        },
        {"key": "sim-nbt-key", "type": "client"},
        seconds=300,
        world={"hush": 30.0},
    ),
    "nbt sender": Play(
        "nbt",
        "socket.io",
        {0: ['{"event":"buy_signal","data":[]}']},
        {"key": "sim-nbt-key", "type": "server"},
        seconds=60,
    ),
}
REQUESTS = [
    ("GET /v3/public/orderbook", {"symbol": "SPOT_BTC_USDT"}),
    ("GET /v3/public/orderbook", {"symbol": "SPOT_ETH_USDT", "maxLevel": "7", "rpi": "true"}),
    ("GET /v3/public/orderbook", {"symbol": "SPOT_ETH_USDT", "maxLevel": "0"}),
    ("GET /v3/public/orderbook", {"symbol": "SPOT_ETH_USDT", "maxLevel": "9999"}),
    ("GET /v3/public/orderbook", {"symbol": "X"}),
    ("GET /v3/public/orderbook", {}),
    ("GET /v3/public/instruments", {}),
    ("GET /v3/public/systemInfo", {}),
]


def frames(play: Play) -> list[tuple[int, bytes]]:
    """Everything that the client gets, with the milliseconds since it came."""
    clock = ManualClock()
    world = World(clock, **{"seed": 5, "rate": 3.0, **play.world})
    venue = endpoint(play.venue)(world)
    link = Link(clock)
    began = clock.epoch_ms()
    _driven(world, clock, link, 30_000)  # it comes when something has happened already
    handshake = Handshake(play.parts, play.query, {})
    connect = (
        (lambda wire: BarePeer(wire, lambda voice: venue._enter(voice, handshake)))
        if play.path == "socket.io"
        else venue.sockets()[play.path](handshake)
    )
    assert not isinstance(connect, Answer), connect
    peer = connect(link)
    peer.opened()
    sends, gaps = dict(play.sends), list(play.gaps)
    began = clock.epoch_ms()
    while (gone := (clock.epoch_ms() - began) / 1000) < play.seconds:
        for at in [at for at in sends if at <= gone]:
            for text in sends.pop(at):
                peer.receive(text)
        if gaps and gaps[0] <= gone:
            gaps.pop(0)
            peer.gap()
        _driven(world, clock, link, STEP)
    for data in islice(peer.garbage(), 400):
        link.note(b"garbage " + data)
    for reconnect in (True, False):
        link.note(b"farewell " + peer.farewell(reconnect=reconnect))
    peer.closed()
    before = len(link.frames)
    _driven(world, clock, link, 5_000)
    assert len(link.frames) <= before + 20, "what was begun for it has ended"
    return link.frames


def _driven(world: World, clock: ManualClock, link: Link, milliseconds: int) -> None:
    for _ in range(milliseconds // STEP):
        clock.advance(STEP)
        world.advance(clock.epoch_ms())
        link.step()


def answers() -> Iterator[tuple[int, bytes]]:
    """Those to requests over HTTP: as they are asked, then too many at once."""
    clock = ManualClock()
    world = World(clock, seed=5, rate=3.0, faults={"lag": 1.0})
    respond = endpoint("woox")(world).requests()
    for number in range(40):
        clock.advance(1_000 if number < 16 else 0)
        world.advance(clock.epoch_ms())
        what, query = REQUESTS[number % len(REQUESTS)] if number < 16 else REQUESTS[0]
        method, _, path = what.partition(" ")
        got = respond[f"{method} {path}"](Request(method, {}, query, {}, b""))
        yield number, f"{got.status} {got.content_type} {got.text}".encode()


def happenings() -> Iterator[tuple[int, bytes]]:
    """All that happens in a world, with two rates."""
    for rate, minutes in ((20.0, 10), (0.5, 240)):
        world = World(ManualClock(), seed=3, rate=rate)
        events: list[Any] = []
        world.stage.listen(events.append)
        began = world.stage.now
        world.advance(began + minutes * 60_000)
        yield from ((event.time - began if hasattr(event, "time") else 0, repr(event).encode()) for event in events)
        for account in (world.account.balances, *world.account.open_orders()):
            yield minutes, repr(account).encode()


def written(title: str, frames: list[tuple[int, bytes]]) -> str:
    """A part of the file."""
    digest = sha256(b"\n".join(b"%d %b" % one for one in frames)).hexdigest()
    lines = [f"{at:6} {data.decode(errors='backslashreplace')!a}"[:LONGEST] for at, data in frames[:SHOWN]]
    return "\n".join([f"== {title}", *lines, f"{len(frames)} in all, {digest}", ""])


def parts() -> dict[str, Callable[[], list[tuple[int, bytes]]]]:
    """Each part of the file by its title."""
    of_venues = {title: (lambda play=play: frames(play)) for title, play in PLAYS.items()}
    return {**of_venues, "woox over HTTP": lambda: [*answers()], "the world": lambda: [*happenings()]}


if __name__ == "__main__":
    GOLDEN.write_text("\n".join(written(title, made()) for title, made in parts().items()), encoding="utf-8")
