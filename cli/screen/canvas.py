"""Lines of a screen as cells, and what a terminal has to be told where cells differ from what it shows."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from rich.color import ColorSystem
from rich.console import Console
from rich.style import Style

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.text import Text

ERASE_REST = "\x1b[K"
CHEAP_GAP = 4  # bytes: about what it costs to move the cursor over some cells

_SYSTEMS = {"truecolor": ColorSystem.TRUECOLOR, "256": ColorSystem.EIGHT_BIT, "standard": ColorSystem.STANDARD}
_SEEN_ON_BLANKS = frozenset(("4", "5", "6", "7", "9", "21", "51", "52", "53"))  # underlined, reversed and the like

# Everything but characters of which every terminal knows that they take one cell: of Latin, Greek and Cyrillic
# letters, punctuation, currencies, arrows, mathematics, and what tables and bars are drawn with.
_UNSURE = re.compile(
    r"[^ -~\xa0-\xac\xae-\u02ff\u0391-\u03ff\u0400-\u0482\u048a-\u052f"
    r"\u2010-\u2027\u2030-\u205e\u20a0-\u20bf\u2190-\u22ff\u2500-\u25fc]"
)


class Pen(NamedTuple):
    """How a terminal writes: attributes, colour and background, each as the terminal's own code; "" for its own."""

    attributes: frozenset[str] = frozenset()
    color: str = ""
    background: str = ""

    def shows_blanks(self) -> bool:
        """Whether a blank looks different with it."""
        return bool(self.background) or not self.attributes.isdisjoint(_SEEN_ON_BLANKS)


PLAIN = Pen()


class Row(NamedTuple):
    """One line of the screen: a character and a pen for each cell, without the plain blanks at its end.

    A blank that looks the same with its pen has the plain one. From the cell `loose` on nobody knows where a terminal
    has a character, since those before it may take no cell or two; None where all is known.
    """

    characters: str
    pens: Sequence[Pen]
    loose: int | None = None


EMPTY = Row("", ())
Place = tuple[int, int] | None  # line and column of the cursor; None where that is not known


class Piece(NamedTuple):
    """Cells of one line, from `start` to before `end`, that are written with one pen."""

    start: int
    end: int
    text: str
    pen: Pen


class Ink:
    """Turns lines into what a terminal understands. `depth` as rich calls it, None for no escapes at all."""

    def __init__(self, depth: str | None, *, color: bool) -> None:
        self._console = Console(
            file=None, color_system=None, highlight=False, markup=False, emoji=False, width=80, height=25
        )
        self._system = None if depth is None else _SYSTEMS[depth]
        self._color = color
        self._base = _Shade(Style.null(), PLAIN)

    def drawn(self, line: Text) -> str:
        """One line as the terminal gets it, without an end of line."""
        if self._system is None or not (line.spans or line.style):
            return line.plain
        if not line.spans:  # which rich renders without the line's own style
            return self._styled(line.plain, self._console.get_style(line.style))
        return "".join(self._styled(text, style) for text, style, _ in line.render(self._console))

    def row(self, line: Text) -> Row:
        """One line as cells. Much quicker than rich, which sorts the ends of the spans of each line."""
        plain = line.plain
        shades = [self._shade(self._base, line.style)] * len(plain)
        for start, end, style in line.spans:
            part = shades[start:end]
            above = {shade: self._shade(shade, style) for shade in set(part)}
            shades[start:end] = [above[shade] for shade in part]
        pens = [shade.on_blank if one == " " else shade.pen for one, shade in zip(plain, shades, strict=True)]
        length = len(plain.rstrip(" "))
        length += max((at for at, pen in enumerate(pens[length:], start=1) if pen is not PLAIN), default=0)
        unsure = None if plain.isascii() else _UNSURE.search(plain)
        # What takes no cell belongs to the character before it.
        return Row(plain[:length], pens[:length], None if unsure is None else max(0, unsure.start() - 1))

    def _shade(self, below: _Shade, style: str | Style) -> _Shade:
        if (shade := below.above.get(style)) is None:
            own = below.style + self._console.get_style(style, default=Style.null())
            written = "" if self._system is None else self._styled("x", own).partition("x")[0]
            shade = below.above[style] = _Shade(own, _pen_of(written))
        return shade

    def _styled(self, text: str, style: Style | None) -> str:
        if style is None:
            return text
        return (style if self._color else style.without_color).render(text, color_system=self._system)


class _Shade:
    """A style and its pen; `above`: what other styles make of it."""

    __slots__ = ("above", "on_blank", "pen", "style")

    def __init__(self, style: Style, pen: Pen) -> None:
        self.style, self.pen = style, pen
        self.on_blank = pen if pen.shows_blanks() else PLAIN
        self.above: dict[str | Style, _Shade] = {}


class Changes:
    """Gathers what a terminal is told, as little as it takes. It starts and ends with the plain pen.

    Line after line, so that a terminal which is slow to draw shows no line that is half of this and half of before.
    """

    def __init__(self, width: int) -> None:
        self._width = width
        self._out: list[str] = []
        self._pen = PLAIN
        self._at: Place = None

    def text(self) -> str:
        """All that was gathered; empty where nothing has changed."""
        self._out.append(_change_of_pen(self._pen, PLAIN))
        self._pen = PLAIN
        return "".join(self._out)

    def add(self, y: int, new: Row, old: Row) -> None:
        """Add what makes the line `y` of the screen, from 0 on, show `new` where it has shown `old`."""
        loose = min((row.loose for row in (new, old) if row.loose is not None), default=None)
        self._write(y, _pieces(new, old, loose))
        if loose is not None:
            if new.characters[loose:] != old.characters[loose:] or new.pens[loose:] != old.pens[loose:]:
                self._erase(y, min(loose, len(new.characters)))
                for piece in _by_pen(new, loose, len(new.characters)):
                    self._out += (_change_of_pen(self._pen, piece.pen), piece.text)
                    self._pen = piece.pen
                self._at = None
        elif len(old.characters) > len(new.characters):
            self._erase(y, len(new.characters))

    def _erase(self, y: int, x: int) -> None:
        pen = PLAIN if self._pen.shows_blanks() else self._pen
        self._out += (_move(self._at, y, x), _change_of_pen(self._pen, pen), ERASE_REST)
        self._pen, self._at = pen, (y, x)

    def _write(self, y: int, pieces: list[Piece]) -> None:
        """Write the pieces, each time the one that costs least: in a table many have the pen of the line before."""
        while pieces:
            told = [self._cost(y, piece) for piece in pieces]
            at = told.index(min(told, key=len)) if len(told) > 1 else 0
            piece = pieces.pop(at)
            self._out += (told[at], piece.text)
            if self._needs(piece):
                self._pen = piece.pen
            self._at = (y, piece.end) if piece.end < self._width else None  # the cursor does not leave the screen

    def _cost(self, y: int, piece: Piece) -> str:
        """What is told before a piece is written."""
        return _move(self._at, y, piece.start) + (_change_of_pen(self._pen, piece.pen) if self._needs(piece) else "")

    def _needs(self, piece: Piece) -> bool:
        """Whether the pen has to change; blanks look the same with many."""
        return piece.pen is not self._pen and (
            piece.pen is not PLAIN or self._pen.shows_blanks() or not piece.text.isspace()
        )


def _move(at: Place, y: int, x: int) -> str:
    """The shortest way of the cursor from one place to another."""
    if at is None or not 0 <= y - at[0] <= 1:
        return f"\x1b[{y + 1};{x + 1}H" if x else f"\x1b[{y + 1}H"
    return _short_move(y - at[0], x - at[1])


@lru_cache(maxsize=1024)
def _short_move(down: int, right: int) -> str:
    start = "\x1b[B" if down else ""
    if -CHEAP_GAP < right <= 0:
        return start + "\b" * -right
    count = abs(right) if abs(right) > 1 else ""
    return f"{start}\x1b[{count}{'C' if right > 0 else 'D'}"


def _pieces(new: Row, old: Row, loose: int | None) -> list[Piece]:
    """What differs up to the loose cells; small gaps are written again."""
    if new.characters == old.characters and new.pens == old.pens:
        return []
    both = zip(new.characters[:loose], old.characters, new.pens, old.pens, strict=False)
    differ = [at for at, (one, other, pen, was) in enumerate(both) if one != other or pen is not was]
    more = range(len(old.characters), len(new.characters[:loose]))
    differ += [at for at in more if new.characters[at] != " " or new.pens[at] is not PLAIN]
    if not differ:
        return []
    pieces: list[Piece] = []
    start, end = differ[0], differ[0] + 1
    for at in differ[1:]:
        if at > end and not _is_cheap(new, end, at):
            pieces += _by_pen(new, start, end)
            start = at
        end = at + 1
    return [*pieces, *_by_pen(new, start, end)]


def _by_pen(row: Row, start: int, end: int) -> Iterator[Piece]:
    """Cells as pieces of one pen each; plain blanks belong to what is before them."""
    characters, pens = row.characters, row.pens
    while start < end:
        pen, at = pens[start], start + 1
        while at < end and (
            pens[at] is pen or (pens[at] is PLAIN and characters[at] == " " and not pen.shows_blanks())
        ):
            at += 1
        yield Piece(start, at, characters[start:at], pen)
        start = at


def _is_cheap(row: Row, start: int, end: int) -> bool:
    """Whether cells are written again as cheaply as the cursor is moved over them."""
    if end - start > CHEAP_GAP or len(row.characters[start:end].encode()) > CHEAP_GAP:
        return False
    return next(_by_pen(row, start - 1, end)).end == end


@lru_cache(maxsize=1024)
def _change_of_pen(before: Pen, pen: Pen) -> str:
    if pen is before:
        return ""
    if pen is PLAIN:
        return "\x1b[m"
    dropped = before.attributes - pen.attributes
    if dropped or (before.color and not pen.color) or (before.background and not pen.background):
        start, codes = "\x1b[;", [*sorted(pen.attributes), pen.color, pen.background]
    else:
        start, codes = "\x1b[", sorted(pen.attributes - before.attributes)
        codes += ["" if pen.color == before.color else pen.color]
        codes += ["" if pen.background == before.background else pen.background]
    return f"{start}{';'.join(filter(None, codes))}m"


@lru_cache(maxsize=1024)
def _pen_from(attributes: frozenset[str], color: str, background: str) -> Pen:
    """One pen for all styles that look the same, so that they are compared quickly."""
    return Pen(attributes, color, background) if attributes or color or background else PLAIN


def _pen_of(escape: str) -> Pen:
    """The pen of an escape sequence as rich writes it; empty for none."""
    attributes: list[str] = []
    colors = {"3": "", "4": ""}
    codes = iter(escape.removeprefix("\x1b[").removesuffix("m").split(";") if escape else ())
    for code in codes:
        if code in ("38", "48"):  # of 256, or red, green and blue
            kind = next(codes)
            colors[code[0]] = ";".join([code, kind, *(next(codes) for _ in range(1 if kind == "5" else 3))])
        elif code[:-1] in ("3", "9"):
            colors["3"] = code
        elif code[:-1] in ("4", "10"):
            colors["4"] = code
        else:
            attributes.append(code)
    return _pen_from(frozenset(attributes), colors["3"], colors["4"])
