"""Statuses: which of them belong into a stream of lines, and what they are in words."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from cli.output import cells

if TYPE_CHECKING:
    from collections.abc import Callable

    from venues.records import Status

SAID_AT_ONCE = 5  # words of one kind before they are held back
SAID_EVERY = 1.0  # seconds for one more
SHORTEST_TOLD_MS = 50  # a shorter time would be written as 0

_TROUBLE = ("stale", "reconnecting", "closed")


class StatusGate:
    """A healthy stream of lines is data only; an interruption is in it from its first status to its last."""

    def __init__(self) -> None:
        self._live = False
        self._disturbed = False

    def passes(self, status: Status) -> bool:
        """Whether the status belongs in the stream of lines."""
        if status.state in _TROUBLE:
            self._disturbed = True
            return True
        if status.state != "live":
            return self._disturbed
        again = self._live or self._disturbed
        self._live, self._disturbed = True, False
        return again


def in_words(status: Status) -> str | None:
    """What happened and what is done about it; None when it is nothing to talk about."""
    reason = status.reason or ""
    match status.state:
        case "reconnecting" if status.attempt is None:  # in a recording: nobody tries
            return f"{status.stream}: {reason}"
        case "reconnecting":
            again = cells.duration(status.retry_in_ms or 0)
            return f"{status.stream}: {reason}; trying again in {again} (try {status.attempt})"
        case "stale":
            return f"{status.stream} is stale: {reason}"
        case "live" if status.down_ms is not None:
            away = cells.duration(status.down_ms) if status.down_ms >= SHORTEST_TOLD_MS else "<0.1 s"
            text = f"{status.stream} is live again after {away}"
            return f"{text}; {reason}" if reason else text
        case "live" if reason:
            return f"{status.stream}: {reason}"
        case _:
            return None


class BadFrames:
    """Counts the frames that could not be understood."""

    def __init__(self) -> None:
        self._count = 0

    def words(self, reason: str) -> str:
        """Count one more bad frame, and say so."""
        self._count += 1
        so_far = "" if self._count == 1 else f" ({self._count} so far)"
        return f"bad frame{so_far}: {reason}"


class Unsaid:
    """Holds words back that come too often: `SAID_AT_ONCE` at once, then one every `SAID_EVERY`, the latest.

    `first` is true when words were held back just now and none before them are waiting.
    """

    def __init__(self, now: float) -> None:
        self.first = False
        self._allowed = float(SAID_AT_ONCE)
        self._at = now
        self._waiting: str | None = None

    def may_be_said(self, text: str, now: float) -> bool:
        """Whether the words may be said at once; otherwise they wait in the place of those before."""
        self._allowed = min(SAID_AT_ONCE, self._allowed + (now - self._at) / SAID_EVERY)
        self._at = now
        if self._waiting is None and self._allowed >= 1:
            self._allowed -= 1
            return True
        self.first = self._waiting is None
        self._waiting = text
        return False

    def take(self, now: float) -> str | None:
        """The words that were held back, which count as said now; None when there are none."""
        text, self._waiting = self._waiting, None
        self._allowed, self._at = 0.0, now
        return text


class Seldom:
    """Says words of kinds that may come in floods; in the event loop.

    After a few of a kind, only the latest every second.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._unsaid: dict[str, Unsaid] = {}

    def say(self, kind: str, text: str) -> None:
        """Say it now; when too many of its kind came, say the latest of them later."""
        unsaid = self._unsaid.setdefault(kind, Unsaid(time.monotonic()))
        if unsaid.may_be_said(text, time.monotonic()):
            self._say(text)
        elif unsaid.first:
            asyncio.get_running_loop().call_later(SAID_EVERY, self._say_late, unsaid)

    def last_words(self) -> None:
        """Say at once what was held back."""
        for unsaid in self._unsaid.values():
            self._say_late(unsaid)

    def _say_late(self, unsaid: Unsaid) -> None:
        text = unsaid.take(time.monotonic())
        if text is not None:
            self._say(text)
