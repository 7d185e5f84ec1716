"""One symbol of the simulated venue: its market, its books, and the figures that come of its trades."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from venues.simulator.figures import text
from venues.woox.simulator.books import BookFeed, Steps, rpi_orders, rpi_version
from venues.woox.simulator.figures import Figures

if TYPE_CHECKING:
    from venues.simulator.market import MarketBook

FUNDING_EVERY: Final = 8 * 3_600_000  # milliseconds
_BASIS: Final = Decimal("0.9995")  # of a mark price to the middle of the book


class Quoted:
    """A symbol. `lively`: it is one of the world's own markets; the others are quiet."""

    def __init__(self, symbol: str, market: MarketBook, steps: Steps, *, lively: bool, lag: int, now: int) -> None:
        """`lag`: milliseconds that its HTTP book is behind; `now`: since when the book is as it is."""
        self.symbol: Final = symbol
        self.market: Final = market
        self.steps: Final = steps
        self.lively: Final = lively
        self.figures: Final = Figures()
        self._lag = lag
        self._begun = now
        self._feeds: dict[tuple[int, bool], BookFeed] = {}

    @property
    def kind(self) -> str:
        """`SPOT` or `PERP`."""
        return self.symbol.partition("_")[0]

    def feed(self, depth: int, now: int, *, rpi: bool) -> BookFeed:
        """The changes of the book of that depth, made when it is asked for first."""
        if (depth, rpi) not in self._feeds:
            since = now if self.lively else min(now, getattr(self.market, "changed", self._begun))
            self._feeds[depth, rpi] = BookFeed(
                self.symbol,
                self.market,
                self.steps,
                depth,
                rpi=rpi,
                lively=self.lively,
                lag=self._lag,
                now=since,
            )
        return self._feeds[depth, rpi]

    def best_prices(self, now: int, *, rpi: bool) -> dict[str, Any]:
        """The data of `bbo` or `bborpi`; an empty side has empty texts."""
        tops = {side: next(iter(self.market.levels(side)), None) for side in ("buy", "sell")}
        sizes = {side: {} if one is None else {one.price: one.size} for side, one in tops.items()}
        if rpi:
            version = rpi_version(self.market, now, lively=self.lively)
            for side, price, size in rpi_orders(self.symbol, self.market, self.steps, version):
                sizes[side][price] = sizes[side].get(price, Decimal(0)) + size
        best = {"buy": max(sizes["buy"], default=None), "sell": min(sizes["sell"], default=None)}
        figures: dict[str, Any] = {"ts": now, "s": self.symbol}
        for side, its_price, its_size in (("buy", "bp", "bq"), ("sell", "ap", "aq")):
            at = best[side]
            figures[its_price] = "" if at is None else text(at)
            figures[its_size] = "" if at is None else text(sizes[side][at])
        return figures

    def middle(self) -> Decimal:
        """A price of now: the middle of the book, else of the last trade, else 1."""
        bid, ask = self.market.best("buy"), self.market.best("sell")
        if bid is not None and ask is not None:
            return ((bid + ask) / 2).quantize(self.steps.tick)
        last = self.market.last
        return bid or ask or (Decimal(1) if last is None else last.price)

    def mark(self, now: int) -> dict[str, Any]:
        """The data of `markprice` and `indexprice`."""
        return {"ts": now, "px": text((self.middle() * _BASIS).quantize(self.steps.tick)), "s": self.symbol}

    def index(self, now: int) -> dict[str, Any]:
        """The data of `indexprice`."""
        return {"ts": now, "px": text(self.middle()), "s": self.symbol}

    def funding(self, now: int) -> dict[str, Any]:
        """The data of `estfundingrate`: a small rate that changes from minute to minute."""
        rate = Decimal((now // 60_000 + len(self.symbol) * 7) % 200 - 100).scaleb(-6)
        return {"ts": now, "ft": (now // FUNDING_EVERY + 1) * FUNDING_EVERY, "s": self.symbol, "r": text(rate)}
