"""`mon candles`: a chart of candles with their volume, and the newest ones as a table."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from rich.text import Text

from cli.output import cells
from cli.screen.grid import Column, lay_out
from cli.screen.steady import SteadyText, whole_parts
from cli.views.chart import Chart, direction, start_words
from cli.views.grouping import SUMS
from cli.views.rows import number_column, with_unit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.screen.look import Look
    from venues.records import Candle

MOST_CANDLES = 1_000
CHART_FROM = (32, 8)  # columns and lines from which there is a chart; below that there is a table only
ASIDE_FROM = 110  # columns from which the table stands beside the chart
BELOW_FROM = 20  # lines from which it stands below
ASIDE_PERCENT = 40  # of the columns, at most, for the table beside the chart
TALLEST = 200  # lines beyond which no screen is filled: the last table of a stream without a terminal
MOST_BELOW = 8  # lines of a table below
HUNDRED = Decimal(100)


class CandlesView:
    """Candles stay after an interruption: those that were closed are still right."""

    keys: Sequence[tuple[str, str]] = (("l", "chart or table"),)

    def __init__(self, look: Look) -> None:
        self._look = look
        self._candles: dict[int, Candle] = {}
        self._ordered: list[Candle] | None = None  # by time; None when they have to be sorted again
        self._chart = Chart(look)
        self._table_only = False
        self._parts: dict[str, SteadyText] = {}
        self._until: int | None = None

    def add(self, record: Candle) -> None:
        """Take in a candle, which replaces the one with its start."""
        self._candles[record.start] = record
        self._ordered = None
        if len(self._candles) > MOST_CANDLES:
            del self._candles[min(self._candles)]

    def leave_out(self, record: Candle) -> None:
        """Drop a candle that does not match --where any more."""
        if self._candles.pop(record.start, None) is not None:
            self._ordered = None

    def full(self, count: int) -> None:
        """Do nothing: candles are kept by their start, and none leaves."""

    def start_over(self) -> None:
        """Drop the candle that was open: it comes again, marked as incomplete."""
        self._candles = {start: candle for start, candle in self._candles.items() if candle.closed}
        self._ordered = None

    def press(self, key: str) -> bool:
        """Turn the chart off or on; whether something changed."""
        if key != "l":
            return False
        self._table_only = not self._table_only
        return True

    def until(self) -> int | None:
        """When the next second begins, while a candle is open: the view says how long it is still open."""
        return self._until

    def lines(self, width: int, height: int) -> list[Text]:
        """The newest candle in words, the chart, and the newest candles as a table where there is room."""
        candles = self._sorted()
        if not candles:
            return [Text("no candle yet", style=self._look.style("dim"))]
        now = self._look.epoch_ms()
        at_venue = now + self._look.offset_ms()
        self._until = None if candles[-1].closed or candles[-1].end <= at_venue else now + 1000 - at_venue % 1000
        head = self._head(candles[-1], width)
        if height > TALLEST or self._table_only or width < CHART_FROM[0] or height < CHART_FROM[1]:
            return self._table(candles, width, height)
        if width >= ASIDE_FROM:
            table = self._table(candles, width * ASIDE_PERCENT // 100, height - 1)
            room = width - max(line.cell_len for line in table) - 3
            drawn = self._chart.lines(candles, room, height - 1)
            return [head, *_beside(drawn, table, room, self._look.text(" │ "))]
        below = min(MOST_BELOW, (height - 1) // 3) if height >= BELOW_FROM else 0
        drawn = self._chart.lines(candles, width, height - 1 - below)
        return [head, *drawn, *(self._table(candles, width, below) if below else [])]

    def _sorted(self) -> list[Candle]:
        if self._ordered is None:
            self._ordered = [self._candles[start] for start in sorted(self._candles)]
        return self._ordered

    def _table(self, candles: Sequence[Candle], width: int, height: int) -> list[Text]:
        newest = candles[: -max(1, height - 1) - 1 : -1]
        return lay_out(columns(newest, self._look), width, self._look)

    def _head(self, newest: Candle, width: int) -> Text:
        """The newest candle: last price, how far it has moved, its figures, and how long it is still open."""
        look, now = self._look, self._look.epoch_ms()
        moved = SUMS.subtract(newest.close, newest.open)
        percent = f" ({_percent(moved, newest.open)})" if newest.open > 0 else ""
        arrow = {"up": "▲ ", "down": "▼ ", "": ""}[direction(newest)]
        style = look.style(direction(newest))
        words = [
            ("interval", cells.short(newest.interval), look.style("title")),
            ("last", f"last {cells.number(newest.close)}{cells.unit(newest.price_unit)}", look.style("title")),
            ("moved", f"{arrow}{cells.signed(moved)}{percent}", style),
            ("state", self._state(newest, now), look.style("dim" if newest.complete else "warn")),
            (
                "volume",
                "" if newest.volume is None else f"volume {cells.number(newest.volume)}{cells.unit(newest.size_unit)}",
                "",
            ),
            ("high", f"high {cells.number(newest.high)}", ""),
            ("low", f"low {cells.number(newest.low)}", ""),
            ("open", f"open {cells.number(newest.open)}", ""),
        ]
        steady = [(self._steady(name, look.text(text), now), style) for name, text, style in words if text]
        return whole_parts(steady, width)

    def _steady(self, name: str, words: str, now: int) -> str:
        return self._parts.setdefault(name, SteadyText()).padded(words, now)

    def _state(self, candle: Candle, now: int) -> str:
        """What is left of it is not known where the venue's clock is so far from ours that it has not begun."""
        words = _state(candle)
        left = candle.end - now - self._look.offset_ms()
        is_known = 0 < left <= candle.end - candle.start
        return f"{words}, {_left(left)} left" if is_known and not candle.closed else words


def columns(candles: Sequence[Candle], look: Look) -> list[Column]:
    """The columns: start, prices, volume, and whether the candle is closed and complete."""
    closes = [look.style(direction(candle)) for candle in candles]
    states = ["" if candle.complete else look.style("warn") for candle in candles]
    shown = [
        Column("start", [start_words(candle, look) for candle in candles], keep=8),
        number_column("open", [candle.open for candle in candles], keep=5),
        number_column("high", [candle.high for candle in candles], keep=6),
        number_column("low", [candle.low for candle in candles], keep=6),
        number_column(
            with_unit("close", candles, "price_unit"), [candle.close for candle in candles], keep=9, styles=closes
        ),
        number_column(with_unit("volume", candles, "size_unit"), [candle.volume for candle in candles], keep=4),
        Column("state", [_state(candle) for candle in candles], align="left", keep=7, styles=states),
    ]
    return [column for column in shown if not column.title.startswith("volume") or _has_volume(candles)]


def _has_volume(candles: Sequence[Candle]) -> bool:
    return any(candle.volume is not None for candle in candles)


def _state(candle: Candle) -> str:
    words = "closed" if candle.closed else "open"
    return words if candle.complete else f"{words}, incomplete"


def _percent(part: Decimal, whole: Decimal) -> str:
    percent = SUMS.multiply(part, HUNDRED) / whole
    if percent and abs(percent) < Decimal("0.01"):
        return f"{'-' if percent < 0 else '+'}<0.01 %"
    return f"{percent:+.2f} %" if percent else "0.00 %"


def _left(milliseconds: int) -> str:
    seconds = -(-milliseconds // 1000)
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 7200 else f"{seconds // 3600} h"


def _beside(left: Sequence[Text], right: Sequence[Text], width: int, between: str) -> list[Text]:
    lines = []
    for at in range(max(len(left), len(right))):
        line = left[at] if at < len(left) else Text(no_wrap=True)
        line.append(" " * (width - line.cell_len) + between, "dim")
        if at < len(right):
            line.append_text(right[at])
        lines.append(line)
    return lines


def view(look: Look) -> CandlesView:
    """A chart and a table without a candle yet."""
    return CandlesView(look)
