"""`book`: a snapshot, then changes, each with a checksum of the ten best levels a side. It makes `book` and `quotes`.

No sequence numbers exist: the checksum is the only proof. It is over the digits as they were sent; figures that lost
their zeros on the way count with the decimals that the pair's figures have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from venues.errors import BadMessage
from venues.kraken.feeds import VENUE
from venues.kraken.offers import DEPTHS
from venues.records import Level
from venues.toolkit.book import BookDelta, OrderBook, refuse_too_many
from venues.toolkit.checksum import Checksum, crc32_of_digits
from venues.toolkit.numbers import not_negative, positive
from venues.toolkit.resync import BookKeeper
from venues.toolkit.times import span
from venues.venue import EVERY_LEVEL

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from typing import Any

    from venues.kraken import messages as wire
    from venues.kraken.feeds import Arrival
    from venues.kraken.kept import Newest
    from venues.records import Extra
    from venues.venue import Item, Now, Subscription

CHECKED = 10  # levels a side that the checksum is of, whatever the depth
_AS_SENT = (0, 0)  # decimals of prices and sizes: no figure is filled up with zeros


def depth_of(levels: int) -> int:
    """The smallest depth of the venue's that has so many levels, else its largest."""
    return next((depth for depth in DEPTHS if depth >= levels), DEPTHS[-1])


class BookFeed(BookKeeper):
    """The book of one symbol on one connection."""

    channel = "book"

    def __init__(
        self,
        subscriptions: Sequence[Subscription],
        symbol: str,
        env: str | None,
        newest: Newest,
        again: Callable[[Now], None],
        say_once: Callable[[str], list[Item]],
    ) -> None:
        depths = (one.depth for one in subscriptions if one.stream == "book" and symbol in one.symbols)
        self._wanted = next(depths, 1)
        self.depth = depth_of(self._wanted)
        self._decimals = _AS_SENT  # of prices and sizes, as far as they are known
        super().__init__(
            self._new_book(),
            subscriptions,
            venue=VENUE,
            symbol=symbol,
            env=env,
            again=again,
            awaited="the book is subscribed to anew",
        )
        self._newest = newest
        self._say_once = say_once
        # Of the latest message: when it came, its checksum, and how many milliseconds older it is than what was shown.
        self._at: Arrival
        self._figure: int
        self._older: int

    @property
    def ready(self) -> bool:
        """Whether the book is whole, and not older than the one that was shown before."""
        return self.book.whole and not self._older

    def settings(self) -> dict[str, Any]:
        """The depth."""
        return {"depth": self.depth}

    def acknowledged(self, result: wire.Result, now: Now) -> list[Item]:
        """Takes the depth that the venue says: what lies beyond is not kept up to date."""
        if result.depth is None or result.depth == self.depth or result.depth < 1:
            return []
        before = self.book
        if before.whole and result.depth > self.depth:
            return []
        self.depth = result.depth
        self.book = self._new_book()
        items: list[Item] = []
        if before.whole:  # the snapshot came first
            self.book.snapshot(*before.views(self.depth))
            items += self.again(now)
        if self.depth >= min(self._wanted, DEPTHS[-1]) or self._wanted == EVERY_LEVEL:
            return items
        notice = f"kraken gives {self.depth} levels a side of {self.symbol}, not {self._wanted}"
        return [*self._say_once(notice), *items]

    def take(self, rows: Sequence[wire.Book], at: Arrival, *, snapshot: bool) -> list[Item]:
        """The book as it is now; nothing while its snapshot has not come."""
        items: list[Item] = []
        for index, row in enumerate(rows):
            path = f"data[{index}]"
            bids, asks = _levels(row.bids, f"{path}.bids"), _levels(row.asks, f"{path}.asks")
            self._at, self._figure = at, row.checksum
            self._older = 0 if at.sent is None else self._newest.older_by(at.fine)
            extra = {"checksum": row.checksum}
            if snapshot:
                items += self.snapshot(bids, asks, at.now, checksum=row.checksum, time=at.sent, extra=extra)
            else:
                delta = BookDelta(bids, asks, checksum=row.checksum)
                items += self.delta(delta, at.now, time=at.sent, extra=extra)
                if not self.book.whole and not self._older and at.believed:
                    self._newest.shows(at.fine, at.now, believed=True)  # so a snapshot from before it is old
        return items

    def show(self, now: Now, *, time: int | None = None, extra: Extra | None = None) -> list[Item]:
        """What a whole book shows. One that is older than the one shown before is not shown."""
        if self._older:
            self.hide()
            words = f"the venue sends a book {span(self._older)} older than the one before; waiting until it is newer"
            return self.states("stale", words)
        if time is not None:
            self._newest.shows(self._at.fine, now, believed=self._at.believed)
        return super().show(now, time=time, extra=extra)

    def again(self, now: Now) -> list[Item]:
        """The book as it is, once more."""
        if not self.ready:
            return []
        self.hide()
        return super().show(now, time=self._at.sent, extra={"checksum": self._figure})

    def only(self, streams: Collection[str]) -> None:
        """Goes on for these streams alone."""
        self.streams = {stream: symbol for stream, symbol in self.streams.items() if stream in streams}
        self._shows_book, self._shows_quote = "book" in self.streams, "quotes" in self.streams

    def forget(self) -> None:
        """Forgets the book: nothing is shown of it until a snapshot comes."""
        self.book.distrust()
        self.hide()

    def set_decimals(self, price: int | None, size: int | None) -> None:
        """Sets how many decimals the pair's prices and sizes have, as the venue says."""
        if price is None or size is None or not (0 <= price <= 40 and 0 <= size <= 40):
            return
        self._decimals = price, size  # which `_read_otherwise` tries first

    def _new_book(self) -> OrderBook:
        return OrderBook(rule=None, depth=self.depth, checksum=self._checksum(*self._decimals))

    def _checksum(self, price: int, size: int) -> Checksum:
        first = crc32_of_digits(CHECKED, price_decimals=price, size_decimals=size)
        return Checksum(CHECKED, first.of, self._read_otherwise)

    def _read_otherwise(self, bids: Sequence[Level], asks: Sequence[Level]) -> int:
        """The venue's figure in another reading of the digits, if there is one that gives it."""
        for price, size in self._other_decimals([*bids, *asks]):
            checksum = crc32_of_digits(CHECKED, price_decimals=price, size_decimals=size)
            for reading in (checksum.of, checksum.otherwise):
                if reading is not None and reading(bids, asks) == self._figure:
                    if reading is checksum.of:
                        self.book.checksum = self._checksum(price, size)
                    return self._figure
        return ~self._figure  # none: any other figure says so

    def _other_decimals(self, levels: Sequence[Level]) -> Iterator[tuple[int, int]]:
        """What else the pair's decimals may be: the most that a figure here has, or none that were lost."""
        yield self._decimals
        if levels:
            yield max(map(_price_decimals, levels)), max(map(_size_decimals, levels))
        yield _AS_SENT


def _levels(rows: Sequence[wire.BookLevel], path: str) -> list[Level]:
    refuse_too_many(len(rows))
    try:
        return [Level(positive(row.price, "price"), not_negative(row.qty, "qty")) for row in rows]
    except BadMessage:  # once more, for the path
        return [
            Level(positive(row.price, f"{path}[{index}].price"), not_negative(row.qty, f"{path}[{index}].qty"))
            for index, row in enumerate(rows)
        ]


def _price_decimals(level: Level) -> int:
    return max(0, -int(level.price.as_tuple().exponent))


def _size_decimals(level: Level) -> int:
    return max(0, -int(level.size.as_tuple().exponent))
