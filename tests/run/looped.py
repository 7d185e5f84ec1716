"""A loop with a consumer that notes what it gets, and scripts of what its sources deliver."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Literal

from cli.run.ending import Ending
from cli.run.loop import Loop
from cli.run.options import StreamRequest
from cli.run.source import Embedded
from tests.run.timeless import seconds
from venues import venue_named
from venues.records import Book, Status
from venues.redaction import Redactor
from venues.venue import Now, Subscription

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from venues.driver import Delivered

BOOK = Subscription("book", ("A",))


def book(number: int = 0, **fields: Any) -> Book:
    return Book(venue="v", symbol="A", received=number, bids=[], asks=[], **fields)


def live(stream: str = "book") -> Status:
    return Status(venue="v", received=0, stream=stream, state="live")


class Clock:
    """The time of the event loop as that of the run; any thread may ask."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()

    def now(self) -> Now:
        at = self._loop.time()
        return Now(at, round(at * 1000))

    async def sleep(self, for_seconds: float) -> None:
        await asyncio.sleep(for_seconds)


class Taken:
    """A consumer that notes what it gets, and when; without data something is missing."""

    def __init__(self) -> None:
        self.got: list[tuple[float, int, Any]] = []
        self.flushed: list[float] = []
        self.asked: list[str] = []
        self.ends: list[float] = []
        self.loop: Loop

    def deliver(self, items: list[Delivered], line: int = 0) -> None:
        self.got += [(seconds(), line, one.state if isinstance(one, Status) else one) for one in items]
        self.loop.flush_soon()

    def flush(self) -> None:
        self.flushed.append(seconds())

    def played(self, count: int) -> Awaitable[None] | None:
        return None

    def end_asked(self) -> None:
        self.ends.append(seconds())

    def missing(self, option: Literal["timeout", "duration"]) -> str | None:
        self.asked.append(option)
        return None if any(isinstance(one, Book) for _, _, one in self.got) else "no data came"


def loop_of(consumer: Taken, *, recording: Any = None, **given: Any) -> tuple[Loop, Ending]:
    """A loop of a request with what is `given`, but for the options of a loop itself."""
    own = {name: given.pop(name) for name in ("at_once", "last_words_within") if name in given}
    request, ending = StreamRequest("kraken", ["A"], **given), Ending()
    clock: Any = Clock()
    consumer.loop = Loop(
        request,
        consumer,
        ending=ending,
        clock=clock,
        redactor=Redactor(),
        recording=recording,
        every=request.every,
        **own,
    )
    return consumer.loop, ending


async def opened(loop: Loop, *venues: str, **given: Any) -> None:
    for name in venues or ("kraken",):
        await loop.open(venue_named(name), [BOOK], Embedded(), print, **given)


def script(*steps: Any, ends: bool = True) -> Callable[[Any], Awaitable[None]]:
    """Seconds to wait, items to deliver, an error to raise."""

    async def play(deliver: Any) -> None:
        for step in steps:
            if isinstance(step, int | float):
                await asyncio.sleep(step)
            elif isinstance(step, Exception):
                raise step
            else:
                deliver(step if isinstance(step, list) else [step])
        if not ends:
            await asyncio.Event().wait()

    return play
