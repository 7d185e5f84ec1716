"""How the streams of a route stand, each symbol for itself, and the statuses that say so. Pure.

What happens to all symbols of a stream at once is one status without `symbol`; what happens to some is one each.
A stream of one symbol says it in every status.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from venues.records import State, Status
from venues.streams import STREAMS
from venues.toolkit.decoding import excerpt
from venues.toolkit.pacing import STABLE_AFTER
from venues.venue import has_several, symbol_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from venues.venue import Now, Subscription

LONGEST_REASON = 1_000  # characters; at most 300 of them are a venue's own words


@dataclass(slots=True)
class _Standing:
    """How one symbol of a stream stands.

    `live_since` and `down_since` are monotonic times, None while it is not live, or not down. `down_since` is the last
    sign of life before it went down. `endings` counts how often in a row the venue ended it; being live for
    `STABLE_AFTER` seconds resets it.
    """

    state: State = "connecting"
    live_since: float | None = None
    down_since: float | None = None
    was_live: bool = False
    missed: bool = False
    endings: int = 0

    def forget_endings(self, now: Now) -> None:
        if self.live_since is not None and now.mono - self.live_since >= STABLE_AFTER:
            self.endings = 0


class _Change(NamedTuple):
    """What a status says of a symbol, beside what it says of all."""

    reason: str
    down_ms: int | None


class Standings:
    """The standings of a route's streams. `partly`: streams of which another route has further symbols.

    `label` is what records carry as `env`. `hide` takes the secrets out of a reason, which may quote the venue.
    """

    def __init__(
        self,
        subscriptions: Sequence[Subscription],
        *,
        venue: str,
        label: str | None,
        hide: Callable[[str], str],
        partly: Collection[str] = (),
    ) -> None:
        self._venue, self._label, self._hide = venue, label, hide
        self._partly = partly
        self._of: dict[str, dict[str | None, _Standing]] = {}
        for subscription in subscriptions:
            of_stream = self._of.setdefault(subscription.stream, {})
            of_stream.update({symbol: _Standing() for symbol in _symbols_of(subscription)})

    def __len__(self) -> int:
        return len(self._of)

    def __iter__(self) -> Iterator[str]:
        return iter(self._of)

    def is_closed(self, stream: str) -> bool:
        """Whether all symbols of the stream are closed for good."""
        return all(standing.state == "closed" for standing in self._of[stream].values())

    def end(self, stream: str, symbol: str | None, now: Now) -> int:
        """Count that the venue ended a stream, or one symbol of it; how often in a row it did that."""
        concerned = [self._of[stream][one] for one in self._concerned(stream, symbol)]
        for standing in concerned:
            standing.forget_endings(now)
            standing.endings += 1
        return max((standing.endings for standing in concerned), default=0)

    def missed(self) -> None:
        """Note that the connection is lost: of what was live something may be missed."""
        for standing in self._all():
            standing.missed = standing.missed or standing.was_live

    def begin_anew(self) -> None:
        """Note that all that was closed, or ended by the venue, is tried again."""
        for standing in self._all():
            standing.endings = 0
            if standing.state == "closed":
                standing.state = "connecting"

    def changed(
        self,
        stream: str,
        state: State,
        reason: str,
        now: Now,
        *,
        symbol: str | None = None,
        attempt: int | None = None,
        retry_in_ms: int | None = None,
        versions: Literal["growing"] | None = None,
        condition: str = "",
    ) -> list[Status]:
        """The statuses that tell of a new state, or of a reason; none when nothing changed. What is closed stays so."""
        changes: dict[str | None, _Change] = {}
        for one in self._concerned(stream, symbol):
            if (change := _changed(self._of[stream][one], stream, state, reason, now)) is not None:
                changes[one] = change
        if changes and self._is_one(stream, changes):
            changes = {next(iter(changes)) if len(self._of[stream]) == 1 else None: next(iter(changes.values()))}
        return [
            Status(
                venue=self._venue,
                env=self._label,
                symbol=one,
                received=now.epoch_ms,
                stream=stream,
                state=state,
                reason=excerpt(self._hide(change.reason), LONGEST_REASON) or None,
                attempt=attempt,
                retry_in_ms=retry_in_ms,
                down_ms=change.down_ms,
                versions=versions,
                condition=excerpt(self._hide(condition), LONGEST_REASON) or None,
            )
            for one, change in changes.items()
        ]

    def _is_one(self, stream: str, changes: dict[str | None, _Change]) -> bool:
        """Whether the same happens to all symbols of the stream, wherever they are."""
        return stream not in self._partly and len(changes) == len(self._of[stream]) and len(set(changes.values())) == 1

    def _concerned(self, stream: str, symbol: str | None) -> list[str | None]:
        """The symbols that are meant, but for those that are closed. A stream of one symbol need not name it."""
        of_stream = self._of[stream]
        meant = list(of_stream) if symbol is None or len(of_stream) == 1 else [symbol] if symbol in of_stream else []
        return [one for one in meant if of_stream[one].state != "closed"]

    def _all(self) -> Iterator[_Standing]:
        return (standing for of_stream in self._of.values() for standing in of_stream.values())


def _symbols_of(subscription: Subscription) -> Sequence[str | None]:
    """What statuses of a subscription are about: each of several symbols, else the one that all of them carry."""
    return subscription.symbols if has_several(subscription) else [symbol_of(subscription)]


def _changed(standing: _Standing, stream: str, state: State, reason: str, now: Now) -> _Change | None:
    """What there is to say of a symbol in this state; None when nothing changed."""
    if state == standing.state and (state == "stale" or not reason):
        return None  # many bad frames in a row are one interruption
    down_ms = None
    if state == "live":
        if standing.live_since is None:
            standing.live_since = now.mono
        if standing.down_since is not None:
            down_ms = round((now.mono - standing.down_since) * 1000)
        if standing.missed and STREAMS[stream].kind == "event":
            reason = reason or "what happened in between was missed"
        standing.was_live, standing.down_since, standing.missed = True, None, False
    elif standing.down_since is None and state in ("stale", "reconnecting"):
        standing.down_since = last_sign_of_life(now)
    if state != "live":
        standing.forget_endings(now)
        standing.live_since = None
    standing.state = state
    return _Change(reason, down_ms)


def last_sign_of_life(now: Now) -> float:
    """The moment itself where a message makes it, else the last sign of life before it."""
    return now.mono if now.heard is None else min(now.heard, now.mono)
