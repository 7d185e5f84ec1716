"""ProfitView: the private feed of an account, on which its bots publish whatever they like, each under a topic.

Document: "Signal Bots", "Create Websocket Feeds". Nothing is subscribed: all topics of all bots come on one socket.
No heartbeat, error or close code is documented; the line is watched by WebSocket pings. The API key is in the query
of the URL, so the URL itself is a secret.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING
from urllib.parse import quote as url_quote

from venues import records
from venues.driver import answer_in_words
from venues.errors import BadMessage
from venues.profitview.messages import read_message
from venues.protocols.pings import SocketPings
from venues.session import BaseRoute, BaseSession, grouped
from venues.toolkit.decoding import DECODE_ERRORS, excerpt, explain
from venues.venue import BadFrame, Dial, Item, Lost, Now, Out, Refused, StreamState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from venues.venue import Route, Session, Settings, Subscription

AT_ONCE = 5.0  # seconds after the opening in which a close means a refusal

# Close codes with which servers refuse a client after the handshake: policy violation, the registered "unauthorized"
# and "forbidden", and others in common use for the same.
_TURNED_AWAY = (1008, 3000, 3003, 4001, 4003, 4401, 4403)


# --- one connection ------------------------------------------------------------------------------------------------


class ProfitViewSession(BaseSession):
    """One connection to the feed of an account."""

    venue = "profitview"
    stirred = False  # no message leads to anything to send

    def __init__(self, route: ProfitViewRoute, secrets: Mapping[str, str]) -> None:
        super().__init__()
        self._route = route
        self._key = secrets["api_key"]
        self._feeding = "feed" in route.by_stream
        self._topics = frozenset(route.by_stream["feed"].symbols) if self._feeding else frozenset()
        self._bad_was_said = False
        self._opened_at = math.inf
        self._pings = SocketPings("profitview", route.settings.label)

    def dial(self) -> Dial:
        """Where the WebSocket is opened; the key is in the query, so only `shown` may be shown."""
        base = self._route.settings.url.rstrip("/")
        return Dial(
            url=f"{base}/stream?token={url_quote(self._key, safe='')}",
            shown=f"{base}/stream?token=[api_key]",
        )

    def opened(self, now: Now) -> list[Item]:
        """Everything is live at once, because there is no state to wait for."""
        self._opened_at = now.mono
        missed, self._route.met_before = self._route.met_before, True
        state = StreamState("feed", "live", "messages may have been missed" if missed else "")
        items: list[Item] = [state] if self._feeding else []
        return [*items, *self._pings.begin(now)] if "ping" in self._route.by_stream else items

    def receive(self, frame: bytes, now: Now) -> list[Item]:
        """The message of a bot as a record; nothing if its topic was not asked for."""
        try:
            message = read_message(frame)
        except DECODE_ERRORS as error:
            return self._bad(explain(error))
        except BadMessage as problem:
            return self._bad(str(problem))
        self._route.welcome = True
        self._bad_was_said = False
        if not self._feeding or (self._topics and message.type not in self._topics):
            return []
        return [
            records.Message(
                venue="profitview",
                env=self._route.settings.label,
                received=now.epoch_ms,
                topic=message.type,
                data=message.data,
                extra={"strategy": message.strategy} if isinstance(message.strategy, str) else None,
            )
        ]

    def pong(self, now: Now) -> list[Item]:
        """The round trip of the oldest ping, as a `Pong`."""
        return self._pings.pong(now)

    def deadline(self) -> float | None:
        """When the next ping of the `ping` stream is due; None without that stream."""
        return self._pings.due

    def tick(self, now: Now) -> list[Item]:
        """Sends the next ping if it is due."""
        return self._pings.tick(now)

    def leave(self, now: Now) -> None:
        """Stops the pings. There is no subscription to cancel."""
        self._pings.stop()

    def closed(self, code: int | None, reason: str, now: Now) -> list[Item]:
        """A close right after the opening refuses a key that was never good; any other close is a lost connection."""
        self._pings.stop()
        if now.mono - self._opened_at >= AT_ONCE:
            self._route.welcome = True
        if code in _TURNED_AWAY and not self._route.welcome:
            said = f"code {code}: {excerpt(reason, 200)}" if reason else f"code {code}"
            return [Refused(f"profitview closed the connection at once ({said}), as if it refused the API key; "
                            "check api_key")]  # fmt: skip
        return []

    def take(self) -> list[Out]:
        """The WebSocket pings to send; each is returned once."""
        return self._pings.take()

    def _bad(self, problem: str) -> list[Item]:
        """Reports a bad frame: a message of a wanted topic may be missing."""
        if not self._feeding:
            return []
        items: list[Item] = [BadFrame(f"{problem} (profitview feed)", ("feed",))]
        if not self._bad_was_said:
            self._bad_was_said = True
            items.append(StreamState("feed", "live", "a bad frame came: a message may be missing"))
        return items


# --- what outlives a connection ------------------------------------------------------------------------------------


class ProfitViewRoute(BaseRoute):
    """The subscriptions of one connection.

    `welcome`: the key is good, since a message came with it or a connection lasted. `met_before`: there was a
    connection before.
    """

    def __init__(self, subscriptions: Sequence[Subscription], settings: Settings) -> None:
        super().__init__(subscriptions, settings)
        self.welcome = False
        self.met_before = False

    def session(self, secrets: Mapping[str, str]) -> Session:
        """Makes the session of a new connection."""
        return ProfitViewSession(self, secrets)

    def refused(self, status: int, body: str) -> Refused | Lost:
        """What an HTTP status means here: 401 and 403 refuse the key; 404 means no feed at the address."""
        said = answer_in_words(status, body)
        if status in (401, 403):
            return Refused(f"profitview refused the API key ({said}); check api_key")
        if status == 404:
            return Lost(f"there is no feed at /stream of this address ({said}); check url, which comes before it",
                        retry=False)  # fmt: skip
        return super().refused(status, body)


def routes(subscriptions: Sequence[Subscription], settings: Settings) -> list[Route]:
    """One connection for all; a stream that is asked for twice gets another one."""
    groups = grouped(subscriptions, lambda one, other: one.stream != other.stream)
    return [ProfitViewRoute(group, settings) for group in groups]
