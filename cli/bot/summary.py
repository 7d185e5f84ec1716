"""What a bot's position signals would have brought: the figures of its summary. Pure.

The figures are those of a constant notional: a size of 0.5 buys for half of it, and what was gained or lost changes
nothing of what the next signal buys for. So returns are added up, not compounded. All figures are exact to fifty
digits; who prints them rounds them.

A signal is filled by the first price that comes after it: bought at the ask and sold at the bid of the first quote; in
a market without quotes at the price of the next trade. Whether a market has quotes is known once the first one comes,
so until then both ways are gone. What a callback emits is after the price that it was called with, so no signal is
filled with a price that its script could see.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from decimal import Context, Decimal
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from cli.bot.market_data import MarketName

Side = Literal["long", "short"]
SIDES: tuple[Side, Side] = ("long", "short")
MOST_POINTS = 512  # of a curve that are kept: enough for a line of any terminal
_CONTEXT = Context(prec=50)
_ZERO = Decimal(0)
_ONE = Decimal(1)
_HUNDRED = Decimal(100)
_TEN_THOUSAND = Decimal(10_000)
_NOTHING = Decimal("1E-40")  # a round trip has gained more: what comes of rounding at fifty digits is less


class Costs(NamedTuple):
    """What trading costs: both in hundredths of a percent (basis points) of what is bought or sold."""

    fee_bps: Decimal = _ZERO
    slippage_bps: Decimal = _ZERO


class Point(NamedTuple):
    """The return in percent at a time (epoch ms)."""

    at: int
    return_pct: Decimal


@dataclass
class Figures:
    """One market's figures of one side, or of both.

    `in_position_ms` is in milliseconds, the figures in percent are of the constant notional. `drawdown_pct` is the
    greatest fall of the return, `exposure` the mean of the size without its sign, over the whole run. `hit_rate_pct` is
    the share of `round_trips` (from nothing back to nothing) that gained anything after fees; None without any.
    `missed` signals had not been filled when another one took their place or the run ended; `marked` ones were made
    while a market was not live or of old data, and are not filled.
    """

    signals: int = 0
    missed: int = 0
    marked: int = 0
    in_position_ms: int = 0
    return_pct: Decimal = _ZERO
    drawdown_pct: Decimal = _ZERO
    exposure: Decimal = _ZERO
    round_trips: int = 0
    hits: int = 0

    @property
    def hit_rate_pct(self) -> Decimal | None:
        """The share of the round trips that gained anything, in percent."""
        if not self.round_trips:
            return None
        return _CONTEXT.divide(Decimal(100 * self.hits), Decimal(self.round_trips))


@dataclass
class MarketSummary:
    """The figures of one market. `exceptions` are those of its callbacks; `open_size` is what is held at the end."""

    market: MarketName
    both: Figures
    sides: dict[Side, Figures]
    others: int  # signals that are no positions: of grids and of market makers
    exceptions: int
    open_size: Decimal
    filled_by: Literal["quotes", "trades"]
    curve: list[Point] = field(default_factory=list)


@dataclass
class Summary:
    """A bot's run in figures. `begin` and `end` are epoch ms, None where nothing came."""

    name: str
    begin: int | None
    end: int | None
    markets: list[MarketSummary]
    exceptions: int
    costs: Costs


class Tally:
    """Takes a script's prices and signals in the order in which the script has them, and adds up.

    It may be called from any thread.
    """

    def __init__(self, name: str, costs: Costs) -> None:
        self._name = name
        self._costs = costs
        self._markets: dict[MarketName, _Ways] = {}
        self._exceptions = 0
        self._begin: int | None = None
        self._end: int | None = None
        self._lock = threading.Lock()

    def saw(self, at: int) -> None:
        """Note that the run was there at a time (epoch ms)."""
        if self._begin is None:
            self._begin = at
        self._end = at if self._end is None else max(self._end, at)

    def quote(self, market: MarketName, at: int, bid: Decimal | None, ask: Decimal | None) -> None:
        """Take a market's best prices, before the script gets them; None for a side that is empty."""
        with self._lock:
            self.saw(at)
            if bid is not None or ask is not None:
                self._ways(market).quote(at, bid, ask)

    def trade(self, market: MarketName, at: int, price: Decimal) -> None:
        """Take the price of a trade (or a candle's latest), before the script gets it."""
        with self._lock:
            self.saw(at)
            self._ways(market).trade(at, price)

    def signal(self, market: MarketName, at: int, size: Decimal | None, *, marked: bool) -> None:
        """Take a signal; `size` is None for one that is no position."""
        with self._lock:
            self.saw(at)
            self._ways(market).signal(size, marked=marked)

    def exception(self, market: MarketName | None) -> None:
        """Count an exception of the script, in a callback for a market or elsewhere."""
        with self._lock:
            self._exceptions += 1
            if market is not None:
                self._ways(market).exceptions += 1

    def summary(self, at: int | None = None) -> Summary:
        """The figures as they are when the run has ended, at a time (epoch ms); without one, when it last saw any."""
        with self._lock:
            if at is not None and self._begin is not None:
                self.saw(at)
            duration = 0 if self._begin is None or self._end is None else self._end - self._begin
            markets = [ways.summary(self._end, duration) for ways in self._markets.values()]
            return Summary(self._name, self._begin, self._end, markets, self._exceptions, self._costs)

    def _ways(self, market: MarketName) -> _Ways:
        ways = self._markets.get(market)
        if ways is None:
            ways = self._markets[market] = _Ways(market, self._costs)
        return ways


class _Ways:
    """One market's two ways of being filled: by quotes, and by trades as long as there was no quote."""

    def __init__(self, market: MarketName, costs: Costs) -> None:
        self.exceptions = 0
        self._by_quotes = _Book(market, costs, "quotes")
        self._by_trades: _Book | None = _Book(market, costs, "trades")

    def quote(self, at: int, bid: Decimal | None, ask: Decimal | None) -> None:
        self._by_trades = None
        self._by_quotes.price(at, bid, ask)

    def trade(self, at: int, price: Decimal) -> None:
        if self._by_trades is not None:
            self._by_trades.price(at, price, price)

    def signal(self, size: Decimal | None, *, marked: bool) -> None:
        self._by_quotes.signal(size, marked=marked)
        if self._by_trades is not None:
            self._by_trades.signal(size, marked=marked)

    def summary(self, at: int | None, duration: int) -> MarketSummary:
        book = self._by_quotes if self._by_trades is None else self._by_trades
        return book.summary(at, duration, exceptions=self.exceptions)


class _Curve:
    """The return of one side or of both over time: its greatest fall.

    A price changes only what is held. So a value comes as what that is `worth` now; `begin` says what the return is
    beside it, and most prices need no more than two comparisons: they neither are a height nor a new depth.
    """

    def __init__(self) -> None:
        self._highest = _ZERO
        self.fall = _ZERO
        self.begin(_ZERO)

    def begin(self, beside: Decimal) -> None:
        """From now on the return is `beside` and what is held."""
        self._beside = beside
        self._height = _CONTEXT.subtract(self._highest, beside)
        self._depth = _CONTEXT.subtract(self._height, self.fall)

    def at(self, worth: Decimal) -> None:
        if worth > self._height:
            self._highest = _CONTEXT.add(worth, self._beside)
            self.begin(self._beside)
        elif worth < self._depth:
            self.fall = _CONTEXT.subtract(self._height, worth)
            self._depth = worth


class _Points:
    """Points of a curve, fewer and fewer of them as there are more."""

    def __init__(self) -> None:
        self.kept: list[Point] = []
        self._every = 1
        self._number = -1

    def is_due(self) -> bool:
        """Whether one more value is to be kept."""
        self._number += 1
        return self._number % self._every == 0

    def keep(self, point: Point) -> None:
        self.kept.append(point)
        if len(self.kept) >= MOST_POINTS:
            self.kept = self.kept[::2]
            self._every *= 2


class _SideBook:
    """What one side has brought so far, all in shares of the notional."""

    def __init__(self) -> None:
        self.figures = Figures()
        self.gained = _ZERO  # of what was closed, after the fees of all
        self.curve = _Curve()
        self.weighted_ms = _ZERO  # size times milliseconds


class _Book:
    """One market: what is wanted, what is held, and what that has brought."""

    def __init__(self, market: MarketName, costs: Costs, filled_by: Literal["quotes", "trades"]) -> None:
        self._market = market
        self._filled_by: Literal["quotes", "trades"] = filled_by
        self._fee = _CONTEXT.divide(costs.fee_bps, _TEN_THOUSAND)
        self._slippage = _CONTEXT.divide(costs.slippage_bps, _TEN_THOUSAND)
        self._sides: dict[Side, _SideBook] = {"long": _SideBook(), "short": _SideBook()}
        self._curve = _Curve()
        self._points = _Points()
        self._flat = Figures()  # signals of size 0
        self._others = 0
        self._wanted: Decimal | None = None  # a size that no price has filled yet
        self._size = _ZERO  # held, as a share of the notional
        self._units = _ZERO  # held, for a notional of 1
        self._paid = _ZERO  # for them
        self._worth = _ZERO  # what they would bring at the last price
        self._beside = _ZERO  # the return without that
        self._drawn_at: int  # when the last point was due
        self._trip = _ZERO  # what the present round trip has gained so far
        self._bid: Decimal | None = None  # the last ones; both are the last trade's price where no quotes come
        self._ask: Decimal | None = None
        self._since = 0  # up to when the held size was weighed

    # --- what comes

    def signal(self, size: Decimal | None, *, marked: bool) -> None:
        if size is None:
            self._others += 1
            return
        figures = self._figures_of(size)
        figures.signals += 1
        if self._wanted is not None and (marked or size != self._wanted):
            self._miss()
        if marked:
            figures.marked += 1
        elif size != self._size:
            self._wanted = size

    def price(self, at: int, bid: Decimal | None, ask: Decimal | None) -> None:
        if bid is not None:
            self._bid = bid
        if ask is not None:
            self._ask = ask
        held = self._size
        if self._wanted is not None:
            price = ask if self._wanted > held else bid
            if price is not None and price > 0:
                self._fill(at, self._wanted, price)
                self._go_on(held)
        if held or self._size:
            self._value()
            self._draw(at, held)

    def summary(self, at: int | None, duration: int, *, exceptions: int) -> MarketSummary:
        """The figures when the run has lasted so long (ms), and ended at a time (epoch ms), unless nothing came."""
        if at is not None:
            self._weigh(at)
        both = Figures(signals=self._flat.signals, missed=self._flat.missed, marked=self._flat.marked)
        if self._wanted is not None:
            both.missed += 1
        sides: dict[Side, Figures] = {}
        for side in SIDES:
            book = self._sides[side]
            one = sides[side] = replace(book.figures)
            one.missed += self._wanted is not None and _side_of(self._wanted) == side
            one.return_pct = _percent(_CONTEXT.add(book.gained, self._open_gain_of(side)))
            one.drawdown_pct = _percent(book.curve.fall)
            one.exposure = _CONTEXT.divide(book.weighted_ms, Decimal(duration)) if duration else _ZERO
            for name in ("signals", "marked", "in_position_ms", "round_trips", "hits"):
                setattr(both, name, getattr(both, name) + getattr(one, name))
            both.missed += book.figures.missed
            both.return_pct = _CONTEXT.add(both.return_pct, one.return_pct)
            both.exposure = _CONTEXT.add(both.exposure, one.exposure)
        both.drawdown_pct = _percent(self._curve.fall)
        points = self._points.kept
        if points and points[-1].at != self._drawn_at:
            points = [*points, self._point()]
        return MarketSummary(
            self._market,
            both,
            sides,
            others=self._others,
            exceptions=exceptions,
            open_size=self._size,
            filled_by=self._filled_by,
            curve=[Point(point.at, _percent(point.return_pct)) for point in points],
        )

    # --- what becomes of it

    def _miss(self) -> None:
        assert self._wanted is not None
        self._figures_of(self._wanted).missed += 1
        self._wanted = None

    def _fill(self, at: int, wanted: Decimal, price: Decimal) -> None:
        """Change what is held: what is closed first, then what is opened, both at one price."""
        self._wanted = None
        self._weigh(at)
        moved = _CONTEXT.multiply(price, self._slippage)
        price = _CONTEXT.add(price, moved) if wanted > self._size else _CONTEXT.subtract(price, moved)
        stays = wanted if _side_of(wanted) == _side_of(self._size) else _ZERO
        if stays.copy_abs() < self._size.copy_abs():
            self._close(stays, price)
        if wanted != self._size:
            self._open(wanted, price)

    def _open(self, wanted: Decimal, price: Decimal) -> None:
        added = _CONTEXT.subtract(wanted, self._size)
        self._units = _CONTEXT.add(self._units, _CONTEXT.divide(added, price))
        self._paid = _CONTEXT.add(self._paid, added)
        self._size = wanted
        self._gain(_CONTEXT.multiply(added.copy_abs(), self._fee).copy_negate())

    def _close(self, stays: Decimal, price: Decimal) -> None:
        """Sell, or buy back, until `stays` is left. Of what was paid, the share of what is closed goes with it."""
        share = _CONTEXT.divide(_CONTEXT.subtract(self._size, stays), self._size) if stays else _ONE
        units, paid = _CONTEXT.multiply(self._units, share), _CONTEXT.multiply(self._paid, share)
        worth = _CONTEXT.multiply(units, price)
        fee = _CONTEXT.multiply(worth.copy_abs(), self._fee)
        self._gain(_CONTEXT.subtract(_CONTEXT.subtract(worth, paid), fee))
        if stays:
            self._units, self._paid = _CONTEXT.subtract(self._units, units), _CONTEXT.subtract(self._paid, paid)
        else:
            figures = self._side().figures
            figures.round_trips += 1
            figures.hits += self._trip > _NOTHING
            self._units = self._paid = self._trip = _ZERO
        self._size = stays

    def _gain(self, gained: Decimal) -> None:
        side = self._side()
        side.gained = _CONTEXT.add(side.gained, gained)
        self._trip = _CONTEXT.add(self._trip, gained)

    def _go_on(self, held: Decimal) -> None:
        """Let the curves go on with what is held since a fill; `held` is what was before."""
        for side in SIDES:
            if side in (_side_of(held), _side_of(self._size)):
                book = self._sides[side]
                paid = self._paid if _side_of(self._size) == side else _ZERO
                book.curve.begin(_CONTEXT.subtract(book.gained, paid))
        gained = _CONTEXT.add(self._sides["long"].gained, self._sides["short"].gained)
        self._beside = _CONTEXT.subtract(gained, self._paid)
        self._curve.begin(self._beside)

    def _value(self) -> None:
        """Value what is held at what closing it would bring at the last price; without any, at what was paid."""
        mark = self._bid if self._size > 0 else self._ask
        self._worth = self._paid if mark is None else _CONTEXT.multiply(self._units, mark)

    def _draw(self, at: int, held: Decimal) -> None:
        """Go on with the curves of both, and of the sides that are held now and that were before this price."""
        if self._size:
            self._side().curve.at(self._worth)
        if held and _side_of(held) != _side_of(self._size):
            self._sides["long" if held > 0 else "short"].curve.at(_ZERO)
        self._curve.at(self._worth)
        self._drawn_at = at
        if self._points.is_due():
            self._points.keep(self._point())

    def _point(self) -> Point:
        return Point(self._drawn_at, _CONTEXT.add(self._beside, self._worth))

    def _weigh(self, at: int) -> None:
        """Count the time for which the present size was held."""
        lasted = max(0, at - self._since)
        self._since = max(at, self._since)
        if self._size:
            side = self._side()
            side.figures.in_position_ms += lasted
            side.weighted_ms = _CONTEXT.add(side.weighted_ms, _CONTEXT.multiply(self._size.copy_abs(), Decimal(lasted)))

    def _side(self) -> _SideBook:
        side = _side_of(self._size)
        assert side is not None, "nothing is held"
        return self._sides[side]

    def _open_gain_of(self, side: Side) -> Decimal:
        """What the held of a side would bring at the last price, beyond what was paid."""
        return _CONTEXT.subtract(self._worth, self._paid) if _side_of(self._size) == side else _ZERO

    def _figures_of(self, size: Decimal) -> Figures:
        side = _side_of(size)
        return self._flat if side is None else self._sides[side].figures


def _side_of(size: Decimal) -> Side | None:
    return "long" if size > 0 else "short" if size < 0 else None


def _percent(share: Decimal) -> Decimal:
    return _CONTEXT.multiply(share, _HUNDRED)
