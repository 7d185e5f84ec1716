"""What each stream looks like: one line a stream; a view is loaded when it is shown."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cli.output.lines import Queue
    from cli.screen.look import View


class Entry(NamedTuple):
    """Where a stream's view is, as `module:function` of this folder; the function takes the look.

    `queue`: where the queue is that the view needs in place of the usual one, which is called without arguments.
    `options`: what else the view takes, by name.
    """

    view: str
    queue: str | None = None
    options: tuple[str, ...] = ()


VIEWS: Mapping[str, Entry] = {
    "book": Entry("book:view", options=("depth", "step", "complete")),
    "trades": Entry("trades:view"),
    "quotes": Entry("market_rows:quotes"),
    "ticker": Entry("market_rows:ticker"),
    "watchlist": Entry("market_rows:ticker"),
    "candles": Entry("candles:view"),
    "orders": Entry("account_rows:orders"),
    "fills": Entry("account_rows:fills"),
    "positions": Entry("account_rows:positions"),
    "closed": Entry("account_rows:closed"),
    "balance": Entry("account_rows:balance"),
    "margin": Entry("margin:view"),
    "signals": Entry("signals:view"),
    "feed": Entry("feed:view", queue="feed:queue"),
    "tail": Entry("tail:view"),  # of `feed`, with --tail
    "ping": Entry("market_rows:ping"),
}


class Loaded(NamedTuple):
    """What makes a stream's view, and the queue that it needs; None where that is the usual one."""

    view: Callable[..., View]
    queue: Callable[[], Queue] | None


def loaded(name: str) -> Loaded:
    """A view by its name in `VIEWS`; loads its module."""
    entry = VIEWS[name]
    return Loaded(_found(entry.view), None if entry.queue is None else _found(entry.queue))


def _found(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(f"{__name__}.{module}"), name)
