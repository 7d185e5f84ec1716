"""Tables of rows: a set kept by key, sorted and scrolled, or events with the newest first."""

from __future__ import annotations

from collections import deque
from decimal import Decimal
from itertools import takewhile
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import structs
from rich.cells import cell_len
from rich.text import Text

from cli.output import cells
from cli.output.queues import has_left, key_of
from cli.output.symbols import named
from cli.screen.grid import SHORT_TEXT, Column, fit_line, lay_out
from cli.screen.steady import Held
from venues.toolkit.numbers import add
from venues.toolkit.row_times import forget_oldest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from cli.screen.look import Look
    from venues.records import Record

MOST_EVENTS = 1_000
MOST_ROWS = 10_000  # in a set; beyond that the oldest are left out, and the table says so
ZERO = Decimal(0)
MOST_GONE = 20  # rows that left a set and are still shown, marked as gone
MARKED_MS = 1_000  # how long a row is marked as just changed
GONE_MS = 3_000  # how long a row that is gone is still shown
ONE_INTERRUPTION_MS = 30_000  # in which several symbols that come back one by one make one note
GUTTER = 2  # cells before each row for the signs of both, since colour and bold are not for everybody
CHANGED, REMOVED, OLD = "*", "×", "!"
LEFT_OUT = f"there are more than {MOST_ROWS} rows: older ones are left out"

_SELDOM_NEWS = {"received", "time", "updated", "change"}  # fields that say when and how, not what


class Scroll:
    """Which rows of a longer list are shown."""

    keys = ("↑↓", "scroll")

    def __init__(self) -> None:
        self.top = 0
        self._page = 1
        self._most = 0

    def window(self, count: int, room: int) -> tuple[int, int]:
        """First row and number of rows to show in `room` lines, one of them left for `words` where not all fit."""
        shown = count if count <= room else max(1, room - 1)
        self._page, self._most = shown, count - shown
        self.top = max(0, min(self.top, self._most))
        return self.top, shown

    def words(self, count: int, shown: int) -> str:
        """How many rows are not shown, in words; "" when all are."""
        below = count - shown - self.top
        if not self.top:
            return f"… and {below} more" if below else ""
        return f"… {self.top} above" + (f" and {below} more" if below else "")

    def press(self, key: str) -> bool:
        """Move by a key; whether that moves what is shown."""
        steps = {"up": -1, "down": 1, "pgup": -self._page, "pgdn": self._page, "home": -self.top, "end": self._most}
        if key not in steps:
            return False
        before, self.top = self.top, max(0, min(self.top + steps[key], self._most))
        return self.top != before


class SetView:
    """The rows of a state stream by key, in order of appearance or sorted.

    A row that just changed is marked for a moment; one that is gone is struck through for some seconds.
    """

    keys: Sequence[tuple[str, str]] = (("s", "sort"), ("S", "reverse"), Scroll.keys)

    def __init__(
        self,
        columns: Callable[[Sequence[Any]], list[Column]],
        empty: str,
        look: Look,
        *,
        nothing: str | None = None,
        none_left: str | None = None,
        totals: Callable[[Sequence[Any]], list[str]] | None = None,
        newest_first: bool = True,
    ) -> None:
        """`empty` is said while nothing has come, `nothing` of a full state without a row; `none_left` where there is
        no full state, and all that came is gone. `totals` below the rows.
        """
        self._columns = columns
        self._look = look
        self._empty = empty
        self._nothing = nothing or empty
        self._none_left = none_left or empty
        self._has_lost = False
        self._totals = totals
        self._newest_first = newest_first
        self._rows: dict[tuple[Any, ...], Any] = {}
        self._recent: dict[tuple[Any, ...], None] = {}  # keys that came since the last full state, the latest last
        self._gone: dict[tuple[Any, ...], int] = {}  # rows that are gone, and until when they are shown
        self._marked: dict[tuple[Any, ...], tuple[int, Any]] = {}  # until when, and what the row was before
        self._was_full = False
        self._left_out = False  # whether rows were left out for want of room; sums without them would be wrong
        self._sorted_by: str | None = None
        self._reversed = False
        self._scroll = Scroll()
        self._widths: dict[str, Held] = {}
        self._tick: int | None = None  # when the next age that is shown changes

    def add(self, record: Any) -> None:
        """Take in a record: it replaces the row with its key, or takes it out."""
        key = key_of(record)
        self._recent.pop(key, None)
        before = self._rows.get(key)
        if has_left(record):  # it is still there, only not shown any more: struck through it would look closed
            self._has_lost = True
            self._drop(key)
            return
        if getattr(record, "change", None) == "remove":
            self._has_lost = True
            self._take_out(key, record if before is None else _filled(record, before))
            return
        if self._gone.pop(key, None) is not None:
            before = None
            del self._rows[key]  # it counts as a new row, and stands where new rows stand
        self._rows[key] = record
        self._recent[key] = None
        if _is_news(record, before):
            self._marked[key] = (self._look.epoch_ms() + MARKED_MS, before)
        for oldest in forget_oldest(self._rows, MOST_ROWS):
            self._leave_out(oldest)

    def say_filtered(self, words: str) -> None:
        """Say this where no row is left: there may be rows that do not match."""
        self._nothing = self._none_left = words

    def full(self, count: int) -> None:
        """Keep only the last `count` rows: they are a full state, which replaces everything."""
        state = set(list(self._recent)[-count:]) if count else set()
        if self._look.state_of is not None and count > len(state):  # the others came before the last full state
            state = self._rows.keys() - self._gone.keys()
        self._left_out = count > len(state)
        for key, row in list(self._rows.items()):
            if key not in state and key not in self._gone and not self._look.is_old(row.symbol):
                if self._was_full:
                    self._take_out(key, row)
                else:
                    del self._rows[key]
        self._recent.clear()
        self._was_full = True
        self._empty = self._nothing

    def start_over(self) -> None:
        """Drop all rows: what is known from before may be wrong by now."""
        for known in (self._rows, self._recent, self._gone, self._marked):
            known.clear()
        self._was_full = self._has_lost = self._left_out = False

    def stopped_of(self, symbol: str) -> None:
        """Do nothing: the rows of the symbol stay, and are dimmed."""

    def go_on_of(self, symbol: str) -> None:
        """Do nothing: rows have no figures of a time."""

    def start_over_of(self, symbol: str) -> None:
        """Drop the rows of one symbol: what is known from before may be wrong by now."""
        for key in [key for key, row in self._rows.items() if row.symbol == symbol]:
            self._drop(key)

    def until(self) -> int | None:
        """When a mark or a struck row goes, or an age becomes another."""
        times = [*self._gone.values(), *(until for until, _ in self._marked.values())]
        return min(times if self._tick is None else [*times, self._tick], default=None)

    def press(self, key: str) -> bool:
        """Sort, turn the order around or scroll; whether something changed."""
        if key == "s":
            names = [None, *(column.name for column in self._columns(list(self._rows.values())) if column.key)]
            at = names.index(self._sorted_by) if self._sorted_by in names else 0
            self._sorted_by, self._reversed = names[(at + 1) % len(names)], False
        elif key in ("S", "r"):
            self._reversed = not self._reversed
        else:
            return self._scroll.press(key)
        self._scroll.top = 0
        return True

    def lines(self, width: int, height: int) -> list[Text]:
        """A title line, the rows that fit, and their sums."""
        self._expire()
        if not self._rows:
            self._tick = None
            words = self._none_left if self._has_lost and not self._was_full else self._empty
            return [Text(self._look.text(words), style=self._look.style("dim"))]
        sums = self._sums(width, height)
        room = max(1, height - 1 - len(sums) - self._left_out)
        rows = self._without_old(self._in_order(), room)
        top, count = self._scroll.window(len(rows), room)
        said = [self._scroll.words(len(rows), count), LEFT_OUT if self._left_out else ""]
        dim = self._look.style("dim")
        hidden = [fit_line(Text(self._look.text(words), dim), width, self._look) for words in said if words]
        return [*self._laid_out(rows[top : top + count], width), *hidden, *sums]

    def _take_out(self, key: tuple[Any, ...], record: Any) -> None:
        self._rows[key] = record
        self._marked.pop(key, None)
        self._gone[key] = self._look.epoch_ms() + GONE_MS
        while len(self._gone) > MOST_GONE:
            self._forget(next(iter(self._gone)))

    def _drop(self, key: tuple[Any, ...]) -> None:
        for known in (self._rows, self._recent, self._gone, self._marked):
            known.pop(key, None)

    def _leave_out(self, key: tuple[Any, ...]) -> None:
        """Forget all else that is kept of a row that was left out."""
        self._left_out = True
        for known in (self._recent, self._gone, self._marked):
            known.pop(key, None)

    def _forget(self, key: tuple[Any, ...]) -> None:
        del self._gone[key], self._rows[key]

    def _expire(self) -> None:
        now = self._look.epoch_ms()
        # Never for longer than it lasts from now on: the wall clock may have been set back.
        for key in [key for key, until in self._gone.items() if not now < until <= now + GONE_MS]:
            self._forget(key)
        self._marked = {key: mark for key, mark in self._marked.items() if now < mark[0] <= now + MARKED_MS}

    def _in_order(self) -> list[tuple[tuple[Any, ...], Any]]:
        rows = list(self._rows.items())
        if self._newest_first:
            rows.reverse()
        elif self._look.places:  # symbols that come and go keep their places
            rows.sort(key=lambda row: self._look.place(row[1].symbol))
        column = self._sorting([row for _, row in rows])
        if column is None or column.key is None:
            return rows[::-1] if self._reversed and self._sorted_by is None else rows
        of = column.key
        known = [row for row in rows if of(row[1]) is not None]
        known.sort(key=lambda row: of(row[1]), reverse=column.descending != self._reversed)
        return [*known, *(row for row in rows if of(row[1]) is None)]

    def _without_old(self, rows: list[tuple[tuple[Any, ...], Any]], room: int) -> list[tuple[tuple[Any, ...], Any]]:
        """What is gone must not drive out what is there: where not all rows fit it has a third of the room."""
        there = len(rows) - len(self._gone)
        shown = set(list(self._gone)[::-1][: max(room - there, room // 3)])
        return [row for row in rows if row[0] in shown or row[0] not in self._gone]

    def _sorting(self, rows: Sequence[Any]) -> Column | None:
        if self._sorted_by is None:
            return None
        return next((column for column in self._columns(rows) if column.key and column.name == self._sorted_by), None)

    def _sums(self, width: int, height: int) -> list[Text]:
        """The lines with the sums; none where they would leave no room for rows."""
        if self._totals is None or self._left_out:
            return []
        open_rows = [row for key, row in self._rows.items() if key not in self._gone]
        if not open_rows:
            return []
        sums = _sum_lines(self._totals(open_rows), width, self._look)
        return sums if height - len(sums) >= 3 else []

    def _laid_out(self, items: Sequence[tuple[tuple[Any, ...], Any]], width: int) -> list[Text]:
        keys, rows = [key for key, _ in items], [row for _, row in items]
        columns = with_states(self._columns(rows), rows, self._look)
        now = self._look.epoch_ms()
        self._tick = (now // 1000 + 1) * 1000 if any(column.ages for column in columns) else None
        for column in columns:
            self._mark_cells(column, keys, rows)
            if column.key and column.name == self._sorted_by:
                column.title += " ▼" if column.descending != self._reversed else " ▲"
            held = self._widths.setdefault(column.name or column.title, Held())
            (column.least,) = held.most((column.width(),), now)
        head, *lines = lay_out(columns, max(1, width - GUTTER), self._look)
        signed = [self._signed(key, row, line) for (key, row), line in zip(items, lines, strict=True)]
        return [_behind(" ", head), *signed]

    def _mark_cells(self, column: Column, keys: Sequence[tuple[Any, ...]], rows: Sequence[Any]) -> None:
        if column.key is None or column.ages or not self._marked:
            return
        styles = [*column.styles, *[""] * (len(rows) - len(column.styles))]
        for index, (key, row) in enumerate(zip(keys, rows, strict=True)):
            mark = self._marked.get(key)
            if mark is not None and (mark[1] is None or column.key(mark[1]) != column.key(row)):
                styles[index] = f"{styles[index]} {self._look.style('mark')}".strip()
        column.styles = styles

    def _signed(self, key: tuple[Any, ...], row: Any, line: Text) -> Text:
        if self._look.state_of is not None and self._look.is_old(row.symbol):
            line = _behind(OLD, line)
            line.stylize(self._look.style("old"))
            return line
        if key in self._gone:
            line.stylize(self._look.style("gone"))
            return _behind(self._look.text(REMOVED), line)
        return _behind(CHANGED if key in self._marked else " ", line)


class EventView:
    """Events, newest first; an interruption is a line between them. Those that just came are marked for a moment."""

    keys: Sequence[tuple[str, str]] = (Scroll.keys,)

    def __init__(self, columns: Callable[[Sequence[Any]], list[Column]], empty: str, look: Look) -> None:
        self._columns = columns
        self._look = look
        self._empty = empty
        self._events: deque[Any] = deque(maxlen=MOST_EVENTS)  # with an `Interruption` where events may be missing
        self._scroll = Scroll()

    def add(self, record: Any) -> None:
        """Take in one event. A view that is scrolled stays where it is."""
        self._events.appendleft(record)
        self._scroll.top += 1 if self._scroll.top else 0

    def full(self, count: int) -> None:
        """Do nothing: events have no full state."""

    def start_over(self) -> None:
        """Note that events may have been missed here."""
        if self._events and self._events[0] != Interruption():
            self._events.appendleft(Interruption())

    def stopped_of(self, symbol: str) -> None:
        """Do nothing: events have no figures of a time."""

    def go_on_of(self, symbol: str) -> None:
        """Do nothing: events have no figures of a time."""

    def start_over_of(self, symbol: str) -> None:
        """Note that events of one symbol may have been missed here."""
        note_interruption(self._events, symbol, self._look.epoch_ms(), lambda event: event.symbol)

    def press(self, key: str) -> bool:
        """Scroll; whether that moves what is shown."""
        return self._scroll.press(key)

    def until(self) -> int | None:
        """When the first of the marks goes."""
        now = self._look.epoch_ms()
        until = min(takewhile(lambda until: until > now, map(_marked_until, self._events)), default=None)
        return None if until is None else min(until, now + MARKED_MS)

    def lines(self, width: int, height: int) -> list[Text]:
        """A title line and as many events as fit, newest first."""
        if not self._events:
            return [Text(self._look.text(self._empty), style=self._look.style("dim"))]
        top, count = self._scroll.window(len(self._events), max(1, height - 1))
        more = self._look.text(self._scroll.words(len(self._events), count))
        shown = list(self._events)[top : top + count]
        events = [event for event in shown if not isinstance(event, Interruption)]
        head, *rows = lay_out(with_states(self._columns(events), events, self._look), width, self._look)
        now = self._look.epoch_ms()
        for event, row in zip(events, rows, strict=True):
            if now < _marked_until(event) <= now + MARKED_MS:
                row.stylize(self._look.style("mark"))
            if self._look.state_of is not None and self._look.is_old(event.symbol):
                row.stylize(self._look.style("old"))
        hidden = [fit_line(Text(more, style=self._look.style("dim")), width, self._look)] if more else []
        return [head, *self._with_gaps(shown, iter(rows), width), *hidden]

    def _with_gaps(self, shown: Sequence[Any], rows: Iterator[Text], width: int) -> list[Text]:
        return [
            interruption_line(event, "events", width, self._look) if isinstance(event, Interruption) else next(rows)
            for event in shown
        ]


class Interruption(NamedTuple):
    """A place among events where some may be missing; of these symbols, where there are several. `at`: when."""

    symbols: tuple[str, ...] = ()
    at: int = 0


def note_interruption(events: deque[Any], symbol: str, now: int, symbol_of: Callable[[Any], str | None]) -> None:
    """Note that events of one of several symbols may be missing here.

    It is in the note about others that was made just before, unless the symbol has had events since.
    """
    for place, event in enumerate(events):
        if isinstance(event, Interruption):
            if not event.symbols or now - event.at > ONE_INTERRUPTION_MS:
                break
            if symbol not in event.symbols:
                events[place] = event._replace(symbols=(*event.symbols, symbol))
            return
        if symbol_of(event) == symbol:
            break
    if events:
        events.appendleft(Interruption((symbol,), now))


def interruption_line(gap: Interruption, what: str, width: int, look: Look) -> Text:
    """The line between events that says so."""
    of = f" of {named(gap.symbols)}" if gap.symbols else ""
    return Text(look.cut(f"── interrupted: {what}{of} may have been missed ──", width), style=look.style("warn"))


def _marked_until(event: Any) -> int:
    return 0 if isinstance(event, Interruption) else int(event.received) + MARKED_MS


def _is_news(record: Any, before: Any) -> bool:
    """Whether a row is to be marked: not one of a first full state, and not one that says the same again."""
    change = getattr(record, "change", None)
    if before is None or type(before) is not type(record):
        return change == "update"
    return change != "snapshot" and any(
        getattr(record, name) != getattr(before, name) for name in record.__struct_fields__ if name not in _SELDOM_NEWS
    )


def _filled(record: Any, before: Any) -> Any:
    """The last word on a row, with what was known of it where the last word does not say."""
    if type(before) is not type(record):
        return record
    missing = {name: getattr(before, name) for name in record.__struct_fields__ if getattr(record, name) is None}
    return structs.replace(record, **missing)


def _behind(sign: str, line: Text) -> Text:
    text = Text(sign.ljust(GUTTER), no_wrap=True)
    text.append_text(line)
    return text


def _sum_lines(parts: list[str], width: int, look: Look) -> list[Text]:
    """An empty line, then the parts beside or below each other; a figure that does not fit is not shown in part."""
    parts = [look.text(part) for part in parts]
    if not parts:
        return []
    together = "   ".join(parts)
    lines = [together] if cell_len(together) <= width else [_words_fitted(part, width) for part in parts]
    return [Text(), *(Text(line, style=look.style("title")) for line in lines)]


def _words_fitted(part: str, width: int) -> str:
    """Words and figures; the words alone tell which figures are `#`."""
    if cell_len(part) <= width:
        return part
    words = "".join(takewhile(lambda character: character not in "+-0123456789", part)).rstrip()
    return f"{words} #" if len(words) + 2 <= width else "#" * width


class Values(list[Any]):
    """One field of many records; it knows the field's name, so that what is made of it can be sorted."""

    def __init__(self, records: Sequence[Any], name: str) -> None:
        super().__init__(getattr(record, name) for record in records)
        self.name = name


def values(records: Sequence[Record], name: str) -> Values:
    """One field of many records, for a column."""
    return Values(records, name)


def _sortable(column: Column, values: Sequence[Any], *, descending: bool) -> Column:
    if isinstance(values, Values):
        column.name, column.key, column.descending = values.name, attrgetter(values.name), descending
    return column


def text_column(title: str, texts: Sequence[str | None], *, keep: int = 1, styles: Sequence[str] = ()) -> Column:
    """A column of words from a venue, made harmless; a dash for an absent one."""
    shown = [cells.ABSENT if text is None else cells.harmless(text, 60) for text in texts]
    column = Column(title, shown, align="left", keep=keep, styles=list(styles), is_text=True)
    return _sortable(column, texts, descending=False)


def id_column(title: str, ids: Sequence[str | None], *, keep: int = 1) -> Column:
    """Ids, which are there to tell rows apart: where there is little room they are short before words are."""
    column = text_column(title, ids, keep=keep)
    column.is_id, column.shortest = True, SHORT_TEXT
    return column


def number_column(title: str, numbers: Sequence[Any], *, keep: int = 1, styles: Sequence[str] = ()) -> Column:
    """A column of decimals with their points below each other."""
    column = Column(title, cells.column(numbers), keep=keep, styles=list(styles), is_figure=True)
    return _sortable(column, numbers, descending=True)


def gain_column(look: Look, title: str, numbers: Sequence[Any], *, keep: int = 1) -> Column:
    """A column of gains and losses, with sign and colour."""
    styles = [look.gain(value) for value in numbers]
    column = Column(title, cells.column(numbers, with_sign=True), keep=keep, styles=styles, is_figure=True)
    return _sortable(column, numbers, descending=True)


def age_column(look: Look, title: str, rows: Sequence[Any], *, keep: int = 1) -> Column:
    """How long ago each row changed: by the venue's own word in a first state, by our clock afterwards."""
    shown = [cells.age(_since_change(row, look)) for row in rows]
    return Column(title, shown, keep=keep, name="age", key=changed_at, descending=True, ages=True)


def _since_change(row: Any, look: Look) -> int:
    changed = changed_at(row)
    by_venue = None if changed == row.received else look.venue_ago(changed)
    return look.ago(row.received) if by_venue is None else by_venue


def changed_at(row: Any) -> int:
    """When a row changed last, as far as that is known."""
    updated: int | None = getattr(row, "updated", None)
    received: int = row.received
    return received if updated is None or getattr(row, "change", None) != "snapshot" else updated


def with_states(columns: list[Column], rows: Sequence[Any], look: Look) -> list[Column]:
    """The columns, and behind the first one how each row's symbol stands, where several stand in different ways."""
    if look.state_of is None:
        return columns
    states = [look.state_of(row.symbol) for row in rows]
    if len(set(states)) < 2:
        return columns
    words = ["" if state == "live" else state for state in states]
    return [*columns[:1], Column("state", words, align="left", keep=8), *columns[1:]]


def was_sent(rows: Sequence[Any], *names: str) -> bool:
    """Whether any row has any of the figures: a column without one is left out."""
    return any(getattr(row, name) is not None for row in rows for name in names)


def in_currency(title: str, rows: Sequence[Any]) -> str:
    """A column's title, with the currency when it is the same in all rows."""
    currencies = {row.currency for row in rows}
    currency = currencies.pop() if len(currencies) == 1 else None
    return title if currency is None else f"{title} {cells.short(currency)}"


def with_unit(title: str, rows: Sequence[Any], unit: str) -> str:
    """A column's title with the unit in the rows' field of that name, where they say one: prices may be in ticks."""
    units = {getattr(row, unit) for row in rows} - {None}  # a row without the figure says none
    only = units.pop() if len(units) == 1 else None
    return title if only is None else f"{title} ({cells.unit(only).strip()})"


def total_words(rows: Sequence[Any], words: str, name: str, *, signed: bool = False) -> str:
    """The exact sum of a figure in each currency; where a row does not have it, the sum is not known."""
    sums: dict[str | None, Decimal | None] = {}
    for row in rows:
        value, so_far = getattr(row, name), sums.get(row.currency, ZERO)
        sums[row.currency] = None if value is None or so_far is None else add(so_far, value)
    texts = [
        f"{cells.signed(value) if signed else cells.number(value)} {cells.short(currency or '')}".rstrip()
        for currency, value in sums.items()
    ]
    return f"{words} {' and '.join(texts)}"


def time_column(look: Look, title: str, times: Sequence[int | None], *, keep: int = 1, millis: bool = True) -> Column:
    """A column of times of day, with the date where that is not today's."""
    column = Column(title, [look.time(time, millis=millis) for time in times], keep=keep)
    return _sortable(column, times, descending=True)


def side_column(look: Look, sides: Sequence[str | None], *, keep: int = 9) -> Column:
    """A column of sides, each as a word, an arrow and a colour."""
    shown = [cells.ABSENT if side is None else f"{ARROWS[side]} {side}" for side in sides]
    column = Column("side", shown, align="left", keep=keep, styles=[look.style(side or "") for side in sides])
    return _sortable(column, sides, descending=False)


ARROWS = {"buy": "▲", "sell": "▼", "long": "▲", "short": "▼"}
