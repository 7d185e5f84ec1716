"""The normalised records: one schema for all venues, one JSON object a line.

Times are integers, milliseconds since the epoch (UTC). Prices, sizes and money are `Decimal` with exactly the
venue's digits. A figure that the venue did not send is absent (None here, left out of the JSON), never 0.
Fields that end in `_pct` are percent. Every documented field of a venue that has no place of its own here is in
`extra`, under the venue's name for it in snake_case.

`match` is false in the last line of a row that only stopped matching `--where`, and absent everywhere else.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final, Literal, get_args

from msgspec import Struct

Side = Literal["buy", "sell"]
PositionSide = Literal["long", "short"]
OrderStatus = Literal["new", "partially_filled", "filled", "cancelled", "rejected", "expired", "pending"]
Change = Literal["snapshot", "update", "remove"]
State = Literal["connecting", "syncing", "live", "stale", "reconnecting", "closed"]
TROUBLE: Final = ("stale", "reconnecting", "closed")  # states in which what came before is not current any more
Extra = dict[str, Any]


class Level(Struct, frozen=True, omit_defaults=True, gc=False):
    """One price level; a size of 0 removes it from the book.

    `orders` is the number of orders there, `total` what the venue says they come to in quote currency.
    """

    price: Decimal
    size: Decimal
    orders: int | None = None
    total: Decimal | None = None


class Record(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag_field="type"):
    """What all records have in common.

    `env` is absent for production, else `staging`, `sim`, `replay`, or `custom:HOST` for an address set by hand.
    `time` is the venue's clock, `received` ours.
    """

    venue: str
    env: str | None = None
    symbol: str | None = None
    time: int | None = None
    received: int


class Book(Record, frozen=True, kw_only=True, tag="book"):
    """The shown levels of an order book, best first. `sequence` is the venue's, where it has one."""

    bids: list[Level]
    asks: list[Level]
    sequence: int | None = None
    price_unit: str | None = None
    size_unit: str | None = None
    extra: Extra | None = None


class Trade(Record, frozen=True, kw_only=True, tag="trade"):
    """One trade; `side` is the taker's."""

    price: Decimal
    size: Decimal
    side: Side
    trade_id: str | None = None
    price_unit: str | None = None
    size_unit: str | None = None
    extra: Extra | None = None


class Quote(Record, frozen=True, kw_only=True, tag="quote"):
    """Top of the book; an empty side is absent."""

    bid_price: Decimal | None = None
    bid_size: Decimal | None = None
    ask_price: Decimal | None = None
    ask_size: Decimal | None = None
    price_unit: str | None = None
    size_unit: str | None = None
    match: bool | None = None
    extra: Extra | None = None


class Ticker(Record, frozen=True, kw_only=True, tag="ticker"):
    """Statistics of the last 24 hours; `change` in quote currency, `change_pct` in percent."""

    name: str | None = None
    last: Decimal | None = None
    high: Decimal | None = None
    low: Decimal | None = None
    change: Decimal | None = None
    change_pct: Decimal | None = None
    mark_price: Decimal | None = None
    funding_rate: Decimal | None = None
    match: bool | None = None
    extra: Extra | None = None


class Candle(Record, frozen=True, kw_only=True, tag="candle"):
    """One candle; `start` inclusive, `end` exclusive.

    `closed`: it is over by the venue's clock, and nothing is expected to change it any more. `complete`: everything
    that belongs to it was seen, and could be placed.
    """

    interval: str
    start: int
    end: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal | None = None
    closed: bool
    complete: bool
    price_unit: str | None = None
    size_unit: str | None = None
    extra: Extra | None = None


class Order(Record, frozen=True, kw_only=True, tag="order"):
    """The state of an order. `filled` is the total so far, `last_price` and `last_size` the latest fill."""

    order_id: str
    side: Side | None = None
    order_type: str | None = None
    price: Decimal | None = None
    size: Decimal | None = None
    filled: Decimal | None = None
    remaining: Decimal | None = None
    average_price: Decimal | None = None
    last_price: Decimal | None = None
    last_size: Decimal | None = None
    status: OrderStatus
    venue_status: str | None = None
    time_in_force: str | None = None
    leverage: Decimal | None = None
    take_profit: Decimal | None = None
    stop_loss: Decimal | None = None
    created: int | None = None
    updated: int | None = None
    change: Change
    price_unit: str | None = None
    size_unit: str | None = None
    match: bool | None = None
    extra: Extra | None = None


class Fill(Record, frozen=True, kw_only=True, tag="fill"):
    """One execution of an order of ours; `side` is ours."""

    fill_id: str
    order_id: str | None = None
    price: Decimal
    size: Decimal
    side: Side
    size_unit: str | None = None
    extra: Extra | None = None


class Position(Record, frozen=True, kw_only=True, tag="position"):
    """An open position; `size` is never negative. `change: remove` says that it is gone."""

    position_id: str | None = None
    side: PositionSide | None = None
    size: Decimal
    entry_price: Decimal | None = None
    market_price: Decimal | None = None
    notional: Decimal | None = None
    leverage: Decimal | None = None
    used_margin: Decimal | None = None
    unrealized_pnl: Decimal | None = None
    unrealized_pnl_pct: Decimal | None = None
    unrealized_pnl_day: Decimal | None = None
    unrealized_pnl_day_pct: Decimal | None = None
    take_profit: Decimal | None = None
    stop_loss: Decimal | None = None
    status: str | None = None
    created: int | None = None
    updated: int | None = None
    change: Change
    size_unit: str | None = None
    currency: str | None = None
    match: bool | None = None
    extra: Extra | None = None


class ClosedPosition(Record, frozen=True, kw_only=True, tag="closed_position"):
    """A position, or a part of one, that was closed."""

    position_id: str
    order_id: str | None = None
    order_type: str | None = None
    side: PositionSide | None = None
    size: Decimal
    open_price: Decimal | None = None
    close_price: Decimal | None = None
    notional: Decimal | None = None
    realized_pnl: Decimal | None = None
    opened: int | None = None
    closed: int | None = None
    reason: str | None = None
    change: Change
    size_unit: str | None = None
    currency: str | None = None
    match: bool | None = None
    extra: Extra | None = None


class Balance(Record, frozen=True, kw_only=True, tag="balance"):
    """The balance of one asset; total = available + locked."""

    asset: str
    total: Decimal | None = None
    available: Decimal | None = None
    locked: Decimal | None = None
    change: Change
    match: bool | None = None
    extra: Extra | None = None


class Margin(Record, frozen=True, kw_only=True, tag="margin"):
    """The margin of an account; `level_pct` is equity / used margin in percent."""

    balance: Decimal | None = None
    equity: Decimal | None = None
    used: Decimal | None = None
    free: Decimal | None = None
    level_pct: Decimal | None = None
    unrealized_pnl: Decimal | None = None
    currency: str | None = None
    extra: Extra | None = None


class Signal(Record, frozen=True, kw_only=True, tag="signal"):
    """A trading signal; `name` is the venue's event, `action` and `side` what it means."""

    name: str
    action: Literal["enter", "exit", "close", "stop"] | None = None
    side: PositionSide | None = None
    price: Decimal | None = None
    size: Decimal | None = None
    mid: Decimal | None = None
    bid: Decimal | None = None
    ask: Decimal | None = None
    quote: Decimal | list[Decimal] | None = None
    strategy_id: str | None = None
    strategy: str | None = None
    user_id: str | None = None
    user: str | None = None
    score: Decimal | None = None
    trading_type: str | None = None
    extra: Extra | None = None


class Message(Record, frozen=True, kw_only=True, tag="message"):
    """A message of a private feed; `data` is any JSON, untouched."""

    topic: str
    data: Any = None
    extra: Extra | None = None


class Instrument(Record, frozen=True, kw_only=True, tag="instrument"):
    """One symbol of a venue's list; `kind` such as `spot` or `perpetual`, `status` in the venue's own words.

    `price_step` and `size_step` are the smallest steps of a price and of a size.
    """

    base: str | None = None
    quote: str | None = None
    kind: str | None = None
    price_step: Decimal | None = None
    size_step: Decimal | None = None
    status: str | None = None
    extra: Extra | None = None


class Pong(Record, frozen=True, kw_only=True, tag="pong"):
    """The answer to one ping of ours."""

    round_trip_ms: float


class SnapshotEnd(Record, frozen=True, kw_only=True, tag="snapshot_end"):
    """Ends every full state of a keyed stream, also an empty one; `count` rows were in it."""

    stream: str
    count: int


class Status(Record, frozen=True, kw_only=True, tag="status"):
    """A change of a stream's state.

    `attempt` is the coming try to connect, `retry_in_ms` when it is made, `down_ms` how long the stream was not live.
    `versions`: of a book that is live although its versions may skip (`growing`), so that a lost change goes unnoticed.
    `condition`: what is not as usual at the venue or in the market for as long as no other status says otherwise.
    """

    stream: str
    state: State
    reason: str | None = None
    attempt: int | None = None
    retry_in_ms: int | None = None
    down_ms: int | None = None
    versions: Literal["growing"] | None = None
    condition: str | None = None


AnyRecord = (
    Book
    | Trade
    | Quote
    | Ticker
    | Candle
    | Order
    | Fill
    | Position
    | ClosedPosition
    | Balance
    | Margin
    | Signal
    | Message
    | Instrument
    | Pong
    | SnapshotEnd
    | Status
)

RECORD_TYPES = frozenset(get_args(AnyRecord))


def is_from_before(record: object) -> bool:
    """Whether it is a trade of before we came: venues that send their latest trades first mark these in `extra`."""
    return record.__class__ is Trade and record.extra is not None and record.extra.get("snapshot") is True
