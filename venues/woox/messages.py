"""The messages of WOO X as they come: what is around each, and one struct for the data of each topic.

Numbers stay `JsonNumber` until `venues.toolkit.numbers` has checked them.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Raw, Struct, field

from venues.toolkit.decoding import Reader
from venues.toolkit.numbers import JsonNumber
from venues.toolkit.spellings import Id, Milliseconds

Row = tuple[JsonNumber, JsonNumber]  # a price and its new size


class Envelope(Struct, gc=False):
    """What is around all messages: data of a topic, or the answer to a command.

    `{"topic":"bbo@PERP_BTC_USDT","ts":1790137719048,"data":{…}}`
    `{"id":"1","cmd":"SUBSCRIBE","success":true,"time":1790137718411,"data":["trade@SPOT_BTC_USDT"]}`
    """

    topic: str = ""
    ts: Milliseconds | None = None
    data: Raw = Raw()
    id: Id | None = None
    cmd: str = ""
    success: bool | None = None
    time: Milliseconds | None = None


class BookChange(Struct, gc=False):
    """`{"ts":1790137719288,"bids":[],"asks":[["87243","0.33231"],["95000","0"]],"prevTs":1790137719188,"s":"PERP_…"}`

    Absolute sizes, "0" removes. `prevTs` is the `ts` of the change before.
    """

    s: str
    ts: Milliseconds
    previous: Milliseconds = field(name="prevTs")
    bids: list[Row]
    asks: list[Row]


class BestPrices(Struct, gc=False):
    """`{"ts":1790137719048,"bp":"86821","bq":"0.35032","ap":"87243","aq":"0.32790","s":"PERP_BTC_USDT"}`"""

    s: str
    ts: Milliseconds
    bp: JsonNumber = None
    bq: JsonNumber = None
    ap: JsonNumber = None
    aq: JsonNumber = None


class Trade(Struct, gc=False):
    """`{"s":"SPOT_BTC_USDT","px":"42598.27","sx":"300","sd":"BUY","src":0,"rpi":false,"ts":1618820361540}`

    `sd` is the taker's side, `sx` in base coin; `src` 0 from the book, 1 from the RFQ desk.
    """

    s: str
    px: JsonNumber
    sx: JsonNumber
    sd: Literal["BUY", "SELL"]
    ts: Milliseconds
    src: int | None = None
    rpi: bool | None = None


class Kline(Struct, gc=False):
    """`{"s":"SPOT_BTC_USDT","t":"1m","o":"56948.97","c":"56891.76","h":"56948.97","l":"56889.06","v":"44.00947568",
    "a":"2504584.9","st":1618822380000,"et":1618822440000,"ts":1614152260000,"tts":1614152250000}`

    `v` in base coin, `a` in quote coin. In the document's sample `ts` and `tts` lie before `st`: they are not read.
    """

    s: str
    t: str
    o: JsonNumber
    h: JsonNumber
    l: JsonNumber  # noqa: E741  the wire's name
    c: JsonNumber
    st: Milliseconds
    et: Milliseconds
    v: JsonNumber = None
    a: JsonNumber = None


class Statistics(Struct, gc=False):
    """24 hours: open, high, low, close, volume in base coin, amount in quote coin. No frame of it was captured."""

    s: str
    ts: Milliseconds | None = None
    o: JsonNumber = None
    h: JsonNumber = None
    l: JsonNumber = None  # noqa: E741  the wire's name
    c: JsonNumber = None
    v: JsonNumber = None
    a: JsonNumber = None


class Price(Struct, gc=False):
    """Mark or index price. `{"ts":1790137719004,"px":"87081","s":"PERP_BTC_USDT"}`"""

    s: str
    ts: Milliseconds
    px: JsonNumber


class Funding(Struct, gc=False):
    """The rate that is expected at `ft`. `{"ts":1790137739001,"ft":1790150400000,"s":"PERP_…","r":"0.00004326"}`"""

    s: str
    ts: Milliseconds
    r: JsonNumber
    ft: Milliseconds | None = None


# --- over HTTP -----------------------------------------------------------------------------------------------------


class RestLevel(Struct, gc=False):
    """`{"price":"86944","quantity":"0.0002"}`"""

    price: JsonNumber
    quantity: JsonNumber


class RestSides(Struct, gc=False):
    """Both sides of a book."""

    bids: list[RestLevel]
    asks: list[RestLevel]


class Said(Struct, gc=False):
    """What every answer may say; a failure can come as HTTP 200.

    `{"success":false,"message":"invalid symbol PERP_NOPE_USDT"}`, `{"code":503,"message":"[GW] no upstream server"}`
    """

    success: bool | None = None
    code: int | None = None
    message: str | None = None


class RestBook(Struct, gc=False):
    """`{"success":true,"timestamp":1790137716988,"data":{"bids":[…],"asks":[…]}}`

    `timestamp` is the time of the book's last change.
    """

    success: Literal[True]
    timestamp: Milliseconds
    data: RestSides


class InstrumentRow(Struct, gc=False):
    """`{"symbol":"SPOT_AAVE_USDT","status":"TRADING","baseAsset":"AAVE","quoteAsset":"USDT","quoteTick":"0.01",
    "baseTick":"0.0001",…}`
    """

    symbol: str
    status: str | None = None
    base: str | None = field(name="baseAsset", default=None)
    quote: str | None = field(name="quoteAsset", default=None)
    price_step: JsonNumber = field(name="quoteTick", default=None)
    size_step: JsonNumber = field(name="baseTick", default=None)


class InstrumentRows(Struct, gc=False):
    """`{"rows":[…]}`"""

    rows: list[InstrumentRow]


class Instruments(Struct, gc=False):
    """`{"success":true,"data":{"rows":[…]},"timestamp":1790137716988}`"""

    success: Literal[True]
    data: InstrumentRows


ENVELOPE: Reader[Envelope] = Reader(Envelope)
BOOK_CHANGE: Reader[BookChange] = Reader(BookChange)
BEST_PRICES: Reader[BestPrices] = Reader(BestPrices)
TRADE: Reader[Trade] = Reader(Trade)
KLINE: Reader[Kline] = Reader(Kline)
STATISTICS: Reader[Statistics] = Reader(Statistics)
PRICE: Reader[Price] = Reader(Price)
FUNDING: Reader[Funding] = Reader(Funding)
TOPICS: Reader[list[str]] = Reader(list[str])
WORDS: Reader[str] = Reader(str)
SAID: Reader[Said] = Reader(Said)
REST_BOOK: Reader[RestBook] = Reader(RestBook)
INSTRUMENTS: Reader[Instruments] = Reader(Instruments)
