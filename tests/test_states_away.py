"""What waits for a reader while this process was stopped, at the moments that decide whether it is handed over."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from cli.output.pipe import SAID_WITHIN
from cli.output.states import StateQueue
from venues.records import Quote, Status

SINCE, UNTIL = 8.0, 32.0  # nobody looked between these


class Reader:
    """A reader that keeps up, of a process that was stopped."""

    room = 10

    def __init__(self) -> None:
        self.away: tuple[float, float] | None = None

    def is_slow(self) -> bool:
        return False


def quote(number: int) -> Quote:
    return Quote(venue="v", symbol="A", received=number, bid_price=Decimal(1))


LOST = Status(venue="v", stream="quotes", state="reconnecting", reason="mon was stopped", received=1)


@pytest.mark.parametrize(
    ("said", "now", "taken"),
    [
        (None, UNTIL, False),
        (None, UNTIL + SAID_WITHIN / 2, False),
        (None, UNTIL + SAID_WITHIN, True),
        (SINCE - 1, UNTIL, False),
        (SINCE, UNTIL, False),
        (SINCE + 0.5, UNTIL, True),
        (UNTIL, UNTIL, True),
    ],
)
def test_what_waits_is_from_before_until_it_is_said_which_lines_that_has_cost(
    said: float | None, now: float, taken: bool
) -> None:
    clock, reader = [0.0], Reader()
    queue = StateQueue(lambda: clock[0], reader=reader)
    expected: list[Any] = []
    if said is not None:
        clock[0] = said
        queue.put([LOST])
        expected.append(LOST)
    clock[0] = now
    queue.put([quote(1)])
    expected.append(quote(1))
    reader.away = (SINCE, UNTIL)
    assert queue.take() == (expected if taken else [])
    assert queue.waiting() == (0 if taken else len(expected))
    clock[0] = UNTIL + SAID_WITHIN
    assert queue.take() == ([] if taken else expected)


def test_who_was_never_away_gets_what_waits() -> None:
    queue = StateQueue(lambda: 0.0, reader=Reader())
    queue.put([quote(1)])
    assert queue.take() == [quote(1)]
