"""The messages of Kraken's WebSocket v2 as they come: data by channel in one tagged union, and answers by method.

Numbers stay `JsonNumber` until `venues.toolkit.numbers` has checked them. A figure that may be missing has a default:
the venue has added fields, and its older captures lack them.
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct, field

from venues.toolkit.decoding import Reader
from venues.toolkit.numbers import JsonNumber

Kind = Literal["snapshot", "update"]


class BookLevel(Struct, gc=False):
    """`{"price":0.031347,"qty":0.00000000}`: the new absolute size, 0 removes."""

    price: JsonNumber
    qty: JsonNumber


class Book(Struct, gc=False):
    """`{"symbol":"ETH/BTC","bids":[…],"asks":[],"checksum":2505869009,"timestamp":"2026-08-26T15:16:16.730423Z"}`

    Snapshots of before July 2026 have no time.
    """

    symbol: str
    checksum: int
    bids: list[BookLevel] = field(default_factory=list)
    asks: list[BookLevel] = field(default_factory=list)
    timestamp: str | None = None


class Trade(Struct, gc=False):
    """`{"symbol":"BTC/USD","side":"sell","price":63501.6,"qty":0.00185211,"ord_type":"limit","trade_id":103436769,
    "timestamp":"2026-07-07T23:00:05.562702Z"}`; side and type are those of the taker's order."""

    symbol: str
    side: Literal["buy", "sell"]
    price: JsonNumber
    qty: JsonNumber
    trade_id: int
    timestamp: str
    ord_type: str | None = None


class Ticker(Struct, gc=False):
    """The last 24 hours, and the best bid and ask: `{"symbol":"BTC/USD","bid":83744.2,"bid_qty":0.56251979,
    "ask":83744.3,"ask_qty":0.00044780,"last":83744.3,"volume":3156.84782110,"vwap":84174.6,"low":83163.6,
    "high":85247.4,"change":-429.3,"change_pct":-0.51,"trades":135262,"timestamp":"2026-09-25T17:48:26.844359Z"}`"""

    symbol: str
    bid: JsonNumber = None
    bid_qty: JsonNumber = None
    ask: JsonNumber = None
    ask_qty: JsonNumber = None
    last: JsonNumber = None
    volume: JsonNumber = None
    vwap: JsonNumber = None
    low: JsonNumber = None
    high: JsonNumber = None
    change: JsonNumber = None
    change_pct: JsonNumber = None
    trades: int | None = None
    timestamp: str | None = None


class Candle(Struct, gc=False):
    """`{"symbol":"BTC/USD","open":83729.5,"high":83745.2,"low":83729.4,"close":83744.3,"trades":33,
    "volume":0.21155628,"vwap":83736.4,"interval_begin":"2026-09-25T17:48:00.000000000Z","interval":1,
    "timestamp":"2026-09-25T17:49:00.000000Z"}`; the time is the candle's end, and deprecated."""

    symbol: str
    open: JsonNumber
    high: JsonNumber
    low: JsonNumber
    close: JsonNumber
    interval_begin: str
    interval: int
    volume: JsonNumber = None
    vwap: JsonNumber = None
    trades: int | None = None


class Pair(Struct, gc=False):
    """`{"symbol":"VET/USDT","base":"VET","quote":"USDT","status":"post_only","qty_precision":5,"qty_increment":0.00001,
    "price_precision":6,"price_increment":0.000001,"cost_min":0.5000,"qty_min":200.00000,"marginable":false,…}`"""

    symbol: str
    status: str | None = None
    base: str | None = None
    quote: str | None = None
    price_precision: int | None = None
    qty_precision: int | None = None
    price_increment: JsonNumber = None
    qty_increment: JsonNumber = None
    qty_min: JsonNumber = None
    cost_min: JsonNumber = None
    cost_precision: int | None = None
    marginable: bool | None = None
    has_index: bool | None = None
    margin_initial: JsonNumber = None
    position_limit_long: JsonNumber = None
    position_limit_short: JsonNumber = None


class Pairs(Struct, gc=False):
    """All pairs in a snapshot, the changed ones in an update; the assets beside them are not read."""

    pairs: list[Pair] = field(default_factory=list)


class Maintenance(Struct, gc=False):
    """`{"event_id":…,"title":…,"expected_start_utc":…,"expected_end_utc":…,"phase":"imminent_5m",…}`"""

    title: str | None = None
    expected_start_utc: str | None = None
    expected_end_utc: str | None = None
    phase: str | None = None


class State(Struct, gc=False):
    """`{"version":"2.0.10","system":"online","api_version":"v2","connection_id":…,"upcoming_maintenance":[],
    "emergency":[]}`; the arrays are not on every connection."""

    system: str
    upcoming_maintenance: list[Maintenance] = field(default_factory=list)


class BookMessage(Struct, tag_field="channel", tag="book", gc=False):
    """`{"channel":"book","type":"update","data":[…]}`; one row each, as far as was seen."""

    type: Kind
    data: list[Book]


class TradeMessage(Struct, tag_field="channel", tag="trade", gc=False):
    """`{"channel":"trade","type":"update","data":[…]}`; old to new."""

    type: Kind
    data: list[Trade]


class TickerMessage(Struct, tag_field="channel", tag="ticker", gc=False):
    """`{"channel":"ticker","type":"update","data":[…]}`"""

    type: Kind
    data: list[Ticker]


class CandleMessage(Struct, tag_field="channel", tag="ohlc", gc=False):
    """`{"channel":"ohlc","type":"update","timestamp":"2026-09-25T17:48:26.844359566Z","data":[…]}`

    The time is that of the message.
    """

    type: Kind
    data: list[Candle]
    timestamp: str | None = None


class InstrumentMessage(Struct, tag_field="channel", tag="instrument", gc=False):
    """`{"channel":"instrument","type":"snapshot","data":{"assets":[…],"pairs":[…]}}`"""

    type: Kind
    data: Pairs


class StatusMessage(Struct, tag_field="channel", tag="status", gc=False):
    """The first message of each connection, and again when the engine's state changes."""

    data: list[State]


class HeartbeatMessage(Struct, tag_field="channel", tag="heartbeat", gc=False):
    """`{"channel":"heartbeat"}`, one a second while anything is subscribed."""


Data = BookMessage | TradeMessage | TickerMessage | CandleMessage | InstrumentMessage | StatusMessage | HeartbeatMessage


class Result(Struct, gc=False):
    """What was subscribed to, with the settings that were filled in:
    `{"channel":"book","depth":10,"snapshot":true,"symbol":"BTC/USD"}`"""

    channel: str
    symbol: str = ""
    depth: int | None = None
    snapshot: bool | None = None


class Answer(Struct, gc=False):
    """`{"method":"subscribe","req_id":42,"result":{…},"success":true,"time_in":…,"time_out":…}`
    `{"error":"Currency pair not supported NOPE/USD","method":"subscribe","success":false,"symbol":"NOPE/USD",…}`"""

    method: str = ""
    success: bool | None = None
    error: str | None = None
    result: Result | None = None
    symbol: str = ""
    req_id: int | None = None


class Outline(Struct, gc=False):
    """What can be read of a message that is not valid: which channel it is of, whether it is an answer, its data."""

    channel: Any = None
    method: Any = None
    error: Any = None
    data: Any = None


DATA: Reader[Data] = Reader(Data)
ANSWER: Reader[Answer] = Reader(Answer)
OUTLINE: Reader[Outline] = Reader(Outline)
