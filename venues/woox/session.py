"""WOO X: topics of any symbol on one plain WebSocket, the books seeded over HTTP.

Documents: the venue's WebSocket v3 pages, and a public measurement of the wire. The connection is kept by the WebSocket
pings that every venue gets; the venue's own `PING` is for the stream `ping` alone.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from msgspec import Struct, json

from venues.errors import BadMessage, BookError
from venues.protocols.pings import SocketPings
from venues.session import AcknowledgedSession, BaseRoute
from venues.toolkit.acknowledgements import Taken
from venues.toolkit.clock import NewestState, VenueClock
from venues.toolkit.decoding import DECODE_ERRORS, Reader, excerpt, explain
from venues.toolkit.dials import Dials
from venues.toolkit.made_candles import ClockedCandles
from venues.toolkit.seeding import SeededBooks
from venues.toolkit.unasked import LeftOut
from venues.venue import EVERY_LEVEL, BadFrame, Dial, Item, Notice, Now, Out, StreamState
from venues.woox import messages as wire
from venues.woox.book import BookFeed
from venues.woox.feeds import VENUE, Arrival, CandleFeed, JoinedFeed, QuoteFeed, TickerFeed, TradeFeed, milliseconds
from venues.woox.offers import DEPTHS
from venues.woox.plan import DIALS_WITHIN, MOST_AT_ONCE, MOST_DIALS, channel_of, is_rpi, joined_into, shared_out

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from venues.toolkit.acknowledgements import Request
    from venues.venue import HttpResponse, NoResponse, Route, Session, Settings, Subscription
    from venues.woox.feeds import Feed

LONGEST_ID = 18  # digits of the number of a request of ours, which comes back with its answer

_decode = wire.ENVELOPE.quick


class _Outline(Struct):
    """What can be read of a message that is no `Envelope`."""

    topic: Any = None
    cmd: Any = None


_OUTLINE: Reader[_Outline] = Reader(_Outline)


class _Topic:
    """One topic of the connection. `taken`: the venue has acknowledged it, or sent data of it."""

    __slots__ = ("channel", "feed", "symbol", "taken", "tried")

    def __init__(self, channel: str, symbol: str, feed: Feed) -> None:
        self.channel = channel
        self.symbol = symbol
        self.feed = feed
        self.taken = False
        self.tried = False  # it was asked for on this connection


class WooXSession(AcknowledgedSession):
    """One connection to WOO X."""

    venue = VENUE

    def __init__(self, route: WooXRoute) -> None:
        super().__init__(route.taken, most=MOST_AT_ONCE)
        self._route = route
        self._topics: dict[str, _Topic] = {}
        self._tickers: list[TickerFeed] = []
        self._candles: list[ClockedCandles] = []
        self._left_out = LeftOut(VENUE)
        self._pings = SocketPings(VENUE, route.label, _ping, what="PING")
        books: list[BookFeed] = []
        for subscription in route.subscriptions:
            for symbol in subscription.symbols:
                feed = self._feed(subscription, symbol)
                self._topics[channel_of(subscription).format(symbol)] = _Topic(channel_of(subscription), symbol, feed)
                if isinstance(feed, BookFeed):
                    books.append(feed)
                elif isinstance(feed, CandleFeed):
                    self._candles.append(feed.candles)
                elif isinstance(feed, TickerFeed):
                    self._tickers.append(feed)
                    self._join(feed)
        self._books = SeededBooks([feed.seeded for feed in books])

    def dial(self) -> Dial:
        """Where the WebSocket is opened; nothing in it is secret."""
        url = f"{self._route.settings.url.rstrip('/')}/v3/public"
        return Dial(url=url, shown=url)

    def opened(self, now: Now) -> list[Item]:
        """Asks for all topics, ten at a time. Candles that were open before may have ended meanwhile."""
        items: list[Item] = self._route.to_say()
        for candles in self._candles:
            candles.forget()
        channels: dict[tuple[str, str], list[str]] = {}
        for topic in self._topics.values():
            channels.setdefault((topic.channel, topic.feed.stream), []).append(topic.symbol)
        for (channel, stream), symbols in channels.items():
            items += self._asked.ask(channel, symbols, now, streams=[stream] if stream else [])
        items += self._books.begin(now)
        if "ping" in self._route.by_stream:
            items += self._pings.begin(now)
        return items

    def subscribe(self, request: Request) -> None:
        """Asks for the topics of a request; those that may be subscribed to already are given back before."""
        topics = [request.channel.format(symbol) for symbol in request.symbols]
        again = [name for name in topics if self._topics[name].tried]
        if again:  # the venue leaves out of its answer what is subscribed to already
            self._send({"id": f"{request.id}-", "cmd": "UNSUBSCRIBE", "params": again})
        for name in topics:
            self._topics[name].tried = True
        self._send({"id": str(request.id), "cmd": "SUBSCRIBE", "params": topics})

    def receive(self, frame: bytes, now: Now) -> list[Item]:
        """What one message brings, in order; topics that nobody asked for are left out."""
        try:
            message = _decode(frame)
        except DECODE_ERRORS as usual:
            try:
                message = wire.ENVELOPE.again(frame, usual)
            except DECODE_ERRORS as error:
                return self._not_understood(frame, explain(error), now)
        if not message.topic:
            self.stirred = True
            return self._answered(message, now)
        topic = self._topics.get(message.topic)
        if topic is None:
            return self._unasked(message.topic)
        try:
            return self._take(topic, message, now)
        except (BadMessage, BookError) as problem:
            return self._bad(topic, str(problem), now)
        except DECODE_ERRORS as error:
            return self._bad(topic, explain(error), now)

    def fetched(self, request: str, answer: HttpResponse | NoResponse, now: Now) -> list[Item]:
        """What a snapshot of a book brings to it."""
        return self._books.fetched(request, answer, now)

    def deadline(self) -> float | None:
        """The earliest of all that is due: a request, an answer, a snapshot, a candle's end, an old figure, a ping."""
        moments = (
            super().deadline(),
            self._books.deadline(),
            self._pings.due,
            *(candles.due for candles in self._candles),
            *(ticker.deadline() for ticker in self._tickers),
        )
        return min((due for due in moments if due is not None), default=None)

    def tick(self, now: Now) -> list[Item]:
        """Does what is due."""
        items = super().tick(now)
        self._close(self._asked.over)
        items += [*self._books.tick(now), *self._pings.tick(now)]
        for candles in self._candles:
            items += candles.tick(now)
        for ticker in self._tickers:
            items += ticker.tick(now)
        return items

    def leave(self, now: Now) -> None:
        """Asks for nothing more. The venue forgets the subscriptions with the connection."""
        super().leave(now)
        self._stop()

    def closed(self, code: int | None, reason: str, now: Now) -> list[Item]:
        """Ends what was begun on this connection."""
        self._stop()
        return super().closed(code, reason, now)

    def take(self) -> list[Out]:
        """The commands, pings and requests to send; each is returned once."""
        self.stirred = False
        return [*super().take(), *self._pings.take(), *self._books.take()]

    # --- feeds

    def _feed(self, subscription: Subscription, symbol: str) -> Feed:
        route, env, rpi = self._route, self._route.label, is_rpi(subscription)
        match subscription.stream:
            case "book":
                return BookFeed(subscription, symbol, route.settings, rpi=rpi)
            case "quotes":
                return QuoteFeed(symbol, env, route.newest("quotes", symbol), rpi=rpi)
            case "trades":
                return TradeFeed(symbol, env)
            case "candles":
                return CandleFeed(symbol, subscription.interval, env, route.candles(symbol))
            case _:
                return TickerFeed(symbol, env, route.newest("ticker", symbol))

    def _join(self, ticker: TickerFeed) -> None:
        """Adds the topics of what is joined into a ticker."""
        for name, channel, symbol, lasts in joined_into(ticker.symbol):
            feed = ticker.joined[name] = JoinedFeed(name, symbol, lasts)
            self._topics[channel.format(symbol)] = _Topic(channel, symbol, feed)

    def _take(self, topic: _Topic, message: wire.Envelope, now: Now) -> list[Item]:
        items: list[Item] = []
        if not topic.taken:
            self.stirred = True
            items += self._asked.arrived(topic.channel, topic.symbol, now)
            if not self._asked.is_taken(topic.channel, topic.symbol):
                return items  # the venue has refused it, and goes on all the same
            items += self._begin(topic, now)
        sent, believed = message.ts, True
        if sent is not None:
            believed = self._route.clock.see(milliseconds(sent, "ts"), now)
            if self._route.clock.items:
                items += self._route.clock.take()
        items += topic.feed.take(message.data, Arrival(now, sent, believed))
        self.stirred = self.stirred or topic.feed.stirs
        return items

    def _begin(self, topic: _Topic, now: Now) -> list[Item]:
        """The venue has taken a topic: from here on every change of a book comes, so it can be seeded."""
        topic.taken = True
        return topic.feed.seeded.acknowledged(now) if isinstance(topic.feed, BookFeed) else []

    def _close(self, streams: Iterable[str]) -> None:
        """Drops the topics of streams that were refused."""
        for name in [name for name, topic in self._topics.items() if topic.feed.stream in streams]:
            feed = self._topics.pop(name).feed
            if isinstance(feed, BookFeed):
                feed.seeded.stop()

    def _stop(self) -> None:
        self._books.stop()
        self._pings.stop()
        for candles in self._candles:
            candles.forget()
        self._tickers.clear()

    # --- answers

    def _answered(self, message: wire.Envelope, now: Now) -> list[Item]:
        match message.cmd:
            case "PONG":
                return self._pings.pong(now, message.time)
            case "SUBSCRIBE":
                return self._subscribed(message, now)
            case "ERROR":
                return [Notice(f"woox did not understand a command of ours: {_words(message)}")]
            case "UNSUBSCRIBE":
                return []
            case _ if message.success is False:
                return [Notice(f"woox says: {_words(message)}")]
            case _:
                return []  # of a kind that is not known yet

    def _subscribed(self, message: wire.Envelope, now: Now) -> list[Item]:
        """Takes the answer to a subscription: what was refused is only missing from its list."""
        if message.id is None or not message.id.isdecimal() or len(message.id) > LONGEST_ID:
            return []
        number = int(message.id)
        if message.success is False:
            return self._over(self._asked.failed(number, f"it says: {_words(message)}", now), now)
        try:
            names = wire.TOPICS.decode(message.data)
        except DECODE_ERRORS as error:
            return [BadFrame(f"{explain(error)} (woox SUBSCRIBE)", ())]
        taken = [topic for name in names if (topic := self._topics.get(name)) is not None]
        items = self._asked.answered(number, {topic.symbol for topic in taken}, now)
        for topic in taken:
            if not topic.taken and self._asked.is_taken(topic.channel, topic.symbol):
                items += self._begin(topic, now)
        return self._over(items, now)

    def _over(self, items: list[Item], now: Now) -> list[Item]:
        """The items of an answer; what it refuses is shown no more, also where data came before it."""
        self._close(self._asked.over)
        for topic in self._topics.values():
            if topic.taken and not self._asked.is_taken(topic.channel, topic.symbol):
                topic.taken = False
                topic.feed.doubt("", now)  # the items say so already
                if isinstance(topic.feed, BookFeed):
                    topic.feed.seeded.stop()
        return items

    # --- what went wrong

    def _unasked(self, name: str) -> list[Item]:
        channel, _, rest = name.partition("@")
        streams = {topic.channel.partition("@")[0]: topic.feed.stream for topic in self._topics.values()}
        return self._left_out.say(streams[channel], rest.partition("@")[0]) if streams.get(channel) else []

    def _not_understood(self, frame: bytes, problem: str, now: Now) -> list[Item]:
        """A message that is none: bad for its topic if that can be read, else for all."""
        self.stirred = True
        try:
            outline = _OUTLINE.decode(frame)
        except DECODE_ERRORS:
            outline = None
        if outline is not None and isinstance(outline.topic, str):
            topic = self._topics.get(outline.topic)
            return self._unasked(outline.topic) if topic is None else self._bad(topic, problem, now)
        if outline is not None and outline.cmd:  # an answer has no data
            return [BadFrame(f"{problem} (woox answer)", ())]
        doubted = [item for topic in self._topics.values() for item in topic.feed.doubt(f"bad frame: {problem}", now)]
        return [BadFrame(f"{problem} (woox frame)"), *self._said_together(doubted)]

    def _said_together(self, items: list[Item]) -> list[Item]:
        """The items, where a state that all symbols of a stream share is one state without a symbol."""
        said: list[Item] = []
        of_all: dict[str, set[str | None]] = {}
        for subscription in self._route.subscriptions:
            of_all.setdefault(subscription.stream, set()).update(subscription.symbols)
        for item in items:
            if not isinstance(item, StreamState):
                said.append(item)
                continue
            same = {one.symbol for one in items if isinstance(one, StreamState) and _is_same(one, item)}
            whole = replace(item, symbol=None) if same == of_all[item.stream] else item
            if whole not in said:
                said.append(whole)
        return said

    def _bad(self, topic: _Topic, problem: str, now: Now) -> list[Item]:
        """Reports a bad message of a topic, and doubts what lives from it."""
        self.stirred, stream = True, topic.feed.stream
        bad = BadFrame(f"{problem} (woox {topic.channel.partition('@')[0]})", (stream,) if stream else ())
        return [bad, *topic.feed.doubt(f"bad frame: {problem}", now)]

    def _send(self, command: Mapping[str, Any]) -> None:
        self._out.append(json.encode(command).decode())


def _is_same(one: StreamState, other: StreamState) -> bool:
    return (one.stream, one.state, one.reason) == (other.stream, other.state, other.reason)


def _ping(now: Now) -> Out:
    return f'{{"cmd":"PING","ts":{now.epoch_ms}}}'


def _words(message: wire.Envelope) -> str:
    """What the venue says in an answer that is no list of topics."""
    try:
        words = wire.WORDS.decode(message.data)
    except DECODE_ERRORS:
        words = bytes(message.data).decode(errors="replace")
    return excerpt(words, 200) or "no reason given"


# --- what outlives a connection ------------------------------------------------------------------------------------


class WooXRoute(BaseRoute):
    """The topics of one connection, with what outlives it: the clock, what was taken, times and candles."""

    def __init__(self, subscriptions: Sequence[Subscription], settings: Settings, dials: Dials) -> None:
        super().__init__(subscriptions, settings)
        self._dials = dials
        self.clock = VenueClock([*self.by_stream])
        self.taken = Taken()
        self._newest: dict[tuple[str, str], NewestState] = {}
        self._candles: dict[str, ClockedCandles] = {}
        self._said = False

    def session(self, secrets: Mapping[str, str]) -> Session:
        """Makes the session of a new connection."""
        return WooXSession(self)

    def next_dial(self, at: float) -> float:
        """The moment of the next connection, not before `at`: the venue counts them."""
        return self._dials.next_at(at)

    def newest(self, stream: str, symbol: str) -> NewestState:
        """The time of what is shown of a symbol."""
        return self._newest.setdefault((stream, symbol), NewestState(self.clock))

    def candles(self, symbol: str) -> ClockedCandles:
        """The candles of a symbol."""
        return self._candles.setdefault(symbol, ClockedCandles(self.clock))

    def to_say(self) -> list[Item]:
        """Once, where more levels are asked for than the venue has; a table takes what there is."""
        asked = [one.depth for one in self.subscriptions if one.stream == "book" and DEPTHS[-1] < one.depth]
        said, self._said = self._said, True
        if said or not asked or asked[0] == EVERY_LEVEL:
            return []
        return [Notice(f"woox has books of at most {DEPTHS[-1]} levels a side: --depth {asked[0]} is {DEPTHS[-1]}")]


def routes(subscriptions: Sequence[Subscription], settings: Settings) -> list[Route]:
    """As few connections as 100 topics each allow.

    Raises:
        UsageError: an interval that the venue has no candles of.
    """
    dials = Dials(MOST_DIALS, DIALS_WITHIN)
    return [WooXRoute(group, settings, dials) for group in shared_out(subscriptions)]
