"""How fast the reader of a pipe is, at the bounds: patience, rooms, absence, and the size of the pipe."""

from __future__ import annotations

import fcntl
import os
import select
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.output import pipe as pipes
from cli.output.pipe import Pipe, paced, unread
from tests.test_slow_readers import needs_linux

pytestmark = needs_linux
PAGE = os.sysconf("SC_PAGESIZE")
BEGIN = 64.0  # seconds; the steps below are sums of halves, so nothing is rounded


class Ends:
    """A real pipe with a clock for it."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()
        self.size = self.present_size()
        self.now = BEGIN
        self.pipe = Pipe(self.writer, clock=lambda: self.now)

    def present_size(self) -> int:
        return fcntl.fcntl(self.writer, fcntl.F_GETPIPE_SZ)

    def write(self, lines: int = 1, *, more_wait: bool = True, size: int | None = None) -> None:
        self.pipe.hand_over(lines, more_wait=more_wait)
        os.write(self.writer, b"x")
        self.pipe.handed_over(2 * lines if size is None else size)

    def read(self, *, after: float = 0.0) -> None:
        """The reader takes all that lies there, and we looked just before."""
        self.now += after
        assert not self.pipe.is_empty()
        os.read(self.reader, 65_536)
        assert self.pipe.is_empty()


@pytest.fixture
def ends() -> Iterator[Ends]:
    made = Ends()
    yield made
    os.close(made.reader)
    os.close(made.writer)


@pytest.mark.parametrize(("seconds", "slow"), [(0.0, False), (pipes.PATIENCE, False), (pipes.PATIENCE + 0.125, True)])
def test_a_reader_has_patience_whole_also_when_it_has_read(ends: Ends, seconds: float, slow: bool) -> None:
    assert not ends.pipe.is_slow()
    ends.write()
    ends.now += seconds
    assert ends.pipe.is_slow() is slow
    ends.read()
    assert ends.pipe.is_slow() is slow
    ends.write()
    assert ends.pipe.is_slow() is slow, "until it has read in time"
    ends.read()
    assert not ends.pipe.is_slow()


def test_what_was_read_since_we_looked_is_no_fault_of_the_reader(ends: Ends) -> None:
    ends.write()
    ends.now += pipes.PATIENCE
    assert not ends.pipe.is_empty()
    os.read(ends.reader, 10)
    ends.now += 3
    assert not ends.pipe.is_slow()
    assert ends.pipe.is_empty()
    assert not ends.pipe.is_slow()


# --- how many lines at once


def test_two_proofs_make_room_for_four_times_as_many_each_time(ends: Ends) -> None:
    rooms = []
    for _ in range(4):
        ends.write(ends.pipe.room)
        ends.read(after=0.125)
        rooms.append(ends.pipe.room)
    assert rooms == [1, 4, 16, 64]
    ends.write(1)
    ends.read(after=0.125)
    assert ends.pipe.room == 64, "fewer lines prove nothing against it"
    ends.write(64, more_wait=False)
    ends.read(after=0.125)
    assert ends.pipe.room == 64, "nobody wants more"
    ends.write(64)
    ends.read(after=pipes.PATIENCE + 0.125)
    assert ends.pipe.room == 1
    ends.write()
    ends.read()
    assert ends.pipe.room == 1, "it begins anew"
    ends.write()
    ends.read()
    assert ends.pipe.room == pipes.GROWTH


@pytest.mark.parametrize(
    ("seconds", "most"), [(pipes.AT_ONCE / 2, pipes.MOST_OF_FLOOD), (pipes.AT_ONCE, pipes.MOST_BYTES), (0.125, 65_536)]
)
def test_there_is_room_for_so_many_bytes_at_most(ends: Ends, seconds: float, most: int) -> None:
    """More for a reader that takes them at once."""
    ends.now = 0.0  # so that the seconds are exact
    for _ in range(9):
        ends.write(ends.pipe.room, size=ends.pipe.room * 512)
        begun = ends.now
        ends.read(after=seconds)
        ends.now = begun if seconds < 0.125 else ends.now
    assert ends.pipe.room == most // 512


@pytest.mark.parametrize(("size", "room"), [(0, 1), (200_000, 1), (65_536, 1), (32_768, 2), (20_000, 3)])
def test_there_is_room_for_one_line_at_least_however_long_it_is(ends: Ends, size: int, room: int) -> None:
    for _ in range(2):
        ends.write(1, size=size)
        ends.read(after=0.125)
    assert ends.pipe.room == room


def test_lines_of_different_length_count_by_their_mean(ends: Ends) -> None:
    for _ in range(2):
        ends.write(4, size=40_000)
        ends.read(after=0.125)
    assert ends.pipe.room == 6
    ends.write(0, size=40_000)
    ends.read(after=0.125)
    assert ends.pipe.room == 1


@pytest.mark.parametrize(("seconds", "room"), [(pipes.REMEMBERED, 4), (pipes.REMEMBERED + 0.5, 2)])
def test_after_a_while_there_is_room_for_what_was_read_in_it(ends: Ends, seconds: float, room: int) -> None:
    for _ in range(2):
        ends.write()
        ends.read()
    ends.now = BEGIN + 0.5
    ends.write(2, more_wait=False)
    ends.read()
    ends.now = BEGIN + seconds
    ends.write(1, more_wait=False)
    ends.read()
    assert ends.pipe.room == room


def test_each_period_counts_by_itself(ends: Ends) -> None:
    for _ in range(3):
        ends.write(ends.pipe.room)
        ends.read()
    assert ends.pipe.room == 16
    rooms = []
    for lines in (8, 5, 1, 1):
        ends.now += 0.5
        ends.write(lines, more_wait=False)
        ends.read()
        ends.now += 1.0
        ends.write(1, more_wait=False)
        ends.read()
        rooms.append(ends.pipe.room)
    assert rooms == [8, 5, 1, 1]


def test_a_reader_that_is_down_to_one_line_has_to_prove_itself_anew(ends: Ends) -> None:
    for _ in range(2):
        ends.write()
        ends.read()
    ends.now += pipes.REMEMBERED + 1
    ends.write(1, more_wait=False)
    ends.read()
    assert ends.pipe.room == 1
    ends.write()
    ends.read()
    assert ends.pipe.room == 1
    ends.write()
    ends.read()
    assert ends.pipe.room == pipes.GROWTH


def test_a_reader_that_is_down_to_two_lines_has_proved_itself(ends: Ends) -> None:
    for _ in range(2):
        ends.write()
        ends.read()
    ends.now += pipes.REMEMBERED + 1
    ends.write(2, more_wait=False)
    ends.read()
    assert ends.pipe.room == 2
    ends.write(2)
    ends.read()
    assert ends.pipe.room == 2 * pipes.GROWTH


def test_a_pipe_has_its_size_back_as_soon_as_there_is_room_for_two_lines(ends: Ends) -> None:
    sizes = []
    for _ in range(pipes.PROOFS):
        ends.write(size=pipes.MOST_BYTES // 2)
        ends.read(after=0.125)
        sizes.append((ends.pipe.room, ends.present_size()))
    assert sizes == [(1, PAGE), (2, ends.size)]


# --- when nobody looked


@pytest.mark.parametrize("seconds", [pipes.LONGEST_ABSENCE, pipes.LONGEST_ABSENCE + 0.5])
def test_who_did_not_look_for_long_was_away(ends: Ends, seconds: float) -> None:
    assert ends.pipe.is_empty()
    assert ends.pipe.away is None
    ends.now += 0.5
    assert ends.pipe.is_empty()
    ends.now += seconds
    assert ends.pipe.is_empty()
    away = None if seconds == pipes.LONGEST_ABSENCE else (BEGIN + 0.5, BEGIN + 0.5 + seconds)
    assert ends.pipe.away == away
    ends.now += 0.5
    assert ends.pipe.is_empty()
    assert ends.pipe.away == away


def test_the_first_look_may_be_late_too(ends: Ends) -> None:
    ends.now += 9
    assert ends.pipe.is_empty()
    assert ends.pipe.away == (BEGIN, BEGIN + 9)


# --- what to wait for


def test_what_to_wait_for(ends: Ends) -> None:
    """A small pipe wakes us; of a larger one we look again, later and later, and soon again once it was read."""
    assert ends.pipe.watched() == (0, pipes.LOOK_EVERY)
    ends.write()
    assert ends.pipe.watched() == (select.POLLOUT, pipes.LOOK_EVERY)
    ends.read()
    assert ends.pipe.watched() == (0, pipes.LOOK_EVERY)
    ends.write()
    ends.read()
    looks = [0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.02, 0.02]
    for _ in range(2):
        ends.write(2)
        assert [ends.pipe.watched() for _ in looks] == [(0, look) for look in looks]
        ends.read()


# --- its size


def test_a_pipe_is_small_while_lines_go_one_by_one(ends: Ends) -> None:
    assert ends.present_size() == PAGE
    ends.write()
    ends.read()
    assert ends.present_size() == PAGE
    ends.write()
    ends.read()
    assert (ends.pipe.room, ends.present_size()) == (pipes.GROWTH, ends.size)
    ends.write(2)
    ends.read(after=1)
    assert (ends.pipe.room, ends.present_size()) == (1, PAGE)
    ends.pipe.close()
    assert ends.present_size() == ends.size
    fcntl.fcntl(ends.writer, fcntl.F_SETPIPE_SZ, 2 * PAGE)
    ends.pipe.close()
    assert ends.present_size() == 2 * PAGE, "what is not ours is left as it is"


def test_a_pipe_that_cannot_be_made_small_yet_is_when_it_was_read() -> None:
    reader, writer = os.pipe()
    os.write(writer, b"x" * 2 * PAGE)
    pipe = Pipe(writer)
    pipe.hand_over(1, more_wait=False)
    assert pipe.watched() == (0, pipes.SHORTEST_LOOK)
    os.read(reader, 65_536)
    assert pipe.is_empty()
    pipe.hand_over(1, more_wait=False)
    assert pipe.watched() == (select.POLLOUT, pipes.LOOK_EVERY)
    os.close(reader)
    os.close(writer)


def test_who_was_woken_too_early_looks_from_then_on(ends: Ends) -> None:
    ends.write()
    ends.pipe.woke_early()
    assert ends.present_size() == ends.size
    assert ends.pipe.watched() == (0, pipes.SHORTEST_LOOK)
    ends.read(after=1)
    assert ends.present_size() == ends.size
    ends.pipe.close()
    assert ends.present_size() == ends.size


# --- what is a pipe


def test_how_much_is_unread_is_known_of_pipes_and_sockets_alone(tmp_path: Path, ends: Ends) -> None:
    assert unread(ends.writer) == 0
    os.write(ends.writer, b"x" * 300)
    assert unread(ends.writer) == 300
    here, there = socket.socketpair()
    with here, there:
        assert unread(here.fileno()) == 0
        here.send(b"x")
        assert unread(here.fileno()) != 0
    with (tmp_path / "file").open("wb") as file:
        assert unread(file.fileno()) is None
        descriptor = file.fileno()
    assert unread(descriptor) is None


def test_only_a_pipe_is_paced(tmp_path: Path, ends: Ends) -> None:
    here, there = socket.socketpair()
    with here, there, (tmp_path / "file").open("wb") as file:
        assert paced(here.fileno(), beside=2) is None
        assert paced(file.fileno(), beside=2) is None
        assert paced(ends.writer, beside=file.fileno()) is not None
        gone = file.fileno()
    assert paced(ends.writer, beside=gone) is None
    assert paced(gone, beside=2) is None


def test_a_system_that_does_not_say_what_is_unread_has_no_paced_pipe(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.output.pipe.sys.platform", "darwin")
    assert unread(ends.writer) is None
    assert paced(ends.writer, beside=2) is None


def test_a_pipe_that_words_go_to_as_well_keeps_its_size() -> None:
    reader, writer = os.pipe()
    size = fcntl.fcntl(writer, fcntl.F_GETPIPE_SZ)
    for beside, expected in ((writer, size), (reader, size), (2, PAGE)):
        assert paced(writer, beside=beside) is not None
        assert fcntl.fcntl(writer, fcntl.F_GETPIPE_SZ) == expected
    os.close(reader)
    os.close(writer)
