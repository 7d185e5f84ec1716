"""The messages of Nexus as they come: one tagged union, decoded once.

Numbers stay `JsonNumber` until `venues.toolkit.numbers` has checked them.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal

import msgspec
from msgspec import Raw, Struct

from venues.records import Level
from venues.toolkit.decoding import Reader
from venues.toolkit.numbers import JsonNumber
from venues.toolkit.spellings import Milliseconds


class BookRow(Struct, gc=False):
    """`{"price": 123, "quantity": 0.1}`"""

    price: JsonNumber
    quantity: JsonNumber


class BookData(Struct, gc=False):
    """Both sides of the whole book; the document calls both descending, so the order is not relied on."""

    asks: list[BookRow]
    bids: list[BookRow]


class BookEvent(Struct, tag_field="event", tag="BOOK", gc=False):
    """`{"event": "BOOK", "symbol": "SPOT_BTC_USDT", "timestamp": 1564710591905, "data": {"asks": […], "bids": […]}}`"""

    symbol: str
    timestamp: Milliseconds
    data: BookData


class RawSides(Struct, gc=False):
    """The same, each side as it came."""

    asks: Raw
    bids: Raw


class RawBookEvent(Struct, tag_field="event", tag="BOOK", gc=False):
    """A `BookEvent` whose sides are not read yet."""

    symbol: str
    timestamp: Milliseconds
    data: RawSides


class ReadBookEvent(Struct, tag_field="event", tag="BOOK", gc=False):
    """A `RawBookEvent` whose sides have been read and checked."""

    symbol: str
    timestamp: int
    bids: list[Level]
    asks: list[Level]


class TradeData(Struct, gc=False):
    """`{"price": 10005.67, "quantity": 0.002099, "side": "SELL"}`; the side is the taker's."""

    price: JsonNumber
    quantity: JsonNumber
    side: Literal["BUY", "SELL"]


class TradeEvent(Struct, tag_field="event", tag="TRADE", gc=False):
    """`{"event": "TRADE", "symbol": "SPOT_BTC_USDT", "timestamp": 1566455535271, "data": {…}}`"""

    symbol: str
    timestamp: Milliseconds
    data: TradeData


class OrderData(Struct, gc=False):
    """`{"symbol": …, "order_type": "LIMIT", "order_price": 123, "order_quantity": 0.1, "order_id": 254558,
    "executed_price": 124, "executed_quantity": 0.05, "side": "SELL", "status": "PARTIAL_FILLED"}`

    `executed_…` is this fill; `aggregated_executed_quantity`, where it is sent, all fills of the order so far.
    """

    symbol: str
    order_id: int | str
    side: Literal["BUY", "SELL"]
    status: str
    order_type: str | None = None
    order_price: JsonNumber = None
    order_quantity: JsonNumber = None
    executed_price: JsonNumber = None
    executed_quantity: JsonNumber = None
    aggregated_executed_quantity: JsonNumber = None


class OrderUpdateEvent(Struct, tag_field="event", tag="ORDER_UPDATE", gc=False):
    """`{"event": "ORDER_UPDATE", "timestamp": 1564710591905, "data": {…}}`"""

    timestamp: Milliseconds
    data: OrderData


class TransactionData(Struct, gc=False):
    """`{"id": 5, "symbol": …, "order_id": 254558, "executed_price": 124, "executed_quantity": 0.05, "side": "SELL"}`"""

    id: int | str
    symbol: str
    order_id: int | str
    executed_price: JsonNumber
    executed_quantity: JsonNumber
    side: Literal["BUY", "SELL"]


class TransactionEvent(Struct, tag_field="event", tag="TRANSACTION", gc=False):
    """`{"event": "TRANSACTION", "timestamp": 1564710591905, "data": {…}}`"""

    timestamp: Milliseconds
    data: TransactionData


class Holding(Struct, gc=False):
    """`{"holding": -0.25}`; above 0 long, below 0 short."""

    holding: JsonNumber


class PositionsData(Struct, gc=False):
    """`{"positions": {"SPOT_BTC_USDT": {"holding": 0.5}}}`"""

    positions: dict[str, Holding]


class PositionsEvent(Struct, tag_field="event", tag="POSITIONS", gc=False):
    """`{"event": "POSITIONS", "data": {"positions": {…}}}`; not in the document."""

    data: PositionsData
    timestamp: Milliseconds | None = None


class PingEvent(Struct, tag_field="event", tag="PING", gc=False):
    """`{"event": "PING", "timestamp": 1564710591905}`, the answer to ours."""

    timestamp: Milliseconds | None = None


class SuccessorPing(Struct, tag_field="event", tag="ping", gc=False):
    """`{"event": "ping"}` of the venue's successor; wants `{"event": "pong"}`."""

    timestamp: Milliseconds | None = None


Event = BookEvent | TradeEvent | OrderUpdateEvent | TransactionEvent | PositionsEvent | PingEvent | SuccessorPing

# The same, of a book only what is around it.
RawEvent = RawBookEvent | TradeEvent | OrderUpdateEvent | TransactionEvent | PositionsEvent | PingEvent | SuccessorPing


class Outline(Struct, gc=False):
    """What can be read of a message that is not a valid `Event`: its event's name, or that it is an error.

    The successor reports errors as `{"success": false, "errorMsg": "Auth is needed."}`.
    """

    event: str | None = None
    success: bool | None = None
    errorMsg: Any = None  # noqa: N815  the wire's name


EVENTS: Reader[Event] = Reader(Event)
RAW_EVENTS: msgspec.json.Decoder[RawEvent] = msgspec.json.Decoder(RawEvent, float_hook=Decimal)
BOOK_ROWS: msgspec.json.Decoder[list[BookRow]] = msgspec.json.Decoder(list[BookRow], float_hook=Decimal)
OUTLINE: Reader[Outline] = Reader(Outline)
