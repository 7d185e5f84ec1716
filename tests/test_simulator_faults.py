"""An exception in a simulated endpoint ends the run at once, or its venue alone in `mon sim`; it never looks like a
quiet market."""

from __future__ import annotations

import asyncio
import signal
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import ClientError, ClientSession, web

from tests.command import MON, SYMBOL, mon, records
from tests.made_plugins import SIMULATOR, make, with_plugins
from tests.warmed import popen
from venues.nexus.simulator.endpoint import Nexus
from venues.simulator import Simulator, server

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

FAULT = "a fault of the venue acme (mon-acme 0.3): ZeroDivisionError: division by zero"
LISTENS = "self._world = world\n        world.stage.listen(self._hear)\n\n    def _hear(self, event):\n        "
BROKEN = {
    "listener": SIMULATOR.replace("self._world = world\n", LISTENS + "1 / 0\n", 1),
    "process": SIMULATOR.replace(
        "self._world = world\n",
        "self._world = world\n        self.due = world.stage.now + 500\n        world.add(self)\n\n"
        "    def step(self):\n        1 / 0\n",
        1,
    ),
    "handshake": SIMULATOR.replace("return {", 'return {"/ws/{symbol}": lambda handshake: 1 / 0}\n        return {', 1),
    "connected": SIMULATOR.replace('handshake.path["symbol"])}', 'handshake.path["symbol"]) if 1 / 0 else None}'),
    "opened": SIMULATOR.replace("def opened(self):\n        pass", "def opened(self):\n        1 / 0"),
    "received": SIMULATOR.replace("self._asked = json.loads(frame)", "1 / 0"),
    "repeated": SIMULATOR.replace("self._wire.every(0.02, self._tell)", "self._wire.every(0.02, lambda: 1 / 0)"),
    "shown": SIMULATOR.replace(
        "self._wire.every(0.02, self._tell)", 'self._wire.show("book", lambda: 1 / 0)'
    ),
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "site").mkdir()
    return tmp_path / "site"


@pytest.fixture
def env(folder: Path, tmp_path: Path) -> dict[str, str]:
    return with_plugins(folder, tmp_path)


@pytest.mark.parametrize("where", [*BROKEN])
def test_it_ends_the_run_in_words(where: str, folder: Path, env: dict[str, str]) -> None:
    assert BROKEN[where] != SIMULATOR
    make(folder, simulator=BROKEN[where])
    done = mon("book", "acme", "BTC-USD", "--env", "sim", "--count", "1000", env=env)
    assert done.returncode == 1, done.stderr
    assert FAULT in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("ZeroDivisionError") == 1


@pytest.mark.parametrize("where", ["listener", "received"])
def test_in_mon_sim_the_other_venues_go_on(where: str, folder: Path, env: dict[str, str]) -> None:
    make(folder, simulator=BROKEN[where])
    served = popen([MON, "sim"], env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert served.stdout is not None
        assert served.stderr is not None
        exports: dict[str, str] = {}
        for line in served.stdout:
            if line.startswith("export "):
                name, _, value = line.removeprefix("export ").strip().partition("=")
                exports[name] = value.strip("'")
            if line.startswith("# acme"):
                break
        broken = mon("book", "acme", "BTC-USD", "--retries", "1", "--timeout", "5s", env={**env, **exports})
        assert broken.returncode in (5, 6)
        assert [line for line in records(broken.stdout) if line["type"] == "book"] == []
        told = served.stderr.readline()
        other = mon("trades", "nexus", SYMBOL, "--count", "2", env={**env, **exports})
        assert (other.returncode, len(records(other.stdout))) == (0, 2)
    finally:
        served.send_signal(signal.SIGINT)
        _, rest = served.communicate(timeout=10)
    assert told == f"mon: {FAULT} (in the simulator of acme)\n"
    assert rest == "", "once"
    assert served.returncode == 130


def test_a_client_that_is_gone_before_its_handshake_is_answered_is_no_fault(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So it is where the simulator was stopped, and goes on behind the client's own deadline."""

    class Gone(web.WebSocketResponse):
        async def prepare(self, request: web.BaseRequest) -> Any:
            assert request.transport is not None
            request.transport.abort()
            return await super().prepare(request)

    monkeypatch.setattr(server, "new_websocket", Gone)

    async def run() -> None:
        async with Simulator([Nexus]) as simulator, ClientSession() as http:
            key = Nexus.credentials["client_key"]
            with pytest.raises(ClientError):
                await http.ws_connect(f"{simulator.url('nexus')}/ws/{key}/{SYMBOL}")

    asyncio.run(run())
    assert "Error handling request" not in caplog.text


def test_what_is_no_venues_stops_the_world_and_is_told() -> None:
    told: list[tuple[Exception, Collection[str]]] = []

    async def run() -> None:
        came = asyncio.Event()

        def on_fault(error: Exception, venues: Collection[str]) -> None:
            told.append((error, venues))
            came.set()

        simulator = Simulator([Nexus], on_fault=on_fault)

        class Process:
            due = float(simulator.world.stage.now)

            def step(self) -> None:
                raise LookupError("of nobody's")

        simulator.world.add(Process())
        async with simulator, asyncio.timeout(5):
            await came.wait()

    asyncio.run(run())
    ((error, venues),) = told
    assert isinstance(error, LookupError), "itself, in no group"
    assert not venues
