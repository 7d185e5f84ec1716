"""What the parts cost, in microseconds: a frame on its way to a line, rows of CSV, a drawn table."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any

from cli.output import lines as output
from cli.output.columns import CsvLines
from cli.output.lines import JsonLines
from cli.screen.canvas import Ink
from cli.screen.header import Rate
from cli.screen.look import Look
from cli.screen.pane import Pane, Title
from cli.screen.table import Table
from cli.views import loaded
from tests.benchmarks.figures import WrongResultError, best_of, for_information, print_head, progress
from tests.benchmarks.sender import SYMBOL, messages
from venues.driver import Driver
from venues.nexus import NEXUS
from venues.nexus.messages import EVENTS
from venues.records import Record, Status
from venues.redaction import Redactor
from venues.streams import STREAMS
from venues.toolkit.written import Writer
from venues.venue import Now, Settings, Subscription

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from venues.driver import Delivered

TURNS = 15
DRAWS = 40
TRADES = 5_000
BOOKS = 200
BATCH = 100  # records that a busy feed hands over together
NOW = Now(1_000.0, 1_564_710_592_000)


def run() -> None:
    """Paths, CSV, tables."""
    _paths("TRADE", "trades", list(messages(TRADES)))
    for depth, count in ((20, BOOKS), (1_000, BOOKS // 10)):
        _paths(f"BOOK of {depth}", "book", list(books(depth, count)), depth)
    _paths("BOOK of 1000, 20 shown", "book", list(books(1_000, BOOKS // 10)), 20)
    _lines("trades", list(messages(TRADES)), TRADES)
    _lines("book", list(books(20, BOOKS)), 2 * 20 * BOOKS)
    for width, height in ((80, 24), (200, 50)):
        _table("book", list(books(20, BOOKS)), width, height)
        _table("trades", list(messages(TRADES)), width, height)


def books(depth: int, count: int) -> Iterator[bytes]:
    """Snapshots as Nexus sends them; each differs from the one before in its best levels."""
    for number in range(count):
        middle = 4_000_000 + number % 7
        asks = ",".join(f'{{"price":{_cents(middle + 1 + i)},"quantity":{_size(i + number)}}}' for i in range(depth))
        bids = ",".join(f'{{"price":{_cents(middle - i)},"quantity":{_size(i - number)}}}' for i in range(depth))
        head = f'{{"event":"BOOK","symbol":"{SYMBOL}","timestamp":{NOW.epoch_ms + number},'
        yield f'{head}"data":{{"asks":[{asks}],"bids":[{bids}]}}}}'.encode()


def live_driver(stream: str, depth: int) -> Driver:
    """A driver whose session is open."""
    subscription = Subscription(stream, (SYMBOL,), depth=depth)
    line = NEXUS.routes([subscription], Settings(url="wss://nexus.example"))[0]
    driver = Driver(line, [subscription], venue="nexus")
    driver.begin({"client_key": "a-key-of-no-value"}, 0.0)
    driver.opened(NOW)
    return driver


def records_of(stream: str, frames: Sequence[bytes], depth: int = 20) -> list[Any]:
    """The records that the frames make; statuses and what is said of the venue's clock left out."""
    driver = live_driver(stream, depth)
    delivered = [item for frame in frames for item in driver.receive(frame, NOW)]
    records = [item for item in delivered if isinstance(item, Record) and not isinstance(item, Status)]
    if len(records) != len(frames):
        raise WrongResultError(f"{len(frames)} frames of {stream} made {len(records)} records")
    return records


def _paths(name: str, stream: str, frames: list[bytes], depth: int = 20) -> None:
    """Frame to struct, frame to record, record to line."""
    progress(name)
    records = records_of(stream, frames, depth)
    encoder = Writer()

    def decode() -> None:
        for frame in frames:
            EVENTS.quick(frame)

    def receive(driver: Driver) -> list[list[Delivered]]:
        return [driver.receive(frame, NOW) for frame in frames]

    def encode() -> None:
        for start in range(0, len(records), BATCH):
            encoder.encode_lines(records[start : start + BATCH])

    struct, record, line = best_of(
        TURNS, lambda: decode, lambda: partial(receive, live_driver(stream, depth)), lambda: encode
    )
    progress("")
    each = [seconds / len(frames) * 1e6 for seconds in (struct, record, line)]
    for_information(f"{name}: frame to struct", f"{each[0]:.2f} µs")
    for_information(f"{name}: frame to record", f"{each[1]:.2f} µs")
    for_information(f"{name}: record to line", f"{each[2]:.2f} µs")


def _lines(stream: str, frames: list[bytes], rows: int) -> None:
    progress(f"CSV and JSON lines of {stream}")
    records = records_of(stream, frames)
    kinds: dict[str, Callable[[], CsvLines | JsonLines]] = {
        "CSV": lambda: CsvLines(STREAMS[stream].record, to_terminal=False, redactor=Redactor()),
        "JSON lines": lambda: JsonLines(numbers_as_strings=False, to_terminal=False, redactor=Redactor()),
    }

    def write(sink: CsvLines | JsonLines) -> None:
        for start in range(0, len(records), BATCH):
            sink.write(records[start : start + BATCH])

    def prepare(make: Callable[[], CsvLines | JsonLines]) -> Callable[[], None]:
        return partial(write, make())

    stdout = output.STDOUT
    output.STDOUT = os.open(os.devnull, os.O_WRONLY)
    try:
        seconds = best_of(TURNS, *(partial(prepare, make) for make in kinds.values()))
    finally:
        os.close(output.STDOUT)
        output.STDOUT = stdout
    progress("")
    for_information(f"CSV of {stream}", f"{rows / seconds[0]:,.0f} rows/s")
    for_information(f"JSON lines of {stream}", f"{len(records) / seconds[1]:,.0f} lines/s")


def _table(stream: str, frames: list[bytes], width: int, height: int) -> None:
    """One draw: the frame's text, and its cells."""
    name = f"table of {stream}, {width}×{height}"
    progress(name)
    records = records_of(stream, frames)
    title = Title("nexus", None, (SYMBOL,), STREAMS[stream], partial=False)
    look = Look(epoch_ms=lambda: NOW.epoch_ms)
    pane = Pane(loaded(stream).view, title, look, Rate(), Redactor())
    table = Table(pane, look, on_terminal=False)
    status = Status(venue="nexus", received=NOW.epoch_ms, stream=stream, state="live")
    table.write([status, *records])
    ink = Ink("truecolor", color=True)

    def compose() -> list[Any]:
        table.write([])
        return table.frame(width, height)

    def draw() -> None:
        for line in compose():
            ink.row(line)

    composed, drawn = best_of(DRAWS, lambda: compose, lambda: draw)
    progress("")
    for_information(name, f"{drawn * 1e6:,.0f} µs a draw")
    for_information(f"{name}: composing alone", f"{composed * 1e6:,.0f} µs a draw")


def _cents(price: int) -> str:
    return f"{price // 100}.{price % 100:02}"


def _size(seed: int) -> str:
    return f"{seed * 13 % 5}.{seed * 104_729 % 999_999 + 1:06}"


if __name__ == "__main__":
    print_head()
    run()
