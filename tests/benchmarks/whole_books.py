"""Whole books, from frame to line: ours against the loop that one writes by hand.

    python -m tests.benchmarks.whole_books

The loop is msgspec into structs, each price and size a Decimal, both sides sorted, and a dictionary that is encoded as
a line; it checks nothing. Both take turns, and their processor time counts.
"""

from __future__ import annotations

import time
from decimal import Decimal
from functools import partial
from operator import attrgetter
from statistics import median
from typing import TYPE_CHECKING, Any

import msgspec

from tests.benchmarks.costs import NOW, books, live_driver
from tests.benchmarks.figures import WrongResultError, at_most, for_information, print_head, progress
from venues.records import Record, Status
from venues.toolkit.written import Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

TURNS = 21
FRAMES = {20: 1_000, 1_000: 40}  # of so many levels a side
SHOWN = 20
_PRICE = attrgetter("price")


class Row(msgspec.Struct, gc=False):
    """A level as it comes."""

    price: Decimal
    quantity: Decimal


class Sides(msgspec.Struct, gc=False):
    """The two sides as they come."""

    asks: list[Row]
    bids: list[Row]


class Event(msgspec.Struct, gc=False):
    """A frame."""

    symbol: str
    timestamp: int
    data: Sides


def by_hand(frames: Sequence[bytes], shown: int) -> list[bytes]:
    """The lines of the frames."""
    decode, encode = msgspec.json.Decoder(Event).decode, msgspec.json.Encoder(decimal_format="number").encode
    lines = []
    for frame in frames:
        event = decode(frame)
        bids = sorted(event.data.bids, key=_PRICE, reverse=True)[:shown]
        asks = sorted(event.data.asks, key=_PRICE)[:shown]
        line = {
            "type": "book",
            "venue": "nexus",
            "symbol": event.symbol,
            "time": event.timestamp,
            "received": NOW.epoch_ms,
            "bids": [{"price": row.price, "size": row.quantity} for row in bids],
            "asks": [{"price": row.price, "size": row.quantity} for row in asks],
        }
        lines.append(encode(line) + b"\n")
    return lines


def ours(frames: Sequence[bytes], shown: int) -> list[bytes]:
    """The same of a session and what writes the lines, one by one."""
    driver, writer = live_driver("book", shown), Writer()
    receive, encode = driver.receive, writer.encode_lines
    return [encode([item for item in receive(frame, NOW) if _is_data(item)]) for frame in frames]


def _is_data(item: Any) -> bool:
    return isinstance(item, Record) and not isinstance(item, Status)


def in_turns(*works: Callable[[], object]) -> list[float]:
    """The median processor time of each work, in seconds."""
    took: list[list[float]] = [[] for _ in works]
    for _ in range(TURNS):
        for work, times in zip(works, took, strict=True):
            start = time.process_time()
            work()
            times.append(time.process_time() - start)
    return [median(times) for times in took]


def run() -> None:
    """Books of 20 levels, and of 1,000 with 20 shown."""
    for depth, count in FRAMES.items():
        name = f"book of {depth:,} levels a side, {SHOWN} shown"
        progress(name)
        frames = list(books(depth, count))
        if [decoded(line) for line in ours(frames, SHOWN)] != [decoded(line) for line in by_hand(frames, SHOWN)]:
            raise WrongResultError("the lines are not the same")
        own, other = in_turns(partial(ours, frames, SHOWN), partial(by_hand, frames, SHOWN))
        progress("")
        for_information(f"{name}, by hand", f"{other / count * 1e6:.1f} µs")
        at_most(f"{name}, frame to line", f"{own / count * 1e6:.1f} µs", own / other, 1.0)


def decoded(line: bytes) -> Any:
    """A line as values."""
    return msgspec.json.decode(line, type=dict[str, Any])


if __name__ == "__main__":
    print_head()
    run()
