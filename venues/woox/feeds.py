"""WOO X's topics: what the data of each means, as records. Pure state, one object for a topic of a connection.

A feed takes the data of its topic in order. What outlives a connection (times of what is shown, candles) is given to
it.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple, Protocol

from venues import records
from venues.errors import BadMessage
from venues.toolkit.clock import FAR
from venues.toolkit.consistency import check_candle, check_quote, check_range
from venues.toolkit.made_candles import HELD_BACK
from venues.toolkit.numbers import (
    number,
    optional_not_negative,
    positive,
    shown,
    subtract,
)
from venues.toolkit.times import refuse_seconds
from venues.venue import Confirmed, StreamState
from venues.woox import messages as wire

if TYPE_CHECKING:
    from msgspec import Raw

    from venues.records import Extra
    from venues.toolkit.clock import NewestState
    from venues.toolkit.made_candles import ClockedCandles
    from venues.venue import Item, Now

VENUE = "woox"
SIDES: dict[str, records.Side] = {"BUY": "buy", "SELL": "sell"}
CANDLE = ("o", "h", "l", "c")


class Arrival(NamedTuple):
    """When a message came. `sent`: when the venue sent it, in ms; `believed`: whether anything may move by that."""

    now: Now
    sent: int | None
    believed: bool


class Feed(Protocol):
    """What takes the data of one topic. `stream` is what becomes of it, for one `symbol` as the user names it.

    `stirs`: after the latest data there may be something to send, or an earlier deadline.
    """

    stream: str
    symbol: str
    stirs: bool

    def take(self, data: Raw, at: Arrival) -> list[Item]:
        """What the data brings, in order.

        Raises:
            BadMessage, or one of `DECODE_ERRORS`: nothing of it counts.
        """
        ...

    def doubt(self, reason: str, now: Now) -> list[Item]:
        """What becomes of the stream after a message that could not be read."""
        ...


def of_symbol(symbol: str, came: str) -> None:
    """Checks that data is about the symbol of its topic.

    Raises:
        BadMessage: it is about another one.
    """
    if came != symbol:
        raise BadMessage(f"expected {symbol} at `data.s`, got {shown(came)}")


def milliseconds(time: int, path: str) -> int:
    """A time of the venue's; raises BadMessage where it must be seconds."""
    refuse_seconds(time, path)
    return time


class State:
    """Whether a state of one symbol is live: it is so with its first good message, and again after a bad one."""

    def __init__(self, stream: str, symbol: str) -> None:
        self.stream = stream
        self.symbol = symbol
        self._live = False

    @property
    def is_live(self) -> bool:
        """Whether a good message came since the last bad one."""
        return self._live

    def live(self) -> list[Item]:
        """To go before a record: that the stream is live, where it was not."""
        if self._live:
            return []
        self._live = True
        return [StreamState(self.stream, "live", symbol=self.symbol)]

    def stale(self, reason: str, awaited: str) -> list[Item]:
        """The state after a bad message."""
        self._live = False
        return [StreamState(self.stream, "stale", f"{reason}; waiting for {awaited}", symbol=self.symbol)]


class QuoteFeed:
    """`bbo` and `bborpi`: the best prices. One that is older than those shown changes nothing."""

    stream = "quotes"
    stirs = False

    def __init__(self, symbol: str, env: str | None, newest: NewestState, *, rpi: bool) -> None:
        self.symbol = symbol
        self._env = env
        self._newest = newest
        self._extra = {"rpi": rpi}
        self._state = State(self.stream, symbol)
        self._shown: tuple[Decimal | None, ...] | None = None

    def take(self, data: Raw, at: Arrival) -> list[Item]:
        """The quote, or that it is confirmed. A side without orders has no figures, however that is written."""
        best = wire.BEST_PRICES.decode(data)
        of_symbol(self.symbol, best.s)
        time = milliseconds(best.ts, "data.ts")
        bid, bid_size = _side(best.bp, best.bq, "b")
        ask, ask_size = _side(best.ap, best.aq, "a")
        check_quote(bid, ask, "data.bp")
        if self._newest.older_by(time, believed=at.believed):
            return []
        self._newest.shows(time, at.now, believed=at.believed)
        figures = (bid, bid_size, ask, ask_size)
        live = self._state.live()
        if figures == self._shown and not live:
            return [Confirmed(self.stream, time, self.symbol)]
        self._shown = figures
        quote = records.Quote(
            venue=VENUE,
            env=self._env,
            symbol=self.symbol,
            time=time,
            received=at.now.epoch_ms,
            bid_price=figures[0],
            bid_size=figures[1],
            ask_price=figures[2],
            ask_size=figures[3],
            extra=self._extra,
        )
        return [*live, quote]

    def doubt(self, reason: str, now: Now) -> list[Item]:
        """Makes the quote stale until the next one."""
        return self._state.stale(reason, "the next quote")


def _side(price: object, size: object, side: str) -> tuple[Decimal | None, Decimal | None]:
    """Price and size of one side; neither where it has no order, however that is written."""
    its_price = optional_not_negative(price, f"data.{side}p") or None
    its_size = optional_not_negative(size, f"data.{side}q")
    return (None, None) if its_price is None or its_size == 0 else (its_price, its_size)


class TradeFeed:
    """`trade`: single trades, without ids."""

    stream = "trades"
    stirs = False

    def __init__(self, symbol: str, env: str | None) -> None:
        self.symbol = symbol
        self._env = env
        self._is_doubtful = False

    def take(self, data: Raw, at: Arrival) -> list[Item]:
        """The trade."""
        trade = wire.TRADE.decode(data)
        of_symbol(self.symbol, trade.s)
        extra = {name: value for name, value in (("src", trade.src), ("rpi", trade.rpi)) if value is not None}
        record = records.Trade(
            venue=VENUE,
            env=self._env,
            symbol=self.symbol,
            time=milliseconds(trade.ts, "data.ts"),
            received=at.now.epoch_ms,
            price=positive(trade.px, "data.px"),
            size=positive(trade.sx, "data.sx"),
            side=SIDES[trade.sd],
            extra=extra or None,
        )
        self._is_doubtful = False
        return [record]

    def doubt(self, reason: str, now: Now) -> list[Item]:
        """Says once, until a good one comes, that a trade may be missing."""
        if self._is_doubtful:
            return []
        self._is_doubtful = True
        return [StreamState(self.stream, "live", "a bad frame came: a trade may be missing", symbol=self.symbol)]


class CandleFeed:
    """`kline`: the whole candle each time. No message marks the last one, so the clock closes it."""

    stream = "candles"

    def __init__(self, symbol: str, interval: str, env: str | None, candles: ClockedCandles) -> None:
        self.symbol = symbol
        self.candles = candles
        self.stirs = True
        self._interval = interval
        self._env = env
        self._state = State(self.stream, symbol)

    def take(self, data: Raw, at: Arrival) -> list[Item]:
        """The candle, behind those that it closes."""
        kline = wire.KLINE.decode(data)
        of_symbol(self.symbol, kline.s)
        if kline.t != self._interval:
            raise BadMessage(f"expected {self._interval} at `data.t`, got {shown(kline.t)}")
        start, end = milliseconds(kline.st, "data.st"), milliseconds(kline.et, "data.et")
        if end <= start:
            raise BadMessage(f"expected a time after `data.st` at `data.et`, got {end}")
        opened, high, low, close = (positive(getattr(kline, name), f"data.{name}") for name in CANDLE)
        check_candle((opened, high, low, close), "data", CANDLE)
        amount = optional_not_negative(kline.a, "data.a")
        candle = records.Candle(
            venue=VENUE,
            env=self._env,
            symbol=self.symbol,
            time=at.sent,
            received=at.now.epoch_ms,
            interval=self._interval,
            start=start,
            end=end,
            open=opened,
            high=high,
            low=low,
            close=close,
            volume=optional_not_negative(kline.v, "data.v"),
            closed=False,
            complete=True,
            extra=None if amount is None else {"a": amount},
        )
        due = self.candles.due
        items = self.candles.take(candle, at.now, again=not self._state.is_live)
        self.stirs = self.candles.due is not None and (due is None or self.candles.due < due)
        if self.candles.holds_back:
            return [*items, *self._state.stale(HELD_BACK, "the next candle")] if self._state.is_live else items
        shows = any(isinstance(item, records.Candle | Confirmed) for item in items)
        return [*self._state.live(), *items] if shows else items

    def doubt(self, reason: str, now: Now) -> list[Item]:
        """Makes the candles stale until the next one: how the current one goes on is not known any more."""
        self.candles.forget()
        return self._state.stale(reason, "the next candle")


# --- the ticker, and what is joined into it ------------------------------------------------------------------------


class Figure(NamedTuple):
    """A figure that is joined into the ticker: when it came, its own time, and what it says in the record's `extra`."""

    mono: float
    time: int
    value: Decimal
    extra: Extra


class TickerFeed:
    """`ticker`, with the latest mark price, index price and funding rate that are not too old."""

    stream = "ticker"

    def __init__(self, symbol: str, env: str | None, newest: NewestState) -> None:
        self.symbol = symbol
        self.joined: dict[str, JoinedFeed] = {}
        self.stirs = True
        self._env = env
        self._newest = newest
        self._state = State(self.stream, symbol)
        self._shown: records.Ticker | None = None  # without what is joined in …
        self._sent: int | None  # … and when the venue sent it
        self._delivered: records.Ticker | None = None

    def take(self, data: Raw, at: Arrival) -> list[Item]:
        """The ticker, or that it is confirmed."""
        day = wire.STATISTICS.decode(data)
        of_symbol(self.symbol, day.s)
        time = at.sent if day.ts is None else milliseconds(day.ts, "data.ts")
        # A price of 0 is none: nothing was traded in these 24 hours.
        opened, high, low, last = (optional_not_negative(getattr(day, name), f"data.{name}") or None for name in CANDLE)
        check_range(low, high, "data.h")
        extra = {
            "o": opened,
            "v": optional_not_negative(day.v, "data.v"),
            "a": optional_not_negative(day.a, "data.a"),
        }
        if time is not None and self._newest.older_by(time, believed=at.believed):
            return []
        if time is not None:
            self._newest.shows(time, at.now, believed=at.believed)
        self._sent = at.sent
        self._shown = records.Ticker(
            venue=VENUE,
            env=self._env,
            symbol=self.symbol,
            time=time,
            received=at.now.epoch_ms,
            last=last,
            high=high,
            low=low,
            change=None if opened is None or last is None else subtract(last, opened),
            extra={name: value for name, value in extra.items() if value is not None} or None,
        )
        ticker = self._whole(at.now)
        live, before, self._delivered = self._state.live(), self._delivered, ticker
        self.stirs = bool(live)
        if live or before is None or not _is_same(ticker, before):
            return [*live, ticker]
        return [Confirmed(self.stream, time, self.symbol)]

    def doubt(self, reason: str, now: Now) -> list[Item]:
        """Makes the ticker stale until the next one."""
        self._shown = None
        return self._state.stale(reason, "the next ticker")

    def deadline(self) -> float | None:
        """The monotonic time at which a figure that is shown gets too old; None without one."""
        if self._shown is None:
            return None
        return min((due for one in self.joined.values() if (due := one.outdated_at()) is not None), default=None)

    def tick(self, now: Now) -> list[Item]:
        """The ticker without the figures that have got too old, where that has happened."""
        due = self.deadline()
        if due is None or now.mono < due:
            return []
        for one in self.joined.values():
            one.forget_old(now)
        if self._shown is None:
            return []
        ticker = self._delivered = self._whole(now)
        return [ticker]

    def _whole(self, now: Now) -> records.Ticker:
        """The ticker with what is joined in; a figure much older than the ticker itself is left out."""
        ticker = self._shown
        assert ticker is not None, "a ticker came"
        extra, values = dict(ticker.extra or {}), dict[str, Decimal]()
        for name, one in self.joined.items():
            figure = one.current(now, self._sent)
            if figure is None:
                continue
            extra |= {**({} if name in _OWN_FIELDS else {name: figure.value}), **figure.extra}
            if name in _OWN_FIELDS:
                values[name] = figure.value
        return records.Ticker(
            venue=VENUE,
            env=self._env,
            symbol=self.symbol,
            time=ticker.time,
            received=now.epoch_ms,
            last=ticker.last,
            high=ticker.high,
            low=ticker.low,
            change=ticker.change,
            mark_price=values.get("mark_price"),
            funding_rate=values.get("funding_rate"),
            extra=extra or None,
        )


_OWN_FIELDS = ("mark_price", "funding_rate")  # what a ticker has a field for


def _is_same(one: records.Ticker, other: records.Ticker) -> bool:
    """Whether two tickers differ in nothing but their times."""

    def figures(ticker: records.Ticker) -> tuple[object, ...]:
        extra = {name: value for name, value in (ticker.extra or {}).items() if not name.endswith("_time")}
        return (ticker.last, ticker.high, ticker.low, ticker.mark_price, ticker.funding_rate, extra)

    return figures(one) == figures(other)


class JoinedFeed:
    """One figure beside the ticker. A topic that is refused, silent or bad costs this figure, and nothing else."""

    stream = ""  # none of its own

    def __init__(self, name: str, symbol: str, lasts: float) -> None:
        """`name` as in the record; `symbol` that of its topic; `lasts`: seconds after which it is too old."""
        self.name = name
        self.symbol = symbol
        self.stirs = True
        self._lasts = lasts
        self._figure: Figure | None = None

    def take(self, data: Raw, at: Arrival) -> list[Item]:
        """Keeps the figure; the next ticker shows it."""
        extra: Extra = {}
        if self.name == "funding_rate":
            funding = wire.FUNDING.decode(data)
            symbol, time, value = funding.s, funding.ts, number(funding.r, "data.r")
            extra = {} if funding.ft is None else {"ft": funding.ft}
        else:
            price = wire.PRICE.decode(data)
            symbol, time, value = price.s, price.ts, positive(price.px, "data.px")
        of_symbol(self.symbol, symbol)
        milliseconds(time, "data.ts")
        before = self._figure
        self.stirs = before is None
        if before is None or time >= before.time or (at.sent is not None and before.time - at.sent > FAR):
            self._figure = Figure(at.now.mono, time, value, {f"{self.name}_time": time, **extra})
        return []

    def doubt(self, reason: str, now: Now) -> list[Item]:
        """Forgets the figure until the next one."""
        self._figure = None
        return []

    def current(self, now: Now, sent: int | None) -> Figure | None:
        """The figure, None if it is too old, by when it came or by its own time against that of the ticker."""
        figure, due = self._figure, self.outdated_at()
        if figure is None or due is None or now.mono >= due:
            return None
        return None if sent is not None and sent - figure.time > self._lasts * 1000 else figure

    def outdated_at(self) -> float | None:
        """The monotonic time at which the figure gets too old; None without one."""
        return None if self._figure is None else self._figure.mono + self._lasts

    def forget_old(self, now: Now) -> None:
        """Forgets the figure if it is too old."""
        due = self.outdated_at()
        if due is not None and now.mono >= due:
            self._figure = None
