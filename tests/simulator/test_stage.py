"""The stage of a world and its clock: who is told of what in which order, and who is woken when."""

from __future__ import annotations

import asyncio
import time
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from venues.simulator.market_events import BookChange, Event, Holding, Stage
from venues.simulator.world_clock import ManualClock, RunningClock

if TYPE_CHECKING:
    from collections.abc import Callable

ONE, OTHER = Holding("A", 1, Decimal(1)), BookChange("B", 2)


def test_listeners_are_told_in_the_order_in_which_they_came() -> None:
    stage = Stage(5)
    told: list[tuple[str, Event]] = []
    stage.listen(lambda event: told.append(("all", event)))
    stage.listen(lambda event: told.append(("A", event)), "A")
    stage.emit(ONE)
    stage.emit(OTHER)
    stage.listen(lambda event: told.append(("B", event)), "B")
    stage.emit(OTHER)
    assert told == [("all", ONE), ("A", ONE), ("all", OTHER), ("all", OTHER), ("B", OTHER)]
    assert stage.now == 5


def test_who_has_left_is_told_nothing_more() -> None:
    stage = Stage(0)
    told: list[str] = []

    def note(name: str, event: Event) -> None:
        told.append(name)

    leaves = [stage.listen(partial(note, name)) for name in "abc"]
    stage.emit(ONE)
    leaves[1]()
    leaves[1]()
    stage.emit(ONE)
    assert told == [*"abc", *"ac"]


def test_one_listener_may_listen_twice() -> None:
    stage = Stage(0)
    told: list[Event] = []
    leave = stage.listen(told.append)
    stage.listen(told.append)
    stage.emit(ONE)
    leave()
    stage.emit(OTHER)
    assert told == [ONE, ONE, OTHER]


def test_a_listener_that_raises_stops_the_world_unless_somebody_hears_of_it() -> None:
    stage = Stage(0)
    told: list[Event] = []
    error = LookupError("a fault")

    def fail(event: Event) -> None:
        raise error

    stage.listen(fail)
    stage.listen(told.append)
    with pytest.raises(LookupError, match="a fault"):
        stage.emit(ONE)
    assert told == []
    heard: list[Exception] = []

    def failed(error: Exception) -> bool:
        heard.append(error)
        return True

    stage.failed = failed
    stage.emit(ONE)
    stage.emit(OTHER)
    assert (told, heard) == ([ONE, OTHER], [error]), "it listens no more, and the others do"


def test_a_listener_that_comes_or_goes_meanwhile_changes_nothing_of_the_event_that_is_told() -> None:
    stage = Stage(0)
    told: list[str] = []
    leaves: list[Callable[[], None]] = []

    def first(event: Event) -> None:
        told.append("first")
        stage.listen(lambda _: told.append("late"))
        leaves[1]()

    leaves.append(stage.listen(first))
    leaves.append(stage.listen(lambda _: told.append("second")))
    stage.emit(ONE)
    assert told == ["first", "second"]
    leaves[0]()
    stage.emit(ONE)
    assert told == ["first", "second", "late"]


# --- clocks


def test_a_clock_by_hand_wakes_those_whose_time_has_come_the_earliest_first() -> None:
    async def check() -> None:
        clock = ManualClock(1_000)
        woken: list[str] = []

        async def sleep(name: str, seconds: float) -> None:
            await clock.sleep(seconds)
            woken.append(name)

        async def turn() -> None:
            for _ in range(5):
                await asyncio.sleep(0)

        tasks = [
            asyncio.create_task(sleep(*one))
            for one in (("late", 2.0), ("soon", 0.5), ("same", 0.5), ("now", 0.0), ("past", -1.0), ("gone", 0.5))
        ]
        await turn()
        assert woken == ["now", "past"]
        tasks[-1].cancel()
        clock.advance(499)
        await turn()
        assert woken == ["now", "past"]
        clock.advance(1)
        await turn()
        assert woken == ["now", "past", "soon", "same"]
        clock.advance(0)
        clock.advance(1_500)
        await turn()
        assert (woken[4:], clock.epoch_ms()) == (["late"], 3_000)
        assert [task.cancelled() for task in tasks] == [False] * 5 + [True]

    asyncio.run(check())


def test_a_clock_is_not_moved_back() -> None:
    clock = ManualClock()
    with pytest.raises(ValueError, match=r"^expected a clock to be moved forward, got -1 ms$"):
        clock.advance(-1)
    assert clock.epoch_ms() == 1_700_000_000_000


def test_a_running_clock_is_the_machines() -> None:
    before = time.time_ns() // 1_000_000
    assert before <= RunningClock().epoch_ms() <= time.time_ns() // 1_000_000

    async def check() -> None:
        begin = time.monotonic()
        await RunningClock().sleep(0.01)
        assert 0.009 <= time.monotonic() - begin < 0.9

    asyncio.run(check())


def test_who_listens_to_a_market_is_looked_up_once_until_somebody_comes_or_goes() -> None:
    stage = Stage(0)
    asked: list[str] = []
    those_of = stage._those_of

    def noted(market: str) -> Any:
        asked.append(market)
        return those_of(market)

    stage._those_of = noted  # type: ignore[method-assign]
    leave = stage.listen(lambda event: None)
    for act in (lambda: None, lambda: None, leave, lambda: stage.listen(lambda event: None), lambda: None):
        stage.emit(BookChange("A", 0))
        act()
    assert asked == ["A"] * 3
