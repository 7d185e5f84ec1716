"""What the script's thread does with a job while a market is down or the script is behind; how markets stand."""

from __future__ import annotations

import logging
import threading
import time
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from cli.bot.jobs import Job, Jobs, Told, monotonic
from cli.bot.market_data import Candles, MarketName
from cli.bot.markets import Standings
from cli.bot.script import Bot
from cli.bot.seat import Seat, called
from cli.bot.seats import Seats
from cli.bot.timing.script_time import ScriptTime
from venues.records import Quote, State, Status

NEXUS = MarketName("nexus", "SPOT_BTC_USDT")
OTHER = MarketName("b2trader", "spot.btc_usdt")
QUOTE = Quote(venue=NEXUS.venue, symbol=NEXUS.symbol, received=7, bid_price=Decimal(1))


@pytest.fixture
def put() -> list[Any]:
    return []


@pytest.fixture
def sources() -> list[MarketName | None]:
    """What each record was made of."""
    return []


@pytest.fixture
def seat(put: list[Any], sources: list[MarketName | None]) -> Seat:
    made = Seat(
        Path("bot.py"),
        ScriptTime(),
        set(),
        None,  # type: ignore[arg-type]  # says nothing here
        put=lambda record, source: (put.append(record), sources.append(source))[0],
        send=lambda frame: None,
    )
    made.candles = {NEXUS: Candles([]), OTHER: Candles([])}
    made.labels = {"nexus": None, "b2trader": "sim"}
    made.bot = Bot("bot.py", {"quote_update": lambda src, sym, data: made.publish("quote", data["ask"])}, {})
    return made


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def test_no_quotes_while_a_market_is_down(seat: Seat, put: list[Any]) -> None:
    seat._down.add(NEXUS)
    seat.do(Job("quote", QUOTE, now_ms(), 0.0, NEXUS))
    assert put == []
    seat._down.clear()
    seat.do(Job("quote", QUOTE, now_ms(), 0.0, NEXUS))
    assert [(record.topic, record.data) for record in put] == [("quote", [None, None])]


def test_what_is_emitted_says_what_it_rests_on(seat: Seat, put: list[Any]) -> None:
    seat._down.add(OTHER)
    seat.signal(*NEXUS, {"size": 1, "mid": None, "bid": None, "ask": None, "quote": None})
    seat.signal(*OTHER, {"size": -1, "mid": None, "bid": None, "ask": None, "quote": None})
    seat.signal("bitmex", "XBTUSD", {"size": 0, "mid": None, "bid": None, "ask": None, "quote": None})
    seat.publish("outside any callback", None)
    told = [(record.env, getattr(record, "side", None), record.extra) for record in put]
    stale = {"stale": True}
    assert told == [(None, "long", None), ("sim", "short", stale), ("sim", None, stale), ("sim", None, stale)]
    put.clear()
    seat.do(Job("quote", QUOTE, now_ms(), monotonic() - 5, NEXUS))
    assert 5_000 <= put[0].extra["behind_ms"] < 3_600_000
    assert put[0].env is None
    assert "stale" not in put[0].extra


def size(seat: Seat, market: MarketName = NEXUS) -> None:
    seat.signal(*market, {"size": 1, "mid": None, "bid": None, "ask": None, "quote": None})


def test_a_signal_is_as_old_as_the_data_of_the_callback_that_runs(seat: Seat, put: list[Any]) -> None:
    """Not as the time since the last callback: a quiet market is not an old one."""
    seat.do(Job("quote", QUOTE, now_ms(), monotonic() - 5, NEXUS))
    put.clear()
    size(seat)  # from a thread or a timer, when nothing runs
    assert (put[0].extra, put[0].time) == (None, None)
    seat._down.add(OTHER)
    size(seat)
    size(seat, OTHER)
    assert [record.extra for record in put[1:]] == [None, {"stale": True}]


def test_a_thread_of_the_script_does_not_rest_on_the_callback_beside_it(
    seat: Seat, put: list[Any], sources: list[MarketName | None]
) -> None:
    def quote_update(src: str, sym: str, data: Any) -> None:
        beside = threading.Thread(target=lambda: size(seat))
        beside.start()
        beside.join()
        size(seat)

    seat.bot = Bot("bot.py", {"quote_update": quote_update}, {})
    seat.do(Job("quote", replace(QUOTE, time=7), now_ms(), monotonic() - 5, NEXUS))
    assert [(record.time, record.extra is None) for record in put] == [(None, True), (7, False)]
    assert sources == [None, NEXUS]


def test_on_start_rests_on_no_data_however_long_it_runs(seat: Seat, put: list[Any]) -> None:
    seat.bot = Bot("bot.py", {"on_start": lambda: size(seat)}, {})
    seat.do(Job("start", None, now_ms(), monotonic() - 8))
    assert put[0].extra is None


def test_a_callback_that_runs_long_has_old_data(seat: Seat, put: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    begun = monotonic()
    seat.bot = Bot("bot.py", {"quote_update": lambda src, sym, data: size(seat)}, {})
    for late, marked in ((1.0, False), (1.002, True)):
        monkeypatch.setattr("cli.bot.seat.monotonic", lambda late=late: begun + late)
        seat.do(Job("quote", QUOTE, now_ms(), begun, NEXUS))
        assert (put.pop().extra is not None) == marked


def test_a_step_of_the_wall_clock_makes_nothing_old(seat: Seat, put: list[Any]) -> None:
    for stepped in (3_600_000, -3_600_000):
        seat.do(Job("quote", QUOTE, now_ms() + stepped, monotonic(), NEXUS))
        assert put.pop().extra is None
        seat.do(Job("quote", QUOTE, now_ms() + stepped, monotonic() - 5, NEXUS))
        assert put.pop().extra["behind_ms"] < 3_600_000


def test_the_script_hears_what_the_venue_says_of_trades_in_between(
    seat: Seat, caplog: pytest.LogCaptureFixture
) -> None:
    seat.logger = logging.getLogger("test")
    for reason in ("no trade was missed", None):
        status = Status(venue="nexus", received=0, stream="trades", state="live", reason=reason, down_ms=700)
        seat.do(Job("status", Told(status, live=[NEXUS]), 0, 0.0))
    assert [record.getMessage().partition("; ")[2] for record in caplog.records] == [
        "no trade was missed",
        "trades in between may be missing",
    ]


def test_nothing_that_a_call_raises_is_more_than_an_error() -> None:
    def leave() -> None:
        raise SystemExit(3)

    assert called(lambda: 7) == (7, None)
    _, error = called(leave)
    assert str(error) == "SystemExit: 3"
    _, error = called(lambda: next(iter(())))
    assert str(error) == "StopIteration"


def status(market: MarketName, stream: str, state: State) -> Status:
    return Status(venue=market.venue, symbol=market.symbol, received=1, stream=stream, state=state)


def test_a_market_is_down_while_any_of_its_streams_is() -> None:
    standings = Standings([NEXUS, OTHER])

    def told(line: int, market: MarketName, stream: str, state: State) -> tuple[Any, ...]:
        result: Told = standings.changed(line, status(market, stream, state))
        return list(result.down), list(result.live), result.inline

    standings.expect(0, "quotes", NEXUS.symbol)
    standings.expect(0, "trades", NEXUS.symbol)
    assert standings.together() == "connecting"
    assert told(0, NEXUS, "quotes", "live") == ([], [], False)
    assert told(0, NEXUS, "trades", "live") == ([], [], False)
    assert standings.together() == "live"
    assert told(0, NEXUS, "quotes", "stale") == ([NEXUS], [], True)
    assert told(0, NEXUS, "trades", "reconnecting") == ([], [], True)
    assert standings.together() == "reconnecting"
    assert told(0, NEXUS, "quotes", "live") == ([], [], True)
    assert told(1, OTHER, "candles", "stale") == ([OTHER], [], True)
    assert told(2, OTHER, "candles", "live") == ([], [], False)  # of another interval, on a line of its own
    assert told(0, NEXUS, "trades", "live") == ([], [NEXUS], True)
    assert told(1, OTHER, "candles", "live") == ([], [OTHER], True)


def test_a_status_without_a_symbol_is_about_all_markets_of_the_venue() -> None:
    standings = Standings([NEXUS, NEXUS._replace(symbol="SPOT_ETH_USDT"), OTHER])
    everywhere = Status(venue="nexus", received=1, stream="quotes", state="stale")
    assert [market.symbol for market in standings.changed(0, everywhere).down] == ["SPOT_BTC_USDT", "SPOT_ETH_USDT"]


def test_markets_of_one_stream_stand_each_by_itself() -> None:
    ether = NEXUS._replace(symbol="SPOT_ETH_USDT")
    standings = Standings([NEXUS, ether, OTHER])
    standings.expect(0, "quotes", NEXUS.symbol, ether.symbol)

    def told(state: State, market: MarketName | None = None, **fields: Any) -> tuple[Any, ...]:
        symbol = None if market is None else market.symbol
        said = Status(venue="nexus", symbol=symbol, received=1, stream="quotes", state=state, **fields)
        result: Told = standings.changed(0, said)
        return list(result.down), list(result.live), result.inline

    assert told("syncing") == ([], [], False)
    assert told("live", NEXUS) == ([], [], False)
    assert standings.together() == "syncing"
    assert told("live", ether) == ([], [], False)
    assert standings.together() == "live"
    assert told("reconnecting", attempt=1) == ([NEXUS, ether], [], True)
    assert told("live", ether) == ([], [ether], True)
    assert standings.together() == "reconnecting"
    assert told("live", NEXUS) == ([], [NEXUS], True)
    assert told("closed", ether) == ([ether], [], True)
    assert told("reconnecting", attempt=1) == ([NEXUS], [], True)
    assert told("live") == ([], [NEXUS], True), "what is closed alone is not live by a word about the others"
    assert standings.together() == "closed"


def test_a_status_of_all_is_about_the_markets_of_its_line() -> None:
    ether = NEXUS._replace(symbol="SPOT_ETH_USDT")
    standings = Standings([NEXUS, ether])
    standings.expect(0, "quotes", NEXUS.symbol)
    standings.expect(1, "quotes", ether.symbol)
    lost = Status(venue="nexus", received=1, stream="quotes", state="reconnecting", attempt=1)
    assert standings.changed(0, lost).down == [NEXUS]


def test_a_quote_of_a_market_that_is_down_is_kept_for_nobody() -> None:
    seats: Any = object.__new__(Seats)
    seats._down, seats._request = set(), SimpleNamespace(replay=None)
    jobs = Jobs(keep_all=False)
    seats._runners = [SimpleNamespace(jobs=jobs, wants={"quotes"})]
    live = Status(venue=NEXUS.venue, received=1, stream="quotes", state="live")

    def quoted() -> int:
        seats.put_record(NEXUS, Job("quote", QUOTE, 1, 1.0))
        return len(jobs)

    assert quoted() == 1
    seats.stand(Told(live, down=[NEXUS]))
    assert (len(jobs), quoted()) == (0, 0)
    seats.stand(Told(live, live=[NEXUS]))
    assert quoted() == 1


def test_what_runs_in_turn_is_named(seat: Seat) -> None:
    found: list[Any] = []
    seat.in_turn(lambda: found.append(seat.running))
    seat.bot = None
    seat.in_turn(lambda: found.append(seat.running), "a reload")
    assert [running.name for running in found] == ["a webhook", "loading the script"]
    assert seat.running is None
