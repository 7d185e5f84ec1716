"""What waits in turns: how many statuses, and what of a full state is on which side of a status."""

from __future__ import annotations

from typing import Any

import pytest

from cli.output import turns
from cli.output.turns import Turns
from tests.test_symbol_states import end, quote, status, told


@pytest.mark.parametrize(("count", "kept"), [(2, [0, 1]), (3, [0, 1, 2]), (4, [1, 2, 3]), (9, [6, 7, 8])])
@pytest.mark.parametrize("several", [False, True])
def test_so_many_statuses_are_kept_and_the_oldest_go(
    several: bool, count: int, kept: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "MOST_STATUSES", 3)
    waiting = Turns(several=several)
    for number in range(count):
        waiting.add([status("stale", reason=str(number))])
    assert len(waiting) == len(kept)
    assert [one.reason for one in waiting.take()] == [str(number) for number in kept]  # type: ignore[union-attr]


A1, B1, A2, B2 = quote("A", 1), quote("B", 1), quote("A", 2), quote("B", 2)


@pytest.mark.parametrize(
    ("state", "said", "then", "came"),
    [
        ([A1, B1, end(2)], status("live", "B"), [A2, B2], "end 0, B live, A2, B2"),
        ([A1, B1, end(2)], status("live", "B"), [A2], "B1, end 1, B live, A2"),
        ([A1, B1, end(2)], status("live", "C"), [A2], "A2, B1, end 2, C live"),
        ([A1, B1, end(2)], status("live"), [A2], "B1, end 1, all live, A2"),
        ([A1, B1, end(2)], status("live", "B"), [A2, B2, end(2)], "A2, B2, end 2, B live, A2, B2, end 2"),
        ([A1, B1], status("live", "B"), [A2, B2], "A2, B live, B2"),
        ([A1, B1], status("live"), [A2, B2], "all live, A2, B2"),
        ([A1, B1], status("live", "C"), [A2, B2], "A2, B2, C live"),
    ],
)
def test_nothing_moves_from_one_side_of_a_status_of_its_symbol_to_the_other(
    state: list[Any], said: Any, then: list[Any], came: str
) -> None:
    waiting = Turns(several=True)
    for records in (state, [said], then):
        waiting.add(records)
    assert told(waiting.take()) == came.split(", ")


def test_a_status_of_all_is_after_one_of_a_symbol_for_that_symbol_too() -> None:
    waiting = Turns(several=True)
    for records in ([status("live", "A")], [A1], [status("live")], [A2], [status("live", "A")], [quote("A", 3)]):
        waiting.add(records)
    assert told(waiting.take()) == ["A live", "all live", "A live", "A3"]


def test_a_full_state_that_is_not_begun_is_replaced_at_its_place() -> None:
    waiting = Turns()
    waiting.add([A1, B1, end(2)])
    waiting.add([status("live")])
    waiting.add([A2, B2, end(2)])
    waiting.add([quote("A", 3), end(1)])
    assert told(waiting.take(1)) == ["A3"]
    waiting.add([quote("A", 4), quote("B", 4), end(2)])
    waiting.add([quote("A", 5), quote("B", 5), end(2)])
    assert told(waiting.take()) == ["end 1", "all live", "A5", "B5", "end 2"]
