"""What a connection makes of how it is answered before it is one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

import pytest

from tests.servers import raw_server
from tests.test_connection import Watched
from venues import events, opening


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


def test_a_short_key_in_the_address_is_not_shown_where_the_answer_quotes_it() -> None:
    async def fetch() -> Mapping[str, str]:
        return {"client_key": "k7"}  # too short to be looked for wherever it is

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = (await reader.readuntil(b"\r\n\r\n")).decode().split()[1]
        assert path == "/ws/k7/SPOT_BTC_USDT"
        body = f"no such path: {path}"
        writer.write(f"HTTP/1.1 404 No\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        await writer.drain()

    async def scenario() -> None:
        async with raw_server(answer) as port:
            watched = Watched(port, fetch=fetch, retries=0)
            said = str(await watched.ending())
            assert said.endswith("(HTTP 404: no such path: /ws/[client_key]/SPOT_BTC_USDT)")
            (answered,) = [event for event in watched.events if isinstance(event, events.Answered)]
            assert answered.body == "no such path: /ws/[client_key]/SPOT_BTC_USDT"

    asyncio.run(scenario())


@pytest.mark.parametrize("level", [logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL])
def test_the_library_logs_nothing(level: int) -> None:
    """It would log addresses, and so keys."""
    assert not opening._SILENT.isEnabledFor(level)
