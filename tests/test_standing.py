"""States per stream and symbol: one status for what happens to all, one each for what happens to some."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.test_driver import OneLine, at
from venues.driver import Driver
from venues.errors import VenueRefused
from venues.full_states import FullStates
from venues.records import Quote, SnapshotEnd, Status
from venues.standing import Standings
from venues.toolkit.pacing import STABLE_AFTER
from venues.venue import Confirmed, Lost, Now, Offer, Refused, StreamState, Subscription, has_full_states

ONE = Decimal(1)


def driver_of(stream: str = "quotes", symbols: tuple[str, ...] = ("A", "B", "C"), **more: Any) -> Driver:
    items, options = {"opened": [], **more.pop("items", {})}, more
    driver = Driver(OneLine(**items), [Subscription(stream, symbols)], venue="v", **options)
    driver.begin({}, 0.0)
    return driver


def said(items: Any) -> list[tuple[Any, ...]]:
    return [(one.symbol, one.state, one.reason) for one in items if isinstance(one, Status)]


def live(*symbols: str, stream: str = "quotes") -> list[Any]:
    return [StreamState(stream, "live", symbol=symbol) for symbol in symbols]


def test_what_happens_to_all_is_one_status() -> None:
    driver = driver_of(items={"opened": [StreamState("quotes", "syncing")], "a": live("A", "B", "C")})
    assert said(driver.opened(at(1))) == [(None, "syncing", None)]
    assert said(driver.receive(b"a", at(2))) == [("A", "live", None), ("B", "live", None), ("C", "live", None)]
    assert said(driver.closed(1006, "", at(3))) == [
        (None, "reconnecting", "the venue closed the connection (code 1006)")
    ]


def test_what_happens_to_one_is_its_own() -> None:
    driver = driver_of(
        items={
            "a": live("A", "B", "C"),
            "b": [StreamState("quotes", "stale", "a gap", symbol="B")],
            "c": [StreamState("quotes", "stale", "a bad frame")],
            "d": [StreamState("quotes", "live")],
        }
    )
    driver.opened(at(0))
    driver.receive(b"a", at(1))
    assert said(driver.receive(b"b", at(2))) == [("B", "stale", "a gap")]
    assert said(driver.receive(b"b", at(3))) == []
    # The others follow; what B is already is not told again.
    assert said(driver.receive(b"c", at(4))) == [("A", "stale", "a bad frame"), ("C", "stale", "a bad frame")]
    again = driver.receive(b"d", at(5))
    assert [(one.symbol, one.down_ms) for one in again if isinstance(one, Status)] == [
        ("A", 1000), ("B", 3000), ("C", 1000)
    ]  # fmt: skip


def test_symbols_of_one_connection_of_several_are_named() -> None:
    driver = driver_of(symbols=("A", "B"), partly=("quotes",), items={"opened": [StreamState("quotes", "syncing")]})
    assert said(driver.opened(at(1))) == [("A", "syncing", None), ("B", "syncing", None)]


def test_two_subscriptions_of_a_stream_are_both_told_of() -> None:
    items = {"opened": [StreamState("book", "live", symbol="B")]}
    driver = Driver(OneLine(**items), [Subscription("book", ("A",)), Subscription("book", ("B",))], venue="v")
    driver.begin({}, 0.0)
    assert said(driver.opened(at(1))) == [("B", "live", None)]


def test_one_symbol_is_always_named_and_need_not_name_itself() -> None:
    items = {"opened": [StreamState("quotes", "live")], "a": [StreamState("quotes", "stale", "x", symbol="A")]}
    driver = driver_of(symbols=("A",), items=items)
    assert said(driver.opened(at(1))) == [("A", "live", None)]
    assert said(driver.receive(b"a", at(2))) == [("A", "stale", "x")]


@pytest.mark.parametrize(
    ("symbols", "told"), [((), (None, "stale", "x")), (("A",), ("A", "stale", "x")), (("A", "B"), None)]
)
def test_of_one_symbol_another_name_is_one_for_it(symbols: tuple[str, ...], told: Any) -> None:
    driver = driver_of(symbols=symbols, items={"a": [StreamState("quotes", "stale", "x", symbol="a-b")]})
    driver.opened(at(1))
    assert said(driver.receive(b"a", at(2))) == ([] if told is None else [told])


def test_a_refused_symbol_is_closed_and_the_others_go_on() -> None:
    refused = [Refused("unknown pair B", "quotes", "B")]
    driver = driver_of(items={"opened": live("A", "B", "C"), "a": refused, "b": live("B")})
    driver.opened(at(1))
    assert said(driver.receive(b"a", at(2))) == [("B", "closed", "unknown pair B")]
    assert driver.ended is None
    assert driver.retry_at is None
    assert said(driver.receive(b"b", at(3))) == []  # what is closed stays so …
    assert said(driver.closed(1006, "", at(4))) == [
        ("A", "reconnecting", "the venue closed the connection (code 1006)"),
        ("C", "reconnecting", "the venue closed the connection (code 1006)"),
    ]
    assert said(driver.resumed(at(5))) == [(None, "reconnecting", "the recording goes on with a later run of mon")]


def test_the_last_symbol_that_is_refused_ends_it() -> None:
    items = {name: [Refused(f"no {name}", "quotes", name.upper())] for name in "abc"}
    driver = driver_of(items=items)
    driver.opened(at(0))
    driver.receive(b"a", at(1))
    driver.receive(b"b", at(2))
    assert driver.ended is None
    assert said(driver.receive(b"c", at(3))) == [("C", "closed", "no c")]
    assert isinstance(driver.ended, VenueRefused)
    assert str(driver.ended) == "v refuses quotes of A (no a); B (no b); C (no c)"


@pytest.mark.parametrize("apart", [False, True])
def test_a_stream_that_is_refused_ends_all_unless_others_go_on(*, apart: bool) -> None:
    line = OneLine(opened=[], a=[Refused("unknown: B, C", "quotes")])
    subscriptions = [Subscription("quotes", ("A", "B", "C")), Subscription("book", ("A",))]
    driver = Driver(line, subscriptions, venue="v", apart=apart)
    driver.begin({}, 0.0)
    driver.opened(at(0))
    statuses = [(one.stream, one.symbol, one.state) for one in driver.receive(b"a", at(1)) if isinstance(one, Status)]
    assert statuses == [("quotes", None, "closed")] + ([] if apart else [("book", "A", "closed")])
    assert (driver.ended is None) == apart


def test_a_missed_event_is_told_for_each_symbol() -> None:
    driver = driver_of(
        stream="trades", symbols=("A", "B"), items={"opened": live("A", stream="trades"), "a": [Lost("x")]}
    )
    driver.opened(at(1))
    driver.receive(b"a", at(2))
    driver.begin({}, 0.0)
    assert said(driver.opened(at(3))) == [("A", "live", "what happened in between was missed")]


@pytest.mark.parametrize(
    ("states", "down"),
    [
        (["live"], None),
        (["syncing", "live"], None),
        (["stale", "live"], 8_000),
        (["reconnecting", "live"], 8_000),
        (["stale", "reconnecting", "syncing", "live"], 8_000),
        (["syncing", "reconnecting", "live"], 7_000),
        (["live", "stale", "syncing", "live"], 7_000),
        (["stale", "live", "syncing", "live"], None),
        (["stale", "live", "stale", "live"], 6_000),
    ],
)
def test_how_long_it_was_down_counts_from_the_first_interruption(states: list[Any], down: int | None) -> None:
    """A second each, the last of them at 9 s, and each was heard a second before."""
    standings = Standings([Subscription("book", ("A",))], venue="v", label=None, hide=str)
    for number, state in enumerate(states):
        seconds = 9.0 if number == len(states) - 1 else number + 2.0
        told = standings.changed("book", state, "x", Now(seconds, int(seconds * 1000), heard=seconds - 1))
    assert [(one.state, one.down_ms) for one in told] == [("live", down)]


@pytest.mark.parametrize(("seconds", "endings"), [(29.9, 3), (30.0, 1)])
def test_the_ends_are_forgotten_after_thirty_seconds_live(seconds: float, endings: int) -> None:
    standings = Standings([Subscription("book", ("A", "B"))], venue="v", label=None, hide=str)
    assert standings.end("book", "A", at(0)) == 1
    assert standings.end("book", "A", at(0)) == 2
    standings.changed("book", "live", "", at(5), symbol="A")
    standings.changed("book", "live", "a notice", at(20), symbol="A")
    assert standings.end("book", "B", at(5 + seconds)) == 1
    assert standings.end("book", "A", at(5 + seconds)) == endings
    assert standings.end("book", None, at(5 + seconds)) == endings + 1, "that of the symbol with the most"
    assert standings.end("book", "C", at(5 + seconds)) == 0


def test_what_is_closed_is_not_ended_any_more() -> None:
    standings = Standings([Subscription("book", ("A", "B"))], venue="v", label=None, hide=str)
    standings.changed("book", "closed", "no", at(1), symbol="A")
    assert (standings.end("book", "A", at(2)), standings.end("book", None, at(2))) == (0, 1)
    assert not standings.is_closed("book")
    standings.changed("book", "closed", "no", at(3))
    assert (standings.is_closed("book"), standings.end("book", None, at(4))) == (True, 0)
    standings.begin_anew()
    assert not standings.is_closed("book")
    assert (standings.end("book", "A", at(5)), standings.end("book", "B", at(5))) == (1, 1), (
        "the ends are forgotten too"
    )


@pytest.mark.parametrize("live_first", [True, False])
@pytest.mark.parametrize(("stream", "words"), [("trades", "what happened in between was missed"), ("book", None)])
def test_only_what_was_live_can_miss_events(stream: str, words: str | None, *, live_first: bool) -> None:
    standings = Standings([Subscription(stream, ("A",))], venue="v", label=None, hide=str)
    standings.changed(stream, "live" if live_first else "syncing", "", at(1))
    for _ in range(2):
        standings.missed()
    standings.changed(stream, "reconnecting", "x", at(2))
    assert said(standings.changed(stream, "live", "", at(3))) == [("A", "live", words if live_first else None)]
    assert said(standings.changed(stream, "live", "own words", at(4))) == [("A", "live", "own words")]
    standings.missed()
    standings.changed(stream, "reconnecting", "x", at(5))
    assert said(standings.changed(stream, "live", "own words", at(6))) == [("A", "live", "own words")]
    standings.changed(stream, "stale", "x", at(7))
    assert said(standings.changed(stream, "live", "", at(8))) == [("A", "live", None)], "it was told already"


@pytest.mark.parametrize("length", [1_000, 1_001])
def test_the_words_of_a_status_are_cut_and_without_secrets(length: int) -> None:
    standings = Standings(
        [Subscription("book", ("A",))],
        venue="v",
        label="test",
        hide=lambda text: text.replace("key", "K" * (length - 3)),
    )
    (status,) = standings.changed("book", "stale", "a: key", at(1), condition="b: key", attempt=1, retry_in_ms=2)
    cut = "K" * (length - 3) if length == 1_000 else "K" * 996 + "…"
    assert status == Status(
        venue="v", env="test", symbol="A", received=1_000, stream="book", state="stale", reason=f"a: {cut}",
        condition=f"b: {cut}", attempt=1, retry_in_ms=2,
    )  # fmt: skip


# --- the end of a full state


def quote(symbol: str, number: int = 0) -> Quote:
    return Quote(venue="v", symbol=symbol, received=number, bid_price=ONE)


def status(state: Any, symbol: str | None = None) -> Status:
    return Status(venue="v", symbol=symbol, received=0, stream="quotes", state=state)


def ends(full: FullStates, *items: Any) -> list[int | str]:
    """The items of one message in short: a symbol, or the count of an end."""
    done = full.completed(list(items))
    return [
        one.count if isinstance(one, SnapshotEnd) else one.symbol or ""
        for one in done
        if not isinstance(one, Confirmed)
    ]


def full_of(*symbols: str) -> FullStates:
    return FullStates("quotes", symbols, venue="v", label=None)


def test_the_row_of_the_last_symbol_completes_a_full_state() -> None:
    full = full_of("A", "B")
    assert ends(full, quote("A")) == ["A"]
    assert ends(full, quote("A")) == ["A"]
    assert ends(full, quote("B"), quote("A")) == ["B", 2, "A"]
    assert ends(full, quote("B")) == ["B"]


def test_an_interruption_of_one_symbol_makes_the_state_whole_again_with_its_row() -> None:
    full = full_of("A", "B")
    ends(full, quote("A"), quote("B"))
    full.completed([status("stale", "B")])
    assert ends(full, quote("A")) == ["A"]
    assert ends(full, status("live", "B"), quote("B")) == ["B", "B", 2]
    full.completed([status("reconnecting")])
    assert ends(full, quote("B"), quote("A")) == ["B", "A", 2]


def test_a_symbol_that_is_closed_is_no_part_of_a_full_state() -> None:
    full = full_of("A", "B", "C")
    assert ends(full, quote("A"), quote("B")) == ["A", "B"]
    assert ends(full, status("closed", "C")) == ["C", 2]
    full.completed([status("reconnecting", "A"), status("reconnecting", "B")])
    assert ends(full, quote("A"), quote("B")) == ["A", "B", 2]
    assert ends(full, status("closed")) == [""]


def test_a_venue_that_ends_its_full_states_itself_is_left_to_it() -> None:
    full = full_of("A", "B")
    end = SnapshotEnd(venue="v", received=0, stream="quotes", count=2)
    assert ends(full, quote("A"), quote("B"), end) == ["A", "B", 2]
    full.completed([status("stale")])
    assert ends(full, quote("A"), quote("B")) == ["A", "B"]


def test_books_and_candles_have_no_full_states() -> None:
    from venues.streams import STREAMS

    many = Offer("x", symbols="many")
    have = [name for name, stream in STREAMS.items() if stream.kind == "state" and has_full_states(stream, many)]
    assert have == ["quotes", "ticker", "watchlist", "orders", "positions", "closed", "balance"]


def test_an_end_of_what_is_closed_already_is_not_counted() -> None:
    standings = Standings([Subscription("quotes", ("A", "B"))], venue="v", label=None, hide=str)
    assert [standings.end("quotes", "A", at(1)), standings.end("quotes", None, at(1))] == [1, 2]
    assert standings.end("quotes", "X", at(1)) == 0


def test_endings_are_forgotten_once_it_was_live_for_long_though_it_is_not_so_any_more() -> None:
    for seconds, endings in ((STABLE_AFTER, 1), (STABLE_AFTER - 1, 2)):
        standings = Standings([Subscription("quotes", ("A", "B"))], venue="v", label=None, hide=str)
        assert standings.end("quotes", "A", at(1)) == 1
        standings.changed("quotes", "live", "", at(2), symbol="A")
        standings.changed("quotes", "stale", "silent", at(2 + seconds), symbol="A")
        assert standings.end("quotes", "A", at(3 + seconds)) == endings


def test_what_changes_nothing_about_a_full_state_is_handed_on_as_it_is() -> None:
    """In a calm market, every message."""
    full, calm = full_of("A", "B"), [quote("A"), Confirmed("quotes")]
    for nothing in ([Confirmed("quotes")], [], [Status(venue="v", received=0, stream="book", state="stale")]):
        assert full.completed(nothing) is nothing
    assert full.completed(calm) is not calm, "B is missing"
    full.completed([quote("B")])
    assert full.completed(calm) is calm
    full.completed([status("stale", "B")])
    assert ends(full, status("live", "B"), quote("B")) == ["B", "B", 2]


def test_neither_another_stream_nor_being_live_makes_a_state_incomplete() -> None:
    full = full_of("A", "B")
    ends(full, quote("A"), quote("B"))
    full.completed([status("live")])
    assert (ends(full, quote("A")), ends(full, quote("B"))) == (["A"], ["B"])
    of_another = Status(venue="v", received=0, stream="book", state="stale")
    full.completed([status("stale", "A"), of_another])
    assert ends(full, quote("A")) == ["A", 2], "the row of B is there"
    closed = Status(venue="v", received=0, stream="book", state="closed")
    full.completed([status("stale", "A"), closed])
    assert ends(full, quote("A")) == ["A", 2]
