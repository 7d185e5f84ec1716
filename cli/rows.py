"""Tables of rows: a set kept by key, or events with the newest first."""

from __future__ import annotations

from collections import deque
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.text import Text

from cli import cells
from cli.grid import Column, lay_out
from cli.queues import key_of
from venues.numbers import add

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from cli.look import Look
    from venues.records import Record

MOST_EVENTS = 1_000
ZERO = Decimal(0)
MOST_GONE = 20  # rows that left a set and are still shown, marked as gone


class SetView:
    """The rows of a state stream by key, in order of appearance; rows that are gone stay below for a while."""

    def __init__(
        self,
        columns: Callable[[Sequence[Any]], list[Column]],
        empty: str,
        look: Look,
        *,
        nothing: str | None = None,
        totals: Callable[[Sequence[Any]], list[str]] | None = None,
        newest_first: bool = True,
    ) -> None:
        """`empty` is said while nothing has come, `nothing` of a full state without a row; `totals` below the rows."""
        self._columns = columns
        self._look = look
        self._empty = empty
        self._nothing = nothing or empty
        self._totals = totals
        self._newest_first = newest_first
        self._rows: dict[tuple[Any, ...], Any] = {}
        self._recent: dict[tuple[Any, ...], None] = {}  # keys since the last full state, the latest last
        self._gone: deque[Any] = deque(maxlen=MOST_GONE)

    def add(self, record: Any) -> None:
        """Replaces the row with the record's key, or takes it out."""
        key = key_of(record)
        self._recent.pop(key, None)
        if getattr(record, "change", None) == "remove":
            self._rows.pop(key, None)
            self._gone.appendleft(record)
        else:
            self._rows[key] = record
            self._recent[key] = None

    def full(self, count: int) -> None:
        """The last `count` rows are a full state: it replaces everything."""
        state = set(list(self._recent)[-count:]) if count else set()
        self._rows = {key: row for key, row in self._rows.items() if key in state}
        self._recent.clear()
        self._empty = self._nothing

    keys: Sequence[tuple[str, str]] = ()

    def press(self, key: str) -> bool:
        """No keys yet."""
        return False

    def until(self) -> int | None:
        """Never."""
        return None

    def start_over(self) -> None:
        """What is known from before may be wrong by now."""
        self._rows.clear()
        self._recent.clear()
        self._gone.clear()

    def lines(self, width: int, height: int) -> list[Text]:
        """The rows, then those that are gone."""
        rows = list(reversed(self._rows.values()) if self._newest_first else self._rows.values())
        gone = list(self._gone)
        if not rows and not gone:
            return [Text(self._empty, style="dim")]
        sums = _sum_lines(self._totals(rows), width) if self._totals is not None and rows else []
        shown, hidden = _that_fit([*rows, *gone], height - len(sums))
        lines = lay_out(self._columns(shown), width, self._look)
        for line in lines[1 + len(rows) :]:
            line.stylize("strike dim")
        return [*lines, *hidden, *sums]


class EventView:
    """Events, newest first; an interruption is a line between them."""

    def __init__(self, columns: Callable[[Sequence[Any]], list[Column]], empty: str, look: Look) -> None:
        self._columns = columns
        self._look = look
        self._empty = empty
        self._events: deque[Any] = deque(maxlen=MOST_EVENTS)  # None stands for an interruption

    def add(self, record: Any) -> None:
        """One event."""
        self._events.appendleft(record)

    def full(self, count: int) -> None:
        """Events have no state."""

    keys: Sequence[tuple[str, str]] = ()

    def press(self, key: str) -> bool:
        """No keys yet."""
        return False

    def until(self) -> int | None:
        """Never."""
        return None

    def start_over(self) -> None:
        """Events may have been missed here."""
        if self._events and self._events[0] is not None:
            self._events.appendleft(None)

    def lines(self, width: int, height: int) -> list[Text]:
        """As many as fit."""
        shown = list(self._events)[: max(0, height - 1)]
        events = [event for event in shown if event is not None]
        if not events:
            return [Text(self._empty, style="dim")]
        head, *rows = lay_out(self._columns(events), width, self._look)
        return [head, *_with_gaps(shown, iter(rows))]


def _sum_lines(parts: list[str], width: int) -> list[Text]:
    """An empty line, then the parts beside or below each other; a figure that does not fit is not shown in part."""
    if not parts:
        return []
    together = "   ".join(parts)
    lines = [together] if cell_len(together) <= width else parts
    return [Text(), *(Text(line if cell_len(line) <= width else "#" * width, style="bold") for line in lines)]


def _with_gaps(shown: Sequence[Any], rows: Iterator[Text]) -> list[Text]:
    gap = "── interrupted: events may have been missed ──"
    return [Text(gap, style="yellow") if event is None else next(rows) for event in shown]


def _that_fit(rows: list[Any], height: int) -> tuple[list[Any], list[Text]]:
    room = max(1, height - 1)
    if len(rows) <= room:
        return rows, []
    return rows[: room - 1], [Text(f"… and {len(rows) - room + 1} more", style="dim")]


def values(records: Sequence[Record], name: str) -> list[Any]:
    """One field of many records, for a column."""
    return [getattr(record, name) for record in records]


def text_column(title: str, texts: Sequence[str | None], *, keep: int = 1, styles: Sequence[str] = ()) -> Column:
    """Words from a venue, made harmless; absent ones as a dash."""
    shown = [cells.ABSENT if text is None else cells.harmless(text, 60) for text in texts]
    return Column(title, shown, align="left", keep=keep, styles=list(styles), is_text=True)


def number_column(title: str, numbers: Sequence[Any], *, keep: int = 1, styles: Sequence[str] = ()) -> Column:
    """Decimals with their points below each other."""
    return Column(title, cells.column(numbers), keep=keep, styles=list(styles))


def gain_column(look: Look, title: str, numbers: Sequence[Any], *, keep: int = 1) -> Column:
    """Gains and losses, with sign and colour."""
    return Column(
        title, cells.column(numbers, with_sign=True), keep=keep, styles=[look.gain(value) for value in numbers]
    )


def age_column(look: Look, title: str, rows: Sequence[Any], *, keep: int = 1) -> Column:
    """How long ago each row changed: by the venue's own word in a first state, by our clock afterwards."""
    now = look.epoch_ms()
    return Column(title, [cells.duration(now - changed_at(row)) for row in rows], keep=keep)


def changed_at(row: Any) -> int:
    """When a row changed last, as far as is known."""
    updated: int | None = getattr(row, "updated", None)
    received: int = row.received
    return received if updated is None or getattr(row, "change", None) != "snapshot" else updated


def was_sent(rows: Sequence[Any], *names: str) -> bool:
    """Whether any row has any of the figures: a column without one is left out."""
    return any(getattr(row, name) is not None for row in rows for name in names)


def in_currency(title: str, rows: Sequence[Any]) -> str:
    """A column's title, with the currency when it is the same in all rows."""
    currencies = {row.currency for row in rows}
    currency = currencies.pop() if len(currencies) == 1 else None
    return title if currency is None else f"{title} {cells.harmless(currency, 12)}"


def total_words(rows: Sequence[Any], words: str, name: str, *, signed: bool = False) -> str:
    """The exact sum of a figure in each currency; where a row does not have it, the sum is not known."""
    sums: dict[str | None, Decimal | None] = {}
    for row in rows:
        value, so_far = getattr(row, name), sums.get(row.currency, ZERO)
        sums[row.currency] = None if value is None or so_far is None else add(so_far, value)
    texts = [
        f"{cells.signed(value) if signed else cells.number(value)} {cells.harmless(currency or '', 12)}".rstrip()
        for currency, value in sums.items()
    ]
    return f"{words} {' and '.join(texts)}"


def time_column(look: Look, title: str, times: Sequence[int | None], *, keep: int = 1, millis: bool = True) -> Column:
    """Times of day."""
    return Column(title, [look.clock(time, millis=millis) for time in times], keep=keep)


def side_column(look: Look, sides: Sequence[str | None], *, keep: int = 9) -> Column:
    """Sides as a word, an arrow and a colour."""
    shown = [cells.ABSENT if side is None else f"{ARROWS[side]} {side}" for side in sides]
    return Column("side", shown, align="left", keep=keep, styles=[look.style(side or "") for side in sides])


ARROWS = {"buy": "▲", "sell": "▼", "long": "▲", "short": "▼"}
