"""How the real command ends while something hangs, and what becomes of what its reader has not read yet."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from cli.output.pipe import unread
from tests.command import SYMBOL, environment, started
from tests.servers import in_thread, raw_server, websocket_server
from tests.test_slow_readers import needs_linux, wait_for

KEY = {"MON_NEXUS_CLIENT_KEY": "a-secret-client-key"}
SOON = 3.0  # seconds, on a machine that is busy; what hangs here does so for 20 s at least

SLOW_LOOKUP = """
import socket, time
def slowly(*arguments, **options):
    open({marker!r}, "w").close()
    time.sleep(20)
    raise socket.gaierror("too late")
socket.getaddrinfo = slowly
"""


class Trades:
    """A Nexus that sends so many trades, as fast as they are taken."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.sent = 0

    async def __call__(self, websocket: Any) -> None:
        with contextlib.suppress(ConnectionClosed):
            for number in range(1, self.count + 1):
                data = {"price": number, "quantity": 1, "side": "BUY"}
                stamp = int(time.time() * 1000)
                await websocket.send(json.dumps({"event": "TRADE", "symbol": SYMBOL, "timestamp": stamp, "data": data}))
                self.sent = number
            await websocket.wait_closed()


def interrupted(process: subprocess.Popen[str], number: signal.Signals = signal.SIGINT) -> None:
    """It ends soon after the signal, as it should, and says nothing that nobody can read."""
    begun = time.monotonic()
    process.send_signal(number)
    assert process.wait(SOON) == 128 + number, time.monotonic() - begun
    assert process.stderr is not None
    assert "Traceback" not in process.stderr.read()


def hanging_venue(port: int, scheme: str = "ws") -> dict[str, str]:
    return {"MON_NEXUS_URL": f"{scheme}://localhost:{port}", **KEY}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_lookup_that_takes_long(number: signal.Signals, tmp_path: Path) -> None:
    marker = tmp_path / "asked"
    (tmp_path / "sitecustomize.py").write_text(SLOW_LOOKUP.format(marker=str(marker)))
    env = environment(tmp_path, PYTHONPATH=str(tmp_path), MON_NEXUS_URL="wss://venue.example", **KEY)
    with started("book", "nexus", SYMBOL, env=env) as process:
        wait_for(marker.exists)
        interrupted(process, number)


@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_a_venue_that_does_not_answer(scheme: str, tmp_path: Path) -> None:
    """The WebSocket's handshake, or that of TLS."""
    came = threading.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.set()
        while await reader.read(1000):
            pass

    with in_thread(lambda: raw_server(silent)) as port:
        env = environment(tmp_path, **hanging_venue(port, scheme))
        with started("book", "nexus", SYMBOL, env=env) as process:
            assert came.wait(20)
            interrupted(process)


@needs_linux
def test_a_connection_that_does_not_come_about(tmp_path: Path) -> None:
    with socket.socket() as listening, contextlib.ExitStack() as stack:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(4):  # nobody takes them, and so no more can come
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listening.getsockname())
        env = environment(tmp_path, MON_NEXUS_URL=f"ws://127.0.0.1:{listening.getsockname()[1]}", **KEY)
        with started("book", "nexus", SYMBOL, env=env) as process:
            wait_for(lambda: connecting(process.pid))
            interrupted(process)


def connecting(pid: int) -> bool:
    """Whether a process has a socket that is being connected."""
    with contextlib.suppress(OSError):
        own = {os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir()}
        rows = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
        return any(row[3] == "02" and f"socket:[{row[9]}]" in own for row in rows)
    return False


def test_a_token_command_that_takes_long(tmp_path: Path) -> None:
    marker = tmp_path / "pid"
    config = tmp_path / "config.toml"
    command = f'["sh", "-c", "echo $$ > {marker}.new; mv {marker}.new {marker}; exec sleep 60"]'
    config.write_text(f'[venues.nexus]\nurl = "ws://127.0.0.1:9"\nclient_key_command = {command}\n')
    config.chmod(0o600)
    with started("book", "nexus", SYMBOL, env=environment(tmp_path, MON_CONFIG=str(config))) as process:
        wait_for(marker.exists)
        interrupted(process)
    pid = int(marker.read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_venue_that_does_not_let_go(tmp_path: Path) -> None:
    ended = threading.Event()

    async def deaf(websocket: Any) -> None:
        data = {"bids": [{"price": 1, "quantity": 1}], "asks": []}
        await websocket.send(json.dumps({"event": "BOOK", "symbol": SYMBOL, "timestamp": 1, "data": data}))
        websocket.transport.pause_reading()
        await asyncio.to_thread(ended.wait)

    with in_thread(lambda: websocket_server(deaf)) as port:
        with started("book", "nexus", SYMBOL, env=environment(tmp_path, **hanging_venue(port))) as process:
            assert process.stdout is not None
            assert process.stdout.readline()
            interrupted(process)
        with started(
            "book", "nexus", SYMBOL, "--duration", "1s", env=environment(tmp_path, **hanging_venue(port))
        ) as p:
            assert p.stdout is not None
            assert p.stdout.readline()
            assert p.wait(1 + SOON) == 0
        ended.set()


def is_full(descriptor: int) -> bool:
    """Nothing more comes into a pipe that has a lot in it; its pages are not always filled to the end."""
    before = unread(descriptor) or 0
    time.sleep(0.1)
    return before > 30_000 and unread(descriptor) == before


@needs_linux
def test_a_pipe_that_is_full(tmp_path: Path) -> None:
    venue = Trades(20_000)
    with trading(venue, tmp_path) as process:
        assert process.stdout is not None
        pipe = process.stdout.fileno()
        wait_for(lambda: is_full(pipe))
        interrupted(process)


@needs_linux
def test_a_recording_that_takes_nothing(tmp_path: Path) -> None:
    """A disk that hangs: a pipe that somebody has opened and does not read."""
    fifo = tmp_path / "recording"
    os.mkfifo(fifo)
    venue = Trades(100_000)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with in_thread(lambda: websocket_server(venue)) as port:
            env = environment(tmp_path, **hanging_venue(port))
            with started(
                "trades", "nexus", SYMBOL, "--record", str(fifo), env=env, stdout=subprocess.DEVNULL
            ) as process:
                wait_for(lambda: is_full(reader))
                interrupted(process)
    finally:
        os.close(reader)


@pytest.mark.parametrize("pause", [0.0, 0.01, 0.05, 0.1, 0.2, 0.4])
def test_a_second_ctrl_c_tells_no_traceback(pause: float, tmp_path: Path) -> None:
    marker = tmp_path / "asked"
    (tmp_path / "sitecustomize.py").write_text(SLOW_LOOKUP.format(marker=str(marker)))
    env = environment(tmp_path, PYTHONPATH=str(tmp_path), MON_NEXUS_URL="wss://venue.example", **KEY)
    with started("book", "nexus", SYMBOL, env=env) as process:
        wait_for(marker.exists)
        for _ in range(3):
            process.send_signal(signal.SIGINT)
            time.sleep(pause)
        assert process.wait(SOON) == 130
        assert process.stderr is not None
        assert process.stderr.read() == ""


# --- what is left for the reader


@contextlib.contextmanager
def trading(venue: Trades, home: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    with contextlib.ExitStack() as stack:
        port = stack.enter_context(in_thread(lambda: websocket_server(venue)))
        env = environment(home, **hanging_venue(port))
        yield stack.enter_context(started("trades", "nexus", SYMBOL, *arguments, env=env))


@needs_linux
def test_what_is_left_when_the_reader_takes_nothing_is_counted(tmp_path: Path) -> None:
    venue = Trades(5_000)
    with trading(venue, tmp_path, "--duration", "3s") as process:
        assert process.wait(3 + 2 * SOON) == 0
        assert venue.sent == venue.count
        assert process.stdout is not None
        assert process.stderr is not None
        written = process.stdout.read().count("\n")
        assert 0 < written < venue.count
        left = venue.count - written
        assert f"{left:,} lines were not written: the reader took nothing more" in process.stderr.read()


def test_what_was_received_is_written_while_the_reader_goes_on_reading(tmp_path: Path) -> None:
    venue = Trades(3_000)
    with trading(venue, tmp_path, "--duration", "2s") as process:
        assert process.stdout is not None
        wait_for(lambda: venue.sent == venue.count)
        data, begun = b"", time.monotonic()
        while chunk := os.read(process.stdout.fileno(), 8_000):
            data += chunk
            time.sleep(0.05)
        assert time.monotonic() - begun > 3, "longer than --duration"
        assert process.wait(SOON) == 0
    assert data.count(b"\n") == venue.count


@needs_linux
def test_a_state_that_nobody_reads_does_not_hold_up_the_end(tmp_path: Path) -> None:
    from tests.test_slow_readers import Venue, watched

    with watched(Venue(), tmp_path, "quotes", "--duration", "2s") as process:
        assert process.wait(2 + SOON) == 0
        assert process.stderr is not None
        assert "1 line was not written" in process.stderr.read()
