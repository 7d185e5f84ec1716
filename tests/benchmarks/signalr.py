"""`mon book b2trader` in a pipe against the reference client, npm's `@microsoft/signalr`: messages a second.

    python -m tests.benchmarks.signalr

A book of 200 levels a side, of which 20 are written; three rows a side change with each message. The client prints
each message as it came, or merges the book with JavaScript's numbers and prints its best 20 levels. All get the same
messages from the same process. The rate is from the first chunk that comes out to the one with the last message; `mon`
merges each message, and leaves out the states that are old by the time its line can be written.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from aiohttp import web

from tests.benchmarks import b2trader
from tests.benchmarks.figures import WrongResultError, absent, at_least, for_information, print_head, progress
from tests.benchmarks.sender import port_of

ROOT = Path(__file__).parents[2]
MODULES = ROOT / "tests" / "interop" / "node_modules"
MESSAGES = 20_000
TURNS = 3
BURST = 16  # messages that are written together
FASTER = 1.0
SEPARATOR = b"\x1e"
CHUNK = 2**20
AGREED = {
    "connectionId": "a",
    "connectionToken": "a",
    "negotiateVersion": 1,
    "availableTransports": [{"transport": "WebSockets", "transferFormats": ["Text", "Binary"]}],
}


def frame(payload: bytes) -> bytes:
    """One unmasked, final text frame."""
    length = len(payload)
    head = bytes([0x81, length]) if length <= 125 else bytes([0x81, 126]) + length.to_bytes(2, "big")
    if length >= 2**16:
        head = bytes([0x81, 127]) + length.to_bytes(8, "big")
    return head + payload


async def serve(count: int) -> None:
    """Print the port, and send the messages to whoever asks for the book, until stdin is closed."""
    b2trader.MESSAGES = count
    payloads = b2trader.frames()
    last = json.loads(payloads[-1].rstrip(SEPARATOR))
    last["item"]["bids"][0] = {"price": "0.93600", "amount": "7", "total": "6.55"}  # the best: it is shown for sure
    payloads[-1] = json.dumps(last).encode() + SEPARATOR

    async def talk(request: web.Request) -> web.StreamResponse:
        if request.method == "POST":
            return web.json_response(AGREED)
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        async for message in socket:
            for text in filter(None, str(message.data).split(SEPARATOR.decode())):
                said = json.loads(text)
                if "protocol" in said:
                    await socket.send_str("{}" + SEPARATOR.decode())
                elif said.get("target") == "Book":
                    await _send(request, payloads, said["invocationId"])
        return socket

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", talk)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


async def _send(request: web.Request, payloads: list[bytes], number: str) -> None:
    """The frames as they are, since aiohttp would make each anew."""
    transport = request.transport
    assert transport is not None
    ready = [
        frame(payload.replace(b'"invocationId":"0"', b'"invocationId":"%b"' % number.encode())) for payload in payloads
    ]
    for at in range(0, len(ready), BURST):
        transport.write(b"".join(ready[at : at + BURST]))
        await request.protocol._drain_helper()


def rate(command: list[str], port: int) -> float:
    """Messages a second."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MON_", "PYTHON"))}
    environment |= {
        "MON_B2TRADER_URL": f"ws://127.0.0.1:{port}", "MON_B2TRADER_TOKEN": "a-token-of-no-value",
        "MON_B2TRADER_ACCOUNT_ID": "a", "NODE_PATH": str(MODULES),
    }  # fmt: skip
    last = b'"sequence":%d' % (MESSAGES + 1)
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        first, end = 0.0, b""
        while last not in end:
            chunk = os.read(process.stdout.fileno(), CHUNK)
            if not chunk:
                raise WrongResultError(f"{command[0]} ended before the last message")
            first = first or time.perf_counter()
            end = end[-100:] + chunk
        taken = time.perf_counter() - first
        process.kill()
    return MESSAGES / taken


def run() -> None:
    """`mon`, and the client's two ways."""
    mon = Path(sys.executable).with_name("mon")
    node = shutil.which("node")
    if not mon.exists() or node is None or not (MODULES / "@microsoft" / "signalr").exists():
        absent("mon book b2trader in a pipe", "it needs `mon` beside the interpreter, node and @microsoft/signalr")
        return
    peer = [node, str(Path(__file__).with_name("signalr_peer.cjs"))]
    with port_of("tests.benchmarks.signalr", "serve", MESSAGES) as port:
        url = f"http://127.0.0.1:{port}/peer"
        commands = {
            "mon book b2trader in a pipe": [str(mon), "book", "b2trader", b2trader.MARKET, "--retries", "0", "-q"],
            "@microsoft/signalr, a stream printed": [*peer, url, "stream"],
            "@microsoft/signalr, the book merged": [*peer, url, "book"],
        }
        rates: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(TURNS):
            for name, command in commands.items():
                progress(name)
                rates[name].append(rate(command, port))
    progress("")
    ours, *theirs = commands
    for_information(ours, f"{median(rates[ours]):,.0f} msg/s")
    for name in theirs:
        figure = f"{median(rates[name]):,.0f} msg/s"
        at_least(f"mon / {name}", figure, median(rates[ours]) / median(rates[name]), FASTER)


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        asyncio.run(serve(int(sys.argv[2])))
    else:
        print_head()
        run()
