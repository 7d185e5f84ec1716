"""The simulated WOO X and a client's session on a clock of their own: no socket, nobody waits.

A tape is played at any speed. What is sent arrives in order, each message after a delay of its own; answers over HTTP
come when they come. A referee knows which book each change of the chain stands for.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from random import Random
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

from venues.driver import Driver
from venues.records import Book, Record, Status
from venues.simulator import ManualClock
from venues.simulator.endpoint import Handshake, Request
from venues.simulator.tape import read_tape
from venues.simulator.world import TAPE_MARKET, World
from venues.venue import Fetch, HttpResponse, Now, Settings, SocketPing, Subscription
from venues.woox import WOOX
from venues.woox.simulator.endpoint import WooX

SYMBOL = "SPOT_BTC_USDT"
STEP = 10  # milliseconds
SETTINGS = Settings(url="ws://sim", rest_url="http://sim", label="sim")
Levels = list[tuple[Decimal, Decimal]]


class Wire:
    """A client's connection as the endpoint sees it: keeps what is sent, and calls back when it is time."""

    def __init__(self, clock: ManualClock) -> None:
        self.sent: list[bytes] = []
        self.aborted = False
        self.heard = clock.epoch_ms()
        self._clock = clock
        self._states: dict[str, Callable[[], bytes]] = {}
        self._every: list[list[Any]] = []  # when it is due next, how often, what

    def send(self, data: bytes, *, binary: bool = False) -> None:
        self.sent.append(data)

    def show(self, key: str, produce: Callable[[], bytes]) -> None:
        self._states[key] = produce

    def every(self, seconds: float, action: Callable[[], None]) -> None:
        self._every.append([self._clock.epoch_ms() + seconds * 1000, seconds * 1000, action])

    def finish(self, code: int, reason: str) -> None:
        self.aborted = True

    def abort(self) -> None:
        self.aborted = True

    def silence(self) -> float:
        return (self._clock.epoch_ms() - self.heard) / 1000

    def pass_time(self) -> None:
        """Does what is due."""
        now = self._clock.epoch_ms()
        for one in self._every:
            while one[0] <= now and not self.aborted:
                one[0] += one[1]
                one[2]()
        if self._states:
            states, self._states = self._states, {}
            self.sent += [data for produce in states.values() if (data := produce())]

    def taken(self) -> list[bytes]:
        sent, self.sent = self.sent, []
        return sent


_read = lru_cache(1)(read_tape)  # several venues play one tape, one after the other


class Venue:
    """The simulated venue with its world; `rate` is that of the markets without a tape."""

    def __init__(self, *, tape: Any = None, seed: int = 1, rate: float = 20.0, faults: dict[str, float] | None = None):
        self.clock = ManualClock()
        made = None if tape is None else _read(tape)
        self.lines = [] if made is None else list(made.lines)
        self.world = World(self.clock, seed=seed, rate=rate, tape=made, faults=faults or {})
        self.endpoint = WooX(self.world)
        self.asked: list[tuple[str, dict[str, str]]] = []

    def now(self) -> int:
        return self.clock.epoch_ms()

    def connect(self) -> tuple[Wire, Any]:
        wire = Wire(self.clock)
        (admit,) = self.endpoint.sockets().values()
        peer = admit(Handshake({}, {}, {}))(wire)  # type: ignore[operator]
        peer.opened()
        return wire, peer

    def get(self, url: str) -> HttpResponse:
        parts = urlsplit(url)
        query = dict(parse_qsl(parts.query))
        self.asked.append((parts.path, query))
        respond = self.endpoint.requests()[f"GET {parts.path}"]
        answer = respond(Request("GET", {}, query, {}, b""))
        return HttpResponse(answer.status, answer.text.encode())

    def advance(self, milliseconds: int) -> None:
        self.clock.advance(milliseconds)
        self.world.advance(self.now())


class Client:
    """A driver with a session at the simulated venue.

    `delays`: (shortest, longest) of messages and of answers over HTTP, in milliseconds.
    """

    def __init__(
        self,
        venue: Venue,
        *subscriptions: Subscription,
        delays: tuple[tuple[int, int], tuple[int, int]] = ((0, 0), (0, 0)),
        seed: int = 1,
        apart: bool = False,
    ) -> None:
        self.venue = venue
        self.items: list[Any] = []
        self._random = Random(seed)
        self._of_messages, self._of_answers = delays
        self._begin = venue.now()
        self._arrivals: list[tuple[float, int, Any]] = []
        self._count = itertools.count()
        self._latest = 0.0
        self._due: float | None = None
        self.lost: Callable[[bytes], bool] = lambda frame: False
        (self.route,) = WOOX.routes(subscriptions, SETTINGS)
        self.driver = Driver(self.route, self.route.subscriptions, venue="woox", label="sim", apart=apart)
        self.connect()

    def connect(self) -> None:
        self._arrivals.clear()
        self.driver.begin({}, 0.5)
        self.wire, self.peer = self.venue.connect()
        self._got(self.driver.opened(self.now()))
        self._after()

    def now(self) -> Now:
        at = self.venue.now()
        return Now(1_000 + (at - self._begin) / 1000, at, heard=1_000 + (at - self._begin) / 1000)

    def step(self) -> None:
        """One moment: what is sent goes on its way, what has arrived is taken."""
        self.wire.pass_time()
        for data in self.wire.taken():
            if not self.lost(data):
                # In order: nothing overtakes what was sent before.
                self._latest = max(self._latest, self.venue.now() + self._random.randint(*self._of_messages))
                heapq.heappush(self._arrivals, (self._latest, next(self._count), data))
        while self._arrivals and self._arrivals[0][0] <= self.venue.now():
            what = heapq.heappop(self._arrivals)[2]
            if isinstance(what, bytes):
                self._got(self.driver.receive(what, self.now()))
            else:
                self._got(self.driver.fetched(what[0], what[1], self.now()))
            self._after()
        while self._due is not None and self._due <= self.now().mono and self.driver.retry_at is None:
            self._got(self.driver.tick(self.now()))
            self._after()

    def run(self, seconds: float) -> None:
        for _ in range(math.ceil(seconds * 1000 / STEP)):
            self.venue.advance(STEP)
            self.step()

    def records(self, kind: type[Record]) -> list[Any]:
        return [item for item in self.items if isinstance(item, kind)]

    def states(self, stream: str) -> list[tuple[str | None, str, str | None]]:
        return [(one.symbol, one.state, one.reason) for one in self.records(Status) if one.stream == stream]

    def close(self) -> None:
        """The connection is gone."""
        self.peer.closed()
        self._got(self.driver.closed(None, "", self.now()))

    def _got(self, items: list[Any]) -> None:
        self.items += items

    def _after(self) -> None:
        for out in self.driver.take():
            if isinstance(out, Fetch):
                # The venue answers when the request reaches it; that takes a part of the delay.
                delay = self._random.randint(*self._of_answers)
                answer = self.venue.get(out.request.url)
                heapq.heappush(self._arrivals, (self.venue.now() + delay, next(self._count), (out.id, answer)))
            elif not isinstance(out, SocketPing) and not self.wire.aborted:
                self.wire.heard = self.venue.now()
                self.peer.receive(out)
        self._due = self.driver.deadline()  # which nothing but what it is given can move


class Referee:
    """Knows the book of each change in the chain of one depth, and checks every book that is shown against it."""

    def __init__(self, venue: Venue, depth: int) -> None:
        self.books: dict[int, tuple[Levels, Levels]] = {}
        self._venue = venue
        self._depth = depth
        self._feed = venue.endpoint.quoted[SYMBOL].feed(depth, venue.now(), rpi=False)
        self._note(self._feed.changed)
        self._feed.watch(lambda message: self._note(msgspec.json.decode(message)["data"]["ts"]))

    def _note(self, changed: int) -> None:
        self.books[changed] = self.book()

    def book(self) -> tuple[Levels, Levels]:
        """The best levels of the market as it is now."""
        market = self._venue.world.markets[TAPE_MARKET]
        bids, asks = (
            [(one.price, one.size) for one in itertools.islice(market.levels(side), self._depth)]
            for side in ("buy", "sell")
        )
        return bids, asks

    def check(self, items: list[Any], shown: int) -> int:
        """Every book that was shown while live is that of its time, and none is older than the one before."""
        live, latest, count = False, 0, 0
        for item in items:
            if isinstance(item, Status) and item.stream == "book":
                live = item.state == "live"
            elif isinstance(item, Book):
                assert live, "a book is shown that is not live"
                assert item.time is not None
                assert item.time >= latest, "an older book is shown"
                bids, asks = self.books[item.time]
                assert [(level.price, level.size) for level in item.bids] == bids[:shown]
                assert [(level.price, level.size) for level in item.asks] == asks[:shown]
                latest, count = item.time, count + 1
        return count


def play(venue: Venue, client: Client, speed: float, *, each: Callable[[float], None] = lambda seconds: None) -> None:
    """Plays the tape to the client; `speed` inf: all of it in half a second. `each` is called with each step's time."""
    market: Any = venue.world.markets[TAPE_MARKET]
    lines = venue.lines
    first = lines[0].t if lines else 0
    length = max(line.t for line in lines) - first
    scale = length / 500 if math.isinf(speed) else speed
    at, elapsed, previous = 0, 0.0, first
    due: list[tuple[float, Any]] = []
    for line in lines:
        elapsed += max(0, line.t - previous) / scale
        previous = line.t
        due.append((elapsed, line))
    begun = venue.now()
    while at < len(due):
        venue.advance(STEP)
        while at < len(due) and due[at][0] <= venue.now() - begun:
            market.apply(due[at][1], venue.now())
            at += 1
        each((venue.now() - begun) / 1000)
        client.step()
