"""What a run gets, told by a test instead of a venue: stands in for `cli.run.source.Source`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from venues.venue import Settings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    import pytest

    from venues.driver import Delivered
    from venues.venue import Subscription, Venue

Deliver = Any  # of `Source.run`, with a line where there are several


class Scripted:
    """The sources of one run, in the order in which they are opened; each runs its script."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *scripts: Callable[[Deliver], Awaitable[None]]) -> None:
        self.opened: list[tuple[str, list[Subscription], dict[str, Any]]] = []
        self.ran: list[dict[str, Any]] = []
        self.left = 0
        self._scripts = [*scripts]
        monkeypatch.setattr("cli.run.loop.Source", self._made)
        monkeypatch.setattr("cli.run.symbol_lists.Lists.refresh", _nothing)  # it would ask the venue itself

    def _made(self, venue: Venue, subscriptions: Sequence[Subscription], **given: Any) -> Any:
        self.opened.append((venue.name, [*subscriptions], given))
        return _Source(self, self._scripts.pop(0))


async def _nothing(*_: Any) -> None:
    pass


class _Source:
    def __init__(self, scripted: Scripted, script: Callable[[Deliver], Awaitable[None]]) -> None:
        self._scripted = scripted
        self._script = script
        self._gone = asyncio.Event()

    async def open(self, embedded: Any, say: Any) -> Settings:
        return Settings(url="wss://v.example", label="sim")

    async def run(self, deliver: Callable[[list[Delivered]], None], **given: Any) -> None:
        self._scripted.ran.append({"deliver": deliver, **given})
        working = asyncio.ensure_future(self._script(deliver))
        leaving = asyncio.create_task(self._gone.wait())
        try:
            await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                working.result()
        finally:
            leaving.cancel()
            working.cancel()

    def leave(self) -> None:
        self._scripted.left += 1
        self._gone.set()
