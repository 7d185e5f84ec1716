"""A check by itself: what it makes of what comes, on a clock that is set by hand."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cli.errors import OK as ENDED
from cli.errors import TERMINATED
from cli.output.conditions import condition
from cli.output.fields import Fields
from cli.output.verdicts import CRITICAL, OK, UNKNOWN, WARNING, Verdict
from cli.run import checking
from cli.run.checking import Check
from cli.run.options import StreamRequest
from venues.errors import MonError, VenueRefused, VenueUnreachable
from venues.records import Book, Candle, Fill, Level, Position, Quote, Record, SnapshotEnd, State, Status, Trade
from venues.redaction import Redactor
from venues.streams import STREAMS
from venues.venue import ClockOffset, Confirmed, Now, Offer, Settings, Subscription

BEGIN = 1_700_000_000_000
ROWS = "positions"  # a stream whose full state ends with a `snapshot_end`
Turn = tuple[float, Sequence[Any]] | Callable[["Played"], None]


class Played:
    """In place of `Loop`: brings what a test says at its seconds, and then lets the time pass until the end."""

    def __init__(self, turns: Sequence[Turn], request: Any, consumer: Any, ending: Any) -> None:
        self.turns, self.request, self.consumer, self.ending = turns, request, consumer, ending
        self.expected: list[Any] = []  # of the limits
        self.limits = SimpleNamespace(
            expect=lambda *of: self.expected.append(of), says=lambda item: any(item is one for one in self.said)
        )
        self.said: list[Any] = []  # by `--max-age`
        self.closed = False
        self.second = 0.0
        self.timers: list[tuple[float, Callable[[], object]]] = []

    async def open(self, *_: Any) -> Settings:
        asyncio.get_running_loop().call_later = self.later  # type: ignore[method-assign]
        return Settings(url="wss://v.example", label="beta")

    def later(self, seconds: float, call: Callable[..., object], *given: Any, **_: Any) -> Any:
        self.timers.append((self.second + seconds, lambda: call(*given)))

    def now(self) -> Now:
        return Now(self.second, BEGIN + round(self.second * 1000))

    at = now

    async def watch(self) -> None:
        for turn in self.turns:
            if callable(turn):
                turn(self)
                continue
            self.pass_to(turn[0])
            self.consumer.deliver(turn[1])
        done: list[str] = []
        asyncio.get_running_loop().call_soon(done.append, "other work")
        await self.consumer.played(1)
        assert done == ["other work"]
        if self.request.replay is None and self.ending.problem is None:
            self.pass_to(float("inf"))
            assert self.ending.stopping.is_set(), "nothing would ever end it"
        self.consumer.flush()
        self.consumer.end_asked()

    def pass_to(self, second: float) -> None:
        while self.timers and not self.ending.stopping.is_set() and min(self.timers)[0] <= second:
            due = min(self.timers, key=lambda timer: timer[0])
            self.timers.remove(due)
            self.second = due[0]
            due[1]()
        if second != float("inf") and not self.ending.stopping.is_set():
            self.second = second

    def close(self) -> None:
        self.closed = True


class Stage:
    """Makes checks; the latest one's stand-ins are here."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.loop: Played
        self.simulator_closed = 0
        self._turns: Sequence[Turn] = ()
        monkeypatch.setattr(checking, "Loop", self._loop)
        monkeypatch.setattr(checking, "Embedded", lambda: self)

    async def close(self) -> None:
        """As the simulator within is closed."""
        self.simulator_closed += 1

    def _loop(self, request: Any, consumer: Any, *, ending: Any, **_: Any) -> Played:
        self.loop = Played(self._turns, request, consumer, ending)
        return self.loop

    def check(
        self,
        stream: str,
        *turns: Turn,
        symbols: Sequence[str] = ("A",),
        offer: Offer | None = None,
        warn: str | None = None,
        crit: str | None = None,
        lasting: float = 0.0,
        replay: bool = False,
        dead: int = CRITICAL,
    ) -> Verdict:
        """The verdict on a stream of a venue called `v`."""
        self._turns = turns
        fields = Fields(stream, STREAMS[stream].record)
        venue: Any = SimpleNamespace(name="v", streams={stream: offer or Offer("x", symbols="many")})
        made = Check(
            StreamRequest(venue="v", replay=Path("a.jsonl") if replay else None),
            venue,
            Subscription(stream, tuple(symbols)),
            None,
            fields,
            Redactor(),
            warn=None if warn is None else condition(warn, fields, "-w"),
            crit=None if crit is None else condition(crit, fields, "-c"),
            timeout=30.0,
            lasting=lasting,
            dead=dead,
        )
        return asyncio.run(made.verdict())


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    return Stage(monkeypatch)


def status(state: State, *, stream: str, symbol: str | None = None, reason: str | None = None) -> Status:
    return Status(venue="v", received=0, stream=stream, state=state, symbol=symbol, reason=reason)


def book(bid: int, symbol: str = "A", time: int | None = None) -> Book:
    bids = [Level(Decimal(bid), Decimal(1))]
    return Book(venue="v", received=0, symbol=symbol, time=time, bids=bids, asks=[])


def position(name: str, size: int = 1, change: str = "update", time: int | None = None) -> Position:
    given: dict[str, Any] = {"position_id": name, "size": Decimal(size), "change": change, "time": time}
    return Position(venue="v", received=0, **given)


def trade(symbol: str, price: int, *, before: bool = False) -> Trade:
    extra = {"snapshot": True} if before else None
    return Trade(venue="v", received=0, symbol=symbol, price=Decimal(price), size=Decimal(1), side="buy", extra=extra)


def end(count: int, stream: str = ROWS) -> SnapshotEnd:
    return SnapshotEnd(venue="v", received=0, stream=stream, count=count)


def names(made: Verdict) -> list[str | None]:
    """What the rows are of."""
    return [row.record.position_id if isinstance(row.record, Position) else row.record.symbol for row in made.rows]


LIVE_BOOK = status("live", stream="book")
LIVE_ROWS = status("live", stream=ROWS)

# --- how a check ends


def test_a_verdict_says_what_it_is_of_and_leaves_nothing_open(stage: Stage) -> None:
    made = stage.check("book", (1, [LIVE_BOOK, book(5)]))
    assert (made.stream, made.venue, made.env) == ("book", "v", "beta")
    assert (made.state, made.text, made.live, names(made)) == (OK, "A", True, ["A"])
    assert stage.loop.closed
    assert stage.simulator_closed == 1
    assert stage.loop.expected == [(Subscription("book", ("A",)), "v", "beta")]


def test_a_simulator_is_closed_also_when_nothing_can_be_opened(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refused(*_: Any) -> Settings:
        raise MonError("no such environment")

    monkeypatch.setattr(Played, "open", refused)
    with pytest.raises(MonError, match="no such environment"):
        stage.check("book")
    assert stage.simulator_closed == 1


@pytest.mark.parametrize(
    ("problem", "dead", "state"),
    [
        (VenueUnreachable("v is away"), CRITICAL, CRITICAL),
        (VenueUnreachable("v is away"), UNKNOWN, UNKNOWN),
        (VenueRefused("v is away"), CRITICAL, UNKNOWN),
    ],
)
def test_what_ended_a_check_is_its_verdict_whatever_came_before(
    stage: Stage, problem: MonError, dead: int, state: int
) -> None:
    def ended(played: Played) -> None:
        played.ending.problem = problem

    made = stage.check("book", (1, [LIVE_BOOK]), ended, dead=dead)
    assert (made.state, made.text, made.live, made.rows) == (state, "v is away", False, [])


def test_a_fault_of_ours_is_raised(stage: Stage) -> None:
    def ended(played: Played) -> None:
        played.ending.problem = ZeroDivisionError("ours")

    with pytest.raises(ZeroDivisionError, match="ours"):
        stage.check("book", (1, [LIVE_BOOK, book(5)]), ended)


def test_an_interrupted_check_knows_nothing(stage: Stage) -> None:
    def interrupted(played: Played) -> None:
        played.ending.stop(TERMINATED)

    made = stage.check("book", (1, [LIVE_BOOK]), interrupted, (2, [book(5)]))
    assert (made.state, made.text, made.live, made.rows) == (UNKNOWN, "interrupted", False, [])


def test_a_check_hears_that_it_is_to_end(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def not_heard(number: int, frame: object) -> None:
        raise AssertionError("nobody hears the signal")

    async def watch(played: Played) -> None:
        signal.raise_signal(signal.SIGTERM)
        await played.ending.stopping.wait()

    monkeypatch.setattr(Played, "watch", watch)
    before = signal.signal(signal.SIGTERM, not_heard)
    try:
        assert stage.check("book").text == "interrupted"
    finally:
        signal.signal(signal.SIGTERM, before)


# --- when nothing comes


def test_it_is_said_for_how_long_nothing_came_and_how_the_stream_stands(stage: Stage) -> None:
    assert stage.check("book").text == "no data within 30 s"
    assert stage.loop.second == 30
    assert stage.check("book", (1, [LIVE_BOOK])).text == "no data within 30 s"
    made = stage.check("book", (1, [status("syncing", stream="book")]))
    assert (made.state, made.text, made.live) == (CRITICAL, "no data within 30 s, the stream is syncing", False)
    gone = status("stale", stream="book", symbol="B", reason="no heartbeat")
    made = stage.check("book", (1, [LIVE_BOOK, book(5), gone]), symbols=("A", "B"), dead=UNKNOWN)
    assert (made.state, made.text) == (UNKNOWN, "no data within 30 s, the stream is stale: no heartbeat")
    assert stage.check("book", (1, [gone]), replay=True).text == "no data came, the stream is stale: no heartbeat"


def test_what_is_said_of_another_stream_does_not_count(stage: Stage) -> None:
    of_another = [status("live", stream="quotes"), Quote(venue="v", received=0, symbol="A")]
    assert stage.check("book", (1, of_another), (2, [book(5)])).text == "no data within 30 s"
    assert stage.check(ROWS, (1, [LIVE_ROWS, position("a"), end(1, "orders")]), symbols=()).live is False
    made = stage.check("book", (1, [LIVE_BOOK, status("stale", stream="quotes"), book(5)]))
    assert (made.state, made.live) == (OK, True)


def test_a_record_counts_only_while_its_stream_is_live(stage: Stage) -> None:
    stale = status("stale", stream="book")
    assert stage.check("book", (1, [book(5)]), replay=True).text == "no data came"
    assert stage.check("book", (1, [book(5), LIVE_BOOK])).text == "no data within 30 s"
    made = stage.check("book", (1, [stale, book(5)]), (2, [LIVE_BOOK, book(6)]), crit="bids[0].price < 6")
    assert (made.state, made.live, stage.loop.second) == (OK, True, 2)


# --- a complete state


def test_of_several_symbols_each_is_waited_for(stage: Stage) -> None:
    only_a = stage.check("book", (1, [LIVE_BOOK, book(5)]), symbols=("A", "B"))
    assert (only_a.state, only_a.text, only_a.live) == (CRITICAL, "no data within 30 s", False)
    both = stage.check("book", (1, [LIVE_BOOK, book(5)]), (4, [book(6, "B")]), (5, [book(1, "B")]), symbols=("A", "B"))
    assert (both.state, both.text, names(both)) == (OK, "2 rows", ["A", "B"])
    assert stage.loop.second == 4, "it ends with the first complete state"
    assert [str(row.record.bids[0].price) for row in both.rows if isinstance(row.record, Book)] == ["5", "6"]


@pytest.mark.parametrize("symbol", ["A", None])
def test_what_was_interrupted_is_waited_for_once_more(stage: Stage, symbol: str | None) -> None:
    cut = status("stale", stream="book", symbol=symbol, reason="a gap")
    again = status("live", stream="book", symbol=symbol)
    begun = (1.0, [LIVE_BOOK, book(5), cut, again])
    for symbols, others in ((("A",), []), (("A", "B"), [book(7, "B")])):
        made = stage.check("book", begun, (2.0, others), symbols=symbols)
        assert (made.live, made.text) == (False, "no data within 30 s")
        made = stage.check("book", begun, (2.0, others), (3.0, [book(6)]), symbols=symbols)
        assert (made.live, len(made.rows), stage.loop.second) == (True, len(symbols), 3)


def test_the_interruption_of_one_symbol_leaves_the_others_complete(stage: Stage) -> None:
    cut, again = (status(state, stream="book", symbol="A") for state in ("stale", "live"))
    made = stage.check("book", (1, [LIVE_BOOK, book(5), book(5, "B"), cut, again]), (2, [book(6)]), symbols=("A", "B"))
    assert (made.live, stage.loop.second) == (True, 2)


def test_that_a_stream_is_live_can_be_said_again_and_interrupts_nothing(stage: Stage) -> None:
    made = stage.check("book", (1, [LIVE_BOOK, book(5)]), (2, [LIVE_BOOK]), (3, [book(6, "B")]), symbols=("A", "B"))
    assert (made.live, stage.loop.second) == (True, 3)


def test_a_full_state_of_rows_is_complete_with_its_end(stage: Stage) -> None:
    made = stage.check(ROWS, (1, [LIVE_ROWS, position("a"), position("b")]), symbols=())
    assert (made.live, made.text) == (False, "no data within 30 s")
    made = stage.check(ROWS, (1, [LIVE_ROWS, position("a"), position("b")]), (3, [end(2)]), symbols=())
    assert (made.live, names(made), stage.loop.second) == (True, ["a", "b"], 3)
    empty = stage.check(ROWS, (1, [LIVE_ROWS, end(0)]), symbols=())
    assert (empty.state, empty.text, empty.live) == (OK, "nothing there, which is a complete state", True)


def test_a_full_state_that_was_interrupted_is_complete_with_the_next_end(stage: Stage) -> None:
    """And not with its rows, nor with being live."""
    cut = status("reconnecting", stream=ROWS)
    begun = (1.0, [LIVE_ROWS, position("a"), end(1), cut, LIVE_ROWS, position("a")])
    assert stage.check(ROWS, begun, symbols=()).text == "no data within 30 s"
    assert stage.check(ROWS, begun, (2.0, [end(1)]), symbols=()).live is True


def test_trades_of_several_symbols_are_there_with_the_first_of_each(stage: Stage) -> None:
    live = status("live", stream="trades")
    old = trade("B", 9, before=True)
    made = stage.check("trades", (1, [live, trade("A", 5), old, trade("A", 6)]), symbols=("A", "B"))
    assert made.text == "no data within 30 s", "those of before we came do not count"
    made = stage.check("trades", (1, [live, trade("A", 5), trade("A", 6)]), (2, [trade("B", 7)]), symbols=("A", "B"))
    assert (made.live, names(made)) == (True, ["A", "B"])
    assert [str(row.record.price) for row in made.rows if isinstance(row.record, Trade)] == ["5", "7"]
    only = stage.check("trades", (1, [live, trade("A", 9, before=True), trade("A", 5), trade("A", 6)]))
    assert [str(row.record.price) for row in only.rows if isinstance(row.record, Trade)] == ["5"]


def test_a_partial_state_is_what_came_within_the_time(stage: Stage) -> None:
    partial = Offer("x", symbols="none", partial=True)
    made = stage.check(ROWS, (1, [LIVE_ROWS, position("a")]), (2, [position("b")]), symbols=(), offer=partial)
    assert (made.live, names(made), stage.loop.second) == (True, ["a", "b"], 30)
    made = stage.check(ROWS, (1, [LIVE_ROWS]), symbols=(), offer=partial)
    assert (made.state, made.text, made.live) == (OK, "no change came within 30 s", True)
    made = stage.check(ROWS, (1, [LIVE_ROWS, status("stale", stream=ROWS)]), symbols=(), offer=partial)
    assert (made.live, made.text) == (False, "no data within 30 s, the stream is stale")


def test_partial_events_are_there_with_the_first(stage: Stage) -> None:
    live = status("live", stream="fills")
    fill = Fill(
        venue="v", received=0, symbol="A", fill_id="1", order_id="1", price=Decimal(5), size=Decimal(1), side="buy"
    )
    partial = Offer("x", symbols="none", partial=True)
    assert stage.check("fills", (1, [live]), symbols=(), offer=partial).live is False
    made = stage.check("fills", (1, [live, fill]), symbols=(), offer=partial)
    assert (made.live, stage.loop.second) == (True, 1)


# --- the rows of a full state


def kept(stage: Stage, *more: Sequence[Any]) -> list[str | None]:
    """The rows of a check for an hour, after a first full state of `a` and `b`, and more."""
    turns = [(second, items) for second, items in enumerate(more, 2)]
    first = (1.0, [LIVE_ROWS, position("a"), position("b"), end(2)])
    made = stage.check(ROWS, first, *turns, symbols=(), warn="size > 0", lasting=3600, replay=True)
    assert made.live
    return names(made)


def test_a_row_is_gone_once_it_is_removed_or_lacks_in_a_full_state(stage: Stage) -> None:
    gone = position("a", change="remove")
    assert kept(stage) == ["a", "b"]
    assert kept(stage, [gone]) == ["b"]
    assert kept(stage, [gone, position("a")]) == ["b", "a"]
    assert kept(stage, [position("c")]) == ["a", "b", "c"]
    assert kept(stage, [position("b"), end(1)]) == ["b"]
    assert kept(stage, [end(0)]) == []
    assert kept(stage, [position("c"), position("a"), position("b"), end(2)]) == ["a", "b"]
    assert kept(stage, [position("b"), position("c"), position("a"), position("b"), end(2)]) == ["a", "b"]


def test_a_full_state_some_of_whose_rows_did_not_come_takes_nothing_away(stage: Stage) -> None:
    assert kept(stage, [position("b"), end(2)]) == ["a", "b"]
    assert kept(stage, [position("c")], [position("a"), position("b"), end(2)], [position("a"), end(2)]) == ["a", "b"]


def test_a_removed_row_is_none_of_the_next_full_state(stage: Stage) -> None:
    """Also where it came just before."""
    assert kept(stage, [position("c"), position("c", change="remove"), position("a"), end(2)]) == ["a", "b"]


def test_of_candles_only_the_newest_of_a_symbol_is_judged(stage: Stage) -> None:
    live = status("live", stream="candles")
    candles = [
        Candle(
            venue="v", received=0, symbol="A", interval="1m", start=number, end=number + 1, closed=False, complete=True,
            open=Decimal(1), high=Decimal(1), low=Decimal(1), close=Decimal(number), volume=Decimal(1),
        )
        for number in (1, 2)
    ]  # fmt: skip
    made = stage.check("candles", (1, [live, *candles]), warn="close < 2")
    assert (made.state, len(made.rows)) == (OK, 1)


# --- how old it is


def test_the_age_is_that_of_the_oldest_by_the_venues_clock(stage: Stage) -> None:
    fresh = [LIVE_BOOK, book(5, time=BEGIN + 600), book(5, "B", time=BEGIN + 900)]
    assert stage.check("book", (1, fresh), symbols=("A", "B")).age_ms == 400
    offset = ClockOffset("book", 250)
    assert stage.check("book", (1, [offset, *fresh]), symbols=("A", "B")).age_ms == 650
    assert stage.check("book", (1, [*fresh, ClockOffset("book", 250)]), symbols=("A", "B")).age_ms == 400


def test_the_age_goes_on_until_the_verdict_and_begins_anew_with_what_confirms(stage: Stage) -> None:
    partial = Offer("x", symbols="none", partial=True)
    came = [LIVE_ROWS, position("a", time=BEGIN + 500)]
    assert stage.check(ROWS, (1, came), symbols=(), offer=partial).age_ms == 29_500
    confirmed = Confirmed(ROWS, BEGIN + 20_000)
    assert stage.check(ROWS, (1, came), (21, [confirmed]), symbols=(), offer=partial).age_ms == 10_000
    assert stage.check(ROWS, (1, [LIVE_ROWS]), symbols=(), offer=partial).age_ms is None
    lasting = (2.0, [LIVE_ROWS, position("a"), end(1)]), (3.0, [end(0)]), (5.0, [])
    assert stage.check(ROWS, *lasting, symbols=(), warn="size > 0", lasting=9, replay=True).age_ms == 2_000


def test_a_condition_sees_the_age_of_each_record(stage: Stage) -> None:
    came = (3.0, [LIVE_BOOK, book(5, time=BEGIN)])
    assert stage.check("book", came, warn="age_ms >= 3000").state == WARNING
    assert stage.check("book", came, warn="age_ms > 3000").state == OK


# --- what the record before was, and what lasts


def test_a_condition_sees_the_record_before_of_the_same_row(stage: Stage) -> None:
    def state(*items: Any) -> int:
        first = (1.0, [LIVE_ROWS, position("a", 1), position("b", 7), end(2)])
        how: dict[str, Any] = {"symbols": (), "lasting": 3600, "replay": True}
        return stage.check(ROWS, first, (2.0, items), **how, warn="prev.size == 1", crit="size >= 7").state

    assert state() == CRITICAL  # `b`; and of `a` there is none before
    gone = position("b", change="remove")
    assert state(gone) == UNKNOWN
    assert state(gone, position("a", 2)) == OK, "it was not true of the first"
    assert state(gone, position("a", 2), position("a", 3)) == OK
    assert state(gone, LIVE_ROWS, position("a", 2)) == OK, "it was live all the time"
    assert state(gone, position("a", change="remove"), position("a", 2)) == UNKNOWN
    interrupted = [status("stale", stream=ROWS), LIVE_ROWS]
    assert state(gone, *interrupted, position("a", 2), end(1)) == UNKNOWN, "nor across an interruption"
    assert state(gone, *interrupted[::-1], LIVE_ROWS, position("a", 2), end(1)) == UNKNOWN


def lasts(stage: Stage, *bids: int, seconds: float = 2, **how: Any) -> tuple[int, str]:
    """The verdict on a recording of a book a second."""
    turns = [(second + 1.0, [*([] if second else [LIVE_BOOK]), book(bid)]) for second, bid in enumerate(bids)]
    made = stage.check("book", *turns, lasting=seconds, **{"warn": "bids[0].price > 5", "replay": True, **how})
    assert made.live
    return made.state, made.text


def test_what_lasts_is_true_of_every_record_for_so_long(stage: Stage) -> None:
    assert lasts(stage, 6, 7, 8, 1) == (WARNING, "A: bids[0].price 8 (bids[0].price > 5)")
    assert stage.loop.second == 3, "at two seconds after the first"
    assert lasts(stage, 6, 7, 1) == (OK, "A")
    assert lasts(stage, 6, 1, 8) == (OK, "A")
    assert lasts(stage, 1, 8, 8) == (OK, "A")
    assert stage.loop.second == 1, "where nothing is true nothing can last"


def test_a_state_that_lasts_needs_no_more_records(stage: Stage) -> None:
    assert lasts(stage, 6, seconds=100, replay=False) == (WARNING, "A: bids[0].price 6 (bids[0].price > 5)")
    assert stage.loop.second == 101, "also where that is longer than the time for the first state"
    assert lasts(stage, 6, seconds=100)[0] == WARNING
    assert stage.loop.second == 1, "of a recording no time is waited for"


def test_the_worst_that_lasted_counts_with_its_latest_reason(stage: Stage) -> None:
    both = {"crit": "bids[0].price > 8"}
    assert lasts(stage, 9, 9, 10, **both) == (CRITICAL, "A: bids[0].price 10 (bids[0].price > 8)")
    assert lasts(stage, 9, 6, 10, **both) == (WARNING, "A: bids[0].price 10 (bids[0].price > 5)")
    assert lasts(stage, 6, 9, 9, **both) == (WARNING, "A: bids[0].price 9 (bids[0].price > 5)")


def test_the_figures_of_what_did_not_last_are_the_latest(stage: Stage) -> None:
    turns = [(1.0, [LIVE_BOOK, book(6)]), (2.0, [book(1)]), (3.0, [book(7)])]
    (row,) = stage.check("book", *turns, lasting=2, warn="bids[0].price > 5", replay=True).rows
    assert (row.state, row.why, row.record) == (OK, "", book(7))


def test_what_cannot_be_told_stays_unknown_however_long_it_lasts(stage: Stage) -> None:
    both = {"warn": "bids[0].price > 5", "crit": "asks[0].price > 5"}
    assert lasts(stage, 6, 7, 8, **both) == (UNKNOWN, "A: asks[0].price is absent (asks[0].price > 5)")


def test_an_interruption_while_it_lasts_is_over_with_the_next_complete_state(stage: Stage) -> None:
    cut = status("stale", stream="book", reason="a gap")
    begun: list[Turn] = [(1.0, [LIVE_BOOK, book(6)]), (2.0, [cut])]
    how: dict[str, Any] = {"lasting": 4, "warn": "bids[0].price > 5"}
    made = stage.check("book", *begun, **how)
    assert (made.state, made.text) == (CRITICAL, "no data within 30 s, the stream is stale: a gap")
    assert stage.loop.second == 5
    assert stage.check("book", *begun, (3.0, [LIVE_BOOK]), **how).text == "no data within 30 s"
    made = stage.check("book", *begun, (3.0, [LIVE_BOOK, book(7)]), **how)
    assert (made.state, made.live) == (WARNING, True)


def test_what_was_too_old_for_a_while_is_as_complete_as_before(stage: Stage) -> None:
    """`--max-age` says so without a new full state."""
    cut, again = status("stale", stream=ROWS), status("live", stream=ROWS)

    def by_age(played: Played) -> None:
        played.said = [cut, again]

    turns: list[Turn] = [by_age, (1.0, [LIVE_ROWS, position("a"), end(1)]), (2.0, [cut])]
    how: dict[str, Any] = {"symbols": (), "lasting": 4, "warn": "size > 0"}
    assert stage.check(ROWS, *turns, **how).live is False
    made = stage.check(ROWS, *turns, (3.0, [again, Confirmed(ROWS)]), **how)
    assert (made.state, made.live) == (WARNING, True)


def test_nothing_counts_behind_the_end(stage: Stage) -> None:
    made = stage.check("book", (1, [LIVE_BOOK, book(5)]), (1, [book(9)]), (1, [status("stale", stream="book")]))
    assert (made.live, [row.record for row in made.rows]) == (True, [book(5)])
    check: Any = stage.loop.consumer
    assert check.missing("timeout") is None
    assert stage.loop.ending.code == ENDED


def test_records_are_told_apart_by_their_stream(stage: Stage) -> None:
    records: list[Record] = [trade("A", 5), position("a")]
    assert stage.check("book", (1, [LIVE_BOOK, *records]), replay=True).text == "no data came"
