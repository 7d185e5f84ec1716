"""One meaning, several spellings: at each venue the same records come of both; what is in doubt stays a bad frame."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.spoken import NOW, Spoken
from venues.driver import Delivered
from venues.errors import BadMessage
from venues.records import Record, Status
from venues.toolkit.decoding import Reader, without_halves
from venues.toolkit.spellings import Id, Milliseconds, documented, respelled
from venues.toolkit.times import time_ms
from venues.toolkit.written import Writer
from venues.venue import BadFrame, Notice


class Usual(NamedTuple):
    """A message as its venue documents it."""

    venue: str
    stream: str
    event: str
    message: str

    def hear(self, *changes: tuple[str, str], bare: bool = False) -> list[Delivered]:
        message = self.message
        for usual, other in changes:
            assert usual in message, usual
            message = message.replace(usual, other)
        return Spoken(self.venue, self.stream, bare=bare).hear(message, self.event)


NEXUS_TRADE = Usual("nexus", "trades", "", '{"event":"TRADE","symbol":"SPOT_BTC_USDT","timestamp":1747841759500,'
                    '"data":{"price":0.9350,"quantity":120,"side":"SELL"}}')  # fmt: skip
NEXUS_BOOK = Usual("nexus", "book", "", '{"event":"BOOK","symbol":"SPOT_BTC_USDT","timestamp":1747841759500,'
                   '"data":{"asks":[{"price":11,"quantity":0.10}],"bids":[{"price":10.5,"quantity":2}]}}')  # fmt: skip
NEXUS_ORDER = Usual("nexus", "orders", "", '{"event":"ORDER_UPDATE","timestamp":1747841759500,"data":{"symbol":'
                    '"SPOT_BTC_USDT","order_id":254558,"side":"SELL","status":"PARTIAL_FILLED","order_quantity":0.10,'
                    '"executed_price":null,"executed_quantity":null,"aggregated_executed_quantity":0.05}}')  # fmt: skip
NEXUS_FILL = Usual("nexus", "fills", "", '{"event":"TRANSACTION","timestamp":1747841759500,"data":{"id":5,'
                   '"symbol":"SPOT_BTC_USDT","order_id":2,"executed_price":124.0,"executed_quantity":5,'
                   '"side":"BUY"}}')  # fmt: skip
NEXUS_POSITIONS = Usual("nexus", "positions", "", '{"event":"POSITIONS","data":{"positions":{"SPOT_BTC_USDT":'
                        '{"holding":-0.250}}}}')  # fmt: skip

ROW = '"marketId":"cfd.eur_chf"'
B2_ORDER = Usual("b2trader", "orders", "", f'[{{{ROW},"orderId":"7","status":"Working","side":"Buy",'
                 '"requestedAmount":"10000","remainingAmount":"2500.0","requestedPrice":"0.90","takeProfit":null,'
                 '"leverage":1,"createdAt":"2025-05-21T15:30:00.5000000Z"}]')  # fmt: skip
B2_POSITION = Usual("b2trader", "positions", "", f'{{"item":[{{{ROW},"positionId":"7","side":"Buy","status":"Open",'
                    '"positionLotAmount":"0.01","takeProfit":null,"unrealizedPnlTotalPercent":"-0.0291",'
                    '"updatedAt":"2025-05-21T15:30:00Z"}],"snapshot":true}')  # fmt: skip
B2_CLOSED = Usual("b2trader", "closed", "", f'[{{{ROW},"orderId":"7","positionId":"8","side":"Sell",'
                  '"positionCloseLotAmount":"0.010","realizedPnlInRAT":"-29.25","closePrice":null}]')  # fmt: skip
B2_BALANCE = Usual(
    "b2trader", "balance", "", '[{"assetId":"eur","available":"497838.80","total":"497838.80","locked":"0"}]'
)
B2_MARGIN = Usual("b2trader", "margin", "", '{"marginBalanceInRAT":"10.0","unrealizedPnlInRAT":"-1.50",'
                  '"equityInRAT":"8.5","usedMarginInRAT":"2","freeMarginInRAT":"6.5","marginLevel":null}')  # fmt: skip
B2_BOOK = Usual("b2trader", "book", "", '{"instrument":"cfd.eur_chf","version":"12498","snapshot":true,'
                '"bids":[{"price":"0.93670","amount":"100","total":"93.670"}],'
                '"asks":[{"price":"0.93677","amount":"5","total":null}],"askTotalAmount":null}')  # fmt: skip
B2_TICKER = Usual("b2trader", "ticker", "", f'{{"markets":[{{{ROW},"price":"0.93586","priceChange24hr":"-0.0006",'
                  '"markPrice":null}],"snapshot":true}')  # fmt: skip
B2_QUOTE = Usual("b2trader", "quotes", "", f'{{"markets":[{{{ROW},"ask":"0.9350","bid":null}}],"snapshot":true}}')
B2_WATCH = Usual(
    "b2trader", "watchlist", "", f'{{"items":[{{{ROW},"last":"0.9350","percentChange":"-0.02"}}],"snapshot":true}}'
)
B2_CANDLE = Usual("b2trader", "candles", "", '{"instrument":"cfd.eur_chf","open":"1.0","high":"2.0","low":"1.0",'
                  '"close":"1.50","start":"2025-05-21T15:30:00Z","end":"2025-05-21T15:31:00Z"}')  # fmt: skip

JAYX_BOOK = Usual("jayx", "book", "orderbook", '{"orderBook":{"asks":[{"ticks":102,"lots":7,"count":1}],'
                  '"bids":[{"ticks":101,"lots":5,"count":null}]},"trades":[]}')  # fmt: skip
JAYX_TRADES = Usual("jayx", "trades", "orderbook", '{"orderBook":{"asks":[],"bids":[]},"trades":[{"lots":3,"ticks":101,'
                    '"side":"BUY","created":1747841759500}]}')  # fmt: skip
JAYX_CANDLE = Usual("jayx", "candles", "kline", '{"add":null,"modify":{"created":1747841700,"o":6,"h":9,"l":5,"c":7,'
                    '"v":2,"m":1747841759}}')  # fmt: skip
JAYX_ORDER = Usual(
    "jayx",
    "orders",
    "openorders",
    '{"cancel":[],"modify":[{"id":1,"type":"LIMIT","state":"NEW","side":'
    '"BUY","resd":1000,"exec":0,"lastLots":null,"created":1747841759500,"modified":null,"price":"10.50"}]}',
)
JAYX_BALANCE = Usual(
    "jayx", "balance", "positions", '{"spot":[{"asset":"USDT","balance":"9932.440","available":"9932.440"}]}'
)

NBT = Usual("nbt", "signals", "buy_signal", '{"pair":"GXSUSDT","price":"0.92450000","new":true,"score":"NA","qty":null,'
            '"stratid":"681","stop_loss":5.0}')  # fmt: skip

NBT_WITH_MESSAGE = NBT._replace(message=NBT.message.replace('"681"', '681,"message":{"n":1.10,"deep":[1e5,"\\ud83d"]}'))

SAME = [
    (NEXUS_TRADE, [("0.9350", '"0.9350"'), ("120", '"120"')]),
    (NEXUS_TRADE, [("0.9350", "9.350e-1")]),
    (NEXUS_TRADE, [("SELL", "Sell"), ("TRADE", "Trade")]),
    (NEXUS_TRADE, [("1747841759500", '"1747841759500"')]),
    (NEXUS_TRADE, [("1747841759500", "1747841759500.0")]),
    (NEXUS_TRADE, [("1747841759500", '"1747841759500.0"')]),
    (NEXUS_TRADE, [("1747841759500", '"2025-05-21T15:35:59.5Z"')]),
    (NEXUS_TRADE, [("1747841759500", '"2025-05-21T15:35:59.500"')]),
    (NEXUS_TRADE, [("1747841759500", '"2025-05-21T17:35:59.500000+02:00"')]),
    (NEXUS_BOOK, [("10.5", '"10.5"'), ("0.10", '"0.10"'), ('"BOOK"', '"book"')]),
    (NEXUS_ORDER, [("0.10", '"0.10"'), ("SELL", "sell"), ("PARTIAL_FILLED", "partial_filled"), ("null", '""')]),
    (NEXUS_ORDER, [('"executed_price":null,', "")]),
    (NEXUS_FILL, [("124.0", '"124.0"'), ("BUY", "Buy"), ('"id":5', '"id":"5"')]),
    (NEXUS_POSITIONS, [("-0.250", '"-0.250"')]),
    (B2_ORDER, [('"10000"', "10000"), ('"2500.0"', "2500.0"), ('"0.90"', "0.90"), ("null", '""'), ("1,", '"1",')]),
    (B2_ORDER, [("Buy", "BUY"), ("Working", "working"), ('"7"', "7")]),
    (B2_ORDER, [('"2025-05-21T15:30:00.5000000Z"', "1747841400500")]),
    (B2_ORDER, [('"2025-05-21T15:30:00.5000000Z"', '"1747841400500.0"')]),
    (B2_ORDER, [("00.5000000Z", "00.5"), ('"takeProfit":null,', "")]),
    (B2_POSITION, [('"0.01"', "0.01"), ("Buy", "buy"), ("Open", "open"), ("null", '""'), ('"-0.0291"', "-0.0291")]),
    (B2_POSITION, [("00Z", "00+00:00")]),
    (B2_CLOSED, [('"0.010"', "0.010"), ("Sell", "SELL"), ('"-29.25"', "-29.25"), ("null", '""')]),
    (B2_BALANCE, [('"497838.80"', "497838.80"), ('"0"', "0")]),
    (B2_MARGIN, [('"10.0"', "10.0"), ('"-1.50"', "-1.50"), ("null", '""')]),
    (B2_BOOK, [('"0.93670"', "0.93670"), ('"100"', "100"), ('"12498"', "12498"), ("null", '""')]),
    (B2_BOOK, [('"93.670"', "93.670"), ('"0.93677"', "0.93677"), ('"5"', "5")]),
    (B2_BOOK, [('"12498"', '"12498.0"'), ('"100"', "1e2")]),
    (B2_TICKER, [('"0.93586"', "0.93586"), ('"-0.0006"', "-0.0006"), ("null", '""')]),
    (B2_QUOTE, [('"0.9350"', "0.9350"), ("null", '""')]),
    (B2_WATCH, [('"0.9350"', "0.9350"), ('"-0.02"', "-0.02")]),
    (B2_CANDLE, [('"1.0"', "1.0"), ('"1.50"', "1.50"), ('"2025-05-21T15:30:00Z"', "1747841400000")]),
    (B2_CANDLE, [("00Z", "00.000"), ('"2.0"', "2.0")]),
    (JAYX_BOOK, [("102", '"102"'), ("7", "7.0"), (":5", ':"5.0"'), ("null", '""'), (":1}", ':"1"}')]),
    (JAYX_TRADES, [("101", '"101"'), ("BUY", "Buy"), ("1747841759500", "1747841759500.0")]),
    (JAYX_TRADES, [("1747841759500", '"2025-05-21T15:35:59.500Z"')]),
    (JAYX_CANDLE, [(":6", ':"6"'), ("1747841700", '"1747841700"'), ("1747841759", '"2025-05-21T15:35:59Z"')]),
    (JAYX_CANDLE, [("null", '""'), ("1747841759", "1747841759.0")]),
    (JAYX_ORDER, [("1000", '"1000"'), ("NEW", "New"), ("BUY", "buy"), ("null", '""'), ('"10.50"', "10.50")]),
    (JAYX_ORDER, [("1747841759500", '"1747841759500"'), ('"modified":null', '"modified":0')]),
    (JAYX_BALANCE, [('"9932.440"', "9932.440"), ("spot", "Spot")]),
    (NBT, [('"0.92450000"', "0.92450000"), ("NA", "na"), ("null", '""'), ('"681"', "681"), ("5.0", '"5.0"')]),
    (NBT_WITH_MESSAGE, [("681", "681.0")]),
]  # fmt: skip


def records_of(items: list[Delivered]) -> list[dict[str, Any]]:
    """What came, without what is said to have come as the venue's word."""
    lines = [json.loads(Writer(numbers_as_strings=True).encode(item)) for item in items if isinstance(item, Record)]
    for line in lines:
        line.pop("venue_status", None)
        if line["type"] == "position":
            line.pop("status", None)
    return lines


@pytest.mark.parametrize(("usual", "changes"), SAME, ids=lambda value: getattr(value, "venue", None))
def test_the_same_records_come_of_every_spelling(usual: Usual, changes: list[tuple[str, str]]) -> None:
    expected = records_of(usual.hear())
    assert [line for line in expected if line["type"] != "status"]
    found = usual.hear(*changes)
    assert not [item for item in found if isinstance(item, BadFrame)]
    assert records_of(found) == expected


def test_event_names_in_any_case() -> None:
    for usual in (NBT, JAYX_BOOK, JAYX_CANDLE, JAYX_BALANCE):
        for other in (usual.event.upper(), usual.event.title()):
            assert records_of(usual._replace(event=other).hear()) == records_of(usual.hear())
    assert records_of(JAYX_BOOK._replace(event="OrderBook").hear(bare=True)) == records_of(JAYX_BOOK.hear(bare=True))


IN_DOUBT = [
    (NEXUS_TRADE, ("0.9350", '"0,9350"'), "data.price"),
    (NEXUS_TRADE, ("0.9350", '""'), "data.price"),
    (NEXUS_TRADE, ("120", '"1_200"'), "data.quantity"),
    (NEXUS_TRADE, ("SELL", "HOLD"), "data.side"),
    (NEXUS_TRADE._replace(message=NEXUS_TRADE.message.replace("TRADE", "Trade")), ("SELL", "HOLD"), "data.side"),
    (NEXUS_TRADE, ("1747841759500", "1747841759"), "timestamp"),
    (NEXUS_TRADE, ("1747841759500", '"1747841759"'), "timestamp"),
    (NEXUS_TRADE, ("1747841759500", "1747841759.5"), "timestamp"),
    (NEXUS_TRADE, ("1747841759500", "1747841759500000"), "timestamp"),
    (NEXUS_TRADE, ("1747841759500", '"21.05.2025"'), "timestamp"),
    (NEXUS_ORDER, ("PARTIAL_FILLED", "PARTIALLY"), "data.status"),
    (B2_ORDER, ('"10000"', '"10 000"'), "item[0].requestedAmount"),
    (B2_ORDER, ('"10000"', '""'), "item[0].requestedAmount"),
    (B2_ORDER, ('"10000"', "true"), "item[0].requestedAmount"),
    (B2_ORDER, ("Buy", "Long"), "item[0].side"),
    (B2_ORDER, ('"2025-05-21T15:30:00.5000000Z"', "1747841400"), "item[0].createdAt"),
    (B2_ORDER, ('"2025-05-21T15:30:00.5000000Z"', '"1747841400"'), "item[0].createdAt"),
    (B2_POSITION, ('"0.01"', '"0,01"'), "item.item[0].positionLotAmount"),
    (B2_POSITION, ('"Open"', '""'), "item.item[0].status"),
    (B2_BOOK, ('"0.93670"', '"0,93670"'), "item.bids[0].price"),
    (B2_BOOK, ('"0.93670"', "[1]"), "item.bids[0].price"),
    (B2_BOOK, ('"12498"', '"v12498"'), "item.version"),
    (B2_BOOK, ('"12498"', "12498.5"), "item.version"),
    (B2_QUOTE, ('"0.9350"', '"0,9350"'), "item.markets[0].ask"),
    (B2_CANDLE, ('"2025-05-21T15:30:00Z"', "1747841400"), "item.start"),
    (JAYX_BOOK, ("102", '"102,5"'), "orderBook.asks[0].ticks"),
    (JAYX_BOOK, ("102", "102.5"), "orderBook.asks[0].ticks"),
    (JAYX_TRADES, ("BUY", "BID"), "trades[0].side"),
    (JAYX_TRADES, ("1747841759500", "1747841759"), "trades[0].created"),
    (JAYX_CANDLE, ("1747841700", "1747841700000"), "modify.created"),
    (JAYX_ORDER, ("1747841759500", "1747841759"), "modify[0].created"),
    (JAYX_ORDER, ("NEW", "OPEN"), "modify[0].state"),
    (JAYX_BALANCE, ('"balance":"9932.440"', '"balance":"9932,440"'), "spot[0].balance"),
    (NBT, ('"0.92450000"', '"0,92450000"'), "price"),
]


@pytest.mark.parametrize(("usual", "change", "path"), IN_DOUBT)
def test_what_is_in_doubt_is_a_bad_frame_that_names_the_field(usual: Usual, change: tuple[str, str], path: str) -> None:
    (bad,) = [item for item in usual.hear(change) if isinstance(item, BadFrame)]
    assert f"`{path}`" in bad.reason


@pytest.mark.parametrize(("usual", "change", "path"), IN_DOUBT)
def test_a_changed_format_is_said_once(usual: Usual, change: tuple[str, str], path: str) -> None:
    spoken, items = Spoken(usual.venue, usual.stream), []
    for _ in range(20):
        items += spoken.hear(usual.message.replace(*change), usual.event)
    said = [item.text for item in items if isinstance(item, Notice) and "seems to have changed" in item.text]
    assert len(said) == 1
    assert said[0].startswith(f"the venue's format seems to have changed: no message of {usual.stream} can be read")
    assert f"`{path}`" in said[0]


@pytest.mark.parametrize("usual", [NEXUS_TRADE, B2_QUOTE, JAYX_BOOK, NBT])
def test_now_and_then_a_bad_message_is_no_changed_format(usual: Usual) -> None:
    spoken, items = Spoken(usual.venue, usual.stream), []
    for _ in range(10):
        items += spoken.hear("[7]", usual.event)
        items += spoken.hear("[7]", usual.event)
        items += spoken.hear(usual.message, usual.event)
    assert [item for item in items if isinstance(item, BadFrame)]
    assert not [item for item in items if isinstance(item, Notice) and "seems" in item.text]


# --- half a surrogate pair -------------------------------------------------------------------------------------------

HALVES = [
    (NEXUS_ORDER, '"order_id":', r'"order_type":"a\ud83db","order_id":', "order_type"),
    (B2_ORDER, '"orderId"', r'"orderType":"a\ud83db","orderId"', "order_type"),
    (B2_TICKER, '"price"', r'"displayName":"a\udc00b","price"', "name"),
    (JAYX_ORDER, '"LIMIT"', r'"a\ud83db"', "order_type"),
    (JAYX_BALANCE, '"USDT"', r'"a\ud83db"', "asset"),
    (NBT, '"stratid"', r'"nickname":"a\ud83db","stratid"', "user"),
]


@pytest.mark.parametrize("bare", [False, True])
@pytest.mark.parametrize(("usual", "place", "half", "field"), HALVES, ids=lambda value: getattr(value, "venue", None))
def test_half_a_pair_loses_no_message(usual: Usual, place: str, half: str, field: str, bare: bool) -> None:
    items = usual.hear((place, half), bare=bare and usual.venue == "jayx")
    (record,) = [
        item for item in items if isinstance(item, Record) and not isinstance(item, Status) and hasattr(item, field)
    ]
    assert getattr(record, field) == "a\ufffdb"
    assert not [item for item in items if isinstance(item, BadFrame)]


@pytest.mark.parametrize(("venue", "event"), [("nbt", "message"), ("profitview", "")])
def test_half_a_pair_in_a_message(venue: str, event: str) -> None:
    data = r'{"n":1e-7,"a\ud83d":["\ud83d\ude00\ud83d","\\ud83d"]}'
    message = data if venue == "nbt" else f'{{"type":"t","data":{data}}}'
    (record,) = [item for item in Spoken(venue, "feed").hear(message, event) if isinstance(item, Record)]
    expected = '{"n":1e-7,"a\ufffd":["\U0001f600\ufffd","\\\\ud83d"]}'
    assert f'"data":{expected}' in Writer().encode(record).decode()


def test_half_a_pair_in_what_a_hub_says() -> None:
    spoken = Spoken("b2trader", "quotes")
    items = spoken.driver.receive(b'{"type":7,"error":"\\ud83d no","allowReconnect":true}\x1e', NOW)
    assert "\ufffd no" in str(items)
    assert "\ufffd no" in str(Spoken("nbt", "signals").hear(r'"\ud83d no"', "error"))


@given(st.text(st.characters(categories=["Cs", "Ll", "Po", "So"]), max_size=12))
def test_only_halves_are_replaced(text: str) -> None:
    frame = without_halves(json.dumps([text, {text: text}]).encode())
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    pairs_made = re.sub("[\ud800-\udfff]", "\ufffd", json.loads(json.dumps(text)))
    assert json.loads(frame) in ([whole, {whole: whole}], [pairs_made, {pairs_made: pairs_made}])


# --- types that no venue of ours has ---------------------------------------------------------------------------------


class Tagged(msgspec.Struct, tag_field="event", tag="BOOK"):
    """The only type that is read: msgspec does not ask it for its tag."""

    count: int


class Rows(msgspec.Struct):
    """Has others by name."""

    rows: dict[str, Tagged]
    counts: dict[str, int] = {}
    texts: dict[str, str] = {}


@pytest.mark.parametrize(
    ("sent", "usual"),
    [
        ({"rows": {"a": {"count": "5"}, "b": {"count": 6}}}, {"rows": {"a": {"count": 5}, "b": {"count": 6}}}),
        ({"rows": {"a": {"count": 5}, "b": {"count": "6"}}}, {"rows": {"a": {"count": 5}, "b": {"count": 6}}}),
        ({"rows": {}, "counts": {"a": "7", "b": 8.0}}, {"rows": {}, "counts": {"a": 7, "b": 8}}),
        ({"rows": {}, "counts": {"a": "seven", "b": "8"}}, {"rows": {}, "counts": {"a": "seven", "b": 8}}),
        ({"rows": {"a": {"count": 5}}, "counts": {"a": 7}}, None),
        ({"rows": {}, "counts": {"a": "seven"}}, None),
        ({"rows": {}, "texts": {"a": 7}}, None),
        ({"rows": [], "counts": 7}, None),
        ({}, None),
        ([], None),
    ],
)
def test_what_is_in_a_mapping_is_spelled_as_elsewhere(sent: Any, usual: Any) -> None:
    assert respelled(sent, Rows) == usual


class Unread(msgspec.Struct):
    """Has what may be of any kind, or is left as the bytes it came as."""

    any: Any | int = None
    raw: msgspec.Raw | int = 0
    count: int = 0


@pytest.mark.parametrize(
    ("sent", "usual"),
    [
        ({"any": "5", "raw": "5"}, None),
        ({"any": 5.0, "raw": [5.0]}, None),
        ({"any": "5", "count": "5"}, {"any": "5", "count": 5}),
        ({"any": "5", "count": 5}, None),
    ],
)
def test_what_may_be_of_any_kind_is_left_as_it_was_sent(sent: Any, usual: Any) -> None:
    assert respelled(sent, Unread) == usual


class Absent(msgspec.Struct):
    """Has what may not be there."""

    id: Id | None = None
    time: Milliseconds | None = None
    count: int | None = None
    needed: Milliseconds = 0


@pytest.mark.parametrize(
    ("sent", "usual"),
    [
        ({"id": 0}, {"id": "0"}),
        ({"id": "0"}, None),
        ({"id": ""}, {"id": None}),
        ({"time": 0}, {"time": None}),
        ({"time": "0"}, {"time": None}),
        ({"time": 1}, None),
        ({"time": "1"}, {"time": 1}),
        ({"time": ""}, {"time": None}),
        ({"count": 0}, None),
        ({"count": "0"}, {"count": 0}),
        ({"count": ""}, {"count": None}),
        ({"needed": "0"}, {"needed": 0}),
        ({"needed": ""}, None),
    ],
)
def test_of_what_may_be_absent_only_a_time_of_zero_is(sent: Any, usual: Any) -> None:
    assert respelled(sent, Absent) == usual


class Branch(msgspec.Struct):
    """Holds others of its own type."""

    id: Id
    branches: "list[Branch]" = []


@pytest.mark.parametrize("tag", ["", '"event":"BOOK",', '"event":"Book",'])
def test_an_only_type_needs_no_tag(tag: str) -> None:
    reader: Reader[Tagged] = Reader(Tagged)
    assert reader.decode(f'{{{tag}"count":"5"}}').count == 5
    with pytest.raises(msgspec.ValidationError, match=r"\$\.count"):
        reader.decode(f'{{{tag}"count":"many"}}')


@pytest.mark.parametrize("tag", ['"TRADE"', "7", "null"])
def test_another_tag_is_another_message(tag: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=r"\$\.event"):
        Reader(Tagged).decode(f'{{"event":{tag},"count":"5"}}')


def test_a_type_that_holds_its_own() -> None:
    reader: Reader[Branch] = Reader(Branch)
    found = reader.decode('{"id":1,"branches":[{"id":"2"},{"id":3,"branches":[{"id":4}]}]}')
    assert found == Branch("1", [Branch("2"), Branch("3", [Branch("4")])])


# --- words and times -------------------------------------------------------------------------------------------------


def test_a_documented_word() -> None:
    assert documented("nEW", ["NEW", "TRADE"], "p") == "NEW"
    assert documented("ping", ["PING", "ping"], "p") == "ping"
    for text in ("Ping", "", "PING ", "x" * 5_000_000):
        with pytest.raises(BadMessage, match="expected PING or ping at `p`") as refused:
            documented(text, ["PING", "ping"], "p")
        assert len(str(refused.value)) < 120


@pytest.mark.parametrize("value", [1747841400000, "1747841400000", "1747841400000.00", "2025-05-21T15:30:00",
                                   "2025-05-21t15:30:00z", "2025-05-21T15:30:00,000Z", "2025-05-21T17:30:00+0200",
                                   "2025-05-21T10:30:00.0000000-05"])  # fmt: skip
def test_a_time(value: object) -> None:
    assert time_ms(value, "p") == 1747841400000


@pytest.mark.parametrize("value", [1747841400, "1747841400", 1747841400000000, -1, 1.5, True, None, "", "yesterday",
                                   "2025-05-21", "2025-05-21T15:30:00+2", "2025-05-21T15:30:00+25:00",
                                   "17478414e5"])  # fmt: skip
def test_no_time(value: object) -> None:
    with pytest.raises(BadMessage, match="at `p`"):
        time_ms(value, "p")
