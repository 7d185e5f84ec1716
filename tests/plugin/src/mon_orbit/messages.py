"""The messages of orbit as they come: one struct each, tagged by `type` into one union, and decoded once.

Prices and sizes stay as they were sent (`JsonNumber`) until they are checked: never make a float of them. Words that
are documented are `Literal`, times are `Milliseconds`. What is optional has a default.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from venues.toolkit.decoding import Reader
from venues.toolkit.numbers import JsonNumber
from venues.toolkit.spellings import Milliseconds

Row = tuple[JsonNumber, JsonNumber]  # price, size


class Subscribed(Struct, tag_field="type", tag="subscribed", gc=False):
    """`{"type": "subscribed", "id": 1, "channel": "book", "symbols": ["BTC-USDT"]}`

    The one answer to a request. A symbol that is missing was refused.
    """

    id: int
    channel: str
    symbols: list[str]


class Failure(Struct, tag_field="type", tag="error", gc=False):
    """`{"type": "error", "id": 1, "message": "too many symbols"}`; without `id` it is about the connection."""

    message: str
    id: int | None = None


class Snapshot(Struct, tag_field="type", tag="snapshot", gc=False):
    """`{"type": "snapshot", "symbol": "BTC-USDT", "time": 1700000000000, "sequence": 7, "bids": […], "asks": […]}`

    The whole book. A level is `["65000.01", "0.5"]`.
    """

    symbol: str
    time: Milliseconds
    sequence: int
    bids: list[Row]
    asks: list[Row]


class Delta(Struct, tag_field="type", tag="delta", gc=False):
    """Like a snapshot, with the changed levels and their new sizes; 0 removes one. Sequences count up by one."""

    symbol: str
    time: Milliseconds
    sequence: int
    bids: list[Row]
    asks: list[Row]


class TradeMessage(Struct, tag_field="type", tag="trade", gc=False):
    """`{"type": "trade", "symbol": …, "time": …, "id": "1", "price": "65000.01", "size": "0.5", "side": "buy"}`

    The side is the taker's.
    """

    symbol: str
    time: Milliseconds
    id: str
    price: JsonNumber
    size: JsonNumber
    side: Literal["buy", "sell"]


Message = Subscribed | Failure | Snapshot | Delta | TradeMessage


class Outline(Struct, gc=False):
    """What can be read of a message that is not a valid `Message`: which one it should have been."""

    type: str | None = None
    symbol: str | None = None


MESSAGES: Reader[Message] = Reader(Message)
OUTLINE: Reader[Outline] = Reader(Outline)
