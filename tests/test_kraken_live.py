"""Kraken through real sockets: its simulator with tapes and faults, and a plain server of what was captured."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import signal
from collections.abc import AsyncIterator, Iterable, Iterator
from decimal import Decimal
from functools import cache, lru_cache
from hashlib import blake2b
from operator import neg
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sortedcontainers import SortedDict
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from tests.command import environment, mon, records, simulator, started
from tests.servers import in_thread, websocket_server
from tests.tapes import TAPES, needs_tapes, tape_lines

CAPTURED = Path(__file__).parent / "fixtures" / "toolkit" / "kraken-book.jsonl.gz"
Top = tuple[bytes, bytes]  # digests of the best bids and asks: thousands of books of a thousand levels fit nowhere


def frames() -> list[str]:
    return gzip.decompress(CAPTURED.read_bytes()).decode().splitlines()


# --- tapes through the simulator


@cache
def figure(text: str) -> str:
    """A number as it is written without needless zeros; one text stands for one value."""
    return f"{Decimal(text).normalize():f}"


def digest(levels: Iterable[str]) -> bytes:
    return blake2b(";".join(levels).encode(), digest_size=16).digest()


class Shown(msgspec.Struct):
    """What a line has of a book; its sides as they are written."""

    bids: msgspec.Raw
    asks: msgspec.Raw


@lru_cache(20_000)
def level(written: bytes) -> str:
    """A level that a line shows, as `Side` has it; most of them are in thousands of lines."""
    found = json.loads(b"{%b}" % written, parse_float=figure, parse_int=figure)
    return f"{found['price']} {found['size']}"


def levels(side: msgspec.Raw) -> Iterator[str]:
    inner = bytes(side).removeprefix(b"[{").removesuffix(b"}]")
    return map(level, inner.split(b"},{") if inner != b"[]" else ())


class Side:
    """One side of a tape's book: by price, the text of each level."""

    def __init__(self, depth: int, *, descending: bool) -> None:
        self._depth = depth
        self._levels: SortedDict = SortedDict(neg) if descending else SortedDict()
        self.digest = digest(())

    def apply(self, rows: list[list[str]], *, anew: bool) -> None:
        if anew:
            self._levels.clear()
        for price, size in rows:
            if figure(size) != "0":
                self._levels[Decimal(price)] = f"{figure(price)} {figure(size)}"
            else:
                self._levels.pop(Decimal(price), None)
        if rows or anew:
            self.digest = digest(self._levels.values()[: self._depth])


def tops(tape: Path, depth: int) -> list[Top]:
    """The best levels of a tape's book, after its first snapshot and each change."""
    bids, asks = Side(depth, descending=True), Side(depth, descending=False)
    found: list[Top] = []
    for line in tape_lines(tape):
        if line["kind"] in ("snapshot", "delta"):
            for side, rows in ((bids, line["bids"]), (asks, line["asks"])):
                side.apply(rows, anew=line["kind"] == "snapshot")
            found.append((bids.digest, asks.digest))
    return found


def is_exactly_the_tape(lines: Iterator[str], known: list[Top]) -> list[dict[str, Any]]:
    """The statuses. Each book shown is one of the tape's and none is older than the one before; ends with the last."""
    places: dict[Top, list[int]] = {}
    for at, top in enumerate(known):
        places.setdefault(top, []).append(at)
    at, live, said = 0, True, []
    for text in lines:
        if not text.startswith('{"type":"book"'):
            said.append(json.loads(text))
            assert said[-1]["type"] == "status"
            live = said[-1]["state"] == "live"
            continue
        assert live, "a book is shown only while it is live"
        shown = msgspec.json.decode(text, type=Shown)
        bids, asks = digest(levels(shown.bids)), digest(levels(shown.asks))
        at = next(place for place in places[bids, asks] if place >= at)
        if at == len(known) - 1 or (bids, asks) == known[-1]:
            return said
    pytest.fail("the last book of the tape did not come")


@pytest.mark.parametrize("depth", [1, 10, 25, 100, 500, 1000])
@pytest.mark.parametrize("tape", TAPES, ids=lambda tape: tape.name.split(".")[0])
def test_a_tape_gives_its_exact_books_at_any_depth(tape: Path, depth: int, tmp_path: Path) -> None:
    with (
        simulator(tmp_path, "--tape", str(tape), "--speed", "max") as env,
        started("book", "kraken", "BTC/USD", "-o", "jsonl", "--depth", str(depth), env=env) as process,
    ):
        assert process.stdout is not None
        assert not is_exactly_the_tape(iter(process.stdout), tops(tape, depth)), "a healthy stream is data only"
        process.terminate()


@needs_tapes
@pytest.mark.parametrize(
    ("tape", "speed", "fault", "depth"),
    [
        (0, "20", "checksum:150ms", 10),
        (0, "10", "gap:200ms", 25),
        (1, "10", "checksum:200ms", 100),
        (1, "20", "gap:150ms", 10),
        (2, "20", "checksum:150ms", 1000),
        (0, "10", "halt:400ms", 10),
        (1, "10", "drop:700ms", 25),
    ],
    ids=str,
)
def test_a_wrong_book_is_never_shown_as_live(tape: int, speed: str, fault: str, depth: int, tmp_path: Path) -> None:
    arguments = ("--tape", str(TAPES[tape]), "--speed", speed, "--fault", fault)
    with (
        simulator(tmp_path, *arguments) as env,
        started("book", "kraken", "BTC/USD", "-o", "jsonl", "--depth", str(depth), env=env) as process,
    ):
        assert process.stdout is not None
        said = is_exactly_the_tape(iter(process.stdout), tops(TAPES[tape], depth))
        process.terminate()
    assert {one["state"] for one in said} & {"stale", "reconnecting"}


# --- a plain server


class Plain:
    """Sends the captured frames as they are, whatever it is asked; the first connection is cut after `cut` of them."""

    def __init__(self, cut: int, *, pause: float = 0.0) -> None:
        self.cut = cut
        self.pause = pause
        self.connections = 0

    async def handle(self, socket: ServerConnection) -> None:
        self.connections += 1
        with contextlib.suppress(ConnectionClosed):
            for frame in frames()[: self.cut if self.connections == 1 else None]:
                await socket.send(frame)
                if self.pause:
                    await asyncio.sleep(self.pause)
            if self.connections > 1:
                while True:
                    await asyncio.sleep(1)
                    await socket.send('{"channel":"heartbeat"}')

    @contextlib.asynccontextmanager
    async def server(self) -> AsyncIterator[int]:
        async with websocket_server(self.handle) as port:
            yield port


def played(stream: str, cut: int, tmp_path: Path, *options: str) -> list[dict[str, Any]]:
    with in_thread(Plain(cut).server) as port:
        env = environment(tmp_path, MON_KRAKEN_URL=f"ws://127.0.0.1:{port}")
        done = mon(stream, "kraken", "BTC/USD", "ETH/USD", "-o", "jsonl", "--duration", "4s", *options, env=env)
    assert done.returncode == 0, done.stderr
    return records(done.stdout)


@pytest.mark.parametrize("depth", ["10", "20"])
def test_what_was_captured_gives_all_right_checksums(depth: str, tmp_path: Path) -> None:
    came = [one for one in played("book", 1516, tmp_path, "--depth", depth) if one["type"] == "book"]
    for symbol in ("BTC/USD", "ETH/USD"):  # of a state, a pipe gets the newest; tests/test_kraken.py counts them all
        figures = [json.loads(frame)["data"][0]["checksum"] for frame in frames() if f'"{symbol}","bids"' in frame]
        place = 0
        for one in came:
            if one["symbol"] == symbol:
                place = figures.index(one["extra"]["checksum"], place)
        assert place == len(figures) - 1


@pytest.mark.slow("two runs of four seconds: what must not come is waited for")
@pytest.mark.parametrize("cut", [5, 7, 200, 1100])
def test_cut_and_begun_again_shows_no_trade_twice_and_no_older_book(cut: int, tmp_path: Path) -> None:
    trades = played("trades", cut, tmp_path)
    ids = [(one["symbol"], int(one["trade_id"])) for one in trades if one["type"] == "trade"]
    assert len(ids) == len(set(ids)) == 13
    for symbol in ("BTC/USD", "ETH/USD"):
        its = [number for name, number in ids if name == symbol]
        assert its == list(range(its[0], its[0] + len(its)))
    assert "reconnecting" in {one.get("state") for one in trades}
    newest: dict[str, int] = {}
    for one in played("book", cut, tmp_path, "--depth", "10"):
        if one["type"] == "book":
            assert one["time"] >= newest.get(one["symbol"], 0)
            newest[one["symbol"]] = one["time"]


# --- the command line


def test_a_refused_symbol_is_exit_4_in_the_venues_words(tmp_path: Path) -> None:
    env = environment(tmp_path)
    done = mon("trades", "kraken", "BTC/USD", "NOPE/USD", "NADA/EUR", "--env", "sim", env=env)
    assert done.returncode == 4
    assert "kraken refuses trades of NOPE/USD, NADA/EUR (Currency pair not supported)" in done.stderr
    done = mon("trades", "kraken", "XBT/USD", env=env)
    assert done.returncode == 2
    assert "did you mean BTC/USD?" in done.stderr


def test_once_is_the_first_state_of_each_symbol(tmp_path: Path) -> None:
    env = environment(tmp_path)
    done = mon("quotes", "kraken", "BTC/USD", "ETH/USD", "SOL/USD", "--env", "sim", "--once", env=env)
    assert done.returncode == 0, done.stderr
    came = records(done.stdout)
    assert {one["symbol"] for one in came if one["type"] == "quote"} == {"BTC/USD", "ETH/USD", "SOL/USD"}
    assert came[-1]["type"] == "snapshot_end"
    assert came[-1]["count"] == 3


def test_the_list_of_symbols(tmp_path: Path) -> None:
    done = mon("symbols", "kraken", "--env", "sim", "-o", "jsonl", env=environment(tmp_path))
    assert done.returncode == 0, done.stderr
    assert [one["symbol"] for one in records(done.stdout)] == ["BTC/USD", "ETH/USD", "SOL/USD"]


def test_several_symbols_are_one_socket_and_its_recording_plays_back(tmp_path: Path) -> None:
    env = environment(tmp_path)
    file = str(tmp_path / "trades.jsonl")
    arguments = ("trades", "kraken", "BTC/USD", "ETH/USD", "SOL/USD")
    done = mon(*arguments, "--env", "sim", "--duration", "3s", "--record", file, "-o", "jsonl", env=env)
    assert done.returncode == 0, done.stderr
    kept = records(Path(file).read_text())
    assert len([one for one in kept if one["kind"] == "dial"]) == 1
    again = mon(*arguments, "--replay", file, "--speed", "max", "-o", "jsonl", env=env)
    first, second = (
        [(one["symbol"], one["trade_id"]) for one in records(text) if one["type"] == "trade"]
        for text in (done.stdout, again.stdout)
    )
    assert first == second
    assert first


@pytest.mark.slow("a line is given up after the deadlines of Kraken's heartbeat, which are mon's own")
def test_a_mute_line_is_stale_then_lost_then_there_again(tmp_path: Path) -> None:
    with (
        simulator(tmp_path, "--fault", "mute:1s") as env,
        started("quotes", "kraken", "BTC/USD", "-o", "jsonl", env=env) as process,
    ):
        assert process.stdout is not None
        said = []
        for line in map(json.loads, process.stdout):
            if line["type"] == "status":
                said.append((line["state"], line.get("reason", "")))
                if len(said) == 4:
                    break
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130
    assert [state for state, _ in said] == ["stale", "reconnecting", "syncing", "live"]
    assert "not even a heartbeat" in said[0][1]
