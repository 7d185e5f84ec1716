"""`--max-age`, by itself and before `--every`, at the moment at which it counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cli.run.freshness import Limits, MaxAge
from tests.run.dated import ONE, at, book, end, order, status, told, trade
from venues.records import Book, Position, Status
from venues.venue import BadFrame, ClockOffset, Confirmed, Notice, Now, Subscription

if TYPE_CHECKING:
    from collections.abc import Sequence


def max_age(stream: str = "book", limit: int = 1_000, *, live: bool = True, **status_fields: Any) -> MaxAge:
    stage = MaxAge(limit, stream, venue="v", env="sim", symbol="A")
    if live:
        stage.passes(status("live", stream, **status_fields), at(0))
    return stage


# --- --max-age


def test_what_the_limit_says_is_said_whole() -> None:
    stage = max_age(limit=1_500, condition="auction", versions="growing")
    ours: dict[str, Any] = {"venue": "v", "env": "sim", "symbol": "A", "stream": "book"}
    assert stage.tick(at(2)) == [
        Status(**ours, received=2_000, state="stale", reason="no data for 1.5 s (--max-age)", condition="auction")
    ]
    live = Status(**ours, received=5_250, state="live", down_ms=3_250, versions="growing", condition="auction")
    assert stage.passes(book(1), at(5.25)) == [live, book(1)]
    assert stage.passes(book(2, time=5_000), at(7)) == [
        Status(
            **ours, received=7_000, state="stale", condition="auction",
            reason="data is 2.0 s old by the venue's clock (--max-age)",
        )
    ]  # fmt: skip
    stage.passes(book(3), at(8))
    assert stage.came_late(at(8.5)) == [
        Status(
            **ours, received=8_500, state="stale", condition="auction",
            reason="what waits for the reader of the lines is older than 1.5 s",
        )
    ]  # fmt: skip


def test_the_limit_itself_is_young_enough() -> None:
    stage = max_age()
    assert told(stage.passes(book(1, time=9_000), at(10))) == [1]
    assert stage.deadline() == 10.0
    assert told(stage.passes(book(2, time=8_999), at(10))) == ["stale"]
    assert stage.is_holding
    assert stage.passes(Confirmed("book", 8_999), at(10)) == []
    assert told(stage.passes(Confirmed("book", 9_000), at(10))) == ["live", 2, "Confirmed"]
    assert not stage.is_holding


@pytest.mark.parametrize(("time", "until"), [(9_999, 10.999), (10_000, 11.0), (10_001, 11.0)])
def test_data_of_a_time_that_is_still_to_come_is_new(time: int, until: float) -> None:
    stage = max_age()
    stage.passes(book(1, time=time), at(10))
    assert stage.deadline() == until


def test_what_comes_before_the_stream_is_live_passes() -> None:
    stage = max_age(live=False)
    assert not stage.is_holding
    assert stage.passes(Confirmed("book"), at(1)) == [Confirmed("book")]
    assert stage.passes(book(1), at(1)) == [book(1)]
    assert stage.deadline() is None


@pytest.mark.parametrize(("ms", "said"), [(0, [1]), (1, ["stale"]), (-500, [1])])
def test_the_age_is_that_by_the_venues_clock(ms: int, said: list[Any]) -> None:
    stage = max_age()
    assert stage.passes(ClockOffset("book", ms), at(9)) == [ClockOffset("book", ms)]
    assert told(stage.passes(book(1, time=9_000), at(10))) == said


def test_of_very_many_rows_only_the_latest_may_be_handed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.run.freshness.MOST_REMEMBERED", 3)
    stage = max_age("orders")
    for name in "abcad":
        stage.passes(order(name, 1), at(0.5))
    assert [stage.good_until(order(name, 1)) for name in "abcd"] == [1.5, None, 1.5, 1.5]


def test_silence_is_stale_at_the_deadline_and_once() -> None:
    stage = max_age()
    assert stage.deadline() == 1.0
    assert stage.tick(at(0.999)) == []
    assert told(stage.tick(at(1.0))) == ["stale"]
    assert stage.tick(at(2.0)) == []
    assert stage.came_late(at(2.0)) == [], "it is known already"


def test_nothing_is_stale_before_it_is_live() -> None:
    stage = max_age(live=False)
    assert stage.deadline() is None
    assert stage.tick(at(9)) == []
    assert stage.came_late(at(9)) == []
    assert stage.passes(book(1, time=1_000), at(9)) == []
    assert stage.is_holding
    assert stage.passes(status("syncing"), at(9)) == [status("syncing")]
    assert not stage.is_holding, "what was held back is of the line before"
    assert stage.deadline() is None
    assert told(stage.passes(book(2), at(9.5))) == [2]
    stage.passes(status("live"), at(10))
    assert stage.deadline() == 10.5, "what came before it was live has its own age"


def test_an_interruption_forgets_what_may_be_handed_over() -> None:
    stage = max_age()
    stage.passes(book(1), at(0.5))
    assert stage.good_until(book(1)) == 1.5
    stage.passes(status("live"), at(0.6))
    assert stage.good_until(book(1)) == 1.5
    assert stage.deadline() == 1.5
    stage.passes(status("reconnecting"), at(0.7))
    assert stage.good_until(book(1)) is None
    assert stage.deadline() is None
    stage.passes(status("live"), at(3))
    assert stage.deadline() == 4.0


def test_a_confirmation_lets_all_be_handed_over_for_as_long_as_it_is_young() -> None:
    stage = max_age()
    stage.passes(book(1), at(0.1))
    stage.passes(Confirmed("book", 800), at(1))
    assert (stage.good_until(book(1)), stage.deadline()) == (1.8, 1.8)
    stage.passes(Confirmed("book", 5_000), at(1.1))
    assert stage.good_until(book(1)) == 2.1, "a time still to come is none"
    stage.passes(book(2), at(1.5))
    assert stage.good_until(book(2)) == 2.5


def test_an_empty_state_has_no_row_that_says_its_age() -> None:
    stage = max_age("orders")
    assert told(stage.tick(at(1))) == ["stale"]
    assert told(stage.passes(end(2), at(1.5))) == ["end 2"]
    assert told(stage.passes(end(0), at(2))) == ["live", "end 0"]
    assert stage.deadline() == 3.0


def test_a_last_word_passes_also_when_it_is_old() -> None:
    stage = max_age("orders")
    assert told(stage.passes(order("a", 1, "remove", time=1), at(10))) == ["stale", 1]
    assert not stage.is_holding
    assert told(stage.passes(order("a", 2, "remove", time=2), at(10))) == [2]
    assert told(stage.passes(order("a", 3, "update", time=3), at(10))) == []
    assert stage.is_holding


def test_what_is_no_record_passes() -> None:
    stage = max_age()
    stage.tick(at(5))
    for item in (BadFrame("x"), Notice("x"), status("stale", "trades"), ClockOffset("book", 5)):
        assert stage.passes(item, at(5)) == [item]


def test_of_a_symbol_that_was_closed_alone_what_is_said_of_the_others_is_no_matter() -> None:
    stage = max_age()
    gone = status("closed", symbol="A")
    assert stage.passes(gone, at(0.1)) == [gone]
    assert stage.passes(status("live"), at(0.2)) == [status("live")]
    assert stage.deadline() is None
    again = status("reconnecting")
    assert stage.passes(again, at(0.3)) == [again], "a later run of a recording begins"
    stage.passes(status("live"), at(0.4))
    assert stage.deadline() == 1.4
    stage.passes(status("closed", symbol="A"), at(0.5))
    stage.passes(status("live", symbol="A"), at(0.6))
    assert stage.deadline() == 1.6, "it is about this one"


# --- both


def limits_of(max_age: int | None = None, every: int | None = None, stream: str = "book", *symbols: str) -> Limits:
    limits = Limits(max_age, every)
    limits.expect(Subscription(stream, symbols or ("A",)), "v", "sim")
    return limits


class Between:
    """A judge that lets odd numbers pass, and says something at 5 s."""

    ticks = False
    due: float | None = None

    def passes(self, items: Sequence[Any]) -> list[Any]:
        return [one for one in items if isinstance(one, Status) or one.received % 2]

    def deadline(self) -> float | None:
        return self.due

    def tick(self, now: Now) -> list[Any]:
        return [book(77)] if self.due is not None and now.mono >= self.due else []


@pytest.mark.parametrize(
    ("max_age", "every", "judge", "ticks", "limited", "nothing"),
    [
        (None, None, False, False, False, True),
        (1_000, None, False, False, True, False),
        (None, 1_000, False, False, True, False),
        (None, None, True, False, False, False),
        (None, None, True, True, True, False),
    ],
)
def test_whether_there_is_any_limit(
    max_age: int | None, every: int | None, judge: bool, ticks: bool, limited: bool, nothing: bool
) -> None:
    limits = limits_of(max_age, every)
    if judge:
        limits.judge = Between()
        limits.judge.ticks = ticks
    assert (bool(limits), limits.nothing) == (limited, nothing)
    assert type(limits.nothing) is bool


def test_what_is_judged_is_what_is_young_and_is_not_what_is_printed() -> None:
    limits = limits_of(1_000, 1_000)
    judged: list[Any] = []
    between = Between()
    passes = between.passes

    def noted(items: Sequence[Any]) -> list[Any]:
        judged.extend(items)
        return passes(items)

    between.passes = noted  # type: ignore[method-assign]
    limits.judge = between
    assert told(limits.passes([status("live"), book(1), book(2), book(3)], 0, at(0))) == ["live", 1]
    assert told(judged) == ["live", 1, 2, 3]
    judged.clear()
    assert told(limits.passes([book(5, time=1)], 0, at(2))) == ["stale"]
    assert told(judged) == ["stale"]


def test_the_next_of_all_deadlines_is_due_and_all_that_is_due_is_said() -> None:
    limits = limits_of(2_000, 1_000)
    limits.judge = judge = Between()
    assert limits.deadline() is None
    limits.passes([status("live"), book(1), book(3)], 0, at(0))
    assert limits.deadline() == 1.0, "--every"
    judge.due = 0.5
    assert limits.deadline() == 0.5
    assert [(line, told(items)) for line, items in limits.tick(at(0.5))] == [(0, [77])]
    judge.due = 5.0
    assert [(line, told(items)) for line, items in limits.tick(at(1.0))] == [(0, [3])]
    assert limits.deadline() == 2.0, "--max-age"
    assert [(line, told(items)) for line, items in limits.tick(at(2.0))] == [(0, ["stale"])]
    assert limits.deadline() == 5.0
    assert list(limits.tick(at(4.0))) == []


def test_what_still_waits_comes_at_the_end() -> None:
    limits = limits_of(None, 1_000)
    limits.passes([book(1), book(2)], 0, at(0))
    assert told(limits.rest()) == [2]
    assert limits.rest() == []
    assert limits_of(1_000).rest() == []


def test_nothing_is_said_before_anything_has_come() -> None:
    assert not Limits(1_000).says(status("stale"))


def test_what_max_age_said_is_known_apart_from_what_the_venue_said() -> None:
    limits = limits_of(1_000)
    live, first = limits.passes([status("live"), book(1)], 0, at(0))
    assert not limits.says(live)
    assert not limits.says(first)
    ((line, (stale,)),) = limits.tick(at(1))
    assert line == 0
    assert limits.says(stale)
    again, second = limits.passes([book(2)], 0, at(2))
    assert limits.says(again)
    assert not limits.says(second)
    assert not limits.says(stale), "that was before"
    limits.passes([book(3)], 0, at(2.1))
    assert not limits.says(again)


def test_a_line_of_a_bot_is_judged_by_market_and_forgotten_with_its_end() -> None:
    limits = Limits(1_000)
    for line in (1, 2):
        limits.expect_markets(line, "trades", ["A", "B"], "v", None)
    live = status("live", "trades")
    for line in (1, 2):
        assert limits.passes([live, trade(1, symbol="A")], line, at(0)) == [live, trade(1, symbol="A")]
    said = [(line, items[0].symbol) for line, items in limits.tick(at(1)) if isinstance(items[0], Status)]
    assert said == [(1, "A"), (1, "B"), (2, "A"), (2, "B")]
    assert told(limits.passes([trade(2, symbol="A"), trade(3, symbol="C")], 2, at(2))) == ["live", 2, 3]
    assert limits.deadline() == 3.0
    limits.forget_before(2)
    assert [(line, len(items)) for line, items in limits.tick(at(3))] == [(2, 1)]
    limits.passes([trade(4, symbol="A")], 1, at(4))
    assert limits.deadline() is None, "there is no such line any more"
    limits.forget_before(3)
    assert not limits


@pytest.mark.parametrize(("symbols", "waits"), [(("A",), []), (("A", "B"), [2])])
def test_only_where_there_are_several_symbols_one_is_interrupted_alone(
    symbols: tuple[str, ...], waits: list[int]
) -> None:
    limits = limits_of(None, 1_000, "book", *symbols)
    limits.passes([book(1), book(2)], 0, at(0))
    limits.passes([status("stale", symbol="B")], 0, at(0.1))
    assert told(limits.rest()) == waits


def test_an_end_that_waits_is_forgotten_with_its_line() -> None:
    limits = Limits(1_000)
    limits.expect_markets(1, "positions", ["A", "B"], "v", None)
    first = [position("A", 1), position("B", 2, time=-9_000), end(2, "positions")]
    assert told(limits.passes([status("live", "positions"), *first], 1, at(0))) == ["live", 1, "stale"]
    assert [*limits._ends.values()] == [end(2, "positions")]
    limits.forget_before(2)
    assert not limits._ends


def test_a_stream_of_all_lines_is_judged_also_when_a_line_has_ended() -> None:
    limits = limits_of(1_000)
    limits.expect_markets(1, "trades", ["A"], "v", None)
    limits.passes([status("live"), book(1)], 0, at(0))
    limits.forget_before(2)
    assert limits.deadline() == 1.0
    limits.passes([status("live", "trades"), trade(1, symbol="A", time=-9_000)], 1, at(0))
    assert limits.deadline() == 1.0


def test_markets_are_not_judged_without_the_option() -> None:
    limits = Limits(None)
    limits.expect_markets(1, "trades", ["A"], "v", None)
    assert limits.nothing


def test_another_stream_is_not_judged() -> None:
    limits = limits_of(1_000)
    old = trade(1, symbol="A", time=1)
    assert limits.passes([status("live"), status("live", "trades"), old], 0, at(5))[-1] is old


@pytest.mark.parametrize("symbols", [("A",), ("A", "B")])
def test_a_row_may_be_handed_over_until_its_own_time(symbols: tuple[str, ...]) -> None:
    limits = limits_of(1_000, None, "book", *symbols)
    limits.passes([status("live"), book(1)], 0, at(0.5))
    good_until = limits.good_until()
    assert good_until is not None
    assert good_until(book(1)) == 1.5
    other = Book(venue="v", symbol="X", received=1, bids=[], asks=[])
    assert good_until(other) is None
    assert limits_of(None, 1_000).good_until() is None


@pytest.mark.parametrize(("symbols", "said"), [(("A",), [("A", "stale")]), (("A", "B"), [("A", "stale")])])
def test_a_row_that_came_late_makes_its_symbol_stale(symbols: tuple[str, ...], said: list[Any]) -> None:
    limits = limits_of(1_000, None, "book", *symbols)
    limits.passes([status("live"), book(1)], 0, at(0))
    came = [(one.symbol, one.state) for line, items in limits.came_late(book(1), at(0.5)) for one in items]  # type: ignore[union-attr]
    assert came == said
    assert list(limits.came_late(book(1), at(0.6))) == []


def position(symbol: str, number: int, **fields: Any) -> Position:
    return Position(venue="v", symbol=symbol, received=number, size=ONE, change="snapshot", **fields)


def test_the_end_of_a_full_state_comes_behind_the_last_row_that_was_held_back() -> None:
    limits = limits_of(1_000, None, "positions", "A", "B", "C")
    of_end = end(3, "positions")
    first = [position("A", 1), position("B", 2, time=1), position("C", 3, time=1), of_end]
    assert told(limits.passes([status("live", "positions"), *first], 0, at(9))) == ["live", 1, "stale", "stale"]
    assert told(limits.passes([position("B", 4)], 0, at(9.1))) == ["live", 4]
    assert told(limits.passes([position("C", 5)], 0, at(9.2))) == ["live", 5, "end 3"]
    assert told(limits.passes([position("C", 6)], 0, at(9.3))) == [6]


@pytest.mark.parametrize(
    ("said", "ends"),
    [
        ({"state": "closed", "symbol": "C"}, ["closed", "end 2"]),  # it is no part of the state any more
        ({"state": "stale", "symbol": "C"}, ["stale"]),
        ({"state": "reconnecting"}, ["reconnecting"]),
        ({"state": "closed"}, ["closed"]),
    ],
)
def test_the_end_of_a_full_state_goes_with_the_row_that_it_waits_for(said: dict[str, Any], ends: list[Any]) -> None:
    limits = limits_of(1_000, None, "positions", "A", "B", "C")
    first = [position("A", 1), position("B", 2), position("C", 3, time=1), end(3, "positions")]
    assert told(limits.passes([status("live", "positions"), *first], 0, at(9))) == ["live", 1, 2, "stale"]
    assert told(limits.passes([status(stream="positions", **said)], 0, at(9.1))) == ends
    assert told(limits.passes([position("C", 4)], 0, at(9.2)))[-1:] == [4]
