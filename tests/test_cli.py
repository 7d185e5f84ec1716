"""`mon` as a process against the simulator: what is printed, what is said, how it ends."""

from __future__ import annotations

import asyncio
import csv
import io
import itertools
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from cli.errors import EXIT_CODES
from cli.run.venue_options import stream_examples
from tests.command import MON, SYMBOL, environment, mon, records, simulator, started
from tests.servers import http_answer, in_thread, raw_server, websocket_server
from tests.warmed import run
from venues import VENUES, venue_named, venues_with
from venues.streams import STREAMS
from venues.venue import Settings, Subscription

NEXUS = venue_named("nexus")


@pytest.fixture
def clean(tmp_path: Path) -> dict[str, str]:
    return environment(tmp_path)


@pytest.fixture
def sim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """One for each test that asks for it: it runs all venues for as long as it is there."""
    with simulator(tmp_path_factory.mktemp("sim"), "--rate", "200") as env:
        yield env


def at(port: int, env: dict[str, str]) -> dict[str, str]:
    return {**env, "MON_NEXUS_URL": f"ws://127.0.0.1:{port}", "MON_NEXUS_CLIENT_KEY": "a-secret-key"}


# --- what is printed


@pytest.mark.parametrize("stream", NEXUS.streams)
def test_every_stream_from_the_embedded_simulator(stream: str, clean: dict[str, str]) -> None:
    done = mon(stream, "nexus", SYMBOL, "--env", "sim", "--count", "5", env=clean)
    assert (done.returncode, done.stderr) == (0, "")
    lines = records(done.stdout)
    assert len(lines) == 5
    assert {line["env"] for line in lines} == {"sim"}
    if stream == "book":
        for line in lines:
            assert line["bids"][0]["price"] < line["asks"][0]["price"]


@pytest.mark.parametrize("stream", NEXUS.streams)
def test_lines_follow_their_schema(stream: str, sim: dict[str, str], clean: dict[str, str]) -> None:
    schema = json.loads(mon("schema", stream, env=clean).stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    done = mon(stream, "nexus", SYMBOL, "--count", "3", env=sim)
    for line in records(done.stdout):
        validator.validate(line)
        assert not validator.is_valid({**line, "type": "other"})
        assert not validator.is_valid({key: value for key, value in line.items() if key != "received"})
        for name, value in line.items():
            if isinstance(value, float):
                assert not validator.is_valid({**line, name: str(value)})


def test_the_schema_has_statuses_and_follows_numbers(clean: dict[str, str]) -> None:
    schema = json.loads(mon("schema", "trades", "--numbers", "string", env=clean).stdout)
    validator = jsonschema.Draft202012Validator(schema)
    validator.validate({"type": "status", "venue": "nexus", "received": 1, "stream": "trades", "state": "stale"})
    trade = {"type": "trade", "venue": "nexus", "received": 1, "price": "1.5", "size": "1E-8", "side": "buy"}
    validator.validate(trade)
    assert not validator.is_valid({**trade, "price": 1.5})


def test_numbers_keep_their_digits(sim: dict[str, str]) -> None:
    args = ("trades", "nexus", SYMBOL, "--count", "3")
    as_text = records(mon(*args, "--numbers", "string", env=sim).stdout)
    assert all(isinstance(line["price"], str) and Decimal(line["size"]) > 0 for line in as_text)
    done = mon(*args, env=sim)
    exact = [json.loads(line, parse_float=str, parse_int=str) for line in done.stdout.splitlines()]
    assert all("." in line["size"] for line in exact)


def test_csv_of_a_book_is_a_row_a_level(sim: dict[str, str]) -> None:
    done = mon("book", "nexus", SYMBOL, "--once", "--depth", "3", "-o", "csv", env=sim)
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [(row["side"], row["level"]) for row in rows] == [
        (side, str(level)) for side in ("bid", "ask") for level in (1, 2, 3)
    ]
    assert Decimal(rows[0]["price"]) < Decimal(rows[3]["price"])


def test_csv_of_events(sim: dict[str, str]) -> None:
    done = mon("trades", "nexus", SYMBOL, "--count", "4", "-o", "csv", env=sim)
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert len(rows) == 4
    assert {row["side"] for row in rows} <= {"buy", "sell"}


def test_depth(sim: dict[str, str]) -> None:
    (line,) = records(mon("book", "nexus", SYMBOL, "--once", "--depth", "2", env=sim).stdout)
    assert (len(line["bids"]), len(line["asks"])) == (2, 2)


def test_raw_frames_go_both_ways(sim: dict[str, str]) -> None:
    done = mon("ping", "nexus", SYMBOL, "--raw", "--count", "30", env=sim)
    lines = records(done.stdout)
    assert {line["direction"] for line in lines} == {"in", "out"}
    assert {"event": "PING"} in [json.loads(line["frame"]) for line in lines if line["direction"] == "out"]
    assert set(lines[0]) == {"received", "direction", "frame"}


def test_every_is_the_latest_in_each_interval(sim: dict[str, str]) -> None:
    lines = records(mon("book", "nexus", SYMBOL, "--every", "500ms", "--duration", "2200ms", env=sim).stdout)
    assert 3 <= len(lines) <= 5
    gaps = [after["received"] - before["received"] for before, after in itertools.pairwise(lines)]
    assert min(gaps) >= 400


def test_a_table_without_a_terminal_is_printed_once(sim: dict[str, str]) -> None:
    done = mon("book", "nexus", SYMBOL, "--once", "-o", "table", "--depth", "3", env=sim)
    assert done.returncode == 0
    assert "spread" in done.stdout
    assert "as of" in done.stdout
    assert "\x1b" not in done.stdout


# --- how it ends


def test_no_key_names_what_to_do(clean: dict[str, str]) -> None:
    done = mon("book", "nexus", SYMBOL, env=clean)
    assert (done.returncode, done.stdout) == (3, "")
    for word in ("MON_NEXUS_CLIENT_KEY", "client_key", "--env sim"):
        assert word in done.stderr
    assert len(done.stderr.splitlines()) <= 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("margin", "nexus"), "it has: book, trades, quotes, candles, orders, fills, positions, ping"),
        (("book", "nexus", "BTC/USDT"), "<TYPE>_<BASE>_<QUOTE>"),
        (("book", "nexus", "spot_btc_usdt"), "SPOT_BTC_USDT"),
        (("book", "nexus"), "needs a symbol"),
        (("book", "nexus", SYMBOL, "SPOT_ETH_USDT"), "takes one symbol"),
        (("book", "nowhere", SYMBOL), f'expected a venue ({", ".join(VENUES)}), got "nowhere"'),
        (("bok", "nexus"), "Did you mean 'book'"),
        (("book", "nexus", SYMBOL, "--nope"), "--nope"),
        (("trades", "nexus", SYMBOL, "--every", "1s"), "--every"),
        (("trades", "nexus", SYMBOL, "--depth", "3"), "--depth"),
        (("book", "nexus", SYMBOL, "--interval", "1m"), "--interval"),
        (("candles", "nexus", SYMBOL, "--env", "sim", "--interval", "7m"), '"7m"'),
        (("book", "nexus", SYMBOL, "--max-age", "soon"), '"soon"'),
        (("book", "nexus", SYMBOL, "--duration", "0"), '"0"'),
        (("book", "nexus", SYMBOL, "--count", "0"), "--count"),
        (("book", "nexus", SYMBOL, "--once", "--count", "3"), "--once or --count"),
        (("book", "nexus", SYMBOL, "--env", "moon"), "production, staging, sim"),
        (("book", "nexus", SYMBOL, "--speed", "2"), "--replay"),
        (("book", "nexus", SYMBOL, "--raw", "-o", "table"), "--raw"),
        (("book", "nexus", SYMBOL, "--raw", "--every", "1s"), "--raw"),
        (("book", "nexus", SYMBOL, "-o", "xml"), "'-o': 'xml' is not one of 'auto', 'table', 'jsonl', 'csv'"),
        (
            ("book", "nexus", SYMBOL, "--depth", "0"),
            "'--depth': expected a number greater than or equal to 1, got \"0\"",
        ),
        (("book", "nexus", SYMBOL, "--count", "many"), "'--count': expected a valid integer, got \"many\""),
        (("schema", "books"), '"books"'),
        (("sim", "--fault", "fire"), "fire"),
        (("sim", "--fault", "gap:soon"), "gap"),
        (("sim", "--show-env"), "--port"),
        (("sim", "--speed", "2"), "--tape"),
        (("completion", "tcsh"), "tcsh"),
    ],
)
def test_usage_errors(arguments: tuple[str, ...], words: str, clean: dict[str, str]) -> None:
    done = mon(*arguments, env={**clean, "MON_NEXUS_CLIENT_KEY": "a-secret-key"})
    assert done.returncode == 2
    assert words in done.stderr.replace("\n     ", " ")
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_server_away(clean: dict[str, str]) -> None:
    done = mon("book", "nexus", SYMBOL, "--retries", "2", env=at(1, clean))
    assert done.returncode == 5
    assert [line["state"] for line in records(done.stdout)] == ["reconnecting", "reconnecting", "closed"]
    assert "gave up after 3 tries in a row" in done.stderr


def test_wrong_key_and_unknown_symbol_are_final(sim: dict[str, str]) -> None:
    wrong = mon("book", "nexus", SYMBOL, env={**sim, "MON_NEXUS_CLIENT_KEY": "another-secret"})
    assert wrong.returncode == 4
    assert "client key" in wrong.stderr
    unknown = mon("book", "nexus", "SPOT_NO_SUCH", env=sim)
    assert unknown.returncode == 4
    assert "SPOT_NO_SUCH" in unknown.stderr


def test_a_silent_server_runs_into_the_timeout(clean: dict[str, str]) -> None:
    lasted: list[float] = []

    async def silent(websocket: Any) -> None:
        begun = time.monotonic()
        await websocket.wait_closed()
        lasted.append(time.monotonic() - begun)

    with in_thread(lambda: websocket_server(silent)) as port:
        done = mon("book", "nexus", SYMBOL, "--timeout", "1s", env=at(port, clean))
        assert done.returncode == 6
        assert "no data came within 1.0 s" in done.stderr
        done = mon("trades", "nexus", SYMBOL, "--duration", "1s", env=at(port, clean))
        assert done.returncode == 6
    assert len(lasted) == 2
    assert max(lasted) < 5


@pytest.mark.parametrize("stream", ["book", "trades", "orders", "ping"])
def test_a_reader_that_goes_away(stream: str, sim: dict[str, str]) -> None:
    with started(stream, "nexus", SYMBOL, env=sim) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        process.stdout.close()
        assert process.wait(10) == 141
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_a_reader_that_goes_away_while_the_market_is_quiet(clean: dict[str, str]) -> None:
    async def one_book(websocket: Any) -> None:
        await websocket.send(
            '{"event":"BOOK","symbol":"SPOT_BTC_USDT","timestamp":1,"data":{"asks":[],"bids":[{"price":1,"quantity":1}]}}'
        )
        await websocket.wait_closed()

    with (
        in_thread(lambda: websocket_server(one_book)) as port,
        started("book", "nexus", SYMBOL, env=at(port, clean)) as p,
    ):
        assert p.stdout is not None
        assert p.stdout.readline()
        p.stdout.close()
        assert p.wait(5) == 141
        assert p.stderr is not None
        assert p.stderr.read() == ""


@pytest.mark.parametrize(
    "arguments", [("--help",), ("--version",), ("book", "--help"), ("venues",), ("schema", "book")]
)
def test_a_closed_pipe_is_silent_for_everything(arguments: tuple[str, ...], clean: dict[str, str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = run([MON, *arguments], clean, stdout=writing)
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("busy", [True, False])
def test_signals(number: signal.Signals, code: int, busy: bool, sim: dict[str, str], clean: dict[str, str]) -> None:
    env = sim if busy else at(1, clean)
    with started("book", "nexus", SYMBOL, env=env) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        process.send_signal(number)
        assert process.wait(5) == code
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()


def test_a_signal_while_nobody_reads(sim: dict[str, str]) -> None:
    """The pipe is full, the reader sleeps; Ctrl-C still ends it."""
    with started("book", "nexus", SYMBOL, "--depth", "1000", env=sim) as process:
        time.sleep(3)
        process.send_signal(signal.SIGINT)
        assert process.wait(5) == 130


def test_once_is_one_line(sim: dict[str, str]) -> None:
    for stream in ("book", "quotes", "trades", "orders"):
        done = mon(stream, "nexus", SYMBOL, "--once", env=sim)
        assert (done.returncode, len(done.stdout.splitlines())) == (0, 1)


# --- interruptions


def test_the_line_drops_while_a_stream_runs(tmp_path: Path) -> None:
    with simulator(tmp_path, "--fault", "drop:1500ms", "--rate", "100") as env:
        done = mon("book", "nexus", SYMBOL, "--duration", "5s", env=env)
    assert done.returncode == 0
    lines = records(done.stdout)
    states = [line["state"] for line in lines if line["type"] == "status"]
    assert states[:3] == ["reconnecting", "syncing", "live"]
    first = next(index for index, line in enumerate(lines) if line["type"] == "status")
    assert lines[first - 1]["type"] == "book", "data comes before"
    assert lines[first + 3]["type"] == "book", "and goes on afterwards"
    assert lines[first + 2]["down_ms"] > 0
    assert "trying again in" in done.stderr
    assert "live again after" in done.stderr


def test_statuses_can_be_kept_out_of_stdout(tmp_path: Path) -> None:
    with simulator(tmp_path, "--fault", "drop:700ms", "--rate", "100") as env:
        done = mon("book", "nexus", SYMBOL, "--duration", "2500ms", "--status", "stderr", env=env)
        quiet = mon("book", "nexus", SYMBOL, "--duration", "1500ms", "-q", env=env)
    assert {line["type"] for line in records(done.stdout)} == {"book"}
    assert "trying again" in done.stderr
    assert quiet.stderr == ""
    assert "status" in {line["type"] for line in records(quiet.stdout)}


def test_garbage_never_shows_a_wrong_number(tmp_path: Path) -> None:
    with simulator(tmp_path, "--fault", "garbage:100ms", "--rate", "100") as env:
        done = mon("book", "nexus", SYMBOL, "--duration", "4s", env=env)
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    assert "bad frame" in done.stderr
    shown = True
    for line in records(done.stdout):
        if line["type"] == "status":
            shown = line["state"] == "live"
        else:
            assert shown, "nothing is printed as a book until it is live again"
            assert line["bids"][0]["price"] < line["asks"][0]["price"]
            assert 10_000 < line["bids"][0]["price"] < 1_000_000
    states = [line["state"] for line in records(done.stdout) if line["type"] == "status"]
    assert "stale" in states
    for before, after in itertools.pairwise(states):
        assert (before, after) != ("stale", "stale")


def test_max_age_makes_a_quiet_book_stale(clean: dict[str, str]) -> None:
    async def two_books(websocket: Any) -> None:
        for price in (1, 2):
            now = int(time.time() * 1000)
            await websocket.send(
                f'{{"event":"BOOK","symbol":"SPOT_BTC_USDT","timestamp":{now},'
                f'"data":{{"asks":[],"bids":[{{"price":{price},"quantity":1}}]}}}}'
            )
            await asyncio.sleep(1.2)
        await websocket.wait_closed()

    with in_thread(lambda: websocket_server(two_books)) as port:
        done = mon("book", "nexus", SYMBOL, "--max-age", "500ms", "--count", "2", env=at(port, clean))
    kinds = [line.get("state", line["type"]) for line in records(done.stdout)]
    assert kinds == ["book", "stale", "live", "book"]
    assert "no data for 0.5 s (--max-age)" in done.stderr


def test_success_false_is_an_error_that_names_its_text(clean: dict[str, str]) -> None:
    async def refuse(websocket: Any) -> None:
        await websocket.send('{"success":false,"errorMsg":"Auth is \\u001b[31mneeded."}')
        await websocket.wait_closed()

    with in_thread(lambda: websocket_server(refuse)) as port:
        done = mon("book", "nexus", SYMBOL, env=at(port, clean))
    assert done.returncode == 4
    assert "Auth is \\x1b[31mneeded." in done.stderr


def test_a_consumer_that_blocks(sim: dict[str, str]) -> None:
    """Nothing is read for some seconds: books are conflated to the newest, trades are all there."""
    with started("book", "nexus", SYMBOL, "--depth", "200", "--duration", "7s", env=sim) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        time.sleep(4.5)
        lines = records(first + process.stdout.read())
        assert process.wait(5) == 0
    gaps = [after["received"] - before["received"] for before, after in itertools.pairwise(lines)]
    assert max(gaps) > 1500, "what was old when the reader came back is not printed"
    assert not [line for line in lines if line["type"] == "status"], "the line stayed alive"


# --- recordings


@pytest.mark.parametrize("name", ["run.jsonl", "run.jsonl.gz"])
def test_a_replay_gives_the_same_records(name: str, sim: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / name
    live = mon("book", "nexus", SYMBOL, "--duration", "2s", "--depth", "7", "--record", str(file), env=sim)
    for command in (
        ("replay", str(file)),
        ("book", "nexus", "--replay", str(file)),
        ("book", "nexus", SYMBOL, "--replay", str(file)),
    ):
        replayed = mon(*command, "--speed", "max", env=sim)
        assert (replayed.returncode, replayed.stderr) == (0, "")
        expected = [{**line, "env": "replay"} for line in records(live.stdout)]
        assert records(replayed.stdout) == expected
    assert len(expected) > 5


def test_a_replay_takes_the_options_of_its_stream(sim: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "book.jsonl"
    assert mon("book", "nexus", SYMBOL, "--count", "5", "--record", str(file), env=sim).returncode == 0
    done = mon("replay", str(file), "--speed", "max", "--once", "--depth", "1", env=sim)
    assert [len(line["bids"]) for line in records(done.stdout)] == [1]
    refused = mon("replay", str(file), "--interval", "1m", env=sim)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "--interval does not apply to book" in refused.stderr


def test_a_replay_in_real_time(sim: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "run.jsonl"
    mon("trades", "nexus", SYMBOL, "--duration", "2s", "--record", str(file), env=sim)
    before = time.monotonic()
    assert mon("replay", str(file), env=sim).returncode == 0
    slow = time.monotonic() - before
    before = time.monotonic()
    assert mon("replay", str(file), "--speed", "10", env=sim).returncode == 0
    assert slow > 1.9
    assert time.monotonic() - before < slow


@pytest.mark.parametrize("name", ["run.jsonl", "run.jsonl.gz"])
def test_a_damaged_recording_plays_up_to_the_damage(name: str, sim: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / name
    mon("trades", "nexus", SYMBOL, "--count", "20", "--record", str(file), env=sim)
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) * 2 // 3])
    done = mon("replay", str(file), "--speed", "max", env=sim)
    assert done.returncode == 3
    assert "damaged at line" in done.stderr
    assert 0 < len([line for line in records(done.stdout) if line["type"] == "trade"]) < 20


def test_recordings_that_are_none(clean: dict[str, str], tmp_path: Path) -> None:
    assert mon("replay", str(tmp_path / "nowhere"), env=clean).returncode == 3
    (tmp_path / "text").write_text("hello\n")
    done = mon("replay", str(tmp_path / "text"), env=clean)
    assert done.returncode == 3
    assert "expected a recording" in done.stderr
    done = mon("book", "nexus", SYMBOL, "--env", "sim", "--record", str(tmp_path / "no" / "where"), env=clean)
    assert done.returncode == 3


def test_a_killed_process_leaves_a_recording(sim: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "run.jsonl.gz"
    with started("trades", "nexus", SYMBOL, "--record", str(file), env=sim) as process:
        assert process.stdout is not None
        seen = [process.stdout.readline() for _ in range(10)]
        process.kill()
        process.wait(5)
    replayed = mon("replay", str(file), "--speed", "max", env=sim)
    kept = [{**line, "env": "replay"} for line in records("".join(seen))]
    assert records(replayed.stdout)[: len(kept) - 1] == kept[:-1]


# --- the rest


def test_help_of_every_command_has_an_example(clean: dict[str, str]) -> None:
    text = mon("--help", env=clean).stdout
    names = [
        line.split()[0]
        for line in text.partition("Commands:")[2].splitlines()
        if line.startswith("  ") and line.strip()
    ]
    names = [name for name in names if name.isalpha() and name != "mon" and name != "Examples"]
    assert {"book", "sim", "config", "replay"} <= set(names)
    for name in names:
        done = mon(name, "--help", env=clean)
        assert done.returncode == 0
        assert "Usage: mon " in done.stdout
        if name not in ("venues", "config"):
            assert f"  mon {name}" in done.stdout


@pytest.mark.parametrize("stream", STREAMS)
def test_the_examples_of_a_stream_can_be_run(stream: str) -> None:
    examples = [line.split(" -")[0].split() for line in stream_examples(stream).splitlines()[2:]]
    assert {venue for _, _, venue, *_ in examples} == set(venues_with(stream))
    for _, name, venue, *symbols in examples:
        assert name == stream
        settings = Settings(url="wss://venue.example")
        assert venue_named(venue).routes([Subscription(stream, tuple(symbols))], settings)
        assert bool(symbols) == (venue_named(venue).streams[stream].symbols in ("one", "many"))


@pytest.mark.parametrize("text", [None, "", "not a tape\n", '{"kind":"tape"}\n{"kind":"delta","bids":[["NaN","1"]]}\n'])
def test_a_tape_that_is_none(text: str | None, clean: dict[str, str], tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "tape").write_text(text)
    done = mon("sim", "--tape", str(tmp_path / "tape"), env=clean)
    assert done.returncode == 3
    assert "report it" not in done.stderr


@pytest.mark.parametrize("arguments", [("--version",), ("--help",), ("venues",), ("schema", "book")])
def test_a_full_disk_is_told(arguments: tuple[str, ...], clean: dict[str, str]) -> None:
    with open("/dev/full", "w") as full:
        done = run([MON, *arguments], clean, stdout=full)
    assert done.returncode == 1
    assert done.stderr == "mon: cannot write to stdout: No space left on device\n"


def test_orders_in_a_burst_are_all_told(clean: dict[str, str]) -> None:
    steps = [("NEW", 0), ("PARTIAL_FILLED", 1), ("PARTIAL_FILLED", 2), ("CANCELLED", 2)]

    async def burst(websocket: Any) -> None:
        for number in range(5):
            for status, filled in steps:
                await websocket.send(
                    f'{{"event":"ORDER_UPDATE","timestamp":1,"data":{{"symbol":"{SYMBOL}","order_id":{number},"side":"BUY",'
                    f'"order_quantity":5,"aggregated_executed_quantity":{filled},"status":"{status}"}}}}'
                )
        await websocket.wait_closed()

    with in_thread(lambda: websocket_server(burst)) as port:
        done = mon("orders", "nexus", SYMBOL, "--count", "20", "--timeout", "10s", env=at(port, clean), seconds=20)
    lines = records(done.stdout)
    assert [line["order_id"] for line in lines] == [str(number) for number in range(5) for _ in steps]
    assert [line["change"] for line in lines] == ["update", "update", "update", "remove"] * 5


def test_a_replay_keeps_its_own_time(sim: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "run.jsonl"
    live = mon("book", "nexus", SYMBOL, "--duration", "3s", "--record", str(file), env=sim)
    last = records(live.stdout)[-1]
    thinned = records(mon("book", "nexus", "--replay", str(file), "--speed", "max", "--every", "1s", env=sim).stdout)
    assert 3 <= len(thinned) <= 5
    assert thinned[-1]["bids"] == last["bids"]
    aged = records(mon("book", "nexus", "--replay", str(file), "--speed", "max", "--max-age", "2s", env=sim).stdout)
    assert len(aged) == len(records(live.stdout))


@pytest.mark.parametrize(
    "line",
    [
        '{"kind":"frame","at":1,"mono":1.0,"direction":"in","base64":"abc"}',
        '{"kind":"frame","at":1,"mono":1.0,"direction":"in"}',
        '{"kind":"frame","at":1,"mono":1.0,"direction":"in","text":"{}","line":-1}',
        '{"kind":"frame","at":1,"mono":1.0,"direction":"in","text":"{}","line":7}',
        '{"kind":"dial","at":1,"mono":1.0,"draw":1e308}',
        '{"kind":"http","at":1,"mono":1.0,"line":-1,"method":"GET","url":"","status":1,"body":""}',
        '{"kind":"tick","at":-5,"mono":1.0}',
    ],
)
def test_a_recording_that_was_tampered_with(line: str, clean: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "odd.jsonl"
    head = '{"kind":"recording","version":1,"venue":"nexus","url":"wss://v.example","subscriptions":[{"stream":"book",%s}]}'
    begin = '{"kind":"dial","at":1,"mono":1.0,"draw":0.5}\n{"kind":"open","at":1,"mono":1.0}'
    symbols = '"symbols":["SPOT_BTC_USDT"]'
    file.write_text(head % symbols + f"\n{begin}\n{line}\n")
    done = mon("replay", str(file), "--speed", "max", env=clean)
    assert (done.returncode, done.stdout) == (3, "")
    file.write_text(head % (symbols + ',"depth":-5') + "\n")
    assert mon("replay", str(file), env=clean).returncode == 3


def test_ctrl_c_while_it_starts(clean: dict[str, str]) -> None:
    for pause in (0.06, 0.1, 0.2, 0.3):
        with started("book", "nexus", SYMBOL, "--env", "sim", env=clean) as process:
            time.sleep(pause)
            process.send_signal(signal.SIGINT)
            code = process.wait(20)
            assert process.stderr is not None
            told = process.stderr.read()
            if "Traceback" in told and "__main__.py" not in told:
                continue  # the interpreter's own start cannot be helped
            assert code in (130, -signal.SIGINT)
            assert "Traceback" not in told


@pytest.mark.parametrize(
    "command", [("book", "nexus", SYMBOL, "--env", "sim"), ("sim",), ("send", "nbt", "--stdin", "--yes")]
)
def test_ctrl_c_that_an_import_swallows(command: tuple[str, ...], clean: dict[str, str]) -> None:
    code = (
        "import contextlib, os, signal, sys, cli.main\n"
        "def loaded(name, load=cli.main._loaded):\n"
        "    with contextlib.suppress(KeyboardInterrupt):\n"  # as the import system's own callbacks do
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "    return load(name)\n"
        "cli.main._loaded = loaded\n"
        "from cli.__main__ import main\n"
        f"sys.argv = ['mon', *{list(command)!r}]\n"
        "main()\n"
    )
    env = {**clean, "MON_NBT_URL": "ws://127.0.0.1:9", "MON_NBT_KEY": "a-long-enough-key"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=40, check=False
    )
    assert (done.returncode, done.stderr) == (130, "")


def test_ctrl_c_while_the_datetime_module_loads(clean: dict[str, str]) -> None:
    """The decoders need it, load it themselves, and crash where that was interrupted."""
    code = (
        "import os, signal, sys\n"
        "def trace(frame, event, _):\n"
        "    if frame.f_code.co_name == '<module>' and frame.f_globals.get('__name__') == 'datetime':\n"
        "        sys.settrace(None)\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "from cli.__main__ import main\n"
        "assert 'datetime' not in sys.modules\n"
        "sys.settrace(trace)\n"
        f"sys.argv = ['mon', 'book', 'nexus', {SYMBOL!r}, '--env', 'sim']\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=clean, capture_output=True, text=True, timeout=40, check=False
    )
    assert (done.returncode, done.stderr) == (130, "")


def test_version(clean: dict[str, str]) -> None:
    from importlib.metadata import version

    assert mon("--version", env=clean).stdout == f"mon {version('mon')}\n"
    assert mon("-q", env=clean).returncode == 2


def test_venues(clean: dict[str, str]) -> None:
    text = mon("venues", env=clean).stdout
    assert "ORDER_UPDATE (partial)" in text
    lines = records(mon("venues", "-o", "jsonl", env=clean).stdout)
    assert {line["stream"] for line in lines if line["venue"] == "nexus"} == set(NEXUS.streams)


def test_show_env_leads_to_a_simulator(clean: dict[str, str]) -> None:
    done = mon("sim", "--show-env", "--port", "4321", env=clean)
    assert "export MON_NEXUS_URL=ws://127.0.0.1:4321/nexus" in done.stdout.splitlines()


def test_show_env_of_a_tape_has_its_prices_and_sizes(clean: dict[str, str], tmp_path: Path) -> None:
    tape = tmp_path / "tape.jsonl"
    tape.write_text(
        '{"kind":"tape","market":"X"}\n{"t":1,"kind":"snapshot","bids":[["0.7901","450.5"]],"asks":[["0.8","1"]]}\n'
    )
    done = mon("sim", "--show-env", "--port", "4321", "--tape", str(tape), env=clean)
    (line,) = [line for line in done.stdout.splitlines() if "MON_JAYX_SYMBOLS" in line]
    sizes = json.loads(shlex.split(line)[1].partition("=")[2])
    assert sizes["BTCUSDT"] == {"tick_size": "0.0001", "lot_size": "0.1"}
    assert sizes["ETHUSDT"] == {"tick_size": "0.01", "lot_size": "0.001"}, "the other markets are as always"
    missing = mon("sim", "--show-env", "--port", "4321", "--tape", str(tmp_path / "none"), env=clean)
    assert (missing.returncode, missing.stdout) == (3, "")
    assert "none" in missing.stderr


def test_a_port_that_is_taken(sim: dict[str, str], clean: dict[str, str]) -> None:
    port = sim["MON_NEXUS_URL"].split(":")[2].split("/")[0]
    done = mon("sim", "--port", port, env=clean)
    assert done.returncode == 3
    assert port in done.stderr


def test_a_venue_that_is_an_ordinary_web_server(clean: dict[str, str]) -> None:
    with in_thread(lambda: raw_server(http_answer("200 OK", "<html>"))) as port:
        done = mon("book", "nexus", SYMBOL, env=at(port, clean))
    assert done.returncode == 5
    assert "expected a WebSocket" in done.stderr


def test_exit_codes_are_told_in_one_place() -> None:
    assert sorted(EXIT_CODES) == [0, 1, 2, 3, 4, 5, 6, 129, 130, 131, 141, 143]


@pytest.mark.parametrize("arguments", [f"book nexus {SYMBOL} --env sim --once", "venues", "--help"])
def test_a_closed_stdout(arguments: str, clean: dict[str, str]) -> None:
    done = subprocess.run(
        ["sh", "-c", f'"{MON}" {arguments} >&-'], env=clean, check=False, timeout=30, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr == "mon: cannot write to stdout: Bad file descriptor\n"


@pytest.mark.parametrize(("arguments", "code"), [(f"book nexus {SYMBOL} --env sim --count 2", 0), ("", 2)])
def test_closed_descriptors(arguments: str, code: int, clean: dict[str, str]) -> None:
    script = f'"{MON}" {arguments} <&- 2>&-'
    done = subprocess.run(["sh", "-c", script], env=clean, check=False, timeout=30, capture_output=True, text=True)
    assert done.returncode == code
    assert len(records(done.stdout)) == (2 if code == 0 else 0)
