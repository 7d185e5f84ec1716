"""Judges what was printed against what was true.

A judge gets each record and each status of one stream (of one symbol, where each stands by itself) with the time at
which it was printed, and finds:

- what was shown as live and was not so at any instant of the last heartbeat's deadline;
- what went on standing there as live for longer than that after it was replaced;
- an older state behind a newer one; an event twice, in another order, never happened, or missing with nobody told;
- at the end, whatever differs from the venue's own state.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from tests.faults.truths import Events, Figures, History

Record: TypeAlias = Mapping[str, Any]
TOGETHER = 0.3  # seconds within which a new full state follows the word that the stream is live: one write, two reads
MOST_FINDINGS = 5  # of one judge: the first ones tell what is wrong


class Judge(Protocol):
    """What both kinds have."""

    findings: list[str]
    live: bool

    def record(self, record: Record, at: float) -> None:
        """One record that was printed at that time."""
        ...

    def status(self, state: str, at: float) -> None:
        """The stream's state from then on."""
        ...

    def differs(self) -> str:
        """In words how what is shown differs from the venue's own state; empty where it does not."""
        ...

    def finish(self, at: float) -> None:
        """The end: what is shown as live until now is judged too."""
        ...


@dataclass
class _Shown:
    figures: Figures
    at: float
    number: int | None  # of the version that it was; None while it is not judged, because the stream is not live


class _Finds:
    """What both judges begin with."""

    def __init__(self, within: Callable[[], float]) -> None:
        self.findings: list[str] = []
        self.live = True
        self.count = 0
        self._within = within

    def _found(self, text: str) -> None:
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(text)


class StateJudge(_Finds):
    """Of a stream that has a state."""

    def __init__(
        self,
        truth: History,
        project: Callable[[Record], tuple[Hashable, Figures]],
        within: Callable[[], float],
        *,
        full: bool = True,
        latest: bool = False,
        examine: Callable[[Record, float], str] | None = None,
    ) -> None:
        """`within`: the seconds that what is live may be old. `full`: every row of the venue is shown at the end;
        else those that have changed since the line was opened. `latest`: only the row with the highest key is shown.
        `examine`: in words what is wrong with a record, beside what is compared; whether it is live or not."""
        super().__init__(within)
        self.truth = truth
        self._project = project
        self._full = full
        self._latest = latest
        self._examine = examine
        self._shown: dict[Hashable, _Shown] = {}
        self._snapshot: dict[Hashable, _Shown] | None = None
        self._newest: dict[Hashable, int] = {}  # versions that were shown
        self._stamps: tuple[int, int] = (0, 0)
        self._live_at: float | None = None  # when it came to be live, until that is judged

    def record(self, record: Record, at: float) -> None:
        """One record: a row, or the end of a full state."""
        self._settle(at)
        if record["type"] == "snapshot_end":
            if self._snapshot is not None or not record["count"]:  # else its rows are symbols, and say no change
                self._end_of_snapshot(at)
            return
        self.count += 1
        if self._examine is not None and (words := self._examine(record, at)):
            self._found(words)
        key, figures = self._project(record)
        shown = _Shown(figures, at, None)
        self._in_order(record)
        if record.get("change") == "snapshot":
            self._snapshot = {} if self._snapshot is None else self._snapshot
            self._snapshot[key] = shown
        if record.get("change") == "remove":
            self._remove(key, shown, at)
            return
        self._replace(key, at)
        self._shown[key] = shown
        if self._latest:
            for old in [other for other in self._shown if other != key and _place(other) <= _place(key)]:
                del self._shown[old]
        if self.live:
            self._match(key, shown, at)

    def status(self, state: str, at: float) -> None:
        """Another state. What comes to be live is judged once what belongs to it has been written."""
        self._settle(at)
        if state == "live" and not self.live:
            self.live, self._live_at = True, at
        elif state != "live" and self.live:
            self._stand_until(at)
            self.live = False
            for shown in self._shown.values():
                shown.number = None
        if state == "reconnecting":
            self._snapshot = None
            if not self._full:
                self._shown.clear()  # it forgets what it had

    def differs(self) -> str:
        """Compare all that is shown with the venue's state."""
        there, here = self.truth.now, {key: one.figures for key, one in self._shown.items()}
        if (self._latest and here) or not self._full:
            there = {key: figures for key, figures in there.items() if key in here}
        if not self.count and self._full:
            return "nothing was shown at all"
        for key in there.keys() | here.keys():
            if there.get(key) != here.get(key):
                return f"{_named(key)}shown {_brief(here.get(key))}, at the venue {_brief(there.get(key))}"
        return ""

    def finish(self, at: float) -> None:
        """The end."""
        self._settle(at)
        if self.live:
            self._stand_until(at)

    def _settle(self, at: float) -> None:
        """Judge what was there already when the stream came to be live, and was not replaced right after it."""
        if self._live_at is None or not self.live or at < self._live_at + TOGETHER:
            return
        for key, shown in list(self._shown.items()):
            if shown.number is None:
                self._match(key, shown, self._live_at)
        self._live_at = None

    def _end_of_snapshot(self, at: float) -> None:
        rows = self._snapshot or {}
        for key in self._shown.keys() - rows.keys():
            self._replace(key, at)
            del self._shown[key]
        self._snapshot = None

    def _remove(self, key: Hashable, shown: _Shown, at: float) -> None:
        self._replace(key, at)
        self._shown.pop(key, None)
        if self.live and not any(
            figures is None or figures == shown.figures for _, figures in self.truth.held(key, at - self._within(), at)
        ):
            self._found(f"{_named(key)}taken away at {at:.3f}, and the venue had it all the time")

    def _in_order(self, record: Record) -> None:
        stamps = record.get("received", 0), record.get("time", 0)
        if stamps[0] < self._stamps[0]:
            self._found(f"received {stamps[0]} behind {self._stamps[0]}: the order is turned")
        self._stamps = stamps

    def _match(self, key: Hashable, shown: _Shown, at: float) -> None:
        """Find the version that is shown."""
        least = self._newest.get(key, -1)
        same = [number for number, figures in self.truth.held(key, at - self._within(), at) if figures == shown.figures]
        newer = [number for number in same if number >= least]
        if newer:
            shown.number = self._newest[key] = newer[0]
        elif same:
            self._found(f"{_named(key)}{_brief(shown.figures)} is older than what was shown before it")
        else:
            known = [number for number, (_, figures) in enumerate(self.truth.versions[key]) if figures == shown.figures]
            when = f"it was so until {at - self.truth.ended(key, known[-1]):.3f} s before" if known else "never"
            self._found(f"{_named(key)}{_brief(shown.figures)} printed as live at {at:.3f}; true: {when}")

    def _replace(self, key: Hashable, at: float) -> None:
        if self.live and (before := self._shown.get(key)) is not None:
            self._stood(key, before, at)

    def _stand_until(self, at: float) -> None:
        for key, shown in self._shown.items():
            self._stood(key, shown, at)

    def _stood(self, key: Hashable, shown: _Shown, at: float) -> None:
        """What stood there as live until then was true not too long before."""
        if shown.number is None:
            return
        versions, since = self.truth.versions[key], at - self._within()
        ends = [
            self.truth.ended(key, number)
            for number in range(max(shown.number, 0), len(versions))
            if versions[number][1] == shown.figures
        ]
        if ends and max(ends) < since:
            gone = at - max(ends)
            self._found(f"{_named(key)}{_brief(shown.figures)} stood as live {gone:.3f} s after it was replaced")


class EventJudge(_Finds):
    """Of a stream of events."""

    def __init__(
        self,
        truth: Events,
        project: Callable[[Record], Figures],
        within: Callable[[], float],
        *,
        may_lose: bool = False,
    ) -> None:
        """`may_lose`: events may be missing though no status says so, since bad frames are reported in words."""
        super().__init__(within)
        self._truth = truth
        self._project = project
        self._may_lose = may_lose
        self._told = True  # that events may be missing from here on
        self._last = -1
        self._printed: set[int] = set()
        self._live_at = 0.0
        self._received = 0

    def record(self, record: Record, at: float) -> None:
        """One event."""
        if record["type"] == "snapshot_end":
            return
        self.count += 1
        self._live_at = self._live_at or at  # what happened before the line was open is not missed
        figures = self._project(record)
        if record["received"] < self._received:
            self._found(f"received {record['received']} behind {self._received}: the order is turned")
        self._received = record["received"]
        there = self._truth.list
        found = next((n for n in range(self._last + 1, len(there)) if there[n][1] == figures), None)
        if found is None:
            if figures not in self._truth.passing:
                self._not_found(figures)
            return
        missing = found - self._last - 1
        if missing and self._last >= 0 and not self._told and not self._may_lose:
            self._found(f"{missing} events missing before {_brief(figures)}, and nobody was told")
        age = at - there[found][0]
        if self.live and not self._told and there[found][0] > self._live_at and age > self._within():
            self._found(f"{_brief(figures)} came as live {age:.3f} s after it happened")
        self._last = found
        self._printed.add(found)
        if self.live:
            self._told = False

    def status(self, state: str, at: float) -> None:
        """Another state: events may have been missed."""
        self._told = True
        if state == "live" and not self.live:
            self._live_at = at
        self.live = state == "live"

    def differs(self) -> str:
        """Once nothing happens any more, the last event of all has been printed, if the stream was live by then."""
        there = self._truth.list
        if self.count and there and there[-1][0] > self._live_at and self._last != len(there) - 1:
            return f"of {len(there)} events the last {len(there) - 1 - self._last} were not printed"
        return ""

    def finish(self, at: float) -> None:
        """The end: nothing stands there."""

    def _not_found(self, figures: Figures) -> None:
        earlier = [n for n in range(self._last + 1) if self._truth.list[n][1] == figures]
        if not earlier:
            self._found(f"{_brief(figures)} never happened")
        elif all(number in self._printed for number in earlier):
            self._found(f"{_brief(figures)} twice")
        else:
            self._found(f"{_brief(figures)} behind a later event: the order is turned")


def _place(key: Hashable) -> Any:
    return key[0] if isinstance(key, tuple) else key


def _named(key: Hashable) -> str:
    return f"{key}: " if key != "" else ""


def _brief(figures: object) -> str:
    if figures is None:
        return "nothing"
    text = str(figures).replace("Decimal('", "").replace("')", "")
    return text if len(text) < 240 else f"{text[:240]}…"
