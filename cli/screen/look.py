"""How things look on this terminal: styles by role, characters it has, times in the wanted zone; what a view is."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args, runtime_checkable

from cli.output import cells

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import tzinfo

    from rich.text import Text

Palette = Literal["default", "colour-blind", "red-up", "mono"]
PALETTES: tuple[Palette, ...] = get_args(Palette)

# ANSI's own red and green follow the theme of the terminal, light or dark. The others are taken from the 256 colours:
# their contrast is above 3.5 on black and on white. Yellow and white are only ever a background.
_COMMON = {
    "": "",
    "dim": "dim",
    "old": "dim not bold",  # a terminal that has one weight at a time would let bold win
    "title": "bold",
    "mark": "bold",
    "gone": "strike dim",
    "cursor": "reverse",
    "large": "bold",
    "key": "bold",
}
_UP, _DOWN = ("bid", "buy", "long", "gain", "up"), ("ask", "sell", "short", "loss", "down")
_STATES = {
    "good": "green",
    "bad": "red",
    "warn": "color(166)",
    "connecting": "bold color(166)",
    "syncing": "bold color(166)",
    "live": "bold green",
    "partial": "bold green",
    "stale": "bold black on yellow",
    "reconnecting": "bold white on red",
    "closed": "bold white on red",
    "frozen": "bold black on cyan",
    "sim": "bold black on magenta",
}
_BLUE_ORANGE = {"good": "color(33)", "bad": "color(166)", "live": "bold color(33)", "partial": "bold color(33)"}
_MONO = {
    **dict.fromkeys([*_UP, *_DOWN, "good"], ""),
    "bad": "bold",
    "warn": "bold",
    "connecting": "bold",
    "syncing": "bold",
    "live": "bold",
    "partial": "bold",
    "stale": "bold reverse",
    "reconnecting": "bold reverse",
    "closed": "bold reverse",
    "frozen": "bold reverse",
    "sim": "bold reverse",
}


def _styles(up: str, down: str, states: Mapping[str, str]) -> dict[str, str]:
    return {**_COMMON, **_STATES, **dict.fromkeys(_UP, up), **dict.fromkeys(_DOWN, down), **states}


STYLES: dict[Palette, dict[str, str]] = {
    "default": _styles("green", "red", {}),
    "colour-blind": _styles("color(33)", "color(166)", _BLUE_ORANGE),
    "red-up": _styles("red", "green", {}),
    "mono": {**_COMMON, **_MONO},
}

_ASCII = {
    "—": "-", "–": "-", "−": "-", "─": "-", "━": "-", "│": "|", "┃": "|", "┊": "|", "…": "...", "×": "x", "•": "*",
    "·": ".", "▲": "^", "▼": "v", "△": "^", "▽": "v", "↑": "^", "↓": "v", "←": "<", "→": ">",
    "▶": ">", "◀": "<", "›": ">",
    "≥": ">=", "≤": "<=", "≈": "~", "±": "+-", "µ": "u", "Δ": "d", "Σ": "sum", "✗": "x", "✓": "v", "●": "*", "○": "o",
    "█": "#", "▉": "#", "▊": "#", "▋": "#", "▌": "#", "▍": "=", "▎": "-", "▏": "-", "▐": "#",
    "▁": "_", "▂": ".", "▃": ":", "▄": "-", "▅": "=", "▆": "+", "▇": "*", "▔": "-", "░": ".", "▒": ":", "▓": "#",
    "┌": "+", "┐": "+", "└": "+", "┘": "+", "├": "+", "┤": "+", "┬": "+", "┴": "+", "┼": "+",
    "╭": "+", "╮": "+", "╰": "+", "╯": "+", "═": "=", "║": "|",
}  # fmt: skip
_ASCII_TABLE = str.maketrans(_ASCII)
_SAME_WIDTH_TABLE = str.maketrans({character: text[0] for character, text in _ASCII.items()})


class Offsets:
    """The offsets from UTC of the times that are drawn. Where there are several each time says its own."""

    def __init__(self) -> None:
        self.seen: set[timedelta] = set()
        self.each = False  # whether each time says its own offset
        self.second: int | None = None  # what is kept of it, since every time is compared with it
        self.now: datetime | None = None

    def settled(self) -> bool:
        """Whether the drawing can stay as it is. Otherwise `each` is right now, and it is drawn once more."""
        before, self.each = self.each, len(self.seen) > 1
        return self.each == before


def _none() -> int:
    return 0


@dataclass(frozen=True)
class Look:
    """How things look. `tz` None is the local zone; `epoch_ms` is our clock, in a replay the recording's.

    `mono_ms`: the monotonic clock beside it, in milliseconds; without one the wall clock is taken for steady.
    `offset_ms`: what the venue's clock is ahead of ours. `ago_ms`: how long ago a moment of our clock was.
    `any_symbol`: rows may be of any symbol, since none was asked for. `state_of`: how each of several symbols stands;
    None where there are not several. `places`: the place of each of several symbols in what was asked for.
    """

    palette: Palette = "default"
    unicode: bool = True
    color: bool = True
    tz: tzinfo | None = None
    epoch_ms: Callable[[], int] = cells.now_ms
    mono_ms: Callable[[], int] | None = None
    offset_ms: Callable[[], int] = _none
    ago_ms: Callable[[int], int] | None = None
    any_symbol: bool = False
    state_of: Callable[[str | None], str] | None = None
    places: Mapping[str | None, int] = field(default_factory=dict, compare=False)
    offsets: Offsets = field(default_factory=Offsets, compare=False)

    def mono(self) -> int:
        """The monotonic clock, in milliseconds."""
        return self.epoch_ms() if self.mono_ms is None else self.mono_ms()

    def ago(self, epoch_ms: int) -> int:
        """How long ago a moment of our clock was, in milliseconds."""
        return self.epoch_ms() - epoch_ms if self.ago_ms is None else self.ago_ms(epoch_ms)

    def venue_ago(self, epoch_ms: int) -> int | None:
        """How long ago a moment of the venue's clock was, in milliseconds; None for one that is still to come."""
        ago = self.epoch_ms() + self.offset_ms() - epoch_ms
        from venues.toolkit.clock import FAR  # a help text needs the palettes alone

        return ago if ago > -FAR else None

    def place(self, symbol: str | None) -> int:
        """Where a symbol stands among several; behind all others, if it was not asked for."""
        return self.places.get(symbol, len(self.places))

    def is_old(self, symbol: str | None) -> bool:
        """Whether what is shown of one of several symbols is not live."""
        return self.state_of is not None and self.state_of(symbol) != "live"

    def style(self, role: str) -> str:
        """The rich style of a role; "" for plain text.

        Roles: the sides (bid, ask, buy, sell, long, short), gain, loss, up, down, a stream's states, good, bad, warn,
        sim, title, dim, old (not live), mark (just changed), gone, cursor, large, key.
        """
        return STYLES[self.palette if self.color else "mono"][role]

    def gain(self, value: Any) -> str:
        """The style of a signed figure; plain for 0 and for what is absent."""
        return self.style("" if not value else "gain" if value > 0 else "loss")

    def text(self, text: str) -> str:
        """The text in characters that this terminal has; it may become longer, so measure afterwards."""
        if self.unicode or text.isascii():
            return text
        return text.translate(_ASCII_TABLE).encode("ascii", "backslashreplace").decode()

    def same_width(self, text: str) -> str:
        """As `text`, cell by cell: the last resort for a line that is laid out already."""
        if self.unicode or text.isascii():
            return text
        from rich.cells import cell_len

        return "".join(
            character if character.isascii() else "?" * cell_len(character)
            for character in text.translate(_SAME_WIDTH_TABLE)
        )

    def cut(self, text: str, width: int) -> str:
        """Words cut to a width in cells, with an ellipsis; never for numbers."""
        from rich.cells import cell_len, set_cell_size

        text = self.text(text)
        if cell_len(text) <= width:
            return text
        dots = self.text("…")
        if width <= len(dots) + 2:
            dots = dots[:1]
        return (set_cell_size(text, max(0, width - len(dots))).rstrip() + dots)[: max(width, 0)]

    def cut_middle(self, text: str, width: int) -> str:
        """An id, cut to a width: those of one minute may begin alike, those of one account end alike."""
        dots = self.text("…")
        room = width - len(dots)
        if len(text) <= width or room < 4 or not text.isascii():
            return self.cut(text, width)
        return text[: room // 2] + dots + text[room // 2 - room :]

    def moment(self, epoch_ms: int | None) -> datetime | None:
        """A time in the wanted zone; None for an absent one, and for one that no calendar has."""
        if epoch_ms is None:
            return None
        try:
            return datetime.fromtimestamp(epoch_ms // 1000, UTC).astimezone(self.tz)
        except (ValueError, OverflowError, OSError):
            return None

    def clock(self, epoch_ms: int | None, *, millis: bool = True) -> str:
        """A time of day in the wanted zone, with its offset where that is not the one of now; a dash for an absent
        one."""
        moment = self.moment(epoch_ms)
        return cells.ABSENT if moment is None or epoch_ms is None else self._clock(moment, epoch_ms, millis=millis)

    def time(self, epoch_ms: int | None, *, millis: bool = True) -> str:
        """As `clock`, with the date where that is not today's."""
        moment, now = self.moment(epoch_ms), self.now()
        if moment is None or epoch_ms is None:
            return cells.ABSENT
        words = self._clock(moment, epoch_ms, millis=millis)
        return words if now is None or moment.date() == now.date() else f"{moment:%Y-%m-%d} {words}"

    def _clock(self, moment: datetime, epoch_ms: int, *, millis: bool) -> str:
        return f"{moment:%H:%M:%S}{f'.{epoch_ms % 1000:03}' if millis else ''}{self.offset_words(moment)}"

    def offset_words(self, moment: datetime) -> str:
        """The offset that has to stand behind a time, such as +02:00; nothing where all times have that of now."""
        offset = moment.utcoffset() or _NO_OFFSET
        self.offsets.seen.add(offset)
        return _signed(offset) if self.offsets.each or offset != self.offset() else ""

    def now(self) -> datetime | None:
        """Our clock in the wanted zone, to the second; None where no calendar has it."""
        second = self.epoch_ms() // 1000
        if self.offsets.second != second:
            self.offsets.second, self.offsets.now = second, self.moment(second * 1000)
        return self.offsets.now

    def offset(self) -> timedelta:
        """The present offset of the wanted zone from UTC."""
        now = self.now()
        return _NO_OFFSET if now is None else now.utcoffset() or _NO_OFFSET

    def zone(self) -> str:
        """The offset that times are shown with, such as UTC+02:00; several where the times that are drawn have."""
        offset = self.offset()
        offsets = sorted(self.offsets.seen | {offset}, reverse=True)
        if len(offsets) == 1:
            return f"UTC{_signed(offset)}" if offset else "UTC"
        return f"UTC{'/'.join(map(_signed, offsets[:MOST_OFFSETS]))}{'/…' if len(offsets) > MOST_OFFSETS else ''}"


MOST_OFFSETS = 2  # offsets that a header names
_NO_OFFSET = timedelta()


def _signed(offset: timedelta) -> str:
    hours, minutes = divmod(round(abs(offset) / timedelta(minutes=1)), 60)
    return f"{'-' if offset < timedelta() else '+'}{hours:02}:{minutes:02}"


class View(Protocol):
    """What a stream looks like between header and footer. Used by one thread only, the one that draws.

    A module with the command's name has `view(look: Look) -> View`, with what the command's own options say besides.
    A view that shows figures of a time is `Measuring` as well.
    """

    @property
    def keys(self) -> Sequence[tuple[str, str]]:
        """The keys that `press` knows and what each does, the most useful first: ("s", "sort"), ("+/-", "depth")."""
        ...

    def add(self, record: Any) -> None:
        """Take in one record of the stream."""
        ...

    def full(self, count: int) -> None:
        """The last `count` rows are a full state; what was there before and is not among them is gone."""
        ...

    def start_over(self) -> None:
        """The stream is live again after an interruption; a new state, or a gap, lies here."""
        ...

    def lines(self, width: int, height: int) -> list[Text]:
        """The body, at most `height` lines of at most `width` cells."""
        ...

    def press(self, key: str) -> bool:
        """A key that the frame has no use for: a printable character, or up, down, left, right, pgup, pgdn, home, end,
        esc, tab, shift-tab, enter. Whether something changed."""
        ...

    def until(self) -> int | None:
        """When `lines` will be others without any record (a mark expires), in epoch ms; None: never."""
        ...


@runtime_checkable
class Measuring(Protocol):
    """What a view has besides when it shows figures of a time, such as what was traded in the last minute."""

    def stopped(self) -> None:
        """Nothing more is seen, or shown: the figures stay as they are until `go_on` or `start_over`."""
        ...

    def go_on(self) -> None:
        """The figures are measured again: no record was missed since `stopped`."""
        ...

    def missed(self, count: int) -> None:
        """Note that so many events came and are left out here."""
        ...


@runtime_checkable
class Filtered(Protocol):
    """What a view has besides when it says why it has no row."""

    def say_filtered(self, words: str) -> None:
        """Say this where no row is left: there may be rows that do not match."""
        ...


@runtime_checkable
class LeavingOut(Protocol):
    """What a view has besides when it shows several states of which one may not match `--where`, such as candles."""

    def leave_out(self, record: Any) -> None:
        """Do not draw this one any more."""
        ...


@runtime_checkable
class BySymbol(Protocol):
    """What a view has besides where it shows several symbols, which may stand each in its own way.

    Such a view dims the rows of a symbol that is not live by itself (`Look.is_old`).
    """

    def stopped_of(self, symbol: str) -> None:
        """As `Measuring.stopped`, of one symbol."""
        ...

    def go_on_of(self, symbol: str) -> None:
        """As `Measuring.go_on`, of one symbol."""
        ...

    def start_over_of(self, symbol: str) -> None:
        """As `View.start_over`, of one symbol."""
        ...
