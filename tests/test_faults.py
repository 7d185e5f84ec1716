"""The fault proxy does what it says; what a case leaves behind is noticed; a failure is shrunk."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal
from pathlib import Path

import pytest

from tests.faults import certificates, leaks, schedules
from tests.faults.cases import Case, Outcome
from tests.faults.deadlines import SHORT
from tests.faults.layout import PAYLOAD, Layout
from tests.faults.links import LINKS, case_of, named
from tests.faults.proxy import FaultProxy, fault_proxy
from tests.faults.schedules import BOTH, KINDS, TO_CLIENT, TO_SERVER, Schedule, Step, schedule
from tests.faults.shrink import shrunk

ROOT = Path(__file__).parents[1]

# --- schedules


def test_a_seed_gives_the_same_schedule_for_ever() -> None:
    assert schedule(3).as_json() == SEED_3
    assert schedule(3) == schedule(3) != schedule(4)


def test_a_schedule_is_read_as_it_was_written() -> None:
    for seed in range(50):
        assert Schedule.from_json(schedule(seed).as_json()) == schedule(seed)


def test_seeds_have_all_kinds_of_faults() -> None:
    drawn = {step.kind for seed in range(300) for step in schedule(seed).steps}
    assert drawn == set(KINDS)


@pytest.mark.parametrize("text", ["7", '{"steps":[{"kind":"cut"}]}', '{"steps":[{"at":1,"kind":"earthquake"}]}', "{"])
def test_what_is_no_schedule_is_told(text: str) -> None:
    with pytest.raises(ValueError, match=r"schedule|earthquake|Expecting"):
        Schedule.from_json(text)


SEED_3 = (
    '{"seed":3,"steps":[{"at":0.48,"kind":"reset"},{"at":0.785,"kind":"never-answered","lasts":1.11},'
    '{"at":1.687,"kind":"refuse","lasts":2.375},{"at":1.921,"kind":"stall","lasts":0.198},{"at":3.835,"kind":"stall","lasts":0.578}]}'
)

# --- the proxy, as a client without any protocol sees it


@contextlib.asynccontextmanager
async def echo() -> AsyncIterator[int]:
    """A server that sends back what comes, and ends when the client has ended."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(2**16):
                writer.write(data)
                await writer.drain()
        writer.close()

    def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accepted, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Client:
    """A raw one. What it reads within some time; b"" for the end, None for nothing."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def to(cls, proxy: FaultProxy) -> Client:
        return cls(*await asyncio.open_connection("127.0.0.1", proxy.port))

    async def read(self, seconds: float = 0.5, size: int = 2**16) -> bytes | None:
        try:
            async with asyncio.timeout(seconds):
                return await self.reader.read(size)
        except TimeoutError:
            return None

    async def ask(self, data: bytes, seconds: float = 0.5) -> bytes | None:
        self.writer.write(data)
        return await self.read(seconds)

    def close(self) -> None:
        self.writer.transport.abort()


def through(step: Step, talk: Callable[[FaultProxy, Client], Awaitable[None]], *, opened: bool = True) -> None:
    """Talk through a proxy with one fault; the connection is open before it begins."""

    async def run() -> None:
        async with echo() as port, fault_proxy(port, Schedule((step,)), waits=opened) as proxy:
            client = await Client.to(proxy) if opened else None
            if client is not None:
                assert await client.ask(b"before") == b"before"
                proxy.begin()
                await asyncio.sleep(0.05)
            await talk(proxy, client)  # type: ignore[arg-type]
            if client is not None:
                client.close()
        assert len(asyncio.all_tasks()) == 1, "the proxy leaves nothing behind"

    asyncio.run(run())


def test_cut_closes_both_ways() -> None:
    async def talk(_: FaultProxy, client: Client) -> None:
        assert await client.read() == b""

    through(Step(0, schedules.CUT), talk)


def test_half_close_ends_one_way_and_leaves_the_other() -> None:
    async def talk(proxy: FaultProxy, client: Client) -> None:
        assert await client.read() == b""
        client.writer.write(b"still taken")
        await client.writer.drain()
        await asyncio.sleep(0.05)
        assert proxy.connections, "the other way is open"

    through(Step(0, schedules.HALF_CLOSE, toward=TO_CLIENT), talk)


def test_reset_is_a_rst() -> None:
    async def talk(_: FaultProxy, client: Client) -> None:
        with pytest.raises(ConnectionResetError):
            await client.read()

    through(Step(0, schedules.RESET), talk)


def test_reset_in_a_frame_comes_behind_half_of_it() -> None:
    async def talk(_: FaultProxy, client: Client) -> None:
        assert await client.ask(b"0123456789") == b"01234"
        with pytest.raises(ConnectionResetError):
            await client.read()

    through(Step(0, schedules.RESET_IN_FRAME, toward=TO_CLIENT), talk)


def test_cut_in_a_frame_comes_behind_half_of_it() -> None:
    async def talk(_: FaultProxy, client: Client) -> None:
        assert await client.ask(b"0123456789") == b"01234"
        assert await client.read() == b""

    through(Step(0, schedules.CUT_IN_FRAME, toward=TO_CLIENT), talk)


def test_delay_is_late_and_in_order() -> None:
    async def talk(_: FaultProxy, client: Client) -> None:
        began = time.monotonic()
        for number in range(5):
            client.writer.write(b"%d" % number)
            await asyncio.sleep(0.01)
        came = b""
        while len(came) < 5:
            came += await client.read(2) or b""
        assert came == b"01234"
        assert time.monotonic() - began > 0.1

    through(Step(0, schedules.DELAY, 3, toward=TO_CLIENT, amount=0.6), talk)


def test_throttle_holds_to_its_rate() -> None:
    async def talk(_: FaultProxy, client: Client) -> None:
        began = time.monotonic()
        client.writer.write(b"x" * 300)
        async with asyncio.timeout(5):
            assert await client.reader.readexactly(300) == b"x" * 300
        assert time.monotonic() - began > 0.25

    through(Step(0, schedules.THROTTLE, 5, toward=TO_CLIENT, amount=1000), talk)


def test_single_bytes_come_one_by_one() -> None:
    async def talk(_: FaultProxy, client: Client) -> None:
        client.writer.write(b"abcdefgh")
        pieces = []
        while sum(map(len, pieces)) < 8:
            pieces.append(await client.read(2) or b"")
        assert b"".join(pieces) == b"abcdefgh"
        assert len(pieces) > 2

    through(Step(0, schedules.SINGLE_BYTES, 3, toward=TO_CLIENT), talk)


def test_a_stall_holds_what_comes_and_passes_it_later() -> None:
    async def talk(proxy: FaultProxy, client: Client) -> None:
        assert await client.ask(b"held", 0.2) is None
        await proxy.over()
        assert await client.read() == b"held"

    through(Step(0, schedules.STALL, 0.5), talk)


@pytest.mark.parametrize("toward", [BOTH, TO_CLIENT, TO_SERVER])
def test_a_black_hole_takes_bytes_for_good(toward: str) -> None:
    async def talk(proxy: FaultProxy, client: Client) -> None:
        assert await client.ask(b"lost", 0.1) is None
        await proxy.over()
        assert await client.ask(b"never again", 0.2) is None
        another = await Client.to(proxy)
        assert await another.ask(b"well") == b"well"
        another.close()

    through(Step(0, schedules.BLACK_HOLE, 0.3, toward=toward), talk)


def test_refused_connections_are_refused_and_later_ones_are_not() -> None:
    async def talk(proxy: FaultProxy, client: Client) -> None:
        with pytest.raises(ConnectionRefusedError):
            await Client.to(proxy)
        assert await client.ask(b"open before") == b"open before"
        await proxy.over()
        another = await Client.to(proxy)
        assert await another.ask(b"well") == b"well"
        another.close()

    through(Step(0, schedules.REFUSE, 0.3), talk)


def test_a_connection_that_is_never_answered() -> None:
    async def talk(proxy: FaultProxy, _: Client) -> None:
        silent = await Client.to(proxy)
        assert await silent.ask(b"hello", 0.1) is None
        await proxy.over()
        assert await silent.ask(b"hello", 0.1) is None
        silent.close()

    through(Step(0, schedules.NEVER_ANSWERED, 0.3), talk)


@pytest.mark.parametrize("kind", [schedules.REORDER, schedules.OVERTAKE])
def test_a_later_connection_is_served_before_an_earlier_one(kind: str) -> None:
    async def talk(proxy: FaultProxy, _: Client) -> None:
        first = await Client.to(proxy)
        assert await first.ask(b"first", 0.1) is None
        second = await Client.to(proxy)
        second.writer.write(b"second")
        # The second one waits for a third, or for the end of the fault; the first is free as soon as it was served.
        assert await second.read(2) == b"second"
        assert await first.read(2) == b"first"
        first.close()
        second.close()

    through(Step(0, kind, 0.6, toward=TO_CLIENT), talk)


# --- what is corrupted

ANSWER = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"
FRAME = b"\x81\x10" + b'{"a":[10,"b"]}  '


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_the_parts_of_a_line_are_known_however_it_is_cut(size: int) -> None:
    layout, whole = Layout(), ANSWER + FRAME + FRAME
    parts = ""
    for at in range(0, len(whole), size):
        for span in layout.spans(whole[at : at + size]):
            parts += {schedules.HEAD: "h", schedules.FRAMING: "f", PAYLOAD: "p"}[span.part] * (span.end - span.start)
    assert parts == "h" * len(ANSWER) + ("ff" + "p" * 16) * 2


def test_behind_a_head_without_upgrade_is_a_body() -> None:
    spans = Layout().spans(b'HTTP/1.1 200 OK\r\n\r\n{"a":1}')
    assert [span.part for span in spans] == [schedules.HEAD, PAYLOAD]


@pytest.mark.parametrize(
    "where", [schedules.HEAD, schedules.FRAMING, schedules.STRUCTURE, schedules.DIGIT, schedules.ANY]
)
@pytest.mark.parametrize("pick", range(6))
def test_a_byte_of_the_named_part_is_changed_and_no_other(where: str, pick: int) -> None:
    from tests.faults.proxy import corrupted

    whole = ANSWER + FRAME
    changed = corrupted(whole, Layout().spans(whole), Step(0, schedules.CORRUPT, where=where, pick=pick))
    places = [at for at, (before, after) in enumerate(zip(whole, changed, strict=True)) if before != after]
    assert len(places) == 1
    at = places[0]
    if where == schedules.HEAD:
        assert at < len(ANSWER)
    elif where == schedules.FRAMING:
        assert len(ANSWER) <= at < len(ANSWER) + 2
    elif where == schedules.STRUCTURE:
        with pytest.raises(ValueError, match=r"."):
            json.loads(changed[len(ANSWER) + 2 :].decode())
    elif where == schedules.DIGIT:
        assert json.loads(changed[len(ANSWER) + 2 :])["a"][0] != 10


# --- TLS


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    certificates.make(folder)
    return folder


@pytest.mark.parametrize(
    ("kind", "words"), [("right", ""), ("wrong", "unable to get local issuer"), ("expired", "certificate has expired")]
)
def test_certificates_are_what_they_are_called(tls: Path, kind: str, words: str) -> None:
    async def run() -> str:
        trusting = ssl.create_default_context(cafile=str(tls / "trusted.pem"))
        async with echo() as port, fault_proxy(port, Schedule(), tls=certificates.context(kind, tls)) as proxy:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port, ssl=trusting)
            except ssl.SSLCertVerificationError as error:
                return error.verify_message
            writer.write(b"safe")
            assert await reader.read(10) == b"safe"
            writer.transport.abort()
            return ""

    said = asyncio.run(run())
    assert words in said
    assert bool(words) == bool(said)


# --- what is left behind


def test_a_task_that_is_left_is_found() -> None:
    async def run() -> list[str]:
        before = asyncio.all_tasks()
        left = asyncio.get_running_loop().create_task(asyncio.sleep(60), name="forgotten")
        found = await leaks.tasks_left(before)
        left.cancel()
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(leaks, "GONE_WITHIN", 0.1)
        assert "sleep" in asyncio.run(run())[0]


class Garbage:
    """A pipe that is closed only once somebody collects what refers to itself."""

    def __init__(self) -> None:
        self.ends, self.itself = os.pipe(), self

    def __del__(self) -> None:
        for descriptor in self.ends:
            os.close(descriptor)


def test_a_thread_and_a_descriptor_that_are_left_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaks, "GONE_WITHIN", 0.1)
    Garbage()
    before, stop = leaks.Before(), threading.Event()
    thread = threading.Thread(target=stop.wait, name="forgotten")
    thread.start()
    reading, writing = os.pipe()
    try:
        threads, opened = before.after()
        assert "forgotten" in threads
        assert "'pipe': 2" in opened
    finally:
        stop.set()
        thread.join()
        os.close(reading)
        os.close(writing)
    assert before.after() == []


# --- shrinking, and the runs themselves


@pytest.mark.parametrize("guilty", [{0}, {3}, {1, 4}])
def test_shrinking_finds_the_guilty_steps(guilty: set[int]) -> None:
    whole = Schedule(tuple(Step(float(number), schedules.CUT) for number in range(5)))
    tried: list[Schedule] = []

    def fails(one: Schedule) -> bool:
        tried.append(one)
        return {int(step.at) for step in one.steps} >= guilty

    assert {int(step.at) for step in shrunk(whole, fails).steps} == guilty
    assert len(tried) < 30


def test_every_deadline_is_still_there_to_be_shortened() -> None:
    from importlib import import_module

    for module, figures in SHORT.items():
        for name, seconds in figures.items():
            assert getattr(import_module(module), name) >= seconds, f"{module}.{name}"


def test_every_stream_of_every_venue_is_a_link() -> None:
    from venues import VENUES, venue_named

    watched = {link.name for link in LINKS}
    missing = {f"{name}-{stream}" for name in VENUES for stream in venue_named(name).streams} - watched
    assert all(name.endswith("-ping") for name in missing), "a round trip is no state of the venue; all else is judged"


def test_seeds_go_round_the_venues() -> None:
    venues = {link.venue for link in LINKS}
    assert {named(case_of(seed).link).venue for seed in range(len(venues))} == venues
    assert case_of(5) == case_of(5)
    assert Case.from_json(case_of(5).as_json()).as_json() == case_of(5).as_json()


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.faults", *arguments],
        cwd=ROOT, env={**os.environ, **variables}, capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip


def test_one_schedule_against_the_real_thing_passes() -> None:
    quick = Schedule((Step(0.1, schedules.CUT),)).as_json()
    done = run("--link", "nexus-book", "--seed", "2", "--schedule", quick, "--jobs", "1")
    # A machine that is too busy says so; nothing is judged then, and nothing may be found either.
    assert done.returncode == 0 or "too slow to judge" in done.stdout, done.stdout + done.stderr
    assert "FAILED" not in done.stdout
    assert "1 schedules in" in done.stdout


BROKEN = """
import asyncio
from tests.faults import venue_links
from tests.faults.cases import Case
from tests.faults.deadlines import shorten
from tests.faults.links import named
from tests.faults.schedules import Schedule, Step
from venues.kraken.kept import PrintedTrades

shorten()
venue_links.LIVE_AGAIN = 1.0
PrintedTrades.weigh = lambda *_: "new"
drawn = {"tls": "", "streams": ["trades"], "symbols": ["BTC/USD"], "at_once": False, "simulated": "",
         "process": False, "rate": 60}
case = Case("kraken-trades", 1, Schedule((Step(0.2, "cut"),)), drawn)
print("\\n".join(asyncio.run(named(case.link).play(case)).findings))
"""


def test_a_mon_that_forgets_which_trades_it_has_given_is_found() -> None:
    slow = {**os.environ, "MON_FAULTS_PACE": "2.5"}
    done = subprocess.run(
        [sys.executable, "-c", BROKEN], cwd=ROOT, env=slow, capture_output=True, text=True, timeout=110, check=True
    )
    assert "twice" in done.stdout


BROKEN_CANDLES = """
import asyncio
from decimal import Decimal
from tests.faults import venue_links
from tests.faults.cases import Case
from tests.faults.deadlines import shorten
from tests.faults.links import named
from tests.faults.schedules import Schedule, Step
from venues.toolkit.candles import _Building

def bar(building, bar=_Building.bar):
    made = bar(building)
    return made if made.complete else made._replace(volume=made.volume - Decimal("0.00000001"))

shorten()
venue_links.LIVE_AGAIN = 1.0
_Building.bar = bar
drawn = {"tls": "", "streams": ["candles"], "symbols": ["SPOT_BTC_USDT"], "at_once": False, "simulated": "",
         "process": False, "rate": 60}
case = Case("nexus-candles", 1, Schedule((Step(0.2, "cut"),)), drawn)
print("\\n".join(asyncio.run(named(case.link).play(case)).findings))
"""


def test_a_mon_that_makes_up_figures_of_candles_that_it_has_not_seen_whole_is_found() -> None:
    slow = {**os.environ, "MON_FAULTS_PACE": "2.5"}
    done = subprocess.run(
        [sys.executable, "-c", BROKEN_CANDLES], cwd=ROOT, env=slow, capture_output=True, text=True, timeout=110,
        check=True,
    )  # fmt: skip
    assert "which no part of its trades has" in done.stdout


HANGING = """
import sys, time
from tests.faults import worker

def hang(*_):
    print("begun", file=sys.stderr, flush=True)
    time.sleep(600)

worker.Worker.play = hang
worker.ENDS_WITHIN = 0.1
worker.main()
"""


def test_a_worker_does_not_outlive_whoever_started_it() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HANGING], cwd=ROOT, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as worker:
        assert worker.stdin is not None
        assert worker.stderr is not None
        try:
            worker.stdin.write(case_of(1).as_json() + "\n")
            worker.stdin.flush()
            assert worker.stderr.readline() == "begun\n"
            worker.stdin.close()  # as when the parent is killed
            worker.wait(30)
        finally:
            worker.kill()


def test_a_worker_that_hangs_says_where_and_ends() -> None:
    # As where a single call never returns: no thread of Python's has a turn.
    script = HANGING.replace("worker.main()", "worker.HANGS_AFTER, worker.ENDS_WITHIN = 0.2, 60.0; worker.main()")
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, input=case_of(1).as_json() + "\n",
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "in hang" in done.stderr


def test_usage_errors_are_2() -> None:
    from tests.faults.__main__ import main

    assert main(["--link", "nowhere"]) == 2
    assert main(["--only", "1"]) == 2


def test_outcomes_survive_the_way_between_processes() -> None:
    outcome = Outcome(findings=["one"], records=3, told=["two"])
    assert Outcome.from_json(outcome.as_json()) == outcome
    assert Decimal("0.1")  # figures stay exact on their way: they are compared before
