"""The order book: a snapshot, then deltas, merged as they come.

The book's rule says whether a delta follows on what is held, and its checksum whether the book is right.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, NoReturn

from venues.errors import ChecksumMismatch, CrossedBook, SequenceGap, TooManyLevels
from venues.records import Level
from venues.toolkit.book_side import BookSide
from venues.toolkit.numbers import NOT_NEGATIVE, POSITIVE, not_negative, plain_text, positive

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from venues.toolkit.checksum import Checksum

MOST_LEVELS = 100_000  # a side; the deepest public books have some ten thousand

Rule = Literal["contiguous", "growing", "chained"]


class BookDelta(NamedTuple):
    """Changed levels with their new absolute sizes, in any order; a size of 0 removes a level.

    Of rows that name the same price the last one counts. `sequence` is None where the venue has none. `previous`: the
    sequence that the delta follows on. A contiguous venue whose deltas hold several sequences (first to last) has the
    one before the first there. `checksum`: the venue's figure for the book after this delta.
    """

    bids: Sequence[Level]
    asks: Sequence[Level]
    sequence: int | None = None
    previous: int | None = None
    checksum: int | None = None


class OrderBook:
    """An order book of one symbol.

    `rule` says when a delta follows on what is held. `contiguous`: sequences count up by one. `growing`: they must only
    grow. `chained`: the delta's `previous` is the sequence held. None: sequences are not compared. `depth`: the levels
    a side that the venue keeps up to date, None for all; what lies beyond is dropped at once, and comes back only when
    the venue sends it again. `checksum`: how the venue proves its books.
    """

    def __init__(
        self, *, rule: Rule | None = "contiguous", depth: int | None = None, checksum: Checksum | None = None
    ) -> None:
        """Raises:
        ValueError: a depth below 1.
        """
        if depth is not None and depth < 1:
            raise ValueError(f"expected a depth of at least 1, got {depth}")
        self.rule = rule
        self.depth = depth
        self.checksum = checksum
        self.sequence: int | None = None
        self.whole = False
        self._most = MOST_LEVELS if depth is None else depth
        self._bids = BookSide(descending=True)
        self._asks = BookSide(descending=False)

    def snapshot(
        self,
        bids: Iterable[Level],
        asks: Iterable[Level],
        sequence: int | None = None,
        previous: int | None = None,
        checksum: int | None = None,
    ) -> None:
        """Replace everything, sequence included.

        It takes the fields of a `BookDelta`, so that `snapshot(*delta)` is possible; a snapshot follows on nothing,
        whatever its `previous` is.

        Raises:
            CrossedBook: the best bid is at or above the best ask; another snapshot is needed.
            TooManyLevels, ChecksumMismatch: another snapshot is needed, too.
        """
        self._bids.replace(bids)
        self._asks.replace(asks)
        self.sequence = sequence
        self.whole = True
        self._refuse_what_cannot_be()
        if checksum is not None:
            self.check(checksum)

    def apply(self, delta: BookDelta) -> bool:
        """Merge changed levels; False when the delta changed nothing because of where it belongs.

        Deltas before the first snapshot, after an error and before the next snapshot, and those the book already
        holds, change nothing. All rows are merged, in their order, before what lies beyond the depth is dropped.

        Raises:
            SequenceGap: a delta skips over one that never came; the book needs a new snapshot.
            CrossedBook: the best bid is at or above the best ask afterwards; the book needs a new snapshot.
            TooManyLevels, ChecksumMismatch: the book needs a new snapshot, too.
        """
        if not self.whole:
            return False
        bids, asks, sequence, previous, checksum = delta
        held = self.sequence
        if sequence is not None:
            if held is not None:
                as_usual = sequence == held + 1 and previous is None and self.rule != "chained"
                if not as_usual and not self._follows(sequence, previous, held):
                    return False
            self.sequence = sequence
        elif self.rule == "chained":
            self._gap(f"expected a sequence after {held}, got none")
        self._bids.merge(bids)
        self._asks.merge(asks)
        self._refuse_what_cannot_be()
        if checksum is not None:
            self.check(checksum)
        return True

    def check(self, figure: int) -> None:
        """Compare the book with the venue's figure for it; for venues that send it in a message of its own.

        A book that is not whole is not compared, nor is one without a `checksum`.

        Raises:
            ChecksumMismatch: they differ; the book needs a new snapshot.
        """
        if self.checksum is None or not self.whole:
            return
        levels = self.checksum.levels
        bids, asks = self._bids.best(levels), self._asks.best(levels)
        self.whole = False  # also where a figure cannot be made
        ours = self.checksum.of(bids, asks)
        if ours == figure or (self.checksum.otherwise is not None and self.checksum.otherwise(bids, asks) == figure):
            self.whole = True
            return
        raise ChecksumMismatch(f"expected checksum {figure}, got {ours} from the book here")

    def distrust(self) -> None:
        """Change nothing more until a new snapshot."""
        self.whole = False

    def copy(self) -> OrderBook:
        """A copy of the book that later changes to this one do not touch."""
        book = OrderBook(rule=self.rule, depth=self.depth, checksum=self.checksum)
        book.sequence, book.whole = self.sequence, self.whole
        book._bids, book._asks = self._bids.copy(), self._asks.copy()
        return book

    def undoing(self, delta: BookDelta) -> BookDelta:
        """The delta that reverts `delta`, to be asked before that is applied.

        It has the levels of `delta` as they are now, and those that it may push out of the depth.
        """
        bids, asks = self._bids.held(delta.bids), self._asks.held(delta.asks)
        if self.depth is not None:
            bids += self._bids.worst(len(delta.bids))
            asks += self._asks.worst(len(delta.asks))
        return BookDelta(bids, asks, self.sequence)

    def undo(self, delta: BookDelta) -> None:
        """Merge what `undoing` returned; of several deltas the latest is reverted first."""
        self._bids.merge(delta.bids)
        self._asks.merge(delta.asks)
        self.sequence = delta.sequence

    def holds(self, delta: BookDelta) -> bool:
        """Whether all of a delta's levels are in the book already, or would be dropped as beyond its depth."""
        return self._bids.holds(delta.bids, self.depth) and self._asks.holds(delta.asks, self.depth)

    def has_same_sizes(self, other: OrderBook) -> bool:
        """Whether all levels of both sides have the same prices and sizes."""
        return self._bids.has_same_sizes(other._bids) and self._asks.has_same_sizes(other._asks)

    def bids(self, depth: int) -> list[Level]:
        """The best `depth` bids, best first; the same list while none of them changed. Not to be modified."""
        return self._bids.view(depth)

    def asks(self, depth: int) -> list[Level]:
        """The best `depth` asks, best first; the same list while none of them changed. Not to be modified."""
        return self._asks.view(depth)

    def views(self, depth: int) -> tuple[list[Level], list[Level]]:
        """Both sides, as `bids` and `asks` have them."""
        bids, asks = self._bids, self._asks
        return (
            bids.held_view if bids.held_view is not None and bids.held_depth == depth else bids.view(depth),
            asks.held_view if asks.held_view is not None and asks.held_depth == depth else asks.view(depth),
        )

    def best_bid(self) -> Level | None:
        """The highest bid, None when there is none."""
        return next(iter(self._bids.best(1)), None)

    def best_ask(self) -> Level | None:
        """The lowest ask, None when there is none."""
        return next(iter(self._asks.best(1)), None)

    def _follows(self, sequence: int, previous: int | None, held: int) -> bool:
        """Whether a delta follows on the sequence held; False: it is held already.

        Raises:
            SequenceGap: it does neither.
        """
        rule = self.rule
        if rule == "chained":
            # Where it follows is the proof, not how large its sequence is: two changes can have one time.
            if previous == held:
                return True
            if sequence > held or previous is None:
                came = "none" if previous is None else str(previous)
                self._gap(f"expected a change after {held}, got {sequence} after {came}")
            return False
        if rule is None:
            return True
        if sequence <= held:
            return False
        if rule == "contiguous" and held < (sequence - 1 if previous is None else previous):
            first = sequence if previous is None else previous + 1
            came = str(sequence) if first == sequence else f"{first} to {sequence}"
            self._gap(f"expected sequence {held + 1}, got {came}")
        return True

    def _gap(self, words: str) -> NoReturn:
        self.whole = False
        raise SequenceGap(words)

    def _refuse_what_cannot_be(self) -> None:
        if self._bids.count > self._most or self._asks.count > self._most:
            self._cut()
        bids, asks = self._bids.prices[-1], self._asks.prices[0]
        if bids and asks and bids[-1] >= asks[0]:
            self.whole = False
            best = f"best bid {plain_text(bids[-1])} is not below best ask {plain_text(asks[0])}"
            raise CrossedBook(f"crossed book: {best}")

    def _cut(self) -> None:
        """Drop the levels beyond the depth; without one, there are too many."""
        if self.depth is None:
            self.distrust()
            self._bids.replace(())
            self._asks.replace(())
            refuse_too_many(MOST_LEVELS + 1)
        else:
            self._bids.cut(self.depth)
            self._asks.cut(self.depth)


def levels_of(rows: Sequence[tuple[object, object]], path: str) -> list[Level]:
    """The levels of a message's rows, each the price and the size as they were decoded.

    Raises:
        BadMessage: a price that is not above 0, or a size below 0; names its place in `path`.
        TooManyLevels: as of `refuse_too_many`.
    """
    refuse_too_many(len(rows))
    try:
        return [Level(POSITIVE[price], NOT_NEGATIVE[size]) for price, size in rows]
    except (ValueError, TypeError):  # a list, or an object, is no key
        for index, (price, size) in enumerate(rows):  # once more, for the path
            positive(price, f"{path}[{index}].price")
            not_negative(size, f"{path}[{index}].size")
        raise


def refuse_too_many(levels: int) -> None:
    """Refuse too many levels of a side, before they are made.

    Raises:
        TooManyLevels: a book of so many would fill our memory.
    """
    if levels > MOST_LEVELS:
        raise TooManyLevels(f"more than {MOST_LEVELS} levels on a side of the book")
