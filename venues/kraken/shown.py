"""What looks live on a connection: nothing while the line is silent, of a market nothing while it is halted. Pure.

A feed gives its states and records as if all were well. Here they pass, get the condition of their market, or are held
back; what is held back of a state is shown once more when it may look live again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from venues.kraken.conditions import Conditions
from venues.records import Record, Trade
from venues.venue import Confirmed, StreamState

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from venues.kraken.feeds import Feed
    from venues.venue import Item, Now

AS_USUAL = "all is as usual again"


class Shown:
    """The feeds of a connection, and what may be shown of them. `is_silent`: neither data nor a heartbeat comes."""

    def __init__(self, feeds: Sequence[Feed]) -> None:
        self.conditions = Conditions({feed.symbol for feed in feeds})
        self.is_silent = False
        self._feeds = feeds
        self._halted: set[str] = set()  # symbols of which nothing looks live
        self._words: dict[str, str] = {}  # by symbol: the condition that was told last
        self._symbols: dict[str, list[str]] = {}  # by stream
        for feed in feeds:
            for stream in feed.streams:
                self._symbols.setdefault(stream, []).append(feed.symbol)

    def is_halted(self, symbol: str) -> bool:
        """Whether no figure of a market is to look live."""
        return symbol in self._halted

    def of(self, items: list[Item]) -> list[Item]:
        """The items with the conditions of their markets; of those that are halted only trades, and no live state."""
        if not self._halted and not self._words:
            return items
        shown: list[Item] = []
        for item in items:
            if isinstance(item, StreamState) and item.state == "live" and item.stream in self._symbols:
                shown += self._with_condition(item)
            elif not self._is_held_back(item):
                shown.append(item)
        return shown

    def changed(self, now: Now) -> list[Item]:
        """To be called after a condition may have changed: what that means for the feeds."""
        stopped: dict[Feed, str] = {}
        told: dict[Feed, str] = {}
        resumed: dict[Feed, str] = {}
        for feed in self._feeds:
            symbol, words = feed.symbol, self.conditions.words(feed.symbol)
            is_halted = self.conditions.is_halted(symbol)
            if is_halted != (symbol in self._halted):
                (stopped if is_halted else resumed)[feed] = words if is_halted else words or AS_USUAL
            elif words != self._words.get(symbol, "") and feed.ready and not is_halted:
                told[feed] = words or AS_USUAL
        symbols = {feed.symbol for feed in self._feeds}
        self._words = {symbol: words for symbol in symbols if (words := self.conditions.words(symbol))}
        self._halted = {symbol for symbol in symbols if self.conditions.is_halted(symbol)}
        return [*self.told(stopped, "stale"), *self.told(told, "live"), *self._again(resumed, now)]

    def silent(self, reason: str) -> list[Item]:
        """Nothing looks live any more: the line is silent."""
        self.is_silent = True
        return self.told(dict.fromkeys(self._feeds, reason), "stale")

    def heard(self, now: Now) -> list[Item]:
        """The line is there again: nothing was lost on it, so all that is not halted is as it was."""
        self.is_silent = False
        return self._again({feed: "" for feed in self._feeds if feed.symbol not in self._halted}, now)

    def told(self, reasons: Mapping[Feed, str], state: Literal["syncing", "live", "stale"]) -> list[Item]:
        """A state of feeds: one for all symbols of a stream, where it is that of all of them in the same words."""
        by_stream: dict[str, dict[str, tuple[str, str]]] = {}
        for feed, reason in reasons.items():
            for stream in feed.streams:
                words = reason, self._words.get(feed.symbol, "")
                by_stream.setdefault(stream, {})[feed.symbol] = words
        items: list[Item] = []
        for stream, by_symbol in by_stream.items():
            if len(by_symbol) == len(self._symbols[stream]) and len({*by_symbol.values()}) == 1:
                ((reason, condition),) = {*by_symbol.values()}
                items.append(StreamState(stream, state, reason, condition=condition))
            else:
                items += [
                    StreamState(stream, state, reason, symbol=symbol, condition=condition)
                    for symbol, (reason, condition) in by_symbol.items()
                ]
        return items

    def _again(self, reasons: Mapping[Feed, str], now: Now) -> list[Item]:
        """Feeds that may look live again: their state, and what they show."""
        ready = {feed: reason for feed, reason in reasons.items() if feed.ready}
        waiting = {feed: "waiting for its first state" for feed in reasons if not feed.ready}
        items = [*self.told(ready, "live"), *self.told(waiting, "syncing")]
        for feed in ready:
            items += feed.again(now)
        return items

    def _is_held_back(self, item: Item) -> bool:
        if isinstance(item, Trade) or not isinstance(item, Record | Confirmed):
            return False
        if item.symbol is not None:
            return item.symbol in self._halted
        stream = item.stream if isinstance(item, Confirmed) else ""  # of a stream of one symbol
        return any(symbol in self._halted for symbol in self._symbols.get(stream, ()))

    def _with_condition(self, state: StreamState) -> Iterable[Item]:
        """A live state, for each of its symbols: not live where the market is halted."""
        symbols = [state.symbol] if state.symbol is not None else self._symbols[state.stream]
        for symbol in symbols:
            words, name = self._words.get(symbol, ""), state.symbol if len(symbols) == 1 else symbol
            if symbol in self._halted:
                yield StreamState(state.stream, "stale", words, symbol=name, condition=words)
            else:
                reason = ", ".join(part for part in (state.reason, words) if part)
                yield StreamState(state.stream, "live", reason, symbol=name, condition=words)
