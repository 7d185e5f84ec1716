"""Market data of symbols that nobody asked for. Every venue leaves it out and says so once."""

from __future__ import annotations

from venues.toolkit.decoding import excerpt
from venues.venue import Item, Notice


class LeftOut:
    """Says that data of other symbols was left out, once for each stream of a connection."""

    def __init__(self, venue: str) -> None:
        self._venue = venue
        self._said: set[str] = set()

    def say(self, stream: str, symbol: str) -> list[Item]:
        """The notice about the first such symbol of a stream; an empty list for later ones."""
        if stream in self._said:
            return []
        self._said.add(stream)
        return [
            Notice(
                f"{self._venue} sends {stream} of symbols that were not asked for, such as {excerpt(symbol, 40)}; "
                "they are left out"
            )
        ]
