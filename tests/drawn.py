"""What a view draws between header and footer, as text, in one golden file a view."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC
from decimal import Decimal
from pathlib import Path
from typing import Any

from rich.cells import cell_len

from cli.screen.look import Look, View
from venues.records import Level

GOLDEN = Path(__file__).parent / "golden"
FRAME = 3  # lines of header and footer
NOW = 1_795_303_742_500
HOSTILE = "\x1b[31mred\x07\u202e[bold]"

# How a screen is drawn: in colour as rich's markup, without, in ASCII.
WAYS = {
    "80×24": (80, 24, {}),
    "120×40": (120, 40, {}),
    "40×12": (40, 12, {}),
    "80×24, colour": (80, 24, {"color": True}),
    "120×40, colour": (120, 40, {"color": True}),
    "40×12, colour": (40, 12, {"color": True}),
    "80×24, ASCII": (80, 24, {"unicode": False}),
    "120×40, ASCII": (120, 40, {"unicode": False}),
    "40×12, ASCII": (40, 12, {"unicode": False}),
}


class Clock:
    """Our clock in a test."""

    def __init__(self, epoch_ms: int = NOW) -> None:
        self.now = epoch_ms

    def __call__(self) -> int:
        return self.now


def look_of(clock: Clock | None = None, **fields: Any) -> Look:
    return Look(epoch_ms=clock or Clock(), **{"tz": UTC, "color": False, **fields})


def texts(view: View, width: int, height: int) -> list[str]:
    """The body of a screen of that size, as plain text; no line is too wide and none too many."""
    lines = view.lines(width, height - FRAME)
    assert len(lines) <= height - FRAME
    for line in lines:
        assert cell_len(line.plain) <= width, line.plain
    return [line.plain.rstrip() for line in lines]


def screens(made: Callable[[Look], View]) -> str:
    """One case in all its ways; `made` builds the view and feeds it."""
    parts = []
    for way, (width, height, fields) in WAYS.items():
        view = made(look_of(**fields))
        if fields.get("color"):
            lines = [line.markup.rstrip() for line in view.lines(width, height - FRAME)]
        else:
            lines = texts(view, width, height)
        if "unicode" in fields:
            assert all(line.isascii() for line in lines)
        parts.append("\n".join([f"----- {way}", *lines, ""]))
    return "".join(parts)


def golden_text(cases: Mapping[str, Callable[[Look], View]]) -> str:
    return "".join(f"===== {name}\n{screens(made)}" for name, made in cases.items())


def golden(name: str) -> Path:
    return GOLDEN / f"{name}.txt"


def case_of(name: str, case: str) -> str:
    """One case of a golden file."""
    text = golden(name).read_text(encoding="utf-8")
    # A bar in ASCII is of the same sign, but has two blanks behind it.
    return dict(part.split("\n", 1) for part in re.split(r"^===== (?=\S)", text, flags=re.MULTILINE)[1:])[case]


def levels(*pairs: tuple[str, str]) -> list[Level]:
    return [Level(Decimal(price), Decimal(size)) for price, size in pairs]
