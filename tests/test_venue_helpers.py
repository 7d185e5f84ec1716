"""What is asked of subscriptions, offers and venues: one symbol or several, full states, lists of symbols."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from tests.tiny import TINY
from venues import venue_named
from venues.records import Instrument
from venues.streams import STREAMS
from venues.venue import (
    CommandKind,
    HttpRequest,
    HttpResponse,
    Offer,
    Subscription,
    has_full_states,
    has_list,
    has_several,
    is_row_a_symbol,
    symbol_of,
    without_request,
)


@pytest.mark.parametrize(
    ("subscription", "symbol", "several"),
    [
        (Subscription("book"), None, False),
        (Subscription("book", ("A",)), "A", False),
        (Subscription("book", ("A", "B")), None, True),
        (Subscription("quotes", ("A", "B", "C")), None, True),
        (Subscription("feed", ("A",)), None, False),
        (Subscription("feed", ("A", "B")), None, False),
        (Subscription("feed"), None, False),
        (Subscription("ping"), None, False),
    ],
)
def test_a_symbol_is_said_of_one_and_in_each_status_of_several(
    subscription: Subscription, symbol: str | None, *, several: bool
) -> None:
    assert symbol_of(subscription) == symbol
    assert has_several(subscription) is several


@pytest.mark.parametrize("partial", [True, False])
@pytest.mark.parametrize("symbols", ["none", "one", "many", "any"])
def test_which_streams_have_full_states(symbols: Any, *, partial: bool) -> None:
    offer = Offer("x", symbols=symbols, partial=partial)
    rows = {name for name, stream in STREAMS.items() if is_row_a_symbol(stream, offer)}
    assert rows == ({"quotes", "ticker", "watchlist"} if symbols == "many" else set())
    keyed = {"ticker", "watchlist", "orders", "positions", "closed", "balance"}
    full = {name for name, stream in STREAMS.items() if has_full_states(stream, offer)}
    assert full == (set() if partial else keyed | rows)


def test_the_fields_of_a_command_are_the_required_ones_first() -> None:
    kind = CommandKind("x", {"b": "B"}, {"a": "A"}, Subscription("feed"))
    assert list(kind.fields.items()) == [("b", "B"), ("a", "A")]


def test_whether_an_entry_says_anything_of_a_list() -> None:
    assert has_list(TINY)
    assert [has_list(venue_named(name)) for name in ("nbt", "kraken", "woox")] == [False, True, True]


def test_a_list_that_the_entry_knows_needs_no_request() -> None:
    closed: list[bool] = []

    def known() -> Generator[HttpRequest, HttpResponse, list[Instrument]]:
        yield from ()
        return [Instrument(venue="v", symbol="A", received=0)]

    def asked() -> Generator[HttpRequest, HttpResponse, list[Instrument]]:
        try:
            yield HttpRequest("GET", "https://v.example", "https://v.example")
            raise AssertionError
        finally:
            closed.append(True)

    assert without_request(known()) == [Instrument(venue="v", symbol="A", received=0)]
    asking = asked()
    assert without_request(asking) is None
    assert closed == [True], "nobody will ask it"
    route: Any = object()
    assert without_request(route) is None
