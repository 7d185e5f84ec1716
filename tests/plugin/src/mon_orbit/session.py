"""One connection to orbit, and what outlives it. No socket and no clock here: bytes and the time are handed in.

What comes out is one list, in order: records, states of streams, and what was wrong.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import msgspec

from mon_orbit.messages import MESSAGES, OUTLINE, Delta, Failure, Snapshot, Subscribed, TradeMessage
from venues import records
from venues.errors import BadMessage, BookError, NotAskedFor
from venues.session import AcknowledgedSession, BaseRoute, spread
from venues.toolkit.acknowledgements import Taken
from venues.toolkit.book import BookDelta, OrderBook, levels_of
from venues.toolkit.clock import VenueClock
from venues.toolkit.decoding import DECODE_ERRORS, excerpt, explain
from venues.toolkit.numbers import positive
from venues.toolkit.resync import BookKeeper
from venues.toolkit.times import refuse_seconds
from venues.toolkit.unasked import LeftOut
from venues.venue import BadFrame, Dial, StreamState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mon_orbit.messages import Message
    from venues.toolkit.acknowledgements import Request
    from venues.venue import Item, Now, Route, Session, Settings, Subscription

MOST_IN_A_REQUEST = 50  # symbols
MOST_ON_A_CONNECTION = 200  # symbols of all streams

# Which stream lives from which message.
STREAM_OF = {"snapshot": "book", "delta": "book", "trade": "trades"}


class OrbitSession(AcknowledgedSession):
    """One connection. `AcknowledgedSession` knows what was asked for, and what was acknowledged, refused or is late."""

    venue = "orbit"

    def __init__(self, route: OrbitRoute) -> None:
        super().__init__(route.taken, most=MOST_IN_A_REQUEST)
        self._route = route
        self._left_out = LeftOut("orbit")
        self._trades_in_doubt = False
        book = route.by_stream.get("book")
        self._books = {symbol: self._keeper(symbol) for symbol in (book.symbols if book else ())}

    def dial(self) -> Dial:
        """Where to connect. With a secret in the address, `shown` has a placeholder such as [api_key] in its place."""
        url = self._route.settings.url.rstrip("/") + "/ws"
        return Dial(url=url, shown=url)

    def opened(self, now: Now) -> list[Item]:
        """Asks for everything. Books are `syncing` until their snapshot; trades are live once acknowledged."""
        items: list[Item] = []
        for keeper in self._books.values():
            keeper.begin()
        for one in self._route.subscriptions:
            # A snapshot follows at once; if it does not, the book is asked for anew. Trades may be silent for hours.
            items += self._asked.ask(one.stream, one.symbols, now, data_within=10 if one.stream == "book" else None)
        return items

    def subscribe(self, request: Request) -> None:
        """Puts the frames of a request into `_out`; when and how often is `Acknowledgements`' business."""
        asked = {"id": request.id, "channel": request.channel, "symbols": request.symbols}
        if request.anew:  # a new snapshot only comes with a new subscription
            self._out.append(_text({"op": "unsubscribe", **asked}))
        self._out.append(_text({"op": "subscribe", **asked}))

    def receive(self, frame: bytes, now: Now) -> list[Item]:
        """What one message brings, in order. Whatever comes, nothing but items comes out: no exception."""
        try:
            message = MESSAGES.decode(frame)
        except DECODE_ERRORS as error:
            return self._not_understood(frame, explain(error), now)
        try:
            return self._take(message, now)
        except NotAskedFor as other:
            return self._left_out.say(STREAM_OF[_type(message)], other.symbol)
        except (BadMessage, BookError) as problem:
            return self._bad(_type(message), getattr(message, "symbol", None), str(problem), now)

    def _take(self, message: Message, now: Now) -> list[Item]:
        match message:
            case Subscribed():
                return self._on_answer(message, now)
            case Failure():
                return self._asked.failed(message.id, f"the venue says: {excerpt(message.message, 200)}", now)
            case Snapshot() | Delta():
                return self._on_book(message, now)
            case TradeMessage():
                return self._on_trade(message, now)

    def _on_answer(self, message: Subscribed, now: Now) -> list[Item]:
        """Takes the answer to a request. A snapshot follows for each book; until then nothing of it is known."""
        for symbol in message.symbols if message.channel == "book" else ():
            if symbol in self._books and not self._asked.is_taken("book", symbol):
                self._books[symbol].begin()
        return self._asked.answered(message.id, message.symbols, now)

    # --- the book

    def _keeper(self, symbol: str) -> BookKeeper:
        """The book of one symbol: after a gap or a bad message it is stale, and asked for anew, with pauses."""
        return BookKeeper(
            OrderBook(rule="contiguous"),
            self._route.subscriptions,
            venue=self.venue,
            symbol=symbol,
            env=self._route.label,
            again=partial(self._asked.again, "book", symbol),
        )

    def _on_book(self, message: Snapshot | Delta, now: Now) -> list[Item]:
        keeper = self._books.get(message.symbol)
        if keeper is None:
            raise NotAskedFor(message.symbol)
        refuse_seconds(message.time, "time")
        bids, asks = levels_of(message.bids, "bids"), levels_of(message.asks, "asks")
        items = self._told_by(message.time, now)
        if isinstance(message, Snapshot):
            if not self._asked.is_taken("book", message.symbol):
                keeper.begin()
            items += self._asked.arrived("book", message.symbol, now)
        if not self._asked.is_taken("book", message.symbol):
            return items  # left over from a subscription that is over, or refused: it may be old
        if isinstance(message, Snapshot):
            return [*items, *keeper.snapshot(bids, asks, now, sequence=message.sequence, time=message.time)]
        return [*items, *keeper.delta(BookDelta(bids, asks, message.sequence), now, time=message.time)]

    # --- trades

    def _on_trade(self, message: TradeMessage, now: Now) -> list[Item]:
        trades = self._route.by_stream.get("trades")
        if trades is None or message.symbol not in trades.symbols:
            raise NotAskedFor(message.symbol)
        refuse_seconds(message.time, "time")
        trade = records.Trade(
            venue=self.venue,
            env=self._route.label,
            symbol=message.symbol,
            time=message.time,
            received=now.epoch_ms,
            price=positive(message.price, "price"),
            size=positive(message.size, "size"),
            side=message.side,
            trade_id=message.id,
        )
        items = [*self._told_by(message.time, now), *self._asked.arrived("trades", message.symbol, now)]
        if not self._asked.is_taken("trades", message.symbol):
            return items  # refused, and sent all the same
        self._trades_in_doubt = False
        return [*items, trade]

    # --- what is told beside the data

    def _told_by(self, time: int, now: Now) -> list[Item]:
        """Shows the venue's time to the clock, which says how far it is from ours, so that ages are right."""
        self._route.clock.see(time, now)
        return self._route.clock.take()

    def _not_understood(self, frame: bytes, problem: str, now: Now) -> list[Item]:
        """An unknown kind of message is ignored, since venues add some. A known one that is wrong is a bad frame."""
        try:
            outline = OUTLINE.decode(frame)
        except DECODE_ERRORS:
            return self._bad(None, None, problem, now)
        if outline.type is None:
            return self._bad(None, None, problem, now)
        known = outline.type in (*STREAM_OF, "subscribed", "error")
        return self._bad(outline.type, outline.symbol, problem, now) if known else []

    def _bad(self, kind: str | None, symbol: str | None, problem: str, now: Now) -> list[Item]:
        """Reports a bad message, and doubts what it may have been about: all of it, if that cannot be told."""
        stream = None if kind is None else STREAM_OF.get(kind)
        concerned = tuple(one for one in self._route.by_stream if stream in (None, one))
        items: list[Item] = [BadFrame(f"{problem} (orbit {kind or 'frame'})", concerned)]
        if "book" in concerned:
            for keeper in self._books.values():
                if symbol in (None, keeper.symbol) or symbol not in self._books:
                    items += keeper.doubt(f"bad message: {problem}", now)
        if "trades" in concerned and not self._trades_in_doubt:
            self._trades_in_doubt = True  # said once, until a good one comes
            items.append(StreamState("trades", "live", "a bad message came: a trade may be missing"))
        return items


class OrbitRoute(BaseRoute):
    """The subscriptions of one connection, with what outlives it."""

    def __init__(self, subscriptions: Sequence[Subscription], settings: Settings) -> None:
        super().__init__(subscriptions, settings)
        self.taken = Taken()
        self.clock = VenueClock([one.stream for one in subscriptions])

    def session(self, secrets: Mapping[str, str]) -> Session:
        """Makes the session of a new connection."""
        return OrbitSession(self)


def routes(subscriptions: Sequence[Subscription], settings: Settings) -> list[Route]:
    """As few connections as the venue allows."""
    return [OrbitRoute(some, settings) for some in spread(subscriptions, MOST_ON_A_CONNECTION)]


def _text(message: object) -> str:
    return msgspec.json.encode(message).decode()


def _type(message: Message) -> str:
    return str(message.__struct_config__.tag)
