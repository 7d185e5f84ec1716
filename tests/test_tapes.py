"""Real markets, played through the simulator's wire and `mon book`, end in exactly the tape's book."""

from __future__ import annotations

import gzip
import json
import queue
import threading
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.command import SYMBOL, simulator, started
from tests.tapes import TAPES, tape_lines

QUIET = 3.0  # seconds without a line after which the tape is over

ODD = [
    {"kind": "tape", "market": "odd"},
    {"t": 5, "kind": "snapshot", "bids": [["10", "1"], ["9.50", "2"]], "asks": [["11", "1"], ["10.5", "0.00000001"]]},
    {"t": 5, "kind": "delta", "seq": 4, "bids": [["10", "0"], ["10", "3"], ["3", "0"]], "asks": [["12", "1E-8"]]},
    {"t": 1, "kind": "trade", "price": "10.5", "size": "0.00000001", "side": "buy"},
    {
        "t": 2,
        "kind": "delta",
        "seq": 9,
        "bids": [],
        "asks": [["10.5", "0"], ["11", "7"], ["11", "123456789.123456789"]],
    },
    {"t": 3, "kind": "snapshot", "bids": [["0.000001", "5"]], "asks": [["100000000000", "5"], ["0.000002", "1"]]},
    {"t": 4, "kind": "delta", "bids": [["0.0000011", "6"], ["0.000001", "0"]], "asks": [], "note": "unknown"},
]


def book_of(lines: list[dict[str, Any]]) -> dict[str, dict[Decimal, Decimal]]:
    """What a plain dict holds in the end."""
    book: dict[str, dict[Decimal, Decimal]] = {"bids": {}, "asks": {}}
    for line in lines:
        if line["kind"] == "snapshot":
            book = {"bids": {}, "asks": {}}
        if line["kind"] in ("snapshot", "delta"):
            for side, held in book.items():
                held.update({Decimal(price): Decimal(size) for price, size in line[side]})
    return {side: {price: size for price, size in held.items() if size} for side, held in book.items()}


def watched(env: dict[str, str]) -> list[str]:
    """All lines until the market is quiet."""
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    got: list[str] = []
    with started("book", "nexus", SYMBOL, "-o", "jsonl", "--depth", "100000", env=env) as process:
        reader = threading.Thread(target=lambda: [lines.put(line) for line in process.stdout or ()], daemon=True)
        reader.start()
        try:
            while True:
                got.append(lines.get(timeout=30 if not got else QUIET))
        except queue.Empty:
            process.terminate()
        reader.join(10)
    return got


@pytest.mark.parametrize("tape", [*TAPES, "odd"], ids=lambda tape: tape if isinstance(tape, str) else tape.name)
def test_a_tape_ends_in_its_book_and_is_never_crossed(tape: Path | str, tmp_path: Path) -> None:
    if isinstance(tape, str):
        path, lines = tmp_path / "odd.jsonl", ODD
        path.write_text("\n".join(map(json.dumps, ODD)) + "\n\n")
    else:
        path, lines = tape, tape_lines(tape)
    with simulator(tmp_path, "--tape", str(path), "--speed", "max") as env:
        came = watched(env)
    assert came
    for line in came:
        book = json.loads(line)
        assert book["type"] == "book", "a healthy stream is data only"
        assert not book["bids"] or not book["asks"] or book["bids"][0]["price"] < book["asks"][0]["price"]
    last = json.loads(came[-1], parse_float=Decimal, parse_int=Decimal)
    for side, held in book_of(lines).items():
        shown = [(level["price"], level["size"]) for level in last[side]]
        assert shown == sorted(held.items(), reverse=side == "bids")


def test_there_are_tapes_to_test_with() -> None:
    if not TAPES:
        pytest.skip("../shared/market is not beside the project")
    assert all(gzip.decompress(tape.read_bytes()) for tape in TAPES)
