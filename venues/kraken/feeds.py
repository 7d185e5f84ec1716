"""Kraken's channels: what the rows of each mean, as records. Pure state, one object for a symbol of a channel.

A feed takes the rows of its symbol in order. What outlives a connection is given to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from venues import records
from venues.errors import BadMessage
from venues.kraken.offers import INTERVALS
from venues.toolkit.candles import SECOND
from venues.toolkit.consistency import check_candle, check_range
from venues.toolkit.made_candles import HELD_BACK
from venues.toolkit.numbers import optional, optional_not_negative, positive, shown
from venues.toolkit.times import iso_ms
from venues.venue import Confirmed, StreamState

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from typing import Any

    from venues.kraken import messages as wire
    from venues.kraken.kept import Newest, PrintedTrades
    from venues.toolkit.made_candles import ClockedCandles
    from venues.venue import Item, Now

VENUE = "kraken"
MINUTE = 60 * SECOND
COUNTS_ANEW = "the venue counts its trades anew: what happened before may be missing"
SNAPSHOT_WITHIN = 5.0  # seconds after the acknowledgement in which the latest trades are to come


class Arrival(NamedTuple):
    """When a message came. `sent`: the venue's time of it, in ms; `believed`: whether anything may move by that.

    `fine`: the same time with all its digits, in picoseconds.
    """

    now: Now
    sent: int | None
    believed: bool
    fine: int = 0


class Feed(Protocol):
    """What takes one symbol of one channel. `streams`: what becomes of it. `ready`: it has its first state."""

    channel: str
    symbol: str

    @property
    def streams(self) -> Collection[str]: ...

    @property
    def ready(self) -> bool: ...

    def settings(self) -> dict[str, Any]:
        """What the channel is asked with beside the symbol, also to leave it."""
        ...

    def acknowledged(self, result: wire.Result, now: Now) -> list[Item]:
        """Takes the settings that the venue says are in force."""
        ...

    def take(self, rows: Sequence[Any], at: Arrival, *, snapshot: bool) -> list[Item]:
        """What the rows of one message bring, in order.

        Raises:
            BadMessage: nothing of the message counts.
        """
        ...

    def again(self, now: Now) -> list[Item]:
        """What is shown, once more: it may be live again."""
        ...

    def forget(self) -> None:
        """Forget what is shown: the venue does not send it any more."""
        ...

    def doubt(self, reason: str, now: Now) -> list[Item]:
        """What becomes of it after a message that could not be read."""
        ...


class TradeFeed:
    """`trade`: single trades. The latest come first, and those of them that were printed before are left out."""

    channel = "trade"
    streams = ("trades",)

    def __init__(self, symbol: str, env: str | None, printed: PrintedTrades) -> None:
        self.symbol = symbol
        self.ready = False
        self.due: float | None = None  # until then the latest trades are waited for: they tell how many are missing
        self._env = env
        self._printed = printed
        self._is_back = printed.last is not None  # some were printed on an earlier connection

    def settings(self) -> dict[str, Any]:
        """Nothing but the symbol."""
        return {}

    def acknowledged(self, result: wire.Result, now: Now) -> list[Item]:
        """Live, unless the latest trades are to tell first how many were missed."""
        if self.ready:
            return []
        if self._is_back and result.snapshot is not False:
            self.due = now.mono + SNAPSHOT_WITHIN
            return []
        return self._live("the next trade tells how many are missing" if self._is_back else "")

    def tick(self, now: Now) -> list[Item]:
        """Live all the same, when the latest trades have not come in time."""
        if self.due is None or now.mono < self.due:
            return []
        return self._live("the venue sent no latest trades; the next one tells how many are missing")

    def take(self, rows: Sequence[wire.Trade], at: Arrival, *, snapshot: bool) -> list[Item]:
        """The trades that were not printed before, behind the word how many are missing."""
        made = [self._record(row, index, at.now, snapshot=snapshot) for index, row in enumerate(rows)]
        new: list[Item] = []
        missing, anew = 0, False
        for row, record in zip(rows, made, strict=True):
            assert record.time is not None, "each trade has a time"
            time, trade = record.time, hash((row.timestamp, record.price, record.size, row.side))
            found = self._printed.weigh(row.trade_id, time, trade)
            if found == "printed":
                continue
            if found == "anew":
                anew = True
                self._printed.begin_anew()
            missing += self._printed.missing_before(row.trade_id)
            self._printed.printed(row.trade_id, time, trade)
            new.append(record)
        is_first = self._is_back and (bool(new) or snapshot)
        if is_first:
            self._is_back = False
        if not (missing or anew or is_first):
            return new if self.ready else [*self._live(""), *new]
        return [*self._live(COUNTS_ANEW if anew else _missing(missing)), *new]

    def again(self, now: Now) -> list[Item]:
        """Nothing: a trade is printed once."""
        return []

    def forget(self) -> None:
        """Not live any more; which trades were printed stays known."""
        self.ready, self.due = False, None
        self._is_back = self._printed.last is not None

    def doubt(self, reason: str, now: Now) -> list[Item]:
        """Nothing: the id of the next trade tells whether one is missing."""
        return []

    def _live(self, reason: str) -> list[Item]:
        self.ready, self.due = True, None
        return [StreamState("trades", "live", reason, symbol=self.symbol)]

    def _record(self, row: wire.Trade, index: int, now: Now, *, snapshot: bool) -> records.Trade:
        extra: dict[str, Any] = {} if row.ord_type is None else {"ord_type": row.ord_type}
        if snapshot:
            extra["snapshot"] = True
        return records.Trade(
            venue=VENUE,
            env=self._env,
            symbol=self.symbol,
            time=iso_ms(row.timestamp, f"data[{index}].timestamp"),
            received=now.epoch_ms,
            price=positive(row.price, f"data[{index}].price"),
            size=positive(row.qty, f"data[{index}].qty"),
            side=row.side,
            trade_id=str(row.trade_id),
            extra=extra or None,
        )


class TickerFeed:
    """`ticker`: the last 24 hours, whole each time. One that is older than what is shown changes nothing."""

    channel = "ticker"
    streams = ("ticker",)

    def __init__(self, symbol: str, env: str | None, newest: Newest) -> None:
        self.symbol = symbol
        self.ready = False
        self._env = env
        self._newest = newest
        self._latest: records.Ticker | None = None

    def settings(self) -> dict[str, Any]:
        """Sent with each trade."""
        return {"event_trigger": "trades"}

    def acknowledged(self, result: wire.Result, now: Now) -> list[Item]:
        """Nothing: the first state follows."""
        return []

    def take(self, rows: Sequence[wire.Ticker], at: Arrival, *, snapshot: bool) -> list[Item]:
        """The figures, or that they are confirmed."""
        items: list[Item] = []
        for index, row in enumerate(rows):
            record = self._record(row, f"data[{index}]", at)
            if at.sent is not None:
                if self._newest.older_by(at.fine):
                    continue
                self._newest.shows(at.fine, at.now, believed=at.believed)
            before, self._latest = self._latest, record
            if before is None:
                items += [StreamState("ticker", "live", symbol=self.symbol), record]
            elif _figures(before) == _figures(record):
                items.append(Confirmed("ticker", record.time, self.symbol))
            else:
                items.append(record)
            self.ready = True
        return items

    def again(self, now: Now) -> list[Item]:
        """The figures that came last."""
        return [] if self._latest is None else [self._latest]

    def forget(self) -> None:
        """Forgets the figures."""
        self.ready, self._latest = False, None

    def doubt(self, reason: str, now: Now) -> list[Item]:
        """Stale until the next figures, which are whole."""
        self.forget()
        return [StreamState("ticker", "stale", f"{reason}; waiting for the next figures", symbol=self.symbol)]

    def _record(self, row: wire.Ticker, path: str, at: Arrival) -> records.Ticker:
        low, high = optional_not_negative(row.low, f"{path}.low"), optional_not_negative(row.high, f"{path}.high")
        check_range(low, high, f"{path}.high")
        names = ("bid", "bid_qty", "ask", "ask_qty", "volume", "vwap")
        extra: dict[str, Any] = {
            name: figure
            for name in names
            if (figure := optional_not_negative(getattr(row, name), f"{path}.{name}")) is not None
        }
        if row.trades is not None:
            extra["trades"] = row.trades
        return records.Ticker(
            venue=VENUE,
            env=self._env,
            symbol=self.symbol,
            time=at.sent,
            received=at.now.epoch_ms,
            last=optional_not_negative(row.last, f"{path}.last"),
            high=high,
            low=low,
            change=optional(row.change, f"{path}.change"),
            change_pct=optional(row.change_pct, f"{path}.change_pct"),
            extra=extra or None,
        )


class CandleFeed:
    """`ohlc`: the whole candle each time. No message marks the last one, so the clock closes it."""

    channel = "ohlc"
    streams = ("candles",)

    def __init__(self, symbol: str, interval: str, env: str | None, candles: ClockedCandles) -> None:
        self.symbol = symbol
        self.ready = False
        self.candles = candles
        self._interval = interval
        self._minutes = INTERVALS[interval]
        self._env = env
        self._latest: records.Candle | None = None

    def settings(self) -> dict[str, Any]:
        """The length in minutes."""
        return {"interval": self._minutes}

    def acknowledged(self, result: wire.Result, now: Now) -> list[Item]:
        """Nothing: the first candles follow, or none where there was no trade yet."""
        return []

    def take(self, rows: Sequence[wire.Candle], at: Arrival, *, snapshot: bool) -> list[Item]:
        """The candles, old to new, behind those that they close."""
        made = [self._record(row, f"data[{index}]", at) for index, row in enumerate(rows)]
        items = [
            item
            for candle in made
            for item in self.candles.take(candle, at.now, again=candle is made[-1] and not self.ready)
        ]
        self._note(items)
        if self.candles.holds_back:
            if self.ready:
                self.ready = False
                items.append(self._stale(HELD_BACK))
            return items
        if self.ready or not any(isinstance(item, records.Candle | Confirmed) for item in items):
            return items
        self.ready = True
        return [StreamState("candles", "live", symbol=self.symbol), *items]

    def tick(self, now: Now) -> list[Item]:
        """The candles that are over by the clock."""
        items: list[Item] = [*self.candles.tick(now)]
        self._note(items)
        return items

    def again(self, now: Now) -> list[Item]:
        """The candle that came last."""
        return [] if self._latest is None else [self._latest]

    def forget(self) -> None:
        """Forgets the current candle."""
        self.candles.forget()
        self.ready, self._latest = False, None

    def doubt(self, reason: str, now: Now) -> list[Item]:
        """Stale until the next candle: how the current one goes on is not known any more."""
        self.forget()
        return [self._stale(reason)]

    def _stale(self, reason: str) -> StreamState:
        return StreamState("candles", "stale", f"{reason}; waiting for the next candle", symbol=self.symbol)

    def _note(self, items: Sequence[Item]) -> None:
        self._latest = next((one for one in reversed(items) if isinstance(one, records.Candle)), self._latest)

    def _record(self, row: wire.Candle, path: str, at: Arrival) -> records.Candle:
        if row.interval != self._minutes:
            raise BadMessage(f"expected {self._minutes} at `{path}.interval`, got {shown(row.interval)}")
        start = iso_ms(row.interval_begin, f"{path}.interval_begin")
        prices = (
            positive(row.open, f"{path}.open"),
            positive(row.high, f"{path}.high"),
            positive(row.low, f"{path}.low"),
            positive(row.close, f"{path}.close"),
        )
        check_candle(prices, path)
        extra: dict[str, Any] = {} if row.trades is None else {"trades": row.trades}
        if (vwap := optional_not_negative(row.vwap, f"{path}.vwap")) is not None:
            extra["vwap"] = vwap
        return records.Candle(
            venue=VENUE,
            env=self._env,
            symbol=self.symbol,
            time=at.sent,
            received=at.now.epoch_ms,
            interval=self._interval,
            start=start,
            end=start + self._minutes * MINUTE,
            open=prices[0],
            high=prices[1],
            low=prices[2],
            close=prices[3],
            volume=optional_not_negative(row.volume, f"{path}.volume"),
            closed=False,
            complete=True,
            extra=extra or None,
        )


def _missing(count: int) -> str:
    if count == 0:
        return "no trade is missing"
    return "1 trade is missing" if count == 1 else f"{count} trades are missing"


def _figures(ticker: records.Ticker) -> tuple[Any, ...]:
    extra: Mapping[str, Any] = ticker.extra or {}
    return ticker.last, ticker.high, ticker.low, ticker.change, ticker.change_pct, extra
