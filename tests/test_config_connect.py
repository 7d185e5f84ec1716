"""`mon config check --connect`: what is dialled, what is told of it, and with which code it ends."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection, serve

from cli import main
from cli.commands import config_connect
from cli.commands.config_connect import Skew
from tests.command import environment, started
from tests.made_plugins import SESSION, distribution, make, with_plugins
from tests.servers import http_answer, in_thread, raw_server, websocket_server
from tests.simulated import Simulator
from tests.simulated import environment as leading_to
from tests.tiny import Endpoint
from venues import VENUES, Entry
from venues.opening import Handshake
from venues.venue import Now

KEY = "s3cret-key-of-the-test"
CLOCK = r"clock skew below \d+(\.\d)? m?s"


@pytest.fixture(autouse=True)
def _bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the machine's configuration, and no venue's own address within reach."""
    for name in list(os.environ):
        if name.startswith("MON_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setitem(VENUES, "tiny", Entry("tests.tiny:TINY", "book"))
    monkeypatch.setattr(Endpoint, "rows", [{"s": "AAA", "tick": "0.01"}])
    monkeypatch.setattr(Endpoint, "frames", ['"welcome"'])
    monkeypatch.setattr(Endpoint, "answer", None)


@contextlib.asynccontextmanager
async def simulating() -> AsyncIterator[int]:
    async with Simulator() as simulator:
        yield simulator.port


@pytest.fixture
def sim(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The simulator of all venues; the environment leads to it."""
    with in_thread(simulating) as port:
        for name, value in leading_to(port).items():
            monkeypatch.setenv(name, value)
        yield port


class Check:
    """Runs `mon config check --connect` in this process."""

    def __init__(self, capfd: pytest.CaptureFixture[str]) -> None:
        self._capfd = capfd

    def __call__(self, *venues: str) -> tuple[int, list[str], str]:
        code = main.run(["config", "check", "--connect", *venues])
        out, err = self._capfd.readouterr()
        return code, out.splitlines(), err


@pytest.fixture
def check(capfd: pytest.CaptureFixture[str]) -> Check:
    return Check(capfd)


def written(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "c.toml"
    path.write_text(text)
    path.chmod(0o600)
    monkeypatch.setenv("MON_CONFIG", str(path))


# --- what is dialled -----------------------------------------------------------------------------------------------


def test_all_that_has_what_it_needs_is_dialled(sim: int, check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config_connect, "WITHIN", 2.0)
    code, lines, err = check()
    assert (code, err) == (0, "")
    told = dict(line.split(": ", 1) for line in lines)
    simulated = {name for name, _ in (line.split(" ", 1) for line in told)}
    assert {"nexus", "b2trader", "jayx", "nbt", "profitview", "tiny"} <= simulated
    assert "nexus staging" not in told, "its credential is not production's"
    assert re.fullmatch(
        rf"ws://127.0.0.1:{sim}/nexus; no TLS; client_key accepted; "
        rf"first data after \d+ ms \(book SPOT_BTC_USDT\); {CLOCK}",
        told["nexus production"],
    )
    assert re.fullmatch(
        rf"ws://127.0.0.1:{sim}/jayx; no TLS; api_key accepted; first data after \d+ ms \(book BTCUSDT\); {CLOCK}",
        told["jayx production"],
    )
    assert "; api_key not set, which book does not need; first data after " in told["jayx staging"]
    assert re.match(
        rf"ws://127.0.0.1:{sim}/tiny and http://127.0.0.1:{sim}/tiny; no TLS; no credential needed; first data after ",
        told["tiny production"],
    )
    secrets = {value for name, value in leading_to(sim).items() if re.search("_(KEY|TOKEN)$", name)}
    assert len(secrets) >= 5
    assert not [value for value in secrets if value in "".join(lines)]


def test_only_those_that_are_named(sim: int, check: Check) -> None:
    code, lines, err = check("profitview", "tiny")
    assert (code, err) == (0, "")
    assert [line.split(":")[0] for line in lines] == ["profitview production", "tiny production", "tiny staging"]


def test_what_is_missing_is_told_of_those_that_are_named(
    sim: int, check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, lines, _ = check("nexus")
    missing = "not dialled, since something is missing: client_key"
    assert (code, lines[0]) == (0, f"nexus staging: {missing} (MON_NEXUS_STAGING_CLIENT_KEY or the config file)")
    monkeypatch.delenv("MON_NEXUS_CLIENT_KEY")
    code, lines, _ = check("nexus")
    assert (code, lines[0]) == (3, f"nexus production: {missing} (MON_NEXUS_CLIENT_KEY or the config file)")


def test_what_is_missing_is_told_in_one_line_of_all_others(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config_connect, "targets_of", lambda config, venue: iter(()))
    code, lines, err = check()
    assert (code, lines) == (0, [])
    names = ", ".join(VENUES)
    assert err == f"mon: not dialled, since something is missing: {names}; mon config check says what\n"


def test_profiles_with_values_of_their_own(
    sim: int, check: Check, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(
        f'[profiles.second.venues.profitview]\napi_key = "{KEY}"\n[profiles.third.venues.nexus]\n',
        tmp_path,
        monkeypatch,
    )
    code, lines, _ = check("profitview")
    assert [line.partition(":")[0] for line in lines] == [
        "profitview production",
        "profitview production --profile second",
    ]
    assert (code, "api_key accepted" in lines[0]) == (0, True)
    monkeypatch.delenv("MON_PROFITVIEW_API_KEY")
    code, lines, _ = check("profitview")
    assert (code, [line.partition(":")[0] for line in lines][-1]) == (4, "profitview production --profile second")
    assert KEY not in "".join(lines)


def test_words_that_are_no_venues(check: Check, capfd: pytest.CaptureFixture[str]) -> None:
    code, lines, err = check("nexs")
    assert (code, lines, err.startswith("mon: expected a venue (")) == (2, [], True)
    assert main.run(["config", "check", "nexus"]) == 2
    assert capfd.readouterr().err == "mon: expected --connect before the names of venues, got nexus alone\n"


def test_a_config_file_that_is_not_there(check: Check, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MON_CONFIG", str(tmp_path / "none.toml"))
    code, lines, err = check("tiny")
    assert (code, lines, "none.toml" in err) == (3, [], True)


# --- what goes wrong -----------------------------------------------------------------------------------------------


def test_the_highest_code_counts_and_one_venue_holds_up_no_other(
    sim: int, check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MON_PROFITVIEW_URL", "ftp://somewhere")
    code, lines, _ = check("profitview", "tiny")
    assert (code, lines[0]) == (
        3,
        "profitview production: expected an address such as wss://host.example as MON_PROFITVIEW_URL, "
        "got something else",
    )
    assert "first data after" in lines[1]
    monkeypatch.setenv("MON_NEXUS_CLIENT_KEY", KEY)
    code, lines, _ = check("profitview", "nexus", "tiny")
    refused = next(line for line in lines if line.startswith("nexus production"))
    assert (code, refused) == (
        4,
        f"nexus production: ws://127.0.0.1:{sim}/nexus; no TLS; "
        "nexus refused the client key (HTTP 401: unknown client key); check client_key",
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    monkeypatch.setenv("MON_B2TRADER_URL", f"ws://127.0.0.1:{port}")
    code, lines, _ = check("profitview", "nexus", "b2trader")
    assert (code, lines[-1]) == (
        5,
        f"b2trader production: ws://127.0.0.1:{port}; cannot reach 127.0.0.1:{port}: connection refused",
    )
    assert KEY not in "".join(lines)


def test_a_refused_credential_beside_public_data(sim: int, check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MON_JAYX_API_KEY", KEY)
    code, lines, err = check("jayx")
    assert code == 4
    assert "; api_key: jayx refused positions: unknown apiKey; check api_key, category (spot); first data " in lines[0]
    assert KEY not in "".join(lines) + err


def test_one_problem_of_both_connections_is_told_once(sim: int, check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    monkeypatch.setenv("MON_JAYX_URL", f"ws://127.0.0.1:{port}")
    code, lines, _ = check("jayx")
    said = f"cannot reach 127.0.0.1:{port}: connection refused"
    assert (code, lines[0]) == (5, f"jayx production: ws://127.0.0.1:{port}; {said}")


def test_a_credential_that_cannot_be_had(
    sim: int, check: Check, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MON_NEXUS_CLIENT_KEY", "MON_JAYX_API_KEY"):
        monkeypatch.delenv(name)
    written(
        '[venues.nexus]\nclient_key_file = "~/none"\n[venues.jayx]\napi_key_command = ["false"]', tmp_path, monkeypatch
    )
    code, lines, _ = check("nexus", "jayx")
    assert code == 3
    assert "; cannot read the client_key from " in lines[1]
    assert "; api_key: false (api_key_command under [venues.jayx]" in lines[2]
    assert "; first data after " in lines[2]


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def says_nothing(connection: ServerConnection) -> None:
    await connection.wait_closed()


@pytest.mark.parametrize(
    ("server", "code", "told"),
    [
        (lambda: raw_server(silent), 5, "no answer within 0.5 s"),
        (lambda: websocket_server(says_nothing), 0, "no data within 0.5 s (book AAA)"),
        (lambda: raw_server(http_answer("404 Not Found", "no")), 4, "refused by the venue (HTTP 404: no)"),
        (lambda: raw_server(http_answer("503 Busy")), 5, "the venue does not take connections now (HTTP 503)"),
        (lambda: raw_server(http_answer("403 No", "\x1b[2J")), 4, "refused by the venue (HTTP 403: \\x1b[2J)"),
    ],
)
def test_servers_that_give_no_data(
    server: type, code: int, told: str, check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config_connect, "WITHIN", 0.5)
    with in_thread(server) as port:
        monkeypatch.setenv("MON_TINY_URL", f"ws://127.0.0.1:{port}")
        monkeypatch.setenv("MON_TINY_REST_URL", f"http://127.0.0.1:{port}")
        found, lines, err = check("tiny")
    assert (found, err, len(lines)) == (code, "", 2)
    for line in lines:
        assert f"; {told}" in line
        assert ("; clock skew below " in line) == (code == 0)


def test_what_goes_wrong_after_the_first_data_is_no_matter(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    async def one_message(connection: ServerConnection) -> None:
        await connection.send('{"type": "top", "data": 1}')
        connection.transport.close()

    with in_thread(lambda: websocket_server(one_message)) as port:
        monkeypatch.setenv("MON_PROFITVIEW_URL", f"ws://127.0.0.1:{port}")
        monkeypatch.setenv("MON_PROFITVIEW_API_KEY", KEY)
        code, lines, _ = check("profitview")
    assert (code, "; api_key accepted; first data after " in lines[0]) == (0, True)


def test_all_are_dialled_at_once(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither is answered before both are there."""
    come: list[asyncio.StreamWriter] = []
    both = asyncio.Event()

    async def together(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        come.append(writer)
        if len(come) == 2:
            both.set()
        await both.wait()
        await http_answer("404 Not Found")(reader, writer)

    with in_thread(lambda: raw_server(together)) as port:
        monkeypatch.setenv("MON_TINY_URL", f"ws://127.0.0.1:{port}")
        monkeypatch.setenv("MON_TINY_REST_URL", f"http://127.0.0.1:{port}")
        code, lines, _ = check("tiny")
    assert (code, [line.rpartition("; ")[2] for line in lines]) == (4, ["refused by the venue (HTTP 404)"] * 2)


def test_it_begins_to_count_with_the_dial(
    sim: int, check: Check, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command that gives a secret may ask a person, who takes longer than a connection may."""
    monkeypatch.setattr(config_connect, "WITHIN", 1.0)
    monkeypatch.delenv("MON_NEXUS_CLIENT_KEY")
    key = leading_to(sim)["MON_NEXUS_CLIENT_KEY"]
    command = json.dumps(["sh", "-c", f"sleep 1.5; echo {key}"])
    written(f"[venues.nexus]\nclient_key_command = {command}\n", tmp_path, monkeypatch)
    code, lines, _ = check("nexus")
    assert (code, "client_key accepted" in lines[-1], key in "".join(lines)) == (0, True, False)


def test_ctrl_c_ends_at_once(tmp_path: Path) -> None:
    asked: list[bool] = []

    async def hears(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(bool(await reader.read(1)))
        await reader.read()

    with in_thread(lambda: raw_server(hears)) as port:
        env = environment(tmp_path, MON_JAYX_URL=f"ws://127.0.0.1:{port}")
        with started("config", "check", "--connect", "jayx", env=env) as process:
            until = time.monotonic() + 20
            while len(asked) < 2 and time.monotonic() < until:
                time.sleep(0.01)
            assert asked == [True, True]
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=5)
    assert (process.returncode, out, err) == (130, "", "")


# --- TLS and proxies -----------------------------------------------------------------------------------------------


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, ssl.SSLContext]:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl to make a certificate")
    words = (
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=venue.example "
        "-addext subjectAltName=IP:127.0.0.1,DNS:venue.example"
    )
    made, key = tmp_path / "c.pem", tmp_path / "key.pem"
    subprocess.run([openssl, *words.split(), "-keyout", key, "-out", made], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made, key)
    return made, context


def greeting(context: ssl.SSLContext) -> contextlib.AbstractAsyncContextManager[int]:
    """A server of `tiny` behind TLS, which has no HTTP: its book does not come."""

    @contextlib.asynccontextmanager
    async def served() -> AsyncIterator[int]:
        async with serve(says_nothing, "127.0.0.1", 0, ssl=context, ping_interval=None, close_timeout=0.2) as server:
            yield server.sockets[0].getsockname()[1]

    return served()


def test_a_certificate_that_nobody_signed(
    certificate: tuple[Path, ssl.SSLContext], check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config_connect, "WITHIN", 2.0)
    made, context = certificate
    with in_thread(lambda: greeting(context)) as port:
        address = f"wss://127.0.0.1:{port}"
        monkeypatch.setenv("MON_TINY_URL", address)
        monkeypatch.setenv("MON_TINY_REST_URL", f"https://127.0.0.1:{port}")
        code, lines, _ = check("tiny")
        assert code == 5
        assert f"; the TLS certificate of 127.0.0.1:{port} is not trusted: self" in lines[0]
        monkeypatch.setenv("SSL_CERT_FILE", str(made))
        code, lines, _ = check("tiny")
    assert (code, f"{address} and https://127.0.0.1:{port}; TLS 1.3; no credential needed; no data " in lines[0]) == (
        0,
        True,
    )


def test_no_tls_where_it_was_expected(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"220 mail.example ready\r\n")
        await writer.drain()

    with in_thread(lambda: raw_server(plain)) as port:
        monkeypatch.setenv("MON_TINY_URL", f"wss://127.0.0.1:{port}")
        monkeypatch.setenv("MON_TINY_REST_URL", f"https://127.0.0.1:{port}")
        code, lines, _ = check("tiny")
    assert (code, f"; no TLS with 127.0.0.1:{port}: " in lines[0]) == (5, True)


def test_through_a_proxy(
    certificate: tuple[Path, ssl.SSLContext], check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config_connect, "WITHIN", 1.0)
    made, context = certificate
    asked: list[str] = []

    def proxy(target: int) -> contextlib.AbstractAsyncContextManager[int]:
        async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while data := await reader.read(2**16):
                writer.write(data)
                await writer.drain()
            writer.close()

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            asked.append(head.splitlines()[0])
            if "venue.example" not in head:
                writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
                return
            there, back = await asyncio.open_connection("127.0.0.1", target)
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await asyncio.gather(carry(reader, back), carry(there, writer))

        return raw_server(handle)

    with in_thread(lambda: greeting(context)) as port, in_thread(lambda: proxy(port)) as through:
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:{KEY}@127.0.0.1:{through}")
        monkeypatch.setenv("SSL_CERT_FILE", str(made))
        monkeypatch.setenv("MON_TINY_URL", "wss://venue.example")
        monkeypatch.setenv("MON_TINY_REST_URL", "https://venue.example")
        code, lines, err = check("tiny")
        assert (code, err) == (0, "")
        told = "wss://venue.example and https://venue.example through the proxy of HTTPS_PROXY; TLS 1.3; no credential "
        assert lines[0].startswith(f"tiny production: {told}")
        monkeypatch.setenv("MON_TINY_URL", "wss://other.example")
        code, lines, err = check("tiny")
    assert (code, lines[0].endswith("; the proxy refused (HTTP 403)")) == (5, True)
    assert asked[0] == "CONNECT venue.example:443 HTTP/1.1"
    assert KEY not in "".join(lines) + err


# --- venues of other packages --------------------------------------------------------------------------------------


def plugged(folder: Path, home: Path, *venues: str, **variables: str) -> tuple[int, list[str], str]:
    env = with_plugins(folder, home, **variables)
    with started("config", "check", "--connect", *venues, env=env) as process:
        out, err = process.communicate(timeout=40)
    return process.returncode, out.splitlines(), err


def test_a_plug_in(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    make(folder)
    env = with_plugins(folder, tmp_path)
    with started("sim", env=env) as simulator:
        assert simulator.stdout is not None
        address = next(line for line in simulator.stdout if "MON_ACME_URL=" in line).partition("=")[2].strip()
        code, lines, err = plugged(folder, tmp_path, "acme", MON_ACME_URL=address)
    assert (code, err) == (0, "")
    assert [line.partition(":")[0] for line in lines] == ["acme production", "acme beta"]
    assert "; key not set, which book does not need; first data after " in lines[0]


def test_a_plug_in_with_a_fault(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    make(folder)
    (folder / "mon_acme" / "session.py").write_text(
        SESSION.replace("def dial(self):", "def dial(self):\n        1 / 0")
    )
    distribution(folder, "mon-bad", "1.0", {"bad": "nowhere:BAD"}, {})
    code, lines, _ = plugged(folder, tmp_path, "acme")
    assert code == 1
    assert "; a fault of the venue acme (mon-acme 0.3): ZeroDivisionError: division by zero" in lines[0]
    code, lines, err = plugged(folder, tmp_path, "bad")
    assert (code, lines, "mon-bad 1.0" in err) == (3, [], True)
    (tmp_path / "c.toml").touch(0o600)
    (tmp_path / "c.toml").write_text("[venues.acme]\nregoin = 5\n")
    code, lines, _ = plugged(folder, tmp_path, "acme", MON_CONFIG=str(tmp_path / "c.toml"))
    assert (code, len(lines), lines[0].startswith("acme: expected "), "regoin" in lines[0]) == (3, 1, True, True)


# --- the clocks ----------------------------------------------------------------------------------------------------

AT = 1_800_000_000_000


@pytest.mark.parametrize(
    ("date_ms", "behind", "told"),
    [
        (AT, None, "clock skew below 2.0 s"),
        (AT, 40, "clock skew below 2.0 s"),
        (AT - 1_400, 40, "clock skew below 600 ms"),
        (AT - 1_400, None, "clock skew below 1.7 s"),
        (AT, 3_600_000, "clock skew below 2.0 s"),  # old data, as of a quiet market
        (AT - 3_600_000, 3_600_050, "clock skew +60 min"),
        (AT + 3_601_000, -3_600_000, "clock skew −60 min"),
        (None, -3_600_000, "clock skew −60 min by the first data alone"),
        (None, 3_600_000, "clock skew unknown"),
        (None, 12, "clock skew unknown"),
        (None, None, "clock skew unknown"),
        (AT, -3_600_000, "clock skew below 2.0 s"),  # one wrong stamp proves nothing
    ],
)
def test_the_skew_is_what_is_proved(date_ms: int | None, behind: int | None, told: str) -> None:
    handshake = Handshake("", date_ms, Now(1.0, AT), Now(1.3, AT + 300))
    assert Skew.of(handshake, behind).words() == told
