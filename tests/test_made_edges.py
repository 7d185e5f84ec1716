"""Candles made of trades at their edges: what a subscription has to be, which trades count, when to look again."""

from __future__ import annotations

from typing import Any

import pytest

from tests.test_made import CANDLES, START, TRADES, Played, Script, Venue, at, trade
from venues.errors import UsageError
from venues.made import routes_of
from venues.records import Candle, Quote, is_from_before
from venues.venue import BadFrame, Confirmed, Lost, Notice, Offer, Refused, Settings, StreamState, Subscription

SETTINGS = Settings("wss://v.example")
BOTH = Subscription("candles", ("A", "B"))


def of(stream: str, *symbols: str) -> Subscription:
    return Subscription(stream, symbols)


@pytest.mark.parametrize(
    ("takes", "symbols", "wanted"),
    [
        ("none", 0, ""),
        ("none", 1, "no symbol"),
        ("none", 2, "no symbol"),
        ("one", 0, "one symbol"),
        ("one", 1, ""),
        ("one", 2, "one symbol"),
        ("many", 0, "a symbol or several"),
        ("many", 1, ""),
        ("many", 2, ""),
        ("any", 0, ""),
        ("any", 1, ""),
        ("any", 2, ""),
    ],
)
def test_an_offer_takes_so_many_symbols(takes: Any, symbols: int, wanted: str) -> None:
    venue = Venue()
    venue.streams["quotes"] = Offer("q", symbols=takes)
    names = ("S1", "S2")[:symbols]
    if not wanted:
        assert len(routes_of(venue, [of("quotes", *names)], SETTINGS)) == 1
        return
    with pytest.raises(UsageError) as raised:
        routes_of(venue, [of("quotes", *names)], SETTINGS)
    assert str(raised.value) == f"expected {wanted} for quotes of v, got {' '.join(names) or 'none'}"


def test_what_does_not_fit_is_said_in_a_few_words() -> None:
    with pytest.raises(UsageError) as raised:
        routes_of(Venue(), [of("x" * 61)], SETTINGS)
    assert str(raised.value) == f"v has no stream {'x' * 59}…; it has: trades, quotes, candles"
    venue = Venue(symbols="one")
    with pytest.raises(UsageError) as raised:
        routes_of(venue, [of("trades", "A" * 40, "B" * 40)], SETTINGS)
    assert str(raised.value) == f"expected one symbol for trades of v, got {'A' * 40} {'B' * 18}…"


def test_the_venue_looks_at_each_symbol(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    monkeypatch.setattr(Venue, "check_symbol", lambda self, symbol: seen.append(symbol))
    routes_of(Venue(), [BOTH, TRADES], SETTINGS)
    assert seen == ["A", "B", "A"]


@pytest.mark.parametrize(
    ("record", "is_old"),
    [
        (trade(0, "1", extra={"snapshot": True}), True),
        (trade(0, "1", extra={"snapshot": False}), False),
        (trade(0, "1", extra={"snapshot": 1}), False),
        (trade(0, "1", extra={"other": True}), False),
        (trade(0, "1"), False),
        (Quote(venue="v", symbol="A", received=1, extra={"snapshot": True}), False),
        (Quote(venue="v", symbol="A", received=1), False),
        (None, False),
    ],
)
def test_which_trades_are_from_before_we_came(record: object, *, is_old: bool) -> None:
    assert is_from_before(record) is is_old


def test_a_confirmed_time_that_is_not_believed_closes_nothing() -> None:
    line = Played(CANDLES)
    line.gives(1_000, trade(1_000, "10"))
    confirmed = Confirmed("trades", START + 3_600_000)
    said, of_candles = line.gives(2_000, confirmed)
    assert isinstance(said, Notice)
    assert said.text.endswith("60 min ahead of our clock; nothing is moved by it")
    assert of_candles == Confirmed("candles", START + 3_600_000)


def test_a_confirmed_symbol_closes_its_own_candle_only() -> None:
    line = Played(BOTH)
    line.gives(1_000, trade(1_000, "10"), trade(1_000, "5", symbol="B"))
    closed, confirmed = line.gives(61_000, Confirmed("trades", START + 61_000, "B"))
    assert isinstance(closed, Candle)
    assert (closed.symbol, closed.closed, closed.time) == ("B", True, START + 61_000)
    assert confirmed == Confirmed("candles", START + 61_000, "B")
    assert line.gives(61_000, Confirmed("trades", START + 61_000, "C")) == []
    assert line.gives(61_000, Confirmed("quotes", START + 61_000)) == [Confirmed("quotes", START + 61_000)]


def test_what_is_only_syncing_is_not_confirmed() -> None:
    line = Played(BOTH)
    line.gives(1_000, StreamState("trades", "syncing", symbol="A"))
    assert line.gives(2_000, Confirmed("trades", None)) == [Confirmed("candles", None, "B")]
    line.gives(3_000, StreamState("trades", "live", symbol="A"))
    assert line.gives(4_000, Confirmed("trades", None)) == [Confirmed("candles", None)]


def test_who_asks_when_to_look_is_told_to_ask_again_once_it_may_be_earlier() -> None:
    line = Played(BOTH)
    assert line.driver.stirred, "nobody has asked yet"
    assert line.driver.deadline() is None
    assert not line.driver.stirred
    line.gives(61_000, trade(61_000, "10"))
    assert line.driver.stirred, "a first candle has its end"
    assert line.driver.deadline() == 1000 + 121
    line.gives(62_000, trade(62_000, "10", symbol="B"))
    assert not line.driver.stirred, "that of the other has the same"
    line.gives(63_000, Confirmed("trades", START + 63_000))
    assert line.driver.stirred
    assert line.driver.deadline() == 1000 + 121
    line.driver.tick(at(63_000))
    assert line.driver.stirred
    line.inner.due = 1000 + 100.0
    assert line.driver.deadline() == 1000 + 100
    line.inner.due = 1000 + 130.0
    assert line.driver.deadline() == 1000 + 121


@pytest.mark.parametrize(("ms", "closed"), [(60_999, 0), (61_000, 2), (70_000, 2)])
def test_both_the_venue_and_the_candles_have_their_deadlines(ms: int, closed: int) -> None:
    line = Played(BOTH)
    line.gives(1_000, trade(1_000, "10"), trade(1_000, "5", symbol="B"))
    line.inner.due = 1000 + 61.0
    line.inner.next = [trade(2_000, "7")] if ms < 61_000 else []
    ticked = line.driver.tick(at(ms))
    assert [item.closed for item in ticked if isinstance(item, Candle)] == [True] * closed
    assert line.inner.calls == (["tick"] if closed else [])


def test_a_later_run_of_a_recording_is_told_to_the_venues_session(monkeypatch: pytest.MonkeyPatch) -> None:
    line = Played(CANDLES)
    line.driver.resumed(at(1_000))
    heard: list[Script] = []
    monkeypatch.setattr(Script, "resumed", lambda self: heard.append(self), raising=False)
    line.open(2_000)
    line.driver.resumed(at(3_000))
    assert heard == [line.inner]


def test_a_bad_frame_of_all_streams_is_one_of_the_candles_too() -> None:
    line = Played(CANDLES)
    session: Any = line.session
    line.inner.next = [BadFrame("bad", ("trades", "quotes"))]
    assert session.receive(b"", at(1)) == [
        BadFrame("bad", ("quotes", "candles")),
        StreamState("candles", "stale", "bad frame: bad; a trade may be missing"),
    ]
    assert session.receive(b"", at(2)) == [BadFrame("bad", ("quotes", "candles"))], "they are stale already"


def test_states_of_another_symbol_or_stream_are_not_those_of_the_candles() -> None:
    line = Played(CANDLES, of("quotes", "A"))
    session: Any = line.session
    for item in (
        StreamState("quotes", "stale", "x"),
        Refused("no", "quotes"),
        Lost("gone"),
    ):
        line.inner.next = [item]
        assert session.receive(b"", at(1)) == [item]
    for item in (StreamState("trades", "stale", "x", symbol="C"), Refused("no", "trades", "C")):
        line.inner.next = [item]
        assert session.receive(b"", at(1)) == []


def test_doubt_about_a_candle_ends_with_a_state_of_the_trades_that_is_not_live() -> None:
    line = Played(CANDLES)
    session: Any = line.session
    line.inner.next = [BadFrame("bad", ("trades",))]
    session.receive(b"", at(1))
    line.inner.next = [StreamState("trades", "live", "a notice")]
    assert session.receive(b"", at(2)) == [], "a notice ends no doubt"
    line.inner.next = [StreamState("trades", "syncing", "x")]
    assert session.receive(b"", at(3)) == [StreamState("candles", "syncing", "x")]
    line.inner.next = [StreamState("trades", "live")]
    assert session.receive(b"", at(4)) == [StreamState("candles", "live")]
