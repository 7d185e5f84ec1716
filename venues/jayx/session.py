"""JayX: a subscription is an event that is sent, and answered by events of the same name.

Document: "Websocket Stream". It does not state the transport: its words are those of Socket.IO, its address that of a
plain WebSocket, so both framings are supported. What else it leaves out (units, that each book is whole, how trades
come again) was worked out from its samples and from the engine whose words it uses. No refusal is documented.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

from venues.driver import answer_in_words
from venues.errors import BadMessage, UsageError
from venues.jayx import messages as wire
from venues.jayx.account import AssetsFeed, OrderMemory, OrdersFeed
from venues.jayx.fields import SCALE_KEYS, VENUE, Common, Values, seconds_of, values_of, written_interval
from venues.jayx.market import BookFeed, EventStream, KlineFeed, TradeHistory, TradesFeed
from venues.protocols import socketio
from venues.protocols.pings import SocketPings
from venues.session import BaseRoute, BaseSession, grouped
from venues.toolkit.clock import VenueClock
from venues.toolkit.decoding import DECODE_ERRORS, excerpt, explain
from venues.toolkit.pacing import Pacing
from venues.venue import BadFrame, Dial, Item, Lost, Notice, Out, Refused, Veiled

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from msgspec import Raw

    from venues.venue import Now, Route, Session, Settings, Subscription

_EVENTS = {
    "book": "orderbook",
    "quotes": "orderbook",
    "trades": "orderbook",
    "candles": "kline",
    "orders": "openorders",
    "positions": "positions",
    "balance": "positions",
    "ping": "",
}
_NEEDS_KEY = ("openorders", "positions")
_ERRORS = ("error", "exception")

IF_BARE = 'and set framing = "bare" if it speaks without Socket.IO'
NOTHING_THERE = (404, 405, 410, 426)  # HTTP
NO_GROUPING = "1"  # `precise` of the document's sample
SILENT_AFTER = 10.0  # seconds after which an event that was asked for, and has brought nothing, is reported
EXPELLED_AT_FIRST = 3  # put out so often without ever having had data, we are refused


class _Asked:
    """One event that a connection asks for, with its message and the feeds that it supplies."""

    __slots__ = ("event", "feeds", "message", "pacing", "silent_at")

    def __init__(self, event: str, message: Mapping[str, str], feeds: list[EventStream]) -> None:
        self.event = event
        self.message = message
        self.feeds = feeds
        self.pacing = Pacing()
        self.silent_at: float | None = None

    def settle(self, now: Now) -> None:
        """Notes that a message came; plans another request if a whole state is still needed."""
        self.silent_at = None
        if not any(feed.awaited and feed.restates for feed in self.feeds):
            self.pacing.settled(now.mono)
        else:
            self.pacing.after_pause(now.mono)


# --- one connection ------------------------------------------------------------------------------------------------


class JayXSession(BaseSession):
    """One connection to JayX, over Socket.IO or in bare frames."""

    venue = VENUE

    def __init__(self, route: JayXRoute, secrets: Mapping[str, str]) -> None:
        super().__init__()
        self._route = route
        self._key = secrets.get("api_key", "")
        self._link = None if route.values.bare else socketio.SocketIo(route.learnt)
        self._asked = {asked.event: asked for asked in route.asked()}
        self._pings = SocketPings(VENUE, route.label)
        self._said = ""  # the words of an `error` since the last good message
        self._ready = False
        self._over = False
        self._own: set[bytes] = set()  # the bare frames that we have sent

    def dial(self) -> Dial:
        """Where the WebSocket is opened; the key is not in the URL."""
        return Dial(url=self._route.url, shown=self._route.url)

    def opened(self, now: Now) -> list[Item]:
        """In bare framing, asks for everything; a Socket.IO server sends first, so we wait for it."""
        if self._link is None:
            return self._begin(now)
        self._link.opened(now)
        return []

    def receive(self, frame: bytes, now: Now) -> list[Item]:
        """What one Socket.IO packet, or one bare frame, brings, in order."""
        if self._link is None:
            return self._on_bare(frame, now)
        happenings = self._link.receive(frame, now)
        if len(happenings) == 1:
            (only,) = happenings
            if type(only) is socketio.Event:
                return self._on_packet(only, now)
        return self._items(happenings, now)

    def pong(self, now: Now) -> list[Item]:
        """The round trip of the oldest ping, as a `Pong`."""
        return self._pings.pong(now)

    def deadline(self) -> float | None:
        """The earliest of: the link's own deadline, the next ping, the moment to ask again or to report silence."""
        if self._over:
            return None
        moments = [None if self._link is None else self._link.deadline(), self._pings.due]
        for asked in self._asked.values():
            moments += (asked.pacing.due, asked.silent_at)
        return min((moment for moment in moments if moment is not None), default=None)

    def tick(self, now: Now) -> list[Item]:
        """Keeps the link's deadlines, sends the next ping, asks again for overdue states, and reports silence."""
        items = [] if self._link is None else self._items(self._link.tick(now), now)
        items += self._pings.tick(now)
        for asked in () if self._over else self._asked.values():
            if asked.pacing.is_due(now.mono):
                asked.pacing.lengthen()
                self._request(asked, now)
                asked.pacing.after_pause(now.mono)
            if asked.silent_at is not None and now.mono >= asked.silent_at:
                asked.silent_at = None
                items.append(self._on_silence(asked))
        if items and isinstance(items[-1], Refused | Lost):
            self._stop()
        return items

    def leave(self, now: Now) -> None:
        """Leaves the Socket.IO namespace, if there is one; nothing is awaited."""
        self._stop()
        if self._link is not None:
            self._link.leave()

    def closed(self, code: int | None, reason: str, now: Now) -> list[Item]:
        """A close after an error, on a line that never had data, is a refusal with that error's words."""
        self._stop()
        if not self._said:
            return []
        if not self._route.is_welcome():
            return [self._refused(self._said)]
        return [Lost(f"jayx closed the connection, having said: {self._said}")]

    def take(self) -> list[Out]:
        """The packets or bare frames to send, then our pings."""
        self.stirred = False
        sent = [] if self._link is None else self._link.take()
        out, self._out = [*self._out, *map(self._veiled, sent), *self._pings.take()], []
        return out

    # --- what happens on the link

    def _items(self, happenings: list[socketio.Happening], now: Now) -> list[Item]:
        self.stirred = True
        items: list[Item] = []
        for happening in happenings:
            match happening:
                case socketio.Event():
                    items += self._on_packet(happening, now)
                case socketio.Connected():
                    items += self._begin(now)
                case socketio.BadPacket():
                    items += self._unreadable(happening.reason, now)
                case socketio.ConnectRefused():
                    said = excerpt(happening.message, 300) or "no reason given"
                    items.append(Refused(f"jayx refused the connection: {said}", at_door=True))
                case socketio.Disconnected():
                    items.append(self._on_disconnected())
                case socketio.Broken():
                    hint = "" if happening.retry else f"; check url, {IF_BARE}"
                    items.append(Lost(f"{happening.reason}{hint}", retry=happening.retry))
                case socketio.Acknowledged():
                    pass
        if self._link is not None:
            self._route.learnt = self._link.learnt
        if items and isinstance(items[-1], Refused | Lost):
            self._stop()
        return items

    def _on_packet(self, event: socketio.Event, now: Now) -> list[Item]:
        if event.ack is not None and self._link is not None:
            self._link.acknowledge(event.ack)
            self.stirred = True
        if event.arguments:
            return self._on_event(event.name, event.arguments[0], now)
        asked = self._asked.get(event.name.lower())
        if asked is None:
            return self._meant_nothing(now)
        return self._bad(asked, asked.feeds, "expected a message, got none", now)

    def _meant_nothing(self, now: Now) -> list[Item]:
        return [] if self._link is None else self._items(self._link.meant_nothing(), now)

    def _on_bare(self, frame: bytes, now: Now) -> list[Item]:
        if frame in self._own:
            self._stop()
            return [Lost("this is not JayX: it sends back what it is sent; check url", retry=False)]
        try:
            bare = wire.BARE.decode(frame)
            if bare.event is not None:
                payload = bare.data if isinstance(bare.data, msgspec.Raw) else b"null"
                return self._on_event(bare.event, payload, now)
            keys = wire.OUTLINE.decode(frame)
        except DECODE_ERRORS as error:
            return self._unreadable(explain(error), now)
        name = wire.event_told_by_keys(keys, self._route.values.category)
        if name is None and "error" in keys:
            name = "error"
        return [] if name is None else self._on_event(name, frame, now)

    def _on_event(self, name: str, payload: Raw | bytes, now: Now) -> list[Item]:
        name = name if name in self._asked else name.lower()
        asked = self._asked.get(name)
        if asked is None:
            told = self._on_error(payload, now) if name in _ERRORS else []
            return told if name in _EVENTS.values() else [*told, *self._meant_nothing(now)]
        items: list[Item] = []
        for feed in asked.feeds:
            problem = ""
            try:
                items += feed.take(payload, now)
            except BadMessage as bad:
                problem = str(bad)
            except DECODE_ERRORS as error:
                problem = explain(error)
            if problem and not feed.heard and wire.is_error(payload):
                return [*items, *self._on_error(payload, now)]
            if problem:
                items += self._bad(asked, [feed], problem, now)
                continue
            self._route.fed.add(name)
            if self._said and self._route.is_welcome():
                self._said = ""
        self._settle(asked, now)
        return [*self._route.clock.take(), *items]

    def _settle(self, asked: _Asked, now: Now) -> None:
        """Notes that a message came. Before we are let in nothing is asked again: everything will be asked for then."""
        if self._ready:
            asked.settle(now)
            self.stirred = self.stirred or asked.pacing.due is not None
        else:
            asked.silent_at = None

    def _on_error(self, payload: Raw | bytes, now: Now) -> list[Item]:
        """Reports an `error`. None is documented, so only what follows shows whether it was a refusal."""
        self._said = excerpt(wire.words_of(payload), 300)
        self.stirred = True
        for asked in self._asked.values():
            if asked.silent_at is None and not self._route.fed:
                asked.silent_at = now.mono + SILENT_AFTER
        return [Notice(f"jayx says: {self._said}")]

    def _on_silence(self, asked: _Asked) -> Item:
        """A notice that an event has brought nothing; a refusal after an error, if no data ever came."""
        if self._said and not self._route.fed:
            return self._refused(self._said)
        return Notice(self._route.silence(asked.event))

    def _on_disconnected(self) -> Refused | Lost:
        route = self._route
        if route.is_welcome():
            return Lost(f"jayx put us out{f': {self._said}' if self._said else ''}")
        route.expelled += 1
        if self._said:
            return self._refused(self._said)
        if route.expelled >= EXPELLED_AT_FIRST:
            return self._refused("it put us out again and again, without a word")
        return Lost("jayx put us out without a word")

    def _refused(self, said: str) -> Refused:
        return Refused(
            f"jayx refused {self._route.what}: {excerpt(said, 300) or 'no reason given'}; {self._route.check}"
        )

    # --- asking

    def _begin(self, now: Now) -> list[Item]:
        """Asks for everything, once in each connection."""
        items: list[Item] = []
        self._ready = True
        for asked in self._asked.values():
            self._request(asked, now)
            asked.silent_at = now.mono + SILENT_AFTER if any(feed.restates for feed in asked.feeds) else None
            for feed in asked.feeds:
                items += [] if feed.heard else feed.begin(now)  # events may come before we are let in
            if any(feed.heard and feed.awaited and feed.restates for feed in asked.feeds):
                asked.pacing.after_pause(now.mono)
        if self._route.measures:
            items += self._pings.begin(now)
        return [*items, *self._route.how_to_scale()]

    def _request(self, asked: _Asked, now: Now) -> None:
        asked.pacing.tried(now.mono)
        message = dict(asked.message)
        if asked.event in _NEEDS_KEY:
            message = {"apiKey": self._key, **message}
        if self._link is not None:
            self._link.emit(asked.event, message)
        else:
            frame = msgspec.json.encode({"event": asked.event, "data": message}).decode()
            self._own.add(frame.encode())
            self._out.append(self._veiled(frame))

    def _veiled(self, frame: str) -> Out:
        with_key = f'"apiKey":{msgspec.json.encode(self._key).decode()}'
        if with_key not in frame:
            return frame
        return Veiled(frame, frame.replace(with_key, '"apiKey":"[api_key]"'))

    def _stop(self) -> None:
        self._over = True
        self._pings.stop()

    # --- what went wrong

    def _bad(self, asked: _Asked, feeds: Sequence[EventStream], problem: str, now: Now) -> list[Item]:
        streams = tuple(stream for feed in feeds for stream in feed.streams)
        items: list[Item] = [BadFrame(f"{problem} (jayx {asked.event})", streams)]
        for feed in feeds:
            items += feed.doubt(f"bad frame: {problem}", now)
        return items

    def _unreadable(self, problem: str, now: Now) -> list[Item]:
        """A bad frame that may have been of any event, so all streams are in doubt."""
        items: list[Item] = [BadFrame(f"{problem} (jayx)")]
        for asked in self._asked.values():
            for feed in asked.feeds:
                items += feed.doubt(f"bad frame: {problem}", now) if self._ready or feed.heard else []
            self._settle(asked, now)
        return items


# --- what outlives a connection ------------------------------------------------------------------------------------


class JayXRoute(BaseRoute):
    """The subscriptions of one connection: each event once, with one set of parameters.

    Knows the trades that were delivered, and how the venue's clock stands to ours.
    """

    def __init__(self, subscriptions: Sequence[Subscription], values: Values, settings: Settings) -> None:
        super().__init__(subscriptions, settings)
        self.values = values
        self.learnt: socketio.Lesson | None = None
        self.fed: set[str] = set()  # the events that have ever brought data
        self.expelled = 0
        base = settings.url.rstrip("/").removesuffix("/socket.io")
        self.url = settings.url if values.bare else f"{base}/socket.io/?{socketio.QUERY}"
        self._trades = TradeHistory()
        self._orders = OrderMemory()
        self.clock = VenueClock([*self.by_stream])
        self._told_how_to_scale = False
        self._table = settings.table or f"venues.{VENUE}"
        self.measures = "ping" in self.by_stream

    def session(self, secrets: Mapping[str, str]) -> Session:
        """Makes the session of a new connection."""
        return JayXSession(self, secrets)

    def refused(self, status: int, body: str) -> Refused | Lost:
        """What an HTTP status means here: 404 and ordinary answers mean no Socket.IO server, or nothing, there."""
        if self.values.bare and status in NOTHING_THERE:
            said = answer_in_words(status, body)
            return Lost(f"there is nothing to connect to at this address ({said}); check url", retry=False)
        if self.values.bare:
            return super().refused(status, body)
        problem = socketio.verdict(status, body)
        if isinstance(problem, Lost) and not problem.retry:
            return Lost(f"{problem.reason}, {IF_BARE}", retry=False)
        return problem

    def is_welcome(self) -> bool:
        """Whether data ever showed that the venue accepts us. If a stream needs the key, only such streams count."""
        with_key = {event for name in self.by_stream if (event := _EVENTS[name]) in _NEEDS_KEY}
        return bool(self.fed & with_key if with_key else self.fed)

    def asked(self) -> list[_Asked]:
        """The events that a new connection asks for, with new feeds."""
        by_event: dict[str, list[Subscription]] = {}
        for subscription in self.subscriptions:
            by_event.setdefault(_EVENTS[subscription.stream], []).append(subscription)
        return [
            _Asked(event, self._message(event, of), self._feeds(event, of)) for event, of in by_event.items() if event
        ]

    def how_to_scale(self) -> list[Item]:
        """A notice, once, of what to configure to get prices and sizes instead of raw integers; else empty."""
        if self._told_how_to_scale:
            return []
        for name in sorted({name for s in self.subscriptions for name in s.symbols}):
            scale = self.values.scale(name)
            missing = [key for key, size in zip(SCALE_KEYS, (scale.tick, scale.lot), strict=True) if size is None]
            if missing:
                self._told_how_to_scale = True
                # What matters comes first: the footer of a table has room for 54 characters at 80 columns.
                where = f"[{self._table}.symbols.{name}]"
                raw = " and ".join("prices" if key == "tick_size" else "sizes" for key in missing)
                return [Notice(f"set {', '.join(missing)}: {where}; until then {raw} are raw integers")]
        return []

    def silence(self, event: str) -> str:
        """The text that says that an event has brought nothing, and what to check."""
        return f"jayx has sent nothing of {event} for {SILENT_AFTER:.0f} s; {self.check}"

    @property
    def what(self) -> str:
        """The streams and symbols that are asked for, for texts."""
        return " ".join(dict.fromkeys([*self.by_stream, *(name for s in self.subscriptions for name in s.symbols)]))

    @property
    def check(self) -> str:
        """The advice what to check when nothing comes, for texts."""
        names = ["api_key"] if any(_EVENTS[name] in _NEEDS_KEY for name in self.by_stream) else []
        if any(subscription.symbols for subscription in self.subscriptions):
            names.append("the symbol")
        return f"check {', '.join([*names, 'category'])} ({self.values.category})"

    def _message(self, event: str, of: list[Subscription]) -> dict[str, str]:
        message = {"category": self.values.category}
        if event == "positions":
            return message
        message["symbol"] = _symbol(of)
        if event == "kline":
            (candles,) = of
            message["interval"] = str(seconds_of(candles.interval))
        elif event == "orderbook":
            message["precise"] = next((p for s in of if (p := _precise(s)) is not None), NO_GROUPING)
        return message

    def _feeds(self, event: str, of: list[Subscription]) -> list[EventStream]:
        symbol = _symbol(of)
        common = Common(self.label, symbol, self.values.scale(symbol), self.clock)
        if event == "kline":
            (candles,) = of
            seconds = seconds_of(candles.interval)
            return [KlineFeed(common, seconds * 1000, written_interval(seconds))]
        if event == "openorders":
            return [OrdersFeed(common, self._orders)]
        if event == "positions":
            return [AssetsFeed(common, [s.stream for s in of], self.values.category)]
        of_book = [s for s in of if s.stream != "trades"]
        feeds: list[EventStream] = [BookFeed(common, of_book)] if of_book else []
        return [*feeds, TradesFeed(common, self._trades)] if len(of_book) < len(of) else feeds


def _symbol(of: list[Subscription]) -> str:
    """That of the streams of one event, which share it; empty where there is none."""
    return next((name for subscription in of for name in subscription.symbols), "")


def _precise(subscription: Subscription) -> str | None:
    """How prices are to be grouped, as the venue is asked; None for trades, which are never grouped."""
    return None if subscription.stream == "trades" else subscription.options.get("precise", NO_GROUPING)


def _share_a_line(one: Subscription, other: Subscription) -> bool:
    """Whether two subscriptions can share a connection. Messages do not name their parameters, so those must agree."""
    if one.stream == other.stream:
        return False
    if _EVENTS[one.stream] != _EVENTS[other.stream]:
        return True
    if _EVENTS[one.stream] == "orderbook" and None not in (_precise(one), _precise(other)):
        return one.symbols == other.symbols and _precise(one) == _precise(other)
    return one.symbols == other.symbols


def routes(subscriptions: Sequence[Subscription], settings: Settings) -> list[Route]:
    """One connection for everything; only what could not be told apart on it gets another one.

    Raises:
        UsageError: an interval or a grouping of the wrong form.
        SetupError: a value of the settings cannot be used.
    """
    values = values_of(settings.values)
    for subscription in subscriptions:
        _check(subscription)
    return [JayXRoute(group, values, settings) for group in grouped(subscriptions, _share_a_line)]


def _check(subscription: Subscription) -> None:
    seconds_of(subscription.interval)
    precise = subscription.options.get("precise", NO_GROUPING)
    if not re.fullmatch(r"[0-9]{1,20}(\.[0-9]{1,20})?", precise) or not Decimal(precise):
        raise UsageError(f'expected a number above 0, such as 1 or 100, as --precise, got "{precise}"')
