"""Kraken's connection at its edges: what stirs it, when a first state is late, which symbols its states name."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.test_kraken import BOTH, HEARTBEAT, Line, ack, book, candles, live_quotes, pair, said, status
from venues.kraken import session as kraken_session
from venues.kraken.conditions import LONGEST_WORD, Conditions
from venues.kraken.messages import Maintenance, Pair, State
from venues.records import Quote
from venues.venue import EVERY_LEVEL, BadFrame, Confirmed, Notice, Subscription

TICKER = {"bid": 1.0, "bid_qty": 1.0, "ask": 2.0, "ask_qty": 1.0, "last": 1.5, "volume": 1.0, "vwap": 1.0, "low": 1.0,
          "high": 2.0, "change": 0.0, "change_pct": 0.0}  # fmt: skip


def ticker(symbol: str = "BTC/USD") -> str:
    return json.dumps({"channel": "ticker", "type": "update", "data": [{"symbol": symbol, **TICKER}]})


# --- what is said of depths ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("depths", "told"),
    [
        ((1_000, 1_000), None),
        ((1_001, 2_000), 1_001),
        ((2_000, 1_001), 2_000),
        ((10, 1_001), 1_001),
        ((1_001, EVERY_LEVEL), 1_001),
    ],
)
def test_the_first_depth_that_the_venue_has_not_is_told(depths: tuple[int, int], told: int | None) -> None:
    books = [Subscription("book", (symbol,), depth=depth) for symbol, depth in zip(BOTH, depths, strict=True)]
    line = Line(*books)
    words = f"kraken has books of at most 1000 levels a side: --depth {told} is 1000"
    assert [item.text for item in line.of(Notice)] == ([] if told is None else [words])


def test_who_leaves_asks_for_nothing_more() -> None:
    line = Line(Subscription("trades", ("BTC/USD",)))
    session: Any = line.route.session({})
    session.opened(line.now())
    assert len(session.take()) == 2
    session.leave(line.now())
    for _ in range(6):
        line.mono += 5
        session.receive(HEARTBEAT, line.now())
        assert session.tick(line.now()) == [], "though nothing has been answered"
    assert list(session.take()) == []


# --- what may be due earlier ---------------------------------------------------------------------------------------


def test_only_candles_and_what_asks_for_something_stir_a_connection() -> None:
    line = Line(Subscription("ticker", ("BTC/USD",)), Subscription("candles", ("BTC/USD",), interval="1m"))
    session: Any = line.driver.session
    line.receive(ack("ticker", "BTC/USD"), ack("ohlc", "BTC/USD", interval=1), ticker(), candles((0, "1.5")))
    stirred = []
    for frame in (ticker(), candles((0, "1.6")), ticker(), HEARTBEAT):
        session.take()
        line.mono += 0.1
        session.receive(frame if isinstance(frame, bytes) else frame.encode(), line.now())
        stirred.append(session.stirred)
    assert stirred == [False, True, False, False]


@pytest.mark.parametrize(("arriving", "waits"), [(None, False), (0.0, False), (0.001, True), (5.0, True)])
def test_a_first_state_that_is_on_its_way_is_waited_for_ten_seconds_more(arriving: float | None, waits: bool) -> None:
    line = Line(Subscription("book", BOTH, depth=10), pace=0.0)
    line.receive(*(ack("book", symbol, depth=10) for symbol in BOTH), book([("1.0", "1.00")], [("2.0", "1.00")]))
    begun = line.mono
    for _ in range(9):
        line.mono += 1
        line.receive(HEARTBEAT)
    line.sent.clear()
    line.mono = begun + 9.999
    assert not said(line.take(line.driver.tick(line.now())))
    line.mono = begun + 10
    more = {} if arriving is None else {"arriving": begun + arriving}
    items = line.take(line.driver.tick(line.now(**more)))
    assert [(symbol, state) for symbol, state, _ in said(items)] == ([] if waits else [("ETH/USD", "stale")])
    if waits:
        assert arriving is not None
        line.mono = begun + arriving + 10
        line.receive(HEARTBEAT)
        items = line.take(line.driver.tick(line.now()))
        assert [(symbol, state) for symbol, state, _ in said(items)] == [("ETH/USD", "stale")]


@pytest.mark.parametrize(("most", "words"), [(3, ""), (2, "it says: ")])
def test_a_request_that_is_not_known_any_more_may_have_been_about_anything(
    most: int, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kraken_session, "MOST_SENT", most)
    line = Line(Subscription("ticker", ("BTC/USD",)), Subscription("trades", ("BTC/USD",)))
    assert [one["req_id"] for one in line.sent] == [1, 2, 3]
    refusal = {"method": "subscribe", "success": False, "error": "no such pair", "req_id": 1}
    items = line.receive(json.dumps(refusal), ack("trade", "BTC/USD", snapshot=False))
    refused = f"kraken refuses ticker of BTC/USD ({words}no such pair)"
    assert {reason for _, state, reason in said(items) if state == "closed"} == {refused}
    assert ("live" in [state for _, state, _ in said(items, "trades")]) is (words == "")


# --- conditions ----------------------------------------------------------------------------------------------------


def test_a_stream_of_one_symbol_names_none_and_a_stream_of_two_names_each() -> None:
    line = live_quotes()
    for frame, state in ((status("maintenance"), "stale"), (status("online"), "live")):
        line.receive(frame)
        assert {symbol for symbol, now, _ in said(line.items, "quotes") if now == state} == {None}
        line.items.clear()
    line = Line(Subscription("quotes", BOTH))
    line.receive(status("cancel_only"), *(ack("book", symbol, depth=10) for symbol in BOTH))
    for symbol in BOTH:
        items = line.receive(book([("1.0", "1.00")], [("2.0", "1.00")], symbol=symbol))
        assert said(items) == [(symbol, "live", "the venue is in cancel_only")]
    line = Line(Subscription("quotes", ("BTC/USD",)))
    line.receive(status("cancel_only"), ack("book", "BTC/USD", depth=10))
    items = line.receive(book([("1.0", "1.00")], [("2.0", "1.00")]))
    assert [(one.symbol, one.state) for one in items[:1]] == [("BTC/USD", "live")]
    assert [one.symbol for one in items if isinstance(one, Quote)] == ["BTC/USD"]


def test_each_pair_has_its_words_and_a_venue_s_words_are_every_pair_s() -> None:
    line = live_quotes()
    line.receive(status("cancel_only"))
    items = line.receive(pair("ETH/USD", "post_only"))
    assert said(items, "quotes") == [("ETH/USD", "live", "the venue is in cancel_only, ETH/USD is post_only")]
    items = line.receive(status("online"))
    assert said(items, "quotes") == [
        ("BTC/USD", "live", "all is as usual again"),
        ("ETH/USD", "live", "ETH/USD is post_only"),
    ]


@pytest.mark.parametrize(
    ("coming", "words"),
    [
        ([], ""),
        ([Maintenance()], "maintenance is announced"),
        (
            [Maintenance(expected_start_utc="2026-10-03T09:00:00Z", expected_end_utc="2026-10-03T10:00:00Z"),
             Maintenance(expected_start_utc="2026-11-03T09:00:00Z")],
            "maintenance is announced for 2026-10-03 09:00:00 UTC, until 2026-10-03 10:00:00 UTC",
        ),
        ([Maintenance(expected_end_utc="soon")], "maintenance is announced, until soon"),
        ([Maintenance(expected_start_utc="x" * 60)], "maintenance is announced for " + "x" * 60),
        ([Maintenance(expected_start_utc="x" * 61)], "maintenance is announced for " + "x" * 59 + "…"),
    ],
)  # fmt: skip
def test_of_several_maintenances_the_first_is_announced(coming: list[Maintenance], words: str) -> None:
    conditions = Conditions({"BTC/USD"})
    assert conditions.words("BTC/USD") == ""
    conditions.see_state(State(system="online", upcoming_maintenance=coming))
    assert conditions.words("BTC/USD") == words
    assert not conditions.is_halted("BTC/USD")


@pytest.mark.parametrize(("length", "shown"), [(60, "w" * 60), (61, "w" * 59 + "…")])
def test_a_condition_is_told_in_sixty_characters(length: int, shown: str) -> None:
    assert LONGEST_WORD == 60
    conditions = Conditions({"BTC/USD"})
    conditions.see_state(State(system="w" * length))
    conditions.see_pair(Pair(symbol="BTC/USD", status="w" * length))
    conditions.see_pair(Pair(symbol="ETH/USD", status="w" * length))
    conditions.see_pair(Pair(symbol="BTC/USD"))
    assert conditions.words("BTC/USD") == f"the venue is in {shown}, BTC/USD is {shown}"
    assert conditions.words("ETH/USD") == f"the venue is in {shown}", "nobody watches it"


@pytest.mark.parametrize(
    ("system", "its", "is_halted"),
    [
        ("online", "online", False),
        ("maintenance", "online", True),
        ("online", "maintenance", True),
        ("online", "delisted", True),
        ("delisted", "online", True),
        ("cancel_only", "post_only", False),
    ],
)
def test_a_market_is_halted_by_the_venue_or_by_its_own_state(system: str, its: str, is_halted: bool) -> None:
    conditions = Conditions({"BTC/USD"})
    conditions.see_state(State(system=system))
    conditions.see_pair(Pair(symbol="BTC/USD", status=its))
    assert conditions.is_halted("BTC/USD") is is_halted
    assert conditions.is_halted("ETH/USD") is (system in ("maintenance", "delisted"))


# --- subscribing anew ----------------------------------------------------------------------------------------------

GONE = {"method": "unsubscribe", "success": False, "error": "Subscription Not Found", "symbol": "BTC/USD"}


def doubted() -> Line:
    """A line with a book that was wrong, so it is left to be subscribed to anew."""
    line = Line(Subscription("book", ("BTC/USD",), depth=10))
    line.receive(ack("book", "BTC/USD", depth=10), book([("1.0", "1.00")], [("2.0", "1.00")]))
    line.pass_by(2)
    line.sent.clear()
    line.receive(book([("1.0", "3.00")], [], kind="update", second=1, checksum=7))
    assert [one["method"] for one in line.sent] == ["unsubscribe"]
    return line


@pytest.mark.parametrize(("more", "is_gone"), [({}, True), ({"req_id": 3}, True), ({"req_id": 1}, True),
                                               ({"req_id": 2}, False), ({"symbol": "ETH/USD"}, False)])  # fmt: skip
def test_a_subscription_that_the_venue_has_not_any_more_is_made_at_once(more: dict[str, Any], is_gone: bool) -> None:
    line = doubted()
    assert [one["req_id"] for one in line.sent] == [3]
    line.sent.clear()
    line.receive(json.dumps({**GONE, **more}))
    assert [one["method"] for one in line.sent] == ["subscribe"] * is_gone
    line.sent.clear()
    line.pass_by(4.9)
    assert line.sent == []
    line.pass_by(0.2)
    assert [one["method"] for one in line.sent] == ["subscribe"] * (not is_gone), "an answer has five seconds"


def test_a_snapshot_counts_as_the_answer_to_the_second_request_and_an_update_does_not() -> None:
    for kind, is_answer in (("snapshot", True), ("update", False)):
        line = doubted()
        line.receive(json.dumps(GONE))
        line.receive(book([("1.0", "1.00")], [("2.0", "1.00")], kind=kind, second=3))
        line.sent.clear()
        line.pass_by(15)
        assert ("book" in [one["params"]["channel"] for one in line.sent]) is not is_answer


# --- bad frames ----------------------------------------------------------------------------------------------------


def test_a_frame_that_cannot_be_read_may_be_of_any_stream_and_a_bad_message_is_of_its_own() -> None:
    line = Line(Subscription("ticker", ("BTC/USD",)), Subscription("book", ("BTC/USD",), depth=10))
    session: Any = line.driver.session
    for frame, streams in (
        (b"{", None),
        (b'{"channel":"book","type":"update","data":[{"symbol":"BTC/USD","bids":5}]}', ("book",)),
        (b'{"channel":"ticker","type":"update","data":[{"symbol":"BTC/USD","bid":"x"}]}', ("ticker",)),
        (b'{"channel":"book","type":"update","data":[{"symbol":"ETH/USD","bids":5}]}', ()),
        (b'{"channel":"book","type":"update","data":5}', ("book",)),
    ):
        bad = session.receive(frame, line.now())[0]
        assert isinstance(bad, BadFrame)
        assert bad.streams == streams


def test_the_time_of_several_rows_is_that_of_the_last() -> None:
    line = Line(Subscription("trades", ("BTC/USD",)))
    row = {"symbol": "BTC/USD", "side": "buy", "price": 1.5, "qty": 0.25, "ord_type": "limit"}
    now = line.now().epoch_ms // 1000
    stamps = [datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") for second in (now - 50, now)]
    rows = [{**row, "trade_id": number, "timestamp": stamp} for number, stamp in enumerate(stamps, 1)]
    line.receive(json.dumps({"channel": "trade", "type": "update", "data": rows}))
    assert line.route.clock.shown_by(line.now()) is not None, "it agrees with our clock"


@pytest.mark.parametrize(("system", "is_shown"), [("online", True), ("cancel_only", True), ("maintenance", False)])
def test_of_a_halted_market_nothing_is_confirmed(system: str, is_shown: bool) -> None:
    line = Line(Subscription("quotes", ("BTC/USD",)))
    session: Any = line.driver.session
    line.receive(ack("book", "BTC/USD", depth=10), book([("1.0", "1.00")], [("2.0", "1.00")]), status(system))
    whole = ([("1.0", "1.00"), ("0.5", "1.00")], [("2.0", "1.00")])
    deeper = book([("0.5", "1.00")], [], kind="update", second=1, whole=whole)
    items = session.receive(deeper.encode(), line.now())
    assert [type(item) for item in items] == [Confirmed] * is_shown
    assert [item.symbol for item in items] == [None] * is_shown
