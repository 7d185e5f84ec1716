"""The market data of the simulated B2TRADER: order book, top of the book, 24 hours, watchlist and candles.

All clients of a market get the same messages. The rows of a book come in random order, which depends on its version.
Now and then a row comes twice, first with another amount: the document has both, and the last row counts.
"""

from __future__ import annotations

from decimal import ROUND_FLOOR, Context, Decimal
from random import Random
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec

from venues.b2trader.simulator.text import second
from venues.simulator.figures import text
from venues.simulator.hub import Subscribers, leave_all
from venues.simulator.market_events import BookChange, Trade
from venues.simulator.tally import SCALES, Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from venues.simulator.hub import Emit
    from venues.simulator.market_events import Event
    from venues.simulator.world import World

    Rows: TypeAlias = Sequence[tuple[Decimal, Decimal]]

_TWICE: Final = 0.1  # the share of rows that come twice
_LARGEST_HOLE: Final = 9  # versions that the fault `skip` leaves out at once
_EXACT: Final = Context(prec=1_000)
_CHANGE: Final = Decimal("0.0001")
_PERCENT: Final = Decimal("0.01")
_encode: Final = msgspec.json.encode


class Quoted:
    """One market as its streams show it; `version` counts the changes of its book, by one each.

    With the fault `skip`, now and then it leaves versions out, but no change.
    """

    def __init__(self, world: World, market_id: str, name: str) -> None:
        self.market_id: Final = market_id
        self.display: Final = name.replace("_", "/")
        self.tally: Final = Tally(world.markets[name])
        self.version = 1
        self.books: Final = Subscribers()
        self.quotes: Final = Subscribers()
        self.tickers: Final = Subscribers()
        self.summaries: Final = Subscribers()
        self.charts: Final = {scale: Subscribers() for scale in SCALES}
        self._world = world
        self._market = world.markets[name]
        self._quote = self._best()
        self._holes = Random(f"{world.seed} holes {market_id}")
        self._whole_until = world.stage.now + 1000 * world.skip
        world.stage.listen(self._hear, name)

    def book(self) -> bytes:
        """The whole book as an item of Book, with both sides."""
        bids, asks = ([(level.price, level.size) for level in self._market.levels(side)] for side in ("buy", "sell"))
        return self._book(bids, asks, snapshot=True)

    def quote(self) -> dict[str, Any]:
        """A row of Tob; a side that is empty has no price."""
        bid, ask = self._best()
        return {
            "marketId": self.market_id,
            "ask": None if ask is None else text(ask),
            "bid": None if bid is None else text(bid),
        }

    def ticker(self) -> dict[str, Any]:
        """A row of TradingData: the change is a fraction."""
        day, last = self.tally.day(self._world.stage.now), self.tally.last
        return {
            "marketId": self.market_id,
            "type": "Spot",
            "displayName": self.display,
            "fullName": full_name(self.market_id),
            "price": text(last),
            "priceInRAT": text(last),
            "priceChange24hr": text(_change(day.open, last, _CHANGE)),
            "priceChangeAbs24hr": text(last - day.open),
            "highPrice24hr": text(day.high),
            "lowPrice24hr": text(day.low),
            "markPrice": None,
            "fundingRate": None,
        }

    def summary(self) -> dict[str, Any]:
        """A row of Summary: the change is percent."""
        day, last = self.tally.day(self._world.stage.now), self.tally.last
        return {
            "marketId": self.market_id,
            "last": text(last),
            "high24hr": text(day.high),
            "low24hr": text(day.low),
            "percentChange": text(_change(day.open, last, _PERCENT / 100) * 100),
        }

    def candle(self, scale: str) -> bytes:
        """The current candle of that time scale, as an item of Chart."""
        candle = self.tally.candle(scale, self._world.stage.now)
        return _encode(
            {
                "instrument": self.market_id,
                "low": text(candle.low),
                "high": text(candle.high),
                "open": text(candle.open),
                "close": text(candle.close),
                "start": second(candle.start),
                "end": second(candle.end),
            }
        )

    def _hear(self, event: Event) -> None:
        if isinstance(event, BookChange):
            self._book_changed(event)
        elif isinstance(event, Trade):
            self.tally.add(event)
            self._traded()

    def _book_changed(self, change: BookChange) -> None:
        self.version += 1 + self._hole()
        if self.books:
            if change.whole:
                self.books.tell(self.book())
            else:
                self.books.tell(self._book(change.bids, change.asks, snapshot=False), losable=True)
        quote = self._best()
        if quote != self._quote:
            self._quote = quote
            if self.quotes:
                self.quotes.tell(_encode(several("markets", [self.quote()], snapshot=False)))

    def _hole(self) -> int:
        """How many versions are left out before the present one."""
        now, skip = self._world.stage.now, self._world.skip
        if not skip or now < self._whole_until:
            return 0
        self._whole_until = now + 1000 * skip
        return self._holes.randint(1, _LARGEST_HOLE)

    def _traded(self) -> None:
        if self.tickers:
            self.tickers.tell(_encode(several("markets", [self.ticker()], snapshot=False)))
        if self.summaries:
            self.summaries.tell(_encode(several("items", [self.summary()], snapshot=False)))
        for scale, watchers in self.charts.items():
            if watchers:
                watchers.tell(self.candle(scale))

    def _best(self) -> tuple[Decimal | None, Decimal | None]:
        return self._market.best("buy"), self._market.best("sell")

    def _book(self, bids: Rows, asks: Rows, *, snapshot: bool) -> bytes:
        random = Random(f"{self._world.seed} book {self.market_id} {self.version}")
        return _encode(
            {
                "instrument": self.market_id,
                "askTotalAmount": text(self._market.total("sell")),
                "bidTotalAmount": text(self._market.total("buy")),
                "asks": _shuffled(asks, random),
                "bids": _shuffled(bids, random),
                "version": str(self.version),
                "snapshot": snapshot,
            }
        )


class MarketData:
    """The streams of `/marketdata/v5/info`; what a client asks for is checked before."""

    def __init__(self, world: World, names: dict[str, str]) -> None:
        self._world = world
        self._names = names
        self.markets: Final = {market_id: Quoted(world, market_id, name) for market_id, name in names.items()}

    def book(self, market_id: str, emit: Emit) -> Callable[[], None]:
        """Book: sends the whole book, then its changes."""
        quoted = self._quoted(market_id)
        emit(quoted.book())
        return quoted.books.join(emit)

    def chart(self, market_id: str, scale: str, emit: Emit) -> Callable[[], None]:
        """Chart: sends the current candle, and again with every trade."""
        quoted = self._quoted(market_id)
        emit(quoted.candle(scale))
        return quoted.charts[scale].join(emit)

    def tickers(self, market_ids: Sequence[str], emit: Emit) -> Callable[[], None]:
        """TradingData: sends all rows, then those that a trade has changed."""
        markets = [self._quoted(market_id) for market_id in market_ids]
        emit(_encode(several("markets", [quoted.ticker() for quoted in markets], snapshot=True)))
        return leave_all([quoted.tickers.join(emit) for quoted in markets])

    def quotes(self, market_ids: Sequence[str], emit: Emit) -> Callable[[], None]:
        """Tob: sends all rows, then those whose best prices have changed."""
        markets = [self._quoted(market_id) for market_id in market_ids]
        emit(_encode(several("markets", [quoted.quote() for quoted in markets], snapshot=True)))
        return leave_all([quoted.quotes.join(emit) for quoted in markets])

    def summaries(self, market_ids: Sequence[str], emit: Emit) -> Callable[[], None]:
        """Summary: sends all rows, then those that a trade has changed."""
        markets = [self._quoted(market_id) for market_id in market_ids]
        emit(_encode(several("items", [quoted.summary() for quoted in markets], snapshot=True)))
        return leave_all([quoted.summaries.join(emit) for quoted in markets])

    def _quoted(self, market_id: str) -> Quoted:
        self._world.joined(self._names[market_id])
        return self.markets[market_id]


_FULL_NAMES: Final = {"btc": "Bitcoin", "eth": "Ether", "sol": "Solana", "usdt": "Tether"}


def full_name(market_id: str) -> str:
    """The name of a market in words: `Bitcoin / Tether` for `spot.btc_usdt`."""
    base, quote = market_id.partition(".")[2].split("_")
    return f"{_FULL_NAMES[base]} / {_FULL_NAMES[quote]}"


def several(name: str, rows: list[dict[str, Any]], *, snapshot: bool) -> dict[str, Any]:
    """An item with these rows, and the flag that says whether they are all."""
    return {name: rows, "snapshot": snapshot}


def _shuffled(rows: Rows, random: Random) -> list[dict[str, str]]:
    """The rows in random order; before some of them there is a row of the same price that does not count."""
    ordered = random.sample(rows, len(rows))
    early: dict[int, list[dict[str, str]]] = {}
    for place, (price, size) in enumerate(ordered):
        if random.random() < _TWICE:
            other = random.choice((size, Decimal(0), size + 1))
            early.setdefault(random.randint(0, place), []).append(_row(price, other))
    return [row for place, (price, size) in enumerate(ordered) for row in (*early.get(place, ()), _row(price, size))]


def _row(price: Decimal, size: Decimal) -> dict[str, str]:
    return {"price": text(price), "amount": text(size), "total": text(_EXACT.multiply(price, size))}


def _change(before: Decimal, after: Decimal, step: Decimal) -> Decimal:
    """The change as a fraction, rounded down."""
    return ((after - before) / before).quantize(step, ROUND_FLOOR) if before else Decimal(0)
