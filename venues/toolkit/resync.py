"""What becomes of a symbol's book: its records, its states, and what is done once it cannot be trusted. Pure.

Whatever is wrong with a book (a gap, a crossed book, a wrong checksum, a message that cannot be read) ends in the same
way: its streams are stale, a new snapshot is asked for, nothing is shown until it is here, and it replaces everything.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from venues import records
from venues.errors import BookError, SequenceGap
from venues.venue import Confirmed, StreamState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from venues.records import Extra, Level
    from venues.toolkit.book import BookDelta, OrderBook
    from venues.venue import Item, Now, Subscription

FALLEN_AFTER = 5  # deltas in a row that are not above the sequence held …
FALLEN_WITHIN = 2.0  # … or so many seconds of them, after which it is not chance any more
TRAILING = 2.0  # seconds after a snapshot in which deltas that it holds already are normal


class OldDeltas:
    """Tells deltas that the book holds already from a venue that counts anew, whose changes would all be left out."""

    __slots__ = ("_count", "_held", "_since", "_whole_at", "_word")

    def __init__(self, word: str = "sequence") -> None:
        """`word` is what the venue calls a sequence."""
        self._word = word
        self._whole_at = -math.inf
        self._count = 0  # a run of them: how many, …
        self._held: int | None  # … above which sequence none was, …
        self._since: float  # … and since when

    def whole(self, now: Now) -> None:
        """Notes that a snapshot came: deltas that are older may follow."""
        self._whole_at = now.mono
        self._count = 0

    def see(self, book: OrderBook, delta: BookDelta, now: Now) -> None:
        """Takes a delta that `OrderBook.apply` left out of a whole book.

        Raises:
            SequenceGap: there were too many in a row; the book needs a new snapshot.
        """
        if now.mono - self._whole_at < TRAILING:
            return
        held = book.sequence
        if delta.sequence == held and book.holds(delta):  # the same delta, repeated
            self._count = 0
            return
        if self._count and self._held == held:
            self._count += 1
        else:
            self._held, self._since, self._count = held, now.mono, 1
        if self._count >= FALLEN_AFTER or now.mono - self._since >= FALLEN_WITHIN:
            raise SequenceGap(
                f"expected a {self._word} above {held}, got {self._count} messages in a row that are not, "
                f"the latest of {self._word} {delta.sequence}"
            )


class BookKeepers:
    """The books of one connection, by symbol; what happens to all of them at once is said once."""

    def __init__(self, keepers: Iterable[BookKeeper]) -> None:
        self._keepers = {keeper.symbol: keeper for keeper in keepers}

    def __getitem__(self, symbol: str) -> BookKeeper:
        return self._keepers[symbol]

    def __contains__(self, symbol: str) -> bool:
        return symbol in self._keepers

    def __iter__(self) -> Iterator[BookKeeper]:
        return iter(self._keepers.values())

    def begin(self, reason: str = "") -> list[Item]:
        """To be called once all of them have been subscribed to."""
        return said_together([item for keeper in self for item in keeper.begin(reason)], self)

    def doubt(self, reason: str, now: Now) -> list[Item]:
        """Doubts all of them: a message could not be read, and may have been of any symbol."""
        return said_together([item for keeper in self for item in keeper.doubt(reason, now)], self)


def said_together(items: Sequence[Item], keepers: Iterable[BookKeeper]) -> list[Item]:
    """The items, where a state that all symbols of a stream share is one state without a symbol."""
    among = {stream: symbols for keeper in keepers for stream, symbols in keeper.among.items()}
    symbols: dict[StreamState, set[str]] = {}
    for item in items:
        if isinstance(item, StreamState) and item.symbol is not None:
            symbols.setdefault(replace(item, symbol=None), set()).add(item.symbol)
    shared = {state for state, of_state in symbols.items() if frozenset(of_state) == among.get(state.stream)}
    said: list[Item] = []
    for item in items:
        of_all = replace(item, symbol=None) if isinstance(item, StreamState) else None
        if of_all is None or of_all not in shared:
            said.append(item)
        elif of_all not in said:
            said.append(of_all)
    return said


class BookKeeper:
    """The streams `book` and `quotes` of one symbol on one connection, made of one order book.

    Give it decoded levels; it returns the items: a stream is `live` with its first whole book, a record comes whenever
    what is shown has changed, and a `Confirmed` when it has not.

    `streams`: those of the two that are wanted, each with the symbol that its states name, None where it has only this
    one. `among`: all symbols that each of them has on this connection.
    """

    def __init__(
        self,
        book: OrderBook,
        subscriptions: Iterable[Subscription],
        *,
        venue: str,
        symbol: str,
        env: str | None = None,
        price_unit: str | None = None,
        size_unit: str | None = None,
        extra: Extra | None = None,
        again: Callable[[Now], None] | None = None,
        awaited: str = "",
    ) -> None:
        """`subscriptions`: those of the connection; what is not `book` or `quotes`, or lacks the symbol, is left out.

        `extra` goes into each record of the book that is given none of its own. `again` asks the venue for a new
        snapshot, and has to be paced (`BaseSession.ask`); None where whole books come unasked. `awaited` is how the
        reason of a stale state ends, e.g. "waiting for the next book".
        """
        self.book = book
        self.symbol = symbol
        subscribed = list(subscriptions)
        of_symbol = {one.stream: one for one in subscribed if symbol in one.symbols}
        self.among: dict[str, frozenset[str]] = {
            name: frozenset(other for one in subscribed if one.stream == name for other in one.symbols)
            for name in ("book", "quotes")
            if name in of_symbol
        }
        # A state of one symbol among several names it; the only symbol of a stream is the stream's.
        self.streams = {name: symbol if len(symbols) > 1 else None for name, symbols in self.among.items()}
        self._shows_book, self._shows_quote = "book" in self.streams, "quotes" in self.streams
        if self._shows_book:
            self._depth = of_symbol["book"].depth
        self._venue = venue
        self._env = env
        self._price_unit = price_unit
        self._size_unit = size_unit
        self._extra = extra
        self._again = again
        self.awaited = awaited or ("a new snapshot is asked for" if again else "waiting for the next book")
        self._shown: tuple[list[Level], list[Level]] | None = None
        self._top: tuple[Level | None, Level | None] | None = None
        self._old = OldDeltas()

    def begin(self, reason: str = "") -> list[Item]:
        """To be called once the book has been subscribed to: nothing is known before the first snapshot."""
        self._distrust()
        return self.states("syncing", reason)

    def snapshot(
        self,
        bids: Iterable[Level],
        asks: Iterable[Level],
        now: Now,
        *,
        sequence: int | None = None,
        checksum: int | None = None,
        time: int | None = None,
        extra: Extra | None = None,
    ) -> list[Item]:
        """Replaces the book; `time` is the venue's, `extra` goes into the record of the book."""
        try:
            self.book.snapshot(bids, asks, sequence, None, checksum)
        except BookError as problem:
            return self.doubt(str(problem), now)
        self._old.whole(now)
        return self.show(now, time=time, extra=extra)

    def delta(self, delta: BookDelta, now: Now, *, time: int | None = None, extra: Extra | None = None) -> list[Item]:
        """Merges a delta; nothing comes of one that the book holds already, or that no snapshot came before."""
        book = self.book
        try:
            if book.apply(delta):
                return self.show(now, time=time, extra=extra)
            if book.whole:
                self._look_at_old(delta, now)
        except BookError as problem:
            return self.doubt(str(problem), now)
        return []

    def check(self, figure: int, now: Now) -> list[Item]:
        """Compares the book with a checksum that comes in a message of its own."""
        try:
            self.book.check(figure)
        except BookError as problem:
            return self.doubt(str(problem), now)
        return []

    def doubt(self, reason: str, now: Now, *, awaited: str = "") -> list[Item]:
        """Makes the streams stale, and asks for a new snapshot. To be called also when a message cannot be read.

        `awaited`: how this reason ends, where it differs.
        """
        self._distrust()
        if self._again is not None:
            self._again(now)
        return self.states("stale", f"{reason}; {awaited or self.awaited}")

    def load(
        self, bids: Iterable[Level], asks: Iterable[Level], sequence: int, now: Now, *, then: Sequence[BookDelta]
    ) -> None:
        """Replaces the book by a snapshot with the deltas that follow on it, without showing any of them.

        Raises:
            BookError: they do not fit together, or cannot be; the book is not whole.
        """
        self.book.snapshot(bids, asks, sequence)
        self._old.whole(now)
        for delta in then:
            self.book.apply(delta)

    def states(self, state: Literal["syncing", "live", "stale"], reason: str = "") -> list[Item]:
        """That state, for each of the streams."""
        return [StreamState(name, state, reason, symbol=symbol) for name, symbol in self.streams.items()]

    def show(self, now: Now, *, time: int | None = None, extra: Extra | None = None) -> list[Item]:
        """What a whole book shows: a record for each stream where that has changed, else a `Confirmed`."""
        items: list[Item] = []
        if self._shows_book:
            self._show_book(items, now, time, extra)
        if self._shows_quote:
            self._show_quote(items, now, time)
        return items

    def hide(self) -> None:
        """Forgets what is shown, so that `show` gives all of it again. The book itself stays."""
        self._shown = self._top = None

    def _show_book(self, items: list[Item], now: Now, time: int | None, extra: Extra | None) -> None:
        shown = self.book.views(self._depth)
        if shown == self._shown:
            items.append(Confirmed("book", time, self.streams["book"]))
            return
        if self._shown is None:
            items.append(StreamState("book", "live", symbol=self.streams["book"]))
        self._shown = shown
        items.append(
            records.Book(
                venue=self._venue,
                env=self._env,
                symbol=self.symbol,
                time=time,
                received=now.epoch_ms,
                bids=shown[0],
                asks=shown[1],
                sequence=self.book.sequence,
                price_unit=self._price_unit,
                size_unit=self._size_unit,
                extra=self._extra if extra is None else extra,
            )
        )

    def _show_quote(self, items: list[Item], now: Now, time: int | None) -> None:
        bid, ask = top = self.book.best_bid(), self.book.best_ask()
        if top == self._top:
            items.append(Confirmed("quotes", time, self.streams["quotes"]))
            return
        if self._top is None:
            items.append(StreamState("quotes", "live", symbol=self.streams["quotes"]))
        self._top = top
        items.append(
            records.Quote(
                venue=self._venue,
                env=self._env,
                symbol=self.symbol,
                time=time,
                received=now.epoch_ms,
                bid_price=bid.price if bid else None,
                bid_size=bid.size if bid else None,
                ask_price=ask.price if ask else None,
                ask_size=ask.size if ask else None,
                price_unit=self._price_unit,
                size_unit=self._size_unit,
            )
        )

    def _look_at_old(self, delta: BookDelta, now: Now) -> None:
        """Raises SequenceGap where a delta that was left out shows that the book may be wrong."""
        book = self.book
        if book.rule == "chained" and delta.sequence == book.sequence and not book.holds(delta):
            raise SequenceGap(f"expected each sequence once, got {delta.sequence} again with other levels")
        self._old.see(book, delta, now)

    def _distrust(self) -> None:
        self.book.distrust()
        self.hide()
