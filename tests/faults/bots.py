"""A signal bot under faults, in this process: its host, the simulated venue of its market, and the simulated hub.

Between the bot and each of them stands a proxy with a schedule of its own. Deadlines are shortened, so that a schedule
is over in seconds; they are set back at the end.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from cli.bot.command import market_named
from cli.bot.host import Host
from cli.bot.market_data import MarketName
from cli.bot.plan import BotRequest
from cli.output.lines import Words
from tests.faults.proxy import FaultProxy, fault_proxy
from tests.faults.schedules import Schedule
from venues.redaction import Redactor
from venues.simulated import endpoint
from venues.simulator import Simulator, environment
from venues.simulator.endpoint import Heartbeat

MARKET: Final = MarketName("nexus", "SPOT_BTC_USDT")
HUB: Final = "nbt"
STRATEGY: Final = "drawn"
TOKEN: Final = "a-token-for-the-faults"
FIRST_WITHIN: Final = 20.0  # seconds for the first data of healthy lines
ENDS_WITHIN: Final = 15.0  # seconds for the bot to end once it was told to

# module: name → seconds; about a tenth of what they are. Those of the venues' lines are in `deadlines` too.
SHORT: Final[Mapping[str, Mapping[str, float]]] = {
    "venues.connection": {
        "OPEN_TIMEOUT": 1.5,
        "PING_EVERY": 0.5,
        "PING_ANSWER_WITHIN": 1.0,
        "MESSAGE_WITHIN": 2.0,
        "CLOSE_TIMEOUT": 0.5,
    },
    "venues.driver": {"SHORTEST_DELAY": 0.1, "LONGEST_PAUSE": 0.8, "STABLE_AFTER": 3.0},
    "venues.protocols.socketio": {"OPEN_WITHIN": 1.5, "CONNECT_TIMEOUT": 3.0},
    "cli.run.sender": {"ACKNOWLEDGED_WITHIN": 1.0, "ARRIVED_WITHIN": 2.5},
    "cli.bot.hub.positions": {"REFUSED_AGAIN_AFTER": 0.7, "ENTERED_WITHIN": 2.0},
    "cli.bot.hub.relay": {"ANSWERED_SOON": 0.5},
    "cli.bot.timing.reload": {"LOOK_EVERY": 0.1, "LEFT_AFTER": 0.5},
    "cli.bot.door": {"WAITS_WITHIN": 1.0},
    "cli.bot.serving": {"BODY_WITHIN": 1.0, "PING_EVERY": 1.5, "WRONG_EVERY": 0.1},
}
HEARTBEAT: Final = Heartbeat(1.0, 1.5)
# What is dead was noticed, a pause, the opening, the protocol's own hand-shake.
LIVE_AGAIN: Final = 2.0 + 0.8 + 1.5 + 3.0


@contextlib.contextmanager
def deadlines(those: Mapping[str, Mapping[str, float]]) -> Iterator[None]:
    """Other deadlines, by module and name, while it lasts."""
    before: list[tuple[Any, str, float]] = []
    for module, figures in those.items():
        loaded = import_module(module)
        for name, seconds in figures.items():
            before.append((loaded, name, getattr(loaded, name)))  # one that has gone is an error
            setattr(loaded, name, seconds)
    try:
        yield
    finally:
        for loaded, name, seconds in before:
            setattr(loaded, name, seconds)


class Heard(Words):
    """What is said on stderr, with the time at which it was."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[tuple[float, str]] = []

    def say(self, text: str) -> None:
        """Note it."""
        self.texts.append((time.monotonic(), text))

    def error(self, text: str, longest: int = 0) -> None:
        """Note it."""
        self.say(text)

    def since(self, at: float, *words: str) -> list[str]:
        """What was said since then that has one of the words."""
        return [text for when, text in self.texts if when >= at and any(word in text for word in words)]


class Ground:
    """What a case runs on: the simulator with its proxies, and a folder of its own."""

    def __init__(self, simulator: Simulator, hub: Any, folder: Path) -> None:
        self.simulator = simulator
        self.hub = hub  # the simulated hub's own books
        self.folder = folder
        self.heard = Heard()

    def host(
        self,
        scripts: str | Mapping[str, str],
        make: type[Host] = Host,
        *,
        followers: Sequence[Any] = (),
        **options: Any,
    ) -> Host:
        """The host of a script, or of several by their names, with what it says in `heard`."""
        paths = []
        for name, script in ({"bot": scripts} if isinstance(scripts, str) else scripts).items():
            paths.append(self.folder / f"{name}.py")
            paths[-1].write_text(script, encoding="utf-8")
        request = BotRequest(paths[0], [market_named(str(MARKET))], more=paths[1:], output="jsonl", **options)
        return make(request, self.heard, Redactor(), followers=followers)


@contextlib.asynccontextmanager
async def ground(
    seed: int, market: Schedule, hub: Schedule, those: Mapping[str, Mapping[str, float]] = SHORT
) -> AsyncIterator[tuple[Ground, FaultProxy, FaultProxy]]:
    """The simulator, and a proxy to the market and one to the hub, whose schedules have not begun.

    `those`: the deadlines that are other than usual.
    """
    kept: list[Any] = []
    made = endpoint(HUB)

    def keep(this: Any, world: Any) -> None:
        made.__init__(this, world)
        kept.append(this)

    served = [endpoint(MARKET.venue), type(made.__name__, (made,), {"__init__": keep})]
    simulator = Simulator(served, seed=seed, rate=40, heartbeat=HEARTBEAT)
    with deadlines(those), tempfile.TemporaryDirectory() as folder:
        await simulator.start()
        try:
            async with (
                fault_proxy(simulator.port, market, waits=True) as to_market,
                fault_proxy(simulator.port, hub, waits=True) as to_hub,
            ):
                variables = {
                    **environment(served[:1], to_market.port),
                    **environment(served[1:], to_hub.port),
                    "MON_BOT_TOKEN": TOKEN,
                    "XDG_CONFIG_HOME": folder,
                }
                with _environment(variables):
                    yield Ground(simulator, kept[0]._hub, Path(folder)), to_market, to_hub
        finally:
            await simulator.close()


@contextlib.contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith("MON_") and not name.startswith("MON_FAULTS")]:
        del os.environ[name]
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextlib.asynccontextmanager
async def running(host: Host) -> AsyncIterator[asyncio.Task[int]]:
    """Run a bot until the block ends, then tell it to end, as at the end of its time."""
    task = asyncio.create_task(host.run())
    try:
        yield task
    finally:
        host._ending.stop(0)
        async with asyncio.timeout(ENDS_WITHIN):
            await asyncio.gather(task, return_exceptions=True)


async def until(condition: Any, seconds: float) -> bool:
    """Whether something comes to be true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.01)
    return True
