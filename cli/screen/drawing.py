"""Bars of block characters, or of ASCII where the terminal has no others."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING

from venues.toolkit.numbers import EXACT

if TYPE_CHECKING:
    from collections.abc import Sequence

EIGHTHS = " ▏▎▍▌▋▊▉█"
COLUMNS = " ▁▂▃▄▅▆▇█"
ASCII_SPARKS = "_.-'"
FACTORS = (1, 2, 5, 10)


class Scale:
    """A full scale of 1, 2 or 5 × 10^n that grows at once and shrinks late, so that bars do not jump with every change.

    `most` is what a bar of full length stands for.
    """

    SHRINK_BELOW = 0.2

    def __init__(self) -> None:
        self.most = Decimal(0)

    def fit(self, highest: Decimal) -> Decimal:
        """The full scale that holds `highest`."""
        if highest > self.most or float(highest) < float(self.most) * self.SHRINK_BELOW:
            self.most = nice_above(highest)
        return self.most


def nice_above(value: Decimal) -> Decimal:
    """The lowest of 1, 2 and 5 × 10^n that is not below the value; 0 for 0."""
    if value <= 0:
        return Decimal(0)
    power = value.adjusted()
    return next(step for factor in FACTORS if (step := Decimal(factor).scaleb(power)) >= value)


def part(value: Decimal, scale: Decimal) -> float:
    """How much of the scale a value is, from 0 to 1."""
    return min(1.0, max(0.0, float(value) / float(scale))) if scale > 0 else 0.0


def bar(value: float, width: int, *, blocks: bool) -> str:
    """A bar to the right for a part from 0 to 1; what is above 0 is never empty."""
    if not blocks:
        return "=" * _whole(value * width, at_least=1)
    eighths = _whole(value * width * 8, at_least=1)
    return "█" * (eighths // 8) + EIGHTHS[eighths % 8].strip()


def bar_to_left(value: float, width: int, *, blocks: bool) -> str:
    """As `bar`, to the left. There are a right half and a right eighth block, nothing between."""
    if not blocks:
        return "=" * _whole(value * width, at_least=1)
    eighths = _whole(value * width * 8, at_least=1)
    rest = eighths % 8
    return ("▐" if rest >= 4 else "▕" if rest else "") + "█" * (eighths // 8)


def sparkline(values: Sequence[Decimal | None], *, blocks: bool) -> str:
    """One character a value, from lowest to highest; a space where there is none."""
    known = [value for value in values if value is not None]
    if not known:
        return " " * len(values)
    low, high = min(known), max(known)
    reach = EXACT.subtract(high, low)
    glyphs = COLUMNS[1:] if blocks else ASCII_SPARKS
    if not reach:
        return "".join(" " if value is None else glyphs[len(glyphs) // 2 - 1] for value in values)
    most = len(glyphs) - 1
    return "".join(
        " " if value is None else glyphs[round(part(EXACT.subtract(value, low), reach) * most)] for value in values
    )


def _whole(value: float, *, at_least: int) -> int:
    return max(at_least, math.floor(value + 0.5)) if value > 0 else 0
