"""Who may stay at a bot's server, and for how long."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import socket
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from cli.bot import door, serving
from tests.bot.served import (
    Visitor,
    asked,
    path_of,
    reader,
    running,
    until,
)
from venues.errors import SetupError
from venues.redaction import Redactor


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize(
    "said",
    [
        "",
        "GET /",
        "GET /trading/signal/x/echo HTTP/1.1\r\nHost: x\r\n",
        "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n",
        "whole",
        "posted",
    ],
)
def test_who_asks_for_nothing_is_sent_away(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also after an answer: a connection that is kept may be used again within the time, and no longer."""
    monkeypatch.setattr(door, "WAITS_WITHIN", 0.1)
    monkeypatch.setattr(serving, "BODY_WITHIN", 0.05)

    async def test() -> None:
        async with running() as bot:
            path = path_of(bot)
            asked = {
                "whole": f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n",
                "posted": f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n1",
            }
            visitor = await Visitor.at(bot, asked.get(said, said))
            assert await visitor.gone()
            await until(lambda: bot._door._waiting == {} and bot._door._known == set())  # type: ignore[union-attr]
            assert bot.said == []

    asyncio.run(test())


def test_who_has_the_token_may_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "WAITS_WITHIN", 0.1)
    gate = asyncio.Event()

    async def test() -> None:
        async with running() as bot:
            name, held = ("GET", "echo"), bot._routes["GET", "echo"]

            async def slow(thunk: Callable[[], Any]) -> Any:
                await gate.wait()
                return await held.call(thunk)

            bot._routes = {name: held._replace(call=slow)}
            async with reader(bot) as joined:
                waiting = await Visitor.at(bot, f"GET {path_of(bot)} HTTP/1.1\r\nHost: x\r\n\r\n")
                await until(lambda: len(bot._door._known) == 2)  # type: ignore[union-attr]
                await asyncio.sleep(0.3)
                bot.publish(b"still here")
                assert await joined.recv() == "still here"
                gate.set()
                assert await waiting.answer() == "HTTP/1.1 200 OK"
                assert await waiting.gone(), "and waits again"

    asyncio.run(test())


def test_a_long_answer_is_whole_however_slow_its_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "WAITS_WITHIN", 0.1)
    long = "x" * 12_000_000

    async def test() -> None:
        async with running({("GET", "long"): lambda data: long}) as bot:
            slow = await Visitor.at(bot, f"GET {path_of(bot, 'long')} HTTP/1.1\r\nHost: x\r\n\r\n")
            await until(lambda: len(bot._door._known) == 1)  # type: ignore[union-attr]
            await asyncio.sleep(0.3)
            got = bytearray()
            while piece := await slow.reader.read(2**20):
                got += piece
            assert got.endswith(b'{"data":"' + long.encode() + b'"}')
            slow.writer.close()

    asyncio.run(test())


def test_of_too_many_that_ask_for_nothing_the_oldest_goes() -> None:
    async def test() -> None:
        async with running() as bot, reader(bot) as joined:
            before = descriptors()
            visitors = [await Visitor.at(bot, "GET /") for _ in range(door.MOST_WAITING)]
            await until(lambda: len(bot._door._waiting) == door.MOST_WAITING)  # type: ignore[union-attr]
            assert bot.said == []
            later = [await Visitor.at(bot) for _ in range(100)]
            for visitor in visitors:
                assert await visitor.gone()
            assert len(bot.said) == 1
            assert "ask for nothing (at most 64): those that have waited longest are closed" in bot.said[0]
            assert (await asked(bot, "GET", "echo"))[0] == 200, "who asks is served"
            bot.publish(b"still here")
            assert await joined.recv() == "still here"
            await until(lambda: len(bot._door._waiting) <= door.MOST_WAITING)  # type: ignore[union-attr]
            for visitor in later:
                visitor.writer.close()
            await until(lambda: not bot._door._waiting)  # type: ignore[union-attr]
            await until(lambda: descriptors() <= before)

    asyncio.run(test())


def test_exactly_so_many_may_wait() -> None:
    async def test() -> None:
        said: list[str] = []
        made = door.Door(asyncio.Protocol, said.append)
        visitors = [Mock(asyncio.Transport) for _ in range(door.MOST_WAITING + 1)]
        for visitor in visitors[:-1]:
            made.made(visitor)
        assert (list(made._waiting), said) == (visitors[:-1], [])
        made.made(visitors[-1])
        assert list(made._waiting) == visitors[1:]
        assert [visitor.abort.called for visitor in visitors] == [True] + [False] * door.MOST_WAITING
        assert len(said) == 1

    asyncio.run(test())


def test_one_that_was_answered_waits_in_the_place_of_the_oldest() -> None:
    async def test() -> None:
        said: list[str] = []
        made = door.Door(asyncio.Protocol, said.append)
        asking, *others = visitors = [Mock(asyncio.Transport) for _ in range(door.MOST_WAITING + 1)]
        made.made(asking)
        with made.knows(asking):
            for visitor in others:
                made.made(visitor)
            assert (list(made._waiting), said) == (others, [])
        assert list(made._waiting) == [*others[1:], asking]
        assert [visitor.abort.called for visitor in visitors] == [False, True] + [False] * (door.MOST_WAITING - 1)
        assert len(said) == 1

    asyncio.run(test())


def test_no_more_connections_than_the_descriptors_allow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door.resource, "getrlimit", lambda which: (12, 12))

    async def test() -> None:
        async with running() as bot, contextlib.AsyncExitStack() as stack:
            for _ in range(4):
                await stack.enter_async_context(reader(bot))
            idle = [await Visitor.at(bot) for _ in range(4)]
            await until(lambda: len(bot.said) == 1)
            assert "at most 3" in bot.said[0]
            assert await idle[0].gone()
            assert await idle[1].gone()
            for _ in range(2):
                await stack.enter_async_context(reader(bot))
            for visitor in idle[2:]:
                assert await visitor.gone()
            for _ in range(3):
                refused = await Visitor.at(bot)
                assert await refused.gone()
            assert bot.said[1:] == ["the bot's feed and webhooks have 6 connections already: no more are taken"]
            assert len(bot._door._known) == 6  # type: ignore[union-attr]
            assert bot._door._waiting == {}  # type: ignore[union-attr]

    asyncio.run(test())


def test_an_accept_that_fails_is_said_once_and_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(door, "ACCEPT_AGAIN_AFTER", 0.01)
    fails = [OSError(24, "Too many open files")] * 5 + [ConnectionAbortedError()] * 3
    tried: list[float] = []

    async def test() -> None:
        loop = asyncio.get_running_loop()
        accept = loop.sock_accept

        async def sock_accept(listener: socket.socket) -> Any:
            tried.append(loop.time())
            if fails:
                raise fails.pop(0)
            return await accept(listener)

        monkeypatch.setattr(loop, "sock_accept", sock_accept)
        async with running() as bot:
            assert (await asked(bot, "GET", "echo"))[0] == 200
            assert bot.said == ["cannot take a connection to the bot's feed and webhooks: Too many open files"]

    asyncio.run(test())
    assert all(later - before > 0.009 for before, later in pairwise(tried[:6])), "it takes no turn of its own"
    assert caplog.records == []


def test_wrong_tokens_are_answered_one_after_the_other() -> None:

    async def test() -> None:
        async with running(wrong_every=0.05) as bot:
            loop = asyncio.get_running_loop()
            begun = loop.time()
            guesses = [asyncio.create_task(asked(bot, "GET", "echo", token=f"wrong-{n}")) for n in range(4)]
            assert (await asked(bot, "GET", "echo"))[0] == 200
            assert not any(guess.done() for guess in guesses[1:]), "who knows it does not wait for who does not"
            assert [(await guess)[0] for guess in guesses] == [401] * 4
            assert loop.time() - begun >= 4 * 0.05

    asyncio.run(test())


def test_a_port_of_its_own_at_every_address_of_a_host() -> None:
    async def test() -> None:
        async def getaddrinfo(*_: Any, **__: Any) -> Any:
            plain = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0))
            return [plain, plain, (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", 0, 0, 0))]

        asyncio.get_running_loop().getaddrinfo = getaddrinfo  # type: ignore[method-assign]
        made = door.Door(asyncio.Protocol, print)
        port = await made.open("localhost", 0)
        assert [listener.getsockname()[:2] for listener in made._listeners] == [("127.0.0.1", port), ("::1", port)]
        await made.close()
        assert (made._listeners, made._tasks) == ([], [])

    asyncio.run(test())


def test_where_one_address_of_a_host_is_taken_none_is_listened_at() -> None:
    async def test() -> None:
        async def getaddrinfo(*_: Any, **__: Any) -> Any:
            return [(socket.AF_INET, 0, 0, "", (address, 0)) for address in ("127.0.0.1", "203.0.113.1")]

        asyncio.get_running_loop().getaddrinfo = getaddrinfo  # type: ignore[method-assign]
        made = door.Door(asyncio.Protocol, print)
        with pytest.raises(OSError, match="annot assign requested address"):
            await made.open("localhost", 0)
        assert (made._listeners, made._tasks) == ([], [])

    asyncio.run(test())


@pytest.mark.parametrize(("token", "taken"), [("x" * 15, False), ("x" * 16, True)])
def test_a_token_that_can_be_guessed_is_refused_at_the_start(
    token: str, taken: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("MON_BOT_TOKEN", token)
    said: list[str] = []

    class Voice:
        say = staticmethod(said.append)
        error = say

    async def test() -> None:
        server, own = await serving.serve(
            {},
            ("127.0.0.1", 0),
            report=None,  # type: ignore[arg-type]
            voice=Voice,  # type: ignore[arg-type]
            words=Voice,  # type: ignore[arg-type]
            redactor=Redactor(),
        )
        await server.close()
        assert own is None

    if taken:
        asyncio.run(test())
        assert "MON_BOT_TOKEN" in said[0]
    else:
        with pytest.raises(SetupError, match="expected a token of at least 16 characters as MON_BOT_TOKEN, got a sh"):
            asyncio.run(test())
        assert said == []


# --- who goes before he is answered


def test_a_fault_of_reading_a_body_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken_read(self: Any) -> bytes:
        raise RuntimeError("by design")

    monkeypatch.setattr("aiohttp.web.Request.read", broken_read)

    async def test() -> None:
        async with running() as bot:
            assert (await asked(bot, "POST", "echo", json=1))[0] == 500
            assert [str(fault) for fault in bot.faults] == ["by design"]

    asyncio.run(test())


def test_the_rest_of_a_body_that_was_given_up_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "BODY_WITHIN", 0.05)
    monkeypatch.setattr(serving, "CLOSE_WITHIN", 0.05)

    async def test() -> None:
        async with running() as bot:
            head = f"POST {path_of(bot)} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n1"
            visitor = await Visitor.at(bot, head)
            assert await visitor.answer() == "HTTP/1.1 408 Request Timeout"
            async with asyncio.timeout(5):  # of its own it would wait for ten seconds
                assert await visitor.gone()

    asyncio.run(test())


def test_nobody_is_let_in_once_it_is_closed() -> None:
    async def test() -> None:
        async with running() as bot:
            await bot.close()
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", bot.port)

    asyncio.run(test())


def test_who_has_gone_leaves_no_timer_behind() -> None:
    async def test() -> None:
        made = door.Door(asyncio.Protocol, print)
        transport = Mock(asyncio.Transport)
        made.made(transport)
        timer = made._waiting[transport]
        made.lost(transport)
        assert timer.cancelled()
        made.made(transport)
        with made.knows(transport):
            made.lost(transport)
            assert (made._waiting, made._known) == ({}, set())
        assert (made._waiting, made._known) == ({}, set())

    asyncio.run(test())


@pytest.mark.parametrize("before", [0, 1, 3])
@pytest.mark.parametrize("behind", [0, 1, 2, 3])
def test_who_has_gone_before_his_body_is_read_is_no_fault(
    before: int, behind: int, caplog: pytest.LogCaptureFixture
) -> None:
    """However few turns of the loop lie before his request, and behind it."""

    async def test() -> None:
        async with running() as bot:
            assert bot._runner is not None
            assert bot._runner.server is not None
            assert bot._door is not None
            protocol = door._Visitor(bot._door, bot._runner.server())
            protocol.connection_made(Mock(asyncio.Transport, is_closing=lambda: False))
            for _ in range(before):
                await asyncio.sleep(0)
            head = f"POST {path_of(bot)} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n1"
            protocol.data_received(head.encode())
            for _ in range(behind):
                await asyncio.sleep(0)
            protocol.connection_lost(ConnectionResetError())
            assert (await asked(bot, "POST", "echo", json=1))[0] == 200
            assert (bot.turns, bot.faults) == (1, [])

    asyncio.run(test())
    gc.collect()
    assert caplog.records == []


def test_whoever_guesses_and_hangs_up_holds_up_nobody() -> None:
    """Wrong tokens are answered one after the other; those that nobody waits for any more cost no time."""

    async def test() -> None:
        async with running(wrong_every=0.2) as bot:
            guess = "GET /trading/signal/wrong/echo HTTP/1.1\r\nHost: x\r\n\r\n"
            for _ in range(100):
                visitor = await Visitor.at(bot, guess)
                await visitor.writer.drain()
                await asyncio.sleep(0.002)
                visitor.writer.transport.abort()
            last = await Visitor.at(bot, guess)
            begun = asyncio.get_running_loop().time()
            assert (await last.answer()).startswith("HTTP/1.1 401")
            assert asyncio.get_running_loop().time() - begun < 5
            last.writer.close()
            await until(lambda: not bot._guesses.locked())

    asyncio.run(test())
