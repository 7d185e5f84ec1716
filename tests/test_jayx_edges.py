"""JayX at its edges: lists of trades with odd times, texts that are just too long, moments just before a deadline."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from msgspec import Raw

from tests.test_jayx import (
    BOOK,
    NOW,
    OPEN_4,
    SECRETS,
    asked,
    connected,
    line_of,
    packet,
    rows,
    sent,
)
from venues.errors import SetupError, UsageError
from venues.jayx import JAYX
from venues.jayx.account import AssetsFeed, OrderMemory, OrdersFeed
from venues.jayx.fields import Common, Scale, values_of, written_interval
from venues.jayx.market import MOST_KNOWN_TRADES, BookFeed, EventStream, KlineFeed, TradeHistory, TradesFeed
from venues.jayx.messages import TradeRow, event_told_by_keys
from venues.jayx.session import EXPELLED_AT_FIRST, SILENT_AFTER
from venues.records import Balance, Book, Order, Position, Trade
from venues.toolkit import book as books
from venues.toolkit import row_times
from venues.toolkit.clock import VenueClock
from venues.venue import BadFrame, Confirmed, Lost, Notice, Now, Refused, Settings, StreamState


def at(seconds: float) -> Now:
    return Now(NOW.mono + seconds, NOW.epoch_ms + round(seconds * 1000))


# --- what a feed awaits --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("event", ["book", "trades", "candles", "orders", "assets"])
def test_a_feed_awaits_its_first_message_from_the_start_and_again_after_a_doubt(event: str) -> None:
    common = Common("", "BTCUSDT", Scale(None, None), VenueClock())
    feeds: dict[str, EventStream] = {
        "book": BookFeed(common, [asked("book")]),
        "trades": TradesFeed(common, TradeHistory()),
        "candles": KlineFeed(common, 60_000, "1m"),
        "orders": OrdersFeed(common, OrderMemory()),
        "assets": AssetsFeed(common, ["balance"], "spot"),
    }
    feed = feeds[event]
    assert (feed.awaited, feed.heard) == (True, False)
    feed.doubt("why", NOW)
    assert (feed.awaited, feed.heard) == (True, False)


# --- lists of trades -----------------------------------------------------------------------------------------------

LATEST = 1_000_000


@pytest.mark.parametrize(
    ("listed", "ordered"),
    [
        # One in a hundred times smaller units stands where it was listed, any other where its time says.
        ([9_999, LATEST], [LATEST, 9_999]),
        ([10_000, LATEST], [10_000, LATEST]),
        ([10_001, LATEST], [10_001, LATEST]),
        # So does one that is later than can be.
        ([LATEST - 5, LATEST + 1, LATEST - 9], [LATEST - 9, LATEST + 1, LATEST - 5]),
        ([LATEST - 1, LATEST], [LATEST - 1, LATEST]),
        ([LATEST - 9, LATEST, LATEST - 5], [LATEST - 9, LATEST - 5, LATEST]),
        ([LATEST + 2, LATEST + 1], [LATEST + 1, LATEST + 2]),
        ([LATEST + 1, LATEST + 2], [LATEST + 2, LATEST + 1]),
        # One of four may be out of place, and no more.
        ([9, 8, 1, 7], [7, 1, 8, 9]),
        ([9, 1, 8], [1, 8, 9]),
        ([9, 3, 2, 8, 7, 6, 5, 4], [4, 5, 6, 7, 8, 2, 3, 9]),
        ([9, 3, 2, 8, 7, 6, 5], [2, 3, 5, 6, 7, 8, 9]),
        ([5, 6, 7, 8, 2, 3, 9, 10], [5, 6, 7, 8, 2, 3, 9, 10]),
        ([2, 3, 4, 5, 6, 1], [2, 3, 4, 5, 6, 1]),
        ([], []),
        ([5], [5]),
    ],
)
def test_the_order_of_a_first_list(listed: list[int], ordered: list[int]) -> None:
    new, follows = TradeHistory().new_ones(rows(*listed), LATEST)
    assert ([row.created for row in new], follows) == (ordered, None)


def test_trades_of_one_time_keep_the_order_that_a_list_before_had() -> None:
    history = TradeHistory()
    first = [TradeRow(ticks, 1, "BUY", time) for ticks, time in ((1, 5), (2, 6))]
    assert history.new_ones(first, LATEST)[0] == first
    same = [TradeRow(ticks, 1, "BUY", 7) for ticks in (3, 4)]
    assert history.new_ones(same, LATEST)[0] == same, "the oldest is listed first here"
    assert TradeHistory().new_ones(same, LATEST)[0] == same[::-1], "the newest, where nothing is known"


def test_so_many_trades_are_known_and_no_more() -> None:
    history = TradeHistory()
    history.new_ones(rows(*range(MOST_KNOWN_TRADES, 0, -1)), LATEST)
    assert len(history.known) == MOST_KNOWN_TRADES == 1_000
    history.new_ones(rows(MOST_KNOWN_TRADES + 1, MOST_KNOWN_TRADES), LATEST)
    assert [row.created for row in (history.known[0], history.known[-1])] == [MOST_KNOWN_TRADES + 1, 2]
    assert len(history.known) == MOST_KNOWN_TRADES


def test_after_a_list_that_leads_nowhere_so_many_trades_are_known_too() -> None:
    history = TradeHistory()
    history.new_ones(rows(*range(MOST_KNOWN_TRADES, 0, -1)), LATEST)
    new, follows = history.new_ones(rows(5_001, 5_000), LATEST)
    assert ([row.created for row in new], follows) == ([5_000, 5_001], False)
    assert [row.created for row in (history.known[0], history.known[-1])] == [5_001, 3]


def test_an_empty_list_comes_between_and_nothing_is_claimed_only_of_the_next() -> None:
    history = TradeHistory()
    assert history.new_ones(rows(1), LATEST) == (rows(1), None)
    assert history.new_ones([], LATEST) == ([], None)
    assert history.new_ones(rows(9), LATEST) == (rows(9), None)
    assert history.new_ones(rows(20), LATEST) == (rows(20), False)


def test_of_two_other_symbols_in_one_message_the_first_is_told() -> None:
    kline = {"symbol": "A", "created": 61, "o": 1, "h": 1, "l": 1, "c": 1, "v": 1}
    session = connected(line_of("candles"))
    (told,) = session.receive(packet("kline", {"add": {**kline, "symbol": "B"}, "modify": kline}), at(0))
    assert "A" in told.text
    assert "B" not in told.text.replace("BTCUSDT", "")


# --- account -------------------------------------------------------------------------------------------------------

ROW = {"id": 7, "symbol": "BTCUSDT", "state": "NEW", "side": "BUY", "resd": 3, "exec": 0}


@pytest.mark.parametrize(("length", "shown"), [(39, "S" * 39), (40, "S" * 40), (41, "S" * 39 + "…")])
def test_another_symbol_is_told_in_forty_characters(length: int, shown: str) -> None:
    session = connected(line_of("orders"))
    (told,) = session.receive(packet("openorders", {"modify": [{**ROW, "symbol": "S" * length}]}), at(0))
    assert told == Notice(f"jayx tells of orders of other symbols too, such as {shown}; they are not shown")


def test_the_first_of_other_symbols_is_told_and_only_once() -> None:
    session = connected(line_of("orders"))
    others = [{**ROW, "symbol": "FIRST"}, {**ROW, "id": 8, "symbol": "SECOND"}]
    (told,) = session.receive(packet("openorders", {"modify": others}), at(0))
    assert "such as FIRST;" in told.text
    assert session.receive(packet("openorders", {"modify": others}), at(1)) == []


def order(**fields: Any) -> Order:
    session = connected(line_of("orders"))
    (item,) = session.receive(packet("openorders", {"modify": [{**ROW, **fields}]}), at(0))
    assert isinstance(item, Order)
    return item


@pytest.mark.parametrize(
    ("fields", "figures"),
    [
        ({}, ("new", 3, 0, 3, None)),
        ({"exec": 1}, ("partially_filled", 4, 1, 3, None)),
        ({"exec": 1, "resd": 0}, ("filled", 1, 1, 0, None)),
        ({"exec": 1, "resd": 1, "state": "CANCEL"}, ("cancelled", 2, 1, 1, None)),
        ({"exec": 1, "resd": 0, "state": "CANCEL"}, ("cancelled", None, 1, 0, None)),
        ({"lastLots": 2, "exec": 2}, ("partially_filled", 5, 2, 3, 2)),
        ({"lastLots": 0}, ("new", 3, 0, 3, None)),
    ],
)
def test_the_figures_of_an_order(fields: dict[str, Any], figures: tuple[Any, ...]) -> None:
    found = order(**fields)
    assert (found.status, found.size, found.filled, found.remaining, found.last_size) == figures


def test_orders_that_are_all_older_are_confirmed_with_the_first_ones_time() -> None:
    session = connected(line_of("orders"))

    def orders(*ages: int) -> bytes:
        listed = [{**ROW, "id": number, "modified": NOW.epoch_ms - age} for number, age in enumerate(ages)]
        return packet("openorders", {"modify": listed})

    assert [type(item) for item in session.receive(orders(20, 10), at(0))] == [Order, Order]
    assert session.receive(orders(40, 30), at(1)) == [Confirmed("orders", NOW.epoch_ms - 40)]
    (later,) = session.receive(orders(40, 5), at(1))
    assert (later.order_id, later.time) == ("1", NOW.epoch_ms - 5)


@pytest.mark.parametrize(
    ("balance", "available", "locked"), [("2", "2", "0"), ("2", "1.5", "0.5"), ("0", "0", "0"), ("-1", "-1", "0")]
)
def test_what_is_locked_is_the_rest_of_the_balance(balance: str, available: str, locked: str) -> None:
    session = connected(line_of("balance"))
    assets = packet("positions", {"spot": [{"asset": "A", "balance": balance, "available": available}]})
    _, row, _ = session.receive(assets, at(0))
    assert isinstance(row, Balance)
    assert str(row.locked) == locked


def test_an_asset_that_is_all_sold_is_a_position_that_is_gone_with_nothing_of_it_left() -> None:
    session = connected(line_of("positions"))
    session.receive(packet("positions", {"spot": [{"asset": "A", "balance": "2", "available": "2"}]}), at(0))
    (gone,) = session.receive(packet("positions", {"spot": [{"asset": "A", "balance": "0", "available": "0"}]}), at(1))
    assert isinstance(gone, Position)
    assert (gone.change, gone.side, gone.size) == ("remove", "long", 0)


# --- silence, errors and being put out -----------------------------------------------------------------------------


@pytest.mark.parametrize(("seconds", "told"), [(SILENT_AFTER - 0.001, False), (SILENT_AFTER, True)])
def test_silence_is_told_at_its_moment(seconds: float, told: bool) -> None:
    session = connected(line_of("book"))
    assert session.deadline() == at(SILENT_AFTER).mono
    assert [type(item) for item in session.tick(at(seconds))] == [Notice] * told


def test_orders_alone_are_never_silent() -> None:
    session = connected(line_of("orders"))
    assert session.deadline() > at(SILENT_AFTER).mono
    assert session.tick(at(SILENT_AFTER)) == []


def test_after_an_error_the_silence_of_orders_is_a_refusal_unless_data_ever_came() -> None:
    session = connected(line_of("orders"))
    session.receive(packet("error", "no"), at(1))
    assert session.deadline() == at(1 + SILENT_AFTER).mono
    assert session.tick(at(1 + SILENT_AFTER - 0.001)) == []
    assert [type(item) for item in session.tick(at(1 + SILENT_AFTER))] == [Refused]
    line = line_of("orders")
    session = connected(line)
    session.receive(packet("openorders", {"modify": [ROW]}), at(0))
    session = connected(line)
    session.receive(packet("error", "no"), at(1))
    assert session.tick(at(1 + SILENT_AFTER)) == []


def test_an_error_does_not_put_off_what_is_due_already() -> None:
    session = connected(line_of("book"))
    session.receive(packet("error", "no"), at(1))
    assert session.deadline() == at(SILENT_AFTER).mono


@pytest.mark.parametrize(("length", "shown"), [(299, "w" * 299), (300, "w" * 300), (301, "w" * 299 + "…")])
def test_the_words_of_an_error_are_told_in_three_hundred_characters(length: int, shown: str) -> None:
    session = connected(line_of("book"))
    assert session.receive(packet("error", "w" * length), at(1)) == [Notice(f"jayx says: {shown}")]
    session = line_of("book").session(SECRETS)
    session.opened(at(0))
    session.receive(OPEN_4.encode(), at(0))
    (refused,) = session.receive(f'44{{"message":"{"w" * length}"}}'.encode(), at(0))
    assert refused == Refused(f"jayx refused the connection: {shown}", at_door=True)


def test_who_is_put_out_three_times_without_data_is_refused() -> None:
    line = line_of("book")
    ends = [connected(line).receive(b"41", at(1)) for _ in range(EXPELLED_AT_FIRST)]
    check = "check the symbol, category (spot)"
    assert ends == [
        [Lost("jayx put us out without a word")],
        [Lost("jayx put us out without a word")],
        [Refused(f"jayx refused book BTCUSDT: it put us out again and again, without a word; {check}")],
    ]
    session = connected(line)
    session.receive(packet("orderbook", BOOK), at(1))
    assert session.receive(b"41", at(1)) == [Lost("jayx put us out")]


def test_nothing_is_due_and_nothing_is_sent_once_we_left() -> None:
    session = connected(line_of("ping", "book"))
    session.take()
    session.leave(at(1))
    assert session.take() == ["41"]
    assert session.deadline() is None
    assert (session.tick(at(60)), session.take()) == ([], [])


def test_a_state_that_was_in_doubt_before_we_were_let_in_is_asked_for_again_a_second_later() -> None:
    session = line_of("balance").session(SECRETS)
    session.opened(at(0))
    session.receive(OPEN_4.encode(), at(0))
    session.receive(packet("positions", {"spot": []}), at(0))
    session.receive(packet("positions", {"spot": None}), at(0))
    session.receive(b'40{"sid":"b"}', at(0))
    assert [event for event, _ in sent(session)] == ["positions"]
    assert session.deadline() == at(1).mono
    session.tick(at(0.999))
    assert sent(session) == []
    session.tick(at(1))
    assert [event for event, _ in sent(session)] == ["positions"]


@pytest.mark.parametrize(
    ("precise", "is_good"), [("1" * 20, True), ("1" * 21, False), ("0." + "1" * 20, True), ("0." + "1" * 21, False)]
)
def test_a_grouping_has_twenty_digits_on_either_side_at_most(precise: str, is_good: bool) -> None:
    subscription = asked("book", options={"precise": precise})
    if is_good:
        (line,) = JAYX.routes([subscription], Settings(url="wss://v.example"))
        assert sent(connected(line))[0][1]["precise"] == precise
    else:
        with pytest.raises(UsageError, match="expected a number above 0"):
            JAYX.routes([subscription], Settings(url="wss://v.example"))


def test_what_to_set_is_said_once_and_of_the_first_symbol_by_name() -> None:
    line = line_of("book", "candles")
    first = connected(line)
    del first
    session = line.session(SECRETS)
    session.opened(at(0))
    session.receive(OPEN_4.encode(), at(0))
    states = session.receive(b'40{"sid":"b"}', at(0))
    assert [type(item) for item in states] == [StreamState, StreamState], "the notice came with the first connection"


def test_trades_of_the_first_message_come_oldest_first() -> None:
    session = connected(line_of("trades"))
    listed = [{"lots": 1, "ticks": n, "side": "BUY", "created": NOW.epoch_ms - 100 + n} for n in (3, 2, 1)]
    items = session.receive(packet("orderbook", {**BOOK, "trades": listed}), at(0))
    assert [item.price for item in items if isinstance(item, Trade)] == [1, 2, 3]


def test_only_the_first_argument_of_an_event_is_its_message() -> None:
    session = connected(line_of("book"))
    several = f"42{json.dumps(['orderbook', BOOK, 5])}"
    assert [type(item) for item in session.receive(several.encode(), at(0))] == [StreamState, Book]


def test_a_packet_with_one_event_asks_for_nothing_unless_it_wants_an_answer() -> None:
    session = connected(line_of("book"))
    stirred = []
    for frame in (packet("orderbook", BOOK), packet("orderbook", BOOK), b'427["orderbook",{}]', packet("x", 1), b"2"):
        session.take()
        session.receive(frame, at(1))
        stirred.append(session.stirred)
    assert stirred == [False, False, True, True, True]


@pytest.mark.parametrize("problem", ["tick", "packet"])
def test_a_connection_is_over_with_what_comes_last(problem: str) -> None:
    session = connected(line_of("ping", "book"))
    session.take()
    if problem == "tick":
        session.receive(packet("error", "no"), at(1))
        for second in range(2, 5):
            session.tick(at(second))
        items = session.tick(at(SILENT_AFTER))
        assert [type(item) for item in items] == [StreamState, Refused]
    else:
        items = session.receive(b"41", at(1))
        assert [type(item) for item in items] == [Lost]
    assert session.deadline() is None


@pytest.mark.parametrize(
    ("keys", "event"),
    [
        (["orderBook", "trades"], "orderbook"),
        (["orderBook"], "orderbook"),
        (["trades"], "orderbook"),
        (["add"], "kline"),
        (["add", "modify"], "kline"),
        (["cancel"], "openorders"),
        (["cancel", "modify"], "openorders"),
        (["spot"], "positions"),
        (["SPOT"], "positions"),
        (["linear"], None),
        ([], None),
    ],
)
def test_which_event_a_bare_message_is_of(keys: list[str], event: str | None) -> None:
    assert event_told_by_keys(dict.fromkeys(keys, Raw(b"{}")), "spot") == event


@pytest.mark.parametrize(("changed", "event"), [(b"[]", "openorders"), (b"{}", "kline"), (b"5", "kline")])
def test_what_was_changed_are_orders_in_a_list_and_else_a_candle(changed: bytes, event: str) -> None:
    assert event_told_by_keys({"modify": Raw(changed)}, "spot") == event


@pytest.mark.parametrize(("rows", "is_good"), [(2, True), (3, False)])
@pytest.mark.parametrize("what", ["trades", "modify", "cancel", "spot", "bids", "asks"])
def test_more_rows_than_there_can_be_are_a_bad_frame(
    what: str, rows: int, is_good: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_times, "MOST_AT_ONCE", 2)
    monkeypatch.setattr(books, "MOST_LEVELS", 2)
    session = connected(line_of("book", "trades", "orders", "balance"))
    messages: dict[str, tuple[str, Any]] = {
        "trades": ("orderbook", {**BOOK, "trades": BOOK["trades"] * rows}),
        "modify": ("openorders", {"modify": [{**ROW, "id": number} for number in range(rows)]}),
        "cancel": ("openorders", {"cancel": list(range(rows))}),
        "spot": ("positions", {"spot": [{"asset": f"A{n}", "balance": "1", "available": "1"} for n in range(rows)]}),
        "bids": ("orderbook", _book(bids=rows)),
        "asks": ("orderbook", _book(asks=rows)),
    }
    items = session.receive(packet(*messages[what]), at(0))
    bad = [item for item in items if isinstance(item, BadFrame) or getattr(item, "state", "") == "stale"]
    assert (not bad) is is_good


def _book(bids: int = 1, asks: int = 1) -> dict[str, Any]:
    sides = {
        "bids": [{"ticks": 101 - number, "lots": 1, "count": 1} for number in range(bids)],
        "asks": [{"ticks": 102 + number, "lots": 1, "count": 1} for number in range(asks)],
    }
    return {**BOOK, "orderBook": sides}


# --- what is configured --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("category", "is_good"), [("", False), ("a", True), ("a" * 40, True), ("a" * 41, False)])
def test_a_category_is_a_word_of_forty_letters_at_most(category: str, is_good: bool) -> None:
    if is_good:
        assert values_of({"category": category}).category == category
    else:
        with pytest.raises(SetupError, match="expected a word such as spot as category of jayx"):
            values_of({"category": category})


@pytest.mark.parametrize("key", ["tick_size", "lot_size"])
@pytest.mark.parametrize(
    ("size", "is_good"),
    [
        ("1e20", True),
        ("1e21", False),
        ("1e-20", True),
        ("1e-21", False),
        ("1" * 20, True),
        ("1" * 21, False),
        ("0." + "0" * 19 + "1", True),
        ("0." + "0" * 20 + "1", False),
        ("0", False),
        ("-1", False),
    ],
)
def test_a_size_has_twenty_digits_on_either_side_of_the_point_at_most(key: str, size: str, is_good: bool) -> None:
    settings = {"symbols": {"BTCUSDT": {key: size}}}
    if is_good:
        scale = values_of(settings).scale("BTCUSDT")
        assert [scale.tick, scale.lot] == [Decimal(size) if name == key else None for name in ("tick_size", "lot_size")]
    else:
        with pytest.raises(SetupError, match=rf"as symbols\.BTCUSDT\.{key} of jayx"):
            values_of(settings)


@pytest.mark.parametrize(
    ("seconds", "written"),
    [(1, "1s"), (59, "59s"), (60, "1m"), (90, "90s"), (3_540, "59m"), (3_600, "1h"), (82_800, "23h"), (86_400, "1d"),
     (518_400, "6d"), (604_800, "1w")],
)  # fmt: skip
def test_a_length_is_written_in_the_largest_unit_that_fits(seconds: int, written: str) -> None:
    assert written_interval(seconds) == written
