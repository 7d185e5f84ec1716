"""`orderbookupdate`: a book whose changes come on the socket in a chain, and whose snapshot is fetched over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from venues.errors import BadMessage
from venues.records import Level
from venues.toolkit.book import BookDelta, OrderBook, refuse_too_many
from venues.toolkit.decoding import DECODE_ERRORS, excerpt
from venues.toolkit.numbers import NOT_NEGATIVE, POSITIVE, not_negative, positive
from venues.toolkit.resync import BookKeeper
from venues.toolkit.seeding import Seed, SeededBook
from venues.venue import HttpRequest
from venues.woox import messages as wire
from venues.woox.feeds import VENUE, milliseconds, of_symbol
from venues.woox.plan import depth_of

if TYPE_CHECKING:
    from msgspec import Raw

    from venues.venue import HttpResponse, Item, Now, Settings, Subscription
    from venues.woox.feeds import Arrival
    from venues.woox.messages import RestLevel, Row


class BookFeed:
    """The book of one symbol: each change follows on the one before by `prevTs`, and the first on the snapshot.

    The book never has more levels than are subscribed: those beyond are not kept up to date.
    """

    stream = "book"

    def __init__(self, subscription: Subscription, symbol: str, settings: Settings, *, rpi: bool) -> None:
        self.symbol = symbol
        self.stirs = True
        depth = depth_of(subscription)
        keeper = BookKeeper(
            OrderBook(rule="chained", depth=depth),
            [subscription],
            venue=VENUE,
            symbol=symbol,
            env=settings.label,
            extra={"rpi": rpi},
        )
        self.seeded = SeededBook(keeper, _request(settings, symbol, depth, rpi=rpi), read_snapshot)

    def take(self, data: Raw, at: Arrival) -> list[Item]:
        """What a change brings: the book as it is now, nothing while it is not seeded."""
        change = wire.BOOK_CHANGE.decode(data)
        of_symbol(self.symbol, change.s)
        time, previous = milliseconds(change.ts, "data.ts"), milliseconds(change.previous, "data.prevTs")
        if previous > time:
            raise BadMessage(f"expected at most `data.ts` ({time}) at `data.prevTs`, got {previous}")
        delta = BookDelta(_levels(change.bids, "bids"), _levels(change.asks, "asks"), time, previous)
        was_live = self.seeded.live
        items = self.seeded.change(delta, at.now, time=time)
        self.stirs = not (was_live and self.seeded.live)
        return items

    def doubt(self, reason: str, now: Now) -> list[Item]:
        """Seeds the book anew: a change is missing."""
        return self.seeded.doubt(reason, now)


def read_snapshot(answer: HttpResponse) -> Seed:
    """The snapshot in the answer of `GET /v3/public/orderbook`. A failure can come as HTTP 200, too.

    Raises:
        BadMessage, or one of `DECODE_ERRORS`: there is none in it.
    """
    try:
        said = wire.SAID.decode(answer.body)
    except DECODE_ERRORS:
        said = wire.Said()  # the reader below says what is wrong with it
    else:
        refuse_failure(said)
    book = wire.REST_BOOK.decode(answer.body)
    time = milliseconds(book.timestamp, "timestamp")
    return Seed(_rest_levels(book.data.bids, "bids"), _rest_levels(book.data.asks, "asks"), time, time)


def refuse_failure(said: wire.Said) -> None:
    """Checks that an answer is no failure.

    Raises:
        BadMessage: it is one; in the venue's words.
    """
    if said.success is True:
        return
    code = "" if said.code is None else f" (code {said.code})"
    raise BadMessage(f"the venue says: {excerpt(said.message or 'no reason given', 200)}{code}")


def _request(settings: Settings, symbol: str, depth: int, *, rpi: bool) -> HttpRequest:
    query = urlencode({"symbol": symbol, "maxLevel": depth, **({"rpi": "true"} if rpi else {})}, quote_via=quote)
    url = f"{settings.rest_url.rstrip('/')}/v3/public/orderbook?{query}"
    return HttpRequest("GET", url, url)


def _levels(rows: list[Row], side: str) -> list[Level]:
    refuse_too_many(len(rows))
    try:
        return [Level(POSITIVE[price], NOT_NEGATIVE[size]) for price, size in rows]
    except (ValueError, TypeError):
        for index, (price, size) in enumerate(rows):  # once more, for the path
            positive(price, f"data.{side}[{index}][0]")
            not_negative(size, f"data.{side}[{index}][1]")
        raise BadMessage(f"expected prices and sizes at `data.{side}`, got something else") from None


def _rest_levels(rows: list[RestLevel], side: str) -> list[Level]:
    refuse_too_many(len(rows))
    return [
        Level(
            positive(row.price, f"data.{side}[{index}].price"), positive(row.quantity, f"data.{side}[{index}].quantity")
        )
        for index, row in enumerate(rows)
    ]
