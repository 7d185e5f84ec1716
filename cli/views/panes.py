"""The streams that a dashboard has a pane for, in the order of its panes, and how much room each wants."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.screen.layout import Shape

if TYPE_CHECKING:
    from collections.abc import Mapping

PANES: Mapping[str, Shape] = {
    "book": Shape("first", 6, 1_000, 4, focused=8),
    "trades": Shape("narrow", 4, 1_000, 3),
    "orders": Shape("wide", 4, 1_000, 3),
    "positions": Shape("wide", 4, 1_000, 3),
    "balance": Shape("pair", 4, 1_000, 2),
    "margin": Shape("pair", 4, 12, 3),
}
