"""How a run ends, and how long it waits for what is left: what ends it first counts, and a signal after that."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from cli.errors import HUNG_UP, INTERRUPTED, OK, PIPE_CLOSED, QUIT, TERMINATED
from cli.output.lines import ReaderGone
from cli.run import ending as module
from cli.run.ending import HURRY, TAKES_NOTHING, Ending, Reading, ended_within, first_of
from tests.run.timeless import run, seconds

if TYPE_CHECKING:
    from collections.abc import Callable


class Reader:
    """An output whose reader has read as much as `reads` says at that second."""

    def __init__(self, reads: Callable[[float], int] = lambda now: 0, left: int = 0) -> None:
        self._reads = reads
        self._left = left
        self.interrupted: list[float] = []

    def progress(self) -> int:
        return self._reads(seconds())

    def interrupt(self) -> None:
        self.interrupted.append(seconds())

    def left(self) -> int:
        return self._left


def reading(reader: Reader, longest: float = math.inf) -> Reading:
    made: Any = reader
    return Reading(made, longest)


# --- what ends it


@pytest.mark.parametrize(
    ("code", "hurried"),
    [(OK, False), (PIPE_CLOSED, False), (INTERRUPTED, True), (TERMINATED, True), (HUNG_UP, True), (QUIT, True)],
)
def test_the_first_end_counts(code: int, hurried: bool) -> None:
    async def go() -> None:
        ending = Ending()
        assert not ending.stopping.is_set()
        assert ending.hurry_left() is None
        ending.stop(code)
        assert ending.stopping.is_set()
        ending.stop(99)
        ending.end(ValueError("too late"))
        assert ending.result() == code
        assert ending.hurried is hurried
        left = [ending.hurry_left()]
        await asyncio.sleep(HURRY / 5)
        left.append(ending.hurry_left())
        await asyncio.sleep(HURRY)
        left.append(ending.hurry_left())
        assert left == ([pytest.approx(HURRY * share, abs=1e-3) for share in (1, 0.8, 0)] if hurried else [None] * 3)

    run(go())


def test_a_problem_is_raised_instead_of_an_exit_code() -> None:
    async def go() -> None:
        ending = Ending()
        ending.end(ValueError("the first"))
        ending.end(ValueError("the second"))
        ending.stop(INTERRUPTED)
        assert not ending.hurried
        with pytest.raises(ValueError, match="the first"):
            ending.result()
        ending.cut_short(TERMINATED)
        assert ending.result() == TERMINATED
        assert ending.hurry_left() == pytest.approx(HURRY, abs=1e-3)

    run(go())


def test_who_cuts_it_short_is_the_end_from_then_on() -> None:
    async def go() -> None:
        ending = Ending()
        ending.cut_short(TERMINATED)
        ending.stop(OK)
        assert ending.stopping.is_set()
        assert ending.result() == TERMINATED
        assert ending.hurry_left() == pytest.approx(HURRY, abs=1e-3)
        await asyncio.sleep(HURRY / 2)
        ending.cut_short(INTERRUPTED)
        assert ending.result() == INTERRUPTED
        assert ending.hurry_left() == pytest.approx(HURRY / 2, abs=1e-3), "the hurry began with the first"

    run(go())


@pytest.mark.parametrize(
    ("problem", "code"),
    [(None, OK), (ReaderGone(), PIPE_CLOSED), (ValueError("no space left"), None)],
)
def test_the_end_of_the_output_ends_the_run(problem: BaseException | None, code: int | None) -> None:
    async def go() -> None:
        ending = Ending()
        with contextlib.ExitStack() as stack:
            ending.take_signals(stack)
            ending.on_output_end(problem)
            assert not ending.output_ended.is_set(), "that was said in another thread"
            await asyncio.sleep(0)
        assert ending.output_ended.is_set()
        assert ending.stopping.is_set()
        if code is None:
            with pytest.raises(ValueError, match="no space left"):
                ending.result()
        else:
            assert ending.result() == code

    run(go())


def test_an_output_that_ends_when_the_loop_is_gone_is_no_fault() -> None:
    ending = Ending()

    async def go() -> None:
        with contextlib.ExitStack() as stack:
            ending.take_signals(stack)

    run(go())
    ending.on_output_end(ValueError("too late"))
    assert not ending.output_ended.is_set()


async def signalled(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)
    for _ in range(3):
        await asyncio.sleep(0.001)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, INTERRUPTED), (signal.SIGTERM, TERMINATED), (signal.SIGURG, None)]
)
def test_a_signal_ends_the_run_and_a_second_one_what_is_left(number: signal.Signals, code: int | None) -> None:
    async def go() -> None:
        ending = Ending()
        with contextlib.ExitStack() as stack:
            ending.take_signals(stack)
            assert not ending.stopping.is_set()
            await signalled(number)
            assert ending.stopping.is_set() is (code is not None)
            assert ending.result() == (OK if code is None else code)
            following = ending.next_signal()
            await signalled(signal.SIGTERM)
            assert following.result() == TERMINATED
            await signalled(signal.SIGINT)  # one more is no fault
            assert following.result() == TERMINATED
            assert ending.result() == (OK if code is None else code)

    asyncio.run(go())


def test_a_signal_that_came_before_there_was_a_loop_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "has_come", lambda: True)

    async def go() -> None:
        ending = Ending()
        with contextlib.ExitStack() as stack:
            ending.take_signals(stack)
        assert ending.stopping.is_set()
        assert ending.result() == INTERRUPTED

    run(go())


# --- what is left


def test_a_reader_that_goes_on_reading_is_waited_for() -> None:
    async def go() -> None:
        ending, reader = Ending(), Reader(lambda now: min(int(now * 2), 6), left=5)
        ending.stop(OK)
        assert await ending.until_written(reading(reader), ending.next_signal()) == (
            "5 lines were not written: the reader took nothing more"
        )
        assert seconds() == pytest.approx(3.0 + TAKES_NOTHING, abs=0.15)
        assert len(reader.interrupted) == 1

    run(go())


def test_a_reader_that_goes_on_for_too_long_is_not_waited_for() -> None:
    async def go() -> None:
        ending, reader = Ending(), Reader(lambda now: int(now * 20), left=1)
        ending.stop(OK)
        assert await ending.until_written(reading(reader, longest=2.0), ending.next_signal()) == (
            "1 line was not written: read too slowly"
        )
        assert seconds() == pytest.approx(2.0, abs=0.1)

    run(go())


def test_when_all_is_written_nothing_is_left() -> None:
    async def go() -> None:
        ending, reader = Ending(), Reader(left=5)
        ending.stop(OK)
        asyncio.get_running_loop().call_later(0.3, ending.output_ended.set)
        assert await ending.until_written(reading(reader), ending.next_signal()) is None
        assert seconds() == 0.3
        assert reader.interrupted == []

    run(go())


@pytest.mark.parametrize(("in_hurry", "waited"), [(math.inf, HURRY), (0.2, 0.2), (2.0, HURRY)])
def test_who_is_in_a_hurry_waits_for_no_reader(in_hurry: float, waited: float) -> None:
    async def go() -> None:
        ending, reader = Ending(), Reader(lambda now: int(now * 50), left=5)
        ending.stop(INTERRUPTED)
        left = await ending.until_written(reading(reader), ending.next_signal(), in_hurry=in_hurry)
        assert (left, seconds(), reader.interrupted) == (None, waited, [])
        assert ending.result() == INTERRUPTED

    run(go())


def test_where_nobody_has_asked_for_the_end_it_takes_as_long_as_it_takes() -> None:
    async def go() -> None:
        ending = Ending()
        asyncio.get_running_loop().call_later(3_600, ending.output_ended.set)
        assert await ending.until_written(None, ending.next_signal()) is None
        assert seconds() == 3_600

    run(go())


@pytest.mark.parametrize(
    ("after_signal", "ends_at", "waited", "code"),
    [(0.0, 9.0, 1.0, TERMINATED), (0.3, 9.0, 1.3, TERMINATED), (0.3, 1.2, 1.2, OK)],
)
def test_one_more_signal_counts_unless_the_output_ends_soon(
    after_signal: float, ends_at: float, waited: float, code: int
) -> None:
    async def go() -> None:
        loop, ending, reader = asyncio.get_running_loop(), Ending(), Reader(lambda now: int(now * 50), left=5)
        ending.stop(OK)
        following = ending.next_signal()
        loop.call_later(1.0, following.set_result, TERMINATED)
        loop.call_later(ends_at, ending.output_ended.set)
        left = await ending.until_written(reading(reader), following, after_signal=after_signal)
        assert (left, seconds(), ending.result()) == (None, waited, code)

    run(go())


# --- waiting


def test_a_task_has_ended_when_it_was_waited_for() -> None:
    async def stubborn(times: int) -> None:
        for _ in range(times):
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(100)

    async def go() -> None:
        quick = asyncio.create_task(asyncio.sleep(0.2))
        await ended_within(quick, 5.0)
        assert (quick.cancelled(), seconds()) == (False, 0.2)
        slow = asyncio.create_task(asyncio.sleep(100))
        await ended_within(slow, 0.3)
        assert (slow.cancelled(), seconds()) == (True, 0.5)
        on_its_way_out = asyncio.create_task(stubborn(3))
        await ended_within(on_its_way_out, 0.5)
        assert on_its_way_out.done()
        assert seconds() == 1.0 + 2 * module.LOOK_EVERY
        forever = asyncio.create_task(asyncio.sleep(100))
        await ended_within(forever, None)
        assert not forever.cancelled()

    run(go())


def test_the_first_of_what_is_waited_for_ends_the_wait() -> None:
    async def go() -> None:
        loop, event = asyncio.get_running_loop(), asyncio.Event()
        await first_of(event, None, 1.0)
        assert seconds() == 1.0
        following: asyncio.Future[int] = loop.create_future()
        loop.call_later(0.5, following.set_result, 1)
        await first_of(event, following, 9.0)
        assert seconds() == 1.5
        await first_of(event, following, 2.0)
        assert seconds() == 3.5, "the signal has come before"
        loop.call_later(0.5, event.set)
        await first_of(event, None, None)
        assert seconds() == 4.0
        await first_of(event, None, 9.0)
        assert seconds() == 4.0
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(go())
