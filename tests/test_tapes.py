"""Real markets, played through each venue's wire and `mon book`, end in exactly the tape's book."""

from __future__ import annotations

import gzip
import itertools
import json
import queue
import threading
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.command import SYMBOL, simulator, started
from tests.tapehub import versions_of
from tests.tapes import TAPES, needs_tapes, tape_lines

QUIET = 4.0  # seconds without a line after which the tape is over

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


MARKETS = {"nexus": SYMBOL, "b2trader": "spot.btc_usdt"}


def watched(venue: str, env: dict[str, str]) -> list[str]:
    """All lines until the market is quiet."""
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    got: list[str] = []
    with started("book", venue, MARKETS[venue], "-o", "jsonl", "--depth", "100000", env=env) as process:
        reader = threading.Thread(target=lambda: [lines.put(line) for line in process.stdout or ()], daemon=True)
        reader.start()
        try:
            while True:
                got.append(lines.get(timeout=30 if not got else QUIET))
        except queue.Empty:
            process.terminate()
        reader.join(10)
    return got


def check_end(came: list[str], lines: list[dict[str, Any]]) -> None:
    """The last book is the tape's, to the digit."""
    last = json.loads(came[-1], parse_float=Decimal, parse_int=Decimal)
    for side, held in book_of(lines).items():
        shown = [(level["price"], level["size"]) for level in last[side]]
        assert shown == sorted(held.items(), reverse=side == "bids")


def is_crossed(book: dict[str, Any]) -> bool:
    return bool(book["bids"] and book["asks"] and book["bids"][0]["price"] >= book["asks"][0]["price"])


@pytest.mark.slow("plays a whole tape of a real market through a real socket, and checks each of its books")
@pytest.mark.parametrize("venue", MARKETS)
@pytest.mark.parametrize("tape", [*TAPES, "odd"], ids=lambda tape: tape if isinstance(tape, str) else tape.name)
def test_a_tape_ends_in_its_book_and_is_never_crossed(tape: Path | str, venue: str, tmp_path: Path) -> None:
    if isinstance(tape, str):
        path, lines = tmp_path / "odd.jsonl", ODD
        path.write_text("\n".join(map(json.dumps, ODD)) + "\n\n")
    else:
        path, lines = tape, tape_lines(tape)
    with simulator(tmp_path, "--tape", str(path), "--speed", "max") as env:
        came = watched(venue, env)
    assert came
    books = [json.loads(line) for line in came]
    said = [(book["state"], book.get("reason")) for book in books if book["type"] != "book"]
    assert not said, "a healthy stream is data only"
    assert not [book for book in books if is_crossed(book)]
    check_end(came, lines)


@pytest.mark.parametrize(
    ("tape", "speed", "gap"),
    [(TAPES[0], 10, "700ms"), (TAPES[1], 3, "300ms")] if TAPES else [],
    ids=lambda case: str(case)[-20:],
)
def test_a_gap_is_never_shown_as_a_book(tape: Path, speed: int, gap: str, tmp_path: Path) -> None:
    with simulator(tmp_path, "--tape", str(tape), "--speed", str(speed), "--fault", f"gap:{gap}") as env:
        came = watched("b2trader", env)
    known = {version.number: version for _, version in versions_of(tape_lines(tape))}
    known[1] = known[2]  # the first snapshot is there before the tape begins, and told again when it does
    shown, states, last = True, [], 0
    for line in (json.loads(line, parse_float=Decimal, parse_int=Decimal) for line in came):
        if line["type"] == "status":
            states.append(line["state"])
            shown = line["state"] == "live"
        else:
            assert shown
            assert line["sequence"] >= last
            last = line["sequence"]
            bids, asks = known[last].levels(10**6)
            assert [(level["price"], level["size"]) for level in line["bids"]] == bids
            assert [(level["price"], level["size"]) for level in line["asks"]] == asks
    assert "stale" in states


def test_skips_that_lose_nothing_are_learnt_and_said_in_the_stream(tmp_path: Path) -> None:
    with (
        simulator(tmp_path, "--fault", "skip:50ms", "--rate", "200") as env,
        started("book", "b2trader", MARKETS["b2trader"], "-o", "jsonl", "-q", env=env) as process,
    ):
        assert process.stdout is not None
        said = []
        for line in map(json.loads, process.stdout):
            if line["type"] == "status":
                said.append(line)
                if "versions" in line:
                    break
        books = [json.loads(process.stdout.readline()) for _ in range(50)]
        process.terminate()
    assert {one["state"] for one in said[:-1]} == {"stale", "live"}
    assert (said[-1]["state"], said[-1]["versions"]) == ("live", "growing")
    assert "only has to grow" in said[-1]["reason"]
    assert {one["type"] for one in books} == {"book"}, "and stays live"
    assert any(later["sequence"] > earlier["sequence"] + 1 for earlier, later in itertools.pairwise(books))


@needs_tapes
def test_there_are_tapes_to_test_with() -> None:
    assert all(gzip.decompress(tape.read_bytes()) for tape in TAPES)
