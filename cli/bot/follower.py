"""Whoever acts on a bot's signals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from venues.records import Quote, Signal, Trade


class Follower(Protocol):
    """Somebody who acts on the bot's signals, e.g. sends them on; `forget`: a market's prices are not true any more."""

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
        """A market is down."""
        ...
