"""The items of B2TRADER's ten streams as they come, from its document "WebSocket API".

Figures are decimal strings and times ISO 8601 text; they stay text until `venues.numbers` and `venues.times` have
checked them. What a stream cannot do without has no default; all else may be absent or null. A row of the market
streams may be partial, so an absent field (`UNSET`) is told from a null there.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal, TypeAlias

import msgspec
from msgspec import UNSET, Struct, UnsetType, field

from venues.numbers import JsonNumber

Text: TypeAlias = str | None
Partial: TypeAlias = str | UnsetType | None
Side: TypeAlias = Literal["Buy", "Sell"]

# --- /frontoffice/ws/v4/account ------------------------------------------------------------------------------------


class OrderRow(Struct, rename="camel", gc=False):
    """`{"marketId": "cfd.eur_chf", "orderId": "01JV…", "status": "Pending", "side": "Buy", "requestedAmount": "10000",
    "remainingAmount": "10000", "requestedPrice": "0.9", "executionPrice": "0", …}` of OpenOrders, a bare array.
    """

    order_id: str
    market_id: str
    status: str
    side: Side
    requested_amount: str
    remaining_amount: Text = None
    requested_price: Text = None
    execution_price: Text = None
    order_type: Text = None
    time_in_force: Text = None
    source: Text = None
    reason: Text = None
    created_at: Text = None
    updated_at: Text = None
    cancellation_date: Text = None
    commission_asset_id: Text = None
    commission_amount: Text = None
    leverage: JsonNumber = None
    fill_factor: Text = None
    take_profit: Text = None
    stop_loss: Text = None
    market_type: Text = None
    market_display_name: Text = None
    market_full_name: Text = None


class PositionRow(Struct, rename="camel", gc=False):
    """`{"positionId": "01JP…", "marketId": "cfd.eur_chf", "side": "Buy", "status": "Open", "leverage": 1,
    "positionLotAmount": "0.01", "unrealizedPnlTotalInRAT": "-29.93", "unrealizedPnlTotalPercent": "-0.0291", …}`

    `…InRAT` is in the platform's root asset, `…Percent` a fraction.
    """

    position_id: str
    market_id: str
    side: Side
    status: str
    position_lot_amount: str
    leverage: JsonNumber = None
    position_price_in_rat: Text = field(default=None, name="positionPriceInRAT")
    rate_to_rat: Text = field(default=None, name="rateToRAT")
    used_margin_in_rat: Text = field(default=None, name="usedMarginInRAT")
    open_price: Text = None
    current_market_price: Text = None
    unrealized_pnl_day_in_rat: Text = field(default=None, name="unrealizedPnlDayInRAT")
    unrealized_pnl_day_percent: Text = None
    unrealized_pnl_total_in_rat: Text = field(default=None, name="unrealizedPnlTotalInRAT")
    unrealized_pnl_total_percent: Text = None
    take_profit: Text = None
    stop_loss: Text = None
    created_at: Text = None
    updated_at: Text = None
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

    order_id: str
    position_id: str
    market_id: str
    side: Side
    position_close_lot_amount: str
    realized_pnl_in_rat: Text = field(default=None, name="realizedPnlInRAT")
    open_price: Text = None
    close_price: Text = None
    position_price_in_rat: Text = field(default=None, name="positionPriceInRAT")
    rate_to_rat: Text = field(default=None, name="rateToRAT")
    order_type: Text = None
    time_in_force: Text = None
    reason: Text = None
    opened_at: Text = None
    closed_at: Text = None
    market_type: Text = None
    market_display_name: Text = None
    market_full_name: Text = None


# --- /frontoffice/ws/v3/account ------------------------------------------------------------------------------------


class BalanceRow(Struct, rename="camel", gc=False):
    """`{"assetId": "eur", "available": "497838.8", "total": "497838.8", "locked": "0"}` of FullBalance (bare array)."""

    asset_id: str
    available: str
    total: str
    locked: str


class MarginItem(Struct, rename="camel", gc=False):
    """`{"marginBalanceInRAT": "497838.8", …, "marginLevel": "4969.3905"}` of MarginData; the level is a ratio.

    Without a position there is no level.
    """

    margin_balance_in_rat: str = field(name="marginBalanceInRAT")
    unrealized_pnl_in_rat: str = field(name="unrealizedPnlInRAT")
    equity_in_rat: str = field(name="equityInRAT")
    used_margin_in_rat: str = field(name="usedMarginInRAT")
    free_margin_in_rat: str = field(name="freeMarginInRAT")
    margin_level: Text = None


# --- /marketdata/v5/info -------------------------------------------------------------------------------------------


class BookRow(Struct, gc=False):
    """`{"price": "0.93677", "amount": "5000000", "total": "4683850"}`; an amount of "0" removes the level."""

    price: str
    amount: str
    total: Text = None


class BookItem(Struct, rename="camel", gc=False):
    """`{"instrument": "cfd.eur_chf", "asks": […], "bids": […], "version": "12498", "snapshot": false, …}` of Book."""

    instrument: str
    version: str
    snapshot: bool
    bids: list[BookRow]
    asks: list[BookRow]
    ask_total_amount: Text = None
    bid_total_amount: Text = None


class TradingRow(Struct, rename="camel", gc=False):
    """`{"marketId": "cfd.eur_chf", "price": "0.93586", "priceChange24hr": "-0.0006", "markPrice": null, …}`

    `priceChange24hr` is a fraction, `priceChangeAbs24hr` in quote currency.
    """

    market_id: str
    type: Partial = UNSET
    display_name: Partial = UNSET
    full_name: Partial = UNSET
    price: Partial = UNSET
    price_in_rat: Partial = field(default=UNSET, name="priceInRAT")
    price_change_24hr: Partial = field(default=UNSET, name="priceChange24hr")
    price_change_abs_24hr: Partial = field(default=UNSET, name="priceChangeAbs24hr")
    high_price_24hr: Partial = field(default=UNSET, name="highPrice24hr")
    low_price_24hr: Partial = field(default=UNSET, name="lowPrice24hr")
    mark_price: Partial = UNSET
    funding_rate: Partial = UNSET


class TradingData(Struct, gc=False):
    """`{"markets": [{…}], "snapshot": false}` of TradingData."""

    markets: list[TradingRow]
    snapshot: bool


class TobRow(Struct, rename="camel", gc=False):
    """`{"marketId": "spot.eth_usdt", "ask": "2483.82", "bid": "2483.81"}`"""

    market_id: str
    ask: Partial = UNSET
    bid: Partial = UNSET


class Tob(Struct, gc=False):
    """`{"markets": [{…}], "snapshot": false}` of Tob."""

    markets: list[TobRow]
    snapshot: bool


class ChartItem(Struct, gc=False):
    """`{"instrument": "cfd.eth_eur", "low": "2240.88", …, "start": "2025-05-21T15:30:00Z", "end": "…"}` of Chart."""

    instrument: str
    open: str
    high: str
    low: str
    close: str
    start: str
    end: str


class SummaryRow(Struct, rename="camel", gc=False):
    """`{"marketId": "cfd.eur_chf", "last": "0.93597", …, "percentChange": "-0.02"}`, in percent."""

    market_id: str
    last: Partial = UNSET
    high_24hr: Partial = field(default=UNSET, name="high24hr")
    low_24hr: Partial = field(default=UNSET, name="low24hr")
    percent_change: Partial = UNSET


class Summary(Struct, gc=False):
    """`{"items": [{…}], "snapshot": false}` of Summary."""

    items: list[SummaryRow]
    snapshot: bool


ORDERS = msgspec.json.Decoder(list[OrderRow], float_hook=Decimal)
POSITIONS = msgspec.json.Decoder(Positions, float_hook=Decimal)
CLOSED = msgspec.json.Decoder(list[ClosedRow])
BALANCE = msgspec.json.Decoder(list[BalanceRow])
MARGIN = msgspec.json.Decoder(MarginItem)
BOOK = msgspec.json.Decoder(BookItem)
TRADING_DATA = msgspec.json.Decoder(TradingData)
TOB = msgspec.json.Decoder(Tob)
CHART = msgspec.json.Decoder(ChartItem)
SUMMARY = msgspec.json.Decoder(Summary)
