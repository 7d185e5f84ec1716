"""Recordings of Nexus trades, made of frames as the venue sends them."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

SYMBOL = "SPOT_BTC_USDT"
MINUTE = 60_000
# A Thursday, 07:13 UTC: no candle of any level begins here.
BEGIN = 1_700_118_780_000


class Tick(NamedTuple):
    """One trade."""

    time: int
    price: str
    size: str
    side: str = "BUY"


def walk(count: int, *, seed: int, every_ms: float, begin: int = BEGIN) -> list[Tick]:
    """A random walk of prices at exponential times, with a pause of some hours in it."""
    draw = random.Random(seed)
    time, price, ticks = float(begin), 6_500_000, []
    for number in range(count):
        time += draw.expovariate(1 / every_ms) + (5 * 3_600_000 if number == count // 2 else 0)
        price = max(1, price + draw.randint(-400, 400))
        ticks.append(Tick(int(time), f"{price / 100:.2f}", f"{draw.randint(1, 50_000) / 10_000}", "BUY"))
    return ticks


def frame(tick: Tick, symbol: str = SYMBOL) -> str:
    """As Nexus sends it."""
    return (
        f'{{"event":"TRADE","symbol":"{symbol}","timestamp":{tick.time},'
        f'"data":{{"price":{tick.price},"quantity":{tick.size},"side":"{tick.side}"}}}}'
    )


def book(time: int, bid: str, ask: str, symbol: str = SYMBOL) -> str:
    """A book of one level a side."""
    return json.dumps(
        {
            "event": "BOOK",
            "symbol": symbol,
            "timestamp": time,
            "data": {"bids": [{"price": float(bid), "quantity": 2}], "asks": [{"price": float(ask), "quantity": 3}]},
        }
    )


def write(path: Path, events: Iterable[dict[str, Any]], *, streams: Sequence[str] = ("trades",), **header: Any) -> Path:
    """A recording of events."""
    head = {
        "kind": "recording",
        "version": 1,
        "venue": "nexus",
        "url": "wss://nexus.example",
        "subscriptions": [{"stream": stream, "symbols": [SYMBOL]} for stream in streams],
        **header,
    }
    with path.open("w", encoding="utf-8") as file:
        for event in (head, *events):
            file.write(json.dumps(event) + "\n")
    return path


def opened(at: int) -> list[dict[str, Any]]:
    """A connection that is made."""
    return [
        {"kind": "dial", "at": at, "mono": at / 1000, "draw": 0.0},
        {"kind": "open", "at": at, "mono": at / 1000},
    ]


def came(at: int, text: str) -> dict[str, Any]:
    """A frame of the venue."""
    return {"kind": "frame", "at": at, "mono": at / 1000, "direction": "in", "text": text}


def closed(at: int) -> dict[str, Any]:
    """The connection is gone."""
    return {"kind": "close", "at": at, "mono": at / 1000, "code": 1006}


def record_trades(path: Path, ticks: Sequence[Tick]) -> Path:
    """A recording of trades, each here the moment it was made."""
    begin = ticks[0].time - 1
    return write(path, [*opened(begin), *(came(tick.time, frame(tick)) for tick in ticks)])
