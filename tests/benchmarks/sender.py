"""A venue that sends as fast as it is read: bursts of Nexus trades made before anybody connects.

    python -m tests.benchmarks.sender MESSAGES

Prints its port; then everyone who connects gets the same messages, and a close. It runs until its stdin is closed.
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from websockets.asyncio.server import ServerConnection

SYMBOL = "SPOT_BTC_USDT"
BURST = 64  # messages that are written together


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
    head = bytes([0x81, length]) if length <= 125 else bytes([0x81, 126]) + length.to_bytes(2, "big")
    return head + payload


def bursts(count: int) -> list[bytes]:
    """What goes to the socket, a burst at a time."""
    frames = [text_frame(message) for message in messages(count)]
    return [b"".join(frames[start : start + BURST]) for start in range(0, count, BURST)]


async def serve_until_closed(count: int) -> None:
    """Print the port, serve, end with stdin."""
    ready = bursts(count)

    async def send_all(connection: ServerConnection) -> None:
        try:
            for burst in ready:
                connection.transport.write(burst)  # whole frames, so the library's own pongs fit in between
                await connection.drain()
        except (ConnectionClosed, OSError):
            pass  # the reader has had enough

    async with serve(send_all, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve_until_closed(int(sys.argv[1])))
