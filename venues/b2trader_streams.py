"""B2TRADER's streams: what the items of one invocation mean, as records. Pure state, one object a subscription.

Each feed takes the items of its invocation in order; `begin` starts a new one, of which nothing is known before its
first full state. A flag `snapshot` tells that state from changes. OpenOrders, ClosePositionsOrders and FullBalance
have none: the first item is the whole state, later ones are upserts by id.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, TypeAlias, TypeVar

import msgspec
from msgspec import UNSET, Raw, Struct

from venues import records
from venues.book import BookDelta, OrderBook
from venues.errors import BadMessage, CrossedBook, SequenceGap
from venues.numbers import (
    NOT_NEGATIVE,
    NUMBERS,
    POSITIVE,
    not_negative,
    not_negative_text,
    number,
    percent,
    positive_text,
    subtract,
    text_number,
)
from venues.times import iso_ms
from venues.wire import b2trader as wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from decimal import Decimal

    from venues.records import Level, Record
    from venues.venue import Now, Subscription

VENUE = "b2trader"
LOTS = "lots"
SKIPS_THAT_PROVE = 3  # resyncs after which skipped versions are this host's way of counting …
WITHIN_DELTAS = 200  # … when they happened within so many deltas and the book was never crossed

_SIDES: dict[str, records.Side] = {"Buy": "buy", "Sell": "sell"}
_POSITION_SIDES: dict[str, records.PositionSide] = {"Buy": "long", "Sell": "short"}
_CLOSED_BY: dict[str, records.PositionSide] = {"Sell": "long", "Buy": "short"}

_OPEN_ORDERS: dict[str, records.OrderStatus] = {"Started": "pending", "Pending": "pending", "Working": "new"}
_GONE_ORDERS: dict[str, records.OrderStatus] = {
    "Completed": "filled",
    "Cancelled": "cancelled",
    "Rejected": "rejected",
    "Expired": "expired",
}
_ORDER_STATUS = _OPEN_ORDERS | _GONE_ORDERS

_EVERY_LEVEL = 1_000_000_000
_Amounts: TypeAlias = "tuple[Decimal, Decimal]"
_NOTHING: list[Any] = []
_LEVEL = records.Level


class Common(Struct, frozen=True):
    """What all records of a line carry: `env`, and the currency of the figures in the platform's root asset."""

    env: str | None
    currency: str


class Feed(Protocol):
    """One subscription's state. `whole`: a full state was here since `begin`."""

    whole: bool

    def begin(self) -> None:
        """A new invocation: nothing is known."""
        ...

    def take(self, item: Raw, now: Now) -> list[Record]:
        """What an item changes; nothing before the first full state.

        Raises:
            BadMessage, BookError, or one of `DECODE_ERRORS`: nothing of it counts, and a new full state is needed.
        """
        ...


# --- sets of rows --------------------------------------------------------------------------------------------------

Row = TypeVar("Row")


class RowsFeed(Generic[Row]):
    """A set of rows by key: whole at first, then rows that are new, changed or gone."""

    def __init__(
        self,
        stream: str,
        rows_of: Callable[[Raw], tuple[list[Row], str, bool | None]],
        record_of: Callable[[Row, str, Now, Common, records.Change], Record],
        key_of: Callable[[Row], Any],
        common: Common,
        merged: Callable[[Row | None, Row], Row] | None = None,
    ) -> None:
        """`rows_of`: the rows of an item, the path that leads to them, and the flag, None where there is none.

        `merged`: how a row that only says what changed joins the one that is held (None: there is none).
        """
        self.whole = False
        self._stream = stream
        self._rows_of = rows_of
        self._record_of = record_of
        self._key_of = key_of
        self._common = common
        self._merged = merged
        self._held: dict[Any, Row] = {}

    def begin(self) -> None:
        """Nothing is known."""
        self.whole = False
        self._held = {}

    def take(self, item: Raw, now: Now) -> list[Record]:
        """The rows; after a full state its `snapshot_end`."""
        rows, path, flag = self._rows_of(item)
        full = not self.whole if flag is None else flag
        if not full and not self.whole:
            return _NOTHING
        held = {} if full else dict(self._held)
        taken: list[tuple[Any, Record]] = []
        for index, row in enumerate(rows):
            key = self._key_of(row)
            if self._merged is not None:
                held[key] = row = self._merged(held.get(key), row)
            record = self._record_of(row, f"{path}[{index}]", now, self._common, "snapshot" if full else "update")
            taken.append((key, record))
        self._held, self.whole = held, True
        if not full:
            return [record for _, record in taken]
        state = {key: record for key, record in taken if getattr(record, "change", None) != "remove"}
        end = records.SnapshotEnd(
            venue=VENUE, env=self._common.env, received=now.epoch_ms, stream=self._stream, count=len(state)
        )
        return [*state.values(), end]


def _merge_fields(held: Any, row: Any) -> Any:
    """A partial row changes only the fields that it names."""
    if held is not None:
        for name in row.__struct_fields__:
            if getattr(row, name) is UNSET:
                setattr(row, name, getattr(held, name))
    return row


def _order(row: wire.OrderRow, path: str, now: Now, common: Common, change: records.Change) -> records.Order:
    status = _ORDER_STATUS.get(row.status)
    if status is None:
        raise BadMessage(f'expected one of {", ".join(_ORDER_STATUS)} at `{path}.status`, got "{row.status[:60]}"')
    size = not_negative_text(row.requested_amount, f"{path}.requestedAmount")
    remaining = _not_negative(row.remaining_amount, f"{path}.remainingAmount")
    filled = None
    # What a cancelled order says of its remaining amount is not documented: nothing is concluded from it.
    if remaining is not None and (row.status in _OPEN_ORDERS or status == "filled"):
        if remaining > size:
            raise BadMessage(f"expected at most the requested {size} at `{path}.remainingAmount`, got {remaining}")
        filled = subtract(size, remaining)
        if filled and row.status in _OPEN_ORDERS:
            status = "partially_filled"
    return records.Order(
        venue=VENUE,
        env=common.env,
        symbol=row.market_id,
        received=now.epoch_ms,
        order_id=row.order_id,
        side=_SIDES[row.side],
        order_type=row.order_type,
        price=_not_negative(row.requested_price, f"{path}.requestedPrice") or None,  # a market order has none
        size=size,
        filled=filled,
        remaining=remaining,
        average_price=_not_negative(row.execution_price, f"{path}.executionPrice") or None,  # "0": none yet
        status=status,
        venue_status=row.status,
        time_in_force=row.time_in_force,
        leverage=_leverage(row.leverage, f"{path}.leverage"),
        take_profit=_figure(row.take_profit, f"{path}.takeProfit"),
        stop_loss=_figure(row.stop_loss, f"{path}.stopLoss"),
        created=_moment(row.created_at, f"{path}.createdAt"),
        updated=_moment(row.updated_at, f"{path}.updatedAt"),
        change="remove" if row.status in _GONE_ORDERS else change,
        extra=_extra(
            market_type=row.market_type,
            market_display_name=row.market_display_name,
            market_full_name=row.market_full_name,
            source=row.source,
            reason=row.reason,
            cancellation_date=_moment(row.cancellation_date, f"{path}.cancellationDate"),
            commission_asset_id=row.commission_asset_id,
            commission_amount=_figure(row.commission_amount, f"{path}.commissionAmount"),
            fill_factor=_figure(row.fill_factor, f"{path}.fillFactor"),
        ),
    )


def _position(row: wire.PositionRow, path: str, now: Now, common: Common, change: records.Change) -> records.Position:
    size = not_negative_text(row.position_lot_amount, f"{path}.positionLotAmount")
    return records.Position(
        venue=VENUE,
        env=common.env,
        symbol=row.market_id,
        received=now.epoch_ms,
        position_id=row.position_id,
        side=_POSITION_SIDES[row.side],
        size=size,
        entry_price=_figure(row.open_price, f"{path}.openPrice"),
        market_price=_figure(row.current_market_price, f"{path}.currentMarketPrice"),
        notional=_figure(row.position_price_in_rat, f"{path}.positionPriceInRAT"),
        leverage=_leverage(row.leverage, f"{path}.leverage"),
        used_margin=_figure(row.used_margin_in_rat, f"{path}.usedMarginInRAT"),
        unrealized_pnl=_figure(row.unrealized_pnl_total_in_rat, f"{path}.unrealizedPnlTotalInRAT"),
        unrealized_pnl_pct=_percent(row.unrealized_pnl_total_percent, f"{path}.unrealizedPnlTotalPercent"),
        unrealized_pnl_day=_figure(row.unrealized_pnl_day_in_rat, f"{path}.unrealizedPnlDayInRAT"),
        unrealized_pnl_day_pct=_percent(row.unrealized_pnl_day_percent, f"{path}.unrealizedPnlDayPercent"),
        take_profit=_figure(row.take_profit, f"{path}.takeProfit"),
        stop_loss=_figure(row.stop_loss, f"{path}.stopLoss"),
        status=row.status,
        created=_moment(row.created_at, f"{path}.createdAt"),
        updated=_moment(row.updated_at, f"{path}.updatedAt"),
        change=change if row.status == "Open" and size else "remove",
        size_unit=LOTS,
        currency=common.currency,
        extra=_extra(
            market_type=row.market_type,
            market_display_name=row.market_display_name,
            market_full_name=row.market_full_name,
            rate_to_rat=_figure(row.rate_to_rat, f"{path}.rateToRAT"),
            position_modifier=row.position_modifier,
        ),
    )


def _closed(row: wire.ClosedRow, path: str, now: Now, common: Common, change: records.Change) -> records.ClosedPosition:
    return records.ClosedPosition(
        venue=VENUE,
        env=common.env,
        symbol=row.market_id,
        received=now.epoch_ms,
        position_id=row.position_id,
        order_id=row.order_id,
        order_type=row.order_type,
        side=_CLOSED_BY[row.side],
        size=not_negative_text(row.position_close_lot_amount, f"{path}.positionCloseLotAmount"),
        open_price=_figure(row.open_price, f"{path}.openPrice"),
        close_price=_figure(row.close_price, f"{path}.closePrice"),
        notional=_figure(row.position_price_in_rat, f"{path}.positionPriceInRAT"),
        realized_pnl=_figure(row.realized_pnl_in_rat, f"{path}.realizedPnlInRAT"),
        opened=_moment(row.opened_at, f"{path}.openedAt"),
        closed=_moment(row.closed_at, f"{path}.closedAt"),
        reason=row.reason,
        change=change,
        size_unit=LOTS,
        currency=common.currency,
        extra=_extra(
            market_type=row.market_type,
            market_display_name=row.market_display_name,
            market_full_name=row.market_full_name,
            side=row.side,  # of the order that closed it, so a long position's is Sell
            time_in_force=row.time_in_force,
            rate_to_rat=_figure(row.rate_to_rat, f"{path}.rateToRAT"),
        ),
    )


def _balance(row: wire.BalanceRow, path: str, now: Now, common: Common, change: records.Change) -> records.Balance:
    return records.Balance(
        venue=VENUE,
        env=common.env,
        received=now.epoch_ms,
        asset=row.asset_id,
        total=text_number(row.total, f"{path}.total"),
        available=text_number(row.available, f"{path}.available"),
        locked=text_number(row.locked, f"{path}.locked"),
        change=change,
    )


def _trading(row: wire.TradingRow, path: str, now: Now, common: Common, change: records.Change) -> records.Ticker:
    return records.Ticker(
        venue=VENUE,
        env=common.env,
        symbol=row.market_id,
        received=now.epoch_ms,
        name=_said(row.display_name),
        last=_figure(row.price, f"{path}.price"),
        high=_figure(row.high_price_24hr, f"{path}.highPrice24hr"),
        low=_figure(row.low_price_24hr, f"{path}.lowPrice24hr"),
        change=_figure(row.price_change_abs_24hr, f"{path}.priceChangeAbs24hr"),
        change_pct=_percent(row.price_change_24hr, f"{path}.priceChange24hr"),
        mark_price=_figure(row.mark_price, f"{path}.markPrice"),
        funding_rate=_figure(row.funding_rate, f"{path}.fundingRate"),
        extra=_extra(
            type=_said(row.type),
            full_name=_said(row.full_name),
            price_in_rat=_figure(row.price_in_rat, f"{path}.priceInRAT"),
        ),
    )


def _summary(row: wire.SummaryRow, path: str, now: Now, common: Common, change: records.Change) -> records.Ticker:
    return records.Ticker(
        venue=VENUE,
        env=common.env,
        symbol=row.market_id,
        received=now.epoch_ms,
        last=_figure(row.last, f"{path}.last"),
        high=_figure(row.high_24hr, f"{path}.high24hr"),
        low=_figure(row.low_24hr, f"{path}.low24hr"),
        change_pct=_figure(row.percent_change, f"{path}.percentChange"),  # percent already
    )


def _quote(row: wire.TobRow, path: str, now: Now, common: Common, change: records.Change) -> records.Quote:
    bid = _figure(row.bid, f"{path}.bid") or None  # a side without orders has no price, however that is written
    ask = _figure(row.ask, f"{path}.ask") or None
    return records.Quote(
        venue=VENUE, env=common.env, symbol=row.market_id, received=now.epoch_ms, bid_price=bid, ask_price=ask
    )


# --- single values -------------------------------------------------------------------------------------------------


class MarginFeed:
    """MarginData: every item is the whole state."""

    def __init__(self, common: Common) -> None:
        self.whole = False
        self._common = common

    def begin(self) -> None:
        """Nothing is known."""
        self.whole = False

    def take(self, item: Raw, now: Now) -> list[Record]:
        """The margin."""
        margin = wire.MARGIN.decode(item)
        record = records.Margin(
            venue=VENUE,
            env=self._common.env,
            received=now.epoch_ms,
            balance=text_number(margin.margin_balance_in_rat, "item.marginBalanceInRAT"),
            equity=text_number(margin.equity_in_rat, "item.equityInRAT"),
            used=text_number(margin.used_margin_in_rat, "item.usedMarginInRAT"),
            free=text_number(margin.free_margin_in_rat, "item.freeMarginInRAT"),
            level_pct=_percent(margin.margin_level, "item.marginLevel"),
            unrealized_pnl=text_number(margin.unrealized_pnl_in_rat, "item.unrealizedPnlInRAT"),
            currency=self._common.currency,
        )
        self.whole = True
        return [record]


class ChartFeed:
    """Chart: every item is the whole candle; one with a later start ends the candle before it."""

    def __init__(self, subscription: Subscription, common: Common) -> None:
        self.whole = False
        self._symbol = subscription.symbols[0]
        self._interval = subscription.interval
        self._common = common
        self._current: records.Candle | None = None

    def begin(self) -> None:
        """How the candle before an interruption ended is not known: it is not said to be closed."""
        self.whole = False
        self._current = None

    def take(self, item: Raw, now: Now) -> list[Record]:
        """The candle, after the one that it ends."""
        chart = wire.CHART.decode(item)
        _expect(chart.instrument, self._symbol)
        start, end = iso_ms(chart.start, "item.start"), iso_ms(chart.end, "item.end")
        if end <= start:
            raise BadMessage(f'expected a time after `item.start` at `item.end`, got "{chart.end[:60]}"')
        current = self._current
        candle = records.Candle(
            venue=VENUE,
            env=self._common.env,
            symbol=self._symbol,
            received=now.epoch_ms,
            interval=self._interval,
            start=start,
            end=end,
            open=positive_text(chart.open, "item.open"),
            high=positive_text(chart.high, "item.high"),
            low=positive_text(chart.low, "item.low"),
            close=positive_text(chart.close, "item.close"),
            closed=current is not None and start < current.start,  # a correction of one that is over
            complete=True,
        )
        self.whole = True
        if candle.closed:
            return [candle]
        self._current = candle
        if current is None or start == current.start:
            return [candle]
        return [msgspec.structs.replace(current, closed=True, received=now.epoch_ms), candle]


# --- the book ------------------------------------------------------------------------------------------------------


class VersionLesson:
    """What this host has taught about a book's version; outlives reconnects.

    The document shows a version and does not say that it counts by one. That is assumed until skips prove normal:
    three resyncs within 200 deltas while the book was never crossed, and while no new full state told that what was
    skipped was lost.
    """

    def __init__(self) -> None:
        self.skips_are_normal = False
        self.to_say = ""  # said once, by whoever clears it
        self.deltas = 0  # looked at so far
        self._resyncs: deque[int] = deque(maxlen=SKIPS_THAT_PROVE)

    def resynced(self, skipped_at: int) -> None:
        """The full state after a skip is here; `skipped_at` is what `deltas` was then."""
        if self.skips_are_normal:
            return
        self._resyncs.append(skipped_at)
        if len(self._resyncs) == SKIPS_THAT_PROVE and skipped_at - self._resyncs[0] < WITHIN_DELTAS:
            self.skips_are_normal = True
            self.to_say = (
                f"book versions skip at this host ({SKIPS_THAT_PROVE} times within {WITHIN_DELTAS} deltas, and the "
                "book was never crossed): from now on a version only has to grow, so a lost delta would go unnoticed"
            )

    def contradicted(self) -> None:
        """The book was crossed, or something was lost: skips before that prove nothing."""
        self._resyncs.clear()


class _Skip(NamedTuple):
    """A version that was skipped: when, and the book that there would be if nothing was lost (None: a crossed one)."""

    at: int
    version: int
    book: tuple[list[_Amounts], list[_Amounts]] | None


class BookFeed:
    """Book: a snapshot, then deltas with absolute amounts; printed when the shown levels have changed."""

    def __init__(self, subscription: Subscription, common: Common, lesson: VersionLesson) -> None:
        self.whole = False
        self._symbol = subscription.symbols[0]
        self._depth = subscription.depth
        self._common = common
        self._lesson = lesson
        self._book = OrderBook(contiguous=not lesson.skips_are_normal)
        self._shown: tuple[list[Level], list[Level]] | None = None
        self._skip: _Skip | None = None

    def begin(self) -> None:
        """Nothing is known; the lesson stays."""
        self.whole = False
        self._book.distrust()
        self._book.contiguous = not self._lesson.skips_are_normal
        self._shown = None

    def take(self, item: Raw, now: Now) -> list[Record]:
        """The book, when what is shown of it has changed."""
        message = self.merge(item)
        if message is None:
            return _NOTHING
        shown = (self._book.bids(self._depth), self._book.asks(self._depth))
        if shown == self._shown:
            return _NOTHING
        self._shown = shown
        return [
            records.Book(
                venue=VENUE,
                env=self._common.env,
                symbol=self._symbol,
                received=now.epoch_ms,
                bids=shown[0],
                asks=shown[1],
                sequence=self._book.sequence,
                extra=_extra(
                    ask_total_amount=_figure(message.ask_total_amount, "item.askTotalAmount"),
                    bid_total_amount=_figure(message.bid_total_amount, "item.bidTotalAmount"),
                ),
            )
        ]

    def merge(self, item: Raw) -> wire.BookItem | None:
        """The message, once it is part of the book; None when it changes nothing because of where it belongs."""
        message = wire.BOOK.decode(item)
        if message.instrument != self._symbol:
            _expect(message.instrument, self._symbol)
        if not message.snapshot and not self.whole:
            return None
        version = _version(message.version)
        bids, asks = _levels(message.bids, "bids"), _levels(message.asks, "asks")
        delta = BookDelta(bids, asks, version)
        try:
            if message.snapshot:
                self._book.snapshot(bids, asks, version)
                self.whole = True
                self._learn(version)
                return message
            self._lesson.deltas += 1
            return message if self._book.apply(delta) else None
        except SequenceGap:
            self._skip = self._skipped(delta, version)
            raise
        except CrossedBook:
            self._lesson.contradicted()
            raise

    def _skipped(self, delta: BookDelta, version: int) -> _Skip:
        self._book.contiguous, self._book.whole = False, True
        try:
            self._book.apply(delta)
        except CrossedBook:
            self._lesson.contradicted()
            return _Skip(self._lesson.deltas, version, None)
        finally:
            self._book.distrust()
        return _Skip(self._lesson.deltas, version, self._amounts())

    def _learn(self, version: int) -> None:
        """What a full state says about the skip before it."""
        skip, self._skip = self._skip, None
        if skip is None or skip.book is None:
            return
        if skip.version == version and skip.book != self._amounts():
            self._lesson.contradicted()
            return
        self._lesson.resynced(skip.at)
        self._book.contiguous = not self._lesson.skips_are_normal

    def _amounts(self) -> tuple[list[_Amounts], list[_Amounts]]:
        bids, asks = self._book.bids(_EVERY_LEVEL), self._book.asks(_EVERY_LEVEL)
        return [(level.price, level.size) for level in bids], [(level.price, level.size) for level in asks]


def _levels(rows: Iterable[wire.BookRow], side: str) -> list[Level]:
    try:
        return [
            _LEVEL(
                POSITIVE[row.price],
                NOT_NEGATIVE[row.amount],
                None,
                None if row.total is None else NUMBERS[row.total],
            )
            for row in rows
        ]
    except ValueError:
        for index, row in enumerate(rows):  # once more, for the path
            positive_text(row.price, f"item.{side}[{index}].price")
            not_negative_text(row.amount, f"item.{side}[{index}].amount")
            _figure(row.total, f"item.{side}[{index}].total")
        raise


def _version(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 40):
        raise BadMessage(f'expected a whole number in a text at `item.version`, got "{text[:60]}"')
    return int(text)


# --- fields --------------------------------------------------------------------------------------------------------


def _expect(instrument: str, symbol: str) -> None:
    if instrument != symbol:
        raise BadMessage(f'expected {symbol} at `item.instrument`, got "{instrument[:60]}"')


def _said(text: wire.Partial) -> str | None:
    return text if isinstance(text, str) else None


def _figure(text: wire.Partial, path: str) -> Decimal | None:
    return text_number(text, path) if isinstance(text, str) else None


def _not_negative(text: wire.Text, path: str) -> Decimal | None:
    return None if text is None else not_negative_text(text, path)


def _percent(text: wire.Partial, path: str) -> Decimal | None:
    return percent(text_number(text, path)) if isinstance(text, str) else None


def _leverage(value: Any, path: str) -> Decimal | None:
    if isinstance(value, str):  # documented as an integer, in a feed whose numbers are texts
        return not_negative_text(value, path)
    return None if value is None else not_negative(number(value, path), path)


def _moment(text: wire.Text, path: str) -> int | None:
    if text is None or text.startswith("0001-01-01T00:00:00"):  # how .NET writes a time that was never set
        return None
    return iso_ms(text, path)


def _extra(**fields: Any) -> records.Extra | None:
    return {name: value for name, value in fields.items() if value is not None} or None


# --- which feed for which stream -----------------------------------------------------------------------------------


def feed_for(subscription: Subscription, common: Common, lesson: VersionLesson) -> Feed:
    """A feed with nothing known."""

    def positions(item: Raw) -> tuple[list[wire.PositionRow], str, bool | None]:
        message = wire.POSITIONS.decode(item)
        return message.item, "item.item", message.snapshot

    def trading(item: Raw) -> tuple[list[wire.TradingRow], str, bool | None]:
        message = wire.TRADING_DATA.decode(item)
        return message.markets, "item.markets", message.snapshot

    def tob(item: Raw) -> tuple[list[wire.TobRow], str, bool | None]:
        message = wire.TOB.decode(item)
        return message.markets, "item.markets", message.snapshot

    def summary(item: Raw) -> tuple[list[wire.SummaryRow], str, bool | None]:
        message = wire.SUMMARY.decode(item)
        return message.items, "item.items", message.snapshot

    stream = subscription.stream
    match stream:
        case "orders":
            return RowsFeed(
                stream, lambda item: (wire.ORDERS.decode(item), "item", None), _order, lambda row: row.order_id, common
            )
        case "positions":
            return RowsFeed(stream, positions, _position, lambda row: row.position_id, common)
        case "closed":
            return RowsFeed(
                stream,
                lambda item: (wire.CLOSED.decode(item), "item", None),
                _closed,
                lambda row: (row.order_id, row.position_id),
                common,
            )
        case "balance":
            return RowsFeed(
                stream,
                lambda item: (wire.BALANCE.decode(item), "item", None),
                _balance,
                lambda row: row.asset_id,
                common,
            )
        case "ticker":
            return RowsFeed(stream, trading, _trading, lambda row: row.market_id, common, _merge_fields)
        case "quotes":
            return RowsFeed(stream, tob, _quote, lambda row: row.market_id, common, _merge_fields)
        case "watchlist":
            return RowsFeed(stream, summary, _summary, lambda row: row.market_id, common, _merge_fields)
        case "margin":
            return MarginFeed(common)
        case "candles":
            return ChartFeed(subscription, common)
        case "book":
            return BookFeed(subscription, common, lesson)
        case _:
            raise AssertionError(f"{stream} is no stream of the hub")
