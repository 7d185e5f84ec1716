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
from venues.records import Record, State, Status, Trade

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


def limited(monkeypatch: pytest.MonkeyPatch, records: int) -> None:
    """So many records are as heavy as may wait in memory, and their number is no matter."""
    monkeypatch.setattr(queues, "HEAVIEST", records * queues.weight(trade(0)))
    monkeypatch.setattr(queues, "MOST_EVENTS", 1_000)


class Disk:
    """Makes the temporary files of a queue, and may be full."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, is_full: bool = False) -> None:
        monkeypatch.setattr(queues.tempfile, "TemporaryFile", lambda **given: self.made())
        self.is_full = is_full
        self.tries = 0  # of a write
        self.places: list[list[int]] = []  # those that are looked up in each file

    def made(self) -> io.BytesIO:
        places: list[int] = []
        self.places.append(places)

        class File(io.BytesIO):
            def seek(self, at: int, whence: int = 0) -> int:
                places.append(at)
                return super().seek(at, whence)

            def write(_, data: Any) -> int:  # type: ignore[override]  # noqa: N805
                self.tries += 1
                return full() if self.is_full else super().write(data)

        return File()


def test_what_has_gone_to_a_file_weighs_no_more_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    limited(monkeypatch, 4)
    disk, queue = Disk(monkeypatch), EventQueue()
    written = []
    for number in range(15):
        queue.put([trade(number)])
        written.append(disk.tries)
    assert written == [0, 0, 0, 0, 2, 2, 2, 2, 2, 4, 4, 4, 4, 4, 6], "the fifth is one too heavy, and a batch has four"
    assert taken(queue) == trades(0, 15)


def test_what_was_taken_out_of_memory_in_batches_weighs_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    limited(monkeypatch, 9)
    disk, queue = Disk(monkeypatch), EventQueue()
    queue.put(trades(0, 9))
    assert queue.take() == trades(0, 4)
    queue.put(trades(9, 13))
    assert (disk.tries, queue.waiting()) == (0, 9)
    queue.put(trades(13, 14))
    assert disk.tries == 3
    assert taken(queue) == trades(4, 14)


def test_each_file_is_written_and_read_from_its_start(monkeypatch: pytest.MonkeyPatch) -> None:
    disk, queue = Disk(monkeypatch), EventQueue()
    for _ in range(2):
        queue.put(trades(0, 11))
        assert taken(queue) == trades(0, 11)
    first, second = disk.places
    assert first == second
    assert [place for place in first if place == 0] == [0, 0], "once for writing, and once for reading"


def test_a_full_disk_is_tried_again_when_a_quarter_more_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    limited(monkeypatch, 20)
    disk, queue = Disk(monkeypatch, is_full=True), EventQueue()
    tries = []
    for number in range(33):
        queue.put([trade(number)])
        tries.append(disk.tries)
    assert tries == [*[0] * 20, *[1] * 6, *[2] * 6, 3]
    assert queue.trouble == "what waits for a slow reader is kept in memory: No space left on device"
    assert taken(queue) == trades(0, 33)


def test_a_disk_that_has_room_again_is_used_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    limited(monkeypatch, 20)
    disk, queue = Disk(monkeypatch, is_full=True), EventQueue()
    queue.put(trades(0, 30))
    disk.is_full = False
    queue.put(trades(30, 35))
    assert disk.tries == 1, "there is a quarter more only with the next"
    queue.put(trades(35, 36))
    assert disk.tries == 1 + 9
    queue.put(trades(36, 57))
    assert disk.tries == 10 + 6, "as if it had never been full"
    assert taken(queue) == trades(0, 57)


def test_a_full_disk_is_tried_at_once_after_all_was_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    limited(monkeypatch, 20)
    monkeypatch.setattr(queues, "BATCH", 30)
    disk, queue = Disk(monkeypatch, is_full=True), EventQueue()
    queue.put(trades(0, 30))
    assert queue.take() == trades(0, 30)
    queue.put(trades(30, 50))
    assert disk.tries == 1
    queue.put(trades(50, 51))
    assert disk.tries == 2


def gap(count: int) -> Record:
    return Status(venue="v", received=0, stream="trades", state="stale", reason=f"{count} left out")


@pytest.mark.parametrize(("count", "left"), [(40, []), (41, [gap(21)]), (60, [gap(40)])])
def test_twice_as_much_as_may_wait_is_kept_without_a_disk(
    count: int, left: list[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    limited(monkeypatch, 20)
    Disk(monkeypatch, is_full=True)
    queue = EventQueue(gap)
    queue.put(trades(0, count))
    kept = trades(count - 20, count) if left else trades(0, count)
    assert taken(queue) == [*left, *kept]


def test_a_gap_is_told_before_all_that_is_kept_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    limited(monkeypatch, 20)
    disk, queue = Disk(monkeypatch, is_full=True), EventQueue(gap)
    queue.put(trades(0, 41))
    disk.is_full = False
    queue.put(trades(41, 61))
    assert queue.trouble == f"21 records are left out: {queues.WHY}"
    queue.put(trades(61, 62))
    assert queue.trouble == f"42 records are left out: {queues.WHY}", "twice as much and one more, again"
    assert disk.tries == 1, "nothing that follows upon the gap is in a file, from where it would come before it"
    assert queue.take() == [gap(42), *trades(42, 62)], "in one batch"
    assert queue.take() == []
    queue.put(trades(62, 65))
    assert queue.take() == trades(62, 65), "it is told once"


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


@pytest.mark.parametrize(("more", "kept"), [(0, 8), (-1, 3)])
def test_what_was_taken_for_a_table_weighs_no_more(more: int, kept: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queues, "HEAVIEST", 8 * queues.weight(trade(0)) + more)
    queue = LatestEvents()
    for _ in range(3):
        queue.put(trades(0, 8))
        assert [one for one in queue.take() if isinstance(one, Trade)] == trades(8 - kept, 8)
