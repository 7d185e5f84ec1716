"""What a person sees, compared as text; golden screens are rewritten on purpose only: python -m tests.test_screen"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from cli import cells
from cli.grid import Column, lay_out
from cli.look import Look
from cli.pane import Pane, Rate, Title
from cli.screen import Table
from venues import records
from venues.records import Level, State, Status
from venues.redaction import Redactor
from venues.streams import STREAMS

GOLDEN = Path(__file__).parent / "golden"
SIZES = [(80, 24), (120, 40), (40, 12), (24, 6)]
NOW = 1_795_303_742_500
HOSTILE = "\x1b[31mred\x07\u202e[bold]"


def levels(*pairs: tuple[str, str]) -> list[Level]:
    return [Level(Decimal(price), Decimal(size)) for price, size in pairs]


def common(**fields: Any) -> dict[str, Any]:
    return {
        "venue": "nexus",
        "env": "sim",
        "symbol": "SPOT_BTC_USDT",
        "time": NOW - 310,
        "received": NOW - 300,
        **fields,
    }


BOOK = records.Book(
    **common(
        bids=levels(
            ("64998.52", "0.0498"), ("64998.25", "0.0051"), ("64997.4", "12.0138"), ("64997", "0.000000000000000001")
        ),
        asks=levels(("65000.14", "0.0089"), ("65000.59", "0.0165"), ("65001", "100"), ("65002.75", "0.5")),
    )
)
EXTREMES = records.Book(
    **common(
        bids=levels(("0.000000000001", "123456789012345678.123456789012345678")),
        asks=levels(("1000000000000", "0.000000000000000001")),
    )
)
TRADES = [
    records.Trade(**common(time=NOW - 60_000 * n, price=Decimal(f"6500{n}.5"), size=Decimal("0.1") * n, side=side))
    for n, side in ((3, "buy"), (2, "sell"), (1, "buy"))
]
ORDERS = [
    records.Order(**common(order_id="254558", side="sell", order_type="LIMIT", price=Decimal(123), size=Decimal("0.1"),
                  filled=Decimal("0.05"), last_price=Decimal(124), status="partially_filled", change="update")),
    records.Order(**common(order_id=HOSTILE, side="buy", order_type=HOSTILE * 9, price=Decimal("1e-12"), size=Decimal(5),  # noqa: E501
                  status="new", change="update")),
    records.Order(**common(order_id="254559", side="buy", status="cancelled", change="remove")),
]  # fmt: skip
CANDLES = [
    records.Candle(**common(interval="1m", start=NOW // 60_000 * 60_000 - 60_000 * n, end=0, open=Decimal(100), high=Decimal("101.5"),  # noqa: E501
                   low=Decimal("99.25"), close=Decimal(100 + n), volume=Decimal(n), closed=n > 0, complete=n != 2))
    for n in (2, 1, 0)
]  # fmt: skip
RECORDS: dict[str, list[Any]] = {
    "book": [BOOK],
    "trades": TRADES,
    "orders": ORDERS,
    "candles": CANDLES,
    "fills": [
        records.Fill(**common(fill_id="5", order_id="254558", price=Decimal(124), size=Decimal("0.05"), side="sell"))
    ],
    "positions": [records.Position(**common(side="short", size=Decimal("0.25"), change="update"))],
    "quotes": [
        records.Quote(**common(bid_price=Decimal("64998.52"), bid_size=Decimal("0.0498"), ask_price=Decimal(65000)))
    ],
    "ping": [records.Pong(**common(round_trip_ms=12.25))],
}


def status(stream: str, state: State, **fields: Any) -> Status:
    return Status(**common(time=None, stream=stream, state=state, **fields))


def cases() -> dict[str, tuple[str, list[Any]]]:
    """Name → stream and what came."""
    live = {stream: (stream, [status(stream, "live"), *rows]) for stream, rows in RECORDS.items()}
    down = status("book", "reconnecting", reason="lost", attempt=2, retry_in_ms=3000)
    return {
        **live,
        "book-connecting": ("book", []),
        "book-syncing": ("book", [status("book", "syncing")]),
        "book-stale": ("book", [status("book", "live"), BOOK, status("book", "stale", reason="gap")]),
        "book-reconnecting": ("book", [status("book", "live"), BOOK, down]),
        "book-extremes": ("book", [status("book", "live"), EXTREMES]),
        "book-empty": ("book", [status("book", "live"), records.Book(**common(bids=[], asks=[]))]),
        "book-one-side": ("book", [status("book", "live"), records.Book(**common(bids=BOOK.bids, asks=[]))]),
        "trades-gap": ("trades", [status("trades", "live"), *TRADES[:2], status("trades", "reconnecting"),
                                  status("trades", "live", down_ms=5), TRADES[2]]),
        "orders-forgotten": ("orders", [status("orders", "live"), *ORDERS, status("orders", "stale"), status("orders", "live")]),  # noqa: E501
    }  # fmt: skip


def table_of(stream: str, items: list[Any]) -> Table:
    title = Title("nexus", "sim", ["SPOT_BTC_USDT"], STREAMS[stream], partial=stream in ("orders", "positions"))
    rate = Rate(clock=lambda: 0.0)
    look = Look(epoch_ms=lambda: NOW, tz=UTC)
    pane = Pane(import_module(f"cli.{stream}").view(look), title, look, rate, Redactor())
    table = Table(pane, look, on_terminal=False)
    table.write(items)
    return table


def screen(case: str, width: int, height: int) -> str:
    stream, items = cases()[case]
    lines = [line.plain.rstrip() for line in table_of(stream, items).frame(width, height)]
    return "\n".join(lines) + "\n"


@pytest.fixture(autouse=True)
def utc() -> Iterator[None]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = "UTC"
    time.tzset()
    yield
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


def golden(case: str) -> Path:
    return GOLDEN / f"{case}.txt"


def all_sizes(case: str) -> str:
    return "".join(f"===== {width}×{height}\n{screen(case, width, height)}" for width, height in SIZES)


@pytest.mark.parametrize("case", cases())
def test_golden(case: str) -> None:
    assert all_sizes(case) == golden(case).read_text(encoding="utf-8")


@pytest.mark.parametrize("case", cases())
@pytest.mark.parametrize("width", [1, 10, 24, 33, 47, 61, 80, 200])
def test_no_line_is_wider_than_the_screen_and_none_too_many(case: str, width: int) -> None:
    stream, items = cases()[case]
    for height in (1, 6, 7, 24):
        lines = table_of(stream, items).frame(width, height)
        assert max(cell_len(line.plain) for line in lines) <= width
        assert len(lines) <= height


def test_nothing_looks_live_that_is_not() -> None:
    for case in ("book-stale", "book-reconnecting"):
        stream, items = cases()[case]
        header, _, *body = table_of(stream, items).frame(80, 24)
        assert "LIVE" not in header.plain
        dimmed = [line for line in body[:-1] if line.plain.strip()]
        assert dimmed
        assert all(any("dim" in str(span.style) for span in line.spans) for line in dimmed)


def test_hostile_text_is_harmless() -> None:
    text = screen("orders", 200, 40)
    assert text.isprintable() or all(char.isprintable() or char == "\n" for char in text)
    assert "\\x1b[31mred\\x07\\u202e[bold]" in text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"), ("ünï ", "ünï "), ("a\nb", "a\\x0ab"), ("\x9b31m", "\\x9b31m"), ("\x7f", "\\x7f"),
        ("\u202eabc", "\\u202eabc"), ("\U000e0001", "\\U000e0001"), ("\ud800", "\\ud800"), ("x" * 301, "x" * 299 + "…"),
    ],
)  # fmt: skip
def test_harmless(text: str, shown: str) -> None:
    assert cells.harmless(text) == shown


def test_columns_have_their_points_below_each_other() -> None:
    column = cells.column([Decimal("1.5"), Decimal(100), None, Decimal("0.125"), Decimal("1E-8")])
    assert column == ["1.5       ", "100         ", "—         ", "0.125     ", "0.00000001"]


def test_columns_are_left_out_in_their_order() -> None:
    columns = [Column("a", ["1"], keep=9), Column("b", ["22222"], keep=1), Column("c", ["333"], keep=5)]
    assert [line.plain for line in lay_out(columns, 20)] == ["a      b    c", "1  22222  333"]
    assert [line.plain for line in lay_out(columns, 8)] == ["a    c", "1  333"]
    assert [line.plain for line in lay_out(columns, 2)] == ["a", "1"]


def test_times_and_durations() -> None:
    assert cells.clock(NOW) == "23:29:02.500"
    assert cells.clock(None) == cells.clock(10**18) == "—"
    assert [cells.duration(ms) for ms in (-5, 90, 12_000, 600_000, 90_000_000)] == [
        "0.0 s",
        "0.1 s",
        "12 s",
        "10 min",
        "25 h",
    ]


def test_the_rate_follows_the_last_seconds() -> None:
    now = [0.0]
    rate = Rate(clock=lambda: now[0])
    seen = []
    for _ in range(20):
        now[0] += 0.5
        rate.total += 10
        seen.append(rate.per_second())
    assert seen[-1] == pytest.approx(20, rel=0.1)
    for _ in range(14):
        now[0] += 0.5
        seen.append(rate.per_second())
    assert seen[-1] == 0


if __name__ == "__main__":
    os.environ["TZ"] = "UTC"
    time.tzset()
    GOLDEN.mkdir(exist_ok=True)
    for name in cases():
        golden(name).write_text(all_sizes(name), encoding="utf-8")
