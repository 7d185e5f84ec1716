"""B2TRADER over a real socket: a small hub of our own that negotiates, refuses, and forgets tokens."""

from __future__ import annotations

import asyncio
import contextlib
import json
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import WSMsgType, web

from tests.command import environment, mon
from tests.servers import in_thread
from venues import events
from venues.b2trader import B2TRADER
from venues.connection import Connection, SystemClock
from venues.driver import Driver
from venues.errors import VenueRefused, VenueUnreachable
from venues.records import SnapshotEnd
from venues.redaction import Redactor
from venues.venue import Settings, Subscription

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

TOKEN = "the-trader-token"
SECRETS = (TOKEN, "other-token", "the-connection-token", "node-3-of-the-cluster")
PATH = "/frontoffice/ws/v4/account"


class SmallHub:
    """Serves one empty full state of orders to whoever brings a token that is good."""

    def __init__(self) -> None:
        self.good = {TOKEN}
        self.seen: list[str] = []
        self.expire: str | None = None
        self.negotiation: dict[str, Any] | list[dict[str, Any]] = {}
        self.sets: list[list[str]] = []  # by negotiation: its `Set-Cookie` lines
        self.cookies: list[str | None] = []  # by request: those that came with it
        self.agents: list[str | None] = []  # by request: who asked

    @contextlib.asynccontextmanager
    async def served(self) -> AsyncIterator[int]:
        """Gives its port."""
        app = web.Application()
        app.router.add_post("/{path:.*}/negotiate", self.negotiate)
        app.router.add_get("/{path:.*}", self.connect)
        runner = web.AppRunner(app)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            yield runner.addresses[0][1]
        finally:
            await runner.cleanup()

    async def negotiate(self, request: web.Request) -> web.Response:
        self.agents.append(request.headers.get("User-Agent"))
        self.seen.append(f"{request.headers.get('Authorization')} {request.path_qs}")
        if request.query.get("access_token") not in self.good:
            return web.Response(status=401)
        answer = self.negotiation.pop(0) if isinstance(self.negotiation, list) else self.negotiation
        self.cookies.append(request.headers.get("Cookie"))
        response = web.json_response(answer)
        for line in self.sets.pop(0) if self.sets else []:
            response.headers.add("Set-Cookie", line)
        return response

    async def connect(self, request: web.Request) -> web.StreamResponse:
        self.agents.append(request.headers.get("User-Agent"))
        self.seen.append(request.path_qs)
        self.cookies.append(request.headers.get("Cookie"))
        if request.query.get("access_token") not in self.good:
            return web.Response(status=401)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                break
            for text in message.data.split("\x1e")[:-1]:
                await self.answer(socket, json.loads(text))
        return socket

    async def answer(self, socket: web.WebSocketResponse, message: dict[str, Any]) -> None:
        if "protocol" in message:
            await socket.send_str("{}\x1e")
        elif message["type"] == 4:
            item = {"type": 2, "invocationId": message["invocationId"], "item": []}
            await socket.send_str(json.dumps(item) + "\x1e")
            if self.expire is not None:
                self.good = {self.expire} - {""}
                error = "Failed to invoke 'OpenOrders' because user is unauthorized"
                self.expire = None
                end = {"type": 3, "invocationId": message["invocationId"], "error": error}
                await socket.send_str(json.dumps(end) + "\x1e")
        elif message["type"] == 5:
            await socket.send_str(json.dumps({"type": 3, "invocationId": message["invocationId"]}) + "\x1e")


async def watched(
    hub: SmallHub, tokens: list[str], *, enough: int = 1, kept: list[events.Event] | None = None, **values: object
) -> list[Any]:
    """What is delivered until `enough` full states are here; what happened is in `hub.seen` and the recording."""
    async with hub.served() as port:
        return await watched_at(port, hub, tokens, enough=enough, kept=kept, **values)


async def watched_at(
    port: int, hub: SmallHub, tokens: list[str], *, enough: int, kept: list[events.Event] | None, **values: object
) -> list[Any]:
    hub.seen.clear()
    if isinstance(hub.negotiation, list):
        for answer in hub.negotiation:
            if "url" in answer:
                answer["url"] = answer["url"].replace("PORT", str(port))
    settings = Settings(url=f"ws://127.0.0.1:{port}", values={"account_id": "a", **values})
    subscriptions = [Subscription("orders")]
    (line,) = B2TRADER.routes(subscriptions, settings)
    delivered: list[Any] = []
    kept = [] if kept is None else kept

    async def fetch() -> dict[str, str]:
        return {"token": tokens.pop(0) if len(tokens) > 1 else tokens[0]}

    def deliver(items: list[Any]) -> None:
        delivered.extend(items)
        if sum(isinstance(one, SnapshotEnd) for one in delivered) >= enough:
            connection.leave()

    connection = Connection(
        Driver(line, subscriptions, venue="b2trader"),
        fetch_secrets=fetch,
        deliver=deliver,
        clock=SystemClock(),
        random=lambda: 0.0,
        redactor=Redactor(),
        tap=kept.append,
    )
    try:
        async with asyncio.timeout(20):
            await connection.run()
    finally:
        told = repr(delivered) + repr(kept)
        assert not [secret for secret in SECRETS if secret in told]
    return delivered


def test_straight_away() -> None:
    hub = SmallHub()
    asyncio.run(watched(hub, [TOKEN]))
    assert hub.seen == [f"{PATH}?access_token={TOKEN}"]


def test_negotiated() -> None:
    hub = SmallHub()
    hub.negotiation = {"connectionToken": SECRETS[2], "connectionId": "i", "negotiateVersion": 1}
    asyncio.run(watched(hub, [TOKEN], negotiate=True))
    assert hub.seen == [
        f"Bearer {TOKEN} {PATH}/negotiate?negotiateVersion=1&access_token={TOKEN}",
        f"{PATH}?id={SECRETS[2]}&access_token={TOKEN}",
    ]


def test_redirected() -> None:
    hub = SmallHub()
    hub.good = {TOKEN, "other-token"}
    hub.negotiation = [
        {"url": "http://127.0.0.1:PORT/elsewhere?hub=h", "accessToken": "other-token"},
        {"connectionId": "i d"},
    ]
    asyncio.run(watched(hub, [TOKEN], negotiate="true"))
    assert hub.seen[1:] == [
        "Bearer other-token /elsewhere/negotiate?hub=h&negotiateVersion=1&access_token=other-token",
        "/elsewhere?hub=h&id=i%20d&access_token=other-token",
    ]


@pytest.mark.parametrize("negotiate", [False, True])
def test_a_refused_token(negotiate: bool) -> None:
    with pytest.raises(VenueRefused, match=r"refused the token for orders \(HTTP 401"):
        asyncio.run(watched(SmallHub(), ["a-token-that-is-bad"], negotiate=negotiate))


def test_a_negotiation_that_means_stop() -> None:
    hub = SmallHub()
    hub.negotiation = {"error": "not here"}
    with pytest.raises(VenueRefused, match="not here"):
        asyncio.run(watched(hub, [TOKEN], negotiate=True))
    hub.negotiation = {"availableTransports": [{"transport": "LongPolling"}], "connectionId": "i"}
    with pytest.raises(VenueUnreachable, match="offers LongPolling"):
        asyncio.run(watched(hub, [TOKEN], negotiate=True))


def test_an_expired_token_is_fetched_anew_once() -> None:
    hub = SmallHub()
    hub.expire = "other-token"
    asyncio.run(watched(hub, [TOKEN, "other-token"], enough=2))
    assert hub.seen == [f"{PATH}?access_token={token}" for token in (TOKEN, "other-token")]
    hub = SmallHub()
    hub.expire = ""
    with pytest.raises(VenueRefused, match="HTTP 401"):
        asyncio.run(watched(hub, [TOKEN], enough=2))
    assert len(hub.seen) == 2


def test_cookies_of_the_negotiation_go_with_the_websocket_and_are_kept_nowhere() -> None:
    hub = SmallHub()
    hub.negotiation = {"connectionToken": SECRETS[2], "negotiateVersion": 1}
    hub.sets = [["lb=node-3-of-the-cluster; Path=/; HttpOnly", "short=k; Path=/", "elsewhere=1; Path=/elsewhere"]]
    asyncio.run(watched(hub, [TOKEN], negotiate=True))
    assert hub.cookies == [None, "lb=node-3-of-the-cluster; short=k"]


def test_a_cookie_stays_with_its_host_where_the_negotiation_leads_to_another() -> None:
    hub = SmallHub()
    hub.good = {TOKEN, "other-token"}
    hub.negotiation = [
        {"url": "http://localhost:PORT/elsewhere", "accessToken": "other-token"},
        {"connectionId": "i"},
    ]
    hub.sets = [["lb=node-3-of-the-cluster; Path=/"], ["lb=its-own; Path=/"]]
    asyncio.run(watched(hub, [TOKEN], negotiate=True))
    assert hub.cookies == [None, None, "lb=its-own"]


def test_cookies_are_recorded_without_their_values() -> None:
    hub = SmallHub()
    hub.negotiation = {"connectionId": "i", "echo": "node-3-of-the-cluster"}
    hub.sets = [["lb=node-3-of-the-cluster; Path=/", "short=k; Path=/; HttpOnly"]]
    kept: list[events.Event] = []
    asyncio.run(watched(hub, [TOKEN], negotiate=True, kept=kept))
    (requested,) = [event for event in kept if isinstance(event, events.Requested)]
    assert requested.cookies == ("lb=[cookie]; Path=/", "short=[cookie]; Path=/; HttpOnly")
    assert requested.body == '{"connectionId": "i", "echo": "[cookie]"}'


@pytest.mark.parametrize("output", ["--raw", "-v"])
def test_mon_says_who_it_is_and_tells_no_cookie(output: str, tmp_path: Path) -> None:
    hub = SmallHub()
    hub.negotiation = {"connectionId": "i", "echo": "node-3-of-the-cluster"}
    hub.sets = [["lb=node-3-of-the-cluster; Path=/"]]
    recording = tmp_path / "orders.jsonl"
    with in_thread(hub.served) as port:
        env = environment(
            tmp_path,
            MON_B2TRADER_URL=f"ws://127.0.0.1:{port}",
            MON_B2TRADER_TOKEN=TOKEN,
            MON_B2TRADER_ACCOUNT_ID="a",
            MON_B2TRADER_NEGOTIATE="true",
        )
        ended = mon("orders", "b2trader", "--once", output, "--record", str(recording), env=env)
    assert ended.returncode == 0, ended.stderr
    assert hub.cookies == [None, "lb=node-3-of-the-cluster"]
    assert hub.agents == [f"mon/{version('mon')}"] * 2
    assert "lb=[cookie]; Path=/" in recording.read_text()
    assert "node-3" not in ended.stdout + ended.stderr + recording.read_text()
