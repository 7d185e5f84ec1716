"""Whoever acts on a bot's signals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from cli.bot.speech import Voice
    from cli.run.source import Embedded
    from venues.records import Quote, Signal, Trade


class Follower(Protocol):
    """Somebody who acts on the bot's signals, e.g. sends them on; all in the host's event loop."""

    async def open(self, embedded: Embedded, voice: Voice, end: Callable[[BaseException], None]) -> None:
        """Before the first signal; `end` is for a trouble that the bot shall not outlive."""
        ...

    def signal(self, signal: Signal) -> None:
        """One signal."""
        ...

    def quote(self, quote: Quote) -> None:
        """One quote of the bot's markets."""
        ...

    def trade(self, trade: Trade) -> None:
        """One trade of the bot's markets."""
        ...

    def forget(self, src: str, sym: str) -> None:
        """A market is down: its prices are not true any more."""
        ...

    async def close(self, patience: float, *, hurried: bool) -> None:
        """After the last signal, also where `open` was never called or has failed."""
        ...
