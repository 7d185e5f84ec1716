"""B2TRADER: an ASP.NET Core SignalR hub at each of three paths, one stream invocation for each stream.

Document: "WebSocket API" of the B2TRADER platform. What it leaves out was found in the reference client of the protocol
(errors are completions; a close is final unless it allows another connection) or worked out from its own samples
(units). The host is each broker's own. The token is in the query of the URL, so the URL itself is a secret.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from venues.b2trader.book import BookFeed
from venues.b2trader.fields import VENUE, Common
from venues.b2trader.offers import OFFERS
from venues.b2trader.rows import MissingRow
from venues.b2trader.streams import HubStream, feed_for
from venues.b2trader.values import read_values
from venues.b2trader.versions import LEARNT, Lesson
from venues.driver import answer_in_words
from venues.errors import BadMessage, BookError, NotAskedFor, UsageError
from venues.protocols import signalr
from venues.protocols.negotiation import negotiated, straight
from venues.protocols.pings import SocketPings
from venues.session import BaseRoute, BaseSession, grouped
from venues.toolkit.clock import VenueClock
from venues.toolkit.decoding import DECODE_ERRORS, excerpt, explain
from venues.toolkit.pacing import Pacing
from venues.toolkit.row_times import RowTimes
from venues.toolkit.unasked import LeftOut
from venues.venue import BadFrame, Item, Lost, Refused, StreamState

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from venues.venue import (
        Dial,
        HttpRequest,
        HttpResponse,
        Now,
        Out,
        Route,
        Session,
        Settings,
        Subscription,
    )

V4_ACCOUNT = "/frontoffice/ws/v4/account"
V3_ACCOUNT = "/frontoffice/ws/v3/account"
MARKETDATA = "/marketdata/v5/info"

# stream → (hub, target)
_HUBS = {
    "orders": (V4_ACCOUNT, "OpenOrders"),
    "positions": (V4_ACCOUNT, "OpenPositions"),
    "closed": (V4_ACCOUNT, "ClosePositionsOrders"),
    "balance": (V3_ACCOUNT, "FullBalance"),
    "margin": (V3_ACCOUNT, "MarginData"),
    "book": (MARKETDATA, "Book"),
    "ticker": (MARKETDATA, "TradingData"),
    "quotes": (MARKETDATA, "Tob"),
    "candles": (MARKETDATA, "Chart"),
    "watchlist": (MARKETDATA, "Summary"),
    "ping": (MARKETDATA, ""),
}
SCALES = ("1m", "5m", "15m", "30m", "1h", "2h", "4h", "8h", "12h", "1d", "1w", "1M")

STABLE_AFTER = 3.0  # seconds after which an invocation has lasted
FAILURES_AT_FIRST = 3  # an invocation that fails so often without ever having given data is refused


class _Stream:
    """One stream of a session: its feed, and the invocation that feeds it (None: it waits to be asked for again)."""

    __slots__ = ("arguments", "feed", "invocation", "live", "pacing", "subscription", "target")

    def __init__(self, subscription: Subscription, target: str, arguments: list[Any], feed: HubStream) -> None:
        self.subscription = subscription
        self.target = target
        self.arguments = arguments
        self.feed = feed
        self.invocation: str | None = None
        self.live = False
        self.pacing = Pacing(stable_after=STABLE_AFTER)

    @property
    def name(self) -> str:
        return self.subscription.stream

    @property
    def book(self) -> BookFeed | None:
        return self.feed if isinstance(self.feed, BookFeed) else None


# --- one connection ------------------------------------------------------------------------------------------------


class B2TraderSession(BaseSession):
    """One connection to one of the three hubs, with one invocation for each of its streams."""

    venue = VENUE

    def __init__(self, route: B2TraderRoute, secrets: Mapping[str, str]) -> None:
        super().__init__()
        self._route = route
        self._token = secrets["token"]
        self._hub = signalr.Hub()
        self._streams = {
            s.stream: _Stream(s, _HUBS[s.stream][1], route.arguments(s), route.feed(s))
            for s in route.subscriptions
            if s.stream != "ping" and s.stream not in route.refused_streams
        }
        self._trials = next((stream.book.trials for stream in self._streams.values() if stream.book is not None), None)
        if self._trials is not None:
            self._trials.cancel = self._hub.cancel
        self._by_invocation: dict[str, _Stream] = {}
        self._measuring = any(s.stream == "ping" for s in route.subscriptions)
        self._pings = SocketPings(VENUE, route.common.env)
        self._left_out = LeftOut(VENUE)
        self._leaving = False

    def opening(self) -> Generator[HttpRequest, HttpResponse, Dial]:
        """Dials straight away, unless the configuration wants a negotiation first."""
        if self._route.negotiates:
            dial = yield from negotiated(self._route.hub_url, self._token, self._route.refused_negotiation)
            return dial
        return self.dial()

    def dial(self) -> Dial:
        """The hub's address with the token, without a negotiation before."""
        return straight(self._route.hub_url, self._token)

    def opened(self, now: Now) -> list[Item]:
        """Sends the hub's handshake; streams are asked for once the hub has accepted it."""
        self._hub.opened(now)
        return []

    def receive(self, frame: bytes, now: Now) -> list[Item]:
        """What one frame of the hub brings, in order."""
        happenings = self._hub.receive(frame, now)
        if len(happenings) == 1:
            (only,) = happenings
            if type(only) is signalr.StreamItem:
                return self._on_item(only, now)
        self.stirred = True
        return self._items(happenings, now)

    def pong(self, now: Now) -> list[Item]:
        """The round trip of the oldest ping, as a `Pong`."""
        return self._pings.pong(now)

    def deadline(self) -> float | None:
        """The earliest of: the hub's own deadline, the next ping, the moment to ask for a stream again."""
        moments = [self._hub.deadline(), self._pings.due, *(stream.pacing.due for stream in self._streams.values())]
        if self._trials is not None:
            moments.append(self._trials.deadline())
        return min((moment for moment in moments if moment is not None), default=None)

    def tick(self, now: Now) -> list[Item]:
        """Keeps the hub's deadlines, sends the next ping, and asks again for streams that are due."""
        items = [*self._items(self._hub.tick(now), now), *self._pings.tick(now)]
        for stream in self._streams.values():
            if stream.pacing.is_due(now.mono):
                self._ask_for(stream, now)
        if self._trials is not None:
            self._trials.tick(now)
        return items

    def leave(self, now: Now) -> None:
        """Cancels every stream, and waits for the completions, two seconds at most."""
        self._leaving = True
        self._stop()
        self._hub.leave(now)

    def done(self) -> bool:
        """Whether the hub has completed every cancellation, or the wait is over."""
        return self._hub.done()

    def closed(self, code: int | None, reason: str, now: Now) -> list[Item]:
        """A close whose reason is about the token refuses it; any other close is a lost connection."""
        self._stop()
        if _is_about_the_token(reason):
            return [self._route.credential_refused(reason)]
        return []

    def take(self) -> list[Out]:
        """The hub's messages and our pings, to be sent in this order."""
        self.stirred = False
        return [*self._hub.take(), *self._pings.take()]

    # --- what happens on the hub

    def _items(self, happenings: list[signalr.Happening], now: Now) -> list[Item]:
        items: list[Item] = []
        for happening in happenings:
            match happening:
                case signalr.StreamItem():
                    items += self._on_item(happening, now)
                case signalr.Ready():
                    items += self._on_ready(now)
                case signalr.StreamEnd():
                    items += self._on_end(happening, now)
                case signalr.ProtocolError():
                    items += self._on_protocol_error(happening, now)
                case signalr.HandshakeFailed():
                    items.append(replace(self._handshake_failed(happening), at_door=True))
                case signalr.HubClosed():
                    items.append(self._hub_closed(happening))
                case signalr.Broken():
                    items.append(Lost(happening.reason))
                case signalr.Invocation():
                    pass
            if items and _ends_the_connection(items[-1]):
                self._stop()
                break  # the rest is dropped: a stream that it refuses will be refused again on the next connection
        return items

    def _on_ready(self, now: Now) -> list[Item]:
        items: list[Item] = []
        for stream in self._streams.values():
            self._ask_for(stream, now)
            items.append(StreamState(stream.name, "syncing"))
        if self._measuring:
            self._route.proven("ping")
            items += self._pings.begin(now)
        return items

    def _on_item(self, item: signalr.StreamItem, now: Now) -> list[Item]:
        stream = self._by_invocation.get(item.invocation_id)
        if stream is None:
            return self._on_old_item(item, now)
        feed = stream.feed
        try:
            taken = cast("list[Item]", feed.take(item.item, now))
        except NotAskedFor as other:
            return self._left_out.say(stream.name, other.symbol)
        except (BookError, MissingRow) as problem:
            return self._resync(stream, str(problem), now)
        except BadMessage as problem:
            return self._bad_item(stream, str(problem), now)
        except DECODE_ERRORS as error:
            return self._bad_item(stream, _in_item(error), now)
        if stream.live or not feed.whole:
            return taken
        stream.live = self.stirred = True
        self._route.proven(stream.name)
        if stream.book is not None:
            stream.book.weigh(now)
        return [self._live(stream), *taken]

    def _live(self, stream: _Stream) -> StreamState:
        """The state that says a stream is live; of a book also what is known of its versions."""
        if stream.book is None:
            return StreamState(stream.name, "live")
        trials = stream.book.trials
        learnt = trials.take_news() == "growing"
        return StreamState(stream.name, "live", LEARNT if learnt else "", "growing" if trials.growing else None)

    def _on_old_item(self, item: signalr.StreamItem, now: Now) -> list[Item]:
        """Takes an item of a book's old invocation. It is not shown; it only tells whether skips lose anything."""
        self.stirred = True
        stream = next((one for one in self._streams.values() if one.book is not None), None)
        if stream is None or stream.book is None or item.invocation_id not in stream.book.trials:
            return []  # of an invocation that was given up earlier in this very frame
        trials, items = stream.book.trials, list[Item]()
        try:
            stream.book.merge_old(item.invocation_id, item.item)
        except NotAskedFor:
            return []
        except (BadMessage, BookError, *DECODE_ERRORS) as error:
            problem = str(error) if isinstance(error, BadMessage | BookError) else _in_item(error)
            which = f"b2trader {stream.target}, of an invocation that is being replaced"
            items.append(BadFrame(f"{problem} ({which})", (stream.name,)))
            trials.end(item.invocation_id)
        if not stream.live or (news := trials.take_news()) is None:
            return items
        if news == "forbidden":  # what was skipped meanwhile may have been lost
            return [*items, *self._resync(stream, trials.lesson.forbidden, now)]
        return [*items, StreamState(stream.name, "live", LEARNT, "growing")]

    def _on_end(self, end: signalr.StreamEnd, now: Now) -> list[Item]:
        stream = self._by_invocation.pop(end.invocation_id, None)
        if stream is None:
            if self._trials is not None:
                self._trials.end(end.invocation_id)
            return []
        had_data, stream.invocation = stream.live, None
        error = end.error
        if error is None:
            beside_another = stream.book is not None and not had_data and stream.book.trials.refused()
            return self._resync(stream, f"the venue ended {stream.target}", now, ended=not beside_another)
        said = excerpt(signalr.own_words(error), 300) or "an error without words"
        if _is_about_the_token(error):
            return [self._route.stream_unauthorized(stream.name, said)]
        if stream.book is not None and not had_data and stream.book.trials.refused():
            return self._resync(stream, said, now)
        gave_no_reason = not signalr.says_why(error)  # what does say why is an answer to what we asked for
        if error.startswith("Unknown hub method"):
            reason = f"the hub at {self._route.path} has no {stream.target} for {stream.name}: {said}"
            return [self._route.stream_refused(stream.name, reason)]
        if gave_no_reason and not self._route.failed_for_good(stream.name):
            return self._resync(stream, said, now, ended=True)
        if not gave_no_reason and had_data:
            return self._resync(stream, said, now, ended=True)
        reason = f"b2trader refuses {stream.name} of {self._route.of_what(stream.subscription)}: {said}"
        return [self._route.stream_refused(stream.name, reason)]

    def _on_protocol_error(self, problem: signalr.ProtocolError, now: Now) -> list[Item]:
        if problem.invocation_id is None:
            concerned = [stream for stream in self._streams.values() if stream.invocation is not None]
            if self._trials is not None:
                self._trials.end_all()
        else:
            stream = self._by_invocation.get(problem.invocation_id)
            concerned = [] if stream is None else [stream]
            if self._trials is not None:
                self._trials.end(problem.invocation_id)
        items: list[Item] = [BadFrame(f"{problem.reason} (b2trader)", tuple(stream.name for stream in concerned))]
        for stream in concerned:
            items += self._resync(stream, f"bad message: {problem.reason}", now)
        return items

    def _bad_item(self, stream: _Stream, problem: str, now: Now) -> list[Item]:
        bad = BadFrame(f"{problem} (b2trader {stream.target})", (stream.name,))
        return [bad, *self._resync(stream, f"bad item: {problem}", now)]

    def _handshake_failed(self, failed: signalr.HandshakeFailed) -> Refused | Lost:
        if not failed.by_server:
            return Lost(f"{failed.reason}; is {self._route.path} at this address a SignalR hub?")
        if _is_about_the_token(failed.reason):
            return self._route.credential_refused(failed.reason)
        return Lost(f"the hub refused the handshake: {excerpt(failed.reason, 300)}", retry=False)

    def _hub_closed(self, closed: signalr.HubClosed) -> Refused | Lost:
        words = excerpt(signalr.own_words(closed.error or ""), 300)
        said = f": {words}" if words else ""
        if closed.error and _is_about_the_token(closed.error):
            return self._route.credential_refused(words)
        if closed.allow_reconnect:
            return Lost(f"the hub closed the connection and allows a new one{said}")
        return Lost(f"the hub closed the connection for good{said}", retry=False)

    # --- asking, and asking again

    def _ask_for(self, stream: _Stream, now: Now) -> None:
        stream.pacing.tried(now.mono)
        stream.feed.begin()
        stream.invocation = self._hub.stream(stream.target, stream.arguments)
        self._by_invocation[stream.invocation] = stream
        if stream.book is not None:
            stream.book.trials.asked(now)

    def _resync(self, stream: _Stream, reason: str, now: Now, *, ended: bool = False) -> list[Item]:
        """Asks for a stream anew because what is shown may be wrong: the new invocation begins with a full state.

        The old invocation does not count any more. After a skipped version it goes on, unseen, to be compared.
        """
        if stream.invocation is not None:
            self._by_invocation.pop(stream.invocation, None)
            if stream.book is None or not stream.book.keeps(stream.invocation):
                self._hub.cancel(stream.invocation)
            stream.invocation = None
        stream.live, self.stirred = False, True
        if stream.book is not None and stream.book.trials.take_usefulness():
            stream.pacing.shorten()  # the trial gave a proof, so the pause does not grow
        state = StreamState(stream.name, "stale", f"{reason}; subscribing again", ended=reason if ended else "")
        if not self._leaving and stream.pacing.again(now.mono):
            self._ask_for(stream, now)
        return [state]

    def _stop(self) -> None:
        self._pings.stop()
        if self._trials is not None and not self._leaving:
            self._trials.lost()
        for stream in self._streams.values():
            stream.pacing.due = None


def _in_item(error: Exception) -> str:
    """The words of a decoding error, with the path from the message's `item` on."""
    return explain(error).replace(" at `", " at `item").replace("`item", "`item.").replace("item.[", "item[")


def _ends_the_connection(item: Item) -> bool:
    return isinstance(item, Lost) or (isinstance(item, Refused) and item.stream is None)


def _is_about_the_token(text: str) -> bool:
    lower = text.lower()
    return "unauthorized" in lower or "unauthenticated" in lower or "token expired" in lower


# --- what outlives a connection ------------------------------------------------------------------------------------


class B2TraderRoute(BaseRoute):
    """The streams of one hub. Knows whether the token has ever been good, and how the book's versions count."""

    def __init__(self, path: str, subscriptions: Sequence[Subscription], settings: Settings) -> None:
        super().__init__(subscriptions, settings)
        values = read_values(settings.values)
        self.path = path
        self.account_id = values.account_id
        self.negotiates = values.negotiates
        self.hub_url = settings.url.rstrip("/") + path
        clock = VenueClock([subscription.stream for subscription in subscriptions])
        self.common = Common(settings.label, values.root_asset, clock)
        self.lesson = Lesson(growing=values.growing, table=settings.table)
        self.refused_streams: set[str] = set()  # not asked for again; the other streams are
        self._times = {subscription.stream: RowTimes() for subscription in subscriptions}
        self._token_was_good = False
        self._gave_data: set[str] = set()
        self._failures: dict[str, int] = {}

    def session(self, secrets: Mapping[str, str]) -> Session:
        """Makes the session of a new connection to the hub."""
        return B2TraderSession(self, secrets)

    def refused(self, status: int, body: str) -> Refused | Lost:
        """What an HTTP status means here: 401 and 403 refuse the token; 404: no hub, or its negotiated id is gone."""
        said = answer_in_words(status, body)
        if status in (401, 403):
            return self.credential_refused(said)
        if status == 404 and self.negotiates:
            return Lost(f"the hub does not know the connection any more that was negotiated ({said})")
        if status == 404:
            return self._no_hub(said)
        if status == 409:
            return Lost(f"the hub has this connection already ({said})")
        if status == 400 and not self.negotiates:
            return Refused(f"the hub refused the connection ({said}); if it wants a negotiation, set negotiate = true")
        return super().refused(status, body)

    def refused_negotiation(self, status: int, body: str) -> Refused | Lost:
        """What an HTTP status means as the answer to a negotiation."""
        said = answer_in_words(status, body)
        return self._no_hub(said) if status == 404 else self.refused(status, body)

    def credential_refused(self, said: str) -> Refused | Lost:
        """The hub refused the token: final if it was never good, else it may have expired, and a new one is tried."""
        streams, said = ", ".join(subscription.stream for subscription in self.subscriptions), excerpt(said, 300)
        if self._token_was_good:
            self._token_was_good = False
            return Lost(_expired(streams, said), expired=True)
        return Refused(f"b2trader refused the token for {streams} ({said}); {_CHECK_TOKEN}")

    def stream_unauthorized(self, stream: str, said: str) -> Refused | Lost:
        """The hub accepted the token and refuses one stream: final if that stream never gave data, else as an expiry.

        What the other streams gave says nothing about this one.
        """
        if stream in self._gave_data:
            self._gave_data.remove(stream)
            self._token_was_good = False
            return Lost(_expired(stream, said), expired=True)
        return self.stream_refused(stream, f"b2trader refused the token for {stream} ({said}); {_CHECK_TOKEN}")

    def stream_refused(self, stream: str, reason: str) -> Refused:
        """The final refusal of one stream, which is not asked for any more; the others go on."""
        self.refused_streams.add(stream)
        return Refused(reason, stream)

    def proven(self, stream: str) -> None:
        """Notes that a full state of a stream came, so the token is good."""
        self._token_was_good = True
        self._gave_data.add(stream)
        self._failures.pop(stream, None)

    def failed_for_good(self, stream: str) -> bool:
        """Counts one more failure without a reason; True if a stream that never gave data has failed often enough."""
        self._failures[stream] = self._failures.get(stream, 0) + 1
        return stream not in self._gave_data and self._failures[stream] >= FAILURES_AT_FIRST

    def feed(self, subscription: Subscription) -> HubStream:
        """Makes the feed of a stream for a new connection."""
        return feed_for(subscription, self.common, self.lesson, self._times[subscription.stream])

    def arguments(self, subscription: Subscription) -> list[Any]:
        """The arguments of a stream's invocation: the account, then the market or a list of markets."""
        symbols = subscription.symbols
        match OFFERS[subscription.stream].symbols:
            case "none":
                return [self.account_id]
            case "many" | "any":
                return [self.account_id, list(dict.fromkeys(symbols))]
            case "one":
                scale = f"@{subscription.interval}" if subscription.stream == "candles" else ""
                (symbol,) = symbols
                return [self.account_id, symbol + scale]

    def of_what(self, subscription: Subscription) -> str:
        """The markets of a subscription, or else the account, for texts."""
        return " ".join(subscription.symbols) or f"account {self.account_id}"

    def _no_hub(self, said: str) -> Lost:
        return Lost(f"there is no hub at {self.path} of this address ({said}); check url, which comes before it",
                    retry=False)  # fmt: skip


_CHECK_TOKEN = "check token, and that account_id is an account of it"


def _expired(streams: str, said: str) -> str:
    return f"b2trader does not accept the token for {streams} any more ({said}); connecting with a new one"


def routes(subscriptions: Sequence[Subscription], settings: Settings) -> list[Route]:
    """One connection for each hub; a stream that is asked for twice gets another one.

    Raises:
        UsageError: the venue has no candles of such a length.
        SetupError: a value of the settings cannot be used.
    """
    read_values(settings.values)  # also where there is nothing to subscribe to
    for subscription in subscriptions:
        if subscription.stream == "candles" and subscription.interval not in SCALES:
            known = ", ".join(SCALES)
            raise UsageError(f'expected one of the time scales of b2trader ({known}), got "{subscription.interval}"')
    routes: list[Route] = []
    for group in grouped(subscriptions, _share_a_line):
        (path,) = {_path(subscription) for subscription in group}
        routes.append(B2TraderRoute(path, group, settings))
    return routes


def _path(subscription: Subscription) -> str:
    """Of the hub that has its stream."""
    path, _ = _HUBS[subscription.stream]
    return path


def _share_a_line(one: Subscription, other: Subscription) -> bool:
    return one.stream != other.stream and _path(one) == _path(other)
