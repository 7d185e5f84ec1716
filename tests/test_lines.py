"""Lines on their way out: which records count, what is written, what is said, and how the thread that does it ends."""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import select
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any

import pytest

from cli.output.lines import (
    LONGEST_WORDS,
    JsonLines,
    Limit,
    Output,
    OutputError,
    RawFrame,
    ReaderGone,
    Skipped,
    Unprinted,
    Words,
    abandon_stdout,
    draws_table,
    harmless_json,
    is_data,
    is_terminal,
    newest_candles,
    print_out,
    prints_go_to_stderr,
    write_all,
)
from venues.records import Candle, SnapshotEnd, State, Status, Trade
from venues.redaction import Redactor


@pytest.mark.parametrize(
    ("output", "term", "on_terminal", "in_pipe"),
    [
        ("auto", "xterm", True, False),
        ("auto", "dumb", False, False),
        ("table", "dumb", True, True),
        ("table", "xterm", True, True),
        ("jsonl", "xterm", False, False),
        ("csv", "xterm", False, False),
    ],
)
def test_a_table_is_drawn_where_it_is_asked_for_or_the_cursor_can_be_moved(
    monkeypatch: pytest.MonkeyPatch, output: str, term: str, *, on_terminal: bool, in_pipe: bool
) -> None:
    monkeypatch.setenv("TERM", term)
    for stands, drawn in ((True, on_terminal), (False, in_pipe)):
        monkeypatch.setattr("cli.output.lines.is_terminal", lambda _, found=stands: found)
        assert draws_table(output) is drawn


# --- what counts, and when it is enough


def trade(symbol: str | None = "A") -> Trade:
    return Trade(venue="v", symbol=symbol, received=7, price=Decimal(1), size=Decimal(1), side="buy")


def candle(start: int, symbol: str | None = "A") -> Candle:
    one = Decimal(1)
    return Candle(
        venue="v", symbol=symbol, received=7, interval="1m", start=start, end=start + 60_000, open=one, high=one,
        low=one, close=one, closed=False, complete=True,
    )  # fmt: skip


def status(state: State = "live", symbol: str | None = None) -> Status:
    return Status(venue="v", symbol=symbol, received=7, stream="trades", state=state)


END = SnapshotEnd(venue="v", received=7, stream="orders", count=1)


@pytest.mark.parametrize(
    ("record", "counts"),
    [
        (trade(), True),
        (Unprinted(trade()), True),
        (RawFrame(1, "in"), True),
        (RawFrame(1, "out"), False),
        (status(), False),
        (END, False),
        (Skipped(3), False),
    ],
)
def test_what_is_data(record: Any, counts: bool) -> None:
    assert is_data(record) is counts


def test_what_is_not_printed_has_the_symbol_and_the_moment_of_its_record() -> None:
    unprinted = Unprinted(trade("B"))
    assert (unprinted.symbol, unprinted.received) == ("B", 7)
    assert Unprinted(trade(None)).symbol is None


def limit(count: int | None = None, *, once: bool = False, ends: bool = False, each_of: tuple[str, ...] = ()) -> Limit:
    return Limit(count=count, once=once, ends_with_snapshot=ends, each_of=each_of)


def test_without_a_limit_everything_passes() -> None:
    one = limit()
    records = [trade(), status(), Skipped(5), END] * 3
    assert one.cut(records) == records
    assert (one.reached, one.missing(), one.is_match_behind()) == (False, [], False)


def test_so_many_records_may_come_in_several_parts_and_what_is_behind_the_last_is_cut() -> None:
    one = limit(3)
    first, second = [status(), trade(), END], [trade(), RawFrame(1, "out"), trade(), status(), trade()]
    assert one.cut(first) == first
    assert not one.reached
    assert one.cut(second) == second[:3]
    assert one.reached


@pytest.mark.parametrize(("skipped", "reached"), [(1, False), (2, True), (3, True)])
def test_what_was_left_out_counts_too(skipped: int, reached: bool) -> None:
    one = limit(3)
    records = [trade(), Skipped(skipped), status()]
    assert one.cut(records) == (records[:2] if reached else records)
    assert one.reached is reached


def test_once_of_a_state_is_its_first_record_without_what_is_not_printed() -> None:
    one = limit(once=True)
    assert one.cut([status(), Unprinted(trade()), trade()]) == [status()]
    assert one.reached
    one = limit(7, once=True)
    assert one.cut([trade(), trade()]) == [trade()]


def test_once_of_rows_is_up_to_the_end_of_the_snapshot() -> None:
    one = limit(once=True, ends=True)
    assert one.cut([trade(), trade()]) == [trade(), trade()]
    assert not one.reached
    assert one.cut([trade(), Unprinted(trade()), END, trade()]) == [trade(), END]
    assert one.reached
    other = limit(2, ends=True)
    assert other.cut([trade(), END, trade(), trade()]) == [trade(), END, trade()], "without once an end is no end"


def test_once_of_each_symbol_is_the_first_of_each() -> None:
    one = limit(once=True, each_of=("A", "B"))
    assert one.missing() == ["A", "B"]
    assert one.cut([status(), trade("A"), trade("A"), trade("C")]) == [status(), trade("A")]
    assert (one.missing(), one.reached) == (["B"], False)
    assert one.cut([trade("A"), trade("B"), status(), trade("B")]) == [trade("B")]
    assert (one.missing(), one.reached) == ([], True)
    assert limit(each_of=("A",)).missing() == []
    assert limit(once=True, ends=True, each_of=("A",)).missing() == []


@pytest.mark.parametrize(
    ("state", "symbol", "missing"),
    [
        ("stale", "A", ["A", "B"]),
        ("reconnecting", "A", ["A", "B"]),
        ("stale", None, ["A", "B"]),
        ("live", "A", ["B"]),
        ("live", None, ["B"]),
        ("stale", "C", ["B"]),
        ("closed", "C", ["B"]),
        ("closed", "A", ["B"]),
        ("closed", "B", []),
    ],
)
def test_one_that_runs_into_trouble_before_the_others_are_there_has_to_come_again(
    state: State, symbol: str | None, missing: list[str]
) -> None:
    """One that is closed is not waited for."""
    one = limit(once=True, each_of=("A", "B"))
    one.cut([trade("A")])
    told = status(state, symbol)
    assert one.cut([told]) == [told]
    assert (one.missing(), one.reached) == (missing, not missing)


def test_where_all_are_closed_nothing_was_reached() -> None:
    one = limit(once=True, each_of=("A", "B"))
    one.cut([status("closed", "A"), status("closed", "B")])
    assert (one.missing(), one.reached) == ([], False)


@pytest.mark.parametrize(("at", "behind"), [(0, False), (1, False), (2, True), (3, True)])
def test_a_match_behind_enough_is_known(at: int, behind: bool) -> None:
    records = [trade(symbol) for symbol in "ABCD"]
    one = limit(2)
    one.match = records[at]
    assert not one.is_match_behind()
    one.cut(records)
    assert one.is_match_behind() is behind
    one.cut([])
    assert one.is_match_behind() is behind


def test_of_candles_that_come_together_the_last_of_a_symbol_is_the_state() -> None:
    one, two, three = candle(0), candle(60_000), Unprinted(candle(120_000))
    other = candle(0, "B")
    records = [status(), one, other, two, trade(), END]
    assert newest_candles(records) == [status(), other, two, trade(), END]
    assert newest_candles([one, three]) == [three]
    assert newest_candles([three, two]) == [two]
    assert newest_candles([]) == []


# --- lines


class Reader:
    """A pipe in the place of stdout or stderr."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        self.end, self.begin = os.pipe()
        monkeypatch.setattr(f"cli.output.lines.{name}", self.begin)

    def read(self) -> str:
        os.set_blocking(self.end, False)
        try:
            return os.read(self.end, 1_000_000).decode()
        except BlockingIOError:
            return ""

    def fill(self) -> None:
        os.set_blocking(self.begin, False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(self.begin, b" " * 65_536)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(self.begin, b" ")


Readers = Callable[[str], Reader]


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> Iterator[Readers]:
    made: list[Reader] = []

    def make(name: str) -> Reader:
        made.append(Reader(monkeypatch, name))
        return made[-1]

    yield make
    for one in made:
        for descriptor in (one.end, one.begin):
            with contextlib.suppress(OSError):
                os.close(descriptor)


def test_json_lines_are_written_together_and_without_statuses_where_these_are_not_asked_for(reader: Readers) -> None:
    stdout = reader("STDOUT")
    for statuses, expected in ((True, ["trade", "status", "snapshot_end"]), (False, ["trade", "snapshot_end"])):
        sink = JsonLines(numbers_as_strings=True, to_terminal=False, redactor=Redactor(), statuses=statuses)
        sink.write([trade(), status(), END])
        text = stdout.read()
        assert [json.loads(line)["type"] for line in text.splitlines()] == expected
        assert json.loads(text.splitlines()[0])["price"] == "1"
        assert (sink.size, sink.left()) == (len(text), 0)
        sink.idle()
        sink.close()
        assert stdout.read() == ""


def test_a_secret_in_a_record_is_covered_and_the_line_stays_json(reader: Readers) -> None:
    stdout = reader("STDOUT")
    redactor = Redactor()
    redactor.learn({"api_key": "sesame-sesame"})
    sink = JsonLines(numbers_as_strings=False, to_terminal=False, redactor=redactor)
    sink.write([RawFrame(1, "in", frame='x"sesame-sesame'), RawFrame(1, "in", frame="y")])
    frames = [json.loads(line)["frame"] for line in stdout.read().splitlines()]
    assert frames[1] == "y"
    assert "sesame" not in frames[0]
    assert frames[0].startswith('x"[')


def test_lines_that_a_reader_has_not_taken_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only those are counted that are not written to their end."""
    sink = JsonLines(numbers_as_strings=False, to_terminal=False, redactor=Redactor())
    left: list[int] = []

    def in_parts(descriptor: int, data: bytes, on_written: Callable[[int], None]) -> None:
        first = data.index(b"\n")
        for part in (first, 1, len(data) - first - 2, 1):
            left.append(sink.left())
            on_written(part)
        left.append(sink.left())

    monkeypatch.setattr("cli.output.lines.write_all", in_parts)
    sink.write([trade(), trade(), trade()])
    assert left == [3, 3, 2, 1, 0]
    assert sink.size > 0


# --- writing


@pytest.mark.parametrize(
    ("number", "raised"),
    [
        (errno.EPIPE, ReaderGone),
        (errno.ECONNRESET, ReaderGone),
        (errno.EIO, ReaderGone),
        (errno.ENOSPC, OutputError),
        (errno.EBADF, OutputError),
    ],
)
def test_a_reader_that_is_gone_is_no_error_and_a_full_disk_is(
    monkeypatch: pytest.MonkeyPatch, number: int, raised: type[Exception]
) -> None:
    def fail(*_: Any) -> int:
        raise OSError(number, "by design")

    monkeypatch.setattr("cli.output.lines.os.write", fail)
    with pytest.raises(raised) as error:
        write_all(1, b"data")
    assert str(error.value) == ("" if raised is ReaderGone else "cannot write to stdout: by design")


def test_data_is_written_in_parts_and_each_is_told(reader: Readers) -> None:
    """Also to a descriptor that does not block, and is full for a while."""
    stdout = reader("STDOUT")
    os.set_blocking(stdout.begin, False)
    data = b"0123456789" * 30_000
    told: list[int] = []
    got = bytearray()

    def take() -> None:
        while len(got) < len(data):
            got.extend(os.read(stdout.end, 50_000))

    thread = threading.Thread(target=take)
    thread.start()
    write_all(stdout.begin, data, told.append)
    thread.join()
    assert bytes(got) == data
    assert sum(told) == len(data)
    assert len(told) > 1
    write_all(stdout.begin, b"x")
    write_all(stdout.begin, b"", told.append)
    assert stdout.read() == "x"


def test_a_text_is_printed_with_an_end_of_line_and_what_no_encoding_has_is_a_question_mark(reader: Readers) -> None:
    stdout = reader("STDOUT")
    print_out("a\ud800ä")
    assert stdout.read() == "a?ä\n"


# --- words for a person


def test_words_have_a_name_before_them_and_lines_below_each_other(reader: Readers) -> None:
    stderr = reader("STDERR")
    words = Words()
    words.say("one\ntwo")
    words.error("three")
    words.of_other("four\nfive")
    words.say("")
    assert stderr.read() == "mon: one\n     two\nmon: three\nfour\nfive\nmon: \n"


def test_quiet_leaves_out_notices_only(reader: Readers) -> None:
    stderr = reader("STDERR")
    words = Words(quiet=True)
    words.say("one")
    words.error("two")
    words.of_other("three")
    assert stderr.read() == "mon: two\nthree\n"


@pytest.mark.parametrize(("length", "shown"), [(10, 10), (11, 10)])
def test_a_line_has_so_many_characters_at_most(reader: Readers, length: int, shown: int) -> None:
    stderr = reader("STDERR")
    Words().error("y\n" + "x" * length, longest=10)
    assert [len(line) for line in stderr.read().splitlines()] == [6, 5 + shown]


def test_a_notice_has_two_thousand_characters_a_line_at_most(reader: Readers) -> None:
    stderr = reader("STDERR")
    Words().say("x" * (LONGEST_WORDS + 1))
    assert len(stderr.read()) == len("mon: ") + LONGEST_WORDS + 1


def test_a_stderr_that_nobody_reads_holds_nothing_up_and_has_the_words_later(reader: Readers) -> None:
    stderr = reader("STDERR")
    stderr.fill()
    words = Words()
    begun = time.monotonic()
    words.say("one")
    words.say("two")
    assert time.monotonic() - begun < 0.5
    assert stderr.read().strip() == ""
    words.say("three")
    assert stderr.read() == "mon: one\nmon: two\nmon: three\n"


def test_of_more_than_a_hundred_words_that_wait_the_oldest_go(reader: Readers) -> None:
    stderr = reader("STDERR")
    stderr.fill()
    words = Words()
    for number in range(100):
        words.say(f"{number}")
    stderr.read()
    words.say("100")
    assert stderr.read().splitlines() == [f"mon: {number}" for number in range(1, 101)]


def test_a_long_text_goes_out_in_parts_that_a_pipe_takes_whole(
    reader: Readers, monkeypatch: pytest.MonkeyPatch
) -> None:
    stderr = reader("STDERR")
    sizes: list[int] = []
    write = os.write
    monkeypatch.setattr("cli.output.lines.os.write", lambda to, data: sizes.append(len(data)) or write(to, data))
    text = "\n".join(f"{number:04}" + "x" * 996 for number in range(10))
    Words().say(text)
    assert stderr.read() == "mon: " + text.replace("\n", "\n     ") + "\n"
    assert max(sizes) == select.PIPE_BUF
    assert sizes[:-1] == [select.PIPE_BUF] * (len(sizes) - 1)


def test_a_stderr_that_is_closed_is_no_matter(reader: Readers) -> None:
    stderr = reader("STDERR")
    os.close(stderr.begin)
    Words().error("x")


# --- the end of stdout


def test_what_is_no_descriptor_is_no_terminal() -> None:
    read_end, write_end = os.pipe()
    os.close(write_end)
    assert not is_terminal(read_end)
    os.close(read_end)
    assert not is_terminal(read_end)
    main, other = os.openpty()
    assert is_terminal(other)
    os.close(other)
    os.close(main)


def test_a_stdout_that_is_given_up_takes_what_is_left_and_shows_nothing(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", os.fdopen(1, "w", closefd=False))
        sys.stdout.write("left over")
        descriptors = len(os.listdir("/proc/self/fd"))
        abandon_stdout()
        print("later", flush=True)
    assert capfd.readouterr().out == ""
    assert len(os.listdir("/proc/self/fd")) == descriptors


def test_one_that_cannot_be_written_any_more_is_given_up_without_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> int:
        raise OSError

    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr("cli.output.lines.os.open", fail)
    monkeypatch.setattr(sys, "stdout", closed)
    abandon_stdout()


def test_what_is_printed_within_it_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    with prints_go_to_stderr():
        print("within")
    print("after")
    assert capsys.readouterr() == ("after\n", "within\n")


@pytest.mark.parametrize(
    ("data", "harmless"),
    [
        (b'{"a":"b"}\n', b'{"a":"b"}\n'),
        (b'"\x7f"\n', b'"\\u007f"\n'),
        ('"\u202e"\n"é"\n'.encode(), '"\\u202e"\n"é"\n'.encode()),
        (b"", b""),
    ],
)
def test_what_can_do_something_to_a_terminal_is_escaped_in_json(data: bytes, harmless: bytes) -> None:
    assert harmless_json(data) == harmless


# --- the thread


class Queued:
    """Batches that are taken one after the other."""

    def __init__(self, *batches: list[Any]) -> None:
        self.batches = list(batches)

    def put(self, records: Sequence[Any]) -> None:
        self.batches.append([*records])

    def take(self) -> Sequence[Any]:
        return self.batches.pop(0) if self.batches else []

    def waiting(self) -> int:
        return sum(map(len, self.batches))


class Kept:
    """Keeps what is written; `problem` is raised instead."""

    def __init__(self, problem: BaseException | None = None) -> None:
        self.written: list[Any] = []
        self.closed = self.idled = 0
        self.problem = problem

    def write(self, records: Sequence[Any]) -> None:
        if self.problem is not None:
            raise self.problem
        self.written += records

    def idle(self) -> None:
        self.idled += 1

    def left(self) -> int:
        return 2

    def close(self) -> None:
        self.closed += 1


def test_what_waits_is_written_before_the_end() -> None:
    ended: list[BaseException | None] = []
    queue, sink = Queued([trade("A")], [trade("B"), trade("C")]), Kept()
    output = Output(queue, sink, limit(), ended.append)
    assert output.left() == 5
    assert output.progress()[0] == 0
    output.start()
    output.put([trade("D")])
    output.finish()
    output.join(10)
    assert [record.symbol for record in sink.written] == ["A", "B", "C", "D"]
    assert (ended, sink.closed, output.left()) == ([None], 1, 2)
    assert output.progress()[0] >= 2
    output.interrupt()
    output.wake()


def test_a_thread_that_waits_takes_what_is_put_at_once() -> None:
    ended = threading.Event()
    queue, sink = Queued(), Kept()
    output = Output(queue, sink, limit(2), lambda problem: ended.set())
    output.start()
    for symbol in "ABC":
        seen = sink.idled
        while sink.idled == seen and not ended.is_set():
            time.sleep(0.001)
        output.put([trade(symbol)])
    assert ended.wait(10)
    output.join(10)
    assert [record.symbol for record in sink.written] == ["A", "B"]
    assert sink.closed == 1


@pytest.mark.parametrize("problem", [ReaderGone(), OutputError("full"), KeyError("a fault")])
def test_what_went_wrong_is_told_at_the_end(problem: BaseException) -> None:
    ended: list[BaseException | None] = []
    sink = Kept(problem)
    output = Output(Queued([trade()]), sink, limit(), ended.append)
    output.start()
    output.join(10)
    assert (ended, sink.closed, sink.written) == ([problem], 0, [])


def test_a_reader_that_leaves_while_nothing_is_written_is_noticed(reader: Readers) -> None:
    stdout = reader("STDOUT")
    ended: list[BaseException | None] = []
    output = Output(Queued(), Kept(), limit(), ended.append)
    output.start()
    os.close(stdout.end)
    output.join(10)
    (problem,) = ended
    assert isinstance(problem, ReaderGone)
