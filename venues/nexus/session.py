"""Nexus: one plain WebSocket for one symbol, market and account events on it, nothing to subscribe.

Documents: the venue's WebSocket API page; what it leaves out (POSITIONS, the successor's `ping` and errors, that
ORDER_UPDATE, TRANSACTION and POSITIONS come without a snapshot) was seen in public clients. The client key is part of
the URL's path, so the URL itself is a secret.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any
from urllib.parse import quote as url_quote

from venues import records
from venues.driver import answer_in_words
from venues.errors import BadMessage, BookError, NotAskedFor
from venues.nexus.account import SIDES, fill_of, order_of, positions_of
from venues.nexus.messages import (
    BOOK_ROWS,
    EVENTS,
    OUTLINE,
    RAW_EVENTS,
    BookEvent,
    BookRow,
    OrderUpdateEvent,
    PingEvent,
    PositionsEvent,
    RawBookEvent,
    ReadBookEvent,
    SuccessorPing,
    TradeEvent,
    TransactionEvent,
)
from venues.nexus.offers import OFFERS
from venues.session import BaseRoute, BaseSession
from venues.toolkit.book import OrderBook, refuse_too_many
from venues.toolkit.candles import Bar, TradedCandles, interval_ms
from venues.toolkit.clock import NewestState, VenueClock
from venues.toolkit.decoding import DECODE_ERRORS, excerpt, explain
from venues.toolkit.known_rows import KnownRows
from venues.toolkit.numbers import not_negative, positive
from venues.toolkit.resync import BookKeeper
from venues.toolkit.row_times import Remembered, RowTimes
from venues.toolkit.spellings import in_any_case
from venues.toolkit.times import PER_MS, SECONDS_TO, refuse_seconds, span, utc_clock
from venues.toolkit.unasked import LeftOut
from venues.venue import BadFrame, Confirmed, Dial, Item, Lost, Notice, Now, Out, Refused, StreamState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from msgspec import Struct

    from venues.venue import Route, Session, Settings, Subscription

PING_EVERY = 1.0  # seconds, for the `ping` stream
PING_LATE = 5.0  # seconds without an answer after which the figure shown is old
MOST_FILLS = 100_000  # so many of the latest are remembered

_STREAMS_OF_EVENT = {
    "BOOK": ("book", "quotes"),
    "TRADE": ("trades", "candles"),
    "ORDER_UPDATE": ("orders",),
    "TRANSACTION": ("fills",),
    "POSITIONS": ("positions",),
    "PING": (),
    "ping": (),
}

# The reason given when a stream of events is live again.
_AFTER_A_GAP = {
    "trades": "trades may repeat or be missing, since they have no ids",
    "fills": "fills may have been missed; none is given twice",
}


# --- one connection ------------------------------------------------------------------------------------------------


class NexusSession(BaseSession):
    """One connection to Nexus, for one symbol; all events come unasked."""

    venue = "nexus"

    def __init__(self, route: NexusRoute, secrets: Mapping[str, str]) -> None:
        super().__init__()
        self._route = route
        self._key = secrets["client_key"]
        self._streams = route.by_stream
        self._book = BookKeeper(OrderBook(), route.subscriptions, venue="nexus", symbol=route.symbol, env=route.label)
        self._pings: deque[float] = deque()  # when each ping without an answer was sent
        self._next_ping: float | None = None
        self._stale: set[str] = set()
        self._left_out = LeftOut("nexus")
        self._wants_trades = "trades" in self._streams
        self._decode: Callable[[bytes], Any] = EVENTS.quick
        if {"book", "quotes"} & self._streams.keys():
            self._decode = RAW_EVENTS.decode
        self._handlers = self._make_handlers()

    def dial(self) -> Dial:
        """Where the WebSocket is opened; the client key and the symbol are in the path."""
        base, symbol = self._route.settings.url.rstrip("/"), url_quote(self._route.symbol, safe="")
        return Dial(
            url=f"{base}/ws/{url_quote(self._key, safe='')}/{symbol}",
            shown=f"{base}/ws/[client_key]/{symbol}",
        )

    def opened(self, now: Now) -> list[Item]:
        """The book waits for the first BOOK. All else is live at once; partial streams begin with nothing known."""
        self._route.interrupted(now)
        if "ping" in self._streams:
            self._send_ping(now)
        missed = _AFTER_A_GAP if self._route.met_before else {}
        self._route.met_before = True
        return [
            StreamState(
                name,
                "syncing" if name in ("book", "quotes") else "live",
                self._partial_since(name, now) or missed.get(name, ""),
            )
            for name in self._streams
        ]

    def receive(self, frame: bytes, now: Now) -> list[Item]:
        """What one event brings, in order; an unknown event is ignored."""
        event: Any
        try:
            event = self._decode(frame)
            if event.__class__ is RawBookEvent:
                event = self._read(event) or EVENTS.decode(frame)
        except DECODE_ERRORS:
            try:
                event = EVENTS.decode(frame)
            except DECODE_ERRORS as error:
                return self._not_understood(frame, error, now)
        handler = self._handlers.get(event.__class__)
        if handler is None:
            return []
        try:
            stamp = event.timestamp
            if stamp is not None and stamp < SECONDS_TO:
                refuse_seconds(stamp, "timestamp")
            return handler(event, now)
        except NotAskedFor as other:
            streams = _STREAMS_OF_EVENT[str(event.__struct_config__.tag)]
            return self._left_out.say(" and ".join(n for n in streams if n in self._streams), other.symbol)
        except BadMessage as problem:
            return self._bad(str(event.__struct_config__.tag), str(problem), now)

    def deadline(self) -> float | None:
        """The earlier of the next ping and the moment at which a candle closes; None without either."""
        ping, candle = self._next_ping, self._route.candles.due if self._route.candles else None
        if ping is None or candle is None:
            return candle if ping is None else ping
        return min(ping, candle)

    def tick(self, now: Now) -> list[Item]:
        """Sends the next ping and closes candles, whichever is due."""
        items: list[Item] = []
        if self._next_ping is not None and now.mono >= self._next_ping:
            items += self._ping_again(now)
        return items + self._over(now)

    def leave(self, now: Now) -> None:
        """Stops the pings. There is no subscription to cancel."""
        self._next_ping = None

    def closed(self, code: int | None, reason: str, now: Now) -> list[Item]:
        """Notes that trades may be missed from here on, so the current candle is not complete."""
        self._route.interrupted(now)
        return []

    def take(self) -> list[Out]:
        """The pings and pongs to send; each is returned once."""
        self.stirred = self._route.candles is not None  # with every trade a candle's end may become due earlier
        return super().take()

    def _make_handlers(self) -> dict[type[Struct], Callable[[Any, Now], list[Item]]]:
        handlers: dict[type[Struct], Callable[[Any, Now], list[Item]]] = {SuccessorPing: self._answer_ping}
        # Every event shows how the venue's clock stands to ours.
        handlers |= dict.fromkeys((BookEvent, TradeEvent, OrderUpdateEvent, TransactionEvent), self._on_time)
        if {"book", "quotes"} & self._streams.keys():
            handlers[BookEvent] = self._on_book
            handlers[ReadBookEvent] = self._on_read_book
        if {"trades", "candles"} & self._streams.keys():
            handlers[TradeEvent] = self._on_trade
        by_stream: dict[str, tuple[type[Struct], Callable[[Any, Now], list[Item]]]] = {
            "orders": (OrderUpdateEvent, self._on_order),
            "fills": (TransactionEvent, self._on_transaction),
            "positions": (PositionsEvent, self._on_positions),
            "ping": (PingEvent, self._on_pong),
        }
        handlers |= dict(by_stream[name] for name in self._streams if name in by_stream)
        return handlers

    # --- the book

    def _read(self, event: RawBookEvent) -> ReadBookEvent | None:
        """The book with its levels, most of which are known; None for one that has to be read in the usual way."""
        if event.symbol != self._route.symbol:
            return None
        sides = self._route.rows.sides(event.data.bids, event.data.asks)
        return None if sides is None else ReadBookEvent(event.symbol, event.timestamp, *sides)

    def _on_book(self, event: BookEvent, now: Now) -> list[Item]:
        if event.symbol != self._route.symbol:
            raise NotAskedFor(event.symbol)
        try:
            bids, asks = _levels(event.data.bids, "bids"), _levels(event.data.asks, "asks")
        except BookError as problem:
            return self._book.doubt(str(problem), now)
        return self._on_read_book(ReadBookEvent(event.symbol, event.timestamp, bids, asks), now)

    def _on_read_book(self, event: ReadBookEvent, now: Now) -> list[Item]:
        newest, believed = self._route.newest_book, self._route.clock.see(event.timestamp, now)
        items = self._route.clock.take()
        if believed:
            items += self._heard(event.timestamp, now)
        if older_by := newest.older_by(event.timestamp, believed=believed):
            words = f"the venue sends a book {span(older_by)} older than the one before"
            return [*items, *self._book.doubt(words, now, awaited="waiting for a newer one")]
        shown = self._book.snapshot(event.bids, event.asks, now, time=event.timestamp)
        if self._book.book.whole:
            newest.shows(event.timestamp, now, believed=believed)
        return [*items, *shown]

    # --- trades and candles

    def _on_trade(self, event: TradeEvent, now: Now) -> list[Item]:
        data, route = event.data, self._route
        symbol = event.symbol
        if symbol != route.symbol:
            raise NotAskedFor(symbol)
        price, size = positive(data.price, "data.price"), positive(data.quantity, "data.quantity")
        believed = route.clock.see(event.timestamp, now)
        items: list[Item] = route.clock.take() if route.clock.items else []
        if self._wants_trades:
            self._stale.discard("trades")
            items.append(
                records.Trade(
                    venue="nexus",
                    env=route.label,
                    symbol=symbol,
                    time=event.timestamp,
                    received=now.epoch_ms,
                    price=price,
                    size=size,
                    side=SIDES[data.side],
                )
            )
        if route.candles is not None:
            bars = route.candles.trade(event.timestamp, price, size, now, believed=believed)
            items += self._recovered("candles", "")
            items += self._candles(bars, event.timestamp if believed else None, now)
            if not bars and (said := route.candles.to_say()):
                items.append(Notice(said))
        return items

    def _on_time(self, event: BookEvent | TradeEvent | OrderUpdateEvent | TransactionEvent, now: Now) -> list[Item]:
        """Takes only the time of an event of a stream that is not asked for."""
        believed = self._route.clock.see(event.timestamp, now)
        items = self._route.clock.take()
        if believed and isinstance(event, BookEvent) and event.symbol == self._route.symbol:
            items += self._heard(event.timestamp, now)
        return items

    def _told_by(self, timestamp: int | None, now: Now) -> list[Item]:
        """Takes the time of an event; returns what is to be said about the clocks."""
        if timestamp is not None:
            self._route.clock.see(timestamp, now)
        return self._route.clock.take()

    def _heard(self, time: int, now: Now) -> list[Item]:
        """The candles that are over by the time of an event that is no trade."""
        candles = self._route.candles
        return [] if candles is None else self._candles(candles.heard(time, now), time, now)

    def _over(self, now: Now) -> list[Item]:
        """The candles that are over by the clock alone."""
        candles = self._route.candles
        if candles is None or candles.due is None or now.mono < candles.due:
            return []
        return self._candles(candles.tick(now), None, now)

    def _candles(self, bars: list[Bar], time: int | None, now: Now) -> list[Item]:
        return [
            records.Candle(
                venue="nexus",
                env=self._route.label,
                symbol=self._route.symbol,
                time=time,
                received=now.epoch_ms,
                interval=self._streams["candles"].interval,
                start=bar.start,
                end=bar.end,
                open=bar.open,
                high=bar.high,
                low=bar.low,
                close=bar.close,
                volume=bar.volume,
                closed=bar.closed,
                complete=bar.complete,
            )
            for bar in bars
        ]

    # --- the account

    def _on_order(self, event: OrderUpdateEvent, now: Now) -> list[Item]:
        order = order_of(event, self._route.label, now)
        return self._rows("orders", {(order.symbol, order.order_id): order}, event.timestamp, now)

    def _on_transaction(self, event: TransactionEvent, now: Now) -> list[Item]:
        fill = fill_of(event, self._route.label, now)
        self._stale.discard("fills")
        told = self._told_by(event.timestamp, now)
        # One trade between two orders of ours is a fill of each.
        is_new = self._route.fills.add((fill.symbol, fill.fill_id, fill.order_id, fill.side))
        return [*told, fill if is_new else Confirmed("fills", fill.time)]

    def _on_positions(self, event: PositionsEvent, now: Now) -> list[Item]:
        rows = {row.symbol: row for row in positions_of(event, self._route.label, now)}
        return self._rows("positions", rows, event.timestamp, now)

    def _rows(
        self, stream: str, rows: Mapping[Any, records.Order | records.Position], time: int | None, now: Now
    ) -> list[Item]:
        """The rows that are new or changed. If all came late, they only confirm that the stream is alive."""
        told = [*self._told_by(time, now), *self._recovered(stream, self._partial_since(stream, now))]
        news = [row for key, row in rows.items() if self._route.is_news(stream, key, row, now)]
        return [*told, *news] if news or not rows else [*told, Confirmed(stream, time)]

    def _partial_since(self, stream: str, now: Now) -> str:
        if not OFFERS[stream].partial:
            return ""
        return f"partial: changes since {utc_clock(now.epoch_ms)} UTC"

    # --- pings

    def _send_ping(self, now: Now) -> None:
        self._out.append('{"event":"PING"}')
        self._pings.append(now.mono)
        self._next_ping = now.mono + PING_EVERY

    def _ping_again(self, now: Now) -> list[Item]:
        if not self._pings or now.mono - self._pings[0] < PING_LATE:
            self._send_ping(now)
            return []
        # Answers come in order, so another ping would only wait behind the oldest.
        self._next_ping = now.mono + PING_EVERY
        if "ping" in self._stale:
            return []
        self._stale.add("ping")
        return [StreamState("ping", "stale", f"no answer to PING for {PING_LATE:.0f} s")]

    def _on_pong(self, event: PingEvent, now: Now) -> list[Item]:
        if not self._pings:
            return []
        round_trip = now.mono - self._pings.popleft()
        pong = records.Pong(
            venue="nexus",
            env=self._route.label,
            symbol=self._route.symbol,
            time=event.timestamp,
            received=now.epoch_ms,
            round_trip_ms=round(round_trip * 1000, 3),
        )
        return [*self._told_by(event.timestamp, now), *self._recovered("ping", ""), pong]

    def _answer_ping(self, event: SuccessorPing, now: Now) -> list[Item]:
        self._out.append('{"event":"pong"}')
        self.stirred = True
        return []

    # --- what went wrong

    def _not_understood(self, frame: bytes, error: Exception, now: Now) -> list[Item]:
        """Ignores an unknown event; an error message is a refusal; anything else is a bad frame."""
        try:
            outline = OUTLINE.decode(frame)
        except DECODE_ERRORS:
            return self._bad(None, explain(error), now)
        if outline.success is False:
            return [Refused(f"the venue says: {excerpt(str(outline.errorMsg or 'no reason given'), 300)}")]
        if outline.event is None:
            return [] if outline.success else self._bad(None, explain(error), now)
        event = in_any_case(outline.event, _STREAMS_OF_EVENT)
        return [] if event is None else self._bad(event, explain(error), now)

    def _bad(self, event: str | None, problem: str, now: Now) -> list[Item]:
        """Reports a bad frame, and doubts the streams that it belongs to (`event` None: all of them)."""
        reason = f"{problem} (nexus {event or 'frame'})"
        concerned = [n for n in self._streams if event is None or n in _STREAMS_OF_EVENT[event]]
        items: list[Item] = [BadFrame(reason, None if event is None else tuple(concerned))]
        if {"book", "quotes"} & set(concerned):
            items += self._book.doubt(f"bad frame: {problem}", now)
        for name in concerned:
            if name in ("trades", "fills") and name not in self._stale:
                items.append(StreamState(name, "live", "a bad frame came: an event may be missing"))
                self._stale.add(name)  # said once until a good one comes
            elif name in ("orders", "positions", "candles"):
                items.append(StreamState(name, "stale", f"bad frame: {problem}; a change may be missing"))
                self._stale.add(name)
        if "candles" in concerned:
            self._route.interrupted(now)
        return items

    def _recovered(self, stream: str, reason: str) -> list[Item]:
        """Makes a stale stream without snapshots live again: this is the first good event after a bad one."""
        if stream not in self._stale:
            return []
        self._stale.discard(stream)
        return [StreamState(stream, "live", reason)]


def _levels_in(data: bytes) -> list[records.Level]:
    return _levels(BOOK_ROWS.decode(data), "rows")


def _levels(rows: list[BookRow], side: str) -> list[records.Level]:
    refuse_too_many(len(rows))
    try:
        return [records.Level(positive(row.price, "price"), not_negative(row.quantity, "quantity")) for row in rows]
    except BadMessage:
        for index, row in enumerate(rows):  # once more, for the path
            positive(row.price, f"data.{side}[{index}].price")
            not_negative(row.quantity, f"data.{side}[{index}].quantity")
        raise


# --- what outlives a connection ------------------------------------------------------------------------------------


class NexusRoute(BaseRoute):
    """The streams of one symbol, with what outlives a connection: the clock, the newest book's time, the candles."""

    def __init__(self, subscriptions: Sequence[Subscription], settings: Settings) -> None:
        super().__init__(subscriptions, settings)
        (self.symbol,) = {symbol for subscription in subscriptions for symbol in subscription.symbols}
        self.rows = KnownRows(_levels_in)
        self.clock = VenueClock([subscription.stream for subscription in subscriptions])
        self.newest_book = NewestState(self.clock)
        self.met_before = False
        self.fills = Remembered(MOST_FILLS)  # those that were delivered
        self._times = {"orders": RowTimes(), "positions": RowTimes()}
        intervals = [s.interval for s in subscriptions if s.stream == "candles"]
        self.candles = TradedCandles(interval_ms(intervals[0]), self.clock) if intervals else None

    def session(self, secrets: Mapping[str, str]) -> Session:
        """Makes the session of a new connection."""
        return NexusSession(self, secrets)

    def refused(self, status: int, body: str) -> Refused | Lost:
        """What an HTTP status means here: 401 and 403 refuse the client key, 404 the symbol."""
        said = answer_in_words(status, body)
        if status in (401, 403):
            return Refused(f"nexus refused the client key ({said}); check client_key")
        if status == 404:
            return Refused(f"nexus does not know the symbol {self.symbol} ({said})")
        return super().refused(status, body)

    def is_news(self, stream: str, key: Any, row: records.Order | records.Position, now: Now) -> bool:
        """Whether a row is not older than the latest update of it."""
        stamp = None if row.time is None else row.time * PER_MS
        return self._times[stream].is_news((key, stamp, row.change == "remove"), now, self.clock.venue_now(now))

    def interrupted(self, now: Now) -> None:
        """Notes for the candles that trades may have been missed up to now."""
        if self.candles is not None:
            self.candles.interrupted(now)


def routes(subscriptions: Sequence[Subscription], settings: Settings) -> list[Route]:
    """One connection for each symbol; all streams of a symbol share it.

    Raises:
        UsageError: an interval that candles cannot be built for.
    """
    by_symbol: dict[str, list[Subscription]] = {}
    for subscription in subscriptions:
        (symbol,) = subscription.symbols
        by_symbol.setdefault(symbol, []).append(subscription)
    return [NexusRoute(of_symbol, settings) for of_symbol in by_symbol.values()]
