"""What is left when a run has ended: nothing that still looks at the reader of its output."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

import pytest

from cli.errors import INTERRUPTED
from cli.run.ending import Ending, Reading

if TYPE_CHECKING:
    from cli.output.lines import Output


class StandIn:
    """An output whose reader has taken everything, or nothing more."""

    def __init__(self, left: int) -> None:
        self._left = left

    def progress(self) -> int:
        return 7

    def interrupt(self) -> None:
        pass

    def left(self) -> int:
        return self._left


@pytest.mark.parametrize(
    ("left", "said"),
    [
        (0, None),
        (1, "1 line was not written: read too slowly"),
        (1_200, "1,200 lines were not written: read too slowly"),
    ],
)
def test_nothing_looks_at_a_reader_any_more(left: int, said: str | None) -> None:
    async def ended() -> None:
        ending = Ending()
        reading = Reading(cast("Output", StandIn(left)), longest=0.01)
        assert await ending.until_written(reading, ending.next_signal()) == said
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(ended())


def test_a_signal_while_the_reader_is_awaited_is_how_the_run_ends() -> None:
    async def ended() -> None:
        ending = Ending()
        ending.end(ValueError("what ended it first"))
        signal = ending.next_signal()
        signal.set_result(INTERRUPTED)
        assert await ending.until_written(Reading(cast("Output", StandIn(3))), signal) is None
        assert ending.result() == INTERRUPTED
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(ended())


def test_an_output_that_ends_after_the_signal_does_not_take_its_place() -> None:
    """The recording had been played, and nobody had asked for the end before."""

    async def ended() -> None:
        ending = Ending()
        ending._loop = asyncio.get_running_loop()
        signal = ending.next_signal()
        signal.set_result(INTERRUPTED)
        assert await ending.until_written(None, signal) is None
        ending.on_output_end(None)
        await asyncio.sleep(0)
        assert ending.output_ended.is_set()
        assert ending.result() == INTERRUPTED

    asyncio.run(ended())
