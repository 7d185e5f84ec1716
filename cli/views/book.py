"""`mon book`: the order book as a ladder, asks above bids, or with bids and asks side by side where there is room."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from rich.text import Text

from cli.output import cells
from cli.screen import drawing as bars
from cli.screen.steady import SteadyText, whole_parts
from cli.views.grouping import SUMS, coarser, finer, grouped, rows_of, tick_of
from cli.views.ladder import Block, Shown, Titles, bar_room
from cli.views.rows import with_unit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.screen.look import Look
    from cli.views.grouping import Row
    from venues.records import Book, Level

SIDE_BY_SIDE_FROM = 100  # columns
MARKED_MS = 500  # how long a changed level is marked
TALLEST = 200  # lines beyond which no screen is filled: the last table of a stream without a terminal
UNASKED = 20  # levels a side of such a last table, unless --depth says otherwise

HALF = Decimal("0.5")
HUNDRED = Decimal(100)
BASIS_POINTS = Decimal(10_000)


class Cursor(NamedTuple):
    """Where the cursor stays: on a price of a side, while the book moves."""

    side: str
    price: Decimal


class BookView:
    """Bids and asks around the spread, with cumulative depth on one scale for both sides.

    The cursor stays on its price. Where no level has that price any more it shows the nearest better one, whose totals
    are those up to that price; where there is none, the best.
    """

    keys: Sequence[tuple[str, str]] = (
        ("g/G", "group"),
        ("+/-", "depth"),
        ("arrows", "cursor"),
        ("esc", "no cursor"),
        ("l", "layout"),
    )

    def __init__(
        self, look: Look, *, depth: int | None = None, step: Decimal | None = None, complete: bool = False
    ) -> None:
        """`depth` levels a side at most, otherwise as many as fit; `step`: prices are grouped by it.

        `complete`: the books have all levels that there are.
        """
        self._look = look
        self._depth = depth
        self._step = step
        self._complete = complete
        self._book: Book | None = None
        self._tick: int | None = None
        self._layout: str | None = None  # chosen by key; otherwise by width
        self._side_by_side = False
        self._cursor: Cursor | None = None
        self._rows: dict[str, list[Row]] = {"bid": [], "ask": []}
        self._room = 1
        self._marks = Marks()
        self._scale = bars.Scale()
        self._ladder = Block(look)
        self._bids = Block(look, mirrored=True, with_side=False)
        self._asks = Block(look, with_side=False)
        self._parts: dict[str, SteadyText] = {}
        self._most_asks = 0

    def add(self, record: Book) -> None:
        """Take in a book, which replaces the one before."""
        self._book = record

    def full(self, count: int) -> None:
        """Do nothing: each book is a full state."""

    def start_over(self) -> None:
        """Mark nothing in the next book: it replaces everything."""
        self._marks = Marks()

    def until(self) -> int | None:
        """When the first mark expires."""
        return self._marks.until()

    # --- keys

    def press(self, key: str) -> bool:
        """Change grouping, depth or layout, or move the cursor; whether something changed."""
        match key:
            case "g" | "G":
                return self._regroup(key == "g")
            case "+" | "=" | "-":
                return self._deepen(more=key != "-")
            case "up" | "down" | "left" | "right":
                return self._move(key)
            case "esc":
                changed, self._cursor = self._cursor is not None, None
                return changed
            case "l":
                self._layout = "ladder" if self._side_by_side else "side by side"
                return True
        return False

    def _regroup(self, up: bool) -> bool:
        book = self._book
        if book is None or not (book.bids or book.asks):
            return False
        tick = tick_of(level.price for level in (*book.bids, *book.asks))
        self._tick = tick if self._tick is None or tick is None else min(self._tick, tick)
        highest = (book.bids or book.asks)[0].price
        before = self._step
        assert self._tick is not None
        self._step = coarser(before, self._tick, highest) if up else finer(before, self._tick)
        if self._step == before:
            return False
        self._forget()
        return True

    def _deepen(self, *, more: bool) -> bool:
        shown = min(self._limit(self._room), max(map(len, self._rows.values())))
        if more:
            if self._depth is None or self._depth >= self._room:
                return False
            self._depth += 1
            return True
        if shown <= 1:
            return False
        self._depth = shown - 1
        return True

    def _move(self, key: str) -> bool:
        bids, asks = self._rows["bid"], self._rows["ask"]
        if not bids and not asks:
            return False
        path = [*(("ask", row) for row in reversed(asks)), *(("bid", row) for row in bids)]
        cursor = self._cursor
        if cursor is None or not self._rows[cursor.side]:
            first = "ask" if asks and (key in ("up", "right") or not bids) else "bid"
            self._cursor = Cursor(first, self._rows[first][0].price)
            return True
        at = self._rank(cursor)
        if key in ("left", "right"):
            side = "bid" if key == "left" else "ask"
            if side == cursor.side or not self._rows[side]:
                return False
            self._cursor = Cursor(side, self._rows[side][min(at, len(self._rows[side]) - 1)].price)
            return True
        if self._side_by_side:
            at += 1 if key == "down" else -1
            if not 0 <= at < len(self._rows[cursor.side]):
                return False
            self._cursor = Cursor(cursor.side, self._rows[cursor.side][at].price)
            return True
        place = (len(asks) - 1 - at if cursor.side == "ask" else len(asks) + at) + (1 if key == "down" else -1)
        if not 0 <= place < len(path):
            return False
        self._cursor = Cursor(path[place][0], path[place][1].price)
        return True

    def _rank(self, cursor: Cursor) -> int:
        """Which row of its side the cursor is on; 0 is the best."""
        better = [
            row.price <= cursor.price if cursor.side == "ask" else row.price >= cursor.price
            for row in self._rows[cursor.side]
        ]
        return max(0, sum(better) - 1)

    def _forget(self) -> None:
        """Start anew with scales, widths and marks: the rows to come are others."""
        self._scale = bars.Scale()
        for block in (self._ladder, self._bids, self._asks):
            block.forget()
        self._marks = Marks()
        self._most_asks = 0

    # --- drawing

    def lines(self, width: int, height: int) -> list[Text]:
        """As many levels a side as fit, the spread, and what the cursor shows."""
        book = self._book
        if book is None:
            return [Text("no book yet", style=self._look.style("dim"))]
        if not book.bids and not book.asks:
            return [Text("the book is empty", style=self._look.style("dim"))]
        self._side_by_side = width >= SIDE_BY_SIDE_FROM if self._layout is None else self._layout == "side by side"
        now = self._look.epoch_ms()
        titled = height >= 5
        below = 1 if self._cursor is not None and height >= 5 else 0
        lines_left = height - 1 - titled - below
        self._room = max(1, lines_left if self._side_by_side else lines_left // 2)
        limit = self._limit(UNASKED if self._depth is None and height > TALLEST else self._room)
        self._rows = {"bid": self._side(book.bids, limit, bids=True), "ask": self._side(book.asks, limit, bids=False)}
        self._marks.note(book, self._step, self._rows, now)
        deepest = max((rows[-1].total for rows in self._rows.values() if rows), default=Decimal(0))
        scale = self._scale.fit(deepest)
        draw = self._draw_sides if self._side_by_side else self._draw_ladder
        body = draw(book, width, scale, now, titled)
        return [*body, self._cursor_line(book, width)] if below else body

    def _limit(self, room: int) -> int:
        return room if self._depth is None else min(self._depth, room)

    def _side(self, levels: Sequence[Level], most: int, *, bids: bool) -> list[Row]:
        if self._step is None:
            return rows_of(levels, most)
        return grouped(levels, self._step, most, bids=bids, complete=self._complete)

    def _draw_ladder(self, book: Book, width: int, scale: Decimal, now: int, titled: bool) -> list[Text]:
        asks, bids = self._shown("ask"), self._shown("bid")
        levels = [*reversed(asks), *bids]
        room = width - 2
        columns = self._ladder.cells(levels, self._titles(book), room, now)
        title, *drawn = self._ladder.lines(columns, levels, room, bar_room(columns, room), scale)
        rows = [self._pointed(line, level) for line, level in zip(drawn, levels, strict=True)]
        self._most_asks = min(self._room, max(self._most_asks, len(asks)))
        spread = Text("  ").append_text(whole_parts(self._summary(book, room, now), room))
        head = [Text("  ").append_text(title)] if titled else []
        space = [Text() for _ in range(self._most_asks - len(asks))]  # the spread stays where it is
        return [*head, *space, *rows[: len(asks)], spread, *rows[len(asks) :]]

    def _pointed(self, line: Text, level: Shown) -> Text:
        pointer = self._look.text("▶ ") if level.under_cursor else "  "
        return Text(pointer, no_wrap=True).append_text(line)

    def _draw_sides(self, book: Book, width: int, scale: Decimal, now: int, titled: bool) -> list[Text]:
        bids, asks = self._shown("bid"), self._shown("ask")
        left, right = (width - 3) // 2, (width - 3) - (width - 3) // 2
        titles = self._titles(book)
        of_bids = self._bids.cells(bids, titles._replace(price=f"bid {titles.price}"), left, now)
        of_asks = self._asks.cells(asks, titles._replace(price=f"ask {titles.price}"), right, now)
        both = [name for name in of_bids if name in of_asks]
        of_bids, of_asks = {name: of_bids[name] for name in both}, {name: of_asks[name] for name in both}
        bar = min(bar_room(of_bids, left), bar_room(of_asks, right))  # both of one length, since they share one scale
        bid_lines = self._bids.lines(of_bids, bids, left, bar, scale)
        ask_lines = self._asks.lines(of_asks, asks, right, bar, scale)
        lines = [whole_parts(self._summary(book, width, now), width)]
        for at in range(0 if titled else 1, max(len(bid_lines), len(ask_lines))):
            bid = bid_lines[at] if at < len(bid_lines) else self._bids.blank(left)
            ask = ask_lines[at] if at < len(ask_lines) else self._asks.blank(right)
            lines.append(bid.append_text(self._between(bids, asks, at - 1)).append_text(ask))
        return lines

    def _between(self, bids: Sequence[Shown], asks: Sequence[Shown], at: int) -> Text:
        on_bid = 0 <= at < len(bids) and bids[at].under_cursor
        on_ask = 0 <= at < len(asks) and asks[at].under_cursor
        return Text(self._look.text(f"{'◀' if on_bid else ' '}│{'▶' if on_ask else ' '}"))

    def _shown(self, side: str) -> list[Shown]:
        rows = self._rows[side]
        cursor = self._cursor
        at = self._rank(cursor) if cursor is not None and cursor.side == side else -1
        changed = self._marks.of(side)
        return [Shown(row, side, bool(changed) and row.price in changed, index == at) for index, row in enumerate(rows)]

    def _titles(self, book: Book) -> Titles:
        price, size = with_unit("price", [book], "price_unit"), with_unit("size", [book], "size_unit")
        return Titles(self._look.text(price), self._look.text(size))

    # --- words

    def _summary(self, book: Book, width: int, now: int) -> list[tuple[str, str]]:
        """Grouping, spread, mid and imbalance; of the book itself, also where it is shown in groups."""
        title, dim = self._look.style("title"), self._look.style("dim")
        parts = []
        if self._step is not None:
            parts.append(("group", f"grouped by {cells.number(self._step)}", self._look.style("warn")))
        room = width - sum(len(words) + 2 for _, words, _ in parts)
        parts.append(("spread", next((words for words in spread_words(book) if len(words) <= room), "spread #"), title))
        if (mid := middle(book)) is not None:
            parts.append(("mid", f"mid {cells.number(mid)}", title))
        if (words := self._imbalance()) is not None:
            parts.append(("imbalance", words, dim))
        return [(self._steady(name, self._look.text(words), now), style) for name, words, style in parts]

    def _steady(self, name: str, words: str, now: int) -> str:
        return self._parts.setdefault(name, SteadyText()).padded(words, now)

    def _imbalance(self) -> str | None:
        """How much more is bid than asked, as a part of both, of what is shown and known in full."""
        whole = {side: [row for row in rows if row.whole] for side, rows in self._rows.items()}
        bids, asks = whole["bid"], whole["ask"]
        if not bids or not asks:
            return None
        bid, ask = bids[-1].total, asks[-1].total
        share = SUMS.multiply(SUMS.subtract(bid, ask), HUNDRED) / SUMS.add(bid, ask)
        sign = "+" if share > 0 else "-" if share < 0 else ""
        what = "level" if self._step is None else "group"
        count = _count(bids, what) if len(bids) == len(asks) else f"{_count(bids, 'bid')} and {_count(asks, 'ask')}"
        return f"imbalance {sign}{abs(share):.0f} % of {count}"

    def _cursor_line(self, book: Book, width: int) -> Text:
        look, cursor = self._look, self._cursor
        assert cursor is not None
        rows = self._rows[cursor.side]
        if not rows:
            return whole_parts([(f"  no {cursor.side} left", look.style("dim"))], width)
        row = rows[self._rank(cursor)]
        least = "" if row.whole else "≥"
        parts = [
            (f"▶ {cursor.side} {cells.number(row.price)}", look.style(cursor.side)),
            (f"cum. {least}{cells.number(row.total)}", ""),
            (distance_words(row.price, middle(book)), ""),
            (f"notional {least}{cells.number(row.notional)}{_notional_unit(book)}", ""),
        ]
        return whole_parts([(look.text(words), style) for words, style in parts], width)


class Marks:
    """Which of the shown levels have changed a moment ago: seen by comparing what is drawn with what was drawn."""

    def __init__(self) -> None:
        self._book: Book | None = None
        self._step: Decimal | None = None
        self._rows: dict[str, list[Row]] = {}
        self._until: dict[str, dict[Decimal, int]] = {"bid": {}, "ask": {}}

    def note(self, book: Book, step: Decimal | None, rows: dict[str, list[Row]], now: int) -> None:
        """Compare what is about to be drawn with what was drawn, and mark what changed."""
        for expiring in self._until.values():
            for price in [price for price, at in expiring.items() if at <= now]:
                del expiring[price]
        if book is not self._book and self._book is not None and step == self._step:
            for side, drawn in rows.items():
                for price in changed_prices(self._rows[side], drawn, bids=side == "bid"):
                    self._until[side][price] = now + MARKED_MS
        self._book, self._step, self._rows = book, step, rows

    def of(self, side: str) -> dict[Decimal, int]:
        """The marked prices of a side, each with the time at which its mark goes."""
        return self._until[side]

    def until(self) -> int | None:
        """When the first mark goes; None without a mark."""
        return min((at for expiring in self._until.values() for at in expiring.values()), default=None)


def changed_prices(before: Sequence[Row], after: Sequence[Row], *, bids: bool) -> list[Decimal]:
    """Prices whose size is another one, or that were not there; both best first.

    Beyond the last level of `before` nothing is known, unless `before` was shorter than what there is room for now.
    """
    changed = []
    at, count = 0, len(before)
    for row in after:
        while at < count and (before[at].price > row.price if bids else before[at].price < row.price):
            at += 1
        if at == count:
            if count < len(after):
                changed.append(row.price)
        elif before[at].price != row.price or before[at].size != row.size:
            changed.append(row.price)
    return changed


def middle(book: Book) -> Decimal | None:
    """Halfway between the best bid and the best ask; None where a side is empty."""
    if not book.bids or not book.asks:
        return None
    bid, ask = book.bids[0].price, book.asks[0].price
    mid = SUMS.multiply(SUMS.add(bid, ask), HALF)
    places = [exponent for price in (bid, ask) if isinstance(exponent := price.as_tuple().exponent, int)]
    return SUMS.quantize(mid, Decimal((0, (1,), min(places)))) if _ends_early(mid, min(places)) else mid


def _ends_early(value: Decimal, exponent: int) -> bool:
    """Whether nothing but zeros comes after this decimal place."""
    return SUMS.remainder(value, Decimal((0, (1,), exponent))) == 0


def spread_words(book: Book) -> Sequence[str]:
    """The spread, absolute and in basis points of the mid price; then shorter words for it."""
    if not book.bids or not book.asks:
        return "no spread: one side is empty", "no spread"
    bid, ask = book.bids[0].price, book.asks[0].price
    spread = SUMS.subtract(ask, bid)
    mid = middle(book)
    assert mid is not None
    short = f"spread {cells.number(spread)}" + cells.unit(book.price_unit)
    return f"{short} ({basis_points(spread, mid)})", short


def basis_points(part: Decimal, whole: Decimal) -> str:
    """A part in basis points of a whole, to two places; what is smaller than that is not called 0."""
    if whole <= 0:
        return "— bps"
    points = SUMS.multiply(part, BASIS_POINTS) / whole
    if points and abs(points) < Decimal("0.01"):
        return f"{'-' if points < 0 else ''}<0.01 bps"
    return f"{points:.2f} bps"


def distance_words(price: Decimal, mid: Decimal | None) -> str:
    """How far a price is from the mid, in words."""
    if mid is None:
        return "no mid"
    away = SUMS.subtract(price, mid)
    return f"mid {cells.signed(away)} ({basis_points(away, mid)})"


def _count(rows: Sequence[object], what: str) -> str:
    return f"{len(rows)} {what}{'s' if len(rows) > 1 else ''}"


def _notional_unit(book: Book) -> str:
    units = [unit for unit in (book.price_unit, book.size_unit) if unit is not None]
    return f" {'×'.join(cells.unit(unit).strip() for unit in units)}" if units else ""


def view(look: Look, *, depth: int | None = None, step: Decimal | None = None, complete: bool = False) -> BookView:
    """An empty book. `depth` and `step` are the options `--depth` and `--group`, `complete` is of the venue's offer."""
    return BookView(look, depth=depth, step=step, complete=complete)
