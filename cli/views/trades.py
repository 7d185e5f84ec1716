"""`mon trades`: trades, newest first, with the volume of the last minute and how the price went."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from rich.cells import cell_len
from rich.text import Text

from cli.output import cells
from cli.screen import drawing as bars
from cli.screen.grid import Column, fit_line, lay_out
from cli.screen.steady import SteadyColumn, SteadyText, whole_parts
from cli.views.recent import SECONDS, Minute, Usual
from cli.views.rows import (
    OLD,
    Interruption,
    interruption_line,
    note_interruption,
    side_column,
    text_column,
    time_column,
    with_states,
    with_unit,
)
from venues.records import is_from_before

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from decimal import Decimal

    from cli.screen.look import Look
    from cli.views.recent import Volume
    from venues.records import Trade

MOST_TRADES = 1_000
HEAD_FROM = 7  # lines from which there is room for more than trades
INTERRUPTED = "── interrupted: trades may have been missed ──"


class Seen(NamedTuple):
    """A trade and how many times the usual size it was, 0 where that is not large."""

    trade: Trade
    times: int


class TradesView:
    """Trades, newest first; an interruption is a line between them.

    Of several symbols each has figures of its own. With one, or none that is known, all trades are summed up together.
    """

    keys: Sequence[tuple[str, str]] = ()

    def __init__(self, look: Look) -> None:
        self._look = look
        self._several = look.state_of is not None
        # A text says why trades may be missing here, as an `Interruption` does of several symbols.
        self._rows: deque[Seen | str | Interruption] = deque(maxlen=MOST_TRADES)
        self._count = 0
        self._minutes: dict[str | None, Minute] = {}  # by symbol
        self._usual: dict[str | None, Usual] = {}
        self._price, self._size = SteadyColumn(), SteadyColumn()
        self._parts: dict[str, SteadyText] = {}
        self._until: int | None = None

    def add(self, record: Trade) -> None:
        """Take in one trade: a row, and part of the last minute unless it is of before we came."""
        symbol = record.symbol if self._several else None
        if symbol not in self._usual:
            self._usual[symbol] = Usual()
        if is_from_before(record):
            self._rows.appendleft(Seen(record, self._usual[symbol].times(record.size)))
            return
        self._minute(symbol).trade(record)
        self._rows.appendleft(Seen(record, self._usual[symbol].times(record.size)))
        self._count += 1

    def full(self, count: int) -> None:
        """Do nothing: trades have no full state."""

    def stopped(self) -> None:
        """Stop the last minute, since trades are not seen any more; what is shown of it stays as it is."""
        for minute in self._known():
            minute.stop(self._look.epoch_ms())

    def go_on(self) -> None:
        """Go on with the last minute: trades are seen again, and none was missed."""
        for minute in self._known():
            minute.go_on()

    def start_over(self) -> None:
        """Note that trades may have been missed here."""
        for minute in self._known():
            minute.resumed(self._look.epoch_ms())
        self._say(INTERRUPTED)

    def stopped_of(self, symbol: str) -> None:
        """Stop the last minute of one symbol, as `stopped` does."""
        if symbol in self._minutes:
            self._minutes[symbol].stop(self._look.epoch_ms())

    def go_on_of(self, symbol: str) -> None:
        """Go on with the last minute of one symbol, as `go_on` does."""
        if symbol in self._minutes:
            self._minutes[symbol].go_on()

    def start_over_of(self, symbol: str) -> None:
        """Note that trades of one symbol may have been missed here."""
        if symbol in self._minutes:
            self._minutes[symbol].resumed(self._look.epoch_ms())
        note_interruption(self._rows, symbol, self._look.epoch_ms(), _symbol_of)

    def missed(self, count: int) -> None:
        """Count trades that came and could not be drawn in time."""
        for minute in self._known():
            minute.missed()
        self._count += count
        self._say(f"── {count} trades are not shown: this terminal was too slow for them ──")

    def press(self, key: str) -> bool:
        """False: this view has no keys of its own."""
        return False

    def until(self) -> int | None:
        """When the last minute has moved on by a second."""
        return self._until

    def lines(self, width: int, height: int) -> list[Text]:
        """Volume, price, and as many trades as fit."""
        if not any(isinstance(row, Seen) for row in self._rows):
            return [Text("no trade yet", style=self._look.style("dim"))]
        now = self._look.epoch_ms()
        self._until = min((at for one in self._known() if (at := one.changes_at(now)) is not None), default=None)
        head = self._head(width, height) if height >= HEAD_FROM else []
        shown = [row for row, _ in zip(self._rows, range(max(1, height - len(head) - 1)), strict=False)]
        trades = [row for row in shown if isinstance(row, Seen)]
        if not trades:
            return [*head, *(self._gap(row, width) for row in shown if not isinstance(row, Seen))]
        title, *rows = lay_out(self._columns(trades), width, self._look)
        for trade, line in zip(trades, rows, strict=True):
            if self._look.is_old(trade.trade.symbol):
                line.stylize(self._look.style("old"))
        drawn = iter(rows)
        return [*head, title, *(next(drawn) if isinstance(row, Seen) else self._gap(row, width) for row in shown)]

    def _minute(self, symbol: str | None) -> Minute:
        if symbol not in self._minutes:
            self._minutes[symbol] = Minute(self._look.offset_ms)
        return self._minutes[symbol]

    def _known(self) -> list[Minute]:
        """The last minutes that there are; with one symbol there is always one."""
        return list(self._minutes.values()) if self._several else [self._minute(None)]

    def _say(self, words: str) -> None:
        if self._rows and not isinstance(self._rows[0], str):
            self._rows.appendleft(words)

    def _gap(self, gap: str | Interruption, width: int) -> Text:
        if isinstance(gap, Interruption):
            return interruption_line(gap, "trades", width, self._look)
        return fit_line(Text(self._look.text(gap), style=self._look.style("warn")), width, self._look)

    def _columns(self, rows: Sequence[Seen]) -> list[Column]:
        """The columns: time, side, price, size, and how many times the usual size that is; of several symbols which."""
        look, now = self._look, self._look.epoch_ms()
        trades = [row.trade for row in rows]
        sides = [look.style(trade.side) for trade in trades]
        price, size = with_unit("price", trades, "price_unit"), with_unit("size", trades, "size_unit")
        prices = self._price.aligned([cells.number(trade.price) for trade in trades], now, title=price)
        sizes = self._size.aligned([cells.number(trade.size) for trade in trades], now, title=size)
        large = [look.style("large") if row.times else "" for row in rows]
        times = [f"{row.times}×" if row.times else "" for row in rows]
        symbols = [text_column("symbol", [trade.symbol for trade in trades], keep=11)] if self._several else []
        return [
            time_column(look, "time", [_moment(trade) for trade in trades], keep=3),
            *symbols,
            side_column(look, [trade.side for trade in trades]),
            Column(price, prices, keep=9, styles=sides),
            Column(size, sizes, keep=8, styles=large),
            Column("× median", times, keep=2, styles=large),
        ]

    def _head(self, width: int, height: int) -> list[Text]:
        if self._several:
            return self._head_of_each(width, height)
        now = self._look.epoch_ms()
        volume = self._minute(None).volume(now)
        if volume is None:
            return []
        return [self._volume_line(volume, width, now), self._price_line(volume, width, now), Text()]

    def _head_of_each(self, width: int, height: int) -> list[Text]:
        """A line a symbol, as far as a third of the room goes, with a title above and what is left out below."""
        look, now = self._look, self._look.epoch_ms()
        minutes = sorted(self._minutes.items(), key=lambda one: look.place(one[0]))
        known = [(symbol, volume) for symbol, one in minutes if (volume := one.volume(now)) is not None]
        room = max(1, height // 3 - 1)
        shown = known if len(known) <= room else known[: max(1, room - 1)]
        if not shown:
            return []
        rows = [_Row(symbol) for symbol, _ in shown]
        volumes = [volume for _, volume in shown]
        over, styles = zip(*map(self._over, volumes), strict=True)
        count = len(shown)
        columns = [
            text_column("symbol", [self._signed(symbol) for symbol, _ in shown], keep=11),
            Column("volume of", list(over), align="left", keep=9, styles=list(styles)),
            Column("▲ buy", _figures(volume.buy for volume in volumes), keep=10, styles=[look.style("buy")] * count,
                   is_figure=True),
            Column("in", [str(volume.buys) for volume in volumes], keep=4),
            Column("▼ sell", _figures(volume.sell for volume in volumes), keep=10, styles=[look.style("sell")] * count,
                   is_figure=True),
            Column("in", [str(volume.sells) for volume in volumes], keep=4),
            Column("low", _figures(volume.low for volume in volumes), keep=5, is_figure=True),
            Column("high", _figures(volume.high for volume in volumes), keep=5, is_figure=True),
        ]  # fmt: skip
        title, *lines = lay_out(with_states(columns, rows, look), width, look)
        for row, line in zip(rows, lines, strict=True):
            if look.is_old(row.symbol):
                line.stylize(look.style("old"))
        left_out = len(known) - count
        more = [Text(look.cut(f"… and {left_out} more symbols", width), look.style("dim"))] if left_out else []
        return [title, *lines, *more, Text()]

    def _signed(self, symbol: str | None) -> str:
        """The symbol, with a sign where it is not live, since not everybody sees what is dimmed."""
        return f"{OLD} {symbol}" if self._look.is_old(symbol) else symbol or ""

    def _over(self, volume: Volume) -> tuple[str, str]:
        """What time the figures are of; it is marked while that is not a whole minute."""
        if volume.since is None:
            return f"{SECONDS} s", self._look.style("title")
        return f"since {self._look.time(volume.since, millis=False)}", self._look.style("warn")

    def _volume_line(self, volume: Volume, width: int, now: int) -> Text:
        """The volume of both sides in as many words as fit; both sides are there or none."""
        look = self._look
        over, style = self._over(volume)
        bought, sold = cells.number(volume.buy), cells.number(volume.sell)
        buy, sell, dim = look.style("buy"), look.style("sell"), look.style("dim")
        in_full = [("over", f"volume {over}", style), ("buy", f"▲ buy {bought} in {volume.buys}", buy),
                   ("sell", f"▼ sell {sold} in {volume.sells}", sell)]  # fmt: skip
        ways = [
            [*in_full, ("seen", f"{self._count} {'trade' if self._count == 1 else 'trades'} seen", dim)],
            in_full,
            [("over", over, style), ("bought", f"▲ buy {bought}", buy), ("sold", f"▼ sell {sold}", sell)],
            [("over", over, style), ("", f"▲ {bought}", buy), ("", f"▼ {sold}", sell)],
        ]
        for way in ways:
            steady = [
                (self._steady(name, look.text(words), now) if name else words, style) for name, words, style in way
            ]
            for parts in (steady, [(look.text(words), style) for _, words, style in way]):
                if sum(cell_len(words) for words, _ in parts) + 3 * (len(parts) - 1) <= width:
                    return whole_parts(parts, width, 3)
        return Text(f"{look.cut(over, width - 2)} #", style=style)

    def _price_line(self, volume: Volume, width: int, now: int) -> Text:
        """Lowest and highest price around the course of the last minute; the figures come first where room is short."""
        look = self._look
        if volume.low is None or volume.high is None:
            return Text()
        title, style = self._over(volume)
        title = f"price  {title}"
        low, high = f"low {cells.number(volume.low)}", f"high {cells.number(volume.high)}"
        steady = self._steady("low", low, now)
        room = min(SECONDS, width - len(title) - len(steady) - len(high) - 9)
        if room < 8:
            return whole_parts([(low, ""), (high, "")], width, 3)
        spark = bars.sparkline(self._minute(None).prices(now)[-room:], blocks=look.unicode)
        return whole_parts([(title, style), (steady, ""), (spark, look.style("key")), (high, "")], width, 3)

    def _steady(self, name: str, words: str, now: int) -> str:
        return self._parts.setdefault(name, SteadyText()).padded(words, now)


class _Row(NamedTuple):
    """A line of figures of one symbol."""

    symbol: str | None


def _symbol_of(row: Seen | str | Interruption) -> str | None:
    return row.trade.symbol if isinstance(row, Seen) else None


def _figures(values: Iterable[Decimal | None]) -> list[str]:
    return cells.column(list(values))


def _moment(trade: Trade) -> int:
    return trade.received if trade.time is None else trade.time


def view(look: Look) -> TradesView:
    """A table of trades, the newest first, without one yet."""
    return TradesView(look)
