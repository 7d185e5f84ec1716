"""The market data of the simulated JayX: the book with its latest trades, and candles.

All figures are whole numbers: ticks are price ÷ tick, lots size ÷ lot, exactly.
"""

from __future__ import annotations

from collections import deque
from decimal import Context, Decimal
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from venues.simulator.market_events import Trade

if TYPE_CHECKING:
    from collections.abc import Sequence

    from venues.simulator.market_events import Event, Level, Side
    from venues.simulator.tape import Steps
    from venues.simulator.world import World

MOST_TRADES: Final = 50  # in an orderbook message
INTERVALS: Final = (1, 5, 10, 15, 30, 60, 180, 300, 900, 1800, 3600, 7200, 14400, 21600, 28800, 43200, 86400)
_EXACT: Final = Context(prec=1_000)

Row = dict[str, Any]


class Candle(Struct):
    """A candle in ticks and lots; `start` and `modified` in seconds since the epoch."""

    start: int
    open: int
    high: int
    low: int
    close: int
    lots: int
    modified: int


class Quoted:
    """One market as all clients of JayX see it: its book, trades and candles."""

    def __init__(self, world: World, symbol: str, name: str) -> None:
        self.symbol: Final = symbol
        self.name: Final = name
        self._world = world
        self._market = world.markets[name]
        self._steps: Steps | None = None
        self._trades: deque[Row] = deque(maxlen=MOST_TRADES)
        self._candles: dict[int, Candle] = {}
        self._previous: dict[int, Candle] = {}
        self._rows: dict[Level, Row] = {}
        world.stage.listen(self._hear, name)

    def ticks(self, price: Decimal) -> int:
        """How many ticks a price is, exactly."""
        return int(_EXACT.divide(price, self._known_steps().tick))

    def lots(self, size: Decimal) -> int:
        """How many lots a size is, exactly."""
        return int(_EXACT.divide(size, self._known_steps().lot))

    def amount(self, cost: Decimal) -> int:
        """A sum of price times size, converted to ticks times lots."""
        steps = self._known_steps()
        return int(_EXACT.divide(cost, _EXACT.multiply(steps.tick, steps.lot)))

    def orderbook(self, precise: int) -> Row:
        """The whole book, best prices first and `precise` ticks to a level, and the latest trades, newest first.

        Grouped bids are at the lower end of their group and asks at the upper one, so that no level promises a better
        price than there is.
        """
        known, self._rows = self._rows, {}
        asks, bids = self._side("sell", known), self._side("buy", known)
        if precise > 1:
            asks, bids = _grouped(asks, precise, up=True), _grouped(bids, precise, up=False)
        return {"orderBook": {"asks": asks, "bids": bids}, "trades": list(self._trades)}

    def candle(self, interval: int) -> Candle | None:
        """The current candle after its last trade; None before the market's first trade."""
        return self._candles.get(interval)

    def previous(self, interval: int) -> Candle | None:
        """The candle before the current one; None if there is none."""
        return self._previous.get(interval)

    def kline(self, candle: Candle, interval: int) -> Row:
        """The row of a candle in kline."""
        return {
            "_id": f"{candle.start:08x}{interval:016x}",
            "created": candle.start,
            "o": candle.open,
            "h": candle.high,
            "l": candle.low,
            "c": candle.close,
            "v": candle.lots,
            "m": candle.modified,
            "symbol": self.symbol,
        }

    def _hear(self, event: Event) -> None:
        if not isinstance(event, Trade):
            return
        ticks, lots = self.ticks(event.price), self.lots(event.size)
        self._trades.appendleft({"lots": lots, "ticks": ticks, "side": event.side.upper(), "created": event.time})
        now = event.time // 1000
        for interval in INTERVALS:
            candle = self._candles.get(interval)
            if candle is None or now >= candle.start + interval:
                if candle is not None:
                    self._previous[interval] = candle
                self._candles[interval] = Candle(now - now % interval, ticks, ticks, ticks, ticks, lots, now)
            else:
                candle.high, candle.low = max(candle.high, ticks), min(candle.low, ticks)
                candle.close, candle.modified = ticks, now
                candle.lots += lots

    def _known_steps(self) -> Steps:
        if self._steps is None:
            self._steps = self._world.steps(self.name)
        return self._steps

    def _side(self, side: Side, known: dict[Level, Row]) -> list[Row]:
        """The rows of a side's levels; those of unchanged levels are reused."""
        rows = self._rows
        for level in self._market.levels(side):
            rows[level] = known.get(level) or {
                "ticks": self.ticks(level.price),
                "lots": self.lots(level.size),
                "count": level.orders,
            }
        return [rows[level] for level in self._market.levels(side)]


def _grouped(rows: Sequence[Row], precise: int, *, up: bool) -> list[Row]:
    groups: dict[int, Row] = {}
    for row in rows:
        ticks = -(-row["ticks"] // precise) * precise if up else row["ticks"] // precise * precise
        ticks = max(ticks, 1)  # the lowest bids would be at a price of 0
        group = groups.setdefault(ticks, {"ticks": ticks, "lots": 0, "count": 0})
        group["lots"] += row["lots"]
        group["count"] += row["count"]
    return list(groups.values())
