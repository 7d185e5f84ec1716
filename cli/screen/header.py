"""What a header is made of: parts that are left out or made short where there is little room."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.text import Text

from cli.output import cells
from cli.screen.steady import Held
from venues.records import Record, Status, is_from_before
from venues.venue import Confirmed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cli.screen.look import Look

RATE_OVER = 5.0  # seconds over which messages a second are counted
LONGEST_ENV = 24  # cells of an address set by hand

# Parts of a header that are never left out, and when words are made short.
ALWAYS = 10
SHORTEN = 5


class Rate:
    """Messages a second over the last seconds; counted by the event loop, read by the output thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.total = 0
        self._clock = clock
        self._marks: list[tuple[float, int]] = [(clock(), 0)]

    def see(self, delivered: Sequence[Any]) -> None:
        """Count one message, however many records it made. What is only said about a stream is no message.

        Nor are trades of before we came.
        """
        for item in delivered:
            if isinstance(item, Confirmed | Record) and not isinstance(item, Status) and not is_from_before(item):
                self.total += 1
                return

    def per_second(self) -> float:
        """Messages a second; right also while fewer seconds have passed than it looks back."""
        now = self._clock()
        if now - self._marks[-1][0] >= 0.5:
            self._marks.append((now, self.total))
        while len(self._marks) > 2 and now - self._marks[1][0] >= RATE_OVER:
            del self._marks[0]
        since, count = self._marks[0]
        return (self.total - count) / max(now - since, 0.5)


def symbols_words(symbols: Sequence[str], look: Look, *, counted: bool = False) -> tuple[Text, Text]:
    """All symbols, and in short how many: one of several would look like the only one.

    `counted`: only how many, beside others that are named for what they are.
    """
    if counted:
        return Text(f"{len(symbols)} symbols"), Text(f"{len(symbols)} symbols")
    words = Text("  ".join(look.text(cells.harmless(symbol, 40)) for symbol in symbols))
    return words, words if len(symbols) < 2 else Text(f"{len(symbols)} symbols")


def environment_words(env: str | None, look: Look) -> tuple[Text, Text]:
    """The environment in full and short; nothing for production."""
    if env is None:
        return Text(), Text()
    word = env.upper() if env in ("sim", "replay") else look.text(cells.harmless(env, LONGEST_ENV))
    style = look.style("sim")
    return Text(f" {word} ", style), Text(f" {look.cut(word, 8)} ", style)


def figure_parts(rate: str, latency: str, look: Look, room: tuple[int, ...] = (0, 0)) -> list[Part]:
    """Messages a second, latency and zone. What is needed to read times right stays longer: the zone, and clocks that
    differ. `room` is what the first two are given at least."""
    skewed = latency.startswith("clock")
    return [
        Part(2, Text(rate), least=room[0]),
        Part(6 if skewed else 1, Text(look.text(latency), look.style("warn" if skewed else "")), least=room[1]),
        Part(3, Text(look.zone(), look.style("dim"))),
    ]


class SteadyFigures:
    """Messages a second and latency in a header. They change once a second, so that they can be read, and keep for a
    while the room that they needed, so that nothing comes and goes with a digit more or less."""

    def __init__(self) -> None:
        self._told_at = -1
        self._told = ("", "")
        self._held = Held()

    def parts(self, rate: Rate, latency: Callable[[], str | None], look: Look) -> list[Part]:
        """The parts of the header with the figures, which are measured once a second."""
        now = look.epoch_ms()
        if self._told_at != now // 1000:
            per_second = rate.per_second()
            words = f"{per_second:.1f} msg/s" if per_second < 100 else f"{per_second:.0f} msg/s"
            self._told_at, self._told = now // 1000, (words, latency() or "")
        return figure_parts(*self._told, look, self._held.most((len(self._told[0]), len(self._told[1])), now))


@dataclass(eq=False)
class Part:
    """A part of the header. `keep`: those with the lowest value are left out first, those with `ALWAYS` never.

    `short` takes the place of `text` when there is little room, before parts above `SHORTEN` are left out, and
    `shortest` that of `short`; `least` is the room it is given when it is decided what fits, so that a longer figure
    does not drive another part away.
    """

    keep: int
    text: Text
    short: Text | None = None
    gap: int = 2
    least: int = 0
    shortest: Text | None = None

    def width(self) -> int:
        """How many cells the part takes, with the gap before it."""
        return self.gap + max(self.least, self.text.cell_len)


def fitted(parts: list[Part], width: int) -> Text:
    """One line with as many of the parts as fit."""
    steps = [(part.keep, 0, part) for part in parts if part.keep < ALWAYS]
    steps += [(SHORTEN, 1, part) for part in parts if part.short is not None and part.short.plain != part.text.plain]
    steps += [(SHORTEN, 2, part) for part in parts if part.shortest is not None]
    steps.sort(key=lambda step: step[:2])
    left_out: list[Part] = []

    def shown() -> list[Part]:
        return [part for part in parts if part not in left_out]

    def fits() -> bool:
        return sum(part.width() for part in shown()) - shown()[0].gap <= width

    for _, shorten, part in steps:
        if fits():
            break
        if shorten:
            part.text, part.least = (part.short if shorten == 1 else part.shortest) or part.text, 0
        else:
            left_out.append(part)
    for part in left_out[::-1]:  # something longer may have gone after it
        left_out.remove(part)
        if not fits():
            left_out.append(part)
    line = Text(no_wrap=True)
    for index, part in enumerate(shown()):
        line.append(" " * part.gap if index else "")
        line.append_text(part.text)
    return line


def reconnecting_words(status: Status, gone: int) -> str:
    """The next try, counted down; `gone`: milliseconds since it was told."""
    left = (status.retry_in_ms or 0) - gone
    tried = "" if status.attempt is None else f" (try {status.attempt})"
    return f"RECONNECTING in {cells.age(left + 999)}{tried}" if left > 0 else f"RECONNECTING{tried}"
