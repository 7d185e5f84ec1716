"""The items of B2TRADER's ten streams as they come, from its document "WebSocket API".

Figures are decimal strings and times ISO 8601 text; they stay as they come until `venues.toolkit.numbers` and
`venues.toolkit.times`, which take other spellings too, have checked them. What a stream cannot do without has no
default; all else may be absent or null. A row of the market streams may be partial, so an absent field (`UNSET`) is
told from a null there.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from msgspec import UNSET, Struct, UnsetType, field

from venues.toolkit.decoding import Reader
from venues.toolkit.numbers import JsonNumber
from venues.toolkit.spellings import Id

Text: TypeAlias = str | None
Partial: TypeAlias = str | UnsetType | None
Moment: TypeAlias = Any
Side: TypeAlias = Literal["Buy", "Sell"]

# --- /frontoffice/ws/v4/account ------------------------------------------------------------------------------------


class OrderRow(Struct, rename="camel", gc=False):
    """`{"marketId": "cfd.eur_chf", "orderId": "01JV…", "status": "Pending", "side": "Buy", "requestedAmount": "10000",
    "remainingAmount": "10000", "requestedPrice": "0.9", "executionPrice": "0", …}` of OpenOrders, a bare array.
    """

    order_id: Id
    market_id: str
    status: str
    side: Side
    requested_amount: JsonNumber
    remaining_amount: JsonNumber = None
    requested_price: JsonNumber = None
    execution_price: JsonNumber = None
    order_type: Text = None
    time_in_force: Text = None
    source: Text = None
    reason: Text = None
    created_at: Moment = None
    updated_at: Moment = None
    cancellation_date: Moment = None
    commission_asset_id: Text = None
    commission_amount: JsonNumber = None
    leverage: JsonNumber = None
    fill_factor: JsonNumber = None
    take_profit: JsonNumber = None
    stop_loss: JsonNumber = None
    market_type: Text = None
    market_display_name: Text = None
    market_full_name: Text = None


class PositionRow(Struct, rename="camel", gc=False):
    """`{"positionId": "01JP…", "marketId": "cfd.eur_chf", "side": "Buy", "status": "Open", "leverage": 1,
    "positionLotAmount": "0.01", "unrealizedPnlTotalInRAT": "-29.93", "unrealizedPnlTotalPercent": "-0.0291", …}`

    `…InRAT` is in the platform's root asset, `…Percent` a fraction.
    """

    position_id: Id
    market_id: str
    side: Side
    status: str
    position_lot_amount: JsonNumber
    leverage: JsonNumber = None
    position_price_in_rat: JsonNumber = field(default=None, name="positionPriceInRAT")
    rate_to_rat: JsonNumber = field(default=None, name="rateToRAT")
    used_margin_in_rat: JsonNumber = field(default=None, name="usedMarginInRAT")
    open_price: JsonNumber = None
    current_market_price: JsonNumber = None
    unrealized_pnl_day_in_rat: JsonNumber = field(default=None, name="unrealizedPnlDayInRAT")
    unrealized_pnl_day_percent: JsonNumber = None
    unrealized_pnl_total_in_rat: JsonNumber = field(default=None, name="unrealizedPnlTotalInRAT")
    unrealized_pnl_total_percent: JsonNumber = None
    take_profit: JsonNumber = None
    stop_loss: JsonNumber = None
    created_at: Moment = None
    updated_at: Moment = None
    position_modifier: Text = None
    market_type: Text = None
    market_display_name: Text = None
    market_full_name: Text = None


class Positions(Struct, gc=False):
    """`{"item": [{…}], "snapshot": false}` of OpenPositions."""

    item: list[PositionRow]
    snapshot: bool


class ClosedRow(Struct, rename="camel", gc=False):
    """`{"marketId": "cfd.eur_chf", "orderId": "01JV…", "side": "Sell", "positionCloseLotAmount": "0.01",
    "realizedPnlInRAT": "-29.25", "positionId": "01JP…", …}` of ClosePositionsOrders, a bare array.

    `side` is that of the closing order.
    """

    order_id: Id
    position_id: Id
    market_id: str
    side: Side
    position_close_lot_amount: JsonNumber
    realized_pnl_in_rat: JsonNumber = field(default=None, name="realizedPnlInRAT")
    open_price: JsonNumber = None
    close_price: JsonNumber = None
    position_price_in_rat: JsonNumber = field(default=None, name="positionPriceInRAT")
    rate_to_rat: JsonNumber = field(default=None, name="rateToRAT")
    order_type: Text = None
    time_in_force: Text = None
    reason: Text = None
    opened_at: Moment = None
    closed_at: Moment = None
    market_type: Text = None
    market_display_name: Text = None
    market_full_name: Text = None


# --- /frontoffice/ws/v3/account ------------------------------------------------------------------------------------


class BalanceRow(Struct, rename="camel", gc=False):
    """`{"assetId": "eur", "available": "497838.8", "total": "497838.8", "locked": "0"}` of FullBalance (bare array)."""

    asset_id: str
    available: JsonNumber
    total: JsonNumber
    locked: JsonNumber


class MarginItem(Struct, rename="camel", gc=False):
    """`{"marginBalanceInRAT": "497838.8", …, "marginLevel": "4969.3905"}` of MarginData; the level is a ratio.

    Without a position there is no level.
    """

    margin_balance_in_rat: JsonNumber = field(name="marginBalanceInRAT")
    unrealized_pnl_in_rat: JsonNumber = field(name="unrealizedPnlInRAT")
    equity_in_rat: JsonNumber = field(name="equityInRAT")
    used_margin_in_rat: JsonNumber = field(name="usedMarginInRAT")
    free_margin_in_rat: JsonNumber = field(name="freeMarginInRAT")
    margin_level: JsonNumber = None


# --- /marketdata/v5/info -------------------------------------------------------------------------------------------


class BookRow(Struct, gc=False):
    """`{"price": "0.93677", "amount": "5000000", "total": "4683850"}`; an amount of "0" removes the level."""

    price: JsonNumber
    amount: JsonNumber
    total: JsonNumber = None


class BookItem(Struct, rename="camel", gc=False):
    """`{"instrument": "cfd.eur_chf", "asks": […], "bids": […], "version": "12498", "snapshot": false, …}` of Book."""

    instrument: str
    version: JsonNumber
    snapshot: bool
    bids: list[BookRow]
    asks: list[BookRow]
    ask_total_amount: JsonNumber = None
    bid_total_amount: JsonNumber = None


class TradingRow(Struct, rename="camel", gc=False):
    """`{"marketId": "cfd.eur_chf", "price": "0.93586", "priceChange24hr": "-0.0006", "markPrice": null, …}`

    `priceChange24hr` is a fraction, `priceChangeAbs24hr` in quote currency.
    """

    market_id: str
    type: Partial = UNSET
    display_name: Partial = UNSET
    full_name: Partial = UNSET
    price: JsonNumber = UNSET
    price_in_rat: JsonNumber = field(default=UNSET, name="priceInRAT")
    price_change_24hr: JsonNumber = field(default=UNSET, name="priceChange24hr")
    price_change_abs_24hr: JsonNumber = field(default=UNSET, name="priceChangeAbs24hr")
    high_price_24hr: JsonNumber = field(default=UNSET, name="highPrice24hr")
    low_price_24hr: JsonNumber = field(default=UNSET, name="lowPrice24hr")
    mark_price: JsonNumber = UNSET
    funding_rate: JsonNumber = UNSET


class TradingData(Struct, gc=False):
    """`{"markets": [{…}], "snapshot": false}` of TradingData."""

    markets: list[TradingRow]
    snapshot: bool


class TobRow(Struct, rename="camel", gc=False):
    """`{"marketId": "spot.eth_usdt", "ask": "2483.82", "bid": "2483.81"}`"""

    market_id: str
    ask: JsonNumber = UNSET
    bid: JsonNumber = UNSET


class Tob(Struct, gc=False):
    """`{"markets": [{…}], "snapshot": false}` of Tob."""

    markets: list[TobRow]
    snapshot: bool


class ChartItem(Struct, gc=False):
    """`{"instrument": "cfd.eth_eur", "low": "2240.88", …, "start": "2025-05-21T15:30:00Z", "end": "…"}` of Chart."""

    instrument: str
    open: JsonNumber
    high: JsonNumber
    low: JsonNumber
    close: JsonNumber
    start: Moment
    end: Moment


class SummaryRow(Struct, rename="camel", gc=False):
    """`{"marketId": "cfd.eur_chf", "last": "0.93597", …, "percentChange": "-0.02"}`, in percent."""

    market_id: str
    last: JsonNumber = UNSET
    high_24hr: JsonNumber = field(default=UNSET, name="high24hr")
    low_24hr: JsonNumber = field(default=UNSET, name="low24hr")
    percent_change: JsonNumber = UNSET


class Summary(Struct, gc=False):
    """`{"items": [{…}], "snapshot": false}` of Summary."""

    items: list[SummaryRow]
    snapshot: bool


ORDERS: Reader[list[OrderRow]] = Reader(list[OrderRow])
POSITIONS: Reader[Positions] = Reader(Positions)
CLOSED: Reader[list[ClosedRow]] = Reader(list[ClosedRow])
BALANCE: Reader[list[BalanceRow]] = Reader(list[BalanceRow])
MARGIN: Reader[MarginItem] = Reader(MarginItem)
BOOK: Reader[BookItem] = Reader(BookItem)
TRADING_DATA: Reader[TradingData] = Reader(TradingData)
TOB: Reader[Tob] = Reader(Tob)
CHART: Reader[ChartItem] = Reader(ChartItem)
SUMMARY: Reader[Summary] = Reader(Summary)
