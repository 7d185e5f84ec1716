"""Market data of symbols that nobody asked for: it is left out at every venue, which is said once."""

from __future__ import annotations

from venues.toolkit.decoding import excerpt
from venues.venue import Item, Notice


class LeftOut:
    """Says of each stream of one connection, once, that something of other symbols was left out."""

    def __init__(self, venue: str) -> None:
        self._venue = venue
        self._said: set[str] = set()

    def say(self, stream: str, symbol: str) -> list[Item]:
        """What is said of the first such symbol; nothing of later ones."""
        if stream in self._said:
            return []
        self._said.add(stream)
        return [
            Notice(
                f"{self._venue} sends {stream} of symbols that were not asked for, such as {excerpt(symbol, 40)}; "
                "they are left out"
            )
        ]
