"""B2TRADER's book: a snapshot, then deltas with absolute amounts, and what its versions teach."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from venues import records
from venues.b2trader_fields import VENUE, Common, expect, extra, figure
from venues.book import BookDelta, OrderBook
from venues.errors import BadMessage, CrossedBook, SequenceGap
from venues.numbers import NOT_NEGATIVE, NUMBERS, POSITIVE, not_negative_text, positive_text
from venues.venue import Confirmed
from venues.wire import b2trader as wire

if TYPE_CHECKING:
    from collections.abc import Iterable
    from decimal import Decimal

    from msgspec import Raw

    from venues.records import Level, Record
    from venues.venue import Now, Subscription

SKIPS_THAT_PROVE = 3  # resyncs after which skipped versions are this host's way of counting …
WITHIN_DELTAS = 200  # … when they happened within so many deltas and the book was never crossed

_EVERY_LEVEL = 1_000_000_000
_LEVEL = records.Level
_NOTHING: list[Any] = []
_Amounts: TypeAlias = "tuple[Decimal, Decimal]"


class VersionLesson:
    """What this host has taught about a book's version; outlives reconnects.

    The document shows a version and does not say that it counts by one. That is assumed until skips prove normal:
    three resyncs within 200 deltas while the book was never crossed, and while no new full state told that what was
    skipped was lost.
    """

    def __init__(self) -> None:
        self.skips_are_normal = False
        self.to_say = ""  # said once, by whoever clears it
        self.deltas = 0  # looked at so far
        self._resyncs: deque[int] = deque(maxlen=SKIPS_THAT_PROVE)

    def resynced(self, skipped_at: int) -> None:
        """The full state after a skip is here; `skipped_at` is what `deltas` was then."""
        if self.skips_are_normal:
            return
        self._resyncs.append(skipped_at)
        if len(self._resyncs) == SKIPS_THAT_PROVE and skipped_at - self._resyncs[0] < WITHIN_DELTAS:
            self.skips_are_normal = True
            self.to_say = (
                f"book versions skip at this host ({SKIPS_THAT_PROVE} times within {WITHIN_DELTAS} deltas, and the "
                "book was never crossed): from now on a version only has to grow, so a lost delta would go unnoticed"
            )

    def contradicted(self) -> None:
        """The book was crossed, or something was lost: skips before that prove nothing."""
        self._resyncs.clear()


class _Skip(NamedTuple):
    """A version that was skipped: when, and the book that there would be if nothing was lost (None: a crossed one)."""

    at: int
    version: int
    book: tuple[list[_Amounts], list[_Amounts]] | None


class BookFeed:
    """Book: a snapshot, then deltas with absolute amounts; printed when the shown levels have changed."""

    def __init__(self, subscription: Subscription, common: Common, lesson: VersionLesson) -> None:
        self.whole = False
        self._symbol = subscription.symbols[0]
        self._depth = subscription.depth
        self._common = common
        self._lesson = lesson
        self._book = OrderBook(contiguous=not lesson.skips_are_normal)
        self._shown: tuple[list[Level], list[Level]] | None = None
        self._skip: _Skip | None = None

    def begin(self) -> None:
        """Nothing is known; the lesson stays."""
        self.whole = False
        self._book.distrust()
        self._book.contiguous = not self._lesson.skips_are_normal
        self._shown = None

    def take(self, item: Raw, now: Now) -> list[Record | Confirmed]:
        """The book, when what is shown of it has changed."""
        message = self.merge(item)
        if message is None:
            return _NOTHING
        shown = (self._book.bids(self._depth), self._book.asks(self._depth))
        if shown == self._shown:
            return [Confirmed("book")]
        self._shown = shown
        return [
            records.Book(
                venue=VENUE,
                env=self._common.env,
                symbol=self._symbol,
                received=now.epoch_ms,
                bids=shown[0],
                asks=shown[1],
                sequence=self._book.sequence,
                extra=extra(
                    ask_total_amount=figure(message.ask_total_amount, "item.askTotalAmount"),
                    bid_total_amount=figure(message.bid_total_amount, "item.bidTotalAmount"),
                ),
            )
        ]

    def merge(self, item: Raw) -> wire.BookItem | None:
        """The message, once it is part of the book; None when it changes nothing because of where it belongs."""
        message = wire.BOOK.decode(item)
        if message.instrument != self._symbol:
            expect(message.instrument, self._symbol)
        if not message.snapshot and not self.whole:
            return None
        version = _version(message.version)
        bids, asks = _levels(message.bids, "bids"), _levels(message.asks, "asks")
        delta = BookDelta(bids, asks, version)
        try:
            if message.snapshot:
                self._book.snapshot(bids, asks, version)
                self.whole = True
                self._learn(version)
                return message
            self._lesson.deltas += 1
            return message if self._book.apply(delta) else None
        except SequenceGap:
            self._skip = self._skipped(delta, version)
            raise
        except CrossedBook:
            self._lesson.contradicted()
            raise

    def _skipped(self, delta: BookDelta, version: int) -> _Skip:
        self._book.contiguous, self._book.whole = False, True
        try:
            self._book.apply(delta)
        except CrossedBook:
            self._lesson.contradicted()
            return _Skip(self._lesson.deltas, version, None)
        finally:
            self._book.distrust()
        return _Skip(self._lesson.deltas, version, self._amounts())

    def _learn(self, version: int) -> None:
        """What a full state says about the skip before it."""
        skip, self._skip = self._skip, None
        if skip is None or skip.book is None:
            return
        if skip.version == version and skip.book != self._amounts():
            self._lesson.contradicted()
            return
        self._lesson.resynced(skip.at)
        self._book.contiguous = not self._lesson.skips_are_normal

    def _amounts(self) -> tuple[list[_Amounts], list[_Amounts]]:
        bids, asks = self._book.bids(_EVERY_LEVEL), self._book.asks(_EVERY_LEVEL)
        return [(level.price, level.size) for level in bids], [(level.price, level.size) for level in asks]


def _levels(rows: Iterable[wire.BookRow], side: str) -> list[Level]:
    try:
        return [
            _LEVEL(
                POSITIVE[row.price],
                NOT_NEGATIVE[row.amount],
                None,
                None if row.total is None else NUMBERS[row.total],
            )
            for row in rows
        ]
    except ValueError:
        for index, row in enumerate(rows):  # once more, for the path
            positive_text(row.price, f"item.{side}[{index}].price")
            not_negative_text(row.amount, f"item.{side}[{index}].amount")
            figure(row.total, f"item.{side}[{index}].total")
        raise


def _version(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 40):
        raise BadMessage(f'expected a whole number in a text at `item.version`, got "{text[:60]}"')
    return int(text)
