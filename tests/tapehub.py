"""A hub of B2TRADER's book on a clock of its own, and a referee who knows the book of every version.

Nothing waits: a tape is played at any speed to a session, with changes that are lost on their way (`gap`) and versions
that are left out (`skip`). The referee is made of plain lists.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from itertools import count
from typing import Any

import msgspec

from venues.b2trader import B2TRADER
from venues.driver import Driver
from venues.records import Book, Record, Status
from venues.venue import Now, Settings, Subscription

MARKET = "spot.btc_usdt"
EPOCH_MS = 1_700_000_000_000
EVERY = 100  # versions from which one is kept whole
KEPT = 1.0  # seconds after which the last change that was lost comes after all

Rows = dict[Decimal, Decimal]
Change = tuple[Rows, Rows]
Levels = list[tuple[Decimal, Decimal]]


class Side:
    """One side of a book: its prices, rising, and beside them their sizes."""

    def __init__(self, prices: Iterable[Decimal] = (), sizes: Iterable[Decimal] = ()) -> None:
        self.prices, self.sizes = list(prices), list(sizes)

    def copy(self) -> Side:
        return Side(self.prices, self.sizes)

    def merge(self, rows: Rows) -> None:
        for price, size in rows.items():
            at = bisect_left(self.prices, price)
            if at < len(self.prices) and self.prices[at] == price:
                if size:
                    self.sizes[at] = size
                else:
                    del self.prices[at], self.sizes[at]
            elif size:
                self.prices.insert(at, price)
                self.sizes.insert(at, size)


class History:
    """What each version changed. All of a book is made when it is asked for: thousands would fill the memory."""

    def __init__(self) -> None:
        self.changes: list[tuple[bool, Change]] = []  # whether it replaces the book
        self._kept: list[tuple[Side, Side]] = []  # after every so many changes
        self._at, self._sides = -1, (Side(), Side())

    def sides(self, at: int) -> tuple[Side, Side]:
        """Both sides after that change; not to be kept."""
        if not self._at <= at < (self._at // EVERY + 2) * EVERY:
            nearest = min(at // EVERY, len(self._kept) - 1)
            if nearest >= 0:
                bids, asks = self._kept[nearest]
                self._at, self._sides = nearest * EVERY, (bids.copy(), asks.copy())
        while self._at < at:
            self._at += 1
            whole, rows = self.changes[self._at]
            if whole:
                self._sides = Side(), Side()
            for side, its in zip(self._sides, rows, strict=True):
                side.merge(its)
            if self._at == len(self._kept) * EVERY:
                bids, asks = self._sides
                self._kept.append((bids.copy(), asks.copy()))
        return self._sides


class Version:
    """One version of the book: its change, and all of it afterwards."""

    def __init__(self, number: int, history: History) -> None:
        self.number = number
        self._history, self._at = history, len(history.changes) - 1
        whole, change = history.changes[-1]
        self.changed = None if whole else change  # None: the whole book is new

    @property
    def whole(self) -> Change:
        """All levels by price."""
        bids, asks = (dict(zip(one.prices, one.sizes, strict=True)) for one in self._history.sides(self._at))
        return bids, asks

    def levels(self, depth: int) -> tuple[Levels, Levels]:
        """The best levels of both sides, best first."""
        (bids, bid_sizes), (asks, ask_sizes) = self._best(depth)
        return list(zip(bids, bid_sizes, strict=True)), list(zip(asks, ask_sizes, strict=True))

    def is_that_of(self, book: Book, depth: int) -> bool:
        """Whether a book has exactly the best levels, best first."""
        return all(
            [level.price for level in levels] == prices and [level.size for level in levels] == sizes
            for levels, (prices, sizes) in zip((book.bids, book.asks), self._best(depth), strict=True)
        )

    def _best(self, depth: int) -> list[tuple[list[Decimal], list[Decimal]]]:
        """Prices and sizes of each side, best first."""
        bids, asks = self._history.sides(self._at)
        best_bids = slice(-1, -depth - 1, -1)
        return [(bids.prices[best_bids], bids.sizes[best_bids]), (asks.prices[:depth], asks.sizes[:depth])]


def versions_of(
    lines: list[dict[str, Any]], hole: Callable[[float], int] = lambda t: 0
) -> Iterator[tuple[float, Version]]:
    """Every version of a tape with its time in seconds; `hole` says how many numbers are left out before it."""
    history, number, start = History(), 1, None
    for line in lines:
        if line["kind"] not in ("snapshot", "delta"):
            continue
        start = line["t"] if start is None else start
        history.changes.append((line["kind"] == "snapshot", (_rows(line["bids"]), _rows(line["asks"]))))
        seconds = (line["t"] - start) / 1000
        number += 1 + hole(seconds)
        yield seconds, Version(number, history)


def _rows(rows: list[list[str]]) -> Rows:
    return {Decimal(price): Decimal(size) for price, size in rows}


class _Stream:
    def __init__(self) -> None:
        self.losing = False
        self.kept: bytes | None = None
        self.kept_at = 0.0


class TapeHub:
    """Plays versions to a driver of `mon`; what came out is in `records`.

    `gap`: every so many seconds the next change of each invocation is lost. `refuses`: what a second invocation beside
    another one is ended with; `mute`: it is never answered. `late`: seconds that changes take to the old invocations
    while the newest one has them at once.
    """

    def __init__(
        self,
        versions: list[tuple[float, Version]],
        *,
        depth: int = 20,
        gap: float | None = None,
        refuses: str | None = None,
        mute: bool = False,
        late: float = 0.0,
        values: dict[str, object] | None = None,
    ) -> None:
        self.records: list[Record] = []
        self.asked: list[tuple[float, str]] = []  # when, and the invocation
        self.cancelled: list[tuple[float, str]] = []
        self.most_at_once = 0
        self.known = {version.number: version for _, version in versions}
        self.now = 0.0
        self._versions = versions
        self._gap, self._refuses, self._mute, self._late = gap, refuses, mute, late
        self._streams: dict[str, _Stream] = {}
        self._current = versions[0][1]
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._frames: list[bytes] = []
        settings = Settings(url="wss://broker.example", values={"account_id": "a", **(values or {})})
        subscription = Subscription("book", (MARKET,), depth=depth)
        (self.line,) = B2TRADER.routes([subscription], settings)
        self.driver = Driver(self.line, [subscription], venue="b2trader")

    def run(self, speed: float = 1.0, rest: float = 5.0) -> None:
        """Play all of it, and some seconds more."""
        end = self._versions[-1][0] / speed + rest
        for seconds, version in self._versions[1:]:
            self._at(seconds / speed, lambda version=version: self._change(version))
        if self._gap is not None:
            for number in range(1, int(end / self._gap) + 1):
                self._at(number * self._gap, self._lose)
        for number in range(1, int(end * 4)):
            self._at(number / 4, self._beat)
        self.connect()
        while self._due and self._due[0][0] <= end:
            self._until(self._due[0][0])
            heapq.heappop(self._due)[2]()
            self._deliver()

    def connect(self) -> None:
        """A new connection: the old one is forgotten."""
        self._streams.clear()
        self.driver.begin({"token": "t"}, 0.0)
        self._take(self.driver.opened(self._clock()))
        self._take(self.driver.receive(b"{}\x1e", self._clock()))
        self._answer()
        self._deliver()

    def books(self) -> list[Book]:
        return [record for record in self.records if isinstance(record, Book)]

    def statuses(self) -> list[Status]:
        return [record for record in self.records if isinstance(record, Status)]

    def check(self, depth: int) -> int:
        """Every book is that of its version, none came while not live, no version goes back; how many there were."""
        live, last, books = False, 0, 0
        for record in self.records:
            if isinstance(record, Status):
                live = record.state == "live"
            elif isinstance(record, Book):
                assert live, f"version {record.sequence} was printed while not live"
                assert record.sequence is not None
                assert record.sequence >= last, f"version {record.sequence} came after {last}"
                last, books = record.sequence, books + 1
                assert self.known[record.sequence].is_that_of(record, depth), record.sequence
        return books

    # --- the clock

    def _clock(self) -> Now:
        return Now(1_000.0 + self.now, EPOCH_MS + round(self.now * 1000))

    def _at(self, seconds: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._due, (seconds, next(self._order), action))

    def _until(self, seconds: float) -> None:
        """Let the driver's deadlines come first."""
        while (deadline := self.driver.deadline()) is not None and deadline - 1_000.0 <= seconds:
            self.now = max(self.now, deadline - 1_000.0)
            self._take(self.driver.tick(self._clock()))
            self._answer()
            self._deliver()
        self.now = max(self.now, seconds)

    # --- the hub

    def _change(self, version: Version) -> None:
        self._current = version
        for invocation, stream in list(self._streams.items()):
            newest = invocation == next(reversed(self._streams))
            if newest or not self._late:
                self._tell(invocation, stream, version)
            else:
                self._at(self.now + self._late, lambda i=invocation, s=stream: self._tell_late(i, s, version))

    def _tell_late(self, invocation: str, stream: _Stream, version: Version) -> None:
        if invocation in self._streams:
            self._tell(invocation, stream, version)

    def _tell(self, invocation: str, stream: _Stream, version: Version) -> None:
        whole = version.changed is None
        frame = _item(invocation, version.number, version.whole if whole else version.changed, whole=whole)
        if stream.losing and not whole and stream.kept is None:
            stream.kept, stream.kept_at = frame, self.now
            return
        if stream.kept is not None:
            stream.kept, stream.losing = None, False
        self._frames.append(frame)

    def _lose(self) -> None:
        for stream in self._streams.values():
            stream.losing = True

    def _beat(self) -> None:
        for stream in self._streams.values():
            if stream.kept is not None and self.now - stream.kept_at >= KEPT:
                self._frames.append(stream.kept)
                stream.kept, stream.losing = None, False
        self._frames.append(b'{"type":6}\x1e')

    def _answer(self) -> None:
        for out in self.driver.take():
            assert isinstance(out, str)
            message = msgspec.json.decode(out[:-1])
            if message.get("type") == 4:
                self._start(message["invocationId"])
            elif message.get("type") == 5:
                self.cancelled.append((self.now, message["invocationId"]))
                self._streams.pop(message["invocationId"], None)
                self._frames.append(_message({"type": 3, "invocationId": message["invocationId"]}))

    def _start(self, invocation: str) -> None:
        self.asked.append((self.now, invocation))
        if self._streams and self._refuses is not None:
            self._frames.append(_message({"type": 3, "invocationId": invocation, "error": self._refuses}))
            return
        if self._streams and self._mute:
            return
        self._streams[invocation] = _Stream()
        self.most_at_once = max(self.most_at_once, len(self._streams))
        self._frames.append(_item(invocation, self._current.number, self._current.whole, whole=True))

    def _deliver(self) -> None:
        while self._frames:
            frames, self._frames = self._frames, []
            for frame in frames:
                self._take(self.driver.receive(frame, self._clock()))
            self._answer()

    def _take(self, delivered: list[Any]) -> None:
        self.records += [one for one in delivered if isinstance(one, Record)]


def _message(message: dict[str, Any]) -> bytes:
    return msgspec.json.encode(message) + b"\x1e"


def _item(invocation: str, number: int, sides: Change | None, *, whole: bool) -> bytes:
    assert sides is not None
    bids, asks = ([{"price": f"{price:f}", "amount": f"{size:f}"} for price, size in side.items()] for side in sides)
    item = {"instrument": MARKET, "version": str(number), "snapshot": whole, "bids": bids, "asks": asks}
    return _message({"type": 2, "invocationId": invocation, "item": item})
