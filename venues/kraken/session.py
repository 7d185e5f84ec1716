"""Kraken: channels of several symbols on one plain WebSocket, each subscription acknowledged by itself.

Document: the venue's WebSocket v2 pages, and frames that others captured. Answers are matched by channel and symbol: a
refusal names its symbol alone. A line is alive as long as heartbeats or data come, one a second; answers to pings prove
nothing, but where nothing else is subscribed.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from msgspec import json

from venues.driver import answer_in_words
from venues.errors import BadMessage, BookError, UsageError
from venues.kraken import messages as wire
from venues.kraken.book import BookFeed
from venues.kraken.feeds import VENUE, Arrival, CandleFeed, Feed, TickerFeed, TradeFeed
from venues.kraken.kept import Newest, PrintedTrades
from venues.kraken.offers import DEPTHS, INTERVALS
from venues.kraken.shown import Shown
from venues.protocols.pings import SocketPings
from venues.session import AcknowledgedSession, BaseRoute, grouped
from venues.toolkit.acknowledgements import Taken
from venues.toolkit.clock import VenueClock
from venues.toolkit.decoding import DECODE_ERRORS, excerpt, explain
from venues.toolkit.dials import Dials
from venues.toolkit.made_candles import ClockedCandles
from venues.toolkit.times import PER_MS, fine_time
from venues.toolkit.unasked import LeftOut
from venues.venue import EVERY_LEVEL, BadFrame, Dial, Item, Lost, Notice, Now, Out, StreamState

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from venues.toolkit.acknowledgements import Request
    from venues.venue import Refused, Route, Session, Settings, Subscription

    Rows: TypeAlias = Sequence[Any]

SILENT_AFTER = 5.0  # seconds without heartbeat and data after which nothing looks live
LOST_AFTER = 10.0  # … and after which the connection is given up
FIRST_WITHIN = 10.0  # seconds from the acknowledgement in which the first state is to come
LEFT_WITHIN = 5.0  # seconds in which the venue answers that a subscription is gone
BANNED_FOR = 60.0  # seconds until the next try, where the venue's network does not let us in
MOST_DIALS, DIALS_WITHIN = 120, 600.0  # of the 150 in so many seconds that the venue takes from one address
MOST_SENT = 1_000  # requests that are remembered, for refusals that name no symbol
LONGEST_WORDS = 200  # characters of a refusal

_CHANNELS = {"book": "book", "quotes": "book", "trades": "trade", "ticker": "ticker", "candles": "ohlc"}
_INSTRUMENT = "instrument"
_HEARTBEAT = b'{"channel":"heartbeat"}'
_TOO_FAST = "exceeded msg rate"

_decode = wire.DATA.quick

Key: TypeAlias = tuple[str, str]  # a channel and a symbol


class _Sent(NamedTuple):
    """A request of ours, for answers that repeat its number."""

    channel: str
    symbols: tuple[str, ...]


class KrakenSession(AcknowledgedSession):
    """One connection to Kraken."""

    venue = VENUE

    def __init__(self, route: KrakenRoute) -> None:
        super().__init__(route.taken)
        self._route = route
        self._feeds: dict[Key, Feed] = {}
        for subscription in route.subscriptions:
            for symbol in subscription.symbols:
                channel = _CHANNELS[subscription.stream]
                if (channel, symbol) not in self._feeds:
                    self._feeds[channel, symbol] = self._feed(subscription, symbol)
        self._trades = [feed for feed in self._feeds.values() if isinstance(feed, TradeFeed)]
        self._candles = [feed for feed in self._feeds.values() if isinstance(feed, CandleFeed)]
        self._shown = Shown([*self._feeds.values()])
        self._pings = SocketPings(VENUE, route.label, self._ping, what="a ping")
        self._left_out = LeftOut(VENUE)
        self._heard = 0.0  # when heartbeat or data came last
        self._has_data = False
        self._ended: set[Key] = set()  # what only streams live from that were refused
        self._first: dict[Key, float] = {}  # until when the first state of what was acknowledged is to come
        self._leaving: dict[Key, float] = {}  # what is left, to be subscribed to anew: until when the answer may come
        self._sent: dict[int, _Sent] = {}
        self._last_id = 0
        self._mono = 0.0  # when anything happened last

    def dial(self) -> Dial:
        """Where the WebSocket is opened; nothing in it is secret."""
        url = f"{self._route.settings.url.rstrip('/')}/v2"
        return Dial(url=url, shown=url)

    def opened(self, now: Now) -> list[Item]:
        """Asks for all channels at once. Candles that were open before may have ended meanwhile."""
        self._mono = self._heard = now.mono
        items: list[Item] = self._route.say_of_depth()
        for candles in self._candles:
            candles.candles.forget()
        groups: dict[tuple[str, tuple[str, ...]], list[str]] = {}
        for (channel, symbol), feed in self._feeds.items():
            groups.setdefault((channel, tuple(feed.streams)), []).append(symbol)
        for (channel, streams), symbols in groups.items():
            items += self._asked.ask(channel, symbols, now, streams=streams)
        if self._feeds:  # last, since its answer is by far the longest
            self._asked.ask(_INSTRUMENT, [""], now, streams=[])
        if "ping" in self._route.by_stream:
            items += self._pings.begin(now)
        return items

    def subscribe(self, request: Request) -> None:
        """Asks for the symbols of a request. What is subscribed to already is left first."""
        keys = [(request.channel, symbol) for symbol in request.symbols]
        if request.anew:
            self._leaving |= dict.fromkeys(keys, self._mono + LEFT_WITHIN)
            self._send("unsubscribe", keys)
        else:
            self._send("subscribe", keys)

    def receive(self, frame: bytes, now: Now) -> list[Item]:
        """What one message brings, in order; symbols that nobody asked for are left out."""
        if frame == _HEARTBEAT:
            return self._alive(now)
        try:
            message = _decode(frame)
        except DECODE_ERRORS as usual:
            return self._other(frame, usual, now)
        return [*self._alive(now), *self._on_data(message, now)]

    def deadline(self) -> float | None:
        """The earliest of all that is due: an answer, a first state, a ping, a candle's end, a sign of life."""
        moments = (
            super().deadline(),
            self._pings.due,
            self._heard + (LOST_AFTER if self._shown.is_silent else SILENT_AFTER),
            *self._first.values(),
            *self._leaving.values(),
            *(feed.due for feed in self._trades),
            *(feed.candles.due for feed in self._candles if not self._shown.is_halted(feed.symbol)),
        )
        return min(due for due in moments if due is not None)

    def tick(self, now: Now) -> list[Item]:
        """Does what is due."""
        self._mono = now.mono
        silence = self._look_for_silence(now)
        if any(isinstance(item, Lost) for item in silence):
            return silence
        items = [*silence, *self._noted(super().tick(now)), *self._pings.tick(now)]
        for key in [key for key, due in self._leaving.items() if now.mono >= due]:
            self._left(key)
        items += self._look_for_first(now)
        for trades in self._trades:
            items += trades.tick(now)
        for candles in self._candles:
            if not self._shown.is_halted(candles.symbol):
                items += candles.tick(now)
        return self._shown.of(items)

    def leave(self, now: Now) -> None:
        """Asks for nothing more. The venue forgets the subscriptions with the connection."""
        super().leave(now)
        self._stop()

    def closed(self, code: int | None, reason: str, now: Now) -> list[Item]:
        """Ends what was begun on this connection."""
        self._stop()
        return super().closed(code, reason, now)

    def take(self) -> list[Out]:
        """The requests and pings to send; each is returned once."""
        self.stirred = False
        return [*super().take(), *self._pings.take()]

    # --- feeds

    def _feed(self, subscription: Subscription, symbol: str) -> Feed:
        route, env = self._route, self._route.label
        match subscription.stream:
            case "trades":
                return TradeFeed(symbol, env, route.printed(symbol))
            case "ticker":
                return TickerFeed(symbol, env, route.newest("ticker", symbol))
            case "candles":
                return CandleFeed(symbol, subscription.interval, env, route.candles(symbol))
            case _:
                newest, say_once = route.newest("book", symbol), route.say_once
                again = partial(self._again, symbol)
                return BookFeed(route.of_symbol(symbol), symbol, env, newest, again, say_once)

    def _again(self, symbol: str, now: Now) -> None:
        """Subscribes to a book anew, for its snapshot."""
        self.stirred = True
        self._asked.again("book", symbol, now)

    def _stop(self) -> None:
        self._pings.stop()
        self._first.clear()
        self._leaving.clear()
        for trades in self._trades:
            trades.due = None
        for candles in self._candles:
            candles.candles.forget()

    # --- data

    def _on_data(self, message: wire.Data, now: Now) -> list[Item]:
        match message:
            case wire.HeartbeatMessage():
                return []
            case wire.StatusMessage(data=states):
                for state in states:
                    self._shown.conditions.see_state(state)
                return self._shown.changed(now)
            case wire.InstrumentMessage(data=pairs):
                return self._on_pairs(pairs.pairs, now)
            case wire.BookMessage(type=kind, data=rows):
                return self._on_rows("book", kind, rows, None, now)
            case wire.TradeMessage(type=kind, data=trades):
                return self._on_rows("trade", kind, trades, None, now)
            case wire.TickerMessage(type=kind, data=tickers):
                return self._on_rows("ticker", kind, tickers, None, now)
            case wire.CandleMessage(type=kind, data=candles, timestamp=sent):
                return self._on_rows("ohlc", kind, candles, sent, now)

    def _on_rows(self, channel: str, kind: wire.Kind, rows: Rows, sent: str | None, now: Now) -> list[Item]:
        """The rows of one message, symbol by symbol in the order in which they came."""
        if len(rows) == 1:
            (row,) = rows
            return self._of_symbol(channel, row.symbol, kind, rows, sent, now)
        by_symbol: dict[str, list[Any]] = {}
        for row in rows:
            by_symbol.setdefault(row.symbol, []).append(row)
        return [
            item for symbol, its in by_symbol.items() for item in self._of_symbol(channel, symbol, kind, its, sent, now)
        ]

    def _of_symbol(
        self, channel: str, symbol: str, kind: wire.Kind, rows: Rows, sent: str | None, now: Now
    ) -> list[Item]:
        feed = self._feeds.get((channel, symbol))
        if feed is None:
            return self._unasked(channel, symbol)
        if (channel, symbol) in self._ended:
            return []
        try:
            at, items = self._arrival(sent or getattr(rows[-1], "timestamp", None), now)
            if self._first or not self._has_data:
                self._note_first(channel, symbol, kind)
            if not self._asked.is_taken(channel, symbol):
                self.stirred = True
                # A snapshot is what is waited for, also where it comes before the answer to the second request.
                take = self._asked.acknowledged if kind == "snapshot" else self._asked.arrived
                items += self._noted(take(channel, symbol, now))
            taken = feed.take(rows, at, snapshot=kind == "snapshot")
        except (BadMessage, BookError) as problem:
            return self._bad((feed,), str(problem), now)
        if channel == "ohlc":
            self.stirred = True  # a candle's end may be due earlier
        items += taken
        return self._shown.of(items)

    def _arrival(self, sent: str | None, now: Now) -> tuple[Arrival, list[Item]]:
        """When a message came, and what its time tells of the clocks."""
        if sent is None:
            return Arrival(now, None, believed=False), []
        fine = fine_time(sent, "timestamp")
        stamp = fine // PER_MS
        believed = self._route.clock.see(stamp, now)
        return Arrival(now, stamp, believed, fine), self._route.clock.take() if self._route.clock.items else []

    def _note_first(self, channel: str, symbol: str, kind: wire.Kind) -> None:
        self._has_data = True
        if kind == "snapshot":
            self._first.pop((channel, symbol), None)

    def _unasked(self, channel: str, symbol: str) -> list[Item]:
        streams = [name for name in self._route.by_stream if _CHANNELS.get(name) == channel]
        return self._left_out.say(" and ".join(streams), symbol) if streams else []

    # --- how the venue and its markets are

    def _on_pairs(self, pairs: Sequence[wire.Pair], now: Now) -> list[Item]:
        for pair in pairs:
            feed = self._feeds.get(("book", pair.symbol))
            if isinstance(feed, BookFeed):
                feed.set_decimals(pair.price_precision, pair.qty_precision)
            self._shown.conditions.see_pair(pair)
        return self._shown.changed(now)

    # --- signs of life

    def _alive(self, now: Now) -> list[Item]:
        """Takes a heartbeat or data: the line is there."""
        self._mono = self._heard = now.mono
        if not self._shown.is_silent:
            return []
        self.stirred = True
        return self._shown.heard(now)

    def _look_for_silence(self, now: Now) -> list[Item]:
        heard = self._heard if now.arriving is None else max(self._heard, now.arriving)
        self._heard = heard
        if now.mono >= heard + LOST_AFTER:
            return [Lost(f"nothing came from {VENUE} for {LOST_AFTER:.0f} s, not even a heartbeat")]
        if now.mono < heard + SILENT_AFTER or self._shown.is_silent:
            return []
        return self._shown.silent(f"nothing came from {VENUE} for {SILENT_AFTER:.0f} s, not even a heartbeat")

    def _look_for_first(self, now: Now) -> list[Item]:
        """What was acknowledged and has brought no first state: a connection that brings no data at all is lost."""
        items: list[Item] = []
        for key in [key for key, due in self._first.items() if now.mono >= due]:
            del self._first[key]
            if now.arriving is not None and now.arriving + FIRST_WITHIN > now.mono:
                self._first[key] = now.arriving + FIRST_WITHIN
                continue
            reason = f"{key[1]} was acknowledged, and brought nothing for {FIRST_WITHIN:.0f} s"
            if not self._has_data:
                return [Lost(f"{reason}; nor did anything else on this connection")]
            self._feeds[key].forget()
            items += self._shown.told({self._feeds[key]: f"{reason}; subscribed to anew"}, "stale")
            self._asked.again(*key, now)
        return items

    # --- answers

    def _other(self, frame: bytes, usual: Exception, now: Now) -> list[Item]:
        """A message that is no usual data: an answer, data in another spelling, a new kind, or a bad one."""
        self.stirred = True
        try:
            outline = wire.OUTLINE.decode(frame)
        except DECODE_ERRORS as error:
            return [*self._alive(now), *self._bad([*self._feeds.values()], explain(error), now, channel="frame")]
        if outline.channel is None:
            return self._on_answer(frame, now)
        items = self._alive(now)
        try:
            return [*items, *self._on_data(wire.DATA.again(frame, usual), now)]
        except DECODE_ERRORS as error:
            channel = outline.channel if isinstance(outline.channel, str) else "frame"
            if channel not in (*_CHANNELS.values(), _INSTRUMENT, "status"):
                return items  # of a kind that is not known yet
            return [*items, *self._bad(self._concerned(channel, outline.data), explain(error), now, channel=channel)]

    def _concerned(self, channel: str, data: Any) -> list[Feed]:
        """The feeds that a bad message of a channel is about: that of its symbol, or all where it cannot be read."""
        rows = data if isinstance(data, list) else []
        symbols = [row.get("symbol") for row in rows if isinstance(row, dict)]
        if rows and len(symbols) == len(rows) and all(isinstance(symbol, str) for symbol in symbols):
            return [feed for key, feed in self._feeds.items() if key[0] == channel and key[1] in symbols]
        return [feed for feed in self._feeds.values() if feed.channel == channel]

    def _on_answer(self, frame: bytes, now: Now) -> list[Item]:
        try:
            answer = wire.ANSWER.decode(frame)
        except DECODE_ERRORS as error:
            return [BadFrame(f"{explain(error)} (kraken answer)", ())]
        if answer.method == "pong":
            if not self._feeds:
                self._mono = self._heard = now.mono
                self._shown.is_silent = False
            return self._pings.pong(now)
        items = self._alive(now)
        if answer.result is not None and answer.success is not False:
            return [*items, *self._accepted(answer.method, answer.result, now)]
        if answer.error is not None or answer.success is False:
            return [*items, *self._refused(answer, now)]
        return items

    def _accepted(self, method: str, result: wire.Result, now: Now) -> list[Item]:
        key = result.channel, result.symbol
        feed = self._feeds.get(key)
        if method == "unsubscribe":
            if key in self._leaving:
                self._left(key)
            return []
        if method != "subscribe":
            return []
        items: list[Item] = []
        if feed is not None:
            items += feed.acknowledged(result, now)
            if not feed.ready and feed.channel in ("book", "ticker") and result.snapshot is not False:
                self._first[key] = now.mono + FIRST_WITHIN
        return self._shown.of([*items, *self._noted(self._asked.acknowledged(*key, now))])

    def _noted(self, items: list[Item]) -> list[Item]:
        """What acknowledgements say, but that trades are live: their feed knows when. What is not live is forgotten."""
        for item in items:
            if isinstance(item, StreamState) and item.state != "live":
                for feed in self._feeds.values():
                    if item.stream in feed.streams and item.symbol in (None, feed.symbol):
                        feed.forget()
        if self._asked.over:
            self._end(self._asked.over)
        return [one for one in items if not (isinstance(one, StreamState) and one.state == "live")]

    def _refused(self, answer: wire.Answer, now: Now) -> list[Item]:
        words = excerpt(answer.error or "no reason given", LONGEST_WORDS)
        items: list[Item]
        sent = None if answer.req_id is None else self._sent.get(answer.req_id)
        if words.casefold().startswith("subscription not found"):
            self._gone(sent, answer.symbol)
            return []
        if sent is not None:
            keys = [(sent.channel, symbol) for symbol in ((answer.symbol,) if answer.symbol else sent.symbols)]
        elif answer.symbol:
            keys = [key for key in self._feeds if key[1] == answer.symbol]
        else:
            retry = words.casefold().startswith(_TOO_FAST)
            items = self._noted(self._asked.failed(None, f"it says: {words}", now, retry=retry))
            return items or [Notice(f"kraken says: {words}")]
        items = []
        for channel, symbol in keys:
            if words.casefold().startswith("already subscribed"):
                items += self._has_already((channel, symbol), now)
            else:
                items += self._noted(self._asked.refused(channel, symbol, words, now))
        return items

    def _end(self, streams: Collection[str]) -> None:
        """Gives nothing more of streams that were refused; a book may go on for the other one that lives from it."""
        for key, feed in self._feeds.items():
            left = [stream for stream in feed.streams if stream not in streams]
            if not left:
                self._ended.add(key)
                self._first.pop(key, None)
            elif isinstance(feed, BookFeed):
                feed.only(left)

    def _has_already(self, key: Key, now: Now) -> list[Item]:
        """The venue has the subscription from before: a book needs its snapshot all the same."""
        feed = self._feeds.get(key)
        items = self._noted(self._asked.acknowledged(*key, now))
        if isinstance(feed, TradeFeed):
            items += feed.acknowledged(wire.Result(*key, snapshot=False), now)
        elif feed is not None and not feed.ready:
            self._asked.again(*key, now)
        return items

    def _gone(self, sent: _Sent | None, symbol: str) -> None:
        """The venue has no such subscription any more, so it can be made."""
        for key in list(self._leaving):
            if key[1] == symbol and (sent is None or sent.channel == key[0]):
                self._left(key)

    def _left(self, key: Key) -> None:
        del self._leaving[key]
        self._send("subscribe", [key])

    # --- what went wrong

    def _bad(self, feeds: Collection[Feed], problem: str, now: Now, *, channel: str = "") -> list[Item]:
        """Reports a bad message, and doubts what it belongs to."""
        self.stirred = True
        where = channel or next(iter({feed.channel for feed in feeds}), "")
        streams = tuple(dict.fromkeys(stream for feed in feeds for stream in feed.streams))
        items: list[Item] = [BadFrame(f"{problem} (kraken {where})", None if channel == "frame" else streams)]
        for feed in feeds:
            items += feed.doubt(f"bad frame: {problem}", now)
        return items

    # --- requests

    def _send(self, method: str, keys: Iterable[Key]) -> None:
        """Asks for symbols, or to leave them: one request for those with the same settings."""
        groups: dict[str, tuple[dict[str, Any], list[str]]] = {}
        for channel, symbol in keys:
            feed = self._feeds.get((channel, symbol))
            settings = {"channel": channel, **(feed.settings() if feed is not None else {})}
            groups.setdefault(repr(settings), (settings, []))[1].append(symbol)
        for settings, symbols in groups.values():
            params: dict[str, Any] = dict(settings)
            if symbols != [""]:
                params["symbol"] = symbols
            if method == "subscribe":
                params["snapshot"] = True
            self._last_id += 1
            self._sent[self._last_id] = _Sent(settings["channel"], tuple(symbols))
            if len(self._sent) > MOST_SENT:
                del self._sent[next(iter(self._sent))]
            self._out.append(json.encode({"method": method, "params": params, "req_id": self._last_id}).decode())
        self.stirred = True

    def _ping(self, now: Now) -> Out:
        self._last_id += 1
        return f'{{"method":"ping","req_id":{self._last_id}}}'


# --- what outlives a connection ------------------------------------------------------------------------------------


class KrakenRoute(BaseRoute):
    """The channels of one connection, with what outlives it: the clock, what was taken and shown, printed trades."""

    def __init__(self, subscriptions: Sequence[Subscription], settings: Settings, dials: Dials) -> None:
        super().__init__(subscriptions, settings)
        self.clock = VenueClock([one.stream for one in subscriptions])
        self.taken = Taken()
        self._dials = dials
        self._newest: dict[Key, Newest] = {}
        self._printed: dict[str, PrintedTrades] = {}
        self._candles: dict[str, ClockedCandles] = {}
        self._told: set[str] = set()

    def session(self, secrets: Mapping[str, str]) -> Session:
        """Makes the session of a new connection."""
        return KrakenSession(self)

    def next_dial(self, at: float) -> float:
        """The moment of the next connection, not before `at`: the venue bans who comes too often."""
        return self._dials.next_at(at)

    def refused(self, status: int, body: str) -> Refused | Lost:
        """What an HTTP status means here: no credential can be wrong, so 403 is the venue's network, which may pass."""
        if status in (403, 429):
            said = answer_in_words(status, body)
            return Lost(f"kraken's network does not let this address in now ({said})", after=BANNED_FOR)
        return super().refused(status, body)

    def of_symbol(self, symbol: str) -> list[Subscription]:
        """The subscriptions that a symbol's book is for."""
        return [one for one in self.subscriptions if one.stream in ("book", "quotes") and symbol in one.symbols]

    def newest(self, channel: str, symbol: str) -> Newest:
        """The time of what is shown of a symbol."""
        return self._newest.setdefault((channel, symbol), Newest(self.clock))

    def printed(self, symbol: str) -> PrintedTrades:
        """The trades of a symbol that were printed."""
        return self._printed.setdefault(symbol, PrintedTrades())

    def candles(self, symbol: str) -> ClockedCandles:
        """The candles of a symbol."""
        return self._candles.setdefault(symbol, ClockedCandles(self.clock))

    def say_once(self, text: str) -> list[Item]:
        """A notice; nothing where it was given on this route before."""
        if text in self._told:
            return []
        self._told.add(text)
        return [Notice(text)]

    def say_of_depth(self) -> list[Item]:
        """Once, where more levels are asked for than the venue has; a table takes what there is."""
        asked = [one.depth for one in self.subscriptions if one.stream == "book" and DEPTHS[-1] < one.depth]
        if not asked or asked[0] == EVERY_LEVEL:
            return []
        most = DEPTHS[-1]
        return self.say_once(f"kraken has books of at most {most} levels a side: --depth {asked[0]} is {most}")


def routes(subscriptions: Sequence[Subscription], settings: Settings) -> list[Route]:
    """As few connections as the venue allows: of a symbol one depth and one candle interval on each.

    Raises:
        UsageError: an interval that the venue has no candles of.
    """
    for one in subscriptions:
        if one.stream == "candles" and one.interval not in INTERVALS:
            raise UsageError(f'kraken has candles of {", ".join(INTERVALS)}; got "{one.interval}" as --interval')
    dials = Dials(MOST_DIALS, DIALS_WITHIN)
    return [KrakenRoute(group, settings, dials) for group in grouped(subscriptions, _may_share)]


def _may_share(one: Subscription, other: Subscription) -> bool:
    """Whether two may be on one connection: a stream has a symbol once."""
    return one.stream != other.stream or set(one.symbols).isdisjoint(other.symbols)
