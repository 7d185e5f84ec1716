"""Columns of numbers whose width follows what is shown without jumping: wider at once, narrower only after a while."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.style import Style

HELD_MS = 10_000  # a width is kept at least so long after it was needed


class Held:
    """The highest of some figures within the last `HELD_MS` to twice that."""

    def __init__(self) -> None:
        self._before: tuple[int, ...] = ()
        self._lately: tuple[int, ...] = ()
        self._turned = 0

    def most(self, needed: tuple[int, ...], now: int) -> tuple[int, ...]:
        """Each of the figures, or the higher one that was needed lately; `now` in milliseconds."""
        if not 0 <= now - self._turned < HELD_MS:
            self._before, self._lately, self._turned = self._lately, (), now
        self._lately = _highest(self._lately, needed)
        return _highest(self._before, self._lately)

    def forget(self) -> None:
        """Drop the widths so far: what is shown next has nothing to do with them."""
        self._before = self._lately = ()


class SteadyColumn:
    """Numbers as texts, right-aligned with their points below each other; no digit is cut."""

    def __init__(self) -> None:
        self._held = Held()

    def aligned(self, texts: Sequence[str], now: int, *, title: str = "") -> list[str]:
        """The texts, all of one width, which is at least the title's. A sign before a number is a part of it."""
        parts = [text.partition(".") for text in texts]
        wholes = [cell_len(whole) for whole, _, _ in parts]
        needed = (max(wholes, default=0), max((len(fraction) for _, _, fraction in parts), default=0))
        whole, places = self._held.most(needed, now)
        lead = max(0, cell_len(title) - whole - places - bool(places)) + whole
        padded = []
        for (left, point, fraction), length in zip(parts, wholes, strict=True):
            missing = places - len(fraction) + (1 if places and not point else 0)
            padded.append(" " * (lead - length) + left + point + fraction + " " * missing)
        return padded

    def forget(self) -> None:
        """Drop the width so far: other numbers come next."""
        self._held.forget()


class SteadyText:
    """A text in a line, padded so that what follows it stays in its place."""

    def __init__(self) -> None:
        self._held = Held()

    def padded(self, text: str, now: int) -> str:
        """The text with spaces behind it, as wide as it was lately."""
        length = cell_len(text)
        (width,) = self._held.most((length,), now)
        return text + " " * (width - length)


def composed(parts: Sequence[tuple[str, str | Style]]) -> Text:
    """One line from texts, each with its style."""
    text = Text(no_wrap=True)
    for part, style in parts:
        text.append(part, style or None)
    return text


def whole_parts(parts: Sequence[tuple[str, str | Style]], width: int, gap: int = 2) -> Text:
    """The parts in their order, each in full or not at all: half a figure would be another one."""
    kept: list[tuple[str, str | Style]] = []
    room = width
    for text, style in parts:
        needed = cell_len(text.rstrip()) + (gap if kept else 0)
        if not text or needed > room:
            continue
        if kept:
            kept.append((" " * gap, ""))
        kept.append((text, style))
        room -= cell_len(text) + (gap if len(kept) > 1 else 0)
    line = composed(kept)
    line.rstrip()
    return line


def _highest(left: tuple[int, ...], right: tuple[int, ...]) -> tuple[int, ...]:
    if not left or not right:
        return left or right
    return tuple(map(max, left, right))
