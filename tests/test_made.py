"""Candles that are made from a venue's trades by one word in its offer, with sessions that give what they are told."""

from __future__ import annotations

from collections.abc import Collection, Generator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from venues.driver import Driver
from venues.errors import UsageError, VenueRefused
from venues.made import routes_of
from venues.records import Candle, Quote, Record, Status, Trade
from venues.session import BaseRoute, BaseSession, grouped, spread
from venues.venue import (
    BadFrame,
    BaseVenue,
    ClockOffset,
    Command,
    Confirmed,
    Dial,
    HttpRequest,
    HttpResponse,
    Item,
    Lost,
    NoResponse,
    Notice,
    Now,
    Offer,
    Refused,
    Route,
    Session,
    Settings,
    StreamState,
    Subscription,
)

MINUTE = 60_000
START = 1_700_000_040_000  # a full minute
CANDLES, TRADES = Subscription("candles", ("A",)), Subscription("trades", ("A",))


def at(ms: int) -> Now:
    return Now(1000 + ms / 1000, START + ms)


def trade(ms: int | None, price: str, size: str = "1", symbol: str = "A", **more: Any) -> Trade:
    time = None if ms is None else START + ms
    return Trade(
        venue="v", symbol=symbol, time=time, received=1, price=Decimal(price), size=Decimal(size), side="buy", **more
    )


class Script(BaseSession):
    """A session that gives what it is told to, and notes what it is called for."""

    venue = "v"

    def __init__(self, route: ScriptRoute) -> None:
        super().__init__()
        self.route = route
        self.calls: list[str] = []
        self.next: list[Item] = []
        self.due: float | None = None
        self.stirred = False
        route.sessions.append(self)

    def opening(self) -> Generator[HttpRequest, HttpResponse, Dial]:
        yield HttpRequest("GET", "https://v.example", "https://v.example")
        return self.dial()

    def dial(self) -> Dial:
        return Dial("wss://v.example", "wss://v.example")

    def opened(self, now: Now) -> list[Item]:
        return [StreamState(name, "live") for name in dict.fromkeys(s.stream for s in self.route.subscriptions)]

    def receive(self, frame: bytes, now: Now) -> list[Item]:
        return self.next

    def pong(self, now: Now) -> list[Item]:
        self.calls.append("pong")
        return self.next

    def fetched(self, request: str, answer: HttpResponse | NoResponse, now: Now) -> list[Item]:
        self.calls.append(f"fetched {request}")
        return self.next

    def deadline(self) -> float | None:
        return self.due

    def tick(self, now: Now) -> list[Item]:
        self.calls.append("tick")
        self.due = None
        return self.next

    def send(self, command: Command) -> None:
        self._out.append(command.name)

    def leave(self, now: Now) -> None:
        self.calls.append("leave")

    def done(self) -> bool:
        return "leave" in self.calls


class ScriptRoute(BaseRoute):
    def __init__(self, subscriptions: Sequence[Subscription], settings: Settings) -> None:
        super().__init__(subscriptions, settings)
        self.sessions: list[Script] = []

    def session(self, secrets: Mapping[str, str]) -> Session:
        return Script(self)


class Venue(BaseVenue):
    name = "v"
    environments: Mapping[str, str] = {"production": "wss://v.example"}
    example = "A"

    def __init__(self, symbols: Any = "many", options: Collection[str] = (), most: int = 100) -> None:
        self.streams = {
            "trades": Offer("t", symbols=symbols, options=options),
            "quotes": Offer("q", symbols="many"),
            "candles": Offer("t", symbols="many", made_from="trades"),
        }
        self.asked: list[Subscription] = []
        self.most = most

    def check_symbol(self, symbol: str) -> None:
        pass

    def routes(self, subscriptions: Sequence[Subscription], settings: Settings) -> list[Route]:
        self.asked += subscriptions
        groups = spread(subscriptions, self.most)
        if self.streams["trades"].symbols == "one":
            groups = grouped(subscriptions, lambda one, other: one.symbols == other.symbols)
        return [ScriptRoute(group, settings) for group in groups]


class Played:
    """A route with candles, over all its connections."""

    def __init__(self, *subscriptions: Subscription, apart: bool = False) -> None:
        (self.route,) = routes_of(Venue(), subscriptions, Settings("wss://v.example", label="x"))
        self.driver = Driver(self.route, self.route.subscriptions, venue="v", apart=apart)
        self.ms = 0
        self.first = self.open(0)

    def open(self, ms: int) -> list[Any]:
        self.ms = ms
        self.session = self.driver.begin({}, 0.0)
        self.inner: Script = self.route._inner.sessions[-1]  # type: ignore[attr-defined]
        return self.driver.opened(at(ms))

    def gives(self, ms: int, *items: Item) -> list[Any]:
        self.inner.next = list(items)
        return self.driver.receive(b"", at(ms))

    def bars(self, ms: int, *items: Item) -> list[tuple[Any, ...]]:
        return [bar(item) for item in self.gives(ms, *items) if isinstance(item, Candle)]


def bar(one: Candle) -> tuple[Any, ...]:
    start = (one.start - START) // MINUTE
    return (
        start,
        str(one.open),
        str(one.high),
        str(one.low),
        str(one.close),
        str(one.volume),
        one.closed,
        one.complete,
    )


def states(items: Sequence[Any]) -> list[tuple[str, str | None, str, str | None]]:
    return [(one.stream, one.symbol, one.state, one.reason) for one in items if isinstance(one, Status)]


# --- what the venue is asked for


def asked(*subscriptions: Subscription, venue: Venue | None = None) -> list[list[Subscription]]:
    return [
        list(route.subscriptions) for route in routes_of(venue or Venue(), subscriptions, Settings("wss://v.example"))
    ]


def test_without_such_candles_the_venues_routes_are_given() -> None:
    assert type(routes_of(Venue(), [TRADES], Settings(""))[0]) is ScriptRoute
    assert routes_of(Venue(), [], Settings("")) == []


def test_the_venue_is_asked_for_trades() -> None:
    venue = Venue()
    several = Subscription("candles", ("A", "B"), interval="5m")
    assert asked(several, venue=venue) == [[several]]
    assert venue.asked == [Subscription("trades", ("A", "B"), interval="5m")]


def test_trades_that_are_asked_for_too_are_asked_for_once() -> None:
    venue = Venue()
    assert asked(TRADES, CANDLES, venue=venue) == [[TRADES, CANDLES]]
    assert venue.asked == [TRADES]
    more = Subscription("trades", ("A", "B"))
    assert asked(CANDLES, more) == [[more, CANDLES]]


def test_trades_of_other_symbols_are_asked_for_beside() -> None:
    venue = Venue()
    other = Subscription("trades", ("B",))
    assert asked(CANDLES, other, venue=venue) == [[other], [CANDLES]]
    assert venue.asked == [other, TRADES]


def test_another_interval_takes_another_connection() -> None:
    five = replace(CANDLES, interval="5m")
    assert asked(CANDLES, five, TRADES) == [[TRADES, CANDLES], [five]]
    for route in ([TRADES, CANDLES], [five]):  # asked for alone, each is one route again
        assert asked(*route) == [route]


def test_many_symbols_over_several_connections() -> None:
    symbols = tuple(f"S{number}" for number in range(5))
    made = asked(Subscription("candles", symbols), venue=Venue(most=2))
    assert [[one.symbols for one in route] for route in made] == [[symbols[:2]], [symbols[2:4]], [symbols[4:]]]


def test_a_venue_that_takes_one_symbol() -> None:
    venue = Venue(symbols="one")
    assert len(asked(Subscription("candles", ("A", "B")), venue=venue)) == 2
    assert venue.asked == [TRADES, Subscription("trades", ("B",))]


def test_options_of_trades_are_kept() -> None:
    venue = Venue(options=("rpi",))
    asked(replace(CANDLES, options={"rpi": "true"}), TRADES, venue=venue)
    assert [one.options for one in venue.asked] == [{}, {"rpi": "true"}]


@pytest.mark.parametrize("interval", ["7m", "0m", "1M", "", "1h30m"])
def test_an_interval_that_no_candle_has(interval: str) -> None:
    with pytest.raises(UsageError, match="expected an interval that divides a day evenly"):
        asked(replace(CANDLES, interval=interval))


# --- candles


def test_candles_are_made_of_trades() -> None:
    line = Played(CANDLES)
    assert states(line.first) == [("candles", "A", "live", None)]
    (candle,) = line.gives(1_000, trade(1_000, "10"))
    assert candle == Candle(
        venue="v", env="x", symbol="A", time=START + 1_000, received=START + 1_000, interval="1m", start=START,
        end=START + MINUTE, open=Decimal(10), high=Decimal(10), low=Decimal(10), close=Decimal(10), volume=Decimal(1),
        closed=False, complete=False,
    )  # fmt: skip
    assert line.bars(2_000, trade(2_000, "12", "2"), trade(2_000, "9")) == [
        (0, "10", "12", "10", "12", "3", False, False),
        (0, "10", "12", "9", "9", "4", False, False),
    ]
    assert line.bars(MINUTE, trade(MINUTE, "11")) == [
        (0, "10", "12", "9", "9", "4", True, False),
        (1, "11", "11", "11", "11", "1", False, True),
    ]


def test_candles_close_by_the_clock() -> None:
    line = Played(CANDLES)
    line.gives(1_000, trade(1_000, "10"))
    assert line.driver.stirred
    due = line.driver.deadline()
    assert due == 1000 + 61  # a second later, for trades that are late
    assert not line.driver.stirred
    line.gives(2_000, trade(2_000, "10"))
    assert not line.driver.stirred
    line.inner.due = 1005.0
    assert line.driver.deadline() == 1005.0
    line.driver.tick(at(5_000))
    assert line.inner.calls == ["tick"]
    (closed,) = line.driver.tick(at(61_000))
    assert isinstance(closed, Candle)
    assert (closed.closed, closed.time, closed.received) == (True, None, START + 61_000)
    assert line.inner.calls == ["tick"]
    assert line.driver.deadline() is None


def test_trades_are_given_once_where_they_are_asked_for() -> None:
    line = Played(TRADES, CANDLES)
    assert states(line.first) == [("trades", "A", "live", None), ("candles", "A", "live", None)]
    one = trade(1_000, "10")
    given = line.gives(1_000, one)
    assert given[0] is one
    assert [type(item) for item in given] == [Trade, Candle]


def test_each_symbol_has_its_candles() -> None:
    line = Played(Subscription("candles", ("A", "B")), Subscription("quotes", ("A",)))
    quote = Quote(venue="v", symbol="A", received=1)
    given = line.gives(1_000, trade(1_000, "10"), quote, trade(1_000, "5", symbol="B"), trade(1_000, "1", symbol="C"))
    assert [(item.symbol, type(item)) for item in given] == [("A", Candle), ("A", Quote), ("B", Candle)]
    assert [bar(item)[1] for item in given if isinstance(item, Candle)] == ["10", "5"]


def test_candles_have_the_units_of_their_trades() -> None:
    line = Played(CANDLES)
    (candle,) = line.gives(1_000, trade(1_000, "10", price_unit="ticks", size_unit="raw_lots"))
    (closed,) = line.driver.tick(at(61_000))
    assert [(one.price_unit, one.size_unit) for one in (candle, closed)] == [("ticks", "raw_lots")] * 2  # type: ignore[union-attr]


def test_old_trades_are_left_out() -> None:
    line = Played(TRADES, CANDLES)
    old = trade(-5_000, "7", extra={"snapshot": True})
    assert line.gives(0, old) == [old]
    assert line.bars(1_000, trade(1_000, "10", extra={"snapshot": False})) == [
        (0, "10", "10", "10", "10", "1", False, False)
    ]


def test_a_trade_without_a_time_belongs_where_it_came() -> None:
    line = Played(CANDLES)
    (candle,) = line.gives(61_000, trade(None, "10"))
    assert (bar(candle)[0], candle.time) == (1, None)


def test_a_time_far_ahead_moves_no_candle() -> None:
    line = Played(CANDLES)
    line.gives(1_000, trade(1_000, "10"))
    items = line.gives(2_000, trade(3_600_000, "10"))
    assert [type(item) for item in items] == [Notice]
    assert "nothing is moved by it" in items[0].text


def test_the_venues_own_clock_tells_the_offset_once() -> None:
    line = Played(CANDLES)
    offset, words = ClockOffset("trades", -100_000), Notice("behind")
    given = [line.gives(ms, trade(ms - 100_000, "1"), offset, words) for ms in range(1_000, 9_000, 1_000)]
    said = [item for items in given for item in items if isinstance(item, Notice | ClockOffset)]
    assert said == [ClockOffset("candles", -100_000), words] * 8
    alone = Played(CANDLES)
    given = [alone.gives(ms, trade(ms - 100_000, "1")) for ms in range(1_000, 9_000, 1_000)]
    said = [item for items in given for item in items if isinstance(item, Notice | ClockOffset)]
    assert said[0] == ClockOffset("candles", -100_000)
    assert [type(items[0]) for items in given if len(items) > 1] == [ClockOffset]  # before the records
    assert len(said) == 2


# --- states


def complete(line: Played) -> None:
    """Goes on until the open candle, that of the second minute, is a complete one."""
    assert line.bars(1_000, trade(1_000, "10"))
    assert line.bars(MINUTE, trade(MINUTE, "10"))[-1][-1] is True


def test_an_interruption_makes_the_open_candle_incomplete() -> None:
    line = Played(CANDLES)
    complete(line)
    lost = line.driver.closed(None, "", at(70_000))
    assert [(item.stream, item.state) for item in lost] == [("candles", "reconnecting")]  # type: ignore[union-attr]
    (again,) = line.open(75_000)
    assert (again.stream, again.state, again.reason, again.down_ms) == ("candles", "live", None, 5_000)
    assert line.bars(76_000, trade(76_000, "10")) == [(1, "10", "10", "10", "10", "2", False, False)]
    assert line.bars(2 * MINUTE, trade(2 * MINUTE, "10"))[-1][-1] is True


@pytest.mark.parametrize("state", ["stale", "syncing"])
def test_candles_stand_as_the_trades_do(state: Any) -> None:
    line = Played(TRADES, CANDLES)
    complete(line)
    assert states(line.gives(70_000, StreamState("trades", state, "why"))) == [
        ("trades", "A", state, "why"),
        ("candles", "A", state, "why"),
    ]
    back = line.gives(80_000, StreamState("trades", "live"))
    assert [(stream, now) for stream, _, now, _ in states(back)] == [("trades", "live"), ("candles", "live")]
    assert line.bars(81_000, trade(81_000, "10"))[0][-1] is False


def test_a_notice_of_the_trades_may_mean_that_some_were_missed() -> None:
    line = Played(CANDLES)
    complete(line)
    line.gives(70_000, StreamState("trades", "live", "3 trades are missing"))
    assert line.bars(81_000, trade(81_000, "10"))[0][-1] is False


def test_a_bad_frame_makes_candles_stale_until_the_next_trade() -> None:
    line = Played(CANDLES)
    complete(line)
    notice = StreamState("trades", "live", "a bad frame came: an event may be missing")
    items = line.gives(70_000, BadFrame("no JSON", ("trades",)), notice)
    assert items[0] == BadFrame("no JSON")
    assert states(items) == [("candles", "A", "stale", "bad frame: no JSON; a trade may be missing")]
    assert line.gives(71_000, BadFrame("no JSON", ("quotes",))) == [BadFrame("no JSON")]
    live, candle = line.gives(72_000, trade(72_000, "10"))
    assert (live.state, live.reason) == ("live", None)
    assert bar(candle) == (1, "10", "10", "10", "10", "2", False, False)


def test_a_bad_frame_with_trades_and_several_symbols() -> None:
    session = routes_of(
        Venue(), [Subscription("candles", ("A", "B")), Subscription("trades", ("A", "B"))], Settings("")
    )[0].session({})
    inner: Script = session._inner  # type: ignore[attr-defined]
    session.opened(at(0))
    inner.next = [BadFrame("bad", None)]
    assert session.receive(b"", at(1)) == [
        BadFrame("bad", None),
        StreamState("candles", "stale", "bad frame: bad; a trade may be missing"),
    ]
    inner.next = [trade(2, "1"), trade(2, "1"), BadFrame("bad", ("trades",))]
    items = session.receive(b"", at(2))
    assert [item for item in items if not isinstance(item, Record)] == [
        StreamState("candles", "live", symbol="A"),
        BadFrame("bad", ("trades", "candles")),
        StreamState("candles", "stale", "bad frame: bad; a trade may be missing", symbol="A"),
    ]


def test_a_bad_frame_alone_makes_the_open_candle_incomplete() -> None:
    line = Played(CANDLES)
    complete(line)
    line.gives(70_000, BadFrame("no JSON", ("trades",)))
    assert line.bars(72_000, trade(72_000, "10")) == [(1, "10", "10", "10", "10", "2", False, False)]


def test_a_venue_that_says_nothing_of_a_new_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    line = Played(CANDLES)
    complete(line)
    line.driver.closed(None, "", at(70_000))
    monkeypatch.setattr(Script, "opened", lambda self, now: [])
    line.open(71_000)
    assert line.bars(72_000, trade(72_000, "10")) == [(1, "10", "10", "10", "10", "2", False, False)]


def test_confirmed_trades_confirm_candles_and_tell_the_time() -> None:
    line = Played(CANDLES)
    line.gives(1_000, trade(1_000, "10"))
    items = line.gives(61_000, Confirmed("trades", START + 61_000))
    assert [type(item) for item in items] == [Candle, Confirmed]
    assert (bar(items[0])[-2], items[1]) == (True, Confirmed("candles", START + 61_000))
    both = Played(TRADES, CANDLES)
    assert both.gives(61_000, Confirmed("trades", None)) == [Confirmed("trades", None), Confirmed("candles", None)]


def test_candles_that_a_trade_may_be_missing_from_are_not_confirmed() -> None:
    line = Played(Subscription("candles", ("A", "B")))
    line.gives(0, trade(0, "1"), trade(0, "2", symbol="B"))
    line.gives(10, BadFrame("expected a price, got none", ("trades",)))
    assert line.gives(20, Confirmed("trades", None)) == [], "they are stale"
    line.gives(30, trade(30, "3"))
    assert line.gives(40, Confirmed("trades", None)) == [Confirmed("candles", None, "A")]
    line.gives(50, trade(50, "3", symbol="B"))
    assert line.gives(60, Confirmed("trades", None)) == [Confirmed("candles", None)]


def test_refused_trades_are_refused_candles() -> None:
    line = Played(CANDLES)
    line.gives(1, Refused("v refuses trades of A (no)", "trades", symbols={"A": "no"}))
    ended = line.driver.ended
    assert isinstance(ended, VenueRefused)
    assert str(ended) == "v refuses trades of A (no); candles are made of trades"
    assert (ended.stream, ended.symbols) == ("candles", {"A": "no"})
    both = Played(TRADES, CANDLES, Subscription("quotes", ("A",)), apart=True)
    items = both.gives(1, Refused("no", "trades"))
    assert states(items) == [("trades", "A", "closed", "no"), ("candles", "A", "closed", "no")]
    assert both.driver.ended is None


def test_one_symbol_is_closed_and_the_others_go_on() -> None:
    session = routes_of(Venue(), [Subscription("candles", ("A", "B"))], Settings(""))[0].session({})
    inner: Script = session._inner  # type: ignore[attr-defined]
    session.opened(at(0))
    inner.next = [Refused("no", "trades", "A"), trade(1, "1"), trade(1, "1", symbol="B")]
    refused, candle = session.receive(b"", at(1))
    assert refused == Refused("no; candles are made of trades", "candles", "A")
    assert isinstance(candle, Candle)
    inner.next = [StreamState("trades", "stale", "x", symbol="A"), StreamState("trades", "stale", "x", symbol="B")]
    assert session.receive(b"", at(2)) == [StreamState("candles", "stale", "x", symbol="B")]
    inner.next = [Refused("no", "trades", "B")]
    assert session.receive(b"", at(3)) == [Refused("no; candles are made of trades", "candles")]


def test_the_rest_is_the_venues(monkeypatch: pytest.MonkeyPatch) -> None:
    line = Played(CANDLES)
    inner = line.inner
    assert next(line.session.opening()).method == "GET"
    inner.next = [Notice("x")]
    assert line.driver.pong(at(1)) == [Notice("x")]
    assert line.driver.fetched("1", NoResponse("gone"), at(1)) == [Notice("x")]
    line.driver.send(Command("buy", {}))
    inner.stirred = True
    assert line.driver.stirred
    assert line.driver.take() == ["buy"]
    assert not line.driver.done()
    line.driver.leave(at(1))
    assert line.driver.done()
    assert inner.calls == ["pong", "fetched 1", "leave"]
    assert isinstance(line.route.refused(503, ""), Lost)
    both = Played(TRADES, CANDLES)
    monkeypatch.setattr(ScriptRoute, "refused", lambda self, status, body: Refused("no", "trades"))
    assert line.route.refused(404, "") == Refused("no", "candles")
    assert both.route.refused(404, "") == Refused("no", "trades")
