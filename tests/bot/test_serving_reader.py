"""One reader of a bot's feed: what it is sent, when it is too slow, and how it is parted with."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from unittest.mock import Mock

import pytest
from aiohttp import WSCloseCode, WSMsgType

from cli.bot import serving
from cli.bot.serving import _Reader

TOO_SLOW = "too slow: more than"


class Socket:
    """A WebSocket that does what a test says."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.said: asyncio.Queue[Any] = asyncio.Queue()
        self.on_send: Callable[[], Awaitable[None]] = self._at_once
        self.on_close: Callable[[], Awaitable[None]] = self._at_once

    @staticmethod
    async def _at_once() -> None:
        """Nothing is in the way."""

    async def receive(self) -> Any:
        return Mock(type=await self.said.get())

    async def send_frame(self, frame: bytes, kind: WSMsgType) -> None:
        await self.on_send()
        self.sent.append((frame, kind))

    async def close(self, *, code: int, message: bytes) -> None:
        await self.on_close()
        self.sent.append((code, message))


class Made:
    def __init__(self) -> None:
        self.socket, self.transport = Socket(), Mock(asyncio.Transport)
        self.reader = _Reader(self.socket, self.transport)  # type: ignore[arg-type]

    def run(self) -> asyncio.Task[str]:
        return asyncio.create_task(self.reader.run())


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def never() -> None:
    await asyncio.Event().wait()


async def reset() -> None:
    raise ConnectionResetError


def test_messages_are_sent_in_order_and_then_it_is_closed() -> None:
    async def test() -> None:
        made = Made()
        made.reader.put(b"a")
        running = made.run()
        await turns()
        made.reader.put(b"b")
        made.reader.put(b"c")
        ending = made.reader.finish(WSCloseCode.GOING_AWAY, "the end")
        made.reader.put(b"too late")
        assert not ending.done(), "what waits is sent first"
        assert await running == ""
        assert made.socket.sent == [
            *((text, WSMsgType.TEXT) for text in (b"a", b"b", b"c")),
            (WSCloseCode.GOING_AWAY, b"the end"),
        ]
        assert not made.transport.abort.called
        made.reader.put(b"later")
        await turns()
        assert len(made.socket.sent) == 4

    asyncio.run(test())


@pytest.mark.parametrize(("kind", "goes"), [(WSMsgType.TEXT, False), (WSMsgType.BINARY, False), (WSMsgType.CLOSE, True),
                                            (WSMsgType.CLOSED, True), (WSMsgType.ERROR, True)])  # fmt: skip
def test_what_a_reader_says_means_nothing_but_that_it_goes(kind: WSMsgType, goes: bool) -> None:
    async def test() -> None:
        made = Made()
        running = made.run()
        made.socket.said.put_nowait(kind)
        await turns(10)
        assert running.done() is goes
        if goes:
            assert await running == ""
            assert made.socket.sent == [(WSCloseCode.OK, b"")]
        running.cancel()

    asyncio.run(test())


@pytest.mark.parametrize(
    ("most", "most_bytes", "frames", "words"),
    [
        (3, 100, [b"x"] * 3, None),
        (3, 100, [b"x"] * 4, f"{TOO_SLOW} 3 messages were waiting for it"),
        (30, 2**19, [b"x" * 2**18] * 2, None),
        (30, 2**19, [b"x" * 2**18, b"x" * 2**18, b"x"], f"{TOO_SLOW} 0.5 MiB of messages were waiting for it"),
    ],
)
def test_who_is_too_far_behind_is_parted_with(
    most: int, most_bytes: int, frames: list[bytes], words: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "MOST_WAITING", most)
    monkeypatch.setattr(serving, "MOST_WAITING_BYTES", most_bytes)

    async def test() -> None:
        made = Made()
        for frame in frames:
            made.reader.put(frame)
        made.reader.put(b"") if words else None
        running = made.run()
        await turns()
        if words is None:
            assert [frame for frame, _ in made.socket.sent] == frames
            assert not running.done()
            running.cancel()
        else:
            assert await running == words
            assert made.socket.sent == [(WSCloseCode.POLICY_VIOLATION, words.encode())]

    asyncio.run(test())


def test_what_was_sent_waits_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "MOST_WAITING_BYTES", 10)

    async def test() -> None:
        made = Made()
        running = made.run()
        for _ in range(5):
            made.reader.put(b"x" * 10)
            await turns()
        assert (len(made.socket.sent), running.done()) == (5, False)
        running.cancel()

    asyncio.run(test())


def test_only_the_first_end_counts() -> None:
    async def test() -> None:
        made = Made()
        made.reader.end(WSCloseCode.POLICY_VIOLATION, "first")
        made.reader.end(WSCloseCode.OK, "second")
        assert await made.run() == "first"

    asyncio.run(test())


@pytest.mark.parametrize("on_close", [never, reset])
def test_a_reader_that_does_not_let_itself_be_closed_is_cut_off(
    on_close: Callable[[], Awaitable[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "CLOSE_WITHIN", 0.01)

    async def test() -> None:
        made = Made()
        made.socket.on_close = on_close
        made.reader.end(WSCloseCode.OK, "")
        assert await made.run() == ""
        assert (made.transport.abort.call_count, made.socket.sent) == (1, [])

    asyncio.run(test())


def test_what_is_on_its_way_for_long_is_cut_off_and_not_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "CLOSE_WITHIN", 0.01)

    async def test() -> None:
        made = Made()
        made.socket.on_send = never
        made.reader.put(b"x")
        running = made.run()
        await turns()
        made.reader.end(WSCloseCode.POLICY_VIOLATION, "slow")
        assert await running == "slow"
        assert (made.transport.abort.call_count, made.socket.sent) == (1, [])

    asyncio.run(test())


def test_a_connection_that_is_reset_ends_the_reader() -> None:
    async def test() -> None:
        made = Made()
        made.socket.on_send = reset
        made.reader.put(b"x")
        assert await made.run() == ""
        assert made.socket.sent == [(WSCloseCode.OK, b"")]

    asyncio.run(test())


def test_a_reader_without_a_transport_is_cut_off_without_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "CLOSE_WITHIN", 0.01)

    async def test() -> None:
        socket = Socket()
        socket.on_close = never
        reader = _Reader(socket, None)  # type: ignore[arg-type]
        reader.end(WSCloseCode.OK, "")
        assert await reader.run() == ""

    asyncio.run(test())


def test_an_end_from_outside_leaves_no_task_behind() -> None:
    async def test() -> None:
        made = Made()
        running = made.run()
        await turns()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(test())


def test_an_end_that_it_was_told_leaves_no_task_behind() -> None:
    async def test() -> None:
        made = Made()
        made.reader.end(WSCloseCode.GOING_AWAY, "the bot has ended")
        assert await made.reader.run() == ""
        assert len(asyncio.all_tasks()) == 1, "this one"

    asyncio.run(test())
