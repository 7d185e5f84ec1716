"""What is watched at each venue: how `mon` is asked for a stream, what is true of it, and what a record says of that.

`WATCHED` has a line for each stream of each venue. A stream that is missing here is not judged under faults.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tests.faults import truths
from tests.faults.part_candles import PartCandles
from tests.faults.referee import EventJudge, Judge, Record, StateJudge
from tests.faults.truths import Events, Figures, History, Told, Truth
from venues.b2trader.simulator.account import closed_row, order_row
from venues.simulator.market_events import Fill

DEPTH = 10  # levels a side: as many as Kraken's checksum covers
TYPES = {
    "book": "book", "trades": "trade", "quotes": "quote", "ticker": "ticker", "watchlist": "ticker",
    "candles": "candle", "orders": "order", "fills": "fill", "positions": "position", "closed": "closed_position",
    "balance": "balance", "margin": "margin", "signals": "signal", "feed": "message",
}  # fmt: skip


@dataclass(frozen=True)
class Ground:
    """The simulated venue of one run: its world, who hears it, and the venue's own endpoint."""

    world: Any
    told: Told
    endpoint: Any


@dataclass(frozen=True)
class Watched:
    """One stream of a venue. `symbols`: those that it is asked for, none where it takes none."""

    venue: str
    stream: str
    truth: Callable[[Ground, str], Truth]
    project: Callable[[Record], Any]
    symbols: tuple[str, ...] = ()
    options: tuple[tuple[str, Any], ...] = ()
    full: bool = True
    latest: bool = False
    by_symbol: bool = False  # each symbol stands by itself, so several may be asked for
    seeded: bool = False  # over HTTP: where no change comes, it is live once the market was quiet for long enough
    examine: Callable[[Ground, str], Callable[[Record, float], str]] | None = None  # for what else is wrong

    def judge(self, ground: Ground, symbol: str, within: Callable[[], float], *, may_lose: bool) -> Judge:
        """The judge of a run."""
        truth = self.truth(ground, symbol)
        if isinstance(truth, History):
            examine = None if self.examine is None else self.examine(ground, symbol)
            return StateJudge(truth, self.project, within, full=self.full, latest=self.latest, examine=examine)
        return EventJudge(truth, self.project, within, may_lose=may_lose)


def _market(ground: Ground, symbol: str) -> str:
    return str(ground.endpoint.symbols[symbol])


# --- records


def _book(record: Record) -> tuple[Hashable, Figures]:
    sides = ([(one["price"], one["size"]) for one in record[side]][:DEPTH] for side in ("bids", "asks"))
    return "", tuple(map(tuple, sides))


def _fields(*names: str, key: str = "") -> Callable[[Record], tuple[Hashable, Figures]]:
    return lambda record: (record[key] if key else "", tuple(record.get(name) for name in names))


def _event(*names: str) -> Callable[[Record], Figures]:
    return lambda record: tuple(record.get(name) for name in names)


def _holding(record: Record) -> tuple[Hashable, Figures]:
    size = record["size"]
    return record["symbol"], (-size if record.get("side") == "short" else size,)


def _asset_position(record: Record) -> tuple[Hashable, Figures]:
    return record["symbol"], (record["size"], record["extra"]["available"])


def _closed(record: Record) -> tuple[Hashable, Figures]:
    names = ("size", "open_price", "close_price", "realized_pnl")
    return (record["order_id"], record["position_id"]), tuple(record[name] for name in names)


def _order_b2trader(record: Record) -> tuple[Hashable, Figures]:
    names = ("side", "size", "remaining", "venue_status")
    return record["order_id"], (*(record[name] for name in names), record.get("price") or 0)


def _ticker(record: Record) -> tuple[Hashable, Figures]:
    return "", (*(record[name] for name in ("last", "high", "low", "change")), record["extra"]["volume"])


def _message(record: Record) -> Figures:
    return record["topic"], plain(record.get("data"))


def plain(data: Any) -> Any:
    """Any JSON as something that can be compared and put into sets."""
    if isinstance(data, dict):
        return tuple(sorted((name, plain(value)) for name, value in data.items()))
    if isinstance(data, list | tuple):
        return tuple(map(plain, data))
    return Decimal(str(data)) if isinstance(data, int | float) and not isinstance(data, bool) else data


# --- truths


def _book_of(ground: Ground, symbol: str) -> History:
    return truths.book(ground.world, ground.told, _market(ground, symbol), DEPTH)


def _quotes_of(ground: Ground, symbol: str) -> History:
    return truths.quotes(ground.world, ground.told, _market(ground, symbol))


def _prices_of(ground: Ground, symbol: str) -> History:
    return truths.quotes(ground.world, ground.told, _market(ground, symbol), sizes=False)


def _trades_with(*places: int) -> Callable[[Ground, str], Events]:
    return lambda ground, symbol: truths.trades(ground.told, _market(ground, symbol), places)


def _fills_of(ground: Ground, symbol: str) -> Events:
    return truths.fills(ground.told, _market(ground, symbol))


def _order_changes(ground: Ground, symbol: str) -> History:
    return truths.order_changes(ground.told, _market(ground, symbol))


def _holding_of(ground: Ground, symbol: str) -> History:
    return truths.holding(ground.world, ground.told, _market(ground, symbol), symbol)


def _candles_of_nexus(ground: Ground, symbol: str) -> History:
    """Whole candles. Of those of which `mon` has not seen all nobody knows which trades are missing, the latest too:
    they are examined by `_part_candles`, and here only that there are some."""
    made = truths.candles_of_trades(ground.told, _market(ground, symbol), 5_000)

    def sample() -> dict[Hashable, Figures]:
        return {
            (key, kind): figures if kind == "whole" else ()
            for key, figures in made.now.items()
            for kind in ("part", "whole")
        }

    return ground.told.state(sample, market=_market(ground, symbol), keeps=True)


def _candle_of_nexus(record: Record) -> tuple[Hashable, Figures]:
    start, names = record["start"], ("open", "high", "low", "close", "volume")
    if not record["complete"]:
        return (start, "part"), ()
    return (start, "whole"), tuple(record[name] for name in names)


def _part_candles(ground: Ground, symbol: str) -> Callable[[Record, float], str]:
    return PartCandles(ground.told, _market(ground, symbol), symbol, "5s", 5_000).examine


def _candles_5s(ground: Ground, symbol: str) -> History:
    return truths.candles_of_trades(ground.told, _market(ground, symbol), 5_000)


def _candles_b2trader(ground: Ground, symbol: str) -> History:
    quoted, market = ground.endpoint._market.markets[symbol], _market(ground, symbol)

    def sample() -> dict[Hashable, Figures]:
        one = quoted.tally.candle("1m", ground.world.stage.now)
        return {one.start: (one.open, one.high, one.low, one.close)}

    return ground.told.state(sample, market=market, keeps=True)


def _ticker_b2trader(ground: Ground, symbol: str) -> History:
    quoted = ground.endpoint._market.markets[symbol]
    names = ("price", "highPrice24hr", "lowPrice24hr", "priceChangeAbs24hr")
    return truths.of_json(ground.told, quoted.ticker, names, _market(ground, symbol))


def _watchlist(ground: Ground, symbol: str) -> History:
    quoted = ground.endpoint._market.markets[symbol]
    names = ("last", "high24hr", "low24hr", "percentChange")
    return truths.of_json(ground.told, quoted.summary, names, _market(ground, symbol))


def _orders_b2trader(ground: Ground, _: str) -> History:
    ids = {name: symbol for symbol, name in ground.endpoint.symbols.items()}

    def sample() -> dict[Hashable, Figures]:
        rows = [order_row(ids[one.market], one) for one in ground.world.account.open_orders()]
        return {
            row["orderId"]: (
                row["side"].lower(),
                Decimal(row["requestedAmount"]),
                Decimal(row["remainingAmount"]),
                row["status"],
                Decimal(row["requestedPrice"]),
            )
            for row in rows
        }

    return ground.told.state(sample)


def _positions_b2trader(ground: Ground, _: str) -> History:
    account = ground.endpoint._account
    names = ("positionLotAmount", "openPrice", "currentMarketPrice", "unrealizedPnlTotalInRAT", "usedMarginInRAT")

    def sample() -> dict[Hashable, Figures]:
        rows = [row for name in ground.world.account.positions if (row := account._position(name)) is not None]
        return {
            row["positionId"]: (
                "long" if row["side"] == "Buy" else "short",
                *(Decimal(row[name]) for name in names),
            )
            for row in rows
        }

    return ground.told.state(sample)


def _closed_b2trader(ground: Ground, _: str) -> History:
    ids = {name: symbol for symbol, name in ground.endpoint.symbols.items()}
    names = ("positionCloseLotAmount", "openPrice", "closePrice", "realizedPnlInRAT")

    def sample() -> dict[Hashable, Figures]:
        rows = [closed_row(ids[one.market], one) for one in ground.world.account.closed.values()]
        return {(row["orderId"], row["positionId"]): tuple(Decimal(row[name]) for name in names) for row in rows}

    return ground.told.state(sample, on=(Fill,))


def _balances(ground: Ground, _: str) -> History:
    return truths.balances(ground.world, ground.told, locked=True)


def _balances_b2trader(ground: Ground, _: str) -> History:
    every = ground.world.account.balances

    def sample() -> dict[Hashable, Figures]:
        return {one.asset.lower(): (one.total, one.available, one.locked) for one in every.values()}

    return ground.told.state(sample)


def _asset_positions(ground: Ground, _: str) -> History:
    return truths.balances(ground.world, ground.told, locked=False)


def _margin(ground: Ground, _: str) -> History:
    return truths.margin(ground.world, ground.told)


def _ticker_kraken(ground: Ground, symbol: str) -> History:
    quoted = ground.endpoint._markets[symbol]

    def produce() -> Any:
        return json.loads(quoted.ticker(), parse_float=Decimal, parse_int=Decimal)["data"][0]

    return truths.of_json(ground.told, produce, ("last", "high", "low", "change", "volume"), _market(ground, symbol))


def _candles_kraken(ground: Ground, symbol: str) -> History:
    quoted, market = ground.endpoint._markets[symbol], _market(ground, symbol)

    def sample() -> dict[Hashable, Figures]:
        return {
            one.start: (one.open, one.high, one.low, one.close, one.volume) for one in list(quoted._candles[1])[-2:]
        }

    return ground.told.state(sample, market=market, keeps=True)


def _ticker_woox(ground: Ground, symbol: str) -> History:
    quoted = ground.endpoint.quoted[symbol]

    def produce() -> Any:
        return quoted.figures.day(symbol, ground.world.stage.now, quoted.middle())

    return truths.of_json(ground.told, produce, ("c", "h", "l"), _market(ground, symbol))


def _candles_woox(ground: Ground, symbol: str) -> History:
    quoted, market = ground.endpoint.quoted[symbol], _market(ground, symbol)

    def sample() -> dict[Hashable, Figures]:
        one = quoted.figures.klines.get("1m")
        return {} if one is None else {one.start: (one.open, one.high, one.low, one.close, one.volume)}

    return ground.told.state(sample, market=market, keeps=True)


def _signals(ground: Ground, _: str) -> Events:
    events, hub = Events(), ground.endpoint._hub

    def hear(event: str, data: Any) -> None:
        if event.endswith("_signal"):
            price = data.get("price", data.get("close_price"))
            size = data.get("qty")
            figures = (Decimal(one) if one is not None else None for one in (price, size))
            events.add(event, data["pair"], data["stratid"], *figures)

    _before(hub, "tell_own", hear, ground)
    return events


def _hub_feed(ground: Ground, _: str) -> Events:
    events, hub = Events(), ground.endpoint._hub

    def hear(event: str, data: Any) -> None:
        if event == "message":
            events.add(event, plain(data))
        elif event == "user_payload":
            events.passing.add((event, plain(data)))

    _before(hub, "tell_own", hear, ground)
    from venues.nbt.simulator.strategies import user_payload

    events.passing.add(("user_payload", plain(user_payload())))  # comes at each connect
    return events


def _profitview_feed(ground: Ground, _: str) -> Events:
    events, bot = Events(), ground.endpoint._bot
    events.passing.add(("heartbeat", None))
    _before(bot, "_publish", lambda topic, data: events.add(topic, plain(data)))
    # These are made for each connection, so they have no one order.
    _behind(bot, "quote", lambda made: events.passing.add(("btc_quote", plain(made))))
    _behind(bot, "theo", lambda made: events.passing.add(("merton_theo", plain(made))))
    return events


def _before(owner: Any, name: str, hear: Callable[..., object], ground: Ground | None = None) -> None:
    method = getattr(owner, name)

    def heard(*arguments: Any) -> Any:
        hear(*arguments)
        return method(*arguments)

    setattr(owner, name, heard)
    if ground is not None:  # the hub's own process holds the method already
        for process in ground.world._processes:
            if getattr(process, "_tell", None) == method:
                process._tell = heard


def _behind(owner: Any, name: str, hear: Callable[[Any], object]) -> None:
    method = getattr(owner, name)

    def heard(*arguments: Any) -> Any:
        made = method(*arguments)
        hear(made)
        return made

    setattr(owner, name, heard)


_QUOTE = _fields("bid_price", "bid_size", "ask_price", "ask_size")
_PRICES = _fields("bid_price", "ask_price")
_OHLCV = _fields("open", "high", "low", "close", "volume", key="start")
_OHLC = _fields("open", "high", "low", "close", key="start")
_ORDER_CHANGE = _fields("side", "size", "filled", "remaining", "status", key="order_id")
_LAST, _LAST_PCT = _fields("last", "high", "low", "change"), _fields("last", "high", "low", "change_pct")
_POSITION = _fields(
    "side", "size", "entry_price", "market_price", "unrealized_pnl", "used_margin", key="position_id"
)  # fmt: skip
_TRADE_BY_TIME, _BY_TIME = _event("price", "size", "side", "time"), _trades_with(0, 1, 2, 3)
_TRADE_BY_ID, _BY_ID = _event("price", "size", "side", "trade_id"), _trades_with(0, 1, 2, 4)
_FILL = _event("price", "size", "side", "fill_id", "order_id")
_SIGNAL = _event("name", "symbol", "strategy_id", "price", "size")
_BALANCE = _fields("total", "available", "locked", key="asset")
_MARGIN = _fields("balance", "equity", "used", "free", "unrealized_pnl")
_NEXUS, _B2TRADER, _JAYX = ("SPOT_BTC_USDT",), ("spot.btc_usdt",), ("BTCUSDT",)
_B2TRADERS = ("spot.btc_usdt", "spot.eth_usdt", "spot.sol_usdt")
_KRAKENS = ("BTC/USD", "ETH/USD", "SOL/USD")
_WOOXS = ("SPOT_BTC_USDT", "SPOT_ETH_USDT", "SPOT_SOL_USDT")
_SHALLOW = (("depth", DEPTH),)

WATCHED = (
    Watched("nexus", "book", _book_of, _book, _NEXUS, _SHALLOW),
    Watched("nexus", "quotes", _quotes_of, _QUOTE, _NEXUS),
    Watched("nexus", "trades", _BY_TIME, _TRADE_BY_TIME, _NEXUS),
    Watched("nexus", "candles", _candles_of_nexus, _candle_of_nexus, _NEXUS, (("interval", "5s"),), latest=True,
            examine=_part_candles),
    Watched("nexus", "orders", _order_changes, _ORDER_CHANGE, _NEXUS, full=False),
    Watched("nexus", "fills", _fills_of, _FILL, _NEXUS),
    Watched("nexus", "positions", _holding_of, _holding, _NEXUS, full=False),
    Watched("b2trader", "book", _book_of, _book, _B2TRADER, _SHALLOW),
    Watched("b2trader", "quotes", _prices_of, _PRICES, _B2TRADERS, by_symbol=True),
    Watched("b2trader", "ticker", _ticker_b2trader, _LAST, _B2TRADERS, by_symbol=True),
    Watched("b2trader", "watchlist", _watchlist, _LAST_PCT, _B2TRADERS, by_symbol=True),
    Watched("b2trader", "candles", _candles_b2trader, _OHLC, _B2TRADER, latest=True),
    Watched("b2trader", "orders", _orders_b2trader, _order_b2trader),
    Watched("b2trader", "positions", _positions_b2trader, _POSITION),
    Watched("b2trader", "closed", _closed_b2trader, _closed),
    Watched("b2trader", "balance", _balances_b2trader, _BALANCE),
    Watched("b2trader", "margin", _margin, _MARGIN),
    Watched("jayx", "book", _book_of, _book, _JAYX, _SHALLOW),
    Watched("jayx", "quotes", _quotes_of, _QUOTE, _JAYX),
    Watched("jayx", "trades", _BY_TIME, _TRADE_BY_TIME, _JAYX),
    Watched("jayx", "candles", _candles_5s, _OHLCV, _JAYX, (("interval", "5s"),), latest=True),
    Watched("jayx", "orders", _order_changes, _ORDER_CHANGE, _JAYX, full=False),
    Watched("jayx", "positions", _asset_positions, _asset_position),
    Watched("jayx", "balance", _balances, _BALANCE),
    Watched("nbt", "signals", _signals, _SIGNAL),
    Watched("nbt", "feed", _hub_feed, _message),
    Watched("profitview", "feed", _profitview_feed, _message),
    Watched("kraken", "book", _book_of, _book, _KRAKENS, _SHALLOW, by_symbol=True),
    Watched("kraken", "quotes", _quotes_of, _QUOTE, _KRAKENS, by_symbol=True),
    Watched("kraken", "trades", _BY_ID, _TRADE_BY_ID, _KRAKENS, by_symbol=True),
    Watched("kraken", "ticker", _ticker_kraken, _ticker, _KRAKENS, by_symbol=True),
    Watched("kraken", "candles", _candles_kraken, _OHLCV, _KRAKENS, latest=True, by_symbol=True),
    Watched("woox", "book", _book_of, _book, _WOOXS, _SHALLOW, by_symbol=True, seeded=True),
    Watched("woox", "quotes", _quotes_of, _QUOTE, _WOOXS, by_symbol=True),
    Watched("woox", "trades", _BY_TIME, _TRADE_BY_TIME, _WOOXS, by_symbol=True),
    Watched("woox", "ticker", _ticker_woox, _fields("last", "high", "low"), _WOOXS, by_symbol=True),
    Watched("woox", "candles", _candles_woox, _OHLCV, _WOOXS, latest=True, by_symbol=True),
)  # fmt: skip
