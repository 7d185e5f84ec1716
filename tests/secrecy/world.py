"""The other ends of the runs, in a process of its own: simulators that let every key in, and servers that mean no good.

What a hostile server says back it reads from what it was told (`marks.read_from`), and says in every spelling that a
real one has. Each kind listens on a port of its own; the first word of a path is the venue that it plays. One JSON line
on stdout has the ports and the certificate. Each mark that came is a line in the file named on the command line.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import html
import json
import re
import ssl
import struct
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote, quote_plus

from tests.secrecy.marks import mark, read_from

PATIENCE = 10.0  # seconds after which a connection that nobody ends is ended
GONE_AFTER = 1.0

Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter
Serve = Callable[["World", Reader, Writer], Awaitable[None]]


class World:
    """What has been told so far, and to which file it is written."""

    def __init__(self, told: Path) -> None:
        self._told = told
        self._known: set[str] = set()

    def hear(self, data: bytes) -> list[str]:
        """The marks in what a client sent."""
        found = [*read_from(data.decode("latin-1")), *read_from(data.decode(errors="replace"))]
        for one in found:
            if one not in self._known:
                self._known.add(one)
                with self._told.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(one) + "\n")
        return [*dict.fromkeys(found)]


def spellings(secret: str) -> list[str]:
    """A secret as servers say it back; made by the standard library, not by the code under test."""
    quoted = [quote(secret), quote(secret, safe=""), quote_plus(secret)]
    quoted += [re.sub("%..", lambda code: code[0].lower(), text) for text in quoted]
    escaped = [json.dumps(text, ensure_ascii=ascii_)[1:-1] for text in (secret, quoted[1]) for ascii_ in (True, False)]
    escaped += [text.replace("/", "\\/") for text in escaped]
    return [*dict.fromkeys([secret, *quoted, *escaped, html.escape(secret)])]


# --- HTTP ----------------------------------------------------------------------------------------------------------


async def head_of(reader: Reader) -> bytes:
    """The head of a request; what came of it, where it never ends."""
    try:
        return await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE)
    except asyncio.IncompleteReadError as error:
        return error.partial


def _answer(status: str, body: str, **headers: str) -> bytes:
    data = body.encode(errors="replace")
    lines = [f"HTTP/1.1 {status}", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
    head = "\r\n".join([*lines, f"Content-Length: {len(data)}", "Connection: close", "", ""])
    return head.encode("latin-1", "replace") + data


async def refuse(status: str, world: World, reader: Reader, writer: Writer) -> None:
    """Refuse with the key in the reason, the headers and the body."""
    head = await head_of(reader)
    marks = world.hear(head)
    code = quote(" ".join(marks), safe="")
    path = head.split(b" ")[1].decode("latin-1") if head.count(b" ") > 1 else ""
    body = " | ".join([*(way for one in marks for way in spellings(one)), path, *(one[:12] + "…" for one in marks)])
    headers = {"X_Key": code, "WWW_Authenticate": f"Bearer {code}"}
    if status.startswith("3"):
        headers["Location"] = f"http://127.0.0.1:9{path}?{code}"
    writer.write(_answer(f"{status} {code[:200]}", body, **headers))


async def say_nothing_sensible(world: World, reader: Reader, writer: Writer) -> None:
    """Answer with the key, and not in HTTP."""
    marks = world.hear(await head_of(reader))
    writer.write(" ".join(way for one in marks for way in spellings(one)).encode() + b"\r\n\r\n")


async def say_nothing(world: World, reader: Reader, writer: Writer) -> None:
    """Take all that comes, and answer nothing."""
    while data := await reader.read(65_536):
        world.hear(data)


# --- WebSockets that say back what they are told --------------------------------------------------------------------


def frame(payload: str | bytes, opcode: int | None = None, *, last: bool = True) -> bytes:
    """A WebSocket frame from a server."""
    data = payload.encode() if isinstance(payload, str) else payload
    kind = (0x80 if last else 0) | (opcode if opcode is not None else 1 if isinstance(payload, str) else 2)
    if len(data) < 126:
        return struct.pack("!BB", kind, len(data)) + data
    return struct.pack("!BBH", kind, 126, len(data)) + data


async def _frames(reader: Reader) -> Any:
    """What a client sends: opcode and payload."""
    while True:
        first, second = await reader.readexactly(2)
        length = second & 0x7F
        if length > 125:
            size = 2 if length == 126 else 8
            length = int.from_bytes(await reader.readexactly(size), "big")
        key = await reader.readexactly(4)
        data = await reader.readexactly(length)
        yield first & 0x0F, bytes(byte ^ key[at % 4] for at, byte in enumerate(data))


async def reflect(closes: bool, world: World, reader: Reader, writer: Writer) -> None:
    """A WebSocket that lets everybody in and says back what it was told; `closes`: in its close frame, at once."""
    head = await head_of(reader)
    marks = world.hear(head)
    text = head.decode("latin-1")
    venue = text.split("/", 2)[1]
    if "negotiate" in text.split("\r\n", 1)[0]:
        return await _negotiate(text, world, writer)
    key = re.search(r"Sec-WebSocket-Key: (\S+)", text, re.IGNORECASE)
    if key is None:
        writer.write(_answer("426 Upgrade", " ".join(marks)))
        return None
    digest = base64.b64encode(hashlib.sha1((key[1] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest())
    writer.write(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
        + digest
        + b"\r\n\r\n"
    )
    reason = (marks or ["nothing"])[0].encode()[:90]
    close = frame(struct.pack("!H", 4001) + b"no: " + reason, 8)
    if closes:
        writer.write(close)
    else:
        writer.write(b"".join(map(frame, _welcome(venue, marks))))
    said = 0
    async for opcode, data in _frames(reader):
        if opcode == 8:
            writer.write(frame(data[:2] or b"\x03\xe8", 8))
            return None
        if opcode == 9:
            writer.write(frame(data, 10))
            continue
        marks = [*dict.fromkeys([*marks, *world.hear(data)])]
        if not closes and said < 4:
            said += 1
            writer.write(b"".join(map(frame, _replies(venue, data, marks))))
            await writer.drain()
        if said == 4:
            reason = (marks or ["nothing"])[0].encode()[:90]
            writer.write(frame(struct.pack("!H", 4001) + b"no: " + reason, 8))
    return None


def _welcome(venue: str, marks: list[str]) -> Iterator[str | bytes]:
    if venue in ("jayx", "nbt"):
        yield '0{"sid":"s1","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}'
        yield "40"
    elif venue != "b2trader":
        yield from _talk(marks)


def _talk(marks: list[str]) -> Iterator[str | bytes]:
    """Frames with the key in every place where one can be, one of them cut in two."""
    for one in marks:
        yield from spellings(one)
        yield json.dumps({"event": one, "note": one, "text": [one, {one: one}]})
        yield json.dumps({"event": "TRADE", "symbol": one, "timestamp": 1, "data": {"price": one, "side": one}})
        yield json.dumps({"type": one, "data": {"key": one}}, ensure_ascii=False)
        yield json.dumps({"type": "a_topic", "data": one})
        yield b"\xff\xfe" + one.encode()
        yield json.dumps({"success": False, "errorMsg": "x" * 190 + one})
        yield json.dumps({"success": False, "errorMsg": f"no {one}"})


def _replies(venue: str, data: bytes, marks: list[str]) -> Iterator[str | bytes]:
    text = data.decode(errors="replace")
    if venue == "b2trader":
        if '"protocol"' in text:
            yield "{}\x1e"
        for part in text.split("\x1e"):
            try:
                said = json.loads(part or "{}")
            except ValueError:
                continue
            if said.get("type") == 4:
                yield from _signalr(said["invocationId"], marks)
    elif venue in ("jayx", "nbt"):
        yield '40{"sid":"s2"}' if text.startswith("40") else "3probe"
        for one in marks:
            yield from ("42" + json.dumps([event, one]) for event in ("message", "error", "user_payload", one))
            yield "42" + json.dumps(["message", {"message": one, one: 1}])
            yield "42" + json.dumps(["buy_signal", {"pair": one, "price": one, "stratname": one, "key": one}])
            yield "42" + json.dumps(["openorders", {"code": 1, "msg": one, "data": [{"symbol": one}]}])
            yield "42" + json.dumps(["auth", {"success": False, "error": one}])
            yield "44" + json.dumps({"message": one})
    else:
        yield from _talk(marks)


def _signalr(invocation: str, marks: list[str]) -> Iterator[str]:
    for one in marks:
        for item in (one, {"id": one, one: 1}, [{"marketId": one, "price": one}]):
            yield json.dumps({"type": 2, "invocationId": invocation, "item": item}) + "\x1e"
        yield json.dumps({"type": 1, "target": one, "arguments": [one]}) + "\x1e"
        yield json.dumps({"type": 3, "invocationId": invocation, "error": f"no {one}"}) + "\x1e"
    yield json.dumps({"type": 7, "error": " ".join(marks), "allowReconnect": False}) + "\x1e"


async def _negotiate(text: str, world: World, writer: Writer) -> None:
    """A negotiation that gives a cookie and tokens of its own, leads on once, and is refused in the end by the rest."""
    given = {name: mark(f"b2trader's {name}", tricky=name != "cookie") for name in ("cookie", "connectionToken")}
    token = mark("b2trader's accessToken")
    cookie = {"Set_Cookie": f"ARR={given['cookie']}; Path=/"}
    host = re.search(r"Host: (\S+)", text, re.IGNORECASE)
    assert host is not None
    if "again" in text.split("\r\n", 1)[0]:
        answer: dict[str, Any] = {
            "connectionToken": given["connectionToken"],
            "connectionId": "c1",
            "negotiateVersion": 1,
            "availableTransports": [{"transport": "WebSockets", "transferFormats": ["Text"]}],
        }
    else:
        path = text.split(" ")[1].partition("/negotiate")[0]
        answer = {"url": f"http://{host[1]}{path}/again", "accessToken": token}
    writer.write(_answer("200 OK", json.dumps(answer), Content_Type="application/json", **cookie))


# --- proxies -------------------------------------------------------------------------------------------------------


async def through(context: ssl.SSLContext, world: World, reader: Reader, writer: Writer) -> None:
    """A proxy that is the venue itself, with a certificate that is trusted: it says back what the proxy was told."""
    marks = world.hear(await head_of(reader))
    writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
    await writer.drain()
    await writer.start_tls(context)
    marks += world.hear(await head_of(reader))
    basic = [base64.b64encode(f"{marks[0]}:{one}".encode()).decode() for one in marks[1:2]]
    body = " | ".join([*(way for one in marks for way in spellings(one)), *basic])
    writer.write(_answer("403 No", body, X_Key=quote(" ".join(marks), safe="")))


async def cut_through(context: ssl.SSLContext, world: World, reader: Reader, writer: Writer) -> None:
    """A proxy that says yes and then the password, where TLS is awaited."""
    marks = world.hear(await head_of(reader))
    writer.write(b"HTTP/1.1 200 Connected\r\n\r\n" + " ".join(marks).encode())


# --- all of it -----------------------------------------------------------------------------------------------------


def certificates(folder: Path) -> dict[str, Path]:
    """A certificate for the venues' hosts that is its own authority, and its key."""
    made = {"certificate": folder / "venue.crt", "key": folder / "venue.key"}
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=venue.example"
    names = "subjectAltName=DNS:venue.example,IP:127.0.0.1"
    subprocess.run(
        ["openssl", *words.split(), "-addext", names, "-keyout", made["key"], "-out", made["certificate"]],
        check=True,
        capture_output=True,
    )
    return made


KINDS: dict[str, Serve] = {
    **{f"{status} refused": partial(refuse, f"{status} No") for status in (302, 400, 401, 403, 404, 429, 500, 503)},
    "407 refused": partial(refuse, "407 Proxy Authentication Required"),
    "no HTTP": say_nothing_sensible,
    "silence": say_nothing,
    "reflects": partial(reflect, False),
    "closes": partial(reflect, True),
}


async def simulators() -> Any:
    """The simulator of all venues, with doors that are open for every key."""
    from tests.simulated import Simulator
    from venues.b2trader.simulator.endpoint import B2Trader
    from venues.jayx.simulator.endpoint import JayX
    from venues.nbt.simulator import endpoint as nbt
    from venues.nexus.simulator.endpoint import Nexus
    from venues.profitview import simulator as profitview

    class Every(str):  # equal to every key
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            return True

        def __ne__(self, other: object) -> bool:
            return False

    for endpoint, name in ((Nexus, "client_key"), (JayX, "api_key"), (nbt.Nbt, "key")):
        endpoint.credentials = {name: Every(endpoint.credentials[name])}
    B2Trader._knows = lambda self, handshake: True  # type: ignore[method-assign]
    profitview.hmac = SimpleNamespace(compare_digest=lambda one, other: True)  # type: ignore[attr-defined]
    simulator = Simulator(rate=50)
    await simulator.start()
    return simulator


async def main(folder: Path, told: Path) -> None:
    """Serve until stdin ends."""
    world = World(told)
    made = certificates(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made["certificate"], made["key"])
    kinds = KINDS | {"through": partial(through, context), "cut through": partial(cut_through, context)}
    ports = {}
    for name, serve in kinds.items():
        ports[name] = await _listen(serve, world)
    ports["untrusted"] = await _listen(say_nothing, world, context)
    simulator = await simulators()
    ports["accepted"] = simulator.port
    gone = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    ports["nobody"] = gone.sockets[0].getsockname()[1]
    gone.close()
    print(json.dumps({"ports": ports, "certificate": str(made["certificate"])}), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await simulator.close()


async def _listen(serve: Serve, world: World, context: ssl.SSLContext | None = None) -> int:
    async def on_client(reader: Reader, writer: Writer) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                await serve(world, reader, writer)
                await writer.drain()
        except (OSError, EOFError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(on_client, "127.0.0.1", 0, ssl=context)
    port: int = server.sockets[0].getsockname()[1]
    return port


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2])))
