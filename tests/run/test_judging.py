"""What a judge makes of what comes in a batch, of time, and of what came before."""

from __future__ import annotations

from typing import Any

import pytest

from cli.run.judging import TICK
from tests.bot.recordings import BEGIN
from tests.run.judged import Stage, book, bought, position, told
from venues.records import State
from venues.venue import ClockOffset, Confirmed, Notice, Now

# --- batches


def test_events_of_a_live_stream_that_match_are_passed_as_they_came() -> None:
    """The batch itself goes on: a market may bring 100,000 a second."""
    stage = Stage("trades", where="price > 5")
    stage.said(stage.status("live"), bought("1"))
    one = [bought("9")]
    assert stage.judge.passes(one) is one
    assert stage.judge.passes([bought("1")]) == ()


def test_what_comes_with_an_event_is_passed_too_and_counts() -> None:
    stage = Stage("trades", where="price > 5")
    stage.said(stage.status("live"), bought("1"))
    stale, live = stage.status("stale"), stage.status("live")
    assert stage.said(bought("6"), stale, bought("7"), live, bought("8"), bought("2")) == [
        bought("6"), stale, live, bought("8"),
    ]  # fmt: skip
    assert stage.said(stale) == [stale]
    notice = Notice("the venue says something")
    assert stage.said(live, notice) == [live, notice]
    assert stage.said(stale, notice) == [stale, notice]
    assert stage.said(bought("9")) == []
    assert stage.said(live) == [live]
    assert stage.said(bought("9")) == [bought("9")]


def test_events_that_are_filtered_may_call_for_an_alarm_too() -> None:
    stage = Stage("trades", where="price > 5", on="price > 7")
    stage.said(stage.status("live"), bought("1"))
    assert stage.said(bought("8"), bought("6"), bought("9")) == [bought("8"), bought("6"), bought("9")]
    assert stage.said(bought("10")) == [bought("10")]
    assert stage.fired == [bought("8"), bought("9"), bought("10")]


def test_the_first_event_that_matches_may_end_the_wait_also_where_events_are_filtered() -> None:
    stage = Stage("trades", where="price > 5", until="price > 7")
    stage.said(stage.status("live"), bought("1"))
    assert stage.said(bought("6")) == [bought("6")]
    assert stage.said(bought("8")) == [bought("8")]
    assert stage.judge.match == bought("8")


def test_what_stopped_matching_is_told_before_the_rows_of_the_batch_it_comes_in() -> None:
    stage = Stage("positions", rows=True, where="size > 5")
    stage.said(stage.status("live"), position("a", 9), position("b", 9))
    again = [position("c", 9, "snapshot"), position("a", 1, "snapshot"), stage.end(2)]
    assert told(stage.said(*again)) == [("a", "remove", False), ("c", "snapshot", None), 1]


def test_what_stops_matching_in_the_second_full_state_of_a_batch_is_told_between_the_two() -> None:
    stage = Stage("positions", rows=True, where="size > 5")
    first = [position("a", 9, "snapshot"), stage.end(1)]
    second = [position("b", 9, "snapshot"), position("a", 1, "snapshot"), stage.end(2)]
    assert told(stage.said(stage.status("live"), *first, *second)) == [
        "live", ("a", "snapshot", None), 1, ("a", "remove", False), ("b", "snapshot", None), 1,
    ]  # fmt: skip


@pytest.mark.parametrize("between", ["live", "update"])
def test_what_stops_matching_behind_other_things_is_told_where_it_stands(between: str) -> None:
    stage = Stage("positions", rows=True, where="size > 5")
    stage.said(stage.status("live"), position("a", 9))
    other: Any = stage.status("live") if between == "live" else position("x", 9)
    rows = [position("b", 9, "snapshot"), other, position("a", 1, "snapshot")]
    assert told(stage.said(*rows))[-1] == ("a", "remove", False)


def test_what_is_said_of_other_streams_goes_by() -> None:
    stage = Stage("positions", rows=True, where="size > 5", until="size > 7", once="snapshot_end")
    other = Stage("orders")
    passing = [other.status("live"), other.end(3), ClockOffset("orders", 5), Confirmed("orders")]
    assert stage.said(*passing) == passing
    assert not stage.judge.is_over
    assert not stage.judge.data_came
    assert stage.said(position("a", 9)) == [], "ours is not live yet"


# --- full states


def test_the_end_of_a_full_state_counts_those_of_its_rows_that_were_printed() -> None:
    stage = Stage("positions", rows=True, where="size > 5")
    rows = [position(name, size, "snapshot") for name, size in (("a", 9), ("b", 1), ("c", 8))]
    assert told(stage.said(stage.status("live"), *rows, stage.end(3)))[-1] == 2
    assert told(stage.said(*rows[1:], stage.end(2)))[-1] == 1, "a is gone"
    assert told(stage.said(position("a", 1), rows[2], stage.end(1)))[-2:] == [("c", "snapshot", None), 1]
    assert told(stage.said(stage.end(0))) == [0]
    assert told(stage.said(position("c", 1))) == [], "it was gone, and nobody has to be told"


def test_a_row_that_was_changed_after_a_full_state_counts_in_an_end_that_counts_more_than_came_since() -> None:
    stage = Stage("positions", rows=True, where="size > 5")
    rows = [position(name, 9, "snapshot") for name in "abc"]
    assert told(stage.said(stage.status("live"), *rows, stage.end(3)))[-1] == 3
    assert told(stage.said(position("b", 8), stage.end(3))) == [("b", "update", None), 3]
    assert told(stage.said(position("b", 1), stage.end(3))) == [("b", "remove", False), 2]
    assert told(stage.said(position("a", 0, "remove"), stage.end(2))) == [("a", "remove", None), 1]


def test_a_row_that_went_before_a_full_state_ends_is_none_of_it() -> None:
    stage = Stage("positions", rows=True, where="size > 5")
    rows = [position("a", 9, "snapshot"), position("b", 9, "snapshot"), position("a", 0, "remove")]
    assert told(stage.said(stage.status("live"), *rows, stage.end(1)))[-1] == 1
    assert told(stage.said(position("b", 1))) == [("b", "remove", False)]


def test_a_row_of_a_full_state_before_the_last_one_is_gone() -> None:
    stage = Stage("positions", rows=True, where="size > 5")
    rows = [position(name, 9, "snapshot") for name in "abc"]
    stage.said(stage.status("live"), *rows, stage.end(3), *rows[1:], stage.end(2))
    assert told(stage.said(position("b", 8), stage.end(3))) == [("b", "update", None), 2]


def test_an_end_is_handed_on_as_it_is_where_every_row_is_printed() -> None:
    stage = Stage("positions", rows=True, on="size > 5")
    end = stage.end(1)
    assert stage.said(stage.status("live"), position("a", 9, "snapshot"), end)[-1] is end
    assert stage.said(position("b", 9, "snapshot"), end)[-1] is end
    stage.said(position("a", 9))
    assert [row.position_id for row in stage.fired] == ["a", "b", "a"], "a was gone"  # type: ignore[attr-defined]


def test_an_empty_state_is_data() -> None:
    stage = Stage("positions", rows=True, where="size > 5")
    stage.said(stage.status("live"))
    assert not stage.judge.data_came
    stage.said(stage.end(0))
    assert stage.judge.data_came


def test_a_row_that_went_and_comes_again_has_none_before_it() -> None:
    stage = Stage("positions", rows=True, where="size > prev.size")
    stage.said(stage.status("live"))
    rows = [position("a", 1), position("a", 2), position("a", 0, "remove"), position("a", 3), position("a", 4)]
    assert [told(stage.said(row)) for row in rows] == [
        [], [("a", "update", None)], [("a", "remove", None)], [], [("a", "update", None)],
    ]  # fmt: skip


def test_only_the_latest_rows_have_one_before_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.run.judging.MOST_KEYS", 3)
    stage = Stage("positions", rows=True, where="size > prev.size")
    stage.said(stage.status("live"), *(position(name, 1) for name in "abc"))
    stage.said(position("a", 1), position("d", 1))  # b is the oldest now
    assert [told(stage.said(position(name, 2))) for name in "acd"] == [[(name, "update", None)] for name in "acd"]
    assert told(stage.said(position("b", 2))) == []


def test_only_of_the_latest_rows_it_is_told_that_they_stopped_matching(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.run.judging.MOST_KEYS", 3)
    stage = Stage("positions", rows=True, where="size > 5")
    stage.said(stage.status("live"), *(position(name, 9) for name in "abcd"))
    assert [told(stage.said(position(name, 1))) for name in "abcd"] == [
        [], *([(name, "remove", False)] for name in "bcd"),
    ]  # fmt: skip


# --- how many, and of whom


@pytest.mark.parametrize("count", [1, 2, 3])
def test_so_many_answers_are_judged(count: int) -> None:
    stage = Stage("trades", until="price > 5", answers=True, count=count)
    stage.said(stage.status("live"))
    for number in range(1, count + 1):
        assert not stage.judge.is_over
        assert stage.said(bought("1")) == []
        assert stage.judge.is_over == (number == count)


def test_so_many_that_are_printed_are_waited_for() -> None:
    stage = Stage("trades", until="price > 9", where="price > 5", count=2)
    stage.said(stage.status("live"))
    assert stage.said(bought("1"), bought("6"), bought("2")) == [bought("6")]
    assert not stage.judge.is_over
    assert stage.said(bought("3"), bought("7"), bought("8")) == [bought("7")]
    assert (stage.judge.is_over, stage.judge.match) == (True, None)


def test_a_match_that_is_printed_as_well_comes_once() -> None:
    stage = Stage("trades", until="price > 5", where="price > 5")
    stage.said(stage.status("live"))
    assert stage.said(bought("1"), bought("9")) == [bought("9")]
    both = Stage("trades", until="price > 7", where="price > 5")
    both.said(both.status("live"))
    assert both.said(bought("6"), bought("8"), bought("9")) == [bought("6"), bought("8")]
    other = Stage("trades", until="price < 5", where="price > 5")
    other.said(other.status("live"))
    assert other.said(bought("9"), bought("1")) == [bought("9"), bought("1")]


def test_with_once_each_of_several_symbols_is_waited_for() -> None:
    stage = Stage("trades", until="price > 5", answers=True, once="record", symbols=("A", "B"))
    stage.said(stage.status("live", "A"), stage.status("live", "B"))
    assert stage.judge.unseen == {"A", "B"}
    stage.said(bought("1", "A"))
    assert (stage.judge.unseen, stage.judge.is_over) == ({"B"}, False)
    stage.said(bought("1", "A"), bought("2", "B"))
    assert (stage.judge.unseen, stage.judge.is_over) == (set(), True)


# --- ages


def test_an_age_is_that_by_the_venues_clock() -> None:
    stage = Stage("book", where="age_ms >= 500")
    stage.said(stage.status("live"))
    old, young = book("1", time=BEGIN - 500), book("1", time=BEGIN - 499)
    assert stage.said(old, young) == [old]
    notice = Notice("the venue says something")
    assert stage.said(notice) == [notice]
    offset = ClockOffset("book", 1)
    assert stage.said(offset, young) == [offset, young]
    assert stage.said(ClockOffset("book", -1), old)[1:] == []


@pytest.mark.parametrize(("confirmed", "after"), [(None, 0.75), (Confirmed("book"), 1.25)])
def test_what_is_confirmed_is_new_again(confirmed: Confirmed | None, after: float) -> None:
    stage = Stage("book", until="age_ms >= 750", answers=True)
    stage.said(stage.status("live"), book("1"))
    stage.tick(0.5)
    if confirmed is not None:
        assert stage.said(confirmed) == [confirmed]
    ticks = [0.5 + TICK * number for number in range(1, 10)]
    assert next(at for at in ticks if stage.tick(at)) == after


def test_an_empty_state_is_as_old_as_its_end() -> None:
    stage = Stage("positions", rows=True, until="age_ms >= 500", answers=True)
    stage.said(stage.status("live"))
    assert not stage.tick(0.75)
    stage.said(stage.end(0))
    assert not stage.tick(1.0)
    assert stage.tick(1.25)


def test_a_full_state_with_rows_is_as_old_as_they_are() -> None:
    stage = Stage("positions", rows=True, until="age_ms >= 500", answers=True)
    stage.said(stage.status("live"), position("a", 1, "snapshot"))
    stage.now = Now(0.25, BEGIN + 250)
    stage.said(stage.end(1))
    assert stage.tick(0.5)


def test_time_is_looked_at_only_when_a_quarter_of_a_second_has_passed() -> None:
    stage = Stage("book", until="age_ms >= 240", answers=True)
    assert stage.judge.deadline() is None
    stage.said(stage.status("live"), book("1"))
    assert stage.judge.deadline() == TICK
    stage.now = Now(0.1, BEGIN + 100)
    stage.said(stage.status("live"))
    assert stage.judge.deadline() == TICK, "another status moves nothing"
    assert stage.tick(TICK - 0.001) == []
    assert stage.judge.match is None
    assert stage.tick(TICK) == [stage.judge.match]


def test_nothing_becomes_true_with_time_where_no_condition_asks_for_an_age() -> None:
    stage = Stage("book", until="bids[0].price > 5", answers=True)
    stage.said(stage.status("live"), book("1"))
    assert stage.judge.deadline() is None
    assert not stage.judge.ticks


def test_after_the_match_nothing_becomes_true() -> None:
    stage = Stage("book", until="age_ms >= 500 or bids[0].price > 5", on="age_ms >= 750", answers=True)
    stage.said(stage.status("live"), book("9"))
    assert stage.judge.deadline() is None
    assert stage.tick(5.0) == []
    assert stage.fired == []


def test_no_event_becomes_a_match_with_time() -> None:
    stage = Stage("trades", until="age_ms >= 500 and price > 5", answers=True)
    stage.said(stage.status("live"), bought("9"))
    assert not any(stage.tick(at * TICK) for at in range(1, 9))


@pytest.mark.parametrize(("states", "fired"), [((), [book("9")]), (("stale",), []), (("stale", "live"), [])])
def test_an_alarm_of_a_record_and_its_age_is_raised_with_time_while_the_stream_is_live(
    states: tuple[State, ...], fired: list[Any]
) -> None:
    stage = Stage("book", on="age_ms >= 500 and bids[0].price > 5")
    stage.said(stage.status("live"), book("9"), *map(stage.status, states))
    stage.tick(0.25)
    assert stage.fired == []
    for at in (0.5, 0.75, 1.0):
        stage.tick(at)
    assert stage.fired == fired
    stage.said(book("9"))
    assert stage.fired == fired


def test_an_alarm_of_a_stream_is_raised_with_its_status() -> None:
    stage = Stage("book", on="stale")
    stage.said(stage.status("live"), book("9"))
    assert stage.fired == []
    stale = stage.status("stale")
    stage.said(stale)
    assert stage.fired == [stale]


def test_of_several_symbols_only_those_that_are_live_become_true_with_time() -> None:
    stage = Stage("book", on="age_ms >= 500 and bids[0].price > 5", symbols=("A", "B"))
    rows = {name: book("9", symbol=name) for name in ("A", "B")}
    stage.said(*(stage.status("live", name) for name in rows), *rows.values(), stage.status("stale", "A"))
    stage.tick(0.5)
    assert stage.fired == [rows["B"]]


def test_with_time_alone_there_is_no_record_before() -> None:
    stage = Stage("book", until="age_ms >= 500 and bids[0].price > prev.bids[0].price", answers=True)
    stage.said(stage.status("live"), book("1"), book("9"))
    assert not any(stage.tick(at * TICK) for at in range(1, 9))
