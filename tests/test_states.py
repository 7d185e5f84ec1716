"""States for slow readers: turns, full states, the pace of a pipe; with a clock and a pipe that a test sets."""

from __future__ import annotations

import itertools
import os
import random
import select
from collections import deque
from decimal import Decimal
from typing import Any

import pytest

from cli.output import pipe as pipes
from cli.output.pipe import Pipe, paced, unread
from cli.output.states import LONGEST_WAIT, StateQueue
from cli.output.turns import Turns
from cli.run.freshness import Every, MaxAge
from tests.test_queues import Clock, at, book, states, status
from tests.test_slow_readers import needs_linux
from venues.records import Position, Record, SnapshotEnd, Status

ONE = Decimal(1)


def row(name: str, number: int, change: Any = "update") -> Position:
    return Position(
        venue="v", symbol=name, received=number, position_id=name, side="long", size=ONE, change=change
    )  # fmt: skip


def full(number: int, *names: str) -> list[Record]:
    """A full state."""
    end = SnapshotEnd(venue="v", received=number, stream="positions", count=len(names))
    return [*(row(name, number, "snapshot") for name in names), end]


def told(records: list[Any]) -> list[str]:
    """Short words: a row's name and number, `end` with its count, a status."""
    words = []
    for record in records:
        if isinstance(record, Status):
            words.append(record.state)
        elif isinstance(record, SnapshotEnd):
            words.append(f"end {record.count}")
        else:
            gone = "-" if record.change == "remove" else ""
            words.append(f"{gone}{record.symbol}{record.received}")
    return words


class Reader:
    """Whoever reads the lines, as a test wants it."""

    away: tuple[float, float] | None = None

    def __init__(self, room: int = 1, *, slow: bool = True) -> None:
        self.room = room
        self.slow = slow

    def is_slow(self) -> bool:
        return self.slow


def one_by_one(queue: StateQueue) -> list[Any]:
    taken: list[Any] = []
    while records := queue.take():
        taken += records
    return taken


# --- turns


def test_a_row_keeps_its_turn_and_takes_its_newest_value() -> None:
    queue = StateQueue(Clock(), reader=Reader())
    queue.put([row("a", 1), row("b", 2), row("c", 3)])
    assert told(queue.take()) == ["a1"]
    queue.put([row("a", 4), row("c", 5), row("b", 6), row("c", 7)])
    assert told(one_by_one(queue)) == ["b6", "c7", "a4"]


def test_no_row_is_left_behind_by_others_that_change_more_often() -> None:
    queue = StateQueue(Clock(), reader=Reader())
    names = [str(name) for name in range(50)]
    seen = []
    for number in range(200):
        queue.put([row("0", number), row("1", number), row(names[number % 50], number)])
        seen += told(queue.take())
    turns = [word for word in seen if word.startswith("7")]
    assert len(turns) >= 3, "each of 50 rows gets its turn in 50 lines"


def test_a_full_state_that_waits_is_that_of_the_moment_when_it_is_complete() -> None:
    queue = StateQueue(Clock(), reader=Reader())
    queue.put(full(1, "a", "b", "c"))
    assert told(queue.take()) == ["a1"]
    queue.put([row("b", 2), row("a", 3), row("c", 4, "remove"), row("d", 5)])
    came = one_by_one(queue)
    assert told(came) == ["b2", "end 2", "a3", "-c4", "d5"]
    assert came[0].change == "snapshot"


def test_a_full_state_that_is_begun_stays_one_when_its_reader_turns_out_to_be_slow() -> None:
    reader = Reader(slow=False)
    queue = StateQueue(Clock(), reader=reader)
    queue.put([status("live"), *full(1, "a", "b", "c")])
    assert told(queue.take() + queue.take()) == ["live", "a1"]
    reader.slow = True
    queue.put([row("b", 2)])
    assert told(one_by_one(queue)) == ["b2", "c1", "end 3"]


def test_full_states_that_come_faster_than_they_are_read_are_all_complete() -> None:
    queue = StateQueue(Clock(), reader=Reader())
    ends, since_end = 0, set()
    for number in range(100):
        queue.put(full(number, "a", "b", "c", "d"))
        for record in queue.take():
            if isinstance(record, SnapshotEnd):
                ends += 1
                assert (since_end, record.count) == ({"a", "b", "c", "d"}, 4)
                since_end = set()
            else:
                since_end.add(record.symbol)
                assert record.received == number, "the newest value"
    assert ends == 20


def test_what_a_newer_full_state_does_not_have_is_not_handed_over_any_more() -> None:
    queue = StateQueue(Clock(), reader=Reader())
    queue.put(full(1, "a", "b", "c"))
    assert told(queue.take()) == ["a1"]
    queue.put([row("x", 2)])
    queue.put(full(3, "c", "d"))
    assert told(one_by_one(queue)) == ["c3", "end 2", "c3", "d3", "end 2"]


def test_a_full_state_that_has_not_begun_is_replaced_by_a_newer_one() -> None:
    queue = StateQueue(Clock(), reader=Reader())
    queue.put(full(1, "a", "b"))
    queue.put(full(2, "b", "c"))
    queue.put(full(3))
    assert told(one_by_one(queue)) == ["end 0"]


def test_a_status_overtakes_states_that_it_makes_worthless() -> None:
    queue = StateQueue(Clock(), reader=Reader())
    queue.put([*full(1, "a", "b"), row("c", 2, "remove")])
    assert told(queue.take()) == ["a1"]
    queue.put([status("stale")])
    assert told(one_by_one(queue)) == ["-c2", "stale"]


def test_interruptions_that_are_over_before_they_could_be_read_do_not_pile_up() -> None:
    queue = StateQueue(Clock(), reader=Reader())
    queue.put([row("a", 0)])
    for number in range(100):
        queue.put([status("stale"), status("live"), row("a", number)])
    assert told(one_by_one(queue)) == ["stale", "live", "a99"]


def test_what_changes_after_a_status_waits_behind_it() -> None:
    queue = StateQueue(Clock(), reader=Reader())
    queue.put(full(1, "a", "b", "c"))
    assert told(queue.take()) == ["a1"]
    queue.put([status("live"), row("b", 2), row("d", 3), row("b", 4)])
    assert told(one_by_one(queue)) == ["c1", "end 2", "live", "b4", "d3"]
    queue.put([*full(5, "a", "b"), status("live"), *full(6, "b")])
    assert told(one_by_one(queue)) == ["b6", "end 1", "live", "b6", "end 1"]


@pytest.mark.parametrize("seed", range(30))
def test_at_any_rate_each_row_is_the_newest_when_its_turn_comes(seed: int) -> None:
    """Any order of changes, removals, full states and turns, against what was put."""
    draw = random.Random(seed)
    reader = Reader()
    queue = StateQueue(Clock(), reader=reader)
    newest: dict[str, Position] = {}
    removed: deque[Position] = deque()
    held: dict[str, Position] = {}  # what a reader that follows the lines believes
    since_end: dict[str, None] = {}
    for number in itertools.count(1):
        if number < 400:
            name = draw.choice("abcdef")
            kind = draw.random()
            if kind < 0.1:
                names = draw.sample("abcdef", draw.randrange(6))
                newest = {one: row(one, number, "snapshot") for one in names}
                queue.put(full(number, *names))
            elif kind < 0.2 and name in newest:
                gone = row(name, number, "remove")
                del newest[name]
                removed.append(gone)
                queue.put([gone])
            elif kind < 0.25:
                queue.put([status("live")])
            else:
                newest[name] = row(name, number)
                queue.put([newest[name]])
            if draw.random() < 0.4:
                continue
        reader.room = draw.choice((1, 1, 2))
        records = queue.take()
        for record in records:
            if isinstance(record, Status):
                continue
            if isinstance(record, SnapshotEnd):
                state = list(since_end)[len(since_end) - record.count :]
                assert len(state) == record.count
                held = {one: held[one] for one in state if one in held}
                since_end = {}
                continue
            assert isinstance(record, Position)
            since_end.pop(record.symbol or "", None)
            if record.change == "remove":
                assert record == removed.popleft()
                held.pop(record.symbol or "", None)
                continue
            assert record.received == newest[record.symbol or ""].received
            held[record.symbol or ""] = record
            since_end[record.symbol or ""] = None
        if not records and number >= 400:
            break
    assert {name: one.received for name, one in held.items()} == {n: one.received for n, one in newest.items()}
    assert not removed


def test_turns_count_what_waits() -> None:
    turns = Turns()
    turns.add([*full(1, "a", "b"), row("c", 2), status("live")])
    for left in (4, 3, 2, 1, 0):
        assert len(turns.take(1)) == 1
        assert len(turns) == left
    assert not turns


# --- a reader that keeps up


def test_a_reader_that_keeps_up_gets_all_in_pieces_as_large_as_it_reads() -> None:
    queue = StateQueue(Clock(), reader=Reader(3, slow=False))
    steps = [book(number) for number in range(8)]
    queue.put(steps)
    assert [len(queue.take()) for _ in range(4)] == [3, 3, 2, 0]
    queue.put(full(1, "a", "b", "c"))
    assert told(queue.take() + queue.take()) == ["a1", "b1", "c1", "end 3"]


def test_nobody_gets_what_has_waited_for_long() -> None:
    clock = Clock()
    queue = StateQueue(clock, reader=Reader(slow=False))
    queue.put([book(1), book(2)])
    clock.now += LONGEST_WAIT / 2
    assert queue.take() == [book(1)]
    queue.put([book(3)])
    clock.now += LONGEST_WAIT
    assert queue.take() == [book(3)]


# --- --max-age at the handing over


def test_a_row_that_got_old_while_it_waited_is_not_handed_over_and_the_stream_is_stale() -> None:
    clock, late = Clock(), []
    stage = MaxAge(1000, "positions", venue="v", env=None, symbol=None)
    stage.passes(status("live", "positions"), at(0))
    queue = StateQueue(clock, reader=Reader(), good_until=stage.good_until, on_late=late.append)
    for number, name in enumerate("ab"):
        clock.now = number / 2
        queue.put([one for one in stage.passes(row(name, number), at(clock.now)) if isinstance(one, Record)])
    clock.now = 1.2
    assert queue.take() == []
    assert told(late) == ["a0"]
    (said,) = stage.came_late(at(1.2))
    assert isinstance(said, Status)
    assert said.state == "stale"
    assert stage.came_late(at(1.2)) == [], "said once"
    assert told(queue.take()) == ["b1"]
    assert states(stage.passes(row("c", 3), at(1.3))) == ["live", 3]


def test_what_was_confirmed_may_be_handed_over_for_longer() -> None:
    from venues.venue import Confirmed

    stage = MaxAge(1000, "positions", venue="v", env=None, symbol=None)
    stage.passes(status("live", "positions"), at(0))
    stage.passes(row("a", 1), at(0))
    assert stage.good_until(row("a", 1)) == 1.0
    stage.passes(Confirmed("positions"), at(0.8))
    assert stage.good_until(row("a", 1)) == 1.8
    assert stage.good_until(row("b", 1)) is None


# --- --every


def test_every_lets_no_end_pass_before_its_rows() -> None:
    stage = Every(1000)
    assert told(stage.passes(full(1, "a", "b"), at(0))) == ["a1", "b1", "end 2"]
    assert told(stage.passes([row("a", 2)], at(0.4))) == []
    assert told(stage.passes(full(3, "a", "b"), at(0.5))) == []
    assert told(stage.passes([row("b", 4), row("c", 5)], at(0.6))) == ["c5"], "c is not of that state"
    assert stage.deadline() == 1.0
    assert told(stage.tick(at(1.0))) == ["a3", "b4", "end 2"]
    assert stage.deadline() is None


def test_every_lets_full_states_pass_however_often_they_come() -> None:
    stage = Every(1000)
    passed = [
        (step, told(came))
        for step in range(40)
        if (came := [*stage.tick(at(step / 10)), *stage.passes(full(step, "a", "b"), at(step / 10))])
    ]
    assert passed == [(step, [f"a{max(0, step - 1)}", f"b{max(0, step - 1)}", "end 2"]) for step in (0, 10, 20, 30)]


def test_every_lets_nothing_overtake_its_own_row() -> None:
    stage = Every(1000)
    stage.passes(full(1, "a", "b"), at(0))
    stage.passes([row("c", 2)], at(0.5))
    assert told(stage.passes(full(3, "a", "c"), at(0.6))) == []
    assert told(stage.passes([row("a", 4, "remove")], at(0.7))) == ["-a4"]
    assert stage.deadline() == 1.5
    assert told(stage.rest()) == ["c3", "end 1"]


def test_every_lets_an_empty_state_pass_once_in_its_time() -> None:
    stage = Every(1000)
    assert told(stage.passes(full(1), at(0))) == ["end 0"]
    assert told(stage.passes(full(2), at(0.5))) == []
    assert told(stage.tick(at(1))) == ["end 0"]


def test_every_drops_a_full_state_that_is_not_current_any_more() -> None:
    stage = Every(1000)
    stage.passes(full(1, "a"), at(0))
    stage.passes(full(2, "a"), at(0.5))
    assert told(stage.passes([status("stale")], at(0.6))) == ["stale"]
    assert stage.deadline() is None
    assert stage.rest() == []


def test_an_end_without_its_rows_comes_after_what_waits() -> None:
    stage = Every(1000)
    stage.passes([row("a", 1)], at(0))
    stage.passes([row("a", 2)], at(0.1))
    assert told(stage.passes([full(3, "a", "b")[-1]], at(0.2))) == ["a2", "end 2"]


# --- the pipe


class Ends:
    """A real pipe and a clock for it."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()
        self.clock = Clock()
        found = paced(self.writer, beside=2)
        assert found is not None
        self.pipe = Pipe(self.writer, clock=self.clock)

    def write(self, lines: int, *, more_wait: bool) -> None:
        self.pipe.hand_over(lines, more_wait=more_wait)
        self.pipe.handed_over(os.write(self.writer, b"x\n" * lines))

    def read_after(self, seconds: float) -> None:
        """The reader takes everything after a time in which we look again and again."""
        for _ in range(10):
            assert not self.pipe.is_empty()
            self.clock.now += seconds / 10
        self.pipe.is_empty()
        while unread(self.reader):
            os.read(self.reader, 65536)
        assert self.pipe.is_empty()

    def is_writable(self) -> bool:
        poll = select.poll()
        poll.register(self.writer, select.POLLOUT)
        return bool(poll.poll(0))


@pytest.fixture
def ends() -> Any:
    made = Ends()
    yield made
    os.close(made.reader)
    os.close(made.writer)


@needs_linux
def test_the_kernel_tells_when_everything_was_read(ends: Ends) -> None:
    assert ends.pipe.is_empty()
    ends.write(1, more_wait=False)
    assert unread(ends.writer) == 2
    assert ends.pipe.watched()[0] == select.POLLOUT
    assert not ends.is_writable()
    assert os.read(ends.reader, 1) == b"x"
    assert not ends.is_writable()
    assert not ends.pipe.is_empty()
    assert os.read(ends.reader, 1) == b"\n"
    assert ends.is_writable()
    assert ends.pipe.is_empty()


@needs_linux
def test_a_reader_of_one_line_a_second_never_gets_two_at_once(ends: Ends) -> None:
    for number in range(20):
        ends.write(1, more_wait=True)
        ends.read_after(0.001 if number in (0, 10) else 1.0)
        assert ends.pipe.room == 1


@needs_linux
def test_a_reader_that_only_waits_for_rare_lines_has_shown_nothing(ends: Ends) -> None:
    for _ in range(20):
        ends.write(1, more_wait=False)
        ends.read_after(0.001)
        assert ends.pipe.room == 1
        ends.clock.now += 2


@needs_linux
def test_a_reader_shows_it_with_two_lines_also_after_a_while_in_which_none_came(ends: Ends) -> None:
    ends.clock.now += pipes.REMEMBERED + 1
    rooms = []
    for _ in range(pipes.PROOFS):
        ends.write(1, more_wait=True)
        ends.read_after(0.01)
        rooms.append(ends.pipe.room)
    assert rooms == [1, pipes.GROWTH]


@needs_linux
def test_a_reader_that_reads_in_time_gets_more_and_more_at_once(ends: Ends) -> None:
    rooms = []
    for _ in range(6):
        ends.write(ends.pipe.room, more_wait=True)
        ends.read_after(0.2)
        rooms.append(ends.pipe.room)
    assert rooms == [1, 4, 16, 64, 256, 1024]
    ends.write(1024, more_wait=True)
    ends.read_after(pipes.PATIENCE + 0.05)
    assert ends.pipe.room == 1
    assert ends.pipe.is_slow()
    ends.write(1, more_wait=True)
    ends.read_after(0.01)
    assert not ends.pipe.is_slow()


@needs_linux
def test_what_a_reader_has_shown_is_forgotten(ends: Ends) -> None:
    for _ in range(4):
        ends.write(ends.pipe.room, more_wait=True)
        ends.read_after(0.01)
    assert ends.pipe.room == 64
    for _ in range(3):
        ends.clock.now += pipes.REMEMBERED
        ends.write(2, more_wait=False)
        ends.read_after(0.01)
    assert ends.pipe.room == 2


@needs_linux
def test_what_lies_unread_makes_its_reader_slow_before_it_is_read(ends: Ends) -> None:
    ends.write(1, more_wait=True)
    assert not ends.pipe.is_slow()
    ends.clock.now += pipes.PATIENCE + 0.01
    assert ends.pipe.is_slow()


@needs_linux
def test_that_we_look_late_is_not_the_readers_fault(ends: Ends) -> None:
    ends.write(1, more_wait=True)
    os.read(ends.reader, 10)
    ends.clock.now += 5
    assert not ends.pipe.is_slow()
    assert ends.pipe.is_empty()
    assert not ends.pipe.is_slow()


@needs_linux
@pytest.mark.parametrize("loop", ["says that mon was stopped", "says it before we look", "says nothing"])
def test_what_waits_while_mon_is_stopped_is_not_handed_over_before_somebody_says_so(ends: Ends, loop: str) -> None:
    queue = StateQueue(ends.clock, reader=ends.pipe)
    lost = Status(venue="v", stream="quotes", state="reconnecting", reason="mon was stopped", received=1)
    assert ends.pipe.is_empty()
    queue.put([row("a", 1)])
    ends.clock.now += pipes.LONGEST_ABSENCE + 1  # nobody looks: SIGSTOP, or a laptop that sleeps
    if loop == "says it before we look":
        queue.put([lost])
    assert ends.pipe.is_empty()
    if loop != "says it before we look":
        assert queue.take() == [], "the loop has not had its turn yet"
        assert queue.waiting() == 1
    if loop == "says that mon was stopped":
        queue.put([lost])
    if loop != "says nothing":
        assert queue.take() == [lost]
        return
    ends.clock.now += pipes.SAID_WITHIN
    assert ends.pipe.is_empty()
    assert queue.take() == [row("a", 1)], "the line was not down, so what waits is still good"


@needs_linux
def test_the_pipe_has_its_size_back_afterwards_and_for_who_reads_much_at_once() -> None:
    import fcntl

    reader, writer = os.pipe()
    before = fcntl.fcntl(writer, fcntl.F_GETPIPE_SZ)
    clock = Clock()
    pipe = Pipe(writer, clock=clock)
    assert fcntl.fcntl(writer, fcntl.F_GETPIPE_SZ) == os.sysconf("SC_PAGESIZE")
    for _ in range(2):
        pipe.hand_over(1, more_wait=True)
        pipe.handed_over(os.write(writer, b"x\n"))
        os.read(reader, 10)
        assert pipe.is_empty()
    assert pipe.room > 1
    assert fcntl.fcntl(writer, fcntl.F_GETPIPE_SZ) == before
    pipe.close()
    assert fcntl.fcntl(writer, fcntl.F_GETPIPE_SZ) == before
    os.close(reader)
    os.close(writer)


@needs_linux
def test_while_nothing_is_known_of_the_size_of_lines_there_is_room_for_one(ends: Ends) -> None:
    for _ in range(pipes.PROOFS + 1):
        ends.pipe.hand_over(1, more_wait=True)
        assert ends.pipe.is_empty()
    assert ends.pipe.room == 1
    ends.pipe.hand_over(1, more_wait=True)
    ends.pipe.handed_over(2)
    assert ends.pipe.is_empty()
    assert ends.pipe.room == pipes.GROWTH


@needs_linux
def test_a_pipe_that_carries_words_too_keeps_its_size(ends: Ends) -> None:
    shared = paced(ends.writer, beside=ends.writer)
    assert shared is not None
    shared.hand_over(1, more_wait=False)
    events, seconds = shared.watched()
    assert (events, seconds) == (0, pipes.SHORTEST_LOOK)
    assert [shared.watched()[1] for _ in range(9)][-1] == pipes.LONGEST_LOOK


def test_what_is_no_pipe_is_not_paced(tmp_path: Any) -> None:
    with (tmp_path / "file").open("wb") as file:
        assert paced(file.fileno(), beside=2) is None
        assert unread(file.fileno()) is None
