"""Long-polling as bare HTTP requests: what the reference client never does wrong."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, cast

import aiohttp
import pytest
from aiohttp import WSMessage, WSMsgType, web
from aiohttp.test_utils import make_mocked_request

from venues.simulator import Simulator, link, polling
from venues.simulator.endpoint import Heartbeat
from venues.simulator.polling import MOST_UNTAKEN, PolledSocket

PATIENCE = 10.0
USUAL = Heartbeat()


class Poller:
    """Requests at the simulated hub; `sid` goes with each once there is one."""

    def __init__(self, http: aiohttp.ClientSession, simulator: Simulator) -> None:
        self._http = http
        self._url = simulator.url("nbt").replace("ws:", "http:") + "/socket.io/"
        self._query = {"EIO": "4", "type": "client", "key": simulator.credentials("nbt")["key"]}

    async def ask(self, method: str = "GET", data: bytes | None = None, **query: str) -> tuple[int, str]:
        asked = {"transport": "polling", **self._query, **query}
        async with self._http.request(method, self._url, params=asked, data=data and io.BytesIO(data)) as response:
            return response.status, await response.text()

    async def begin(self) -> dict[str, Any]:
        status, text = await self.ask()
        assert (status, text[0]) == (200, "0")
        opened: dict[str, Any] = json.loads(text[1:])
        self._query["sid"] = opened["sid"]
        return opened


def run(test: Callable[[Poller], Awaitable[None]], heartbeat: Heartbeat = USUAL) -> None:
    async def bounded() -> None:
        served = Simulator(rate=0, heartbeat=heartbeat)
        async with asyncio.timeout(PATIENCE), served as simulator, aiohttp.ClientSession() as http:
            await test(Poller(http, simulator))
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(bounded())


def test_packets_are_posted_and_polled_for() -> None:
    async def test(poller: Poller) -> None:
        opened = await poller.begin()
        assert opened["upgrades"] == ["websocket"]
        assert await poller.ask("POST", b"40") == (200, "ok")
        _, text = await poller.ask()
        while "user_payload" not in text:
            text += (await poller.ask())[1]
        assert text.startswith('40{"sid":')
        sent = b'420["buy_signal",{}]\x1e421["sell_signal",{}]'
        assert await poller.ask("POST", sent) == (200, "ok")
        text = ""
        while text.count('"status":"error"') < 2:
            text += "\x1e" + (await poller.ask())[1]
        answers = [packet[:3] for packet in text.split("\x1e") if packet.startswith("43")]
        assert answers == ["430", "431"]

    run(test)


def test_a_client_that_leaves_is_known_no_more() -> None:
    async def test(poller: Poller) -> None:
        opened = await poller.begin()
        assert await poller.ask("POST", b"1") == (200, "ok")
        while (answer := await poller.ask())[0] == 200 or "is over" in answer[1]:
            assert answer[1] == "1" or answer[0] == 400
        assert answer == (400, f'"Invalid session {opened["sid"]}"')

    run(test)


def test_a_client_that_vanishes_is_known_no_more_however_much_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polling, "MOST_UNTAKEN", 10)
    for patience in ("_FINISHING_SECONDS", "_CLOSING_SECONDS"):
        monkeypatch.setattr(link, patience, 0.05)

    async def test(poller: Poller) -> None:
        opened = await poller.begin()
        assert await poller.ask("POST", b"40") == (200, "ok")  # and never polls again
        while (answer := await poller.ask("POST", b"4/other,"))[0] == 200:
            pass
        assert answer == (400, f'"Invalid session {opened["sid"]}"')

    run(test, Heartbeat(0.1, 0.1))


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"EIO": "3"}, "The client is using an unsupported version of the Socket.IO or Engine.IO protocols"),
        ({"sid": "nobody"}, "Invalid session nobody"),
        ({"transport": "flash"}, "Invalid transport"),
    ],
)
def test_who_cannot_be_served_is_told_why(query: dict[str, str], said: str) -> None:
    async def test(poller: Poller) -> None:
        assert await poller.ask(**query) == (400, json.dumps(said))

    run(test)


@pytest.mark.parametrize(
    ("posted", "status"), [(b"b!!", 400), (b"\xff", 400), (b"4" * 1024 * 1024 + b"4", 413), (b"4/other,", 200)]
)
def test_what_is_posted_is_packets_within_the_limit(posted: bytes, status: int) -> None:
    async def test(poller: Poller) -> None:
        await poller.begin()
        assert (await poller.ask("POST", posted))[0] == status
        assert await poller.ask("POST", b"40") == (200, "ok")
        assert (await poller.ask())[1].startswith("40")

    run(test)


def test_there_is_one_poll_at_a_time() -> None:
    async def test(poller: Poller) -> None:
        await poller.begin()
        polls = {asyncio.create_task(poller.ask()) for _ in range(2)}
        (refused,), (waiting,) = await asyncio.wait(polls, return_when=asyncio.FIRST_COMPLETED)
        assert refused.result() == (400, '"expected one poll at a time"')
        assert await poller.ask("POST", b"40") == (200, "ok")
        assert (await waiting)[1].startswith("40")

    run(test)


def test_a_websocket_that_does_not_go_through_with_it_changes_nothing() -> None:
    async def test(poller: Poller) -> None:
        await poller.begin()
        for said in (["hello"], ["2probe", "hello"]):
            query = {**poller._query, "transport": "websocket"}
            async with poller._http.ws_connect(poller._url, params=query) as websocket:
                for text in said:
                    await websocket.send_str(text)
                answers = [message.data async for message in websocket]
            assert answers == ["3probe"][: len(said) - 1]
        assert await poller.ask("POST", b"40") == (200, "ok")
        assert (await poller.ask())[1].startswith("40")

    run(test)


def test_a_websocket_that_is_never_gone_on_with_does_not_outlive_the_client() -> None:
    async def test(poller: Poller) -> None:
        await poller.begin()
        query = {**poller._query, "transport": "websocket"}
        async with poller._http.ws_connect(poller._url, params=query) as websocket:
            waiting = asyncio.create_task(poller.ask())
            assert await poller.ask("POST", b"1") == (200, "ok")
            assert await waiting == (200, "1")
            assert (await websocket.receive()).type is WSMsgType.CLOSED

    run(test)


def test_a_poll_ends_when_the_client_goes_on_with_a_websocket() -> None:
    async def test(poller: Poller) -> None:
        await poller.begin()
        waiting = asyncio.create_task(poller.ask())
        query = {**poller._query, "transport": "websocket"}
        async with poller._http.ws_connect(poller._url, params=query) as websocket:
            await websocket.send_str("2probe")
            assert await websocket.receive_str() == "3probe"
            assert await waiting == (200, "6")
            assert await poller.ask("POST", b"40") == (200, "ok")  # answered on the WebSocket
            await websocket.send_str("5")
            assert (await websocket.receive_str()).startswith('40{"sid":')
            for transport in ("polling", "websocket"):
                answer = await poller.ask(transport=transport)
                assert answer == (400, '"this client has gone on with a WebSocket"')

    run(test)


def test_what_waits_for_a_poll_is_bounded_and_bytes_are_base64() -> None:
    async def test() -> None:
        socket, request = PolledSocket(), make_mocked_request("GET", "/")
        await socket.send_frame(b"\x00\xff", WSMsgType.BINARY)
        too_much = asyncio.create_task(socket.send_frame(b"4" * MOST_UNTAKEN, WSMsgType.TEXT))
        await asyncio.sleep(0)
        assert not too_much.done()
        assert (await socket.poll(request)).body == b"bAP8=\x1e" + b"4" * MOST_UNTAKEN
        await too_much

    asyncio.run(test())


def test_what_waits_for_a_poll_goes_out_first_on_the_websocket_that_is_gone_on_with() -> None:
    class WebSocket:
        sent: ClassVar[list[tuple[bytes, WSMsgType]]] = []

        async def send_frame(self, data: bytes, kind: WSMsgType) -> None:
            self.sent.append((data, kind))
            if len(self.sent) == 1:
                await socket.send_frame(b"4c", WSMsgType.TEXT)  # meanwhile

        async def receive(self) -> WSMessage:
            await socket.send_frame(b"4d", WSMsgType.TEXT)
            return WSMessage(WSMsgType.CLOSED, None, None)

    socket, websocket = PolledSocket(), WebSocket()
    frames = [(b"4a", WSMsgType.TEXT), (b"\x00\xff", WSMsgType.BINARY)]

    async def test() -> None:
        for frame in frames:
            await socket.send_frame(*frame)
        await socket._go_on_with(cast("web.WebSocketResponse", websocket), None)
        assert await socket.receive() == WSMessage(WSMsgType.CLOSED, None, None)

    asyncio.run(test())
    assert websocket.sent == [*frames, (b"4c", WSMsgType.TEXT), (b"4d", WSMsgType.TEXT)]


def test_a_post_is_answered_once_all_of_it_was_read() -> None:
    class Post:
        async def read(self) -> bytes:
            return b"4a\x1e4b"

    async def test() -> None:
        socket = PolledSocket()
        posted = asyncio.create_task(socket._posted(cast("web.Request", Post())))
        assert [(await socket.receive()).data for _ in range(2)] == ["4a", "4b"]
        await asyncio.sleep(0)
        assert not posted.done()
        reading = asyncio.create_task(socket.receive())
        assert (await posted).status == 200
        reading.cancel()

    asyncio.run(test())
