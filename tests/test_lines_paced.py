"""The thread that writes lines into a pipe: what it tells the pipe, and when it writes nothing."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from cli.output.lines import LOOK_EVERY, Limit, Output
from tests.test_lines import Queued, limit


class Pipe:
    """In the place of a pipe: `empty` says how often it is."""

    def __init__(self, *empty: bool) -> None:
        self.empty = list(empty)
        self.heard: list[Any] = []
        self.look: tuple[int, float] = (0, 0.0)

    def is_empty(self) -> bool:
        return self.empty.pop(0) if len(self.empty) > 1 else self.empty[0]

    def watched(self) -> tuple[int, float]:
        self.heard.append("watched")
        return self.look

    def __getattr__(self, name: str) -> Any:
        return lambda *given, **named: self.heard.append((name, *given, *named.values()))


class Sink:
    def __init__(self) -> None:
        self.size = 0
        self.written: list[Any] = []

    def write(self, records: Sequence[Any]) -> None:
        self.written.append([*records])
        self.size = 10 * len(records)

    def idle(self) -> None:
        """Called between writes."""

    def left(self) -> int:
        return 0

    def close(self) -> None:
        self.written.append("closed")


class Made:
    def __init__(self, pipe: Pipe | None, *batches: list[int]) -> None:
        self.pipe, self.queue, self.sink = pipe, Queued(*batches), Sink()
        self.ended: list[Any] = []
        limit = Limit(count=None, once=False, ends_with_snapshot=False)
        self.output = Output(self.queue, self.sink, limit, self.ended.append, pipe=pipe)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def stdout(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    reader, writer = os.pipe()
    monkeypatch.setattr("cli.output.lines.STDOUT", writer)
    yield writer
    os.close(reader)
    os.close(writer)


def test_the_pipe_hears_of_what_is_handed_over_and_how_large_it_was() -> None:
    pipe = Pipe(True)
    made = Made(pipe, [1, 2], [3])
    made.output.finish()
    made.output.run()
    assert made.sink.written == [[1, 2], [3], "closed"]
    assert pipe.heard == [
        ("hand_over", 2, True),
        ("handed_over", 20),
        ("hand_over", 1, False),
        ("handed_over", 10),
        ("close",),
    ]
    assert (made.ended, made.output.progress()[0]) == ([None], 2)


def test_of_what_writes_no_lines_no_size_is_known() -> None:
    pipe = Pipe(True)
    made = Made(pipe, [1, 2])
    made.sink.__dict__.pop("size")
    made.sink.write = made.sink.written.append  # type: ignore[method-assign, assignment]
    made.output.finish()
    made.output.run()
    assert pipe.heard == [("hand_over", 2, False), ("handed_over", 0), ("close",)]


def test_nothing_is_written_while_something_is_unread() -> None:
    pipe = Pipe(False, False, False, True)
    made = Made(pipe, [1])
    made.output.finish()
    made.output.run()
    assert made.sink.written == [[1], "closed"]
    assert pipe.heard[:2] == ["watched", "watched"]
    assert ("hand_over", 1, False) in pipe.heard


def test_a_run_that_ends_with_nothing_left_does_not_wait_for_its_reader() -> None:
    pipe = Pipe(False)
    made = Made(pipe)
    made.output.finish()
    made.output.run()
    assert made.sink.written == ["closed"]
    assert pipe.heard == [("close",)]


def test_without_a_pipe_it_looks_every_tenth_of_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Made(None)
    waited: list[Any] = []
    watched = made.output._watched

    class Poll:
        def poll(self, milliseconds: float) -> Any:
            waited.append(milliseconds)
            made.output.finish()
            return watched.poll(milliseconds)

        def register(self, *given: Any) -> None:
            watched.register(*given)

    made.output._watched = Poll()  # type: ignore[assignment]
    made.output.run()
    assert waited == [LOOK_EVERY * 1_000]
    assert made.ended == [None]


@pytest.mark.parametrize(("empty", "told"), [(False, True), (True, False)])
def test_a_pipe_that_wakes_us_and_is_not_empty_did_so_too_early(empty: bool, told: bool) -> None:
    pipe = Pipe(empty)
    pipe.look = (select.POLLOUT, 1.0)
    made = Made(pipe)
    made.output._wait()
    assert [one for one in pipe.heard if one != "watched"] == [("woke_early",)] * told


def test_to_be_woken_is_no_news_of_the_pipe() -> None:
    pipe = Pipe(False)
    pipe.look = (0, 1.0)
    made = Made(pipe)
    made.output.wake()
    made.output.wake()
    made.output._wait()
    assert pipe.heard == ["watched"]
    pipe.look = (0, 0.0)
    made.output._wait()
    assert pipe.heard == ["watched"] * 2, "what woke it is taken"


@pytest.mark.parametrize("is_empty", [True, False])
def test_what_is_put_while_it_waits_wakes_it_once_and_not_while_something_is_unread(is_empty: bool) -> None:
    class Stepped(Output):
        woken = 0

        def wake(self) -> None:
            self.woken += 1

        def _wait(self) -> None:
            self.put([1])
            self.put([2])
            found.append(self.woken)
            self.finish()

    found: list[int] = []
    made = Made(Pipe(is_empty, True))
    output = Stepped(made.queue, made.sink, limit(), made.ended.append, pipe=made.pipe)  # type: ignore[arg-type]
    output.put([0])
    assert output.woken == 0, "it has not begun"
    output.run()
    assert (found, made.sink.written) == ([int(is_empty)], [[0], [1], [2], "closed"])


def test_only_a_write_of_a_thread_that_is_there_is_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    signals: list[Any] = []
    monkeypatch.setattr("cli.output.lines.signal.pthread_kill", lambda *given: signals.append(given))
    output = Made(None).output
    output.interrupt()
    assert signals == []
    output.start()
    output.interrupt()
    assert signals == [(output.ident, signal.SIGURG)]
    output.finish()
    output.join(10)
    output.interrupt()
    assert len(signals) == 1
