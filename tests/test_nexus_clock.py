"""What Nexus' time stamps move, and what they do not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.test_clock import DAY, HOUR, MINUTE, START, at, offsets, words
from tests.test_nexus_session import NEXUS
from venues.driver import Driver
from venues.records import Book, Quote, Record, Status, Trade
from venues.venue import Settings, Subscription

SYMBOL = "SPOT_BTC_USDT"


class Market:
    """A line that is connected, and what has come out of it."""

    def __init__(self, *streams: str) -> None:
        subscriptions = [Subscription(stream, (SYMBOL,), interval="1m") for stream in streams]
        (line,) = NEXUS.routes(subscriptions, Settings(url="wss://v.example"))
        self.driver = Driver(line, subscriptions, venue="nexus")
        self.out: list[Any] = []
        self.connect(0.0)

    def connect(self, seconds: float) -> None:
        self.driver.begin({"client_key": "k"}, 0.0)
        self.out += self.driver.opened(at(seconds))

    def sends(self, event: str, seconds: float, distance: int, *, stepped: int = 0, **data: Any) -> list[Any]:
        """An event stamped so many milliseconds ahead of our (true) clock."""
        message = {"event": event, "symbol": SYMBOL, "timestamp": at(seconds).epoch_ms + distance, "data": data}
        items = self.driver.receive(json.dumps(message).encode(), at(seconds, stepped))
        self.out += items
        return items

    def book(self, seconds: float, distance: int, bid: float = 1.0, **options: Any) -> list[Any]:
        sides = {"bids": [{"price": bid, "quantity": 1}], "asks": [{"price": bid + 1, "quantity": 1}]}
        return self.sends("BOOK", seconds, distance, **options, **sides)

    def trade(self, seconds: float, distance: int, price: float = 1.0, **options: Any) -> list[Any]:
        return self.sends("TRADE", seconds, distance, **options, price=price, quantity=1, side="BUY")

    def of(self, kind: type) -> list[Any]:
        return [item for item in self.out if isinstance(item, kind)]


def states(items: list[Any]) -> list[tuple[str, str]]:
    return [(item.stream, item.state) for item in items if isinstance(item, Status)]


def test_an_older_book_is_not_shown_and_the_reason_is_said() -> None:
    market = Market("book", "quotes")
    market.book(1.0, 0, 99)
    stale = market.book(1.3, -10 * MINUTE, 50)
    assert states(stale) == [("book", "stale"), ("quotes", "stale")]
    assert stale[0].reason == "the venue sends a book 10 min older than the one before; waiting for a newer one"
    assert market.book(1.4, -10 * MINUTE, 51) == []
    assert market.book(1.4, -500, 52) == []  # newer than those, and still older than the one that was shown
    newer = market.book(1.5, 0, 98)
    assert states(newer) == [("book", "live"), ("quotes", "live")]
    assert [float(book.bids[0].price) for book in market.of(Book)] == [99, 98]
    assert [float(quote.bid_price) for quote in market.of(Quote)] == [99, 98]


def test_nor_where_our_clock_is_an_hour_behind_and_the_venues_is_not_known_yet() -> None:
    market = Market("book")
    market.book(1.0, HOUR, 50)
    market.book(1.2, HOUR + 100, 52)
    late = market.book(1.3, HOUR - 50, 51)  # sent between the two
    assert states(late) == [("book", "stale")]
    market.book(1.4, HOUR + 100, 53)
    assert [float(book.bids[0].price) for book in market.of(Book)] == [50, 52, 53]


def test_but_one_time_alone_that_is_far_ahead_keeps_none_out() -> None:
    market = Market("book")
    market.book(1.0, 0, 50)
    market.book(1.1, HOUR, 51)
    market.book(1.2, 0, 52)
    assert [float(book.bids[0].price) for book in market.of(Book)] == [50, 51, 52]


def test_nor_after_a_reconnect() -> None:
    market = Market("book", "quotes")
    market.book(1.0, 0, 99)
    market.out += market.driver.closed(None, "", at(2.0))
    market.connect(3.0)
    assert states(market.book(3.1, -10 * MINUTE, 50)) == [("book", "stale"), ("quotes", "stale")]
    assert states(market.book(3.2, 0, 98)) == [("book", "live"), ("quotes", "live")]


def test_a_book_of_the_same_time_is_shown() -> None:
    market = Market("book")
    market.book(1.0, 0, 99)
    assert len(market.book(1.2, -200, 98)) == 1


def test_a_book_whose_time_is_not_believed_is_shown_and_sets_no_time() -> None:
    market = Market("book")
    market.book(1.0, 0, 1)
    shown = market.book(1.1, HOUR, 2)
    assert [item.time for item in shown if isinstance(item, Book)] == [at(1.1).epoch_ms + HOUR]
    assert len(words(shown)) == 1
    assert [float(item.bids[0].price) for item in market.book(1.2, 0, 3)] == [3]


def test_books_of_a_clock_that_went_back_are_shown_after_ten_seconds() -> None:
    market = Market("book")
    market.book(1.0, 0, 1)
    for tenth in range(99):
        market.book(2 + tenth / 10, -HOUR, 2 + tenth)
    assert len(market.of(Book)) == 1
    market.book(12.0, -HOUR, 200)
    assert [float(book.bids[0].price) for book in market.of(Book)] == [1, 200]


@pytest.mark.parametrize("speed", [2, 10])
def test_books_that_come_faster_than_they_were_made_stay_hidden(speed: int) -> None:
    market = Market("book")
    market.book(1.0, 0, 1)
    for index in range(200):
        market.book(2 + index / 10, -HOUR + index * 100 * (speed - 1), 2 + index)
    assert len(market.of(Book)) == 1


def test_old_books_between_trades_of_now_stay_hidden_too() -> None:
    market = Market("book")
    market.book(1.0, 0, 1)
    for index in range(200):
        market.trade(2 + index / 10, 0)
        market.book(2 + index / 10, -HOUR, 2)
    assert len(market.of(Book)) == 1


@pytest.mark.parametrize("skew", [2 * DAY, HOUR, -HOUR, -2 * DAY, -50 * 365 * DAY])
def test_a_clock_that_is_off_loses_no_trade(skew: int) -> None:
    market = Market("trades")
    for index in range(10):
        market.trade(index / 10, skew, price=index + 1)
    trades = market.of(Trade)
    assert [float(trade.price) for trade in trades] == list(range(1, 11))
    assert [trade.time for trade in trades] == [at(index / 10).epoch_ms + skew for index in range(10)]
    assert offsets(market.out) == [skew]
    assert [text for text in words(market.out) if "venue's clock" in text] == [words(market.out)[-1]]
    assert [status.state for status in market.of(Status)] == ["live"]


@pytest.mark.parametrize("stepped", [2 * DAY, -2 * DAY])
def test_a_step_of_our_own_clock_loses_no_trade_and_is_taken_out_at_once(stepped: int) -> None:
    market = Market("trades")
    for index in range(10):
        market.trade(index / 10, 0)
    after = market.trade(2.0, 0, stepped=stepped)
    assert offsets(after) == [-stepped]
    assert isinstance(after[-1], Trade)
    assert after.index(after[-1]) > after.index(next(item for item in after if not isinstance(item, Record)))


def test_a_trade_of_the_future_is_printed_as_sent_and_said() -> None:
    market = Market("trades")
    market.trade(1.0, 0)
    printed = market.trade(1.1, HOUR)
    assert [item.time for item in printed if isinstance(item, Trade)] == [START + 1_100 + HOUR]
    assert len(words(printed)) == 1
    assert "60 min ahead of our clock" in words(printed)[0]
    assert offsets(market.out) == []


@pytest.mark.parametrize("event", ["ORDER_UPDATE", "TRANSACTION", "POSITIONS"])
def test_events_of_the_account_tell_of_the_clock_too(event: str) -> None:
    stream, data = {
        "ORDER_UPDATE": ("orders", {"symbol": SYMBOL, "order_id": 1, "side": "BUY", "status": "NEW"}),
        "TRANSACTION": ("fills", {"id": 1, "symbol": SYMBOL, "order_id": 1, "executed_price": 1,
                                  "executed_quantity": 1, "side": "BUY"}),
        "POSITIONS": ("positions", {"positions": {SYMBOL: {"holding": 1}}}),
    }[event]  # fmt: skip
    market = Market(stream)
    for index in range(5):
        market.sends(event, index / 10, -HOUR, **data)  # type: ignore[arg-type]
    assert offsets(market.out) == [-HOUR]
