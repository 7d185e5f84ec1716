"""The link between clients and a bot's own server: readers of its feed, and callers of its webhooks, under faults.

Readers, callers, people who guess tokens and connections that ask for nothing come at once; the first two through the
proxy. Bytes are not changed on this line: without TLS nobody could tell a changed body from another one. Judged:

- a body comes to its route once or not at all, and it has come if it was answered with 200; nothing else comes;
- what a reader gets is in order, without a gap and nothing twice, from its first message to the end of its connection;
- the bot's market is never lost, and no exception is told;
- connections are no more than may be, and all descriptors are given back while the bot still runs;
- once all is calm, whoever asks is answered, and whoever reads gets what is new.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from typing import Any, Final

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake, WebSocketException

from cli.bot.door import Door
from cli.bot.host import Host
from tests.faults import bots, schedules
from tests.faults.bots import TOKEN, Ground
from tests.faults.cases import Case, Outcome
from tests.faults.leaks import descriptors, tasks_left
from tests.faults.proxy import FaultProxy, fault_proxy
from tests.faults.schedules import Draw, Schedule, schedule

NAME: Final = "bot-server"
SPAN: Final = 2.5  # seconds in which faults begin
KINDS: Final = tuple(kind for kind in schedules.KINDS if kind != schedules.CORRUPT)
READERS, CALLERS = 2, 3
MOST_WAITING: Final = 64  # connections that ask for nothing, at any time
ANSWERED_WITHIN: Final = 2.0  # seconds that a caller waits
# An idle connection goes after a second here, a dead reader after a ping and half of that again; the rest is for a
# loaded machine.
GIVEN_BACK_WITHIN: Final = 8.0
TOO_SLOW: Final = 1.5
# The line of the bot's market is not what is tried here: it has its usual deadlines, also where all others are shorter.
DEADLINES: Final = {
    "venues.connection": {"PING_EVERY": 4.0, "PING_ANSWER_WITHIN": 5.0, "MESSAGE_WITHIN": 60.0},
    **{module: bots.SHORT[module] for module in ("cli.bot.door", "cli.bot.serving")},
}

SCRIPT: Final = """
from profitview import Link, http

class Signals(Link):
    def on_start(self):
        self.count, self.got = 0, []

    def quote_update(self, src, sym, data):
        self.count += 1
        self.publish('n', self.count)

    @http.route
    def post_take(self, data):
        self.got.append(data['id'])
        return data['id']
"""


def case(seed: int) -> Case:
    """What the seed plays."""
    draw = Draw(f"{NAME} {seed}")
    drawn = {
        "idle": draw.one_of((0, 5, 40, 120)),  # connections that ask for nothing
        "guesses": draw.chance(0.5),
        "large": draw.one_of((0, 0, 20_000, 900_000)),  # bytes of a body
    }
    return Case(NAME, seed, schedule(seed, span=SPAN, kinds=KINDS), drawn)


async def play(case: Case, host: type[Host] = Host) -> Outcome:
    """Play a case and judge it."""
    return await _Play(case, host).run()


class _Play:
    def __init__(self, case: Case, host: type[Host]) -> None:
        self._case = case
        self._make = host
        self.outcome = Outcome()
        self.asked: dict[str, int | None] = {}  # each body's id, with what it was answered
        self.read = 0
        self.guessed: list[int] = []
        self._opened = asyncio.Event()  # all connections that ask for nothing
        self._lag = 0.0
        self._begun = 0.0
        self._host: Host | None = None

    def find(self, words: str) -> None:
        """Note a finding, with when."""
        self.outcome.findings.append(f"{time.monotonic() - self._begun:.2f}s: {words}")

    async def run(self) -> Outcome:
        """Play it."""
        self._begun, before = time.monotonic(), asyncio.all_tasks()
        async with bots.ground(self._case.seed, Schedule(), Schedule(), DEADLINES) as (ground, market, _):
            market.begin()
            self._host = host = ground.host(SCRIPT, self._make, listen=("127.0.0.1", 0))
            async with bots.running(host) as task:
                await self._with_clients(task, ground)
            self.outcome.told += [f"{at - self._begun:6.2f}s {text}" for at, text in ground.heard.texts]
        self.outcome.findings += await tasks_left(before)
        self.outcome.records, self.outcome.interruptions = self.read, len(self.asked)
        self.outcome.lag = round(self._lag, 3)
        self.outcome.seconds = round(time.monotonic() - self._begun, 2)
        if self._lag > TOO_SLOW:
            self.outcome.unjudged = f"the machine stood still for {self._lag:.1f} s"
        return self.outcome

    async def _with_clients(self, task: asyncio.Task[int], ground: Ground) -> None:
        assert self._host is not None
        host = self._host
        if not await bots.until(lambda: task.done() or (host._server and host._data_seen), bots.FIRST_WITHIN):
            self.find("the bot did not start")
            return
        if task.done():
            self.find(f"the bot ended by itself: {task.exception() or task.result()}")
            return
        port = host._server.port
        looking = asyncio.create_task(self._look())
        before = descriptors()
        async with fault_proxy(port, self._case.schedule, waits=True) as proxy:
            clients = [asyncio.create_task(work) for work in self._clients(proxy.port, port)]
            idles = asyncio.create_task(self._idles(port, self._case.drawn["idle"]))
            proxy.begin()
            await proxy.over()
            await asyncio.sleep(0.5)
            await _ended(clients)
            await self._calm(proxy)
            await self._opened.wait()
            door: Door = host._server._door
            if not await bots.until(lambda: not door._waiting and not door._known, GIVEN_BACK_WITHIN):
                self.find(f"{len(door._waiting)} connections may ask for nothing for ever, {len(door._known)} for more")
            await _ended([idles])
            self.outcome.told += [f"proxy: {at:.2f}s {text}" for at, text in proxy.told]
        if not await bots.until(lambda: not descriptors() - before, GIVEN_BACK_WITHIN):
            self.find(f"descriptors are not given back: {dict(descriptors() - before)}")
        await _ended([looking])
        self._judge(ground)
        self._host = None

    def _clients(self, through: int, direct: int) -> list[Any]:
        work: list[Any] = [self._reads(through) for _ in range(READERS)]
        work += [self._calls(through, number) for number in range(CALLERS)]
        if self._case.drawn["guesses"]:
            work.append(self._guesses(direct))
        return work

    # --- clients

    async def _reads(self, port: int) -> None:
        while True:
            with contextlib.suppress(OSError, WebSocketException, InvalidHandshake, TimeoutError):
                await self._read_one(port, None)
            await asyncio.sleep(0.05)

    async def _read_one(self, port: int, most: int | None) -> None:
        """One connection of a reader."""
        url = f"ws://127.0.0.1:{port}/stream?token={TOKEN}"
        async with connect(url, proxy=None, open_timeout=1.5, close_timeout=0.3) as socket:
            last: int | None = None
            while most is None or most > 0:
                message = json.loads(await socket.recv())
                number = message["data"]
                self.read += 1
                if last is not None and number != last + 1:
                    self.find(f"a reader got message {number} behind {last}")
                last = number
                most = None if most is None else most - 1

    async def _calls(self, port: int, caller: int) -> None:
        """Alerts, one after the other; on odd turns each on a connection of its own."""
        number = 0
        while True:
            async with ClientSession(connector=TCPConnector(force_close=caller % 2 == 1)) as http:
                for _ in range(10):
                    number += 1
                    await self._call(http, port, f"{caller}-{number}")
                    await asyncio.sleep(0.03)

    async def _call(self, http: ClientSession, port: int, name: str) -> int | None:
        self.asked[name] = None
        body = {"id": name, "more": "x" * self._case.drawn["large"]}
        url = f"http://127.0.0.1:{port}/trading/signal/{TOKEN}/take"
        with contextlib.suppress(OSError, ClientError, TimeoutError):
            async with http.post(url, json=body, timeout=ClientTimeout(ANSWERED_WITHIN)) as response:
                answer = await response.json()
                self.asked[name] = response.status
                if response.status == 200 and answer != {"data": name}:
                    self.find(f"{name} was answered with {answer}")
        return self.asked[name]

    async def _idles(self, port: int, count: int) -> None:
        """Connections that ask for nothing, or for the half of something."""
        writers: list[asyncio.StreamWriter] = []
        try:
            for number in range(count):
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    writers.append(writer)
                    writer.write((b"", b"GET /stre", b"POST / HTTP/1.1\r\nHost: x\r\n")[number % 3])
                await asyncio.sleep(0.01)
            self._opened.set()
            await asyncio.Event().wait()
        finally:
            for writer in writers:
                writer.close()

    async def _guesses(self, port: int) -> None:
        async with ClientSession() as http:
            while True:
                with contextlib.suppress(OSError, ClientError, TimeoutError):
                    url = f"http://127.0.0.1:{port}/trading/signal/{TOKEN[:-1]}/take"
                    async with http.post(url, json={"id": "guessed"}, timeout=ClientTimeout(2)) as response:
                        self.guessed.append(response.status)
                await asyncio.sleep(0.01)

    # --- what is true

    async def _look(self) -> None:
        """The market must stay, and connections must not become too many."""
        last = time.monotonic()
        assert self._host is not None
        door: Door = self._host._server._door
        while True:
            await asyncio.sleep(0.02)
            now = time.monotonic()
            self._lag, last = max(self._lag, now - last - 0.02), now
            if self._host._seats._down and not self.outcome.findings:
                self.find("the bot has lost its market")
            if len(door._waiting) > MOST_WAITING and not self.outcome.findings:
                self.find(f"{len(door._waiting)} connections wait")

    async def _calm(self, proxy: FaultProxy) -> None:
        """Whoever comes now is served."""
        async with ClientSession() as http:
            status = await self._call(http, proxy.port, "calm")
            if status != 200:
                self.find(f"all is calm, and a caller got {status}")
        try:
            async with asyncio.timeout(5):
                await self._read_one(proxy.port, 3)
        except (OSError, WebSocketException, TimeoutError) as error:
            self.find(f"all is calm, and a reader got nothing: {error!r}")

    def _judge(self, ground: Ground) -> None:
        assert self._host is not None
        assert self._host._seats._seats[0].bot is not None
        got = self._host._seats._seats[0].bot.routes["POST", "take"].__self__.got  # type: ignore[attr-defined]
        for name in set(got):
            if got.count(name) > 1:
                self.find(f"{name} came to its route {got.count(name)} times")
            if name not in self.asked:
                self.find(f"{name} came to its route, and nobody sent it")
        for name, status in self.asked.items():
            if status == 200 and name not in got:
                self.find(f"{name} was answered with 200, and never came to its route")
            if status in (400, 408) and name in got:
                self.find(f"{name} came to its route, and was answered with {status}")
            if status not in (None, 200, 400, 408):  # these two: the body was not whole
                self.find(f"{name} was answered with {status}")
        if set(self.guessed) - {401}:
            self.find(f"who guesses was answered with {set(self.guessed)}")
        for words in ground.heard.since(0, "exception", "Traceback", "reconnecting", "the bot failed"):
            self.find(f"it says: {words}")


async def _ended(tasks: list[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(result, Exception):
            raise result
