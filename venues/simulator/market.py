"""A simulated market: an instrument, its matching engine, and its book and trades in decimals."""

from __future__ import annotations

from bisect import bisect_left
from decimal import Decimal
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from venues.simulator.engine import Engine
from venues.simulator.market_events import OPPOSITE, BookChange, Level, Trade

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from venues.simulator.engine import Match, Order
    from venues.simulator.market_events import Side, Stage

MOST_TOUCHED: Final = 1_000  # prices of a side whose levels are still to be made


class Instrument(NamedTuple):
    """What is traded: tick and lot in quote and base units, `start` in ticks.

    `reach` is the mean distance in ticks of a new limit order from the other side's best price.
    """

    name: str
    base: str
    quote: str
    tick: Decimal
    lot: Decimal
    start: int
    reach: int


INSTRUMENTS: Final = (
    Instrument("BTC_USDT", "BTC", "USDT", Decimal("0.01"), Decimal("0.0001"), 6_500_000, 3_000),
    Instrument("ETH_USDT", "ETH", "USDT", Decimal("0.01"), Decimal("0.001"), 340_000, 200),
    Instrument("SOL_USDT", "SOL", "USDT", Decimal("0.001"), Decimal("0.01"), 150_000, 100),
)


class MarketBook(Protocol):
    """The part of a market that an endpoint needs: its book and its last trade."""

    @property
    def name(self) -> str:
        """The market, like `BTC_USDT`."""
        ...

    @property
    def changes(self) -> int:
        """Differs whenever the book does."""
        ...

    @property
    def last(self) -> Trade | None:
        """The last trade, None before the first one."""
        ...

    def levels(self, side: Side) -> Sequence[Level]:
        """All levels of a side, best first."""
        ...

    def best(self, side: Side) -> Decimal | None:
        """The best price of a side, None when it is empty."""
        ...

    def total(self, side: Side) -> Decimal:
        """The sum of a side's sizes."""
        ...


class Market:
    """A market with a matching engine.

    `on_fill` is called for each fill of an order that has an owner (owner, price, size), `on_gone` for each public
    order that was matched completely.
    """

    def __init__(self, instrument: Instrument, stage: Stage) -> None:
        self.instrument: Final = instrument
        self.engine: Final = Engine()
        self.last: Trade | None = None
        self.on_fill: Callable[[int, Decimal, Decimal], None] = _ignore_fill
        self.on_gone: Callable[[Order], None] = _ignore_order
        self._stage = stage
        self._trades = 0
        self._shown: dict[Side, list[Level]] = {"buy": [], "sell": []}
        self._ranks: dict[Side, list[int]] = {"buy": [], "sell": []}  # of the shown levels: ticks, rising from the best
        self._touched: dict[Side, set[int]] = {"buy": set(), "sell": set()}  # ticks, since they were shown

    @property
    def name(self) -> str:
        """The market, like `BTC_USDT`."""
        return self.instrument.name

    @property
    def changes(self) -> int:
        """Differs whenever the book does."""
        return self.engine.changes

    def price(self, ticks: int) -> Decimal:
        """The price of so many ticks, exact, in quote currency."""
        return self.instrument.tick * ticks

    def size(self, lots: int) -> Decimal:
        """The size of so many lots, exact, in base units."""
        return self.instrument.lot * lots

    def best(self, side: Side) -> Decimal | None:
        """The best price of a side, None when it is empty."""
        ticks = self.engine.best(side)
        return None if ticks is None else self.price(ticks)

    def levels(self, side: Side) -> Sequence[Level]:
        """All levels of a side, best first."""
        if self._touched[side]:
            self._shown[side] = self._refreshed(side)
        return self._shown[side]

    def total(self, side: Side) -> Decimal:
        """The sum of a side's sizes."""
        return self.size(self.engine.lots(side))

    def limit(self, side: Side, ticks: int, lots: int, owner: int = 0) -> Order:
        """Place a limit order; emits its trades, then the change of the book."""
        order, matches = self.engine.limit(side, ticks, lots, owner)
        self._touched[side].add(ticks)
        self._report(side, matches, owner, (ticks,) if order.lots else ())
        return order

    def market(self, side: Side, lots: int, owner: int = 0) -> None:
        """Place a market order; emits its trades, then the change of the book."""
        self._report(side, self.engine.market(side, lots), owner)

    def cancel(self, order: Order) -> bool:
        """Cancel an order; False if it does not rest any more."""
        if not self.engine.cancel(order):
            return False
        self._touched[order.side].add(order.price)
        self._changed(order.side, (order.price,), ())
        return True

    def public_lots(self, side: Side) -> int:
        """Lots on a side that are not the account's."""
        return self.engine.public_lots(side)

    def _report(self, side: Side, matches: list[Match], taker: int, resting: tuple[int, ...] = ()) -> None:
        self._touched[OPPOSITE[side]].update(match.price for match in matches)
        for match in matches:
            price, size = self.price(match.price), self.size(match.lots)
            self._trades += 1
            self.last = Trade(self.name, self._stage.now, self._trades, price, size, side)
            self._stage.emit(self.last)
            for owner in (match.maker.owner, taker):
                if owner:
                    self.on_fill(owner, price, size)
            if not match.maker.owner and not match.maker.lots:
                self.on_gone(match.maker)
        self._changed(side, resting, (match.price for match in matches))

    def _changed(self, side: Side, own: Iterable[int], other: Iterable[int]) -> None:
        """Emit that the book has changed at these prices of this side and of the other one."""
        here, there = self._rows(side, own), self._rows(OPPOSITE[side], other)
        bids, asks = (here, there) if side == "buy" else (there, here)
        self._stage.emit(BookChange(self.name, self._stage.now, bids, asks))
        for one, touched in self._touched.items():
            if len(touched) > MOST_TOUCHED:  # nobody looks at the book
                self.levels(one)

    def _rows(self, side: Side, prices: Iterable[int]) -> tuple[tuple[Decimal, Decimal], ...]:
        return tuple((self.price(p), self.size(self.engine.lots_at(side, p))) for p in dict.fromkeys(prices))

    def _refreshed(self, side: Side) -> list[Level]:
        """The current levels; a level that has not changed is the same object as before.

        Only the prices that were touched are looked at: most changes are of one of a hundred levels.
        """
        touched, self._touched[side] = self._touched[side], set()
        ranks, levels = self._ranks[side], self._shown[side].copy()
        for ticks in touched:
            rank = -ticks if side == "buy" else ticks
            at = bisect_left(ranks, rank)
            known = at < len(ranks) and ranks[at] == rank
            lots, orders = self.engine.lots_at(side, ticks), self.engine.orders_at(side, ticks)
            if not orders:
                if known:
                    del ranks[at], levels[at]
                continue
            level = Level(self.price(ticks), self.size(lots), orders)
            if not known:
                ranks.insert(at, rank)
                levels.insert(at, level)
            elif (levels[at].size, levels[at].orders) != (level.size, orders):
                levels[at] = level
        return levels


def _ignore_fill(owner: int, price: Decimal, size: Decimal) -> None:
    """Does nothing: this market has no account whose fills would count."""


def _ignore_order(order: Order) -> None:
    """Does nothing: nobody counts the public orders of this market."""
