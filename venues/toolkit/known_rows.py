"""The rows of whole books, by their bytes: most rows of a book are those of the one before.

What was read and checked once is not read again. A side is cut between its rows without being parsed; only rows that
are new are. Whatever is not as usual is left to whoever reads a whole message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from venues.errors import BadMessage
from venues.toolkit.decoding import DECODE_ERRORS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from msgspec import Raw

    from venues.records import Level

MOST_KNOWN = 16_384  # rows
MOST_NEW = MOST_KNOWN // 2  # of a book; with more of them little would be known of the next one
BOOKS_KNOWN = 16  # as many rows as so many books have; of more, most are gone from the book, and far away in memory
LEAST_KNOWN = 512
LONGEST = 160  # bytes of a row


class KnownRows:
    """The levels of rows that have come before."""

    def __init__(self, read: Callable[[bytes], Sequence[Level]]) -> None:
        """`read` makes the levels of a JSON list of rows, one of each.

        It may raise a BadMessage or one of `DECODE_ERRORS`.
        """
        self._read = read
        self._known: dict[bytes, Level] = {}

    def sides(self, bids: Raw, asks: Raw) -> tuple[list[Level], list[Level]] | None:
        """The levels of both sides, each a JSON list of objects, in its order.

        None where the book has to be read in the usual way: its rows are spaced otherwise, one of them is bad, or many
        are new.
        """
        bid_rows, ask_rows = _cut(bids), _cut(asks)
        if bid_rows is None or ask_rows is None:
            return None
        rows, known = bid_rows + ask_rows, self._known
        if len(known) > min(MOST_KNOWN - MOST_NEW, max(LEAST_KNOWN, BOOKS_KNOWN * len(rows))):
            known.clear()
        if (new := [row for row in rows if row not in known]) and not self._learn(new):
            return None
        levels = list(map(known.__getitem__, rows))
        return levels[: len(bid_rows)], levels[len(bid_rows) :]

    def _learn(self, rows: Sequence[bytes]) -> bool:
        """Reads rows that are new; False where they cannot be told apart for sure, one is bad, or there are many."""
        cuts = len(rows) - 1
        text = b"},{".join(rows)
        if cuts >= MOST_NEW or text.count(b"{") != cuts or text.count(b"}") != cuts or len(text) > LONGEST * len(rows):
            return False
        try:
            levels = self._read(b"[{%b}]" % text)
        except (BadMessage, *DECODE_ERRORS):
            return False
        # There is no brace but where they were cut. A cut within a text would make one row of two.
        if len(levels) != len(rows):
            return False
        self._known.update(zip(rows, levels, strict=True))
        return True


def _cut(side: Raw) -> list[bytes] | None:
    """The rows of a side without their outer braces; None where it is not a list of objects, spaced as usual."""
    text = bytes(side)
    if text[:2] != b"[{" or text[-2:] != b"}]":
        return [] if text == b"[]" else None
    return text[2:-2].split(b"},{" if b"}, {" not in text else b"}, {")
