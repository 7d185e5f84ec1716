"""B2TRADER's book: a snapshot, then deltas with absolute amounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venues import records
from venues.b2trader import messages as wire
from venues.b2trader.fields import VENUE, Common, expect, extra, figure
from venues.b2trader.versions import Trials
from venues.errors import CrossedBook, SequenceGap
from venues.toolkit.book import MOST_LEVELS, BookDelta, OrderBook, refuse_too_many
from venues.toolkit.decoding import DECODE_ERRORS
from venues.toolkit.numbers import NOT_NEGATIVE, NUMBERS, POSITIVE, not_negative, positive, whole_number
from venues.toolkit.resync import OldDeltas
from venues.venue import Confirmed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from msgspec import Raw

    from venues.b2trader.versions import DoubtfulBook, Lesson
    from venues.records import Level, Record
    from venues.venue import Now, Subscription

WHOLE_WITHIN = 5.0  # seconds of changes, after which a whole book does not come any more
_LEVEL = records.Level
_decode = wire.BOOK.quick


class BookFeed:
    """Book: a snapshot, then deltas with absolute amounts; printed when the shown levels have changed."""

    def __init__(self, subscription: Subscription, common: Common, lesson: Lesson) -> None:
        self.whole: bool  # from `begin` on
        self.trials = Trials(lesson)
        (self._symbol,) = subscription.symbols
        self._depth = subscription.depth
        self._common = common
        self._book = OrderBook(rule=self.trials.rule)
        self._shown: tuple[list[Level], list[Level]] | None
        self._doubtful: DoubtfulBook | None = None  # after a skip
        self._old = OldDeltas("version")
        self._early: float | None  # when the first change came that no whole book came before

    def begin(self) -> None:
        """Starts a new invocation: the book is unknown. What was learnt about the versions stays."""
        self.whole = False
        self._book.distrust()
        self._book.rule = self.trials.rule
        self._shown = self._early = None

    def take(self, item: Raw, now: Now) -> list[Record | Confirmed]:
        """The book if its shown levels have changed; else a `Confirmed`, or nothing."""
        message = self.merge(item, now)
        if message is None:
            return []
        shown = self._book.views(self._depth)
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
                extra=_totals(message),
            )
        ]

    def merge(self, item: Raw, now: Now) -> wire.BookItem | None:
        """Merges a message into the book and returns it; None if its version, or a missing snapshot, forbids that."""
        try:
            message = _decode(item)
        except DECODE_ERRORS as usual:
            message = wire.BOOK.again(item, usual)
        if message.instrument != self._symbol:
            expect(message.instrument, self._symbol)
        if not message.snapshot and not self.whole:
            self._wait_for_whole(now)
            return None
        delta = _delta(message)
        try:
            if message.snapshot:
                self._book.snapshot(*delta)
                self.whole = True
                self._old.whole(now)
                return message
            if self._book.apply(delta):
                return message
        except SequenceGap as gap:
            self._doubtful, self._book = self.trials.doubt(self._book, delta), OrderBook()
            self.whole = False
            raise SequenceGap(f"{gap}{self.trials.lesson.skipped(now)}") from None
        except CrossedBook:
            self.trials.crossed()
            raise
        self._old.see(self._book, delta, now)
        return None

    def _wait_for_whole(self, now: Now) -> None:
        """Notes a change that came before the whole book.

        Raises:
            SequenceGap: it has been waited for long enough; it must have been lost.
        """
        if self._early is None:
            self._early = now.mono
        elif now.mono - self._early >= WHOLE_WITHIN:
            raise SequenceGap(f"expected a whole book first, got nothing but changes for {WHOLE_WITHIN:.0f} s")

    def keeps(self, invocation: str) -> bool:
        """Whether an invocation with a doubtful book goes on beside the new one; it then becomes an old one."""
        doubtful, self._doubtful = self._doubtful, None
        if doubtful is not None:
            self.trials.begin(invocation, doubtful)
        return doubtful is not None

    def merge_old(self, invocation: str, item: Raw) -> None:
        """Merges an item of an old invocation into its doubtful book, which is not shown."""
        message = wire.BOOK.decode(item)
        expect(message.instrument, self._symbol)
        self.trials.merge(invocation, _delta(message), whole=message.snapshot)
        self._book.rule = self.trials.rule

    def weigh(self, now: Now) -> None:
        """Compares the doubtful books with the new whole state, which has just been taken."""
        self.trials.whole(self._book, now)
        self._book.rule = self.trials.rule


def _delta(message: wire.BookItem) -> BookDelta:
    version, bids, asks = whole_number(message.version, "item.version"), message.bids, message.asks
    if len(bids) > MOST_LEVELS or len(asks) > MOST_LEVELS:
        refuse_too_many(max(len(bids), len(asks)))
    return BookDelta(_levels(bids, "bids"), _levels(asks, "asks"), version)


def _totals(message: wire.BookItem) -> records.Extra | None:
    """The total amounts of both sides, as `extra` fields; None without any."""
    asks, bids = message.ask_total_amount, message.bid_total_amount
    if type(asks) is str and type(bids) is str and asks and bids:  # the usual spelling first
        try:
            return {"ask_total_amount": NUMBERS[asks], "bid_total_amount": NUMBERS[bids]}
        except ValueError:
            pass
    return extra(
        ask_total_amount=figure(asks, "item.askTotalAmount"), bid_total_amount=figure(bids, "item.bidTotalAmount")
    )


def _levels(rows: Iterable[wire.BookRow], side: str) -> list[Level]:
    try:
        return [
            _LEVEL(
                POSITIVE[row.price],
                NOT_NEGATIVE[row.amount],
                None,
                None if row.total is None or row.total == "" else NUMBERS[row.total],
            )
            for row in rows
        ]
    except (ValueError, TypeError):  # a list, or an object, is no key
        for index, row in enumerate(rows):  # once more, for the path
            positive(row.price, f"item.{side}[{index}].price")
            not_negative(row.amount, f"item.{side}[{index}].amount")
            figure(row.total, f"item.{side}[{index}].total")
        raise
