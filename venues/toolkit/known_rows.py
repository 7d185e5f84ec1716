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
MOST_ROWS = MOST_KNOWN // 4  # of a side; with more of them little would be known of the next book
LONGEST = 160  # bytes of a row


class KnownRows:
    """The levels of rows that have come before."""

    def __init__(self, read: Callable[[bytes], Sequence[Level]]) -> None:
        """`read` makes the levels of a JSON list of rows, one of each.

        It may raise a BadMessage or one of `DECODE_ERRORS`.
        """
        self._read = read
        self._known: dict[bytes, Level] = {}

    def side(self, side: Raw) -> list[Level] | None:
        """The levels of a side, a JSON list of objects, in its order.

        None where the side has to be read in the usual way: its rows are spaced otherwise, one of them is bad, or
        there are many.
        """
        text = bytes(side)
        if text[:2] != b"[{" or text[-2:] != b"}]":
            return [] if text == b"[]" else None
        rows = text[2:-2].split(b"},{" if b"}, {" not in text else b"}, {")
        levels = list(map(self._known.get, rows))
        if not all(levels):
            new = [row for row, level in zip(rows, levels, strict=True) if not level]
            if len(rows) > MOST_ROWS or (learnt := self._learn(new)) is None:
                return None
            left = iter(learnt)
            levels = [level or next(left) for level in levels]
        return levels  # type: ignore[return-value]  # all are known by now

    def _learn(self, rows: Sequence[bytes]) -> Sequence[Level] | None:
        """The levels of rows that are new; None where they cannot be told apart for sure, or one is bad."""
        cuts = len(rows) - 1
        text = b"},{".join(rows)
        if text.count(b"{") != cuts or text.count(b"}") != cuts or len(text) > LONGEST * len(rows):
            return None
        try:
            levels = self._read(b"[{%b}]" % text)
        except (BadMessage, *DECODE_ERRORS):
            return None
        # There is no brace but where they were cut. A cut within a text would make one row of two.
        if len(levels) != len(rows):
            return None
        if len(self._known) > MOST_KNOWN - MOST_ROWS:
            self._known.clear()
        self._known.update(zip(rows, levels, strict=True))
        return levels
