"""A chart of candles in text: two steps a cell in height, wicks and bodies, volume below, price and time at the edges.

Drawn here and not by a library: prices keep all their digits at the axis, rising and falling candles differ by shape
and not by colour alone, and a frame costs a millisecond or two.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from rich.text import Span, Text

from cli import bars, cells
from cli.grouping import SUMS, multiple_above, multiple_below, tick_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.look import Look
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


class Strip:
    """One line of the plot: a character and a style a column."""

    def __init__(self, width: int) -> None:
        self.glyphs = [" "] * width
        self.styles = [""] * width

    def put(self, at: int, glyph: str, style: str) -> None:
        """One character."""
        self.glyphs[at] = glyph
        self.styles[at] = style

    def text(self, label: tuple[str, str] | None = None) -> Text:
        """One span for a run of one style; a label at the end."""
        styles, spans, begin = self.styles, [], 0
        for at in range(1, len(styles) + 1):
            if at == len(styles) or styles[at] != styles[begin]:
                if styles[begin]:
                    spans.append(Span(begin, at, styles[begin]))
                begin = at
        text = Text("".join(self.glyphs), no_wrap=True, spans=spans)
        if label is not None:
            text.append(" ").append(label[0], label[1] or None)
        return text


@dataclass(frozen=True)
class PriceScale:
    """Prices to half rows: `low` is half row 0, `high` the last one; `labels` the prices at the axis."""

    low: Decimal
    high: Decimal
    halves: int
    labels: tuple[Decimal, ...]

    def half(self, price: Decimal) -> int:
        """The half row of a price."""
        reach = SUMS.subtract(self.high, self.low)
        return round(bars.part(SUMS.subtract(price, self.low), reach) * (self.halves - 1))


def price_scale(candles: Sequence[Candle], rows: int) -> PriceScale:
    """A scale that holds all candles and moves in steps, so that it stays where it is for most changes."""
    low, high = min(candle.low for candle in candles), max(candle.high for candle in candles)
    exponent = tick_of(price for candle in candles for price in (candle.low, candle.high, candle.close))
    tick = Decimal((0, (1,), exponent or 0))
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


def chart(candles: Sequence[Candle], width: int, height: int, look: Look) -> list[Text]:
    """`height` lines (4 at least) of at most `width` cells; candles by time, oldest first, at least one."""
    volumes = [candle.volume for candle in candles if candle.volume is not None]
    volume_rows = (3 if height >= 20 else 2 if height >= 12 else 1) if volumes and height >= 7 else 0
    rows = height - volume_rows - 2
    axis = _axis_width(candles[-width:], rows)
    plot = width - axis if width - axis >= LEAST_PLOT else width
    places = slots(candles, plot)
    pitch = 2 if 2 * len(places) <= plot else 1
    shown = [candle for candle in places if candle is not None]
    places = [*([None] * (plot // pitch - len(places))), *places]  # the newest always stands at the right edge
    scale = price_scale(shown, rows)
    body = _price_rows(places, scale, rows, pitch, look)
    body += _volume_rows(places, volume_rows, pitch, look)
    labels = _labels(scale, shown, rows, volume_rows, look) if plot < width else {}
    lines = [strip.text(labels.get(at)) for at, strip in enumerate(body)]
    return [*lines, _rule(places, pitch, look), _times(places, pitch, look)]


def direction(candle: Candle) -> str:
    """The role of a candle's style: up, down, or none."""
    return "up" if candle.close > candle.open else "down" if candle.close < candle.open else ""


def _axis_width(candles: Sequence[Candle], rows: int) -> int:
    scale = price_scale(candles, rows)
    prices = [*scale.labels, *(candle.close for candle in candles[-1:])]
    return 2 + max(len(cells.number(price)) for price in prices)


def _price_rows(places: Sequence[Candle | None], scale: PriceScale, rows: int, pitch: int, look: Look) -> list[Strip]:
    grid = [Strip(len(places) * pitch) for _ in range(rows)]
    for place, candle in enumerate(places):
        if candle is None:
            continue
        top, bottom = scale.half(candle.high), scale.half(candle.low)
        ends = scale.half(candle.open), scale.half(candle.close)
        body_low, body_high = min(ends), max(ends)
        role = direction(candle)
        style = look.style(role)
        for row in range(bottom // 2, top // 2 + 1):
            lower, upper = (
                BODY if body_low <= half <= body_high else WICK if bottom <= half <= top else NOTHING
                for half in (2 * row, 2 * row + 1)
            )
            grid[rows - 1 - row].put(place * pitch, _glyph(upper, lower, role, look), style)
    return grid


def _glyph(upper: int, lower: int, role: str, look: Look) -> str:
    if not look.unicode:
        return ASCII_BODIES[role] if BODY in (upper, lower) else ASCII_WICK if upper or lower else " "
    return {"up": RISING, "down": FALLING, "": LEVEL}[role][upper, lower]


def _volume_rows(places: Sequence[Candle | None], rows: int, pitch: int, look: Look) -> list[Strip]:
    grid = [Strip(len(places) * pitch) for _ in range(rows)]
    most = _most_volume(places)
    for place, candle in enumerate(places):
        if candle is None or not candle.volume or not rows:
            continue
        eighths = max(1, round(bars.part(candle.volume, most) * rows * 8))
        style = f"{look.style(direction(candle))} dim".strip()
        for row in range(rows):
            filled = min(8, max(0, eighths - 8 * row))
            glyph = bars.COLUMNS[filled] if look.unicode else " " if not filled else "=" if filled >= 4 else "_"
            grid[rows - 1 - row].put(place * pitch, glyph, style)
    return grid


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
    strip, glyph, dim = Strip(len(places) * pitch), look.text("─"), look.style("dim")
    for place, candle in enumerate(places):
        if candle is None:
            continue
        mark = "?" if not candle.complete else look.text("○") if not candle.closed else glyph
        strip.put(place * pitch, mark, look.style("warn") if mark == "?" else dim)
        if pitch == 2:
            strip.put(place * pitch + 1, glyph, dim)
    return strip.text()


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
    """When a candle starts, as much of it as tells candles of its length apart; `seconds` also where they are 00."""
    try:
        moment = (datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=candle.start)).astimezone(look.tz)
    except (ValueError, OverflowError, OSError):
        return look.text(cells.ABSENT)
    length = candle.end - candle.start
    if length >= DAY:
        return moment.strftime("%Y-%m-%d")
    if length >= HOUR:
        return moment.strftime("%d %H:%M")
    return moment.strftime("%H:%M:%S" if seconds or length < MINUTE else "%H:%M")
