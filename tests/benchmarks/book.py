"""The order book against a book of two `sortedcontainers.SortedDict`, on real tapes.

A step is one delta and both views of the best 20 levels afterwards. Levels are made before the clock starts. That
both books say the same after every delta is checked outside of the timing.
"""

from __future__ import annotations

import gzip
import json
from decimal import Decimal
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from sortedcontainers import SortedDict  # type: ignore[import-untyped]

from tests.benchmarks.figures import WrongResultError, absent, at_least, best_of, print_head, progress
from venues.records import Level
from venues.toolkit.book import BookDelta, OrderBook

if TYPE_CHECKING:
    from collections.abc import Callable

TAPES = Path(__file__).parents[2].parent / "shared" / "market"
NAMES = ("skl-usd", "dash-btc", "xbt-usd")
DEPTH = 20
LIMIT = 2.0
TURNS = 20

Row = tuple[Decimal, Decimal]
View = list[Row]


class Step(NamedTuple):
    """One snapshot or delta of a tape, in the form that each of the two books takes."""

    delta: BookDelta
    bids: list[Row]
    asks: list[Row]


class SortedDictBook:
    """The book as it is usually written: price to size, one sorted dict a side."""

    def __init__(self) -> None:
        self.bids: SortedDict[Decimal, Decimal] = SortedDict()
        self.asks: SortedDict[Decimal, Decimal] = SortedDict()

    def snapshot(self, bids: list[Row], asks: list[Row]) -> None:
        """Replace everything."""
        self.bids = SortedDict(row for row in bids if row[1])
        self.asks = SortedDict(row for row in asks if row[1])

    def apply(self, bids: list[Row], asks: list[Row]) -> None:
        """Merge changed levels."""
        for side, rows in ((self.bids, bids), (self.asks, asks)):
            for price, size in rows:
                if size:
                    side[price] = size
                else:
                    side.pop(price, None)

    def best_bids(self, depth: int) -> View:
        """The highest bids, best first."""
        held = self.bids
        return [(price, held[price]) for price in islice(reversed(held), depth)]

    def best_asks(self, depth: int) -> View:
        """The lowest asks, best first."""
        held = self.asks
        return [(price, held[price]) for price in islice(held, depth)]


class Tape(NamedTuple):
    """A tape: the snapshot that it starts with, and its deltas."""

    snapshot: Step
    deltas: list[Step]


def read_tape(path: Path) -> Tape:
    """A tape without its trades."""
    steps: list[Step] = []
    with gzip.open(path, "rt") as lines:
        for place, line in enumerate(lines):
            row = json.loads(line)
            if row["kind"] not in ("snapshot", "delta"):
                continue
            if (row["kind"] == "snapshot") != (not steps):
                raise WrongResultError(f"{path.name}: expected one snapshot, before all deltas; line {place + 1}")
            bids, asks = _rows(row["bids"]), _rows(row["asks"])
            delta = BookDelta([Level(*bid) for bid in bids], [Level(*ask) for ask in asks], row.get("seq"))
            steps.append(Step(delta, bids, asks))
    return Tape(steps[0], steps[1:])


def our_book(tape: Tape) -> OrderBook:
    """`OrderBook` with the tape's snapshot."""
    book = OrderBook()
    book.snapshot(tape.snapshot.delta.bids, tape.snapshot.delta.asks, tape.snapshot.delta.sequence)
    return book


def their_book(tape: Tape) -> SortedDictBook:
    """`SortedDictBook` with the tape's snapshot."""
    book = SortedDictBook()
    book.snapshot(tape.snapshot.bids, tape.snapshot.asks)
    return book


def our_work(tape: Tape) -> Callable[[], None]:
    """All deltas through `OrderBook`."""
    book, deltas = our_book(tape), [step.delta for step in tape.deltas]

    def work() -> None:
        for delta in deltas:
            book.apply(delta)
            book.bids(DEPTH)
            book.asks(DEPTH)

    return work


def their_work(tape: Tape) -> Callable[[], None]:
    """All deltas through `SortedDictBook`."""
    book, deltas = their_book(tape), [(step.bids, step.asks) for step in tape.deltas]

    def work() -> None:
        for bids, asks in deltas:
            book.apply(bids, asks)
            book.best_bids(DEPTH)
            book.best_asks(DEPTH)

    return work


def run() -> None:
    """One figure a tape."""
    for name in NAMES:
        title, path = f"order book, {name}, delta + 2 views of {DEPTH}", TAPES / f"{name}.jsonl.gz"
        if not path.exists():
            absent(title, f"no {path.name} in ../shared/market beside this checkout")
            continue
        progress(title)
        tape = read_tape(path)
        _check_same(name, tape)
        ours, theirs = best_of(TURNS, partial(our_work, tape), partial(their_work, tape))
        progress("")
        count = len(tape.deltas)
        figure = f"{ours / count * 1e6:.1f} against {theirs / count * 1e6:.1f} µs"
        at_least(title, figure, theirs / ours, LIMIT)


def _check_same(name: str, tape: Tape) -> None:
    ours, theirs = our_book(tape), their_book(tape)
    for number, step in enumerate(tape.deltas, start=1):
        ours.apply(step.delta)
        theirs.apply(step.bids, step.asks)
        left = _as_rows(ours.bids(DEPTH)), _as_rows(ours.asks(DEPTH))
        right = theirs.best_bids(DEPTH), theirs.best_asks(DEPTH)
        if left != right:
            raise WrongResultError(f"{name}: the books differ after delta {number}: {left} against {right}")


def _as_rows(levels: list[Level]) -> View:
    return [(level.price, level.size) for level in levels]


def _rows(rows: list[Any]) -> list[Row]:
    return [(Decimal(price), Decimal(size)) for price, size in rows]


if __name__ == "__main__":
    print_head()
    run()
