"""What a script can look up: the latest quotes and trades, candles, what its markets are and how they stand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cli.bot.market_data import LEVELS, MarketName, quote_data, trade_data

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping

    from cli.bot.bars import Bars
    from cli.bot.market_data import Candles
    from venues.records import Instrument, Quote, Trade


class Knowledge:
    """One script's. Dicts are made anew each time that they are asked for, in the shapes of the callbacks' data."""

    def __init__(self, down: Container[MarketName]) -> None:
        """`down` are the markets that are not live; others change it."""
        self.markets: list[MarketName] = []
        self.candles: Mapping[MarketName, Candles] = {}
        self.listed: dict[MarketName, Instrument] = {}
        self._down = down
        self._live: set[MarketName] = set()
        self._quotes: dict[MarketName, Quote] = {}
        self._trades: dict[MarketName, Trade] = {}

    # --- what comes

    def quote(self, market: MarketName, quote: Quote) -> None:
        """Keep a market's latest quote."""
        self._quotes[market] = quote

    def trade(self, market: MarketName, trade: Trade) -> None:
        """Keep a market's latest trade."""
        self._trades[market] = trade

    def stand(self, markets: Iterable[MarketName], live: Iterable[MarketName]) -> None:
        """Take how these markets stand now, and which of them are live."""
        self._live.difference_update(markets)
        self._live.update(live)

    # --- what is asked

    def venues(self) -> dict[str, dict[str, str]]:
        """The venues by name."""
        names = dict.fromkeys(market.venue for market in self.markets)
        return {name: {"id": name, "kind": name, "name": name, "src": name} for name in names}

    def market_streams(self) -> dict[str, list[str]]:
        """The symbols of each venue."""
        found: dict[str, list[str]] = {}
        for market in self.markets:
            found.setdefault(market.venue, []).append(market.symbol)
        return found

    def quotes(self) -> dict[str, dict[str, dict[str, Any]]]:
        """The latest quote of each market, as `quote_update` gets it; also of one that is down (see `health`)."""
        return _by_market({market: quote_data(quote) for market, quote in tuple(self._quotes.items())})

    def trades(self) -> dict[str, dict[str, dict[str, Any]]]:
        """The latest trade of each market, as `trade_update` gets it."""
        return _by_market({market: trade_data(trade) for market, trade in tuple(self._trades.items())})

    def last_quote(self, src: str, sym: str, key: str | None = None) -> Any:
        """The latest quote, or what it has under a key; None before the first one."""
        quote = self._quotes.get(MarketName(src, sym))
        return None if quote is None else _part(quote_data(quote), key)

    def last_trade(self, src: str, sym: str, key: str | None = None) -> Any:
        """The latest trade, or what it has under a key; None before the first one."""
        trade = self._trades.get(MarketName(src, sym))
        return None if trade is None else _part(trade_data(trade), key)

    def instruments(self) -> dict[str, dict[str, dict[str, Any]]]:
        """What the venue's list says of each market; what it does not say is left out."""
        return _by_market({market: _instrument(market, self.listed.get(market)) for market in self.markets})

    def health(self) -> dict[str, list[dict[str, Any]]]:
        """Whether each venue's markets are live, all of them together and one by one. There are no private feeds."""
        public = [
            {
                "src": src,
                "live": all(self._is_live(MarketName(src, symbol)) for symbol in symbols),
                "markets": {symbol: self._is_live(MarketName(src, symbol)) for symbol in symbols},
            }
            for src, symbols in self.market_streams().items()
        ]
        return {"public": public, "private": []}

    def bars(self, src: str, sym: str, level: str, now: int) -> Bars:
        """The last 360 candles of a level, up to the latest trade; all NaN before the first one. `now` is in epoch ms.

        Raises:
            ValueError: no such level, or one that is not made for this market.
        """
        if level not in LEVELS:
            raise ValueError(f"expected a level, one of {' '.join(LEVELS)}, got {level!r}")
        candles = self.candles.get(MarketName(src, sym))
        if candles is None or level not in candles.levels:
            raise ValueError(f"there are no candles of {level} of {src}:{sym}")
        return candles.bars(level, now)

    def _is_live(self, market: MarketName) -> bool:
        return market in self._live and market not in self._down


def _by_market(found: Mapping[MarketName, dict[str, Any]]) -> dict[str, dict[str, dict[str, Any]]]:
    by_venue: dict[str, dict[str, dict[str, Any]]] = {}
    for market, data in found.items():
        by_venue.setdefault(market.venue, {})[market.symbol] = data
    return by_venue


def _part(data: dict[str, Any], key: str | None) -> Any:
    return data if key is None else data[key]


def _instrument(market: MarketName, listed: Instrument | None) -> dict[str, Any]:
    known: dict[str, Any] = {"src": market.venue, "sym": market.symbol}
    if listed is None:
        return known
    said = {
        "base": listed.base,
        "quote": listed.quote,
        "kind": listed.kind,
        "status": listed.status,
        "tick_size": None if listed.price_step is None else float(listed.price_step),
        "lot_size": None if listed.size_step is None else float(listed.size_step),
    }
    return {**known, **{name: value for name, value in said.items() if value is not None}}
