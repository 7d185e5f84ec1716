"""The market data of the simulated Kraken: books of each depth, trades, statistics of 24 hours, candles.

All clients of a market get the same frames. Numbers are JSON numbers with all the digits that the pair's precision
has. Time stamps have microseconds and rise strictly, over all markets.
"""

from __future__ import annotations

from collections import defaultdict, deque
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal
from itertools import chain, islice
from typing import TYPE_CHECKING, Final, NamedTuple
from zlib import crc32

from venues.simulator.market import Market
from venues.simulator.market_events import OPPOSITE, BookChange, Trade
from venues.simulator.tally import DAY, MINUTE, Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from venues.simulator.market_events import Event, Level, Side
    from venues.simulator.world import World

DEPTHS: Final = (10, 25, 100, 500, 1000)
INTERVALS: Final = (1, 5, 15, 30, 60, 240, 1440, 10080, 21600)  # minutes
CHECKED: Final = 10  # levels a side that a checksum is of
_SHOWN_TRADES: Final = 50
_SHOWN_CANDLES: Final = 12
_FEWEST_QTY_DIGITS: Final = 8
_MOST_ROWS: Final = 5_000  # levels whose text is kept; a book has some hundred
_CENT: Final = Decimal("0.01")
_EXACT: Final = Context(prec=1_000)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SIDES: Final[tuple[Side, Side]] = ("buy", "sell")


class Stamps:
    """Time stamps that rise strictly."""

    def __init__(self) -> None:
        self._last = 0

    def after(self, milliseconds: int) -> str:
        """A stamp for something that happened at that time, later than all before it."""
        self._last = max(self._last + 1, milliseconds * 1000)
        return f"{stamp(self._last)}Z"


def stamp(microseconds: int) -> str:
    """The time since the epoch as RFC 3339 has it, with six digits and no zone."""
    return (_EPOCH + timedelta(microseconds=microseconds)).strftime("%Y-%m-%dT%H:%M:%S.%f")


class BookFrame(NamedTuple):
    """One message of a book. `rows` are those of bids and asks, `best` the prices among the levels of the checksum."""

    symbol: str
    kind: str
    rows: tuple[list[tuple[str, str]], list[tuple[str, str]]]
    checksum: int
    timestamp: str
    best: frozenset[str] = frozenset()

    def text(self) -> bytes:
        """The frame as it is sent."""
        bids, asks = (",".join([f'{{"price":{price},"qty":{qty}}}' for price, qty in rows]) for rows in self.rows)
        return (
            f'{{"channel":"book","type":"{self.kind}","data":[{{"symbol":"{self.symbol}","bids":[{bids}],'
            f'"asks":[{asks}],"checksum":{self.checksum},"timestamp":"{self.timestamp}"}}]}}'
        ).encode()


class _Candle(NamedTuple):
    """A candle in the making; `cost` is the sum of price times size, `start` in milliseconds."""

    start: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    cost: Decimal
    trades: int


class _Sum(NamedTuple):
    """What was traded in one minute."""

    volume: Decimal = Decimal(0)
    cost: Decimal = Decimal(0)
    trades: int = 0


class Quoted:
    """One market as all clients see it. `hear` functions get frames: of the books of a depth, of the other channels."""

    def __init__(self, world: World, symbol: str, name: str, stamps: Stamps) -> None:
        self.symbol: Final = symbol
        self.name: Final = name
        self.books: Final = {depth: _Book(self, depth) for depth in DEPTHS}
        self.hearers: Final[dict[str, set[Callable[[bytes], None]]]] = defaultdict(set)
        self._world = world
        self._market = world.markets[name]
        self._stamps = stamps
        self._tally = Tally(self._market)
        self._recent: deque[str] = deque(maxlen=_SHOWN_TRADES)
        self._order: list[Trade] = []  # the trades of the order that is being matched
        self._minutes: dict[int, _Sum] = {}
        self._rows: dict[Level, tuple[str, str]] = {}
        self._candles: dict[int, deque[_Candle]] = {n: deque(maxlen=_SHOWN_CANDLES) for n in INTERVALS}
        self._best = self._best_levels()
        world.stage.listen(self._hear, name)

    # --- figures

    @property
    def price_precision(self) -> int:
        """Digits behind the point of each price."""
        return _digits(self._world.steps(self.name).tick)

    @property
    def qty_precision(self) -> int:
        """Digits behind the point of each quantity."""
        return max(_FEWEST_QTY_DIGITS, _digits(self._world.steps(self.name).lot))

    def price(self, value: Decimal) -> str:
        """A price with all its digits."""
        return f"{value:.{self.price_precision}f}"

    def qty(self, value: Decimal) -> str:
        """A quantity with all its digits."""
        return f"{value:.{self.qty_precision}f}"

    def levels(self, side: Side) -> Sequence[Level]:
        """All levels of a side, best first."""
        return self._market.levels(side)

    def checksum(self) -> int:
        """The checksum of the book as it is: of the best ten asks, then of the best ten bids."""
        best = chain(self.levels("sell")[:CHECKED], self.levels("buy")[:CHECKED])
        return crc32("".join([_bare(text) for level in best for text in self.row(level)]).encode())

    def stamp(self, time: int = 0) -> str:
        """The time stamp of something that happens now, or at a time in milliseconds."""
        return self._stamps.after(time or self._world.stage.now)

    def row(self, level: Level) -> tuple[str, str]:
        """Price and quantity of a level as they are written; a level that has not changed is not written again."""
        row = self._rows.get(level)
        if row is None:
            if len(self._rows) >= _MOST_ROWS:
                self._rows.clear()
            row = self._rows[level] = self.price(level.price), self.qty(level.size)
        return row

    def rows(self, levels: Iterable[Level]) -> Iterator[tuple[str, str]]:
        """The `row` of each level, nearly all of which are written already."""
        return (self._rows.get(level) or self.row(level) for level in levels)

    # --- whole states

    def trades(self) -> bytes:
        """The last trades."""
        return _frame("trade", "snapshot", self._recent)

    def ticker(self, kind: str = "snapshot") -> bytes:
        """The statistics of the last 24 hours, with the best bid and ask; an empty side is 0."""
        now = self._world.stage.now
        day, last, sums = self._tally.day(now), self._tally.last, self._sums(now)
        bid, ask = self._best_levels()
        vwap = _EXACT.divide(sums.cost, sums.volume) if sums.volume else last
        change = last - day.open
        percent = 100 * change / day.open if day.open else Decimal(0)
        zero = Decimal(0)
        return _frame("ticker", kind, [
            f'{{"symbol":"{self.symbol}","bid":{self.price(bid.price if bid else zero)},'
            f'"bid_qty":{self.qty(bid.size if bid else zero)},"ask":{self.price(ask.price if ask else zero)},'
            f'"ask_qty":{self.qty(ask.size if ask else zero)},"last":{self.price(last)},'
            f'"volume":{self.qty(sums.volume)},"vwap":{self.price(vwap)},"low":{self.price(day.low)},'
            f'"high":{self.price(day.high)},"change":{self.price(change)},"change_pct":{percent.quantize(_CENT) + 0},'
            f'"trades":{sums.trades},"timestamp":"{self.stamp()}"}}'
        ])  # fmt: skip

    def candles(self, interval: int) -> bytes:
        """The latest candles of that many minutes, old to new."""
        return self._ohlc("snapshot", interval, self._candles[interval])

    # --- what happens

    def _hear(self, event: Event) -> None:
        if isinstance(event, Trade):
            self._order.append(event)
            self._tally.add(event)
            self._count(event)
            if not isinstance(self._market, Market):  # of a tape it is not known which change of the book belongs to it
                self._traded()
        elif isinstance(event, BookChange):
            fills = self._fills()
            self._traded()
            for book in self.books.values():
                book.changed(event, fills)
            best = self._best_levels()
            if best != self._best:
                self._best = best
                self._tell("ticker bbo", lambda: self.ticker("update"))

    def _traded(self) -> None:
        """Tell the trades of one order, in one frame."""
        trades, self._order = self._order, []
        if not trades:
            return
        rows = [
            f'{{"symbol":"{self.symbol}","side":"{trade.side}","price":{self.price(trade.price)},'
            f'"qty":{self.qty(trade.size)},"ord_type":"limit","trade_id":{trade.trade_id},'
            f'"timestamp":"{self._stamps.after(trade.time)}"}}'
            for trade in trades
        ]
        self._recent.extend(rows)
        self._tell("trade", lambda: _frame("trade", "update", rows))
        self._tell("ticker trades", lambda: self.ticker("update"))
        for interval, candles in self._candles.items():
            self._tell(f"ohlc {interval}", lambda n=interval, c=candles: self._ohlc("update", n, [c[-1]]))  # type: ignore[misc]

    def _tell(self, channel: str, frame: Callable[[], bytes]) -> None:
        if hearers := self.hearers.get(channel):
            data = frame()
            for hear in tuple(hearers):
                hear(data)

    def _fills(self) -> dict[tuple[Side, str], list[Decimal]]:
        """By maker's side and price: what each fill of the order took there."""
        fills: dict[tuple[Side, str], list[Decimal]] = defaultdict(list)
        for trade in self._order:
            fills[OPPOSITE[trade.side], self.price(trade.price)].append(trade.size)
        return fills

    def _best_levels(self) -> tuple[Level | None, Level | None]:
        bids, asks = self.levels("buy"), self.levels("sell")
        return bids[0] if bids else None, asks[0] if asks else None

    def _count(self, trade: Trade) -> None:
        cost = _EXACT.multiply(trade.price, trade.size)
        minute = trade.time - trade.time % MINUTE
        sums = self._minutes.get(minute, _Sum())
        self._minutes[minute] = _Sum(sums.volume + trade.size, sums.cost + cost, sums.trades + 1)
        for interval, candles in self._candles.items():
            start = trade.time - trade.time % (interval * MINUTE)
            last = candles[-1] if candles else None
            if last is None or last.start < start:
                candles.append(_Candle(start, *(trade.price,) * 4, trade.size, cost, 1))
            else:
                candles[-1] = _Candle(
                    last.start,
                    last.open,
                    max(last.high, trade.price),
                    min(last.low, trade.price),
                    trade.price,
                    last.volume + trade.size,
                    last.cost + cost,
                    last.trades + 1,
                )

    def _sums(self, now: int) -> _Sum:
        for minute in [minute for minute in self._minutes if minute < now - DAY]:
            del self._minutes[minute]
        sums = self._minutes.values()
        return _Sum(
            sum((one.volume for one in sums), Decimal(0)),
            sum((one.cost for one in sums), Decimal(0)),
            sum(one.trades for one in sums),
        )

    def _ohlc(self, kind: str, interval: int, candles: Iterable[_Candle]) -> bytes:
        rows = [
            f'{{"symbol":"{self.symbol}","open":{self.price(candle.open)},"high":{self.price(candle.high)},'
            f'"low":{self.price(candle.low)},"close":{self.price(candle.close)},"trades":{candle.trades},'
            f'"volume":{self.qty(candle.volume)},"vwap":{self.price(_EXACT.divide(candle.cost, candle.volume))},'
            f'"interval_begin":"{stamp(candle.start * 1000)}000Z","interval":{interval},'
            f'"timestamp":"{stamp((candle.start + interval * MINUTE) * 1000)}Z"}}'
            for candle in candles
        ]
        return _frame("ohlc", kind, rows, f'"timestamp":"{self.stamp()[:-1]}000Z",')


class _Book:
    """A market's book of one depth, as it was told last; `hearers` get each of its frames."""

    def __init__(self, quoted: Quoted, depth: int) -> None:
        self.hearers: Final[set[Callable[[BookFrame], None]]] = set()
        self._quoted = quoted
        self._depth = depth
        self._told: dict[Side, dict[str, str]]  # once somebody has joined

    def join(self, hear: Callable[[BookFrame], None]) -> Callable[[], None]:
        """Tell the whole book now and its changes from then on; the returned function ends that."""
        self._told = {side: self._top(side) for side in _SIDES}
        rows = ([*self._told["buy"].items()], [*self._told["sell"].items()])
        quoted = self._quoted
        hear(BookFrame(quoted.symbol, "snapshot", rows, quoted.checksum(), quoted.stamp()))
        self.hearers.add(hear)
        return lambda: self.hearers.discard(hear)

    def changed(self, change: BookChange, fills: dict[tuple[Side, str], list[Decimal]]) -> None:
        """Tell what is different within the depth."""
        if not self.hearers:
            return
        before, here = self._told, dict(zip(_SIDES, (change.bids, change.asks), strict=True))
        self._told = {side: self._top(side) if change.whole or here[side] else before[side] for side in _SIDES}
        bids, asks = (
            self._rows(side, None if change.whole else changed, before[side], fills) for side, changed in here.items()
        )
        if not bids and not asks:
            return
        tops = (told[side] for told in (before, self._told) for side in _SIDES)
        best = frozenset(price for top in tops for price in islice(top, CHECKED))
        quoted = self._quoted
        stamped = quoted.stamp(change.time)
        frame = BookFrame(quoted.symbol, "update", (bids, asks), quoted.checksum(), stamped, best)
        for hear in tuple(self.hearers):
            hear(frame)

    def _top(self, side: Side) -> dict[str, str]:
        return dict(self._quoted.rows(self._quoted.levels(side)[: self._depth]))

    def _rows(
        self,
        side: Side,
        changed: Sequence[tuple[Decimal, Decimal]] | None,
        before: dict[str, str],
        fills: dict[tuple[Side, str], list[Decimal]],
    ) -> list[tuple[str, str]]:
        """The rows of a side: what is gone, what moved in behind it, what is new or has another quantity.

        A level that was pushed out is not told. One that moved in and was pushed out again at once is told. `changed`:
        the prices that an order has changed, with their sizes; None: everything was replaced.
        """
        quoted, after = self._quoted, self._told[side]
        if before is after:
            return []
        zero = quoted.qty(Decimal(0))
        named = {quoted.price(price): size for price, size in changed or ()}
        left = before.keys() - after.keys()
        gone = (
            [price for price in before if price in left and (changed is None or named.get(price) == 0)] if left else []
        )
        own = [price for price, qty in after.items() if before.get(price) != qty]
        new = [price for price in own if price in named and price not in before]
        moved_in = [(price, after[price]) for price in own if price not in named]
        # What had moved in behind the first is beyond the depth again.
        beyond = quoted.levels(side)[self._depth : self._depth + min(len(gone), len(new))]
        moved_in += [row for row in map(quoted.row, beyond) if row[0] not in named]
        rows = [row for price in gone for row in (*self._parts(side, price, before, fills), (price, zero))]
        rows += moved_in
        for price in own:
            if price in named:
                rows += [*self._parts(side, price, before, fills), (price, after[price])]
        return rows

    def _parts(
        self,
        side: Side,
        price: str,
        before: dict[str, str],
        fills: dict[tuple[Side, str], list[Decimal]],
    ) -> list[tuple[str, str]]:
        """A row for each fill of a level but the last one: the quantity falls from one to the next."""
        if price not in before:
            return []
        size, rows = Decimal(before[price]), []
        for taken in fills.get((side, price), ())[:-1]:
            size -= taken
            rows.append((price, self._quoted.qty(size)))
        return rows


def _frame(channel: str, kind: str, rows: Iterable[str], more: str = "") -> bytes:
    return f'{{"channel":"{channel}","type":"{kind}",{more}"data":[{",".join(rows)}]}}'.encode()


def _bare(text: str) -> str:
    """A figure as it counts for the checksum: without the point and without leading zeros."""
    return text.replace(".", "").lstrip("0")


def _digits(step: Decimal) -> int:
    exponent = step.as_tuple().exponent
    assert isinstance(exponent, int), "a step is finite"
    return max(0, -exponent)
