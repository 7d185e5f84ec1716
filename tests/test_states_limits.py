"""A queue of states at its limits: how long and how much may wait, and what is left of a full state."""

from __future__ import annotations

from typing import Any

import pytest

from cli.output import states
from cli.output.gaps import WHY
from cli.output.pipe import PATIENCE
from cli.output.states import LONGEST_WAIT, StateQueue
from tests.test_queues import Clock
from tests.test_symbol_states import Reader, end, one_by_one, quote, status, told
from venues.records import Book, Level, Quote, Status


def quotes(first: int, last: int) -> list[Quote]:
    """Rows of a key each."""
    return [quote(f"S{number}", 0) for number in range(first, last)]


# --- how long


@pytest.mark.parametrize(("seconds", "kept"), [(0.0, "A1 A2"), (PATIENCE, "A1 A2"), (PATIENCE + 0.001, "A2")])
@pytest.mark.parametrize("by", ["put", "take"])
def test_without_a_known_reader_it_is_behind_what_waits_too_long(seconds: float, kept: str, by: str) -> None:
    clock = Clock()
    queue = StateQueue(clock)
    queue.put([quote("A", 1)])
    if by == "put":
        clock.now = seconds
        queue.put([quote("A", 2)])
    else:
        queue.put([quote("A", 2)])
        clock.now = seconds
    assert told(queue.take()) == kept.split()


@pytest.mark.parametrize(
    ("seconds", "slow", "kept"),
    [
        (LONGEST_WAIT, False, "A1 A2"),
        (LONGEST_WAIT + 0.001, False, "A2"),
        (0.0, True, "A2"),
        (LONGEST_WAIT, True, "A2"),
    ],
)
def test_a_known_reader_is_behind_when_it_is_slow_or_something_waits_very_long(
    seconds: float, slow: bool, kept: str
) -> None:
    clock = Clock()
    queue = StateQueue(clock, reader=Reader(slow=slow, room=9))
    queue.put([quote("A", 1)])
    clock.now = seconds
    queue.put([quote("A", 2)])
    assert told(queue.take()) == kept.split()


def test_what_waits_behind_what_was_taken_waits_since_it_was_put_itself() -> None:
    clock = Clock()
    queue = StateQueue(clock, reader=Reader(slow=False))
    queue.put([quote("A", 1)])
    clock.now = 1.0
    queue.put([quote("B", 2)])
    assert told(queue.take()) == ["A1"]
    clock.now = 1.0 + LONGEST_WAIT
    queue.put([quote("B", 3)])
    assert told(one_by_one(queue)) == ["B2", "B3"]


def test_a_full_state_behind_what_was_taken_waits_as_long_as_that() -> None:
    clock = Clock()
    queue = StateQueue(clock, reader=Reader(slow=False))
    queue.put([status("live")])
    clock.now = 1.0
    queue.put([quote("A", 1), quote("B", 2), end(2)])
    assert told(queue.take()) == ["all live"]
    clock.now = LONGEST_WAIT + 0.001
    queue.put([quote("B", 3)])
    assert told(one_by_one(queue)) == ["A1", "B3", "end 2"]


# --- how much


@pytest.fixture
def four(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader is behind with more than four rows, or a book of more than four levels."""
    monkeypatch.setattr(states, "MOST_LEVELS", 4)


@pytest.mark.usefixtures("four")
@pytest.mark.parametrize(("count", "kept"), [(4, "A1 A2 A3 A4"), (5, "A5")])
def test_with_so_many_rows_every_reader_is_behind(count: int, kept: str) -> None:
    for reader in (None, Reader(slow=False, room=9)):
        queue = StateQueue(Clock(), reader=reader)
        for _ in range(2):
            for number in range(1, count + 1):
                queue.put([quote("A", number)])
            assert told(queue.take()) == kept.split(), "also when all was taken before"


@pytest.mark.usefixtures("four")
@pytest.mark.parametrize(("bids", "asks", "kept"), [(2, 1, 2), (1, 2, 2), (2, 2, 1), (0, 4, 1)])
def test_a_book_counts_with_its_levels(bids: int, asks: int, kept: int) -> None:
    level = [Level(1, 1)]  # type: ignore[arg-type]
    books = [Book(venue="v", symbol="A", received=n, bids=bids * level, asks=asks * level) for n in range(2)]
    small = Book(venue="v", symbol="A", received=0, bids=level, asks=[])
    queue = StateQueue(Clock())
    queue.put([small, books[1]])
    assert queue.take() == [small, books[1]][-kept:]


@pytest.mark.usefixtures("four")
def test_what_was_taken_counts_no_more() -> None:
    queue = StateQueue(Clock(), reader=Reader(slow=False, room=2))
    queue.put([quote("A", number) for number in range(4)])
    assert told(queue.take()) == ["A0", "A1"]
    queue.put([quote("A", 4), quote("A", 5)])
    assert told(one_by_one(queue)) == ["A2", "A3", "A4", "A5"]


@pytest.mark.usefixtures("four")
@pytest.mark.parametrize("symbol", [None, "A"])
def test_what_is_dropped_in_trouble_counts_no_more(symbol: str | None) -> None:
    queue = StateQueue(Clock(), several=symbol is not None)
    queue.put([quote("A", number) for number in range(4)])
    queue.put([status("stale", symbol)])
    queue.put([quote("A", number) for number in range(4, 7)])
    assert told(queue.take()) == [f"{symbol or 'all'} stale", "A4", "A5", "A6"]


def test_rows_that_weigh_too_much_are_all_left_out_and_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(states, "HEAVIEST", 3 * states.weight(quote("A", 0)))
    counts: list[int] = []

    def on_overflow(count: int) -> list[Status]:
        counts.append(count)
        return [status("stale", reason="full")]

    queue = StateQueue(Clock(), reader=Reader(slow=True, room=9), on_overflow=on_overflow)
    queue.put(quotes(0, 3))
    assert (counts, queue.trouble) == ([], None), "as much as may wait"
    assert told(queue.take()) == ["S00", "S10", "S20"]
    queue.put(quotes(0, 4))
    assert (counts, queue.trouble) == ([4], f"4 rows are left out: {WHY}")
    assert told(queue.take()) == ["all stale"]
    queue.put(quotes(4, 7))
    assert told(queue.take()) == ["S40", "S50", "S60"], "there is room again"


def test_without_words_for_it_rows_that_weigh_too_much_leave_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(states, "HEAVIEST", 3 * states.weight(quote("A", 0)))
    queue = StateQueue(Clock(), reader=Reader(slow=True, room=9))
    queue.put(quotes(0, 4))
    assert queue.take() == []
    assert queue.trouble == f"4 rows are left out: {WHY}"


@pytest.mark.parametrize(("more", "left_out"), [(0, 12), (-1, 11)])
def test_what_waits_is_weighed_again_when_as_much_has_come(
    more: int, left_out: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(states, "HEAVIEST", 10 * states.weight(quote("A", 0)) + more)
    counts: list[int] = []
    queue = StateQueue(Clock(), reader=Reader(slow=True), on_overflow=lambda count: counts.append(count) or ())
    for _ in range(2):
        for number in range(left_out):
            assert queue.waiting() == number
            queue.put(quotes(number, number + 1))
        assert queue.waiting() == 0
        queue.put([status("live")])
        assert queue.take() == [status("live")]
    assert counts == [left_out, left_out]


def test_the_same_rows_again_and_again_are_not_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(states, "HEAVIEST", 10 * states.weight(quote("A", 0)))
    queue = StateQueue(Clock(), reader=Reader(slow=True))
    for _ in range(9):
        queue.put(quotes(0, 10))
    assert (queue.waiting(), queue.trouble) == (10, None)


# --- full states


def begun(*symbols: str, several: bool = False) -> tuple[StateQueue, Reader]:
    """A queue of a full state whose first row has been taken, for a reader that keeps up."""
    reader = Reader(slow=False)
    queue = StateQueue(Clock(), reader=reader, several=several)
    queue.put([*(quote(symbol, 1) for symbol in symbols), end(len(symbols))])
    assert told(queue.take()) == [f"{symbols[0]}1"]
    return queue, reader


def test_a_full_state_that_is_begun_goes_on_with_what_has_changed_when_its_reader_gets_slow() -> None:
    queue, reader = begun("A", "B", "C")
    reader.slow = True
    queue.put([quote("C", 2), quote("A", 3)])
    assert told(one_by_one(queue)) == ["B1", "C2", "end 3", "A3"]


def test_what_is_left_of_a_full_state_may_be_taken_at_once() -> None:
    queue, reader = begun("A", "B", "C")
    queue.put([quote("A", 2)])
    reader.room = 3
    assert told(queue.take()) == ["B1", "C1", "end 3"]
    assert told(queue.take()) == ["A2"]
    assert queue.take() == []


def test_the_others_of_a_full_state_stay_when_one_symbol_runs_into_trouble() -> None:
    queue, _ = begun("A", "B", "C", several=True)
    queue.put([status("stale", "B")])
    assert told(one_by_one(queue)) == ["C1", "B stale"]
    queue.put([status("live", "B"), quote("B", 2)])
    assert told(one_by_one(queue)) == ["B live", "B2", "end 3"]


def test_a_full_state_behind_one_that_lost_a_row_ends_when_that_symbol_has_one_again() -> None:
    queue, _ = begun("A", "B", "C", several=True)
    queue.put([quote("A", 2), quote("C", 2), end(2)])
    queue.put([status("stale", "B")])
    assert told(one_by_one(queue)) == ["C1", "A2", "C2", "B stale"]
    queue.put([status("live", "B"), quote("B", 3)])
    assert told(one_by_one(queue)) == ["B live", "B3", "end 2"]


def test_rows_that_are_taken_in_time_are_handed_over_and_others_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, late = Clock(), []
    limits: dict[Any, float | None] = {"A": 1.0, "B": 2.0, "C": None}
    queue = StateQueue(clock, good_until=lambda record: limits[record.symbol], on_late=late.append)
    queue.put([quote("A", 1), quote("B", 2), quote("C", 3), status("live"), end(3)])
    clock.now = 2.0
    assert told(queue.take()) == ["B2", "C3", "all live", "end 3"]
    assert late == [quote("A", 1)]
