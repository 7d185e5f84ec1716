"""The links between `mon` and the simulated venues: how a seed's case is made and played.

The simulator, the proxy and `mon` run in one event loop; `mon` writes its lines into a pipe at its real stdout, through
its real output thread. In one case of ten it is a process of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from tests.faults import certificates, schedules
from tests.faults.alerted import Alerted
from tests.faults.cases import Case, Link, Outcome
from tests.faults.clients import Client, InProcess, Process, Several
from tests.faults.deadlines import (
    HEARTBEAT,
    LIVE_AGAIN,
    PACE,
    QUIET_LIVE_AGAIN,
    SLOW_HEARTBEAT,
    SOCKETIO_HEARTBEAT,
)
from tests.faults.leaks import tasks_left
from tests.faults.proxy import FaultProxy, fault_proxy
from tests.faults.referee import Judge, Record, StateJudge
from tests.faults.schedules import Draw, Schedule, schedule
from tests.faults.truths import Told
from tests.faults.watched import TYPES, WATCHED, Ground, Watched
from venues.simulated import endpoint
from venues.simulator import Simulator, environment
from venues.simulator.endpoint import Heartbeat
from venues.simulator.faults import parse_fault

EVERY_RECORD: Final = 'received > 0 and state == "live" and not stale'
FIRST_WITHIN: Final = 20.0 * PACE  # seconds for the first data of a healthy line
# Seconds that the loop stood still, after which nothing is said of deadlines: half of the shortest one. What is wrong
# whatever the time is (a figure that never was, a trade twice) is said all the same.
TOO_SLOW: Final = 0.75 * PACE
# Part of the time for which it stood still: when 0.05 s last 0.1 s, the twenty turns of a handshake through two proxies
# and a simulator in the same loop outlast their deadline again and again.
STARVED: Final = 0.5
OF_TIME: Final = (
    "not live",
    "stood as live",
    "true: it was so",
    "came as live",
    "at the end",
    "no data within",
    "goes on though",
    "exit code None",
)
SLOWS: Final = {schedules.THROTTLE, schedules.SINGLE_BYTES, schedules.DELAY, schedules.STALL}

# Faults of the simulators that make something of a line; they end with the schedule.
SIMULATED: Final[Mapping[str, tuple[str, ...]]] = {
    "nexus": ("garbage:900ms", "drop:1500ms", "close:1500ms"),
    "b2trader": ("garbage:900ms", "gap:700ms", "skip:900ms", "drop:1500ms", "close:1500ms"),
    "jayx": ("garbage:900ms", "drop:1500ms", "close:1500ms"),
    "nbt": ("garbage:900ms", "drop:1500ms"),
    "profitview": ("garbage:900ms", "drop:1500ms", "close:1500ms"),
    "kraken": ("garbage:900ms", "gap:700ms", "checksum:700ms", "drop:1500ms", "mute:1200ms"),
    "woox": ("garbage:900ms", "gap:700ms", "drop:1500ms", "lag:700ms"),
}


def links() -> list[Link]:
    """One link for each stream that is watched, and one for each venue with several streams on its lines at once."""
    made = [_link(f"{one.venue}-{one.stream}", (one,)) for one in WATCHED]
    for venue in dict.fromkeys(one.venue for one in WATCHED):
        # A watchlist has the records of a ticker: beside one nobody could tell whose they are.
        several = tuple(one for one in WATCHED if one.venue == venue and one.stream != "watchlist")
        if len(several) > 1:
            made.append(_link(f"{venue}-several", several))
    return made


def _link(name: str, watched: tuple[Watched, ...]) -> Link:
    return Link(name, watched[0].venue, lambda seed: _case(watched, name, seed), lambda case: play(watched, case))


def _case(watched: tuple[Watched, ...], name: str, seed: int) -> Case:
    """What the seed plays: most of all plain lines, some with TLS, some with the simulator's own faults."""
    draw, venue = Draw(f"{name} {seed}"), watched[0].venue
    untrusted = draw.one_of((certificates.WRONG, certificates.EXPIRED))
    tls = draw.one_of(("",) * 16 + (certificates.RIGHT,) * 3 + (untrusted,))
    corrupts: tuple[str, ...] = (schedules.HEAD, schedules.FRAMING, schedules.STRUCTURE)
    if tls:
        corrupts = (schedules.ANY,)
    elif name in ("kraken-book", "kraken-quotes"):
        corrupts = (*corrupts, schedules.DIGIT, schedules.DIGIT)  # there is a checksum
    streams = draw.some_of([one.stream for one in watched], 2, 4) if len(watched) > 1 else (watched[0].stream,)
    first = watched[0].symbols
    symbols = (
        draw.some_of(first, 1, 3) if watched[0].by_symbol and draw.chance(0.3) and len(watched) == 1 else first[:1]
    )
    drawn = {
        "tls": tls,
        "streams": streams,
        "symbols": symbols,
        "at_once": draw.chance(0.3),  # the faults begin before the line is opened
        "simulated": draw.one_of(SIMULATED[venue]) if draw.chance(0.2) and not tls else "",
        "process": draw.chance(0.1) and len(watched) == 1,
        "rate": draw.one_of((20, 60, 120)),
        "where": Draw(f"where {name} {seed}").chance(0.25) and len(watched) == 1,  # of its own: the rest stays the same
    }
    is_one_book = [one.stream for one in watched] == ["book"] and len(symbols) == 1 and not drawn["process"]
    drawn["alerts"] = Draw(f"alerts {name} {seed}").chance(0.4) and is_one_book
    return Case(name, seed, schedule(draw.whole(10**9), span=2.5, corrupts=corrupts), drawn)


async def play(watched: tuple[Watched, ...], case: Case) -> Outcome:
    """Play a case and judge it."""
    chosen = tuple(one for one in watched if one.stream in case.drawn["streams"])
    if case.drawn.get("where"):  # true of every record of a live stream, so that nothing else is to be seen
        chosen = tuple(replace(one, options=(*one.options, ("where", EVERY_RECORD))) for one in chosen)
    return await _Play(chosen, case).run()


class _Play:
    def __init__(self, watched: tuple[Watched, ...], case: Case) -> None:
        self._watched = watched
        self._venue = watched[0].venue
        self._case = case
        self._symbols: tuple[str, ...] = tuple(case.drawn["symbols"])
        self._outcome = Outcome()
        self._judges: dict[tuple[str, str | None], Judge] = {}  # by stream and symbol
        self._states: dict[tuple[str, str | None], str] = {}
        self._lag = 0.0  # the longest that this event loop stood still
        self._late_in_all = 0.0
        self._words = ""
        self._changed = asyncio.Event()
        slow = any(step.kind in SLOWS for step in case.schedule.steps)
        self._within = SLOW_HEARTBEAT if slow else HEARTBEAT

    async def run(self) -> Outcome:
        """Play it."""
        began, before = time.monotonic(), asyncio.all_tasks()
        asyncio.get_running_loop().set_exception_handler(self._on_loop_error)
        lag = asyncio.create_task(self._measure_lag())
        try:
            async with self._simulator() as (simulator, ground):
                await self._between(simulator, ground)
        finally:
            lag.cancel()
            await asyncio.gather(lag, return_exceptions=True)
        self._outcome.findings += await tasks_left(before)
        self._outcome.lag, self._outcome.seconds = round(self._lag, 3), round(time.monotonic() - began, 2)
        starved = self._late_in_all / max(0.1, time.monotonic() - began)
        only_late = all(any(words in one for words in OF_TIME) for one in self._outcome.findings)
        self._outcome.of_time = bool(self._outcome.findings) and only_late
        if (self._lag > TOO_SLOW or starved > STARVED) and only_late:
            self._outcome.unjudged = f"the machine stood still for {self._lag:.1f} s, {starved:.0%} of the time in all"
        self._outcome.told += [f"stderr: {line}" for line in self._words.splitlines()]
        return self._outcome

    # --- the three of them

    @contextlib.asynccontextmanager
    async def _simulator(self) -> AsyncIterator[tuple[Simulator, Ground]]:
        kept: list[Any] = []
        made = endpoint(self._venue)

        def keep(this: Any, world: Any) -> None:
            made.__init__(this, world)
            kept.append(this)

        served = type(made.__name__, (made,), {"__init__": keep})
        simulated = self._case.drawn["simulated"]
        simulator = Simulator(
            [served],
            seed=self._case.seed,
            rate=self._case.drawn["rate"],
            faults=[parse_fault(simulated)] if simulated else [],
            heartbeat=Heartbeat(*SOCKETIO_HEARTBEAT),
        )
        async with simulator:
            yield simulator, Ground(simulator.world, Told(simulator.world), kept[0])

    async def _between(self, simulator: Simulator, ground: Ground) -> None:
        may_lose = self._case.drawn["simulated"].startswith("garbage") or any(
            step.kind == schedules.CORRUPT for step in self._case.schedule.steps
        )
        for one in self._watched:
            for symbol in (self._symbols if one.symbols else ()) or (None,):
                judge = one.judge(ground, symbol or "", self._allowed, may_lose=may_lose)
                self._judges[one.stream, symbol] = judge
        alerted = self._alerted() if self._case.drawn.get("alerts") else None
        tls, target = self._case.drawn["tls"], simulator.port
        async with contextlib.AsyncExitStack() as stack:
            if tls:
                where = Path(os.environ["MON_FAULTS_TLS"])
                shown = certificates.context(tls, where)
                front = await stack.enter_async_context(fault_proxy(target, Schedule(), tls=shown))
                target = front.port
            proxy = await stack.enter_async_context(fault_proxy(target, self._case.schedule, waits=True))
            client = self._new_client()
            await client.start(self._environment(simulator, proxy), self._watched, self._symbols)
            try:
                if tls in (certificates.WRONG, certificates.EXPIRED):
                    await self._refused(client, proxy)
                else:
                    await self._live(client, proxy, simulator)
            finally:
                await client.end()
            self._outcome.told += [f"{at:.2f} s: {words}" for at, words in proxy.told]
        if alerted is not None:
            self._outcome.findings += [f"--on: {words}" for words in alerted.findings(self._allowed())]
            self._outcome.told.append(f"--on was run {alerted.count} times")
        self._after(client, tls)

    def _alerted(self) -> Alerted:
        """Have a command run each time that the book crosses a price."""
        (judge,) = self._judges.values()
        assert isinstance(judge, StateJudge)
        made = Alerted(self._watched[0], judge.truth)
        self._watched = (replace(self._watched[0], options=(*self._watched[0].options, *made.options)),)
        return made

    def _new_client(self) -> Client:
        if len(self._watched) > 1:
            return Several(self)
        return Process(self) if self._case.drawn["process"] else InProcess(self)

    def _environment(self, simulator: Simulator, proxy: FaultProxy) -> dict[str, str]:
        given = {
            name: value.replace(f":{simulator.port}/", f":{proxy.port}/")
            for name, value in environment(simulator.endpoints, simulator.port, simulator.world).items()
        }
        if self._case.drawn["tls"]:
            given = {
                name: value.replace("ws://", "wss://").replace("http://", "https://") for name, value in given.items()
            }
        return given

    # --- the course of it

    async def _live(self, client: Client, proxy: FaultProxy, simulator: Simulator) -> None:
        if self._case.drawn["at_once"]:
            proxy.begin()
        elif not await self._until(lambda: self._all_live() or client.ended(), FIRST_WITHIN):
            self._found(f"no data within {FIRST_WITHIN:.0f} s of a line without faults")
            return
        proxy.begin()
        await self._until(client.ended, max(0.0, proxy.schedule.until - proxy.now))
        await proxy.over()
        await self._calm(simulator)
        if not await self._until(lambda: self._all_live() or client.ended(), LIVE_AGAIN + 4 * self._lag):
            states = {" ".join(filter(None, name)): self._states.get(name, "live") for name in self._judges}
            self._found(f"not live again within {LIVE_AGAIN:.1f} s of the last fault: {states}")
        if client.ended():
            return
        # Some more of the market, then it stands still: what is shown must come to be the venue's own state.
        await self._until(client.ended, 0.5)
        for process in simulator.world._processes:
            process.due = float("inf")
        # A line may have been lost without anybody having noticed it yet.
        live_again = QUIET_LIVE_AGAIN if any(one.seeded for one in self._watched) else LIVE_AGAIN
        settled = await self._until(lambda: client.ended() or not self._differs(), self._allowed() + live_again)
        if not settled and not client.ended():
            self._found(f"at the end {self._differs()}")
        for judge in self._judges.values():
            judge.finish(time.time())

    async def _refused(self, client: Client, proxy: FaultProxy) -> None:
        """With a certificate that is not to be trusted there is never any data, and an end as the design has it."""
        proxy.begin()
        await proxy.over()
        if not await self._until(client.ended, LIVE_AGAIN):
            self._found("goes on though the certificate is not to be trusted")

    async def _calm(self, simulator: Simulator) -> None:
        """End the simulator's own faults, also on lines that have them already."""
        if self._case.drawn["simulated"]:
            simulator.world.faults = {}  # type: ignore[misc]
            simulator.world.skip = 0.0  # type: ignore[misc]
            assert simulator._server is not None
            simulator._server._faults = ()
            simulator._server.abort()
            for judge in self._judges.values():
                judge.finish(time.time())
            await self._until(lambda: False, 0.3)

    def _after(self, client: Client, tls: str) -> None:
        code, words = client.code(), self._words
        findings = [f"{_named(name)}: {one}" for name, judge in self._judges.items() for one in judge.findings]
        for one in findings:
            self._found(one)
        if "please report it" in words or "Traceback" in words:
            self._found(f"a fault of mon: {words[-600:]}")
        if tls in (certificates.WRONG, certificates.EXPIRED):
            if self._outcome.records:
                self._found("data came though the certificate is not to be trusted")
            if code != 5 or "certificate" not in words:
                self._found(f"exit code {code} and not 5 with words of the certificate: {words[-300:]}")
        elif client.ended_by_itself and not self._may_end(code):
            self._found(f"ended by itself with exit code {code}: {words[-300:]}")
        elif not client.ended_by_itself and code != 143:
            self._found(f"exit code {code} after TERM, expected 143: {words[-300:]}")

    def _may_end(self, code: int | None) -> bool:
        """A head that was changed can be a refusal: 101 becomes 401. Nobody can know better.

        Nor when a server says nothing, or something else than its protocol's first words, before anything was live:
        that is another server, and asking it for ever would help nobody.
        """
        if code in (4, 5) and any(
            step.kind == schedules.CORRUPT and step.where == schedules.HEAD for step in self._case.schedule.steps
        ):
            return True
        is_another = "this is no Socket.IO server" in self._words and not self._outcome.records
        return code == 5 and self._case.drawn["at_once"] and is_another

    # --- what is seen

    def line(self, text: bytes) -> None:
        """One line that `mon` has written."""
        at = time.time()
        record: Record = json.loads(text, parse_float=Decimal, parse_int=Decimal)
        self._changed.set()
        if record["type"] == "status":
            self._status(record, at)
            return
        self._outcome.records += 1
        judges = list(self._judges_of(record))
        if not judges:
            self._found(f"a record of another stream or symbol: {record}")
        for judge in judges:
            judge.record(record, at)

    def _judges_of(self, record: Record) -> Iterator[Judge]:
        ended = record.get("stream") if record["type"] == "snapshot_end" else None
        for (stream, symbol), judge in self._judges.items():
            if ended is not None:
                is_of = ended == stream
            else:
                is_of = record["type"] == TYPES[stream] and symbol in (None, record.get("symbol"))
            if is_of:
                yield judge

    def words(self, text: str) -> None:
        """What `mon` has said on stderr."""
        self._words += text

    def _status(self, record: Record, at: float) -> None:
        state, symbol = record["state"], record.get("symbol")
        self._outcome.interruptions += state != "live"
        for name, judge in self._judges.items():
            if name[0] == record["stream"] and (symbol is None or name[1] in (None, symbol)):
                self._states[name] = state
                judge.status(state, at)

    def _all_live(self) -> bool:
        return all(judge.live and judge.count for judge in self._judges.values())  # type: ignore[attr-defined]

    def _differs(self) -> str:
        for name, judge in self._judges.items():
            if not judge.live:
                return f"{_named(name)} is not live"
            if words := judge.differs():
                return f"{_named(name)} {words}"
        return ""

    def _allowed(self) -> float:
        """Seconds that what is live may be old: the deadline, and what this machine was late."""
        return self._within + 2 * self._lag

    async def _until(self, condition: Any, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while not condition():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(left, 0.05)):
                    await self._changed.wait()
        return True

    async def _measure_lag(self) -> None:
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.05)
            late = time.monotonic() - before - 0.05
            self._lag = max(self._lag, late)
            self._late_in_all += late

    def _on_loop_error(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self._found(f"in the event loop: {context.get('message')}: {context.get('exception')!r}")

    def _found(self, text: str) -> None:
        self._outcome.findings.append(text)


def _named(name: tuple[str, str | None]) -> str:
    return " ".join(filter(None, name))
