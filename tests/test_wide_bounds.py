"""Speed and memory within bounds that only a mistake leaves: about three times what `tests.benchmarks` measures.

Processor time counts, both sides take turns in this process, and only their ratio is judged. The goals are in the
benchmarks, since a goal that fails on a busy machine is no test.
"""

from __future__ import annotations

import tracemalloc
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from tests.benchmarks import b2trader, book_sizes, whole_books
from tests.benchmarks.costs import NOW, books, live_driver, messages
from venues.kraken.kept import MOST_TRADES, PrintedTrades
from venues.records import Record, Status
from venues.toolkit.book import OrderBook
from venues.toolkit.written import Writer

if TYPE_CHECKING:
    from collections.abc import Callable


class TradeData(msgspec.Struct):
    """What a trade says."""

    price: Decimal
    quantity: Decimal
    side: str


class TradeEvent(msgspec.Struct):
    """A frame with a trade."""

    symbol: str
    timestamp: int
    data: TradeData


def times(one: Callable[[], object], other: Callable[[], object]) -> float:
    """How many times as long the one takes."""
    ours, theirs = whole_books.in_turns(one, other)
    return ours / theirs


@pytest.mark.parametrize(("depth", "frames"), [(20, 60), (1_000, 3)])
def test_a_whole_book_takes_at_most_four_times_a_loop_written_by_hand(depth: int, frames: int) -> None:
    sent = list(books(depth, frames))
    assert times(partial(whole_books.ours, sent, 20), partial(whole_books.by_hand, sent, 20)) < 4


def test_a_trade_takes_at_most_six_times_a_loop_written_by_hand() -> None:
    sent = list(messages(300))

    def by_hand() -> list[bytes]:
        decode, encode = msgspec.json.Decoder(TradeEvent).decode, msgspec.json.Encoder(decimal_format="number").encode
        return [
            encode({"type": "trade", "venue": "nexus", "symbol": trade.symbol, "time": trade.timestamp,
                    "received": NOW.epoch_ms, "price": trade.data.price, "size": trade.data.quantity,
                    "side": trade.data.side.lower()})
            for trade in map(decode, sent)
        ]  # fmt: skip

    def ours() -> list[bytes]:
        driver, writer = live_driver("trades", 20), Writer()
        return [writer.encode_lines([one for one in driver.receive(frame, NOW) if is_data(one)]) for frame in sent]

    assert [whole_books.decoded(line) for line in ours()] == [whole_books.decoded(line) for line in by_hand()]
    assert times(ours, by_hand) < 6


def is_data(item: Any) -> bool:
    return isinstance(item, Record) and not isinstance(item, Status)


@pytest.mark.parametrize("pattern", book_sizes.PATTERNS)
def test_a_book_of_20000_levels_takes_at_most_twice_the_time_of_sorted_dicts(
    pattern: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(book_sizes, "STEPS", 300)
    monkeypatch.setattr(whole_books, "TURNS", 5)
    feed = book_sizes.feed(pattern, 20_000)
    assert times(book_sizes.ours(feed), book_sizes.sorted_dict(feed)) < 2


def test_changes_near_the_touch_of_200000_levels_take_at_most_four_times_those_of_200(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(book_sizes, "STEPS", 300)
    large, small = (book_sizes.ours(book_sizes.feed("near the touch", size)) for size in (200_000, 200))
    assert times(large, small) < 4


def test_a_delta_of_b2trader_takes_at_most_one_and_a_half_times_the_library_and_sorted_dicts() -> None:
    received = b2trader.frames()[:200]
    assert times(partial(b2trader.merged, received), partial(b2trader.theirs, received)) < 1.5


def test_the_ids_of_printed_trades_take_at_most_50_bytes_each() -> None:
    def printed() -> PrintedTrades:
        made = PrintedTrades()
        for number in range(10**9, 10**9 + 2 * MOST_TRADES):
            made.printed(number, number, hash((number, 1.5)))
        return made

    assert bytes_of(printed) < 50 * MOST_TRADES


def test_a_book_of_20000_levels_takes_at_most_16_mb() -> None:
    def whole() -> OrderBook:
        driver = live_driver("book", 20)
        driver.receive(next(books(10_000, 1)), NOW)
        return driver.session._book.book  # type: ignore[attr-defined]

    assert bytes_of(whole) < 16e6


def bytes_of(make: Callable[[], object]) -> int:
    """The bytes that what is made takes for as long as it is there."""
    tracemalloc.start()
    made = make()
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert made is not None
    return taken
