"""A Socket.IO connection between the library and the link: what each is told, and how a conversation ends."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from venues.simulator import socketio_server
from venues.simulator.endpoint import Handshake, Heartbeat
from venues.simulator.session import Refused
from venues.simulator.socketio_server import SocketIoServer, _Engine, _Socket, socketio_frame

from .test_session import Link, Visit

if TYPE_CHECKING:
    from collections.abc import Callable

SHAKE = Handshake({}, {}, {})


class Engine:
    ping_interval = 1.25


class Ended:
    """The library's connection, of which `_handler` is a method. It does not read on at once."""

    def __init__(self) -> None:
        self.done: list[object] = []

    async def handle(self, socket: Any) -> None:
        await asyncio.sleep(0)
        self.done.append(("read", await socket.wait()))

    async def close(self, **how: bool) -> None:
        self.done.append(("closed", how))


class Conversation:
    """A socket with its link, and a session once somebody has come."""

    def __init__(self) -> None:
        self.link = Link()
        self.visits: list[Visit] = []
        made: Any = _Socket
        self.library = Ended()
        self.socket = made(None, self.library.handle, Engine())
        self.socket._connect(self.link)

    def join(self) -> Visit:
        self.socket.join(self._enter, SHAKE)
        return self.visits[-1]

    def _enter(self, voice: Any, handshake: Handshake) -> Visit:
        assert handshake is SHAKE
        self.visits.append(Visit(voice))
        return self.visits[-1]


def run(check: Callable[[], Any]) -> None:
    async def within() -> None:
        async with asyncio.timeout(4):
            await check()

    asyncio.run(within())


def test_an_event_is_a_frame_of_the_protocol() -> None:
    assert socketio_frame("kline", {"a": [1]}) == b'42["kline",{"a":[1]}]'


def test_the_session_begins_behind_the_answer_to_the_connect() -> None:
    async def check() -> None:
        one = Conversation()
        await one.socket.send("40x")
        assert one.link.sent == [b"40x"], "nobody has come"
        one.join()
        await one.socket.send("2")
        await one.socket.send(b"\x01")
        assert one.link.sent[1:] == [b"2", b"\x01"]
        await one.socket.send('40{"sid":"a"}')
        await one.socket.send('40{"sid":"a"}')
        hello = b'42["hello",null]'
        assert one.link.sent[3:] == [b'40{"sid":"a"}', hello, b'40{"sid":"a"}'], "once"

    run(check)


def test_the_open_packet_has_the_exact_interval() -> None:
    async def check() -> None:
        one = Conversation()
        await one.socket.send('0{"sid":"a","pingInterval":0,"pingTimeout":5}')
        (sent,) = one.link.sent
        assert sent[:1] == b"0"
        assert json.loads(sent[1:]) == {"sid": "a", "pingInterval": 1250, "pingTimeout": 5}

    run(check)


def test_events_are_handed_over_until_one_of_both_leaves() -> None:
    one = Conversation()
    assert one.socket.hear("early", 1) is None
    visit = one.join()
    one.socket.hear("kline", {"a": 1})
    assert one.socket.ending is False
    one.socket.hear("bye", None)
    assert one.socket.ending is True
    one.socket.hear("late", None)
    assert visit.calls == [("kline", {"a": 1}), ("bye", None)]


def test_a_conversation_ends_once_and_another_may_follow() -> None:
    async def check() -> None:
        one = Conversation()
        one.socket.leave()  # nobody has come
        visit = one.join()
        await one.socket.send("40")
        one.link.sent.clear()
        one.socket.leave()
        one.socket.leave()
        assert visit.calls == ["closed"]
        assert one.link.sent == [], "nothing is said any more"
        assert (one.socket.ending, one.socket.hear("late", None)) == (False, None)
        another = one.join()
        await one.socket.send("40")
        assert one.link.sent == [b"40", b'42["hello",null]']
        one.socket.hear("kline", 1)
        assert another.calls == [("kline", 1)]

    run(check)


def test_the_last_words_tell_a_client_that_is_not_to_come_again() -> None:
    one = Conversation()
    assert [one.socket.farewell(reconnect=again) for again in (True, False)] == [b"", b""]
    one.join()
    assert [one.socket.farewell(reconnect=again) for again in (True, False)] == [b"", b"41"]
    one.socket.gap()
    assert one.link.sent == []


def test_bad_frames_are_of_the_library_and_then_of_the_session() -> None:
    one = Conversation()
    frames = [*one.socket.garbage()]
    assert frames == [
        *(b"9", b"4", b"42", b'42["kline",{"add"', b"42{}", b"42[]", b'42[7,{"add":null}]', b"43777[]", b"47"),
        *(b'42/other,["weather",{}]', b'4299999999999999999999["weather","an id without end"]'),
    ]
    one.join()
    assert [*one.socket.garbage()] == [*frames, b'42["a\\"b",{"half]']


def test_a_refusal_is_raised_and_a_fault_is_reported_and_ends_the_connection() -> None:
    def refuse() -> None:
        raise Refused("not you")

    def fail() -> None:
        raise LookupError("a fault")

    async def check() -> None:
        one, told = Conversation(), []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
        assert one.socket.safely(lambda: 7) == 7
        with pytest.raises(Refused, match="not you"):
            one.socket.safely(refuse)
        assert (told, one.link.finished) == ([], [])
        assert one.socket.safely(fail) is None
        ((message, error),) = [(context["message"], str(context["exception"])) for context in told]
        assert (message, error) == ("a fault of a venue", "a fault")
        assert one.link.finished == [(1011, "internal error")]

    run(check)


@pytest.mark.parametrize(("count", "finished"), [(3, []), (4, [(1008, "more than 3 messages are waiting to be read")])])
def test_so_many_frames_may_wait_to_be_read(count: int, finished: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socketio_server, "MOST_UNREAD", 3)
    one = Conversation()
    for _ in range(count):
        one.socket.receive("3")
    assert one.link.finished == finished


def test_frames_are_read_in_order_up_to_the_end() -> None:
    async def check() -> None:
        one = Conversation()
        one.socket.receive("3")
        one.socket.receive('42["a"]')
        one.socket.closed()
        assert [await one.socket.wait() for _ in range(3)] == ["3", '42["a"]', None]
        one.socket.receive("x")
        with pytest.raises(ValueError, match=r"expected an Engine\.IO packet"):
            await one.socket.wait()
        await one.socket.close()
        assert one.link.finished == [(1000, "")]

    run(check)


@pytest.mark.parametrize("opened", [True, False])
def test_the_library_closes_its_side_once_it_has_read_the_end(opened: bool) -> None:
    async def check() -> None:
        one = Conversation()
        if opened:
            one.socket.opened()
        await one.socket._end()
        closed = ("closed", {"wait": False, "abort": True})
        assert one.library.done == ([("read", None), closed] if opened else [closed])

    run(check)


def test_the_engine_forgets_an_ending_that_is_over() -> None:
    """A simulator that runs for long has many connections come and go."""

    async def check() -> None:
        engine = _Engine(async_mode="aiohttp")
        gate = asyncio.Event()

        async def waits() -> None:
            await gate.wait()

        async def takes_no_time() -> None: ...

        waiting, over = engine.start_ending(waits()), engine.start_ending(takes_no_time())
        await over
        await asyncio.sleep(0)
        assert engine._endings == {waiting}
        gate.set()
        await engine.end()
        assert (waiting.done(), engine._endings) == (True, set())

    run(check)


def test_who_polls_is_busy_while_a_frame_waits_or_is_handled() -> None:
    async def check() -> None:
        found: list[bool] = []
        polled = SimpleNamespace(wake=lambda: found.append(polled.is_busy()), end=lambda: None)
        one = Conversation()

        async def serve(request: Any, connect: Any, of: Any) -> web.Response:
            assert of is polled
            found.append(polled.is_busy())
            one.socket.receive("3")
            found.append(polled.is_busy())
            assert await one.socket.wait() == "3"
            found.append(polled.is_busy())
            reading = asyncio.ensure_future(one.socket.wait())
            await asyncio.sleep(0)
            one.socket.closed()
            assert await reading is None
            found.append(polled.is_busy())
            return web.Response(text="over")

        one.socket._serve = serve
        one.socket._engine = SimpleNamespace(start_ending=asyncio.ensure_future)
        environ: dict[str, Any] = {"aiohttp.request": {socketio_server._POLLED: polled}}
        answer = await one.socket(environ)
        assert (answer.text, environ["simulator.socket"]) == ("over", one.socket)
        assert one.library.done == [("closed", {"wait": False, "abort": True})]
        # At first, with a frame, as it is asked for, while it is handled, as the next is asked for, and at the end.
        assert found == [False, True, True, True, False, False]

    run(check)


class Heard:
    """Stands for a socket of a client that has come."""

    def __init__(self, *, ending: bool = False) -> None:
        self.calls: list[Any] = []
        self.ending = ending

    def safely(self, act: Callable[[], Any]) -> Any:
        return act()

    def hear(self, event: str, data: Any) -> Any:
        self.calls.append((event, data))
        return "an answer"

    def leave(self) -> None:
        self.calls.append("left")


def test_events_of_a_client_come_to_it_until_it_has_gone() -> None:
    async def check() -> None:
        server = SocketIoServer(None, None, Heartbeat())  # type: ignore[arg-type]
        gone: list[str] = []

        async def disconnect(sid: str) -> None:
            gone.append(sid)

        server._server = SimpleNamespace(disconnect=disconnect)
        one, other = Heard(), Heard(ending=True)
        server._sockets = {"a": one, "b": other}  # type: ignore[dict-item]
        assert await server._received("kline", "a", 1, 2) == "an answer"
        assert await server._received("kline", "a") == "an answer"
        assert [await server._received(event, sid, 1) for event, sid in ((7, "a"), ("kline", "c"), (7, "c"))] == [
            None
        ] * 3
        assert (one.calls, gone) == ([("kline", 1), ("kline", None)], [])
        assert await server._received("kline", "b", 3) == "an answer"
        assert (other.calls, gone) == ([("kline", 3)], ["b"])
        for sid in ("a", "a", "c"):
            await server._disconnected(sid, None)
        assert (one.calls[2:], other.calls[1:]) == (["left"], [])
        assert await server._received("kline", "a", 1) is None

    run(check)


@pytest.mark.parametrize("is_cancelled", [False, True])
def test_who_polls_is_ended_with_a_bad_frame_or_an_unanswered_ping(is_cancelled: bool) -> None:
    async def check() -> None:
        calls: list[str] = []
        one = Conversation()
        one.socket._polled = SimpleNamespace(wake=lambda: calls.append("wake"), end=lambda: calls.append("end"))
        waiting = asyncio.ensure_future(one.socket.wait())
        await asyncio.sleep(0)
        if is_cancelled:
            waiting.cancel()
        else:
            one.socket.receive("x")
        (ended,) = await asyncio.gather(waiting, return_exceptions=True)
        assert isinstance(ended, asyncio.CancelledError if is_cancelled else ValueError)
        assert calls == ["wake", "end"]

    run(check)


def test_the_engine_forgets_a_task_that_is_over_and_ends_the_others() -> None:
    async def check() -> None:
        engine = _Engine(async_mode="aiohttp")
        ended: list[str] = []

        async def works(name: str) -> None:
            if name == "long":
                try:
                    await asyncio.get_running_loop().create_future()
                finally:
                    await asyncio.sleep(0)
                    ended.append(name)

        short, long = (engine.start_background_task(works, name) for name in ("short", "long"))
        await short
        await asyncio.sleep(0)
        assert engine._tasks == {long}
        await engine.end()
        assert (ended, long.cancelled()) == (["long"], True)

    run(check)
