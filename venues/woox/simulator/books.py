"""Books as the venue tells them: changes in a chain over the socket, the whole book over HTTP.

One feed for each symbol, depth, and whether RPI orders are in it; all clients get the same chain. What is decided
here: a change has all levels that come into the depth or leave it; the time of the HTTP book is that of the chain of
its depth; where two changes fall into one millisecond, the later one has the next.
"""

from __future__ import annotations

import math
from collections import deque
from random import Random
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import msgspec

from venues.simulator.figures import text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from decimal import Decimal

    from venues.simulator.market import MarketBook
    from venues.simulator.market_events import Side

DEPTHS: Final = {50: 50, 200: 100, 500: 200}  # levels a side -> milliseconds between two changes
_RPI_MOVES: Final = 200  # milliseconds for which the RPI orders of a lively market stay as they are
_RPI_LOTS: Final = 2_000

Sizes: TypeAlias = "dict[Decimal, Decimal]"

_encode: Final = msgspec.json.encode


class Whole(NamedTuple):
    """A book with the time of its last change; its levels best first."""

    changed: int
    bids: list[tuple[Decimal, Decimal]]
    asks: list[tuple[Decimal, Decimal]]


class Steps(NamedTuple):
    """Tick and lot of a market."""

    tick: Decimal
    lot: Decimal


class BookFeed:
    """The changes of one book of `depth` levels a side, to everybody who watches; `rpi`: with the RPI orders.

    `lag`: so many milliseconds the whole book over HTTP is behind.
    """

    def __init__(
        self, symbol: str, market: MarketBook, steps: Steps, depth: int, *, rpi: bool, lively: bool, lag: int, now: int
    ) -> None:
        """`lively`: the RPI orders move by themselves. `now` is the time from which the book stands as it is."""
        self._symbol = symbol
        self._market = market
        self._steps = steps
        self._depth = depth
        self._rpi = rpi
        self._lively = lively
        self._lag = lag
        self._topic = f"orderbookupdate{'rpi' if rpi else ''}@{symbol}@{depth}"
        self._watchers: dict[object, Callable[[bytes], None]] = {}
        self._told_at = -math.inf
        self._version = self._version_at(now)
        self._bids, self._asks = self._sides(now)
        self.changed = now
        self._history: deque[tuple[float, Whole]] = deque()  # since when it is the book
        if lag:
            before = {price: size + steps.lot for price, size in self._bids.items()}
            self._history.append((-math.inf, self._whole(now - lag - 1, before, self._asks)))
            self._history.append((now, self._whole(now, self._bids, self._asks)))

    def watch(self, tell: Callable[[bytes], None]) -> Callable[[], None]:
        """Call `tell` with each change from now on; the returned function ends that."""
        token = object()
        self._watchers[token] = tell

        def leave() -> None:
            self._watchers.pop(token, None)

        return leave

    def flush(self, now: int) -> None:
        """Tell what has changed since the last time, unless that was only just now."""
        if now - self._told_at < DEPTHS[self._depth] - 5 or self._version_at(now) == self._version:
            return
        self._told_at, self._version = now, self._version_at(now)
        bids, asks = self._sides(now)
        rows = [_rows(self._bids, bids), _rows(self._asks, asks)]
        if not any(rows):
            return
        before, self.changed = self.changed, max(now, self.changed + 1)
        self._bids, self._asks = bids, asks
        if self._lag:
            self._history.append((now, self._whole(self.changed, bids, asks)))
            self._forget_before(now - self._lag)
        shuffle = Random(self.changed).shuffle  # rows come in no particular order
        for side in rows:
            shuffle(side)
        data = {"ts": self.changed, "bids": rows[0], "asks": rows[1], "prevTs": before, "s": self._symbol}
        message = _encode({"topic": self._topic, "ts": max(now, self.changed), "data": data})
        for tell in tuple(self._watchers.values()):
            tell(message)

    def whole(self, now: int, most: int) -> Whole:
        """The book over HTTP, of at most so many levels a side."""
        if not self._watchers:
            self._told_at = -math.inf
        self.flush(now)
        book = self._whole(self.changed, self._bids, self._asks)
        if self._lag:
            self._forget_before(now - self._lag)
            book = self._history[0][1]
        return Whole(book.changed, book.bids[:most], book.asks[:most])

    def _forget_before(self, then: int) -> None:
        while len(self._history) > 1 and self._history[1][0] <= then:
            self._history.popleft()

    def _version_at(self, now: int) -> tuple[int, int]:
        return rpi_version(self._market, now, lively=self._rpi and self._lively)

    def _sides(self, now: int) -> tuple[Sizes, Sizes]:
        levels = self._market.levels
        bids, asks = ({one.price: one.size for one in levels(side)[: self._depth]} for side in _SIDES)
        if not self._rpi:
            return bids, asks
        # An RPI order is never behind the best price, and so not at one of the levels that were cut off.
        for side, price, size in rpi_orders(self._symbol, self._market, self._steps, self._version_at(now)):
            held = bids if side == "buy" else asks
            held[price] = held.get(price, 0) + size
        return _best(bids, self._depth, reverse=True), _best(asks, self._depth, reverse=False)

    def _whole(self, changed: int, bids: Sizes, asks: Sizes) -> Whole:
        return Whole(changed, list(bids.items()), list(asks.items()))


_SIDES: Final[tuple[Side, Side]] = ("buy", "sell")


def rpi_version(market: MarketBook, now: int, *, lively: bool) -> tuple[int, int]:
    """Differs whenever the RPI orders do; those of a market that is not lively move with its book alone."""
    return market.changes, now // _RPI_MOVES if lively else 0


def rpi_orders(
    symbol: str, market: MarketBook, steps: Steps, version: tuple[int, int]
) -> list[tuple[Side, Decimal, Decimal]]:
    """The RPI orders: inside the spread where there is room, else at the best prices. They never cross the book."""
    bid, ask = market.best("buy"), market.best("sell")
    if bid is None or ask is None:
        return []
    random = Random(f"rpi {symbol} {version}")
    room = int((ask - bid) / steps.tick) - 1  # free ticks between the best prices
    half = room // 2
    orders: list[tuple[Side, Decimal, Decimal]] = []
    for _ in range(3):
        lots = steps.lot * random.randint(1, _RPI_LOTS), steps.lot * random.randint(1, _RPI_LOTS)
        nearer = (random.randint(max(0, half - 3), half), random.randint(max(0, half - 3), half)) if half else (0, 0)
        orders.append(("buy", bid + steps.tick * nearer[0], lots[0]))
        orders.append(("sell", ask - steps.tick * nearer[1], lots[1]))
    return orders


def _best(levels: Sizes, depth: int, *, reverse: bool) -> Sizes:
    return {price: levels[price] for price in sorted(levels, reverse=reverse)[:depth]}


def _rows(before: Sizes, after: Sizes) -> list[tuple[str, str]]:
    """What turns one side into another: new sizes, and 0 for what left."""
    changed = [(text(price), text(size)) for price, size in after.items() if before.get(price) != size]
    return changed + [(text(price), "0") for price in before if price not in after]


def rest_rows(levels: Sequence[tuple[Decimal, Decimal]]) -> list[dict[str, str]]:
    """Levels as the HTTP book has them."""
    return [{"price": text(price), "quantity": text(size)} for price, size in levels]
