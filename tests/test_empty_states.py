"""A complete state without a row is data: in lines, in a table, in a dashboard, and for a bot."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import WSMsgType, web

from tests.command import environment, mon, records
from tests.servers import in_thread
from tests.test_queues import at, states, status
from tests.test_states import full, told
from tests.test_terminal import Terminal, show  # noqa: F401  a fixture

EMPTY: dict[str, Any] = {
    "OpenOrders": [],
    "OpenPositions": {"item": [], "snapshot": True},
    "ClosePositionsOrders": [],
    "FullBalance": [],
    "Tob": {"markets": [], "snapshot": True},
}


@contextlib.asynccontextmanager
async def hub() -> AsyncIterator[int]:
    """A hub of an account in which there is nothing; gives its port."""

    async def connect(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                break
            for text in message.data.split("\x1e")[:-1]:
                asked = json.loads(text)
                if "protocol" in asked:
                    await socket.send_str("{}\x1e")
                elif asked["type"] == 4 and asked["target"] in EMPTY:
                    item = {"type": 2, "invocationId": asked["invocationId"], "item": EMPTY[asked["target"]]}
                    await socket.send_str(json.dumps(item) + "\x1e")
                elif asked["type"] == 5:
                    await socket.send_str(json.dumps({"type": 3, "invocationId": asked["invocationId"]}) + "\x1e")
        return socket

    app = web.Application()
    app.router.add_get("/{path:.*}", connect)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with in_thread(hub) as port:
        yield environment(
            tmp_path_factory.mktemp("home"),
            MON_B2TRADER_URL=f"ws://127.0.0.1:{port}",
            MON_B2TRADER_TOKEN="the-trader-token",
            MON_B2TRADER_ACCOUNT_ID="a",
        )


@pytest.mark.parametrize("stream", ["orders", "positions", "closed", "balance", "quotes"])
def test_after_an_empty_state_there_is_no_timeout(stream: str, env: dict[str, str]) -> None:
    symbols = ("spot.eth_usdt", "spot.btc_usdt") if stream == "quotes" else ()
    done = mon(stream, "b2trader", *symbols, "--timeout", "700ms", "--duration", "1500ms", env=env)
    assert (done.returncode, done.stderr) == (0, "")
    assert [(line["type"], line["count"]) for line in records(done.stdout)] == [("snapshot_end", 0)]


def test_a_table_goes_on_showing_the_empty_state(
    env: dict[str, str],
    show: Callable[..., Terminal],  # noqa: F811
) -> None:
    terminal = show("orders", "b2trader", "--timeout", "1s", env=env)
    terminal.until(lambda: "no open order" in terminal.text() and "age 3 s" in terminal.screen.display[0])
    assert "LIVE" in terminal.screen.display[0]
    terminal.press("q")
    assert terminal.ended() == 0


def test_a_dashboard_goes_on_showing_the_empty_states(
    env: dict[str, str],
    show: Callable[..., Terminal],  # noqa: F811
) -> None:
    terminal = show("dash", "b2trader", "--duration", "2s", env=env, width=120, height=40)
    assert terminal.ended() == 0


def test_a_bot_goes_on_with_an_empty_state(env: dict[str, str], tmp_path: Path) -> None:
    script = tmp_path / "quiet.py"
    script.write_text(
        "from profitview import Link\nclass Signals(Link):\n    def quote_update(self, *of):\n        pass\n"
    )
    done = mon(
        "bot", "run", str(script), "--market", "b2trader:spot.eth_usdt", "--timeout", "700ms", "--duration", "1500ms",
        env=env,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "")


def test_an_empty_state_is_fresh() -> None:
    from cli.run.freshness import MaxAge

    stage = MaxAge(1000, "positions", venue="v", env=None, symbol=None)
    stage.passes(status("live", "positions"), at(0))
    (end,) = full(1)
    assert stage.passes(end, at(0.9)) == [end]
    assert stage.deadline() == 1.9
    assert states(stage.tick(at(1.9))) == ["stale"]
    assert told(stage.passes(end, at(3))) == ["live", "end 0"]
