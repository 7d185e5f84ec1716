"""What the simulator's tests share: where the tapes are, a naive book, and a client of another maker."""

from __future__ import annotations

import asyncio
import gzip
import json
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from venues.simulator import Simulator

TAPES = Path(__file__).parents[2].parent / "shared" / "market"
NAMES = ("skl-usd", "dash-btc", "xbt-usd")
PATIENCE = 40.0  # seconds for what must come at all; nothing waits for it to pass

Sides = tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]]


def tape_path(name: str) -> Path:
    """A real tape; the test is skipped where it is not there."""
    path = TAPES / f"{name}.jsonl.gz"
    if not path.exists():
        pytest.skip(f"no tape {path.name}: the real market tapes are not beside this checkout")
    return path


def lines_of(path: Path) -> list[dict[str, Any]]:
    data = path.read_bytes()
    text = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def naive_book(lines: Iterable[dict[str, Any]]) -> Sides:
    """What a plain dict makes of a tape."""
    bids: dict[Decimal, Decimal] = {}
    asks: dict[Decimal, Decimal] = {}
    for line in lines:
        if line["kind"] == "snapshot":
            bids.clear()
            asks.clear()
        for book, rows in ((bids, line.get("bids", ())), (asks, line.get("asks", ()))):
            for price, size in rows:
                if Decimal(size):
                    book[Decimal(price)] = Decimal(size)
                else:
                    book.pop(Decimal(price), None)
    return bids, asks


def address(simulator: Simulator, symbol: str = "SPOT_BTC_USDT", key: str | None = None) -> str:
    known = simulator.credentials("nexus")["client_key"]
    return f"{simulator.url('nexus')}/ws/{known if key is None else key}/{symbol}"


def join(simulator: Simulator, symbol: str = "SPOT_BTC_USDT", **options: Any) -> connect:
    options = {"max_size": 64 * 1024 * 1024, "max_queue": None, **options}
    return connect(address(simulator, symbol), proxy=None, ping_interval=None, **options)


def exact(frame: str | bytes) -> dict[str, Any]:
    """A message with every number as it was written."""
    message: dict[str, Any] = json.loads(frame, parse_float=Decimal, parse_int=Decimal)
    return message


async def until(socket: ClientConnection, found: Callable[[list[dict[str, Any]]], bool]) -> list[dict[str, Any]]:
    """All messages up to the first moment at which the condition holds for them."""
    messages: list[dict[str, Any]] = []
    async with asyncio.timeout(PATIENCE):
        while not found(messages):
            messages.append(exact(await socket.recv()))
    return messages


def book_of(message: dict[str, Any]) -> Sides:
    """Bids and asks of a BOOK, checked: both in descending order, no empty level, no price twice, not crossed."""
    sides = []
    for name in ("bids", "asks"):
        rows = [(row["price"], row["quantity"]) for row in message["data"][name]]
        prices = [price for price, _ in rows]
        assert prices == sorted(set(prices), reverse=True)
        assert all(size > 0 for _, size in rows)
        sides.append(dict(rows))
    bids, asks = sides
    assert not bids or not asks or max(bids) < min(asks)
    return bids, asks
