"""A chart of candles in text: two steps a cell in height, wicks and bodies, volume below, price and time at the edges.

Drawn here and not by a library: prices keep all their digits at the axis, rising and falling candles differ by shape
and not by colour alone, and a frame costs a millisecond or two.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from rich.text import Span, Text

from cli.output import cells
from cli.screen import drawing as bars
from cli.views.grouping import SUMS, multiple_above, multiple_below, tick_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.screen.look import Look
    from venues.records import Candle

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
ROWS_A_LABEL = 2  # at least; steps are rounded up
LEAST_PLOT = 12  # columns left for candles, below which the axis is left out
EVERY = (1, 2, 5, 10, 15, 20, 30, 60, 120, 240, 480, 960, 1_920, 3_840)

# What each half of a cell holds: nothing, wick or body; upper half first. A hollow body rises, a full one falls.
NOTHING, WICK, BODY = 0, 1, 2
_COMMON = {(0, 0): " ", (1, 1): "│", (1, 0): "╵", (0, 1): "╷"}
RISING = {**_COMMON, (2, 2): "┃", (2, 0): "╹", (0, 2): "╻", (2, 1): "╿", (1, 2): "╽"}
FALLING = {**_COMMON, (2, 2): "█", (2, 0): "▀", (0, 2): "▄", (2, 1): "▀", (1, 2): "▄"}
LEVEL = {**_COMMON, (2, 2): "━", (2, 0): "━", (0, 2): "━", (2, 1): "┿", (1, 2): "┿"}
ASCII_WICK, ASCII_BODIES = "|", {"up": "O", "down": "X", "": "-"}
ASCII_COLUMNS = " ___====="


@dataclass(frozen=True)
class PriceScale:
    """Prices to half rows: `low` is half row 0, `high` the last one; `labels` the prices at the axis."""

    low: Decimal
    high: Decimal
    halves: int
    labels: tuple[Decimal, ...]

    def half(self, price: Decimal) -> int:
        """Which half row of the chart a price is in; 0 is the lowest."""
        reach = SUMS.subtract(self.high, self.low)
        return round(bars.part(SUMS.subtract(price, self.low), reach) * (self.halves - 1))


def tick_size(candles: Sequence[Candle]) -> Decimal:
    """The smallest decimal place that prices are written with."""
    exponent = tick_of(price for candle in candles for price in (candle.low, candle.high, candle.close))
    return Decimal((0, (1,), exponent or 0))


def price_scale(candles: Sequence[Candle], rows: int, tick: Decimal) -> PriceScale:
    """A scale that holds all candles and moves in steps, so that it stays where it is for most changes."""
    low, high = min(candle.low for candle in candles), max(candle.high for candle in candles)
    if low == high:
        low, high = SUMS.subtract(low, tick), SUMS.add(high, tick)
    step = max(tick, bars.nice_above(SUMS.subtract(high, low) / max(1, rows // ROWS_A_LABEL)))
    quantum = SUMS.divide(step, Decimal(5))
    low, high = multiple_below(low, quantum), multiple_above(high, quantum)
    labels, price = [], multiple_above(low, step)
    while price <= high:
        labels.append(price)
        price = SUMS.add(price, step)
    return PriceScale(low, high, 2 * rows, tuple(_with_places(label, tick) for label in labels))


def _with_places(price: Decimal, tick: Decimal) -> Decimal:
    """With zeros up to the last place of the tick, so that prices below each other are of one form."""
    return SUMS.quantize(price, tick) if price.as_tuple().exponent > tick.as_tuple().exponent else price  # type: ignore[operator]


def slots(candles: Sequence[Candle], most: int) -> list[Candle | None]:
    """The newest candles in places of equal time, the newest last; None where there is none for a time."""
    places: list[Candle | None] = []
    later: Candle | None = None
    for candle in reversed(candles):
        length = candle.end - candle.start
        if later is not None and length > 0:
            missing = max(0, later.start - candle.end) // length
            places.extend([None] * min(missing, most))
        places.append(candle)
        later = candle
        if len(places) >= most:
            break
    places = places[:most]
    while places and places[-1] is None:
        places.pop()
    return places[::-1]


class Chart:
    """Draws candles; those that have not changed since the last drawing are not worked out again."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._drawn: dict[int, tuple[Candle, str]] = {}
        self._scale: PriceScale | None = None

    def lines(self, candles: Sequence[Candle], width: int, height: int) -> list[Text]:
        """`height` lines (4 at least) of at most `width` cells; candles by time, oldest first, at least one."""
        look, latest = self._look, candles[-width:]
        has_volume = any(candle.volume is not None for candle in latest)
        volume_rows = (3 if height >= 20 else 2 if height >= 12 else 1) if has_volume and height >= 7 else 0
        rows = height - volume_rows - 2
        tick = tick_size(latest)
        axis = _axis_width(price_scale(latest, rows, tick), latest[-1])
        plot = width - axis if width - axis >= LEAST_PLOT else width
        places = slots(latest, plot)
        pitch = 2 if 2 * len(places) <= plot else 1
        shown = [candle for candle in places if candle is not None]
        places = [*([None] * (plot // pitch - len(places))), *places]  # the newest always stands at the right edge
        scale = price_scale(shown, rows, tick)
        styles = ["" if candle is None else look.style(direction(candle)) for candle in places]
        lines = _rows(self._columns(places, scale, rows), styles, rows, pitch)
        faint = [f"{style} dim".strip() for style in styles]
        lines += _rows(_volume_columns(places, volume_rows, look), faint, volume_rows, pitch)
        if plot < width:
            for at, (text, style) in _labels(scale, shown, rows, volume_rows, look).items():
                lines[at].append(f" {text}", style)
        return [*lines, _rule(places, pitch, look), _times(places, pitch, look)]

    def _columns(self, places: Sequence[Candle | None], scale: PriceScale, rows: int) -> list[str]:
        """Place → its characters from top to bottom."""
        before = self._drawn if scale == self._scale else {}
        self._scale, self._drawn = scale, {}
        columns, nothing = [], " " * rows
        for candle in places:
            if candle is None:
                columns.append(nothing)
                continue
            known = before.get(candle.start)
            if known is None or known[0] is not candle:
                known = candle, _column(candle, scale, rows, self._look)
            self._drawn[candle.start] = known
            columns.append(known[1])
        return columns


def direction(candle: Candle) -> str:
    """The role of a candle's style: up, down, or none."""
    return "up" if candle.close > candle.open else "down" if candle.close < candle.open else ""


def _axis_width(scale: PriceScale, newest: Candle) -> int:
    return 2 + max(len(cells.number(price)) for price in (*scale.labels, newest.close))


def _column(candle: Candle, scale: PriceScale, rows: int, look: Look) -> str:
    top, bottom = scale.half(candle.high), scale.half(candle.low)
    ends = scale.half(candle.open), scale.half(candle.close)
    low, high = min(ends), max(ends)
    role = direction(candle)
    halves = [BODY if low <= half <= high else WICK if bottom <= half <= top else NOTHING for half in range(2 * rows)]
    return "".join(_glyph(halves[2 * row + 1], halves[2 * row], role, look) for row in reversed(range(rows)))


def _glyph(upper: int, lower: int, role: str, look: Look) -> str:
    if not look.unicode:
        return ASCII_BODIES[role] if BODY in (upper, lower) else ASCII_WICK if upper or lower else " "
    return {"up": RISING, "down": FALLING, "": LEVEL}[role][upper, lower]


def _volume_columns(places: Sequence[Candle | None], rows: int, look: Look) -> list[str]:
    glyphs = bars.COLUMNS if look.unicode else ASCII_COLUMNS
    most = _most_volume(places)
    columns = []
    for candle in places:
        volume = None if candle is None else candle.volume
        eighths = max(1, round(bars.part(volume, most) * rows * 8)) if volume else 0
        filled = [min(8, max(0, eighths - 8 * row)) for row in reversed(range(rows))]
        columns.append("".join(glyphs[eighth] for eighth in filled))
    return columns


def _rows(columns: Sequence[str], styles: Sequence[str], rows: int, pitch: int) -> list[Text]:
    """Columns as lines. Neighbours of one style are one span."""
    gap = " " * (pitch - 1)
    lines = []
    for row in range(rows):
        glyphs = [column[row] for column in columns]
        spans: list[Span] = []
        begin = end = -1
        style = ""
        for at, glyph in enumerate(glyphs):
            if glyph == " ":
                continue
            if styles[at] != style or end < at:
                if style:
                    spans.append(Span(begin * pitch, end * pitch, style))
                begin, style = at, styles[at]
            end = at + 1
        if style:
            spans.append(Span(begin * pitch, end * pitch, style))
        lines.append(Text("".join(f"{glyph}{gap}" for glyph in glyphs), no_wrap=True, spans=spans))
    return lines


def _most_volume(places: Sequence[Candle | None]) -> Decimal:
    return max((candle.volume for candle in places if candle is not None and candle.volume is not None),
               default=Decimal(0))  # fmt: skip


def _labels(
    scale: PriceScale, shown: Sequence[Candle], rows: int, volume_rows: int, look: Look
) -> dict[int, tuple[str, str]]:
    """Line → what stands at its right end: prices, the last one marked, and the highest volume."""
    labels = {}
    for price in scale.labels:
        labels[rows - 1 - scale.half(price) // 2] = (f"┤{cells.number(price)}", look.style("dim"))
    last = shown[-1]
    style = f"bold {look.style(direction(last))}".strip()
    labels[rows - 1 - scale.half(last.close) // 2] = (f"◀{cells.number(last.close)}", style)
    if volume_rows:
        longest = max(len(text) for text, _ in labels.values())
        most = cells.number(_most_volume(shown))
        if len(most) + 1 <= longest:
            labels[rows] = (f"┤{most}", look.style("dim"))
    return {line: (look.text(text), style) for line, (text, style) in labels.items()}


def _rule(places: Sequence[Candle | None], pitch: int, look: Look) -> Text:
    """The line under the candles: `?` under an incomplete one, `○` under the open one, a break where there is none."""
    line, glyph = Text(no_wrap=True), look.text("─")
    for candle in places:
        mark = " " if candle is None else "?" if not candle.complete else look.text("○") if not candle.closed else glyph
        line.append(mark + ("" if pitch == 1 else " " if candle is None else glyph))
        if mark == "?":
            line.stylize(look.style("warn"), line.cell_len - pitch, line.cell_len - pitch + 1)
    line.stylize_before(look.style("dim"))
    return line


def _times(places: Sequence[Candle | None], pitch: int, look: Look) -> Text:
    """Times under the starts of candles; always the same candles, so that they move with them."""
    known = [(place, candle) for place, candle in enumerate(places) if candle is not None]
    length = max(1, known[0][1].end - known[0][1].start)
    longest = len(start_words(known[0][1], look, seconds=False))
    every = next((every for every in EVERY if every * pitch >= longest + 3), EVERY[-1])
    text, width = "", len(places) * pitch
    for place, candle in known:
        label = start_words(candle, look, seconds=False)
        if candle.start // length % every == 0 and len(text) <= place * pitch <= width - len(label):
            text = text.ljust(place * pitch) + label
    if not text:
        place, candle = known[-1]
        label = start_words(candle, look, seconds=False)
        text = " " * max(0, min(place * pitch, width - len(label))) + label
    return Text(text, style=look.style("dim"), no_wrap=True)


def start_words(candle: Candle, look: Look, *, seconds: bool = True) -> str:
    """When a candle starts, as much of it as tells candles of its length apart; `seconds` also where they are 00, and
    then the date where it is not today's."""
    moment = look.moment(candle.start)
    if moment is None:
        return look.text(cells.ABSENT)
    length = candle.end - candle.start
    if length >= DAY:
        return moment.strftime("%Y-%m-%d")
    if length >= HOUR:
        return f"{moment:%d %H:%M}{look.offset_words(moment)}"
    if seconds:
        return look.time(candle.start, millis=False)
    return f"{moment:{'%H:%M:%S' if length < MINUTE else '%H:%M'}}{look.offset_words(moment)}"
