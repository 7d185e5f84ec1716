"""A venue that sends as fast as it is read, or at a rate: Nexus trades made before anybody connects.

    python -m tests.benchmarks.sender MESSAGES RATE TIMES LEVELS

`RATE` is in messages a second, 0 for as fast as they are read; they are sent `TIMES` times. With `LEVELS` they are
books of so many levels a side instead. Prints its port; then everyone who connects gets the same messages, and a close.
It runs until its stdin is closed.
"""

from __future__ import annotations

import asyncio
import itertools
import subprocess
import sys
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from websockets.asyncio.server import ServerConnection

ROOT = Path(__file__).parents[2]
SYMBOL = "SPOT_BTC_USDT"
BURST = 64  # messages that are written together
TICKS = 500  # a second, in which a rate is kept


def trades(count: int) -> Iterator[tuple[str, str, str, int]]:
    """Price, size, side and time of each trade; no two neighbours are alike."""
    for number in range(count):
        price = f"{40_000 + number * 7919 % 2_000}.{number * 31 % 100:02}"
        size = f"{number * 13 % 5}.{number * 104_729 % 999_999 + 1:06}"
        yield price, size, "BUY" if number * 2_654_435_761 % 7 < 4 else "SELL", 1_564_710_591_905 + number * 3


def messages(count: int) -> Iterator[bytes]:
    """The same as Nexus says it."""
    for price, size, side, timestamp in trades(count):
        yield (
            f'{{"event":"TRADE","symbol":"{SYMBOL}","timestamp":{timestamp},'
            f'"data":{{"price":{price},"quantity":{size},"side":"{side}"}}}}'
        ).encode()


def text_frame(payload: bytes) -> bytes:
    """One unmasked, final text frame."""
    length = len(payload)
    if length <= 125:
        return bytes([0x81, length]) + payload
    short = length < 2**16
    return bytes([0x81, 126 if short else 127]) + length.to_bytes(2 if short else 8, "big") + payload


def bursts(payloads: Iterable[bytes], size: int = BURST) -> list[bytes]:
    """What goes to the socket, a burst at a time."""
    frames = [text_frame(payload) for payload in payloads]
    return [b"".join(frames[start : start + size]) for start in range(0, len(frames), size)]


def sending(count: int, *, rate: int = 0, times: int = 1, levels: int = 0) -> AbstractContextManager[int]:
    """The port of a process that sends."""
    return port_of("tests.benchmarks.sender", count, rate, times, levels)


@contextmanager
def port_of(module: str, *words: int | str) -> Iterator[int]:
    """The port that a module prints as its first line; it runs until its stdin is closed."""
    arguments = [sys.executable, "-m", module, *map(str, words)]
    with subprocess.Popen(arguments, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.stdin.close()


async def serve_until_closed(count: int, rate: int, times: int, levels: int) -> None:
    """Print the port, serve, end with stdin."""
    ready = bursts(_books(count, levels) if levels else messages(count), max(1, rate // TICKS) if rate else BURST)

    async def send_all(connection: ServerConnection) -> None:
        assert connection.request is not None
        symbol = connection.request.path.rpartition("/")[2].encode()
        loop = asyncio.get_running_loop()
        due = loop.time()
        try:
            for burst in itertools.chain.from_iterable(itertools.repeat(ready, times)):
                # Whole frames, so the library's own pongs fit in between. All symbols have names of one length.
                connection.transport.write(burst.replace(SYMBOL.encode(), symbol))
                await connection.drain()
                if rate:
                    due += 1 / TICKS
                    await asyncio.sleep(max(0.0, due - loop.time()))
        except (ConnectionClosed, OSError, RuntimeError):
            pass  # the reader has had enough; the transport of a line that is being closed takes nothing

    async with serve(send_all, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.to_thread(sys.stdin.read)


def _books(count: int, levels: int) -> Iterator[bytes]:
    from tests.benchmarks.costs import books  # not where it is not needed: it loads the screen

    return books(levels, count)


if __name__ == "__main__":
    asyncio.run(serve_until_closed(*(int(word) for word in sys.argv[1:])))
