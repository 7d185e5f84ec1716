"""The client key against servers that give it back: real processes, and everything they leave behind is searched."""

from __future__ import annotations

import base64
import contextlib
import gzip
import hashlib
import html
import json
import os
import re
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

import pytest

from cli import errors, main
from tests import warmed
from venues.errors import VenueRefused
from venues.toolkit.decoding import excerpt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATIENCE = 20.0  # seconds for what must come; nothing waits for it to pass
SYMBOL = "SPOT_BTC_USDT"

KEYS = {
    "plain": "Kq7-plain_Key.0123456789",
    "for URLs and JSON": "Kq7/50%2f\"q\\b\\\\+&x<y>'z~end\\",
    "beyond ASCII": "Kq7-ключ-ünï ✓𝄞-end",
}

Answer = "Callable[[socket.socket, str], None]"
Serve = "Callable[[Answer], Server]"


# --- servers that mean no good


class Server:
    """Answers each connection on a loopback port as it is told; keeps what clients sent first."""

    def __init__(self, answer: Callable[[socket.socket, str], None]) -> None:
        self.requests: list[str] = []
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(PATIENCE)

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with client, contextlib.suppress(OSError):
                client.settimeout(PATIENCE)
                head = b""
                while b"\r\n\r\n" not in head and (part := client.recv(65536)):
                    head += part
                    if not head.startswith(b"GET"[: len(head)]) and not head.startswith(b"CONNECT"[: len(head)]):
                        break  # no HTTP: the beginning of TLS
                self.requests.append(head.decode("latin-1"))
                self._answer(client, self.requests[-1])


@pytest.fixture
def serve() -> Iterator[Callable[[Callable[[socket.socket, str], None]], Server]]:
    servers: list[Server] = []

    def started(answer: Callable[[socket.socket, str], None]) -> Server:
        servers.append(Server(answer))
        return servers[-1]

    yield started
    for server in servers:
        server.close()


def http(status: str, body: str = "", **headers: str) -> Callable[[socket.socket, str], None]:
    """An ordinary HTTP answer."""
    lines = [f"HTTP/1.1 {status}", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
    data = body.encode()

    def answer(client: socket.socket, _: str) -> None:
        head = "\r\n".join([*lines, f"Content-Length: {len(data)}", "Connection: close", "", ""])
        client.sendall(head.encode() + data)

    return answer


def frame(payload: str | bytes, opcode: int | None = None) -> bytes:
    data = payload.encode() if isinstance(payload, str) else payload
    kind = opcode if opcode is not None else 1 if isinstance(payload, str) else 2
    if len(data) < 126:
        return struct.pack("!BB", 0x80 | kind, len(data)) + data
    return struct.pack("!BBH", 0x80 | kind, 126, len(data)) + data


def close_frame(code: int, reason: str) -> bytes:
    return frame(struct.pack("!H", code) + reason.encode()[:123], 8)


def websocket(*frames: bytes, **headers: str) -> Callable[[socket.socket, str], None]:
    """A WebSocket that sends these frames, then waits for the client to go."""

    def answer(client: socket.socket, head: str) -> None:
        key = re.search(r"Sec-WebSocket-Key: (\S+)", head, re.IGNORECASE)
        assert key is not None
        digest = hashlib.sha1((key[1] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
        lines = {
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Accept": base64.b64encode(digest).decode(),
        } | {name.replace("_", "-"): value for name, value in headers.items()}
        said = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        client.sendall(f"HTTP/1.1 101 Switching Protocols\r\n{said}\r\n".encode() + b"".join(frames))
        while data := client.recv(65536):
            if data[0] & 0x0F == 8:
                client.sendall(frame(b"\x03\xe8", 8))
                return

    return answer


def event(name: str, **fields: object) -> str:
    return json.dumps({"event": name, "symbol": SYMBOL, "timestamp": 1_700_000_000_000, **fields}, ensure_ascii=False)


def trade(price: float = 100.5, **more: object) -> str:
    return event("TRADE", data={"price": price, "quantity": 1.5, "side": "BUY"}, **more)


# --- the process, and all it leaves behind


@dataclass
class Left:
    """What a run left behind."""

    code: int
    out: str
    err: str
    files: str

    def everything(self) -> str:
        return "\n".join((self.out, self.err, self.files))


class Mon:
    """Runs mon with a clean environment in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        text = {name: os.environ[name] for name in warmed.AT_THE_START if name in os.environ}
        self.environment = {"HOME": str(folder), "PATH": os.defpath, "TZ": "UTC", **text}

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen[bytes]:
        started: subprocess.Popen[bytes] = warmed.popen(
            [sys.executable, "-m", "cli", *arguments],
            self.environment | variables,
            cwd=Path(__file__).parents[1],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        return started

    def end(self, process: subprocess.Popen[bytes]) -> Left:
        try:
            out, err = process.communicate(timeout=PATIENCE)
        except BaseException:
            process.kill()
            process.communicate()
            raise
        kept = []
        for path in sorted(self.folder.rglob("*.jsonl*")):
            data = path.read_bytes()
            kept.append((gzip.decompress(data) if path.suffix == ".gz" else data).decode(errors="replace"))
        return Left(process.returncode, out.decode(), err.decode(), "\n".join(kept))

    def run(self, *arguments: str, **variables: str) -> Left:
        return self.end(self.start(*arguments, **variables))

    def watch(self, server: Server | int, key: str, *options: str, stream: str = "trades", **variables: str) -> Left:
        """A stream of a server, recorded, with tracebacks."""
        port = server if isinstance(server, int) else server.port
        record = ("--record", str(self.folder / "kept.jsonl")) if "--record" not in options else ()
        address = {"MON_NEXUS_URL": f"ws://127.0.0.1:{port}", "MON_NEXUS_CLIENT_KEY": key}
        return self.run(
            stream, "nexus", SYMBOL, "--retries", "0", "-v", *record, *options, **(address | variables)
        )  # fmt: skip


@pytest.fixture
def mon(tmp_path: Path) -> Mon:
    return Mon(tmp_path)


def spellings(secret: str) -> set[str]:
    """A secret as it is, and as it may be encoded; made by the standard library, not by the code under test."""
    quoted = {quote(secret), quote(secret, safe=""), quote_plus(secret), quote(secret, safe="/:@!$&'()*+,;=~")}
    quoted |= {re.sub("%..", lambda code: code[0].lower(), text) for text in quoted}
    escaped = {json.dumps(text, ensure_ascii=ascii_)[1:-1] for text in (secret, *quoted) for ascii_ in (True, False)}
    escaped |= {text.replace("/", "\\/") for text in escaped}
    escaped |= {json.dumps(text, ensure_ascii=False)[1:-1] for text in escaped}
    entities = {html.escape(secret), html.escape(secret, quote=False)}
    return {secret, repr(secret)[1:-1], *quoted, *escaped, *entities}


def leaked(left: Left, secret: str) -> list[str]:
    """The lines that have the secret, or much of its beginning, in any spelling."""
    lines = left.everything().splitlines()
    wanted = {spelling[: max(8, len(spelling) // 2)] for spelling in spellings(secret)}
    return [line for line in lines if any(spelling in line for spelling in wanted)]


@pytest.fixture(params=KEYS.values(), ids=KEYS.keys())
def key(request: pytest.FixtureRequest) -> str:
    return str(request.param)


HOSTILE = "Kq7/50%2f\"q\\b\\\\+&x<y>'z~end\\"  # of the spellings that a test does not choose itself
IN_HEADER = quote(HOSTILE)


def raw(answer: bytes) -> Callable[[socket.socket, str], None]:
    return lambda client, _: client.sendall(answer)


def refusals(key: str) -> dict[str, tuple[Callable[[socket.socket, str], None], int]]:
    """Answers at the handshake, and the exit code that each ends with."""
    every, code = " | ".join(sorted(spellings(key))), quote(key)
    return {
        "401, in body, reason and headers": (http(f"401 {code}", every, X_Key=code, WWW_Authenticate=code), 4),
        "403, cut in the middle": (http("403 No", "x" * 185 + key), 4),
        "403, cut in an escape": (http("403 No", "x" * 170 + quote(key, safe="").lower() + "x" * 30), 4),
        "404, the URL": (http("404 No", f"no {quote(f'/ws/{key}/{SYMBOL}')} here"), 4),
        "500, as the time to wait": (http("500 No", every, Retry_After=code), 5),
        "302, to another host": (http("302 No", every, Location=f"http://elsewhere.example/{code}"), 5),
        "200": (http("200 OK", every), 5),
        "no HTTP": (raw(code.encode() + b"\r\n\r\n"), 5),
        "no header": (raw(b"HTTP/1.1 101 OK\r\n" + code.encode() + b"\r\n\r\n"), 5),
        "no number": (raw(f"HTTP/1.1 {code} OK\r\n\r\n".encode()), 5),
        "endless header": (raw(b"HTTP/1.1 101 OK\r\nX: " + code.encode() * 1000 + b"\r\n\r\n"), 5),
        "wrong accept": (websocket(Sec_WebSocket_Accept=code), 5),
        "unknown extension": (websocket(Sec_WebSocket_Extensions=code), 5),
        "unknown upgrade": (websocket(Upgrade=code), 5),
    }


@pytest.mark.parametrize("case", refusals(HOSTILE))
def test_a_refusal_that_repeats_the_key(
    mon: Mon, serve: Callable[[Callable[[socket.socket, str], None]], Server], case: str
) -> None:
    answer, code = refusals(HOSTILE)[case]
    server = serve(answer)
    left = mon.watch(server, HOSTILE)
    assert left.code == code, left.err
    assert left.err.startswith("mon: ")
    assert "Traceback" in left.err  # -v
    assert leaked(left, HOSTILE) == []
    assert len(server.requests) == 1
    assert quote(HOSTILE, safe="") in server.requests[0]  # it was sent, so there was something to hide


def talk(key: str) -> list[bytes]:
    """Frames with the key in every place where one can be."""
    side = event("TRADE", data={"price": 1, "quantity": 1, "side": key})
    price = event("TRADE", data={"price": key, "quantity": 1, "side": "BUY"})
    texts = [side, trade(note=key), json.dumps({"text": key}), json.dumps({"event": key}), price, trade(symbol=key)]
    texts += [key, "{" + key, trade(symbol="X" * 50 + key), " ".join(sorted(spellings(key)))]
    return [
        *map(frame, texts),
        frame(b"\xff\xfe" + key.encode()),
        frame(key.encode() + b"\xff", 1),
        frame(trade(101.5)),
    ]


@pytest.mark.parametrize("option", [(), ("--raw",), ("-q", "-o", "table")], ids=["lines", "raw", "table"])
def test_frames_that_repeat_the_key(mon: Mon, serve: Serve, key: str, option: tuple[str, ...]) -> None:
    frames = talk(key)
    server = serve(websocket(*frames))
    count = str(len(frames)) if "--raw" in option else "2"
    left = mon.watch(server, key, "--count", count, "--record", str(mon.folder / "kept.jsonl.gz"), *option)
    assert left.code == 0, left.err
    assert leaked(left, key) == []
    assert left.files.count('"kind":"frame"') == len(frames)
    assert "[client_key]" in left.files
    if "--raw" in option:
        assert "[client_key]" in left.out
    if not option:
        assert "got '[client_key]'" in left.err or 'got "[client_key]"' in left.err


@pytest.mark.parametrize(
    ("name", "frames", "code"),
    [
        ("close", lambda key: [close_frame(4001, f"bad key {key}")], 5),
        ("error", lambda key: [frame(json.dumps({"success": False, "errorMsg": f"no {key}"}))], 4),
        ("cut", lambda key: [frame(json.dumps({"success": False, "errorMsg": "x" * 285 + key}))], 4),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_end_that_repeats_the_key(
    mon: Mon, serve: Serve, name: str, frames: Callable[[str], list[bytes]], code: int
) -> None:
    left = mon.watch(serve(websocket(*frames(HOSTILE))), HOSTILE, "--status", "stderr")
    assert left.code == code, left.err
    assert leaked(left, HOSTILE) == []


def test_a_cut_secret_is_hidden_beside_a_long_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errors, "_redactors", [])
    errors.redactor_of_run().learn({"client_key": HOSTILE})
    error = VenueRefused(f"the venue says: {excerpt('x' * 285 + HOSTILE, 300)}")
    error.add_note("a long story\n" * 1_000)
    words = main._last_words(error, verbose=True)
    assert words.count("[client_key]") == 2
    assert HOSTILE[:8] not in words


def test_a_status_line_that_repeats_the_key(mon: Mon, serve: Serve) -> None:
    left = mon.watch(serve(websocket(close_frame(4001, f"bad key {KEYS['plain']}"))), KEYS["plain"])
    assert '"type":"status"' in left.out
    assert leaked(left, KEYS["plain"]) == []


@pytest.mark.parametrize("output", ["jsonl", "csv", "table"])
def test_a_record_that_repeats_the_key(mon: Mon, serve: Serve, output: str) -> None:
    key = KEYS["plain"]
    positions = event("POSITIONS", data={"positions": {key: {"holding": 1}}})
    left = mon.watch(
        serve(websocket(frame(positions))), key, "--count", "1", "-o", output, stream="positions", COLUMNS="120"
    )
    assert left.code == 0
    assert leaked(left, key) == []


def test_a_key_that_is_a_word_leaves_a_recording_that_can_be_played(mon: Mon, serve: Serve) -> None:
    left = mon.watch(serve(websocket(frame(trade()), frame(trade(101)))), "direction", "--count", "2")
    assert left.code == 0
    again = mon.run("replay", str(mon.folder / "kept.jsonl"), "--speed", "max")
    assert again.code == 0, again.err
    assert again.out.count('"type":"trade"') == 2


def test_a_short_key_is_hidden_by_position(mon: Mon, serve: Serve) -> None:
    left = mon.watch(serve(http("404 No", f"no /ws/a%2Fb/{SYMBOL}, no /ws/a/b/{SYMBOL}")), "a/b", "--status", "stderr")
    assert left.code == 4
    assert f"no /ws/[client_key]/{SYMBOL}, no /ws/[client_key]/{SYMBOL}" in left.err
    assert "a/b" not in left.everything()
    assert "a%2Fb" not in left.everything()


def test_the_venue_is_away(mon: Mon) -> None:
    key = HOSTILE
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    left = mon.watch(port, key)
    assert left.code == 5
    assert "connection refused" in left.err
    assert leaked(left, key) == []


def test_no_tls_where_it_was_expected(mon: Mon, serve: Serve) -> None:
    server = serve(raw(f"HTTP/1.1 400 {quote(HOSTILE)}\r\n\r\n".encode()))
    left = mon.watch(server, HOSTILE, MON_NEXUS_URL=f"wss://127.0.0.1:{server.port}")
    assert left.code == 5
    assert f"no TLS with 127.0.0.1:{server.port}" in left.err
    assert leaked(left, HOSTILE) == []


def test_a_certificate_that_is_not_trusted(mon: Mon, tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl to make a certificate")
    made = tmp_path / "venue.pem"
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=127.0.0.1"
    subprocess.run(
        [openssl, *words.split(), "-keyout", made, "-out", tmp_path / "c.pem"], check=True, capture_output=True
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "c.pem", made)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE)
        process = mon.start(
            "trades", "nexus", SYMBOL, "-v",
            MON_NEXUS_URL=f"wss://127.0.0.1:{listener.getsockname()[1]}", MON_NEXUS_CLIENT_KEY=HOSTILE,
        )  # fmt: skip
        client, _ = listener.accept()
        with client, contextlib.suppress(OSError), context.wrap_socket(client, server_side=True) as wrapped:
            wrapped.recv(1)
        left = mon.end(process)
    assert left.code == 5  # and no second try
    assert "is not trusted" in left.err
    assert leaked(left, HOSTILE) == []


def test_the_key_is_not_in_ps_nor_in_debugging_output(mon: Mon, serve: Serve) -> None:
    started, seen, processes = threading.Event(), [], []

    def answer(client: socket.socket, head: str) -> None:
        assert started.wait(PATIENCE)
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                seen.append((path.parent.name, path.read_bytes().replace(b"\0", b" ").decode(errors="replace")))
        http("401 No", HOSTILE)(client, head)

    server = serve(answer)
    processes.append(
        mon.start(
            "trades", "nexus", SYMBOL, "-v", MON_NEXUS_URL=f"http://127.0.0.1:{server.port}",
            MON_NEXUS_CLIENT_KEY=HOSTILE, PYTHONASYNCIODEBUG="1", PYTHONDEVMODE="1", WEBSOCKETS_DEBUG="1",
        )
    )  # fmt: skip
    started.set()
    left = mon.end(processes[0])
    assert left.code == 4
    assert leaked(left, HOSTILE) == []
    if seen:  # there is a /proc
        assert str(processes[0].pid) in [number for number, _ in seen]
        assert [line for _, line in seen if any(spelling in line for spelling in spellings(HOSTILE))] == []


# --- where the key goes


def private(path: Path, text: str) -> str:
    path.write_text(text)
    path.chmod(0o600)
    return str(path)


def test_production_s_key_is_never_sent_to_staging(mon: Mon, serve: Serve) -> None:
    server = serve(http("401 No"))
    production, staging = "production-key-1", "staging-key-22"
    config = private(mon.folder / "mon.toml", f'[venues.nexus]\nclient_key = "{production}"\n')
    arguments = ("trades", "nexus", SYMBOL, "--env", "staging")
    address = {"MON_NEXUS_STAGING_URL": f"ws://127.0.0.1:{server.port}", "MON_CONFIG": config}
    left = mon.run(*arguments, MON_NEXUS_CLIENT_KEY=production, **address)
    assert left.code == 3
    assert "MON_NEXUS_STAGING_CLIENT_KEY" in left.err
    assert "[venues.nexus.staging]" in left.err
    assert server.requests == []
    left = mon.run(*arguments, MON_NEXUS_CLIENT_KEY=production, MON_NEXUS_STAGING_CLIENT_KEY=staging, **address)
    assert left.code == 4
    assert [staging in request and production not in request for request in server.requests] == [True]
    assert production not in left.everything()


def test_the_simulator_needs_nothing_and_gets_nothing(mon: Mon, serve: Serve) -> None:
    proxy = serve(http("407 No"))
    record = mon.folder / "sim.jsonl"
    left = mon.run(
        "book", "nexus", SYMBOL, "--env", "sim", "--once", "--record", str(record),
        MON_NEXUS_CLIENT_KEY=KEYS["plain"], HTTPS_PROXY=f"http://127.0.0.1:{proxy.port}",
        HTTP_PROXY=f"http://127.0.0.1:{proxy.port}", ALL_PROXY=f"http://127.0.0.1:{proxy.port}",
    )  # fmt: skip
    assert left.code == 0, left.err
    assert json.loads(left.out)["env"] == "sim"
    assert leaked(left, KEYS["plain"]) == []
    assert proxy.requests == []


def test_a_proxy_is_never_used_for_loopback(mon: Mon, serve: Serve) -> None:
    proxy, venue = serve(http("407 No")), serve(websocket(frame(trade())))
    config = private(mon.folder / "mon.toml", f'proxy = "http://127.0.0.1:{proxy.port}"\n')
    everywhere = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), f"http://127.0.0.1:{proxy.port}")
    left = mon.watch(venue, KEYS["plain"], "--count", "1", MON_CONFIG=config, **everywhere)
    assert left.code == 0, left.err
    assert (len(venue.requests), proxy.requests) == (1, [])


@pytest.mark.parametrize("where", ["HTTPS_PROXY", "config"])
def test_a_proxy_that_refuses(mon: Mon, serve: Serve, where: str) -> None:
    proxy = serve(http("407 No", KEYS["plain"]))
    address = f"http://somebody:pr0xy-passw0rd@127.0.0.1:{proxy.port}"
    config = private(mon.folder / "mon.toml", f'proxy = "{address}"\n' if where == "config" else "")
    more = {where: address} if where != "config" else {}
    left = mon.watch(proxy, KEYS["plain"], MON_CONFIG=config, MON_NEXUS_URL="wss://venue.example/hub", **more)
    assert left.code == 5, left.err
    assert "the proxy refused (HTTP 407)" in left.err
    assert len(proxy.requests) == 1
    assert proxy.requests[0].startswith("CONNECT venue.example:443 ")
    assert KEYS["plain"] not in proxy.requests[0]
    assert leaked(left, KEYS["plain"]) == leaked(left, "pr0xy-passw0rd") == []


def test_a_command_is_run_again_for_each_connection(mon: Mon, serve: Serve) -> None:
    count = mon.folder / "count"
    script = f'echo x >> "{count}"; echo "key-number-$(grep -c x "{count}")"; echo not this'
    config = private(
        mon.folder / "mon.toml", f"[venues.nexus]\nclient_key_command = {json.dumps(['/bin/sh', '-c', script])}\n"
    )
    connections: list[str] = []

    def answer(client: socket.socket, head: str) -> None:
        connections.append(head)
        first = len(connections) == 1
        websocket(close_frame(1012, "key-number-1") if first else frame(trade()))(client, head)

    server = serve(answer)
    left = mon.run(
        "trades", "nexus", SYMBOL, "--count", "1", "--status", "stderr", "--record", str(mon.folder / "kept.jsonl"),
        MON_CONFIG=config, MON_NEXUS_URL=f"ws://127.0.0.1:{server.port}",
    )  # fmt: skip
    assert left.code == 0, left.err
    assert [re.search("key-number-[0-9]+", head)[0] for head in connections] == ["key-number-1", "key-number-2"]  # type: ignore[index]
    assert "key-number" not in left.everything()


def test_ctrl_c_does_not_wait_for_a_command(mon: Mon) -> None:
    marker = mon.folder / "running"
    os.mkfifo(marker)
    script = f'echo > "{marker}"; exec sleep 600'
    config = private(
        mon.folder / "mon.toml", f"[venues.nexus]\nclient_key_command = {json.dumps(['/bin/sh', '-c', script])}\n"
    )
    process = mon.start("trades", "nexus", SYMBOL, MON_CONFIG=config)
    with marker.open() as opened:  # waits until the command writes
        opened.read()
    process.send_signal(signal.SIGINT)
    assert mon.end(process).code == 130  # within PATIENCE, which is less than the command's deadline
