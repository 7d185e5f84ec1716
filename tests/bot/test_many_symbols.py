"""Markets of one stream and one socket, each of which stands by itself."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from cli.bot.plan import Plan, _subscribe
from tests import manysymbols
from tests.bot.conftest import HEAD, Runs
from tests.manysymbols import NAME, says_row, says_state
from tests.recorded import FOLDER
from tests.servers import in_thread, websocket_server

if TYPE_CHECKING:
    import pytest


class Markets(manysymbols.Server):
    """Quotes of two markets; the first one becomes stale for a moment, and is quiet then."""

    async def __call__(self, websocket: Any) -> None:
        asked = json.loads(await websocket.recv())
        self.asked.append(asked)
        (stream,) = asked
        said: list[Any] = [says_state(stream, "live", "A"), says_row(stream, "A", 1)]
        said += [says_state(stream, "live", "B"), says_row(stream, "B", 2), says_state(stream, "stale", "A", "gap")]
        said += [says_row(stream, "B", 3), says_state(stream, "live", "A"), says_row(stream, "A", 4)]
        for message in said:
            await websocket.send(json.dumps(message))
            await asyncio.sleep(0.05)
        await websocket.wait_closed()


def test_one_market_of_a_stream_is_down_and_the_other_goes_on(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(manysymbols.venues.VENUES, NAME, manysymbols.venues.Entry("tests.manysymbols:MANY", "quotes"))
    source = HEAD + (
        "class Signals(Link):\n  def quote_update(self, src, sym, data): self.publish('quote', [sym, data['bid'][0]])\n"
    )
    server = Markets()
    with in_thread(lambda: websocket_server(server)) as port:
        monkeypatch.setenv("MON_MANYSYMBOLS_URL", f"ws://127.0.0.1:{port}")
        ran = runs(source, f"{NAME}:A", f"{NAME}:B", count=4)
    assert server.asked == [{"quotes": ["A", "B"]}]
    told = [
        (record["symbol"], record["state"]) if record["type"] == "status" else tuple(record["data"])
        for record in ran.records
    ]
    assert told == [("A", 101.0), ("B", 102.0), ("A", "stale"), ("B", 103.0), ("A", "live"), ("A", 104.0)]
    assert f"{NAME}:A is stale: gap; no quotes until it is live again" in ran.said
    assert f"{NAME}:A is live again" in ran.said
    assert f"{NAME}:B is" not in ran.said


def test_candles_of_several_markets_are_asked_for_in_every_interval() -> None:
    plan = Plan(manysymbols.MANY, ["A", "B"])
    _subscribe(plan, "candles", plan.symbols, ("1m", "1h"))
    assert [(one.symbols, one.interval) for one in plan.subscriptions] == [(("A", "B"), "1m"), (("A", "B"), "1h")]


def test_trades_of_before_we_came_are_not_for_scripts(runs: Runs) -> None:
    source = (
        HEAD + "class Signals(Link):\n  def trade_update(self, src, sym, data): self.publish('trade', data['time'])\n"
    )
    recording = FOLDER / "kraken" / "trades--reconnect.frames.jsonl"
    ran = runs(source, replay=recording)
    assert [one["data"] % 100_000 // 1000 for one in ran.of("message")] == [9, 18, 42], "not those of the snapshots"
