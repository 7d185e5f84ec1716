"""One stream on the screen: its view, and a header that says where it is from, how it stands and how old it is."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from statistics import median
from typing import TYPE_CHECKING, Any, Protocol

from rich.text import Text

from cli.output import cells
from cli.output.gaps import Gap
from cli.output.lines import Skipped, Unprinted
from cli.output.queues import LatestEvents
from cli.output.states import StateQueue
from cli.output.symbols import SymbolStates, named
from cli.output.weights import texts_of
from cli.screen.ages import Ages
from cli.screen.grid import fit_line
from cli.screen.header import (
    ALWAYS,
    Part,
    Rate,
    SteadyFigures,
    environment_words,
    figure_parts,
    fitted,
    reconnecting_words,
    symbols_words,
)
from cli.screen.look import BySymbol, Filtered, LeavingOut, Measuring, Offsets
from venues.records import TROUBLE, ClosedPosition, Record, SnapshotEnd, Status, is_from_before
from venues.toolkit.clock import FAR, LONGEST_LATENCY
from venues.toolkit.times import span

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import timedelta

    from cli.output.lines import Queue
    from cli.screen.look import Look, View
    from venues.redaction import Redactor

LATENCY_OVER_MS = 5_000
NO_MATCH = "nothing matches --where"
MOST_CLEAN = 2_000  # texts that are known to have no secret in them
MOST_IN_HEADER = 2  # symbols of one state that a header names
LONGEST_CONDITION, SHORT_CONDITION = 120, 24  # cells


def _none() -> int:
    return 0


class Streamed(Protocol):
    """What a pane knows of its stream: what it is called, and whether it is a state or a sequence of events."""

    @property
    def name(self) -> str: ...

    @property
    def kind(self) -> str: ...


@dataclass(frozen=True)
class Title:
    """The part of the header that does not change. `several`: each of the symbols stands by itself.

    `filtered`: only what matches --where is shown.

    `flags`: the venue's own options of this stream that are switches, each with its setting, e.g. "precise: true".
    """

    venue: str
    env: str | None
    symbols: Sequence[str]
    stream: Streamed
    partial: bool
    several: bool = False
    flags: Sequence[str] = ()
    filtered: bool = False


class Latency:
    """Received − the venue's time, of what has just happened: the median of the last seconds."""

    def __init__(self) -> None:
        self._samples: deque[tuple[int, int]] = deque(maxlen=100)  # when it was received (monotonic), ms it took

    def see(self, record: Record, mono_ms: int) -> None:
        """Only a change tells: what a first state tells of may have happened long ago. So may what was late by more
        than a message can be; and a time that is still to come is no time."""
        if record.time is None or getattr(record, "change", "update") == "snapshot" or is_from_before(record):
            return
        took = record.received - record.time
        if not -FAR < took <= LONGEST_LATENCY:
            return
        if record.time % 1000 == 0 and took > -1000:  # klines and the like have whole seconds
            return
        if not isinstance(record, ClosedPosition):
            self._samples.append((mono_ms, took))

    def forget(self) -> None:
        """Drop all that was measured: it was on another connection."""
        self._samples.clear()

    def words(self, mono_ms: int, offset_ms: int) -> str | None:
        """The latency in words; None while nothing is known.

        Where the clocks differ, that is said instead: nobody knows how much of it is the network's.
        """
        if offset_ms:
            return _skew(offset_ms)
        while self._samples and mono_ms - self._samples[0][0] > LATENCY_OVER_MS:
            self._samples.popleft()
        if not self._samples:
            return None
        took = round(median(took for _, took in self._samples))
        if took < 0:
            return _skew(-took)
        return f"latency {took} ms" if took < 10_000 else f"latency {took / 1000:.0f} s"


def _skew(ahead_ms: int) -> str:
    """How far our clock is ahead of the venue's (+) or behind (−), in words."""
    return f"clock skew {'−' if ahead_ms > 0 else '+'}{span(abs(ahead_ms))}"


class Pane:
    """A view and all that is known about its stream. `write` and everything that draws are for one thread.

    `delay_ms`: how long it takes until somebody sees what is drawn now; an age in a header has grown by then.
    """

    delay_ms: Callable[[], int] = staticmethod(_none)

    def __init__(self, view: Callable[[Look], View], title: Title, look: Look, rate: Rate, redactor: Redactor) -> None:
        """`view` makes the view with a look whose clock stands still while the pane is frozen."""
        self._title = title
        look = self._look = replace(look, offsets=Offsets())
        self._rate = rate
        self._clean = Clean(redactor)
        self._latency = Latency()
        self._status: Status | None = None  # the latest; where symbols stand in different ways, one of the worst
        self._symbols = SymbolStates(title.symbols if title.several else ())
        self._mixed: dict[str, list[str]] = {}  # several symbols by their states, where those are not all the same
        self._folded = SymbolStates(title.symbols if title.several else ())  # the same, as the view was told it
        self._is_left_out = False  # whether the state as a whole does not match --where
        self._interrupted = False  # whether the view was told of an interruption
        self._interrupted_symbols: set[str] = set()  # … of one of several
        self._down = False  # whether the stream was interrupted after `_since`
        self._since: int | None = None
        self._ages = Ages(look)
        self._offset = self._ages.offset(0)
        self._latest: int | None = None  # when data came last, as our wall clock told it, …
        self._latest_mono = 0  # … and by the monotonic clock
        self._status_mono = 0
        self._frozen_at: int | None = None
        self._frozen_mono = 0
        self._frozen_latest: int | None = None  # when what is frozen came, by the monotonic clock
        self._frozen_offset = 0
        self._aside: Queue | None = None
        self._figures = SteadyFigures()
        self.view = view(
            replace(
                look,
                epoch_ms=self._time_of_view,
                offset_ms=self._offset_of_view,
                ago_ms=self._ago_of_view,
                any_symbol=not title.symbols,
                state_of=self._state_of if title.several else None,
                places={symbol: place for place, symbol in enumerate(title.symbols)} if title.several else {},
            )
        )

        if title.filtered and isinstance(self.view, Filtered):
            self.view.say_filtered(NO_MATCH)

    # --- what comes in

    def confirm(self) -> None:
        """Note that what is shown came again, unchanged. May be called from another thread."""
        if self._latest is not None:
            self._latest, self._latest_mono = self._look.epoch_ms(), self._look.mono()

    def set_offset(self, ms: int) -> None:
        """Set how far the venue's clock is ahead of ours from here on. May be called from another thread."""
        self._offset = self._ages.offset(ms)

    def write(self, records: Sequence[Any]) -> None:
        """Fold records into the view, or keep them aside while it is frozen; the state is taken note of at once."""
        if self._latest is None and self._status is None:
            self._begin()
        last: Record | None = None
        for record in records:
            if isinstance(record, Status):
                self._note(record)
            elif not isinstance(record, Skipped):
                last = record.record if isinstance(record, Unprinted) else record
        if last is not None:
            self._latest, self._latest_mono = last.received, self._ages.when(last.received)
            if not isinstance(last, SnapshotEnd) and not self._is_from_before(last):
                self._latency.see(last, self._latest_mono)
        if self._aside is not None:
            self._aside.put(records)
        else:
            self._fold(records)

    def _begin(self) -> None:
        """Take the clocks of what comes: a recording has its own, from its first event on."""
        self._ages = Ages(self._look)
        self._offset = self._ages.offset(self._offset.told)

    def _is_from_before(self, record: Record) -> bool:
        """An event that came with the word that the stream is live: it may have happened long before we came."""
        status = self._symbols.status_of(record.symbol) if self._title.several else self._status
        return self._title.stream.kind == "event" and status is not None and status.received == record.received

    def _note(self, status: Status) -> None:
        if self._title.several:
            self._note_symbols(status)
        else:
            self._status, self._status_mono = status, self._ages.when(status.received)
        if status.state in ("stale", "reconnecting"):
            self._down = True
            if not self._title.several or status.symbol is None:
                self._latency.forget()
        elif status.state == "live" and (self._since is None or self._down):
            self._since, self._down = status.received, False

    def _note_symbols(self, status: Status) -> None:
        about = self._symbols.take(status)
        having = self._symbols.having()
        self._mixed = having if len(having) > 1 else {}
        worst = self._symbols.status_of(next(iter(having.values()))[0]) if self._mixed else status
        if worst is not None and about:
            self._status, self._status_mono = worst, self._ages.when(worst.received)

    def _state_of(self, symbol: str | None) -> str:
        """How a symbol stands; what is of none of them is as bad as the worst."""
        status = self._symbols.status_of(symbol) or self._status
        return "connecting" if status is None else status.state

    def _fold(self, records: Sequence[Any]) -> None:
        for record in records:
            if isinstance(record, Status):
                self._interrupt(record)
            elif isinstance(record, SnapshotEnd):
                self.view.full(record.count)
            elif isinstance(record, Skipped):
                self._skip(record.count)
            elif isinstance(record, Unprinted):
                self._leave_out(record.record)
            else:
                self._is_left_out = False
                self.view.add(self._clean(record))

    def _leave_out(self, record: Record) -> None:
        """What does not match --where is not drawn: where it is one of several, that one, else the whole state."""
        if isinstance(self.view, LeavingOut):
            self.view.leave_out(record)
        else:
            self._is_left_out = True

    def _skip(self, count: int) -> None:
        """Tell the view that events were left out: its sums miss them too."""
        if isinstance(self.view, Measuring):
            self.view.missed(count)
        else:
            self.view.start_over()

    def _interrupt(self, status: Status) -> None:
        if self._title.several and isinstance(self.view, BySymbol):
            self._interrupt_symbols(self.view, status)
        elif status.state in ("stale", "reconnecting", "closed"):
            self._interrupted = True
            if isinstance(self.view, Measuring):
                self.view.stopped()
        elif status.state == "live" and self._interrupted:
            self._interrupted = False
            self.view.start_over()

    def _interrupt_symbols(self, view: BySymbol, status: Status) -> None:
        """What happens to all of them at once is one interruption; else each symbol has its own."""
        about = self._folded.take(status)
        down = self._interrupted_symbols
        if status.state in TROUBLE:
            down.update(about)
            for symbol in about:
                view.stopped_of(symbol)
        elif status.state == "live" and (back := [symbol for symbol in about if symbol in down]):
            if len(back) == len(self._folded):
                self.view.start_over()
            else:
                for symbol in back:
                    view.start_over_of(symbol)
            down.difference_update(back)

    @property
    def time_frame(self) -> tuple[Any, ...]:
        """What makes a pane look different without any record.

        That is: our wall clock was set, it is another day, or the offset from UTC is another one.
        """
        self._ages.mono()
        now = self._look.now()
        return self._ages.steps, now and now.date(), now and now.utcoffset()

    @property
    def offsets(self) -> set[timedelta]:
        """The offsets from UTC of the times that are drawn."""
        return self._look.offsets.seen

    # --- freezing

    @property
    def is_frozen(self) -> bool:
        """Whether the view stands still while the stream goes on."""
        return self._aside is not None

    def freeze(self) -> None:
        """Keep what is shown as it is, and put aside what comes; of a state the latest."""
        self._frozen_latest, self._frozen_mono = self._shown_latest(), self._ages.mono()
        self._frozen_at, self._frozen_offset = self._look.epoch_ms(), self._offset.ms()
        own: Callable[[], Queue] | None = getattr(self.view, "aside", None)
        title = self._title
        gap = Gap(
            title.stream.name,
            venue=title.venue,
            env=title.env,
            symbol=None,
            partial=title.partial,
            epoch_ms=self._look.epoch_ms,
        )
        states = StateQueue(on_overflow=gap.in_rows, several=title.several)
        self._aside = own() if own else LatestEvents() if title.stream.kind == "event" else states
        if isinstance(self.view, Measuring):
            self.view.stopped()

    def thaw(self) -> None:
        """Show the newest again, with all that came while the view was frozen."""
        aside, self._aside = self._aside, None
        self._frozen_at = None  # first, since what the view is told next happens now
        if aside is not None:
            if self._title.several and isinstance(self.view, BySymbol):
                for symbol in self._title.symbols:
                    if symbol not in self._interrupted_symbols:
                        self.view.go_on_of(symbol)
            elif isinstance(self.view, Measuring) and not self._interrupted:
                self.view.go_on()
            self._fold(aside.take())

    def _time_of_view(self) -> int:
        """The time that the view sees. While it is frozen, marks and struck rows must not go, nor ages grow."""
        return self._look.epoch_ms() if self._frozen_at is None else self._frozen_at

    def _offset_of_view(self) -> int:
        return self._offset.ms() if self._frozen_at is None else self._frozen_offset

    def _ago_of_view(self, epoch_ms: int) -> int:
        now = self._ages.mono() if self._frozen_at is None else self._frozen_mono
        return now - self._ages.when(epoch_ms)

    # --- what is shown

    def body(self, width: int, height: int) -> list[Text]:
        """The lines of the view, cut to the size; dimmed unless the stream is live.

        Where some of several symbols are live the view dims the rows of the others.
        """
        body = [fit_line(line, width, self._look) for line in self._lines(width, max(height, 1))[: max(height, 0)]]
        by_symbol = "live" in self._mixed and isinstance(self.view, BySymbol)
        if not by_symbol and (self._status is None or self._status.state != "live"):
            for line in body:
                line.stylize(self._look.style("old"))
        return body

    def _lines(self, width: int, height: int) -> list[Text]:
        """The view's lines; where times on both sides of a change of daylight saving are among them all say theirs."""
        if self._is_left_out:
            return [Text(NO_MATCH, style=self._look.style("dim"))]
        offsets = self._look.offsets
        offsets.seen = {self._look.offset()}
        drawn = self.view.lines(width, height)
        if not offsets.settled():
            drawn = self.view.lines(width, height)
        return drawn

    @property
    def state(self) -> str:
        """The stream's state; `partial` for a live one that never had a full state. Of several symbols the worst."""
        state = "connecting" if self._status is None else self._status.state
        return "partial" if state == "live" and self._title.partial else state

    def latency_words(self) -> str | None:
        """Latency, or how far the clocks differ; None while nothing is known."""
        return self._latency.words(self._ages.mono(), self._offset.ms())

    def skew_words(self) -> str:
        """How far the clocks differ, which has to be known to read what stays, too; empty where they do not."""
        return self.latency_words() or "" if self._offset.ms() else ""

    @property
    def closed_because(self) -> str | None:
        """Why the stream has ended for good; None while it has not."""
        status = self._status
        if status is None or status.state != "closed" or self._mixed:
            return None
        return status.reason or "closed"

    def heading(self, width: int, *, ended: bool = False) -> Text:
        """The heading of one pane among several: stream, state and age, as much as fits; the state always."""
        title = Text(self._title.stream.name, self._look.style("title"))
        parts = [Part(8, title), self._state_part(width, ended=ended), *self._flags_parts(), *self._warnings()]
        if not ended and (age := self._age_part()) is not None:
            parts.append(age)
        return fit_line(fitted(parts, width), width, self._look)

    def header(self, width: int, *, ended: bool = False) -> Text:
        """Parts from left to right; where they do not fit, the least important ones are left out, each as a whole.

        The state and the environment are there on the narrowest screen. Half an age would be another age.
        """
        title, look = self._title, self._look
        state = self._state_part(width, ended=ended)
        state.gap = 1
        env, short_env = environment_words(title.env, look)
        parts = [
            Part(8, Text(look.text(cells.harmless(title.venue, 12)), look.style("title"))),
            Part(ALWAYS, env, short_env, gap=1),
            state,
            *self._flags_parts(),
            *self._warnings(),
            Part(7, *symbols_words(title.symbols, look, counted=bool(self._mixed))),
            Part(4, Text(title.stream.name)),
        ]
        parts += figure_parts("", self.skew_words(), look) if ended else self._measured()
        return fit_line(fitted([part for part in parts if part.text.plain], width), width, look)

    def _state_part(self, width: int, *, ended: bool) -> Part:
        """The state. A countdown keeps the room that it had at its start."""
        if self._mixed:
            full, short, shortest = self._mixed_state(width)
            if ended:
                at = Text(f", {self._as_of()}")
                return Part(ALWAYS, full + at, short + at, shortest=shortest)
            if self._frozen_at is not None:
                return Part(ALWAYS, *self._frozen_state("", full, shortest))
            return Part(ALWAYS, full, short, shortest=shortest)
        if ended:
            return Part(ALWAYS, *self._ended_state())
        part, status = Part(ALWAYS, *self._state()), self._status
        if status is not None and status.state == "reconnecting":
            now, start = (len(reconnecting_words(status, gone)) for gone in (self._since_status(), 0))
            part.least = part.text.cell_len + start - now
        return part

    def _flags_parts(self) -> list[Part]:
        """How the venue's own switches are set: they say what the figures are, so they are left out late."""
        return [Part(9, Text(self._look.text(cells.harmless(flag, 40)))) for flag in self._title.flags]

    def _warnings(self) -> list[Part]:
        """What lasts and is not as usual: that a lost change of the book would go unnoticed, how the market is.

        They are left out late.
        """
        status, style = self._status, self._look.style("warn")
        if status is None:
            return []
        parts = []
        if status.versions is not None:
            parts.append(Part(9, Text("versions may skip", style), Text("skips", style)))
        if conditions := self._conditions():
            words = self._look.text(cells.harmless(", ".join(conditions), LONGEST_CONDITION))
            parts.append(Part(9, Text(words, style), Text(self._look.cut(words, SHORT_CONDITION), style)))
        return parts

    def _conditions(self) -> list[str]:
        """What is not as usual, of each symbol."""
        each = [self._symbols.status_of(symbol) for symbol in self._title.symbols] if self._title.several else []
        found = [one.condition for one in each or [self._status] if one is not None and one.condition is not None]
        return list(dict.fromkeys(found))

    def _seen_at(self) -> int:
        """When what is drawn now is seen, by the monotonic clock."""
        return self._ages.mono() + self.delay_ms()

    def _since_status(self) -> int:
        return self._ages.mono() - self._status_mono

    def _state(self) -> tuple[Text, Text]:
        """The state's words in full, and as one word."""
        look, status = self._look, self._status
        state: str = "connecting" if status is None else status.state
        words = word = state.upper()
        if state == "live" and self._title.partial:
            state, word = "partial", "PARTIAL"
            words = f"PARTIAL since {look.clock(self._since, millis=False)[:5]}"
        elif status is not None and state == "stale":
            latest = self._shown_latest()
            words = f"STALE {cells.age(self._seen_at() - (self._status_mono if latest is None else latest))}"
        elif status is not None and state == "reconnecting":
            words = reconnecting_words(status, self._since_status())
        made = Text(words, look.style(state)), Text(word, look.style(state))
        return made if self._frozen_at is None else self._frozen_state(state, *made)

    def _mixed_state(self, width: int) -> tuple[Text, Text, Text]:
        """How many symbols are live, and which are not where there is room for that; without names; the worst of it."""
        full, worst = self._mixed_words(with_names=True)
        short, _ = self._mixed_words(with_names=False)
        return (full if full.cell_len <= width // 2 else short), short, worst

    def _mixed_words(self, *, with_names: bool) -> tuple[Text, Text]:
        look, all_of_them = self._look, len(self._symbols)
        told: list[Text] = []
        for state, symbols in self._mixed.items():
            if state == "live":
                name = "partial" if self._title.partial else state
                told.insert(0, Text(f"{name.upper()} {len(symbols)}/{all_of_them}", look.style(name)))
            else:
                names = f": {named(symbols, MOST_IN_HEADER)}" if with_names else ""
                words = look.text(f"{state.upper()} {len(symbols)}{names}")
                told.append(Text(words, look.style(state)))
        worst, having = next(iter(self._mixed.items()))
        short = Text(f"{worst.upper()} {len(having)}/{all_of_them}", look.style(worst))
        return Text(look.text(" · ")).join(told), short

    def _frozen_state(self, state: str, full: Text, short: Text) -> tuple[Text, Text]:
        """The words for a frozen table, which never says LIVE. What is not live besides is said too."""
        style = self._look.style("frozen")
        words = Text(f"FROZEN since {self._look.clock(self._frozen_at, millis=False)}", style)
        if state == "live":
            return words, Text("FROZEN", style)
        return Text(" ").join([words, full]), Text(" ").join([Text("FROZEN", style), short])

    def _ended_state(self) -> tuple[Text, Text]:
        """The words for what stays on the normal screen, where nothing may look live."""
        look, state, at = self._look, self.state, self._as_of()
        if state == "live":
            return Text(at, look.style("title")), Text(at, look.style("title"))
        return Text(f"{state.upper()}, {at}", look.style(state)), Text(state.upper(), look.style(state))

    def _as_of(self) -> str:
        return "no data" if self._latest is None else f"as of {self._look.clock(self._latest, millis=False)}"

    def _shown_latest(self) -> int | None:
        """When what is shown came, by the monotonic clock; None while nothing has."""
        if self._frozen_at is not None:
            return self._frozen_latest
        return None if self._latest is None else self._latest_mono

    def _measured(self) -> list[Part]:
        """Age, messages a second, latency, zone; the figures change once a second, so that they can be read."""
        parts = self._figures.parts(self._rate, self.latency_words, self._look)
        age = self._age_part()
        return parts if age is None else [age, *parts]

    def _age_part(self) -> Part | None:
        """The age of the data; None where the state says it, and where nothing has come."""
        latest, status = self._shown_latest(), self._status
        if latest is None or (status is not None and status.state == "stale" and not self._mixed):
            return None
        is_live = status is not None and status.state == "live" and self._frozen_at is None
        words = f"age {cells.age(self._seen_at() - latest)}"
        return Part(6 if is_live else 9, Text(words), least=len("age 10 min"))


class Clean:
    """Takes secrets out of records; quick, since numbers have none and the same texts come again and again."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._known = -1
        self._clean: set[str] = set()

    def __call__(self, record: Record) -> Record:
        """The record, with secrets taken out of the venue's texts."""
        if self._redactor.known != self._known or len(self._clean) > MOST_CLEAN:
            self._known = self._redactor.known
            self._clean.clear()
        for name in texts_of(type(record)):
            value = getattr(record, name)
            if value is None or (value.__class__ is str and value in self._clean):
                continue
            if self._redactor.value(value) != value:
                return self._redactor.value(record)
            if value.__class__ is str:
                self._clean.add(value)
        return record
