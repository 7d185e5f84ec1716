"""`mon margin`: the margin of the account, a figure a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from cli import cells
from cli.grid import Column, lay_out

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.look import Look
    from venues.records import Margin


class MarginView:
    """The latest figures; each record replaces the one before."""

    keys: Sequence[tuple[str, str]] = ()

    def __init__(self, look: Look) -> None:
        self._look = look
        self._margin: Margin | None = None

    def add(self, record: Margin) -> None:
        """Replaces everything."""
        self._margin = record

    def full(self, count: int) -> None:
        """Each record is a full state."""

    def start_over(self) -> None:
        """The next record replaces everything anyway."""

    def press(self, key: str) -> bool:
        """No keys."""
        return False

    def until(self) -> int | None:
        """Never."""
        return None

    def lines(self, width: int, height: int) -> list[Text]:
        """Name, figure, currency."""
        margin = self._margin
        if margin is None:
            return [Text("no margin yet", style="dim")]
        figures = [
            ("equity", margin.equity),
            ("balance", margin.balance),
            ("unrealised PnL", margin.unrealized_pnl),
            ("used margin", margin.used),
            ("free margin", margin.free),
            # Equity over a used margin of 0 is no level, whatever the venue writes there.
            ("margin level", margin.level_pct if margin.used else None),
        ]
        names = [name for name, _ in figures]
        unit = cells.harmless(margin.currency or "", 12)
        texts = cells.column([value for _, value in figures])
        gain = names.index("unrealised PnL")
        if margin.unrealized_pnl is not None and margin.unrealized_pnl > 0:
            texts[gain] = "+" + texts[gain]
        styles = [self._look.gain(value) if name == "unrealised PnL" else "" for name, value in figures]
        units = ["%" if name == "margin level" else unit for name in names]
        columns = [
            Column("margin", names, align="left", keep=2),
            Column("", texts, keep=3, styles=styles),
            Column("", units, align="left", keep=1),
        ]
        return lay_out(columns, width, self._look)


def view(look: Look) -> MarginView:
    """A new view."""
    return MarginView(look)
