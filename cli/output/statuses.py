"""Statuses: which of them belong into a stream of lines, and what they are in words."""

from __future__ import annotations

import asyncio
import math
import time
from typing import TYPE_CHECKING, Any

from msgspec import structs

from cli.output import cells
from cli.output.symbols import named
from venues.records import TROUBLE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from venues.records import Status

SAID_AT_ONCE = 5  # words of one kind before they are held back
SAID_EVERY = 1.0  # seconds for one more
SHORTEST_TOLD_MS = 50  # a shorter time would be written as 0

GATHERED_FOR = 0.5  # seconds in which those that are live again are told together


class StatusGate:
    """A healthy stream of lines is data only; an interruption is in it from its first status to its last.

    A first state that does not come, for which there is a reason, is one too.

    Each symbol is judged by itself; a status without one is about all of them.
    """

    def __init__(self) -> None:
        self._all = (False, False)  # whether it has been live, and whether it is disturbed
        self._of: dict[str, tuple[bool, bool]] = {}  # the same of symbols that had a status of their own since

    def passes(self, status: Status) -> bool:
        """Whether the status belongs in the stream of lines."""
        if status.symbol is None:
            known = [self._all, *self._of.values()]
            was_live, was_disturbed = any(live for live, _ in known), any(disturbed for _, disturbed in known)
        else:
            was_live, was_disturbed = self._of.get(status.symbol, self._all)
        is_trouble = status.state in TROUBLE or (status.state == "syncing" and status.reason is not None)
        is_live = was_live or status.state == "live"
        now = is_live, is_trouble or (was_disturbed and status.state != "live")
        if status.symbol is None:
            self._all = now
            self._of.clear()
        else:
            self._of[status.symbol] = now
        return is_trouble or was_disturbed or (status.state == "live" and was_live)


def in_words(status: Status, symbol: str | None = None) -> str | None:
    """What happened and what is done about it; None when it is nothing to talk about.

    `symbol`: it is about that one of several.
    """
    return _in_words(
        status, status.stream if symbol is None else f"{status.stream} {cells.harmless(symbol, cells.LONGEST_NAME)}"
    )


def _in_words(status: Status, what: str, verb: str = "is", whose: str = "") -> str | None:
    reason = status.reason or ""
    match status.state:
        case "reconnecting" if status.attempt is None:  # in a recording: nobody tries
            return f"{what}: {reason}{whose}"
        case "reconnecting":
            again = cells.duration(status.retry_in_ms or 0)
            return f"{what}: {reason}; trying again in {again} (try {status.attempt}){whose}"
        case "stale":
            return f"{what} {verb} stale: {reason}{whose}"
        case "syncing" if reason:  # why it takes so long
            return f"{what}: {reason}{whose}"
        case "live" if status.down_ms is not None:
            away = cells.duration(status.down_ms) if status.down_ms >= SHORTEST_TOLD_MS else "<0.1 s"
            text = f"{what} {verb} live again after {away}{whose}"
            return f"{text}; {reason}" if reason else text
        case "live" if reason:
            return f"{what}: {reason}{whose}"
        case "closed" if status.symbol is not None and (whose or what != status.stream):  # the others go on
            return f"{what} {verb} closed: {reason}{whose}"
        case _:
            return None


class Together:
    """What is said of several symbols, in few sentences: those with the same news are told in one. Pure.

    Trouble is due at once, and that it is over a little later, since symbols come back one by one. More than
    `SAID_AT_ONCE` sentences have to wait for each other.
    """

    def __init__(self) -> None:
        self._waiting: list[tuple[_News, dict[str | None, Status]]] = []
        self._due: float | None = None
        self._allowed = float(SAID_AT_ONCE)
        self._at = -math.inf

    def add(self, status: Status, now: float) -> None:
        """Take in a status; what was waiting of its symbol and is not so any more is not told."""
        if in_words(status, status.symbol) is None:
            return
        if status.state in TROUBLE and status.symbol is not None:
            for _, others in self._waiting:
                others.pop(status.symbol, None)
            self._waiting = [waiting for waiting in self._waiting if waiting[1]]
        self._group_for(status)[status.symbol] = status
        self._allow(now)
        wait = GATHERED_FOR if status.state == "live" else 0.0
        due = now + max(wait, (1 - self._allowed) * SAID_EVERY)
        self._due = due if self._due is None else min(self._due, due)

    def due(self) -> float | None:
        """The monotonic time at which something is to be said."""
        return self._due

    def take(self, now: float) -> list[str]:
        """The sentences that are due, in order; they count as said now."""
        waiting, self._waiting, self._due = self._waiting, [], None
        groups = [list(group.values()) for _, group in waiting if group]
        if len(groups) > SAID_AT_ONCE:
            groups = _by_state(groups)
        sentences = [words for group in groups if (words := _of_group(group)) is not None]
        self._allow(now)
        self._allowed = max(0.0, self._allowed - len(sentences))
        return sentences

    def _allow(self, now: float) -> None:
        self._allowed = min(SAID_AT_ONCE, self._allowed + (now - self._at) / SAID_EVERY)
        self._at = now

    def _group_for(self, status: Status) -> dict[str | None, Status]:
        """Those with the same news, unless something else was said of the symbol, or of all, after that."""
        news = _news(status)
        for known, group in reversed(self._waiting):
            if status.symbol is None or None in group:
                break
            if known == news:
                return group
            if status.symbol in group:
                break
        self._waiting.append((news, {}))
        return self._waiting[-1][1]


_News = tuple[Any, ...]


def _news(status: Status) -> _News:
    return status.state, status.reason, status.attempt, status.retry_in_ms, status.down_ms is None


def _by_state(groups: Sequence[Sequence[Status]]) -> list[list[Status]]:
    """Only the last word on each symbol, by state, with the reasons beside each other's."""
    last: dict[str | None, Status] = {}
    for status in (status for group in groups for status in group):
        if status.symbol is None:
            last.clear()
        last.pop(status.symbol, None)
        last[status.symbol] = status
    found: dict[tuple[str, bool], list[Status]] = {}
    for status in last.values():
        found.setdefault((status.state, status.symbol is None), []).append(status)
    return list(found.values())


def _of_group(statuses: Sequence[Status]) -> str | None:
    """One sentence; where they were away for different times it has the longest."""
    longest = max(statuses, key=lambda status: status.down_ms or 0)
    if len(statuses) == 1:
        return in_words(longest, longest.symbol)
    others = len({status.reason for status in statuses} - {longest.reason, None})
    if others:
        more = f"{longest.reason or 'no reason'}, and {others} other {'reason' if others == 1 else 'reasons'}"
        longest = structs.replace(longest, reason=more)
    whose = f" ({named([status.symbol or '' for status in statuses])})"
    return _in_words(longest, f"{longest.stream}: {len(statuses)} symbols", "are", whose)


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
