"""How a figure is measured and printed."""

from __future__ import annotations

import gc
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

MEASURED: list[dict[str, Any]] = []  # every figure of this run, as `--json` writes it
LINE = "{name:<44} {figure:>30}  {ratio:>8}  {limit:<12} {verdict}"


class WrongResultError(Exception):
    """What was measured did not do what it should have done."""


def print_head() -> None:
    """The titles of the columns."""
    print(LINE.format(name="name", figure="figure", ratio="ratio", limit="limit", verdict="holds").rstrip(), flush=True)


def at_least(name: str, figure: str, ratio: float, limit: float) -> None:
    """A ratio that should not be smaller."""
    _print(name, figure, ratio, f"at least {limit:g}", ratio >= limit)


def at_most(name: str, figure: str, ratio: float, limit: float) -> None:
    """A ratio that should not be larger."""
    _print(name, figure, ratio, f"at most {limit:g}", ratio <= limit)


def for_information(name: str, figure: str) -> None:
    """A figure without a limit."""
    MEASURED.append({"name": name, "figure": figure})
    print(LINE.format(name=name, figure=figure, ratio="", limit="", verdict="").rstrip(), flush=True)


def absent(name: str, why: str) -> None:
    """What could not be measured."""
    MEASURED.append({"name": name, "absent": why})
    print(f"{name:<44} NOT MEASURED: {why}", flush=True)


def progress(text: str) -> None:
    """Told on a terminal only, since a run takes minutes."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[2K{text}")
        sys.stderr.flush()


def best_of(turns: int, *prepared: Callable[[], Callable[[], object]]) -> list[float]:
    """The shortest time in seconds of each work, all of them taking turns; what prepares a work is not timed."""
    best = [float("inf")] * len(prepared)
    for _ in range(turns):
        for index, prepare in enumerate(prepared):
            work = prepare()
            gc.collect()
            gc.disable()
            start = time.perf_counter()
            work()
            taken = time.perf_counter() - start
            gc.enable()
            best[index] = min(best[index], taken)
    return best


def _print(name: str, figure: str, ratio: float, limit: str, holds: bool) -> None:
    MEASURED.append({"name": name, "figure": figure, "ratio": round(ratio, 4), "limit": limit, "holds": holds})
    verdict = "yes" if holds else "NO"
    print(LINE.format(name=name, figure=figure, ratio=f"{ratio:.2f}", limit=limit, verdict=verdict), flush=True)
