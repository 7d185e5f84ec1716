"""The bot's feed and webhooks, with readers of another maker, with `mon feed profitview`, and with curl."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import shutil
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock, Mock
from urllib.parse import quote

import pytest
from aiohttp import ClientSession, FormData, WSCloseCode, WSMsgType
from aiohttp.web import WebSocketResponse
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from cli.bot import serving
from cli.bot.serving import BotServer
from tests.bot.served import (
    TOKEN,
    asked,
    broken,
    ended,
    reader,
    running,
    until,
    until_closed,
)
from tests.command import MON, environment
from venues.errors import SetupError

# --- the feed ----------------------------------------------------------------------------------------------------


def test_every_reader_gets_every_message_in_order() -> None:
    async def test() -> None:
        async with running() as bot, reader(bot) as first, reader(bot) as second:
            await until(lambda: len(bot._readers) == 2)
            sent = [json.dumps({"type": "n", "data": number}).encode() for number in range(1000)]
            for message in sent:
                bot.publish(message)
            for one in (first, second):
                assert [(await one.recv()).encode() for _ in sent] == sent
            await first.send("what a reader says means nothing")
            await first.send(b"\x00\xff")
            await first.close()
            await until(lambda: len(bot._readers) == 1)
            bot.publish(b'{"type":"last","data":null}')
            assert await second.recv() == '{"type":"last","data":null}'
            assert (bot.said, bot.faults) == ([], [])

    asyncio.run(test())


def test_readers_are_told_when_the_bot_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "CLOSE_WITHIN", 60.0)  # whoever has all is not waited for

    async def test() -> None:
        async with running() as bot, reader(bot) as joined:
            await until(lambda: len(bot._readers) == 1)
            bot.publish(b'{"type":"last","data":1}')
            await bot.close()
            assert bot._readers == set()
            assert await joined.recv() == '{"type":"last","data":1}'
            with pytest.raises(ConnectionClosed) as caught:
                await joined.recv()
            assert caught.value.rcvd is not None
            assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (1001, "the bot has ended")
            assert bot.said == []

    asyncio.run(test())


@pytest.mark.parametrize("token", ["", "wrong", TOKEN[:-1], TOKEN + "x", "ä" * 19, "\x00"])
def test_a_reader_without_the_token_is_turned_away(token: str) -> None:
    async def test() -> None:
        async with running() as bot:
            url = bot.feed_url.partition("?")[0] + f"?token={quote(token)}"
            with pytest.raises(InvalidStatus) as caught:
                async with connect(url, proxy=None):
                    pass
            answer = caught.value.response
            assert answer.status_code == 401
            assert json.loads(answer.body or b"") == {"error": "expected the bot's token, got another one"}

    asyncio.run(test())


@pytest.mark.parametrize("most", ["messages", "bytes"])
def test_a_slow_reader_is_dropped_with_a_reason_and_holds_nobody_up(most: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if most == "messages":
        monkeypatch.setattr(serving, "MOST_WAITING", 50)
    else:
        monkeypatch.setattr(serving, "MOST_WAITING_BYTES", 2**20)
    message = json.dumps({"type": "x", "data": "y" * 100_000}).encode()

    async def test() -> None:
        async with running() as bot, reader(bot, max_queue=None) as quick:
            # What a system keeps for a socket is bounded: this one reads nothing at all.
            slow = socket.create_connection(("127.0.0.1", bot.port))
            path = bot.feed_url.partition(str(bot.port))[2]
            slow.sendall(
                f"GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
            )
            await until(lambda: len(bot._readers) == 2)
            sent = 0
            while not bot.said:
                bot.publish(message)
                sent += 1
                assert (await quick.recv()).encode() == message
            expected = "50 messages" if most == "messages" else "1 MiB of messages"
            assert bot.said == [
                f"a reader of the bot's feed was disconnected: too slow: more than {expected} were waiting for it"
            ]
            assert sent > 50
            assert len(bot._readers) == 1
            runner = bot._runner
            assert runner is not None
            web_server = runner.server
            assert web_server is not None
            # What waits for a reader that is gone is not kept.
            await until(lambda: len(web_server.connections) == 1)
            assert await asyncio.to_thread(ended, slow)
            slow.close()

    asyncio.run(test())


def test_nothing_is_sent_after_a_message_that_was_given_up_half_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "CLOSE_WITHIN", 0.01)

    async def forever(*_: object) -> None:
        await asyncio.Event().wait()

    async def test() -> None:
        socket, transport = AsyncMock(WebSocketResponse), Mock(asyncio.Transport)
        socket.receive = socket.send_frame = AsyncMock(side_effect=forever)
        late = serving._Reader(socket, transport)
        serves = asyncio.create_task(late.run())
        late.put(b"half of it")
        await until(lambda: socket.send_frame.called)
        late.end(WSCloseCode.OK, "")
        assert await serves == ""
        assert (socket.close.called, transport.abort.called) == (False, True)

    asyncio.run(test())


def test_a_reader_that_catches_up_reads_why_it_was_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "MOST_WAITING", 5)

    async def test() -> None:
        async with running() as bot, reader(bot) as late:
            await until(lambda: len(bot._readers) == 1)
            for number in range(10):  # in one go: the reader had no turn
                bot.publish(b"%d" % number)
            with pytest.raises(ConnectionClosed) as caught:
                await until_closed(late)
            assert caught.value.rcvd is not None
            assert caught.value.rcvd.code == 1008
            assert caught.value.rcvd.reason.startswith("too slow: more than 5 messages")

    asyncio.run(test())


def test_a_reader_that_is_dead_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "PING_EVERY", 0.1)

    async def test() -> None:
        async with running() as bot, ClientSession() as http:
            dead = await http.ws_connect(bot.feed_url, autoping=False)
            alive = await http.ws_connect(bot.feed_url)
            listening = asyncio.create_task(alive.receive())
            await until(lambda: len(bot._readers) == 2)
            assert (await dead.receive()).type is WSMsgType.PING
            await until(lambda: len(bot._readers) == 1)
            bot.publish(b"x")
            assert (await listening).data == "x"
            assert bot.faults == []

    asyncio.run(test())


def test_mon_shows_what_a_bot_publishes(tmp_path: Path) -> None:
    async def test() -> None:
        async with running() as bot:
            url, _, _ = bot.feed_url.partition("/stream")
            env = environment(tmp_path, MON_PROFITVIEW_URL=url, MON_PROFITVIEW_API_KEY=TOKEN)
            process = await asyncio.create_subprocess_exec(
                MON, "feed", "profitview", "theo", "--count", "2", env=env, stdout=-1, stderr=-1
            )
            await until(lambda: bool(bot._readers))
            for text in (b'{"type":"theo","data":{"price":1.10}}', b'{"type":"other","data":1}', b'{"type":"theo"}'):
                bot.publish(text)
            out, err = await process.communicate()
            assert (process.returncode, err) == (0, b"")
            got = [(line["topic"], line.get("data")) for line in map(json.loads, out.splitlines())]
            assert got == [("theo", {"price": 1.1}), ("theo", None)]
            assert b"1.10" in out

            wrong = {**env, "MON_PROFITVIEW_API_KEY": "another-token"}
            process = await asyncio.create_subprocess_exec(MON, "feed", "profitview", env=wrong, stdout=-1, stderr=-1)
            out, err = await process.communicate()
            assert process.returncode == 4
            assert b"another-token" not in err

    asyncio.run(test())


# --- webhooks ----------------------------------------------------------------------------------------------------


def test_queries_are_texts() -> None:
    async def test() -> None:
        async with running() as bot:
            status, answer, _ = await asked(bot, "GET", "echo?price=1.10&empty=&a=1&a=2&n%C3%A4me=%26+x")
            assert (status, answer) == (200, {"data": {"price": "1.10", "empty": "", "a": "2", "näme": "& x"}})
            assert (await asked(bot, "GET", "echo"))[1] == {"data": {}}
            assert (await asked(bot, "GET", "na%C3%AFve"))[1] == {"data": None}
            assert bot.turns == 3

    asyncio.run(test())


@pytest.mark.parametrize(
    ("body", "content_type", "data"),
    [
        (b'{"price": 1.5, "n": [1, null]}', "application/json", {"price": 1.5, "n": [1, None]}),
        (b'"text"', "application/json; charset=utf-8", "text"),
        (b"[1]", "text/plain", "[1]"),
        ("BTC crossed 70 000\u00a0!\n".encode(), "text/plain; charset=utf-8", "BTC crossed 70 000\u00a0!\n"),
        (b"caf\xe9", "text/plain; charset=latin-1", "caf\u00e9"),
        (b'{"price": 2}', "application/x-www-form-urlencoded", {"price": 2}),
        (b" price=1.10&side=Buy&e=", "application/x-www-form-urlencoded", {"price": "1.10", "side": "Buy", "e": ""}),
        (b"%7Boops&a=1", "application/x-www-form-urlencoded", {"{oops": "", "a": "1"}),
        (b"5", "application/x-www-form-urlencoded", 5),
        (b"", "application/json", {}),
        (b"", "text/plain", ""),
        (b"", "application/x-www-form-urlencoded", {}),
    ],
)
def test_what_is_posted(body: bytes, content_type: str, data: Any) -> None:
    async def test() -> None:
        async with running() as bot:
            headers = {"Content-Type": content_type}
            status, answer, _ = await asked(bot, "POST", "echo", data=body, headers=headers)
            assert (status, answer) == (200, {"data": data})

    asyncio.run(test())


def test_a_form_in_parts() -> None:
    def part(name: str, more: str, content: bytes) -> bytes:
        return f'--x\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + content + b"\r\n"

    body = part("price", "", b"1.10") + part("größe", "", "ü".encode()) + part("lines", '; filename="a"', b"a\r\nb\n")
    headers = {"Content-Type": "multipart/form-data; boundary=x"}

    async def test() -> None:
        async with running() as bot:
            status, answer, _ = await asked(bot, "POST", "echo", data=body + b"--x--\r\n", headers=headers)
            assert (status, answer) == (200, {"data": {"price": "1.10", "größe": "ü", "lines": "a\r\nb\n"}})
            form = FormData({"price": "1.10"})
            form.add_field("file", b"content", filename="a.txt", content_type="application/octet-stream")
            assert (await asked(bot, "POST", "echo", data=form))[1] == {"data": {"price": "1.10", "file": "content"}}

    asyncio.run(test())


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"price=1", "application/json"),
        (b"{", "application/json"),
        (b"NaN", "application/json"),
        (b"\xff\xfe", "application/json"),
        (b"[" * 100_000, "application/json"),
        (b"a=\xff", "application/x-www-form-urlencoded"),
        (b'{"price": "a=1"', "application/x-www-form-urlencoded"),
        (b"no json", "application/x-www-form-urlencoded"),
        (b"a=%ff", "application/x-www-form-urlencoded"),
        (b"no parts", "multipart/form-data; boundary=x"),
        (b"no boundary", "multipart/form-data"),
        (b"--x\r\nContent-Type: text/plain\r\n\r\nnameless\r\n--x--\r\n", "multipart/form-data; boundary=x"),
        (
            b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\xff\r\n--x--\r\n',
            "multipart/form-data; boundary=x",
        ),
    ],
)
def test_a_body_that_is_none(body: bytes, content_type: str) -> None:
    async def test() -> None:
        async with running() as bot:
            headers = {"Content-Type": content_type}
            status, answer, _ = await asked(bot, "POST", "echo", data=body, headers=headers)
            assert status == 400
            assert answer["error"].startswith("expected ")
            assert (bot.turns, bot.faults) == (0, [])

    asyncio.run(test())


def test_who_has_no_token_learns_nothing() -> None:
    async def test() -> None:
        async with running() as bot:
            for method, name in (("GET", "echo"), ("GET", "nothing"), ("PUT", "echo")):
                status, answer, _ = await asked(bot, method, name, token="wrong")
                assert (status, answer) == (401, {"error": "expected the bot's token, got another one"})
            assert bot.turns == 0

    asyncio.run(test())


def test_what_there_is_not() -> None:
    async def test() -> None:
        async with running() as bot:
            assert (await asked(bot, "GET", "nothing"))[:2] == (404, {"error": "the bot has no route nothing"})
            assert (await asked(bot, "GET", "echo/"))[0] == 404
            status, answer, headers = await asked(bot, "GET", "broken")
            assert (status, answer, headers["Allow"]) == (405, {"error": "expected POST, got GET"}, "POST")
            status, answer, headers = await asked(bot, "DELETE", "echo")
            assert (status, headers["Allow"]) == (405, "GET, POST")
            root = f"http://127.0.0.1:{bot.port}"
            async with ClientSession() as http:
                for path in ("/", "/trading", "/trading/signal", "/stream/x", "/trading/other/x/y"):
                    async with http.get(root + path) as response:
                        assert response.status == 404
                        assert "expected /stream?token=TOKEN" in (await response.json())["error"]
                async with http.get(bot.feed_url.replace("ws:", "http:")) as response:
                    assert response.status == 426
                    assert (await response.json())["error"] == "expected a WebSocket, got an ordinary request"

    asyncio.run(test())


def test_of_several_scripts_an_error_says_whose_it_is() -> None:
    async def test() -> None:
        async with running({("GET", "desk/bad"): broken}) as bot:
            status, answer, _ = await asked(bot, "GET", "desk/bad")
            assert (status, answer["error"].partition(";")[0]) == (500, "desk/get_bad failed")

    asyncio.run(test())


def test_an_exception_has_an_id_that_is_told_where_it_is_reported() -> None:
    async def test() -> None:
        async with running() as bot:
            status, answer, _ = await asked(bot, "POST", "broken", json={})
            assert status == 500
            assert answer == {
                "error": "post_broken failed; its error is on the bot's stderr as id-1",
                "id": "id-1",
            }
            assert isinstance(bot.faults[0], ZeroDivisionError)
            for name in ("set", "self"):
                status, answer, _ = await asked(bot, "GET", name)
                assert (status, answer["id"]) == (500, f"id-{len(bot.faults)}")
                assert bot.faults[-1].__notes__ == [f"in what get_{name} returned"]
            assert (await asked(bot, "GET", "status"))[1] == {"data": {"ok": True, "price": 1.1, "rsi": None}}

    asyncio.run(test())


def test_bodies_are_bounded_also_without_a_length() -> None:
    async def chunks(size: int) -> AsyncIterator[bytes]:
        for _ in range(0, size, 2**16):
            yield b"1" * 2**16

    async def test() -> None:
        async with running() as bot:
            for body in (io.BytesIO(b"1" * (2**20 + 1)), chunks(2**20 + 2**16)):
                status, answer, _ = await asked(bot, "POST", "echo", data=body)
                assert status == 413
                assert answer == {"error": "expected a body of at most 1048576 bytes, got a longer one"}
            receiver, sender = await asyncio.open_connection("127.0.0.1", bot.port)
            path = bot.webhook_url.partition(str(bot.port))[2]
            sender.write(f"POST {path}/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1048577\r\n\r\n".encode())
            assert (await receiver.readline()).startswith(b"HTTP/1.1 413 "), "before any of it has come"
            sender.close()
            text = '"' + "x" * (2**20 - 2) + '"'
            assert (await asked(bot, "POST", "echo", data=io.BytesIO(text.encode())))[1] == {"data": text[1:-1]}
            assert bot.faults == []

    asyncio.run(test())


def test_a_body_that_does_not_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "BODY_WITHIN", 0.05)

    async def test() -> None:
        async with running() as bot:
            path = bot.webhook_url.partition(str(bot.port))[2]
            head = f"POST {path}/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n1".encode()
            receiver, sender = await asyncio.open_connection("127.0.0.1", bot.port)
            sender.write(head)
            assert (await receiver.readline()).startswith(b"HTTP/1.1 408 ")
            sender.close()
            receiver, sender = await asyncio.open_connection("127.0.0.1", bot.port)
            sender.write(head)
            await sender.drain()
            sender.close()
            assert (await asked(bot, "GET", "echo"))[0] == 200
            assert (bot.faults, bot.turns) == ([], 1)

    asyncio.run(test())


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not here")
def test_curl_calls_webhooks() -> None:
    async def curl(*arguments: str) -> str:
        process = await asyncio.create_subprocess_exec("curl", "-sS", "--noproxy", "*", *arguments, stdout=-1)
        out, _ = await process.communicate()
        return out.decode()

    async def test() -> None:
        async with running() as bot:
            url = bot.webhook_url
            assert await curl(f"{url}/echo?price=1") == '{"data":{"price":"1"}}'
            assert await curl("-d", '{"price":1}', f"{url}/echo") == '{"data":{"price":1}}'
            assert await curl("-d", "price=1", f"{url}/echo") == '{"data":{"price":"1"}}'
            assert await curl("-F", "price=1", f"{url}/echo") == '{"data":{"price":"1"}}'

    asyncio.run(test())


# --- around it -----------------------------------------------------------------------------------------------------


def test_a_port_that_is_taken() -> None:
    async def test() -> None:
        async with running() as bot:
            other = BotServer("127.0.0.1", bot.port, TOKEN, {}, print, str)
            with pytest.raises(
                SetupError, match=rf"cannot serve the bot's feed at 127.0.0.1 port {bot.port}: .*in use"
            ):
                await other.start()
            await other.close()

    asyncio.run(test())


def test_addresses_have_the_token_as_a_url_has_it() -> None:
    made = BotServer("0.0.0.0", 80, TOKEN, {}, print, str)
    assert made.feed_url == "ws://127.0.0.1:80/stream?token=tok%2Fen%2Bof%20mine-4711"
    assert made.webhook_url == "http://127.0.0.1:80/trading/signal/tok%2Fen%2Bof%20mine-4711"
    assert BotServer("::1", 80, "t", {}, print, str).feed_url == "ws://[::1]:80/stream?token=t"  # type: ignore[arg-type]


def test_nothing_is_logged_of_a_request(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    async def test() -> None:
        async with running() as bot:
            for path in ("echo", "nothing", "set"):
                await asked(bot, "GET", path)
            receiver, sender = await asyncio.open_connection("127.0.0.1", bot.port)
            sender.write(f"GET /stream?token={TOKEN} HTTP/9\r\n\r\n".encode())
            assert await receiver.read()
            sender.close()

    with caplog.at_level(logging.DEBUG, logger="aiohttp"):
        asyncio.run(test())
    assert not [record for record in caplog.records if record.name.startswith("aiohttp")]
    assert capfd.readouterr() == ("", "")
