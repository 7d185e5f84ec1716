"""Market data of symbols that nobody asked for is left out at every venue, and said once."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.lines import ENGINE, HANDSHAKE, LET_IN, START, Played, at, invoked, packet
from venues.records import Record, SnapshotEnd, Status
from venues.venue import BadFrame, Notice

OURS, OTHER = "cfd.eur_chf", "cfd.eur_usd"


def data(items: list[Any]) -> list[str | None]:
    """The symbols of the records of data."""
    return [item.symbol for item in items if isinstance(item, Record) and not isinstance(item, Status | SnapshotEnd)]


def counts(items: list[Any]) -> list[int]:
    return [item.count for item in items if isinstance(item, SnapshotEnd)]


def words(items: list[Any]) -> list[str]:
    return [item.text for item in items if isinstance(item, Notice)]


def said(venue: str, stream: str, symbol: str) -> str:
    return f"{venue} sends {stream} of symbols that were not asked for, such as {symbol}; they are left out"


ROWS = {"quotes": ("markets", "bid"), "ticker": ("markets", "price"), "watchlist": ("items", "last")}


def rows(stream: str, *markets: str, snapshot: bool) -> bytes:
    name, figure = ROWS[stream]
    return invoked({name: [{"marketId": market, figure: "1.5"} for market in markets], "snapshot": snapshot})


@pytest.mark.parametrize("stream", ROWS)
def test_rows_of_other_markets(stream: str) -> None:
    line = Played("b2trader", stream, (OURS,), [HANDSHAKE])
    others = [f"cfd.x{number}_usd" for number in range(1_000)]
    state = line.receive(rows(stream, *others, OURS, snapshot=True))
    assert (data(state), counts(state)) == ([OURS], [1])
    assert words(state) == [said("b2trader", stream, "cfd.x999_usd")]
    assert line.receive(rows(stream, *others, snapshot=False)) == []
    later = line.receive(rows(stream, OTHER, OURS, snapshot=False))
    assert (data(later), words(later)) == ([OURS], [])
    line.reconnect()
    assert len(words(line.receive(rows(stream, OTHER, snapshot=True)))) == 1


@pytest.mark.parametrize("stream", ROWS)
def test_a_bad_row_of_another_market_is_no_matter(stream: str) -> None:
    line = Played("b2trader", stream, (OURS,), [HANDSHAKE])
    name, figure = ROWS[stream]
    bad = {"marketId": OTHER, figure: "no number"}
    assert counts(line.receive(invoked({name: [bad, {"marketId": OURS, figure: "1"}], "snapshot": True}))) == [1]


@pytest.mark.parametrize("stream", ROWS)
def test_without_symbols_everything_was_asked_for(stream: str) -> None:
    line = Played("b2trader", stream, (), [HANDSHAKE])
    state = line.receive(rows(stream, OURS, OTHER, snapshot=True))
    assert (data(state), counts(state), words(state)) == ([OURS, OTHER], [2], [])


def b2trader_book(symbol: str, version: int) -> bytes:
    side = [{"price": str(version), "amount": "1"}]
    return invoked({"instrument": symbol, "version": str(version), "snapshot": True, "bids": side, "asks": []})


def chart(symbol: str, price: int) -> bytes:
    prices = dict.fromkeys(("open", "high", "low", "close"), str(price))
    times = {"start": "2023-11-14T22:13:00Z", "end": "2023-11-14T22:14:00Z"}
    return invoked({"instrument": symbol, **prices, **times})


def nexus_event(kind: str, symbol: str, number: int) -> bytes:
    one = [{"price": number, "quantity": 1}]
    content = {"BOOK": {"bids": one, "asks": []}, "TRADE": {"price": number, "quantity": 1, "side": "BUY"}}[kind]
    return json.dumps({"event": kind, "symbol": symbol, "timestamp": START + number, "data": content}).encode()


def kline(symbol: str, price: int) -> bytes:
    candle = {"created": START // 1000, "m": START // 1000, "v": 1, "symbol": symbol}
    return packet("kline", {"add": None, "modify": {**candle, **dict.fromkeys("ohlc", price)}})


ETH = "SPOT_ETH_USDT"
SINGLE = {
    "b2trader book": (OURS, OTHER, [HANDSHAKE], b2trader_book),
    "b2trader candles": (OURS, OTHER, [HANDSHAKE], chart),
    "nexus book": ("SPOT_BTC_USDT", ETH, [], lambda symbol, n: nexus_event("BOOK", symbol, n)),
    "nexus quotes": ("SPOT_BTC_USDT", ETH, [], lambda symbol, n: nexus_event("BOOK", symbol, n)),
    "nexus trades": ("SPOT_BTC_USDT", ETH, [], lambda symbol, n: nexus_event("TRADE", symbol, n)),
    "nexus candles": ("SPOT_BTC_USDT", ETH, [], lambda symbol, n: nexus_event("TRADE", symbol, n)),
    "jayx candles": ("BTCUSDT", "ETHUSDT", [ENGINE, LET_IN], kline),
}


@pytest.mark.parametrize("which", SINGLE)
def test_a_message_of_another_symbol_changes_nothing(which: str) -> None:
    venue, stream = which.split()
    ours, other, before, message = SINGLE[which]
    line = Played(venue, stream, (ours,), before)
    assert data(line.receive(message(ours, 1))) == [ours]
    (notice,) = line.receive(message(other, 2))
    assert notice == Notice(said(venue, stream, other))
    assert line.receive(message(other, 3)) == []
    assert data(line.receive(message(ours, 4))) == [ours]


def test_another_market_on_an_invocation_that_is_being_replaced_changes_nothing() -> None:
    line = Played("b2trader", "book", (OURS,), [HANDSHAKE])
    line.receive(b2trader_book(OURS, 1), 1)
    side = [{"price": "9", "amount": "1"}]
    skipping = {"instrument": OURS, "version": "9", "snapshot": False, "bids": side, "asks": []}
    states = [item.state for item in line.receive(invoked(skipping), 5_000) if isinstance(item, Status)]
    assert states == ["stale"]
    assert line.receive(invoked({**skipping, "instrument": OTHER, "version": "10"}), 5_001) == []
    many = [{"price": str(number), "amount": "1"} for number in range(1, 100_002)]
    (bad,) = line.driver.receive(invoked({**skipping, "bids": many, "version": "10"}), at(5_002))
    assert isinstance(bad, BadFrame)
    assert "more than 100000 levels" in bad.reason
    assert data(line.receive(invoked({**skipping, "snapshot": True}, 1), 5_003)) == [OURS]
