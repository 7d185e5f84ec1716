"""What a connection makes of how it is answered before it is one."""

from __future__ import annotations

import asyncio

import pytest

from tests.servers import raw_server
from tests.test_connection import Watched


@pytest.mark.parametrize(("status", "tries"), [(407, 1), (499, 1), (500, 2), (503, 2)])
def test_a_proxy_that_fails_is_asked_again_and_one_that_refuses_is_not(status: int, tries: int) -> None:
    asked: list[str] = []

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()

    async def scenario() -> None:
        async with raw_server(refuse) as port:
            watched = Watched(0, url="wss://venue.example", proxy=f"http://127.0.0.1:{port}", retries=1)
            assert f"the proxy refused (HTTP {status})" in str(await watched.ending())

    asyncio.run(scenario())
    assert len(asked) == tries
