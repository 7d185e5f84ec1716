"""`mon send nbt` against small hubs that take, refuse, forget and hang up; the real command line, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import json
import os
import pty
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.frames import Opcode

from cli import main
from cli.run import desk, sender
from cli.settings.config import Access
from tests.command import MON, environment, records
from tests.hubs import KEY, SmallHub, configure
from tests.servers import http_answer, in_thread, raw_server, websocket_server
from tests.simulated import Simulator
from tests.warmed import popen
from venues import events
from venues.connection import Connection, SystemClock
from venues.driver import Driver
from venues.nbt import NBT
from venues.nbt.sending import signal_command
from venues.protocols import socketio
from venues.records import Status
from venues.redaction import Redactor
from venues.venue import Command, Receipt, Settings, Subscription

OPEN_2 = '0{"sid":"a","upgrades":[],"pingInterval":25000,"pingTimeout":5000}'
BUY = ("buy", "--pair", "BTCUSDT", "--strategy", "S", "--price", "100.50")
BUY_WIRE = {"key": KEY, "stratname": "S", "pair": "BTCUSDT", "buy_price": 100.5}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[SmallHub]:
    small = SmallHub()
    with in_thread(functools.partial(websocket_server, small)) as port:
        configure(monkeypatch, tmp_path, port)
        yield small


class Done:
    """How a run ended; its key is in nothing that it said."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err
        assert KEY not in out + err
        assert "Traceback" not in err

    @property
    def answer(self) -> dict[str, Any]:
        (line,) = records(self.out)
        return line


Run = Callable[..., Done]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Runs `mon send nbt …` in this process, with its own stdin."""

    def running(*arguments: str, stdin: bytes = b"") -> Done:
        file = tmp_path / "stdin"
        file.write_bytes(stdin)
        kept, given = os.dup(0), os.open(file, os.O_RDONLY)
        os.dup2(given, 0)
        try:
            capfd.readouterr()
            code = main.run(["send", "nbt", *arguments])
            out, err = capfd.readouterr()
        finally:
            os.dup2(kept, 0)
            os.close(given)
            os.close(kept)
        return Done(code, out, err)

    return running


# --- one signal ----------------------------------------------------------------------------------------------------


def test_a_signal_is_shown_sent_once_and_acknowledged(hub: SmallHub, run: Run) -> None:
    done = run(*BUY, "--yes")
    assert done.code == 0
    assert hub.events == [["buy_signal", BUY_WIRE]]
    assert hub.left == 1
    (path,) = hub.paths
    assert f"&type=server&key={KEY}" in path
    assert done.answer == {
        "ok": True,
        "kind": "buy",
        "pair": "BTCUSDT",
        "strategy": "S",
        "sent": True,
        "acknowledged": True,
        "answered": [{"status": "ok"}],
    }
    assert '{"key":"[key]","stratname":"S","pair":"BTCUSDT","buy_price":100.50}' in done.err
    assert done.err.endswith("mon: sent, and acknowledged\n")


def test_traded_signals_are_a_clients(hub: SmallHub, run: Run) -> None:
    traded = ("--pair", "P", "--strategy", "S", "--strategy-id", "7", "--trading-type", "real", "--qty", "0.5")
    assert run("traded-sell", *traded, "--yes", "-q").err == ""
    assert "type=client" in hub.paths[0]
    assert hub.events[0][0] == "traded_sell_signal"


def test_no_acknowledgement_is_no_error(hub: SmallHub, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "ACKNOWLEDGED_WITHIN", 0.05)
    hub.answer = ""
    done = run(*BUY, "--yes")
    assert (done.code, done.answer["sent"], done.answer["acknowledged"]) == (0, True, False)
    assert "no acknowledgement" in done.err


def test_a_key_that_is_in_the_signal_too_is_not_shown(hub: SmallHub, run: Run) -> None:
    done = run("buy", "--pair", "P", "--strategy", f"x{KEY}", "--message", KEY, "--yes")
    assert hub.events[0][1]["message"] == KEY
    assert done.answer["strategy"] == "x[key]"


@pytest.mark.parametrize("refusal", ['"bad key"', '{"message":"bad key"}'])
def test_refused_with_the_hubs_words(hub: SmallHub, run: Run, refusal: str) -> None:
    hub.refusal = refusal
    done = run(*BUY, "--yes")
    assert (done.code, done.answer["sent"], hub.events) == (4, False, [])
    assert "bad key" in done.err
    assert "nothing was sent" in done.err


def test_a_complaint_about_the_signal_is_a_refusal(hub: SmallHub, run: Run) -> None:
    hub.answer = '[{"status":"error","message":"no such pair"}]'
    done = run(*BUY, "--yes")
    assert (done.code, done.answer["ok"], done.answer["sent"]) == (4, False, True)
    assert done.answer["acknowledged"] is True
    assert done.answer["answered"] == [{"status": "error", "message": "no such pair"}]
    assert "nbt refused it: no such pair" in done.err


def test_what_is_lost_on_its_way_is_never_sent_again(hub: SmallHub, run: Run) -> None:
    async def drop(socket: ServerConnection, event: Any) -> bool:
        socket.transport.abort()
        return True

    hub.on_event, hub.mute = drop, {Opcode.PONG}
    done = run(*BUY, "--yes")
    assert (done.code, done.answer["sent"], done.answer["ok"]) == (5, None, False)
    assert "it may have been sent or not" in done.err
    assert (len(hub.paths), len(hub.events)) == (1, 1)


def test_a_hub_that_does_not_even_answer_a_ping_may_have_it(
    hub: SmallHub, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "ARRIVED_WITHIN", 0.05)
    hub.mute, hub.answer = {Opcode.PONG}, ""
    done = run(*BUY, "--yes")
    assert (done.code, done.answer["sent"]) == (5, None)
    assert "it may have been sent or not: no answer to a ping" in done.err


def test_what_arrived_before_the_line_was_lost_was_sent(hub: SmallHub, run: Run) -> None:
    async def close(socket: ServerConnection, event: Any) -> bool:
        await (await socket.ping())  # our answer comes after our own ping was answered
        await socket.close(1001)
        return True

    hub.on_event = close
    done = run(*BUY, "--yes")
    assert (done.code, done.answer["sent"], len(hub.events)) == (5, True, 1)
    assert "it was sent, and then: the venue closed the connection (code 1001)" in done.err
    assert "trying again" not in done.err  # nothing is sent twice


@pytest.mark.parametrize(("goodbye", "expected"), [(1000, 0), (b"41", 0), (1001, 5)])
def test_a_hub_that_says_goodbye_to_who_has_said_everything(
    hub: SmallHub, run: Run, goodbye: int | bytes, expected: int
) -> None:
    hub.goodbye = goodbye
    done = run(*BUY, "--yes")
    assert (done.code, done.answer["sent"], done.answer["acknowledged"]) == (expected, True, True)


def test_a_close_that_is_not_in_order_is_told(hub: SmallHub, run: Run) -> None:
    hub.mute = {Opcode.CLOSE}
    hub.on_leave = lambda socket: socket.transport.abort()
    done = run(*BUY, "--yes")
    assert (done.code, done.answer["sent"], done.answer["acknowledged"]) == (5, True, True)
    assert "did not end in order" in done.err


def test_a_hub_of_the_older_generation_that_is_slow_gets_it_once(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(socketio, "UNASKED_WITHIN", 0.02)
    events: list[str] = []

    async def older(socket: ServerConnection) -> None:
        await socket.send(OPEN_2)
        await asyncio.sleep(0.1)
        with contextlib.suppress(Exception):
            await socket.send("40")
            async for frame in socket:
                if str(frame).startswith("420"):
                    events.append(str(frame))
                    await socket.send("430[]")

    with in_thread(functools.partial(websocket_server, older)) as port:
        configure(monkeypatch, tmp_path, port)
        done = run(*BUY, "--yes")
    assert (done.code, len(events), done.answer["acknowledged"]) == (0, 1, True)
    assert "trying again" in done.err


async def echo(socket: ServerConnection) -> None:
    async for frame in socket:
        await socket.send(frame)


@pytest.mark.parametrize("command", ["send", "signals"])
@pytest.mark.parametrize(
    "server",
    [
        functools.partial(websocket_server, echo),
        functools.partial(raw_server, http_answer("404 Not Found", "nothing here")),
        functools.partial(raw_server, http_answer("200 OK", "<html>")),
    ],
    ids=["echo", "404", "200"],
)
def test_who_is_no_socketio_server_is_told(
    server: Any, command: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(socketio, "OPEN_WITHIN", 0.05)
    arguments = [command, "nbt", *([*BUY, "--yes"] if command == "send" else [])]
    with in_thread(server) as port:
        configure(monkeypatch, tmp_path, port)
        code = main.run(arguments)
    _, err = capfd.readouterr()
    assert code == 5
    assert "this is no Socket.IO server" in err
    assert "; check " in err
    assert "trying again" not in err


def test_nobody_there(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    configure(monkeypatch, tmp_path, 9)
    monkeypatch.setattr(desk, "RETRIES", 0)
    done = run(*BUY, "--yes")
    assert (done.code, done.answer["sent"]) == (5, False)
    assert "connection refused" in done.err
    assert "nothing was sent" in done.err


def test_a_hub_that_does_not_let_us_in_in_time(hub: SmallHub, run: Run) -> None:
    hub.refusal = ""  # `44` alone has no reason; what follows is never heard
    hub._on_frame = lambda socket, frame: asyncio.sleep(0)  # type: ignore[method-assign]
    done = run(*BUY, "--yes", "--timeout", "100ms")
    assert (done.code, done.answer["sent"]) == (5, False)
    assert "nbt did not let us in within 0.1 s; nothing was sent" in done.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("buy", "--pair", "P"), "buy needs --strategy"),
        ((*BUY, "--qty", "1"), "--qty does not apply to buy, which takes --strategy, --pair, --price, --message"),
        (("sell", "--pair", "P", "--strategy", "S", "--stop-loss", "1"), "--stop-loss does not apply to sell"),
        (("buy", "--pair", "P", "--strategy", "S", "--price", "abc"), 'as --price, got "abc"'),
        ((), "expected what to signal"),
        (("hold",), "hold"),
        (("--stdin", "--yes", "--pair", "P"), "expected --stdin or --pair, got both"),
        (("buy", "--stdin", "--yes"), "expected --stdin or buy, got both"),
        (("--stdin",), "expected --yes with --stdin"),
    ],
)
def test_usage(hub: SmallHub, run: Run, arguments: tuple[str, ...], words: str) -> None:
    yes = [] if "--stdin" in arguments else ["--yes"]
    done = run(*arguments, *yes)
    assert (done.code, done.out, hub.paths) == (2, "", [])
    assert words in done.err.replace("\n     ", " ")


def test_without_a_terminal_and_without_yes_nothing_is_sent(hub: SmallHub, run: Run) -> None:
    done = run(*BUY)
    assert (done.code, hub.paths) == (2, [])
    assert done.err == "mon: expected --yes, since there is no terminal to ask on; nothing was sent\n"


def test_another_venue_takes_none(capfd: pytest.CaptureFixture[str]) -> None:
    assert main.run(["send", "nexus", *BUY, "--yes"]) == 2
    assert 'expected a venue that takes signals (nbt), got "nexus"' in capfd.readouterr().err


@pytest.mark.parametrize("missing", ["MON_NBT_URL", "MON_NBT_KEY"])
def test_what_is_not_configured_is_said_with_the_way_to_set_it(
    hub: SmallHub, run: Run, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.delenv(missing)
    done = run(*BUY, "--yes")
    assert (done.code, done.out) == (3, "")
    assert missing in done.err


def test_the_key_is_in_no_recording_and_no_raw_line(hub: SmallHub) -> None:
    events: list[events.Event] = []
    came: list[Any] = []

    async def scenario() -> None:
        changed = asyncio.Event()

        def deliver(items: list[Any]) -> None:
            came.extend(items)
            changed.set()

        async def until(reached: Callable[[Any], bool]) -> None:
            async with asyncio.timeout(10):
                while not any(map(reached, came)):
                    changed.clear()
                    await changed.wait()

        subscription = Subscription("signals", options={"type": "server"})
        port = int(os.environ["MON_NBT_URL"].rpartition(":")[2])
        (line,) = NBT.routes([subscription], Settings(url=f"ws://127.0.0.1:{port}"))
        driver = Driver(line, [subscription], venue="nbt")

        async def fetch() -> dict[str, str]:
            return {"key": "short"}

        connection = Connection(
            driver,
            fetch_secrets=fetch,
            deliver=deliver,
            clock=SystemClock(),
            random=lambda: 0.0,
            redactor=Redactor(),
            tap=events.append,
        )
        task = asyncio.create_task(connection.run())
        await until(lambda item: getattr(item, "state", "") == "live")
        connection.send(signal_command("buy", {"pair": "P", "strategy": "S"}))
        await until(lambda item: isinstance(item, Receipt) and item.acknowledged)
        connection.leave()
        await task
        assert connection.left_in_order

    asyncio.run(scenario())
    assert hub.events == [["buy_signal", {"key": "short", "stratname": "S", "pair": "P"}]]
    kept = "".join(map(str, events))
    assert "short" not in kept
    assert '"key":"[key]"' in kept


def test_who_came_first_goes_first_when_the_connection_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    went: list[str] = []

    class Line:
        """Stands where the connection is, and takes everything."""

        def __init__(self, driver: Any, **options: Any) -> None:
            self.deliver = options["deliver"]

        def send(self, command: Command) -> None:
            went.append(command.name)
            asyncio.get_running_loop().call_soon(self.deliver, [Receipt(command, acknowledged=True)])

        async def run(self) -> None:
            await asyncio.Event().wait()

    monkeypatch.setattr(sender, "Connection", Line)
    live = Status(venue="nbt", received=0, stream="signals", state="live")

    async def scenario() -> None:
        access = Access(Settings(url="wss://hub.example"), {}, None)
        options: dict[str, Any] = {"redactor": Redactor(), "say": print, "retries": None}
        sending = sender.Sender(NBT, Subscription("signals"), access, **options)
        first = asyncio.create_task(sending.send(Command("first", {}), 5))
        await asyncio.sleep(0)
        second = asyncio.create_task(sending.send(Command("second", {}), 5))
        sending._deliver([live])  # before the second has begun to wait
        assert [(await task).acknowledged for task in (first, second)] == [True, True]
        sending._task.cancel()  # type: ignore[union-attr]

    asyncio.run(scenario())
    assert went == ["first", "second"]


def test_who_waits_for_a_connection_is_interrupted_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    class Line:
        """Stands where the connection is, which never comes."""

        def __init__(self, driver: Any, **options: Any) -> None:
            pass

        async def run(self) -> None:
            await asyncio.Event().wait()

    monkeypatch.setattr(sender, "Connection", Line)

    async def scenario() -> sender.Outcome:
        access = Access(Settings(url="wss://hub.example"), {}, None)
        options: dict[str, Any] = {"redactor": Redactor(), "say": print, "retries": None}
        sending = sender.Sender(NBT, Subscription("signals"), access, **options)
        waits = asyncio.create_task(sending.send(Command("first", {}), 3_600))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        sending.interrupt()
        outcome = await asyncio.wait_for(waits, 5)
        sending._task.cancel()  # type: ignore[union-attr]
        return outcome

    outcome = asyncio.run(scenario())
    assert (outcome.sent, outcome.error) == (False, "interrupted; nothing was sent")


# --- many signals --------------------------------------------------------------------------------------------------


def lines_of(*lines: Any) -> bytes:
    return b"".join((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in lines)


def buy(pair: str, **more: Any) -> dict[str, Any]:
    return {"kind": "buy", "pair": pair, "strategy": "S", **more}


def test_each_line_is_answered_in_order_and_a_bad_one_stops_nothing(hub: SmallHub, run: Run) -> None:
    traded = {"kind": "traded-buy", "pair": "T", "strategy": "S", "strategy_id": 7, "trading_type": "real"}
    stdin = lines_of(
        buy("A"),
        b"junk",
        b"",
        {**traded, "qty": "0.50"},
        buy("B", qty=1),
        {"pair": "A"},
        buy("C", message="x" * 70_000),
        [1],
        buy("D"),
        {"kind": ["buy"], "pair": "E", "strategy": "S"},
        buy("F"),
    )
    done = run("--stdin", "--yes", stdin=stdin.removesuffix(b"\n"))
    answers = records(done.out)
    assert [(a["line"], a["ok"], a["sent"]) for a in answers] == [
        (1, True, True),
        (2, False, False),
        (4, True, True),
        (5, False, False),
        (6, False, False),
        (7, False, False),
        (8, False, False),
        (9, True, True),
        (10, False, False),
        (11, True, True),
    ]
    errors = [a["error"] for a in answers if not a["ok"]]
    assert "expected JSON" in errors[0]
    assert errors[1].startswith("qty does not apply to buy, which takes strategy, pair, price")
    assert errors[2] == "expected a kind, got none"
    assert errors[3] == "expected a line of at most 65536 bytes, got more"
    assert "expected object" in errors[4]
    assert errors[5] == "expected one of buy, sell, traded-buy, traded-sell as kind of signal, got ['buy']"
    assert done.code == 2
    assert [event[1]["pair"] for event in hub.events if event[0] == "buy_signal"] == ["A", "D", "F"]
    assert [event[1]["qty"] for event in hub.events if event[0] == "traded_buy_signal"] == ["0.50"]
    assert sorted("type=server" in path for path in hub.paths) == [False, True]
    assert hub.left == 2


def test_a_field_given_twice_is_refused(hub: SmallHub, run: Run) -> None:
    twice = b'{"kind":"buy","pair":"A","strategy":"S","price":1,"price":2}'
    both = b'{"kind":"buy","kind":"sell","pair":"A","strategy":"S"}'
    done = run("--stdin", "--yes", stdin=lines_of(twice, both))
    errors = [answer["error"] for answer in records(done.out)]
    assert errors == [f"expected each field once, got {name} twice" for name in ("price", "kind")]
    assert done.code == 2
    assert hub.events == []


def test_a_file_of_powershells_is_read(hub: SmallHub, run: Run) -> None:
    done = run("--stdin", "--yes", stdin=b"\xef\xbb\xbf" + lines_of(buy("A"), buy("B")).replace(b"\n", b"\r\n"))
    assert [answer["ok"] for answer in records(done.out)] == [True, True]
    assert [event[1]["pair"] for event in hub.events] == ["A", "B"]


def test_many_lines_go_out_in_order_on_one_connection(hub: SmallHub, run: Run) -> None:
    pairs = [f"P{number}" for number in range(1500)]
    done = run("--stdin", "--yes", "-q", stdin=lines_of(*map(buy, pairs)))
    assert done.code == 0
    assert [event[1]["pair"] for event in hub.events] == pairs
    assert [answer["pair"] for answer in records(done.out)] == pairs
    assert len(hub.paths) == 1


def test_a_lost_connection_costs_what_was_underway_and_nothing_twice(
    hub: SmallHub, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def drop(socket: ServerConnection, event: Any) -> bool:
        if event[1]["pair"] == "B":
            await asyncio.sleep(0.5)  # the answer to A arrives: an abort may throw away what lies in our socket
            socket.transport.abort()
        return event[1]["pair"] == "B"

    hub.on_event, hub.mute = drop, {Opcode.PONG}
    monkeypatch.setattr(desk, "MOST_UNDERWAY", 1)  # one after the other
    done = run("--stdin", "--yes", stdin=lines_of(*map(buy, "ABCDEF")))
    answers = {answer["pair"]: answer["sent"] for answer in records(done.out)}
    assert answers["A"] is True
    assert answers["B"] is None
    assert answers["F"] is True
    assert done.code == 5
    assert len(hub.paths) == 2
    sent = [event[1]["pair"] for event in hub.events]
    assert len(sent) == len(set(sent))
    assert set(sent) >= {pair for pair, state in answers.items() if state}


def test_a_refusal_ends_it(hub: SmallHub, run: Run) -> None:
    hub.refusal = '"bad key"'
    done = run("--stdin", "--yes", stdin=lines_of(buy("A"), *itertools.repeat(buy("B"), 20_000)))
    assert done.code == 4
    assert records(done.out)[0]["sent"] is False
    assert len(done.out.splitlines()) < 5_000
    assert done.err.count("bad key") == 1
    assert len(hub.paths) == 1


def test_nothing_to_send_is_nothing_to_do(hub: SmallHub, run: Run) -> None:
    done = run("--stdin", "--yes")
    assert (done.code, done.out, done.err, hub.paths) == (0, "", "", [])


# --- processes: terminals, pipes, signals --------------------------------------------------------------------------


def process(tmp_path: Path, *arguments: str, **options: Any) -> subprocess.Popen[bytes]:
    env = environment(tmp_path, **{name: os.environ[name] for name in ("MON_NBT_URL", "MON_NBT_KEY")})
    options = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    started: subprocess.Popen[bytes] = popen([MON, "send", "nbt", *arguments], env, **options)
    return started


@pytest.mark.parametrize(
    ("typed", "code", "sent"), [(b"y\n", 0, 1), (b"\n", 130, 0), (b"\x04", 130, 0), (b"\x03", 130, 0)]
)
def test_on_a_terminal_it_asks(hub: SmallHub, tmp_path: Path, typed: bytes, code: int, sent: int) -> None:
    master, terminal = pty.openpty()
    started = process(tmp_path, *BUY, stdin=terminal, stderr=terminal, start_new_session=True, preexec_fn=_own_terminal)
    os.close(terminal)
    shown = b""
    while b"send it? [y/N]" not in shown:
        assert select.select([master], [], [], 20)[0], shown
        shown += os.read(master, 4096)
    assert KEY.encode() not in shown
    assert b'"buy_price":100.50' in shown
    assert hub.paths == []
    os.write(master, typed)
    started.communicate(timeout=20)
    os.close(master)
    assert (started.returncode, len(hub.events)) == (code, sent)


def _own_terminal() -> None:
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def test_answers_come_as_the_lines_go_and_ctrl_c_tells_what_was_underway(hub: SmallHub, tmp_path: Path) -> None:
    async def silent(socket: ServerConnection, event: Any) -> bool:
        return event[1]["pair"] == "B"

    hub.on_event, hub.mute = silent, {Opcode.PONG}
    with process(tmp_path, "--stdin", "--yes") as started:
        assert started.stdin is not None
        assert started.stdout is not None
        started.stdin.write(lines_of(buy("A")))
        started.stdin.flush()
        assert json.loads(started.stdout.readline())["sent"] is True
        started.stdin.write(lines_of(buy("B")))
        started.stdin.flush()
        deadline = time.monotonic() + 20
        while len(hub.events) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        started.send_signal(signal.SIGINT)
        out, err = started.communicate(timeout=20)
    assert started.returncode == 130
    answer = json.loads(out)
    assert (answer["ok"], answer["sent"]) == (False, None)
    assert "interrupted" in answer["error"]
    assert KEY.encode() not in out + err


def test_term_while_it_waits_for_lines(hub: SmallHub, tmp_path: Path) -> None:
    with process(tmp_path, "--stdin", "--yes") as started:
        assert started.stdin is not None
        assert started.stdout is not None
        started.stdin.write(lines_of(buy("A")))
        started.stdin.flush()
        started.stdout.readline()
        started.send_signal(signal.SIGTERM)
        started.communicate(timeout=20)
    assert started.returncode == 143
    assert hub.left == 1


def test_a_reader_that_is_gone_ends_an_endless_stdin(hub: SmallHub, tmp_path: Path) -> None:
    with process(tmp_path, "--stdin", "--yes", "-q") as started:
        assert started.stdin is not None
        assert started.stdout is not None

        def write() -> None:
            with contextlib.suppress(BrokenPipeError):
                for number in itertools.count():
                    started.stdin.write(lines_of(buy(f"P{number}")))  # type: ignore[union-attr]

        writing = threading.Thread(target=write)
        writing.start()
        assert json.loads(started.stdout.readline())["pair"] == "P0"
        started.stdout.close()
        assert started.wait(20) == 141
        writing.join(20)
        with contextlib.suppress(BrokenPipeError):
            started.stdin.close()
        assert started.stderr is not None
        assert started.stderr.read() == b""


@pytest.mark.parametrize(("faults", "hush"), [([], 6.0), (["--fault", "drop:5s"], 0.0)])
def test_the_first_signal_at_a_simulator_is_that_of_who_sends_one(
    faults: list[str], hush: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = []

    async def serve(simulator: Simulator, *more: object) -> int:
        served.append(simulator)
        return 0

    monkeypatch.setattr("cli.commands.sim._serve", serve)
    assert main.run(["sim", *faults]) == 0
    assert [simulator.world.hush for simulator in served] == [hush]


def test_the_end_waits_until_the_answers_are_written() -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        lines = desk._Lines(SimpleNamespace(stopped=loop.create_future()))  # type: ignore[arg-type]
        end = asyncio.create_task(lines._until_written())
        for _ in range(5):
            await asyncio.sleep(0)
        assert not end.done()
        lines._on_output_end(loop, None)
        await end

    asyncio.run(scenario())


def test_an_output_that_fails_ends_the_sending() -> None:
    async def scenario() -> None:
        lines = desk._Lines(SimpleNamespace(stopped=None))  # type: ignore[arg-type]
        failed = BrokenPipeError()
        for problem in (None, failed):
            lines._on_output_end(asyncio.get_running_loop(), problem)
            await asyncio.sleep(0)
            assert lines._written.is_set()
            assert (lines._problem, lines._over.is_set()) == (problem, problem is not None)

    asyncio.run(scenario())
