"""Long-polling as bare HTTP requests: what the reference client never does wrong."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, cast
from urllib.parse import urlencode, urlsplit

import aiohttp
import pytest
from aiohttp import WSMessage, WSMsgType, web
from aiohttp.test_utils import make_mocked_request

from tests.simulated import Simulator
from venues.simulator import link, polling
from venues.simulator.endpoint import Heartbeat
from venues.simulator.polling import MOST_UNTAKEN, PolledSocket

PATIENCE = 10.0
USUAL = Heartbeat()


class Poller:
    """Requests at the simulated hub; `sid` goes with each once there is one."""

    def __init__(self, http: aiohttp.ClientSession, simulator: Simulator) -> None:
        self._http = http
        self._simulator = simulator
        self._url = simulator.url("nbt").replace("ws:", "http:") + "/socket.io/"
        self._query = {"EIO": "4", "type": "client", "key": simulator.credentials("nbt")["key"]}

    async def ask(self, method: str = "GET", data: bytes | None = None, **query: str) -> tuple[int, str]:
        asked = {"transport": "polling", **self._query, **query}
        async with self._http.request(method, self._url, params=asked, data=data and io.BytesIO(data)) as response:
            return response.status, await response.text()

    async def waiting(self) -> asyncio.Task[tuple[int, str]]:
        """A poll that has arrived and waits for its answer."""
        poll = asyncio.create_task(self.ask())
        assert self._simulator._server is not None
        services: Any = self._simulator._server._services
        sockets = [socket for each in services if each._service for socket in each._service._polled.values()]
        while not any(socket._poll for socket in sockets):  # noqa: ASYNC110
            await asyncio.sleep(0)
        return poll

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


def test_a_header_that_is_no_text_is_refused() -> None:
    async def test(poller: Poller) -> None:
        url = urlsplit(poller._url)
        reader, writer = await asyncio.open_connection(url.hostname, url.port)
        query = urlencode({"transport": "polling", **poller._query})
        writer.write(f"GET {url.path}?{query} HTTP/1.1\r\nHost: ".encode() + b"\xe1\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 400 ")
        writer.close()
        assert (await poller.begin())["sid"]

    run(test)


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


def test_one_poll_gets_the_answers_to_all_that_was_posted_before() -> None:
    async def test(poller: Poller) -> None:
        await poller.begin()
        assert await poller.ask("POST", b"40") == (200, "ok")
        assert "user_payload" in (await poller.ask())[1]
        for _ in range(30):
            packets = [f'42{number}["buy_signal",{{}}]' for number in range(5)]
            assert await poller.ask("POST", "\x1e".join(packets).encode()) == (200, "ok")
            answers = [packet for packet in (await poller.ask())[1].split("\x1e") if packet.startswith("43")]
            assert [answer[:3] for answer in answers] == ["430", "431", "432", "433", "434"]

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
        while (answer := await poller.ask("POST", b"41/other,"))[0] == 200 or "is over" in answer[1]:
            pass
        assert answer == (400, f'"Invalid session {opened["sid"]}"')

    run(test, Heartbeat(0.1, 0.1))


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"EIO": "3"}, "The client is using an unsupported version of the Socket.IO or Engine.IO protocols"),
        ({"sid": "nobody"}, "Invalid session nobody"),
        ({"transport": "flash"}, "Invalid transport"),
        ({"transport": ""}, "Invalid transport"),
    ],
)
def test_who_cannot_be_served_is_told_why(query: dict[str, str], said: str) -> None:
    async def test(poller: Poller) -> None:
        assert await poller.ask(**query) == (400, json.dumps(said))

    run(test)


async def is_over(poller: Poller) -> bool:
    """Whether everything that is asked for with its id is answered with 400."""
    answers = [await poller.ask(), await poller.ask("POST", b"40"), await poller.ask(transport="websocket")]
    return [status for status, _ in answers] == [400] * 3


@pytest.mark.parametrize("posted", [b"4" * 1024 * 1024 + b"4", b"41/other,", b"3", b"6"])
def test_what_is_posted_within_the_limit_leaves_the_connection_on(posted: bytes) -> None:
    async def test(poller: Poller) -> None:
        await poller.begin()
        assert (await poller.ask("POST", posted))[0] == (413 if len(posted) > 1024 * 1024 else 200)
        assert await poller.ask("POST", b"40") == (200, "ok")
        assert (await poller.ask())[1].startswith("40")

    run(test)


@pytest.mark.parametrize("posted", [b"", b"abc", b"7", b"9", b"b!!", b"\xff", b"3\x1e", b"40\x1ex", "٤0".encode()])
def test_a_body_that_is_no_packets_is_400_and_ends_the_connection(posted: bytes) -> None:
    async def test(poller: Poller) -> None:
        await poller.begin()
        waiting = await poller.waiting()
        assert (await poller.ask("POST", posted))[0] == 400
        assert await waiting == (200, "1")
        assert await is_over(poller)

    run(test)


@pytest.mark.parametrize(
    "posted", [b"2", b"2probe", b"4abc", b"4/other,", b"42{}", b'42\xd9\xa3["x"]', b"451-[1]\x1e41"]
)
def test_a_packet_that_no_client_sends_ends_the_connection(posted: bytes) -> None:
    async def test(poller: Poller) -> None:
        await poller.begin()
        assert (await poller.ask("POST", posted))[0] == 200
        while not await is_over(poller):
            pass

    run(test)


def test_a_second_poll_beside_the_first_ends_the_connection() -> None:
    async def test(poller: Poller) -> None:
        await poller.begin()
        polls = {asyncio.create_task(poller.ask()) for _ in range(2)}
        answers = {(await poll)[0]: (await poll)[1] for poll in polls}
        assert answers == {200: "1", 400: '"expected one poll at a time"'}
        assert await is_over(poller)

    run(test)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_without_a_transport_nothing_is_served(method: str) -> None:
    async def test(poller: Poller) -> None:
        del poller._query["type"]
        async with poller._http.request(method, poller._url, params={"EIO": "4"}) as response:
            assert (response.status, await response.text()) == (400, '"Invalid transport"')
        for other in ("PUT", "DELETE"):
            assert (await poller.ask(other))[0] == 400

    run(test)


def test_a_client_that_has_left_is_told_nothing_more() -> None:
    async def test(poller: Poller) -> None:
        await poller.begin()
        waiting = await poller.waiting()
        assert await poller.ask("POST", b"1") == (200, "ok")
        assert await waiting == (200, "6")
        assert await is_over(poller)

    run(test)


def test_a_client_that_answers_no_ping_is_known_no_more() -> None:
    async def test(poller: Poller) -> None:
        opened = await poller.begin()
        assert (opened["pingInterval"], opened["pingTimeout"]) == (100, 100)
        assert await poller.ask() == (200, "2")
        while (answer := await poller.ask())[0] == 200:
            assert answer[1] in ("1", "2")
        assert await is_over(poller)

    run(test, Heartbeat(0.1, 0.1))


def test_a_websocket_with_the_id_of_a_client_that_has_gone_on_is_closed() -> None:
    async def test(poller: Poller) -> None:
        await poller.begin()
        query = {**poller._query, "transport": "websocket"}
        async with poller._http.ws_connect(poller._url, params=query) as websocket:
            async with poller._http.ws_connect(poller._url, params=query) as early:
                assert (await early.receive()).type is WSMsgType.CLOSE
            await websocket.send_str("2probe")
            assert await websocket.receive_str() == "3probe"
            await websocket.send_str("5")
            await websocket.send_str("40")
            assert (await websocket.receive_str()).startswith('40{"sid":')
            async with poller._http.ws_connect(poller._url, params=query) as late:
                assert (await late.receive()).type is WSMsgType.CLOSE
            await websocket.send_str('420["buy_signal",{}]')
            async with asyncio.timeout(PATIENCE):
                while not (await websocket.receive_str()).startswith("430["):
                    pass

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
            assert await waiting == (200, "6")
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
        await socket._go_on_with(cast("web.WebSocketResponse", websocket))
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
