"""NBT hub: trading signals over Socket.IO; one connection brings all of them, nothing is subscribed.

Document: "Web Socket API specifications" of the NBT hub. The public hub has closed down, so its address is the user's
to set. The hub's own software speaks Socket.IO 2; another may speak the newer generation. The key is in the query of
the URL, so the URL itself is a secret, and in every signal that is sent.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any
from urllib.parse import quote as url_quote

import msgspec

from venues import records
from venues.driver import answer_in_words
from venues.errors import BadMessage, SetupError, UsageError
from venues.nbt.messages import SIGNAL, extra_of, payload, score_of
from venues.protocols import socketio
from venues.protocols.pings import SocketPings
from venues.session import BaseRoute, BaseSession, grouped
from venues.toolkit.any_json import any_json
from venues.toolkit.decoding import DECODE_ERRORS, excerpt, explain
from venues.toolkit.numbers import is_absent, optional_positive
from venues.toolkit.pacing import STABLE_AFTER
from venues.venue import (
    BadFrame,
    Dial,
    Item,
    Lost,
    Notice,
    Receipt,
    Refused,
    SocketPing,
    StreamState,
    Veiled,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from venues.venue import (
        Command,
        Now,
        Out,
        Route,
        Session,
        Settings,
        Subscription,
    )

VENUE = "nbt"
EXPELLED_AT_FIRST = 3  # put out so often in a row without ever having got anything, we are refused

# event → what it is about
_SIGNALS = {
    "buy_signal": "buy",
    "sell_signal": "sell",
    "traded_buy_signal": "buy",
    "traded_sell_signal": "sell",
    "close_traded_signal": "close",
    "stop_traded_signal": "stop",
}
_MESSAGES = ("message", "user_payload")
_EVENTS = frozenset({*_SIGNALS, *_MESSAGES, "error"})
# (what it is about, `new`) → (action, side); a traded signal that does not say `new` may be either
_MEANING: dict[tuple[str, bool | None], tuple[Any, records.PositionSide | None]] = {
    ("buy", True): ("enter", "long"),
    ("buy", False): ("exit", "short"),
    ("sell", True): ("enter", "short"),
    ("sell", False): ("exit", "long"),
}
_MISSED = {"signals": "signals may have been missed", "feed": "messages may have been missed", "ping": ""}
_DOUBTED = {"signals": "a signal may be missing", "feed": "a message may be missing"}


# --- one connection ------------------------------------------------------------------------------------------------


class NbtSession(BaseSession):
    """One connection to a hub, which sends all signals unasked and takes commands."""

    venue = VENUE

    def __init__(self, route: NbtRoute, secrets: Mapping[str, str]) -> None:
        super().__init__()
        self._route = route
        self._key = secrets["key"]
        self._link = socketio.SocketIo(route.learnt)
        self._names = [subscription.stream for subscription in route.subscriptions]
        self._connected_at: float | None = None
        self._doubtful: set[str] = set()
        self._said = ""  # the words of an `error` event
        self._pings = SocketPings(VENUE, route.label)
        self._pinged: deque[Command | None] = deque()  # what each ping is for: a command, or the `ping` stream
        self._unanswered: dict[int, Command] = {}

    def dial(self) -> Dial:
        """Where the WebSocket is opened; the key is in the query, so only `shown` may be shown."""
        url = self._route.url
        return Dial(url=f"{url}{url_quote(self._key, safe='')}", shown=f"{url}[key]")

    def opened(self, now: Now) -> list[Item]:
        """Asks for nothing: the hub sends first, and then everything unasked."""
        self._link.opened(now)
        return [StreamState(name, "syncing") for name in self._names]

    def receive(self, frame: bytes, now: Now) -> list[Item]:
        """What one Socket.IO packet brings, in order."""
        return self._items(self._link.receive(frame, now), now)

    def pong(self, now: Now) -> list[Item]:
        """The answer to the oldest ping: a round trip, or the `Receipt` of the command sent before that ping."""
        command = self._pinged.popleft() if self._pinged else None
        return self._pings.pong(now) if command is None else [Receipt(command)]

    def deadline(self) -> float | None:
        """The earlier of the link's own deadline and the next ping of the `ping` stream."""
        moments = (self._link.deadline(), self._pings.due)
        return min((moment for moment in moments if moment is not None), default=None)

    def tick(self, now: Now) -> list[Item]:
        """Keeps the link's deadlines, and sends the next ping if it is due."""
        items = self._items(self._link.tick(now), now)
        items += self._pings.tick(now)
        self._take_pings()
        return items

    def send(self, command: Command) -> None:
        """Sends a signal: the command's name is the event, its fields are the payload without the key.

        A `Receipt` comes when it has reached the hub's socket, and another one if the hub acknowledges it.

        Raises:
            UsageError: the hub has not let us in yet, or not any more.
        """
        if self._connected_at is None:
            raise UsageError("expected a hub that has let us in, got none yet; nothing was sent")
        self._out += self._link.take()
        sent = payload(self._key, command.fields)
        ack = self._link.emit(command.name, msgspec.Raw(sent.encode()), ack=True)
        assert ack is not None, "one was asked for"
        self._unanswered[ack] = command
        hidden = payload("[key]", command.fields)
        self._out += [Veiled(frame, frame.replace(sent, hidden)) for frame in self._link.take()]
        self._out.append(SocketPing())
        self._pinged.append(command)

    def leave(self, now: Now) -> None:
        """Leaves the Socket.IO namespace; nothing is awaited."""
        self._pings.stop()
        self._link.leave()

    def closed(self, code: int | None, reason: str, now: Now) -> list[Item]:
        """Ends the connection's state. The line keeps the learnt generation of Socket.IO for the next one."""
        self._over()
        return []

    def take(self) -> list[Out]:
        """The packets and pings to send, in order; each is returned once."""
        out, self._out = [*self._out, *self._link.take()], []
        return out

    # --- what happens on the link

    def _items(self, happenings: list[socketio.Happening], now: Now) -> list[Item]:
        items: list[Item] = []
        for happening in happenings:
            match happening:
                case socketio.Event():
                    items += self._on_event(happening, now)
                case socketio.Connected():
                    items += self._on_connected(now)
                case socketio.Acknowledged():
                    items += self._on_acknowledged(happening)
                case socketio.BadPacket():
                    items += self._bad(happening.reason, *_DOUBTED)
                case socketio.ConnectRefused():
                    items.append(self._refused(happening.message))
                case socketio.Disconnected():
                    items.append(self._on_disconnected(now))
                case socketio.Broken():
                    hint = "" if happening.retry else "; check url"
                    items.append(Lost(f"{happening.reason}{hint}", retry=happening.retry))
        self._route.learnt = self._link.learnt
        if any(isinstance(item, Refused | Lost) for item in items):
            self._over()
        return items

    def _on_connected(self, now: Now) -> list[Item]:
        self._connected_at = now.mono
        missed = self._route.met_before
        self._route.met_before = True
        if "ping" in self._names:
            self._pings.begin(now)
            self._take_pings()
        return [StreamState(name, "live", _MISSED[name] if missed else "") for name in self._names]

    def _on_event(self, event: socketio.Event, now: Now) -> list[Item]:
        if event.ack is not None:
            self._link.acknowledge(event.ack)
        name = event.name if event.name in _EVENTS else event.name.lower()
        try:
            if name in _SIGNALS:
                return self._on_signal(name, event, now)
            if name in _MESSAGES:
                return self._on_message(name, event, now)
            if name == "error":
                return [*self._on_error(event), *self._items(self._link.meant_nothing(), now)]
        except DECODE_ERRORS as error:
            return self._bad_event(name, explain(error))
        except BadMessage as problem:
            return self._bad_event(name, str(problem))
        return self._items(self._link.meant_nothing(), now)

    def _on_signal(self, name: str, event: socketio.Event, now: Now) -> list[Item]:
        self._route.given = True
        if "signals" not in self._names:
            return []
        if not event.arguments:
            raise BadMessage("expected a signal, got nothing")
        data = SIGNAL.decode(event.arguments[0])
        if not data.pair:
            raise BadMessage("expected a pair at `pair`, got an empty text")
        about = _SIGNALS[name]
        action, side = _MEANING.get((about, data.new), (about if about in ("close", "stop") else None, None))
        price_path = "close_price" if is_absent(data.price) else "price"
        score = score_of(data)
        signal = records.Signal(
            venue=VENUE,
            env=self._route.label,
            symbol=data.pair,
            received=now.epoch_ms,
            name=name,
            action=action,
            side=side,
            price=optional_positive(getattr(data, price_path), price_path),
            size=optional_positive(data.qty, "qty"),
            strategy_id=_id(data.stratid),
            strategy=data.stratname,
            user_id=_id(data.userid),
            user=data.nickname,
            score=None if isinstance(score, str) else score,
            trading_type=data.trading_type,
            extra=extra_of(data, score),
        )
        self._doubtful.discard("signals")
        return [signal]

    def _on_message(self, name: str, event: socketio.Event, now: Now) -> list[Item]:
        self._route.given = True
        if "feed" not in self._names:
            return []
        data: Any
        match [any_json(argument) for argument in event.arguments]:
            case [only]:
                data = only
            case several:
                data = several or None
        message = records.Message(
            venue=VENUE,
            env=self._route.label,
            received=now.epoch_ms,
            topic=name,
            data=data,
        )
        self._doubtful.discard("feed")
        return [message]

    def _on_error(self, event: socketio.Event) -> list[Item]:
        """Takes an `error` event. Before the hub lets us in it is a refusal; later it may be about a command."""
        self._said = excerpt(_words(event.arguments), 300)
        if self._connected_at is None:
            return [self._refused(self._said)]
        if len(self._unanswered) != 1:  # it does not say which one it is about
            return [Notice(f"the hub says: {self._said}")]
        _, command = self._unanswered.popitem()
        return [Receipt(command, refused=self._said)]

    def _on_acknowledged(self, answer: socketio.Acknowledged) -> list[Item]:
        command = self._unanswered.pop(answer.ack, None)
        if command is None:
            return []
        try:
            answered = tuple(any_json(argument) for argument in answer.arguments)
        except (*DECODE_ERRORS, BadMessage) as error:
            problem = str(error) if isinstance(error, BadMessage) else explain(error)
            return [*self._bad(f"{problem} (in an acknowledgement)"), Receipt(command, acknowledged=True)]
        refused = _complaint(answered[0]) if answered else None
        return [Receipt(command, acknowledged=True, answered=answered, refused=refused)]

    def _on_disconnected(self, now: Now) -> Refused | Lost:
        """The hub put us out. Some hubs let everybody in first, so this may be a refusal."""
        if self._connected_at is None:
            return self._refused(self._said or "it put us out before it let us in")
        self._route.expelled += 1
        if now.mono - self._connected_at >= STABLE_AFTER:
            self._route.expelled = 0
        said = f": {self._said}" if self._said else ""
        if not self._route.given and (self._said or self._route.expelled >= EXPELLED_AT_FIRST):
            return self._refused(f"it put us out again and again{said}" if not self._said else self._said)
        return Lost(f"the hub put us out{said}")

    def _refused(self, said: str) -> Refused:
        words = f"the hub refused the connection: {excerpt(said, 300) or 'no reason given'}; check key"
        return Refused(words, at_door=self._connected_at is None)

    def _over(self) -> None:
        self._pings.stop()
        self._connected_at = None

    # --- what went wrong

    def _bad_event(self, name: str, problem: str) -> list[Item]:
        stream = "signals" if name in _SIGNALS else "feed"
        return self._bad(f"{problem} (nbt {name})", *([stream] if name != "error" else []))

    def _bad(self, problem: str, *concerned: str) -> list[Item]:
        """Reports a bad frame; says so of each stream that it may concern, once until a good event comes."""
        items: list[Item] = [BadFrame(problem if "(nbt" in problem else f"{problem} (nbt)", concerned)]
        for name in concerned:
            if name in self._names and name not in self._doubtful and self._connected_at is not None:
                self._doubtful.add(name)
                items.append(StreamState(name, "live", f"a bad frame came: {_DOUBTED[name]}"))
        return items

    # --- pings

    def _take_pings(self) -> None:
        pings = self._pings.take()
        self._out += pings
        self._pinged += [None] * len(pings)


def _id(value: str | int | None) -> str | None:
    return None if value is None else str(value)


def _complaint(answer: Any) -> str | None:
    """The error text of an acknowledgement such as `{"status":"error","message":"…"}`; None if it reports none."""
    if not isinstance(answer, dict) or not (answer.get("status") == "error" or answer.get("error")):
        return None
    words = answer.get("message") or answer.get("error")
    return excerpt(words, 300) if isinstance(words, str) else "no reason given"


def _words(arguments: Sequence[msgspec.Raw]) -> str:
    """The words of an `error` event: a text, the `message` of an object, or the JSON as it is."""
    if not arguments:
        return "an error without words"
    data = any_json(arguments[0])
    if isinstance(data, dict) and isinstance(data.get("message"), str):
        data = data["message"]
    return data if isinstance(data, str) else bytes(arguments[0]).decode()


# --- what outlives a connection ------------------------------------------------------------------------------------


class NbtRoute(BaseRoute):
    """The subscriptions of one connection to a hub, and what was learnt about the hub.

    `met_before`: it has let us in once. `given`: it has sent something. `expelled`: how often in a row it put us out.
    """

    def __init__(self, subscriptions: Sequence[Subscription], settings: Settings) -> None:
        super().__init__(subscriptions, settings)
        base = settings.url.rstrip("/").removesuffix("/socket.io")
        version = _version(settings.values)
        self.url = f"{base}/socket.io/?{socketio.QUERY}{version}&type={_kind_of(subscriptions)}&key="
        self.learnt: socketio.Lesson | None = None
        self.met_before = False
        self.given = False
        self.expelled = 0

    def session(self, secrets: Mapping[str, str]) -> Session:
        """Makes the session of a new connection."""
        return NbtSession(self, secrets)

    def refused(self, status: int, body: str) -> Refused | Lost:
        """What an HTTP status means here: 400, 401 and 403 refuse the key; 404 means no Socket.IO server."""
        if status in (400, 401, 403):
            return Refused(f"the hub refused the connection ({answer_in_words(status, body)}); check key")
        return socketio.verdict(status, body)


def _kind_of(subscriptions: Sequence[Subscription]) -> str:
    return subscriptions[0].options.get("type", "client")


def _version(values: Mapping[str, Any]) -> str:
    version = values.get("version", "")
    if not isinstance(version, str) or not version.isprintable():
        raise SetupError(f"expected plain text as version of nbt, got {excerpt(repr(version), 60)}")
    return f"&v={url_quote(version, safe='')}" if version else ""


def routes(subscriptions: Sequence[Subscription], settings: Settings) -> list[Route]:
    """One connection; a stream that is asked for twice, or with another `type`, gets another one.

    Raises:
        SetupError: a value of the settings cannot be used.
    """
    return [NbtRoute(group, settings) for group in grouped(subscriptions, _share_a_line)]


def _share_a_line(one: Subscription, other: Subscription) -> bool:
    return one.stream != other.stream and _kind_of([one]) == _kind_of([other])
