"""The yardstick: a `websockets` receive loop that does nothing with what it gets.

    python -m tests.benchmarks.receiver URL text|bytes

Prints the messages it got and the seconds from the first to the last.
"""

from __future__ import annotations

import asyncio
import sys
import time

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed


async def receive(url: str, *, decode: bool | None) -> None:
    """Until the other side closes."""
    count = 0
    async with connect(url, proxy=None, compression=None) as websocket:
        try:
            await websocket.recv(decode)
            first = last = time.perf_counter()
            count = 1
            if decode is None:
                while True:
                    await websocket.recv()
                    count += 1
            while True:
                await websocket.recv(decode=False)
                count += 1
        except ConnectionClosed:
            last = time.perf_counter()
    print(count, last - first)


if __name__ == "__main__":
    asyncio.run(receive(sys.argv[1], decode=False if sys.argv[2] == "bytes" else None))
