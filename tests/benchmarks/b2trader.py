"""A Book message of six rows, from bytes to merged book: ours against signalrcore's decoding and a `SortedDict`.

    python -m tests.benchmarks.b2trader

Both get the same bytes and must end with the same book. The other book is the least that one can do: prices and
amounts as `Decimal`, no checks.
"""

from __future__ import annotations

import gc
import random
import time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
from signalrcore.protocol.json_hub_protocol import JsonHubProtocol
from sortedcontainers import SortedDict

from tests.benchmarks.figures import at_most, for_information, print_head
from venues.b2trader import B2TRADER
from venues.b2trader.book import BookFeed
from venues.b2trader.session import B2TraderSession
from venues.protocols.signalr import StreamItem
from venues.records import Book
from venues.venue import Now, Settings, Subscription

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MESSAGES = 1_500
LEVELS = 200
ROUNDS = 30  # short ones: the best of many is what the code takes, not what the machine was busy with
DEPTH = 20
MARKET = "cfd.eur_chf"
NOW = Now(1.0, 1_747_841_760_000)


def frames(seed: int = 1) -> list[bytes]:
    """A full state, then deltas of three rows a side: amounts change, levels go and come."""
    draw = random.Random(seed)

    def message(version: int, sides: dict[str, list[tuple[int, int]]], *, snapshot: bool) -> bytes:
        rows = {
            name: [
                {"price": f"{price / 100_000:.5f}", "amount": str(amount), "total": f"{price * amount / 100_000:.2f}"}
                for price, amount in of_side
            ]
            for name, of_side in sides.items()
        }
        totals = {"askTotalAmount": "18700000", "bidTotalAmount": "19100000"}
        item = {"instrument": MARKET, **totals, **rows, "version": str(version), "snapshot": snapshot}
        return msgspec.json.encode({"type": 2, "invocationId": "0", "item": item}) + b"\x1e"

    def amount() -> int:
        return draw.choice((0, 100_000, 250_000, 1_000_000, 5_000_000)) + draw.randrange(2) * 1_000

    whole = {
        "bids": [(93_600 - step, 1_000_000) for step in range(LEVELS)],
        "asks": [(93_601 + step, 1_000_000) for step in range(LEVELS)],
    }
    made = [message(1, whole, snapshot=True)]
    for version in range(2, MESSAGES + 2):
        depths = [int(draw.expovariate(0.1)) % LEVELS for _ in range(6)]
        sides = {
            "bids": [(93_600 - depth, amount()) for depth in depths[:3]],
            "asks": [(93_601 + depth, amount()) for depth in depths[3:]],
        }
        made.append(message(version, sides, snapshot=False))
    return made


def session() -> B2TraderSession:
    """A session that has asked for the book."""
    settings = Settings(url="wss://broker.example", values={"account_id": "a"})
    (line,) = B2TRADER.routes([Subscription("book", (MARKET,), depth=DEPTH)], settings)
    opened = line.session({"token": "t"})
    assert isinstance(opened, B2TraderSession)
    opened.opened(NOW)
    opened.receive(b"{}\x1e", NOW)
    opened.take()
    return opened


def merged(received: Sequence[bytes]) -> None:
    """The session's hub and feed, up to the merged book."""
    opened = session()
    receive, feed = opened._hub.receive, opened._streams["book"].feed
    assert isinstance(feed, BookFeed)
    for frame in received:
        (item,) = receive(frame, NOW)
        assert isinstance(item, StreamItem)
        assert feed.merge(item.item, NOW) is not None


def ours(received: Sequence[bytes]) -> tuple[list[Any], list[Any]]:
    """The whole session, with a record whenever the shown levels have changed."""
    receive, last = session().receive, None
    for frame in received:
        items = receive(frame, NOW)
        if items:
            last = items[-1]
    assert isinstance(last, Book)
    return [(one.price, one.size) for one in last.bids], [(one.price, one.size) for one in last.asks]


def theirs(received: Sequence[bytes]) -> tuple[list[Any], list[Any]]:
    """signalrcore's own messages, merged into a `SortedDict` a side."""
    protocol = JsonHubProtocol(version=1)
    book = {"bids": SortedDict(), "asks": SortedDict()}
    for frame in received:
        for message in protocol.parse_messages(frame.decode()):  # type: ignore[no-untyped-call]
            item = message.item
            for name, side in book.items():
                if item["snapshot"]:
                    side.clear()
                for row in item[name]:
                    price, amount = Decimal(row["price"]), Decimal(row["amount"])
                    if amount:
                        side[price] = amount
                    else:
                        side.pop(price, None)
    return list(reversed(book["bids"].items()[-DEPTH:])), list(book["asks"].items()[:DEPTH])


def microseconds(run: Callable[[Sequence[bytes]], Any], received: Sequence[bytes]) -> float:
    """One round, a message."""
    gc.collect()
    started = time.perf_counter()
    run(received)
    return (time.perf_counter() - started) / len(received) * 1e6


def run() -> None:
    """Measure and print."""
    received = frames()
    assert ours(received) == theirs(received)
    runs: tuple[Callable[[Sequence[bytes]], Any], ...] = (merged, theirs, ours)
    rounds = [[microseconds(each, received) for each in runs] for _ in range(ROUNDS)]  # in turns
    mine, other, shown = (min(times) for times in zip(*rounds, strict=True))
    at_most("b2trader Book of 6 rows, bytes to merged book", f"{mine:.1f} against {other:.1f} µs", mine / other, 0.5)
    for_information("b2trader Book of 6 rows, bytes to record", f"{shown:.1f} µs")


if __name__ == "__main__":
    print_head()
    run()
