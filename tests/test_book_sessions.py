"""The sessions of the author's guide: a book seeded by HTTP, a chained one, one with a checksum; through the driver."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from zlib import crc32

import msgspec
import pytest

from venues.driver import Driver
from venues.errors import BadMessage, BookError
from venues.records import Book, Quote, Status
from venues.session import BaseRoute, BaseSession
from venues.toolkit.book import BookDelta, OrderBook, levels_of
from venues.toolkit.checksum import crc32_of_digits
from venues.toolkit.decoding import DECODE_ERRORS, Reader, explain
from venues.toolkit.numbers import JsonNumber
from venues.toolkit.resync import BookKeeper, BookKeepers
from venues.toolkit.seeding import Seed, SeededBook, SeededBooks
from venues.venue import (
    BadFrame,
    Confirmed,
    Dial,
    Fetch,
    HttpRequest,
    HttpResponse,
    Item,
    NoResponse,
    Now,
    Out,
    Session,
    Settings,
    Subscription,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from venues.toolkit.book import Rule

Row = tuple[JsonNumber, JsonNumber]


class Route(BaseRoute):
    """Makes sessions of one class."""

    make: Any

    def session(self, secrets: Mapping[str, str]) -> Session:
        made: Session = self.make(self)
        return made


class Guided(BaseSession):
    """What the three sessions share: nothing but an address."""

    venue = "guided"

    def __init__(self, route: Route) -> None:
        super().__init__()
        self.route = route
        self.symbols = route.subscriptions[0].symbols

    def dial(self) -> Dial:
        return Dial(self.route.settings.url, self.route.settings.url)


# --- seeded by HTTP


class SeedBody(msgspec.Struct):
    success: bool
    timestamp: int = 0
    message: str = ""
    bids: list[Row] = []
    asks: list[Row] = []


class Change(msgspec.Struct, tag_field="kind", tag="change", kw_only=True):
    s: str
    ts: int
    previous: int = msgspec.field(name="prevTs")
    bids: list[Row]
    asks: list[Row]


class Acknowledged(msgspec.Struct, tag_field="kind", tag="acknowledged"):
    symbols: list[str]


SEED: Reader[SeedBody] = Reader(SeedBody)
MESSAGES: Reader[Change | Acknowledged] = Reader(Change | Acknowledged)


def read_seed(answer: HttpResponse) -> Seed:
    body = SEED.decode(answer.body)
    if not body.success:
        raise BadMessage(f"the venue says: {body.message}")
    return Seed(levels_of(body.bids, "bids"), levels_of(body.asks, "asks"), body.timestamp, body.timestamp)


class SeededSession(Guided):
    def __init__(self, route: Route) -> None:
        super().__init__(route)
        self._books = SeededBooks([self._book(symbol) for symbol in self.symbols])

    def _book(self, symbol: str) -> SeededBook:
        keeper = BookKeeper(
            OrderBook(rule="chained", depth=50), self.route.subscriptions, venue="guided", symbol=symbol
        )
        url = f"{self.route.settings.rest_url}/orderbook?symbol={symbol}&maxLevel=50"
        return SeededBook(keeper, HttpRequest("GET", url, url), read_seed)

    def opened(self, now: Now) -> list[Item]:
        self.ask("books", now, json.dumps({"subscribe": self.symbols}))
        return self._books.begin(now)

    def receive(self, frame: bytes, now: Now) -> list[Item]:
        try:
            message = MESSAGES.decode(frame)
            if isinstance(message, Acknowledged):
                return [item for symbol in message.symbols for item in self._books[symbol].acknowledged(now)]
            levels = levels_of(message.bids, "bids"), levels_of(message.asks, "asks")
        except (BadMessage, BookError) as problem:
            return [BadFrame(str(problem)), *self._books.doubt(str(problem), now)]
        except DECODE_ERRORS as error:
            return [BadFrame(explain(error)), *self._books.doubt(explain(error), now)]
        return self._books[message.s].change(BookDelta(*levels, message.ts, message.previous), now, time=message.ts)

    def fetched(self, request: str, answer: HttpResponse | NoResponse, now: Now) -> list[Item]:
        return self._books.fetched(request, answer, now)

    def deadline(self) -> float | None:
        return min((due for due in (super().deadline(), self._books.deadline()) if due is not None), default=None)

    def tick(self, now: Now) -> list[Item]:
        return [*super().tick(now), *self._books.tick(now)]

    def take(self) -> list[Out]:
        return [*super().take(), *self._books.take()]

    def closed(self, code: int | None, reason: str, now: Now) -> list[Item]:
        self._books.stop()
        return super().closed(code, reason, now)


# --- with a snapshot on the socket: chained, or with a checksum


class BookMessage(msgspec.Struct):
    symbol: str
    snapshot: bool
    bids: list[Row]
    asks: list[Row]
    sequence: int | None = None
    previous: int | None = None
    checksum: int | None = None


BOOK: Reader[BookMessage] = Reader(BookMessage)


class SnapshotSession(Guided):
    rule: Rule | None = None
    depth: int | None = None

    def __init__(self, route: Route) -> None:
        super().__init__(route)
        self._books = BookKeepers([self._book(symbol) for symbol in self.symbols])

    def _book(self, symbol: str) -> BookKeeper:
        checksum = None if self.rule else crc32_of_digits(10, price_decimals=1, size_decimals=8)
        return BookKeeper(
            OrderBook(rule=self.rule, depth=self.depth, checksum=checksum),
            self.route.subscriptions,
            venue="guided",
            symbol=symbol,
            again=lambda now: self.ask(f"book {symbol}", now, f"unsubscribe {symbol}", f"subscribe {symbol}"),
        )

    def opened(self, now: Now) -> list[Item]:
        for symbol in self.symbols:
            self.ask(f"book {symbol}", now, f"subscribe {symbol}")
        return self._books.begin()

    def receive(self, frame: bytes, now: Now) -> list[Item]:
        try:
            message = BOOK.decode(frame)
            bids, asks = levels_of(message.bids, "bids"), levels_of(message.asks, "asks")
        except (BadMessage, BookError, *DECODE_ERRORS) as error:
            problem = str(error) if isinstance(error, BadMessage | BookError) else explain(error)
            return [BadFrame(problem), *self._books.doubt(problem, now)]
        book, checksum = self._books[message.symbol], message.checksum
        if message.snapshot:
            return book.snapshot(bids, asks, now, sequence=message.sequence, checksum=checksum)
        return book.delta(BookDelta(bids, asks, message.sequence, message.previous, checksum), now)


class ChainedSession(SnapshotSession):
    rule = "chained"


class ChecksumSession(SnapshotSession):
    depth = 10


# --- the driver, and what it gives


def at(seconds: float) -> Now:
    return Now(1_000 + seconds, 1_790_000_000_000 + round(seconds * 1000))


class Line:
    """A driver with its session, and what it delivers."""

    def __init__(self, make: Any, *symbols: str, streams: tuple[str, ...] = ("book",)) -> None:
        subscriptions = [Subscription(stream, symbols, depth=10) for stream in streams]
        self.route = Route(subscriptions, Settings("wss://nowhere", rest_url="https://nowhere"))
        self.route.make = make
        self.driver = Driver(self.route, subscriptions, venue="guided")
        self.driver.begin({}, 0.5)
        self.items: list[Any] = self.driver.opened(at(0))
        self.out = self.driver.take()

    def frame(self, seconds: float, **fields: Any) -> list[Any]:
        return self.took(self.driver.receive(json.dumps(fields).encode(), at(seconds)))

    def tick(self, seconds: float) -> list[Any]:
        deadline = self.driver.deadline()
        assert deadline is not None
        assert deadline <= at(seconds).mono
        return self.took(self.driver.tick(at(seconds)))

    def answer(self, seconds: float, request: str, **body: Any) -> list[Any]:
        answer = HttpResponse(200, json.dumps(body).encode())
        return self.took(self.driver.fetched(request, answer, at(seconds)))

    def took(self, items: list[Any]) -> list[Any]:
        self.out = self.driver.take()
        return items


def states(items: list[Any]) -> list[tuple[str, str]]:
    return [(item.stream, item.state) for item in items if isinstance(item, Status)]


def test_a_book_seeded_by_http() -> None:
    line = Line(SeededSession, "A", "B")
    assert line.out == ['{"subscribe": ["A", "B"]}']
    assert states(line.items) == [("book", "syncing")]
    assert line.frame(0.1, kind="acknowledged", symbols=["A", "B"]) == []
    line.frame(0.2, kind="change", s="A", ts=110, prevTs=100, bids=[["1", "5"]], asks=[])
    line.tick(0.2)
    ids = {fetch.request.url.split("=")[1][0]: fetch.id for fetch in line.out if isinstance(fetch, Fetch)}
    assert ids.keys() == {"A", "B"}
    live, book = line.answer(0.3, ids["A"], success=True, timestamp=100, bids=[["1", "2"]], asks=[["3", "4"]])
    assert (live.state, book.symbol, str(book.bids[0].size), book.time) == ("live", "A", "5", 110)
    (waiting,) = line.answer(0.3, ids["B"], success=False, message="no upstream")
    assert "the venue says: no upstream (1 try so far)" in waiting.reason
    assert line.frame(1, kind="change", s="A", ts=120, prevTs=110, bids=[], asks=[]) == [Confirmed("book", 120, "A")]
    stale = line.frame(2, kind="change", s="A", ts=140, prevTs=130, bids=[], asks=[])
    assert [(item.symbol, item.state) for item in stale] == [("A", "stale")]


def test_a_frame_that_cannot_be_read_is_doubt_about_every_book() -> None:
    line = Line(SeededSession, "A")
    line.frame(0.1, kind="acknowledged", symbols=["A"])
    bad, stale = line.frame(0.2, kind="change", s="A", ts=1, prevTs=0, bids=[["-1", "5"]], asks=[])
    assert bad == BadFrame('expected a number above 0 at `bids[0].price`, got "-1"')
    assert (stale.state, stale.reason) == ("stale", f"{bad.reason}; a new snapshot is asked for")


def test_a_hundred_books_that_lose_a_change_at_once_keep_their_line() -> None:
    """What each asks for is paced by itself, so that the driver sees no flood."""
    symbols = [f"S{number}" for number in range(100)]
    line = Line(SeededSession, *symbols)
    line.frame(0, kind="acknowledged", symbols=symbols)
    line.tick(0)
    for fetch in line.out:
        assert isinstance(fetch, Fetch)
        symbol = fetch.request.url.split("=")[1].partition("&")[0]
        line.frame(0.1, kind="change", s=symbol, ts=110, prevTs=100, bids=[], asks=[["3", "4"]])
        line.driver.fetched(
            fetch.id, HttpResponse(200, b'{"success": true, "timestamp": 110, "bids": [], "asks": []}'), at(0.2)
        )
    for symbol in symbols:
        line.frame(3, kind="change", s=symbol, ts=130, prevTs=120, bids=[], asks=[])
    assert line.driver.retry_at is None
    line.tick(3)
    assert len(line.out) == 100


def test_a_chained_book_is_subscribed_anew_after_a_gap() -> None:
    line = Line(ChainedSession, "A", streams=("book", "quotes"))
    assert line.out == ["subscribe A"]
    items = line.frame(0.1, symbol="A", snapshot=True, bids=[[1, 2]], asks=[[3, 4]], sequence=7)
    assert [type(item) for item in items] == [Status, Book, Status, Quote]
    items = line.frame(5, symbol="A", snapshot=False, bids=[[1, 5]], asks=[], sequence=10, previous=9)
    assert states(items) == [("book", "stale"), ("quotes", "stale")]
    assert items[0].reason == "expected a change after 7, got 10 after 9; a new snapshot is asked for"
    assert line.out == ["unsubscribe A", "subscribe A"]
    assert line.frame(5.1, symbol="A", snapshot=False, bids=[], asks=[], sequence=11, previous=10) == []
    items = line.frame(5.2, symbol="A", snapshot=True, bids=[[1, 9]], asks=[[3, 4]], sequence=20)
    assert [type(item) for item in items] == [Status, Book, Status, Quote]


def test_thirty_books_with_a_gap_at_once_keep_their_line() -> None:
    """Each is asked for anew, once: what one may do, each of them may."""
    symbols = [f"S{number}" for number in range(30)]
    line = Line(ChainedSession, *symbols)
    for symbol in symbols:
        line.frame(0.1, symbol=symbol, snapshot=True, bids=[[1, 2]], asks=[[3, 4]], sequence=7)
    for symbol in symbols:
        line.frame(5, symbol=symbol, snapshot=False, bids=[], asks=[], sequence=10, previous=9)
        assert line.out == [f"unsubscribe {symbol}", f"subscribe {symbol}"]
    assert line.driver.retry_at is None


def test_a_wrong_checksum_is_subscribed_anew() -> None:
    """The figures have lost their zeros, or came with an exponent; the sums are of `20` `1` `15` `50000000`."""
    line = Line(ChecksumSession, "A")
    right = crc32(b"2011550000000")
    items = line.frame(0.1, symbol="A", snapshot=True, bids=[[1.5, 0.5]], asks=[[2, 1e-8]], checksum=right)
    assert states(items) == [("book", "live")]
    assert line.out == []
    items = line.frame(5, symbol="A", snapshot=False, bids=[], asks=[[2, 2e-8]], checksum=right)
    assert states(items) == [("book", "stale")]
    assert items[0].reason.startswith(f"expected checksum {right}, got ")
    assert line.out == ["unsubscribe A", "subscribe A"]
    items = line.frame(5.5, symbol="A", snapshot=True, bids=[[1.5, 0.5]], asks=[[2, 1e-8]], checksum=right)
    assert states(items) == [("book", "live")]


def test_levels_name_the_place_of_a_bad_figure() -> None:
    assert [str(level.size) for level in levels_of([("1.0", "0.50"), ("2", "0")], "asks")] == ["0.50", "0"]
    with pytest.raises(BadMessage, match=r"above 0 at `asks\[1\].price`, got \"0\""):
        levels_of([("1", "1"), ("0", "1")], "asks")
    with pytest.raises(BadMessage, match=r"at least 0 at `asks\[0\].size`"):
        levels_of([("1", "-1")], "asks")
    with pytest.raises(BadMessage, match=r"a number at `asks\[0\].price`"):
        levels_of([([], "1")], "asks")
