"""B2TRADER's streams: what the items of one invocation mean, as records. Pure state, one object a subscription.

Each feed takes the items of its invocation in order; `begin` starts a new one, of which nothing is known before its
first full state. A flag `snapshot` tells that state from changes. OpenOrders, ClosePositionsOrders and FullBalance
have none: the first item is the whole state, later ones are upserts by id.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from venues import records
from venues.b2trader import messages as wire
from venues.b2trader.book import BookFeed
from venues.b2trader.fields import VENUE, Common, expect, extra, figure, moment, percent_or_none, said, stamp
from venues.b2trader.rows import MarketsFeed, RowsFeed
from venues.errors import BadMessage
from venues.toolkit.consistency import check_available, check_candle, check_quote, check_range
from venues.toolkit.made_candles import HELD_BACK, MadeCandles
from venues.toolkit.numbers import not_negative, number, optional_not_negative, plain_text, positive, shown, subtract
from venues.toolkit.spellings import documented
from venues.toolkit.times import time_ms
from venues.venue import StreamState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from msgspec import Raw

    from venues.b2trader.versions import Lesson
    from venues.records import Record
    from venues.toolkit.row_times import RowTimes
    from venues.venue import Item, Now, Subscription

LOTS = "lots"

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


class HubStream(Protocol):
    """The state of one subscription. `whole`: a full state has come since `begin`."""

    whole: bool

    def begin(self) -> None:
        """Starts a new invocation: nothing counts before its first full state."""
        ...

    def take(self, item: Raw, now: Now) -> Sequence[Item]:
        """What an item changes, in order; nothing before the first full state.

        Raises:
            BadMessage, BookError, or one of `DECODE_ERRORS`: nothing of it counts, and a new full state is needed.
            NotAskedFor: it is of another market, and changes nothing.
        """
        ...


# --- rows ----------------------------------------------------------------------------------------------------------


def _order(row: wire.OrderRow, path: str, now: Now, common: Common, change: records.Change) -> records.Order:
    word = documented(row.status, _ORDER_STATUS, f"{path}.status")
    status = _ORDER_STATUS[word]
    size = not_negative(row.requested_amount, f"{path}.requestedAmount")
    remaining = optional_not_negative(row.remaining_amount, f"{path}.remainingAmount")
    filled = None
    # What a cancelled order says of its remaining amount is not documented: nothing is concluded from it.
    if remaining is not None and (word in _OPEN_ORDERS or status == "filled"):
        if remaining > size:
            most = f"expected at most the requested {plain_text(size)} at `{path}.remainingAmount`"
            raise BadMessage(f"{most}, got {plain_text(remaining)}")
        filled = subtract(size, remaining)
        if filled and word in _OPEN_ORDERS:
            status = "partially_filled"
    return records.Order(
        venue=VENUE,
        env=common.env,
        symbol=row.market_id,
        received=now.epoch_ms,
        order_id=row.order_id,
        side=_SIDES[row.side],
        order_type=row.order_type,
        price=optional_not_negative(row.requested_price, f"{path}.requestedPrice") or None,  # a market order has none
        size=size,
        filled=filled,
        remaining=remaining,
        average_price=optional_not_negative(row.execution_price, f"{path}.executionPrice") or None,  # "0": none yet
        status=status,
        venue_status=row.status,
        time_in_force=row.time_in_force,
        leverage=optional_not_negative(row.leverage, f"{path}.leverage"),
        take_profit=figure(row.take_profit, f"{path}.takeProfit"),
        stop_loss=figure(row.stop_loss, f"{path}.stopLoss"),
        created=moment(row.created_at, f"{path}.createdAt"),
        updated=moment(row.updated_at, f"{path}.updatedAt"),
        change="remove" if word in _GONE_ORDERS else change,
        extra=extra(
            market_type=row.market_type,
            market_display_name=row.market_display_name,
            market_full_name=row.market_full_name,
            source=row.source,
            reason=row.reason,
            cancellation_date=moment(row.cancellation_date, f"{path}.cancellationDate"),
            commission_asset_id=row.commission_asset_id,
            commission_amount=figure(row.commission_amount, f"{path}.commissionAmount"),
            fill_factor=figure(row.fill_factor, f"{path}.fillFactor"),
        ),
    )


def _position(row: wire.PositionRow, path: str, now: Now, common: Common, change: records.Change) -> records.Position:
    size = not_negative(row.position_lot_amount, f"{path}.positionLotAmount")
    if not row.status:  # any word but Open says that it is gone; none says nothing
        raise BadMessage(f"expected a status at `{path}.status`, got none")
    return records.Position(
        venue=VENUE,
        env=common.env,
        symbol=row.market_id,
        received=now.epoch_ms,
        position_id=row.position_id,
        side=_POSITION_SIDES[row.side],
        size=size,
        entry_price=figure(row.open_price, f"{path}.openPrice"),
        market_price=figure(row.current_market_price, f"{path}.currentMarketPrice"),
        notional=figure(row.position_price_in_rat, f"{path}.positionPriceInRAT"),
        leverage=optional_not_negative(row.leverage, f"{path}.leverage"),
        used_margin=figure(row.used_margin_in_rat, f"{path}.usedMarginInRAT"),
        unrealized_pnl=figure(row.unrealized_pnl_total_in_rat, f"{path}.unrealizedPnlTotalInRAT"),
        unrealized_pnl_pct=percent_or_none(row.unrealized_pnl_total_percent, f"{path}.unrealizedPnlTotalPercent"),
        unrealized_pnl_day=figure(row.unrealized_pnl_day_in_rat, f"{path}.unrealizedPnlDayInRAT"),
        unrealized_pnl_day_pct=percent_or_none(row.unrealized_pnl_day_percent, f"{path}.unrealizedPnlDayPercent"),
        take_profit=figure(row.take_profit, f"{path}.takeProfit"),
        stop_loss=figure(row.stop_loss, f"{path}.stopLoss"),
        status=row.status,
        created=moment(row.created_at, f"{path}.createdAt"),
        updated=moment(row.updated_at, f"{path}.updatedAt"),
        change=change if row.status.casefold() == "open" and size else "remove",
        size_unit=LOTS,
        currency=common.currency,
        extra=extra(
            market_type=row.market_type,
            market_display_name=row.market_display_name,
            market_full_name=row.market_full_name,
            rate_to_rat=figure(row.rate_to_rat, f"{path}.rateToRAT"),
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
        size=not_negative(row.position_close_lot_amount, f"{path}.positionCloseLotAmount"),
        open_price=figure(row.open_price, f"{path}.openPrice"),
        close_price=figure(row.close_price, f"{path}.closePrice"),
        notional=figure(row.position_price_in_rat, f"{path}.positionPriceInRAT"),
        realized_pnl=figure(row.realized_pnl_in_rat, f"{path}.realizedPnlInRAT"),
        opened=moment(row.opened_at, f"{path}.openedAt"),
        closed=moment(row.closed_at, f"{path}.closedAt"),
        reason=row.reason,
        change=change,
        size_unit=LOTS,
        currency=common.currency,
        extra=extra(
            market_type=row.market_type,
            market_display_name=row.market_display_name,
            market_full_name=row.market_full_name,
            side=row.side,  # of the order that closed it, so a long position's is Sell
            time_in_force=row.time_in_force,
            rate_to_rat=figure(row.rate_to_rat, f"{path}.rateToRAT"),
        ),
    )


def _balance(row: wire.BalanceRow, path: str, now: Now, common: Common, change: records.Change) -> records.Balance:
    total, available = number(row.total, f"{path}.total"), number(row.available, f"{path}.available")
    check_available(available, total, f"{path}.available")
    return records.Balance(
        venue=VENUE,
        env=common.env,
        received=now.epoch_ms,
        asset=row.asset_id,
        total=total,
        available=available,
        locked=number(row.locked, f"{path}.locked"),
        change=change,
    )


def _trading(row: wire.TradingRow, path: str, now: Now, common: Common, change: records.Change) -> records.Ticker:
    high, low = figure(row.high_price_24hr, f"{path}.highPrice24hr"), figure(row.low_price_24hr, f"{path}.lowPrice24hr")
    check_range(low, high, f"{path}.highPrice24hr")
    return records.Ticker(
        venue=VENUE,
        env=common.env,
        symbol=row.market_id,
        received=now.epoch_ms,
        name=said(row.display_name),
        last=figure(row.price, f"{path}.price"),
        high=high,
        low=low,
        change=figure(row.price_change_abs_24hr, f"{path}.priceChangeAbs24hr"),
        change_pct=percent_or_none(row.price_change_24hr, f"{path}.priceChange24hr"),
        mark_price=figure(row.mark_price, f"{path}.markPrice"),
        funding_rate=figure(row.funding_rate, f"{path}.fundingRate"),
        extra=extra(
            type=said(row.type),
            full_name=said(row.full_name),
            price_in_rat=figure(row.price_in_rat, f"{path}.priceInRAT"),
        ),
    )


def _summary(row: wire.SummaryRow, path: str, now: Now, common: Common, change: records.Change) -> records.Ticker:
    high, low = figure(row.high_24hr, f"{path}.high24hr"), figure(row.low_24hr, f"{path}.low24hr")
    check_range(low, high, f"{path}.high24hr")
    return records.Ticker(
        venue=VENUE,
        env=common.env,
        symbol=row.market_id,
        received=now.epoch_ms,
        last=figure(row.last, f"{path}.last"),
        high=high,
        low=low,
        change_pct=figure(row.percent_change, f"{path}.percentChange"),  # percent already
    )


def _quote(row: wire.TobRow, path: str, now: Now, common: Common, change: records.Change) -> records.Quote:
    bid = figure(row.bid, f"{path}.bid") or None  # a side without orders has no price, however that is written
    ask = figure(row.ask, f"{path}.ask") or None
    check_quote(bid, ask, f"{path}.bid")
    return records.Quote(
        venue=VENUE, env=common.env, symbol=row.market_id, received=now.epoch_ms, bid_price=bid, ask_price=ask
    )


# --- single values -------------------------------------------------------------------------------------------------


class MarginFeed:
    """The margin, from MarginData: every item is the whole state."""

    def __init__(self, common: Common) -> None:
        self.whole: bool  # from `begin` on
        self._common = common

    def begin(self) -> None:
        """Starts a new invocation: the margin is unknown until its first item."""
        self.whole = False

    def take(self, item: Raw, now: Now) -> list[Record]:
        """The margin of the account as one record."""
        margin = wire.MARGIN.decode(item)
        record = records.Margin(
            venue=VENUE,
            env=self._common.env,
            received=now.epoch_ms,
            balance=number(margin.margin_balance_in_rat, "item.marginBalanceInRAT"),
            equity=number(margin.equity_in_rat, "item.equityInRAT"),
            used=number(margin.used_margin_in_rat, "item.usedMarginInRAT"),
            free=number(margin.free_margin_in_rat, "item.freeMarginInRAT"),
            level_pct=percent_or_none(margin.margin_level, "item.marginLevel"),
            unrealized_pnl=number(margin.unrealized_pnl_in_rat, "item.unrealizedPnlInRAT"),
            currency=self._common.currency,
        )
        self.whole = True
        return [record]


class ChartFeed:
    """Candles, from Chart: every item is a whole candle. The next one, once it has begun, closes the one before."""

    def __init__(self, subscription: Subscription, common: Common) -> None:
        self.whole: bool  # from `begin` on
        (self._symbol,) = subscription.symbols
        self._interval = subscription.interval
        self._common = common
        self._candles = MadeCandles()
        self._is_behind: bool  # a newer candle has come than the one that is shown

    def begin(self) -> None:
        """Starts a new invocation. How the candle before it ended is not known, so it is never called closed."""
        self.whole = self._is_behind = False
        self._candles.forget()

    def take(self, item: Raw, now: Now) -> list[Item]:
        """The candle, behind those that it closes."""
        chart = wire.CHART.decode(item)
        expect(chart.instrument, self._symbol)
        start, end = time_ms(chart.start, "item.start"), time_ms(chart.end, "item.end")
        if end <= start:
            raise BadMessage(f"expected a time after `item.start` at `item.end`, got {shown(chart.end)}")
        prices = (
            positive(chart.open, "item.open"),
            positive(chart.high, "item.high"),
            positive(chart.low, "item.low"),
            positive(chart.close, "item.close"),
        )
        check_candle(prices, "item")
        candle = records.Candle(
            venue=VENUE,
            env=self._common.env,
            symbol=self._symbol,
            received=now.epoch_ms,
            interval=self._interval,
            start=start,
            end=end,
            open=prices[0],
            high=prices[1],
            low=prices[2],
            close=prices[3],
            closed=False,
            complete=True,
        )
        self.whole = True
        items = self._candles.take(candle, now.epoch_ms, now)
        was_behind, self._is_behind = self._is_behind, self._candles.holds_back
        if self._is_behind and not was_behind:
            return [*items, StreamState("candles", "stale", f"{HELD_BACK}; waiting for the next candle")]
        if was_behind and not self._is_behind:
            return [StreamState("candles", "live"), *items]
        return items


# --- which feed for which stream -----------------------------------------------------------------------------------


def feed_for(subscription: Subscription, common: Common, lesson: Lesson, times: RowTimes) -> HubStream:
    """Makes the feed of a subscription. The `lesson` about versions and the `times` of rows outlive connections."""

    def positions(item: Raw) -> tuple[list[wire.PositionRow], str, bool | None]:
        message = wire.POSITIONS.decode(item)
        return message.item, "item.item", message.snapshot

    def trading(item: Raw) -> tuple[list[wire.TradingRow], str, bool]:
        message = wire.TRADING_DATA.decode(item)
        return message.markets, "item.markets", message.snapshot

    def tob(item: Raw) -> tuple[list[wire.TobRow], str, bool]:
        message = wire.TOB.decode(item)
        return message.markets, "item.markets", message.snapshot

    def summary(item: Raw) -> tuple[list[wire.SummaryRow], str, bool]:
        message = wire.SUMMARY.decode(item)
        return message.items, "item.items", message.snapshot

    stream = subscription.stream
    match stream:
        case "orders":
            return RowsFeed(
                stream,
                lambda item: (wire.ORDERS.decode(item), "item", None),
                _order,
                lambda row: (row.market_id, row.order_id),
                common,
                times,
                lambda row, path: stamp(row.updated_at, f"{path}.updatedAt"),
            )
        case "positions":
            return RowsFeed(
                stream,
                positions,
                _position,
                lambda row: row.position_id,
                common,
                times,
                lambda row, path: stamp(row.updated_at, f"{path}.updatedAt"),
            )
        case "closed":
            return RowsFeed(
                stream,
                lambda item: (wire.CLOSED.decode(item), "item", None),
                _closed,
                lambda row: (row.order_id, row.position_id),
                common,
                times,
                lambda row, path: stamp(row.closed_at, f"{path}.closedAt"),
            )
        case "balance":
            return RowsFeed(
                stream,
                lambda item: (wire.BALANCE.decode(item), "item", None),
                _balance,
                lambda row: row.asset_id,
                common,
                times,
            )
        case "ticker":
            return MarketsFeed(subscription, trading, _trading, common)
        case "quotes":
            return MarketsFeed(subscription, tob, _quote, common)
        case "watchlist":
            return MarketsFeed(subscription, summary, _summary, common)
        case "margin":
            return MarginFeed(common)
        case "candles":
            return ChartFeed(subscription, common)
        case "book":
            return BookFeed(subscription, common, lesson)
        case _:
            raise AssertionError(f"{stream} is no stream of the hub")
