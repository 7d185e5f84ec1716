"""The socket of a client that polls, without a server: what each poll and each post is answered with, and when."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import WSMsgType

from venues.simulator import polling
from venues.simulator.polling import MOST_UNTAKEN, PolledSocket

if TYPE_CHECKING:
    from collections.abc import Coroutine

TEXT, BINARY = WSMsgType.TEXT, WSMsgType.BINARY
BAD = "expected packets in UTF-8 with 0x1E between them, those with b in base64"


class Request:
    """A request of a client; `aborted` counts how often its connection was aborted."""

    def __init__(self, method: str = "GET", body: bytes = b"", transport: str = "polling") -> None:
        self.method = method
        self.query = {"transport": transport}
        self.headers: dict[str, str] = {}
        self.aborted = 0
        self.transport = SimpleNamespace(abort=self._abort)
        self._body = body

    def _abort(self) -> None:
        self.aborted += 1

    async def read(self) -> bytes:
        return self._body


class Client:
    def __init__(self) -> None:
        self.socket = PolledSocket()

    async def poll(self) -> tuple[int, bytes]:
        answer: Any = await self.socket.poll(Request())  # type: ignore[arg-type]
        return answer.status, answer.body

    async def post(self, body: bytes) -> tuple[int, bytes]:
        answer: Any = await self.socket.answer(Request("POST", body))  # type: ignore[arg-type]
        return answer.status, answer.body

    async def send(self, data: bytes, kind: WSMsgType = TEXT) -> None:
        await self.socket.send_frame(data, kind)


def run(check: Coroutine[Any, Any, None]) -> None:
    """At once: nothing here waits for a time."""

    async def within() -> None:
        async with asyncio.timeout(4):
            await check
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(within())


async def turns(count: int = 12) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def test_a_poll_gets_all_packets_that_wait() -> None:
    async def check() -> None:
        client = Client()
        await client.send(b'0{"sid":"a","upgrades":[],"pingInterval":5}')
        assert client.socket.sid == "a"
        await client.send(b"40")
        await client.send(b"\x00\xff", BINARY)
        await client.send(b'0{"sid":"b"}')  # only the first one is the open packet
        opened = b'0{"sid":"a","upgrades":["websocket"],"pingInterval":5}'
        assert await client.poll() == (200, b"\x1e".join([opened, b"40", b"bAP8=", b'0{"sid":"b"}']))
        assert client.socket.sid == "a"
        polling = asyncio.create_task(client.poll())
        await turns()
        assert not polling.done(), "it waits for a packet"
        await client.send(b"2")
        await client.send(b"42")
        assert await polling == (200, b"2\x1e42"), "with what is said at the same time"

    run(check())


@pytest.mark.parametrize(("more", "waits"), [(0, False), (1, True)])
def test_who_sends_waits_while_too_much_is_not_taken(more: int, waits: bool) -> None:
    async def check() -> None:
        client = Client()
        await client.send(b"4" * 1_000)
        sending = asyncio.create_task(client.send(b"4" * (MOST_UNTAKEN - 1_000 + more)))
        await turns()
        assert sending.done() is not waits
        status, body = await client.poll()
        assert (status, len(body)) == (200, MOST_UNTAKEN + more + 1)
        await sending

    run(check())


def test_a_second_poll_ends_the_connection_and_the_first_is_told_so() -> None:
    async def check() -> None:
        client = Client()
        first = asyncio.create_task(client.poll())
        await turns()
        assert await client.poll() == (400, b'"expected one poll at a time"')
        assert await first == (200, b"1")
        assert await client.poll() == (400, b'"this connection is over"')
        assert await client.post(b"40") == (400, b'"this connection is over"')
        with pytest.raises(ConnectionResetError):
            await client.send(b"2")
        assert (await client.socket.receive()).type is WSMsgType.CLOSED

    run(check())


def test_one_poll_after_another_is_no_second_one() -> None:
    async def check() -> None:
        client = Client()
        for data in (b"2", b"40"):
            await client.send(data)
            assert await client.poll() == (200, data)

    run(check())


def test_what_is_posted_is_received_in_order_and_answered_when_all_is_read() -> None:
    async def check() -> None:
        client = Client()
        posting = asyncio.create_task(client.post(b"40\x1ebAP8=\x1e2probe"))
        await turns()
        assert not posting.done()
        found = [await client.socket.receive() for _ in range(3)]
        assert [(one.type, one.data) for one in found] == [(TEXT, "40"), (BINARY, b"\x00\xff"), (TEXT, "2probe")]
        await turns()
        assert not posting.done(), "the last one may still be read"
        reading = asyncio.create_task(client.socket.receive())
        assert await posting == (200, b"ok")
        posting = asyncio.create_task(client.post(b"3"))
        assert (await reading).data == "3"
        reading = asyncio.create_task(client.socket.receive())
        assert await posting == (200, b"ok")
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)

    run(check())


def test_a_post_is_not_answered_while_something_is_handled() -> None:
    async def check() -> None:
        client, busy = Client(), True
        client.socket.is_busy = lambda: busy
        posting = asyncio.create_task(client.post(b"3"))
        await turns()
        assert (await client.socket.receive()).data == "3"
        reading = asyncio.create_task(client.socket.receive())
        await turns()
        assert not posting.done()
        busy = False
        client.socket.wake()
        assert await posting == (200, b"ok")
        client.socket.end()
        assert (await reading).type is WSMsgType.CLOSED

    run(check())


@pytest.mark.parametrize("body", [b"", b"x", b"40\x1e", b"\xff", b"b!!", "²".encode()])
def test_a_body_that_is_no_packets_ends_it(body: bytes) -> None:
    async def check() -> None:
        client = Client()
        assert await client.post(body) == (400, f'"{BAD}"'.encode())
        assert await client.poll() == (400, b'"this connection is over"')

    run(check())


def test_a_client_that_closes_is_answered_with_6_and_known_no_more() -> None:
    async def check() -> None:
        client = Client()
        waiting = asyncio.create_task(client.poll())
        await turns()
        posting = asyncio.create_task(client.post(b"40\x1e1"))
        await turns()
        found = [await client.socket.receive() for _ in range(3)]
        assert [(one.type, one.data) for one in found] == [(TEXT, "40"), (TEXT, "1"), (WSMsgType.CLOSED, None)]
        reading = asyncio.create_task(client.socket.receive())
        assert await posting == (200, b"ok")
        assert await waiting == (200, b"6")
        assert (await reading).type is WSMsgType.CLOSED
        assert await client.socket.close() is True
        assert await client.poll() == (400, b'"this connection is over"')

    run(check())


def test_a_close_in_order_comes_by_itself_in_a_poll_behind_all_others() -> None:
    async def check() -> None:
        client = Client()
        await client.send(b"42[]")
        closing = asyncio.create_task(client.socket.close(code=1001, message=b"gone"))
        await turns()
        assert await client.poll() == (200, b"42[]")
        await turns()
        assert not closing.done()
        assert await client.poll() == (200, b"1")
        assert await closing is True
        assert await client.poll() == (400, b'"this connection is over"')

    run(check())


def test_an_abort_ends_the_poll_that_waits_and_its_connection() -> None:
    async def check() -> None:
        client, request = Client(), Request()
        waiting = asyncio.create_task(client.socket.poll(request))  # type: ignore[arg-type]
        await turns()
        client.socket.abort()
        assert request.aborted == 1
        answer: Any = await waiting
        assert answer.body == b"1"
        client.socket.abort()
        assert request.aborted == 1, "of a poll that has been answered nothing is left"

    run(check())


@pytest.mark.parametrize(
    ("method", "transport", "said"),
    [
        ("GET", "x", "Invalid transport"),
        ("GET", "websocket", "Invalid transport"),  # without the headers of one
        ("OPTIONS", "polling", "expected GET or POST"),
        ("PUT", "polling", "expected GET or POST"),
    ],
)
def test_other_requests_are_refused(method: str, transport: str, said: str) -> None:
    async def check() -> None:
        request: Any = Request(method, transport=transport)
        answer: Any = await PolledSocket().answer(request)
        assert (answer.status, answer.body) == (400, f'"{said}"'.encode())
        assert answer.content_type == "application/json"

    run(check())


def test_a_poll_is_plain_text_in_utf_8() -> None:
    async def check() -> None:
        client = Client()
        await client.send("4é".encode())
        answer: Any = await client.socket.answer(Request())  # type: ignore[arg-type]
        assert (answer.status, answer.body) == (200, "4é".encode())
        assert answer.headers["Content-Type"] == "text/plain; charset=UTF-8"

    run(check())


class Upgraded:
    """The WebSocket that a client goes on with."""

    def __init__(self, *received: str) -> None:
        self.received = [*received]
        self.sent: list[Any] = []
        self.closed: list[Any] = []
        self.more = asyncio.Event()

    def can_prepare(self, request: object) -> bool:
        return True

    async def prepare(self, request: object) -> None: ...

    async def receive(self) -> Any:
        if not self.received:
            await self.more.wait()
            return SimpleNamespace(type=WSMsgType.CLOSE, data=1000)
        return SimpleNamespace(type=TEXT, data=self.received.pop(0))

    async def send_str(self, text: str) -> None:
        self.sent.append(text)

    async def send_frame(self, data: bytes, kind: WSMsgType) -> None:
        self.sent.append((data, kind))

    async def close(self, **how: Any) -> None:
        self.closed.append(how)


def upgraded(*received: str) -> Any:
    return Upgraded(*received)


def test_a_client_goes_on_with_a_websocket(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits goes out there first; the poll beside it is answered with 6, and then there are no polls any more."""

    async def check() -> None:
        client, websocket = Client(), upgraded("2probe", "5", "42[]")
        monkeypatch.setattr(polling, "new_websocket", lambda: websocket)
        request: Any = Request(transport="websocket")
        await client.send(b"42[1]")
        await client.send(b"\x01", BINARY)
        upgrading = asyncio.create_task(client.socket.answer(request))
        await turns()
        assert websocket.sent == ["3probe", (b"42[1]", TEXT), (b"\x01", BINARY)]
        assert (await client.socket.receive()).data == "42[]"
        await client.send(b"42[2]")
        assert websocket.sent[3:] == [(b"42[2]", TEXT)]
        assert client.socket._out == [], "nothing is kept for a poll"
        poll: Any = await client.socket.answer(Request())  # type: ignore[arg-type]
        assert (poll.status, poll.body) == (400, b'"this client has gone on with a WebSocket"')
        websocket.more.set()
        ended: Any = await upgrading
        assert ended is websocket
        assert (await client.socket.receive()).type is WSMsgType.CLOSED
        assert await client.socket.close(code=1001, message=b"gone") is True
        assert websocket.closed == [{}, {"code": 1001, "message": b"gone"}]

    run(check())


@pytest.mark.parametrize("frames", [["x"], ["2"], ["2probe", "x"]])
def test_a_websocket_that_is_not_gone_on_with_is_closed(frames: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    async def check() -> None:
        client, websocket = Client(), upgraded(*frames)
        monkeypatch.setattr(polling, "new_websocket", lambda: websocket)
        request: Any = Request(transport="websocket")
        answer: Any = await client.socket.answer(request)
        assert answer is websocket
        assert (websocket.closed, websocket.sent) == ([{}], ["3probe"] * (len(frames) - 1))
        await client.send(b"2")
        assert await client.poll() == (200, b"2"), "the client goes on polling"
        again = upgraded("2probe", "x")
        monkeypatch.setattr(polling, "new_websocket", lambda: again)
        await client.socket.answer(request)
        assert again.sent == ["3probe"], "another one may be tried"
        client.socket.end()
        assert request.aborted == 1

    run(check())


def test_while_it_is_tried_a_poll_is_answered_with_6(monkeypatch: pytest.MonkeyPatch) -> None:
    async def check() -> None:
        client, websocket = Client(), upgraded("2probe")
        monkeypatch.setattr(polling, "new_websocket", lambda: websocket)
        waiting = asyncio.create_task(client.poll())
        await turns()
        request: Any = Request(transport="websocket")
        upgrading = asyncio.create_task(client.socket.answer(request))
        assert await waiting == (200, b"6")
        assert await client.poll() == (200, b"6")
        second = upgraded("2probe")
        monkeypatch.setattr(polling, "new_websocket", lambda: second)
        answer: Any = await client.socket.answer(request)
        assert answer is second, "one at a time"
        assert (second.sent, second.closed) == ([], [{}])
        websocket.more.set()
        await upgrading
        await client.send(b"2")
        assert await client.poll() == (200, b"2")

    run(check())


@pytest.mark.parametrize(("later", "together"), [(1, True), (4, True), (9, False)])
def test_what_is_said_within_some_turns_comes_with_the_same_poll(later: int, together: bool) -> None:
    async def check() -> None:
        client = Client()
        polling = asyncio.create_task(client.poll())
        await turns()
        await client.send(b"2")
        await turns(later)
        await client.send(b"42")
        assert await polling == (200, b"2\x1e42" if together else b"2")
        if not together:
            assert await client.poll() == (200, b"42")

    run(check())


@pytest.mark.parametrize("is_aborted", [True, False])
def test_a_websocket_that_was_gone_on_with_is_over_with_its_socket(
    is_aborted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def check() -> None:
        client, websocket = Client(), upgraded("2probe", "5")
        monkeypatch.setattr(polling, "new_websocket", lambda: websocket)
        request: Any = Request(transport="websocket")
        upgrading = asyncio.create_task(client.socket.answer(request))
        await turns()
        if is_aborted:
            client.socket.abort()
        else:
            await client.socket.close(code=1001, message=b"gone")
        assert (client.socket._over, request.aborted) == (True, int(is_aborted))
        assert websocket.closed == [{"code": 1001, "message": b"gone"}] * (not is_aborted)
        websocket.more.set()
        await upgrading

    run(check())


def test_a_close_answers_the_poll_that_waits() -> None:
    async def check() -> None:
        client = Client()
        waiting = asyncio.create_task(client.poll())
        await turns()
        closing = asyncio.create_task(client.socket.close())
        assert await waiting == (200, b"1")
        assert await closing is True

    run(check())


def test_one_that_the_client_closes_is_closed_while_its_post_is_answered() -> None:
    async def check() -> None:
        client = Client()
        posting = asyncio.create_task(client.post(b"1"))
        await turns()
        found = [(await client.socket.receive()).type for _ in range(2)]
        assert found == [TEXT, WSMsgType.CLOSED]
        assert not posting.done()
        assert await client.socket.close() is True
        assert await posting == (200, b"ok")

    run(check())


def test_a_websocket_that_is_over_is_not_closed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def check() -> None:
        client, websocket = Client(), upgraded("2probe", "5")
        monkeypatch.setattr(polling, "new_websocket", lambda: websocket)
        request: Any = Request(transport="websocket")
        upgrading = asyncio.create_task(client.socket.answer(request))
        await turns()
        client.socket.abort()
        assert await client.socket.close(code=1001) is True
        assert websocket.closed == []
        websocket.more.set()
        await upgrading

    run(check())
