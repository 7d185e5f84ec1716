"""What the values of options are made of: durations, factors, steps of prices, files."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import typer

from venues.errors import BadMessage
from venues.toolkit.numbers import positive

LONGEST_DURATION_MS = 366 * 86_400_000

_UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def duration_ms(text: str) -> int:
    """Milliseconds from "500ms", "30s", "5m", "2h", "1d"; a bare number is seconds.

    Raises:
        typer.BadParameter: anything else, and what is not above 0.
    """
    match = re.fullmatch(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)(ms|s|m|h|d)?", text.strip())
    length = round(float(match[1]) * _UNITS[match[2] or "s"]) if match else None
    if length is None or not 0 < length <= LONGEST_DURATION_MS:
        raise typer.BadParameter(f'expected a duration such as 500ms, 30s or 5m, got "{text}"')
    return length


def speed_factor(text: str) -> float:
    """A factor above 0, or infinity for "max".

    Raises:
        typer.BadParameter: anything else.
    """
    if text == "max":
        return math.inf
    try:
        factor = float(text)
    except ValueError:
        factor = math.nan
    if not 0 < factor < math.inf:
        raise typer.BadParameter(f'expected a factor such as 0.5 or 10, or max, got "{text}"')
    return factor


def price_step(text: str) -> Decimal:
    """A decimal above 0.

    Raises:
        typer.BadParameter: anything else.
    """
    try:
        return positive(text.strip(), "--group")
    except BadMessage:
        raise typer.BadParameter(f'expected a step above 0 such as 0.5, 1 or 10, got "{text}"') from None


class DurationParser:
    """A duration as typer parses it; shown as such in the help."""

    __name__ = "duration"

    def __call__(self, value: str | int) -> int:
        return value if isinstance(value, int) else duration_ms(value)


class PauseParser(DurationParser):
    """A duration that may be none at all: 0."""

    def __call__(self, value: str | int) -> int:
        is_none = isinstance(value, str) and re.fullmatch("0(?:ms|s|m|h|d)?", value.strip())
        return 0 if is_none else super().__call__(value)


class SpeedParser:
    """A speed as typer parses it; shown as such in the help."""

    __name__ = "speed"

    def __call__(self, value: str | float) -> float:
        return value if isinstance(value, float) else speed_factor(value)


class FileParser:
    """One of several files as typer parses it. Nobody asks the disk for it yet, as typer's own paths do of each."""

    __name__ = "path"
    names_files = True  # so shells complete it with the names of files

    def __call__(self, value: str | Path) -> Path:
        return Path(value)


class StepParser:
    """A step of prices as typer parses it; shown as such in the help."""

    __name__ = "step"

    def __call__(self, value: str | Decimal) -> Decimal:
        return value if isinstance(value, Decimal) else price_step(value)


def duration(*names: str, help: str) -> Any:  # noqa: A002
    return typer.Option(*names, parser=DurationParser(), metavar="DURATION", help=help)


def pause(*names: str, help: str) -> Any:  # noqa: A002
    """An option with a duration that may be 0."""
    return typer.Option(*names, parser=PauseParser(), metavar="DURATION", help=help)
