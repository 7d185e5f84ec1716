"""What a table of 120×40 costs on top of the same feed as JSON lines, at 5,000 messages a second.

python -m tests.benchmarks.screen            the figures
python -m tests.benchmarks.screen KIND       a venue that sends trades or books at that rate; prints its port
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import TYPE_CHECKING

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

from tests.benchmarks.figures import WrongResultError, absent, at_most, for_information, print_head, progress
from tests.benchmarks.sender import SYMBOL

if TYPE_CHECKING:
    from websockets.asyncio.server import ServerConnection

RATE = 5_000
SECONDS = 10
COLUMNS, LINES = 120, 40
LIMIT = 0.2
DIFFERENT = 2_000  # messages before they come again
UPDATE = b"\x1b[?2026h"


def trade(number: int) -> str:
    """A trade, with a place for its time."""
    price, side = f"{65_000 + number % 200}.{number % 100:02}", "BUY" if number % 3 else "SELL"
    return (
        f'{{"event":"TRADE","symbol":"{SYMBOL}","timestamp":%d,"data":{{"price":{price},'
        f'"quantity":0.{number * 7919 % 9999 + 1:04},"side":"{side}"}}}}'
    )


def book(number: int) -> str:
    """A book of 20 levels a side that changes at every level."""
    sides = (
        ",".join(
            f'{{"price":{65_000 + number % 50 + sign * level}.5,"quantity":0.{(number + level) * 7919 % 9999 + 1:04}}}'
            for level in range(1, 21)
        )
        for sign in (-1, 1)
    )
    bids, asks = sides
    return f'{{"event":"BOOK","symbol":"{SYMBOL}","timestamp":%d,"data":{{"bids":[{bids}],"asks":[{asks}]}}}}'


async def send(kind: str) -> None:
    """Serve until stdin is closed."""
    made = [{"trades": trade, "book": book}[kind](number) for number in range(DIFFERENT)]

    async def feed(websocket: ServerConnection) -> None:
        start, sent = time.monotonic(), 0
        try:
            while True:
                for number in range(sent, round((time.monotonic() - start) * RATE)):
                    await websocket.send(made[number % DIFFERENT] % round(time.time() * 1000))
                    sent = number + 1
                await asyncio.sleep(0.002)
        except ConnectionClosed:
            pass

    async with serve(feed, "127.0.0.1", 0, compression=None) as server:
        print(next(iter(server.sockets)).getsockname()[1], flush=True)
        await asyncio.to_thread(sys.stdin.read)


def share_of_a_core(mon: Path, stream: str, port: int, *, as_table: bool) -> tuple[float, int]:
    """Processor time over time, start and end left out by taking them twice; and how often was drawn."""
    (long, drawn), (short, _) = (_run(mon, stream, port, seconds, as_table=as_table) for seconds in (SECONDS + 2, 2))
    return (long - short) / SECONDS, drawn


def _run(mon: Path, stream: str, port: int, seconds: int, *, as_table: bool) -> tuple[float, int]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MON_", "PYTHON"))}
    environment |= {"MON_NEXUS_URL": f"ws://127.0.0.1:{port}", "MON_NEXUS_CLIENT_KEY": "a-key-of-no-value"}
    environment |= {"TERM": "xterm-256color", "LANG": "C.UTF-8"}
    own, theirs = pty.openpty() if as_table else os.pipe()
    if as_table:
        fcntl.ioctl(own, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    process = subprocess.Popen(
        [mon, stream, "nexus", SYMBOL, "--duration", f"{seconds}s"],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=subprocess.DEVNULL,
        preexec_fn=(lambda: (os.setsid(), fcntl.ioctl(1, termios.TIOCSCTTY, 0))) if as_table else None,
    )
    os.close(theirs)
    drawn = 0
    while True:
        if select.select([own], [], [], seconds + 20)[0]:
            try:
                data = os.read(own, 2**20)
            except OSError:  # the terminal of a process that is gone
                break
            drawn += data.count(UPDATE)
            if data:
                continue
        break
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    os.close(own)
    if process.returncode:
        raise WrongResultError(f"mon ended with exit code {process.returncode}")
    return usage.ru_utime + usage.ru_stime, drawn


def run() -> None:
    """A table and lines, of trades and of books."""
    mon = Path(sys.executable).with_name("mon")
    if not mon.exists():
        absent("a table at 5,000 messages a second", "no `mon` beside the interpreter")
        return
    for stream in ("trades", "book"):
        progress(f"a table of {stream}")
        arguments = [sys.executable, "-m", "tests.benchmarks.screen", stream]
        with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as sender:
            assert sender.stdin is not None
            assert sender.stdout is not None
            port = int(sender.stdout.readline())
            lines, _ = share_of_a_core(mon, stream, port, as_table=False)
            table, drawn = share_of_a_core(mon, stream, port, as_table=True)
            sender.stdin.close()
        progress("")
        rate = f"{RATE:,} msg/s"
        for_information(f"{stream} as JSON lines, {rate}", f"{lines:.2f} of a core")
        for_information(f"table of {stream}, {rate}", f"{table:.2f} of a core, {drawn / (SECONDS + 2):.1f} draws/s")
        at_most(f"table of {stream} on top of the lines", f"{table - lines:.2f} of a core", table - lines, LIMIT)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        asyncio.run(send(sys.argv[1]))
    else:
        print_head()
        run()
