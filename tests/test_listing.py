"""The list of a venue's symbols, in this process: what is a usable one, and what counts of what a connection brings."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Mapping
from decimal import Decimal
from typing import Any

import pytest

from tests.heldline import Clock, Opening, Socket, settled
from tests.tiny import TINY, ListingRoute
from venues import connection, listing
from venues.errors import MonError, VenueUnreachable
from venues.fetching import Fetcher
from venues.listing import Listing, NotInTimeError
from venues.records import Instrument
from venues.redaction import Redactor
from venues.venue import HttpRequest, HttpResponse, Settings, SymbolList

SETTINGS = Settings("wss://v.example", label="test")
UNUSABLE = "the list of symbols that tiny gave cannot be used: "


async def secrets() -> Mapping[str, str]:
    return {}


def listing_of(*answers: HttpResponse, **given: Any) -> Listing:
    """Requests are answered one after the other."""
    clock, left = Clock(), list(answers)

    async def make(request: HttpRequest, proxy: str | None) -> HttpResponse:
        if not left:
            await asyncio.sleep(60)
        return left.pop(0)

    return Listing(
        TINY,
        SETTINGS,
        clock=clock,
        random=lambda: 0.5,
        redactor=given.get("redactor", Redactor()),
        fetcher=Fetcher(now=clock.now, sleep=clock.sleep, make=make),
        fetch_secrets=secrets,
        rest_proxy=given.get("rest_proxy"),
    )


def instrument(symbol: Any = "A", **given: Any) -> Instrument:
    return Instrument(venue="another", symbol=symbol, received=0, **given)


# --- what is usable


@pytest.mark.parametrize(("count", "is_borne"), [(2, True), (3, True), (4, False)])
def test_a_list_has_its_largest_size(count: int, *, is_borne: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "MOST_SYMBOLS", 3)
    found = [instrument(f"S{number}") for number in range(count, 0, -1)]
    if not is_borne:
        with pytest.raises(VenueUnreachable) as raised:
            listing_of().checked(found)
        assert str(raised.value) == f"{UNUSABLE}expected at most 3 symbols, got 4"
        return
    assert listing_of().checked(found) == [
        Instrument(venue="tiny", env="test", symbol=f"S{number}", received=1_000_000) for number in range(1, count + 1)
    ]


def step(text: Any) -> str:
    return f'expected a number above 0 as price_step of A, got "{text}"'


@pytest.mark.parametrize(
    ("one", "problem"),
    [
        (7, "expected an instrument, got int"),
        (instrument(None), "expected an instrument with a symbol, got one without"),
        (instrument(""), "expected an instrument with a symbol, got one without"),
        (instrument(7), "expected an instrument with a symbol, got one without"),
        (instrument("x" * 200), ""),
        (instrument("x" * 201), f'expected a text of at most 200 characters as symbol, got "{"x" * 59}…"'),
        (instrument(kind="x" * 200, status="y" * 200, base="z" * 200, quote="w" * 200), ""),
        (instrument(kind=7), 'expected a text of at most 200 characters as kind, got "7"'),
        (instrument(base="x" * 201), f'expected a text of at most 200 characters as base, got "{"x" * 59}…"'),
        (instrument(price_step=Decimal("0.01"), size_step=Decimal(1)), ""),
        (instrument(price_step=Decimal(0)), step("0")),
        (instrument(price_step=Decimal(-1)), step("-1")),
        (instrument(price_step=Decimal("-0.5")), step("-0.5")),
        (instrument(price_step=Decimal("NaN")), step("NaN")),
        (instrument(price_step=Decimal("Infinity")), step("Infinity")),
        (instrument(price_step=0.5), step("0.5")),
        (instrument(price_step=Decimal("1e40")), ""),
        (instrument(price_step=Decimal("1e41")), step("1E+41")),
        (instrument(price_step=Decimal("1e-40")), ""),
        (instrument(price_step=Decimal("1e-41")), step("1E-41")),
        (instrument(price_step=Decimal("1" * 40)), ""),
        (instrument(price_step=Decimal("1" * 41)), step("1" * 41)),
        (instrument(price_step=Decimal("0." + "1" * 41)), step("0." + "1" * 41)),
        (
            instrument("x" * 61, size_step=Decimal(0)),
            f'expected a number above 0 as size_step of {"x" * 59}…, got "0"',
        ),
    ],
)
def test_what_an_instrument_may_be(one: Any, problem: str) -> None:
    if not problem:
        assert [found.symbol for found in listing_of().checked([one])] == [one.symbol]
        return
    with pytest.raises(VenueUnreachable) as raised:
        listing_of().checked([instrument("fine"), one])
    assert str(raised.value) == UNUSABLE + problem


@pytest.mark.parametrize("listed", [None, 7, [instrument()]])
def test_an_entry_gives_a_generator_or_a_route(listed: Any) -> None:
    with pytest.raises(VenueUnreachable) as raised:
        asyncio.run(listing_of().instruments(listed))
    kind = type(listed).__name__
    assert str(raised.value) == f"{UNUSABLE}expected a generator or a route of symbol_list, got {kind}"


# --- by requests


def test_the_secrets_of_the_proxy_are_hidden() -> None:
    redactor = Redactor()
    listing_of(redactor=redactor, rest_proxy="http://somebody:pass-word@p.example")
    assert redactor.text("somebody:pass-word") == "[proxy_user]:[proxy_password]"


def test_requests_are_made_one_after_the_other_and_what_they_give_is_the_list() -> None:
    closed: list[bool] = []

    def pages() -> Generator[HttpRequest, HttpResponse, list[Instrument]]:
        try:
            first = yield HttpRequest("GET", "https://v.example/1?key=k-1", "https://v.example/1?key=[key]")
            second = yield HttpRequest("GET", "https://v.example/2", "https://v.example/2")
            return [instrument(first.body.decode()), instrument(second.body.decode())]
        finally:
            closed.append(True)

    redactor = Redactor()
    found = listing_of(HttpResponse(200, b"B"), HttpResponse(200, b"A"), redactor=redactor)
    assert [one.symbol for one in asyncio.run(found.instruments(pages()))] == ["A", "B"]
    assert redactor.text("https://v.example/1?key=k-1") == "https://v.example/1?key=[key]"
    assert closed == [True]


def test_what_takes_too_long_is_no_list_and_its_generator_is_closed() -> None:
    closed: list[bool] = []

    def pages() -> Generator[HttpRequest, HttpResponse, list[Instrument]]:
        try:
            yield HttpRequest("GET", "https://v.example/1", "https://v.example/1")
            raise AssertionError
        finally:
            closed.append(True)

    with pytest.raises(NotInTimeError) as raised:
        asyncio.run(listing_of().instruments(pages(), within=0.01))
    assert str(raised.value) == "tiny gave no list of its symbols within 0.01 s"
    assert closed == [True]


def test_what_is_no_request_is_said() -> None:
    def pages() -> Generator[Any, HttpResponse, list[Instrument]]:
        yield "https://v.example"
        raise AssertionError

    with pytest.raises(VenueUnreachable) as raised:
        asyncio.run(listing_of().instruments(pages()))
    assert str(raised.value) == f"{UNUSABLE}expected an HTTP request, got str"


# --- by a connection

ROWS = (b'{"s":"B"}', b'{"s":"A"}')


def by_connection(monkeypatch: pytest.MonkeyPatch, *reads: tuple[bytes, ...]) -> tuple[list[str], Socket]:
    """The symbols that come so, and the socket that they came over."""
    monkeypatch.setattr(connection, "Opening", Opening)
    Opening.sockets = [Socket()]
    (socket,) = Opening.sockets

    async def scenario() -> list[Instrument]:
        route: SymbolList = ListingRoute((), SETTINGS)
        listed = asyncio.create_task(listing_of().instruments(route, within=0.2))
        await settled()
        for read in reads:
            if socket.on_message is not None:
                socket.comes(*read)
            await settled()
        return await listed

    return [str(one.symbol) for one in asyncio.run(scenario())], socket


@pytest.mark.parametrize("reads", [[(*ROWS, b"end")], [ROWS, (b"end",)], [(*ROWS, b"end", b'{"s":"C"}', b"bad")]])
def test_all_up_to_its_end_is_the_list_and_the_connection_ends(
    reads: list[tuple[bytes, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    symbols, socket = by_connection(monkeypatch, *reads)
    assert symbols == ["A", "B"]
    assert socket.did == ["list", ("close", 1000, "")]


@pytest.mark.parametrize("reads", [[(ROWS[0], b"bad", *ROWS, b"end")], [ROWS, (b"bad",), (b"no",)]])
def test_a_bad_message_before_its_end_spoils_the_list(
    reads: list[tuple[bytes, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(VenueUnreachable) as raised:
        by_connection(monkeypatch, *reads)
    assert str(raised.value) == f"{UNUSABLE}expected a symbol, got nothing"


def test_a_line_that_is_lost_before_its_end_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MonError) as raised:
        by_connection(monkeypatch, ROWS, (b"no",))
    assert str(raised.value) == "no list today; gave up after 1 try"


@pytest.mark.parametrize(("most", "is_borne"), [(2, True), (1, False)])
def test_a_list_without_end_is_read_no_further_than_its_largest_size(
    most: int, *, is_borne: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "MOST_SYMBOLS", most)
    words = (
        "tiny gave no list of its symbols within 0.2 s" if is_borne else f"{UNUSABLE}expected at most 1 symbols, got 2"
    )
    with pytest.raises(MonError) as raised:
        by_connection(monkeypatch, ROWS)
    assert str(raised.value) == words


def test_a_goodbye_that_takes_too_long_does_not_spoil_a_whole_list(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hangs(self: Socket, code: int = 1000, reason: str = "") -> None:
        self.did.append("hangs")
        await asyncio.sleep(60)

    monkeypatch.setattr(Socket, "close", hangs)
    symbols, socket = by_connection(monkeypatch, (*ROWS, b"end"))
    assert symbols == ["A", "B"]
    assert "hangs" in socket.did
