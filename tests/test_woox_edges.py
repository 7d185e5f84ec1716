"""WOO X's topics by themselves at their edges: figures that get too old, times that are equal, words that are long."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from msgspec import Raw

from tests.test_woox import DAY, PERP, SPOT, Line, figures, listed, ms, now, of, states, ticker_line
from tests.wooxwire import SETTINGS
from venues.errors import BadMessage
from venues.records import Candle, Quote, Ticker, Trade
from venues.toolkit import row_times
from venues.toolkit.clock import FAR, NewestState, VenueClock
from venues.toolkit.made_candles import ClockedCandles
from venues.venue import Confirmed, Notice, StreamState, Subscription
from venues.woox.book import BookFeed
from venues.woox.feeds import Arrival, CandleFeed, Feed, JoinedFeed, QuoteFeed, TickerFeed, TradeFeed

START = ms(0) - ms(0) % 60_000


def raw(**data: Any) -> Raw:
    return Raw(json.dumps(data).encode())


def arrival(at: float, *, sent: float | None = None) -> Arrival:
    return Arrival(now(at), None if sent is None else ms(sent), believed=True)


# --- what is joined into the ticker --------------------------------------------------------------------------------


def price(feed: JoinedFeed, at: float, time: int, px: str, *, sent: float | None = None) -> Decimal | None:
    """The figure after a price that comes at a time."""
    assert feed.take(raw(s=PERP, ts=time, px=px), arrival(at, sent=sent)) == []
    figure = feed.current(now(at), None)
    return None if figure is None else figure.value


def test_a_figure_of_the_same_time_takes_the_place_of_the_one_before_and_an_older_one_does_not() -> None:
    feed = JoinedFeed("mark_price", PERP, 5.0)
    assert price(feed, 1, ms(1), "1") == 1
    assert price(feed, 1, ms(1), "2") == 2
    assert price(feed, 1, ms(1) - 1, "3") == 2
    assert price(feed, 1, ms(1) + 1, "4") == 4


@pytest.mark.parametrize(("ahead", "is_replaced"), [(FAR, False), (FAR + 1, True)])
def test_a_figure_far_ahead_of_the_message_keeps_no_later_one_out(ahead: int, is_replaced: bool) -> None:
    feed = JoinedFeed("mark_price", PERP, 60.0)
    assert price(feed, 1, ms(1) + ahead, "1", sent=1) == 1
    assert price(feed, 1, ms(1), "2") == 1, "a message without a time contradicts nothing"
    assert price(feed, 1, ms(1), "3", sent=1) == (3 if is_replaced else 1)


@pytest.mark.parametrize(("seconds", "is_old"), [(4.999, False), (5.0, True), (5.001, True)])
def test_a_figure_is_too_old_once_its_seconds_are_over(seconds: float, is_old: bool) -> None:
    feed = JoinedFeed("mark_price", PERP, 5.0)
    assert (feed.current(now(0), None), feed.outdated_at()) == (None, None)
    price(feed, 1, ms(1), "1")
    assert feed.outdated_at() == now(6).mono
    assert (feed.current(now(1 + seconds), None) is None) is is_old
    feed.forget_old(now(1 + seconds))
    assert (feed.outdated_at() is None) is is_old


@pytest.mark.parametrize(("later", "is_old"), [(4_999, False), (5_000, False), (5_001, True)])
def test_a_figure_is_too_old_for_a_ticker_that_was_sent_so_much_later(later: int, is_old: bool) -> None:
    feed = JoinedFeed("mark_price", PERP, 5.0)
    price(feed, 1, ms(1), "1")
    assert (feed.current(now(2), ms(1) + later) is None) is is_old
    assert feed.current(now(2), None) is not None


def test_a_bad_figure_is_forgotten_and_its_ticker_goes_on_without_it() -> None:
    line = ticker_line()
    assert figures(line.data(2, f"ticker@{PERP}", **DAY)) == (111, 112, Decimal("0.0001"))
    line.data(3, f"markprice@{PERP}", px="-1")
    assert figures(line.data(3, f"ticker@{PERP}", **{**DAY, "c": "111"})) == (None, 112, Decimal("0.0001"))


def test_a_deadline_is_new_only_with_the_first_figure() -> None:
    feed = JoinedFeed("mark_price", PERP, 5.0)
    assert feed.stirs
    for stirs in (True, False):
        price(feed, 1, ms(1), "1")
        assert feed.stirs is stirs
    feed.doubt("why", now(1))
    price(feed, 1, ms(1), "1")
    assert feed.stirs


@pytest.mark.parametrize("missing", ["funding_rate", "mark_price", "index_price"])
def test_each_figure_has_its_own_place(missing: str) -> None:
    line = Line(Subscription("ticker", (PERP,)))
    line.ack_all(0.1)
    frames: dict[str, tuple[str, dict[str, Any]]] = {
        "mark_price": (f"markprice@{PERP}", {"px": "111"}),
        "index_price": (f"indexprice@{SPOT}", {"px": "112"}),
        "funding_rate": (f"estfundingrate@{PERP}", {"r": "-0.0001"}),
    }
    for name, (topic, data) in frames.items():
        if name != missing:
            line.data(1, topic, **data)
    (ticker,) = of(Ticker, line.data(2, f"ticker@{PERP}", **DAY))
    extra = ticker.extra or {}
    found = {
        "mark_price": ticker.mark_price,
        "funding_rate": ticker.funding_rate,
        "index_price": extra.get("index_price"),
    }
    assert [name for name, figure in found.items() if figure is None] == [missing]
    assert {name for name in extra if name.endswith("_time")} == {f"{name}_time" for name in found} - {
        f"{missing}_time"
    }
    assert "mark_price" not in extra
    assert "funding_rate" not in extra


# --- tickers, quotes, trades and candles ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "shown"),
    [
        ({"o": "0"}, (110, 120, 90, None)),
        ({"c": "0"}, (None, 120, 90, None)),
        ({"o": "110"}, (110, 120, 90, 0)),
        ({"h": "90", "l": "90", "c": "90", "o": "90"}, (90, 90, 90, 0)),
        ({"h": "0", "l": "0", "c": "0", "o": "0"}, (None, None, None, None)),
    ],
)
def test_a_price_of_zero_is_none(day: dict[str, str], shown: tuple[Any, ...]) -> None:
    line = Line(Subscription("ticker", (SPOT,)))
    line.ack_all(0.1)
    (ticker,) = of(Ticker, line.data(2, f"ticker@{SPOT}", **{**DAY, **day}))
    assert (ticker.last, ticker.high, ticker.low, ticker.change) == shown


def test_a_ticker_that_says_the_same_at_another_time_is_confirmed() -> None:
    feed = TickerFeed(SPOT, None, NewestState(VenueClock()))
    first = feed.take(raw(s=SPOT, ts=ms(1), **DAY), arrival(1, sent=1))
    assert [type(item) for item in first] == [StreamState, Ticker]
    assert feed.stirs
    assert feed.take(raw(s=SPOT, ts=ms(2), **DAY), arrival(2, sent=2)) == [Confirmed("ticker", ms(2), SPOT)]
    assert not feed.stirs
    assert feed.take(raw(s=SPOT, ts=ms(2) - 1, **{**DAY, "c": "1"}), arrival(3, sent=3)) == [], "it is older"
    for name in ("o", "h", "l", "c", "v", "a"):
        other = {**DAY, name: {"o": "101", "h": "121", "l": "89", "c": "111", "v": "6", "a": "501"}[name]}
        assert isinstance(feed.take(raw(s=SPOT, ts=ms(3), **other), arrival(3, sent=3))[-1], Ticker)
        assert isinstance(feed.take(raw(s=SPOT, ts=ms(3), **DAY), arrival(3, sent=3))[-1], Ticker)


def test_a_ticker_after_a_bad_one_is_given_again_and_none_is_due_until_then() -> None:
    line = ticker_line()
    line.data(2, f"ticker@{PERP}", **DAY)
    line.data(3, f"ticker@{PERP}", **{**DAY, "c": "x"})
    assert of(Ticker, line.tick(100)) == [], "a figure that gets too old is of no matter while there is no ticker"
    assert len(of(Ticker, line.data(101, f"ticker@{PERP}", **DAY))) == 1


@pytest.mark.parametrize(
    ("sides", "shown"),
    [
        ({"bp": "1", "bq": "2", "ap": "3", "aq": "4"}, (1, 2, 3, 4)),
        ({"bp": "0", "bq": "2", "ap": "3", "aq": "4"}, (None, None, 3, 4)),
        ({"bp": "1", "bq": "0", "ap": "3", "aq": "4"}, (None, None, 3, 4)),
        ({"bp": "1", "bq": "2", "ap": "3", "aq": "0"}, (1, 2, None, None)),
        ({"bp": "1", "bq": "2"}, (1, 2, None, None)),
        ({"bp": "1", "ap": "3", "aq": "4"}, (1, None, 3, 4)),
    ],
)
def test_a_side_of_a_quote_has_both_figures_or_has_no_order(sides: dict[str, str], shown: tuple[Any, ...]) -> None:
    feed = QuoteFeed(SPOT, None, NewestState(VenueClock()), rpi=False)
    _, quote = feed.take(raw(s=SPOT, ts=ms(1), **sides), arrival(1, sent=1))
    assert isinstance(quote, Quote)
    assert (quote.bid_price, quote.bid_size, quote.ask_price, quote.ask_size) == shown
    assert quote.extra == {"rpi": False}
    assert feed.take(raw(s=SPOT, ts=ms(1), **sides), arrival(2, sent=2)) == [Confirmed("quotes", ms(1), SPOT)]
    assert feed.take(raw(s=SPOT, ts=ms(1) - 1, bp="7", bq="1"), arrival(3, sent=3)) == []


def test_a_doubt_about_trades_is_said_once_until_a_good_one() -> None:
    feed = TradeFeed(SPOT, None)
    said = [StreamState("trades", "live", "a bad frame came: a trade may be missing", symbol=SPOT)]
    assert [feed.doubt("x", now(1)), feed.doubt("x", now(2))] == [said, []]
    (trade,) = feed.take(raw(s=SPOT, ts=ms(1), px="1", sx="2", sd="BUY"), arrival(1))
    assert isinstance(trade, Trade)
    assert trade.extra is None
    assert feed.doubt("x", now(3)) == said
    with pytest.raises(BadMessage):
        feed.take(raw(s=SPOT, ts=ms(1), px="0", sx="2", sd="BUY"), arrival(1))
    assert feed.doubt("x", now(4)) == []


def candles() -> CandleFeed:
    return CandleFeed(SPOT, "1m", None, ClockedCandles(VenueClock()))


def kline(minute: int, close: str = "1", **more: Any) -> Raw:
    start = START + minute * 60_000
    bar = {"s": SPOT, "t": "1m", "st": start, "et": start + 60_000, "o": "1", "h": "9", "l": "1", "c": close, "v": "1"}
    return raw(**{**bar, **more})


def test_a_candle_stirs_only_where_it_brings_an_earlier_deadline() -> None:
    feed, second = candles(), (START - ms(0)) / 1000
    assert feed.stirs
    stirs = []
    for minute, at in ((0, 1), (0, 2), (1, 61), (0, 62)):
        feed.take(kline(minute, str(at % 7 + 1)), arrival(second + at))
        stirs.append(feed.stirs)
    assert stirs == [True, False, False, False]
    feed.doubt("why", now(second + 63))
    feed.take(kline(1), arrival(second + 63))
    assert feed.stirs


@pytest.mark.parametrize(("length", "is_good"), [(-1, False), (0, False), (1, True)])
def test_a_candle_ends_after_its_start(length: int, is_good: bool) -> None:
    feed, second = candles(), (START - ms(0)) / 1000
    data = kline(0, et=START + length)
    if is_good:
        assert isinstance(feed.take(data, arrival(second))[-1], Candle)
    else:
        with pytest.raises(BadMessage, match=r"expected a time after `data.st` at `data.et`"):
            feed.take(data, arrival(second))


@pytest.mark.parametrize(("amount", "extra"), [({}, None), ({"a": "0"}, {"a": 0}), ({"a": "5"}, {"a": 5})])
def test_an_amount_of_zero_is_one(amount: dict[str, str], extra: Any) -> None:
    (_, candle) = candles().take(kline(0, **amount), arrival((START - ms(0)) / 1000))
    assert isinstance(candle, Candle)
    assert candle.extra == extra


def test_every_feed_may_have_something_to_send_before_its_first_message_but_quotes_and_trades() -> None:
    feeds: list[Feed] = [
        candles(),
        TickerFeed(SPOT, None, NewestState(VenueClock())),
        JoinedFeed("mark_price", SPOT, 5.0),
        QuoteFeed(SPOT, None, NewestState(VenueClock()), rpi=True),
        TradeFeed(SPOT, None),
    ]
    assert [feed.stirs for feed in feeds] == [True, True, True, False, False]
    assert BookFeed(Subscription("book", (SPOT,), depth=50), SPOT, SETTINGS, rpi=False).stirs


# --- answers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("digits", "counts"), [(17, True), (18, True), (19, False)])
def test_the_number_of_a_request_has_so_many_digits_at_most(digits: int, counts: bool) -> None:
    line = Line(Subscription("trades", (SPOT,)))
    answer = {"id": "1".zfill(digits), "cmd": "SUBSCRIBE", "success": True, "data": [f"trade@{SPOT}"]}
    assert states(line.frame(0.1, answer)) == ([("trades", SPOT, "live")] if counts else [])


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("", "no reason given"),
        ("w" * 200, "w" * 200),
        ("w" * 201, "w" * 199 + "…"),
        ({"a": "w" * 191}, '{"a": "' + "w" * 191 + '"}'),
        ({"a": "w" * 192}, '{"a": "' + "w" * 192 + "…"),
    ],
)
def test_what_the_venue_refuses_with_is_told_in_two_hundred_characters(data: Any, words: str) -> None:
    line = Line(Subscription("trades", (SPOT,)))
    (notice,) = line.frame(0.1, {"cmd": "LOGIN", "success": False, "data": data})
    assert isinstance(notice, Notice)
    assert notice.text == f"woox says: {words}"


def test_the_first_data_of_a_topic_is_its_acknowledgement_and_stirs_the_connection() -> None:
    line = Line(Subscription("quotes", (SPOT,)), Subscription("trades", (SPOT,)))
    session: Any = line.driver.session
    frames = [
        {"topic": f"bbo@{SPOT}", "ts": ms(1), "data": {"s": SPOT, "ts": ms(1), "bp": "1", "bq": "1"}},
        {"topic": f"trade@{SPOT}", "ts": ms(1), "data": {"s": SPOT, "ts": ms(1), "px": "1", "sx": "1", "sd": "BUY"}},
    ]
    stirred = []
    for message in (frames[0], frames[0], frames[1], frames[1], frames[0]):
        session.take()
        session.receive(json.dumps(message).encode(), now(1))
        stirred.append(session.stirred)
    assert stirred == [True, False, True, False, False]


def test_a_change_of_a_book_may_follow_on_one_of_the_same_time() -> None:
    book = BookFeed(Subscription("book", (SPOT,), depth=50), SPOT, SETTINGS, rpi=False)
    for previous, is_good in ((ms(1), True), (ms(1) - 1, True), (ms(1) + 1, False)):
        data = raw(s=SPOT, ts=ms(1), prevTs=previous, bids=[["1", "1"]], asks=[])
        if is_good:
            assert book.take(data, arrival(1, sent=1)) == []
        else:
            with pytest.raises(BadMessage, match=r"expected at most `data\.ts`"):
                book.take(data, arrival(1, sent=1))


@pytest.mark.parametrize("end", ["leave", "closed"])
def test_nothing_is_due_and_nothing_is_sent_once_a_connection_is_over(end: str) -> None:
    line = Line(Subscription("book", (SPOT,), depth=50), Subscription("quotes", (SPOT,)), Subscription("ping"))
    line.ack_all(0.1)
    session: Any = line.driver.session
    assert session.deadline() is not None
    if end == "leave":
        session.leave(now(1))
    else:
        session.closed(1006, "", now(1))
    session.take()
    assert session.deadline() is None
    assert (session.tick(now(600)), session.take()) == ([], [])


@pytest.mark.parametrize(("rows", "is_good"), [(2, True), (3, False)])
def test_a_list_of_symbols_has_so_many_rows_at_most(rows: int, is_good: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_times, "MOST_AT_ONCE", 2)
    names = [f"SPOT_A{number}_USDT" for number in range(rows)]
    row = {"status": "TRADING", "baseAsset": "A", "quoteAsset": "USDT", "quoteTick": "0.1", "baseTick": "0.1"}
    body = {"success": True, "data": {"rows": [{"symbol": name, **row} for name in names]}}
    if is_good:
        assert [one.symbol for one in listed(body)] == names
    else:
        with pytest.raises(BadMessage, match=r"expected at most 2 rows at `data\.rows`, got 3"):
            listed(body)
