"""The Nexus session by itself: what a recording cannot show."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from venues import venue_named
from venues.driver import Driver
from venues.errors import BadMessage, UsageError
from venues.nexus import messages
from venues.nexus import session as module
from venues.nexus.account import positions_of
from venues.nexus.messages import Holding, PositionsData, PositionsEvent
from venues.records import Book, Record
from venues.toolkit.book import MOST_LEVELS
from venues.toolkit.row_times import MOST_AT_ONCE
from venues.venue import BadFrame, Dial, Lost, Notice, Now, Refused, Settings, StreamState, Subscription

NEXUS = venue_named("nexus")
STREAMS = list(NEXUS.streams)
GOOD = {
    "event": "BOOK",
    "symbol": "SPOT_BTC_USDT",
    "timestamp": 1,
    "data": {"asks": [{"price": 2, "quantity": 1}], "bids": [{"price": 1, "quantity": 1}]},
}


def line_of(*streams: str, symbol: str = "SPOT_BTC_USDT", url: str = "wss://v.example") -> Any:
    subscriptions = [Subscription(stream, (symbol,)) for stream in streams]
    (line,) = NEXUS.routes(subscriptions, Settings(url=url))
    return line


def opening_of(key: str, **options: str) -> Dial:
    opening = line_of("book", **options).session({"client_key": key}).opening()
    with pytest.raises(StopIteration) as stop:
        next(opening)
    dial: Dial = stop.value.value
    return dial


def test_a_book_of_too_many_levels_is_stale() -> None:
    session = line_of("book").session({"client_key": "k"})
    now = Now(1.0, 1)
    session.opened(now)
    session.receive(json.dumps(GOOD).encode(), now)
    bids = [{"price": price, "quantity": 1} for price in range(1, MOST_LEVELS + 2)]
    (state,) = session.receive(json.dumps(GOOD | {"data": {"asks": [], "bids": bids}}).encode(), now)
    assert (state.stream, state.state) == ("book", "stale")
    assert state.reason == f"more than {MOST_LEVELS} levels on a side of the book; waiting for the next book"


def test_where_to_dial_and_how_it_is_shown() -> None:
    dial = opening_of("k/e y?")
    assert dial.url == "wss://v.example/ws/k%2Fe%20y%3F/SPOT_BTC_USDT"
    assert dial.shown == "wss://v.example/ws/[client_key]/SPOT_BTC_USDT"
    assert opening_of("key", url="wss://v.example/prefix/").url == "wss://v.example/prefix/ws/key/SPOT_BTC_USDT"


@pytest.mark.parametrize(
    "symbol",
    [
        "",
        "BTC/USDT",
        "BTC_USDT",
        "spot_btc_usdt",
        "SPOT_BTC_USDT_X",
        "SPOT__USDT",
        "../x",
        "SPOT_BTC_USDT\n",
        "SPOT_ÄÖ_USDT",
    ],
)
def test_symbols_of_the_wrong_form(symbol: str) -> None:
    with pytest.raises(UsageError, match="SPOT_BTC_USDT"):
        NEXUS.check_symbol(symbol)


@pytest.mark.parametrize("symbol", ["SPOT_BTC_USDT", "PERP_1000PEPE_USDT", "SPOT_1INCH_USDT"])
def test_symbols_of_the_right_form(symbol: str) -> None:
    NEXUS.check_symbol(symbol)


def test_several_streams_share_one_socket() -> None:
    line = line_of(*STREAMS)
    session = line.session({"client_key": "k"})
    states = {item.stream: item.state for item in session.opened(Now(0, 0)) if isinstance(item, StreamState)}
    assert states == {name: "syncing" if name in ("book", "quotes") else "live" for name in STREAMS}
    items = session.receive(json.dumps(GOOD).encode(), Now(1, 1))
    assert [type(item).__name__ for item in items] == ["StreamState", "Book", "StreamState", "Quote"]


def test_events_that_were_not_asked_for_give_nothing() -> None:
    session = line_of("fills").session({"client_key": "k"})
    assert session.receive(json.dumps(GOOD).encode(), Now(1, 1)) == []


def test_prices_keep_the_digits_that_came() -> None:
    session = line_of("book").session({"client_key": "k"})
    text = (
        json.dumps(GOOD).replace('"price": 2', '"price": 64999.9700').replace('"quantity": 1}]}', '"quantity": 1E-8}]}')
    )
    (_, book) = session.receive(text.encode(), Now(1, 1))
    assert isinstance(book, Book)
    assert str(book.asks[0].price) == "64999.9700"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
PARTS = st.fixed_dictionaries(
    {},
    optional={
        "event": st.sampled_from(["BOOK", "TRADE", "ORDER_UPDATE", "TRANSACTION", "POSITIONS", "PING", "ping", "X"])
        | JSON,
        "symbol": st.just("SPOT_BTC_USDT") | JSON,
        "timestamp": st.integers() | JSON,
        "success": JSON,
        "errorMsg": JSON,
        "data": st.fixed_dictionaries(
            {},
            optional=dict.fromkeys(
                ("asks", "bids", "price", "quantity", "side", "symbol", "order_id", "status", "id", "positions"), JSON
            ),
        )
        | JSON,
    },
)


@given(
    frames=st.lists(
        st.binary(max_size=60) | st.text(max_size=40).map(str.encode) | PARTS.map(lambda v: json.dumps(v).encode()),
        max_size=6,
    )
)
def test_whatever_comes_only_our_own_items_come_out(frames: list[bytes]) -> None:
    session = line_of(*STREAMS).session({"client_key": "k"})
    session.opened(Now(0, 0))
    for frame in frames:
        for item in session.receive(frame, Now(1, 1)):
            assert isinstance(item, Record | StreamState | BadFrame | Notice | Refused | Lost)


def bad(stream: str, event: dict[str, Any], received: int = 10_000) -> bool:
    session = line_of(stream).session({"client_key": "k"})
    return isinstance(session.receive(json.dumps(event).encode(), Now(1, received))[0], BadFrame)


@pytest.mark.parametrize(
    "figures",
    [
        {"order_quantity": -5}, {"order_price": -1}, {"executed_quantity": -2}, {"executed_price": -2},
        {"order_id": ""}, {"order_quantity": 5, "aggregated_executed_quantity": 7},
    ],
)  # fmt: skip
def test_orders_that_cannot_be(figures: dict[str, Any]) -> None:
    data = {"symbol": "SPOT_BTC_USDT", "order_id": 1, "side": "BUY", "status": "NEW"}
    assert not bad("orders", {"event": "ORDER_UPDATE", "timestamp": 1, "data": data})
    assert bad("orders", {"event": "ORDER_UPDATE", "timestamp": 1, "data": {**data, **figures}})


def test_a_time_that_no_calendar_has_is_bad() -> None:
    data = {"price": 1, "quantity": 1, "side": "BUY"}
    trade = {"event": "TRADE", "symbol": "SPOT_BTC_USDT", "timestamp": 253_402_300_799_999, "data": data}
    assert not bad("candles", trade)
    assert bad("candles", {**trade, "timestamp": 253_402_300_800_000})


@pytest.mark.parametrize("text", [{"code": 7}, 7, None, ["no"]])
def test_an_error_whose_text_is_none(text: Any) -> None:
    session = line_of("book").session({"client_key": "k"})
    (refused,) = session.receive(json.dumps({"success": False, "errorMsg": text}).encode(), Now(1, 1))
    assert isinstance(refused, Refused)


def test_recursion_in_a_known_event() -> None:
    session = line_of("book").session({"client_key": "k"})
    deep = b'{"event":"BOOK","symbol":"SPOT_BTC_USDT","timestamp":1,"data":' + b"[" * 100_000
    assert isinstance(session.receive(deep, Now(1, 1))[0], BadFrame)


def test_a_command_is_not_for_nexus() -> None:
    from venues.venue import Command

    driver = Driver(line_of("book"), [Subscription("book", ("SPOT_BTC_USDT",))], venue="nexus")
    driver.begin({"client_key": "k"}, 0.0)
    with pytest.raises(UsageError):
        driver.send(Command("buy", {}))


def test_more_positions_at_once_than_any_account_has_are_refused() -> None:
    def event(count: int) -> PositionsEvent:
        return PositionsEvent(PositionsData({f"S{number}": Holding(1) for number in range(count)}))

    now = Now(1.0, 1_700_000_000_000)
    most = positions_of(event(MOST_AT_ONCE), None, now)
    assert [row.symbol for row in most] == [f"S{number}" for number in range(MOST_AT_ONCE)]
    with pytest.raises(BadMessage) as refused:
        positions_of(event(MOST_AT_ONCE + 1), None, now)
    expected = f"expected at most {MOST_AT_ONCE} rows at `data.positions`, got {MOST_AT_ONCE + 1}"
    assert str(refused.value) == expected


def test_a_book_as_usual_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[bytes] = []
    whole = messages.EVENTS
    monkeypatch.setattr(module, "EVENTS", SimpleNamespace(quick=whole.quick, decode=lambda frame: read.append(frame)))
    session = line_of("book").session({"client_key": "k"})
    frame = json.dumps(GOOD).encode()
    assert [type(item).__name__ for item in session.receive(frame, Now(1, 1))] == ["StreamState", "Book"]
    assert read == []


@pytest.mark.parametrize(
    ("seconds", "is_late"), [(module.PING_LATE - 0.001, False), (module.PING_LATE, True), (module.PING_LATE + 1, True)]
)
def test_an_answer_to_a_ping_is_late_after_its_seconds(seconds: float, is_late: bool) -> None:
    session = line_of("ping").session({"client_key": "k"})
    session.opened(Now(0, 0))
    session.take()
    stale = [StreamState("ping", "stale", f"no answer to PING for {module.PING_LATE:.0f} s")]
    assert session.tick(Now(seconds, 0)) == (stale if is_late else [])
    assert len(session.take()) == (0 if is_late else 1)
    assert session.deadline() == seconds + module.PING_EVERY


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.0012344, 1.234), (0.0012346, 1.235), (1.0, 1000.0), (0.0000004, 0.0), (0.0000006, 0.001)]
)
def test_a_round_trip_has_three_decimals_of_a_millisecond(seconds: float, shown: float) -> None:
    session = line_of("ping").session({"client_key": "k"})
    session.opened(Now(0, 0))
    *_, pong = session.receive(b'{"event":"PING","timestamp":1}', Now(seconds, 1))
    assert pong.round_trip_ms == shown


@pytest.mark.parametrize(("streams", "stirs"), [(["trades", "candles"], True), (["trades"], False)])
def test_with_candles_every_trade_may_bring_an_earlier_deadline(streams: list[str], stirs: bool) -> None:
    subscriptions = [Subscription(stream, ("SPOT_BTC_USDT",), interval="1m") for stream in streams]
    (line,) = NEXUS.routes(subscriptions, Settings(url="wss://v.example"))
    session = line.session({"client_key": "k"})
    session.opened(Now(0, 0))
    session.take()
    assert session.stirred is stirs
    session.receive(b'{"event":"ping"}', Now(1, 1))
    assert session.stirred, "there is an answer to send"
    assert session.take() == ['{"event":"pong"}']
    assert session.stirred is stirs
