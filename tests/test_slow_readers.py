"""Readers of a pipe that are slower than the feed, against the real command: nothing old is read as if it were live."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from cli.output.pipe import unread
from tests.command import SYMBOL, environment, started
from tests.servers import in_thread, websocket_server

LINUX = unread(os.pipe()[1]) is not None
needs_linux = pytest.mark.skipif(not LINUX, reason="needs a system that says how much is unread")
PINGED = 10  # messages from one ping to the next
WITHIN = 20.0  # seconds for whatever is waited for, also on a machine that is busy


class Venue:
    """A Nexus that says one book after the other, each with its number as the best bid; a test says when."""

    def __init__(self, *, levels: int = 1, every: float = 0.001) -> None:
        self.sent = 0
        self.taken = 0  # the last one that the client has read from its socket: it has answered a ping after that
        self.until = 1_000_000
        self.gone = False
        self._levels = levels
        self._every = every

    async def __call__(self, websocket: Any) -> None:
        while not self.gone and websocket.close_code is None:
            if self.sent < self.until:
                with contextlib.suppress(ConnectionClosed):
                    await websocket.send(self._book(self.sent + 1))
                self.sent += 1
                if self.sent % PINGED == 0:
                    await self._ping(websocket)
            await asyncio.sleep(self._every)
        await websocket.close(1011)

    async def _ping(self, websocket: Any) -> None:
        number = self.sent

        def answered(_: object) -> None:
            self.taken = max(self.taken, number)

        with contextlib.suppress(ConnectionClosed):
            (await websocket.ping()).add_done_callback(answered)

    def _book(self, number: int) -> str:
        bids = [{"price": number - step / 10_000, "quantity": 1} for step in range(self._levels)]
        asks = [{"price": 10_000_000 + step, "quantity": 1} for step in range(self._levels)]
        data = {"bids": bids, "asks": asks}
        stamp = int(time.time() * 1000)
        return json.dumps({"event": "BOOK", "symbol": SYMBOL, "timestamp": stamp, "data": data})


class Lines:
    """Reads a pipe as a shell does: byte for byte, so that what it has not read stays in the pipe."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self.descriptor = process.stdout.fileno()

    def next(self) -> dict[str, Any]:
        line = b""
        while not line.endswith(b"\n"):
            byte = os.read(self.descriptor, 1)
            assert byte, f"the lines end with {line!r}"
            line += byte
        record: dict[str, Any] = json.loads(line)
        return record

    def number(self) -> int:
        """Of the next line, which must be data."""
        return number_of(self.next())


def number_of(record: dict[str, Any]) -> int:
    return int(record["bid_price"] if record["type"] == "quote" else record["bids"][0]["price"])


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WITHIN
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@contextlib.contextmanager
def watched(venue: Venue, home: Path, *arguments: str, **options: Any) -> Iterator[subprocess.Popen[str]]:
    with in_thread(lambda: websocket_server(venue)) as port:
        env = environment(home, MON_NEXUS_URL=f"ws://127.0.0.1:{port}", MON_NEXUS_CLIENT_KEY="a-secret-client-key")
        stream, *others = arguments
        with started(stream, "nexus", SYMBOL, *others, env=env, **options) as process:
            yield process


@needs_linux
@pytest.mark.parametrize("stream", ["quotes", "book"])
@pytest.mark.parametrize("levels", [1, 20, 1_000])
def test_what_a_slow_reader_reads_is_newer_than_the_line_before(stream: str, levels: int, tmp_path: Path) -> None:
    """At most the next line was made before this one was read, also where one line is larger than the pipe."""
    venue = Venue(levels=levels, every=0.002 if levels < 1_000 else 0.02)
    with (
        watched(venue, tmp_path, stream, "--depth", "1000")
        if stream == "book"
        else watched(venue, tmp_path, stream) as process
    ):
        lines = Lines(process)
        lines.number()
        lines.number()
        for turn in range(5):
            sent = venue.sent
            wait_for(lambda sent=sent: venue.taken > sent + (250 if levels < 1_000 else 30))  # longer than 0.25 s
            lines.number()  # was made when the line before was read
            number = lines.number()
            while not turn and number < sent:  # nobody knew yet that the reader is slow
                number = lines.number()
            assert number >= sent


@needs_linux
def test_nothing_but_one_line_lies_in_the_pipe(tmp_path: Path) -> None:
    venue = Venue()
    with watched(venue, tmp_path, "quotes") as process:
        lines = Lines(process)
        for _ in range(3):
            length = len(json.dumps(lines.next(), separators=(",", ":"))) + 1
            sent = venue.sent
            wait_for(lambda sent=sent: venue.sent > sent + 300)
            assert 0 < (unread(lines.descriptor) or 0) < 1.5 * length


@needs_linux
def test_the_shells_own_loop(tmp_path: Path) -> None:
    """As in the README: what it prints are the numbers of one line after the other."""
    venue = Venue()
    with in_thread(lambda: websocket_server(venue)) as port:
        env = environment(tmp_path, MON_NEXUS_URL=f"ws://127.0.0.1:{port}", MON_NEXUS_CLIENT_KEY="a-secret-client-key")
        loop = f'mon quotes nexus {SYMBOL} | while read -r line; do echo "$line"; sleep 0.5; done'
        with subprocess.Popen(["bash", "-c", loop], env=env, stdout=subprocess.PIPE, start_new_session=True) as shell:
            assert shell.stdout is not None
            try:
                numbers, sent = [], []
                for _ in range(8):
                    numbers.append(number_of(json.loads(shell.stdout.readline())))
                    sent.append(venue.sent)
                # Each was made when the one before was read, half a second earlier, and so after the one before that.
                assert all(number > before for number, before in zip(numbers[3:], sent[1:], strict=False))
            finally:
                os.killpg(shell.pid, 9)


@needs_linux
def test_a_status_overtakes_states_that_became_worthless(tmp_path: Path) -> None:
    venue = Venue()
    with watched(venue, tmp_path, "quotes") as process:
        lines = Lines(process)
        lines.number()
        wait_for(lambda: venue.sent > 500)
        venue.gone = True
        assert process.stderr is not None
        assert "trying again" in process.stderr.readline()
        lines.number()  # the one that lay in the pipe
        assert lines.next()["state"] == "reconnecting"


@needs_linux
def test_max_age_is_judged_when_a_line_is_handed_over(tmp_path: Path) -> None:
    venue = Venue()
    with watched(venue, tmp_path, "quotes", "--max-age", "400ms") as process:
        lines = Lines(process)
        lines.number()
        wait_for(lambda: venue.sent > 500)
        venue.until = 0
        assert process.stderr is not None
        assert "stale" in process.stderr.readline()
        lines.number()  # the one that lay in the pipe
        assert lines.next()["state"] == "stale"


@needs_linux
@pytest.mark.parametrize("pause", [0.0, 0.1])
def test_a_reader_that_leaves_nothing_unread_for_long_gets_every_record(pause: float, tmp_path: Path) -> None:
    venue = Venue(every=0.002)
    venue.until = 1_000
    with watched(venue, tmp_path, "quotes") as process:
        assert process.stdout is not None
        data = b""
        while data.count(b"\n") < venue.until:
            data += os.read(process.stdout.fileno(), 65536)
            time.sleep(pause)
    assert [number_of(json.loads(line)) for line in data.splitlines()] == list(range(1, venue.until + 1))


def test_a_file_gets_every_record(tmp_path: Path) -> None:
    venue = Venue()
    venue.until = 500
    with (tmp_path / "lines").open("wb") as file, watched(venue, tmp_path, "quotes", stdout=file):
        wait_for(lambda: (tmp_path / "lines").read_bytes().count(b"\n") >= venue.until)
    numbers = [number_of(json.loads(line)) for line in (tmp_path / "lines").read_text().splitlines()]
    assert numbers == list(range(1, venue.until + 1))
