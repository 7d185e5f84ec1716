"""WOO X through the real `mon`: many symbols, books of a tape, what is refused, and a simulator that goes away."""

from __future__ import annotations

import json
import queue
import signal
import subprocess
import threading
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.command import MON, environment, mon, records, simulator, started
from tests.tapehub import versions_of
from tests.tapes import TAPES, needs_tapes, tape_lines
from tests.warmed import popen
from venues.simulated import markets

BTC, PERP = "SPOT_BTC_USDT", "PERP_BTC_USDT"
QUIET = 4.0  # seconds without a line after which the tape is over


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    return environment(tmp_path)


def read(*arguments: str, env: dict[str, str], quiet: float = QUIET) -> list[dict[str, Any]]:
    """All lines until none has come for a while."""
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    got: list[str] = []
    with started(*arguments, env=env) as process:
        reader = threading.Thread(target=lambda: [lines.put(line) for line in process.stdout or ()], daemon=True)
        reader.start()
        try:
            while True:
                got.append(lines.get(timeout=30 if not got else quiet))
        except queue.Empty:
            process.terminate()
        reader.join(10)
    return [json.loads(line, parse_float=Decimal, parse_int=Decimal) for line in got]


@pytest.mark.parametrize("stream", ["book", "quotes", "trades", "candles", "ticker", "ping"])
def test_every_stream_comes(stream: str, home: dict[str, str]) -> None:
    symbols = () if stream == "ping" else (BTC, "SPOT_ETH_USDT")
    done = mon(stream, "woox", *symbols, "--env", "sim", "--count", "3", env=home)
    assert done.returncode == 0, done.stderr
    kinds = {one["type"] for one in records(done.stdout)}
    assert kinds - {"snapshot_end", "status"} == {{"ping": "pong"}.get(stream, stream.removesuffix("s"))}
    assert {one["state"] for one in records(done.stdout) if one["type"] == "status"} <= {"syncing", "live"}
    assert {one["venue"] for one in records(done.stdout)} == {"woox"}


@pytest.mark.parametrize("rpi", [False, True])
@pytest.mark.parametrize("stream", ["book", "quotes"])
def test_which_book_it_is_is_in_every_record(stream: str, rpi: bool, home: dict[str, str]) -> None:
    done = mon(stream, "woox", BTC, "--env", "sim", "--count", "5", *(["--rpi"] if rpi else []), env=home)
    shown = [one for one in records(done.stdout) if one["type"] == stream.removesuffix("s")]
    assert [one["extra"] for one in shown] == [{"rpi": rpi}] * 5


def test_rpi_is_no_option_of_other_venues_and_streams(home: dict[str, str]) -> None:
    assert mon("book", "nexus", BTC, "--env", "sim", "--rpi", env=home).returncode == 2
    assert mon("trades", "woox", BTC, "--env", "sim", "--rpi", env=home).returncode == 2
    help_text = " ".join(mon("book", "--help", env=home).stdout.split())
    assert "Show the book with its RPI orders (retail price improvement), as the venue's own site does." in help_text


def test_all_symbols_on_two_connections(home: dict[str, str]) -> None:
    symbols = markets("woox")
    done = mon("quotes", "woox", *symbols, "--env", "sim", "--once", env=home)
    assert done.returncode == 0, done.stderr
    *quotes, end = records(done.stdout)
    assert sorted({one["symbol"] for one in quotes}) == sorted(symbols)
    assert (end["type"], end["count"]) == ("snapshot_end", 150)


def test_all_refused_symbols_are_named(home: dict[str, str]) -> None:
    asked = (BTC, "SPOT_NOPE_USDT", "PERP_NIL_USDT")
    done = mon("quotes", "woox", *asked, "--env", "sim", env=home)
    assert done.returncode == 4
    assert "SPOT_NOPE_USDT" in done.stderr
    assert "PERP_NIL_USDT" in done.stderr
    assert BTC not in done.stderr


def test_usage(home: dict[str, str]) -> None:
    done = mon("book", "woox", "BTCUSDT", env=home)
    assert (done.returncode, "did you mean SPOT_BTC_USDT?" in done.stderr) == (2, True)
    done = mon("candles", "woox", BTC, "--interval", "2m", env=home)
    assert (done.returncode, "3d, 1w, 1M" in done.stderr) == (2, True)
    one_address = {**home, "MON_WOOX_URL": "ws://127.0.0.1:9"}
    done = mon("book", "woox", BTC, env=one_address)
    assert (done.returncode, "MON_WOOX_REST_URL" in done.stderr) == (3, True)


def test_symbols(home: dict[str, str]) -> None:
    listed = records(mon("symbols", "woox", "btc", "--env", "sim", env=home).stdout)
    assert [(one["symbol"], one["kind"]) for one in listed] == [(PERP, "perpetual"), (BTC, "spot")]


@pytest.mark.parametrize(
    ("tape", "depth"), [(TAPES[0], 20), (TAPES[1], 500)] if TAPES else [], ids=lambda one: str(one)[-16:]
)
def test_a_tape_as_fast_as_it_goes(tape: Path, depth: int, tmp_path: Path) -> None:
    with simulator(tmp_path, "--tape", str(tape), "--speed", "max") as env:
        came = read("book", "woox", BTC, "-o", "jsonl", "--depth", str(depth), env=env)
    *_, (_, last) = versions_of(tape_lines(tape))
    first = next(number for number, one in enumerate(came) if one["type"] == "book")
    assert [one["type"] for one in came[first:]] == ["book"] * (len(came) - first), "once it is live, data only"
    for side, levels in zip(("bids", "asks"), last.levels(depth), strict=True):
        assert [(one["price"], one["size"]) for one in came[-1][side]] == levels


@pytest.mark.slow("a tape is played at three times its speed, so that its lags and gaps have time to happen")
@needs_tapes
def test_lag_and_gaps_show_only_the_tape_s_books(tmp_path: Path) -> None:
    tape, depth = TAPES[2], 50
    faults = ("--fault", "lag:1s", "--fault", "gap:2s")
    with simulator(tmp_path, "--tape", str(tape), "--speed", "3", *faults) as env:
        came = read("book", "woox", BTC, "-o", "jsonl", "--depth", str(depth), env=env, quiet=7)
    known: dict[object, list[int]] = {}  # what was there once may be there again later
    for number, (_, version) in enumerate(versions_of(tape_lines(tape))):
        known.setdefault(tuple(tuple(side) for side in version.levels(depth)), []).append(number)
    live, latest, states = True, -1, []
    for one in came:
        if one["type"] == "status":
            states.append(one["state"])
            live = one["state"] == "live"
            continue
        assert live
        shown = tuple(tuple((row["price"], row["size"]) for row in one[side]) for side in ("bids", "asks"))
        assert shown in known, "no book that the tape does not have"
        later = [number for number in known[shown] if number >= latest]
        assert later, "no older book than the one before"
        latest = later[0]
    assert {"stale", "syncing", "live"} <= set(states)


def test_a_simulator_that_goes_away_and_comes_back(tmp_path: Path) -> None:
    env = environment(tmp_path)
    with simulator(tmp_path, "--rate", "100") as exports:
        port = exports["MON_WOOX_URL"].rpartition(":")[2].partition("/")[0]
        arguments = [MON, "book", "woox", BTC, "--depth", "1"]
        process = popen(arguments, {**env, **exports}, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        # A book that is not seeded in time says so first.
        assert any(json.loads(line)["type"] == "book" for line in process.stdout)
    try:
        with simulator(tmp_path, "--rate", "100", "--port", port):
            states = []
            for one in map(json.loads, process.stdout):
                if one["type"] == "status":
                    states.append(one["state"])
                elif "reconnecting" in states:
                    break
            assert states[0] == "reconnecting"
            assert states[-1] == "live"
    finally:
        process.kill()
        process.wait(10)
        process.stdout.close()


def test_recorded_and_replayed(tmp_path: Path, home: dict[str, str]) -> None:
    file = tmp_path / "two.jsonl.gz"
    asked = ("book", "woox", BTC, "SPOT_ETH_USDT", "--depth", "3")
    live = mon(*asked, "--env", "sim", "--duration", "4s", "--record", str(file), env=home)
    assert live.returncode == 0, live.stderr
    again = mon(*asked, "--replay", str(file), "--speed", "max", env=home)
    assert again.returncode == 0, again.stderr

    def books(text: str) -> list[Any]:
        return [
            (one["symbol"], one["time"], one["bids"], one["asks"]) for one in records(text) if one["type"] == "book"
        ]

    assert books(again.stdout) == books(live.stdout)
    assert len(books(live.stdout)) > 10


def test_ctrl_c(home: dict[str, str]) -> None:
    with started("quotes", "woox", BTC, "--env", "sim", env=home) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        assert process.wait(10) == 130
