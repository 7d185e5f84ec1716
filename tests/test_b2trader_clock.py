"""How the clock of a B2TRADER stands to ours, by the times of the rows that change."""

from __future__ import annotations

from typing import Any

import pytest

from tests.lines import HANDSHAKE, Played, invoked
from tests.test_clock import HOUR, offsets, words
from tests.test_late_rows import b2trader_order, b2trader_row, changes


def orders(*before: dict[str, Any]) -> Played:
    return Played("b2trader", "orders", (), [HANDSHAKE, invoked(list(before))])


@pytest.mark.parametrize("skew", [HOUR, -HOUR, -3 * HOUR])
def test_rows_that_change_tell_how_the_clocks_differ(skew: int) -> None:
    line, told = orders(), list[Any]()
    for number in range(1, 8):
        told += line.receive(b2trader_order(number, number * 100 + skew), number * 100)
    assert offsets(told) == [skew]
    assert any("ages are told with that taken out" in text for text in words(told))
    assert [key for key, _ in changes(told)] == [str(number) for number in range(1, 8)]


def test_one_time_far_ahead_is_said_and_moves_no_clock() -> None:
    line = orders()
    line.receive(b2trader_order(1, 100), 100)
    told = line.receive(b2trader_order(2, 200 + HOUR), 200)
    assert [key for key, _ in changes(told)] == ["2"]
    assert ["nothing is moved by it" in text for text in words(told)] == [True]
    assert offsets(line.receive(b2trader_order(3, 300), 300)) == []


def test_a_first_state_and_rows_that_are_told_again_prove_no_clock() -> None:
    long_ago = [b2trader_row(number, number * 10 - HOUR) for number in range(8)]
    line, told = orders(*long_ago), list[Any]()
    for number in range(40):
        told += line.receive(invoked([long_ago[number % 8]]), number * 100)
    assert (offsets(told), words(told)) == ([], [])


def test_a_clock_outlives_a_connection() -> None:
    line = orders()
    for number in range(1, 8):
        line.receive(b2trader_order(number, number * 100 + HOUR), number * 100)
    line.reconnect()
    told = line.receive(b2trader_order(9, 900 + HOUR), 900)
    assert (changes(told), words(told)) == ([("9", "update")], [])
