"""What a request asks for, checked against the venue and against what a recording was made with."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cli.run.asked import asked_for, check_for_table, either, flags_of, for_table, streams_of
from cli.run.options import StreamRequest
from venues import venue_named
from venues.errors import UsageError
from venues.recording import VERSION, Header, RecordedSubscription
from venues.venue import EVERY_LEVEL, Subscription

A, B, C = "BTC/USD", "ETH/USD", "SOL/USD"


def request(stream: str, venue: str, *symbols: str, **given: Any) -> StreamRequest:
    made = StreamRequest(venue, list(symbols), **given)
    made.stream = stream
    return made


def header(venue: str, *subscriptions: RecordedSubscription, beside: list[Header] | None = None) -> Header:
    return Header(
        version=VERSION, venue=venue, url="wss://v.example", subscriptions=[*subscriptions], beside=beside or []
    )


def recorded(stream: str, *symbols: str, **given: Any) -> RecordedSubscription:
    return RecordedSubscription(stream=stream, symbols=symbols, **given)


def recording(*parts: Header) -> Any:
    first, *beside = parts
    return SimpleNamespace(
        header=header(first.venue, *first.subscriptions, beside=beside) if beside else first,
    )


def asked(stream: str, venue: str, *symbols: str, of: Any = None, **given: Any) -> Subscription:
    if of is not None:
        given["replay"] = Path("r.jsonl")
    found, subscription = asked_for(request(stream, venue, *symbols, **given), of)
    assert found.name == venue
    return subscription


def refused(stream: str, venue: str, *symbols: str, **given: Any) -> str:
    with pytest.raises(UsageError) as error:
        asked(stream, venue, *symbols, **given)
    return str(error.value)


# --- of a venue


@pytest.mark.parametrize(
    ("stream", "venue", "symbols", "words"),
    [
        ("margin", "kraken", (), "kraken has no stream margin; it has: book, trades, quotes, ticker, candles, ping"),
        ("balance", "jayx", ("BTCUSDT",), "balance of jayx takes no symbol, got BTCUSDT"),
        ("ping", "kraken", (A, B), f"ping of kraken takes no symbol, got {A} {B}"),
        ("book", "kraken", (), f"book of kraken needs a symbol, e.g. mon book kraken {A}"),
        ("book", "jayx", (), "book of jayx needs a symbol, e.g. mon book jayx BTCUSDT"),
        ("book", "jayx", ("BTCUSDT", "ETHUSDT"), "book of jayx takes one symbol, got BTCUSDT ETHUSDT"),
    ],
)
def test_what_a_venue_does_not_have_is_refused(stream: str, venue: str, symbols: tuple[str, ...], words: str) -> None:
    assert refused(stream, venue, *symbols) == words


def test_a_symbol_of_another_form_is_refused_with_what_may_be_meant() -> None:
    words = refused("book", "kraken", A, "btcusd")
    assert words.startswith('expected a symbol like BTC/USD (<BASE>/<QUOTE>, upper case), got "btcusd"')
    assert "did you mean BTC/USD" in words


def test_what_is_asked_of_a_venue() -> None:
    assert asked("book", "kraken", A) == Subscription("book", (A,))
    assert asked("book", "kraken", A, B, A, depth=5) == Subscription("book", (A, B), depth=5)
    assert asked("candles", "kraken", A, interval="5m") == Subscription("candles", (A,), interval="5m")
    assert asked("ping", "kraken") == Subscription("ping")
    assert asked("feed", "profitview", "x", "y", "x") == Subscription("feed", ("x", "y", "x"))
    given = {"precise": "10"}
    assert asked("book", "jayx", "BTCUSDT", own=given) == Subscription("book", ("BTCUSDT",), options=given)


def test_whatever_is_wrong_with_it_is_said_before_anything_is_opened() -> None:
    assert '"7m"' in refused("candles", "kraken", A, interval="7m")


@pytest.mark.parametrize(
    ("stream", "venue", "symbol", "option"),
    [("trades", "jayx", "BTCUSDT", "precise"), ("book", "kraken", A, "precise"), ("trades", "woox", "SPOT_A_B", "rpi")],
)
def test_an_option_of_another_venue_or_stream_is_refused(stream: str, venue: str, symbol: str, option: str) -> None:
    assert refused(stream, venue, symbol, own={option: "1"}) == f"--{option} does not apply to {stream} of {venue}"


def test_an_option_that_all_venues_have_is_not_a_venues_own() -> None:
    words = "--interval does not apply to candles of jayx"
    assert refused("candles", "jayx", "BTCUSDT", own={"interval": "1m"}) == words


# --- of a recording

OF_KRAKEN = header("kraken", recorded("book", A, depth=100), recorded("book", B, depth=25), recorded("trades", A))


def test_what_a_recording_was_made_with_is_asked_for_again() -> None:
    of = recording(OF_KRAKEN)
    assert asked("book", "kraken", A, of=of) == Subscription("book", (A,), depth=100)
    assert asked("book", "kraken", B, of=of) == Subscription("book", (B,), depth=25)
    assert asked("book", "kraken", B, of=of, depth=10) == Subscription("book", (B,), depth=10)
    assert asked("trades", "kraken", of=of) == Subscription("trades", (A,))
    candles = recording(header("nexus", recorded("candles", "SPOT_A_B", interval="5m")))
    assert asked("candles", "nexus", of=candles) == Subscription("candles", ("SPOT_A_B",), interval="5m")


def test_a_recording_of_several_needs_one_that_is_named() -> None:
    of = recording(OF_KRAKEN)
    assert refused("book", "kraken", of=of) == (f"r.jsonl is a recording of {A} and of {B}: name the one to be played")
    assert refused("book", "kraken", C, of=of) == f"r.jsonl is a recording of {A} and of {B}"
    assert refused("trades", "kraken", B, of=of) == f"r.jsonl is a recording of {A}"
    assert refused("candles", "kraken", A, of=of) == "r.jsonl is a recording of book, trades, not of candles"


def test_symbols_of_a_recording_are_those_that_were_named_together() -> None:
    of = recording(header("kraken", recorded("trades", A, B)))
    assert asked("trades", "kraken", A, B, of=of).symbols == (A, B)
    assert refused("trades", "kraken", A, of=of) == f"r.jsonl is a recording of {A} {B}"


def test_a_recording_of_another_venue_is_refused() -> None:
    other = header("woox", recorded("trades", "SPOT_A_B"))
    of = recording(OF_KRAKEN, other)
    assert refused("book", "jayx", of=of) == "r.jsonl is a recording of kraken and woox, not of jayx"
    assert refused("book", "jayx", of=recording(other)) == "r.jsonl is a recording of woox, not of jayx"
    assert asked("trades", "woox", of=of).symbols == ("SPOT_A_B",)


def test_a_recording_of_nothing_is_one() -> None:
    assert refused("book", "kraken", of=recording(header("kraken"))) == (
        "r.jsonl is a recording of nothing, not of book"
    )


def test_where_names_are_a_filter_another_one_may_be_asked_for() -> None:
    of = recording(header("profitview", recorded("feed", "x")))
    assert asked("feed", "profitview", "y", of=of).symbols == ("y",)
    assert asked("feed", "profitview", of=of).symbols == ("x",)
    deep = recording(header("profitview", recorded("feed", "x", depth=5), recorded("feed", "z", depth=7)))
    assert asked("feed", "profitview", "y", of=deep).depth == 5, "as the first of them was asked for"
    assert asked("feed", "profitview", "z", of=deep).depth == 7
    several = recording(header("profitview", recorded("feed", "x"), recorded("feed")))
    assert asked("feed", "profitview", "y", of=several).symbols == ("y",)
    assert refused(
        "feed", "profitview", of=recording(header("profitview", recorded("feed", "x"), recorded("feed", "y")))
    ) == ("r.jsonl is a recording of x and of y: name the one to be played")


def test_what_came_along_unasked_is_played_with_the_symbol_of_what_was_asked() -> None:
    nexus = venue_named("nexus")
    along = [name for name in nexus.streams if name != "ping"]
    made = header("nexus", recorded("trades", "SPOT_A_B"))
    assert streams_of(nexus, made) == ["trades", *(name for name in along if name != "trades")]
    for stream in along:
        assert asked(stream, "nexus", of=recording(made)).symbols == ("SPOT_A_B",)
    assert streams_of(nexus, header("nexus", recorded("ping"))) == ["ping"]
    assert streams_of(nexus, header("nexus", recorded("ping"), recorded("book", "SPOT_A_B")))[:2] == ["ping", "book"]
    assert refused("trades", "nexus", of=recording(header("nexus", recorded("ping")))) == (
        "r.jsonl is a recording of ping, not of trades"
    )


@pytest.mark.parametrize(
    ("made_with", "own", "words"),
    [
        ({"precise": "10"}, {}, None),
        ({"precise": "10"}, {"precise": "10"}, None),
        ({"precise": "10"}, {"precise": "5"}, "r.jsonl was recorded with --precise 10"),
        ({}, {"precise": "5"}, "r.jsonl was recorded with no --precise"),
        ({}, {}, None),
    ],
)
def test_a_recording_keeps_an_option_with_a_value(
    made_with: dict[str, str], own: dict[str, str], words: str | None
) -> None:
    of = recording(header("jayx", recorded("book", "BTCUSDT", options=made_with)))
    if words is None:
        assert asked("book", "jayx", of=of, own=own).options == made_with
    else:
        assert refused("book", "jayx", of=of, own=own) == words


def test_a_recording_keeps_a_flag() -> None:
    on = recording(header("woox", recorded("book", "SPOT_A_B", options={"rpi": "true"})))
    off = recording(header("woox", recorded("book", "SPOT_A_B")))
    assert asked("book", "woox", of=on).options == {"rpi": "true"}
    assert asked("book", "woox", of=on, own={"rpi": "true"}).options == {"rpi": "true"}
    assert refused("book", "woox", of=off, own={"rpi": "true"}) == "r.jsonl was recorded with no --rpi"
    assert refused("book", "woox", of=on, own={"rpi": "false"}) == "r.jsonl was recorded with --rpi"


def test_a_recording_keeps_its_interval() -> None:
    of = recording(header("jayx", recorded("candles", "BTCUSDT", interval="5m")))
    assert asked("candles", "jayx", of=of, interval="5m").interval == "5m"
    assert refused("candles", "jayx", of=of, interval="1m") == "r.jsonl was recorded with --interval 5m"


# --- of a table


@pytest.mark.parametrize("stream", ["book", "candles"])
def test_a_table_of_one_symbol_is_full(stream: str) -> None:
    venue = venue_named("kraken")
    check_for_table(Subscription(stream, (A,)), venue)
    check_for_table(Subscription("trades", (A, B)), venue)
    with pytest.raises(UsageError) as error:
        check_for_table(Subscription(stream, (A, B)), venue)
    assert str(error.value) == (
        f"a table of {stream} takes one symbol, got {A}, {B}: "
        f"take one, e.g. mon {stream} kraken {A}, or lines of all of them with -o jsonl"
    )


def test_a_header_says_how_the_switches_of_a_stream_are_set() -> None:
    woox, jayx = venue_named("woox"), venue_named("jayx")
    assert flags_of(woox, Subscription("book", ("A",))) == ["rpi: false"]
    assert flags_of(woox, Subscription("book", ("A",), options={"rpi": "true"})) == ["rpi: true"]
    assert flags_of(woox, Subscription("trades", ("A",))) == []
    assert flags_of(jayx, Subscription("book", ("A",), options={"precise": "10"})) == [], "it is no switch"


def test_a_table_of_a_book_takes_every_level() -> None:
    assert for_table(Subscription("book", ("A",), depth=5)) == Subscription("book", ("A",), depth=EVERY_LEVEL)
    assert for_table(Subscription("trades", ("A",), depth=5)) == Subscription("trades", ("A",), depth=5)


def test_symbols_of_several_subscriptions_in_words() -> None:
    assert either([("A", "B"), (), ("C",)]) == "A B and of no symbol and of C"
