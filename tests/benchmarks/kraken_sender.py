"""A Kraken that sends trades of many symbols as fast as they are read.

    python -m tests.benchmarks.kraken_sender MESSAGES TIMES

Prints its port; whoever subscribes to trades gets them acknowledged, and then `TIMES` times `MESSAGES` of all symbols
in turn. It runs until its stdin is closed.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator, Sequence

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from tests.benchmarks.sender import bursts


def messages(symbols: Sequence[str], first: int, count: int) -> Iterator[bytes]:
    """As Kraken says them, each with an id of its own."""
    for number in range(first, first + count):
        symbol = symbols[number % len(symbols)]
        minutes, milliseconds = divmod(number, 60_000)
        at = f"2026-01-02T{minutes // 60 % 24:02}:{minutes % 60:02}:{milliseconds / 1_000:06.3f}000Z"
        trade = (
            f'{{"symbol":"{symbol}","side":"{"buy" if number % 3 else "sell"}","price":{40_000 + number % 999}.5,'
            f'"qty":0.{number % 997 + 1:08},"ord_type":"limit","trade_id":{number // len(symbols)},"timestamp":"{at}"}}'
        )
        yield f'{{"channel":"trade","type":"update","data":[{trade}]}}'.encode()


async def serve_until_closed(count: int, times: int) -> None:
    """Print the port, serve, end with stdin."""

    async def talk(connection: ServerConnection) -> None:
        try:
            async for text in connection:
                asked = json.loads(text)
                if asked.get("method") == "subscribe" and asked["params"]["channel"] == "trade":
                    await send_all(connection, asked)
        except (ConnectionClosed, OSError, RuntimeError):
            pass  # the reader has had enough

    async def send_all(connection: ServerConnection, asked: dict[str, object]) -> None:
        symbols = asked["params"]["symbol"]  # type: ignore[index]
        for symbol in symbols:
            result = {"channel": "trade", "symbol": symbol, "snapshot": True}
            said = {"method": "subscribe", "result": result, "success": True, "req_id": asked.get("req_id")}
            await connection.send(json.dumps(said))
            await connection.send(json.dumps({"channel": "trade", "type": "snapshot", "data": []}))
        for turn in range(times):
            for burst in bursts(messages(symbols, turn * count, count)):
                connection.transport.write(burst)
                await connection.drain()

    async with serve(talk, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve_until_closed(int(sys.argv[1]), int(sys.argv[2])))
