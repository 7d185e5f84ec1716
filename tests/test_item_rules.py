"""What is said of each item that a session of a plug-in must not give, rule by rule."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from venues import venue_named
from venues.records import (
    Book,
    Candle,
    Instrument,
    Level,
    Order,
    Pong,
    Quote,
    SnapshotEnd,
    Status,
    Trade,
)
from venues.testing.rules import LATEST_MS, ItemRules
from venues.venue import (
    BadFrame,
    ClockOffset,
    Command,
    Confirmed,
    Lost,
    Notice,
    Receipt,
    Refused,
    StreamState,
    Subscription,
)

KRAKEN = venue_named("kraken")
B2TRADER = venue_named("b2trader")
ONE = Decimal(1)
BTC, ETH = "BTC/USD", "ETH/USD"
OF_BOOK = (Subscription("book", (BTC,)),)


def faults(*items: Any, asked: tuple[Subscription, ...] = OF_BOOK, venue: Any = KRAKEN) -> list[str]:
    """What is said of the items, in this order on one connection."""
    found: list[str] = []
    rules = ItemRules(venue, asked, found.append)
    rules.connection_begins()
    for item in items:
        rules.look_at(item)
    return found


def live(stream: str = "book", symbol: str | None = None) -> StreamState:
    return StreamState(stream, "live", symbol=symbol)


def book(symbol: str | None = BTC, **given: Any) -> Book:
    fields = {"venue": "kraken", "env": "replay", "received": 1, "bids": [Level(ONE, ONE)], "asks": [], **given}
    return Book(symbol=symbol, **fields)


def trade(symbol: str | None = BTC, **given: Any) -> Trade:
    fields = {"venue": "kraken", "env": "replay", "received": 1, "price": ONE, "size": ONE, "side": "buy", **given}
    return Trade(symbol=symbol, **fields)


def test_what_is_right_is_no_fault() -> None:
    items = (
        StreamState("book", "syncing"),
        live(),
        book(),
        Confirmed("book"),
        Confirmed("book", symbol=BTC),
        ClockOffset("book", 5),
        BadFrame("expected a number, got a text"),
        BadFrame("expected a number, got a text", ("book", "trades")),
        Notice("the venue says: be slow"),
        StreamState("book", "stale", "a gap"),
        Lost("the venue went away"),
        Refused("no such symbol"),
        Refused("no such symbol", stream="book", symbol=BTC),
    )
    assert faults(*items) == []


# --- states


@pytest.mark.parametrize(
    ("item", "said"),
    [
        (StreamState("trades", "live"), 'a StreamState of stream "trades": expected one that was asked for (book)'),
        (live(symbol="X"), 'a StreamState of book with symbol "X": expected one of BTC/USD'),
        (Confirmed("trades"), 'a Confirmed of stream "trades": expected one that was asked for (book)'),
        (ClockOffset("trades", 1), 'a ClockOffset of stream "trades": expected one that was asked for (book)'),
        (
            Refused("no", stream="trades"),
            'a Refused of stream "trades": expected one that was asked for (book)',
        ),
        (Refused("no", stream="book", symbol="X"), 'a Refused of book with symbol "X": expected one of BTC/USD'),
        (BadFrame("no", ("book", "x", "y")), "a BadFrame of x, y: expected streams that the venue has"),
        (
            Status(venue="kraken", received=1, stream="book", state="live"),
            "a session gave a `Status`: expected `StreamState`, of which the driver makes statuses",
        ),
        (7, "a session gave a int: expected one of `venues.venue.Item`"),
        (None, "a session gave a NoneType: expected one of `venues.venue.Item`"),
    ],
)
def test_what_nobody_asked_for_is_said_with_what_was(item: Any, said: str) -> None:
    assert faults(item) == [said]


def test_a_receipt_is_an_item() -> None:
    assert faults(Receipt(Command("buy_signal", {}))) == []


NOT_LIVE = "a Confirmed of book, which is not live: expected none, since nothing current is shown"


@pytest.mark.parametrize(
    ("states", "confirmed", "fault"),
    [
        ([], Confirmed("book"), True),
        ([live()], Confirmed("book"), False),
        ([live()], Confirmed("book", symbol=BTC), False),
        ([live(symbol=BTC)], Confirmed("book", symbol=BTC), False),
        ([live(symbol=BTC)], Confirmed("book", symbol=ETH), True),
        ([live(symbol=BTC)], Confirmed("book"), True),
        ([live(), StreamState("book", "stale", "a gap")], Confirmed("book", symbol=BTC), True),
        ([live(), StreamState("book", "stale", "a gap", symbol=BTC)], Confirmed("book", symbol=BTC), True),
        ([live(), StreamState("book", "stale", "a gap", symbol=BTC)], Confirmed("book", symbol=ETH), False),
        ([live(), StreamState("book", "stale", "a gap", symbol=BTC)], Confirmed("book"), True),
        ([live(symbol=BTC), live(symbol=ETH), StreamState("book", "syncing")], Confirmed("book", symbol=ETH), True),
        ([live(), StreamState("book", "syncing"), live(symbol=ETH)], Confirmed("book", symbol=ETH), False),
    ],
)
def test_what_is_confirmed_must_be_live(states: list[Any], confirmed: Confirmed, fault: bool) -> None:
    asked = (Subscription("book", (BTC, ETH)),)
    assert faults(*states, confirmed, asked=asked) == ([NOT_LIVE] if fault else [])


def test_events_that_are_confirmed_need_not_be_live() -> None:
    assert faults(Confirmed("trades"), asked=(Subscription("trades", (BTC,)),)) == []


def test_what_was_live_on_another_connection_is_not() -> None:
    found: list[str] = []
    rules = ItemRules(KRAKEN, OF_BOOK, found.append)
    rules.look_at(live())
    rules.look_at(Confirmed("book"))
    rules.connection_begins()
    rules.look_at(Confirmed("book"))
    assert found == [NOT_LIVE]


# --- words


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "a {} without words: expected what was expected, what came, and what to do next"),
        (" \n", "a {} without words: expected what was expected, what came, and what to do next"),
        ("ValueError: x", 'a {} in words of Python ("ValueError"), expected those of a person: ValueError: x'),
        ("an Exception", None),
        ("a KeyException", 'a {} in words of Python ("KeyException"), expected those of a person: a KeyException'),
        ("Traceback", 'a {} in words of Python ("Traceback"), expected those of a person: Traceback'),
        (
            "<x object at 0x1>",
            'a {} in words of Python ("object at 0x"), expected those of a person: <x object at 0x1>',
        ),
        ("an error", None),
        ("expected a price", None),
    ],
)
def test_errors_are_in_words_of_a_person(text: str, said: str | None) -> None:
    for item in (
        BadFrame(text),
        Refused(text),
        Lost(text),
        Notice(text),
        StreamState("book", "stale", text),
    ):
        kind = "StreamState stale" if isinstance(item, StreamState) else type(item).__name__
        assert faults(item) == ([] if said is None else [said.format(kind)])


def test_of_a_long_text_only_its_beginning_is_said() -> None:
    text = "KeyError: " + "x" * 500
    assert faults(Lost(text)) == [f'a Lost in words of Python ("KeyError"), expected those of a person: {text[:200]}']


def test_a_state_other_than_stale_needs_no_words() -> None:
    assert faults(StreamState("book", "syncing", ""), live()) == []


# --- records


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"venue": "nexus"}, 'a Book of venue "nexus": expected "kraken"'),
        ({"env": None}, "a Book with env None: expected `settings.label`, which is 'replay' here"),
        ({"env": "live"}, "a Book with env 'live': expected `settings.label`, which is 'replay' here"),
        ({"time": -1}, "Book.time is -1: expected milliseconds since the epoch, a whole number"),
        ({"time": 0}, None),
        ({"time": LATEST_MS}, None),
        (
            {"time": LATEST_MS + 1},
            f"Book.time is {LATEST_MS + 1}: expected milliseconds since the epoch, a whole number",
        ),
        ({"received": True}, "Book.received is True: expected milliseconds since the epoch, a whole number"),
        (
            {"bids": [Level(Decimal("NaN"), ONE)]},
            "Book.bids[0].price is Decimal('NaN'): expected a finite Decimal (`venues.toolkit.numbers`)",
        ),
        (
            {"asks": [Level(ONE, ONE), Level(ONE, Decimal("-Infinity"))]},
            "Book.asks[1].size is Decimal('-Infinity'): expected a finite Decimal (`venues.toolkit.numbers`)",
        ),
        ({"bids": [Level(ONE, 1.5)]}, "Book.bids[0].size is 1.5: expected a finite Decimal (`venues.toolkit.numbers`)"),
        (
            {"extra": {"a": [{"b": 0.5}]}},
            "Book.extra.a[0].b is 0.5: expected a finite Decimal (`venues.toolkit.numbers`)",
        ),
        ({"extra": {"a": 5, "b": "1.5", "c": Decimal("1.5")}}, None),
    ],
)
def test_figures_and_times_of_a_record_are_exact(given: dict[str, Any], said: str | None) -> None:
    found = faults(live(), book(**given))
    assert found[:1] == ([] if said is None else [said])
    assert len(found) <= 2, "and that it is no JSON, where it is none"


def test_a_record_that_is_no_json_is_told() -> None:
    figure, line = faults(live(), book(bids=[Level(Decimal("NaN"), ONE)]))
    assert figure.startswith("Book.bids[0].price")
    assert line.startswith("a Book that is no line of JSON: ")
    for constant in ("NaN", "-Infinity"):
        raw = msgspec.Raw(f'{{"a":{constant}}}'.encode())
        assert faults(live(), book(extra={"a": raw})) == [f"a Book that is no line of JSON: {constant} is no JSON"]


def pong(milliseconds: Any) -> Pong:
    return Pong(venue="kraken", env="replay", received=1, round_trip_ms=milliseconds)


def test_the_round_trip_of_a_ping_may_be_a_float() -> None:
    assert faults(pong(1.5), asked=(Subscription("ping"),)) == []


def test_records_of_another_stream_are_not_asked_for() -> None:
    assert faults(live(), trade()) == ["a Trade came, but no stream was asked for that has such records (book)"]
    both = (Subscription("book", (BTC,)), Subscription("trades", (ETH,)))
    assert faults(live(), trade(ETH), asked=both) == []
    quote = Quote(venue="kraken", env="replay", symbol=BTC, received=1)
    assert faults(quote, asked=both) == [
        "a Quote came, but no stream was asked for that has such records (book, trades)"
    ]


def test_instruments_come_without_being_asked_for() -> None:
    assert faults(Instrument(venue="kraken", env="replay", symbol=BTC, received=1)) == []


@pytest.mark.parametrize(
    ("asked", "symbol", "fault"),
    [
        (((BTC,),), BTC, False),
        (((BTC,),), ETH, True),
        (((BTC,),), None, True),
        (((BTC, ETH),), ETH, False),
        (((BTC,), (ETH,)), ETH, False),
        (((BTC,), (ETH,)), "X", True),
        (((),), "X", False),
        (((BTC,), ()), "X", False),
    ],
)
def test_records_of_markets_are_of_a_symbol_that_was_asked_for(
    asked: tuple[tuple[str, ...], ...], symbol: str | None, fault: bool
) -> None:
    found = faults(trade(symbol), asked=tuple(Subscription("trades", symbols) for symbols in asked))
    said = (
        f"a Trade of {symbol!r}, which nobody asked for: expected it to be left out "
        "(raise `NotAskedFor`, and say it once by `LeftOut`)"
    )
    assert found == ([said] if fault else [])


def candle(*, complete: bool) -> Candle:
    figures = dict.fromkeys(("open", "high", "low", "close", "volume"), ONE)
    times = {"received": 1, "interval": "1m", "start": 0, "end": 60_000}
    return Candle(
        venue="kraken", env="replay", symbol=BTC, closed=False, complete=complete, **times, **figures
    )  # type: ignore[arg-type]  # fmt: skip


@pytest.mark.parametrize(
    ("states", "record", "fault"),
    [
        ([], book(), True),
        ([live()], book(), False),
        ([live(symbol=BTC)], book(), False),
        ([live(symbol=ETH)], book(), True),
        ([live(), StreamState("book", "stale", "a gap")], book(), True),
    ],
)
def test_a_state_is_shown_once_it_is_whole(states: list[Any], record: Any, fault: bool) -> None:
    said = (
        'a Book of BTC/USD came while book was not live: expected StreamState("book", "live") before it, '
        "once the state is whole"
    )
    assert faults(*states, record, asked=(Subscription("book", (BTC, ETH)),)) == ([said] if fault else [])


def test_a_candle_that_says_itself_that_it_is_not_whole_may_come_before() -> None:
    asked = (Subscription("candles", (BTC,)),)
    assert faults(candle(complete=False), asked=asked) == []
    (found,) = faults(candle(complete=True), asked=asked)
    assert found.startswith("a Candle of BTC/USD came while candles was not live")


# --- ends of full states


def end(stream: str, **given: Any) -> SnapshotEnd:
    return SnapshotEnd(**{"venue": "b2trader", "env": "replay", "received": 1, "stream": stream, "count": 0, **given})


def test_only_streams_with_full_states_have_an_end() -> None:
    asked = (Subscription("orders"), Subscription("book", (BTC,)))
    assert faults(end("orders"), asked=asked, venue=B2TRADER) == []
    assert faults(end("book"), asked=asked, venue=B2TRADER) == [
        "a `SnapshotEnd` of book: expected none, since that stream has no full states"
    ]
    assert faults(end("trades"), asked=asked, venue=B2TRADER) == [
        'a SnapshotEnd of stream "trades": expected one that was asked for (orders, book)'
    ]
    assert faults(end("symbols"), asked=asked, venue=B2TRADER) == [], "a list of symbols is no stream"
    assert faults(end("orders", venue="x"), asked=asked, venue=B2TRADER) == [
        'a SnapshotEnd of venue "x": expected "b2trader"'
    ]


def test_rows_of_an_account_may_be_of_any_symbol_and_must_be_live() -> None:
    asked = (Subscription("orders", ("A",)),)
    order = Order(
        venue="b2trader", env="replay", symbol="B", received=1, order_id="1", status="new", change="update"
    )  # fmt: skip
    assert faults(live("orders"), order, asked=asked, venue=B2TRADER) == []
    (found,) = faults(order, asked=asked, venue=B2TRADER)
    assert found.startswith("a Order of B came while orders was not live")


def test_what_is_printed_of_a_record() -> None:
    rules = ItemRules(KRAKEN, OF_BOOK, print)
    assert rules.written(trade()) == (
        '{"type":"trade","venue":"kraken","env":"replay","symbol":"BTC/USD","received":1,"price":1,"size":1,"side":"buy"}'
    )
