"""`--reload`: which candles a script that was loaded anew has, and which streams it lacks."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from msgspec.structs import replace

from cli.bot.market_data import Candles, MarketName
from cli.bot.plan import Plan
from cli.bot.script import Bot
from cli.bot.seat import Seat
from cli.bot.timing.reload import lacks, new_candles
from cli.bot.timing.script_time import ScriptTime
from venues import venue_named
from venues.records import Trade
from venues.venue import Now, Subscription

A = MarketName("jayx", "A")
B = MarketName("jayx", "B")
MINUTE = 60_000
BEGIN = 1_700_000_040_000  # the begin of a minute


def a_seat(path: Path) -> Seat:
    return Seat(path, ScriptTime(), set(), None, put=print, send=print)  # type: ignore[arg-type]


def a_bot(*levels: str) -> Bot:
    return Bot("x.py", {f"candle_update_{level}": print for level in levels}, {})


def a_plan(candles_from: str | None, *markets: MarketName, streams: tuple[str, ...] = ()) -> Plan:
    symbols = [market.symbol for market in markets]
    venue = venue_named(markets[0].venue)
    return Plan(venue, symbols, [Subscription(name, (symbols[0],)) for name in streams], candles_from)


def a_trade(market: MarketName, at: int) -> Trade:
    price, size = Decimal(100), Decimal(2)
    return Trade(
        venue=market.venue, symbol=market.symbol, time=at, received=at, price=price, size=size, side="buy"
    )  # fmt: skip


# --- candles


def added(seat: Seat, bot: Bot, *planned: Plan, live: tuple[MarketName, ...] = ()) -> list[str]:
    now = Now(BEGIN / 1000, BEGIN)
    said = new_candles(seat, bot, planned, live.__contains__, now)
    assert seat.knowledge.candles is seat.candles
    return said


def test_a_market_that_is_new_has_candles_from_now_on(tmp_path: Path) -> None:
    seat = a_seat(tmp_path / "x.py")
    said = added(seat, a_bot("1m", "1h"), a_plan("trades", A, B), live=(A,))
    assert said == ["its candles of 1m 1h begin now, without a history"]
    assert {market: candles.levels for market, candles in seat.candles.items()} == {A: ["1m", "1h"], B: ["1m", "1h"]}
    assert seat.candles_from == {"jayx": "trades"}
    for market in (A, B):
        seat.candles[market].trade(a_trade(market, BEGIN + 100))
        bars = seat.candles[market].bars("1m")
        assert (bars.times[-1], bars.closes[-1], bars.volumes[-1]) == (BEGIN, 100.0, 2.0)


def test_the_first_trade_of_a_market_that_is_live_tells_since_when_it_was_seen(tmp_path: Path) -> None:
    """Here by a venue whose clock is two seconds ahead: its minute had begun when the candles began."""
    seat = a_seat(tmp_path / "x.py")
    seat.candles, seat.candles_from = {B: Candles([])}, {"jayx": "trades"}
    now = Now(BEGIN / 1000 + 59, BEGIN + 59_000)
    new_candles(seat, a_bot("1m"), [a_plan("trades", A, B)], {A, B}.__contains__, now)
    complete = {}
    for market in (A, B):
        candles = seat.candles[market]
        candles.trade(replace(a_trade(market, BEGIN + 61_500), received=BEGIN + 59_500))
        complete[market] = bool(candles.bars("1m").complete[-1])
    assert complete == {A: False, B: True}, "of the other one it was known before"


def test_candles_that_are_there_stay_and_only_new_levels_begin(tmp_path: Path) -> None:
    seat = a_seat(tmp_path / "x.py")
    had = Candles(["1m"])
    had.trade(a_trade(A, BEGIN - MINUTE))
    seat.candles, seat.candles_from = {A: had}, {"jayx": "trades"}
    assert added(seat, a_bot("1m"), a_plan("trades", A), live=(A,)) == []
    assert seat.candles == {A: had}
    assert had.levels == ["1m"]
    said = added(seat, a_bot("1m", "5m"), a_plan("trades", A), live=(A,))
    assert said == ["its candles of 5m begin now, without a history"]
    assert (seat.candles[A], had.levels) == (had, ["1m", "5m"])
    assert had.bars("1m").volumes[-1] == 2
    assert not had.known("5m")


def test_candles_of_a_market_that_it_no_longer_wants_stay_too(tmp_path: Path) -> None:
    seat = a_seat(tmp_path / "x.py")
    had = Candles(["1m"])
    other = MarketName("kraken", "BTC/USD")
    seat.candles, seat.candles_from = {other: had}, {"kraken": "candles"}
    assert added(seat, a_bot("1m"), a_plan("trades", A)) == ["its candles of 1m begin now, without a history"]
    assert list(seat.candles) == [other, A]
    assert seat.candles[other] is had
    assert seat.candles_from == {"jayx": "trades", "kraken": "candles"}


@pytest.mark.parametrize(
    ("was_from", "now_from", "begin"),
    [
        (None, "trades", True),
        ("trades", "trades", True),
        ("candles", "trades", False),
        (None, "candles", False),
        ("candles", "candles", False),
        ("trades", "candles", False),
        ("trades", None, False),
    ],
)
def test_new_levels_begin_only_where_they_are_made_of_trades(
    tmp_path: Path, was_from: str | None, now_from: str | None, begin: bool
) -> None:
    """Others are not called, and that is said once for all markets."""
    seat = a_seat(tmp_path / "x.py")
    seat.candles, seat.candles_from = {A: Candles(["1m"]), B: Candles(["1m"])}, {"jayx": was_from}
    bot = a_bot("1m", "5m", "1h")
    said = added(seat, bot, a_plan(now_from, A, B))
    if begin:
        assert said == ["its candles of 5m 1h begin now, without a history"]
        assert [*bot.callbacks] == ["candle_update_1m", "candle_update_5m", "candle_update_1h"]
        assert seat.candles[A].levels == seat.candles[B].levels == ["1m", "5m", "1h"]
    else:
        assert said[0] == "its candles of 5m 1h are not called: start mon again for them"
        assert len(said) == 1
        assert [*bot.callbacks] == ["candle_update_1m"]
        assert seat.candles[A].levels == seat.candles[B].levels == ["1m"]
    assert seat.candles_from == {"jayx": now_from if was_from is None else was_from}


def test_levels_that_are_looked_up_only_are_no_callbacks_to_take_away(tmp_path: Path) -> None:
    seat = a_seat(tmp_path / "x.py")
    bot = Bot("x.py", {}, {}, more_levels={"1h"})
    assert added(seat, bot, a_plan("candles", A)) == ["its candles of 1h are not called: start mon again for them"]
    assert bot.callbacks == {}


# --- streams


@pytest.mark.parametrize(
    ("opened", "said"),
    [
        (("quotes", "trades"), []),
        (("trades",), ["quotes"]),
        (("quotes", "trades", "book"), []),
        ((), ["quotes", "trades"]),
    ],
)
def test_streams_that_were_not_opened_are_said_by_name(opened: tuple[str, ...], said: list[str]) -> None:
    had = {"jayx": a_plan(None, A, streams=opened)}
    assert list(lacks([a_plan(None, A, streams=("trades", "quotes"))], had)) == [
        f"{stream} of jayx were not opened at the start: its callbacks for them are not called; "
        "start mon again for that"
        for stream in said
    ]


def test_of_a_venue_that_was_not_opened_nothing_is_there() -> None:
    planned = [a_plan(None, A, streams=("trades",)), a_plan(None, MarketName("kraken", "X"), streams=("trades",))]
    assert list(lacks(planned, {"jayx": planned[0]})) == [
        "trades of kraken were not opened at the start: its callbacks for them are not called; start mon again for that"
    ]
    assert list(lacks([], {})) == []
