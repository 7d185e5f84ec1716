"""The table as it would be drawn, without a terminal: the real queue, pane, view and keys, on the model's clock."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC
from decimal import Decimal
from typing import Any

from rich.text import Text

from cli.output.queues import LatestEvents
from cli.output.states import StateQueue
from cli.screen.header import Rate
from cli.screen.look import Look
from cli.screen.pane import Pane, Title
from cli.screen.table import Table
from cli.views import loaded
from tests.model.clock import VirtualClock
from tests.model.judge import insist
from tests.model.speaker import Speaker
from venues import venue_named
from venues.records import Status
from venues.redaction import Redactor
from venues.streams import STREAMS
from venues.venue import Confirmed

ROOMY = (80, 24)  # a screen that has room for all that the model's venues have
NUMBER = re.compile(r"(?<![\w.,])-?\d[\d,]*(?:\.\d+)?(?![\w.,])")


class Screen:
    """One table, and what was put into its queue."""

    def __init__(self, speaker: Speaker, clock: VirtualClock) -> None:
        self.speaker = speaker
        stream, partial = STREAMS[speaker.stream], venue_named(speaker.venue).streams[speaker.stream].partial
        self.look = Look(epoch_ms=clock.epoch_ms, tz=UTC, color=False, mono_ms=lambda: round(clock.mono * 1000))
        shown = loaded(speaker.stream)
        title = Title(speaker.venue, None, speaker.symbols, stream, partial=partial)
        self.pane = Pane(shown.view, title, self.look, Rate(clock.seconds), Redactor())
        self.table = Table(self.pane, self.look, on_terminal=False)
        self.queue: Any = StateQueue(clock.seconds)
        if shown.queue is not None:
            self.queue = shown.queue()
        elif stream.kind == "event":
            self.queue = LatestEvents()
        self.state = "connecting"
        self.drawn = 0

    def take(self, items: Sequence[Any]) -> None:
        """What has passed the limits."""
        batch = []
        for item in items:
            if isinstance(item, Status):
                self.state = item.state
            if isinstance(item, Confirmed):
                self.table.confirm(item.stream)
            elif hasattr(item, "venue"):
                batch.append(item)
        if batch:
            self.queue.put(batch)

    def press(self, key: str) -> None:
        """A key is pressed."""
        self.table.press(key)
        self.table.idle()

    @property
    def _is_plain(self) -> bool:
        """Whether the table is drawn as it comes: neither frozen nor under the help."""
        return not (self.pane.is_frozen or self.table._helping)

    def draw(self, width: int, height: int, rows: Any) -> None:
        """Draw the table in this size. `rows`: what is given as live, in the form of a fold's; None: not known."""
        self.table.write(self.queue.take())
        lines = self.table.frame(width, height)
        self.drawn += 1
        header, body = lines[0].plain, lines[2:-1]
        words = re.findall(r"[A-Z]{4,}", header)
        looks_live = "LIVE" in words or "PARTIAL" in words
        insist(not looks_live or self.state == "live", f"the table says {header!r}, and the stream is {self.state}")
        if (
            self.pane.is_frozen and words
        ):  # a partial stream is called so too: that says how far its rows are to be trusted
            insist("LIVE" not in words and "FROZEN" in words, f"a frozen table says {header!r}")
        if not self._is_plain:
            return
        if self.state != "live":
            bright = [line.plain for line in body if line.plain.strip() and not self._is_dim(line)]
            insist(not bright, f"drawn as if it were live while the stream is {self.state}: {bright}")
        elif rows is not None and width >= ROOMY[0]:
            insist(looks_live, f"the stream is live, and the table says {header!r}")
            if height >= ROOMY[1]:  # else rows may be left out, which is no fault
                self._compare([line.plain for line in body], rows)

    def _is_dim(self, line: Text) -> bool:
        style = self.look.style("old")
        return any(span.style == style and span.end >= len(line.plain.rstrip()) for span in line.spans)

    def _compare(self, lines: Sequence[str], rows: Any) -> None:
        """Hold the figures that are drawn against what is given as live."""
        match self.speaker.stream:
            case "book":
                self._compare_book(lines, *self.speaker.view_of(rows))
            case "quotes" | "margin":
                (figures,) = rows.values()
                drawn = numbers(" ".join(lines))
                missing = [one for one in figures if one is not None and one not in drawn]
                insist(not missing, f"expected {missing} among what is drawn: {lines}")
            case "balance":
                for asset, figures in rows.items():
                    drawn = [numbers(line) for line in lines if asset in line.split() and "×" not in line]
                    insist(drawn == [[*figures, *drawn[0][len(figures) :]]], f"{asset} {figures}, drawn is {drawn}")
            case "orders" | "positions":
                there = [line for line in lines[1 : 1 + next_blank(lines[1:])] if not line.startswith("×")]
                insist(len(there) == len(rows) or not rows, f"{len(rows)} rows are given as live, drawn are {there}")

    def _compare_book(self, lines: Sequence[str], bids: Any, asks: Any) -> None:
        """Each side from its best level on, without a gap; with the sum of the sizes up to there."""
        drawn: dict[str, list[tuple[Decimal, ...]]] = {"ask": [], "bid": []}
        for line in lines:
            if found := re.match(r"^[ *>▸]*\s*(ask|bid)\s+([\d.]+)\s+([\d.]+)[ *•]+([\d.]+)", line):
                drawn[found[1]].append(tuple(Decimal(figure) for figure in found.groups()[1:]))
        for name, side, levels in (("bid", bids, drawn["bid"]), ("ask", asks, drawn["ask"][::-1])):
            for place, (price, size, total) in enumerate(levels):
                expected = (*side[place], sum(one[1] for one in side[: place + 1])) if place < len(side) else None
                insist((price, size, total) == expected, f"{name} {place}: expected {expected}, drawn is {levels}")
        if len(lines) >= 12:
            insist(
                bool(drawn["bid"]) == bool(bids) and bool(drawn["ask"]) == bool(asks), f"a side is not drawn: {lines}"
            )


def next_blank(lines: Sequence[str]) -> int:
    """How many lines there are before one without anything in it."""
    return next((place for place, line in enumerate(lines) if not line.strip()), len(lines))


def numbers(text: str) -> list[Decimal]:
    """The figures in a line, in their order."""
    return [Decimal(found.replace(",", "")) for found in NUMBER.findall(text)]
