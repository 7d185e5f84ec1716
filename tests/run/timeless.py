"""An event loop whose time passes at once where nothing but time is waited for."""

from __future__ import annotations

import asyncio
import selectors
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")


class _Selector(selectors.DefaultSelector):
    """Looks for what is ready; where that is nothing, the time of the loop goes on as far as was to be waited.

    A microsecond passes in each turn, so that who waits for a moment that is nearly there gets there.
    """

    gone = 0.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(timeout if timeout is None else 0)
        self.gone += 1e-6 if ready or timeout is None else max(timeout, 1e-6)
        return ready


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._selected = _Selector()
        super().__init__(self._selected)

    def time(self) -> float:
        return 1_000.0 + self._selected.gone


def run(work: Coroutine[Any, Any, T]) -> T:
    """As `asyncio.run`, with a time that begins at 1,000 s."""
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(work)


def seconds() -> float:
    """The seconds that have passed in the loop."""
    return round(asyncio.get_running_loop().time() - 1_000.0, 3)
