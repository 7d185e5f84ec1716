"""The one rule, on every record that comes out: what is given as live is what the venue has, as far as it was heard.

`Judge` looks at what the driver delivers, `Reading` at what the reader of the lines gets behind limits and queue.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

from tests.model.clock import VirtualClock
from tests.model.speaker import Event, Sent, Speaker
from venues.records import TROUBLE, Record, SnapshotEnd, State, Status
from venues.streams import STREAMS
from venues.venue import BadFrame, Confirmed

QUICK_ENOUGH = 2.0  # seconds: the oldest state that a reader in a pipe may get (design, section 4)
ANSWERED_WITHIN = 10.0  # seconds: a ping every 5 s, with 5 s to answer; nothing looks live on a dead line for longer …
SLACK = 1.0  # … but for the quarter of a second that a look at the clock may be late, and a round trip


class Broken(AssertionError):
    """The rule is broken: what was expected, and what came."""


def insist(holds: bool, words: str) -> None:
    """Raise `Broken` with these words unless it holds."""
    if not holds:
        raise Broken(words)


def is_last(record: Any) -> bool:
    """Whether this is the last word about a row: it is gone, or its candle is closed. It is true whatever comes."""
    return getattr(record, "change", None) == "remove" or getattr(record, "closed", None) is True


class Fold:
    """What somebody has who keeps the rows of a stream by the records' own words: who trusts what is read."""

    def __init__(self, speaker: Speaker) -> None:
        self.speaker = speaker
        self.state: State = "connecting"
        self.rows: dict[Any, Any] = {}
        self.whole = False  # there was a full state since it was not live
        self._since_end: list[tuple[Any, Any]] = []

    def take(self, record: Record) -> None:
        """Take the next record."""
        if isinstance(record, Status):
            self._on_status(record)
        elif isinstance(record, SnapshotEnd):
            rows = self._since_end[len(self._since_end) - record.count :]
            insist(len(dict(rows)) == record.count, f"a snapshot_end counts {record.count} rows, {len(rows)} came")
            self.rows, self.whole, self._since_end = dict(rows), True, []
        else:
            key, figures = self.speaker.shown(record)
            if getattr(record, "change", None) == "remove":
                self.rows.pop(key, None)
            elif self.state == "live":
                self.rows[key] = figures
                self._since_end.append((key, figures))
            self.whole = self.whole or self.speaker.kind != "rows"

    def view(self) -> Any:
        """All that it has, in the form of the venue's truth."""
        return self.speaker.view_of(self.rows)

    def _on_status(self, status: Status) -> None:
        self.state = status.state
        if status.state != "live":
            self.rows, self.whole, self._since_end = {}, False, []


class Judge:
    """Holds what the driver delivers against the venue's truth. `checked` counts records, `lives` interruptions ended.

    `heard` is the newest version of the truth that was delivered on this connection; None before the first one.
    """

    def __init__(self, speaker: Speaker, clock: VirtualClock) -> None:
        self.speaker = speaker
        self.clock = clock
        self.fold = Fold(speaker)
        self.checked = 0
        self.lives = 0
        self.heard: int | None = None
        self.whole_came = False  # a full state was delivered, whole, on this connection
        self.changed: dict[Any, tuple[int, Any]] = {}  # of rows: what was delivered of each of them
        self.whole_version = -1  # of the latest whole state of rows: what it lacks is gone
        self.expected: list[Event] = []  # events that were delivered, each once where they have ids, and …
        self.came = 0  # … how many of them came out
        self.ids: set[str] = set()
        self.oldest: int | None = None
        self.orders: set[int] = set()  # of those that came out
        self.said_missing = False  # in what is delivered at this moment
        self.past: dict[Any, dict[Any, float]] = {}  # by row and figures: when they were current last
        self.record_type = STREAMS[speaker.stream].record
        self.opened_since_live = False
        self.unreadable = False  # what is delivered at this moment comes of a message that nobody can read

    # --- what the venue's messages tell

    def connection_begins(self) -> None:
        """Nothing is known of the venue before its first message on a new connection."""
        self.heard, self.whole_came = None, False
        self.changed.clear()
        self.opened_since_live = True

    def delivers(self, sent: Sent, *, readable: bool) -> None:
        """A message of the venue's is handed over. One that cannot be read makes all that came before it doubtful."""
        self.unreadable = not readable
        if not readable:
            self.whole_came = False
            return
        self.speaker.delivered(sent)
        self.whole_came = self.whole_came or sent.full
        if sent.version is not None:
            self.heard = sent.version if self.heard is None else max(self.heard, sent.version)
            if sent.full and self.speaker.kind == "rows":
                self._has_whole(sent.version)
            for key in sent.keys:
                known = self.changed[key][0] if key in self.changed else self.whole_version
                if known <= sent.version:
                    self.changed[key] = sent.version, self.speaker.history[sent.version].get(key)
        for event in sent.events:
            self._expect(event)

    def _has_whole(self, version: int) -> None:
        """A whole state of rows came: what is not in it is gone, but for what is known to be newer."""
        self.whole_version = max(self.whole_version, version)
        newer = {key: known for key, known in self.changed.items() if known[0] > version}
        whole = {key: (version, figures) for key, figures in self.speaker.history[version].items()}
        self.changed = {**whole, **newer}

    def _expect(self, event: Event) -> None:
        if not self.speaker.ids:
            self.expected.append(event)
            return
        if self.oldest is None:
            self.oldest = event.order
        # Where ids count up, what is older than the first one that came is history. Elsewhere it is news: a message
        # that nobody could read may have had it.
        if event.id not in self.ids and (event.order >= self.oldest or not self.speaker.says_missing):
            self.ids.add(event.id)
            self.expected.append(event)

    # --- what comes out

    def look_at(self, items: Iterable[Any]) -> None:
        """All that the driver delivered at one moment."""
        self.said_missing = False
        for item in items:
            if isinstance(item, Status):
                self._on_status(item)
            elif isinstance(item, Record):
                self.checked += 1
                self._on_record(item)
        unreadable, self.unreadable = self.unreadable, False
        insist(not unreadable or self._says_so(items), f"a message cannot be read, and all that is said is {items}")
        self._stand()

    def _says_so(self, items: Iterable[Any]) -> bool:
        """A state that cannot be read is not live; of events, and of a state without a snapshot, it is told."""
        if self.fold.state != "live":
            return True
        said = (BadFrame, Status) if self.speaker.kind == "events" else (Status,)
        return self.speaker.kind in ("events", "partial") and any(isinstance(one, said) for one in items)

    def _on_status(self, status: Status) -> None:
        self.checked += 1
        insist(status.stream == self.speaker.stream, f"a status of {status.stream}")
        if status.state == "live":
            self.said_missing = self.said_missing or "miss" in (status.reason or "")
            if self.fold.state != "live":
                self.lives += 1
        if self.speaker.kind == "partial" and status.state == "live":
            insist("partial" in (status.reason or ""), f"a partial stream is live, and is not called partial: {status}")
        if self.speaker.kind == "events" and status.state == "live" and self.opened_since_live and self.came:
            insist(bool(status.reason), "events are live again without a word of those that may have been missed")
        self.opened_since_live = self.opened_since_live and status.state != "live"
        if status.state != "live":
            self.changed.clear()
        if status.state in TROUBLE:
            self.past.clear()
        self.fold.take(status)

    def _on_record(self, record: Record) -> None:
        if isinstance(record, self.record_type) and self.speaker.kind == "events":
            self._on_event(record)
            return
        insist(isinstance(record, SnapshotEnd | self.record_type), f"a record of another kind: {record}")
        insist(self.fold.state == "live", f"given while the stream is {self.fold.state}: {record}")
        self.fold.take(record)
        if isinstance(record, self.record_type):  # also one that the next of the same message replaces
            insist(not (words := self.speaker.examine(record)), words)
            self._note_current([self.speaker.shown(record)])

    def _on_event(self, record: Record) -> None:
        insist(self.fold.state == "live", f"an event while the stream is {self.fold.state}: {record}")
        insist(self.came < len(self.expected), f"an event that the venue did not tell of, or twice: {record}")
        event = self.expected[self.came]
        got = self.speaker.shown(record)
        insist(got == event.figures, f"expected the event {event.figures}, got {got}")
        if self.speaker.says_missing and self.came and not self.said_missing:
            before = self.expected[self.came - 1]
            lost = [number for number in range(before.order + 1, event.order) if number not in self.orders]
            insist(not lost, f"{before.id} is followed by {event.id} without a word of {lost}")
        self.orders.add(event.order)
        self.came += 1

    def _stand(self) -> None:
        """What a reader has now is what the venue had."""
        speaker, fold = self.speaker, self.fold
        if speaker.kind == "events":
            if fold.state == "live":
                insist(self.came == len(self.expected), f"{self.expected[self.came :]} came, and did not come out")
            return
        if fold.state != "live":
            self._note_current(())
            return
        if speaker.kind == "rows":
            insist(self.whole_came, "live before the venue's new full state was delivered")
            insist(fold.whole, "live without a full state")
        if speaker.kind in ("partial", "rows"):
            expected = {key: figures for key, (_, figures) in self.changed.items() if figures is not None}
            insist(fold.rows == expected, f"expected the rows {expected}, got {fold.rows}")
        else:
            insist(self.whole_came, "live before the venue's new full state was delivered")
            insist(fold.whole, "live without a full state")
            assert self.heard is not None
            truth = speaker.truth(self.heard)
            insist(fold.view() == truth, f"the venue has {truth}, given as live is {fold.view()}")
        self._note_current(fold.rows.items())

    def _note_current(self, current: Iterable[tuple[Any, Any]]) -> None:
        """Notes which rows are current at this moment: so it is known until when the others were."""
        now = self.clock.mono
        for key, figures in current:
            self.past.setdefault(key, {})[figures] = now

    def has_no_line(self) -> None:
        """There is no connection."""
        insist(self.fold.state != "live", "live without a connection")

    def has_silence(self, silent_for: float) -> None:
        """The line is dead for so long."""
        if silent_for > ANSWERED_WITHIN + SLACK:
            insist(self.fold.state != "live", f"live after {silent_for:.1f} s without a sign of life")


class Reading:
    """What the reader of the lines gets, behind limits and queue, held against what the driver had given."""

    def __init__(self, speaker: Speaker, clock: VirtualClock, judge: Judge) -> None:
        self.speaker = speaker
        self.clock = clock
        self.judge = judge
        self.fold = Fold(speaker)
        self.fold.state = "live"  # lines say nothing of a healthy stream
        self.checked = 0
        self.events = 0
        self.max_age = float("inf")  # seconds, of --max-age
        self.given: dict[tuple[Any, Any], float] = {}  # with --max-age: when a row was given last …
        self.confirmed = 0.0  # … and all of them were confirmed
        self.live_since: float | None = None  # behind the limits; None while not live
        self.last_words: dict[Any, deque[Record]] = {}  # by row: those that are to be read still

    def passes(self, item: Any) -> None:
        """An item has passed the limits; with --max-age it counts as fresh from here on."""
        if is_last(item):
            self.last_words.setdefault(self.speaker.shown(item)[0], deque()).append(item)
        if self.max_age == float("inf"):
            return
        now = self.clock.mono
        if isinstance(item, Status):
            self.live_since = now if item.state == "live" else None
        elif isinstance(item, Confirmed):
            self.confirmed = now
        elif isinstance(item, Record) and not isinstance(item, SnapshotEnd):
            self.confirmed = max(self.confirmed, now) if self.speaker.kind == "events" else self.confirmed
            if self.speaker.kind != "events":
                self.given[self.speaker.shown(item)] = now

    def is_fresh(self) -> None:
        """With --max-age nothing is live whose latest sign is older than that."""
        if self.live_since is not None:
            latest = max(self.live_since, self.confirmed, *self.given.values(), 0.0)
            age = self.clock.mono - latest
            insist(age <= self.max_age + 0.001, f"live, and nothing came for {age:.1f} s (--max-age {self.max_age:g}s)")

    def reads(self, records: Iterable[Record]) -> None:
        """The reader gets these lines."""
        for record in records:
            self.checked += 1
            if isinstance(record, Status):
                self.fold.take(record)
            elif self.speaker.kind == "events":
                expected = self.judge.expected[self.events]
                insist(self.speaker.shown(record) == expected.figures, f"out of order for the reader: {record}")
                self.events += 1
            else:
                self._on_state(record)

    def _on_state(self, record: Record) -> None:
        if is_last(record):  # it is never left out, also not by a status, comes once, and a row's in their order
            words = self.last_words.get(self.speaker.shown(record)[0])
            insist(bool(words) and words.popleft() is record, f"nobody gave this last word, or not now: {record}")
            self.fold.take(record)
            return
        insist(self.fold.state == "live", f"the reader gets this while the stream is {self.fold.state}: {record}")
        self.fold.take(record)
        if isinstance(record, SnapshotEnd):
            return
        key, figures = self.speaker.shown(record)
        at: Mapping[Any, float] = self.judge.past.get(key, {})
        insist(figures in at, f"the reader gets what was not given as live since the last interruption: {record}")
        is_current = self.judge.fold.rows.get(key) == figures
        age = 0.0 if is_current else self.clock.mono - at[figures]
        insist(age <= QUICK_ENOUGH, f"the reader gets a state that was replaced {age:.1f} s ago: {record}")
        if self.given:
            waited = self.clock.mono - max(self.given[key, figures], self.confirmed)
            insist(waited <= self.max_age + 0.001, f"the reader gets what is {waited:.1f} s old: {record}")

    def has_all(self, *, held_back: bool) -> None:
        """Nothing waits any more: the reader has what the driver gave. `held_back`: but for what a limit keeps."""
        if held_back:
            return
        left = [words for words in self.last_words.values() if words]
        insist(not left, f"last words that did not reach the reader: {left}")
        given = self.judge.fold.state
        if given == "live" or given in TROUBLE:
            insist(self.fold.state == given, f"the reader believes that the stream is {self.fold.state}, it is {given}")
        if self.speaker.kind == "events":
            insist(self.events == self.judge.came, "an event did not reach the reader")
        elif self.fold.state == "live":
            insist(
                self.fold.rows == self.judge.fold.rows, f"{self.fold.rows} is read, {self.judge.fold.rows} was given"
            )
