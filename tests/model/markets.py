"""Games with the simulated venues: all streams of a venue at once, over lines on which anything may go wrong.

As `tests.model.games`, whose file they are in: nothing is judged, but all has to be as it was.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Mapping, Sequence
from random import Random
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from tests.model.damage import damaged
from tests.simulator.plays import ACCOUNT, END, Link
from venues import venue_named
from venues.driver import Driver
from venues.made import routes_of
from venues.simulated import endpoint
from venues.simulator import ManualClock
from venues.simulator.endpoint import Answer, Handshake, Request
from venues.simulator.world import World
from venues.venue import Close, Fetch, HttpRequest, HttpResponse, Now, Settings, SocketPing, Subscription, Veiled

STEP = 100  # milliseconds
SECONDS = 90.0
STATUSES = (0, 429, 500, 503)


class Market(NamedTuple):
    """A venue, what is asked of it, and what it may say out of turn."""

    venue: str
    subscriptions: Sequence[Subscription]
    says: Sequence[str] = ()
    values: Mapping[str, Any] = {}
    secrets: Mapping[str, str] = {}
    faults: Mapping[str, float] = {}


def _kraken_error(symbol: str, words: str) -> str:
    return json.dumps({"method": "subscribe", "symbol": symbol, "success": False, "error": words})


def _kraken_ack(**result: Any) -> str:
    return json.dumps({"method": "subscribe", "result": result, "success": True, "req_id": 1})


def _kraken_status(system: str, **more: str) -> str:
    return json.dumps(
        {"channel": "status", "type": "update", "data": [{"system": system, "api_version": "v2", **more}]}
    )


def _kraken_pair(status: str) -> str:
    pair = {
        "symbol": "BTC/USD",
        "base": "BTC",
        "quote": "USD",
        "status": status,
        "price_precision": 2,
        "qty_precision": 8,
    }
    return json.dumps({"channel": "instrument", "type": "update", "data": {"assets": [], "pairs": [pair]}})


KRAKEN_SAYS = (
    *(_kraken_status("maintenance"), _kraken_status("online"), _kraken_status("cancel_only"), _kraken_status("online")),
    *(_kraken_pair("cancel_only"), _kraken_pair("online"), _kraken_pair("work_in_progress"), _kraken_pair("online")),
    _kraken_error("ETH/USD", "Already subscribed"),
    _kraken_error("ETH/USD", "Currency pair not supported"),
    _kraken_error("", "Exceeded msg rate"),
    _kraken_error("", "EGeneral:Unknown"),
    json.dumps({"method": "unsubscribe", "symbol": "BTC/USD", "success": False, "error": "Subscription Not Found"}),
    _kraken_ack(channel="book", symbol="BTC/USD", depth=25, snapshot=True),
    _kraken_ack(channel="ticker", symbol="BTC/USD", snapshot=True),
    '{"channel":"heartbeat"}',
)
HUB_SAYS = (
    *('{"type":7,"error":"over"}', '{"type":7,"allowReconnect":true}', '{"type":6}'),
    *('{"type":3,"invocationId":"1"}', '{"type":3,"invocationId":"2","error":"unknown"}', '{"type":1,"target":"x"}'),
)
WOOX_SAYS = (
    '{"id":"1","cmd":"SUBSCRIBE","success":false,"ts":1,"data":"no such topic"}',
    '{"id":"1","cmd":"SUBSCRIBE","success":true,"ts":1,"data":[{"topic":"trade@SPOT_BTC_USDT","success":false}]}',
    *(
        '{"cmd":"PING","ts":1790000000000}',
        '{"cmd":"PONG","ts":1790000000000}',
        '{"topic":"bbo@SPOT_X_Y","ts":1,"data":{}}',
    ),
)
JAYX_SAYS = (
    '{"event":"error","data":"no such symbol"}',
    '{"event":"orderbook","data":{"symbol":"XUSDT"}}',
    '{"event":"x"}',
)
PAIR, WOOX_PAIR, HUB_PAIR = (
    ("BTC/USD", "ETH/USD"),
    ("SPOT_BTC_USDT", "SPOT_ETH_USDT"),
    ("spot.btc_usdt", "spot.eth_usdt"),
)


def _streams(symbols: tuple[str, ...], *names: str, **more: Any) -> list[Subscription]:
    return [Subscription(name, symbols, **({"interval": "1m"} if name == "candles" else {}), **more) for name in names]


def _hub(version: str, *names: str, symbols: tuple[str, ...] = ()) -> Market:
    return Market(
        "b2trader",
        [*_streams(symbols, *names), Subscription("ping")],
        [one + END for one in HUB_SAYS],
        {"account_id": ACCOUNT, **({} if version == "4" else {"version": version})},
        {"token": "sim-b2trader-token"},
    )


MARKETS: dict[str, Market] = {
    "kraken": Market(
        "kraken",
        [*_streams(PAIR, "book", "trades", "quotes", "ticker", "candles"), Subscription("ping")],
        KRAKEN_SAYS,
        faults={"checksum": 13.0, "halt": 29.0},
    ),
    "kraken long": Market(
        "kraken", [*_streams(PAIR, "trades"), Subscription("candles", PAIR, interval="5m")], KRAKEN_SAYS
    ),
    "kraken quotes": Market("kraken", _streams(PAIR, "quotes"), KRAKEN_SAYS, faults={"mute": 17.0}),
    "woox": Market(
        "woox",
        [*_streams(WOOX_PAIR, "book", "trades", "quotes", "ticker", "candles"), Subscription("ping")],
        WOOX_SAYS,
    ),
    "woox in trouble": Market(
        "woox", _streams(WOOX_PAIR, "book", "trades"), WOOX_SAYS, faults={"mute": 19.0, "lag": 1.0}
    ),
    "nexus": Market(
        "nexus",
        _streams(WOOX_PAIR[:1], "book", "trades", "quotes", "candles", "orders", "fills", "positions", "ping"),
        ('{"event":"PING","timestamp":1790000000000}', '{"event":"POSITIONS"}', '{"event":"x"}'),
        secrets={"client_key": "sim-nexus-client-key"},
    ),
    "b2trader account": _hub("4", "orders", "positions", "closed", "balance", "margin"),
    "b2trader book": _hub("4", "book", "candles", symbols=HUB_PAIR[:1]),
    "b2trader markets": _hub("4", "quotes", "ticker", "watchlist", symbols=HUB_PAIR),
    "jayx": Market(
        "jayx",
        [
            *_streams(("BTCUSDT",), "book", "trades", "quotes", "candles", "orders"),
            *_streams((), "positions", "balance", "ping"),
        ],
        JAYX_SAYS,
        {"framing": "bare", "symbols": {"BTCUSDT": {"tick_size": "0.01", "lot_size": "0.0001"}}},
        {"api_key": "sim-jayx-api-key"},
    ),
    "jayx raw": Market(
        "jayx", _streams(("ETHUSDT",), "book", "trades", "quotes", "candles"), JAYX_SAYS, {"framing": "bare"}
    ),
}


class MarketGame:
    """One venue, with a line for each of its routes."""

    def __init__(self, title: str, market: Market) -> None:
        self.lines: list[str] = []
        self.market = market
        self.random = Random(title)
        self.clock = ManualClock()
        self._began = self.clock.epoch_ms()
        self._stepped = 0
        world = {"seed": 5, "rate": 4.0, **({"faults": market.faults} if market.faults else {})}
        self._world = World(self.clock, **world)  # type: ignore[arg-type]
        self.endpoint: Any = endpoint(market.venue)(self._world)
        settings = Settings("wss://venue.example", values=market.values, rest_url="https://venue.example")
        routes = routes_of(venue_named(market.venue), market.subscriptions, settings)
        self._all = [_Line(self, number, route) for number, route in enumerate(routes)]

    def now(self) -> Now:
        """Our two clocks; the wall clock may have been set."""
        gone = self.clock.epoch_ms() - self._began
        return Now(1_000.0 + gone / 1000, self.clock.epoch_ms() + self._stepped)

    def note(self, line: int, *what: Any) -> None:
        """Keep what was done or given."""
        words = " ".join(one if isinstance(one, str) else repr(one) for one in what)
        self.lines.append(f"{self.now().mono - 1_000:8.2f} {line} {words}")

    def play(self) -> list[str]:
        """All of it; everything that was noted."""
        while self.now().mono < 1_000 + SECONDS:
            self.clock.advance(STEP)
            self._world.advance(self.clock.epoch_ms())
            if self.random.random() < 0.002:
                self._stepped += self.random.choice((-90_000, 1_500, 4_000))
            for line in self._all:
                line.step()
        return self.lines


class _Line:
    """One connection after another."""

    def __init__(self, game: MarketGame, number: int, route: Any) -> None:
        self._game = game
        self._number = number
        self._route = route
        self._driver = Driver(route, route.subscriptions, venue=game.market.venue)
        self._link: Link | None = None
        self._peer: Any = None
        self._read = 0
        self._opening: Generator[HttpRequest, HttpResponse, Any] | None = None
        self._dial()

    def _deliver(self, items: Sequence[Any]) -> None:
        for item in items:
            self._game.note(self._number, item)

    def _dial(self) -> None:
        game = self._game
        opening = self._driver.begin(game.market.secrets, 0.5).opening()
        try:
            request = next(opening)
            while True:
                request = opening.send(self._answer(request))
        except StopIteration as end:
            dial = end.value
        game.note(self._number, "dials", dial.url)
        status = game.random.choice(STATUSES) if game.random.random() < 0.3 and game.lines[5:] else None
        if status is not None:
            now = game.now()
            self._deliver(self._driver.answered(status, "no", None, now) if status else self._driver.failed("no", now))
            return
        parts = urlsplit(dial.url)
        admit = next(admit for path, admit in game.endpoint.sockets().items() if _fits(path, parts.path))
        path = {"key": "sim-nexus-client-key", "symbol": parts.path.rpartition("/")[2]}
        connect = admit(Handshake(path, dict(parse_qsl(parts.query)), {}))
        assert not isinstance(connect, Answer), connect
        self._link, self._read = Link(game.clock), 0
        self._peer = connect(self._link)
        self._peer.opened()
        self._deliver(self._driver.opened(game.now()))
        self._send()

    def _answer(self, request: HttpRequest) -> HttpResponse:
        parts = urlsplit(request.url)
        respond = self._game.endpoint.requests()[f"{request.method} {parts.path}"]
        got = respond(Request(request.method, {}, dict(parse_qsl(parts.query)), {}, b""))
        return HttpResponse(got.status, got.text.encode())

    def _send(self) -> None:
        for out in self._driver.take():
            self._game.note(self._number, "sends", out)
            match out:
                case SocketPing():
                    self._deliver(self._driver.pong(self._game.now()))
                case Fetch(id=name, request=request):
                    answer = self._answer(request)
                    if self._game.random.random() < 0.2:
                        answer = HttpResponse(answer.status, damaged(answer.body, self._game.random))
                    self._deliver(self._driver.fetched(name, answer, self._game.now()))
                case Close():
                    self._close(1000)
                case Veiled(text=text) | str(text):
                    self._peer.receive(text)
                case bytes():
                    self._peer.receive(out.decode())
            if self._peer is None:
                return

    def _close(self, code: int | None) -> None:
        if self._peer is not None:
            self._peer.closed()
        self._peer = self._link = None
        if self._driver.retry_at is None and self._driver.ended is None:
            self._deliver(self._driver.closed(code, "", self._game.now()))

    def step(self) -> None:
        """What is due, then what has come."""
        driver, game, now = self._driver, self._game, self._game.now()
        if driver.ended is not None:  # as a user would, it is begun anew
            self._close(None)
            self._driver = driver = Driver(self._route, self._route.subscriptions, venue=game.market.venue)
            self._dial()
        if self._peer is None and driver.retry_at is not None and driver.retry_at <= now.mono:
            self._dial()
        due = driver.deadline()
        if due is not None and due <= now.mono:
            self._deliver(driver.tick(now))
            self._send()
        if self._link is None:
            return
        self._link.step()
        chance = game.random.random()
        if chance < 0.004:
            self._peer.gap()
        elif chance < 0.03 and game.market.says:
            self._receive(game.random.choice(game.market.says).encode())
        elif chance < 0.034:
            self._close(game.random.choice((None, 1000, 1006, 1012)))
        while self._link is not None and self._read < len(self._link.frames):
            _, frame = self._link.frames[self._read]
            self._read += 1
            luck = game.random.random()
            if luck > 0.01:
                self._receive(damaged(frame, game.random) if luck < 0.03 else frame)
        if self._driver.retry_at is not None and self._peer is not None:
            self._close(None)
        game.note(self._number, "due", driver.deadline())

    def _receive(self, frame: bytes) -> None:
        if self._link is None or self._driver.retry_at is not None or self._driver.ended is not None:
            return
        if frame.startswith(b"finish "):
            self._close(1000)
            return
        self._deliver(self._driver.receive(frame, self._game.now()))
        self._send()


def _fits(pattern: str, path: str) -> bool:
    """Whether a path is one of a pattern with `{names}`."""
    its, wanted = path.split("/"), pattern.split("/")
    return len(its) == len(wanted) and all(one == two or two[:1] == "{" for one, two in zip(its, wanted, strict=True))


def parts() -> dict[str, Callable[[], list[str]]]:
    """Each game by its title."""
    return {
        f"market {title}": lambda title=title, market=market: MarketGame(title, market).play()
        for title, market in MARKETS.items()
    }
