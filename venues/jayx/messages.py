"""The messages of JayX as its document "Websocket Stream" shows them, and what tells them apart.

They come as Socket.IO events, `42["kline",{…}]`, or, in bare framing, as `{"event":"kline","data":{…}}` or as the
payload alone. `ticks` and `lots` are integers: price ÷ price increment, size ÷ size increment.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from venues.errors import BadMessage
from venues.toolkit.decoding import DECODE_ERRORS, Reader, explain
from venues.toolkit.numbers import JsonNumber
from venues.toolkit.spellings import Milliseconds, Seconds, in_any_case

MOST = 10**18 - 1  # of an integer: beyond any price, size or time, and with any increment still a number of 40 digits

Above0: TypeAlias = Annotated[int, Meta(ge=1, le=MOST)]
AtLeast0: TypeAlias = Annotated[int, Meta(ge=0, le=MOST)]


class LevelRow(Struct, gc=False):
    """`{"ticks":6684363,"lots":1004817,"count":1}`; `count` is the number of orders at the price. 0 lots: no level."""

    ticks: Above0
    lots: AtLeast0
    count: AtLeast0 | None = None


class Sides(Struct):
    """Both sides of a book; rows in any order."""

    asks: list[LevelRow]
    bids: list[LevelRow]


class BookMessage(Struct):
    """orderbook: `{"orderBook":{"asks":[…],"bids":[…]},"trades":[…]}`, each message the whole book."""

    book: Sides = msgspec.field(name="orderBook")


class TradeRow(Struct, frozen=True, gc=False):
    """`{"lots":3779,"ticks":6667418,"side":"BUY","created":1716136436758}`; `created` in milliseconds."""

    ticks: Above0
    lots: Above0
    side: str
    created: Milliseconds


class TradesMessage(Struct):
    """The same message, read for its latest trades, newest first."""

    trades: list[TradeRow]


class Kline(Struct):
    """A candle: o h l c in ticks, v in lots, `created` (its start) and `m` (its last modification) in seconds.

    `{"_id":"664a16fccb5c1735c25557a0","created":1716131580,"o":6678147,"h":6690062,"l":6674783,"c":6689523,
    "v":241690,"m":1716131619,"symbol":"BTCUSDT"}`
    """

    created: Seconds
    open: Above0 = msgspec.field(name="o")
    high: Above0 = msgspec.field(name="h")
    low: Above0 = msgspec.field(name="l")
    close: Above0 = msgspec.field(name="c")
    volume: AtLeast0 = msgspec.field(name="v")
    modified: Seconds | None = msgspec.field(name="m", default=None)
    symbol: str | None = None
    id: str | int | None = msgspec.field(name="_id", default=None)


class KlineMessage(Struct):
    """kline: `{"add":null,"modify":{…}}`; `add` is a new candle, `modify` the current one."""

    add: Kline | UnsetType | None = UNSET
    modify: Kline | UnsetType | None = UNSET


class AssetRow(Struct):
    """`{"asset":"USDT","balance":"9932.44065","available":"9932.44065"}`"""

    asset: str
    balance: JsonNumber
    available: JsonNumber


class OrderRow(Struct):
    """An order: `resd` residual lots, `exec` lots executed so far, `cost` Σ lots × ticks; times in milliseconds.

    `{"id":117805625,"type":"LIMIT","state":"NEW","side":"BUY","resd":1000000,"exec":0,"cost":0,"lastLots":null,
    "lastTicks":null,"created":1716135452487,"modified":1716135452487,"symbol":"BTCUSDT","price":"1000",
    "quantity":"1000"}`
    """

    id: int | str
    state: str
    side: str
    residual: AtLeast0 = msgspec.field(name="resd")
    executed: AtLeast0 = msgspec.field(name="exec")
    type: str | None = None
    cost: AtLeast0 | None = None
    last_lots: AtLeast0 | None = msgspec.field(name="lastLots", default=None)
    last_ticks: AtLeast0 | None = msgspec.field(name="lastTicks", default=None)
    created: Milliseconds | None = None
    modified: Milliseconds | None = None
    symbol: str | None = None
    price: JsonNumber = None
    quantity: JsonNumber = None


class GoneRow(Struct):
    """An order in `cancel`, of which only the id is needed: the document shows the list empty."""

    id: int | str
    state: str | None = None
    side: str | None = None
    residual: AtLeast0 | None = msgspec.field(name="resd", default=None)
    executed: AtLeast0 | None = msgspec.field(name="exec", default=None)
    type: str | None = None
    cost: AtLeast0 | None = None
    last_lots: AtLeast0 | None = msgspec.field(name="lastLots", default=None)
    last_ticks: AtLeast0 | None = msgspec.field(name="lastTicks", default=None)
    created: Milliseconds | None = None
    modified: Milliseconds | None = None
    symbol: str | None = None
    price: JsonNumber = None
    quantity: JsonNumber = None


class OrdersMessage(Struct):
    """openorders: `{"cancel":[],"modify":[{…}]}`; `modify` also brings orders that are new."""

    cancel: list[GoneRow | int | str] | None = None
    modify: list[OrderRow] | None = None


class BareFrame(Struct):
    """`{"event":"kline","data":{…}}`"""

    event: str | None = None
    data: Raw | UnsetType = UNSET


class ErrorMessage(Struct):
    """What an `error` may look like: a text, or an object with one in one of the usual places."""

    message: Any = None
    error: Any = None
    reason: Any = None


BOOK: Reader[BookMessage] = Reader(BookMessage)
TRADES: Reader[TradesMessage] = Reader(TradesMessage)
KLINE: Reader[KlineMessage] = Reader(KlineMessage)
ORDERS: Reader[OrdersMessage] = Reader(OrdersMessage)
_ASSETS: Reader[list[AssetRow]] = Reader(list[AssetRow])
OUTLINE: Reader[dict[str, Raw]] = Reader(dict[str, Raw])
BARE: Reader[BareFrame] = Reader(BareFrame)
ERROR: Reader[str | ErrorMessage] = Reader(str | ErrorMessage)


def event_told_by_keys(keys: dict[str, Raw], category: str) -> str | None:
    """The event that a payload without a name is of; None for one that is none we know.

    `add`/`modify` of a candle → kline; `orderBook`/`trades` → orderbook; the category → positions; `cancel`/`modify`
    of orders → openorders.
    """
    if "orderBook" in keys or "trades" in keys:
        return "orderbook"
    if "add" in keys:
        return "kline"
    if "cancel" in keys:
        return "openorders"
    if "modify" in keys:
        return "openorders" if bytes(keys["modify"])[:1] == b"[" else "kline"
    return None if in_any_case(category, keys) is None else "positions"


def assets_of(payload: bytes | Raw, category: str) -> list[AssetRow]:
    """positions: `{"spot":[{…}]}`; raises BadMessage, or what decoding raises."""
    outline = OUTLINE.decode(payload)
    found = outline.get(in_any_case(category, outline) or category)
    if found is None:
        raise BadMessage(f"expected a value at `{category}`, got none")
    try:
        return _ASSETS.decode(found)
    except DECODE_ERRORS as error:
        problem = explain(error)
    raise BadMessage(problem.replace(" at `[", f" at `{category}["))


def is_error(payload: bytes | Raw) -> bool:
    """Whether it says what is wrong, and not what its event is about: `{"error":"unknown apiKey"}`."""
    try:
        error = OUTLINE.decode(payload).get("error")
    except DECODE_ERRORS:
        return False
    return error is not None and bytes(error) not in (b"null", b"false", b"0", b'""')


def words_of(payload: bytes | Raw) -> str:
    """What an error says: its text, or the one in the usual places of an object, or all of it."""
    try:
        said = ERROR.decode(payload)
    except DECODE_ERRORS:
        return bytes(payload).decode(errors="replace")
    if isinstance(said, str):
        return said
    words = next((word for word in (said.message, said.error, said.reason) if isinstance(word, str)), None)
    return bytes(payload).decode(errors="replace") if words is None else words
