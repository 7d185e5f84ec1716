"""What waits for a slow reader: batches, the file beside them, and what is left out when there is no room."""

from __future__ import annotations

import errno
import io
from decimal import Decimal
from typing import Any

import pytest

from cli.output import queues
from cli.output.lines import Skipped
from cli.output.queues import EventQueue, LatestEvents
from venues.records import State, Status, Trade

ONE = Decimal(1)


def trade(number: int) -> Trade:
    return Trade(venue="v", received=number, price=ONE, size=ONE, side="buy")


def status(state: State) -> Status:
    return Status(venue="v", received=0, stream="trades", state=state)


def trades(first: int, end: int) -> list[Trade]:
    return [trade(number) for number in range(first, end)]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten records in memory, and four at once."""
    monkeypatch.setattr(queues, "MOST_EVENTS", 10)
    monkeypatch.setattr(queues, "BATCH", 4)


def taken(queue: EventQueue) -> list[Any]:
    found: list[Any] = []
    while records := queue.take():
        found += records
    return found


def test_a_file_that_was_read_to_its_end_is_begun_anew() -> None:
    queue = EventQueue()
    for first in (0, 100, 200):
        queue.put(trades(first, first + 25))
        assert queue.waiting() == 25
        assert queue.take() == trades(first, first + 4)
        assert queue.waiting() == 21
        assert taken(queue) == trades(first + 4, first + 25)
        assert (queue.waiting(), queue.trouble) == (0, None)


def test_what_comes_while_a_file_is_read_is_behind_it() -> None:
    queue, got = EventQueue(), []
    queue.put(trades(0, 12))
    for number in range(12, 60):
        got += queue.take()[:]
        queue.put([trade(number)])
    assert got + taken(queue) == trades(0, 60)
    assert queue.waiting() == 0


@pytest.mark.parametrize(("count", "in_file"), [(10, False), (11, True)])
def test_so_many_are_kept_in_memory(count: int, in_file: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    temporary = queues.tempfile.TemporaryFile
    monkeypatch.setattr(queues.tempfile, "TemporaryFile", lambda **given: made.append(given) or temporary(**given))
    queue = EventQueue()
    queue.put(trades(0, count))
    assert made == ([{"prefix": "mon-", "buffering": 0}] if in_file else [])
    assert queue.waiting() == count
    assert taken(queue) == trades(0, count)


def test_a_batch_has_so_many_records_and_weighs_so_much(monkeypatch: pytest.MonkeyPatch) -> None:
    records = trades(0, 6)
    each = queues.weight(records[0])
    assert queues._batch(records) == (4, 4 * each)
    assert queues._batch(records[:2]) == (2, 2 * each)
    monkeypatch.setattr(queues, "HEAVIEST_BATCH", 2 * each)
    assert queues._batch(records) == (2, 2 * each)
    monkeypatch.setattr(queues, "HEAVIEST_BATCH", 2 * each - 1)
    assert queues._batch(records) == (1, each)
    monkeypatch.setattr(queues, "HEAVIEST_BATCH", 0)
    assert queues._batch(records) == (1, each), "one at least"


@pytest.mark.parametrize(("heaviest", "kept"), [(0, 0), (599, 0), (600, 1), (1_799, 2), (1_800, 3), (9_999, 3)])
def test_as_many_of_the_last_are_kept_as_weigh_so_much(heaviest: int, kept: int) -> None:
    assert queues.weight(trade(0)) == 600
    assert queues._latest(trades(0, 3), heaviest) == trades(3 - kept, 3)


class Slow(io.BytesIO):
    """A file that takes nothing at every second write, and else a third."""

    def __init__(self) -> None:
        super().__init__()
        self._writes = 0

    def write(self, data: Any) -> int | None:  # type: ignore[override]
        self._writes += 1
        return super().write(data[: len(data) // 3 + 1]) if self._writes % 2 else None


def test_a_file_may_take_its_records_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queues.tempfile, "TemporaryFile", lambda **given: Slow())
    queue = EventQueue()
    for first in (0, 11, 22):
        queue.put(trades(first, first + 11))
    assert (queue.waiting(), queue.trouble) == (33, None)
    assert taken(queue) == trades(0, 33)


def full(*_: Any, **__: Any) -> Any:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_without_room_on_the_disk_records_are_kept_in_memory_and_later_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    each = queues.weight(trade(0))
    monkeypatch.setattr(queues, "HEAVIEST", 20 * each)
    monkeypatch.setattr(queues.tempfile, "TemporaryFile", full)
    queue = EventQueue()
    queue.put(trades(0, 40))
    assert queue.waiting() == 40, "twice as much may be kept then"
    assert queue.trouble == "what waits for a slow reader is kept in memory: No space left on device"
    queue.put(trades(40, 60))
    assert queue.trouble == f"40 records are left out: {queues.WHY}"
    found = taken(queue)
    assert [one for one in found if isinstance(one, Trade)] == trades(40, 60)


# --- for a table


def test_a_table_keeps_ten_or_the_later_half() -> None:
    queue = LatestEvents()
    queue.put(trades(0, 10))
    assert queue.waiting() == 10
    queue.put([trade(10)])
    assert queue.take() == [Skipped(6), *trades(6, 11)]
    queue.put(trades(0, 10))
    assert queue.take() == trades(0, 10), "there is room again"


def test_statuses_are_not_left_out_and_not_counted() -> None:
    queue = LatestEvents()
    queue.put([status("live"), *trades(0, 8), status("stale"), trade(8)])
    assert queue.take() == [status("live"), Skipped(5), *trades(5, 8), status("stale"), trade(8)]
    queue.put([*trades(0, 11), *trades(0, 11)])
    assert queue.take()[0] == Skipped(17)


def test_a_table_keeps_half_of_what_may_wait_by_weight(monkeypatch: pytest.MonkeyPatch) -> None:
    each = queues.weight(trade(0))
    monkeypatch.setattr(queues, "HEAVIEST", 8 * each)
    queue = LatestEvents()
    queue.put(trades(0, 8))
    assert queue.waiting() == 8
    queue.put([trade(8)])
    assert queue.take() == [Skipped(5), *trades(5, 9)]
