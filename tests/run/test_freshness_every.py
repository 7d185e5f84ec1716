"""`--every`: what passes, what waits, and what may be kept for that."""

from __future__ import annotations

from typing import Any

import pytest

from cli.output.weights import weight
from cli.run import freshness
from cli.run.freshness import Every
from tests.run.dated import at, end, full, order, quote, status, told
from venues.records import Book, Order


def test_a_row_may_pass_again_when_its_time_has_come() -> None:
    stage = Every(1_500)
    assert told(stage.passes([order("a", 1)], at(1))) == [1]
    assert told(stage.passes([order("a", 2)], at(2.499))) == []
    assert stage.deadline() == 2.5
    assert stage.tick(at(2.499)) == []
    assert told(stage.tick(at(2.5))) == [2]
    assert stage.deadline() is None
    assert told(stage.passes([order("a", 3)], at(3.999))) == []
    assert told(stage.passes([order("a", 4)], at(4.0))) == [4], "the newest, and the one that waited is gone"
    assert stage.rest() == []


def test_a_removal_passes_at_once_and_its_row_begins_anew() -> None:
    stage = Every(1_000)
    stage.passes([order("a", 1)], at(0))
    stage.passes([order("a", 2)], at(0.1))
    assert told(stage.passes([order("a", 3, "remove")], at(0.2))) == [3]
    assert stage.deadline() is None
    assert told(stage.passes([order("a", 4)], at(0.3))) == [4]


def test_a_removal_leaves_a_full_state_that_waits() -> None:
    stage = Every(1_000)
    stage.passes(full(1, "a", "b"), at(0))
    assert stage.passes(full(2, "a", "b"), at(0.5)) == []
    assert told(stage.passes([order("a", 3, "remove")], at(0.6))) == [3]
    assert told(stage.tick(at(1))) == [2, "end 1"]


def test_a_row_that_stops_matching_leaves_a_full_state_and_waits_behind_it() -> None:
    stage = Every(1_000)
    stage.passes(full(1, "a", "b"), at(0))
    stage.passes(full(2, "a", "b"), at(0.5))
    assert stage.passes([order("a", 3, "remove", match=False)], at(0.6)) == []
    assert told(stage.tick(at(1))) == [2, "end 1", 3]


def test_what_changes_in_a_full_state_that_waits_is_part_of_it() -> None:
    stage = Every(1_000)
    stage.passes(full(1, "a", "b"), at(0))
    stage.passes(full(2, "a", "b"), at(0.5))
    assert stage.passes([order("a", 3)], at(0.6)) == []
    assert stage.tick(at(1)) == [order("a", 3, "snapshot"), order("b", 2, "snapshot"), end(2)]


def test_a_row_that_stops_matching_waits_as_any_other() -> None:
    stage = Every(1_000)
    assert told(stage.passes([order("a", 1, "remove", match=False)], at(0))) == [1]
    assert stage.passes([order("a", 2, "remove", match=False)], at(0.5)) == []
    assert told(stage.tick(at(1))) == [2]


def test_a_full_state_waits_for_its_rows_and_for_the_one_before() -> None:
    stage = Every(1_000)
    assert told(stage.passes(full(1, "a"), at(0))) == [1, "end 1"]
    assert told(stage.passes([order("b", 2)], at(0.5))) == [2]
    assert stage.passes(full(3, "b"), at(0.6)) == []
    assert stage.deadline() == 1.5, "b has passed at 0.5"
    assert stage.tick(at(1.4)) == []
    assert told(stage.tick(at(1.5))) == [3, "end 1"]
    assert stage.passes(full(4), at(2.4)) == []
    assert stage.deadline() == 2.5
    assert told(stage.passes([order("a", 5)], at(2.45))) == [5], "a has long been allowed to"
    assert told(stage.tick(at(2.5))) == ["end 0"]


def test_after_a_full_state_its_rows_change_by_themselves() -> None:
    stage = Every(1_000)
    stage.passes(full(1, "a"), at(0))
    stage.passes(full(2, "a"), at(0.5))
    assert told(stage.tick(at(1))) == [2, "end 1"]
    assert stage.deadline() is None
    assert told(stage.passes([order("a", 3)], at(2.5))) == [3]


def test_before_the_end_of_a_full_state_that_lost_rows_what_waits_passes() -> None:
    stage = Every(1_000)
    stage.passes([order("a", 1)], at(0))
    stage.passes([order("a", 2)], at(0.5))
    assert told(stage.passes([end(3)], at(0.6))) == [2, "end 3"]
    assert stage.rest() == []


def test_a_full_state_drops_the_rows_that_it_does_not_have() -> None:
    stage = Every(1_000)
    stage.passes([order("a", 1), order("b", 1)], at(0))
    stage.passes([order("a", 2), order("b", 2)], at(0.5))
    assert stage.passes(full(3, "a"), at(0.6)) == []
    assert told(stage.tick(at(1))) == [3, "end 1"]


@pytest.mark.parametrize("state", ["stale", "reconnecting", "closed", "syncing"])
def test_what_waits_is_dropped_when_the_stream_is_not_live(state: Any) -> None:
    stage = Every(1_000)
    stage.passes([order("a", 1)], at(0))
    stage.passes([order("a", 2)], at(0.5))
    assert told(stage.passes([status("live", "orders")], at(0.5))) == ["live"]
    assert stage.deadline() == 1.0
    assert told(stage.passes([status(state, "orders", symbol="X")], at(0.6))) == [state]
    assert stage.deadline() is None
    assert told(stage.passes([order("a", 3)], at(0.7))) == [3], "it may pass at once"
    stage.passes(full(4, "b"), at(0.7))
    assert told(stage.passes([status(state, "orders"), *full(5)], at(0.8))) == [state, "end 0"]


def test_of_several_symbols_only_that_one_is_dropped_which_is_not_live() -> None:
    stage = Every(1_000, several=True)

    def a(number: int, symbol: str = "A") -> Book:
        return Book(venue="v", symbol=symbol, received=number, bids=[], asks=[])

    def b(number: int) -> Book:
        return a(number, "B")

    stage.passes([a(1), b(1)], at(0))
    stage.passes([a(2), b(2)], at(0.5))
    assert told(stage.passes([status("stale", symbol="A")], at(0.6))) == ["stale"]
    assert told(stage.passes([a(3)], at(0.7))) == [3]
    assert told(stage.tick(at(1.0))) == [2]
    stage.passes([b(4)], at(1.5))
    assert told(stage.passes([status("stale")], at(1.6))) == ["stale"]
    assert stage.rest() == []


def test_what_waits_of_a_symbol_that_is_interrupted_is_dropped() -> None:
    stage = Every(1_000, several=True)
    stage.passes([quote("A", 1), quote("B", 1)], at(0))
    stage.passes([quote("A", 2), quote("B", 2)], at(0.5))
    stage.passes([status("stale", "quotes", symbol="A")], at(0.6))
    assert stage.deadline() == 1.0
    assert stage.rest() == [quote("B", 2)]


def test_what_waits_of_symbols_that_a_full_state_does_not_have_passes_before_it() -> None:
    stage = Every(1_000, several=True)
    stage.passes([quote(symbol, 1) for symbol in "ABC"], at(0))
    stage.passes([quote(symbol, 2) for symbol in "ABC"], at(0.5))
    assert stage.passes([quote("B", 3), end(1, "quotes")], at(0.6)) == [quote("A", 2), quote("C", 2)]
    assert stage.rest() == [quote("B", 3), end(1, "quotes")]


def several_that_wait() -> Every:
    """A full state that waits, with a new symbol in it, of which one is interrupted."""
    stage = Every(1_000, several=True)
    stage.passes([quote("A", 1), quote("B", 1), end(2, "quotes")], at(0))
    rows = [quote(symbol, 2) for symbol in "ABC"]
    assert stage.passes([*rows, end(3, "quotes")], at(0.5)) == []
    assert told(stage.passes([status("stale", "quotes", symbol="A")], at(0.6))) == ["stale"]
    return stage


def test_of_a_full_state_that_waits_the_others_pass_in_their_time_and_its_end_when_all_are_there() -> None:
    stage = several_that_wait()
    assert stage.tick(at(0.7)) == [quote("C", 2)], "which was new"
    assert stage.deadline() == 1.0
    assert stage.tick(at(1.0)) == [quote("B", 2)]
    assert stage.passes([status("live", "quotes", symbol="A")], at(1.1)) == [status("live", "quotes", symbol="A")]
    assert stage.passes([quote("A", 3)], at(1.2)) == [quote("A", 3), end(3, "quotes")]


def test_the_end_of_a_full_state_comes_before_what_changes_after_it_is_complete() -> None:
    stage = several_that_wait()
    stage.tick(at(1.0))
    closed = status("closed", "quotes", symbol="A")
    assert stage.passes([closed, quote("B", 3)], at(2.0)) == [closed, end(2, "quotes"), quote("B", 3)]


# --- what --every may keep


def heavy(name: str, number: int) -> Order:
    return order(name, number, venue_status="x" * 10_000)


@pytest.fixture
def light(monkeypatch: pytest.MonkeyPatch) -> None:
    """Room for four heavy rows that wait."""
    monkeypatch.setattr(freshness, "HEAVIEST", 4 * weight(heavy("a", 1)))


def waiting(names: str) -> Every:
    """Rows that have passed and have to wait."""
    stage = Every(1_000)
    for name in names:
        stage.passes([order(name, 0)], at(0))
    return stage


def changed(stage: Every, names: str) -> list[Any]:
    """What passes when rows change, which are numbered from 1."""
    return told([one for number, name in enumerate(names, 1) for one in stage.passes([heavy(name, number)], at(0.1))])


@pytest.mark.usefixtures("light")
def test_rows_that_weigh_too_much_pass_early() -> None:
    stage = waiting("abcde")
    assert changed(stage, "abcd") == []
    assert changed(stage, "e") == [1, 2, 3, 4, 1]
    assert stage.rest() == []
    assert changed(stage, "abab") == [1, 2], "and may pass again at once"
    assert told(stage.rest()) == [3, 4]


@pytest.mark.usefixtures("light")
@pytest.mark.parametrize(
    ("names", "early", "rest"), [("aaaaa", [], [5]), ("ababa", [], [5, 4]), ("abcab", [4, 5, 3], [])]
)
def test_what_was_replaced_weighs_no_more(names: str, early: list[int], rest: list[int]) -> None:
    """Rows that change five times: what comes to half of the room at most goes on waiting."""
    stage = waiting("abc")
    assert changed(stage, names) == early
    assert told(stage.rest()) == rest


@pytest.mark.usefixtures("light")
def test_what_has_passed_weighs_no_more() -> None:
    stage = waiting("abc")
    for second in range(10):
        assert told(stage.passes([heavy(name, second) for name in "ab"], at(second + 0.1))) == []
        assert told(stage.tick(at(second + 1))) == [second, second]


@pytest.mark.parametrize(("less", "passed"), [(0, []), (1, [1, 2, 3, 4])])
def test_the_heaviest_itself_may_wait(less: int, passed: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(freshness, "HEAVIEST", 4 * weight(heavy("a", 1)) - less)
    stage = waiting("abcd")
    assert changed(stage, "abcd") == passed
    if passed:
        assert changed(stage, "abcd") == [1, 2, 3, 4], "each may pass at once"
        assert changed(stage, "abcd") == passed


@pytest.mark.usefixtures("light")
def test_after_rows_have_passed_early_there_is_as_much_room_as_before() -> None:
    stage = waiting("abcde")
    assert changed(stage, "abcde") == [1, 2, 3, 4, 5]
    assert changed(stage, "abcd") == [1, 2, 3, 4], "each may pass at once"
    assert changed(stage, "abcd") == []
    assert changed(stage, "e") == [1]


def test_keys_that_may_pass_again_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(freshness, "MOST_KEYS", 4)
    stage = Every(1_000)
    for number in range(4):
        stage.passes([order(str(number), number)], at(number))
    stage.passes([order("3", 9)], at(3.5))
    assert told(stage.passes([order("4", 4)], at(3.6))) == [4], "of those before only 3 may not pass yet"
    assert stage.deadline() == 4.0


def test_ever_new_keys_let_what_waits_pass_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(freshness, "MOST_KEYS", 4)
    stage = Every(1_000)
    assert told(stage.passes([order("0", 0), order("0", 9)], at(0))) == [0]
    passed = [told(stage.passes([order(str(number), number)], at(0.1))) for number in range(1, 5)]
    assert passed == [[1], [2], [3], [9, 4]]
    assert stage.rest() == []
    assert told(stage.passes([order("0", 10)], at(0.2))) == [10], "and may pass again at once"


@pytest.mark.parametrize(
    ("waiting_still", "second", "passed"),
    [(1, 1.2, [9]), (1, 1.0, [9]), (1, 0.9, [8, 9]), (2, 1.2, [8, 8, 9])],
)
def test_of_many_keys_half_may_go_on_waiting(
    waiting_still: int, second: float, passed: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the one that has just passed it is two of four, or one more; those before may pass again after a second."""
    monkeypatch.setattr(freshness, "MOST_KEYS", 4)
    stage = Every(1_000)
    stage.passes([order(f"old {number}", 1) for number in range(4 - waiting_still)], at(0))
    for number in (1, 8):
        stage.passes([order(f"young {one}", number) for one in range(waiting_still)], at(0.5))
    assert told(stage.passes([order("new", 9)], at(second))) == passed


def test_a_row_of_a_symbol_that_was_interrupted_may_pass_at_once() -> None:
    stage = Every(1_000, several=True)
    stage.passes([order("1", 1, symbol="A"), order("1", 1, symbol="B")], at(0))
    stage.passes([status("stale", "orders", symbol="A")], at(0.1))
    assert told(stage.passes([order("1", 2, symbol="A"), order("1", 3, symbol="B")], at(0.2))) == [2]
