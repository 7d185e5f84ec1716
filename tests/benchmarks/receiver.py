"""The yardsticks: a `websockets` receive loop that does nothing with what it gets, and the script that one writes.

    python -m tests.benchmarks.receiver URL text|bytes|script

Says on stderr how many messages it got, and the seconds from the first to the last. The script reads each message with
`json` and prints a line of what is in it.
"""

from __future__ import annotations

import asyncio
import json
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
    print(count, last - first, file=sys.stderr)


async def script(url: str) -> None:
    """The same, with a line a message."""
    count = 0
    first = last = time.perf_counter()
    async with connect(url, proxy=None, compression=None) as websocket:
        async for message in websocket:
            event = json.loads(message)
            data = event["data"]
            trade = {"symbol": event["symbol"], "time": event["timestamp"]}
            print(json.dumps({**trade, "price": data["price"], "size": data["quantity"], "side": data["side"].lower()}))
            last = time.perf_counter()
            first = first if count else last
            count += 1
    print(count, last - first, file=sys.stderr)


if __name__ == "__main__":
    kind = sys.argv[2]
    asyncio.run(
        script(sys.argv[1]) if kind == "script" else receive(sys.argv[1], decode=False if kind == "bytes" else None)
    )
