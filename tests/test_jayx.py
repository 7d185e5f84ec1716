"""JayX's session by itself: what a recording cannot show."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from venues import records
from venues.driver import Driver
from venues.errors import SetupError, UsageError
from venues.jayx import JAYX
from venues.jayx import account as jayx_account
from venues.jayx.fields import Scale, seconds_of, values_of, written_interval
from venues.jayx.market import TradeHistory
from venues.jayx.messages import TradeRow
from venues.jayx.session import SILENT_AFTER
from venues.records import Record
from venues.toolkit.clock import LATEST
from venues.venue import (
    BadFrame,
    ClockOffset,
    Command,
    Confirmed,
    Lost,
    Notice,
    Now,
    Refused,
    Settings,
    SocketPing,
    StreamState,
    Subscription,
    Veiled,
)

STREAMS = list(JAYX.streams)
OPEN_2 = '0{"sid":"a","upgrades":[],"pingInterval":25000,"pingTimeout":5000}'
OPEN_4 = '0{"sid":"a","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}'
KEY = "k3y"  # shorter than what is hidden by value
SECRETS = {"api_key": KEY}
NOW = Now(1000.0, 1_716_136_437_000)
BOOK = {
    "orderBook": {
        "asks": [{"ticks": 102, "lots": 1, "count": 1}],
        "bids": [{"ticks": 101, "lots": 2, "count": 1}],
    },
    "trades": [{"lots": 3, "ticks": 101, "side": "BUY", "created": 1_716_136_436_758}],
}


def asked(stream: str, symbol: str = "BTCUSDT", **more: Any) -> Subscription:
    symbols = () if JAYX.streams[stream].symbols == "none" else (symbol,)
    return Subscription(stream, symbols, **more)


def line_of(*streams: str, **values: Any) -> Any:
    (line,) = JAYX.routes([asked(stream) for stream in streams], Settings(url="wss://v.example", values=values))
    return line


def packet(name: str, data: Any) -> bytes:
    return f"42{json.dumps([name, data])}".encode()


def connected(line: Any) -> Any:
    session = line.session(SECRETS)
    session.opened(NOW)
    if not line.values.bare:
        for frame in (OPEN_4, '40{"sid":"b"}'):
            session.receive(frame.encode(), NOW)
    return session


def sent(session: Any) -> list[Any]:
    """The events that were sent, the key included."""
    frames = [out.text if isinstance(out, Veiled) else out for out in session.take()]
    return [json.loads(frame[2:]) for frame in frames if isinstance(frame, str) and frame.startswith("42")]


# --- where, and what is asked for ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "framing", "dialled"),
    [
        ("wss://v.example:8443", "socketio", "wss://v.example:8443/socket.io/?EIO=4&transport=websocket"),
        ("wss://v.example/p/", "socketio", "wss://v.example/p/socket.io/?EIO=4&transport=websocket"),
        ("wss://v.example/socket.io/", "socketio", "wss://v.example/socket.io/?EIO=4&transport=websocket"),
        ("wss://v.example:8443/p/", "bare", "wss://v.example:8443/p/"),
    ],
)
def test_where_to_dial(url: str, framing: str, dialled: str) -> None:
    (line,) = JAYX.routes([asked("book")], Settings(url=url, values={"framing": framing}))
    opening = line.session({}).opening()
    with pytest.raises(StopIteration) as stop:
        next(opening)
    assert stop.value.value.url == stop.value.value.shown == dialled


def test_one_socket_asks_for_each_event_once() -> None:
    line = line_of(*STREAMS, category="linear")
    events = sent(connected(line))
    assert events == [
        ["orderbook", {"category": "linear", "symbol": "BTCUSDT", "precise": "1"}],
        ["kline", {"category": "linear", "symbol": "BTCUSDT", "interval": "60"}],
        ["openorders", {"apiKey": KEY, "category": "linear", "symbol": "BTCUSDT"}],
        ["positions", {"apiKey": KEY, "category": "linear"}],
    ]
    assert sent(connected(line)) == events  # and again on the next connection


def test_bare_frames_are_asked_for_at_once() -> None:
    session = connected(line_of("candles", framing="bare"))
    (frame,) = session.take()
    assert json.loads(frame) == {
        "event": "kline",
        "data": {"category": "spot", "symbol": "BTCUSDT", "interval": "60"},
    }


@pytest.mark.parametrize("framing", ["socketio", "bare"])
def test_the_key_is_in_no_frame_that_is_shown(framing: str) -> None:
    session = connected(line_of("orders", "balance", framing=framing))
    veiled = [out for out in session.take() if isinstance(out, Veiled)]
    assert [out.text.count(f'"apiKey":"{KEY}"') for out in veiled] == [1, 1]
    assert all(KEY not in out.shown and '"apiKey":"[api_key]"' in out.shown for out in veiled)


@pytest.mark.parametrize(
    ("subscriptions", "lines"),
    [
        ([asked("book"), asked("quotes"), asked("trades")], 1),
        ([asked("book", options={"precise": "10"}), asked("trades")], 1),
        ([asked("trades"), asked("book", options={"precise": "10"})], 1),
        ([asked("book", options={"precise": "10"}), asked("quotes")], 2),
        ([asked("book"), asked("book", options={"precise": "10"})], 2),
        ([asked("book"), asked("quotes", "ETHUSDT")], 2),
        ([asked("book"), asked("candles", "ETHUSDT")], 1),
        ([asked("candles"), asked("candles", interval="5m")], 2),
        ([asked("orders"), asked("orders", "ETHUSDT"), asked("positions"), asked("ping")], 2),
    ],
)
def test_what_cannot_be_told_apart_gets_a_socket_of_its_own(subscriptions: list[Subscription], lines: int) -> None:
    made = JAYX.routes(subscriptions, Settings(url="wss://v.example"))
    assert len(made) == lines
    assert [s for line in made for s in line.subscriptions] != []
    assert sorted(map(str, [s for line in made for s in line.subscriptions])) == sorted(map(str, subscriptions))


def test_the_grouping_that_is_asked_for_is_that_of_the_book() -> None:
    (line,) = JAYX.routes([asked("trades"), asked("book", options={"precise": "10"})], Settings(url="wss://v.example"))
    assert sent(connected(line))[0][1]["precise"] == "10"


@pytest.mark.parametrize("precise", ["", "0", "0.0", "-1", "1e3", "x", "1" * 50, "1 "])
def test_groupings_of_the_wrong_form(precise: str) -> None:
    with pytest.raises(UsageError, match="--precise"):
        JAYX.routes([asked("book", options={"precise": precise})], Settings(url=""))


@pytest.mark.parametrize("interval", ["", "0", "7", "60x", "1M", "-60"])
def test_intervals_of_the_wrong_form(interval: str) -> None:
    with pytest.raises(UsageError, match="interval"):
        JAYX.routes([asked("candles", interval=interval)], Settings(url=""))


@pytest.mark.parametrize(
    ("interval", "seconds", "written"),
    [
        ("60", 60, "1m"),
        ("60s", 60, "1m"),
        ("1m", 60, "1m"),
        ("90", 90, "90s"),
        ("4h", 14_400, "4h"),
        ("1w", 604_800, "1w"),
    ],
)
def test_intervals(interval: str, seconds: int, written: str) -> None:
    assert seconds_of(interval) == seconds
    assert written_interval(seconds) == written


@pytest.mark.parametrize("interval", ["61", "0", "7x", "90m "])
def test_a_wrong_interval_is_told_as_it_was_given(interval: str) -> None:
    with pytest.raises(UsageError, match=f'or a number of seconds, got "{interval}"$'):
        seconds_of(interval)


@pytest.mark.parametrize("symbol", ["", "btcusdt", "BTC/USDT", "SPOT_BTC_USDT", "B", "BTC USDT", "BTCUSDT\n"])
def test_symbols_of_the_wrong_form(symbol: str) -> None:
    with pytest.raises(UsageError, match="BTCUSDT"):
        JAYX.check_symbol(symbol)


def test_a_command_is_not_for_jayx() -> None:
    driver = Driver(line_of("book"), [asked("book")], venue="jayx")
    driver.begin(SECRETS, 0.0)
    with pytest.raises(UsageError):
        driver.send(Command("buy", {}))


# --- what is configured --------------------------------------------------------------------------------------------


def test_scales_are_exact() -> None:
    scale = values_of({"symbols": {"XBT": {"tick_size": "0.01", "lot_size": "1e-20"}}}).scale("XBT")
    assert str(scale.price(6678147)) == "66781.47"
    assert scale.size(10**18 - 1) == Decimal(10**18 - 1).scaleb(-20)
    assert Scale().price(6678147) == 6678147


def test_scales_from_a_variable() -> None:
    assert values_of({"symbols": '{"XBT": {"tick_size": "0.5"}}'}).scale("XBT") == Scale(Decimal("0.5"))


@pytest.mark.parametrize(
    "value",
    ["0", "-1", "NaN", "Infinity", "abc", "", " 1", "1_0", "1e99", "1e-25", "1e25", "0" * 30, 0.01, 1, True, None],
)
@pytest.mark.parametrize("key", ["tick_size", "lot_size"])
def test_scales_that_cannot_be(key: str, value: Any) -> None:
    if value is None:
        assert values_of({"symbols": {"XBT": {key: value}}})
        return
    with pytest.raises(SetupError, match=rf"as symbols\.XBT\.{key} of jayx"):
        JAYX.routes([], Settings(url="", values={"symbols": {"XBT": {key: value}}}))


@pytest.mark.parametrize(
    "values",
    [
        {"symbols": 1}, {"symbols": "{"}, {"symbols": "[" * 100_000}, {"symbols": {"XBT": 1}},
        {"symbols": {"XY": {"tick": "1"}}}, {"symbols": {"btcusdt": {"tick_size": "1"}}},
        {"framing": "raw"}, {"framing": True}, {"category": ""}, {"category": 1}, {"category": "a b"},
    ],
)  # fmt: skip
def test_values_that_cannot_be(values: dict[str, Any]) -> None:
    with pytest.raises(SetupError, match="of jayx"):
        JAYX.routes([], Settings(url="", values=values))


# --- trades --------------------------------------------------------------------------------------------------------


def rows(*numbers: int) -> list[TradeRow]:
    """Newest first, as the venue lists them: each number is a time and a price."""
    return [TradeRow(ticks=number, lots=1, side="BUY", created=number) for number in numbers]


@given(st.integers(1, 8), st.lists(st.integers(0, 12), max_size=12))
def test_each_trade_comes_once_and_a_gap_is_said(window: int, steps: list[int]) -> None:
    history, given_out, count, listed = TradeHistory(), list[int](), 0, 0
    for step in steps:
        count += step
        latest = range(count, max(0, count - window), -1)
        new, follows = history.new_ones(rows(*latest), LATEST)
        if listed and latest:
            assert follows is (step < window)
        given_out += [row.created for row in new]
        assert given_out == sorted(set(given_out))
        assert not latest or given_out[-1] == count
        listed = max(listed, len(latest))
        if step <= window:
            assert [row.created for row in new] == list(range(count - step + 1, count + 1))


@given(st.lists(st.integers(1, 3), max_size=8), st.lists(st.integers(0, 4), max_size=8))
def test_trades_that_look_alike_are_as_many_as_there_are(times: list[int], steps: list[int]) -> None:
    market = sorted(times * 3)
    history, count, given_out = TradeHistory(), 0, list[int]()
    for step in steps:
        count = min(count + step, len(market))
        new, _ = history.new_ones(rows(*reversed(market[:count])), LATEST)
        given_out += [row.created for row in new]
    assert given_out == market[:count]


def test_a_list_in_the_other_order_is_sorted() -> None:
    history = TradeHistory()
    assert [row.created for row in history.new_ones(rows(1, 2, 3), LATEST)[0]] == [1, 2, 3]
    assert [row.created for row in history.new_ones(rows(2, 3, 4), LATEST)[0]] == [4]


@given(
    st.integers(4, 8),
    st.lists(st.integers(0, 3), max_size=12),
    st.dictionaries(st.integers(2, 13).map(lambda place: place * 3), st.sampled_from([5_000_000, 10_000_000, 12])),
    st.booleans(),
)
def test_a_time_that_cannot_be_does_not_disturb_the_lists(
    window: int, steps: list[int], wrong: dict[int, int], newest_last: bool
) -> None:
    history, count, given_out = TradeHistory(), 3, list[int]()
    market = [TradeRow(number, 1, "BUY", wrong.get(number, 1_000_000 + number)) for number in range(50)]
    for step in [0, *steps]:
        count += step
        listed = market[max(0, count - window) : count]
        new, follows = history.new_ones(listed if newest_last else listed[::-1], 2_000_000)
        assert follows is not False
        given_out += [row.ticks for row in new]
    assert given_out == list(range(max(0, 3 - window), count))


@pytest.mark.parametrize("newest_last", [False, True])
@pytest.mark.parametrize("wrong", [-3_600_000, -900, 3_600_000])
def test_one_time_out_of_place_does_not_disturb_the_lists(wrong: int, newest_last: bool) -> None:
    """An hour behind it would stand at the end of each list. Two trades each have one time."""
    history, given_out = TradeHistory(), list[int]()
    off = {17: wrong}
    market = [
        TradeRow(number, 1, "BUY", 1_000_000_000 + number // 2 * 100 + off.get(number, 0)) for number in range(60)
    ]
    for count in (10, 11, 14, *range(15, 61)):
        listed = market[max(0, count - 12) : count]
        new, follows = history.new_ones(listed if newest_last else listed[::-1], 1_000_020_000)
        assert follows is not False
        given_out += [row.ticks for row in new]
    assert given_out == list(range(60))


def test_a_wrong_time_stays_where_it_was_when_the_time_comes_that_it_says() -> None:
    history = TradeHistory()
    history.new_ones(rows(3, 2, 1), 10)
    assert history.new_ones(rows(4, 20, 3, 2), 10) == (rows(20, 4), True)
    assert history.new_ones(rows(5, 4, 20, 3), 30) == (rows(5), True)


def orderbook(seconds: int, *trades: tuple[int, int]) -> bytes:
    """A book with its latest trades, each of a price and of so many milliseconds from when it is received."""
    now = NOW.epoch_ms + seconds * 1000
    listed = [{"lots": 1, "ticks": ticks, "side": "BUY", "created": now + distance} for ticks, distance in trades]
    return packet("orderbook", {**BOOK, "trades": listed})


def later(seconds: int) -> Now:
    return Now(NOW.mono + seconds, NOW.epoch_ms + seconds * 1000)


def test_a_trade_stamped_an_hour_ahead_is_given_as_it_is_and_said_and_no_trade_is_said_to_be_missing() -> None:
    session = connected(line_of("trades"))
    session.receive(orderbook(0, (2, -1000), (1, -2000)), NOW)
    notice, ahead = session.receive(orderbook(1, (3, 3_600_000), (2, -2000), (1, -3000)), later(1))
    assert isinstance(notice, Notice)
    assert "60 min ahead of our clock" in notice.text
    assert (ahead.price, ahead.time) == (3, NOW.epoch_ms + 3_601_000)
    for second in range(2, 9):
        distance = (1 - second) * 1000
        newer = [(2 + number, -(second - number) * 1000) for number in range(second, 1, -1)]
        listed = [*newer, (3, distance + 3_600_000), (2, distance - 2000)]
        (trade,) = session.receive(orderbook(second, *listed), later(second))
        assert (trade.price, trade.time) == (2 + second, later(second).epoch_ms)


@pytest.mark.parametrize("days", [2, -2])
def test_a_clock_that_is_days_off_loses_no_trade(days: int) -> None:
    session = connected(line_of("trades"))
    skew, out = days * 86_400_000, list[Any]()
    for second in range(10):
        listed = [(1 + number, skew - (second - number) * 1000) for number in range(second, -1, -1)]
        out += session.receive(orderbook(second, *listed), later(second))
    assert [item.price for item in out if isinstance(item, records.Trade)] == list(range(1, 11))
    assert [item.ms for item in out if isinstance(item, ClockOffset)] == [skew]


def test_old_trades_of_the_first_list_tell_nothing_of_the_clock() -> None:
    session = connected(line_of("trades"))
    out = session.receive(orderbook(0, *[(number, -3 * 86_400_000) for number in range(1, 30)]), NOW)
    assert not [item for item in out if isinstance(item, ClockOffset | Notice)]
    assert len(out) == 30


def test_orders_and_candles_tell_of_the_clock_too() -> None:
    row = {"id": 1, "state": "NEW", "side": "BUY", "resd": 1, "exec": 0, "symbol": "BTCUSDT"}
    session = connected(line_of("orders"))
    out = [
        item
        for second in range(5)
        for item in session.receive(
            packet("openorders", {"modify": [{**row, "modified": later(second).epoch_ms - 7_200_000}]}), later(second)
        )
    ]
    assert [item.ms for item in out if isinstance(item, ClockOffset)] == [-7_200_000]


def test_a_short_list_makes_no_trade_forgotten() -> None:
    history = TradeHistory()
    for listed in (rows(3, 2, 1), rows(3)):
        history.new_ones(listed, LATEST)
    assert history.new_ones(rows(5, 2), LATEST) == (rows(5), False)


def test_what_is_older_than_the_first_list_stays_away() -> None:
    history = TradeHistory()
    history.new_ones(rows(5, 4), LATEST)
    assert history.new_ones(rows(6, 5, 4, 3, 2), LATEST) == (rows(6), True)


def test_of_two_ways_to_lay_lists_upon_each_other_the_longer_one_counts() -> None:
    a, b, c, z = (TradeRow(ticks=ticks, lots=1, side="BUY", created=5) for ticks in (1, 2, 3, 4))
    history = TradeHistory()
    history.new_ones([a, b], LATEST)
    assert history.new_ones([c, a, b, z, a], LATEST) == ([c], True)


def test_a_trade_that_comes_late_is_given_alone_and_said_to_be_out_of_order() -> None:
    history = TradeHistory()
    history.new_ones(rows(5, 3, 1), LATEST)
    assert history.new_ones(rows(5, 4, 3, 3, 1), LATEST) == (rows(3, 4), False)
    assert history.new_ones(rows(6, 5, 4, 3, 3, 1), LATEST) == (rows(6), True)
    line = line_of("trades")
    session = connected(line)
    late = {**BOOK["trades"][0], "created": 1_716_136_436_700}  # type: ignore[index]
    later = {**BOOK["trades"][0], "lots": 9}  # type: ignore[index]
    session.receive(packet("orderbook", BOOK), NOW)
    session.receive(packet("orderbook", {**BOOK, "trades": [later, *BOOK["trades"]]}), NOW)  # type: ignore[misc]
    status, trade = session.receive(packet("orderbook", {**BOOK, "trades": [later, late]}), NOW)
    assert status == StreamState(
        "trades", "live", "trades may have been missed: those listed do not follow on each other"
    )
    assert trade.time == late["created"]


def test_after_an_empty_list_nothing_is_claimed() -> None:
    history = TradeHistory()
    assert history.new_ones([], LATEST) == ([], None)
    assert history.new_ones(rows(1), LATEST) == (rows(1), None)
    assert history.new_ones([], LATEST) == ([], None)
    assert history.new_ones(rows(2), LATEST) == (rows(2), None)


def test_a_list_without_trades_proves_nothing_after_a_reconnect() -> None:
    line = line_of("trades")
    connected(line).receive(packet("orderbook", BOOK), NOW)
    (live,) = connected(line).receive(packet("orderbook", {**BOOK, "trades": []}), NOW)
    assert live == StreamState("trades", "live", "")
    (live,) = connected(line).receive(packet("orderbook", BOOK), NOW)
    assert live == StreamState("trades", "live", "no trade was missed")


def test_of_two_candles_in_one_message_the_earlier_comes_first_whichever_is_new() -> None:
    kline = {"created": 61, "o": 1, "h": 1, "l": 1, "c": 1, "v": 1}
    for message in (
        {"add": kline, "modify": {**kline, "created": 121}},
        {"add": {**kline, "created": 121}, "modify": kline},
    ):
        items = connected(line_of("candles")).receive(packet("kline", message), NOW)
        candles = [item for item in items if isinstance(item, records.Candle)]
        assert [candle.start for candle in candles if not candle.closed] == [61_000, 121_000]
        assert [candle.start for candle in candles if candle.closed] == ([61_000] if message["modify"] is kline else [])


@pytest.mark.parametrize(
    ("gone", "status"),
    [
        ({"state": "TRADE", "resd": 0, "exec": 5}, "filled"),
        ({"state": "TRADE", "resd": 0, "exec": 0}, "cancelled"),
        ({"state": "TRADE", "resd": 0}, "cancelled"),
        ({"state": "TRADE", "resd": 1, "exec": 5}, "cancelled"),
        ({"state": "CANCEL", "resd": 0, "exec": 5}, "cancelled"),
        ({}, "cancelled"),
    ],
)
def test_what_is_cancelled_was_filled_only_where_all_of_it_was_executed(gone: dict[str, Any], status: str) -> None:
    (order,) = connected(line_of("orders")).receive(packet("openorders", {"cancel": [{"id": 1, **gone}]}), NOW)
    assert (order.order_id, order.status, order.change) == ("1", status, "remove")


def test_a_filled_order_that_is_then_taken_away_was_not_cancelled() -> None:
    session = connected(line_of("orders"))
    lots = {"id": 1, "side": "BUY", "resd": 0, "exec": 5}
    session.receive(packet("openorders", {"modify": [{**lots, "state": "TRADE"}]}), NOW)
    (order,) = session.receive(packet("openorders", {"cancel": [1]}), NOW)
    assert (order.status, order.change) == ("filled", "remove")
    (order,) = session.receive(packet("openorders", {"cancel": [{"id": 1, "state": "CANCEL"}]}), NOW)
    assert order.status == "cancelled"
    (order,) = session.receive(packet("openorders", {"cancel": [2]}), NOW)
    assert order.status == "cancelled"


def test_an_order_of_which_only_the_id_is_known_has_no_unit_of_sizes() -> None:
    orders = connected(line_of("orders")).receive(packet("openorders", {"cancel": [1, {"id": 2, "resd": 3}]}), NOW)
    assert [order.size_unit for order in orders] == [None, "raw_lots"]


def test_what_is_owed_is_a_short_position_of_which_nothing_is_locked() -> None:
    owed = {"spot": [{"asset": "BTC", "balance": "-0.50", "available": "0"}]}
    items = connected(line_of("balance", "positions")).receive(packet("positions", owed), NOW)
    (balance,) = (item for item in items if isinstance(item, records.Balance))
    assert (balance.total, balance.available, balance.locked) == (Decimal("-0.50"), 0, None)
    (position,) = (item for item in items if isinstance(item, records.Position))
    assert (position.side, position.size) == ("short", Decimal("0.50"))


def test_only_a_new_candle_closes_the_one_before() -> None:
    kline = {"created": 60, "o": 1, "h": 1, "l": 1, "c": 1, "v": 1}
    for later, closed in (("modify", [False]), ("add", [True, False])):
        session = connected(line_of("candles"))
        session.receive(packet("kline", {"modify": kline}), NOW)
        candles = session.receive(packet("kline", {later: {**kline, "created": 120}}), NOW)
        assert [candle.closed for candle in candles] == closed


# --- states that have to be asked for again ------------------------------------------------------------------------


def test_a_doubtful_state_is_asked_for_again_at_a_pace() -> None:
    session = connected(line_of("balance"))
    assert len(sent(session)) == 1
    good = packet("positions", {"spot": []})
    session.receive(good, NOW)
    session.receive(packet("positions", {"spot": None}), NOW)
    times = []
    for _ in range(3):
        due = session.deadline()
        session.tick(Now(due, NOW.epoch_ms))
        times.append(due - NOW.mono)
        assert [event for event, _ in sent(session)] == ["positions"]
    assert times == [1.0, 3.0, 7.0]
    session.receive(good, Now(1008.0, NOW.epoch_ms))
    assert session.deadline() > 1040  # the heartbeat's


def test_changes_without_a_state_are_not_asked_for_again() -> None:
    session = connected(line_of("orders"))
    sent(session)
    session.receive(packet("openorders", 1), NOW)
    session.tick(Now(NOW.mono + 20, NOW.epoch_ms))
    assert not sent(session)


def test_silence_is_told_once() -> None:
    session = connected(line_of("book"))
    late = Now(NOW.mono + SILENT_AFTER, NOW.epoch_ms)
    (told,) = session.tick(late)
    assert isinstance(told, Notice)
    assert "the symbol" in told.text
    assert not session.tick(late)


def test_events_before_we_are_let_in_count() -> None:
    session = line_of("book").session(SECRETS)
    session.opened(NOW)
    session.receive(OPEN_2.encode(), NOW)
    assert [type(item) for item in session.receive(packet("orderbook", BOOK), NOW)] == [StreamState, records.Book]
    assert [type(item) for item in session.receive(b"40", NOW)] == [Notice]  # not syncing again
    assert len(sent(session)) == 1


def test_a_ping_without_an_answer_is_late() -> None:
    session = connected(line_of("ping"))
    for second in range(1, 6):
        items = session.tick(Now(NOW.mono + second, NOW.epoch_ms))
    assert [(item.stream, item.state) for item in items] == [("ping", "stale")]
    assert not session.tick(Now(NOW.mono + 6, NOW.epoch_ms))
    assert session.take().count(SocketPing()) == 5
    assert [type(item) for item in session.pong(Now(NOW.mono + 6, NOW.epoch_ms))] == [StreamState, records.Pong]


# --- who says no ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 404])
def test_who_answers_without_a_websocket_is_no_socketio_server(status: int) -> None:
    problem = line_of("book").refused(status, "hello")
    assert isinstance(problem, Lost)
    assert not problem.retry
    assert "no Socket.IO server" in problem.reason
    assert "framing" in problem.reason


def test_what_an_http_status_means_in_bare_framing() -> None:
    line = line_of("book", framing="bare")
    assert line.refused(404, "x") == Lost(
        "there is nothing to connect to at this address (HTTP 404: x); check url", retry=False
    )
    assert line.refused(503, "").retry
    assert isinstance(line.refused(401, ""), Refused)


def test_an_echo_is_no_socketio_server() -> None:
    session = line_of("book").session(SECRETS)
    session.opened(NOW)
    assert not session.take()  # nothing to echo
    assert not session.tick(Now(session.deadline(), NOW.epoch_ms))
    (frame,) = session.take()
    (problem,) = session.receive(frame.encode(), NOW)
    check = 'check url, and set framing = "bare" if it speaks without Socket.IO'
    assert problem == Lost(f"this is no Socket.IO server: it sends back what it is sent; {check}", retry=False)


def test_a_bare_echo_is_not_jayx() -> None:
    session = connected(line_of("balance", framing="bare"))
    (frame,) = session.take()
    (problem,) = session.receive(frame.text.encode(), NOW)
    assert problem == Lost("this is not JayX: it sends back what it is sent; check url", retry=False)


def test_a_bare_session_that_is_over_has_no_deadline_and_neither_asks_nor_tells_of_silence() -> None:
    session = connected(line_of("balance", framing="bare"))
    (frame,) = session.take()
    assert session.deadline() is not None
    session.receive(frame.text.encode(), NOW)
    later = Now(NOW.mono + 2 * SILENT_AFTER, NOW.epoch_ms)
    assert (session.deadline(), session.tick(later), session.take()) == (None, [], [])


def test_an_error_after_data_is_no_refusal() -> None:
    session = connected(line_of("book"))
    session.receive(packet("orderbook", BOOK), NOW)
    (notice,) = session.receive(packet("error", "too many"), NOW)
    assert notice == Notice("jayx says: too many")
    (lost,) = session.receive(b"41", NOW)
    assert lost == Lost("jayx put us out: too many")
    session = connected(line_of("book"))
    session.receive(packet("error", "too many"), NOW)
    assert isinstance(session.closed(1000, "", NOW)[0], Refused)
    session.receive(packet("orderbook", BOOK), NOW)
    session.receive(packet("error", "too many"), NOW)
    assert session.closed(1000, "", NOW) == [Lost("jayx closed the connection, having said: too many")]
    session.receive(packet("orderbook", BOOK), NOW)
    assert session.closed(1000, "", NOW) == []


def test_data_that_needs_no_key_does_not_vouch_for_the_key() -> None:
    for end in (lambda session: session.receive(b"41", NOW), lambda session: session.closed(1000, "", NOW)):
        line = line_of("book", "balance")
        session = connected(line)
        session.receive(packet("orderbook", BOOK), NOW)
        session.receive(packet("error", "unknown apiKey"), NOW)
        session.receive(packet("orderbook", BOOK), NOW)  # of before the hub put us out
        (refused,) = end(session)
        assert isinstance(refused, Refused)
        assert "unknown apiKey" in refused.reason
        session = connected(line)
        session.receive(packet("positions", {"spot": []}), NOW)
        session.receive(packet("error", "too many"), NOW)
        assert isinstance(end(session)[0], Lost)


def test_the_generation_of_the_server_is_kept() -> None:
    line = line_of("book")
    connected(line)
    assert line.learnt == 4


def test_orders_of_another_symbol_are_not_of_this_stream() -> None:
    session = connected(line_of("orders"))
    row = {"state": "NEW", "side": "BUY", "resd": 3, "exec": 0, "symbol": "ETHUSDT"}
    others: list[Any] = [{**row, "id": 1}, {**row, "id": 2}, {**row, "id": "3", "symbol": ""}]
    (told, order) = session.receive(
        packet("openorders", {"modify": [*others, {**row, "id": 7, "symbol": "BTCUSDT"}]}), NOW
    )
    assert told == Notice("jayx tells of orders of other symbols too, such as ETHUSDT; they are not shown")
    assert order.order_id == "7"
    gone = {"modify": [{**row, "id": 2, "state": "TRADE", "resd": 0, "exec": 3}], "cancel": [1, {"id": "3"}, {"id": 7}]}
    (order,) = session.receive(packet("openorders", gone), NOW)
    assert (order.order_id, order.change) == ("7", "remove")
    again = {"cancel": [2, {"id": 1, "symbol": "BTCUSDT"}, {"id": 5, "symbol": "ETHUSDT"}]}
    for gone in (again, {"cancel": [5, 1]}):
        (order,) = session.receive(packet("openorders", gone), NOW)
        assert order.order_id == "1"


def test_orders_of_another_symbol_are_known_from_a_bad_message_too() -> None:
    session = connected(line_of("orders"))
    row = {"state": "NEW", "side": "BUY", "resd": 3, "exec": 0, "symbol": "ETHUSDT"}
    bad = {"modify": [{**row, "id": 1, "symbol": "BTCUSDT", "side": "HOLD"}, {**row, "id": 2}]}
    assert isinstance(session.receive(packet("openorders", bad), NOW)[0], BadFrame)
    (live, told) = session.receive(packet("openorders", {"cancel": [2]}), NOW)
    assert (live.state, told) == (
        "live",
        Notice("jayx tells of orders of other symbols too, such as ETHUSDT; they are not shown"),
    )


def test_what_is_kept_of_other_symbols_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jayx_account, "MOST_KEPT", 2)
    session = connected(line_of("orders"))
    row = {"state": "NEW", "side": "BUY", "resd": 3, "exec": 0, "symbol": "ETHUSDT"}
    session.receive(packet("openorders", {"modify": [{**row, "id": number} for number in (1, 2, 3)]}), NOW)
    (order,) = session.receive(packet("openorders", {"cancel": [3, 2, 1]}), NOW)
    assert order.order_id == "1"


@pytest.mark.parametrize("stream", ["book", "orders"])
def test_an_error_and_then_nothing_is_a_refusal(stream: str) -> None:
    session = connected(line_of(stream))
    session.receive(packet("error", "no such symbol"), NOW)
    late = Now(NOW.mono + SILENT_AFTER, NOW.epoch_ms)
    (refused,) = session.tick(late)
    assert isinstance(refused, Refused)
    assert "no such symbol" in refused.reason
    session = connected(line_of(stream))
    session.receive(packet("error", "no such symbol"), NOW)
    session.receive(packet(*(("orderbook", BOOK) if stream == "book" else ("openorders", {"modify": []}))), NOW)
    assert not session.tick(late)


@pytest.mark.parametrize(
    ("stream", "event"),
    [("book", "orderbook"), ("candles", "kline"), ("orders", "openorders"), ("balance", "positions")],
)
def test_an_error_where_data_should_be_is_told_in_its_words(stream: str, event: str) -> None:
    session = connected(line_of(stream))
    assert session.receive(packet(event, {"error": "unknown key"}), NOW) == [Notice("jayx says: unknown key")]
    (refused,) = session.tick(Now(NOW.mono + SILENT_AFTER, NOW.epoch_ms))
    assert isinstance(refused, Refused)
    assert "unknown key" in refused.reason


@pytest.mark.parametrize("payload", [{}, {"error": None}, {"error": False}, {"error": ""}, "subscribed"])
def test_a_message_without_data_and_without_an_error_is_a_bad_frame(payload: Any) -> None:
    for stream, event in (("book", "orderbook"), ("candles", "kline"), ("orders", "openorders")):
        assert isinstance(connected(line_of(stream)).receive(packet(event, payload), NOW)[0], BadFrame)


def test_an_error_after_data_leaves_a_doubt() -> None:
    session = connected(line_of("orders"))
    session.receive(packet("openorders", {"modify": []}), NOW)
    bad, stale = session.receive(packet("openorders", {"error": "busy"}), NOW)
    assert (type(bad), stale.state) == (BadFrame, "stale")


@pytest.mark.parametrize("payload", ["words", {"message": "words"}, {"error": "words"}, {"reason": "words"}])
def test_the_words_of_an_error(payload: Any) -> None:
    session = connected(line_of("book"))
    assert session.receive(packet("error", payload), NOW) == [Notice("jayx says: words")]
    assert session.receive(packet("error", [7]), NOW) == [Notice("jayx says: [7]")]


# --- anything at all -----------------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def parts(**fields: Any) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries({}, optional={name: JSON | good for name, good in fields.items()}) | JSON


INTEGER = st.integers(-1, 10**19)
LEVELS = st.lists(parts(ticks=INTEGER, lots=INTEGER, count=INTEGER), max_size=3)
TRADES = st.lists(
    parts(ticks=INTEGER, lots=INTEGER, side=st.sampled_from(["BUY", "SELL"]), created=INTEGER), max_size=3
)
KLINE = parts(
    created=INTEGER, o=INTEGER, h=INTEGER, l=INTEGER, c=INTEGER, v=INTEGER, m=INTEGER, symbol=st.just("BTCUSDT")
)
ORDER = parts(
    id=INTEGER, state=st.sampled_from(["NEW", "TRADE", "CANCEL"]), side=st.just("BUY"), resd=INTEGER, exec=INTEGER,
    cost=INTEGER, lastLots=INTEGER, lastTicks=INTEGER, price=st.just("1"), quantity=st.just("1"),
)  # fmt: skip
ASSET = parts(asset=st.text(max_size=3), balance=st.just("2"), available=st.just("1"))
PAYLOADS = {
    "orderbook": parts(orderBook=parts(asks=LEVELS, bids=LEVELS), trades=TRADES),
    "kline": parts(add=KLINE, modify=KLINE),
    "openorders": parts(cancel=st.lists(ORDER, max_size=2), modify=st.lists(ORDER, max_size=2)),
    "positions": parts(spot=st.lists(ASSET, max_size=3)),
    "error": JSON,
}
EVENTS = st.one_of([st.tuples(st.just(name), payload) for name, payload in PAYLOADS.items()])
OURS = (Record, StreamState, Confirmed, BadFrame, Notice, Refused, Lost)


@given(events=st.lists(EVENTS, max_size=6))
def test_whatever_comes_only_our_own_items_come_out(events: list[tuple[str, Any]]) -> None:
    for framing in ("socketio", "bare"):
        session = connected(line_of(*STREAMS, framing=framing))
        for name, payload in events:
            named = json.dumps({"event": name, "data": payload}).encode()
            frames = [packet(name, payload)] if framing == "socketio" else [named, json.dumps(payload).encode()]
            for frame in frames:
                for item in session.receive(frame, NOW):
                    assert isinstance(item, OURS)


@given(frames=st.lists(st.binary(max_size=60) | st.text(max_size=40).map(str.encode), max_size=4))
def test_whatever_frames_come_only_our_own_items_come_out(frames: list[bytes]) -> None:
    for framing in ("socketio", "bare"):
        session = connected(line_of(*STREAMS, framing=framing))
        for frame in [*frames, *(b"42" + frame for frame in frames)]:
            for item in session.receive(frame, NOW):
                assert isinstance(item, OURS)


@pytest.mark.parametrize("name", list(PAYLOADS))
def test_recursion_is_a_bad_frame(name: str) -> None:
    deep = "[" * 100_000
    session = connected(line_of(*STREAMS, framing="bare"))
    items = session.receive(f'{{"event":"{name}","data":{deep}'.encode(), NOW)
    assert isinstance(items[0], BadFrame)
    session = connected(line_of(*STREAMS))
    items = session.receive(f'42["{name}",{deep}'.encode(), NOW)
    assert isinstance(items[0], BadFrame)


@pytest.mark.parametrize("name", ["nobody_knows", "error"])
def test_a_flood_of_events_that_mean_nothing_is_a_bad_frame_and_then_a_lost_line(name: str) -> None:
    session = connected(line_of("book"))
    session.take()
    items: list[Any] = []
    for number in range(5000):
        items += session.receive(packet(name, {"x": 1}), Now(NOW.mono + number / 10_000, NOW.epoch_ms))
    assert len(items) < 2000, items[:3]
    bad = [item.reason for item in items if isinstance(item, BadFrame)]
    assert len(bad) == 1
    assert "a flood of messages that belong to no stream of ours" in bad[0]
    assert items[-1] == Lost("the server sent a flood of messages that belong to no stream of ours")


def test_events_that_nobody_asked_for_here_but_jayx_has_are_no_flood() -> None:
    session = connected(line_of("book"))
    frame = packet("kline", {"add": None, "modify": None})
    assert not any(session.receive(frame, NOW) for _ in range(5000))


# --- events before we are let in -----------------------------------------------------------------------------------

CROSSED = {**BOOK, "orderBook": {"asks": BOOK["orderBook"]["bids"], "bids": BOOK["orderBook"]["asks"]}}  # type: ignore[index]


@pytest.mark.parametrize(
    "early", [packet("orderbook", CROSSED), b'42["orderbook",{"a":1}]', b'42["orderbook"]', b"42["]
)
@pytest.mark.parametrize("good_before", [True, False])
def test_a_bad_event_before_we_are_let_in_asks_for_nothing_yet(early: bytes, good_before: bool) -> None:
    session = line_of("book", "trades").session(SECRETS)
    session.opened(NOW)
    session.receive(OPEN_4.encode(), NOW)
    if good_before:
        session.receive(packet("orderbook", BOOK), NOW)
    session.receive(early, NOW)
    for seconds in (1, 2, 5):
        assert session.tick(Now(NOW.mono + seconds, NOW.epoch_ms)) == []
        assert sent(session) == []
    later = Now(NOW.mono + 6, NOW.epoch_ms)
    session.receive(b'40{"sid":"b"}', later)
    assert len(sent(session)) == 1, "now it is asked for"
    if good_before:
        asked_again = session.deadline()
        assert asked_again is not None
        assert asked_again <= later.mono + 1, "and again, should the state that is needed not come"
        session.tick(Now(later.mono + 1, NOW.epoch_ms))
        assert len(sent(session)) == 1


def test_a_session_that_is_over_asks_for_nothing() -> None:
    session = connected(line_of("book"))
    session.receive(packet("orderbook", CROSSED), NOW)
    sent(session)
    (lost,) = [item for item in session.receive(b"41", NOW) if isinstance(item, Lost)]
    assert "put us out" in lost.reason
    assert session.tick(Now(NOW.mono + 60, NOW.epoch_ms)) == []
    assert sent(session) == []


def test_a_refusal_of_who_let_us_in_before_is_tried_again() -> None:
    line = line_of("book")
    driver = Driver(line, line.subscriptions, venue="jayx")
    driver.begin(SECRETS, 0.0)
    driver.opened(NOW)
    for frame in (OPEN_4.encode(), b'40{"sid":"b"}', packet("orderbook", BOOK)):
        driver.receive(frame, NOW)
    driver.closed(None, "", NOW)
    driver.begin(SECRETS, 0.0)
    later = Now(NOW.mono + 12, NOW.epoch_ms)
    driver.opened(later)
    driver.receive(OPEN_4.encode(), later)
    (status,) = driver.receive(b'44{"message":"not now"}', later)
    assert isinstance(status, records.Status)
    assert status.state == "reconnecting"
    assert status.reason == "jayx refused the connection: not now, it was there 12 s ago"
    assert driver.ended is None
